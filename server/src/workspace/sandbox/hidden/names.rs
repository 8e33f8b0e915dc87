//! Paths below the root of a search, and whether they are those of secrets.

use std::ffi::OsStr;

use crate::contracts::RepoPath;
use crate::workspace::protect::is_secret;

pub(super) fn join(below: &str, name: &OsStr) -> String {
    let name = name.to_string_lossy();
    if below.is_empty() { name.into_owned() } else { format!("{below}/{name}") }
}

/// Whether a path is that of a secret. One that no plan could name is judged by what can be read of it.
pub(super) fn is_secret_name(relative: &str) -> bool {
    RepoPath::parse(relative).or_else(|_| RepoPath::parse(&readable(relative))).is_ok_and(|path| is_secret(&path))
}

fn readable(relative: &str) -> String {
    let names = relative.split('/').map(|name| {
        let name: String = name.chars().filter(|c| c.is_alphanumeric() || "._-~#".contains(*c)).collect();
        let name = name.trim_end_matches('.');
        if name.is_empty() { "_".to_owned() } else { name.to_owned() }
    });
    names.collect::<Vec<String>>().join("/")
}
