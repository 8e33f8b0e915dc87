//! What each server's way of speaking, and each of its errors, comes to.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use baton::models::{
    Block, Credential, Effort, Efforts, FactSource, Message, Model, ModelError, OpenAi, OpenAiClient, OpenAiConfig,
    RetryPolicy, Role, Tier, ToolSpec, Turn, TurnRequest,
};
use expect_test::expect;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::messages_api::chat::{ChatApi, Dialect, KEY, MODEL};
use crate::support::messages_api::{Fault, Reply, Script};

fn model(api: &ChatApi) -> OpenAi {
    let mut config = OpenAiConfig::new(Credential::BearerKey(KEY.to_owned()), "OPENAI_API_KEY");
    config.base_url = api.url();
    let millis = Duration::from_millis;
    config.retry = RetryPolicy { base: millis(1), cap: millis(2), max_retries: 1, max_wait: millis(8) };
    OpenAiClient::new(config).expect("a usable config").model(MODEL)
}

fn request(messages: Vec<Message>) -> TurnRequest {
    TurnRequest {
        run: "run".to_owned(),
        agent: "context".to_owned(),
        tier: Tier::Fast,
        system: vec!["You read code.".to_owned()],
        tools: vec![ToolSpec {
            name: "read_file".to_owned(),
            description: "Read a file.".to_owned(),
            input_schema: json!({ "type": "object", "properties": { "path": { "type": "string" } } }),
            strict: true,
        }],
        messages,
        max_tokens: 4000,
    }
}

async fn turn(model: &OpenAi, messages: Vec<Message>) -> Result<Turn, ModelError> {
    model.turn(&request(messages), &CancellationToken::new(), &|_| ()).await
}

fn answered(mut messages: Vec<Message>, turn: &Turn) -> Vec<Message> {
    let results = turn.content.iter().filter_map(Block::as_tool_use);
    let results: Vec<Block> = results.map(|(id, ..)| Block::tool_result(id, "result", false)).collect();
    messages.push(Message { role: Role::Assistant, content: turn.content.clone() });
    messages.push(Message { role: Role::User, content: results });
    messages
}

#[tokio::test]
async fn two_calls_and_a_second_turn_in_every_dialect() {
    let mut table = String::new();
    for dialect in Dialect::ALL {
        let calls =
            [("read_file", json!({ "path": "a/\u{1F980}" })), ("read_file", json!({ "path": "b", "deep": [1, null] }))];
        let first = Reply::tools(calls.clone()).with_text("I look, \u{1F980}.");
        let api = ChatApi::start(dialect, Script::new().on("any", [first, Reply::text("Done.")]));
        let model = model(&api);
        let messages = vec![Message::user("go")];
        let first = turn(&model, messages.clone()).await.expect("an answer");
        let called: Vec<Value> =
            first.content.iter().filter_map(Block::as_tool_use).map(|(_, _, input)| input.clone()).collect();
        assert_eq!(called, calls.map(|(_, input)| input), "{dialect:?}");
        let second = turn(&model, answered(messages, &first)).await.expect("an answer");
        assert_eq!(second.content.iter().find_map(Block::as_text), Some("Done."), "{dialect:?}");
        // As a transcript keeps it, for a run that goes on.
        let kept: Turn = serde_json::from_value(json!(first)).expect("a turn");
        assert_eq!(kept, first, "{dialect:?}");
        let kinds: Vec<&str> = first.content.iter().map(Block::kind).collect();
        let thought = first.content.iter().find(|block| block.kind() == "openai_reasoning");
        let field = thought.and_then(|block| block.0["field"].as_str()).unwrap_or("-");
        let signed =
            if first.content.iter().any(|block| block.0.get("extra_content").is_some()) { " signed" } else { "" };
        let usage = first.usage;
        writeln!(
            table,
            "{dialect:?}: {} blocks{signed}, thought in {field}; {} + {} cached, {} out, ${:?}; {} requests",
            kinds.len(),
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
            usage.cost_usd,
            api.requests().len(),
        )
        .expect("a string");
    }
    expect![[r#"
        OpenAi: 3 blocks, thought in -; 400 + 600 cached, 50 out, $None; 4 requests
        OpenRouter: 4 blocks, thought in reasoning_details; 400 + 600 cached, 50 out, $Some(0.002); 2 requests
        Vllm: 4 blocks, thought in reasoning; 400 + 600 cached, 50 out, $None; 2 requests
        OldVllm: 4 blocks, thought in reasoning_content; 400 + 600 cached, 50 out, $None; 2 requests
        LlamaCpp: 4 blocks, thought in reasoning_content; 400 + 600 cached, 50 out, $None; 2 requests
        LmStudio: 4 blocks, thought in reasoning; 0 + 0 cached, 0 out, $None; 2 requests
        DeepSeek: 4 blocks, thought in reasoning_content; 400 + 600 cached, 50 out, $None; 2 requests
        Google: 3 blocks signed, thought in -; 1000 + 0 cached, 50 out, $None; 2 requests
        Mistral: 4 blocks, thought in content; 400 + 600 cached, 50 out, $None; 3 requests
    "#]]
    .assert_eq(&table);
}

#[tokio::test]
async fn the_window_is_asked_for_once() {
    for (dialect, window) in [
        (Dialect::OpenAi, None),
        (Dialect::OpenRouter, Some(100_000)),
        (Dialect::Vllm, Some(8192)),
        (Dialect::OldVllm, Some(8192)),
        (Dialect::LlamaCpp, Some(4096)),
        (Dialect::LmStudio, Some(4096)),
        (Dialect::DeepSeek, None),
        (Dialect::Google, None),
        (Dialect::Mistral, Some(131_072)),
    ] {
        let api = ChatApi::start(dialect, Script::new());
        let model: Arc<dyn Model> = Arc::new(model(&api));
        for _ in 0..2 {
            let limits = model.limits().await;
            assert_eq!((limits.window, limits.max_output), (window, None), "{dialect:?}");
            assert!(window.is_none() || limits.window_from == FactSource::Server, "{dialect:?}");
        }
        let asked = api.asked().iter().filter(|path| path.ends_with("/models")).count();
        assert!(asked <= 2, "{dialect:?}: {:?}", api.asked());
    }
}

/// Errors as servers send them, from their documentation and from what their users report: `{dialect, case, status, body}`
/// a line.
const ERRORS: &str = include_str!("errors.jsonl");

#[tokio::test]
async fn every_error_says_what_to_do() {
    let mut table = String::new();
    for line in ERRORS.lines() {
        let error: Value = serde_json::from_str(line).expect(line);
        let dialect = Dialect::ALL.into_iter().find(|dialect| error["dialect"] == format!("{dialect:?}")).expect(line);
        let (case, status) = (error["case"].as_str().expect(line), error["status"].as_u64().expect(line));
        let code = u16::try_from(status).expect("a status");
        let fault = Fault::Status { code, headers: Vec::new(), body: error["body"].to_string() };
        let script = Script::new().fault("any", vec![fault; 100]).on("any", [Reply::text("fine")]);
        let api = ChatApi::start(dialect, script);
        let failed = turn(&model(&api), vec![Message::user("go")]).await.expect_err(case);
        let place = api.url().trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
        let message = failed.message.replace(&place, "HOST").replace("OpenAI-compatible API at HOST", "API");
        let times = if api.requests().len() > 1 { "again" } else { "final" };
        writeln!(table, "{dialect:?} | {case} ({code}) | {:?}, {times} | {message}", failed.kind).expect("a string");
    }
    expect![[""]].assert_eq(&table);
}

#[tokio::test]
async fn an_answer_that_would_not_fit_is_made_shorter() {
    let body = Dialect::Vllm.error(
        400,
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (5000 in the messages, 4000 \
         in the completion).",
    );
    let fault = Fault::Status { code: 400, headers: Vec::new(), body: body.to_string() };
    let api = ChatApi::start(Dialect::Vllm, Script::new().fault("any", [fault]).on("any", [Reply::text("fine")]));
    turn(&model(&api), vec![Message::user("go")]).await.expect("an answer");
    let sent: Vec<Value> = api.requests().iter().map(|request| request["max_tokens"].clone()).collect();
    assert_eq!(sent, [json!(4000), json!(3176)]);
}

#[tokio::test]
async fn an_effort_that_is_refused_is_learned_for_the_run() {
    for (dialect, sent) in [
        (Dialect::Vllm, ["high", "high"].map(Some).to_vec()),
        (Dialect::OldVllm, vec![Some("high"), None, None]),
        // The name of the answer's limit is refused first.
        (Dialect::OpenAi, [Some("high"), Some("high"), Some("none"), Some("none")].to_vec()),
    ] {
        let api = ChatApi::start(dialect, Script::new().on("any", [Reply::text("fine")]));
        let mut config = OpenAiConfig::new(Credential::BearerKey(KEY.to_owned()), "OPENAI_API_KEY");
        config.base_url = api.url();
        config.efforts = Efforts { fast: Some(Effort::High), ..Efforts::default() };
        let client = OpenAiClient::new(config).expect("a usable config");
        for _ in 0..2 {
            turn(&client.model(MODEL), vec![Message::user("go")]).await.expect("an answer");
        }
        let efforts: Vec<Value> = api.requests().iter().map(|request| request["reasoning_effort"].clone()).collect();
        assert_eq!(json!(efforts), json!(sent), "{dialect:?}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_asked_for_again() {
    for dialect in Dialect::ALL {
        let script = Script::new().fault("any", [Fault::CutAfterEvents(2)]).on("any", [Reply::text("fine")]);
        let api = ChatApi::start(dialect, script);
        let turn = turn(&model(&api), vec![Message::user("go")]).await.expect("an answer");
        assert_eq!(turn.content.iter().find_map(Block::as_text), Some("fine"), "{dialect:?}");
    }
}
