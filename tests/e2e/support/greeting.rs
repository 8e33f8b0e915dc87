//! The smallest whole workflow: one file, one task that changes it, and a review with one minor issue.

use serde_json::json;

use super::messages_api::{Reply, Script};

/// The task.
pub const TASK: &str = "Greet by name";

/// The workspace.
pub const GREETING: &str = "\
//- /src/lib.rs
pub fn greet() -> String {
    \"hello\".to_owned()
}
";

/// What the agents answer.
pub fn script() -> Script {
    let context = json!({
        "task_description": TASK, "dependencies": [], "existing_patterns": [], "constraints": [],
        "relevant_files": [{ "path": "src/lib.rs", "summary": "The greeting.", "relevance": "high" }],
        "files_in_scope": ["src/lib.rs"], "files_out_of_scope": []
    });
    let plan = json!({
        "approach_summary": "Give greet a parameter.", "risks": [], "parallel_groups": [["T1"]],
        "tasks": [{
            "id": "T1", "title": "Greet by name", "description": "Take a name.", "files_to_modify": ["src/lib.rs"],
            "files_to_create": [], "files_to_delete": [], "depends_on": [], "acceptance_criteria": ["It takes a name."],
            "estimated_complexity": "simple"
        }]
    });
    let edit = json!({
        "path": "src/lib.rs", "old_text": "pub fn greet() -> String {\n    \"hello\".to_owned()",
        "new_text": "pub fn greet(name: &str) -> String {\n    format!(\"hello {name}\")"
    });
    let result = json!({ "task_id": "T1", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let review = json!({
        "verdict": "approved", "summary": "Good.", "recommended_action": "merge", "plan_drift_detected": false,
        "drift_details": "",
        "issues": [{
            "severity": "minor", "file": "src/lib.rs", "line": 1, "quote": "format!(\"hello {name}\")",
            "description": "An empty name greets nobody.", "suggested_fix": "Say hello to all.", "task_id": "T1"
        }]
    });
    Script::new()
        .on(
            "context",
            [Reply::tool("read_file", json!({ "path": "src/lib.rs" })), Reply::tool("submit_context", context)],
        )
        .on("plan", [Reply::tool("submit_plan", plan)])
        .on("implement/T1", [Reply::tool("edit_file", edit), Reply::tool("submit_result", result)])
        .on("review", [Reply::tool("submit_review", review)])
}
