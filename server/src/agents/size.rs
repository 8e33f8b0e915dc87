//! How many bytes a prompt has, which its tokens are estimated from.

use crate::models::{Block, ToolSpec};

/// Bytes of what stands before the messages.
pub(super) fn bytes_of_frame(system: &[String], tools: &[ToolSpec]) -> usize {
    let system: usize = system.iter().map(String::len).sum();
    let tools: usize = tools.iter().map(|tool| tool.input_schema.to_string().len() + 200).sum();
    system + tools
}

/// Bytes of blocks, as JSON writes them.
pub(super) fn bytes_of(content: &[Block]) -> usize {
    content.iter().map(|block| block.0.to_string().len()).sum()
}
