//! What this program does when it started itself: see `stage`.

use std::ffi::OsStr;
use std::process::ExitCode;

use super::{bwrap, room, stage};

/// Does the part of the sandbox that these arguments, without the program's name, ask for, and returns how it ended;
/// `None` if they ask for none. Call it before any thread exists.
pub fn sandbox_stage(mut arguments: impl Iterator<Item = impl AsRef<OsStr>>) -> Option<ExitCode> {
    if arguments.next()?.as_ref() != stage::WORD {
        return None;
    }
    let name = arguments.next()?;
    match name.as_ref() {
        name if name == stage::ROOM[1] => Some(room::make_room()),
        name if name == stage::INSIDE[1] => Some(room::run_inside()),
        name if name == stage::BWRAP[1] => Some(bwrap::make_room()),
        name if name == stage::INSIDE_BWRAP[1] => Some(bwrap::run_inside()),
        _ => None,
    }
}
