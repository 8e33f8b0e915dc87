//! `baton keep`: hunks that rollbacks pass over.

use super::args::KeepArgs;
use super::failure::Failure;
use super::output::{message_lines, print};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::{text, workflow};

/// Keep a hunk of a file, or all it has.
pub(super) fn keep(start: &Start<'_>, args: &KeepArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        return Err(Failure::usage("there is nothing to keep: nothing has been run here yet"));
    };
    let file = session.file(&args.file)?;
    let kept = workflow::keep(&store, &session.workspace, &file, &args.hunks)?;
    let hunks = text::count(kept.len(), "hunk");
    let message = format!(
        "Kept: {hunks} of {}. `baton rollback` passes over what is kept; with --hunk ID it undoes that hunk all the same.",
        text::safe_line(file.as_str())
    );
    print(&message_lines(&message).join("\n"))?;
    Ok(0)
}
