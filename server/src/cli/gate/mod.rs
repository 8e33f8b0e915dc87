//! The gate on a terminal: shows the plan and reads a person's answer.

mod answer;
pub(super) mod checks;
mod lines;
mod view;

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::progress::Progress;
use crate::workflow::{Approver, CheckAnswer, FaultyGate, Gate, GateAnswer};
use crate::{config, text};
use answer::Choice;
use lines::Lines;
use view::{Appearance, gate_view};

/// Asks on a terminal.
pub struct TerminalApprover {
    lines: Lines,
    out: Mutex<Box<dyn Write + Send>>,
    root: PathBuf,
    editor: Option<String>,
    progress: Option<Arc<Progress>>,
    appearance: Appearance,
    discard_typed_input: fn(),
}

/// The approver where no person can be asked: the gate stays open for `baton approve`.
#[derive(Debug, Clone, Copy)]
pub struct NonInteractiveApprover;

/// The approver for this process: a person where standard input and standard error are a terminal, else
/// [`NonInteractiveApprover`].
///
/// `root` is the workspace's folder. `progress` is paused while the gate has the terminal.
pub fn approver(root: &Path, progress: Option<Arc<Progress>>) -> Arc<dyn Approver> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Arc::new(NonInteractiveApprover);
    }
    let appearance = Appearance::of_stderr();
    let terminal = TerminalApprover::new(BufReader::new(io::stdin()), io::stderr(), root);
    Arc::new(TerminalApprover { editor: editor_of_user(), progress, appearance, discard_typed_input, ..terminal })
}

/// The gate as text for this terminal.
pub(super) fn as_text(gate: &Gate) -> String {
    gate_view(gate, Appearance::of_stderr())
}

const PROMPT: &str = "\n[a]pprove  [c]hanges  [e]dit  [r]eject  [v]iew, then Enter > ";

const FAULTY_PROMPT: &str = "\n[e]dit  [c]hanges (have another plan made)  [r]eject, then Enter > ";

impl TerminalApprover {
    /// Ask on `out` and read the answers from `input`. `root` is the workspace's folder, in which the plan is edited.
    ///
    /// Starts no editor, and writes plain text, 80 columns wide.
    pub fn new(
        input: impl BufRead + Send + 'static,
        out: impl Write + Send + 'static,
        root: impl Into<PathBuf>,
    ) -> Self {
        Self {
            lines: Lines::new(input),
            out: Mutex::new(Box::new(out)),
            root: root.into(),
            editor: None,
            progress: None,
            appearance: Appearance { width: 80, colors: false },
            discard_typed_input: || {},
        }
    }

    /// Edit plans with this shell command, as in `$VISUAL` or `$EDITOR`.
    pub fn with_editor(self, command: impl Into<String>) -> Self {
        Self { editor: Some(command.into()), ..self }
    }

    /// Pause this view while asking.
    pub fn with_progress(self, progress: Arc<Progress>) -> Self {
        Self { progress: Some(progress), ..self }
    }

    async fn ask_about_plan(&self, gate: &Gate) -> io::Result<GateAnswer> {
        self.write(&gate_view(gate, self.appearance))?;
        loop {
            self.write(PROMPT)?;
            let Some(line) = self.lines.next().await else { return self.no_answer() };
            match answer::parse(&line, gate) {
                Err(message) => self.write(&format!("{}\n", text::paragraph("", &message, self.appearance.width)))?,
                Ok(Choice::Approve(tasks)) => match self.unsent_notes(gate).await? {
                    Unsent::Leave => {
                        self.write(&approved(tasks.as_deref(), gate))?;
                        return Ok(GateAnswer::Approve { tasks });
                    }
                    Unsent::Send => return Ok(GateAnswer::Revise { feedback: String::new() }),
                    Unsent::NoAnswer => return self.no_answer(),
                    Unsent::Back => {}
                },
                Ok(Choice::Changes(Some(feedback))) => return Ok(GateAnswer::Revise { feedback }),
                Ok(Choice::Changes(None)) => {
                    if let Some(answer) = self.changes(gate.notes.read().len()).await? {
                        return Ok(answer);
                    }
                }
                Ok(Choice::Edit) => {
                    if let Some(answer) = self.edit(&gate.plan_json).await? {
                        return Ok(answer);
                    }
                }
                Ok(Choice::Reject) => {
                    return Ok(GateAnswer::Reject);
                }
                Ok(Choice::View) => {
                    self.write(&format!("\n{}\n\n(vv shows it as JSON)\n", text::safe_lines(&gate.content.markdown)))?;
                }
                Ok(Choice::ViewJson) => {
                    let json = serde_json::to_string_pretty(&gate.plan).map_err(io::Error::other)?;
                    self.write(&format!("\n{}\n", text::safe_lines(&json)))?;
                }
            }
        }
    }

    /// Show the plan's faults, and ask until there is an answer.
    async fn ask_about_faulty_plan(&self, gate: &FaultyGate) -> io::Result<GateAnswer> {
        self.write(&format!("\n{}\n", text::safe_lines(&gate.message())))?;
        if gate.faults.is_none() {
            self.write("You are asked about the plan again once it is back. Enter alone has a new one made > ")?;
            return if self.lines.next().await.is_some() { Ok(GateAnswer::Edited) } else { self.no_answer() };
        }
        self.write(
            "The plan cannot be shown before that is fixed. Save it, from wherever, and you are asked again.\n",
        )?;
        loop {
            self.write(FAULTY_PROMPT)?;
            let Some(line) = self.lines.next().await else { return self.no_answer() };
            match answer::parse_faulty(&line) {
                Ok(Choice::Changes(Some(feedback))) => return Ok(GateAnswer::Revise { feedback }),
                Ok(Choice::Changes(None)) => {
                    if let Some(answer) = self.changes(0).await? {
                        return Ok(answer);
                    }
                }
                Ok(Choice::Edit) => {
                    if let Some(answer) = self.edit(&gate.plan_json).await? {
                        return Ok(answer);
                    }
                }
                Ok(Choice::Reject) => {
                    return Ok(GateAnswer::Reject);
                }
                Ok(_) => {}
                Err(message) => self.write(&format!("{}\n", text::paragraph("", message, self.appearance.width)))?,
            }
        }
    }

    /// Ask about the checks. An empty line, and the end of the input, let nothing run and remember nothing.
    async fn checks(&self, gate: &Gate) -> io::Result<CheckAnswer> {
        let untrusted: Vec<String> = gate.content.untrusted().map(|check| check.id.clone()).collect();
        if !untrusted.is_empty() {
            self.ask_in_words(&checks::trust_question(untrusted.len()))?;
            let is_yes = self.lines.next().await.is_some_and(|line| checks::is_yes(&line));
            let trust = if is_yes { untrusted } else { Vec::new() };
            return Ok(CheckAnswer { trust, remember: None });
        }
        let offered = &gate.content.offered_checks;
        loop {
            self.ask_in_words(checks::offer_question(offered.len()))?;
            let Some(line) = self.lines.next().await else { return Ok(CheckAnswer::default()) };
            match checks::parse_offer_answer(&line, offered) {
                Ok(answer) => return Ok(answer),
                Err(message) => self.write(&format!("{}\n", text::paragraph("", &message, self.appearance.width)))?,
            }
        }
    }

    /// A question that may be longer than a line; the answer is typed behind it.
    fn ask_in_words(&self, question: &str) -> io::Result<()> {
        self.write(&format!("\n{} ", text::paragraph("", question.trim_end(), self.appearance.width)))
    }

    /// Ask what should be different beside what so many notes say; `None` goes back to the question.
    async fn changes(&self, notes: usize) -> io::Result<Option<GateAnswer>> {
        let question = match notes {
            0 => "What should be different? (an empty line goes back)".to_owned(),
            notes => format!(
                "{} in plan.md will be sent. What else should be different? (an empty line sends the notes alone, - goes \
                 back)",
                text::count(notes, "note")
            ),
        };
        self.write(&format!("{}\n> ", text::paragraph("", &question, self.appearance.width)))?;
        let Some(line) = self.lines.next().await else { return self.no_answer().map(Some) };
        let feedback = text::safe_line(&line);
        let goes_back = if notes == 0 { feedback.is_empty() } else { feedback == "-" };
        Ok((!goes_back).then_some(GateAnswer::Revise { feedback }))
    }

    /// Ask what becomes of notes that were not sent, where there are some, before the plan is approved.
    async fn unsent_notes(&self, gate: &Gate) -> io::Result<Unsent> {
        let notes = gate.notes.read().len();
        if notes == 0 {
            return Ok(Unsent::Leave);
        }
        let (were, them) = if notes == 1 { ("was", "it") } else { ("were", "them") };
        let notes = text::count(notes, "note");
        self.ask_in_words(&format!(
            "{notes} in plan.md {were} not sent. [s]end {them} to the planner, [a]pprove without, Enter alone goes back >"
        ))?;
        Ok(match self.lines.next().await.map(|line| text::safe_line(&line).to_lowercase()).as_deref() {
            None => Unsent::NoAnswer,
            Some("s" | "send") => Unsent::Send,
            Some("a" | "approve") => Unsent::Leave,
            Some(_) => Unsent::Back,
        })
    }

    /// Have plan.json edited; `None` goes back to the question.
    async fn edit(&self, plan_json: &str) -> io::Result<Option<GateAnswer>> {
        let plan = text::safe_line(plan_json);
        let Some(editor) = &self.editor else {
            self.write(&format!("Neither VISUAL nor EDITOR is set. Edit {plan}, save it, then press Enter.\n> "))?;
            return match self.lines.next().await {
                Some(_) => Ok(Some(GateAnswer::Edited)),
                None => self.no_answer().map(Some),
            };
        };
        match run_editor(editor, &self.root.join(plan_json)).await {
            Ok(status) if status.success() => Ok(Some(GateAnswer::Edited)),
            Ok(status) => {
                self.write(&format!("{editor} ended with {status}; the plan is as it was asked about.\n"))?;
                Ok(None)
            }
            Err(error) => {
                self.write(&format!("{editor} could not be started: {error}. Set VISUAL or EDITOR to your editor.\n"))?;
                Ok(None)
            }
        }
    }

    /// Ask with the terminal to itself. A question that is dropped before it is answered prints `withdrawn`.
    async fn with_terminal<T>(
        &self,
        question: impl Future<Output = io::Result<T>> + Send,
        withdrawn: &'static str,
        no_answer: T,
    ) -> T {
        let _pause = self.progress.as_ref().map(|progress| progress.pause());
        // What was typed before the plan was on screen does not answer it.
        self.lines.discard().await;
        (self.discard_typed_input)();
        let mut open = Question { approver: self, withdrawn: Some(withdrawn) };
        let answer = question.await;
        open.withdrawn = None;
        answer.unwrap_or_else(|error| {
            tracing::warn!("the gate cannot be shown: {error}");
            no_answer
        })
    }

    fn no_answer(&self) -> io::Result<GateAnswer> {
        self.write("\nNo answer.\n")?;
        Ok(GateAnswer::Wait)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

#[async_trait]
impl Approver for TerminalApprover {
    async fn ask(&self, gate: &Gate) -> GateAnswer {
        self.with_terminal(self.ask_about_plan(gate), "No answer is needed any more.", GateAnswer::Wait).await
    }

    async fn ask_about_checks(&self, gate: &Gate) -> CheckAnswer {
        let withdrawn = "No answer is needed any more.";
        self.with_terminal(self.checks(gate), withdrawn, CheckAnswer::default()).await
    }

    async fn show_faults(&self, gate: &FaultyGate) -> GateAnswer {
        self.with_terminal(self.ask_about_faulty_plan(gate), "That has changed.", GateAnswer::Wait).await
    }
}

#[async_trait]
impl Approver for NonInteractiveApprover {
    async fn ask(&self, _gate: &Gate) -> GateAnswer {
        GateAnswer::Wait
    }
}

/// What becomes of notes that were not sent when the plan is approved.
enum Unsent {
    /// They stay in plan.md.
    Leave,
    /// They go to the planner, and the plan is not approved.
    Send,
    /// The question of the gate is asked again.
    Back,
    /// Nobody answers.
    NoAnswer,
}

/// A question on screen. Dropped while open, it prints that it was withdrawn.
struct Question<'a> {
    approver: &'a TerminalApprover,
    /// What is printed then; `None` once it was answered.
    withdrawn: Option<&'static str>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(withdrawn) = self.withdrawn {
            // A terminal that is gone shows no question either.
            let _ = self.approver.write(&format!("\n{withdrawn}\n"));
        }
    }
}

fn approved(tasks: Option<&[String]>, gate: &Gate) -> String {
    let Some(tasks) = tasks else { return String::new() };
    let left: Vec<_> =
        gate.tasks.iter().map(|task| task.id.as_str()).filter(|id| !tasks.iter().any(|t| t == id)).collect();
    format!("Approved: {}. Left out: {}.\n", tasks.join(", "), left.join(", "))
}

/// `$VISUAL`, else `$EDITOR`.
fn editor_of_user() -> Option<String> {
    let set = |name| config::variable(name).filter(|command| !command.trim().is_empty());
    set("VISUAL").or_else(|| set("EDITOR"))
}

/// Run an editor on a file, with the terminal its own. Both variables hold a shell command, flags and all.
///
/// The editor is not killed with a withdrawn question: it may hold unsaved work.
async fn run_editor(command: &str, file: &Path) -> io::Result<ExitStatus> {
    let mut editor = if cfg!(windows) {
        let mut words = command.split_whitespace();
        let mut editor = tokio::process::Command::new(words.next().unwrap_or_default());
        editor.args(words);
        editor
    } else {
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-c", &format!("{command} \"$1\""), command]);
        shell
    };
    editor.arg(file).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    // Standard output may be taken by --json; the editor belongs on the terminal of the question.
    #[cfg(unix)]
    editor.stdout(Stdio::from(std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?));
    editor.status().await
}

/// Discard what was typed on the terminal and not read yet.
pub(super) fn discard_typed_input() {
    #[cfg(unix)]
    if let Err(error) = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush) {
        tracing::debug!("typed input could not be discarded: {error}");
    }
}

#[cfg(test)]
mod tests;
