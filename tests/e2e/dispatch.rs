//! Workers elsewhere, from the user's side: who may name the broker, what is told where there is none or no key, and that key and
//! address reach no command. What workers do is told by `workers`.
#![cfg(all(unix, feature = "nats"))]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::{LspClient, message_text};
use crate::support::messages_api::MessagesApi;
use crate::support::session::{Baton, Session};

/// A key as `openssl rand -hex 32` makes one.
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Far less than the time that a run waits for a worker.
const SOON: Duration = Duration::from_secs(15);

/// The address of a port nobody listens on, and no other test comes to by chance: TCPMUX, by IANA's list of ports.
fn dead() -> String {
    "nats://127.0.0.1:1".to_owned()
}

fn run<'a>(session: &Session, api: &MessagesApi, more: impl IntoIterator<Item = &'a str>) -> Baton {
    session.baton(["run", "--task", TASK, "--auto-approve"].into_iter().chain(more)).api(api)
}

#[test]
fn a_workspace_names_no_broker_and_the_password_of_one_is_never_shown() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    session.write("baton.toml", "# ours\ndispatch = \"nats://me:hunter2@evil.example\"\n");
    let done = run(&session, &api, []).run().expect(2);
    let done = done.reports("baton.toml:2:12: dispatch cannot be set here: this file comes with the workspace");
    assert!(!done.stderr.contains("evil.example") && !done.stderr.contains("hunter2"), "{}", done.stderr);
    session.write("baton.toml", "");
    let done = run(&session, &api, ["--dispatch", "nats://me:hunter2@bus.example.org"]).run().expect(2);
    let done = done.reports("--dispatch: dispatch has nats://bus.example.org, where anyone on the way could read");
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    let done = run(&session, &api, []).env("BATON_DISPATCH", "http://hunter2").run().expect(2);
    let done = done.reports("BATON_DISPATCH: dispatch is no address of a NATS server");
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    session.write_user_config("dispatch = \"tls://me:hunter2@bus.example.org?tag=gpu\"\n");
    let done = session.baton(["config"]).run().expect(0).prints("tls://bus.example.org?tag=gpu");
    assert!(!done.stdout.contains("hunter2"), "{}", done.stdout);
    let json = session.baton(["config", "--json"]).run().expect(0).stdout;
    assert!(!json.contains("hunter2"), "{json}");
    assert!(!session.exists(".agent_memory"));
}

#[test]
fn without_a_broker_or_a_key_no_run_begins_and_nothing_is_written() {
    let (session, api, dead) = (Session::new(GREETING), MessagesApi::start(script()), dead());
    for args in [vec!["run", "--task", TASK, "--auto-approve"], vec!["review", "--base", "HEAD"]] {
        let session = Session::in_git(GREETING);
        let began = Instant::now();
        let with = args.into_iter().chain(["--dispatch", &dead]);
        let done = session.baton(with).api(&api).env("BATON_BUS_KEY", KEY).run().expect(5);
        done.reports(&dead);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert!(!session.exists(".agent_memory"));
    }
    run(&session, &api, ["--dispatch", &dead]).run().expect(2).reports("BATON_BUS_KEY").reports("openssl rand -hex 32");
    let last = run(&session, &api, ["--dispatch", &dead, "--json"]).env("BATON_BUS_KEY", KEY).run().expect(5);
    assert_eq!(last.json()["exit_code"], 5, "{}", last.stdout);
    assert!(!session.exists(".agent_memory"));
    assert_eq!(api.requests().len(), 0, "no model was asked");
}

#[test]
fn an_empty_flag_turns_it_off_and_what_asks_no_model_needs_no_worker() {
    let (session, api, dead) = (Session::new(GREETING), MessagesApi::start(script()), dead());
    run(&session, &api, ["--dispatch="]).env("BATON_DISPATCH", &dead).env("BATON_BUS_KEY", KEY).run().expect(0);
    for args in [&["status"][..], &["diff"], &["rollback"], &["reset"]] {
        session.baton(args.iter().copied()).env("BATON_DISPATCH", &dead).run().expect(0);
    }
    // What makes no sense is said before anybody is looked for.
    let done = session.baton(["run", "--phase", "review"]).api(&api).env("BATON_DISPATCH", &dead).run().expect(2);
    assert!(!done.stderr.contains("BATON_BUS_KEY"), "{}", done.stderr);
}

#[test]
fn its_key_and_its_address_reach_no_command_of_anybody() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let dump = |name: &str| format!("env > {}", session.path(&format!("../{name}")).display());
    session.write_user_config(&format!(
        "notify = \"{}\"\n[[sinks]]\nurl = \"exec: cat > /dev/null; {}\"\n[[checks]]\nname = \"env\"\n\
         command = \"! env | grep -e {KEY} -e hunter2\"\n",
        dump("of_notify"),
        dump("of_sink"),
    ));
    let done = run(&session, &api, ["--dispatch=", "--json"]).env("BATON_BUS_KEY", KEY);
    done.env("BATON_DISPATCH", "tls://me:hunter2@bus.example.org").run().expect(0);
    for file in ["../of_notify", "../of_sink"] {
        let env = session.text(file);
        assert!(env.contains("PATH=") && !env.contains(KEY) && !env.contains("hunter2"), "{file}: {env}");
    }
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["checks"][0]["name"], &status["checks"][0]["state"]), (&json!("env"), &json!("passed")));
}

#[test]
fn a_worker_says_what_it_lacks_and_what_to_do() {
    let (session, api, dead) = (Session::new(GREETING), MessagesApi::start(script()), dead());
    let worker = |args: &[&str]| session.baton(["worker"].into_iter().chain(args.iter().copied())).api(&api);
    let done = worker(&["--nats", &dead]).run().expect(2);
    done.reports("BATON_BUS_KEY is not set").reports("openssl rand -hex 32").reports("baton run --dispatch");
    worker(&[]).env("BATON_BUS_KEY", KEY).run().expect(2).reports("write --nats URL");
    let done = worker(&["--nats", "nats://me:hunter2@bus.example.org"]).env("BATON_BUS_KEY", KEY).run().expect(2);
    let done = done.reports("--nats: the address has nats://bus.example.org").reports("tls://");
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    for (args, why) in [
        (["--slots", "0"], "1..=64"),
        (["--slots", "65"], "1..=64"),
        (["--tags", "GPU"], "a tag is made of small letters"),
        (["--name", "a b"], "a name is made of letters"),
    ] {
        worker(&args).run().expect(2).reports(why);
    }
    let began = Instant::now();
    let unreachable = worker(&["--nats", &dead, "--slots", "3", "--tags", "gpu,big", "--name", "builder"]);
    let done = unreachable.env("BATON_BUS_KEY", KEY).run().expect(5);
    let done = done.reports(&format!("worker builder at {dead}, 3 slots, tags big, gpu. Models: fast anthropic:"));
    done.reports("ANTHROPIC_API_KEY");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    // It is of no workspace: what lies in the current folder is not read, and nothing is written there.
    session.write("baton.toml", "faulty = ");
    worker(&["--nats", &dead]).env("BATON_BUS_KEY", KEY).run().expect(5);
    assert!(!session.exists(".agent_memory"));
    // Models are those of its own settings; with none it could hold nothing.
    let none = session.baton(["worker", "--nats", &dead]).env("BATON_BUS_KEY", KEY).env("OLLAMA_HOST", "127.0.0.1:1");
    none.run().expect(2).reports("ANTHROPIC_API_KEY");
    session.write_user_config(&format!("dispatch = \"{dead}?tag=own\"\n"));
    let done = worker(&[]).env("BATON_BUS_KEY", KEY).run().expect(5);
    done.reports(&format!("at {dead}, 1 slot, tags own. Models: "));
}

#[test]
fn doctor_says_whether_workers_can_be_reached() {
    let (session, api, dead) = (Session::new(GREETING), MessagesApi::start(script()), dead());
    let row = |key: &str| -> Value {
        let doctor = session.baton(["doctor", "--json", "--dispatch", &dead]).api(&api).env("BATON_BUS_KEY", key);
        let found = doctor.run().expect(1).json();
        let checks = found["checks"].as_array().cloned().unwrap_or_default();
        assert!(checks.iter().all(|check| check["name"] != "models"), "the models are those of the workers: {found}");
        checks.into_iter().find(|check| check["name"] == "dispatch").unwrap_or_default()
    };
    let without = row("");
    assert_eq!(without["status"], "error", "{without}");
    assert!(without.to_string().contains("BATON_BUS_KEY") && without.to_string().contains("openssl"), "{without}");
    let with = row(KEY);
    let expected = format!("{dead} cannot be used: ");
    assert!(with["message"].as_str().is_some_and(|message| message.starts_with(&expected)), "{with}");
    assert!(with["fix"].as_str().is_some_and(|fix| fix.contains("JetStream")), "{with}");
}

#[test]
fn an_editor_is_told_why_no_run_begins_and_goes_on() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    session.write_user_config(&format!("dispatch = \"{}\"\n", dead()));
    let mut client = session.lsp_client(&api);
    let refused = client.execute("baton.workflow", &[json!({ "task": TASK })]);
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("BATON_BUS_KEY"), "{refused}");
    session.write_user_config("");
    let run = client.start_workflow(json!({ "task": TASK }));
    let gate = client.wait_for_gate();
    client.answer(&gate, json!({ "title": "Reject" }));
    client.wait_for_run_end(&run);
}

#[test]
fn an_editor_marks_a_broker_that_a_workspace_names_and_its_settings_name_none() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let mut client = session.lsp_client(&api);
    session.write("baton.toml", "# ours\ndispatch = \"nats://me:hunter2@evil.example\"\n");
    let refused = |client: &mut LspClient| {
        let error = client.execute("baton.workflow", &[json!({ "task": TASK })]).expect_err("it is refused");
        let error = error["message"].as_str().unwrap_or_default().to_owned();
        assert!(!error.contains("evil.example") && !error.contains("hunter2"), "{error}");
        error
    };
    let error = refused(&mut client);
    assert!(
        error.contains("baton.toml:2:12: dispatch cannot be set here: this file comes with the workspace"),
        "{error}"
    );
    let shown = client.wait_for_code("baton.toml", "settings");
    assert_eq!(shown["range"]["start"], json!({ "line": 1, "character": 11 }));
    let text = shown["message"].as_str().unwrap_or_default();
    assert!(text.starts_with("dispatch cannot be set here") && !text.contains("evil.example"), "{text}");

    session.write("baton.toml", "");
    client.wait_for_lines("baton.toml", &[]);
    let settings = json!({ "settings": { "baton": { "dispatch": "nats://me:hunter2@evil.example" } } });
    client.notify("workspace/didChangeConfiguration", settings);
    let ours = "dispatch cannot be set here: editor settings come merged with the workspace's";
    let message = client.wait_for_message();
    assert!(message_text(&message).contains(ours) && !message_text(&message).contains("evil"), "{message}");
    let error = refused(&mut client);
    assert!(error.contains(ours), "{error}");
    assert!(api.requests().is_empty() && !session.exists(".agent_memory"));
    assert_eq!(client.quit(), Some(0));
}
