//! The only way to open files that neither the user nor the task named: handoffs, journals, marker files.
//!
//! Any of them may have come with a clone or an archive. So only a regular file beneath a folder's handle is opened,
//! with no link on the way, without blocking, and it is read up to its limit.

use std::io::{self, BufRead, BufReader, Read};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, FileType, Metadata, OpenOptions};

use super::beneath::{self, Blocked};
use super::error::WorkspaceError;
use super::root::Workspace;
use crate::contracts::{RepoPath, too_large};

/// Why an existing file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// It is not a regular file.
    #[error("{0} stands here, where a regular file should; move it away")]
    Kind(&'static str),
    /// A component of its path is not a folder.
    #[error("{0} stands on the way to it, where a folder should; move it away")]
    OnTheWay(&'static str),
    /// It is larger than it may be.
    #[error("{}", too_large(*.bytes, *.limit))]
    TooLarge {
        /// Its size, or limit + 1 if it grew while it was read.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The system failed.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl From<ReadFault> for io::Error {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Io(error) => error,
            fault => Self::new(io::ErrorKind::InvalidData, fault.to_string()),
        }
    }
}

/// Reads a whole file of a folder, by its name or path from there (`runs/x/base`); `None` if there is none. `limit` is
/// in bytes.
///
/// # Errors
/// When it is no regular file, lies behind a link, is larger than the limit, or cannot be read.
pub fn read_bounded(dir: &Dir, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadFault> {
    match open_regular(dir, name)? {
        Some((file, metadata)) => read_to_limit(file, metadata.len(), limit).map(Some),
        None => Ok(None),
    }
}

/// Reads the rest of a file. `expected` is its size as the system reports it.
///
/// # Errors
/// When there are more than `limit`, or it cannot be read.
pub fn read_to_limit(file: impl Read, expected: u64, limit: u64) -> Result<Vec<u8>, ReadFault> {
    if expected > limit {
        return Err(ReadFault::TooLarge { bytes: expected, limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    let read = bytes.len() as u64;
    if read > limit { Err(ReadFault::TooLarge { bytes: read, limit }) } else { Ok(bytes) }
}

/// Opens a regular file of a folder for reading, by its name or path from there; `None` if there is none.
///
/// # Errors
/// When it is no regular file, lies behind a link, or cannot be opened.
pub fn open_regular(dir: &Dir, name: &str) -> Result<Option<(std::fs::File, Metadata)>, ReadFault> {
    let holder;
    let (dir, name) = match name.rsplit_once('/') {
        Some((folder, name)) => {
            let Some(found) = find_folder(dir, folder)? else { return Ok(None) };
            holder = found;
            (&holder, name)
        }
        None => (dir, name),
    };
    // Check the kind before opening: opening a device may have effects.
    match dir.symlink_metadata(name) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(metadata) => return Err(ReadFault::Kind(kind(metadata.file_type()))),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = match dir.open_with(name, &options) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // It may have been replaced in between.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadFault::Kind(kind(metadata.file_type())));
    }
    Ok(Some((file.into_std(), metadata)))
}

/// Opens a folder by its path from another one; `None` if there is none.
///
/// # Errors
/// When it or a component of its path is a link or a file, or it cannot be opened.
pub fn find_folder(dir: &Dir, path: &str) -> Result<Option<Dir>, ReadFault> {
    match beneath::open_folder(dir, path.split('/')) {
        Ok(folder) => Ok(Some(folder)),
        Err(Blocked::Io(error)) if is_absent(&error) => Ok(None),
        Err(Blocked::Io(error)) => Err(error.into()),
        Err(Blocked::Link) => Err(ReadFault::OnTheWay("a symbolic link")),
        Err(Blocked::NotAFolder) => Err(ReadFault::OnTheWay("something else")),
    }
}

impl Workspace {
    /// Opens an existing folder; `None` if there is none. No component may be a link.
    ///
    /// # Errors
    /// When a component is a link or a file, or it cannot be opened.
    pub fn find_folder(&self, path: &RepoPath) -> Result<Option<Dir>, WorkspaceError> {
        match beneath::open_folder(self.dir(), path.components()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(blocked) => Err(blocked.at(path)),
        }
    }
}

/// The lines of a journal, one at a time. Of a line that is too long, at most its limit is kept in memory.
pub struct Lines<R> {
    reader: BufReader<R>,
    limit: usize,
    read: u64,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// With a line break.
    Whole,
    /// With a line break, beyond the limit: the line is dropped.
    TooLong,
    /// At the end of the file: it is being written, or was cut short by a kill.
    Cut,
}

impl<R: Read> Lines<R> {
    /// Reads lines from the reader's position; `limit` is the bytes of each.
    pub fn new(reader: R, limit: usize) -> Self {
        Self { reader: BufReader::new(reader), limit, read: 0 }
    }

    /// Replaces `line` with the next line, without its break; `None` at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next_into(&mut self, line: &mut Vec<u8>) -> io::Result<Option<LineEnd>> {
        line.clear();
        // One more, for the break.
        let mut length = Read::by_ref(&mut self.reader).take(self.limit as u64 + 1).read_until(b'\n', line)?;
        let mut is_whole = line.pop_if(|last| *last == b'\n').is_some();
        let is_long = !is_whole && line.len() > self.limit;
        if is_long {
            line.clear();
            // The rest may be the break alone.
            let rest = self.reader.skip_until(b'\n')?;
            is_whole = rest > 0;
            length += rest;
        }
        if is_whole {
            self.read += length as u64;
        }
        Ok(match (length, is_whole) {
            (0, _) => None,
            (_, false) => Some(LineEnd::Cut),
            (_, true) if is_long => Some(LineEnd::TooLong),
            (_, true) => Some(LineEnd::Whole),
        })
    }

    /// Bytes of the complete lines read so far, with their breaks.
    pub fn read(&self) -> u64 {
        self.read
    }
}

/// A file in place of a parent folder also means that nothing is there.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The kind of a directory entry, for people.
fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    if kind.is_symlink() {
        return "a symbolic link";
    }
    #[cfg(unix)]
    {
        use cap_std::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    "something else"
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    fn fault(dir: &Dir, name: &str) -> String {
        read_bounded(dir, name, 4).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let fixture = Fixture::new("//- /a/b.txt\n12\n//- /five.txt\n1234\n");
        let dir = fixture.dir();
        assert_eq!(read_bounded(&dir, "a/b.txt", 4).unwrap().unwrap(), b"12\n");
        assert!(matches!(read_bounded(&dir, "five.txt", 4), Err(ReadFault::TooLarge { bytes: 5, limit: 4 })));
        for absent in ["c.txt", "a/c.txt", "c/b.txt", "five.txt/b.txt"] {
            assert!(!matches!(read_bounded(&dir, absent, 4), Ok(Some(_))), "{absent}");
        }
        assert!(fault(&dir, "a").starts_with("a folder stands here"));
        assert!(read_to_limit(io::repeat(0), 0, 4).is_err(), "what grows without end");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_a_regular_file_in_its_place_is_opened() {
        let fixture = Fixture::new("//- /a/b.txt\n12\n");
        let dir = fixture.dir();
        fixture.link("a/b.txt", "link");
        fixture.link("a", "folder");
        let pipe = rustix::fs::CWD;
        let path = fixture.root().join("pipe");
        rustix::fs::mknodat(pipe, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(fixture.root().join("socket")).unwrap();
        assert!(fault(&dir, "link").starts_with("a symbolic link stands here"));
        assert!(fault(&dir, "folder/b.txt").contains("symbolic link"));
        assert!(fault(&dir, "pipe").starts_with("a named pipe stands here"));
        assert!(fault(&dir, "socket").starts_with("a socket stands here"));
    }

    #[test]
    fn of_a_line_that_is_too_long_no_more_than_its_limit_is_held() {
        let text = [b"1\n".as_slice(), &[b'x'; 100_000], b"\n\n22\n3"].concat();
        let mut lines = Lines::new(text.as_slice(), 2);
        let mut line = Vec::new();
        let mut told = Vec::new();
        while let Some(end) = lines.next_into(&mut line).unwrap() {
            assert!(line.capacity() < 1000);
            told.push((end, String::from_utf8(line.clone()).unwrap()));
        }
        let whole = |text: &str| (LineEnd::Whole, text.to_owned());
        let expected =
            [whole("1"), (LineEnd::TooLong, String::new()), whole(""), whole("22"), (LineEnd::Cut, "3".into())];
        assert_eq!(told, expected);
        assert_eq!(lines.read(), text.len() as u64 - 1);
    }
}
