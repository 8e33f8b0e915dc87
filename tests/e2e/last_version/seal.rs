//! The codes of version 0.1.0, made here without the crate's own seal, so that a change of that one is noticed.
//!
//! HMAC-SHA-256 (RFC 2104) under the 32 bytes of the user's key, over the workspace's real path, the kind of thing and
//! its content, each after its length in 8 bytes, the lowest first; in lower-case hex.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// SHA-256's block.
const BLOCK: usize = 64;
/// A transcript's line ends with its code.
const MAC_FIELD: &str = ",\"mac\":\"";

pub(super) struct Seal {
    key: Vec<u8>,
    root: String,
}

impl Seal {
    pub(super) fn new(key: &[u8], root: &str) -> Self {
        assert_eq!(key.len(), 32);
        Self { key: key.to_owned(), root: root.to_owned() }
    }

    pub(super) fn code(&self, kind: &str, content: &[u8]) -> String {
        let mut message = Vec::new();
        for part in [self.root.as_bytes(), kind.as_bytes(), content] {
            message.extend((part.len() as u64).to_le_bytes());
            message.extend(part);
        }
        hex(&hmac(&self.key, &message))
    }

    pub(super) fn verifies(&self, kind: &str, content: &[u8], code: &str) -> bool {
        self.code(kind, content) == code
    }

    /// What an approval's code covers.
    pub(super) fn of_approval(approval: &Value) -> Vec<u8> {
        let fields = ["plan_sha256", "decision", "by", "tasks", "at"].map(|field| approval[field].clone());
        json!(fields).to_string().into_bytes()
    }

    /// What a publish journal's code covers: all of it, in one line, the code being empty.
    pub(super) fn of_publish(journal: &Value) -> Vec<u8> {
        let mut journal = journal.clone();
        journal["mac"] = json!("");
        journal.to_string().into_bytes()
    }

    /// What the code of a transcript's line covers, and the code; `None` for a line that was cut.
    pub(super) fn transcript_line(line: &str) -> Option<(&str, &str)> {
        line.strip_suffix("\"}")?.rsplit_once(MAC_FIELD)
    }

    /// A transcript's line.
    pub(super) fn join(body: &str, code: &str) -> String {
        format!("{body}{MAC_FIELD}{code}\"}}")
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| -> Vec<u8> { (0..BLOCK).map(|at| key.get(at).unwrap_or(&0) ^ byte).collect() };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
