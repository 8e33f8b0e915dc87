//! A NATS server with JetStream on loopback, which can be killed, stopped, and started again with or without what it kept.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::ports::free_port;
use crate::support::wait::wait_until;

/// A server; dropped, it is killed, and what it kept is gone.
pub struct Broker {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    monitor: u16,
    child: Option<Child>,
}

/// The server that `tests/setup.sh broker` installs; where it is missing, the test is skipped and says so, but not in CI.
pub fn nats_server() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let file = cache.map(|cache| cache.join("baton-tests/nats-2.15.1/bin/nats-server"));
    let found = file.filter(|file| file.is_file());
    if found.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "nats-server is missing: tests/setup.sh broker");
        // Where nobody looks, it is skipped all the same.
        let _ = writeln!(std::io::stderr(), "skipped: nats-server is not installed (tests/setup.sh broker)");
    }
    found
}

impl Broker {
    /// Start one with an empty storage.
    pub fn start(program: &Path) -> Self {
        let (port, monitor) = (free_port(), free_port());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut broker = Self { program: program.to_owned(), folder, port, monitor, child: None };
        broker.spawn();
        broker
    }

    /// Where clients that have no [`Link`](super::Link) connect to.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it has logged in all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Kill it, as the system does when memory is short. What it had handed to the system stays in its storage.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    /// Start it again on the same port, with what it kept.
    pub fn restart(&mut self) {
        self.kill();
        self.spawn();
    }

    /// The same after its storage was lost.
    pub fn restart_empty(&mut self) {
        self.kill();
        fs::remove_dir_all(self.storage()).expect("its storage");
        self.spawn();
    }

    /// Let it do nothing, with its connections open.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        // Its threads stop one after the other: one of them may answer until the last one has.
        let child = self.child.as_ref().expect("it runs");
        let pid = Pid::from_child(child);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        wait_until("nats-server to stand", || matches!(waitid(WaitId::Pid(pid), stopped), Ok(Some(_))));
    }

    /// Let it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// One of the pages of its monitoring, such as `varz`.
    pub fn monitoring(&self, page: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitor)).expect("its monitoring");
        write!(stream, "GET /{page} HTTP/1.0\r\nhost: localhost\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Where it keeps what it has.
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    fn spawn(&mut self) {
        let begun = self.log().len();
        self.child = Some(self.launched());
        // It listens before JetStream has recovered its streams; this line is written once it has.
        wait_until("nats-server to be ready", || {
            // While it was away, its port may have been lent to somebody's connection for a moment.
            if self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_)))) {
                self.child = Some(self.launched());
            }
            greets(self.address()) && self.log().get(begun..).is_some_and(|log| log.contains("Server is ready"))
        });
    }

    fn launched(&self) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let log = || Stdio::from(File::try_clone(&log).expect("a log"));
        let mut command = Command::new(&self.program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-m", &self.monitor.to_string()]);
        command.arg("-sd").arg(self.storage()).stdin(Stdio::null()).stdout(log()).stderr(log());
        command.spawn().expect("nats-server starts")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that ended already cannot be killed, which is fine.
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

/// A server speaks first.
fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut first = [0; 5];
    let limited = stream.set_read_timeout(Some(Duration::from_secs(1)));
    limited.is_ok() && stream.read_exact(&mut first).is_ok() && &first == b"INFO "
}
