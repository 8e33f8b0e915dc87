//! The lines of a run's journals: its events, and its transcript with every model turn under a MAC.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Mutex;

use cap_std::fs::Dir;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plan_lock::digest;
use super::seal::Seal;
use crate::contracts::{MAX_EVENT_BYTES, MAX_EVENT_LINE_BYTES, MAX_EVENTS, MAX_TURN_LINE_BYTES, Usage};
use crate::models::{Message, RecordedTurn, TurnRequest};
use crate::workspace::{LineEnd, Lines, open_append, open_regular};

pub(super) const EVENTS: &str = "events.jsonl";
pub(super) const TRANSCRIPT: &str = "transcript.jsonl";
pub(super) const SEAL_KIND: &str = "transcript";

/// A run's events, one JSON a line, in the order they happened.
pub struct EventLog {
    file: Mutex<File>,
}

impl EventLog {
    /// Open the log of a run.
    pub(super) fn open(dir: &Dir) -> io::Result<Self> {
        Ok(Self { file: Mutex::new(append(dir, EVENTS)?) })
    }

    /// Add an event. Not synced: losing the last lines in a power cut loses no work.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, event: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        lock(&self.file).write_all(&line)
    }
}

/// All readable events of a run; lines of a kind that this version does not know are skipped.
pub(super) fn read_events<T: serde::de::DeserializeOwned>(dir: &Dir) -> io::Result<Vec<T>> {
    let mut history = RunHistory::default();
    history.read_events(dir)?;
    Ok(history.events)
}

/// A run's journals as far as they have been read: the next read continues from there.
#[derive(Debug)]
pub struct RunHistory<T> {
    /// The events, oldest first; beyond the limit, only the newest.
    pub events: Vec<T>,
    /// The usage of the run's verified turns.
    pub usage: Usage,
    /// The size of each event's line, and of all of them, in bytes.
    sizes: VecDeque<usize>,
    kept_bytes: usize,
    events_read: u64,
    turns_read: u64,
}

impl<T> Default for RunHistory<T> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            usage: Usage::default(),
            sizes: VecDeque::new(),
            kept_bytes: 0,
            events_read: 0,
            turns_read: 0,
        }
    }
}

impl<T: serde::de::DeserializeOwned> RunHistory<T> {
    /// Reads what was added since the last read.
    pub(super) fn read_on(&mut self, dir: &Dir, seal: &Seal) -> io::Result<()> {
        self.read_events(dir)?;
        let mut lines = NewLines::open(dir, TRANSCRIPT, MAX_TURN_LINE_BYTES, self.turns_read)?;
        if lines.from_start {
            self.usage = Usage::default();
        }
        while let Some(line) = lines.next()? {
            if let Some(usage_of) = verified(line, seal).and_then(usage_of) {
                self.usage += usage_of;
            }
        }
        self.turns_read = lines.read();
        Ok(())
    }

    /// The events read so far, which are then forgotten: the next ones are those that are added.
    pub fn take_events(&mut self) -> Vec<T> {
        self.sizes.clear();
        self.kept_bytes = 0;
        std::mem::take(&mut self.events)
    }

    /// As [`read_on`](Self::read_on), of the events alone.
    pub(super) fn read_events(&mut self, dir: &Dir) -> io::Result<()> {
        let mut lines = NewLines::open(dir, EVENTS, MAX_EVENT_LINE_BYTES, self.events_read)?;
        if lines.from_start {
            self.events.clear();
            self.sizes.clear();
            self.kept_bytes = 0;
        }
        while let Some(line) = lines.next()? {
            if let Ok(event) = serde_json::from_slice(line) {
                self.events.push(event);
                self.sizes.push_back(line.len());
                self.kept_bytes += line.len();
                self.drop_oldest();
            }
        }
        self.events_read = lines.read();
        Ok(())
    }

    /// Enforces the limits: when there are too many events, the older half is dropped at once, so that this is rare.
    fn drop_oldest(&mut self) {
        if self.events.len() <= MAX_EVENTS && self.kept_bytes <= MAX_EVENT_BYTES {
            return;
        }
        let mut gone = 0;
        while self.sizes.len() > MAX_EVENTS / 2 || self.kept_bytes > MAX_EVENT_BYTES / 2 {
            let Some(size) = self.sizes.pop_front() else { break };
            self.kept_bytes -= size;
            gone += 1;
        }
        self.events.drain(..gone);
    }
}

/// The complete lines added to a journal since a position. A line without its end is left for the next read; a line
/// that is too long is skipped.
pub(super) struct NewLines {
    lines: Option<Lines<File>>,
    /// The position of the first line.
    start: u64,
    /// Whether the part that was read before is gone.
    from_start: bool,
    line: Vec<u8>,
    name: &'static str,
}

impl NewLines {
    /// The lines beyond the first `read` bytes.
    pub(super) fn open(dir: &Dir, name: &'static str, limit: usize, read: u64) -> io::Result<Self> {
        let opened = open_regular(dir, name).map_err(|fault| io::Error::other(format!("{name}: {fault}")))?;
        let Some((mut file, metadata)) = opened else {
            return Ok(Self { lines: None, start: 0, from_start: read > 0, line: Vec::new(), name });
        };
        // A journal only grows, so a shorter one is a different file.
        let from_start = metadata.len() < read;
        let start = if from_start { 0 } else { read };
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { lines: Some(Lines::new(file, limit)), start, from_start, line: Vec::new(), name })
    }

    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        loop {
            match lines.next_into(&mut self.line)? {
                Some(LineEnd::Whole) => return Ok(Some(&self.line)),
                Some(LineEnd::TooLong) => {
                    let ends = self.start + lines.read();
                    tracing::warn!(journal = self.name, ends, "a line is longer than any of ours and is passed over");
                }
                Some(LineEnd::Cut) | None => return Ok(None),
            }
        }
    }

    /// Bytes of the journal read so far, earlier reads included.
    pub(super) fn read(&self) -> u64 {
        self.start + self.lines.as_ref().map_or(0, Lines::read)
    }
}

/// One line of `transcript.jsonl`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TranscriptLine {
    /// A model turn.
    Turn {
        /// When the answer came.
        at: Timestamp,
        /// Messages added to the conversation since the agent's previous turn: tool results and the like.
        messages: Vec<Message>,
        /// Whether `messages` is the whole conversation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        begins: bool,
        /// What the user told the agent with this request, by the MACs of its lines in `tell.jsonl`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        told: Vec<String>,
        /// The system prompt, if no earlier line holds the same one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<Vec<String>>,
        /// Where it was taken over from, if it was not taken here: the entry of a job's log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The agent, the request and the answer.
        #[serde(flatten)]
        turn: Box<RecordedTurn>,
    },
    /// A conversation ended and its result is on disk: its turns are not replayed.
    Closed {
        /// When.
        at: Timestamp,
        /// Whose conversation.
        closed: String,
    },
    /// A turn failed after all retries, but its attempts had a cost.
    Lost {
        /// When.
        at: Timestamp,
        /// Which agent asked.
        lost: String,
        /// The usage that the provider reported.
        usage: Usage,
        /// Where it was taken over from, as in a turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
}

/// The MAC is the last field of a line and covers the bytes before it, so that verifying needs no re-serialised number.
pub(super) const MAC_FIELD: &str = ",\"mac\":\"";

/// A JSON object as a sealed line.
pub(super) fn sealed(seal: &Seal, kind: &str, text: &str) -> String {
    let body = text.strip_suffix('}').unwrap_or(text);
    let mac = seal.sign(kind, body.as_bytes());
    format!("{body}{MAC_FIELD}{mac}\"}}\n")
}

/// Calls `take` for each verified line of a run's transcript; other lines count as absent.
pub(super) fn each(dir: &Dir, seal: &Seal, mut take: impl FnMut(TranscriptLine)) -> io::Result<()> {
    read_all(dir, seal, &mut |read| match read {
        TranscriptRead::Line(line) => take(*line),
        TranscriptRead::Unverified | TranscriptRead::Unknown => {}
        TranscriptRead::TooLong => {
            tracing::warn!(journal = TRANSCRIPT, "a line is longer than any of ours and is passed over");
        }
    })
}

/// A line of a transcript as it was read.
#[derive(Debug)]
pub enum TranscriptRead {
    /// A verified one.
    Line(Box<TranscriptLine>),
    /// One that this user did not seal for this folder.
    Unverified,
    /// A verified one of a kind that this version does not know.
    Unknown,
    /// One that is longer than any of ours.
    TooLong,
}

/// Calls `take` for each line of a run's transcript, of which only one is held at a time. What a kill cut off, and what is
/// being written, is none.
pub(super) fn read_all(dir: &Dir, seal: &Seal, take: &mut dyn FnMut(TranscriptRead)) -> io::Result<()> {
    let Some((file, _)) = open_regular(dir, TRANSCRIPT)? else { return Ok(()) };
    let (mut lines, mut line) = (Lines::new(file, MAX_TURN_LINE_BYTES), Vec::new());
    while let Some(end) = lines.next_into(&mut line)? {
        let read = match end {
            LineEnd::TooLong => TranscriptRead::TooLong,
            // A kill may have cut off only the line break.
            LineEnd::Whole | LineEnd::Cut => match (verified_body(&line, seal, SEAL_KIND), end) {
                (Some(body), _) => {
                    parsed(body).map_or(TranscriptRead::Unknown, |line| TranscriptRead::Line(line.into()))
                }
                (None, LineEnd::Cut) => continue,
                (None, _) if line.iter().all(u8::is_ascii_whitespace) => continue,
                (None, _) => TranscriptRead::Unverified,
            },
        };
        take(read);
    }
    Ok(())
}

/// Whether a run's transcript holds anything.
pub(super) fn has_lines(dir: &Dir) -> bool {
    open_regular(dir, TRANSCRIPT).ok().flatten().is_some_and(|(_, metadata)| metadata.len() > 0)
}

/// Whether the first line of a run's transcript verifies.
pub(super) fn is_own(dir: &Dir, seal: &Seal) -> bool {
    const FIRST: usize = MAX_TURN_LINE_BYTES / 8;
    let Ok(Some((file, _))) = open_regular(dir, TRANSCRIPT) else { return false };
    let mut line = Vec::new();
    let first = Lines::new(file, FIRST).next_into(&mut line);
    matches!(first, Ok(Some(LineEnd::Whole | LineEnd::Cut))) && verified_body(&line, seal, SEAL_KIND).is_some()
}

fn verified(line: &[u8], seal: &Seal) -> Option<TranscriptLine> {
    parsed(verified_body(line, seal, SEAL_KIND)?)
}

/// The line whose sealed part this is.
fn parsed(body: &str) -> Option<TranscriptLine> {
    let mut json = body.to_owned();
    json.push('}');
    serde_json::from_str(&json).ok()
}

/// The part of a line that its MAC covers, if the MAC verifies.
pub(super) fn verified_body<'a>(line: &'a [u8], seal: &Seal, kind: &str) -> Option<&'a str> {
    let line = std::str::from_utf8(line).ok()?;
    let (body, mac) = line.trim_end_matches('\r').strip_suffix("\"}")?.rsplit_once(MAC_FIELD)?;
    seal.verify(kind, body.as_bytes(), mac).then_some(body)
}

/// The usage of each verified turn of a run, failed ones included, and how many did not fail.
pub(super) fn spending(dir: &Dir, seal: &Seal) -> io::Result<(Vec<Usage>, u64)> {
    let (mut spending, mut turns) = (Vec::new(), 0);
    each(dir, seal, |line| {
        turns += u64::from(matches!(line, TranscriptLine::Turn { .. }));
        spending.extend(usage_of(line));
    })?;
    Ok((spending, turns))
}

fn usage_of(line: TranscriptLine) -> Option<Usage> {
    match line {
        TranscriptLine::Turn { turn, .. } => Some(turn.response.usage),
        TranscriptLine::Lost { usage, .. } => Some(usage),
        TranscriptLine::Closed { .. } => None,
    }
}

/// SHA-256 of everything that determines an answer: model, system prompt, tools, messages, length.
pub fn request_digest(model: &str, request: &TurnRequest) -> String {
    let value = json!([model, request.system, request.tools, request.messages, request.max_tokens]);
    digest(value.to_string().as_bytes())
}

pub(super) fn append(dir: &Dir, name: &str) -> io::Result<File> {
    Ok(open_append(dir, name)?.into_std())
}

/// A poisoned lock only means that another thread panicked between two writes; the file still has complete lines.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
