use std::error::Error;

/// The innermost reason, which is the one worth reading. Never an address, which may hold a password.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = match error.source() {
        Some(source) => source,
        None if error.is_timeout() => return "timed out".to_owned(),
        None => return "the connection failed".to_owned(),
    };
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
