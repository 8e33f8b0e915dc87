//! When the worker may ask its model: the throttle is the coordinator's, so that an overload slows down the conversations of all
//! workers.

use std::sync::Arc;

use super::Holding;
use super::turn::TurnAtWork;
use crate::agents::Activity;
use crate::models::{Slot, TurnProgress};
use crate::workflow::dispatch::job::Signal;

impl Holding<'_> {
    /// The worker wants to ask its model.
    pub(super) async fn may_ask(&mut self, number: u64) {
        if number != self.turn.number || (self.turn.slot.is_none() && self.turn.entering.is_none()) {
            let throttle = self.at.throttle(self.conversation.brief.model.id());
            let cancel = self.run.context.cancel.clone();
            let entering = tokio::spawn(async move { Arc::clone(&throttle).enter(&cancel, || {}).await });
            self.turn = TurnAtWork { number, slot: None, entering: Some(entering) };
        } else {
            self.answer_asked().await;
        }
    }

    /// The right is there, or the run was cancelled.
    pub(super) async fn entered(&mut self, slot: Option<Slot>) {
        self.turn.entering = None;
        self.turn.slot = slot;
        self.answer_asked().await;
    }

    async fn answer_asked(&self) {
        let turn = self.turn.number;
        self.signal(&if self.turn.slot.is_some() { Signal::Ask { turn } } else { Signal::Wait { turn } }).await;
    }

    /// What the agent does tells how its provider does.
    pub(super) fn note_load(&mut self, activity: &Activity) {
        if let Activity::Model(TurnProgress::Retry { again, .. }) = activity
            && again.is_overload
            && let Some(slot) = self.turn.slot.take()
        {
            slot.overloaded();
        }
    }

    /// The turn was answered.
    pub(super) fn turn_answered(&mut self) {
        if let Some(slot) = std::mem::take(&mut self.turn).slot {
            slot.succeeded();
        }
    }
}
