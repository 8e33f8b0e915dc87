//! Reading and writing one file of the folder: within its limit, durably, with errors that name it.

use std::io;
use std::string::FromUtf8Error;
use std::time::SystemTime;

use jiff::Timestamp;

use super::handle::Store;
use crate::contracts::{Fault, Handoff, MAX_HANDOFF_BYTES, MAX_TEXT_BYTES, Position};
use crate::memory::error::{FileFaults, MemoryError};
use crate::workspace::{self, ReadFault, open_regular, read_bounded, read_to_limit};

impl Store {
    /// Write a handoff.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write<T: Handoff>(&self, handoff: &T) -> Result<(), MemoryError> {
        self.replace(T::FILE, &to_pretty_json(handoff), 0o644)
    }

    /// Write a handoff whose file is named after its phase.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_as<T: Handoff>(&self, file: &str, handoff: &T) -> Result<(), MemoryError> {
        self.replace(file, &to_pretty_json(handoff), 0o644)
    }

    pub(super) fn replace(&self, file: &str, bytes: &[u8], mode: u32) -> Result<(), MemoryError> {
        workspace::replace(self.dir()?, file, bytes, mode).map_err(|source| self.file_error("write", file, source))
    }

    /// The error of a file of the memory folder; where the whole folder is gone, that.
    pub fn file_error(&self, action: &'static str, file: &str, source: io::Error) -> MemoryError {
        self.folder.error(action, self.name(file), source)
    }

    /// Read a file whole, by its path from the memory folder; `None` where there is none.
    pub(super) fn read(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadFault> {
        self.folder.existing().map_or(Ok(None), |dir| read_bounded(dir, file, limit))
    }

    /// The text of a handoff; `None`, with a fault, if it cannot be read or is not UTF-8.
    pub(super) fn json(&self, file: &str, faults: &mut Vec<FileFaults>) -> Option<(String, Timestamp)> {
        let read = self.bytes(file, MAX_HANDOFF_BYTES).map(|read| {
            read.map(|(bytes, modified)| match String::from_utf8(bytes) {
                Ok(text) => Ok((text, modified)),
                Err(error) => Err(not_utf8(&error)),
            })
        });
        match read.and_then(Option::transpose) {
            Ok(read) => read,
            Err(fault) => {
                faults.push(self.faults(file, vec![fault]));
                None
            }
        }
    }

    /// A file's text; bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self, file: &str) -> Result<Option<String>, MemoryError> {
        let read = self.bytes(file, MAX_TEXT_BYTES);
        let read = read.map_err(|fault| MemoryError::Faulty(vec![self.faults(file, vec![fault])]))?;
        Ok(read.map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The text of a handoff on disk; `None` if it cannot be read.
    pub(super) fn whole_text(&self, file: &str) -> Option<String> {
        String::from_utf8(self.read(file, MAX_HANDOFF_BYTES).ok()??).ok()
    }

    /// A file's bytes and modification time; a fault at its start if it exists and cannot be read.
    pub(super) fn bytes(&self, file: &str, limit: u64) -> Result<Option<(Vec<u8>, Timestamp)>, Fault> {
        if let Some(text) = self.unsaved.get(file) {
            return Ok(Some((text.clone().into_bytes(), Timestamp::UNIX_EPOCH)));
        }
        let Some(dir) = self.folder.existing() else { return Ok(None) };
        let read = || -> Result<Option<(Vec<u8>, Timestamp)>, ReadFault> {
            let Some((opened, metadata)) = open_regular(dir, file)? else { return Ok(None) };
            let bytes = read_to_limit(opened, metadata.len(), limit)?;
            let modified = metadata.modified().map_or_else(|_| SystemTime::now(), cap_std::time::SystemTime::into_std);
            Ok(Some((bytes, Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH))))
        };
        read().map_err(|fault| Fault::at("", 0, fault.to_string()))
    }

    pub(super) fn faults(&self, file: &str, faults: Vec<Fault>) -> FileFaults {
        FileFaults { file: self.name(file), faults }
    }
}

/// The fault of a text that is not UTF-8, at the first invalid byte.
pub(super) fn not_utf8(error: &FromUtf8Error) -> Fault {
    let at = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
    Fault {
        code: "schema",
        message: "not UTF-8 text, as JSON must be; save it in that encoding".to_owned(),
        pointer: String::new(),
        span: at..at,
        position: Position::of(&before, at),
    }
}

pub(super) fn to_pretty_json<T: Handoff>(handoff: &T) -> Vec<u8> {
    // A handoff consists of strings, numbers and lists, which always serialise.
    let mut bytes = serde_json::to_vec_pretty(handoff).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
