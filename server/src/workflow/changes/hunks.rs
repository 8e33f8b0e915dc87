//! The hunks in which files differ from what they were before the workflow.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::attribution::{Attribution, Author, Version};
use super::files::{ChangedFile, Changes};
use super::publishes::{Publish, journal};
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::workflow::run::error::{PhaseError, StartError};
use crate::workspace::{self, LineHunk, Workspace};

/// Ids that a message names at most.
const NAMED: usize = 10;

/// The hunks of the workflow at hand.
#[derive(Debug, Clone, Default)]
pub struct Hunks {
    /// The files that have any, by path.
    pub files: Vec<FileHunks>,
}

/// The hunks of one file.
#[derive(Debug, Clone)]
pub struct FileHunks {
    /// The file.
    pub path: RepoPath,
    /// Its hunks, from top to bottom.
    pub hunks: Vec<Hunk>,
}

/// One stretch of lines in which a file differs from what it was before the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Twelve hex digits: see [`workspace::line_hunks`].
    pub id: String,
    /// The last task that had a part in it; `None` for a change that no task made.
    pub task: Option<String>,
    /// Its first line in the file as it stands, from 1. Of a pure deletion, first and last are the line behind it, or the
    /// file's last line.
    pub first: usize,
    /// Its last line.
    pub last: usize,
    /// Whether the user said that it stays.
    pub kept: bool,
    /// The lines that are gone, with their ends.
    pub removed: Vec<String>,
    /// The lines that came, with their ends.
    pub added: Vec<String>,
    /// Where it is in both contents.
    pub(super) lines: LineHunk,
}

#[cfg(test)]
impl Hunk {
    /// One for tests, at these lines.
    pub fn new(id: &str, task: Option<&str>, (first, last): (usize, usize), kept: bool) -> Self {
        Self {
            id: id.to_owned(),
            task: task.map(str::to_owned),
            first,
            last,
            kept,
            removed: Vec::new(),
            added: Vec::new(),
            lines: LineHunk { id: id.to_owned(), old: first..last, new: first..last },
        }
    }
}

impl Hunks {
    /// Reads the hunks of every file that the workflow at hand changed, as the files stand on disk.
    ///
    /// # Errors
    /// When a journal or a file cannot be read.
    pub fn load(store: &Store, workspace: &Workspace) -> Result<Self, PhaseError> {
        let journal = journal(store)?;
        let changes = Changes::in_journal(store, workspace, &journal, |_| true)?;
        Ok(Self::of(&changes, &journal, &store.kept_hunks(&store.workflow_runs()?)?))
    }

    /// The hunks of these changes, which `journal` explains.
    pub(super) fn of(changes: &Changes, journal: &[Publish], kept: &BTreeSet<(RepoPath, String)>) -> Self {
        let mut files = Vec::new();
        for file in changes.files().filter(|file| file.unreadable.is_none()) {
            let mut hunks = hunks_of(journal, file);
            for hunk in &mut hunks {
                hunk.kept = kept.contains(&(file.path.clone(), hunk.id.clone()));
            }
            if !hunks.is_empty() {
                files.push(FileHunks { path: file.path.clone(), hunks });
            }
        }
        Self { files }
    }

    /// The hunks of a file, from top to bottom.
    pub fn in_file(&self, path: &RepoPath) -> &[Hunk] {
        self.files.iter().find(|file| file.path == *path).map(|file| file.hunks.as_slice()).unwrap_or_default()
    }

    /// A hunk by its id, in any file or in this one.
    ///
    /// # Errors
    /// When there is none; names those there are.
    pub fn find(&self, id: &str, file: Option<&RepoPath>) -> Result<(&RepoPath, &Hunk), StartError> {
        let asked = |of: &&FileHunks| file.is_none_or(|file| *file == of.path);
        let all = || self.files.iter().filter(asked).flat_map(|of| of.hunks.iter().map(move |hunk| (&of.path, hunk)));
        all().find(|(_, hunk)| hunk.id == id).ok_or_else(|| {
            let place = file.map(|file| format!(" of {file}")).unwrap_or_default();
            let mut message = format!("there is no hunk {id}{place}; ");
            let count = all().count();
            if count == 0 {
                message.push_str("there are none");
            } else {
                let named: Vec<String> =
                    all().take(NAMED).map(|(path, hunk)| format!("{} ({path}:{})", hunk.id, hunk.first)).collect();
                message.push_str(&format!("there are: {}", named.join(", ")));
                if count > NAMED {
                    // Writing to a string does not fail.
                    let _ = write!(message, " and {} more", count - NAMED);
                }
            }
            StartError::Usage(message)
        })
    }
}

fn hunks_of(journal: &[Publish], file: &ChangedFile) -> Vec<Hunk> {
    let (before, now) = (file.before.as_deref(), file.now.as_deref());
    let found = workspace::line_hunks(&file.path, before, now);
    if found.is_empty() {
        return Vec::new();
    }
    let attribution = Attribution::of(before, &versions(journal, file));
    let (old, new) = (texts(before), texts(now));
    let hunk = |lines: LineHunk| {
        let first =
            if lines.new.is_empty() { (lines.new.start + 1).min(new.len()).max(1) } else { lines.new.start + 1 };
        Hunk {
            id: lines.id.clone(),
            task: attribution.task(&lines.old, &lines.new),
            first,
            last: lines.new.end.max(first).min(new.len().max(1)),
            kept: false,
            removed: old.get(lines.old.clone()).unwrap_or_default().to_vec(),
            added: new.get(lines.new.clone()).unwrap_or_default().to_vec(),
            lines,
        }
    };
    found.into_iter().map(hunk).collect()
}

fn texts(bytes: Option<&[u8]>) -> Vec<String> {
    let lines = workspace::byte_lines(bytes.unwrap_or_default()).into_iter();
    match workspace::text_of(bytes.unwrap_or_default()) {
        Some(text) if text.split_inclusive('\n').count() == lines.len() => {
            text.split_inclusive('\n').map(str::to_owned).collect()
        }
        _ => lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
    }
}

/// What a file went through since it was as `before` says. A content whose copy is lost is passed over, and what it brought
/// counts as the next one's.
fn versions(journal: &[Publish], file: &ChangedFile) -> Vec<Version> {
    let before = file.before.as_deref().map(workspace::sha256);
    let of_file = |publish: &'_ Publish| publish.record.files.iter().position(|of| of.path == file.path);
    let records: Vec<_> =
        journal.iter().filter_map(|publish| Some((publish, &publish.record.files[of_file(publish)?]))).collect();
    let start = records.iter().position(|(_, of)| of.sha256_before == before).unwrap_or(0);
    let mut versions = Vec::new();
    let mut at = before;
    for (index, (publish, of)) in records.iter().enumerate().skip(start) {
        if of.sha256_before != at
            && let Ok(bytes) = of.before(&publish.folder)
        {
            versions.push(Version { bytes, by: Author::Other });
        }
        let by = match &publish.record.reversal {
            Some(_) => Author::Reversal,
            None => Author::Task(publish.record.task.clone()),
        };
        let next = records.get(index + 1).filter(|(_, next)| next.sha256_before == of.sha256_after);
        let last = file.now.as_deref().map(workspace::sha256) == of.sha256_after;
        let bytes = match (of.after(&publish.folder), next) {
            (Ok(bytes), _) => Some(bytes),
            (Err(_), Some((publish, next))) => next.before(&publish.folder).ok(),
            (Err(_), None) => last.then(|| file.now.clone()),
        };
        if let Some(bytes) = bytes {
            at.clone_from(&of.sha256_after);
            versions.push(Version { bytes, by });
        }
    }
    versions.push(Version { bytes: file.now.clone(), by: Author::Other });
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunks(count: usize) -> Hunks {
        let path = RepoPath::parse("src/a.rs").unwrap();
        let hunks = (1..=count).map(|line| Hunk::new(&format!("{line:012}"), Some("T1"), (line, line), false));
        Hunks { files: vec![FileHunks { path, hunks: hunks.collect() }] }
    }

    fn unknown(hunks: &Hunks, file: Option<&str>) -> String {
        let file = file.map(|file| RepoPath::parse(file).unwrap());
        hunks.find("ffffffffffff", file.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_hunk_is_answered_with_those_there_are() {
        assert!(unknown(&hunks(0), None).contains("there are none"));
        let two = unknown(&hunks(2), None);
        assert!(two.ends_with("there are: 000000000001 (src/a.rs:1), 000000000002 (src/a.rs:2)"), "{two}");
        let twelve = unknown(&hunks(12), None);
        assert!(twelve.ends_with("000000000010 (src/a.rs:10) and 2 more"), "{twelve}");
        let elsewhere = unknown(&hunks(2), Some("src/b.rs"));
        assert!(elsewhere.contains("no hunk ffffffffffff of src/b.rs; there are none"), "{elsewhere}");
        assert_eq!(hunks(2).find("000000000002", None).unwrap().1.first, 2);
    }
}
