//! The table of phases and everything beside the code that names phases or handoffs: the prompts, both clients, README
//! and the documents. A phase or a handoff that is added is named in all of them, and each failure says in which file.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use baton::config::RESERVED_PHASE_NAMES;
use baton::contracts::PhaseName;
use baton::phases::TABLE;
use baton::workflow::{Phase, Phases};
use serde_json::{Value, json};

use crate::support::editors::in_repository;
use crate::support::lsp_client::LspClient;

const VSCODE_COMMANDS: &str = "editors/vscode/src/commands.ts";
const VSCODE_PACKAGE: &str = "editors/vscode/package.json";
const VSCODE_PROTOCOL: &str = "editors/vscode/src/serverCommands.ts";
const NEOVIM_COMMANDS: &str = "editors/neovim/lua/baton/command.lua";
const NEOVIM_HELP: &str = "editors/neovim/doc/baton.txt";

fn phases() -> Phases {
    TABLE.with(&[])
}

fn text(file: &str) -> String {
    std::fs::read_to_string(in_repository(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The names of the files in a folder of the repository, without this ending.
fn files(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(in_repository(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

/// Fails with everything that is missing, each with its file.
#[track_caller]
fn nothing_is_missing(missing: Vec<String>) {
    assert!(missing.is_empty(), "a phase of the table is not named everywhere:\n- {}", missing.join("\n- "));
}

/// What `find` misses of each phase.
fn missing(find: impl Fn(&dyn Phase, &str) -> Option<String>) -> Vec<String> {
    phases().all().iter().filter_map(|phase| find(*phase, phase.name().as_str())).collect()
}

#[test]
fn every_phase_has_its_prompt_and_every_prompt_its_phase() {
    nothing_is_missing(missing(|phase, name| {
        let file = format!("prompts/{name}.md");
        let is_there = Path::new(&in_repository(&file)).is_file() && text(&file) == phase.prompt();
        (!is_there).then(|| format!("{file}: write its prompt there, and include it in its row"))
    }));
    let all = phases();
    for phase in all.with_stand_ins() {
        assert_eq!(text(&format!("prompts/{}.md", phase.name())), phase.prompt());
    }
    let beside = all.all().iter().flat_map(|phase| phase.prompts_beside());
    for (name, prompt) in beside.clone() {
        assert_eq!(text(&format!("prompts/{name}.md")), *prompt);
    }
    let named: BTreeSet<String> = all
        .with_stand_ins()
        .map(|phase| phase.name())
        .chain(beside.map(|(name, _)| *name))
        .map(|name| name.as_str().to_owned())
        .collect();
    assert_eq!(files("prompts", ".md"), named, "prompts/ holds a file that is no phase's prompt; rename or remove it");
}

#[test]
fn the_documents_tell_the_phases_in_their_order() {
    let names: Vec<&str> = phases().names().map(PhaseName::as_str).collect();
    let (arrows, commas) = (names.join(" → "), names.join(", "));
    let documents = [
        ("README.md", &arrows),
        ("server/ARCHITECTURE.md", &arrows),
        ("editors/vscode/README.md", &arrows),
        (NEOVIM_HELP, &commas),
    ];
    let lacks = |(file, words): &(&str, &String)| {
        let told = text(file).split_whitespace().collect::<Vec<_>>().join(" ");
        (!told.contains(words.as_str())).then(|| format!("{file}: say {words:?}, the phases in their order"))
    };
    nothing_is_missing(documents.iter().filter_map(lacks).collect());
    let page = text("docs/command-line.md");
    let row = page.lines().find(|line| line.starts_with("| `baton run --phase")).unwrap_or_default();
    nothing_is_missing(missing(|_, name| {
        let told = row.contains(&format!("`{name}`"));
        (!told).then(|| format!("docs/command-line.md: name `{name}` in the row of `baton run --phase`"))
    }));
}

#[test]
fn vs_code_has_a_command_for_every_phase() {
    let (protocol, commands) = (text(VSCODE_PROTOCOL), text(VSCODE_COMMANDS));
    nothing_is_missing(missing(|_, name| {
        let (listed, called) = (format!("\"baton.{name}\","), format!(".call(\"baton.{name}\""));
        if !protocol.contains(&listed) {
            return Some(format!("{VSCODE_PROTOCOL}: add \"baton.{name}\" to serverCommands"));
        }
        (!commands.contains(&called)).then(|| {
            format!(
                "{VSCODE_COMMANDS}: add a command that calls \"baton.{name}\", and contribute it in {VSCODE_PACKAGE}"
            )
        })
    }));
    // And each of those is contributed, and none is that does nothing.
    let package: Value = serde_json::from_str(&text(VSCODE_PACKAGE)).expect("JSON");
    let ids =
        package["contributes"]["commands"].as_array().into_iter().flatten().filter_map(|one| one["command"].as_str());
    let contributed: BTreeSet<&str> = ids.filter_map(|id| id.strip_prefix("batonClient.")).collect();
    for name in action_names(&commands) {
        assert!(contributed.contains(name), "{VSCODE_PACKAGE}: contribute the command batonClient.{name}");
    }
}

/// The names of the actions in commands.ts: `    name: (workflow…`, `    name: async (workflow…`.
fn action_names(source: &str) -> Vec<&str> {
    let actions = source.split_once("const actions").map_or("", |(_, rest)| rest);
    let actions = actions.split_once("\n  };").map_or("", |(actions, _)| actions);
    let names = actions.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("    ")?.split_once(": ")?;
        let is_action = rest.starts_with("(workflow") || rest.starts_with("async (workflow");
        (is_action && name.chars().all(char::is_alphanumeric)).then_some(name)
    });
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&"runPhase"), "no actions were found in {VSCODE_COMMANDS}: {names:?}");
    names
}

#[test]
fn neovim_has_a_subcommand_and_help_for_every_phase() {
    let (commands, help) = (text(NEOVIM_COMMANDS), text(NEOVIM_HELP));
    nothing_is_missing(missing(|_, name| {
        let (row, uses, tag) =
            (format!("\n  {name} = {{"), format!("uses = {{ 'baton.{name}' }}"), format!("*:Baton-{name}*"));
        if !commands.contains(&row) || !commands.contains(&uses) {
            return Some(format!("{NEOVIM_COMMANDS}: add the subcommand {name}, which uses 'baton.{name}'"));
        }
        (!help.contains(&tag)).then(|| format!("{NEOVIM_HELP}: describe :Baton {name} at the tag {tag}"))
    }));
}

#[test]
fn the_guide_for_other_editors_names_every_command_of_the_server() {
    let guide = text("editors/README.md");
    let missing = commands().into_iter().filter(|id| !guide.contains(&format!("`{id}`")));
    let missing = missing.map(|id| format!("editors/README.md: name `{id}` among all commands"));
    nothing_is_missing(missing.collect());
}

#[test]
fn no_phase_of_the_users_takes_a_name_that_something_has() {
    let phases = phases();
    let handoffs: Vec<String> =
        phases.handoffs().all().map(|handoff| handoff.file.trim_end_matches(".json").to_owned()).collect();
    let schemas = phases.handoffs().schemas();
    let schemas = schemas.iter().map(|schema| schema.name.to_owned());
    let commands = commands().into_iter().filter_map(|id| id.strip_prefix("baton.").map(str::to_owned));
    let names = phases.names().map(|name| name.as_str().to_owned());
    let taken = names.chain(handoffs).chain(schemas).chain(commands).filter(|name| PhaseName::read(name).is_ok());
    let free = taken.filter(|name| !RESERVED_PHASE_NAMES.contains(&name.as_str()));
    let free: Vec<String> =
        free.map(|name| format!("server/src/config/phases/mod.rs: add {name:?} to RESERVED_PHASE_NAMES")).collect();
    nothing_is_missing(free);
}

#[test]
fn every_handoff_is_described_by_a_schema_that_the_program_prints() {
    for (file, json) in phases().handoffs().json() {
        let printed = Command::new(env!("CARGO_BIN_EXE_baton")).args(["schema", json.name]).output().expect("baton");
        assert!(printed.status.success(), "baton schema {} prints none for {file}", json.name);
        let schema: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
        assert_eq!(schema, (json.schema)(), "{file}");
    }
}

/// The ids of the commands that the server advertises.
fn commands() -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.arg("lsp").env("XDG_CONFIG_HOME", in_repository("target/no-settings"));
    let mut client = LspClient::start(&mut command, &in_repository(""));
    let capabilities = client.initialize(json!({ "processId": null, "rootUri": null, "capabilities": {} }));
    let ids = capabilities["executeCommandProvider"]["commands"].as_array().cloned().unwrap_or_default();
    assert_eq!(client.quit(), Some(0));
    ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}
