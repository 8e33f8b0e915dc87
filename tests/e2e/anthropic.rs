//! The provider `anthropic` against a scripted Messages API: requests, answers, and every kind of fault.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baton::contracts::{ContextOutput, Handoff, PlanOutput, ReviewOutput, TaskResult, Usage, submit_schema};
use baton::models::{
    Anthropic, AnthropicClient, ApiConfig, Block, Credential, Message, Model, ModelError, ModelErrorKind, Retry,
    RetryPolicy, Role, StopReason, Tier, ToolSpec, Turn, TurnProgress, TurnRequest,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::messages_api::{Fault, KEY, MessagesApi, Reply, Script};

/// Far less than a test's patience and far more than a busy machine needs.
const SOON: Duration = Duration::from_secs(20);

fn config(api: &MessagesApi) -> ApiConfig {
    let credential = Credential::ApiKey(KEY.to_owned());
    let mut config = AnthropicClient::config(credential, "ANTHROPIC_API_KEY");
    config.base_url = api.url();
    config.retry = RetryPolicy { base: Duration::from_millis(2), cap: Duration::from_millis(8), ..config.retry };
    config
}

fn model(config: ApiConfig) -> Anthropic {
    AnthropicClient::new(config).expect("a usable config").model("claude-haiku-4-5")
}

fn request(messages: Vec<Message>) -> TurnRequest {
    let schema =
        json!({ "type": "object", "properties": { "path": { "type": "string" } }, "additionalProperties": false });
    TurnRequest {
        run: "run".to_owned(),
        agent: "context".to_owned(),
        tier: Tier::Fast,
        system: vec!["You read code.".to_owned(), "The task: é.".to_owned()],
        tools: vec![ToolSpec {
            name: "read_file".to_owned(),
            description: "Read a file.".to_owned(),
            input_schema: schema,
            strict: true,
        }],
        messages,
        max_tokens: 1000,
    }
}

async fn turn(model: &Anthropic, messages: Vec<Message>) -> Result<Turn, ModelError> {
    model.turn(&request(messages), &CancellationToken::new(), &|_| ()).await
}

/// Take a first turn against this script.
async fn first_turn(script: Script) -> (Result<Turn, ModelError>, MessagesApi) {
    let api = MessagesApi::start(script);
    let outcome = turn(&model(config(&api)), vec![Message::user("go")]).await;
    (outcome, api)
}

/// The answers of the model, and the results of its calls, appended to a conversation.
fn answered(mut messages: Vec<Message>, turn: &Turn) -> Vec<Message> {
    let results = turn.content.iter().filter_map(Block::as_tool_use);
    let results: Vec<Block> = results.map(|(id, ..)| Block::tool_result(id, "result", false)).collect();
    messages.push(Message { role: Role::Assistant, content: turn.content.clone() });
    messages.push(Message { role: Role::User, content: results });
    messages
}

fn ok() -> Reply {
    Reply::text("fine")
}

#[tokio::test]
async fn an_answer_split_at_odd_bytes_arrives_whole() {
    let text = "Grüße, \u{1F980}! ".repeat(300);
    let input = json!({ "path": "src/„quoted“\n\n.rs", "deep": { "list": [1, 2.5, null, "\u{1F327}"] } });
    let reply = Reply::tools([("read_file", input.clone()), ("read_file", json!({}))])
        .with_text(&text)
        .thinking("hm, \u{1F914} …")
        .and(json!({ "type": "mystery", "data": ["☁"] }));
    let (outcome, api) = first_turn(Script::new().on("any", [reply])).await;
    let turn = outcome.expect("an answer");
    let kinds: Vec<_> = turn.content.iter().map(Block::kind).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use", "mystery"]);
    assert_eq!(turn.content[0].0["thinking"], "hm, \u{1F914} …");
    assert_eq!(turn.content[1].as_text(), Some(text.as_str()));
    assert_eq!(turn.content[2].as_tool_use().expect("a call").2, &input);
    assert_eq!(turn.content[3].as_tool_use().expect("a call").2, &json!({}));
    assert_eq!(turn.content[4].0, json!({ "type": "mystery", "data": ["☁"] }));
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn what_the_model_said_goes_back_verbatim_unknown_blocks_included() {
    let first = Reply::tool("read_file", json!({ "path": "a" }))
        .thinking("I must not be changed")
        .and(json!({ "type": "mystery", "nested": { "z": 1, "a": [null] } }));
    let api = MessagesApi::start(Script::new().on("any", [first, ok()]));
    let model = model(config(&api));
    let messages = vec![Message::user("go")];
    let answer = turn(&model, messages.clone()).await.expect("an answer");
    turn(&model, answered(messages, &answer)).await.expect("an answer");
    let sent = &api.requests()[1].body["messages"][1]["content"];
    assert_eq!(*sent, json!(answer.content));
    assert_eq!(sent[2], json!({ "type": "mystery", "nested": { "z": 1, "a": [null] } }));
}

#[tokio::test]
async fn progress_tells_the_first_byte_and_growing_output() {
    let api = MessagesApi::start(Script::new().on("any", [Reply::text(&"word ".repeat(100))]));
    let seen = Mutex::new(Vec::new());
    let hear = |progress| seen.lock().expect("no panic").push(progress);
    model(config(&api)).turn(&request(vec![Message::user("go")]), &CancellationToken::new(), &hear).await.expect("ok");
    let seen = seen.into_inner().expect("no panic");
    assert_eq!(seen.first(), Some(&TurnProgress::FirstByte));
    assert_eq!(seen.last(), Some(&TurnProgress::Output { characters: 500 }));
    let outputs: Vec<usize> = seen
        .iter()
        .filter_map(|progress| match progress {
            TurnProgress::Output { characters } => Some(*characters),
            _ => None,
        })
        .collect();
    assert!(outputs.len() > 5 && outputs.is_sorted(), "{outputs:?}");
}

#[tokio::test]
async fn each_fault_is_recovered_from() {
    for fault in [
        Fault::Reset,
        Fault::status(408, "timeout_error", "late"),
        Fault::status(409, "conflict_error", "again"),
        Fault::rate_limited(3),
        Fault::status(500, "api_error", "oops"),
        Fault::Status { code: 503, headers: Vec::new(), body: "<html>".to_owned() },
        Fault::overloaded(),
        Fault::status(400, "invalid_request_error", "odd").header("x-should-retry", "true"),
        Fault::CutAfterEvents(0),
        Fault::CutAfterEvents(1),
        Fault::CutAfterEvents(6),
        Fault::CutInsideEvent(0),
        Fault::CutInsideEvent(5),
        Fault::ErrorEvent("api_error"),
        Fault::ErrorEvent("overloaded_error"),
        Fault::Html200,
        Fault::GarbageData,
        Fault::SlowHeaders(Duration::from_millis(5)),
    ] {
        let retried = !matches!(fault, Fault::SlowHeaders(_));
        let script = Script::new().on("any", [Reply::text("all of it")]).fault("any", [fault.clone()]);
        let (outcome, api) = first_turn(script).await;
        let turn = outcome.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(turn.content, [Block::text("all of it")], "{fault:?}");
        assert_eq!(api.requests().len(), 1 + usize::from(retried), "{fault:?}");
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_tried_again() {
    for fault in [Fault::IdleAfter(0), Fault::IdleAfter(3), Fault::Silence] {
        let api = MessagesApi::start(Script::new().on("any", [ok()]).fault("any", [fault.clone()]));
        let mut config = config(&api);
        config.idle_timeout = Duration::from_secs(2);
        config.answer_timeout = Duration::from_secs(2);
        turn(&model(config), vec![Message::user("go")]).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(api.requests().len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn bytes_that_say_nothing_keep_no_turn_alive() {
    const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    const EMPTY: &str = "event: content_block_delta\ndata: {\"type\": \"content_block_delta\", \"index\": 0, \
                         \"delta\": {\"type\": \"text_delta\", \"text\": \"\"}}\n\n";
    const UNKNOWN: &str = "event: weather_report\ndata: {\"type\": \"weather_report\"}\n\n";
    for fault in [
        Fault::TrickleAfter(0, PING),
        Fault::TrickleAfter(3, PING),
        Fault::TrickleAfter(3, ": still here\n\n"),
        Fault::TrickleAfter(0, ":"),
        Fault::TrickleAfter(2, "\n"),
        Fault::TrickleAfter(5, EMPTY),
        Fault::TrickleAfter(3, UNKNOWN),
        Fault::TrickleAfter(3, "x"),
        Fault::TrickledHeaders,
        Fault::TrickledBody(500),
    ] {
        let api = MessagesApi::start(Script::new().on("any", [ok()]).fault("any", [fault.clone()]));
        let mut config = config(&api);
        config.idle_timeout = Duration::from_secs(2);
        config.answer_timeout = Duration::from_secs(2);
        let began = Instant::now();
        turn(&model(config), vec![Message::user("go")]).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(api.requests().len(), 2, "{fault:?}");
        assert!(began.elapsed() < SOON, "{fault:?}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_answer_that_keeps_coming_slowly_is_not_idle() {
    let reply = Reply::text("a slow answer, in several pieces").pause(Duration::from_millis(180));
    let api = MessagesApi::start(Script::new().on("any", [reply]));
    let mut config = config(&api);
    config.idle_timeout = Duration::from_millis(1500);
    turn(&model(config), vec![Message::user("go")]).await.expect("an answer");
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn a_retry_is_reported_with_its_reason_and_wait() {
    let script = Script::new().on("any", [ok()]).fault("any", [Fault::rate_limited(7), Fault::overloaded()]);
    let api = MessagesApi::start(script);
    let seen = Mutex::new(Vec::new());
    let hear = |progress| {
        if let TurnProgress::Retry { again, wait, .. } = progress {
            seen.lock().expect("no panic").push((again, wait));
        }
    };
    model(config(&api)).turn(&request(vec![Message::user("go")]), &CancellationToken::new(), &hear).await.expect("ok");
    let seen = seen.into_inner().expect("no panic");
    let provider = format!("Anthropic API at {}", api.url().replace("http://", ""));
    let retry = |attempt, reason: &str| Retry {
        provider: provider.clone(),
        reason: reason.to_owned(),
        attempt,
        most: None,
        is_overload: true,
    };
    assert_eq!(seen[0], (retry(2, "rate limit (429)"), Duration::from_millis(7)));
    assert_eq!(seen[1].0, retry(3, "overloaded (529)"));
}

#[tokio::test]
async fn a_server_that_stays_broken_is_given_up_on_after_four_retries() {
    let script = Script::new().fault("any", vec![Fault::status(500, "api_error", "oops"); 9]);
    let (outcome, api) = first_turn(script).await;
    let error = outcome.expect_err("it stays broken");
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
    assert!(error.message.contains("\"oops\"") && error.message.contains("Gave up after 5 attempts"), "{error}");
    assert_eq!(api.requests().len(), 5);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let api = MessagesApi::start(Script::new());
    let config = config(&api);
    let address = api.url().replace("http://", "");
    drop(api);
    let error = turn(&model(config), vec![Message::user("go")]).await.expect_err("nobody listens");
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
    assert!(error.message.contains(&address) && error.message.contains("ANTHROPIC_BASE_URL"), "{error}");
}

#[tokio::test]
async fn final_refusals_are_final_at_once_and_say_what_to_do() {
    let spent = "You have reached your specified API usage limits.";
    for (fault, kind, words) in [
        (Fault::status(400, "invalid_request_error", spent), ModelErrorKind::Quota, "spend limit"),
        (Fault::status(402, "billing_error", "pay"), ModelErrorKind::Quota, "spend limit"),
        (
            Fault::status(429, "rate_limit_error", "Your monthly spend limit is reached")
                .header("x-should-retry", "true"),
            ModelErrorKind::Quota,
            "Add credit",
        ),
        (Fault::status(403, "permission_error", "no"), ModelErrorKind::Auth, "ANTHROPIC_API_KEY"),
        (Fault::status(404, "not_found_error", "model: x"), ModelErrorKind::Settings, "models.fast"),
        (Fault::status(413, "request_too_large", "no"), ModelErrorKind::ContextWindow, "too long"),
        (Fault::status(400, "invalid_request_error", "prompt is too long"), ModelErrorKind::ContextWindow, "too long"),
        (
            Fault::status(500, "api_error", "no").header("x-should-retry", "false"),
            ModelErrorKind::Unavailable,
            "failed to answer (500)",
        ),
    ] {
        let (outcome, api) = first_turn(Script::new().on("any", [ok()]).fault("any", [fault])).await;
        let error = outcome.expect_err("final");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert_eq!(api.requests().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_wrong_key_fails_at_once_names_its_variable_and_is_shown_nowhere() {
    const WRONG: &str = "sk-ant-wrong-secret";
    for (credential, source) in [
        (Credential::ApiKey(WRONG.to_owned()), "ANTHROPIC_API_KEY"),
        (Credential::Bearer(WRONG.to_owned()), "ANTHROPIC_AUTH_TOKEN"),
    ] {
        let api = MessagesApi::start(Script::new());
        let config = ApiConfig { credential, credential_source: source.to_owned(), ..config(&api) };
        let shown = format!("{config:?}");
        let client = AnthropicClient::new(config).expect("a usable config");
        let shown = format!("{shown} {client:?} {:?}", client.model("m"));
        let error = turn(&client.model("m"), vec![Message::user("go")]).await.expect_err("wrong");
        assert_eq!(error.kind, ModelErrorKind::Auth);
        assert!(error.message.contains(source), "{error}");
        assert_eq!(api.requests().len(), 1);
        assert!(!format!("{error:?} {shown}").contains(WRONG), "{error:?} {shown}");
    }
}

#[tokio::test]
async fn a_token_is_sent_as_bearer() {
    let api = MessagesApi::start(Script::new().on("any", [ok()]));
    let config = ApiConfig { credential: Credential::Bearer(KEY.to_owned()), ..config(&api) };
    turn(&model(config), vec![Message::user("go")]).await.expect("authorised");
    let headers = &api.requests()[0].headers;
    assert_eq!(headers["authorization"], "Bearer test-key");
    assert!(!headers.contains_key("x-api-key"));
}

#[tokio::test]
async fn a_key_echoed_by_the_server_is_not_passed_on() {
    let echo = format!("bad header: x-api-key: {KEY}");
    for fault in [Fault::status(400, "invalid_request_error", &echo), Fault::status(500, "api_error", &echo)] {
        let (outcome, _api) = first_turn(Script::new().fault("any", vec![fault; 5])).await;
        let error = outcome.expect_err("refused");
        assert!(error.message.contains("x-api-key: [key]") && !error.message.contains(KEY), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = MessagesApi::start(Script::new().on("any", [ok()]));
    let to = format!("{}/v1/messages", elsewhere.url());
    for code in [301, 302, 307, 308] {
        let fault = Fault::Status { code, headers: vec![("location".to_owned(), to.clone())], body: String::new() };
        let (outcome, api) = first_turn(Script::new().fault("any", [fault])).await;
        let error = outcome.expect_err("not followed");
        assert_eq!(error.kind, ModelErrorKind::Settings);
        assert!(error.message.contains("ANTHROPIC_BASE_URL"), "{error}");
        assert_eq!(api.requests().len(), 1);
    }
    assert!(elsewhere.requests().is_empty());
}

/// Cancel a turn once the server has its request, and tell how long it took to end.
async fn cancel_when_sent(script: Script) -> (ModelError, Duration, MessagesApi) {
    let api = Arc::new(MessagesApi::start(script));
    let model = model(config(&api));
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { model.turn(&request(vec![Message::user("go")]), &cancel, &|_| ()).await }
    });
    let sent = Arc::clone(&api);
    tokio::task::spawn_blocking(move || sent.wait_for_request("any")).await.expect("it is sent");
    let cancelled = Instant::now();
    cancel.cancel();
    let error = running.await.expect("no panic").expect_err("cancelled");
    (error, cancelled.elapsed(), Arc::into_inner(api).expect("the only one left"))
}

#[tokio::test]
async fn a_cancel_ends_a_turn_wherever_it_is_and_sends_nothing_more() {
    for fault in [Fault::Silence, Fault::IdleAfter(4), Fault::rate_limited(60_000)] {
        let script = Script::new().on("any", [ok()]).fault("any", vec![fault.clone(); 3]);
        let (error, took, api) = cancel_when_sent(script).await;
        assert_eq!(error.kind, ModelErrorKind::Cancelled, "{fault:?}");
        assert!(took < SOON, "{fault:?} took {took:?}");
        assert_eq!(api.requests().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_turn_cancelled_before_it_began_is_never_sent() {
    let api = MessagesApi::start(Script::new().on("any", [ok()]));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = model(config(&api)).turn(&request(vec![Message::user("go")]), &cancel, &|_| ()).await;
    assert_eq!(outcome.expect_err("cancelled").kind, ModelErrorKind::Cancelled);
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_conversation_reads_what_it_sent_before_from_the_cache() {
    let calls = |n: usize| Reply::tools((0..n).map(|n| ("read_file", json!({ "path": format!("f{n}") }))));
    // More calls in one turn than the cache looks back.
    let api = MessagesApi::start(Script::new().on("any", [calls(1), calls(30), ok()]));
    let model = model(config(&api));
    let mut messages = vec![Message::user("go, and here is much to read ".repeat(50))];
    let mut read = Vec::new();
    for _ in 0..3 {
        let answer = turn(&model, messages.clone()).await.expect("an answer");
        read.push((answer.usage.cache_read_tokens, answer.usage.cache_read_tokens + answer.usage.cache_write_tokens));
        assert_eq!(answer.usage.input_tokens, 0, "the whole prompt is marked");
        messages = answered(messages, &answer);
    }
    assert_eq!(read[0].0, 0);
    for pair in read.windows(2) {
        let (before, now) = (pair[0].1, pair[1].0);
        assert!(now.abs_diff(before) <= 1, "{now} is read of the {before} sent before");
    }
    for request in api.requests() {
        assert!(request.body.to_string().matches("cache_control").count() <= 4);
    }
}

#[tokio::test]
async fn usage_is_priced_and_holds_what_lost_attempts_cost() {
    let usage = json!({
        "input_tokens": 1000, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 10, "output_tokens": 50,
    });
    let script = Script::new().on("any", [ok().usage(usage)]).fault("any", [Fault::CutAfterEvents(2)]);
    let (outcome, _api) = first_turn(script).await;
    let usage = outcome.expect("the second attempt answers").usage;
    let expected = Usage {
        input_tokens: 2000,
        cache_write_tokens: 200,
        cache_read_tokens: 20,
        output_tokens: 51,
        cost_usd: usage.cost_usd,
        ..Usage::default()
    };
    assert_eq!(usage, expected);
    let dollars = usage.cost_usd.expect("a known price");
    assert!((dollars - (2000.0 + 200.0 * 1.25 + 20.0 * 0.1 + 51.0 * 5.0) / 1e6).abs() < 1e-9, "{dollars}");
}

#[tokio::test]
async fn a_failed_turn_tells_what_it_cost() {
    let script = Script::new().on("any", [ok()]).fault("any", vec![Fault::CutAfterEvents(3); 9]);
    let (outcome, _api) = first_turn(script).await;
    let error = outcome.expect_err("it stays broken");
    assert!(error.usage.cache_write_tokens + error.usage.cache_read_tokens > 0, "{error:?}");
    assert_eq!(error.usage.output_tokens, 5);
}

#[tokio::test]
async fn a_model_without_a_price_claims_none() {
    let api = MessagesApi::start(Script::new().on("any", [ok()]));
    let model = AnthropicClient::new(config(&api)).expect("a usable config").model("qwen2.5-coder");
    let usage = turn(&model, vec![Message::user("go")]).await.expect("an answer").usage;
    assert!(usage.output_tokens > 0);
    assert_eq!(usage.cost_usd, None);
}

#[tokio::test]
async fn a_call_cut_by_max_tokens_is_left_out_and_unreadable_input_is_handed_on_as_written() {
    let cut = Reply::raw_call("read_file", "{\"path\": \"src/ma").with_text("Reading").stop_reason("max_tokens");
    let (outcome, _api) = first_turn(Script::new().on("any", [cut])).await;
    let turn = outcome.expect("a cut answer is an answer");
    assert_eq!((turn.stop_reason, turn.content), (StopReason::MaxTokens, vec![Block::text("Reading")]));

    let (outcome, api) = first_turn(Script::new().on("any", [Reply::raw_call("read_file", "{'path'")])).await;
    let turn = outcome.expect("an answer that was paid for");
    assert_eq!(turn.content[0].0["input"], json!("{'path'"));
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn every_stop_reason_comes_through() {
    for (answer, reason) in [
        ("refusal", StopReason::Refusal),
        ("pause_turn", StopReason::PauseTurn),
        ("model_context_window_exceeded", StopReason::ModelContextWindowExceeded),
        ("tomorrows_reason", StopReason::Other("tomorrows_reason".to_owned())),
    ] {
        let (outcome, _api) = first_turn(Script::new().on("any", [ok().stop_reason(answer)])).await;
        assert_eq!(outcome.expect("an answer").stop_reason, reason);
    }
}

#[tokio::test]
async fn a_burst_of_overloads_slows_every_task_down_and_none_dies() {
    let script = Script::new()
        .on("any", [ok().after(Duration::from_millis(5))])
        .fault("any", (0..20).map(|n| if n % 2 == 0 { Fault::overloaded() } else { Fault::rate_limited(1) }));
    let api = MessagesApi::start(script);
    let client = AnthropicClient::new(config(&api)).expect("a usable config");
    let tasks = (0..16).map(|n| {
        let model = client.model("claude-haiku-4-5");
        tokio::spawn(async move { turn(&model, vec![Message::user(format!("task {n}"))]).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic").expect("no task dies of a burst");
    }
    assert!(client.throttle().limit() < 64, "it has not grown back yet");
    assert_eq!(api.requests().len(), 36);
}

#[tokio::test]
async fn tasks_beyond_the_limit_wait_their_turn() {
    let api = MessagesApi::start(Script::new().on("any", [ok().after(Duration::from_millis(20))]));
    let client = AnthropicClient::new(ApiConfig { parallelism: 2, ..config(&api) }).expect("a usable config");
    let tasks = (0..6).map(|n| {
        let model = client.model("claude-haiku-4-5");
        tokio::spawn(async move { turn(&model, vec![Message::user(format!("task {n}"))]).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic").expect("an answer");
    }
    assert_eq!(api.most_at_once(), 2);
}

/// Send a request of the test's own making.
async fn send(api: &MessagesApi, change: impl FnOnce(&mut Value)) -> (u16, String) {
    let client = AnthropicClient::new(config(api));
    client.expect("a client installs the crypto provider");
    let mut body = json!({
        "model": "claude-opus-5-5", "max_tokens": 10, "stream": true, "messages": [{ "role": "user", "content": "go" }],
    });
    change(&mut body);
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.post(format!("{}/v1/messages", api.url())).header("x-api-key", KEY);
    let request = request.header("anthropic-version", "2026-10-21").json(&body);
    let response = tokio::time::timeout(SOON, request.send()).await.expect("in time").expect("a response");
    (response.status().as_u16(), response.text().await.expect("a body"))
}

#[tokio::test]
async fn the_scripted_server_refuses_what_the_real_one_does() {
    let api = MessagesApi::start(Script::new().on("any", [ok()]));
    let (status, _) = send(&api, |_| ()).await;
    assert_eq!(status, 200);
    let call = json!({ "type": "tool_use", "id": "t", "name": "read_file", "input": {} });
    let result = json!({ "type": "tool_result", "tool_use_id": "t", "content": "x" });
    let talk = |assistant: Value, user: Value| {
        json!([
            { "role": "user", "content": "go" },
            { "role": "assistant", "content": assistant },
            { "role": "user", "content": user },
        ])
    };
    let text = json!({ "type": "text", "text": "x" });
    let marked = json!({ "type": "text", "text": "x", "cache_control": { "type": "ephemeral" } });
    let tool = |schema: Value| json!([{ "name": "t", "description": "", "strict": true, "input_schema": schema }]);
    let open = json!({ "type": "object", "properties": {} });
    let bounded = json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } }, "additionalProperties": false });
    let recursive = json!({ "type": "object", "properties": { "n": { "$ref": "#" } }, "additionalProperties": false });
    let changes: BTreeMap<&str, Value> = BTreeMap::from([
        ("temperature is not supported", json!({ "temperature": 1.0 })),
        (
            "forced tool use",
            json!({ "tool_choice": { "type": "any" }, "tools": [{ "name": "t", "input_schema": { "type": "object" } }] }),
        ),
        ("found without tool_result", json!({ "messages": talk(json!([call]), json!("and?")) })),
        ("must come first", json!({ "messages": talk(json!([call]), json!([text, result])) })),
        ("unexpected tool_use_id", json!({ "messages": talk(json!([text]), json!([result])) })),
        ("maximum of 4", json!({ "messages": [{ "role": "user", "content": vec![marked; 5] }] })),
        ("'additionalProperties' must", json!({ "tools": tool(open) })),
        ("property is not supported", json!({ "tools": tool(bounded) })),
        ("at the top level", json!({ "tools": [{ "name": "t", "input_schema": { "type": "object", "anyOf": [] } }] })),
        ("recursive schemas", json!({ "tools": tool(recursive) })),
        ("max_tokens: field required", json!({ "max_tokens": null })),
        ("roles must alternate", json!({ "messages": [{ "role": "assistant", "content": "go" }] })),
        ("must be non-empty", json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": "" }] }] })),
        (
            "cannot be modified",
            json!({ "messages": talk(json!([{ "type": "thinking", "thinking": "changed", "signature": "sig_0" }]), json!("?")) }),
        ),
        ("extra inputs", json!({ "phase": "plan" })),
    ]);
    for (words, change) in changes {
        let apply = |body: &mut Value| {
            for (name, value) in change.as_object().expect("an object") {
                body[name] = value.clone();
            }
        };
        let (status, answer) = send(&api, apply).await;
        assert_eq!(status, 400, "{words}: {answer}");
        assert!(answer.contains(words), "{words}: {answer}");
        assert_eq!(api.violations().len(), 1, "{words}");
    }
}

#[tokio::test]
async fn the_submit_schemas_are_what_strict_tools_want() {
    fn tool<T: Handoff>() -> Value {
        json!({ "name": T::NAME, "description": "", "strict": true, "input_schema": submit_schema::<T>() })
    }
    let api = MessagesApi::start(Script::new().on("any", [ok()]));
    let tools = [tool::<ContextOutput>(), tool::<PlanOutput>(), tool::<TaskResult>(), tool::<ReviewOutput>()];
    let (status, answer) = send(&api, |body| body["tools"] = json!(tools)).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn the_script_answers_by_agent_task_and_place_in_the_conversation() {
    let api = MessagesApi::start(
        Script::new()
            .on("context", [Reply::text("context 0"), Reply::text("context 1")])
            .on("implement/T2", [Reply::text("T2")])
            .on("implement", [Reply::text("another task")])
            .rounds("review", [vec![Reply::text("first review")], vec![Reply::text("second review")]])
            .fault("implement/T2", [Fault::overloaded()]),
    );
    let model = model(config(&api));
    let ask = async |submit: &str, first: &str, answers: usize| {
        let mut asked = request(vec![Message::user(first)]);
        asked.tools[0].name = submit.to_owned();
        for _ in 0..answers {
            asked.messages.push(Message { role: Role::Assistant, content: vec![Block::text("earlier")] });
            asked.messages.push(Message::user("go on"));
        }
        let turn = model.turn(&asked, &CancellationToken::new(), &|_| ()).await.expect("an answer");
        turn.content[0].as_text().expect("a text").to_owned()
    };
    assert_eq!(ask("submit_context", "go", 1).await, "context 1");
    assert_eq!(ask("submit_context", "go", 0).await, "context 0");
    let task = |id: &str| {
        let task = json!({ "id": id, "title": "a {brace", "acceptance_criteria": ["{"] });
        let issues = json!([{ "id": "f00", "description": "fn x() {}" }]);
        format!("Fix `{{` and {{\"id\": \"no task\"}}.\n```json\n{task:#}\n```\nIssues: {issues}")
    };
    assert_eq!(ask("submit_result", &task("T2"), 0).await, "T2");
    assert_eq!(ask("submit_result", &task("T1"), 0).await, "another task");
    assert_eq!(ask("submit_review", "one", 0).await, "first review");
    assert_eq!(ask("submit_review", "two", 0).await, "second review");
    assert_eq!(ask("submit_review", "one", 0).await, "first review", "a resumed conversation goes on as it was");
    assert_eq!(api.requests_of("implement/T2").len(), 2, "one of them overloaded");
}
