use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::lsp::files::editor_services;
use crate::lsp::wire::client::Outgoing;

const SOURCE_FILE: &str = "fn a() {\n    b(\"🦀\");\n}\n";

/// A folder, its board, and what an editor shows of it.
struct Fixture {
    folder: TempDir,
    documents: Documents,
    board: Board,
    queue: UnboundedReceiver<Outgoing>,
    shown: BTreeMap<String, Value>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Capabilities { related_information: true, ..Capabilities::default() })
    }

    fn with(capabilities: Capabilities) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (client, queue) = Client::new();
        let documents = Documents::default();
        let board =
            Board::new(folder.path().to_owned(), client, capabilities, documents.clone(), &crate::phases::TABLE);
        let fixture = Self { folder, documents, board, queue, shown: BTreeMap::new() };
        fixture.file("src.rs", SOURCE_FILE);
        fixture
    }

    /// With a plan of two tasks, and a review.
    fn reviewed(issues: Value) -> Self {
        let fixture = Self::new();
        fixture.file(".agent_memory/plan.json", &serde_json::to_string_pretty(&plan()).unwrap());
        fixture.review(issues);
        fixture
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn review(&self, issues: Value) {
        let review = json!({
            "verdict": "changes_requested", "summary": "s", "recommended_action": "escalate_to_human", "issues": issues
        });
        self.file(".agent_memory/review.json", &review.to_string());
    }

    fn uri(&self, file: &str) -> String {
        Url::from_file_path(self.folder.path().join(file)).unwrap().to_string()
    }

    /// What is sent now, by file.
    fn sent(&mut self) -> BTreeMap<String, Value> {
        let mut sent = BTreeMap::new();
        while let Ok(Outgoing::Message(bytes)) = self.queue.try_recv() {
            let mut message: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(message["method"], "textDocument/publishDiagnostics");
            let uri = message["params"]["uri"].as_str().unwrap().to_owned();
            let file = uri.strip_prefix(&format!("{}/", self.uri(""))).or(uri.strip_prefix(&self.uri(""))).unwrap();
            sent.insert(file.to_owned(), message["params"].take());
        }
        self.shown.extend(sent.clone());
        sent
    }

    async fn refresh(&mut self) -> BTreeMap<String, Value> {
        let files = Files::open(
            self.folder.path(),
            None,
            editor_services::buffers(self.documents.clone(), self.folder.path()),
            &crate::phases::TABLE,
        )
        .unwrap();
        self.board.refresh(&files).await;
        self.sent()
    }

    /// Code and message of each diagnostic that is shown of a file.
    fn messages(&self, file: &str) -> Vec<String> {
        let shown = self.shown.get(file).map(|params| params["diagnostics"].clone()).unwrap_or_default();
        let text =
            |shown: &Value| format!("{}: {}", shown["code"].as_str().unwrap(), shown["message"].as_str().unwrap());
        shown.as_array().into_iter().flatten().map(text).collect()
    }

    fn open(&self, file: &str, text: &str) {
        let document = json!({ "uri": self.uri(file), "languageId": "rust", "version": 1, "text": text });
        let params = serde_json::from_value(json!({ "textDocument": document })).unwrap();
        let _held = self.documents.lock_changes();
        let change = self.documents.did_open(params).unwrap();
        self.board.apply(&change);
    }

    fn edit(&self, file: &str, version: i32, from: (u32, u32), to: (u32, u32), text: &str) {
        let at = |(line, character): (u32, u32)| json!({ "line": line, "character": character });
        let change = json!({ "range": { "start": at(from), "end": at(to) }, "text": text });
        let document = json!({ "uri": self.uri(file), "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [change] });
        let _held = self.documents.lock_changes();
        let change = self.documents.did_change(serde_json::from_value(params).unwrap()).unwrap();
        self.board.apply(&change);
    }

    fn close(&self, file: &str) {
        let params = json!({ "textDocument": { "uri": self.uri(file) } });
        let _held = self.documents.lock_changes();
        let change = self.documents.did_close(serde_json::from_value(params).unwrap()).unwrap();
        self.board.apply(&change);
    }

    async fn publish_moved(&mut self) -> BTreeMap<String, Value> {
        self.board.publish_moved().await;
        self.sent()
    }

    fn lines(&self, file: &str) -> Vec<u64> {
        let shown = self.shown[file]["diagnostics"].as_array().unwrap();
        shown.iter().map(|shown| shown["range"]["start"]["line"].as_u64().unwrap()).collect()
    }
}

fn plan() -> Value {
    let task = |id: &str| {
        json!({
            "id": id, "title": format!("Title of {id}"), "description": "d", "files_to_modify": ["src.rs"],
            "estimated_complexity": "simple"
        })
    };
    json!({ "approach_summary": "a", "tasks": [task("T1"), task("T2")], "parallel_groups": [["T1"], ["T2"]] })
}

fn issue(severity: &str, line: u32) -> Value {
    json!({ "severity": severity, "file": "src.rs", "line": line, "description": "It\u{1b} breaks.", "id": severity })
}

#[tokio::test]
async fn issues_of_the_review_beside_the_workflow_stand_with_its_own_and_each_moves_by_itself() {
    let mut fixture = Fixture::reviewed(json!([issue("major", 2)]));
    let against = |at: &str, issues: Value| {
        json!({
            "verdict": "changes_requested", "summary": "s", "recommended_action": "merge", "base": "abc",
            "timestamp": at, "issues": issues
        })
    };
    let beside = ".agent_memory/base_review.json";
    fixture.file(beside, &against("2026-01-01T00:00:00Z", json!([issue("major", 2), issue("minor", 3)])).to_string());
    fixture.refresh().await;
    let data = |fixture: &Fixture| -> Vec<Value> {
        let shown = fixture.shown["src.rs"]["diagnostics"].as_array().unwrap();
        shown.iter().map(|shown| shown["data"].clone()).collect()
    };
    let of_base = |id: &str| json!({ "id": id, "base": "abc" });
    assert_eq!(data(&fixture), [json!({ "id": "major" }), of_base("major"), of_base("minor")]);
    let related = |at: usize| fixture.shown["src.rs"]["diagnostics"][at].get("relatedInformation").cloned();
    assert!(related(0).is_some() && related(1).is_none(), "nobody planned what is beside");

    fixture.open("src.rs", SOURCE_FILE);
    fixture.edit("src.rs", 2, (0, 0), (0, 0), "// new\n");
    fixture.publish_moved().await;
    assert_eq!(fixture.lines("src.rs"), [2, 2, 3]);
    // Another one beside is about the text as it is now; the workflow's own stays where edits moved it.
    fixture.file(beside, &against("2026-01-02T00:00:00Z", json!([issue("major", 1)])).to_string());
    fixture.refresh().await;
    assert_eq!(
        (data(&fixture), fixture.lines("src.rs")),
        (vec![json!({ "id": "major" }), of_base("major")], vec![2, 1])
    );
}

#[tokio::test]
async fn an_issue_is_a_diagnostic_at_its_line_with_its_task() {
    let mut first = issue("critical", 2);
    first["suggested_fix"] = json!("Mend it.");
    first["task_id"] = json!("T1");
    let mut fixture = Fixture::reviewed(json!([first]));
    let shown = fixture.refresh().await;
    let place =
        |line: u32| json!({ "start": { "line": line, "character": 12 }, "end": { "line": line, "character": 16 } });
    let related = json!({ "uri": fixture.uri(".agent_memory/plan.json"), "range": place(4) });
    let expected = json!([{
        "range": { "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 12 } },
        "severity": 1, "code": "review.critical", "source": "baton", "data": { "id": "critical" },
        "message": "It breaks.\n\nSuggested fix: Mend it.",
        "relatedInformation": [{ "location": related, "message": "T1: Title of T1" }]
    }]);
    assert_eq!(shown["src.rs"], json!({ "uri": fixture.uri("src.rs"), "diagnostics": expected }));
    let tasks = &shown[".agent_memory/plan.json"]["diagnostics"];
    assert_eq!(tasks.as_array().map(Vec::len), Some(2));
    assert_eq!((&tasks[0]["range"], &tasks[0]["code"]), (&place(4), &json!("task.pending")));
    assert_eq!(tasks[1]["data"], json!({ "task": "T2" }));
    assert!(fixture.refresh().await.is_empty(), "nothing is said twice");
    // Without a task of its own, an issue belongs to the last task that owns its file.
    fixture.review(json!([issue("minor", 1)]));
    let shown = fixture.refresh().await;
    assert_eq!(shown["src.rs"]["diagnostics"][0]["relatedInformation"][0]["message"], "T2: Title of T2");
    assert_eq!(shown.len(), 1, "only what changed is sent");
}

#[tokio::test]
async fn each_severity_has_its_level_and_code() {
    let severities = ["critical", "major", "minor", "suggestion"];
    let mut fixture = Fixture::reviewed(json!(severities.map(|severity| issue(severity, 1))));
    let shown = fixture.refresh().await["src.rs"]["diagnostics"].clone();
    for (n, severity) in severities.iter().enumerate() {
        assert_eq!((&shown[n]["severity"], &shown[n]["code"]), (&json!(n + 1), &json!(format!("review.{severity}"))));
    }
}

#[tokio::test]
async fn a_refuted_issue_is_a_hint_that_says_why() {
    let mut refuted = issue("suggestion", 1);
    refuted["refuted"] = json!({ "by": "test:m", "reason": "Line 9\u{1b} bounds it.", "severity": "critical" });
    refuted["suggested_fix"] = json!("Bound it.");
    let mut fixture = Fixture::reviewed(json!([refuted]));
    let shown = fixture.refresh().await["src.rs"]["diagnostics"][0].clone();
    assert_eq!((&shown["severity"], &shown["code"]), (&json!(4), &json!("review.suggestion")));
    let message = shown["message"].as_str().unwrap();
    let rest = message.split_once("\n\n").unwrap().1;
    assert!(
        rest.starts_with("refuted: Line 9") && rest.ends_with("bounds it.\n\nSuggested fix: Bound it."),
        "{message:?}"
    );
    assert!(!message.contains('\u{1b}'), "{message:?}");
}

#[tokio::test]
async fn a_client_that_shows_the_states_itself_gets_issues_faults_and_notes_alone() {
    for own_status in [false, true] {
        let mut fixture = Fixture::with(Capabilities { own_status, ..Capabilities::default() });
        fixture.file(".agent_memory/task.md", "Do it");
        fixture.file(".agent_memory/plan.json", &serde_json::to_string_pretty(&plan()).unwrap());
        fixture.file(".agent_memory/approval.json", "{}");
        fixture.review(json!([issue("minor", 1)]));
        fixture.refresh().await;
        let is_state = |text: &String| text.starts_with("phase.") || text.starts_with("task.");
        let states: Vec<String> = [".agent_memory/task.md", ".agent_memory/plan.json"]
            .iter()
            .flat_map(|file| fixture.messages(file))
            .filter(is_state)
            .collect();
        assert_eq!(states.is_empty(), own_status, "{states:?}");
        assert_eq!(fixture.messages("src.rs").len(), 1, "{:?}", fixture.shown);
        assert!(fixture.messages(".agent_memory/approval.json")[0].starts_with("schema: "), "{:?}", fixture.shown);
    }
}

#[tokio::test]
async fn what_is_dismissed_or_has_no_file_is_left_out_and_a_line_too_far_is_the_last() {
    let mut gone = issue("major", 1);
    gone["file"] = json!("gone.rs");
    let mut outside = issue("major", 1);
    outside["file"] = json!("../src.rs");
    let mut fixture = Fixture::reviewed(json!([gone, outside, issue("minor", 1), issue("suggestion", 99)]));
    fixture.file(".agent_memory/dismissed.json", "[\"minor\"]");
    fixture.refresh().await;
    assert_eq!(fixture.lines("src.rs"), [2]);
    fixture.file(".agent_memory/dismissed.json", "[\"minor\", \"suggestion\"]");
    fixture.refresh().await;
    assert!(fixture.messages("src.rs").is_empty(), "cleared");
    assert!(!fixture.shown.contains_key("gone.rs"));
}

#[tokio::test]
async fn an_issue_without_a_place_stands_where_the_review_lists_it() {
    let unplaced = |id: &str, file: &str| {
        let mut issue = issue("major", 7);
        issue["id"] = json!(id);
        issue["file"] = json!(file);
        issue["description"] = json!(format!("Lost {id} \"é\"."));
        issue["placed"] = json!(false);
        issue
    };
    let mut outside = unplaced("i3", "../src.rs");
    outside.as_object_mut().unwrap().shift_remove("placed");
    let mut fixture = Fixture::reviewed(json!([]));
    let review = json!({
        "verdict": "changes_requested", "summary": "s", "recommended_action": "escalate_to_human",
        "issues": [unplaced("i1", "gone.rs"), unplaced("i2", "src.rs"), outside],
    });
    fixture.file(".agent_memory/review.json", &serde_json::to_string_pretty(&review).unwrap());
    fixture.refresh().await;
    assert!(fixture.messages("src.rs").is_empty() && !fixture.shown.contains_key("gone.rs"));
    let message = |file: &str, id: &str, end: &str| format!("review.major: {file}Lost {id} \"é\".{end}");
    let end = " (no place in the code was found)";
    let expected = [message("gone.rs: ", "i1", end), message("src.rs: ", "i2", end), message("../src.rs: ", "i3", end)];
    let shown = fixture.messages(".agent_memory/review.json");
    assert_eq!(shown, expected);
    let text = serde_json::to_string_pretty(&review).unwrap();
    let listed: Vec<u64> =
        (0..).zip(text.lines()).filter(|(_, line)| line.contains("Lost i")).map(|(at, _)| at).collect();
    assert_eq!(fixture.lines(".agent_memory/review.json"), listed);
    // It is found there to be dismissed, and goes with the review.
    let uri = Url::parse(&fixture.uri(".agent_memory/review.json")).unwrap();
    let ids: Vec<String> = fixture.board.issues_in(&uri).into_iter().map(|shown| shown.issue.id).collect();
    assert_eq!(ids, ["i1", "i2", "i3"]);
    fixture.file(".agent_memory/dismissed.json", "[\"i1\", \"i3\"]");
    fixture.refresh().await;
    assert_eq!(fixture.lines(".agent_memory/review.json"), [listed[1]]);
}

#[tokio::test]
async fn an_issue_that_quotes_a_masked_secret_stands_at_its_line() {
    let key = format!("ghp_{}", "a1".repeat(18));
    let mut quoted = issue("major", 1);
    quoted["quote"] = json!("const KEY: &str = \"<masked by Baton: GitHub token>\";");
    let mut fixture = Fixture::reviewed(json!([quoted]));
    fixture.file("src.rs", &format!("fn a() {{}}\nconst KEY: &str = \"{key}\";\n"));
    fixture.refresh().await;
    assert_eq!(
        (fixture.lines("src.rs"), fixture.messages("src.rs")),
        (vec![1], vec!["review.major: It breaks.".to_owned()])
    );
    fixture.open("src.rs", &format!("fn a() {{}}\nconst KEY: &str = \"{key}\";\n"));
    fixture.edit("src.rs", 2, (0, 0), (0, 0), "\n");
    fixture.publish_moved().await;
    assert_eq!(
        (fixture.lines("src.rs"), fixture.messages("src.rs")),
        (vec![2], vec!["review.major: It breaks.".to_owned()])
    );
}

#[tokio::test]
async fn issues_move_with_edits_and_stay_where_they_are_when_the_files_are_read_again() {
    let mut quoted = issue("major", 2);
    quoted["quote"] = json!("b(\"🦀\");");
    let mut fixture = Fixture::reviewed(json!([quoted, issue("minor", 3)]));
    fixture.refresh().await;
    fixture.open("src.rs", SOURCE_FILE);
    let sent = fixture.publish_moved().await;
    assert_eq!(sent["src.rs"]["version"], 1, "an editor that opens a file is told again");
    fixture.edit("src.rs", 2, (0, 0), (0, 0), "\n\n");
    fixture.edit("src.rs", 3, (2, 0), (2, 0), "// x\n");
    let sent = fixture.publish_moved().await;
    assert_eq!((&sent["src.rs"]["version"], fixture.lines("src.rs")), (&json!(3), vec![4, 5]));
    assert!(fixture.refresh().await.is_empty(), "the disk has the old text, and the editor counts");
    fixture.edit("src.rs", 4, (0, 0), (0, 0), "typed elsewhere");
    assert!(fixture.publish_moved().await.is_empty());
    fixture.edit("src.rs", 5, (4, 4), (4, 5), "c");
    fixture.publish_moved().await;
    let edited = ["review.major: It breaks. (edited since review)", "review.minor: It breaks."];
    assert_eq!(fixture.messages("src.rs"), edited);
    let uri = Url::parse(&fixture.uri("src.rs")).unwrap();
    let line = |line| Range { start: position(line), end: position(line) };
    let at = |range| fixture.board.issues_at(&uri, range);
    assert_eq!(at(line(4)).into_iter().map(|shown| shown.issue.id).collect::<Vec<_>>(), ["major"]);
    assert!(at(line(0)).is_empty());
    // Saved and closed, it is still known which line that was.
    let text = fixture.documents.text(&fixture.folder.path().join("src.rs")).unwrap().as_str().to_owned();
    fixture.file("src.rs", &text);
    fixture.close("src.rs");
    fixture.refresh().await;
    assert_eq!((fixture.lines("src.rs"), fixture.messages("src.rs")), (vec![4, 5], edited.map(str::to_owned).to_vec()));
    // Something else takes the file back.
    fixture.file("src.rs", SOURCE_FILE);
    fixture.refresh().await;
    assert_eq!(
        (fixture.lines("src.rs"), &fixture.messages("src.rs")[0]),
        (vec![1, 2], &"review.major: It breaks.".into())
    );
}

fn position(line: u32) -> tower_lsp::lsp_types::Position {
    tower_lsp::lsp_types::Position { line, character: 0 }
}

#[tokio::test]
async fn an_issue_is_found_again_by_its_quote_after_a_restart() {
    let mut moved = issue("major", 1);
    moved["quote"] = json!("b(\"🦀\");");
    let mut gone = issue("minor", 99);
    gone["quote"] = json!("was here");
    let mut fixture = Fixture::reviewed(json!([moved, gone]));
    // Opened with changes that were never saved, as an editor does that was restarted too.
    fixture.open("src.rs", &format!("// new\n{SOURCE_FILE}"));
    fixture.refresh().await;
    assert_eq!(fixture.lines("src.rs"), [2, 3]);
    let expected = ["review.major: It breaks.", "review.minor: It breaks. (edited since review)"];
    assert_eq!(fixture.messages("src.rs"), expected);
}

#[tokio::test]
async fn faults_of_memory_files_are_shown_as_they_are_typed() {
    let mut fixture = Fixture::reviewed(json!([]));
    let text = serde_json::to_string_pretty(&plan()).unwrap();
    fixture.refresh().await;
    fixture.open(".agent_memory/plan.json", &text);
    fixture.edit(".agent_memory/plan.json", 2, (4, 13), (4, 15), "T2");
    assert!(fixture.board.publish_moved().await, "it has to be read");
    let shown = fixture.refresh().await[".agent_memory/plan.json"].clone();
    assert_eq!(shown["version"], 2);
    let codes: Vec<String> = fixture.messages(".agent_memory/plan.json");
    assert!(codes[0].starts_with("plan.unknown-task") || codes[0].starts_with("plan.duplicate-id"), "{codes:?}");
    // While it is no JSON at all.
    fixture.edit(".agent_memory/plan.json", 3, (0, 0), (0, 1), "");
    fixture.refresh().await;
    assert!(
        fixture.messages(".agent_memory/plan.json")[0].starts_with("schema: not valid JSON"),
        "{:?}",
        fixture.shown
    );
    fixture.close(".agent_memory/plan.json");
    fixture.refresh().await;
    assert_eq!(
        fixture.messages(".agent_memory/plan.json"),
        ["task.pending: T1 has not begun.", "task.pending: T2 has not begun."]
    );
    fixture.file(".agent_memory/approval.json", "{}");
    fixture.file(".agent_memory/dismissed.json", "{");
    fixture.refresh().await;
    for file in [".agent_memory/approval.json", ".agent_memory/dismissed.json"] {
        assert!(fixture.messages(file)[0].starts_with("schema: "), "{file}: {:?}", fixture.messages(file));
    }
}

#[tokio::test]
async fn faulty_settings_are_shown_and_leave_the_rest_as_it_is() {
    let mut fixture = Fixture::reviewed(json!([issue("minor", 1)]));
    fixture.refresh().await;
    fixture.file("baton.toml", "# é\nmax_parallel_tasks = 0\n");
    fixture.board.refresh_settings().await;
    let sent = fixture.sent();
    let shown = &sent["baton.toml"]["diagnostics"][0];
    assert_eq!((&shown["code"], &shown["range"]["start"]["line"]), (&json!("settings"), &json!(1)));
    assert_eq!(sent.len(), 1);
    fixture.file("baton.toml", "max_parallel_tasks = 2\n");
    let sent = fixture.refresh().await;
    assert_eq!((sent.len(), &sent["baton.toml"]["diagnostics"]), (1, &json!([])));
}

#[tokio::test]
async fn a_limit_that_a_workspace_would_raise_is_a_warning_at_its_line() {
    let mut fixture = Fixture::reviewed(json!([issue("minor", 1)]));
    fixture.file("baton.toml", "# ours\nbudget_usd = 1e308\n");
    let sent = fixture.refresh().await;
    let shown = &sent["baton.toml"]["diagnostics"][0];
    assert_eq!((&shown["code"], &shown["severity"]), (&json!("settings"), &json!(2)));
    assert_eq!(shown["range"]["start"], json!({ "line": 1, "character": 13 }));
    assert!(shown["message"].as_str().unwrap().contains("may lower this limit but not raise it"), "{shown}");
    fixture.file("baton.toml", "budget_usd = 0.5\n");
    let sent = fixture.refresh().await;
    assert_eq!(sent["baton.toml"]["diagnostics"], json!([]));
}

#[tokio::test]
async fn a_memory_folder_that_is_none_hides_no_limit() {
    let mut fixture = Fixture::reviewed(json!([issue("minor", 1)]));
    fixture.file("src/a.rs", "fn a() {}");
    fixture.file("baton.toml", "budget_usd = 1e308\nmemory_dir = \"src\"\n");
    // As the folder's settings are refused, nothing but them is read.
    fixture.board.refresh_settings().await;
    let sent = fixture.sent();
    let shown = sent["baton.toml"]["diagnostics"].as_array().unwrap();
    let shown: Vec<_> = shown.iter().map(|shown| (&shown["range"]["start"]["line"], &shown["severity"])).collect();
    assert_eq!(shown, [(&json!(1), &json!(1)), (&json!(0), &json!(2))]);
}

#[tokio::test]
async fn a_board_that_is_cleared_shows_nothing_any_more() {
    let mut fixture = Fixture::reviewed(json!([issue("minor", 1)]));
    fixture.refresh().await;
    fixture.board.close().await;
    let sent = fixture.sent();
    assert!(sent.len() == 2 && sent.values().all(|params| params["diagnostics"] == json!([])), "{sent:?}");
    assert!(fixture.refresh().await.is_empty() && !fixture.board.wait_until_stale().await);
}
