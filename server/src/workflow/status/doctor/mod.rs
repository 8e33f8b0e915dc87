//! Whether everything a run needs is there: the checks, what is wrong, and how to fix it.

mod check;
mod checks;
mod dispatch;
mod files;
mod keys;
mod models;
mod settings;
mod sinks;

use std::path::Path;

use serde::Serialize;

pub use check::{Check, CheckStatus};
pub use models::ModelInForce;
pub use settings::{SettingInForce, setting_without_secrets, shown_setting};

use crate::config::{ConfigErrors, Loaded};
use crate::models::ModelErrorKind;
use crate::workflow::run::editor::Editor;
use crate::workflow::run::phase::Table;
use crate::workflow::start::engine::{load_prompts, models};
use crate::workflow::start::memory_dir::check_memory_dir;
use crate::workspace::Workspace;

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doctor {
    /// Whether nothing stands in the way of a run; warnings do not.
    pub ok: bool,
    /// Each thing that was looked at, the first causes first.
    pub checks: Vec<Check>,
    /// The models that would serve a run, the fast one first; empty where there are none.
    pub models: Vec<ModelInForce>,
    /// The settings in force; empty where they are faulty.
    pub settings: Vec<SettingInForce>,
    /// Whether it is settings that stand in the way.
    #[serde(skip)]
    pub settings_at_fault: bool,
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
            files::check_files(&workspace, &effective, &phases.handoffs(), &mut checks);
            checks.push(files::check_sandbox(&workspace, effective.sandbox).await);
            if settings.is_ok() {
                checks.extend(checks::check_checks(&workspace, &effective));
                checks.extend(sinks::check_sinks(&workspace, &effective).await);
            }
        }
        Err(error) => {
            let fix = "Name a folder that is there and that you may read: --workspace DIR, or open it in the editor.";
            checks.push(Check::new("workspace", CheckStatus::Error, error.to_string()).with_fix(fix));
        }
    }
    let faulty_settings = settings.is_err();
    settings::check_settings(&settings, &mut checks);
    if let Err(message) = load_prompts(&phases) {
        let fix = "Fix the file, or remove it: the built-in prompt is used then.";
        checks.push(Check::new("prompts", CheckStatus::Error, message).with_fix(fix));
    }
    let mut models_at_fault = false;
    let mut in_force = Vec::new();
    if faulty_settings {
        let message = "not looked at: which models are meant stands in the settings, and those are faulty";
        checks.push(Check::new("models", CheckStatus::Warning, message).with_fix("Fix the settings first."));
    } else if let Some(broker) = &effective.dispatch {
        // The models are those of the workers.
        checks.extend(dispatch::check_dispatch(broker, env).await);
        checks.extend(keys::check_keys(env, &checks));
    } else {
        match models(&effective, env, editor) {
            Ok(models) => {
                let asked = models::ask(&models, &effective).await;
                models_at_fault = models::check_models(&asked, &effective, env, &mut checks);
                in_force = asked.into_iter().map(|asked| asked.facts).collect();
            }
            Err(error) => {
                models_at_fault = error.kind == ModelErrorKind::Settings;
                checks.push(Check::failed("models", CheckStatus::Error, &error));
            }
        }
        let slips = keys::check_keys(env, &checks);
        checks.extend(slips);
    }
    let ok = checks.iter().all(|check| check.status != CheckStatus::Error);
    let settings = settings.as_ref().map(settings::in_force).unwrap_or_default();
    Doctor { ok, checks, models: in_force, settings, settings_at_fault: faulty_settings || models_at_fault }
}

#[expect(clippy::disallowed_methods, reason = "it says which binary this is")]
fn binary() -> Check {
    let version = env!("CARGO_PKG_VERSION");
    match std::env::current_exe() {
        Ok(path) => Check::ok("binary", format!("baton {version}, {}", path.display())),
        Err(_) => Check::ok("binary", format!("baton {version}")),
    }
}
