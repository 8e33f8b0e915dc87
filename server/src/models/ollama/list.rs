//! Whether Ollama has a model, for `baton doctor`.
//!
//! Source: Ollama's API reference, "List local models": `GET /api/tags` answers `{models: [{name}]}`, each name with its tag.

use super::super::error::{ModelError, ModelErrorKind};
use super::super::http::Unanswered;
use super::super::probe::{Probe, nearest};
use super::client::OllamaClient;

/// What is asked for, in messages.
const WHAT: &str = "its list of models";
/// Names that a message lists where the wanted one is missing.
const MOST_NAMES: usize = 3;

impl OllamaClient {
    /// Whether it has the model of this name, and one that calls tools.
    pub(super) async fn probe(&self, name: &str) -> Probe {
        let names = match self.listed.get_or_init(|| self.list()).await {
            Ok(names) => names,
            Err(Unanswered { error, reached }) => return Probe::Failed { error: error.clone(), reached: *reached },
        };
        if !names.iter().any(|known| is_same(known, name)) {
            return Probe::Missing { has: nearest(name, names, MOST_NAMES) };
        }
        let known = self.known(name);
        match self.shown(&known, name).await {
            Ok(shown) if shown.lacks_tools() => {
                let error = ModelError::new(ModelErrorKind::Settings, lacks_tools(name));
                Probe::Unfit { error }
            }
            Ok(_) => Probe::Found,
            Err(unanswered) => {
                let Unanswered { error, reached } = self.not_running(unanswered);
                Probe::Failed { error, reached }
            }
        }
    }

    async fn list(&self) -> Result<Vec<String>, Unanswered> {
        let url = self.server.url(&["api", "tags"]);
        let answer =
            self.server.ask(url.clone(), None, WHAT).await.map_err(|unanswered| self.not_running(unanswered))?;
        let models = answer.as_ref().and_then(|answer| answer["models"].as_array());
        let models = models.ok_or_else(|| self.server.no_list(&url))?;
        Ok(models.iter().filter_map(|model| model["name"].as_str()).map(str::to_owned).collect())
    }

    /// With how to start it, where nothing answered.
    pub(super) fn not_running(&self, unanswered: Unanswered) -> Unanswered {
        let Unanswered { mut error, reached } = unanswered;
        if !reached {
            error.message = self.with_start(&error.message);
        }
        Unanswered { error, reached }
    }

    /// A message about an Ollama that cannot be reached, with what to do about it.
    pub(super) fn with_start(&self, message: &str) -> String {
        let said = message.split(" Check the network").next().unwrap_or(message);
        let fault = self.address.fault().map(|fault| format!(" {fault}")).unwrap_or_default();
        format!("{said}{fault} Start it with `ollama serve`, or set OLLAMA_HOST to where it runs.")
    }
}

/// A model without a tag is its `latest`.
fn is_same(known: &str, wanted: &str) -> bool {
    known == wanted || known.strip_suffix(":latest") == Some(wanted)
}

/// What to do about a model that calls no tools.
pub(super) fn lacks_tools(name: &str) -> String {
    format!(
        "Ollama's {name} calls no tools, and each agent works by them. Choose a model of which `ollama show` lists `tools` \
         under its capabilities (models.*, OLLAMA_MODEL)."
    )
}
