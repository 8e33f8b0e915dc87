//! The signals by which people and systems ask a process to stop.

use super::failure::Failure;

/// What asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A person, or whoever looks after processes. Said twice, it is meant.
    Asked,
    /// The terminal is gone. It may be told by the system and by the shell, so that a second time means nothing.
    HungUp,
}

/// Hears them. Until it is made, they end the process at once.
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
    /// Hear them from now on.
    ///
    /// # Errors
    /// When the system does not allow it.
    #[cfg(unix)]
    pub(super) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hangup })
    }

    /// The next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Stop {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Stop::Asked,
            _ = self.interrupt.recv() => Stop::Asked,
            _ = hung_up => Stop::HungUp,
        }
    }

    /// Hear them from now on.
    #[cfg(not(unix))]
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// The next one.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Stop {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Stop::Asked
    }
}

/// Whether this process was started to outlive its terminal, as `nohup` does: a hangup is ignored, and stays so.
///
/// Linux tells (proc(5), `SigIgn` of `/proc/PID/status`: a mask of which signal n is bit n-1). Other systems do not; there
/// a process that has its terminal no more is taken for one that is to outlive it.
#[cfg(unix)]
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
    fn what_is_ignored_is_read_from_the_mask() {
        let status = |mask: &str| format!("Name:\tbaton\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert!(is_ignored(&status("0000000000000001"), 1));
        assert!(is_ignored(&status("0000000000001001"), 1));
        assert!(!is_ignored(&status("0000000000001002"), 1));
        assert!(is_ignored(&status("0000000000001002"), 2));
        assert!(!is_ignored("", 1) && !is_ignored(&status("none"), 1));
    }
}
