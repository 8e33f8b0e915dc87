//! What agents are doing, as events for people.

use super::phase_names::IMPLEMENT;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::error::PhaseError;
use super::events::{EventError, EventErrorKind, EventPhase, EventStatus, NewEvent};
use super::phase::Run;
use crate::agents::{Activity, AgentError};
use crate::contracts::PhaseName;
use crate::models::{Tier, TurnProgress};
use crate::text::{count, short_line, tokens, whole_seconds};

/// Interval of the events about a long answer.
const OUTPUT_EVERY: Duration = Duration::from_secs(3);

/// Characters shown of what the user told an agent.
const TOLD_SHOWN: usize = 200;

/// The label of the agent of a task.
pub(crate) fn task_agent(task: &str) -> String {
    format!("{IMPLEMENT}/{task}")
}

/// Close an agent's conversation: its result is on disk, and its turns are not needed for a resume. What the user told it and
/// no request of it has taken is said.
///
/// # Errors
/// When the journal cannot be written.
pub(crate) fn close_agent(run: &Run, agent: &str) -> Result<(), PhaseError> {
    for text in run.context.tells.end(agent) {
        let message = format!("not taken by {}: {}", told_name(agent), told_words(run, &text));
        run.emit(EventPhase::Workflow, EventStatus::Progress, message);
    }
    Ok(run.context.transcript.close(Timestamp::now(), agent).map_err(AgentError::Journal)?)
}

/// What the user told an agent, in a line of an event and without a key in use.
pub(crate) fn told_words(run: &Run, text: &str) -> String {
    let model = run.model(Tier::Fast);
    let masked = model.as_ref().map_or(Cow::Borrowed(text), |model| model.masked(text));
    short_line(&masked, TOLD_SHOWN)
}

/// What people call the agent of this label: by its task, or its phase.
pub(crate) fn told_name(agent: &str) -> &str {
    agent.rsplit_once('/').map_or(agent, |(_, task)| task)
}

/// Emits what an agent is doing as events of its phase. An event that repeats the one before is left out.
pub(crate) fn report_activity(
    run: &Arc<Run>,
    phase: PhaseName,
    task: Option<&str>,
) -> impl Fn(Activity) + Send + Sync + use<> {
    let (run, task) = (run.clone(), task.map(str::to_owned));
    let last = Mutex::new(String::new());
    let last_output = Mutex::new(Instant::now());
    move |activity| {
        // Why a turn waits for the network is an error that the next event takes back.
        let waits = matches!(
            activity,
            Activity::Model(TurnProgress::Retry { .. } | TurnProgress::Waiting { .. } | TurnProgress::Throttled { .. })
        );
        let message = match activity {
            Activity::Model(TurnProgress::Output { characters }) => {
                let mut last_output = last_output.lock().unwrap_or_else(PoisonError::into_inner);
                if last_output.elapsed() < OUTPUT_EVERY {
                    return;
                }
                *last_output = Instant::now();
                match characters {
                    0 => "writing".to_owned(),
                    1..1_000 => format!("writing, {} so far", count(characters, "character")),
                    // With the same digits as tokens: "18.2k".
                    _ => format!("writing, {} characters so far", tokens(characters as u64)),
                }
            }
            Activity::Model(TurnProgress::Unanswered { waited }) => {
                format!("waiting for the model, {}", whole_seconds(waited))
            }
            Activity::Tool(doing) => doing,
            Activity::Refused(what) => format!("refused: {what}"),
            Activity::Told(text) => {
                let to = task.as_deref().unwrap_or(phase.as_str());
                format!("told {to}: {}", short_line(&text, TOLD_SHOWN))
            }
            Activity::Model(TurnProgress::Retry { again, wait: left, .. } | TurnProgress::Waiting { again, left }) => {
                again.waiting(left)
            }
            Activity::Model(TurnProgress::Throttled { provider }) => {
                format!("{provider} is overloaded; waiting until fewer requests are under way")
            }
            Activity::Model(TurnProgress::Asking { provider, again: None }) => format!("asking {provider}"),
            Activity::Model(TurnProgress::Asking { provider, again: Some(again) }) => {
                format!("asking {provider} again, {}", again.count())
            }
            Activity::Model(TurnProgress::FirstByte) | Activity::CacheOpened => return,
            Activity::Turn => "thinking".to_owned(),
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != message {
            last.clone_from(&message);
            let error = waits.then(|| EventError::new(EventErrorKind::Model, message.clone()));
            run.bus.emit(NewEvent {
                task: task.clone(),
                error,
                usage: Some(run.context.budget.used()),
                ..NewEvent::new(phase, EventStatus::Progress, message)
            });
        }
    }
}
