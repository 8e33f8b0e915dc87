//! What the phase leaves in the memory folder, and what becomes of it.

use serde_json::json;

use super::{AGENT, finds, issue, merged, script, session, set_aside, standing, unchecked};
use crate::support::messages_api::{MessagesApi, RequestName, Script, agents};
use crate::support::replies::{approves, but, fixes, goes_well, own, plan, review};

#[test]
fn asked_for_by_name_it_runs_again_and_sets_itself_and_the_review_aside() {
    let session = session(1);
    merged(&session, script());
    let again = Script::new().on(AGENT, finds("Nothing is open.", &[]));
    let api = MessagesApi::start(but(again, &[&[own("T1")]]));
    session.run(&api, ["--phase", "security"]).expect(0);
    assert_eq!(agents(&api.requests()), [AGENT]);
    assert_eq!(session.history(), ["0001-phase"]);
    let entry = session.names(&session.memory("history/0001-phase"));
    assert_eq!(entry, ["review.json", "security.json"]);
    assert_eq!(session.handoff("security.json")["summary"], "Nothing is open.");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["next"], "review");
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()), [AGENT, "review"]);
}

#[test]
fn asked_for_too_early_it_says_what_it_lacks() {
    let session = session(1);
    let api = MessagesApi::start(script());
    session.run(&api, ["--phase", "security"]).expect(2);
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.run(&api, ["--phase", "security"]).expect(2).reports("run --phase implement first");
    assert_eq!(agents(&api.requests()), ["context", "plan"]);
}

#[test]
fn a_new_plan_and_a_reset_set_it_aside() {
    let session = session(1);
    let other = plan(&[&[own("T1")]]);
    let script = Script::new()
        .rounds("plan", [vec![plan(&[&[own("T1")]])], vec![other]])
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds(AGENT, [finds("One is open.", &[unchecked()]), finds("Two is open.", &[])])
        .rounds("review", [vec![review("rejected", "re_plan", &[])], vec![approves()]]);
    let api = merged(&session, but(script, &[&[own("T1")]]));
    let order = agents(&api.requests());
    assert_eq!(order[4..], ["review", "plan", "implement/T1", AGENT, "review"], "{order:?}");
    assert_eq!(set_aside(&session), ["0001-re-plan"]);
    assert_eq!(session.handoff("security.json")["summary"], "Two is open.");

    session.baton(["reset"]).run().expect(0);
    assert!(!session.exists(".agent_memory/security.json"));
    assert_eq!(set_aside(&session), ["0001-re-plan", "0002-reset"]);
}

#[test]
fn a_rollback_sets_it_aside_and_undone_brings_it_back() {
    let session = session(1);
    let api = merged(&session, script());
    let before = session.text(".agent_memory/security.json");
    session.baton(["rollback"]).run().expect(0);
    assert!(!session.exists(".agent_memory/security.json"));
    assert_eq!(standing(&session)[3], "security pending: ");
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(session.text(".agent_memory/security.json"), before);
    // The workflow is at its end again, and asks nothing.
    let asked = api.requests().len();
    session.run(&api, []).expect(0);
    assert_eq!(api.requests().len(), asked);
}

#[test]
fn killed_in_the_middle_of_it_the_next_start_goes_on_and_pays_nothing_twice() {
    let name = RequestName::from((AGENT, 1));
    let session = session(1);
    let api = MessagesApi::start(script().stall_once(&name));
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request(&name);
    run.kill();
    assert_eq!(standing(&session)[3].split(':').next(), Some("security interrupted"));
    let before = api.requests().len();
    session.run(&api, []).expect(0);
    let after: Vec<String> = api.requests()[before..].iter().map(|request| request.name().to_string()).collect();
    let expected = [name.to_string(), RequestName::from("review").to_string()];
    assert_eq!(after, expected, "only what was not answered is asked again");
    assert_eq!(session.handoff("security.json")["issues"][0]["line"], 2);
}

#[test]
fn killed_after_it_the_review_is_next() {
    let session = session(1);
    let api = MessagesApi::start(script().stall_once(&RequestName::from("review")));
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request("review");
    run.kill();
    let before = api.requests().len();
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()[before..]), ["review"]);
}

#[test]
fn a_faulty_file_of_it_stops_the_run_at_its_place_until_it_is_repaired() {
    let session = session(1);
    let api = merged(&session, script());
    let good = session.text(".agent_memory/security.json");
    session
        .write(".agent_memory/security.json", "{\n  \"round\": 1,\n  \"issues\": [{ \"severity\": \"grave\" }]\n}\n");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let fault = &status["faults"][0];
    assert_eq!((&fault["file"], &fault["line"]), (&json!(".agent_memory/security.json"), &json!(1)), "{status}");
    let lines: Vec<u64> =
        status["faults"].as_array().expect("faults").iter().filter_map(|f| f["line"].as_u64()).collect();
    assert!(lines.contains(&3), "{status}");
    assert_eq!(status["next"], "none");
    let asked = api.requests().len();
    session.run(&api, []).expect(1).reports(".agent_memory/security.json:3:");
    assert_eq!(api.requests().len(), asked);
    session.write(".agent_memory/security.json", good);
    session.run(&api, []).expect(0);
}

#[test]
fn written_by_hand_it_counts_as_that_of_the_current_round() {
    let session = session(1);
    let script = Script::new().on(AGENT, finds("Asked.", &[]));
    let api = MessagesApi::start(but(script, &[&[own("T1")]]).stall_once(&RequestName::from(AGENT)));
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request(AGENT);
    run.kill();
    let by_hand = json!({ "summary": "By hand.", "issues": [unchecked()] });
    session.write(".agent_memory/security.json", by_hand.to_string());
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests())[3..], [AGENT, "review"]);
    assert!(api.first_message("review", 0).contains("By hand."));
}

#[test]
fn an_issue_of_it_is_not_fixed_by_its_id() {
    let session = session(1);
    let api = merged(&session, leaves_two_open());
    let id = session.handoff("security.json")["issues"][0]["id"].as_str().expect("an id").to_owned();
    session.run(&api, ["--fix", id.as_str()]).expect(2).reports("security");
}

#[test]
fn what_was_dismissed_of_it_is_raised_no_more() {
    let session = session(1);
    // The number stays at its line, and so does the issue.
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 1)])
        .on(AGENT, finds("One is open.", &[unchecked()]))
        .on("review", [review("approved", "merge", &[])]);
    let api = merged(&session, but(script, &[&[own("T1")]]));
    let id = session.handoff("security.json")["issues"][0]["id"].clone();
    session.write(".agent_memory/dismissed.json", json!([id]).to_string());
    session.run(&api, ["--phase", "security"]).expect(0);
    let told = api.first_message(AGENT, 1);
    assert!(told.contains("<dismissed_issues") && told.contains("The number is not checked."), "{told}");
    session.run(&api, ["--phase", "review"]).expect(0);
    let told = api.first_message("review", 1);
    let (further, dismissed) = (told.find("<further_review").expect("it"), told.find("<dismissed_issues").expect("it"));
    assert!(!told[further..dismissed].contains("The number is not checked."), "{told}");
    assert!(told[dismissed..].contains("The number is not checked."), "{told}");
}

/// The phase and the review each leave an issue.
fn leaves_two_open() -> Script {
    let low = issue("minor", "    1", "It is too low.");
    let script = Script::new().on(AGENT, finds("One is open.", &[unchecked()]));
    but(script.on("review", [review("approved", "merge", &[low])]), &[&[own("T1")]])
}

#[test]
fn removed_from_the_settings_its_file_troubles_nothing_and_is_never_taken_for_a_later_work() {
    let session = session(1);
    merged(&session, script());
    session.write_user_config("");
    assert_eq!(standing(&session).len(), 4);
    session.baton(["schema", "security"]).run().expect(2);

    // The next round, a new plan or a reset set it aside with the rest.
    session.baton(["reset"]).run().expect(0);
    assert_eq!(set_aside(&session), ["0001-reset"]);
    assert!(!session.exists(".agent_memory/security.json"));

    let api = merged(&session, but(Script::new().rounds("implement/T1", [fixes("T1", 1, 2)]), &[&[own("T1")]]));
    assert_eq!(agents(&api.requests()), ["context", "plan", "implement/T1", "review"]);
    // Added again, it is due for this work too.
    session.add_phase("security", "after = \"implement\"");
    assert_eq!(standing(&session)[3], "security skipped: ");
}

#[test]
fn removed_from_the_settings_its_file_goes_and_comes_with_a_rollback_and_goes_with_another_plan() {
    let session = session(1);
    merged(&session, script());
    let before = session.text(".agent_memory/security.json");
    session.write_user_config("");
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(set_aside(&session), ["0001-rollback"]);
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(session.text(".agent_memory/security.json"), before);
    assert!(session.history().is_empty());

    // Files that a person keeps there stay, whatever they are called.
    session.write(".agent_memory/notes.json", "{\"summary\": \"mine\"}");
    let api = MessagesApi::start(script());
    session.run(&api, ["--phase", "plan"]).expect(0);
    assert_eq!(set_aside(&session), ["0001-phase"]);
    assert!(session.exists(".agent_memory/notes.json"));
}

#[test]
fn removed_in_the_middle_of_a_round_its_findings_are_of_that_round_alone() {
    let session = session(1);
    // Killed, the review is asked anew: without the phase it is told other things.
    let wants_more = vec![review("changes_requested", "fix_and_re_review", &[issue("minor", "    1", "Too low.")])];
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .on(AGENT, finds("One is open.", &[unchecked()]))
        .rounds("review", [wants_more.clone(), wants_more, vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]).stall_once(&RequestName::from("review")));
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request("review");
    run.kill();
    session.write_user_config("");
    session.run(&api, []).expect(0);
    assert_eq!(set_aside(&session), ["0001-fix"]);
    assert!(!session.exists(".agent_memory/security.json"));
}

#[test]
fn added_to_a_workflow_that_is_at_its_end_it_can_be_run_by_name() {
    let session = crate::support::session::Session::new(&crate::support::replies::workspace(1));
    merged(&session, goes_well(&[&[own("T1")]]));
    session.add_phase("security", "after = \"implement\"");
    let api = MessagesApi::start(script());
    session.run(&api, []).expect(0);
    assert!(api.requests().is_empty(), "what is approved stays so");
    session.run(&api, ["--phase", "security"]).expect(0);
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()), [AGENT, "review"]);
}
