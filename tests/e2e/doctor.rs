//! `baton doctor`: its checks where everything is in order, and where something is missing, with the fix for it.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::messages_api::{Fault, KEY, MessagesApi, Script};
use crate::support::ports::free_port;
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::{Baton, Done, Session};

fn doctor(session: &Session) -> Baton {
    session.baton(["doctor", "--json"])
}

/// One check: status, message and fix.
fn check(done: &Done, name: &str) -> (String, String, String) {
    let found = done.json();
    let checks = found["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {found:#}"));
    let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"), text("fix"))
}

#[track_caller]
fn finds(done: &Done, name: &str, status: &str, message: &str, fix: &str) {
    let found = check(done, name);
    assert!(found.0 == status && found.1.contains(message) && found.2.contains(fix), "{name}: {found:?}");
}

fn statuses(done: &Done) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = done.json();
    found["checks"].as_array().unwrap().iter().map(|check| (text(&check["name"]), text(&check["status"]))).collect()
}

#[test]
fn of_the_settings_only_those_that_are_set_are_listed() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    let text = session.baton(["doctor"]).api(&api).run().expect(0).stdout;
    assert!(text.contains("\n`baton config` shows all settings.\n") && !text.contains("keep_runs"), "{text}");
    session.write("baton.toml", "keep_runs = 7\n");
    let text = session.baton(["doctor"]).api(&api).env("BATON_CHECKPOINT", "off").run().expect(0).stdout;
    let (_, set) = text.split_once("\nSettings (`baton config` shows all)\n").expect("settings");
    let expected =
        "  checkpoint               off (BATON_CHECKPOINT)\n  keep_runs                7 (baton.toml:1:13)\n\n";
    assert!(set.starts_with(expected), "{text}");
}

#[test]
fn where_all_is_well_it_says_so_and_leaves_no_trace() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    let done = doctor(&session).api(&api).run().expect(0);
    let names = ["binary", "endpoint", "git", "key", "memory", "models", "models.balanced", "models.fast"];
    let names = names.iter().chain(&["models.powerful", "settings", "workspace"]);
    let mut found = statuses(&done);
    // Whether there is a view depends on the machine.
    let sandbox = found.remove("sandbox").expect("the sandbox is looked at");
    assert_eq!(found, names.map(|name| ((*name).to_owned(), "ok".to_owned())).collect());
    let (_, words, _) = check(&done, "sandbox");
    assert!(sandbox == if words.starts_with("view") { "ok" } else { "warning" }, "{sandbox}: {words}");
    assert_eq!(done.json()["ok"], true);
    assert_eq!(done.json()["checks"][0]["fix"], Value::Null);
    finds(&done, "binary", "ok", concat!("baton ", env!("CARGO_PKG_VERSION")), "");
    finds(&done, "git", "ok", "on branch main, read by libgit2", "");
    finds(&done, "memory", "ok", ".agent_memory is made by the first run", "");
    finds(&done, "models", "ok", "fast anthropic:claude-haiku-5-5, balanced anthropic:claude-sonnet-5-5", "");
    finds(&done, "key", "ok", "key from ANTHROPIC_API_KEY", "");
    finds(&done, "endpoint", "ok", "127.0.0.1", "");
    finds(&done, "models.powerful", "ok", "anthropic:claude-opus-5-5 is there", "");
    finds(&done, "models.powerful", "ok", "$4.00 in and $20.00 out a million tokens (as of 2026-11). Effort: high", "");
    let found = done.json();
    assert_eq!((&found["models"][0]["tier"], &found["models"][0]["effort"]), (&json!("fast"), &json!("low")));
    assert!(!done.stdout.contains(KEY), "{}", done.stdout);
    assert!(!session.exists(".agent_memory"));
    // The list has two pages, and is asked for once.
    let asked = api.asked_for_models();
    let lists: Vec<&String> = asked.iter().filter(|asked| asked.contains('?')).collect();
    assert_eq!(lists, ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=claude-sonnet-5-5"]);
    assert_eq!(asked.len(), 5, "what each model takes is asked for once: {asked:?}");
    assert!(api.requests().is_empty(), "no turn is taken");
    let off = doctor(&session).api(&api).env("BATON_SANDBOX", "off").run().expect(0);
    finds(
        &off,
        "sandbox",
        "ok",
        "none: switched off. Switched off by the setting `sandbox`: checks run in the real",
        "",
    );

    let report = session.baton(["doctor"]).api(&api).run().expect(0);
    report.prints("ok       git             on branch main").prints("All is well.");
    let report = session.baton(["doctor", "--model", "balanced=anthropic:claude-opus-5-5"]).api(&api).run().expect(0);
    report
        .prints("balanced anthropic:claude-opus-5-5")
        .prints("models.balanced          anthropic:claude-opus-5-5 (--model)");

    // After a run there is a memory folder too.
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let before = session.memory_tree();
    let done = doctor(&session).api(&api).run().expect(0);
    finds(&done, "memory", "ok", ".agent_memory, writable and ignored by git", "");
    assert_eq!(session.memory_tree(), before);
}

#[test]
fn a_key_that_is_missing_or_wrong_is_reported_with_its_variable() {
    let session = Session::in_git(&workspace(1));
    let done = doctor(&session).run().expect(2);
    finds(&done, "models", "error", "No model is set up", "Set ANTHROPIC_API_KEY to a key");
    assert_eq!(done.json()["ok"], false);
    session.baton(["doctor"]).run().expect(2).prints("to fix it").prints("One thing stands in the way of a run.");

    let api = MessagesApi::start(Script::new());
    let done = doctor(&session).api(&api).env("ANTHROPIC_API_KEY", "sk-wrong").run().expect(1);
    finds(&done, "key", "error", "refused the key in ANTHROPIC_API_KEY (401)", "Set ANTHROPIC_API_KEY anew.");
    finds(&done, "endpoint", "ok", "answers", "");
    assert!(!done.stdout.contains("sk-wrong") && !statuses(&done).contains_key("models.fast"), "{}", done.stdout);
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_reported() {
    let session = Session::in_git(&workspace(1));
    let unused_address = format!("127.0.0.1:{}", free_port());
    let with = |url: String| doctor(&session).env("ANTHROPIC_API_KEY", KEY).env("ANTHROPIC_BASE_URL", url);
    let done = with(format!("http://{unused_address}")).run().expect(1);
    finds(
        &done,
        "endpoint",
        "error",
        &format!("{unused_address} cannot be reached"),
        "Check the network and ANTHROPIC_BASE_URL.",
    );
    finds(&done, "key", "ok", "key from ANTHROPIC_API_KEY", "");
    assert!(!statuses(&done).contains_key("models.fast"));

    let done = with("nowhere".to_owned()).run().expect(2);
    finds(&done, "models", "error", "ANTHROPIC_BASE_URL is no web address", "Set it to one such as");

    for (fault, status, code, message) in [
        (Fault::overloaded(), "warning", 0, "is overloaded (529)"),
        (Fault::status(500, "api_error", "oops"), "warning", 0, "failed to answer (500): \"oops\""),
        (Fault::Html200, "warning", 0, "something that is no list of models"),
        (Fault::status(301, "x", "y").header("location", "https://elsewhere/"), "error", 2, "redirects to elsewhere"),
        (Fault::Reset, "error", 1, "cannot be reached"),
    ] {
        let api = MessagesApi::start(Script::new().fault("models", std::iter::repeat_n(fault, 4)));
        let done = doctor(&session).api(&api).run().expect(code);
        let found = check(&done, "endpoint");
        assert!(found.0 == status && found.1.contains(message), "{message}: {found:?}");
    }
}

#[test]
fn models_that_are_not_listed_are_distinguished_from_those_that_may_be_there() {
    let session = Session::in_git(&workspace(1));
    let done = |script: Script, powerful: &str| {
        let api = MessagesApi::start(script);
        let asked = doctor(&session).api(&api).env("BATON_MODELS_POWERFUL", format!("anthropic:{powerful}"));
        (asked.run().expect(0), api.asked_for_models())
    };
    // Under another name than the public API's, a server may well have what it does not list.
    let (found, asked) = done(Script::new(), "claude-opus-9");
    finds(&found, "models.powerful", "warning", "does not list it", "");
    finds(&found, "models.fast", "ok", "is there", "");
    // Beside what is asked of the others, in any order.
    assert!(asked.iter().any(|path| path == "/v1/models/claude-opus-9"), "{asked:?}");
    // An alias is in no list.
    let listed = ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-6-20270101"];
    let (found, _) = done(Script::new().models(Some(&listed)), "claude-opus-6");
    // Nothing is known of it but that.
    finds(&found, "models.powerful", "warning", "anthropic:claude-opus-6 is there", "[[model_facts]]");
    // Some have no list at all.
    let (found, asked) = done(Script::new().models(None), "x");
    finds(&found, "models.fast", "warning", "whether anthropic:claude-haiku-5-5 is there cannot be told", "");
    finds(&found, "endpoint", "ok", "answers", "");
    assert_eq!(asked.iter().filter(|asked| asked.contains('?')).count(), 1, "{asked:?}");
}

#[test]
fn faults_of_settings_are_reported_at_their_place() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    session.write("baton.toml", "budget_usd = 4\nmax_review_cycles = 9\n");
    let done = doctor(&session).api(&api).env("BATON_KEEP_RUNS", "3").env("BATON_KEEP_RUN", "3").run().expect(0);
    finds(&done, "settings", "ok", "2 settings given, the others at their defaults", "");
    let found = done.json();
    let setting =
        |key: &str| found["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == key).cloned();
    let given = json!({ "key": "budget_usd", "value": "4", "place": "baton.toml:1:14" });
    assert_eq!(setting("budget_usd"), Some(given));
    let given = json!({ "key": "keep_runs", "value": "3", "place": "BATON_KEEP_RUNS" });
    assert_eq!(setting("keep_runs"), Some(given));
    // More than the workspace may allow is not in force.
    let default = json!({ "key": "max_review_cycles", "value": "3", "place": null });
    assert_eq!(setting("max_review_cycles"), Some(default));
    assert!(done.stdout.contains("baton.toml:2:21: max_review_cycles is 9"), "{}", done.stdout);
    let warned = done.json()["checks"].as_array().unwrap().iter().any(|check| check["status"] == "warning");
    assert!(warned && done.stdout.contains("BATON_KEEP_RUN is not a setting"), "{}", done.stdout);

    session.write("baton.toml", "budget_usd = \"much\"\nbudget_eur = 1\n");
    let done = doctor(&session).api(&api).run().expect(2);
    let faults: Vec<(String, Option<String>)> = (done.json()["checks"].as_array().unwrap().iter())
        .filter(|check| check["name"] == "settings" && check["status"] == "error")
        .map(|check| (check["message"].as_str().unwrap().to_owned(), check["fix"].as_str().map(str::to_owned)))
        .collect();
    assert_eq!(faults.len(), 2, "{}", done.stdout);
    assert!(faults[0].0.starts_with("baton.toml:1:") && faults[0].1.is_none(), "{faults:?}");
    assert!(faults[1].1.as_ref().is_some_and(|fix| fix.starts_with("Fix each at its place.")), "{faults:?}");
    finds(&done, "models", "warning", "not looked at", "Fix the settings first.");
}

#[test]
fn what_the_user_says_of_a_model_counts_and_a_slip_in_a_key_is_noticed() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    let facts = "[[model_facts]]\nname = \"x\"\nwindow = 65_536\nmax_output = 4096\ninput = 0.5\noutput = 2\nas_of = 2026-12-01\n";
    std::fs::create_dir_all(session.config_home().join("baton")).unwrap();
    std::fs::write(session.config_home().join("baton/config.toml"), facts).unwrap();
    let with = || {
        doctor(&session).api(&api).env("BATON_MODELS_FAST", "anthropic:x").env("BATON_MODELS_BALANCED", "anthropic:y")
    };
    let done = with().env("OPENAI_API_KEY", "\"sk-quoted\"").run().expect(0);
    let said = "Context window 65.5k tokens (from your own settings), answers up to 4.1k. Price: $0.50 in and $2.00 out a million \
                tokens (your own, as of 2026-12-01). Effort: low";
    finds(&done, "models.fast", "warning", said, "");
    finds(
        &done,
        "models.balanced",
        "warning",
        "Price: not known, so that tokens alone are counted",
        "[[model_facts]] with name",
    );
    assert!(
        done.stdout.contains("OPENAI_API_KEY stands in quotes") && !done.stdout.contains("sk-quoted"),
        "{}",
        done.stdout
    );
}

#[test]
fn a_flag_that_names_no_model_is_a_fault_of_usage() {
    let session = Session::in_git(&workspace(1));
    let with = |args: &[&str]| session.baton(args.iter().copied()).env("ANTHROPIC_API_KEY", KEY).run().expect(2);
    with(&["run", "--task", "Do it", "--model", "fast=gpt"])
        .reports("--model: models.fast is \"gpt\", which names no provider");
    with(&["review", "--base", "HEAD", "--model", "fast=antropic:x"]).reports("did you mean anthropic?");
    with(&["plan", "--feedback", "no", "--model", "quick=openai:x"]).reports("\"quick\" is no tier");
    let done = with(&["doctor", "--json", "--model", "fast=gpt"]);
    finds(&done, "settings", "error", "--model: models.fast is \"gpt\"", "Fix it at its place. Settings are read from");
}

#[test]
fn the_state_of_git_and_of_the_memory_folder_is_reported() {
    let found = |session: &Session| {
        let api = MessagesApi::start(Script::new());
        doctor(session).api(&api).run()
    };
    let session = Session::new(&workspace(1));
    finds(&found(&session).expect(0), "git", "warning", "no git repository: no checkpoints are kept", "Run `git init`");

    session.git(&["init", "-q", "-b", "main"]);
    finds(&found(&session).expect(0), "git", "ok", "on branch main, without a commit yet", "");
    session.write(".agent_memory/task.md", "Do it\n");
    finds(&found(&session).expect(0), "memory", "warning", "is not ignored by git", "Write a line `*` to");
    session.git(&["add", "-A"]);
    finds(&found(&session).expect(0), "memory", "warning", "is tracked by git", "git rm -r -q --cached .agent_memory");
    session.git(&["rm", "-r", "-q", "--cached", ".agent_memory"]);
    session.write(".agent_memory/.gitignore", "*\n");
    session.write(".agent_memory/plan.json", "{");
    finds(
        &found(&session).expect(1),
        "memory",
        "error",
        ".agent_memory/plan.json:1:",
        "or set all aside by `baton reset`",
    );
    session.write(".agent_memory/plan.json", "");
    std::fs::remove_dir_all(session.path(".agent_memory")).unwrap();
    session.write(".agent_memory", "a file");
    finds(&found(&session).expect(1), "memory", "error", "is a file, and should be a folder", "Move it away");

    let session = Session::new(&workspace(1));
    session.git(&["init", "-q", "--object-format=sha256"]);
    finds(&found(&session).expect(0), "git", "warning", "SHA-256", "everything else works without");
    let session = Session::new(&workspace(1));
    session.git(&["init", "-q"]);
    let config = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n";
    session.write(".git/config", config);
    finds(&found(&session).expect(0), "git", "warning", "reftable", "git refs migrate --ref-format=files");
    session.write(".git/config", "[core\nbroken");
    finds(&found(&session).expect(0), "git", "warning", "the repository cannot be opened", "Run `git status` there");
    let session = Session::new("");
    session.git(&["init", "-q", "--bare"]);
    finds(&found(&session).expect(0), "git", "warning", "a bare repository", "git worktree add");
}

#[test]
fn a_folder_that_is_missing_or_may_not_be_written_is_reported() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    let done = session.baton(["doctor", "--json", "--workspace", "nowhere"]).api(&api).run().expect(1);
    finds(&done, "workspace", "error", "nowhere", "--workspace DIR");
    finds(&done, "models.fast", "ok", "is there", "");
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere.
        return;
    }
    session.set_mode(".", 0o555);
    let done = doctor(&session).api(&api).run();
    session.set_mode(".", 0o755);
    finds(&done.expect(1), "workspace", "error", "cannot be written", "chmod u+w");
}

#[test]
fn a_prompt_of_the_users_that_is_empty_is_reported() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    std::fs::create_dir_all(session.config_home().join("baton/prompts")).unwrap();
    std::fs::write(session.config_home().join("baton/prompts/plan.md"), " ").unwrap();
    let done = doctor(&session).api(&api).run().expect(1);
    finds(&done, "prompts", "error", "plan.md is empty", "the built-in prompt is used then");
    assert_eq!(done.json()["ok"], json!(false));
}

#[test]
fn checks_that_nobody_has_trusted_are_told_with_how_to_trust_them() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(Script::new());
    session.write("baton.toml", "[[checks]]\nname = \"unit\"\ncommand = \"true\"\n");
    let done = doctor(&session).api(&api).run().expect(0);
    finds(&done, "checks", "warning", "1 check does not run", "`baton trust`");
    assert!(check(&done, "checks").1.ends_with(": unit"), "{}", done.stdout);
    assert!(!session.state().join("key").exists(), "no key is made for it");
    std::fs::remove_file(session.path("baton.toml")).unwrap();
    session.write_user_config("[[checks]]\nname = \"unit\"\ncommand = \"true\"\n");
    let done = doctor(&session).api(&api).run().expect(0);
    finds(&done, "checks", "ok", "1 check may run: unit", "");
}
