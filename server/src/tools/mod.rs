//! The tools agents call, and what each agent may call.
//!
//! A tool is one file, which holds all there is to know of it (`tool::Tool`), and one row in `table`. What is sent
//! to a model, who may call it, how a call is parsed and carried out: every list is derived from that table.
//!
//! A call never panics and never fails the run, whatever the model sends: what is wrong is answered to the model in
//! words it can act on. Every answer is bounded and says what it left out. Private keys and tokens of known form in it are
//! masked.
//!
//! Invariant: tools reach the disk only through the workspace module.
//!
//! Deliberately absent: tools that run programs of a model's choice, or reach the network. `try_check` names one of the user's own
//! checks; what runs it is given.

mod call;
mod check_runner;
mod coerce;
mod delete_file;
mod edit_echo;
mod edit_example;
mod edit_file;
mod edit_match;
mod edits;
mod error;
mod folders;
mod glob_list;
mod input;
mod line_edit;
mod line_map;
mod line_numbers;
mod line_ranges;
mod list_files;
mod log;
mod move_file;
mod nearest;
mod outline;
mod portable;
mod read_diff;
mod read_file;
mod search;
mod show;
mod syntax_note;
mod table;
mod tool;
mod toolbox;
mod try_check;
mod view;
mod write_file;

pub use call::ToolOutput;
pub use check_runner::{CheckRunner, OfferedCheck};
pub use coerce::{coerced, encoded_object};
pub(crate) use nearest::nearest_line;
pub use portable::PortableTools;
pub use read_diff::numbered_diff;
pub use toolbox::{About, Toolbox};

#[cfg(test)]
mod tests;
