//! The provider `ollama` against an Ollama on loopback: a whole run, and what goes wrong with a local model.

#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;
use std::sync::Arc;

use baton::models::{
    Block, Effort, Efforts, FactSource, Message, Model, ModelError, ModelErrorKind, ModelFacts, NumCtx, Role, Tier,
    Turn, TurnRequest, Wanted, resolve,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::messages_api::{Reply, Script};
use crate::support::ollama_api::{Behaviour, OllamaApi};
use crate::support::replies::{approves, but, context, does, goes_well, own, plan, reads, workspace};
use crate::support::session::{Baton, Session};

const ABLE: &[&str] = &["completion", "tools", "thinking"];

fn run(session: &Session, api: &OllamaApi) -> Baton {
    baton(session, api, &["run", "--auto-approve", "--task", "Do it"])
}

fn baton(session: &Session, api: &OllamaApi, args: &[&str]) -> Baton {
    let baton = session.baton(args.iter().copied()).env("OLLAMA_HOST", api.host());
    baton.env("OLLAMA_MODEL", "qwen3").env("BATON_RETRY_BASE", "2ms")
}

/// An Ollama with one model, on a task that goes well.
fn one_task() -> Behaviour {
    Behaviour::new(goes_well(&[&[own("T1")]])).model("qwen3:latest", 40_960, ABLE)
}

#[test]
fn a_whole_run_is_taken_by_a_local_model_and_costs_nothing() {
    let thinks = |reply: Reply| reply.thinking("Let me\nsee.").with_text("I look.");
    let script = but(Script::new(), &[&[own("T1"), own("T2")]]);
    let script = Script::new()
        .on("context", [thinks(reads("src/t1.rs")), context(&["src/t1.rs"])])
        .on("plan", [plan(&[&[own("T1"), own("T2")]])])
        .on("implement/T1", does("T1"))
        .on("implement/T2", does("T2"))
        .on("review", [approves()])
        .by(move |request| (request.agent == "validate").then(|| script.reply(request)).flatten());
    let api = Behaviour::new(script).model("qwen3:latest", 40_960, ABLE).start();
    let session = Session::new(&workspace(2));
    let done = run(&session, &api).run().expect(0);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains(&format!("Ollama at {}, local, no cost", api.host())), "{said}");
    let window = "ollama:qwen3: context window 32.8k tokens (num_ctx, the most unless your settings say more)";
    assert_eq!(said.matches(window).count(), 1, "{said}");
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));

    let chats = api.chats();
    let contexts: BTreeSet<u64> = chats.iter().map(|chat| chat.body["options"]["num_ctx"].as_u64().unwrap()).collect();
    assert_eq!(contexts, BTreeSet::from([32_768]), "one context for the whole run");
    let plans = chats.iter().filter(|chat| chat.agent == "plan");
    assert!(
        plans.clone().count() > 0 && plans.clone().all(|chat| chat.body["think"] == true),
        "a plan is thought about, as long as the user says nothing else"
    );
    assert_eq!(api.most_at_once(), 1, "it works on one request at a time");
    let second = chats.iter().filter(|chat| chat.agent == "context").nth(1).unwrap();
    let said = &second.body["messages"][2];
    assert_eq!(
        (&said["role"], &said["thinking"], &said["content"]),
        (&json!("assistant"), &json!("Let me\nsee."), &json!("I look."))
    );
    assert_eq!(second.body["messages"][3]["tool_name"], "read_file");

    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["usage"]["cost_usd"].as_f64(), Some(0.0));
    assert!(status["usage"]["input_tokens"].as_u64().unwrap() > 0);
}

/// The model of an Ollama, of which the user says that its window has so many tokens.
fn model(api: &OllamaApi, window: u64) -> Arc<dyn Model> {
    let facts = ModelFacts { name: "ollama:qwen3".to_owned(), window: Some(window), ..ModelFacts::default() };
    let efforts = Efforts { powerful: Some(Effort::Low), ..Efforts::default() };
    let provider = Some("ollama".to_owned());
    let wanted = Wanted { provider, facts: vec![facts], efforts, ..Wanted::default() };
    let env = |name: &str| match name {
        "OLLAMA_HOST" => Some(api.host()),
        "OLLAMA_MODEL" => Some("qwen3".to_owned()),
        "BATON_RETRY_BASE" => Some("2ms".to_owned()),
        _ => None,
    };
    resolve(&wanted, &env, None).expect("a model").powerful
}

/// A turn of a conversation whose messages have so many bytes.
async fn turn(model: &Arc<dyn Model>, bytes: &[usize]) -> Result<Turn, ModelError> {
    let message = |(n, bytes): (usize, &usize)| Message {
        role: if n.is_multiple_of(2) { Role::User } else { Role::Assistant },
        content: vec![Block::text("x".repeat(*bytes))],
    };
    let request = TurnRequest {
        run: "r".to_owned(),
        agent: "context".to_owned(),
        tier: Tier::Powerful,
        system: vec!["You read code.".to_owned()],
        tools: Vec::new(),
        messages: bytes.iter().enumerate().map(message).collect(),
        max_tokens: 100,
    };
    model.turn(&request, &CancellationToken::new(), &|_| ()).await
}

fn talks() -> Behaviour {
    let replies = ["one", "two", "three", "four"].map(Reply::text);
    Behaviour::new(Script::new().on("any", replies)).model("qwen3:latest", 40_960, ABLE)
}

#[tokio::test]
async fn a_prompt_that_an_older_ollama_cuts_is_never_worked_on() {
    let api = talks().old().start();
    let model = model(&api, 2000);
    turn(&model, &[3000]).await.expect("it fits");
    turn(&model, &[3000, 100, 1500]).await.expect("it fits");
    let error = turn(&model, &[3000, 100, 1500, 100, 2500]).await.expect_err("it was cut");
    assert_eq!(error.kind, ModelErrorKind::Request, "which ends a run with exit code 5: {error}");
    let message = error.message;
    assert!(message.contains("cut the prompt to fit the context of 2000 tokens that it has for qwen3"), "{message}");
    assert!(message.contains("[[model_facts]] name = \"ollama:qwen3\" window = 4096"), "{message}");
    assert!(message.contains("The answer was not used."), "{message}");
    assert!(error.usage.total_tokens() > 0 && error.usage.cost_usd == Some(0.0));
    // One message that alone is too long is cut in its middle, to the last token.
    turn(&model, &[9000]).await.expect_err("it was cut");
    assert_eq!(api.chats().len(), 4, "nothing is asked for again");
    turn(&model, &[300]).await.expect("it fits");
}

#[tokio::test]
async fn an_ollama_of_today_refuses_a_prompt_that_does_not_fit() {
    let api = talks().start();
    let model_of = |window| model(&api, window);
    assert_eq!(model_of(2000).limits().await.window, Some(2000));
    let error = turn(&model_of(2000), &[9000]).await.expect_err("it does not fit");
    assert_eq!(error.kind, ModelErrorKind::ContextWindow, "which is taken up by a fresh conversation, once");
    let message = error.message;
    assert!(message.contains("does not fit the context of 2000 tokens") && message.contains("it has 30"), "{message}");
    assert!(message.contains("window = 4096"), "{message}");
    let error = turn(&model_of(40_960), &[200_000]).await.expect_err("it does not fit").message;
    assert!(error.contains("The model has no larger one"), "{error}");
}

#[tokio::test]
async fn an_effort_is_said_where_the_model_thinks() {
    for (capabilities, think) in [(ABLE, json!(false)), (&["completion", "tools"], Value::Null)] {
        let script = Script::new().on("any", [Reply::text("one")]);
        let api = Behaviour::new(script).model("qwen3:latest", 40_960, capabilities).start();
        turn(&model(&api, 8192), &[300]).await.expect("an answer");
        assert_eq!(api.chats()[0].body["think"], think);
    }
    // What it was told to be able to do and cannot is left out from then on.
    let api = talks().error(400, "think value false is not supported for this model").start();
    let model = model(&api, 8192);
    turn(&model, &[300]).await.expect("an answer");
    turn(&model, &[300, 10, 10]).await.expect("an answer");
    let thinks: Vec<Value> = api.chats().iter().map(|chat| chat.body["think"].clone()).collect();
    assert_eq!(thinks, [json!(false), Value::Null, Value::Null]);
}

#[test]
fn a_model_that_is_not_there_is_told_with_how_to_get_it() {
    let api = Behaviour::new(Script::new()).model("llama3:latest", 8192, ABLE).start();
    let session = Session::new(&workspace(1));
    let done = run(&session, &api).run();
    assert_ne!(done.code, Some(0));
    let done = done.reports("has no model \"qwen3\"").reports("`ollama pull qwen3`");
    assert!(!done.stderr.contains("panicked") && api.chats().len() == 1, "{}", done.stderr);
    let doctor = baton(&session, &api, &["doctor"]).run();
    let said = format!("{}{}", doctor.stdout, doctor.stderr);
    assert!(said.contains("ollama pull qwen3") && said.contains("llama3:latest"), "{said}");
}

#[test]
fn a_model_that_calls_no_tools_is_told() {
    let api = Behaviour::new(Script::new()).model("qwen3:latest", 8192, &["completion"]).start();
    let session = Session::new(&workspace(1));
    let done = run(&session, &api).run();
    assert_ne!(done.code, Some(0));
    done.reports("calls no tools").reports("OLLAMA_MODEL");
    let doctor = baton(&session, &api, &["doctor"]).run();
    assert!(doctor.stdout.contains("error    models.fast     Ollama's qwen3 calls no tools"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("ok       endpoint"), "{}", doctor.stdout);
}

#[test]
fn too_little_memory_halves_the_context_once_and_that_is_said() {
    let api = one_task().memory(20_000).start();
    let session = Session::new(&workspace(1));
    let done = run(&session, &api).run().expect(0);
    let contexts: Vec<u64> = api.chats().iter().filter_map(|chat| chat.body["options"]["num_ctx"].as_u64()).collect();
    let (first, others) = contexts.split_first().unwrap();
    assert_eq!(*first, 32_768);
    assert!(others.iter().all(|context| *context == 16_384), "{contexts:?}");
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("too little memory for a context of 32768 tokens"), "{said}");

    let api = one_task().memory(1000).start();
    let session = Session::new(&workspace(1));
    let done = run(&session, &api).run().expect(5);
    done.reports("too little memory for qwen3, with a context of 16384 tokens too");
    assert_eq!(api.chats().len(), 2);
}

#[tokio::test]
async fn a_halved_context_is_what_prompts_are_planned_for() {
    let api = talks().memory(5000).start();
    let model = model(&api, 8192);
    let window = async || {
        let limits = model.limits().await;
        (limits.window, limits.window_from)
    };
    assert_eq!(window().await, (Some(8192), FactSource::NumCtx(NumCtx::User)));
    // It fits the whole context and not the half: a fresh conversation is planned, and the prompt is not sent again.
    let error = turn(&model, &[18_000]).await.expect_err("it does not fit");
    assert_eq!(error.kind, ModelErrorKind::ContextWindow);
    assert!(error.message.contains("the prompt does not fit one of 4096"), "{error}");
    assert_eq!(api.chats().len(), 1);
    assert_eq!(window().await, (Some(4096), FactSource::NumCtx(NumCtx::Halved)));
    turn(&model, &[300]).await.expect("it fits");
    assert_eq!(api.chats()[1].body["options"]["num_ctx"], 4096);
}

#[test]
fn a_port_that_is_none_is_told_by_doctor_and_by_the_first_error() {
    let session = Session::new(&workspace(1));
    let with = |args: &[&str]| {
        let baton = session.baton(args.iter().copied()).env("OLLAMA_HOST", "127.0.0.1:99999");
        baton.env("OLLAMA_MODEL", "qwen3").env("BATON_RETRY_BASE", "1ms").env("BATON_PROVIDER", "ollama").run()
    };
    let told = "OLLAMA_HOST names the port \"99999\", which is none, so port 11434 is asked";
    let found = with(&["doctor", "--json"]).stdout;
    assert!(found.contains(&told.replace('"', "\\\"")), "{found}");
    let run = with(&["run", "--auto-approve", "--task", "Do it"]).expect(5);
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert!(!run.stderr.contains("nothing of the model"), "{}", run.stderr);
}

#[test]
fn a_crash_of_the_model_is_asked_over() {
    let crash = "llama runner process has terminated: signal: killed";
    let api = one_task().error(500, crash).broken_answers(1).start();
    let session = Session::new(&workspace(1));
    run(&session, &api).run().expect(0);
    assert_eq!(session.text("src/t1.rs").matches("    1\n").count(), 1);
    let context = api.chats().iter().filter(|chat| chat.agent == "context").count();
    assert_eq!(context, 3, "once more after the crash, and once after the answer that broke");
}

#[test]
fn an_ollama_that_does_not_run_is_told_with_how_to_start_it() {
    let api = one_task().start();
    let host = api.host();
    drop(api);
    let session = Session::new(&workspace(1));
    let args = ["run", "--auto-approve", "--provider", "ollama", "--task", "Do it"];
    let env =
        |baton: Baton| baton.env("OLLAMA_HOST", &host).env("OLLAMA_MODEL", "qwen3").env("BATON_RETRY_BASE", "1ms");
    env(session.baton(args)).run().expect(5).reports("`ollama serve`");
    let without: Value = json!(env(session.baton(["doctor"])).env("BATON_PROVIDER", "ollama").run().stdout);
    assert!(without.as_str().unwrap().contains("ollama serve"), "{without}");
}
