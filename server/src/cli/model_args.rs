//! The flags by which models are chosen for one start, what they may cost, and where they are asked.

use clap::builder::PossibleValuesParser;

use crate::config::{Overrides, PROVIDERS, PhaseTier};

/// Which models are used, before what settings say. Flags of every subcommand that starts models.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ModelArgs {
    /// Use this provider's models where no setting names one
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(PROVIDERS))]
    pub provider: Option<String>,
    /// Use this model for fast, balanced or powerful work, as in fast=ollama:qwen3:8b, once for each of them; without
    /// TIER= for all that no other --model names. A name without a provider is one of --provider
    #[arg(long = "model", value_name = "[TIER=]ID", value_parser = tier_and_model)]
    pub models: Vec<(Option<PhaseTier>, String)>,
    /// What the workflow may cost, in US dollars, before it stops for you; in place of what settings say [default: 5]
    #[arg(long, value_name = "USD", allow_hyphen_values = true, value_parser = usd)]
    pub budget: Option<String>,
    /// Have workers elsewhere hold the agents' conversations, by this NATS server, as in tls://nats.example.org, with
    /// ?tag=NAME by workers with that tag; empty for none, whatever settings say. It needs BATON_BUS_KEY
    #[arg(long, value_name = "URL")]
    pub dispatch: Option<String>,
}

const TIERS: [PhaseTier; 3] = [PhaseTier::Fast, PhaseTier::Balanced, PhaseTier::Powerful];

impl ModelArgs {
    /// As settings of the command line.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            provider: self.provider.clone(),
            models: self.of_each_tier(),
            budget_usd: self.budget.clone(),
            dispatch: self.dispatch.clone(),
            ..Overrides::default()
        }
    }

    /// The model of each tier: the one that is named for it, else the one that is named for all.
    fn of_each_tier(&self) -> Vec<(PhaseTier, String)> {
        let of = |wanted: Option<PhaseTier>| self.models.iter().find(|(tier, _)| *tier == wanted);
        let model = |tier: PhaseTier| of(Some(tier)).or_else(|| of(None)).map(|(_, id)| (tier, id.clone()));
        TIERS.into_iter().filter_map(model).collect()
    }

    /// What the flags mean together.
    ///
    /// # Errors
    /// Two models for one tier.
    pub(super) fn check(&self) -> Result<(), String> {
        for (at, (tier, model)) in self.models.iter().enumerate() {
            if let Some((_, earlier)) =
                self.models[..at].iter().find(|(other, earlier)| other == tier && earlier != model)
            {
                let tier = tier.map_or("all tiers", PhaseTier::as_str);
                return Err(format!("--model names two models for {tier}, {earlier} and {model}; there can be one"));
            }
        }
        Ok(())
    }

    /// As they are written, each with a space before it; empty where none is given.
    pub(super) fn words(&self) -> String {
        let provider = self.provider.iter().map(|provider| format!(" --provider {provider}"));
        let models = self.models.iter().map(|(tier, id)| match tier {
            Some(tier) => format!(" --model {}={id}", tier.as_str()),
            None => format!(" --model {id}"),
        });
        provider.chain(models).collect()
    }

    /// `--budget` as it is written, with a space before it; empty where it is not given.
    pub(super) fn budget_words(&self) -> String {
        self.budget.as_ref().map(|usd| format!(" --budget {usd}")).unwrap_or_default()
    }

    /// `--dispatch` as a shell takes it, with a space before it; empty where it is not given. An address with a user is not
    /// repeated, for a password may stand there.
    pub(super) fn dispatch_words(&self) -> String {
        match self.dispatch.as_deref().map(str::trim) {
            None => String::new(),
            Some("") => " --dispatch=".to_owned(),
            Some(address) if address.chars().all(|c| c.is_ascii_alphanumeric() || "/.-:".contains(c)) => {
                format!(" --dispatch {address}")
            }
            Some(address) if address.chars().all(|c| c.is_ascii_alphanumeric() || "/.-:[]?=".contains(c)) => {
                format!(" --dispatch '{address}'")
            }
            Some(_) => " --dispatch URL".to_owned(),
        }
    }
}

/// An amount of US dollars, as a setting takes it.
fn usd(text: &str) -> Result<String, String> {
    let amount = text.trim().trim_start_matches('$');
    match amount.parse::<f64>() {
        Ok(usd) if usd.is_finite() && usd >= 0.0 => Ok(amount.to_owned()),
        _ => Err("a budget is an amount of US dollars, as in 5 or 0.50".to_owned()),
    }
}

/// A model, and the tier it is for; `None` for all of them.
fn tier_and_model(text: &str) -> Result<(Option<PhaseTier>, String), String> {
    let example = "fast=ollama:qwen3:8b";
    let Some((word, id)) = text.split_once('=') else {
        return match text.trim() {
            "" => Err(format!("this names no model; write ID or TIER=ID, as in {example}")),
            tier if TIERS.iter().any(|known| known.as_str() == tier) => {
                Err(format!("{tier} is a tier and names no model; write {tier}=ID, as in {example}"))
            }
            id => Ok((None, id.to_owned())),
        };
    };
    let (word, id) = (word.trim(), id.trim());
    let Some(tier) = TIERS.into_iter().find(|tier| tier.as_str() == word) else {
        let score = |tier: &PhaseTier| strsim::jaro_winkler(word, tier.as_str());
        let nearest = TIERS.into_iter().max_by(|a, b| score(a).total_cmp(&score(b))).filter(|tier| score(tier) > 0.7);
        let hint = nearest.map(|tier| format!("; did you mean {}?", tier.as_str())).unwrap_or_default();
        return Err(format!("{word:?} is no tier{hint}; there are fast, balanced and powerful, as in {example}"));
    };
    match id {
        "" => Err(format!("this names no model; write TIER=ID, as in {example}")),
        id => Ok((Some(tier), id.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_and_its_model_are_taken_apart_at_the_first_sign() {
        assert_eq!(tier_and_model("fast=ollama:qwen3:8b"), Ok((Some(PhaseTier::Fast), "ollama:qwen3:8b".to_owned())));
        assert_eq!(tier_and_model("ollama:qwen3:8b"), Ok((None, "ollama:qwen3:8b".to_owned())));
        assert_eq!(tier_and_model(" powerful = openai:a=b"), Ok((Some(PhaseTier::Powerful), "openai:a=b".to_owned())));
        for (text, expected) in [
            ("fast", "write fast=ID"),
            ("fasst=openai:x", "did you mean fast?"),
            ("power=openai:x", "did you mean powerful?"),
            ("x=openai:x", "\"x\" is no tier; there are"),
            ("fast=", "names no model"),
        ] {
            let message = tier_and_model(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn flags_are_written_as_they_were_given() {
        let args = ModelArgs {
            provider: Some("openai".to_owned()),
            models: vec![(Some(PhaseTier::Fast), "ollama:x".to_owned()), (None, "openai:y".to_owned())],
            budget: Some("7.5".to_owned()),
            dispatch: Some("tls://me:hunter2@bus.example.org".to_owned()),
        };
        assert_eq!(args.dispatch_words(), " --dispatch URL");
        let dispatch =
            |url: &str| ModelArgs { dispatch: Some(url.to_owned()), ..ModelArgs::default() }.dispatch_words();
        assert_eq!(dispatch("tls://bus.example.org"), " --dispatch tls://bus.example.org");
        assert_eq!(dispatch("nats://[::1]:1?tag=a"), " --dispatch 'nats://[::1]:1?tag=a'");
        assert_eq!((dispatch("nats://h';id"), dispatch("")), (" --dispatch URL".to_owned(), " --dispatch=".to_owned()));
        assert_eq!(args.words(), " --provider openai --model fast=ollama:x --model openai:y");
        assert_eq!(args.budget_words(), " --budget 7.5");
        let of_tiers = args.overrides().models;
        let names: Vec<(&str, &str)> = of_tiers.iter().map(|(tier, id)| (tier.as_str(), id.as_str())).collect();
        assert_eq!(names, [("fast", "ollama:x"), ("balanced", "openai:y"), ("powerful", "openai:y")]);
        assert_eq!(ModelArgs::default().words(), "");
        assert_eq!((ModelArgs::default().budget_words(), ModelArgs::default().dispatch_words()), Default::default());
    }

    #[test]
    fn a_budget_is_an_amount_of_dollars() {
        assert_eq!((usd("7.50"), usd(" $2"), usd("0")), (Ok("7.50".into()), Ok("2".into()), Ok("0".into())));
        for text in ["", "-1", "many", "inf", "NaN", "5 EUR"] {
            assert!(usd(text).unwrap_err().contains("US dollars"), "{text}");
        }
    }
}
