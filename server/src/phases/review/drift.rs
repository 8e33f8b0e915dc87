//! What was changed without being planned, or without an issue that asked for it.

use std::collections::HashSet;
use std::ops::Range;

use crate::contracts::{Issue, PlanOutput, RepoPath, Round, RoundKind, find_quote};
use crate::memory::Memory;
use crate::text::count;
use crate::workflow::{Changes, ForeignWork, PhaseError, Publish, Run, publish_journal, publishes_in_effect};
use crate::workspace::{self, Compared, Dir, PublishRecord, TextFile, Workspace};

/// Lines between a change and an issue from which on the change is far from it: more than the rest of a function, as a
/// rule.
const FAR: usize = 20;
/// So few lines far from an issue are no drift: a fix may need a name imported, or one taken away.
const FEW: usize = 5;

/// Line numbers, from 1, the last one included.
type Lines = (usize, usize);

/// Files that were changed and that no task of an approved plan lists, one sentence each.
pub(super) fn unplanned(
    workspace: &Workspace,
    agreed: &[PlanOutput],
    changes: &Changes,
    foreign: &ForeignWork,
) -> Vec<String> {
    let files = || agreed.iter().flat_map(|plan| &plan.tasks).flat_map(|task| task.files());
    let changed = || changes.files().map(|file| &file.path).chain(foreign.changed());
    let keys = workspace.file_keys_of(files().chain(changed().map(RepoPath::as_str)));
    let mut known: HashSet<String> = files().filter_map(|file| keys.key_of(file)).collect();
    let unplanned = changed().filter(|path| known.insert(keys.key(path)));
    unplanned.map(|path| format!("{path} was changed and stands in no task of the plan.")).collect()
}

/// What the fix round before a review changed far from every issue it was for, one sentence each; nothing after a round that
/// was for no issues. Repair rounds that followed the fix round mend something else, and do not count.
///
/// Each publish is held against what it found, so that what a person edited meanwhile counts for nobody.
///
/// # Errors
/// When a journal or an image cannot be read.
pub(super) fn far_from_issues(run: &Run, memory: &Memory, round: u32) -> Result<Vec<String>, PhaseError> {
    let of_issues = |known: &&Round| match known.kind {
        RoundKind::First => false,
        RoundKind::Fix => true,
        RoundKind::Repair => !known.issues.is_empty(),
    };
    let round = memory.round.as_ref().filter(|known| known.n == round).filter(of_issues);
    let before = round.and_then(|round| run.store.review_before(round.n));
    let (Some(round), Some(before), Some(plan)) = (round, before, &memory.plan) else { return Ok(Vec::new()) };
    let issues: Vec<&Issue> = before.issues.iter().filter(|issue| round.issues.contains(&issue.id)).collect();
    let keys = run.workspace.file_keys_of(issues.iter().map(|issue| issue.file.as_str()));
    let mut publishes = publishes_in_effect(publish_journal(&run.store)?);
    // What a check changed is published too, by no task.
    publishes.retain(|Publish { record, .. }| record.round > before.round && plan.plan.task(&record.task).is_some());
    let fix = publishes.iter().map(|publish| publish.record.round).min();
    let mut found = Vec::new();
    for Publish { folder, record, .. } in publishes.iter().filter(|publish| Some(publish.record.round) == fix) {
        let files = images(run, folder, record)?;
        let compared: Vec<Compared<'_>> = files.iter().map(Images::compared).collect();
        let renames = workspace::renames(&compared);
        for (index, file) in files.iter().enumerate().filter(|(index, _)| renames.iter().all(|r| r.from != *index)) {
            // A file that got another name is held against what it was under the old one, where its issues stand too.
            let source = renames.iter().find(|rename| rename.to == index).map_or(file, |rename| &files[rename.from]);
            let is_here =
                |issue: &&Issue| [source.path, file.path].iter().any(|path| keys.is_same(&issue.file, path.as_str()));
            let here: Vec<&Issue> = issues.iter().copied().filter(is_here).collect();
            let before = source.before.as_deref();
            let places = places_of(&here, before);
            let far = far_lines(&workspace::changed_lines(before, file.after.as_deref()), &places);
            if far >= FEW {
                found.push(sentence(&record.task, far, file.path, here.is_empty()));
            }
        }
    }
    Ok(found)
}

/// A published file before and after.
struct Images<'a> {
    path: &'a RepoPath,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl Images<'_> {
    fn compared(&self) -> Compared<'_> {
        Compared { path: self.path, before: self.before.as_deref(), after: self.after.as_deref() }
    }
}

/// What a publish found and what it wrote.
fn images<'a>(run: &Run, folder: &Dir, record: &'a PublishRecord) -> Result<Vec<Images<'a>>, PhaseError> {
    let images = record.files.iter().map(|file| {
        let before = file.before(folder).map_err(|source| run.store.file_error("read", "a before-image", source))?;
        // Without a copy of what was written, what stands is the nearest to it.
        let after = file.after(folder).ok().unwrap_or_else(|| {
            workspace::read_exact(&run.workspace, &file.path).ok().flatten().map(|state| state.bytes)
        });
        Ok(Images { path: &file.path, before, after })
    });
    images.collect()
}

/// `T1 changed 120 lines of src/a.rs far from every issue.`
fn sentence(task: &str, far: usize, path: &RepoPath, is_without_issue: bool) -> String {
    let lines = count(far, "line");
    match is_without_issue {
        true => format!("{task} changed {lines} of {path}, where no issue of the round stands."),
        false => format!("{task} changed {lines} of {path} far from every issue."),
    }
}

/// Where issues of a file stand in its content before the round: where their quote does, else at their line.
fn places_of(issues: &[&Issue], before: Option<&[u8]>) -> Vec<Lines> {
    let text = before.and_then(|bytes| TextFile::decode(bytes).ok()).map(|file| file.text().to_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let place = |issue: &&Issue| {
        let quote = issue.quote.as_deref().filter(|quote| !quote.trim().is_empty());
        let first = quote.and_then(|quote| find_quote(&lines, quote, issue.line)).unwrap_or(issue.line);
        let height = issue.end_line.unwrap_or(issue.line).saturating_sub(issue.line);
        (first as usize, first.saturating_add(height) as usize)
    };
    issues.iter().map(place).collect()
}

/// How many lines of these changes are far from all of these places. Where lines were replaced, the larger number of both
/// sides counts; lines that were added stand where they were put into the old text.
fn far_lines(changed: &[(Range<usize>, Range<usize>)], places: &[Lines]) -> usize {
    let is_far = |line: usize| {
        places.iter().all(|&(first, last)| first.saturating_sub(line).max(line.saturating_sub(last)) > FAR)
    };
    let of_change = |(old, new): &(Range<usize>, Range<usize>)| {
        let removed = old.clone().filter(|index| is_far(index + 1)).count();
        let last = old.len().saturating_sub(1);
        let added = (0..new.len()).filter(|index| is_far(old.start + 1 + (*index).min(last))).count();
        removed.max(added)
    };
    changed.iter().map(of_change).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(lines: impl IntoIterator<Item = u32>) -> String {
        lines.into_iter().map(|n| format!("line {n}\n")).collect()
    }

    fn far(before: &str, after: &str, places: &[Lines]) -> usize {
        far_lines(&workspace::changed_lines(Some(before.as_bytes()), Some(after.as_bytes())), places)
    }

    #[test]
    fn a_file_rewritten_for_one_line_is_far_from_it_but_for_the_lines_around() {
        let before = numbered(1..=200);
        let after = before.replace("line", "row");
        assert_eq!(far(&before, &after, &[(100, 100)]), 200 - 41);
        assert_eq!(far(&before, &after, &[(50, 50), (100, 140)]), 200 - 41 - 81);
        assert_eq!(far(&before, &after, &[]), 200, "a file without an issue");
        assert_eq!(far(&before, "", &[(1, 1)]), 179, "what was taken away counts");
    }

    #[test]
    fn a_long_addition_at_the_place_is_near_and_one_elsewhere_is_far() {
        let before = numbered(1..=100);
        let added = numbered(1000..1120);
        let at = |line: u32| numbered(1..=line) + &added + &numbered(line + 1..=100);
        assert_eq!(far(&before, &at(50), &[(50, 50)]), 0);
        assert_eq!(far(&before, &at(30), &[(50, 50)]), 0);
        assert_eq!(far(&before, &at(28), &[(50, 50)]), 120);
        assert_eq!(far(&before, &before, &[(50, 50)]), 0);
        // One line near the place becomes many.
        let grown = before.replace("line 50\n", &added);
        assert_eq!(far(&before, &grown, &[(50, 50)]), 0);
    }

    #[test]
    fn an_issue_is_looked_for_by_its_quote_in_what_the_round_found() {
        let read = |value: serde_json::Value| -> Issue { serde_json::from_value(value).unwrap() };
        let issue = read(serde_json::json!({
            "severity": "major", "file": "a.rs", "line": 3, "end_line": 5, "quote": "line 90", "description": "d", "id": "i",
        }));
        let before = numbered(1..=100);
        assert_eq!(places_of(&[&issue], Some(before.as_bytes())), [(90, 92)]);
        let gone = Issue { quote: Some("nowhere".to_owned()), ..issue };
        assert_eq!(places_of(&[&gone], Some(before.as_bytes())), [(3, 5)]);
        assert_eq!(places_of(&[&gone], None), [(3, 5)]);
    }

    #[test]
    fn what_is_said_names_task_lines_and_file() {
        let path = RepoPath::parse("src/a.rs").unwrap();
        assert_eq!(sentence("T1", 120, &path, false), "T1 changed 120 lines of src/a.rs far from every issue.");
        assert!(sentence("T1", 30, &path, true).ends_with("of src/a.rs, where no issue of the round stands."));
    }
}
