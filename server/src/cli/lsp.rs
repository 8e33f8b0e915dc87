//! `baton lsp`: the language server on standard input and output.

use std::path::Path;

use super::failure::Failure;

/// Serve an editor until it leaves.
pub(super) fn lsp(folder: Option<&Path>) -> Result<u8, Failure> {
    let runtime = super::run::runtime()?;
    let code = runtime.block_on(crate::lsp::run(folder.map(Path::to_owned)));
    // A read of standard input that is under way would hold the process until the editor closes its end.
    runtime.shutdown_background();
    Ok(code)
}
