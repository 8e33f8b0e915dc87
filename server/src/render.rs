//! Small pure texts: numbers as people read them, and text from elsewhere made safe to show.

use std::time::Duration;

use crate::contracts::{Issue, Usage};

/// Tokens in at most four digits: `812`, `18.2k`, `1.3M`.
pub fn tokens(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        // Above these bounds a rounded "1000.0k" would come out.
        1_000..99_950 => format!("{:.1}k", count as f64 / 1e3),
        99_950..999_500 => format!("{:.0}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

/// US dollars: `$12.30`, `$0.042`, `<$0.01`; nothing spent is `$0.00`.
pub fn cost(usd: f64) -> String {
    if usd <= 0.0 {
        "$0.00".to_owned()
    } else if usd < 0.01 {
        "<$0.01".to_owned()
    } else if usd < 0.0995 {
        let text = format!("${usd:.3}");
        text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
    } else {
        format!("${usd:.2}")
    }
}

/// Tokens, and their cost where it is known: `18.2k tokens · $0.042`.
pub fn usage(usage: &Usage) -> String {
    let tokens = format!("{} tokens", tokens(usage.total_tokens()));
    match usage.cost_usd {
        Some(usd) => format!("{tokens} · {}", cost(usd)),
        None => tokens,
    }
}

/// Time as people tell it: `0.4 s`, `12 s`, `1 m 12 s`, `2 h 3 m`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        _ => whole_seconds(time),
    }
}

/// [`elapsed`] for a clock that is watched: without tenths.
pub fn whole_seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// One line that drives no terminal: escape sequences, control and direction characters out, white space joined.
pub fn plain(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    let visible: String = text.chars().filter_map(|c| if c.is_whitespace() { Some(' ') } else { shown(c) }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// [`plain`] for a text of several lines, whose indentation stays.
pub fn plain_lines(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    let lines = text.lines().map(|line| {
        let visible: String = line.chars().filter_map(|c| if c == '\t' { Some(' ') } else { shown(c) }).collect();
        visible.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `file:line: severity: text`, as compilers say it and editors jump to it.
pub fn issue_line(issue: &Issue) -> String {
    let Issue { file, line, severity, description, .. } = issue;
    format!("{}:{line}: {}: {}", plain(file), severity.as_str(), plain(description))
}

/// A unified diff for standard output: coloured where that is a terminal that wants colours.
pub fn diff(text: &str) -> String {
    let paint = |line: &str| {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => console::Style::new().bold(),
            [b'+', ..] => console::Style::new().green(),
            [b'-', ..] => console::Style::new().red(),
            [b'@', b'@', ..] => console::Style::new().cyan(),
            _ => return line.to_owned(),
        };
        style.apply_to(line).to_string()
    };
    plain_lines(text).lines().map(paint).collect::<Vec<_>>().join("\n")
}

/// A paragraph of one plain text, broken at `width` columns, the first line after `first`, the others after as many spaces.
pub fn paragraph(first: &str, text: &str, width: usize) -> String {
    let rest = " ".repeat(console::measure_text_width(first));
    // Words stay whole: a path broken in two can be neither read nor copied.
    let options = textwrap::Options::new(width).initial_indent(first).subsequent_indent(&rest).break_words(false);
    textwrap::fill(&plain(text), options)
}

/// `1 file`, `2 files`.
pub fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// JSON text with every character escaped that would drive a terminal; it says the same.
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match shown(c) {
            // Line ends stand between values only.
            None if c != '\n' => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => safe.push(c),
        }
    }
    safe
}

fn shown(c: char) -> Option<char> {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (!c.is_control() && !turns).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Severity;

    #[test]
    fn json_drives_no_terminal_and_says_the_same() {
        let value = serde_json::json!({ "text": "a\u{9b}31m\u{1b}[2J\u{202e}\u{7f}é\u{1F980}\n" });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = json(&text);
            assert_eq!(safe.chars().find(|c| shown(*c).is_none() && *c != '\n'), None, "{safe:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn tokens_keep_to_four_digits() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (18_249, "18.2k"),
            (99_949, "99.9k"),
            (99_950, "100k"),
            (999_499, "999k"),
            (999_500, "1.0M"),
            (1_340_000, "1.3M"),
        ] {
            assert_eq!(tokens(count), text);
        }
    }

    #[test]
    fn cost_is_never_rounded_to_nothing() {
        for (usd, text) in [
            (0.0, "$0.00"),
            (0.0004, "<$0.01"),
            (0.042, "$0.042"),
            (0.05, "$0.05"),
            (0.0999, "$0.10"),
            (0.4, "$0.40"),
            (12.3, "$12.30"),
        ] {
            assert_eq!(cost(usd), text);
        }
        let known = Usage { input_tokens: 18_000, output_tokens: 200, cost_usd: Some(0.042), ..Usage::default() };
        assert_eq!(usage(&known), "18.2k tokens · $0.042");
        assert_eq!(usage(&Usage { cost_usd: None, ..known }), "18.2k tokens");
    }

    #[test]
    fn time_is_told_in_two_units() {
        for (milliseconds, text) in [
            (0, "0.0 s"),
            (449, "0.4 s"),
            (9_999, "9.9 s"),
            (12_900, "12 s"),
            (72_000, "1 m 12 s"),
            (7_383_000, "2 h 3 m"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(whole_seconds(Duration::from_millis(2_900)), "2 s");
    }

    #[test]
    fn nothing_that_drives_a_terminal_is_left() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m\r\n\tnext\u{7}\u{202e}x\u{9b}31m"), "red nextx");
        assert_eq!(plain("\u{1b}\u{1b}[0m[2J\u{1b}]0;title\u{7}x").find(char::is_control), None);
        assert_eq!(plain_lines("# a\u{1b}[2J\n\n  - b\u{0}  \n"), "# a\n\n  - b");
    }

    #[test]
    fn an_issue_reads_like_a_compilers_message() {
        let issue = Issue {
            severity: Severity::Major,
            file: "src/a.rs".to_owned(),
            line: 12,
            end_line: None,
            quote: None,
            description: "The count\nis off by one.".to_owned(),
            suggested_fix: None,
            task_id: None,
            id: String::new(),
        };
        assert_eq!(issue_line(&issue), "src/a.rs:12: major: The count is off by one.");
    }

    #[test]
    fn a_paragraph_hangs_under_its_first_word() {
        assert_eq!(paragraph("  - ", "one two\nthree four", 14), "  - one two\n    three four");
        assert_eq!(paragraph("  ", "a/path/longer/than/the/width x", 10), "  a/path/longer/than/the/width\n  x");
    }
}
