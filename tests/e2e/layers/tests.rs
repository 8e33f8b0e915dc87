//! The reader itself, on small crates.

use super::circles::circles;
use super::source::Crate;
use super::{broken_edge, broken_order, describe, file_edges, folder_edges, misplaced, reaches_past_an_owner};
use std::collections::BTreeMap;

/// A crate of these files; `lib.rs` and doors are written out.
fn crate_of(files: &[(&str, &str)]) -> Crate {
    Crate::read(&|name| files.iter().find(|(file, _)| *file == name).map(|(_, source)| (*source).to_owned()))
}

/// What a file of a crate names, as `path -> file`, in the order of the source.
fn named(files: &[(&str, &str)], by: &str) -> Vec<String> {
    let found = crate_of(files);
    let by = found.mentions.iter().filter(|mention| mention.file == by && !mention.in_tests);
    by.map(|mention| format!("{} -> {}", mention.path.join("::"), mention.defined_in.as_deref().unwrap_or("outside")))
        .collect()
}

/// What is wrong with one source in a room, in a crate that has every room with an item `Item` in it.
fn faults(room: &str, source: &str) -> Vec<String> {
    let rooms: Vec<_> = super::ROOMS.iter().map(|row| row.name).chain(["helpers"]).collect();
    let lib: String = rooms.iter().map(|name| format!("pub mod {name};\n")).collect();
    let found = Crate::read(&|file| match file.strip_suffix("/mod.rs") {
        None if file == "lib.rs" => Some(lib.clone()),
        Some(name) if name == room => Some(source.to_owned()),
        Some(_) => Some("pub struct Item;\n".to_owned()),
        None => None,
    });
    let mut faults: Vec<_> = found.mentions.iter().filter_map(broken_edge).collect();
    faults.extend(found.mentions.iter().flat_map(reaches_past_an_owner));
    faults
}

#[test]
fn groups_renames_and_self_are_read_as_single_paths() {
    let found = named(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub mod inner { pub struct C; pub struct D; } pub struct E;"),
            (
                "b.rs",
                "use crate::{a::{self, inner::{C as Sea, D as _, self}, E}};\nfn f() -> Sea { inner::D; a::E; todo!() }",
            ),
        ],
        "b.rs",
    );
    expect_test::expect![[r#"
        [
            "a -> a.rs",
            "a::inner::C -> a.rs",
            "a::inner::D -> a.rs",
            "a::inner -> a.rs",
            "a::E -> a.rs",
            "a::inner::D -> a.rs",
            "a::E -> a.rs",
        ]
    "#]]
    .assert_debug_eq(&found);
}

#[test]
fn a_re_export_is_of_the_file_that_defines_the_name() {
    let files = [
        ("lib.rs", "mod room; mod other;"),
        (
            "room/mod.rs",
            "mod x; mod y; mod deep; mod user; pub use x::X; pub use deep::{Deep as Low}; pub use y::*;\npub use std::fs::File; pub enum Own { A }",
        ),
        ("room/x.rs", "pub struct X;"),
        ("room/y.rs", "pub fn y() {}"),
        ("room/deep/mod.rs", "mod low; pub use self::low::Deep;"),
        ("room/deep/low.rs", "pub struct Deep; use super::super::Own;"),
        ("room/user.rs", "use super::{Low, X, File};\nfn f() { super::y(); super::Own::A; Low::new(); }"),
        ("other.rs", "use crate::room; fn f() { room::X::new(); }"),
    ];
    expect_test::expect![[r#"
        [
            "room::Low -> room/deep/low.rs",
            "room::X -> room/x.rs",
            "room::File -> outside",
            "room::y -> room/y.rs",
            "room::Own::A -> room/mod.rs",
            "room::Low::new -> room/deep/low.rs",
        ]
    "#]]
    .assert_debug_eq(&named(&files, "room/user.rs"));
    assert_eq!(named(&files, "other.rs"), ["room -> room/mod.rs", "room::X::new -> room/x.rs"]);
}

#[test]
fn paths_are_found_in_types_calls_macros_and_attributes_but_not_in_comments_texts_and_visibilities() {
    let source = r##"
//! [`a`](crate::a::in_docs)
// use crate::a::in_a_comment;
#[serde(default = "crate::a::in_a_text", with = crate::a::Attribute)]
struct S<T: crate::a::Bound>(crate::a::Field<crate::a::Argument>);
pub(in crate::b) fn f<'a>(c: char) -> Option<super::a::Output> {
    println!("{} crate::a::in_a_text", crate::a::call(self::g()));
    matches!(c, '"' | 'x' if ::a::outside(r#"crate::a::in_a_text"#));
    <S as crate::a::Trait>::call()
}
fn g() {}
"##;
    let found = named(&[("lib.rs", "mod a; mod b;"), ("a.rs", ""), ("b.rs", source)], "b.rs");
    expect_test::expect![[r#"
        [
            "a::Attribute -> a.rs",
            "a::Bound -> a.rs",
            "a::Field -> a.rs",
            "a::Argument -> a.rs",
            "a::Output -> a.rs",
            "a::call -> a.rs",
            "b::g -> b.rs",
            "if::a::outside -> outside",
            "a::Trait::call -> a.rs",
        ]
    "#]]
    .assert_debug_eq(&found);
}

#[test]
fn what_is_compiled_for_tests_alone_is_marked_wherever_it_stands() {
    let found = crate_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", ""),
        (
            "b.rs",
            "#[cfg(test)] use crate::a::One;\n#[cfg(all(test, unix))] mod tests { use crate::a::Two; }\n\
             #[cfg(test)] #[path = \"x_tests.rs\"] mod more;\nstruct S { #[cfg(test)] field: crate::a::Three }\n\
             fn f() { #[cfg(test)] if crate::a::four() {} #[cfg(test)] let x = crate::a::five(); }\n\
             #[cfg(not(test))] use crate::a::Six; #[cfg(any(test, unix))] use crate::a::Seven;",
        ),
        ("x_tests.rs", "use crate::a::Eight;"),
    ]);
    let names = |in_tests| -> Vec<_> {
        let named = found.mentions.iter().filter(|mention| mention.in_tests == in_tests);
        named.filter_map(|mention| mention.path.last().map(String::as_str)).collect()
    };
    let mut in_tests = names(true);
    in_tests.sort_unstable();
    assert_eq!(in_tests, ["Eight", "One", "Three", "Two", "five", "four"]);
    assert_eq!(names(false), ["Six", "Seven"]);
    assert!(file_edges(&found.mentions).is_empty(), "rooms of one file have no edges inside");
}

#[test]
fn a_circle_of_three_is_found_with_the_way_around() {
    let files = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod b; mod c; mod d; pub use a::A; pub use b::B;"),
        ("room/a.rs", "pub struct A;\nuse super::B;"),
        ("room/b.rs", "pub struct B;\nfn f() { super::c::c(); }"),
        ("room/c.rs", "pub fn c() {}\nuse crate::room::A;\nuse super::d::D;"),
        ("room/d.rs", "pub struct D;\n#[cfg(test)]\nuse super::A;"),
    ];
    let found = circles(&file_edges(&crate_of(&files).mentions));
    expect_test::expect![[r#"
        `room/a.rs` imports `room/b.rs` (room/a.rs:2 names room::B),
            which imports `room/c.rs` (room/b.rs:2 names room::c::c),
            which imports `room/a.rs` (room/c.rs:2 names room::A)"#]]
    .assert_eq(&found.iter().map(describe).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_circle_that_runs_through_a_door_is_found() {
    let defines = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; pub use a::A; pub struct Own;"),
        ("room/a.rs", "pub struct A(super::Own);"),
    ];
    expect_test::expect![[r#"
        `room/a.rs` imports `room/mod.rs` (room/a.rs:1 names room::Own),
            which imports `room/a.rs` (room/mod.rs:1 names room::a::A)"#]]
    .assert_eq(&circles(&file_edges(&crate_of(&defines).mentions)).iter().map(describe).collect::<Vec<_>>().join("\n"));
    let passes_on = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod own; pub use a::A; pub use own::Own;"),
        ("room/a.rs", "pub struct A(super::Own);"),
        ("room/own.rs", "pub struct Own;"),
    ];
    assert!(circles(&file_edges(&crate_of(&passes_on).mentions)).is_empty(), "this door only re-exports");
}

#[test]
fn rooms_inside_a_room_keep_their_order() {
    let found = crate_of(&[
        ("lib.rs", "mod lsp; mod cli;"),
        ("cli.rs", "use crate::lsp::Board;"),
        ("lsp/mod.rs", "mod wire; mod text; mod board; mod run; mod late; pub use board::Board; fn f() { late::f(); }"),
        ("lsp/wire.rs", "pub struct Client; #[cfg(test)] use super::run::Run;"),
        ("lsp/text/mod.rs", "pub mod inner; pub use inner::Text;"),
        ("lsp/text/inner.rs", "pub struct Text; use super::super::Board;"),
        ("lsp/board.rs", "pub struct Board; use super::text::Text;\nuse crate::lsp::{run::Run, wire::Client};"),
        ("lsp/run.rs", "pub struct Run; use super::late::f;"),
        ("lsp/late.rs", "pub fn f() {}"),
    ]);
    let faults: Vec<_> = found.mentions.iter().filter_map(broken_order).collect();
    expect_test::expect![[r#"
        lsp/text/inner.rs:1: lsp/text imports lsp/board (lsp::Board), which comes after it
        lsp/board.rs:2: lsp/board imports lsp/run (lsp::run::Run), which comes after it
        lsp/run.rs:1: lsp/late has no row in SUB_ROOMS: give it one before all that import it"#]]
    .assert_eq(&faults.join("\n"));
}

#[test]
fn folders_that_import_each_other_are_found_though_no_file_does() {
    let files = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod one; mod two;"),
        ("room/one/mod.rs", "pub mod a; pub mod b;"),
        ("room/one/a.rs", "use crate::room::two::c::C;"),
        ("room/one/b.rs", "pub struct B;"),
        ("room/two/mod.rs", "pub mod c; pub mod d;"),
        ("room/two/c.rs", "pub struct C;"),
        ("room/two/d.rs", "use crate::room::one::b::B;"),
    ];
    let edges = file_edges(&crate_of(&files).mentions);
    assert!(circles(&edges).is_empty());
    expect_test::expect![[r#"
        `room/one` imports `room/two` (room/one/a.rs:1 names room::two::c::C),
            which imports `room/one` (room/two/d.rs:1 names room::one::b::B)"#]]
    .assert_eq(&circles(&folder_edges(&edges)).iter().map(describe).collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_import_that_breaks_a_rule_is_found_however_it_is_written() {
    for (room, source, fault) in [
        ("models", "use crate::workflow::Item;", "models/mod.rs:1: `models` imports `workflow` (workflow::Item)"),
        ("models", "use crate::{\n    contracts::Item,\n    memory::{self},\n};", "models/mod.rs:3: `models` imports"),
        ("memory", "fn f() -> crate::lsp::Item { todo!() }", "`memory` imports `lsp`"),
        ("tools", "use super::agents::Item;", "`tools` imports `agents` (agents::Item)"),
        ("tools", "mod inner { mod deeper { use super::super::super::cli::Item; } }", "`tools` imports `cli`"),
        ("workspace", "#[cfg(test)] mod tests { use crate::memory::Item; }", "`workspace` imports `memory`"),
        (
            "workflow",
            "use crate::phases::Item;",
            "`workflow` imports `phases` (phases::Item); `main` passes what it holds",
        ),
        ("lsp", "use crate::phases::Item;", "`lsp` imports `phases` (phases::Item); `main` passes what it holds"),
        ("config", "#[cfg(test)] use crate::phases::Item;", "`config` imports `phases`"),
        ("phases", "use crate::cli::Item;", "it lies above: move the code there, or pass what it needs"),
        ("agents", "use crate::config::Item;", "it lies below: if that is right, add it to the row"),
        ("workflow", "use tower_lsp::Client;", "tower_lsp::Client reaches a type of the Language Server Protocol"),
        ("cli", "type P = lsp_types::Position;", "lsp_types::Position reaches a type of the Language Server Protocol"),
        ("memory", "#[cfg(test)] use lsp_types::Url;", "lsp_types::Url reaches a type of the Language Server Protocol"),
        ("models", "fn f() { std::env::var(\"KEY\"); }", "std::env::var reaches the environment"),
        ("config", "use etcetera::BaseStrategy;", "etcetera::BaseStrategy reaches the environment"),
        ("memory", "use git2::Repository;", "git2::Repository reaches git's library"),
        ("tools", "use reqwest::Client;", "reqwest::Client reaches the network"),
        ("lsp", "use indicatif::ProgressBar;", "indicatif::ProgressBar reaches the terminal"),
        ("tools", "use std::{fmt, fs};", "tools/mod.rs:1: std::fs reaches the disk"),
        ("phases", "fn f() { std::fs::read(\"x\"); }", "std::fs::read reaches the disk"),
        ("agents", "fn f() { format!(\"{:?}\", tokio::fs::read(\"x\")); }", "tokio::fs::read reaches the disk"),
        ("helpers", "use crate::text::Item;", "the room `helpers` has no row in ROOMS"),
    ] {
        let faults = faults(room, source);
        assert!(faults.len() == 1 && faults[0].contains(fault), "{source:?}: {faults:?}, not {fault:?}");
    }
}

#[test]
fn what_is_allowed_is_no_fault() {
    for (room, source) in [
        ("cli", "use crate::lsp::Item; use crate::workflow::Item as Other; use std::fmt;"),
        ("lsp", "use tower_lsp::lsp_types::Position; mod x { use super::Position; }"),
        ("lsp", "#[cfg(test)] mod tests { use crate::phases::Item; fn f() { std::env::temp_dir(); } }"),
        ("phases", "use crate::config::Item; use crate::workflow::Item as Other;"),
        ("models", "mod reqwest_like {} use std::env_of::Item; fn env() {}"),
        ("memory", "use std::fs::File; use cap_std::fs::Dir;"),
        ("tools", "#[cfg(test)] mod tests { fn f() { std::fs::read(\"x\"); } }"),
        ("text", "pub(in crate::cli) fn f() -> Vec<u8> { Vec::<u8>::new() }"),
    ] {
        assert_eq!(faults(room, source), Vec::<String>::new(), "{source:?}");
    }
}

#[test]
fn each_broken_convention_says_where_the_file_belongs() {
    let long = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn f() {}\n".repeat(201));
    let files: BTreeMap<String, String> = [
        ("room/mod.rs", "mod a;\n"),
        ("room/a.rs", ""),
        ("room/a/b.rs", long.as_str()),
        ("room/c_tests.rs", ""),
        ("room/d.rs", "#[path = \"c_tests.rs\"]\nmod tests;\n"),
    ]
    .map(|(file, source)| (file.to_owned(), source.to_owned()))
    .into();
    let faults: Vec<_> = files.iter().flat_map(|(file, source)| misplaced(file, source, &files)).collect();
    expect_test::expect![[r#"
        room/a.rs: it stands beside its folder: move it to room/a/mod.rs
        room/a/b.rs: its tests are 202 lines long: move them to room/a/b/tests.rs and it to room/a/b/mod.rs
        room/c_tests.rs: move it to room/c/tests.rs, declared `#[cfg(test)] mod tests;` in room/c/mod.rs
        room/d.rs: `mod tests` needs no #[path] where its file stands below the module
        room/mod.rs: begin it with `//!`: what it is for, what must stay true, what is deliberately absent"#]]
    .assert_eq(&faults.join("\n"));
}
