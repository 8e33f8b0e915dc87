//! Has the conversations of a run held by workers elsewhere, where the settings say so.

use std::time::{Duration, Instant};

use super::failure::{CANCELLED, Failure};
use super::output::tell;
use super::progress::Progress;
use super::runtime::after;
use super::signals::Stops;
use crate::config;
use crate::text;
use crate::workflow::{self, Engine, Goal};

/// Find the workers for a run with this goal, where it asks models. It is given up at the first request to stop, and after
/// `timeout`, of which what is left comes back.
///
/// # Errors
/// When there is no key, the broker cannot be reached, no worker is there, or it is given up. Nothing was changed then.
pub(super) async fn connect(
    engine: &mut Engine,
    goal: &Goal,
    timeout: Option<Duration>,
    stops: &mut Stops,
    progress: Option<&Progress>,
) -> Result<Option<Duration>, Failure> {
    let began = Instant::now();
    if engine.settings.dispatch.is_none() || !workflow::needs_model(engine, goal)? {
        return Ok(timeout);
    }
    let told = |line: &str| {
        let line = text::safe_line(line);
        match progress {
            Some(progress) => progress.suspend(|| tell(&line)),
            None => tell(&line),
        }
    };
    let given_up =
        |by: &str| Failure::new(CANCELLED, format!("stopped {by} before a worker was found; nothing was changed"));
    tokio::select! {
        connected = workflow::connect_dispatch(engine, &config::variable, &told) => connected?,
        _ = stops.next() => return Err(given_up("by a signal")),
        () = after(timeout) => return Err(given_up("by --timeout")),
    }
    Ok(timeout.map(|timeout| timeout.saturating_sub(began.elapsed())))
}
