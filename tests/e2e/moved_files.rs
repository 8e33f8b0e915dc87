//! Files that get another name: what an agent does, what the reviewer is shown, and that it can be undone.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, completed, context, edits, plan, review, task, with};
use crate::support::session::Session;

const REPOSITORY: &str = "
//- /src/old.rs
pub fn one() -> u32 {
    1
}

pub fn two() -> u32 {
    2
}

pub fn three() -> u32 {
    3
}
";

const CHANGED: &str =
    "pub fn one() -> u32 {\n    1\n}\n\npub fn two() -> u32 {\n    22\n}\n\npub fn three() -> u32 {\n    3\n}\n";

fn moves(from: &str, to: &str) -> Reply {
    Reply::tool("move_file", json!({ "from": from, "to": to }))
}

fn line(number: u32, says: &str, new: &str) -> Reply {
    let input = json!({
        "path": "src/new/name.rs", "start_line": number, "end_line": number, "first": says, "last": says, "new_text": new,
    });
    Reply::tool("edit_file", input)
}

/// A task that renames a file and changes a line of it.
fn script() -> Script {
    let rename = with(task("T1"), json!({ "files_to_create": ["src/new/name.rs"], "files_to_delete": ["src/old.rs"] }));
    Script::new().on("context", [context(&["src/old.rs"])]).on("plan", [plan(&[&[rename]])])
}

fn does_it() -> Vec<Reply> {
    vec![
        moves("src/old.rs", "src/new/name.rs"),
        line(6, "    2", "    22"),
        completed(&["src/old.rs", "src/new/name.rs"]),
    ]
}

/// What the last request of an agent's conversation says that its tools answered, as one text.
fn told(api: &MessagesApi, agent: &str, conversation: usize) -> String {
    let requests = api.requests_of(agent);
    let last = requests.iter().rev().find(|request| request.conversation == conversation).unwrap();
    let texts = |content: &Value| -> Vec<String> {
        let blocks = content.as_array().cloned().unwrap_or_default();
        blocks
            .iter()
            .map(|block| block["content"].as_str().map_or_else(|| block["content"].to_string(), str::to_owned))
            .collect()
    };
    let messages = last.body["messages"].as_array().unwrap();
    messages.iter().skip(1).flat_map(|message| texts(&message["content"])).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_renamed_file_is_one_change_to_the_reviewer_and_is_undone_as_a_whole() {
    let session = Session::in_git(REPOSITORY);
    session.set_mode("src/old.rs", 0o750);
    let before = session.tree();
    let looks = [
        Reply::tools([("read_diff", json!({})), ("log", json!({ "path": "src/old.rs" }))]),
        Reply::tools([
            ("read_diff", json!({ "path": "src/old.rs" })),
            ("read_file", json!({ "path": "src/old.rs", "at": "HEAD", "end_line": 1 })),
        ]),
        approves(),
    ];
    let api = MessagesApi::start(script().on("implement/T1", does_it()).on("review", looks));
    session.run(&api, ["--task", "Rename it", "--auto-approve"]).expect(0);
    assert_eq!((session.text("src/new/name.rs").as_str(), session.mode("src/new/name.rs")), (CHANGED, 0o750));
    assert!(!session.exists("src/old.rs"));

    let first = api.first_message("review", 0);
    assert!(first.contains("\nrename from src/old.rs\nrename to src/new/name.rs\n"), "the diff is attached: {first}");
    let told = told(&api, "review", 0);
    for part in [
        "rename from src/old.rs\nrename to src/new/name.rs\n",
        " @@ pub fn two() -> u32 {\n",
        "     \t-    2\n    6\t+    22\n",
        ": start (1 file)\n",
        "    1\tpub fn one() -> u32 {\n",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    assert!(diff.contains("rename from src/old.rs") && !diff.contains("deleted file"), "{diff}");

    let after = session.tree();
    session.baton(["rollback"]).run().expect(0).prints("Undone: 2 files.");
    assert_eq!((session.tree(), session.mode("src/old.rs")), (before, 0o750));
    assert!(!session.exists("src/new"));
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!((session.tree(), session.mode("src/new/name.rs")), (after, 0o750));
}

#[test]
fn a_second_review_can_read_what_was_changed_since_the_first() {
    let session = Session::new(REPOSITORY);
    let issue = json!({ "severity": "major", "file": "src/new/name.rs", "line": 6, "quote": "    22", "description": "Too much." });
    let rounds = [does_it(), vec![line(6, "    22", "    23"), completed(&["src/new/name.rs"])]];
    let again = vec![Reply::tool("read_diff", json!({ "since": "review" })), approves()];
    let first = vec![
        Reply::tool("read_diff", json!({ "since": "review" })),
        review("changes_requested", "fix_and_re_review", &[issue]),
    ];
    let script = script().rounds("implement/T1", rounds).rounds("review", [first, again]);
    let api = MessagesApi::start(script);
    session.run(&api, ["--task", "Rename it", "--auto-approve"]).expect(0);

    assert!(told(&api, "review", 0).contains("There was no review before this one"));
    let told = told(&api, "review", 1);
    assert!(told.contains("     \t-    22\n    6\t+    23\n") && !told.contains("rename"), "{told}");
    let words = "The context and the plan describe the code as it was before this work began";
    for (agent, conversation, is_said) in
        [("implement/T1", 0, false), ("implement/T1", 1, true), ("review", 0, false), ("review", 1, true)]
    {
        assert_eq!(api.first_message(agent, conversation).contains(words), is_said, "{agent} {conversation}");
    }
    let context = api.first_message("context", 0);
    assert!(context.contains("<files>\nsrc/old.rs (11 lines)\n"), "{context}");
}

#[test]
fn a_file_that_others_changed_meanwhile_is_not_moved() {
    let session = Session::new(REPOSITORY);
    let root = session.root().to_owned();
    // The person saves the file while the agent is at work, each time.
    let saves = move |request: &crate::support::messages_api::RecordedRequest| {
        if request.agent == "implement/T1" && request.turn == 2 {
            std::fs::write(root.join("src/old.rs"), format!("// {}\n", request.conversation)).unwrap();
        }
        None
    };
    let script = script().by(saves).rounds(
        "implement/T1",
        [
            does_it(),
            vec![
                moves("src/old.rs", "src/new/name.rs"),
                edits("src/new/name.rs", "// 0", "// zero"),
                completed(&["src/old.rs"]),
            ],
        ],
    );
    let api = MessagesApi::start(script);
    let done = session.run(&api, ["--task", "Rename it", "--auto-approve"]).expect(1);
    done.reports("src/old.rs");
    assert_eq!(session.text("src/old.rs"), "// 1\n");
    assert!(!session.exists("src/new"));
}

/// A task whose plan lists two new files, of which the first round makes one, and what the fix round does.
fn made_and_then(second: Vec<Reply>) -> (Session, MessagesApi) {
    let session = Session::new(REPOSITORY);
    let makes = with(task("T1"), json!({ "files_to_create": ["src/made.rs", "src/named.rs"] }));
    let issue = json!({ "severity": "major", "file": "src/made.rs", "line": 1, "quote": "// made", "description": "The name." });
    let writes = Reply::tool("write_file", json!({ "path": "src/made.rs", "content": "// made\n" }));
    let script = Script::new()
        .on("context", [context(&["src/old.rs"])])
        .on("plan", [plan(&[&[makes]])])
        .rounds("implement/T1", [vec![writes, completed(&["src/made.rs"])], second])
        .rounds("review", [vec![review("changes_requested", "fix_and_re_review", &[issue])], vec![approves()]]);
    (session, MessagesApi::start(script))
}

#[test]
fn a_fix_round_moves_what_its_task_made_before() {
    let second = vec![moves("src/made.rs", "src/named.rs"), completed(&["src/made.rs", "src/named.rs"])];
    let (session, api) = made_and_then(second);
    let before = session.tree();
    session.run(&api, ["--task", "Make it", "--auto-approve"]).expect(0);
    assert_eq!(session.text("src/named.rs"), "// made\n");
    assert!(!session.exists("src/made.rs"));
    let result = &session.handoff("impl_report.json")["results"][0];
    assert_eq!(
        (result["status"].as_str(), result["changes"].as_array().map(Vec::len)),
        (Some("completed"), Some(1)),
        "{result}"
    );
    assert_eq!(result["blockers"], json!([]));
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(session.tree(), before);
}

#[test]
fn a_fix_round_deletes_what_its_task_made_before_and_nothing_else() {
    let deletes = |path: &str| Reply::tool("delete_file", json!({ "path": path }));
    let second = vec![
        deletes("src/old.rs"),
        deletes("src/made.rs"),
        Reply::tool("write_file", json!({ "path": "src/named.rs", "content": "// named\n" })),
        completed(&["src/made.rs", "src/named.rs"]),
    ];
    let (session, api) = made_and_then(second);
    session.run(&api, ["--task", "Make it", "--auto-approve"]).expect(0);
    assert!(session.exists("src/old.rs") && session.exists("src/named.rs") && !session.exists("src/made.rs"));
    assert!(told(&api, "implement/T1", 1).contains("src/old.rs is not among the files of this task"));
}
