//! The fields of long structs and the like, which have nothing else to be found by.

use tree_sitter::{Node, TreeCursor};

use super::definition::{Definition, Kind};
use super::language::{Language, language_of};
use super::parse::{Limit, parse};
use crate::text::short_line;
use crate::workspace::Interrupt;

/// Lines from which on fields are listed: the fields of a shorter one are read at once.
const LONG: usize = 60;
/// Most fields of one text.
const MOST_FIELDS: usize = 1_000;
/// Most characters of a name.
const LONGEST_NAME: usize = 100;
/// What grammars call a field.
const FIELDS: [&str; 9] = [
    "field_declaration",
    "enum_variant",
    "property_signature",
    "public_field_definition",
    "field_definition",
    "property_declaration",
    "assignment",
    "const_declaration",
    "enum_constant",
];

/// The definitions, and among them the fields of those that are long and consist of little else.
pub fn with_fields(path: &str, text: &str, definitions: Vec<Definition>, interrupt: &Interrupt) -> Vec<Definition> {
    let long: Vec<usize> = (0..definitions.len()).filter(|at| is_long(&definitions, *at)).collect();
    let grammar = match language_of(path, text) {
        Some(Language::Parsed(language)) if !long.is_empty() => language.grammar(),
        _ => None,
    };
    let Some(tree) = grammar.and_then(|grammar| parse(grammar, text, &mut Limit::new(interrupt)).ok()) else {
        return definitions;
    };
    let mut fields: Vec<Definition> = Vec::new();
    let is_asked = |node: Node<'_>| {
        let (first, last) = lines_of(node);
        long.iter().any(|at| *definitions[*at].lines.start() <= last && first <= *definitions[*at].lines.end())
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut cursor = tree.walk();
    let mut goes_on = true;
    while goes_on && fields.len() < MOST_FIELDS && interrupt.check().is_ok() {
        let node = cursor.node();
        let (first, last) = lines_of(node);
        let is_field = FIELDS.contains(&node.kind()) && is_asked(node);
        let owner = if is_field { innermost(&definitions, first) } else { None };
        if let Some(owner) = owner.filter(|owner| long.contains(owner)) {
            let name = short_line(lines.get(first - 1).copied().unwrap_or_default().trim(), LONGEST_NAME);
            let depth = definitions[owner].depth + 1;
            fields.push(Definition { name, kind: Kind::Property, lines: first..=last, name_line: first, depth });
        }
        goes_on = if !is_field && is_asked(node) && cursor.goto_first_child() { true } else { next(&mut cursor) };
    }
    // A field that is a definition of its own, such as a function, is there already.
    fields.retain(|field| !definitions.iter().any(|known| known.name_line == field.name_line));
    let mut all = definitions;
    all.extend(fields);
    all.sort_by_key(|definition| (*definition.lines.start(), definition.depth));
    all
}

/// The next node that is in none of the nodes before.
fn next(cursor: &mut TreeCursor<'_>) -> bool {
    loop {
        if cursor.goto_next_sibling() {
            return true;
        }
        if !cursor.goto_parent() {
            return false;
        }
    }
}

/// Whether a definition is long, and what is defined in it takes less than half of it.
fn is_long(definitions: &[Definition], at: usize) -> bool {
    let Definition { kind, lines, depth, .. } = &definitions[at];
    let has_fields = matches!(kind, Kind::Struct | Kind::Union | Kind::Enum | Kind::Interface | Kind::Class);
    if !has_fields || size(&definitions[at]) <= LONG {
        return false;
    }
    let inside =
        definitions[at + 1..].iter().take_while(|inner| inner.depth > *depth && inner.lines.start() <= lines.end());
    let taken: usize = inside.filter(|inner| inner.depth == depth + 1).map(size).sum();
    taken * 2 < size(&definitions[at])
}

fn size(definition: &Definition) -> usize {
    (definition.lines.end() + 1).saturating_sub(*definition.lines.start())
}

/// The innermost definition around a line.
fn innermost(definitions: &[Definition], line: usize) -> Option<usize> {
    (0..definitions.len()).rev().find(|at| definitions[*at].lines.contains(&line))
}

/// From 1, both included.
fn lines_of(node: Node<'_>) -> (usize, usize) {
    (node.start_position().row + 1, node.end_position().row + 1)
}

#[cfg(test)]
mod tests {
    use super::super::definitions::definitions;
    use super::*;

    fn outlined(path: &str, text: &str) -> Vec<(String, usize, usize, usize)> {
        with_fields(path, text, definitions(path, text), &Interrupt::never())
            .into_iter()
            .map(|found| (found.name, *found.lines.start(), *found.lines.end(), found.depth))
            .collect()
    }

    #[test]
    fn the_fields_of_a_long_struct_are_listed_and_those_of_a_short_one_are_not() {
        let comment = "    /// A line of many.\n".repeat(40);
        let text = format!(
            "struct Long {{\n{comment}    pub first: u8,\n{comment}    second: Vec<\n        u8,\n    >,\n}}\nstruct Short {{\n    x: u8,\n}}\n"
        );
        let expected =
            [("Long", 1, 86, 0), ("pub first: u8,", 42, 42, 1), ("second: Vec<", 83, 85, 1), ("Short", 87, 89, 0)];
        assert_eq!(
            outlined("a.rs", &text),
            expected.map(|(name, first, last, depth)| (name.to_owned(), first, last, depth))
        );
    }

    #[test]
    fn what_consists_of_methods_has_no_fields_listed_and_fields_of_other_languages_are_found() {
        let body = "        pass\n".repeat(70);
        let methods = format!("class A:\n    x = 1\n    def b(self):\n{body}");
        assert_eq!(outlined("a.py", &methods).len(), 2);
        let comment = "    # A line.\n".repeat(70);
        let fields = format!("class A:\n    x: int = 1\n{comment}    y = 2\n    def b(self):\n        z = 3\n");
        let names: Vec<String> = outlined("a.py", &fields).into_iter().map(|found| found.0).collect();
        assert_eq!(names, ["A", "x: int = 1", "y = 2", "b"]);
        let comment = "  // A line.\n".repeat(70);
        let script = format!("interface A {{\n  b: string;\n{comment}  c(): void;\n}}\n");
        let names: Vec<String> = outlined("a.ts", &script).into_iter().map(|found| found.0).collect();
        assert_eq!(names, ["A", "b: string;", "c"]);
        let go = format!("package a\n\ntype A struct {{\n\tB int\n{}\tC string\n}}\n", "\t// A line.\n".repeat(70));
        let names: Vec<String> = outlined("a.go", &go).into_iter().map(|found| found.0).collect();
        assert_eq!(names, ["A", "B int", "C string"]);
    }
}
