//! What a test waits for, by its name: messages, questions, documents, diagnostics, phases, and the end of a run.

use std::time::Instant;

use serde_json::{Value, json};

use super::LspClient;
use crate::support::wait::PATIENCE;

/// What came until a run ended.
pub struct RunEnd {
    /// The values of its `$/progress`.
    pub progress: Vec<Value>,
    /// The params of each `textDocument/publishDiagnostics`.
    pub diagnostics: Vec<Value>,
    /// The params of the message that follows the end of the progress.
    pub last_message: Value,
}

impl RunEnd {
    /// What was published last for a file.
    pub fn published(&self, uri: &str) -> Option<&Value> {
        self.diagnostics.iter().rfind(|params| params["uri"] == uri)
    }

    /// The text of the last message.
    pub fn last_text(&self) -> &str {
        self.last_message["message"].as_str().expect("a text")
    }
}

impl LspClient {
    /// The next message that is shown, and asks nothing.
    #[track_caller]
    pub fn wait_for_message(&mut self) -> Value {
        self.wait_for("window/showMessage")
    }

    /// The next question.
    #[track_caller]
    pub fn wait_for_question(&mut self) -> Value {
        self.wait_for("window/showMessageRequest")
    }

    /// The question at a gate.
    #[track_caller]
    pub fn wait_for_gate(&mut self) -> Value {
        self.take("the question at the gate", |message| {
            message["method"] == "window/showMessageRequest" && button_titles(message).contains(&"Approve")
        })
    }

    /// The withdrawal of a request of the server's.
    #[track_caller]
    pub fn wait_for_withdrawal(&mut self, request: &Value) {
        let id = &request["id"];
        self.take(&format!("the withdrawal of {id}"), |message| {
            message["method"] == "$/cancelRequest" && message["params"]["id"] == *id
        });
    }

    /// The request to show this document, which is answered.
    #[track_caller]
    pub fn wait_for_document(&mut self, uri: &str) {
        let request = self.wait_for("window/showDocument");
        assert_eq!(request["params"]["uri"], uri);
        self.answer(&request, json!({ "success": true }));
    }

    /// The `baton/phase` event of a phase, or of the `workflow`, with this status; the events before it are read.
    #[track_caller]
    pub fn wait_for_phase(&mut self, phase: &str, status: &str) -> Value {
        self.wait_for_event(&format!("{phase} to be {status}"), |event| {
            event["phase"] == phase && event["status"] == status
        })
    }

    /// The `baton/phase` event with which a run ended so; the events before it are read.
    #[track_caller]
    pub fn wait_for_outcome(&mut self, outcome: &str) -> Value {
        self.wait_for_event(&format!("the outcome {outcome}"), |event| event["outcome"] == outcome)
    }

    #[track_caller]
    fn wait_for_event(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut message = self.take(what, |message| message["method"] == "baton/phase");
            if is_it(&message["params"]) {
                return message["params"].take();
            }
        }
    }

    /// Wait until what is published for a file is so: the params of its last `textDocument/publishDiagnostics`.
    #[track_caller]
    pub fn wait_for_diagnostics(&mut self, uri: &str, is_so: impl Fn(&[Value]) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let published = self.published.get(uri);
            let diagnostics = published.and_then(|params| params["diagnostics"].as_array()).map(Vec::as_slice);
            if is_so(diagnostics.unwrap_or_default()) {
                return published.cloned().unwrap_or_default();
            }
            let what = format!("other diagnostics of {uri} than {:#}", published.unwrap_or(&Value::Null));
            self.receive_before(deadline, &what);
        }
    }

    /// Wait until a file has these diagnostics, each as `line: code: message` with the first line of the message.
    #[track_caller]
    pub fn wait_for_lines(&mut self, file: &str, expected: &[&str]) -> Value {
        let uri = self.uri(file);
        self.wait_for_diagnostics(&uri, |shown| shown.iter().map(line_of).eq(expected.iter().copied()))
    }

    /// Wait until a file has a diagnostic of this code: the first one.
    #[track_caller]
    pub fn wait_for_code(&mut self, file: &str, code: &str) -> Value {
        self.wait_for_diagnostic(file, |shown| shown["code"] == code)
    }

    /// The same, with this severity.
    #[track_caller]
    pub fn wait_for_severity(&mut self, file: &str, code: &str, severity: u64) -> Value {
        self.wait_for_diagnostic(file, |shown| shown["code"] == code && shown["severity"] == severity)
    }

    #[track_caller]
    fn wait_for_diagnostic(&mut self, file: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let uri = self.uri(file);
        let params = self.wait_for_diagnostics(&uri, |shown| shown.iter().any(&is_it));
        let mut shown = params["diagnostics"].as_array().into_iter().flatten();
        shown.find(|shown| is_it(shown)).expect("it was waited for").clone()
    }

    /// Start the workflow and accept its progress; the id of the run.
    #[track_caller]
    pub fn start_workflow(&mut self, arguments: Value) -> String {
        let started = self.execute("baton.workflow", &[arguments]).expect("it starts");
        let run = self.wait_for_run();
        assert_eq!(started["run"], *run);
        run
    }

    /// Wait for the progress of a new run, and accept it; the id of the run.
    #[track_caller]
    pub fn wait_for_run(&mut self) -> String {
        let create = self.wait_for("window/workDoneProgress/create");
        let run = create["params"]["token"].as_str().expect("an id").to_owned();
        assert_eq!(create["params"], json!({ "token": run }));
        self.answer(&create, Value::Null);
        run
    }

    /// Start the workflow with a task and wait for the question at its gate: the run and the question.
    #[track_caller]
    pub fn run_to_gate(&mut self, task: &str) -> (String, Value) {
        let run = self.start_workflow(json!({ "task": task }));
        let question = self.wait_for_gate();
        (run, question)
    }

    /// Follow a run from the result of the command that started it to its end.
    #[track_caller]
    pub fn follow_to_end(&mut self, started: &Value) -> RunEnd {
        assert!(started["run"].is_string(), "no run: {started}");
        let run = self.wait_for_run();
        assert_eq!(started["run"], *run);
        self.wait_for_run_end(&run)
    }

    /// Read everything up to the end of a run: of its progress first, and then its last message. A question instead of
    /// that message is dismissed.
    #[track_caller]
    pub fn wait_for_run_end(&mut self, run: &str) -> RunEnd {
        let (end, last) = self.read_to_end(run);
        if last.get("id").is_some() {
            self.answer(&last, Value::Null);
        }
        end
    }

    /// The same for a run that ends with a question, which is left to the test.
    #[track_caller]
    pub fn wait_for_end_question(&mut self, run: &str) -> Value {
        let (_, last) = self.read_to_end(run);
        assert_eq!(last["method"], "window/showMessageRequest", "{last}");
        last
    }

    #[track_caller]
    fn read_to_end(&mut self, run: &str) -> (RunEnd, Value) {
        let (mut progress, mut diagnostics) = (Vec::new(), Vec::new());
        loop {
            let message = self.next_message(&format!("the end of run {run}"));
            let params = message["params"].clone();
            match message["method"].as_str().expect("no response is awaited") {
                "$/progress" => {
                    assert_eq!(params["token"], *run);
                    progress.push(params["value"].clone());
                }
                "textDocument/publishDiagnostics" => {
                    assert!(!is_over(&progress), "diagnostics after the end of the progress: {params}");
                    diagnostics.push(params);
                }
                "window/showMessage" | "window/showMessageRequest" => {
                    assert!(is_over(&progress), "the progress goes on after {params}");
                    check_progress(&progress);
                    return (RunEnd { progress, diagnostics, last_message: params }, message);
                }
                other => panic!("{other} was not expected before the end of run {run}: {params}"),
            }
        }
    }
}

/// The titles of the buttons of a question.
pub fn button_titles(question: &Value) -> Vec<&str> {
    let buttons = question["params"]["actions"].as_array().into_iter().flatten();
    buttons.map(|button| button["title"].as_str().expect("a title")).collect()
}

/// The text of a message or a question.
pub fn message_text(message: &Value) -> &str {
    message["params"]["message"].as_str().expect("a text")
}

/// One begin, reports whose percentages never fall, one end.
#[track_caller]
pub fn check_progress(progress: &[Value]) {
    let kinds: Vec<&str> = progress.iter().map(|value| value["kind"].as_str().expect("a kind")).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"begin"), Some(&"end")), "{progress:#?}");
    assert!(kinds[1..kinds.len() - 1].iter().all(|kind| *kind == "report"), "{progress:#?}");
    assert_eq!(progress[0]["cancellable"], true);
    let shown = &progress[..progress.len() - 1];
    let percentages: Vec<u64> = shown.iter().map(|value| value["percentage"].as_u64().expect("always there")).collect();
    assert!(percentages.is_sorted() && percentages.iter().all(|percent| *percent <= 100), "{percentages:?}");
}

fn is_over(progress: &[Value]) -> bool {
    progress.last().is_some_and(|value| value["kind"] == "end")
}

fn line_of(shown: &Value) -> String {
    let message = shown["message"].as_str().expect("a message").lines().next().unwrap_or_default();
    format!("{}: {}: {message}", shown["range"]["start"]["line"], shown["code"].as_str().expect("a code"))
}
