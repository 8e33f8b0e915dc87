//! Where a text does not parse.

use std::fmt;

use tree_sitter::{Node, TreeCursor};

use super::language::{Language, language_of};
use super::parse::{Limit, parse};
use crate::text::short_line;
use crate::workspace::Interrupt;

/// Most faults that are named.
const MOST_FAULTS: usize = 3;
/// Characters shown of what is not understood.
const LONGEST_TEXT: usize = 60;

/// A place that the grammar does not understand. Where a brace is missing, the place may be far from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxFault {
    /// The line, from 1.
    pub line: usize,
    /// What the grammar expected there and did not find; `None` where it did not understand what is there.
    pub missing: Option<String>,
    /// The beginning of what is there, one line.
    pub text: String,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.missing {
            Some(missing) => write!(f, "line {}: {missing} is missing", self.line),
            None => write!(f, "line {}: not understood: {}", self.line, self.text),
        }
    }
}

/// Where a text does not parse, the first places of it; the path says its language. `None` where that cannot be said: there is
/// no grammar for it, or it is too large or takes too long.
pub fn syntax_faults(path: &str, text: &str, interrupt: &Interrupt) -> Option<Vec<SyntaxFault>> {
    let Some(Language::Parsed(language)) = language_of(path, text) else { return None };
    let tree = parse(language.grammar()?, text, &mut Limit::new(interrupt)).ok()?;
    Some(faults_in(tree.walk(), text))
}

/// Goes through the parts of the tree that hold an error, without recursion. An error with others in it is told by those.
fn faults_in(mut cursor: TreeCursor<'_>, text: &str) -> Vec<SyntaxFault> {
    let mut faults = Vec::new();
    // How many faults there were when each node above was entered.
    let mut entered: Vec<usize> = Vec::new();
    loop {
        let node = cursor.node();
        if node.is_missing() {
            faults.push(fault(node, text));
        }
        if node.has_error() && !node.is_missing() && cursor.goto_first_child() {
            entered.push(faults.len());
            continue;
        }
        if node.is_error() {
            faults.push(fault(node, text));
        }
        while faults.len() < MOST_FAULTS && !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return faults;
            }
            let before = entered.pop().unwrap_or_default();
            if cursor.node().is_error() && faults.len() == before {
                faults.push(fault(cursor.node(), text));
            }
        }
        if faults.len() >= MOST_FAULTS {
            return faults;
        }
    }
}

fn fault(node: Node<'_>, text: &str) -> SyntaxFault {
    let shown = text.get(node.byte_range()).unwrap_or_default();
    let first = shown.lines().next().unwrap_or_default();
    let missing = node.is_missing().then(|| short_line(node.kind(), LONGEST_TEXT));
    SyntaxFault { line: node.start_position().row + 1, missing, text: short_line(first, LONGEST_TEXT) }
}
