//! What goes wrong in a run, and when: drawn from its seed.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::support::broker::{Subjects, Trouble, Way};

/// Workers of a run.
pub(super) const WORKERS: usize = 3;
/// After so long without a word a worker is taken for lost.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(2);

/// A fault, and the moment for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    pub(super) at: Point,
    pub(super) fault: Fault,
    /// How long it lasts.
    pub(super) lasts: Duration,
}

/// A moment: after so many more of these since the last fault.
#[derive(Debug, Clone, Copy)]
pub(super) enum Point {
    Request(usize),
    Answer(usize),
    Event(usize),
    Frame(usize),
}

/// Who has a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Worker(usize),
    Coordinator,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    KillWorker(usize),
    StopWorker(usize),
    KillCoordinator,
    StopCoordinator,
    Link(End, Trouble),
    KillBroker,
    StopBroker,
    LoseStorage,
}

/// What two faults must not meet at: the later one begins once the earlier one is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Process(End),
    Link(End),
    Broker,
}

impl Fault {
    fn draw(random: &mut Rng) -> (Self, Duration) {
        let millis = |random: &mut Rng, from, to| Duration::from_millis(random.u64(from..to));
        let worker = random.usize(0..WORKERS);
        let end = match random.usize(0..=WORKERS) {
            WORKERS => End::Coordinator,
            worker => End::Worker(worker),
        };
        let way = if random.bool() { Way::ToBroker } else { Way::ToClient };
        let subjects = if random.bool() { Subjects::Same } else { Subjects::Different };
        let chance = 0.2 + 0.8 * random.f64();
        let beyond = |random: &mut Rng| ACK_WAIT + millis(random, 300, 1_500);
        match random.u32(0..100) {
            0..20 => (Self::KillWorker(worker), millis(random, 0, 1_500)),
            20..32 => (Self::StopWorker(worker), beyond(random)),
            32..47 => (Self::KillCoordinator, millis(random, 0, 1_500)),
            47..50 => (Self::StopCoordinator, beyond(random)),
            50..58 => (Self::Link(end, Trouble::Cut), millis(random, 50, 3_000)),
            58..66 => (Self::Link(end, Trouble::Drop(way)), millis(random, 50, 3_000)),
            66..72 => (Self::Link(end, Trouble::Hold(way)), millis(random, 50, 3_000)),
            72..77 => (Self::Link(end, Trouble::Delay(millis(random, 20, 250))), millis(random, 500, 2_500)),
            77..83 => (Self::Link(end, Trouble::Double(chance)), millis(random, 500, 2_500)),
            83..89 => (Self::Link(end, Trouble::Swap(subjects, chance)), millis(random, 500, 2_500)),
            89..94 => (Self::KillBroker, millis(random, 0, 1_500)),
            94..97 => (Self::StopBroker, millis(random, 100, 3_000)),
            _ => (Self::LoseStorage, millis(random, 0, 500)),
        }
    }

    /// Its row in the table.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::KillWorker(_) => "worker killed",
            Self::StopWorker(_) => "worker stopped",
            Self::KillCoordinator => "coordinator killed",
            Self::StopCoordinator => "coordinator stopped",
            Self::Link(_, Trouble::Cut) => "link cut",
            Self::Link(_, Trouble::Drop(_)) => "frames lost one way",
            Self::Link(_, Trouble::Hold(_)) => "frames held one way",
            Self::Link(_, Trouble::Delay(_)) => "frames late",
            Self::Link(_, Trouble::Double(_)) => "frames doubled",
            Self::Link(_, Trouble::Swap(..)) => "frames swapped",
            Self::KillBroker => "broker killed",
            Self::StopBroker => "broker stopped",
            Self::LoseStorage => "storage lost",
        }
    }

    pub(super) fn target(&self) -> Target {
        match *self {
            Self::KillWorker(worker) | Self::StopWorker(worker) => Target::Process(End::Worker(worker)),
            Self::KillCoordinator | Self::StopCoordinator => Target::Process(End::Coordinator),
            Self::Link(end, _) => Target::Link(end),
            Self::KillBroker | Self::StopBroker | Self::LoseStorage => Target::Broker,
        }
    }
}

/// What goes wrong in the run of this seed, in order.
pub(super) fn schedule(seed: u64) -> Vec<Planned> {
    let mut random = Rng::with_seed(seed);
    let planned = |random: &mut Rng| {
        let at = match random.u32(0..4) {
            0 => Point::Request(random.usize(1..6)),
            1 => Point::Answer(random.usize(1..6)),
            2 => Point::Event(random.usize(1..8)),
            _ => Point::Frame(random.usize(1..120)),
        };
        let (fault, lasts) = Fault::draw(random);
        Planned { at, fault, lasts }
    };
    (0..random.usize(3..7)).map(|_| planned(&mut random)).collect()
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:?}: {:?} for {} ms", self.at, self.fault, self.lasts.as_millis())
    }
}
