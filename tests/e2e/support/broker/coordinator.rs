//! A run whose work is done by workers: `baton run --dispatch`, killed and resumed at will.

use std::fs::File;
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::BUS_KEY;
use super::fleet::ACK_WAIT;
use super::link::Link;
use crate::support::messages_api::MessagesApi;
use crate::support::session::{Running, Session};
use crate::support::wait::PATIENCE;

/// The run of one task in one workspace. Dropped, it is killed.
pub struct Coordinator {
    pub session: Session,
    pub link: Link,
    task: String,
    env: Vec<(&'static str, String)>,
    running: Option<Running>,
    starts: usize,
    told: Arc<Told>,
    /// Reads what the last start tells, to its end.
    reader: Option<JoinHandle<()>>,
}

/// The lines of `--json`, of all starts.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<Value>>,
    news: Condvar,
}

impl Told {
    fn lines(&self) -> MutexGuard<'_, Vec<Value>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coordinator {
    /// A run of this task that is not started yet. The coordinator itself is given the models of `own`: a server without a
    /// script answers nothing, so that a turn that is not handed on fails the test.
    pub fn new(session: Session, link: Link, task: &str, own: &MessagesApi, ack_wait: Duration) -> Self {
        let mut env = own.env().to_vec();
        env.push(("BATON_BUS_KEY", BUS_KEY.to_owned()));
        env.push((ACK_WAIT, format!("{}ms", ack_wait.as_millis())));
        Self { session, link, task: task.to_owned(), env, running: None, starts: 0, told: Arc::default(), reader: None }
    }

    /// With another value of a variable.
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Start it, or resume it. Killed before anything was begun, there is no task yet: it is given again, as a person would.
    pub fn start(&mut self) {
        let url = self.link.url();
        let mut args = vec!["run", "--dispatch", &url, "--auto-approve", "--json"];
        if !self.session.exists(&self.session.memory("task.md")) {
            args.extend(["--task", &self.task]);
        }
        let mut baton = self.session.baton(args);
        for (name, value) in &self.env {
            baton = baton.env(name, value);
        }
        self.starts += 1;
        let log = File::create(self.session.path(&format!("../run-{}.log", self.starts))).expect("a log");
        let mut running = baton.streams(Stdio::null(), Stdio::piped(), Stdio::from(log)).start();
        let (lines, told) = (running.lines(), Arc::clone(&self.told));
        self.reader = Some(thread::spawn(move || {
            for line in lines {
                // A killed one may have written half a line.
                if let Ok(line) = serde_json::from_str(&line) {
                    told.lines().push(line);
                    told.news.notify_all();
                }
            }
        }));
        self.running = Some(running);
    }

    /// How often it was started.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// Whether it was started and has not ended.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| running.ended(Duration::ZERO).is_none())
    }

    /// Kill it. One that ended is gone already.
    pub fn kill(&mut self) {
        drop(self.running.take());
    }

    /// Send it a signal: it must be running.
    pub fn signal(&self, signal: Signal) {
        self.running.as_ref().expect("it was started").signal(signal);
    }

    /// Wait so long for its end, and read all that it told. Its exit code; `None` when it goes on, or a signal ended it.
    pub fn ended(&mut self, limit: Duration) -> Option<i32> {
        let status = self.running.as_mut()?.ended(limit)?;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it was read");
        }
        status.code()
    }

    /// Events and last lines that all its starts have told so far.
    pub fn told(&self) -> Vec<Value> {
        self.told.lines().clone()
    }

    /// How many those are.
    pub fn told_count(&self) -> usize {
        self.told.lines().len()
    }

    /// Wait until a line is so; fails the test, naming what was waited for, when it does not come.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let missing = |lines: &mut Vec<Value>| !lines.iter().any(&is_it);
        let waited = self.told.news.wait_timeout_while(self.told.lines(), 2 * PATIENCE, missing);
        let (lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let told = || lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        lines.iter().find(|line| is_it(line)).cloned().unwrap_or_else(|| {
            panic!("{what} has not come: {}\n{}", self.log(), told());
        })
    }

    /// What the last start printed for people.
    pub fn log(&self) -> String {
        let log = format!("../run-{}.log", self.starts);
        if self.session.exists(&log) { self.session.text(&log) } else { String::new() }
    }

    /// What stands beside the workspace and is neither a folder of the user's own nor ours.
    pub fn written_elsewhere(&self) -> Vec<String> {
        let known = ["cache", "config", "data", "home", "state", "tmp", "work"];
        let mut found = self.session.names("..");
        found.retain(|name| !known.contains(&name.as_str()) && !name.starts_with("run-"));
        found.extend(self.session.names("../home").into_iter().map(|name| format!("home/{name}")));
        found
    }
}
