//! Dismissing and restoring issues of reviews and of further phases.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::issues::{all_issues, current_issues, named, places_of_issues};
use crate::contracts::{Dismissal, Dismissed, Handoff, MAX_BECAUSE_BYTES, ReviewOutput};
use crate::memory::{FileFaults, Memory, MemoryError, Store, tidied};
use crate::workflow::run::error::StartError;

/// Put issues aside, all or none: they are neither shown, nor fixed, nor raised again, until they are
/// [restored](restore_issues). One that was dismissed before gets the new reason, where there is one. May be called while a
/// run is at work.
///
/// # Errors
/// When no review of the workflow and no further phase has such an issue, the reason is too long, or the file cannot be
/// read or written.
pub fn dismiss_issues(store: &Store, ids: &[String], because: Option<&str>) -> Result<(), StartError> {
    let because = reason(because)?;
    let at = Some(Timestamp::now());
    change_dismissed(store, |memory, of_base, dismissed| {
        let all = all_issues(store, memory)?;
        let is_unknown = |id: &&String| !Dismissed::has(dismissed, id) && all.iter().all(|issue| issue.id != **id);
        if let Some(id) = ids.iter().find(is_unknown) {
            if let Some(of_base) = of_base {
                return Err(MemoryError::Faulty(vec![of_base]).into());
            }
            let (places, open) = (places_of_issues(memory), named(memory, &current_issues(store, memory)));
            return Err(StartError::Usage(format!("{id:?} is no issue of {places}; {open}")));
        }
        for id in ids {
            let now = Dismissal { id: id.clone(), because: because.clone(), at };
            match dismissed.iter_mut().find(|known| known.id == *id) {
                Some(known) if because.is_some() => *known = now,
                Some(_) => {}
                None => dismissed.push(now),
            }
        }
        Ok(())
    })
}

/// Take back that issues were dismissed, of all or none. May be called while a run is at work.
///
/// # Errors
/// When one is not dismissed, or the file cannot be read or written.
pub fn restore_issues(store: &Store, ids: &[String]) -> Result<(), StartError> {
    change_dismissed(store, |_, _, dismissed| {
        if let Some(id) = ids.iter().find(|id| !Dismissed::has(dismissed, id)) {
            let known: Vec<&str> = dismissed.iter().map(|dismissal| dismissal.id.as_str()).collect();
            let there_are = match known.as_slice() {
                [] => "none is".to_owned(),
                known => format!("dismissed are {}", known.join(", ")),
            };
            return Err(StartError::Usage(format!("issue {id:?} is not dismissed; {there_are}")));
        }
        dismissed.retain(|known| !ids.contains(&known.id));
        Ok(())
    })
}

/// A person's reason, without white space around it; `None` where nothing is left.
///
/// # Errors
/// When it is longer than [`MAX_BECAUSE_BYTES`].
pub(crate) fn reason(text: Option<&str>) -> Result<Option<String>, StartError> {
    let Some(text) = text.map(tidied).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() as u64 > MAX_BECAUSE_BYTES {
        return Err(StartError::Usage(format!(
            "the reason has {} bytes, and may have {MAX_BECAUSE_BYTES}; say it shorter",
            text.len()
        )));
    }
    Ok(Some(text))
}

/// Read dismissed.json, change it, and write it where it changed. Faults of other files do not stand in the way; those of
/// base_review.json are for `change` to judge.
fn change_dismissed(
    store: &Store,
    change: impl FnOnce(&Memory, Option<FileFaults>, &mut Vec<Dismissal>) -> Result<(), StartError>,
) -> Result<(), StartError> {
    /// Two at once must not write over each other.
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _guard = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (memory, faults) = store.inspect()?;
    let needed = [store.name(Dismissed::FILE), store.name(ReviewOutput::FILE)];
    let of_base = faults.iter().find(|faults| !store.stops_workflow(faults)).cloned();
    let faults: Vec<_> = faults.into_iter().filter(|faults| needed.contains(&faults.file)).collect();
    if !faults.is_empty() {
        return Err(MemoryError::Faulty(faults).into());
    }
    let mut dismissed = memory.dismissed.clone();
    change(&memory, of_base, &mut dismissed)?;
    if dismissed != memory.dismissed {
        store.write(&Dismissed(dismissed))?;
    }
    Ok(())
}
