//! `[[phases]]`: further reviewing phases that the user adds.
//!
//! The name of such a phase becomes a file name, a diagnostic code and a command, so it may be none of those that exist.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::disk::open;
use crate::config::error::{ConfigError, closest};
use crate::config::settings::{PhaseTier, UserPhase};
use crate::config::value::{Node, Raw};
use crate::contracts::{MAX_PHASE_PROMPT_BYTES, MAX_USER_PHASES, RepoPath, too_large};

/// Names that no phase of the user's may have: phases, handoffs (their files without `.json`), the first words of
/// diagnostic codes, severities, commands (after `baton.`), the words of `next` in the status, and what else stands in
/// `.agent_memory/`. Names with `_` or a capital cannot be a phase's anyway.
#[rustfmt::skip]
pub const RESERVED_PHASE_NAMES: &[&str] = &[
    // Phases and the workflow itself.
    "context", "plan", "gate", "implement", "review", "workflow", "phase", "phases", "quick",
    // The prompt of the agents that check a review's findings.
    "validate",
    // Handoffs and what else is in the memory folder.
    "task", "approval", "round", "dismissed", "accepted", "lock", "history", "runs", "sinks", "feedback", "report",
    // Diagnostic codes and severities.
    "tasks", "note", "notes", "criterion", "check", "checks", "schema", "issue", "issues", "settings", "memory",
    "critical", "major", "minor", "suggestion", "error", "warning", "information", "hint",
    // Commands and the words of the status.
    "approve", "reject", "status", "cancel", "reset", "rollback", "diff", "doctor", "demo", "tell", "log", "keep", "accept", "fix",
    "dismiss", "restore", "trust", "none", "baton",
    // Schemas that are no handoff's.
    "user-settings",
    // What no file can be called on Windows, whatever follows the dot.
    "con", "prn", "aux", "nul",
    "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The phase of ours that a user's phase may follow.
const IMPLEMENT: &str = "implement";

pub(super) const FIELDS: [&str; 4] = ["name", "after", "prompt", "tier"];
const TIERS: [PhaseTier; 3] = [PhaseTier::Fast, PhaseTier::Balanced, PhaseTier::Powerful];
const LONGEST_NAME: usize = 32;

/// A phase whose `after` is not resolved yet.
struct Entry<'a> {
    phase: UserPhase,
    name: &'a Node,
    after: &'a Node,
}

/// The phases of a `[[phases]]` list, each after the one that its `after` names. `folder` holds the file the list is from.
///
/// # Errors
/// Everything wrong with any of them.
pub(super) fn read_phases(items: &[Node], folder: Option<&Path>) -> Result<Vec<UserPhase>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    if let Some(item) = items.get(MAX_USER_PHASES) {
        errors.push(item.refuse("phases", format!("holds {} phases; at most {MAX_USER_PHASES} are run", items.len())));
    }
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for item in items.iter().take(MAX_USER_PHASES) {
        match read_phase(item, folder) {
            Ok(entry) if entries.iter().any(|earlier| earlier.phase.name == entry.phase.name) => {
                let what = format!("is {:?} a second time; give each phase a name of its own", entry.phase.name);
                errors.push(entry.name.refuse("phases.name", what));
            }
            Ok(entry) => entries.push(entry),
            Err(more) => errors.extend(more),
        }
    }
    // A name counts as listed even if something else is wrong with its phase.
    let listed: Vec<&str> = items.iter().filter_map(|item| item.field("name")?.as_text()).map(str::trim).collect();
    for Entry { phase, after, .. } in &entries {
        if phase.after != IMPLEMENT && !listed.contains(&phase.after.as_str()) {
            let hint = closest(&phase.after, listed.iter().copied().chain([IMPLEMENT]));
            let what = format!("is {after}; it takes \"{IMPLEMENT}\" or the name of another phase of this list{hint}");
            errors.push(after.refuse("phases.after", what));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    in_order(entries)
}

/// The JSON Schema of a `[[phases]]` list; its fields in the order of [`FIELDS`].
pub(super) fn schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "pattern": r"\S", "description": description });
    json!({
        "type": "array",
        "maxItems": MAX_USER_PHASES,
        "items": {
            "type": "object",
            "required": ["name", "after", "prompt"],
            "additionalProperties": false,
            "properties": {
                "name": {
                    "type": "string",
                    "pattern": format!("^[a-z][a-z0-9-]{{0,{}}}$", LONGEST_NAME - 1),
                    "not": { "enum": RESERVED_PHASE_NAMES },
                    "description": "Its name, as in its command, its handoff and the codes of its issues.",
                },
                "after": text("The phase it follows: implement, or another one of this list."),
                "prompt": text("The file of its prompt, named from the folder of this file."),
                "tier": {
                    "type": "string",
                    "enum": TIERS.map(PhaseTier::as_str),
                    "default": PhaseTier::default().as_str(),
                    "description": "Which of the models it uses.",
                },
            },
        },
    })
}

/// Sort phases by what they come after; otherwise their order stays.
fn in_order(mut left: Vec<Entry<'_>>) -> Result<Vec<UserPhase>, Vec<ConfigError>> {
    let mut sorted: Vec<UserPhase> = Vec::new();
    while !left.is_empty() {
        let is_next = |entry: &Entry<'_>| {
            entry.phase.after == IMPLEMENT || sorted.iter().any(|earlier| earlier.name == entry.phase.after)
        };
        match left.iter().position(is_next) {
            Some(at) => sorted.push(left.remove(at).phase),
            None => return Err(vec![circle(&left)]),
        }
    }
    Ok(sorted)
}

/// The fault of phases of which each waits for another: those that cannot be sorted.
fn circle(left: &[Entry<'_>]) -> ConfigError {
    // Following `after` often enough ends inside the circle, not on the way to it.
    let before = |at: usize| left.iter().position(|other| other.phase.name == left[at].phase.after).unwrap_or(at);
    let start = (0..left.len()).fold(0, |at, _| before(at));
    let mut names = vec![left[start].phase.name.as_str()];
    let (mut at, mut first) = (before(start), start);
    while at != start {
        names.push(&left[at].phase.name);
        first = first.min(at);
        at = before(at);
    }
    names.push(names[0]);
    let what = format!("goes in a circle: {}; let one of them come after \"{IMPLEMENT}\"", names.join(" after "));
    left[first].after.refuse("phases.after", what)
}

fn read_phase<'a>(item: &'a Node, folder: Option<&Path>) -> Result<Entry<'a>, Vec<ConfigError>> {
    let Raw::Table(fields) = &item.raw else {
        let what = format!("holds {item}; a phase is a table with name, after and prompt");
        return Err(vec![item.refuse("phases", what)]);
    };
    let mut errors = Vec::new();
    for (name, place, _) in fields.iter().filter(|(name, _, _)| !FIELDS.contains(&name.as_str())) {
        let hint = closest(name, FIELDS.into_iter());
        let message = format!("phases.{name} is not a field of a phase{hint}; there are {}", FIELDS.join(", "));
        errors.push(ConfigError { place: place.clone(), setting: format!("phases.{name}"), message });
    }
    let mut text = |key: &str, example: &str| {
        let node = item.field(key);
        let found = node.and_then(|node| node.as_text().map(str::trim).filter(|text| !text.is_empty()));
        let what = match (node, found) {
            (Some(node), Some(text)) => return Some((node, text)),
            (Some(node), None) => format!("is {node}; it takes a text, for example {example:?}"),
            (None, _) => format!("is missing; for example {key} = {example:?}"),
        };
        errors.push(node.unwrap_or(item).refuse(&format!("phases.{key}"), what));
        None
    };
    let name = text("name", "security");
    let after = text("after", IMPLEMENT);
    let prompt = text("prompt", "prompts/security.md");
    if let Some((node, Err(what))) = name.map(|(node, name)| (node, check_name(name))) {
        errors.push(node.refuse("phases.name", format!("is {node}, which {what}")));
    }
    let tier = item.field("tier").map_or(Ok(PhaseTier::default()), |node| {
        let word = TIERS.into_iter().find(|tier| node.as_text() == Some(tier.as_str()));
        word.ok_or_else(|| {
            let hint =
                node.as_text().map_or_else(String::new, |text| closest(text, TIERS.iter().map(|tier| tier.as_str())));
            node.refuse("phases.tier", format!("is {node}; it takes \"fast\", \"balanced\" or \"powerful\"{hint}"))
        })
    });
    let prompt = prompt.map(|(node, path)| {
        prompt_text(path, folder).map_err(|what| node.refuse("phases.prompt", format!("is {node}, which {what}")))
    });
    match (name, after, prompt, tier) {
        (Some((name, name_text)), Some((after, after_text)), Some(Ok(prompt)), Ok(tier)) if errors.is_empty() => {
            let phase = UserPhase { name: name_text.to_owned(), after: after_text.to_owned(), prompt, tier };
            Ok(Entry { phase, name, after })
        }
        (_, _, prompt, tier) => {
            errors.extend(prompt.and_then(Result::err));
            errors.extend(tier.err());
            Err(errors)
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_plain) || name.len() > LONGEST_NAME {
        return Err(format!(
            "is no name for a phase; take a small letter and up to {} more small letters, digits and \"-\", as in \
             \"security\"",
            LONGEST_NAME - 1
        ));
    }
    if RESERVED_PHASE_NAMES.contains(&name) {
        return Err("has a meaning already; give your phase another name".to_owned());
    }
    Ok(())
}

/// The text of a prompt, named from the folder of the settings file. The user named it, so links are followed.
fn prompt_text(path: &str, folder: Option<&Path>) -> Result<String, String> {
    let Some(folder) = folder else { return Err("can be read beside the user's file alone".to_owned()) };
    let Ok(name) = RepoPath::parse(path) else {
        return Err(
            "is no path below the folder of this file; name one there, as in \"prompts/security.md\"".to_owned()
        );
    };
    let path: PathBuf = folder.join(name.as_str());
    let unreadable = |error| format!("cannot be read: {error}; put a text file at {}", path.display());
    let file = open(&path).map_err(unreadable)?;
    let Some(file) = file else { return Err(format!("is not there; write it at {}", path.display())) };
    let mut bytes = Vec::new();
    file.take(MAX_PHASE_PROMPT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let read = bytes.len() as u64;
    if read > MAX_PHASE_PROMPT_BYTES {
        return Err(format!("is too large: {}", too_large(read, MAX_PHASE_PROMPT_BYTES)));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8; save the file as UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err("is empty; say in it what the phase looks for".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
