//! The last line of `--json` is there whatever happens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{changed, finds, reviewer};
use crate::support::messages_api::MessagesApi;
use crate::support::replies::approves;
use crate::support::session::{Done, Session};

const FIELDS: [&str; 10] =
    ["outcome", "exit_code", "error", "run", "workflow", "review", "checks", "criteria", "usage", "run_usage"];

/// The error of the last line, of which every field is there.
#[track_caller]
fn error_of(done: &Done) -> Value {
    let last = done.outcome();
    assert_eq!(last.as_object().unwrap().keys().collect::<Vec<_>>(), FIELDS);
    assert_eq!(last["exit_code"], done.code.unwrap());
    assert_eq!(last["criteria"], json!({ "met": 0, "unmet": 0, "unproven": 0 }));
    last["error"].clone()
}

#[test]
fn wrong_arguments_end_with_it_too() {
    let session = Session::new("//- /a\na\n");
    for (args, words) in [
        (&["run", "--json", "--nonsense"][..], "--nonsense"),
        (&["review", "--json"], "--base"),
        (&["run", "--json", "--timeout", "15"], "15m"),
        (&["run", "--task", "--json"], "--task=--json"),
        (&["rum", "--json"], "rum"),
    ] {
        let done = session.baton(args.iter().copied()).run().expect(2).reports(words);
        assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
        let error = error_of(&done);
        assert_eq!(error["kind"], "config");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
        assert_eq!(error.get("file"), None);
    }
    // It is a flag only before `--`; and help is no fault.
    assert_eq!(session.baton(["run", "--nonsense", "--", "--json"]).run().expect(2).stdout, "");
    session.baton(["run", "--json", "--help"]).run().expect(0).prints("Exit codes:");
}

#[test]
fn a_fault_of_settings_or_of_a_handoff_has_its_file_and_line() {
    let session = changed();
    let api = finds(&[]);
    let run = |api: &MessagesApi, args: &[&str]| session.baton(args.iter().copied()).api(api).run().expect(2);
    session.write("baton.toml", "keep_runs = 5\nbudget_usd = \"much\"\n");
    for args in [&["run", "--task", "Do it", "--json"][..], &["review", "--base", "main", "--json"]] {
        let error = error_of(&run(&api, args));
        assert_eq!(
            (&error["kind"], &error["file"], &error["line"]),
            (&json!("config"), &json!("baton.toml"), &json!(2))
        );
        assert!(error["message"].as_str().unwrap().contains("baton.toml:2"), "{error}");
    }
    session.write("baton.toml", "");
    session.write_user_config("\n\nkeep_runs = \"all\"\n");
    let error = error_of(&run(&api, &["run", "--task", "Do it", "--json"]));
    let file = session.config_home().join("baton/config.toml");
    assert!(error["file"].as_str().unwrap().ends_with("baton/config.toml"), "{error} {}", file.display());
    assert_eq!(error["line"], 3);
    session.write_user_config("");
    let done = session.baton(["run", "--task", "x", "--json"]).api(&api).env("BATON_KEEP_RUNS", "all").run().expect(2);
    assert_eq!(error_of(&done).get("file"), None, "a variable is no file");
    session.write(".agent_memory/context.json", "{\n  \"relevant_files\": 7\n}\n");
    let done = session.baton(["run", "--task", "x", "--json"]).api(&api).run().expect(1);
    let error = error_of(&done);
    let file = json!(".agent_memory/context.json");
    assert_eq!((&error["kind"], &error["file"]), (&json!("contract"), &file), "{error}");
    assert!(error["line"].is_u64(), "{error}");
    assert!(api.requests().is_empty());
}

#[test]
fn a_run_whose_time_is_over_says_so() {
    let session = changed();
    let api = reviewer([approves().after(Duration::from_secs(60))]);
    let args = ["review", "--base", "main", "--json", "--timeout", "1s", "--sarif", "out.sarif"];
    let done = session.baton(args).api(&api).run().expect(130);
    let error = error_of(&done);
    assert_eq!((&error["kind"], &done.outcome()["outcome"]), (&json!("timeout"), &json!("cancelled")));
    assert_eq!(error["message"], "the run was stopped after 1s, as --timeout says");
    let log = super::json_of(&session, "out.sarif");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&json!(false), &json!(130)));
    assert_eq!(invocation["toolExecutionNotifications"][0]["message"]["text"], error["message"]);
}
