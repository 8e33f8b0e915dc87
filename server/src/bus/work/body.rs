//! The body of a message: in the message where it is small, in a file where it is not; sealed either way.

use async_nats::HeaderMap;
use bytes::Bytes;

use super::broker::Broker;
use super::fault::BrokerFault;
use super::hex::sha256;
use super::seal::{self, Kind, Sealed};

/// The largest body that goes in a message.
pub(super) const MAX_INLINE: usize = 512 * 1024;
/// Left for the headers of a message.
const HEADERS: usize = 8 * 1024;
/// Names the file that holds the body.
const FILE_HEADER: &str = "Baton-File";

/// Where and when a body is valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) kind: Kind,
    pub(super) subject: &'a str,
    pub(super) place: &'a str,
    pub(super) incarnation: &'a str,
}

/// A body on its way.
pub(super) struct Outgoing {
    sha256: String,
    in_a_file: bool,
    payload: Bytes,
}

impl Broker {
    /// The largest body that goes in a message to this server.
    pub(super) fn max_inline(&self) -> usize {
        MAX_INLINE.min(self.shared.client.server_info().max_payload.saturating_sub(HEADERS))
    }

    /// A body made ready: its file is put where it needs one.
    pub(super) async fn outgoing(&self, body: &[u8]) -> Result<Outgoing, BrokerFault> {
        let sha256 = sha256(body);
        let in_a_file = body.len() > self.max_inline();
        if in_a_file {
            self.put_file(&sha256, body.to_vec()).await?;
        }
        let payload = if in_a_file { Bytes::new() } else { Bytes::copy_from_slice(body) };
        Ok(Outgoing { sha256, in_a_file, payload })
    }

    /// Whether headers and payload are sealed for a place.
    pub(super) fn is_sealed(&self, place: Place<'_>, headers: Option<&HeaderMap>, payload: &[u8]) -> bool {
        let Some(header) = headers.and_then(|headers| headers.get(seal::HEADER)) else { return false };
        let sha256 = match file_of(headers) {
            Some(name) => name.to_owned(),
            None => sha256(payload),
        };
        sealed(place, &sha256).is_sealed_by(&self.shared.key, header.as_str())
    }

    /// The body of a message that is sealed.
    pub(super) async fn body(&self, headers: Option<&HeaderMap>, payload: &[u8]) -> Result<Vec<u8>, BrokerFault> {
        match file_of(headers) {
            Some(name) => self.file(name).await,
            None => Ok(payload.to_vec()),
        }
    }

    /// The headers and the payload of a body, sealed for a place.
    pub(super) fn sealed(&self, place: Place<'_>, body: &Outgoing) -> Result<(HeaderMap, Bytes), BrokerFault> {
        let mut headers = HeaderMap::new();
        headers.insert(seal::HEADER, sealed(place, &body.sha256).seal(&self.shared.key)?);
        if body.in_a_file {
            headers.insert(FILE_HEADER, body.sha256.as_str());
        }
        Ok((headers, body.payload.clone()))
    }
}

fn file_of(headers: Option<&HeaderMap>) -> Option<&str> {
    headers?.get(FILE_HEADER).map(async_nats::HeaderValue::as_str)
}

fn sealed<'a>(place: Place<'a>, sha256: &'a str) -> Sealed<'a> {
    Sealed { kind: place.kind, subject: place.subject, place: place.place, incarnation: place.incarnation, sha256 }
}
