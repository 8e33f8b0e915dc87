//! The language server: the one module that knows the Language Server Protocol.
//!
//! Invariants: nothing of the crate but [`cli`](crate::cli) imports this module, and nothing outside of it knows an LSP
//! type. The wire is `transport`'s alone; what the engine does reaches this module as events; what a person answers
//! leaves it by [`Approver`](crate::workflow::Approver).

mod board;
mod commands;
mod files;
mod folder;
mod offers;
mod run;
mod server;
mod text;
mod virtual_documents;
mod wire;

use std::cell::Cell;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

use self::folder::folders::Folders;
use self::server::Server;
use self::wire::transport::{self, ConnectionEnd};
use self::wire::until_stopped::UntilStopped;
use crate::workflow::Table;

/// Serve the editor on standard input and output until it leaves or `stop` returns, and answer with the code to end the
/// process with.
///
/// `table` holds the phases; `root` replaces the editor's workspace folders. Active runs are cancelled at the end.
///
/// The runtime must then be shut down in the background: a read of standard input may still be under way.
pub async fn run(root: Option<PathBuf>, table: &'static Table, stop: impl Future<Output = ()>) -> u8 {
    let stopped = Cell::new(false);
    let stop = async {
        stop.await;
        stopped.set(true);
    };
    let stdin = UntilStopped::new(tokio::io::stdin(), stop);
    let end = serve(root, table, stdin, tokio::io::stdout()).await;
    if stopped.get() {
        tracing::error!("stopped by a signal");
    } else if let Some(reason) = end.reason() {
        tracing::error!("{reason}");
    }
    end.code()
}

/// Serve a client on these streams until it leaves.
pub(crate) async fn serve(
    root: Option<PathBuf>,
    table: &'static Table,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> ConnectionEnd {
    let folders = Folders::default();
    let served = folders.clone();
    let end = transport::serve(input, output, |client| Server::service(client, served, root, table)).await;
    folders.stop_all().await;
    end
}
