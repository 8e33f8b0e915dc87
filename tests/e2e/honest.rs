//! What an implementer says is held against what it did: a lie goes back to it, nothing of a failed task is published, and
//! what is sent and asked for is in the order in which one thinks.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::check::check;
use crate::support::messages_api::{MessagesApi, RecordedRequest, Reply, Script};
use crate::support::replies::{
    approves, but, completed, context, edits, findings, fixes, own, plan, reads, review, with, workspace, writes,
};
use crate::support::session::Session;

const RUN: [&str; 3] = ["--task", "Do it", "--auto-approve"];

/// An edit of the file of `T1`.
fn edit() -> Reply {
    edits("src/t1.rs", "    0\n", "    1\n")
}

/// A task's handoff with this status and these blockers, and a claim for each of these files.
fn submits(status: &str, files: &[&str], blockers: &[&str]) -> Reply {
    let changes: Vec<Value> = files.iter().map(|path| json!({ "path": path, "summary": "changed" })).collect();
    let result = json!({ "changes": changes, "notes": "I looked at it.", "blockers": blockers, "status": status });
    Reply::tool("submit_result", result)
}

fn lies(replies: impl IntoIterator<Item = Reply>) -> Script {
    but(Script::new().on("implement/T1", replies), &[&[own("T1")]])
}

/// The answer to the submission of the turn before.
fn sent_back(request: &RecordedRequest) -> String {
    let answer = &request.last_message()[0];
    assert_eq!(answer["is_error"], true, "{answer}");
    answer["content"].to_string()
}

fn result_of(session: &Session) -> Value {
    session.handoff("impl_report.json")["results"][0].clone()
}

/// The file in the run's folder that keeps edits which were not published.
fn kept(session: &Session) -> String {
    session.of_last_run("unpublished-T1.diff")
}

#[test]
fn a_completed_task_without_a_change_goes_back_once_and_is_blocked_then() {
    let (session, api) = check(
        &workspace(2),
        lies([reads("src/t1.rs"), completed(&[]), completed(&[])]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 1
              T1 blocked: it was handed on as completed, but none of its files was changed (src/t1.rs). Run again to retry; what is done stays done.
                baton run                  try again
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: context, plan, implement/T1
            T1 blocked
            next: implement
        "#]],
    );
    let back = sent_back(&api.requests_of("implement/T1")[2]);
    assert!(back.contains("none of the task's files is changed (src/t1.rs)"), "{back}");
    assert_eq!(
        (result_of(&session)["status"].clone(), result_of(&session)["changes"].clone()),
        (json!("blocked"), json!([]))
    );
}

#[test]
fn a_task_that_was_handed_on_too_early_is_done_when_it_goes_back() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(lies([completed(&[]), edit(), completed(&["src/t1.rs"])]));
    session.run(&api, RUN).expect(0);
    assert!(session.text("src/t1.rs").contains("    1\n"));
    assert_eq!(result_of(&session)["status"], "completed");
}

#[test]
fn a_change_that_is_claimed_and_not_made_fails_the_task_in_the_end() {
    let claims = || completed(&["src/t1.rs", "src/t2.rs"]);
    let (session, api) = check(
        &workspace(2),
        lies([edit(), claims(), claims(), claims()]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 1
              T1 failed: the implement/T1 agent's handoff was not valid in 3 tries: /changes/1/path: src/t2.rs is as it was before you began; you have changed src/t1.rs. Make the change, or leave it out and say in notes what is missing; run again for another try, or choose a stronger model (models.*). Its edits of src/t1.rs were not written; they are kept in .agent_memory/runs/{run}/unpublished-T1.diff. T1 took 2 attempts: anthropic:claude-haiku-5-5 (failed), anthropic:claude-sonnet-5-5 (failed). Run again to retry; what is done stays done.
                baton run                  try again
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: context, plan, implement/T1, implement/T1
            T1 failed
            next: implement
        "#]],
    );
    let back = sent_back(&api.requests_of("implement/T1")[2]);
    assert!(
        back.contains("/changes/1/path: src/t2.rs is as it was before you began; you have changed src/t1.rs"),
        "{back}"
    );
    assert!(!back.contains("/changes/0"), "{back}");
    let kept = kept(&session);
    assert!(kept.contains("+++ b/src/t1.rs") && kept.contains("\n-    0\n+    1\n"), "{kept}");
    assert_eq!(result_of(&session)["status"], "failed");
}

#[test]
fn a_file_that_was_written_back_to_its_old_bytes_is_not_changed() {
    let session = Session::new(&workspace(1));
    let back = edits("src/t1.rs", "    1\n", "    0\n");
    let api = MessagesApi::start(lies([edit(), back, completed(&["src/t1.rs"]), edit(), completed(&["./src/t1.rs"])]));
    session.run(&api, RUN).expect(0);
    let back = sent_back(&api.requests_of("implement/T1")[3]);
    assert!(back.contains("src/t1.rs is as it was before you began; you have changed no file"), "{back}");
    assert_eq!(result_of(&session)["changes"][0]["summary"], "changed ./src/t1.rs", "another spelling is no lie");
}

#[test]
fn nothing_of_a_blocked_task_is_published_and_its_edits_are_kept() {
    let (session, _) = check(
        &workspace(2),
        lies([edit(), submits("blocked", &["src/t1.rs"], &["src/t2.rs would have to change"])]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 1
              T1 blocked: src/t2.rs would have to change. Its edits of src/t1.rs were not written; they are kept in .agent_memory/runs/{run}/unpublished-T1.diff. Run again to retry; what is done stays done.
                baton run                  try again
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: context, plan, implement/T1
            T1 blocked
            next: implement
        "#]],
    );
    assert!(kept(&session).contains("+    1\n"));
    assert_eq!(result_of(&session)["changes"], json!([]), "nothing was changed");
}

#[test]
fn nothing_of_a_failed_task_is_published_and_its_edits_are_kept() {
    let (session, _) = check(
        &workspace(1),
        lies([edit(), submits("failed", &[], &[])]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 1
              T1 failed: I looked at it. Its edits of src/t1.rs were not written; they are kept in .agent_memory/runs/{run}/unpublished-T1.diff. T1 took 2 attempts: anthropic:claude-haiku-5-5 (failed), anthropic:claude-sonnet-5-5 (failed). Run again to retry; what is done stays done.
                baton run                  try again
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: context, plan, implement/T1, implement/T1
            T1 failed
            next: implement
        "#]],
    );
    assert!(kept(&session).contains("+    1\n"));
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]));
    session.run(&api, []).expect(0);
    assert!(session.text("src/t1.rs").contains("    1\n"), "it can be tried again");
}

#[test]
fn what_is_partly_done_is_published() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(lies([edit(), submits("partial", &["src/t1.rs"], &["half of it"])]));
    session.run(&api, RUN).expect(0);
    assert!(session.text("src/t1.rs").contains("    1\n"));
}

#[test]
fn a_fix_round_is_measured_by_what_changed_since_the_workflow_began() {
    let session = Session::new(&workspace(2));
    let both = with(own("T1"), json!({ "files_to_modify": ["src/t1.rs", "src/t2.rs"] }));
    let issue = json!({ "severity": "major", "file": "src/t1.rs", "quote": "    1", "description": "It is too low." });
    let wants = || vec![review("changes_requested", "fix_and_re_review", std::slice::from_ref(&issue))];
    let script = Script::new()
        .rounds(
            "implement/T1",
            [
                vec![edit(), edits("src/t2.rs", "    0\n", "    1\n"), completed(&["src/t1.rs", "src/t2.rs"])],
                // src/t2.rs was changed in the first round, and src/t3.rs never was.
                vec![completed(&["src/t2.rs", "src/t3.rs"]), completed(&["src/t2.rs"])],
                fixes("T1", 1, 2),
            ],
        )
        .rounds("review", [wants(), wants(), vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[both]]));
    session.run(&api, RUN).expect(0);
    let asked = api.requests_of("implement/T1");
    let back = sent_back(&asked[4]);
    assert!(back.contains("/changes/1/path: src/t3.rs") && !back.contains("/changes/0"), "{back}");
    assert_eq!(asked.len(), 7);
    assert_eq!(api.requests_of("review").len(), 3, "whether the issue is fixed is for the reviewer to say");
    let changes = result_of(&session)["changes"].clone();
    assert_eq!(changes.as_array().unwrap().len(), 2, "{changes}");
}

#[test]
fn the_reviewer_is_told_which_planned_files_nobody_changed() {
    let session = Session::new(&workspace(3));
    let first =
        with(own("T1"), json!({ "files_to_modify": ["src/t1.rs", "src/t3.rs"], "files_to_create": ["docs/new.md"] }));
    let second = with(own("T2"), json!({ "files_to_delete": ["src/t3.rs"], "depends_on": ["T1"] }));
    let api = MessagesApi::start(but(Script::new(), &[&[first], &[second]]));
    session.run(&api, RUN).expect(0);
    let told = api.first_message("review", 0);
    let section = told.split("<planned_but_unchanged>\n").nth(1).and_then(|rest| rest.split("\n</").next()).unwrap();
    assert_eq!(
        section.lines().collect::<Vec<_>>(),
        [
            "T1: src/t3.rs, to be modified, is as it was",
            "T1: docs/new.md, to be created, is not there",
            "T2: src/t3.rs, to be deleted, is still there",
        ]
    );

    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]));
    session.run(&api, RUN).expect(0);
    assert!(!api.first_message("review", 0).contains("planned_but_unchanged"), "all was done");
}

#[test]
fn a_plan_that_nobody_can_hold_to_anything_goes_back_to_its_planner() {
    let session = Session::new(&workspace(2));
    let there = with(own("T1"), json!({ "files_to_modify": [], "files_to_create": ["src/t1.rs"] }));
    let empty = with(own("T2"), json!({ "acceptance_criteria": [] }));
    let script = Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [plan(&[&[there, empty]]), plan(&[&[own("T1"), own("T2")]])]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    let back = sent_back(&api.requests_of("plan")[1]);
    assert!(back.contains("/tasks/0/files_to_create/0: src/t1.rs exists already"), "{back}");
    assert!(back.contains("/tasks/1/acceptance_criteria: T2 has no acceptance criteria"), "{back}");
}

#[test]
fn a_plan_of_the_users_shows_where_it_is_wrong_and_one_that_is_approved_stays_so() {
    let session = Session::new(&workspace(1));
    let new = with(own("T1"), json!({ "files_to_modify": [], "files_to_create": ["src/new.rs"] }));
    let replies = [reads("src/new.rs"), writes("src/new.rs", "// theirs\n// mine\n"), completed(&["src/new.rs"])];
    let api = MessagesApi::start(but(Script::new().on("implement/T1", replies), &[&[new]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    let good = session.text(".agent_memory/plan.json");
    session.write(".agent_memory/plan.json", good.replace("\"T1 is done\"", "\" \""));
    session.run(&api, []).expect(3).prints("T1 has no acceptance criteria");
    session.write(".agent_memory/plan.json", &good);
    session.write("src/new.rs", "// theirs\n");
    session.run(&api, []).expect(3).prints("src/new.rs exists already");
    std::fs::remove_file(session.path("src/new.rs")).unwrap();
    session.baton(["approve"]).run().expect(0);
    session.write("src/new.rs", "// theirs\n");
    session.run(&api, []).expect(0);
    assert_eq!(session.text("src/new.rs"), "// theirs\n// mine\n");
}

/// The properties of a schema in the order in which a strict tool has them written: what is required, then what is optional
/// (`?`); those of an object, or of a list's items, in brackets.
fn written(schema: &Value) -> String {
    let object = if schema["items"].is_object() { &schema["items"] } else { schema };
    let Some(properties) = object["properties"].as_object() else { return String::new() };
    let is_required = |name: &str| object["required"].as_array().unwrap().iter().any(|one| one == name);
    let (first, last): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| is_required(name));
    let name = |(name, property): (&String, &Value)| match written(property).as_str() {
        "" => name.to_owned(),
        inner => format!("{name}({inner})"),
    };
    let optional = last.into_iter().map(|property| name(property) + "?");
    first.into_iter().map(name).chain(optional).collect::<Vec<_>>().join(" ")
}

/// How an agent is asked to submit, as it was sent.
fn asked_of(api: &MessagesApi, agent: &str) -> String {
    let request = api.requests_of(agent).pop().unwrap();
    let tool = request.body["tools"].as_array().unwrap().last().unwrap();
    assert_eq!(tool["strict"], true, "{tool}");
    format!("{} {}", tool["name"].as_str().unwrap(), written(&tool["input_schema"]))
}

#[test]
fn every_agent_is_asked_for_its_findings_before_its_verdict() {
    const ISSUES: &str = "issues(file line description severity end_line? quote? suggested_fix? task_id?)";
    let session = Session::in_git(&workspace(1));
    session.add_phase("security", "after = \"implement\"\ntier = \"fast\"");
    let script = Script::new().on("further/security", [findings("Nothing.", &[])]);
    let api = MessagesApi::start(but(script.rounds("review", [vec![approves()], vec![approves()]]), &[&[own("T1")]]));
    session.run(&api, RUN).expect(0);
    let review = format!(
        "submit_review answers(id state) {ISSUES} criteria(task_id criterion evidence(check? file? line? quote?) state) \
         drift_details plan_drift_detected summary verdict recommended_action"
    );
    assert_eq!(
        asked_of(&api, "context"),
        "submit_context task_description relevant_files(path summary relevance ranges) \
         dependencies(name version usage) existing_patterns constraints files_in_scope files_out_of_scope size?"
    );
    assert_eq!(
        asked_of(&api, "plan"),
        "submit_plan approach_summary risks tasks(id title description files_to_modify \
         files_to_create files_to_delete depends_on acceptance_criteria estimated_complexity) parallel_groups questions"
    );
    assert_eq!(asked_of(&api, "implement/T1"), "submit_result changes(path summary) notes blockers status");
    assert_eq!(asked_of(&api, "further/security"), format!("submit_findings {ISSUES} summary"));
    assert_eq!(asked_of(&api, "review"), review);
    session.baton(["review", "--base", "HEAD"]).api(&api).run().expect(0);
    assert_eq!(api.requests_of("review").len(), 2);
    let of_base = review.replace("criteria(task_id criterion evidence(check? file? line? quote?) state) ", "");
    assert_eq!(asked_of(&api, "review"), of_base, "against a commit");
    let report = session.text(".agent_memory/impl_report.json");
    let at = |name: &str| report.find(&format!("\"{name}\"")).unwrap();
    assert!(at("task_id") < at("changes") && at("changes") < at("status"), "{report}");
}
