//! The client's documents: opened, changed, saved and closed by their paths in the workspace.

use serde_json::{Value, json};

use super::LspClient;

impl LspClient {
    /// The URI of a file of the workspace, or of the workspace itself.
    pub fn uri(&self, file: &str) -> String {
        file_uri(&self.workspace, file)
    }

    /// `didOpen`, with the text that is on the disk.
    pub fn open_file(&mut self, file: &str) {
        let text = std::fs::read_to_string(self.workspace.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.open_document(file, &text);
    }

    /// `didOpen`, with a text of the editor's own.
    pub fn open_document(&mut self, file: &str, text: &str) {
        self.versions.insert(file.to_owned(), 1);
        let document = json!({ "uri": self.uri(file), "languageId": "text", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// `didChange` with these content changes.
    pub fn change_document(&mut self, file: &str, changes: Value) {
        let version = self.versions.get_mut(file).unwrap_or_else(|| panic!("{file} is not open"));
        *version += 1;
        let document = json!({ "uri": file_uri(&self.workspace, file), "version": *version });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// `didChange` to another text.
    pub fn replace_document(&mut self, file: &str, text: &str) {
        self.change_document(file, json!([{ "text": text }]));
    }

    /// `didChange` that inserts a text at a line and a column, both from 0.
    pub fn insert(&mut self, file: &str, at: (u64, u64), text: &str) {
        self.change_document(file, json!([{ "range": range(at, at), "text": text }]));
    }

    /// `didSave`; the file is written by the test.
    pub fn save_document(&mut self, file: &str) {
        self.notify("textDocument/didSave", json!({ "textDocument": { "uri": self.uri(file) } }));
    }

    /// `didClose`; changes that were not saved are lost.
    pub fn close_document(&mut self, file: &str) {
        self.versions.remove(file);
        self.notify("textDocument/didClose", json!({ "textDocument": { "uri": self.uri(file) } }));
    }

    /// The version of an open document.
    pub fn version(&self, file: &str) -> i64 {
        self.versions[file]
    }
}

/// A range of the protocol, lines and columns from 0.
pub fn range(from: (u64, u64), to: (u64, u64)) -> Value {
    let position = |(line, character): (u64, u64)| json!({ "line": line, "character": character });
    json!({ "start": position(from), "end": position(to) })
}

/// The URI of a file below a folder, or of the folder.
pub fn file_uri(folder: &std::path::Path, file: &str) -> String {
    format!("file://{}/{file}", folder.display()).trim_end_matches('/').to_owned()
}
