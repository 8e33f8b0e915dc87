//! What goes out: the events of the runs, in order, and how far each place where they are sent has come with them.
//!
//! `events.jsonl` of each run is the outbox. A cursor, `sinks/<sha>.json`, says what a sink has taken. It is sealed, and its name is
//! a MAC of the address: one that is torn, forged or from elsewhere counts as unreadable, and everything is sent again. Only the
//! holder of the run lock writes one.

use std::io;

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use super::error::MemoryError;
use super::files::{RUNS, SINKS};
use super::journal::{EVENTS, NewLines, sealed, verified_body};
use super::run_id::RunId;
use super::seal::Seal;
use super::store::Store;
use crate::contracts::{MAX_EVENT_LINE_BYTES, MAX_NOTE_BYTES};
use crate::workspace::{self, find_folder, read_bounded};

const SEAL_KIND: &str = "sink";

/// One event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The run it belongs to.
    pub run: RunId,
    /// Its number in the run.
    pub seq: u64,
    /// The id of its workflow; empty in events that an older version wrote.
    pub workflow: String,
    /// What it is about.
    pub phase: String,
    /// What happened.
    pub status: String,
    /// The event: one line of JSON, without its end.
    pub json: String,
    /// Where it ends in the journal.
    end: u64,
}

impl OutboxEvent {
    /// What it is known by, however often it is sent.
    pub fn id(&self) -> String {
        format!("{}:{}", self.run, self.seq)
    }
}

/// How far a sink has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// The sink: the name of the file.
    sink: String,
    /// The run whose events it is sent next.
    run: String,
    /// Bytes of that run's journal that it has taken.
    offset: u64,
    /// The last run that was begun while the sink was set: later ones are not meant for it.
    through: String,
}

/// The fields of an event that are needed to send it.
#[derive(Deserialize)]
struct Head {
    seq: u64,
    #[serde(default)]
    workflow: String,
    phase: String,
    status: String,
}

/// The events that a sink has not taken.
pub struct Outbox {
    store: Store,
    name: String,
    cursor: Cursor,
    /// Whether the file says less than `cursor`.
    is_dirty: bool,
}

impl Outbox {
    /// What a sink has not taken, under the run lock; `identity` tells it from others. With `begins`, a run that is about to
    /// start, the events of that run are among it, and a sink that is new begins there. Without, a sink that is new has nothing to take:
    /// `None`.
    ///
    /// # Errors
    /// When the runs cannot be listed, or the cursor cannot be written.
    pub fn open(store: &Store, identity: &str, begins: Option<&RunId>) -> Result<Option<Self>, MemoryError> {
        let name = store.seal().sign(SEAL_KIND, identity.as_bytes());
        let found = read(store, &name);
        let start = match (&found, begins) {
            (Found::Nothing, None) => return Ok(None),
            (Found::Cursor(cursor), _) => Some(cursor.clone()),
            (Found::Nothing, Some(run)) => Some(Cursor::at(&name, run, run)),
            // Whatever it took: at worst it is sent again.
            (Found::Unreadable, _) => {
                let runs = store.runs()?;
                runs.first().zip(runs.last()).map(|(first, last)| Cursor::at(&name, first, begins.unwrap_or(last)))
            }
        };
        let Some(mut cursor) = start else { return Ok(None) };
        if let Some(run) = begins {
            run.as_str().clone_into(&mut cursor.through);
        }
        let is_dirty = !matches!(&found, Found::Cursor(found) if *found == cursor);
        let mut outbox = Self { store: store.clone(), name, cursor, is_dirty };
        outbox.save()?;
        Ok(Some(outbox))
    }

    /// The next events, oldest first, all of one run: so many at most, and so many bytes, but for a single one. None where all is
    /// taken. The same again until [`Self::taken`].
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn next(&mut self, most: usize, most_bytes: usize) -> Result<Vec<OutboxEvent>, MemoryError> {
        loop {
            if let Some(run) = RunId::parse(&self.cursor.run)
                && let Ok(dir) = self.store.run_folder(&run)
            {
                let read = read_events(&dir, &run, self.cursor.offset, most, most_bytes);
                let (events, passed) =
                    read.map_err(|source| self.store.file_error("read", &format!("{RUNS}/{run}/{EVENTS}"), source))?;
                if !events.is_empty() {
                    return Ok(events);
                }
                self.is_dirty |= passed != self.cursor.offset;
                self.cursor.offset = passed;
            }
            let later = self.store.runs()?.into_iter().find(|run| run.as_str() > self.cursor.run.as_str());
            let Some(later) = later else { return Ok(Vec::new()) };
            later.as_str().clone_into(&mut self.cursor.run);
            self.cursor.offset = 0;
            self.is_dirty = true;
        }
    }

    /// Notes that an event, and all before it, was taken. It is not on disk before [`Self::save`]: after a kill it is sent again.
    pub fn taken(&mut self, event: &OutboxEvent) {
        event.run.as_str().clone_into(&mut self.cursor.run);
        self.cursor.offset = event.end;
        self.is_dirty = true;
    }

    /// Whether [`Self::save`] has anything to write.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Writes down what was taken.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&mut self) -> Result<(), MemoryError> {
        if !self.is_dirty {
            return Ok(());
        }
        let file = format!("{SINKS}/{}.json", self.name);
        let write = || -> io::Result<()> {
            let dir = self.store.dir_for_writing().map_err(io::Error::other)?;
            if find_folder(dir, SINKS)?.is_none() {
                dir.create_dir(SINKS)?;
            }
            let line = sealed(self.store.seal(), SEAL_KIND, &serde_json::to_string(&self.cursor)?);
            workspace::replace(&dir.open_dir(SINKS)?, &format!("{}.json", self.name), line.as_bytes(), 0o600)
        };
        write().map_err(|source| self.store.file_error("write", &file, source))?;
        self.is_dirty = false;
        Ok(())
    }

    /// How many events are not taken yet; counted up to the limit.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn left(&self, limit: usize) -> Result<usize, MemoryError> {
        let mut ahead =
            Self { store: self.store.clone(), name: self.name.clone(), cursor: self.cursor.clone(), is_dirty: false };
        let mut left = 0;
        while left < limit {
            let events = ahead.next(limit - left, usize::MAX)?;
            let Some(last) = events.last() else { break };
            left += events.len();
            ahead.taken(last);
        }
        Ok(left)
    }
}

impl Cursor {
    fn at(sink: &str, run: &RunId, through: &RunId) -> Self {
        Self { sink: sink.to_owned(), run: run.to_string(), offset: 0, through: through.to_string() }
    }

    /// Whether events of a run have not been taken.
    fn lacks(&self, store: &Store, run: &RunId) -> bool {
        let run_name = run.as_str();
        if run_name > self.through.as_str() || run_name < self.run.as_str() {
            return false;
        }
        let offset = if run_name == self.run { self.offset } else { 0 };
        let Ok(dir) = store.run_folder(run) else { return false };
        read_events(&dir, run, offset, 1, usize::MAX).is_ok_and(|(events, _)| !events.is_empty())
    }
}

/// Whether a sink, whichever it is, has not taken all events of a run. A cursor that cannot be read has taken none.
pub fn lacks_events(store: &Store, run: &RunId) -> bool {
    let Some(dir) = store.existing_dir() else { return false };
    let Ok(Some(folder)) = find_folder(dir, SINKS) else { return false };
    let Ok(entries) = folder.entries() else { return false };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    names.any(|name| match read(store, &name) {
        Found::Cursor(cursor) => cursor.lacks(store, run),
        Found::Unreadable => true,
        Found::Nothing => false,
    })
}

/// What there is of a cursor.
enum Found {
    Nothing,
    Unreadable,
    Cursor(Cursor),
}

fn read(store: &Store, name: &str) -> Found {
    let Some(dir) = store.existing_dir() else { return Found::Nothing };
    let folder = match find_folder(dir, SINKS) {
        Ok(Some(folder)) => folder,
        Ok(None) => return Found::Nothing,
        Err(_) => return Found::Unreadable,
    };
    match read_bounded(&folder, &format!("{name}.json"), MAX_NOTE_BYTES) {
        Ok(None) => Found::Nothing,
        Ok(Some(bytes)) => genuine(store.seal(), name, &bytes).map_or(Found::Unreadable, Found::Cursor),
        Err(_) => Found::Unreadable,
    }
}

fn genuine(seal: &Seal, name: &str, bytes: &[u8]) -> Option<Cursor> {
    let body = verified_body(bytes.strip_suffix(b"\n")?, seal, SEAL_KIND)?;
    let cursor: Cursor = serde_json::from_str(&format!("{body}}}")).ok()?;
    (cursor.sink == name && RunId::parse(&cursor.run).is_some()).then_some(cursor)
}

/// Events of a run behind these bytes of its journal, and where what was passed over before the first one ends. What is no event,
/// and a line that is being written, is passed over or left.
fn read_events(
    dir: &Dir,
    run: &RunId,
    offset: u64,
    most: usize,
    most_bytes: usize,
) -> io::Result<(Vec<OutboxEvent>, u64)> {
    let mut lines = NewLines::open(dir, EVENTS, MAX_EVENT_LINE_BYTES, offset)?;
    let (mut events, mut bytes, mut passed) = (Vec::new(), 0, lines.read());
    while events.len() < most {
        let Some(line) = lines.next()? else { break };
        let text = std::str::from_utf8(line).ok().map(str::to_owned);
        let end = lines.read();
        let head: Option<Head> = text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some((json, head)) = text.zip(head) else {
            if events.is_empty() {
                passed = end;
            }
            continue;
        };
        bytes += json.len();
        if bytes > most_bytes && !events.is_empty() {
            break;
        }
        let Head { seq, workflow, phase, status } = head;
        events.push(OutboxEvent { run: run.clone(), seq, workflow, phase, status, json, end });
    }
    Ok((events, passed))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::contracts::{Handoffs, RepoPath};
    use crate::workspace::Workspace;

    struct Place {
        _state: tempfile::TempDir,
        root: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            let (state, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let workspace = Workspace::open(root.path()).unwrap();
            let seal = Seal::open(state.path(), workspace.root()).unwrap();
            let folder = RepoPath::parse(".agent_memory").unwrap();
            let store = Store::open(&workspace, &folder, seal, Handoffs::new([])).unwrap();
            Self { _state: state, root, store }
        }

        fn run(&self, name: &str) -> RunId {
            let id = RunId::parse(name).unwrap();
            drop(self.store.begin_run(&id).unwrap());
            id
        }

        fn write(&self, run: &RunId, text: &str) {
            let path = self.root.path().join(format!(".agent_memory/runs/{run}/events.jsonl"));
            std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
        }

        fn events(&self, run: &RunId, seqs: std::ops::RangeInclusive<u64>) {
            for seq in seqs {
                self.write(run, &format!("{{\"seq\":{seq},\"phase\":\"plan\",\"status\":\"progress\"}}\n"));
            }
        }

        fn cursor(&self) -> std::path::PathBuf {
            let mut files = std::fs::read_dir(self.root.path().join(".agent_memory/sinks")).unwrap();
            files.next().unwrap().unwrap().path()
        }

        fn outbox(&self, begins: Option<&RunId>) -> Outbox {
            Outbox::open(&self.store, "http://a", begins).unwrap().unwrap()
        }
    }

    fn ids(outbox: &mut Outbox, most: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        loop {
            let events = outbox.next(most, usize::MAX).unwrap();
            let Some(last) = events.last() else { return ids };
            ids.extend(events.iter().map(|event| event.seq));
            outbox.taken(last);
        }
    }

    const FIRST: &str = "20260102-120000-0001";
    const SECOND: &str = "20260102-120001-0002";

    #[test]
    fn a_new_sink_begins_with_the_run_that_it_is_first_set_for_and_goes_on_where_it_was() {
        let place = Place::new();
        let (first, second) = (place.run(FIRST), place.run(SECOND));
        place.events(&first, 1..=2);
        assert!(Outbox::open(&place.store, "http://a", None).unwrap().is_none(), "nothing is due to it");
        let mut outbox = place.outbox(Some(&second));
        place.events(&second, 1..=3);
        place.write(&second, "no event\n{\"seq\":4,\"phase\":\"plan\",\"status\":\"done\"}\n{\"seq\":5,\"pha");
        assert_eq!(outbox.left(100).unwrap(), 4);
        assert_eq!(ids(&mut outbox, 2), [1, 2, 3, 4], "a line that is being written is none yet");
        assert_eq!(ids(&mut place.outbox(None), 2), [1, 2, 3, 4], "it was not saved");
        outbox.save().unwrap();
        place.write(&second, "se\":\"plan\",\"status\":\"done\"}\n");
        assert_eq!(ids(&mut place.outbox(None), 2), [5]);
    }

    #[test]
    fn events_of_earlier_runs_come_first_and_a_run_that_is_gone_is_passed_over() {
        let place = Place::new();
        let first = place.run(FIRST);
        let mut outbox = place.outbox(Some(&first));
        place.events(&first, 1..=2);
        let second = place.run(SECOND);
        place.events(&second, 1..=2);
        assert!(
            lacks_events(&place.store, &first) && !lacks_events(&place.store, &second),
            "it was not set for the second"
        );
        let events = outbox.next(1, usize::MAX).unwrap();
        assert_eq!(events[0].id(), format!("{FIRST}:1"));
        outbox.taken(&events[0]);
        assert_eq!(ids(&mut outbox, 10), [2, 1, 2]);
        let mut outbox = place.outbox(Some(&second));
        assert!(lacks_events(&place.store, &second));
        std::fs::remove_dir_all(place.root.path().join(format!(".agent_memory/runs/{FIRST}"))).unwrap();
        assert_eq!(ids(&mut outbox, 10), [1, 2]);
        outbox.save().unwrap();
        assert!(!lacks_events(&place.store, &second));
    }

    #[test]
    fn a_cursor_that_is_torn_forged_or_of_another_sink_sends_everything_again() {
        let place = Place::new();
        let (first, second) = (place.run(FIRST), place.run(SECOND));
        place.events(&first, 1..=2);
        place.events(&second, 1..=1);
        let mut outbox = place.outbox(Some(&second));
        assert_eq!(ids(&mut outbox, 10), [1]);
        outbox.save().unwrap();
        let (path, genuine) = (place.cursor(), std::fs::read_to_string(place.cursor()).unwrap());
        Outbox::open(&place.store, "http://b", Some(&second)).unwrap();
        let other = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        let other = std::fs::read_to_string(other.filter(|found| *found != path).last().unwrap()).unwrap();
        for text in [&genuine[..genuine.len() / 2], "", &genuine.replace("\"offset\":", "\"offset\":9"), &other] {
            std::fs::write(&path, text).unwrap();
            assert!(lacks_events(&place.store, &first), "{text}");
            assert_eq!(ids(&mut place.outbox(None), 10), [1, 2, 1], "{text}");
        }
        std::fs::write(&path, &genuine).unwrap();
        assert!(ids(&mut place.outbox(None), 10).is_empty());
    }
}
