//! What the server answers: replies by agent and turn, and faults before them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What to answer.
///
/// An agent's `n`-th reply goes to the request whose conversation holds `n` answers already, so that the script works
/// for agents side by side and for a run that is killed and resumed.
#[derive(Clone, Default)]
pub struct Script {
    /// By agent: the replies of each of its conversations.
    agents: Vec<(String, Vec<Vec<Reply>>)>,
    faults: Vec<(String, Vec<Fault>)>,
    handler: Option<Handler>,
    /// What `/v1/models` lists; the three default models where it is not set.
    models: Option<Option<Vec<String>>>,
    /// What it says of each.
    capabilities: Option<Value>,
}

type Handler = Arc<dyn Fn(&RecordedRequest) -> Option<Reply> + Send + Sync>;

/// One answer of the model.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) pieces: Vec<Piece>,
    pub(super) stop_reason: Option<String>,
    pub(super) usage: Option<Value>,
    pub(super) delay: Duration,
    pub(super) pause: Duration,
    pub(super) is_noisy: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Block(Value),
    /// A tool call whose input is sent unchanged, JSON or not.
    RawCall {
        name: String,
        input: String,
    },
}

/// The agent that checks one finding of a review. Where a script does not name it, each finding stands.
pub const VALIDATE: &str = "validate";

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A response of this status instead of an answer.
    Status { code: u16, headers: Vec<(String, String)>, body: String },
    /// The connection is closed instead of an answer.
    Reset,
    /// So many events of the answer, and a clean end of the stream.
    CutAfterEvents(usize),
    /// So many events and half of the next, and the connection is closed.
    CutInsideEvent(usize),
    /// An `error` event of this kind after the answer began.
    ErrorEvent(&'static str),
    /// A web page instead of an answer, as captive networks send it.
    Html200,
    /// An event stream whose data is not JSON.
    GarbageData,
    /// So many events of the answer, and then nothing.
    IdleAfter(usize),
    /// So many events of the answer, and then these bytes again and again.
    TrickleAfter(usize, &'static str),
    /// Headers that begin and never end.
    TrickledHeaders,
    /// A status whose body never ends.
    TrickledBody(u16),
    /// No response at all.
    Silence,
    /// The answer, but its headers come so late.
    SlowHeaders(Duration),
}

/// Which request of a run: an agent's turn in one of its conversations. A request that is sent again has the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestName {
    /// As in [`RecordedRequest`].
    pub agent: String,
    /// As in [`RecordedRequest`].
    pub conversation: usize,
    /// As in [`RecordedRequest`].
    pub turn: usize,
}

/// A request as the server got it.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// `context`, `plan`, `implement/T1`, `further/security`, `review`, `validate`, by the submit tool on offer; `any` without
    /// one.
    pub agent: String,
    /// Which of the agent's conversations, from 0: they differ in their first message.
    pub conversation: usize,
    /// How many answers the conversation holds.
    pub turn: usize,
    /// Its place among all requests that the server got, from 0.
    pub number: usize,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
    /// When it came.
    pub at: Instant,
    /// How many requests were under way then, itself included.
    pub at_once: usize,
    /// The fault that the script prescribes for it.
    pub fault: Option<Fault>,
}

impl Script {
    /// No replies yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The replies of an agent (`context`, `plan`, `implement/T1`, `further/security`, `review`), the same in each of its
    /// conversations. `implement` stands for every task that is not named, and `any` for an agent without a submit tool.
    pub fn on(self, agent: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.rounds(agent, [replies.into_iter().collect()])
    }

    /// The replies of an agent in each of its conversations, in the order they begin; the last ones go on.
    pub fn rounds(mut self, agent: &str, rounds: impl IntoIterator<Item = Vec<Reply>>) -> Self {
        self.agents.push((agent.to_owned(), rounds.into_iter().collect()));
        self
    }

    /// Faults of the first requests of an agent, one each; `*` stands for every agent.
    pub fn fault(mut self, agent: &str, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.push((agent.to_owned(), faults.into_iter().collect()));
        self
    }

    /// The models that `/v1/models` lists; with `None` there is no such page. Faults of `models` come first.
    pub fn models(mut self, models: Option<&[&str]>) -> Self {
        self.models = Some(models.map(|models| models.iter().map(|&id| id.to_owned()).collect()));
        self
    }

    /// Say of each model that it thinks adaptively, and takes an effort, and how much it takes.
    pub fn capable(mut self) -> Self {
        let (yes, no) = (json!({ "supported": true }), json!({ "supported": false }));
        self.capabilities = Some(json!({
            "thinking": { "supported": true, "types": { "adaptive": yes, "enabled": no } },
            "effort": { "supported": true, "low": yes, "medium": yes, "high": yes, "max": no, "xhigh": null },
        }));
        self
    }

    pub(super) fn capabilities(&self) -> Option<&Value> {
        self.capabilities.as_ref()
    }

    pub(super) fn listed_models(&self) -> Option<Vec<String>> {
        const DEFAULTS: [&str; 3] = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"];
        self.models.clone().unwrap_or_else(|| Some(DEFAULTS.map(str::to_owned).to_vec()))
    }

    /// Asked before the replies above; `None` leaves the request to them.
    pub fn by(mut self, handler: impl Fn(&RecordedRequest) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }

    /// Leave the first request of this name unanswered, for longer than any test takes; others follow the script.
    pub fn stall_once(self, name: &RequestName) -> Self {
        let (name, stalled) = (name.clone(), AtomicBool::new(false));
        Self::new().by(move |request| {
            if request.name() == name && !stalled.swap(true, Ordering::SeqCst) {
                return Some(Reply::text("too late").after(Duration::from_secs(600)));
            }
            self.reply(request)
        })
    }

    /// The reply to a request. A review that says nothing of the criteria it is asked about calls all of them met, and quotes
    /// a changed file.
    pub fn reply(&self, request: &RecordedRequest) -> Option<Reply> {
        Some(self.replied(request)?.with_criteria(request))
    }

    fn replied(&self, request: &RecordedRequest) -> Option<Reply> {
        if let Some(reply) = self.handler.as_ref().and_then(|handler| handler(request)) {
            return Some(reply);
        }
        let kind = request.agent.split('/').next().unwrap_or_default();
        let named = |wanted: &str| self.agents.iter().find(|(agent, _)| agent == wanted);
        let Some((_, rounds)) = named(&request.agent).or_else(|| named(kind)) else {
            return (kind == VALIDATE).then(Reply::stands);
        };
        let round = rounds.get(request.conversation).or(rounds.last())?;
        round.get(request.turn).cloned()
    }

    pub(super) fn next_fault(&self, agent: &str, spent: &mut HashMap<usize, usize>) -> Option<Fault> {
        let kind = agent.split('/').next().unwrap_or_default();
        for (n, (wanted, faults)) in self.faults.iter().enumerate() {
            let spent = spent.entry(n).or_default();
            if (wanted == agent || wanted == kind || wanted == "*") && *spent < faults.len() {
                *spent += 1;
                return faults.get(*spent - 1).cloned();
            }
        }
        None
    }
}

impl Reply {
    /// A text, and the turn ends.
    pub fn text(text: &str) -> Self {
        Self::blocks([json!({ "type": "text", "text": text })])
    }

    /// One tool call.
    pub fn tool(name: &str, input: Value) -> Self {
        Self::tools([(name, input)])
    }

    /// Tool calls of one turn.
    pub fn tools<'a>(calls: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::blocks(calls.into_iter().map(|(name, input)| json!({ "type": "tool_use", "name": name, "input": input })))
    }

    /// A tool call whose input is sent unchanged, JSON or not.
    pub fn raw_call(name: &str, input: &str) -> Self {
        let mut reply = Self::blocks([]);
        reply.pieces.push(Piece::RawCall { name: name.to_owned(), input: input.to_owned() });
        reply
    }

    /// What a check of a finding says of one that holds.
    pub fn stands() -> Self {
        Self::tool("submit_verdict", json!({ "reason": "The code shows it.", "refuted": false }))
    }

    /// These blocks, whatever they are. Tool calls without an id get one.
    pub fn blocks(blocks: impl IntoIterator<Item = Value>) -> Self {
        Self {
            pieces: blocks.into_iter().map(Piece::Block).collect(),
            stop_reason: None,
            usage: None,
            delay: Duration::ZERO,
            pause: Duration::ZERO,
            is_noisy: true,
        }
    }

    /// Thinking before all else, signed as the real API signs it: sent back changed, it is refused.
    pub fn thinking(mut self, thinking: &str) -> Self {
        let signature = super::rules::signature(thinking);
        let block = json!({ "type": "thinking", "thinking": thinking, "signature": signature });
        self.pieces.insert(0, Piece::Block(block));
        self
    }

    /// Text before all else.
    pub fn with_text(mut self, text: &str) -> Self {
        self.pieces.insert(0, Piece::Block(json!({ "type": "text", "text": text })));
        self
    }

    /// One more block at the end.
    pub fn and(mut self, block: Value) -> Self {
        self.pieces.push(Piece::Block(block));
        self
    }

    /// Instead of the one that fits the blocks.
    pub fn stop_reason(mut self, reason: &str) -> Self {
        self.stop_reason = Some(reason.to_owned());
        self
    }

    /// Instead of what the simulated prompt cache counts.
    pub fn usage(mut self, usage: Value) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Time until the answer begins.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Time between two events.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Without the pings, comments and unknown events that answers otherwise hold.
    pub fn quiet(mut self) -> Self {
        self.is_noisy = false;
        self
    }

    /// Where it submits a review without `criteria` and is offered them, those of the plan.
    fn with_criteria(mut self, request: &RecordedRequest) -> Self {
        for piece in &mut self.pieces {
            if let Piece::Block(block) = piece
                && block["name"] == "submit_review"
                && let Some(input) = block["input"].as_object_mut()
                && request.offers_criteria()
            {
                input
                    .entry("criteria")
                    .or_insert_with(|| answered(&format!("{}\n{}", request.system(), request.first_message())));
            }
        }
        self
    }

    /// Its blocks, a tool call whose input is no JSON with the text of it.
    pub fn content(&self) -> Vec<Value> {
        let block = |piece: &Piece| match piece {
            Piece::Block(block) => block.clone(),
            Piece::RawCall { name, input } => json!({ "type": "tool_use", "name": name, "input": input }),
        };
        self.pieces.iter().map(block).collect()
    }

    pub(super) fn calls_tools(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Block(block) => block["type"] == "tool_use",
            Piece::RawCall { .. } => true,
        })
    }
}

impl Fault {
    /// A status with the API's own kind of body.
    pub fn status(code: u16, kind: &str, message: &str) -> Self {
        Self::Status { code, headers: Vec::new(), body: error_body(kind, message) }
    }

    /// 529.
    pub fn overloaded() -> Self {
        Self::status(529, "overloaded_error", "Overloaded")
    }

    /// 429 that asks to wait so many milliseconds.
    pub fn rate_limited(retry_after_ms: u64) -> Self {
        Self::status(429, "rate_limit_error", "This request would exceed your rate limit")
            .header("retry-after-ms", &retry_after_ms.to_string())
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Status { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

impl RecordedRequest {
    /// A request with this body, as the first of its conversation that is known.
    pub fn read(headers: &BTreeMap<String, String>, body: Value) -> Self {
        let turn = messages(&body).iter().filter(|message| message["role"] == "assistant").count();
        Self {
            agent: agent(&body),
            conversation: 0,
            turn,
            number: 0,
            headers: headers.clone(),
            body,
            at: Instant::now(),
            at_once: 1,
            fault: None,
        }
    }

    /// Which request it is.
    pub fn name(&self) -> RequestName {
        RequestName { agent: self.agent.clone(), conversation: self.conversation, turn: self.turn }
    }

    /// The system prompt, its parts joined.
    pub fn system(&self) -> String {
        text_of(&self.body["system"])
    }

    /// The text of the first message.
    pub fn first_message(&self) -> String {
        messages(&self.body).first().map(|message| text_of(&message["content"])).unwrap_or_default()
    }

    fn offers_criteria(&self) -> bool {
        let tools = self.body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().any(|tool| tool["input_schema"]["properties"].get("criteria").is_some())
    }

    /// The blocks of the last message.
    pub fn last_message(&self) -> &Value {
        messages(&self.body).last().map_or(&Value::Null, |message| &message["content"])
    }

    /// The names of the tools on offer.
    pub fn tools(&self) -> Vec<&str> {
        let tools = self.body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
    }
}

/// The first request of an agent.
impl From<&str> for RequestName {
    fn from(agent: &str) -> Self {
        Self::from((agent, 0))
    }
}

/// An agent's turn in its first conversation.
impl From<(&str, usize)> for RequestName {
    fn from((agent, turn): (&str, usize)) -> Self {
        Self::from((agent, 0, turn))
    }
}

/// An agent, which of its conversations, and the turn in it.
impl From<(&str, usize, usize)> for RequestName {
    fn from((agent, conversation, turn): (&str, usize, usize)) -> Self {
        Self { agent: agent.to_owned(), conversation, turn }
    }
}

impl From<&Self> for RequestName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (conversation {}, turn {})", self.agent, self.conversation, self.turn)
    }
}

/// The agents of these requests, in order, each conversation once; without the checks of a review's findings.
pub fn agents(requests: &[RecordedRequest]) -> Vec<String> {
    requests
        .iter()
        .filter(|request| request.turn == 0 && request.agent != VALIDATE)
        .map(|request| request.agent.clone())
        .collect()
}

pub(super) fn error_body(kind: &str, message: &str) -> String {
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_test" }).to_string()
}

pub(super) fn messages(body: &Value) -> &[Value] {
    body["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Every criterion of the plan that a reviewer is told, in its prompt and first message: met, where a file that is there was changed.
pub fn answered(told: &str) -> Value {
    let section = |name: &str| -> Value {
        let rest = told.split_once(&format!("<{name}>\n")).map(|(_, rest)| rest);
        let json = rest.and_then(|rest| rest.split_once(&format!("\n</{name}>"))).map(|(json, _)| json);
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (plan, report) = (section("plan"), section("report"));
    let changes = list(&report["results"]).iter().flat_map(|result| list(&result["changes"])).collect::<Vec<_>>();
    let there = changes.iter().find(|change| change["change_type"] != "deleted");
    // Each line of a quote is looked for by itself, in part too: one of these stands in nearly every text.
    let quoted = |change: &Value| json!({ "file": change["path"], "line": 1, "quote": "e\na\nu\no\ni\n0\n1" });
    let (state, evidence) = there.map_or(("unproven", Value::Null), |change| ("met", quoted(change)));
    let of_task = |task: &Value| -> Vec<Value> {
        let result =
            |number| json!({ "task_id": task["id"], "criterion": number, "evidence": evidence, "state": state });
        (1..=list(&task["acceptance_criteria"]).len()).map(result).collect()
    };
    list(&plan["tasks"]).iter().flat_map(of_task).collect()
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// Requests carry no label: the submit tool on offer names the agent, an implementer's first message ends with its task
/// as JSON, and the prompt of a further phase begins, in a test, with a line that is its name.
fn agent(body: &Value) -> String {
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let offers = |name: &str| tools.iter().any(|tool| tool["name"] == name);
    if offers("submit_context") {
        "context".to_owned()
    } else if offers("submit_plan") {
        "plan".to_owned()
    } else if offers("submit_review") {
        "review".to_owned()
    } else if offers("submit_verdict") {
        VALIDATE.to_owned()
    } else if offers("submit_findings") {
        let system = text_of(&body["system"]);
        format!("further/{}", system.lines().next().unwrap_or_default())
    } else if offers("submit_result") {
        let first = messages(body).first().map(|message| text_of(&message["content"])).unwrap_or_default();
        format!("implement/{}", task_id(&first).unwrap_or_default())
    } else {
        // A further phase of the program submits with a tool that is named after it.
        let mut names = tools.iter().filter_map(|tool| tool["name"].as_str());
        names.find_map(|name| name.strip_prefix("submit_")).unwrap_or("any").to_owned()
    }
}

/// The id of the last JSON object in a text that looks like a task, or else of the last one with an id.
fn task_id(text: &str) -> Option<String> {
    let (mut task, mut other) = (None, None);
    let mut from = 0;
    while let Some(start) = text[from..].find('{').map(|at| from + at) {
        let mut objects = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        let Some(Ok(object)) = objects.next() else {
            from = start + 1;
            continue;
        };
        from = start + objects.byte_offset();
        let object = if object["task"].is_object() { &object["task"] } else { &object };
        if let Some(id) = object["id"].as_str() {
            let is_task = object.get("acceptance_criteria").is_some() || object.get("files_to_modify").is_some();
            *(if is_task { &mut task } else { &mut other }) = Some(id.to_owned());
        }
    }
    task.or(other)
}
