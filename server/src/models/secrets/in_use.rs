use std::borrow::Cow;

use regex::{Captures, Regex, RegexBuilder};
use reqwest::Url;
use serde_json::{Map, Value};

use super::value::is_worth_masking;
use crate::text::mask;

/// Variables that hold a key, and what messages call it.
const KEYS: [(&str, &str); 6] = [
    ("ANTHROPIC_API_KEY", "key"),
    ("ANTHROPIC_AUTH_TOKEN", "token"),
    ("OPENAI_API_KEY", "key"),
    ("OLLAMA_API_KEY", "key"),
    ("BATON_SINK_KEY", "key"),
    ("BATON_BUS_KEY", "key"),
];
/// Variables that hold a provider's address, in which a password may stand.
const ADDRESSES: [&str; 3] = ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OLLAMA_HOST"];
/// The addresses that events are sent to, with spaces between, and the one by which workers are reached.
const BROKERS: [&str; 2] = ["BATON_SINKS", "BATON_DISPATCH"];
/// The schemes of NATS, where a user without a password is a token.
const NATS: [&str; 2] = ["nats", "tls"];
/// Those of proxies, which the system writes in both ways.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// The variables in which keys stand, of providers and of brokers, and those with their addresses, in which a password may stand.
pub fn provider_variables() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().map(|(variable, _)| variable).chain(ADDRESSES).chain(BROKERS)
}

/// Words in the name of a query's field that holds a secret.
const SECRET_FIELDS: [&str; 5] = ["key", "token", "secret", "password", "sig"];
/// Bytes of the largest automaton: a token of several thousand characters needs some.
const MOST_COMPILED: usize = 64 << 20;

/// The keys and passwords in use, whichever provider they are for.
#[derive(Debug, Default)]
pub(in crate::models) struct Secrets {
    /// By the number of its group in `form`, from 1.
    names: Vec<String>,
    /// Any of them, in any spelling.
    form: Option<Regex>,
}

impl Secrets {
    /// Those of this environment. An editor that keeps keys passes them on in the same variables.
    pub(in crate::models) fn of(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut add = |secret: &str, name: String| {
            if is_worth_masking(secret) && !found.iter().any(|(known, _)| known == secret) {
                found.push((secret.to_owned(), name));
            }
        };
        for (variable, word) in KEYS {
            if let Some(value) = env(variable) {
                add(bare(&value), format!("{word} in {variable}"));
            }
        }
        for variable in BROKERS {
            for address in env(variable).iter().flat_map(|addresses| addresses.split_whitespace()) {
                for secret in in_address(address) {
                    add(&secret, format!("password in {variable}"));
                }
            }
        }
        for variable in ADDRESSES.into_iter().chain(PROXIES) {
            for secret in env(variable).map(|address| in_address(&address)).unwrap_or_default() {
                add(&secret, format!("password in {variable}"));
            }
        }
        // One that another begins with must not be taken for it.
        found.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        let form = form(&found);
        Self { names: found.into_iter().map(|(_, name)| name).collect(), form }
    }

    /// Whether there are none.
    pub(in crate::models) fn is_empty(&self) -> bool {
        self.form.is_none()
    }

    /// The text with a mask for each. Borrowed where it holds none.
    pub(in crate::models) fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(form) = &self.form else { return Cow::Borrowed(text) };
        form.replace_all(text, |found: &Captures<'_>| {
            let group = (1..found.len()).find(|group| found.get(*group).is_some());
            mask(group.and_then(|group| self.names.get(group - 1)).map_or("key", String::as_str))
        })
    }

    /// The same for a text that is owned. Answers whether it held any.
    pub(super) fn mask_text(&self, text: &mut String) -> bool {
        let Cow::Owned(masked) = self.masked(text) else { return false };
        *text = masked;
        true
    }

    /// The same for every text in a JSON value.
    pub(super) fn mask_value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.mask_text(text),
            Value::Array(list) => list.iter_mut().fold(false, |any, value| self.mask_value(value) | any),
            Value::Object(fields) => {
                let any = fields.values_mut().fold(false, |any, value| self.mask_value(value) | any);
                self.mask_names(fields) | any
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn mask_names(&self, fields: &mut Map<String, Value>) -> bool {
        if !fields.keys().any(|name| matches!(self.masked(name), Cow::Owned(_))) {
            return false;
        }
        let masked = std::mem::take(fields).into_iter();
        *fields = masked.map(|(name, value)| (self.masked(&name).into_owned(), value)).collect();
        true
    }
}

/// A key without what is copied along with it.
fn bare(value: &str) -> &str {
    let key = value.trim().trim_matches(['"', '\'', '`', '“', '”', '„', '‘', '’', '«', '»']).trim();
    match key.get(..7) {
        Some(word) if word.eq_ignore_ascii_case("bearer ") => key[7..].trim(),
        _ => key,
    }
}

/// The password in an address or the token in one of NATS, and what its query holds under the name of a secret.
fn in_address(address: &str) -> Vec<String> {
    let address = bare(address);
    let url = if address.contains("://") { Url::parse(address) } else { Url::parse(&format!("http://{address}")) };
    let Ok(url) = url else { return Vec::new() };
    let is_secret = |name: &str| SECRET_FIELDS.iter().any(|word| name.to_ascii_lowercase().contains(word));
    let fields = url.query_pairs().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.into_owned());
    let token = (url.password().is_none() && NATS.contains(&url.scheme())).then(|| url.username());
    url.password().or(token).map(decoded).into_iter().chain(fields).collect()
}

/// A text whose `%40` and the like are the bytes that they stand for.
fn decoded(text: &str) -> String {
    let hex = |at: usize| text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.as_bytes().get(at) {
        let encoded = if *byte == b'%' { hex(at) } else { None };
        bytes.push(encoded.unwrap_or(*byte));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A pattern for any of them: each character as it is, as JSON may escape it, however often the text was encoded, and as
/// addresses do.
fn form(secrets: &[(String, String)]) -> Option<Regex> {
    if secrets.is_empty() {
        return None;
    }
    let character = |c: char| -> String {
        let literal = regex::escape(&c.to_string());
        match u32::from(c) {
            code @ 0..=0x7f => {
                let escaped = if matches!(c, '/' | '"' | '\\') { format!("\\\\*{literal}") } else { literal };
                format!("(?:{escaped}|\\\\+u00(?i:{code:02x})|%(?i:{code:02x}))")
            }
            code @ 0x80..=0xffff => format!("(?:{literal}|\\\\+u(?i:{code:04x}))"),
            _ => literal,
        }
    };
    let build = |of: &dyn Fn(&str) -> String| {
        let groups: Vec<String> = secrets.iter().map(|(secret, _)| format!("({})", of(secret))).collect();
        RegexBuilder::new(&groups.join("|")).size_limit(MOST_COMPILED).build()
    };
    let whole = build(&|secret| secret.chars().map(character).collect());
    // One of far too many characters is found as it is.
    whole.or_else(|_| build(&regex::escape)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "sk-a/b+c=d\"e_1234567890";

    fn secrets(env: &[(&str, &str)]) -> Secrets {
        Secrets::of(&|name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_key_is_masked_in_every_spelling_of_json() {
        let secrets = secrets(&[("OPENAI_API_KEY", KEY)]);
        let mask = "<masked by Baton: key in OPENAI_API_KEY>";
        assert_eq!(secrets.masked(&format!("It is {KEY}.")), format!("It is {mask}."));
        let once = json!(KEY).to_string();
        let twice = json!(once).to_string();
        let thrice = json!({ "a": [twice] }).to_string();
        for text in [&once, &twice, &thrice] {
            let shown = secrets.masked(text);
            assert!(shown.contains(mask) && !shown.contains("1234567890"), "{text}: {shown}");
        }
        for spelt in [
            "sk\\u002da\\/b+c=d\\\"e_1234567890",
            "\\\\u0073k-a/b\\u002Bc=d\"e_1234567890",
            "sk-a%2Fb%2bc%3Dd%22e_1234567890",
        ] {
            assert_eq!(secrets.masked(spelt), mask, "{spelt}");
        }
        assert!(matches!(secrets.masked("sk-a/b+c=d\"e_123456789"), Cow::Borrowed(_)), "a part of it is not it");
    }

    #[test]
    fn each_text_and_name_in_a_value_is_masked() {
        let secrets = secrets(&[("ANTHROPIC_AUTH_TOKEN", " token-abc123\n")]);
        let mask = "<masked by Baton: token in ANTHROPIC_AUTH_TOKEN>";
        let mut value = json!({ "a": ["token-abc123", 1, { "token-abc123": "b" }], "c": "token" });
        assert!(secrets.mask_value(&mut value));
        assert_eq!(value, json!({ "a": [mask, 1, { mask: "b" }], "c": "token" }));
        assert!(!secrets.mask_value(&mut value));
    }

    #[test]
    fn passwords_of_addresses_are_secrets_and_their_hosts_are_not() {
        let secrets = secrets(&[
            ("https_proxy", "me:pass%40word1@proxy.example:3128"),
            ("OPENAI_BASE_URL", "https://a.example/v1?api-key=query-key-1&api-version=2026-01-01"),
            ("ANTHROPIC_BASE_URL", "https://someone:hunter2-again@b.example"),
            ("BATON_DISPATCH", "tls://bus-token-1@c.example?tag=graphics"),
            ("BATON_SINKS", "exec:x nats://nobody-1:bus-password-1@d.example"),
            ("BATON_BUS_KEY", "0123456789abcdef"),
        ]);
        let shown = secrets.masked("pass@word1 pass%40word1 query-key-1 hunter2-again proxy.example 2026-01-01");
        assert_eq!(shown.matches(crate::text::MASK).count(), 4, "{shown}");
        let of_brokers = secrets.masked("bus-token-1 bus-password-1 0123456789abcdef graphics nobody-1");
        assert_eq!(of_brokers.matches(crate::text::MASK).count(), 3, "{of_brokers}");
        assert!(of_brokers.ends_with(" graphics nobody-1"), "{of_brokers}");
        assert!(shown.ends_with(" proxy.example 2026-01-01"), "{shown}");
    }

    #[test]
    fn the_longer_of_two_keys_is_masked_whole_and_a_short_one_garbles_nothing() {
        let both = secrets(&[("ANTHROPIC_API_KEY", "sk-abcdef"), ("OPENAI_API_KEY", "sk-abcdef-ghi")]);
        assert_eq!(both.masked("sk-abcdef-ghi"), "<masked by Baton: key in OPENAI_API_KEY>");
        let short = secrets(&[("ANTHROPIC_API_KEY", "x"), ("OPENAI_API_KEY", "EMPTY")]);
        assert!(short.is_empty() && short.masked("x EMPTY") == "x EMPTY");
    }

    #[test]
    fn a_key_that_was_copied_with_quotes_is_known_without_them() {
        for value in ["\"sk-12345678\"", "Bearer sk-12345678", "'sk-12345678'\r\n"] {
            let secrets = secrets(&[("OPENAI_API_KEY", value)]);
            assert_eq!(secrets.masked("sk-12345678"), "<masked by Baton: key in OPENAI_API_KEY>", "{value:?}");
        }
    }

    #[test]
    fn a_very_long_token_is_masked() {
        let token: String = (0..6000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
        let shown = secrets(&[("ANTHROPIC_AUTH_TOKEN", &token)]).masked(&format!("<{token}>")).into_owned();
        assert_eq!(shown, "<<masked by Baton: token in ANTHROPIC_AUTH_TOKEN>>");
    }
}
