//! What stands in the place of a secret.

/// The beginning of every mask.
pub const MASK: &str = "<masked by Baton: ";

/// The mask for a secret of this name: `<masked by Baton: GitHub token>`.
pub fn mask(name: &str) -> String {
    format!("{MASK}{name}>")
}
