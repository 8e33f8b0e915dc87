//! Settings files and the environment: the only place where this room looks at either.
//!
//! Whatever is opened here is a regular file, opened without waiting, and has a limit.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use etcetera::BaseStrategy;

use super::sources::{TomlFile, USER_FILE, UserFile};
use crate::contracts::Position;

/// Bytes that a settings file may have.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The user's file, where there is one that can be read.
pub fn user_file() -> Option<UserFile> {
    let path = user_config_file()?;
    let text = text_of(open(&path)).ok()??;
    let folder = folder_of(&path);
    Some(UserFile { file: TomlFile { name: path.display().to_string(), text }, folder })
}

pub(super) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where the user's file stands or would stand: `$XDG_CONFIG_HOME/baton/config.toml`, else below `~/.config`.
pub fn user_config_file() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join(USER_FILE))
}

/// The folder of the user's own files beside the configuration, such as prompts: `$XDG_CONFIG_HOME/baton`, else below
/// `~/.config`; `None` without a home.
pub fn user_folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("baton"))
}

/// The folder of what is kept for the user between runs, such as the key: `$XDG_STATE_HOME/baton`, else below
/// `~/.local/state`; `None` without a home.
pub fn state_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.state_dir()?.join("baton"))
}

/// The folder of what can be made again at any time: `$XDG_CACHE_HOME/baton`, else below `~/.cache`; `None` without a home.
pub fn cache_folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("baton"))
}

/// The folder for what need not stay.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// The real path of the user's home; `None` where there is none.
pub fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()?.canonicalize().ok()
}

/// The variables of this process that begin with `BATON_`.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("BATON_"))
        .collect()
}

/// A variable of this process. Invalid Unicode is replaced, so that the variable still counts as set.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The text of a small file of the user's that an address or a setting of theirs names; `None` where there is none.
///
/// # Errors
/// When it is no regular file, has more than 1 MiB, is not UTF-8, or cannot be read.
pub fn read_named_file(path: &Path) -> io::Result<Option<String>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(Some(text))
}

/// Whether `PATH` leads to a program of this name. Where a name gets an ending, as on Windows, it is looked for with the usual
/// ones too.
pub fn has_program(name: &str) -> bool {
    let names: Vec<String> = match cfg!(windows) {
        true => ["", ".exe", ".cmd", ".bat"].iter().map(|ending| format!("{name}{ending}")).collect(),
        false => vec![name.to_owned()],
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| names.iter().any(|name| is_program(&folder.join(name))))
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    let is_executable = |metadata: &std::fs::Metadata| {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o111 != 0
    };
    #[cfg(not(unix))]
    let is_executable = |_: &std::fs::Metadata| true;
    path.is_absolute() && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && is_executable(&metadata))
}

/// A file of the workspace, opened beneath the folder's handle; links are refused.
pub(super) fn open_beneath(root: &Path, name: &str) -> io::Result<Option<Box<dyn Read>>> {
    // A folder that cannot be opened is the engine's to report, not a fault of the settings.
    let Ok(dir) = Dir::open_ambient_dir(root, ambient_authority()) else { return Ok(None) };
    match dir.symlink_metadata(name) {
        Ok(metadata) if metadata.is_symlink() => {
            Err(io::Error::other("it is a link, and the settings of a workspace are a file of its own"))
        }
        Ok(metadata) if metadata.is_file() => {
            // It may have been replaced by a pipe in between; opening that must not block.
            let mut options = OpenOptions::new();
            options.read(true).follow(FollowSymlinks::No).nonblock(true);
            Ok(Some(Box::new(dir.open_with(name, &options)?)))
        }
        found => not_a_file(found.map(|_| ())),
    }
}

/// A regular file at a path that the user chose; links are followed.
pub(super) fn open(path: &Path) -> io::Result<Option<Box<dyn Read>>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let mut options = OpenOptions::new();
            options.read(true).nonblock(true);
            Ok(Some(Box::new(cap_std::fs::File::open_ambient_with(path, &options, ambient_authority())?)))
        }
        found => not_a_file(found.map(|_| ())),
    }
}

/// What is not a regular file: `None` where there is nothing, else an error. Reading a pipe might never end.
fn not_a_file(found: io::Result<()>) -> io::Result<Option<Box<dyn Read>>> {
    match found {
        Ok(()) => Err(io::Error::other("it is not a regular file")),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of a file, or what is wrong with it and where.
pub(super) fn text_of(opened: io::Result<Option<Box<dyn Read>>>) -> Result<Option<String>, (Option<Position>, String)> {
    let unreadable = |error: io::Error| (None, format!("the settings cannot be read: {error}"));
    let Some(file) = opened.map_err(unreadable)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err((None, "the file is larger than 1 MiB; settings are not".to_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let position = Position::of(&before, before.len());
        (Some(position), "this is not UTF-8; save the file as UTF-8".to_owned())
    })
}
