//! What of a workflow was done elsewhere, and how people and the reviewer are told of it.

use crate::contracts::{FileKeys, RepoPath};
use crate::workspace::{self, BaseFile};

/// Files that nobody names and that are told of all the same, at most.
const MOST_OTHERS: usize = 100;

/// What of the workflow at hand was done elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Elsewhere {
    /// Tasks with a result that is not ours and of whose work something can be seen, in plan order.
    pub(crate) tasks: Vec<String>,
    /// Tasks with such a result and nothing to see of it.
    pub(crate) unseen: Vec<String>,
    /// Whether there is a review and it is not ours.
    pub(crate) review: bool,
    /// Why nothing can be compared with HEAD.
    pub(crate) without: Option<String>,
    /// What differs from HEAD by other hands than ours in files that those tasks plan or report.
    pub(crate) files: Vec<ElsewhereFile>,
    /// What is told of and does not differ: the file, with what is said.
    pub(crate) only_said: Vec<(RepoPath, String)>,
    /// What differs by other hands and no task names.
    pub(crate) others: Vec<RepoPath>,
    /// Which of all these paths name one file.
    pub(super) keys: FileKeys,
}

/// A file that other hands changed.
#[derive(Debug, Clone)]
pub(crate) struct ElsewhereFile {
    /// Against HEAD.
    pub(crate) file: BaseFile,
    /// The tasks that plan or report it.
    pub(crate) tasks: Vec<String>,
}

impl Elsewhere {
    /// Whether all that counts as done is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.unseen.is_empty()
    }

    /// Whether a file is one of theirs.
    pub(crate) fn has(&self, path: &RepoPath) -> bool {
        let key = self.keys.key(path);
        self.files.iter().any(|theirs| self.keys.key(&theirs.file.path) == key)
    }

    /// What a person is told at the gate.
    pub(crate) fn at_the_gate(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.tasks.is_empty() {
            told.push(format!(
                "The report tells of work that no journal of Baton bears out here: {}. It is not done again; approve, and it is reviewed by \
                 the diff of the working tree against HEAD.",
                self.tasks.join(", ")
            ));
        }
        if !self.unseen.is_empty() {
            told.push(format!(
                "The report says that {} {} done, and {}: approve, and {} implemented here.",
                self.unseen.join(", "),
                are(&self.unseen),
                self.why_unseen(),
                if self.unseen.len() == 1 { "it is" } else { "they are" }
            ));
        }
        told
    }

    pub(super) fn why_unseen(&self) -> String {
        match &self.without {
            Some(why) => format!("nothing bears it out ({why})"),
            None => "nothing bears it out: no journal of Baton, and no difference from HEAD".to_owned(),
        }
    }

    /// The end of an approved workflow, with what was done by others.
    pub(crate) fn at_the_end(&self, message: String) -> String {
        let mut told = message;
        if !self.tasks.is_empty() {
            let by = if self.review { "and so was the review" } else { "reviewed by the diff against HEAD" };
            let (were, them) = if self.tasks.len() == 1 { ("was", "it") } else { ("were", "them") };
            told.push_str(&format!(
                " {} {were} done elsewhere, not by Baton, {by}; `baton rollback` does not undo {them}.",
                self.tasks.join(", ")
            ));
        } else if self.review {
            told.push_str(" The review was made elsewhere, not by Baton.");
        }
        told
    }

    /// What the reviewer is told; empty where all is ours.
    pub(crate) fn for_the_reviewer(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let ids = [&self.tasks[..], &self.unseen[..]].concat().join(", ");
        let seen = match &self.without {
            None => "What is listed and shown of them as changed is the real diff of the working tree against HEAD"
                .to_owned(),
            Some(why) => format!("There is no diff of them ({why}): read the files as they stand"),
        };
        let mut told = format!(
            "{ids}: done elsewhere, not by Baton's agents. {seen}. What the report says of them beyond that is a claim to \
             check, not a fact."
        );
        if !self.unseen.is_empty() && self.without.is_none() {
            told.push_str(&format!(" Of {} nothing differs from HEAD.", self.unseen.join(", ")));
        }
        if !self.others.is_empty() {
            let shown: Vec<&str> = self.others.iter().take(MOST_OTHERS).map(RepoPath::as_str).collect();
            let more = match self.others.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            told.push_str(&format!(
                "\nThese files differ from HEAD too, and neither a task nor the report names them; they may be the user's \
                 own edits: {}{more}.",
                shown.join(", ")
            ));
        }
        told
    }

    /// One line a file, for the list of what was changed.
    pub(crate) fn summaries(&self) -> Vec<String> {
        let seen = self.files.iter().map(|ElsewhereFile { file, tasks }| {
            let kind = match (&file.before, &file.now) {
                (None, _) => "created",
                (_, None) => "deleted",
                _ => "modified",
            };
            let (added, removed) = workspace::counts(file.before.as_deref(), file.now.as_deref());
            format!("{}: {kind}, +{added} -{removed} ({}, done elsewhere; against HEAD)", file.path, tasks.join(", "))
        });
        let said = self.only_said.iter().map(|(path, told)| format!("{path}: {told}"));
        seen.chain(said).collect()
    }

    /// Each file with its unified diff.
    pub(crate) fn diffs(&self) -> impl Iterator<Item = (RepoPath, String)> {
        self.files.iter().map(|ElsewhereFile { file, .. }| {
            (file.path.clone(), workspace::unified_masked(&file.path, file.before.as_deref(), file.now.as_deref()))
        })
    }

    /// The files that other hands changed, or that can't be told to be unchanged.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &RepoPath> {
        let said = self.only_said.iter().filter(|_| self.without.is_some()).map(|(path, _)| path);
        self.files.iter().map(|theirs| &theirs.file.path).chain(said)
    }
}

pub(super) fn are(ids: &[String]) -> &'static str {
    if ids.len() == 1 { "is" } else { "are" }
}

pub(super) fn were(ids: &[String]) -> &'static str {
    if ids.len() == 1 { "was" } else { "were" }
}
