//! Jobs in a view: what a command did in its room, and what of it comes back.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::super::bound::{Bound, Left, look_again};
use super::super::changed;
use super::super::hints::{busy_folders, emptied, hints, missing_secrets, too_many};
use super::super::job::{Ended, Job, Place, Ran, Traces, ViewEdit};
use super::super::launch::{Came, Given, run_room};
use super::super::output::Output;
use super::super::process::not_run;
use super::super::said::{not_looked_through, of_ignored};
use super::super::through::Through;
use super::super::why::sentence;
use super::kind::View;
use crate::contracts::RepoPath;
use crate::workspace::Workspace;

impl View {
    /// Runs a job in a room of its own. At the end of a round a command that removes a folder of caches itself, which it
    /// cannot where that is the real one, is run once more with one that is the room's.
    pub(in super::super) async fn run(
        &self,
        workspace: &Workspace,
        memory_dir: &RepoPath,
        job: &Job,
        log: std::fs::File,
        cancel: &CancellationToken,
    ) -> Ran {
        let again = log.try_clone();
        let (ran, through) = self.attempt(workspace, memory_dir, job, &[], log, cancel).await;
        let busy: Vec<String> = match ran.ended {
            Ended::Exited(code) if code != 0 => busy_folders(&ran.output, &through),
            _ => Vec::new(),
        };
        let rest = job.timeout.saturating_sub(ran.elapsed);
        match again {
            Ok(log) if !busy.is_empty() && !rest.is_zero() => {
                let job = Job { timeout: rest, ..job.clone() };
                let (mut second, _) = self.attempt(workspace, memory_dir, &job, &busy, log, cancel).await;
                second.elapsed += ran.elapsed;
                second.hints.push(format!(
                    "It was run twice: it removes {}, and could not the first time, where that was the real folder. The \
                     second time it was the view's own, and what is built there is not kept.",
                    busy.join(", ")
                ));
                second
            }
            _ => ran,
        }
    }

    /// Runs a job once; `own` are ignored folders that the room gets a copy on write of. Returns those that are the real
    /// ones, too.
    async fn attempt(
        &self,
        workspace: &Workspace,
        memory_dir: &RepoPath,
        job: &Job,
        own: &[String],
        log: std::fs::File,
        cancel: &CancellationToken,
    ) -> (Ran, Vec<String>) {
        let prepared = match self.prepare(workspace, memory_dir, job, own, cancel).await {
            Ok(prepared) => prepared,
            Err(_) if cancel.is_cancelled() => {
                return (Ran { ended: Ended::Cancelled, ..not_run(String::new()) }, Vec::new());
            }
            Err(reason) => return (not_run(reason), Vec::new()),
        };
        let (edits, touched): (&[ViewEdit], &[RepoPath]) = match &job.place {
            Place::Try { edits, touched } => (edits, touched.as_deref().unwrap_or_default()),
            Place::End { touched } => (&[], touched),
        };
        let mut masked = prepared.environment.masked.clone();
        if job.secrets {
            masked.extend(prepared.found.values());
        }
        let mut output = Output::new(log, &masked);
        let contents = edits.iter().filter_map(|edit| edit.content.as_deref()).collect();
        let given = Given { setup: &prepared.setup, contents, limit: job.timeout };
        let mut counted = BTreeSet::new();
        let came = run_room(given, &mut output, cancel, |changes| {
            counted = changed::counted(workspace, touched.iter().chain(edits.iter().map(|edit| &edit.path)));
            changed::wanted(changes, &counted, memory_dir)
        })
        .await;
        let Came { ended, elapsed, fault, changes, files, was_full, .. } = came;
        let mut replaced = changed::replaced(&changes, &counted, memory_dir);
        let mut changed = changed::deleted(&changes, &counted, memory_dir);
        changed.extend(files.into_iter().filter_map(|(path, mode, content)| {
            let path = changed::may_change(&path, memory_dir)?;
            Some(ViewEdit { path, content: Some(content), mode: Some(mode) })
        }));
        changed.sort_by(|one, other| one.path.cmp(&other.path));
        let mut traces = None;
        if matches!(job.place, Place::Try { .. }) {
            let is_known = prepared.setup.collect && fault.is_none() && matches!(ended, Ended::Exited(_));
            let is_clean = replaced.is_empty() && changed::are_edits(&changed, edits);
            traces = is_known.then_some(Traces { is_clean, written: changes.written.len() });
            // Nothing of it is taken over.
            (changed, replaced) = Default::default();
        }
        let output = output.into_text();
        let mut hints = hints(job, &ended, &output);
        let is_end = matches!(job.place, Place::End { .. });
        if let (Some(fault), true, false) = (fault, is_end, matches!(ended, Ended::NotRun(_))) {
            hints.push(format!("What it changed could not be taken over: could not {}: {}.", fault.step, fault.reason));
        }
        if !job.secrets && !matches!(ended, Ended::Exited(0) | Ended::NotRun(_) | Ended::Cancelled) {
            hints.extend(missing_secrets(&output, &prepared.found.in_workspace(workspace.root())));
        }
        if !matches!(ended, Ended::Exited(0) | Ended::NotRun(_) | Ended::Cancelled) {
            hints.extend(emptied(&prepared.emptied));
        }
        hints.extend(too_many(was_full));
        if !matches!(ended, Ended::NotRun(_)) {
            hints.extend(not_looked_through(&prepared.found.cut).map(|said| sentence(&said)));
            let Through { bound, not_bound } = prepared.through;
            let left = left_in(workspace, bound);
            // Who cancels does not wait for it; it is done all the same.
            let left = if ended == Ended::Cancelled { Left::default() } else { left.await.unwrap_or_default() };
            hints.extend(of_ignored(&not_bound, &left));
        }
        drop(prepared.scratch);
        (Ran { ended, elapsed, output, changed, replaced, hints, traces }, prepared.setup.through)
    }
}

/// Looks at what a check left in the folders that were the real ones.
fn left_in(workspace: &Workspace, bound: Vec<Bound>) -> tokio::task::JoinHandle<Left> {
    let workspace = workspace.clone();
    tokio::task::spawn_blocking(move || look_again(workspace.dir(), &bound))
}
