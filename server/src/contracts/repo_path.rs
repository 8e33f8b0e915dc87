use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A path inside the workspace, parsed once and then trusted: relative, forward slashes, no way out.
///
/// It promises nothing about the disk; links are the affair of whoever opens it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a text is no path inside the workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepoPathError {
    /// Nothing, or only `.`.
    #[error("the path is empty; name a file relative to the workspace root")]
    Empty,
    /// Starts at a root, a drive, a share or a home folder.
    #[error("{0:?} is not relative; name it from the workspace root, for example src/main.rs")]
    Absolute(String),
    /// Has a `..` in it.
    #[error("{0:?} leaves the workspace: \"..\" is not allowed")]
    Parent(String),
    /// Has a character no portable file name has.
    #[error("{0:?} holds {1:?}, which is not allowed in a file name")]
    Character(String, char),
    /// A component ends in a dot or a space, which Windows silently drops.
    #[error("{0:?} has a component that ends in a dot or a space")]
    Trailing(String),
    /// A name that is a device on Windows.
    #[error("{0:?} has a component that is a device name on Windows")]
    Device(String),
    /// Longer than any of the systems takes.
    #[error("the path is too long: at most 1024 bytes, 255 a component")]
    TooLong,
}

impl RepoPath {
    /// Parse a path as a person or a model may write it: back slashes and a leading `./` are taken as meant.
    ///
    /// # Errors
    /// When the path could name anything but a file beneath the root, on any of the systems a repository travels to.
    pub fn parse(text: &str) -> Result<Self, RepoPathError> {
        let shown = || text.chars().take(200).collect::<String>();
        let slashed = text.trim_matches(|c| c == '\n' || c == '\r').replace('\\', "/");
        if slashed.starts_with('/') || slashed.starts_with('~') || has_drive(&slashed) {
            return Err(RepoPathError::Absolute(shown()));
        }
        let components: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        for component in &components {
            if *component == ".." {
                return Err(RepoPathError::Parent(shown()));
            }
            // A colon names an alternate data stream on NTFS.
            if let Some(bad) = component.chars().find(|c| c.is_control() || matches!(c, ':' | '\u{202a}'..='\u{202e}'))
            {
                return Err(RepoPathError::Character(shown(), bad));
            }
            if component.ends_with(['.', ' ']) {
                return Err(RepoPathError::Trailing(shown()));
            }
            if is_device(component) {
                return Err(RepoPathError::Device(shown()));
            }
            if component.len() > 255 {
                return Err(RepoPathError::TooLong);
            }
        }
        let path = components.join("/");
        match path.len() {
            0 => Err(RepoPathError::Empty),
            1..=1024 => Ok(Self(path)),
            _ => Err(RepoPathError::TooLong),
        }
    }

    /// The path with forward slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.components().next_back().unwrap_or_default()
    }

    /// The folder that holds it; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The form in which paths are compared: two paths with one key may be one file on some file system.
    ///
    /// Case-folded, in Unicode normal form C, without the code points that HFS+ ignores in names.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// A name in the form in which names are compared; see [`RepoPath::key`].
pub(super) fn fold(name: &str) -> String {
    let visible = name.chars().filter(
        |c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'),
    );
    visible.nfc().flat_map(char::to_lowercase).nfc().collect()
}

fn has_drive(path: &str) -> bool {
    let mut chars = path.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
}

fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered =
        |name: &str| stem.strip_prefix(name).is_some_and(|n| n.len() == 1 && matches!(n.as_bytes()[0], b'1'..=b'9'));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = RepoPathError;

    fn try_from(text: String) -> Result<Self, RepoPathError> {
        Self::parse(&text)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_people_write() {
        for (text, path) in [("src/a.rs", "src/a.rs"), ("./src//a.rs", "src/a.rs"), ("src\\a.rs", "src/a.rs")] {
            assert_eq!(RepoPath::parse(text).unwrap().as_str(), path);
        }
    }

    #[test]
    fn refuses_every_way_out() {
        for text in [
            "",
            ".",
            "/etc/passwd",
            "//server/share",
            "\\\\server\\share",
            "C:/x",
            "c:x",
            "~/x",
            "../x",
            "a/../b",
            "a/b\0c",
            "a/file.txt:stream",
            "a./b",
            "a /b",
            "src/nul.txt",
            "COM1",
            "a\u{202e}b",
        ] {
            assert!(RepoPath::parse(text).is_err(), "{text:?} was accepted");
        }
        assert!(RepoPath::parse(&"x".repeat(256)).is_err());
        assert!(RepoPath::parse(&"x/".repeat(600)).is_err());
    }

    #[test]
    fn one_key_for_what_may_be_one_file() {
        let key = |text: &str| RepoPath::parse(text).unwrap().key();
        assert_eq!(key("SRC/Ä.rs"), key("src/a\u{308}.rs"));
        assert_eq!(key(".g\u{200c}it/config"), ".git/config");
        assert_ne!(key("a"), key("b"));
    }
}
