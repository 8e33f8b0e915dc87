//! File name patterns from a model, an `.editorconfig` or the settings: bounded, and a faulty one is an error, never a panic.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Longest pattern, in bytes.
const LONGEST: usize = 1_000;
/// How deep `{}` may be nested.
const DEEPEST: usize = 8;

/// A pattern: `*` and `?` match no slash, `**` matches folders.
#[derive(Debug, Clone)]
pub struct FileGlob(GlobSet);

/// Why a pattern is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGlob(String);

impl FileGlob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is empty, too long, too deeply nested, or no pattern.
    pub fn parse(pattern: &str) -> Result<Self, BadGlob> {
        if pattern.is_empty() {
            return Err(BadGlob("it is empty".to_owned()));
        }
        if depth(pattern) > DEEPEST {
            return Err(BadGlob(format!("its braces are nested more than {DEEPEST} deep")));
        }
        if pattern.len() > LONGEST {
            return Err(BadGlob(format!("it is longer than {LONGEST} bytes")));
        }
        let fault = |error: globset::Error| BadGlob(error.kind().to_string());
        let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(fault)?;
        // Compiling a set returns errors; compiling a single glob may panic.
        Ok(Self(GlobSetBuilder::new().add(glob).build().map_err(fault)?))
    }

    /// Whether it matches a path, relative to the workspace root.
    pub fn is_match(&self, path: impl AsRef<Path>) -> bool {
        self.0.is_match(path)
    }
}

/// How deep braces are nested, at most.
fn depth(pattern: &str) -> usize {
    let (mut deep, mut deepest) = (0_usize, 0);
    for byte in pattern.bytes() {
        match byte {
            b'{' => deep += 1,
            b'}' => deep = deep.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(deep);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_written() {
        for (pattern, yes, no) in [
            ("*.rs", "a.rs", "b/a.rs"),
            ("src/**/*.rs", "src/a/b.rs", "lib/a.rs"),
            ("{a,{b,c}}.txt", "c.txt", "d.txt"),
            ("[!x]?", "ab", "xb"),
            ("\\{a", "{a", "a"),
        ] {
            let glob = FileGlob::parse(pattern).unwrap();
            assert!(glob.is_match(yes) && !glob.is_match(no), "{pattern}");
        }
    }

    #[test]
    fn whatever_is_written_is_a_pattern_or_a_fault() {
        let nested = |n: usize| format!("{}a{}", "{".repeat(n), "}".repeat(n));
        for n in [9, 100, 240, 249, 250, 499] {
            assert!(FileGlob::parse(&nested(n)).unwrap_err().to_string().contains("nested"), "{n}");
        }
        for odd in
            ["", "[", "[z-a]", "{", "}", "{a", "a}", "\\", "{,", "[]", "[!]", &nested(5_000), &"?".repeat(100_000)]
        {
            // Only that it comes back.
            let _ = FileGlob::parse(odd);
        }
        for heavy in ["?".repeat(1_000), "*a".repeat(500), "**/a/".repeat(200), "[!a]".repeat(250), "{a,b}".repeat(200)]
        {
            let glob = FileGlob::parse(&heavy);
            assert!(glob.is_ok_and(|glob| !glob.is_match("b/c".repeat(80))), "{}…", &heavy[..8]);
        }
        let mut random = fastrand::Rng::with_seed(13);
        let pieces = ["*", "**", "/", "?", "[", "]", "{", "}", ",", "!", "-", "\\", "a", "é", "^", ".", "("];
        for _ in 0..20_000 {
            let pattern: String = (0..random.usize(..12)).map(|_| pieces[random.usize(..pieces.len())]).collect();
            let _ = FileGlob::parse(&pattern).map(|glob| glob.is_match("a/é.rs"));
        }
    }
}
