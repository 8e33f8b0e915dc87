use std::collections::BTreeSet;

use super::plan::{PlanOutput, Task};
use crate::text::{code, markdown_line};

/// What a plan changed of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanChanges {
    /// The version of the plan before.
    pub since: u32,
    /// What is different, a line of Markdown each; never empty.
    pub lines: Vec<String>,
}

impl PlanChanges {
    /// Compare a plan with the one before it.
    pub fn between(before: &PlanOutput, after: &PlanOutput) -> Self {
        let mut lines = Vec::new();
        if before.approach_summary != after.approach_summary {
            lines.push("the approach".to_owned());
        }
        if before.risks != after.risks {
            lines.push("the risks".to_owned());
        }
        if before.questions != after.questions {
            lines.push("the questions".to_owned());
        }
        let named = |task: &Task| format!("**{}** · {}", markdown_line(&task.id), markdown_line(&task.title));
        lines.extend(after.tasks.iter().filter_map(|task| match before.task(&task.id) {
            None => Some(format!("new: {}", named(task))),
            Some(earlier) => {
                let changed = changed(earlier, task);
                (!changed.is_empty()).then(|| format!("changed: {}: {}", named(task), changed.join(", ")))
            }
        }));
        let gone = before.tasks.iter().filter(|task| after.task(&task.id).is_none());
        lines.extend(gone.map(|task| format!("gone: {}", named(task))));
        if lines.is_empty() && before.parallel_groups != after.parallel_groups {
            lines.push("the order".to_owned());
        }
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        Self { since: before.plan_version, lines }
    }
}

/// What is different about a task.
fn changed(before: &Task, after: &Task) -> Vec<String> {
    let mut changed = Vec::new();
    let mut words = |is_changed: bool, what: &str| {
        if is_changed {
            changed.push(what.to_owned());
        }
    };
    words(before.title != after.title, "title");
    words(before.description != after.description, "description");
    words(before.acceptance_criteria != after.acceptance_criteria, "criteria");
    words(before.depends_on != after.depends_on, "dependencies");
    words(before.estimated_complexity != after.estimated_complexity, "complexity");
    for (what, before, after) in [
        ("modify", &before.files_to_modify, &after.files_to_modify),
        ("create", &before.files_to_create, &after.files_to_create),
        ("delete", &before.files_to_delete, &after.files_to_delete),
    ] {
        let (before, after) = (set(before), set(after));
        for (sign, only) in [('+', after.difference(&before)), ('−', before.difference(&after))] {
            changed.extend(only.map(|file| format!("{sign}{what} {}", code(file))));
        }
    }
    changed
}

fn set(files: &[String]) -> BTreeSet<&str> {
    files.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plan(version: u32, approach: &str, tasks: &Value) -> PlanOutput {
        serde_json::from_value(json!({
            "plan_version": version, "approach_summary": approach, "risks": [], "tasks": tasks, "parallel_groups": [["T1"]]
        }))
        .unwrap()
    }

    #[test]
    fn what_a_plan_changed_is_told_task_by_task() {
        let task = |id: &str, title: &str, files: &[&str], criteria: &[&str]| {
            json!({
                "id": id, "title": title, "description": "d", "files_to_modify": files, "acceptance_criteria": criteria,
                "estimated_complexity": "simple"
            })
        };
        let before = plan(
            1,
            "a",
            &json!([
                task("T1", "Parse", &["a.rs", "b.rs"], &["c"]),
                task("T2", "Print", &["p.rs"], &["c"]),
                task("T3", "Go", &["g.rs"], &[])
            ]),
        );
        let after = plan(
            2,
            "b",
            &json!([
                task("T1", "Parse", &["a.rs", "`x`.rs"], &["c", "d"]),
                task("T2", "Print", &["p.rs"], &["c"]),
                task("T4", "*New*", &[], &[])
            ]),
        );
        let changes = PlanChanges::between(&before, &after);
        assert_eq!(changes.since, 1);
        assert_eq!(
            changes.lines,
            [
                "the approach",
                "changed: **T1** · Parse: criteria, +modify `` `x`.rs ``, −modify `b.rs`",
                "new: **T4** · \\*New\\*",
                "gone: **T3** · Go",
            ]
        );
        assert_eq!(PlanChanges::between(&before, &before).lines, ["nothing"]);
    }
}
