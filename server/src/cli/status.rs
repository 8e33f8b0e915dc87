//! `baton status`: where the workflow stands and what comes next.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::failure::Failure;
use super::issue;
use super::output::{AS_RECORDED, columns, message_lines, print, row, way_on_lines};
use super::proof::{check_lines, criterion_lines};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::{Attempt, safe_values, short_commit};
use crate::text;
use crate::workflow::{self, FaultStatus, GateContent, IssueStatus, Status};

const NOTHING: &str = "Nothing has been run here yet. `baton run \"…\"` starts.";

/// Print the status.
pub(super) fn status(start: &Start<'_>, json: bool) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let models = session.models();
    let read = |store| workflow::status(store, &session.settings, models.as_ref(), &session.phases, Timestamp::now());
    let status = session.memory()?.as_ref().map(read).transpose()?;
    let text = match (json, &status) {
        (true, None) => "null".to_owned(),
        (true, Some(status)) => {
            let pretty = serde_json::to_string_pretty(&status_json(status)?);
            text::safe_json(&pretty.map_err(|error| Failure::failed(error.to_string()))?)
        }
        (false, status) => status_or_nothing(status.as_ref(), columns()),
    };
    print(&text)?;
    Ok(0)
}

/// The status as JSON; what is to be shown of it goes through [`text::safe_json`].
pub(super) fn status_json(status: &Status) -> Result<Value, Failure> {
    serde_json::to_value(status).map(safe_values).map_err(|error| Failure::failed(error.to_string()))
}

/// The status for people, of so many columns.
pub(super) fn status_or_nothing(status: Option<&Status>, columns: usize) -> String {
    match status.filter(|status| !status.is_empty()) {
        None => text::paragraph("", NOTHING, columns),
        Some(status) => status_text(status, columns),
    }
}

fn status_text(status: &Status, columns: usize) -> String {
    let mut lines = Vec::new();
    if let Some(task) = &status.task {
        lines.push(text::paragraph("Task  ", &text::safe_line(task), columns));
    }
    if let Some(run) = &status.run {
        lines.push(format!("Run   {run}"));
    }
    lines.push(text::paragraph("State ", &status.summary, columns));
    lines.push(String::new());
    // A longer name takes what it needs, and leaves the other lines short enough for a narrow terminal.
    let width = status.phases.iter().map(|phase| phase.phase.as_str().len()).fold(10, usize::max).min(16);
    for phase in &status.phases {
        let took = phase.elapsed_ms.map_or_else(String::new, |ms| text::took(Duration::from_millis(ms)));
        // What the state says already is not said again.
        let is_said = status.summary.contains(phase.message.trim()) || phase.message == phase.status.to_string();
        let message = if is_said { String::new() } else { text::safe_line(&phase.message) };
        lines.push(below_or_beside(
            &format!("{:<width$} {:<12} {took:>8}  ", phase.phase, phase.status),
            &message,
            columns,
        ));
    }
    if !status.tasks.is_empty() {
        lines.push(String::new());
        for task in &status.tasks {
            let said = task.activity.as_ref().map(|activity| format!(" · {}", text::safe_line(activity)));
            let title = format!("{}{}", text::safe_line(&task.title), said.unwrap_or_default());
            let state = task.status.to_string().replace('_', " ");
            lines.push(below_or_beside(&format!("{:<10} {state:<12} ", task.id), &title, columns));
            let attempts: Vec<String> = task.attempts.iter().map(Attempt::words).collect();
            let said = (!attempts.is_empty()).then(|| text::paragraph("  attempts: ", &attempts.join(", "), columns));
            lines.extend(said);
            lines.extend(criterion_lines(task, "  ", columns));
        }
    }
    if !status.checks.is_empty() {
        lines.push(String::new());
        lines.extend(check_lines(&status.checks, &status.summary, columns));
        let sandbox = status.sandbox.as_ref().map(|words| format!("Sandbox: {words}"));
        lines.extend(sandbox.map(|words| text::paragraph("", &words, columns)));
    }
    if !status.issues.is_empty() {
        lines.push(String::new());
        let line = |IssueStatus { issue, state, base }: &IssueStatus| {
            let of = base.as_deref().map(|base| format!(" (review against {})", short_commit(base)));
            let id = text::safe_line(&issue.id);
            let text = format!("{} [{id}]{}", issue::line(issue), of.unwrap_or_default());
            row(&format!("{state:<9} "), &text, columns)
        };
        lines.extend(status.issues.iter().map(line));
    }
    lines.extend(status.gate.iter().flat_map(|gate| gate_lines(gate, columns)));
    lines.push(String::new());
    if !status.faults.is_empty() {
        lines.extend(status.faults.iter().flat_map(|fault| message_lines(&fault_line(fault))));
        lines.push(String::new());
    }
    lines.extend(status.warnings.iter().map(|warning| text::paragraph("Note  ", &text::safe_line(warning), columns)));
    let recorded = if status.is_recorded { AS_RECORDED } else { "" };
    let used = format!("{}{recorded}", status.usage.words_with(&status.run_usage, "the last"));
    lines.push(text::paragraph("Used  ", &used, columns));
    lines.extend(way_on_lines(&status.ways_on, columns));
    lines.join("\n")
}

/// A row of a table whose columns stay in line also where there is no room for the text beside them: it stands below then.
fn below_or_beside(head: &str, text: &str, columns: usize) -> String {
    const LEAST: usize = 30;
    let width = head.chars().count();
    match width > columns || width + LEAST <= columns || text.is_empty() {
        true => row(head, text, columns),
        false => format!("{}\n{}", head.trim_end(), text::paragraph("  ", text, columns)),
    }
}

/// What should be known before answering the gate; plan.md has the rest.
fn gate_lines(gate: &GateContent, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new(), format!("Plan  {}", gate.plan_sha256)];
    let line = |what: &str, path: &str, task: &str| {
        let (path, task) = (text::safe_line(path), text::safe_line(task));
        text::paragraph("! ", &format!("{what}: {path} ({task})"), columns)
    };
    let what = |never| if never { "never written" } else { "protected" };
    lines.extend(gate.protected.iter().map(|file| line(what(file.never), &file.path, &file.task)));
    lines.extend(gate.flagged.iter().map(|file| line(&file.reason, &file.path, &file.task)));
    lines.extend(gate.questions.iter().map(|question| text::paragraph("? ", question, columns)));
    lines.push(text::paragraph("", &format!("To implement and review: {}", gate.estimate.words()), columns));
    lines
}

fn fault_line(fault: &FaultStatus) -> String {
    let FaultStatus { file, line, column, message, .. } = fault;
    format!("{}:{line}:{column}: {}", text::safe_line(file), text::safe_line(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::fixture;

    #[test]
    fn each_situation_is_told_once_with_its_ways_on() {
        for (name, status) in fixture::situations() {
            let text = status_text(&status, 100);
            let words: Vec<&str> = text.split_whitespace().collect();
            let told = words.join(" ");
            assert!(told.contains(&status.summary), "{name}: {text}");
            for way in &status.ways_on {
                match &way.cli {
                    Some(command) => assert!(text.contains(command.as_str()), "{name} lacks {command}: {text}"),
                    None => assert!(!text.contains(way.title), "{name} tells {} without a command: {text}", way.title),
                }
            }
            assert!(!text.contains("baton."), "{name} has an editor's command: {text}");
            for check in &status.checks {
                assert!(told.contains(&check.check.name) && told.contains(&check.check.details()), "{name}: {text}");
            }
        }
    }

    #[test]
    fn columns_stay_in_line_where_there_is_no_room_beside_them() {
        let head = format!("{:<10} {:<12} ", "T1", "running");
        assert_eq!(below_or_beside(&head, "Add a flag", 80), "T1         running      Add a flag");
        assert_eq!(below_or_beside(&head, "Add a flag", 40), "T1         running\n  Add a flag");
        assert_eq!(below_or_beside(&head, "", 40), "T1         running");
        assert_eq!(below_or_beside(&head, "Add a flag", 20), "T1 running\n  Add a flag", "too narrow for columns");
    }

    #[test]
    fn a_narrow_terminal_gets_lines_that_fit() {
        for (name, status) in fixture::situations() {
            let text = status_text(&status, 40);
            // Words stay whole, and so do commands and paths, to be copied.
            let is_whole = |line: &str| ["baton ", "log: "].iter().any(|first| line.trim_start().starts_with(first));
            let is_long = |line: &&str| line.chars().count() > 40 && !is_whole(line);
            assert_eq!(text.lines().find(is_long), None, "{name}:\n{text}");
        }
    }
}
