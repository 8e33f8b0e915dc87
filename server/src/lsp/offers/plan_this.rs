//! "Plan this": a selection, or a `TODO` comment, as the task of a workflow.

use serde_json::json;
use tower_lsp::lsp_types::{Position, Range};

use super::offer::Offer;
use super::snapshot::Snapshot;
use crate::contracts::RepoPath;
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::text::todo::todo_at;
use crate::lsp::wire::to_proto::plain;
use crate::memory::is_same_task;
use crate::workflow::Next;
use crate::workspace::is_secret;

/// Longest selection that can be a task, in bytes.
const LONGEST: usize = 20_000;

/// Start the workflow with the selection, or with the `TODO` or `FIXME` at the cursor.
///
/// Nothing is offered in files whose text no model may see.
pub(crate) fn plan_this(
    snapshot: &Snapshot,
    file: &RepoPath,
    text: &Text,
    range: Range,
    encoding: Encoding,
) -> Option<Offer> {
    if is_secret(file) || snapshot.is_memory(file) {
        return None;
    }
    let (task, reason) = if range.start == range.end {
        let todo = todo_at(file.as_str(), text, range.start.line as usize)?;
        (with_location(&plain(&todo.text, LONGEST), file, todo.line, todo.last_line), None)
    } else {
        selection(file, text, range, encoding)?
    };
    let offer = Offer::new(snapshot, "Plan this", "baton.workflow", json!({ "task": task }));
    Some(offer.unless(snapshot.busy().or_else(|| unfinished(snapshot, &task)).or(reason)))
}

/// The task, and why it cannot be one.
fn selection(file: &RepoPath, text: &Text, range: Range, encoding: Encoding) -> Option<(String, Option<String>)> {
    let (a, b) = (text.byte(range.start, encoding), text.byte(range.end, encoding));
    let (start, end) = (a.min(b), a.max(b));
    let selected = &text.as_str()[start..end];
    if selected.trim().is_empty() {
        return None;
    }
    if selected.len() > LONGEST {
        let reason = format!("the selection is too long for a task: at most {LONGEST} bytes");
        return Some((String::new(), Some(reason)));
    }
    // A selection of whole lines ends before the next line's first character.
    let last = text.line_of(start + selected.trim_end().len() - 1);
    let first = text.line_of(start + selected.len() - selected.trim_start().len());
    // The first line keeps its indentation, also where the selection begins after it.
    let begin = text.byte(Position { line: first as u32, character: 0 }, encoding);
    let is_indent = text.as_str()[begin..start.max(begin)].trim().is_empty();
    let begin = if is_indent { begin } else { start };
    Some((with_location(&dedented(&text.as_str()[begin..end]), file, first, last), None))
}

fn with_location(text: &str, file: &RepoPath, first: usize, last: usize) -> String {
    let lines = if first == last { format!("{}", first + 1) } else { format!("{}-{}", first + 1, last + 1) };
    let between = if text.contains('\n') { "\n\n" } else { " " };
    format!("{text}{between}({file}:{lines})")
}

/// The lines without their common indentation and control characters.
fn dedented(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| line.trim_end().chars().filter(|c| *c == '\t' || !c.is_control()).collect()).collect();
    let indent = |line: &&String| line.len() - line.trim_start().len();
    let common =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(&line)).min().unwrap_or_default();
    let cut = |line: &String| line.get(common..).unwrap_or_default().to_owned();
    lines.iter().map(cut).collect::<Vec<_>>().join("\n").trim_matches('\n').trim_end().to_owned()
}

/// Why no other task can begin: the current one is unfinished.
fn unfinished(snapshot: &Snapshot, task: &str) -> Option<String> {
    let memory = &snapshot.memory;
    let finished = matches!(snapshot.next, Next::Merged | Next::Rejected);
    let other = memory.task.as_deref().map(str::trim).filter(|there| !is_same_task(there, task))?;
    (memory.is_begun() && !finished).then(|| {
        let other = plain(other, 60);
        format!(
            "another task is unfinished ({other:?}); go on with it by baton.workflow, or set it aside by baton.reset"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::fixture::snapshot;
    use super::*;
    use crate::workflow::REVIEW;

    const TEXT: &str = "fn a() {\n    // TODO: é names\n    one();\n\n        two();\n}\n";

    fn offer(snapshot: &Snapshot, file: &str, from: (u32, u32), to: (u32, u32)) -> Option<Offer> {
        let position = |(line, character)| Position { line, character };
        let range = Range { start: position(from), end: position(to) };
        plan_this(snapshot, &RepoPath::parse(file).unwrap(), &Text::new(TEXT), range, Encoding::Utf16)
    }

    fn task(from: (u32, u32), to: (u32, u32)) -> Option<String> {
        let offer = offer(&Snapshot::empty(), "src/a.rs", from, to)?;
        assert_eq!((offer.action_title().as_str(), &offer.disabled), ("Baton: plan this", &None));
        let arguments = offer.command(String::new()).arguments.unwrap();
        Some(arguments[0]["task"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_selection_is_a_task_with_its_place() {
        for (from, to, expected) in [
            ((2, 4), (2, 9), "one() (src/a.rs:3)"),
            ((1, 13), (1, 20), "é names (src/a.rs:2)"),
            ((2, 0), (5, 0), "one();\n\n    two();\n\n(src/a.rs:3-5)"),
            ((2, 4), (4, 14), "one();\n\n    two();\n\n(src/a.rs:3-5)"),
            // Backwards, and past the end.
            ((2, 9), (2, 4), "one() (src/a.rs:3)"),
            ((5, 0), (99, 0), "} (src/a.rs:6)"),
        ] {
            assert_eq!(task(from, to).as_deref(), Some(expected));
        }
        assert_eq!(task((3, 0), (4, 2)), None, "nothing but white space");
    }

    #[test]
    fn a_todo_under_the_cursor_is_one_too() {
        assert_eq!(task((1, 0), (1, 0)).as_deref(), Some("TODO: é names (src/a.rs:2)"));
        assert_eq!(task((2, 4), (2, 4)), None);
    }

    #[test]
    fn what_no_model_may_see_is_no_task() {
        let empty = Snapshot::empty();
        assert_eq!(offer(&empty, ".env", (2, 0), (3, 0)), None);
        let there = snapshot(Next::Gate, |_| ());
        assert_eq!(offer(&there, ".agent_memory/plan.json", (2, 0), (3, 0)), None);
    }

    #[test]
    fn one_task_at_a_time() {
        let mut busy = snapshot(Next::Gate, |_| ());
        let reason = |snapshot: &Snapshot| offer(snapshot, "a.rs", (2, 0), (3, 0)).unwrap().disabled;
        assert!(reason(&busy).unwrap().starts_with("another task is unfinished (\"Greet\")"));
        busy.active_run = Some("r1".to_owned());
        assert_eq!(reason(&busy).unwrap(), "run r1 waits for an answer to its plan; approve or reject that first");
        busy.next = Next::Phase(REVIEW);
        assert_eq!(reason(&busy).unwrap(), "run r1 is at work; wait for its end, or cancel it");
        assert_eq!(reason(&snapshot(Next::Merged, |_| ())), None);
    }
}
