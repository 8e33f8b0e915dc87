//! Excerpts and line counts of files that a model did not ask for.
//!
//! Secrets are left out, whether they are known by name, by another name of the file or by content; tokens in other
//! files are masked.

use super::protect::{is_secret, is_secret_text};
use super::root::Workspace;
use super::text_file::TextFile;
use crate::contracts::RepoPath;

/// The beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// At most the given number of bytes, cut between characters, with secrets masked.
    pub text: String,
    /// Whether the file has more.
    pub is_cut: bool,
}

impl Workspace {
    /// The beginning of a text file, with unsaved changes in the editor; no component may be a link. `None` if there is
    /// no such file, if it is blank, binary, too large or unreadable, or if it may hold secrets.
    ///
    /// For files that no request named, such as a repository's instructions for agents: a clone may contain any file
    /// under that name.
    pub fn excerpt(&self, path: &RepoPath, max_bytes: usize) -> Option<Excerpt> {
        if self.is_secret_file(path) {
            return None;
        }
        let bytes = self.read_unlinked(path).ok()??.bytes;
        if is_secret_text(&bytes) {
            return None;
        }
        let file = TextFile::decode(&bytes).ok()?;
        let text = file.masked_text();
        if text.trim().is_empty() {
            return None;
        }
        let cut = text.floor_char_boundary(max_bytes);
        Some(Excerpt { text: text[..cut].to_owned(), is_cut: cut < text.len() })
    }

    /// The number of lines of a text file, with unsaved changes in the editor; links inside the workspace are followed.
    /// `None` if it is not text, is unreadable, or may hold secrets.
    pub fn line_count(&self, path: &RepoPath) -> Option<u32> {
        let real = self.real_path(path).ok()??;
        if is_secret(path) || self.is_secret_file(&real) {
            return None;
        }
        let bytes = self.read_open(path).ok()??.bytes;
        if is_secret_text(&bytes) {
            return None;
        }
        let lines = TextFile::decode(&bytes).ok()?.text().lines().count();
        Some(u32::try_from(lines).unwrap_or(u32::MAX))
    }

    /// Whether a file is a secret by its name or by another of its names.
    fn is_secret_file(&self, path: &RepoPath) -> bool {
        is_secret(path) || self.is_secret_by_link(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::{Fixture, path};

    const KEY: &str = "{\"type\": \"service_account\", \"private_key\": \"x\"}\n";

    #[test]
    fn an_excerpt_ends_between_characters() {
        let fixture = Fixture::new("//- /AGENTS.md\na\u{e9}b\n");
        let excerpt = |bytes| fixture.workspace().excerpt(&path("AGENTS.md"), bytes).unwrap();
        assert_eq!(excerpt(2), Excerpt { text: "a".to_owned(), is_cut: true });
        assert_eq!(excerpt(3), Excerpt { text: "a\u{e9}".to_owned(), is_cut: true });
        assert_eq!(excerpt(5), Excerpt { text: "a\u{e9}b\n".to_owned(), is_cut: false });
    }

    #[test]
    fn blank_binary_and_missing_files_have_no_excerpt() {
        let fixture = Fixture::new("//- /blank.md\n \n");
        fixture.write("a.bin", b"\0");
        for name in ["blank.md", "a.bin", "gone.md"] {
            assert_eq!(fixture.workspace().excerpt(&path(name), 100), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn neither_links_nor_secrets_are_read() {
        let fixture = Fixture::new("//- /.env\nKEY=1\n//- /notes.md\nx\n");
        fixture.write("CONTRIBUTING.md", KEY.as_bytes());
        fixture.link("notes.md", "CLAUDE.md");
        std::fs::hard_link(fixture.root().join(".env"), fixture.root().join("AGENTS.md")).unwrap();
        let workspace = fixture.workspace();
        for name in [".env", "AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md"] {
            assert_eq!(workspace.excerpt(&path(name), 100), None, "{name}");
        }
        for name in [".env", "AGENTS.md", "CONTRIBUTING.md"] {
            assert_eq!(workspace.line_count(&path(name)), None, "{name}");
        }
        assert_eq!(workspace.line_count(&path("CLAUDE.md")), Some(1), "a link inside is followed");
        fixture.link(".env", "linked.txt");
        assert_eq!(workspace.line_count(&path("linked.txt")), None);
    }

    #[test]
    fn a_token_in_an_excerpt_is_masked() {
        let token = format!("ghp_{}", "a".repeat(36));
        let fixture = Fixture::new(&format!("//- /AGENTS.md\nuse {token}\n"));
        let excerpt = fixture.workspace().excerpt(&path("AGENTS.md"), 1000).unwrap();
        assert!(!excerpt.text.contains(&token), "{}", excerpt.text);
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        let fixture = Fixture::new("//- /a.txt\n1\r\n2\r\n3");
        assert_eq!(fixture.workspace().line_count(&path("a.txt")), Some(3));
        assert_eq!(fixture.workspace().line_count(&path("gone.txt")), None);
    }
}
