//! What an editor's language tools know of the definitions of a file: they resolve what a grammar does not see, such as macros.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::Handle;

use super::definition::Definition;
use crate::contracts::RepoPath;
use crate::workspace::Interrupt;

/// How long an editor may take: without it a text is parsed, which takes milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Interval of the looks at whether whoever asked still waits.
const LOOK: Duration = Duration::from_millis(50);

/// An editor whose language tools know definitions.
#[async_trait]
pub trait EditorSymbols: Send + Sync + fmt::Debug {
    /// The definitions of a file as the editor has it now, in the order of its text; `None` where it does not say. The future
    /// may be dropped at any moment.
    async fn of(&self, file: &RepoPath) -> Option<Vec<Definition>>;
}

/// What an editor says is defined in a file whose text is this. `None` where it does not say within two seconds, knows of
/// nothing, or names lines that the text does not have.
///
/// Blocks a thread of the runtime's blocking pool; elsewhere no editor is asked.
pub fn by_editor(
    editor: &Arc<dyn EditorSymbols>,
    file: &RepoPath,
    text: &str,
    interrupt: &Interrupt,
) -> Option<Vec<Definition>> {
    let runtime = Handle::try_current().ok()?;
    let (tell, told) = sync_channel(1);
    let (editor, asked_for) = (Arc::clone(editor), file.clone());
    let asked = runtime.spawn(async move {
        let answer = editor.of(&asked_for).await;
        // Nobody may wait for it any more.
        let _ = tell.send(answer);
    });
    let end = Instant::now() + PATIENCE;
    let answer = loop {
        match told.recv_timeout(LOOK) {
            Ok(answer) => break answer,
            Err(RecvTimeoutError::Disconnected) => break None,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end || interrupt.check().is_err() => break None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    asked.abort();
    answer.filter(|definitions| fit(definitions, text))
}

/// Whether there are definitions, and all lie in the text.
fn fit(definitions: &[Definition], text: &str) -> bool {
    let last = text.lines().count();
    let fits = |found: &Definition| {
        let (lines, name_line) = (&found.lines, found.name_line);
        *lines.start() >= 1 && *lines.end() <= last && lines.contains(&name_line)
    };
    !definitions.is_empty() && definitions.iter().all(fits)
}
