//! `baton tell`: tells the agents of the run at work something, whichever process that is.

use super::args::TellArgs;
use super::failure::Failure;
use super::output::print;
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::workflow::{self, ToldTo};

/// Tell them.
pub(super) fn tell_agents(start: &Start<'_>, TellArgs { task, text }: &TellArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else { return Err(Failure::usage("nothing runs here")) };
    let ToldTo { names, .. } = workflow::tell(&store, &session.phases, text, task.as_deref())?;
    let names = names.join(", ");
    print(&format!(
        "Told {names}: taken with the next request. Where no request follows, the end of the run says that it was not taken."
    ))?;
    Ok(0)
}
