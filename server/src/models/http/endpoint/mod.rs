//! What an attempt that failed means: whether another may end better, and what the user can do.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};

use super::super::error::{ModelError, ModelErrorKind};
use super::super::retry::{AttemptError, retry_after};
use super::api::{Api, host};
use super::cause::cause;
use super::credential::{Credential, EDITOR_STORE};
use super::error_body::ErrorBody;
use super::fault::Fault;
use crate::contracts::Usage;
use crate::text::{cut, safe_line};

/// Where the API is and which credential goes there, as far as messages say it.
#[derive(Debug)]
pub(in crate::models) struct Endpoint {
    pub(in crate::models) api: &'static Api,
    pub(in crate::models) host: String,
    pub(in crate::models) is_default: bool,
    /// The variable that names the model where no setting does.
    pub(in crate::models) model_variable: Option<&'static str>,
    /// Whether the credential goes there unencrypted, as the user allowed.
    pub(in crate::models) is_readable: bool,
    pub(in crate::models) credential: Credential,
    pub(in crate::models) credential_source: String,
}

/// The most of a server's own words that a message quotes.
const LONGEST_QUOTE: usize = 400;

impl Endpoint {
    /// Whose models these are and on whose account, in one line.
    pub(in crate::models) fn account(&self) -> String {
        let plain = if self.is_readable { " over plain http" } else { "" };
        let at = if self.is_default { String::new() } else { format!(" at {}{plain}", self.host) };
        let name = self.api.name;
        match self.credential {
            Credential::Nothing => format!("{name}{at}, without a key"),
            _ => format!("{name}{at}, {} from {}", self.credential.word(), self.credential_source),
        }
    }

    /// Who is asked, for people: "Anthropic API".
    pub(in crate::models) fn provider(&self) -> String {
        if self.is_default { self.api.name.to_owned() } else { self.place() }
    }

    /// The same with the host in any case, where that matters.
    fn place(&self) -> String {
        format!("{} at {}", self.api.name, self.host)
    }

    /// No connection, or it broke before an answer began.
    pub(in crate::models) fn unreachable(&self, error: reqwest::Error) -> AttemptError {
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
    fn look_at(&self) -> String {
        if self.is_default {
            "Check the network.".to_owned()
        } else {
            format!("Check the network and {}.", self.api.variable)
        }
    }

    /// No answer began in time.
    pub(in crate::models) fn silent(&self, waited: Duration) -> AttemptError {
        let waited = humantime::format_duration(waited);
        let reason = format!("timeout: no answer within {waited}");
        again(format!("{} did not answer within {waited}. {}", self.place(), self.look_at()), reason)
    }

    /// An answer that began and broke off, and what it cost.
    pub(in crate::models) fn broken(&self, model: &str, fault: Fault, usage: Usage) -> AttemptError {
        let mut failed = match &fault {
            Fault::Reported(body) => self.in_stream(model, &ErrorBody::read(body)),
            // The next answer would be no other, and one without an end is paid for each time.
            Fault::Packed(how) => self.packed(how),
            Fault::TooLong => self.without_end(),
            fault => {
                let hint = match fault {
                    Fault::Form(_) => format!(" {}", self.look_at()),
                    _ => String::new(),
                };
                let said = self.quote(&fault.to_string());
                let reason = match fault {
                    Fault::Connection(cause) => format!("connection lost ({})", self.quote(cause)),
                    Fault::Cut => "connection lost in the middle of the answer".to_owned(),
                    Fault::Idle(time) => format!("timeout: no text came for {}", humantime::format_duration(*time)),
                    _ => said.clone(),
                };
                again(format!("The answer of {} broke: {said}.{hint}", self.provider()), reason)
            }
        };
        failed.error.usage = usage;
        failed
    }

    /// A response whose status is no success.
    pub(in crate::models) fn refused(
        &self,
        model: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &ErrorBody,
        now: SystemTime,
    ) -> AttemptError {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut failed = if body.is_spend_limit(status) {
            return self.out_of_credit(body);
        } else {
            self.by_status(model, status, body, headers)
        };
        failed.retryable = match header("x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => failed.retryable,
        };
        let asked = retry_after(header("retry-after-ms"), header("retry-after"), now);
        failed.retry_after = asked.or(body.retry_after);
        failed
    }

    fn by_status(&self, model: &str, status: StatusCode, body: &ErrorBody, headers: &HeaderMap) -> AttemptError {
        let number = status.as_u16();
        let quoted = self.quoted(body);
        match number {
            300..=399 => self.redirected(headers),
            401 => self.wrong_key(number, &quoted),
            400..=499 if number != 429 && body.is_wrong_key() => self.wrong_key(number, &quoted),
            _ if body.is_without_tools() => self.without_tools(model, Some(number), &quoted),
            403 if !body.is_moderation() => self.not_allowed(model, &quoted),
            404 => self.not_found(model, number, body, &quoted),
            413 => too_long(model, &quoted),
            429 if body.is_larger_than_a_minute() => too_long(model, &quoted),
            429 | 529 => overloaded(&self.provider(), number, &quoted),
            _ if body.is_too_long() => too_long(model, &quoted),
            408 | 409 | 500.. => {
                let message = format!("{} failed to answer ({number}){quoted}.", self.provider());
                again(message, format!("server error ({number})"))
            }
            _ if body.is_missing_model() => self.not_found(model, number, body, &quoted),
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

    /// An error in a stream has no status; its kind, its code or what it says tells which it would have been.
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
            _ if body.is_too_long() => StatusCode::BAD_REQUEST,
            _ => match named_status(body) {
                Some(status) => status,
                None => return self.failed_without_status(model, body),
            },
        };
        if body.is_spend_limit(status) {
            return self.out_of_credit(body);
        }
        self.by_status(model, status, body, &HeaderMap::new())
    }

    /// An error in a stream that says neither its kind nor its status.
    fn failed_without_status(&self, model: &str, body: &ErrorBody) -> AttemptError {
        let quoted = self.quoted(body);
        if body.is_without_tools() {
            return self.without_tools(model, None, &quoted);
        }
        again(format!("{} failed to answer{quoted}.", self.provider()), "the server reports an error".to_owned())
    }

    fn packed(&self, how: &str) -> AttemptError {
        let how = self.quote(how);
        let hint = if self.is_default {
            "A proxy on the way packs it: have it leave the answers as they are.".to_owned()
        } else {
            format!("Switch compression off there, or in a proxy before it, or set {} to another.", self.api.variable)
        };
        let message = format!(
            "The answer of {} is packed ({how}), though nothing packed was asked for, and cannot be read. {hint}",
            self.provider()
        );
        finally(ModelErrorKind::Request, message, format!("packed ({how})"))
    }

    fn without_end(&self) -> AttemptError {
        let message = format!(
            "The answer of {} has no end: more came than any model writes, and the rest was not waited for. Start the \
             server anew, or choose another model (models.*). What is done so far is kept.",
            self.provider()
        );
        finally(ModelErrorKind::Request, message, "an answer without an end".to_owned())
    }

    fn wrong_key(&self, status: u16, quoted: &str) -> AttemptError {
        let word = self.credential.word();
        let source = &self.credential_source;
        let message = match (&self.credential, source.as_str()) {
            (Credential::Nothing, _) => {
                format!("{} asks for a {word} ({status}){quoted}. Set {source}.", self.provider())
            }
            (_, EDITOR_STORE) => format!(
                "{} refused the {word} in {source} ({status}){quoted}. Set the {word} anew in your editor.",
                self.provider()
            ),
            _ => {
                format!("{} refused the {word} in {source} ({status}){quoted}. Set {source} anew.", self.provider())
            }
        };
        finally(ModelErrorKind::Auth, message, format!("wrong key ({status})"))
    }

    fn not_allowed(&self, model: &str, quoted: &str) -> AttemptError {
        let source = &self.credential_source;
        let message = match self.credential {
            Credential::Nothing => {
                format!("{} does not allow {model} without a key (403){quoted}. Set {source}.", self.provider())
            }
            _ => format!(
                "{}: the {} in {source} may not use {model} (403){quoted}. Set another one, or choose another model \
                 (models.*).",
                self.provider(),
                self.credential.word()
            ),
        };
        finally(ModelErrorKind::Auth, message, "not allowed (403)".to_owned())
    }

    fn without_tools(&self, model: &str, status: Option<u16>, quoted: &str) -> AttemptError {
        let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
        let message = format!(
            "{} takes no tools for {model}{status}{quoted}. Agents work by tools: choose a model that takes them, or \
             start the server with them.",
            self.provider()
        );
        finally(ModelErrorKind::Settings, message, format!("no tools{status}"))
    }

    fn out_of_credit(&self, body: &ErrorBody) -> AttemptError {
        let quoted = self.quoted(body);
        let source = &self.credential_source;
        let whose = match self.credential {
            Credential::Nothing => String::new(),
            _ => format!(" of the {} in {source}", self.credential.word()),
        };
        let message = format!(
            "{}: the account{whose} has reached its spend limit{quoted}. Add credit or raise the limit, then start again: \
             what is done so far is kept.",
            self.provider()
        );
        finally(ModelErrorKind::Quota, message, "spend limit".to_owned())
    }

    fn not_found(&self, model: &str, status: u16, body: &ErrorBody, quoted: &str) -> AttemptError {
        let is_address = status == 404 && body.is_no_page();
        let message = if is_address {
            format!("{} has no {} (404){quoted}. Set {}.", self.place(), self.api.lacking, self.api.variable)
        } else {
            let variable = self.model_variable.map(|variable| format!("{variable}, ")).unwrap_or_default();
            format!(
                "{} has no model {model:?} ({status}){quoted}. Set {variable}models.fast, models.balanced or \
                 models.powerful, whichever names it, to one that it has.",
                self.provider()
            )
        };
        finally(ModelErrorKind::Settings, message, format!("not found ({status})"))
    }

    fn redirected(&self, headers: &HeaderMap) -> AttemptError {
        let target = headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| reqwest::Url::parse(to).ok());
        let to = target.map(|url| format!(" to {}", host(&url))).unwrap_or_default();
        let message = format!(
            "{} redirects{to}. Redirects are not followed, for the {} would go along. \
             Set {} to the final address.",
            self.place(),
            self.credential.word(),
            self.api.variable
        );
        finally(ModelErrorKind::Settings, message, "redirected".to_owned())
    }

    /// An answer to a question about models that is none.
    pub(super) fn no_list(&self, path: &str) -> ModelError {
        let hint =
            if self.is_default { "Check the network.".to_owned() } else { format!("Check {}.", self.api.variable) };
        let message = format!("{} answers {path} with something that is no list of models. {hint}", self.provider());
        ModelError::new(ModelErrorKind::Unavailable, message)
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

/// The status that an error in a stream says it is.
fn named_status(body: &ErrorBody) -> Option<StatusCode> {
    let named = match body.code.as_str() {
        "rate_limit_exceeded" => Some(429),
        code => body.status.or_else(|| code.parse().ok()),
    };
    named.filter(|status| (400..600).contains(status)).and_then(|status| StatusCode::from_u16(status).ok())
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
