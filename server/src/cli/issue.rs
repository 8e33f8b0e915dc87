//! How an issue is printed: for a person at a terminal as compilers show a fault, elsewhere as one line.

use anstyle::Style;

use super::color::{BLUE, BOLD, GREEN, Look, RED, YELLOW};
use crate::contracts::{Issue, Severity};
use crate::text;

/// Lines of code that are shown of a quote.
const MOST_QUOTED: usize = 6;

/// An issue, and what else is said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) issue: &'a Issue,
    /// Its state, as in `fixed`; empty where it has none, or where that is said otherwise.
    pub(super) state: &'a str,
    /// Notes that stand below it.
    pub(super) notes: &'a [String],
}

impl<'a> Shown<'a> {
    /// The issue alone.
    pub(super) fn new(issue: &'a Issue) -> Self {
        Self { issue, state: "", notes: &[] }
    }
}

/// Issues for a terminal of so many columns.
pub(super) fn blocks<'a>(issues: impl IntoIterator<Item = Shown<'a>>, columns: usize, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for shown in issues {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(block(shown, columns, look));
    }
    lines
}

/// `file:line: severity: text`, the format of compilers, which editors can jump to. Without a line where none is known.
pub(super) fn line(issue: &Issue) -> String {
    let Issue { file, line, severity, description, refuted, .. } = issue;
    let (file, description) = (text::safe_line(file), text::safe_line(description));
    let refuted =
        refuted.as_ref().map(|refuted| format!(" ({})", text::safe_line(&refuted.words()))).unwrap_or_default();
    match issue.is_placed() {
        true => format!("{file}:{line}: {}: {description}{refuted}", severity.as_str()),
        false => format!("{file}: {}: {description} (no place in the code was found){refuted}", severity.as_str()),
    }
}

/// As cargo shows a fault: what it is, where, the code behind a gutter, then notes and the suggested fix.
fn block(Shown { issue, state, notes }: Shown<'_>, columns: usize, look: Look) -> Vec<String> {
    let description = text::safe_line(&issue.description);
    let (title, rest) = title_of(&description);
    let mut lines = head(issue, state, title, columns, look);
    let number = issue.line.to_string();
    let gutter = " ".repeat(if issue.is_placed() { number.len() } else { 1 });
    let blue = |text: &str| look.paint(BLUE.bold(), text);
    let file = text::safe_line(&issue.file);
    let place = if issue.is_placed() { format!("{file}:{number}") } else { file };
    lines.push(format!("{gutter}{} {}", blue("-->"), look.paint(BLUE, &place)));
    let quote = issue.quote.as_deref().map(text::safe_lines).filter(|quote| !quote.trim().is_empty());
    if let Some(quote) = quote.filter(|_| issue.is_placed()) {
        let bar = format!("{gutter} {}", blue("|"));
        lines.push(bar.clone());
        for (at, code) in quote.lines().take(MOST_QUOTED).enumerate() {
            let room = columns.saturating_sub(gutter.len() + 3);
            let code = text::fitted(code.trim_end(), room);
            // Only the first line's number is sure: a quote may leave lines out.
            let number = if at == 0 { blue(&format!("{number} |")) } else { bar.clone() };
            lines.push(format!("{number} {code}").trim_end().to_owned());
        }
        lines.push(bar);
    }
    let mut below = |word: &str, said: &str, style: Style| {
        let mark = format!("{gutter} {} {} ", blue("="), look.paint(style, &format!("{word}:")));
        let rest = " ".repeat(gutter.len() + 3 + 2);
        let mut said_lines = text::safe_lines(said).lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
        let first = said_lines.next().unwrap_or_default();
        lines.push(text::hanging(&mark, &rest, &first, columns));
        for line in said_lines {
            let indent = line.len() - line.trim_start().len();
            let first = format!("{rest}{}", " ".repeat(indent.min(columns / 3)));
            lines.push(text::hanging(&first, &first, &line, columns).trim_end().to_owned());
        }
    };
    if !rest.is_empty() {
        below("note", rest, BOLD);
    }
    if !issue.is_placed() {
        below("note", "no place in the code was found", BOLD);
    }
    if let Some(refuted) = &issue.refuted {
        below("note", &text::safe_line(&refuted.words()), BOLD);
    }
    for note in notes {
        below("note", note, BOLD);
    }
    if let Some(fix) = issue.suggested_fix.as_deref().map(str::trim).filter(|fix| !fix.is_empty()) {
        below("help", fix, GREEN.bold());
    }
    lines
}

/// `major[3f2a5b6c7d8e]: the title`, wrapped, the severity in its colour and everything bold.
fn head(issue: &Issue, state: &str, title: &str, columns: usize, look: Look) -> Vec<String> {
    let id = text::safe_line(&text::encoded(&issue.id));
    let id = if id.is_empty() { id } else { format!("[{id}]") };
    let state = if state.is_empty() { String::new() } else { format!(" ({state})") };
    let severity = issue.severity.as_str();
    let mark = format!("{severity}{id}{state}: ");
    let wrapped = text::hanging(&mark, "  ", title, columns);
    let painted = |(at, line): (usize, &str)| match line.strip_prefix(severity).filter(|_| at == 0) {
        Some(rest) => format!("{}{}", look.paint(color_of(issue.severity).bold(), severity), look.paint(BOLD, rest)),
        None => look.paint(BOLD, line),
    };
    wrapped.lines().enumerate().map(painted).collect()
}

fn color_of(severity: Severity) -> Style {
    match severity {
        Severity::Critical => RED,
        Severity::Major => YELLOW,
        Severity::Minor => BLUE,
        Severity::Suggestion => GREEN,
    }
}

/// The first sentence of a description, and what comes after it.
fn title_of(description: &str) -> (&str, &str) {
    const SHORTEST: usize = 12;
    let ends = description.match_indices(". ").map(|(at, _)| at + 1);
    let is_end = |end: usize| {
        let before = &description[..end - 1];
        end >= SHORTEST && !before.ends_with("e.g") && !before.ends_with("i.e")
    };
    let mut ends = ends.filter(|end| is_end(*end));
    match ends.next() {
        Some(end) => (&description[..end], description[end..].trim()),
        None => (description, ""),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::contracts::Refuted;

    fn issue() -> Issue {
        Issue {
            severity: Severity::Major,
            file: "src/a.rs".to_owned(),
            line: 12,
            end_line: None,
            quote: None,
            description: "The count\nis off by one.".to_owned(),
            suggested_fix: None,
            task_id: None,
            placed: None,
            refuted: None,
            id: String::new(),
        }
    }

    #[test]
    fn an_issue_reads_like_a_compilers_message() {
        let issue = issue();
        assert_eq!(line(&issue), "src/a.rs:12: major: The count is off by one.");
        let unplaced = Issue { placed: Some(false), file: "../x\u{1b}[2J".to_owned(), ..issue.clone() };
        assert_eq!(line(&unplaced), "../x: major: The count is off by one. (no place in the code was found)");
        let reason = "Line 9\nbounds it.".to_owned();
        let refuted = Some(Refuted { by: "test:m".to_owned(), reason, severity: Severity::Major });
        let issue = Issue { severity: Severity::Suggestion, refuted, ..issue };
        assert_eq!(line(&issue), "src/a.rs:12: suggestion: The count is off by one. (refuted: Line 9 bounds it.)");
    }

    #[test]
    fn on_a_terminal_it_is_shown_as_cargo_shows_a_fault() {
        let full = Issue {
            quote: Some("    for i in 0..=numbers.len() { total += numbers[i]; }\u{1b}[2J\n        x();".to_owned()),
            description:
                "The loop runs one time too often. With n = 0, e.g. in an empty file, it still runs once, and the \
                          total is wrong."
                    .to_owned(),
            suggested_fix: Some("Use `0..n`:\n\n    for i in 0..n {".to_owned()),
            id: "3f2a5b6c7d8e".to_owned(),
            ..issue()
        };
        let reason = "Line 9\nbounds it.".to_owned();
        let refuted = Some(Refuted { by: "test:m".to_owned(), reason, severity: Severity::Major });
        let unplaced = Issue { placed: Some(false), severity: Severity::Critical, refuted, ..issue() };
        let notes = ["review against 1a2b3c4".to_owned()];
        let shown = [Shown { issue: &full, state: "fixed", notes: &notes }, Shown::new(&unplaced)];
        expect![[r#"
            major[3f2a5b6c7d8e] (fixed): The loop
              runs one time too often.
              --> src/a.rs:12
               |
            12 |     for i in 0..=numbers.len() {…
               |         x();
               |
               = note: With n = 0, e.g. in an empty
                   file, it still runs once, and the
                   total is wrong.
               = note: review against 1a2b3c4
               = help: Use `0..n`:

                       for i in 0..n {

            critical: The count is off by one.
             --> src/a.rs
              = note: no place in the code was found
              = note: refuted: Line 9 bounds it."#]]
        .assert_eq(&blocks(shown, 40, Look::Plain).join("\n"));
        for columns in [20, 40, 80, 120] {
            let drawn = blocks(shown, columns, Look::Color).join("\n");
            let plain = console::strip_ansi_codes(&drawn);
            assert_eq!(plain, blocks(shown, columns, Look::Plain).join("\n"), "colours take no room");
            if columns >= 40 {
                let long = plain.lines().find(|line| line.chars().count() > columns);
                assert_eq!(long, None, "{plain}");
            }
        }
    }

    #[test]
    fn severity_title_and_place_have_colours_and_weights() {
        let issue = Issue { id: "3f2a".to_owned(), quote: Some("x".to_owned()), ..issue() };
        let drawn = blocks([Shown::new(&issue)], 80, Look::Color).join("\n");
        let (bold, yellow, end) = ("\u{1b}[1m", "\u{1b}[33m", "\u{1b}[0m");
        let head = format!("{bold}{yellow}major{end}{bold}[3f2a]: The count is off by one.{end}\n");
        assert!(drawn.starts_with(&head), "{drawn:?}");
        assert!(drawn.contains("\u{1b}[94msrc/a.rs:12"), "{drawn:?}");
        let weights = blocks([Shown::new(&issue)], 80, Look::Weight).join("\n");
        assert!(weights.starts_with(&format!("{bold}major{end}{bold}[3f2a]")), "{weights:?}");
        assert!(!weights.contains("\u{1b}[9") && !weights.contains("\u{1b}[3"), "{weights:?}");
    }
}
