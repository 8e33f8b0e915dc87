//! Which models the server has: for `baton doctor`, and for what each takes in one request.

use super::super::http::Unanswered;
use super::super::probe::{Probe, nearest};
use super::client::OpenAiClient;
use super::listed::Listed;

/// What is asked for, in messages.
const WHAT: &str = "its list of models";
/// Names that a message lists where the wanted one is missing.
const MOST_NAMES: usize = 3;
/// Hosts whose lists are complete: what is not in them is not there.
const COMPLETE: [&str; 4] = ["api.openai.com", "openrouter.ai", "api.deepseek.com", "api.mistral.ai"];

impl OpenAiClient {
    /// The models that the server lists; `None` where there is no such list. Asked once.
    pub(super) async fn list(&self) -> &Result<Option<Vec<Listed>>, Unanswered> {
        let ask = || async {
            let url = self.url(&["models"]);
            let Some(answer) = self.server.ask(url.clone(), None, WHAT).await? else { return Ok(None) };
            let models = answer["data"].as_array().or_else(|| answer.as_array());
            let models = models.ok_or_else(|| self.server.no_list(&url))?;
            Ok(Some(models.iter().filter_map(Listed::of).collect()))
        };
        self.listed.get_or_init(ask).await
    }

    /// Whether the server has the model of this name.
    pub(super) async fn probe(&self, name: &str) -> Probe {
        let models = match self.list().await {
            Ok(Some(models)) => models,
            Ok(None) => return Probe::NotListed,
            Err(Unanswered { error, reached }) => return Probe::Failed { error: error.clone(), reached: *reached },
        };
        if models.iter().any(|model| model.is_named(name)) {
            return Probe::Found;
        }
        let is_complete = COMPLETE.contains(&self.host()) || models.iter().any(|model| model.owner == "vllm");
        if !is_complete {
            return Probe::NotListed;
        }
        let names: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
        Probe::Missing { has: nearest(name, &names, MOST_NAMES) }
    }
}
