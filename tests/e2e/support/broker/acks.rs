//! Which answers of the model the broker has acknowledged: each answer of a test's script holds a mark of its own, and JetStream
//! answers a publication on the inbox it names.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::frames::Frame;

/// What stands before the number of an answer.
const MARK: &str = "toolu_paid_";

/// What went over all links of a test.
#[derive(Debug, Default)]
pub struct Acks {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Marks in publications that are not acknowledged yet, by the inbox of the acknowledgement.
    awaited: HashMap<String, Vec<usize>>,
    /// When the broker first acknowledged a publication with this mark.
    acknowledged: BTreeMap<usize, Instant>,
}

impl Acks {
    /// The id of a tool call in the answer to the request of this number.
    pub fn mark(number: usize) -> String {
        format!("{MARK}{number}")
    }

    /// By the number of the request: when the broker first said that it has its answer.
    pub fn acknowledged(&self) -> BTreeMap<usize, Instant> {
        self.seen().acknowledged.clone()
    }

    /// A frame that is passed on to the broker.
    pub(super) fn sent(&self, frame: &Frame) {
        let marks = marks(frame.payload());
        if let Some(inbox) = frame.reply()
            && !marks.is_empty()
        {
            self.seen().awaited.insert(inbox.to_owned(), marks);
        }
    }

    /// A frame that came from the broker, whether or not it reaches the client.
    pub(super) fn came(&self, frame: &Frame) {
        let Some(subject) = frame.subject() else { return };
        let mut seen = self.seen();
        let Some(marks) = seen.awaited.remove(subject) else { return };
        let answer: Value = serde_json::from_slice(frame.payload()).unwrap_or_default();
        if answer["seq"].is_u64() && answer["error"].is_null() {
            let now = Instant::now();
            for mark in marks {
                seen.acknowledged.entry(mark).or_insert(now);
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn marks(payload: &[u8]) -> Vec<usize> {
    let number = |at: usize| {
        let digits = payload[at + MARK.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
    };
    let mut marks: Vec<usize> = memchr::memmem::find_iter(payload, MARK).map(number).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}
