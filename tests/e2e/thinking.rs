//! How Anthropic's models are told to think: where the API says that they take it, and never where it does not.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::sync::Mutex;
use std::time::Duration;

use baton::models::{
    Anthropic, AnthropicClient, Block, Credential, Effort, Efforts, FactSource, Limits, Message, Model, ModelError,
    RetryPolicy, Role, Tier, Turn, TurnProgress, TurnRequest,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::messages_api::{Fault, KEY, MessagesApi, Reply, Script};

/// A model of this server that is to think at low effort.
fn model(api: &MessagesApi) -> Anthropic {
    let mut config = AnthropicClient::config(Credential::ApiKey(KEY.to_owned()), "ANTHROPIC_API_KEY");
    config.base_url = api.url();
    config.efforts = Efforts { fast: Some(Effort::Low), ..Efforts::default() };
    config.retry = RetryPolicy { base: Duration::from_millis(2), ..config.retry };
    AnthropicClient::new(config).expect("a usable config").model("claude-haiku-5-5")
}

fn request(tier: Tier, messages: Vec<Message>) -> TurnRequest {
    TurnRequest {
        run: "run".to_owned(),
        agent: "context".to_owned(),
        tier,
        system: vec!["You read code.".to_owned()],
        tools: Vec::new(),
        messages,
        max_tokens: 16_000,
    }
}

async fn turn(model: &Anthropic, tier: Tier) -> Result<Turn, ModelError> {
    model.turn(&request(tier, vec![Message::user("go")]), &CancellationToken::new(), &|_| ()).await
}

/// What a request says of thinking, and its longest answer.
fn said(body: &Value) -> (Value, Value, Value) {
    (body["thinking"].clone(), body["output_config"].clone(), body["max_tokens"].clone())
}

fn script() -> Script {
    Script::new().on("any", [Reply::text("ok"), Reply::text("ok"), Reply::text("ok")])
}

#[tokio::test]
async fn a_model_that_takes_it_is_told_to_think_and_how_long() {
    let api = MessagesApi::start(script().capable());
    let model = model(&api);
    for tier in [Tier::Fast, Tier::Powerful] {
        turn(&model, tier).await.expect("an answer");
    }
    let adaptive = json!({ "type": "adaptive" });
    let requests = api.requests();
    assert_eq!(said(&requests[0].body), (adaptive.clone(), json!({ "effort": "low" }), json!(12_000)));
    assert_eq!(said(&requests[1].body), (adaptive, Value::Null, json!(12_000)), "no effort is named for this tier");
    assert_eq!(api.asked_for_models(), ["/v1/models/claude-haiku-5-5"], "asked once");
    assert_eq!(
        model.limits().await,
        Limits { window: Some(200_000), max_output: Some(12_000), window_from: FactSource::Server }
    );
}

#[tokio::test]
async fn a_model_of_which_nothing_is_known_is_told_nothing() {
    let page = || Fault::Status { code: 500, headers: Vec::new(), body: "oops".to_owned() };
    for script in [script(), script().models(None), script().capable().fault("models", [page()])] {
        let api = MessagesApi::start(script);
        let model = model(&api);
        turn(&model, Tier::Fast).await.expect("an answer");
        turn(&model, Tier::Fast).await.expect("an answer");
        for request in api.requests() {
            assert_eq!(said(&request.body), (Value::Null, Value::Null, json!(16_000)));
        }
        assert_eq!(api.asked_for_models().len(), 1);
        assert_eq!(model.limits().await, Limits::default(), "the table is for Anthropic's own server");
    }
}

#[tokio::test]
async fn a_parameter_that_is_refused_is_left_out_for_the_rest_of_the_run() {
    let no = |message: &str| Fault::status(400, "invalid_request_error", message);
    let faults = [
        no("This model does not support the effort parameter."),
        no("adaptive thinking is not supported on this model"),
    ];
    let api = MessagesApi::start(script().capable().fault("any", faults));
    let model = model(&api);
    let reasons = Mutex::new(Vec::new());
    let hear = |progress| {
        if let TurnProgress::Retry { again, .. } = progress {
            reasons.lock().expect("no panic").push(again.reason);
        }
    };
    let asked = request(Tier::Fast, vec![Message::user("go")]);
    model.turn(&asked, &CancellationToken::new(), &hear).await.expect("an answer");
    turn(&model, Tier::Fast).await.expect("an answer");
    let sent: Vec<_> = api.requests().iter().map(|request| said(&request.body)).collect();
    let (adaptive, max) = (json!({ "type": "adaptive" }), json!(12_000));
    assert_eq!(sent[0], (adaptive.clone(), json!({ "effort": "low" }), max.clone()));
    assert_eq!(sent[1], (adaptive, Value::Null, max.clone()));
    assert_eq!(sent[2..], [(Value::Null, Value::Null, max.clone()), (Value::Null, Value::Null, max)]);
    let reasons = reasons.into_inner().expect("no panic");
    assert!(reasons[0].contains("`output_config.effort`") && reasons[1].contains("`thinking`"), "{reasons:?}");
}

#[tokio::test]
async fn any_other_refusal_is_final() {
    let fault = Fault::status(400, "invalid_request_error", "messages.1.content.0.thinking: must not be changed");
    let api = MessagesApi::start(script().capable().fault("any", [fault]));
    turn(&model(&api), Tier::Fast).await.expect_err("refused");
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn thinking_goes_back_verbatim_hidden_or_not() {
    let hidden = json!({ "type": "redacted_thinking", "data": "EmwKAhgB==" });
    let first = Reply::blocks([hidden.clone(), json!({ "type": "text", "text": "so far" })]).thinking("hm");
    let api = MessagesApi::start(Script::new().on("any", [first, Reply::text("ok")]).capable());
    let model = model(&api);
    let answer = turn(&model, Tier::Fast).await.expect("an answer");
    assert_eq!(answer.content.iter().map(Block::kind).collect::<Vec<_>>(), ["thinking", "redacted_thinking", "text"]);
    let said = Message { role: Role::Assistant, content: answer.content.clone() };
    let again = request(Tier::Fast, vec![Message::user("go"), said, Message::user("more")]);
    model.turn(&again, &CancellationToken::new(), &|_| ()).await.expect("an answer");
    assert_eq!(api.requests()[1].body["messages"][1]["content"], json!(answer.content));
    assert_eq!(answer.content[1].0, hidden);
}
