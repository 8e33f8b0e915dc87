//! From the settings and the environment to the three models of a run.

use std::cell::OnceCell;
use std::sync::Arc;

use super::catalog::{Catalog, ModelFacts};
use super::demo;
use super::editor::service::EditorModels;
use super::effort::Efforts;
use super::error::ModelError;
use super::limits::FactSource;
use super::model::Model;
use super::ollama;
use super::provider::{Connection, Provider};
use super::replay::RECORDED;
use super::secrets::{Masked, Secrets};
use super::setup::{Setup, settings};
use super::table::PROVIDERS;
use super::turn::Tier;
use crate::text::safe_line;

/// Which models the user wants; what is not said is the provider's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// `provider:name` for [`Tier::Fast`].
    pub fast: Option<String>,
    /// `provider:name` for [`Tier::Balanced`].
    pub balanced: Option<String>,
    /// `provider:name` for [`Tier::Powerful`].
    pub powerful: Option<String>,
    /// The provider whose defaults serve the tiers above that are not said.
    pub provider: Option<String>,
    /// Hosts that may get a key over plain http, in lower case, each with or without a port.
    pub allow_http_hosts: Vec<String>,
    /// What the user's own file says of models.
    pub facts: Vec<ModelFacts>,
    /// How long the models of each tier shall think.
    pub efforts: Efforts,
}

/// The models of a run.
#[derive(Clone)]
pub struct Models {
    /// Context, and simple tasks.
    pub fast: Arc<dyn Model>,
    /// Moderate and complex tasks.
    pub balanced: Arc<dyn Model>,
    /// Plan and review.
    pub powerful: Arc<dyn Model>,
    /// What is known of them, and of others.
    pub catalog: Arc<Catalog>,
}

/// How messages name the choice of a provider.
const PROVIDER_SETTING: &str = "--provider";

/// Every provider that settings may name.
pub fn providers() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|provider| provider.name)
}

/// Decide which models serve a run. `env` reads the environment; `editor` is the editor it was started in, where that
/// one offers its models.
///
/// What the user does not say is served by the first provider of the table that is set up. A later one is not asked whether it
/// is, and none is where the user names a model for each tier.
///
/// # Errors
/// [`ModelErrorKind::Settings`](super::ModelErrorKind::Settings), with what to set.
pub fn resolve(
    wanted: &Wanted,
    env: &dyn Fn(&str) -> Option<String>,
    editor: Option<&Arc<dyn EditorModels>>,
) -> Result<Models, ModelError> {
    let named = wanted.provider.as_deref().map(|name| provider(name, PROVIDER_SETTING)).transpose()?;
    let catalog = Arc::new(Catalog::of_servers(wanted.facts.clone(), env));
    let setup = Setup {
        env,
        allow_http_hosts: &wanted.allow_http_hosts,
        editor: editor.cloned(),
        catalog: Arc::clone(&catalog),
        efforts: wanted.efforts,
    };
    let connections = Connections { setup, connected: PROVIDERS.iter().map(|_| OnceCell::new()).collect() };
    let first_set_up = OnceCell::new();
    let default = || {
        named
            .or_else(|| *first_set_up.get_or_init(|| connections.first_set_up()))
            .ok_or_else(|| nothing_set_up(&connections.setup))
    };
    let serve = |tier: Tier, choice: &Option<String>| match choice {
        Some(choice) => {
            let (provider, name) = split(choice, setting(tier))?;
            connections.model(provider, name, tier)
        }
        None => {
            let default = default()?;
            let named = (PROVIDERS[default].default_model)(&connections.setup, tier);
            let Some(name) = named else {
                // What is missing altogether is said first.
                connections.connection(default)?;
                return Err(no_default(&PROVIDERS[default], tier));
            };
            connections.model(default, name_alone(&PROVIDERS[default], &name)?, tier)
        }
    };
    let secrets = Arc::new(Secrets::of(env));
    let serve = |tier, choice| Ok::<_, ModelError>(Masked::over(serve(tier, choice)?, &secrets));
    Ok(Models {
        fast: serve(Tier::Fast, &wanted.fast)?,
        balanced: serve(Tier::Balanced, &wanted.balanced)?,
        powerful: serve(Tier::Powerful, &wanted.powerful)?,
        catalog,
    })
}

impl Models {
    /// One model for every tier.
    pub fn all(model: Arc<dyn Model>) -> Self {
        Self { fast: Arc::clone(&model), balanced: Arc::clone(&model), powerful: model, catalog: Arc::default() }
    }

    /// The model that serves a tier.
    pub fn for_tier(&self, tier: Tier) -> &Arc<dyn Model> {
        match tier {
            Tier::Fast => &self.fast,
            Tier::Balanced => &self.balanced,
            Tier::Powerful => &self.powerful,
        }
    }

    /// Whether all of them are the recorded answers of the demo, which use nothing.
    pub fn are_of_demo(&self) -> bool {
        [&self.fast, &self.balanced, &self.powerful].iter().all(|model| model.id() == demo::RECORDED)
    }

    /// Whether all of them are a recorded run that is played back.
    pub fn is_recorded(&self) -> bool {
        [&self.fast, &self.balanced, &self.powerful].iter().all(|model| model.id() == RECORDED)
    }

    /// Whose models these are and on whose account, for the beginning of a run: a line for each account, and where there are
    /// several, each with the tiers that it pays for.
    pub fn accounts(&self) -> Vec<String> {
        let mut accounts: Vec<(String, Vec<&str>)> = Vec::new();
        for tier in [Tier::Fast, Tier::Balanced, Tier::Powerful] {
            let account = self.for_tier(tier).account();
            match accounts.iter_mut().find(|(known, _)| *known == account) {
                Some((_, tiers)) => tiers.push(tier.as_str()),
                None => accounts.push((account, vec![tier.as_str()])),
            }
        }
        match accounts.as_slice() {
            [(account, _)] => vec![account.clone()],
            several => several.iter().map(|(account, tiers)| format!("{}: {account}", tiers.join(", "))).collect(),
        }
    }
}

impl Models {
    /// How large the windows are that no table of this program tells, a line for each model. Servers may be asked.
    pub async fn windows(&self) -> Vec<String> {
        let mut models: Vec<&Arc<dyn Model>> = Vec::new();
        for tier in [Tier::Fast, Tier::Balanced, Tier::Powerful] {
            let model = self.for_tier(tier);
            if model.tells_window() && !models.iter().any(|known| known.id() == model.id()) {
                models.push(model);
            }
        }
        let limits = futures::future::join_all(models.iter().map(|model| model.limits())).await;
        let told = models.iter().zip(limits).filter(|(_, limits)| limits.window_from != FactSource::Table);
        told.filter_map(|(model, limits)| Some(format!("{}: {}", model.id(), limits.words()?))).collect()
    }
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models")
            .field("fast", &self.fast.id())
            .field("balanced", &self.balanced.id())
            .field("powerful", &self.powerful.id())
            .finish()
    }
}

/// The providers, each connected when a tier first asks for it.
struct Connections<'a> {
    setup: Setup<'a>,
    /// As in the table.
    connected: Vec<OnceCell<Arc<dyn Connection>>>,
}

impl Connections<'_> {
    fn model(&self, provider: usize, name: &str, tier: Tier) -> Result<Arc<dyn Model>, ModelError> {
        Ok(self.connection(provider)?.model(name, tier))
    }

    fn connection(&self, provider: usize) -> Result<&Arc<dyn Connection>, ModelError> {
        let connected = &self.connected[provider];
        match connected.get() {
            Some(connection) => Ok(connection),
            None => {
                let connection = (PROVIDERS[provider].connect)(&self.setup)?;
                Ok(connected.get_or_init(|| connection))
            }
        }
    }

    /// The provider that serves where the user names none.
    fn first_set_up(&self) -> Option<usize> {
        PROVIDERS.iter().position(|provider| (provider.is_set_up)(&self.setup))
    }
}

/// What to set where nothing is set up.
fn nothing_set_up(setup: &Setup<'_>) -> ModelError {
    // Who names Ollama means it, and it is not there.
    let named = ["OLLAMA_MODEL", "OLLAMA_HOST"].into_iter().find(|name| setup.var(name).is_some());
    let silent = named.map(|name| {
        let host = setup.var("OLLAMA_HOST").map(|host| format!(" at {}", safe_line(&host))).unwrap_or_default();
        let fault = ollama::address_fault(setup).map(|fault| format!(" {fault}")).unwrap_or_default();
        format!(" Ollama, which {name} is set for, does not answer{host}: start it with `ollama serve`.{fault}")
    });
    settings(format!(
        "No model is set up.{} Set ANTHROPIC_API_KEY to a key of the Anthropic API \
         (https://platform.claude.com/settings/keys), or OPENAI_API_KEY or OPENAI_BASE_URL together with OPENAI_MODEL, or \
         start Ollama and set OLLAMA_MODEL; or try `baton demo`, which needs none.",
        silent.unwrap_or_default()
    ))
}

fn setting(tier: Tier) -> &'static str {
    match tier {
        Tier::Fast => "models.fast",
        Tier::Balanced => "models.balanced",
        Tier::Powerful => "models.powerful",
    }
}

/// A provider's row and the name of its model, from `provider:name`.
fn split<'a>(choice: &'a str, setting: &str) -> Result<(usize, &'a str), ModelError> {
    let choice = choice.trim();
    let (first, example) = ("anthropic", "claude-haiku-5-5");
    let Some((word, name)) = choice.split_once(':') else {
        let name = if choice.is_empty() { example } else { choice };
        return Err(settings(format!(
            "{setting} is {choice:?}, which names no provider. Write provider:name, such as \"{first}:{name}\"."
        )));
    };
    if name.is_empty() {
        return Err(settings(format!(
            "{setting} is {choice:?}, which names no model. Write provider:name, such as \"{first}:{example}\"."
        )));
    }
    Ok((provider(word, setting)?, name))
}

/// The row of a provider in the table.
fn provider(word: &str, setting: &str) -> Result<usize, ModelError> {
    if let Some(row) = PROVIDERS.iter().position(|provider| provider.name == word) {
        return Ok(row);
    }
    Err(settings(format!(
        "{setting} names the provider {word:?}, which does not exist. There are {}.",
        names(PROVIDERS)
    )))
}

/// The name of a provider's default model. It may stand there as it does in settings, with the provider before it.
fn name_alone<'a>(provider: &Provider, name: &'a str) -> Result<&'a str, ModelError> {
    match name.split_once(':') {
        Some((word, rest)) if word == provider.name && !rest.is_empty() => Ok(rest),
        Some((word, _)) if PROVIDERS.iter().any(|known| known.name == word) => Err(settings(format!(
            "{} is {name:?}, and names a model of `{}`. Write the name of one there, or set models.* to models of \
             other providers.",
            model_variable(provider),
            provider.name
        ))),
        _ => Ok(name),
    }
}

/// The variable that names the model of every tier.
fn model_variable(provider: &Provider) -> String {
    format!("{}_MODEL", provider.name.to_uppercase())
}

/// A provider without a model of its own for a tier.
fn no_default(provider: &Provider, tier: Tier) -> ModelError {
    let (name, setting) = (provider.name, setting(tier));
    let variable = model_variable(provider);
    settings(format!(
        "The provider `{name}` has no default model. Set {variable} to the name of one, or {setting}, and what \
         else of models.* it shall serve, to \"{name}:\" and a name."
    ))
}

/// ``` `a`, `b` and `c` ```
fn names(providers: &[Provider]) -> String {
    let quoted: Vec<String> = providers.iter().map(|provider| format!("`{}`", provider.name)).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
