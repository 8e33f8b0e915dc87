//! Packs: many contents in one object.
//!
//! A pack is one line of JSON, `{"version":1,"blobs":[{"sha256":"…","size":5},…]}` and a line feed, and behind it the
//! bytes of each blob in that order, with nothing between or after them. Its name is the SHA-256 of all its bytes.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::blobs::{BlobError, BlobStore};
use crate::contracts::{MAX_PACK_BLOBS, MAX_PACK_LINE_BYTES};
use crate::workspace::sha256;

const VERSION: u32 = 1;

/// Several contents, to be stored under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// SHA-256 of its bytes, in hex.
    pub name: String,
    /// What is stored.
    pub bytes: Vec<u8>,
    /// The SHA-256 of each content in it.
    pub blobs: Vec<String>,
}

/// In which pack each content was sent. Whoever sends keeps it from one tree to the next, so that a content is sent once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sent(BTreeMap<String, String>);

impl Sent {
    /// Whether a content was sent.
    pub fn has(&self, blob: &str) -> bool {
        self.0.contains_key(blob)
    }

    /// The name of the pack that holds a content.
    pub fn pack_of(&self, blob: &str) -> Option<&str> {
        self.0.get(blob).map(String::as_str)
    }

    /// Records a pack that is stored now.
    pub fn add(&mut self, pack: &Pack) {
        for blob in &pack.blobs {
            self.0.entry(blob.clone()).or_insert_with(|| pack.name.clone());
        }
    }

    /// Takes back that a pack is stored: what it held is sent again.
    pub fn forget(&mut self, pack: &str) {
        self.0.retain(|_, name| name != pack);
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u32,
    blobs: Vec<Blob>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blob {
    sha256: String,
    size: u64,
}

/// A pack that is being filled.
#[derive(Debug, Default)]
pub(super) struct PackWriter {
    blobs: Vec<Blob>,
    held: HashSet<String>,
    body: Vec<u8>,
}

impl PackWriter {
    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    pub(super) fn blobs(&self) -> usize {
        self.blobs.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    pub(super) fn holds(&self, sha256: &str) -> bool {
        self.held.contains(sha256)
    }

    pub(super) fn add(&mut self, sha256: String, bytes: &[u8]) {
        self.held.insert(sha256.clone());
        self.blobs.push(Blob { sha256, size: bytes.len() as u64 });
        self.body.extend_from_slice(bytes);
    }

    /// The pack; `None` if nothing was added.
    pub(super) fn finish(mut self) -> Option<Pack> {
        if self.blobs.is_empty() {
            return None;
        }
        let head = Head { version: VERSION, blobs: self.blobs };
        let mut line = serde_json::to_vec(&head).ok()?;
        line.push(b'\n');
        self.body.splice(0..0, line);
        let blobs = head.blobs.into_iter().map(|blob| blob.sha256).collect();
        Some(Pack { name: sha256(&self.body), bytes: self.body, blobs })
    }
}

/// Why a pack cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It is not the pack of this name.
    #[error(
        "the pack {0} is not what its name says: it was damaged or replaced where it is stored; have it sent again"
    )]
    NotItsName(String),
    /// It is no pack of this version.
    #[error("the pack {name} cannot be read: {why}; use the same version of baton on both machines")]
    Malformed {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A content cannot be stored.
    #[error(transparent)]
    Store(#[from] BlobError),
}

/// Stores the contents of a pack, each compared with its hash, and returns how many there are.
///
/// # Errors
/// When the bytes are not those of the name, are no pack, or a content cannot be stored.
pub fn unpack(bytes: &[u8], name: &str, into: &mut dyn BlobStore) -> Result<usize, PackError> {
    if sha256(bytes) != name {
        return Err(PackError::NotItsName(name.to_owned()));
    }
    let malformed = |why: String| PackError::Malformed { name: name.to_owned(), why };
    let limit = usize::try_from(MAX_PACK_LINE_BYTES).unwrap_or(usize::MAX);
    let end = memchr::memchr(b'\n', bytes.get(..limit).unwrap_or(bytes));
    let (line, rest) = end
        .and_then(|end| bytes.split_at_checked(end))
        .and_then(|(line, rest)| Some((line, rest.split_first()?.1)))
        .ok_or_else(|| malformed("its first line has no end".to_owned()))?;
    let head: Head = serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
    if head.version != VERSION {
        return Err(malformed(format!("it has version {}", head.version)));
    }
    if head.blobs.len() > MAX_PACK_BLOBS {
        return Err(malformed(format!("it has more than {MAX_PACK_BLOBS} contents")));
    }
    let mut left = rest;
    for Blob { sha256: expected, size } in &head.blobs {
        let size = usize::try_from(*size).unwrap_or(usize::MAX);
        let (blob, behind) = left.split_at_checked(size).ok_or_else(|| malformed("it ends too early".to_owned()))?;
        if sha256(blob) != *expected {
            return Err(malformed(format!("{expected} is not what its name says")));
        }
        into.put(expected, blob)?;
        left = behind;
    }
    if !left.is_empty() {
        return Err(malformed(format!("{} bytes stand behind its last content", left.len())));
    }
    Ok(head.blobs.len())
}
