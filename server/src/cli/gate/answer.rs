//! What a person may type at the gate.

use crate::text;
use crate::workflow::Gate;

/// What a person wants at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Approve all tasks, or these.
    Approve(Option<Vec<String>>),
    /// Plan again; `None`: the feedback is still to be asked for.
    Changes(Option<String>),
    /// Edit plan.json.
    Edit,
    /// Stop.
    Reject,
    /// Show plan.md.
    View,
    /// Show the plan as JSON.
    ViewJson,
}

/// Printed where something else was typed.
const CHOICES: &str = "Type a to approve (a T1,T2 for some tasks only), c to ask for changes, e to edit the plan, \
                       r to reject it, v to read it, vv to see its JSON; then Enter.";

/// Read an answer.
///
/// # Errors
/// What is wrong with it, for the person.
pub(super) fn parse(line: &str, gate: &Gate) -> Result<Choice, String> {
    let line = text::safe_line(line);
    let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
    match (word.to_lowercase().as_str(), rest) {
        ("a" | "approve", "") => Ok(Choice::Approve(None)),
        ("a" | "approve", ids) => some_tasks(ids, gate).map(Choice::Approve),
        ("c" | "changes", "") => Ok(Choice::Changes(None)),
        ("c" | "changes", words) => Ok(Choice::Changes(Some(words.to_owned()))),
        ("e" | "edit", "") => Ok(Choice::Edit),
        ("r" | "reject", "") => Ok(Choice::Reject),
        ("v" | "view", "") => Ok(Choice::View),
        ("vv" | "j" | "json", "") => Ok(Choice::ViewJson),
        _ => Err(CHOICES.to_owned()),
    }
}

/// Read an answer to a plan with faults.
///
/// # Errors
/// What can be answered, for the person.
pub(super) fn parse_faulty(line: &str) -> Result<Choice, &'static str> {
    let line = text::safe_line(line);
    let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
    match (word.to_lowercase().as_str(), rest) {
        ("e" | "edit", "") => Ok(Choice::Edit),
        ("c" | "changes", "") => Ok(Choice::Changes(None)),
        ("c" | "changes", words) => Ok(Choice::Changes(Some(words.to_owned()))),
        ("r" | "reject", "") => Ok(Choice::Reject),
        ("a" | "approve", _) => Err("It cannot be approved with these faults: type e to fix them; then Enter."),
        _ => Err("Type e to edit the plan, c to have another one made, r to reject it; then Enter."),
    }
}

/// The tasks of a list, in the order of the plan; `None` when it names all of them.
fn some_tasks(ids: &str, gate: &Gate) -> Result<Option<Vec<String>>, String> {
    let known = || gate.tasks.iter().map(|task| task.id.as_str());
    let mut wanted = Vec::new();
    for id in ids.split([',', ' ']).filter(|id| !id.is_empty()) {
        // Case is ignored, unless two tasks differ in nothing else.
        let exact = known().find(|task| *task == id);
        let mut near = known().filter(|task| task.eq_ignore_ascii_case(id));
        match exact.or_else(|| near.next().filter(|_| near.next().is_none())) {
            Some(task) => wanted.push(task),
            None => {
                let known: Vec<_> = known().collect();
                return Err(format!("No task is called {id}; there are {}.", known.join(", ")));
            }
        }
    }
    for task in gate.tasks.iter().filter(|task| wanted.contains(&task.id.as_str())) {
        // A dependency that the gate does not list is done already.
        let missing: Vec<_> = task
            .depends_on
            .iter()
            .map(String::as_str)
            .filter(|id| known().any(|task| task == *id) && !wanted.contains(id))
            .collect();
        if !missing.is_empty() {
            return Err(format!("{} needs {}: approve that with it, or leave it out.", task.id, missing.join(", ")));
        }
    }
    match known().filter(|id| wanted.contains(id)).map(str::to_owned).collect::<Vec<_>>() {
        none if none.is_empty() => Err("Name the tasks to approve, as in a T1,T2.".to_owned()),
        all if all.len() == gate.tasks.len() => Ok(None),
        some => Ok(Some(some)),
    }
}
