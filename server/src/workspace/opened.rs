//! A file as an editor would open it, wherever it is: to tell whether a document that is opened differs from its file.

use std::path::Path;

use super::MAX_FILE_BYTES;

/// The bytes of a file, links followed; `None` for what is no regular file, is larger than [`MAX_FILE_BYTES`] or cannot be
/// read. Nothing of it may be shown to a model.
pub fn read_as_editor(path: &Path) -> Option<Vec<u8>> {
    let size = std::fs::metadata(path).ok().filter(|metadata| metadata.is_file())?.len();
    if size <= MAX_FILE_BYTES { std::fs::read(path).ok() } else { None }
}
