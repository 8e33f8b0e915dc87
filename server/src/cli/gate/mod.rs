//! The gate on a terminal: shows the plan and reads a person's answer.

mod answer;
pub(super) mod checks;
mod lines;
mod typing;
mod view;

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::color::{Look, draws};
use super::pager::{Pager, Shown, is_longer};
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
    /// Whether what is longer than the screen is shown by the user's pager.
    has_pager: bool,
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
    let plain = TerminalApprover::new(BufReader::new(io::stdin()), io::stderr(), root);
    let terminal = TerminalApprover { editor: editor_of_user(), progress, appearance, discard_typed_input, ..plain };
    Arc::new(match draws() {
        true => TerminalApprover { lines: Lines::edited(), has_pager: true, ..terminal },
        false => terminal,
    })
}

/// The gate as text for this terminal.
pub(super) fn as_text(gate: &Gate) -> String {
    gate_view(gate, Appearance::of_stderr())
}

/// Columns behind a question.
const ANSWER: usize = 8;

const PROMPT: &str = "[a]pprove  [c]hanges  [e]dit  [r]eject  [v]iew, then Enter >";

const FAULTY_PROMPT: &str = "[e]dit  [c]hanges (have another plan made)  [r]eject, then Enter >";

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
            appearance: Appearance { width: 80, look: Look::Plain },
            discard_typed_input: || {},
            has_pager: false,
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
            let Some(line) = self.ask_in_words(PROMPT).await? else { return self.no_answer() };
            match answer::parse(&line, gate) {
                Err(message) => self.say(&message)?,
                Ok(Choice::Approve(tasks)) => match self.unsent_notes(gate).await? {
                    Unsent::Leave => {
                        self.write(&approved(tasks.as_deref(), gate, self.appearance.width))?;
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
                    let plan = text::wrapped(&gate.content.markdown, self.appearance.width);
                    self.show(&format!("{plan}\n\n(vv shows it as JSON)")).await?;
                }
                Ok(Choice::ViewJson) => {
                    let json = serde_json::to_string_pretty(&gate.plan).map_err(io::Error::other)?;
                    self.show(&text::safe_lines(&json)).await?;
                }
            }
        }
    }

    /// Show the plan's faults, and ask until there is an answer.
    async fn ask_about_faulty_plan(&self, gate: &FaultyGate) -> io::Result<GateAnswer> {
        self.write(&format!("\n{}\n", text::wrapped(&gate.message(), self.appearance.width)))?;
        if gate.faults.is_none() {
            let question = "You are asked about the plan again once it is back. Enter alone has a new one made >";
            return match self.ask_in_words(question).await? {
                Some(_) => Ok(GateAnswer::Edited),
                None => self.no_answer(),
            };
        }
        self.say("The plan cannot be shown before that is fixed. Save it, from wherever, and you are asked again.")?;
        loop {
            let Some(line) = self.ask_in_words(FAULTY_PROMPT).await? else { return self.no_answer() };
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
                Err(message) => self.say(message)?,
            }
        }
    }

    /// Ask about the checks. An empty line, and the end of the input, let nothing run and remember nothing.
    async fn checks(&self, gate: &Gate) -> io::Result<CheckAnswer> {
        let untrusted: Vec<String> = gate.content.untrusted().map(|check| check.id.clone()).collect();
        if !untrusted.is_empty() {
            let answer = self.ask_in_words(&checks::trust_question(untrusted.len())).await?;
            let is_yes = answer.is_some_and(|line| checks::is_yes(&line));
            let trust = if is_yes { untrusted } else { Vec::new() };
            return Ok(CheckAnswer { trust, remember: None });
        }
        let offered = &gate.content.offered_checks;
        loop {
            let Some(line) = self.ask_in_words(checks::offer_question(offered.len())).await? else {
                return Ok(CheckAnswer::default());
            };
            match checks::parse_offer_answer(&line, offered) {
                Ok(answer) => return Ok(answer),
                Err(message) => self.say(&message)?,
            }
        }
    }

    /// A question that may be longer than a line; the answer is typed behind it. `None` is the end of the input.
    async fn ask_in_words(&self, question: &str) -> io::Result<Option<String>> {
        // A few columns are left for the answer.
        let question = text::rewrapped(question.trim_end(), self.appearance.width.saturating_sub(ANSWER));
        let (before, prompt) = question.rsplit_once('\n').map_or(("", &*question), |(before, prompt)| (before, prompt));
        self.write(&if before.is_empty() { "\n".to_owned() } else { format!("\n{before}\n") })?;
        self.typed(&format!("{prompt} ")).await
    }

    /// Read what is typed behind this prompt.
    async fn typed(&self, prompt: &str) -> io::Result<Option<String>> {
        if !self.lines.show_prompts() {
            self.write(prompt)?;
        }
        Ok(self.lines.next(prompt).await)
    }

    /// Print a sentence.
    fn say(&self, message: &str) -> io::Result<()> {
        self.write(&format!("{}\n", text::paragraph("", message, self.appearance.width)))
    }

    /// Show a text, by the pager where it is longer than the screen.
    async fn show(&self, text: &str) -> io::Result<()> {
        let pager = Pager::of_user().filter(|_| self.has_pager && is_longer(text, &console::Term::stderr()));
        if let Some(pager) = pager {
            let (text, out) = (text.to_owned(), terminal_of_question()?);
            match tokio::task::spawn_blocking(move || pager.show(&text, out)).await.map_err(io::Error::other)? {
                Shown::Yes => return Ok(()),
                Shown::No(why) => why.map_or(Ok(()), |why| self.say(&format!("warning: {why}")))?,
            }
        }
        self.write(&format!("\n{text}\n"))
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
        self.say(&question)?;
        let Some(line) = self.typed("> ").await? else { return self.no_answer().map(Some) };
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
        let question = format!(
            "{notes} in plan.md {were} not sent. [s]end {them} to the planner, [a]pprove without, Enter alone goes back >"
        );
        Ok(match self.ask_in_words(&question).await?.map(|line| text::safe_line(&line).to_lowercase()).as_deref() {
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
            self.say(&format!("Neither VISUAL nor EDITOR is set. Edit {plan}, save it, then press Enter."))?;
            return match self.typed("> ").await? {
                Some(_) => Ok(Some(GateAnswer::Edited)),
                None => self.no_answer().map(Some),
            };
        };
        match run_editor(editor, &self.root.join(plan_json)).await {
            Ok(status) if status.success() => Ok(Some(GateAnswer::Edited)),
            Ok(status) => {
                self.say(&format!("{editor} ended with {status}; the plan is as it was asked about."))?;
                Ok(None)
            }
            Err(error) => {
                self.say(&format!("{editor} could not be started: {error}. Set VISUAL or EDITOR to your editor."))?;
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

fn approved(tasks: Option<&[String]>, gate: &Gate, width: usize) -> String {
    let Some(tasks) = tasks else { return String::new() };
    let left: Vec<_> =
        gate.tasks.iter().map(|task| task.id.as_str()).filter(|id| !tasks.iter().any(|t| t == id)).collect();
    let words = format!("Approved: {}. Left out: {}.", tasks.join(", "), left.join(", "));
    text::paragraph("", &words, width) + "\n"
}

/// `$VISUAL`, else `$EDITOR`.
pub(super) fn editor_of_user() -> Option<String> {
    let set = |name| config::variable(name).filter(|command| !command.trim().is_empty());
    set("VISUAL").or_else(|| set("EDITOR"))
}

/// Run an editor on a file, with the terminal its own. Both variables hold a shell command, flags and all.
///
/// The editor is not killed with a withdrawn question: it may hold unsaved work.
pub(super) async fn run_editor(command: &str, file: &Path) -> io::Result<ExitStatus> {
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
    editor.stdout(terminal_of_question()?);
    editor.status().await
}

/// Standard output may be taken by --json; editor and pager belong on the terminal of the question.
#[cfg(unix)]
fn terminal_of_question() -> io::Result<Stdio> {
    Ok(Stdio::from(std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn terminal_of_question() -> io::Result<Stdio> {
    Ok(Stdio::inherit())
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
