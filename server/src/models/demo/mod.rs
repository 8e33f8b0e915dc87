//! The recorded answers of the demo, embedded in the program: no key, no network, no cost. They are for the demo's own task,
//! and say so where they are asked for anything else.

mod recording;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::error::{ModelError, ModelErrorKind};
use super::model::Model;
use super::prices::Prices;
use super::provider::{Connection, Provider};
use super::replay::{Pace, play};
use super::turn::{Tier, Turn, TurnProgress, TurnRequest};
use crate::contracts::Usage;
use recording::Recording;

/// The one model of this provider.
pub(super) const RECORDED: &str = "demo:recorded";

/// The recorded answers of the demo.
pub(super) const PROVIDER: Provider = Provider {
    name: "demo",
    is_set_up: |_| false,
    default_model: |_, _| Some("recorded".to_owned()),
    connect: |_| Ok(Arc::new(Arc::new(Demo { recording: Recording::embedded()?, pace: PACE }))),
    prices: Prices::Local { is_local: |_| true },
    charges_prices: |_| true,
};

/// Slow enough to be watched.
const PACE: Pace = Pace { factor: 0.08, longest_turn: Duration::from_millis(1_200) };

const ACCOUNT: &str = "recorded answers of the demo; costs nothing";

const OF_SOMETHING_ELSE: &str = "The demo's answers are recorded: they know its own task and plan only, on its files as they \
                                 were. Choose a model to go on: take the demo's out of baton.toml, which names them.";

/// Answers what was recorded, by the place in the conversation. It keeps no state, so that a run may be resumed, and agents
/// may work side by side.
struct Demo {
    recording: Recording,
    pace: Pace,
}

impl Connection for Arc<Demo> {
    fn model(&self, _: &str, _: Tier) -> Arc<dyn Model> {
        Arc::<Demo>::clone(self)
    }
}

#[async_trait]
impl Model for Demo {
    fn id(&self) -> &str {
        RECORDED
    }

    fn account(&self) -> String {
        ACCOUNT.to_owned()
    }

    fn can_answer(&self, request: &TurnRequest) -> bool {
        self.recording.answer_to(request).is_some()
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let recorded = self.recording.answer_to(request);
        let recorded = recorded.ok_or_else(|| ModelError::new(ModelErrorKind::Settings, OF_SOMETHING_ELSE))?;
        let turn = play(recorded, self.pace, cancel, progress).await?;
        // What the recording used is used by nobody now.
        let usage = Usage { cost_usd: Some(0.0), local: true, ..Usage::default() };
        Ok(Turn { model: "recorded".to_owned(), usage, ..turn })
    }
}

#[cfg(test)]
mod tests;
