//! The tools of an agent as data, so that it can work elsewhere, on a copy of the workspace.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::check_runner::{CheckRunner, OfferedCheck};
use super::toolbox::{About, Role, Toolbox};
use crate::contracts::RepoPath;
use crate::workspace::{Staging, Workspace, Writable};

/// The tools of an agent as data. What it has read and edited is not part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PortableTools {
    /// The words of its task, for maps.
    task: String,
    /// What it works on.
    role: PortableRole,
}

/// Files, each with its diff.
type Diffs = Vec<(RepoPath, String)>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PortableRole {
    Nothing,
    Reader,
    Reviewer { diffs: Diffs, since_review: Option<Diffs> },
    Implementer { task: String, writable: Writable, checks: Vec<OfferedCheck>, tries: u32 },
}

impl Toolbox {
    /// The tools as data, with each text that a model is shown masked.
    pub fn portable(&self, masked: &dyn Fn(&str) -> String) -> PortableTools {
        let diffs = |diffs: &[(RepoPath, String)]| -> Diffs {
            diffs.iter().map(|(path, diff)| (path.clone(), masked(diff))).collect()
        };
        let role = match self.role() {
            Role::Nothing => PortableRole::Nothing,
            Role::Reader => PortableRole::Reader,
            Role::Reviewer { .. } => PortableRole::Reviewer {
                diffs: diffs(self.diffs()),
                since_review: self.diffs_since_review().map(diffs),
            },
            Role::Implementer(_) => {
                let (task, writable) = self
                    .staging()
                    .map(|staging| (staging.task().to_owned(), staging.writable().clone()))
                    .unwrap_or_default();
                let (checks, tries) = self.checks().map(|checks| checks.offered()).unwrap_or_default();
                PortableRole::Implementer { task, writable, checks, tries }
            }
        };
        PortableTools { task: masked(&self.about.task), role }
    }

    /// The edits of an agent that works on a task.
    pub fn shared_staging(&self) -> Option<Arc<Mutex<Staging>>> {
        match self.role() {
            Role::Implementer(staging) => Some(Arc::clone(staging)),
            Role::Nothing | Role::Reader | Role::Reviewer { .. } => None,
        }
    }
}

impl PortableTools {
    /// Whether its agent is shown files of the workspace.
    pub fn needs_files(&self) -> bool {
        !matches!(self.role, PortableRole::Nothing)
    }

    /// The checks that its agent may try, and how many tries are left.
    pub fn checks(&self) -> (&[OfferedCheck], u32) {
        match &self.role {
            PortableRole::Implementer { checks, tries, .. } => (checks, *tries),
            PortableRole::Nothing | PortableRole::Reader | PortableRole::Reviewer { .. } => (&[], 0),
        }
    }

    /// The tools, on a copy of the workspace.
    pub fn toolbox(&self, workspace: Workspace, memory_dir: RepoPath, checks: Option<Arc<dyn CheckRunner>>) -> Toolbox {
        let toolbox = match &self.role {
            PortableRole::Nothing => Toolbox::none(workspace, memory_dir),
            PortableRole::Reader => Toolbox::reader(workspace, memory_dir),
            PortableRole::Reviewer { diffs, since_review } => {
                Toolbox::reviewer(workspace, memory_dir, diffs.clone()).since_review(since_review.clone())
            }
            PortableRole::Implementer { task, writable, .. } => {
                let staging = Staging::new(workspace.clone(), task.clone(), writable.clone(), memory_dir.clone());
                Toolbox::implementer(workspace, memory_dir, Arc::new(Mutex::new(staging))).with_checks(checks)
            }
        };
        toolbox.about(About { task: self.task.clone(), is_copy: true, ..About::default() })
    }
}
