use super::*;

fn moves(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to})
}

#[test]
fn a_moved_file_is_seen_at_its_new_path_and_edited_there() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/new/two.rs"], &["src/lib.rs"]);
    assert_eq!(
        ok(&toolbox, "move_file", moves("src/lib.rs", "src/new/two.rs")),
        "Moved src/lib.rs to src/new/two.rs.\n"
    );
    assert!(error(&toolbox, "read_file", json!({"path": "src/lib.rs"})).contains("does not exist"));
    let unread = json!({"path": "src/new/two.rs", "content": "x"});
    assert!(error(&toolbox, "write_file", unread).contains("was not read yet"), "nothing unread is written over");
    ok(&toolbox, "edit_file", json!({"path": "src/new/two.rs", "old_text": "    1", "new_text": "    2"}));
    assert!(ok(&toolbox, "search", json!({"pattern": "fn one"})).contains("src/new/two.rs"));
    let changes = staging.lock().unwrap().changes();
    let told: Vec<String> = changes.iter().map(|change| format!("{} {:?}", change.path, change.change_type)).collect();
    assert_eq!(told, ["src/lib.rs Deleted", "src/new/two.rs Created"]);
    assert_eq!(changes[1].moved_from, Some(path("src/lib.rs")));
}

#[test]
fn a_move_that_cannot_be_made_moves_nothing() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(
        &fixture,
        &["src/main.rs", "free.rs", "AGENTS.md", "src", "made.rs"],
        &["src/lib.rs", "docs", ".env", "gone.rs"],
    );
    for (from, to, reason) in [
        ("src/lib.rs", "src/main.rs", "src/main.rs exists, and a move replaces no file"),
        ("src/lib.rs", "src/lib.rs", "are the same file"),
        ("src/lib.rs", "elsewhere.rs", "not among the files of this task"),
        ("src/lib.rs", "AGENTS.md", "is protected"),
        ("src/lib.rs", ".git/hooks/x", "never touched"),
        ("src/lib.rs", "src", "cannot be written: src"),
        ("src/main.rs", "free.rs", "does not list src/main.rs to be deleted"),
        ("docs/guide.md", "free.rs", "not among the files of this task"),
        ("docs", "free.rs", "docs is a folder"),
        (".env", "free.rs", ".env is protected"),
        ("gone.rs", "free.rs", "gone.rs does not exist"),
    ] {
        let told = error(&toolbox, "move_file", moves(from, to));
        assert!(told.contains(reason), "{from} to {to}: {told}");
    }
    assert!(staging.lock().unwrap().changes().is_empty());
    assert!(ok(&toolbox, "read_file", json!({"path": "src/lib.rs"})).contains("pub fn one"));
    ok(&toolbox, "move_file", moves("src/lib.rs", "free.rs"));
    assert!(
        error(&toolbox, "move_file", moves("src/lib.rs", "made.rs")).contains("does not exist"),
        "it is gone already"
    );
}

#[test]
fn a_file_that_the_plan_deletes_is_not_written_and_what_to_do_is_said() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["new.rs"], &["src/lib.rs"]);
    for (tool, input) in [
        ("edit_file", json!({"path": "src/lib.rs", "old_text": "    1", "new_text": "    2"})),
        ("write_file", json!({"path": "src/lib.rs", "content": "x"})),
        ("move_file", moves("src/lib.rs", "src/lib.rs")),
        ("move_file", moves("new.rs", "src/lib.rs")),
    ] {
        let told = error(&toolbox, tool, input.clone());
        assert!(!told.contains("not among the files"), "{tool} {input}: {told}");
    }
    let told = error(&toolbox, "write_file", json!({"path": "src/lib.rs", "content": "x"}));
    for part in ["lists src/lib.rs to be deleted by this task", "delete_file", "move_file"] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let elsewhere = error(&toolbox, "write_file", json!({"path": "src/main.rs", "content": "x"}));
    assert!(elsewhere.contains("it may write only new.rs, and delete src/lib.rs"), "{elsewhere}");
    let blockers: Vec<String> = staging.lock().unwrap().refusals().iter().map(ToString::to_string).collect();
    assert!(blockers.iter().all(|blocker| !blocker.starts_with("the plan lists src/lib.rs")), "{blockers:?}");
    ok(&toolbox, "move_file", moves("src/lib.rs", "new.rs"));
    assert!(error(&toolbox, "write_file", json!({"path": "src/lib.rs", "content": "x"})).contains("to be deleted"));
}

#[cfg(unix)]
#[test]
fn links_are_not_moved_and_no_file_is_moved_behind_one() {
    let fixture = Fixture::new(TREE);
    fixture.link("src/lib.rs", "alias.rs");
    fixture.link("..", "up");
    let (toolbox, staging) = implementer(&fixture, &["free.rs", "up/x.rs"], &["alias.rs", "src/lib.rs"]);
    for (from, to) in [("alias.rs", "free.rs"), ("src/lib.rs", "up/x.rs")] {
        let output = toolbox.call("move_file", &moves(from, to));
        assert!(output.is_error && output.refused.is_some_and(|why| why.contains("symbolic link")), "{from}");
    }
    assert!(staging.lock().unwrap().changes().is_empty());
}
