//! `baton lsp`: the language server on standard input and output.

use std::path::Path;

use super::failure::{CANCELLED, Failure};
use super::session::Start;
use super::signals::{Stop, Stops};

/// Serve an editor until it disconnects.
pub(super) fn lsp(start: &Start<'_>) -> Result<u8, Failure> {
    let (folder, table) = (start.folder.map(Path::to_owned), start.table);
    let runtime = super::runtime::runtime()?;
    let code = runtime.block_on(async {
        let mut stops = Stops::new()?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            stops.next().await;
            // The receiver is gone if the editor has disconnected.
            let _ = stop.send(());
            while stops.next().await == Stop::HungUp {}
            std::process::exit(i32::from(CANCELLED));
        });
        let stopped = async { drop(stopped.await) };
        Ok::<u8, Failure>(crate::lsp::run(folder, table, stopped).await)
    })?;
    // A pending read of standard input would keep the process alive until the editor closes its end.
    runtime.shutdown_background();
    Ok(code)
}
