//! A room in the words of bwrap's command line. Source: bwrap(1).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::super::room::Kept;
use super::layout::{Layer, Layout};

/// Namespaces of all kinds, no further ones inside, no rights, and an end together with who started it.
pub(super) const ALWAYS: [&str; 8] = [
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--as-pid-1",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
];

/// bwrap takes 9,000 arguments, and there are some besides these.
const MOST: usize = 8_900;

/// The arguments for a room, whose file systems in memory have a size in bytes together: bwrap mounts one for each folder.
///
/// # Errors
/// When there is more to mount than bwrap takes arguments for.
pub(super) fn arguments(layout: &Layout, root: &OsStr, memory: u64, network: bool) -> io::Result<Vec<OsString>> {
    let share = memory / (layout.covered.len() as u64 + 1);
    let mut made = Arguments(Vec::new());
    made.add(ALWAYS);
    if network {
        made.add(["--share-net"]);
    }
    made.add(["--ro-bind", "/", "/", "--dev", "/dev"]);
    made.memory(OsStr::new("/dev/shm"), share);
    made.add(["--proc", "/proc"]);
    for path in &layout.protected {
        made.add([OsStr::new("--ro-bind"), path.as_os_str(), path.as_os_str()]);
    }
    for folder in &layout.covered {
        made.memory(folder.as_os_str(), share);
    }
    for kept in &layout.kept {
        match kept {
            Kept::Link { at, to } => made.add([OsStr::new("--symlink"), to.as_os_str(), at.as_os_str()]),
            Kept::Bind { at, .. } => made.add([OsStr::new("--ro-bind"), at.as_os_str(), at.as_os_str()]),
        }
    }
    if let Some(folder) = &layout.read_only {
        made.add([OsStr::new("--ro-bind"), folder.as_os_str(), folder.as_os_str()]);
    }
    layout.layers.iter().for_each(|layer| made.overlay(layer));
    for folder in &layout.through {
        made.add([OsStr::new("--bind"), folder.as_os_str(), folder.as_os_str()]);
    }
    layout.parts.iter().for_each(|layer| made.overlay(layer));
    for (path, is_folder) in &layout.hidden {
        match is_folder {
            true => made.add([OsStr::new("--ro-bind"), layout.empty.as_os_str(), path.as_os_str()]),
            // A device that is bound without this cannot be opened.
            false => made.add([OsStr::new("--dev-bind"), OsStr::new("/dev/null"), path.as_os_str()]),
        }
    }
    for (from, at) in &layout.masked {
        made.add([OsStr::new("--bind"), from.as_os_str(), at.as_os_str()]);
    }
    made.add(["--remount-ro", "/dev"]);
    made.add([OsStr::new("--chdir"), root]);
    let Arguments(made) = made;
    if made.len() > MOST {
        let too_many = "there is more to mount than bwrap takes arguments for: too many files of secrets, or folders that \
                        git ignores";
        return Err(io::Error::other(too_many));
    }
    Ok(made)
}

/// As they are read from a descriptor: each ends with a NUL.
pub(super) fn with_ends(arguments: &[OsString]) -> Vec<u8> {
    arguments.iter().flat_map(|argument| [argument.as_bytes(), b"\0"].concat()).collect()
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn add<T: AsRef<OsStr>, const N: usize>(&mut self, words: [T; N]) {
        self.0.extend(words.iter().map(|word| word.as_ref().to_owned()));
    }

    fn overlay(&mut self, layer: &Layer) {
        self.add([OsStr::new("--overlay-src"), layer.lower.as_os_str()]);
        self.add([OsStr::new("--overlay"), layer.upper.as_os_str(), layer.work.as_os_str(), layer.over.as_os_str()]);
    }

    /// An empty file system in memory that everybody may write to.
    fn memory(&mut self, folder: &OsStr, bytes: u64) {
        self.add(["--perms", "1777", "--size", &bytes.to_string(), "--tmpfs"]);
        self.add([folder]);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn layout() -> Layout {
        let layer = |over: &str, number: usize| Layer {
            lower: over.into(),
            upper: format!("/cache/{number}/upper").into(),
            work: format!("/cache/{number}/work").into(),
            over: over.into(),
        };
        Layout {
            protected: vec!["/proc/sys".into()],
            covered: vec!["/tmp".into()],
            kept: vec![Kept::Link { at: "/run/a".into(), to: "b".into() }],
            read_only: None,
            layers: vec![layer("/home/a", 0), layer("/home/a/my work", 1)],
            through: vec!["/home/a/my work/target".into()],
            parts: vec![layer("/home/a/my work/target/repository", 2)],
            hidden: vec![("/home/a/.ssh".into(), true), ("/home/a/my work/.env".into(), false)],
            masked: vec![("/cache/masked-0".into(), "/home/a/.gitconfig".into())],
            empty: "/cache/empty".into(),
            written: Vec::new(),
        }
    }

    #[test]
    fn what_hides_comes_after_what_it_hides() {
        let made = arguments(&layout(), OsStr::new("/home/a/my work"), 8192, false).unwrap();
        let words: Vec<&str> = made.iter().map(|word| word.to_str().unwrap()).collect();
        let expected = [
            "--ro-bind / / --dev /dev --perms 1777 --size 4096 --tmpfs /dev/shm --proc /proc",
            "--ro-bind /proc/sys /proc/sys --perms 1777 --size 4096 --tmpfs /tmp --symlink b /run/a",
            "--overlay-src /home/a --overlay /cache/0/upper /cache/0/work /home/a",
            "--overlay-src /home/a/my work --overlay /cache/1/upper /cache/1/work /home/a/my work",
            "--bind /home/a/my work/target /home/a/my work/target",
            "--overlay-src /home/a/my work/target/repository",
            "--overlay /cache/2/upper /cache/2/work /home/a/my work/target/repository",
            "--ro-bind /cache/empty /home/a/.ssh --dev-bind /dev/null /home/a/my work/.env",
            "--bind /cache/masked-0 /home/a/.gitconfig",
            "--remount-ro /dev --chdir /home/a/my work",
        ];
        assert_eq!(words.join(" "), format!("{} {}", ALWAYS.join(" "), expected.join(" ")));
        let with_network = arguments(&layout(), OsStr::new("/"), 4096, true).unwrap();
        assert!(with_network.contains(&"--share-net".into()));
        assert_eq!(with_ends(&["a b".into(), "".into()]), b"a b\0\0");
    }

    #[test]
    fn more_than_bwrap_takes_is_refused() {
        let many = (0..3_000).map(|number| (PathBuf::from(format!("/home/a/{number}.pem")), false));
        let layout = Layout { hidden: many.collect(), ..layout() };
        assert!(arguments(&layout, OsStr::new("/"), 4096, false).is_err());
    }
}
