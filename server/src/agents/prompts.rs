use std::path::Path;

use crate::contracts::{MAX_PROMPT_BYTES, RepoPath, too_large};
use crate::workspace::Workspace;

/// The system prompts, one an agent.
#[derive(Debug, Clone)]
pub struct Prompts {
    /// Gathers context.
    pub context: String,
    /// Plans.
    pub plan: String,
    /// Implements one task.
    pub implement: String,
    /// Reviews.
    pub review: String,
}

impl Default for Prompts {
    fn default() -> Self {
        Self {
            context: include_str!("../../../prompts/context.md").to_owned(),
            plan: include_str!("../../../prompts/plan.md").to_owned(),
            implement: include_str!("../../../prompts/implement.md").to_owned(),
            review: include_str!("../../../prompts/review.md").to_owned(),
        }
    }
}

impl Prompts {
    /// The built-in prompts, each replaced by the file of the same name in the user's `baton/prompts/`, where there
    /// is one.
    ///
    /// # Errors
    /// When such a file is there and cannot be read; the message names it.
    pub fn load(user_dir: &Path) -> Result<Self, String> {
        let mut prompts = Self::default();
        let Ok(folder) = Workspace::open(&user_dir.join("prompts")) else { return Ok(prompts) };
        for (file, prompt) in [
            ("context.md", &mut prompts.context),
            ("plan.md", &mut prompts.plan),
            ("implement.md", &mut prompts.implement),
            ("review.md", &mut prompts.review),
        ] {
            let name = format!("{}/prompts/{file}", user_dir.display());
            let wrong = |error: String| format!("cannot read {name}: {error}");
            let path = RepoPath::parse(file).map_err(|error| wrong(error.to_string()))?;
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
        Ok(prompts)
    }
}
