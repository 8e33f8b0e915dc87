//! Tells agents at work something, from whatever process: they take it with their next request.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::contracts::{MAX_TELL_BYTES, PhaseName};
use crate::memory::{LockHolder, Memory, RunId, Store, tidied};
use crate::text::safe_lines;
use crate::workflow::run::activity::task_agent;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{EventPhase, EventStatus, PhaseEvent};
use crate::workflow::run::phase::Phases;
use crate::workflow::run::phase_names::{IMPLEMENT, PLAN};

/// Who was told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldTo {
    /// The run at work.
    pub run: String,
    /// The tasks by their ids, or the one phase.
    pub names: Vec<String>,
}

/// How long an agent is waited for between two of them, and at which interval it is looked for.
const BETWEEN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why nobody is told.
#[derive(Debug, PartialEq, Eq)]
enum Nobody {
    /// One agent has ended and the next is about to begin.
    Yet(String),
    /// That does not change by itself.
    Now(String),
}

/// Tell the conversation of the phase at work, every running task, or this one. It is taken with the next request that is made;
/// where none is made any more, the run says so. Between two agents the next one is waited for, for a moment.
///
/// # Errors
/// When the text is empty or too long, nothing is at work, a plan waits for an answer, or the task is none that runs.
pub fn tell(store: &Store, phases: &Phases, text: &str, task: Option<&str>) -> Result<ToldTo, StartError> {
    let text = valid(text).map_err(StartError::Usage)?;
    let began = Instant::now();
    loop {
        match tell_now(store, phases, &text, task)? {
            Ok(told) => return Ok(told),
            Err(Nobody::Yet(_)) if began.elapsed() < BETWEEN => std::thread::sleep(LOOK_EVERY),
            Err(Nobody::Yet(why) | Nobody::Now(why)) => return Err(StartError::Usage(why)),
        }
    }
}

/// The text as it is told.
///
/// # Errors
/// Why it is not.
fn valid(text: &str) -> Result<String, String> {
    let text = tidied(text);
    if safe_lines(&text).trim().is_empty() {
        return Err("there is nothing to tell: the text is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("the text holds a NUL character, which is never told".to_owned());
    }
    if text.len() > MAX_TELL_BYTES {
        return Err(format!(
            "the text has {} bytes, and may have {MAX_TELL_BYTES}; put what is long into a file and name it: agents read files",
            text.len()
        ));
    }
    Ok(text)
}

fn tell_now(
    store: &Store,
    phases: &Phases,
    text: &str,
    task: Option<&str>,
) -> Result<Result<ToldTo, Nobody>, StartError> {
    let now = |why: &str| Ok(Err(Nobody::Now(why.to_owned())));
    let Some((holder, run)) = at_work(store) else { return now(NOTHING_RUNS) };
    if !store.seal().is_kept() && holder.pid != std::process::id() {
        return now(NO_KEY);
    }
    let events: Vec<PhaseEvent> = store.events(&run)?;
    let (memory, _faults) = store.inspect()?;
    let recipients = match recipients(&Standing::of(&events), phases, &memory, task) {
        Ok(recipients) => recipients,
        Err(nobody) => return Ok(Err(nobody)),
    };
    let agents: Vec<String> = recipients.iter().map(|(agent, _)| agent.clone()).collect();
    if !store.tell(&run, &agents, text)? {
        return now(&format!("run {run} ended just now: nobody takes what you told"));
    }
    if at_work(store).is_none_or(|(_, now)| now != run) && !has_ended(store, &run)? {
        return now(&format!(
            "run {run} broke off just now, and no agent took what you told; tell it again once the work goes on"
        ));
    }
    Ok(Ok(ToldTo { run: run.to_string(), names: recipients.into_iter().map(|(_, name)| name).collect() }))
}

/// Whether the last event of a run tells its end, and with it what nobody took.
fn has_ended(store: &Store, run: &RunId) -> Result<bool, StartError> {
    let events: Vec<PhaseEvent> = store.events(run)?;
    Ok(events.iter().any(|event| event.outcome.is_some()))
}

const NOTHING_RUNS: &str = "nothing runs here: there is no agent to tell anything";
const WAITS: &str = "the plan waits for your answer, and no agent is at work. Say what should be different by Revise: \
                     `baton plan --feedback \"…\"`";
const NO_KEY: &str = "the run belongs to another process, which could not tell that it was you: Baton's state folder \
                      ($XDG_STATE_HOME/baton, else ~/.local/state/baton) cannot be written. Make it writable";

fn at_work(store: &Store) -> Option<(LockHolder, RunId)> {
    let holder = store.holder()?;
    let run = RunId::parse(&holder.run)?;
    // Between taking the lock and making its folder a run has no journal.
    store.run_folder(&run).ok().map(|_| (holder, run))
}

/// What a run is at, by its events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Standing<'a> {
    phase: Option<PhaseName>,
    /// The last event of the phase itself.
    status: Option<EventStatus>,
    /// The last event of each task of the phase.
    tasks: BTreeMap<&'a str, EventStatus>,
}

impl<'a> Standing<'a> {
    fn of(events: &'a [PhaseEvent]) -> Self {
        let mut standing = Self::default();
        for event in events {
            let EventPhase::Phase(phase) = event.phase else { continue };
            match &event.task {
                None if event.status == EventStatus::Started => {
                    standing = Self { phase: Some(phase), status: Some(event.status), tasks: BTreeMap::new() };
                }
                _ if standing.phase != Some(phase) => {}
                // A phase that is over goes on about nothing but the answer to its plan.
                None if event.status == EventStatus::Progress && standing.is_over() => {}
                None => standing.status = Some(event.status),
                Some(task) => drop(standing.tasks.insert(task, event.status)),
            }
        }
        standing
    }

    fn is_over(&self) -> bool {
        matches!(self.status, Some(EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled))
    }

    fn running(&self) -> Vec<&'a str> {
        let is_running = |status: &EventStatus| matches!(status, EventStatus::Started | EventStatus::Progress);
        self.tasks.iter().filter(|(_, status)| is_running(status)).map(|(task, _)| *task).collect()
    }
}

/// The agents that are told, by their labels, each with what people call it.
///
/// # Errors
/// Why nobody can be told.
fn recipients(
    standing: &Standing<'_>,
    phases: &Phases,
    memory: &Memory,
    task: Option<&str>,
) -> Result<Vec<(String, String)>, Nobody> {
    let yet = |why: &str| Err(Nobody::Yet(why.to_owned()));
    let Some(phase) = standing.phase else { return yet("no agent is at work yet; tell it once one is") };
    if phase == PLAN && standing.status == Some(EventStatus::Waiting) {
        return match &memory.approval {
            None => Err(Nobody::Now(WAITS.to_owned())),
            Some(approval) if approval.is_rejected() => {
                Err(Nobody::Now("the plan is rejected, and no agent is at work any more".to_owned()))
            }
            Some(_) => yet("the plan is approved, and no agent is at work yet; tell it once one is"),
        };
    }
    let has_tasks = phases.get(phase).is_some_and(|phase| phase.changes_files());
    if has_tasks && standing.tasks.is_empty() && !standing.is_over() {
        return yet(&format!("no agent is at work in the {phase} phase yet; tell it once one is"));
    }
    if let Some(task) = task {
        let agent = one_task(standing, memory, task, phase).map_err(Nobody::Now)?;
        return Ok(vec![(agent, task.to_owned())]);
    }
    if standing.is_over() {
        return yet(&format!("no agent is at work now: the {phase} phase is over"));
    }
    if !has_tasks {
        return Ok(vec![(phases.agent_of(phase, memory), phase.to_string())]);
    }
    match standing.running() {
        running if running.is_empty() => yet(&format!("no agent is at work in the {phase} phase now")),
        running => Ok(running.into_iter().map(|task| (task_agent(task), task.to_owned())).collect()),
    }
}

/// The agent of a task that runs.
fn one_task(standing: &Standing<'_>, memory: &Memory, task: &str, phase: PhaseName) -> Result<String, String> {
    let running = standing.running();
    let at_work = match running.as_slice() {
        [] => format!("no task is at work in the {phase} phase"),
        [one] => format!("{one} is at work"),
        several => format!("{} are at work", several.join(", ")),
    };
    let known = memory.plan.as_ref().is_some_and(|plan| plan.plan.task(task).is_some());
    match standing.tasks.get(task).filter(|_| phase == IMPLEMENT) {
        Some(EventStatus::Started | EventStatus::Progress) => Ok(task_agent(task)),
        Some(EventStatus::Waiting) => {
            Err(format!("{task} waits for you to save its files, and asks its model nothing more; {at_work}"))
        }
        Some(EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled) => {
            Err(format!("{task} has ended; {at_work}"))
        }
        None if known => Err(format!("{task} is not at work; {at_work}")),
        None => Err(format!("{task:?} is no task of the plan; {at_work}")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::workflow::fixture::phases;
    use crate::workflow::run::phase_names::CONTEXT;

    fn event(phase: PhaseName, task: Option<&str>, status: EventStatus) -> PhaseEvent {
        PhaseEvent {
            run: "r".to_owned(),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            workflow: String::new(),
            phase: EventPhase::Phase(phase),
            status,
            task: task.map(str::to_owned),
            message: String::new(),
            files: Vec::new(),
            outcome: None,
            error: None,
            usage: None,
        }
    }

    fn told(events: &[PhaseEvent], task: Option<&str>) -> Result<Vec<String>, String> {
        told_with(events, &Memory::default(), task).map_err(|nobody| match nobody {
            Nobody::Yet(why) | Nobody::Now(why) => why,
        })
    }

    fn told_with(events: &[PhaseEvent], memory: &Memory, task: Option<&str>) -> Result<Vec<String>, Nobody> {
        let told = recipients(&Standing::of(events), &phases(), memory, task)?;
        Ok(told.into_iter().map(|(agent, _)| agent).collect())
    }

    #[test]
    fn the_next_agent_is_waited_for_and_a_person_is_not() {
        use EventStatus::{Done, Started, Waiting};
        let answered = |decision: &str| {
            let approval = serde_json::json!({
                "plan_sha256": "0", "decision": decision, "by": "person", "tasks": null, "at": "2026-01-01T00:00:00Z"
            });
            Memory { approval: serde_json::from_value(approval).unwrap(), ..Memory::default() }
        };
        let (open, approved, rejected) = (Memory::default(), answered("approved"), answered("rejected"));
        let mut events = vec![event(PLAN, None, Started), event(PLAN, None, Done), event(PLAN, None, Waiting)];
        let is_yet = |events: &[PhaseEvent], memory: &Memory, task: Option<&str>| {
            matches!(told_with(events, memory, task), Err(Nobody::Yet(_)))
        };
        assert!(!is_yet(&events, &open, None) && !is_yet(&events, &rejected, None));
        assert!(is_yet(&events, &approved, None) && is_yet(&events, &approved, Some("T1")), "it is about to begin");
        events.push(event(IMPLEMENT, None, Started));
        assert!(is_yet(&events, &approved, None) && is_yet(&events, &approved, Some("T1")), "no task has begun");
        events.push(event(IMPLEMENT, Some("T1"), Started));
        assert_eq!(told_with(&events, &approved, Some("T1")), Ok(vec!["implement/T1".to_owned()]));
        assert!(!is_yet(&events, &approved, Some("T2")), "others are at work, and it may come late or never");
        events.push(event(IMPLEMENT, Some("T1"), Done));
        assert!(is_yet(&events, &approved, None), "the next task, or the review");
        assert!(is_yet(&[], &open, None), "the run has just begun");
    }

    #[test]
    fn a_text_without_anything_to_see_is_none() {
        for empty in ["", "  ", "\n\t\r\n", "\u{feff} ", "\u{1b}[0m", "\u{200b}\u{202e}"] {
            assert!(valid(empty).unwrap_err().contains("the text is empty"), "{empty:?}");
        }
        assert!(valid("a\0b").unwrap_err().contains("NUL"));
        assert!(valid(&"x".repeat(100 * 1024)).unwrap_err().contains("has 102400 bytes, and may have 16384"));
        assert_eq!(valid("  say \u{1b}[31mred\r\nnow ").unwrap(), "say \u{1b}[31mred\nnow");
    }

    #[test]
    fn the_conversation_at_work_is_told_and_at_the_gate_nobody() {
        use EventStatus::{Done, Progress, Started, Waiting};
        assert!(told(&[], None).unwrap_err().contains("yet"));
        let mut events = vec![event(CONTEXT, None, Started), event(CONTEXT, None, Progress)];
        assert_eq!(told(&events, None).unwrap(), ["context"]);
        events.push(event(CONTEXT, None, Done));
        assert!(told(&events, None).unwrap_err().contains("context phase is over"));
        events.extend([event(PLAN, None, Started), event(PLAN, None, Done), event(PLAN, None, Waiting)]);
        assert!(told(&events, None).unwrap_err().contains("Revise"));
        assert!(told(&events, Some("T1")).unwrap_err().contains("Revise"));
    }

    #[test]
    fn every_running_task_is_told_or_the_one_that_is_named() {
        use EventStatus::{Done, Progress, Started, Waiting};
        let mut events = vec![event(IMPLEMENT, None, Started)];
        assert!(told(&events, None).unwrap_err().contains("no agent is at work in the implement phase"));
        for (task, status) in [("T1", Started), ("T2", Started), ("T1", Progress), ("T3", Started), ("T3", Done)] {
            events.push(event(IMPLEMENT, Some(task), status));
        }
        assert_eq!(told(&events, None).unwrap(), ["implement/T1", "implement/T2"]);
        assert_eq!(told(&events, Some("T2")).unwrap(), ["implement/T2"]);
        assert_eq!(told(&events, Some("T3")).unwrap_err(), "T3 has ended; T1, T2 are at work");
        assert_eq!(told(&events, Some("T9")).unwrap_err(), "\"T9\" is no task of the plan; T1, T2 are at work");
        events.extend([event(IMPLEMENT, Some("T1"), Done), event(IMPLEMENT, Some("T2"), Waiting)]);
        assert!(told(&events, Some("T2")).unwrap_err().contains("waits for you to save"));
    }
}
