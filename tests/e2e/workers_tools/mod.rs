//! What agents have on a worker: checks to try, a second model, a throttle, no history; and what people see of all that.
#![cfg(all(unix, feature = "nats"))]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod escalation;
mod history;
mod kinds;
mod overload;
mod screens;
mod tried;

use std::sync::Arc;

use serde_json::Value;

use crate::support::broker::{Link, Worker};
use crate::support::messages_api::MessagesApi;
use crate::workers::{ACK_WAIT, Lab};

/// One more worker, whose user has these settings, and whose home `prepare` has seen.
pub(crate) fn add_worker(lab: &mut Lab, settings: &str, prepare: impl Fn(&Worker)) {
    let number = lab.fleet.workers.len() as u64 + 1;
    let link = Link::to(lab.broker.address(), number, Arc::clone(&lab.acks));
    let mut worker = Worker::new(link, &lab.api, 2, ACK_WAIT);
    worker.session.write_user_config(settings);
    prepare(&worker);
    worker.start();
    lab.fleet.workers.push(worker);
}

/// What an agent was answered to its calls of a tool, in the order of its turns.
fn answers(api: &MessagesApi, agent: &str, tool: &str) -> Vec<String> {
    let last = api.requests_of(agent).pop().expect("a request");
    let messages = last.body["messages"].as_array().cloned().unwrap_or_default();
    let blocks: Vec<Value> =
        messages.iter().flat_map(|message| message["content"].as_array().cloned().unwrap_or_default()).collect();
    let answer = |call: &Value| {
        let block = blocks.iter().find(|block| block["tool_use_id"] == call["id"])?;
        Some(block["content"].as_str().map_or_else(|| block["content"].to_string(), str::to_owned))
    };
    blocks.iter().filter(|block| block["name"] == tool).filter_map(answer).collect()
}
