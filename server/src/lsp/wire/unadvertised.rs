//! Requests that some editors send although the server does not advertise them.
//!
//! Kate asks every server for the symbols of every document, and shows each refusal to its user. So what has `null` for
//! "nothing" in the protocol is answered with that; everything else that is unknown is refused as the protocol says.

/// Requests whose result may be `null`, by the specification of the protocol, 3.17.
const NULLABLE: [&str; 25] = [
    "textDocument/completion",
    "textDocument/declaration",
    "textDocument/definition",
    "textDocument/documentHighlight",
    "textDocument/documentLink",
    "textDocument/documentSymbol",
    "textDocument/foldingRange",
    "textDocument/formatting",
    "textDocument/implementation",
    "textDocument/inlayHint",
    "textDocument/inlineValue",
    "textDocument/linkedEditingRange",
    "textDocument/moniker",
    "textDocument/onTypeFormatting",
    "textDocument/prepareCallHierarchy",
    "textDocument/prepareRename",
    "textDocument/prepareTypeHierarchy",
    "textDocument/rangeFormatting",
    "textDocument/references",
    "textDocument/selectionRange",
    "textDocument/semanticTokens/full",
    "textDocument/signatureHelp",
    "textDocument/typeDefinition",
    "textDocument/willSaveWaitUntil",
    "workspace/symbol",
];

/// Whether a request that the server does not know is answered with `null` for "nothing".
pub(super) fn is_answered_with_nothing(method: &str) -> bool {
    NULLABLE.contains(&method)
}
