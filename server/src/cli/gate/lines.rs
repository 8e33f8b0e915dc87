//! The lines that a person types at the gate.

use std::io::BufRead;
use std::sync::mpsc as blocking;

use tokio::sync::{Mutex, mpsc};

/// The lines that a person types, read only on request.
///
/// A read from a terminal cannot be cancelled. So one thread reads, and only on request: an editor started in between has
/// the terminal to itself. A request whose caller has gone stays open, and serves the next caller.
pub(super) struct Lines {
    state: Mutex<State>,
}

struct State {
    requests: blocking::Sender<()>,
    lines: mpsc::UnboundedReceiver<Option<String>>,
    requested: bool,
}

impl Lines {
    /// Read from `input`, in a thread that ends with the first request after this is dropped.
    pub(super) fn new(mut input: impl BufRead + Send + 'static) -> Self {
        let (requests, requested) = blocking::channel::<()>();
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for () in requested {
                if sender.send(line(&mut input)).is_err() {
                    break;
                }
            }
        });
        Self { state: Mutex::new(State { requests, lines, requested: false }) }
    }

    /// The next line without its end; `None` at the end of the input. May be dropped at any time: a line that comes
    /// later is not lost.
    pub(super) async fn next(&self) -> Option<String> {
        let mut state = self.state.lock().await;
        if !state.requested {
            state.requests.send(()).ok()?;
            state.requested = true;
        }
        let line = state.lines.recv().await;
        state.requested = false;
        line.flatten()
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

/// One line; `None` at the end of the input, or where it cannot be read.
fn line(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    match input.read_until(b'\n', &mut bytes) {
        Ok(1..) => Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}
