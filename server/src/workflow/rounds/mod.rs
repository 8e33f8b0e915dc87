//! What moves between rounds, and what a person does with the issues of a review.

pub(crate) mod issues;
pub(crate) mod moves;
