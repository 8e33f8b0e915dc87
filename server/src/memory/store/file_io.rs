//! Reading and writing one file of the folder: within its limit, durably, with errors that name it.

use std::io;
use std::string::FromUtf8Error;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::handle::Store;
use crate::contracts::{Fault, Handoff, MAX_HANDOFF_BYTES, MAX_TEXT_BYTES, Position};
use crate::memory::error::{FileFaults, MemoryError};
use crate::workspace::{self, ReadFault, open_regular, read_bounded, read_to_limit};

/// How often a file is tried that is saved by others while it is written.
const MOST_ATTEMPTS: u32 = 20;

/// How long an empty file is taken for one that is being saved.
const LONGEST_EMPTY: Duration = Duration::from_millis(300);
/// How often it is looked at meanwhile.
const EMPTY_POLL_INTERVAL: Duration = Duration::from_millis(5);

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

    /// Replaces a text that people edit too by what `make` makes of it, again where it is saved meanwhile: what they write is
    /// never overwritten by what was made of an older text. `make` is given `None` where there is no file or none that can
    /// be read, and answers `None` to leave it as it is.
    ///
    /// # Errors
    /// When the file cannot be written, or was saved at every one of many attempts; and those of `make`.
    pub(super) fn change(
        &self,
        file: &str,
        limit: u64,
        mut make: impl FnMut(Result<Option<&str>, &ReadFault>) -> Result<Option<String>, MemoryError>,
    ) -> Result<(), MemoryError> {
        for _ in 0..MOST_ATTEMPTS {
            let before = self.read_at_rest(file, limit);
            let text = before.as_ref().map(|before| before.as_deref().map(String::from_utf8_lossy));
            let text = text.as_ref().map(Option::as_deref).map_err(|fault| *fault);
            let Some(after) = make(text)? else { return Ok(()) };
            if before.as_ref().is_ok_and(|before| before.as_deref() == Some(after.as_bytes())) {
                return Ok(());
            }
            let still = || match (self.read(file, limit), &before) {
                (Ok(now), Ok(before)) => Ok(now == *before),
                (now, before) => Ok(now.is_err() && before.is_err()),
            };
            let written = workspace::replace_if(self.dir()?, file, after.as_bytes(), 0o644, &still);
            if written.map_err(|source| self.file_error("write", file, source))? {
                return Ok(());
            }
        }
        let source = io::Error::other("it is saved again and again; try again when it rests");
        Err(self.file_error("write", file, source))
    }

    /// Reads a file that an editor may be saving in place: it is emptied first, and what is written then would be lost with
    /// the file that is replaced.
    pub(super) fn read_at_rest(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadFault> {
        let until = Instant::now() + LONGEST_EMPTY;
        loop {
            let read = self.read(file, limit);
            match &read {
                Ok(Some(bytes)) if bytes.is_empty() && Instant::now() < until => thread::sleep(EMPTY_POLL_INTERVAL),
                _ => return read,
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{Handoffs, RepoPath};
    use crate::memory::Seal;
    use crate::workspace::Workspace;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let (memory, seal) = (RepoPath::parse(".agent_memory").unwrap(), Seal::ephemeral(workspace.root()).unwrap());
        let store = Store::open(&workspace, &memory, seal, Handoffs::new([])).unwrap();
        store.dir().unwrap();
        (folder, store)
    }

    #[test]
    fn what_is_saved_while_a_text_is_changed_is_what_is_changed() {
        let (folder, store) = store();
        store.replace("plan.md", b"plan\n", 0o644).unwrap();
        let mut seen = Vec::new();
        let append = |text: Result<Option<&str>, &ReadFault>| {
            let text = text.unwrap().unwrap_or_default().to_owned();
            if seen.is_empty() {
                std::fs::write(folder.path().join(store.name("plan.md")), "plan\n> a note\n").unwrap();
            }
            seen.push(text.clone());
            Ok(Some(format!("{text}done\n")))
        };
        store.change("plan.md", 100, append).unwrap();
        assert_eq!(store.whole_text("plan.md").unwrap(), "plan\n> a note\ndone\n");
        assert_eq!(seen, ["plan\n", "plan\n> a note\n"]);
    }

    #[test]
    fn an_editor_that_has_emptied_a_file_is_waited_for() {
        let (folder, store) = store();
        let path = folder.path().join(store.name("plan.md"));
        let mut open = std::fs::File::create(&path).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(EMPTY_POLL_INTERVAL * 4);
                io::Write::write_all(&mut open, b"> a note\n").unwrap();
            });
            store.change("plan.md", 100, |text| Ok(Some(format!("plan\n{}", text.unwrap().unwrap())))).unwrap();
        });
        assert_eq!(store.whole_text("plan.md").unwrap(), "plan\n> a note\n");
        std::fs::write(&path, "").unwrap();
        store.change("plan.md", 100, |text| Ok(text.unwrap().map(|text| format!("{text}plan\n")))).unwrap();
        assert_eq!(store.whole_text("plan.md").unwrap(), "plan\n", "it stayed empty");
    }

    #[test]
    fn a_text_that_never_rests_is_left_as_it_is() {
        let (folder, store) = store();
        let mut saves = 0;
        let saved = |_: Result<Option<&str>, &ReadFault>| {
            saves += 1;
            std::fs::write(folder.path().join(store.name("plan.md")), format!("{saves}")).unwrap();
            Ok(Some("ours".to_owned()))
        };
        let error = store.change("plan.md", 100, saved).unwrap_err().to_string();
        assert!(error.contains("plan.md") && error.contains("again and again"), "{error}");
        assert_eq!(store.whole_text("plan.md").unwrap(), MOST_ATTEMPTS.to_string());
    }
}
