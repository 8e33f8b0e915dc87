//! The one TLS stack: rustls with ring. What it trusts is what the system trusts, or where they are set, the certificates of
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` instead.

use super::event_sink::SinkFault;

/// How rustls begins what it says of a certificate.
const CERTIFICATE: &str = "invalid peer certificate: ";

/// Makes it the one that all connections of this process use.
pub(super) fn install() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Losing a race against another thread's install leaves that one's provider: the same.
        ring::default_provider().install_default().ok();
    }
}

/// What it means that no connection was made, for this reason. A certificate does not become a trusted one by trying again.
pub(super) fn fault(reason: &str) -> SinkFault {
    let Some((_, why)) = reason.split_once(CERTIFICATE) else { return SinkFault::later(reason) };
    let hint = match why {
        "UnknownIssuer" => "; let this system trust its issuer, or name the issuer's file in SSL_CERT_FILE",
        _ => "",
    };
    SinkFault::Refused { why: format!("its certificate is not trusted: {why}{hint}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_passing_fault() {
        let found = fault("invalid peer certificate: UnknownIssuer");
        assert!(
            matches!(&found, SinkFault::Refused { why } if why.contains("not trusted: UnknownIssuer; let this system"))
        );
        assert_eq!(fault("connection refused"), SinkFault::later("connection refused"));
    }
}
