//! `baton.cancel`: the run that is stopped may be this server's, or that of another process in the same workspace, such as
//! another editor's or a terminal's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::window;
use crate::memory::LockHolder;
use crate::workflow::{self, CancelRequest};

/// How long another process may take to stop its run. It stops within a second; the rest is for a busy machine.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval at which is checked whether it has.
const CHECK_STOPPED_EVERY: Duration = Duration::from_millis(200);

/// Stop the run at work in the folder, whichever process holds it, and answer with its id; a run that looks for its workers has
/// none yet.
pub(super) async fn cancel(folder: &Arc<Folder>) -> Result<Value, Refused> {
    if let Some(run) = folder.cancel().await {
        return Ok(json!({ "run": run }));
    }
    let was_searched = folder.stop_search();
    // The search may have ended meanwhile, and its run begun.
    if let Some(run) = folder.cancel().await {
        return Ok(json!({ "run": run }));
    }
    if was_searched {
        return Ok(json!({ "run": null }));
    }
    let requested = folder.with_files(|files| {
        let Some(store) = files.memory()? else { return Err(Refused::NoActiveRun) };
        Ok(workflow::request_cancel(&store)?)
    });
    match requested.await? {
        CancelRequest::Asked(holder) => {
            let run = holder.run.clone();
            tokio::spawn(report(folder.clone(), holder));
            Ok(json!({ "run": run }))
        }
        CancelRequest::NoneAtWork(Some(last)) => Err(Refused::RunOver(last.to_string())),
        CancelRequest::NoneAtWork(None) => Err(Refused::NoActiveRun),
    }
}

/// Show whether another process has stopped its run: this server has no progress of that run to end.
async fn report(folder: Arc<Folder>, holder: LockHolder) {
    let run = &holder.run;
    let stopped = async {
        while is_at_work(&folder, run).await {
            tokio::time::sleep(CHECK_STOPPED_EVERY).await;
        }
    };
    let stopped = tokio::select! {
        () = folder.closing.cancelled() => return,
        stopped = tokio::time::timeout(STOP_TIMEOUT, stopped) => stopped,
    };
    match stopped {
        Ok(()) if folder.capabilities.plugin => {}
        Ok(()) => {
            let message = format!("Baton: run {run} of another process was stopped.");
            window::show_message(&folder.client, MessageType::INFO, message);
        }
        Err(_) => {
            let message = format!(
                "Baton: run {run} was asked to stop and is still at work, in the process {}. Stop it where it was started.",
                holder.pid
            );
            window::show_message(&folder.client, MessageType::WARNING, message);
        }
    }
}

/// Whether a run still holds the folder; `true` where that cannot be read.
async fn is_at_work(folder: &Folder, run: &str) -> bool {
    let run = run.to_owned();
    let holder = folder.with_files(move |files| Ok(files.memory()?.and_then(|store| store.holder())));
    holder.await.map_or(true, |holder| holder.is_some_and(|holder| holder.run == run))
}
