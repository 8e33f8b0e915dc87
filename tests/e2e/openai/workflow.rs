//! The whole workflow through `openai`.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::chat::{ChatApi, Dialect, KEY, MODEL};
use crate::support::messages_api::{Reply, Script};
use crate::support::replies::{but, completed, edits, file_of, own, workspace};
use crate::support::session::{Done, Session};

fn run(session: &Session, api: &ChatApi, effort: Option<&str>) -> Done {
    let mut baton = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]);
    for (name, value) in api.env() {
        baton = baton.env(name, value);
    }
    for variable in ["BATON_EFFORT_FAST", "BATON_EFFORT_BALANCED", "BATON_EFFORT_POWERFUL"] {
        if let Some(effort) = effort {
            baton = baton.env(variable, effort);
        }
    }
    baton.env("BATON_RETRY_BASE", "2ms").run()
}

#[test]
fn the_four_phases_run_through_every_dialect() {
    for dialect in Dialect::ALL {
        let session = Session::in_git(&workspace(1));
        // Two calls in one answer, and what the model wrote is no JSON once.
        let file = file_of("T1");
        let script = but(
            Script::new().on(
                "implement/T1",
                [
                    Reply::tools([("read_file", json!({ "path": file })), ("outline", json!({ "path": file }))])
                        .with_text("I look."),
                    Reply::raw_call("read_file", "{\"path\": "),
                    edits(&file, "    0\n", "    1\n"),
                    completed(&[&file]),
                ],
            ),
            &[&[own("T1")]],
        );
        let api = ChatApi::start(dialect, script);
        // Only where the user names an effort is a server asked for one that may not know the word.
        let effort = (dialect == Dialect::OpenAi).then_some("high");
        let done = run(&session, &api, effort).expect(0).no_panic();
        assert!(session.text(&file).contains("    1\n"), "{dialect:?}");
        assert!(!done.stdout.contains(KEY), "{dialect:?}");
        let usage = &done.outcome()["usage"];
        assert!(usage["output_tokens"].as_u64().expect("a count") > 0, "{usage}");
        // One counts nothing, so that it is estimated.
        assert_eq!(usage["estimated"] == true, dialect == Dialect::LmStudio, "{dialect:?}: {usage}");
        assert_eq!(usage["cost_usd"].is_null(), dialect != Dialect::OpenRouter, "{dialect:?}: {usage}");
        refused_only_once(dialect, &api);
        sends_one_stable_prefix(dialect, &api);
    }
}

/// What a server refuses is learned, and not sent again by any later agent.
fn refused_only_once(dialect: Dialect, api: &ChatApi) {
    let requests = api.requests();
    let count = |has: &dyn Fn(&Value) -> bool| requests.iter().filter(|request| has(request)).count();
    match dialect {
        Dialect::OpenAi => {
            assert_eq!(count(&|request| request.get("max_tokens").is_some()), 1);
            assert_eq!(count(&|request| request["reasoning_effort"] != "none"), 2);
        }
        Dialect::Mistral => assert_eq!(count(&|request| request.get("stream_options").is_some()), 1),
        _ => assert_eq!(requests.len(), 7, "{dialect:?}: {:?}", api.agents()),
    }
    assert!(requests.iter().all(|request| request["model"] == MODEL && request["stream"] == true), "{dialect:?}");
}

/// The tools and the system prompt of an agent are the same bytes in each of its requests: servers cache by them.
fn sends_one_stable_prefix(dialect: Dialect, api: &ChatApi) {
    let (agents, requests) = (api.agents(), api.requests());
    let of = |agent: &str| -> Vec<&Value> {
        agents.iter().zip(&requests).filter(|(name, _)| *name == agent).map(|(_, request)| request).collect()
    };
    let implement = of("implement/T1");
    for pair in implement.windows(2) {
        assert_eq!(pair[0]["tools"], pair[1]["tools"], "{dialect:?}");
        let (before, after) = (pair[0]["messages"].as_array(), pair[1]["messages"].as_array());
        let (before, after) = (before.expect("a list"), after.expect("a list"));
        assert_eq!(before[..], after[..before.len()], "{dialect:?}: a conversation only grows");
    }
}

/// A context agent that never comes to its end.
fn looks_for_ever() -> Script {
    Script::new().by(|request| {
        let look = || Reply::tool("search", json!({ "pattern": format!("word{}", request.turn) }));
        (request.agent == "context").then(look)
    })
}

#[test]
fn a_budget_holds_where_the_server_counts_nothing() {
    let facts = "[[model_facts]]\nname = \"some-model\"\ninput = 3\noutput = 15\n";
    for (config, limit, words) in [
        ("", ("BATON_BUDGET_TOKENS", "60000"), "of 60000 tokens used, and too little is left"),
        (facts, ("BATON_BUDGET_USD", "0.4"), "of $0.40 used, and the next turn could cost $0."),
    ] {
        let session = Session::in_git(&workspace(1));
        session.write_user_config(config);
        let api = ChatApi::start(Dialect::LmStudio, looks_for_ever());
        let mut baton = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]);
        for (name, value) in api.env() {
            baton = baton.env(name, value);
        }
        let outcome = baton.env(limit.0, limit.1).run().expect(3).no_panic().outcome();
        let message = outcome["error"]["message"].as_str().expect("a message");
        assert!(message.starts_with("the budget is too small: ") && message.contains(words), "{message}");
        let asked = api.requests().len();
        assert!((2..40).contains(&asked), "{asked} requests");
        let usage = &outcome["usage"];
        assert_eq!(
            (usage["estimated"].as_bool(), usage["cost_usd"].is_null()),
            (Some(true), config.is_empty()),
            "{usage}"
        );
        let told = session.baton(["status"]).run().expect(0).stdout;
        assert!(told.contains("Used  about ") && told.contains('$') != config.is_empty(), "{told}");
    }
}

#[test]
fn what_is_missing_is_said_before_anything_is_sent() {
    let session = Session::in_git(&workspace(1));
    let refused = |env: &[(&str, &str)]| {
        let mut baton = session.baton(["run", "--task", "x", "--provider", "openai", "--auto-approve"]);
        for (name, value) in env {
            baton = baton.env(name, *value);
        }
        baton.run().expect(2).stderr
    };
    let nothing = refused(&[]);
    assert!(nothing.contains("OPENAI_API_KEY") && nothing.contains("OPENAI_BASE_URL"), "{nothing}");
    let address = ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/messages");
    let foreign = refused(&[address, ("OPENAI_MODEL", "m")]);
    assert!(foreign.contains("OPENAI_BASE_URL ends in /v1/messages"), "{foreign}");
    let readable =
        refused(&[("OPENAI_BASE_URL", "http://192.0.2.1/v1"), ("OPENAI_API_KEY", KEY), ("OPENAI_MODEL", "m")]);
    assert!(readable.contains("is plain http") && !readable.contains(KEY), "{readable}");
    let quoted = refused(&[("OPENAI_API_KEY", "\u{201C}chat-key\u{201D}"), ("OPENAI_MODEL", "m")]);
    assert!(quoted.contains("typographic quotes"), "{quoted}");
}

#[test]
fn doctor_asks_for_the_model() {
    let session = Session::in_git(&workspace(1));
    for (dialect, model, words) in [
        (Dialect::Vllm, MODEL, "openai:some-model is there"),
        (Dialect::Google, MODEL, "openai:some-model is there"),
        (Dialect::Vllm, "some-modle", "some-model"),
        (Dialect::LlamaCpp, "qwen", "does not list it"),
    ] {
        let api = ChatApi::start(dialect, Script::new());
        let mut baton = session.baton(["doctor", "--json"]);
        for (name, value) in api.env() {
            baton = baton.env(name, value);
        }
        let done = baton.env("OPENAI_MODEL", model).run();
        assert!(done.stdout.contains(words), "{dialect:?} {model}: {}", done.stdout);
        assert!(api.requests().is_empty(), "no turn is taken");
    }
}
