//! Handoffs that another tool wrote, without ids, hashes, times or task.md, with nulls, unknown fields, byte order
//! marks and other line ends: they are taken over at any phase, and left as they are where they are wrong.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, RecordedRequest, Reply, Script, agents};
use crate::support::replies::{approves, blocked, completed, does, edits, own, plan, workspace};
use crate::support::session::Session;

/// context.json as it comes from elsewhere.
fn context() -> Value {
    json!({
        "$schema": "context", "timestamp": null, "generated_by": "an agent",
        "task_description": "Make them answer 1.",
        "relevant_files": [
            { "path": "src/t1.rs", "summary": "the first", "relevance": "high", "line_count": null, "notes": [] },
            { "path": "src/t2.rs", "summary": "the second", "relevance": "low" },
        ],
        "dependencies": [{ "name": "serde", "version": null, "usage": null }],
        "existing_patterns": null, "constraints": null, "files_in_scope": ["src/"], "files_out_of_scope": null,
    })
}

fn task(id: &str, file: &str) -> Value {
    json!({
        "id": id, "title": format!("The title of {id}"), "description": "Do it.", "files_to_modify": [file],
        "files_to_create": null, "files_to_delete": null, "depends_on": null, "acceptance_criteria": ["It answers."],
        "estimated_complexity": "simple", "owner": "me",
    })
}

/// plan.json as it comes from elsewhere.
fn plan_json() -> Value {
    json!({
        "timestamp": "yesterday", "plan_version": null, "approach_summary": "By hand.", "risks": null,
        "tasks": [task("T1", "src/t1.rs"), task("T2", "src/t2.rs")], "parallel_groups": [["T1", "T2"]],
    })
}

fn result(id: &str, file: &str) -> Value {
    json!({
        "task_id": id, "status": "completed", "notes": null, "blockers": null, "confidence": 0.9,
        "changes": [{ "path": file, "change_type": null, "summary": null, "lines_added": null }],
    })
}

/// impl_report.json as it comes from elsewhere.
fn report() -> Value {
    json!({
        "timestamp": null, "round": null, "plan_version": null, "plan_sha256": null, "checks": null,
        "results": [result("T1", "src/t1.rs"), result("T2", "src/t2.rs")],
    })
}

/// review.json as it comes from elsewhere.
fn review_json(action: &str, issues: Value) -> Value {
    let verdict = if action == "merge" { "approved" } else { "changes_requested" };
    json!({
        "timestamp": null, "round": null, "verdict": verdict, "summary": "Seen elsewhere.", "issues": issues,
        "plan_drift_detected": null, "drift_details": null, "recommended_action": action, "reviewer": "another",
        "branch": null, "head": null, "base": null, "answers": null,
    })
}

fn issue(file: &str, description: &str) -> Value {
    json!({
        "severity": "major", "file": file, "line": null, "end_line": null, "quote": null, "description": description,
        "suggested_fix": null, "task_id": null, "id": null,
    })
}

/// A workspace with these handoffs.
fn session_with(handoffs: &[(&str, Value)]) -> Session {
    let session = Session::in_git(&workspace(2));
    for (file, value) in handoffs {
        session.write(&session.memory(file), serde_json::to_string_pretty(value).unwrap());
    }
    session
}

/// The work that a report of another tool claims.
fn as_reported(session: &Session) {
    for file in ["src/t1.rs", "src/t2.rs"] {
        as_reported_of(session, file);
    }
}

fn as_reported_of(session: &Session, file: &str) {
    session.write(file, session.text(file).replace("    0\n", "    1\n"));
}

fn server() -> MessagesApi {
    let fixes = |file: &str| vec![edits(file, "    1\n", "    2\n"), completed(&[file])];
    let script = Script::new()
        .on("plan", [plan(&[&[own("T1"), own("T2")]])])
        .by(move |request| {
            // A task that was done elsewhere is fixed here; one that was not is done.
            let id = request.agent.strip_prefix("implement/T")?;
            let file = format!("src/t{id}.rs");
            let is_fix =
                request.first_message().contains("review_issues") || request.system().contains("\"plan_version\":2");
            let replies = if is_fix { fixes(&file) } else { does(&format!("T{id}")).to_vec() };
            replies.get(request.turn).cloned()
        })
        .on("review", [approves()]);
    MessagesApi::start(script)
}

/// The agents of these requests; tasks side by side ask in any order.
fn sorted_agents(requests: &[RecordedRequest]) -> Vec<String> {
    let mut agents = agents(requests);
    agents.sort();
    agents
}

#[test]
fn a_context_is_planned_on() {
    let session = session_with(&[("context.json", context())]);
    let before = session.text(".agent_memory/context.json");
    let api = server();
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "implement/T2", "plan", "review"]);
    let asked = api.requests_of("plan")[0].first_message();
    assert!(asked.contains("<task>\nMake them answer 1.\n</task>"), "{asked}");
    assert_eq!(session.text(".agent_memory/context.json"), before);
    assert!(!session.exists(".agent_memory/task.md"));
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["outcome"], &status["phases"][0]["status"]), (&json!("merged"), &json!("done")));
    // It is finished, and a task begins something new.
    session.run(&api, ["--task", "Another"]).reports("the script has no reply");
    assert_eq!(session.history(), ["0001-finished"]);
    api.violations();
}

#[test]
fn a_task_may_be_given_to_a_context() {
    let session = session_with(&[("context.json", context())]);
    let api = server();
    session.run(&api, ["--task", "In my words"]).expect(3);
    assert_eq!(sorted_agents(&api.requests()), ["plan"]);
    assert!(api.requests()[0].first_message().contains("<task>\nIn my words\n</task>"));
    assert_eq!(session.text(".agent_memory/task.md"), "In my words\n");
}

#[test]
fn a_plan_waits_for_its_answer_and_is_implemented() {
    for with_context in [true, false] {
        let session = session_with(&[("plan.json", plan_json())]);
        if with_context {
            session.write(".agent_memory/context.json", context().to_string());
        }
        let before = session.text(".agent_memory/plan.json");
        let api = server();
        session.run(&api, []).expect(3).prints("The plan (version 1, 2 tasks) waits for your answer.");
        assert!(session.text(".agent_memory/plan.md").contains("The title of T2"));
        assert!(api.requests().is_empty());
        session.baton(["approve"]).run().expect(0);
        session.run(&api, []).expect(0);
        assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "implement/T2", "review"]);
        assert_eq!(session.text(".agent_memory/plan.json"), before, "nobody writes the plan but who made it");
        assert_eq!(session.handoff("impl_report.json")["plan_version"], 1);
    }
}

#[test]
fn byte_order_marks_and_other_line_ends_are_read() {
    let session = session_with(&[]);
    let windows =
        |value: Value| format!("\u{feff}{}\r\n", serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n"));
    session.write(".agent_memory/context.json", windows(context()));
    session.write(".agent_memory/plan.json", windows(plan_json()));
    session.write(".agent_memory/impl_report.json", windows(report()));
    session.write(
        ".agent_memory/review.json",
        windows(review_json("fix_and_re_review", json!([issue("src/t1.rs", "Wrong.")]))),
    );
    as_reported(&session);
    let api = server();
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "review"]);
    assert!(session.text("src/t1.rs").contains('2'));
}

#[test]
fn a_report_is_reviewed_once_its_plan_is_approved() {
    let session = session_with(&[("plan.json", plan_json()), ("impl_report.json", report())]);
    as_reported(&session);
    session.write("src/t3.rs", "stray\n");
    let mut strays = report();
    strays["results"][1]["changes"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "path": "src/t3.rs", "change_type": "created" }));
    session.write(".agent_memory/impl_report.json", strays.to_string());
    let tree = session.tree();
    let api = server();
    // The plan was never approved here: the gate asks, as for every plan.
    session.run(&api, []).expect(3).prints("waits for your answer");
    let status = session.baton(["status"]).run().expect(0);
    status.prints("The report tells of work that no journal of Baton bears out here: T1, T2.");
    session.baton(["approve"]).run().expect(0);
    let done = session.run(&api, []).expect(0);
    done.prints(
        "T1, T2 were done elsewhere, not by Baton, reviewed by the diff against HEAD; an undo does not take that back",
    );
    assert_eq!(sorted_agents(&api.requests()), ["review"], "nothing is done twice");
    assert_eq!(session.tree(), tree);
    let asked = api.requests_of("review")[0].first_message();
    assert!(asked.contains("src/t1.rs: modified, +1 -1 (T1, done elsewhere; against HEAD)"), "{asked}");
    assert!(asked.contains("T1, T2: done elsewhere, not by Baton's agents. What is listed and shown"), "{asked}");
    let review = session.handoff("review.json");
    assert_eq!(review["plan_drift_detected"], true);
    assert_eq!(review["drift_details"], "src/t3.rs was changed and stands in no task of the plan.");
}

#[test]
fn the_review_phase_by_name_needs_no_answer_to_the_plan() {
    let session = session_with(&[("plan.json", plan_json()), ("impl_report.json", report())]);
    let api = server();
    session.run(&api, ["--phase", "review"]).expect(0);
    assert_eq!(sorted_agents(&api.requests()), ["review"]);
    assert_eq!(session.handoff("review.json")["round"], 1);
}

#[test]
fn of_a_report_only_what_is_missing_or_failed_is_done() {
    let mut partly = report();
    partly["results"].as_array_mut().unwrap().pop();
    let session = session_with(&[("plan.json", plan_json()), ("impl_report.json", partly.clone())]);
    as_reported_of(&session, "src/t1.rs");
    let api = server();
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(sorted_agents(&api.requests()), ["implement/T2", "review"]);
    assert_eq!(session.handoff("impl_report.json")["results"][0]["task_id"], "T1");

    let mut failed = report();
    failed["results"][0]["status"] = json!("failed");
    let session = session_with(&[("plan.json", plan_json()), ("impl_report.json", failed)]);
    as_reported_of(&session, "src/t2.rs");
    let api = server();
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "review"]);
    assert_eq!(session.history(), ["0001-retry"]);
}

#[test]
fn a_review_gets_its_ids_when_it_is_read_and_leads_on() {
    let issues = json!([issue("src/t1.rs", "Wrong."), issue("src/t1.rs", "Wrong too."), issue("src/t1.rs", "Wrong.")]);
    for with_report in [true, false] {
        let review = review_json("fix_and_re_review", issues.clone());
        let session = session_with(&[("plan.json", plan_json()), ("review.json", review)]);
        if with_report {
            session.write(".agent_memory/impl_report.json", report().to_string());
        }
        as_reported(&session);
        let before = session.text(".agent_memory/review.json");
        let ids = || -> Vec<String> {
            let status = session.baton(["status", "--json"]).run().expect(0).json();
            let ids = status["issues"].as_array().unwrap().iter().map(|issue| issue["id"].as_str().unwrap().to_owned());
            ids.collect()
        };
        let first = ids();
        assert_eq!(first.len(), 3);
        assert!(first[0] != first[1] && first[0] != first[2], "{first:?}");
        assert!(first.iter().all(|id| id.len() == 12), "{first:?}");
        assert_eq!(ids(), first, "they are the same at every reading");
        assert_eq!(session.text(".agent_memory/review.json"), before, "looking changes nothing");

        // One of them is dismissed by its id.
        session.write(".agent_memory/dismissed.json", json!([first[1]]).to_string());
        let api = server();
        session.run(&api, ["--auto-approve"]).expect(0);
        assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "review"], "T2 is not done again");
        let prompt = api.requests_of("implement/T1")[0].first_message();
        assert!(prompt.contains("Wrong.") && !prompt.contains("Wrong too."), "{prompt}");
        assert!(session.text("src/t1.rs").contains('2') && session.text("src/t2.rs").contains('1'));
        assert_eq!(session.handoff("round.json")["n"], 2);
        assert_eq!(session.handoff("round.json")["issues"], json!([first[0], first[2]]));
        let results = session.handoff("impl_report.json")["results"].clone();
        assert_eq!((&results[0]["task_id"], &results[1]["task_id"]), (&json!("T1"), &json!("T2")));
        let asked = api.requests_of("review")[0].first_message();
        assert!(asked.contains(&first[0]) && asked.contains("<open_issues>"), "{asked}");
        let status = session.baton(["status", "--json"]).run().expect(0).json();
        assert_eq!(status["issues"][0]["state"], "fixed");
    }
}

#[test]
fn a_review_of_a_later_round_is_one_of_the_work_at_hand() {
    let session = session_with(&[("plan.json", plan_json()), ("impl_report.json", report())]);
    as_reported(&session);
    let api = server();
    let review = |description: &str| review_json("fix_and_re_review", json!([issue("src/t1.rs", description)]));
    session.write(".agent_memory/review.json", review("First.").to_string());
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.handoff("impl_report.json")["round"], 2);
    // Another tool looks at round 2 and knows nothing of rounds.
    session.write(".agent_memory/review.json", review("Second.").to_string());
    session.write("src/t1.rs", "pub fn t1() -> u32 {\n    1\n}\n");
    let count = api.requests().len();
    session.run(&api, []).expect(0);
    assert_eq!(sorted_agents(&api.requests()[count..]), ["implement/T1", "review"]);
    assert!(api.requests()[count].first_message().contains("Second."));
    assert_eq!(session.handoff("round.json")["n"], 3);
    assert_eq!(session.history(), ["0001-fix", "0002-fix"]);
}

#[test]
fn a_merge_a_new_plan_and_a_person_s_say_are_followed_too() {
    let all = |action: &str| {
        let session = session_with(&[
            ("plan.json", plan_json()),
            ("impl_report.json", report()),
            ("review.json", review_json(action, json!([issue("src/t1.rs", "Wrong.")]))),
        ]);
        as_reported(&session);
        session
    };
    let api = server();
    all("merge")
        .run(&api, ["--auto-approve"])
        .expect(0)
        .prints("Approved by reading; no check ran. Changes are in your working tree");
    all("escalate_to_human").run(&api, ["--auto-approve"]).expect(3).prints("A person is needed: Seen elsewhere.");
    assert!(api.requests().is_empty());

    let session = all("re_plan");
    let done = session.run(&api, ["--auto-approve"]);
    assert!(done.stderr.contains("The review wants a new plan: Seen elsewhere."), "{}", done.stderr);
    let asked = api.requests_of("plan")[0].first_message();
    assert!(asked.contains("The title of T1") && asked.contains("Seen elsewhere."), "{asked}");
    assert_eq!(session.handoff("plan.json")["plan_version"], 2);
}

#[test]
fn a_new_file_that_a_review_asks_for_is_created() {
    let session = session_with(&[
        ("plan.json", plan_json()),
        ("impl_report.json", report()),
        ("review.json", review_json("fix_and_re_review", json!([issue("docs/new.md", "There is no manual.")]))),
    ]);
    as_reported(&session);
    let written = Reply::tool("write_file", json!({ "path": "docs/new.md", "content": "# Manual\n" }));
    let script = Script::new().on("implement/FIX", [written, completed(&["docs/new.md"])]).on("review", [approves()]);
    let api = MessagesApi::start(script);
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.handoff("plan.json")["tasks"][2]["files_to_create"], json!(["docs/new.md"]));
    assert_eq!(sorted_agents(&api.requests()), ["implement/FIX", "review"]);
    assert_eq!(session.text("docs/new.md"), "# Manual\n");
}

#[test]
fn a_review_of_files_outside_needs_a_person() {
    let session = session_with(&[
        ("plan.json", plan_json()),
        ("impl_report.json", report()),
        (
            "review.json",
            review_json("fix_and_re_review", json!([issue("/etc/hosts", "Wrong."), issue("../x", "Wrong.")])),
        ),
    ]);
    let api = server();
    session.run(&api, ["--auto-approve"]).expect(3).prints("files outside the workspace");
    assert!(api.requests().is_empty());
}

#[test]
fn an_approval_and_a_round_from_elsewhere_count_for_nothing_or_for_what_they_say() {
    let session = session_with(&[
        ("plan.json", plan_json()),
        ("approval.json", json!({ "plan_sha256": "0", "decision": "approved", "by": "person", "tasks": null })),
        ("round.json", json!({ "n": null, "kind": "first", "tasks": null, "issues": null })),
    ]);
    let api = server();
    session.run(&api, []).expect(3).prints("waits for your answer");
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.handoff("round.json")["tasks"], json!(["T1", "T2"]));
}

#[test]
fn a_blocked_task_from_elsewhere_is_tried_like_any_other() {
    let mut report = report();
    report["results"][0] = json!({ "task_id": "T1", "status": "blocked", "changes": [], "blockers": ["no idea"] });
    let session = session_with(&[("plan.json", plan_json()), ("impl_report.json", report)]);
    let script = Script::new().on("implement/T1", [blocked("no idea either")]);
    let api = MessagesApi::start(script);
    session.run(&api, ["--auto-approve"]).expect(1).prints("T1 blocked: no idea either");
}

#[test]
fn every_fault_is_reported_at_its_place_and_the_file_is_left_alone() {
    let session = session_with(&[("plan.json", plan_json())]);
    let api = server();
    let lines = |text: &str| text.replace("; ", "\n");
    let plan = |fields: &str| {
        lines(&format!(
            "{{ \"approach_summary\": \"a\",; \"tasks\": [; {{ \"id\": \"T1\", \"title\": \"t\", \"description\": \"d\", \
             \"estimated_complexity\": \"simple\", {fields} }}],; \"parallel_groups\": [[\"T1\"]] }}"
        ))
    };
    let cases: [(&str, Vec<u8>, &[&str]); 13] = [
        ("context.json", b"{ \"relevant_files\": [] }".to_vec(), &[":1:1: ", "task_description", "[schema]"]),
        (
            "context.json",
            b"\xef\xbb\xbf{ \"task_description\": 7, \"relevant_files\": [] }".to_vec(),
            &[":1:23: ", "[schema]"],
        ),
        ("context.json", b"{\r\n  \"task_description\": \"x\",\r\n  oops }".to_vec(), &[":3:3: ", "not valid JSON"]),
        (
            "context.json",
            b"{ \"task_description\": \"caf\xe9\", \"relevant_files\": [] }".to_vec(),
            &[":1:27: ", "UTF-8"],
        ),
        (
            "plan.json",
            plan("\"files_to_modify\": [\"src/none.rs\"]").into(),
            &["src/none.rs does not exist", "[plan.missing-file]"],
        ),
        ("plan.json", plan("\"files_to_modify\": [\"../x\"]").into(), &[":3:", "[plan.path]"]),
        ("plan.json", plan("\"depends_on\": [\"T9\"]").into(), &[":3:", "[plan.unknown-task]"]),
        ("plan.json", "\u{feff}\"a plan\"".into(), &[":1:1: ", "[schema]"]),
        (
            "impl_report.json",
            b"{ \"results\":\n [ { \"status\": \"completed\" } ] }".to_vec(),
            &[":2:4: ", "task_id", "[schema]"],
        ),
        (
            "impl_report.json",
            b"{ \"results\":\n [ { \"task_id\": \"T1\", \"status\": \"done\" } ] }".to_vec(),
            &[":2:", "\"completed\"", "[schema]"],
        ),
        (
            "review.json",
            b"{ \"verdict\": \"approved\", \"summary\": \"s\", \"recommended_action\": \"ship\" }".to_vec(),
            &[":1:64: ", "\"merge\"", "[schema]"],
        ),
        ("round.json", b"{ \"n\": 2 }".to_vec(), &[":1:1: ", "kind", "[schema]"]),
        ("dismissed.json", b"{}".to_vec(), &[":1:1: ", "[schema]"]),
    ];
    for (file, bytes, said) in cases {
        let name = session.memory(file);
        let good = std::fs::read(session.path(&name)).ok();
        session.write(&name, &bytes);
        // A plan waits until a person has fixed it.
        let done = session.run(&api, ["--auto-approve"]).expect(if file == "plan.json" { 3 } else { 1 });
        for words in said {
            assert!(
                done.stderr.contains(words),
                "{words:?} is not said of {}: {}",
                String::from_utf8_lossy(&bytes),
                done.stderr
            );
        }
        assert!(done.stderr.contains(&name), "{}", done.stderr);
        assert_eq!(std::fs::read(session.path(&name)).unwrap(), bytes, "{file} is left alone");
        match good {
            Some(good) => session.write(&name, good),
            None => std::fs::remove_file(session.path(&name)).unwrap(),
        }
    }
    assert!(api.requests().is_empty() && session.history().is_empty());
}
