//! Logins in configurations of git: in the address of a remote, in a header, as a password. A check needs the rest of such
//! a file, so that it is shown without them.
//!
//! Source: git-config(1), git-fetch(1) "GIT URLS", gitrepository-layout(5).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{read, read_up_to};

/// The largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;
/// Folders that are looked at for configurations of submodules, in each repository.
const MAX_FOLDERS: usize = 5_000;
/// Settings that are logins themselves, by the ends of their names in small letters.
const LOGINS: [&str; 6] = ["extraheader", "password", "pass", "token", "secret", "apikey"];

/// A file that is shown without what is secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace::sandbox) struct Masked {
    /// Its real path.
    pub(in crate::workspace::sandbox) path: PathBuf,
    /// What is shown.
    pub(in crate::workspace::sandbox) content: String,
    /// What is not.
    pub(super) values: Vec<String>,
    /// Whether all of it was read.
    pub(super) is_whole: bool,
}

/// What leads to configurations of git.
#[derive(Debug, Default)]
pub(super) struct GitFolders {
    /// Each `.git`, a folder or a file that names one.
    found: BTreeSet<PathBuf>,
    configs: BTreeSet<PathBuf>,
}

impl GitFolders {
    pub(super) fn add(&mut self, git: &Path) {
        self.found.insert(git.to_owned());
    }

    pub(super) fn add_config(&mut self, config: &Path) {
        self.configs.insert(config.to_owned());
    }
}

/// The configurations of these repositories, of their linked working trees and of their submodules, by their real paths.
pub(super) fn config_files(git: &GitFolders) -> BTreeSet<PathBuf> {
    let mut configs = git.configs.clone();
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for found in &git.found {
        let Some(folder) = folder_of(found) else { continue };
        let shared = named_in(&folder.join("commondir"), "");
        folders.extend(shared.map(|shared| folder.join(shared)));
        folders.insert(folder);
    }
    for folder in folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect::<BTreeSet<_>>() {
        let mut todo = vec![folder.join("modules"), folder.join("worktrees")];
        add_configs(&folder, &mut configs);
        let mut left = MAX_FOLDERS;
        while let Some(inner) = todo.pop() {
            let Ok(entries) = fs::read_dir(&inner) else { continue };
            // The name of a submodule may hold slashes, so that its folder lies deeper.
            let named = entries.flatten().filter(|entry| {
                let name = entry.file_name();
                entry.file_type().is_ok_and(|kind| kind.is_dir())
                    && !["objects", "refs", "logs", "hooks", "info", "lfs"].iter().any(|other| name == *other)
            });
            for entry in named {
                left = left.saturating_sub(1);
                add_configs(&entry.path(), &mut configs);
                if left > 0 {
                    todo.push(entry.path());
                }
            }
        }
    }
    configs.iter().filter_map(|config| config.canonicalize().ok()).collect()
}

fn add_configs(folder: &Path, configs: &mut BTreeSet<PathBuf>) {
    configs.extend(["config", "config.worktree"].map(|name| folder.join(name)));
}

/// The folder that a `.git` is, or names.
fn folder_of(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    Some(git.parent()?.join(named_in(git, "gitdir:")?))
}

fn named_in(file: &Path, word: &str) -> Option<PathBuf> {
    let bytes = read(&file.canonicalize().ok()?)?;
    let text = String::from_utf8_lossy(&bytes);
    let name = text.lines().next()?.strip_prefix(word)?.trim().to_owned();
    (!name.is_empty()).then(|| PathBuf::from(name))
}

/// A configuration without its logins; `None` if it has none, or is no file.
pub(super) fn masked(config: &Path) -> Option<Masked> {
    let path = config.to_owned();
    if fs::metadata(config).ok()?.len() > MAX_CONFIG {
        return Some(Masked { path, content: String::new(), values: Vec::new(), is_whole: false });
    }
    let bytes = read_up_to(config, MAX_CONFIG)?;
    let (content, values) = without_logins(&String::from_utf8_lossy(&bytes))?;
    Some(Masked { path, content, values, is_whole: true })
}

/// A text without its logins, and these; `None` if there are none.
fn without_logins(text: &str) -> Option<(String, Vec<String>)> {
    let mut values = Vec::new();
    // A value goes on in the next line after a backslash.
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    let lines = joined.split_inclusive('\n').map(|line| {
        let line = without_value(line, &mut values).unwrap_or_else(|| line.to_owned());
        without_users(&line, &mut values)
    });
    let content: String = lines.collect();
    (!values.is_empty()).then_some((content, values))
}

/// A line with a setting that is a login, without its value; an empty one counts as none.
fn without_value(line: &str, values: &mut Vec<String>) -> Option<String> {
    let (name, value) = line.split_once('=')?;
    // A setting may stand behind the header of its section.
    let setting = name.rsplit(']').next().unwrap_or(name).trim().to_ascii_lowercase();
    let value = value.trim().trim_matches('"');
    if value.is_empty() || !LOGINS.iter().any(|login| setting.ends_with(login)) {
        return None;
    }
    // `AUTHORIZATION: basic x`
    values.extend(value.split_whitespace().last().map(str::to_owned));
    values.push(value.to_owned());
    Some(format!("{name}=\n"))
}

/// A line with its addresses without names and passwords of users. Of SSH only the password is one: its name says how to log in.
fn without_users(line: &str, values: &mut Vec<String>) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        kept.push_str(before);
        let host = after.find(|c: char| c.is_whitespace() || "/\"'?#<>".contains(c)).unwrap_or(after.len());
        rest = after;
        if let Some(end) = after[..host].rfind('@') {
            let user = &after[..end];
            let is_ssh = before[..at].to_ascii_lowercase().ends_with("ssh");
            match user.split_once(':') {
                Some((name, password)) => {
                    values.push(password.to_owned());
                    if is_ssh {
                        kept.push_str(&format!("{name}@"));
                    }
                    rest = &after[end + 1..];
                }
                None if !is_ssh => {
                    values.push(user.to_owned());
                    rest = &after[end + 1..];
                }
                None => {}
            }
        }
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_taken_out_and_the_rest_stays() {
        let text = "[remote \"o\"]\n\turl = https://me:s3cret-token@example.com/a.git\n\tpushurl = ssh://git@example.com/a\n\
                    [url \"https://ghp_token@example.com/\"]\n\tinsteadOf = \"gh:\"\n[http \"https://example.com/\"]\n\
                    \textraHeader = AUTHORIZATION: basic abc123==\n[a]\n\turl = ssh://me:pass-word@host:22/x\n\
                    \turl = https://one:t\\\nwo@host/\n[sendemail] smtpPass = \"hidden\"\n\turl = git@host:a.git\n";
        let (shown, values) = without_logins(text).unwrap();
        let expected = "[remote \"o\"]\n\turl = https://example.com/a.git\n\tpushurl = ssh://git@example.com/a\n\
                        [url \"https://example.com/\"]\n\tinsteadOf = \"gh:\"\n[http \"https://example.com/\"]\n\
                        \textraHeader =\n[a]\n\turl = ssh://me@host:22/x\n\turl = https://host/\n\
                        [sendemail] smtpPass =\n\turl = git@host:a.git\n";
        assert_eq!(shown, expected);
        for value in ["s3cret-token", "ghp_token", "abc123==", "pass-word", "two", "hidden"] {
            assert!(values.iter().any(|other| other == value), "{value}: {values:?}");
        }
        assert_eq!(without_logins("[core]\n\tbare = false\n[remote \"o\"]\n\turl = https://host/a@b\n"), None);
    }

    #[test]
    fn configurations_of_all_parts_of_a_repository_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for path in [
            "main/.git/config",
            "main/.git/modules/lib/deep/config",
            "main/.git/worktrees/two/config.worktree",
            "main/.git/objects/config",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "x").unwrap();
        }
        fs::create_dir(root.join("two")).unwrap();
        fs::write(root.join("two/.git"), format!("gitdir: {}/main/.git/worktrees/two\n", root.display())).unwrap();
        fs::write(root.join("main/.git/worktrees/two/commondir"), "../..\n").unwrap();
        let mut git = GitFolders::default();
        git.add(&root.join("two/.git"));
        let configs = config_files(&git);
        let names: Vec<_> = configs.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["main/.git/config", "main/.git/modules/lib/deep/config", "main/.git/worktrees/two/config.worktree"]
        );
    }
}
