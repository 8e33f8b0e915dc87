use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

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
        let Ok(dir) = Dir::open_ambient_dir(user_dir.join("prompts"), ambient_authority()) else {
            return Ok(prompts);
        };
        for (file, prompt) in [
            ("context.md", &mut prompts.context),
            ("plan.md", &mut prompts.plan),
            ("implement.md", &mut prompts.implement),
            ("review.md", &mut prompts.review),
        ] {
            match dir.read_to_string(file) {
                Ok(text) if text.trim().is_empty() => {
                    return Err(format!("{}/prompts/{file} is empty; write a prompt or remove it", user_dir.display()));
                }
                Ok(text) => *prompt = text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot read {}/prompts/{file}: {error}", user_dir.display())),
            }
        }
        Ok(prompts)
    }
}
