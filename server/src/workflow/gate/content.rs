//! What the gate shows of a plan, made here alone: for the live gate, for the status and for plan.md.

use std::collections::BTreeSet;

use super::checks::GateChecks;
use crate::config::Settings;
use crate::contracts::{
    Estimate, FlaggedFile, GateFacts, PlanChanges, PlanOutput, PlanResults, ProtectedFile, RepoPath, Task, TaskSize,
    Usage, plan_markdown, plan_markdown_with_results,
};
use crate::memory::{LoadedPlan, Memory, MemoryError, Store};
use crate::models::{Models, Tier};
use crate::workflow::run::costs::{Costs, Spent};
use crate::workflow::run::phase::{Phases, Run};
use crate::workflow::run::question::{GateContent, PreviousVersion, TierModel};
use crate::workspace::{GitFolders, Protection, Workspace, flag, in_git_folder, protection};

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

impl<'a> GateSources<'a> {
    /// Those of a run.
    pub(crate) fn of(run: &'a Run) -> Self {
        Self {
            store: &run.store,
            settings: &run.settings,
            models: run.models.as_ref().ok(),
            usage: run.context.budget.used_by_workflow(),
            phases: &run.policy.phases,
        }
    }
}

impl GateSources<'_> {
    /// What the gate shows of this plan.
    pub(crate) fn content(&self, memory: &Memory, loaded: &LoadedPlan) -> GateContent {
        let plan = &loaded.plan;
        let estimate = estimate(self, memory, plan);
        let previous = memory.previous_plan.as_ref();
        let changes = previous.map(|previous| PlanChanges::between(&previous.plan, plan));
        let facts = GateFacts { changes, estimate: Some(estimate), ..self.facts(plan) };
        let markdown = plan_markdown(plan, &memory.task_text(), &facts);
        let GateFacts { protected, flagged, questions, checks, offered_checks, .. } = facts;
        let models = self.models.map(tier_models).unwrap_or_default();
        let plan_sha256 = loaded.sha256.clone();
        // plan.md has none of these; the caller adds what it knows of the memory.
        let warnings = self.unsaved_warning(plan).into_iter().chain(quick_hint(memory)).collect();
        GateContent {
            plan_sha256,
            markdown,
            protected,
            flagged,
            questions,
            estimate,
            models,
            checks,
            offered_checks,
            warnings,
            previous: previous.map(|previous| PreviousVersion {
                plan_version: previous.plan.plan_version,
                plan_md: previous.plan_md.clone(),
            }),
        }
    }

    /// What keeps tasks waiting: files of theirs that are open in the editor with unsaved changes.
    fn unsaved_warning(&self, plan: &PlanOutput) -> Option<String> {
        const SHOWN: usize = 5;
        let files: BTreeSet<RepoPath> =
            plan.tasks.iter().flat_map(Task::files).filter_map(|file| RepoPath::parse(file).ok()).collect();
        let unsaved = self.store.workspace().unsaved(&files);
        let names: Vec<&str> = unsaved.iter().take(SHOWN).map(RepoPath::as_str).collect();
        let more = match unsaved.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!names.is_empty())
            .then(|| format!("Open with unsaved changes: {}{more}. Their tasks wait until you save.", names.join(", ")))
    }

    /// The text of plan.md: with the estimate as long as the plan waits for an answer, then with what became of it.
    pub(crate) fn plan_markdown(&self, memory: &Memory, loaded: &LoadedPlan) -> String {
        if memory.approval.is_none() {
            return self.content(memory, loaded).markdown;
        }
        // What was not taken at the gate is not offered behind it, and what was not answered is not asked any more.
        let mut facts = GateFacts { offered_checks: Vec::new(), questions: Vec::new(), ..self.facts(&loaded.plan) };
        if memory.report.as_ref().is_some_and(|report| !report.checks.is_empty()) {
            // Their results are shown.
            facts.checks.clear();
        }
        plan_markdown_with_results(&loaded.plan, &memory.task_text(), &facts, &results(memory))
    }

    /// Bring plan.md up to date with plan.json, whoever wrote that.
    pub(crate) fn refresh_plan_markdown(&self) -> Result<(), MemoryError> {
        let (mut memory, _faults) = self.store.inspect()?;
        self.store.forget_unconfirmed_checks(&mut memory);
        match &memory.plan {
            Some(loaded) => self.store.refresh_plan_markdown(&self.plan_markdown(&memory, loaded)),
            None => Ok(()),
        }
    }

    fn facts(&self, plan: &PlanOutput) -> GateFacts {
        let memory_dir = self.store.path();
        let workspace = self.store.workspace();
        let checks = GateChecks::of(self.store, self.settings);
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
            questions: questions(plan),
            checks: checks.shown(),
            offered_checks: checks.offered(),
            changes: None,
            estimate: None,
        }
    }
}

/// That a task as small as this one needs no two phases before the gate.
fn quick_hint(memory: &Memory) -> Option<String> {
    let is_small = memory.context.as_ref().is_some_and(|context| context.size == Some(TaskSize::Small));
    is_small
        .then(|| "A small task: next time `baton run --quick` plans one like it in a single conversation.".to_owned())
}

/// What the plan asks the user.
fn questions(plan: &PlanOutput) -> Vec<String> {
    plan.questions.iter().filter(|question| !question.trim().is_empty()).cloned().collect()
}

/// What is known of the work on the plan.
fn results(memory: &Memory) -> PlanResults<'_> {
    PlanResults {
        checks: memory.report.as_ref().map(|report| report.checks.as_slice()).unwrap_or_default(),
        criteria: memory.criteria(),
    }
}

/// What the phases behind the gate may cost from now on; dollars are `None` where a price is not known.
///
/// What is done already is not counted. The ceiling holds until the workflow ends or its gate opens again.
fn estimate(sources: &GateSources<'_>, memory: &Memory, plan: &PlanOutput) -> Estimate {
    let mut costs = Costs::new(plan, memory, sources.models, sources.store.workspace(), sources.settings);
    for phase in sources.phases.after_plan() {
        phase.add_costs(&mut costs);
    }
    costs.estimate(&Spent { usage: sources.usage, settings: sources.settings })
}

/// Bring plan.md up to date. Answers with its path, relative to the workspace root; `None` without a plan. While
/// plan.json breaks its contract, plan.md shows the last plan that did not.
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
