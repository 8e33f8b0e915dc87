//! A recorded run, played back: no network, no key, nothing billed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::error::{ModelError, ModelErrorKind};
use super::message::{Message, Role};
use super::model::Model;
use super::prices::Prices;
use super::provider::{Connection, Provider};
use super::setup::{Setup, settings};
use super::turn::{RecordedTurn, Tier, Turn, TurnProgress, TurnRequest};

/// How fast a recorded run goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Of the time a turn took when it was recorded; 0 is at once.
    pub factor: f64,
    /// No turn takes longer.
    pub longest_turn: Duration,
}

/// Plays a transcript back.
///
/// It keeps no state, so that a run may be resumed and agents may work side by side: a request whose conversation
/// holds `k` answers already is answered with the agent's turn `k`, counted from 0. A fresh conversation of the same
/// agent therefore starts at its first turn again.
#[derive(Debug)]
pub struct Replay {
    turns: HashMap<String, Vec<RecordedTurn>>,
    pace: Pace,
}

/// A line of a run's transcript that holds no turn.
#[derive(Deserialize)]
#[serde(untagged)]
enum NoTurn {
    /// An agent's conversation came to its end.
    Closed {
        #[serde(rename = "closed")]
        _agent: String,
    },
    /// A turn failed after all retries.
    Lost {
        #[serde(rename = "lost")]
        _agent: String,
    },
}

/// On whose account a recorded run is: the first event of every run that plays one says so.
pub const RECORDED_ACCOUNT: &str = "A recorded run: no network, nothing is billed";

/// The model of a recorded run.
pub(super) const RECORDED: &str = "replay:recorded";

/// A recorded run, from the file that a variable names.
pub(super) const PROVIDER: Provider = Provider {
    name: "replay",
    is_set_up: |_| false,
    default_model: |_, _| Some("recorded".to_owned()),
    connect: |setup| Ok(Arc::new(from_file(setup)?)),
    prices: Prices::Unknown,
    charges_prices: |_| true,
};
/// Output is reported in so many steps.
const STEPS: u32 = 12;

impl Pace {
    /// Without any waiting.
    pub const AT_ONCE: Self = Self { factor: 0.0, longest_turn: Duration::ZERO };

    fn of(&self, recorded_ms: u64) -> Duration {
        let seconds = recorded_ms as f64 / 1e3 * self.factor;
        Duration::try_from_secs_f64(seconds).unwrap_or_default().min(self.longest_turn)
    }
}

impl Replay {
    /// Read a transcript: JSON Lines, one [`RecordedTurn`] a line. As a run leaves it, it has other lines too, on
    /// conversations that ended and turns that failed, and after a kill a last one that was cut: those are skipped, as
    /// are blank lines.
    ///
    /// # Errors
    /// The first line that is none of these, by its number.
    pub fn parse(transcript: &str, pace: Pace) -> Result<Self, ModelError> {
        let mut turns: HashMap<String, Vec<RecordedTurn>> = HashMap::new();
        for (index, line) in transcript.split_inclusive('\n').enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<RecordedTurn>(line) {
                Ok(turn) => turns.entry(turn.agent.clone()).or_default().push(turn),
                Err(error) if error.is_eof() && !line.ends_with('\n') => {}
                Err(_) if serde_json::from_str::<NoTurn>(line).is_ok() => {}
                Err(error) => {
                    let number = index + 1;
                    return Err(settings(format!("Line {number} of the transcript is not a recorded turn: {error}.")));
                }
            }
        }
        if turns.is_empty() {
            return Err(settings("The transcript holds no turn.".to_owned()));
        }
        Ok(Self { turns, pace })
    }

    fn recorded(&self, agent: &str, messages: &[Message]) -> Result<&RecordedTurn, ModelError> {
        let answered = messages.iter().filter(|message| message.role == Role::Assistant).count();
        let turns = self.turns.get(agent).map_or(&[][..], Vec::as_slice);
        turns.get(answered).ok_or_else(|| {
            let (wanted, recorded) = (answered + 1, turns.len());
            ModelError::new(
                ModelErrorKind::Request,
                format!("The recorded run has no turn {wanted} of {agent}: it holds {recorded}."),
            )
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "opens the recording that the user named")]
fn from_file(setup: &Setup<'_>) -> Result<Arc<Replay>, ModelError> {
    let path = setup.var("BATON_REPLAY").ok_or_else(|| {
        settings("The provider `replay` plays a recorded run: set BATON_REPLAY to the path of its transcript.jsonl.")
    })?;
    let transcript = std::fs::read_to_string(&path)
        .map_err(|error| settings(format!("BATON_REPLAY names {path}, which cannot be read: {error}.")))?;
    let pace = Pace { factor: 1.0, longest_turn: Duration::from_millis(600) };
    Replay::parse(&transcript, pace).map(Arc::new)
}

impl Connection for Arc<Replay> {
    fn model(&self, _: &str, _: Tier) -> Arc<dyn Model> {
        Arc::<Replay>::clone(self)
    }
}

#[async_trait]
impl Model for Replay {
    fn id(&self) -> &str {
        RECORDED
    }

    fn account(&self) -> String {
        RECORDED_ACCOUNT.to_owned()
    }

    fn can_answer(&self, request: &TurnRequest) -> bool {
        self.recorded(&request.agent, &request.messages).is_ok()
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        play(self.recorded(&request.agent, &request.messages)?, self.pace, cancel, progress).await
    }
}

/// A recorded answer, in about the time that it took.
///
/// # Errors
/// When `cancel` fires meanwhile.
pub(super) async fn play(
    recorded: &RecordedTurn,
    pace: Pace,
    cancel: &CancellationToken,
    progress: &(dyn Fn(TurnProgress) + Send + Sync),
) -> Result<Turn, ModelError> {
    let total = characters(&recorded.response);
    let step = pace.of(recorded.elapsed_ms) / (STEPS + 1);
    for n in 0..=STEPS {
        let is_cancelled = match step.is_zero() {
            true => cancel.is_cancelled(),
            false => cancel.run_until_cancelled(tokio::time::sleep(step)).await.is_none(),
        };
        if is_cancelled {
            return Err(ModelError::cancelled());
        }
        match n {
            0 => progress(TurnProgress::FirstByte),
            n => progress(TurnProgress::Output { characters: total * n as usize / STEPS as usize }),
        }
    }
    Ok(recorded.response.clone())
}

/// Characters of text and tool input.
fn characters(turn: &Turn) -> usize {
    let of_block = |block: &super::Block| match (block.as_text(), block.as_tool_use()) {
        (Some(text), _) => text.chars().count(),
        (_, Some((_, _, input))) => input.to_string().chars().count(),
        _ => 0,
    };
    turn.content.iter().map(of_block).sum()
}

/// One recorded run serves every tier.
impl From<Replay> for Arc<dyn Model> {
    fn from(replay: Replay) -> Self {
        Arc::new(replay)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tokio::time::Instant;

    use super::super::message::{Block, StopReason};
    use super::super::turn::Tier;
    use super::*;
    use crate::contracts::Usage;

    fn line(agent: &str, text: &str, elapsed_ms: u64) -> String {
        let turn = RecordedTurn {
            agent: agent.to_owned(),
            model: "anthropic:claude-haiku-5-5".to_owned(),
            request_sha256: String::new(),
            response: Turn {
                content: vec![Block::text(text)],
                stop_reason: StopReason::EndTurn,
                model: "claude-haiku-5-5".to_owned(),
                usage: Usage::default(),
            },
            elapsed_ms,
            cut_by_budget: false,
        };
        serde_json::to_string(&turn).expect("serializes")
    }

    fn request(agent: &str, answers: usize) -> TurnRequest {
        let mut messages = vec![Message::user("go")];
        for _ in 0..answers {
            messages.push(Message { role: Role::Assistant, content: vec![Block::text("earlier")] });
            messages.push(Message::user("go on"));
        }
        TurnRequest {
            run: "r".to_owned(),
            agent: agent.to_owned(),
            tier: Tier::Fast,
            system: Vec::new(),
            tools: Vec::new(),
            messages,
            max_tokens: 100,
        }
    }

    async fn answer(replay: &Replay, agent: &str, answers: usize) -> Result<String, ModelError> {
        let turn = replay.turn(&request(agent, answers), &CancellationToken::new(), &|_| ()).await?;
        Ok(turn.content[0].as_text().expect("a text").to_owned())
    }

    #[tokio::test]
    async fn each_agent_gets_its_own_turns_by_the_place_in_its_conversation() {
        let transcript = [line("context", "c0", 0), line("plan", "p0", 0), line("context", "c1", 0)].join("\n\n");
        let replay = Replay::parse(&transcript, Pace::AT_ONCE).expect("parses");
        assert_eq!(answer(&replay, "context", 1).await.expect("recorded"), "c1");
        assert_eq!(answer(&replay, "context", 0).await.expect("recorded"), "c0");
        assert_eq!(answer(&replay, "plan", 0).await.expect("recorded"), "p0");
        assert_eq!(answer(&replay, "context", 0).await.expect("the same again"), "c0");
    }

    #[tokio::test]
    async fn a_transcript_is_played_as_a_run_left_it() {
        let closed = r#"{"at":"2026-01-01T00:00:00Z","closed":"context","mac":"00"}"#;
        let lost = r#"{"at":"2026-01-01T00:00:00Z","lost":"context","usage":{},"mac":"00"}"#;
        let cut = &line("context", "c2", 0)[..40];
        let transcript = [&line("context", "c0", 0), lost, &line("context", "c1", 0), closed, cut].join("\n");
        let replay = Replay::parse(&transcript, Pace::AT_ONCE).expect("parses");
        assert_eq!(answer(&replay, "context", 1).await.expect("recorded"), "c1");
        assert!(answer(&replay, "context", 2).await.is_err());
        for (wrong, number) in [(format!("{cut}\n{closed}\n"), 1), (format!("{closed}\n{{\"shut\":\"context\"}}\n"), 2)]
        {
            let error = Replay::parse(&wrong, Pace::AT_ONCE).unwrap_err().to_string();
            assert!(error.contains(&format!("Line {number} of the transcript is not a recorded turn")), "{error}");
        }
    }

    #[tokio::test]
    async fn where_the_recording_ends_the_error_says_so() {
        let replay = Replay::parse(&line("context", "c0", 0), Pace::AT_ONCE).expect("parses");
        let error = answer(&replay, "context", 1).await.expect_err("no such turn");
        assert_eq!(error.message, "The recorded run has no turn 2 of context: it holds 1.");
        let error = answer(&replay, "implement/T9", 0).await.expect_err("no such agent");
        assert_eq!(error.message, "The recorded run has no turn 1 of implement/T9: it holds 0.");
    }

    #[test]
    fn a_faulty_line_is_named() {
        let transcript = format!("{}\n\n{}\n", line("context", "c0", 0), json!({ "agent": 7 }));
        let error = Replay::parse(&transcript, Pace::AT_ONCE).expect_err("line 3 is faulty");
        assert!(error.message.starts_with("Line 3 of the transcript is not a recorded turn"), "{error}");
        assert!(Replay::parse("\n \n", Pace::AT_ONCE).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_by_at_the_given_pace_and_output_grows() {
        let pace = Pace { factor: 0.1, longest_turn: Duration::from_millis(1300) };
        let transcript = [line("plan", "twelve chars", 6_500), line("plan", "long", 600_000)].join("\n");
        let replay = Replay::parse(&transcript, pace).expect("parses");
        for (answers, took) in [(0, 650), (1, 1300)] {
            let seen = Mutex::new(Vec::new());
            let started = Instant::now();
            let hear = |progress| seen.lock().expect("no panic").push(progress);
            replay.turn(&request("plan", answers), &CancellationToken::new(), &hear).await.expect("recorded");
            assert_eq!(started.elapsed(), Duration::from_millis(took));
            let seen = seen.into_inner().expect("no panic");
            assert_eq!(seen[0], TurnProgress::FirstByte);
            assert_eq!(seen.last(), Some(&TurnProgress::Output { characters: if answers == 0 { 12 } else { 4 } }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_ends_a_turn_at_once() {
        let pace = Pace { factor: 1.0, longest_turn: Duration::from_secs(60) };
        let replay = Replay::parse(&line("plan", "p", 60_000), pace).expect("parses");
        let cancel = CancellationToken::new();
        let started = Instant::now();
        let error = replay.turn(&request("plan", 0), &cancel, &|_| cancel.cancel()).await.expect_err("cancelled");
        assert_eq!(error.kind, ModelErrorKind::Cancelled);
        assert!(started.elapsed() < Duration::from_secs(6));
    }
}
