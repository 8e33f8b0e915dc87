//! The language server: the one module that knows the Language Server Protocol.
//!
//! Invariants: nothing of the crate but [`cli`](crate::cli) imports this module, and nothing outside of it knows an LSP
//! type. The wire is `transport`'s alone; what the engine does reaches this module as events; what a person answers
//! leaves it by [`Approver`](crate::workflow::Approver).

mod board;
mod capabilities;
mod client;
mod code_actions;
mod commands;
mod comments;
mod documents;
mod editor_process;
mod files;
mod folder;
mod folders;
mod framing;
mod from_proto;
mod gate;
mod handlers;
mod hover;
mod lens_refresh;
mod lenses;
mod lent;
mod markdown;
mod offers;
mod phase_feed;
mod plan_this;
mod position;
mod progress;
mod refused;
mod requests;
mod runs;
mod server;
mod settings;
mod snapshot;
mod task_file;
mod to_proto;
mod todo;
mod transport;
mod unsaved_plan;
mod until_stopped;
mod watch;
mod way_out;
mod window;

use std::cell::Cell;
use std::path::PathBuf;

use self::folders::Folders;
use self::server::Server;
use self::until_stopped::UntilStopped;

/// Serve the editor on standard input and output until it leaves or `stop` returns, and answer with the code to end the
/// process with.
///
/// `root` stands for the editor's workspace folders. A run that is at work is then cancelled.
///
/// The runtime must then be shut down in the background: a read of standard input may still be under way.
pub async fn run(root: Option<PathBuf>, stop: impl Future<Output = ()>) -> u8 {
    let folders = Folders::default();
    let served = folders.clone();
    let build = |client| Server::service(client, served, root);
    let stopped = Cell::new(false);
    let stop = async {
        stop.await;
        stopped.set(true);
    };
    let stdin = UntilStopped::new(tokio::io::stdin(), stop);
    let end = transport::serve(stdin, tokio::io::stdout(), build).await;
    folders.stop_all().await;
    if stopped.get() {
        tracing::error!("stopped by a signal");
    } else if let Some(reason) = end.reason() {
        tracing::error!("{reason}");
    }
    end.code()
}
