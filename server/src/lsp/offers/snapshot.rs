//! A snapshot of a workspace folder: what code actions, lenses and hover are made from.

use jiff::Timestamp;
use tower_lsp::lsp_types::Url;

use crate::config::Settings;
use crate::contracts::{CriterionResult, Handoff, PlanOutput, RepoPath, ReviewOutput};
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::memory::{Memory, MemoryError, PLAN_MARKDOWN, Store};
use crate::workflow::{Next, Phases, Policy, WaitingChecks, next_phase, standing_criteria, waiting_checks};

/// Offers are a function of this and the text of a document.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The folder's URI, where several are open and a command must say which one it is for.
    pub(crate) folder_uri: Option<Url>,
    /// Its memory, without handoffs that have faults.
    pub(crate) memory: Memory,
    /// What the standing review says of the acceptance criteria.
    pub(crate) criteria: Vec<CriterionResult>,
    /// The next phase.
    pub(crate) next: Next,
    /// The active run, of this or another process.
    pub(crate) active_run: Option<String>,
    /// The memory folder, relative to the workspace root.
    pub(crate) memory_dir: Option<RepoPath>,
    /// What a person has still to say of the checks, where a plan waits.
    pub(crate) checks: WaitingChecks,
}

impl Snapshot {
    /// A folder without a memory.
    pub(crate) fn empty() -> Self {
        Self {
            folder_uri: None,
            memory: Memory::default(),
            criteria: Vec::new(),
            next: Next::NeedTask,
            active_run: None,
            memory_dir: None,
            checks: WaitingChecks::default(),
        }
    }

    /// Read a folder now.
    ///
    /// # Errors
    /// When its memory cannot be read.
    pub(crate) fn of(files: &Files) -> Result<Self, Refused> {
        match files.memory()? {
            Some(store) => Ok(Self::read(&store, &files.settings, &files.phases, Timestamp::now())?),
            None => Ok(Self::empty()),
        }
    }

    /// Read a folder's memory.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub(crate) fn read(
        store: &Store,
        settings: &Settings,
        phases: &Phases,
        now: Timestamp,
    ) -> Result<Self, MemoryError> {
        // Faults are diagnostics; faulty handoffs get no offers.
        let (memory, _faults) = store.inspect()?;
        let next = next_phase(&memory, &Policy::of(settings, phases), now);
        let active_run = store.holder().map(|holder| holder.run);
        let criteria = standing_criteria(&memory, store);
        let checks = match next {
            Next::Gate => waiting_checks(store, settings),
            _ => WaitingChecks::default(),
        };
        let memory_dir = Some(store.path().clone());
        Ok(Self { folder_uri: None, memory, criteria, next, active_run, memory_dir, checks })
    }

    /// The same, with commands that name the folder.
    pub(crate) fn with_folder_uri(self, folder_uri: Option<Url>) -> Self {
        Self { folder_uri, ..self }
    }

    /// Whether a file, relative to the workspace root, is this handoff.
    pub(crate) fn is_handoff<T: Handoff>(&self, file: &RepoPath) -> bool {
        let in_memory = self.memory_dir.as_ref().is_some_and(|memory| file.parent().as_ref() == Some(memory));
        in_memory && file.file_name() == T::FILE
    }

    /// Whether a file is plan.json.
    pub(crate) fn is_plan(&self, file: &RepoPath) -> bool {
        self.is_handoff::<PlanOutput>(file)
    }

    /// Whether a file is plan.md.
    pub(crate) fn is_plan_markdown(&self, file: &RepoPath) -> bool {
        let in_memory = self.memory_dir.as_ref().is_some_and(|memory| file.parent().as_ref() == Some(memory));
        in_memory && file.file_name() == PLAN_MARKDOWN
    }

    /// Whether a file is review.json.
    pub(crate) fn is_review(&self, file: &RepoPath) -> bool {
        self.is_handoff::<ReviewOutput>(file)
    }

    /// Whether a file lies in the memory folder.
    pub(crate) fn is_memory(&self, file: &RepoPath) -> bool {
        let Some(memory) = &self.memory_dir else { return false };
        let mut parts = file.components();
        memory.components().all(|part| parts.next() == Some(part))
    }

    /// Why no run can start now; `None` when one can.
    pub(crate) fn busy(&self) -> Option<String> {
        let run = self.active_run.as_ref()?;
        Some(match self.next {
            Next::Gate => format!("run {run} waits for an answer to its plan; approve or reject that first"),
            _ => format!("run {run} is at work; wait for its end, or cancel it"),
        })
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    use serde_json::{Value, json};

    use super::*;
    use crate::contracts::{ApprovedBy, Decision, Issue};
    use crate::memory::LoadedPlan;

    /// A workflow with a plan of T1 and T2, which depends on T1, and whatever else these say.
    pub(crate) fn snapshot(next: Next, change: impl FnOnce(&mut Memory)) -> Snapshot {
        let mut memory = Memory {
            task: Some("Greet".to_owned()),
            plan: Some(LoadedPlan { plan: plan(), sha256: "00".to_owned() }),
            begun: true,
            ..Memory::default()
        };
        change(&mut memory);
        let memory_dir = RepoPath::parse(".agent_memory").ok();
        Snapshot { memory, next, memory_dir, ..Snapshot::empty() }
    }

    pub(crate) fn plan() -> PlanOutput {
        let task = |id: &str, file: &str, depends_on: &[&str]| {
            json!({
                "id": id, "title": format!("Title of {id}"), "description": "d", "files_to_modify": [file],
                "depends_on": depends_on, "acceptance_criteria": ["It *greets*."], "estimated_complexity": "simple"
            })
        };
        let plan = json!({
            "plan_version": 1, "approach_summary": "a", "parallel_groups": [["T1"], ["T2"]],
            "tasks": [task("T1", "src/lib.rs", &[]), task("T2", "src/main.rs", &["T1"])],
        });
        serde_json::from_value(plan).unwrap()
    }

    pub(crate) fn plan_text() -> String {
        serde_json::to_string_pretty(&plan()).unwrap()
    }

    pub(crate) fn approve(memory: &mut Memory) {
        memory.approval = Some(crate::contracts::Approval {
            plan_sha256: "00".to_owned(),
            decision: Decision::Approved,
            by: ApprovedBy::Person,
            tasks: None,
            at: None,
            n: None,
            mac: String::new(),
        });
    }

    pub(crate) fn report(memory: &mut Memory, tasks: &[&str]) {
        let results: Vec<Value> = tasks.iter().map(|task| json!({ "task_id": task, "status": "completed" })).collect();
        memory.report = serde_json::from_value(json!({ "round": 1, "results": results })).unwrap();
    }

    pub(crate) fn issue(id: &str, file: &str, line: u32) -> Issue {
        let issue = json!({
            "severity": "major", "file": file, "line": line, "description": format!("What {id} says."), "id": id
        });
        serde_json::from_value(issue).unwrap()
    }

    pub(crate) fn review(memory: &mut Memory, action: &str, issues: Vec<Issue>) {
        let review = json!({
            "round": 1, "verdict": "changes_requested", "summary": "s", "issues": issues, "recommended_action": action
        });
        memory.review = serde_json::from_value(review).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::snapshot;
    use super::*;

    #[test]
    fn files_of_the_memory_folder_are_known_by_their_place() {
        let snapshot = snapshot(Next::Gate, |_| ());
        let path = |path: &str| RepoPath::parse(path).unwrap();
        assert!(snapshot.is_plan(&path(".agent_memory/plan.json")));
        assert!(snapshot.is_review(&path(".agent_memory/review.json")));
        assert!(!snapshot.is_plan(&path("plan.json")) && !snapshot.is_plan(&path(".agent_memory/history/1/plan.json")));
        assert!(snapshot.is_memory(&path(".agent_memory/history/1/plan.json")));
        assert!(!snapshot.is_memory(&path("src/.agent_memory/x")) && !snapshot.is_memory(&path(".agent_memory2/x")));
    }
}
