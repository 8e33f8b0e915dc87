//! Text from elsewhere as Markdown that shows exactly that text: it becomes no link, command, picture or HTML, no
//! heading, quotation or table, and nothing in it ends the block it stands in.
//!
//! Source: the CommonMark specification 0.31 (sections 2.4, 2.5, 4, 6), GitHub's extensions to it (tables, strikethrough,
//! autolinks), and what editors render besides: formulas between `$`, definition lists, metadata blocks.

use std::sync::LazyLock;

use regex::Regex;

use super::safe::{escaped as visible, is_unsafe, safe_line, safe_lines};

/// What programs make a link of without being asked: an address with its scheme, or the address of a web page or a
/// mailbox. Shown as code it is none, and reads as what it is.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let schemes = "about|blob|command|cursor|data|file|ftps?|https?|javascript|mailto|ms-[a-z-]+|sms|ssh|tel|vbscript|\
                   view-source|vscode[a-z-]*|xmpp";
    let address = format!(
        r"(?i)[a-z][a-z0-9+.-]*:/|[a-z0-9+.-]*(?:{schemes}):[^\s:]|www\.|//[a-z0-9\[]|[a-z0-9._%+-]+@[a-z0-9-]+\.[a-z0-9]"
    );
    #[expect(clippy::expect_used, reason = "the pattern is written above, and every test of this file uses it")]
    Regex::new(&address).expect("a pattern that is one")
});

/// A text of several lines. Code, fenced or between backticks, stays code, and lists stay lists.
pub fn markdown(text: &str) -> String {
    let text = safe_lines(text);
    let mut blocks: Vec<String> = Vec::new();
    let mut prose: Vec<String> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(fence) = fence(line) {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !ends(line, fence)).collect();
            flush(&mut prose, &mut blocks);
            blocks.push(code_block(&code.join("\n")));
            continue;
        }
        match safe_line(line).as_str() {
            "" => flush(&mut prose, &mut blocks),
            line => prose.push(of_line(line, true)),
        }
    }
    flush(&mut prose, &mut blocks);
    blocks.join("\n\n")
}

/// A text in one line, wherever it stands in a line of ours. Code between backticks stays code.
pub fn markdown_line(text: &str) -> String {
    of_line(&safe_line(text), false)
}

/// A name, such as a path, as code; what is unsafe in it stays to be seen.
pub fn code(name: &str) -> String {
    let name = if name.contains(is_unsafe) { visible(name) } else { name.to_owned() };
    let fence = "`".repeat(longest_run(&name) + 1);
    // One blank at either end is not shown, and keeps backticks apart.
    let blank = if name.starts_with('`') || name.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{name}{blank}{fence}")
}

/// A text as a block of code. No line of it ends the block.
pub fn code_block(text: &str) -> String {
    let text = safe_lines(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

/// How many backticks open a block of code in this line, if they do.
fn fence(line: &str) -> Option<usize> {
    let line = line.trim_start();
    let rest = line.trim_start_matches('`');
    let run = line.len() - rest.len();
    (run >= 3 && !rest.contains('`')).then_some(run)
}

/// Whether a line ends the block that so many backticks opened.
fn ends(line: &str, fence: usize) -> bool {
    let line = line.trim();
    line.len() >= fence && line.bytes().all(|byte| byte == b'`')
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// One paragraph, its lines kept by hard breaks.
fn flush(prose: &mut Vec<String>, blocks: &mut Vec<String>) {
    if !prose.is_empty() {
        blocks.push(prose.join("  \n"));
        prose.clear();
    }
}

/// One line, of which no block begins but, where they are wanted, an item of a list.
fn of_line(line: &str, lists: bool) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut rest = line;
    while let Some((marker, content)) = item(rest).filter(|(_, content)| lists && !content.is_empty()) {
        // Another mark than that of our own lists, which thus remain lists of their own.
        out.push_str(if marker.len() == 1 { "*" } else { marker });
        out.push(' ');
        rest = content;
    }
    let start = block_start(rest);
    out.push_str(&rest[..start]);
    if start < rest.len() && (start > 0 || opens_block(rest)) {
        out.push('\\');
        out.push_str(&rest[start..=start]);
        inline(&mut out, &rest[start + 1..], rest[start..].chars().next());
    } else {
        inline(&mut out, rest, None);
    }
    out
}

/// The mark of a list's item at the beginning of a line, and what comes after it.
fn item(line: &str) -> Option<(&str, &str)> {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = match line.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..10).contains(&digits) => digits + 1,
        _ => return None,
    };
    let (marker, content) = line.split_at(length);
    match content.strip_prefix(' ') {
        Some(content) => Some((marker, content.trim_start())),
        None => content.is_empty().then_some((marker, "")),
    }
}

/// Where in a line the character stands that is to be escaped so that no block begins: behind the digits of a numbered
/// item, else at the beginning.
fn block_start(line: &str) -> usize {
    item(line).map_or(0, |(marker, _)| marker.len() - 1)
}

/// Whether the first character of a line may make something else of it than a paragraph.
fn opens_block(line: &str) -> bool {
    let next = line.chars().nth(1);
    match line.chars().next() {
        Some('>' | '#' | '=' | '|' | ':') => true,
        Some('-' | '+') => !next.is_some_and(char::is_alphanumeric),
        _ => false,
    }
}

/// What stands in a line: code as it is, addresses as code, and everything that Markdown would interpret escaped.
fn inline(out: &mut String, text: &str, before: Option<char>) {
    let (mut rest, mut before) = (text, before);
    while let Some(at) = rest.find('`') {
        prose(out, &rest[..at], before);
        before = Some('`');
        let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let inside = &rest[at + run..];
        match closing(inside, run).filter(|end| !inside[..*end].trim().is_empty()) {
            Some(end) => {
                apart(out);
                out.push_str(&rest[at..at + run + end + run]);
                rest = &inside[end + run..];
            }
            None => {
                (0..run).for_each(|_| out.push_str("\\`"));
                rest = inside;
            }
        }
    }
    prose(out, rest, before);
}

/// Where the code ends that so many backticks opened.
fn closing(inside: &str, run: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = inside[from..].find('`').map(|at| from + at) {
        let length = inside[at..].len() - inside[at..].trim_start_matches('`').len();
        if length == run {
            return Some(at);
        }
        from = at + length;
    }
    None
}

/// Keeps a backtick that is written next from joining one before it.
fn apart(out: &mut String) {
    if out.ends_with('`') {
        out.push(' ');
    }
}

/// Text without code.
fn prose(out: &mut String, text: &str, before: Option<char>) {
    let (mut rest, mut before) = (text, before);
    while let Some(found) = ADDRESS.find(rest) {
        let from = &rest[found.start()..];
        let word = from.find(char::is_whitespace).map_or(from, |end| &from[..end]);
        // What ends the sentence is not the address.
        let address = word.trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '/');
        let address = if address.is_empty() { word } else { address };
        escape(out, &rest[..found.start()], before, from.chars().next());
        apart(out);
        out.push_str(&code(address));
        before = Some('`');
        rest = &from[address.len()..];
    }
    escape(out, rest, before, None);
}

/// Text without code and addresses. `before` and `after` are the characters around it.
fn escape(out: &mut String, text: &str, before: Option<char>, after: Option<char>) {
    let mut before = before;
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let next = rest.chars().next().or(after);
        let is = |neighbour: Option<char>, what: fn(char) -> bool| neighbour.is_some_and(what);
        let special = match c {
            '\\' | '`' | '[' | '~' | '$' | '^' => true,
            '*' => !(is(before, |c| c == ' ') && is(next, |c| c == ' ')),
            '_' => !(is(before, char::is_alphanumeric) && is(next, char::is_alphanumeric)),
            '<' => !is(next, |c| c == ' ' || c == '=' || c.is_ascii_digit()),
            '&' => is_entity(rest),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

/// Whether what follows a `&` makes a character of it: `lt;`, `#x202e;`.
fn is_entity(rest: &str) -> bool {
    let name = rest.trim_start_matches(|c: char| c == '#' || c.is_ascii_alphanumeric());
    name.len() < rest.len() && name.starts_with(';')
}

#[cfg(test)]
mod tests;
