//! The recorded conversations, and which of them a request belongs to.

use serde::Deserialize;

use super::super::error::ModelError;
use super::super::message::{Block, Role};
use super::super::setup::settings;
use super::super::turn::{RecordedTurn, TurnRequest};
use crate::contracts::Task;

const TASK: &str = include_str!("../../../demo/task.md");
/// The conversations of a whole run, which `baton demo` plays too.
const TRANSCRIPT: &str = include_str!("../../../demo/transcript.jsonl");
/// What may follow: another plan, and the fixes of the review's issues.
const FURTHER: &str = include_str!("../../../demo/further.jsonl");

/// Sections of a prompt that ask for something else than without them. A recorded conversation names those it answers.
const TURNS_OF_WORK: [&str; 5] = ["feedback", "review", "review_issues", "failing_checks", "open_issues"];

/// The recorded conversations.
pub(super) struct Recording {
    conversations: Vec<Conversation>,
    /// The tasks of the recorded plan.
    tasks: Vec<Task>,
}

/// A recorded conversation.
struct Conversation {
    agent: String,
    opening: Opening,
    turns: Vec<RecordedTurn>,
}

/// When a conversation is the one that was recorded, as its first line says in `opens`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Opening {
    /// The sections of [`TURNS_OF_WORK`] in its first message.
    about: Vec<String>,
    /// Those that may be there besides; any other makes it another conversation.
    also: Vec<String>,
    /// What its first message holds, word for word.
    given: Vec<String>,
    /// Of these it holds at least one.
    any: Vec<String>,
}

/// What of a plan is compared.
#[derive(Deserialize)]
struct Plan {
    tasks: Vec<Task>,
}

/// A line of the recording.
#[derive(Deserialize)]
struct Line {
    /// On the first line of a conversation; an agent's first one may be without it.
    opens: Option<Opening>,
    #[serde(flatten)]
    turn: RecordedTurn,
}

impl Recording {
    /// What is embedded in this program.
    ///
    /// # Errors
    /// When it is no recording, which a test rules out.
    pub(super) fn embedded() -> Result<Self, ModelError> {
        Self::parse(&[TRANSCRIPT, FURTHER])
    }

    fn parse(texts: &[&str]) -> Result<Self, ModelError> {
        let mut conversations: Vec<Conversation> = Vec::new();
        for line in texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()) {
            let Line { opens, turn } = serde_json::from_str(line)
                .map_err(|error| settings(format!("The demo's recording is faulty: {error}.")))?;
            let last = conversations.iter_mut().rfind(|conversation| conversation.agent == turn.agent);
            match (opens, last) {
                (None, Some(conversation)) => conversation.turns.push(turn),
                (opens, _) => conversations.push(Conversation {
                    agent: turn.agent.clone(),
                    opening: opens.unwrap_or_default(),
                    turns: vec![turn],
                }),
            }
        }
        let tasks = submitted_tasks(&conversations)
            .ok_or_else(|| settings("The demo's recording is faulty: it holds no plan."))?;
        Ok(Self { conversations, tasks })
    }

    /// The answer to a request; `None` where none was recorded.
    pub(super) fn answer_to(&self, request: &TurnRequest) -> Option<&RecordedTurn> {
        let answered = request.messages.iter().filter(|message| message.role == Role::Assistant).count();
        self.conversation(request)?.turns.get(answered)
    }

    fn conversation(&self, request: &TurnRequest) -> Option<&Conversation> {
        let first: String = request.messages.first()?.content.iter().filter_map(Block::as_text).collect();
        let prompt = format!("{}\n{first}", request.system.join("\n"));
        if !self.is_its_own(&prompt) {
            return None;
        }
        let of_agent = |conversation: &&Conversation| conversation.agent == request.agent;
        self.conversations.iter().filter(of_agent).find(|conversation| conversation.opening.is_of(&first))
    }

    /// Whether a prompt is for the demo's task and, where there is a plan, for its plan.
    fn is_its_own(&self, prompt: &str) -> bool {
        let task = section(prompt, "task").or_else(|| section(prompt, "user_task"));
        let is_its_plan = |plan: &str| serde_json::from_str::<Plan>(plan).is_ok_and(|plan| plan.tasks == self.tasks);
        task.is_some_and(|task| task.trim() == TASK.trim()) && section(prompt, "plan").is_none_or(is_its_plan)
    }
}

impl Opening {
    /// Whether a conversation with this first message is the one that was recorded.
    fn is_of(&self, first: &str) -> bool {
        let holds = |text: &String| first.contains(text.as_str());
        TURNS_OF_WORK.iter().all(|name| match section(first, name) {
            Some(_) => self.about.iter().chain(&self.also).any(|known| known == name),
            None => self.about.iter().all(|known| known != name),
        }) && self.given.iter().all(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
    }
}

/// The tasks of the first plan that was handed on.
fn submitted_tasks(conversations: &[Conversation]) -> Option<Vec<Task>> {
    let turns = conversations.iter().flat_map(|conversation| &conversation.turns);
    let mut inputs = turns.flat_map(|turn| &turn.response.content).filter_map(Block::as_tool_use);
    inputs.find_map(|(_, _, input)| Plan::deserialize(input).ok()).map(|plan| plan.tasks)
}

/// What stands between the lines `<name>` and `</name>` of a prompt.
fn section<'a>(prompt: &'a str, name: &str) -> Option<&'a str> {
    let (begin, end) = (format!("<{name}>\n"), format!("\n</{name}>\n"));
    let at_line_start = |(at, _): &(usize, &str)| *at == 0 || prompt.as_bytes().get(at - 1) == Some(&b'\n');
    let (at, _) = prompt.match_indices(&begin).find(at_line_start)?;
    let inside = prompt.get(at + begin.len()..)?;
    inside.split_once(&end).map(|(text, _)| text)
}
