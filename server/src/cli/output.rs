//! What a subcommand prints: results on standard output, messages on standard error.
//!
//! A reader of standard output that has left, as in `| head -1`, is no failure: the command ends quietly. Any other reason
//! why a result cannot be written, such as a full disk, is one.

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;

use super::color::{Look, RED, YELLOW};
use super::failure::Failure;
use super::model_args::ModelArgs;
use super::workflow_commands::{disarmed, disarmed_json};
use crate::config::Settings;
use crate::memory::Store;
use crate::text;
use crate::workflow::{self, Phases, Status, WayOn};

/// Columns that text is wrapped to at least, whatever a terminal says of itself.
pub(super) const NARROWEST: usize = 20;
/// Columns of a line that is still read with ease.
pub(super) const WIDEST: usize = 100;

/// Behind what a recorded run used: none of it was billed now.
pub(super) const AS_RECORDED: &str = ", as recorded";

/// Print a line of the result.
///
/// # Errors
/// When it cannot be written; [`Failure::is_quiet`] when its reader has left.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(format!("{}\n", disarmed(text)).as_bytes())
}

/// Print a line of JSON.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json(json: &str) -> Result<(), Failure> {
    print_bytes(format!("{}\n", disarmed_json(json)).as_bytes())
}

/// Print a part of the result, byte for byte.
///
/// # Errors
/// As [`print`].
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| write_failure(&error))
}

/// Print a message, which is safe to show, on standard error; on a terminal it is wrapped by words.
pub(super) fn tell(text: &str) {
    let wrapped = stderr_columns().map(|columns| text::rewrapped(text, columns));
    // There is nowhere left to report that it cannot be written.
    let _ = writeln!(io::stderr(), "{}", disarmed(wrapped.as_deref().unwrap_or(text)));
}

/// Print why a command failed.
pub(super) fn error(message: &str) {
    tell(&format!("{} {}", Look::of_stderr().paint(RED.bold(), "error:"), text::safe_lines(message)));
}

/// Print warnings that accompany a result.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        tell(&format!("{} {}", Look::of_stderr().paint(YELLOW.bold(), "warning:"), text::safe_line(warning)));
    }
}

/// The columns that messages are wrapped to; `None` where standard error is no terminal.
pub(super) fn stderr_columns() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns).clamp(NARROWEST, WIDEST))
}

/// The columns that results are wrapped to: the terminal's, where standard output is one, and 100 elsewhere and on wider
/// ones.
pub(super) fn columns() -> usize {
    terminal_columns().map_or(WIDEST, |columns| usize::from(columns).clamp(NARROWEST, WIDEST))
}

/// The columns of the terminal that standard output is; `None` where it is none.
pub(super) fn terminal_columns() -> Option<u16> {
    let term = console::Term::stdout();
    term.size_checked().filter(|_| term.is_term()).map(|(_, columns)| columns)
}

/// The message of an end: on a terminal wrapped by words, elsewhere as it is.
pub(super) fn message_lines(message: &str) -> Vec<String> {
    let lines = text::safe_lines(message);
    match terminal_columns() {
        Some(_) => vec![text::wrapped(&lines, columns())],
        None => vec![lines],
    }
}

/// A text and a path on one line; where a terminal has no room for both, the text is wrapped, and the path stands below it,
/// whole.
pub(super) fn beside(text: &str, path: &str) -> Vec<String> {
    beside_within(text, path, terminal_columns().map(|_| columns()))
}

fn beside_within(text: &str, path: &str, columns: Option<usize>) -> Vec<String> {
    let line = format!("{text}   {path}");
    match columns.filter(|columns| line.chars().count() > *columns) {
        Some(columns) => vec![text::paragraph("", text, columns), path.to_owned()],
        None => vec![line],
    }
}

/// A row of a table: its columns, and a text that is wrapped beside them, or below them where there is no room.
pub(super) fn row(head: &str, text: &str, columns: usize) -> String {
    const LEAST: usize = 30;
    if text.is_empty() {
        return head.trim_end().to_owned();
    }
    if head.chars().count() + LEAST <= columns {
        return text::paragraph(head, text, columns);
    }
    let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{head}\n{}", text::paragraph("  ", text, columns))
}

/// The ways on, a line each: the command, then what it does. Those without a command line are left out. Where a line would
/// be too long, what it does stands below.
pub(super) fn way_on_lines(ways: &[WayOn], columns: usize) -> Vec<String> {
    const WIDEST: usize = 32;
    let with_command = || ways.iter().filter_map(|way| Some((way.cli.as_deref()?, way.title.to_lowercase())));
    let length = |command: &str| command.chars().count();
    // Ids of many issues take a line of their own.
    let width = with_command().map(|(command, _)| length(command)).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let is_narrow = with_command().any(|(_, title)| 4 + width + length(&title) > columns);
    let line = |(command, title): (&str, String)| match (is_narrow, length(command) <= width) {
        (true, _) => format!("  {command}\n    {title}"),
        (false, true) => format!("  {command:<width$}  {title}"),
        (false, false) => format!("  {command}\n  {:<width$}  {title}", ""),
    };
    with_command().map(line).collect()
}

/// Where the workflow stands after a command; `None` where that cannot be told, which is no failure of the command.
pub(super) fn status_after(store: &Store, settings: &Settings, phases: &Phases) -> Option<Status> {
    let status = workflow::status(store, settings, None, phases, Timestamp::now());
    status.inspect_err(|error| tracing::warn!(%error, "where the workflow stands is not known")).ok()
}

/// The lines of what can be done then.
pub(super) fn way_on_lines_after(status: Option<Status>) -> Vec<String> {
    status.map(|status| way_on_lines(&status.ways_on, columns())).unwrap_or_default()
}

/// Give the ways on the flags of this start: another run needs its models, workers and budget too, and every command
/// the workspace.
pub(super) fn with_flags(ways: &mut [WayOn], models: &ModelArgs, workspace: Option<&Path>) {
    let (chosen, budget) = (models.words() + &models.dispatch_words(), models.budget_words());
    let folder = workspace.map(|folder| format!(" --workspace {}", shell_word(&folder.to_string_lossy())));
    for cli in ways.iter_mut().filter_map(|way| way.cli.as_mut()).filter(|cli| cli.contains("baton ")) {
        // A way on that allows more has a budget of its own.
        let budget = if cli.contains("--budget") { "" } else { budget.as_str() };
        for command in ["baton run", "baton plan"] {
            if let Some((before, rest)) = cli.split_once(command) {
                *cli = format!("{before}{command}{chosen}{budget}{rest}");
                break;
            }
        }
        if let Some(folder) = &folder {
            *cli = format!("{}{folder}", cli.replace(" && ", &format!("{folder} && ")));
        }
    }
}

/// A word as a shell takes it, in quotes where it needs them; safe to show.
fn shell_word(word: &str) -> String {
    let word = text::safe_line(word);
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+~@:,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The exit code of finished work once its result was printed. A reader that has left changes nothing; a result that
/// cannot be written is a failure, unless the work has failed already.
///
/// # Errors
/// When the work succeeded and its result cannot be written.
pub(super) fn exit_code_after(code: u8, printed: Result<(), Failure>) -> Result<u8, Failure> {
    match printed {
        Err(failure) if failure.is_quiet() => Ok(code),
        Err(failure) if code != 0 => {
            error(&failure.message);
            Ok(code)
        }
        printed => printed.map(|()| code),
    }
}

/// Print the help, or what is wrong with the arguments, and end the process.
pub(super) fn exit_with(fault: &clap::Error) -> ! {
    let is_error = fault.use_stderr();
    let look = if is_error { Look::of_stderr() } else { Look::of_stdout() };
    let styled = fault.render();
    let said = if look == Look::Plain { styled.to_string() } else { styled.ansi().to_string() };
    let code = match is_error {
        true => {
            tell(said.trim_end());
            fault.exit_code()
        }
        false => match print_bytes(said.as_bytes()) {
            Err(failure) if !failure.is_quiet() => {
                error(&failure.message);
                i32::from(failure.code)
            }
            _ => fault.exit_code(),
        },
    };
    std::process::exit(code)
}

fn write_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(),
        _ => Failure::failed(format!("the result cannot be written to standard output: {error}")),
    }
}

/// Returns when the reader of standard output has left, even while nothing is written; never where it is no pipe.
#[cfg(unix)]
pub(super) async fn reader_left() {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::{FileType, fstat};

    let is_pipe = fstat(io::stdout())
        .is_ok_and(|found| matches!(FileType::from_raw_mode(found.st_mode), FileType::Fifo | FileType::Socket));
    if !is_pipe {
        return std::future::pending().await;
    }
    let (left, leaves) = tokio::sync::oneshot::channel();
    // On a thread of its own: `poll` cannot be cancelled, and must not delay the end of the process.
    std::thread::spawn(move || {
        let out = io::stdout();
        // No events are asked for: `poll` always reports that the other end is closed.
        let mut watched = [PollFd::new(&out, PollFlags::empty())];
        while let Err(rustix::io::Errno::INTR) = poll(&mut watched, None) {}
        if watched.iter().any(|end| end.revents().intersects(PollFlags::ERR | PollFlags::HUP)) {
            // The receiver is gone if the run has ended.
            let _ = left.send(());
        }
    });
    if leaves.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// On other systems the next write finds out.
#[cfg(not(unix))]
pub(super) async fn reader_left() {
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_beside_a_text_or_whole_below_it() {
        let (text, path) =
            ("12 turns · 278k tokens · $0.41 in all, 3 turns · 20.0k tokens", ".agent_memory/runs/20261128-120000-ab");
        assert_eq!(beside_within("9 turns", path, Some(60)), [format!("9 turns   {path}")]);
        assert_eq!(beside_within(text, path, None), [format!("{text}   {path}")], "where it is no terminal");
        let lines = beside_within(text, path, Some(40));
        assert_eq!(lines, ["12 turns · 278k tokens · $0.41 in all, 3\nturns · 20.0k tokens", path]);
    }
}
