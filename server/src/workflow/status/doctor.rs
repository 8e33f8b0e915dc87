//! Whether everything a run needs is there: the checks, what is wrong, and how to fix it.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::{self, ConfigErrors, Layer, Loaded, SandboxMode, Settings, settings_table};
use crate::contracts::{Handoffs, RepoPath};
use crate::memory::{Seal, Store};
use crate::models::{Model, ModelError, ModelErrorKind, Models, Probe, Tier};
use crate::workflow::checks::sandbox::look;
use crate::workflow::run::editor::Editor;
use crate::workflow::run::phase::Table;
use crate::workflow::start::engine::{load_prompts, models};
use crate::workflow::start::memory_dir::check_memory_dir;
use crate::workspace::{self, Head, RepositoryState, Unreadable, Workspace};

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doctor {
    /// Whether nothing stands in the way of a run; warnings do not.
    pub ok: bool,
    /// Each thing that was looked at, the first causes first.
    pub checks: Vec<Check>,
    /// Whether it is settings that stand in the way.
    #[serde(skip)]
    pub settings_at_fault: bool,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `binary`, `workspace`, `memory`, `git`, `sandbox`, `settings`, `prompts`, `models`, `key`, `endpoint`, `models.fast` and so
    /// on.
    pub name: &'static str,
    /// How it stands.
    pub status: CheckStatus,
    /// What is there, or what is wrong.
    pub message: String,
    /// How to fix it.
    pub fix: Option<String>,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// A run works without it.
    Warning,
    /// No run works.
    Error,
}

impl fmt::Display for CheckStatus {
    /// The word used in the JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Look at everything a run in this folder would need. `settings` are those in force there, or what is wrong with
/// them; `env` reads the environment; `editor` is what the editor lends, [`Editor::default`] where there is none.
///
/// Nothing that is written stays, no turn is taken, and no key is shown.
pub async fn doctor(
    folder: &Path,
    settings: Result<Loaded, ConfigErrors>,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
    editor: &Editor,
    table: &Table,
) -> Doctor {
    let mut checks = vec![binary()];
    let effective = settings.as_ref().map(|loaded| loaded.settings.clone()).unwrap_or_default();
    let phases = table.with(&effective.phases);
    let workspace = Workspace::open(folder);
    let settings = settings.and_then(|loaded| match &workspace {
        Ok(workspace) => check_memory_dir(workspace, &loaded, table).map(|()| loaded),
        Err(_) => Ok(loaded),
    });
    match workspace {
        Ok(workspace) => {
            check_files(&workspace, &effective, &phases.handoffs(), &mut checks);
            checks.push(check_sandbox(&workspace, effective.sandbox).await);
        }
        Err(error) => {
            let fix = "Name a folder that is there and that you may read: --workspace DIR, or open it in the editor.";
            checks.push(Check::new("workspace", CheckStatus::Error, error.to_string()).with_fix(fix));
        }
    }
    let faulty_settings = settings.is_err();
    check_settings(&settings, &mut checks);
    if let Err(message) = load_prompts(&phases) {
        let fix = "Fix the file, or remove it: the built-in prompt is used then.";
        checks.push(Check::new("prompts", CheckStatus::Error, message).with_fix(fix));
    }
    let mut models_at_fault = false;
    if faulty_settings {
        let message = "not looked at: which models are meant stands in the settings, and those are faulty";
        checks.push(Check::new("models", CheckStatus::Warning, message).with_fix("Fix the settings first."));
    } else {
        match models(&effective, env, editor) {
            Ok(models) => models_at_fault = check_models(&models, &mut checks).await,
            Err(error) => {
                models_at_fault = error.kind == ModelErrorKind::Settings;
                checks.push(failed("models", CheckStatus::Error, &error));
            }
        }
    }
    let ok = checks.iter().all(|check| check.status != CheckStatus::Error);
    Doctor { ok, checks, settings_at_fault: faulty_settings || models_at_fault }
}

impl Check {
    fn new(name: &'static str, status: CheckStatus, message: impl Into<String>) -> Self {
        Self { name, status, message: message.into(), fix: None }
    }

    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Ok, message)
    }

    fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

#[expect(clippy::disallowed_methods, reason = "it says which binary this is")]
fn binary() -> Check {
    let version = env!("CARGO_PKG_VERSION");
    match std::env::current_exe() {
        Ok(path) => Check::ok("binary", format!("baton {version}, {}", path.display())),
        Err(_) => Check::ok("binary", format!("baton {version}")),
    }
}

/// The workspace's folder, its memory and its repository.
fn check_files(workspace: &Workspace, settings: &Settings, handoffs: &Handoffs, checks: &mut Vec<Check>) {
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
async fn check_sandbox(workspace: &Workspace, mode: SandboxMode) -> Check {
    let (is_as_wanted, message) = look(workspace, mode).await;
    Check::new("sandbox", if is_as_wanted { CheckStatus::Ok } else { CheckStatus::Warning }, message)
}

/// Which settings are given, and what is wrong with them.
fn check_settings(settings: &Result<Loaded, ConfigErrors>, checks: &mut Vec<Check>) {
    match settings {
        Ok(loaded) => {
            let set: Vec<String> = settings_table()
                .iter()
                .map(|setting| (setting.key, loaded.origin(setting.key)))
                .filter(|(_, origin)| origin.layer != Layer::Default)
                .map(|(key, origin)| format!("{key} ({})", origin.place))
                .collect();
            let message = if set.is_empty() { "all at their defaults".to_owned() } else { set.join(", ") };
            checks.push(Check::ok("settings", message));
            for warning in &loaded.warnings {
                checks.push(Check::new("settings", CheckStatus::Warning, warning.clone()));
            }
        }
        Err(ConfigErrors(errors)) => {
            for error in errors {
                let place = &error.place;
                checks.push(
                    Check::new("settings", CheckStatus::Error, error.to_string())
                        .with_fix(format!("Fix it at its place: {place}. {}", where_settings_are())),
                );
            }
        }
    }
}

fn where_settings_are() -> String {
    let user = config::user_config_file().map_or_else(String::new, |path| format!(", {}", path.display()));
    format!("Settings are read from {}{user} and BATON_… variables.", config::WORKSPACE_FILE)
}

/// The models, and whether their providers are there. Answers whether settings stand in the way.
async fn check_models(models: &Models, checks: &mut Vec<Check>) -> bool {
    const TIERS: [(Tier, &str); 3] =
        [(Tier::Fast, "models.fast"), (Tier::Balanced, "models.balanced"), (Tier::Powerful, "models.powerful")];
    let ids =
        TIERS.map(|(tier, name)| format!("{} {}", name.trim_start_matches("models."), models.for_tier(tier).id()));
    checks.push(Check::ok("models", ids.join(", ")));
    let mut at_fault = false;
    let mut asked: Vec<(String, Option<CheckStatus>)> = Vec::new();
    for (tier, name) in TIERS {
        let model = models.for_tier(tier);
        let probe = model.probe().await;
        let account = model.account();
        let known = asked.iter().find(|(known, _)| *known == account).and_then(|(_, status)| *status);
        let reached = match known {
            Some(status) => status,
            None => {
                let status = check_provider(model.as_ref(), &probe, checks);
                asked.push((account, Some(status)));
                status
            }
        };
        if let Some((check, is_fault)) = check_existence(model.as_ref(), name, &probe, reached) {
            at_fault |= is_fault;
            checks.push(check);
        }
        if let Probe::Failed { error, .. } = &probe {
            at_fault |= error.kind == ModelErrorKind::Settings;
        }
    }
    at_fault
}

/// The key and the endpoint of a provider. Answers how the worse of the two stands.
fn check_provider(model: &dyn Model, probe: &Probe, checks: &mut Vec<Check>) -> CheckStatus {
    let account = model.account();
    let host = model.host();
    let mut worst = CheckStatus::Ok;
    let (key, endpoint) = match probe {
        Probe::Failed { error, .. } if matches!(error.kind, ModelErrorKind::Auth | ModelErrorKind::Quota) => {
            worst = CheckStatus::Error;
            (failed("key", worst, error), host.map(|host| Check::ok("endpoint", format!("{host} answers"))))
        }
        Probe::Failed { error, reached } => {
            let is_passing = *reached && error.kind != ModelErrorKind::Settings;
            worst = if is_passing { CheckStatus::Warning } else { CheckStatus::Error };
            (Check::ok("key", account), Some(failed("endpoint", worst, error)))
        }
        _ => (Check::ok("key", account), host.map(|host| Check::ok("endpoint", format!("{host} answers")))),
    };
    checks.push(key);
    checks.extend(endpoint);
    worst
}

/// Whether a model is there; and whether that it is not is a fault of the settings.
fn check_existence(
    model: &dyn Model,
    name: &'static str,
    probe: &Probe,
    reached: CheckStatus,
) -> Option<(Check, bool)> {
    let id = model.id();
    let host = model.host().unwrap_or_default();
    match probe {
        Probe::NotNeeded => None,
        Probe::Found => Some((Check::ok(name, format!("{id} is there")), false)),
        Probe::Missing { has } => {
            let has = if has.is_empty() { String::new() } else { format!(", such as {}", has.join(", ")) };
            let check = Check::new(name, CheckStatus::Error, format!("{host} has no model {id}"))
                .with_fix(format!("Set {name} to one that it has{has}."));
            Some((check, true))
        }
        Probe::NotListed => {
            let message = format!("whether {id} is there cannot be told: {host} does not list it");
            Some((Check::new(name, CheckStatus::Warning, message), false))
        }
        // The check of the key or the endpoint reports the cause.
        Probe::Failed { .. } if reached != CheckStatus::Ok => None,
        Probe::Failed { error, .. } => Some((failed(name, CheckStatus::Warning, error), false)),
    }
}

/// A model's error as a check: its last sentence says what to do.
fn failed(name: &'static str, status: CheckStatus, error: &ModelError) -> Check {
    match error.message.rsplit_once(". ") {
        Some((what, fix)) => Check::new(name, status, what).with_fix(fix),
        None => Check::new(name, status, error.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::models::{Turn, TurnProgress, TurnRequest};

    struct Probed(Probe);

    #[async_trait]
    impl Model for Probed {
        fn id(&self) -> &str {
            "anthropic:claude-opus-9"
        }

        fn account(&self) -> String {
            "Anthropic API, key from ANTHROPIC_API_KEY".to_owned()
        }

        fn host(&self) -> Option<String> {
            Some("api.anthropic.com".to_owned())
        }

        async fn probe(&self) -> Probe {
            self.0.clone()
        }

        async fn turn(
            &self,
            _: &TurnRequest,
            _: &CancellationToken,
            _: &(dyn Fn(TurnProgress) + Send + Sync),
        ) -> Result<Turn, ModelError> {
            Err(ModelError::cancelled())
        }
    }

    async fn found(probe: Probe) -> (Vec<String>, bool) {
        let mut checks = Vec::new();
        let at_fault = check_models(&Models::all(Arc::new(Probed(probe))), &mut checks).await;
        let line = |check: &Check| format!("{} {:?} {} {:?}", check.name, check.status, check.message, check.fix);
        (checks.iter().skip(1).map(line).collect(), at_fault)
    }

    #[test]
    fn settings_know_every_provider_there_is() {
        let (known, built): (BTreeSet<&str>, BTreeSet<&str>) =
            (config::PROVIDERS.into_iter().collect(), crate::models::providers().collect());
        assert_eq!(known, built, "config::PROVIDERS and models::table::PROVIDERS differ");
    }

    #[tokio::test]
    async fn a_model_that_is_not_there_is_a_fault_of_the_setting_that_names_it() {
        let (checks, at_fault) = found(Probe::Missing { has: vec!["claude-opus-5-5".to_owned()] }).await;
        assert!(at_fault);
        assert_eq!(checks.len(), 5, "the key and the endpoint are checked once: {checks:?}");
        assert_eq!(
            checks[2],
            "models.fast Error api.anthropic.com has no model anthropic:claude-opus-9 \
             Some(\"Set models.fast to one that it has, such as claude-opus-5-5.\")"
        );
    }

    #[tokio::test]
    async fn models_that_need_no_asking_are_not_looked_for() {
        let (checks, at_fault) = found(Probe::NotNeeded).await;
        assert_eq!((checks.len(), at_fault), (2, false), "{checks:?}");
    }
}
