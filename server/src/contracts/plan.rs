use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::{Handoff, lenient_timestamp, null_as_default};
use super::{FileKeys, Issue, MAX_TASKS};

/// How a task is to be done: small tasks with files of their own, and the order they may run in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanOutput {
    /// When the plan was made. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// 1 for the first plan, one more for each revision or re-plan. The server fills it.
    #[serde(default = "first_version", deserialize_with = "version")]
    #[schemars(with = "Option<u32>")]
    pub plan_version: u32,
    /// The approach in a few sentences, for a person who has to approve it.
    pub approach_summary: String,
    /// What could go wrong.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub risks: Vec<String>,
    /// The tasks, in the order a reader should meet them.
    pub tasks: Vec<Task>,
    /// Task ids by group: tasks of one group share no file, and depend on earlier groups only.
    pub parallel_groups: Vec<Vec<String>>,
    /// What only the user can decide, each a question that they can answer in words; empty where nothing is open.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub questions: Vec<String>,
}

/// One unit of work, done by one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Unique within the plan: letters, digits, `.`, `_`, `-`; for example `T1`.
    pub id: String,
    /// What is done, in a line.
    pub title: String,
    /// What is done, in enough detail for an agent that sees only the plan and the files.
    pub description: String,
    /// Existing files this task changes.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_to_modify: Vec<String>,
    /// New files this task writes.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_to_create: Vec<String>,
    /// Existing files this task removes.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_to_delete: Vec<String>,
    /// Ids of tasks that must be done first.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub depends_on: Vec<String>,
    /// What must be true of the result, each checkable by reading the code or running it.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub acceptance_criteria: Vec<String>,
    /// Decides which model does the task.
    pub estimated_complexity: Complexity,
}

/// How hard a task is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Complexity {
    /// A mechanical edit.
    Simple,
    /// Some judgement, one place.
    Moderate,
    /// Several places or a subtle algorithm.
    Complex,
}

impl PlanOutput {
    /// The task of this id.
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The ids of all tasks, in plan order.
    pub fn task_ids(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| task.id.as_str())
    }

    /// The owner of a file: the last approved task in plan order that lists it.
    pub fn owner_of(&self, file: &str, keys: &FileKeys, approved: &[String]) -> Option<&Task> {
        self.tasks.iter().rev().find(|task| approved.contains(&task.id) && task.lists(file, keys))
    }

    /// The task an issue belongs to, which fixes it: the approved one the reviewer names, else the owner of its file.
    pub fn task_of(&self, issue: &Issue, keys: &FileKeys, approved: &[String]) -> Option<&Task> {
        let named = issue.task_id.as_ref().filter(|id| approved.contains(id)).and_then(|id| self.task(id));
        named.or_else(|| self.owner_of(&issue.file, keys, approved))
    }

    /// Whether an issue can be worked on: its place was found, or it names an approved task.
    pub fn can_fix(&self, issue: &Issue, approved: &[String]) -> bool {
        let names_task = |id: &String| approved.contains(id) && self.task(id).is_some();
        issue.is_placed() || issue.task_id.as_ref().is_some_and(names_task)
    }

    /// The index of the group that holds this id.
    pub fn group_of(&self, id: &str) -> Option<usize> {
        self.parallel_groups.iter().position(|group| group.iter().any(|member| member == id))
    }
}

impl Task {
    /// Every path the task may write, as the plan spells them: modified, created, deleted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        [&self.files_to_modify, &self.files_to_create, &self.files_to_delete].into_iter().flatten().map(String::as_str)
    }

    /// Whether the task may write this file, by whatever name of it.
    pub fn lists(&self, file: &str, keys: &FileKeys) -> bool {
        let Some(key) = keys.key_of(file) else { return false };
        self.files().any(|listed| keys.key_of(listed).is_some_and(|listed| listed == key))
    }
}

impl Complexity {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
        }
    }
}

impl Handoff for PlanOutput {
    const NAME: &'static str = "plan";
    const FILE: &'static str = "plan.json";
    const SERVER_FILLED: &'static [&'static str] = &["timestamp", "plan_version"];

    fn complete(mut value: Value, assume: &mut dyn FnMut(String, String)) -> Value {
        complete_tasks(&mut value, assume);
        let has_groups =
            value.get("parallel_groups").and_then(Value::as_array).is_some_and(|groups| !groups.is_empty());
        if !has_groups && let Some(groups) = groups_by_need(&value) {
            assume(
                "/parallel_groups".to_owned(),
                "\"parallel_groups\" is missing; the groups follow from what the tasks depend on and which files they share"
                    .to_owned(),
            );
            value["parallel_groups"] = Value::from(groups);
        }
        value
    }
}

/// Fills in what a task is known by where it is left out: its id, its title, and how hard it is.
fn complete_tasks(plan: &mut Value, assume: &mut dyn FnMut(String, String)) {
    let Some(tasks) = plan.get_mut("tasks").and_then(Value::as_array_mut) else { return };
    for (index, task) in tasks.iter_mut().enumerate() {
        let Some(task) = task.as_object_mut() else { continue };
        let said = |name: &str| task.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (title, description) = (said("title"), said("description"));
        let first_line = description.lines().next().unwrap_or_default().to_owned();
        let missing = [
            ("id", format!("T{}", index + 1)),
            ("title", first_line),
            ("description", title),
            ("estimated_complexity", Complexity::Moderate.as_str().to_owned()),
        ];
        for (name, taken) in missing {
            if task.get(name).is_none_or(Value::is_null) && !taken.is_empty() {
                assume(format!("/tasks/{index}"), format!("\"{name}\" is missing and was taken as {taken:?}"));
                task.insert(name.to_owned(), Value::from(taken));
            }
        }
    }
}

/// The groups of tasks that nobody grouped: each task after those that it depends on, and after those before it that have a
/// file of its own. `None` where the tasks cannot be told apart, or are too many.
fn groups_by_need(plan: &Value) -> Option<Vec<Vec<String>>> {
    let tasks = plan.get("tasks")?.as_array().filter(|tasks| !tasks.is_empty() && tasks.len() <= MAX_TASKS)?;
    let texts = |task: &Value, list: &str| -> Vec<String> {
        let items = task.get(list).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let ids: Vec<String> =
        tasks.iter().map(|task| task.get("id")?.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    let files: Vec<BTreeSet<String>> =
        tasks.iter().map(|task| FILE_LISTS.iter().flat_map(|list| texts(task, list)).collect()).collect();
    let mut groups = vec![0_usize; tasks.len()];
    let after: Vec<Vec<usize>> = (0..tasks.len())
        .map(|at| {
            let needed = texts(&tasks[at], "depends_on");
            let is_before =
                |other: &usize| needed.contains(&ids[*other]) || *other < at && !files[*other].is_disjoint(&files[at]);
            (0..tasks.len()).filter(|other| *other != at).filter(is_before).collect()
        })
        .collect();
    // As many steps as there are tasks reach the last of a chain; a circle, which is a fault of its own, ends there too.
    for _ in 0..tasks.len() {
        let next: Vec<usize> =
            after.iter().map(|before| before.iter().map(|other| groups[*other] + 1).max().unwrap_or(0)).collect();
        if next == groups {
            break;
        }
        groups = next;
    }
    let last = groups.iter().copied().max()?;
    let members = |group: usize| ids.iter().zip(&groups).filter(move |(_, of)| **of == group).map(|(id, _)| id.clone());
    Some((0..=last).map(|group| members(group).collect::<Vec<_>>()).filter(|group| !group.is_empty()).collect())
}

/// The lists of a task's files.
const FILE_LISTS: [&str; 3] = ["files_to_modify", "files_to_create", "files_to_delete"];

fn first_version() -> u32 {
    1
}

fn version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(first_version))
}

/// A plan of these tasks, each with the files it modifies, one group a task.
#[cfg(test)]
pub(super) fn fixture(tasks: &[(&str, &[&str])]) -> PlanOutput {
    use serde_json::json;

    let task = |(id, files): &(&str, &[&str])| json!({ "id": id, "title": id, "description": id, "files_to_modify": files, "estimated_complexity": "simple" });
    let tasks_json: Vec<Value> = tasks.iter().map(task).collect();
    let groups: Vec<[&str; 1]> = tasks.iter().map(|(id, _)| [*id]).collect();
    serde_json::from_value(json!({ "approach_summary": "a", "tasks": tasks_json, "parallel_groups": groups })).unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contracts::{PlanStage, check_plan, read_noted};

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn the_owner_of_a_file_is_the_last_approved_task_that_lists_it() {
        let plan = fixture(&[("T1", &["a.rs"]), ("T2", &["b.rs"]), ("T3", &["./a.rs"])]);
        let owner = |file: &str, keys: &FileKeys, approved: &[&str]| {
            plan.owner_of(file, keys, &ids(approved)).map(|task| task.id.clone())
        };
        let exact = FileKeys::default();
        assert_eq!(owner("a.rs", &exact, &["T1", "T2", "T3"]).as_deref(), Some("T3"));
        assert_eq!(owner("a.rs", &exact, &["T2", "T1"]).as_deref(), Some("T1"), "T3 was not approved");
        assert_eq!(owner("a.rs", &exact, &["T2"]), None);
        assert_eq!(owner("A.rs", &exact, &["T1"]), None);
        assert_eq!(owner("A.rs", &FileKeys::of_disk(true), &["T1"]).as_deref(), Some("T1"));
        assert_eq!(owner("../a.rs", &exact, &["T1", "T2", "T3"]), None, "no file of the workspace has an owner");
    }

    #[test]
    fn an_issue_belongs_to_the_approved_task_it_names_else_to_the_owner_of_its_file() {
        let plan = fixture(&[("T1", &["a.rs"]), ("T2", &["b.rs"])]);
        let task = |named: Option<&str>, approved: &[&str]| {
            let issue = json!({ "severity": "minor", "file": "a.rs", "description": "d", "task_id": named });
            let issue: Issue = serde_json::from_value(issue).unwrap();
            plan.task_of(&issue, &FileKeys::default(), &ids(approved)).map(|task| task.id.clone())
        };
        assert_eq!(task(None, &["T1", "T2"]).as_deref(), Some("T1"));
        assert_eq!(task(Some("T2"), &["T1", "T2"]).as_deref(), Some("T2"));
        assert_eq!(task(Some("T2"), &["T1"]).as_deref(), Some("T1"), "T2 was not approved");
        assert_eq!(task(Some("T9"), &["T1", "T9"]).as_deref(), Some("T1"), "there is no T9");
        assert_eq!(task(Some("T2"), &[]), None);
    }

    #[test]
    fn what_another_tool_left_out_of_a_plan_follows_from_the_rest() {
        let task = |id: Option<&str>, files: &[&str], after: &[&str]| json!({ "id": id, "title": "t", "description": "d", "files_to_modify": files, "depends_on": after });
        let plan = json!({ "approach_summary": "a", "tasks": [
            task(None, &["a"], &["T4"]), task(Some("T2"), &["b"], &[]), task(Some("T3"), &["b", "c"], &[]), task(Some("T4"), &["d"], &[]),
        ] });
        let (plan, assumed) = read_noted::<PlanOutput>(&plan.to_string()).unwrap();
        assert_eq!(plan.parallel_groups, [vec!["T2", "T4"], vec!["T1", "T3"]]);
        assert_eq!(plan.task("T1").map(|task| task.estimated_complexity), Some(Complexity::Moderate));
        let groups = assumed.iter().filter(|fault| fault.message.contains("parallel_groups")).count();
        assert_eq!((groups, assumed.len()), (1, 6), "{assumed:?}");
        assert!(check_plan(&plan, "{}", &FileKeys::default(), PlanStage::Begun).is_empty());

        // Tasks that wait for each other are a fault still.
        let circle = json!({ "approach_summary": "a", "tasks": [task(Some("T1"), &[], &["T2"]), task(Some("T2"), &[], &["T1"])] });
        let (circle, _) = read_noted::<PlanOutput>(&circle.to_string()).unwrap();
        let faults = check_plan(&circle, "{}", &FileKeys::default(), PlanStage::Begun);
        assert!(faults.iter().any(|fault| fault.code == "plan.cycle"), "{faults:?}");
        let nothing = read_noted::<PlanOutput>(r#"{ "approach_summary": "a", "tasks": [] }"#).unwrap_err();
        assert!(nothing[0].message.contains("parallel_groups"), "{nothing:?}");
    }

    #[test]
    fn a_complexity_is_called_as_in_the_json() {
        for complexity in [Complexity::Simple, Complexity::Moderate, Complexity::Complex] {
            assert_eq!(json!(complexity), complexity.as_str());
        }
    }
}
