//! Files at the broker, named by what is in them, in the form of NATS object stores.

use std::time::Duration;

use async_nats::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::body::MAX_INLINE;
use super::broker::{Broker, PublishFault};
use super::fault::BrokerFault;
use super::hex::{hex, sha256, unhex};
use super::layout::{FILES, FILES_BUCKET, KEPT};

/// The largest file: whoever takes one has it in memory.
const MAX_FILE_BYTES: usize = 256 * 1024 * 1024;
/// A file older than this is sent again, so that it does not go while it is needed.
const FRESH: Duration = Duration::from_secs(KEPT.as_secs() / 2);

/// The part of an object's description that is needed to read it.
#[derive(Deserialize)]
struct Description {
    nuid: String,
    size: usize,
    chunks: usize,
    #[serde(default)]
    deleted: bool,
    #[serde(skip)]
    age: Duration,
}

impl Broker {
    /// Puts a file whose name is the SHA-256 of its bytes, in hexadecimal. Nothing is sent where it is there already.
    ///
    /// # Errors
    /// When its name is not that, it is larger than 256 MiB, or the broker does not take it.
    pub async fn put_file(&self, name: &str, bytes: Vec<u8>) -> Result<(), BrokerFault> {
        self.put_file_unless(name, bytes, true).await
    }

    /// The same, also where it seems to be there already: one that was altered or lost in part is whole again.
    ///
    /// # Errors
    /// The same.
    pub async fn put_file_again(&self, name: &str, bytes: Vec<u8>) -> Result<(), BrokerFault> {
        self.put_file_unless(name, bytes, false).await
    }

    async fn put_file_unless(&self, name: &str, bytes: Vec<u8>, it_is_there: bool) -> Result<(), BrokerFault> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(BrokerFault::TooLarge { what: format!("a file of {} bytes", bytes.len()) });
        }
        let (bytes, found) = hashed(bytes).await?;
        if name != found {
            return Err(BrokerFault::other("a file has a name that is not the SHA-256 of its bytes"));
        }
        if it_is_there && self.has_file(name).await? {
            return Ok(());
        }
        let mut nuid = [0; 16];
        getrandom::fill(&mut nuid).map_err(|error| BrokerFault::other(error.to_string()))?;
        let nuid = hex(&nuid);
        let subject = chunk_subject(&nuid);
        let (size, chunk) = (bytes.len(), self.max_inline().clamp(1, MAX_INLINE));
        for at in (0..size).step_by(chunk) {
            self.put(&subject, HeaderMap::new(), bytes.slice(at..size.min(at + chunk))).await?;
        }
        let digest = URL_SAFE.encode(unhex(name).unwrap_or_default());
        let description = json!({
            "name": name,
            "bucket": FILES_BUCKET,
            "nuid": nuid,
            "size": size,
            "chunks": size.div_ceil(chunk),
            "mtime": Timestamp::now().to_string(),
            "digest": format!("SHA-256={digest}"),
            "options": { "max_chunk_size": chunk },
        });
        // The description replaces an older one.
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Rollup", "sub");
        let payload = Bytes::from(description.to_string());
        self.put(&description_subject(name), headers, payload).await
    }

    /// Whether a file is there, and will be for days.
    ///
    /// # Errors
    /// When the broker cannot be asked, or has no files at all.
    pub async fn has_file(&self, name: &str) -> Result<bool, BrokerFault> {
        Ok(self.description(name).await?.is_some_and(|found| found.age < FRESH))
    }

    /// A file, verified against its name.
    ///
    /// # Errors
    /// When it is not there ([`BrokerFault::Lost`]), not what its name says ([`BrokerFault::Unsealed`]), or larger than 256 MiB.
    pub async fn file(&self, name: &str) -> Result<Vec<u8>, BrokerFault> {
        self.file_within(name, MAX_FILE_BYTES).await
    }

    /// The same, of at most so many bytes.
    ///
    /// # Errors
    /// The same, and [`BrokerFault::TooLarge`] when it has more.
    pub async fn file_within(&self, name: &str, most: usize) -> Result<Vec<u8>, BrokerFault> {
        let lost = || BrokerFault::lost("a file that it was given");
        let altered = || BrokerFault::Unsealed { what: "a file at the broker".to_owned() };
        let found = self.description(name).await?.ok_or_else(lost)?;
        if found.size > most.min(MAX_FILE_BYTES) {
            return Err(BrokerFault::TooLarge { what: "a file at the broker".to_owned() });
        }
        if found.nuid.is_empty() || !found.nuid.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(altered());
        }
        let subject = chunk_subject(&found.nuid);
        let (mut bytes, mut from) = (Vec::new(), 1);
        for _ in 0..found.chunks {
            let chunk = self.next_message(FILES, &subject, from).await?.ok_or_else(lost)?;
            if chunk.payload.is_empty() || bytes.len() + chunk.payload.len() > found.size {
                return Err(altered());
            }
            bytes.extend_from_slice(&chunk.payload);
            from = chunk.sequence + 1;
        }
        let (bytes, sha256) = hashed(bytes).await?;
        if sha256 != name {
            return Err(altered());
        }
        Ok(bytes.into())
    }

    async fn description(&self, name: &str) -> Result<Option<Description>, BrokerFault> {
        let Some(message) = self.last_message(FILES, &description_subject(name)).await? else { return Ok(None) };
        let Ok(mut found) = serde_json::from_slice::<Description>(&message.payload) else { return Ok(None) };
        let sent = Timestamp::from_nanosecond(message.time.unix_timestamp_nanos()).unwrap_or(Timestamp::MIN);
        found.age = Timestamp::now().duration_since(sent).try_into().unwrap_or_default();
        Ok(Some(found).filter(|found| !found.deleted))
    }

    async fn put(&self, subject: &str, headers: HeaderMap, payload: Bytes) -> Result<(), BrokerFault> {
        match self.publish(FILES, subject, headers, payload).await {
            Ok(_) => Ok(()),
            Err(PublishFault::Fault(fault)) => Err(fault),
            Err(PublishFault::WrongLast) => Err(BrokerFault::other("it refuses the order of messages")),
        }
    }
}

fn chunk_subject(nuid: &str) -> String {
    format!("$O.{FILES_BUCKET}.C.{nuid}")
}

fn description_subject(name: &str) -> String {
    format!("$O.{FILES_BUCKET}.M.{}", URL_SAFE.encode(name))
}

/// Bytes and their SHA-256, which for many takes a while.
async fn hashed(bytes: Vec<u8>) -> Result<(Bytes, String), BrokerFault> {
    let hashing = tokio::task::spawn_blocking(move || {
        let sha256 = sha256(&bytes);
        (Bytes::from(bytes), sha256)
    });
    hashing.await.map_err(|error| BrokerFault::other(error.to_string()))
}
