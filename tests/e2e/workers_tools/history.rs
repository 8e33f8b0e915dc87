//! A worker has no repository: what asks for history says so.

use std::fs;

use serde_json::json;

use super::{add_worker, answers};
use crate::support::messages_api::{Reply, Script};
use crate::support::replies::{but, completed, edits, own, workspace};
use crate::support::session::Session;
use crate::workers::Lab;

#[test]
fn there_is_no_history_on_a_worker_and_none_of_the_worker_s_own_is_shown() {
    let asks = Reply::tools([
        ("log", json!({})),
        ("read_file", json!({ "path": "src/t1.rs", "at": "HEAD" })),
        ("list_files", json!({})),
    ]);
    let script =
        Script::new().on("implement/T1", [asks, edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])]);
    let Some(mut lab) = Lab::new(Session::in_git(&workspace(1)), but(script, &[&[own("T1")]]), 0) else { return };
    // The worker's home is a repository of somebody else's, in which all is ignored.
    add_worker(&mut lab, "", |worker| {
        let home = worker.session.path("..");
        let repository = git2::Repository::init(&home).unwrap();
        fs::write(home.join(".gitignore"), "*\n").unwrap();
        let mut index = repository.index().unwrap();
        index.add_path(std::path::Path::new(".gitignore")).unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let somebody = git2::Signature::now("Somebody Else", "else@example.org").unwrap();
        repository.commit(Some("HEAD"), &somebody, &somebody, "private work", &tree, &[]).unwrap();
    });
    lab.coordinator.start();
    lab.ends_well();
    let none =
        "There is no git history on this machine, a worker, which has the files as they are now and no repository; ";
    assert_eq!(answers(&lab.api, "implement/T1", "log"), [format!("{none}go by the files themselves.")]);
    let read = answers(&lab.api, "implement/T1", "read_file");
    assert_eq!(read[0], format!("{none}no earlier version of a file can be read: leave `at` out."));
    let listed = answers(&lab.api, "implement/T1", "list_files");
    assert!(listed[0].contains("t1.rs"), "rules of the worker's own repository hide nothing: {}", listed[0]);
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
}
