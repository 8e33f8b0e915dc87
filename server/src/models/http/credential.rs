use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::super::error::ModelError;
use super::super::setup::{Setup, settings};

/// Where a credential comes from that the editor keeps.
pub(in crate::models) const EDITOR_STORE: &str = "your editor's secret store";

/// Where a key came from that stands in this variable. An editor that keeps keys passes them on as variables, and names
/// those in another: they are not the user's own.
pub(in crate::models) fn source(setup: &Setup<'_>, variable: &'static str) -> &'static str {
    let kept = setup.var("BATON_EDITOR_KEYS").unwrap_or_default();
    if kept.split_whitespace().any(|name| name == variable) { EDITOR_STORE } else { variable }
}

/// A secret. Its `Debug` shows only its kind.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Sent as `x-api-key`.
    ApiKey(String),
    /// Sent as `authorization: Bearer`.
    Bearer(String),
    /// A key that is sent as `authorization: Bearer`.
    BearerKey(String),
    /// Nothing is sent: the server asks for none.
    Nothing,
}

impl Credential {
    pub(in crate::models) fn secret(&self) -> &str {
        match self {
            Self::ApiKey(secret) | Self::Bearer(secret) | Self::BearerKey(secret) => secret,
            Self::Nothing => "",
        }
    }

    pub(in crate::models) fn word(&self) -> &'static str {
        match self {
            Self::ApiKey(_) | Self::BearerKey(_) | Self::Nothing => "key",
            Self::Bearer(_) => "token",
        }
    }

    /// The header that carries it, where there is anything to carry.
    ///
    /// # Errors
    /// What is no key: a header may hold more than ASCII, and a server would call the key wrong. `source` is the
    /// variable it is from.
    pub(in crate::models) fn header(&self, source: &str) -> Result<Option<(HeaderName, HeaderValue)>, ModelError> {
        let (name, value) = match self {
            Self::ApiKey(key) => (HeaderName::from_static("x-api-key"), key.clone()),
            Self::Bearer(secret) | Self::BearerKey(secret) => (AUTHORIZATION, format!("Bearer {secret}")),
            Self::Nothing => return Ok(None),
        };
        let word = self.word();
        if self.secret().contains(TYPOGRAPHIC_QUOTES) {
            return Err(settings(format!(
                "The {word} in {source} has typographic quotes around it or in it (“ ”), which is what a word \
                 processor makes of quotes. Set it again without them."
            )));
        }
        let is_plain = self.secret().bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(&value).ok().filter(|_| is_plain);
        let mut value =
            value.ok_or_else(|| settings(format!("{source} holds characters that no {word} has. Set it again.")))?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// What word processors and chat programs make of `"` and `'`.
const TYPOGRAPHIC_QUOTES: [char; 9] = ['“', '”', '„', '‟', '‘', '’', '‚', '«', '»'];

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.word())
    }
}
