use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::config::Settings;
use crate::contracts::{Complexity, Estimate, ProtectedFile, Spending, Usage};
use crate::lsp::wire::client::{Outgoing, Refusal};
use crate::workflow::GateNotes;
use crate::workflow::GateTask;
use crate::workspace::Workspace;

/// A gate with one task, for all tests of what becomes of it.
pub(in super::super) fn gate() -> Gate {
    let plan = json!({
        "plan_version": 2, "approach_summary": "Do\nit.", "risks": ["It may break."], "parallel_groups": [["T1"]],
        "tasks": [{
            "id": "T1", "title": "Title", "description": "d", "acceptance_criteria": ["It works."],
            "estimated_complexity": "simple"
        }]
    });
    let task = GateTask {
        id: "T1".to_owned(),
        title: "Title".to_owned(),
        complexity: Complexity::Simple,
        files: vec!["src/a.rs".to_owned()],
        depends_on: Vec::new(),
    };
    Gate {
        run: "r1".to_owned(),
        task: "Add a flag".to_owned(),
        plan: serde_json::from_value(plan).unwrap(),
        content: GateContent {
            plan_sha256: "00".to_owned(),
            markdown: String::new(),
            protected: vec![ProtectedFile {
                path: ".github/workflows/ci.yml".to_owned(),
                task: "T1".to_owned(),
                never: false,
            }],
            flagged: Vec::new(),
            questions: Vec::new(),
            estimate: Estimate { low: usd(0.1, 10), high: usd(0.2, 20), ceiling: usd(4.5, 900), is_recorded: false },
            models: Vec::new(),
            checks: Vec::new(),
            offered_checks: Vec::new(),
            warnings: Vec::new(),
            previous: None,
        },
        tasks: vec![task],
        notes: GateNotes::new(Vec::new),
        usage: Usage { input_tokens: 18_200, cost_usd: Some(0.042), ..Usage::default() },
        plan_md: ".agent_memory/plan.md".to_owned(),
        plan_json: ".agent_memory/plan.json".to_owned(),
    }
}

fn usd(usd: f64, tokens: u64) -> Spending {
    Spending::new(Some(usd), tokens)
}

/// A client at the gate, and what it receives.
struct Editor {
    folder: TempDir,
    client: Client,
    documents: Documents,
    queue: UnboundedReceiver<Outgoing>,
    gate_in_editor: EditorGate,
    events: UnboundedReceiver<GateEvent>,
}

impl Editor {
    fn new(capabilities: Capabilities) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (client, queue) = Client::new();
        let workspace = Workspace::open(folder.path()).unwrap();
        let table = &crate::phases::TABLE;
        let files = Files { workspace, settings: Settings::default(), table, phases: table.with(&[]) };
        let (sender, events) = mpsc::unbounded_channel();
        let documents = Documents::default();
        let open = Folder::new(folder.path().to_owned(), client.clone(), capabilities, documents.clone(), table);
        let gate_in_editor = EditorGate::new(&open, files, sender);
        Self { folder, client, documents, queue, gate_in_editor, events }
    }

    fn opens_documents() -> Self {
        Self::new(Capabilities { show_document: true, ..Capabilities::default() })
    }

    /// The run of the plan that the watcher is notified of.
    async fn hears(&mut self) -> Option<String> {
        match self.events.recv().await {
            Some(GateEvent::Plan(gate)) => Some(gate.run),
            _ => None,
        }
    }

    fn uri(&self, file: &str) -> Url {
        to_proto::uri(self.folder.path(), file).unwrap()
    }

    /// What the gate is answered when each request of the server's is answered by the next of these.
    async fn answers(&mut self, answers: Vec<Result<Value, Refusal>>) -> (Option<GateAnswer>, Vec<Value>) {
        let gate = gate();
        let mut heard = Vec::new();
        let Self { queue, client, gate_in_editor, .. } = self;
        let mut left = answers.into_iter();
        let listening = async {
            loop {
                let Some(Outgoing::Message(bytes)) = queue.recv().await else { return };
                let message: Value = serde_json::from_slice(&bytes).unwrap();
                if let Some(id) = message["id"].as_i64() {
                    match left.next() {
                        Some(answer) => client.answer(id, answer),
                        None => {
                            heard.push(message);
                            return;
                        }
                    }
                }
                let is_last_word = message["method"] == "window/showMessage" && left.len() == 0;
                heard.push(message);
                if is_last_word {
                    return;
                }
            }
        };
        let answer = tokio::select! {
            biased;
            answer = gate_in_editor.ask(&gate) => Some(answer),
            () = listening => None,
        };
        (answer, heard)
    }
}

fn title(title: &str) -> Result<Value, Refusal> {
    Ok(json!({ "title": title }))
}

fn unknown() -> Result<Value, Refusal> {
    Err(Refusal { code: -32601, message: "Method not found".to_owned(), data: None })
}

#[tokio::test]
async fn the_question_names_what_is_planned_and_what_to_beware_of() {
    let mut editor = Editor::opens_documents();
    let (answer, heard) = editor.answers(vec![title("Approve")]).await;
    assert_eq!(answer, Some(GateAnswer::Approve { tasks: None }));
    let asked = &heard[0];
    assert_eq!(asked["method"], "window/showMessageRequest");
    let message = "Baton: plan 2 (1 task): Do it.\nT1 [simple] Title: src/a.rs\nRisks: It may break.\nIt writes \
                   protected files: .github/workflows/ci.yml (T1).\nSo far 18.2k tokens · $0.042. To implement and \
                   review: about $0.10 to $0.20, at most $4.50.\nView shows .agent_memory/plan.md.";
    let actions = ["View", "Later", "Revise", "Edit", "Reject", "Approve"].map(|title| json!({ "title": title }));
    assert_eq!(asked["params"], json!({ "type": 3, "message": message, "actions": actions }));
    assert_eq!(editor.hears().await, Some("r1".to_owned()), "whoever watches hears of it");
    let (answer, _) = editor.answers(vec![title("Reject")]).await;
    assert_eq!(answer, Some(GateAnswer::Reject));
}

#[test]
fn the_question_tells_what_is_never_written_apart_from_what_an_approval_lets_be_written() {
    let mut gate = gate();
    let never = ProtectedFile { path: ".git/config".to_owned(), task: "T1".to_owned(), never: true };
    gate.content.protected.push(never);
    let asked = question(&gate);
    assert!(asked.contains("\nIt writes protected files: .github/workflows/ci.yml (T1).\n"), "{asked}");
    assert!(asked.contains("\nNever written, also if you approve: .git/config (T1).\n"), "{asked}");
}

#[tokio::test]
async fn what_is_no_answer_leaves_the_plan_waiting_and_says_how_to_answer() {
    for no_answer in [title("Later"), Ok(Value::Null), title("approve?"), Ok(json!("Approve")), unknown()] {
        let mut editor = Editor::opens_documents();
        let (answer, heard) = editor.answers(vec![no_answer]).await;
        assert_eq!(answer, None);
        let told = heard.last().unwrap();
        assert_eq!((&told["method"], &told["params"]["type"]), (&json!("window/showMessage"), &json!(2)));
        let text = told["params"]["message"].as_str().unwrap();
        let plan = editor.folder.path().join(".agent_memory/plan.md");
        for words in ["plan 2 (1 task)", "Do it.", plan.to_str().unwrap(), "baton.approve"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_leaves_the_plan_waiting() {
    for capabilities in [Capabilities::default(), Capabilities { gate: true, ..Capabilities::default() }] {
        let editor = Editor::new(capabilities);
        let gate = gate();
        let (answer, ()) = tokio::join!(editor.gate_in_editor.ask(&gate), async { editor.client.leave() });
        assert_eq!(answer, GateAnswer::Wait);
    }
}

#[tokio::test]
async fn a_client_with_a_gate_of_its_own_is_asked_nothing() {
    let mut editor = Editor::new(Capabilities { gate: true, ..Capabilities::default() });
    let gate = gate();
    tokio::select! {
        biased;
        _ = editor.gate_in_editor.ask(&gate) => panic!("nobody answered"),
        () = std::future::ready(()) => {}
    }
    assert!(editor.queue.try_recv().is_err());
    assert_eq!(editor.hears().await, Some("r1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn unanswered_it_says_how_else_to_answer_and_goes_on_waiting() {
    let Editor { folder: _folder, client, mut queue, gate_in_editor, .. } = Editor::opens_documents();
    let gate = gate();
    let mut next = async || match queue.recv().await {
        Some(Outgoing::Message(bytes)) => serde_json::from_slice::<Value>(&bytes).unwrap(),
        _ => panic!("nothing was sent"),
    };
    let answering = async {
        next().await;
        let reminder = next().await;
        client.answer(1, title("Approve"));
        reminder
    };
    let (answer, reminder) = tokio::join!(gate_in_editor.ask(&gate), answering);
    assert_eq!(answer, GateAnswer::Approve { tasks: None });
    assert_eq!(reminder["method"], "window/showMessage");
    let told = reminder["params"]["message"].as_str().unwrap();
    assert!(told.contains("plan.md") && told.contains("baton.approve"), "{told}");
}

#[tokio::test]
async fn a_question_that_is_dropped_is_taken_away() {
    let Editor { mut queue, gate_in_editor, .. } = Editor::opens_documents();
    let gate = gate();
    tokio::select! {
        biased;
        _ = gate_in_editor.ask(&gate) => panic!("nobody answered"),
        () = std::future::ready(()) => {}
    }
    let mut methods = Vec::new();
    while let Ok(Outgoing::Message(bytes)) = queue.try_recv() {
        methods.push(serde_json::from_slice::<Value>(&bytes).unwrap()["method"].clone());
    }
    assert_eq!(methods, ["window/showMessageRequest", "$/cancelRequest"]);
}

#[tokio::test]
async fn view_shows_the_plan_and_asks_again() {
    let mut editor = Editor::opens_documents();
    let shown = Ok(json!({ "success": true }));
    let (answer, heard) = editor.answers(vec![title("View"), shown, title("View"), unknown(), title("Reject")]).await;
    assert_eq!(answer, Some(GateAnswer::Reject));
    let methods: Vec<&str> = heard.iter().map(|message| message["method"].as_str().unwrap()).collect();
    let (ask, open, tell) = ("window/showMessageRequest", "window/showDocument", "window/showMessage");
    assert_eq!(methods, [ask, open, ask, open, tell, ask]);
    assert_eq!(heard[1]["params"]["uri"], json!(editor.uri(".agent_memory/plan.md")));
}

#[tokio::test]
async fn edit_opens_the_plan_and_waits_for_its_change() {
    let mut editor = Editor::opens_documents();
    let (answer, heard) = editor.answers(vec![title("Edit"), Ok(json!({ "success": true }))]).await;
    assert_eq!(answer, None);
    assert_eq!(heard[1]["params"]["uri"], json!(editor.uri(".agent_memory/plan.json")));
    assert!(heard[2]["params"]["message"].as_str().unwrap().contains("baton.approve"), "{heard:?}");
}

#[tokio::test]
async fn revise_takes_the_feedback_from_a_file_and_asks_before_it_counts() {
    let mut editor = Editor::opens_documents();
    let feedback = editor.folder.path().join(".agent_memory/feedback.md");
    std::fs::create_dir(feedback.parent().unwrap()).unwrap();
    // A person wrote there before: the file is kept as it is.
    std::fs::write(&feedback, "Leave the API\nas it is.\n").unwrap();
    let opened = Ok(json!({ "success": true }));
    let (answer, heard) = editor.answers(vec![title("Revise"), opened, title("Plan again")]).await;
    assert_eq!(answer, Some(GateAnswer::Revise { feedback: "Leave the API\nas it is.".to_owned() }));
    assert_eq!(heard[1]["params"]["uri"], json!(editor.uri(".agent_memory/feedback.md")));
    let asked = heard.last().unwrap()["params"]["message"].as_str().unwrap();
    assert!(asked.contains("“Leave the API as it is.”"), "{asked}");
    assert!(feedback.exists(), "it is removed once it has gone to the planner");
}

#[tokio::test]
async fn nothing_is_revised_before_somebody_wrote_something() {
    let mut editor = Editor::opens_documents();
    let (answer, heard) = editor.answers(vec![title("Revise"), unknown()]).await;
    assert_eq!((answer, heard.len()), (None, 3), "{heard:?}");
    let text = std::fs::read_to_string(editor.folder.path().join(".agent_memory/feedback.md")).unwrap();
    assert!(text.starts_with("# What should be different"), "{text}");
}

#[tokio::test]
async fn a_plan_with_unsaved_changes_is_not_approved_and_is_asked_about_again() {
    let mut editor = Editor::opens_documents();
    let plan = editor.folder.path().join(".agent_memory/plan.json");
    std::fs::create_dir(plan.parent().unwrap()).unwrap();
    std::fs::write(&plan, "{}").unwrap();
    let uri = editor.uri(".agent_memory/plan.json");
    let open = json!({ "textDocument": { "uri": uri, "languageId": "json", "version": 1, "text": "{ }" } });
    editor.documents.did_open(serde_json::from_value(open).unwrap());
    let (answer, heard) = editor.answers(vec![title("Approve"), title("Reject")]).await;
    assert_eq!(answer, Some(GateAnswer::Reject));
    let methods: Vec<&str> = heard.iter().map(|message| message["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["window/showMessageRequest", "window/showMessage", "window/showMessageRequest"]);
    assert!(heard[1]["params"]["message"].as_str().unwrap().contains("not saved"), "{heard:?}");
    let save = json!({ "textDocument": { "uri": uri } });
    editor.documents.did_save(serde_json::from_value(save).unwrap());
    let (answer, _) = editor.answers(vec![title("Approve")]).await;
    assert_eq!(answer, Some(GateAnswer::Approve { tasks: None }));
}

#[tokio::test]
async fn of_a_plan_that_cannot_be_shown_the_faults_are_listed() {
    for capabilities in [Capabilities::default(), Capabilities { gate: true, ..Capabilities::default() }] {
        let mut editor = Editor::new(capabilities);
        let gate = FaultyGate { faults: None, plan_json: ".agent_memory/plan.json".to_owned() };
        tokio::select! {
            biased;
            _ = editor.gate_in_editor.show_faults(&gate) => panic!("nobody answered"),
            () = std::future::ready(()) => {}
        }
        assert!(matches!(editor.events.recv().await, Some(GateEvent::Faulty)));
        let Some(Outgoing::Message(bytes)) = editor.queue.recv().await else { panic!("nothing was sent") };
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&told["method"], &told["params"]["type"]), (&json!("window/showMessage"), &json!(1)));
        assert!(told["params"]["message"].as_str().unwrap().contains(".agent_memory/plan.json is gone"), "{told}");
    }
}
