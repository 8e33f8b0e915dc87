//! The documents for people: their links lead somewhere, and the commands and flags that they name are there.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::support::editors::in_repository;

/// Beside those in `docs`.
const DOCUMENTS: [&str; 10] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "editors/README.md",
    "editors/neovim/README.md",
    "editors/vscode/README.md",
    "examples/ci/README.md",
    "server/ARCHITECTURE.md",
    "server/docs/workers.md",
    "tests/fixtures/memory-0.1.0/README.md",
];

fn documents() -> Vec<String> {
    let entries = std::fs::read_dir(in_repository("docs")).expect("docs");
    let names = entries.map(|entry| format!("docs/{}", entry.expect("an entry").file_name().to_string_lossy()));
    DOCUMENTS.map(str::to_owned).into_iter().chain(names).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// Where a document's links and pictures lead, but for those to the web.
fn links(text: &str) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    };
    events(text).filter_map(target).filter(|url| !url.contains("://")).collect()
}

/// The names by which a document's headings are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|heading| anchor(&heading))),
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let (mut broken, mut count) = (Vec::new(), 0);
    for name in documents() {
        let document = in_repository(&name);
        for link in links(&text(&document)) {
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { document.clone() } else { document.parent().expect("a folder").join(file) };
            let is_there = target.exists() && (heading.is_empty() || anchors(&text(&target)).contains(heading));
            if !is_there {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n- {}", broken.join("\n- "));
    assert!(count >= 20, "only {count} links");
    assert_eq!(anchors("# A `b` c's\n## d, e\n"), BTreeSet::from(["a-b-cs".to_owned(), "d-e".to_owned()]));
}

/// The commands of the program that a document names, each with its flags.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let code = |event| match event {
        Event::Code(code) => Some(code.into_string()),
        _ => None,
    };
    let named = |code: String| {
        let mut words = code.strip_prefix("baton ")?.split_whitespace();
        let command = words.next().filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))?.to_owned();
        let flags = words.filter_map(|word| word.trim_matches(['[', ']']).strip_prefix("--"));
        let flags = flags.map(|flag| format!("--{}", flag.split('=').next().unwrap_or_default())).collect();
        Some((command, flags))
    };
    events(text).filter_map(code).filter_map(named).collect()
}

#[test]
fn every_command_and_flag_that_is_named_is_there() {
    let mut helps: BTreeMap<String, Option<String>> = BTreeMap::new();
    let (mut missing, mut count) = (Vec::new(), 0);
    for name in documents() {
        for (command, flags) in commands(&text(&in_repository(&name))) {
            count += 1;
            let help = helps.entry(command.clone()).or_insert_with(|| help(&command));
            let Some(help) = help else {
                missing.push(format!("{name}: baton {command}"));
                continue;
            };
            let has = |flag: &str| {
                help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '[')).any(|it| it == flag)
            };
            let gone = flags.iter().filter(|flag| !has(flag));
            missing.extend(gone.map(|flag| format!("{name}: baton {command} {flag}")));
        }
    }
    assert!(missing.is_empty(), "the program has not what documents name:\n- {}", missing.join("\n- "));
    assert!(count >= 40, "only {count} commands");
    let expected = vec![("run".to_owned(), vec!["--task".to_owned(), "--only".to_owned()])];
    assert_eq!(commands("`baton run [--task TEXT] --only=T1`, `baton COMMAND`, `baton/config.toml`\n"), expected);
}

/// What the program says of a subcommand, if it has it.
fn help(command: &str) -> Option<String> {
    let mut baton = Command::new(env!("CARGO_BIN_EXE_baton"));
    let output = baton.args([command, "--help"]).stdin(Stdio::null()).output().expect("baton");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
