//! What each server's way of speaking, and each of its errors, comes to.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use baton::models::{
    Block, Credential, Effort, Efforts, FactSource, Message, Model, ModelError, OpenAi, OpenAiClient, RetryPolicy,
    Role, Tier, ToolSpec, Turn, TurnRequest,
};
use expect_test::expect;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::messages_api::chat::{ChatApi, Dialect, KEY, MODEL};
use crate::support::messages_api::{Fault, Reply, Script};

fn model(api: &ChatApi) -> OpenAi {
    let mut config = OpenAiClient::config(Credential::BearerKey(KEY.to_owned()), "OPENAI_API_KEY");
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
        LmStudio: 4 blocks, thought in reasoning; 119 + 0 cached, 36 out, $None; 2 requests
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
        (Dialect::Vllm, Some(32_768)),
        (Dialect::OldVllm, Some(32_768)),
        (Dialect::LlamaCpp, Some(16_384)),
        (Dialect::LmStudio, Some(16_384)),
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
        let times = if failed.message.contains("Gave up after") { "again" } else { "final" };
        writeln!(table, "{dialect:?} | {case} ({code}) | {:?}, {times} | {message}", failed.kind).expect("a string");
    }
    expect![[r#"
        OpenAi | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "Incorrect API key provided: sk-x". Set OPENAI_API_KEY anew.
        OpenAi | money (429) | Quota, final | API: the account of the key in OPENAI_API_KEY has reached its spend limit: "You exceeded your current quota". Add credit or raise the limit, then start again: what is done so far is kept.
        OpenAi | rate (429) | Unavailable, again | API: rate limit reached (429): "Rate limit reached for requests". Gave up after waiting 0s; what is done so far is kept, start again later.
        OpenAi | one request over the rate (429) | ContextWindow, final | The conversation is too long for some-model: "Request too large for m on tokens per min (TPM): Limit 30000, Requested 40000". A smaller task, or a model with a larger window (models.*), may do better.
        OpenAi | model (404) | Settings, final | API has no model "some-model" (404): "The model `some-model` does not exist or you do not have access to it". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        OpenAi | address (404) | Settings, final | API has no Chat Completions API at its /chat/completions (404): "Invalid URL (POST /v1/chat/completion)". Set OPENAI_BASE_URL.
        OpenAi | window (400) | ContextWindow, final | The conversation is too long for some-model: "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens". A smaller task, or a model with a larger window (models.*), may do better.
        OpenAi | form (400) | Request, final | API refused the request (400): "Invalid type for 'messages[1].content'". What is done so far is kept; another model (models.*) may take it.
        OpenAi | server (500) | Unavailable, again | API failed to answer (500): "The server had an error". Gave up after 2 attempts; what is done so far is kept, start again later.
        OpenRouter | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "No auth credentials found". Set OPENAI_API_KEY anew.
        OpenRouter | money (402) | Quota, final | API: the account of the key in OPENAI_API_KEY has reached its spend limit: "This request requires more credits, or fewer max_tokens". Add credit or raise the limit, then start again: what is done so far is kept.
        OpenRouter | moderation (403) | Request, final | API refused the request (403): "some-model requires moderation. Your input was flagged". What is done so far is kept; another model (models.*) may take it.
        OpenRouter | rate (429) | Unavailable, again | API: rate limit reached (429): "Provider returned error (Some: some-model is temporarily rate-limited upstream)". Gave up after waiting 0s; what is done so far is kept, start again later.
        OpenRouter | model (400) | Settings, final | API has no model "some-model" (400): "some-model is not a valid model ID". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        OpenRouter | no tools (404) | Settings, final | API takes no tools for some-model (404): "No endpoints found that support tool use". Agents work by tools: choose a model that takes them, or start the server with them.
        OpenRouter | window (400) | ContextWindow, final | The conversation is too long for some-model: "Provider returned error (Some: This model's maximum context length is 8192 tokens.)". A smaller task, or a model with a larger window (models.*), may do better.
        OpenRouter | server behind it (502) | Unavailable, again | API failed to answer (502): "Provider returned error". Gave up after 2 attempts; what is done so far is kept, start again later.
        OpenRouter | 200 with an error (200) | Unavailable, again | API failed to answer (502): "Upstream idle timeout exceeded". Gave up after 2 attempts; what is done so far is kept, start again later.
        Vllm | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "Unauthorized". Set OPENAI_API_KEY anew.
        Vllm | model (404) | Settings, final | API has no model "some-model" (404): "The model `some-model` does not exist". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        Vllm | address (404) | Settings, final | API has no Chat Completions API at its /chat/completions (404): "Not Found". Set OPENAI_BASE_URL.
        Vllm | window (400) | ContextWindow, final | The conversation is too long for some-model: "This model's maximum context length is 8192 tokens. However, you requested 12000 tokens (8000 in the messages, 4000 in the completion)". A smaller task, or a model with a larger window (models.*), may do better.
        Vllm | nothing left (400) | ContextWindow, final | The conversation is too long for some-model: "max_tokens must be at least 1, got -186". A smaller task, or a model with a larger window (models.*), may do better.
        Vllm | no tools (400) | Settings, final | API takes no tools for some-model (400): ""auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set". Agents work by tools: choose a model that takes them, or start the server with them.
        OldVllm | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "Unauthorized". Set OPENAI_API_KEY anew.
        OldVllm | model (404) | Settings, final | API has no model "some-model" (404): "The model `some-model` does not exist". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        OldVllm | address (404) | Settings, final | API has no Chat Completions API at its /chat/completions (404): "Not Found". Set OPENAI_BASE_URL.
        OldVllm | window (400) | ContextWindow, final | The conversation is too long for some-model: "This model's maximum context length is 8192 tokens. However, you requested 12000 tokens (8000 in the messages, 4000 in the completion)". A smaller task, or a model with a larger window (models.*), may do better.
        OldVllm | nothing left (400) | ContextWindow, final | The conversation is too long for some-model: "max_tokens must be at least 1, got -186". A smaller task, or a model with a larger window (models.*), may do better.
        OldVllm | no tools (400) | Settings, final | API takes no tools for some-model (400): ""auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set". Agents work by tools: choose a model that takes them, or start the server with them.
        LlamaCpp | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "Invalid API Key". Set OPENAI_API_KEY anew.
        LlamaCpp | loading (503) | Unavailable, again | API failed to answer (503): "Loading model". Gave up after 2 attempts; what is done so far is kept, start again later.
        LlamaCpp | window (400) | ContextWindow, final | The conversation is too long for some-model: "request (20000 tokens) exceeds the available context size (16384 tokens), try increasing it". A smaller task, or a model with a larger window (models.*), may do better.
        LlamaCpp | window, older (500) | ContextWindow, final | The conversation is too long for some-model: "the request exceeds the available context size". A smaller task, or a model with a larger window (models.*), may do better.
        LlamaCpp | no tools (500) | Settings, final | API takes no tools for some-model (500): "tools param requires --jinja flag". Agents work by tools: choose a model that takes them, or start the server with them.
        LmStudio | window (400) | ContextWindow, final | The conversation is too long for some-model: "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough". A smaller task, or a model with a larger window (models.*), may do better.
        LmStudio | model (404) | Settings, final | API has no model "some-model" (404): "No models loaded. Please load a model in the developer page". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        LmStudio | 200 with an error (200) | Unavailable, again | API failed to answer: "The model has crashed". Gave up after 2 attempts; what is done so far is kept, start again later.
        DeepSeek | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "Authentication Fails (no such user)". Set OPENAI_API_KEY anew.
        DeepSeek | money (402) | Quota, final | API: the account of the key in OPENAI_API_KEY has reached its spend limit: "Insufficient Balance". Add credit or raise the limit, then start again: what is done so far is kept.
        DeepSeek | model (400) | Settings, final | API has no model "some-model" (400): "Model Not Exist". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        DeepSeek | thinking (400) | Request, final | API refused the request (400): "The reasoning_content in the thinking mode must be passed back to the API". What is done so far is kept; another model (models.*) may take it.
        DeepSeek | busy (503) | Unavailable, again | API failed to answer (503): "Service is too busy". Gave up after 2 attempts; what is done so far is kept, start again later.
        Google | key (400) | Auth, final | API refused the key in OPENAI_API_KEY (400): "API key not valid. Please pass a valid API key". Set OPENAI_API_KEY anew.
        Google | rate (429) | Unavailable, again | API: rate limit reached (429): "You exceeded your current quota, please check your plan and billing details". Gave up after waiting 0s; what is done so far is kept, start again later.
        Google | model (404) | Settings, final | API has no model "some-model" (404): "models/some-model is not found for API version v1main". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        Google | window (400) | ContextWindow, final | The conversation is too long for some-model: "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)". A smaller task, or a model with a larger window (models.*), may do better.
        Mistral | key (401) | Auth, final | API refused the key in OPENAI_API_KEY (401): "Unauthorized". Set OPENAI_API_KEY anew.
        Mistral | model (400) | Settings, final | API has no model "some-model" (400): "Invalid model: some-model". Set OPENAI_MODEL, models.fast, models.balanced or models.powerful, whichever names it, to one that it has.
        Mistral | window (400) | ContextWindow, final | The conversation is too long for some-model: "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length". A smaller task, or a model with a larger window (models.*), may do better.
        Mistral | form (422) | Request, final | API refused the request (422): "messages.1.content: Field required". What is done so far is kept; another model (models.*) may take it.
        Mistral | rate (429) | Unavailable, again | API: rate limit reached (429): "Requests rate limit exceeded". Gave up after waiting 0s; what is done so far is kept, start again later.
    "#]].assert_eq(&table);
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
        let mut config = OpenAiClient::config(Credential::BearerKey(KEY.to_owned()), "OPENAI_API_KEY");
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
        if dialect == Dialect::Vllm {
            // What came of the lost answer was generated, and is billed.
            assert!(turn.usage.estimated && turn.usage.prompt_tokens() > 1000, "{turn:?}");
        }
    }
}
