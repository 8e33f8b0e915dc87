//! The terminal that live rows are drawn on.
//!
//! `indicatif` clears as many rows as it drew. That is wrong once the terminal has another width, for most terminals break
//! what they show anew, and once the process was stopped and continued, for the shell has written below. Here the rows are
//! counted by what was drawn and by the width there is now.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

use crate::config;
use crate::text;

/// A terminal on which rows are drawn again and again, all of them by one write.
#[derive(Debug)]
pub(super) struct Screen<T> {
    terminal: T,
    /// Whether the terminal breaks the lines that it shows anew when its width changes.
    breaks_anew: bool,
    /// Set when the process goes on after it was stopped.
    continued: Arc<AtomicBool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The columns of each line that is shown, and of the terminal when they were drawn.
    shown: Vec<usize>,
    width: usize,
    /// Lines of the drawing that is under way, each followed by what fills its row.
    lines: Vec<String>,
    is_filler_next: bool,
}

impl<T: TermLike> Screen<T> {
    pub(super) fn new(terminal: T, continued: Arc<AtomicBool>) -> Self {
        Self { terminal, breaks_anew: breaks_anew(&config::variable), continued, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that the shown lines take on the terminal now.
    fn rows(&self, state: &State) -> usize {
        let width = if self.breaks_anew { usize::from(self.terminal.width()) } else { state.width };
        let rows = |columns: &usize| columns.div_ceil(width.max(1)).max(1);
        state.shown.iter().map(rows).sum()
    }
}

impl<T: TermLike> TermLike for Screen<T> {
    fn width(&self) -> u16 {
        self.terminal.width()
    }

    fn height(&self) -> u16 {
        self.terminal.height()
    }

    // What is shown is cleared when something else is drawn.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.terminal.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut state = self.state();
        // A line, then the spaces up to the edge: these would be broken anew as well.
        if !state.is_filler_next {
            state.lines.push(text.to_owned());
        }
        state.is_filler_next = !state.is_filler_next;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        let lines = std::mem::take(&mut state.lines);
        state.is_filler_next = false;
        let mut out = String::new();
        if self.continued.swap(false, Ordering::Relaxed) {
            // The shell has written below the rows, and the cursor stands behind that.
            out.push_str("\r\u{1b}[J");
        } else if !state.shown.is_empty() {
            out.push('\r');
            let up = self.rows(&state) - 1;
            if up > 0 {
                out.push_str(&format!("\u{1b}[{up}A"));
            }
            out.push_str("\u{1b}[J");
        }
        out.push_str(&lines.join("\r\n"));
        state.shown = lines.iter().map(|line| text::columns_of(line)).collect();
        state.width = self.terminal.width().into();
        drop(state);
        if out.is_empty() {
            return Ok(());
        }
        self.terminal.write_str(&out)?;
        self.terminal.flush()
    }
}

/// Whether a terminal breaks lines anew. All that are in wide use do, but for xterm, GNU screen and the console of Linux.
fn breaks_anew(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let term = variable("TERM").unwrap_or_default();
    let cuts = is_set("XTERM_VERSION") || is_set("STY") || term == "linux" || term.starts_with("vt");
    is_set("TMUX") || !cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is written, and has a width that changes.
    #[derive(Debug, Default)]
    struct Paper {
        width: Mutex<u16>,
        written: Mutex<String>,
    }

    #[derive(Debug)]
    struct Roll(Arc<Paper>);

    impl TermLike for Roll {
        fn width(&self) -> u16 {
            *self.0.width.lock().unwrap()
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            panic!("the screen counts for itself")
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            panic!("the screen counts for itself")
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.written.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_rows_are_counted_by_the_width_there_is() {
        let paper = Arc::new(Paper { width: Mutex::new(40), ..Paper::default() });
        let continued = Arc::new(AtomicBool::new(false));
        let mut screen = Screen::new(Roll(paper.clone()), continued.clone());
        screen.breaks_anew = true;
        let draw = |screen: &Screen<Roll>, lines: &[String]| {
            for line in lines {
                screen.write_str(line).unwrap();
                screen.write_str("      ").unwrap();
            }
            screen.flush().unwrap();
            std::mem::take(&mut *paper.written.lock().unwrap())
        };
        let (long, short) = ("x".repeat(30), "y".to_owned());
        assert_eq!(draw(&screen, &[long.clone(), short.clone()]), format!("{long}\r\ny"));
        *paper.width.lock().unwrap() = 10;
        assert_eq!(
            draw(&screen, std::slice::from_ref(&short)),
            "\r\u{1b}[3A\u{1b}[Jy",
            "30 columns are three rows now"
        );
        continued.store(true, Ordering::Relaxed);
        assert_eq!(draw(&screen, std::slice::from_ref(&short)), "\r\u{1b}[Jy", "the shell's lines stay");
        assert_eq!(draw(&screen, &[]), "\r\u{1b}[J");
        assert_eq!(draw(&screen, &[]), "");
        screen.breaks_anew = false;
        *paper.width.lock().unwrap() = 40;
        draw(&screen, &[long, short.clone()]);
        *paper.width.lock().unwrap() = 10;
        assert_eq!(draw(&screen, &[short]), "\r\u{1b}[1A\u{1b}[Jy", "it cut them");
    }

    #[test]
    fn most_terminals_break_lines_anew() {
        let of = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            breaks_anew(&move |name| set.iter().find(|(set, _)| set == name).map(|(_, value)| value.clone()))
        };
        assert!(of(&[("TERM", "xterm-256color")]) && of(&[("TERM", "screen"), ("TMUX", "x"), ("STY", "y")]) && of(&[]));
        assert!(!of(&[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")]) && !of(&[("TERM", "linux")]));
    }
}
