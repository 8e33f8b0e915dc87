//! The tree of a workspace as it is sent to a worker on another machine, and put in place there.
//!
//! [`Tree::of`] finds what an agent may read: no ignored file, no secret, nothing of `.git` or the memory folder, no link;
//! unsaved texts of an editor instead of what is on disk. Contents travel as blobs, named by their SHA-256, many in one
//! [`Pack`]; a [`Manifest`] says which file has which content, and in which pack that is. A worker unpacks into a
//! [`BlobStore`] and has the manifest make a folder of it.
//!
//! Invariants: no secret of known form leaves (`masking`), and the entry of a file that was masked says so; no content is
//! used whose hash was not compared with its name; a manifest makes nothing outside of its folder; at most one pack and one
//! file are held in memory.
//!
//! Deliberately absent: the network, and who stores packs and manifests; links, and folders without files.

mod blobs;
mod content;
mod error;
mod manifest;
mod masking;
mod pack;
mod place;
mod survey;

pub use blobs::{BlobCache, BlobError, BlobStore};
pub use error::TreeError;
pub use manifest::{Manifest, ManifestError, TreeEntry};
pub use masking::Keys;
pub(super) use masking::{AsSent, as_sent, with_secrets_back};
pub use pack::{Pack, PackError, Sent, unpack};
pub use place::PlaceError;
pub use survey::{Packs, Tree};

#[cfg(test)]
mod tests;
