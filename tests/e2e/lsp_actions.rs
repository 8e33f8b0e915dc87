//! An editor without a plugin: code actions, lenses, hover, questions and documents, by the protocol alone.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{approves, but, completed, edits, fixes, own, review, workspace};
use crate::support::session::Session;

const APPROVED: &str =
    "Baton: Approved by reading; no check ran. Changes are in your working tree; nothing was committed.";
const FIX: &str = "Baton: fix this issue";
const FIX_ALL: &str = "Baton: fix all issues in this file";
const DISMISS: &str = "Baton: dismiss this issue";
const OPEN_TASK: &str = "Baton: open its task";
const PLAN_THIS: &str = "Baton: plan this";

/// An issue at a line of a file in which [`does`](crate::support::replies::does) was done.
fn issue(file: &str, quote: &str, description: &str) -> Value {
    json!({
        "severity": "major", "file": file, "line": 1, "quote": quote, "description": description,
        "suggested_fix": "Use `2` *instead*."
    })
}

/// A review that approves, and has something to say all the same.
fn approves_but(issues: &[Value]) -> Vec<Reply> {
    vec![review("approved", "merge", issues)]
}

/// A finished workflow of T1 and T2, reviewed with these issues; T1 and T2 each answer 1.
fn reviewed(rounds: impl IntoIterator<Item = Vec<Reply>>) -> Script {
    but(
        Script::new()
            .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
            .rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2)])
            .rounds("review", rounds),
        &[&[own("T1"), own("T2")]],
    )
}

fn run_to_its_review(editor: &mut PlainEditor<'_>) {
    let started = editor.execute("baton.workflow", &[json!({ "task": "Answer 1", "approval": "auto" })]).unwrap();
    editor.until_the_end(&started);
}

/// The titles without those of the change that the issue stands in, which have tests of their own.
fn titles_of_issues(actions: &[Value]) -> Vec<&str> {
    const OF_CHANGES: [&str; 3] = ["Baton: keep this change", "Baton: undo this change", "Baton: why (T1)"];
    titles(actions).into_iter().filter(|title| !OF_CHANGES.contains(title)).collect()
}

fn titles(actions: &[Value]) -> Vec<&str> {
    actions.iter().map(|action| action["title"].as_str().expect("a title")).collect()
}

#[test]
fn what_is_offered_is_advertised_and_nothing_is_left_to_resolve() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(Script::new());
    let editor = PlainEditor::open(&session, &api);
    let capabilities = &editor.capabilities;
    let kinds = json!({ "codeActionKinds": ["quickfix", "refactor.rewrite"] });
    assert_eq!(capabilities["codeActionProvider"], kinds);
    assert_eq!(capabilities["codeLensProvider"], json!({ "resolveProvider": false }));
    assert_eq!(capabilities["hoverProvider"], true);
    editor.quit();
}

#[test]
fn one_issue_is_fixed_alone_by_its_owner_and_reviewed_and_rolled_back_like_the_rest() {
    let session = Session::new(&workspace(2));
    let (one, two) = (issue("src/t1.rs", "    1", "One is wrong."), issue("src/t2.rs", "    1", "Two is wrong."));
    let meddles = vec![
        edits("src/t1.rs", "    1\n", "    2\n"),
        Reply::tool("write_file", json!({ "path": "src/t2.rs", "content": "meddled\n" })),
        completed(&["src/t1.rs"]),
    ];
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), meddles])
        .rounds("implement/T2", [fixes("T2", 0, 1)])
        .rounds("review", [approves_but(&[one, two.clone()]), approves_but(&[two])]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    assert_eq!(editor.issues("src/t1.rs"), ["1: One is wrong."]);
    assert_eq!(editor.issues("src/t2.rs"), ["1: Two is wrong."]);
    let before = api.requests().len();

    let actions = editor.actions("src/t1.rs", (1, 4), (1, 4));
    assert_eq!(titles_of_issues(&actions), [FIX, FIX_ALL, DISMISS, OPEN_TASK]);
    let resolves = actions[0]["diagnostics"].as_array().expect("what it resolves");
    assert_eq!((resolves.len(), &resolves[0]["code"]), (1, &json!("review.major")));
    let started = editor.press_action("src/t1.rs", 1, FIX);
    editor.until_the_end(&started);

    let asked: Vec<String> = api.requests()[before..].iter().map(|request| request.agent.clone()).collect();
    assert!(asked.iter().all(|agent| agent == "implement/T1" || agent == "review"), "{asked:?}");
    assert!(session.text("src/t1.rs").contains("    2\n"));
    assert!(session.text("src/t2.rs").contains("    1\n"), "it is not T1's, and its issue was not chosen");
    let report = session.handoff("impl_report.json");
    let blockers = report["results"].as_array().unwrap().iter().find(|result| result["task_id"] == "T1").unwrap();
    assert!(blockers["blockers"].to_string().contains("src/t2.rs"), "{report:#}");
    editor.until("the fixed issue to go", |editor| editor.issues("src/t1.rs").is_empty());
    assert_eq!(editor.issues("src/t2.rs"), ["1: Two is wrong."]);
    assert_eq!(session.handoff("review.json")["round"], 2);

    editor.execute("baton.rollback", &[]).expect("it is asked");
    editor.answer("Undo");
    editor.until("the report", |editor| editor.messages.iter().any(|text| text.contains("Rolled back: 2 files.")));
    for file in ["src/t1.rs", "src/t2.rs"] {
        assert!(session.text(file).contains("    0\n"), "{file}");
    }
    editor.quit();
}

#[test]
fn all_issues_of_a_file_are_fixed_together_and_no_others() {
    let session = Session::new(&workspace(2));
    let two = issue("src/t2.rs", "    1", "Two is wrong.");
    let issues =
        [issue("src/t1.rs", "    1", "One is wrong."), issue("src/t1.rs", "}", "The end is near."), two.clone()];
    let api = MessagesApi::start(reviewed([approves_but(&issues), approves_but(&[two])]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    let started = editor.press_action("src/t1.rs", 2, FIX_ALL);
    editor.until_the_end(&started);
    let prompt =
        api.requests_of("implement/T1").into_iter().find(|request| request.conversation == 1).expect("a round");
    let prompt = prompt.first_message();
    assert!(prompt.contains("One is wrong.") && prompt.contains("The end is near."), "{prompt}");
    assert!(!prompt.contains("Two is wrong."), "{prompt}");
    assert_eq!(api.requests_of("implement/T2").iter().filter(|request| request.conversation > 0).count(), 0);
    editor.until("the fixed issues to go", |editor| editor.issues("src/t1.rs").is_empty());
    assert_eq!(editor.issues("src/t2.rs"), ["1: Two is wrong."]);
    editor.quit();
}

#[test]
fn an_issue_is_dismissed_where_it_stands_and_restored_from_the_review() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(reviewed([approves_but(&[issue("src/t1.rs", "    1", "One is wrong.")])]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    let review = ".agent_memory/review.json";
    let text = session.text(review);
    let line = text.lines().skip(1).position(|line| line.trim() == "{").expect("an issue") + 1;
    let on_issue = |titles: &[&str]| titles.iter().map(|title| format!("{line}: {title}")).collect::<Vec<_>>();
    let fix_all = "0: Fix 1 issue and re-review";
    assert_eq!(editor.shown_lenses(review)[0], fix_all);
    assert_eq!(editor.shown_lenses(review)[1..], on_issue(&["Fix issue", "Dismiss issue"]));
    let refreshes = editor.refreshes;

    editor.press_action("src/t1.rs", 1, DISMISS);
    editor.until("the issue to go", |editor| editor.issues("src/t1.rs").is_empty());
    editor.until("new lenses", |editor| editor.refreshes > refreshes);
    assert_eq!(editor.shown_lenses(review), on_issue(&["Restore issue"]));
    assert_eq!(titles_of_issues(&editor.actions("src/t1.rs", (1, 0), (1, 0))), [] as [&str; 0]);

    let refreshes = editor.refreshes;
    editor.press_lens(review, "Restore issue");
    editor.until("the issue to come back", |editor| editor.issues("src/t1.rs") == ["1: One is wrong."]);
    editor.until("new lenses", |editor| editor.refreshes > refreshes);
    assert_eq!(editor.shown_lenses(review)[0], fix_all);
    editor.quit();
}

#[test]
fn an_issue_is_acted_on_where_edits_have_moved_it() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(reviewed([approves_but(&[issue("src/t1.rs", "    1", "One is wrong.")])]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    editor.open_file("src/t1.rs");
    editor.insert("src/t1.rs", 0, "// One more.\n// And another.\n");
    assert_eq!(titles_of_issues(&editor.actions("src/t1.rs", (1, 0), (1, 0))), [] as [&str; 0]);
    assert_eq!(titles_of_issues(&editor.actions("src/t1.rs", (3, 0), (3, 0))), [FIX, FIX_ALL, DISMISS, OPEN_TASK]);
    assert_eq!(editor.hover("src/t1.rs", 1), Value::Null);
    assert_eq!(editor.hover("src/t1.rs", 3)["range"]["start"], json!({ "line": 3, "character": 4 }));
    editor.until("the issue at its new line", |editor| editor.issues("src/t1.rs") == ["3: One is wrong."]);
    editor.quit();
}

#[test]
fn the_task_of_an_issue_is_opened_at_its_place() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(reviewed([approves_but(&[issue("src/t2.rs", "    1", "Two is wrong.")])]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    let opened = editor.press_action("src/t2.rs", 1, OPEN_TASK);
    let plan = editor.uri(".agent_memory/plan.json");
    assert_eq!(opened, json!({ "uri": plan }));
    editor.until("the plan", |editor| !editor.shown.is_empty());
    let shown = editor.shown.remove(0);
    assert_eq!(shown["uri"], plan);
    let line = shown["selection"]["start"]["line"].as_u64().expect("a line") as usize;
    assert!(session.text(".agent_memory/plan.json").lines().nth(line).unwrap().contains("\"id\": \"T2\""));
    editor.quit();

    // An editor that cannot open documents shows where it is.
    let mut editor = PlainEditor::with(&session, &api, json!({}));
    editor.execute("baton.openTask", &[json!("T2")]).unwrap();
    let said = format!("Task T2 stands on line {} of ", line + 1);
    editor.until("a message", |editor| editor.messages.iter().any(|message| message.starts_with(&said)));
    let error = editor.execute("baton.openTask", &[json!("T9")]).expect_err("no such task");
    assert_eq!(error["message"], "\"T9\" is no task of the plan; there are T1, T2");
    editor.quit();
}

#[test]
fn an_issue_is_explained_on_hover() {
    let session = Session::new(&workspace(2));
    let mut wrong = issue("src/t1.rs", "    1", "One is wrong, see [this](command:quit).\u{1b}[2J");
    wrong["task_id"] = json!("T1");
    let api = MessagesApi::start(reviewed([approves_but(&[wrong])]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    let hover = editor.hover("src/t1.rs", 1);
    let expected = "**Baton review: major**\n\n\
                    One is wrong, see \\[this](`command:quit`).\n\n\
                    **Suggested fix**\n\nUse `2` \\*instead\\*.\n\n\
                    **Task T1: The title of T1**\n\nAccepted when:\n\n- T1 is done";
    assert_eq!(hover["contents"], json!({ "kind": "markdown", "value": expected }));
    assert_eq!(hover["range"]["start"], json!({ "line": 1, "character": 4 }));
    assert_eq!(editor.hover("src/t1.rs", 0), Value::Null);
    editor.quit();

    let mut editor = PlainEditor::with(&session, &api, json!({}));
    editor.until("the issue", |editor| !editor.issues("src/t1.rs").is_empty());
    let hover = editor.hover("src/t1.rs", 1);
    assert_eq!(hover["contents"]["kind"], "plaintext");
    let text = hover["contents"]["value"].as_str().expect("a text");
    assert!(text.starts_with("Baton review: major\nOne is wrong, see [this](command:quit).\n\n"), "{text}");
    editor.quit();
}

#[test]
fn a_plan_is_approved_whole_or_in_part_by_its_lenses() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(reviewed([vec![approves()]]));
    let mut editor = PlainEditor::open(&session, &api);
    let plan = ".agent_memory/plan.json";
    let started = editor.execute("baton.workflow", &[json!("Answer 1")]).unwrap();
    editor.until("the gate", |editor| !editor.questions.is_empty() && editor.refreshes > 0);
    let text = session.text(plan);
    let line_of = |id: &str| text.lines().position(|line| line.contains(&format!("\"id\": \"{id}\""))).expect("a task");
    let (first, second) = (line_of("T1"), line_of("T2"));
    let at_the_gate = [
        "0: Approve plan (2 tasks)".to_owned(),
        "0: Reject plan".to_owned(),
        format!("{first}: Approve and run T1 only"),
        format!("{second}: Approve and run T2 only"),
    ];
    assert_eq!(editor.shown_lenses(plan), at_the_gate);
    let on_top = editor.actions(plan, (0, 0), (0, 0));
    assert_eq!(titles(&on_top), ["Baton: approve plan (2 tasks)", "Baton: reject plan"]);

    // A plan that is edited and not saved is not the one that would be approved.
    editor.open_file(plan);
    let summary = text.lines().position(|line| line.contains("\"approach_summary\"")).expect("a summary");
    editor.insert(plan, summary as u64 + 1, "\"approach_summary\": \"Other\",\n");
    assert_eq!(editor.shown_lenses(plan), Vec::<String>::new());
    editor.insert(plan, first as u64, "// ");
    assert_eq!(editor.shown_lenses(plan), Vec::<String>::new());
    editor.close_file(plan);

    let answered = editor.press_lens(plan, "Approve and run T1 only");
    assert_eq!(answered["tasks"], json!(["T1"]));
    editor.until_the_end(&started);
    assert!(editor.questions.is_empty(), "the question was taken away");
    assert!(session.text("src/t1.rs").contains("    1\n") && session.text("src/t2.rs").contains("    0\n"));
    let again = [format!("{first}: Run T1 again"), format!("{second}: Run T2 only")];
    assert_eq!(editor.shown_lenses(plan), again);

    let started = editor.press_lens(plan, "Run T2 only");
    // It was not approved before.
    editor.answer("Approve");
    editor.until_the_end(&started);
    assert!(session.text("src/t2.rs").contains("    1\n"));
    editor.quit();
}

#[test]
fn a_rejected_plan_can_be_approved_after_all() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(reviewed([vec![approves()]]));
    let mut editor = PlainEditor::open(&session, &api);
    let plan = ".agent_memory/plan.json";
    let started = editor.execute("baton.workflow", &[json!("Answer 1")]).unwrap();
    editor.until("the gate", |editor| !editor.questions.is_empty());
    editor.press_lens(plan, "Reject plan");
    editor.until_the_end(&started);
    assert_eq!(editor.shown_lenses(plan), ["0: Approve the rejected plan (2 tasks)"]);
    let started = editor.press_lens(plan, "Approve the rejected plan (2 tasks)");
    editor.until_the_end(&started);
    assert!(session.text("src/t2.rs").contains("    1\n"));
    editor.quit();
}

#[test]
fn while_a_run_is_at_work_no_fix_is_offered() {
    let session = Session::new(&format!("{}//- /src/other.rs\nfn other() {{}}\n", workspace(2)));
    let issues = [issue("src/t1.rs", "    1", "One is wrong."), issue("src/other.rs", "fn other() {}", "Nobody's.")];
    let api = MessagesApi::start(reviewed([approves_but(&issues)]));
    let mut editor = PlainEditor::open(&session, &api);
    run_to_its_review(&mut editor);
    // A file that no task owns goes to a task of its own, which a person must approve: the run waits.
    let started = editor.press_action("src/other.rs", 0, FIX);
    editor.until("the gate", |editor| !editor.questions.is_empty());
    let run = started["run"].as_str().unwrap();
    let reason =
        json!({ "reason": format!("run {run} waits for an answer to its plan; approve or reject that first") });
    let actions = editor.actions("src/t1.rs", (1, 0), (1, 0));
    assert_eq!(titles_of_issues(&actions), [FIX, FIX_ALL, DISMISS, OPEN_TASK]);
    for action in &actions[..2] {
        assert_eq!((&action["disabled"], action.get("command")), (&reason, None));
    }
    assert_eq!(editor.shown_lenses(".agent_memory/plan.json")[0], "0: Approve plan (fix 1 issue)");
    let lenses = editor.shown_lenses(".agent_memory/review.json");
    assert!(!lenses.iter().any(|lens| lens.contains("Fix")), "{lenses:?}");
    editor.answer("Reject");
    editor.until_the_end(&started);
    editor.quit();

    // An editor that shows no reasons is not offered it, and an older one gets plain commands.
    let literals = json!({ "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } } });
    for capabilities in [json!({ "textDocument": { "codeAction": literals } }), json!({})] {
        let mut editor = PlainEditor::with(&session, &api, capabilities.clone());
        editor.until("the issue", |editor| !editor.issues("src/t1.rs").is_empty());
        let actions = editor.actions("src/t1.rs", (1, 0), (1, 0));
        assert_eq!(titles_of_issues(&actions), [FIX, FIX_ALL, DISMISS, OPEN_TASK]);
        let is_literal = actions[0]["command"].is_object();
        assert_eq!(is_literal, capabilities != json!({}), "{}", actions[0]);
        let only = editor.actions_of_kind("src/t1.rs", (1, 0), (1, 0), json!(["refactor"]));
        assert_eq!(titles(&only), Vec::<&str>::new());
        editor.quit();
    }
}

#[test]
fn a_selection_and_a_todo_become_the_task_as_they_stand_unsaved() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(reviewed([vec![approves()]]));
    let mut editor = PlainEditor::open(&session, &api);
    editor.open_file("src/t1.rs");
    editor.insert("src/t1.rs", 1, "    // TODO: answer 1\n    // and not 0\n");
    // No word is a todo, and no line without one.
    assert_eq!(editor.actions("src/t1.rs", (0, 0), (0, 0)), Vec::<Value>::new());
    let by_todo = editor.actions("src/t1.rs", (2, 3), (2, 3));
    assert_eq!((titles(&by_todo), &by_todo[0]["kind"]), (vec![PLAN_THIS], &json!("refactor.rewrite")));
    let started = editor.press_action("src/t1.rs", 1, PLAN_THIS);
    editor.until("the gate", |editor| !editor.questions.is_empty());
    assert_eq!(session.text(".agent_memory/task.md"), "TODO: answer 1 and not 0 (src/t1.rs:2-3)\n");
    // One at a time.
    let busy = editor.actions("src/t2.rs", (0, 0), (2, 0));
    assert!(
        busy[0]["disabled"]["reason"].as_str().is_some_and(|reason| reason.contains("approve or reject")),
        "{busy:?}"
    );
    editor.answer("Reject");
    editor.until_the_end(&started);

    let by_selection = editor.actions("src/t2.rs", (0, 0), (2, 0));
    assert_eq!(titles(&by_selection), [PLAN_THIS]);
    let started = editor.press(&by_selection[0]["command"]);
    editor.until("the gate", |editor| !editor.questions.is_empty());
    let task = "pub fn t2() -> u32 {\n    0\n\n(src/t2.rs:1-2)\n";
    assert_eq!(session.text(".agent_memory/task.md"), task);
    editor.answer("Reject");
    editor.until_the_end(&started);
    editor.quit();
}

/// Everything by what any editor has: code actions, lenses, questions, documents and the cancel button of progress. No
/// command is typed, no message of Baton's own is sent or understood.
#[test]
fn an_editor_without_a_plugin_goes_all_the_way() {
    let session = Session::new(&workspace(2));
    session.write("src/t1.rs", "// TODO: answer 1\npub fn t1() -> u32 {\n    0\n}\n");
    let one = issue("src/t1.rs", "    1", "One is wrong.");
    let (end, two) = (issue("src/t1.rs", "}", "The end is near."), issue("src/t2.rs", "    1", "Two is wrong."));
    let reviews = [approves_but(&[one, end.clone(), two.clone()]), approves_but(&[end, two]), vec![approves()]];
    let script = Script::new()
        .by(|request| {
            // The second task takes its time.
            let is_late =
                request.agent.starts_with("implement") && request.body.to_string().contains("(src/t2.rs:1-2)");
            is_late.then(|| Reply::text("Let me think.").after(Duration::from_secs(20)))
        })
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2), fixes("T1", 2, 3)])
        .rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2)])
        .rounds("review", reviews);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    let mut editor = PlainEditor::open(&session, &api);
    let (plan, review) = (".agent_memory/plan.json", ".agent_memory/review.json");

    // A comment becomes a plan, a question and a document to read. It is rejected, and approved after all.
    let run = editor.press_action("src/t1.rs", 0, PLAN_THIS);
    editor.until("the gate", |editor| !editor.questions.is_empty());
    assert!(session.text(".agent_memory/plan.md").contains("The title of T1"));
    editor.answer("Reject");
    editor.until_the_end(&run);
    let run = editor.press_lens(plan, "Approve the rejected plan (2 tasks)");
    let last = editor.until_the_end(&run);
    assert!(last.starts_with(APPROVED), "{last}");

    // The review is on its lines: read, looked up, dismissed, restored.
    editor.until("the issues", |editor| editor.issues("src/t1.rs").len() == 2 && editor.issues("src/t2.rs").len() == 1);
    let hover = editor.hover("src/t1.rs", 2)["contents"]["value"].to_string();
    assert!(hover.contains("One is wrong.") && hover.contains("T1 is done"), "{hover}");
    editor.press_action("src/t1.rs", 2, OPEN_TASK);
    editor.until("its task", |editor| !editor.shown.is_empty());
    assert_eq!(editor.shown.remove(0)["uri"], editor.uri(plan));
    editor.press_action("src/t1.rs", 3, DISMISS);
    editor.until("the issue to go", |editor| editor.issues("src/t1.rs") == ["2: One is wrong."]);
    editor.press_lens(review, "Restore issue");
    editor.until("the issue to come back", |editor| editor.issues("src/t1.rs").len() == 2);

    // One is fixed by itself, the others together.
    let run = editor.press_action("src/t1.rs", 2, FIX);
    assert!(editor.until_the_end(&run).starts_with(APPROVED));
    assert!(session.text("src/t1.rs").contains("    2\n") && session.text("src/t2.rs").contains("    1\n"));
    editor.until("one issue less", |editor| editor.issues("src/t1.rs") == ["3: The end is near."]);
    let run = editor.press_lens(review, "Fix 2 issues and re-review");
    assert!(editor.until_the_end(&run).starts_with(APPROVED));
    assert!(session.text("src/t1.rs").contains("    3\n") && session.text("src/t2.rs").contains("    2\n"));
    editor.until("no issue", |editor| editor.issues("src/t1.rs").is_empty() && editor.issues("src/t2.rs").is_empty());

    // The next task is a selection. It is approved from its plan and stopped by the button of its progress.
    let actions = editor.actions("src/t2.rs", (0, 0), (2, 0));
    let run = editor.press(&actions[0]["command"]);
    editor.until("the gate", |editor| !editor.questions.is_empty());
    editor.press_lens(plan, "Approve and run T1 only");
    editor.until("the question to go", |editor| editor.questions.is_empty());
    editor.cancel_progress(&run);
    let last = editor.until_the_end(&run);
    assert!(last.starts_with("Baton: Stopped"), "{last}");
    assert!(session.text("src/t1.rs").contains("    3\n"));
    editor.quit();
}
