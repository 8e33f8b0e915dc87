//! Tells the user's own command (`notify`) when a run waits, ends or meets its budget.
//!
//! It has a thread of its own, so that nothing of the run waits for it. What fails is a warning. After a cancel nothing is
//! started any more, and what runs is ended: whoever cancels a run knows that it ends.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::models::provider_variables;
use crate::text;
use crate::workflow::run::events::{EventStatus, PhaseEvent};
use crate::workflow::run::outcome::Outcome;
use crate::workspace::{UserCommand, Workspace, run_user_command};

/// How long the command may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Most commands at once: one that hangs holds up no other.
const AT_ONCE: usize = 4;
/// Longest warning, in characters.
const WIDEST: usize = 300;

/// What is told of a run beside its events: of the commands that it has run, and of sinks.
pub struct Notices {
    /// Warnings, in a line each. It closes once the run has ended and no command runs.
    pub warnings: mpsc::UnboundedReceiver<String>,
    /// What events of the run say of sinks: for a face that shows an event only until the next one.
    pub of_sinks: mpsc::UnboundedReceiver<String>,
    /// Fire it to end the commands that run.
    pub give_up: CancellationToken,
}

/// Tell the command of these settings what these events say, until the last of them. `cancel` is that of the run; warnings go to
/// `sender`. What is returned is fired to end the commands that run.
pub(super) fn notify(
    settings: &Settings,
    workspace: &Workspace,
    events: impl FnOnce() -> mpsc::UnboundedReceiver<PhaseEvent>,
    cancel: &CancellationToken,
    sender: mpsc::UnboundedSender<String>,
) -> CancellationToken {
    let give_up = cancel.child_token();
    if let Some(command) = settings.notify.clone() {
        let teller = Teller { command, root: workspace.root().to_owned(), stop: give_up.clone(), warnings: sender };
        let events = events();
        let began = thread::Builder::new().name("notify".to_owned()).spawn(move || teller.run(events));
        if let Err(error) = began {
            tracing::warn!(%error, "the command of `notify` is not run: there is no thread for it");
        }
    }
    give_up
}

struct Teller {
    command: String,
    root: PathBuf,
    stop: CancellationToken,
    warnings: mpsc::UnboundedSender<String>,
}

impl Teller {
    fn run(self, events: mpsc::UnboundedReceiver<PhaseEvent>) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.tell_all(events)),
            Err(error) => self.warn(&format!("cannot be run: {error}")),
        }
    }

    async fn tell_all(self, mut events: mpsc::UnboundedReceiver<PhaseEvent>) {
        let mut running = JoinSet::new();
        let mut last: Option<PhaseEvent> = None;
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                Some(ended) = running.join_next() => {
                    self.ended(ended);
                    continue;
                }
            };
            let Some(event) = event else { break };
            let is_end = event.outcome.is_some();
            if is_told(&event, last.as_ref()) && !self.stop.is_cancelled() {
                if running.len() >= AT_ONCE
                    && let Some(ended) = running.join_next().await
                {
                    self.ended(ended);
                }
                running.spawn(tell(self.root.clone(), self.told(&event), self.stop.clone()));
                last = Some(event);
            }
            if is_end {
                break;
            }
        }
        while let Some(ended) = running.join_next().await {
            self.ended(ended);
        }
    }

    /// The command with what it is told of an event. Nothing of the event is part of the command line.
    fn told(&self, event: &PhaseEvent) -> UserCommand {
        let mut input = serde_json::to_vec(event).unwrap_or_default();
        input.push(b'\n');
        let own = crate::config::environment().into_iter().map(|(name, _)| name);
        let keys = own.filter(|name| name.ends_with("_KEY"));
        UserCommand {
            command: self.command.clone(),
            input,
            variables: vec![
                ("BATON_RUN", event.run.clone()),
                ("BATON_STATUS", event.status.to_string()),
                ("BATON_WORKSPACE", self.root.to_string_lossy().into_owned()),
            ],
            // An address may hold a password.
            withheld: provider_variables().map(str::to_owned).chain(keys).collect(),
        }
    }

    fn ended(&self, ended: Result<Result<(), String>, tokio::task::JoinError>) {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(why)) => self.warn(&why),
            Err(error) => self.warn(&format!("broke off: {error}")),
        }
    }

    fn warn(&self, why: &str) {
        // Nobody may listen any more.
        let _ = self.warnings.send(text::short_line(&format!("the command of `notify` {why}"), WIDEST));
    }
}

async fn tell(root: PathBuf, command: UserCommand, stop: CancellationToken) -> Result<(), String> {
    match run_user_command(&root, command, LIMIT, &stop).await {
        Err(_) if stop.is_cancelled() => Ok(()),
        done => done.map_err(|error| error.to_string()),
    }
}

/// Whether the command is told of an event: a person is asked for something, or the run has ended, also by its budget. `last` is
/// what it was told before: that a run ends waiting says nothing new after the wait itself.
fn is_told(event: &PhaseEvent, last: Option<&PhaseEvent>) -> bool {
    let waited =
        |last: &PhaseEvent| last.status == EventStatus::Waiting && last.outcome.is_none() && last.task.is_none();
    let repeats =
        |last: &PhaseEvent| (last.phase, &last.task, &last.message) == (event.phase, &event.task, &event.message);
    match (event.outcome, event.status) {
        (Some(Outcome::Waiting), _) => !last.is_some_and(waited),
        (Some(outcome), _) => outcome != Outcome::Cancelled,
        (None, EventStatus::Waiting) => !last.is_some_and(repeats),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::workflow::run::events::EventPhase;
    use crate::workflow::run::phase_names::{IMPLEMENT, PLAN};

    fn event(phase: EventPhase, task: Option<&str>, status: EventStatus, outcome: Option<Outcome>) -> PhaseEvent {
        PhaseEvent {
            run: "r".to_owned(),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            workflow: String::new(),
            phase,
            status,
            task: task.map(str::to_owned),
            message: "m".to_owned(),
            files: Vec::new(),
            error: None,
            usage: None,
            outcome,
        }
    }

    #[test]
    fn it_is_told_of_what_a_person_has_to_do_or_know_and_of_each_thing_once() {
        let gate = event(PLAN.into(), None, EventStatus::Waiting, None);
        let save = event(IMPLEMENT.into(), Some("T1"), EventStatus::Waiting, None);
        let end = |outcome, status| event(EventPhase::Workflow, None, status, Some(outcome));
        assert!(is_told(&gate, None) && is_told(&save, None) && is_told(&save, Some(&gate)));
        assert!(!is_told(&gate, Some(&gate)) && !is_told(&save, Some(&save)));
        for status in [EventStatus::Started, EventStatus::Progress, EventStatus::Done, EventStatus::Failed] {
            assert!(!is_told(&event(PLAN.into(), None, status, None), None), "{status}");
        }
        assert!(is_told(&end(Outcome::Merged, EventStatus::Done), Some(&gate)));
        assert!(is_told(&end(Outcome::Escalated, EventStatus::Waiting), Some(&gate)));
        assert!(is_told(&end(Outcome::Failed, EventStatus::Failed), None));
        assert!(is_told(&end(Outcome::Waiting, EventStatus::Waiting), Some(&save)));
        assert!(!is_told(&end(Outcome::Waiting, EventStatus::Waiting), Some(&gate)), "the wait was told");
        assert!(!is_told(&end(Outcome::Cancelled, EventStatus::Cancelled), None));
    }
}
