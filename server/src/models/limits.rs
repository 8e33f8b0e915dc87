use serde::{Deserialize, Serialize};

use crate::text;

/// What a model takes in one request, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Its context window: tokens of the prompt and of the answer together.
    pub window: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u32>,
    /// Where the window is known from.
    pub window_from: FactSource,
}

impl Limits {
    /// The window in words, with where it is known from: "context window 32.8k tokens (from the server)". `None` where it is not
    /// known.
    pub fn words(&self) -> Option<String> {
        let from = self.window_from.as_str();
        self.window.map(|window| format!("context window {} tokens ({from})", text::tokens(window)))
    }

    /// What a server says.
    pub(super) fn of_server(window: Option<u64>, max_output: Option<u32>) -> Self {
        let window_from = if window.is_some() { FactSource::Server } else { FactSource::default() };
        Self { window, max_output, window_from }
    }

    /// What a table of this program says.
    pub(super) fn of_table(window: u64, max_output: u32) -> Self {
        Self { window: Some(window), max_output: Some(max_output), window_from: FactSource::Table }
    }

    /// What both of two models take.
    #[must_use]
    pub fn smaller(self, other: Self) -> Self {
        let is_other = other.window.is_some_and(|window| self.window.is_none_or(|own| window < own));
        let max_output = [self.max_output, other.max_output].into_iter().flatten().min();
        if is_other { Self { max_output, ..other } } else { Self { max_output, ..self } }
    }

    /// These, and from others what they leave open.
    #[must_use]
    pub(super) fn or(self, others: Self) -> Self {
        let window_from = if self.window.is_some() { self.window_from } else { others.window_from };
        Self { window: self.window.or(others.window), max_output: self.max_output.or(others.max_output), window_from }
    }
}

/// Where a fact of a model is known from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactSource {
    /// A table of this program.
    #[default]
    Table,
    /// The server that was asked.
    Server,
    /// The user's own file.
    User,
    /// It is what each request asks for.
    NumCtx(NumCtx),
}

/// Why so large a context is asked for of an Ollama (`num_ctx`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumCtx {
    /// The user says so.
    User,
    /// The model has no larger one.
    Model,
    /// It is as much as is asked for where the user says nothing.
    Usual,
    /// There was no memory for more.
    Halved,
}

impl FactSource {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "from a table of this version",
            Self::Server => "from the server",
            Self::User => "from your own settings",
            Self::NumCtx(NumCtx::User) => "num_ctx, from your own settings",
            Self::NumCtx(NumCtx::Model) => "num_ctx, all that the model has",
            Self::NumCtx(NumCtx::Usual) => "num_ctx, the most unless your settings say more",
            Self::NumCtx(NumCtx::Halved) => "num_ctx, halved for lack of memory",
        }
    }
}
