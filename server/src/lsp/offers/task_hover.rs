//! Hover on a task in plan.json: where it stands, and what the review made of its criteria.

use serde_json::Value;
use tower_lsp::lsp_types::{MarkupContent, MarkupKind, Position};

use super::snapshot::Snapshot;
use crate::contracts::{CriterionResult, JsonText, PlanResults, Task, over_limit};
use crate::lsp::text::markdown::{markdown_line, plain_lines};
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::to_proto::plain;

/// Longest title shown, in characters.
const LONGEST_TITLE: usize = 200;

/// What is known of the task at a position of plan.json; `None` at no task, and of one of which the plan says all.
pub(crate) fn task_hover(
    snapshot: &Snapshot,
    text: &Text,
    at: Position,
    encoding: Encoding,
    kind: MarkupKind,
) -> Option<MarkupContent> {
    let id = task_at(text, text.byte(at, encoding))?;
    let task = snapshot.memory.plan.as_ref()?.plan.task(&id)?;
    let result = snapshot.memory.report.as_ref().and_then(|report| report.result_of(&id));
    let is_judged = snapshot.criteria.iter().any(|result| result.task_id == id);
    if result.is_none() && !is_judged {
        return None;
    }
    let status = result.map(|result| format!(": {}", result.status.as_str())).unwrap_or_default();
    let title = plain(&task.title, LONGEST_TITLE);
    let head = match kind {
        MarkupKind::Markdown => {
            format!("**Task {}{status}**\n\n{}", markdown_line(&task.id), markdown_line(&title))
        }
        MarkupKind::PlainText => format!("Task {}{status}\n{title}", plain(&task.id, LONGEST_TITLE)),
    };
    let lines = criterion_lines(task, &snapshot.criteria, &kind);
    let between = if kind == MarkupKind::Markdown { "\n\n" } else { "\n" };
    let blocks = [head, lines.join("\n")].into_iter().filter(|block| !block.is_empty());
    Some(MarkupContent { kind, value: blocks.collect::<Vec<_>>().join(between) })
}

fn criterion_lines(task: &Task, criteria: &[CriterionResult], kind: &MarkupKind) -> Vec<String> {
    let results = PlanResults { criteria, ..PlanResults::default() };
    let line = |(at, text): (usize, &String)| match kind {
        MarkupKind::Markdown => results.criterion_line(&task.id, at + 1, &plain(text, 2000)),
        MarkupKind::PlainText => {
            let text = plain_lines(&plain(text, 2000));
            match CriterionResult::find(criteria, &task.id, at + 1) {
                Some(result) => format!("{} {}: {text}", result.state.mark(), result.state.as_str()),
                None => format!("- {text}"),
            }
        }
    };
    task.acceptance_criteria.iter().enumerate().map(line).collect()
}

/// The id of the task whose text this byte is in.
fn task_at(text: &Text, byte: usize) -> Option<String> {
    let text = text.as_str();
    if over_limit(text.as_bytes()).is_some() {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let json = JsonText::new(text);
    let tasks = value.get("tasks")?.as_array()?;
    let is_here = |(index, _): &(usize, &Value)| json.locate(&format!("/tasks/{index}")).contains(&byte);
    let (_, task) = tasks.iter().enumerate().find(is_here)?;
    task.get("id")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::snapshot::fixture::{plan_text, report, snapshot};
    use super::*;
    use crate::workflow::Next;

    fn at(words: &str, snapshot: &Snapshot, kind: MarkupKind) -> Option<String> {
        let text = plan_text();
        let line = text.lines().position(|line| line.contains(words)).unwrap();
        let at = Position { line: u32::try_from(line).unwrap(), character: 4 };
        task_hover(snapshot, &Text::new(text), at, Encoding::Utf16, kind).map(|content| content.value)
    }

    #[test]
    fn a_task_shows_where_it_stands_and_what_was_made_of_its_criteria() {
        let mut snapshot = snapshot(Next::Merged, |memory| report(memory, &["T1"]));
        let of_t1 = "**Task T1: completed**\n\nTitle of T1\n\n- It \\*greets\\*.";
        assert_eq!(at("Title of T1", &snapshot, MarkupKind::Markdown).as_deref(), Some(of_t1));
        assert_eq!(at("Title of T2", &snapshot, MarkupKind::Markdown), None, "nothing is known of it yet");
        assert_eq!(at("approach_summary", &snapshot, MarkupKind::Markdown), None);
        snapshot.criteria = serde_json::from_value(json!([
            { "task_id": "T1", "criterion": 1, "state": "unmet" },
            { "task_id": "T2", "criterion": 1, "state": "met", "evidence": { "check": "test" } },
        ]))
        .unwrap();
        let of_t1 = "**Task T1: completed**\n\nTitle of T1\n\n- ✗ **unmet**: It \\*greets\\*.";
        assert_eq!(at("Title of T1", &snapshot, MarkupKind::Markdown).as_deref(), Some(of_t1));
        let of_t2 = "**Task T2**\n\nTitle of T2\n\n- ✓ It \\*greets\\*. — check `test`";
        assert_eq!(at("Title of T2", &snapshot, MarkupKind::Markdown).as_deref(), Some(of_t2));
        let plain = "Task T1: completed\nTitle of T1\n✗ unmet: It *greets*.";
        assert_eq!(at("Title of T1", &snapshot, MarkupKind::PlainText).as_deref(), Some(plain));
    }
}
