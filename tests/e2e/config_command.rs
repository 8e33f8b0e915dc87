//! `baton config`: each setting, where its value comes from, and why another one does not hold.

use serde_json::{Value, json};

use crate::support::messages_api::KEY;
use crate::support::session::{Done, Session};

fn config<'a>(session: &Session, args: impl IntoIterator<Item = &'a str>) -> Done {
    session.baton(std::iter::once("config").chain(args)).run()
}

/// The one setting that was asked for.
fn setting<'a>(session: &Session, args: impl IntoIterator<Item = &'a str>) -> Value {
    config(session, std::iter::once("--json").chain(args)).expect(0).json()["settings"][0].clone()
}

/// The layer, the source and the line.
fn place(from: &Value) -> (&str, String, Value) {
    let source = from["source"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    (from["layer"].as_str().unwrap_or_default(), source.to_owned(), from["line"].clone())
}

#[test]
fn each_value_is_told_with_its_place_and_with_what_it_overrides() {
    let session = Session::new("//- /baton.toml\n# mine\nmodels.fast = \"ollama:a\"\nkeep_runs = 7\n");
    session.write_user_config("models.fast = \"ollama:b\"\n");
    let fast = setting(&session, ["models.fast"]);
    assert_eq!(fast["value"], "ollama:b");
    assert_eq!(place(&fast["from"]), ("user", "config.toml".to_owned(), json!(1)));
    let given: Vec<_> = fast["given"].as_array().expect("values").iter().map(|given| &given["state"]).collect();
    assert_eq!(given, ["overridden", "in_force"]);
    assert_eq!(place(&fast["given"][0]["from"]), ("workspace", "baton.toml".to_owned(), json!(2)));
    // A flag and a variable are stronger; the setting may be named by its variable.
    let flag = setting(&session, ["--model", "fast=ollama:c", "BATON_MODELS_FAST"]);
    assert_eq!((&flag["value"], place(&flag["from"]).0), (&json!("ollama:c"), "flags"));
    let text = session.baton(["config", "models"]).env("BATON_MODELS_FAST", "ollama:d").run().expect(0).stdout;
    assert!(text.contains("models.fast              ollama:d (BATON_MODELS_FAST)\n"), "{text}");
    assert!(text.contains("overrides ollama:a (baton.toml:2:15)"), "{text}");
    assert!(text.contains("models.balanced          none (default)") && !text.contains("keep_runs"), "{text}");
    let whole = config(&session, ["--json"]).expect(0).json();
    let of = |key: &str| whole["settings"].as_array()?.iter().find(|one| one["key"] == key).cloned();
    assert_eq!(of("budget_usd").expect("a setting")["value"], 5);
    assert_eq!(of("budget_usd").expect("a setting")["from"], json!({ "layer": "default" }));
    assert_eq!(of("budget_tokens").expect("a setting")["value"], Value::Null);
    assert!(!session.exists(".agent_memory"), "nothing is written");
}

#[test]
fn of_a_limit_the_smaller_value_holds_and_that_is_said() {
    let raised = Session::new("//- /baton.toml\nbudget_usd = 50\nmax_review_cycles = 2\nbell = \"off\"\n");
    let done = config(&raised, []).expect(0);
    let words = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "budget_usd 5 (default) not 50 (baton.toml:1:14): the smaller of the workspace's value and the default holds",
        "max_review_cycles 2 (baton.toml:2:21) max_repair_rounds",
        "bell on (default) not off (baton.toml:3:8): only you decide this, in your own baton/config.toml",
    ] {
        assert!(words.contains(expected), "{expected:?} is missing:\n{}", done.stdout);
    }
    assert_eq!(done.stderr, "", "what the settings say is not said again as a warning");
    raised.write_user_config("budget_usd = 60\nmax_review_cycles = 4\n");
    let budget = setting(&raised, ["budget_usd"]);
    assert_eq!((&budget["value"], &budget["given"][1]["state"]), (&json!(50), &json!("capped")), "{budget:#}");
    let replaced = raised.baton(["config", "budget_usd"]).env("BATON_BUDGET_USD", "70").run().expect(0);
    replaced.prints("budget_usd: 70 (BATON_BUDGET_USD)").prints("overrides 60 (");
}

#[test]
fn what_a_setting_means_and_who_may_set_it_is_told_of_one() {
    let checks = "[[checks]]\nname = \"test\"\ncommand = \"make test\"\ntimeout_s = 9\n";
    let session = Session::new(&format!("//- /baton.toml\n{checks}"));
    config(&session, ["checks"]).expect(0).prints("  - test: command = \"make test\", timeout_s = 9\n");
    config(&session, ["keep_runs"]).expect(0).prints("keep_runs: 20 (default)").prints("takes     a whole number");
    config(&session, ["phases"]).expect(0).prints("set it in").prints("config.toml alone");
    config(&session, ["provider"]).expect(0).prints("--provider of one command, or BATON_PROVIDER");
}

#[test]
fn an_unknown_setting_names_those_that_are_near_and_faulty_files_their_place() {
    let session = Session::new("");
    config(&session, ["budget"])
        .expect(2)
        .reports("budget is not a setting; did you mean budget_usd or budget_tokens?");
    config(&session, ["keep-run"]).expect(2).reports("did you mean keep_runs?");
    config(&session, ["xyzzy\u{1b}[2J"]).expect(2).reports("xyzzy is not a setting; `baton config` lists all");
    session.write("baton.toml", "\nbudget_usd = \"much\"\n");
    config(&session, []).expect(2).reports("baton.toml:2:14: budget_usd is \"much\"");
}

#[test]
fn no_secret_is_shown() {
    let session = Session::new("");
    let token = format!("ghp_{}", "0123456789abcdefghij0123456789abcdef");
    let command = format!("curl --silent --show-error -H 'Authorization: Bearer {token}' -d '{KEY}' https://x");
    session.write_user_config(&format!("notify = \"{command}\"\n"));
    for args in [&["config"][..], &["config", "notify"], &["config", "--json"], &["doctor"], &["doctor", "--json"]] {
        let done = session.baton(args.iter().copied()).env("ANTHROPIC_API_KEY", KEY).run();
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(said.contains("curl --silent"), "{args:?}: {said}");
        assert!(!said.contains(KEY) && !said.contains("ghp_"), "{args:?}: {said}");
    }
}
