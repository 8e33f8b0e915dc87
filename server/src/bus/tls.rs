//! The one TLS stack: rustls with ring.

/// Makes it the one that all connections of this process use.
pub(super) fn install() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Losing a race against another thread's install leaves that one's provider: the same.
        ring::default_provider().install_default().ok();
    }
}
