//! What the workflow changed in the files, from the publish journals.

use std::collections::BTreeMap;

use super::publishes::{Publish, in_effect, journal, without_taken_back};
use crate::contracts::{ChangeType, FileChange, RepoPath};
use crate::memory::{LoadedPlan, MemoryError, Store};
use crate::workflow::run::error::{PhaseError, StartError};
use crate::workflow::run::phase::Run;
use crate::workspace::{self, Compared, PublishRecord, PublishedFile, Workspace};

/// What a workflow changed: for every file agents touched, what it was before and what it is now.
///
/// It is taken from the publish journals and their before-images, never from a model's report.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    files: BTreeMap<RepoPath, ChangedFile>,
}

/// One file agents touched.
#[derive(Debug, Clone)]
pub struct ChangedFile {
    /// The file.
    pub path: RepoPath,
    /// Its content before the workflow; `None` when it did not exist.
    pub before: Option<Vec<u8>>,
    /// Its permission bits before the workflow; `None` when it did not exist.
    pub mode_before: Option<u32>,
    /// Its content now; `None` when it does not exist, or is no file that can be read.
    pub now: Option<Vec<u8>>,
    /// What keeps it from being read, where something does: it may be a link by now, or too large.
    pub unreadable: Option<String>,
    /// Ids of the tasks that wrote it, in the order they did.
    pub tasks: Vec<String>,
    /// Whether it also holds edits of others: of people, or of tasks that are not asked for.
    pub has_other_edits: bool,
}

impl Changes {
    /// Read what the workflow at hand has changed so far.
    ///
    /// # Errors
    /// When a journal or a file cannot be read.
    pub fn load(store: &Store, workspace: &Workspace) -> Result<Self, PhaseError> {
        Self::of(store, workspace, |_| true)
    }

    /// The same for one task: what it found, and what is there now.
    ///
    /// # Errors
    /// When a journal or a file cannot be read.
    pub fn of_task(store: &Store, workspace: &Workspace, task: &str) -> Result<Self, PhaseError> {
        Self::of(store, workspace, |record| record.task == task)
    }

    /// What was changed after this round: what the first publish after it found, and what is there now.
    ///
    /// # Errors
    /// When a journal or a file cannot be read.
    pub(crate) fn after_round(store: &Store, workspace: &Workspace, round: u32) -> Result<Self, PhaseError> {
        Self::of(store, workspace, |record| record.round > round)
    }

    fn of(store: &Store, workspace: &Workspace, wanted: impl Fn(&PublishRecord) -> bool) -> Result<Self, PhaseError> {
        Self::in_journal(store, workspace, &journal(store)?, wanted)
    }

    /// The same by these publishes of a workflow, those included that were rolled back.
    pub(super) fn in_journal(
        store: &Store,
        workspace: &Workspace,
        journal: &[Publish],
        wanted: impl Fn(&PublishRecord) -> bool,
    ) -> Result<Self, PhaseError> {
        let mut files: BTreeMap<RepoPath, ChangedFile> = BTreeMap::new();
        let standing = in_effect(journal.to_vec());
        for (at, publish) in standing.iter().enumerate().filter(|(_, publish)| wanted(&publish.record)) {
            let record = &publish.record;
            for file in &record.files {
                if !files.contains_key(&file.path) {
                    let (Publish { folder, .. }, first) = without_taken_back(journal, publish, file);
                    let before =
                        first.before(folder).map_err(|source| store.file_error("read", "a before-image", source))?;
                    let now = ChangedFile::now(workspace, &file.path, before);
                    let has_other_edits =
                        is_by_others(&standing[at..], &now, &wanted) || is_edited(journal, first, &now);
                    let (path, mode_before) = (file.path.clone(), first.mode_before);
                    files.insert(path, ChangedFile { mode_before, has_other_edits, ..now });
                }
                if let Some(changed) = files.get_mut(&file.path)
                    && !changed.tasks.contains(&record.task)
                {
                    changed.tasks.push(record.task.clone());
                }
            }
        }
        files.retain(|_, file| file.before != file.now || file.unreadable.is_some());
        Ok(Self { files })
    }

    /// The same with what people see: the text of documents that are open with unsaved changes.
    pub(crate) fn as_open(&self, workspace: &Workspace) -> Self {
        let mut files = self.files.clone();
        for file in files.values_mut() {
            // A file that is missing or unreadable is not open in an editor.
            if let Ok(open) = workspace.read_open(&file.path)
                && file.unreadable.is_none()
            {
                file.now = open.map(|state| state.bytes);
            }
        }
        Self { files }
    }

    /// A file that differs from what it was.
    pub(super) fn file(&self, path: &RepoPath) -> Option<&ChangedFile> {
        self.files.get(path)
    }

    /// The files that differ from what they were, by path.
    pub fn files(&self) -> impl Iterator<Item = &ChangedFile> {
        self.files.values()
    }

    /// The same without some files.
    pub(crate) fn without(&self, is_out: impl Fn(&RepoPath) -> bool) -> Self {
        Self {
            files: self.files.iter().filter(|(path, _)| !is_out(path)).map(|(p, f)| (p.clone(), f.clone())).collect(),
        }
    }

    /// Each file with its unified diff as a model is shown it; one that got another name stands there once, under the new one.
    pub fn diffs(&self) -> Vec<(RepoPath, String)> {
        let shown =
            |file: &ChangedFile| workspace::unified_masked(&file.path, file.before.as_deref(), file.now.as_deref());
        self.shown(true, &shown)
    }

    /// One line a file: `src/a.rs: modified, +3 -1 (T1)`; one that got another name has one line.
    pub fn summaries(&self) -> Vec<String> {
        let readable = self.readable();
        let compared: Vec<Compared<'_>> = readable.iter().map(|file| file.compared()).collect();
        let told = workspace::change_summaries(&compared, &|index| readable[index].whose());
        let unreadable = self.unreadable().map(ChangedFile::summary);
        told.into_iter().chain(unreadable).collect()
    }

    /// The diffs of all files, by path; those that cannot be read as `unreadable` shows them.
    fn shown(&self, is_masked: bool, unreadable: &dyn Fn(&ChangedFile) -> String) -> Vec<(RepoPath, String)> {
        let compared: Vec<Compared<'_>> = self.readable().into_iter().map(ChangedFile::compared).collect();
        let mut all = workspace::diffs(&compared, is_masked);
        all.extend(self.unreadable().map(|file| (file.path.clone(), unreadable(file))));
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    fn readable(&self) -> Vec<&ChangedFile> {
        self.files().filter(|file| file.unreadable.is_none()).collect()
    }

    fn unreadable(&self) -> impl Iterator<Item = &ChangedFile> {
        self.files().filter(|file| file.unreadable.is_some())
    }

    /// Keep them as a diff in the run's folder.
    pub(crate) fn write_diff(&self, run: &Run) -> Result<(), PhaseError> {
        workspace::replace(&run.folder, "changes.diff", self.unified().as_bytes(), 0o600)
            .map_err(|source| run.store.file_error("write", "changes.diff", source).into())
    }

    /// All of it as one unified diff.
    pub fn unified(&self) -> String {
        let shown = self.shown(false, &ChangedFile::not_shown).into_iter();
        shown.map(|(path, diff)| format!("{}{diff}", self.others_in(&path))).collect()
    }

    /// A comment that diff tools skip, where a file holds edits of others too.
    fn others_in(&self, path: &RepoPath) -> String {
        match self.files.get(path) {
            Some(file) if file.has_other_edits && file.unreadable.is_none() => {
                let tasks = file.tasks.join(", ");
                format!("# {path} also holds edits that are not by {tasks}; this shows them all\n")
            }
            _ => String::new(),
        }
    }
}

/// What the workflow at hand, or one task of it, changed, as one unified diff.
///
/// # Errors
/// As [`changes`].
pub fn diff(store: &Store, workspace: &Workspace, task: Option<&str>) -> Result<String, StartError> {
    Ok(changes(store, workspace, task)?.unified())
}

/// What the workflow at hand, or one task of it, changed.
///
/// # Errors
/// When there is no such task, or a journal or a file cannot be read.
pub fn changes(store: &Store, workspace: &Workspace, task: Option<&str>) -> Result<Changes, StartError> {
    let Some(task) = task else { return Ok(Changes::load(store, workspace)?) };
    let known = |plan: &LoadedPlan| plan.plan.task(task).is_some();
    let published = || -> Result<bool, MemoryError> {
        Ok(journal(store)?.iter().any(|publish| publish.record.task == task && publish.record.reversal.is_none()))
    };
    let plan = store.inspect()?.0.plan;
    if !plan.as_ref().is_some_and(known) && !published()? {
        let ids: Vec<&str> = plan.iter().flat_map(|plan| &plan.plan.tasks).map(|task| task.id.as_str()).collect();
        let there_are =
            if ids.is_empty() { "there is none".to_owned() } else { format!("there are {}", ids.join(", ")) };
        return Err(StartError::Usage(format!("{task} is no task of the plan; {there_are}")));
    }
    Ok(Changes::of_task(store, workspace, task)?)
}

/// A task's changes for its result: kinds and counts come from the real diff, only the summaries from `reported`.
pub(crate) fn real_changes(
    store: &Store,
    workspace: &Workspace,
    task: &str,
    reported: &[FileChange],
) -> Result<Vec<FileChange>, PhaseError> {
    let changes = Changes::of_task(store, workspace, task)?;
    let paths =
        changes.files().map(|file| file.path.as_str()).chain(reported.iter().map(|reported| reported.path.as_str()));
    let keys = workspace.file_keys_of(paths);
    let real = changes.files().map(|file| {
        let (lines_added, lines_removed) = file.counts();
        let exact = reported.iter().find(|reported| reported.path == file.path.as_str());
        let summary =
            exact.or_else(|| reported.iter().find(|reported| keys.is_same(&reported.path, file.path.as_str())));
        FileChange {
            path: file.path.to_string(),
            change_type: file.change_type(),
            summary: summary.map(|reported| reported.summary.clone()).unwrap_or_default(),
            lines_added,
            lines_removed,
        }
    });
    Ok(real.collect())
}

/// Whether one of these publishes, which stand, wrote a file for a task that is not wanted.
fn is_by_others(later: &[Publish], now: &ChangedFile, wanted: &impl Fn(&PublishRecord) -> bool) -> bool {
    let others = later.iter().filter(|publish| !wanted(&publish.record));
    others.flat_map(|publish| publish.record.paths()).any(|path| *path == now.path)
}

/// Whether a person, or another program, edited a file after the publish that it is shown from: it was not as the publish before
/// had left it, or is not now as the last one did.
fn is_edited(journal: &[Publish], first: &PublishedFile, now: &ChangedFile) -> bool {
    if now.unreadable.is_some() {
        return false;
    }
    let of_file = journal.iter().flat_map(|publish| &publish.record.files).filter(|file| file.path == now.path);
    let mut left_as: Option<&Option<String>> = None;
    for file in of_file.skip_while(|file| *file != first) {
        if left_as.is_some_and(|left| *left != file.sha256_before) {
            return true;
        }
        left_as = Some(&file.sha256_after);
    }
    left_as.is_some_and(|left| *left != now.now.as_deref().map(workspace::sha256))
}

impl ChangedFile {
    fn now(workspace: &Workspace, path: &RepoPath, before: Option<Vec<u8>>) -> Self {
        let (now, unreadable) = match workspace::read_exact(workspace, path) {
            // The link was made after the agent wrote; its target is shown to nobody.
            Ok(_) if workspace.is_secret_by_link(path) => {
                (None, Some("it is a link to a file of secrets now".to_owned()))
            }
            Ok(state) => (state.map(|state| state.bytes), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            path: path.clone(),
            before,
            mode_before: None,
            now,
            unreadable,
            tasks: Vec::new(),
            has_other_edits: false,
        }
    }

    /// What happened to it.
    pub fn change_type(&self) -> ChangeType {
        match (&self.before, &self.now) {
            (None, _) => ChangeType::Created,
            (_, None) if self.unreadable.is_none() => ChangeType::Deleted,
            _ => ChangeType::Modified,
        }
    }

    /// Lines added and removed; none where the file cannot be read.
    pub fn counts(&self) -> (u32, u32) {
        if self.unreadable.is_some() {
            return (0, 0);
        }
        workspace::counts(self.before.as_deref(), self.now.as_deref())
    }

    /// `src/a.rs: modified, +3 -1 (T1)`, and whether others edited it too.
    pub fn summary(&self) -> String {
        let (added, removed) = self.counts();
        let kind = self.change_type().as_str();
        match &self.unreadable {
            Some(why) => format!("{}: {kind}, and not shown ({}): {why}", self.path, self.tasks.join(", ")),
            None => format!("{}: {kind}, +{added} -{removed}{}", self.path, self.whose()),
        }
    }

    /// ` (T1, T2)`, and whether others edited it too.
    fn whose(&self) -> String {
        let others = if self.has_other_edits { "; others edited it too" } else { "" };
        format!(" ({}){others}", self.tasks.join(", "))
    }

    /// A comment that diff tools skip, in the place of a diff.
    fn not_shown(&self) -> String {
        let why = self.unreadable.as_deref().unwrap_or_default();
        format!("# {} was changed and is not shown: {why}\n", self.path)
    }

    fn compared(&self) -> Compared<'_> {
        Compared { path: &self.path, before: self.before.as_deref(), after: self.now.as_deref() }
    }
}
