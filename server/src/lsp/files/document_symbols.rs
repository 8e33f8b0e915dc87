//! The definitions of a file as the editor's other language servers know them.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::{Value, json};
use tower_lsp::lsp_types::SymbolKind;
use tower_lsp::lsp_types::request::Request;

use crate::contracts::RepoPath;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::to_proto;
use crate::outline::{Definition, EditorSymbols, Kind};
use crate::text::short_line;

/// Most symbols of one answer; generated files have more than anyone reads.
const MOST: usize = 20_000;
/// How deep symbols are looked at.
const DEEPEST: usize = 32;
/// Most characters of a name.
const LONGEST_NAME: usize = 100;

/// The symbols that other language servers know in one file.
enum DocumentSymbolsRequest {}

impl Request for DocumentSymbolsRequest {
    type Params = Value;
    type Result = Value;
    const METHOD: &'static str = "baton/documentSymbols";
}

/// An editor that takes `baton/documentSymbols`.
pub(super) struct DocumentSymbols {
    client: Client,
    folder: PathBuf,
}

impl DocumentSymbols {
    pub(super) fn new(client: Client, folder: PathBuf) -> Self {
        Self { client, folder }
    }
}

impl fmt::Debug for DocumentSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentSymbols").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[async_trait]
impl EditorSymbols for DocumentSymbols {
    async fn of(&self, file: &RepoPath) -> Option<Vec<Definition>> {
        let uri = to_proto::uri(&self.folder, file.as_str())?;
        match self.client.request::<DocumentSymbolsRequest>(json!({ "uri": uri })).await {
            Ok(answer) => definitions(&answer),
            Err(error) => {
                tracing::debug!(%error, "the editor does not answer with the symbols of a file");
                None
            }
        }
    }
}

/// What lies around a symbol.
#[derive(Clone, Copy)]
struct Around {
    level: usize,
    /// Definitions around it.
    depth: usize,
    kind: Option<Kind>,
    in_code: bool,
    /// The first and last line of what is around it.
    lines: (usize, usize),
}

/// The definitions in an answer, in the order of the text. Symbols that are none, or that make no sense, are left out, those
/// in them are not. `None` where there are too many, or the answer is none.
fn definitions(answer: &Value) -> Option<Vec<Definition>> {
    let mut found = Vec::new();
    let outermost = Around { level: 0, depth: 0, kind: None, in_code: false, lines: (1, usize::MAX) };
    // What is still to be looked at, the last first.
    let mut open: Vec<(&Value, Around)> = Vec::new();
    push(&mut open, answer.as_array()?, outermost);
    let mut seen = 0;
    while let Some((symbol, around)) = open.pop() {
        seen += 1;
        if seen > MOST {
            return None;
        }
        let mut inner = Around { level: around.level + 1, ..around };
        if let Some(definition) = definition(symbol, around) {
            let kind = definition.kind;
            inner.depth += 1;
            inner.kind = Some(kind);
            inner.in_code |= kind.is_code();
            inner.lines = (*definition.lines.start(), *definition.lines.end());
            found.push(definition);
        }
        if inner.level < DEEPEST {
            push(&mut open, symbol["children"].as_array().map_or(&[], Vec::as_slice), inner);
        }
    }
    Some(found)
}

/// Puts symbols before what is still to be looked at, in the order of the text.
fn push<'a>(open: &mut Vec<(&'a Value, Around)>, symbols: &'a [Value], around: Around) {
    let first = open.len();
    open.extend(symbols.iter().take(MOST + 1).map(|symbol| (symbol, around)));
    let place = |symbol: &Value, what: &str| symbol["range"]["start"][what].as_u64();
    open[first..].sort_by_key(|(symbol, _)| (place(symbol, "line"), place(symbol, "character")));
    open[first..].reverse();
}

fn definition(symbol: &Value, around: Around) -> Option<Definition> {
    let name = short_line(symbol["name"].as_str()?, LONGEST_NAME);
    let (name, kind) = kind_of(&name, serde_json::from_value(symbol["kind"].clone()).ok()?)?;
    let lines = lines(&symbol["range"])?;
    if name.is_empty() || lines.0 < around.lines.0 || lines.1 > around.lines.1 {
        return None;
    }
    let is_in = |line: &usize| (lines.0..=lines.1).contains(line);
    let name_line = self::lines(&symbol["selectionRange"]).map(|(first, _)| first).filter(is_in).unwrap_or(lines.0);
    let kind = kind.inside(around.kind, around.in_code)?;
    Some(Definition { name: name.to_owned(), kind, lines: lines.0..=lines.1, name_line, depth: around.depth })
}

/// The first and the last line of a range, from 1. A range that ends with a line break has none of the next line.
fn lines(range: &Value) -> Option<(usize, usize)> {
    let number = |place: &str, what: &str| range[place][what].as_u64().and_then(|number| usize::try_from(number).ok());
    let (first, last) = (number("start", "line")?, number("end", "line")?);
    let last = if last > first && number("end", "character") == Some(0) { last - 1 } else { last };
    (first <= last).then(|| Some((first.checked_add(1)?, last.checked_add(1)?)))?
}

/// What a symbol of the protocol's kind is to an outline; `None` for fields, literals and the like.
fn kind_of(name: &str, kind: SymbolKind) -> Option<(&str, Kind)> {
    let kind = match kind {
        SymbolKind::MODULE | SymbolKind::NAMESPACE | SymbolKind::PACKAGE => Kind::Module,
        SymbolKind::CLASS => Kind::Class,
        SymbolKind::METHOD | SymbolKind::OPERATOR => Kind::Method,
        SymbolKind::PROPERTY | SymbolKind::EVENT => Kind::Property,
        SymbolKind::CONSTRUCTOR => Kind::Constructor,
        SymbolKind::ENUM => Kind::Enum,
        SymbolKind::INTERFACE => Kind::Interface,
        SymbolKind::FUNCTION => Kind::Function,
        SymbolKind::VARIABLE => Kind::Variable,
        SymbolKind::CONSTANT => Kind::Constant,
        SymbolKind::STRUCT => Kind::Struct,
        // There is no kind for aliases of types; servers take this one.
        SymbolKind::TYPE_PARAMETER => Kind::Type,
        // Nor for implementations.
        SymbolKind::OBJECT => return name.strip_prefix("impl").map(|of| (of.trim_start(), Kind::Impl)),
        _ => return None,
    };
    Some((name, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str, kind: u64, first: i64, last: i64, children: &[Value]) -> Value {
        let at = |line: i64| json!({ "line": line, "character": 1 });
        json!({ "name": name, "kind": kind, "range": { "start": at(first), "end": at(last) }, "children": children })
    }

    fn told(answer: &Value) -> Vec<String> {
        let line = |found: &Definition| {
            let (first, last) = (found.lines.start(), found.lines.end());
            format!("{}{} {} {first}-{last}", "  ".repeat(found.depth), found.kind.word(), found.name)
        };
        definitions(answer).unwrap().iter().map(line).collect()
    }

    #[test]
    fn symbols_become_definitions_in_the_order_of_the_text() {
        let answer = json!([
            symbol("main", 12, 9, 12, &[symbol("local", 13, 10, 10, &[]), symbol("inner", 12, 11, 11, &[])]),
            symbol("Point", 23, 0, 2, &[symbol("x", 8, 1, 1, &[])]),
            symbol("impl Point", 19, 3, 8, &[symbol("new", 12, 4, 5, &[]), symbol("area", 6, 6, 7, &[])]),
            symbol("Id", 26, 13, 13, &[]),
        ]);
        let expected = [
            "struct Point 1-3",
            "impl Point 4-9",
            "  method new 5-6",
            "  method area 7-8",
            "function main 10-13",
            "  function inner 12-12",
            "type Id 14-14",
        ];
        assert_eq!(told(&answer), expected);
    }

    #[test]
    fn the_line_of_the_name_is_that_of_the_selection_and_a_line_break_at_the_end_is_no_line() {
        let at = |line: u64, character: u64| json!({ "line": line, "character": character });
        let mut answer = json!([{
            "name": "f", "kind": 12, "range": { "start": at(2, 0), "end": at(6, 0) },
            "selectionRange": { "start": at(3, 3), "end": at(3, 4) },
        }]);
        let found = definitions(&answer).unwrap();
        assert_eq!((found[0].lines.clone(), found[0].name_line), (3..=6, 4));
        answer[0]["selectionRange"]["start"]["line"] = json!(7);
        assert_eq!(definitions(&answer).unwrap()[0].name_line, 3, "it lies outside");
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let at_end = json!({ "line": u64::MAX, "character": 0 });
        let mut endless = symbol("endless", 12, 0, 1, &[]);
        endless["range"] = json!({ "start": at_end, "end": at_end });
        let answer = json!([
            null, 7, [], "text", {}, { "name": "no range", "kind": 12 }, { "name": 1, "kind": 12 },
            symbol("backwards", 12, 5, 4, &[]), symbol("negative", 12, -1, 4, &[]), symbol(" \n", 12, 1, 1, &[]),
            symbol("kind", 0, 1, 1, &[]), symbol("kind", 99, 1, 1, &[]), symbol("{}", 19, 1, 1, &[]), endless,
            symbol("odd\u{1b}[2J\nname", 12, 1, 1, &[]),
            symbol("A", 5, 2, 4, &[symbol("outside", 6, 3, 9, &[]), symbol("inside", 6, 3, 3, &[])]),
        ]);
        assert_eq!(told(&answer), ["function odd name 2-2", "class A 3-5", "  method inside 4-4"]);
        let long = definitions(&json!([symbol(&"x".repeat(10_000), 12, 0, 0, &[])])).unwrap();
        assert!(long[0].name.chars().count() <= LONGEST_NAME + 1, "{}", long[0].name.len());
        for nonsense in [json!(null), json!({}), json!("x"), json!(1)] {
            assert_eq!(definitions(&nonsense), None);
        }
        assert_eq!(definitions(&json!([])), Some(Vec::new()));
    }

    #[test]
    fn too_many_are_no_answer_and_the_deepest_are_left_out() {
        let many = |number| Value::Array(vec![symbol("f", 12, 0, 0, &[]); number]);
        assert_eq!(definitions(&many(MOST)).map(|found| found.len()), Some(MOST));
        assert_eq!(definitions(&many(MOST + 1)), None);
        let mut deep = symbol("m", 2, 0, 0, &[]);
        for _ in 0..100 {
            deep = symbol("m", 2, 0, 0, &[deep]);
        }
        assert_eq!(definitions(&json!([deep])).map(|found| found.len()), Some(DEEPEST));
    }
}
