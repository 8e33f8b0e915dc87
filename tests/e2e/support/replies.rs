//! What models answer in a run that goes well, and the parts to build others from.

use serde_json::{Value, json};

use super::messages_api::{Reply, Script};

/// The context agent's handoff; its first file is the relevant one.
pub fn context(files: &[&str]) -> Reply {
    let relevant: Vec<Value> =
        files.iter().map(|path| json!({ "path": path, "summary": "part of it", "relevance": "high" })).collect();
    Reply::tool(
        "submit_context",
        json!({
            "task_description": "Do what was asked.",
            "relevant_files": relevant,
            "dependencies": [{ "name": "serde", "version": "1", "usage": "JSON" }],
            "existing_patterns": ["small functions"],
            "constraints": ["no new dependencies"],
            "files_in_scope": ["src/"],
            "files_out_of_scope": [],
        }),
    )
}

/// A task of a plan, simple and with nothing to do yet.
pub fn task(id: &str) -> Value {
    json!({
        "id": id,
        "title": format!("The title of {id}"),
        "description": format!("The description of {id}."),
        "files_to_modify": [],
        "files_to_create": [],
        "depends_on": [],
        "acceptance_criteria": [format!("{id} is done")],
        "estimated_complexity": "simple",
    })
}

/// A task that modifies one file.
pub fn modifies(id: &str, file: &str) -> Value {
    with(task(id), json!({ "files_to_modify": [file] }))
}

/// The same object with these fields instead.
pub fn with(mut object: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().expect("fields") {
        object[name] = value.clone();
    }
    object
}

/// A plan of these groups of tasks, as the model submits it.
pub fn plan_of(groups: &[&[Value]]) -> Value {
    let ids = |group: &&[Value]| -> Vec<Value> { group.iter().map(|task| task["id"].clone()).collect() };
    json!({
        "approach_summary": "One small step after the other.",
        "risks": ["it may be harder than it looks"],
        "tasks": groups.concat(),
        "parallel_groups": groups.iter().map(ids).collect::<Vec<_>>(),
    })
}

/// The plan agent's handoff.
pub fn plan(groups: &[&[Value]]) -> Reply {
    Reply::tool("submit_plan", plan_of(groups))
}

/// A look at a file.
pub fn reads(path: &str) -> Reply {
    Reply::tool("read_file", json!({ "path": path }))
}

/// An edit of a file.
pub fn edits(path: &str, old: &str, new: &str) -> Reply {
    Reply::tool("edit_file", json!({ "path": path, "old_text": old, "new_text": new }))
}

/// A whole file.
pub fn writes(path: &str, content: &str) -> Reply {
    Reply::tool("write_file", json!({ "path": path, "content": content }))
}

/// A task's handoff, with a word on each of these files.
pub fn completed(files: &[&str]) -> Reply {
    let changes: Vec<Value> =
        files.iter().map(|path| json!({ "path": path, "summary": format!("changed {path}") })).collect();
    Reply::tool("submit_result", json!({ "status": "completed", "changes": changes, "notes": "", "blockers": [] }))
}

/// A task's handoff of which not all is done, or nothing was to do.
pub fn partial(why: &str) -> Reply {
    Reply::tool("submit_result", json!({ "status": "partial", "changes": [], "notes": why, "blockers": [] }))
}

/// A task's handoff that could not be done.
pub fn blocked(why: &str) -> Reply {
    Reply::tool("submit_result", json!({ "status": "blocked", "changes": [], "notes": "", "blockers": [why] }))
}

/// A review that approves.
pub fn approves() -> Reply {
    review("approved", "merge", &[])
}

/// The reviewer's handoff.
pub fn review(verdict: &str, action: &str, issues: &[Value]) -> Reply {
    Reply::tool(
        "submit_review",
        json!({
            "verdict": verdict,
            "summary": format!("The verdict is {verdict}."),
            "issues": issues,
            "plan_drift_detected": false,
            "drift_details": "",
            "recommended_action": action,
        }),
    )
}

/// What a further reviewing phase hands on.
pub fn findings(summary: &str, issues: &[Value]) -> Reply {
    Reply::tool("submit_findings", json!({ "issues": issues, "summary": summary }))
}

/// A workspace with a file for each of so many tasks: `src/t1.rs`, `src/t2.rs`, …
pub fn workspace(tasks: usize) -> String {
    let file = |n| format!("//- /src/t{n}.rs\npub fn t{n}() -> u32 {{\n    0\n}}\n");
    (1..=tasks).map(file).collect()
}

/// The file of a task in [`workspace`].
pub fn file_of(id: &str) -> String {
    format!("src/{}.rs", id.to_lowercase())
}

/// A task of [`workspace`]: `T1` modifies `src/t1.rs`.
pub fn own(id: &str) -> Value {
    modifies(id, &file_of(id))
}

/// What does a task of [`workspace`]: the function answers 1 then.
pub fn does(id: &str) -> [Reply; 2] {
    let file = file_of(id);
    [edits(&file, "    0\n", "    1\n"), completed(&[&file])]
}

/// What changes a task's file once more: the function answers `to` instead of `from`.
pub fn fixes(id: &str, from: u32, to: u32) -> Vec<Reply> {
    let file = file_of(id);
    vec![edits(&file, &format!("    {from}\n"), &format!("    {to}\n")), completed(&[&file])]
}

/// A run that goes well, in [`workspace`], with these tasks.
pub fn goes_well(groups: &[&[Value]]) -> Script {
    but(Script::new(), groups)
}

/// A run that goes well but for the replies of this script.
pub fn but(script: Script, groups: &[&[Value]]) -> Script {
    let mut script = script.on("context", [context(&["src/t1.rs"])]).on("plan", [plan(groups)]);
    for task in groups.concat() {
        let id = task["id"].as_str().expect("an id").to_owned();
        script = script.on(&format!("implement/{id}"), does(&id));
    }
    script.on("review", [approves()])
}
