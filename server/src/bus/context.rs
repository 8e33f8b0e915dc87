//! What sinks are given beside their address.

use std::path::PathBuf;

/// What sinks are given beside their address.
#[derive(Debug, Clone, Default)]
pub struct SinkContext {
    /// The folder that commands run in.
    pub folder: PathBuf,
    /// The key that events are signed with, where there is one.
    pub key: Option<String>,
    /// Variables of this process that commands are not given.
    pub withheld: Vec<String>,
}
