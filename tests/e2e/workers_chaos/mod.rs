//! Workflows done by workers while workers, coordinator, links and broker fail as a seed says: the files come out as if all had
//! been done here, and no answer that the broker has acknowledged is asked for again.
//!
//! `BATON_CHAOS_SEEDS` sets the number of runs, or `BATON_CHAOS_FAULTS` how many faults there are to be at least; `BATON_SEED`
//! is the seed of the first run, `BATON_CHAOS_LOG` a filter for what workers log, and each run has the next one. `tests/chaos.sh` runs a thousand faults.
#![cfg(all(unix, feature = "nats"))]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stdout, reason = "which faults led to what is worth a table")]

mod faults;
mod run;
mod sample;
mod verdict;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::support::broker::{Disk, Machine, nats_server};
use faults::ACK_WAIT;
use run::Lab;
use sample::Left;
use verdict::{Counts, judge};

/// Runs side by side.
const SIDE_BY_SIDE: usize = 2;
/// Runs where nothing says how many.
const SEEDS: u64 = 12;

#[test]
fn done_by_workers_it_leaves_the_same_and_every_answer_is_acknowledged() {
    let Some(mut lab) = Lab::new(1, 3) else { return };
    let (expected, requests) = Left::undisturbed();
    lab.coordinator.start();
    let ended = lab.end();
    let counts = judge(1, &mut lab, ended, &expected);
    assert!(counts.violations.is_empty(), "{}", counts.violations.join("\n"));
    assert_eq!(lab.api.requested(), requests);
    // What the other tests count by would not be seen otherwise.
    let acknowledged: Vec<usize> = lab.acks.acknowledged().into_keys().collect();
    assert_eq!(acknowledged, (0..requests).collect::<Vec<_>>());
}

#[test]
fn a_worker_whose_clock_is_off_does_its_work() {
    let (expected, _) = Left::undisturbed();
    for clock_off in [-86_400, 86_400] {
        let Some(mut lab) = Lab::new(2, 0) else { return };
        lab.add_worker(Machine { clock_off, ..Machine::default() });
        lab.coordinator.start();
        let ended = lab.end();
        let counts = judge(2, &mut lab, ended, &expected);
        assert!(counts.violations.is_empty(), "{}", counts.violations.join("\n"));
    }
}

#[test]
fn what_a_worker_with_a_full_disk_cannot_do_is_done_by_another() {
    let (expected, _) = Left::undisturbed();
    let Some(mut lab) = Lab::new(3, 1) else { return };
    lab.add_worker(Machine { disk: Disk::Small(16), ..Machine::default() });
    lab.coordinator.start();
    let ended = lab.end();
    let counts = judge(3, &mut lab, ended, &expected);
    assert!(counts.violations.is_empty(), "{}", counts.violations.join("\n"));
}

#[test]
fn disturbed_in_whatever_way_it_comes_to_the_same_end() {
    if nats_server().is_none() {
        return;
    }
    let number = |name: &str| env::var(name).ok().map(|number| number.parse::<u64>().expect(name));
    let first = number("BATON_SEED").unwrap_or(20_261_128);
    let faults = number("BATON_CHAOS_FAULTS").and_then(|faults| usize::try_from(faults).ok());
    let seeds = number("BATON_CHAOS_SEEDS").unwrap_or(SEEDS);
    let (expected, _) = Left::undisturbed();
    let (next, all) = (Mutex::new(first), Mutex::new(Counts::default()));
    let is_enough = |seed: u64| match faults {
        Some(faults) => all.lock().unwrap().faults >= faults,
        None => seed >= first + seeds,
    };
    let work = || {
        loop {
            let seed = {
                let mut next = next.lock().unwrap();
                *next += 1;
                *next - 1
            };
            if is_enough(seed) {
                return;
            }
            let counts = one(seed, &expected);
            all.lock().unwrap().add(counts);
        }
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(work);
        }
    });
    let counts = all.into_inner().unwrap();
    counts.print();
    println!("seeds from {first}; a worker that says nothing for {ACK_WAIT:?} is taken for lost");
    assert!(counts.runs > 0 && counts.faults > 0, "nothing was disturbed");
    let broken = counts.violations.len();
    assert!(counts.violations.is_empty(), "{broken} broken rules:\n\n{}", counts.violations.join("\n\n"));
}

/// The run of a seed, and a line for each of its faults.
fn one(seed: u64, expected: &Left) -> Counts {
    let run = || {
        let (mut lab, ended) = Lab::disturbed(seed).expect("a broker");
        let counts = judge(seed, &mut lab, ended, expected);
        let lines: Vec<String> = lab.struck.iter().map(|struck| format!("seed {seed} {}", struck.planned)).collect();
        println!("{}", lines.join("\n"));
        counts
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|fault| {
        let text = fault.downcast_ref::<String>().cloned();
        let text = text.or_else(|| fault.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Counts::of_broken(format!("seed {seed}: {}", text.unwrap_or_default()))
    })
}
