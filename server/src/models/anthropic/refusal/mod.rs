//! What an attempt that failed means: whether another may end better, and what the user can do.

use std::error::Error;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use serde_json::Value;

use super::super::error::{ModelError, ModelErrorKind};
use super::super::retry::{AttemptError, retry_after};
use super::answer::{Broken, Fault};
use super::config::{Credential, EDITOR_STORE, host};
use crate::text::{cut, safe_line};

/// Where the API is and which credential goes there, as far as messages say it.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) is_default: bool,
    /// Whether the credential goes there unencrypted, as the user allowed.
    pub(super) is_readable: bool,
    pub(super) credential: Credential,
    pub(super) credential_source: String,
}

/// What the server said in the body of a refusal.
#[derive(Debug, Default)]
struct ErrorBody {
    kind: String,
    message: String,
    code: String,
}

/// The most of a server's own words that a message quotes.
const LONGEST_QUOTE: usize = 400;

impl Endpoint {
    /// Whose models these are and on whose account, in one line.
    pub(super) fn account(&self) -> String {
        let plain = if self.is_readable { " over plain http" } else { "" };
        let at = if self.is_default { String::new() } else { format!(" at {}{plain}", self.host) };
        format!("Anthropic API{at}, {} from {}", self.credential.word(), self.credential_source)
    }

    /// Who is asked, for people: "Anthropic API".
    pub(super) fn provider(&self) -> String {
        if self.is_default { "Anthropic API".to_owned() } else { self.place() }
    }

    /// The same with the host in any case, where that matters.
    fn place(&self) -> String {
        format!("Anthropic API at {}", self.host)
    }

    /// No connection, or it broke before an answer began.
    pub(super) fn unreachable(&self, error: reqwest::Error) -> AttemptError {
        if error.is_builder() {
            let message = format!("The request could not be made: {}.", self.quote(&cause(&error)));
            return finally(ModelErrorKind::Request, message, "no request".to_owned());
        }
        let timed_out = error.is_timeout();
        let (cause, hint) = (self.quote(&cause(&error)), self.look_at());
        let reason = if timed_out { "timeout: no connection".to_owned() } else { format!("no connection ({cause})") };
        again(format!("{} cannot be reached: {cause}. {hint}", self.place()), reason)
    }

    /// Where the user looks when something else answers than should.
    fn look_at(&self) -> &'static str {
        if self.is_default { "Check the network." } else { "Check the network and ANTHROPIC_BASE_URL." }
    }

    /// No answer began in time.
    pub(super) fn silent(&self, waited: Duration) -> AttemptError {
        let waited = humantime::format_duration(waited);
        let reason = format!("timeout: no answer within {waited}");
        again(format!("{} did not answer within {waited}.", self.place()), reason)
    }

    /// An answer that began and broke off.
    pub(super) fn broken(&self, model: &str, broken: Broken) -> AttemptError {
        let mut failed = match &broken.fault {
            Fault::Reported { kind, message } => {
                let body = ErrorBody { kind: kind.clone(), message: message.clone(), code: String::new() };
                self.in_stream(model, &body)
            }
            fault => {
                let hint = match fault {
                    Fault::NoEvents(_) => format!(" {}", self.look_at()),
                    Fault::Input => " A stronger model (models.*) may do better.".to_owned(),
                    _ => String::new(),
                };
                let said = self.quote(&fault.to_string());
                let reason = match fault {
                    Fault::Connection(cause) => format!("connection lost ({})", self.quote(cause)),
                    Fault::Cut => "connection lost in the middle of the answer".to_owned(),
                    Fault::Idle(time) => format!("timeout: nothing came for {}", humantime::format_duration(*time)),
                    _ => said.clone(),
                };
                again(format!("The answer of {} broke: {said}.{hint}", self.provider()), reason)
            }
        };
        failed.error.usage = broken.usage;
        failed
    }

    /// A response whose status is no success.
    pub(super) fn refused(
        &self,
        model: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &str,
        now: SystemTime,
    ) -> AttemptError {
        let body = ErrorBody::read(body);
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut failed = if body.is_spend_limit(status) {
            return self.out_of_credit(&body);
        } else {
            self.by_status(model, status, &body, headers)
        };
        failed.retryable = match header("x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => failed.retryable,
        };
        failed.retry_after = retry_after(header("retry-after-ms"), header("retry-after"), now);
        failed
    }

    fn by_status(&self, model: &str, status: StatusCode, body: &ErrorBody, headers: &HeaderMap) -> AttemptError {
        let number = status.as_u16();
        let quoted = self.quoted(body);
        match number {
            300..=399 => self.redirected(headers),
            401 => self.wrong_key(&quoted),
            403 => {
                let word = self.credential.word();
                let source = &self.credential_source;
                let message = format!(
                    "{}: the {word} in {source} may not use {model} (403){quoted}. Set another one, or choose another \
                     model (models.*).",
                    self.provider()
                );
                finally(ModelErrorKind::Auth, message, "not allowed (403)".to_owned())
            }
            404 => self.not_found(model, body, &quoted),
            413 => too_long(model, &quoted),
            429 | 529 => overloaded(&self.provider(), number, &quoted),
            408 | 409 | 500.. => {
                let message = format!("{} failed to answer ({number}){quoted}.", self.provider());
                again(message, format!("server error ({number})"))
            }
            _ if body.is_too_long() => too_long(model, &quoted),
            _ => finally(
                ModelErrorKind::Request,
                format!(
                    "{} refused the request ({number}){quoted}. What is done so far is kept; another model (models.*) may \
                     take it.",
                    self.provider()
                ),
                format!("refused ({number})"),
            ),
        }
    }

    /// An `event: error` has no status; its kind says which it would have been.
    fn in_stream(&self, model: &str, body: &ErrorBody) -> AttemptError {
        let status = match body.kind.as_str() {
            "authentication_error" => StatusCode::UNAUTHORIZED,
            "billing_error" => StatusCode::PAYMENT_REQUIRED,
            "permission_error" => StatusCode::FORBIDDEN,
            "not_found_error" => StatusCode::NOT_FOUND,
            "request_too_large" | "exceed_context_size_error" => StatusCode::PAYLOAD_TOO_LARGE,
            "rate_limit_error" => StatusCode::TOO_MANY_REQUESTS,
            "invalid_request_error" => StatusCode::BAD_REQUEST,
            "overloaded_error" => return overloaded(&self.provider(), 529, &self.quoted(body)),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if body.is_spend_limit(status) {
            return self.out_of_credit(body);
        }
        self.by_status(model, status, body, &HeaderMap::new())
    }

    fn wrong_key(&self, quoted: &str) -> AttemptError {
        let word = self.credential.word();
        let source = &self.credential_source;
        let anew = match source.as_str() {
            EDITOR_STORE => format!("Set the {word} anew in your editor."),
            variable => format!("Set {variable} anew."),
        };
        let message = format!("{} refused the {word} in {source} (401){quoted}. {anew}", self.provider());
        finally(ModelErrorKind::Auth, message, "wrong key (401)".to_owned())
    }

    fn out_of_credit(&self, body: &ErrorBody) -> AttemptError {
        let quoted = self.quoted(body);
        let source = &self.credential_source;
        let message = format!(
            "{}: the account of the {} in {source} has reached its spend limit{quoted}. Add credit or raise the limit, \
             then start again: what is done so far is kept.",
            self.provider(),
            self.credential.word()
        );
        finally(ModelErrorKind::Quota, message, "spend limit".to_owned())
    }

    fn not_found(&self, model: &str, body: &ErrorBody, quoted: &str) -> AttemptError {
        let message = if body.kind.is_empty() {
            format!("{} has no Messages API at its /v1/messages (404){quoted}. Set ANTHROPIC_BASE_URL.", self.place())
        } else {
            format!(
                "{} has no model {model:?} (404){quoted}. Set models.fast, models.balanced or models.powerful, \
                 whichever names it, to one that it has.",
                self.provider()
            )
        };
        finally(ModelErrorKind::Settings, message, "not found (404)".to_owned())
    }

    fn redirected(&self, headers: &HeaderMap) -> AttemptError {
        let target = headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| reqwest::Url::parse(to).ok());
        let to = target.map(|url| format!(" to {}", host(&url))).unwrap_or_default();
        let message = format!(
            "{} redirects{to}. Redirects are not followed, for the {} would go along. \
             Set ANTHROPIC_BASE_URL to the final address.",
            self.place(),
            self.credential.word()
        );
        finally(ModelErrorKind::Settings, message, "redirected".to_owned())
    }

    /// The server's own words, to be put behind ours: `: "…"`, or nothing.
    fn quoted(&self, body: &ErrorBody) -> String {
        let said = self.quote(if body.message.is_empty() { &body.kind } else { &body.message });
        if said.is_empty() { said } else { format!(": \"{said}\"") }
    }

    /// Words from outside, fit for a message: one line, bounded, and without the credential.
    fn quote(&self, words: &str) -> String {
        let without_secret = |text: &str| match self.credential.secret() {
            "" => text.to_owned(),
            secret => text.replace(secret, &format!("[{}]", self.credential.word())),
        };
        // Again afterwards: what was taken out may have split it.
        let line = without_secret(&safe_line(&without_secret(words)));
        cut(line.trim_end_matches('.'), LONGEST_QUOTE).into_owned()
    }
}

impl ErrorBody {
    /// The API's own form, `{"error": {"type", "message", "details": {"error_code"}}}`, or what others make of it.
    fn read(body: &str) -> Self {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return Self::default() };
        let error = &body["error"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let message = [&error["message"], error, &body["message"], &body["detail"]];
        Self {
            kind: text(&error["type"]),
            message: message.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned(),
            code: text(&error["details"]["error_code"]),
        }
    }

    /// Whether the account's money is used up, which waiting does not change.
    ///
    /// Source: Anthropic's API errors: 402 `billing_error`; 429 with the code `enforced_spend_limit_reached`; 400 whose
    /// message starts "You have reached your specified … API usage limits" or says that the credit balance is too low.
    fn is_spend_limit(&self, status: StatusCode) -> bool {
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
    fn is_too_long(&self) -> bool {
        let message = self.message.to_lowercase();
        let says = |words: &str| message.contains(words);
        self.kind == "exceed_context_size_error"
            || says("prompt is too long")
            || says("context window")
            || says("context size")
            || (says("context limit") && says("exceed"))
    }
}

/// The innermost reason, which is the one worth reading. Never an address, which may hold a password.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = match error.source() {
        Some(source) => source,
        None if error.is_timeout() => return "timed out".to_owned(),
        None => return "the connection failed".to_owned(),
    };
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn overloaded(provider: &str, status: u16, quoted: &str) -> AttemptError {
    let (what, reason) = match status {
        429 => (": rate limit reached", "rate limit (429)"),
        _ => (" is overloaded", "overloaded (529)"),
    };
    let failed = again(format!("{provider}{what} ({status}){quoted}."), reason.to_owned());
    AttemptError { overloaded: true, ..failed }
}

fn too_long(model: &str, quoted: &str) -> AttemptError {
    let message = format!(
        "The conversation is too long for {model}{quoted}. A smaller task, or a model with a larger window (models.*), \
         may do better."
    );
    finally(ModelErrorKind::ContextWindow, message, "too long".to_owned())
}

fn again(message: String, reason: String) -> AttemptError {
    let error = ModelError::new(ModelErrorKind::Unavailable, message);
    AttemptError { error, reason, retryable: true, overloaded: false, retry_after: None }
}

fn finally(kind: ModelErrorKind, message: String, reason: String) -> AttemptError {
    let error = ModelError::new(kind, message);
    AttemptError { error, reason, retryable: false, overloaded: false, retry_after: None }
}

#[cfg(test)]
mod tests;
