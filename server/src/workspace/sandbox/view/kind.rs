//! A kind of view, and where it lets things be written.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::bwrap::Bwrap;
use super::super::hidden::{Found, Listings, Places, home_of_user};
use super::super::scratch::Scratch;
use super::super::user::User;
use crate::workspace::Workspace;
use crate::workspace::git::repository_folder;

const NO_CACHE: &str = "there is no cache folder for a copy of the workspace";

/// A kind of view that was tried out here.
#[derive(Debug, Clone)]
pub(in super::super) struct View {
    pub(super) user: User,
    pub(super) upper: Upper,
    /// Whether a copy stands in for the workspace.
    pub(super) is_copy: bool,
    /// What makes the view, where this machine refuses it to Baton.
    pub(super) bwrap: Option<Bwrap>,
    /// Whether the folders of tools outside of the home folder are laid over; else they are read-only.
    pub(super) lays_more: bool,
    pub(super) outside: Arc<Outside>,
}

/// What is looked up once, as it takes its time.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) at_home: Found,
    /// Sockets and FIFOs.
    pub(super) special: Vec<PathBuf>,
    /// What the folders of the workspace held at the last check.
    pub(super) listings: Mutex<Listings>,
}

/// Where what is written in a view goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upper {
    /// A folder in the user's cache.
    Disk,
    /// A file system in memory.
    Memory,
}

impl View {
    /// What makes it, where Baton may not: `by bwrap 0.11`.
    pub(in super::super) fn maker(&self) -> Option<String> {
        self.bwrap.as_ref().map(|bwrap| format!("by {}", bwrap.name()))
    }

    /// A folder on disk, where this view needs one.
    pub(super) fn scratch(&self) -> Result<Option<Scratch>, String> {
        match &self.user.views {
            Some(views) if self.is_copy || self.upper == Upper::Disk => {
                let made = Scratch::new(views);
                made.map(Some).map_err(|error| format!("{} cannot be written: {error}", views.display()))
            }
            None if self.is_copy => Err(NO_CACHE.to_owned()),
            _ => Ok(None),
        }
    }

    /// Why no folder can be made on disk, if that is not for want of room.
    pub(super) fn refuses_scratch(&self) -> Option<String> {
        let Some(views) = &self.user.views else { return Some(NO_CACHE.to_owned()) };
        let error = Scratch::new(views).err()?;
        let refused = [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::ReadOnlyFilesystem];
        refused.contains(&error.kind()).then(|| format!("{} cannot be written: {error}", views.display()))
    }

    /// The home folder, if an overlay is laid over it. Where it is in the workspace, the one overlay is for both; where it is
    /// a folder that each room has of its own, such as `/tmp`, it is the room's.
    pub(super) fn home(&self, root: &Path) -> Option<&Path> {
        let is_of_room = |home: &Path| self.user.covered.iter().any(|covered| covered.starts_with(home));
        self.user.home.as_deref().filter(|home| !home.starts_with(root) && !is_of_room(home))
    }

    /// The folders that tools write to, outside of the workspace and the home folder.
    pub(super) fn more_folders(&self, workspace: &Workspace) -> Vec<OsString> {
        let is_laid_over = |path: &PathBuf| {
            path.starts_with(workspace.root()) || self.home(workspace.root()).is_some_and(|home| path.starts_with(home))
        };
        let mut more = self.user.tool_folders();
        more.extend(repository_folder(workspace));
        more.retain(|folder| !is_laid_over(folder) && folder.parent().is_some());
        more.into_iter().map(PathBuf::into_os_string).collect()
    }
}

/// Where secrets are looked for.
pub(super) fn places(root: &Path, user: &User) -> Places {
    let homes = user.home.iter().cloned().chain(home_of_user()).collect();
    Places { workspace: root.to_owned(), homes, ..Places::default() }
}
