//! One `$/progress` per run: created, begun once the client accepted it, reported, and ended whatever happens.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tower_lsp::lsp_types::notification::Progress as ProgressNotification;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;
use tower_lsp::lsp_types::{
    NumberOrString, ProgressParams, ProgressParamsValue, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use crate::contracts::Usage;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::to_proto::plain;
use crate::text;
use crate::workflow::{EventPhase, EventStatus, PhaseEvent, Phases};

/// How long the end of a run waits for a client that has not accepted its progress yet.
const LATE_ACCEPTANCE: Duration = Duration::from_secs(1);

/// Longest message shown, in characters, without the sums at its end.
const LONGEST: usize = 100;

/// Longest last message, in characters.
const LONGEST_END: usize = 300;

/// Most tasks named in a message.
const SHOWN_TASKS: usize = 4;

/// The progress of one run. Dropped, it ends.
pub(super) struct Progress {
    client: Client,
    token: String,
    state: State,
    percent: Percent,
    activity: Activity,
}

enum State {
    /// The client was asked to create it; the answer is whether it accepts.
    Asked(BoxFuture<'static, bool>),
    /// The client shows it.
    Begun,
    /// The client does not show it, or it has ended.
    Off,
}

impl Progress {
    /// Ask the client to show a run's progress, where it can.
    pub(super) fn create(client: &Client, supported: bool, run: &str, phases: Phases) -> Self {
        let state = if supported { State::Asked(ask(client.clone(), run.to_owned()).boxed()) } else { State::Off };
        let (token, percent, activity) = (run.to_owned(), Percent::new(phases), Activity::new());
        Self { client: client.clone(), token, state, percent, activity }
    }

    /// Returns when the client has accepted and the beginning was sent; never if it refuses. Safe to drop.
    pub(super) async fn accepted(&mut self) {
        if let State::Asked(answer) = &mut self.state {
            if answer.await {
                self.state = State::Begun;
                self.send(WorkDoneProgress::Begin(WorkDoneProgressBegin {
                    title: "Baton".to_owned(),
                    cancellable: Some(true),
                    message: Some(self.activity.message()),
                    percentage: Some(self.percent.shown),
                }));
                return;
            }
            self.state = State::Off;
        }
        std::future::pending::<()>().await;
    }

    /// Sets the number of tasks of the plan.
    pub(super) fn expect_tasks(&mut self, tasks: usize) {
        self.percent.tasks = tasks;
    }

    /// Report these events.
    pub(super) fn report(&mut self, events: &[PhaseEvent]) {
        for event in events {
            self.percent.advance(event);
            self.activity.apply(event);
        }
        self.repeat();
    }

    /// Whether the elapsed time is to be reported: the run works, and does not wait for a person.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Begun) && !self.activity.waits
    }

    /// Report the last state again, with the time elapsed since.
    pub(super) fn repeat(&self) {
        if matches!(self.state, State::Begun) {
            // Clients drop a report without a percentage once one had it.
            self.send(WorkDoneProgress::Report(WorkDoneProgressReport {
                cancellable: Some(true),
                message: Some(self.activity.message()),
                percentage: Some(self.percent.shown),
            }));
        }
    }

    /// The run is over.
    pub(super) async fn end(mut self, message: &str) {
        if matches!(self.state, State::Asked(_)) {
            // A run may be quicker than the client, and a client may never answer.
            drop(tokio::time::timeout(LATE_ACCEPTANCE, self.accepted()).await);
        }
        self.close(Some(plain(message, LONGEST_END)));
    }

    fn close(&mut self, message: Option<String>) {
        if matches!(std::mem::replace(&mut self.state, State::Off), State::Begun) {
            self.send(WorkDoneProgress::End(WorkDoneProgressEnd { message }));
        }
    }

    fn send(&self, progress: WorkDoneProgress) {
        self.client.notify::<ProgressNotification>(ProgressParams {
            token: token(&self.token),
            value: ProgressParamsValue::WorkDone(progress),
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.close(None);
    }
}

async fn ask(client: Client, run: String) -> bool {
    let params = WorkDoneProgressCreateParams { token: token(&run) };
    match client.request::<WorkDoneProgressCreate>(params).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "no progress is shown");
            false
        }
    }
}

/// Always a string: some clients refuse numbers.
fn token(run: &str) -> NumberOrString {
    NumberOrString::String(run.to_owned())
}

/// The current activity of a run, for people.
struct Activity {
    began: Instant,
    phase: EventPhase,
    /// The running tasks.
    tasks: BTreeSet<String>,
    /// The message of the last event.
    last_message: String,
    usage: Usage,
    /// Whether it waits for a person.
    waits: bool,
}

impl Activity {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            phase: EventPhase::Workflow,
            tasks: BTreeSet::new(),
            last_message: String::new(),
            usage: Usage::default(),
            waits: false,
        }
    }

    fn apply(&mut self, event: &PhaseEvent) {
        match (&event.task, event.status) {
            // A task that waits for a file to be saved is still running.
            (Some(task), EventStatus::Started | EventStatus::Progress | EventStatus::Waiting) => {
                self.tasks.insert(task.clone());
            }
            (Some(task), _) => {
                self.tasks.remove(task);
            }
            (None, EventStatus::Progress) => {}
            (None, _) => self.tasks.clear(),
        }
        self.phase = event.phase;
        self.waits = event.status == EventStatus::Waiting && event.task.is_none();
        self.last_message = match &event.task {
            // With a single running task its id is in the message already.
            Some(task) if self.tasks.iter().any(|other| other != task) => format!("{task} {}", event.message),
            _ => event.message.clone(),
        };
        self.usage = event.usage.unwrap_or(self.usage);
    }

    /// `implement T1, T3: T3 reading src/a.rs · 42 s · 18.2k tokens · $0.042`
    fn message(&self) -> String {
        let mut place = match self.phase {
            EventPhase::Workflow => String::new(),
            EventPhase::Phase(name) => name.to_string(),
        };
        if !self.tasks.is_empty() {
            let named: Vec<&str> = self.tasks.iter().take(SHOWN_TASKS).map(String::as_str).collect();
            place.push_str(&format!(" {}", named.join(", ")));
            if self.tasks.len() > SHOWN_TASKS {
                place.push_str(&format!(" +{}", self.tasks.len() - SHOWN_TASKS));
            }
        }
        let colon = if place.is_empty() { "" } else { ": " };
        let mut message = plain(&format!("{place}{colon}{}", self.last_message), LONGEST);
        message.push_str(&format!(" · {}", text::whole_seconds(self.began.elapsed())));
        if self.usage.total_tokens() > 0 {
            message.push_str(&format!(" · {}", self.usage.words()));
        }
        message
    }
}

/// How far a run is, in whole percent, from its events. It never decreases: while a round repeats phases it stands still.
#[derive(Debug)]
struct Percent {
    phases: Phases,
    shown: u32,
    exact: f64,
    tasks: usize,
    tasks_ended: usize,
}

impl Percent {
    fn new(phases: Phases) -> Self {
        Self { phases, shown: 0, exact: 0.0, tasks: 0, tasks_ended: 0 }
    }

    fn advance(&mut self, event: &PhaseEvent) {
        let EventPhase::Phase(name) = event.phase else { return };
        let Some((from, to)) = self.phases.progress(name) else { return };
        let exact = match (event.status, &event.task) {
            (EventStatus::Started, None) => {
                self.tasks_ended = 0;
                from
            }
            (EventStatus::Done | EventStatus::Failed, Some(_)) => {
                self.tasks_ended += 1;
                self.share(from, to, self.tasks_ended)
            }
            (EventStatus::Done | EventStatus::Waiting, None) => to,
            // The number of steps left is unknown: each step covers a part of what is left.
            (EventStatus::Progress, task) => {
                let next = if task.is_some() { self.share(from, to, self.tasks_ended + 1) } else { to };
                let here = self.exact.max(from);
                here + (next - here).max(0.0) / 12.0
            }
            _ => return,
        };
        self.exact = self.exact.max(exact.min(to));
        self.shown = self.exact as u32;
    }

    fn share(&self, from: f64, to: f64, tasks: usize) -> f64 {
        let all = self.tasks.max(tasks).max(1);
        from + (to - from) * tasks as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::contracts::PhaseName;
    use crate::lsp::wire::client::{Outgoing, Refusal};
    use crate::workflow::fixture::phases;
    use crate::workflow::{CONTEXT, IMPLEMENT, PLAN, REVIEW};

    fn event(phase: PhaseName, status: EventStatus, task: Option<&str>) -> PhaseEvent {
        PhaseEvent {
            run: "r1".to_owned(),
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            workflow: String::new(),
            phase: phase.into(),
            status,
            task: task.map(str::to_owned),
            message: "reading\nsrc/a.rs".to_owned(),
            error: None,
            usage: None,
            files: Vec::new(),
            outcome: None,
        }
    }

    fn sent(queue: &mut UnboundedReceiver<Outgoing>) -> Vec<Value> {
        let mut sent = Vec::new();
        while let Ok(Outgoing::Message(bytes)) = queue.try_recv() {
            sent.push(serde_json::from_slice(&bytes).unwrap());
        }
        sent
    }

    async fn settle(progress: &mut Progress) {
        drop(tokio::time::timeout(Duration::from_millis(1), progress.accepted()).await);
    }

    #[tokio::test]
    async fn it_begins_only_after_the_client_accepted() {
        let (client, mut queue) = Client::new();
        let mut progress = Progress::create(&client, true, "r1", phases());
        settle(&mut progress).await;
        progress.report(&[event(CONTEXT, EventStatus::Started, None)]);
        progress.report(&[event(CONTEXT, EventStatus::Done, None)]);
        let asked = sent(&mut queue);
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(asked[0]["method"], "window/workDoneProgress/create");
        assert_eq!(asked[0]["params"], json!({ "token": "r1" }));
        client.answer(1, Ok(Value::Null));
        settle(&mut progress).await;
        progress.end("All\ndone").await;
        let values: Vec<Value> =
            sent(&mut queue).into_iter().map(|message| message["params"]["value"].clone()).collect();
        let begin = json!({
            "kind": "begin", "title": "Baton", "cancellable": true, "message": "context: reading src/a.rs · 0 s", "percentage": 12
        });
        assert_eq!(values, [begin, json!({ "kind": "end", "message": "All done" })]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_refuses_is_sent_nothing_and_one_that_is_silent_blocks_nothing() {
        let (client, mut queue) = Client::new();
        let mut refused = Progress::create(&client, true, "r1", phases());
        settle(&mut refused).await;
        client.answer(1, Err(Refusal { code: -32601, message: "no".to_owned(), data: None }));
        settle(&mut refused).await;
        refused.report(&[event(PLAN, EventStatus::Started, None)]);
        refused.end("done").await;
        assert_eq!(sent(&mut queue).len(), 1);
        let silent = Progress::create(&client, true, "r2", phases());
        silent.end("done").await;
        let methods: Vec<Value> = sent(&mut queue).into_iter().map(|message| message["method"].clone()).collect();
        assert_eq!(methods, ["window/workDoneProgress/create", "$/cancelRequest"]);
        Progress::create(&client, false, "r3", phases()).end("done").await;
        assert!(sent(&mut queue).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_message_names_phase_tasks_file_time_tokens_and_cost() {
        use EventStatus::{Done, Progress, Started, Waiting};
        let mut activity = Activity::new();
        let mut heard = Vec::new();
        let mut usage = Usage::default();
        for (phase, status, task, message) in [
            (PLAN, Started, None, "Planning"),
            (PLAN, Waiting, None, "The plan waits"),
            (IMPLEMENT, Started, None, "Implementing 6 tasks"),
            (IMPLEMENT, Started, Some("T1"), "First"),
            (IMPLEMENT, Progress, Some("T1"), "reading src/a.rs"),
            (IMPLEMENT, Started, Some("T2"), "Second"),
            (IMPLEMENT, Progress, Some("T1"), "reading src/b.rs"),
            (IMPLEMENT, Done, Some("T1"), "1 file, +2 -0"),
            (IMPLEMENT, Progress, Some("T2"), "thinking"),
            (IMPLEMENT, Done, None, "2 files changed"),
        ] {
            tokio::time::advance(Duration::from_secs(9)).await;
            usage.input_tokens += 1_000;
            usage.cost_usd = Some(0.042);
            let event = PhaseEvent { message: message.to_owned(), usage: Some(usage), ..event(phase, status, task) };
            activity.apply(&event);
            heard.push((activity.message(), activity.waits));
        }
        let messages: Vec<&str> = heard.iter().map(|(message, _)| message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "plan: Planning · 9 s · 1.0k tokens · $0.042",
                "plan: The plan waits · 18 s · 2.0k tokens · $0.042",
                "implement: Implementing 6 tasks · 27 s · 3.0k tokens · $0.042",
                "implement T1: First · 36 s · 4.0k tokens · $0.042",
                "implement T1: reading src/a.rs · 45 s · 5.0k tokens · $0.042",
                "implement T1, T2: T2 Second · 54 s · 6.0k tokens · $0.042",
                "implement T1, T2: T1 reading src/b.rs · 1 m 3 s · 7.0k tokens · $0.042",
                "implement T2: T1 1 file, +2 -0 · 1 m 12 s · 8.0k tokens · $0.042",
                "implement T2: thinking · 1 m 21 s · 9.0k tokens · $0.042",
                "implement: 2 files changed · 1 m 30 s · 10.0k tokens · $0.042",
            ]
        );
        assert_eq!(heard.iter().map(|(_, waits)| *waits).collect::<Vec<_>>()[..3], [false, true, false]);
        for task in ["T3", "T4", "T5", "T6"] {
            activity.apply(&event(IMPLEMENT, Started, Some(task)));
        }
        assert!(activity.message().starts_with("implement T3, T4, T5, T6: T6 "), "{}", activity.message());
        activity.apply(&event(IMPLEMENT, Started, Some("T7")));
        assert!(activity.message().starts_with("implement T3, T4, T5, T6 +1: T7 "), "{}", activity.message());
    }

    #[tokio::test]
    async fn dropped_it_ends() {
        let (client, mut queue) = Client::new();
        let mut progress = Progress::create(&client, true, "r1", phases());
        settle(&mut progress).await;
        client.answer(1, Ok(Value::Null));
        settle(&mut progress).await;
        drop(progress);
        assert_eq!(sent(&mut queue).last().unwrap()["params"], json!({ "token": "r1", "value": { "kind": "end" } }));
    }

    #[test]
    fn the_percentage_grows_with_the_run_and_never_falls() {
        use EventStatus::{Done, Failed, Progress, Started, Waiting};
        let mut percent = Percent { tasks: 4, ..Percent::new(phases()) };
        let mut shown = Vec::new();
        for (phase, status, task) in [
            (CONTEXT, Started, None),
            (CONTEXT, Progress, None),
            (CONTEXT, Done, None),
            (PLAN, Started, None),
            (PLAN, Waiting, None),
            (IMPLEMENT, Started, None),
            (IMPLEMENT, Started, Some("T1")),
            (IMPLEMENT, Progress, Some("T1")),
            (IMPLEMENT, Done, Some("T1")),
            (IMPLEMENT, Failed, Some("T2")),
            (IMPLEMENT, Done, None),
            (REVIEW, Started, None),
            (REVIEW, Done, None),
            (IMPLEMENT, Started, None),
            (IMPLEMENT, Done, Some("FIX")),
            (REVIEW, Done, None),
        ] {
            percent.advance(&event(phase, status, task));
            shown.push(percent.shown);
        }
        assert_eq!(shown, [0, 1, 12, 12, 25, 25, 25, 26, 38, 52, 80, 80, 99, 99, 99, 99]);
        let mut percent = Percent::new(phases());
        for _ in 0..1000 {
            percent.advance(&event(CONTEXT, Progress, None));
        }
        assert!(percent.shown <= 12, "steps never leave their phase: {}", percent.shown);
    }
}
