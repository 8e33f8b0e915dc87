//! `baton dismiss` and `baton restore`: issues that the user wants neither fixed nor raised again.

use jiff::Timestamp;

use super::args::DismissArgs;
use super::failure::Failure;
use super::output::print;
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::memory::Store;
use crate::text;
use crate::workflow;

/// Dismiss issues, all or none.
pub(super) fn dismiss(start: &Start<'_>, args: &DismissArgs) -> Result<u8, Failure> {
    let (session, store) = reviewed(start)?;
    workflow::dismiss_issues(&store, &args.ids, args.because.as_deref())?;
    let mut lines = vec![format!("Dismissed {}.", listed(&args.ids))];
    if workflow::is_accepted(&store, &session.settings, &session.phases, Timestamp::now())? {
        lines.push("No issue of the review is open any more, so the work counts as accepted by you.".to_owned());
    }
    lines.push(format!("`baton restore {}` takes this back.", text::safe_line(&args.ids.join(" "))));
    print(&lines.join(" "))?;
    Ok(0)
}

/// Restore issues, all or none.
pub(super) fn restore(start: &Start<'_>, ids: &[String]) -> Result<u8, Failure> {
    let (_, store) = reviewed(start)?;
    workflow::restore_issues(&store, ids)?;
    print(&format!("Restored {}.", listed(ids)))?;
    Ok(0)
}

fn reviewed(start: &Start<'_>) -> Result<(Session, Store), Failure> {
    let session = Session::open(start, Overrides::default())?;
    let store = session.memory()?.ok_or_else(|| Failure::usage("there is no review here, and so no issue"))?;
    Ok((session, store))
}

/// `1 issue (a)`, `2 issues (a, b)`; one that is named twice counts once.
fn listed(ids: &[String]) -> String {
    let mut each: Vec<&str> = Vec::new();
    for id in ids {
        if !each.contains(&id.as_str()) {
            each.push(id);
        }
    }
    format!("{} ({})", text::count(each.len(), "issue"), text::safe_line(&each.join(", ")))
}
