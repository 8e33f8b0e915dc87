//! The entries of `history/`: how they are written, numbered and read.

use std::collections::HashSet;
use std::io;

use cap_std::fs::Dir;

use super::run_id::RunId;
use crate::contracts::{Handoff, ImplReport, MAX_HANDOFF_BYTES, PlanOutput, Round};
use crate::workspace::{self, find_folder, read_bounded};

/// The folder of the history entries.
pub(super) const HISTORY: &str = "history";

/// Why files went to `history/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAside {
    /// A fix round follows.
    Fix,
    /// A repair round follows.
    Repair,
    /// A new plan follows.
    RePlan,
    /// The user asked for changes to the plan.
    Revise,
    /// Failed tasks are tried again.
    Retry,
    /// A phase was asked for by name.
    Phase,
    /// The files were rolled back.
    Rollback,
    /// The user started over.
    Reset,
    /// A finished workflow gave way to a new one.
    Finished,
    /// Another review against a commit followed this one. No entry of a workflow.
    BaseReview,
}

impl SetAside {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Repair => "repair",
            Self::RePlan => "re-plan",
            Self::Revise => "revise",
            Self::Retry => "retry",
            Self::Phase => "phase",
            Self::Rollback => "rollback",
            Self::Reset => "reset",
            Self::Finished => "finished",
            Self::BaseReview => "base-review",
        }
    }

    /// Whether a new workflow begins after it.
    fn ends_workflow(self) -> bool {
        matches!(self, Self::Reset | Self::Finished)
    }
}

/// In an entry that ended a workflow: the runs that existed then.
const RUNS: &str = "runs.json";
/// Suffix of an entry that is being written.
const DRAFT: &str = ".draft";

/// Moves files of the memory folder to a new entry of `history/` under their names; missing files are skipped, and
/// `extra` files are written beside them. Returns the entry's path below the memory folder, or `None` when there was
/// nothing to move.
///
/// The entry appears complete before the originals are removed, in the given order: after a kill in between, a file is
/// in both places, never in neither.
pub(super) fn set_aside(
    memory: &Dir,
    why: SetAside,
    files: &[&str],
    extra: &[(&str, &[u8])],
    runs: &[RunId],
) -> io::Result<Option<String>> {
    let present: Vec<&str> = files.iter().copied().filter(|file| memory.symlink_metadata(file).is_ok()).collect();
    let closed = past(memory)?.closed_runs;
    let closes_runs = why.ends_workflow() && runs.iter().any(|run| !closed.contains(run.as_str()));
    if present.is_empty() && extra.is_empty() && !closes_runs {
        return Ok(None);
    }
    let history = match find_folder(memory, HISTORY)? {
        Some(history) => history,
        None => {
            memory.create_dir(HISTORY)?;
            memory.open_dir(HISTORY)?
        }
    };
    let full = || io::Error::other("its entries have numbers as high as there are; move them away");
    let last = entries(&history)?.last().map_or(0, |(number, _)| *number);
    let names = (last..u32::MAX).map(|last| format!("{:04}-{}", last + 1, why.as_str()));
    // A name that is taken by something other than an entry is skipped.
    let is_free = |name: &String| {
        let draft = history.symlink_metadata(format!("{name}{DRAFT}"));
        history.symlink_metadata(name).is_err() && draft.map_or(true, |draft| draft.is_dir())
    };
    let name = names.into_iter().find(is_free).ok_or_else(full)?;
    let draft = format!("{name}{DRAFT}");
    if history.symlink_metadata(&draft).is_ok() {
        history.remove_dir_all(&draft)?;
    }
    history.create_dir(&draft)?;
    let entry = history.open_dir(&draft)?;
    if why.ends_workflow() {
        let ids: Vec<&str> = runs.iter().map(RunId::as_str).collect();
        workspace::replace(&entry, RUNS, serde_json::to_string(&ids)?.as_bytes(), 0o644)?;
    }
    for (file, bytes) in extra {
        workspace::replace(&entry, file, bytes, 0o644)?;
    }
    // A folder cannot be linked, only moved.
    let (folders, present): (Vec<&str>, Vec<&str>) =
        present.into_iter().partition(|file| memory.symlink_metadata(file).is_ok_and(|metadata| metadata.is_dir()));
    for file in &present {
        memory.hard_link(file, &entry, file)?;
    }
    workspace::sync_folder(&entry)?;
    history.rename(&draft, &history, &name)?;
    workspace::sync_folder(&history)?;
    for file in folders {
        memory.rename(file, &entry, file)?;
    }
    for file in present {
        take_out(memory, &entry, file)?;
    }
    workspace::sync_folder(memory)?;
    Ok(Some(format!("history/{name}")))
}

/// Removes a file that an entry has. One that was saved since it was linked there is another file, and takes the place of the
/// older one.
fn take_out(memory: &Dir, entry: &Dir, file: &str) -> io::Result<()> {
    // Between two names of one file this does nothing.
    memory.rename(file, entry, file)?;
    match memory.remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes an entry whose files were restored.
pub(super) fn drop_entry(memory: &Dir, entry: &str) -> io::Result<()> {
    let draft = format!("{entry}{DRAFT}");
    memory.rename(entry, memory, &draft)?;
    memory.remove_dir_all(draft)
}

/// Whether an entry was made by a rollback of the whole workflow.
pub(super) fn is_whole_rollback(entry: &str, has: impl Fn(&str) -> bool) -> bool {
    entry.ends_with(SetAside::Rollback.as_str()) && has(&format!("{entry}/{}", Round::FILE))
}

impl Past {
    /// Repair rounds in a row that were begun last. Tasks that were tried again belong to their round.
    pub(super) fn repair_rounds(&self) -> u32 {
        let is = |entry: &&String, why: SetAside| entry.ends_with(&format!("-{}", why.as_str()));
        let of_rounds = self.entries.iter().rev().filter(|entry| !is(entry, SetAside::Retry));
        of_rounds.take_while(|entry| is(entry, SetAside::Repair)).count() as u32
    }

    /// The entry whose plan the next plan has to answer to: the last entry with a plan, if that plan was set aside to
    /// be changed.
    pub(super) fn plan_to_change(&self, has_plan: impl Fn(&str) -> bool) -> Option<&str> {
        let entry = self.entries.iter().rev().find(|entry| has_plan(entry))?;
        let changes = [SetAside::RePlan, SetAside::Revise].iter().any(|why| entry.ends_with(why.as_str()));
        changes.then_some(entry.as_str())
    }

    /// Whether the current plan has been implemented before: an entry made since the plan exists holds a round or a
    /// report.
    pub(super) fn is_implemented(&self, has: impl Fn(&str, &str) -> bool) -> bool {
        let since = self.entries.iter().rev().take_while(|entry| !has(entry, PlanOutput::FILE));
        since.into_iter().any(|entry| has(entry, Round::FILE) || has(entry, ImplReport::FILE))
    }
}

/// Removes entries that a killed run left incomplete; the originals are still in place.
pub(super) fn sweep(memory: &Dir) -> io::Result<()> {
    let Some(history) = find_folder(memory, HISTORY)? else { return Ok(()) };
    for entry in history.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(DRAFT)) && entry.file_type()?.is_dir() {
            history.remove_dir_all(&name)?;
        }
    }
    Ok(())
}

/// What `history/` says about the current workflow.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// Ids of runs that belong to earlier workflows.
    pub(super) closed_runs: HashSet<String>,
    /// Folders of the entries that belong to this workflow, oldest first, below the memory folder.
    pub(super) entries: Vec<String>,
}

/// Reads what `history/` says about the current workflow.
pub(super) fn past(memory: &Dir) -> io::Result<Past> {
    let Some(history) = find_folder(memory, HISTORY)? else { return Ok(Past::default()) };
    let mut past = Past::default();
    for (_, name) in entries(&history)? {
        if name.ends_with(SetAside::Reset.as_str()) || name.ends_with(SetAside::Finished.as_str()) {
            past.entries.clear();
            // If an existing file were skipped, work of earlier workflows would count for this one.
            let runs = read_bounded(&history, &format!("{name}/{RUNS}"), MAX_HANDOFF_BYTES);
            let runs = runs.map_err(|fault| io::Error::other(format!("{name}/{RUNS}: {fault}")))?;
            past.closed_runs = runs.and_then(|runs| serde_json::from_slice(&runs).ok()).unwrap_or_default();
        } else if !name.ends_with(SetAside::BaseReview.as_str()) {
            past.entries.push(format!("history/{name}"));
        }
    }
    Ok(past)
}

/// The entries that ended a workflow, oldest first, each with the runs of workflows that existed then. One whose runs cannot be
/// read has none.
pub(super) fn ended_workflows(memory: &Dir) -> io::Result<Vec<(String, Vec<String>)>> {
    let Some(history) = find_folder(memory, HISTORY)? else { return Ok(Vec::new()) };
    let ends = |name: &str| [SetAside::Reset, SetAside::Finished].iter().any(|why| name.ends_with(why.as_str()));
    let names = entries(&history)?.into_iter().map(|(_, name)| name).filter(|name| ends(name));
    let runs_of = |name: &str| {
        let runs = read_bounded(&history, &format!("{name}/{RUNS}"), MAX_HANDOFF_BYTES).ok().flatten();
        runs.and_then(|runs| serde_json::from_slice(&runs).ok()).unwrap_or_default()
    };
    Ok(names.map(|name| (format!("{HISTORY}/{name}"), runs_of(&name))).collect())
}

/// The folders of all entries, of all workflows, oldest first, below the memory folder.
pub(super) fn all(memory: &Dir) -> io::Result<Vec<String>> {
    let Some(history) = find_folder(memory, HISTORY)? else { return Ok(Vec::new()) };
    Ok(entries(&history)?.into_iter().map(|(_, name)| format!("{HISTORY}/{name}")).collect())
}

/// The number and the full name of an entry.
type Numbered = (u32, String);

/// The largest accepted gap between the numbers of consecutive entries: numbers count up by one, and the user may have
/// removed entries.
const MAX_GAP: u32 = 1_000_000;

/// The entries, oldest first. Files, and names with a number that counting cannot have reached, are no entries.
fn entries(history: &Dir) -> io::Result<Vec<Numbered>> {
    Ok(list_entries(history)?.0)
}

/// Names in `history/` that look like entries and are ignored.
pub(super) fn ignored(memory: &Dir) -> io::Result<Vec<String>> {
    let history = find_folder(memory, HISTORY)?;
    history.map_or_else(|| Ok(Vec::new()), |history| Ok(list_entries(&history)?.1))
}

/// The entries, and the names that look like entries and are none.
fn list_entries(history: &Dir) -> io::Result<(Vec<Numbered>, Vec<String>)> {
    let (mut entries, mut ignored) = (Vec::new(), Vec::new());
    for entry in history.entries()? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some((number, _)) = name.split_once('-').filter(|_| !name.ends_with(DRAFT)) else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match number.parse() {
            Ok(number) if entry.file_type()?.is_dir() => entries.push((number, name)),
            _ => ignored.push(name),
        }
    }
    entries.sort();
    let is_gap = |before: u32, number: u32| number - before > MAX_GAP;
    let before = std::iter::once(0).chain(entries.iter().map(|(number, _)| *number));
    let gap = before.zip(&entries).position(|(before, (number, _))| is_gap(before, *number));
    let counted = gap.unwrap_or(entries.len());
    ignored.extend(entries.drain(counted..).map(|(_, name)| name));
    Ok((entries, ignored))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> (tempfile::TempDir, Dir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        (folder, dir)
    }

    #[test]
    fn an_entry_with_an_impossible_number_is_ignored() {
        let (_folder, memory) = memory();
        for name in ["0001-fix", "0003-revise", "4294967295-reset", "99999999999-fix", "2000000-reset", "+7-fix", "x"] {
            memory.create_dir_all(format!("history/{name}")).unwrap();
        }
        memory.write("history/0004-reset", "").unwrap();
        assert_eq!(past(&memory).unwrap().entries, ["history/0001-fix", "history/0003-revise"]);
        let mut names = ignored(&memory).unwrap();
        names.sort();
        assert_eq!(names, ["0004-reset", "2000000-reset", "4294967295-reset", "99999999999-fix"]);
        memory.write("task.md", "x").unwrap();
        let entry = set_aside(&memory, SetAside::Reset, &["task.md"], &[], &[]).unwrap();
        assert_eq!(entry.as_deref(), Some("history/0005-reset"), "what has the next name keeps it");
        memory.write("history/0006-fix.draft", "").unwrap();
        sweep(&memory).unwrap();
    }

    #[test]
    fn what_is_saved_while_it_is_set_aside_is_what_is_kept() {
        for saved in [false, true] {
            let (_folder, memory) = memory();
            memory.create_dir("entry").unwrap();
            let entry = memory.open_dir("entry").unwrap();
            memory.write("plan.md", "old").unwrap();
            memory.hard_link("plan.md", &entry, "plan.md").unwrap();
            if saved {
                workspace::replace(&memory, "plan.md", b"new", 0o644).unwrap();
            }
            take_out(&memory, &entry, "plan.md").unwrap();
            assert_eq!(entry.read_to_string("plan.md").unwrap(), if saved { "new" } else { "old" });
            assert!(!memory.exists("plan.md"));
        }
    }

    #[test]
    fn a_review_against_a_commit_that_was_replaced_is_no_part_of_a_workflow() {
        let (_folder, memory) = memory();
        for name in ["0001-finished", "0002-base-review", "0003-fix", "0004-base-review"] {
            memory.create_dir_all(format!("history/{name}")).unwrap();
        }
        assert_eq!(past(&memory).unwrap().entries, ["history/0003-fix"]);
        assert_eq!(all(&memory).unwrap().len(), 4);
        let copy = [("base_review.json", b"{}".as_slice())];
        let entry = set_aside(&memory, SetAside::BaseReview, &[], &copy, &[]).unwrap();
        assert_eq!(entry.as_deref(), Some("history/0005-base-review"));
    }

    #[test]
    fn repair_rounds_are_counted_since_the_last_other_round() {
        let entries = ["0001-fix", "0002-repair", "0003-phase", "0004-repair", "0005-retry", "0006-repair"];
        let past = |count: usize| Past {
            entries: entries[..count].iter().map(|name| format!("history/{name}")).collect(),
            ..Past::default()
        };
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|count| past(count).repair_rounds()), [0, 0, 1, 0, 1, 1, 2]);
    }

    #[test]
    fn a_folder_in_a_files_place_is_set_aside_too() {
        let (_folder, memory) = memory();
        memory.create_dir_all("plan.json/inner").unwrap();
        memory.write("review.json", "{}").unwrap();
        let entry = set_aside(&memory, SetAside::Reset, &["plan.json", "review.json"], &[], &[]).unwrap().unwrap();
        assert!(memory.exists(format!("{entry}/plan.json/inner")) && memory.exists(format!("{entry}/review.json")));
        assert!(!memory.exists("plan.json") && !memory.exists("review.json"));
    }
}
