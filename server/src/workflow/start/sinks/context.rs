//! What sinks are given of this process.

use crate::bus::SinkContext;
use crate::config;
use crate::models::provider_variables;
use crate::workspace::Workspace;

/// The variable with the key that events are signed with.
const KEY: &str = "BATON_SINK_KEY";

/// What sinks of this workspace are given.
pub(crate) fn sink_context(workspace: &Workspace) -> SinkContext {
    let own = config::environment().into_iter().map(|(name, _)| name);
    let keys = own.filter(|name| name.ends_with("_KEY"));
    SinkContext {
        folder: workspace.root().to_owned(),
        key: config::variable(KEY).filter(|key| !key.is_empty()),
        withheld: provider_variables().map(str::to_owned).chain(keys).collect(),
    }
}
