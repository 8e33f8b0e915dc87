//! From the settings and the environment to the three models of a run.

use std::cell::OnceCell;
use std::sync::Arc;

use super::catalog::{Catalog, ModelFacts};
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
mod tests {
    use super::super::error::ModelErrorKind;
    use super::*;

    fn with(wanted: &Wanted, env: &[(&str, &str)]) -> Result<Models, ModelError> {
        with_editor(wanted, env, None)
    }

    fn with_editor(
        wanted: &Wanted,
        env: &[(&str, &str)],
        editor: Option<&Arc<dyn EditorModels>>,
    ) -> Result<Models, ModelError> {
        let variable =
            |name: &str| env.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        resolve(wanted, &variable, editor)
    }

    struct NoAnswer;

    #[async_trait::async_trait]
    impl EditorModels for NoAnswer {
        async fn turn(&self, _: serde_json::Value) -> Result<serde_json::Value, super::super::EditorRefusal> {
            std::future::pending().await
        }
    }

    #[test]
    fn an_editors_models_serve_where_there_is_no_key() {
        let editor: Arc<dyn EditorModels> = Arc::new(NoAnswer);
        let models = with_editor(&Wanted::default(), &[], Some(&editor)).expect("resolves");
        let ids = [&models.fast, &models.balanced, &models.powerful].map(|model| model.id().to_owned());
        assert_eq!(ids, ["editor:fast", "editor:balanced", "editor:powerful"]);
        assert_eq!(models.accounts(), ["Your editor's models, billed by its plan"]);
        let models = with_editor(&Wanted::default(), &[KEY], Some(&editor)).expect("resolves");
        assert_eq!(models.accounts(), ["Anthropic API, key from ANTHROPIC_API_KEY"]);
        let wanted = Wanted { provider: Some("editor".to_owned()), ..Wanted::default() };
        assert_eq!(with_editor(&wanted, &[KEY], Some(&editor)).expect("resolves").fast.id(), "editor:fast");
    }

    #[test]
    fn an_editors_models_mix_with_others_and_have_the_editors_names() {
        let editor: Arc<dyn EditorModels> = Arc::new(NoAnswer);
        let fast = |choice: &str| Wanted { fast: Some(choice.to_owned()), ..Wanted::default() };
        for choice in ["editor:powerful", "editor:copilot/gpt-9"] {
            let models = with_editor(&fast(choice), &[KEY], Some(&editor)).expect("resolves");
            assert_eq!((models.fast.id(), models.powerful.id()), (choice, "anthropic:claude-opus-5-5"));
        }
    }

    #[test]
    fn outside_of_an_editor_its_models_are_refused() {
        let provider = Wanted { provider: Some("editor".to_owned()), ..Wanted::default() };
        let tier = Wanted { balanced: Some("editor:fast".to_owned()), ..Wanted::default() };
        for wanted in [provider, tier] {
            assert!(refused(&wanted, &[KEY]).contains("only runs started in an editor"));
        }
    }

    fn refused(wanted: &Wanted, env: &[(&str, &str)]) -> String {
        let error = with(wanted, env).expect_err("it does not resolve");
        assert_eq!(error.kind, ModelErrorKind::Settings);
        error.message
    }

    const KEY: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-secret");

    #[test]
    fn the_defaults_are_three_models_of_anthropic() {
        let models = with(&Wanted::default(), &[KEY]).expect("resolves");
        assert_eq!(models.for_tier(Tier::Fast).id(), "anthropic:claude-haiku-5-5");
        assert_eq!(models.for_tier(Tier::Balanced).id(), "anthropic:claude-sonnet-5-5");
        assert_eq!(models.for_tier(Tier::Powerful).id(), "anthropic:claude-opus-5-5");
        assert_eq!(models.accounts(), ["Anthropic API, key from ANTHROPIC_API_KEY"]);
    }

    #[test]
    fn a_tier_may_be_chosen_and_a_name_may_hold_colons() {
        let wanted = Wanted { fast: Some("anthropic:qwen:1.5b".to_owned()), ..Wanted::default() };
        let models = with(&wanted, &[KEY, ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8801/")]).expect("resolves");
        assert_eq!(models.fast.id(), "anthropic:qwen:1.5b");
        assert_eq!(models.accounts(), ["Anthropic API at 127.0.0.1:8801, key from ANTHROPIC_API_KEY"]);
    }

    #[test]
    fn a_length_of_time_that_is_none_is_named_with_its_variable() {
        for (variable, text) in
            [("BATON_RETRY_BASE", "soon"), ("BATON_IDLE_TIMEOUT", "0s"), ("BATON_ANSWER_TIMEOUT", "-1s")]
        {
            let message = refused(&Wanted::default(), &[KEY, (variable, text)]);
            assert!(message.starts_with(&format!("{variable} is {text:?}")), "{message}");
        }
        with(&Wanted::default(), &[KEY, ("BATON_IDLE_TIMEOUT", "5m"), ("BATON_RETRY_BASE", " ")]).expect("resolves");
    }

    #[test]
    fn a_token_serves_where_there_is_no_key() {
        let env = [("ANTHROPIC_API_KEY", " "), ("ANTHROPIC_AUTH_TOKEN", "token")];
        let models = with(&Wanted::default(), &env).expect("resolves");
        assert_eq!(models.accounts(), ["Anthropic API, token from ANTHROPIC_AUTH_TOKEN"]);
    }

    #[test]
    fn a_key_that_the_editor_keeps_is_said_to_be_there() {
        for (kept, from) in [
            ("OPENAI_API_KEY ANTHROPIC_API_KEY", "your editor's secret store"),
            ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"),
            (" ", "ANTHROPIC_API_KEY"),
        ] {
            let models = with(&Wanted::default(), &[KEY, ("BATON_EDITOR_KEYS", kept)]).expect("resolves");
            assert_eq!(models.accounts(), [format!("Anthropic API, key from {from}")]);
        }
    }

    #[test]
    fn without_a_key_the_error_says_what_to_set() {
        assert!(refused(&Wanted::default(), &[]).starts_with("No model is set up. Set ANTHROPIC_API_KEY"));
    }

    #[test]
    fn each_account_says_what_it_pays_for_where_there_are_several() {
        let editor: Arc<dyn EditorModels> = Arc::new(NoAnswer);
        let wanted = Wanted { balanced: Some("editor:balanced".to_owned()), ..Wanted::default() };
        let models = with_editor(&wanted, &[KEY], Some(&editor)).expect("resolves");
        assert_eq!(
            models.accounts(),
            [
                "fast, powerful: Anthropic API, key from ANTHROPIC_API_KEY",
                "balanced: Your editor's models, billed by its plan"
            ]
        );
    }

    #[test]
    fn a_model_that_the_user_gives_a_price_is_not_said_to_cost_nothing() {
        let account = |usd: f64| {
            let name = "ollama:q".to_owned();
            let facts = ModelFacts { name: name.clone(), input: Some(0.0), output: Some(usd), ..ModelFacts::default() };
            let choice = || Some(name.clone());
            let (fast, balanced, powerful) = (choice(), choice(), choice());
            let wanted = Wanted { fast, balanced, powerful, facts: vec![facts], ..Wanted::default() };
            with(&wanted, &[]).expect("resolves").accounts()
        };
        assert_eq!(account(0.0), ["Ollama at 127.0.0.1:11434, local, no cost"]);
        assert_eq!(account(2.0), ["Ollama at 127.0.0.1:11434, local, at your own price"]);
    }

    #[test]
    fn a_provider_is_not_looked_for_where_every_tier_has_a_model() {
        let choice = || Some("anthropic:x".to_owned());
        let wanted = Wanted { fast: choice(), balanced: choice(), powerful: choice(), ..Wanted::default() };
        // Its own error, for it is named; not that nothing is set up, where another one is.
        let own = "The provider `anthropic` is not set up. Set ANTHROPIC_API_KEY to a key";
        for env in [&[][..], &[("OPENAI_API_KEY", "sk-other"), ("OPENAI_MODEL", "m")]] {
            assert!(refused(&wanted, env).starts_with(own));
        }
        assert_eq!(with(&wanted, &[KEY]).expect("resolves").fast.id(), "anthropic:x");
    }

    #[test]
    fn a_bare_name_is_refused_with_the_right_form() {
        let wanted = Wanted { balanced: Some("claude-sonnet-5-5".to_owned()), ..Wanted::default() };
        let message = refused(&wanted, &[KEY]);
        assert!(message.starts_with("models.balanced is \"claude-sonnet-5-5\""), "{message}");
        assert!(message.contains("\"anthropic:claude-sonnet-5-5\""), "{message}");
        for choice in ["", ":", "anthropic:", "\u{1F980}"] {
            refused(&Wanted { fast: Some(choice.to_owned()), ..Wanted::default() }, &[KEY]);
        }
    }

    #[test]
    fn a_provider_that_does_not_exist_is_named_with_its_setting() {
        let wanted = Wanted { powerful: Some("gemini:x".to_owned()), ..Wanted::default() };
        let message = refused(&wanted, &[KEY]);
        assert!(message.starts_with("models.powerful names the provider \"gemini\""), "{message}");
        assert!(message.ends_with("There are `anthropic`, `editor`, `openai`, `ollama` and `replay`."), "{message}");
    }

    #[test]
    fn an_unusable_address_is_reported_without_the_key() {
        for address in ["not a url", "ftp://example.org", "file:///etc/passwd"] {
            let message = refused(&Wanted::default(), &[KEY, ("ANTHROPIC_BASE_URL", address)]);
            assert!(message.contains("ANTHROPIC_BASE_URL") && !message.contains("sk-secret"), "{message}");
        }
    }

    #[test]
    fn a_key_goes_over_plain_http_to_no_other_host_unless_it_is_allowed_by_name() {
        for base_url in ["http://gpu.lan:8080", "http://api.anthropic.com", "http://localhost@gpu.lan/"] {
            for key in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
                let message = refused(&Wanted::default(), &[(key, "sk-secret"), ("ANTHROPIC_BASE_URL", base_url)]);
                assert!(message.contains("is plain http") && message.contains(key), "{message}");
                assert!(!message.contains("sk-secret") && message.contains("allow_http_hosts = [\""), "{message}");
            }
        }
        let env = [KEY, ("ANTHROPIC_BASE_URL", "http://gpu.lan:8080")];
        let allowed = |host: &str| Wanted { allow_http_hosts: vec![host.to_owned()], ..Wanted::default() };
        refused(&allowed("lan"), &env);
        let models = with(&allowed("gpu.lan"), &env).expect("resolves");
        assert_eq!(models.accounts(), ["Anthropic API at gpu.lan:8080 over plain http, key from ANTHROPIC_API_KEY"]);
    }

    #[test]
    fn a_recorded_run_is_played_from_the_file_it_is_given() {
        let wanted = Wanted { provider: Some("replay".to_owned()), ..Wanted::default() };
        assert!(refused(&wanted, &[]).contains("set BATON_REPLAY"));
        assert!(refused(&wanted, &[("BATON_REPLAY", "/nowhere/t.jsonl")]).contains("/nowhere/t.jsonl"));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.jsonl");
        let turn = r#"{"agent":"plan","model":"m","response":{"content":[],"stop_reason":"end_turn"}}"#;
        std::fs::write(&path, turn).expect("written");
        let models = with(&wanted, &[("BATON_REPLAY", &path.to_string_lossy())]).expect("resolves");
        assert_eq!(models.accounts(), ["A recorded run: no network, nothing is billed"]);
    }
}
