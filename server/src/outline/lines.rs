//! Definitions as their lines show them, for a text that cannot be parsed: one that is too large, or takes its grammar too long.

use std::sync::LazyLock;

use regex::Regex;

use super::definition::{Definition, Kind};
use crate::text::short_line;

const LONGEST_NAME: usize = 100;
const MOST_DEFINITIONS: usize = 2_000;
/// Most bytes of a line that are looked at.
const LONGEST_LINE: usize = 200;

/// The words that begin a definition in one language or another, after those that qualify it.
static DEFINITION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let qualified = r"(?:(?:pub(?:\([^)]*\))?|export|default|public|private|protected|internal|static|abstract|final|sealed|async|unsafe|const|extern|inline|virtual|override|open|data|local|declare)\s+)*";
    let keyword =
        "(fn|func|function|def|sub|class|struct|union|enum|trait|interface|protocol|module|mod|namespace|type|object)";
    Regex::new(&format!(r"^\s{{0,8}}{qualified}{keyword}\s+(?:\([^)]*\)\s*)?([\p{{L}}_$][\p{{L}}\p{{N}}_$.:]*)")).ok()
});

/// The definitions that lines of a text begin; each is said to take its own line, as where it ends is not known.
pub(super) fn by_lines(text: &str) -> Vec<Definition> {
    let Some(definition) = DEFINITION.as_ref() else { return Vec::new() };
    let found = text.lines().zip(1..).filter_map(|(line, number)| {
        let matched = definition.captures(crate::text::head_bytes(line, LONGEST_LINE))?;
        let name = short_line(matched.get(2)?.as_str().trim_end_matches([':', '.']), LONGEST_NAME);
        let kind = kind(matched.get(1)?.as_str());
        Some(Definition { name, kind, lines: number..=number, name_line: number, depth: 0 })
    });
    found.take(MOST_DEFINITIONS).collect()
}

fn kind(keyword: &str) -> Kind {
    match keyword {
        "class" | "object" => Kind::Class,
        "struct" => Kind::Struct,
        "union" => Kind::Union,
        "enum" => Kind::Enum,
        "trait" => Kind::Trait,
        "interface" | "protocol" => Kind::Interface,
        "module" | "mod" | "namespace" => Kind::Module,
        "type" => Kind::Type,
        _ => Kind::Function,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_begin_a_definition_are_known_in_many_languages() {
        let text = "pub(crate) fn one() {\n  def two\nexport default async function three() {\nclass Four::Five:\n\
            func (s *Server) Six() {\nif x { fn }\n// fn seven\nreturn eight();\n";
        let found: Vec<_> = by_lines(text).into_iter().map(|found| (found.name_line, found.kind, found.name)).collect();
        let expected = [
            (1, Kind::Function, "one"),
            (2, Kind::Function, "two"),
            (3, Kind::Function, "three"),
            (4, Kind::Class, "Four::Five"),
            (5, Kind::Function, "Six"),
        ];
        assert_eq!(found, expected.map(|(line, kind, name)| (line, kind, name.to_owned())));
        assert_eq!(by_lines(&"fn f() {}\n".repeat(MOST_DEFINITIONS + 1)).len(), MOST_DEFINITIONS);
    }
}
