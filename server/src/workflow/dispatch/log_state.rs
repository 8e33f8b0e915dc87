//! Where a conversation stands, by the entries of its log.

use std::collections::HashMap;

use super::job::{Entry, Job, Submission, Work};
use crate::agents::PortableError;
use crate::bus::Read;
use crate::memory::TranscriptLine;
use crate::models::{Message, Role};

/// Where a conversation stands.
#[derive(Debug, Default)]
pub(super) struct LogState {
    /// The sequence of the last entry; 0 where there is none.
    pub(super) last: u64,
    /// What is to be done.
    pub(super) work: Option<Work>,
    /// The attempt that was offered last.
    pub(super) job: Option<Job>,
    /// Who has it.
    pub(super) claim: Option<Claim>,
    /// The lines of the transcript, in order, each with its sequence.
    pub(super) lines: Vec<(u64, TranscriptLine)>,
    /// How many of the lines there were when the attempt was offered.
    pub(super) lines_before: usize,
    /// The submission that nobody has judged, with its sequence.
    pub(super) pending: Option<(u64, Submission)>,
    /// The submissions that were sent back, with what was wrong.
    pub(super) sent_back: Vec<(Submission, Vec<String>)>,
    /// The submission that was taken.
    pub(super) taken: Option<Submission>,
    /// How the attempt ended without one.
    pub(super) ended: Option<PortableError>,
    /// Whether the attempt is not to go on.
    pub(super) is_cancelled: bool,
    /// Why the last worker gave it back.
    pub(super) given_back: Option<String>,
    /// What the user told the agent.
    pub(super) told: Vec<(String, String)>,
    /// Entries that were passed over: of no valid claim, or not readable.
    pub(super) passed_over: usize,
}

/// Who has an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The sequence of the entry.
    pub(super) seq: u64,
    /// The attempt.
    pub(super) attempt: u32,
    /// Where the job lay in the queue.
    pub(super) queued: u64,
    /// The worker's name.
    pub(super) worker: String,
    /// The version of its program.
    pub(super) version: String,
}

/// What an entry changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Nothing that anybody waits for.
    Nothing,
    /// A worker has it.
    Claimed(Claim),
    /// A turn was answered, or failed at a cost: the line is the last one.
    Line,
    /// Something waits to be judged.
    Submitted,
    /// The submission was judged.
    Judged,
    /// The attempt is over without anything that was taken.
    Ended,
    /// A worker gave it back.
    GivenBack {
        /// The worker's name.
        worker: String,
        /// Why.
        why: String,
        /// Whether its tree is not at the broker.
        tree_is_lost: bool,
    },
    /// A worker refused it.
    Refused {
        /// The worker's name.
        worker: String,
        /// Why.
        why: String,
    },
    /// The user told something.
    Told,
    /// The next attempt is offered.
    Offered,
    /// It is not to go on.
    Cancelled,
    /// It is by nobody who may write it: a worker whose claim is over, say.
    PassedOver,
    /// It is not sealed with the key, or not for its place.
    Unsealed,
}

impl LogState {
    /// Take in what was read of the log; nothing, where that is known already.
    pub(super) fn read(&mut self, read: &Read) -> Option<Change> {
        let seq = read.seq();
        if seq <= self.last {
            return None;
        }
        Some(match read {
            Read::Entry(entry) => match serde_json::from_slice(&entry.body) {
                Ok(parsed) => self.take(seq, parsed),
                Err(error) => {
                    tracing::warn!(seq, %error, "an entry of a job's log cannot be read");
                    self.skip(seq);
                    Change::PassedOver
                }
            },
            Read::Unsealed { .. } => {
                tracing::warn!(seq, "a message that is not sealed with the key was refused");
                self.skip(seq);
                Change::Unsealed
            }
        })
    }

    /// Take in the next entry.
    pub(super) fn take(&mut self, seq: u64, entry: Entry) -> Change {
        self.last = seq;
        let current = self.claim.as_ref().map(|claim| claim.seq);
        let is_late = |claim: u64| current != Some(claim);
        match entry {
            Entry::Opened { work } if self.work.is_none() => {
                self.work = Some(*work);
                Change::Nothing
            }
            Entry::Offered { job } if self.taken.is_none() && self.attempt().checked_add(1) == Some(job.attempt) => {
                self.lines_before = self.lines.len();
                (self.job, self.claim, self.ended, self.is_cancelled) = (Some(job), None, None, false);
                Change::Offered
            }
            Entry::Claimed { attempt, queued, worker, version } if attempt == self.attempt() && !self.is_over() => {
                let claim = Claim { seq, attempt, queued, worker, version };
                self.claim = Some(claim.clone());
                self.given_back = None;
                Change::Claimed(claim)
            }
            Entry::Turn { claim, line } if !is_late(claim) && !self.is_over() && is_plausible(&line) => {
                self.lines.push((seq, *line));
                Change::Line
            }
            Entry::Submitted { claim, submission } if !is_late(claim) && !self.is_over() => {
                self.pending = Some((seq, *submission));
                Change::Submitted
            }
            Entry::Judged { faults } => {
                let Some((_, submission)) = self.pending.take() else { return self.pass_over() };
                match faults.is_empty() {
                    true => self.taken = Some(submission),
                    false => self.sent_back.push((submission, faults)),
                }
                Change::Judged
            }
            Entry::Ended { claim, error } if !is_late(claim) && !self.is_over() => {
                self.ended = Some(error);
                Change::Ended
            }
            Entry::GivenBack { claim, why, tree_is_lost } if !is_late(claim) => {
                let worker = self.claim.take().map(|claim| claim.worker).unwrap_or_default();
                self.given_back = Some(why.clone());
                Change::GivenBack { worker, why, tree_is_lost }
            }
            Entry::Refused { worker, why } => Change::Refused { worker, why },
            Entry::Told { id, text } => {
                self.told.push((id, text));
                Change::Told
            }
            Entry::Cancelled => {
                self.is_cancelled = true;
                Change::Cancelled
            }
            Entry::Opened { .. }
            | Entry::Offered { .. }
            | Entry::Claimed { .. }
            | Entry::Turn { .. }
            | Entry::Submitted { .. }
            | Entry::Ended { .. }
            | Entry::GivenBack { .. } => self.pass_over(),
        }
    }

    /// Pass over what stands at this place.
    fn skip(&mut self, seq: u64) {
        self.last = seq;
        self.passed_over += 1;
    }

    fn pass_over(&mut self) -> Change {
        self.passed_over += 1;
        Change::PassedOver
    }

    /// The number of the last attempt; 0 where none was offered.
    pub(super) fn attempt(&self) -> u32 {
        self.job.as_ref().map_or(0, |job| job.attempt)
    }

    /// Whether nobody goes on with the attempt.
    pub(super) fn is_over(&self) -> bool {
        self.taken.is_some() || self.ended.is_some() || self.is_cancelled
    }

    /// The whole conversation of an agent up to the line of this number, without its answer.
    pub(super) fn conversation_before(&self, number: usize) -> Vec<Message> {
        let mut conversations: HashMap<&str, Vec<Message>> = HashMap::new();
        let mut asked = "";
        for (at, (_, line)) in self.lines.iter().enumerate().take(number + 1) {
            let TranscriptLine::Turn { messages, begins, turn, .. } = line else { continue };
            let conversation = conversations.entry(&turn.agent).or_default();
            if *begins {
                conversation.clear();
            }
            conversation.extend_from_slice(messages);
            if at == number {
                asked = &turn.agent;
                break;
            }
            conversation.push(Message { role: Role::Assistant, content: turn.response.content.clone() });
        }
        conversations.remove(asked).unwrap_or_default()
    }
}

/// Whether a line can be what a turn used.
fn is_plausible(line: &TranscriptLine) -> bool {
    match line {
        TranscriptLine::Turn { turn, .. } => turn.response.usage.is_plausible(),
        TranscriptLine::Lost { usage, .. } => usage.is_plausible(),
        TranscriptLine::Closed { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::agents::{Limits, SubmitTry};
    use crate::contracts::Usage;
    use crate::workflow::dispatch::job::PROTOCOL;

    fn offered(attempt: u32) -> Entry {
        let job = Job {
            protocol: PROTOCOL,
            workflow: "w".to_owned(),
            job: "j".to_owned(),
            round: None,
            phase: "plan".to_owned(),
            task: None,
            attempt,
            plan_sha256: None,
            tree: None,
            budget: Limits { usd: 1.0, tokens: None },
        };
        Entry::Offered { job }
    }

    fn claimed(attempt: u32, queued: u64) -> Entry {
        Entry::Claimed { attempt, queued, worker: format!("w{queued}"), version: "1".to_owned() }
    }

    fn turn(claim: u64) -> Entry {
        let line = TranscriptLine::Lost {
            at: Timestamp::UNIX_EPOCH,
            lost: "plan".to_owned(),
            usage: Usage::default(),
            from: None,
        };
        Entry::Turn { claim, line: Box::new(line) }
    }

    fn submitted(claim: u64, number: u32) -> Entry {
        let submission = Submission {
            input: json!({ "number": number }),
            submit_try: SubmitTry { number, is_last: false },
            files: Vec::new(),
            refused: Vec::new(),
            tries: Vec::new(),
        };
        Entry::Submitted { claim, submission: Box::new(submission) }
    }

    fn judged(faults: &[&str]) -> Entry {
        Entry::Judged { faults: faults.iter().map(|fault| (*fault).to_owned()).collect() }
    }

    #[test]
    fn what_a_worker_writes_whose_claim_is_over_is_passed_over() {
        let mut state = LogState::default();
        state.take(1, offered(1));
        assert!(matches!(state.take(2, claimed(1, 7)), Change::Claimed(_)));
        assert_eq!(state.take(3, turn(2)), Change::Line);
        assert!(matches!(state.take(4, claimed(1, 7)), Change::Claimed(_)), "it was delivered again");
        for zombie in [turn(2), submitted(2, 1), Entry::GivenBack { claim: 2, why: String::new(), tree_is_lost: false }]
        {
            assert_eq!(state.take(5, zombie), Change::PassedOver);
        }
        assert_eq!(state.take(6, turn(4)), Change::Line);
        assert_eq!((state.lines.len(), state.passed_over, state.pending.is_some()), (2, 3, false));
        assert_eq!(state.claim.as_ref().map(|claim| claim.seq), Some(4));
    }

    #[test]
    fn a_submission_is_judged_once_and_what_was_sent_back_is_known_to_who_takes_over() {
        let mut state = LogState::default();
        state.take(1, offered(1));
        state.take(2, claimed(1, 7));
        assert_eq!(state.take(3, submitted(2, 1)), Change::Submitted);
        assert_eq!(state.take(4, judged(&["/x: is missing"])), Change::Judged);
        assert_eq!(state.take(5, judged(&[])), Change::PassedOver, "nothing waits to be judged");
        assert!(state.taken.is_none() && !state.is_over());
        state.take(6, claimed(1, 7));
        assert_eq!(state.sent_back.len(), 1);
        state.take(7, submitted(6, 2));
        state.take(8, judged(&[]));
        assert!(state.is_over() && state.taken.is_some());
        assert_eq!(state.take(9, claimed(1, 8)), Change::PassedOver, "it is over");
    }

    #[test]
    fn a_new_attempt_goes_on_where_the_last_one_ended() {
        let mut state = LogState::default();
        state.take(1, offered(1));
        state.take(2, claimed(1, 7));
        state.take(3, turn(2));
        assert_eq!(state.take(4, Entry::Cancelled), Change::Cancelled);
        assert!(state.is_over());
        assert_eq!(state.take(5, offered(1)), Change::PassedOver, "it was offered before");
        state.take(6, offered(2));
        assert!(!state.is_over() && state.claim.is_none());
        assert_eq!((state.lines.len(), state.lines_before), (1, 1));
        assert_eq!(state.take(7, claimed(1, 7)), Change::PassedOver, "an old delivery");
        assert!(matches!(state.take(8, claimed(2, 9)), Change::Claimed(_)));
    }

    #[test]
    fn a_turn_that_cannot_have_used_that_is_passed_over() {
        let mut state = LogState::default();
        state.take(1, offered(1));
        state.take(2, claimed(1, 7));
        let of = |usage: Usage| {
            let mut entry = turn(2);
            if let Entry::Turn { line, .. } = &mut entry
                && let TranscriptLine::Lost { usage: used, .. } = line.as_mut()
            {
                *used = usage;
            }
            entry
        };
        let usd = |cost: f64| Usage { cost_usd: Some(cost), ..Usage::default() };
        for faulty in [
            usd(-0.01),
            usd(f64::NAN),
            usd(f64::INFINITY),
            usd(1e300),
            Usage { priced_usd: -1.0, cost_usd: None, ..Usage::default() },
            Usage { input_tokens: u64::MAX, ..Usage::default() },
            Usage { output_tokens: u64::MAX / 2, ..Usage::default() },
        ] {
            assert_eq!(state.take(3, of(faulty)), Change::PassedOver, "{faulty:?}");
        }
        assert_eq!(state.take(4, of(usd(12.5))), Change::Line);
        assert_eq!(state.lines.len(), 1);
    }

    #[test]
    fn attempts_are_offered_one_after_the_other_and_none_once_something_is_taken() {
        let mut state = LogState::default();
        for wrong in [0, 2, u32::MAX] {
            assert_eq!(state.take(1, offered(wrong)), Change::PassedOver, "{wrong}");
        }
        assert_eq!(state.take(2, offered(1)), Change::Offered);
        state.take(3, claimed(1, 7));
        state.take(4, submitted(3, 1));
        state.take(5, judged(&[]));
        assert_eq!(state.take(6, offered(2)), Change::PassedOver);
        assert!(state.is_over());
    }

    #[test]
    fn bytes_that_are_nearly_entries_leave_a_state_that_can_be_gone_on_with() {
        let valid: Vec<Vec<u8>> = [
            offered(1),
            claimed(1, 7),
            turn(2),
            submitted(2, 1),
            judged(&["/x: is missing"]),
            Entry::GivenBack { claim: 2, why: "x".to_owned(), tree_is_lost: false },
            Entry::Refused { worker: "w".to_owned(), why: "x".to_owned() },
            Entry::Told { id: "i".to_owned(), text: "t".to_owned() },
            Entry::Cancelled,
        ]
        .iter()
        .map(|entry| serde_json::to_vec(entry).unwrap())
        .collect();
        let mut random = fastrand::Rng::with_seed(20_261_128);
        let (mut state, mut last, mut read) = (LogState::default(), 0, 0);
        for seq in 1..20_000 {
            let mut bytes = valid[random.usize(..valid.len())].clone();
            for _ in 0..random.usize(..3) {
                let at = random.usize(..bytes.len());
                match random.u8(..3) {
                    0 => bytes[at] = random.u8(..),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, random.u8(b'0'..=b'9')),
                }
            }
            match serde_json::from_slice::<Entry>(&bytes) {
                Ok(entry) => {
                    read += 1;
                    state.take(seq, entry);
                }
                Err(_) => state.skip(seq),
            }
            assert!(state.last == seq && state.attempt() >= last, "{seq}");
            last = state.attempt();
            assert!(state.lines_before <= state.lines.len());
            if state.taken.is_some() {
                state = LogState { last: seq, ..LogState::default() };
                last = 0;
            }
        }
        assert!(read > 5_000, "{read}");
    }
}
