//! What a workflow may cost: the gate says the most, and no request is sent that could exceed it.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, completed, edits, goes_well, own, reads, workspace};
use crate::support::session::Session;

/// Models that write as much as they may, and whose prompts are dense. An answer that was cut is worked on all the same.
fn dearest(script: Script) -> Script {
    Script::new().by(move |request| {
        let text: usize = request.body["messages"].to_string().len() + request.body["system"].to_string().len();
        let usage = json!({ "input_tokens": text / 3, "output_tokens": request.body["max_tokens"] });
        Some(script.reply(request)?.usage(usage))
    })
}

fn tokens(usage: &Value) -> u64 {
    let fields = ["input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens"];
    fields.iter().map(|field| usage[field].as_u64().unwrap_or_default()).sum()
}

/// One task of many turns.
fn long() -> Script {
    let turns =
        [reads("src/t1.rs"), reads("src/t2.rs"), edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])];
    but(Script::new().on("implement/T1", turns), &[&[own("T1")]])
}

#[test]
fn no_limit_is_exceeded_by_a_token_however_much_the_models_write() {
    let ended = |code: Option<i32>| matches!(code, Some(0 | 3));
    for limit in [20_000, 45_000, 70_000, 2_000_000] {
        let session = Session::new(&workspace(2));
        let api = MessagesApi::start(dearest(long()));
        let run = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api);
        let done = run.env("BATON_BUDGET_TOKENS", limit.to_string()).env("BATON_BUDGET_USD", "1000").run();
        let outcome = done.outcome();
        assert_eq!(done.code, Some(if limit > 1_000_000 { 0 } else { 3 }), "{limit}: {outcome}");
        assert!(tokens(&outcome["usage"]) <= limit, "{limit}: {outcome}");
    }
    for limit in ["0.1", "0.5", "50"] {
        let session = Session::new(&workspace(2));
        let api = MessagesApi::start(dearest(long()));
        let run = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api);
        let done = run.env("BATON_BUDGET_USD", limit).run();
        let outcome = done.outcome();
        assert!(ended(done.code), "{limit}: {outcome}");
        let spent = outcome["usage"]["cost_usd"].as_f64().unwrap_or(f64::MAX);
        assert!(spent <= limit.parse::<f64>().unwrap_or_default() + 1e-9, "{limit}: {outcome}");
    }
}

#[test]
fn the_ceiling_of_the_gate_holds_to_the_end() {
    for limit in [60_000, 120_000] {
        let session = Session::new(&workspace(2));
        let api = MessagesApi::start(dearest(long()));
        let with = |args: &[&'static str]| {
            let baton = session.baton(args.iter().copied()).api(&api).env("BATON_BUDGET_USD", "1000");
            baton.env("BATON_BUDGET_TOKENS", limit.to_string())
        };
        with(&["run", "--task", "Do it"]).run().expect(3);
        let status = with(&["status", "--json"]).run().expect(0).json();
        let (spent, ceiling) = (tokens(&status["usage"]), &status["gate"]["estimate"]["ceiling"]);
        let most = ceiling["tokens"].as_u64().unwrap_or(u64::MAX);
        assert_eq!(spent + most, limit, "{status}");
        with(&["approve"]).run().expect(0);
        let outcome = with(&["run", "--json"]).run().outcome();
        assert!(tokens(&outcome["usage"]) - spent <= most, "{outcome}");
        assert_eq!(tokens(&outcome["usage"]), spent + tokens(&outcome["run_usage"]));
    }
}

#[test]
fn the_whole_workflow_is_told_beside_its_last_run() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let first = session.run(&api, ["--task", "Do it"]).expect(3);
    assert!(!first.stdout.contains(" in all, "), "it is the only run:\n{}", first.stdout);
    session.baton(["approve"]).run().expect(0);
    let done = session.run(&api, []).expect(0);
    let line = done.stdout.lines().find(|line| line.contains(" in all, ")).unwrap_or_default();
    assert!(line.contains(" in this run   .agent_memory/runs/"), "{}", done.stdout);
    let status = session.baton(["status"]).run().expect(0);
    let told = status.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(" in all, ") && told.contains(" in the last run"), "{}", status.stdout);
    let mut client = session.lsp_client(&api);
    let status = client.execute("baton.status", &[]);
    assert!(status.is_ok_and(|status| tokens(&status["usage"]) > tokens(&status["run_usage"])));
    client.shut_down();
    client.disconnect();
}
