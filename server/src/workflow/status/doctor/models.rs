//! The models: whether their providers are there and have them, and what is known of each.

use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::check::{Check, CheckStatus};
use crate::config::{EffortChoice, Settings};
use crate::models::{Effort, FactSource, Limits, Model, ModelError, ModelErrorKind, Models, Price, Probe, Tier};
use crate::text;

/// A model that would serve a run, and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInForce {
    /// `fast`, `balanced` or `powerful`.
    pub tier: &'static str,
    /// `provider:name`.
    pub id: String,
    /// Whose it is and on whose account.
    pub account: String,
    /// The host that is asked; `None` where no network is used.
    pub host: Option<String>,
    /// Its context window, in tokens.
    pub window: Option<u64>,
    /// Where the window is known from, in words.
    pub window_from: Option<&'static str>,
    /// Most tokens of one answer.
    pub max_output: Option<u32>,
    /// What it costs, in words, with the date of the price.
    pub price: String,
    /// How long it is to think: `low`, `medium` or `high`.
    pub effort: &'static str,
    /// What is wrong with the address that the user gave.
    #[serde(skip)]
    address_fault: Option<String>,
    /// How the user gets it where its server does not have it.
    #[serde(skip)]
    how_to_get: Option<String>,
    /// Whether it costs something that is not known here.
    #[serde(skip)]
    is_unpriced: bool,
    /// Whether nothing that is built in tells of it.
    #[serde(skip)]
    is_unknown: bool,
}

const TIERS: [(Tier, &str); 3] =
    [(Tier::Fast, "models.fast"), (Tier::Balanced, "models.balanced"), (Tier::Powerful, "models.powerful")];

/// A window of fewer tokens does not hold a review with its diff.
const SMALL_WINDOW: u64 = 32_000;

/// How long all questions together may take: a little longer than one may, so that the answer says which it was.
const PATIENCE: Duration = Duration::from_secs(11);

/// A model that was asked for.
pub(super) struct Asked {
    pub(super) facts: ModelInForce,
    probe: Probe,
}

/// What is known of the models, and whether their servers have them. All are asked at once.
pub(super) async fn ask(models: &Models, settings: &Settings) -> Vec<Asked> {
    let deadline = Instant::now() + PATIENCE;
    let asking = TIERS.map(|(tier, _)| async move {
        let model = models.for_tier(tier);
        let limits = timeout_at(deadline, model.limits());
        let probe = timeout_at(deadline, model.probe());
        let (limits, probe) = futures::join!(limits, probe);
        let limits = models.catalog.limits(model.id(), limits.unwrap_or_default());
        let facts = of_model(model.as_ref(), limits, &models.catalog.price(model.id()), tier, &settings.effort);
        let probe = probe.unwrap_or_else(|_| silent(&facts));
        Asked { facts, probe }
    });
    join_all(asking).await
}

/// A server that did not say in time whether it has a model.
fn silent(facts: &ModelInForce) -> Probe {
    let host = facts.host.as_deref().unwrap_or(&facts.account);
    let waited = humantime::format_duration(PATIENCE);
    let message = format!(
        "{host} did not answer within {waited}. Look whether it is busy, or whether something else runs there."
    );
    Probe::Failed { error: ModelError::new(ModelErrorKind::Unavailable, message), reached: false }
}

fn of_model(model: &dyn Model, limits: Limits, price: &Price, tier: Tier, choice: &EffortChoice) -> ModelInForce {
    let Limits { window, max_output, window_from } = limits;
    let named = match tier {
        Tier::Fast => choice.fast,
        Tier::Balanced => choice.balanced,
        Tier::Powerful => choice.powerful,
    };
    let effort = named.map_or(Effort::usual(tier).as_str(), |effort| effort.as_str());
    ModelInForce {
        tier: tier.as_str(),
        id: model.id().to_owned(),
        account: model.account(),
        host: model.host(),
        window,
        window_from: window.map(|_| window_from.as_str()),
        max_output,
        price: price.words(),
        effort,
        address_fault: model.address_fault(),
        how_to_get: model.how_to_get(),
        is_unpriced: *price == Price::Unknown,
        is_unknown: !matches!(price, Price::Known { from: FactSource::Table, .. }),
    }
}

impl ModelInForce {
    /// What is known of it, in words.
    fn facts(&self) -> String {
        let window = match (self.window, self.window_from) {
            (Some(window), Some(from)) => format!("Context window {} tokens ({from})", text::tokens(window)),
            _ => "Context window not known".to_owned(),
        };
        let output = self.max_output.map(|most| format!(", answers up to {}", text::tokens(most.into())));
        format!("{window}{}. Price: {}. {}", output.unwrap_or_default(), self.price, self.effort_words())
    }

    fn effort_words(&self) -> String {
        format!("Effort: {}, where it can be told.", self.effort)
    }

    /// What a run could stumble over, and how to fix it.
    fn concern(&self, settings: &Settings) -> Option<(String, String)> {
        // What runs without a network is its owner's to know.
        self.host.as_ref()?;
        let name = self.id.as_str();
        let say = |fact: &str| {
            format!("Say it in your own baton/config.toml: [[model_facts]] with name = {name:?} and {fact}.")
        };
        match self.window {
            None if self.is_unknown => {
                let what = "A prompt that is too long for it is noticed only by its server.".to_owned();
                return Some((what, say("window")));
            }
            Some(window) if window < SMALL_WINDOW => {
                let what = format!(
                    "That is a small window: a plan or a diff of some size does not fit in {} tokens.",
                    text::tokens(window)
                );
                return Some((
                    what,
                    "Use a model, or a setting of its server, with a window of 32k tokens or more.".to_owned(),
                ));
            }
            _ => {}
        }
        if self.is_unpriced && settings.budget_tokens.is_none() {
            let what = "Without a price nothing but budget_tokens limits a run, and it is not set.".to_owned();
            return Some((what, format!("Set budget_tokens, or the price. {}", say("input and output"))));
        }
        None
    }
}

/// The models, and whether their providers are there. Answers whether settings stand in the way.
pub(super) fn check_models(
    models: &[Asked],
    settings: &Settings,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
    checks: &mut Vec<Check>,
) -> bool {
    checks.push(Check::ok("models", chosen(models)));
    let mut at_fault = false;
    let mut asked: Vec<(String, CheckStatus)> = Vec::new();
    // Models that are there, each with the setting under which it is described.
    let mut described: Vec<(&str, &'static str)> = Vec::new();
    for ((_, name), Asked { facts, probe }) in TIERS.into_iter().zip(models) {
        let known = asked.iter().find(|(account, _)| *account == facts.account).map(|(_, status)| *status);
        let reached = match known {
            Some(status) => status,
            None => {
                let status = check_provider(facts, probe, env, checks);
                asked.push((facts.account.clone(), status));
                status
            }
        };
        if let Some((mut check, is_fault)) = check_existence(facts, name, probe, reached) {
            at_fault |= is_fault;
            if check.status != CheckStatus::Error {
                match described.iter().find(|(id, _)| *id == facts.id) {
                    Some((id, setting)) => {
                        check = Check::ok(name, format!("{id}, as {setting}. {}", facts.effort_words()));
                    }
                    None => {
                        with_facts(&mut check, facts, settings);
                        described.push((&facts.id, name));
                    }
                }
            }
            checks.push(check);
        }
        if let Probe::Failed { error, .. } = probe {
            at_fault |= error.kind == ModelErrorKind::Settings;
        }
    }
    at_fault
}

/// Which model serves which tier.
fn chosen(models: &[Asked]) -> String {
    let facts = || models.iter().map(|model| &model.facts);
    match models {
        [first, ..] if facts().all(|other| other.id == first.facts.id) => format!("{} for every tier", first.facts.id),
        _ => facts().map(|model| format!("{} {}", model.tier, model.id)).collect::<Vec<_>>().join(", "),
    }
}

/// Add what is known of a model to the check that it is there.
fn with_facts(check: &mut Check, facts: &ModelInForce, settings: &Settings) {
    check.message = format!("{}. {}", check.message, facts.facts());
    if let Some((concern, fix)) = facts.concern(settings) {
        check.message = format!("{} {concern}", check.message);
        check.status = CheckStatus::Warning;
        check.fix.get_or_insert(fix);
    }
}

/// The key and the endpoint of a provider. Answers how the worse of the two stands.
fn check_provider(
    model: &ModelInForce,
    probe: &Probe,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
    checks: &mut Vec<Check>,
) -> CheckStatus {
    let ModelInForce { account, host, .. } = model;
    let answers = || {
        let variable = address_variable(&model.id).filter(|name| env(name).is_some_and(|url| !url.trim().is_empty()));
        let from = variable.map(|name| format!(", which {name} names")).unwrap_or_default();
        host.as_ref().map(|host| {
            let answers = format!("{host} answers{from}");
            match &model.address_fault {
                None => Check::ok("endpoint", answers),
                Some(fault) => Check::new("endpoint", CheckStatus::Warning, format!("{answers}. {fault}"))
                    .with_fix("Set it to a host and a port, such as localhost:11434."),
            }
        })
    };
    let mut worst = CheckStatus::Ok;
    let (key, endpoint) = match probe {
        Probe::Failed { error, .. } if matches!(error.kind, ModelErrorKind::Auth | ModelErrorKind::Quota) => {
            worst = CheckStatus::Error;
            (Check::failed("key", worst, error), answers())
        }
        Probe::Failed { error, reached } => {
            let is_passing = *reached && error.kind != ModelErrorKind::Settings;
            worst = if is_passing { CheckStatus::Warning } else { CheckStatus::Error };
            (Check::ok("key", account), Some(Check::failed("endpoint", worst, error)))
        }
        _ => (Check::ok("key", account), answers()),
    };
    checks.push(key);
    checks.extend(endpoint);
    worst
}

/// The variable that may name another address of a model's provider.
fn address_variable(id: &str) -> Option<String> {
    match id.split_once(':')? {
        ("ollama", _) => Some("OLLAMA_HOST".to_owned()),
        (provider, _) => Some(format!("{}_BASE_URL", provider.to_uppercase())),
    }
}

/// Whether a model is there; and whether that it is not is a fault of the settings.
fn check_existence(
    model: &ModelInForce,
    name: &'static str,
    probe: &Probe,
    reached: CheckStatus,
) -> Option<(Check, bool)> {
    let id = &model.id;
    let host = model.host.as_deref().unwrap_or_default();
    match probe {
        Probe::NotNeeded => Some((Check::ok(name, id.clone()), false)),
        Probe::Found => Some((Check::ok(name, format!("{id} is there")), false)),
        Probe::Missing { has } => {
            let has = if has.is_empty() { String::new() } else { format!(", such as {}", has.join(", ")) };
            let fix = match &model.how_to_get {
                Some(get) => format!("{get}, or set {name} to one that it has{has}."),
                None => format!("Set {name} to one that it has{has}."),
            };
            let check = Check::new(name, CheckStatus::Error, format!("{host} has no model {id}")).with_fix(fix);
            Some((check, true))
        }
        Probe::Unfit { error } => Some((Check::failed(name, CheckStatus::Error, error), true)),
        Probe::NotListed => {
            let message = format!("whether {id} is there cannot be told: {host} does not list it");
            Some((Check::new(name, CheckStatus::Warning, message), false))
        }
        // The check of the key or the endpoint reports the cause.
        Probe::Failed { .. } if reached != CheckStatus::Ok => None,
        Probe::Failed { error, .. } => Some((Check::failed(name, CheckStatus::Warning, error), false)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config;
    use crate::models::{Catalog, ModelError, ModelFacts, Turn, TurnProgress, TurnRequest};

    /// A model whose server answers a probe with this, or never anything.
    struct Probed(Option<Probe>);

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
            match &self.0 {
                Some(probe) => probe.clone(),
                None => std::future::pending().await,
            }
        }

        async fn limits(&self) -> Limits {
            match &self.0 {
                Some(_) => Limits::default(),
                None => std::future::pending().await,
            }
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
        found_with(probe, Catalog::default(), &Settings::default()).await
    }

    async fn found_with(probe: Probe, catalog: Catalog, settings: &Settings) -> (Vec<String>, bool) {
        let mut checks = Vec::new();
        let models = Models { catalog: Arc::new(catalog), ..Models::all(Arc::new(Probed(Some(probe)))) };
        let asked = ask(&models, settings).await;
        let env = |name: &str| (name == "ANTHROPIC_BASE_URL").then(|| "https://api.anthropic.com".to_owned());
        let at_fault = check_models(&asked, settings, &env, &mut checks);
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
    async fn a_model_that_cannot_call_tools_is_a_fault_of_its_own_setting() {
        let error = ModelError::new(ModelErrorKind::Settings, "It calls no tools. Choose another.");
        let (checks, at_fault) = found(Probe::Unfit { error }).await;
        assert!(at_fault);
        assert!(checks[1].starts_with("endpoint Ok api.anthropic.com answers"), "{checks:?}");
        assert_eq!(checks[2], "models.fast Error It calls no tools Some(\"Choose another.\")");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_waited_for_once() {
        let models = Models::all(Arc::new(Probed(None)));
        let began = Instant::now();
        let asked = ask(&models, &Settings::default()).await;
        assert_eq!(began.elapsed(), PATIENCE);
        let mut checks = Vec::new();
        check_models(&asked, &Settings::default(), &|_| None, &mut checks);
        let endpoints: Vec<&Check> = checks.iter().filter(|check| check.name == "endpoint").collect();
        assert!(matches!(endpoints.as_slice(), [one] if one.status == CheckStatus::Error), "{checks:?}");
        assert!(
            endpoints[0].message.contains("api.anthropic.com did not answer within 11s"),
            "{}",
            endpoints[0].message
        );
    }

    #[tokio::test]
    async fn models_that_need_no_asking_are_not_looked_for() {
        let (checks, at_fault) = found(Probe::NotNeeded).await;
        assert_eq!((checks.len(), at_fault), (5, false), "{checks:?}");
        assert!(checks[2].starts_with("models.fast Warning anthropic:claude-opus-9. Context window"), "{checks:?}");
    }

    #[tokio::test]
    async fn what_is_known_of_a_model_is_said_with_where_it_is_from_and_what_is_not_known_with_how_to_say_it() {
        let (checks, _) = found(Probe::Found).await;
        assert_eq!(checks[1], "endpoint Ok api.anthropic.com answers, which ANTHROPIC_BASE_URL names None");
        assert_eq!(
            checks[4],
            "models.powerful Ok anthropic:claude-opus-9, as models.fast. Effort: high, where it can be told. None",
            "the same model is described once"
        );
        assert_eq!(
            checks[2],
            "models.fast Warning anthropic:claude-opus-9 is there. Context window not known. Price: not known, so that \
             tokens alone are counted. Effort: low, where it can be told. A prompt that is too long for it is noticed only \
             by its server. Some(\"Say it in your own baton/config.toml: [[model_facts]] with name = \\\"anthropic:claude-opus-9\\\" \
             and window.\")"
        );
        let facts = |window| ModelFacts {
            name: "claude-opus-9".to_owned(),
            window: Some(window),
            max_output: Some(8_192),
            ..ModelFacts::default()
        };
        let unpriced = found_with(Probe::Found, Catalog::new(vec![facts(200_000)]), &Settings::default()).await;
        assert!(
            unpriced.0[2].contains("Warning") && unpriced.0[2].contains("nothing but budget_tokens"),
            "{unpriced:?}"
        );
        let limited = Settings { budget_tokens: Some(1), ..Settings::default() };
        let (checks, _) = found_with(Probe::Found, Catalog::new(vec![facts(200_000)]), &limited).await;
        assert_eq!(
            checks[2],
            "models.fast Ok anthropic:claude-opus-9 is there. Context window 200k tokens (from your own settings), answers up \
             to 8.2k. Price: not known, so that tokens alone are counted. Effort: low, where it can be told. None"
        );
        let (checks, _) = found_with(Probe::Found, Catalog::new(vec![facts(8_192)]), &limited).await;
        assert!(checks[2].contains("Warning") && checks[2].contains("small window"), "{checks:?}");
        let priced =
            ModelFacts { input: Some(0.5), output: Some(2.0), as_of: Some("2026-12".to_owned()), ..facts(200_000) };
        let (checks, _) = found_with(Probe::Found, Catalog::new(vec![priced]), &Settings::default()).await;
        assert!(
            checks[2].contains("Ok") && checks[2].contains("$2.00 out a million tokens (your own, as of 2026-12)"),
            "{checks:?}"
        );
    }
}
