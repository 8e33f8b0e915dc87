//! Writes that survive a power cut.

use std::io::{self, Read, Seek, SeekFrom, Write};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, File, OpenOptions};

use super::platform::{self, make_private, set_mode};

/// Replaces the file `name` with `bytes` atomically: a temporary file in the same folder, synced, renamed, the folder
/// synced. `mode` are its permission bits, whatever the umask.
///
/// # Errors
/// The system's error; the old file is then unchanged, and the temporary one removed where possible.
pub fn replace(dir: &Dir, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace_if(dir, name, bytes, mode, &|| Ok(true)).map(|_| ())
}

/// [`replace`], unless `still` says once the new file is written, which takes a while, that the old one is no longer what it
/// was: it then stays, and the answer is `false`. For files that people edit too.
///
/// # Errors
/// As [`replace`], and that of `still`.
pub fn replace_if(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    mode: u32,
    still: &dyn Fn() -> io::Result<bool>,
) -> io::Result<bool> {
    replace_prepared(dir, name, bytes, &|file| set_mode(file, mode), still)
}

/// [`replace_if`], where `prepare` sets the metadata of the new file.
pub(super) fn replace_prepared(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    prepare: &dyn Fn(&File) -> io::Result<()>,
    still: &dyn Fn() -> io::Result<bool>,
) -> io::Result<bool> {
    let place = |temp: &str| {
        let is_still = still()?;
        if is_still { dir.rename(temp, dir, name).map(|()| true) } else { dir.remove_file(temp).map(|()| false) }
    };
    put_in_place(dir, &|| write_temp(dir, bytes, prepare), &place)
}

/// Creates `name` with the metadata that the system gives new files: permission bits, group and access control list
/// come from the umask and the folder. What is there by then stays: [`io::ErrorKind::AlreadyExists`].
pub(super) fn create(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let write = || with_temp_name(|temp| write_file(dir, temp, OpenOptions::new(), bytes, &|_| Ok(())), dir);
    put_in_place(dir, &write, &|temp| platform::rename_new((dir, temp), (dir, name)))
}

/// [`create`], where `prepare` sets the metadata of the new file.
pub(super) fn create_prepared(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    prepare: &dyn Fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    put_in_place(dir, &|| write_temp(dir, bytes, prepare), &|temp| platform::rename_new((dir, temp), (dir, name)))
}

fn put_in_place<T>(
    dir: &Dir,
    write: &dyn Fn() -> io::Result<String>,
    place: &dyn Fn(&str) -> io::Result<T>,
) -> io::Result<T> {
    let mut swept = 0;
    loop {
        let temp = write()?;
        match place(&temp) {
            Ok(done) => return sync_folder(dir).map(|()| done),
            // A run that starts removes temporary files of others as leftovers.
            Err(error) if error.kind() == io::ErrorKind::NotFound && swept < 3 => swept += 1,
            Err(error) => {
                // The rename's error is the one to report; a leftover is removed at the next start.
                let _ = dir.remove_file(&temp);
                return Err(error);
            }
        }
    }
}

/// Writes a synced temporary file and returns its recognisable name.
fn write_temp(dir: &Dir, bytes: &[u8], prepare: &dyn Fn(&File) -> io::Result<()>) -> io::Result<String> {
    with_temp_name(|name| write_file(dir, name, private_options(), bytes, prepare), dir)
}

fn with_temp_name(write: impl Fn(&str) -> io::Result<()>, dir: &Dir) -> io::Result<String> {
    loop {
        let name = format!(".baton-{:016x}.tmp", fastrand::u64(..));
        match write(&name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                let _ = dir.remove_file(&name);
                return Err(error);
            }
        }
    }
}

/// Writes a new file and syncs it; the caller syncs the folder.
pub(super) fn write_new(dir: &Dir, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_file(dir, name, private_options(), bytes, &|file| set_mode(file, mode))
}

fn write_file(
    dir: &Dir,
    name: &str,
    mut options: OpenOptions,
    bytes: &[u8],
    prepare: &dyn Fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    options.write(true).create_new(true).follow(FollowSymlinks::No);
    let mut file = dir.open_with(name, &options)?;
    file.write_all(bytes)?;
    prepare(&file)?;
    file.sync_all()
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    make_private(&mut options);
    options
}

/// Writes or overwrites a private file without syncing: it may be lost in a power cut.
pub(super) fn write_unsynced(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).follow(FollowSymlinks::No).nonblock(true);
    make_private(&mut options);
    dir.open_with(name, &options)?.write_all(bytes)
}

/// Removes the temporary files that an interrupted [`replace`] left in a folder and returns their number.
///
/// # Errors
/// When the folder cannot be listed or a file not removed.
pub fn sweep(dir: &Dir) -> io::Result<usize> {
    let mut swept = 0;
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(is_temp_name) && entry.file_type()?.is_file() {
            dir.remove_file(&name)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Opens a journal for [`append_line`], created with permission bits 0600 if missing. A last line that was cut short by
/// a kill is ended, so that the next one stands by itself.
///
/// # Errors
/// The system's error; a link or anything but a file is refused.
pub fn open_append(dir: &Dir, name: &str) -> io::Result<File> {
    match dir.symlink_metadata(name) {
        Ok(metadata) if !metadata.is_file() => return Err(io::Error::other(format!("{name} is not a regular file"))),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).follow(FollowSymlinks::No).nonblock(true);
    make_private(&mut options);
    let mut file = dir.open_with(name, &options)?;
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    } else {
        sync_folder(dir)?;
    }
    Ok(file)
}

/// Appends a line and its end in one write, and syncs the data.
///
/// # Errors
/// What the system said.
pub fn append_line(file: &File, line: &str) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    let mut file = file;
    file.write_all(&bytes)?;
    file.sync_data()
}

/// Syncs a folder's entries, where the system can.
///
/// # Errors
/// What the system said.
pub fn sync_folder(dir: &Dir) -> io::Result<()> {
    platform::sync_folder(dir)
}

fn is_temp_name(name: &str) -> bool {
    name.strip_prefix(".baton-").and_then(|rest| rest.strip_suffix(".tmp")).is_some_and(|random| {
        random.len() == 16 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn replace_leaves_nothing_beside_the_file() {
        let fixture = Fixture::new("//- /a.txt\nold\n");
        let dir = fixture.dir();
        replace(&dir, "a.txt", b"new\n", 0o640).unwrap();
        assert_eq!(fixture.read("a.txt").unwrap(), b"new\n");
        assert_eq!(fixture.mode("a.txt"), 0o640);
        assert_eq!(fixture.names("."), ["a.txt"]);
    }

    #[test]
    fn a_failed_replace_keeps_the_old_and_cleans_up() {
        let fixture = Fixture::new("//- /a/inner.txt\nkept\n");
        assert!(replace(&fixture.dir(), "a", b"new", 0o644).is_err());
        assert_eq!(fixture.names("."), ["a"]);
        assert_eq!(fixture.read("a/inner.txt").unwrap(), b"kept\n");
    }

    #[test]
    fn a_replace_whose_temporary_file_is_swept_is_made_again() {
        let fixture = Fixture::new("//- /a.txt\nold\n");
        let dir = fixture.dir();
        let writes = std::cell::Cell::new(0);
        let swept = |times: u32| {
            writes.set(0);
            let still = || {
                writes.set(writes.get() + 1);
                if writes.get() <= times {
                    assert_eq!(sweep(&dir)?, 1);
                }
                Ok(true)
            };
            replace_if(&dir, "a.txt", b"new\n", 0o644, &still)
        };
        assert_eq!(swept(99).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!((writes.get(), fixture.read("a.txt").unwrap()), (4, b"old\n".to_vec()));
        swept(3).unwrap();
        assert_eq!(fixture.read("a.txt").unwrap(), b"new\n");
        assert_eq!(fixture.names("."), ["a.txt"]);
    }

    #[test]
    fn what_was_changed_while_the_new_file_was_written_stays() {
        let fixture = Fixture::new("//- /a.txt\nold\n");
        let dir = fixture.dir();
        let saved = || {
            fixture.write("a.txt", b"mine\n");
            Ok(false)
        };
        assert!(!replace_if(&dir, "a.txt", b"new\n", 0o644, &saved).unwrap());
        let unreadable = || Err(io::ErrorKind::PermissionDenied.into());
        assert!(replace_if(&dir, "a.txt", b"new\n", 0o644, &unreadable).is_err());
        assert_eq!(fixture.text("a.txt"), "mine\n");
        assert_eq!(fixture.names("."), ["a.txt"]);
    }

    #[test]
    fn a_new_file_takes_the_place_of_nothing() {
        let fixture = Fixture::new("//- /a.txt\nmine\n//- /b/c.txt\nmine\n");
        let dir = fixture.dir();
        for taken in ["a.txt", "b"] {
            assert_eq!(create(&dir, taken, b"new\n").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            let by_looking = platform::rename_if_free((&dir, "a.txt"), (&dir, taken));
            assert_eq!(by_looking.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fixture.text("a.txt"), "mine\n");
        create(&dir, "new.txt", b"new\n").unwrap();
        assert_eq!(fixture.text("new.txt"), "new\n");
        platform::rename_if_free((&dir, "new.txt"), (&dir, "newer.txt")).unwrap();
        assert_eq!(fixture.names("."), ["a.txt", "b", "newer.txt"]);
    }

    #[test]
    fn sweep_takes_only_our_own_leftovers() {
        let fixture = Fixture::new(
            "//- /.baton-0123456789abcdef.tmp\nx\n//- /.baton-notes.tmp\nx\n//- /.baton-0123456789ABCDEF.tmp\nx\n",
        );
        assert_eq!(sweep(&fixture.dir()).unwrap(), 1);
        assert_eq!(fixture.names("."), [".baton-0123456789ABCDEF.tmp", ".baton-notes.tmp"]);
    }

    #[test]
    fn a_line_cut_short_by_a_kill_does_not_swallow_the_next() {
        let fixture = Fixture::new("");
        let dir = fixture.dir();
        append_line(&open_append(&dir, "events.jsonl").unwrap(), "{\"seq\":1}").unwrap();
        fixture.write("events.jsonl", b"{\"seq\":1}\n{\"se");
        let file = open_append(&dir, "events.jsonl").unwrap();
        append_line(&file, "{\"seq\":2}").unwrap();
        append_line(&file, "{\"seq\":3}").unwrap();
        assert_eq!(fixture.read("events.jsonl").unwrap(), b"{\"seq\":1}\n{\"se\n{\"seq\":2}\n{\"seq\":3}\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_journal_is_private_and_never_a_link() {
        let fixture = Fixture::new("");
        append_line(&open_append(&fixture.dir(), "journal").unwrap(), "x").unwrap();
        assert_eq!(fixture.mode("journal"), 0o600);
        fixture.link("journal", "other");
        assert!(open_append(&fixture.dir(), "other").is_err());
    }
}
