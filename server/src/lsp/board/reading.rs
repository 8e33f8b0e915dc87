//! Reads the files of a folder into what the board shows of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tower_lsp::lsp_types::{Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, NumberOrString, Range};

use super::issues::PlanText;
use super::{issues, notes, proof, status};
use crate::config::{self, ConfigError, Sources, TomlFile, WORKSPACE_FILE};
use crate::contracts::{
    Approval, BaseReview, CheckResult, Fault, Handoff, ImplReport, Issue, JsonText, PhaseName, PlanOutput, RepoPath,
    ReviewOutput, read,
};
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::text::documents::Documents;
use crate::lsp::text::position::Text;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::to_proto;
use crate::memory::{FileFaults, Memory, PLAN_MARKDOWN, Store, TASK};
use crate::workflow::{self, Policy, REVIEW, Table};
use crate::workspace::{self, TextFile, Workspace};

/// Where it is read, and for whom.
#[derive(Clone, Copy)]
pub(super) struct ReadContext<'a> {
    /// The folder as the client names it: a link's target would be another file to an editor.
    pub(super) folder: &'a Path,
    /// What is open in the editor.
    pub(super) documents: &'a Documents,
    /// Whether issues get their task as related information.
    pub(super) with_task: bool,
    /// Whether the states of phases and tasks are diagnostics.
    pub(super) with_status: bool,
    /// The phases of the program.
    pub(super) table: &'static Table,
    /// The editor, in whose words warnings name commands.
    pub(super) client: &'a Client,
}

/// What was read. Paths are the client's, except for [`sources`](Self::sources).
#[derive(Default)]
pub(super) struct Reading {
    /// The open issues.
    pub(super) issues: Vec<ReadIssue>,
    /// The text on the disk of the files they are about.
    pub(super) texts: BTreeMap<PathBuf, Arc<Text>>,
    /// The diagnostics with their final range.
    pub(super) others: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// The folder's memory.
    pub(super) memory: Option<(PathBuf, Store)>,
    /// The active run, of this or another process.
    pub(super) active_run: Option<String>,
    /// The files that were read, to be watched, by their real paths.
    pub(super) sources: BTreeSet<PathBuf>,
}

/// An issue, and its diagnostic without a range.
pub(super) struct ReadIssue {
    pub(super) path: PathBuf,
    /// For one without a place in the code: its line, from 0, in the file that lists it, which `path` is then.
    pub(super) listed_at: Option<usize>,
    /// The phase that found it.
    pub(super) phase: PhaseName,
    /// The commit that its review compares with, where it is of no workflow.
    pub(super) base: Option<String>,
    /// When its review was written: one with the same content is another review.
    pub(super) reviewed_at: Option<Timestamp>,
    pub(super) issue: Issue,
    pub(super) diagnostic: Diagnostic,
}

/// Where issues are from.
#[derive(Clone, Copy)]
struct Source<'a> {
    phase: PhaseName,
    /// The file of the memory folder that lists them.
    file: &'a str,
    base: Option<&'a str>,
    reviewed_at: Option<Timestamp>,
}

impl Reading {
    /// Read everything.
    ///
    /// # Errors
    /// When files are there and cannot be read.
    pub(super) fn take(files: &Files, context: ReadContext<'_>) -> Result<Self, Refused> {
        let mut reading = Self::of_settings(&files.workspace, context);
        let root = files.workspace.root();
        reading.sources.insert(workspace::head_file(&files.workspace).unwrap_or_else(|| root.join(".git")));
        reading.sources.insert(root.join(&files.settings.memory_dir));
        let Some(store) = files.memory()? else { return Ok(reading) };
        let (mut memory, faults) = store.inspect()?;
        store.forget_unconfirmed_checks(&mut memory);
        let reader = Reader { workspace: &files.workspace, store: &store, context };
        reading.handoffs(&reader, faults.clone())?;
        reading.assumed(&reader);
        reading.watch_memory(&reader)?;
        let policy = Policy::of(&files.settings, &files.phases);
        let standing = workflow::standing(&files.phases, &policy, &store, (&memory, &faults), Timestamp::now())?;
        reading.active_run = standing.running;
        if let Some((path, text)) = reader.text(TASK).filter(|_| context.with_status) {
            let range = text.span_of(0, 0, context.documents.encoding());
            reading.add(path, status::of_phases(&files.phases, &standing.phases, range));
        }
        if let Some((path, text)) = reader.text(TASK).or_else(|| reader.text(PlanOutput::FILE)) {
            let range = text.span_of(0, 0, context.documents.encoding());
            let warnings = workflow::unverified(&store)?;
            let warnings = warnings.iter().map(|warning| context.client.in_its_words(warning));
            reading.add(path, warnings.map(|warning| status::of_uncounted(&warning, range)).collect());
        }
        let plan = reader.text(PlanOutput::FILE).and_then(|(path, text)| {
            let uri = context.documents.uri(&path)?;
            Some((path, PlanText::new(&memory, uri, &text, context.documents.encoding())?))
        });
        if let Some((path, plan)) = plan.as_ref().filter(|_| context.with_status) {
            let report = memory.report.as_ref();
            reading.add(path.clone(), status::of_tasks(&standing.tasks, report, plan.ranges()));
        }
        reading.notes(&reader, &memory);
        reading.checks(&reader, &memory);
        reading.criteria(&reader, &memory);
        let plan = plan.map(|(_, plan)| plan).filter(|_| context.with_task);
        reading.issues(&reader, &memory, plan.as_ref());
        reading.memory = Some((context.folder.join(store.path().as_str()), store));
        Ok(reading)
    }

    /// Read the faults of the workspace's settings alone, and the limits that they would raise.
    pub(super) fn of_settings(workspace: &Workspace, context: ReadContext<'_>) -> Self {
        let mut reading = Self::default();
        reading.sources.insert(workspace.root().join(WORKSPACE_FILE));
        // It says which further phases there are, and raises limits.
        reading.sources.extend(config::user_config_file());
        let path = context.folder.join(WORKSPACE_FILE);
        let text = context.documents.text(&path).or_else(|| {
            let bytes = workspace.read(&RepoPath::parse(WORKSPACE_FILE).ok()?).ok()??.bytes;
            Some(Arc::new(Text::new(TextFile::decode(&bytes).ok()?.text())))
        });
        let Some(text) = text else { return reading };
        let file = TomlFile { name: WORKSPACE_FILE.to_owned(), text: text.as_str().to_owned() };
        let encoding = context.documents.encoding();
        let diagnostic = |error: &ConfigError, severity| {
            let line = error.place.position.map_or(0, |position| position.line as usize - 1).min(text.last_line());
            let column = error.place.position.map_or(0, |position| position.column as usize - 1);
            let byte = text.line(line).char_indices().nth(column).map_or(0, |(byte, _)| byte);
            let mut range = text.span_of(line, line, encoding);
            let start = text.position_in(line, byte, encoding);
            range.start = if start < range.end { start } else { range.start };
            let fault = error_at(range, "settings", to_proto::plain(&error.message, 1000));
            Diagnostic { severity: Some(severity), ..fault }
        };
        let alone = Sources { workspace: Some(file), ..Sources::default() };
        let loaded = config::load(&alone);
        let faults = loaded.and_then(|loaded| workflow::check_memory_dir(workspace, &loaded, context.table)).err();
        let faults =
            faults.iter().flat_map(|errors| &errors.0).map(|error| diagnostic(error, DiagnosticSeverity::ERROR));
        // A memory folder that cannot be used hides no limit.
        let raised = raised(alone);
        let raised = raised.iter().map(|raised| diagnostic(raised, DiagnosticSeverity::WARNING));
        reading.add(path, faults.chain(raised).collect());
        reading
    }

    fn add(&mut self, path: PathBuf, diagnostics: Vec<Diagnostic>) {
        if !diagnostics.is_empty() {
            self.others.entry(path).or_default().extend(diagnostics);
        }
    }

    /// The faults of the handoffs; of those that are open with unsaved changes, the faults of the unsaved text.
    fn handoffs(&mut self, reader: &Reader<'_>, on_disk: Vec<FileFaults>) -> Result<(), Refused> {
        let mut unsaved = BTreeMap::new();
        for (file, _) in reader.store.handoffs().json() {
            if let Some(open) = reader.context.documents.text(&reader.path(file))
                && reader.on_disk(file).is_none_or(|on_disk| on_disk.as_str() != open.as_str())
            {
                unsaved.insert(file.to_owned(), open.as_str().to_owned());
            }
        }
        let faults = match unsaved.is_empty() {
            true => on_disk,
            false => reader.store.with_unsaved(unsaved).inspect()?.1,
        };
        let mut faults: Vec<(PathBuf, Vec<Fault>)> =
            faults.into_iter().map(|faults| (reader.context.folder.join(&faults.file), faults.faults)).collect();
        // To the workflow, an approval that cannot be read is none; its author needs to see why.
        if let Some((path, text)) = reader.text(Approval::FILE)
            && let Err(found) = read::<Approval>(text.as_str())
        {
            faults.push((path, found));
        }
        for (path, faults) in faults {
            // Something that is no text, such as a pipe, gets its fault at its start.
            let text = reader.text_at(&path).unwrap_or_else(|| Arc::new(Text::new("")));
            let faults = faults.into_iter().map(|fault| fault_at(&text, fault, reader.context.documents));
            self.add(path, faults.collect());
        }
        Ok(())
    }

    /// What in the handoffs was taken otherwise than it stands: nothing is wrong with it, but it was not written so.
    fn assumed(&mut self, reader: &Reader<'_>) {
        for (file, json) in reader.store.handoffs().json() {
            let Some((path, text)) = reader.text(file) else { continue };
            let found = (json.assumed)(text.as_str()).into_iter().map(|assumed| {
                let at = fault_at(&text, assumed, reader.context.documents);
                Diagnostic { severity: Some(DiagnosticSeverity::INFORMATION), ..at }
            });
            self.add(path, found.collect());
        }
    }

    fn watch_memory(&mut self, reader: &Reader<'_>) -> Result<(), Refused> {
        let folder = reader.workspace.root().join(reader.store.path().as_str());
        let handoffs = reader.store.handoffs().json().map(|(file, _)| file);
        let files = handoffs.chain([TASK, PLAN_MARKDOWN, "lock", "runs", "history"]);
        self.sources.extend(files.map(|file| folder.join(file)));
        if let Some(run) = reader.store.runs()?.last() {
            let run = folder.join("runs").join(run.as_str());
            self.sources.insert(run.join("events.jsonl"));
        }
        Ok(())
    }

    /// The user's notes in plan.md, also those that are not saved yet.
    fn notes(&mut self, reader: &Reader<'_>, memory: &Memory) {
        let Some((path, text)) = reader.text(PLAN_MARKDOWN) else { return };
        let plan = memory.plan.as_ref().map(|loaded| &loaded.plan);
        self.add(path, notes::of_notes(&text, plan, reader.context.documents.encoding()));
    }

    /// The checks that fail, on the task, until they pass or a person takes the work as it is.
    fn checks(&mut self, reader: &Reader<'_>, memory: &Memory) {
        if memory.is_accepted() {
            return;
        }
        let checks = memory.report.iter().flat_map(|report| &report.checks);
        let failed: Vec<&CheckResult> = checks.filter(|check| check.has_failed()).collect();
        let place = reader.text(TASK).or_else(|| reader.text(ImplReport::FILE));
        if let Some((path, text)) = place.filter(|_| !failed.is_empty()) {
            let range = text.span_of(0, 0, reader.context.documents.encoding());
            let diagnostic = |check: &&CheckResult| {
                let log = reader.store.check_log(&check.log);
                proof::of_check(check, log.as_deref(), reader.context.folder, reader.context.with_task, range)
            };
            self.add(path, failed.iter().map(diagnostic).collect());
        }
    }

    /// The criteria that are not met, in the plan. Like the issues of the same review they are withheld where another branch
    /// is checked out.
    fn criteria(&mut self, reader: &Reader<'_>, memory: &Memory) {
        let open = workflow::open_criteria(memory, reader.store);
        let (Some(loaded), Some((path, text))) = (&memory.plan, reader.text(PlanOutput::FILE)) else { return };
        if open.is_empty() {
            return;
        }
        let review = workflow::standing_review(memory, reader.store);
        let made_on = review.as_ref().and_then(|review| Some((review.branch.as_deref()?, review.head.as_deref())));
        if made_on.is_some_and(|(branch, head)| is_elsewhere(reader.workspace, branch, head)) {
            return;
        }
        let shown = proof::of_criteria(&loaded.plan, &open, &text, reader.context.documents.encoding());
        self.add(path, shown);
    }

    /// The issues of the workflow, and those of the review against a commit beside them. They are withheld where another
    /// branch is checked out.
    fn issues(&mut self, reader: &Reader<'_>, memory: &Memory, plan: Option<&PlanText<'_>>) {
        self.workflow_issues(reader, memory, plan);
        if let Some(review) = &memory.base_review
            && !self.is_withheld(review, BaseReview::FILE, reader, memory)
        {
            let from = Source {
                phase: REVIEW,
                file: BaseReview::FILE,
                base: review.base.as_deref(),
                reviewed_at: review.timestamp,
            };
            // Nobody planned what they are about, so they have no task.
            self.issues_of(from, &review.issues, reader, memory, None);
        }
    }

    /// The issues of the review and of further reviewing phases.
    fn workflow_issues(&mut self, reader: &Reader<'_>, memory: &Memory, plan: Option<&PlanText<'_>>) {
        if let Some(review) = workflow::standing_review(memory, reader.store) {
            if self.is_withheld(&review, ReviewOutput::FILE, reader, memory) {
                return;
            }
            let from = Source { phase: REVIEW, file: ReviewOutput::FILE, base: None, reviewed_at: review.timestamp };
            self.issues_of(from, &review.issues, reader, memory, plan);
        }
        for (phase, found) in &memory.findings {
            let file =
                reader.store.handoffs().reviewing().find(|(name, ..)| name == phase).map_or("", |(_, file, _)| file);
            let from = Source { phase: *phase, file, base: None, reviewed_at: found.timestamp };
            self.issues_of(from, &found.issues, reader, memory, plan);
        }
    }

    /// Whether a review's issues are withheld as it was made on another branch, of which there is a note then.
    fn is_withheld(&mut self, review: &ReviewOutput, file: &str, reader: &Reader<'_>, memory: &Memory) -> bool {
        let issues = review.open_issues(&memory.dismissed).count();
        let Some(reviewed) = review.branch.as_deref().filter(|_| issues > 0) else { return false };
        if !is_elsewhere(reader.workspace, reviewed, review.head.as_deref()) {
            return false;
        }
        if let Some((path, text)) = reader.text(TASK).or_else(|| reader.text(file)) {
            let range = text.span_of(0, 0, reader.context.documents.encoding());
            let subject = match &review.base {
                Some(_) => format!("The review against {}", review.short_base()),
                None => "The review".to_owned(),
            };
            self.add(path, vec![status::of_other_branch(&subject, reviewed, issues, range)]);
        }
        true
    }

    fn issues_of(
        &mut self,
        from: Source<'_>,
        issues: &[Issue],
        reader: &Reader<'_>,
        memory: &Memory,
        plan: Option<&PlanText<'_>>,
    ) {
        let Source { phase, base, reviewed_at, file } = from;
        for (index, mut issue) in issues.iter().cloned().enumerate() {
            let is_known = self.issues.iter().any(|known| known.issue.id == issue.id);
            if is_known && phase != REVIEW || memory.is_dismissed(&issue.id) {
                continue;
            }
            let source = RepoPath::parse(&issue.file).ok().filter(|_| issue.is_placed());
            if source.is_none() {
                issue.placed = Some(false);
            }
            let task: Option<DiagnosticRelatedInformation> = plan.and_then(|plan| plan.task_of(&issue));
            let diagnostic = issues::diagnostic(phase, base, &issue, task);
            let base = base.map(str::to_owned);
            let (path, listed_at) = match source {
                Some(file) => (self.source(reader, &file), None),
                None => match self.listed(reader, file, index, &issue) {
                    Some((path, line)) => (path, Some(line)),
                    None => {
                        self.list_on_task(reader, diagnostic);
                        continue;
                    }
                },
            };
            self.issues.push(ReadIssue { path, listed_at, phase, base, reviewed_at, issue, diagnostic });
        }
    }
}

impl Reading {
    /// The file that an issue is about; its text is read once.
    fn source(&mut self, reader: &Reader<'_>, file: &RepoPath) -> PathBuf {
        let path = reader.context.folder.join(file.as_str());
        self.sources.insert(reader.workspace.root().join(file.as_str()));
        if !self.texts.contains_key(&path)
            && let Some(text) = reader.source_text(file)
        {
            self.texts.insert(path.clone(), text);
        }
        path
    }

    /// Where the file of the memory folder that lists an issue says what it is; `None` where that is no more at its place,
    /// as its issues are being fixed.
    fn listed(&mut self, reader: &Reader<'_>, file: &str, index: usize, issue: &Issue) -> Option<(PathBuf, usize)> {
        let path = reader.path(file);
        let text = Arc::new(reader.on_disk(file)?);
        let found = JsonText::new(text.as_str()).locate(&format!("/issues/{index}/description"));
        let described = text.as_str().get(found.clone()).and_then(|json| serde_json::from_str::<String>(json).ok());
        let is_it = described.is_some_and(|described| described == issue.description);
        let line = if is_it { text.line_of(found.start) } else { 0 };
        self.texts.insert(path.clone(), text);
        Some((path, line))
    }

    fn list_on_task(&mut self, reader: &Reader<'_>, diagnostic: Diagnostic) {
        if let Some((path, text)) = reader.text(TASK).or_else(|| reader.text(PlanOutput::FILE)) {
            let range = text.span_of(0, 0, reader.context.documents.encoding());
            self.add(path, vec![Diagnostic { range, ..diagnostic }]);
        }
    }
}

/// Reads files as the client has them.
struct Reader<'a> {
    workspace: &'a Workspace,
    store: &'a Store,
    context: ReadContext<'a>,
}

impl Reader<'_> {
    /// A file of the memory folder by the client's path.
    fn path(&self, file: &str) -> PathBuf {
        self.context.folder.join(self.store.name(file))
    }

    /// A file of the memory folder: its open document, else what is on the disk.
    fn text(&self, file: &str) -> Option<(PathBuf, Arc<Text>)> {
        let path = self.path(file);
        let text = self.text_at(&path)?;
        Some((path, text))
    }

    fn text_at(&self, path: &Path) -> Option<Arc<Text>> {
        self.context.documents.text(path).or_else(|| {
            let file = path.strip_prefix(self.context.folder).ok()?.to_str()?;
            self.json_text(&RepoPath::parse(file).ok()?).map(Arc::new)
        })
    }

    fn on_disk(&self, file: &str) -> Option<Text> {
        self.json_text(&RepoPath::parse(&self.store.name(file)).ok()?)
    }

    /// JSON as the positions of its faults count: the bytes as they are, without a byte order mark.
    fn json_text(&self, file: &RepoPath) -> Option<Text> {
        let bytes = self.workspace.read(file).ok()??.bytes;
        Some(Text::new(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}')))
    }

    /// A source file on the disk; `None` when it is gone or no text: then no line can have a diagnostic.
    fn source_text(&self, file: &RepoPath) -> Option<Arc<Text>> {
        let bytes = self.workspace.read(file).ok()??.bytes;
        Some(Arc::new(Text::new(TextFile::decode(&bytes).ok()?.text())))
    }
}

/// Whether another branch or commit is checked out than was reviewed; `false` without git.
fn is_elsewhere(workspace: &Workspace, reviewed: &str, commit: Option<&str>) -> bool {
    match workspace::head(workspace) {
        None => false,
        Some(head) => match head.branch {
            Some(branch) => branch != reviewed,
            None => head.commit.as_deref() != commit,
        },
    }
}

fn fault_at(text: &Text, fault: Fault, documents: &Documents) -> Diagnostic {
    let mut range = text.range(fault.span, documents.encoding());
    if range.end.line > range.start.line {
        // The first line alone: a whole object may be half the file.
        let line = range.start.line as usize;
        range.end = text.position_in(line, text.line(line).len(), documents.encoding());
    }
    error_at(range, fault.code, to_proto::plain(&fault.message, 1000))
}

/// The limits that a workspace would raise beyond what its user allows.
fn raised(workspace: Sources) -> Vec<ConfigError> {
    let with_users = Sources { user: config::user_file(), env: config::environment(), ..workspace };
    // Faults in other layers are reported when a run is started.
    let mut raised = config::load(&with_users).map(|loaded| loaded.raised).unwrap_or_default();
    raised.retain(|raised| raised.place.source == WORKSPACE_FILE);
    raised
}

fn error_at(range: Range, code: &str, message: String) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(DiagnosticSeverity::ERROR),
        code: Some(NumberOrString::String(code.to_owned())),
        source: Some(to_proto::DIAGNOSTIC_SOURCE.to_owned()),
        message,
        ..Diagnostic::default()
    }
}
