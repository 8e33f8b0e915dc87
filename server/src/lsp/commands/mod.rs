//! The commands and the requests about documents: [`table`] parses and advertises the commands, and each handler has its
//! file.
//!
//! Invariants: what is advertised is what is parsed; a handler that starts a run answers with its id and does not wait for
//! it; results are JSON, and shown in a window only where no plugin does that.

mod answer;
mod cancel;
pub(crate) mod changes;
mod confirmation;
mod demo;
mod history;
mod issues;
mod keep;
mod log;
mod memory;
mod open;
pub(crate) mod requests;
mod start;
mod status;
pub(crate) mod table;
mod tell;
mod trust;

use std::sync::Arc;

use serde_json::Value;

use crate::lsp::commands::table::{Call, Command};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::{Folders, NoFolder};
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It is for no open folder.
    #[error(transparent)]
    NoFolder(#[from] NoFolder),
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Run a command in the folder it is for.
///
/// # Errors
/// When the command is for no open folder, or the folder refuses it.
pub(crate) async fn run(
    folders: &Folders,
    (client, capabilities): (&Client, Capabilities),
    call: Call,
) -> Result<Value, Failure> {
    if let Command::Demo(arguments) = call.command {
        return Ok(demo::make(client, capabilities, arguments).await?);
    }
    let folder = match call.command {
        // These are about a run: they are for the folder with an active one.
        Command::Cancel | Command::Tell(_) | Command::Approve(_) | Command::SendNotes(_) | Command::Reject => {
            with_active_run(folders, &call).await?
        }
        _ => folders.choose(call.folder.as_ref())?,
    };
    let result = match call.command {
        Command::Workflow(arguments) => start::workflow(&folder, arguments).await?,
        Command::Context(arguments) => start::context(&folder, arguments).await?,
        Command::Plan(arguments) => answer::plan(&folder, arguments).await?,
        Command::Implement(arguments) => start::implement(&folder, arguments).await?,
        Command::Review(arguments) => start::review(&folder, arguments).await?,
        Command::Phase(name) => start::phase(&folder, name).await?,
        Command::FixIssue(arguments) => start::fix(&folder, arguments).await?,
        Command::Approve(arguments) => answer::approve(&folder, arguments).await?,
        Command::SendNotes(arguments) => answer::send_notes(&folder, arguments).await?,
        Command::DiscardNotes(arguments) => answer::discard_notes(&folder, arguments).await?,
        Command::Reject => answer::reject(&folder).await?,
        Command::Status => status::status(&folder).await?,
        Command::Cancel => cancel::cancel(&folder).await?,
        Command::Reset => memory::reset(&folder).await?,
        Command::Rollback(arguments) => changes::rollback(&folder, arguments).await?,
        Command::Keep(arguments) => keep::keep(&folder, arguments).await?,
        Command::Diff(arguments) => changes::diff(&folder, arguments).await?,
        Command::History => history::history(&folder).await?,
        Command::Log(arguments) => log::log(&folder, arguments).await?,
        Command::Trust => trust::trust(&folder).await?,
        Command::Accept(arguments) => issues::accept(&folder, arguments).await?,
        Command::Tell(arguments) => tell::tell(&folder, arguments).await?,
        Command::DismissIssue(arguments) => issues::dismiss(&folder, arguments).await?,
        Command::RestoreIssue(arguments) => issues::restore(&folder, arguments).await?,
        Command::OpenTask(arguments) => open::task(&folder, arguments).await?,
        Command::OpenPlan => open::plan(&folder).await?,
        Command::Doctor => memory::doctor(&folder).await?,
        Command::Demo(arguments) => demo::make(client, capabilities, arguments).await?,
    };
    Ok(result)
}

/// The folder that a call names, else the only one with an active run, else the only one in which another process is at
/// work.
async fn with_active_run(folders: &Folders, call: &Call) -> Result<Arc<Folder>, NoFolder> {
    let all = folders.all();
    if call.folder.is_some() || all.len() < 2 {
        return folders.choose(call.folder.as_ref());
    }
    let (mut active, mut elsewhere) = (Vec::new(), Vec::new());
    for folder in all {
        if folder.active_run().await.is_some() {
            active.push(folder);
        } else if folder.is_at_work_elsewhere().await {
            elsewhere.push(folder);
        }
    }
    let candidates = if active.is_empty() { elsewhere } else { active };
    match <[Arc<Folder>; 1]>::try_from(candidates) {
        Ok([only]) => Ok(only),
        Err(_) => folders.choose(None),
    }
}
