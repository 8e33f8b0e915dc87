use std::error::Error;

use crate::text::innermost_reason;

/// Why a request failed. Never an address, which may hold a password.
pub(super) fn cause(error: &reqwest::Error) -> String {
    match error.source() {
        Some(source) => innermost_reason(source),
        None if error.is_timeout() => "timed out".to_owned(),
        None => "the connection failed".to_owned(),
    }
}
