//! The comments of a source file, by its name: enough of each language to find `TODO` comments.
//!
//! It is no parser: strings end with their line, comments do not nest, and a heredoc that looks like a comment is one.

use super::position::Text;

/// One line of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment<'a> {
    /// The line, from 0.
    pub(crate) line: usize,
    /// The content of the comment on this line, without its marks.
    pub(crate) text: &'a str,
    /// Whether only white space precedes it.
    pub(crate) alone: bool,
    /// The first line of the block comment it is part of; `None` for a line comment.
    pub(crate) block: Option<usize>,
}

/// How a language marks its comments.
#[derive(Debug, Clone, Copy)]
struct Marks {
    /// Starts of line comments.
    line: &'static [&'static str],
    /// Starts and ends of block comments.
    block: &'static [(&'static str, &'static str)],
    /// Quotes of strings.
    quotes: &'static str,
}

const SLASHES: Marks = Marks { line: &["//"], block: &[("/*", "*/")], quotes: "\"'`" };
const HASH: Marks = Marks { line: &["#"], block: &[], quotes: "\"'" };
const HASH_AND_SLASHES: Marks = Marks { line: &["#", "//"], block: &[("/*", "*/")], quotes: "\"'" };
const STYLE_SHEET: Marks = Marks { line: &[], block: &[("/*", "*/")], quotes: "\"'" };
const MARKUP: Marks = Marks { line: &[], block: &[("<!--", "-->")], quotes: "" };
const COMPONENT: Marks = Marks { line: &["//"], block: &[("<!--", "-->"), ("/*", "*/")], quotes: "\"'`" };
const SQL: Marks = Marks { line: &["--"], block: &[("/*", "*/")], quotes: "\"'" };
const LUA: Marks = Marks { line: &["--"], block: &[("--[[", "]]")], quotes: "\"'" };
const HASKELL: Marks = Marks { line: &["--"], block: &[("{-", "-}")], quotes: "\"" };
const ADA: Marks = Marks { line: &["--"], block: &[], quotes: "\"" };
const SEMICOLON: Marks = Marks { line: &[";"], block: &[], quotes: "\"" };
const SEMICOLON_AND_HASH: Marks = Marks { line: &[";", "#", "//"], block: &[("/*", "*/")], quotes: "\"" };
const PERCENT: Marks = Marks { line: &["%"], block: &[], quotes: "" };
const ML: Marks = Marks { line: &["//"], block: &[("(*", "*)")], quotes: "\"" };
const VIM: Marks = Marks { line: &["\"", "#"], block: &[], quotes: "'" };
const BASIC: Marks = Marks { line: &["'"], block: &[], quotes: "\"" };
const FORTRAN: Marks = Marks { line: &["!"], block: &[], quotes: "\"'" };
const BATCH: Marks = Marks { line: &["::", "REM ", "rem "], block: &[], quotes: "" };
const POWER_SHELL: Marks = Marks { line: &["#"], block: &[("<#", "#>")], quotes: "\"'" };
/// For unknown languages: the marks of most.
const ANY: Marks = Marks { line: &["//", "#", "--", ";", "%"], block: &[("/*", "*/"), ("<!--", "-->")], quotes: "\"'" };

impl Marks {
    fn of(file: &str) -> Self {
        let name = file.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let extension = name.rsplit_once('.').map_or(name.as_str(), |(_, extension)| extension);
        match extension {
            "rs" | "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "m" | "mm" | "java" | "js" | "jsx"
            | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" | "go" | "swift" | "kt" | "kts" | "scala" | "dart"
            | "cs" | "zig" | "proto" | "groovy" | "gradle" | "scss" | "less" | "v" | "sv" | "glsl" | "wgsl"
            | "hlsl" | "cu" | "jsonc" | "json5" | "sol" | "d" | "odin" => SLASHES,
            "py" | "pyi" | "sh" | "bash" | "zsh" | "fish" | "rb" | "pl" | "pm" | "r" | "jl" | "toml" | "yaml"
            | "yml" | "mk" | "makefile" | "dockerfile" | "containerfile" | "cmake" | "ex" | "exs" | "conf" | "cfg"
            | "awk" | "tcl" | "nim" | "cr" | "gd" | "coffee" | "gitignore" | "rakefile" | "gemfile" | "justfile"
            | "bzl" | "star" | "graphql" => HASH,
            // CMakeLists.txt is the one that has another extension.
            "txt" if name == "cmakelists.txt" => HASH,
            "php" | "nix" | "tf" | "hcl" => HASH_AND_SLASHES,
            "css" => STYLE_SHEET,
            "html" | "htm" | "xml" | "xhtml" | "svg" | "md" | "markdown" => MARKUP,
            "vue" | "svelte" | "astro" => COMPONENT,
            "sql" => SQL,
            "lua" => LUA,
            "hs" | "elm" | "purs" => HASKELL,
            "ada" | "adb" | "ads" | "vhd" | "vhdl" => ADA,
            "el" | "lisp" | "lsp" | "cl" | "clj" | "cljs" | "cljc" | "edn" | "scm" | "ss" | "rkt" | "fnl" => SEMICOLON,
            "ini" | "asm" | "s" => SEMICOLON_AND_HASH,
            "tex" | "sty" | "cls" | "erl" | "hrl" => PERCENT,
            "ml" | "mli" | "fs" | "fsi" | "fsx" | "pas" => ML,
            "vim" | "vimrc" => VIM,
            "vb" | "vbs" | "bas" => BASIC,
            "f90" | "f95" | "f03" | "f08" => FORTRAN,
            "bat" | "cmd" => BATCH,
            "ps1" | "psm1" => POWER_SHELL,
            _ => ANY,
        }
    }
}

/// All comments of a text, line by line.
pub(crate) fn comments<'a>(file: &str, text: &'a Text) -> Vec<Comment<'a>> {
    let marks = Marks::of(file);
    let is_rust = file.ends_with(".rs");
    let mut found = Vec::new();
    // The end mark and the first line of the block comment that is open at the start of a line.
    let mut block: Option<(&str, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let mut at = 0;
        loop {
            if let Some((end, begun)) = block {
                let (content, rest) =
                    line[at..].split_once(end).map_or((&line[at..], None), |(content, rest)| (content, Some(rest)));
                let alone = at == 0 || opens_line(line, at, &marks);
                found.push(Comment { line: number, text: bare(content), alone, block: Some(begun) });
                let Some(rest) = rest else { break };
                block = None;
                at = line.len() - rest.len();
            }
            match next_mark(line, at, &marks, is_rust) {
                None => break,
                Some(Mark::Line(start, length)) => {
                    let alone = line[..start].trim().is_empty();
                    found.push(Comment { line: number, text: bare(&line[start + length..]), alone, block: None });
                    break;
                }
                Some(Mark::Block(start, begin, end)) => {
                    at = start + begin;
                    block = Some((end, number));
                }
            }
        }
    }
    found
}

enum Mark {
    /// Its byte and its length.
    Line(usize, usize),
    /// Its byte, its length, and the end mark.
    Block(usize, usize, &'static str),
}

/// The first mark of a comment outside of strings.
fn next_mark(line: &str, from: usize, marks: &Marks, is_rust: bool) -> Option<Mark> {
    let mut at = from;
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        // The longer mark first: a block comment of Lua's begins like one that ends with its line.
        if let Some((begin, end)) = marks.block.iter().find(|(begin, _)| rest.starts_with(begin)) {
            return Some(Mark::Block(at, begin.len(), end));
        }
        if let Some(mark) = marks.line.iter().find(|mark| rest.starts_with(**mark) && may_stand(mark, &line[..at])) {
            return Some(Mark::Line(at, mark.len()));
        }
        at = match string_end(line, at, marks, is_rust) {
            Some(end) => end,
            None => at + c.len_utf8(),
        };
    }
    None
}

/// Marks that mean other things too begin a comment only after white space, and some only at the start of a line.
fn may_stand(mark: &str, before: &str) -> bool {
    match mark {
        // Not the slashes of a URL.
        "//" => !before.ends_with(':'),
        "\"" | "::" | "REM " | "rem " => before.trim().is_empty(),
        "'" | "!" => true,
        _ => before.is_empty() || before.ends_with(char::is_whitespace),
    }
}

/// Where the string ends that begins here; `None` when none does.
fn string_end(line: &str, at: usize, marks: &Marks, is_rust: bool) -> Option<usize> {
    let quote = line[at..].chars().next().filter(|c| marks.quotes.contains(*c))?;
    if quote == '\'' && line[..at].ends_with(char::is_alphanumeric) {
        // An apostrophe.
        return None;
    }
    let inside = at + quote.len_utf8();
    let mut escaped = false;
    let length = line[inside..].char_indices().find_map(|(index, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(index)
    })?;
    let content = &line[inside..inside + length];
    // A lifetime of Rust's is no character: that is one letter, or an escape.
    if quote == '\'' && is_rust && content.chars().count() != 1 && !content.starts_with('\\') {
        return None;
    }
    Some(inside + length + quote.len_utf8())
}

/// Whether the block comment that begins before `at` is the first thing on its line.
fn opens_line(line: &str, at: usize, marks: &Marks) -> bool {
    let before = line[..at].trim_start();
    marks.block.iter().any(|(begin, _)| before == *begin)
}

/// Without the decoration that comments have: `///`, `//!`, `##`, ` * `.
fn bare(text: &str) -> &str {
    text.trim_start_matches(['/', '!', '*', '#', '-', ';', '%']).trim_start().trim_start_matches("* ").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(file: &str, text: &str) -> Vec<String> {
        comments(file, &Text::new(text))
            .into_iter()
            .map(|comment| format!("{}: {}", comment.line, comment.text))
            .collect()
    }

    #[test]
    fn each_language_has_its_marks() {
        for (file, text) in [
            ("a.rs", "let a = 1; // here"),
            ("a.rs", "/// here"),
            ("a.ts", "a(/* here */ 1)"),
            ("a.py", "a = 1  # here"),
            ("Makefile", "# here"),
            ("CMakeLists.txt", "# here"),
            ("a.sql", "SELECT 1 -- here"),
            ("a.lua", "--[[ here ]]"),
            ("a.hs", "{- here -}"),
            ("a.el", ";; here"),
            ("a.tex", "\\emph{a} % here"),
            ("a.html", "<p><!-- here --></p>"),
            ("a.md", "<!-- here -->"),
            ("a.css", "a { /* here */ }"),
            ("a.ml", "(* here *)"),
            ("a.vim", "\" here"),
            ("a.bas", "x = 1 ' here"),
            ("a.bat", "REM here"),
            ("a.unknown", "; here"),
            ("a.unknown", "x # here"),
        ] {
            assert_eq!(contents(file, text), ["0: here"], "{file}: {text}");
        }
    }

    #[test]
    fn what_stands_in_a_string_or_means_something_else_is_no_comment() {
        for (file, text) in [
            ("a.rs", "let url = \"http://example.com // no\";"),
            ("a.rs", "let slash = '/'; let quote = '\"';"),
            ("a.js", "fetch('https://x // no')"),
            ("a.js", "// "),
            ("a.md", "See https://example.com and # not this"),
            ("a.py", "print('# no', \"# no \\\" # no\")"),
            ("a.sh", "echo ${#array}"),
            ("a.sql", "SELECT '-- no'"),
            ("a.rs", "a[i]--; % ; #[derive(Debug)]"),
        ] {
            let found: Vec<String> = contents(file, text).into_iter().filter(|content| content != "0: ").collect();
            assert_eq!(found, Vec::<String>::new(), "{file}: {text}");
        }
    }

    #[test]
    fn apostrophes_and_lifetimes_open_no_string() {
        assert_eq!(contents("a.rs", "fn f<'a>(x: &'a str) {} // don't"), ["0: don't"]);
        assert_eq!(contents("a.rs", "let c = '\\''; // it's"), ["0: it's"]);
        assert_eq!(contents("a.sh", "echo don't stop  # isn't it"), ["0: isn't it"]);
    }

    #[test]
    fn a_block_goes_over_lines() {
        let text = "a();\n/**\n * One.\n * Two. */ b(); // three\n";
        assert_eq!(contents("a.c", text), ["1: ", "2: One.", "3: Two.", "3: three"]);
        let text = Text::new(text);
        let found = comments("a.c", &text);
        assert_eq!((found[1].block, found[1].alone), (Some(1), true));
        assert_eq!((found[3].block, found[3].alone), (None, false));
    }
}
