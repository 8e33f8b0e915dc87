//! What agents are doing, as events for people.

use super::phase_names::IMPLEMENT;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::error::PhaseError;
use super::events::EventStatus;
use super::phase::Run;
use crate::agents::{Activity, AgentError};
use crate::contracts::PhaseName;
use crate::models::TurnProgress;

/// Interval of the events about a long answer.
const OUTPUT_EVERY: Duration = Duration::from_secs(3);

/// The label of the agent of a task.
pub(crate) fn task_agent(task: &str) -> String {
    format!("{IMPLEMENT}/{task}")
}

/// Close an agent's conversation: its result is on disk, and its turns are not needed for a resume.
///
/// # Errors
/// When the journal cannot be written.
pub(crate) fn close_agent(run: &Run, agent: &str) -> Result<(), PhaseError> {
    Ok(run.context.transcript.close(Timestamp::now(), agent).map_err(AgentError::Journal)?)
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
        let message = match activity {
            Activity::Model(TurnProgress::Output { characters }) => {
                let mut last_output = last_output.lock().unwrap_or_else(PoisonError::into_inner);
                if last_output.elapsed() < OUTPUT_EVERY {
                    return;
                }
                *last_output = Instant::now();
                format!("writing, {:.1}k characters so far", characters as f64 / 1e3)
            }
            Activity::Tool(doing) => doing,
            Activity::Refused(what) => format!("refused: {what}"),
            Activity::Model(TurnProgress::Retry { attempt, wait, reason, .. }) => {
                format!("{reason}, trying again in {:.0} s (attempt {attempt})", wait.as_secs_f64().ceil())
            }
            Activity::Model(TurnProgress::Waiting { left }) => format!("waiting {:.0} s", left.as_secs_f64().ceil()),
            Activity::Model(TurnProgress::Throttled) => "waiting: the provider is overloaded".to_owned(),
            Activity::Model(TurnProgress::FirstByte) | Activity::CacheOpened => return,
            Activity::Turn => "thinking".to_owned(),
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != message {
            last.clone_from(&message);
            run.emit_for_task(phase, EventStatus::Progress, task.as_deref(), message);
        }
    }
}
