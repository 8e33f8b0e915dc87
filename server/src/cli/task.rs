//! The task of `baton run`: as it stands on the command line, from a file or standard input, or asked for at a terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use super::args::RunArgs;
use super::failure::Failure;
use super::gate::{editor_of_user, run_editor};
use super::output::{status_after, tell};
use super::runtime::block_on;
use super::session::Session;
use crate::contracts::MAX_TEXT_BYTES;
use crate::memory::{decode_text, tidied};
use crate::text;
use crate::workflow::{self, CONTEXT, NextStep};

const STDIN: &str = "standard input";

/// The task that the command line names; `None` where it names none.
///
/// # Errors
/// A file or an input that cannot be read, is no text, is empty or too long; the message says what to do.
pub(super) fn given(args: &RunArgs) -> Result<Option<String>, Failure> {
    let from = match (&args.words, &args.task, &args.task_file) {
        (Some(words), ..) if words == "-" => None,
        (Some(words), ..) => return Ok(Some(words.clone())),
        (None, Some(task), _) => return Ok(Some(task.clone())),
        (None, None, Some(file)) => Some(file.as_path()).filter(|file| *file != Path::new("-")),
        (None, None, None) => return Ok(None),
    };
    let (name, bytes) = match from {
        None => (STDIN.to_owned(), from_stdin()),
        Some(file) => (text::safe_line(&file.to_string_lossy()), from_file(file)),
    };
    let bytes = bytes.map_err(|error| Failure::usage(format!("the task cannot be read from {name}: {error}")))?;
    task_in(&bytes, &name).map(Some)
}

fn from_stdin() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        tell("What should be done? End with Ctrl-D on a line of its own.");
    }
    bounded(stdin.lock())
}

/// A pipe is read too: the user named it.
#[expect(clippy::disallowed_methods, reason = "the user names this file, wherever it is")]
fn from_file(file: &Path) -> io::Result<Vec<u8>> {
    bounded(File::open(file)?)
}

/// One byte more than a task may have tells that it has more.
fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The task in what was read from there.
fn task_in(bytes: &[u8], name: &str) -> Result<String, Failure> {
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(Failure::usage(format!(
            "{name} is too long for a task, which may have {MAX_TEXT_BYTES} bytes; put what is long into files of the \
             workspace and name them in the task: agents read files"
        )));
    }
    let decoded = decode_text(bytes)
        .map_err(|fault| Failure::usage(format!("the task in {name}:{}: {}", fault.position, fault.message)))?;
    let task = tidied(&decoded);
    match task.is_empty() {
        true => Err(Failure::usage(format!("{name} is empty; say in it, in a sentence, what should be done"))),
        false => Ok(task),
    }
}

/// Asks for the task at the terminal, where there is none anywhere; `None` where there is one, or nobody to ask. What is written
/// in an editor stands in task.md, where the run finds it.
///
/// # Errors
/// Nothing was answered, or the editor failed.
pub(super) fn asked(session: &Session, args: &RunArgs) -> Result<Option<String>, Failure> {
    let takes_task = args.fix.is_none() && args.phase.is_none_or(|phase| phase == CONTEXT);
    let has_person = !args.json && io::stdin().is_terminal() && io::stderr().is_terminal();
    if !takes_task || !has_person || !needs_task(session)? {
        return Ok(None);
    }
    let editor = editor_of_user().unwrap_or_else(|| "vi".to_owned());
    let shown = text::short_line(&editor, 40);
    tell(&format!("What should be done? In a line; an empty one opens {shown}."));
    let _ = write!(io::stderr(), "> ").and_then(|()| io::stderr().flush());
    let mut line = Vec::new();
    let mut stdin = io::stdin().lock();
    io::BufRead::read_until(&mut stdin, b'\n', &mut line)?;
    drop(stdin);
    if line.is_empty() {
        tell("");
        return Err(nothing());
    }
    if line.trim_ascii().is_empty() {
        return write_in(session, &editor).map(|()| None);
    }
    task_in(&line, "that line").map(Some)
}

fn nothing() -> Failure {
    Failure::usage("no task was given, and nothing was started; `baton run \"…\"` takes it as an argument")
}

/// Whether the workspace has no task. A memory folder that cannot be read is told of by the run.
fn needs_task(session: &Session) -> Result<bool, Failure> {
    let Some(store) = session.memory()? else { return Ok(true) };
    let status = status_after(&store, &session.settings, &session.phases);
    Ok(status.is_some_and(|status| status.next == NextStep::Task))
}

/// Has the user write task.md in an editor. Whatever comes of the start, what was written stays there.
fn write_in(session: &Session, editor: &str) -> Result<(), Failure> {
    let store = workflow::open_store(&session.workspace, &session.settings, &session.phases)?;
    let file = store.offer_task_file()?;
    let shown = text::short_line(editor, 60);
    let ended = block_on(run_editor(editor, &session.workspace.root().join(&file)))?;
    let ended = ended.map_err(|error| {
        Failure::usage(format!("{shown} could not be started: {error}. Set VISUAL or EDITOR to your editor"))
    })?;
    if !ended.success() {
        return Err(Failure::usage(format!("{shown} ended with {ended}; nothing was started")));
    }
    if needs_task(session)? { Err(nothing()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_task_is_refused_with_what_to_do() {
        let long = vec![b'x'; usize::try_from(MAX_TEXT_BYTES).unwrap() + 1];
        for (bytes, said) in [
            (b"".as_slice(), "t.md is empty; say in it"),
            (b" \n\t\n", "t.md is empty; say in it"),
            (b"Mend\ncaf\xe9", "t.md:2:4: not UTF-8 text; save the file in that encoding"),
            (&long, "t.md is too long for a task, which may have 1048576 bytes"),
        ] {
            let failure = task_in(bytes, "t.md").unwrap_err();
            assert!(failure.message.contains(said), "{}", failure.message);
            assert_eq!(failure.code, 2);
        }
        assert_eq!(task_in(b"\xef\xbb\xbf Mend it\r\nsoon \n", "t.md").unwrap(), "Mend it\nsoon");
    }
}
