//! The workspace's folder, its memory and its repository, and what checks run in there.

use jiff::Timestamp;

use super::check::{Check, CheckStatus};
use crate::config::{SandboxMode, Settings};
use crate::contracts::{Handoffs, RepoPath};
use crate::memory::{Seal, Store};
use crate::workflow::checks::sandbox::look;
use crate::workspace::{self, Head, RepositoryState, Unreadable, Workspace};

/// The workspace's folder, its memory and its repository.
pub(super) fn check_files(workspace: &Workspace, settings: &Settings, handoffs: &Handoffs, checks: &mut Vec<Check>) {
    let root = workspace.root().display();
    checks.push(match workspace.check_writable(None) {
        Ok(()) => Check::ok("workspace", format!("{root}, writable")),
        Err(error) => Check::new("workspace", CheckStatus::Error, format!("{root} cannot be written: {error}"))
            .with_fix("Give yourself the right to write there, for example by `chmod u+w`."),
    });
    let memory_dir = match RepoPath::parse(&settings.memory_dir) {
        Ok(path) => path,
        Err(error) => {
            let check = Check::new("memory", CheckStatus::Error, format!("memory_dir: {error}"));
            checks.push(check.with_fix("Set memory_dir to a folder inside the workspace, such as .agent_memory."));
            return;
        }
    };
    let repository = workspace::repository(workspace, &memory_dir);
    checks.push(check_memory(workspace, &memory_dir, handoffs, &repository));
    checks.extend(check_ignored(workspace, &memory_dir, handoffs));
    checks.push(check_git(&repository, workspace));
}

fn check_memory(workspace: &Workspace, dir: &RepoPath, handoffs: &Handoffs, repository: &RepositoryState) -> Check {
    if !workspace.is_folder(dir) {
        return match workspace.is_file(dir) {
            true => Check::new("memory", CheckStatus::Error, format!("{dir} is a file, and should be a folder"))
                .with_fix("Move it away, or set memory_dir to another name."),
            false => Check::ok("memory", format!("{dir} is made by the first run")),
        };
    }
    if let Err(error) = workspace.check_writable(Some(dir)) {
        return Check::new("memory", CheckStatus::Error, format!("{dir} cannot be written: {error}"))
            .with_fix(format!("Give yourself the right to write there, for example by `chmod -R u+w {dir}`."));
    }
    if let RepositoryState::Open { ignores_memory, tracks_memory, .. } = repository {
        if *tracks_memory {
            return Check::new("memory", CheckStatus::Warning, format!("{dir} is tracked by git, and should not be"))
                .with_fix(format!("Run `git rm -r -q --cached {dir}`, and commit that."));
        }
        if !ignores_memory {
            return Check::new("memory", CheckStatus::Warning, format!("{dir} is not ignored by git")).with_fix(
                format!("Write a line `*` to {dir}/.gitignore; the next run does so where that file is missing."),
            );
        }
    }
    let ignored = RepoPath::parse(&format!("{dir}/.gitignore")).is_ok_and(|path| workspace.is_file(&path));
    let store = without_key(workspace, dir, handoffs);
    match store.and_then(|store| store.load().map_err(|error| error.to_string())) {
        Ok(_) if !ignored => Check::ok("memory", format!("{dir}, writable")),
        Ok(_) => Check::ok("memory", format!("{dir}, writable and ignored by git")),
        Err(error) => Check::new("memory", CheckStatus::Error, error)
            .with_fix("Fix the file at that place, or set all aside by `baton reset`."),
    }
}

/// The memory folder to look at: the user's own key is not asked for, for asking makes one.
fn without_key(workspace: &Workspace, dir: &RepoPath, handoffs: &Handoffs) -> Result<Store, String> {
    let seal = Seal::ephemeral(workspace.root()).map_err(|error| error.to_string())?;
    Store::open(workspace, dir, seal, handoffs.clone()).map_err(|error| error.to_string())
}

/// What lies among the runs and the history and counts for nothing. Whose journals it holds is not known here.
fn check_ignored(workspace: &Workspace, dir: &RepoPath, handoffs: &Handoffs) -> Vec<Check> {
    const TOLD: usize = 3;
    let names = without_key(workspace, dir, handoffs).ok().and_then(|store| store.ignored(Timestamp::now()).ok());
    let names = names.unwrap_or_default();
    let (runs, entries): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name.contains("/runs/"));
    let reasons = [
        (runs, "no clock that is roughly right makes such a run; passed over unless it holds journals of yours"),
        (entries, "nobody has counted up to such an entry, or it is no folder; passed over"),
    ];
    let checks = reasons.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, why)| {
        let rest = if names.len() > TOLD { format!(" and {} more", names.len() - TOLD) } else { String::new() };
        let first = names.into_iter().take(TOLD).collect::<Vec<_>>().join(", ");
        let check = Check::new("memory", CheckStatus::Warning, format!("{first}{rest}: {why}"));
        check.with_fix("Remove it, if it is none of yours.")
    });
    checks.collect()
}

fn check_git(repository: &RepositoryState, workspace: &Workspace) -> Check {
    let warning = |message: String| Check::new("git", CheckStatus::Warning, message);
    let without = "no checkpoints are kept, and `baton review --base` is not possible";
    match repository {
        RepositoryState::Missing => warning(format!("no git repository: {without}"))
            .with_fix("Run `git init`, if you want them; everything else works without."),
        RepositoryState::Bare => warning(format!("a bare repository, without a working tree: {without}"))
            .with_fix("Work in a clone of it, or in a worktree (`git worktree add`)."),
        RepositoryState::Unreadable { cause, message } => {
            let root = workspace.root().display();
            let (why, fix) = match cause {
                Unreadable::Reftable => (
                    "the repository keeps its references as reftable, which the built-in git library cannot read"
                        .to_owned(),
                    "Run `git refs migrate --ref-format=files`, if you want them; everything else works without."
                        .to_owned(),
                ),
                Unreadable::Sha256 => (
                    "the repository names its objects by SHA-256, which the built-in git library cannot read"
                        .to_owned(),
                    "Nothing fixes that here; everything else works without.".to_owned(),
                ),
                Unreadable::Owner => (
                    "the repository belongs to another user".to_owned(),
                    format!("If you trust it, run `git config --global --add safe.directory {root}`."),
                ),
                Unreadable::Index => match message.split_once("; ") {
                    Some((why, fix)) => (format!("the repository cannot be used: {why}"), format!("To fix it, {fix}.")),
                    None => (message.clone(), "Run `git status` there, which tells more.".to_owned()),
                },
                Unreadable::Other => (
                    format!("the repository cannot be opened ({message})"),
                    "Run `git status` there, which tells more; everything else works without.".to_owned(),
                ),
            };
            warning(format!("{why}: {without}")).with_fix(fix)
        }
        RepositoryState::Open { head, is_shallow, .. } => {
            let at = match head {
                Some(Head { branch: Some(branch), commit: Some(_) }) => format!("on branch {branch}"),
                Some(Head { branch: Some(branch), commit: None }) => {
                    format!("on branch {branch}, without a commit yet")
                }
                Some(Head { branch: None, .. }) => "on a detached HEAD".to_owned(),
                None => {
                    return warning("the repository has no readable HEAD".to_owned())
                        .with_fix("Run `git status` there.");
                }
            };
            let shallow = if *is_shallow { ", a shallow clone" } else { "" };
            Check::ok("git", format!("{at}{shallow}, read by {}", workspace::library_version()))
        }
    }
}

/// What the user's checks run in. Without a view they still run, unless it is required.
pub(super) async fn check_sandbox(workspace: &Workspace, mode: SandboxMode) -> Check {
    let (is_as_wanted, message) = look(workspace, mode).await;
    Check::new("sandbox", if is_as_wanted { CheckStatus::Ok } else { CheckStatus::Warning }, message)
}
