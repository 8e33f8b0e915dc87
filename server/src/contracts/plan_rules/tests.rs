use serde_json::{Value, json};

use super::*;

/// Its id, and what it modifies, creates and deletes.
type Files<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

/// A plan of one task a group.
fn plan(tasks: &[Files<'_>]) -> (PlanOutput, String) {
    let task = |(id, modifies, creates, deletes): &Files<'_>| {
        json!({
            "id": id, "title": id, "description": id, "files_to_modify": modifies, "files_to_create": creates,
            "files_to_delete": deletes, "depends_on": [], "acceptance_criteria": [], "estimated_complexity": "simple",
        })
    };
    let groups: Vec<Value> = tasks.iter().map(|(id, ..)| json!([id])).collect();
    let plan = json!({
        "plan_version": 1, "approach_summary": "a", "risks": [], "parallel_groups": groups,
        "tasks": tasks.iter().map(task).collect::<Vec<_>>(),
    });
    (serde_json::from_value(plan.clone()).unwrap(), plan.to_string())
}

fn path_kind(path: &RepoPath) -> PathKind {
    let above = |name: &str| PathKind::BelowFile(RepoPath::parse(name).unwrap());
    match path.as_str() {
        "conf" | "Foo.py" | "foo.py" | "folder/a" | "blank " => PathKind::File,
        "folder" => PathKind::Folder,
        "link" => PathKind::Unwritable("link is a link".to_owned()),
        path if path.starts_with("conf/") => above("conf"),
        _ => PathKind::Nothing,
    }
}

fn faults(keys: &FileKeys, tasks: &[Files<'_>]) -> Vec<String> {
    let (plan, text) = plan(tasks);
    let faults = check_plan(&plan, &text, keys, Some(&path_kind));
    faults.iter().map(|fault| format!("{} {}", fault.code, fault.pointer)).collect()
}

#[test]
fn names_that_differ_in_case_are_two_files_or_one_as_the_disk_has_it() {
    let (exact, folding) = (FileKeys::default(), FileKeys::of_disk(true));
    let (mut plan, _) = plan(&[("T1", &["Foo.py"], &[], &[]), ("T2", &["foo.py"], &[], &[])]);
    plan.parallel_groups = vec![vec!["T1".to_owned(), "T2".to_owned()]];
    let text = serde_json::to_string(&plan).unwrap();
    assert!(check_plan(&plan, &text, &exact, Some(&path_kind)).is_empty());
    let found = check_plan(&plan, &text, &folding, Some(&path_kind));
    assert_eq!((found.len(), found[0].code), (1, "plan.overlap"));
}

#[test]
fn what_can_never_be_written_is_a_fault_at_its_path() {
    let exact = FileKeys::default();
    assert_eq!(faults(&exact, &[("T1", &["link"], &[], &[])]), ["plan.path /tasks/0/files_to_modify/0"]);
    assert_eq!(faults(&exact, &[("T1", &[], &["link"], &[])]), ["plan.path /tasks/0/files_to_create/0"]);
    assert_eq!(faults(&exact, &[("T1", &[], &["folder"], &[])]), ["plan.path /tasks/0/files_to_create/0"]);
    assert_eq!(faults(&exact, &[("T1", &["folder"], &[], &[])]), ["plan.missing-file /tasks/0/files_to_modify/0"]);
    assert_eq!(faults(&exact, &[("T1", &[], &["conf/a"], &[])]), ["plan.path /tasks/0/files_to_create/0"]);
    assert_eq!(faults(&exact, &[("T1", &[], &["new", "new/a"], &[])]), ["plan.path /tasks/0/files_to_create/1"]);
    assert_eq!(faults(&exact, &[("T1", &[], &["slip "], &[])]), ["plan.path /tasks/0/files_to_create/0"]);
    assert!(faults(&exact, &[("T1", &["blank "], &[], &[])]).is_empty(), "one that is there is named as it is");
}

#[test]
fn a_file_may_give_way_to_a_folder_in_the_same_task_or_one_before() {
    let exact = FileKeys::default();
    assert!(faults(&exact, &[("T1", &[], &["conf/a"], &["conf"])]).is_empty());
    assert!(faults(&exact, &[("T1", &[], &[], &["conf"]), ("T2", &[], &["conf/a"], &[])]).is_empty());
    assert!(faults(&exact, &[("T1", &[], &["folder"], &["folder/a"])]).is_empty());
    let late = faults(&exact, &[("T1", &[], &["conf/a"], &[]), ("T2", &[], &[], &["conf"])]);
    assert_eq!(late, ["plan.path /tasks/0/files_to_create/0"]);
    let (mut plan, _) = plan(&[("T1", &[], &[], &["conf"]), ("T2", &[], &["conf/a"], &[])]);
    plan.parallel_groups = vec![vec!["T1".to_owned(), "T2".to_owned()]];
    let text = serde_json::to_string(&plan).unwrap();
    let found: Vec<_> = check_plan(&plan, &text, &exact, Some(&path_kind)).iter().map(|fault| fault.code).collect();
    assert_eq!(found, ["plan.overlap", "plan.path"], "in one group nobody knows which comes first");
}
