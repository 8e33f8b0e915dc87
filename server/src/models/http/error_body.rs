use reqwest::StatusCode;
use serde_json::Value;

/// What a server says in the body of a refusal, or in the place of an answer.
#[derive(Debug, Default, Clone)]
pub(in crate::models) struct ErrorBody {
    /// Its kind of error: `invalid_request_error`.
    pub(in crate::models) kind: String,
    pub(in crate::models) message: String,
    /// A code, where it has one beside the kind.
    pub(in crate::models) code: String,
    /// The parameter of the request that is at fault.
    pub(in crate::models) param: String,
}

impl ErrorBody {
    /// Anthropic's form, `{"error": {"type", "message", "details": {"error_code"}}}`, or what others make of it.
    pub(in crate::models) fn read(body: &str) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(body) => Self::of(&body),
            Err(_) => Self::default(),
        }
    }

    /// The same from JSON that was read.
    pub(in crate::models) fn of(body: &Value) -> Self {
        let error = &body["error"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let message = [&error["message"], error, &body["message"], &body["detail"]];
        let code = [&error["details"]["error_code"], &error["code"]];
        Self {
            kind: text(&error["type"]),
            message: message.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned(),
            code: code.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned(),
            param: text(&error["param"]),
        }
    }

    /// Whether it says anything.
    pub(in crate::models) fn is_empty(&self) -> bool {
        self.kind.is_empty() && self.message.is_empty()
    }

    /// Whether the account's money is used up, which waiting does not change.
    ///
    /// Source: Anthropic's API errors: 402 `billing_error`; 429 with the code `enforced_spend_limit_reached`; 400 whose
    /// message starts "You have reached your specified … API usage limits" or says that the credit balance is too low.
    pub(super) fn is_spend_limit(&self, status: StatusCode) -> bool {
        let message = self.message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        match status.as_u16() {
            402 => true,
            400 | 429 => {
                self.kind == "billing_error"
                    || self.code.contains("spend_limit")
                    || says(&["api usage limits", "spend limit", "spending limit", "credit balance"])
            }
            _ => false,
        }
    }

    /// Whether the prompt does not fit. The API states it in its message; llama.cpp has a kind for it.
    pub(super) fn is_too_long(&self) -> bool {
        let message = self.message.to_lowercase();
        let says = |words: &str| message.contains(words);
        self.kind == "exceed_context_size_error"
            || says("prompt is too long")
            || says("context window")
            || says("context size")
            || (says("context limit") && says("exceed"))
    }
}
