//! `baton accept`: takes the reviewed work as it is.

use std::sync::Arc;

use super::failure::{FAILED, Failure, USAGE};
use super::gate::NonInteractiveApprover;
use super::notices;
use super::output::exit_code_after;
use super::run::{EndReport, exit_code};
use super::runtime::block_on;
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::memory::{MemoryError, Store};
use crate::workflow::{self, Engine, Goal, RunEnd, StartError};

/// Accept, and print how the workflow ends with it.
pub(super) fn accept(start: &Start<'_>, because: Option<String>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    if let Some(store) = session.memory()? {
        check_kept(&store)?;
    }
    let engine = session.engine(Arc::new(NonInteractiveApprover))?;
    let report = EndReport::of(&engine);
    let end = block_on(run(engine, Goal::Accept { because }))??;
    exit_code_after(exit_code(&end), report.print_message(&end))
}

/// The run that accepts has no phase to show, and is over at once.
async fn run(engine: Engine, goal: Goal) -> Result<RunEnd, Failure> {
    let handle = workflow::start(engine, goal.into()).map_err(refused)?;
    notices::keep(handle.notices);
    let ended = handle.end.await;
    ended.map_err(|error| Failure::failed(format!("the run broke off: {error}; `baton status` tells what stands")))
}

/// That a run is at work, or a file is faulty, is a reason why nothing can be accepted now, like all others.
fn refused(error: StartError) -> Failure {
    let is_reason = matches!(error, StartError::Memory(MemoryError::Locked(_) | MemoryError::Faulty(_)));
    let failure = Failure::from(error);
    if is_reason && failure.code == FAILED { Failure { code: USAGE, ..failure } } else { failure }
}

/// What is said of the work as a whole is sealed, and without a key that is kept no later command could verify it.
/// Dismissed issues need no seal.
fn check_kept(store: &Store) -> Result<(), Failure> {
    if store.seal().is_kept() || store.inspect()?.0.open_issues().next().is_some() {
        return Ok(());
    }
    Err(Failure::failed(
        "the work cannot be accepted: Baton's state folder ($XDG_STATE_HOME/baton, else ~/.local/state/baton) cannot be \
         written, so no later command would know of it. Make it writable",
    ))
}
