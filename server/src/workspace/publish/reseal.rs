//! Re-signing journals after a project was moved.

use std::io;

use cap_std::fs::Dir;

use super::record::records;

/// Re-signs the journals of a run that verify under another seal, and returns their number.
///
/// # Errors
/// When a journal cannot be read or written; earlier ones are then re-signed, and later ones unchanged.
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
