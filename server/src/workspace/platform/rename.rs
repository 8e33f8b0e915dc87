//! Moving a file to a name that nothing has, where the system has no such move.

use std::io;

use cap_std::fs::Dir;

/// Looks first, and then moves. What appears in between is lost.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something has the name; else what the system said.
pub(in crate::workspace) fn rename_if_free(from: (&Dir, &str), to: (&Dir, &str)) -> io::Result<()> {
    match to.0.symlink_metadata(to.1) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => from.0.rename(from.1, to.0, to.1),
        Err(error) => Err(error),
    }
}
