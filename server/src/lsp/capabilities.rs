//! What the client can do, as plain flags.

use tower_lsp::lsp_types::ClientCapabilities;

/// Resolved once, at `initialize`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// It shows progress that the server begins.
    pub(super) progress: bool,
    /// It shows the places that belong to a diagnostic.
    pub(super) related_information: bool,
}

impl Capabilities {
    /// What a client says of itself; what it does not mention it cannot do.
    pub(super) fn of(client: &ClientCapabilities) -> Self {
        let window = client.window.as_ref();
        let published = client.text_document.as_ref().and_then(|text| text.publish_diagnostics.as_ref());
        Self {
            progress: window.and_then(|window| window.work_done_progress).unwrap_or_default(),
            related_information: published.and_then(|published| published.related_information).unwrap_or_default(),
        }
    }
}
