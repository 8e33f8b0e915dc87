//! `baton history` and `baton rollback --workflow`: the workflows that ran here, and undoing one that is not the last.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, completed, edits, goes_well, modifies, own, workspace};
use crate::support::session::{Done, Session};

/// A file with a comment far from the function, which answers 0.
const T1: &str = "// a\n\n\n\n\npub fn t1() -> u32 {\n    0\n}\n";

/// A workspace in which the function of each file answers 0.
fn session() -> Session {
    Session::in_git(&workspace(2).replacen("pub fn t1() -> u32 {\n    0\n}\n", T1, 1))
}

/// A workflow whose one task makes one edit.
fn workflow(session: &Session, task: &str, file: &str, (old, new): (&str, &str)) {
    let script = Script::new().on("implement/T1", [edits(file, old, new), completed(&[file])]);
    let api = MessagesApi::start(but(script, &[&[modifies("T1", file)]]));
    session.run(&api, ["--task", task, "--auto-approve"]).expect(0);
}

fn history(session: &Session) -> Vec<Value> {
    let printed = session.baton(["history", "--json"]).run().expect(0).json();
    printed["workflows"].as_array().expect("workflows").clone()
}

fn rollback<'a>(session: &Session, args: impl IntoIterator<Item = &'a str>) -> Done {
    session.baton(std::iter::once("rollback").chain(args)).run()
}

/// The task, the outcome and what can be done, of each.
fn facts(workflows: &[Value]) -> Vec<String> {
    let flag = |past: &Value, name: &str| if past[name] == true { format!(" {name}") } else { String::new() };
    let facts = |past: &Value| {
        let flags: String = ["current", "can_undo", "can_bring_back"].iter().map(|name| flag(past, name)).collect();
        format!("{} {} {}{flags}", past["task"].as_str().unwrap_or("?"), past["outcome"], past["files"])
    };
    workflows.iter().map(facts).collect()
}

#[test]
fn each_workflow_is_listed_and_an_earlier_one_is_undone_and_brought_back_around_what_came_later() {
    let session = session();
    session.baton(["history"]).run().expect(0).prints("Nothing has been run here yet");
    assert!(history(&session).is_empty());
    workflow(&session, "Rename", "src/t1.rs", ("// a", "// b"));
    workflow(&session, "Answer 1", "src/t1.rs", ("    0\n", "    1\n"));
    workflow(&session, "Other", "src/t2.rs", ("    0\n", "    2\n"));
    let all = history(&session);
    let expected =
        ["Other \"merged\" 1 current can_undo", "Answer 1 \"merged\" 1 can_undo", "Rename \"merged\" 1 can_undo"];
    assert_eq!(facts(&all), expected);
    let ids: Vec<&str> = all.iter().map(|past| past["workflow"].as_str().expect("an id")).collect();
    let mut runs = session.runs();
    runs.reverse();
    assert_eq!(ids, runs);
    assert_eq!(all[0]["runs"], json!([ids[0]]));
    assert!(all.iter().all(|past| past["usage"]["cost_usd"].as_f64() > Some(0.0) && past["at"].is_string()));
    let status = || session.baton(["status", "--json"]).run().expect(0).json();
    let before = status();

    let rename = ids[2].to_owned();
    rollback(&session, ["--workflow", &rename, "--dry-run"])
        .expect(0)
        .prints("merged      src/t1.rs")
        .prints("Nothing was written");
    assert!(session.text("src/t1.rs").starts_with("// b"));
    let done = rollback(&session, ["--workflow", &rename]).expect(0);
    let done = done.prints("merged      src/t1.rs (your edits since are kept)");
    done.prints(&format!("`baton rollback --workflow {rename} --undo` brings it back."));
    assert_eq!(session.text("src/t1.rs"), T1.replace("    0", "    1"), "what came later is kept");
    assert_eq!(session.text("src/t2.rs"), "pub fn t2() -> u32 {\n    2\n}\n");
    let expected = [
        "Other \"merged\" 1 current can_undo",
        "Answer 1 \"merged\" 1 can_undo",
        "Rename \"rolled_back\" 1 can_bring_back",
    ];
    assert_eq!(facts(&history(&session)), expected);
    assert_eq!(history(&session)[2]["runs"].as_array().map(Vec::len), Some(1), "the rollback is no run of an agent");
    for field in ["outcome", "phases", "tasks", "ways_on", "run"] {
        assert_eq!(status()[field], before[field], "{field} of the workflow at hand");
    }
    rollback(&session, ["--workflow", &rename]).expect(2).reports("undone already");

    rollback(&session, ["--undo"]).expect(2).reports("nothing to bring back");
    rollback(&session, ["--workflow", &rename, "--undo"]).expect(0).prints("Brought back: 1 file.");
    assert_eq!(session.text("src/t1.rs"), T1.replace("    0", "    1").replace("// a", "// b"));
    rollback(&session, ["--workflow", &rename, "--undo"]).expect(2);

    // The next workflow sets the one at hand aside, and takes nothing of the rollbacks along.
    workflow(&session, "Fourth", "src/t2.rs", ("    2\n", "    3\n"));
    let expected = [
        "Fourth \"merged\" 1 current can_undo",
        "Other \"merged\" 1 can_undo",
        "Answer 1 \"merged\" 1 can_undo",
        "Rename \"merged\" 1 can_undo",
    ];
    assert_eq!(facts(&history(&session)), expected);
    // Named, the one at hand is undone as without a name.
    let fourth = history(&session)[0]["workflow"].as_str().expect("an id").to_owned();
    rollback(&session, ["--workflow", &fourth]).expect(0);
    assert_eq!(status()["outcome"], "rolled_back");
    assert_eq!(session.text("src/t2.rs"), "pub fn t2() -> u32 {\n    2\n}\n");
}

#[test]
fn what_a_later_workflow_wrote_on_the_same_lines_is_left_alone_and_named() {
    let session = session();
    workflow(&session, "One", "src/t1.rs", ("    0\n", "    1\n"));
    workflow(&session, "Two", "src/t1.rs", ("    1\n", "    2\n"));
    let one = history(&session)[1]["workflow"].as_str().expect("an id").to_owned();
    let done = rollback(&session, ["--workflow", &one]).expect(3);
    done.prints("left alone  src/t1.rs: ").prints("as it was before: .agent_memory/runs/");
    assert!(session.text("src/t1.rs").contains("    2\n"));
    // Newest first, both can be undone.
    rollback(&session, []).expect(0);
    rollback(&session, ["--workflow", &one]).expect(0);
    assert!(session.text("src/t1.rs").contains("    0\n"));
}

#[test]
fn a_workflow_that_was_rolled_back_and_set_aside_can_be_brought_back() {
    let session = session();
    workflow(&session, "One", "src/t1.rs", ("    0\n", "    1\n"));
    rollback(&session, []).expect(0);
    session.baton(["reset"]).run().expect(0);
    assert_eq!(facts(&history(&session)), ["One \"rolled_back\" 1 can_bring_back"]);
    workflow(&session, "Two", "src/t2.rs", ("    0\n", "    2\n"));
    let all = history(&session);
    let one = all[1]["workflow"].as_str().expect("an id");
    rollback(&session, ["--workflow", one, "--undo"]).expect(0);
    assert!(session.text("src/t1.rs").contains("    1\n") && session.text("src/t2.rs").contains("    2\n"));
    assert_eq!(facts(&history(&session))[1], "One \"merged\" 1 can_undo");
}

#[test]
fn a_wrong_id_names_those_there_are_and_removed_runs_are_said() {
    let session = session();
    session.write("baton.toml", "keep_runs = 1\n");
    workflow(&session, "One", "src/t1.rs", ("    0\n", "    1\n"));
    workflow(&session, "Two", "src/t2.rs", ("    0\n", "    2\n"));
    let all = history(&session);
    assert_eq!(facts(&all), ["Two \"merged\" 1 current can_undo", "One \"merged\" 0"]);
    assert_eq!((&all[1]["removed_runs"], &all[1]["usage"]), (&json!(1), &Value::Null));
    let [two, one] = [0, 1].map(|n: usize| all[n]["workflow"].as_str().expect("an id"));
    let done = rollback(&session, ["--workflow", one]).expect(2).reports("there is nothing to undo");
    done.reports("1 run of that workflow was removed (keep_runs)");
    rollback(&session, ["--workflow", "1999"])
        .expect(2)
        .reports("no workflow has the id 1999")
        .reports(two)
        .reports(one);
    rollback(&session, ["--workflow", "2"]).expect(2).reports("several workflows begin with 2");
    let table = session.baton(["history"]).run().expect(0).stdout;
    assert!(table.contains("1 run (1 removed)") && table.contains("  baton rollback  undo\n"), "{table}");
}

#[test]
fn the_run_of_a_rollback_says_which_workflow_it_is_of_and_a_damaged_word_hides_nothing() {
    let session = session();
    workflow(&session, "One", "src/t1.rs", ("    0\n", "    1\n"));
    workflow(&session, "Two", "src/t2.rs", ("    0\n", "    2\n"));
    let one = history(&session)[1]["workflow"].as_str().expect("an id").to_owned();
    rollback(&session, ["--workflow", &one]).expect(0);
    let run = session.runs().pop().expect("a run");
    assert_eq!(session.text(&session.memory(&format!("runs/{run}/rolls_back"))), one);
    // A folder that names no workflow, or one that is not there, hides nothing else.
    session.write(&session.memory(&format!("runs/{run}/rolls_back")), "no id");
    assert_eq!(history(&session).len(), 2);
    session.baton(["status"]).run().expect(0).no_panic();
}

#[test]
fn an_editor_lists_and_undoes_them_too() {
    let session = session();
    workflow(&session, "One", "src/t1.rs", ("    0\n", "    1\n"));
    workflow(&session, "Two", "src/t2.rs", ("    0\n", "    2\n"));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let mut client = session.lsp_client(&api);
    let answer = client.execute("baton.history", &[]).expect("an answer");
    assert_eq!(answer["workflows"], Value::from(history(&session)));
    let one = answer["workflows"][1]["workflow"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let done = client.execute("baton.rollback", &[json!({ "workflow": one, "dryRun": true })]).expect("an answer");
    assert_eq!((&done["dry_run"], &done["files"][0]["outcome"]), (&json!(true), &json!("restored")));
    client.execute("baton.rollback", &[json!({ "workflow": one })]).expect("an answer");
    assert!(session.text("src/t1.rs").contains("    0\n"));
    client.execute("baton.rollback", &[json!({ "workflow": one, "undo": true })]).expect("an answer");
    assert!(session.text("src/t1.rs").contains("    1\n"));
    assert_eq!(client.quit(), Some(0));

    let mut plain = session.lsp_client_with(&api, &Value::Null);
    plain.execute("baton.history", &[]).expect("an answer");
    let message = plain.wait_for_message();
    let text = message["params"]["message"].as_str().expect("a text");
    assert!(text.contains(&format!("{one}: approved, 1 file, can be undone: One")), "{text}");
}
