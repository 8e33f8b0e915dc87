//! `[[phases]]`: further reviewing phases that the user adds.
//!
//! The name of such a phase becomes a file name, a diagnostic code and a command, so it may be none of those that exist.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::disk::open;
use super::error::{ConfigError, closest};
use super::settings::{PhaseTier, UserPhase};
use super::value::{Node, Raw};
use crate::contracts::{MAX_PHASE_PROMPT_BYTES, MAX_USER_PHASES, RepoPath, too_large};

/// Names that no phase of the user's may have: phases, handoffs (their files without `.json`), the first words of
/// diagnostic codes, severities, commands (after `baton.`), the words of `next` in the status, and what else stands in
/// `.agent_memory/`. Names with `_` or a capital cannot be a phase's anyway.
#[rustfmt::skip]
pub const RESERVED_PHASE_NAMES: &[&str] = &[
    // Phases and the workflow itself.
    "context", "plan", "gate", "implement", "review", "workflow", "phase", "phases", "quick",
    // Handoffs and what else is in the memory folder.
    "task", "approval", "round", "dismissed", "lock", "history", "runs", "sinks", "feedback", "report",
    // Diagnostic codes and severities.
    "tasks", "note", "notes", "criterion", "check", "checks", "schema", "issue", "issues", "settings", "memory",
    "critical", "major", "minor", "suggestion", "error", "warning", "information", "hint",
    // Commands and the words of the status.
    "approve", "reject", "status", "cancel", "reset", "rollback", "diff", "doctor", "tell", "keep", "accept", "fix",
    "dismiss", "restore", "none", "baton",
    // What no file can be called on Windows, whatever follows the dot.
    "con", "prn", "aux", "nul",
    "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The phase of ours that a user's phase may follow.
const FIRST: &str = "implement";

const FIELDS: [&str; 4] = ["name", "after", "prompt", "tier"];
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
        if phase.after != FIRST && !listed.contains(&phase.after.as_str()) {
            let hint = closest(&phase.after, listed.iter().copied().chain([FIRST]));
            let what = format!("is {after}; it takes \"{FIRST}\" or the name of another phase of this list{hint}");
            errors.push(after.refuse("phases.after", what));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    in_order(entries)
}

/// Sort phases by what they come after; otherwise their order stays.
fn in_order(mut left: Vec<Entry<'_>>) -> Result<Vec<UserPhase>, Vec<ConfigError>> {
    let mut sorted: Vec<UserPhase> = Vec::new();
    while !left.is_empty() {
        let is_next = |entry: &Entry<'_>| {
            entry.phase.after == FIRST || sorted.iter().any(|earlier| earlier.name == entry.phase.after)
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
    let what = format!("goes in a circle: {}; let one of them come after \"{FIRST}\"", names.join(" after "));
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
    let after = text("after", FIRST);
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
mod tests {
    use std::fs;

    use super::super::*;
    use expect_test::{Expect, expect};
    use tempfile::TempDir;

    /// A configuration folder with one good prompt.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("prompts")).unwrap();
        fs::write(folder.path().join("prompts/a.md"), "Look for holes.\n").unwrap();
        folder
    }

    fn load_in(folder: &TempDir, text: &str) -> Result<Settings, ConfigErrors> {
        let file = TomlFile { name: "config.toml".to_owned(), text: text.to_owned() };
        let user = Some(UserFile { file, folder: folder.path().to_owned() });
        load(&Sources { user, ..Sources::default() }).map(|loaded| loaded.settings)
    }

    fn refused(folder: &TempDir, text: &str, expected: Expect) {
        let errors = load_in(folder, text).unwrap_err().to_string();
        expected.assert_eq(&(errors.replace(&folder.path().display().to_string(), "FOLDER") + "\n"));
    }

    fn phase(name: &str, after: &str) -> String {
        format!("[[phases]]\nname = \"{name}\"\nafter = \"{after}\"\nprompt = \"prompts/a.md\"\n")
    }

    #[test]
    fn phases_come_in_the_order_of_what_they_follow() {
        let text = phase("c", "b") + &phase("a", "implement") + "tier = \"powerful\"\n" + &phase("d", "implement");
        let phases = load_in(&folder(), &(text + &phase("b", "a"))).unwrap().phases;
        let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["a", "d", "b", "c"]);
        let first = UserPhase {
            name: "a".to_owned(),
            after: "implement".to_owned(),
            prompt: "Look for holes.\n".to_owned(),
            tier: PhaseTier::Powerful,
        };
        assert_eq!((&phases[0], phases[1].tier), (&first, PhaseTier::Balanced));
        assert_eq!(load_in(&folder(), "phases = []").unwrap(), Settings::default());
    }

    #[test]
    fn the_longest_name_and_the_largest_prompt_are_taken() {
        let folder = folder();
        fs::write(folder.path().join("prompts/a.md"), format!("\u{feff}{}", "x".repeat((64 << 10) - 3))).unwrap();
        let settings = load_in(&folder, &phase(&format!("a-1{}", "x".repeat(29)), "implement")).unwrap();
        assert_eq!(settings.phases[0].prompt.len(), (64 << 10) - 3);
    }

    #[test]
    fn each_fault_of_a_phase_stands_at_its_place() {
        refused(
            &folder(),
            "[[phases]]\nafter = 7\ntier = \"best\"\n[[phases]]\nname = \" \"\nafter = \"implement\"\nprompt = [\"a\"]\n\
             tier = 1\npromt = \"a\"\n[[phases]]\nname = \"a\"\nafter = \"plan\"\nprompt = \"prompts/a.md\"\n[[phases]]\n\
             name = \"a\"\nafter = \"implemen\"\nprompt = \"prompts/a.md\"\napi_key = \"sk-secret\"\n",
            expect![[r#"
                config.toml:1:1: phases.name is missing; for example name = "security"
                config.toml:1:1: phases.prompt is missing; for example prompt = "prompts/security.md"
                config.toml:2:9: phases.after is 7; it takes a text, for example "implement"
                config.toml:3:8: phases.tier is "best"; it takes "fast", "balanced" or "powerful"
                config.toml:5:8: phases.name is " "; it takes a text, for example "security"
                config.toml:7:10: phases.prompt is a list; it takes a text, for example "prompts/security.md"
                config.toml:8:8: phases.tier is 1; it takes "fast", "balanced" or "powerful"
                config.toml:9:1: phases.promt is not a field of a phase; did you mean prompt?; there are name, after, prompt, tier
                config.toml:12:9: phases.after is "plan"; it takes "implement" or the name of another phase of this list
                config.toml:18:1: phases.api_key looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in settings; take it out here
            "#]],
        );
        refused(
            &folder(),
            "phases = [\"security\"]",
            expect![[r#"
            config.toml:1:11: phases holds "security"; a phase is a table with name, after and prompt
        "#]],
        );
        refused(
            &folder(),
            "[phases]\nsecurity = \"a.md\"",
            expect![[r#"
            config.toml:1:1: phases is a table; it takes [[phases]] tables with name, after, prompt and, if you like, tier
        "#]],
        );
        refused(
            &folder(),
            &(phase("a", "implement") + &phase("a", "implement")),
            expect![[r#"
            config.toml:6:8: phases.name is "a" a second time; give each phase a name of its own
        "#]],
        );
    }

    #[test]
    fn a_name_is_plain_and_none_that_means_something() {
        refused(
            &folder(),
            &phase("context", "implement"),
            expect![[r#"
            config.toml:2:8: phases.name is "context", which has a meaning already; give your phase another name
        "#]],
        );
        refused(
            &folder(),
            &phase("Security", "implement"),
            expect![[r#"
            config.toml:2:8: phases.name is "Security", which is no name for a phase; take a small letter and up to 31 more small letters, digits and "-", as in "security"
        "#]],
        );
        let wrong = ["1st", "-a", "a_b", "a b", "a/b", "ä", "a.b", &"x".repeat(33)];
        for name in wrong {
            let errors = load_in(&folder(), &phase(name, "implement")).unwrap_err().to_string();
            assert!(errors.starts_with("config.toml:2:8: phases.name is ") && errors.contains("no name for a phase"));
        }
        for name in RESERVED_PHASE_NAMES {
            let errors = load_in(&folder(), &phase(name, "implement")).unwrap_err().to_string();
            assert!(errors.contains("has a meaning already"), "{errors}");
        }
    }

    #[test]
    fn phases_that_wait_for_each_other_are_refused() {
        let text = phase("d", "c") + &phase("a", "c") + &phase("b", "a") + &phase("c", "b") + &phase("e", "implement");
        refused(
            &folder(),
            &text,
            expect![[r#"
            config.toml:7:9: phases.after goes in a circle: c after b after a after c; let one of them come after "implement"
        "#]],
        );
        refused(
            &folder(),
            &phase("a", "a"),
            expect![[r#"
            config.toml:3:9: phases.after goes in a circle: a after a; let one of them come after "implement"
        "#]],
        );
        refused(
            &folder(),
            &(phase("a", "secutiry") + &phase("security", "implement")),
            expect![[r#"
            config.toml:3:9: phases.after is "secutiry"; it takes "implement" or the name of another phase of this list; did you mean security?
        "#]],
        );
    }

    #[test]
    fn there_are_at_most_eight_phases() {
        let phases = |n: usize| (0..n).map(|n| phase(&format!("p{n}"), "implement")).collect::<String>();
        assert_eq!(load_in(&folder(), &phases(8)).unwrap().phases.len(), 8);
        refused(
            &folder(),
            &phases(9),
            expect![[r#"
            config.toml:33:1: phases holds 9 phases; at most 8 are run
        "#]],
        );
    }

    #[test]
    fn a_prompt_is_a_text_beside_the_users_file() {
        let folder = folder();
        let prompts = folder.path().join("prompts");
        fs::write(prompts.join("empty.md"), " \n").unwrap();
        fs::write(prompts.join("latin.md"), b"\xe4").unwrap();
        fs::write(prompts.join("large.md"), "x".repeat((64 << 10) + 1)).unwrap();
        let prompt = |name: &str| phase("a", "implement").replace("prompts/a.md", name);
        refused(
            &folder,
            &prompt("prompts/empty.md"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "prompts/empty.md", which is empty; say in it what the phase looks for
        "#]],
        );
        refused(
            &folder,
            &prompt("prompts/latin.md"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "prompts/latin.md", which is not UTF-8; save the file as UTF-8
        "#]],
        );
        refused(
            &folder,
            &prompt("prompts/large.md"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "prompts/large.md", which is too large: 65537 bytes, and no more than 65536 are read; shorten the file, or move it away
        "#]],
        );
        refused(
            &folder,
            &prompt("prompts/b.md"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "prompts/b.md", which is not there; write it at FOLDER/prompts/b.md
        "#]],
        );
        refused(
            &folder,
            &prompt("prompts"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "prompts", which cannot be read: it is not a regular file; put a text file at FOLDER/prompts
        "#]],
        );
        refused(
            &folder,
            &prompt("../a.md"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "../a.md", which is no path below the folder of this file; name one there, as in "prompts/security.md"
        "#]],
        );
        refused(
            &folder,
            &prompt("/etc/passwd"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "/etc/passwd", which is no path below the folder of this file; name one there, as in "prompts/security.md"
        "#]],
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_prompt_may_be_a_link_and_no_pipe() {
        let folder = folder();
        let prompts = folder.path().join("prompts");
        let pipe = prompts.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        refused(
            &folder,
            &phase("a", "implement").replace("a.md", "pipe"),
            expect![[r#"
            config.toml:4:10: phases.prompt is "prompts/pipe", which cannot be read: it is not a regular file; put a text file at FOLDER/prompts/pipe
        "#]],
        );
        std::os::unix::fs::symlink("a.md", prompts.join("link.md")).unwrap();
        assert!(load_in(&folder, &phase("a", "implement").replace("a.md", "link.md")).is_ok());
    }

    #[test]
    fn a_workspace_adds_no_phase() {
        let text = phase("a", "implement");
        let workspace = Some(TomlFile { name: "baton.toml".to_owned(), text });
        let editor = Some(serde_json::json!({ "phases": [{ "name": "a" }] }));
        let env = vec![("BATON_PHASES".to_owned(), "a".to_owned())];
        let errors = load(&Sources { workspace, editor, env, ..Sources::default() }).unwrap_err();
        expect![[r#"
            baton.toml:1:1: phases cannot be set here: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml
            editor setting baton.phases: phases cannot be set here: editor settings come merged with the workspace's, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml
            BATON_PHASES: phases cannot be set here; set it in your own baton/config.toml
        "#]].assert_eq(&format!("{errors}\n"));
    }
}
