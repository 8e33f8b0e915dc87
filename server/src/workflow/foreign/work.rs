//! Work of a workflow that our agents did not do, and the messages about it for people and for the reviewer.

use crate::contracts::{FileKeys, RepoPath};
use crate::workspace::{self, BaseFile, Compared};

/// Most unclaimed files that the reviewer is given by name.
const MAX_UNCLAIMED: usize = 100;

/// The work of the current workflow that our agents did not do: another tool's, a person's, or nobody's.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForeignWork {
    /// Tasks whose result is not ours and whose files differ from HEAD, in plan order.
    pub(crate) tasks: Vec<String>,
    /// Tasks whose result is not ours and whose files do not differ from HEAD.
    pub(crate) unconfirmed: Vec<String>,
    /// Whether there is a review and it is not ours.
    pub(crate) review: bool,
    /// Why nothing can be compared with HEAD.
    pub(crate) no_diff_because: Option<String>,
    /// Files that those tasks plan or report and that differ from HEAD in what our agents did not write.
    pub(crate) files: Vec<ForeignFile>,
    /// Files that are reported as changed and do not differ from HEAD, each with a sentence for the reviewer.
    pub(crate) only_reported: Vec<(RepoPath, String)>,
    /// Other files that differ from HEAD; no task names them.
    pub(crate) unclaimed: Vec<RepoPath>,
    /// Which of all these paths name one file.
    pub(super) keys: FileKeys,
}

/// A file that our agents did not change, or not alone.
#[derive(Debug, Clone)]
pub(crate) struct ForeignFile {
    /// Against HEAD.
    pub(crate) file: BaseFile,
    /// The tasks that plan or report it.
    pub(crate) tasks: Vec<String>,
}

impl ForeignWork {
    /// Whether all that counts as done is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.unconfirmed.is_empty()
    }

    /// Whether a file is among `files`.
    pub(crate) fn has(&self, path: &RepoPath) -> bool {
        let key = self.keys.key(path);
        self.files.iter().any(|theirs| self.keys.key(&theirs.file.path) == key)
    }

    /// The warnings for the gate.
    pub(crate) fn gate_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.tasks.is_empty() {
            warnings.push(format!(
                "The report tells of work that no journal of Baton bears out here: {}. It is not done again; approve, and it is reviewed by \
                 the diff of the working tree against HEAD.",
                self.tasks.join(", ")
            ));
        }
        if !self.unconfirmed.is_empty() {
            warnings.push(format!(
                "The report says that {} {} done, and {}: approve, and {} implemented here.",
                self.unconfirmed.join(", "),
                are(&self.unconfirmed),
                self.why_unconfirmed(),
                if self.unconfirmed.len() == 1 { "it is" } else { "they are" }
            ));
        }
        warnings
    }

    pub(super) fn why_unconfirmed(&self) -> String {
        match &self.no_diff_because {
            Some(why) => format!("nothing bears it out ({why})"),
            None => "nothing bears it out: no journal of Baton, and no difference from HEAD".to_owned(),
        }
    }

    /// The final message of an approved workflow, completed by what was not done by Baton.
    pub(crate) fn end_message(&self, message: String) -> String {
        let mut text = message;
        if !self.tasks.is_empty() {
            let by = if self.review { "and so was the review" } else { "reviewed by the diff against HEAD" };
            let were = were(&self.tasks);
            text.push_str(&format!(
                " {} {were} done elsewhere, not by Baton, {by}; an undo does not take that back.",
                self.tasks.join(", ")
            ));
        } else if self.review {
            text.push_str(" The review was made elsewhere, not by Baton.");
        }
        text
    }

    /// The note for the reviewer; empty where all work is ours.
    pub(crate) fn reviewer_note(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let ids = [&self.tasks[..], &self.unconfirmed[..]].concat().join(", ");
        let seen = match &self.no_diff_because {
            None => "What is listed and shown of them as changed is the real diff of the working tree against HEAD"
                .to_owned(),
            Some(why) => format!("There is no diff of them ({why}): read the files as they stand"),
        };
        let mut text = format!(
            "{ids}: done elsewhere, not by Baton's agents. {seen}. What the report says of them beyond that is a claim to \
             check, not a fact."
        );
        if !self.unconfirmed.is_empty() && self.no_diff_because.is_none() {
            text.push_str(&format!(" Of {} nothing differs from HEAD.", self.unconfirmed.join(", ")));
        }
        if !self.unclaimed.is_empty() {
            let shown: Vec<&str> = self.unclaimed.iter().take(MAX_UNCLAIMED).map(RepoPath::as_str).collect();
            let more = match self.unclaimed.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            text.push_str(&format!(
                "\nThese files differ from HEAD too, and neither a task nor the report names them; they may be the user's \
                 own edits: {}{more}.",
                shown.join(", ")
            ));
        }
        text
    }

    /// One line a file, for the list of what was changed.
    pub(crate) fn summaries(&self) -> Vec<String> {
        let note = |index: usize| {
            let tasks = self.files[index].tasks.join(", ");
            format!(" ({tasks}, done elsewhere; against HEAD)")
        };
        let seen = workspace::change_summaries(&self.compared(), &note);
        let reported = self.only_reported.iter().map(|(path, note)| format!("{path}: {note}"));
        seen.into_iter().chain(reported).collect()
    }

    /// Each file with its unified diff.
    pub(crate) fn diffs(&self) -> Vec<(RepoPath, String)> {
        workspace::diffs(&self.compared(), true)
    }

    fn compared(&self) -> Vec<Compared<'_>> {
        self.files.iter().map(|ForeignFile { file, .. }| file.compared()).collect()
    }

    /// The files that were changed, or that without a diff must be taken for changed.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &RepoPath> {
        let reported = self.only_reported.iter().filter(|_| self.no_diff_because.is_some()).map(|(path, _)| path);
        self.files.iter().map(|theirs| &theirs.file.path).chain(reported)
    }
}

pub(super) fn are(ids: &[String]) -> &'static str {
    if ids.len() == 1 { "is" } else { "are" }
}

pub(super) fn were(ids: &[String]) -> &'static str {
    if ids.len() == 1 { "was" } else { "were" }
}
