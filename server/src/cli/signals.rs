//! The signals by which people and systems ask a process to stop.

use super::failure::Failure;

/// What asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Interrupt or terminate: a person or a process manager, in words. The second one ends the process at once.
    Asked(&'static str),
    /// The terminal is gone. The system and the shell may both send it, so a second one means nothing.
    HungUp,
}

/// Receives these signals. Before it exists, they end the process at once.
pub(super) struct Stops {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// `None` where it is ignored.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Stops {
    /// Start receiving them.
    ///
    /// # Errors
    /// When the system does not allow it.
    #[cfg(unix)]
    pub(super) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hangup })
    }

    /// Wait for the next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Stop {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Stop::Asked("a signal"),
            _ = self.interrupt.recv() => Stop::Asked("Ctrl-C"),
            _ = hung_up => Stop::HungUp,
        }
    }

    /// Start receiving them.
    #[cfg(not(unix))]
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Wait for the next one.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Stop {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Stop::Asked("Ctrl-C")
    }
}

/// Whether this process was started to outlive its terminal, as by `nohup`: hangup is ignored, and stays so.
///
/// Linux reports it (proc(5), `SigIgn` in `/proc/PID/status`: a mask in which signal n is bit n-1). On other systems a
/// process without a terminal is assumed to be meant to outlive it.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "/proc is no file of anybody")]
fn ignores_hangup() -> bool {
    use std::io::IsTerminal;
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => is_ignored(&status, 1),
        Err(_) => !std::io::stderr().is_terminal(),
    }
}

#[cfg(unix)]
fn is_ignored(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal - 1) & 1 == 1
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = |mask: &str| format!("Name:\tbaton\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert!(is_ignored(&status("0000000000000001"), 1));
        assert!(is_ignored(&status("0000000000001001"), 1));
        assert!(!is_ignored(&status("0000000000001002"), 1));
        assert!(is_ignored(&status("0000000000001002"), 2));
        assert!(!is_ignored("", 1) && !is_ignored(&status("none"), 1));
    }
}
