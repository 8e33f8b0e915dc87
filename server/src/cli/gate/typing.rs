//! A line that a person edits: arrows, the keys of Emacs and shells, what was typed before, pasted lines.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reedline::{
    Emacs, FileBackedHistory, History, HistoryItem, KeyCode, KeyModifiers, Prompt, PromptEditMode, PromptHistorySearch,
    Reedline, ReedlineEvent, Signal, SimpleMatchHighlighter, default_emacs_keybindings,
};

/// Lines that are remembered until the process ends.
const REMEMBERED: usize = 200;

/// What came of a line.
pub(super) enum Typed {
    /// A person typed it, and pressed Enter.
    Line(String),
    /// There is no more input.
    End,
    /// A person wants to stop; the process was sent the signal.
    Interrupted,
    /// Its question was withdrawn.
    Withdrawn,
}

/// Has lines edited on the terminal.
pub(super) struct LineEditor {
    withdrawn: Arc<AtomicBool>,
    earlier: Vec<String>,
}

impl LineEditor {
    /// `withdrawn` ends a line that is being edited.
    pub(super) fn new(withdrawn: Arc<AtomicBool>) -> Self {
        Self { withdrawn, earlier: Vec::new() }
    }

    /// Have a line edited behind this prompt. On return the terminal is as it was.
    pub(super) fn read(&mut self, prompt: &str) -> Typed {
        let mut editor = self.editor();
        let prompt = Ask(prompt);
        loop {
            match editor.read_line(&prompt) {
                Ok(Signal::Success(line)) => {
                    if !line.trim().is_empty() {
                        self.earlier.push(line.clone());
                    }
                    return Typed::Line(line);
                }
                Ok(Signal::CtrlD) => return Typed::End,
                Ok(Signal::CtrlC) => {
                    raise(Key::Interrupt);
                    return Typed::Interrupted;
                }
                Ok(Signal::ExternalBreak(_)) => return Typed::Withdrawn,
                // Continued, the prompt is drawn again with what was typed.
                Ok(_) => suspend(),
                Err(error) => {
                    tracing::debug!("the line cannot be edited: {error}");
                    return plain(prompt.0);
                }
            }
        }
    }

    fn editor(&self) -> Reedline {
        let mut keys = default_emacs_keybindings();
        let suspend = ReedlineEvent::ExecuteHostCommand(String::new());
        keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('z'), suspend);
        let editor = Reedline::create()
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_highlighter(Box::new(SimpleMatchHighlighter::default()))
            .with_ansi_colors(false)
            .with_break_signal(self.withdrawn.clone())
            .use_bracketed_paste(true);
        match FileBackedHistory::new(REMEMBERED) {
            Ok(mut history) => {
                for line in self.earlier.iter().rev().take(REMEMBERED).rev() {
                    // A line that is not remembered is typed again.
                    let _ = history.save(HistoryItem::from_command_line(line));
                }
                editor.with_history(Box::new(history))
            }
            Err(_) => editor,
        }
    }
}

/// One line; the end where it cannot be read.
pub(super) fn whole_line(input: &mut impl BufRead) -> Typed {
    let mut bytes = Vec::new();
    match input.read_until(b'\n', &mut bytes) {
        Ok(1..) => Typed::Line(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned()),
        _ => Typed::End,
    }
}

/// A line without editing, on a terminal on which that is not possible.
fn plain(prompt: &str) -> Typed {
    let mut out = io::stderr();
    match out.write_all(prompt.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => whole_line(&mut BufReader::with_capacity(1, io::stdin())),
        Err(_) => Typed::End,
    }
}

/// Stop this job, and return when it goes on: a prompt drawn before would be drawn over by the shell.
fn suspend() {
    const STEP: Duration = Duration::from_millis(10);
    let continued = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    let registered = signal_hook::flag::register(signal_hook::consts::SIGCONT, continued.clone());
    raise(Key::Suspend);
    // The signal may reach another thread first. It has no effect where there is no shell that could continue the job.
    for _ in 0..20 {
        if continued.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(STEP);
    }
    #[cfg(unix)]
    if let Ok(id) = registered {
        signal_hook::low_level::unregister(id);
    }
}

/// What a key does in a terminal that is not edited on.
enum Key {
    Interrupt,
    Suspend,
}

/// Do what the terminal would have done at this key: a signal for all processes of this job, or for this one where the
/// terminal has no jobs.
#[cfg(unix)]
fn raise(key: Key) {
    use rustix::process::{Signal, getpgrp, getpid, kill_process, kill_process_group};
    let signal = match key {
        Key::Interrupt => Signal::INT,
        Key::Suspend => Signal::TSTP,
    };
    let sent = match rustix::termios::tcgetpgrp(io::stdin()) {
        Ok(group) if group == getpgrp() => kill_process_group(group, signal),
        _ => kill_process(getpid(), signal),
    };
    if let Err(error) = sent {
        tracing::debug!("the signal of a key cannot be sent: {error}");
    }
}

#[cfg(not(unix))]
fn raise(key: Key) {
    if matches!(key, Key::Interrupt) {
        std::process::exit(i32::from(crate::cli::failure::CANCELLED));
    }
}

/// A prompt; further lines of what is typed stand below it.
struct Ask<'a>(&'a str);

impl Prompt for Ask<'_> {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search: {}) ", search.term))
    }
}
