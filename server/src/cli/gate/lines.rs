use std::io::BufRead;
use std::sync::mpsc as blocking;

use tokio::sync::{Mutex, mpsc};

/// Lines a person types, read only while somebody wants one.
///
/// Reading from a terminal cannot be called off, so one thread does it and reads a line only on request: an editor
/// started in between has the terminal to itself. A request nobody waits for any more stands, and the next one who
/// asks inherits it.
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

    /// Throw away a line that was typed for a question nobody asks any more.
    pub(super) async fn forget(&self) {
        let mut state = self.state.lock().await;
        if state.lines.try_recv().is_ok() {
            state.requested = false;
        }
    }

    /// Whether a line came that nobody has asked for since.
    #[cfg(test)]
    pub(super) async fn holds_a_line(&self) -> bool {
        !self.state.lock().await.lines.is_empty()
    }
}

/// One line; `None` at the end, and when the input is broken, which is an end too.
fn line(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    match input.read_until(b'\n', &mut bytes) {
        Ok(1..) => Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}
