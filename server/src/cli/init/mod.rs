//! `baton init`: writes the settings of a workspace, or what Copilot's agent mode follows. Nothing that a person wrote is ever
//! overwritten.

mod agent_file;
mod block;
mod copilot;
mod proposal;
mod settings;

use super::args::InitArgs;
use super::failure::Failure;
use super::session::{Session, Start};
use crate::config::Overrides;

/// Write what was asked for, or with `--dry-run` only show it.
pub(super) fn init(start: &Start<'_>, args: &InitArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    match args.copilot {
        true => copilot::init(&session, args),
        false => settings::init(&session, args.dry_run),
    }
}
