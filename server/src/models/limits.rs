/// What a model takes in one request, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Its context window: tokens of the prompt and of the answer together.
    pub window: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u32>,
    /// Where the window is known from.
    pub window_from: FactSource,
}

impl Limits {
    /// What a server says.
    pub(super) fn of_server(window: Option<u64>, max_output: Option<u32>) -> Self {
        let window_from = if window.is_some() { FactSource::Server } else { FactSource::default() };
        Self { window, max_output, window_from }
    }

    /// What a table of this program says.
    pub(super) fn of_table(window: u64, max_output: u32) -> Self {
        Self { window: Some(window), max_output: Some(max_output), window_from: FactSource::Table }
    }

    /// These, and from others what they leave open.
    #[must_use]
    pub(super) fn or(self, others: Self) -> Self {
        let window_from = if self.window.is_some() { self.window_from } else { others.window_from };
        Self { window: self.window.or(others.window), max_output: self.max_output.or(others.max_output), window_from }
    }
}

/// Where a fact of a model is known from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FactSource {
    /// A table of this program.
    #[default]
    Table,
    /// The server that was asked.
    Server,
    /// The user's own file.
    User,
}

impl FactSource {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "from a table of this version",
            Self::Server => "from the server",
            Self::User => "from your own settings",
        }
    }
}
