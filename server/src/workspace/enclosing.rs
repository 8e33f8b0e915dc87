//! Which definition a line stands in, by indentation and first words: enough for the heading of a hunk.

use crate::text::head_bytes;

/// Lines that are looked at above one.
const MOST_LINES: usize = 5_000;

/// Words that begin a definition, behind modifiers.
const DEFINING: &[&str] = &[
    "fn",
    "def",
    "class",
    "struct",
    "enum",
    "trait",
    "impl",
    "interface",
    "module",
    "mod",
    "namespace",
    "func",
    "function",
    "sub",
    "record",
    "object",
    "protocol",
    "extension",
    "macro_rules!",
    "union",
    "package",
    "contract",
    "proc",
];

/// Words that may stand before them.
const MODIFIERS: &[&str] = &[
    "pub",
    "async",
    "const",
    "unsafe",
    "extern",
    "export",
    "default",
    "abstract",
    "static",
    "final",
    "public",
    "private",
    "protected",
    "internal",
    "override",
    "virtual",
    "inline",
    "sealed",
    "open",
    "data",
    "local",
    "partial",
    "readonly",
    "declare",
    "synchronized",
    "typedef",
    "template",
];

/// Words that begin a block which is no definition.
const CONTROL: &[&str] = &[
    "if", "else", "elif", "elsif", "for", "foreach", "while", "do", "switch", "match", "case", "loop", "try", "catch",
    "except", "finally", "with", "until", "unless", "when", "return", "let", "await", "select", "begin", "rescue",
    "ensure", "guard", "defer", "go", "using", "lock", "repeat", "yield", "throw", "new", "where", "in",
];

/// The index of the line that begins the definition around the line at `at`; the line itself, where it begins one.
pub(super) fn enclosing_definition(lines: &[&str], at: usize) -> Option<usize> {
    let at = at.min(lines.len().checked_sub(1)?);
    let is_line = |index: &usize| !lines[*index].trim().is_empty();
    // A blank line stands where the text around it does.
    let start = (at..lines.len()).find(is_line).or_else(|| (0..at).rev().find(is_line))?;
    if is_definition(lines[start]) {
        return Some(start);
    }
    // Lines that are less indented than this are around it.
    let mut inside = outside_of(lines[start]);
    for index in (0..start).rev().take(MOST_LINES) {
        let line = lines[index];
        if line.trim().is_empty() || indentation(line) >= inside {
            continue;
        }
        if is_definition(line) {
            return Some(index);
        }
        inside = outside_of(line);
        if inside == 0 {
            return None;
        }
    }
    None
}

/// From which indentation on lines do not stand around this one. A line that only ends a head (`{`, `) -> u32 {`) stands in
/// the same definition as the one it goes on from.
fn outside_of(line: &str) -> usize {
    let goes_on = line.trim_start().starts_with(['{', ')', ']']) || first_word(line) == "where";
    indentation(line) + usize::from(goes_on)
}

fn indentation(line: &str) -> usize {
    const TAB: usize = 4;
    line.chars().take_while(|c| matches!(c, ' ' | '\t')).map(|c| if c == '\t' { TAB } else { 1 }).sum()
}

fn first_word(line: &str) -> &str {
    let line = line.trim_start();
    line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '!' | '$'))).next().unwrap_or_default()
}

fn is_definition(line: &str) -> bool {
    // No head is longer.
    const LONGEST: usize = 500;
    let mut rest = head_bytes(line.trim(), LONGEST);
    loop {
        let word = first_word(rest);
        if word.is_empty() || CONTROL.contains(&word) {
            return false;
        }
        if DEFINING.contains(&word) {
            return true;
        }
        if !MODIFIERS.contains(&word) {
            break;
        }
        rest = rest[word.len()..].trim_start();
        // `pub(crate)`, `extern "C"`.
        for (open, close) in [('(', ')'), ('"', '"')] {
            let inner = rest.strip_prefix(open).and_then(|inner| inner.split_once(close));
            rest = inner.map_or(rest, |(_, behind)| behind.trim_start());
        }
    }
    let is_head = rest.ends_with('{') || (rest.ends_with(')') && indentation(line) == 0);
    let before_arguments = rest.split('(').next().unwrap_or_default();
    let is_arrow = rest.contains("=>") || rest.contains("function");
    // `int main(void)`, `size() {`, `const size = () => {`, but no `x = call(`.
    is_head && rest.contains('(') && (is_arrow || !before_arguments.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition around the line that has `HERE`.
    fn around(text: &str) -> Option<&str> {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.contains("HERE")).unwrap();
        enclosing_definition(&lines, at).map(|index| lines[index].trim())
    }

    #[test]
    fn a_line_stands_in_the_definition_around_it() {
        for (text, expected) in [
            ("fn one() {\n    1\n}\n\nfn two() {\n    if x {\n        HERE\n    }\n}\n", Some("fn two() {")),
            ("pub(crate) fn f(\n    a: u32,\n) -> u32 {\n    HERE\n}\n", Some("pub(crate) fn f(")),
            ("impl A {\n    fn b() {}\n\n    // HERE\n}\n", Some("impl A {")),
            ("class A:\n    def b(self):\n        pass\n\n    HERE = 1\n", Some("class A:")),
            ("async def b(self):\n    for x in y:\n        HERE\n", Some("async def b(self):")),
            ("int\nmain(void)\n{\n\tHERE;\n}\n", Some("main(void)")),
            ("class A {\n  public int size(int a) {\n    HERE;\n", Some("public int size(int a) {")),
            ("export const size = async (a) => {\n  HERE\n}\n", Some("export const size = async (a) => {")),
            ("func (s *Server) Run() error {\n\tfor {\n\t\tHERE\n", Some("func (s *Server) Run() error {")),
            ("fn HERE() {\n}\n", Some("fn HERE() {")),
            ("fn one() {\n}\n\nconst HERE: u32 = 1;\n", None),
            ("# Title\n\nHERE\n", None),
            ("HERE\n", None),
        ] {
            assert_eq!(around(text), expected, "{text}");
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        assert_eq!(enclosing_definition(&[], 0), None);
        assert_eq!(enclosing_definition(&["", " "], 7), None);
        let deep: Vec<String> = (0..20_000).rev().map(|n| format!("{}x", " ".repeat(n % 300))).collect();
        let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
        assert_eq!(enclosing_definition(&deep, 19_999), None);
        assert_eq!(enclosing_definition(&["pub(", "\"", "é("], 2), None);
    }
}
