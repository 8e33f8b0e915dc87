//! The system prompts of a run.

use std::collections::BTreeMap;
use std::path::Path;

use crate::contracts::{MAX_PROMPT_BYTES, PhaseName, RepoPath, too_large};
use crate::workspace::Workspace;

/// The system prompts: one a phase, and those of agents that a phase asks beside its own.
#[derive(Debug, Clone)]
pub struct Prompts(BTreeMap<PhaseName, String>);

impl Prompts {
    /// The prompts that come with the phases.
    pub(crate) fn built_in(prompts: impl IntoIterator<Item = (PhaseName, &'static str)>) -> Self {
        Self(prompts.into_iter().map(|(phase, prompt)| (phase, prompt.to_owned())).collect())
    }

    /// The prompt of a phase, or of an agent beside its own; empty where there is no such one.
    pub fn of(&self, phase: PhaseName) -> String {
        self.0.get(&phase).cloned().unwrap_or_default()
    }

    /// These prompts, each that is replaceable replaced by the file `<phase>.md` in the user's `baton/prompts/`, where there is
    /// one.
    ///
    /// # Errors
    /// When such a file is there and cannot be read; the message names it.
    pub(crate) fn or_of_user(
        mut self,
        user_dir: &Path,
        is_replaceable: impl Fn(PhaseName) -> bool,
    ) -> Result<Self, String> {
        let Ok(folder) = Workspace::open(&user_dir.join("prompts")) else { return Ok(self) };
        for (phase, prompt) in self.0.iter_mut().filter(|(phase, _)| is_replaceable(**phase)) {
            let file = format!("{phase}.md");
            let name = format!("{}/prompts/{file}", user_dir.display());
            let wrong = |error: String| format!("cannot read {name}: {error}");
            let path = RepoPath::parse(&file).map_err(|error| wrong(error.to_string()))?;
            let Some(state) = folder.read(&path).map_err(|error| wrong(error.to_string()))? else { continue };
            if state.bytes.len() as u64 > MAX_PROMPT_BYTES {
                return Err(wrong(too_large(state.bytes.len() as u64, MAX_PROMPT_BYTES)));
            }
            let text =
                String::from_utf8(state.bytes).map_err(|_| wrong("it is no UTF-8; save it as such".to_owned()))?;
            if text.trim().is_empty() {
                return Err(format!("{name} is empty; write a prompt or remove it"));
            }
            *prompt = text;
        }
        Ok(self)
    }
}
