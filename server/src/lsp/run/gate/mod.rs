//! The gate in an editor: a question with buttons, or the client's own interface.
//!
//! Invariant: a plan with unsaved changes in the editor is not approved by the question about the saved one.

pub(crate) mod checks;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tower_lsp::lsp_types::{MessageType, Url};

use crate::contracts::{FlaggedFile, ProtectedFile};
use crate::lsp::files::refused::Refused;
use crate::lsp::files::unsaved_plan::unsaved_plan;
use crate::lsp::files::{Files, blocking};
use crate::lsp::folder::Folder;
use crate::lsp::text::documents::Documents;
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::{Client, RequestError};
use crate::lsp::wire::to_proto;
use crate::lsp::wire::to_proto::plain;
use crate::lsp::wire::window;
use crate::workflow::{Approver, CheckAnswer, FaultyGate, Gate, GateAnswer, GateContent, left_notes};

const VIEW: &str = "View";
const LATER: &str = "Later";
const REVISE: &str = "Revise";
const EDIT: &str = "Edit";
const REJECT: &str = "Reject";
const APPROVE: &str = "Approve";
const PLAN_AGAIN: &str = "Plan again";
const KEEP_WRITING: &str = "Keep writing";
const NOT_YET: &str = "Not Yet";
const SEND_NOTES: &str = "Send";
const APPROVE_WITHOUT: &str = "Approve Without";

/// How long the question may stand unanswered before a message says how else to answer: some editors show a question
/// only for moments, and some not at all.
const REMIND_AFTER: Duration = Duration::from_secs(60);

/// How long the client may take to open a document before the question is asked again.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the feedback file is read while a person writes it.
const FEEDBACK_POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Most tasks named in a question; plan.md has them all.
const SHOWN_TASKS: usize = 8;

/// What the gate tells the watcher of the run.
pub(super) enum GateEvent {
    /// It asks about a plan.
    Plan(Box<Gate>),
    /// The plan cannot be shown.
    Faulty,
}

/// Asks in the editor: by `window/showMessageRequest`, or by the interface that the client has for `baton/phase`.
pub(super) struct EditorGate {
    client: Client,
    capabilities: Capabilities,
    /// The folder as the client names it.
    folder: PathBuf,
    documents: Documents,
    files: Files,
    /// To the watcher of the run.
    events: mpsc::UnboundedSender<GateEvent>,
}

impl EditorGate {
    /// The gate of one run.
    pub(super) fn new(folder: &Folder, files: Files, events: mpsc::UnboundedSender<GateEvent>) -> Self {
        Self {
            client: folder.client.clone(),
            capabilities: folder.capabilities,
            folder: folder.path().to_owned(),
            documents: folder.documents.clone(),
            files,
            events,
        }
    }

    async fn ask_in_window(&self, gate: &Gate) -> GateAnswer {
        loop {
            match self.question(gate).await.as_ref().map(Option::as_deref) {
                Ok(Some(APPROVE)) => match self.unsaved().await {
                    // Once saved, it is another plan, and the engine withdraws this question.
                    Some(refused) => {
                        window::show_message(&self.client, MessageType::WARNING, format!("Baton: {refused}."));
                    }
                    None => {
                        // Without an answer the question is asked again.
                        if let Some(answer) = self.unsent_notes(gate).await {
                            return answer;
                        }
                    }
                },
                Ok(Some(REJECT)) => return GateAnswer::Reject,
                Ok(Some(VIEW)) => self.view(gate).await,
                Ok(Some(EDIT)) => {
                    self.edit(gate).await;
                    break;
                }
                Ok(Some(REVISE)) => return self.revise(gate).await,
                Err(RequestError::Gone) => return GateAnswer::Wait,
                // Postponed, dismissed, or the client cannot ask.
                answer => {
                    if let Err(error) = answer {
                        tracing::warn!(%error, "the editor cannot show the question of the gate");
                    }
                    self.show_how_to_answer(gate);
                    break;
                }
            }
        }
        self.wait().await
    }

    /// Wait until the client leaves. An answer from elsewhere (a command, a lens, another process, a change of plan.json)
    /// is taken by the engine, which drops this future.
    async fn wait(&self) -> GateAnswer {
        self.client.gone().await;
        GateAnswer::Wait
    }

    /// Ask; when no answer comes for a while, show how else to answer.
    async fn question(&self, gate: &Gate) -> Result<Option<String>, RequestError> {
        // In some clients a key typed into the text selects the first button: irreversible answers stand last.
        let titles = [VIEW, LATER, REVISE, EDIT, REJECT, APPROVE];
        let asked = window::ask(&self.client, MessageType::INFO, question(gate), &titles);
        tokio::pin!(asked);
        tokio::select! {
            answer = &mut asked => answer,
            () = tokio::time::sleep(REMIND_AFTER) => {
                self.show_how_to_answer(gate);
                asked.await
            }
        }
    }

    /// What an approval comes to where notes in plan.md were not sent: a person says it. `None` approves nothing.
    async fn unsent_notes(&self, gate: &Gate) -> Option<GateAnswer> {
        let notes = gate.notes.clone();
        let notes = blocking(move || Ok(notes.read())).await.unwrap_or_default();
        let approve = Some(GateAnswer::Approve { tasks: None });
        let Some(left) = left_notes(&notes) else { return approve };
        let titles = [NOT_YET, SEND_NOTES, APPROVE_WITHOUT];
        let asked = format!("Baton: {left}.");
        match window::ask(&self.client, MessageType::WARNING, asked, &titles).await.ok().flatten().as_deref() {
            Some(SEND_NOTES) => Some(GateAnswer::Revise { feedback: String::new() }),
            Some(APPROVE_WITHOUT) => approve,
            _ => None,
        }
    }

    /// Why the plan cannot be approved: it has unsaved changes in the editor.
    async fn unsaved(&self) -> Option<Refused> {
        let (documents, folder, files) = (self.documents.clone(), self.folder.clone(), self.files.clone());
        let unsaved = blocking(move || Ok(unsaved_plan(&documents, &folder, &files, &files.make_memory()?)));
        unsaved.await.map_or_else(Some, |unsaved| unsaved.map(Refused::UnsavedPlan))
    }

    fn show_how_to_answer(&self, gate: &Gate) {
        let message = format!(
            "Baton: {} waits for your answer: {} Read {}, then answer by baton.approve, baton.reject, or baton.plan with \
             {{\"feedback\": \"…\"}}. The workflow then goes on by itself.",
            plan_title(gate),
            sentence(&gate.plan.approach_summary),
            self.folder.join(&gate.plan_md).display()
        );
        window::show_message(&self.client, MessageType::WARNING, message);
    }

    /// Open plan.md. The question is then asked again; Later dismisses it.
    async fn view(&self, gate: &Gate) {
        if !self.open(&gate.plan_md).await {
            let plan = self.folder.join(&gate.plan_md);
            window::show_message(&self.client, MessageType::INFO, format!("Baton: the plan is in {}.", plan.display()));
        }
    }

    /// Open plan.json. The engine asks again about an edited plan; this one can still be approved by command.
    async fn edit(&self, gate: &Gate) {
        self.open(&gate.plan_json).await;
        let message = format!(
            "Baton: edit {} and save it: the workflow then asks about the edited plan. To take it as it is, run \
             baton.approve.",
            self.folder.join(&gate.plan_json).display()
        );
        window::show_message(&self.client, MessageType::INFO, message);
    }

    /// Ask for feedback in a file: the protocol has no question with a text for an answer.
    async fn revise(&self, gate: &Gate) -> GateAnswer {
        let files = self.files.clone();
        let file = match blocking(move || Ok(files.make_memory()?.offer_feedback_file()?)).await {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(%error, "there is no file to write the feedback to");
                self.show_how_to_answer(gate);
                return self.wait().await;
            }
        };
        self.open(&file).await;
        let message = format!(
            "Baton: write what should be different about the plan to {} and save it; or run baton.plan with \
             {{\"feedback\": \"…\"}}.",
            self.folder.join(&file).display()
        );
        window::show_message(&self.client, MessageType::INFO, message);
        let mut refused = None;
        loop {
            let feedback = self.wait_for_feedback(refused.as_deref()).await;
            let asked = format!("Baton: plan again, with this feedback? “{}”", plain(&feedback, 300));
            let titles = [KEEP_WRITING, PLAN_AGAIN];
            match window::ask(&self.client, MessageType::INFO, asked, &titles).await {
                Ok(Some(title)) if title == PLAN_AGAIN => {
                    // It may have been saved again since the question.
                    let feedback = self.saved_feedback().await.unwrap_or(feedback);
                    return GateAnswer::Revise { feedback };
                }
                Err(RequestError::Gone) => return GateAnswer::Wait,
                _ => refused = Some(feedback),
            }
        }
    }

    /// Wait for saved feedback other than `refused`.
    async fn wait_for_feedback(&self, refused: Option<&str>) -> String {
        loop {
            match self.saved_feedback().await {
                Some(feedback) if Some(feedback.as_str()) != refused => return feedback,
                _ => {}
            }
            tokio::time::sleep(FEEDBACK_POLL_INTERVAL).await;
        }
    }

    async fn saved_feedback(&self) -> Option<String> {
        let files = self.files.clone();
        let read = blocking(move || Ok(files.make_memory()?.feedback()?)).await;
        read.unwrap_or_else(|error| {
            tracing::warn!(%error, "the feedback cannot be read");
            None
        })
    }

    async fn open(&self, file: &str) -> bool {
        let uri: Option<Url> = to_proto::uri(&self.folder, file);
        let Some(uri) = uri else { return false };
        let opened = window::open(&self.client, self.capabilities.show_document, uri, None);
        tokio::time::timeout(OPEN_TIMEOUT, opened).await.unwrap_or_default()
    }
}

#[async_trait]
impl Approver for EditorGate {
    /// Dropping the future withdraws the question in the editor too.
    async fn ask(&self, gate: &Gate) -> GateAnswer {
        // Without a watcher the run is over.
        drop(self.events.send(GateEvent::Plan(Box::new(gate.clone()))));
        if self.capabilities.gate { self.wait().await } else { self.ask_in_window(gate).await }
    }

    /// A client with an interface of its own says it with the approval.
    async fn ask_about_checks(&self, gate: &Gate) -> CheckAnswer {
        if self.capabilities.gate { CheckAnswer::default() } else { checks::ask(&self.client, &gate.content).await }
    }

    async fn show_faults(&self, gate: &FaultyGate) -> GateAnswer {
        drop(self.events.send(GateEvent::Faulty));
        let faults = plain(&gate.message(), 1000);
        let message = match gate.faults {
            Some(_) => format!(
                "Baton: the plan waits and cannot be shown: {faults}. Fix it and save it, and you are asked about it; or run \
                 baton.reject, or baton.plan with {{\"feedback\": \"…\"}} to have another one made."
            ),
            None => format!(
                "Baton: {faults}, and with it the plan that waits for your answer. Put it back, and you are asked again; \
                 after baton.cancel, baton.workflow makes a new one."
            ),
        };
        window::show_message(&self.client, MessageType::ERROR, message);
        self.wait().await
    }
}

fn plan_title(gate: &Gate) -> String {
    format!("plan {} ({})", gate.plan.plan_version, to_proto::count(gate.tasks.len(), "task"))
}

/// A text as one sentence, with a full stop.
fn sentence(text: &str) -> String {
    let text = plain(text, 300);
    if text.ends_with(['.', '!', '?', '…']) { text } else { format!("{text}.") }
}

/// The gate's content, as far as a question has room for it.
fn question(gate: &Gate) -> String {
    let mut lines = vec![format!("Baton: {}: {}", plan_title(gate), sentence(&gate.plan.approach_summary))];
    for task in gate.tasks.iter().take(SHOWN_TASKS) {
        let (complexity, files) = (task.complexity.as_str(), plain(&task.files.join(", "), 120));
        lines.push(format!("{} [{complexity}] {}: {files}", plain(&task.id, 20), plain(&task.title, 80)));
    }
    if gate.tasks.len() > SHOWN_TASKS {
        lines.push(format!("and {} more", to_proto::count(gate.tasks.len() - SHOWN_TASKS, "task")));
    }
    if !gate.plan.risks.is_empty() {
        lines.push(format!("Risks: {}", plain(&gate.plan.risks.join("; "), 300)));
    }
    lines.extend(gate.content.warnings.iter().map(|warning| plain(warning, 500)));
    let GateContent { protected, flagged, questions, estimate, .. } = &gate.content;
    let named = |never| ProtectedFile::named(protected, never).map(|files| plain(&files, 300));
    lines.extend(named(false).map(|files| format!("It writes protected files: {files}.")));
    lines.extend(named(true).map(|files| format!("Never written, also if you approve: {files}.")));
    if !flagged.is_empty() {
        let line = |file: &FlaggedFile| format!("{} ({}, {})", file.path, file.task, file.reason);
        let files: Vec<String> = flagged.iter().map(line).collect();
        lines.push(format!("Look twice at: {}.", plain(&files.join(", "), 300)));
    }
    lines.extend(checks::lines(&gate.content));
    lines.extend(questions.iter().map(|question| format!("Question: {}", plain(question, 300))));
    let so_far = gate.usage.words();
    lines.push(format!("So far {so_far}. To implement and review: {}.", estimate.words()));
    lines.push(format!("View shows {}.", gate.plan_md));
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests;
