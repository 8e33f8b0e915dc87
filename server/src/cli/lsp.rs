//! `baton lsp`: the language server on standard input and output.

use std::path::Path;

use super::failure::Failure;

/// Serve an editor until it leaves.
pub(super) fn lsp(folder: Option<&Path>) -> Result<u8, Failure> {
    let runtime = super::run::runtime()?;
    Ok(runtime.block_on(crate::lsp::run(folder.map(Path::to_owned))))
}
