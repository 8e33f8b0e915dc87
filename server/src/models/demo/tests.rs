use std::sync::Mutex;

use serde_json::{Value, json};

use super::super::message::{Block, Message, Role};
use super::*;

const TASK: &str = include_str!("../../../demo/task.md");

fn demo() -> Demo {
    Demo { recording: Recording::embedded().expect("it is a recording"), pace: Pace::AT_ONCE }
}

/// A request whose conversation holds so many answers already.
fn request(agent: &str, system: &str, first: &str, answers: usize) -> TurnRequest {
    let mut messages = vec![Message::user(first)];
    for _ in 0..answers {
        messages.push(Message { role: Role::Assistant, content: vec![Block::text("earlier")] });
        messages.push(Message::user("go on"));
    }
    TurnRequest {
        run: "r".to_owned(),
        agent: agent.to_owned(),
        tier: Tier::Fast,
        system: vec!["You do something.".to_owned(), system.to_owned()],
        tools: Vec::new(),
        messages,
        max_tokens: 100,
    }
}

fn task(task: &str) -> String {
    format!("<task>\n{}\n</task>\n", task.trim())
}

/// The plan that the recorded planner hands on, as another version.
fn plan() -> Value {
    let recorded = include_str!("../../../demo/transcript.jsonl").lines().find(|line| line.contains("submit_plan"));
    let recorded: Value = serde_json::from_str(recorded.expect("there is a plan")).expect("it is JSON");
    let blocks = recorded["response"]["content"].as_array().expect("blocks");
    let mut plan = blocks.iter().find(|block| block["name"] == "submit_plan").expect("submitted")["input"].clone();
    plan["plan_version"] = json!(7);
    plan["timestamp"] = json!("2026-01-01T00:00:00Z");
    plan
}

fn given(plan: &Value) -> String {
    format!("<user_task>\n{}\n</user_task>\n<plan>\n{plan}\n</plan>\n", TASK.trim())
}

/// The files of the sample, as they are listed at first.
const FILES: &str = "<files>\nREADME.md (30 lines)\nsrc/check.rs (94 lines)\nsrc/lib.rs (10 lines)\nsrc/link.rs (169 lines)\n\
                     src/main.rs (23 lines)\ntests/check.rs (46 lines)\n</files>\n";

async fn answer(request: &TurnRequest) -> Result<Turn, ModelError> {
    let (demo, heard) = (demo(), Mutex::new(0));
    let turn = demo.turn(request, &CancellationToken::new(), &|_| *heard.lock().expect("no panic") += 1).await;
    assert_eq!(turn.is_ok(), demo.can_answer(request));
    assert!(turn.is_err() || *heard.lock().expect("no panic") > 1, "it is seen to be at work");
    turn
}

/// The tools that an answer calls.
async fn calls(request: TurnRequest) -> Vec<String> {
    let turn = answer(&request).await.expect("it is recorded");
    turn.content.iter().filter_map(Block::as_tool_use).map(|(_, name, _)| name.to_owned()).collect()
}

async fn refused(request: TurnRequest) {
    let error = answer(&request).await.expect_err("it is not recorded");
    assert_eq!(error.kind, ModelErrorKind::Settings);
    assert!(error.message.starts_with("The demo's answers are recorded: they know its own task and plan only"));
    assert!(error.message.contains("Choose a model to go on"), "{error}");
}

#[tokio::test]
async fn tasks_are_answered_side_by_side_in_any_order_and_where_a_run_was_interrupted() {
    let own = given(&plan());
    for (agent, answers, first_call) in [
        ("implement/T3", 1, "edit_file"),
        ("implement/T1", 0, "read_file"),
        ("implement/T3", 0, "read_file"),
        ("implement/T4", 3, "submit_result"),
        ("implement/T1", 2, "submit_result"),
        ("implement/T3", 0, "read_file"),
    ] {
        assert_eq!(calls(request(agent, &own, "Your task:\n{}", answers)).await[0], first_call, "{agent} {answers}");
    }
    refused(request("implement/T1", &own, "Your task:\n{}", 3)).await;
}

#[tokio::test]
async fn what_the_recording_used_is_used_by_nobody_now() {
    let turn = answer(&request("context", "", &format!("{}{FILES}", task(TASK)), 0)).await.expect("recorded");
    assert_eq!((turn.usage.total_tokens(), turn.usage.cost_usd), (0, Some(0.0)));
    assert_eq!(demo().account(), "recorded answers of the demo; costs nothing");
}

#[tokio::test]
async fn another_task_is_not_answered_nor_the_same_on_other_files() {
    let own = format!("{}{FILES}", task(TASK));
    assert_eq!(calls(request("context", "", &own, 0)).await[0], "list_files");
    refused(request("context", "", &format!("{}{FILES}", task("Add a --json flag")), 0)).await;
    refused(request("context", "", &format!("{}{FILES}", task(&format!("{TASK} And more."))), 0)).await;
    refused(request("context", "", &own.replace("src/link.rs (169", "src/link.rs (192"), 0)).await;
    refused(request("context", "", &own.replace("src/lib.rs", "src/heading.rs (104 lines)\nsrc/lib.rs"), 0)).await;
    refused(request("quick", "", &own, 0)).await;
    refused(request("review_base", "", "What differs from main:", 0)).await;
}

#[tokio::test]
async fn another_plan_is_not_answered() {
    let mut edited = plan();
    edited["tasks"][1]["acceptance_criteria"][0] = json!("It is fast");
    refused(request("implement/T2", &given(&edited), "Your task:\n{}", 0)).await;
    let mut longer = plan();
    let more = longer["tasks"][2].clone();
    longer["tasks"].as_array_mut().expect("a list").push(more);
    refused(request("implement/T1", &given(&longer), "Your task:\n{}", 0)).await;
    refused(request("implement/T1", "<user_task>\nno plan", "Your task:\n{}", 0)).await;
    // What the user says of a plan is not in it.
    let mut reworded = plan();
    reworded["approach_summary"] = json!("As before");
    assert_eq!(calls(request("implement/T2", &given(&reworded), "Your task:\n{}", 0)).await, ["read_file"]);
}

#[tokio::test]
async fn asked_for_another_plan_it_says_that_it_cannot_and_hands_on_the_same() {
    let first = format!("{}<feedback>\nMake one task of it\n</feedback>\n", task(TASK));
    let turn = answer(&request("plan", "", &first, 0)).await.expect("recorded");
    let (_, name, input) = turn.content[0].as_tool_use().expect("a call");
    assert_eq!((name, &input["tasks"]), ("submit_plan", &plan()["tasks"]));
    let approach = input["approach_summary"].as_str().expect("a text");
    assert!(approach.starts_with("This is the plan as it was: the demo's answers are recorded and cannot take up"));
    refused(request("plan", "", &format!("{first}<review>\n{{}}\n</review>\n"), 0)).await;
}

#[tokio::test]
async fn each_issue_of_its_review_is_fixed_by_its_own_task_and_no_other_issue() {
    let own = given(&plan());
    let issues = |text: &str| format!("<review_issues>\n[{{\"description\":\"{text}\"}}]\n</review_issues>\n{{}}");
    let fixes = "`fragment` does not. A link copied from a browser, works";
    assert_eq!(calls(request("implement/T2", &own, &issues(fixes), 0)).await, ["edit_file"; 4]);
    assert_eq!(calls(request("implement/T2", &own, &issues(fixes), 1)).await, ["submit_result"]);
    refused(request("implement/T1", &own, &issues(fixes), 0)).await;
    refused(request("implement/T2", &own, &issues("It is slow"), 0)).await;
    refused(request("implement/T2", &own, "<failing_checks>\ntest\n</failing_checks>\n{}", 0)).await;
}

#[tokio::test]
async fn a_review_is_answered_for_the_work_that_it_sees() {
    let shared = format!("{}<plan>\n{}\n</plan>\n", task(TASK), plan());
    let report =
        "<report>\n{\"task_id\":\"T1\"}{\"task_id\":\"T2\"}{\"task_id\":\"T3\"}{\"task_id\":\"T4\"}\n</report>\n";
    let found = "+        (!fragment.is_empty() && !path.contains('?')).then_some(fragment)\n\
                 +    let spelled = without_targets(heading).to_lowercase();\n\
                 +    let known = anchors(&read(&target)?).contains(&fragment.to_lowercase());\n";
    let open = "<open_issues>\n[]\n</open_issues>\n";
    let fixed = "+    let spelled = without_targets(&without_tags(heading)).to_lowercase();\n";
    let review = |first: String| request("review", &shared, &first, 0);
    assert_eq!(calls(review(format!("{report}{found}"))).await.len(), 3);
    // Undone and done again: the issues are still true.
    assert_eq!(calls(review(format!("{report}{found}{open}"))).await.len(), 3);
    assert_eq!(calls(review(format!("{report}{fixed}{open}"))).await, ["read_diff"]);
    refused(review(format!("{report}{open}"))).await;
    refused(review(format!("{report}{fixed}"))).await;
    refused(review(format!("<report>\n{{\"task_id\":\"T2\"}}\n</report>\n{found}"))).await;
}
