//! The rooms of the crate, read from its sources: which room may import which, who may reach the disk, the environment and
//! some crates, that files do not import each other in a circle, and where modules and their tests stand. What breaks a rule
//! fails here with its file, its line, and what to do about it; `tables` holds what is allowed.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends loudly")]

mod circles;
mod source;
mod tables;
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use circles::{Circle, Edge, circles};
use source::{Crate, Mention, is_for_tests};
use tables::{OWNED, Owned, PASSED_BY_MAIN, ROOMS, SUB_ROOMS, TESTS_MAY_IMPORT};

/// Tests longer than this stand in a file of their own.
const MAX_INLINE_TEST_LINES: usize = 200;

#[test]
fn every_room_imports_only_what_lies_below_it() {
    let faults: Vec<_> = the_crate().mentions.iter().filter_map(broken_edge).collect();
    none(
        &faults,
        "The table is ROOMS in tests/e2e/layers/tables.rs. A row that goes down may be added, with its reason.",
    );
}

#[test]
fn every_room_inside_a_room_imports_only_those_before_it() {
    let faults: Vec<_> = the_crate().mentions.iter().filter_map(broken_order).collect();
    none(
        &faults,
        "The table is SUB_ROOMS in tests/e2e/layers/tables.rs. Move what both need into the earlier one, or pass it as an \
         argument (a closure, a channel) from the later one.",
    );
}

#[test]
fn what_has_an_owner_is_reached_through_the_owner() {
    let faults: Vec<_> = the_crate().mentions.iter().flat_map(reaches_past_an_owner).collect();
    none(&faults, "The table is OWNED in tests/e2e/layers/tables.rs. A new owner needs a row, with its reason.");
}

#[test]
fn no_file_of_a_room_imports_itself_through_others() {
    let edges = file_edges(&the_crate().mentions);
    none(&circles(&edges).iter().map(describe).collect::<Vec<_>>(), BREAK_A_CIRCLE);
}

#[test]
fn no_folder_of_a_room_imports_itself_through_others() {
    let edges = folder_edges(&file_edges(&the_crate().mentions));
    none(&circles(&edges).iter().map(describe).collect::<Vec<_>>(), BREAK_A_CIRCLE);
}

#[test]
fn doors_have_docs_and_every_module_and_its_tests_have_one_place() {
    let files = source_files();
    let faults: Vec<_> = files.iter().flat_map(|(file, source)| misplaced(file, source, &files)).collect();
    none(&faults, "CONTRIBUTING.md says how modules and tests are laid out.");
}

#[test]
fn every_source_file_belongs_to_the_crate() {
    let found = the_crate();
    let read = found.files();
    let faults: Vec<_> =
        source_files().into_keys().filter(|file| file != "main.rs" && !read.contains(file.as_str())).collect();
    none(&faults, "No module declares these files: declare them or remove them.");
}

#[test]
fn the_tables_go_from_the_bottom_up_and_give_reasons() {
    for (index, room) in ROOMS.iter().enumerate() {
        for (below, reason) in room.may_import {
            let is_below = ROOMS[..index].iter().any(|other| other.name == *below);
            assert!(is_below, "{} imports {below}, which does not stand before it", room.name);
            assert!(*below != "cli" && (*below != "lsp" || room.name == "cli"), "{} imports a face", room.name);
            assert!(!PASSED_BY_MAIN.contains(below), "{} imports {below}: take its table as an argument", room.name);
            assert!(!reason.is_empty(), "{} imports {below} for no reason", room.name);
        }
    }
    for (name, reason) in SUB_ROOMS.iter().flat_map(|(_, rooms)| *rooms) {
        assert!(!reason.is_empty(), "{name} stands where it does for no reason");
    }
}

#[test]
fn no_row_of_the_tables_is_out_of_date() {
    let mentions = &the_crate().mentions;
    let goes = |from: &str, to: &str, tests_alone: bool| {
        mentions.iter().any(|mention| {
            (mention.in_tests || !tests_alone) && room_of(&mention.file) == Some(from) && mention.leads_to(to)
        })
    };
    let mut faults = Vec::new();
    for room in &ROOMS {
        let unused = room.may_import.iter().filter(|(below, _)| !goes(room.name, below, false));
        faults.extend(unused.map(|(below, _)| format!("ROOMS: `{}` imports nothing of `{below}`", room.name)));
    }
    let unused = TESTS_MAY_IMPORT.iter().filter(|(room, other, _)| !goes(room, other, true));
    faults.extend(unused.map(|(room, other, _)| format!("TESTS_MAY_IMPORT: no test of `{room}` imports `{other}`")));
    for (room, rooms) in SUB_ROOMS {
        let gone = rooms.iter().filter(|(name, _)| !mentions.iter().any(|it| sub_room(room, &it.file) == Some(name)));
        faults.extend(gone.map(|(name, _)| format!("SUB_ROOMS: there is no {room}/{name}")));
    }
    for owned in &OWNED {
        let reach =
            |owner: &str| mentions.iter().any(|it| it.file.starts_with(owner) && way(owned, &it.path).is_some());
        let idle = owned.owners.iter().filter(|(owner, _)| !reach(owner));
        faults.extend(idle.map(|(owner, _)| format!("OWNED: {owner} does not reach {}", owned.what)));
    }
    none(&faults, "Remove these rows of tests/e2e/layers/tables.rs, or restore what needed them.");
}

const BREAK_A_CIRCLE: &str = "Break a circle where it is easiest: move what both sides need into a file of its own that \
                              imports neither, or pass it as an argument. A mod.rs that is part of one defines what its \
                              files use: move that into a file, and let mod.rs declare and re-export.";

fn none(faults: &[String], what_to_do: &str) {
    assert!(faults.is_empty(), "\n{}\n\n{what_to_do}\n", faults.join("\n"));
}

/// What is wrong with a path that leads to a room which this file's room may not import.
fn broken_edge(mention: &Mention) -> Option<String> {
    let Mention { file, line, path, .. } = mention;
    let from = room_of(file)?;
    let to = path.first().filter(|_| mention.defined_in.is_some())?.as_str();
    let Some(room) = ROOMS.iter().find(|room| room.name == from) else {
        return (from != to).then(|| format!("{file}:{line}: the room `{from}` has no row in ROOMS: give it one"));
    };
    let for_tests = |(tests_of, other, _): &(&str, &str, &str)| *tests_of == from && *other == to;
    let is_allowed = from == to
        || room.may_import.iter().any(|(below, _)| *below == to)
        || mention.in_tests && TESTS_MAY_IMPORT.iter().any(for_tests);
    let position = |name: &str| ROOMS.iter().position(|room| room.name == name);
    let what_to_do = match position(to) {
        _ if PASSED_BY_MAIN.contains(&to) => "`main` passes what it holds: take it as an argument",
        Some(other) if Some(other) < position(from) => {
            "it lies below: if that is right, add it to the row with a reason"
        }
        Some(_) => "it lies above: move the code there, or pass what it needs as an argument",
        None => "it is no room: put the file into one, or give it a row",
    };
    (!is_allowed).then(|| format!("{file}:{line}: `{from}` imports `{to}` ({}); {what_to_do}", path.join("::")))
}

/// What is wrong with a path between the rooms inside a room. What only tests import does not count.
fn broken_order(mention: &Mention) -> Option<String> {
    let Mention { file, line, path, defined_in, .. } = mention;
    let to = defined_in.as_deref().filter(|_| !mention.in_tests)?;
    let (room, rooms) = SUB_ROOMS.iter().find(|(room, _)| room_of(file) == Some(room) && room_of(to) == Some(room))?;
    let (from, to) = (sub_room(room, file)?, sub_room(room, to)?);
    let position = |name: &str| rooms.iter().position(|(other, _)| *other == name);
    let fault = match (position(from), position(to)) {
        _ if from == to => return None,
        (None, _) => format!("{room}/{from} has no row in SUB_ROOMS: give it one after all that it imports"),
        (_, None) => format!("{room}/{to} has no row in SUB_ROOMS: give it one before all that import it"),
        (Some(here), Some(there)) if there < here => return None,
        _ => format!("{room}/{from} imports {room}/{to} ({}), which comes after it", path.join("::")),
    };
    Some(format!("{file}:{line}: {fault}"))
}

/// What is wrong with a path to what others own.
fn reaches_past_an_owner(mention: &Mention) -> Vec<String> {
    let Mention { file, line, path, .. } = mention;
    let is_allowed = |owned: &Owned| {
        mention.defined_in.is_some()
            || room_of(file).is_none()
            || mention.in_tests && owned.open_to_tests
            || owned.owners.iter().any(|(owner, _)| file.starts_with(owner))
    };
    let reached = OWNED.iter().filter(|owned| !is_allowed(owned) && way(owned, path).is_some());
    reached
        .map(|Owned { what, instead, .. }| {
            format!("{file}:{line}: {} reaches {what}, which it may not: {instead}", path.join("::"))
        })
        .collect()
}

/// By which of its ways a path leads to something owned.
fn way(owned: &Owned, path: &[String]) -> Option<&'static str> {
    let path = path.join("::");
    owned
        .paths
        .iter()
        .copied()
        .find(|way| path.strip_prefix(way).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
}

/// `workflow/run.rs` → `workflow`; the crate's own root is no room.
fn room_of(file: &str) -> Option<&str> {
    let room = file.split('/').next()?.trim_end_matches(".rs");
    (room != "lib" && room != "main").then_some(room)
}

/// The folder or file of a room that a file is in: `board` of `lsp/board/state.rs`. The room's door is in none.
fn sub_room<'a>(room: &str, file: &'a str) -> Option<&'a str> {
    let inside = file.strip_prefix(room)?.strip_prefix('/')?;
    let name = inside.split('/').next()?.trim_end_matches(".rs");
    (name != "mod").then_some(name)
}

/// Which file of a room imports or re-exports from which other file of it. A name counts as of the file that defines it,
/// through whichever door it comes, and what only tests import does not count.
fn file_edges(mentions: &[Mention]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    for mention in mentions.iter().filter(|mention| !mention.in_tests) {
        let Some(to) = &mention.defined_in else { continue };
        let from = &mention.file;
        let is_new = !edges.iter().any(|edge| edge.from == *from && edge.to == *to);
        if room_of(from).is_some() && room_of(from) == room_of(to) && from != to && is_new {
            let because = format!("{from}:{} names {}", mention.line, mention.path.join("::"));
            edges.push(Edge { from: from.clone(), to: to.clone(), because });
        }
    }
    edges
}

/// Which folder imports which other one beside it, at any depth of a room.
fn folder_edges(files: &[Edge]) -> Vec<Edge> {
    let folders = |file: &str| {
        file.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').map(str::to_owned).collect())
    };
    let mut edges = Vec::new();
    for Edge { from, to, because } in files {
        let (from, to): (Vec<String>, Vec<String>) = (folders(from), folders(to));
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if shared > 0 && shared < from.len() && shared < to.len() {
            let name = |folders: &[String]| folders[..=shared].join("/");
            edges.push(Edge { from: name(&from), to: name(&to), because: because.clone() });
        }
    }
    edges
}

/// `a.rs` imports `b.rs` (where), which imports `a.rs` (where).
fn describe(circle: &Circle) -> String {
    let members = circle.members.len();
    let start = &circle.way[0];
    let mut text = format!("`{}` imports `{}` ({})", start.from, start.to, start.because);
    for edge in &circle.way[1..] {
        text += &format!(",\n    which imports `{}` ({})", edge.to, edge.because);
    }
    if members > circle.way.len() {
        text += &format!("\n    {members} are in this circle: {:?}", circle.members);
    }
    text
}

/// What breaks the conventions in one file.
fn misplaced(file: &str, source: &str, files: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    let is_door = file.ends_with("/mod.rs") || !file.contains('/');
    if is_door && !source.starts_with("//!") {
        faults.push("begin it with `//!`: what it is for, what must stay true, what is deliberately absent".to_owned());
    }
    let folder = file.trim_end_matches(".rs");
    if files.keys().any(|other| other.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))) {
        faults.push(format!("it stands beside its folder: move it to {folder}/mod.rs"));
    }
    if let Some(module) = folder.strip_suffix("_tests") {
        faults.push(format!("move it to {module}/tests.rs, declared `#[cfg(test)] mod tests;` in {module}/mod.rs"));
    }
    for item in syn::parse_file(source).unwrap().items {
        let syn::Item::Mod(module) = item else { continue };
        if module.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            faults.push(format!("`mod {}` needs no #[path] where its file stands below the module", module.ident));
        }
        let Some((brace, _)) = module.content.filter(|_| is_for_tests(&module.attrs)) else { continue };
        let lines = brace.span.close().end().line - brace.span.open().start().line;
        if lines > MAX_INLINE_TEST_LINES {
            faults.push(format!(
                "its tests are {lines} lines long: move them to {folder}/tests.rs and it to {folder}/mod.rs"
            ));
        }
    }
    faults.into_iter().map(|fault| format!("{file}: {fault}")).collect()
}

/// Parsing takes a second without optimization, so that the tests share one crate.
fn the_crate() -> &'static Crate {
    static CRATE: LazyLock<Crate> = LazyLock::new(|| {
        let files = source_files();
        assert!(files.len() > 50, "only {} files were found", files.len());
        Crate::read(&|file| files.get(file).cloned())
    });
    &CRATE
}

/// The text of every file of `server/src`, by its path below that folder.
fn source_files() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    walk(&root, &root, &mut files);
    files
}
