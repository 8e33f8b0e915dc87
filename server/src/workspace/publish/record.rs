//! The journal of a publish.

use std::io;

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reversal::Reversal;
use crate::contracts::{ChangeType, RepoPath, is_task_id, over_limit};
use crate::workspace::beneath::{self, Blocked};
use crate::workspace::{MAX_FILE_BYTES, Owner, read_bounded, replace, sha256};

const FOLDER: &str = "publish";
/// The task name in a rollback's journal. Its run has no other publish, so that it cannot clash with a task's.
const REVERSAL: &str = "ROLLBACK";

/// The journal of one publish, `publish/<task>-<round>.json` in the run's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishRecord {
    /// The task.
    pub task: String,
    /// The implement round.
    pub round: u32,
    /// How far it got.
    pub state: PublishState,
    /// Every file of it.
    pub files: Vec<PublishedFile>,
    /// The submission of the task's agent, so that a kill after publishing does not lose it.
    #[serde(default)]
    pub submission: Value,
    /// Folders that did not exist before, outermost first.
    #[serde(default)]
    pub created_folders: Vec<RepoPath>,
    /// Its position among the publishes of the run, from 1. Tasks that were published at the same time, and so share no
    /// file, may have the same.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: u32,
    /// What it reverts, for a rollback or the undoing of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Reversal>,
    /// The MAC under the user's own key, over all other fields.
    #[serde(default)]
    pub mac: String,
}

/// A task whose changes are to be published.
#[derive(Debug, Clone, Copy)]
pub struct FinishedTask<'a> {
    /// Its id.
    pub task: &'a str,
    /// The implement round.
    pub round: u32,
    /// The submission of its agent, kept in the journal.
    pub submission: &'a Value,
}

/// How far a publish got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishState {
    /// Everything is prepared; files are being put in place.
    Intent,
    /// Every file is in place.
    Done,
    /// It failed, and the files in place are being restored.
    Undoing,
    /// Nothing of it is in place.
    Undone,
}

/// One file of a publish, with what is needed to finish it and to undo it later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// The file in the working tree.
    pub path: RepoPath,
    /// What happens to it.
    pub change_type: ChangeType,
    /// SHA-256 of the bytes before, in hex; null for a new file.
    pub sha256_before: Option<String>,
    /// SHA-256 of the bytes after, in hex; null for a deleted file.
    pub sha256_after: Option<String>,
    /// The new bytes, relative to the run's folder; renamed into place by the publish.
    pub staged: Option<String>,
    /// The old bytes, relative to the run's folder; kept.
    pub before_image: Option<String>,
    /// A copy of the new bytes, relative to the run's folder, to recognise later edits. Not synced, and missing if it
    /// could not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_image: Option<String>,
    /// Permission bits after.
    pub mode: u32,
    /// Permission bits before; null for a new file.
    pub mode_before: Option<u32>,
    /// Whether it is a new file with the system's default metadata; `mode` is then the resulting mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// The owner after; missing for a new file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The owner before; missing for a new file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_before: Option<Owner>,
}

impl PublishedFile {
    /// The bytes from before the publish; `None` for a file that did not exist.
    ///
    /// # Errors
    /// When the before-image cannot be read or has the wrong hash.
    pub fn before(&self, run_dir: &Dir) -> io::Result<Option<Vec<u8>>> {
        let (Some(image), Some(sha256_before)) = (&self.before_image, &self.sha256_before) else { return Ok(None) };
        self.image(run_dir, image, sha256_before).map(Some)
    }

    /// The bytes that the publish put in place; `None` for a deleted file.
    ///
    /// # Errors
    /// When there is no copy, it cannot be read, or it has the wrong hash.
    pub fn after(&self, run_dir: &Dir) -> io::Result<Option<Vec<u8>>> {
        let Some(sha256_after) = &self.sha256_after else { return Ok(None) };
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no copy of the new {} was kept", self.path));
        self.image(run_dir, self.after_image.as_ref().ok_or_else(missing)?, sha256_after).map(Some)
    }

    fn image(&self, run_dir: &Dir, image: &str, expected: &str) -> io::Result<Vec<u8>> {
        let bytes = read_regular(run_dir, image)?;
        if sha256(&bytes) == expected {
            return Ok(bytes);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("{image} is not what {} was", self.path)))
    }
}

impl PublishRecord {
    pub(super) fn new(work: &FinishedTask<'_>) -> Self {
        Self {
            task: work.task.to_owned(),
            round: work.round,
            submission: work.submission.clone(),
            state: PublishState::Intent,
            files: Vec::new(),
            created_folders: Vec::new(),
            order: 0,
            reversal: None,
            mac: String::new(),
        }
    }

    /// Creates the record of a rollback, or of the undoing of one.
    pub(super) fn of_reversal(reversal: Reversal) -> Self {
        let work = FinishedTask { task: REVERSAL, round: 0, submission: &Value::Null };
        Self { reversal: Some(reversal), ..Self::new(&work) }
    }

    /// The files, in the order in which they are put in place.
    pub fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        self.files.iter().map(|file| &file.path)
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}-{}.json", self.task, self.round)
    }

    pub(super) fn staged_folder(&self) -> String {
        format!("staged/{}", self.task)
    }

    pub(super) fn before_folder(&self) -> String {
        format!("before/{}-{}", self.task, self.round)
    }

    pub(super) fn after_folder(&self) -> String {
        format!("after/{}-{}", self.task, self.round)
    }

    /// Signs it and writes it durably.
    pub(super) fn save(&mut self, run_dir: &Dir, signer: &dyn Fn(&[u8]) -> String) -> io::Result<()> {
        self.mac = signer(&self.signed_content()?);
        let folder = beneath::create_folder(run_dir, [FOLDER].into_iter()).map_err(Blocked::into_io)?;
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        replace(&folder, &self.file_name(), &bytes, 0o600)
    }

    /// Removes it from disk, if it is there.
    pub(super) fn discard(&self, run_dir: &Dir) {
        let folder = beneath::open_folder(run_dir, [FOLDER].into_iter()).map_err(Blocked::into_io);
        if let Err(error) = folder.and_then(|folder| folder.remove_file(self.file_name()))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, journal = self.file_name(), "a publish journal could not be removed");
        }
    }

    /// The signed content: the record without its MAC, as compact JSON.
    pub(super) fn signed_content(&self) -> io::Result<Vec<u8>> {
        let unsigned = Self { mac: String::new(), ..self.clone() };
        Ok(serde_json::to_vec(&unsigned)?)
    }
}

/// Whether a journal of this task and round exists that is not undone.
pub(super) fn is_already_published(run_dir: &Dir, record: &PublishRecord) -> io::Result<bool> {
    let folder = match beneath::open_folder(run_dir, [FOLDER].into_iter()) {
        Ok(folder) => folder,
        Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(blocked) => return Err(blocked.into_io()),
    };
    let bytes = match read_regular(&folder, &record.file_name()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(parsed(&bytes).is_some_and(|earlier| earlier.state != PublishState::Undone))
}

/// Reads the journals of a run: those whose MAC verifies, in order, and the names of the others.
///
/// # Errors
/// When the folder cannot be read.
pub fn records(run_dir: &Dir, verify: &dyn Fn(&[u8], &str) -> bool) -> io::Result<(Vec<PublishRecord>, Vec<String>)> {
    let (mut trusted, mut untrusted) = (Vec::new(), Vec::new());
    let folder = match beneath::open_folder(run_dir, [FOLDER].into_iter()) {
        Ok(folder) => folder,
        Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok((trusted, untrusted)),
        Err(blocked) => return Err(blocked.into_io()),
    };
    for name in journal_names(&folder)? {
        match read_record(&folder, &name, verify) {
            Some(record) => trusted.push(record),
            None => untrusted.push(name),
        }
    }
    trusted.sort_by(|a, b| (a.order, a.round, &a.task).cmp(&(b.order, b.round, &b.task)));
    Ok((trusted, untrusted))
}

/// The position of the run's next publish.
pub(super) fn next_order(run_dir: &Dir) -> io::Result<u32> {
    let folder = match beneath::open_folder(run_dir, [FOLDER].into_iter()) {
        Ok(folder) => folder,
        Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(1),
        Err(blocked) => return Err(blocked.into_io()),
    };
    let orders =
        journal_names(&folder)?.into_iter().filter_map(|name| Some(parsed(&read_regular(&folder, &name).ok()?)?.order));
    Ok(orders.max().unwrap_or(0).saturating_add(1))
}

fn journal_names(folder: &Dir) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.entries()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A journal that is broken, renamed, or not signed by this user counts as absent.
fn read_record(folder: &Dir, name: &str, verify: &dyn Fn(&[u8], &str) -> bool) -> Option<PublishRecord> {
    let bytes = read_regular(folder, name).ok()?;
    let record = parsed(&bytes)?;
    let genuine = is_task_id(&record.task) && record.file_name() == name;
    (genuine && verify(&record.signed_content().ok()?, &record.mac)).then_some(record)
}

/// Parses a journal; `None` if it is invalid, or too large to be parsed before its MAC is verified.
fn parsed(bytes: &[u8]) -> Option<PublishRecord> {
    if over_limit(bytes).is_some() { None } else { serde_json::from_slice(bytes).ok() }
}

/// Reads a regular file within the size limit, never through a link.
pub(super) fn read_regular(folder: &Dir, name: &str) -> io::Result<Vec<u8>> {
    read_bounded(folder, name, MAX_FILE_BYTES)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}
