//! What is out of bounds: files that may not be written, are flagged at the gate, or are never read.
//!
//! `by_name` decides by the names of `table`; `content` masks secrets inside other files; `links` knows a secret under
//! another name; `git_folder` what git would take for a repository. Invariant: a path that is in doubt is protected.
//! Deliberately absent: any setting that takes a row out of the table.

mod by_name;
mod content;
mod git_folder;
mod links;
mod table;

pub use by_name::{Protection, flag, is_flagged, is_secret, protection};
pub(super) use by_name::{is_never, is_never_key, is_secret_key, never_by_name};
pub(super) use content::unified_masked_of;
pub use content::{is_secret_text, masked, masks, opaque, secret_spans, unified_masked, unmasks};
pub use git_folder::{GitFolders, in_git_folder};
pub(super) use links::SecretInodes;
pub use table::{Kind, Row, TABLE};
