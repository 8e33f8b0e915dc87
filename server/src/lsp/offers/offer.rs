//! An offer: a command that a person can run at a place in a document, as a code lens, a code action, or both.

use serde_json::{Map, Value};
use tower_lsp::lsp_types::Command;

use super::snapshot::Snapshot;

/// A command with its arguments and a title.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    /// The title, as a lens shows it.
    pub(crate) title: String,
    /// The command's id.
    command: &'static str,
    /// Its argument.
    fields: Map<String, Value>,
    /// Why it cannot be run now.
    pub(crate) disabled: Option<String>,
}

impl Offer {
    /// A command with these fields of its argument, for the folder of a snapshot.
    pub(crate) fn new(snapshot: &Snapshot, title: impl Into<String>, command: &'static str, fields: Value) -> Self {
        let mut fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        if let Some(folder) = &snapshot.folder_uri {
            fields.insert("folder".to_owned(), Value::String(folder.to_string()));
        }
        Self { title: title.into(), command, fields, disabled: None }
    }

    /// The same, disabled where there is a reason.
    pub(crate) fn unless(self, reason: Option<String>) -> Self {
        Self { disabled: reason, ..self }
    }

    /// The title in a menu together with actions of other servers.
    pub(crate) fn action_title(&self) -> String {
        let mut letters = self.title.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
        format!("Baton: {first}{}", letters.as_str())
    }

    /// The command for the editor, under this title.
    pub(crate) fn command(&self, title: String) -> Command {
        let argument = (!self.fields.is_empty()).then(|| vec![Value::Object(self.fields.clone())]);
        Command { title, command: self.command.to_owned(), arguments: argument }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower_lsp::lsp_types::Url;

    use super::*;

    #[test]
    fn a_command_names_its_folder_where_there_are_several() {
        let one = Snapshot::empty();
        let offer = Offer::new(&one, "Approve plan", "baton.approve", Value::Null);
        assert_eq!(json!(offer.command("t".to_owned())), json!({ "title": "t", "command": "baton.approve" }));
        assert_eq!(offer.action_title(), "Baton: approve plan");
        let several = one.with_folder_uri(Some(Url::parse("file:///w").unwrap()));
        let offer = Offer::new(&several, "Fix", "baton.fixIssue", json!({ "id": "i1" }));
        assert_eq!(json!(offer.command("t".to_owned()).arguments), json!([{ "id": "i1", "folder": "file:///w" }]));
    }
}
