use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanOutput;
use super::schema::{Handoff, lenient_timestamp, null_as_default};

/// A person's (or `approval = "auto"`'s) answer to one very plan. Void when the plan's bytes change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// SHA-256 of the bytes of plan.json that were answered, in hex.
    pub plan_sha256: String,
    /// Yes or no.
    pub decision: Decision,
    /// Who answered.
    pub by: ApprovedBy,
    /// The tasks that were approved; null for all.
    #[serde(default)]
    pub tasks: Option<Vec<String>>,
    /// When.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Its number among the answers given in this workspace: only the last one counts. Missing in an answer from before
    /// they were numbered, which counts until one with a number is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Message authentication code under the user's own key; an approval without a right one counts as absent.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub mac: String,
}

/// Yes or no to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Go on.
    Approved,
    /// Stop.
    Rejected,
}

/// Who answered at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApprovedBy {
    /// A person who saw the plan.
    Person,
    /// The setting or flag that approves by itself.
    Auto,
}

impl Approval {
    /// Whether the plan was rejected.
    pub fn is_rejected(&self) -> bool {
        self.decision == Decision::Rejected
    }

    /// Whether the answer covers the task of this id.
    pub fn covers(&self, task: &str) -> bool {
        self.tasks.as_ref().is_none_or(|tasks| tasks.iter().any(|id| id == task))
    }

    /// Ids of the plan's tasks that the answer covers, in plan order.
    pub fn task_ids(&self, plan: &PlanOutput) -> Vec<String> {
        plan.task_ids().filter(|id| self.covers(id)).map(str::to_owned).collect()
    }
}

impl Handoff for Approval {
    const NAME: &'static str = "approval";
    const FILE: &'static str = "approval.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(decision: &str, tasks: Value) -> Approval {
        serde_json::from_value(json!({ "plan_sha256": "00", "decision": decision, "by": "person", "tasks": tasks }))
            .unwrap()
    }

    #[test]
    fn an_answer_covers_the_tasks_it_names_in_plan_order_and_without_names_all() {
        let plan = crate::contracts::plan::fixture(&[("T1", &[]), ("T2", &[]), ("T3", &[])]);
        assert_eq!(answer("approved", Value::Null).task_ids(&plan), ["T1", "T2", "T3"]);
        let some = answer("approved", json!(["T3", "T9", "T1"]));
        assert_eq!(some.task_ids(&plan), ["T1", "T3"]);
        assert!(some.covers("T3") && !some.covers("T2"));
        assert!(!some.is_rejected() && answer("rejected", Value::Null).is_rejected());
    }
}
