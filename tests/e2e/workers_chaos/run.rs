//! One run of the sample on workers, disturbed as its seed says, and then left to come to its end.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::faults::{ACK_WAIT, End, Fault, Planned, Point, Target, WORKERS, schedule};
use super::sample::{TASK, marked, repository};
use super::verdict::end_of;
use crate::support::broker::{Acks, Broker, Coordinator, Fleet, Link, Machine, Worker, nats_server};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::session::Session;

/// Conversations that a worker holds at once.
const SLOTS: usize = 2;
/// How long a moment is waited for: nothing may go on any more.
const MOMENT: Duration = Duration::from_secs(4);
/// How long one start may take once all is well again.
const START: Duration = Duration::from_secs(60);
/// How often somebody looks after the workers.
const SUPERVISED: Duration = Duration::from_millis(500);
/// How often the coordinator is started at most.
const STARTS: usize = 12;

/// A broker, workers and a coordinator.
pub(super) struct Lab {
    // In the order in which they are dropped: clients first.
    pub(super) coordinator: Coordinator,
    pub(super) fleet: Fleet,
    pub(super) broker: Broker,
    pub(super) api: MessagesApi,
    /// The coordinator's own models: they answer nothing.
    pub(super) unused: MessagesApi,
    pub(super) acks: Arc<Acks>,
    pub(super) struck: Vec<Struck>,
    /// Starts of workers that had ended by themselves.
    pub(super) worker_starts: usize,
    last_look: Instant,
    pending: Vec<Pending>,
}

/// A fault that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Struck {
    pub(super) planned: Planned,
    pub(super) at: Instant,
}

/// What ends a fault, and when.
struct Pending {
    due: Instant,
    fault: Fault,
}

/// How far things have come.
#[derive(Debug, Clone, Copy)]
struct Counted {
    requests: usize,
    answers: usize,
    events: usize,
    frames: usize,
}

impl Lab {
    /// With workers that have started, and a coordinator that has not. `None` where there is no broker to start.
    pub(super) fn new(seed: u64, workers: usize) -> Option<Self> {
        let broker = Broker::start(&nats_server()?);
        let (api, unused) = (MessagesApi::start(marked()), MessagesApi::start(Script::new()));
        let acks = Arc::new(Acks::default());
        let fleet = Fleet::start(&broker, &api, workers, SLOTS, ACK_WAIT, &acks);
        let link = Link::to(broker.address(), seed, Arc::clone(&acks));
        let session = Session::new(&repository());
        let coordinator = Coordinator::new(session, link, TASK, &unused, ACK_WAIT);
        let (struck, pending) = (Vec::new(), Vec::new());
        Some(Self {
            coordinator,
            fleet,
            broker,
            api,
            unused,
            acks,
            struck,
            worker_starts: 0,
            last_look: Instant::now(),
            pending,
        })
    }

    /// One more worker, on such a machine.
    pub(super) fn add_worker(&mut self, machine: Machine) {
        let link = Link::to(self.broker.address(), 0, Arc::clone(&self.acks));
        let mut worker = Worker::new(link, &self.api, SLOTS, ACK_WAIT).on(machine);
        worker.start();
        self.fleet.workers.push(worker);
    }

    /// Let the run of this seed happen. `Ok` with the exit code of its last start; `Err` with what did not come to an end.
    pub(super) fn disturbed(seed: u64) -> Option<(Self, Result<i32, String>)> {
        let mut lab = Self::new(seed, WORKERS)?;
        lab.coordinator.start();
        for planned in schedule(seed) {
            if !lab.comes_to(planned.at) {
                break;
            }
            lab.end_those_of(planned.fault.target());
            lab.strike(planned);
        }
        let ended = lab.end();
        Some((lab, ended))
    }

    /// Let all that is wrong be over, and the run come to its end: resumed where it gave up, but not for ever.
    pub(super) fn end(&mut self) -> Result<i32, String> {
        self.wait(|lab| lab.pending.is_empty(), START);
        loop {
            let began = Instant::now();
            self.wait(|lab| !lab.coordinator.is_running(), START);
            match self.coordinator.ended(Duration::ZERO) {
                Some(0) => return Ok(0),
                Some(code) if self.coordinator.starts() >= STARTS => return Ok(code),
                None if self.coordinator.is_running() => {
                    let last: Vec<String> =
                        self.coordinator.told().iter().rev().take(12).map(ToString::to_string).collect();
                    let workers: Vec<String> = self.fleet.workers.iter().map(|worker| end_of(&worker.log())).collect();
                    let (last, workers) = (last.join("\n"), workers.join("\n--\n"));
                    return Err(format!("goes on after {:?}:\n{last}\n{workers}", began.elapsed()));
                }
                _ => self.coordinator.start(),
            }
        }
    }

    fn counted(&self) -> Counted {
        Counted {
            requests: self.api.requested(),
            answers: self.api.answered(),
            events: self.coordinator.told_count(),
            frames: self.fleet.frames() + self.coordinator.link.frames(),
        }
    }

    /// Wait for the moment. Whether there is anything left to disturb then.
    fn comes_to(&mut self, point: Point) -> bool {
        let from = self.counted();
        let is_it = |lab: &mut Self| {
            let now = lab.counted();
            match point {
                Point::Request(count) => now.requests >= from.requests + count,
                Point::Answer(count) => now.answers >= from.answers + count,
                Point::Event(count) => now.events >= from.events + count,
                Point::Frame(count) => now.frames >= from.frames + count,
            }
        };
        self.wait(is_it, MOMENT);
        self.coordinator.is_running() || self.coordinator.ended(Duration::ZERO) != Some(0)
    }

    /// Wait until it is so, or the coordinator has come to a good end, or it is too late; end faults that are due meanwhile, and
    /// start what gave up because of one that is over, as those who run it would.
    fn wait(&mut self, is_so: impl Fn(&mut Self) -> bool, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !is_so(self) && Instant::now() < deadline {
            let now = Instant::now();
            while let Some(at) = self.pending.iter().position(|pending| pending.due <= now) {
                let fault = self.pending.swap_remove(at).fault;
                self.over(fault);
            }
            self.start_workers_again();
            let is_down = |pending: &Pending| pending.fault.target() == Target::Process(End::Coordinator);
            if !self.coordinator.is_running() && !self.pending.iter().any(is_down) {
                if self.coordinator.ended(Duration::ZERO) == Some(0) && self.pending.is_empty() {
                    return;
                }
                let has_to_wait = !self.pending.is_empty() || self.coordinator.starts() >= STARTS;
                if self.coordinator.ended(Duration::ZERO) != Some(0) && !has_to_wait {
                    self.coordinator.start();
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A worker that could not reach the broker has ended, and says so.
    fn start_workers_again(&mut self) {
        if self.last_look.elapsed() < SUPERVISED {
            return;
        }
        self.last_look = Instant::now();
        for number in 0..self.fleet.workers.len() {
            let is_down = |pending: &Pending| pending.fault.target() == Target::Process(End::Worker(number));
            if !self.pending.iter().any(is_down) && !self.fleet.workers[number].is_running() {
                self.fleet.workers[number].start();
                self.worker_starts += 1;
            }
        }
    }

    fn end_those_of(&mut self, target: Target) {
        while let Some(at) = self.pending.iter().position(|pending| pending.fault.target() == target) {
            let fault = self.pending.swap_remove(at).fault;
            self.over(fault);
        }
    }

    fn strike(&mut self, planned: Planned) {
        let at = Instant::now();
        match planned.fault {
            Fault::KillWorker(worker) => self.fleet.workers[worker].kill(),
            Fault::StopWorker(worker) => self.signal(End::Worker(worker), Signal::STOP),
            Fault::KillCoordinator => self.coordinator.kill(),
            Fault::StopCoordinator => self.signal(End::Coordinator, Signal::STOP),
            Fault::Link(end, trouble) => self.link(end).begin(trouble),
            Fault::KillBroker | Fault::LoseStorage => self.broker.kill(),
            Fault::StopBroker => self.broker.stop(),
        }
        self.struck.push(Struck { planned, at });
        self.pending.push(Pending { due: at + planned.lasts, fault: planned.fault });
    }

    fn over(&mut self, fault: Fault) {
        match fault {
            Fault::KillWorker(worker) => self.fleet.workers[worker].start(),
            Fault::StopWorker(worker) => self.signal(End::Worker(worker), Signal::CONT),
            Fault::KillCoordinator => self.coordinator.start(),
            Fault::StopCoordinator => self.signal(End::Coordinator, Signal::CONT),
            Fault::Link(end, _) => self.link(end).heal(),
            Fault::KillBroker => self.broker.restart(),
            Fault::StopBroker => self.broker.go_on(),
            Fault::LoseStorage => self.broker.restart_empty(),
        }
    }

    /// One that has ended hears nothing.
    fn signal(&mut self, end: End, signal: Signal) {
        match end {
            End::Worker(worker) if self.fleet.workers[worker].is_running() => self.fleet.workers[worker].signal(signal),
            End::Coordinator if self.coordinator.is_running() => self.coordinator.signal(signal),
            End::Worker(_) | End::Coordinator => {}
        }
    }

    fn link(&self, end: End) -> &Link {
        match end {
            End::Worker(worker) => &self.fleet.workers[worker].link,
            End::Coordinator => &self.coordinator.link,
        }
    }
}
