//! Where the checks of a run run.

use crate::config::SandboxMode;
use crate::memory::Memory;
use crate::workflow::run::events::{EventPhase, EventStatus};
use crate::workflow::run::phase::Run;
use crate::workspace::{Sandbox, SandboxWish};

/// The sandbox, which is looked for once a run. What it is like is told then, where checks may run in it.
pub(crate) async fn sandbox(run: &Run) -> &Sandbox {
    let find = || async {
        let wish = match run.settings.sandbox {
            SandboxMode::Auto => SandboxWish::Auto,
            SandboxMode::Require => SandboxWish::Require,
            SandboxMode::Off => SandboxWish::Off,
        };
        let found = Sandbox::find(&run.workspace, wish, &run.context.cancel).await;
        let found = found.with_memory_dir(run.store.path());
        run.emit(EventPhase::Workflow, EventStatus::Progress, format!("sandbox of the checks: {}", found.words()));
        found
    };
    run.check_state.sandbox.get_or_init(find).await
}

/// Forget what a report says of checks that this user's server did not run.
pub(crate) fn forget_unconfirmed(run: &Run, memory: &mut Memory) {
    run.store.forget_unconfirmed_checks(memory);
}
