//! The table of phases.

use super::context::Context;
use super::further;
use super::implement::Implement;
use super::plan::Plan;
use super::quick::Quick;
use super::review::Review;
use crate::workflow::Table;

/// The phases of the program.
pub static TABLE: Table = Table { rows: &[&Context, &Plan, &Implement, &Review], quick: &Quick, further: further::row };
