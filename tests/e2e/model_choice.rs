//! A model for each tier from a provider of its own, in one run.
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::{BTreeMap, BTreeSet};

use baton::models::{ModelError, Wanted, resolve};
use serde_json::{Value, json};

use crate::support::messages_api::chat::{ChatApi, Dialect, MODEL};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::ollama_api::{Behaviour, OllamaApi};
use crate::support::replies::{goes_well, own, with, workspace};
use crate::support::session::{Baton, Session};

/// The three servers, each of which would take every phase.
struct Servers {
    ollama: OllamaApi,
    openai: ChatApi,
    anthropic: MessagesApi,
}

impl Servers {
    fn start() -> Self {
        Self {
            ollama: Behaviour::new(script()).model("qwen3:8b", 40_960, &["completion", "tools"]).start(),
            openai: ChatApi::start(Dialect::OpenAi, script()),
            anthropic: MessagesApi::start(script()),
        }
    }

    /// A run with a model from each of them, chosen on the command line.
    fn run(&self, session: &Session) -> Baton {
        let balanced = format!("balanced=openai:{MODEL}");
        let models =
            ["--model", "fast=ollama:qwen3:8b", "--model", &balanced, "--model", "powerful=anthropic:claude-opus-5-5"];
        let baton = session.baton(["run", "--task", "Do it", "--auto-approve"].into_iter().chain(models));
        let baton = baton.api(&self.anthropic).env("OLLAMA_HOST", self.ollama.host()).env("BATON_RETRY_BASE", "2ms");
        self.openai.env().into_iter().fold(baton, |baton, (name, value)| baton.env(name, value))
    }
}

/// One simple task and one that is not.
fn script() -> Script {
    let moderate = with(own("T2"), json!({ "estimated_complexity": "moderate" }));
    goes_well(&[&[own("T1"), moderate]])
}

/// The turns of the one run: the agent, the model, and what the turn cost.
fn turns(session: &Session) -> Vec<(String, String, Option<f64>)> {
    let [run] = <[String; 1]>::try_from(session.runs()).unwrap();
    let text = session.text(&session.memory(&format!("runs/{run}/transcript.jsonl")));
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let turn = |line: Value| {
        let word = |name: &str| line[name].as_str().map(str::to_owned);
        Some((word("agent")?, word("model")?, line["response"]["usage"]["cost_usd"].as_f64()))
    };
    lines.filter_map(turn).collect()
}

#[test]
fn each_tier_is_served_by_its_own_provider_and_each_account_is_named_and_counted() {
    let (session, servers) = (Session::new(&workspace(2)), Servers::start());
    session.write_user_config(&format!(
        "[[model_facts]]\nname = \"openai:{MODEL}\"\ninput = 1\noutput = 2\nas_of = \"2026-11\"\n"
    ));
    let done = servers.run(&session).run().expect(0).no_panic();
    let said = &done.stderr;
    for line in [
        format!("fast: Ollama at {}, local, no cost", servers.ollama.host()),
        "balanced: OpenAI".to_owned(),
        "powerful: Anthropic API at 127.0.0.1".to_owned(),
    ] {
        assert_eq!(said.matches(&line).count(), 1, "{line:?} in:\n{said}");
    }

    let turns = turns(&session);
    let mut served: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (agent, model, _) in &turns {
        served.entry(model).or_default().insert(agent);
    }
    let openai = format!("openai:{MODEL}");
    let expected = [
        ("ollama:qwen3:8b", BTreeSet::from(["context", "implement/T1"])),
        (openai.as_str(), BTreeSet::from(["implement/T2"])),
        ("anthropic:claude-opus-5-5", BTreeSet::from(["plan", "review"])),
    ];
    assert_eq!(served, BTreeMap::from(expected));
    let asked: BTreeSet<String> = servers.ollama.chats().into_iter().map(|chat| chat.agent).collect();
    assert_eq!(asked, BTreeSet::from(["context".to_owned(), "implement/T1".to_owned()]));
    assert!(servers.openai.agents().iter().all(|agent| agent == "implement/T2"), "{:?}", servers.openai.agents());
    let asked: BTreeSet<String> = servers.anthropic.requests().into_iter().map(|request| request.agent).collect();
    assert_eq!(asked, BTreeSet::from(["plan".to_owned(), "review".to_owned()]));

    let cost =
        |of: &str| turns.iter().filter(|(_, model, _)| model.starts_with(of)).map(|turn| turn.2.unwrap()).sum::<f64>();
    let (local, chat, messages) = (cost("ollama:"), cost("openai:"), cost("anthropic:"));
    assert!(local == 0.0 && chat > 0.0 && messages > 0.0, "{turns:?}");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let total = status["usage"]["cost_usd"].as_f64().unwrap();
    assert!((total - chat - messages).abs() < 1e-9, "{total} is not {chat} and {messages}");
}

#[test]
fn one_model_without_a_price_leaves_the_cost_of_the_whole_unknown() {
    let (session, servers) = (Session::new(&workspace(2)), Servers::start());
    servers.run(&session).run().expect(0).no_panic();
    let turns = turns(&session);
    assert!(turns.iter().all(|(_, model, cost)| cost.is_none() == model.starts_with("openai:")), "{turns:?}");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert!(
        status["usage"]["cost_usd"].is_null() && status["usage"]["output_tokens"].as_u64().unwrap() > 0,
        "{status}"
    );
}

#[test]
fn two_models_for_one_tier_are_refused_and_both_are_named() {
    let session = Session::new(&workspace(1));
    let models = ["--model", "fast=openai:a", "--model", "fast=openai:b"];
    for command in [["run", "--task=x"].as_slice(), &["doctor"], &["review", "--base=HEAD"], &["plan", "--feedback=x"]]
    {
        let done = session.baton(command.iter().copied().chain(models)).run().expect(2);
        done.reports("two models for fast, openai:a and openai:b");
    }
}

#[test]
fn a_provider_that_settings_leave_nothing_to_serve_is_said_to_be_set_aside() {
    let (session, servers) = (Session::new(&workspace(2)), Servers::start());
    session.write("baton.toml", "models.fast = \"ollama:qwen3:8b\"\nmodels.powerful = \"anthropic:claude-opus-5-5\"\n");
    let args = ["run", "--task", "Do it", "--auto-approve", "--provider", "openai", "--model"];
    let baton = session.baton(args.into_iter().chain([format!("powerful={MODEL}").as_str()]));
    let baton = baton.api(&servers.anthropic).env("OLLAMA_HOST", servers.ollama.host());
    let done =
        servers.openai.env().into_iter().fold(baton, |baton, (name, value)| baton.env(name, value)).run().expect(0);
    let words: Vec<&str> = done.stderr.split_whitespace().collect();
    let said =
        "--provider openai serves only what no setting names, and models.fast is ollama:qwen3:8b (baton.toml:1:15)";
    assert!(words.join(" ").contains(said), "{}", done.stderr);
    assert!(servers.anthropic.requests().is_empty(), "a name without a provider is one of --provider");
}

/// What the models of a provider are called, with these variables.
fn named(provider: &str, env: &[(&str, &str)]) -> Result<String, ModelError> {
    let wanted = Wanted { provider: Some(provider.to_owned()), ..Wanted::default() };
    let variable = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    resolve(&wanted, &variable, None).map(|models| models.balanced.id().to_owned())
}

#[test]
fn a_default_model_may_have_its_provider_before_it_and_no_other() {
    let openai = |model: &str| named("openai", &[("OPENAI_API_KEY", "k"), ("OPENAI_MODEL", model)]);
    for (name, id) in [
        ("m", "openai:m"),
        ("openai:m", "openai:m"),
        ("qwen3:8b", "openai:qwen3:8b"),
        ("openai:qwen3:8b", "openai:qwen3:8b"),
        ("openai/m:free", "openai:openai/m:free"),
    ] {
        assert_eq!(openai(name).unwrap(), id);
    }
    assert_eq!(named("ollama", &[("OLLAMA_MODEL", "ollama:qwen3:8b")]).unwrap(), "ollama:qwen3:8b");
    for name in ["ollama:m", "anthropic:m", "openai:"] {
        let message = openai(name).unwrap_err().message;
        assert!(message.starts_with(&format!("OPENAI_MODEL is {name:?}, and names a model of `openai`")), "{message}");
    }
}
