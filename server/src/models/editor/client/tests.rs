use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::contracts::Usage;
use crate::models::estimate::estimated_tokens;
use crate::models::message::{Block, Message, Role, StopReason, ToolSpec};

/// Answers in their order, and then never.
struct Scripted {
    answers: Mutex<VecDeque<Result<Value, EditorRefusal>>>,
    asked: Mutex<Vec<Value>>,
}

#[async_trait]
impl EditorModels for Scripted {
    async fn turn(&self, request: Value) -> Result<Value, EditorRefusal> {
        self.asked.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn scripted(answers: impl IntoIterator<Item = Result<Value, EditorRefusal>>) -> (Arc<Scripted>, EditorModel) {
    let editor = Arc::new(Scripted { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() });
    let model = EditorClient::new(editor.clone(), EditorConfig::default()).model(Tier::Balanced, "balanced");
    (editor, model)
}

fn request() -> TurnRequest {
    TurnRequest {
        run: "r1".to_owned(),
        agent: "implement/T1".to_owned(),
        tier: Tier::Balanced,
        system: vec!["You implement.".to_owned(), "The plan.".to_owned()],
        tools: vec![ToolSpec {
            name: "read_file".to_owned(),
            description: "Reads.".to_owned(),
            input_schema: json!({ "type": "object" }),
            strict: true,
        }],
        messages: vec![
            Message::user("Do it."),
            Message {
                role: Role::Assistant,
                content: vec![Block::tool_use("call_1", "read_file", json!({ "path": "a" }))],
            },
            Message { role: Role::User, content: vec![Block::tool_result("call_1", "text", false)] },
        ],
        max_tokens: 1000,
    }
}

async fn turn(model: &EditorModel) -> Result<Turn, ModelError> {
    model.turn(&request(), &CancellationToken::new(), &|_| ()).await
}

/// What a model makes of one answer.
fn read(answer: Value) -> Result<Turn, String> {
    let request = request();
    answer::read(&answer, &request, &body(Tier::Fast, &request), "editor:fast").map_err(|unreadable| unreadable.fault)
}

fn refusal(kind: RefusalKind, said: &str) -> EditorRefusal {
    EditorRefusal { kind, said: said.to_owned() }
}

#[tokio::test]
async fn a_turn_is_one_request_with_what_the_contract_names() {
    let answer = json!({
        "content": [{ "type": "text", "text": "Done." }], "stop_reason": "end_turn", "model": "gpt-9",
        "usage": { "input_tokens": 12, "output_tokens": 3 },
    });
    let (editor, model) = scripted([Ok(answer)]);
    let turn = turn(&model).await.unwrap();
    let usage = Usage { input_tokens: 12, output_tokens: 3, cost_usd: None, ..Usage::default() };
    let expected =
        Turn { content: vec![Block::text("Done.")], stop_reason: StopReason::EndTurn, model: "gpt-9".into(), usage };
    assert_eq!(turn, expected);
    let asked = json!({
        "run": "r1", "agent": "implement/T1", "tier": "balanced", "system": "You implement.\n\nThe plan.",
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "Do it." }] },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "call_1", "name": "read_file", "input": { "path": "a" } }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "call_1", "content": "text" }] },
        ],
        "tools": [{ "name": "read_file", "description": "Reads.", "input_schema": { "type": "object" } }],
        "max_tokens": 1000,
    });
    assert_eq!(*editor.asked.lock().unwrap(), [asked]);
}

#[tokio::test]
async fn each_kind_of_refusal_says_what_to_do_and_is_not_tried_again() {
    for (kind, error, words) in [
        (RefusalKind::Blocked, ModelErrorKind::Blocked, "choose another model for the tier `balanced`"),
        (RefusalKind::NoPermission, ModelErrorKind::Blocked, "allow it when the editor asks"),
        (RefusalKind::NotFound, ModelErrorKind::Settings, "no model for the tier `balanced`: said so. Sign in"),
        (RefusalKind::Unsupported, ModelErrorKind::Settings, "Update its Baton extension"),
        (RefusalKind::Cancelled, ModelErrorKind::Cancelled, "Cancelled."),
        (RefusalKind::Gone, ModelErrorKind::Cancelled, "Cancelled."),
    ] {
        let (editor, model) = scripted([Err(refusal(kind, "said\u{1b}\n so.\u{202e}"))]);
        let failed = turn(&model).await.unwrap_err();
        assert_eq!(failed.kind, error, "{kind:?}");
        assert!(failed.message.contains(words), "{kind:?}: {}", failed.message);
        assert!(!failed.message.contains(char::is_control), "{:?}", failed.message);
        assert_eq!(editor.asked.lock().unwrap().len(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again_and_its_lost_answer_counts() {
    let lost = json!({ "content": 7, "usage": { "input_tokens": 100, "output_tokens": 1 } });
    let good = json!({ "content": "Done.", "usage": { "input_tokens": 12, "output_tokens": 3 } });
    let failure = || Err(refusal(RefusalKind::Failed, "network changed"));
    let (editor, model) = scripted([failure(), Ok(lost), Ok(good)]);
    let told = Mutex::new(Vec::new());
    let progress = |progress: TurnProgress| {
        if let TurnProgress::Retry { again, .. } = progress {
            told.lock().unwrap().push((again.provider, again.reason));
        }
    };
    let turn = model.turn(&request(), &CancellationToken::new(), &progress).await.unwrap();
    assert_eq!(turn.content, [Block::text("Done.")]);
    let usage = Usage { input_tokens: 112, output_tokens: 4, cost_usd: None, ..Usage::default() };
    assert_eq!(turn.usage, usage);
    let reasons = ["failed: network changed", "an answer that is not understood"]
        .map(|reason| ("Your editor's models".to_owned(), reason.to_owned()));
    assert_eq!(*told.lock().unwrap(), reasons);
    assert_eq!(editor.asked.lock().unwrap().len(), 3);

    let (editor, model) = scripted((0..9).map(|_| failure()));
    let failed = super::tests::turn(&model).await.unwrap_err();
    assert_eq!(failed.kind, ModelErrorKind::Unavailable);
    assert!(failed.message.contains("network changed. Gave up after 5 attempts"), "{}", failed.message);
    assert_eq!(editor.asked.lock().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_editor_slows_every_task_down() {
    let answers = [Err(refusal(RefusalKind::Failed, "429 Too Many Requests")), Ok(json!({ "content": "Done." }))];
    let (_, model) = scripted(answers);
    turn(&model).await.unwrap();
    assert_eq!(model.client.throttle.limit(), 2, "halved to one, and grown by the success");
}

#[tokio::test(start_paused = true)]
async fn an_editor_that_never_answers_is_not_waited_for_for_ever() {
    let (_, model) = scripted([]);
    let failed = turn(&model).await.unwrap_err();
    assert_eq!(failed.kind, ModelErrorKind::Unavailable);
    assert!(failed.message.contains("did not answer within 10m"), "{}", failed.message);
}

#[tokio::test]
async fn a_cancelled_turn_is_dropped_at_once() {
    let (editor, model) = scripted([]);
    let cancel = CancellationToken::new();
    let request = request();
    let turn = model.turn(&request, &cancel, &|_| ());
    tokio::pin!(turn);
    assert!(futures::poll!(turn.as_mut()).is_pending());
    assert_eq!(editor.asked.lock().unwrap().len(), 1);
    cancel.cancel();
    assert_eq!(turn.await.unwrap_err().kind, ModelErrorKind::Cancelled);
}

#[test]
fn what_is_missing_is_made_up_for() {
    let calls = json!([
        { "type": "text", "text": "  \n" },
        { "type": "thinking", "thinking": "hm", "signature": [1] },
        { "type": "tool_use", "name": "read_file", "input": { "path": "a" } },
        { "type": "tool_use", "id": 7, "name": "read_file" },
        { "type": "tool_use", "id": "call_1", "name": "read_file", "input": "{\"path\": \"b\"}" },
        { "type": "tool_use", "id": "x", "name": "read_file", "input": null },
        { "type": "tool_use", "id": "x", "name": "read_file", "input": " " },
        { "type": "tool_use", "id": "y", "name": "read_file", "input": [1] },
    ]);
    let turn = read(json!({ "content": calls, "stop_reason": null, "model": 3 })).unwrap();
    assert_eq!((turn.stop_reason, turn.model.as_str()), (StopReason::ToolUse, "editor:fast"));
    assert_eq!(turn.content[0].0, json!({ "type": "thinking", "thinking": "hm", "signature": [1] }), "kept verbatim");
    let calls: Vec<_> = turn.content.iter().filter_map(Block::as_tool_use).collect();
    // The conversation has a call_1 already.
    let ids: Vec<&str> = calls.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, ["call_2", "call_3", "call_4", "x", "call_5", "y"]);
    let inputs: Vec<String> = calls.iter().map(|(_, _, input)| input.to_string()).collect();
    assert_eq!(inputs, [r#"{"path":"a"}"#, "{}", r#"{"path":"b"}"#, "{}", "{}", r#""[1]""#]);
    assert_eq!(read(json!({ "content": [] })).unwrap().stop_reason, StopReason::EndTurn);
    let other = read(json!({ "content": [], "stop_reason": "tired" })).unwrap();
    assert_eq!(other.stop_reason, StopReason::Other("tired".to_owned()));
}

#[test]
fn what_cannot_be_made_sense_of_is_named() {
    let deep = (0..100).fold(json!({}), |inner, _| json!({ "a": inner }));
    for (answer, words) in [
        (Value::Null, "it is null, not an object"),
        (json!([1]), "it is a list"),
        (json!({}), "it has no content"),
        (json!({ "content": { "type": "text" } }), "its content is an object"),
        (json!({ "content": ["text"] }), "content[0] is a string, not a block"),
        (json!({ "content": [{ "text": "x" }] }), "content[0] has no type"),
        (
            json!({ "content": [{ "type": "text", "text": { "value": "x" } }] }),
            "content[0] is a text block without text",
        ),
        (json!({ "content": [{ "type": "tool_use", "id": "x", "input": {} }] }), "without the tool's name"),
        (json!({ "content": [{ "type": "odd", "x": deep }] }), "nested too deeply"),
        (json!({ "content": [{ "type": "tool_result", "tool_use_id": "x" }] }), "a tool's result"),
    ] {
        let fault = read(answer.clone()).unwrap_err();
        assert!(fault.contains(words), "{answer}: {fault}");
    }
}

#[test]
fn tokens_that_are_not_counted_are_estimated_and_nothing_is_priced() {
    let usage_of = |usage: Value| {
        let model = "claude-opus-5-5";
        read(json!({ "content": "0123456789", "usage": usage, "model": model })).unwrap().usage
    };
    let request = request();
    let prompt = estimated_tokens(body(Tier::Fast, &request).to_string().len());
    let none = usage_of(Value::Null);
    assert_eq!((none.input_tokens, none.output_tokens, none.cost_usd, none.estimated), (prompt, 5, None, true));
    assert_eq!(usage_of(json!("many")), none);
    assert_eq!(usage_of(json!({ "input_tokens": "12", "output_tokens": -3 })), none);
    let some = usage_of(json!({ "input_tokens": 5.0, "cache_read_input_tokens": 1e30 }));
    assert_eq!((some.input_tokens, some.cache_read_tokens, some.output_tokens), (5, 1_000_000_000, 5));
    assert_eq!(some.cost_usd, None);
}
