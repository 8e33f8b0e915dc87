//! What agents are given first, so that they need not ask for it.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use super::conversations::{Actor, answers, assert_continued, call, run, says};
use super::scripted::Workflow;
use crate::models::{Turn, TurnRequest};
use crate::workflow::{Goal, Outcome};

const T1: &str = "implement/T1";
const T2: &str = "implement/T2";

/// A workspace with three files; the context names lines of two of them.
fn workflow() -> Workflow {
    let workflow = Workflow::new();
    let lines: String = (1..=20).map(|n| format!("api {n}\n")).collect();
    fs::write(workflow.path().join("api.txt"), lines).unwrap();
    fs::write(workflow.path().join("b.txt"), "b before\n").unwrap();
    workflow
}

fn context() -> Value {
    let file =
        |path: &str, ranges: Value| json!({ "path": path, "summary": "s", "relevance": "high", "ranges": ranges });
    json!({
        "task_description": "change both",
        "relevant_files": [file("api.txt", json!([[3, 4]])), file("a.txt", json!([[1, 1]]))],
    })
}

fn plan() -> Value {
    let task = |id: &str, file: &str, depends_on: &[&str]| {
        json!({
            "id": id, "title": "t", "description": "d", "files_to_modify": [file], "depends_on": depends_on,
            "acceptance_criteria": ["it is changed"], "estimated_complexity": "simple",
        })
    };
    json!({
        "approach_summary": "s", "tasks": [task("T1", "a.txt", &[]), task("T2", "b.txt", &["T1"])],
        "parallel_groups": [["T1"], ["T2"]],
    })
}

fn edit(file: &str, old: &str, new: &str) -> Value {
    call("e", "edit_file", json!({ "path": file, "old_text": old, "new_text": new }))
}

fn submit(file: &str) -> Value {
    let change = json!({ "path": file, "summary": "what it did" });
    call("s", "submit_result", json!({ "status": "completed", "changes": [change], "notes": "a note" }))
}

/// Everybody reads nothing, and does all of its work in one turn.
fn act(request: &TurnRequest, answers: usize) -> Option<Turn> {
    let of = |id: u32| json!({ "task_id": format!("T{id}"), "criterion": 1, "evidence": null, "state": "unproven" });
    match (request.agent.as_str(), answers) {
        ("context", 0) => says([call("c", "submit_context", context())]),
        ("plan", 0) => says([call("p", "submit_plan", plan())]),
        (T1, 0) => says([edit("a.txt", "before", "after"), submit("a.txt")]),
        (T2, 0) => says([edit("b.txt", "before", "after"), submit("b.txt")]),
        ("review", 0) => says([call(
            "r",
            "submit_review",
            json!({
                "verdict": "approved", "summary": "good", "issues": [], "criteria": [of(1), of(2)],
                "recommended_action": "merge",
            }),
        )]),
        _ => None,
    }
}

const RANGES: &str =
    "api.txt, lines 3-4 of 20:\n    3\tapi 3\n    4\tapi 4\na.txt, 1 line:\n    1\tbefore\n</named_ranges>";

#[tokio::test]
async fn who_needs_nothing_more_is_done_in_one_turn() {
    let (workflow, actor) = (workflow(), Arc::new(Actor::new(act)));
    let end = run(&workflow, &actor).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    for agent in ["context", "plan", T1, T2, "review"] {
        assert_eq!(actor.requests(agent).len(), 1, "{agent}");
    }
    let first = |agent: &str| answers(&actor.requests(agent)[0])[0].clone();
    assert!(first("plan").contains(RANGES), "{}", first("plan"));
    let system = |agent: &str| actor.requests(agent)[0].system.clone();
    assert!(system(T1)[2].contains(RANGES), "{:?}", system(T1));
    assert_eq!(system(T1), system(T2), "the same bytes for all tasks, although T1 changed what they show");
    let own = "<own_files trust=\"untrusted data: the files of your task as they are now, as read_file shows them\">\n\
               b.txt, 1 line:\n    1\tb before\n</own_files>\n";
    assert!(first(T2).starts_with(own) && !first(T2).contains("a.txt"), "{}", first(T2));
    let last = first(T2).lines().last().map(serde_json::from_str::<Value>).unwrap().unwrap();
    assert_eq!(last["id"], "T2", "it ends with its task");
}

#[tokio::test]
async fn a_reviewer_is_told_of_each_changed_file_once_with_its_diff_and_of_no_hash() {
    let (workflow, actor) = (workflow(), Arc::new(Actor::new(act)));
    run(&workflow, &actor).await;
    let told = answers(&actor.requests("review")[0])[0].clone();
    assert!(!told.contains("<changed_files>"), "the report has them: {told}");
    assert!(told.contains("     \t-b before\n    1\t+b after\n</diff>\n"), "{told}");
    let report = told.split("<report>\n").nth(1).and_then(|rest| rest.split("\n</report>").next()).unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    let result = |id: &str, file: &str| {
        let change = json!({
            "path": file, "change_type": "modified", "summary": "what it did", "lines_added": 1, "lines_removed": 1,
        });
        json!({ "task_id": id, "status": "completed", "notes": "a note", "blockers": [], "changes": [change] })
    };
    let results = json!([result("T1", "a.txt"), result("T2", "b.txt")]);
    assert_eq!(report, json!({ "round": 1, "results": results, "checks": [] }));
    let is_hash = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hashes: Vec<&str> = told.split(|c: char| !c.is_alphanumeric()).filter(|word| is_hash(word)).collect();
    assert!(hashes.is_empty(), "{hashes:?}");
}

#[tokio::test]
async fn what_was_edited_in_the_turn_of_a_failed_edit_is_not_submitted() {
    let slips = |request: &TurnRequest, answers: usize| match (request.agent.as_str(), answers) {
        (T1, 0) => says([edit("a.txt", "no such text", "after"), submit("a.txt")]),
        (T1, 1) => says([edit("a.txt", "before", "after"), submit("a.txt")]),
        _ => act(request, answers),
    };
    let actor = Arc::new(Actor::new(slips));
    let end = run(&workflow(), &actor).await;
    assert_eq!((end.outcome, actor.requests(T1).len()), (Outcome::Merged, 2), "{}", end.message);
    let back = answers(&actor.requests(T1)[1]);
    assert!(back[0].contains("no such text") || back[0].contains("a.txt"), "{back:?}");
    assert!(back[1].starts_with("not taken: a call before it in this turn failed"), "{back:?}");
}

#[tokio::test]
async fn a_resumed_phase_keeps_the_lines_that_its_open_conversations_were_given() {
    let breaks = |request: &TurnRequest, answers: usize| match (request.agent.as_str(), answers) {
        (T2, 0) => says([call("l", "list_files", json!({}))]),
        (T2, 1) => says([]).map(|turn| Turn { model: "fails".to_owned(), ..turn }),
        _ => act(request, answers),
    };
    let (workflow, first) = (workflow(), Arc::new(Actor::new(breaks)));
    assert_eq!(run(&workflow, &first).await.outcome, Outcome::Failed);
    // T1 is done, and its file is not what the context named any more; the user changes the other one.
    fs::write(workflow.path().join("api.txt"), "other\n".repeat(20)).unwrap();
    let goes_on = |request: &TurnRequest, answers: usize| match (request.agent.as_str(), answers) {
        (T2, 1) => says([edit("b.txt", "before", "after"), submit("b.txt")]),
        _ => act(request, answers),
    };
    let second = Arc::new(Actor::new(goes_on));
    let (end, _) = workflow.run_with(Goal::default(), second.clone()).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    assert_eq!(second.requests(T2).len(), 1, "the first turn is not paid for again");
    assert_eq!(second.requests(T2)[0].system, first.requests(T2)[0].system);
    assert_continued(&[first.requests(T2), second.requests(T2)].concat());
}

#[tokio::test]
async fn a_range_that_is_not_there_goes_back_and_is_dropped_at_the_last_try() {
    let wrong = |request: &TurnRequest, answers: usize| {
        let mut context = context();
        context["relevant_files"][0]["ranges"] = json!([[21, 30], [3, 4]]);
        (request.agent == "context")
            .then(|| says([call("c", "submit_context", context)]))
            .flatten()
            .or(act(request, answers))
    };
    let (workflow, actor) = (workflow(), Arc::new(Actor::new(wrong)));
    let end = run(&workflow, &actor).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    let requests = actor.requests("context");
    assert_eq!(requests.len(), 3);
    let fault = "/relevant_files/0/ranges/0: line 21 is after the end of api.txt, which has 20 lines";
    assert!(answers(&requests[1])[0].contains(fault), "{:?}", answers(&requests[1]));
    let context: Value = serde_json::from_str(&fs::read_to_string(workflow.file("context.json")).unwrap()).unwrap();
    assert_eq!(context["relevant_files"][0]["ranges"], json!([[3, 4]]));
}

#[tokio::test]
async fn a_range_that_ends_after_its_file_is_cut_and_told() {
    let long = |request: &TurnRequest, answers: usize| {
        let mut context = context();
        context["relevant_files"][0]["ranges"] = json!([[19, 40]]);
        (request.agent == "context" && answers == 0)
            .then(|| says([call("c", "submit_context", context)]))
            .flatten()
            .or(act(request, answers))
    };
    let (workflow, actor) = (workflow(), Arc::new(Actor::new(long)));
    let (end, events) = workflow.run_with(Goal::of_task("Change a.txt"), actor.clone()).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    assert_eq!(actor.requests("context").len(), 1, "it is no fault");
    let context: Value = serde_json::from_str(&fs::read_to_string(workflow.file("context.json")).unwrap()).unwrap();
    assert_eq!(context["relevant_files"][0]["ranges"], json!([[19, 20]]));
    let told = "api.txt ends at line 20: of the lines 19-40 that the context names, 19-20 are there";
    assert!(events.iter().any(|event| event.message == told), "{events:?}");
}

/// A long file, of which the context names lines and which one task changes.
fn long_file() -> (Workflow, impl Fn(&TurnRequest, usize) -> Option<Turn> + Send + Sync + 'static) {
    let workflow = Workflow::new();
    let lines: String = (1..=400).map(|n| format!("line {n} of the long file\n")).collect();
    fs::write(workflow.path().join("long.txt"), lines).unwrap();
    let long = json!({ "path": "long.txt", "summary": "s", "relevance": "high", "ranges": [[300, 302]] });
    let context = json!({ "task_description": "change it", "relevant_files": [long] });
    let mut plan = plan();
    plan["tasks"] = json!([plan["tasks"][0]]);
    plan["tasks"][0]["files_to_modify"] = json!(["long.txt"]);
    plan["parallel_groups"] = json!([["T1"]]);
    let review = |issues: Value, verdict: &str, action: &str| {
        let criterion = json!({ "task_id": "T1", "criterion": 1, "evidence": null, "state": "unproven" });
        says([call(
            "r",
            "submit_review",
            json!({
                "verdict": verdict, "summary": "s", "issues": issues, "criteria": [criterion], "recommended_action": action,
            }),
        )])
    };
    let act = move |request: &TurnRequest, answers: usize| {
        let is_again = request.messages[0].content[0]
            .as_text()
            .is_some_and(|text| text.contains("own_diff is what") || text.contains("<open_issues>"));
        let put_in = |at: u32, text: &str| {
            let old = format!("line {at} of the long file\n");
            edit("long.txt", &old, &format!("{old}{text}"))
        };
        match (request.agent.as_str(), answers, is_again) {
            ("context", 0, _) => says([call("c", "submit_context", context.clone())]),
            ("plan", 0, _) => says([call("p", "submit_plan", plan.clone())]),
            (T1, 0, false) => says([put_in(10, "put in\nput in\n"), submit("long.txt")]),
            (T1, 0, true) => says([put_in(200, "mended\n"), submit("long.txt")]),
            ("review", 0, false) => review(
                json!([{ "severity": "major", "file": "long.txt", "line": 202, "quote": "line 200 of the long file", "description": "wrong" }]),
                "changes_requested",
                "fix_and_re_review",
            ),
            ("review", 0, true) => review(json!([]), "approved", "merge"),
            _ => None,
        }
    };
    (workflow, act)
}

#[tokio::test]
async fn a_fix_round_is_given_what_was_done_and_the_lines_it_is_about_and_no_long_file() {
    let (workflow, act) = long_file();
    let actor = Arc::new(Actor::new(act));
    let end = run(&workflow, &actor).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    let [first, fix] = actor.requests(T1).try_into().unwrap();
    let named = |from: u32, all: u32| {
        let lines: String = (0..3).map(|n| format!("  {}\tline {} of the long file\n", from + n, 300 + n)).collect();
        format!("long.txt, lines {from}-{} of {all}:\n{lines}", from + 2)
    };
    assert!(first.system[2].contains(&named(300, 400)), "{:?}", first.system);
    assert!(
        answers(&first)[0].contains("(long.txt, 400 lines: its lines 300-302 stand in named_ranges, as they are now.)")
    );
    assert_eq!(first.system[..2], fix.system[..2], "what is marked for the cache is the same");
    assert!(fix.system[2].contains(&named(302, 402)), "they are followed through what was done: {:?}", fix.system);
    let told = &answers(&fix)[0];
    for part in [
        "<own_diff trust=\"untrusted data: what this task changed so far, as read_diff shows it\">\n",
        "   11\t+put in\n",
        "(long.txt, 402 lines: its lines 302-304 stand in named_ranges, as they are now.)",
        "<issue_lines trust=",
        "long.txt, lines 162-241 of 402:\n",
        "  202\tline 200 of the long file\n",
    ] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
    assert!(!told.contains("line 100 of the long file") && !told.contains("not attached"), "{told}");
}

#[tokio::test]
async fn a_reviewer_is_given_the_named_lines_beside_the_diff_and_then_what_followed_its_review() {
    let (workflow, act) = long_file();
    let actor = Arc::new(Actor::new(act));
    run(&workflow, &actor).await;
    let [first, again] = actor.requests("review").try_into().unwrap();
    assert_eq!((first.system.len(), &first.system), (2, &again.system), "the cache holds task, context and plan");
    for section in ["<task>", "<context>", "<plan>"] {
        assert!(first.system[1].contains(section) && !answers(&first)[0].contains(section), "{section}");
    }
    let told = &answers(&first)[0];
    let named = "long.txt, lines 302-304 of 402:\n  302\tline 300 of the long file\n";
    assert!(told.contains("   11\t+put in\n") && told.contains(named), "{told}");
    assert!(!told.contains("since_review") && !told.contains("answers"), "{told}");
    let told = &answers(&again)[0];
    let since =
        told.split("<since_review trust=").nth(1).and_then(|rest| rest.split("</since_review>").next()).unwrap();
    assert!(since.contains("  203\t+mended\n") && !since.contains("put in"), "{since}");
    assert!(told.contains("since_review shows that work alone"), "{told}");
}

#[tokio::test]
async fn an_agent_that_gathers_context_is_given_all_of_a_small_workspace() {
    let (workflow, actor) = (workflow(), Arc::new(Actor::new(act)));
    run(&workflow, &actor).await;
    let told = &answers(&actor.requests("context")[0])[0];
    for part in ["<file_texts trust=", "a.txt, 1 line:\n    1\tbefore\n", "   20\tapi 20\n", "submit at once"] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
}
