//! What must hold of a run, whatever went wrong in it, and what its faults led to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

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

/// By the number of a request: when the broker acknowledged its answer.
type Acknowledged = BTreeMap<usize, Instant>;

const NOTHING: &str = "nothing";
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
            faults.push(format!("{what}\n{}", end_of(&lab.coordinator.log())));
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
    faults.extend(counts.count_turns(&lab.api.turns(), &lab.acks.acknowledged(), &lab.struck));
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
    let told = format!("exit {code} says nothing plain: {last}\n{}", end_of(&lab.coordinator.log()));
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
        faults.push(end_of(&coordinator.log()));
    }
    if lab.worker_starts > 20 * lab.fleet.workers.len() {
        faults.push(format!("workers ended by themselves {} times", lab.worker_starts));
    }
    for (number, worker) in lab.fleet.workers.iter_mut().enumerate() {
        let code = worker.drain(DRAIN);
        // One that was started while the broker was away, and not yet again, is no broken rule.
        let log = worker.log();
        let last = log.lines().last().unwrap_or_default();
        let was_alone = code == Some(5) && last.starts_with("error: the broker cannot be reached: ");
        if code != Some(0) && !was_alone {
            faults.push(format!("worker {number} ended with {code:?}:\n{}", end_of(&worker.log())));
        }
        if worker.log().contains("panicked") {
            faults.push(end_of(&worker.log()));
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

/// The last lines of a log.
pub(super) fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}

/// How soon after it goes on a worker sends what it was stopped at.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Struck {
    /// Whether an answer that was acknowledged may be asked for again: the storage was lost meanwhile, or a worker was stopped between its
    /// look at its claim and its request, which is the turn under way when it was taken for lost.
    fn excuses(&self, acknowledged: Instant, again: Instant) -> bool {
        let over = self.at + self.planned.lasts;
        match self.planned.fault {
            Fault::LoseStorage => acknowledged < over && self.at < again,
            Fault::StopWorker(_) => self.at < acknowledged && over < again && again < over + AT_ONCE,
            _ => false,
        }
    }
}

impl Counts {
    /// Of a run that could not be judged.
    pub(super) fn of_broken(violation: String) -> Self {
        Self { runs: 1, violations: vec![violation], ..Self::default() }
    }

    /// What was asked for more than once, and which of it never may be.
    fn count_turns(&mut self, turns: &[AskedTurn], acknowledged: &Acknowledged, struck: &[Struck]) -> Vec<String> {
        let mut faults = Vec::new();
        self.turns = turns.len();
        self.requests = turns.iter().map(|turn| turn.asked.len()).sum();
        self.acknowledged = acknowledged.len();
        for AskedTurn { name, asked } in turns {
            for (before, again) in asked.iter().zip(asked.iter().skip(1)) {
                self.asked_again += 1;
                let between = |struck: &&Struck| struck.at < again.at && struck.at + struck.planned.lasts >= before.at;
                let reason = struck.iter().rfind(between);
                *self.explained.entry(reason.map_or(NOTHING, |struck| struck.planned.fault.kind())).or_default() += 1;
                if struck.is_empty() {
                    faults.push(format!("{name} was asked again, and nothing had gone wrong"));
                }
            }
            for (place, again) in asked.iter().enumerate() {
                let known = asked[..place].iter().filter_map(|earlier| acknowledged.get(&earlier.number));
                let Some(known) = known.filter(|known| **known < again.at).min() else { continue };
                if !struck.iter().any(|struck| struck.excuses(*known, again.at)) {
                    let late = again.at.duration_since(*known);
                    faults.push(format!("{name} was asked again {late:?} after its answer was acknowledged"));
                }
            }
        }
        self.paid_again = turns.iter().map(|turn| turn.paid().saturating_sub(1)).sum();
        self.paid_again_with_the_same_body = turns.iter().map(AskedTurn::paid_again_with_the_same_body).sum();
        faults
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::faults::{Planned, Point};
    use super::{Counts, Fault, Struck};
    use crate::support::messages_api::{Asked, AskedTurn};

    /// A turn that was asked for at these seconds, by requests that are numbered so.
    fn turn(asked: &[(u64, usize)], zero: Instant) -> AskedTurn {
        let one = |&(at, number): &(u64, usize)| {
            let at = zero + Duration::from_secs(at);
            Asked { number, at, answered: Some(at), body: 0 }
        };
        AskedTurn { name: "plan".into(), asked: asked.iter().map(one).collect() }
    }

    /// What is wrong where the answer to request 0 was acknowledged at second 2 and this happened at second 3.
    fn faults(asked: &[(u64, usize)], happened: Option<Fault>) -> (Vec<String>, Counts) {
        let zero = Instant::now();
        let at = |seconds| zero + Duration::from_secs(seconds);
        let planned = |fault| Planned { at: Point::Request(1), fault, lasts: Duration::from_secs(1) };
        let struck: Vec<Struck> =
            happened.map(|fault| Struck { planned: planned(fault), at: at(3) }).into_iter().collect();
        let mut counts = Counts::default();
        let faults = counts.count_turns(&[turn(asked, zero)], &[(0, at(2))].into(), &struck);
        (faults, counts)
    }

    #[test]
    fn an_answer_that_was_acknowledged_is_not_asked_for_again_but_after_the_storage_was_lost() {
        assert!(faults(&[(1, 0)], Some(Fault::KillBroker)).0.is_empty());
        let (found, counts) = faults(&[(1, 0), (4, 1)], Some(Fault::KillBroker));
        assert_eq!(found, ["plan (conversation 0, turn 0) was asked again 2s after its answer was acknowledged"]);
        assert_eq!((counts.asked_again, counts.paid_again, counts.paid_again_with_the_same_body), (1, 1, 1));
        assert_eq!(counts.explained, [("broker killed", 1)].into());
        assert!(faults(&[(1, 0), (4, 1)], Some(Fault::LoseStorage)).0.is_empty());
        // It was stopped before, and not when the answer was acknowledged.
        assert_eq!(faults(&[(1, 0), (4, 1)], Some(Fault::StopWorker(0))).0.len(), 1);
        // The answer that was acknowledged is another one than the one before.
        assert_eq!(faults(&[(1, 0), (1, 5), (4, 6)], Some(Fault::KillBroker)).0.len(), 1);
    }

    #[test]
    fn an_answer_that_was_on_its_way_is_asked_for_again_only_where_something_went_wrong() {
        let (found, counts) = faults(&[(1, 7), (4, 8)], Some(Fault::KillWorker(0)));
        assert!(found.is_empty(), "{found:?}");
        assert_eq!((counts.asked_again, counts.explained), (1, [("worker killed", 1)].into()));
        assert_eq!(
            faults(&[(1, 7), (4, 8)], None).0,
            ["plan (conversation 0, turn 0) was asked again, and nothing had gone wrong"]
        );
    }
}
