//! Where events are sent: which sinks there are, and whether they answer.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::check::{Check, CheckStatus};
use crate::bus::{SinkFault, open_sink};
use crate::config::{Settings, Sink};
use crate::text;
use crate::workflow::start::sinks::sink_context;
use crate::workspace::Workspace;

/// How long a person waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
const WIDEST: usize = 300;

/// Each sink, all asked at once; no event is sent.
pub(super) async fn check_sinks(workspace: &Workspace, settings: &Settings) -> Vec<Check> {
    let context = sink_context(workspace);
    let asked = settings.sinks.iter().map(async |sink| {
        let answered = match open_sink(sink, &context) {
            Ok(mut opened) => timeout(PATIENCE, opened.probe()).await.unwrap_or_else(|_| Err(late())),
            Err(fault) => Err(fault),
        };
        check(sink, answered)
    });
    join_all(asked).await
}

fn check(sink: &Sink, answered: Result<String, SinkFault>) -> Check {
    let fault = match answered {
        Ok(words) => return Check::ok("sink", format!("{sink} {words}")),
        Err(fault) => fault,
    };
    let why = text::short_line(fault.why(), WIDEST);
    let (message, fix) = match fault {
        SinkFault::Later { answers: true, .. } => (
            format!("{sink} answers, but takes nothing now: {why}"),
            "Look after it. Runs go on without it, and it gets later what it has not taken.",
        ),
        SinkFault::Later { .. } => (
            format!("{sink} does not answer: {why}"),
            "Start it, or look at its address. Runs go on without it, and it gets later what it has not taken.",
        ),
        SinkFault::Refused { .. } => (
            format!("{sink} takes no events: {why}"),
            "Put that right, there or at its address. Runs go on without it, and it gets later what it has not taken.",
        ),
    };
    Check::new("sink", CheckStatus::Warning, message).with_fix(fix)
}

fn late() -> SinkFault {
    SinkFault::Later { why: "it takes too long".to_owned(), wait: None, answers: false }
}
