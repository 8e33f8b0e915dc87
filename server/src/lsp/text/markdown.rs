//! Text of models as Markdown that shows exactly that text: it becomes no link, command, picture or HTML.

use crate::lsp::wire::to_proto::plain;
use crate::text::{cut, safe_lines};

/// Longest line shown, in characters.
const LONGEST_LINE: usize = 2000;

/// A model's text, line for line. Code, fenced or between backticks, stays code; everything else that Markdown would
/// interpret is escaped.
pub(crate) fn markdown(text: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    let mut prose: Vec<String> = Vec::new();
    let mut lines = text.trim().lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
            flush(&mut prose, &mut blocks);
            blocks.push(fenced(&code));
        } else if line.trim().is_empty() {
            flush(&mut prose, &mut blocks);
        } else {
            prose.push(inline(&plain(line, LONGEST_LINE)));
        }
    }
    flush(&mut prose, &mut blocks);
    blocks.join("\n\n")
}

/// A model's text in one line.
pub(crate) fn markdown_line(text: &str) -> String {
    inline(&plain(text, LONGEST_LINE))
}

/// The same text for a client that shows no Markdown.
pub(crate) fn plain_lines(text: &str) -> String {
    within_lines(text.trim())
}

fn within_lines(text: &str) -> String {
    safe_lines(text).lines().map(|line| cut(line, LONGEST_LINE)).collect::<Vec<_>>().join("\n")
}

/// One paragraph, its lines kept by hard breaks.
fn flush(prose: &mut Vec<String>, blocks: &mut Vec<String>) {
    if !prose.is_empty() {
        blocks.push(prose.join("  \n"));
        prose.clear();
    }
}

/// A fence longer than any run of backticks inside, so that nothing inside ends it.
fn fenced(code: &[&str]) -> String {
    let code = within_lines(&code.join("\n"));
    let fence = "`".repeat(longest_run(&code).max(2) + 1);
    format!("{fence}\n{code}\n{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Prose with its code spans.
fn inline(line: &str) -> String {
    let mut escaped_text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((code, tail)) = after.split_once('`').filter(|(code, _)| !code.trim().is_empty()) else { break };
        escaped_text.push_str(&escaped(before, escaped_text.is_empty()));
        escaped_text.push('`');
        escaped_text.push_str(code);
        escaped_text.push('`');
        rest = tail;
    }
    let at_start = escaped_text.is_empty();
    escaped_text.push_str(&escaped(rest, at_start));
    escaped_text
}

fn escaped(text: &str, at_start: bool) -> String {
    let mut escaped_text = String::with_capacity(text.len() + 8);
    // List items are harmless.
    let mut rest = text;
    if at_start && let Some(item) = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")) {
        escaped_text.push_str("- ");
        rest = item;
    }
    for (at, c) in rest.char_indices() {
        let first = at_start && at == 0;
        let special = match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '!' | '#' | '@' | '$' => true,
            // Bare addresses become links: `https://…`, `www.…`.
            ':' => rest[at..].starts_with("://") || is_address(&rest[..at]),
            '.' => rest[..at].to_ascii_lowercase().ends_with("www"),
            '-' | '+' | '=' => first,
            _ => false,
        };
        if special {
            escaped_text.push('\\');
        }
        escaped_text.push(c);
    }
    escaped_text
}

/// Schemes that become links without slashes.
fn is_address(before: &str) -> bool {
    let before = before.to_ascii_lowercase();
    ["mailto", "xmpp", "command", "vscode", "file", "javascript", "data"].iter().any(|scheme| before.ends_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_a_link_or_a_command() {
        for (text, escaped_text) in [
            ("[click](command:workbench.action.quit)", r"\[click\](command\:workbench.action.quit)"),
            ("![x](https://evil.example/p.png)", r"\!\[x\](https\://evil.example/p.png)"),
            ("<a href=x>y</a> &lt;", r"\<a href=x\>y\</a\> \&lt;"),
            ("see https://evil.example or www.evil.example", r"see https\://evil.example or www\.evil.example"),
            ("mail a@b.c, **bold**, a_b_c", r"mail a\@b.c, \*\*bold\*\*, a\_b\_c"),
            ("# Title", r"\# Title"),
            ("> quote", r"\> quote"),
            ("---", r"\---"),
            ("[x]: https://evil.example", r"\[x\]: https\://evil.example"),
            ("a `[b](c)` d `", r"a `[b](c)` d \`"),
            ("`` a ``", r"\`\` a \`\`"),
            ("red\u{1b}[31m \u{202e}txt", "red txt"),
        ] {
            assert_eq!(markdown(text), escaped_text, "{text}");
        }
    }

    #[test]
    fn code_stays_code_and_nothing_inside_ends_it() {
        let text = "Use this:\n```rust\nif a  {\n    b(\"`````\");\n}\n```\nand  that.\n\n- one\n- two";
        let escaped_text = "Use this:\n\n``````\nif a  {\n    b(\"`````\");\n}\n``````\n\nand that.\n\n- one  \n- two";
        assert_eq!(markdown(text), escaped_text);
        // An unclosed fence ends with the text.
        assert_eq!(markdown("```\na"), "```\na\n```");
    }

    #[test]
    fn plain_text_keeps_its_lines_and_loses_its_control_characters() {
        assert_eq!(plain_lines(" a\u{7}b\r\n\tc  d\u{202e}\n"), "ab\n    c  d");
        assert_eq!(markdown_line("a\n*b*"), r"a \*b\*");
    }
}
