//! Reading a response: bytes with a watch on them, events out of the bytes.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use sse_stream::SseByteStream;
use tokio::time::Instant;

use super::answer::{Answer, Broken, Fault, Step};
use super::refusal;

/// What is notified of an answer while it comes in.
pub(super) struct Watch<'a> {
    pub(super) first_byte: &'a (dyn Fn() + Send + Sync),
    /// Characters of text and tool input so far.
    pub(super) output: &'a (dyn Fn(usize) + Send + Sync),
}

/// Far more than any model's longest answer.
const MOST_BYTES: usize = 64 << 20;
/// Of a refusal's body, more than any explanation needs.
const MOST_REFUSAL_BYTES: usize = 64 << 10;

/// Read a stream of events to its `message_stop`, as long as at least every `idle` something new of the answer comes.
///
/// There is no limit to the whole time: a long answer of a small machine may take hours.
pub(super) async fn read(model: &str, response: Response, idle: Duration, watch: &Watch<'_>) -> Result<Answer, Broken> {
    let mut answer = Answer::of(model);
    if let Err(fault) = read_into(&mut answer, response, idle, watch).await {
        return Err(answer.broken(fault));
    }
    Ok(answer)
}

async fn read_into(answer: &mut Answer, response: Response, idle: Duration, watch: &Watch<'_>) -> Result<(), Fault> {
    if let Some(kind) = other_than_events(&response) {
        return Err(Fault::NoEvents(format!("it is {kind}")));
    }
    let mut events = SseByteStream::new(Box::pin(watched(response, watch)));
    let (mut characters, mut news) = (0, 0);
    let mut deadline = Instant::now() + idle;
    // Not on the bytes, nor on the events: those may come for ever without content.
    while let Some(event) = tokio::time::timeout_at(deadline, events.next()).await.map_err(|_| Fault::Idle(idle))? {
        let event = event.map_err(|error| match error {
            sse_stream::Error::Body(cause) => match cause.downcast::<Fault>() {
                Ok(fault) => *fault,
                Err(cause) => Fault::Connection(cause.to_string()),
            },
            other => Fault::NoEvents(other.to_string()),
        })?;
        let Some(data) = event.data else { continue };
        let step = answer.take(event.event.as_deref(), &data)?;
        if answer.news() > news {
            news = answer.news();
            deadline = Instant::now() + idle;
        }
        if answer.characters() > characters {
            characters = answer.characters();
            (watch.output)(characters);
        }
        if step == Step::Done {
            return Ok(());
        }
    }
    Err(Fault::Cut)
}

/// The response's media type, if it says it is no event stream. A response without a media type is read as one.
fn other_than_events(response: &Response) -> Option<String> {
    let kind = response.headers().get(CONTENT_TYPE)?;
    let kind = String::from_utf8_lossy(kind.as_bytes()).split(';').next().unwrap_or_default().trim().to_lowercase();
    (!kind.is_empty() && kind != "text/event-stream").then_some(kind)
}

/// The body's bytes, as long as they are not too many.
fn watched<'a>(response: Response, watch: &'a Watch<'_>) -> impl Stream<Item = Result<Bytes, Fault>> + Send + 'a {
    stream::unfold(Some((response, 0)), move |open| async move {
        let (mut response, before) = open?;
        let bytes = match response.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return None,
            Err(error) => return Some((Err(Fault::Connection(refusal::cause(&error))), None)),
        };
        if before == 0 {
            (watch.first_byte)();
        }
        let so_far = before + bytes.len();
        if so_far > MOST_BYTES {
            return Some((Err(Fault::TooLong), None));
        }
        Some((Ok(bytes), Some((response, so_far))))
    })
}

/// The start of a refusal's body, as far as it comes within `patience`; what cannot be read is left out.
pub(super) async fn read_start(mut response: Response, patience: Duration) -> String {
    let mut body = Vec::new();
    let reading = async {
        while body.len() < MOST_REFUSAL_BYTES {
            match response.chunk().await {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                // The status alone then says what happened.
                _ => break,
            }
        }
    };
    // What came in time is all there is.
    let _ = tokio::time::timeout(patience, reading).await;
    body.truncate(MOST_REFUSAL_BYTES);
    String::from_utf8_lossy(&body).into_owned()
}
