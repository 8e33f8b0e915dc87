//! Checks that a task tries at a worker.

use serde_json::{Value, json};

use super::{add_worker, answers};
use crate::checks::{check, has_view, set_checks};
use crate::support::messages_api::{Reply, Script};
use crate::support::replies::{but, completed, edits, own, workspace};
use crate::support::session::Session;
use crate::workers::{Lab, has_told};

fn tries(name: &str) -> Reply {
    Reply::tool("try_check", json!({ "name": name }))
}

/// A run of one task that tries a check, edits, tries it again; at one worker with these settings.
fn lab(checks: &[Value], settings: &str) -> Option<Lab> {
    let session = Session::new(&workspace(1));
    set_checks(&session, "auto", checks);
    let script = Script::new().on(
        "implement/T1",
        [
            edits("src/t1.rs", "    0\n", "    1\n"),
            tries("test"),
            edits("src/t1.rs", "    1\n", "    2\n"),
            tries("test"),
            completed(&["src/t1.rs"]),
        ],
    );
    let mut lab = Lab::new(session, but(script, &[&[own("T1")]]), 0)?;
    add_worker(&mut lab, settings, |_| {});
    lab.coordinator.start();
    lab.ends_well();
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    2\n"));
    Some(lab)
}

fn one_is_wrong() -> Value {
    check("test", "! grep -q ' 1$' src/t1.rs || { echo one is wrong; exit 4; }")
}

#[test]
fn a_check_is_tried_in_the_sandbox_of_the_worker_and_requests_do_not_tell_whether_there_is_one() {
    if !has_view() {
        return;
    }
    let Some(with) = lab(&[one_is_wrong()], "") else { return };
    let told = answers(&with.api, "implement/T1", "try_check");
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("failed (exit 4)") && told[0].contains("\none is wrong\n"), "{}", told[0]);
    assert!(told[0].contains("5 tries left."), "{}", told[0]);
    assert!(told[1].contains(" passed after ") && told[1].contains("4 tries left."), "{}", told[1]);
    assert!(!has_told(&with.coordinator, "check test: trying"), "the coordinator tried none");
    assert!(has_told(&with.coordinator, "check test: passed"), "it ran it itself at the end of the round");

    let Some(without) = lab(&[one_is_wrong()], "sandbox = \"off\"\n") else { return };
    for told in answers(&without.api, "implement/T1", "try_check") {
        assert!(told.starts_with("The check did not run: edits can be tried in a view only"), "{told}");
        assert!(told.contains("switched off") && told.ends_with("This was not counted as a try."), "{told}");
    }
    // What stands between tells the times of this very run.
    let bytes = |lab: &Lab| {
        let first = &lab.api.requests_of("implement/T1")[0];
        let system = first.system();
        let part = |from: &str, to: &str| {
            let begin = system.find(from).unwrap();
            system[begin..].split(to).next().unwrap().to_owned()
        };
        let tools = first.body["tools"].to_string();
        (part("# You implement one task", "<context>"), tools, part("<checks>", "</checks>"))
    };
    assert!(bytes(&with).1.contains("try_check"));
    assert_eq!(bytes(&with), bytes(&without));
}

#[test]
fn a_check_that_needs_secrets_is_not_tried_at_a_worker() {
    if !has_view() {
        return;
    }
    let needs_secrets = json!({ "name": "test", "command": "true", "secrets": true });
    let Some(lab) = lab(&[needs_secrets], "") else { return };
    for told in answers(&lab.api, "implement/T1", "try_check") {
        let why = "The check test was not run: it needs secrets, which stay on the user's machine.";
        assert!(told.starts_with(why), "{told}");
    }
    assert!(has_told(&lab.coordinator, "check test: passed"), "it ran where the secrets are");
}
