//! What is defined in a text, and where: functions, types and the like with their line ranges, read by tree-sitter.
//!
//! A language is a row in `language`: the names of its files, its grammar, and the query in `queries/` that says what counts
//! as a definition there. [`read`] makes an [`Outline`] of a text, [`syntax_faults`] says where a text does not parse, and
//! `map` makes of the files of a folder the part that matters to a task.
//!
//! Invariants: a text is parsed within limits of size and time, and its interrupt is heard; nothing here recurses over a
//! text; what a grammar does not understand has a smaller outline, and is no error. In a map, what is too large or takes too
//! long has the definitions that its lines show.
//!
//! Deliberately absent: phases, tools, and what may be read at all. Whoever asks has the text already.

mod definition;
mod definitions;
mod editor;
mod faults;
mod fields;
mod headings;
mod language;
mod lead;
mod lines;
mod map;
mod parse;

pub use definition::{Definition, Kind};
pub use definitions::{Outline, definitions, read};
pub use editor::{EditorSymbols, by_editor};
pub use faults::{SyntaxFault, syntax_faults};
pub use fields::with_fields;
pub use language::language_name;
pub use lead::{Lead, lead};
pub use map::{Blob, Map, Sources};
pub use parse::{MOST_BYTES, NoOutline};

#[cfg(test)]
mod tests;
