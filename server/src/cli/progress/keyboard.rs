//! Keys pressed while live rows are shown would be echoed among them, and Enter would leave a row behind.

#[cfg(unix)]
use std::io::IsTerminal;

/// Keeps the terminal from showing what is typed, until it is dropped.
#[derive(Debug)]
pub(super) struct Unechoed {
    #[cfg(unix)]
    was: rustix::termios::Termios,
}

impl Unechoed {
    /// For the terminal that standard input is, if it is one.
    #[cfg(unix)]
    pub(super) fn new() -> Option<Self> {
        let unechoed = Self { was: terminal()? };
        unechoed.again();
        Some(unechoed)
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> Option<Self> {
        None
    }

    /// Once more, where a shell has set the terminal meanwhile.
    #[cfg(unix)]
    pub(super) fn again(&self) {
        use rustix::termios::LocalModes;
        if let Some(mut modes) = terminal()
            && modes.local_modes.contains(LocalModes::ECHO)
        {
            modes.local_modes.remove(LocalModes::ECHO);
            set(&modes);
        }
    }

    #[cfg(not(unix))]
    pub(super) fn again(&self) {}
}

#[cfg(unix)]
impl Drop for Unechoed {
    fn drop(&mut self) {
        if terminal().is_some() {
            set(&self.was);
        }
    }
}

/// How the terminal is set; `None` where there is none, or where it belongs to another job: setting it would stop this one.
#[cfg(unix)]
fn terminal() -> Option<rustix::termios::Termios> {
    let stdin = std::io::stdin();
    let is_ours = stdin.is_terminal()
        && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp());
    if is_ours { rustix::termios::tcgetattr(&stdin).ok() } else { None }
}

#[cfg(unix)]
fn set(modes: &rustix::termios::Termios) {
    if let Err(error) = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, modes) {
        tracing::debug!("the terminal cannot be set: {error}");
    }
}
