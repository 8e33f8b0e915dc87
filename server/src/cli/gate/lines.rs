//! The lines that a person types at the gate.

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex as Lock, PoisonError, mpsc as blocking};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::typing::{LineEditor, Typed, whole_line};

/// The lines that a person types, read only on request.
///
/// A read from a terminal cannot be cancelled. So one thread reads, and only on request: an editor started in between has
/// the terminal to itself. A request whose caller has gone stays open, and serves the next caller; where a line is edited, it
/// is withdrawn, for the terminal is no longer as others expect it.
pub(super) struct Lines {
    state: Mutex<State>,
    /// How a line that is being edited is withdrawn; `None` where whole lines are read.
    editing: Option<Arc<Editing>>,
}

struct State {
    requests: blocking::Sender<String>,
    lines: mpsc::UnboundedReceiver<Typed>,
    requested: bool,
}

/// A line that may be edited now.
#[derive(Default)]
struct Editing {
    withdrawn: Arc<AtomicBool>,
    is_read: Lock<bool>,
    ended: Condvar,
}

impl Lines {
    /// Read from `input`, in a thread that ends with the first request after this is dropped.
    pub(super) fn new(mut input: impl BufRead + Send + 'static) -> Self {
        Self::with(None, move |_| whole_line(&mut input))
    }

    /// Have lines edited on the terminal that standard input and standard error are.
    pub(super) fn edited() -> Self {
        let editing = Arc::new(Editing::default());
        let mut editor = LineEditor::new(editing.withdrawn.clone());
        Self::with(Some(editing), move |prompt| editor.read(prompt))
    }

    fn with(editing: Option<Arc<Editing>>, mut read: impl FnMut(&str) -> Typed + Send + 'static) -> Self {
        let (requests, requested) = blocking::channel::<String>();
        let (sender, lines) = mpsc::unbounded_channel();
        let of_thread = editing.clone();
        std::thread::spawn(move || {
            for prompt in requested {
                let typed = read(&prompt);
                if let Some(editing) = &of_thread {
                    editing.end();
                }
                if sender.send(typed).is_err() {
                    break;
                }
            }
        });
        Self { state: Mutex::new(State { requests, lines, requested: false }), editing }
    }

    /// Whether [`next`](Self::next) shows the prompt that it is given, as long as the line is edited.
    pub(super) fn show_prompts(&self) -> bool {
        self.editing.is_some()
    }

    /// The next line without its end; `None` at the end of the input. May be dropped at any time: a whole line that comes
    /// later is not lost, one that is being edited is.
    pub(super) async fn next(&self, prompt: &str) -> Option<String> {
        let mut state = self.state.lock().await;
        if state.requested && self.editing.is_some() {
            // What was typed for a question that was withdrawn.
            state.lines.recv().await;
            state.requested = false;
        }
        if !state.requested {
            if let Some(editing) = &self.editing {
                editing.begin();
            }
            state.requests.send(prompt.to_owned()).ok()?;
            state.requested = true;
        }
        let mut withdrawal = Withdrawal(self.editing.as_deref());
        let typed = state.lines.recv().await;
        withdrawal.0 = None;
        state.requested = false;
        match typed? {
            Typed::Line(line) => Some(line),
            Typed::End => None,
            // Whoever asked drops the question: the process was asked to stop.
            Typed::Interrupted | Typed::Withdrawn => std::future::pending().await,
        }
    }

    /// Discard a line that was typed for a withdrawn question.
    pub(super) async fn discard(&self) {
        let mut state = self.state.lock().await;
        if state.lines.try_recv().is_ok() {
            state.requested = false;
        }
    }

    /// Whether there is a line that no question has read.
    #[cfg(test)]
    pub(super) async fn holds_a_line(&self) -> bool {
        !self.state.lock().await.lines.is_empty()
    }
}

impl Editing {
    fn begin(&self) {
        self.withdrawn.store(false, Ordering::Relaxed);
        *self.is_read.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn end(&self) {
        *self.is_read.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.ended.notify_all();
    }

    /// Withdraw the line, and wait until the terminal is as it was.
    fn withdraw(&self) {
        const SOON: Duration = Duration::from_secs(1);
        self.withdrawn.store(true, Ordering::Relaxed);
        let is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        // A poisoned lock is as good as any; one that takes too long is left.
        let _ = self.ended.wait_timeout_while(is_read, SOON, |is_read| *is_read);
    }
}

/// Withdraws a line whose question is dropped.
struct Withdrawal<'a>(Option<&'a Editing>);

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if let Some(editing) = self.0 {
            editing.withdraw();
        }
    }
}
