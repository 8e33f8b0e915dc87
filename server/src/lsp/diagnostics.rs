//! The review's issues at their lines, as diagnostics.

use std::collections::BTreeMap;
use std::path::Path;

use tower_lsp::lsp_types::{Diagnostic, DiagnosticRelatedInformation, Location, NumberOrString, Range, Url};

use super::to_proto;
use crate::contracts::{Handoff, Issue, JsonText, PlanOutput, RepoPath, Task};
use crate::memory::{Memory, Store};
use crate::workspace::{TextFile, Workspace};

/// Who says it.
const SOURCE: &str = "baton";

/// The diagnostics of each file.
pub(super) type Diagnostics = BTreeMap<Url, Vec<Diagnostic>>;

/// Where diagnostics are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The folder as the client names it: a link's target would be another file to an editor.
    pub(super) folder: &'a Path,
    /// Whether the task of an issue is shown with it.
    pub(super) with_task: bool,
}

/// The issues that stand: those of the review, without the dismissed ones and those whose file is gone.
pub(super) fn of_review(memory: &Memory, store: &Store, workspace: &Workspace, place: Place<'_>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let issues = memory.review.iter().flat_map(|review| &review.issues);
    let plan = memory.plan.as_ref().filter(|_| place.with_task).and_then(|plan| {
        let file = store.name(PlanOutput::FILE);
        let text = text(workspace, &file)?;
        Some(ShownPlan { uri: to_proto::uri(place.folder, &file)?, text, plan: &plan.plan, memory })
    });
    for issue in issues.filter(|issue| !memory.dismissed.contains(&issue.id)) {
        let (Some(text), Some(uri)) = (text(workspace, &issue.file), to_proto::uri(place.folder, &issue.file)) else {
            continue;
        };
        diagnostics.entry(uri).or_default().push(Diagnostic {
            range: to_proto::lines(&text, issue.line, issue.end_line.unwrap_or(issue.line)),
            severity: Some(to_proto::severity(issue.severity)),
            code: Some(NumberOrString::String(format!("review.{}", issue.severity.as_str()))),
            source: Some(SOURCE.to_owned()),
            message: message(issue),
            related_information: plan.as_ref().and_then(|plan| plan.task_of(issue)).map(|task| vec![task]),
            ..Diagnostic::default()
        });
    }
    diagnostics
}

/// The plan as it stands in its file.
struct ShownPlan<'a> {
    uri: Url,
    text: String,
    plan: &'a PlanOutput,
    memory: &'a Memory,
}

impl ShownPlan<'_> {
    /// The place of an issue's task in plan.json.
    fn task_of(&self, issue: &Issue) -> Option<DiagnosticRelatedInformation> {
        let tasks = &self.plan.tasks;
        let index = match &issue.task_id {
            Some(id) => tasks.iter().position(|task| task.id == *id)?,
            None => tasks.iter().rposition(|task| self.is_approved(task) && owns(task, &issue.file))?,
        };
        let task = &tasks[index];
        Some(DiagnosticRelatedInformation {
            location: Location { uri: self.uri.clone(), range: self.range_of(index) },
            message: to_proto::plain(&format!("{}: {}", task.id, task.title), 200),
        })
    }

    fn is_approved(&self, task: &Task) -> bool {
        let approved = self.memory.approval.as_ref().and_then(|approval| approval.tasks.as_ref());
        approved.is_none_or(|approved| approved.contains(&task.id))
    }

    fn range_of(&self, index: usize) -> Range {
        to_proto::range(&self.text, JsonText::new(&self.text).locate(&format!("/tasks/{index}/id")))
    }
}

fn owns(task: &Task, file: &str) -> bool {
    let key = |path: &str| RepoPath::parse(path).ok().map(|path| path.key());
    key(file).is_some_and(|wanted| task.files().any(|path| key(path).is_some_and(|path| path == wanted)))
}

fn message(issue: &Issue) -> String {
    let lines = |text: &str| text.trim().lines().map(|line| to_proto::plain(line, 2000)).collect::<Vec<_>>().join("\n");
    match issue.suggested_fix.as_deref().map(str::trim).filter(|fix| !fix.is_empty()) {
        Some(fix) => format!("{}\n\nSuggested fix: {}", lines(&issue.description), lines(fix)),
        None => lines(&issue.description),
    }
}

/// A file's text; `None` when it is gone or no text, which leaves no line to point at.
fn text(workspace: &Workspace, file: &str) -> Option<String> {
    let path = RepoPath::parse(file).ok()?;
    let state = workspace.read(&path).ok()??;
    Some(TextFile::decode(&state.bytes).ok()?.text().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::memory::Seal;

    struct Fixture {
        folder: TempDir,
        workspace: Workspace,
        store: Store,
    }

    impl Fixture {
        fn new(issues: Value) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let workspace = Workspace::open(folder.path()).unwrap();
            let seal = Seal::ephemeral(workspace.root()).unwrap();
            let store = Store::open(&workspace, &RepoPath::parse(".agent_memory").unwrap(), seal).unwrap();
            let fixture = Self { folder, workspace, store };
            fixture.file("src.rs", "fn a() {\n    b(\"🦀\");\n}\n");
            let task = |id: &str| {
                json!({
                    "id": id, "title": format!("Title of {id}"), "description": "d", "files_to_modify": ["src.rs"],
                    "estimated_complexity": "simple"
                })
            };
            let plan = json!({
                "approach_summary": "a", "tasks": [task("T1"), task("T2")], "parallel_groups": [["T1"], ["T2"]]
            });
            fixture.file(".agent_memory/plan.json", &serde_json::to_string_pretty(&plan).unwrap());
            fixture.review(issues);
            fixture
        }

        fn file(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn review(&self, issues: Value) {
            let review = json!({
                "verdict": "changes_requested", "summary": "s", "recommended_action": "escalate_to_human", "issues": issues
            });
            self.file(".agent_memory/review.json", &review.to_string());
        }

        fn diagnostics(&self) -> BTreeMap<String, Value> {
            let (memory, faults) = self.store.inspect().unwrap();
            assert!(faults.is_empty(), "{faults:?}");
            let place = Place { folder: Path::new("/w"), with_task: true };
            of_review(&memory, &self.store, &self.workspace, place)
                .into_iter()
                .map(|(uri, diagnostics)| (uri.to_string(), json!(diagnostics)))
                .collect()
        }
    }

    fn issue(severity: &str, line: u32) -> Value {
        json!({ "severity": severity, "file": "src.rs", "line": line, "description": "It\u{1b} breaks.", "id": severity })
    }

    #[test]
    fn an_issue_is_a_diagnostic_at_its_line_with_its_task() {
        let mut first = issue("critical", 2);
        first["suggested_fix"] = json!("Mend it.");
        first["task_id"] = json!("T1");
        let fixture = Fixture::new(json!([first]));
        let related = |line: u32| {
            json!({
                "uri": "file:///w/.agent_memory/plan.json",
                "range": { "start": { "line": line, "character": 12 }, "end": { "line": line, "character": 16 } }
            })
        };
        let expected = json!([{
            "range": { "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 12 } },
            "severity": 1, "code": "review.critical", "source": "baton",
            "message": "It breaks.\n\nSuggested fix: Mend it.",
            "relatedInformation": [{ "location": related(4), "message": "T1: Title of T1" }]
        }]);
        assert_eq!(fixture.diagnostics(), BTreeMap::from([("file:///w/src.rs".to_owned(), expected)]));
        // Without a task of its own, an issue belongs to the last task that owns its file.
        fixture.review(json!([issue("minor", 1)]));
        let related = &fixture.diagnostics()["file:///w/src.rs"][0]["relatedInformation"][0];
        assert_eq!(related["message"], "T2: Title of T2");
    }

    #[test]
    fn each_severity_has_its_level_and_code() {
        let severities = ["critical", "major", "minor", "suggestion"];
        let fixture = Fixture::new(json!(severities.map(|severity| issue(severity, 1))));
        let shown = &fixture.diagnostics()["file:///w/src.rs"];
        for (n, severity) in severities.iter().enumerate() {
            assert_eq!(
                (&shown[n]["severity"], &shown[n]["code"]),
                (&json!(n + 1), &json!(format!("review.{severity}")))
            );
        }
    }

    #[test]
    fn what_is_dismissed_or_has_no_file_is_left_out_and_a_line_too_far_is_the_last() {
        let mut gone = issue("major", 1);
        gone["file"] = json!("gone.rs");
        let mut outside = issue("major", 1);
        outside["file"] = json!("../src.rs");
        let fixture = Fixture::new(json!([gone, outside, issue("minor", 1), issue("suggestion", 99)]));
        fixture.file(".agent_memory/dismissed.json", "[\"minor\"]");
        let shown = fixture.diagnostics();
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["file:///w/src.rs"]);
        let only = shown["file:///w/src.rs"].as_array().unwrap();
        assert_eq!((only.len(), &only[0]["range"]["start"]["line"]), (1, &json!(2)));
    }
}
