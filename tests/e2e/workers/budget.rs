//! What workers spend together is never more than the budget of the run.

use serde_json::{Value, json};

use super::Lab;
use crate::support::messages_api::Script;
use crate::support::replies::{but, completed, edits, file_of, own, reads, workspace};
use crate::support::session::Session;

/// Models that write as much as they may.
fn dearest(script: Script) -> Script {
    Script::new().by(move |request| {
        let text: usize = request.body["messages"].to_string().len() + request.body["system"].to_string().len();
        let usage = json!({ "input_tokens": text / 3, "output_tokens": request.body["max_tokens"] });
        Some(script.reply(request)?.usage(usage))
    })
}

#[test]
fn slices_of_tasks_at_once_are_never_overdrawn_together() {
    let tasks: Vec<Value> = ["T1", "T2", "T3", "T4"].map(own).to_vec();
    let script = || {
        let mut script = Script::new();
        for id in ["T1", "T2", "T3", "T4"] {
            let file = file_of(id);
            let turns = [reads(&file), edits(&file, "    0\n", "    1\n"), completed(&[&file])];
            script = script.on(&format!("implement/{id}"), turns);
        }
        dearest(but(script, &[&tasks]))
    };
    // What it takes when nothing is limited.
    let Some(mut lab) = Lab::new(Session::new(&workspace(4)), script(), 3) else { return };
    lab.coordinator = lab.coordinator.env("BATON_BUDGET_USD", "1000").env("BATON_BUDGET_TOKENS", "100000000");
    lab.coordinator.start();
    lab.ends_well();
    let all = lab.coordinator.told().pop().expect("a last line")["usage"]["cost_usd"].as_f64().expect("a price");
    drop(lab);
    let limit = all / 2.0;
    let Some(mut lab) = Lab::new(Session::new(&workspace(4)), script(), 3) else { return };
    lab.coordinator = lab.coordinator.env("BATON_BUDGET_USD", format!("{limit:.4}"));
    lab.coordinator.start();
    assert_eq!(lab.coordinator.ended(super::LIMIT), Some(3), "{}", lab.coordinator.log());
    let last = lab.coordinator.told().pop().expect("a last line");
    assert_eq!(last["outcome"], "escalated", "{last}");
    assert!(last.to_string().contains("budget"), "the reason is said: {last}");
    let spent = last["usage"]["cost_usd"].as_f64().expect("a price");
    assert!(spent > 0.0 && spent <= limit + 1e-4, "{spent} of {limit}: {last}");
    // What the models were asked is what was counted.
    let asked: u64 = lab.api.requests().iter().map(|request| request.body["max_tokens"].as_u64().unwrap_or(0)).sum();
    assert_eq!(last["usage"]["output_tokens"].as_u64(), Some(asked), "{last}");
}
