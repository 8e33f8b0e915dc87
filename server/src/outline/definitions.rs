//! The definitions of a text, by the query of its language.

use std::collections::HashMap;

use tree_sitter::{QueryCursor, QueryCursorOptions, QueryMatch, StreamingIterator, Tree};

use super::definition::{Definition, Kind};
use super::headings::headings;
use super::language::{Grammar, Language, language_of};
use super::parse::{Limit, NoOutline, parse};
use crate::text::short_line;
use crate::workspace::Interrupt;

/// Most characters of a name.
const LONGEST_NAME: usize = 100;
/// Most definitions of one text: generated files have more than anyone reads.
const MOST_DEFINITIONS: usize = 20_000;
/// Most unfinished matches of a query; it forgets the oldest of more.
const MOST_UNFINISHED: u32 = 1_024;

/// What is defined in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The name of its language, for people.
    pub language: &'static str,
    /// In the order of the text; an outer one before those in it.
    pub definitions: Vec<Definition>,
    /// Whether the grammar understood all of it.
    pub parses: bool,
}

/// What is defined in a text; the path says its language. Nothing where there is no grammar for it, or where it is too large or
/// takes too long: [`read`] says which.
pub fn definitions(path: &str, text: &str) -> Vec<Definition> {
    read(path, text, &Interrupt::never()).map(|outline| outline.definitions).unwrap_or_default()
}

/// What is defined in a text; the path says its language.
///
/// # Errors
/// When there is no grammar for it, when it is too large or takes too long, or when interrupted.
pub fn read(path: &str, text: &str, interrupt: &Interrupt) -> Result<Outline, NoOutline> {
    read_within(path, text, &mut Limit::new(interrupt))
}

/// As [`read`], within this limit.
pub(super) fn read_within(path: &str, text: &str, limit: &mut Limit<'_>) -> Result<Outline, NoOutline> {
    let Some((language, grammar)) = (match language_of(path, text) {
        Some(Language::Markdown) => {
            return Ok(Outline { language: "Markdown", definitions: headings(text), parses: true });
        }
        Some(Language::Parsed(language)) => language.grammar().map(|grammar| (language, grammar)),
        None => None,
    }) else {
        return Err(NoOutline::Language);
    };
    let tree = parse(grammar, text, limit)?;
    let found = matches(grammar, &tree, text, limit)?;
    Ok(Outline { language: language.name, definitions: nested(found), parses: !tree.root_node().has_error() })
}

/// A definition with its place in bytes.
struct Found {
    name: String,
    kind: Kind,
    /// Of the patterns of a query the first that matches a name says what it is.
    pattern: usize,
    /// First and last byte, first and last line.
    bytes: (usize, usize),
    rows: (usize, usize),
    name_row: usize,
}

fn matches(grammar: &Grammar, tree: &Tree, text: &str, limit: &mut Limit<'_>) -> Result<Vec<Found>, NoOutline> {
    let mut cursor = QueryCursor::new();
    cursor.set_match_limit(MOST_UNFINISHED);
    let mut by_name: HashMap<usize, Found> = HashMap::new();
    {
        let mut go_on = |_: &_| limit.check();
        let options = QueryCursorOptions::new().progress_callback(&mut go_on);
        let mut matches = cursor.matches_with_options(&grammar.query, tree.root_node(), text.as_bytes(), options);
        while let Some(matched) = matches.next() {
            let Some((name_at, found)) = found(grammar, matched, text) else { continue };
            match by_name.get(&name_at) {
                Some(known) if !is_better(&found, known) => {}
                None if by_name.len() == MOST_DEFINITIONS => {}
                _ => {
                    by_name.insert(name_at, found);
                }
            }
        }
    }
    match limit.reached() {
        Some(reached) => Err(reached),
        None => Ok(by_name.into_values().collect()),
    }
}

/// What a match found, and where its name begins.
fn found(grammar: &Grammar, matched: &QueryMatch<'_, '_>, text: &str) -> Option<(usize, Found)> {
    let (mut name, mut of_trait, mut container, mut whole) = (None, None, None, None);
    for capture in matched.captures() {
        let index = capture.index as usize;
        if let Some(kind) = grammar.kinds.get(index).copied().flatten() {
            whole = Some((kind, capture.node));
        } else if Some(index) == grammar.name {
            name = Some(capture.node);
        } else if Some(index) == grammar.of_trait {
            of_trait = Some(capture.node);
        } else if Some(index) == grammar.container {
            container = Some(capture.node);
        }
    }
    let (name, (kind, whole)) = (name?, whole?);
    let words = |node: tree_sitter::Node<'_>| text.get(node.byte_range()).unwrap_or_default();
    let shown = match (of_trait, container) {
        (Some(of_trait), _) => format!("{} for {}", words(of_trait), words(name)),
        (None, Some(container)) => format!("{}.{}", words(container), words(name)),
        (None, None) => words(name).to_owned(),
    };
    let shown = short_line(&shown, LONGEST_NAME);
    if shown.is_empty() {
        return None;
    }
    let (start, end) = (whole.start_position(), whole.end_position());
    // A node may end with the blanks after it: its line break or, where indentation ends a block, all up to the next word.
    let all = words(whole);
    let blank = &all[all.trim_end().len()..];
    let last = end.row.saturating_sub(blank.matches('\n').count()).max(start.row);
    let found = Found {
        name: shown,
        kind,
        pattern: matched.pattern_index,
        bytes: (whole.start_byte(), whole.end_byte()),
        rows: (start.row, last),
        name_row: name.start_position().row,
    };
    Some((name.start_byte(), found))
}

/// Of two definitions of one name the wider one counts, then the one of the earlier pattern.
fn is_better(found: &Found, known: &Found) -> bool {
    let width = |found: &Found| found.bytes.1 - found.bytes.0;
    width(found) > width(known) || (width(found) == width(known) && found.pattern < known.pattern)
}

/// The definitions in the order of the text, each with its depth.
fn nested(mut found: Vec<Found>) -> Vec<Definition> {
    found.sort_by_key(|found| (found.bytes.0, std::cmp::Reverse(found.bytes.1), found.pattern));
    // The end, the kind, and whether it is code or lies in code.
    let mut open: Vec<(usize, Kind, bool)> = Vec::new();
    let mut definitions = Vec::with_capacity(found.len());
    for found in found {
        while open.last().is_some_and(|(end, ..)| *end <= found.bytes.0) {
            open.pop();
        }
        let (outer, in_code) = open.last().map_or((None, false), |(_, kind, code)| (Some(*kind), *code));
        let Some(kind) = found.kind.inside(outer, in_code) else { continue };
        definitions.push(Definition {
            name: found.name,
            kind,
            lines: found.rows.0 + 1..=found.rows.1.max(found.rows.0) + 1,
            name_line: found.name_row + 1,
            depth: open.len(),
        });
        open.push((found.bytes.1, kind, in_code || kind.is_code()));
    }
    definitions
}
