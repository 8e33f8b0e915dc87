use super::phase_names::{CONTEXT, IMPLEMENT, PLAN};
use crate::contracts::PhaseName;

/// What a start asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Take the workflow from wherever the memory stands to its outcome.
    Go {
        /// The task in the user's words; without one the workflow at hand goes on.
        task: Option<String>,
        /// Set the workflow at hand aside first.
        reset: bool,
        /// Of the plan's tasks, implement only these.
        only: Option<Vec<String>>,
        /// Begin a quick workflow: context and plan are made in one conversation.
        quick: bool,
    },
    /// Run this one phase, even if its output exists.
    Phase {
        /// The phase.
        phase: PhaseName,
        /// The task in the user's words; without one that of the workflow at hand.
        task: Option<String>,
        /// Set the workflow at hand aside first.
        reset: bool,
    },
    /// Do these tasks of the plan again, and end; the results of the others stay.
    Tasks {
        /// Their ids.
        ids: Vec<String>,
        /// The task in the user's words; without one that of the workflow at hand.
        task: Option<String>,
    },
    /// Plan again, answering to these words, and end.
    Revise {
        /// What should be different.
        feedback: String,
    },
    /// Fix exactly these issues of the review in a round of their own, and end with its review: also when the workflow
    /// is finished or waits for a person. Issues of the review against a commit are the task of a workflow of their own.
    Fix {
        /// Their ids.
        issues: Vec<String>,
    },
    /// Run the checks that have not run on the work as it stands, and end: also when the workflow is finished or waits for a
    /// person. Its review stays as it is.
    Checks,
    /// Dismiss every open issue of the review and end as merged, for a workflow that was reviewed and not approved.
    Accept {
        /// Why, in the user's words.
        because: Option<String>,
    },
    /// Review the working tree against this commit, with no plan and no edits, whatever state a workflow is in.
    ReviewAgainst {
        /// A branch, a tag or a commit.
        base: String,
    },
}

/// A start: what it asks for, and how its run goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub goal: Goal,
    /// Answer every gate of this run with yes, except for plans with protected files.
    pub auto_approve: bool,
}

impl Default for Goal {
    /// The workflow at hand goes on.
    fn default() -> Self {
        Self::Go { task: None, reset: false, only: None, quick: false }
    }
}

impl From<Goal> for Request {
    fn from(goal: Goal) -> Self {
        Self { goal, auto_approve: false }
    }
}

impl Goal {
    /// Take this task to its outcome.
    pub fn of_task(task: impl Into<String>) -> Self {
        Self::Go { task: Some(task.into()), reset: false, only: None, quick: false }
    }

    /// The task in the user's words, where the start brings one.
    pub fn task(&self) -> Option<&str> {
        match self {
            Self::Go { task, .. } | Self::Phase { task, .. } | Self::Tasks { task, .. } => task.as_deref(),
            Self::Revise { .. }
            | Self::Fix { .. }
            | Self::Checks
            | Self::Accept { .. }
            | Self::ReviewAgainst { .. } => None,
        }
    }

    /// Whether the workflow at hand is set aside first.
    pub fn resets(&self) -> bool {
        matches!(self, Self::Go { reset: true, .. } | Self::Phase { reset: true, .. })
    }

    /// Whether something new begins, for which nothing was allowed yet.
    pub fn is_new(&self) -> bool {
        self.task().is_some() || self.resets()
    }

    /// Whether nothing but a task can begin it, where there is no workflow yet.
    pub fn begins_with_task(&self) -> bool {
        matches!(self, Self::Go { .. } | Self::Phase { phase: CONTEXT, .. })
    }

    /// The phase that the run ends after, whatever comes next.
    pub fn last_phase(&self) -> Option<PhaseName> {
        match self {
            Self::Phase { phase, .. } => Some(*phase),
            Self::Tasks { .. } | Self::Checks => Some(IMPLEMENT),
            Self::Revise { .. } => Some(PLAN),
            Self::Go { .. } | Self::Fix { .. } | Self::Accept { .. } | Self::ReviewAgainst { .. } => None,
        }
    }

    /// The only tasks that an approval in the run is for; `None` for all.
    pub fn only(&self) -> Option<&[String]> {
        match self {
            Self::Go { only, .. } => only.as_deref(),
            Self::Tasks { ids, .. } => Some(ids),
            _ => None,
        }
    }

    /// What is asked for to go on with a run that began so and did not come to its end.
    pub fn resumed(&self) -> Self {
        match self {
            Self::Revise { .. } => Self::Phase { phase: PLAN, task: None, reset: false },
            // The implement phase, named again, would do again what is done; the workflow goes on with the rest.
            Self::Phase { phase, .. } if *phase != IMPLEMENT => Self::Phase { phase: *phase, task: None, reset: false },
            Self::ReviewAgainst { .. } | Self::Checks => self.clone(),
            Self::Go { .. } | Self::Phase { .. } | Self::Tasks { .. } | Self::Fix { .. } | Self::Accept { .. } => {
                Self::default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::REVIEW;

    fn phase(phase: PhaseName) -> Goal {
        Goal::Phase { phase, task: Some("t".to_owned()), reset: true }
    }

    #[test]
    fn a_run_that_did_not_end_goes_on_without_doing_again_what_is_done() {
        let named = |phase| Goal::Phase { phase, task: None, reset: false };
        assert_eq!(Goal::of_task("t").resumed(), Goal::default());
        assert_eq!(phase(CONTEXT).resumed(), named(CONTEXT));
        assert_eq!(phase(IMPLEMENT).resumed(), Goal::default());
        assert_eq!(Goal::Tasks { ids: vec!["T1".to_owned()], task: None }.resumed(), Goal::default());
        assert_eq!(Goal::Revise { feedback: "f".to_owned() }.resumed(), named(PLAN));
        assert_eq!(Goal::Fix { issues: vec!["i1".to_owned()] }.resumed(), Goal::default());
        assert_eq!(Goal::Accept { because: None }.resumed(), Goal::default());
        assert_eq!(Goal::Checks.resumed(), Goal::Checks);
        let against = Goal::ReviewAgainst { base: "main".to_owned() };
        assert_eq!(against.resumed(), against);
    }

    #[test]
    fn a_goal_says_where_its_run_ends_and_whether_it_is_new() {
        assert_eq!(Goal::default().last_phase(), None);
        assert_eq!(Goal::Tasks { ids: Vec::new(), task: None }.last_phase(), Some(IMPLEMENT));
        assert_eq!(Goal::Revise { feedback: String::new() }.last_phase(), Some(PLAN));
        assert_eq!(Goal::Checks.last_phase(), Some(IMPLEMENT));
        assert_eq!(phase(REVIEW).last_phase(), Some(REVIEW));
        assert!(Goal::of_task("t").is_new() && phase(CONTEXT).resets() && !Goal::default().is_new());
        assert!(Goal::default().begins_with_task() && phase(CONTEXT).begins_with_task());
        assert!(!phase(PLAN).begins_with_task());
    }
}
