use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::listening::is_listening;
use crate::text::short_line;

/// The variable that says where it is, for its server and its clients.
pub(super) const VARIABLE: &str = "OLLAMA_HOST";
/// Where it is where the variable says nothing.
pub(super) const DEFAULT: &str = "http://127.0.0.1:11434";

const DEFAULT_PORT: u16 = 11434;
/// Characters that a message quotes of what is no port.
const LONGEST_PORT: usize = 20;
/// Quotes and spaces that are pasted along with an address.
const PASTED: [char; 10] = ['"', '\'', '`', '“', '”', '‘', '’', ' ', '\t', '\n'];

/// Where Ollama is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    scheme: String,
    host: String,
    port: u16,
    /// With the slash before it; empty where there is none.
    path: String,
    /// What stands in the place of a port and is none.
    no_port: Option<String>,
}

impl Address {
    /// An address as Ollama's own clients read it: a host, a host and a port, or a URL, with a path or without. A server
    /// that listens on every address of its machine is asked at this one.
    ///
    /// Source: `Host` in Ollama's `envconfig`: without a scheme the port is 11434, with one it is the scheme's; a port that
    /// is none is left out, which [`fault`](Self::fault) says.
    pub(super) fn read(written: &str) -> Self {
        let written = written.trim_matches(PASTED);
        let (scheme, rest, default_port) = match written.split_once("://") {
            None if written == "ollama.com" => ("https", written, 443),
            None => ("http", written, DEFAULT_PORT),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" => ("http", rest, 80),
                "https" => ("https", rest, 443),
                _ => (scheme, rest, DEFAULT_PORT),
            },
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, written_port) = match split_port(authority) {
            Some((host, port)) => (host, port),
            None => (authority.trim_matches(['[', ']']), ""),
        };
        let port = written_port.parse().ok();
        let no_port = Some(written_port.to_owned()).filter(|written| port.is_none() && !written.is_empty());
        let path = path.trim_matches('/');
        Self {
            scheme: scheme.to_owned(),
            host: reachable(host),
            port: port.unwrap_or(default_port),
            no_port,
            path: if path.is_empty() { String::new() } else { format!("/{path}") },
        }
    }

    /// The same as a URL.
    pub(super) fn url(&self) -> String {
        let Self { scheme, host, port, path, .. } = self;
        let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.clone() };
        format!("{scheme}://{host}:{port}{path}")
    }

    /// Where another port is asked than the user wrote: a sentence that says so.
    pub(super) fn fault(&self) -> Option<String> {
        let (written, asked) = (short_line(self.no_port.as_ref()?, LONGEST_PORT), self.port);
        Some(format!("{VARIABLE} names the port {written:?}, which is none, so port {asked} is asked."))
    }

    /// Whether it is this machine.
    pub(super) fn is_local(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether something takes a connection there, as far as that shows at once.
    pub(super) fn is_listening(&self) -> bool {
        is_listening(&self.host, self.port)
    }
}

/// Host and port, where there is a port; brackets around the host are not part of it.
fn split_port(authority: &str) -> Option<(&str, &str)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return Some((host, port.strip_prefix(':')?));
    }
    authority.split_once(':').filter(|(_, port)| !port.contains(':'))
}

/// What a client connects to: a server may be told to listen on every address.
fn reachable(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        Ok(address) => address.to_string(),
        Err(_) if host.is_empty() => Ipv4Addr::LOCALHOST.to_string(),
        Err(_) => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_is_read_as_ollamas_own_clients_read_it() {
        for (written, url) in [
            ("", DEFAULT),
            (" ", DEFAULT),
            ("127.0.0.1", DEFAULT),
            ("0.0.0.0", DEFAULT),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            (":8080", "http://127.0.0.1:8080"),
            ("::", "http://[::1]:11434"),
            ("[::]:8080", "http://[::1]:8080"),
            ("gpu.lan", "http://gpu.lan:11434"),
            ("gpu.lan:8080", "http://gpu.lan:8080"),
            ("gpu.lan:8080/", "http://gpu.lan:8080"),
            ("gpu.lan/ollama/", "http://gpu.lan:11434/ollama"),
            ("http://gpu.lan", "http://gpu.lan:80"),
            ("HTTP://gpu.lan", "http://gpu.lan:80"),
            ("https://gpu.lan", "https://gpu.lan:443"),
            ("https://gpu.lan:11434/a/b", "https://gpu.lan:11434/a/b"),
            ("http://0.0.0.0:11434", DEFAULT),
            ("fe80::7", "http://[fe80::7]:11434"),
            ("[fe80::7]", "http://[fe80::7]:11434"),
            ("http://[fe80::7]:1", "http://[fe80::7]:1"),
            ("gpu.lan:many", "http://gpu.lan:11434"),
            ("gpu.lan:70000", "http://gpu.lan:11434"),
            ("\"gpu.lan:8080\"", "http://gpu.lan:8080"),
            (" 'gpu.lan' ", "http://gpu.lan:11434"),
            ("“gpu.lan”", "http://gpu.lan:11434"),
            ("ollama.com", "https://ollama.com:443"),
            ("ftp://gpu.lan", "ftp://gpu.lan:11434"),
        ] {
            assert_eq!(Address::read(written).url(), url, "{written:?}");
        }
    }

    #[test]
    fn a_port_that_is_none_is_told() {
        for (written, said) in [
            ("localhost:99999", Some("names the port \"99999\", which is none, so port 11434 is asked.")),
            (":abc", Some("names the port \"abc\", which is none, so port 11434 is asked.")),
            ("https://gpu.lan:-1", Some("names the port \"-1\", which is none, so port 443 is asked.")),
            ("localhost:8080", None),
            ("localhost:", None),
            ("localhost", None),
            ("", None),
            ("fe80::7", None),
        ] {
            let fault = Address::read(written).fault();
            assert_eq!(fault, said.map(|said| format!("OLLAMA_HOST {said}")), "{written}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_address() {
        for written in ["", "localhost", "LOCALHOST:1", "127.0.0.2", "[::1]", "0.0.0.0", "::ffff:127.0.0.1"] {
            assert!(Address::read(written).is_local(), "{written}");
        }
        for written in ["gpu.lan", "10.0.0.7", "localhost.example", "fe80::7"] {
            assert!(!Address::read(written).is_local(), "{written}");
        }
    }

    #[test]
    fn whether_something_listens_is_found_out_by_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = Address::read(&listener.local_addr().expect("an address").to_string());
        assert!(at.is_listening());
        drop(listener);
        assert!(!at.is_listening());
        assert!(!Address::read("no name: at all").is_listening());
    }
}
