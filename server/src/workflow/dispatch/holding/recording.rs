//! The transcript and the budget are brought up to the log.

use super::Holding;
use crate::agents::{Activity, AgentError};
use crate::contracts::Usage;
use crate::memory::TranscriptLine;
use crate::workflow::dispatch::patience::Stop;
use crate::workspace::sha256;

/// What was paid.
enum Charge {
    Turn,
    Loss,
}

impl Holding<'_> {
    /// Bring the transcript up to the log. Each turn is charged once.
    pub(super) fn record_lines(&mut self) -> Result<(), Stop> {
        let transcript = &self.run.context.transcript;
        let mut others = 0;
        while let Some((_, line)) = self.state.lines.get(self.recorded) {
            let number = self.recorded;
            self.recorded += 1;
            let (TranscriptLine::Turn { .. } | TranscriptLine::Lost { .. }) = line else { continue };
            let json = serde_json::to_vec(line).map_err(|error| AgentError::Journal(error.into()))?;
            let place = Some(format!("{}:{}", self.id, &sha256(&json)[..16]));
            if place.as_ref().is_some_and(|place| transcript.has_taken_over(place)) {
                continue;
            }
            let mut line = line.clone();
            match &mut line {
                TranscriptLine::Turn { from, begins, messages, turn, told, .. } => {
                    if turn.agent != self.brief.agent {
                        others += 1;
                        continue;
                    }
                    *from = place;
                    if !*begins && !self.is_begun {
                        (*messages, *begins) = (self.state.conversation_before(number), true);
                    }
                    self.is_begun = true;
                    self.run.context.tells.take(&self.brief.agent, told);
                    self.charge(Charge::Turn, turn.response.usage);
                }
                TranscriptLine::Lost { from, usage, lost, .. } => {
                    if *lost != self.brief.agent {
                        others += 1;
                        continue;
                    }
                    *from = place;
                    self.charge(Charge::Loss, *usage);
                }
                TranscriptLine::Closed { .. } => continue,
            }
            transcript.record(&line).map_err(AgentError::Journal)?;
            (self.report)(Activity::Turn);
        }
        if others > 0 {
            self.notice_once("a turn of another agent came from its worker, and was refused");
        }
        Ok(())
    }

    fn charge(&self, what: Charge, usage: Usage) {
        match (what, &self.slice) {
            (Charge::Turn, Some(slice)) => slice.charge_turn(usage),
            (Charge::Loss, Some(slice)) => slice.charge(usage),
            (Charge::Turn, None) => self.run.context.budget.charge_turn(usage),
            (Charge::Loss, None) => self.run.context.budget.charge(usage),
        }
    }
}
