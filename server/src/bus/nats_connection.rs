//! A connection to a NATS server, with the credentials that stand in its address.

use std::path::Path;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use url::Url;

use super::tls;
use crate::config::read_named_file;
use crate::text::innermost_reason;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
pub(super) enum ConnectFault {
    /// It does not come by trying again: the address or its credentials, for the reason given.
    Refused(String),
    /// Nobody answers, for the reason given.
    Unreachable(String),
}

/// Connects, encrypted where the scheme is `tls`; `adjust` sets what else is wanted of the connection.
pub(super) async fn connect(
    address: &str,
    adjust: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> Result<Client, ConnectFault> {
    tls::install();
    let unreadable = || ConnectFault::Refused("its address cannot be read".to_owned());
    let mut url = Url::parse(address).map_err(|_| unreadable())?;
    let options = ConnectOptions::new().connection_timeout(CONNECT_TIMEOUT).require_tls(url.scheme() == "tls");
    let options = with_credentials(options, &url)?;
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| unreadable())?;
    url.set_query(None);
    let address = ServerAddr::from_url(url).map_err(|_| unreadable())?;
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, adjust(options).connect(address));
    let connected = connecting.await.map_err(|_| ConnectFault::Unreachable("it does not answer in time".to_owned()))?;
    connected.map_err(|error| match error.kind() {
        ConnectErrorKind::Authentication => {
            ConnectFault::Refused("its credentials file holds no seed of a user's NKey".to_owned())
        }
        ConnectErrorKind::AuthorizationViolation => {
            ConnectFault::Refused("it refuses the credentials of its address".to_owned())
        }
        _ => ConnectFault::Unreachable(innermost_reason(&error)),
    })
}

/// The options with what an address gives as credentials: a user and a password, a token, or by `?creds=` the path of a file. The
/// library reads none of them.
///
/// # Errors
/// When the file cannot be used. What it holds is not repeated.
fn with_credentials(options: ConnectOptions, url: &Url) -> Result<ConnectOptions, ConnectFault> {
    let plain = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    if let Some((_, path)) = url.query_pairs().find(|(name, _)| name == "creds") {
        let unusable = |why: &str| ConnectFault::Refused(format!("its credentials file {path} {why}"));
        let text = match read_named_file(Path::new(path.as_ref())) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(unusable("is missing")),
            Err(error) => return Err(unusable(&format!("cannot be read: {error}"))),
        };
        return match text.trim() {
            seed if seed.starts_with("SU") && seed.chars().all(|c| c.is_ascii_alphanumeric()) => {
                Ok(options.nkey(seed.to_owned()))
            }
            _ => options
                .credentials(&text)
                .map_err(|_| unusable("holds neither a user's JWT with its seed nor the seed of a user's NKey alone")),
        };
    }
    Ok(match (url.username(), url.password()) {
        ("", _) => options,
        (token, None) => options.token(plain(token)),
        (user, Some(password)) => options.user_and_password(plain(user), plain(password)),
    })
}
