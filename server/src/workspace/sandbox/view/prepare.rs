//! What a room is made of for one job, looked up anew for each.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use rustix::process::geteuid;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::bound::NotBound;
use super::super::copy::copy_workspace;
use super::super::environment::{Environment, Wanted, of_check};
use super::super::few_mounts::{MOST_BY_BWRAP, at_most, few};
use super::super::hidden::{Found, Places, find, outer_repository};
use super::super::job::{Job, Place, ViewEdit};
use super::super::limits::pid_max;
use super::super::room::{Edit, Inside, Setup, Tree};
use super::super::scratch::Scratch;
use super::super::sockets::listed_sockets;
use super::super::through::{Through, ignored_folders, make_build_folders};
use super::super::user::memory_bytes;
use super::kind::{Upper, View, places};
use crate::contracts::RepoPath;
use crate::workspace::Workspace;

/// How long it may take to look up what a room is made of, and to copy a workspace.
const TO_PREPARE: Duration = Duration::from_secs(60);

/// What a room is made of for one job.
pub(super) struct Prepared {
    pub(super) setup: Setup,
    pub(super) scratch: Option<Scratch>,
    pub(super) environment: Environment,
    pub(super) found: Found,
    /// Folders that are empty, as there are too many secrets in them.
    pub(super) emptied: Vec<PathBuf>,
    /// The folders that are the real ones.
    pub(super) through: Through,
}

impl View {
    /// Looks up what the room of a job is made of.
    pub(super) async fn prepare(
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
            Place::Try { edits, .. } => (edits.iter().map(header).collect(), Through::default()),
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
            collect: !matches!(job.place, Place::Try { touched: None, .. }),
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
}

/// The same place without the contents of its edits.
fn bare(place: &Place) -> Place {
    match place {
        Place::Try { edits, touched } => {
            let bare = |edit: &ViewEdit| ViewEdit {
                path: edit.path.clone(),
                content: edit.content.as_ref().map(|_| Vec::new()),
                mode: edit.mode,
            };
            Place::Try { edits: edits.iter().map(bare).collect(), touched: touched.clone() }
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
