use std::io;

use cap_std::fs::Dir;

use super::run_id::RunId;
use crate::contracts::{Handoff, ImplReport, PlanOutput, Round};
use crate::workspace;

/// Why files went to `history/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAside {
    /// A fix round follows.
    Fix,
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
}

impl SetAside {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::RePlan => "re-plan",
            Self::Revise => "revise",
            Self::Retry => "retry",
            Self::Phase => "phase",
            Self::Rollback => "rollback",
            Self::Reset => "reset",
            Self::Finished => "finished",
        }
    }

    /// Whether a new workflow begins after it.
    fn ends_workflow(self) -> bool {
        matches!(self, Self::Reset | Self::Finished)
    }
}

/// Of an entry that ended a workflow: the runs there were by then.
const RUNS: &str = "runs.json";
/// Ending of an entry that is being made.
const DRAFT: &str = ".draft";

/// Move files of the memory folder to a new entry of `history/`, keeping their names; missing files are passed over.
/// `extra` files are written beside them. Returns the entry's path below the memory folder, or `None` when there was
/// nothing to keep.
///
/// The entry appears whole, and only then do the originals go, in the order given: whoever is killed in between leaves
/// a file in both places and never in none.
pub(super) fn set_aside(
    memory: &Dir,
    why: SetAside,
    files: &[&str],
    extra: &[(&str, &[u8])],
    runs: &[RunId],
) -> io::Result<Option<String>> {
    let present: Vec<&str> = files.iter().copied().filter(|file| memory.symlink_metadata(file).is_ok()).collect();
    let closed = past(memory)?.closed_runs;
    let closes_runs = why.ends_workflow() && runs.iter().any(|run| !closed.iter().any(|id| id == run.as_str()));
    if present.is_empty() && extra.is_empty() && !closes_runs {
        return Ok(None);
    }
    memory.create_dir_all("history")?;
    let history = memory.open_dir("history")?;
    let next = entries(&history)?.last().map_or(1, |(number, _)| number + 1);
    let name = format!("{next:04}-{}", why.as_str());
    let draft = format!("{name}{DRAFT}");
    if history.exists(&draft) {
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
    for file in &present {
        memory.hard_link(file, &entry, file)?;
    }
    workspace::sync_folder(&entry)?;
    history.rename(&draft, &history, &name)?;
    workspace::sync_folder(&history)?;
    for file in present {
        memory.remove_file(file)?;
    }
    workspace::sync_folder(memory)?;
    Ok(Some(format!("history/{name}")))
}

/// Remove an entry whose files were brought back.
pub(super) fn drop_entry(memory: &Dir, entry: &str) -> io::Result<()> {
    let draft = format!("{entry}{DRAFT}");
    memory.rename(entry, memory, &draft)?;
    memory.remove_dir_all(draft)
}

/// Whether an entry holds what a rollback of the whole workflow set aside.
pub(super) fn is_whole_rollback(memory: &Dir, entry: &str) -> bool {
    entry.ends_with(SetAside::Rollback.as_str()) && memory.exists(format!("{entry}/{}", Round::FILE))
}

impl Past {
    /// The entry whose plan a plan that is to be made now must answer to: the last one with a plan, unless that plan
    /// was set aside for another reason than to be changed.
    pub(super) fn plan_to_change(&self, has_plan: impl Fn(&str) -> bool) -> Option<&str> {
        let entry = self.entries.iter().rev().find(|entry| has_plan(entry))?;
        let changes = [SetAside::RePlan, SetAside::Revise].iter().any(|why| entry.ends_with(why.as_str()));
        changes.then_some(entry.as_str())
    }

    /// Whether implementing the plan at hand has begun before: of the entries made since there is this plan, one holds
    /// a round or a report.
    pub(super) fn is_implemented(&self, has: impl Fn(&str, &str) -> bool) -> bool {
        let since = self.entries.iter().rev().take_while(|entry| !has(entry, PlanOutput::FILE));
        since.into_iter().any(|entry| has(entry, Round::FILE) || has(entry, ImplReport::FILE))
    }
}

/// Remove the entries that a killed run left half-made; the originals are where they were.
pub(super) fn sweep(memory: &Dir) -> io::Result<()> {
    let history = match memory.open_dir("history") {
        Ok(history) => history,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in history.entries()? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(DRAFT)) {
            history.remove_dir_all(&name)?;
        }
    }
    Ok(())
}

/// What `history/` tells of the workflow at hand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// Ids of runs that belong to earlier workflows.
    pub(super) closed_runs: Vec<String>,
    /// Folders of the entries that belong to this workflow, oldest first, below the memory folder.
    pub(super) entries: Vec<String>,
}

/// Read what `history/` tells of the workflow at hand.
pub(super) fn past(memory: &Dir) -> io::Result<Past> {
    let history = match memory.open_dir("history") {
        Ok(history) => history,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Past::default()),
        Err(error) => return Err(error),
    };
    let mut past = Past::default();
    for (_, name) in entries(&history)? {
        if name.ends_with(SetAside::Reset.as_str()) || name.ends_with(SetAside::Finished.as_str()) {
            past.entries.clear();
            let runs = history.read(format!("{name}/{RUNS}")).unwrap_or_default();
            past.closed_runs = serde_json::from_slice(&runs).unwrap_or_default();
        } else {
            past.entries.push(format!("history/{name}"));
        }
    }
    Ok(past)
}

fn entries(history: &Dir) -> io::Result<Vec<(u32, String)>> {
    let mut entries = Vec::new();
    for entry in history.entries()? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if name.ends_with(DRAFT) {
            continue;
        }
        if let Some(number) = name.split('-').next().and_then(|number| number.parse().ok()) {
            entries.push((number, name));
        }
    }
    entries.sort();
    Ok(entries)
}
