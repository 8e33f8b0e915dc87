//! The user's checks: which there are, and which of them nobody has said may run.

use super::check::{Check, CheckStatus};
use crate::config::{self, Settings};
use crate::memory::{CheckTrust, Seal};
use crate::text::{count, safe_line};
use crate::workflow::drive::summary::shown_words;
use crate::workflow::gate::checks::offered_checks;
use crate::workflow::run::checks::checks_in_force;
use crate::workspace::Workspace;

/// The checks that are set. Where none is, what the workspace shows; nothing where it shows nothing, or what is set is none.
pub(super) fn check_checks(workspace: &Workspace, settings: &Settings) -> Option<Check> {
    let checks = checks_in_force(settings, workspace);
    // Without a key of the user's own nothing was ever trusted; and asking for one here makes none.
    let kept = config::state_folder().and_then(|state| Seal::existing(&state, workspace.root()).ok());
    let seal = kept.or_else(|| Seal::ephemeral(workspace.root()).ok())?;
    let trust = CheckTrust::open(&seal);
    let (trusted, untrusted): (Vec<_>, Vec<_>) = checks.iter().partition(|check| trust.is_trusted(check));
    let names =
        |checks: &[&config::Check]| checks.iter().map(|check| safe_line(&check.name)).collect::<Vec<_>>().join(", ");
    match (trusted.as_slice(), untrusted.as_slice()) {
        ([], []) => {
            let shown = shown_words(&offered_checks(workspace, settings, &trust))?;
            let message = format!("none are set, so that nothing is built or run. This workspace shows {shown}");
            let fix = "Have it run after the work: `baton trust` asks you.";
            Some(Check::new("checks", CheckStatus::Warning, message).with_fix(fix))
        }
        (all, []) => Some(Check::ok("checks", format!("{} may run: {}", count(all.len(), "check"), names(all)))),
        (_, waiting) => {
            let (verb, them) = if waiting.len() == 1 { ("does", "its command") } else { ("do", "their commands") };
            let message = format!(
                "{} {verb} not run: nobody has said yet that {them} may be run here: {}",
                count(waiting.len(), "check"),
                names(waiting)
            );
            let fix = "Look at what would run, and say yes by `baton trust`. A plan that waits for you asks too.";
            Some(Check::new("checks", CheckStatus::Warning, message).with_fix(fix))
        }
    }
}
