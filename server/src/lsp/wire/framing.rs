//! The base protocol's frames: `Content-Length: N`, a blank line, N bytes.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest line of a header, in bytes. Real ones have about 25.
const MAX_HEADER_LINE: u64 = 4096;

/// The largest body, in bytes. A larger one is skipped, so that no `Content-Length` can fill the memory.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// The content of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The bytes of its body.
    Body(Vec<u8>),
    /// A body of this many bytes was skipped: it is larger than [`MAX_BODY`].
    TooLarge(u64),
}

/// Why no further frame can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FramingError {
    /// The start of the next frame cannot be known.
    #[error("the client's message has a broken header: {0}")]
    Header(String),
    /// The stream ended inside a frame.
    #[error("the client's stream ended in the middle of a message")]
    Cut,
    /// The stream failed.
    #[error("the client's stream cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Read the next frame; `None` when the stream ends between two.
///
/// # Errors
/// See [`FramingError`]; nothing further can be read then.
pub(crate) async fn read_frame<R: AsyncBufRead + Unpin>(stream: &mut R) -> Result<Option<Frame>, FramingError> {
    let Some(length) = read_header(stream).await? else { return Ok(None) };
    let mut body = stream.take(length);
    if length > MAX_BODY {
        let skipped = tokio::io::copy_buf(&mut body, &mut tokio::io::sink()).await?;
        return if skipped == length { Ok(Some(Frame::TooLarge(length))) } else { Err(FramingError::Cut) };
    }
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).await?;
    if bytes.len() as u64 == length { Ok(Some(Frame::Body(bytes))) } else { Err(FramingError::Cut) }
}

/// A message as one frame.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

/// The length of the body that follows.
async fn read_header<R: AsyncBufRead + Unpin>(stream: &mut R) -> Result<Option<u64>, FramingError> {
    let mut length = None;
    let mut begun = false;
    loop {
        let Some(line) = read_line(stream).await? else {
            return if begun { Err(FramingError::Cut) } else { Ok(None) };
        };
        if line.is_empty() {
            match length {
                Some(length) => return Ok(Some(length)),
                None if begun => return Err(FramingError::Header("there is no Content-Length".to_owned())),
                // Tolerate an extra newline after the message before.
                None => continue,
            }
        }
        begun = true;
        let Some((name, value)) = line.split_once(':') else {
            return Err(FramingError::Header(format!("{line:?} is no header field")));
        };
        if name.trim().eq_ignore_ascii_case("Content-Length") {
            let bytes = value.trim().parse();
            length = Some(bytes.map_err(|_| FramingError::Header(format!("{line:?} names no length")))?);
        }
    }
}

/// A line without its end; `None` at the end of the stream.
async fn read_line<R: AsyncBufRead + Unpin>(stream: &mut R) -> Result<Option<String>, FramingError> {
    let mut line = Vec::new();
    stream.take(MAX_HEADER_LINE).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        let long = line.len() as u64 + 1 == MAX_HEADER_LINE;
        return Err(if long { FramingError::Header("a line has no end".to_owned()) } else { FramingError::Cut });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map(Some).map_err(|_| FramingError::Header("it is not text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(mut bytes: &[u8]) -> (Vec<Frame>, Option<String>) {
        let mut frames = Vec::new();
        loop {
            match read_frame(&mut bytes).await {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }

    fn body(text: &str) -> Frame {
        Frame::Body(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn what_is_framed_is_read_back() {
        let bytes = [frame("{}".as_bytes()), frame("\"é\"".as_bytes())].concat();
        assert_eq!(frames(&bytes).await, (vec![body("{}"), body("\"é\"")], None));
    }

    #[tokio::test]
    async fn headers_are_taken_as_clients_write_them() {
        let text = "content-length:2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}\r\n\
                    Content-Length: 2\n\n[]";
        assert_eq!(frames(text.as_bytes()).await, (vec![body("{}"), body("[]")], None));
    }

    #[tokio::test]
    async fn a_broken_header_says_what_is_broken() {
        for (text, reason) in [
            ("Content-Length: two\r\n\r\n{}", "\"Content-Length: two\" names no length"),
            ("Content-Length: -2\r\n\r\n{}", "\"Content-Length: -2\" names no length"),
            ("Content-Type: text\r\n\r\n{}", "there is no Content-Length"),
            ("{\"jsonrpc\"\r\n\r\n", "\"{\\\"jsonrpc\\\"\" is no header field"),
            ("\u{fffd}\r\n\r\n", "\"\u{fffd}\" is no header field"),
        ] {
            let (_, error) = frames(text.as_bytes()).await;
            assert_eq!(error.unwrap(), format!("the client's message has a broken header: {reason}"));
        }
        let endless = vec![b'x'; 10_000];
        assert!(frames(&endless).await.1.unwrap().ends_with("a line has no end"));
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_message_differs_from_one_that_ends() {
        for text in ["Content-Le", "Content-Length: 2\r\n", "Content-Length: 2\r\n\r\n{"] {
            let (found, error) = frames(text.as_bytes()).await;
            assert_eq!(
                (found, error.unwrap().as_str()),
                (vec![], "the client's stream ended in the middle of a message")
            );
        }
    }

    #[tokio::test]
    async fn a_body_too_large_is_skipped() {
        let large = MAX_BODY + 1;
        let head = format!("Content-Length: {large}\r\n\r\n");
        let tail = frame(b"{}");
        let stream = head.as_bytes().chain(tokio::io::repeat(b' ').take(large)).chain(tail.as_slice());
        let mut stream = tokio::io::BufReader::with_capacity(1 << 20, stream);
        assert_eq!(read_frame(&mut stream).await.unwrap(), Some(Frame::TooLarge(large)));
        assert_eq!(read_frame(&mut stream).await.unwrap(), Some(body("{}")));
        assert_eq!(read_frame(&mut stream).await.unwrap(), None);
    }
}
