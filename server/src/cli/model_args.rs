//! The flags by which models are chosen for one start.

use clap::builder::PossibleValuesParser;

use crate::config::{Overrides, PROVIDERS, PhaseTier};

/// Which models are used, before what settings say. Flags of every subcommand that starts models.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ModelArgs {
    /// Use this provider's models where no setting names one
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(PROVIDERS))]
    pub provider: Option<String>,
    /// Use this model for fast, balanced or powerful work, as in fast=ollama:qwen3:8b; once for each of them. A name
    /// without a provider is one of --provider
    #[arg(long = "model", value_name = "TIER=ID", value_parser = tier_and_model)]
    pub models: Vec<(PhaseTier, String)>,
}

const TIERS: [PhaseTier; 3] = [PhaseTier::Fast, PhaseTier::Balanced, PhaseTier::Powerful];

impl ModelArgs {
    /// As settings of the command line.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides { provider: self.provider.clone(), models: self.models.clone(), ..Overrides::default() }
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
                let tier = tier.as_str();
                return Err(format!("--model names two models for {tier}, {earlier} and {model}; a tier has one"));
            }
        }
        Ok(())
    }

    /// As they are written, each with a space before it; empty where none is given.
    pub(super) fn words(&self) -> String {
        let provider = self.provider.iter().map(|provider| format!(" --provider {provider}"));
        let models = self.models.iter().map(|(tier, id)| format!(" --model {}={id}", tier.as_str()));
        provider.chain(models).collect()
    }
}

fn tier_and_model(text: &str) -> Result<(PhaseTier, String), String> {
    let example = "fast=ollama:qwen3:8b";
    let Some((word, id)) = text.split_once('=') else {
        return Err(format!("this names no tier; write TIER=ID, as in {example}"));
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
        id => Ok((tier, id.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_and_its_model_are_taken_apart_at_the_first_sign() {
        assert_eq!(tier_and_model("fast=ollama:qwen3:8b"), Ok((PhaseTier::Fast, "ollama:qwen3:8b".to_owned())));
        assert_eq!(tier_and_model(" powerful = openai:a=b"), Ok((PhaseTier::Powerful, "openai:a=b".to_owned())));
        for (text, expected) in [
            ("openai:x", "names no tier"),
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
            models: vec![(PhaseTier::Fast, "ollama:x".to_owned()), (PhaseTier::Powerful, "openai:y".to_owned())],
        };
        assert_eq!(args.words(), " --provider openai --model fast=ollama:x --model powerful=openai:y");
        assert_eq!(ModelArgs::default().words(), "");
    }
}
