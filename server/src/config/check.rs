//! A check: one of the project's own build, test or lint commands.

use serde::{Deserialize, Serialize};

use crate::contracts::{FileGlob, RepoPath};

/// Seconds a check may take when it does not say.
pub(super) const TIMEOUT_S: u64 = 600;

/// One of the user's own checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name: one line, safe to show, at most 64 bytes; no other check has it in any case.
    pub name: String,
    /// A shell command, run in the workspace root.
    pub command: String,
    /// Seconds it may take.
    pub timeout_s: u64,
    /// Whether it may use the network.
    pub network: bool,
    /// Whether implementers may run it on their edits before these are published.
    pub r#try: bool,
    /// Whether it may read secret files.
    pub secrets: bool,
    /// Globs of which a changed file must match one for it to run; empty: it always runs.
    pub paths: Vec<String>,
    /// Where it was set: whose word it is that it may run.
    pub origin: CheckOrigin,
}

/// Where a check was set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckOrigin {
    /// The workspace's file: it runs once a person trusts it.
    #[default]
    Workspace,
    /// The editor's settings, merged with the workspace's own: likewise.
    Editor,
    /// The user's own file: it is trusted.
    User,
}

impl Check {
    /// A check of the workspace's file that says nothing but its name and its command.
    pub fn of_workspace(name: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            command: command.into(),
            timeout_s: TIMEOUT_S,
            network: false,
            r#try: true,
            secrets: false,
            paths: Vec::new(),
            origin: CheckOrigin::Workspace,
        }
    }

    /// Whether it runs after these files changed: it has no `paths`, or one of them matches. A glob without a slash is
    /// compared with the file's name, wherever the file is.
    pub fn is_due<'a>(&self, changed: impl IntoIterator<Item = &'a RepoPath>) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        // Settings with a faulty glob are refused.
        let globs: Vec<(bool, FileGlob)> =
            self.paths.iter().filter_map(|glob| Some((!glob.contains('/'), FileGlob::parse(glob).ok()?))).collect();
        changed.into_iter().any(|path| {
            globs.iter().any(|(by_name, glob)| glob.is_match(if *by_name { path.file_name() } else { path.as_str() }))
        })
    }

    /// Its name as the name of a file, without an ending: no two checks have the same one, whether the file system tells
    /// case apart or not.
    pub fn file_name(&self) -> String {
        let mut name = String::new();
        for byte in self.name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                other => name.push_str(&format!("%{other:02x}")),
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_due(paths: &[&str], changed: &[&str]) -> bool {
        let check = Check {
            paths: paths.iter().map(|glob| (*glob).to_owned()).collect(),
            ..Check::of_workspace("test", "cargo test")
        };
        let changed: Vec<RepoPath> = changed.iter().map(|path| RepoPath::parse(path).unwrap()).collect();
        check.is_due(&changed)
    }

    #[test]
    fn a_check_with_paths_runs_when_a_changed_file_matches_one() {
        assert!(is_due(&[], &[]), "without paths it always runs");
        assert!(is_due(&["*.rs"], &["deep/in/a.rs"]), "a name is compared wherever the file is");
        assert!(is_due(&["docs/**", "web/*.ts"], &["README.md", "web/a.ts"]));
        assert!(!is_due(&["web/*.ts"], &["web/deep/a.ts", "a.ts"]), "* matches no slash");
        assert!(!is_due(&["*.rs"], &[]));
    }

    #[test]
    fn a_name_is_a_file_name_of_its_own() {
        let name = |name: &str| Check::of_workspace(name, "true").file_name();
        assert_eq!(name("unit-tests_2"), "unit-tests_2");
        assert_eq!(name("lint: a/b"), "lint%3a%20a%2fb");
        assert_eq!(name(".."), "%2e%2e");
        assert_eq!(name("a%20b"), "a%2520b");
        assert!(name(&"é".repeat(32)).len() < 200);
    }
}
