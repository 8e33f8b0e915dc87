//! A file at one moment: its bytes with their hash, permission bits and owner.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::ownership::Owner;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// A file's content at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of them, in hex.
    pub sha256: String,
    /// Permission bits (`0o644`); always `0o644` where the system has none.
    pub mode: u32,
    /// Who it belongs to; `None` where the system has no owners.
    pub owner: Option<Owner>,
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
