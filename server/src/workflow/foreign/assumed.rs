//! Handoffs that another tool wrote otherwise than their schemas want them: what they were taken for is said, so that nothing is
//! assumed in silence.

use crate::contracts::Fault;
use crate::memory::{FileFaults, Store};

/// Places that are named of one file.
const MOST: usize = 6;

/// A sentence for each handoff that was taken otherwise than it stands, with the places; empty where all are as their schemas
/// want them.
pub(crate) fn assumed_words(store: &Store) -> Vec<String> {
    store.assumed().iter().map(words).collect()
}

fn words(of: &FileFaults) -> String {
    let place = |fault: &Fault| format!("line {}, {}", fault.position.line, fault.message);
    let mut places: Vec<String> = of.faults.iter().take(MOST).map(place).collect();
    if let Some(more) = of.faults.len().checked_sub(MOST).filter(|more| *more > 0) {
        places.push(format!("and {more} more"));
    }
    format!("{} is not quite as its schema wants it, and was taken so: {}.", of.file, places.join("; "))
}
