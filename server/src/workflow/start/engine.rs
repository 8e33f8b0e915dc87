//! Everything a run works with, opened from a workspace and its settings.

use std::sync::Arc;

use crate::config::{self, Effort, EffortChoice, ModelChoice, Settings};
use crate::contracts::RepoPath;
use crate::memory::{Seal, Store};
use crate::models::{self, Efforts, ModelError, Models, Wanted};
use crate::workflow::run::dispatch::{Local, NotConnected};
use crate::workflow::run::editor::Editor;
use crate::workflow::run::error::StartError;
use crate::workflow::run::phase::{Dispatcher, Phases, Table};
use crate::workflow::run::prompts::Prompts;
use crate::workflow::run::question::Approver;
use crate::workspace::Workspace;

/// Everything a run works with. Faces make one and [`start`](fn@crate::workflow::start) a run on it.
#[derive(Clone)]
pub struct Engine {
    /// The files.
    pub workspace: Workspace,
    /// The memory folder.
    pub store: Store,
    /// The settings in force.
    pub settings: Settings,
    /// The models, or why there are none: a run that needs none goes without.
    pub models: Result<Models, ModelError>,
    /// The phases.
    pub phases: Phases,
    /// The system prompts.
    pub prompts: Prompts,
    /// Asks a person.
    pub approver: Arc<dyn Approver>,
    /// Holds the conversations.
    pub dispatcher: Arc<dyn Dispatcher>,
    /// What the editor lends, where there is one.
    pub editor: Editor,
}

/// Open a workspace's memory, its models and its prompts. `env` reads the environment; `editor` is what the editor
/// lends, [`Editor::default`] where there is none.
///
/// # Errors
/// When the memory folder or the user's prompts cannot be read. Missing models are no error yet.
pub fn open(
    workspace: Workspace,
    settings: Settings,
    env: &dyn Fn(&str) -> Option<String>,
    approver: Arc<dyn Approver>,
    editor: Editor,
    table: &Table,
) -> Result<Engine, StartError> {
    let phases = table.with(&settings.phases);
    let store = open_store(&workspace, &settings, &phases)?;
    let models = models(&settings, env, &editor);
    let prompts = load_prompts(&phases).map_err(StartError::Usage)?;
    let plays_back = models.as_ref().is_ok_and(|models| models.are_of_demo() || models.is_recorded());
    let dispatcher: Arc<dyn Dispatcher> = match &settings.dispatch {
        Some(_) if !plays_back => Arc::new(NotConnected),
        _ => Arc::new(Local),
    };
    Ok(Engine { workspace, store, settings, models, phases, prompts, approver, dispatcher, editor })
}

/// Open a workspace's memory folder, which is made by the first write, under the user's own key.
///
/// # Errors
/// When the folder is a link, or none of ours.
pub fn open_store(workspace: &Workspace, settings: &Settings, phases: &Phases) -> Result<Store, StartError> {
    let memory_dir =
        RepoPath::parse(&settings.memory_dir).map_err(|error| StartError::Usage(format!("memory_dir: {error}")))?;
    let kept = config::state_folder().map(|state| Seal::open(&state, workspace.root()));
    let seal = match kept {
        Some(Ok(seal)) => seal,
        unkept => {
            let why =
                unkept.and_then(Result::err).map_or_else(|| "no home folder".to_owned(), |error| error.to_string());
            tracing::warn!(why, "cannot keep a key of your own: approvals hold for this process only");
            Seal::ephemeral(workspace.root())
                .map_err(|error| StartError::Usage(format!("this system gives no random numbers: {error}")))?
        }
    };
    Ok(Store::open(workspace, &memory_dir, seal, phases.handoffs())?)
}

/// The models that serve a run, or why there are none. No network is used, but for a look whether a server listens
/// where nothing else is set up.
///
/// # Errors
/// When none is set up, or the settings name one that is not there.
pub fn models(
    settings: &Settings,
    env: &dyn Fn(&str) -> Option<String>,
    editor: &Editor,
) -> Result<Models, ModelError> {
    let ModelChoice { fast, balanced, powerful, provider } = settings.models.clone();
    let allow_http_hosts = settings.allow_http_hosts.clone();
    let facts = settings.model_facts.clone();
    let efforts = efforts(&settings.effort);
    let wanted = Wanted { fast, balanced, powerful, provider, allow_http_hosts, facts, efforts };
    models::resolve(&wanted, env, editor.models.as_ref())
}

/// The effort that the user names for each tier.
fn efforts(choice: &EffortChoice) -> Efforts {
    let effort = |effort: Effort| match effort {
        Effort::Low => models::Effort::Low,
        Effort::Medium => models::Effort::Medium,
        Effort::High => models::Effort::High,
    };
    let EffortChoice { fast, balanced, powerful } = *choice;
    Efforts { fast: fast.map(effort), balanced: balanced.map(effort), powerful: powerful.map(effort) }
}

/// The prompts, with the user's own in the place of the built-in ones.
pub(crate) fn load_prompts(phases: &Phases) -> Result<Prompts, String> {
    match config::user_folder() {
        Some(folder) => {
            let comes_from_settings = |name| phases.get(name).is_some_and(|phase| phase.is_prompt_from_settings());
            phases.prompts().or_of_user(&folder, |name| !comes_from_settings(name))
        }
        None => Ok(phases.prompts()),
    }
}
