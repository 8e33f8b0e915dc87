//! What is mounted where, looked up before anything is.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::super::room::{Kept, Mount, READ_ONLY, Setup, is_any_beneath, like, mounts, trace};

/// Where overlays are tried out in a probe: a path that is free in a fresh `/tmp`.
pub(super) const PROBE: &str = "/tmp/.baton-probe";

/// A folder that an overlay is laid over.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) lower: PathBuf,
    pub(super) upper: PathBuf,
    pub(super) work: PathBuf,
    pub(super) over: PathBuf,
}

/// Looks whether an overlay can be laid over a workspace: nothing may be mounted inside it.
pub(super) fn can_be_laid_over(root: &Path) -> io::Result<()> {
    match is_any_beneath(&mounts()?, root) {
        true => Err(io::Error::other("other file systems are mounted inside the workspace")),
        false => Ok(()),
    }
}

/// All mounts of a room, in the order of the fields; those within a field in its own order.
#[derive(Default)]
pub(super) struct Layout {
    /// Parts of `/proc` that are read-only.
    pub(super) protected: Vec<PathBuf>,
    /// Folders that are empty file systems in memory.
    pub(super) covered: Vec<PathBuf>,
    /// What is seen beneath them all the same.
    pub(super) kept: Vec<Kept>,
    /// A folder that is read-only but for what is laid over its folders.
    pub(super) read_only: Option<PathBuf>,
    /// The overlays; the last one is that of the workspace.
    pub(super) layers: Vec<Layer>,
    /// Folders that are the real ones.
    pub(super) through: Vec<PathBuf>,
    /// Overlays over parts of those.
    pub(super) parts: Vec<Layer>,
    /// What is absent, and whether it is a folder.
    pub(super) hidden: Vec<(PathBuf, bool)>,
    /// Files that are shown for others: which, and for which.
    pub(super) masked: Vec<(PathBuf, PathBuf)>,
    /// An empty folder that stands for absent ones.
    pub(super) empty: PathBuf,
    /// Files that are written inside, as their layers are this room's: which, and their content.
    pub(super) written: Vec<(OsString, String)>,
}

impl Layout {
    /// Looks it up for a room, and makes the folders for what is written beneath `scratch`.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub(super) fn of(setup: &Setup, scratch: &Path) -> io::Result<Self> {
        let root = Path::new(&setup.root);
        let mounts = mounts()?;
        let mut layout = Self { empty: scratch.join("empty"), ..Self::default() };
        DirBuilder::new().mode(0o555).create(&layout.empty)?;
        layout.protected = READ_ONLY.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
        let covered: Vec<PathBuf> = setup.covered.iter().map(PathBuf::from).collect();
        let home = setup.home.as_ref().map(Path::new);
        for path in setup.kept.iter().map(Path::new) {
            if !path.starts_with(root) && !home.is_some_and(|home| path.starts_with(home)) {
                trace(path, &covered, &mut layout.kept);
            }
        }
        layout.kept.sort_by(|one, other| place(one).cmp(place(other)));
        layout.kept.dedup_by(|one, other| place(one) == place(other));
        layout.covered = covered.into_iter().filter(|folder| folder.is_dir()).collect();
        // Before the two that may lie in them. What cannot be laid over can still be read.
        for folder in setup.more.iter().map(Path::new).filter(|folder| !is_any_beneath(&mounts, folder)) {
            layout.lay(folder, folder, scratch)?;
        }
        if let Some(home) = home {
            layout.lay_home(home, root, &mounts, scratch)?;
        }
        if setup.probe {
            let lower = scratch.join("probe");
            fs::create_dir_all(lower.join("folder/in"))?;
            layout.lay(&lower, Path::new(PROBE), scratch)?;
        }
        layout.lay(root, root, scratch)?;
        let through = setup.through.iter().map(|folder| root.join(folder));
        layout.through = through.filter(|folder| folder.is_dir()).collect();
        for part in setup.parts.iter().map(|part| root.join(part)).filter(|part| part.is_dir()) {
            let layer = layer(&part, &part, &scratch.join(format!("part-{}", layout.parts.len())))?;
            layout.parts.push(layer);
        }
        layout.hide(setup, scratch);
        layout.mask(setup, scratch)?;
        Ok(layout)
    }

    /// The upper layer of the workspace.
    pub(super) fn upper(&self) -> Option<&Path> {
        self.layers.last().map(|layer| layer.upper.as_path())
    }

    fn lay(&mut self, lower: &Path, over: &Path, scratch: &Path) -> io::Result<()> {
        let layer = layer(lower, over, &scratch.join(self.layers.len().to_string()))?;
        self.layers.push(layer);
        Ok(())
    }

    /// Shows configurations without their logins. What lies in a layer of this room is written there, so that a command can
    /// write it as well.
    fn mask(&mut self, setup: &Setup, scratch: &Path) -> io::Result<()> {
        for (path, content) in &setup.masked {
            let (path, at) = (Path::new(path), Path::new(path).to_owned());
            let Ok(metadata) = fs::symlink_metadata(path) else { continue };
            let is_hidden = self.hidden.iter().any(|(hidden, _)| path.starts_with(hidden));
            if !metadata.is_file() || is_hidden || !self.shows(path) {
                continue;
            }
            let lies_in = |layers: &[Layer]| layers.iter().any(|layer| path.starts_with(&layer.over));
            let is_real = self.through.iter().any(|folder| path.starts_with(folder));
            let is_of_room = lies_in(&self.parts) || (lies_in(&self.layers) && !is_real);
            let is_own = metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o200 != 0;
            if is_of_room && is_own {
                self.written.push((at.into_os_string(), content.clone()));
            } else {
                let from = scratch.join(format!("masked-{}", self.masked.len()));
                fs::write(&from, content)?;
                self.masked.push((from, at));
            }
        }
        Ok(())
    }

    /// One overlay over the home folder; where something is mounted in it, one over each of its folders that has no mount
    /// inside, and the rest stays read-only.
    fn lay_home(&mut self, home: &Path, root: &Path, mounts: &[Mount], scratch: &Path) -> io::Result<()> {
        if !is_any_beneath(mounts, home) {
            return self.lay(home, home, scratch);
        }
        self.read_only = Some(home.to_owned());
        for entry in fs::read_dir(home)?.flatten() {
            let path = entry.path();
            let is_free = !is_any_beneath(mounts, &path) && !mounts.iter().any(|mount| mount.point == path);
            if is_free && entry.file_type()?.is_dir() && !path.starts_with(root) && fs::read_dir(&path).is_ok() {
                self.lay(&path, &path, scratch)?;
            }
        }
        Ok(())
    }

    /// Finds out what there is to hide in this room; what is not there would be made.
    fn hide(&mut self, setup: &Setup, scratch: &Path) {
        let mut paths: Vec<PathBuf> = setup.hidden.iter().map(PathBuf::from).collect();
        // The layers themselves, which lie in the user's cache.
        paths.extend(scratch.parent().and_then(|views| views.canonicalize().ok()));
        paths.sort();
        paths.dedup_by(|inner, outer| inner.starts_with(&*outer));
        let shown = paths.into_iter().filter(|path| self.shows(path));
        let hidden = shown.filter_map(|path| {
            let kind = fs::symlink_metadata(&path).ok()?.file_type();
            (!kind.is_symlink()).then_some((path, kind.is_dir()))
        });
        self.hidden = hidden.collect();
    }

    /// Whether something that is there outside is there in the room.
    fn shows(&self, path: &Path) -> bool {
        let is_in = |folder: &Path| path.starts_with(folder);
        let is_bound = |kept: &Kept| matches!(kept, Kept::Bind { at, .. } if is_in(at));
        if self.layers.iter().any(|layer| is_in(&layer.over)) || self.read_only.as_deref().is_some_and(is_in) {
            return true;
        }
        if ["/proc", "/dev"].iter().any(|replaced| is_in(Path::new(replaced))) {
            return false;
        }
        !self.covered.iter().any(|folder| is_in(folder)) || self.kept.iter().any(is_bound)
    }
}

/// An overlay, with new folders in `base` for what is written.
fn layer(lower: &Path, over: &Path, base: &Path) -> io::Result<Layer> {
    let (upper, work) = (base.join("upper"), base.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir(&work)?;
    like(lower, &upper)?;
    Ok(Layer { lower: lower.to_owned(), upper, work, over: over.to_owned() })
}

fn place(kept: &Kept) -> &Path {
    match kept {
        Kept::Link { at, .. } | Kept::Bind { at, .. } => at,
    }
}
