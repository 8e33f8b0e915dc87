//! The context, plan and review phases: one agent each. (The implement phase has a file of its own.)

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::changes::Changes;
use super::editor::findings;
use super::elsewhere::Elsewhere;
use super::error::PhaseError;
use super::events::{EventPhase, EventStatus};
use super::next::{approved, open_issues};
use super::phase::{Phase, ToolSet};
use super::run::Run;
use crate::agents::review::Earlier;
use crate::agents::{self, Activity, AgentError, Brief, converse};
use crate::contracts::{Complexity, ImplReport, Issue, PlanOutput, RepoPath, ReviewOutput, RoundKind};
use crate::memory::{Memory, SetAside};
use crate::models::{ToolSpec, TurnProgress};
use crate::tools::Toolbox;
use crate::workspace::{self, TextFile, Workspace};

/// How often people are told that a long answer grows.
const OUTPUT_EVERY: Duration = Duration::from_secs(3);

/// Gather what a planner must know.
pub(super) async fn context(run: &Arc<Run>, memory: &Memory) -> Result<(), PhaseError> {
    let phase = Phase::Context;
    run.say(EventPhase::Context, EventStatus::Started, "Gathering context");
    let task = memory.task.clone().unwrap_or_default();
    let toolbox = toolbox(run, phase, Vec::new());
    let listed = toolbox.call_aside("list_files", &serde_json::json!({}), &run.desk.cancel).await;
    let top_level = listed.ok_or(AgentError::Cancelled)?.text;
    let message = agents::context::first_message(&task, &run.workspace, &top_level);
    let brief = brief(run, phase, vec![run.prompts.context.clone()], message, toolbox, agents::context::submit())?;
    let workspace = run.workspace.clone();
    let accept = move |input| agents::context::accept(input, &workspace, Timestamp::now());
    let context = handed_on(run, phase, &brief, &accept).await?;
    run.store.write(&context)?;
    close(run, phase.as_str())?;
    let files = context.relevant_files.len();
    run.say(EventPhase::Context, EventStatus::Done, format!("{files} relevant {}", plural(files, "file")));
    Ok(())
}

/// Make a plan, or a new one that answers to feedback or to a review.
pub(super) async fn plan(run: &Arc<Run>, memory: &Memory) -> Result<(), PhaseError> {
    let phase = Phase::Plan;
    // What answered an earlier plan does not answer this one.
    run.store.set_plan_aside(SetAside::Phase)?;
    let revision = memory.revision.as_ref();
    let version = revision.map_or(1, |revision| revision.version.saturating_add(1));
    run.say(
        EventPhase::Plan,
        EventStatus::Started,
        match version {
            1 => "Planning".to_owned(),
            version => format!("Planning again (version {version})"),
        },
    );
    let task = task_text(memory);
    let message = agents::plan::first_message(&task, memory.context.as_ref(), revision);
    let toolbox = toolbox(run, phase, Vec::new());
    let brief = brief(run, phase, vec![run.prompts.plan.clone()], message, toolbox, agents::plan::submit())?;
    let workspace = run.workspace.clone();
    let accept = move |input| agents::plan::accept(input, &workspace, version, Timestamp::now());
    let plan: PlanOutput = handed_on(run, phase, &brief, &accept).await?;
    run.store.write_plan(&plan)?;
    close(run, phase.as_str())?;
    let (tasks, groups) = (plan.tasks.len(), plan.parallel_groups.len());
    let message = format!("{tasks} {} in {groups} {}", plural(tasks, "task"), plural(groups, "group"));
    run.say(EventPhase::Plan, EventStatus::Done, message);
    Ok(())
}

/// Judge what was done.
pub(super) async fn review(run: &Arc<Run>, memory: &Memory) -> Result<(), PhaseError> {
    let phase = Phase::Review;
    let (Some(plan), Some(report)) = (&memory.plan, &memory.report) else {
        return Err(PhaseError::Internal("a review was due without a plan and a report".to_owned()));
    };
    run.say(EventPhase::Review, EventStatus::Started, "Reviewing");
    let changes = Changes::load(&run.store, &run.workspace)?;
    // The run that implemented may have been killed before it could.
    run.write_diff(&changes)?;
    let changes = changes.as_open(&run.workspace);
    let earlier = Arc::new(earlier_issues(run, memory, report.round)?);
    let elsewhere = super::elsewhere::look(run, memory).await?;
    let ours = || changes.files().filter(|file| !elsewhere.has(&file.path));
    let mut summary: Vec<String> = ours().map(|file| file.summary()).collect();
    summary.extend(elsewhere.summaries());
    let there = changes.files().filter(|file| file.now.is_some()).map(|file| &file.path);
    let theirs = elsewhere.files.iter().filter(|theirs| theirs.file.now.is_some()).map(|theirs| &theirs.file.path);
    let mut files: Vec<RepoPath> = there.chain(theirs).cloned().collect();
    files.sort();
    files.dedup();
    let findings = findings(run, &files).await;
    let reviewed = only_approved(&plan.plan, memory);
    let work = agents::review::Work {
        task: &task_text(memory),
        context: memory.context.as_ref(),
        plan: &reviewed,
        report,
        changed: &summary,
        elsewhere: &elsewhere.for_the_reviewer(),
        earlier: &earlier,
        findings: &findings,
    };
    let message = agents::review::first_message(&work);
    let diffs = changes.diffs().into_iter().filter(|(path, _)| !elsewhere.has(path)).chain(elsewhere.diffs());
    let toolbox = toolbox(run, phase, diffs.collect());
    let brief = brief(run, phase, vec![run.prompts.review.clone()], message, toolbox, agents::review::submit())?;
    let known = earlier.clone();
    let accept = move |input| agents::review::accept(input, &known);
    let review = handed_on(run, phase, &brief, &accept).await?;
    let mut agreed = run.store.earlier_approved_plans()?;
    agreed.push(plan.plan.clone());
    let review = finish_review(run, review, report, drift(&run.workspace, &agreed, &changes, &elsewhere), &earlier);
    run.store.write(&review)?;
    close(run, phase.as_str())?;
    let issues = review.issues.len();
    let message = format!("{}, {issues} {}", review.verdict.as_str().replace('_', " "), plural(issues, "issue"));
    run.say(EventPhase::Review, EventStatus::Done, message);
    Ok(())
}

fn finish_review(
    run: &Run,
    mut review: ReviewOutput,
    report: &ImplReport,
    drift: Vec<String>,
    earlier: &Earlier,
) -> ReviewOutput {
    by_disk_names(&run.workspace, &mut review);
    let head = workspace::head(&run.workspace);
    let facts = agents::review::Facts {
        now: Timestamp::now(),
        round: report.round,
        branch: head.as_ref().and_then(|head| head.branch.clone()),
        head: head.and_then(|head| head.commit),
        base: None,
        drift,
    };
    agents::review::finish(review, facts, earlier, &|path| text(&run.workspace, path))
}

/// Have each issue in its file by the name that the disk has for it: it is shown there.
pub(super) fn by_disk_names(workspace: &Workspace, review: &mut ReviewOutput) {
    let files: Vec<RepoPath> = review
        .issues
        .iter()
        .filter_map(|issue| RepoPath::parse(&issue.file).ok())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let other_names = workspace.other_names(&files);
    for issue in &mut review.issues {
        if let Some(real) = RepoPath::parse(&issue.file).ok().and_then(|path| other_names.get(&path)) {
            issue.file = real.to_string();
        }
    }
}

/// Files that were changed and that no task of an approved plan lists, one sentence each.
fn drift(workspace: &Workspace, agreed: &[PlanOutput], changes: &Changes, elsewhere: &Elsewhere) -> Vec<String> {
    let files = || agreed.iter().flat_map(|plan| &plan.tasks).flat_map(|task| task.files());
    let changed = || changes.files().map(|file| &file.path).chain(elsewhere.changed());
    let keys = workspace.file_keys_of(files().chain(changed().map(RepoPath::as_str)));
    let mut known: HashSet<String> = files().filter_map(|file| keys.key_of(file)).collect();
    let unplanned = changed().filter(|path| known.insert(keys.key(path)));
    unplanned.map(|path| format!("{path} was changed and stands in no task of the plan.")).collect()
}

/// What the workflow's earlier reviews found, as far as the review of this round must know.
fn earlier_issues(run: &Run, memory: &Memory, round: u32) -> Result<Earlier, PhaseError> {
    let reviews = run.store.earlier_reviews()?;
    let before = reviews.iter().rev().find(|review| review.round < round);
    let open = before.map(|review| open_issues(review, &memory.dismissed)).unwrap_or_default();
    let mut dismissed: Vec<Issue> = Vec::new();
    for issue in reviews.iter().flat_map(|review| &review.issues) {
        if memory.dismissed.contains(&issue.id) && dismissed.iter().all(|known| known.id != issue.id) {
            dismissed.push(issue.clone());
        }
    }
    let chosen = memory.round.as_ref().filter(|chosen| chosen.kind == RoundKind::Fix && chosen.n == round);
    let is_left = |issue: &&&Issue| chosen.is_some_and(|chosen| !chosen.issues.contains(&issue.id));
    let left = open.iter().filter(is_left).map(|issue| issue.id.clone()).collect();
    let keys = run.workspace.file_keys_of(open.iter().copied().chain(&dismissed).map(|issue| issue.file.as_str()));
    Ok(Earlier { open: open.into_iter().cloned().collect(), left, dismissed, keys })
}

/// The plan as far as it was approved: a review covers nothing else.
fn only_approved(plan: &PlanOutput, memory: &Memory) -> PlanOutput {
    let Some(approval) = &memory.approval else { return plan.clone() };
    let ids = approved(plan, approval);
    let mut plan = plan.clone();
    plan.tasks.retain(|task| ids.contains(&task.id));
    for group in &mut plan.parallel_groups {
        group.retain(|id| ids.contains(id));
    }
    plan.parallel_groups.retain(|group| !group.is_empty());
    plan
}

/// A file's text as models are shown it, so that what they quote is found; `None` when it is not there or not text.
pub(super) fn text(workspace: &Workspace, path: &RepoPath) -> Option<String> {
    let bytes = workspace.read_open(path).ok()??.bytes;
    Some(TextFile::decode(&bytes).ok()?.shown().into_owned())
}

/// The task, or what a context from elsewhere, or failing that the plan to be changed, says it is.
pub(super) fn task_text(memory: &Memory) -> String {
    let restated = || memory.context.as_ref().map(|context| context.task_description.clone());
    let planned = || {
        let plan = memory.revision.as_ref().and_then(|revision| revision.plan.as_ref().ok());
        plan.map(|plan| plan.approach_summary.clone())
    };
    memory.task.clone().or_else(restated).or_else(planned).unwrap_or_default()
}

pub(super) fn toolbox(run: &Run, phase: Phase, diffs: Vec<(RepoPath, String)>) -> Toolbox {
    let (workspace, memory) = (run.workspace.clone(), run.store.path().clone());
    match phase.row().tools {
        ToolSet::Read | ToolSet::Write => Toolbox::reader(workspace, memory),
        ToolSet::ReadDiff => Toolbox::reviewer(workspace, memory, diffs),
    }
}

pub(super) fn brief(
    run: &Run,
    phase: Phase,
    system: Vec<String>,
    first_message: String,
    toolbox: Toolbox,
    submit: ToolSpec,
) -> Result<Brief, PhaseError> {
    let row = phase.row();
    let tier = row.tier.tier(Complexity::Moderate);
    Ok(Brief {
        agent: row.name.to_owned(),
        model: run.model(tier)?,
        tier,
        system,
        first_message,
        toolbox,
        submit,
        max_tokens: row.max_tokens,
        so_far: None,
        looks_elsewhere: None,
    })
}

/// What a phase's agent hands on. A conversation that came to a bad end is over: the next start asks anew, and does not
/// play the same end from the journal.
pub(super) async fn handed_on<T: Send>(
    run: &Arc<Run>,
    phase: Phase,
    brief: &Brief,
    accept: &(dyn Fn(serde_json::Value) -> Result<T, Vec<String>> + Send + Sync),
) -> Result<T, PhaseError> {
    let end = converse(&run.desk, brief, accept, &reporter(run, phase, None)).await;
    if end.as_ref().is_err_and(AgentError::ends_conversation) {
        close(run, &brief.agent)?;
    }
    Ok(end?)
}

/// What an agent's conversation led to stands on disk: its turns need not be kept for a resume.
pub(super) fn close(run: &Run, agent: &str) -> Result<(), PhaseError> {
    Ok(run.desk.transcript.close(Timestamp::now(), agent).map_err(AgentError::Journal)?)
}

/// Tells people what an agent is doing.
pub(super) fn reporter(run: &Arc<Run>, phase: Phase, task: Option<&str>) -> impl Fn(Activity) + Send + Sync + use<> {
    let (run, task) = (run.clone(), task.map(str::to_owned));
    let last = Mutex::new(String::new());
    let told_output = Mutex::new(Instant::now());
    move |activity| {
        let message = match activity {
            Activity::Model(TurnProgress::Output { characters }) => {
                let mut told = told_output.lock().unwrap_or_else(PoisonError::into_inner);
                if told.elapsed() < OUTPUT_EVERY {
                    return;
                }
                *told = Instant::now();
                format!("writing, {:.1}k characters so far", characters as f64 / 1e3)
            }
            Activity::Tool(doing) => doing,
            Activity::Refused(what) => format!("refused: {what}"),
            Activity::Model(TurnProgress::Retry { attempt, wait, reason, .. }) => {
                format!("{reason}, trying again in {:.0} s (attempt {attempt})", wait.as_secs_f64().ceil())
            }
            Activity::Model(TurnProgress::Waiting { left }) => format!("waiting {:.0} s", left.as_secs_f64().ceil()),
            Activity::Model(TurnProgress::Throttled) => "waiting: the provider is overloaded".to_owned(),
            Activity::Model(TurnProgress::FirstByte) | Activity::CacheOpened => return,
            Activity::Turn => "thinking".to_owned(),
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != message {
            last.clone_from(&message);
            run.tell(phase.event(), EventStatus::Progress, task.as_deref(), message);
        }
    }
}

pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
