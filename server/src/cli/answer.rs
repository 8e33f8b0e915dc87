//! `baton approve` and `baton reject`: the gate, answered from another process.

use super::args::ApproveArgs;
use super::failure::Failure;
use super::output::{print, status_after, tell, way_on_lines_after};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::Decision;
use crate::memory::Store;
use crate::text;
use crate::workflow::{self, Answer, Answered, GateSources, NO_PLAN, WorkflowState};

/// Approve the plan, or some tasks of it.
pub(super) fn approve(start: &Start<'_>, args: ApproveArgs) -> Result<u8, Failure> {
    let ApproveArgs { only, plan } = args;
    let partial = only.is_some();
    let approve = Answer { tasks: only, plan_sha256: plan, ..Answer::of(Decision::Approved) };
    let (session, store, answered) = answer(start, approve)?;
    let what = if partial { answered.tasks.join(", ") } else { text::count(answered.tasks.len(), "task") };
    let then = if answered.run_waits { "The waiting run goes on." } else { "`baton run` goes on with it." };
    print(&format!("Approved plan{} ({what}). {then}", version(&answered)))?;
    if let Some(left) = workflow::left_notes(&answered.notes) {
        tell(&format!("{left}."));
    }
    let checks = workflow::waiting_checks(&store, &session.settings);
    let skipped = checks.set.iter().filter(|check| !check.trusted).map(|check| text::safe_line(&check.name));
    let skipped: Vec<String> = skipped.collect();
    if !skipped.is_empty() {
        let (checks, are) = (text::plural(skipped.len(), "Check"), if skipped.len() == 1 { "is" } else { "are" });
        tell(&format!(
            "{checks} {} {are} not trusted and will be skipped; `baton trust` shows and asks.",
            skipped.join(", ")
        ));
    }
    Ok(0)
}

/// Reject the plan.
pub(super) fn reject(start: &Start<'_>) -> Result<u8, Failure> {
    let (session, store, answered) = answer(start, Answer::of(Decision::Rejected))?;
    let status = status_after(&store, &session.settings, &session.phases);
    let rejected = format!("Rejected plan{}", version(&answered));
    let mut lines = vec![match &status {
        Some(status) if status.state == WorkflowState::Rejected => {
            text::safe_lines(&status.summary).replacen("The plan was rejected", &rejected, 1)
        }
        _ => format!("{rejected}."),
    }];
    lines.extend(way_on_lines_after(status));
    print(&lines.join("\n"))?;
    Ok(0)
}

/// ` version 2`; nothing for a plan that cannot be read.
fn version(answered: &Answered) -> String {
    answered.plan_version.map_or_else(String::new, |version| format!(" version {version}"))
}

fn answer(start: &Start<'_>, answer: Answer) -> Result<(Session, Store, Answered), Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else { return Err(Failure::usage(NO_PLAN)) };
    let models = session.models();
    let usage = store.workflow_spending()?.into_iter().sum();
    let sources = GateSources {
        store: &store,
        settings: &session.settings,
        models: models.as_ref(),
        usage,
        phases: &session.phases,
    };
    let answered = workflow::answer_plan(&sources, answer)?;
    if store.seal().keeps_answers() {
        return Ok((session, store, answered));
    }
    Err(Failure::failed(
        "the answer holds for this process only, which ends here: Baton's state folder ($XDG_STATE_HOME/baton, else \
         ~/.local/state/baton) cannot be written. Make it writable, or answer at the gate of `baton run` at a terminal",
    ))
}
