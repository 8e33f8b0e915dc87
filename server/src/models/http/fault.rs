use std::time::Duration;

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::models) enum Fault {
    #[error("the connection broke: {0}")]
    Connection(String),
    /// Bytes may have come, with nothing of the answer in them: pings, say.
    #[error("no text of it came for {}", humantime::format_duration(*.0))]
    Idle(Duration),
    #[error("the answer ended in the middle")]
    Cut,
    /// More came than any model writes.
    #[error("the answer has no end")]
    TooLong,
    /// It is packed, in this way, though nothing packed was asked for.
    #[error("the answer is packed as {0:?}")]
    Packed(String),
    /// It is in another form than was asked for.
    #[error("the answer is {0}")]
    Form(String),
    /// The server's own error, in the stream or in the place of an answer: its body.
    #[error("{0}")]
    Reported(String),
}
