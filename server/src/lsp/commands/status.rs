//! `baton.status`.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::lsp_types::MessageType;

use crate::contracts::{CriterionState, short_commit};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::ways_on::sentence;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{CheckRow, CriterionStatus, FaultStatus, IssueState, IssueStatus, PhaseState, Status};

/// The message where there never was a workflow.
const NO_WORKFLOW: &str = "Baton: nothing has been run here yet; baton.workflow with a task starts.";

/// The status of the workflow, from the files alone; null where there never was one.
pub(super) async fn status(folder: &Arc<Folder>) -> Result<Value, Refused> {
    let of = folder.clone();
    let found = folder.with_files(move |files| {
        let Some((status, _)) = of.status(files)? else { return Ok(None) };
        Ok(Some(status).filter(|status| !status.is_empty()))
    });
    let found = found.await?.map(|status| in_words_of(&folder.client, status));
    if !folder.capabilities.plugin {
        let message = found.as_ref().map_or_else(|| NO_WORKFLOW.to_owned(), status_text);
        window::show_message(&folder.client, MessageType::INFO, message);
    }
    serde_json::to_value(found).map_err(|error| Refused::Internal(error.to_string()))
}

/// The status with the commands that its messages name as the client names them.
fn in_words_of(client: &Client, mut status: Status) -> Status {
    let said = status.warnings.iter_mut().chain(status.gate.iter_mut().flat_map(|gate| &mut gate.warnings));
    let said = said.chain(status.phases.iter_mut().map(|phase| &mut phase.message)).chain([&mut status.summary]);
    for text in said {
        *text = client.in_its_words(text);
    }
    status
}

/// The status as a message, for editors that do not show results.
fn status_text(status: &Status) -> String {
    let mut lines = Vec::new();
    let task = to_proto::plain(status.task.as_deref().unwrap_or("no task"), 200);
    lines.push(format!("Baton: {task}: {}", to_proto::plain(&status.summary, 600)));
    for phase in status.phases.iter().filter(|phase| phase.status != PhaseState::Pending) {
        // What the summary says already is not said again.
        let is_said = status.summary.contains(phase.message.trim()) || phase.message == phase.status.to_string();
        let said = if is_said { String::new() } else { to_proto::plain(&phase.message, 200) };
        lines.push(format!("{}: {}. {said}", phase.phase, phase.status).trim_end().to_owned());
    }
    for task in &status.tasks {
        lines.push(format!("{} {}: {}", task.id, task.status, to_proto::plain(&task.title, 100)));
        lines.extend(task.criteria.iter().filter_map(unmet_line));
    }
    for CheckRow { check, words, .. } in &status.checks {
        let name = to_proto::plain(&check.name, 100);
        lines.push(format!("{} check {name} {}", check.state.mark(), to_proto::plain(words, 300)));
    }
    if let Some(words) = status.sandbox.as_ref().filter(|_| !status.checks.is_empty()) {
        lines.push(format!("Sandbox of the checks: {}", to_proto::plain(words, 300)));
    }
    let is_open = |issue: &&IssueStatus| matches!(issue.state, IssueState::New | IssueState::Open);
    let (of_base, own): (Vec<&IssueStatus>, Vec<&IssueStatus>) =
        status.issues.iter().filter(is_open).partition(|issue| issue.base.is_some());
    if !own.is_empty() {
        lines.push(to_proto::count(own.len(), "open issue"));
    }
    if let Some(base) = of_base.first().and_then(|issue| issue.base.as_deref()) {
        let issues = to_proto::count(of_base.len(), "open issue");
        lines.push(format!("{issues} of the review against {}", short_commit(base)));
    }
    lines.extend(status.warnings.iter().map(|warning| to_proto::plain(warning, 600)));
    for fault in &status.faults {
        let FaultStatus { file, line, column, message, .. } = fault;
        lines.push(format!("{file}:{line}:{column}: {}", to_proto::plain(message, 300)));
    }
    lines.push(format!("Used {}.", status.usage.words_with(&status.run_usage, "the last")));
    lines.push(sentence(&status.ways_on));
    lines.join("\n")
}

/// A criterion that is not met, below its task.
fn unmet_line(criterion: &CriterionStatus) -> Option<String> {
    let state = criterion.state.filter(|state| *state != CriterionState::Met)?;
    Some(format!("  {} {}: {}", state.mark(), state.as_str(), to_proto::plain(&criterion.text, 200)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::fixture;

    #[test]
    fn each_situation_is_told_with_the_commands_that_lead_on() {
        for (name, status) in fixture::situations() {
            let text = status_text(&status);
            assert!(text.contains(&status.summary), "{name}: {text}");
            for row in &status.checks {
                let told = format!("{} check {} {}", row.check.state.mark(), row.check.name, row.words);
                assert!(text.contains(&told), "{name}: {text}");
            }
            for way in &status.ways_on {
                if let Some(command) = way.command {
                    assert!(text.contains(&format!("{}: {command}", way.title)), "{name} lacks {command}: {text}");
                }
            }
            assert!(
                !text.contains("baton run") && !text.contains("baton approve"),
                "{name} has a command line: {text}"
            );
        }
    }
}
