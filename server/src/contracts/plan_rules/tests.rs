use serde_json::{Value, json};

use super::*;

/// Its id, and what it modifies, creates and deletes.
type Files<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

/// A plan of one task a group.
fn plan(tasks: &[Files<'_>]) -> (PlanOutput, String) {
    let task = |(id, modifies, creates, deletes): &Files<'_>| {
        json!({
            "id": id, "title": id, "description": id, "files_to_modify": modifies, "files_to_create": creates,
            "files_to_delete": deletes, "depends_on": [], "acceptance_criteria": ["c"], "estimated_complexity": "simple",
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
    let faults = check_plan(&plan, &text, keys, PlanStage::Proposed(&path_kind));
    faults.iter().map(|fault| format!("{} {}", fault.code, fault.pointer)).collect()
}

#[test]
fn names_that_differ_in_case_are_two_files_or_one_as_the_disk_has_it() {
    let (exact, folding) = (FileKeys::default(), FileKeys::of_disk(true));
    let (mut plan, _) = plan(&[("T1", &["Foo.py"], &[], &[]), ("T2", &["foo.py"], &[], &[])]);
    plan.parallel_groups = vec![vec!["T1".to_owned(), "T2".to_owned()]];
    let text = serde_json::to_string(&plan).unwrap();
    assert!(check_plan(&plan, &text, &exact, PlanStage::Proposed(&path_kind)).is_empty());
    let found = check_plan(&plan, &text, &folding, PlanStage::Proposed(&path_kind));
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
    let found: Vec<_> =
        check_plan(&plan, &text, &exact, PlanStage::Proposed(&path_kind)).iter().map(|fault| fault.code).collect();
    assert_eq!(found, ["plan.overlap", "plan.path"], "in one group nobody knows which comes first");
}

#[test]
fn a_new_file_is_not_there_yet_unless_it_goes_first() {
    let (exact, folding) = (FileKeys::default(), FileKeys::of_disk(true));
    let first = ["plan.path /tasks/0/files_to_create/0"];
    assert_eq!(faults(&exact, &[("T1", &[], &["conf"], &[])]), first);
    assert_eq!(faults(&exact, &[("T1", &["conf"], &["conf"], &[])]), first, "one task cannot say both");
    assert!(faults(&exact, &[("T1", &[], &[], &["conf"]), ("T2", &[], &["conf"], &[])]).is_empty());
    assert_eq!(faults(&exact, &[("T1", &[], &["conf"], &[]), ("T2", &[], &[], &["conf"])]), first, "it goes too late");
    assert!(faults(&folding, &[("T1", &[], &["foo.py"], &["Foo.py"])]).is_empty(), "its name changes its case");
    assert!(faults(&exact, &[("T1", &[], &["new"], &[]), ("T2", &[], &["new"], &[])]).is_empty());
}

#[test]
fn a_task_that_nobody_can_call_done_is_a_fault_at_its_criteria() {
    let (mut plan, _) = plan(&[("T1", &["conf"], &[], &[]), ("T2", &["Foo.py"], &[], &[])]);
    let found = |plan: &PlanOutput, stage: PlanStage<'_>| -> Vec<String> {
        let text = serde_json::to_string_pretty(plan).unwrap();
        let faults = check_plan(plan, &text, &FileKeys::default(), stage);
        faults.iter().map(|fault| format!("{fault} {}", fault.pointer)).collect()
    };
    assert!(found(&plan, PlanStage::Proposed(&path_kind)).is_empty());
    plan.tasks[1].acceptance_criteria = vec![" ".to_owned()];
    let said = "30:30: T2 has no acceptance criteria; say in at least one sentence what must be true of the result \
                [schema] /tasks/1/acceptance_criteria";
    assert_eq!(found(&plan, PlanStage::Proposed(&path_kind)), [said]);
    plan.tasks[1].acceptance_criteria.clear();
    assert_eq!(found(&plan, PlanStage::Proposed(&path_kind)).len(), 1);
    assert!(found(&plan, PlanStage::Approved(&path_kind)).is_empty(), "what was approved stays approved");
}

#[test]
fn an_answer_that_was_given_stands() {
    let (plan, text) = plan(&[("T1", &["gone"], &["conf"], &[])]);
    let codes = |stage: PlanStage<'_>| -> Vec<&str> {
        check_plan(&plan, &text, &FileKeys::default(), stage).iter().map(|fault| fault.code).collect()
    };
    assert_eq!(codes(PlanStage::Proposed(&path_kind)), ["plan.missing-file", "plan.path"]);
    assert_eq!(codes(PlanStage::Approved(&path_kind)), ["plan.missing-file"]);
    assert!(codes(PlanStage::Begun).is_empty());
}
