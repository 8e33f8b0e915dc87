//! What a person tells agents at work: sealed lines in `tell.jsonl` of the run's folder, which any process of the user writes and
//! the run reads before each request.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cap_std::fs::Dir;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal::{self, MAC_FIELD, NewLines, TranscriptLine};
use super::seal::Seal;
use crate::contracts::MAX_TELL_LINE_BYTES;
use crate::workspace::open_append;

const TELL: &str = "tell.jsonl";
const SEAL_KIND: &str = "tell";

/// One line of `tell.jsonl`. Its MAC is the last field, as in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TellLine {
    at: Timestamp,
    /// The run that it is for: a line that was copied to another run counts there as absent.
    run: String,
    /// The agents that were at work, by their labels.
    agents: Vec<String>,
    text: String,
    /// Nothing is told: the run has ended, and what stands behind this line nobody reads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ends: bool,
}

/// What an agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Names the line: its MAC.
    pub id: String,
    /// The words of the person.
    pub text: String,
}

/// The agents that a line is for, and what it tells them.
type Addressed = (Vec<String>, Told);

/// What a genuine line says.
enum Said {
    Told(Addressed),
    Ended,
}

/// What is told to the agents of the run at work.
pub struct Tells {
    dir: Dir,
    seal: Seal,
    run: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Bytes of the file that were read.
    read: u64,
    /// Whether the line was read behind which nothing counts.
    ended: bool,
    seen: BTreeSet<String>,
    entries: Vec<Entry>,
}

/// What one agent is told.
struct Entry {
    agent: String,
    told: Told,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No answer of the agent's model came to it yet.
    Waiting,
    /// It is part of the agent's conversation.
    Taken,
    /// The agent ended without it.
    Missed,
}

impl Tells {
    /// What is told to the agents of a run. `broken_off` is the folder of the run before it, where that was killed, with its id:
    /// what its agents were told and had not taken is told again.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub(super) fn open(dir: &Dir, seal: Seal, run: &str, broken_off: Option<(&Dir, &str)>) -> io::Result<Self> {
        if let Some((before, id)) = broken_off {
            for (agents, told) in not_taken(before, &seal, id)? {
                append(dir, &seal, run, &agents, &told.text)?;
            }
        }
        Ok(Self { dir: dir.try_clone()?, seal, run: run.to_owned(), state: Mutex::default() })
    }

    /// What is told to agents whose conversations are held for a run elsewhere: what [`add`](Self::add) adds.
    ///
    /// # Errors
    /// When the system gives no random numbers, or the folder cannot be used.
    pub fn elsewhere(dir: &Dir, run: &str) -> io::Result<Self> {
        Self::open(dir, Seal::ephemeral(Path::new(""))?, run, None)
    }

    /// Tell an agent something.
    pub fn add(&self, agent: &str, told: Told) {
        let mut state = self.state();
        if state.seen.insert(told.id.clone()) {
            state.entries.push(Entry { agent: agent.to_owned(), told, stage: Stage::Waiting });
        }
    }

    /// What an agent is to be told with its next request.
    pub fn waiting_for(&self, agent: &str) -> Vec<Told> {
        let state = self.read_on();
        let own = state.entries.iter().filter(|entry| entry.agent == agent && entry.stage == Stage::Waiting);
        own.map(|entry| entry.told.clone()).collect()
    }

    /// An agent's model answered to a request with these.
    pub fn take(&self, agent: &str, told: &[String]) {
        let mut state = self.state();
        for entry in state.entries.iter_mut().filter(|entry| entry.agent == agent && told.contains(&entry.told.id)) {
            entry.stage = Stage::Taken;
        }
    }

    /// A conversation of an agent begins: it knows nothing of what an earlier one was told.
    pub fn begin(&self, agent: &str) {
        let mut state = self.state();
        for entry in state.entries.iter_mut().filter(|entry| entry.agent == agent && entry.stage == Stage::Taken) {
            entry.stage = Stage::Waiting;
        }
    }

    /// An agent has ended. Answers with what it was told and did not take.
    pub fn end(&self, agent: &str) -> Vec<String> {
        let mut state = self.read_on();
        let mut missed = Vec::new();
        for entry in state.entries.iter_mut().filter(|entry| entry.agent == agent && entry.stage != Stage::Missed) {
            if entry.stage == Stage::Waiting {
                entry.stage = Stage::Missed;
                missed.push(entry.told.text.clone());
            }
        }
        // A later agent of the same label is another one.
        state.entries.retain(|entry| entry.agent != agent || entry.stage == Stage::Missed);
        missed
    }

    /// The run ends, and whoever tells its agents something from now on is refused. Answers with the agents, and what they were
    /// told before and did not take.
    pub fn close(&self) -> Vec<(String, String)> {
        let end = TellLine { ends: true, ..self.line(&[], "") };
        if let Err(error) = write(&self.dir, &self.seal, &end) {
            tracing::warn!(%error, "what is told from now on is reported by nobody");
        }
        let state = self.read_on();
        let missed = state.entries.iter().filter(|entry| entry.stage != Stage::Taken);
        missed.map(|entry| (entry.agent.clone(), entry.told.text.clone())).collect()
    }

    fn line(&self, agents: &[String], text: &str) -> TellLine {
        TellLine::now(&self.run, agents, text)
    }

    /// Read what was added to the file.
    fn read_on(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        match read(&self.dir, &self.seal, &self.run, state.read) {
            Ok((lines, read)) => {
                state.read = read;
                for said in lines {
                    let Said::Told((agents, told)) = said else {
                        state.ended = true;
                        break;
                    };
                    if !state.ended && state.seen.insert(told.id.clone()) {
                        let entry = |agent| Entry { agent, told: told.clone(), stage: Stage::Waiting };
                        state.entries.extend(agents.into_iter().map(entry));
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "what the agents are told cannot be read"),
        }
        state
    }

    /// A poisoned lock only means that a thread panicked between two changes of single entries.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TellLine {
    fn now(run: &str, agents: &[String], text: &str) -> Self {
        let (run, agents, text) = (run.to_owned(), agents.to_vec(), text.to_owned());
        Self { at: Timestamp::now(), run, agents, text, ends: false }
    }
}

/// Add a line for these agents. Whether the run counts it: it stands in front of the one that ends the run, or there is none.
/// Appended lines have one order, and so either the run reads it at its end at the latest, or this says that it does not.
pub(super) fn append(dir: &Dir, seal: &Seal, run: &str, agents: &[String], text: &str) -> io::Result<bool> {
    let own = write(dir, seal, &TellLine::now(run, agents, text))?;
    let (lines, _) = read(dir, seal, run, 0)?;
    let first = lines.iter().find(|said| match said {
        Said::Told((_, told)) => own.contains(&told.id),
        Said::Ended => true,
    });
    Ok(matches!(first, Some(Said::Told(_))))
}

/// Add a line. Answers with it as it stands in the file.
fn write(dir: &Dir, seal: &Seal, line: &TellLine) -> io::Result<String> {
    let line = journal::sealed(seal, SEAL_KIND, &serde_json::to_string(line)?);
    let mut file = open_append(dir, TELL)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()?;
    Ok(line)
}

/// The genuine lines beyond the first `from` bytes, and how many bytes there are by now.
fn read(dir: &Dir, seal: &Seal, run: &str, from: u64) -> io::Result<(Vec<Said>, u64)> {
    let mut lines = NewLines::open(dir, TELL, MAX_TELL_LINE_BYTES, from)?;
    let mut all = Vec::new();
    while let Some(line) = lines.next()? {
        all.extend(verified(line, seal, run));
    }
    Ok((all, lines.read()))
}

fn verified(line: &[u8], seal: &Seal, run: &str) -> Option<Said> {
    let body = journal::verified_body(line, seal, SEAL_KIND)?;
    let (_, mac) = std::str::from_utf8(line).ok()?.trim_end().strip_suffix("\"}")?.rsplit_once(MAC_FIELD)?;
    let line: TellLine = serde_json::from_str(&format!("{body}}}")).ok()?;
    (line.run == run).then(|| match line.ends {
        true => Said::Ended,
        false => Said::Told((line.agents, Told { id: mac.to_owned(), text: line.text })),
    })
}

/// What was told in a run, with the agents that did not take it.
fn not_taken(dir: &Dir, seal: &Seal, run: &str) -> io::Result<Vec<Addressed>> {
    let (lines, _) = read(dir, seal, run, 0)?;
    let mut lines: Vec<Addressed> = lines
        .into_iter()
        .map_while(|said| match said {
            Said::Told(addressed) => Some(addressed),
            Said::Ended => None,
        })
        .collect();
    if lines.is_empty() {
        return Ok(lines);
    }
    let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
    journal::each(dir, seal, |line| {
        if let TranscriptLine::Turn { turn, told, .. } = line {
            taken.extend(told.into_iter().map(|id| (turn.agent.clone(), id)));
        }
    })?;
    for (agents, told) in &mut lines {
        agents.retain(|agent| !taken.contains(&(agent.clone(), told.id.clone())));
    }
    lines.retain(|(agents, _)| !agents.is_empty());
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Dir, Seal) {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let seal = Seal::ephemeral(folder.path()).unwrap();
        (folder, dir, seal)
    }

    fn agents(agents: &[&str]) -> Vec<String> {
        agents.iter().map(|agent| (*agent).to_owned()).collect()
    }

    #[test]
    fn each_agent_takes_what_it_is_told_once_in_each_of_its_conversations() {
        let (_folder, dir, seal) = folder();
        let tells = Tells::open(&dir, seal.clone(), "r", None).unwrap();
        assert!(tells.waiting_for("plan").is_empty());
        append(&dir, &seal, "r", &agents(&["implement/T1", "implement/T2"]), "use tabs").unwrap();
        let told = tells.waiting_for("implement/T1");
        assert_eq!(told.iter().map(|told| told.text.as_str()).collect::<Vec<_>>(), ["use tabs"]);
        let ids: Vec<String> = told.iter().map(|told| told.id.clone()).collect();
        tells.take("implement/T1", &ids);
        assert!(tells.waiting_for("implement/T1").is_empty() && !tells.waiting_for("implement/T2").is_empty());
        tells.begin("implement/T1");
        assert_eq!(tells.waiting_for("implement/T1"), told, "its next conversation knows nothing of it");
        tells.take("implement/T1", &ids);
        assert!(tells.end("implement/T1").is_empty());
        append(&dir, &seal, "r", &agents(&["implement/T1"]), "too late").unwrap();
        assert_eq!(tells.end("implement/T2"), ["use tabs"]);
        let missed = [("implement/T2", "use tabs"), ("implement/T1", "too late")];
        assert_eq!(tells.close(), missed.map(|(agent, text)| (agent.to_owned(), text.to_owned())));
    }

    #[test]
    fn whoever_tells_something_at_the_end_of_a_run_is_reported_by_it_or_refused() {
        let (_folder, dir, seal) = folder();
        let tells = Tells::open(&dir, seal.clone(), "r", None).unwrap();
        let tell = |text: &str| append(&dir, &seal, "r", &agents(&["plan"]), text).unwrap();
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..4)
                .map(|other| scope.spawn(move || (0..20).filter(|n| tell(&format!("{other}-{n}"))).count()))
                .collect();
            let reported = tells.close().len();
            let told: usize = others.into_iter().map(|other| other.join().unwrap()).sum();
            assert_eq!(told, reported, "each was told to be taken or reported, never both and never neither");
        });
        assert!(!tell("after the end"));
        assert!(tells.waiting_for("plan").iter().all(|told| told.text != "after the end"));
        let (_next_folder, next, _) = folder();
        let before = tells.close().len();
        let tells = Tells::open(&next, seal.clone(), "r2", Some((&dir, "r"))).unwrap();
        assert_eq!(tells.waiting_for("plan").len(), before, "what was refused is told to no later run");
    }

    #[test]
    fn a_line_that_is_forged_copied_or_repeated_tells_nothing() {
        let (folder, dir, seal) = folder();
        let tells = Tells::open(&dir, seal.clone(), "r", None).unwrap();
        append(&dir, &seal, "other", &agents(&["plan"]), "of another run").unwrap();
        append(&dir, &seal, "r", &agents(&["plan"]), "mine").unwrap();
        let file = folder.path().join(TELL);
        let text = std::fs::read_to_string(&file).unwrap();
        let own = text.lines().last().unwrap();
        let forged = own.replace("mine", "evil");
        std::fs::write(&file, format!("{text}{own}\n{forged}\nnot json\n{{}}\n\n")).unwrap();
        let told: Vec<String> = tells.waiting_for("plan").into_iter().map(|told| told.text).collect();
        assert_eq!(told, ["mine"]);
    }

    #[test]
    fn what_a_killed_run_had_not_taken_is_told_in_the_next_one() {
        let ((_before_folder, before, seal), (_folder, dir, _)) = (folder(), folder());
        append(&before, &seal, "r1", &agents(&["plan"]), "first").unwrap();
        let tells = Tells::open(&dir, seal, "r2", Some((&before, "r1"))).unwrap();
        let told: Vec<String> = tells.waiting_for("plan").into_iter().map(|told| told.text).collect();
        assert_eq!(told, ["first"]);
    }
}
