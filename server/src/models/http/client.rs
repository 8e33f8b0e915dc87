use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::super::error::ModelError;
use super::super::setup::settings;
use super::cause::cause;
use super::plain_http;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client for this address: no redirects, no proxy where a key could be read there.
///
/// # Errors
/// [`ModelErrorKind::Settings`](super::super::error::ModelErrorKind::Settings) where the network cannot be used.
pub(in crate::models) fn client(url: &Url) -> Result<Client, ModelError> {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Losing a race against another thread's install leaves that one's provider: the same.
        ring::default_provider().install_default().ok();
    }
    let mut builder = Client::builder()
        .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect would carry the key to wherever it points.
        .redirect(Policy::none());
    if url.scheme() == "http" {
        // Never speaks TLS, so the system's certificates need not be there, nor be read. And a proxy would be one more
        // host that reads the key; with https it carries what it cannot read.
        builder = builder.tls_certs_only([]).no_proxy();
    }
    if plain_http::is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| settings(format!("The network cannot be used: {}.", cause(&error))))
}
