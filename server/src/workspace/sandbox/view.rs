//! Level `view`: the room that fits this user and this workspace, and the jobs in it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::geteuid;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::bound::{Bound, Left, NotBound, look_again};
use super::bwrap::Bwrap;
use super::changed;
use super::copy::copy_workspace;
use super::environment::{Environment, Wanted, of_check};
use super::few_mounts::{MOST_BY_BWRAP, at_most, few};
use super::hidden::{Found, Listings, Places, at_home, find, home_of_user, outer_repository};
use super::hints::{busy_folders, emptied, hints, missing_secrets, too_many};
use super::job::{Ended, Job, Place, Ran, ViewEdit};
use super::launch::{Came, Given, run_room};
use super::limits::pid_max;
use super::output::Output;
use super::process::not_run;
use super::refused::{Refused, why};
use super::room::{Edit, Inside, Setup, Tree};
use super::said::{not_looked_through, of_ignored, unfiltered};
use super::scratch::{self, Scratch};
use super::sockets::{listed_sockets, sockets};
use super::through::{Through, ignored_folders, make_build_folders};
use super::user::{User, memory_bytes};
use super::why::{Why, sentence};
use crate::contracts::RepoPath;
use crate::workspace::Workspace;
use crate::workspace::git::repository_folder;

/// How long the command of a probe may take: it does nothing.
const PROBE: Duration = Duration::from_secs(10);

/// How long it may take to look up what a room is made of, and to copy a workspace.
const TO_PREPARE: Duration = Duration::from_secs(60);

const NO_CACHE: &str = "there is no cache folder for a copy of the workspace";

/// A kind of view that was tried out here.
#[derive(Debug, Clone)]
pub(super) struct View {
    user: User,
    upper: Upper,
    /// Whether a copy stands in for the workspace.
    is_copy: bool,
    /// What makes the view, where this machine refuses it to Baton.
    bwrap: Option<Bwrap>,
    /// Whether the folders of tools outside of the home folder are laid over; else they are read-only.
    lays_more: bool,
    outside: Arc<Outside>,
}

/// What is looked up once, as it takes its time.
#[derive(Debug, Default)]
struct Outside {
    at_home: Found,
    /// Sockets and FIFOs.
    special: Vec<PathBuf>,
    /// What the folders of the workspace held at the last check.
    listings: Mutex<Listings>,
}

/// Where what is written in a view goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// A folder in the user's cache.
    Disk,
    /// A file system in memory.
    Memory,
}

/// What a room is made of for one job.
struct Prepared {
    setup: Setup,
    scratch: Option<Scratch>,
    environment: Environment,
    found: Found,
    /// Folders that are empty, as there are too many secrets in them.
    emptied: Vec<PathBuf>,
    /// The folders that are the real ones.
    through: Through,
}

impl View {
    /// Makes a room, runs `true` in it, and says why this machine refuses that if it does. A view may have something to be
    /// said of it, too. Where the workspace is what makes it fail, there is a view all the same, in which nothing runs:
    /// else a file could give a check more rights.
    pub(super) async fn find(
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

    /// What makes it, where Baton may not: `by bwrap 0.11`.
    pub(super) fn maker(&self) -> Option<String> {
        self.bwrap.as_ref().map(|bwrap| format!("by {}", bwrap.name()))
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
        let place = Place::Try { edits: Vec::new() };
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

    /// Runs a job in a room of its own. At the end of a round a command that removes a folder of caches itself, which it
    /// cannot where that is the real one, is run once more with one that is the room's.
    pub(super) async fn run(
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
            Place::Try { edits } => (edits, &[]),
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
            counted = changed::counted(workspace, touched);
            changed::wanted(changes, &counted, memory_dir)
        })
        .await;
        let Came { ended, elapsed, fault, changes, files, was_full, .. } = came;
        let replaced = changed::replaced(&changes, &counted, memory_dir);
        let mut changed = changed::deleted(&changes, &counted, memory_dir);
        changed.extend(files.into_iter().filter_map(|(path, mode, content)| {
            let path = changed::may_change(&path, memory_dir)?;
            Some(ViewEdit { path, content: Some(content), mode: Some(mode) })
        }));
        changed.sort_by(|one, other| one.path.cmp(&other.path));
        let output = output.into_text();
        let mut hints = hints(job, &ended, &output);
        if let (Some(fault), false) = (fault, matches!(ended, Ended::NotRun(_))) {
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
        (Ran { ended, elapsed, output, changed, replaced, hints }, prepared.setup.through)
    }

    /// Looks up what the room of a job is made of.
    async fn prepare(
        &self,
        workspace: &Workspace,
        memory_dir: &RepoPath,
        job: &Job,
        own: &[String],
        cancel: &CancellationToken,
    ) -> Result<Prepared, String> {
        let (view, workspace, memory_dir) = (self.clone(), workspace.clone(), memory_dir.clone());
        let (own, cancel) = (own.to_vec(), cancel.clone());
        let job = Job { place: bare(&job.place), ..job.clone() };
        let prepared = move || view.prepare_blocking(&workspace, &memory_dir, job, &own, &cancel);
        let prepared = timeout(TO_PREPARE, tokio::task::spawn_blocking(prepared)).await;
        let prepared = prepared.map_err(|_| format!("the set-up took longer than {} s", TO_PREPARE.as_secs()))?;
        prepared.map_err(|error| format!("the sandbox could not be prepared: {error}"))?
    }

    fn prepare_blocking(
        &self,
        workspace: &Workspace,
        memory_dir: &RepoPath,
        job: Job,
        own_folders: &[String],
        cancel: &CancellationToken,
    ) -> Result<Prepared, String> {
        let root = workspace.root();
        let wanted = Wanted { secrets: job.secrets, network: job.network, is_view: true, runtime_dir: None };
        let environment = of_check(&self.user.variables, wanted);
        let mut own = self.user.own.clone();
        own.push(root.join(memory_dir.as_str()));
        let places = Places {
            own,
            named: environment.secret_places.iter().map(PathBuf::from).collect(),
            ..places(root, &self.user)
        };
        let found = {
            // What a panic left of them is as good as nothing.
            let mut listings = self.outside.listings.lock().unwrap_or_else(PoisonError::into_inner);
            find(&places, &self.outside.at_home, &mut listings)
        };
        let scratch = self.scratch()?;
        let mut kept = self.user.needed(job.network);
        let outer = outer_repository(&places);
        // The rest of the repository that the workspace lies in.
        kept.extend(outer.clone());
        let hidden = found.for_check(job.secrets).map(|hidden| hidden.path.clone());
        let special = found.special.iter().chain(&self.outside.special).cloned().chain(listed_sockets());
        let masked = found.masked.iter().filter(|_| !job.secrets);
        let masked = masked.map(|masked| (masked.path.clone().into_os_string(), masked.content.clone())).collect();
        let roots: Vec<&Path> = self.home(root).into_iter().chain(outer.as_deref()).chain([root]).collect();
        let few = match self.bwrap {
            Some(_) => at_most(MOST_BY_BWRAP, hidden.chain(special).collect(), &roots)?,
            None => few(hidden.chain(special).collect(), &roots)?,
        };
        let hidden: Vec<OsString> = few.paths.into_iter().map(OsString::from).collect();
        let (edits, through) = match &job.place {
            Place::Try { edits } => (edits.iter().map(header).collect(), Through::default()),
            Place::End { .. } => {
                make_build_folders(workspace).map_err(|error| error.to_string())?;
                let folders = ignored_folders(workspace, memory_dir).map_err(|error| error.to_string())?;
                (Vec::new(), self.without(folders, own_folders))
            }
        };
        let folders: Vec<String> = through.bound.iter().map(|bound| bound.folder.clone()).collect();
        let parts = through.bound.iter().flat_map(|bound| &bound.parts).map(Into::into).collect();
        let tree = match &scratch {
            Some(scratch) if self.is_copy => copy_workspace(workspace, scratch, &hidden, &folders, cancel)?,
            _ => self.bwrap.as_ref().map_or(Tree::Overlay, |bwrap| Tree::Bwrap(bwrap.program.clone().into())),
        };
        let is_root = geteuid().is_root();
        let foreign_files = is_root && is_owned_by_another(root);
        let inside = Inside {
            command: job.command,
            environment: environment.variables.clone(),
            root: root.into(),
            foreign_files,
            pid_max: pid_max(),
        };
        let setup = Setup {
            root: root.into(),
            tree,
            home: self.home(root).map(Into::into),
            more: if self.lays_more { self.more_folders(workspace) } else { Vec::new() },
            scratch: scratch.as_ref().filter(|_| self.upper == Upper::Disk).map(|scratch| scratch.path().into()),
            covered: self.user.covered.iter().map(Into::into).collect(),
            kept: kept.into_iter().map(Into::into).collect(),
            hidden,
            masked,
            through: folders,
            parts,
            edits,
            network: job.network,
            map_outside: is_root,
            foreign_files,
            memory: memory_bytes(),
            probe: false,
            collect: matches!(job.place, Place::End { .. }),
            inside,
        };
        Ok(Prepared { setup, scratch, environment, found, emptied: few.emptied, through })
    }

    /// Without the folders that the room gets a copy on write of. Where no overlay can be laid, a folder that needs some is
    /// copied with the rest.
    fn without(&self, through: Through, own_folders: &[String]) -> Through {
        let Through { mut bound, mut not_bound } = through;
        bound.retain(|bound| !own_folders.contains(&bound.folder));
        if self.is_copy {
            let copied = bound.extract_if(.., |bound| !bound.parts.is_empty());
            not_bound.extend(copied.map(|bound| (bound.folder, NotBound::Parts)));
        }
        Through { bound, not_bound }
    }

    /// A folder on disk, where this view needs one.
    fn scratch(&self) -> Result<Option<Scratch>, String> {
        match &self.user.views {
            Some(views) if self.is_copy || self.upper == Upper::Disk => {
                let made = Scratch::new(views);
                made.map(Some).map_err(|error| format!("{} cannot be written: {error}", views.display()))
            }
            None if self.is_copy => Err(NO_CACHE.to_owned()),
            _ => Ok(None),
        }
    }

    /// Why no folder can be made on disk, if that is not for want of room.
    fn refuses_scratch(&self) -> Option<String> {
        let Some(views) = &self.user.views else { return Some(NO_CACHE.to_owned()) };
        let error = Scratch::new(views).err()?;
        let refused = [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::ReadOnlyFilesystem];
        refused.contains(&error.kind()).then(|| format!("{} cannot be written: {error}", views.display()))
    }

    /// The home folder, if an overlay is laid over it. Where it is in the workspace, the one overlay is for both; where it is
    /// a folder that each room has of its own, such as `/tmp`, it is the room's.
    fn home(&self, root: &Path) -> Option<&Path> {
        let is_of_room = |home: &Path| self.user.covered.iter().any(|covered| covered.starts_with(home));
        self.user.home.as_deref().filter(|home| !home.starts_with(root) && !is_of_room(home))
    }

    /// The folders that tools write to, outside of the workspace and the home folder.
    fn more_folders(&self, workspace: &Workspace) -> Vec<OsString> {
        let is_laid_over = |path: &PathBuf| {
            path.starts_with(workspace.root()) || self.home(workspace.root()).is_some_and(|home| path.starts_with(home))
        };
        let mut more = self.user.tool_folders();
        more.extend(repository_folder(workspace));
        more.retain(|folder| !is_laid_over(folder) && folder.parent().is_some());
        more.into_iter().map(PathBuf::into_os_string).collect()
    }
}

/// Looks at what a check left in the folders that were the real ones.
fn left_in(workspace: &Workspace, bound: Vec<Bound>) -> tokio::task::JoinHandle<Left> {
    let workspace = workspace.clone();
    tokio::task::spawn_blocking(move || look_again(workspace.dir(), &bound))
}

/// What is to be said of a view by bwrap for root, whom no limit of processes holds there.
fn only_counted() -> Option<String> {
    let said = "What root starts in it is only counted: a check with too many processes is ended late";
    geteuid().is_root().then(|| said.to_owned())
}

/// Where secrets are looked for.
fn places(root: &Path, user: &User) -> Places {
    let homes = user.home.iter().cloned().chain(home_of_user()).collect();
    Places { workspace: root.to_owned(), homes, ..Places::default() }
}

/// The same place without the contents of its edits.
fn bare(place: &Place) -> Place {
    match place {
        Place::Try { edits } => {
            let bare = |edit: &ViewEdit| ViewEdit {
                path: edit.path.clone(),
                content: edit.content.as_ref().map(|_| Vec::new()),
                mode: edit.mode,
            };
            Place::Try { edits: edits.iter().map(bare).collect() }
        }
        Place::End { touched } => Place::End { touched: touched.clone() },
    }
}

fn header(edit: &ViewEdit) -> Edit {
    Edit { path: edit.path.as_str().to_owned(), deleted: edit.content.is_none(), mode: edit.mode }
}

/// Whether root works in somebody else's folder.
fn is_owned_by_another(root: &Path) -> bool {
    std::fs::metadata(root).is_ok_and(|metadata| metadata.uid() != 0)
}
