//! Find the links in Markdown files that lead nowhere.
//!
//! [`check()`] walks a folder, reads every Markdown file in it and follows each local link. Links
//! to the web are left alone.

pub mod check;
pub mod link;

pub use check::{check, Dangling};
pub use link::Link;
