use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::workflow::fixture::phases;

fn command(id: &str, argument: Value) -> Command {
    parse(id, vec![argument], &phases).unwrap().command
}

#[test]
fn the_contract_lists_exactly_these_commands() {
    let contract = [
        "workflow",
        "context",
        "plan",
        "implement",
        "review",
        "approve",
        "sendNotes",
        "discardNotes",
        "reject",
        "status",
        "cancel",
        "reset",
        "rollback",
        "keep",
        "diff",
        "history",
        "log",
        "accept",
        "trust",
        "tell",
        "fixIssue",
        "dismissIssue",
        "restoreIssue",
        "openTask",
        "openPlan",
        "doctor",
        "demo",
    ];
    assert_eq!(ids(&phases()), contract.map(|name| format!("baton.{name}")));
}

#[test]
fn every_advertised_command_can_be_run_without_arguments() {
    for id in ids(&phases()) {
        for arguments in [vec![], vec![json!(null)], vec![json!({})], vec![json!({ "folder": null })]] {
            assert!(parse(&id, arguments, &phases).is_ok(), "{id}");
        }
    }
}

#[test]
fn every_advertised_command_takes_a_folder() {
    for id in ids(&phases()) {
        let call = parse(&id, vec![json!({ "folder": "file:///a" })], &phases).unwrap();
        assert_eq!(call.folder, Some(Url::parse("file:///a").unwrap()), "{id}");
    }
}

#[test]
fn a_bare_string_stands_for_the_first_field() {
    let text = || Some("x".to_owned());
    let one = || Some(vec!["x".to_owned()]);
    for (id, expected) in [
        ("baton.workflow", Command::Workflow(WorkflowArguments { task: text(), ..WorkflowArguments::default() })),
        ("baton.context", Command::Context(TaskArguments { task: text() })),
        ("baton.plan", Command::Plan(PlanArguments { feedback: text() })),
        ("baton.implement", Command::Implement(ImplementArguments { only: one() })),
        ("baton.review", Command::Review(ReviewArguments { base: text() })),
        ("baton.approve", Command::Approve(ApproveArguments { tasks: one(), ..ApproveArguments::default() })),
        ("baton.rollback", Command::Rollback(RollbackArguments { task: text(), ..RollbackArguments::default() })),
        ("baton.keep", Command::Keep(KeepArguments { file: text(), ..KeepArguments::default() })),
        ("baton.diff", Command::Diff(DiffArguments { task: text() })),
        ("baton.log", Command::Log(LogArguments { run: text() })),
        ("baton.fixIssue", Command::FixIssue(FixArguments { id: None, ids: one() })),
        ("baton.dismissIssue", Command::DismissIssue(DismissArguments { ids: one(), ..DismissArguments::default() })),
        ("baton.restoreIssue", Command::RestoreIssue(RestoreArguments { id: None, ids: one() })),
        ("baton.accept", Command::Accept(AcceptArguments { because: text() })),
        ("baton.sendNotes", {
            let note = NoteArgument { task: None, text: "x".to_owned() };
            Command::SendNotes(NotesArguments { notes: Some(vec![note]) })
        }),
        ("baton.demo", Command::Demo(DemoArguments { dir: text() })),
        ("baton.tell", Command::Tell(TellArguments { text: "x".to_owned(), task: None })),
    ] {
        assert_eq!(command(id, json!("x")), expected);
        let row = ROWS.iter().find(|row| row.id == id).unwrap();
        assert_eq!(command(id, json!({ row.first_field.unwrap(): "x" })), expected);
    }
    let without: Vec<&str> = ROWS.iter().filter(|row| row.first_field.is_none()).map(|row| row.id).collect();
    for id in without {
        assert!(parse(id, vec![json!("x")], &phases).is_err(), "{id}");
    }
}

#[test]
fn lines_are_numbers_also_in_a_string() {
    let lines = Command::DiscardNotes(DiscardArguments { lines: Some(vec![3, 7]) });
    for given in [json!("3, 7"), json!({ "lines": "3,7" }), json!({ "lines": [3, 7] })] {
        assert_eq!(command("baton.discardNotes", given), lines);
    }
    assert!(parse("baton.discardNotes", vec![json!("three")], &phases).is_err());
}

#[test]
fn arguments_are_taken_by_their_names() {
    let expected =
        WorkflowArguments { reset: Some(true), approval: Some(ApprovalMode::Auto), ..WorkflowArguments::default() };
    assert_eq!(command("baton.workflow", json!({ "reset": true, "approval": "auto" })), Command::Workflow(expected));
    let expected = RollbackArguments {
        workflow: Some("2026".to_owned()),
        task: Some("T1".to_owned()),
        file: Some("src/a.rs".to_owned()),
        hunk: Some(vec!["0a1b2c3d4e5f".to_owned()]),
        dry_run: Some(true),
        undo: Some(false),
    };
    let given = json!({
        "workflow": "2026", "task": "T1", "file": "src/a.rs", "hunk": "0a1b2c3d4e5f", "dryRun": true, "undo": false
    });
    assert_eq!(command("baton.rollback", given), Command::Rollback(expected));
    let call = parse("baton.status", vec![json!({ "folder": "file:///a" })], &phases).unwrap();
    assert_eq!(call, Call { command: Command::Status, folder: Some(Url::parse("file:///a").unwrap()) });
}

#[test]
fn issues_are_named_by_one_id_or_by_several() {
    let ids = || Some(vec!["i1".to_owned(), "i2".to_owned()]);
    let because = || Some("as meant".to_owned());
    for (given, expected) in [
        (json!("i1, i2"), DismissArguments { id: None, ids: ids(), because: None }),
        (
            json!({ "ids": ["i1", "i2"], "because": "as meant" }),
            DismissArguments { id: None, ids: ids(), because: because() },
        ),
        (json!({ "id": "i1" }), DismissArguments { id: Some("i1".to_owned()), ids: None, because: None }),
    ] {
        assert_eq!(command("baton.dismissIssue", given), Command::DismissIssue(expected));
    }
    let restore = RestoreArguments { id: None, ids: ids() };
    assert_eq!(command("baton.restoreIssue", json!({ "ids": "i1,i2" })), Command::RestoreIssue(restore));
    assert!(parse("baton.restoreIssue", vec![json!({ "ids": "i1", "because": "x" })], &phases).is_err());
    let wrong = parse("baton.accept", vec![json!({ "reason": "x" })], &phases).unwrap_err().to_string();
    assert!(wrong.ends_with("it takes {because?, folder?}, or why as a string"), "{wrong}");
}

#[test]
fn ids_are_a_list_or_one_string_as_people_type_it() {
    for (given, ids) in [
        (json!({ "only": ["T1", "T3"] }), Some(vec!["T1", "T3"])),
        (json!({ "only": "T1, T3" }), Some(vec!["T1", "T3"])),
        (json!("T1,T3,"), Some(vec!["T1", "T3"])),
        (json!({ "only": [] }), Some(vec![])),
        (json!({ "only": null }), None),
        (json!({}), None),
    ] {
        let only = ids.map(|ids| ids.into_iter().map(str::to_owned).collect());
        assert_eq!(command("baton.implement", given), Command::Implement(ImplementArguments { only }));
    }
    assert!(parse("baton.implement", vec![json!({ "only": [1] })], &phases).is_err());
    assert!(parse("baton.implement", vec![json!({ "only": 1 })], &phases).is_err());
}

#[test]
fn a_wrong_call_says_what_would_be_right() {
    for (id, arguments, message) in [
        (
            "baton.status",
            vec![json!({ "all": 1 })],
            "baton.status: unknown field `all`; it takes nothing but {folder?}",
        ),
        ("baton.cancel", vec![json!("now")], "baton.cancel: \"now\" is given; it takes nothing but {folder?}"),
        (
            "baton.status",
            vec![json!({}), json!({})],
            "baton.status: 2 arguments are given; it takes nothing but {folder?}",
        ),
        (
            "baton.status",
            vec![json!({ "folder": 3 })],
            "baton.status: folder is 3, and is the URI of a workspace folder; it takes nothing but {folder?}",
        ),
    ] {
        assert_eq!(parse(id, arguments, &phases).unwrap_err().to_string(), message);
    }
    let unknown = parse("baton.nothing", vec![], &phases).unwrap_err().to_string();
    assert!(unknown.starts_with("\"baton.nothing\" is no command of Baton's; there are baton.workflow, "), "{unknown}");
    for wrong in [json!({ "aproval": "auto" }), json!({ "approval": "yes" }), json!({ "task": 3 }), json!(3)] {
        let message = parse("baton.workflow", vec![wrong], &phases).unwrap_err().to_string();
        assert!(message.ends_with("or the task as a string"), "{message}");
    }
}

/// What a row of the table in `editors/README.md` says of a command: its fields, in the order of the table there.
fn documented() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<String>>();
    let rows = text.lines().filter(|line| line.starts_with("| `baton."));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (quoted(cells[1]).remove(0), quoted(cells[2]))
    })
    .collect()
}

/// The fields that a command takes, in their order, by what it says of one that it does not take.
fn taken(id: &str) -> Vec<String> {
    let refused = parse(id, vec![json!({ "none such": 1 })], &phases).unwrap_err();
    let CallError::Arguments { fault, .. } = refused else { panic!("{refused}") };
    let expected = fault.split_once("expected").map(|(_, expected)| expected).unwrap_or_default();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_page_on_editors_has_the_arguments_of_every_command() {
    let documented = documented();
    let known: BTreeMap<String, Vec<String>> = ids(&phases()).into_iter().map(|id| (id.clone(), taken(&id))).collect();
    assert_eq!(documented, known, "the table of commands in editors/README.md");
    for row in &ROWS {
        // The page says that a string stands for the first of them.
        assert_eq!(row.first_field, known[row.id].first().map(String::as_str), "{}", row.id);
        let fields = known[row.id].iter();
        assert!(fields.clone().all(|field| row.usage.contains(field.as_str())), "{}: {}", row.id, row.usage);
    }
}
