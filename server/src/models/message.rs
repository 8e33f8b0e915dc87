use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One content block of the Messages API, kept whole: kinds and fields this crate does not know go back verbatim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Block(pub Value);

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Whose message it is.
    pub role: Role,
    /// What is said.
    pub content: Vec<Block>,
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// We, and the tools.
    User,
    /// The model.
    Assistant,
}

/// A tool as it is sent to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does, what it answers, its limits.
    pub description: String,
    /// JSON Schema of its input.
    pub input_schema: Value,
    /// Ask the provider to hold the input to the schema.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// It wants tools called.
    ToolUse,
    /// The answer reached `max_tokens` and is cut.
    MaxTokens,
    /// A stop sequence came.
    StopSequence,
    /// It declined.
    Refusal,
    /// A long turn was paused; sending the conversation back continues it.
    PauseTurn,
    /// The context window is full.
    ModelContextWindowExceeded,
    /// One this crate does not know.
    #[serde(untagged)]
    Other(String),
}

impl Block {
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self(json!({ "type": "text", "text": text.into() }))
    }

    /// A tool call.
    pub fn tool_use(id: &str, name: &str, input: Value) -> Self {
        Self(json!({ "type": "tool_use", "id": id, "name": name, "input": input }))
    }

    /// The answer to a tool call.
    pub fn tool_result(tool_use_id: &str, text: impl Into<String>, is_error: bool) -> Self {
        let mut block = json!({ "type": "tool_result", "tool_use_id": tool_use_id, "content": text.into() });
        if is_error {
            block["is_error"] = Value::Bool(true);
        }
        Self(block)
    }

    /// Its `type`.
    pub fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// The text of a text block.
    pub fn as_text(&self) -> Option<&str> {
        (self.kind() == "text").then(|| self.0.get("text").and_then(Value::as_str)).flatten()
    }

    /// Id, name and input of a tool call.
    pub fn as_tool_use(&self) -> Option<(&str, &str, &Value)> {
        if self.kind() != "tool_use" {
            return None;
        }
        Some((self.0.get("id")?.as_str()?, self.0.get("name")?.as_str()?, self.0.get("input")?))
    }
}

impl Message {
    /// A user message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: vec![Block::text(text)] }
    }
}
