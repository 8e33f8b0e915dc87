//! Which kind of view this machine and this workspace allow: each is tried, the best first.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use tokio_util::sync::CancellationToken;

use super::super::bwrap::Bwrap;
use super::super::hidden::at_home;
use super::super::job::{Ended, Job, Place};
use super::super::launch::{Given, run_room};
use super::super::output::Output;
use super::super::refused::{Refused, why};
use super::super::said::{not_looked_through, unfiltered};
use super::super::scratch;
use super::super::sockets::sockets;
use super::super::user::User;
use super::super::why::Why;
use super::kind::{Outside, Upper, View, places};
use crate::contracts::RepoPath;
use crate::workspace::Workspace;

/// How long the command of a probe may take: it does nothing.
const PROBE: Duration = Duration::from_secs(10);

impl View {
    /// Makes a room, runs `true` in it, and says why this machine refuses that if it does. A view may have something to be
    /// said of it, too. Where the workspace is what makes it fail, there is a view all the same, in which nothing runs:
    /// else a file could give a check more rights.
    pub(in super::super) async fn find(
        workspace: &Workspace,
        memory_dir: &RepoPath,
        cancel: &CancellationToken,
    ) -> Result<(Self, Option<Why>), Why> {
        let user = User::of_process();
        if workspace.root().parent().is_none() {
            return Err(Why::unknown("the workspace is the root of the file system, over which nothing can be laid"));
        }
        let mut uppers = vec![Upper::Memory];
        if let Some(views) = &user.views {
            let views = views.clone();
            let swept = tokio::task::spawn_blocking(move || {
                scratch::sweep(&views);
                scratch::can_be_upper(&views)
            });
            if swept.await.unwrap_or(false) {
                uppers.insert(0, Upper::Disk);
            }
        }
        let places = places(workspace.root(), &user);
        let outside = move || Arc::new(Outside { at_home: at_home(&places), special: sockets(), ..Outside::default() });
        let outside = tokio::task::spawn_blocking(outside).await.map_err(|error| Why::unknown(error.to_string()))?;
        let mut first: Option<Refused> = None;
        for upper in uppers.clone() {
            let view = Self {
                user: user.clone(),
                upper,
                is_copy: false,
                bwrap: None,
                lays_more: true,
                outside: outside.clone(),
            };
            match view.probe(workspace, memory_dir, cancel).await {
                Ok(said) => return Ok((view, said.map(|long| Why::new("", long)))),
                Err(refused) => {
                    if first.as_ref().is_none_or(|first| !first.is_of_machine() && refused.is_of_machine()) {
                        first = Some(refused);
                    }
                }
            }
        }
        let Some(refused) = first else { return Err(Why::unknown("there is no place for a view")) };
        let is_copy = refused.is_of_overlays();
        let view = Self { user, upper: uppers[0], is_copy, bwrap: None, lays_more: true, outside };
        if !view.is_copy {
            return match refused.is_of_machine() {
                true => view.by_bwrap(refused.why, workspace, memory_dir, cancel).await,
                false => refused.or_nothing_runs(view),
            };
        }
        let why = refused.why;
        if let Some(no_folder) = view.refuses_scratch() {
            return Err(Why { long: format!("{}; and with a copy: {no_folder}", why.long), ..why });
        }
        match view.probe(workspace, memory_dir, cancel).await {
            Ok(said) => {
                let long = format!(
                    "{}, so that a check works on a copy of the workspace, which is made anew for each and takes longer",
                    why.long
                );
                let long = [Some(long), said].into_iter().flatten().collect::<Vec<_>>().join(". ");
                Ok((view, Some(Why::new("on a copy", long))))
            }
            Err(Refused { why: of_copy, fault }) => {
                let long = format!("{}; and with a copy: {}", why.long, of_copy.long);
                Refused { why: Why { long, ..why }, fault }.or_nothing_runs(view)
            }
        }
    }

    /// The same made by bwrap, where this machine lets that do what it refuses to Baton for this reason.
    async fn by_bwrap(
        self,
        ours: Why,
        workspace: &Workspace,
        memory_dir: &RepoPath,
        cancel: &CancellationToken,
    ) -> Result<(Self, Option<Why>), Why> {
        let and = |reason: &str| Why { long: format!("{}; {reason}", ours.long), ..ours };
        let bwrap = match Bwrap::find(&self.user.program_folders(), workspace.root()).await {
            Ok(Some(bwrap)) => bwrap,
            Ok(None) => return Err(ours),
            Err(reason) => return Err(and(&reason)),
        };
        let name = bwrap.name();
        if self.upper != Upper::Disk {
            return Err(and(&format!(
                "{name} needs a cache folder on a disk that can be the upper layer of an overlay"
            )));
        }
        let view = Self { bwrap: Some(bwrap), ..self };
        let mut last = None;
        for lays_more in [true, false] {
            let view = Self { lays_more, ..view.clone() };
            match view.probe(workspace, memory_dir, cancel).await {
                Ok(said) => {
                    let long = format!("the view is made by {name}, as Baton may make none itself: {}", ours.long);
                    let long = [Some(long), only_counted(), said];
                    let long = long.into_iter().flatten().collect::<Vec<_>>();
                    return Ok((view, Some(Why::new("", long.join(". ")))));
                }
                Err(refused) if refused.is_of_machine() => return Err(and(&format!("{name}: {}", refused.why.long))),
                Err(refused) => last = Some(refused),
            }
        }
        match last {
            Some(refused) => refused.or_nothing_runs(view),
            None => Err(ours),
        }
    }

    /// Does it once, with a command that does nothing; returns what is to be said of the view.
    async fn probe(
        &self,
        workspace: &Workspace,
        memory_dir: &RepoPath,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, Refused> {
        let unknown = |long: String| Refused { why: Why::unknown(long), fault: None };
        let place = Place::Try { edits: Vec::new(), touched: None };
        let job = Job { command: "true".to_owned(), timeout: PROBE, network: false, secrets: false, place };
        let mut prepared = self.prepare(workspace, memory_dir, &job, &[], cancel).await.map_err(unknown)?;
        prepared.setup.probe = true;
        let log = std::fs::OpenOptions::new().write(true).open("/dev/null");
        let mut output = Output::new(log.map_err(|error| unknown(error.to_string()))?, &[]);
        let given = Given { setup: &prepared.setup, contents: Vec::new(), limit: job.timeout };
        let came = run_room(given, &mut output, cancel, |_| Vec::new()).await;
        match (came.ended, came.fault) {
            (Ended::Exited(0), _) => {
                let said = [not_looked_through(&prepared.found.cut), came.unfiltered.as_deref().map(unfiltered)];
                let said: Vec<String> = said.into_iter().flatten().collect();
                Ok((!said.is_empty()).then(|| said.join(". ")))
            }
            (_, Some(fault)) => Err(Refused { why: why(&fault), fault: Some(fault) }),
            (Ended::NotRun(reason), None) => Err(unknown(reason)),
            (ended, None) => {
                let output = output.into_text();
                Err(unknown(format!("`true` did not succeed in it: {ended:?}, {}", output.trim())))
            }
        }
    }
}

/// What is to be said of a view by bwrap for root, whom no limit of processes holds there.
fn only_counted() -> Option<String> {
    let said = "What root starts in it is only counted: a check with too many processes is ended late";
    geteuid().is_root().then(|| said.to_owned())
}
