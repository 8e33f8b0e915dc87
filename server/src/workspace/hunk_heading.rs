//! The definition that a hunk of a diff is headed by: that of its first changed line.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::enclosing::enclosing_definitions;
use crate::contracts::RepoPath;
use crate::text::{begins_decorator, decorator_around, decorator_end, head_bytes};

/// For each of the wanted lines (from 0, ascending), the line to head its hunk by, a method under the name of its class
/// (`def Context.invoke(self):`). The definitions are found in `lines`, and shown as they stand in `shown`, line by line the
/// same.
pub(super) fn hunk_headings(path: &RepoPath, lines: &[&str], shown: &[&str], wanted: &[usize]) -> Vec<Option<String>> {
    let around = enclosing_definitions(path, lines, wanted);
    let of = |(at, around): (&usize, Option<usize>)| decorated(path, lines, *at).or(around);
    let found: Vec<Option<usize>> = wanted.iter().zip(around).map(of).collect();
    let definitions: Vec<usize> = found.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let outer = enclosing_definitions(path, lines, &definitions);
    let heading = |definition: usize| {
        let line = shown.get(definition)?;
        let outer = definitions.binary_search(&definition).ok().and_then(|at| outer[at]);
        let class = outer.and_then(|outer| class_name(shown.get(outer)?));
        let line = cut(line);
        Some(
            class
                .and_then(|class| qualified(line, class))
                .map_or_else(|| line.to_owned(), |line| cut(&line).to_owned()),
        )
    };
    found.into_iter().map(|definition| heading(definition?)).collect()
}

/// As much of a line as git shows in a heading.
fn cut(line: &str) -> &str {
    const LONGEST: usize = 80;
    head_bytes(line.trim(), LONGEST).trim_end()
}

/// Most decorators and comments between a decorator and what it decorates.
const MOST_LINES: usize = 200;

/// The definition that is decorated, where a line is one of a decorator or an attribute.
fn decorated(path: &RepoPath, lines: &[&str], at: usize) -> Option<usize> {
    let first = decorator_around(lines, at)?;
    let depth = indentation(lines[first]);
    let mut next = decorator_end(lines, first)? + 1;
    for _ in 0..MOST_LINES {
        let line = lines.get(next)?;
        let text = line.trim_start();
        if text.is_empty() || indentation(line) != depth {
            return None;
        }
        if begins_decorator(text) {
            next = decorator_end(lines, next)? + 1;
        } else if text.starts_with("//") || text.starts_with("# ") {
            next += 1;
        } else {
            // It is a definition if what is indented below it stands in it.
            let inside = " ".repeat(depth + 4) + "x";
            let begins = enclosing_definitions(path, &[line, &inside], &[1]) == [Some(0)];
            return begins.then_some(next);
        }
    }
    None
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name of the class, or the like, that a line begins.
fn class_name(line: &str) -> Option<&str> {
    let name = |captures: regex::Captures<'_>| captures.name("name").map(|name| name.range());
    let place = IMPL.captures(line).and_then(name).or_else(|| CLASS.captures(line).and_then(name))?;
    line.get(place)
}

/// A line with the name that it defines put under that of a class.
fn qualified(line: &str, class: &str) -> Option<String> {
    let captures = NAMED.captures(line).or_else(|| METHOD.captures(line))?;
    let place = captures.name("name")?.start();
    Some(format!("{}{class}.{}", &line[..place], &line[place..]))
}

/// `impl<T> Display for Name<T> {`
#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static IMPL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:unsafe\s+)?impl\b(?:<[^{]*?>)?(?:\s[^{]*?\sfor)?\s+[&(]*(?:\w+::)*(?<name>\w+)")
        .expect("it is a regular expression")
});

/// `export class Name extends Other {`
#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static CLASS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:[\w()]+\s+)*(?:class|struct|enum|union|trait|interface|object|protocol|extension|record)\s+(?:\w+::)*(?<name>[\w$]+)")
        .expect("it is a regular expression")
});

/// A name behind the word that says what it is.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[\w()]+\s+)*?(?:fn|func|fun|function\*?|def|sub|class|struct|enum|interface)\s+(?<name>[\w$]+)")
        .expect("it is a regular expression")
});

/// A method without such a word.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static METHOD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[\w$<>\[\],.?*&:]+\s+)*?(?<name>[\w$~#]+)\s*(?:<[^(]*>)?\(").expect("it is a regular expression")
});

#[cfg(test)]
mod tests {
    use super::super::fixture::path;
    use super::*;

    #[track_caller]
    fn heads(file: &str, text: &str, line: usize, expected: &str) {
        let lines: Vec<&str> = text.lines().collect();
        let found = hunk_headings(&path(file), &lines, &lines, &[line - 1]);
        assert_eq!(found[0].as_deref().unwrap_or_default(), expected, "{file}:{line}: {}", lines[line - 1]);
    }

    #[test]
    fn a_line_of_a_decorator_belongs_to_what_it_decorates() {
        let text = "def before():\n    pass\n\n\n@parametrize(\n    (\"a\", \")\"),\n    [\n        (1, 2),\n    ],\n)\n\
                    @other\n# why\ndef after(a, b):\n    pass\n\n@lonely\nx = 1\n";
        for line in [5, 6, 7, 8, 10, 11, 14] {
            heads("a.py", text, line, "def after(a, b):");
        }
        heads("a.py", text, 2, "def before():");
        let text = "class A:\n    def one(self):\n        pass\n\n    @property\n    def two(self):\n        pass\n";
        heads("a.py", text, 5, "def A.two(self):");
        let text = "fn one() {\n    1\n}\n\n#[cfg(all(\n    unix,\n    not(windows),\n))]\npub fn two() {}\n\nstruct S {\n    \
                    #[serde(default)]\n    field: u8,\n}\n";
        for line in [5, 6, 8] {
            heads("a.rs", text, line, "pub fn two() {}");
        }
        heads("a.rs", text, 12, "struct S {");
        // Nothing closes it, and nothing follows it.
        heads("a.py", "@open(\n    1,\n", 2, "");
        heads("a.py", "@a\n", 1, "");
    }

    #[test]
    fn a_method_is_named_with_its_class() {
        let python = "class Context(Base):\n    def __init__(\n        self,\n    ):\n        x = 1\n\n    class Inner:\n        y = 2\n";
        heads("a.py", python, 5, "def Context.__init__(");
        heads("a.py", python, 8, "class Context.Inner:");
        let rust = "impl<'a, T: Into<String>> fmt::Display for my::Forth<T> {\n    pub(crate) fn new() -> Forth {\n        x\n    }\n}\n\
                    impl Forth {\n    const fn two(&self) {\n        x\n    }\n}\nmod tests {\n    fn three() {\n        x\n    }\n}\n";
        heads("a.rs", rust, 3, "pub(crate) fn Forth.new() -> Forth {");
        heads("a.rs", rust, 8, "const fn Forth.two(&self) {");
        heads("a.rs", rust, 13, "fn three() {");
        let script = "export default class A extends B {\n  async load(d: string): Promise<void> {\n    x();\n  }\n}\n";
        heads("a.ts", script, 3, "async A.load(d: string): Promise<void> {");
        let java = "public final class A {\n    public static void main(String[] args) {\n        x();\n    }\n}\n";
        heads("A.java", java, 3, "public static void A.main(String[] args) {");
        heads("a.py", "def outer():\n    def inner():\n        x = 1\n", 3, "def inner():");
        let long = format!("class A:\n    def {}(self):\n        x = 1\n", "b".repeat(200));
        heads("a.py", &long, 3, &format!("def A.{}", "b".repeat(74)));
    }
}
