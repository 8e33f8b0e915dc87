use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::super::error::ModelError;
use super::super::secrets::is_worth_masking;
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
    /// What no message may quote; nothing where it is so short that it stands in other words, or says that there is none.
    pub(in crate::models) fn secret(&self) -> &str {
        Some(self.value()).filter(|secret| is_worth_masking(secret)).unwrap_or_default()
    }

    fn value(&self) -> &str {
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
        let slip = slip(self.value()).map(|slip| settings(format!("The {word} in {source} {slip}")));
        if let Some(slip) = slip {
            return Err(slip);
        }
        let is_plain = self.value().bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(&value).ok().filter(|_| is_plain);
        let mut value =
            value.ok_or_else(|| settings(format!("{source} holds characters that no {word} has. Set it again.")))?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// What was copied along with a key, and what to do about it.
fn slip(key: &str) -> Option<&'static str> {
    let is_bearer = |start: &str| start.eq_ignore_ascii_case("bearer ");
    if key.contains(TYPOGRAPHIC_QUOTES) {
        Some(
            "has typographic quotes around it or in it (“ ”), which is what a word processor makes of quotes. Set it again \
             without them.",
        )
    } else if key.starts_with(QUOTES) || key.ends_with(QUOTES) {
        Some(
            "has quotes around it, which would be sent as a part of it. Set it again without them: a shell takes quotes \
             away, other files may not.",
        )
    } else if key.get(.."bearer ".len()).is_some_and(is_bearer) {
        Some(
            "begins with \"Bearer\", which is no part of it. Set it again without that word: it is added where it is needed.",
        )
    } else {
        None
    }
}

/// No key begins or ends with one of these.
const QUOTES: [char; 3] = ['"', '\'', '`'];
/// What word processors and chat programs make of `"` and `'`.
const TYPOGRAPHIC_QUOTES: [char; 9] = ['“', '”', '„', '‟', '‘', '’', '‚', '«', '»'];

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: &str) -> String {
        let error = Credential::BearerKey(key.to_owned()).header("OPENAI_API_KEY").expect_err(key);
        assert!(!error.message.contains("secret"), "{error}");
        error.message
    }

    #[test]
    fn what_was_copied_along_with_a_key_is_refused_with_what_to_do() {
        for (key, said) in [
            ("\"sk-secret\"", "has quotes around it"),
            ("'sk-secret'", "has quotes around it"),
            ("`sk-secret`", "has quotes around it"),
            ("\"sk-secret", "has quotes around it"),
            ("“sk-secret”", "typographic quotes"),
            ("Bearer sk-secret", "begins with \"Bearer\""),
            ("sk-secret\nsk-secret", "holds characters that no key has"),
            ("sk secret", "holds characters that no key has"),
            ("sk-secret\u{200b}", "holds characters that no key has"),
        ] {
            let message = refused(key);
            assert!(message.contains("OPENAI_API_KEY") && message.contains(said), "{key:?}: {message}");
            assert!(message.contains("Set it again"), "{message}");
        }
        Credential::BearerKey("sk-'\"-secret".to_owned())
            .header("OPENAI_API_KEY")
            .expect("a server of one's own takes it");
    }

    #[test]
    fn a_key_that_stands_in_other_words_is_not_taken_out_of_messages() {
        for key in ["x", "EMPTY", "not-needed"] {
            assert_eq!(Credential::BearerKey(key.to_owned()).secret(), "");
        }
        assert_eq!(Credential::BearerKey("sk-secret".to_owned()).secret(), "sk-secret");
    }
}
