//! Hosts that a person names.

use std::net::Ipv6Addr;

use serde_json::{Value, json};

use super::error::ConfigError;
use super::value::Node;

/// Read a list of hosts, each as an address names it, with or without a port: `models.lan`, `10.0.0.7:8080`, `[fd00::7]`.
///
/// # Errors
/// Every item that is no host, at its place.
pub(super) fn read_hosts(key: &str, items: &[Node]) -> Result<Vec<String>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut hosts = Vec::new();
    for item in items {
        match item.as_text().map(str::trim).ok_or_else(|| "is no text".to_owned()).and_then(host) {
            Ok(host) => hosts.push(host),
            Err(reason) => errors.push(item.refuse(key, format!("holds {item}, which {reason}"))),
        }
    }
    if errors.is_empty() { Ok(hosts) } else { Err(errors) }
}

/// The JSON Schema of such a list.
pub(super) fn schema() -> Value {
    json!({ "type": "array", "items": { "type": "string", "pattern": r"^\s*[^\s/@*]+\s*$" } })
}

fn host(text: &str) -> Result<String, String> {
    if text.contains("://") || text.contains('/') || text.contains('@') {
        return Err("is an address; name its host alone, as in models.example.org".to_owned());
    }
    if text.contains('*') {
        return Err("stands for more than one host; name each host by itself".to_owned());
    }
    let text = text.to_lowercase();
    let address = |text: &str| text.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    if let Some(address) = address(&text) {
        return Ok(address);
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text.as_str(), None),
    };
    let name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(bracketed) => address(bracketed),
        None => Some(name.to_owned()).filter(|name| is_name(name)),
    };
    let port = match port {
        Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).map(|port| format!(":{port}")),
        None => Some(String::new()),
    };
    match (name, port) {
        (Some(name), Some(port)) => Ok(name + &port),
        _ => Err("is no host; name one as in models.example.org or 10.0.0.7:8080".to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    let ends_it = |c: char| c.is_whitespace() || c.is_control() || ":[]?#\\%".contains(c);
    !text.is_empty() && !text.contains(ends_it)
}
