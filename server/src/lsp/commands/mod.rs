//! What the commands do, one file a concern. Each answers at once; what takes time runs elsewhere.

mod answer;
pub(crate) mod changes;
mod issues;
mod memory;
mod open;
pub(crate) mod requests;
mod start;
mod status;
pub(crate) mod table;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::lsp::commands::table::{Call, Command};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::{Folders, NoFolder};

/// Why a command is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No folder is meant.
    #[error(transparent)]
    NoFolder(#[from] NoFolder),
    /// The folder refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Run a command in the folder it is for.
///
/// # Errors
/// When no folder is meant, or it refuses.
pub(crate) async fn run(folders: &Folders, call: Call) -> Result<Value, Failure> {
    let folder = match call.command {
        // These are about a run: where one is at work is where they are meant.
        Command::Cancel | Command::Approve(_) | Command::Reject => at_work(folders, &call).await?,
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
        Command::Reject => answer::reject(&folder).await?,
        Command::Status => status::status(&folder).await?,
        Command::Cancel => json!({ "run": folder.cancel().await? }),
        Command::Reset => memory::reset(&folder).await?,
        Command::Rollback(arguments) => changes::rollback(&folder, arguments).await?,
        Command::Diff(arguments) => changes::diff(&folder, arguments).await?,
        Command::DismissIssue(arguments) => issues::dismiss(&folder, arguments).await?,
        Command::RestoreIssue(arguments) => issues::restore(&folder, arguments).await?,
        Command::OpenTask(arguments) => open::task(&folder, arguments).await?,
        Command::OpenPlan => open::plan(&folder).await?,
        Command::Doctor => memory::doctor(&folder).await?,
    };
    Ok(result)
}

/// The folder a call names, else the one where something runs, if there is but one.
async fn at_work(folders: &Folders, call: &Call) -> Result<Arc<Folder>, NoFolder> {
    let mut at_work = Vec::new();
    for folder in folders.all() {
        if folder.active_run().await.is_some() {
            at_work.push(folder);
        }
    }
    match (&call.folder, at_work.pop()) {
        (None, Some(only)) if at_work.is_empty() => Ok(only),
        (named, _) => folders.choose(named.as_ref()),
    }
}
