use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::super::error::ModelError;
use super::super::limits::Limits;
use super::super::message::StopReason;
use super::super::model::Model;
use super::super::probe::Probe;
use super::super::turn::{Retry, Turn, TurnProgress, TurnRequest};
use super::in_use::Secrets;

/// A model that answers with masks in the place of secrets.
pub(in crate::models) struct Masked {
    model: Arc<dyn Model>,
    secrets: Arc<Secrets>,
}

impl Masked {
    /// The same model, as it is where there are no secrets.
    pub(in crate::models) fn over(model: Arc<dyn Model>, secrets: &Arc<Secrets>) -> Arc<dyn Model> {
        if secrets.is_empty() { model } else { Arc::new(Self { model, secrets: Arc::clone(secrets) }) }
    }

    fn error(&self, mut error: ModelError) -> ModelError {
        self.secrets.mask_text(&mut error.message);
        error
    }

    fn turn_masked(&self, mut turn: Turn) -> Turn {
        // What a provider signed goes back as it came or not at all.
        turn.content.retain_mut(|block| !self.secrets.mask_value(&mut block.0) || !is_signed(&block.0));
        self.secrets.mask_text(&mut turn.model);
        if let StopReason::Other(reason) = &mut turn.stop_reason {
            self.secrets.mask_text(reason);
        }
        turn
    }

    fn progress(&self, progress: TurnProgress) -> TurnProgress {
        let masked = |mut again: Retry| {
            self.secrets.mask_text(&mut again.reason);
            again
        };
        match progress {
            TurnProgress::Retry { again, wait, lost } => TurnProgress::Retry { again: masked(again), wait, lost },
            TurnProgress::Waiting { again, left } => TurnProgress::Waiting { again: masked(again), left },
            TurnProgress::Asking { provider, again } => TurnProgress::Asking { provider, again: again.map(masked) },
            other => other,
        }
    }
}

/// Whether a block, or a part of it, has a signature of who made it.
fn is_signed(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            let signature = fields.get("signature").and_then(Value::as_str);
            signature.is_some_and(|signature| !signature.is_empty()) || fields.values().any(is_signed)
        }
        Value::Array(list) => list.iter().any(is_signed),
        _ => false,
    }
}

#[async_trait]
impl Model for Masked {
    fn id(&self) -> &str {
        self.model.id()
    }

    fn account(&self) -> String {
        self.model.account()
    }

    fn host(&self) -> Option<String> {
        self.model.host()
    }

    fn address_fault(&self) -> Option<String> {
        self.model.address_fault()
    }

    async fn probe(&self) -> Probe {
        match self.model.probe().await {
            Probe::Missing { has } => {
                Probe::Missing { has: has.iter().map(|name| self.secrets.masked(name).into_owned()).collect() }
            }
            Probe::Unfit { error } => Probe::Unfit { error: self.error(error) },
            Probe::Failed { error, reached } => Probe::Failed { error: self.error(error), reached },
            other @ (Probe::NotNeeded | Probe::Found | Probe::NotListed) => other,
        }
    }

    fn how_to_get(&self) -> Option<String> {
        self.model.how_to_get()
    }

    fn tells_window(&self) -> bool {
        self.model.tells_window()
    }

    async fn limits(&self) -> Limits {
        self.model.limits().await
    }

    fn can_answer(&self, request: &TurnRequest) -> bool {
        self.model.can_answer(request)
    }

    fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.secrets.masked(text)
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let masked = |step: TurnProgress| progress(self.progress(step));
        match self.model.turn(request, cancel, &masked).await {
            Ok(turn) => Ok(self.turn_masked(turn)),
            Err(error) => Err(self.error(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use serde_json::json;

    use super::super::super::error::ModelErrorKind;
    use super::super::super::message::{Block, Message};
    use super::super::super::turn::Tier;
    use super::*;
    use crate::contracts::Usage;

    const KEY: &str = "sk-secret-1234";

    /// Says the key wherever a server can put it.
    struct Telltale {
        fails: bool,
    }

    #[async_trait]
    impl Model for Telltale {
        fn id(&self) -> &str {
            "openai:m"
        }

        fn account(&self) -> String {
            String::new()
        }

        async fn turn(
            &self,
            _: &TurnRequest,
            _: &CancellationToken,
            progress: &(dyn Fn(TurnProgress) + Send + Sync),
        ) -> Result<Turn, ModelError> {
            let again = Retry {
                provider: "m".to_owned(),
                reason: format!("no {KEY}"),
                attempt: 2,
                most: None,
                is_overload: true,
            };
            progress(TurnProgress::Retry { again, wait: Duration::ZERO, lost: Usage::default() });
            if self.fails {
                return Err(ModelError::new(ModelErrorKind::Request, format!("Refused: {KEY}")));
            }
            let content = [
                json!({ "type": "thinking", "thinking": KEY, "signature": "abc" }),
                json!({ "type": "thinking", "thinking": "hm", "signature": "abc" }),
                json!({ "type": "text", "text": KEY }),
                json!({ "type": "tool_use", "id": KEY, "name": KEY, "input": { "a": KEY, KEY: [KEY] } }),
            ];
            Ok(Turn {
                content: content.map(Block).to_vec(),
                stop_reason: StopReason::Other(KEY.to_owned()),
                model: KEY.to_owned(),
                usage: Usage::default(),
            })
        }
    }

    async fn said(fails: bool) -> (Result<Turn, ModelError>, String) {
        let secrets = Arc::new(Secrets::of(&|name| (name == "OPENAI_API_KEY").then(|| KEY.to_owned())));
        let model = Masked::over(Arc::new(Telltale { fails }), &secrets);
        assert!(!model.masked(KEY).contains(KEY));
        let request = TurnRequest {
            run: String::new(),
            agent: "plan".to_owned(),
            tier: Tier::Fast,
            system: Vec::new(),
            tools: Vec::new(),
            messages: vec![Message::user("go")],
            max_tokens: 1,
        };
        let heard = Mutex::new(String::new());
        let hear = |progress: TurnProgress| heard.lock().expect("no panic").push_str(&format!("{progress:?}"));
        let turn = model.turn(&request, &CancellationToken::new(), &hear).await;
        (turn, heard.into_inner().expect("no panic"))
    }

    #[tokio::test]
    async fn nothing_that_a_model_says_holds_a_key() {
        let (turn, heard) = said(false).await;
        let turn = turn.expect("a turn");
        let text = format!("{turn:?}{heard}");
        assert!(!text.contains(KEY) && text.contains("<masked by Baton: key in OPENAI_API_KEY>"), "{text}");
        let kinds: Vec<&str> = turn.content.iter().map(Block::kind).collect();
        assert_eq!(kinds, ["thinking", "text", "tool_use"], "what was signed and holds a key is left out");
        let (turn, _) = said(true).await;
        assert_eq!(turn.expect_err("it fails").message, "Refused: <masked by Baton: key in OPENAI_API_KEY>");
    }
}
