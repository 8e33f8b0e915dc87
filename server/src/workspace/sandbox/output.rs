//! What a command prints: into the log, and its beginning and end as text.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;

use crate::text;

/// The most that a log holds, in bytes.
const MAX_LOG: u64 = 16 << 20;
/// How much of the beginning is kept, in bytes.
const HEAD: usize = 8 << 10;
/// How much of the end is kept, in bytes.
const TAIL: usize = 24 << 10;

/// The output of one command, while it runs.
pub(super) struct Output {
    log: File,
    logged: u64,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Output {
    pub(super) fn new(log: File) -> Self {
        Self { log, logged: 0, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    /// Takes what was printed next.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = usize::try_from(MAX_LOG.saturating_sub(self.logged)).unwrap_or(usize::MAX).min(bytes.len());
        // A log that cannot be written loses nothing of the answer.
        if self.log.write_all(&bytes[..room]).is_ok() {
            self.logged += room as u64;
        }
        let first = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..first]);
        self.tail.extend(&bytes[first..]);
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
        self.dropped += over as u64;
    }

    /// The first 8 and the last 24 KB.
    pub(super) fn into_text(self) -> String {
        let mut bytes = self.head;
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[… {} bytes left out …]\n", self.dropped).as_bytes());
        }
        bytes.extend(self.tail);
        text::safe_text(&String::from_utf8_lossy(&bytes))
    }
}
