//! `dispatch`: where workers elsewhere take conversations from.
//!
//! An address may hold a password or a token, so it is shown by its scheme and its host alone.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use super::error::{ConfigError, Location};
use super::plain::plain_fault;
use super::value::{Node, Raw};
use crate::text;

const KEY: &str = "dispatch";
const NONE: &str = "none";
const SCHEMES: [&str; 2] = ["nats", "tls"];
const DEFAULT_PORT: u16 = 4222;
/// Characters of a host that are shown.
const WIDEST: usize = 80;
/// Characters of a tag, at most.
const LONGEST_TAG: usize = 32;

/// What the setting takes.
pub(super) const ALLOWED: &str = "the address of a NATS server, as in \"tls://nats.example.org\", with ?tag=NAME for workers \
                                  with that tag, or \"none\"";

/// The broker by which workers are reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The address without its query. It may hold a password or a token.
    address: String,
    shown: String,
    /// The tag that a worker must have; `None` where any worker will do.
    pub tag: Option<String>,
    /// Where it was named.
    pub place: Location,
}

impl Dispatch {
    /// A broker that a person names on the command line by this flag. `allowed` are the hosts that may be reached without
    /// encryption.
    ///
    /// # Errors
    /// What is wrong with the address. It is not repeated.
    pub fn of_flag(flag: &str, address: &str, allowed: &[String]) -> Result<Self, ConfigError> {
        let place = Location::named(flag);
        let fault = |message: String| ConfigError { place: place.clone(), setting: KEY.to_owned(), message };
        let read = read(address, &place).map_err(|why| fault(format!("the address {why}")))?;
        match read.plain_message("the address", allowed) {
            Some(message) => Err(fault(message)),
            None => Ok(read),
        }
    }

    /// The address to connect to, without the tag. Never shown: it may hold a password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Scheme, host and port, as people may see them.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Why what is sent there could be read on its way, where it could.
    pub(super) fn plain_fault(&self, allowed: &[String]) -> Option<ConfigError> {
        let message = self.plain_message(KEY, allowed)?;
        Some(ConfigError { place: self.place.clone(), setting: KEY.to_owned(), message })
    }

    fn plain_message(&self, subject: &str, allowed: &[String]) -> Option<String> {
        let url = Url::parse(&self.address).ok()?;
        plain_fault(subject, &self.shown, "tls://", &url, Some(DEFAULT_PORT), allowed)
    }
}

impl fmt::Display for Dispatch {
    /// As people may see it: scheme, host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").field("shown", &self.shown).field("tag", &self.tag).finish()
    }
}

/// Whether this is a worker's tag: a small letter or a digit, and then those and `-`, 32 characters at most.
pub fn is_worker_tag(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    word.len() <= LONGEST_TAG
        && word.bytes().next().is_some_and(is_plain)
        && word.bytes().all(|byte| is_plain(byte) || byte == b'-')
}

/// Read the setting; `None` where it is turned off: by the word for none, or by an empty variable or flag.
///
/// # Errors
/// What is wrong with it, at its place. The address is not repeated.
pub(super) fn read_dispatch(node: &Node) -> Result<Option<Dispatch>, ConfigError> {
    let text = match &node.raw {
        Raw::Loose(text) if text.trim().is_empty() => return Ok(None),
        Raw::Text(text) | Raw::Loose(text) => text.trim(),
        _ => return Err(node.refuse(KEY, format!("is no text; it takes {ALLOWED}"))),
    };
    if text == NONE {
        return Ok(None);
    }
    read(text, &node.place).map(Some).map_err(|why| node.refuse(KEY, why))
}

/// The value as people may see it.
pub(super) fn shown(node: &Node) -> Node {
    let shown = match read_dispatch(node) {
        Ok(None) => NONE.to_owned(),
        Ok(Some(dispatch)) => match &dispatch.tag {
            Some(tag) => format!("{dispatch}?tag={tag}"),
            None => dispatch.to_string(),
        },
        Err(_) => "not shown".to_owned(),
    };
    Node { raw: Raw::Text(shown), place: node.place.clone() }
}

/// The JSON Schema of the setting.
pub(super) fn schema() -> Value {
    let rest = LONGEST_TAG - 1;
    json!({
        "type": "string",
        "pattern": format!(r"^\s*(none|({})://[^\s/?#]+/?(\?((tag=[a-z0-9][a-z0-9-]{{0,{rest}}}|creds=/[^\s&]+)(&|\s*$))+)?)\s*$", SCHEMES.join("|")),
    })
}

fn read(text: &str, place: &Location) -> Result<Dispatch, String> {
    let text = text.trim();
    let scheme = text.split_once("://").map(|(scheme, _)| scheme).unwrap_or_default();
    if !SCHEMES.contains(&scheme) {
        return Err(format!("is no address of a NATS server; it takes {ALLOWED}"));
    }
    let mut url = Url::parse(text).map_err(|error| format!("is no address that can be read: {error}"))?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned) else {
        return Err("names no host; write it as in tls://nats.example.org".to_owned());
    };
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err("has a path, and a NATS server has none; write it as in tls://nats.example.org".to_owned());
    }
    let (mut tag, mut credentials) = (None, None);
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "tag" if is_worker_tag(&value) && tag.is_none() => tag = Some(value.into_owned()),
            "creds" if Path::new(value.as_ref()).is_absolute() && credentials.is_none() => {
                credentials = Some(value.into_owned());
            }
            _ => {
                return Err(format!(
                    "asks for something that is neither a tag nor a file; write ?tag=NAME, of small letters, digits and -, \
                     {LONGEST_TAG} at most, or ?creds=/PATH/OF/A/FILE, the whole path of a credentials file"
                ));
            }
        }
    }
    url.set_query(None);
    if let Some(credentials) = credentials {
        url.query_pairs_mut().append_pair("creds", &credentials);
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let shown = format!("{scheme}://{}{port}", text::short_line(&host, WIDEST));
    Ok(Dispatch { address: url.to_string(), shown, tag, place: place.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str) -> Result<Dispatch, String> {
        read(address, &Location::named("BATON_DISPATCH"))
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_a_secret_and_has_its_tag_apart() {
        for (address, connected, shown, tag) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222", "nats://127.0.0.1:4222", None),
            (
                " tls://me:hunter2-again@bus.example.org/?tag=gpu-2 ",
                "tls://me:hunter2-again@bus.example.org/",
                "tls://bus.example.org",
                Some("gpu-2"),
            ),
            ("nats://hunter2-again@[::1]:1?tag=a", "nats://hunter2-again@[::1]:1", "nats://[::1]:1", Some("a")),
        ] {
            let read = named(address).unwrap();
            assert_eq!((read.address(), read.shown(), read.tag.as_deref()), (connected, shown, tag), "{address}");
            assert!(!format!("{read:?} {read}").contains("hunter2"), "{address}");
        }
    }

    #[test]
    fn what_is_no_broker_is_refused_without_repeating_it() {
        for (address, why) in [
            ("hunter2", "no address of a NATS server"),
            ("http://hunter2", "no address of a NATS server"),
            ("nats:hunter2", "no address of a NATS server"),
            ("nats://", "names no host"),
            ("nats://h/hunter2", "has a path"),
            ("nats://h#hunter2", "has a path"),
            ("nats://h?hunter2", "neither a tag"),
            ("nats://h?tag=", "neither a tag"),
            ("nats://h?tag=Hunter2", "neither a tag"),
            ("nats://h?tag=a&tag=hunter2", "neither a tag"),
            ("nats://h?creds=hunter2", "the whole path"),
        ] {
            let fault = named(address).unwrap_err();
            assert!(fault.contains(why) && !fault.to_lowercase().contains("hunter2"), "{address}: {fault}");
        }
        assert!(is_worker_tag(&"a".repeat(LONGEST_TAG)) && !is_worker_tag(&"a".repeat(LONGEST_TAG + 1)));
        for wrong in ["", "-a", "a_b", "A", "ü", "a b"] {
            assert!(!is_worker_tag(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn beyond_this_machine_it_is_encrypted_or_allowed() {
        let of =
            |address: &str| Dispatch::of_flag("--nats", address, &["bus.lan".to_owned(), "10.0.0.7:4222".to_owned()]);
        for address in
            ["nats://localhost", "nats://[::1]:9", "tls://bus.example.org", "nats://bus.lan:1", "nats://10.0.0.7"]
        {
            assert!(of(address).is_ok(), "{address}");
        }
        for address in ["nats://me:hunter2@bus.example.org", "nats://localhost@bus.example.org", "nats://10.0.0.7:4223"]
        {
            let fault = of(address).unwrap_err().to_string();
            assert!(fault.starts_with("--nats: the address has nats://"), "{fault}");
            assert!(fault.contains("use tls://") && fault.contains("allow_http_hosts"), "{fault}");
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}
