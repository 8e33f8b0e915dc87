//! What a server says in the body of a refusal, whatever form it has. Every server's form is read; what it means is decided
//! here by its kind, code and words, so that no provider needs to. Deliberately absent: what people are told (`endpoint`).

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

/// What a server says in the body of a refusal, or in the place of an answer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::models) struct ErrorBody {
    /// Its kind of error: `invalid_request_error`.
    pub(in crate::models) kind: String,
    pub(in crate::models) message: String,
    /// A code, where it has one beside the kind.
    pub(in crate::models) code: String,
    /// The parameter of the request that is at fault; within messages its path, joined by dots.
    pub(in crate::models) param: String,
    /// The status that the body itself names: an error in the place of an answer has no other.
    pub(in crate::models) status: Option<u16>,
    /// How long it asks to wait.
    pub(in crate::models) retry_after: Option<Duration>,
    /// Tokens of the prompt, where llama.cpp says that it is too long.
    pub(in crate::models) prompt_tokens: Option<u64>,
}

/// Errors that stand as JSON text inside of one another: a gateway quotes the error of the server behind it.
const MOST_NESTED: usize = 3;

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
        Self::nested(body, MOST_NESTED)
    }

    fn read_nested(body: &str, levels: usize) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(body) => Self::nested(&body, levels),
            Err(_) => Self::default(),
        }
    }

    /// Source of the forms beside Anthropic's: OpenAI's API reference, "Error codes" (`{"error": {"message", "type",
    /// "param", "code"}}`); OpenRouter's "Errors" (`{"error": {"code": 502, "message", "metadata": {"provider_name",
    /// "raw"}}}`); vLLM before 0.10 (`{"object": "error", "message", "type", "param", "code": 400}`); LM Studio
    /// (`{"error": "…"}`); Google's compatible endpoint (`[{"error": {"code", "message", "status", "details"}}]`);
    /// Mistral's (`{"message": {"detail": [{"loc", "msg"}]}}`), which is what FastAPI answers: `{"detail": …}`.
    fn nested(body: &Value, levels: usize) -> Self {
        let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
        let error = &body["error"];
        // Beside an `error` in words, or without one, everything stands at the top.
        let fields = if error.is_object() { error } else { body };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let said = [&error["message"], error, &body["message"], &body["detail"]];
        let mut read = said.into_iter().find_map(|said| Self::said(said, levels)).unwrap_or_default();
        if !read.is_empty() || error.is_object() {
            let kind = [&fields["type"], &fields["status"]].into_iter().find_map(Value::as_str).unwrap_or_default();
            let code = [&error["details"]["error_code"], &fields["code"]].into_iter().find_map(Value::as_str);
            let status = [&fields["code"], &fields["status"]].into_iter().find_map(Value::as_u64);
            or(&mut read.kind, kind.to_owned());
            or(&mut read.code, code.unwrap_or_default().to_owned());
            or(&mut read.param, text(&fields["param"]));
            read.status = read.status.or(status.and_then(|status| u16::try_from(status).ok()));
            read.retry_after = retry_delay(&error["details"]);
            read.prompt_tokens = read.prompt_tokens.or(fields["n_prompt_tokens"].as_u64());
        }
        read.add_upstream(&error["metadata"], levels);
        read
    }

    /// What is said in a place where a message stands: in words, as a list of what is wrong where, or as JSON once more.
    fn said(value: &Value, levels: usize) -> Option<Self> {
        match value {
            Value::String(text) if text.trim_start().starts_with('{') && levels > 0 => {
                let inner = Self::read_nested(text, levels - 1);
                Some(if inner.is_empty() { Self { message: text.clone(), ..Self::default() } } else { inner })
            }
            Value::String(text) if !text.is_empty() => Some(Self { message: text.clone(), ..Self::default() }),
            Value::Array(faults) => {
                let first = faults.iter().find(|fault| fault["msg"].is_string())?;
                let param = path(&first["loc"]);
                let told = faults.iter().filter_map(|fault| Some((path(&fault["loc"]), fault["msg"].as_str()?)));
                let told: Vec<String> = told.map(|(path, said)| format!("{path}: {said}")).collect();
                Some(Self { message: told.join("; "), param, ..Self::default() })
            }
            Value::Object(inner) => inner.get("detail").and_then(|detail| Self::said(detail, levels.checked_sub(1)?)),
            _ => None,
        }
    }

    /// What a gateway says of the server behind it.
    fn add_upstream(&mut self, metadata: &Value, levels: usize) {
        let Some(raw) = metadata["raw"].as_str().filter(|raw| !raw.trim().is_empty() && levels > 0) else { return };
        let inner = Self::read_nested(raw, levels - 1);
        let said = if inner.message.is_empty() { raw } else { &inner.message };
        let who = metadata["provider_name"].as_str().map(|name| format!("{name}: ")).unwrap_or_default();
        self.message = format!("{} ({who}{said})", self.message.trim_end_matches('.'));
        or(&mut self.kind, inner.kind);
        or(&mut self.code, inner.code);
        or(&mut self.param, inner.param);
    }

    /// Whether it says anything.
    pub(in crate::models) fn is_empty(&self) -> bool {
        self.kind.is_empty() && self.message.is_empty()
    }

    fn says(&self, words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        words.iter().any(|word| message.contains(word))
    }

    /// Whether the account's money is used up, which waiting does not change.
    ///
    /// Source: Anthropic's API errors: 402 `billing_error`; 429 with the code `enforced_spend_limit_reached`; 400 whose
    /// message starts "You have reached your specified … API usage limits" or says that the credit balance is too low.
    /// OpenAI's: 429 with the code `insufficient_quota`. Google says "exceeded your current quota" of a minute's too, so
    /// the words alone are no sign of it.
    pub(super) fn is_spend_limit(&self, status: StatusCode) -> bool {
        let is_code = |code: &str| self.kind.contains(code) || self.code.contains(code);
        match status.as_u16() {
            402 => true,
            400 | 403 | 429 => {
                is_code("billing_error")
                    || is_code("spend_limit")
                    || is_code("insufficient_quota")
                    || is_code("insufficient_user_quota")
                    || self.says(&["api usage limits", "spend limit", "spending limit", "credit balance"])
                    || self.says(&["insufficient balance", "insufficient credits", "have any credits"])
            }
            _ => false,
        }
    }

    /// Whether the prompt does not fit. APIs state it in their messages; OpenAI has a code and llama.cpp a kind for it.
    pub(in crate::models) fn is_too_long(&self) -> bool {
        self.kind == "exceed_context_size_error"
            || self.code == "context_length_exceeded"
            || self.says(&["prompt is too long", "input is too long", "too many tokens", "prompt too long"])
            || self.says(&["context window", "context size", "context length", "maximum prompt length"])
            || self.says(&["maximum number of tokens allowed", "maximum model length", "must be at least 1, got -"])
            || (self.says(&["context limit"]) && self.says(&["exceed"]))
    }

    /// Whether a single request is larger than what may be sent in a minute, which waiting does not change.
    pub(super) fn is_larger_than_a_minute(&self) -> bool {
        self.says(&["request too large"])
    }

    /// Whether the key is the matter, whatever the status.
    pub(super) fn is_wrong_key(&self) -> bool {
        self.code == "invalid_api_key"
            || self.says(&["api key not valid", "incorrect api key", "invalid api key", "no auth credentials"])
    }

    /// Whether there is no such model, whatever the status.
    pub(super) fn is_missing_model(&self) -> bool {
        let says_missing = || {
            self.says(&["does not exist", "not exist", "not found", "not a valid model", "no models loaded"])
                || self.says(&["invalid model", "unknown model", "no endpoints found"])
        };
        self.code == "model_not_found"
            || self.kind == "invalid_model"
            || (says_missing() && (self.says(&["model"]) || self.says(&["no endpoints found"])))
    }

    /// Whether a 404 is about the address: no word of a model, or about the address itself.
    pub(super) fn is_no_page(&self) -> bool {
        self.says(&["invalid url"]) || (self.kind.is_empty() && !self.is_missing_model())
    }

    /// Whether the model, or the server as it was started, takes no tools.
    ///
    /// Source: OpenRouter ("No endpoints found that support tool use"), Ollama's compatible endpoint ("… does not support
    /// tools"), vLLM ("\"auto\" tool choice requires --enable-auto-tool-choice"), llama.cpp ("tools param requires --jinja").
    pub(super) fn is_without_tools(&self) -> bool {
        self.says(&["support tool use", "not support tools", "not support tool", "not support function calling"])
            || self.says(&["--enable-auto-tool-choice", "tools param requires", "tools are not supported"])
    }

    /// Whether what was written is the matter, and not who asks.
    pub(super) fn is_moderation(&self) -> bool {
        self.says(&["moderation", "flagged", "content policy"])
    }
}

/// The other, where there is nothing yet.
fn or(text: &mut String, other: String) {
    if text.is_empty() {
        *text = other;
    }
}

/// Where something is wrong, as FastAPI says it, without the body that everything stands in.
fn path(steps: &Value) -> String {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    let words = steps.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
    words.filter(|word| word != "body").collect::<Vec<_>>().join(".")
}

/// Google's `RetryInfo`: `{"retryDelay": "34.07s"}` among the details.
fn retry_delay(details: &Value) -> Option<Duration> {
    let delay = details.as_array()?.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests;
