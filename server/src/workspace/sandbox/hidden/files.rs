//! Files, as far as the search reads them.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;

/// The largest file that is read, in bytes; keys and logins are smaller.
const MAX_BYTES: u64 = 64 * 1024;
/// The largest file of certificates that is read, in bytes.
const MAX_CERTIFICATES: u64 = 1024 * 1024;

/// A small regular file; opened without waiting, as it may have been replaced by a FIFO.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    read_up_to(path, MAX_BYTES)
}

/// The same with another bound.
pub(super) fn read_up_to(path: &Path, most: u64) -> Option<Vec<u8>> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > most {
        return None;
    }
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut bytes = Vec::new();
    options.open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether a file holds certificates and no key: packages bring those of the public authorities.
pub(super) fn is_certificates(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("pem"))
        && read_up_to(path, MAX_CERTIFICATES).is_some_and(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            text.contains("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE")
        })
}

#[cfg(unix)]
pub(super) fn is_device(kind: fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_block_device() || kind.is_char_device()
}

#[cfg(not(unix))]
pub(super) fn is_device(_: fs::FileType) -> bool {
    true
}
