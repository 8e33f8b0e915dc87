//! A connection to a NATS server, with the credentials that stand in its address.

use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use url::Url;

use super::tls;
use crate::text::innermost_reason;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
pub(super) enum ConnectFault {
    /// The address is none.
    Unreadable,
    /// The server does not take the credentials of the address.
    Credentials,
    /// Nobody answers, for the reason given.
    Unreachable(String),
}

/// Connects, encrypted where the scheme is `tls`; `adjust` sets what else is wanted of the connection.
pub(super) async fn connect(
    address: &str,
    adjust: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> Result<Client, ConnectFault> {
    tls::install();
    let mut url = Url::parse(address).map_err(|_| ConnectFault::Unreadable)?;
    let mut options = ConnectOptions::new().connection_timeout(CONNECT_TIMEOUT).require_tls(url.scheme() == "tls");
    // The library reads no credentials of an address.
    let plain = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    match (url.username(), url.password()) {
        ("", _) => {}
        (token, None) => options = options.token(plain(token)),
        (user, Some(password)) => options = options.user_and_password(plain(user), plain(password)),
    }
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| ConnectFault::Unreadable)?;
    let address = ServerAddr::from_url(url).map_err(|_| ConnectFault::Unreadable)?;
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, adjust(options).connect(address));
    let connected = connecting.await.map_err(|_| ConnectFault::Unreachable("it does not answer in time".to_owned()))?;
    connected.map_err(|error| match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => ConnectFault::Credentials,
        _ => ConnectFault::Unreachable(innermost_reason(&error)),
    })
}
