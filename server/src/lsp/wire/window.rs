//! The editor's window: messages, questions with buttons, and documents to open.

use std::path::Path;

use serde_json::Value;
use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::request::{Request, ShowDocument, ShowMessageRequest};
use tower_lsp::lsp_types::{
    MessageActionItem, MessageType, Range, ShowDocumentParams, ShowMessageParams, ShowMessageRequestParams, Url,
};

use super::client::{Client, RequestError};

/// Show a message.
pub(crate) fn show_message(client: &Client, typ: MessageType, message: impl Into<String>) {
    let message = client.in_its_words(&message.into());
    client.notify::<ShowMessage>(ShowMessageParams { typ, message });
}

/// Ask a question; the title of the button that was pressed, or `None` when it was dismissed.
///
/// Dropping the future withdraws the question in the editor too.
///
/// # Errors
/// When the client refuses to ask, or leaves.
pub(crate) async fn ask(
    client: &Client,
    typ: MessageType,
    message: impl Into<String>,
    titles: &[&str],
) -> Result<Option<String>, RequestError> {
    let item = |title: &&str| MessageActionItem { title: (*title).to_owned(), properties: [].into() };
    let actions = Some(titles.iter().map(item).collect());
    let params = ShowMessageRequestParams { typ, message: client.in_its_words(&message.into()), actions };
    chosen(client.request::<Question>(params).await?)
}

/// [`ShowMessageRequest`] with its answer as it comes: Kate says by an empty object that a question was dismissed.
enum Question {}

impl Request for Question {
    type Params = ShowMessageRequestParams;
    type Result = Value;
    const METHOD: &'static str = ShowMessageRequest::METHOD;
}

/// The title of the button in an answer.
fn chosen(answer: Value) -> Result<Option<String>, RequestError> {
    if answer.as_object().is_some_and(|answer| !answer.contains_key("title")) {
        return Ok(None);
    }
    let item: Option<MessageActionItem> = serde_json::from_value(answer)?;
    Ok(item.map(|item| item.title))
}

/// Open a document with `selection` selected, where the client can; whether it did.
pub(crate) async fn open(client: &Client, can: bool, uri: Url, selection: Option<Range>) -> bool {
    if !can {
        return false;
    }
    let params = ShowDocumentParams { uri, external: Some(false), take_focus: Some(true), selection };
    match client.request::<ShowDocument>(params).await {
        Ok(shown) => shown.success,
        Err(error) => {
            tracing::warn!(%error, "a document is not opened");
            false
        }
    }
}

/// Open a document without waiting for the client; where that fails, show the message `otherwise` instead.
pub(crate) fn open_or_show_message(client: &Client, can: bool, path: &Path, at: Option<Range>, otherwise: String) {
    let (client, uri) = (client.clone(), Url::from_file_path(path).ok());
    tokio::spawn(async move {
        let shown = match uri {
            Some(uri) => open(&client, can, uri, at).await,
            None => false,
        };
        if !shown {
            show_message(&client, MessageType::INFO, otherwise);
        }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_without_a_button_dismisses_the_question() {
        for dismissed in [json!(null), json!({})] {
            assert_eq!(chosen(dismissed).unwrap(), None);
        }
        assert_eq!(chosen(json!({ "title": "Approve" })).unwrap(), Some("Approve".to_owned()));
        for strange in [json!("Approve"), json!({ "title": 1 })] {
            assert!(chosen(strange).is_err());
        }
    }
}
