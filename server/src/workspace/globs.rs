//! Patterns that choose files: what is wanted, and what is left out.

use crate::contracts::{FileGlob, RepoPath};
use crate::text;

/// Which files are asked for. Without a pattern that wants some, all are; what a pattern with `!` in front matches is
/// left out, whatever the others say.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    wanted: Vec<Glob>,
    left_out: Vec<Glob>,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the glob {glob:?} is not valid: {reason}; write for example *.rs or src/**/*.rs, or !docs/** to leave out")]
pub struct BadGlobs {
    glob: String,
    reason: String,
}

/// How many patterns are taken at once.
const MOST: usize = 50;

#[derive(Debug, Clone)]
struct Glob {
    matcher: FileGlob,
    /// Without a slash it is held against names, else against paths.
    by_name: bool,
    /// Without a wildcard it may name a folder, and means what is in it.
    is_literal: bool,
}

impl Globs {
    /// Reads patterns: each is one, or several with commas or blanks between them. A comma in braces separates
    /// alternatives.
    ///
    /// # Errors
    /// The first pattern that is not valid.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadGlobs> {
        let mut globs = Self::default();
        for pattern in texts.into_iter().flat_map(pieces) {
            if globs.wanted.len() + globs.left_out.len() == MOST {
                return Err(fault(pattern, format!("there are more than {MOST} patterns")));
            }
            match pattern.strip_prefix('!') {
                Some(pattern) => globs.left_out.push(Glob::parse(pattern)?),
                None => globs.wanted.push(Glob::parse(pattern)?),
            }
        }
        Ok(globs)
    }

    /// Whether a file is asked for. A pattern with a slash may be written from the root or from the folder that is
    /// looked at.
    pub fn want(&self, path: &RepoPath, folder: Option<&RepoPath>) -> bool {
        let is_wanted = self.wanted.is_empty() || self.wanted.iter().any(|glob| glob.matches(path, folder));
        is_wanted && !self.leave_out(path, folder)
    }

    /// Whether a file, or a folder with all that is in it, is left out. The folders above it are assumed not to be,
    /// down from the folder that is looked at.
    pub fn leave_out(&self, path: &RepoPath, folder: Option<&RepoPath>) -> bool {
        self.left_out.iter().any(|glob| glob.matches_or_holds(path, folder))
    }
}

impl Glob {
    fn parse(text: &str) -> Result<Self, BadGlobs> {
        let pattern = text.trim().trim_start_matches("./").trim_start_matches('/');
        // A folder is what is in it.
        let pattern = pattern.strip_suffix('/').map_or_else(|| pattern.to_owned(), |folder| format!("{folder}/**"));
        let matcher = FileGlob::parse(&pattern).map_err(|error| fault(text, error.to_string()))?;
        let is_literal = !pattern.contains(['*', '?', '[', '{', '\\']);
        Ok(Self { matcher, by_name: !pattern.contains('/'), is_literal })
    }

    fn matches(&self, path: &RepoPath, folder: Option<&RepoPath>) -> bool {
        if self.is_literal {
            return self.matches_or_holds(path, folder);
        }
        if self.by_name {
            return self.matcher.is_match(path.file_name());
        }
        self.matches_path(path.as_str(), folder)
    }

    /// Whether it matches the path or a folder above it.
    fn matches_or_holds(&self, path: &RepoPath, folder: Option<&RepoPath>) -> bool {
        // What is looked at was asked for: its own name and those above it leave nothing out.
        let below = below(path.as_str(), folder).unwrap_or(path.as_str());
        if self.by_name {
            return below.split('/').any(|name| self.matcher.is_match(name));
        }
        let text = path.as_str();
        let first = text.len() - below.len();
        let ends = below.match_indices('/').map(|(at, _)| first + at).chain([text.len()]);
        ends.into_iter().any(|end| self.matches_path(&text[..end], folder))
    }

    fn matches_path(&self, path: &str, folder: Option<&RepoPath>) -> bool {
        self.matcher.is_match(path) || below(path, folder).is_some_and(|below| self.matcher.is_match(below))
    }
}

fn below<'a>(path: &'a str, folder: Option<&RepoPath>) -> Option<&'a str> {
    folder.and_then(|folder| path.strip_prefix(folder.as_str())?.strip_prefix('/'))
}

fn fault(glob: &str, reason: String) -> BadGlobs {
    BadGlobs { glob: text::head(glob, 200).to_owned(), reason }
}

/// The patterns of a text. Blanks separate only what looks like patterns or files, for names may hold them.
fn pieces(text: &str) -> Vec<&str> {
    let by_comma = split(text, |c| c == ',');
    let by_blank = |piece| {
        let pieces = split(piece, char::is_whitespace);
        let is_file = |piece: &&str| piece.starts_with('!') || piece.contains(['*', '?', '.']);
        if pieces.iter().all(is_file) { pieces } else { vec![piece] }
    };
    by_comma.into_iter().flat_map(by_blank).collect()
}

/// The parts between separators that stand in no braces and no brackets; empty ones are left out.
fn split(text: &str, is_separator: impl Fn(char) -> bool) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(|c: char| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is_separator(c)
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::path;
    use super::*;

    #[track_caller]
    fn check(glob: &str, folder: Option<&str>, expected: &[&str]) {
        const FILES: [&str; 8] = [
            "a.rs",
            "docs/b.md",
            "docs/deep/c.rs",
            "my docs/d.md",
            "src/docs/e.rs",
            "src/f.toml",
            "src/g.rs",
            "tests/h.rs",
        ];
        let globs = Globs::parse([glob]).unwrap();
        let folder = folder.map(path);
        let chosen = FILES.into_iter().filter(|file| globs.want(&path(file), folder.as_ref()));
        assert_eq!(chosen.collect::<Vec<_>>(), expected, "{glob}");
    }

    #[test]
    fn what_is_left_out_is_not_what_is_wanted() {
        let but_docs = ["a.rs", "my docs/d.md", "src/docs/e.rs", "src/f.toml", "src/g.rs", "tests/h.rs"];
        for glob in ["!docs/**", "!docs/", "!./docs/**", "!/docs/"] {
            check(glob, None, &but_docs);
        }
        check("!docs", None, &["a.rs", "my docs/d.md", "src/f.toml", "src/g.rs", "tests/h.rs"]);
        check("*.rs,!src/docs", None, &["a.rs", "docs/deep/c.rs", "src/g.rs", "tests/h.rs"]);
        check("!**/docs/** !tests/**", None, &["a.rs", "my docs/d.md", "src/f.toml", "src/g.rs"]);
        check("!*.rs", None, &["docs/b.md", "my docs/d.md", "src/f.toml"]);
        check(
            "!docs",
            Some("docs"),
            &["a.rs", "docs/b.md", "docs/deep/c.rs", "my docs/d.md", "src/f.toml", "src/g.rs", "tests/h.rs"],
        );
    }

    #[test]
    fn several_patterns_add_up() {
        let both = ["a.rs", "docs/deep/c.rs", "src/docs/e.rs", "src/f.toml", "src/g.rs", "tests/h.rs"];
        for glob in ["*.{rs,toml}", "*.rs,*.toml", "*.rs, *.toml", "*.rs *.toml"] {
            check(glob, None, &both);
        }
        check("my docs/*.md", None, &["my docs/d.md"]);
        check("docs", None, &["docs/b.md", "docs/deep/c.rs", "src/docs/e.rs"]);
        check("src/", None, &["src/docs/e.rs", "src/f.toml", "src/g.rs"]);
        check("src/*.rs a.rs", None, &["a.rs", "src/g.rs"]);
        assert!(Globs::parse(["*.rs,[a"]).unwrap_err().to_string().contains("[a"));
        assert!(Globs::parse(["!"]).unwrap_err().to_string().contains("empty"));
        assert!(Globs::parse(vec!["*"; 51]).is_err());
    }
}
