//! What must hold of a run, whatever went wrong in it, and what its faults led to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::faults::Fault;
use super::run::{Lab, Struck};
use super::sample::Left;
use crate::support::messages_api::AskedTurn;

/// How long workers may take to end when they are asked to and have nothing to do.
const DRAIN: Duration = Duration::from_secs(20);

/// What runs came to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) runs: usize,
    pub(super) faults: usize,
    requests: usize,
    turns: usize,
    asked_again: usize,
    /// The same, by the last fault between the two requests.
    explained: BTreeMap<&'static str, usize>,
    paid_again: usize,
    paid_again_with_the_same_body: usize,
    acknowledged: usize,
    worker_starts: usize,
    /// By kind of fault and outcome.
    table: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
    pub(super) violations: Vec<String>,
}

const MERGED: &str = "merged";
const RESUMED: &str = "merged, resumed";
const PLAIN: &str = "plain end";
const BROKEN: &str = "broken";

/// Judge a run by how it ended.
pub(super) fn judge(seed: u64, lab: &mut Lab, ended: Result<i32, String>, expected: &Left) -> Counts {
    let mut counts =
        Counts { runs: 1, faults: lab.struck.len(), worker_starts: lab.worker_starts, ..Counts::default() };
    let mut faults = Vec::new();
    let outcome = match ended {
        Ok(0) if lab.coordinator.starts() == 1 => MERGED,
        Ok(0) => RESUMED,
        Ok(code) => {
            faults.extend(not_plain(lab, code));
            PLAIN
        }
        Err(what) => {
            faults.push(format!("{what}\n{}", lab.coordinator.log()));
            BROKEN
        }
    };
    let session = &lab.coordinator.session;
    if [MERGED, RESUMED].contains(&outcome) {
        let left = Left::by(session);
        if left != *expected {
            faults.push(format!("it left {left:#?}"));
        }
    }
    let plan = session.memory("plan.json");
    if outcome != BROKEN && session.exists(&plan) && session.mode(&plan) != 0o644 {
        faults.push(format!("plan.json has mode {:o}", session.mode(&plan)));
    }
    counts.count_turns(lab, &mut faults);
    faults.extend(traces(lab));
    let outcome = if faults.is_empty() { outcome } else { BROKEN };
    for struck in &lab.struck {
        *counts.table.entry(struck.planned.fault.kind()).or_default().entry(outcome).or_default() += 1;
    }
    let happened: Vec<String> = lab.struck.iter().map(|struck| format!("  {}", struck.planned)).collect();
    counts.violations.extend(faults.into_iter().map(|fault| format!("seed {seed}: {fault}\n{}", happened.join("\n"))));
    counts
}

/// An end that is none of the good ones says why, and what stands.
fn not_plain(lab: &Lab, code: i32) -> Vec<String> {
    let told = lab.coordinator.told();
    let last = told.last().cloned().unwrap_or_default();
    let words = ["failed", "escalated", "waiting", "cancelled"];
    let is_plain = last["outcome"].as_str().is_some_and(|outcome| words.contains(&outcome))
        && (last["error"]["message"].as_str().is_some_and(|message| !message.is_empty())
            || !lab.coordinator.log().is_empty());
    let told = format!("exit {code} says nothing plain: {last}\n{}", lab.coordinator.log());
    if is_plain { Vec::new() } else { vec![told] }
}

/// What processes left that they must not.
fn traces(lab: &mut Lab) -> Vec<String> {
    let mut faults = Vec::new();
    let coordinator = &lab.coordinator;
    let elsewhere = coordinator.written_elsewhere();
    if !elsewhere.is_empty() {
        faults.push(format!("the coordinator wrote {elsewhere:?}"));
    }
    // Where it could not even begin there is none.
    let has_memory = coordinator.session.exists(&coordinator.session.memory(""));
    let memory = if has_memory { coordinator.session.memory_tree() } else { BTreeMap::new() };
    let leftovers: Vec<String> = (memory.into_keys())
        .chain(coordinator.session.tree().into_keys())
        .filter(|path| path.contains(".tmp") || path.contains(".draft"))
        .collect();
    if !leftovers.is_empty() {
        faults.push(format!("left over: {leftovers:?}"));
    }
    if coordinator.log().contains("panicked") {
        faults.push(coordinator.log());
    }
    if lab.worker_starts > 20 * lab.fleet.workers.len() {
        faults.push(format!("workers ended by themselves {} times", lab.worker_starts));
    }
    for (number, worker) in lab.fleet.workers.iter_mut().enumerate() {
        let code = worker.drain(DRAIN);
        if code != Some(0) {
            faults.push(format!("worker {number} ended with {code:?}:\n{}", worker.log()));
        }
        if worker.log().contains("panicked") {
            faults.push(worker.log());
        }
        let elsewhere = worker.written_elsewhere();
        if !elsewhere.is_empty() {
            faults.push(format!("worker {number} wrote {elsewhere:?}"));
        }
    }
    let asked = lab.unused.requests();
    if !asked.is_empty() {
        let agents: BTreeSet<&str> = asked.iter().map(|request| request.agent.as_str()).collect();
        faults.push(format!("the coordinator asked models itself, for {agents:?}"));
        lab.unused.violations();
    }
    faults
}

impl Counts {
    /// Of a run that could not be judged.
    pub(super) fn of_broken(violation: String) -> Self {
        Self { runs: 1, violations: vec![violation], ..Self::default() }
    }

    fn count_turns(&mut self, lab: &Lab, faults: &mut Vec<String>) {
        let acknowledged = lab.acks.acknowledged();
        let turns = lab.api.turns();
        self.requests = lab.api.requested();
        self.turns = turns.len();
        self.acknowledged = acknowledged.len();
        let lost = |struck: &&Struck| matches!(struck.planned.fault, Fault::LoseStorage);
        for AskedTurn { name, asked } in &turns {
            for (before, again) in asked.iter().zip(asked.iter().skip(1)) {
                self.asked_again += 1;
                let between = |struck: &&Struck| struck.at < again.at && struck.at + struck.planned.lasts >= before.at;
                let reason = lab.struck.iter().rfind(between);
                *self.explained.entry(reason.map_or("nothing", |struck| struck.planned.fault.kind())).or_default() += 1;
                if reason.is_none() && lab.struck.is_empty() {
                    faults.push(format!("{name} was asked again, and nothing had gone wrong"));
                }
            }
            for (place, again) in asked.iter().enumerate() {
                let known = asked[..place].iter().filter_map(|earlier| acknowledged.get(&earlier.number));
                let known = known.filter(|acknowledged| **acknowledged < again.at).min();
                if let Some(known) = known
                    && !lab.struck.iter().filter(lost).any(|struck| *known < struck.at && struck.at < again.at)
                {
                    let late = again.at.duration_since(*known);
                    faults.push(format!("{name} was asked again {late:?} after its answer was acknowledged"));
                }
            }
        }
        self.paid_again = turns.iter().map(|turn| turn.paid().saturating_sub(1)).sum();
        self.paid_again_with_the_same_body = turns.iter().map(AskedTurn::paid_again_with_the_same_body).sum();
    }

    pub(super) fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.faults += other.faults;
        self.requests += other.requests;
        self.turns += other.turns;
        self.asked_again += other.asked_again;
        self.paid_again += other.paid_again;
        self.paid_again_with_the_same_body += other.paid_again_with_the_same_body;
        self.acknowledged += other.acknowledged;
        self.worker_starts += other.worker_starts;
        self.violations.extend(other.violations);
        for (kind, count) in other.explained {
            *self.explained.entry(kind).or_default() += count;
        }
        for (kind, outcomes) in other.table {
            for (outcome, count) in outcomes {
                *self.table.entry(kind).or_default().entry(outcome).or_default() += count;
            }
        }
    }

    /// Failure by outcome, and what was asked and paid twice.
    pub(super) fn print(&self) {
        let outcomes = [MERGED, RESUMED, PLAIN, BROKEN];
        println!("\n{:<22}{}", "", outcomes.map(|outcome| format!("{outcome:>17}")).concat());
        for (kind, row) in &self.table {
            let cells = outcomes.map(|outcome| format!("{:>17}", row.get(outcome).copied().unwrap_or_default()));
            println!("{kind:<22}{}", cells.concat());
        }
        println!(
            "{} runs, {} faults; {} turns, asked for by {} requests; the broker acknowledged {} answers; workers that ended by \
             themselves: {}\n\
             asked twice: {}, paid twice: {} (with the very same body: {}); between the two requests there was: {:?}",
            self.runs,
            self.faults,
            self.turns,
            self.requests,
            self.acknowledged,
            self.worker_starts,
            self.asked_again,
            self.paid_again,
            self.paid_again_with_the_same_body,
            self.explained,
        );
    }
}
