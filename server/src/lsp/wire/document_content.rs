//! `workspace/textDocumentContent` of the protocol, 3.18, which `lsp-types` does not have: the texts of documents that lie in
//! no file. The client asks for a document by its URI; the server says when a text has changed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_lsp::lsp_types::Registration;
use tower_lsp::lsp_types::request::Request;

/// The scheme of the server's documents.
pub(crate) const SCHEME: &str = "baton";

/// The method of the request, and of its registration.
pub(crate) const METHOD: &str = "workspace/textDocumentContent";

/// Which document.
#[derive(Debug, Deserialize)]
pub(crate) struct DocumentContentParams {
    /// Its URI, as the client writes it: clients differ in what they encode.
    pub(crate) uri: String,
}

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentContent {
    /// Its text, which leaves the server unchanged: the editor compares it with files.
    pub(crate) text: String,
}

/// `workspace/textDocumentContent/refresh`.
pub(crate) enum DocumentContentRefresh {}

/// Which document is to be asked for again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DocumentContentRefreshParams {
    /// The URI that the client asked with.
    pub(crate) uri: String,
}

impl Request for DocumentContentRefresh {
    type Params = DocumentContentRefreshParams;
    type Result = ();
    const METHOD: &'static str = "workspace/textDocumentContent/refresh";
}

/// Whether a client takes the registration, by the params of its `initialize`.
pub(crate) fn is_supported(initialize: Option<&Value>) -> bool {
    let capability = initialize.and_then(|params| params.pointer("/capabilities/workspace/textDocumentContent"));
    capability.is_some_and(|capability| capability["dynamicRegistration"] == true)
}

/// The registration.
pub(crate) fn registration() -> Registration {
    Registration {
        id: "baton-documents".to_owned(),
        method: METHOD.to_owned(),
        register_options: Some(json!({ "schemes": [SCHEME] })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_takes_the_registration_only_where_it_says_so() {
        let with = |content: Value| json!({ "capabilities": { "workspace": { "textDocumentContent": content } } });
        assert!(is_supported(Some(&with(json!({ "dynamicRegistration": true })))));
        for other in [json!({}), json!(true), json!(null), json!({ "dynamicRegistration": "yes" }), json!([1])] {
            assert!(!is_supported(Some(&with(other))));
        }
        assert!(!is_supported(Some(&json!({ "capabilities": null }))) && !is_supported(None));
    }
}
