use std::error::Error;

/// The innermost reason of an error, which is the one worth reading; those around it may name an address, which may hold a
/// password.
pub fn innermost_reason(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_lies_innermost_is_said_and_nothing_around_it() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let around = io::Error::other(Around(refused));
        assert_eq!(innermost_reason(&around), "connection refused");
        assert_eq!(innermost_reason(&io::Error::other("alone")), "alone");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("http://user:secret@host")]
    struct Around(#[source] io::Error);
}
