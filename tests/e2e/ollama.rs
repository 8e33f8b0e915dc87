//! The provider `ollama` against an Ollama on loopback: a whole run, and what goes wrong with a local model.

use std::collections::BTreeSet;

use serde_json::{Value, json};

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
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));

    let chats = api.chats();
    let contexts: BTreeSet<u64> = chats.iter().map(|chat| chat.body["options"]["num_ctx"].as_u64().unwrap()).collect();
    assert_eq!(contexts, BTreeSet::from([32_768]), "one context for the whole run");
    assert!(chats.iter().all(|chat| chat.body["think"].is_null()), "no effort is named");
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

#[test]
fn a_prompt_that_an_older_ollama_cuts_is_never_worked_on() {
    let api = one_task().old().start();
    // A context into which not even the tools fit.
    let session = Session::new(&workspace(1));
    session.write_user_config("[[model_facts]]\nname = \"ollama:qwen3\"\nwindow = 512\n");
    let before = session.text("src/t1.rs");
    let done = run(&session, &api).run();
    if done.code == Some(2) {
        // Refused before it is sent, where a prompt is known not to fit.
        assert!(api.chats().is_empty(), "{}", done.stderr);
        return;
    }
    let done = done.expect(5);
    assert!(done.stderr.contains("cut the prompt to fit the context of 512 tokens"), "{}", done.stderr);
    assert!(done.stderr.contains("[[model_facts]] name = \"ollama:qwen3\" window = "), "{}", done.stderr);
    assert_eq!(api.chats().len(), 1, "nor is it asked for again");
    assert_eq!(session.text("src/t1.rs"), before);
    assert!(!session.exists(".agent_memory/context.json"));
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
    assert!(format!("{}{}", doctor.stdout, doctor.stderr).contains("calls no tools"), "{}", doctor.stdout);
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
    let without: Value = json!(env(session.baton(["doctor", "--provider", "ollama"])).run().stdout);
    assert!(without.as_str().unwrap().contains("ollama serve"), "{without}");
}
