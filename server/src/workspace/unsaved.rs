//! Files as the user sees them: the unsaved text of an open document instead of what is on disk.

use tokio::sync::watch;

use super::buffers::{Buffer, OpenBuffers, hash, normalised};
use super::error::WorkspaceError;
use super::file_state::{FileState, MAX_FILE_BYTES, sha256};
use super::root::Workspace;
use super::text_file::TextFile;
use crate::contracts::RepoPath;

impl Workspace {
    /// The same folder with an editor's open documents.
    #[must_use]
    pub fn with_buffers(mut self, buffers: OpenBuffers) -> Self {
        self.buffers = Some(buffers);
        self
    }

    /// Reads a file as the user sees it: the open document's text if it has unsaved changes, else the file on disk.
    /// Unsaved text is in the file's own encoding, with its byte order mark and line endings, as it will be saved.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_open(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        let disk = self.read(path)?;
        self.with_unsaved_text(path, disk)
    }

    /// Reads a file that no model asked for, as [`read_open`](Self::read_open) does: no component may be a link.
    ///
    /// # Errors
    /// As [`read`](Self::read); also when a component is a link.
    pub fn read_unlinked(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        let disk = self.read_in_place(path)?;
        self.with_unsaved_text(path, disk)
    }

    /// The file on disk, replaced by the open document's unsaved text if there is one.
    pub(super) fn with_unsaved_text(
        &self,
        path: &RepoPath,
        disk: Option<FileState>,
    ) -> Result<Option<FileState>, WorkspaceError> {
        let Some(text) = self.unsaved_text(path, disk.as_ref()) else { return Ok(disk) };
        let format = match disk.as_ref().map(|disk| TextFile::decode(&disk.bytes)) {
            Some(Ok(format)) => format,
            _ => TextFile::empty(),
        };
        // A text that does not fit the file's encoding cannot be saved as it is; agents may still read it.
        let bytes = format.encode(&text).unwrap_or_else(|_| text.into_bytes());
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(WorkspaceError::TooLarge { path: path.clone(), bytes: bytes.len() as u64 });
        }
        let (mode, owner) = disk.map_or((0o644, None), |disk| (disk.mode, disk.owner));
        Ok(Some(FileState { sha256: sha256(&bytes), bytes, mode, owner }))
    }

    /// Whether a file is open with changes that are not on disk.
    pub fn is_unsaved(&self, path: &RepoPath) -> bool {
        let Some(buffers) = &self.buffers else { return false };
        if buffers.source.open(path).is_none() {
            return false;
        }
        // An unreadable file cannot be compared; the write will report the reason.
        self.read(path).is_ok_and(|disk| self.unsaved_text(path, disk.as_ref()).is_some())
    }

    /// Whether an editor has it open, with changes or without.
    pub(super) fn is_open(&self, path: &RepoPath) -> bool {
        self.buffers.as_ref().is_some_and(|buffers| buffers.source.open(path).is_some())
    }

    /// The files that are open with changes that are not on disk.
    pub fn unsaved<'a>(&self, paths: impl IntoIterator<Item = &'a RepoPath>) -> Vec<RepoPath> {
        paths.into_iter().filter(|path| self.is_unsaved(path)).cloned().collect()
    }

    /// Counts up whenever an open document changes; `None` without an editor.
    pub fn buffer_changes(&self) -> Option<watch::Receiver<u64>> {
        self.buffers.as_ref().map(|buffers| buffers.source.changes())
    }

    /// The open document's text, with line feeds only, if it has changes that are not on disk.
    fn unsaved_text(&self, path: &RepoPath, disk: Option<&FileState>) -> Option<String> {
        let buffers = self.buffers.as_ref()?;
        let Buffer { text, edited } = buffers.source.open(path)?;
        let text = normalised(&text);
        let on_disk = match disk {
            // An empty document of a missing file is not a change.
            None => Some(String::new()),
            Some(disk) => TextFile::decode(&disk.bytes).ok().map(|file| file.text().to_owned()),
        };
        // What an editor shows of a binary file is undefined.
        let on_disk = on_disk?;
        let hash = hash(&text);
        let mut seen = buffers.seen();
        if text == on_disk {
            seen.insert(path.clone(), hash);
            return None;
        }
        (edited && seen.get(path) != Some(&hash)).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixture::{Fixture, Opened, memory, path};
    use super::super::{Staging, Writable};
    use std::sync::Arc;

    use super::*;

    fn open_in_editor(fixture: &Fixture) -> (Arc<Opened>, Workspace) {
        let editor = Arc::new(Opened::default());
        let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
        (editor, workspace)
    }

    fn read(workspace: &Workspace, file: &str) -> Option<Vec<u8>> {
        workspace.read_open(&path(file)).unwrap().map(|state| state.bytes)
    }

    #[test]
    fn an_unsaved_text_is_read_as_it_will_be_saved() {
        let fixture = Fixture::new("//- /lf.txt\none\n");
        fixture.write("crlf.txt", b"\xef\xbb\xbfone\r\ntwo\r\n");
        fixture.write("latin.txt", b"caf\xe9\n");
        let (editor, workspace) = open_in_editor(&fixture);
        editor.set("lf.txt", "one\r\nmore\r\n", true);
        editor.set("crlf.txt", "one\ntwo\nthree\n", true);
        editor.set("latin.txt", "caf\u{e9}!\n", true);
        editor.set("new.txt", "new\n", true);
        assert_eq!(read(&workspace, "lf.txt").unwrap(), b"one\nmore\n");
        assert_eq!(read(&workspace, "crlf.txt").unwrap(), b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\n");
        assert_eq!(read(&workspace, "latin.txt").unwrap(), b"caf\xe9!\n");
        assert_eq!(read(&workspace, "new.txt").unwrap(), b"new\n");
        assert_eq!(workspace.read(&path("lf.txt")).unwrap().unwrap().bytes, b"one\n", "the disk is what it is");
        editor.set("latin.txt", "caf\u{e9} \u{1F980}\n", true);
        assert_eq!(read(&workspace, "latin.txt").unwrap(), "caf\u{e9} \u{1F980}\n".as_bytes(), "no Windows-1252");
        let all = ["lf.txt", "crlf.txt", "latin.txt", "new.txt"].map(path);
        assert_eq!(workspace.unsaved(&all), all);
    }

    #[test]
    fn a_document_that_is_the_same_as_its_file_is_not_unsaved_whatever_its_line_endings() {
        let fixture = Fixture::new("//- /a.txt\n");
        fixture.write("a.txt", b"\xef\xbb\xbfone\r\ntwo\n");
        let (editor, workspace) = open_in_editor(&fixture);
        for text in ["one\ntwo\n", "one\r\ntwo\r\n", "\u{feff}one\r\ntwo\n"] {
            editor.set("a.txt", text, true);
            assert!(!workspace.is_unsaved(&path("a.txt")), "{text:?}");
            assert_eq!(read(&workspace, "a.txt").unwrap(), b"\xef\xbb\xbfone\r\ntwo\n");
        }
        editor.set("absent.txt", "", true);
        assert!(!workspace.is_unsaved(&path("absent.txt")), "an empty document of no file");
        assert_eq!(read(&workspace, "absent.txt"), None);
        assert!(!fixture.workspace().is_unsaved(&path("a.txt")), "no editor");
    }

    #[test]
    fn a_document_that_lags_behind_its_file_is_not_unsaved() {
        let fixture = Fixture::new("//- /a.txt\none\n");
        let (editor, workspace) = open_in_editor(&fixture);
        editor.set("a.txt", "one\n", false);
        fixture.write("a.txt", b"two\n");
        assert_eq!(read(&workspace, "a.txt").unwrap(), b"two\n", "never touched by the user");
        // The editor reloads it, which is a change to a client; then the next one is published.
        editor.set("a.txt", "two\n", true);
        assert!(!workspace.is_unsaved(&path("a.txt")));
        fixture.write("a.txt", b"three\n");
        assert!(!workspace.is_unsaved(&path("a.txt")), "what it holds was on disk");
        editor.set("a.txt", "two, and mine\n", true);
        assert!(workspace.is_unsaved(&path("a.txt")));
    }

    #[test]
    fn a_binary_file_has_no_unsaved_text() {
        let fixture = Fixture::new("//- /a.txt\none\n");
        fixture.write("a.bin", b"\0\x01\x02");
        let (editor, workspace) = open_in_editor(&fixture);
        editor.set("a.bin", "\u{fffd}", true);
        assert_eq!(read(&workspace, "a.bin").unwrap(), b"\0\x01\x02");
    }

    fn staging(workspace: &Workspace) -> Staging {
        let all: BTreeSet<RepoPath> = ["a.txt", "new.txt"].map(path).into();
        let writable = Writable { write: all.clone(), delete: all, ..Writable::default() };
        Staging::new(workspace.clone(), "T1", writable, memory())
    }

    #[test]
    fn a_task_builds_on_the_unsaved_text() {
        let fixture = Fixture::new("//- /a.txt\none\n");
        let (editor, workspace) = open_in_editor(&fixture);
        editor.set("a.txt", "one\nmine\n", true);
        editor.set("new.txt", "begun\n", true);
        let mut staging = staging(&workspace);
        staging.write(&path("new.txt"), "x\n").expect_err("there is something already, and it was not read");
        assert_eq!(staging.read(&path("a.txt")).unwrap().unwrap(), b"one\nmine\n");
        staging.write(&path("a.txt"), "ONE\nmine\n").unwrap();
        let change = staging.changes().remove(0);
        // Saved as it is, it is what the task built on.
        assert_eq!(change.before.unwrap().sha256, sha256(b"one\nmine\n"));
        assert_eq!(change.after.unwrap(), b"ONE\nmine\n");
    }

    #[test]
    fn a_task_follows_a_text_that_was_saved_in_another_manner() {
        let fixture = Fixture::new("//- /a.txt\none\n");
        let (editor, workspace) = open_in_editor(&fixture);
        editor.set("a.txt", "one\nmine\n", true);
        let mut staging = staging(&workspace);
        staging.read(&path("a.txt")).unwrap();
        staging.write(&path("a.txt"), "ONE\nmine\n").unwrap();
        fixture.write("a.txt", b"one\r\nmine\r\n");
        staging.follow_saved().unwrap();
        let change = staging.changes().remove(0);
        assert_eq!(change.before.unwrap().bytes, b"one\r\nmine\r\n");
        assert_eq!(change.after.unwrap(), b"ONE\r\nmine\r\n");
        // Any other text is another text.
        fixture.write("a.txt", b"one\nmine too\n");
        staging.follow_saved().unwrap();
        assert_eq!(staging.changes()[0].before.as_ref().unwrap().bytes, b"one\r\nmine\r\n");
    }
}
