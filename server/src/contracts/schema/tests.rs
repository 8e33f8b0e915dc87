use serde_json::Value;

use super::*;
use crate::contracts::{BaseReview, ContextOutput, Findings, PlanOutput, ReviewOutput, TaskResult};

/// The properties in the order in which a strict tool has them written: what is required, then what is optional (`?`);
/// those of an object, or of a list's items, in brackets.
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

#[test]
fn a_model_writes_findings_before_the_verdict_and_reasons_before_the_decision() {
    const ISSUES: &str = "issues(file line description severity end_line? quote? suggested_fix? task_id?)";
    assert_eq!(
        written(&submit_schema::<ContextOutput>()),
        "task_description relevant_files(path summary relevance) dependencies(name version usage) existing_patterns \
         constraints files_in_scope files_out_of_scope"
    );
    assert_eq!(
        written(&submit_schema::<PlanOutput>()),
        "approach_summary risks tasks(id title description files_to_modify files_to_create files_to_delete depends_on \
         acceptance_criteria estimated_complexity) parallel_groups"
    );
    assert_eq!(written(&submit_schema::<TaskResult>()), "changes(path summary) notes blockers status");
    assert_eq!(written(&submit_schema::<Findings>()), format!("{ISSUES} summary"));
    let review = format!(
        "answers(id state) {ISSUES} criteria(task_id criterion evidence(check? file? line? quote?) state) drift_details \
         plan_drift_detected summary verdict recommended_action"
    );
    assert_eq!(written(&submit_schema::<ReviewOutput>()), review);
    assert_eq!(written(&submit_schema::<BaseReview>()), review);
    let evidence = &submit_schema::<ReviewOutput>()["properties"]["criteria"]["items"]["properties"]["evidence"];
    assert_eq!(evidence["type"], serde_json::json!(["object", "null"]), "there may be none");
}

#[test]
fn what_a_model_leaves_out_is_taken_all_the_same() {
    let result: TaskResult = parse(serde_json::json!({ "status": "completed" })).unwrap();
    assert!(result.changes.is_empty() && result.notes.is_empty() && result.blockers.is_empty());
}
