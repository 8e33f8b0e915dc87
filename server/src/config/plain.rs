//! Which addresses may be reached without encryption: those of this machine, and those that the user names.

use std::net::IpAddr;

use url::Url;

/// The schemes that encrypt.
const ENCRYPTED: [&str; 3] = ["https", "rediss", "tls"];

/// Why what is sent to this address could be read on its way, where it could. `setting` has it, `shown` is how people see it,
/// and `encrypted` the scheme that encrypts there; `default_port` is the port where the address names none, and `allowed` are
/// the hosts that the user named for plain connections.
pub(super) fn plain_fault(
    setting: &str,
    shown: &str,
    encrypted: &str,
    address: &Url,
    default_port: Option<u16>,
    allowed: &[String],
) -> Option<String> {
    if ENCRYPTED.contains(&address.scheme()) {
        return None;
    }
    let host = address.host_str().unwrap_or_default().to_lowercase();
    let with_port = address.port_or_known_default().or(default_port).map(|port| format!("{host}:{port}"));
    if is_loopback(&host) || allowed.iter().any(|named| *named == host || Some(named) == with_port.as_ref()) {
        return None;
    }
    Some(format!(
        "{setting} has {shown}, where anyone on the way could read what is sent; use {encrypted}, or, where you trust that way, \
         name the host in allow_http_hosts"
    ))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
