//! The secrets that are in use, and the masks in their place.
//!
//! A model is not given them, but a server that was may quote them, and a text that a model is shown may hold them. Whatever
//! comes from a model goes through [`Masked`], and what goes into a conversation through
//! [`Model::masked`](super::model::Model::masked), so that no secret reaches a transcript, an event or a file. The mask is that
//! of secrets in files: an edit that would write one is refused to the model, and nothing is altered in silence.
//!
//! Deliberately absent: encodings that nothing here decodes (base64, text spelt backwards).

mod in_use;
mod masked;
mod value;

pub(super) use in_use::Secrets;
pub use in_use::provider_variables;
pub(super) use masked::Masked;
pub(super) use value::is_worth_masking;
