//! Manifests: which file has which content.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::blobs::{BlobStore, is_hash};
use crate::contracts::{MAX_MANIFEST_BYTES, MAX_TREE_BYTES, MAX_TREE_FILE_BYTES, MAX_TREE_FILES, RepoPath, too_large};
use crate::workspace::protect::{is_secret, never_by_name};

const VERSION: u32 = 1;

/// The files of a tree, sorted by path, and the packs that hold their contents. The same tree in the same packs is the same
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    packs: Vec<String>,
    entries: Vec<TreeEntry>,
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeEntry {
    /// Its name.
    pub path: RepoPath,
    /// SHA-256 of its content as it was sent, in hex.
    pub sha256: String,
    /// Bytes of that content.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Whether secrets were masked in it, so that it is not the file that the sender has.
    pub masked: bool,
    /// The index of the pack that holds the content, among the manifest's packs.
    pub pack: usize,
}

/// Why a manifest is not used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is larger than it may be.
    #[error("the manifest of the tree has {}", too_large(*.0, MAX_MANIFEST_BYTES))]
    TooLarge(u64),
    /// It is no manifest of this version.
    #[error("the manifest of the tree cannot be read: {0}; use the same version of baton on both machines")]
    Malformed(String),
    /// It names a file that no tree has.
    #[error("the manifest of the tree is refused, as {path} {why}")]
    Path {
        /// The file.
        path: RepoPath,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The tree is larger than any that is sent.
    #[error("the manifest of the tree is refused: it has more than {MAX_TREE_FILES} files or {MAX_TREE_BYTES} bytes")]
    TreeTooLarge,
}

impl Manifest {
    /// A manifest of sorted entries; `None` if it would be too large.
    pub(super) fn new(entries: Vec<TreeEntry>, packs: Vec<String>) -> Option<Self> {
        let manifest = Self { version: VERSION, packs, entries };
        (manifest.to_bytes().len() as u64 <= MAX_MANIFEST_BYTES).then_some(manifest)
    }

    /// Reads a manifest that came from another machine.
    ///
    /// # Errors
    /// When it is too large, malformed, or names a file that no tree has: in `.git` or the usual memory folder, a secret by
    /// its name, the same twice, or one below another.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge(bytes.len() as u64));
        }
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        let malformed = |why: &str| Err(ManifestError::Malformed(why.to_owned()));
        if manifest.version != VERSION {
            return malformed(&format!("it has version {}", manifest.version));
        }
        // A path that is written in another way would be two names of one file.
        if manifest.to_bytes() != bytes {
            return malformed("it is not in the form that baton writes");
        }
        let entries = &manifest.entries;
        if !manifest.packs.iter().chain(entries.iter().map(|entry| &entry.sha256)).all(|name| is_hash(name)) {
            return malformed("a name in it is no SHA-256");
        }
        if entries.iter().any(|entry| entry.pack >= manifest.packs.len()) {
            return malformed("a content is in none of its packs");
        }
        let bytes = entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.size));
        let is_large = |entry: &TreeEntry| entry.size > MAX_TREE_FILE_BYTES;
        if entries.len() > MAX_TREE_FILES || bytes > MAX_TREE_BYTES || entries.iter().any(is_large) {
            return Err(ManifestError::TreeTooLarge);
        }
        manifest.check_paths()?;
        Ok(manifest)
    }

    fn check_paths(&self) -> Result<(), ManifestError> {
        let refused = |path: &RepoPath, why| Err(ManifestError::Path { path: path.clone(), why });
        let mut files: HashSet<&str> = HashSet::with_capacity(self.entries.len());
        let mut last: Option<&RepoPath> = None;
        for TreeEntry { path, .. } in &self.entries {
            if never_by_name(path) {
                return refused(path, "belongs to git or to Baton");
            }
            if is_secret(path) {
                return refused(path, "may hold secrets, which are never sent");
            }
            if last.is_some_and(|last| last >= path) {
                return refused(path, "is there twice, or not in its place");
            }
            last = Some(path);
            files.insert(path.as_str());
        }
        for TreeEntry { path, .. } in &self.entries {
            let text = path.as_str();
            let above = |(at, _): (usize, &str)| text.get(..at).is_some_and(|folder| files.contains(folder));
            if text.match_indices('/').any(above) {
                return refused(path, "lies below a file");
            }
        }
        Ok(())
    }

    /// Its bytes, as they are stored and [parsed](Self::parse).
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts, numbers and lists are always JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The files, sorted by path.
    pub fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    /// The entry of a file.
    pub fn entry(&self, path: &RepoPath) -> Option<&TreeEntry> {
        let at = self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
        self.entries.get(at)
    }

    /// The names of all packs that it needs.
    pub fn packs(&self) -> &[String] {
        &self.packs
    }

    /// The names of the packs that hold contents which a store has not got.
    pub fn missing_packs(&self, blobs: &mut dyn BlobStore) -> Vec<&str> {
        let mut is_missing = vec![false; self.packs.len()];
        for entry in &self.entries {
            if let Some(is_missing) = is_missing.get_mut(entry.pack).filter(|is_missing| !**is_missing) {
                *is_missing = !blobs.has(&entry.sha256);
            }
        }
        self.packs.iter().zip(is_missing).filter(|(_, is_missing)| *is_missing).map(|(name, _)| name.as_str()).collect()
    }
}
