//! Where is looked, and what is found.

use std::path::{Path, PathBuf};

use super::files::read;
use super::logins::Masked;
use super::values::{values_of, worth_masking};

/// Files whose values are read to be masked.
const MAX_VALUE_FILES: usize = 500;

/// Where to look.
#[derive(Debug, Clone, Default)]
pub(in crate::workspace::sandbox) struct Places {
    /// The root of the workspace.
    pub(in crate::workspace::sandbox) workspace: PathBuf,
    /// The home folders: that of `$HOME`, and that of the user's entry in the system's list.
    pub(in crate::workspace::sandbox) homes: Vec<PathBuf>,
    /// Folders that Baton keeps its own files in, the memory folder among them.
    pub(in crate::workspace::sandbox) own: Vec<PathBuf>,
    /// Files and folders that variables of the user name as holding secrets.
    pub(in crate::workspace::sandbox) named: Vec<PathBuf>,
}

/// A file or a folder that a check does not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace::sandbox) struct Hidden {
    /// Its real path.
    pub(in crate::workspace::sandbox) path: PathBuf,
    /// Whether it is a folder, hidden with all that is in it.
    pub(in crate::workspace::sandbox) is_folder: bool,
    /// Why, as a part of a sentence that a person reads.
    pub(in crate::workspace::sandbox) why: &'static str,
    /// Whether a check that says `secrets = true` sees it.
    pub(in crate::workspace::sandbox) is_secret: bool,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(in crate::workspace::sandbox) struct Found {
    /// What is hidden, sorted by path; nothing beneath a folder that is hidden itself.
    pub(in crate::workspace::sandbox) hidden: Vec<Hidden>,
    /// Sockets and FIFOs, through which a check could reach a program outside.
    pub(in crate::workspace::sandbox) special: Vec<PathBuf>,
    /// The home folders that were too large to be looked through.
    pub(in crate::workspace::sandbox) cut: Vec<PathBuf>,
    /// Configurations of git with logins in them, and what is shown instead to a check that may read no secrets.
    pub(in crate::workspace::sandbox) masked: Vec<Masked>,
}

impl Found {
    /// What a check does not see, secrets left out of it where the check may read them.
    #[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code, reason = "only a view asks"))]
    pub(in crate::workspace::sandbox) fn for_check(&self, secrets: bool) -> impl Iterator<Item = &Hidden> {
        self.hidden.iter().filter(move |hidden| !(secrets && hidden.is_secret))
    }

    /// The secret files of the workspace, by their paths from its root: what a failing check may have missed.
    #[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code, reason = "only a view asks"))]
    pub(in crate::workspace::sandbox) fn in_workspace(&self, root: &Path) -> Vec<String> {
        let secrets = self.hidden.iter().filter(|hidden| hidden.is_secret);
        secrets.filter_map(|hidden| Some(hidden.path.strip_prefix(root).ok()?.to_string_lossy().into_owned())).collect()
    }

    /// The values that the secret files hold, for a check that can read them: they are masked in what it prints.
    pub(in crate::workspace::sandbox) fn values(&self) -> Vec<String> {
        let files = self.hidden.iter().filter(|hidden| hidden.is_secret && !hidden.is_folder);
        let mut values: Vec<String> = files
            .take(MAX_VALUE_FILES)
            .filter_map(|hidden| read(&hidden.path))
            .flat_map(|bytes| values_of(&String::from_utf8_lossy(&bytes)))
            .collect();
        let logins = self.masked.iter().flat_map(|masked| &masked.values);
        values.extend(logins.filter_map(|value| worth_masking(value)));
        values.sort();
        values.dedup();
        values
    }
}
