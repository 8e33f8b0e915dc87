//! A command of the user's own: one process for each batch, which reads the events as lines of JSON.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::context::SinkContext;
use super::event_sink::{EventSink, Outgoing, SinkFault};
use crate::text;
use crate::workspace::{UserCommand, masked, run_user_command};

/// How long one process may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Events of one batch.
const MOST: usize = 500;
/// Characters of what a command says that are repeated.
const WIDEST: usize = 200;

pub(super) struct Exec {
    command: String,
    folder: PathBuf,
    withheld: Vec<String>,
}

impl Exec {
    pub(super) fn new(command: &str, context: &SinkContext) -> Self {
        Self { command: command.to_owned(), folder: context.folder.clone(), withheld: context.withheld.clone() }
    }
}

#[async_trait]
impl EventSink for Exec {
    fn most(&self) -> usize {
        MOST
    }

    async fn send(&mut self, events: &[Outgoing]) -> Result<(), SinkFault> {
        let mut input = Vec::new();
        for event in events {
            input.extend_from_slice(event.json.as_bytes());
            input.push(b'\n');
        }
        let command = UserCommand {
            command: self.command.clone(),
            input,
            variables: Vec::new(),
            withheld: self.withheld.clone(),
        };
        // Dropped with the rest of it, the process is ended.
        let ran = run_user_command(&self.folder, command, LIMIT, &CancellationToken::new()).await;
        ran.map_err(|error| SinkFault::later(text::short_line(&format!("it {}", masked(&error.to_string())), WIDEST)))
    }

    async fn probe(&mut self) -> Result<String, SinkFault> {
        Ok("is run when there are events".to_owned())
    }
}
