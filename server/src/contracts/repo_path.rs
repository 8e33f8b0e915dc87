use std::fmt;

use icu_casemap::CaseMapper;
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::text::head;

/// A path inside the workspace, parsed once and then trusted: relative, forward slashes, no way out.
///
/// It promises nothing about the disk; links are checked when it is opened.
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
    /// Has a control character, one that turns the direction of text, or one that the system takes in no name.
    #[error("{0:?} holds {1:?}, which is not allowed in a file name")]
    Character(String, char),
    /// Windows: a component ends in a dot or a space, which the system silently drops.
    #[error("{0:?} has a component that ends in a dot or a space")]
    Trailing(String),
    /// Windows: a name that is a device.
    #[error("{0:?} has a component that is a device name on Windows")]
    Device(String),
    /// Longer than any of the systems takes.
    #[error("the path is too long: at most 1024 bytes, 255 a component")]
    TooLong,
}

impl RepoPath {
    /// Parse a path as a person or a model may write it: back slashes and a leading `./` are taken as meant.
    ///
    /// What could be meant for a place outside the workspace is refused everywhere. A name that only Windows cannot
    /// have is refused only there: a plan that came from another system may name such files, and the fault is reported
    /// at its place.
    ///
    /// # Errors
    /// When the path could name anything but a file beneath the root, or no file of this system can have the name.
    pub fn parse(text: &str) -> Result<Self, RepoPathError> {
        Self::parse_for(text, System::HERE)
    }

    fn parse_for(text: &str, system: System) -> Result<Self, RepoPathError> {
        if system == System::Other && is_as_written(text) {
            return Ok(Self(text.to_owned()));
        }
        let shown = || head(text, 200).to_owned();
        let slashed = text.trim_matches(|c| c == '\n' || c == '\r').replace('\\', "/");
        let is_home = slashed == "~" || slashed.starts_with("~/");
        if slashed.starts_with('/') || is_home || has_drive(&slashed, system) {
            return Err(RepoPathError::Absolute(shown()));
        }
        let components: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        for component in &components {
            if *component == ".." {
                return Err(RepoPathError::Parent(shown()));
            }
            if let Some(bad) = component.chars().find(|c| !system.has_in_names(*c)) {
                return Err(RepoPathError::Character(shown(), bad));
            }
            if system == System::Windows && component.ends_with(['.', ' ']) {
                return Err(RepoPathError::Trailing(shown()));
            }
            if system == System::Windows && is_device(component) {
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

    /// The form in which names are compared where the result must be the same on every system: two paths with one key
    /// may be one file on some file system. What is one file here, [`FileKeys`](super::FileKeys) tells.
    ///
    /// Fully case-folded, in Unicode normal form D, without the code points that are ignorable by default: no less than
    /// what HFS+, APFS and NTFS take for one name. And without what Windows drops or takes for something else: dots and
    /// spaces at the end of a name, and the name of a stream behind a colon.
    pub fn key(&self) -> String {
        if is_plain(&self.0) {
            return self.0.to_ascii_lowercase();
        }
        let on_windows = |component: &str| {
            let folded = fold(component);
            let file = folded.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
            if file.is_empty() { folded } else { file.to_owned() }
        };
        self.components().map(on_windows).collect::<Vec<_>>().join("/")
    }
}

/// Whether a text is a path as it is, as most names of a tree are: letters, digits, `_`, `-` and `+`, with dots inside.
fn is_as_written(text: &str) -> bool {
    let is_name = |name: &str| {
        let inside = name.strip_prefix('.').unwrap_or(name);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.');
        name.len() <= 255 && !inside.is_empty() && !inside.starts_with('.') && inside.bytes().all(is_plain)
    };
    text.len() <= 1024 && text.split('/').all(is_name)
}

/// Whether the [key](RepoPath::key) of a path is the path in lower case, as it is for nearly every file of a tree.
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_end = |at: usize| bytes.get(at + 1).is_none_or(|next| *next == b'/');
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b':' => false,
        b'.' | b' ' => !is_end(at),
        byte => byte.is_ascii(),
    })
}

/// Whose rules a name is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Windows,
    Other,
}

impl System {
    const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Other };

    /// Whether a name may hold this character. Control characters, and those that turn the direction of text, stand in
    /// no name that people are to read, wherever it is.
    ///
    /// Source for Windows: "Naming Files, Paths, and Namespaces"; a colon names a stream of a file.
    fn has_in_names(self, c: char) -> bool {
        let unreadable = c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !unreadable && (self == Self::Other || !matches!(c, ':' | '<' | '>' | '"' | '|' | '?' | '*'))
    }
}

/// A name in the form in which names are compared; see [`RepoPath::key`].
///
/// Source: the Unicode Standard, section 3.13 (canonical caseless matching, D145, with the full case folding of
/// `CaseFolding.txt`), and the property `Default_Ignorable_Code_Point` of `DerivedCoreProperties.txt`.
pub(super) fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let visible: String = name.nfd().filter(|c| !ignorable.contains(*c)).collect();
    CaseMapper::new().fold_string(&visible).nfd().filter(|c| !ignorable.contains(*c)).collect()
}

/// `C:/x` is meant for a drive wherever it is said; `c:x` only where there are drives.
fn has_drive(path: &str, system: System) -> bool {
    let mut chars = path.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':');
    begins && (system == System::Windows || chars.next() == Some('/'))
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
    fn refuses_every_path_out_of_the_root() {
        for text in [
            "",
            ".",
            "/etc/passwd",
            "//server/share",
            "\\\\server\\share",
            "\\\\?\\C:\\x",
            "C:/x",
            "c:\\x",
            "~",
            "~/x",
            "~\\x",
            "../x",
            "a/../b",
            "a\\..\\..\\b",
            "a/b\0c",
            "a\u{1b}[2Jb",
            "a\u{202e}b",
            "a\u{2066}b",
        ] {
            for system in [System::Windows, System::Other] {
                assert!(RepoPath::parse_for(text, system).is_err(), "{text:?} was accepted, {system:?}");
            }
        }
        assert!(RepoPath::parse(&"x".repeat(256)).is_err());
        assert!(RepoPath::parse(&"x/".repeat(600)).is_err());
    }

    #[test]
    fn a_name_is_refused_only_where_the_system_has_no_such_name() {
        for text in [
            "aux.c",
            "src/con.rs",
            "COM1",
            "nul",
            "a:b",
            "c:x",
            "a/file.txt:stream",
            "dots.",
            "dots./b",
            "blank /b",
            "blank ",
            "what?.md",
            "a|b",
            "<a>",
            "x*",
            "say \"hi\"",
        ] {
            assert_eq!(RepoPath::parse_for(text, System::Other).unwrap().as_str(), text);
            assert!(RepoPath::parse_for(text, System::Windows).is_err(), "{text:?} was accepted on Windows");
        }
        for text in ["~x", "a~", "console.rs", "auxiliary", "com10", "a b", ".x", "...x"] {
            for system in [System::Windows, System::Other] {
                assert_eq!(RepoPath::parse_for(text, system).unwrap().as_str(), text, "{system:?}");
            }
        }
    }

    #[test]
    fn one_key_for_what_may_be_one_file() {
        let key = |text: &str| RepoPath::parse(text).unwrap().key();
        assert_eq!(key("SRC/Ä.rs"), key("src/a\u{308}.rs"));
        assert_eq!(key(".g\u{200c}it/config"), ".git/config");
        assert_ne!(key("a"), key("b"));
        if cfg!(not(windows)) {
            for text in [".git.", ".git ", ".git . .", ".git:x", ".git::$INDEX_ALLOCATION"] {
                assert_eq!(key(&format!("{text}/config")), ".git/config", "{text:?}");
            }
            assert_eq!(key("..."), "...");
        }
        for (text, plain) in [
            (".v\u{17f}code/tasks.json", ".vscode/tasks.json"),
            (".git\u{200b}modules", ".gitmodules"),
            ("id_r\u{17f}a", "id_rsa"),
            // Kelvin sign, ligature, sharp s in both cases.
            (".\u{212a}ube/con\u{fb01}g", ".kube/config"),
            ("stra\u{df}e", "STRASSE"),
            ("stra\u{1e9e}e", "strasse"),
            // Soft hyphen, grapheme joiner, Hangul filler, variation selector, a tag.
            (".g\u{ad}\u{34f}\u{3164}\u{fe0f}\u{e0041}it", ".git"),
            // Both small sigmas.
            ("\u{3a3}\u{3c2}", "\u{3c3}\u{3c3}"),
        ] {
            assert_eq!(key(text), key(plain), "{text:?}");
        }
        assert_ne!(key("\u{ff47}it"), key("git"), "a full-width letter is another letter");
    }
}
