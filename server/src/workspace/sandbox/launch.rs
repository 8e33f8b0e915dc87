//! Starts a room, talks with it, and ends it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::group::Group;
use super::job::Ended;
use super::output::Output;
use super::room::{Answer, Changes, Fault, Report, Setup, Tree, read_frame};
use super::stage;

/// How long making a room may take. It takes milliseconds, but a disk may be slow.
const TO_SET_UP: Duration = Duration::from_secs(20);

/// How long a room may take to end once it is told to.
const TO_END: Duration = Duration::from_millis(500);

/// How long collecting what was changed may take.
const TO_COLLECT: Duration = Duration::from_secs(60);

/// What came of a room.
pub(super) struct Came {
    pub(super) ended: Ended,
    pub(super) elapsed: Duration,
    /// The step of the set-up that failed.
    pub(super) fault: Option<Fault>,
    /// Why the kernel refuses it no system calls.
    pub(super) unfiltered: Option<String>,
    /// Whether the kernel refused it more processes.
    pub(super) was_full: bool,
    /// What is different in the workspace.
    pub(super) changes: Changes,
    /// The wanted files: path, permissions, content.
    pub(super) files: Vec<(String, u32, Vec<u8>)>,
}

/// What is given to a room.
pub(super) struct Given<'a> {
    pub(super) setup: &'a Setup,
    /// The content of each edit that deletes nothing.
    pub(super) contents: Vec<&'a [u8]>,
    pub(super) limit: Duration,
}

/// Runs the command of a set-up in a room. `choose` says which changed files are wanted.
pub(super) async fn run_room<F>(given: Given<'_>, output: &mut Output, cancel: &CancellationToken, choose: F) -> Came
where
    F: FnOnce(&Changes) -> Vec<String>,
{
    let mut came = Came {
        ended: Ended::Cancelled,
        elapsed: Duration::ZERO,
        fault: None,
        unfiltered: None,
        was_full: false,
        changes: Changes::default(),
        files: vec![],
    };
    match Room::start(&given) {
        Ok(mut room) => {
            room.follow(given.limit, output, cancel, choose, &mut came).await;
            came.was_full = room.group.as_ref().is_some_and(Group::was_full);
            room.end(output).await;
        }
        Err(error) => {
            came.ended = Ended::NotRun(format!("this program cannot start itself: {error}"));
            came.fault = Some(Fault {
                step: "start this program again".to_owned(),
                reason: error.to_string(),
                errno: error.raw_os_error(),
                // There is no `/proc`.
                is_of_machine: error.kind() == io::ErrorKind::NotFound,
            });
        }
    }
    came
}

/// A room that is being talked with.
struct Room {
    child: Child,
    /// Where one is delegated.
    group: Option<Group>,
    printed: Receiver,
    is_open: bool,
    buffer: Vec<u8>,
    said: mpsc::Receiver<(Report, Vec<u8>)>,
    /// Dropped, it tells the room to end.
    say: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// The tasks that read and write the control socket; they end with this.
    _talking: JoinSet<()>,
}

/// How far a job has come.
struct Stage {
    started: Option<Instant>,
    has_ended: bool,
    /// When what it does now has to be done.
    deadline: Instant,
}

impl Room {
    fn start(given: &Given<'_>) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new("/proc/self/exe");
        let stage = if matches!(given.setup.tree, Tree::Bwrap(_)) { stage::BWRAP } else { stage::ROOM };
        command.args(stage).env_clear().current_dir("/").stdin(Stdio::from(OwnedFd::from(theirs)));
        command.stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        drop(command);
        // It waits for its set-up, and has started nothing.
        let group = child.id().and_then(Group::of);
        ours.set_nonblocking(true)?;
        let (mut from, mut to) = UnixStream::from_std(ours)?.into_split();
        let (say, mut to_say) = mpsc::unbounded_channel::<Vec<u8>>();
        let (heard, said) = mpsc::channel(8);
        let mut talking = JoinSet::new();
        talking.spawn(async move {
            while let Some(bytes) = to_say.recv().await {
                if to.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        });
        talking.spawn(async move {
            while let Ok(frame) = read_frame(&mut from).await {
                let Ok(report) = serde_json::from_slice::<Report>(&frame) else { break };
                let content = match &report {
                    Report::File { .. } => read_frame(&mut from).await,
                    _ => Ok(Vec::new()),
                };
                let Ok(content) = content else { break };
                if heard.send((report, content)).await.is_err() {
                    break;
                }
            }
        });
        let mut all = frame(&serde_json::to_vec(given.setup)?)?;
        for content in &given.contents {
            all.extend(frame(content)?);
        }
        let _ = say.send(all);
        let printed = Receiver::from_owned_fd(reader.into())?;
        Ok(Self {
            child,
            group,
            printed,
            is_open: true,
            buffer: vec![0; 64 << 10],
            said,
            say: Some(say),
            _talking: talking,
        })
    }

    /// Listens until the command has ended and what was wanted has come, its time is over or it is cancelled.
    async fn follow<F>(
        &mut self,
        limit: Duration,
        output: &mut Output,
        cancel: &CancellationToken,
        choose: F,
        came: &mut Came,
    ) where
        F: FnOnce(&Changes) -> Vec<String>,
    {
        let mut choose = Some(choose);
        let mut at = Stage { started: None, has_ended: false, deadline: Instant::now() + TO_SET_UP };
        loop {
            let (report, content) = match self.next(&at, output, cancel).await {
                Ok(said) => said,
                Err(ended) => {
                    if !at.has_ended {
                        came.ended = ended;
                    }
                    break;
                }
            };
            match report {
                Report::Unshared => self.answer(&Answer::Mapped(self.map_users().is_ok())),
                Report::Unfiltered(reason) => came.unfiltered = Some(reason),
                Report::Started => {
                    let now = Instant::now();
                    at.started = Some(now);
                    at.deadline = now.checked_add(limit).unwrap_or(now + Duration::from_secs(1 << 30));
                }
                Report::Failed(fault) => {
                    if !at.has_ended {
                        came.ended = Ended::NotRun(format!("could not {}: {}", fault.step, fault.reason));
                    }
                    came.fault = Some(fault);
                    break;
                }
                Report::Ended { code, signal, elapsed } => {
                    // The time until this is heard is more than the command's own: all else in the room ended since.
                    let heard = at.started.map_or(Duration::ZERO, |started| started.elapsed());
                    came.elapsed = elapsed.unwrap_or(heard);
                    came.ended = match (at.started, code) {
                        (None, _) => {
                            Ended::NotRun(format!("the first process of the sandbox was killed: {code:?} {signal:?}"))
                        }
                        (_, Some(code)) => Ended::Exited(code),
                        (_, None) => Ended::Signal(signal.unwrap_or_default()),
                    };
                    at.has_ended = true;
                    at.deadline = Instant::now() + TO_COLLECT;
                }
                Report::Changes(changes) => {
                    if let Some(choose) = choose.take() {
                        self.answer(&Answer::Wanted(choose(&changes)));
                    }
                    came.changes = changes;
                }
                Report::File { path, mode } => came.files.push((path, mode, content)),
                Report::Done => break,
            }
        }
        if let (Some(started), false) = (at.started, at.has_ended) {
            came.elapsed = started.elapsed();
        }
    }

    /// What the room says next, or why nothing more is waited for. What is printed meanwhile goes to the output.
    async fn next(
        &mut self,
        at: &Stage,
        output: &mut Output,
        cancel: &CancellationToken,
    ) -> Result<(Report, Vec<u8>), Ended> {
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !at.has_ended => return Err(Ended::Cancelled),
                () = sleep_until(at.deadline.into()) => return Err(match at.started {
                    Some(_) => Ended::TimedOut,
                    None => Ended::NotRun(format!("the set-up took longer than {} s", TO_SET_UP.as_secs())),
                }),
                said = self.said.recv() => return said.ok_or_else(|| {
                    Ended::NotRun("the process that makes the sandbox ended without a word".to_owned())
                }),
                read = read_some(&self.printed, &mut self.buffer), if self.is_open => match read {
                    Ok(0) | Err(_) => self.is_open = false,
                    Ok(count) => output.take(&self.buffer[..count]),
                },
            }
        }
    }

    /// Ends the room, and everything in it, and takes what was printed last.
    async fn end(mut self, output: &mut Output) {
        self.say = None;
        let silent = async {
            // The room says that it has ended, and then only its socket closes.
            while self.said.recv().await.is_some() {}
        };
        if timeout(TO_END, silent).await.is_err() {
            let _ = self.child.start_kill();
            let _ = timeout(TO_END, self.child.wait()).await;
        }
        // All who could print are gone.
        while let Ok(count @ 1..) = self.printed.try_read(&mut self.buffer) {
            output.take(&self.buffer[..count]);
        }
        // It may still remove what was written; a large folder is not waited for.
        let _ = timeout(TO_END, self.child.wait()).await;
    }

    fn answer(&self, answer: &Answer) {
        if let (Some(say), Ok(bytes)) = (&self.say, serde_json::to_vec(answer))
            && let Ok(bytes) = frame(&bytes)
        {
            let _ = say.send(bytes);
        }
    }

    /// Maps all users of this process' namespace, each to itself: root may do that for a child.
    fn map_users(&self) -> io::Result<()> {
        let process = self.child.id().ok_or(io::ErrorKind::NotFound)?;
        for map in ["gid_map", "uid_map"] {
            let own = fs::read_to_string(format!("/proc/self/{map}"))?;
            let same = own.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                let (first, _, count) = (words.next()?, words.next()?, words.next()?);
                Some(format!("{first} {first} {count}\n"))
            });
            fs::write(format!("/proc/{process}/{map}"), same.collect::<String>())?;
        }
        Ok(())
    }
}

async fn read_some(printed: &Receiver, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        printed.readable().await?;
        match printed.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

fn frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    Ok([&length.to_ne_bytes(), bytes].concat())
}
