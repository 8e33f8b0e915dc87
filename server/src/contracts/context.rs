use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Handoff, lenient_timestamp, null_as_default};

/// What the context agent found: the part of the workspace the task is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextOutput {
    /// When the context was gathered. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// The task, restated precisely in the light of the code.
    pub task_description: String,
    /// The files a planner must know, most relevant first.
    pub relevant_files: Vec<RelevantFile>,
    /// Libraries the task touches.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Dependency>>")]
    pub dependencies: Vec<Dependency>,
    /// Conventions and patterns of this code base that the work should follow.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub existing_patterns: Vec<String>,
    /// What must hold or must not change.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub constraints: Vec<String>,
    /// Paths the task may touch.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_in_scope: Vec<String>,
    /// Paths that look related and must stay as they are.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_out_of_scope: Vec<String>,
}

/// One file of a [`ContextOutput`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelevantFile {
    /// Path relative to the workspace root, with forward slashes.
    pub path: String,
    /// What the file does, as far as the task is concerned.
    pub summary: String,
    /// How much the task depends on it.
    pub relevance: Relevance,
    /// Lines in the file. The server counts them.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<u32>")]
    pub line_count: u32,
}

/// How much a task depends on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Relevance {
    /// The task changes it or cannot be understood without it.
    High,
    /// The task calls it or is called by it.
    Medium,
    /// Worth knowing of.
    Low,
}

/// A library the task touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// Its name in the manifest.
    pub name: String,
    /// Its version or requirement; empty where none is stated.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub version: String,
    /// What it is used for here.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub usage: String,
}

impl Handoff for ContextOutput {
    const NAME: &'static str = "context";
    const FILE: &'static str = "context.json";
    const SERVER_FILLED: &'static [&'static str] = &["timestamp", "relevant_files.line_count"];
}
