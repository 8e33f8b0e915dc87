//! `baton run`: one task through four agents, the memory folder afterwards, and the exit codes.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::messages_api::{Fault, KEY, MessagesApi, Reply, Script};
use crate::support::replies::{
    blocked, but, completed, context, edits, goes_well, own, plan, plan_of, reads, review, task, with, workspace,
    writes,
};
use crate::support::session::{Done, Session};

/// A workspace with something to modify, to create beside, and to delete.
const REPOSITORY: &str = "
//- /README.md
# Sample
//- /src/lib.rs
pub mod old;

pub fn answer() -> u32 {
    0
}
//- /src/old.rs
pub fn old() {}
pub fn older() {}
";

/// Three tasks that modify, create and delete, of which the second waits for the first.
fn three_tasks() -> Script {
    let tasks = [
        with(task("T1"), json!({ "files_to_modify": ["src/lib.rs"] })),
        with(
            task("T2"),
            json!({ "files_to_create": ["src/new/one.rs"], "depends_on": ["T1"], "estimated_complexity": "moderate" }),
        ),
        with(task("T3"), json!({ "files_to_delete": ["src/old.rs"], "estimated_complexity": "complex" })),
    ];
    let issue = json!({
        "severity": "minor", "file": "src/lib.rs", "line": 99, "quote": "  42  ", "description": "A bare number.",
        "suggested_fix": "Name it.",
    });
    // A model's own counts are no counts.
    let lies = json!({ "status": "completed", "changes": [
        { "path": "src/lib.rs", "summary": "the answer", "change_type": "created", "lines_added": 999 },
        { "path": "README.md", "summary": "never touched" },
    ] });
    let mut honest = lies.clone();
    honest["changes"].as_array_mut().expect("changes").pop();
    Script::new()
        .on("context", [reads("src/lib.rs"), context(&["src/lib.rs", "README.md"])])
        .on("plan", [plan(&[&[tasks[0].clone(), tasks[2].clone()], &[tasks[1].clone()]])])
        .on(
            "implement/T1",
            [
                edits("src/lib.rs", "    0\n", "    42\n"),
                edits("src/lib.rs", "pub mod old;\n\n", "pub mod new;\n"),
                Reply::tool("submit_result", lies),
                Reply::tool("submit_result", honest),
            ],
        )
        .on(
            "implement/T2",
            [writes("src/new/one.rs", "pub fn one() -> u32 {\n    1\n}\n"), completed(&["src/new/one.rs"])],
        )
        .on("implement/T3", [Reply::tool("delete_file", json!({ "path": "src/old.rs" })), completed(&["src/old.rs"])])
        .on("review", [Reply::tool("read_diff", json!({})), review("approved", "merge", &[issue])])
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|item| item["task_id"].as_str()).collect()
}

/// Agents in the order of their requests, each named once.
fn agents(api: &MessagesApi) -> Vec<String> {
    let mut agents: Vec<String> = Vec::new();
    for request in api.requests() {
        if !agents.contains(&request.agent) {
            agents.push(request.agent);
        }
    }
    agents
}

#[test]
fn a_task_goes_through_four_agents_and_the_files_tell_everything() {
    let session = Session::in_git(REPOSITORY);
    let head = session.git(&["rev-parse", "HEAD"]);
    let api = MessagesApi::start(three_tasks());
    let done = session.run(&api, ["--task", "Answer  better", "--auto-approve", "--json"]).expect(0);

    assert_eq!(agents(&api)[..2], ["context", "plan"]);
    assert_eq!(agents(&api).last().map(String::as_str), Some("review"));
    events_tell_it(&session, &done);
    handoffs_keep_the_contract(&session);
    report_holds_what_git_sees(&session);
    review_stands_at_its_place(&session, head.trim());
    journals_hold_no_key_and_are_private(&session);

    assert_eq!(session.git(&["rev-parse", "HEAD"]), head, "nothing is committed");
    assert_eq!(session.git(&["status", "--porcelain"]), " M src/lib.rs\n D src/old.rs\n?? src/new/\n");
    let diff = session.memory(&format!("runs/{}/changes.diff", session.runs()[0]));
    session.git(&["apply", "-R", &diff]);
    assert_eq!(session.git(&["status", "--porcelain"]), "", "changes.diff taken back leaves what was there");
}

fn events_tell_it(session: &Session, done: &Done) {
    let events = done.events();
    let outcome = done.outcome();
    let run = &session.runs()[0];
    let said =
        ["outcome", "exit_code", "error", "run", "workflow", "review", "checks", "criteria", "usage", "run_usage"];
    assert_eq!(keys(&outcome), said);
    assert_eq!((&outcome["exit_code"], &outcome["error"], &outcome["checks"]), (&json!(0), &Value::Null, &json!([])));
    assert_eq!((&outcome["outcome"], &outcome["run"]), (&json!("merged"), &json!(run)));
    assert_eq!(outcome["review"], session.handoff("review.json"));
    assert_eq!(
        keys(&outcome["usage"]),
        ["input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens", "cost_usd"]
    );
    assert!(outcome["usage"]["cost_usd"].as_f64().is_some_and(|usd| usd > 0.0), "{outcome}");

    for (event, n) in events.iter().zip(1u64..) {
        assert_eq!((&event["run"], event["seq"].as_u64()), (&json!(run), Some(n)), "{event}");
        let known = ["run", "seq", "at", "workflow", "phase", "status", "task", "message", "error", "usage", "outcome"];
        assert_eq!(event["workflow"], json!(run), "{event}");
        assert!(keys(event).iter().all(|key| known.contains(key)), "{event}");
    }
    let first = events[0]["message"].as_str().expect("a message");
    assert!(
        first.starts_with("Anthropic API at 127.0.0.1:") && first.ends_with("key from ANTHROPIC_API_KEY"),
        "{first}"
    );
    let reported = |status: &str| -> Vec<String> {
        let of_status = events.iter().filter(|event| event["status"] == status && event["task"].is_null());
        of_status.map(|event| event["phase"].as_str().expect("a phase").to_owned()).collect()
    };
    assert_eq!(reported("started"), ["workflow", "context", "plan", "implement", "review"]);
    assert_eq!(reported("done"), ["context", "plan", "implement", "review", "workflow"]);

    let journal: Vec<Value> =
        session.of_last_run("events.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(journal, events, "the journal holds what was shown");
}

fn handoffs_keep_the_contract(session: &Session) {
    let names = |file: &str| keys(&session.handoff(file)).join(" ");
    assert_eq!(
        names("context.json"),
        "timestamp task_description relevant_files dependencies existing_patterns constraints files_in_scope \
         files_out_of_scope"
    );
    assert_eq!(names("plan.json"), "timestamp plan_version approach_summary risks tasks parallel_groups");
    assert_eq!(names("approval.json"), "plan_sha256 decision by tasks at n mac");
    assert_eq!(names("round.json"), "n kind tasks issues");
    assert_eq!(names("impl_report.json"), "timestamp round plan_version plan_sha256 results checks");
    assert_eq!(
        names("review.json"),
        "timestamp round issues criteria drift_details plan_drift_detected summary verdict recommended_action branch head"
    );
    assert_eq!(
        keys(&session.handoff("plan.json")["tasks"][1]).join(" "),
        "id title description files_to_modify files_to_create files_to_delete depends_on acceptance_criteria \
         estimated_complexity"
    );
    assert_eq!(
        keys(&session.handoff("context.json")["relevant_files"][0]).join(" "),
        "path summary relevance line_count"
    );

    for (file, schema) in [
        ("context.json", "context"),
        ("plan.json", "plan"),
        ("approval.json", "approval"),
        ("round.json", "round"),
        ("impl_report.json", "impl_report"),
        ("review.json", "review"),
    ] {
        let text = session.text(&session.memory(file));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        assert_eq!(text, format!("{pretty}\n"), "{file} is pretty, two spaces");
        let schema = session.baton(["schema", schema]).run().expect(0).json();
        let faults: Vec<String> = jsonschema::validator_for(&schema)
            .expect("a schema")
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(faults.is_empty(), "{file}: {faults:?}");
        for field in ["timestamp", "at"] {
            if let Some(at) = value[field].as_str() {
                assert!(at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(), "{file}: {at}");
            }
        }
        assert_eq!(session.mode(&session.memory(file)), 0o644, "{file}");
    }

    let sha = sha256(session.text(".agent_memory/plan.json").as_bytes());
    let approval = session.handoff("approval.json");
    assert_eq!(approval["plan_sha256"], json!(sha));
    assert_eq!(
        (&approval["decision"], &approval["by"], &approval["tasks"]),
        (&json!("approved"), &json!("auto"), &json!(null))
    );
    let report = session.handoff("impl_report.json");
    assert_eq!(
        (&report["plan_sha256"], &report["plan_version"], &report["round"]),
        (&json!(sha), &json!(1), &json!(1))
    );
    assert_eq!(
        session.handoff("round.json"),
        json!({ "n": 1, "kind": "first", "tasks": ["T1", "T3", "T2"], "issues": [] })
    );
    let lines = &session.handoff("context.json")["relevant_files"];
    assert_eq!((&lines[0]["line_count"], &lines[1]["line_count"]), (&json!(5), &json!(1)));
    assert_eq!(session.text(".agent_memory/task.md"), "Answer  better\n");
    assert_eq!(session.text(".agent_memory/.gitignore"), "*\n");
    assert_eq!(session.text(".agent_memory/lock"), "", "nobody is at work any more");
    assert!(session.text(".agent_memory/plan.md").contains("The title of T2"));
}

fn report_holds_what_git_sees(session: &Session) {
    session.git(&["add", "-A"]);
    let numstat = session.git(&["diff", "--cached", "--no-renames", "--numstat"]);
    session.git(&["reset", "-q"]);
    let seen: BTreeSet<String> = numstat.lines().map(|line| line.replace('\t', " ")).collect();
    let report = session.handoff("impl_report.json");
    assert_eq!(ids(&report["results"]), ["T1", "T3", "T2"], "in the order of the plan");
    let changes: Vec<&Value> = (report["results"].as_array().expect("results").iter())
        .flat_map(|result| result["changes"].as_array().expect("changes"))
        .collect();
    let reported = |change: &&Value| {
        format!("{} {} {}", change["lines_added"], change["lines_removed"], change["path"].as_str().expect("a path"))
    };
    assert_eq!(changes.iter().map(reported).collect::<BTreeSet<_>>(), seen);
    let kinds: Vec<_> =
        changes.iter().map(|change| (change["change_type"].as_str(), change["summary"].as_str())).collect();
    assert_eq!(
        kinds,
        [
            (Some("modified"), Some("the answer")),
            (Some("deleted"), Some("changed src/old.rs")),
            (Some("created"), Some("changed src/new/one.rs")),
        ]
    );
    assert_eq!(keys(changes[0]), ["path", "change_type", "summary", "lines_added", "lines_removed"]);
    assert_eq!(keys(&report["results"][0]), ["task_id", "changes", "notes", "blockers", "status"]);
}

fn review_stands_at_its_place(session: &Session, head: &str) {
    let review = session.handoff("review.json");
    assert_eq!((&review["branch"], &review["head"]), (&json!("main"), &json!(head)));
    assert_eq!((&review["round"], &review["plan_drift_detected"]), (&json!(1), &json!(false)));
    let issue = &review["issues"][0];
    let id = issue["id"].as_str().expect("an id");
    assert!(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let line = issue["line"].as_u64().expect("a line") as usize;
    assert_eq!(session.text("src/lib.rs").lines().nth(line - 1), Some("    42"), "the quote decides the line");
}

fn journals_hold_no_key_and_are_private(session: &Session) {
    for (path, bytes) in session.memory_tree() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(KEY), "{path} holds the key");
        if path.starts_with("runs/") {
            assert_eq!(session.mode(&session.memory(&path)), 0o600, "{path}");
        }
        assert!(!path.ends_with(".tmp"), "{path} was left over");
    }
    let turns: Vec<Value> =
        session.of_last_run("transcript.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let recorded = turns.iter().filter(|turn| turn["response"].is_object());
    assert_eq!(recorded.count(), 13, "every turn is recorded, the check of a finding among them");
}

#[test]
fn without_a_terminal_the_plan_waits_until_another_command_approves_it() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(goes_well(&[&[own("T1")], &[own("T2")]]));
    let before = session.tree();
    let done = session.run(&api, ["--task", "Do it", "--json"]).expect(3);
    assert_eq!(done.outcome()["outcome"], "waiting");
    let waiting = done.events().into_iter().find(|event| event["status"] == "waiting").expect("it waits");
    let message = waiting["message"].as_str().expect("a message");
    assert_eq!(message, "The plan (version 1, 2 tasks) waits for your answer.");

    // The same again, without a request to a model.
    session.run(&api, []).expect(3).prints("baton approve");
    assert_eq!(api.requests().len(), 2);
    // With the models that made it: without, the cost of the plan would be unknown.
    let status = session.baton(["status", "--json"]).api(&api).run().expect(0).json();
    let fields = "run workflow task state headline summary outcome phases tasks issues gate notes checks sandbox review \
                  usage run_usage next ways_on warnings";
    assert_eq!(keys(&status).join(" "), fields);
    assert_eq!(
        (&status["outcome"], &status["next"], &status["task"]),
        (&json!("waiting"), &json!("gate"), &json!("Do it"))
    );
    assert_eq!(status["gate"]["plan_sha256"], json!(sha256(session.text(".agent_memory/plan.json").as_bytes())));
    assert_eq!(status["gate"]["markdown"], json!(session.text(".agent_memory/plan.md")));
    assert_eq!(session.tree(), before, "nothing is written before a person says yes");

    session.baton(["approve", "--only", "T9"]).run().expect(2).reports("there are T1, T2");
    session.baton(["approve"]).run().expect(0).prints("Approved plan version 1");
    let approval = session.handoff("approval.json");
    assert_eq!((&approval["by"], &approval["tasks"]), (&json!("person"), &json!(null)));
    session
        .run(&api, [])
        .expect(0)
        .prints("Approved by reading; no check ran. Changes are in your working tree; nothing was committed.");
    assert_eq!(agents(&api), ["context", "plan", "implement/T1", "implement/T2", "review"]);
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(
        (&status["outcome"], &status["next"], &status["gate"]),
        (&json!("merged"), &json!("none"), &json!(null))
    );
    let states: Vec<_> = status["phases"].as_array().expect("phases").iter().map(|phase| &phase["status"]).collect();
    assert_eq!(states, ["done", "done", "done", "done"]);
    assert_eq!(session.runs().len(), 3);
}

#[test]
fn of_a_plan_some_tasks_can_be_approved() {
    let session = Session::new(&workspace(3));
    let dependent = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let api = MessagesApi::start(goes_well(&[&[own("T1"), own("T3")], &[dependent]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["approve", "--only", "T2"]).run().expect(2).reports("T2 depends on T1");
    session.baton(["approve", "--only", "T2,T1"]).run().expect(0);
    session.run(&api, []).expect(0).prints("Not approved and so not done: T3");
    assert_eq!(agents(&api)[2..], ["implement/T1", "implement/T2", "review"]);
    assert_eq!(ids(&session.handoff("impl_report.json")["results"]), ["T1", "T2"]);
    let reviewed = api.requests_of("review")[0].system();
    assert!(
        reviewed.contains("The title of T2") && !reviewed.contains("The title of T3"),
        "the review covers what was approved"
    );
    assert!(session.text("src/t3.rs").contains('0'));
}

#[test]
fn a_rejected_plan_ends_the_workflow_until_something_new_begins() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.baton(["reject"]).run().expect(2).reports("there is no plan");
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["reject"]).run().expect(0).prints("Rejected plan version 1");
    let done = session.run(&api, ["--json"]).expect(4);
    assert_eq!(done.outcome()["outcome"], "rejected");
    assert_eq!(api.requests().len(), 2);
    assert_eq!(session.handoff("approval.json")["decision"], "rejected");
    assert!(session.text("src/t1.rs").contains('0'));

    // It is finished: the same task starts a new workflow, and the old workflow is in history.
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(session.history(), ["0001-finished"]);
    let old = session.text(".agent_memory/history/0001-finished/approval.json");
    assert!(old.contains("rejected"), "{old}");
    assert_eq!(agents(&api).len(), 4);
}

#[test]
fn a_review_can_escalate_and_the_workflow_then_repeats_why() {
    let session = Session::new(&workspace(1));
    let issue = json!({
        "severity": "critical", "file": "src/t1.rs", "line": 2, "quote": "1", "description": "Not what \u{1b}[31mwas asked.",
    });
    let script = Script::new().on("review", [review("rejected", "escalate_to_human", &[issue])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    done.prints("A person is needed: The verdict is rejected.").prints("src/t1.rs:2: critical: Not what was asked.");
    let asked = api.requests().len();
    let again = session.run(&api, ["--json"]).expect(3);
    assert_eq!(again.outcome()["outcome"], "escalated");
    assert_eq!(again.outcome()["review"]["recommended_action"], "escalate_to_human");
    assert_eq!(api.requests().len(), asked, "asked again, it costs nothing");
    session.run(&api, ["--task", "Something else"]).expect(2).reports("`baton reset`");
}

#[test]
fn a_blocked_task_fails_the_run_and_the_next_start_tries_it_again() {
    let session = Session::new(&workspace(3));
    let dependent = with(own("T3"), json!({ "depends_on": ["T2"] }));
    let script = Script::new().rounds("implement/T2", [vec![blocked("the disk is on fire")]]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")], std::slice::from_ref(&dependent)]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(1);
    done.prints("T2 blocked: the disk is on fire").prints("depend on it: T3");
    assert_eq!(agents(&api).last().map(String::as_str), Some("implement/T2"), "it is not reviewed");
    let report = session.handoff("impl_report.json");
    assert_eq!(ids(&report["results"]), ["T1", "T2"]);
    assert_eq!(report["results"][1]["blockers"], json!(["the disk is on fire"]));

    let again = MessagesApi::start(goes_well(&[&[own("T1"), own("T2")], &[dependent]]));
    session.run(&again, []).expect(0);
    assert_eq!(agents(&again), ["implement/T2", "implement/T3", "review"], "what is done stays done");
    assert_eq!(ids(&session.handoff("impl_report.json")["results"]), ["T1", "T2", "T3"]);
    assert_eq!(session.history(), ["0001-retry"]);
    assert!(session.text(".agent_memory/history/0001-retry/impl_report.json").contains("on fire"));
}

#[test]
fn a_failed_model_is_no_conclusion_and_loses_nothing() {
    let session = Session::new(&workspace(1));
    let quota = Fault::status(402, "billing_error", "no more money");
    let script = Script::new().fault("plan", [quota]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve", "--json"]).expect(5);
    let failed = done.events().into_iter().find(|event| event["status"] == "failed").expect("it failed");
    assert_eq!((&failed["phase"], &failed["error"]["kind"]), (&json!("plan"), &json!("model")));
    assert_eq!(done.outcome()["outcome"], "failed");
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(api.requests_of("context").len(), 1, "the context is not gathered again");
}

#[test]
fn a_handoff_that_stays_invalid_ends_the_run_and_the_next_one_starts_over() {
    let session = Session::new(&workspace(1));
    let unknown = with(own("T1"), json!({ "depends_on": ["T7"] }));
    let cyclic = with(own("T1"), json!({ "depends_on": ["T1"] }));
    let missing = with(task("T1"), json!({ "files_to_modify": ["src/none.rs"] }));
    let script = Script::new()
        .on("plan", [plan(&[&[unknown]]), plan(&[&[cyclic]]), Reply::tool("submit_plan", plan_of(&[&[missing]]))]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(5);
    done.prints("not valid in 3 tries").prints("src/none.rs does not exist");
    let asked = api.requests_of("plan");
    assert_eq!(asked.len(), 3);
    let reported = |n: usize| asked[n].last_message().to_string();
    assert!(reported(1).contains("T7") && reported(1).contains("no task of this plan"), "{}", reported(1));
    assert!(reported(2).contains("wait for each other"), "{}", reported(2));
    assert!(!session.exists(".agent_memory/plan.json"));

    let better = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&better, ["--auto-approve"]).expect(0);
    assert_eq!(agents(&better), ["plan", "implement/T1", "review"]);
}

#[test]
fn a_phase_asked_for_by_name_runs_again_and_sets_the_later_ones_aside() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--phase", "plan", "--task", "Do it"]).expect(2).reports("needs a context");
    session.run(&api, ["--phase", "review"]).expect(2).reports("--phase implement");
    let done = session.run(&api, ["--phase", "context", "--task", "Do it", "--json"]).expect(0);
    assert_eq!(done.outcome()["outcome"], "done");
    assert_eq!(agents(&api), ["context"]);
    session.run(&api, ["--phase", "plan"]).expect(0);
    assert_eq!(agents(&api), ["context", "plan"], "a plan by name opens no gate");
    session.run(&api, ["--phase", "implement"]).expect(3).prints("baton approve");
    session.baton(["approve"]).run().expect(0);
    session.run(&api, ["--phase", "implement"]).expect(0);
    assert!(!session.exists(".agent_memory/review.json"));
    session.run(&api, ["--phase", "review"]).expect(0);
    let first = session.text(".agent_memory/review.json");

    session.run(&api, ["--phase", "review"]).expect(0);
    assert_eq!(api.requests_of("review").len(), 2);
    let entry = session.history().pop().expect("an entry");
    assert!(entry.ends_with("-phase"), "{entry}");
    assert_eq!(session.text(&format!(".agent_memory/history/{entry}/review.json")), first);

    session.run(&api, ["--phase", "context"]).expect(0);
    let entry = session.history().pop().expect("an entry");
    let kept = session.names(&format!(".agent_memory/history/{entry}"));
    for file in ["context.json", "plan.json", "plan.md", "approval.json", "impl_report.json", "review.json"] {
        assert!(kept.iter().any(|name| name == file), "{file} is not among {kept:?}");
        assert_eq!(session.exists(&session.memory(file)), file == "context.json", "{file}");
    }
}

#[test]
fn one_workflow_at_a_time_and_none_is_lost() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, []).expect(2).reports("`baton run \"…\"`");
    session.run(&api, ["--task", "The first"]).expect(3);
    session.run(&api, ["--task", "The second"]).expect(2).reports("The first").reports("`baton reset`");
    assert_eq!(session.text(".agent_memory/task.md"), "The first\n");

    // The same task is resumed; --reset sets it aside.
    session.run(&api, ["--task", "The first"]).expect(3);
    assert_eq!(api.requests().len(), 2);
    session.run(&api, ["--task", "The second", "--reset"]).expect(3);
    assert_eq!(session.history(), ["0001-reset"]);
    assert_eq!(session.text(".agent_memory/history/0001-reset/task.md"), "The first\n");
    assert_eq!(session.text(".agent_memory/task.md"), "The second\n");
    assert_eq!(api.requests().len(), 4, "journaled turns of another workflow answer nothing");

    session.run(&api, ["--auto-approve"]).expect(0);
    session.run(&api, []).expect(0).prints("Approved by reading; no check ran.");
    let asked = api.requests().len();
    session.run(&api, ["--task", "The third"]).expect(3);
    assert_eq!(api.requests().len(), asked + 2);
    assert_eq!(session.history(), ["0001-reset", "0002-finished"]);
    assert!(session.exists(".agent_memory/history/0002-finished/review.json"));

    session.baton(["reset"]).run().expect(0).prints("history/0003-reset");
    session.baton(["reset"]).run().expect(0).prints("nothing to reset");
    session.run(&api, []).expect(2).reports("`baton run \"…\"`");
    // A task written by hand is a task.
    session.write(".agent_memory/task.md", "By hand\n\n");
    session.run(&api, []).expect(3);
    let message = api.requests().last().map(|request| request.first_message()).expect("a request");
    assert!(message.contains("By hand"), "{message}");
}

#[test]
fn on_a_pipe_progress_is_plain_lines_and_the_result_is_on_standard_output() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(!done.stderr.contains('\u{1b}') && !done.stdout.contains('\u{1b}'), "{done:?}");
    let run = &session.runs()[0];
    done.reports("context done: 1 relevant file")
        .reports("implement T1 done: 1 file, +1 -1")
        .prints("The verdict is approved.")
        .prints(&format!(".agent_memory/runs/{run}"));
    let status = session.baton(["status"]).run().expect(0);
    status
        .prints(&format!("Run   {run}\nState Approved by reading; no check ran."))
        .prints("T1         completed    The title of T1");
}

#[test]
fn the_repository_s_own_instructions_reach_the_context_agent_as_data() {
    let session = Session::new("//- /src/t1.rs\nfn t1() {}\n//- /AGENTS.md\nUse tabs.\n//- /.env\nSECRET=hush\n");
    let script = Script::new().on(
        "context",
        [
            Reply::tools([("read_file", json!({ "path": ".env" })), ("search", json!({ "pattern": "hush" }))]),
            context(&["src/t1.rs"]),
        ],
    );
    let api = MessagesApi::start(script);
    session.run(&api, ["--phase", "context", "--task", "Do it"]).expect(0);
    let asked = api.requests_of("context");
    let first = asked[0].first_message();
    assert!(first.contains("Use tabs.") && first.contains("untrusted"), "{first}");
    for request in &asked {
        assert!(!request.body.to_string().contains("SECRET=hush"), "secrets are never sent");
    }
    assert_eq!(asked[0].tools(), ["list_files", "search", "read_file", "outline", "log", "submit_context"]);
    assert!(
        !String::from_utf8_lossy(&session.memory_tree().values().flatten().copied().collect::<Vec<u8>>())
            .contains("hush\n")
    );
}

#[test]
fn automatic_approval_stops_at_protected_files() {
    let session = Session::new(&format!("{}//- /AGENTS.md\nUse tabs.\n", workspace(1)));
    let touches = with(own("T1"), json!({ "files_to_modify": ["src/t1.rs", "AGENTS.md"] }));
    let api = MessagesApi::start(goes_well(&[&[touches]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3).prints("AGENTS.md");
    assert!(!session.exists(".agent_memory/approval.json"));
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api), ["context", "plan", "implement/T1", "review"]);
}
