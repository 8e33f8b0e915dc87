//! The diagnostic of an issue, without its range, and the task that the issue belongs to.

use std::sync::Arc;

use serde_json::json;
use tower_lsp::lsp_types::{Diagnostic, DiagnosticRelatedInformation, Location, NumberOrString, Range, Url};

use crate::contracts::{Issue, JsonText, PhaseName, PlanOutput, Task, over_limit};
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::to_proto;
use crate::memory::Memory;

/// An issue's diagnostic, but for its place. `base` is the commit that its review compares with, where it is of no
/// workflow.
pub(super) fn diagnostic(
    phase: PhaseName,
    base: Option<&str>,
    issue: &Issue,
    task: Option<DiagnosticRelatedInformation>,
) -> Diagnostic {
    let data = match base {
        Some(base) => json!({ "id": issue.id, "base": base }),
        None => json!({ "id": issue.id }),
    };
    Diagnostic {
        range: Range::default(),
        severity: Some(to_proto::severity(issue.severity)),
        code: Some(NumberOrString::String(format!("{phase}.{}", issue.severity.as_str()))),
        source: Some(to_proto::DIAGNOSTIC_SOURCE.to_owned()),
        message: message(issue, ""),
        related_information: task.map(|task| vec![task]),
        data: Some(data),
        ..Diagnostic::default()
    }
}

/// The message of an issue whose lines were edited since the review.
pub(super) fn edited_message(issue: &Issue) -> String {
    message(issue, " (edited since review)")
}

fn message(issue: &Issue, mark: &str) -> String {
    let lines = |text: &str| text.trim().lines().map(|line| to_proto::plain(line, 2000)).collect::<Vec<_>>().join("\n");
    let refuted = issue.refuted.as_ref().map(|refuted| format!("\n\n{}", lines(&refuted.words()))).unwrap_or_default();
    let text = lines(&issue.description);
    let description = match issue.is_placed() {
        true => format!("{text}{mark}{refuted}"),
        false => {
            let file = to_proto::plain(&issue.file, 300);
            format!("{file}: {text} (no place in the code was found){refuted}")
        }
    };
    match issue.suggested_fix.as_deref().map(str::trim).filter(|fix| !fix.is_empty()) {
        Some(fix) => format!("{description}\n\nSuggested fix: {}", lines(fix)),
        None => description,
    }
}

/// The text of plan.json in the editor or on the disk, and the ranges of the tasks in it.
pub(super) struct PlanText<'a> {
    uri: Url,
    memory: &'a Memory,
    plan: &'a PlanOutput,
    /// For each task, the range of its id.
    ranges: Vec<Range>,
}

impl<'a> PlanText<'a> {
    /// Find the tasks in a text, which may be newer than the plan that was read.
    pub(super) fn new(memory: &'a Memory, uri: Url, text: &Arc<Text>, encoding: Encoding) -> Option<Self> {
        let plan = &memory.plan.as_ref()?.plan;
        let ranges = task_ranges(plan, text, encoding);
        Some(Self { uri, memory, plan, ranges })
    }

    /// The range of each task's id, in the order of the plan.
    pub(super) fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The location of an issue's task in plan.json.
    pub(super) fn task_of(&self, issue: &Issue) -> Option<DiagnosticRelatedInformation> {
        let task = self.memory.task_of(issue)?;
        let index = self.plan.tasks.iter().position(|other| other.id == task.id)?;
        Some(DiagnosticRelatedInformation {
            location: Location { uri: self.uri.clone(), range: *self.ranges.get(index)? },
            message: to_proto::plain(&format!("{}: {}", task.id, task.title), 200),
        })
    }
}

fn task_ranges(plan: &PlanOutput, text: &Text, encoding: Encoding) -> Vec<Range> {
    let parsed = || serde_json::from_str::<serde_json::Value>(text.as_str()).ok();
    let value = if over_limit(text.as_str().as_bytes()).is_some() { None } else { parsed() };
    let json = JsonText::new(text.as_str());
    let index_of = |id: &str| {
        let tasks = value.as_ref()?.get("tasks")?.as_array()?;
        tasks.iter().position(|task| task["id"] == id)
    };
    let bytes = |task: &Task| match index_of(&task.id) {
        Some(index) => json.locate(&format!("/tasks/{index}/id")),
        // While it is edited, the text is often no JSON; the id can still be found.
        None => {
            let quoted = format!("{:?}", task.id);
            let keyed = text.as_str().match_indices("\"id\"").find_map(|(at, key)| {
                let value = text.as_str()[at + key.len()..].trim_start_matches([' ', ':']);
                value.starts_with(&quoted).then(|| text.as_str().len() - value.len())
            });
            keyed.map_or(0..0, |at| at..at + quoted.len())
        }
    };
    plan.tasks.iter().map(|task| text.range(bytes(task), encoding)).collect()
}
