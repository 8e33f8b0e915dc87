//! The ways on from a situation in an editor without an interface of its own: the buttons of a question, and the words for
//! an editor that shows none.

use serde_json::Value;

use crate::workflow::{WayOn, WayOnId};

/// Closes a question and does nothing.
pub(super) const LATER: &str = "Later";

/// The ways on that a button of a question can be, the harmless first: in some clients a stray key takes the first.
pub(super) fn buttons(ways: &[WayOn]) -> Vec<&WayOn> {
    let rank = |way: &&WayOn| match way.id {
        WayOnId::ShowChanges => Some(0),
        WayOnId::Resume | WayOnId::Retry | WayOnId::AllowMore | WayOnId::Fix | WayOnId::BringBack => Some(1),
        WayOnId::Undo => Some(2),
        _ => None,
    };
    let mut buttons: Vec<&WayOn> = ways.iter().filter(|way| rank(way).is_some()).collect();
    buttons.sort_by_key(rank);
    buttons
}

/// Longest arguments that a sentence has.
const LONGEST: usize = 60;
/// The same of ids of checks.
const LONGEST_IDS: usize = 200;

/// The same as a sentence, by the server's commands: `Resume: baton.workflow. Show Changes: baton.diff.`
pub(crate) fn sentence(ways: &[WayOn]) -> String {
    let of_way = |way: &WayOn| {
        let command = way.command?;
        // With none, a finished workflow only repeats its end.
        let needs_task = way.id == WayOnId::Start && way.cli.as_ref().is_some_and(|cli| cli.contains("--task"));
        if needs_task {
            return Some(format!("{}: {command} with a task.", way.title));
        }
        Some(match &way.arguments {
            // The hash of a plan is for clients: without one the plan at hand is meant. Of many issues, code actions fix those
            // that are pointed at.
            // What is said yes to is named by ids, and the command without them is another one.
            Some(arguments) if way.id == WayOnId::Trust => {
                let ids = without_plan(arguments);
                return (ids.to_string().len() <= LONGEST_IDS)
                    .then(|| format!("{}: {command} {}.", way.title, brief(&ids)));
            }
            Some(arguments) if way.id != WayOnId::Approve && arguments.to_string().len() <= LONGEST => {
                format!("{}: {command} {}.", way.title, brief(arguments))
            }
            _ => format!("{}: {command}.", way.title),
        })
    };
    ways.iter().filter_map(of_way).collect::<Vec<_>>().join(" ")
}

/// The arguments without the hash of the plan: without one the plan at hand is meant.
fn without_plan(arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    if let Some(fields) = arguments.as_object_mut() {
        fields.shift_remove("planSha256");
    }
    arguments
}

/// The arguments as JSON.
fn brief(arguments: &Value) -> String {
    crate::text::safe_line(&arguments.to_string())
}
