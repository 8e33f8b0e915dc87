//! Workers: processes of the built binary, each on a machine and behind a link of its own.

use std::fs::{self, OpenOptions};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::BUS_KEY;
use super::acks::Acks;
use super::link::Link;
use super::machine::Machine;
use super::server::Broker;
use crate::support::messages_api::MessagesApi;
use crate::support::session::{Running, Session};

/// The variable by which tests shorten the time after which a silent worker is taken for lost.
pub(super) const ACK_WAIT: &str = "BATON_ACK_WAIT";

/// All workers of a test.
pub struct Fleet {
    pub workers: Vec<Worker>,
}

/// One worker. Dropped, it is killed.
pub struct Worker {
    /// Its home; its current folder is an empty workspace.
    pub session: Session,
    pub link: Link,
    machine: Machine,
    slots: usize,
    env: Vec<(&'static str, String)>,
    running: Option<Running>,
    /// How much it had printed when it was started last.
    logged_before: usize,
}

impl Fleet {
    /// Start so many workers with so many slots each, which ask the models of this server.
    pub fn start(
        broker: &Broker,
        api: &MessagesApi,
        count: usize,
        slots: usize,
        ack_wait: Duration,
        acks: &Arc<Acks>,
    ) -> Self {
        let worker = |number: usize| {
            let link = Link::to(broker.address(), number as u64, Arc::clone(acks));
            let mut worker = Worker::new(link, api, slots, ack_wait);
            worker.start();
            worker
        };
        Self { workers: (1..=count).map(worker).collect() }
    }

    /// Frames that went over their links.
    pub fn frames(&self) -> usize {
        self.workers.iter().map(|worker| worker.link.frames()).sum()
    }
}

impl Worker {
    /// One that is not started yet.
    pub fn new(link: Link, api: &MessagesApi, slots: usize, ack_wait: Duration) -> Self {
        let mut env = api.env().to_vec();
        env.push(("BATON_BUS_KEY", BUS_KEY.to_owned()));
        if let Ok(log) = std::env::var("BATON_CHAOS_LOG") {
            env.push(("BATON_LOG", log));
        }
        env.push((ACK_WAIT, format!("{}ms", ack_wait.as_millis())));
        Self {
            session: Session::new(""),
            link,
            machine: Machine::default(),
            slots,
            env,
            running: None,
            logged_before: 0,
        }
    }

    /// On another machine.
    pub fn on(self, machine: Machine) -> Self {
        Self { machine, ..self }
    }

    /// With another value of a variable.
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Start it, or start it again.
    pub fn start(&mut self) {
        let (url, slots) = (self.link.url(), self.slots.to_string());
        let mut baton = self.session.baton(["worker", "--nats", &url, "--slots", &slots]);
        for (name, value) in &self.env {
            baton = baton.env(name, value);
        }
        self.logged_before = self.log().len();
        let log = self.session.path("../worker.log");
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let folder = self.session.path("..");
        let baton = Session::adopt(self.machine.run(baton.into_command(), &folder));
        let output = Stdio::from(log.try_clone().expect("a log"));
        self.running = Some(baton.streams(Stdio::null(), output, Stdio::from(log)).start());
    }

    /// Whether it was started and has not ended.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| running.ended(Duration::ZERO).is_none())
    }

    /// Kill it, as the system does when memory is short. One that ended is gone already.
    pub fn kill(&mut self) {
        drop(self.running.take());
    }

    /// Send it a signal: it must be running.
    pub fn signal(&self, signal: Signal) {
        self.running.as_ref().expect("it was started").signal(signal);
    }

    /// Ask it to end, once it has said that it works, and wait so long for that. Its exit code; `None` when it did not end,
    /// or a signal ended it.
    pub fn drain(&mut self, limit: Duration) -> Option<i32> {
        let mut running = self.running.take()?;
        let until = Instant::now() + limit;
        while self.log().len() == self.logged_before && Instant::now() < until {
            if let Some(status) = running.ended(Duration::from_millis(20)) {
                return status.code();
            }
        }
        if let Some(status) = running.ended(Duration::ZERO) {
            return status.code();
        }
        running.signal(Signal::TERM);
        running.ended(limit)?.code()
    }

    /// What it has printed in all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.session.path("../worker.log")).unwrap_or_default()
    }

    /// Files of its machine that are not where a program keeps its own: in its folders of cache, state and the like.
    pub fn written_elsewhere(&self) -> Vec<String> {
        let known = ["cache", "config", "data", "home", "small", "state", "tmp", "work", "worker.log"];
        let mut found = self.session.names("..");
        found.retain(|name| !known.contains(&name.as_str()));
        found.extend(self.session.names(".").into_iter().map(|name| format!("work/{name}")));
        found.extend(self.session.names("../home").into_iter().map(|name| format!("home/{name}")));
        found
    }
}
