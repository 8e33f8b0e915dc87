//! `[[sinks]]` and `BATON_SINKS`: where events are sent.
//!
//! An address may hold a password, and a path or a query that is one, so it is shown only by its host, and a command only by its
//! first word.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use super::error::{ConfigError, Location, closest};
use super::plain::plain_fault;
use super::value::{Node, Raw};
use crate::contracts::{MAX_COMMAND_BYTES, MAX_SINKS};
use crate::text;

pub(super) const FIELDS: [&str; 1] = ["url"];

/// What stands before the colon of an address, each with what is there.
const SCHEMES: [(&str, SinkKind); 7] = [
    ("http", SinkKind::Http),
    ("https", SinkKind::Http),
    ("exec", SinkKind::Exec),
    ("redis", SinkKind::Redis),
    ("rediss", SinkKind::Redis),
    ("nats", SinkKind::Nats),
    ("tls", SinkKind::Nats),
];

/// What is said where something needs NATS and this program has none.
pub const WITHOUT_NATS: &str =
    "this baton was built without NATS; releases have it, and `cargo install baton-ls --features nats` does";

/// Characters of a host or of a command's first word that are shown.
const WIDEST: usize = 80;

/// A place where events are sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Sink {
    /// What is there.
    pub kind: SinkKind,
    /// The address, or for `exec:` the command. It may hold a password.
    target: String,
    /// The address as people may see it.
    shown: String,
    /// Where it was named.
    pub place: Location,
}

/// What events are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkKind {
    /// A web server.
    Http,
    /// A command of the user's own.
    Exec,
    /// A Redis server.
    Redis,
    /// A NATS server with JetStream.
    Nats,
}

impl Sink {
    /// The address as it was given, or for `exec:` the command. Never shown: it may hold a password.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What tells this sink from others, however its password changes. Not shown either: a path or a query may be a secret.
    pub fn identity(&self) -> String {
        match (self.kind, Url::parse(&self.target)) {
            (SinkKind::Exec, _) | (_, Err(_)) => format!("{:?}:{}", self.kind, self.target),
            (_, Ok(mut url)) => {
                // Neither can fail on an address with a host.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                if self.kind == SinkKind::Nats {
                    // The path of its credentials file.
                    url.set_query(None);
                }
                url.to_string()
            }
        }
    }

    /// Why what is sent there could be read on its way, where it could. `allowed` are the hosts that the user named for plain
    /// connections.
    pub(super) fn plain_fault(&self, allowed: &[String]) -> Option<ConfigError> {
        let url = Url::parse(&self.target).ok().filter(|_| self.kind != SinkKind::Exec)?;
        let encrypted = match self.kind {
            SinkKind::Redis => "rediss://",
            SinkKind::Nats => "tls://",
            SinkKind::Http | SinkKind::Exec => "https://",
        };
        let message = plain_fault("sinks", &self.shown, encrypted, &url, default_port(self.kind), allowed)?;
        Some(ConfigError { place: self.place.clone(), setting: "sinks".to_owned(), message })
    }
}

impl fmt::Display for Sink {
    /// As people may see it: scheme and host, or the first word of the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sink").field(&self.shown).finish()
    }
}

/// Read the sinks of a list, or of the variable, where spaces stand between them.
///
/// # Errors
/// Everything wrong with any of them, at its place. No address is repeated.
pub(super) fn read_sinks(node: &Node) -> Result<Vec<Sink>, Vec<ConfigError>> {
    let (mut sinks, mut errors) = (Vec::<Sink>::new(), Vec::new());
    let mut add = |at: &Node, read: Result<Sink, String>| match read {
        Ok(sink) if sinks.iter().any(|other| other.identity() == sink.identity()) => {
            errors.push(at.refuse("sinks.url", format!("names {sink} a second time; once is enough")));
        }
        Ok(_) if sinks.len() >= MAX_SINKS => {
            errors.push(at.refuse("sinks", format!("holds more than {MAX_SINKS} sinks")));
        }
        Ok(sink) => sinks.push(sink),
        Err(why) => errors.push(at.refuse("sinks.url", why)),
    };
    match &node.raw {
        Raw::List(items) => {
            for item in items {
                add(item, read_table(item).and_then(|url| sink(url, &item.field("url").unwrap_or(item).place)));
            }
        }
        Raw::Loose(text) if text.trim() == "none" => {}
        Raw::Loose(text) => text.split_whitespace().for_each(|word| add(node, sink(word, &node.place))),
        _ => errors.push(node.refuse("sinks", format!("is {}; it takes {ALLOWED}", kind_of(node)))),
    }
    if errors.is_empty() { Ok(sinks) } else { Err(errors) }
}

/// What the setting takes.
pub(super) const ALLOWED: &str = "[[sinks]] tables with url, as in url = \"https://events.example.org/baton\"";

/// The value as people may see it.
pub(super) fn shown(node: &Node) -> Node {
    let shown = match read_sinks(node) {
        Ok(sinks) if sinks.is_empty() => "none".to_owned(),
        Ok(sinks) => sinks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Err(_) => "not shown".to_owned(),
    };
    Node { raw: Raw::Text(shown), place: node.place.clone() }
}

/// The JSON Schema of the list.
pub(super) fn schema() -> Value {
    let schemes: Vec<&str> = SCHEMES.iter().map(|(scheme, _)| *scheme).collect();
    json!({
        "type": "array",
        "maxItems": MAX_SINKS,
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["url"],
            "properties": {
                "url": {
                    "type": "string",
                    "pattern": format!(r"^\s*({}):\s*\S", schemes.join("|")),
                    "description": "Where events are sent: http(s)://…, redis(s)://…, nats://…, tls://…, or exec:COMMAND.",
                },
            },
        },
    })
}

/// The address in a table. Values are not repeated: one may be a password at the wrong place.
fn read_table(item: &Node) -> Result<&str, String> {
    let Raw::Table(fields) = &item.raw else { return Err(format!("is missing: an entry is {ALLOWED}")) };
    if let Some((name, _, _)) = fields.iter().find(|(name, _, _)| !FIELDS.contains(&name.as_str())) {
        let hint = closest(name, FIELDS.into_iter());
        return Err(format!("stands beside {name}, which is no part of a sink{hint}"));
    }
    item.field("url").and_then(Node::as_text).ok_or_else(|| format!("is missing, or no text: an entry is {ALLOWED}"))
}

fn sink(text: &str, place: &Location) -> Result<Sink, String> {
    const FORMS: &str = "http://…, https://…, redis://…, rediss://…, nats://…, tls://… or exec:COMMAND";
    let text = text.trim();
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_lowercase()).unwrap_or_default();
    let Some((_, kind)) = SCHEMES.iter().find(|(known, _)| *known == scheme) else {
        let of_variable = if place.position.is_none() {
            ". Spaces stand between the addresses of the variable, so a command with spaces belongs into your own file"
        } else {
            ""
        };
        return Err(format!("holds something that is no address of a sink; it takes {FORMS}{of_variable}"));
    };
    let (target, shown) = match kind {
        SinkKind::Exec => command(&text[scheme.len() + 1..])?,
        _ => address(text, *kind)?,
    };
    Ok(Sink { kind: *kind, target, shown, place: place.clone() })
}

fn command(text: &str) -> Result<(String, String), String> {
    let text = text.trim();
    let Some(first) = text.split_whitespace().next() else {
        return Err("names no command; write exec:COMMAND".to_owned());
    };
    if text.contains('\0') || text.len() > MAX_COMMAND_BYTES {
        return Err(format!("holds a NUL character, or has more than {MAX_COMMAND_BYTES} bytes"));
    }
    let rest = if text.len() > first.len() { " …" } else { "" };
    Ok((text.to_owned(), format!("exec:{}{rest}", text::short_line(first, WIDEST))))
}

fn address(text: &str, kind: SinkKind) -> Result<(String, String), String> {
    let url = Url::parse(text).map_err(|error| format!("is no address that can be read: {error}"))?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err("names no host; write it as in https://events.example.org/baton".to_owned());
    };
    let path = url.path().trim_start_matches('/');
    if kind == SinkKind::Redis && !path.is_empty() && path.parse::<u8>().is_err() {
        return Err("names no database by its number behind the host, as in redis://127.0.0.1/0".to_owned());
    }
    if kind == SinkKind::Nats && !cfg!(feature = "nats") {
        return Err(format!("names a NATS server, and {WITHOUT_NATS}; or name another sink"));
    }
    if kind == SinkKind::Nats && url.query().is_some() {
        let given: Vec<_> = url.query_pairs().collect();
        if !matches!(given.as_slice(), [(name, path)] if name == "creds" && Path::new(path.as_ref()).is_absolute()) {
            return Err("has something behind `?` that is not creds=/PATH/OF/A/FILE, the whole path of a credentials file; as in \
                        tls://nats.example.org?creds=/home/me/.config/nats/baton.creds"
                .to_owned());
        }
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let has_more = !path.is_empty() && kind != SinkKind::Redis || url.query().is_some();
    let rest = if has_more { "/…" } else { "" };
    Ok((text.to_owned(), format!("{}://{}{port}{rest}", url.scheme(), text::short_line(host, WIDEST))))
}

fn default_port(kind: SinkKind) -> Option<u16> {
    match kind {
        SinkKind::Redis => Some(6379),
        SinkKind::Nats => Some(4222),
        SinkKind::Http | SinkKind::Exec => None,
    }
}

fn kind_of(node: &Node) -> &'static str {
    match node.raw {
        Raw::Text(_) | Raw::Loose(_) => "a text",
        Raw::Table(_) => "one table",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str) -> Sink {
        sink(address, &Location::named("BATON_SINKS")).unwrap_or_else(|why| panic!("{why}"))
    }

    fn sink_fault(address: &str) -> String {
        sink(address, &Location::named("BATON_SINKS")).expect_err("it is refused")
    }

    #[test]
    fn a_sink_is_shown_without_what_may_be_a_secret_and_known_whatever_its_password() {
        let password = "hunter2-again";
        for (address, shown) in [
            (
                "https://me:hunter2-again@events.example.org:8443/hook/hunter2-again?t=hunter2-again",
                "https://events.example.org:8443/…",
            ),
            ("http://127.0.0.1:9/", "http://127.0.0.1:9"),
            ("redis://:hunter2-again@localhost/2", "redis://localhost"),
            ("rediss://me:hunter2-again@r.example.org", "rediss://r.example.org"),
            ("exec:curl -H hunter2-again x", "exec:curl …"),
            ("exec:/opt/forward", "exec:/opt/forward"),
        ] {
            let sink = named(address);
            assert_eq!(sink.to_string(), shown);
            assert!(!format!("{sink:?}").contains(password));
        }
        assert_eq!(named("redis://a:one@localhost/2").identity(), named("redis://b:two@localhost/2").identity());
        assert_ne!(named("redis://localhost/2").identity(), named("redis://localhost/3").identity());
    }

    #[cfg(all(unix, feature = "nats"))]
    #[test]
    fn a_nats_server_may_have_a_credentials_file_and_nothing_else_behind_it() {
        let sink = named("tls://nats.example.org?creds=/home/me/hunter2.creds");
        assert_eq!(sink.to_string(), "tls://nats.example.org/…");
        assert_eq!(sink.identity(), named("tls://me:hunter2@nats.example.org").identity());
        for query in ["creds=hunter2.creds", "cred=/hunter2", "creds=/hunter2&x=1", "creds", ""] {
            let fault = sink_fault(&format!("tls://nats.example.org?{query}"));
            assert!(fault.contains("creds=/PATH/OF/A/FILE") && !fault.contains("hunter2"), "{query}: {fault}");
        }
    }

    #[cfg(not(feature = "nats"))]
    #[test]
    fn without_nats_a_nats_server_is_refused_and_the_way_out_is_named() {
        let fault = sink_fault("nats://me:hunter2@localhost");
        assert!(fault.contains("was built without NATS; releases have it") && !fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn only_this_machine_and_named_hosts_are_reached_unencrypted() {
        let allowed = ["events.lan".to_owned(), "10.0.0.7:6379".to_owned()];
        for address in [
            "http://localhost:1/x",
            "http://[::1]/",
            "redis://127.0.0.1",
            "https://events.example.org",
            "rediss://r.example.org",
            "http://events.lan/x",
            "redis://10.0.0.7/1",
            "exec:x http://evil.example",
        ] {
            assert_eq!(named(address).plain_fault(&allowed), None, "{address}");
        }
        for address in [
            "http://events.example.org/x",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "redis://10.0.0.7:6380",
            "redis://r.example.org",
        ] {
            let fault = named(address).plain_fault(&allowed).map(|fault| fault.message).unwrap_or_default();
            assert!(
                fault.contains("could read what is sent") && fault.contains("allow_http_hosts"),
                "{address}: {fault}"
            );
        }
    }

    #[test]
    fn what_is_no_sink_is_refused_without_repeating_it() {
        for (address, why) in [
            ("hunter2", "no address of a sink"),
            ("amqp://hunter2@x", "no address of a sink"),
            ("none:hunter2", "no address of a sink"),
            ("exec:", "names no command"),
            ("http://", "no address that can be read"),
            ("redis:hunter2", "names no host"),
            ("redis://localhost/hunter2", "by its number"),
        ] {
            let fault = sink_fault(address);
            assert!(fault.contains(why) && !fault.contains("hunter2"), "{address}: {fault}");
        }
    }
}
