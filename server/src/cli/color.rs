//! Whether colours and weights are written, and which ones.
//!
//! Strongest first: the flag `--color`; `NO_COLOR` and `CLICOLOR=0`, which take the colours of a terminal and leave its
//! weights; `FORCE_COLOR` and `CLICOLOR_FORCE`; whether the stream is a terminal that draws (`TERM` is set, and not to `dumb`).
//! `anstream` decides, as it does for clap.

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::builder::Styles;

use crate::config;
use crate::text;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const HEADING: Style = Style::new().bold().underline();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const BLUE: Style = AnsiColor::BrightBlue.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

/// How text is drawn on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// In colours and weights.
    Color,
    /// In weights alone: bold, dim and underlined.
    Weight,
    /// Without any escape sequence.
    Plain,
}

impl Look {
    /// That of standard output.
    pub(super) fn of_stdout() -> Self {
        let out = io::stdout();
        Self::from(AutoStream::choice(&out), out.is_terminal())
    }

    /// That of standard error.
    pub(super) fn of_stderr() -> Self {
        let err = io::stderr();
        Self::from(AutoStream::choice(&err), err.is_terminal())
    }

    fn from(choice: ColorChoice, is_terminal: bool) -> Self {
        match choice {
            ColorChoice::Never if is_terminal && draws() && ColorChoice::global() != ColorChoice::Never => Self::Weight,
            ColorChoice::Never => Self::Plain,
            ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Self::Color,
        }
    }

    /// A text in this style, each line for itself, so that a line shown alone, as in a pager, has its own.
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        let style = match self {
            Self::Color => style,
            Self::Weight => Style::new().effects(style.get_effects()),
            Self::Plain => return text.to_owned(),
        };
        let line = |line: &str| if line.is_empty() { String::new() } else { format!("{style}{line}{style:#}") };
        text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A paragraph whose text, not what stands before it, is in a style.
pub(super) fn paragraph(look: Look, first: &str, style: Style, text: &str, width: usize) -> String {
    let indent = text::columns_of(first);
    let body = text::paragraph("", text, width.saturating_sub(indent));
    let before = |at: usize| if at == 0 { first.to_owned() } else { " ".repeat(indent) };
    let line = |(at, line): (usize, &str)| format!("{}{}", before(at), look.paint(style, line));
    body.lines().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether the terminal understands escape sequences.
pub(super) fn draws() -> bool {
    config::variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb") || cfg!(windows)
}

/// Whether the flag asks for colours wherever the output goes.
pub(super) fn is_asked_for() -> bool {
    ColorChoice::global() == ColorChoice::Always
}

/// Take over the flag, for everything that this process writes from now on.
pub(super) fn choose(flag: clap::ColorChoice) {
    let choice = match flag {
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
        clap::ColorChoice::Auto if set("NO_COLOR") => ColorChoice::Auto,
        clap::ColorChoice::Auto if set("FORCE_COLOR") => ColorChoice::AlwaysAnsi,
        clap::ColorChoice::Auto => ColorChoice::Auto,
    };
    choice.write_global();
    console::set_colors_enabled(Look::of_stdout() != Look::Plain);
    console::set_colors_enabled_stderr(Look::of_stderr() != Look::Plain);
}

/// The styles of clap's own texts; without colours where these are not wanted.
pub(super) fn clap_styles() -> Styles {
    match Look::of_stdout() == Look::Weight || Look::of_stderr() == Look::Weight {
        true => Styles::plain().header(HEADING).usage(HEADING).literal(BOLD).error(BOLD).valid(BOLD).invalid(BOLD),
        false => Styles::styled(),
    }
}

/// The flag in the words of a command line that is not parsed yet, or cannot be: what is said of that has its colours too.
pub(super) fn flag_in(words: &[std::ffi::OsString]) -> clap::ColorChoice {
    let mut words = words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--");
    let mut flag = clap::ColorChoice::Auto;
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.next().unwrap_or_default(),
            Some(value) => value.strip_prefix('=').unwrap_or_default(),
            None => continue,
        };
        flag = value.parse().unwrap_or(flag);
    }
    flag
}

/// Whether a variable is set to something that means yes.
fn set(name: &str) -> bool {
    config::variable(name).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_loses_its_colour_before_its_weight() {
        let red = RED.bold();
        assert_eq!(Look::Color.paint(red, "a\n\nb"), "\u{1b}[1m\u{1b}[31ma\u{1b}[0m\n\n\u{1b}[1m\u{1b}[31mb\u{1b}[0m");
        assert_eq!(Look::Weight.paint(red, "a"), "\u{1b}[1ma\u{1b}[0m");
        assert_eq!(Look::Weight.paint(RED, "a"), "a");
        assert_eq!(Look::Plain.paint(red, "a"), "a");
    }

    #[test]
    fn the_flag_is_found_before_the_words_are_parsed() {
        let flag = |words: &str| flag_in(&words.split(' ').map(Into::into).collect::<Vec<_>>());
        assert_eq!(flag("run --color never --bad"), clap::ColorChoice::Never);
        assert_eq!(flag("--color=always"), clap::ColorChoice::Always);
        for auto in ["run", "--color", "--color=red", "--colors always", "run -- --color never"] {
            assert_eq!(flag(auto), clap::ColorChoice::Auto, "{auto}");
        }
    }
}
