//! The hidden arguments with which this program starts itself.

/// The first word of all of them. The second ones begin with dashes: a test binary takes other words for names of tests.
pub(super) const WORD: &str = "__sandbox";

/// Makes the room: `room::make_room`.
pub(super) const ROOM: [&str; 2] = [WORD, "--room"];

/// The first process inside: `room::run_inside`.
pub(super) const INSIDE: [&str; 2] = [WORD, "--inside"];

/// Lets bwrap make the room: `bwrap::make_room`.
pub(super) const BWRAP: [&str; 2] = [WORD, "--bwrap"];

/// The first process inside what bwrap made: `bwrap::run_inside`.
pub(super) const INSIDE_BWRAP: [&str; 2] = [WORD, "--inside-bwrap"];
