//! When the worker may ask its model: the throttle is the coordinator's, so that an overload slows down the conversations of all
//! workers.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Holding;
use super::turn::TurnAtWork;
use crate::agents::Activity;
use crate::models::{Slot, TurnProgress};
use crate::workflow::dispatch::at_workers::Provider;
use crate::workflow::dispatch::job::Signal;

impl Holding<'_> {
    /// The worker wants to ask its model. What it says may come later than the answer, or earlier than the answer before.
    pub(super) async fn may_ask(&mut self, number: u64, behind: u64) {
        if self.has_line_behind(behind) {
            return;
        }
        if number != self.turn.number || (self.turn.slot.is_none() && self.turn.entering.is_none()) {
            // Whoever asks for the next turn has the answer to the one before, which may still be on its way here.
            if number > self.turn.number
                && let Some(slot) = self.turn.slot.take()
            {
                slot.succeeded();
            }
            self.turn = TurnAtWork { number, behind, entering: Some(self.enter()), ..TurnAtWork::default() };
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

    async fn answer_asked(&mut self) {
        let turn = self.turn.number;
        let may_ask = self.turn.slot.is_some();
        self.signal(&if may_ask { Signal::Ask { turn } } else { Signal::Wait { turn } }).await;
        // Nothing else is heard of a turn that waits.
        if may_ask == self.turn.is_held_back {
            self.turn.is_held_back = !may_ask;
            let provider = self.provider().name();
            (self.report)(Activity::Model(match may_ask {
                true => TurnProgress::Asking { provider, again: None },
                false => TurnProgress::Throttled { provider },
            }));
        }
    }

    fn provider(&self) -> Arc<Provider> {
        self.at.provider(self.conversation.brief.model.id())
    }

    /// Wait for the right to have a turn under way.
    fn enter(&self) -> JoinHandle<Option<Slot>> {
        let (provider, cancel) = (self.provider(), self.run.context.cancel.clone());
        tokio::spawn(async move { provider.throttle.enter(&cancel, || {}).await })
    }

    /// What the agent does tells how its provider does.
    pub(super) fn note_load(&mut self, activity: &Activity) {
        match activity {
            Activity::Model(TurnProgress::Retry { again, .. }) => {
                let slot = self.turn.slot.take();
                if again.is_overload {
                    self.provider().call(&again.provider);
                    if let Some(slot) = slot {
                        slot.overloaded();
                    }
                }
            }
            // The worker makes another attempt without asking. Others wait for it as for any turn, and if it is an overload too,
            // they slow down once more.
            Activity::Model(TurnProgress::Asking { again: Some(_), .. })
                if self.turn.slot.is_none() && self.turn.entering.is_none() =>
            {
                self.turn.entering = Some(self.enter());
            }
            _ => {}
        }
    }

    fn has_line_behind(&self, seq: u64) -> bool {
        self.state.lines.last().is_some_and(|(last, _)| *last > seq)
    }

    /// A turn was answered; where it is that which the worker is at, others may have its place.
    pub(super) fn turn_answered(&mut self) {
        if self.has_line_behind(self.turn.behind)
            && let Some(slot) = std::mem::take(&mut self.turn).slot
        {
            slot.succeeded();
        }
    }
}
