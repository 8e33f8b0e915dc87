//! From the settings and the environment to the three models of a run.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::anthropic::{AnthropicClient, AnthropicConfig, Credential};
use super::editor::{EditorClient, EditorConfig, EditorModels};
use super::replay::{Pace, Replay};
use super::{Model, ModelError, ModelErrorKind, Tier};

/// Which models the user wants; what is not said is the provider's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
}

/// The provider of a model. The word before the colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Anthropic,
    Editor,
    Replay,
}

/// Named in the contract, not built yet.
const COMING: [&str; 2] = ["openai", "ollama"];
const NOT_IN_AN_EDITOR: &str = "The provider `editor` is an editor's own models: they serve only runs started in an editor \
                                that lends them, by its Baton extension. Here, use `anthropic`.";
const NOT_SET_UP: &str = "No model is set up. Set ANTHROPIC_API_KEY to a key of the Anthropic API \
                          (https://platform.claude.com/settings/keys), or try `baton demo`, which needs none.";

/// Decide which models serve a run. `env` reads the environment; `editor` is the editor it was started in, where that
/// one lends its models.
///
/// What the user does not say is served by Anthropic's models where there is a key, else by the editor's.
///
/// # Errors
/// [`ModelErrorKind::Settings`], with what to set.
pub fn resolve(
    wanted: &Wanted,
    env: &dyn Fn(&str) -> Option<String>,
    editor: Option<&Arc<dyn EditorModels>>,
) -> Result<Models, ModelError> {
    let named = wanted.provider.as_deref().map(|name| provider(name, "--provider")).transpose()?;
    let lent = editor.cloned();
    let http = &wanted.allow_http_hosts;
    let sources =
        Sources { env, http, lent, anthropic: OnceLock::new(), editor: OnceLock::new(), replay: OnceLock::new() };
    let default = named.unwrap_or_else(|| sources.first());
    let serve = |tier: Tier, choice: &Option<String>| match choice {
        Some(choice) => {
            let (provider, name) = split(choice, setting(tier))?;
            sources.model(provider, name, tier)
        }
        None => sources.model(default, default_name(default, tier), tier),
    };
    Ok(Models {
        fast: serve(Tier::Fast, &wanted.fast)?,
        balanced: serve(Tier::Balanced, &wanted.balanced)?,
        powerful: serve(Tier::Powerful, &wanted.powerful)?,
    })
}

impl Models {
    /// One model for every tier.
    pub fn all(model: Arc<dyn Model>) -> Self {
        Self { fast: Arc::clone(&model), balanced: Arc::clone(&model), powerful: model }
    }

    /// The model that serves a tier.
    pub fn for_tier(&self, tier: Tier) -> &Arc<dyn Model> {
        match tier {
            Tier::Fast => &self.fast,
            Tier::Balanced => &self.balanced,
            Tier::Powerful => &self.powerful,
        }
    }

    /// Whose models these are and on whose account; the first line of a run.
    pub fn account(&self) -> String {
        let mut accounts = Vec::new();
        for model in [&self.fast, &self.balanced, &self.powerful] {
            let account = model.account();
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        accounts.join("; ")
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

/// The providers, each made when a tier first asks for it: all its models share one client and one throttle.
struct Sources<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    http: &'a [String],
    lent: Option<Arc<dyn EditorModels>>,
    anthropic: OnceLock<Arc<AnthropicClient>>,
    editor: OnceLock<Arc<EditorClient>>,
    replay: OnceLock<Arc<dyn Model>>,
}

impl Sources<'_> {
    /// The provider that serves where the user names none.
    fn first(&self) -> Provider {
        let has_key = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"].iter().any(|name| self.var(name).is_some());
        // With nothing at all, what is missing first is the key.
        if has_key || self.lent.is_none() { Provider::Anthropic } else { Provider::Editor }
    }

    fn model(&self, provider: Provider, name: &str, tier: Tier) -> Result<Arc<dyn Model>, ModelError> {
        match provider {
            Provider::Anthropic => {
                let client = once(&self.anthropic, || AnthropicClient::new(self.anthropic_config()?))?;
                Ok(Arc::new(client.model(name)))
            }
            Provider::Editor => {
                let client = once(&self.editor, || {
                    let lent = self.lent.clone().ok_or_else(|| settings(NOT_IN_AN_EDITOR))?;
                    Ok(EditorClient::new(lent, self.editor_config()?))
                })?;
                Ok(Arc::new(client.model(named_tier(name).unwrap_or(tier), name)))
            }
            Provider::Replay => once(&self.replay, || self.recorded_run()),
        }
    }

    fn anthropic_config(&self) -> Result<AnthropicConfig, ModelError> {
        let (credential, source) = if let Some(key) = self.var("ANTHROPIC_API_KEY") {
            (Credential::ApiKey(key), "ANTHROPIC_API_KEY")
        } else if let Some(token) = self.var("ANTHROPIC_AUTH_TOKEN") {
            (Credential::Bearer(token), "ANTHROPIC_AUTH_TOKEN")
        } else {
            return Err(settings(NOT_SET_UP));
        };
        let mut config = AnthropicConfig::new(credential, source);
        if let Some(base_url) = self.var("ANTHROPIC_BASE_URL") {
            config.base_url = base_url;
        }
        config.allow_http_hosts = self.http.to_vec();
        for (variable, time) in [
            ("BATON_RETRY_BASE", &mut config.retry.base),
            ("BATON_IDLE_TIMEOUT", &mut config.idle_timeout),
            ("BATON_ANSWER_TIMEOUT", &mut config.answer_timeout),
        ] {
            if let Some(set) = self.duration(variable)? {
                *time = set;
            }
        }
        Ok(config)
    }

    fn editor_config(&self) -> Result<EditorConfig, ModelError> {
        let mut config = EditorConfig::default();
        for (variable, time) in
            [("BATON_RETRY_BASE", &mut config.retry.base), ("BATON_ANSWER_TIMEOUT", &mut config.answer_timeout)]
        {
            if let Some(set) = self.duration(variable)? {
                *time = set;
            }
        }
        Ok(config)
    }

    /// How long something may take, where the user says so.
    fn duration(&self, variable: &str) -> Result<Option<Duration>, ModelError> {
        let Some(text) = self.var(variable) else { return Ok(None) };
        match humantime::parse_duration(&text) {
            Ok(time) if !time.is_zero() => Ok(Some(time)),
            _ => {
                Err(settings(format!("{variable} is {text:?}, which is no length of time. Write one such as \"90s\".")))
            }
        }
    }

    fn recorded_run(&self) -> Result<Arc<dyn Model>, ModelError> {
        let path = self.var("BATON_REPLAY").ok_or_else(|| {
            settings(
                "The provider `replay` plays a recorded run: set BATON_REPLAY to the path of its transcript.jsonl.",
            )
        })?;
        let transcript = std::fs::read_to_string(&path)
            .map_err(|error| settings(format!("BATON_REPLAY names {path}, which cannot be read: {error}.")))?;
        let pace = Pace { factor: 1.0, longest_turn: Duration::from_millis(600) };
        Ok(Replay::parse(&transcript, pace)?.into())
    }

    /// A variable that is set to nothing counts as not set.
    fn var(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

fn once<T: Clone>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    if let Some(made) = cell.get() {
        return Ok(made.clone());
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made).clone())
}

fn default_name(provider: Provider, tier: Tier) -> &'static str {
    match (provider, tier) {
        (Provider::Anthropic, Tier::Fast) => "claude-haiku-5-5",
        (Provider::Anthropic, Tier::Balanced) => "claude-sonnet-5-5",
        (Provider::Anthropic, Tier::Powerful) => "claude-opus-5-5",
        (Provider::Editor, tier) => tier.as_str(),
        (Provider::Replay, _) => "recorded",
    }
}

/// An editor's model may be named by the tier it serves otherwise. Any other name is for the editor to know.
fn named_tier(name: &str) -> Option<Tier> {
    [Tier::Fast, Tier::Balanced, Tier::Powerful].into_iter().find(|tier| tier.as_str() == name)
}

fn setting(tier: Tier) -> &'static str {
    match tier {
        Tier::Fast => "models.fast",
        Tier::Balanced => "models.balanced",
        Tier::Powerful => "models.powerful",
    }
}

fn split<'a>(choice: &'a str, setting: &str) -> Result<(Provider, &'a str), ModelError> {
    let choice = choice.trim();
    let Some((word, name)) = choice.split_once(':') else {
        return Err(settings(format!(
            "{setting} is {choice:?}, which names no provider. Write provider:name, such as \"anthropic:{}\".",
            if choice.is_empty() { "claude-haiku-5-5" } else { choice }
        )));
    };
    if name.is_empty() {
        return Err(settings(format!(
            "{setting} is {choice:?}, which names no model. Write provider:name, such as \"anthropic:claude-haiku-5-5\"."
        )));
    }
    Ok((provider(word, setting)?, name))
}

fn provider(word: &str, setting: &str) -> Result<Provider, ModelError> {
    match word {
        "anthropic" => Ok(Provider::Anthropic),
        "editor" => Ok(Provider::Editor),
        "replay" => Ok(Provider::Replay),
        word if COMING.contains(&word) => Err(settings(format!(
            "{setting} names the provider `{word}`, which this version does not have yet. Use `anthropic`."
        ))),
        word => Err(settings(format!(
            "{setting} names the provider {word:?}, which does not exist. There are `anthropic`, `editor` and `replay`."
        ))),
    }
}

fn settings(message: impl Into<String>) -> ModelError {
    ModelError::new(ModelErrorKind::Settings, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(wanted: &Wanted, env: &[(&str, &str)]) -> Result<Models, ModelError> {
        lent(wanted, env, None)
    }

    fn lent(
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
        let models = lent(&Wanted::default(), &[], Some(&editor)).expect("resolves");
        let ids = [&models.fast, &models.balanced, &models.powerful].map(|model| model.id().to_owned());
        assert_eq!(ids, ["editor:fast", "editor:balanced", "editor:powerful"]);
        assert_eq!(models.account(), "Your editor's models, billed by its plan");
        let models = lent(&Wanted::default(), &[KEY], Some(&editor)).expect("resolves");
        assert_eq!(models.account(), "Anthropic API, key from ANTHROPIC_API_KEY");
        let wanted = Wanted { provider: Some("editor".to_owned()), ..Wanted::default() };
        assert_eq!(lent(&wanted, &[KEY], Some(&editor)).expect("resolves").fast.id(), "editor:fast");
    }

    #[test]
    fn an_editors_models_mix_with_others_and_have_the_editors_names() {
        let editor: Arc<dyn EditorModels> = Arc::new(NoAnswer);
        let fast = |choice: &str| Wanted { fast: Some(choice.to_owned()), ..Wanted::default() };
        for choice in ["editor:powerful", "editor:copilot/gpt-9"] {
            let models = lent(&fast(choice), &[KEY], Some(&editor)).expect("resolves");
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
        assert_eq!(models.account(), "Anthropic API, key from ANTHROPIC_API_KEY");
    }

    #[test]
    fn a_tier_may_be_chosen_and_a_name_may_hold_colons() {
        let wanted = Wanted { fast: Some("anthropic:qwen:1.5b".to_owned()), ..Wanted::default() };
        let models = with(&wanted, &[KEY, ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8801/")]).expect("resolves");
        assert_eq!(models.fast.id(), "anthropic:qwen:1.5b");
        assert_eq!(models.account(), "Anthropic API at 127.0.0.1:8801, key from ANTHROPIC_API_KEY");
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
        assert_eq!(models.account(), "Anthropic API, token from ANTHROPIC_AUTH_TOKEN");
    }

    #[test]
    fn without_a_key_the_error_says_what_to_set() {
        assert!(refused(&Wanted::default(), &[]).starts_with("No model is set up. Set ANTHROPIC_API_KEY"));
    }

    #[test]
    fn a_bare_name_is_told_the_right_form() {
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
        let wanted = Wanted { provider: Some("openai".to_owned()), ..Wanted::default() };
        assert!(refused(&wanted, &[KEY]).contains("--provider names the provider `openai`, which this version"));
        let wanted = Wanted { powerful: Some("gemini:x".to_owned()), ..Wanted::default() };
        assert!(refused(&wanted, &[KEY]).starts_with("models.powerful names the provider \"gemini\""));
    }

    #[test]
    fn an_unusable_address_is_told_without_the_key() {
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
        assert_eq!(models.account(), "Anthropic API at gpu.lan:8080 over plain http, key from ANTHROPIC_API_KEY");
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
        assert_eq!(models.account(), "A recorded run: no network, nothing is billed");
    }
}
