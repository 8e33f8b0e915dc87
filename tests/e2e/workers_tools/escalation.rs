//! A task that its first model failed at is done once more by the next tier, at workers.

use serde_json::{Value, json};

use crate::support::messages_api::{Reply, Script};
use crate::support::replies::{but, completed, edits, own, workspace};
use crate::support::session::Session;
use crate::workers::Lab;

#[test]
fn the_next_tier_goes_on_with_the_edits_of_one_that_failed_and_the_report_lists_both() {
    let failed = json!({ "status": "failed", "changes": [], "notes": "I cannot find out what 2 is.", "blockers": [] });
    let first = vec![edits("src/t1.rs", "    0\n", "    1\n"), Reply::tool("submit_result", failed)];
    let second = vec![edits("src/t1.rs", "    1\n", "    2\n"), completed(&["src/t1.rs"])];
    let script = || but(Script::new().rounds("implement/T1", [first.clone(), second.clone()]), &[&[own("T1")]]);
    let attempts =
        |session: &Session| -> Value { session.handoff("impl_report.json")["results"][0]["attempts"].clone() };
    // The same without workers, to compare with.
    let here = Session::new(&workspace(1));
    let api = crate::support::messages_api::MessagesApi::start(script());
    here.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script(), 2) else { return };
    lab.coordinator.start();
    lab.ends_well();
    let session = &lab.coordinator.session;
    assert!(session.text("src/t1.rs").contains("    2\n"), "{}", session.text("src/t1.rs"));
    assert_eq!(attempts(session).as_array().map(Vec::len), Some(2), "{}", attempts(session));
    let without_cost = |attempts: Value| -> Vec<(Value, Value)> {
        let all = attempts.as_array().cloned().unwrap_or_default();
        all.into_iter().map(|attempt| (attempt["model"].clone(), attempt["status"].clone())).collect()
    };
    assert_eq!(without_cost(attempts(session)), without_cost(attempts(&here)));
    let told = lab.api.first_message("implement/T1", 1);
    for part in ["handed it on as failed", "src/t1.rs are in place", "I cannot find out what 2 is."] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
}
