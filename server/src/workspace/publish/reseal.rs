use std::io;

use cap_std::fs::Dir;

use super::record::records;

/// Sign the journals of a run anew that verify under another seal than the one they are to have. How many is answered.
///
/// # Errors
/// When a journal cannot be read or written; those before it are signed then, and the others are as they were.
pub fn reseal(
    run_dir: &Dir,
    verify: &dyn Fn(&[u8], &str) -> bool,
    signer: &dyn Fn(&[u8]) -> String,
) -> io::Result<usize> {
    let (mut sealed, _) = records(run_dir, verify)?;
    for record in &mut sealed {
        record.save(run_dir, signer)?;
    }
    Ok(sealed.len())
}
