//! `baton/phase`: the events of a run, for clients with an interface of their own.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use tower_lsp::lsp_types::Url;
use tower_lsp::lsp_types::notification::Notification;

use super::gate::GateEvent;
use super::outcome::RunOutcome;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::to_proto;
use crate::workflow::{EventPhase, EventStatus, Gate, GateTask, PLAN, PhaseEvent};

/// The notification.
enum Phase {}

impl Notification for Phase {
    type Params = PhaseParams;

    const METHOD: &'static str = "baton/phase";
}

/// An event with the context that the client needs.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
struct PhaseParams {
    #[serde(flatten)]
    event: PhaseEvent,
    /// The workspace folder.
    folder: Option<Url>,
    /// The content of the gate, on the event that says it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gate: Option<Value>,
    /// What can be done now, on the last event of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ways_on: Option<Value>,
}

/// The events of one run on their way to the client.
pub(crate) struct PhaseFeed {
    client: Client,
    folder: std::path::PathBuf,
    wanted: bool,
    /// Whether the gate's content is sent with its event.
    with_gate: bool,
    /// The event that the gate waits, held back until the gate's content is there.
    waiting: Option<PhaseEvent>,
    /// The gate's content, held back until its event is there.
    gate: Option<GateEvent>,
    /// The last event, held back until the outcome is known.
    last: Option<PhaseEvent>,
    seq: u64,
}

impl PhaseFeed {
    /// The feed of one run.
    pub(crate) fn new(client: &Client, folder: &Path, wanted: bool, with_gate: bool) -> Self {
        let (client, folder) = (client.clone(), folder.to_owned());
        Self { client, folder, wanted, with_gate, waiting: None, gate: None, last: None, seq: 0 }
    }

    /// Send these events, in their order.
    pub(crate) fn forward(&mut self, happened: &[PhaseEvent]) {
        if !self.wanted {
            return;
        }
        for event in happened {
            self.seq = event.seq;
            let of_run = event.task.is_none();
            match (event.phase, event.status) {
                (EventPhase::Phase(PLAN), EventStatus::Waiting) if of_run && self.with_gate => {
                    self.flush();
                    self.waiting = Some(event.clone());
                    if let Some(gate) = self.gate.take() {
                        self.gate(gate);
                    }
                }
                (EventPhase::Workflow, EventStatus::Started | EventStatus::Progress) => self.send_plain(event),
                (EventPhase::Workflow, _) if of_run => {
                    self.flush();
                    self.last = Some(event.clone());
                }
                _ => self.send_plain(event),
            }
        }
    }

    /// The gate shows a plan, or cannot: then its event is sent without content.
    pub(crate) fn gate(&mut self, gate: GateEvent) {
        match (self.waiting.take(), gate) {
            (Some(event), GateEvent::Plan(gate)) => self.send(event, Some(&gate), None),
            (Some(event), GateEvent::Faulty) => self.send(event, None, None),
            (None, gate) if self.wanted && self.with_gate => self.gate = Some(gate),
            (None, _) => {}
        }
    }

    /// The run ended: send its last event with the outcome.
    pub(super) fn end(mut self, run: &str, ended: &RunOutcome) {
        if !self.wanted {
            return;
        }
        self.flush();
        // A run that panicked has sent no last event.
        let last = self.last.take().unwrap_or_else(|| PhaseEvent {
            run: run.to_owned(),
            seq: self.seq + 1,
            at: jiff::Timestamp::now(),
            workflow: String::new(),
            phase: EventPhase::Workflow,
            status: EventStatus::Failed,
            task: None,
            message: ended.message.clone(),
            error: None,
            usage: None,
            files: Vec::new(),
            outcome: None,
        });
        let last = PhaseEvent { outcome: Some(ended.outcome), ..last };
        self.send(last, None, Some(json!(ended.ways_on)));
    }

    fn send_plain(&mut self, event: &PhaseEvent) {
        self.flush();
        self.send(event.clone(), None, None);
    }

    /// Send the event held back for the gate's content: a gate that waits without asking, as automatic approval does at
    /// protected files, has none.
    fn flush(&mut self) {
        if let Some(event) = self.waiting.take() {
            self.send(event, None, None);
        }
    }

    fn send(&self, event: PhaseEvent, gate: Option<&Gate>, ways_on: Option<Value>) {
        let gate = gate.map(|gate| content(gate, &self.folder));
        let event = PhaseEvent { message: self.client.in_its_words(&event.message), ..event };
        let folder = Url::from_file_path(&self.folder).ok();
        self.client.notify::<Phase>(PhaseParams { event, folder, gate, ways_on });
    }
}

fn content(gate: &Gate, folder: &Path) -> Value {
    let task = |task: &GateTask| {
        let planned = gate.plan.task(&task.id);
        json!({
            "id": task.id,
            "title": task.title,
            "complexity": task.complexity.as_str(),
            "files": task.files,
            "depends_on": task.depends_on,
            "acceptance_criteria": planned.map(|task| task.acceptance_criteria.as_slice()).unwrap_or_default(),
        })
    };
    let mut content = json!({
        "run": gate.run,
        "task": gate.task,
        "plan": gate.plan,
        "tasks": gate.tasks.iter().map(task).collect::<Vec<_>>(),
        "usage": gate.usage,
        "plan_md": to_proto::uri(folder, &gate.plan_md),
        "plan_json": to_proto::uri(folder, &gate.plan_json),
    });
    // The same fields as in `baton.status`.
    if let (Value::Object(content), Value::Object(shared)) = (&mut content, json!(gate.content)) {
        content.extend(shared);
    }
    content
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::super::gate::tests::gate;
    use super::*;
    use crate::lsp::wire::client::Outgoing;
    use crate::workflow::{CONTEXT, Outcome};

    fn event(seq: u64, phase: EventPhase, status: EventStatus) -> PhaseEvent {
        PhaseEvent {
            run: "r1".to_owned(),
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            workflow: String::new(),
            phase,
            status,
            task: None,
            message: "m".to_owned(),
            error: None,
            usage: None,
            files: Vec::new(),
            outcome: None,
        }
    }

    fn ended(outcome: Outcome, message: &str) -> RunOutcome {
        RunOutcome { outcome, message: message.to_owned(), ways_on: Vec::new() }
    }

    fn sent(queue: &mut UnboundedReceiver<Outgoing>) -> Vec<Value> {
        let mut sent = Vec::new();
        while let Ok(Outgoing::Message(bytes)) = queue.try_recv() {
            let message: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(message["method"], "baton/phase");
            sent.push(message["params"].clone());
        }
        sent
    }

    #[test]
    fn an_event_goes_out_as_the_journal_has_it_with_its_folder() {
        let (client, mut queue) = Client::new();
        let mut feed = PhaseFeed::new(&client, Path::new("/w d"), true, false);
        let (first, last) = (
            event(1, EventPhase::Phase(CONTEXT), EventStatus::Started),
            event(2, EventPhase::Workflow, EventStatus::Done),
        );
        feed.forward(&[first.clone(), last.clone()]);
        let mut expected = json!(first);
        expected["folder"] = json!("file:///w%20d");
        assert_eq!(sent(&mut queue), [expected]);
        feed.end("r1", &ended(Outcome::Merged, "merged"));
        let mut expected = json!(last);
        expected["folder"] = json!("file:///w%20d");
        expected["outcome"] = json!("merged");
        expected["ways_on"] = json!([]);
        assert_eq!(sent(&mut queue), [expected], "the last event waits for the outcome");
    }

    #[test]
    fn nothing_is_sent_to_a_client_that_did_not_ask() {
        let (client, mut queue) = Client::new();
        let mut feed = PhaseFeed::new(&client, Path::new("/w"), false, true);
        feed.forward(&[event(1, EventPhase::Phase(PLAN), EventStatus::Waiting)]);
        feed.gate(GateEvent::Plan(Box::new(gate())));
        feed.end("r1", &ended(Outcome::Merged, "merged"));
        assert!(sent(&mut queue).is_empty());
    }

    #[test]
    fn the_gate_meets_its_event_whichever_comes_first() {
        for event_first in [true, false] {
            let (client, mut queue) = Client::new();
            let mut feed = PhaseFeed::new(&client, Path::new("/w"), true, true);
            let waiting = [event(3, EventPhase::Phase(PLAN), EventStatus::Waiting)];
            if event_first {
                feed.forward(&waiting);
                assert!(sent(&mut queue).is_empty());
                feed.gate(GateEvent::Plan(Box::new(gate())));
            } else {
                feed.gate(GateEvent::Plan(Box::new(gate())));
                assert!(sent(&mut queue).is_empty());
                feed.forward(&waiting);
            }
            let sent = sent(&mut queue);
            assert_eq!(sent.len(), 1, "{sent:?}");
            let shown = &sent[0]["gate"];
            assert_eq!((&sent[0]["seq"], &shown["plan_sha256"]), (&json!(3), &json!("00")));
            assert_eq!(shown["plan_json"], "file:///w/.agent_memory/plan.json");
            assert_eq!(shown["tasks"][0]["acceptance_criteria"], json!(["It works."]));
            assert_eq!(shown["tasks"][0]["complexity"], json!("simple"));
            assert_eq!(
                shown["protected"],
                json!([{ "path": ".github/workflows/ci.yml", "task": "T1", "never": false }])
            );
            let estimate = json!({
                "low": { "usd": 0.1, "tokens": 10 }, "high": { "usd": 0.2, "tokens": 20 },
                "ceiling": { "usd": 4.5, "tokens": 900 }
            });
            assert_eq!(shown["estimate"], estimate);
        }
    }

    #[test]
    fn a_plan_that_cannot_be_shown_is_reported_at_once() {
        for event_first in [true, false] {
            let (client, mut queue) = Client::new();
            let mut feed = PhaseFeed::new(&client, Path::new("/w"), true, true);
            let waiting = [event(3, EventPhase::Phase(PLAN), EventStatus::Waiting)];
            if event_first {
                feed.forward(&waiting);
                feed.gate(GateEvent::Faulty);
            } else {
                feed.gate(GateEvent::Faulty);
                feed.forward(&waiting);
            }
            let sent = sent(&mut queue);
            assert_eq!((sent.len(), &sent[0]["seq"], sent[0].get("gate")), (1, &json!(3), None));
        }
    }

    #[test]
    fn a_gate_that_waits_without_asking_is_reported_too() {
        let (client, mut queue) = Client::new();
        let mut feed = PhaseFeed::new(&client, Path::new("/w"), true, true);
        let (waiting, last) = (
            event(1, EventPhase::Phase(PLAN), EventStatus::Waiting),
            event(2, EventPhase::Workflow, EventStatus::Waiting),
        );
        feed.forward(&[waiting, last]);
        assert_eq!(sent(&mut queue)[0]["seq"], 1);
        feed.end("r1", &ended(Outcome::Waiting, "waits"));
        assert_eq!(sent(&mut queue)[0]["outcome"], "waiting");
    }

    #[test]
    fn a_run_that_breaks_off_ends_too() {
        let (client, mut queue) = Client::new();
        let mut feed = PhaseFeed::new(&client, Path::new("/w"), true, false);
        feed.forward(&[event(7, EventPhase::Phase(CONTEXT), EventStatus::Started)]);
        sent(&mut queue);
        feed.end("r1", &ended(Outcome::Failed, "it broke off"));
        let last = &sent(&mut queue)[0];
        assert_eq!((&last["seq"], &last["status"], &last["run"]), (&json!(8), &json!("failed"), &json!("r1")));
        assert_eq!((&last["phase"], &last["outcome"]), (&json!("workflow"), &json!("failed")));
    }
}
