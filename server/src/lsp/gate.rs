//! The gate in an editor: a question with buttons.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tower_lsp::lsp_types::MessageType;

use super::client::Client;
use super::to_proto::plain;
use super::window;
use crate::workflow::{Approver, Gate, GateAnswer};

const APPROVE: &str = "Approve";
const REJECT: &str = "Reject";

/// How long the question may stand unanswered before the editor is told how else to answer: some show a question only
/// for moments, and some not at all.
const REMIND_AFTER: Duration = Duration::from_secs(60);

/// Asks by `window/showMessageRequest`.
pub(super) struct Asker {
    client: Client,
    /// The folder as the client names it.
    folder: PathBuf,
}

impl Asker {
    /// An asker for the plans of one folder.
    pub(super) fn new(client: Client, folder: PathBuf) -> Self {
        Self { client, folder }
    }

    fn remind(&self, gate: &Gate) {
        let plan = self.folder.join(&gate.plan_md);
        let message = format!(
            "The plan still waits for an answer. Read {} and answer the question, or run `baton approve` or `baton reject` \
             in a terminal; the workflow then goes on by itself.",
            plan.display()
        );
        window::tell(&self.client, MessageType::WARNING, message);
    }
}

#[async_trait]
impl Approver for Asker {
    /// Dropping the question takes it away from the editor too.
    async fn ask(&self, gate: &Gate) -> GateAnswer {
        let asked = window::ask(&self.client, MessageType::INFO, message(gate), &[APPROVE, REJECT]);
        tokio::pin!(asked);
        let answer = tokio::select! {
            answer = &mut asked => answer,
            () = tokio::time::sleep(REMIND_AFTER) => {
                self.remind(gate);
                asked.await
            }
        };
        match answer {
            Ok(Some(title)) if title == APPROVE => GateAnswer::Approve { tasks: None },
            Ok(Some(title)) if title == REJECT => GateAnswer::Reject,
            // Dismissed. The run ends, waiting, and its last message says where the plan is and how to answer it.
            Ok(_) => GateAnswer::Wait,
            Err(error) => {
                tracing::warn!(%error, "the gate is not answered in the editor");
                GateAnswer::Wait
            }
        }
    }
}

fn message(gate: &Gate) -> String {
    let count = gate.tasks.len();
    let noun = if count == 1 { "task" } else { "tasks" };
    let mut message =
        format!("Plan {}, {count} {noun}: {}", gate.plan.plan_version, plain(&gate.plan.approach_summary, 300));
    let mut list = |what: &str, files: &[String]| {
        if !files.is_empty() {
            message.push_str(&format!(" {what}: {}.", plain(&files.join(", "), 300)));
        }
    };
    list("It writes protected files", &gate.protected);
    list("It writes files that run code when you build", &gate.flagged);
    message.push_str(&format!(" Read {} first.", gate.plan_md));
    message
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::super::client::{Outgoing, Refusal};
    use super::*;
    use crate::contracts::Usage;

    fn gate() -> Gate {
        let plan = json!({
            "plan_version": 2, "approach_summary": "Do\nit.", "parallel_groups": [["T1"]],
            "tasks": [{ "id": "T1", "title": "t", "description": "d", "estimated_complexity": "simple" }]
        });
        Gate {
            run: "r1".to_owned(),
            task: "Add a flag".to_owned(),
            plan: serde_json::from_value(plan).unwrap(),
            plan_sha256: "00".to_owned(),
            tasks: Vec::new(),
            markdown: String::new(),
            protected: vec![".github/workflows/ci.yml".to_owned()],
            flagged: Vec::new(),
            usage: Usage::default(),
            estimate_usd: None,
            plan_md: ".agent_memory/plan.md".to_owned(),
            plan_json: ".agent_memory/plan.json".to_owned(),
        }
    }

    async fn next(queue: &mut UnboundedReceiver<Outgoing>) -> Value {
        match queue.recv().await {
            Some(Outgoing::Message(bytes)) => serde_json::from_slice(&bytes).unwrap(),
            _ => panic!("nothing more"),
        }
    }

    async fn answered(answer: Result<Value, Refusal>) -> (GateAnswer, Value) {
        let (client, mut queue) = Client::new();
        let asker = Asker::new(client.clone(), "/w".into());
        let gate = gate();
        let answering = async {
            let asked = next(&mut queue).await;
            client.answer(1, answer);
            asked
        };
        tokio::join!(asker.ask(&gate), answering)
    }

    #[tokio::test]
    async fn the_buttons_answer() {
        let (answer, asked) = answered(Ok(json!({ "title": "Approve" }))).await;
        assert_eq!(answer, GateAnswer::Approve { tasks: None });
        let expected = json!({
            "type": 3,
            "message": "Plan 2, 0 tasks: Do it. It writes protected files: .github/workflows/ci.yml. \
                        Read .agent_memory/plan.md first.",
            "actions": [{ "title": "Approve" }, { "title": "Reject" }]
        });
        assert_eq!(asked["params"], expected);
        assert_eq!(answered(Ok(json!({ "title": "Reject" }))).await.0, GateAnswer::Reject);
    }

    #[tokio::test]
    async fn no_answer_is_no_approval() {
        assert_eq!(answered(Ok(Value::Null)).await.0, GateAnswer::Wait);
        assert_eq!(answered(Ok(json!({ "title": "approve?" }))).await.0, GateAnswer::Wait);
        assert_eq!(answered(Ok(json!("Approve"))).await.0, GateAnswer::Wait);
        let unknown = Refusal { code: -32601, message: "Method not found".to_owned(), data: None };
        assert_eq!(answered(Err(unknown)).await.0, GateAnswer::Wait);
    }

    #[tokio::test]
    async fn a_client_that_leaves_leaves_the_plan_waiting() {
        let (client, _queue) = Client::new();
        let asker = Asker::new(client.clone(), "/w".into());
        let gate = gate();
        let (answer, ()) = tokio::join!(asker.ask(&gate), async { client.leave() });
        assert_eq!(answer, GateAnswer::Wait);
    }

    #[tokio::test(start_paused = true)]
    async fn unanswered_it_says_how_else_to_answer_and_goes_on_waiting() {
        let (client, mut queue) = Client::new();
        let asker = Asker::new(client.clone(), "/w".into());
        let gate = gate();
        let answering = async {
            next(&mut queue).await;
            let reminder = next(&mut queue).await;
            client.answer(1, Ok(json!({ "title": "Approve" })));
            reminder
        };
        let (answer, reminder) = tokio::join!(asker.ask(&gate), answering);
        assert_eq!(answer, GateAnswer::Approve { tasks: None });
        assert_eq!(reminder["method"], "window/showMessage");
        let told = reminder["params"]["message"].as_str().unwrap();
        assert!(told.contains("/w/.agent_memory/plan.md") && told.contains("baton approve"), "{told}");
    }

    #[tokio::test]
    async fn a_question_that_is_dropped_is_taken_away() {
        let (client, mut queue) = Client::new();
        let asker = Asker::new(client, "/w".into());
        let gate = gate();
        tokio::select! {
            biased;
            _ = asker.ask(&gate) => panic!("nobody answered"),
            () = std::future::ready(()) => {}
        }
        next(&mut queue).await;
        assert_eq!(next(&mut queue).await["method"], "$/cancelRequest");
    }
}
