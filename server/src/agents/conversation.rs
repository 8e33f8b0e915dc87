//! A conversation under way: turns, what is recorded and resumed, and what ends it.

use std::sync::OnceLock;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::answer;
use super::brief::{Accept, Activity, Brief, Report, RunContext, SUBMIT_TRIES, SubmitTry};
use super::budget::{Reservation, Uncovered};
use super::calls::{Calls, Submitted};
use super::continued::{is_continued, told_block};
use super::error::AgentError;
use super::results::fit_results;
use super::shortage::Shortage;
use super::size::{bytes_of, bytes_of_frame};
use super::window::{Full, Window};
use crate::memory::{Told, TranscriptLine, request_digest};
use crate::models::{Block, Message, ModelErrorKind, RecordedTurn, Role, StopReason, Turn, TurnProgress, TurnRequest};
use crate::text::head;

/// Answers in a row that use no tool, are cut short, or hold no call that can be read.
const IDLE_TRIES: u32 = 3;
/// Pauses in a row that a model may take.
const PAUSES: u32 = 10;
/// Most turns of one conversation.
pub const MAX_TURNS: u32 = 100;
/// Tokens are estimated before a turn is sent, and rather too high than too low: dense code comes to about so few bytes
/// a token.
const LEAST_BYTES_A_TOKEN: u64 = 2;

/// An answer that was cut because the budget had too little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CutByBudget {
    /// While others held what they have given back since, or in an earlier run, with what may have been a smaller budget.
    Then,
    /// With nothing else under way.
    Now,
}

/// A conversation under way.
pub(super) struct Conversation<'a> {
    run: &'a RunContext,
    brief: &'a Brief,
    report: Report<'a>,
    request: TurnRequest,
    window: &'a mut Window,
    /// Most tokens that the window left for the last answer.
    allowed: u32,
    /// The last answer, where the budget allowed it fewer tokens and it was cut.
    cut_by_budget: Option<CutByBudget>,
    /// Messages that no line of the transcript holds yet start here.
    unrecorded: usize,
    /// Tokens of the conversation as the last answer counted them, and the bytes it had then.
    counted: (u64, usize),
    calls: Calls<'a>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        run: &'a RunContext,
        brief: &'a Brief,
        window: &'a mut Window,
        first_message: String,
        report: Report<'a>,
    ) -> Self {
        let request = TurnRequest {
            run: run.run.clone(),
            agent: brief.agent.clone(),
            tier: brief.tier,
            system: brief.system.iter().map(|part| brief.model.masked(part).into_owned()).collect(),
            tools: brief.tools(),
            messages: vec![Message::user(brief.model.masked(&first_message))],
            max_tokens: brief.max_tokens,
        };
        let allowed = window.wanted();
        run.tells.begin(&brief.agent);
        let tools = request.tools.iter().map(|tool| tool.name.clone()).collect();
        let calls = Calls::new(run, brief, tools, report);
        Self {
            run,
            brief,
            report,
            request,
            window,
            allowed,
            cut_by_budget: None,
            unrecorded: 0,
            counted: (0, 0),
            calls,
        }
    }
}

impl<'a> Conversation<'a> {
    /// Take turn after turn until something is handed on.
    pub(super) async fn drive<T: Send>(&mut self, accept: Accept<'_, T>) -> Result<T, AgentError> {
        let (mut faulty, mut idle, mut pauses, mut unreadable) = (0, 0, 0, 0);
        for _ in 0..MAX_TURNS {
            let turn = self.turn().await?;
            let is_cut = turn.stop_reason == StopReason::MaxTokens;
            if let Some(error) = self.ended_by(&turn) {
                return Err(error);
            }
            let is_written_call = self.is_written_call(&turn);
            self.append(&turn.content);
            let calls: Vec<(String, String, Value)> = turn
                .content
                .iter()
                .filter_map(Block::as_tool_use)
                .map(|(id, name, input)| (id.to_owned(), name.to_owned(), input.clone()))
                .collect();
            if calls.is_empty() && turn.stop_reason == StopReason::PauseTurn && !turn.content.is_empty() {
                // Sending the conversation back as it is continues the turn.
                pauses += 1;
                if pauses > PAUSES {
                    return Err(self.too_long(format!("it paused {pauses} times and never went on")));
                }
                continue;
            }
            pauses = 0;
            // What the budget cut is no fault of the model's.
            let fault = u32::from(self.cut_by_budget.is_none());
            if calls.is_empty() {
                idle += fault;
                if idle >= IDLE_TRIES {
                    return Err(if is_cut { self.cut_short() } else { self.no_tools(idle) });
                }
                self.answer_without_calls(&turn, idle, is_written_call);
                continue;
            }
            let submit_try = self.submit_try(faulty);
            let (mut results, submitted) = self.calls.execute(&calls, accept, submit_try).await?;
            match submitted {
                Submitted::Accepted(handoff) => return Ok(handoff),
                Submitted::Faulty(faults) => {
                    faulty += 1;
                    if faulty >= SUBMIT_TRIES {
                        return Err(AgentError::Contract { agent: self.brief.agent.clone(), tries: faulty, faults });
                    }
                }
                Submitted::None => {}
            }
            let none_readable = calls.iter().all(|(_, _, input)| answer::fault_of(input).is_some());
            unreadable = if none_readable { unreadable + 1 } else { 0 };
            if unreadable >= IDLE_TRIES {
                return Err(self.too_long(format!("the input of its tool calls was no JSON object {unreadable} times")));
            }
            let all_failed = results.iter().all(|result| result.0["is_error"] == true);
            idle = if is_cut && all_failed { idle + fault } else { 0 };
            if is_cut {
                if idle >= IDLE_TRIES {
                    return Err(self.cut_short());
                }
                results.push(Block::text(self.in_parts(CUT_AFTER_CALLS)));
            }
            if let Some(room) = self.window.room(self.bytes()) {
                fit_results(&mut results, &calls, room, &self.brief.submit.name);
            }
            self.request.messages.push(Message { role: Role::User, content: results });
        }
        Err(self.too_long(format!("{MAX_TURNS} turns are the most a conversation may have")))
    }

    /// What ends the conversation with this answer. Where calls came whole before it was cut they are carried out, and what room
    /// is left shows in the next turn.
    fn ended_by(&self, turn: &Turn) -> Option<AgentError> {
        let has_calls = turn.content.iter().any(|block| block.as_tool_use().is_some());
        match turn.stop_reason {
            StopReason::Refusal => Some(self.refused(turn)),
            StopReason::ModelContextWindowExceeded => Some(self.window_full()),
            StopReason::MaxTokens if has_calls => None,
            StopReason::MaxTokens if self.cut_by_budget == Some(CutByBudget::Now) => Some(self.cut_by_budget()),
            StopReason::MaxTokens if self.cut_by_budget.is_some() => None,
            StopReason::MaxTokens if self.allowed < self.window.wanted() => Some(self.cut_by_window()),
            _ => None,
        }
    }

    /// The try at which a submission comes after so many faulty ones.
    fn submit_try(&self, faulty: u32) -> SubmitTry {
        let is_last = faulty + 1 >= SUBMIT_TRIES || !self.brief.model.can_answer(&self.request);
        SubmitTry { number: faulty + 1, is_last }
    }

    /// Take one turn: from the transcript where it was paid for already, else from the model.
    pub(super) async fn turn(&mut self) -> Result<Turn, AgentError> {
        let RunContext { transcript, budget, cancel, tells, .. } = self.run;
        let model = &self.brief.model;
        if cancel.is_cancelled() {
            return Err(AgentError::Cancelled);
        }
        // The hash leaves out what the budget allows: a recorded answer stays valid when the budget is raised.
        self.request.max_tokens = self.brief.max_tokens;
        let mut digest = request_digest(model.id(), &self.request);
        let mut bytes = self.bytes();
        let recalled = transcript.recall(&self.brief.agent, &digest);
        let recalled = recalled.or_else(|| self.recall_of_other_models()).or_else(|| self.recall_with_other_reads());
        if let Some(RecordedTurn { response: mut turn, cut_by_budget, .. }) = recalled {
            // An earlier version may have recorded it as it came.
            self.settle(&mut turn);
            self.count(&turn, bytes);
            self.cut_by_budget = cut_by_budget.then_some(CutByBudget::Then);
            (self.report)(Activity::CacheOpened);
            return Ok(turn);
        }
        let told = self.told();
        if !told.is_empty() {
            digest = request_digest(model.id(), &self.request);
            bytes = self.bytes();
        }
        let allowed = self.window.answer(bytes);
        self.allowed = allowed.unwrap_or(self.allowed);
        let allowed = allowed.map_err(|full| window_error(self.brief, full, false))?;
        let prompt = self.counted.0 + (bytes.saturating_sub(self.counted.1) as u64).div_ceil(LEAST_BYTES_A_TOKEN);
        let turn = {
            let (room, began, mut turn) = self.ask_with_room(prompt, allowed, bytes).await?;
            budget.charge_turn(turn.usage);
            if model.tells_window() {
                self.window.limit(model.limits().await);
            }
            // Recorded as it goes into the conversation, so that a resumed one is the same.
            self.settle(&mut turn);
            let recorded = RecordedTurn {
                agent: self.brief.agent.clone(),
                model: model.id().to_owned(),
                request_sha256: digest,
                response: turn.clone(),
                elapsed_ms: began.elapsed().as_millis() as u64,
                cut_by_budget: self.cut_by_budget.is_some(),
            };
            let added = &self.request.messages[self.unrecorded..];
            let told: Vec<String> = told.iter().map(|told| told.id.clone()).collect();
            let line = transcript.turn(Timestamp::now(), &self.request, added, told.clone(), recorded)?;
            transcript.record(&line)?;
            if let Some(relay) = &self.run.relay {
                relay.relay(&line).await?;
            }
            tells.take(&self.brief.agent, &told);
            drop(room);
            turn
        };
        self.unrecorded = self.request.messages.len() + usize::from(!self.is_paused());
        self.count(&turn, bytes);
        (self.report)(Activity::Turn);
        Ok(turn)
    }

    /// Ask the model once the budget has room, with what it has room for. The room is to be held until the answer is charged, so
    /// that the budget never looks larger than it is.
    async fn ask_with_room(
        &mut self,
        prompt: u64,
        allowed: u32,
        bytes: usize,
    ) -> Result<(Reservation<'a>, Instant, Turn), AgentError> {
        let RunContext { budget, cancel, .. } = self.run;
        let model = self.brief.model.id();
        let mut was_short = self.cut_by_budget.is_some();
        let mut may_ask_again = true;
        loop {
            let room = tokio::select! {
                room = budget.admit(model, prompt, allowed), if !was_short => room?,
                room = budget.admit_whole(model, prompt, allowed), if was_short => room?,
                () = cancel.cancelled() => return Err(AgentError::Cancelled),
            };
            if let Some(relay) = &self.run.relay {
                tokio::select! {
                    () = relay.admit() => {}
                    () = cancel.cancelled() => return Err(AgentError::Cancelled),
                }
            }
            self.request.max_tokens = room.max_tokens;
            let began = Instant::now();
            match self.ask(&room, may_ask_again).await {
                Ok(Some(turn)) => {
                    let is_cut = turn.stop_reason == StopReason::MaxTokens && room.max_tokens < allowed;
                    let when = if room.is_shortened_by_others { CutByBudget::Then } else { CutByBudget::Now };
                    self.cut_by_budget = is_cut.then_some(when);
                    return Ok((room, began, turn));
                }
                Ok(None) => (was_short, may_ask_again) = (true, false),
                Err(error) => {
                    if is_window_full(&error) && self.request.messages.len() == 1 {
                        self.window.refuse(bytes);
                    }
                    return Err(error);
                }
            }
        }
    }

    fn is_written_call(&self, turn: &Turn) -> bool {
        answer::is_written_call(turn, &self.request.messages, &|name| self.calls.has_tool(name))
    }

    /// Tell a model that wrote a call as text. Returns whether it was told: then it is to be asked again.
    pub(super) fn tell_of_written_call(&mut self, turn: &Turn) -> bool {
        let is_written_call = self.is_written_call(turn);
        if is_written_call {
            self.append(&turn.content);
            self.answer_without_calls(turn, 1, is_written_call);
        }
        is_written_call
    }

    /// Add to the request what the user tells the agent, behind the results of its tools. A paused answer is not
    /// interrupted.
    fn told(&mut self) -> Vec<Told> {
        let Some(message) = self.request.messages.last_mut().filter(|message| message.role == Role::User) else {
            return Vec::new();
        };
        let told = self.run.tells.waiting_for(&self.brief.agent);
        for Told { text, .. } in &told {
            let text = self.brief.model.masked(text);
            message.content.push(told_block(&text));
            (self.report)(Activity::Told(text.into_owned()));
        }
        told
    }

    /// Make of an answer what the conversation can go on with.
    fn settle(&self, turn: &mut Turn) {
        answer::settle(turn, &self.request.messages, &|name| self.calls.has_tool(name));
    }

    /// Take in what a server counted of a turn whose request had so many bytes.
    fn count(&mut self, turn: &Turn, bytes: usize) {
        let all = bytes + bytes_of(&turn.content);
        self.window.count(&turn.usage, bytes, all);
        if turn.usage.total_tokens() > 0 && !turn.usage.estimated {
            self.counted = (turn.usage.total_tokens(), all);
        }
    }

    /// Ask the model. What a failed turn cost is charged and recorded, and an attempt that the budget has no room for is
    /// not made. `None` where it has none while others are at work, if it may be asked again then.
    async fn ask(&self, room: &Reservation<'_>, may_ask_again: bool) -> Result<Option<Turn>, AgentError> {
        let RunContext { transcript, budget, cancel, .. } = self.run;
        let stop = cancel.child_token();
        let overspent = OnceLock::new();
        let progress = |progress: TurnProgress| match progress {
            TurnProgress::FirstByte => (self.report)(Activity::CacheOpened),
            progress => {
                if let TurnProgress::Retry { lost, .. } = &progress
                    && let Err(uncovered) = room.cover(lost, may_ask_again)
                {
                    overspent.get_or_init(|| uncovered);
                    stop.cancel();
                    return;
                }
                (self.report)(Activity::Model(progress));
            }
        };
        let error = match self.brief.model.turn(&self.request, &stop, &progress).await {
            Ok(turn) => return Ok(Some(turn)),
            Err(error) => error,
        };
        if error.usage.total_tokens() > 0 {
            budget.charge(error.usage);
            let lost = self.brief.agent.clone();
            let line = TranscriptLine::Lost { at: Timestamp::now(), lost, usage: error.usage, from: None };
            transcript.record(&line)?;
            if let Some(relay) = &self.run.relay {
                relay.relay(&line).await?;
            }
        }
        match overspent.into_inner() {
            Some(Uncovered::ForNow) if !cancel.is_cancelled() => Ok(None),
            Some(Uncovered::AtAll(shortage)) if !cancel.is_cancelled() => Err(AgentError::Budget(shortage)),
            _ => Err(error.into()),
        }
    }

    /// Append an answer of the model to the conversation. After a pause it continues the same message.
    fn append(&mut self, content: &[Block]) {
        match self.request.messages.last_mut() {
            Some(message) if message.role == Role::Assistant => message.content.extend_from_slice(content),
            _ => self.request.messages.push(Message { role: Role::Assistant, content: content.to_vec() }),
        }
    }

    /// Whether the model paused, so that the conversation ends with a part of its answer.
    fn is_paused(&self) -> bool {
        self.request.messages.last().is_some_and(|message| message.role == Role::Assistant)
    }

    /// The next recorded answer of an interrupted conversation whose calls that only read elsewhere were answered
    /// differently then, or that the user told something. The conversation is resumed with what was recorded.
    fn recall_with_other_reads(&mut self) -> Option<RecordedTurn> {
        let now = &self.request.messages;
        let reads_others = |tool: &str, input: &Value| self.brief.toolbox.reads_others(tool, input);
        let may_stand = |recorded: &[Message]| is_continued(recorded, now, &reads_others);
        let transcript = &self.run.transcript;
        let recall = |model: &str| transcript.recall_like(model, &self.request, &may_stand);
        let recalled = recall(self.brief.model.id());
        let (recorded, turn) = recalled.or_else(|| self.other_models().iter().find_map(|model| recall(model)))?;
        self.request.messages = recorded;
        Some(turn)
    }

    /// The next recorded answer of a conversation that was begun elsewhere, with another model.
    fn recall_of_other_models(&self) -> Option<RecordedTurn> {
        let recall =
            |model: &String| self.run.transcript.recall(&self.brief.agent, &request_digest(model, &self.request));
        self.other_models().iter().find_map(recall)
    }

    /// The models that answered in a conversation that was begun elsewhere.
    fn other_models(&self) -> Vec<String> {
        if self.run.relay.is_some() { self.run.transcript.models() } else { Vec::new() }
    }

    fn answer_without_calls(&mut self, turn: &Turn, idle: u32, is_written_call: bool) {
        if self.request.messages.last().is_some_and(|message| message.content.is_empty()) {
            // An assistant message may not be empty, so the silence is taken back and the question put again.
            self.request.messages.pop();
            self.unrecorded = self.unrecorded.min(self.request.messages.len());
        }
        let text = match turn.stop_reason {
            StopReason::MaxTokens => self.in_parts(CUT),
            _ if is_written_call => answer::WRITTEN_CALL.to_owned(),
            _ if turn.content.is_empty() => {
                format!("(Your last answer was empty, {idle} of {IDLE_TRIES}.) {}", self.nudge_text())
            }
            _ => self.nudge_text(),
        };
        match self.request.messages.last_mut() {
            Some(message) if message.role == Role::User => message.content.push(Block::text(text)),
            _ => self.request.messages.push(Message::user(text)),
        }
    }

    fn nudge_text(&self) -> String {
        format!(
            "Text alone does nothing here. Use a tool: look at what you still need, or end your work with {}.",
            self.brief.submit.name
        )
    }

    /// What an agent is told whose answer was cut, and, where it writes files, how a long one is written.
    fn in_parts(&self, cut: &str) -> String {
        let in_parts = if self.calls.has_tool("write_file") { CUT_FILE } else { "" };
        format!("{cut}{in_parts}")
    }

    /// Bytes of the whole prompt: what a turn's tokens are estimated from before it is sent.
    fn bytes(&self) -> usize {
        let messages: usize = self.request.messages.iter().map(|message| bytes_of(&message.content)).sum();
        bytes_of_frame(&self.request.system, &self.request.tools) + messages
    }

    /// The model declined.
    pub(super) fn refused(&self, turn: &Turn) -> AgentError {
        let text = turn.content.iter().filter_map(Block::as_text).collect::<Vec<_>>().join(" ");
        AgentError::Refused { agent: self.brief.agent.clone(), reason: head(&text, 300).to_owned() }
    }

    fn window_full(&self) -> AgentError {
        AgentError::Model(crate::models::ModelError::new(
            ModelErrorKind::ContextWindow,
            format!(
                "the {} agent's conversation does not fit the model's context window; a smaller task, or a model with \
                 a larger window (models.*), may do better",
                self.brief.agent
            ),
        ))
    }

    /// The model used no tool.
    pub(super) fn no_tools(&self, turns: u32) -> AgentError {
        AgentError::NoTools { agent: self.brief.agent.clone(), turns }
    }

    fn cut_short(&self) -> AgentError {
        self.too_long(format!("its answers were cut at {} tokens {IDLE_TRIES} times", self.window.wanted()))
    }

    fn cut_by_window(&self) -> AgentError {
        let full = self.window.full(self.bytes());
        full.map_or_else(|| self.window_full(), |full| window_error(self.brief, full, false))
    }

    fn cut_by_budget(&self) -> AgentError {
        let (agent, had) = (&self.brief.agent, self.request.max_tokens);
        AgentError::Budget(Shortage::other(format!(
            "too small: what is left of it allowed the {agent} agent an answer of {had} tokens, too few. Raise budget_usd or \
             budget_tokens"
        )))
    }

    fn too_long(&self, reason: String) -> AgentError {
        AgentError::TooLong { agent: self.brief.agent.clone(), reason }
    }
}

/// Whether a conversation ended because the window of its model is full.
pub(super) fn is_window_full(error: &AgentError) -> bool {
    match error {
        AgentError::Model(error) => error.kind == ModelErrorKind::ContextWindow,
        AgentError::Window { is_first, .. } => !is_first,
        _ => false,
    }
}

/// A prompt that the window has no room for.
pub(super) fn window_error(brief: &Brief, full: Full, is_first: bool) -> AgentError {
    let Full { window, needed, from } = full;
    AgentError::Window {
        agent: brief.agent.clone(),
        model: brief.model.id().to_owned(),
        window,
        needed,
        from,
        is_first,
    }
}

const CUT: &str = "Your last answer was cut at its greatest length, so a call at its end was lost. Go on in smaller \
                   steps: one file or one edit a call.";

/// The same where calls came whole: whether others were to follow is not known.
const CUT_AFTER_CALLS: &str = "Your last answer was cut at its greatest length. The calls that came whole are answered here; \
                               what was to follow them is lost. Go on in smaller steps: one file or one edit a call.";

/// How a file is written that is longer than an answer.
const CUT_FILE: &str = " A long file is written in parts: its beginning with write_file, then each further part with edit_file at \
                        its end (start_line one more than the number of its lines, end_line that number, last its last \
                        line).";
