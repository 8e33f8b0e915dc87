//! `baton log`: the conversations of a run, readable.

use super::color::{BOLD, CYAN, DIM, HEADING, Look};
use super::diff::painted;
use super::failure::Failure;
use super::output::{print_bytes, terminal_columns};
use super::pager::page;
use super::session::{Session, Start};
use super::workflow_commands::disarmed;
use crate::config::Overrides;
use crate::text;
use crate::workflow::{self, LogBlock};

/// Print the log of a run: by the width of the terminal, and as Markdown elsewhere.
pub(super) fn log(start: &Start<'_>, run: Option<&str>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        return Err(Failure::usage("nothing has been run here yet, so there is no log"));
    };
    let log = workflow::run_log(&store, run)?;
    match terminal_columns() {
        Some(columns) => page(&drawn(&log.blocks, usize::from(columns.clamp(20, 120)), Look::of_stdout()))?,
        None => print_bytes(disarmed(&log.markdown()).as_bytes())?,
    }
    Ok(0)
}

/// The log for a terminal of so many columns.
fn drawn(blocks: &[LogBlock], columns: usize, look: Look) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in blocks {
        match block {
            LogBlock::Heading { level, text } => {
                if !lines.is_empty() {
                    lines.push(String::new());
                }
                lines.push(heading(*level, text, columns, look));
            }
            LogBlock::Note(note) => lines.push(text::paragraph("", note, columns)),
            LogBlock::Event(event) => {
                lines.push(look.paint(DIM, &text::paragraph("", event, columns)));
            }
            LogBlock::Said(said) => lines.extend(said_lines(said, columns)),
            LogBlock::Step { call, result } => lines.push(step(call, result, columns, look)),
            LogBlock::Lines { text, .. } if text.trim().is_empty() => {}
            LogBlock::Lines { language: "diff", text } => lines.extend(indented(&painted(text))),
            LogBlock::Lines { text, .. } => {
                lines.extend(indented(&text::safe_lines(text)).map(|line| look.paint(DIM, &line)));
            }
        }
    }
    lines.join("\n")
}

fn heading(level: u8, words: &str, columns: usize, look: Look) -> String {
    look.paint(if level < 3 { HEADING } else { BOLD }, &text::paragraph("", words, columns))
}

/// What was said: prose is wrapped, what is indented or in a fence stays as it is.
fn said_lines(said: &str, columns: usize) -> Vec<String> {
    let mut is_fenced = false;
    let safe = text::safe_lines(said);
    let line = |line: &str| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        match is_fenced || is_fence || line.starts_with("    ") || line.is_empty() {
            true => line.to_owned(),
            false => text::paragraph("", line, columns),
        }
    };
    safe.lines().map(line).collect()
}

fn step(call: &str, result: &str, columns: usize, look: Look) -> String {
    let call = text::safe_line(call);
    if call.is_empty() {
        return text::paragraph("  · ", result, columns);
    }
    let line = step_line(&call, columns, look);
    match text::safe_line(result) {
        result if result.is_empty() => line,
        result if call.chars().count() + result.chars().count() + 6 <= columns => format!("{line}  {result}"),
        result => format!("{line}\n{}", text::paragraph("    ", &result, columns)),
    }
}

/// A call behind its bullet, wrapped by words. Each line is painted by itself.
fn step_line(call: &str, columns: usize, look: Look) -> String {
    const BULLET: &str = "  · ";
    let wrapped = text::paragraph("    ", call, columns);
    let paint = |line: &str| look.paint(CYAN, line.trim_start());
    format!("{BULLET}{}", wrapped.lines().map(paint).collect::<Vec<_>>().join("\n    "))
}

fn indented(lines: &str) -> impl Iterator<Item = String> {
    lines.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drawn_by_width_and_safe() {
        let blocks = [
            LogBlock::Heading { level: 1, text: "Run 1".to_owned() },
            LogBlock::Note("Some words that are longer than forty columns are.".to_owned()),
            LogBlock::Said(
                "First I look.\u{1b}]0;x\u{7}\n```\nlet a_long_line = of_code_that_stays_whole_anyway();\n```"
                    .to_owned(),
            ),
            LogBlock::Step { call: "read_file src/a.rs 1–9".to_owned(), result: "9 lines".to_owned() },
            LogBlock::Step {
                call: "search \"a long pattern\" in src".to_owned(),
                result: "12 lines, 400 bytes".to_owned(),
            },
            LogBlock::Step { call: "search \"a pattern of several words\" in tests".to_owned(), result: String::new() },
            LogBlock::Lines { language: "diff", text: "-a\n+b".to_owned() },
        ];
        let drawn = console::strip_ansi_codes(&drawn(&blocks, 40, Look::Color)).into_owned();
        let expected = "Run 1\nSome words that are longer than forty\ncolumns are.\nFirst I look.\n```\nlet a_long_line = \
                        of_code_that_stays_whole_anyway();\n```\n  · read_file src/a.rs 1–9  9 lines\n  · search \"a long \
                        pattern\" in src\n    12 lines, 400 bytes\n  · search \"a pattern of several words\"\n    in \
                        tests\n    -a\n    +b";
        assert_eq!(drawn, expected);
        assert!(!drawn.contains(['\u{1b}', '\u{7}']));
    }
}
