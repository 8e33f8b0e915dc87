//! Reading a response: bytes with a watch on them, events or lines out of the bytes.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use sse_stream::SseByteStream;
use tokio::time::Instant;

use super::cause::cause;
use super::error_body::ErrorBody;
use super::fault::Fault;
use super::incoming::{Incoming, Step};

/// What is notified of an answer while it comes in.
pub(in crate::models) struct Watch<'a> {
    pub(in crate::models) first_byte: &'a (dyn Fn() + Send + Sync),
    /// Characters of text and tool input so far.
    pub(in crate::models) output: &'a (dyn Fn(usize) + Send + Sync),
    /// Nothing of it has come for so long.
    pub(in crate::models) waiting: &'a (dyn Fn(Duration) + Send + Sync),
}

/// Far more than any model's longest answer.
const MOST_BYTES: usize = 64 << 20;
/// Of an answer that comes as one text.
const MOST_WHOLE_BYTES: usize = 8 << 20;
/// Of one line of JSON, more than any piece of an answer has.
const MOST_LINE_BYTES: usize = 8 << 20;
/// Of a refusal's body, more than any explanation needs.
const MOST_REFUSAL_BYTES: usize = 64 << 10;

/// One event of a stream.
struct Event {
    name: Option<String>,
    data: String,
}

/// Read an answer to its end, as long as at least every `idle` something new of it comes.
///
/// There is no limit to the whole time: a long answer of a small machine may take hours.
pub(super) async fn read(
    answer: &mut impl Incoming,
    response: Response,
    idle: Duration,
    watch: &Watch<'_>,
) -> Result<(), Fault> {
    if let Some(encoding) = response.headers().get(CONTENT_ENCODING) {
        let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
        return Err(Fault::Packed(encoding));
    }
    match media_type(&response).as_str() {
        "" | "text/event-stream" => take_all(answer, events(watched(response, watch)), idle, watch).await,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            take_all(answer, lines(watched(response, watch)), idle, watch).await
        }
        "application/json" => {
            (watch.first_byte)();
            let body = tokio::time::timeout(idle, read_whole(response)).await.map_err(|_| Fault::Idle(idle))??;
            if !ErrorBody::read(&body).is_empty() {
                return Err(Fault::Reported(body));
            }
            answer.take_whole(&body)
        }
        other => Err(Fault::Form(format!("no event stream: it is {other}"))),
    }
}

async fn take_all(
    answer: &mut impl Incoming,
    events: impl Stream<Item = Result<Event, Fault>> + Send,
    idle: Duration,
    watch: &Watch<'_>,
) -> Result<(), Fault> {
    let mut events = Box::pin(events);
    let (mut characters, mut news) = (0, 0);
    let mut deadline = Instant::now() + idle;
    // Not on the bytes, nor on the events: those may come for ever without content.
    while let Some(event) = tokio::time::timeout_at(deadline, events.next()).await.map_err(|_| Fault::Idle(idle))? {
        let Event { name, data } = event?;
        let step = answer.take(name.as_deref(), &data)?;
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
    answer.end()
}

/// The events of a stream of server-sent events that have data.
fn events<'a>(
    bytes: impl Stream<Item = Result<Bytes, Fault>> + Send + 'a,
) -> impl Stream<Item = Result<Event, Fault>> + Send + 'a {
    SseByteStream::new(Box::pin(bytes)).filter_map(async |event| match event {
        Ok(event) => event.data.map(|data| Ok(Event { name: event.event, data })),
        Err(sse_stream::Error::Body(cause)) => Some(Err(match cause.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(cause) => Fault::Connection(cause.to_string()),
        })),
        Err(other) => Some(Err(Fault::Form(format!("no event stream: {other}")))),
    })
}

/// The lines of a stream of JSON lines that are not blank.
fn lines<'a>(
    bytes: impl Stream<Item = Result<Bytes, Fault>> + Send + 'a,
) -> impl Stream<Item = Result<Event, Fault>> + Send + 'a {
    let start = (Box::pin(bytes), Vec::new(), false);
    stream::unfold(start, |(mut bytes, mut rest, mut is_over)| async move {
        loop {
            if let Some(at) =
                rest.iter().position(|byte| *byte == b'\n').or((is_over && !rest.is_empty()).then_some(rest.len()))
            {
                let after = rest.split_off((at + 1).min(rest.len()));
                let line = String::from_utf8_lossy(&rest).trim().to_owned();
                rest = after;
                if line.is_empty() {
                    continue;
                }
                return Some((Ok(Event { name: None, data: line }), (bytes, rest, is_over)));
            }
            if is_over {
                return None;
            }
            if rest.len() > MOST_LINE_BYTES {
                return Some((Err(Fault::TooLong), (bytes, Vec::new(), true)));
            }
            match bytes.next().await {
                Some(Ok(more)) => rest.extend_from_slice(&more),
                Some(Err(fault)) => return Some((Err(fault), (bytes, Vec::new(), true))),
                None => is_over = true,
            }
        }
    })
}

/// The response's media type, in lower case; nothing where it names none.
fn media_type(response: &Response) -> String {
    let Some(kind) = response.headers().get(CONTENT_TYPE) else { return String::new() };
    String::from_utf8_lossy(kind.as_bytes()).split(';').next().unwrap_or_default().trim().to_lowercase()
}

async fn read_whole(mut response: Response) -> Result<String, Fault> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|error| Fault::Connection(cause(&error)))? {
        body.extend_from_slice(&bytes);
        if body.len() > MOST_WHOLE_BYTES {
            return Err(Fault::TooLong);
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The body's bytes, as long as they are not too many.
fn watched<'a>(response: Response, watch: &'a Watch<'_>) -> impl Stream<Item = Result<Bytes, Fault>> + Send + 'a {
    stream::unfold(Some((response, 0)), move |open| async move {
        let (mut response, before) = open?;
        let bytes = match response.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return None,
            Err(error) => return Some((Err(Fault::Connection(cause(&error))), None)),
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
