//! Which run is asked about.

use crate::memory::{RunId, Store};
use crate::text;
use crate::workflow::run::error::StartError;

/// Ids that a message about a wrong one names.
const NAMED: usize = 5;

/// The run whose id begins so; without one the run at work, else the last one that asked a model, else the last.
///
/// # Errors
/// When there is none, or several begin so.
pub(super) fn which(store: &Store, named: Option<&str>) -> Result<RunId, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    let runs = store.runs()?;
    let Some(last) = runs.last() else { return usage("nothing has been run here yet, so there is no log".to_owned()) };
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else {
        let at_work = store.holder().and_then(|holder| RunId::parse(&holder.run)).filter(|run| runs.contains(run));
        let asked = || runs.iter().rev().find(|run| store.has_turns(run));
        return Ok(at_work.or_else(|| asked().cloned()).unwrap_or_else(|| last.clone()));
    };
    let found: Vec<&RunId> = runs.iter().filter(|run| run.as_str().starts_with(named)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => usage(format!(
            "no run's id begins with {}; the last ones are {}",
            text::short_line(named, 40),
            newest(&runs)
        )),
        several => {
            let ids: Vec<RunId> = several.iter().copied().cloned().collect();
            usage(format!("several runs begin with {}: {}", text::short_line(named, 40), newest(&ids)))
        }
    }
}

/// The run at work, else the last one.
///
/// # Errors
/// When there is none.
pub(super) fn newest_or_at_work(store: &Store) -> Result<RunId, StartError> {
    let runs = store.runs()?;
    let at_work = store.holder().and_then(|holder| RunId::parse(&holder.run)).filter(|run| runs.contains(run));
    let run = at_work.or_else(|| runs.last().cloned());
    run.ok_or_else(|| StartError::Usage("nothing has been run here yet".to_owned()))
}

/// The newest of these, newest first.
fn newest(runs: &[RunId]) -> String {
    let mut ids: Vec<&str> = runs.iter().rev().take(NAMED).map(RunId::as_str).collect();
    if runs.len() > NAMED {
        ids.push("…");
    }
    ids.join(", ")
}
