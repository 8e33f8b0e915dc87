//! Single changes of agents in an editor: kept, undone and explained where they stand.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::lsp_client::LspClient;
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{approves, completed, context, edits, modifies, plan, with};
use crate::support::session::Session;

const FILE: &str = "src/lib.rs";
const KEEP: &str = "Baton: keep this change";
const UNDO: &str = "Baton: undo this change";

/// Two functions, far enough from each other for two changes, and characters of two UTF-16 units before them.
fn before() -> String {
    let between: String = (0..20).map(|line| format!("// 🦀é {line}\n")).collect();
    format!("// 🦀\nfn one() -> u32 {{\n    0\n}}\n{between}fn two() -> u32 {{\n    0\n}}\n")
}

/// The line of the second change, from 0.
const SECOND: u64 = 25;

/// A workflow in which T1 changed the first function and T2 the second.
fn done() -> (Session, MessagesApi) {
    let session = Session::new("");
    session.write(FILE, before());
    let second = with(modifies("T2", FILE), json!({ "depends_on": ["T1"] }));
    let script = Script::new()
        .on("context", [context(&[FILE])])
        .on("plan", [plan(&[&[modifies("T1", FILE)], &[second]])])
        .on("implement/T1", [edits(FILE, "one() -> u32 {\n    0", "one() -> u32 {\n    1"), completed(&[FILE])])
        .on("implement/T2", [edits(FILE, "two() -> u32 {\n    0", "two() -> u32 {\n    2"), completed(&[FILE])])
        .on("review", [approves()]);
    let api = MessagesApi::start(script);
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    (session, api)
}

/// The actions at a line, without those that have nothing to do with changes.
fn actions(editor: &mut PlainEditor<'_>, from: u64, to: u64) -> Vec<String> {
    let actions = editor.actions(FILE, (from, 0), (to, 0));
    let titles = actions.iter().map(|action| action["title"].as_str().expect("a title").to_owned());
    titles.filter(|title| ["keep", "undo", "why"].iter().any(|word| title.contains(word))).collect()
}

fn of(task: &str) -> [String; 3] {
    [KEEP.to_owned(), UNDO.to_owned(), format!("Baton: why ({task})")]
}

#[test]
fn a_change_is_undone_where_it_stands_and_the_other_one_stays() {
    let (session, api) = done();
    let mut editor = PlainEditor::open(&session, &api);
    editor.open_file(FILE);
    assert_eq!(actions(&mut editor, 2, 2), of("T1"));
    assert_eq!(actions(&mut editor, SECOND, SECOND), of("T2"));
    assert!(actions(&mut editor, 10, 10).is_empty());
    let all = ["Baton: keep 2 changes", "Baton: undo 2 changes", "Baton: why (T1)", "Baton: why (T2)"];
    assert_eq!(actions(&mut editor, 0, SECOND), all);

    let done = editor.press_action(FILE, SECOND, UNDO);
    assert_eq!(done["dry_run"], false, "one change can be taken back: nobody is asked");
    assert_eq!(session.text(FILE), before().replacen("    0", "    1", 1));
    editor.quit();
}

#[test]
fn changes_follow_what_is_typed_and_not_yet_saved() {
    let (session, api) = done();
    let mut editor = PlainEditor::open(&session, &api);
    editor.open_file(FILE);
    editor.insert(FILE, 0, "// 🦀 typed\n// and more\n");
    assert!(actions(&mut editor, 2, 2).is_empty());
    assert_eq!(actions(&mut editor, 4, 4), of("T1"));
    assert_eq!(actions(&mut editor, SECOND + 2, SECOND + 2), of("T2"));
    editor.quit();
}

#[test]
fn what_is_kept_stays_when_the_rest_is_undone() {
    let (session, api) = done();
    let mut editor = PlainEditor::open(&session, &api);
    editor.open_file(FILE);
    let kept = editor.press_action(FILE, 2, KEEP);
    assert_eq!(
        (kept["kept"].as_array().map(Vec::len), &kept["message"]),
        (Some(1), &json!("1 change kept in src/lib.rs."))
    );
    assert_eq!(actions(&mut editor, 2, 2), [UNDO, "Baton: why (T1)"]);
    editor.execute("baton.rollback", &[json!({ "dryRun": false })]).expect("it is undone");
    assert_eq!(session.text(FILE), before().replacen("    0", "    1", 1));
    editor.quit();
}

#[test]
fn lenses_are_for_those_who_want_them_and_an_unknown_change_is_an_error() {
    let (session, api) = done();
    let lenses = |client: &mut LspClient| -> Vec<String> {
        let id = client.request("textDocument/codeLens", json!({ "textDocument": { "uri": session.uri(FILE) } }));
        let lenses = client.response(id).expect("lenses");
        let shown = |lens: &Value| {
            format!("{}: {}", lens["range"]["start"]["line"], lens["command"]["title"].as_str().unwrap())
        };
        lenses.as_array().unwrap().iter().map(shown).collect()
    };
    let mut client = session.lsp_client_with(&api, &json!({ "baton": { "hunkLenses": true, "gate": true } }));
    let expected = ["2: Keep", "2: Undo", "2: Why (T1)", "25: Keep", "25: Undo", "25: Why (T2)"];
    assert_eq!(lenses(&mut client), expected);
    let diff = client.execute("baton.diff", &[]).expect("a diff");
    let hunks = diff["files"][0]["hunks"].as_array().expect("hunks");
    let lines: Vec<(&Value, &Value)> = hunks.iter().map(|hunk| (&hunk["first"], &hunk["task"])).collect();
    assert_eq!(lines, [(&json!(3), &json!("T1")), (&json!(26), &json!("T2"))]);
    for command in ["baton.keep", "baton.rollback"] {
        let error = client.execute(command, &[json!({ "file": FILE, "hunk": "ffffffffffff" })]).expect_err(command);
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(hunks[0]["id"].as_str().expect("an id")), "{message}");
    }
    assert_eq!(client.quit(), Some(0));
    let mut client = session.lsp_client(&api);
    assert!(lenses(&mut client).is_empty());
    assert_eq!(client.quit(), Some(0));
}
