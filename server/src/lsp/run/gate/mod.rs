//! The gate in an editor: a question with buttons, or the client's own interface.

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
use crate::text;
use crate::workflow::{Approver, FaultyGate, Gate, GateAnswer, GateContent};

const VIEW: &str = "View";
const LATER: &str = "Later";
const REVISE: &str = "Revise";
const EDIT: &str = "Edit";
const REJECT: &str = "Reject";
const APPROVE: &str = "Approve";
const PLAN_AGAIN: &str = "Plan again";
const KEEP_WRITING: &str = "Keep writing";

/// How long the question may stand unanswered before the editor is told how else to answer: some show a question only
/// for moments, and some not at all.
const REMIND_AFTER: Duration = Duration::from_secs(60);

/// How long the client may take to open a document before the question is asked again.
const OPENING: Duration = Duration::from_secs(5);

/// How often the file with the feedback is looked at while somebody writes it.
const WATCH: Duration = Duration::from_millis(300);

/// Most tasks named in a question; plan.md has them all.
const SHOWN_TASKS: usize = 8;

/// What the gate puts to a person.
pub(crate) enum Asked {
    /// A plan.
    Plan(Box<Gate>),
    /// Nothing: the plan cannot be shown.
    Faulty,
}

/// Asks in the editor: by `window/showMessageRequest`, or by whatever the client shows for `baton/phase`.
pub(crate) struct Asker {
    client: Client,
    capabilities: Capabilities,
    /// The folder as the client names it.
    folder: PathBuf,
    documents: Documents,
    files: Files,
    /// Whoever watches the run hears what the gate asks.
    asked: mpsc::UnboundedSender<Asked>,
}

impl Asker {
    /// An asker for the plans of one run.
    pub(crate) fn new(folder: &Folder, files: Files, asked: mpsc::UnboundedSender<Asked>) -> Self {
        Self {
            client: folder.client.clone(),
            capabilities: folder.capabilities,
            folder: folder.path().to_owned(),
            documents: folder.documents.clone(),
            files,
            asked,
        }
    }

    async fn converse(&self, gate: &Gate) -> GateAnswer {
        loop {
            match self.question(gate).await.as_ref().map(Option::as_deref) {
                Ok(Some(APPROVE)) => match self.unsaved().await {
                    // Saved, it is another plan, and the question about this one is taken away.
                    Some(refused) => window::tell(&self.client, MessageType::WARNING, format!("Baton: {refused}.")),
                    None => return GateAnswer::Approve { tasks: None },
                },
                Ok(Some(REJECT)) => return GateAnswer::Reject,
                Ok(Some(VIEW)) => self.view(gate).await,
                Ok(Some(EDIT)) => {
                    self.edit(gate).await;
                    break;
                }
                Ok(Some(REVISE)) => return self.revise(gate).await,
                Err(RequestError::Gone) => return GateAnswer::Wait,
                // Put off, dismissed, or the client cannot ask.
                answer => {
                    if let Err(error) = answer {
                        tracing::warn!(%error, "the gate is not asked in the editor");
                    }
                    self.tell_waiting(gate);
                    break;
                }
            }
        }
        self.wait().await
    }

    /// Wait for an answer from elsewhere: a command, a lens, another process, a change of plan.json. The engine takes
    /// it and drops this.
    async fn wait(&self) -> GateAnswer {
        self.client.gone().await;
        GateAnswer::Wait
    }

    /// Ask, and say how else to answer where nobody does.
    async fn question(&self, gate: &Gate) -> Result<Option<String>, RequestError> {
        // In some clients a key meant for the text takes the first answer; what cannot be taken back stands last.
        let titles = [VIEW, LATER, REVISE, EDIT, REJECT, APPROVE];
        let asked = window::ask(&self.client, MessageType::INFO, question(gate), &titles);
        tokio::pin!(asked);
        tokio::select! {
            answer = &mut asked => answer,
            () = tokio::time::sleep(REMIND_AFTER) => {
                self.tell_waiting(gate);
                asked.await
            }
        }
    }

    /// Why the plan cannot be approved as it stands in the editor.
    async fn unsaved(&self) -> Option<Refused> {
        let (documents, folder, files) = (self.documents.clone(), self.folder.clone(), self.files.clone());
        let unsaved = blocking(move || Ok(unsaved_plan(&documents, &folder, &files, &files.make_memory()?)));
        unsaved.await.map_or_else(Some, |unsaved| unsaved.map(Refused::UnsavedPlan))
    }

    fn tell_waiting(&self, gate: &Gate) {
        let message = format!(
            "Baton: {} waits for your answer: {} Read {}, then answer by baton.approve, baton.reject, or baton.plan with \
             {{\"feedback\": \"…\"}}; in a terminal, by `baton approve` or `baton reject`. The workflow then goes on by itself.",
            named(gate),
            sentence(&gate.plan.approach_summary),
            self.folder.join(&gate.plan_md).display()
        );
        window::tell(&self.client, MessageType::WARNING, message);
    }

    /// Show plan.md. The question comes again; Later puts it away for who wants to read first.
    async fn view(&self, gate: &Gate) {
        if !self.open(&gate.plan_md).await {
            let plan = self.folder.join(&gate.plan_md);
            window::tell(&self.client, MessageType::INFO, format!("Baton: the plan is in {}.", plan.display()));
        }
    }

    /// Open plan.json. An edited plan is asked about anew; this one can still be approved by command.
    async fn edit(&self, gate: &Gate) {
        self.open(&gate.plan_json).await;
        let message = format!(
            "Baton: edit {} and save it: the workflow then asks about the edited plan. To take it as it is, run \
             baton.approve.",
            self.folder.join(&gate.plan_json).display()
        );
        window::tell(&self.client, MessageType::INFO, message);
    }

    /// Have the feedback written to a file, since the protocol has no question with a text for an answer.
    async fn revise(&self, gate: &Gate) -> GateAnswer {
        let files = self.files.clone();
        let file = match blocking(move || Ok(files.make_memory()?.offer_feedback_file()?)).await {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(%error, "there is no file to write the feedback to");
                self.tell_waiting(gate);
                return self.wait().await;
            }
        };
        self.open(&file).await;
        let message = format!(
            "Baton: write what should be different about the plan to {} and save it; or run baton.plan with \
             {{\"feedback\": \"…\"}}.",
            self.folder.join(&file).display()
        );
        window::tell(&self.client, MessageType::INFO, message);
        let mut refused = None;
        loop {
            let feedback = self.written(refused.as_deref()).await;
            let asked = format!("Baton: plan again, with this feedback? “{}”", plain(&feedback, 300));
            let titles = [KEEP_WRITING, PLAN_AGAIN];
            match window::ask(&self.client, MessageType::INFO, asked, &titles).await {
                Ok(Some(title)) if title == PLAN_AGAIN => {
                    // What was saved since the question counts too.
                    let feedback = self.take_feedback().await.unwrap_or(feedback);
                    return GateAnswer::Revise { feedback };
                }
                Err(RequestError::Gone) => return GateAnswer::Wait,
                _ => refused = Some(feedback),
            }
        }
    }

    /// The feedback, once some is saved that was not refused before.
    async fn written(&self, refused: Option<&str>) -> String {
        loop {
            let files = self.files.clone();
            let read = blocking(move || Ok(files.make_memory()?.feedback()?)).await;
            match read {
                Ok(Some(feedback)) if Some(feedback.as_str()) != refused => return feedback,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the feedback cannot be read"),
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    async fn take_feedback(&self) -> Option<String> {
        let files = self.files.clone();
        let taken = blocking(move || {
            let store = files.make_memory()?;
            let feedback = store.feedback()?;
            store.remove_feedback_file()?;
            Ok(feedback)
        });
        match taken.await {
            Ok(feedback) => feedback,
            Err(error) => {
                tracing::warn!(%error, "the feedback cannot be read");
                None
            }
        }
    }

    async fn open(&self, file: &str) -> bool {
        let uri: Option<Url> = to_proto::uri(&self.folder, file);
        let Some(uri) = uri else { return false };
        let opened = window::open(&self.client, self.capabilities.show_document, uri, None);
        tokio::time::timeout(OPENING, opened).await.unwrap_or_default()
    }
}

#[async_trait]
impl Approver for Asker {
    /// Dropping the question takes it away from the editor too.
    async fn ask(&self, gate: &Gate) -> GateAnswer {
        // Nobody watches only when the run is over.
        drop(self.asked.send(Asked::Plan(Box::new(gate.clone()))));
        if self.capabilities.gate { self.wait().await } else { self.converse(gate).await }
    }

    async fn mend(&self, gate: &FaultyGate) -> GateAnswer {
        drop(self.asked.send(Asked::Faulty));
        let told = plain(&gate.told(), 1000);
        let message = match gate.faults {
            Some(_) => format!(
                "Baton: the plan waits and cannot be shown: {told}. Mend it and save it, and you are asked about it; or run \
                 baton.reject, or baton.plan with {{\"feedback\": \"…\"}} to have another one made."
            ),
            None => format!(
                "Baton: {told}, and with it the plan that waits for your answer. Put it back, and you are asked again; \
                 after baton.cancel, baton.workflow makes a new one."
            ),
        };
        window::tell(&self.client, MessageType::ERROR, message);
        self.wait().await
    }
}

fn named(gate: &Gate) -> String {
    format!("plan {} ({})", gate.plan.plan_version, to_proto::count(gate.tasks.len(), "task"))
}

/// A text as one sentence with an end.
fn sentence(text: &str) -> String {
    let text = plain(text, 300);
    if text.ends_with(['.', '!', '?', '…']) { text } else { format!("{text}.") }
}

/// What a person should know before saying yes, as far as a question has room for it.
fn question(gate: &Gate) -> String {
    let mut lines = vec![format!("Baton: {}: {}", named(gate), sentence(&gate.plan.approach_summary))];
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
        let told = |file: &FlaggedFile| format!("{} ({}, {})", file.path, file.task, file.reason);
        let files: Vec<String> = flagged.iter().map(told).collect();
        lines.push(format!("Look twice at: {}.", plain(&files.join(", "), 300)));
    }
    lines.extend(questions.iter().map(|question| format!("Question: {}", plain(question, 300))));
    let so_far = gate.usage.words();
    lines.push(format!("So far {so_far}. To implement and review: {}.", estimate.words()));
    lines.push(format!("View shows {}.", gate.plan_md));
    lines.join("\n")
}

#[cfg(test)]
pub(crate) mod tests;
