//! The files as one agent sees them: the working tree, and over it the changes of its own task.

use std::collections::{HashMap, HashSet};

use crate::contracts::RepoPath;
use crate::workspace::{
    self, Globs, Listing, PastFile, Refused, TextFile, Walk, WalkError, WorkspaceError, by_folder, file_at,
    is_secret_text, masks, readable, readable_in_the_past,
};

use super::error::{ToolError, sentence};
use super::toolbox::Toolbox;

impl Toolbox {
    /// A path as a model writes it. The real root in front is forgiven.
    pub(super) fn path(&self, text: &str) -> Result<RepoPath, ToolError> {
        if masks(text) > 0 {
            return Err("The path holds a mask (<masked by Baton: …>), which stands for a secret and is no name."
                .to_owned()
                .into());
        }
        // Blanks around a path are a slip, unless there is a file of that name.
        let is_meant = |path: &RepoPath| {
            self.workspace.is_file(path) || self.staging().is_some_and(|staging| staging.is_own(path))
        };
        if text.trim() != text
            && let Ok(path) = RepoPath::parse(text)
            && is_meant(&path)
        {
            return Ok(path);
        }
        let text = text.trim();
        let root = self.workspace.root().to_string_lossy();
        let relative = text.strip_prefix(root.as_ref()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
        RepoPath::parse(relative).map_err(|error| sentence(&error).into())
    }

    /// A folder as a model writes it; `None` is the root.
    pub(super) fn folder(&self, text: Option<&str>) -> Result<Option<RepoPath>, ToolError> {
        let text = text.unwrap_or_default().trim();
        let is_root = text.trim_matches(['.', '/', '\\']).is_empty() && !text.contains("..");
        if is_root || text.trim_end_matches('/') == self.workspace.root().to_string_lossy() {
            return Ok(None);
        }
        // By the names of the disk: the task's own changes are known by those.
        self.path(text).map(|path| Some(self.workspace.on_disk(&path)))
    }

    /// A file's bytes as the agent sees them. For an implementer's own files this records the version that was read.
    pub(super) fn read(&self, path: &RepoPath) -> Result<Vec<u8>, ToolError> {
        let bytes = match self.staging() {
            Some(mut staging) => staging.read(path).map_err(|error| ToolError { refused: None, ..error.into() })?,
            None => self.read_disk(path)?,
        };
        let bytes = bytes.ok_or_else(|| self.missing(path))?;
        if is_secret_text(&bytes) { Err(Refused::Secret(path.clone()).into()) } else { Ok(bytes) }
    }

    /// Whether a file of the working tree may be looked into; this records no version as read.
    pub(super) fn check_open(&self, path: &RepoPath) -> Result<(), ToolError> {
        match self.read_disk(path)? {
            Some(bytes) if is_secret_text(&bytes) => Err(Refused::Secret(path.clone()).into()),
            Some(_) => Ok(()),
            None => Err(self.missing(path)),
        }
    }

    fn read_disk(&self, path: &RepoPath) -> Result<Option<Vec<u8>>, ToolError> {
        match readable(&self.workspace, path, &self.memory_dir).map_err(no_file)?? {
            Some(real) => Ok(self.workspace.read_open(&real).map_err(no_file)?.map(|state| state.bytes)),
            None => Ok(None),
        }
    }

    /// Whether the past of a path may be looked into.
    pub(super) fn check_name(&self, path: &RepoPath) -> Result<(), ToolError> {
        Ok(readable_in_the_past(&self.workspace, path, &self.memory_dir).map_err(no_file)??)
    }

    /// A file's text as a commit has it, and the commit's hash. It does not count as reading the file.
    pub(super) fn read_past_text(&self, path: &RepoPath, at: &str) -> Result<(TextFile, String), ToolError> {
        self.check_name(path)?;
        self.check_history("no earlier version of a file can be read: leave `at` out")?;
        let PastFile { commit, bytes } = file_at(&self.workspace, path, at).map_err(|error| sentence(&error))?;
        if is_secret_text(&bytes) {
            return Err(Refused::Secret(path.clone()).into());
        }
        let file = TextFile::decode(&bytes).map_err(|_| is_binary(path))?;
        Ok((file, commit))
    }

    /// Refuse what needs the git history, where there is none; `so` says what follows from that.
    pub(super) fn check_history(&self, so: &str) -> Result<(), ToolError> {
        match self.about.is_copy {
            true => Err(format!(
                "There is no git history on this machine, a worker, which has the files as they are now and no repository; {so}."
            )
            .into()),
            false => Ok(()),
        }
    }

    /// Whether the agent sees a file at this path.
    pub(super) fn is_file(&self, path: &RepoPath) -> bool {
        self.touched().get(path).copied().unwrap_or_else(|| self.workspace.is_file(path))
    }

    /// A file's text as the agent sees it, of which only a part is shown: this records no version as read. Secrets in it are
    /// not yet masked.
    pub(super) fn glance(&self, path: &RepoPath) -> Result<TextFile, ToolError> {
        let staged = self.staging().and_then(|staging| {
            staging.overlay().find(|(own, _)| *own == path).map(|(_, bytes)| bytes.map(<[u8]>::to_vec))
        });
        let bytes = match staged {
            Some(bytes) => bytes,
            None => self.read_disk(path)?,
        };
        let bytes = bytes.ok_or_else(|| self.missing(path))?;
        if is_secret_text(&bytes) {
            return Err(Refused::Secret(path.clone()).into());
        }
        TextFile::decode(&bytes).map_err(|_| format!("{path} is a binary file; only text is shown.").into())
    }

    /// The text of a file as it is without the task's changes, if there is one that the agent may read.
    pub(super) fn text_on_disk(&self, path: &RepoPath) -> Option<String> {
        let bytes = self.read_disk(path).ok().flatten()?;
        TextFile::decode(&bytes).ok().map(|file| file.text().to_owned())
    }

    /// A file's text as the agent sees it, secrets in it not yet masked; see [`TextFile::shown`].
    pub(super) fn read_text(&self, path: &RepoPath) -> Result<TextFile, ToolError> {
        let bytes = self.read(path).map_err(|error| match self.workspace.is_folder(path) {
            true => format!("{path} is a folder; list it with list_files.").into(),
            false => error,
        })?;
        TextFile::decode(&bytes).map_err(|_| is_binary(path).into())
    }

    /// The files as the agent sees them.
    pub(super) fn files(
        &self,
        folder: Option<&RepoPath>,
        globs: Option<&Globs>,
        limit: usize,
    ) -> Result<Listing, ToolError> {
        let walk = Walk { memory_dir: &self.memory_dir, folder, globs, limit };
        let overlay = self.touched();
        let listing = workspace::files_until(&self.workspace, &walk, &self.interrupt);
        let mut listing = match listing {
            Ok(listing) => listing,
            // A folder that so far only the task has.
            Err(WalkError::NoFolder(_) | WalkError::File(_) | WalkError::Other(_))
                if overlay.keys().any(|path| is_in(path, folder)) =>
            {
                Listing { files: Vec::new(), more: false }
            }
            Err(error) => return Err(sentence(&error).into()),
        };
        if overlay.is_empty() {
            return Ok(listing);
        }
        listing.files.retain(|path| overlay.get(path) != Some(&false));
        let listed: HashSet<RepoPath> = listing.files.iter().cloned().collect();
        let new = overlay.iter().filter(|(path, exists)| **exists && walk.wants(path) && !listed.contains(*path));
        listing.files.extend(new.map(|(path, _)| path.clone()));
        // The order of a walk: folder by folder.
        listing.files.sort_by(by_folder);
        Ok(listing)
    }

    /// The task's own changes; empty for agents without a task.
    pub(super) fn overlay(&self) -> HashMap<RepoPath, Option<Vec<u8>>> {
        let Some(staging) = self.staging() else { return HashMap::new() };
        staging.overlay().map(|(path, bytes)| (path.clone(), bytes.map(<[u8]>::to_vec))).collect()
    }

    /// Whether the task changed the file.
    pub(super) fn is_touched(&self, path: &RepoPath) -> bool {
        self.touched().contains_key(path)
    }

    /// The files of the task's own changes, and whether each exists after them.
    fn touched(&self) -> HashMap<RepoPath, bool> {
        let Some(staging) = self.staging() else { return HashMap::new() };
        staging.overlay().map(|(path, bytes)| (path.clone(), bytes.is_some())).collect()
    }

    /// Why a file is not there, with the names it may have been mistaken for.
    fn missing(&self, path: &RepoPath) -> ToolError {
        const LOOKED_AT: usize = 20_000;
        const ALIKE: f64 = 0.85;
        // Comparing two names takes the product of their lengths.
        const LONGEST: usize = 300;
        let wanted = path.as_str().to_lowercase();
        let name = path.file_name().to_lowercase();
        let looked_at = if wanted.len() > LONGEST { 0 } else { LOOKED_AT };
        let files = self.files(None, None, looked_at).map(|listing| listing.files).unwrap_or_default();
        let mut alike: Vec<(f64, &RepoPath)> = files
            .iter()
            .take_while(|_| self.interrupt.check().is_ok())
            .filter(|file| file.as_str().len() <= LONGEST)
            .map(|file| {
                let same_name = if file.file_name().to_lowercase() == name { 0.5 } else { 0.0 };
                (strsim::normalized_damerau_levenshtein(&wanted, &file.as_str().to_lowercase()) + same_name, file)
            })
            .filter(|(score, _)| *score >= ALIKE)
            .collect();
        alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let names: Vec<&str> = alike.iter().take(3).map(|(_, file)| file.as_str()).collect();
        match names.as_slice() {
            [] => format!("{path} does not exist. Find files with list_files or search.").into(),
            names => format!("{path} does not exist. Did you mean {}?", names.join(" or ")).into(),
        }
    }
}

fn is_in(path: &RepoPath, folder: Option<&RepoPath>) -> bool {
    folder.is_none_or(|folder| path.as_str().strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')))
}

fn is_binary(path: &RepoPath) -> String {
    format!("{path} is a binary file; only text is shown.")
}

fn no_file(error: WorkspaceError) -> ToolError {
    sentence(&error).into()
}
