//! Has the conversations of a run held by workers elsewhere, where the user's settings say so.

use std::sync::Arc;

use tower_lsp::lsp_types::MessageType;

use crate::config;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::{Folder, Search};
use crate::lsp::wire::window;
use crate::text;
use crate::workflow::{self, Engine, Goal};

/// Whether a run with this goal asks workers.
///
/// # Errors
/// When the goal cannot begin.
pub(super) fn are_needed(engine: &Engine, goal: &Goal) -> Result<bool, Refused> {
    Ok(engine.settings.dispatch.is_some() && workflow::needs_model(engine, goal)?)
}

/// Find the workers. That may take half a minute: whatever a person should know of it is shown, and `baton.cancel` stops it. Answers with
/// the search, which is to be held until the run has begun: it may be stopped until then.
///
/// # Errors
/// When there is no key, the broker cannot be reached, no worker is there, it was stopped, or the editor leaves or closes the
/// folder. Nothing was changed then.
pub(super) async fn connect(folder: &Arc<Folder>, engine: &mut Engine) -> Result<Search, Refused> {
    let told = |line: &str| {
        let message = format!("Baton: {}", text::safe_line(line));
        window::show_message(&folder.client, MessageType::INFO, message);
    };
    let search = folder.begin_search().ok_or(Refused::SearchActive)?;
    tokio::select! {
        biased;
        () = folder.client.gone() => return Err(Refused::Usage("the editor is gone".to_owned())),
        () = search.stop.cancelled() => return Err(Refused::SearchStopped),
        connected = workflow::connect_dispatch(engine, &config::variable, &told) => connected?,
    }
    Ok(search)
}
