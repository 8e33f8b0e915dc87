//! A run's model turns, and those of the workflow's earlier runs whose conversations did not end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use cap_std::fs::Dir;
use jiff::Timestamp;

use super::journal::{SEAL_KIND, TRANSCRIPT, TranscriptLine, append, each, lock, request_digest, sealed};
use super::plan_lock::digest;
use super::seal::Seal;
use crate::models::{Message, RecordedTurn, Role, TurnRequest};

/// A run's model turns, kept so that no turn is paid for twice.
pub struct Transcript {
    seal: Seal,
    state: Mutex<State>,
}

struct State {
    file: File,
    systems: HashSet<String>,
    /// Answers of earlier runs whose conversation did not end, by agent and request.
    unclaimed: BTreeMap<(String, String), VecDeque<Unclaimed>>,
    /// The last system prompt of earlier runs for each kind of agent: the part of its label before the `/`.
    last_systems: HashMap<String, Vec<String>>,
    /// How many conversations each agent had that have ended.
    closed: HashMap<String, u32>,
    /// Where turns come from that were taken elsewhere.
    taken_over: HashSet<String>,
}

struct Unclaimed {
    /// When the answer came.
    at: Timestamp,
    /// The messages of the request.
    messages: Vec<Message>,
    turn: RecordedTurn,
}

/// What the transcripts of earlier runs hold.
#[derive(Default)]
struct Earlier {
    unclaimed: BTreeMap<(String, String), VecDeque<Unclaimed>>,
    last_systems: HashMap<String, Vec<String>>,
    closed: HashMap<String, u32>,
    taken_over: HashSet<String>,
    /// The conversations of the run that is being read, by agent.
    conversations: HashMap<String, Vec<Message>>,
}

impl Earlier {
    fn take(&mut self, line: TranscriptLine) {
        match line {
            TranscriptLine::Turn { turn, messages: added, begins, system, from, at, .. } => {
                self.taken_over.extend(from);
                if let Some(system) = system {
                    self.last_systems.insert(kind_of(&turn.agent).to_owned(), system);
                }
                let conversation = self.conversations.entry(turn.agent.clone()).or_default();
                if begins {
                    conversation.clear();
                }
                conversation.extend(added);
                let messages = conversation.clone();
                conversation.push(Message { role: Role::Assistant, content: turn.response.content.clone() });
                let key = (turn.agent.clone(), turn.request_sha256.clone());
                self.unclaimed.entry(key).or_default().push_back(Unclaimed { at, messages, turn: *turn });
            }
            TranscriptLine::Closed { closed, .. } => {
                self.unclaimed.retain(|(agent, _), _| *agent != closed);
                *self.closed.entry(closed).or_default() += 1;
            }
            TranscriptLine::Lost { from, .. } => self.taken_over.extend(from),
        }
    }
}

impl Transcript {
    /// Opens the transcript of a run. `earlier` are the folders of the workflow's earlier runs, oldest first; each is
    /// opened only when it is read.
    pub(super) fn open(dir: &Dir, earlier: impl Iterator<Item = io::Result<Dir>>, seal: Seal) -> io::Result<Self> {
        let mut before = Earlier::default();
        for run in earlier {
            before.conversations.clear();
            each(&run?, &seal, |line| before.take(line))?;
        }
        Self::after(dir, before, seal)
    }

    /// Opens the transcript of a conversation that is held for a run elsewhere. `lines` are those it has had so far.
    ///
    /// # Errors
    /// When the system gives no random numbers, or the file cannot be opened.
    pub fn elsewhere(dir: &Dir, lines: impl IntoIterator<Item = TranscriptLine>) -> io::Result<Self> {
        let mut before = Earlier::default();
        lines.into_iter().for_each(|line| before.take(line));
        Self::after(dir, before, Seal::ephemeral(Path::new(""))?)
    }

    fn after(dir: &Dir, before: Earlier, seal: Seal) -> io::Result<Self> {
        let Earlier { unclaimed, last_systems, closed, taken_over, .. } = before;
        let file = append(dir, TRANSCRIPT)?;
        let state = State { file, systems: HashSet::new(), unclaimed, last_systems, closed, taken_over };
        Ok(Self { seal, state: Mutex::new(state) })
    }

    /// The recorded answer to this exact request, if an interrupted conversation got one.
    pub fn recall(&self, agent: &str, request_sha256: &str) -> Option<RecordedTurn> {
        let mut state = lock(&self.state);
        let answers = state.unclaimed.get_mut(&(agent.to_owned(), request_sha256.to_owned()))?;
        answers.pop_front().map(|unclaimed| unclaimed.turn)
    }

    /// The recorded answer to a request whose messages are equivalent, and the messages of that request.
    /// `is_equivalent` compares the messages; everything else has to be the same.
    pub fn recall_like(
        &self,
        model: &str,
        request: &TurnRequest,
        is_equivalent: &dyn Fn(&[Message]) -> bool,
    ) -> Option<(Vec<Message>, RecordedTurn)> {
        let mut state = lock(&self.state);
        for ((agent, request_sha256), answers) in &mut state.unclaimed {
            let Some(answer) = answers.front().filter(|_| *agent == request.agent) else { continue };
            if !is_equivalent(&answer.messages) {
                continue;
            }
            let recorded = TurnRequest { messages: answer.messages.clone(), ..request.clone() };
            if request_digest(model, &recorded) == *request_sha256 {
                return answers.pop_front().map(|answer| (answer.messages, answer.turn));
            }
        }
        None
    }

    /// The system prompt of the conversations of this kind (the part of an agent's label before the `/`) that earlier runs left
    /// open: they are resumed only with the same one. `None` where none is open.
    pub fn open_system(&self, kind: &str) -> Option<Vec<String>> {
        let state = lock(&self.state);
        let is_open = state.unclaimed.keys().any(|(agent, _)| kind_of(agent) == kind);
        state.last_systems.get(kind).filter(|_| is_open).cloned()
    }

    /// The line of a turn. `told` names what the user told the agent with it.
    ///
    /// # Errors
    /// When the system prompt cannot be serialised.
    pub fn turn(
        &self,
        at: Timestamp,
        request: &TurnRequest,
        new_messages: &[Message],
        told: Vec<String>,
        turn: RecordedTurn,
    ) -> io::Result<TranscriptLine> {
        let prefix = digest(&serde_json::to_vec(&request.system)?);
        let system = lock(&self.state).systems.insert(prefix).then(|| request.system.clone());
        Ok(TranscriptLine::Turn {
            at,
            messages: new_messages.to_vec(),
            begins: new_messages.len() == request.messages.len(),
            told,
            system,
            from: None,
            turn: turn.into(),
        })
    }

    /// Records a line durably, so that its turn need not be paid for again.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn record(&self, line: &TranscriptLine) -> io::Result<()> {
        let mut state = lock(&self.state);
        self.write(&mut state.file, line)?;
        state.file.sync_data()
    }

    /// The models that answered in the conversations that were left open.
    pub fn models(&self) -> Vec<String> {
        let state = lock(&self.state);
        let turns = state.unclaimed.values().flatten().map(|unclaimed| unclaimed.turn.model.clone());
        turns.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// How many conversations of an agent have come to their ends in the workflow.
    pub fn closed(&self, agent: &str) -> u32 {
        lock(&self.state).closed.get(agent).copied().unwrap_or(0)
    }

    /// The turns of an agent whose conversation was left open, each with the whole conversation before it.
    pub fn left_open(&self, agent: &str) -> Vec<TranscriptLine> {
        let state = lock(&self.state);
        let open = state.unclaimed.iter().filter(|((owner, _), _)| owner == agent).flat_map(|(_, turns)| turns);
        let line = |open: &Unclaimed| TranscriptLine::Turn {
            at: open.at,
            messages: open.messages.clone(),
            begins: true,
            told: Vec::new(),
            system: None,
            from: None,
            turn: Box::new(open.turn.clone()),
        };
        let mut lines: Vec<(usize, TranscriptLine)> = open.map(|open| (open.messages.len(), line(open))).collect();
        lines.sort_by_key(|(messages, _)| *messages);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Whether a turn that was taken elsewhere stands here already, by where it comes from.
    pub fn has_taken_over(&self, from: &str) -> bool {
        lock(&self.state).taken_over.contains(from)
    }

    /// Records that the result of an agent's conversation is on disk.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn close(&self, at: Timestamp, agent: &str) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.unclaimed.retain(|(owner, _), _| owner != agent);
        *state.closed.entry(agent.to_owned()).or_default() += 1;
        self.write(&mut state.file, &TranscriptLine::Closed { at, closed: agent.to_owned() })
    }

    /// Closes a conversation that an earlier run left open; writes nothing if there is none.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn close_left_open(&self, at: Timestamp, agent: &str) -> io::Result<()> {
        let is_open = lock(&self.state).unclaimed.keys().any(|(owner, _)| owner == agent);
        if is_open { self.close(at, agent) } else { Ok(()) }
    }

    fn write(&self, file: &mut File, line: &TranscriptLine) -> io::Result<()> {
        file.write_all(sealed(&self.seal, SEAL_KIND, &serde_json::to_string(line)?).as_bytes())
    }
}

fn kind_of(agent: &str) -> &str {
    agent.split_once('/').map_or(agent, |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Usage;
    use crate::memory::journal::{EVENTS, RunHistory};

    fn lost(usage: Usage) -> TranscriptLine {
        TranscriptLine::Lost { at: Timestamp::UNIX_EPOCH, lost: "plan".to_owned(), usage, from: None }
    }

    #[test]
    fn a_history_reads_on_where_it_stopped_and_counts_no_line_twice() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let seal = Seal::ephemeral(folder.path()).unwrap();
        let mut history = RunHistory::<u32>::default();
        history.read_on(&dir, &seal).unwrap();
        assert!(history.events.is_empty(), "there is no journal yet");
        let transcript = Transcript::open(&dir, std::iter::empty(), seal.clone()).unwrap();
        let usage = Usage { input_tokens: 5, ..Usage::default() };
        let write = |text: &str| append(&dir, EVENTS).and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
        write("1\n2\n");
        transcript.record(&lost(usage)).unwrap();
        for _ in 0..2 {
            history.read_on(&dir, &seal).unwrap();
            assert_eq!((history.events.as_slice(), history.usage.input_tokens), ([1, 2].as_slice(), 5));
        }
        // A line that is being written is read when it is whole.
        let mut file = append(&dir, EVENTS).unwrap();
        file.write_all(b"3").unwrap();
        history.read_on(&dir, &seal).unwrap();
        assert_eq!(history.events, [1, 2]);
        file.write_all(b"3\n").unwrap();
        transcript.record(&lost(usage)).unwrap();
        history.read_on(&dir, &seal).unwrap();
        assert_eq!((history.events.as_slice(), history.usage.input_tokens), ([1, 2, 33].as_slice(), 10));
        // Another journal in its place.
        dir.write(EVENTS, "7\n").unwrap();
        history.read_on(&dir, &seal).unwrap();
        assert_eq!(history.events, [7]);
    }
}
