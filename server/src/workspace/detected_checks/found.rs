//! What was found.

/// A command that a row of the table found.
pub(super) struct Found {
    pub(super) name: &'static str,
    pub(super) command: String,
    pub(super) source: String,
}

impl Found {
    /// The command that runs a project's tests.
    pub(super) fn test(command: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: "test", command: command.into(), source: source.into() }
    }
}
