//! An editor without a plugin: it knows the Language Server Protocol and nothing of Baton. What the server shows it
//! keeps; what a person sees and presses, a test does by the names on the screen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::lsp_client::{LspClient, range};
use super::messages_api::MessagesApi;
use super::session::Session;

/// A running editor with a session's workspace open.
pub struct PlainEditor<'a> {
    client: LspClient,
    session: &'a Session,
    /// The server's capabilities.
    pub capabilities: Value,
    /// The diagnostics on the screen, by URI.
    pub diagnostics: BTreeMap<String, Vec<Value>>,
    /// Messages that were shown, oldest first.
    pub messages: Vec<String>,
    /// Questions that stand unanswered.
    pub questions: Vec<Value>,
    /// Documents the server opened: params of `window/showDocument`.
    pub shown: Vec<Value>,
    /// How often the server asked for its lenses to be asked for again.
    pub refreshes: usize,
    /// Runs whose progress ended.
    ended: BTreeSet<String>,
    /// The text of every message and question, oldest first.
    texts: Vec<String>,
}

impl<'a> PlainEditor<'a> {
    /// Start the server as editors do that can all the protocol has.
    pub fn open(session: &'a Session, api: &MessagesApi) -> Self {
        let text_document = json!({
            "publishDiagnostics": { "relatedInformation": true, "dataSupport": true },
            "codeAction": {
                "codeActionLiteralSupport": { "codeActionKind": { "valueSet": ["", "quickfix", "refactor"] } },
                "disabledSupport": true
            },
            "hover": { "contentFormat": ["markdown", "plaintext"] }
        });
        let capabilities = json!({
            "window": { "workDoneProgress": true, "showDocument": { "support": true } },
            "workspace": { "codeLens": { "refreshSupport": true } },
            "textDocument": text_document
        });
        Self::with(session, api, capabilities)
    }

    /// Start the server as an editor with these capabilities.
    pub fn with(session: &'a Session, api: &MessagesApi, capabilities: Value) -> Self {
        let mut client = session.language_server(api);
        let mut params = session.initialize_params();
        params["capabilities"] = capabilities;
        params["initializationOptions"] = Value::Null;
        let capabilities = client.initialize(params);
        Self {
            client,
            session,
            capabilities,
            diagnostics: BTreeMap::new(),
            messages: Vec::new(),
            questions: Vec::new(),
            shown: Vec::new(),
            refreshes: 0,
            ended: BTreeSet::new(),
            texts: Vec::new(),
        }
    }

    /// The URI of a file of the workspace.
    pub fn uri(&self, file: &str) -> String {
        self.session.uri(file)
    }

    /// Open a file in a window.
    pub fn open_file(&mut self, file: &str) {
        self.client.open_file(file);
    }

    /// Close a file; what was not saved is lost.
    pub fn close_file(&mut self, file: &str) {
        self.client.close_document(file);
    }

    /// Insert some text at the beginning of a line, from 0, of an open file, and leave it unsaved.
    pub fn insert(&mut self, file: &str, line: u64, text: &str) {
        self.client.insert(file, (line, 0), text);
    }

    /// Run a command by its name; its result, or its error.
    pub fn execute(&mut self, command: &str, arguments: &[Value]) -> Result<Value, Value> {
        self.client.execute(command, arguments)
    }

    /// The code actions of a selection, which may be empty.
    pub fn actions(&mut self, file: &str, from: (u64, u64), to: (u64, u64)) -> Vec<Value> {
        self.actions_of_kind(file, from, to, Value::Null)
    }

    /// The same, of some kinds only.
    pub fn actions_of_kind(&mut self, file: &str, from: (u64, u64), to: (u64, u64), only: Value) -> Vec<Value> {
        let uri = self.uri(file);
        let on_lines = |shown: &&Value| {
            let line = |end: &str| shown["range"][end]["line"].as_u64().expect("a line");
            line("start") <= to.0 && from.0 <= line("end")
        };
        let shown: Vec<Value> = self.diagnostics.get(&uri).into_iter().flatten().filter(on_lines).cloned().collect();
        let mut context = json!({ "diagnostics": shown, "triggerKind": 1 });
        if !only.is_null() {
            context["only"] = only;
        }
        let params = json!({ "textDocument": { "uri": uri }, "range": range(from, to), "context": context });
        list(self.ask("textDocument/codeAction", params))
    }

    /// The code actions at the beginning of a line, asked for without telling which diagnostics are shown there.
    pub fn actions_without_context(&mut self, file: &str, line: u64) -> Vec<Value> {
        let at = range((line, 0), (line, 0));
        let params =
            json!({ "textDocument": { "uri": self.uri(file) }, "range": at, "context": { "diagnostics": [] } });
        list(self.ask("textDocument/codeAction", params))
    }

    /// The code lenses of a file. Each must have arrived resolved.
    pub fn lenses(&mut self, file: &str) -> Vec<Value> {
        let lenses = list(self.ask("textDocument/codeLens", json!({ "textDocument": { "uri": self.uri(file) } })));
        assert!(lenses.iter().all(|lens| lens["command"]["command"].is_string()), "{lenses:#?}");
        lenses
    }

    /// The lenses of a file as they are shown: `line: title`.
    pub fn shown_lenses(&mut self, file: &str) -> Vec<String> {
        let shown = |lens: &Value| {
            let title = lens["command"]["title"].as_str().expect("a title");
            format!("{}: {title}", lens["range"]["start"]["line"])
        };
        self.lenses(file).iter().map(shown).collect()
    }

    /// What is shown on hover.
    pub fn hover(&mut self, file: &str, line: u64) -> Value {
        let position = json!({ "line": line, "character": 0 });
        self.ask("textDocument/hover", json!({ "textDocument": { "uri": self.uri(file) }, "position": position }))
    }

    /// Press the code action of this title on a line; what its command answers.
    pub fn press_action(&mut self, file: &str, line: u64, title: &str) -> Value {
        let actions = self.actions(file, (line, 0), (line, 0));
        let Some(action) = actions.iter().find(|action| action["title"] == title) else {
            panic!("no action {title:?} on line {line} of {file}: {actions:#?}")
        };
        self.press(&action["command"])
    }

    /// Press the code lens of this title; what its command answers.
    pub fn press_lens(&mut self, file: &str, title: &str) -> Value {
        let lenses = self.lenses(file);
        let Some(lens) = lenses.iter().find(|lens| lens["command"]["title"] == title) else {
            panic!("no lens {title:?} on {file}: {lenses:#?}")
        };
        self.press(&lens["command"])
    }

    /// Run what an action or a lens holds.
    pub fn press(&mut self, command: &Value) -> Value {
        let arguments = command["arguments"].as_array().cloned().unwrap_or_default();
        let id = command["command"].as_str().unwrap_or_else(|| panic!("{command} is no command"));
        self.execute(id, &arguments).unwrap_or_else(|error| panic!("{id} {arguments:?}: {error}"))
    }

    /// Press a button of the open question, or wait for one.
    pub fn answer(&mut self, button: &str) {
        self.until("a question", |editor| !editor.questions.is_empty());
        let question = self.questions.remove(0);
        let actions = question["params"]["actions"].as_array().expect("buttons");
        let Some(action) = actions.iter().find(|action| action["title"] == button) else {
            panic!("no button {button:?}: {question:#}")
        };
        self.client.answer(&question, action.clone());
    }

    /// Press the cancel button of a run's progress.
    pub fn cancel_progress(&mut self, started: &Value) {
        self.client.notify("window/workDoneProgress/cancel", json!({ "token": started["run"] }));
    }

    /// The issues shown in a file: `line: message`, lines from 0.
    pub fn issues(&self, file: &str) -> Vec<String> {
        self.shown(file, "review.")
    }

    /// The user's notes shown in plan.md: `line: message`, lines from 0.
    pub fn notes(&self, file: &str) -> Vec<String> {
        self.shown(file, "note")
    }

    /// The diagnostics of a file whose code begins so.
    fn shown(&self, file: &str, code: &str) -> Vec<String> {
        let shown = self.diagnostics.get(&self.uri(file)).into_iter().flatten();
        let issues = shown.filter(|shown| shown["code"].as_str().is_some_and(|shown| shown.starts_with(code)));
        let text = |shown: &Value| {
            let message = shown["message"].as_str().expect("a message");
            format!("{}: {}", shown["range"]["start"]["line"], message.lines().next().unwrap_or_default())
        };
        issues.map(text).collect()
    }

    /// Read what the server sends until this is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        while !is_so(self) {
            let message = self.client.next_message(what);
            self.take(message, what);
        }
    }

    /// Read what the server sends until the run has ended and its last message was shown.
    pub fn until_the_end(&mut self, started: &Value) -> String {
        let run = started["run"].as_str().unwrap_or_else(|| panic!("no run: {started}")).to_owned();
        let before = self.texts.len();
        self.until("the end of the run", |editor| editor.ended.contains(&run) && editor.texts.len() > before);
        self.texts.last().cloned().unwrap_or_default()
    }

    /// Read what the server has sent, and does not wait for more.
    pub fn catch_up(&mut self) {
        while !self.client.has_read_everything() {
            let message = self.client.next_message("what was sent");
            self.take(message, "what was sent");
        }
    }

    /// Quit.
    pub fn quit(mut self) {
        self.client.shut_down();
        self.catch_up();
        assert_eq!(self.client.disconnect(), Some(0));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.client.request(method, params);
        self.client.response(id).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn take(&mut self, message: Value, waiting_for: &str) {
        let params = &message["params"];
        if matches!(message["method"].as_str(), Some("window/showMessage" | "window/showMessageRequest")) {
            self.texts.push(params["message"].as_str().expect("a text").to_owned());
        }
        match message["method"].as_str() {
            Some("textDocument/publishDiagnostics") => {
                let uri = params["uri"].as_str().expect("a URI").to_owned();
                self.diagnostics.insert(uri, list(params["diagnostics"].clone()));
            }
            Some("window/workDoneProgress/create" | "client/registerCapability") => {
                self.client.answer(&message, Value::Null);
            }
            Some("$/progress") => {
                if params["value"]["kind"] == "end" {
                    self.ended.insert(params["token"].as_str().expect("a token").to_owned());
                }
            }
            Some("window/showMessage") => self.messages.push(params["message"].as_str().expect("a text").to_owned()),
            Some("window/showMessageRequest") => self.questions.push(message),
            Some("$/cancelRequest") => {
                let id = params["id"].clone();
                self.questions.retain(|question| question["id"] != id);
            }
            Some("window/showDocument") => {
                self.client.answer(&message, json!({ "success": true }));
                self.shown.push(params.clone());
            }
            Some("workspace/codeLens/refresh") => {
                self.client.answer(&message, Value::Null);
                self.refreshes += 1;
            }
            Some("workspace/configuration") => {
                let items = params["items"].as_array().map_or(0, Vec::len);
                self.client.answer(&message, Value::Array(vec![Value::Null; items]));
            }
            _ => panic!("an editor without a plugin does not know this, waiting for {waiting_for}: {message:#}"),
        }
    }
}

/// A list; null stands for an empty one.
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list,
        other => panic!("{other} is no list"),
    }
}
