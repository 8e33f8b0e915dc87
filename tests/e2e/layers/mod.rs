//! The layers of the house, read from the imports: who may know whom stands in one table, and a module that knows more
//! fails here with its file and line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends loudly")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules it may import, from the bottom up. Only the two faces know everything, and nobody knows
/// them; `cli` starts `lsp`.
const LAYERS: [(&str, &[&str]); 11] = [
    ("contracts", &[]),
    ("workspace", &["contracts"]),
    ("models", &["contracts"]),
    ("config", &["contracts"]),
    ("render", &["contracts"]),
    ("tools", &["contracts", "models", "workspace"]),
    ("memory", &["contracts", "models", "workspace"]),
    ("agents", &["contracts", "memory", "models", "tools", "workspace"]),
    ("workflow", &["agents", "config", "contracts", "memory", "models", "tools", "workspace"]),
    ("lsp", &["agents", "config", "contracts", "memory", "models", "render", "tools", "workflow", "workspace"]),
    ("cli", &["agents", "config", "contracts", "lsp", "memory", "models", "render", "tools", "workflow", "workspace"]),
];

/// Of a module that may be imported, all that one may take: whoever is not named here may take everything.
///
/// Agents touch files only through their tools; beside that they only look.
const ONLY: [(&str, &str, &[&str]); 1] = [("agents", "workspace", &["Workspace", "TextFile"])];

/// What comes from outside and only these modules may name.
const OUTSIDE: [(&str, &[&str]); 2] = [("tower_lsp", &["lsp"]), ("lsp_types", &["lsp"])];

/// Ways to the disk, and modules that may not take them: tools go through the workspace, contracts know no files.
const DISK: [&str; 4] = ["std::fs", "tokio::fs", "cap_std", "cap_fs_ext"];
const WITHOUT_DISK: [&str; 2] = ["contracts", "tools"];

#[test]
fn every_module_imports_only_what_lies_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 50, "only {} files were found below {}", files.len(), root.display());
    let mut faults = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        faults.extend(broken(&name, &fs::read_to_string(file).unwrap()));
    }
    assert!(
        faults.is_empty(),
        "\n{}\n\nThe layers stand in {} and in ARCHITECTURE.md: move the code to where it may know what it needs, or \
         hand it what it needs as an argument.\n",
        faults.join("\n"),
        file!()
    );
}

/// What a source file imports and may not, each with file and line. `file` is relative to `src`.
fn broken(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(layer) = module.first().cloned() else { return Vec::new() };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{file}:1: the module {layer} has no layer yet; give it one")];
    };
    let mut faults = Vec::new();
    for Import { line, path, is_own, in_tests } in imports(source, &module) {
        let whole = path.join("::");
        let first = path.first().map(String::as_str).unwrap_or_default();
        if is_own {
            if first != layer && !allowed.contains(&first) {
                faults.push(format!("{file}:{line}: {layer} may not import {first} ({whole})"));
            }
            let only = ONLY.iter().find(|(from, to, _)| *from == layer && *to == first);
            let taken = path.get(1).map(String::as_str).unwrap_or_default();
            if only.is_some_and(|(.., names)| !names.contains(&taken)) {
                faults.push(format!("{file}:{line}: of {first}, {layer} may not use {taken}"));
            }
        } else {
            if OUTSIDE.iter().any(|(name, modules)| *name == first && !modules.contains(&layer.as_str())) {
                faults.push(format!("{file}:{line}: {layer} may not name {first}"));
            }
            let way = DISK.iter().find(|way| whole == **way || whole.starts_with(&format!("{way}::")));
            if let Some(way) = way.filter(|_| !in_tests && WITHOUT_DISK.contains(&layer.as_str())) {
                faults.push(format!("{file}:{line}: {layer} may not reach the disk by {way}"));
            }
        }
    }
    faults.dedup();
    faults
}

/// A path a source names.
struct Import {
    line: usize,
    path: Vec<String>,
    /// Whether it is one of this crate, and then absolute, without `crate`.
    is_own: bool,
    /// Tests may look at the disk to see what was done to it.
    in_tests: bool,
}

/// `workflow/run.rs` → `workflow::run`, `lib.rs` → nothing. Tests in a file of their own are a module of the file's.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    match module.last().map(String::as_str) {
        Some("mod") => drop(module.pop()),
        Some("lib" | "main") if module.len() == 1 => drop(module.pop()),
        Some(name) if name.ends_with("_tests") => module.push("tests".to_owned()),
        _ => {}
    }
    module
}

/// Every path with at least two parts, wherever it stands: in a `use`, in a type, in a call.
fn imports(source: &str, module: &[String]) -> Vec<Import> {
    let tokens = tokens(source);
    let word = |at: usize| tokens.get(at).map(|token| token.text.as_str()).unwrap_or_default();
    let mut imports = Vec::new();
    // The modules inside this file that are open, each with the depth of braces it was opened at.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    while at < tokens.len() {
        match word(at) {
            "{" => depth += 1,
            "}" => {
                depth = usize::saturating_sub(depth, 1);
                inside.retain(|(_, opened)| *opened < depth + 1);
            }
            "mod" if word(at + 2) == "{" => inside.push((word(at + 1).to_owned(), depth + 1)),
            name if is_name(name) && word(at + 1) == "::" => {
                let mut paths = Vec::new();
                let (line, end) = (tokens[at].line, path_tree(&tokens, at, &mut Vec::new(), &mut paths));
                let here: Vec<String> =
                    module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
                imports.extend(paths.into_iter().map(|(line, path)| resolved(line, path, &here)));
                debug_assert!(end > at, "line {line}");
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    imports
}

/// Read a path, with groups as `use` has them; where it ends is answered.
fn path_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &mut Vec<String>,
    paths: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let word = |at: usize| tokens.get(at).map(|token| token.text.as_str()).unwrap_or_default();
    let before = prefix.len();
    loop {
        match word(at) {
            "{" => {
                at += 1;
                while !matches!(word(at), "}" | "") {
                    at = if is_name(word(at)) { path_tree(tokens, at, prefix, paths) } else { at + 1 };
                }
                at += 1;
                break;
            }
            name if is_name(name) => {
                prefix.push(name.to_owned());
                at += 1;
                if word(at) != "::" {
                    paths.push((tokens[at - 1].line, prefix.clone()));
                    break;
                }
                at += 1;
            }
            // `path::*`, `path::<T>`.
            _ => {
                paths.push((tokens[at.min(tokens.len()) - 1].line, prefix.clone()));
                break;
            }
        }
    }
    prefix.truncate(before);
    at
}

/// A path as seen from the root of the crate, where it is one of the crate.
fn resolved(line: usize, mut path: Vec<String>, here: &[String]) -> Import {
    // In a group, `self` names the module the group is of.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let in_tests = here.iter().any(|name| name == "tests");
    let ups = path.iter().take_while(|part| *part == "super").count();
    let path = match path[0].as_str() {
        "crate" => path[1..].to_vec(),
        "super" => here[..here.len().saturating_sub(ups)].iter().chain(&path[ups..]).cloned().collect(),
        "self" => here.iter().chain(&path[1..]).cloned().collect(),
        _ => return Import { line, path, is_own: false, in_tests },
    };
    Import { line, path, is_own: true, in_tests }
}

struct Token {
    line: usize,
    text: String,
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and other characters by themselves, without comments, texts and white space.
fn tokens(source: &str) -> Vec<Token> {
    let characters: Vec<char> = source.chars().collect();
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(n, c)| characters.get(at + n) == Some(&c));
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < characters.len() {
        let end = if starts(at, "//") {
            characters[at..].iter().position(|c| *c == '\n').map_or(characters.len(), |n| at + n)
        } else if starts(at, "/*") {
            end_of_comment(&characters, at)
        } else if let Some(end) = end_of_text(&characters, at) {
            end
        } else if characters[at].is_alphabetic() || characters[at] == '_' {
            let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
            characters[at..].iter().position(|c| !is_part(c)).map_or(characters.len(), |n| at + n)
        } else if starts(at, "::") {
            at + 2
        } else {
            at + 1
        };
        let text: String = characters[at..end].iter().collect();
        if is_name(&text) && !text.contains('"') && !text.contains('\'')
            || text == "::"
            || text.len() == 1 && !text.trim().is_empty()
        {
            tokens.push(Token { line, text: text.clone() });
        }
        line += text.matches('\n').count();
        at = end;
    }
    tokens
}

/// Comments of this kind may stand in each other.
fn end_of_comment(characters: &[char], start: usize) -> usize {
    let (mut at, mut open) = (start, 0);
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('/', Some('*')) => (at, open) = (at + 2, open + 1),
            ('*', Some('/')) => (at, open) = (at + 2, open - 1),
            _ => at += 1,
        }
        if open == 0 {
            break;
        }
    }
    at
}

/// Where the string or character that begins here ends; `None` where none begins. A lifetime is no character.
fn end_of_text(characters: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    while matches!(characters.get(at), Some('b' | 'r' | 'c')) && at - start < 2 {
        at += 1;
    }
    let is_raw = characters[start..at].contains(&'r');
    let hashes = if is_raw { characters[at..].iter().take_while(|c| **c == '#').count() } else { 0 };
    at += hashes;
    match characters.get(at)? {
        '"' => {
            at += 1;
            loop {
                match characters.get(at)? {
                    '\\' if !is_raw => at += 2,
                    '"' if characters[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                        return Some(at + 1 + hashes);
                    }
                    _ => at += 1,
                }
            }
        }
        '\'' if !is_raw && characters.get(at + 1) == Some(&'\\') => {
            let close = characters[at + 3..].iter().position(|c| *c == '\'')?;
            Some(at + 4 + close)
        }
        '\'' if !is_raw && characters.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

#[test]
fn the_table_goes_from_the_bottom_up_and_nobody_knows_the_faces() {
    for (index, (module, allowed)) in LAYERS.iter().enumerate() {
        for below in *allowed {
            let place = LAYERS.iter().position(|(name, _)| name == below);
            assert!(place.is_some_and(|place| place < index), "{module} imports {below}, which is not below it");
            assert!(*below != "cli" && (*below != "lsp" || *module == "cli"), "{module} knows a face");
        }
    }
}

#[test]
fn an_import_that_breaks_a_layer_is_found_however_it_is_written() {
    for (file, source, fault) in [
        ("models/x.rs", "use crate::workflow::Phase;\n", "models/x.rs:1: models may not import workflow"),
        ("models/x.rs", "\nuse crate::{\n    contracts::Usage,\n    memory::{self},\n};\n", "models/x.rs:4: "),
        ("memory/mod.rs", "fn f() -> crate::lsp::Server { todo!() }\n", "memory may not import lsp"),
        ("tools/mod.rs", "use super::agents::Brief;\n", "tools may not import agents (agents::Brief)"),
        (
            "tools/a/b.rs",
            "mod tests {\n    use super::super::super::super::cli::main;\n}\n",
            "b.rs:2: tools may not import cli",
        ),
        ("workspace/staging_tests.rs", "use super::super::super::memory::Seal;\n", "may not import memory"),
        ("agents/x.rs", "use crate::workspace::{TextFile, publish};\n", "of workspace, agents may not use publish"),
        ("agents/x.rs", "fn f() { crate::workspace::replace(a, b); }\n", "may not use replace"),
        ("workflow/x.rs", "use tower_lsp::Client;\n", "workflow may not name tower_lsp"),
        ("cli/x.rs", "type P = lsp_types::Position;\n", "cli may not name lsp_types"),
        ("tools/x.rs", "use std::{fmt, fs};\n", "tools may not reach the disk by std::fs"),
        ("contracts/x.rs", "fn f() { std::fs::read(\"x\"); }\n", "may not reach the disk"),
        ("helpers/x.rs", "", "helpers has no layer yet"),
    ] {
        let faults = broken(file, source);
        assert!(faults.len() == 1 && faults[0].contains(fault), "{source:?}: {faults:?}, not {fault:?}");
    }
}

#[test]
fn what_is_allowed_or_only_looks_like_an_import_is_none() {
    let source = r##"
//! Unlike [`cli`](crate::cli), this is no face.
/* use crate::cli::x; /* and */ use crate::lsp::y; */
use crate::contracts::{Task, Usage as Used};
use super::view::*;
use std::fmt;
pub(crate) mod inner {
    use super::super::place;
    pub(in crate::workspace) fn f<'a>(text: &'a str, c: char) -> bool {
        c == '"' || c == '\'' || text == "crate::cli::x" || text == r#"use crate::lsp::"y";"#
    }
}
fn g(value: self::inner::Value) -> Vec<u8> { Vec::<u8>::new() }
"##;
    assert_eq!(broken("workspace/publish/mod.rs", source), Vec::<String>::new());
    assert_eq!(broken("lib.rs", "pub mod cli;\nuse crate::cli::main;\n"), Vec::<String>::new());
}
