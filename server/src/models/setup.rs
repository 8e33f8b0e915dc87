use std::sync::Arc;
use std::time::Duration;

use super::catalog::Catalog;
use super::editor::service::EditorModels;
use super::effort::Efforts;
use super::error::{ModelError, ModelErrorKind};

/// Reads the environment.
pub(super) type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What providers are made from: the environment, the settings, and the editor a run was started in.
pub(super) struct Setup<'a> {
    /// Reads the environment.
    pub(super) env: &'a Env<'a>,
    /// Hosts that may get a key over plain http.
    pub(super) allow_http_hosts: &'a [String],
    /// The editor, where it offers its models.
    pub(super) editor: Option<Arc<dyn EditorModels>>,
    /// What is known of models.
    pub(super) catalog: Arc<Catalog>,
    /// How long the models of each tier shall think.
    pub(super) efforts: Efforts,
}

impl Setup<'_> {
    /// A variable that is set to nothing counts as not set.
    pub(super) fn var(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// How long something may take, where the user sets a variable for it.
    ///
    /// # Errors
    /// The first that holds no length of time.
    pub(super) fn set_durations<const N: usize>(
        &self,
        durations: [(&str, &mut Duration); N],
    ) -> Result<(), ModelError> {
        for (variable, duration) in durations {
            let Some(text) = self.var(variable) else { continue };
            *duration = match humantime::parse_duration(&text) {
                Ok(time) if !time.is_zero() => time,
                _ => {
                    let fault = "which is no length of time. Write one such as \"90s\".";
                    return Err(settings(format!("{variable} is {text:?}, {fault}")));
                }
            };
        }
        Ok(())
    }
}

/// Something to be set otherwise.
pub(super) fn settings(message: impl Into<String>) -> ModelError {
    ModelError::new(ModelErrorKind::Settings, message)
}
