use std::fmt;
use std::ops::Range;

use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::limits::over_limit;
use super::plain_json::plain_json;
use crate::text::head_bytes;

/// One thing wrong with a JSON text, at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `schema`, or one of the plan rules: `plan.duplicate-id`, `plan.unknown-task`, `plan.cycle`, `plan.order`,
    /// `plan.ungrouped`, `plan.overlap`, `plan.missing-file`, `plan.path`.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// JSON Pointer (RFC 6901) to the value at fault.
    pub pointer: String,
    /// Bytes of the text that hold the value.
    pub span: Range<usize>,
    /// Where `span` starts.
    pub position: Position,
}

/// A place in a text as people count: line from 1, column in characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.position, self.message, self.code)
    }
}

impl Fault {
    /// A fault of a text as a whole, found at a byte offset.
    pub fn at(text: &str, offset: usize, message: String) -> Self {
        let position = Position::of(text, offset);
        Self { code: "schema", message, pointer: String::new(), span: offset..offset, position }
    }
}

impl Position {
    /// The position of a byte offset; one past the end counts as the end.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = head_bytes(text, offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() as u32 + 1, column: before[start..].chars().count() as u32 + 1 }
    }
}

/// A JSON text that can say where each of its values stands.
pub struct JsonText<'a> {
    text: &'a str,
    root: Option<Place>,
}

/// Where a value stands, and what is in it.
struct Place {
    span: Range<usize>,
    /// The names of an object's values; none of a list's.
    names: Vec<String>,
    values: Vec<Place>,
}

impl Place {
    fn of(node: &Node<'_>) -> Self {
        let range = node.range();
        let (names, values) = match node {
            Node::Object(object) => object
                .properties
                .iter()
                .map(|property| (property.name.as_str().to_owned(), Self::of(&property.value)))
                .unzip(),
            Node::Array(array) => (Vec::new(), array.elements.iter().map(Self::of).collect()),
            _ => (Vec::new(), Vec::new()),
        };
        Self { span: range.start..range.end, names, values }
    }

    fn child(&self, step: &str) -> Option<&Self> {
        // The last of two equal keys is the one serde_json keeps.
        let index = match self.names.is_empty() {
            true => step.parse::<usize>().ok(),
            false => self.names.iter().rposition(|name| name == step),
        };
        self.values.get(index?)
    }
}

impl<'a> JsonText<'a> {
    /// Index a text that [`read`](super::read) has already accepted; of any other text, and of one beyond the limits, every
    /// value stands at the start.
    pub fn new(text: &'a str) -> Self {
        let plain = plain_json(text).plain;
        if over_limit(plain.as_bytes()).is_some() {
            return Self { text, root: None };
        }
        let parsed = parse_to_ast(&plain, &CollectOptions::default(), &ParseOptions::default()).ok();
        Self { text, root: parsed.and_then(|parsed| parsed.value).map(|root| Place::of(&root)) }
    }

    /// The bytes that hold the value a JSON Pointer names, or its nearest existing ancestor.
    pub fn locate(&self, pointer: &str) -> Range<usize> {
        let Some(root) = &self.root else { return 0..0 };
        let mut place = root;
        for step in pointer.split('/').skip(1) {
            let Some(child) = place.child(&step.replace("~1", "/").replace("~0", "~")) else { break };
            place = child;
        }
        place.span.clone()
    }

    /// A fault at the value a JSON Pointer names.
    pub fn fault(&self, code: &'static str, pointer: impl Into<String>, message: impl Into<String>) -> Fault {
        let pointer = pointer.into();
        let span = self.locate(&pointer);
        let position = Position::of(self.text, span.start);
        Fault { code, message: message.into(), pointer, span, position }
    }
}
