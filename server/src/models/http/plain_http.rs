//! Where a key may go unencrypted: to this machine, and to hosts that the user named. The same for every provider.

use std::net::IpAddr;

use reqwest::Url;

/// Whether what is sent there stays on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = host(url);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a key sent there could be read on its way.
pub(super) fn is_readable_on_the_way(url: &Url) -> bool {
    url.scheme() != "https" && !is_loopback(url)
}

/// Whether the user named this address as one that may get a key over plain http: its host, at any port or at this one.
pub(super) fn is_allowed(url: &Url, allowed: &[String]) -> bool {
    let Some(host) = url.host_str() else { return false };
    let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
    allowed.iter().any(|named| named == host || Some(named) == with_port.as_ref())
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> Url {
        Url::parse(address).expect("an address")
    }

    #[test]
    fn this_machine_is_known_by_its_address_and_by_no_name_that_looks_like_it() {
        for address in [
            "http://localhost:8080",
            "http://LOCALHOST",
            "http://127.0.0.1",
            "http://127.0.0.2:1",
            "http://127.1",
            "http://2130706433",
            "http://0x7f.0.0.1",
            "http://[::1]:80",
            "http://[::ffff:127.0.0.1]",
            "http://evil.example@127.0.0.1",
            "https://evil.example",
        ] {
            assert!(!is_readable_on_the_way(&url(address)), "{address}");
        }
        for address in [
            "http://localhost.evil.example",
            "http://evil.example/localhost",
            "http://localhost@evil.example",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.7",
            "http://0.0.0.0",
            "http://[fe80::1]",
            "http://api.anthropic.com",
        ] {
            assert!(is_readable_on_the_way(&url(address)), "{address}");
        }
    }

    #[test]
    fn a_host_is_allowed_by_its_own_name_alone() {
        let allowed = ["gpu.lan", "10.0.0.7:8080", "[fd00::7]", "other.lan:80"].map(str::to_owned);
        for address in [
            "http://gpu.lan",
            "http://GPU.lan:9000/v1",
            "http://10.0.0.7:8080",
            "http://[fd00:0::7]:1",
            "http://other.lan",
        ] {
            assert!(is_allowed(&url(address), &allowed), "{address}");
        }
        for address in [
            "http://a.gpu.lan",
            "http://gpu.lan.evil.example",
            "http://10.0.0.7",
            "http://10.0.0.7:80",
            "http://gpu.lan@x.example",
        ] {
            assert!(!is_allowed(&url(address), &allowed), "{address}");
        }
    }
}
