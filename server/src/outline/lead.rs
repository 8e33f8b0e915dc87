//! What stands before a definition and belongs to it: attributes, decorators and comments.

use super::definition::{Definition, Kind};
use crate::text::{begins_decorator, cut, decorator_around, decorator_end};

/// What belongs to a definition, seen from its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The first line, from 1, with the attributes, decorators and comments before it.
    pub first: usize,
    /// Attributes and decorators that say when or how it is there, each as one line.
    pub attributes: Vec<String>,
}

/// Most lines of a block comment.
const MOST_COMMENT: usize = 200;
/// Most characters of an attribute.
const LONGEST: usize = 80;

/// What stands before a definition of a text with these lines, right before it and as far indented.
pub fn lead(lines: &[&str], definition: &Definition) -> Lead {
    let start = definition.lines.start().saturating_sub(1);
    let mut first = start;
    if definition.kind == Kind::Heading {
        // What is a comment elsewhere is a heading of its own.
        return Lead { first: first + 1, attributes: Vec::new() };
    }
    while let Some(before) = first.checked_sub(1).and_then(|above| part(lines, above, indentation(lines.get(start)?))) {
        first = before;
    }
    let mut attributes = Vec::new();
    let mut line = first;
    while line + 1 < definition.name_line {
        let text = lines.get(line).map(|line| line.trim_start()).unwrap_or_default();
        let end = if is_attribute(text) { decorator_end(lines, line) } else { None };
        if let Some(end) = end.filter(|_| tells(text)) {
            attributes.push(joined(&lines[line..=end.min(definition.name_line - 2)]));
        }
        line = end.unwrap_or(line) + 1;
    }
    Lead { first: first + 1, attributes }
}

/// The first line of the attribute, decorator or comment that ends at a line with this indentation.
fn part(lines: &[&str], end: usize, depth: usize) -> Option<usize> {
    let line = lines.get(end)?;
    let text = line.trim();
    if text.ends_with("*/") {
        let from = end.saturating_sub(MOST_COMMENT);
        let begins = |at: &usize| lines[*at].trim_start().starts_with("/*");
        return (from..=end).rev().find(begins).filter(|at| indentation(lines[*at]) == depth);
    }
    if indentation(line) != depth || text.is_empty() {
        return None;
    }
    if is_comment(text) {
        return Some(end);
    }
    let around = decorator_around(lines, end)?;
    (indentation(lines[around]) == depth && decorator_end(lines, around) == Some(end)).then_some(around)
}

fn is_comment(text: &str) -> bool {
    text.starts_with("//") && !text.starts_with("//!") || text.starts_with("# ") || text.starts_with("-- ")
}

/// Also one of C#, whose grammar has it inside.
fn is_attribute(text: &str) -> bool {
    begins_decorator(text) || text.strip_prefix('[').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()))
}

/// Whether an attribute says more than how the compiler is to treat the text.
fn tells(text: &str) -> bool {
    const SILENT: [&str; 8] = ["derive", "allow", "expect", "warn", "deny", "doc", "must_use", "inline"];
    let word = |text: &str| text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().map(str::to_owned);
    text.strip_prefix("#[").and_then(word).is_none_or(|word| !SILENT.contains(&word.as_str()))
}

fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        let closes = line.starts_with([')', ']']);
        if closes && text.ends_with(',') {
            text.pop();
        }
        let is_tight = text.is_empty() || text.ends_with(['(', '[']) || closes;
        text.push_str(if is_tight { "" } else { " " });
        text.push_str(line);
    }
    cut(&text, LONGEST).into_owned()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::super::definitions::definitions;
    use super::*;

    fn leads(path: &str, text: &str) -> Vec<(String, usize, Vec<String>)> {
        let lines: Vec<&str> = text.lines().collect();
        let of = |found: &Definition| {
            let Lead { first, attributes } = lead(&lines, found);
            (found.name.clone(), first, attributes)
        };
        definitions(path, text).iter().map(of).collect()
    }

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[(&str, usize, &[&str])]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, first, attributes)| {
                ((*name).to_owned(), *first, attributes.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(leads(path, text), expected);
    }

    #[test]
    fn attributes_and_comments_belong_to_what_follows_them() {
        check(
            "a.rs",
            "\
//! Of the file.
/// Of a.
#[derive(Debug)]
#[cfg(all(
    unix,
    not(target_os = \"macos\"),
))]
// Why.
struct A {
    x: u8,
}

impl A {
    let_x!();
    /** Of
    b. */
    #[test_case(1; \"one\")]
    #[test_case(2)]
    pub fn b() {}
    pub fn c() {}

    // Of nothing.

    fn d() {}
}
",
            &[
                ("A", 2, &["#[cfg(all(unix, not(target_os = \"macos\")))]"]),
                ("A", 13, &[]),
                ("b", 15, &["#[test_case(1; \"one\")]", "#[test_case(2)]"]),
                ("c", 20, &[]),
                ("d", 24, &[]),
            ],
        );
    }

    #[test]
    fn decorators_inside_or_before_a_definition_are_its_own() {
        check(
            "a.py",
            "\
x = 1
# Of a.
@one(
    [
        1,
    ],
)
@two
def a():
    pass

class B:
    y = 2
    @property
    def c(self):
        pass
",
            &[("x", 1, &[]), ("a", 2, &["@one([1])", "@two"]), ("B", 12, &[]), ("c", 14, &["@property"])],
        );
        check(
            "A.java",
            "/** Of A. */\n@Entity\npublic class A {\n    @Override\n    public String b() { return \"\"; }\n}\n",
            &[("A", 1, &["@Entity"]), ("b", 4, &["@Override"])],
        );
        check("a.md", "# A\n## B\n", &[("A", 1, &[]), ("B", 2, &[])]);
        check("a.go", "package a\n\n// B is b.\n// It is.\nfunc B() {}\n", &[("B", 3, &[])]);
        let long = format!("@a(\"{}\")\ndef b():\n    pass\n", "x".repeat(200));
        assert!(leads("a.py", &long)[0].2[0].chars().count() <= LONGEST + 1);
    }
}
