//! The message that a task waits for files to be saved, each said once.

use std::collections::HashMap;

use crate::lsp::wire::to_proto;
use crate::workflow::{EventStatus, PhaseEvent};

/// Longest message, in characters.
const LONGEST: usize = 1000;

/// What was said of the tasks that wait.
#[derive(Default)]
pub(super) struct SaveNotices {
    /// The files named to the user, by task.
    named: HashMap<String, Vec<String>>,
}

impl SaveNotices {
    /// The message of an event; `None` where it is about nothing to be saved, or names no file that was not named before: of
    /// several files, one was saved.
    pub(super) fn message(&mut self, event: &PhaseEvent) -> Option<String> {
        let task = event.task.as_ref()?;
        if event.status != EventStatus::Waiting {
            self.named.remove(task);
            return None;
        }
        let is_known = |file| self.named.get(task).is_some_and(|named| named.contains(file));
        if event.files.iter().all(is_known) {
            return None;
        }
        self.named.insert(task.clone(), event.files.clone());
        let (task, message) = (to_proto::plain(task, 100), to_proto::plain(&event.message, LONGEST));
        Some(format!("Baton: {task} {message}, and goes on then."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{EventPhase, IMPLEMENT};

    fn event(task: &str, status: EventStatus, files: &[&str]) -> PhaseEvent {
        PhaseEvent {
            run: "r".to_owned(),
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            workflow: String::new(),
            phase: EventPhase::Phase(IMPLEMENT),
            status,
            task: Some(task.to_owned()),
            message: format!("waits for you to save {}", files.join(", ")),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            error: None,
            usage: None,
            outcome: None,
        }
    }

    #[test]
    fn each_file_is_named_once_while_a_task_waits() {
        let mut notices = SaveNotices::default();
        let mut said = |task, status, files: &[&str]| notices.message(&event(task, status, files));
        let both = Some("Baton: T1 waits for you to save a.rs, b.rs, and goes on then.".to_owned());
        assert_eq!(said("T1", EventStatus::Waiting, &["a.rs", "b.rs"]), both);
        assert_eq!(said("T1", EventStatus::Waiting, &["b.rs"]), None, "the other one was saved");
        assert!(said("T2", EventStatus::Waiting, &["b.rs"]).is_some(), "another task");
        assert!(said("T1", EventStatus::Waiting, &["b.rs", "c.rs"]).is_some(), "one more");
        assert_eq!(said("T1", EventStatus::Progress, &[]), None);
        assert!(said("T1", EventStatus::Waiting, &["b.rs"]).is_some(), "it went on in between");
    }
}
