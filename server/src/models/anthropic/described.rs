//! What the API says of a model: how it can be told to think, and how much it takes.
//!
//! Source: Anthropic's API reference, "Get a Model": `GET /v1/models/{id}` answers `{max_input_tokens, max_tokens,
//! capabilities: {thinking: {types: {adaptive: {supported}}}, effort: {supported, low: {supported}, …}}}`. Other servers say
//! nothing of the kind, and then nothing is sent.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::super::effort::Effort;
use super::super::http::Refusal;
use super::super::limits::Limits;

/// More than any model takes.
const MOST_TOKENS: u64 = 1 << 32;

/// What a run has learnt of one model.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What the API says of it, once it was asked.
    pub(super) described: OnceCell<Described>,
    /// Times that it was asked and nothing answered.
    pub(super) unanswered: AtomicU32,
    refuses_thinking: AtomicBool,
    refuses_effort: AtomicBool,
}

/// What the API says of a model. Nothing of one that it does not describe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Described {
    /// Whether it takes `thinking: {type: adaptive}`.
    thinks: bool,
    /// The values that `output_config.effort` may have.
    efforts: [bool; 3],
    pub(super) limits: Limits,
}

/// How a model is told to think; each is left out where it does not take it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Thinking {
    /// `thinking: {type: adaptive}`.
    pub(super) is_adaptive: bool,
    /// `output_config.effort`.
    pub(super) effort: Option<Effort>,
}

impl Described {
    pub(super) fn of(answer: &Value) -> Self {
        let capabilities = &answer["capabilities"];
        let is_supported = |capability: &Value| capability["supported"] == true;
        let effort = &capabilities["effort"];
        let takes = |word: Effort| is_supported(effort) && is_supported(&effort[word.as_str()]);
        let tokens = |name: &str| answer[name].as_u64().filter(|tokens| (1..=MOST_TOKENS).contains(tokens));
        Self {
            thinks: is_supported(&capabilities["thinking"]["types"]["adaptive"]),
            efforts: [Effort::Low, Effort::Medium, Effort::High].map(takes),
            limits: Limits::of_server(
                tokens("max_input_tokens"),
                tokens("max_tokens").and_then(|tokens| u32::try_from(tokens).ok()),
            ),
        }
    }

    fn takes(&self, effort: Effort) -> bool {
        let [low, medium, high] = self.efforts;
        match effort {
            Effort::Low => low,
            Effort::Medium => medium,
            Effort::High => high,
        }
    }
}

impl Known {
    /// How the model is told to think, where an effort is wanted or none is named.
    pub(super) fn thinking(&self, described: Described, effort: Option<Effort>) -> Thinking {
        Thinking {
            is_adaptive: described.thinks && !self.refuses_thinking.load(Ordering::Relaxed),
            effort: effort.filter(|effort| described.takes(*effort) && !self.refuses_effort.load(Ordering::Relaxed)),
        }
    }

    /// The parameter that a refusal names, which is left out from now on; `None` where it is about something else.
    pub(super) fn leave_out(&self, refusal: &Refusal, sent: Thinking) -> Option<&'static str> {
        if !matches!(refusal.status.as_u16(), 400 | 422) {
            return None;
        }
        let said = format!("{} {}", refusal.body.param, refusal.body.message).to_lowercase();
        // What is wrong with a message is not mended by leaving out a parameter, though thinking is in it.
        if said.contains("messages.") || said.contains("signature") || said.contains("block") {
            return None;
        }
        if sent.effort.is_some() && (said.contains("effort") || said.contains("output_config")) {
            self.refuses_effort.store(true, Ordering::Relaxed);
            return Some("output_config.effort");
        }
        if sent.is_adaptive && said.contains("thinking") {
            self.refuses_thinking.store(true, Ordering::Relaxed);
            return Some("thinking");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::super::super::http::ErrorBody;
    use super::*;

    /// What the API says of a model that takes both.
    fn capable() -> Value {
        let yes = json!({ "supported": true });
        json!({
            "type": "model", "id": "claude-opus-5-5", "max_input_tokens": 1_000_000, "max_tokens": 128_000,
            "capabilities": {
                "thinking": { "supported": true, "types": { "adaptive": yes, "enabled": { "supported": false } } },
                "effort": { "supported": true, "low": yes, "medium": yes, "high": { "supported": false } },
            },
        })
    }

    #[test]
    fn a_model_is_told_what_it_takes_and_nothing_else() {
        let known = Known::default();
        let described = Described::of(&capable());
        let thinking = |effort| known.thinking(described, effort);
        assert_eq!(thinking(None), Thinking { is_adaptive: true, effort: None });
        assert_eq!(thinking(Some(Effort::Low)).effort, Some(Effort::Low));
        assert_eq!(thinking(Some(Effort::High)).effort, None);
        assert_eq!(described.limits, Limits::of_server(Some(1_000_000), Some(128_000)));
        for answer in [json!({}), json!(null), json!([]), json!({ "capabilities": null, "max_tokens": -1 })] {
            assert_eq!(Described::of(&answer), Described::default(), "{answer}");
        }
        let unknown = known.thinking(Described::default(), Some(Effort::Low));
        assert_eq!(unknown, Thinking::default(), "what is not known is not sent");
    }

    #[test]
    fn a_parameter_that_is_refused_is_left_out_from_then_on() {
        let refusal = |status: u16, message: &str| Refusal {
            status: StatusCode::from_u16(status).expect("a status"),
            body: ErrorBody::of(&json!({ "error": { "type": "invalid_request_error", "message": message } })),
        };
        let sent = Thinking { is_adaptive: true, effort: Some(Effort::Low) };
        for (status, message, parameter) in [
            (400, "adaptive thinking is not supported on this model", Some("thinking")),
            (422, "thinking.type: Input should be 'enabled' or 'disabled'", Some("thinking")),
            (400, "This model does not support the effort parameter.", Some("output_config.effort")),
            (400, "output_config: Extra inputs are not permitted", Some("output_config.effort")),
            (400, "messages.1.content.0.thinking: each thinking block must contain thinking", None),
            (400, "messages.1.content.0: Invalid `signature` in `thinking` block", None),
            (400, "max_tokens: must be at most 8192", None),
            (500, "thinking failed", None),
        ] {
            let known = Known::default();
            assert_eq!(known.leave_out(&refusal(status, message), sent), parameter, "{message}");
            let then = known.thinking(Described::of(&capable()), Some(Effort::Low));
            let left = Thinking {
                is_adaptive: parameter != Some("thinking"),
                effort: Some(Effort::Low).filter(|_| parameter != Some("output_config.effort")),
            };
            assert_eq!(then, left, "{message}");
            assert_eq!(known.leave_out(&refusal(status, message), Thinking::default()), None, "it was not sent");
        }
    }
}
