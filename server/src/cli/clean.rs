//! `baton clean`: removes old runs with their checkpoints.

use super::failure::Failure;
use super::output::{print, warn};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::text;
use crate::workflow::{self, Cleaned};

/// Keep the newest runs and those of the workflow at hand; remove the rest.
pub(super) fn clean(start: &Start<'_>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let cleaned = match session.memory()? {
        Some(store) => workflow::clean(&store, &session.workspace, session.settings.keep_runs)?,
        None => Cleaned::default(),
    };
    let text = match cleaned.removed.as_slice() {
        [] if cleaned.failed.is_empty() && cleaned.held.is_empty() => "There is nothing to remove.".to_owned(),
        [] => "Removed no run.".to_owned(),
        [.., newest] => format!("Removed {}, up to {newest}.", text::count(cleaned.removed.len(), "run")),
    };
    print(&text)?;
    if let Some(newest) = cleaned.held.last() {
        print(&format!(
            "{}, up to {newest}: a sink has not taken all their events yet. Send them by `baton events --flush`; after 7 days they are \
             removed all the same.",
            match cleaned.held.len() {
                1 => "1 run stays".to_owned(),
                more => format!("{more} runs stay"),
            }
        ))?;
    }
    if let Some(lost) = workflow::lost_events(&cleaned.undelivered) {
        warn(&[lost]);
    }
    for (run, why) in &cleaned.failed {
        print(&format!("Run {run} is still there: {}", text::safe_line(why)))?;
    }
    Ok(u8::from(!cleaned.failed.is_empty()))
}
