//! What is said over the control socket: frames of a length and that many bytes, most of them JSON.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// No frame is longer: a file of the workspace, or a list of paths.
const MAX_FRAME: usize = 256 << 20;

/// The room to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) struct Setup {
    /// The workspace's real path.
    pub(in crate::workspace::sandbox) root: OsString,
    /// How the workspace is laid out in the room.
    pub(in crate::workspace::sandbox) tree: Tree,
    /// The user's home, if there is one that can be laid over.
    pub(in crate::workspace::sandbox) home: Option<OsString>,
    /// Other folders that tools write to, outside both: read-only where nothing can be laid over them.
    pub(in crate::workspace::sandbox) more: Vec<OsString>,
    /// A folder on disk for what is written; `None`: memory.
    pub(in crate::workspace::sandbox) scratch: Option<OsString>,
    /// Folders that are empty in the room.
    pub(in crate::workspace::sandbox) covered: Vec<OsString>,
    /// What is to be seen all the same beneath them.
    pub(in crate::workspace::sandbox) kept: Vec<OsString>,
    /// Files, folders and sockets that are absent in the room.
    pub(in crate::workspace::sandbox) hidden: Vec<OsString>,
    /// Files that are shown with another content.
    pub(in crate::workspace::sandbox) masked: Vec<(OsString, String)>,
    /// Folders of the workspace that are the real ones.
    pub(in crate::workspace::sandbox) through: Vec<String>,
    /// Parts of these that are copied on write.
    pub(in crate::workspace::sandbox) parts: Vec<OsString>,
    /// The edits; the content of each that is no deletion follows as a frame.
    pub(in crate::workspace::sandbox) edits: Vec<Edit>,
    /// Whether the room has the host's network.
    pub(in crate::workspace::sandbox) network: bool,
    /// Whether baton maps all users from outside: it is root.
    pub(in crate::workspace::sandbox) map_outside: bool,
    /// Whether root may write files of others in the room.
    pub(in crate::workspace::sandbox) foreign_files: bool,
    /// The size of all that is written in memory, in bytes.
    pub(in crate::workspace::sandbox) memory: u64,
    /// Whether the layers are tried out first.
    pub(in crate::workspace::sandbox) probe: bool,
    /// Whether changes are looked for once the command has ended.
    pub(in crate::workspace::sandbox) collect: bool,
    /// The command.
    pub(in crate::workspace::sandbox) inside: Inside,
}

/// How the workspace is laid out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) enum Tree {
    /// An overlay: copied on write.
    Overlay,
    /// A copy of it in this folder.
    Copy(OsString),
    /// An overlay like all else, made by this program, which is bwrap.
    Bwrap(OsString),
    /// No room at all: the real one, and Landlock refuses to write anything but these.
    Confined(Vec<OsString>),
}

/// What runs in the room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) struct Inside {
    pub(in crate::workspace::sandbox) command: String,
    /// The whole environment.
    pub(in crate::workspace::sandbox) environment: Vec<(OsString, OsString)>,
    pub(in crate::workspace::sandbox) root: OsString,
    pub(in crate::workspace::sandbox) foreign_files: bool,
    /// The largest process id outside.
    pub(in crate::workspace::sandbox) pid_max: Option<u64>,
}

/// One edit to lay over the tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) struct Edit {
    pub(in crate::workspace::sandbox) path: String,
    pub(in crate::workspace::sandbox) deleted: bool,
    pub(in crate::workspace::sandbox) mode: Option<u32>,
}

/// What the room says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) enum Report {
    /// Its namespaces exist; users are to be mapped.
    Unshared,
    /// A step failed, and nothing ran.
    Failed(Fault),
    /// System calls are not filtered, for this reason.
    Unfiltered(String),
    /// The command runs.
    Started,
    /// The command has ended, and all else in the room.
    Ended {
        /// Its exit code, or
        code: Option<i32>,
        /// the signal that ended it.
        signal: Option<i32>,
        /// How long it ran, where its parent saw its end.
        elapsed: Option<Duration>,
    },
    /// What was changed in the workspace.
    Changes(Changes),
    /// A file that was changed; its content follows as a frame.
    File {
        /// Its path.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// Nothing more comes.
    Done,
}

/// What baton answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) enum Answer {
    /// Whether the users are mapped.
    Mapped(bool),
    /// The changed files whose content is wanted.
    Wanted(Vec<String>),
}

/// What is different in the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) struct Changes {
    /// Regular files that were written or made.
    pub(in crate::workspace::sandbox) written: Vec<String>,
    /// Files and folders that are gone, unless they are among the written.
    pub(in crate::workspace::sandbox) gone: Vec<String>,
    /// What is no regular file any more, but a link, a folder or something special; a folder made anew is also `gone`.
    pub(in crate::workspace::sandbox) replaced: Vec<String>,
}

/// A step that failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::workspace::sandbox) struct Fault {
    /// The step.
    pub(in crate::workspace::sandbox) step: String,
    /// The system's reason.
    pub(in crate::workspace::sandbox) reason: String,
    /// The system's number of it.
    pub(in crate::workspace::sandbox) errno: Option<i32>,
    /// Whether this machine refuses it whatever the workspace holds.
    pub(in crate::workspace::sandbox) is_of_machine: bool,
}

/// The steps that fail where no overlay can be made.
pub(super) const TRY_OVERLAYS: &str = "try out overlays";
pub(super) const LAY_HOME: &str = "lay an overlay over the home folder";
pub(super) const LAY_PART: &str = "lay an overlay over a part of a folder that git ignores";
pub(super) const LAY_ROOT: &str = "lay an overlay over the workspace";

impl Fault {
    /// Whether all else could be done, so that a copy of the workspace may do.
    pub(in crate::workspace::sandbox) fn is_of_overlays(&self) -> bool {
        [TRY_OVERLAYS, LAY_HOME, LAY_ROOT].contains(&self.step.as_str())
    }
}

/// Names the step of an error.
pub(in crate::workspace::sandbox) fn step<T>(name: &str, done: io::Result<T>) -> Result<T, Fault> {
    done.map_err(|error| Fault {
        step: name.to_owned(),
        reason: error.to_string(),
        errno: error.raw_os_error(),
        is_of_machine: false,
    })
}

/// [`step`] for one that no file of the workspace can make fail.
pub(in crate::workspace::sandbox) fn machine_step<T>(name: &str, done: io::Result<T>) -> Result<T, Fault> {
    step(name, done).map_err(|fault| Fault { is_of_machine: true, ..fault })
}

/// [`machine_step`] for mounts: where there is no more room for one, that may be because of what the workspace holds.
pub(in crate::workspace::sandbox) fn mount_step<T>(name: &str, done: io::Result<T>) -> Result<T, Fault> {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::OutOfMemory];
    if done.as_ref().is_err_and(|error| full.contains(&error.kind())) {
        step(name, done)
    } else {
        machine_step(name, done)
    }
}

pub(in crate::workspace::sandbox) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    send_bytes(to, &serde_json::to_vec(message)?)
}

pub(in crate::workspace::sandbox) fn send_bytes(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_ne_bytes())?;
    to.write_all(bytes)
}

pub(in crate::workspace::sandbox) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    Ok(serde_json::from_slice(&receive_bytes(from)?)?)
}

/// The content of each edit, empty where it deletes.
pub(in crate::workspace::sandbox) fn receive_contents(
    from: &mut impl Read,
    edits: &[Edit],
) -> io::Result<Vec<Vec<u8>>> {
    edits.iter().map(|edit| if edit.deleted { Ok(Vec::new()) } else { receive_bytes(from) }).collect()
}

pub(super) fn receive_bytes(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; frame_length(length)?];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// [`receive_bytes`] for a reader that does not block.
pub(in crate::workspace::sandbox) async fn read_frame(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
) -> io::Result<Vec<u8>> {
    use tokio::io::AsyncReadExt;
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let mut bytes = vec![0; frame_length(length)?];
    from.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn frame_length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_ne_bytes(bytes) as usize;
    if length > MAX_FRAME { Err(io::Error::other("a frame is too long")) } else { Ok(length) }
}
