//! Sockets and FIFOs of programs outside: neither a read-only mount nor a network of one's own keeps a check from them.
//!
//! Read before there is any namespace. The kernel lists the sockets of a network namespace, and the FIFOs that this
//! user's processes hold open are among their descriptors; what nobody holds open is looked for where services keep it.
//! Below an overlay none of them answers, and abstract ones are gone with the network.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where services keep their sockets and FIFOs, besides `/run` and `/tmp`, which a check has of its own.
const PLACES: &[&str] = &["/var/lib", "/var/spool", "/var/opt", "/srv", "/opt", "/etc"];
/// Folders that are visited there.
const MAX_FOLDERS: usize = 2_000;
/// How deep.
const MAX_DEPTH: usize = 4;
/// Bytes that are read of a list of the kernel.
const MAX_LIST: u64 = 8 << 20;

/// The real paths of the sockets that the kernel lists at this moment, sorted: those of this network, in no time.
pub(super) fn listed_sockets() -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    add_listed(Path::new("/proc/net/unix"), &mut found);
    found.into_iter().collect()
}

/// The real paths of all sockets and FIFOs that can be found, sorted. It looks at every process.
pub(super) fn sockets() -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    add_listed(Path::new("/proc/net/unix"), &mut found);
    let mut networks: HashSet<PathBuf> = fs::read_link("/proc/self/ns/net").into_iter().collect();
    for process in processes() {
        // A container's sockets may stand in a folder of ours, and only its own list names them.
        if let Ok(network) = fs::read_link(process.join("ns/net"))
            && networks.insert(network)
        {
            add_listed(&process.join("net/unix"), &mut found);
        }
        add_open_fifos(&process, &mut found);
    }
    let mut left = MAX_FOLDERS;
    for place in PLACES {
        add_below(Path::new(place), MAX_DEPTH, &mut left, &mut found);
    }
    found.into_iter().collect()
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
    entries.filter(numbered).map(|entry| entry.path())
}

fn add_listed(list: &Path, found: &mut BTreeSet<PathBuf>) {
    let mut text = Vec::new();
    let Ok(file) = fs::File::open(list) else { return };
    if file.take(MAX_LIST).read_to_end(&mut text).is_err() {
        return;
    }
    found.extend(listed(&text).iter().filter_map(|path| real_special(path)));
}

/// The paths in a list of the kernel: seven fields, then the path, which may hold anything but NUL. See unix(7).
fn listed(list: &[u8]) -> Vec<PathBuf> {
    let list = String::from_utf8_lossy(list);
    let mut paths: Vec<String> = Vec::new();
    let mut is_path_open = false;
    for line in list.lines().skip(1) {
        match path_field(line) {
            Some(path) => {
                // `@` begins the name of an abstract socket, and a relative path is anybody's guess.
                is_path_open = path.starts_with('/');
                if is_path_open {
                    paths.push(path.to_owned());
                }
            }
            // The rest of a path with a line end in it.
            None if is_path_open => {
                if let Some(last) = paths.last_mut() {
                    last.push('\n');
                    last.push_str(line);
                }
            }
            None => {}
        }
    }
    paths.into_iter().map(PathBuf::from).collect()
}

/// The path of a line, empty if the socket has none; `None` if this is no line of a socket.
fn path_field(line: &str) -> Option<&str> {
    let (address, mut rest) = line.split_once(": ")?;
    if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    // Reference count, protocol, flags, type, state, inode.
    for _ in 0..6 {
        rest = rest.trim_start_matches(' ');
        rest = rest.find(' ').map_or("", |end| &rest[end..]);
    }
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

fn add_open_fifos(process: &Path, found: &mut BTreeSet<PathBuf>) {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    for descriptor in descriptors {
        if let Ok(path) = fs::read_link(descriptor.path())
            && path.is_absolute()
        {
            found.extend(real_special(&path).filter(|path| is_fifo(path)));
        }
    }
}

fn add_below(folder: &Path, depth: usize, left: &mut usize, found: &mut BTreeSet<PathBuf>) {
    if depth == 0 || *left == 0 {
        return;
    }
    *left -= 1;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => add_below(&entry.path(), depth - 1, left, found),
            Ok(kind) if kind.is_socket() || kind.is_fifo() => found.extend(real_special(&entry.path())),
            _ => {}
        }
    }
}

/// The real path of a socket or a FIFO; `None` where nothing of the kind stands there, as in another container.
fn real_special(path: &Path) -> Option<PathBuf> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    (kind.is_socket() || kind.is_fifo()).then(|| path.canonicalize().ok()).flatten()
}

fn is_fifo(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo() && metadata.nlink() > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_list_of_the_kernel_is_read() {
        let list = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01   123 /run/a service.sock\n\
            ffff888100000000: 00000002 00000000 00010000 0001 01 12345\n\
            0000000000000000: 00000002 00000000 00010000 0001 01   124 @abstract\n\
            not of this path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01   125 relative.sock\n\
            0000000000000000: 00000002 00000000 00010000 0005 01 99999 /var/odd\n\
            name: x\n\
            0000000000000000: 00000002 00000000 00010000 0001 01   126 /last";
        let paths = listed(list);
        assert_eq!(paths, ["/run/a service.sock", "/var/odd\nname: x", "/last"].map(PathBuf::from));
        assert!(listed(b"").is_empty());
    }

    #[test]
    fn a_socket_and_a_fifo_of_a_running_program_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a real path");
        let socket = root.join("a service.sock");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        let fifo = root.join("commands");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
        let _open = fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("both ends of it");
        let found = sockets();
        assert!(found.contains(&socket) && found.contains(&fifo), "{found:?}");
        std::fs::remove_file(&socket).expect("removed");
        assert!(!sockets().contains(&socket), "there is nothing left to cover");
    }
}
