//! SECURITY.md: every test that it names is there, and every threat of its table has one.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::editors::in_repository;

/// The names of the tests in the sources below a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            tests_of(&std::fs::read_to_string(&path).expect("a text"), found);
        }
    }
}

/// The functions that carry an attribute which makes them tests.
fn tests_of(source: &str, found: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test) {
            found.extend(name.split('(').next().map(str::to_owned));
            is_test = false;
        }
    }
}

/// A threat, and the tests that prove the defence against it.
fn row(line: &str) -> (&str, Vec<&str>) {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let ["", threat, _, tests, ""] = cells[..] else { panic!("not three cells: {line}") };
    (threat, tests.split('`').skip(1).step_by(2).collect())
}

/// The rows of the table of threats, each with the tests that it names.
fn rows(text: &str) -> Vec<(&str, Vec<&str>)> {
    let (_, table) =
        text.split_once("| threat | defence | proved by |\n|---|---|---|\n").expect("the table of threats");
    table.lines().take_while(|line| line.starts_with('|')).map(row).collect()
}

#[test]
fn each_test_that_the_table_of_threats_names_is_there() {
    let text = std::fs::read_to_string(in_repository("SECURITY.md")).expect("SECURITY.md");
    let mut found = BTreeSet::new();
    for folder in ["tests/e2e", "server/src"] {
        tests_below(&in_repository(folder), &mut found);
    }
    let rows = rows(&text);
    assert!(rows.len() >= 20, "only {} threats", rows.len());
    let mut missing = Vec::new();
    for (threat, tests) in rows {
        assert!(!tests.is_empty(), "no test proves the defence against: {threat}");
        let gone = tests.iter().filter(|test| !found.contains(**test));
        missing.extend(gone.map(|test| format!("{test}, which proves the defence against: {threat}")));
    }
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there:\n- {}", missing.join("\n- "));
}

#[test]
fn only_tests_count_as_tests() {
    let mut found = BTreeSet::new();
    tests_of(
        "fn a() {}\n#[test]\n#[ignore]\nfn b() {}\n#[tokio::test]\nasync fn c() {}\n#[test]\npub(super) fn d() {}\nfn e() {}\n",
        &mut found,
    );
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "c", "d"]);
}
