//! Models with a small window: what is sent fits it, or is not sent.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use super::conversations::{Actor, answers, assert_continued, blocks, call, run, says};
use super::scripted::Workflow;
use crate::models::{Turn, TurnRequest};
use crate::workflow::{EventErrorKind, Outcome};

const T1: &str = "implement/T1";

/// Bytes of a request, as they are estimated.
fn bytes(request: &TurnRequest) -> usize {
    let frame: usize = request.system.iter().map(String::len).sum::<usize>()
        + request.tools.iter().map(|tool| tool.input_schema.to_string().len() + 200).sum::<usize>();
    frame + blocks(request).iter().map(String::len).sum::<usize>()
}

fn tokens(request: &TurnRequest) -> u64 {
    bytes(request) as u64 * 10 / 32
}

/// The first prompt of an agent where there is room.
async fn first_prompt(workflow: &Workflow, agent: &str) -> TurnRequest {
    let actor = Arc::new(Actor::new(|_, _| None));
    run(workflow, &actor).await;
    actor.requests(agent)[0].clone()
}

#[tokio::test]
async fn a_diff_of_64_kb_is_reviewed_in_a_window_of_32k() {
    let workflow = Workflow::new();
    let content: String =
        (0..1_150).map(|n| format!("    let line_{n:04} = compute(\"input\", {n}, &options);\n")).collect();
    let wrote = content.clone();
    let actor = Arc::new(
        Actor::new(move |request, answers| match (request.agent.as_str(), answers) {
            (T1, 0) => says([
                call("a", "read_file", json!({ "path": "a.txt" })),
                call("b", "write_file", json!({ "path": "a.txt", "content": wrote })),
                call("c", "submit_result", json!({ "status": "completed" })),
            ]),
            _ => None,
        })
        .with_window(32_768),
    );
    let end = run(&workflow, &actor).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    let request = &actor.requests("review")[0];
    let told = &answers(request)[0];
    assert!(told.contains("+    let line_0000") && told.contains("line_1149") && told.contains("</diff>"), "{told}");
    assert!(tokens(request) + u64::from(request.max_tokens) <= 32_768 && request.max_tokens >= 2_048, "{request:?}");
}

#[tokio::test]
async fn a_first_prompt_is_made_to_fit_and_says_what_was_left_out() {
    let workflow = Workflow::new();
    fs::write(workflow.path().join("CONTRIBUTING.md"), "Write tests.\n".repeat(600)).unwrap();
    let whole = first_prompt(&workflow, "context").await;
    assert!(answers(&whole)[0].contains("Write tests."));
    let window = tokens(&whole) * 11 / 10 + 2_560 - 500;
    let actor = Arc::new(Actor::new(|_, _| None).with_window(window));
    let fresh = Workflow::new();
    fs::write(fresh.path().join("CONTRIBUTING.md"), "Write tests.\n".repeat(600)).unwrap();
    run(&fresh, &actor).await;
    let fitted = actor.requests("context")[0].clone();
    let first = &answers(&fitted)[0];
    assert!(
        !first.contains("Write tests.") && first.contains("conventions in CONTRIBUTING.md are left out"),
        "{first}"
    );
    assert!(tokens(&fitted) + u64::from(fitted.max_tokens) <= window && fitted.max_tokens < whole.max_tokens);
}

#[tokio::test]
async fn a_first_prompt_that_cannot_fit_is_not_sent() {
    let actor = Arc::new(Actor::new(|_, _| None).with_window(3_000));
    let end = run(&Workflow::new(), &actor).await;
    assert!(actor.requests("context").is_empty());
    assert_eq!((end.outcome, end.no_conclusion), (Outcome::Failed, false));
    assert_eq!(end.error.unwrap().kind, EventErrorKind::Config, "which ends a process with 2");
    for words in
        ["the context agent's first prompt needs about ", "the context window of test:acted has 3000; it was not sent"]
    {
        assert!(end.message.contains(words), "{}", end.message);
    }
}

#[tokio::test]
async fn results_are_cut_to_what_is_left_and_a_full_window_starts_over_once() {
    let workflow = Workflow::new();
    let file: String = (1..=3_000).map(|n| format!("line {n}\n")).collect();
    fs::write(workflow.path().join("long.txt"), file).unwrap();
    let frame = tokens(&first_prompt(&Workflow::new(), T1).await);
    let window = frame * 11 / 10 + 2_560 + 4_000;
    let reads = |request: &TurnRequest, n: usize| {
        let call = call("a", "read_file", json!({ "path": "long.txt", "start_line": n + 1 }));
        (request.agent == T1).then(|| says([call])).flatten()
    };
    let actor = Arc::new(Actor::new(reads).with_window(window));
    let end = run(&workflow, &actor).await;
    let requests = actor.requests(T1);
    let cut = &answers(&requests[1])[0];
    assert!(cut.contains("bytes are shown, to fit the model's context window; read on with start_line "), "{cut}");
    assert!(requests.iter().any(|request| answers(request)[0].contains("end your work with submit_result")));
    for request in &requests {
        assert!(tokens(request) + u64::from(request.max_tokens) <= window, "{} tokens", tokens(request));
    }
    let fresh: Vec<&TurnRequest> = requests.iter().filter(|request| request.messages.len() == 1).collect();
    assert_eq!(fresh.len(), 2, "one fresh conversation");
    assert!(answers(fresh[1])[0].starts_with("Your earlier conversation about this filled the context window"));
    assert_continued(&requests);
    assert_eq!((end.outcome, end.no_conclusion), (Outcome::Escalated, false), "{}", end.message);
    for words in
        ["the implement/T1 agent's conversation needs about ", &format!("test:acted has {window}; it was closed")]
    {
        assert!(end.message.contains(words), "{}", end.message);
    }
}

#[tokio::test]
async fn what_tasks_share_leaves_room_for_each_of_them() {
    const WINDOW: u64 = 16_384;
    let long = json!({ "task_description": "Change the file a.txt. ".repeat(1_500), "relevant_files": [] });
    let submits = move |request: &TurnRequest, _: usize| {
        (request.agent == "context").then(|| says([call("a", "submit_context", long.clone())])).flatten()
    };
    let actor = Arc::new(Actor::new(submits).with_window(WINDOW));
    let end = run(&Workflow::new(), &actor).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    for (agent, text) in [
        ("plan", answers(&actor.requests("plan")[0])[0].clone()),
        (T1, actor.requests(T1)[0].system[1].clone()),
        ("review", actor.requests("review")[0].system[1].clone()),
    ] {
        assert!(text.contains("context window; look for the rest with your tools]\n</context>"), "{agent}: {text}");
        let request = &actor.requests(agent)[0];
        assert!(tokens(request) + u64::from(request.max_tokens) <= WINDOW, "{agent}");
    }
    let task = &actor.requests(T1)[0];
    assert!(task.max_tokens > 5_000, "half of the window is left to a task: {}", task.max_tokens);
}

#[tokio::test]
async fn a_first_prompt_that_a_server_refuses_is_put_in_a_shorter_one() {
    let workflow = Workflow::new();
    fs::write(workflow.path().join("CONTRIBUTING.md"), "Write tests.\n".repeat(600)).unwrap();
    let refuses = |request: &TurnRequest, _: usize| {
        let is_long = answers(request)[0].contains("Write tests.");
        is_long.then(|| says([]).map(|turn| Turn { model: "too long".to_owned(), ..turn })).flatten()
    };
    let actor = Arc::new(Actor::new(refuses));
    let end = run(&workflow, &actor).await;
    assert_eq!((end.outcome, actor.requests("context").len()), (Outcome::Merged, 2), "{}", end.message);
}
