//! Checks that do not run, and why.

use serde_json::json;

use super::{api, check, results, run, session, set_checks, told};
use crate::support::messages_api::Script;
use crate::support::replies::workspace;
use crate::support::session::Session;

#[test]
fn a_check_of_the_workspace_runs_only_when_a_person_said_so() {
    let session = Session::new(&workspace(1));
    session.write("baton.toml", "[[checks]]\nname = \"test\"\ncommand = \"touch ran\"\n");
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).run().expect(0);
    done.prints("Approved by reading; no check ran; skipped: test (it was not trusted).");
    assert_eq!(results(&session), ["test: skipped, null, untrusted, null"]);
    assert!(!session.exists("ran"));
}

#[test]
fn a_check_runs_when_a_file_of_its_paths_was_changed() {
    let paths = |name: &str, paths: &[&str]| json!({ "name": name, "command": "true", "paths": paths });
    let session = session(1, &[paths("rust", &["*.rs"]), paths("web", &["web/**"])]);
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).run().expect(0);
    done.prints("Approved; checks passed: rust; skipped: web (no file of its paths was changed).");
    assert_eq!(results(&session), ["rust: passed, 0, null, null", "web: skipped, null, paths, null"]);
    assert!(told(&session).last().unwrap().starts_with("check rust: passed, "));
}

#[test]
fn where_a_view_is_required_and_there_is_none_nothing_runs() {
    let session = Session::new(&workspace(1));
    set_checks(&session, "require", &[check("test", "touch ran")]);
    let api = api(Script::new(), &["T1"]);
    // No user can have more namespaces than that.
    let done = run(&session, &api).run().expect(0);
    if results(&session) == ["test: skipped, null, sandbox, null"] {
        done.prints("no check ran; skipped: test (there is no view here, which the settings require).");
        assert!(!session.exists("ran"));
    }
}
