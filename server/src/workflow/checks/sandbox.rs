//! Where the checks of a run run.

use tokio_util::sync::CancellationToken;

use crate::config::SandboxMode;
use crate::memory::Memory;
use crate::workflow::run::events::{EventPhase, EventStatus};
use crate::workflow::run::phase::Run;
use crate::workspace::{Sandbox, SandboxWish, Workspace};

/// How the event begins that tells what keeps checks from everything else.
pub(crate) const SANDBOX_EVENT: &str = "sandbox of the checks: ";

/// The sandbox, which is looked for once a run. What it is like is told then, where checks may run in it.
pub(crate) async fn sandbox(run: &Run) -> &Sandbox {
    let find = || async {
        let found = Sandbox::find(&run.workspace, wish(run.settings.sandbox), &run.context.cancel).await;
        let found = found.with_memory_dir(run.store.path());
        run.emit(EventPhase::Workflow, EventStatus::Progress, format!("{SANDBOX_EVENT}{}", found.words()));
        if let Some(explanation) = found.explanation() {
            run.emit(EventPhase::Workflow, EventStatus::Progress, explanation);
        }
        found
    };
    run.check_state.sandbox.get_or_init(find).await
}

/// Which level a setting asks for.
pub(crate) fn wish(mode: SandboxMode) -> SandboxWish {
    match mode {
        SandboxMode::Auto => SandboxWish::Auto,
        SandboxMode::Require => SandboxWish::Require,
        SandboxMode::Off => SandboxWish::Off,
    }
}

/// What checks would run in here: whether that is a view, or what the user chose instead; and all that there is to say.
pub(crate) async fn look(workspace: &Workspace, mode: SandboxMode) -> (bool, String) {
    let found = Sandbox::find(workspace, wish(mode), &CancellationToken::new()).await;
    let is_as_wanted = found.can_try() || mode == SandboxMode::Off;
    let words = found.words();
    (is_as_wanted, found.explanation().map_or(words.clone(), |explanation| format!("{words}. {explanation}")))
}

/// Forget what a report says of checks that this user's server did not run.
pub(crate) fn forget_unconfirmed(run: &Run, memory: &mut Memory) {
    run.store.forget_unconfirmed_checks(memory);
}
