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
    assert!(
        message.ends_with("There are `anthropic`, `editor`, `openai`, `ollama`, `replay` and `demo`."),
        "{message}"
    );
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
