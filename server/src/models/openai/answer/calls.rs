//! Tool calls, put together from the pieces in which servers send them.

use serde_json::{Map, Value, json};

use super::super::super::http::{join_surrogates, tool_input, tool_input_of};
use super::super::super::message::Block;
use super::super::reasoning;

/// The calls of one answer, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    /// Its place, as the server counts them; many count none, or call every place 0.
    index: Option<u64>,
    id: String,
    name: String,
    /// The pieces of the arguments, joined.
    arguments: String,
    /// Arguments that came as JSON and not as its text.
    object: Option<Value>,
    extra: Option<Value>,
}

/// What a piece brought.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Grown {
    /// Characters of the name and of the arguments.
    pub(super) characters: usize,
    /// The same in bytes.
    pub(super) bytes: usize,
    pub(super) is_news: bool,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Take in an entry of `tool_calls`, which may be a whole call or a piece of one.
    pub(super) fn take(&mut self, piece: &Value) -> Grown {
        // Some put name and arguments beside the id.
        let function = if piece["function"].is_object() { &piece["function"] } else { piece };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let piece = Piece {
            index: piece["index"].as_u64(),
            id: text(&piece["id"]),
            name: text(&function["name"]),
            arguments: &function["arguments"],
            extra: piece.get(reasoning::EXTRA).filter(|extra| !extra.is_null()),
        };
        if piece.is_empty() {
            return Grown::default();
        }
        if self.0.iter().any(|call| call.is_repeated_by(&piece)) {
            return Grown::default();
        }
        let at = self.place_of(&piece).unwrap_or_else(|| {
            self.0.push(Call { index: piece.index, ..Call::default() });
            self.0.len() - 1
        });
        self.0[at].grow(&piece)
    }

    /// The call that a piece belongs to; `None` where it begins another.
    fn place_of(&self, piece: &Piece<'_>) -> Option<usize> {
        let by_id = || {
            let is_there = |call: &Call| piece.index.is_none() || call.index.is_none() || piece.index == call.index;
            self.0.iter().rposition(|call| !piece.id.is_empty() && call.id == piece.id && is_there(call))
        };
        let by_index = || piece.index.and_then(|index| self.0.iter().rposition(|call| call.index == Some(index)));
        let last = || if piece.index.is_none() { self.0.len().checked_sub(1) } else { None };
        by_id().or_else(by_index).or_else(last).filter(|at| !self.0[*at].is_followed_by(piece))
    }

    /// The calls as blocks. With `is_cut` the last is left out where something of it is missing.
    pub(super) fn blocks(&self, is_cut: bool) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for (at, call) in self.0.iter().enumerate() {
            let block = call.block();
            let is_half = is_cut && at + 1 == self.0.len() && (call.is_bare() || block["input"].is_string());
            if call.name.is_empty() || is_half {
                continue;
            }
            let mut block = Block(block);
            let is_taken = |id: &str| blocks.iter().any(|other| other.0["id"] == id);
            if call.id.is_empty() || is_taken(&call.id) {
                // Its result must name it, and no other may be called the same.
                block.0["id"] = fresh_id().into();
            }
            blocks.push(block);
        }
        blocks
    }
}

struct Piece<'a> {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: &'a Value,
    extra: Option<&'a Value>,
}

impl Piece<'_> {
    fn is_empty(&self) -> bool {
        self.id.is_empty() && self.name.is_empty() && !self.has_arguments() && self.extra.is_none()
    }

    fn has_arguments(&self) -> bool {
        match self.arguments {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        }
    }
}

impl Call {
    /// Whether a piece that stands at its place begins another call: servers reuse places, and ids.
    fn is_followed_by(&self, piece: &Piece<'_>) -> bool {
        // A piece without a name continues a call, even where it has an id of its own.
        if piece.name.is_empty() || self.name.is_empty() {
            return false;
        }
        let is_other_id = !piece.id.is_empty() && !self.id.is_empty() && piece.id != self.id;
        let is_longer_name = piece.index.is_some() || piece.name.starts_with(&self.name);
        let is_other_name = piece.name != self.name && !(self.is_bare() && is_longer_name);
        is_other_id || is_other_name || (piece.has_arguments() && self.is_whole())
    }

    /// Whether a piece only tells the whole call once more, as some servers do at the end.
    fn is_repeated_by(&self, piece: &Piece<'_>) -> bool {
        let is_same =
            !piece.id.is_empty() && piece.id == self.id && piece.name == self.name && piece.index == self.index;
        is_same && self.is_whole() && piece.arguments.as_str() == Some(self.arguments.as_str())
    }

    fn grow(&mut self, piece: &Piece<'_>) -> Grown {
        let mut grown = Grown::default();
        let mut count = |text: &str| {
            grown.characters += text.chars().count();
            grown.bytes += text.len();
            grown.is_news |= !text.is_empty();
        };
        if self.id.is_empty() {
            count(&piece.id);
            self.id.clone_from(&piece.id);
        }
        if self.name.is_empty() {
            count(&piece.name);
            self.name.clone_from(&piece.name);
        } else if piece.name.starts_with(&self.name) {
            // It came before, or grows and comes from its beginning each time.
            self.name.clone_from(&piece.name);
        } else {
            self.name.push_str(&piece.name);
        }
        match piece.arguments {
            Value::Null => {}
            Value::String(text) => {
                // An empty object that stands for what is still to come.
                if self.arguments.trim() == "{}" && text.trim_start().starts_with('{') {
                    self.arguments.clear();
                }
                count(text);
                self.arguments.push_str(text);
            }
            object => {
                count(&object.to_string());
                self.object = Some(object.clone());
            }
        }
        if let Some(extra) = piece.extra {
            grown.is_news |= self.extra.is_none();
            self.extra = Some(extra.clone());
        }
        grown
    }

    /// Nothing of its arguments has come.
    fn is_bare(&self) -> bool {
        self.object.is_none() && self.arguments.trim().is_empty()
    }

    /// Its arguments are JSON as they stand.
    fn is_whole(&self) -> bool {
        self.object.is_some() || serde_json::from_str::<Map<String, Value>>(&self.arguments).is_ok()
    }

    fn block(&self) -> Value {
        let input = match &self.object {
            Some(object) if self.arguments.trim().is_empty() => tool_input_of(object),
            _ => tool_input(&self.arguments),
        };
        let name = join_surrogates(self.name.clone());
        let mut block = json!({ "type": "tool_use", "id": self.id, "name": name, "input": input });
        if let Some(extra) = &self.extra {
            block[reasoning::EXTRA] = extra.clone();
        }
        block
    }
}

/// An id in the narrowest form that is known, Mistral's: nine letters and digits.
fn fresh_id() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(9).collect()
}
