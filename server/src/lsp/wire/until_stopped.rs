//! Standard input that ends when the process is asked to stop.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// A reader that reports the end of its input as soon as `stop` returns, as when the editor leaves.
pub(crate) struct UntilStopped<R, F> {
    inner: R,
    stop: Pin<Box<F>>,
}

impl<R, F: Future<Output = ()>> UntilStopped<R, F> {
    /// Read from `inner` until `stop` returns.
    pub(crate) fn new(inner: R, stop: F) -> Self {
        Self { inner, stop: Box::pin(stop) }
    }
}

impl<R: AsyncRead + Unpin, F: Future<Output = ()>> AsyncRead for UntilStopped<R, F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}
