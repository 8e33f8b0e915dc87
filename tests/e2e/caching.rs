//! The prompt cache and the budget: the first task fills the cache for the others, usage adds up, and a budget is a
//! limit that can be raised.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use baton::contracts::Usage;
use baton::models::Catalog;
use serde_json::{Value, json};

use crate::support::messages_api::{Fault, MessagesApi, RecordedRequest, Reply, Script};
use crate::support::replies::{approves, but, completed, context, does, edits, own, plan, reads, with, workspace};
use crate::support::session::{Baton, Done, Session};
use crate::support::terminal::Terminal;

const TASKS: usize = 8;

fn ids() -> Vec<String> {
    (1..=TASKS).map(|n| format!("T{n}")).collect()
}

/// Files of a size that files have.
fn eight_files() -> String {
    let filler =
        |n| (0..80).map(|line| format!("fn helper_{n}_{line}(x: u32) -> u32 {{ x + {line} }}\n")).collect::<String>();
    let file = |n| format!("//- /src/t{n}.rs\npub fn t{n}() -> u32 {{\n    0\n}}\n{}", filler(n));
    (1..=TASKS).map(file).collect()
}

/// Eight tasks of which every other is moderate, and agents that look before they leap.
fn eight_tasks() -> Script {
    let complexity = |n: usize| if n.is_multiple_of(2) { "moderate" } else { "simple" };
    let tasks: Vec<Value> = (ids().iter().enumerate())
        .map(|(n, id)| with(own(id), json!({ "estimated_complexity": complexity(n + 1) })))
        .collect();
    let look = |n| reads(&format!("src/t{n}.rs"));
    let mut script = Script::new()
        .on(
            "context",
            [Reply::tool("list_files", json!({})), look(1), look(2), look(3), context(&["src/t1.rs", "src/t2.rs"])],
        )
        .on("plan", [look(1), look(4), plan(&[&tasks])])
        .on("review", [Reply::tool("read_diff", json!({})), look(1), look(8), approves()]);
    for id in ids() {
        let [edit, submit] = does(&id);
        let file = format!("src/{}.rs", id.to_lowercase());
        // The first answer takes its time, so that a request that comes too early misses the cache.
        script = script.on(&format!("implement/{id}"), [reads(&file).after(Duration::from_millis(150)), edit, submit]);
    }
    script
}

fn run(session: &Session, api: &MessagesApi) -> Baton {
    let task: &[&str] = if session.exists(".agent_memory/task.md") { &[] } else { &["--task", "Do it"] };
    let args = ["run", "--auto-approve", "--json"].into_iter().chain(task.iter().copied());
    session.baton(args).api(api).env("BATON_MAX_PARALLEL_TASKS", "8").env("BATON_RETRY_BASE", "2ms")
}

/// The turns of a run as its transcript holds them: agent, model and usage, and what came to nothing.
fn turns(session: &Session) -> Vec<(String, String, Usage)> {
    let mut turns = Vec::new();
    for run in session.runs() {
        let path = session.memory(&format!("runs/{run}/transcript.jsonl"));
        if !session.exists(&path) {
            continue;
        }
        for line in session.text(&path).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let (agent, usage) = match line["lost"].as_str() {
                Some(agent) => (agent, &line["usage"]),
                None => (line["agent"].as_str().unwrap_or_default(), &line["response"]["usage"]),
            };
            if !usage.is_null() {
                let model = line["model"].as_str().unwrap_or_default();
                turns.push((agent.to_owned(), model.to_owned(), serde_json::from_value(usage.clone()).unwrap()));
            }
        }
    }
    turns
}

fn sum<'a>(turns: impl IntoIterator<Item = &'a (String, String, Usage)>) -> Usage {
    turns.into_iter().map(|(_, _, usage)| *usage).sum()
}

fn usage(value: &Value) -> Usage {
    serde_json::from_value(value.clone()).unwrap()
}

#[track_caller]
fn same(a: Usage, b: Usage) {
    let dollars = |usage: Usage| usage.cost_usd.unwrap_or(-1.0);
    assert!((dollars(a) - dollars(b)).abs() < 1e-9, "{a:?} is not {b:?}");
    assert_eq!(Usage { cost_usd: None, ..a }, Usage { cost_usd: None, ..b });
}

fn status(session: &Session) -> Usage {
    usage(&session.baton(["status", "--json"]).run().expect(0).json()["usage"])
}

/// The prefix that all tasks of a phase share, byte for byte: tools, then system.
fn prefix(request: &RecordedRequest) -> String {
    format!("{}\n{}", request.body["tools"], request.body["system"])
}

#[test]
fn models_that_think_are_told_so_in_requests_of_one_shape_a_phase() {
    let session = Session::new(&eight_files());
    let api = MessagesApi::start(eight_tasks().capable());
    run(&session, &api).run().expect(0);
    let mut shapes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for request in api.requests() {
        let mut body = request.body.as_object().unwrap().clone();
        let phase = request.agent.split('/').next().unwrap().to_owned();
        assert_eq!(body["thinking"], json!({ "type": "adaptive" }), "{}", request.agent);
        let effort = &body["output_config"]["effort"];
        let usual = if body["model"].as_str().unwrap().contains("haiku") { "low" } else { "" };
        assert!(usual.is_empty() || effort == usual, "{effort}: where the user names none, the tier's usual one");
        assert!(body["max_tokens"].as_u64().unwrap() <= 12_000, "no more than the model can write");
        body["messages"] = Value::Null;
        let model = body["model"].as_str().unwrap().to_owned();
        shapes.entry((phase, model)).or_default().insert(Value::Object(body).to_string());
    }
    for ((phase, model), shapes) in &shapes {
        assert_eq!(shapes.len(), 1, "{phase} asks {model} in requests that differ besides their messages");
    }
    let asked = api.asked_for_models();
    let once: BTreeSet<&String> = asked.iter().collect();
    assert_eq!((asked.len(), once.len()), (3, 3), "each model is asked about once: {asked:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are there to be read")]
fn the_first_task_of_each_model_opens_the_cache_and_the_others_read_it() {
    let session = Session::new(&eight_files());
    let api = MessagesApi::start(eight_tasks());
    let done = run(&session, &api).run().expect(0);

    let tasks: Vec<RecordedRequest> =
        api.requests().into_iter().filter(|request| request.agent.starts_with("implement")).collect();
    let prefixes: BTreeSet<String> = tasks.iter().map(prefix).collect();
    assert_eq!(prefixes.len(), 1, "one prefix for all tasks of the phase, whatever their model");
    let first_of = |id: &str| tasks.iter().find(|request| request.agent == format!("implement/{id}")).unwrap();
    for (opener, others) in [("T1", ["T3", "T5", "T7"]), ("T2", ["T4", "T6", "T8"])] {
        for other in others {
            let later = first_of(other).at.duration_since(first_of(opener).at);
            assert!(later >= Duration::from_millis(150), "{other} waits for the first byte of {opener}: {later:?}");
        }
    }
    assert!(api.most_at_once() > 2, "then they fan out: {}", api.most_at_once());

    let turns = turns(&session);
    assert_eq!(turns.len(), api.requests().len());
    let cold: Vec<&str> = (turns.iter())
        .filter(|(_, _, usage)| usage.cache_read_tokens == 0)
        .map(|(agent, _, _)| agent.as_str())
        .collect();
    let mut openers = cold.clone();
    openers.sort_unstable();
    assert_eq!(
        openers,
        ["context", "implement/T1", "implement/T2", "plan", "review"],
        "one cold prefix a model and phase"
    );

    let total = sum(&turns);
    same(total, usage(&done.outcome()["usage"]));
    let without: f64 = turns.iter().map(|(_, model, usage)| uncached(model, usage)).sum();
    let with = total.cost_usd.unwrap();
    let share = total.cache_read_tokens as f64 / total.prompt_tokens() as f64;
    println!(
        "8 tasks, {} requests: {:.1} % of {} input tokens read from the cache, {} cold prefixes; ${with:.4} with cache \
         marks, ${without:.4} without ({:.0} % saved)",
        turns.len(),
        100.0 * share,
        total.prompt_tokens(),
        cold.len(),
        100.0 * (1.0 - with / without),
    );
    for (phase, turns) in by_phase(&turns) {
        let sum = sum(turns.iter().copied());
        let without: f64 = turns.iter().map(|(_, model, usage)| uncached(model, usage)).sum();
        println!(
            "  {phase}: {} requests, {:.1} % read, ${:.4} with, ${without:.4} without",
            turns.len(),
            100.0 * sum.cache_read_tokens as f64 / sum.prompt_tokens() as f64,
            sum.cost_usd.unwrap()
        );
    }
    assert!(share > 0.6 && with < 0.75 * without, "{share} {with} {without}");
    assert!(total.input_tokens < total.prompt_tokens() / 100, "hardly anything stands behind the last mark");
}

/// What a turn would have cost without cache marks.
fn uncached(model: &str, usage: &Usage) -> f64 {
    let plain = Usage { input_tokens: usage.prompt_tokens(), output_tokens: usage.output_tokens, ..Usage::default() };
    Catalog::default().cost(model, &plain).unwrap_or_else(|| panic!("{model} has a price"))
}

fn by_phase(turns: &[(String, String, Usage)]) -> BTreeMap<String, Vec<&(String, String, Usage)>> {
    let mut phases: BTreeMap<String, Vec<&(String, String, Usage)>> = BTreeMap::new();
    for turn in turns {
        phases.entry(turn.0.split('/').next().unwrap().to_owned()).or_default().push(turn);
    }
    phases
}

#[test]
fn usage_is_summed_a_phase_a_run_and_a_workflow_lost_answers_included() {
    let session = Session::new(&workspace(2));
    let cut = || Fault::CutAfterEvents(4);
    let no = || Fault::status(403, "permission_error", "not yet");
    let groups: [&[Value]; 1] = [&[own("T1"), own("T2")]];
    // An answer lost on the way; five lost ones, which fail the turn; a run that ends in the middle.
    let script = Script::new()
        .fault("context", [cut()])
        .fault("plan", [cut(), cut(), cut(), cut(), cut()])
        .fault("implement/T2", [no()]);
    let api = MessagesApi::start(but(script, &groups));
    let first = run(&session, &api).run().expect(5);
    let lost = usage(&first.outcome()["usage"]);
    same(lost, sum(&turns(&session)));
    same(lost, status(&session));
    let of_plan: Vec<_> = turns(&session).into_iter().filter(|(agent, _, _)| agent == "plan").collect();
    assert!(sum(&of_plan).prompt_tokens() > 0, "five lost answers are paid for: {of_plan:?}");
    let before = of_plan.len() + 1;

    let second = run(&session, &api).run().expect(5);
    let second_turns: Vec<_> = turns(&session).split_off(before);
    same(usage(&second.outcome()["run_usage"]), sum(&second_turns));
    same(usage(&second.outcome()["usage"]), status(&session));
    let third = run(&session, &api).run().expect(0);
    let third_turns = turns(&session).split_off(before + second_turns.len());
    same(usage(&third.outcome()["run_usage"]), sum(&third_turns));
    same(usage(&third.outcome()["usage"]), status(&session));
    same(status(&session), sum(&turns(&session)));

    for (done, turns) in [(second, second_turns), (third, third_turns)] {
        phases_add_up(&done, &turns);
    }
}

/// Events tell what the run has used so far: from one phase's end to the next lies what that phase used.
fn phases_add_up(done: &Done, turns: &[(String, String, Usage)]) {
    let mut before = Usage::default();
    let phases = by_phase(turns);
    for event in done.events() {
        let so_far = usage(&event["usage"]);
        assert!(so_far.total_tokens() >= before.total_tokens(), "{event}");
        if event["status"] == "done" && event["task"].is_null() && event["phase"] != "workflow" {
            let phase = event["phase"].as_str().unwrap();
            let spent = Usage {
                input_tokens: so_far.input_tokens - before.input_tokens,
                cache_write_tokens: so_far.cache_write_tokens - before.cache_write_tokens,
                cache_read_tokens: so_far.cache_read_tokens - before.cache_read_tokens,
                output_tokens: so_far.output_tokens - before.output_tokens,
                cost_usd: Some(so_far.cost_usd.unwrap() - before.cost_usd.unwrap()),
                ..Usage::default()
            };
            same(spent, sum(phases.get(phase).map(Vec::as_slice).unwrap_or_default().iter().copied()));
            before = so_far;
        }
    }
}

#[test]
fn a_budget_in_dollars_holds_and_is_resumed_when_it_is_raised() {
    let session = Session::new(&eight_files());
    let api = MessagesApi::start(eight_tasks());
    let mut stops = 0;
    for cents in [1, 5, 8, 10, 12, 15, 18, 22, 26, 30, 35, 40, 50, 70, 100] {
        let budget = f64::from(cents) / 100.0;
        let limited = || run(&session, &api).env("BATON_BUDGET_USD", budget.to_string()).run();
        let done = limited();
        let spent = status(&session).cost_usd.unwrap();
        assert!(spent <= budget, "{spent} of {budget}");
        if done.code == Some(0) {
            break;
        }
        stopped_by_budget(done, &format!("of ${budget:.2} used, and the next turn could cost $0."));
        stops += 1;
        // With the same budget the result is the same, without a request.
        let asked = api.requests().len();
        stopped_by_budget(limited(), "more than is left");
        assert_eq!(api.requests().len(), asked);
    }
    assert!(stops > 4, "stopped {stops} times");
    assert_eq!(session.handoff("review.json")["verdict"], "approved", "it came to its end");
    for n in 1..=TASKS {
        assert!(session.text(&format!("src/t{n}.rs")).contains("    1\n"), "T{n}");
    }
    let undisturbed = 5 + 3 + 4 + 3 * TASKS;
    assert_eq!(api.requests().len(), undisturbed, "what was bought under a smaller budget is not bought again");
}

#[track_caller]
fn stopped_by_budget(done: Done, words: &str) {
    let done = done.expect(3);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    let end = done.events().pop().unwrap();
    let message = end["message"].as_str().unwrap();
    assert!(message.starts_with("the budget is "), "{message}");
    assert!(message.contains(words), "{words:?} is not in {message:?}");
    assert!(
        message.contains(" Raise budget_") && message.ends_with(" and run again; nothing done so far is lost"),
        "{message}"
    );
    assert_eq!((&end["status"], &end["error"]["kind"]), (&json!("waiting"), &json!("budget")));
    assert_eq!(done.outcome()["outcome"], "escalated");
}

#[test]
fn a_task_that_the_budget_has_no_room_for_keeps_none_back_that_costs_less() {
    let session = Session::new(&workspace(3));
    let complex = with(own("T1"), json!({ "estimated_complexity": "complex" }));
    let [edit, submit] = does("T2");
    let long = edit.usage(json!({ "input_tokens": 1_000, "output_tokens": 10_000 }));
    let script = Script::new().on("implement/T2", [long, submit]);
    let api = MessagesApi::start(but(script, &[&[complex, own("T2"), own("T3")]]));
    session.run(&api, ["--phase", "context", "--task", "Do it"]).expect(0);
    session.run(&api, ["--phase", "plan"]).expect(0);
    let before = status(&session).cost_usd.unwrap();
    // The least that T1's first turn could cost is above 0.04 $; one of the others costs 0.005 $ at most, and what T2 is long for.
    let budget = (before + 0.03).to_string();
    // One after the other, the dear one first.
    let limited = || run(&session, &api).env("BATON_MAX_PARALLEL_TASKS", "1").env("BATON_BUDGET_USD", &budget).run();
    let done = limited();
    let end = done.events().pop().unwrap()["message"].as_str().unwrap().to_owned();
    let told: f64 = end.split('$').nth(1).and_then(|text| text.split(' ').next()).unwrap().parse().unwrap();
    let used = status(&session).cost_usd.unwrap();
    assert!(used > before + 0.004 && (told - used).abs() < 0.001, "{end}: by then {used} were used, {before} before");
    let told = done.events().into_iter().find(|event| event["task"] == "T1" && event["status"] == "cancelled").unwrap();
    assert_eq!(told["message"], "the budget has too little left for T1");
    stopped_by_budget(done, "the budget is too small: ");
    let report = session.handoff("impl_report.json");
    let ended: Vec<&Value> = report["results"].as_array().unwrap().iter().map(|result| &result["task_id"]).collect();
    assert_eq!(ended, ["T2", "T3"]);
    let asked = api.requests().len();
    stopped_by_budget(limited(), "more than is left");
    assert_eq!(api.requests().len(), asked, "there is nothing more to do under the same budget");
    run(&session, &api).run().expect(0);
    assert_eq!(session.handoff("review.json")["verdict"], "approved");
}

/// Two tasks at once, of which the first holds room for a while; then what they used is counted in tokens.
fn beside_one_that_holds_room(script: Script, room: u64) -> (Session, Done) {
    let session = Session::new(&workspace(2));
    let other = with(own("T2"), json!({ "estimated_complexity": "moderate" }));
    let [edit, submit] = does("T1");
    let script = script.on("implement/T1", [edit.after(Duration::from_millis(1500)), submit]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), other]]));
    session.run(&api, ["--phase", "context", "--task", "Do it"]).expect(0);
    session.run(&api, ["--phase", "plan"]).expect(0);
    let limit = status(&session).total_tokens() + room;
    let done = run(&session, &api).env("BATON_BUDGET_TOKENS", limit.to_string()).run();
    assert!(status(&session).total_tokens() <= limit);
    (session, done)
}

fn is_completed(session: &Session, task: &str) -> bool {
    let report = session.handoff("impl_report.json");
    report["results"].as_array().unwrap().iter().any(|one| one["task_id"] == task && one["status"] == "completed")
}

#[test]
fn an_answer_that_was_lost_while_others_hold_the_room_is_asked_for_again_once_they_give_it_back() {
    let long = json!({ "input_tokens": 5_000, "output_tokens": 3_000 });
    let [edit, submit] = does("T2");
    let script = Script::new()
        .on("implement/T2", [edit.usage(long).quiet(), submit])
        .fault("implement/T2", [Fault::CutAfterEvents(2)]);
    let (session, done) = beside_one_that_holds_room(script, 45_000);
    assert!(is_completed(&session, "T2"), "{}", done.stdout);
}

#[test]
fn an_answer_that_was_cut_while_others_hold_the_room_is_gone_on_with() {
    let [edit, submit] = does("T2");
    let look = reads("src/t2.rs").after(Duration::from_millis(300));
    let cut = Reply::text("I think").stop_reason("max_tokens");
    let script = Script::new().on("implement/T2", [look, cut, edit, submit]);
    // Of this no answer of T2 may have 16,000 tokens while T1 holds its prompt and what it may answer.
    let (session, done) = beside_one_that_holds_room(script, 40_000);
    assert!(is_completed(&session, "T2"), "{}", done.stdout);
}

#[test]
fn a_budget_in_tokens_holds_for_models_without_a_price() {
    let session = Session::new(&eight_files());
    let api = MessagesApi::start(eight_tasks());
    let mut stops = 0;
    for limit in [5_000, 20_000, 30_000, 45_000, 60_000, 80_000, 100_000, 130_000, 170_000, 220_000, 280_000, 400_000] {
        let mut limited = run(&session, &api).env("BATON_BUDGET_TOKENS", limit.to_string());
        for tier in ["FAST", "BALANCED", "POWERFUL"] {
            limited = limited.env(&format!("BATON_MODELS_{tier}"), "anthropic:qwen2.5-coder");
        }
        let done = limited.run();
        let spent = status(&session);
        assert!(spent.total_tokens() <= limit, "{} of {limit}", spent.total_tokens());
        if done.code == Some(0) {
            assert_eq!(spent.cost_usd, None, "no sum is claimed");
            break;
        }
        stopped_by_budget(done, &format!("of {limit} tokens"));
        stops += 1;
    }
    assert!(stops > 2, "stopped {stops} times");
    assert_eq!(api.requests().len(), 5 + 3 + 4 + 3 * TASKS, "nothing is bought twice");
    assert_eq!(session.handoff("review.json")["verdict"], "approved", "it came to its end");
}

#[test]
fn a_model_without_a_price_does_not_lift_the_limit_of_the_others() {
    let session = Session::new(&workspace(1));
    let costly = plan(&[&[own("T1")]]).usage(json!({ "input_tokens": 5_000, "output_tokens": 10_000 }));
    let api = MessagesApi::start(but(Script::new().on("plan", [reads("src/t1.rs"), costly]), &[&[own("T1")]]));
    let run = |budget: &str| {
        run(&session, &api).env("BATON_MODELS_FAST", "anthropic:qwen2.5-coder").env("BATON_BUDGET_USD", budget).run()
    };
    // The plan alone costs 0.22 $, and the review may cost as much again.
    stopped_by_budget(run("0.27"), "of $0.27 used");
    assert!(api.requests_of("review").is_empty() && api.requests_of("plan").len() == 2);
    run("1").expect(0);
}

#[test]
fn lost_answers_are_held_against_the_budget_before_another_is_sent() {
    let session = Session::new(&workspace(1));
    // Three events, of which the last but one has the cost of the answer.
    let long = Reply::blocks([]).quiet().usage(json!({ "input_tokens": 5_000, "output_tokens": 10_000 }));
    let script = Script::new().on("plan", [long]).fault("plan", vec![Fault::CutAfterEvents(2); 4]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let done = run(&session, &api).env("BATON_BUDGET_USD", "1").run();
    stopped_by_budget(done, "an answer was lost, and ");
    let spent = status(&session);
    assert_eq!(api.requests_of("plan").len(), 3, "a fourth could have cost more than is left");
    assert_eq!(spent.output_tokens / 10_000, 3, "and what was lost is paid");
    assert!((0.6..1.0).contains(&spent.cost_usd.unwrap()), "{spent:?}");

    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]));
    run(&session, &api).run().expect(0);
}

#[test]
fn an_answer_cut_by_the_budget_is_reported_as_that_and_kept() {
    let session = Session::new(&workspace(1));
    let cut = || Reply::text("The plan is").stop_reason("max_tokens");
    let script = Script::new().on("plan", [cut(), cut(), cut(), plan(&[&[own("T1")]])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    // A prompt of some thousand tokens and an answer of 16,000 are above 0.32 $ with this model.
    for (runs, budget) in ["0.2", "0.22", "0.24"].into_iter().enumerate() {
        let done = run(&session, &api).env("BATON_BUDGET_USD", budget).run();
        stopped_by_budget(done, "what is left of it allowed the plan agent an answer of ");
        let asked = api.requests_of("plan");
        assert_eq!(asked.len(), runs + 1, "the cut answers are paid for and kept");
        let allowed = asked[runs].body["max_tokens"].as_u64().unwrap();
        assert!((2_048..16_000).contains(&allowed), "{allowed}");
    }
    run(&session, &api).run().expect(0);
    let asked = api.requests_of("plan");
    assert_eq!(asked.len(), 4, "three cut answers that were short for the budget are no reason to give up");
    assert_eq!(asked[3].body["max_tokens"], 16_000);
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are there to be read")]
fn the_estimate_at_the_gate_is_a_range_that_holds_what_it_then_costs() {
    let look_first = Script::new().on("review", [Reply::tool("read_diff", json!({})), approves()]);
    for (name, fixture, script) in [
        ("eight tasks", eight_files(), eight_tasks()),
        ("one small task", workspace(1), but(look_first, &[&[own("T1")]])),
        ("one complex task", eight_files(), complex_task()),
    ] {
        let session = Session::new(&fixture);
        let api = MessagesApi::start(script);
        let mut terminal = Terminal::new();
        let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
        terminal.wait_for("To implement and review: about $");
        let range = terminal.wait_for(".\n");
        let before = sum(&turns(&session)).cost_usd.unwrap();
        terminal.wait_for("then Enter > ");
        terminal.type_line("a");
        // What is shown until the end must be read, or the program waits for its terminal.
        terminal.wait_for("Approved by reading; no check ran.");
        running.wait().expect(0);
        let actual = sum(&turns(&session)).cost_usd.unwrap() - before;
        let numbers: Vec<f64> = (range.trim_end_matches(['.', '\n']).replace(", at most $", " to $").split(" to $"))
            .map(|text| text.trim().parse().unwrap_or_else(|error| panic!("{error}: {range:?}")))
            .collect();
        let [low, high, ceiling] = numbers[..] else { panic!("{range:?} is no range with its ceiling") };
        assert!(actual <= ceiling, "{name}: {actual} is more than {ceiling}");
        println!("{name}: estimated {range:?}, then ${actual:.4}");
        assert!(low <= actual && actual <= high, "{name}: {actual} is not in {low}..{high}");
        assert!(high < 30.0 * low, "{name}: {low}..{high} says something");
    }
}

/// A task with some back and forth.
fn complex_task() -> Script {
    let task =
        with(own("T1"), json!({ "estimated_complexity": "complex", "files_to_modify": ["src/t1.rs", "src/t2.rs"] }));
    let work = [
        reads("src/t1.rs"),
        reads("src/t2.rs"),
        Reply::tool("search", json!({ "pattern": "helper_" })),
        edits("src/t1.rs", "    0\n", "    1\n"),
        edits("src/t2.rs", "    0\n", "    2\n"),
        reads("src/t1.rs").with_text(&"I look once more at what I did, and think about it. ".repeat(30)),
        completed(&["src/t1.rs", "src/t2.rs"]),
    ];
    but(Script::new().on("implement/T1", work), &[&[task]])
}
