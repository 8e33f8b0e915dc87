//! `baton approve` and `baton reject`: the gate, answered from outside.

use std::path::Path;

use super::failure::Failure;
use super::session::Session;
use super::{print, render};
use crate::config::Overrides;
use crate::contracts::Decision;
use crate::workflow::{self, NO_PLAN};

/// Approve the plan, or some tasks of it.
pub(super) fn approve(folder: Option<&Path>, only: Option<Vec<String>>) -> Result<u8, Failure> {
    let partial = only.is_some();
    let answered = answer(folder, Decision::Approved, only)?;
    let what = if partial { answered.tasks.join(", ") } else { render::count(answered.tasks.len(), "task") };
    let then = if answered.run_waits { "The waiting run goes on." } else { "`baton run` goes on with it." };
    print(&format!("Approved plan version {} ({what}). {then}", answered.plan_version))?;
    Ok(0)
}

/// Reject the plan.
pub(super) fn reject(folder: Option<&Path>) -> Result<u8, Failure> {
    let answered = answer(folder, Decision::Rejected, None)?;
    print(&format!(
        "Rejected plan version {}. Nothing was written; `baton reset` starts over.",
        answered.plan_version
    ))?;
    Ok(0)
}

fn answer(
    folder: Option<&Path>,
    decision: Decision,
    tasks: Option<Vec<String>>,
) -> Result<workflow::Answered, Failure> {
    let session = Session::open(folder, Overrides::default())?;
    let Some(store) = session.memory()? else { return Err(Failure::usage(NO_PLAN)) };
    let answered = workflow::answer_plan(&store, decision, tasks)?;
    if store.seal().keeps_answers() {
        return Ok(answered);
    }
    Err(Failure::failed(
        "the answer holds for this process only, which ends here: Baton's state folder ($XDG_STATE_HOME/baton, else \
         ~/.local/state/baton) cannot be written. Make it writable, or answer at the gate of `baton run` at a terminal",
    ))
}
