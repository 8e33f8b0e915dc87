//! Reading the files that a walk found, many in a row.

use std::fs::File;
use std::io::{self, Read};

use super::file_state::MAX_FILE_BYTES;
use super::root::Workspace;
use crate::contracts::RepoPath;

impl Workspace {
    /// The bytes of a file that [`visit_files`](super::visit_files) found, as the user sees it: the open document's text
    /// if it has unsaved changes. The buffer is used again for the next file.
    ///
    /// `None` if it is no longer a regular file in its place, is too large, may not be read, or is a secret under another
    /// name.
    pub fn read_found<'a>(&self, path: &RepoPath, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let is_open = self.buffers.as_ref().is_some_and(|buffers| buffers.source.open(path).is_some());
        if is_open {
            return self.read_slowly(path, buffer);
        }
        match open(self, path) {
            Ok(file) => self.read_regular(file, buffer),
            Err(Unopened::Gone) => None,
            Err(Unopened::Unknown) => self.read_slowly(path, buffer),
        }
    }

    fn read_slowly<'a>(&self, path: &RepoPath, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if self.is_secret_by_link(path) {
            return None;
        }
        *buffer = self.read_unlinked(path).ok()??.bytes;
        Some(buffer)
    }

    fn read_regular<'a>(&self, file: File, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let mut file = cap_std::fs::File::from_std(file);
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES || self.is_secret_inode(&metadata) {
            return None;
        }
        // What is appended meanwhile is left for the next time.
        let size = usize::try_from(metadata.len()).ok()?;
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        let mut length = 0;
        while length < size {
            match file.read(&mut buffer[length..size]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Some(&buffer[..length])
    }
}

/// Why a file was not opened.
enum Unopened {
    /// It is not there, is a link, or may not be read.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only that call tells"))]
    Gone,
    /// The system has no call for it.
    Unknown,
}

/// Opens a file beneath the root by one call, without following any link.
#[cfg(target_os = "linux")]
fn open(workspace: &Workspace, path: &RepoPath) -> Result<File, Unopened> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(workspace.dir(), path.as_str(), flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file.into()),
        // Linux before 5.6, and filters of containers that do not know the call.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => Err(Unopened::Unknown),
        Err(_) => Err(Unopened::Gone),
    }
}

#[cfg(not(target_os = "linux"))]
fn open(_: &Workspace, _: &RepoPath) -> Result<File, Unopened> {
    Err(Unopened::Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, Opened, path};
    use super::super::{MAX_FILE_BYTES, OpenBuffers, Workspace};
    use std::sync::Arc;

    fn read(workspace: &Workspace, file: &str) -> Option<Vec<u8>> {
        let fast = workspace.read_found(&path(file), &mut Vec::new()).map(<[u8]>::to_vec);
        let slow = workspace.read_slowly(&path(file), &mut Vec::new()).map(<[u8]>::to_vec);
        assert_eq!(fast, slow, "{file}");
        fast
    }

    #[test]
    fn the_buffer_holds_one_file_after_the_other() {
        let fixture = Fixture::new("//- /long\n0123456789\n//- /deep/short\nx\n//- /empty\n");
        let workspace = fixture.workspace();
        let mut buffer = Vec::new();
        for (file, content) in
            [("long", "0123456789\n"), ("deep/short", "x\n"), ("empty", ""), ("long", "0123456789\n")]
        {
            assert_eq!(workspace.read_found(&path(file), &mut buffer).unwrap(), content.as_bytes(), "{file}");
        }
        for none in ["nowhere", "deep", "long/x"] {
            assert_eq!(read(&workspace, none), None, "{none}");
        }
        let huge = std::fs::File::create(fixture.root().join("huge")).unwrap();
        huge.set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(read(&workspace, "huge"), None);
    }

    #[test]
    fn an_unsaved_text_is_what_is_found() {
        let fixture = Fixture::new("//- /a.txt\none\n//- /b.txt\ntwo\n");
        let editor = Arc::new(Opened::default());
        let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
        editor.set("a.txt", "mine\n", true);
        assert_eq!(read(&workspace, "a.txt").unwrap(), b"mine\n");
        assert_eq!(read(&workspace, "b.txt").unwrap(), b"two\n");
    }

    #[cfg(unix)]
    #[test]
    fn what_took_the_place_of_a_file_is_not_read() {
        let fixture = Fixture::new("//- /src/a.rs\nin\n//- /.env\nKEY=1\n");
        std::fs::write(fixture.outside().join("out.txt"), "out").unwrap();
        fixture.link("src/a.rs", "inside");
        fixture.link("src", "folder");
        fixture.link("../out.txt", "up");
        std::fs::hard_link(fixture.root().join(".env"), fixture.root().join("plain.txt")).unwrap();
        rustix::fs::mkfifoat(fixture.dir(), "pipe", rustix::fs::Mode::RUSR).unwrap();
        let workspace = fixture.workspace();
        for none in ["inside", "folder/a.rs", "up", "plain.txt", "pipe"] {
            assert_eq!(read(&workspace, none), None, "{none}");
        }
        assert_eq!(read(&workspace, "src/a.rs").unwrap(), b"in\n");
    }
}
