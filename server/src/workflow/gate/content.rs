//! What the gate shows of a plan, made here alone: for the live gate, for the status and for plan.md.

use serde::Serialize;

use crate::config::Settings;
use crate::contracts::{Estimate, FlaggedFile, GateFacts, PlanOutput, ProtectedFile, RepoPath, Usage, plan_markdown};
use crate::memory::{LoadedPlan, Memory, MemoryError, Store};
use crate::models::{Models, Tier};
use crate::workflow::decide::costs::{Spent, estimate};
use crate::workflow::decide::phase::Phases;
use crate::workspace::{GitFolders, Protection, Workspace, flag, in_git_folder, protection};

/// What every face shows of a plan that waits for an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateContent {
    /// SHA-256 of plan.json's bytes, in hex: what an approval binds to.
    pub plan_sha256: String,
    /// The plan for people, with all of what follows: what plan.md holds.
    pub markdown: String,
    /// Protected files the plan would write: only a person can approve those, and some are never written.
    pub protected: Vec<ProtectedFile>,
    /// Files to look at twice.
    pub flagged: Vec<FlaggedFile>,
    /// What only the user can decide.
    pub questions: Vec<String>,
    /// What implementing and reviewing may cost from now on.
    pub estimate: Estimate,
    /// The models that would do it; none where none is set up.
    pub models: Vec<TierModel>,
    /// The checks that would run.
    pub checks: Vec<GateCheck>,
    /// What a person should know of how the plan came here: what counts as absent, what was done elsewhere.
    pub warnings: Vec<String>,
}

/// The model of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierModel {
    /// `fast`, `balanced` or `powerful`.
    pub tier: &'static str,
    /// `provider:name`.
    pub model: String,
    /// Whose model it is and on whose account.
    pub account: String,
}

/// A check of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateCheck {
    /// Its name.
    pub name: String,
    /// Its command.
    pub command: String,
    /// Whether the user said that it may run.
    pub trusted: bool,
}

/// What a gate's content comes from, beside the memory.
#[derive(Clone, Copy)]
pub struct GateSources<'a> {
    /// The memory folder, in its workspace.
    pub store: &'a Store,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The models, where there are any.
    pub models: Option<&'a Models>,
    /// What the workflow has used so far.
    pub usage: Usage,
    /// The phases there are.
    pub phases: &'a Phases,
}

impl GateSources<'_> {
    /// What the gate shows of this plan.
    pub(crate) fn content(&self, memory: &Memory, loaded: &LoadedPlan) -> GateContent {
        let plan = &loaded.plan;
        let estimate = self.estimate(memory, plan);
        let facts = GateFacts { estimate: Some(estimate), ..self.facts(plan) };
        let markdown = plan_markdown(plan, &memory.task_text(), &facts);
        let GateFacts { protected, flagged, questions, .. } = facts;
        let models = self.models.map(tier_models).unwrap_or_default();
        let plan_sha256 = loaded.sha256.clone();
        // Whoever shows the gate knows them; plan.md has none.
        let (checks, warnings) = (Vec::new(), Vec::new());
        GateContent { plan_sha256, markdown, protected, flagged, questions, estimate, models, checks, warnings }
    }

    /// The text of plan.md: with the estimate as long as the plan waits for an answer.
    pub(crate) fn plan_markdown(&self, memory: &Memory, loaded: &LoadedPlan) -> String {
        if memory.approval.is_none() {
            return self.content(memory, loaded).markdown;
        }
        plan_markdown(&loaded.plan, &memory.task_text(), &self.facts(&loaded.plan))
    }

    /// Bring plan.md up to date with plan.json, whoever wrote that.
    pub(crate) fn refresh_plan_markdown(&self) -> Result<(), MemoryError> {
        let (memory, _faults) = self.store.inspect()?;
        match &memory.plan {
            Some(loaded) => self.store.refresh_plan_markdown(&self.plan_markdown(&memory, loaded)),
            None => Ok(()),
        }
    }

    fn facts(&self, plan: &PlanOutput) -> GateFacts {
        let memory_dir = self.store.path();
        let workspace = self.store.workspace();
        let git_folders = git_folders(workspace, plan);
        // As the staging area judges, which refuses them whoever approved.
        let is_never = |path: &RepoPath| {
            protection(path, memory_dir) == Protection::Never
                || git_folders.contain(path)
                || in_git_folder(workspace, path)
        };
        let never = touched(plan, is_never);
        let protected = touched(plan, |path| protection(path, memory_dir) != Protection::None || is_never(path));
        let flagged = touched(plan, |path| flag(path).is_some());
        let reason = |path: &str| RepoPath::parse(path).ok().and_then(|path| flag(&path)).map_or("", |row| row.why);
        GateFacts {
            protected: protected
                .into_iter()
                .map(|file| (never.contains(&file), file))
                .map(|(never, (path, task))| ProtectedFile { path, task, never })
                .collect(),
            flagged: flagged
                .into_iter()
                .map(|(path, task)| FlaggedFile { reason: reason(&path).to_owned(), path, task })
                .collect(),
            questions: Vec::new(),
            estimate: None,
        }
    }

    fn estimate(&self, memory: &Memory, plan: &PlanOutput) -> Estimate {
        let spent = Spent { usage: self.usage, settings: self.settings };
        estimate(self.phases, plan, memory, self.models, self.store.workspace(), &spent)
    }
}

/// Have a plan.md that shows the plan as it is. Answers with its path, relative to the workspace root; `None` without
/// one. Of a plan that breaks its contract, plan.md shows what it was before.
///
/// # Errors
/// When the plan cannot be read or plan.md not be written.
pub fn show_plan(sources: &GateSources<'_>) -> Result<Option<String>, MemoryError> {
    sources.refresh_plan_markdown()?;
    Ok(sources.store.plan_markdown_file())
}

/// Folders that are repositories, or would be with all that the plan writes in them: one task might write what another
/// began.
pub(crate) fn git_folders(workspace: &Workspace, plan: &PlanOutput) -> GitFolders {
    let files = plan.tasks.iter().flat_map(|task| task.files_to_modify.iter().chain(&task.files_to_create));
    let paths: Vec<RepoPath> = files.filter_map(|file| RepoPath::parse(file).ok()).collect();
    GitFolders::of(workspace, &paths)
}

/// The files of a plan that are wanted, each with its task, sorted by path.
fn touched(plan: &PlanOutput, wanted: impl Fn(&RepoPath) -> bool) -> Vec<(String, String)> {
    let mut touched: Vec<(String, String)> = Vec::new();
    for task in &plan.tasks {
        let paths = task.files().filter_map(|file| RepoPath::parse(file).ok()).filter(|path| wanted(path));
        touched.extend(paths.map(|path| (path.to_string(), task.id.clone())));
    }
    touched.sort();
    touched.dedup();
    touched
}

fn tier_models(models: &Models) -> Vec<TierModel> {
    let of_tier = |tier: Tier| {
        let model = models.for_tier(tier);
        TierModel { tier: tier.as_str(), model: model.id().to_owned(), account: model.account() }
    };
    [Tier::Fast, Tier::Balanced, Tier::Powerful].map(of_tier).into()
}
