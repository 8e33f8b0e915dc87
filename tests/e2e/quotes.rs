//! A finding is not lost to how its line was quoted: copied from a diff, from a listing, or with other white space.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, but, completed, edits, findings, fixes, own, review, with, workspace};
use crate::support::session::Session;

const NO_PLACE: &str = "(no place in the code was found)";

fn issue(file: &str, line: u32, quote: &str, description: &str) -> Value {
    json!({ "severity": "major", "file": file, "line": line, "quote": quote, "description": description })
}

fn wants_fixes(issues: &[Value]) -> Reply {
    review("changes_requested", "fix_and_re_review", issues)
}

/// Descriptions, lines and whether a place was found, of what a handoff lists.
fn places(handoff: &Value) -> Vec<(String, u64, bool)> {
    let place = |issue: &Value| {
        let description = issue["description"].as_str().unwrap().to_owned();
        (description, issue["line"].as_u64().unwrap(), issue["placed"] != false)
    };
    handoff["issues"].as_array().unwrap().iter().map(place).collect()
}

/// The answer that an agent's last submission got.
fn fault(api: &MessagesApi, agent: &str, turn: usize) -> String {
    let requests = api.requests_of(agent);
    let request = requests.iter().find(|request| request.turn == turn).expect("a further turn");
    request.last_message()[0]["content"].to_string()
}

/// In the file after T1: `pub fn t1() -> u32 {`, `    1`, `}`.
#[test]
fn quotes_as_reviewers_copy_them_lead_to_a_fix_and_not_to_an_end() {
    let quoted = [
        issue("src/t1.rs", 1, "+    1", "from the diff"),
        issue("src/t1.rs", 3, "    2\t    1", "from the listing"),
        issue("src/t1.rs", 2, "pub  fn\tt1()  -> u32 {", "with other blanks"),
        issue("src/t1.rs", 1, " pub fn t1() -> u32 {\n-    0\n+    1\n }", "a whole hunk"),
        issue("src/t1.rs", 1, "src/t1.rs:3: }", "from a search"),
        issue("src/t1.rs", 9, "-   1\tfn t1()", "a part of a line, numbered, from the diff"),
    ];
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds("review", [vec![wants_fixes(&quoted)], vec![approves()]]);
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let first: Value = serde_json::from_str(&session.text(".agent_memory/history/0001-fix/review.json")).unwrap();
    let lines: Vec<u64> =
        places(&first).into_iter().map(|(_, line, is_placed)| if is_placed { line } else { 0 }).collect();
    assert_eq!(lines, [2, 2, 1, 1, 3, 1]);
    assert_eq!(first["summary"], "The verdict is changes_requested.", "nothing is moved to the summary");
    assert!(api.first_message("implement/T1", 1).contains("from the listing"));
}

#[test]
fn what_stands_nowhere_goes_back_and_is_mended() {
    let wrong = [issue("src/t1.rs", 2, "    100", "A"), issue("src/t9.rs", 1, "x", "B")];
    let right = [issue("src/t1.rs", 2, "    1", "A"), issue("src/t1.rs", 1, "pub fn t1", "B")];
    let ask = |issues: &[Value]| review("rejected", "escalate_to_human", issues);
    let session = Session::new(&workspace(1));
    let script = Script::new().on("review", [ask(&wrong), ask(&right)]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    let told = fault(&api, "review", 1);
    assert!(
        told.contains("/issues/0/quote: this text stands nowhere in src/t1.rs; the most like it is line 2"),
        "{told}"
    );
    assert!(told.contains("/issues/1/file: there is no file src/t9.rs"), "{told}");
    let handoff = session.handoff("review.json");
    assert_eq!(places(&handoff), [("A".to_owned(), 2, true), ("B".to_owned(), 1, true)]);
}

/// The same wrong places three times: nothing is lost, and nothing is fixed where nobody knows what.
#[test]
fn on_the_last_try_what_has_no_place_is_kept_and_a_person_is_called() {
    let lost = [
        issue("src/t1.rs", 99, "-    0", "the removed line"),
        issue("src/gone.rs", 7, "gone();", "the deleted file"),
        issue("../x\u{1b}[2J", 7, "root", "outside"),
        issue("/etc/passwd", 7, "root", "absolute"),
        issue(".git/config", 7, "[core]", "of git"),
        issue(".agent_memory/plan.json", 1, "tasks", "of the memory"),
    ];
    let session = Session::in_git(&format!("{}//- /src/gone.rs\ngone();\n", workspace(1)));
    let delete = Reply::tool("delete_file", json!({ "path": "src/gone.rs" }));
    let deletes = with(own("T1"), json!({ "files_to_delete": ["src/gone.rs"] }));
    let script = Script::new()
        .on(
            "implement/T1",
            [edits("src/t1.rs", "    0\n", "    1\n"), delete, completed(&["src/t1.rs", "src/gone.rs"])],
        )
        .on("review", [wants_fixes(&lost), wants_fixes(&lost), wants_fixes(&lost)]);
    let api = MessagesApi::start(but(script, &[&[deletes]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    let done = done
        .prints("for no issue that is left a place in the code was found")
        .prints("src/t1.rs (major): the removed line")
        .prints("and 3 more")
        .prints(&format!("src/gone.rs: major: the deleted file {NO_PLACE}"));
    assert!(!done.stdout.contains('\u{1b}'), "{}", done.stdout);
    assert!(!done.stdout.contains("baton run --fix"), "nobody knows where: {}", done.stdout);

    let handoff = session.handoff("review.json");
    let expected = ["the removed line", "the deleted file", "outside", "absolute", "of git", "of the memory"];
    let kept = places(&handoff);
    assert_eq!(kept.iter().map(|(description, ..)| description.as_str()).collect::<Vec<_>>(), expected);
    assert_eq!(
        kept.iter().map(|(_, line, placed)| (*line, *placed)).collect::<Vec<_>>(),
        [3, 1, 1, 1, 1, 1].map(|line| (line, false))
    );
    assert_eq!(handoff["issues"][2]["file"], "../x");
    assert!(fault(&api, "review", 1).contains("What a diff shows as removed stands in the file no more"));

    // Every face says it plainly.
    session.baton(["status"]).run().expect(0).prints(&format!("src/gone.rs: major: the deleted file {NO_PLACE}"));
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["issues"][0]["placed"], &status["outcome"]), (&json!(false), &json!("escalated")));
    let id = handoff["issues"][1]["id"].as_str().unwrap();
    session.run(&api, ["--fix", id]).expect(2).reports("no place in the code was found for issue");
    // Dismissed, they are in nobody's way.
    let ids: Vec<&str> =
        handoff["issues"].as_array().unwrap().iter().map(|issue| issue["id"].as_str().unwrap()).collect();
    session.baton(["dismiss"].into_iter().chain(ids)).run().expect(0);
    session.run(&api, []).expect(0).prints("Accepted by you; 6 issues dismissed");
}

#[test]
fn what_has_no_place_is_fixed_by_the_task_it_names_and_the_rest_stays_open() {
    let lost = |description: &str, task: Value| {
        with(issue("src/gone.rs", 7, "gone();", description), json!({ "task_id": task }))
    };
    let issues = [lost("named", json!("T1")), lost("unnamed", Value::Null), lost("unknown", json!("T9"))];
    let session = Session::new(&workspace(1));
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds("review", [vec![wants_fixes(&issues), wants_fixes(&issues), wants_fixes(&issues)], vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let asked = api.first_message("implement/T1", 1);
    assert!(asked.contains("\"named\"") && !asked.contains("unnamed") && !asked.contains("unknown"), "{asked}");
    let again = api.first_message("review", 1);
    assert!(again.contains("stay open unless you answer"), "{again}");
    let left: Vec<String> =
        places(&session.handoff("review.json")).into_iter().map(|(description, ..)| description).collect();
    assert_eq!(left, ["unnamed", "unknown"], "nobody worked on them");
}

#[test]
fn a_further_phase_and_a_review_against_a_commit_keep_what_has_no_place_too() {
    let lost = issue("src/t1.rs", 2, "nowhere();", "lost");
    let session = Session::new(&workspace(1));
    session.add_phase("security", "after = \"implement\"\ntier = \"fast\"");
    let finds = || findings("One.", std::slice::from_ref(&lost));
    let script = Script::new().on("further/security", [finds(), finds(), finds()]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(fault(&api, "further/security", 1).contains("/issues/0/quote: this text stands nowhere in src/t1.rs"));
    assert_eq!(places(&session.handoff("security.json")), [("lost".to_owned(), 2, false)]);
    assert!(api.first_message("review", 0).contains("\"placed\":false"), "the reviewer is told");

    let session = Session::in_git(&workspace(1));
    session.write("src/t1.rs", "pub fn t1() -> u32 {\n    1\n}\n");
    let judges = || review("rejected", "escalate_to_human", std::slice::from_ref(&lost));
    let api = MessagesApi::start(Script::new().on("review", [judges(), judges(), judges()]));
    let done = session.baton(["review", "--base", "HEAD"]).api(&api).run().no_panic();
    done.prints(&format!("src/t1.rs: major: lost {NO_PLACE}"));
    assert_eq!(places(&session.handoff("base_review.json")), [("lost".to_owned(), 2, false)]);
}

/// No agent learns by a quote what it may not read.
#[test]
fn a_quote_of_a_file_of_secrets_tells_nothing_of_it() {
    let session = Session::new(&format!("{}//- /.env\nKEY=hunter2hunter2\n", workspace(1)));
    let guess = issue(".env", 1, "KEY=hunter2hunter", "a guess");
    let ask = || review("rejected", "escalate_to_human", std::slice::from_ref(&guess));
    let api = MessagesApi::start(but(Script::new().on("review", [ask(), ask(), ask()]), &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    let told = fault(&api, "review", 1);
    assert!(told.contains("the text of .env is not shown") && !told.contains("hunter2hunter2"), "{told}");
    assert_eq!(places(&session.handoff("review.json")), [("a guess".to_owned(), 1, false)]);
}
