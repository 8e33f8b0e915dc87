//! What an agent may read of a workspace, and the packs of what a worker has not got.

use std::collections::{HashMap, HashSet};

use super::content::{self, Content};
use super::error::TreeError;
use super::manifest::{Manifest, TreeEntry};
use super::pack::{Pack, PackWriter, Sent};
use crate::contracts::{MAX_PACK_BLOBS, MAX_PACK_BYTES, MAX_TREE_BYTES, MAX_TREE_FILE_BYTES, MAX_TREE_FILES, RepoPath};
use crate::workspace::access::refused_by_name;
use crate::workspace::{Interrupt, Stamp, Walk, Workspace, files_until, sha256};

/// How large a tree may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) file_bytes: u64,
    pub(super) bytes: u64,
    pub(super) files: usize,
    pub(super) pack_bytes: u64,
}

pub(super) const LIMITS: Limits = Limits {
    file_bytes: MAX_TREE_FILE_BYTES,
    bytes: MAX_TREE_BYTES,
    files: MAX_TREE_FILES,
    pack_bytes: MAX_PACK_BYTES,
};

/// The files of a workspace that an agent may read, at one moment. Contents are not held: they are read again for a pack.
#[derive(Debug)]
pub struct Tree {
    workspace: Workspace,
    interrupt: Interrupt,
    limits: Limits,
    /// Sorted by path.
    files: Vec<File>,
}

#[derive(Debug, Clone)]
struct File {
    path: RepoPath,
    sha256: String,
    size: u64,
    executable: bool,
    masked: bool,
    /// Of before it was read, where that tells its content.
    stamp: Option<Stamp>,
}

impl File {
    fn of(path: RepoPath, stamp: Option<Stamp>, Content { bytes, executable, masked }: &Content) -> Self {
        Self { path, sha256: sha256(bytes), size: bytes.len() as u64, executable: *executable, masked: *masked, stamp }
    }
}

impl Tree {
    /// Everything an agent may read, with unsaved texts of the editor, and binary files as well; and the files of its task (`also`),
    /// which it may read though git ignores them, unless their names say that they are secrets. What is as it was in the tree
    /// `before` is not read again. `interrupt` also stops what is read later for packs.
    ///
    /// # Errors
    /// When the files cannot be listed or read, are too many or too large, or when interrupted.
    pub fn of(
        workspace: &Workspace,
        memory_dir: &RepoPath,
        also: &[RepoPath],
        before: Option<&Self>,
        interrupt: &Interrupt,
    ) -> Result<Self, TreeError> {
        Self::within(LIMITS, workspace, (memory_dir, also), before, interrupt)
    }

    pub(super) fn within(
        limits: Limits,
        workspace: &Workspace,
        (memory_dir, also): (&RepoPath, &[RepoPath]),
        before: Option<&Self>,
        interrupt: &Interrupt,
    ) -> Result<Self, TreeError> {
        let walk = Walk { memory_dir, folder: None, globs: None, limit: limits.files };
        let listing = files_until(workspace, &walk, interrupt)?;
        if listing.more {
            return Err(TreeError::TooManyFiles { limit: limits.files });
        }
        let mut paths = listing.files;
        for path in also {
            let own = workspace.on_disk(path);
            let is_own = workspace.real_path(&own).is_ok_and(|real| real.is_some_and(|real| real == own));
            if is_own && refused_by_name(&own, path, memory_dir).is_none() {
                paths.push(own);
            }
        }
        paths.sort_unstable();
        paths.dedup();
        let before = before.map(|tree| tree.files.as_slice()).unwrap_or_default();
        let before: HashMap<(&RepoPath, Stamp), &File> =
            before.iter().filter_map(|file| Some(((&file.path, file.stamp?), file))).collect();
        let mut files = Vec::with_capacity(paths.len());
        let mut bytes = 0_u64;
        for path in paths {
            interrupt.check()?;
            let stamp = workspace.stamp(&path);
            let file = match stamp.and_then(|stamp| before.get(&(&path, stamp))) {
                Some(file) => (*file).clone(),
                None => match content::read(workspace, &path, limits.file_bytes)? {
                    Some(content) => File::of(path, stamp, &content),
                    None => continue,
                },
            };
            bytes = bytes.saturating_add(file.size);
            if bytes > limits.bytes {
                return Err(TreeError::TooLarge { limit: limits.bytes });
            }
            files.push(file);
        }
        Ok(Self { workspace: workspace.clone(), interrupt: interrupt.clone(), limits, files })
    }

    /// The next pack of contents that are not known, by their SHA-256; `None` once all are. A file that has changed since is
    /// in the tree as it is now, and one that is gone is no longer in it.
    ///
    /// # Errors
    /// When a file cannot be read or has become too large, or when interrupted.
    pub fn next_pack(&mut self, known: &dyn Fn(&str) -> bool) -> Result<Option<Pack>, TreeError> {
        let mut pack = PackWriter::default();
        let mut is_gone = vec![false; self.files.len()];
        for (file, is_gone) in self.files.iter_mut().zip(&mut is_gone) {
            if known(&file.sha256) || pack.holds(&file.sha256) {
                continue;
            }
            self.interrupt.check()?;
            if !pack.is_empty() && pack.bytes() + file.size > self.limits.pack_bytes || pack.blobs() >= MAX_PACK_BLOBS {
                break;
            }
            let stamp = self.workspace.stamp(&file.path);
            let Some(content) = content::read(&self.workspace, &file.path, self.limits.file_bytes)? else {
                *is_gone = true;
                continue;
            };
            *file = File::of(file.path.clone(), stamp, &content);
            if known(&file.sha256) || pack.holds(&file.sha256) {
                continue;
            }
            if !pack.is_empty() && pack.bytes() + file.size > self.limits.pack_bytes {
                break;
            }
            pack.add(file.sha256.clone(), &content.bytes);
        }
        let mut gone = is_gone.into_iter();
        self.files.retain(|_| !gone.next().unwrap_or_default());
        Ok(pack.finish())
    }

    /// All packs of contents that are not known, one at a time; see [`next_pack`](Self::next_pack). It ends after an error.
    pub fn packs<'a>(&'a mut self, known: &'a dyn Fn(&str) -> bool) -> Packs<'a> {
        Packs { tree: self, known, packed: HashSet::new(), is_over: false }
    }

    /// The manifest, once all packs are sent.
    ///
    /// # Errors
    /// When a content is in no pack that was sent, or the manifest would be too large.
    pub fn manifest(&self, sent: &Sent) -> Result<Manifest, TreeError> {
        let mut names: Vec<&str> = Vec::new();
        for file in &self.files {
            names.push(sent.pack_of(&file.sha256).ok_or_else(|| TreeError::NotSent(file.path.clone()))?);
        }
        let mut packs: Vec<&str> = names.clone();
        packs.sort_unstable();
        packs.dedup();
        let entry = |(file, name): (&File, &str)| TreeEntry {
            path: file.path.clone(),
            sha256: file.sha256.clone(),
            size: file.size,
            executable: file.executable,
            masked: file.masked,
            pack: packs.binary_search(&name).unwrap_or_default(),
        };
        let entries = self.files.iter().zip(names).map(entry).collect();
        Manifest::new(entries, packs.iter().copied().map(str::to_owned).collect()).ok_or(TreeError::NamesTooLong)
    }

    /// How many files it has.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// The packs of a tree; see [`Tree::packs`].
pub struct Packs<'a> {
    tree: &'a mut Tree,
    known: &'a dyn Fn(&str) -> bool,
    packed: HashSet<String>,
    is_over: bool,
}

impl Iterator for Packs<'_> {
    type Item = Result<Pack, TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let (known, packed) = (self.known, &self.packed);
        let pack = self.tree.next_pack(&|blob| known(blob) || packed.contains(blob)).transpose();
        match &pack {
            Some(Ok(pack)) => self.packed.extend(pack.blobs.iter().cloned()),
            _ => self.is_over = true,
        }
        pack
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::workspace::fixture::{Fixture, memory, path};

    #[test]
    fn only_what_has_changed_is_read_again() {
        let fixture = Fixture::new("//- /changed.rs\na\n//- /gone.rs\na\n//- /same.rs\na\n");
        let workspace = fixture.workspace();
        let tree = |before: Option<&Tree>| Tree::of(&workspace, &memory(), &[], before, &Interrupt::never()).unwrap();
        // A file tells whether it has changed once it has been left alone for a while.
        let mut first = loop {
            let tree = tree(None);
            if tree.files.iter().all(|file| file.stamp.is_some()) {
                break tree;
            }
            std::thread::yield_now();
        };
        // Whoever reads a file would find another sum.
        first.files.iter_mut().for_each(|file| file.sha256 = "as before".to_owned());
        fixture.write("changed.rs", b"b\n");
        fixture.write("new.rs", b"b\n");
        std::fs::remove_file(fixture.root().join("gone.rs")).unwrap();
        let second = tree(Some(&first));
        let found: Vec<(&RepoPath, bool)> =
            second.files.iter().map(|file| (&file.path, file.sha256 == "as before")).collect();
        assert_eq!(found, [(&path("changed.rs"), false), (&path("new.rs"), false), (&path("same.rs"), true)]);
    }
}
