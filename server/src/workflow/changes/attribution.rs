//! Which step of a file's past brought a change to it.

use std::collections::HashMap;
use std::ops::Range;

use crate::workspace::{byte_lines, changed_lines};

/// A content that a file had, and how it came to have it.
pub(super) struct Version {
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) by: Author,
}

/// Who brought a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Author {
    /// A task's publish.
    Task(String),
    /// A person, or another program.
    Other,
    /// A rollback or its undoing: what it brings was somebody else's before.
    Reversal,
}

/// Who brought each line of a file's last content, and who removed each of its first.
pub(super) struct Attribution {
    added: Vec<Option<usize>>,
    removed: Vec<Option<usize>>,
    tasks: Vec<Option<String>>,
}

impl Attribution {
    /// Follows the lines of `first` through the versions, oldest first.
    pub(super) fn of(first: Option<&[u8]>, versions: &[Version]) -> Self {
        let start = byte_lines(first.unwrap_or_default());
        // The place in the first content of a line that stands still, or the step that brought it.
        let mut lines: Vec<Result<usize, Option<usize>>> = (0..start.len()).map(Ok).collect();
        let mut removed = vec![None; start.len()];
        let mut brought: HashMap<&[u8], usize> = HashMap::new();
        let mut took: HashMap<&[u8], usize> = HashMap::new();
        let mut before = first;
        for (step, version) in versions.iter().enumerate() {
            let now = version.bytes.as_deref();
            let (old_lines, new_lines) = (byte_lines(before.unwrap_or_default()), byte_lines(now.unwrap_or_default()));
            let is_known = |lines: &HashMap<&[u8], usize>, line: &[u8]| match version.by {
                Author::Reversal => lines.get(line).copied(),
                Author::Task(_) | Author::Other => Some(step),
            };
            let mut next = Vec::with_capacity(new_lines.len());
            let mut at = 0;
            for (old, new) in stretches(before, now, lines.len(), new_lines.len()) {
                next.extend(lines.get(at..old.start).unwrap_or_default());
                for index in old.clone() {
                    let line = old_lines.get(index).copied().unwrap_or_default();
                    if let Some(Ok(place)) = lines.get(index) {
                        removed[*place] = is_known(&took, line);
                    }
                    if matches!(version.by, Author::Task(_)) {
                        took.insert(line, step);
                    }
                }
                for index in new {
                    let line = new_lines.get(index).copied().unwrap_or_default();
                    next.push(Err(is_known(&brought, line)));
                    if matches!(version.by, Author::Task(_)) {
                        brought.insert(line, step);
                    }
                }
                at = old.end;
            }
            next.extend(lines.get(at..).unwrap_or_default());
            (lines, before) = (next, now);
        }
        let tasks = versions.iter().map(|version| match &version.by {
            Author::Task(task) => Some(task.clone()),
            Author::Other | Author::Reversal => None,
        });
        let added = lines.into_iter().map(|line| line.err().flatten()).collect();
        Self { added, removed, tasks: tasks.collect() }
    }

    /// The last task that had a part in a hunk; `None` where no task had.
    pub(super) fn task(&self, old: &Range<usize>, new: &Range<usize>) -> Option<String> {
        let removed = self.removed.get(old.clone()).unwrap_or_default();
        let added = self.added.get(new.clone()).unwrap_or_default();
        let steps = removed.iter().chain(added).flatten();
        let is_task = |step: &&usize| self.tasks.get(**step).is_some_and(Option::is_some);
        self.tasks.get(*steps.filter(is_task).max()?)?.clone()
    }
}

fn stretches(before: Option<&[u8]>, now: Option<&[u8]>, old: usize, new: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let found = changed_lines(before, now);
    // A binary content has no lines that could be followed.
    if found.is_empty() && before != now { vec![(0..old, 0..new)] } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Author::{Other, Reversal, Task};

    /// The tasks of the hunks between the first text and the last.
    fn tasks(first: &str, versions: &[(&str, Author)]) -> Vec<Option<String>> {
        let last = versions.last().unwrap().0;
        let versions: Vec<Version> = versions
            .iter()
            .map(|(text, by)| Version { bytes: Some(text.as_bytes().to_vec()), by: by.clone() })
            .collect();
        let found = Attribution::of(Some(first.as_bytes()), &versions);
        let hunks = changed_lines(Some(first.as_bytes()), Some(last.as_bytes()));
        hunks.iter().map(|(old, new)| found.task(old, new)).collect()
    }

    fn t(n: u8) -> Author {
        Task(format!("T{n}"))
    }

    #[test]
    fn each_hunk_has_the_task_that_made_it() {
        let of = tasks(
            "1\n2\n3\n4\n5\n",
            &[("a\n2\n3\n4\n5\n", t(1)), ("a\n2\n3\n4\n", t(2)), ("a\n2\nmine\n3\n4\n", Other)],
        );
        assert_eq!(of, [Some("T1".to_owned()), None, Some("T2".to_owned())]);
    }

    #[test]
    fn the_last_task_counts_in_a_hunk_of_several_and_a_person_in_it_does_not() {
        assert_eq!(
            tasks("1\n2\n", &[("a\n2\n", t(1)), ("a\nb\n", t(2)), ("mine\nb\n", Other)]),
            [Some("T2".to_owned())]
        );
        assert_eq!(tasks("1\n", &[("mine\n", Other), ("mine\na\n", t(1))]), [Some("T1".to_owned())]);
    }

    #[test]
    fn what_comes_back_belongs_to_whom_it_did() {
        let of = tasks("1\n", &[("a\n", t(1)), ("1\n", Reversal), ("a\n", Reversal)]);
        assert_eq!(of, [Some("T1".to_owned())]);
    }
}
