//! `baton events --flush`: sends the user's sinks what runs have left for them.

use super::failure::{CANCELLED, Failure, NO_CONCLUSION};
use super::output::{print, warn};
use super::runtime::block_on;
use super::session::{Session, Start};
use super::signals::Stops;
use crate::config::Overrides;
use crate::text::count;
use crate::workflow::{self, Flushed};

/// Send what is left, and say what became of it.
pub(super) fn flush(start: &Start<'_>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        print("Nothing has been run here yet, so there are no events to send.")?;
        return Ok(0);
    };
    let flushed = block_on(async {
        let mut stops = Stops::new()?;
        tokio::select! {
            flushed = workflow::flush_events(&session.workspace, &store, &session.settings) => {
                Ok::<_, Failure>(Some(flushed?))
            }
            _ = stops.next() => Ok(None),
        }
    })??;
    let Some(flushed) = flushed else { return Ok(CANCELLED) };
    let mut is_all = true;
    for Flushed { sink, sent, left, why } in flushed {
        match why {
            None if sent == 0 => print(&format!("{sink}: has everything already"))?,
            None => print(&format!("{sink}: took {}", count(sent, "event")))?,
            Some(why) => {
                is_all = false;
                let took = if sent > 0 {
                    format!("took {}, then no more", count(sent, "event"))
                } else {
                    "takes none".to_owned()
                };
                warn(&[format!("{sink}: {took}: {why}. Left: {}", count(left, "event"))]);
            }
        }
    }
    Ok(if is_all { 0 } else { NO_CONCLUSION })
}
