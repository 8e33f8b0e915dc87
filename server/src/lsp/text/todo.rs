//! `TODO` and `FIXME` comments.

use super::comments::{Comment, comments};
use super::position::Text;

const MARKS: [&str; 2] = ["TODO", "FIXME"];

/// Longest comment, in lines, that counts as one.
const MOST_LINES: usize = 20;

/// A `TODO` or `FIXME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Todo {
    /// The line of its mark, from 0.
    pub(crate) line: usize,
    /// The last line of its text.
    pub(crate) last_line: usize,
    /// Its text, from the mark on, in one line.
    pub(crate) text: String,
}

/// The `TODO` or `FIXME` whose comment is on a line, counted from 0.
///
/// A comment over several lines is one; the mark may be on an earlier line of it. `TODO` and `FIXME`
/// count as words in capitals, and in small letters where they begin the comment with a colon, or an at sign as in
/// `@todo`.
pub(crate) fn todo_at(file: &str, text: &Text, line: usize) -> Option<Todo> {
    // Requested at every move of the cursor: most lines are far from any.
    let near = |line: usize| MARKS.iter().any(|mark| contains(text.line(line), mark));
    if !(line.saturating_sub(MOST_LINES)..=line.min(text.line_count() - 1)).any(near) {
        return None;
    }
    let comments = comments(file, text);
    let begun = |(index, comment): (usize, &Comment<'_>)| {
        let todo = todo(&comments, index, mark(comment.text)?);
        (todo.line <= line && line <= todo.last_line).then_some(todo)
    };
    comments.iter().enumerate().rev().filter(|(_, comment)| comment.line <= line).find_map(begun)
}

/// The one whose mark is at this byte of a comment.
fn todo(comments: &[Comment<'_>], index: usize, at: usize) -> Todo {
    let first = &comments[index];
    // `[TODO] fix` keeps both its brackets.
    let at = if first.text[..at].ends_with(['[', '(', '<']) { at - 1 } else { at };
    let mut parts = vec![first.text[at..].trim_start_matches('@')];
    let mut last_line = first.line;
    for next in comments[index + 1..].iter().take(MOST_LINES - 1) {
        let follows = next.line == last_line + 1 && next.alone && next.block == first.block;
        // A comment after one that ends a line of code is a separate one.
        let belongs = first.block.is_some() || first.alone;
        if !follows || !belongs || next.text.is_empty() || mark(next.text).is_some() {
            break;
        }
        parts.push(next.text);
        last_line = next.line;
    }
    Todo { line: first.line, last_line, text: parts.join(" ") }
}

/// The byte of the first mark in a comment.
fn mark(comment: &str) -> Option<usize> {
    if starts_lowercase(comment) {
        return Some(0);
    }
    MARKS
        .iter()
        .filter_map(|mark| comment.match_indices(mark).map(|(at, _)| at).find(|at| is_word(comment, *at, mark)))
        .min()
}

fn is_word(comment: &str, at: usize, mark: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let after = &comment[at + mark.len()..];
    // `TODO.md` and `TODO-list` are names.
    let named = after.starts_with(['.', '-']) && after[1..].starts_with(part);
    !comment[..at].ends_with(|c| part(c) || matches!(c, '-' | '.' | '/')) && !after.starts_with(part) && !named
}

/// `todo:`, `fixme(ann):`, `@todo` at the beginning.
fn starts_lowercase(comment: &str) -> bool {
    let (at, rest) = comment.strip_prefix('@').map_or((false, comment), |rest| (true, rest));
    MARKS.iter().any(|mark| {
        let Some(head) = rest.get(..mark.len()).filter(|head| head.eq_ignore_ascii_case(mark)) else { return false };
        let after = &rest[head.len()..];
        after.starts_with(':') || after.starts_with('(') || at && (after.is_empty() || after.starts_with(' '))
    })
}

fn contains(line: &str, mark: &str) -> bool {
    line.as_bytes().windows(mark.len()).any(|window| window.eq_ignore_ascii_case(mark.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str, line: usize) -> Option<String> {
        todo_at(file, &Text::new(text), line).map(|todo| format!("{}-{}: {}", todo.line, todo.last_line, todo.text))
    }

    #[test]
    fn a_mark_is_found_in_the_comments_of_many_languages() {
        for (file, text, parts) in [
            ("a.rs", "let a = 1; // TODO: mend", "TODO: mend"),
            ("a.rs", "//TODO mend", "TODO mend"),
            ("a.rs", "/// A hack. FIXME(ann): mend", "FIXME(ann): mend"),
            ("a.ts", "f(/* TODO mend */ 1)", "TODO mend"),
            ("a.php", " * @todo mend", ""),
            ("a.php", "/** @todo mend */", "todo mend"),
            ("a.py", "# todo: mend", "todo: mend"),
            ("a.py", "#FIXME mend", "FIXME mend"),
            ("a.sql", "-- TODO(#12) mend", "TODO(#12) mend"),
            ("a.lisp", ";;; TODO - mend", "TODO - mend"),
            ("a.tex", "% TODO mend", "TODO mend"),
            ("a.html", "<!-- TODO: mend -->", "TODO: mend"),
            ("a.vue", "<!-- [TODO] mend -->", "[TODO] mend"),
            ("Dockerfile", "RUN x # TODO", "TODO"),
        ] {
            let expected = (!parts.is_empty()).then(|| format!("0-0: {parts}"));
            assert_eq!(found(file, text, 0), expected, "{file}: {text}");
        }
    }

    #[test]
    fn the_word_in_other_words_in_code_and_in_strings_is_none() {
        for (file, text) in [
            ("a.rs", "todo!()"),
            ("a.rs", "// TODOS are here"),
            ("a.rs", "// the TODO_LIST"),
            ("a.rs", "// mastodont, a todo list"),
            ("a.rs", "// see docs/TODO.md"),
            ("a.rs", "let a = \"// TODO: no\";"),
            ("a.rs", "const TODO: u32 = 1;"),
            ("a.js", "fetch('http://x/TODO')"),
            ("a.py", "todo = 1"),
            ("a.md", "TODO: write this"),
        ] {
            assert_eq!(found(file, text, 0), None, "{file}: {text}");
        }
    }

    #[test]
    fn it_goes_on_with_its_comment_and_ends_with_it() {
        let text = "\
// Greets.
// TODO: mind empty names,
// and names of spaces.
//
// Not this.
fn a() {} // TODO: one
// About b.
fn b() {}
/* FIXME: two
 * lines. TODO: another

   more */
";
        for (line, expected) in [
            (0, None),
            (1, Some("1-2: TODO: mind empty names, and names of spaces.")),
            (2, Some("1-2: TODO: mind empty names, and names of spaces.")),
            (3, None),
            (4, None),
            (5, Some("5-5: TODO: one")),
            (6, None),
            (8, Some("8-8: FIXME: two")),
            (9, Some("9-9: TODO: another")),
            (11, None),
            (99, None),
        ] {
            assert_eq!(found("a.rs", text, line).as_deref(), expected, "line {line}");
        }
    }
}
