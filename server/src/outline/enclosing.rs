//! The definition a line lies in.

use super::definition::Definition;
use super::definitions::definitions;

/// The innermost definition that a line (from 1) of a text lies in; see [`definitions`].
pub fn enclosing(path: &str, text: &str, line: usize) -> Option<Definition> {
    enclosing_in(&definitions(path, text), line).cloned()
}

/// The innermost of these definitions that a line (from 1) lies in. They are in the order of the text, as an outline has
/// them; of two that begin on the line, the last.
pub fn enclosing_in(definitions: &[Definition], line: usize) -> Option<&Definition> {
    let begun = definitions.partition_point(|definition| *definition.lines.start() <= line);
    let mut before = definitions[..begun].iter().rev();
    let mut nearest = before.next()?;
    // What follows a definition without lying in it is at most as deep: going outwards, each depth is looked at once.
    while !nearest.lines.contains(&line) {
        let depth = nearest.depth;
        nearest = before.find(|definition| definition.depth < depth)?;
    }
    Some(nearest)
}
