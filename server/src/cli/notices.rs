//! The commands of `notify` that are still at work when a run has ended: waited for once its end is printed.

use std::sync::{Mutex, PoisonError};

use super::output::warn;
use super::runtime::block_on;
use super::signals::Stops;
use crate::workflow::Notices;

/// Those of the runs of this process.
static LEFT: Mutex<Vec<Notices>> = Mutex::new(Vec::new());

/// Keep those of a run that has ended, for [`wait`].
pub(super) fn keep(notices: Notices) {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(notices);
}

/// Wait until the commands have ended, and print what is to be warned of. They have their own limit of time, and end when this
/// process is asked to stop.
pub(super) fn wait() {
    let left = std::mem::take(&mut *LEFT.lock().unwrap_or_else(PoisonError::into_inner));
    for mut notices in left {
        while let Ok(warning) = notices.warnings.try_recv() {
            warn(&[warning]);
        }
        if notices.warnings.is_closed() {
            continue;
        }
        let waited = block_on(async {
            let Ok(mut stops) = Stops::new() else { return };
            loop {
                tokio::select! {
                    warning = notices.warnings.recv() => match warning {
                        Some(warning) => warn(&[warning]),
                        None => break,
                    },
                    _ = stops.next() => notices.give_up.cancel(),
                }
            }
        });
        if waited.is_err() {
            notices.give_up.cancel();
        }
    }
}
