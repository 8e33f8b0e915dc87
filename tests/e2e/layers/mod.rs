//! The rooms of the house, read from the sources: which room may import which, who may reach the disk, and that files do
//! not import each other in a circle. What breaks a rule fails here with its file, its line, and what to do about it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends loudly")]
#![expect(clippy::print_stderr, reason = "what is known is printed and fails nothing")]

mod circles;
mod source;
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use circles::{Circle, Edge, circles};
use source::{Crate, Mention, is_for_tests};

/// A room and the rooms it may import, each with the reason. Tests inside a room keep to the same.
struct Room {
    name: &'static str,
    may_import: &'static [(&'static str, &'static str)],
}

/// From the bottom up: a room imports only rooms whose rows stand before its own.
const ROOMS: [Room; 12] = [
    Room { name: "text", may_import: &[] },
    Room { name: "contracts", may_import: &[("text", "quotes and counts in messages about faults")] },
    Room {
        name: "workspace",
        may_import: &[
            ("contracts", "paths, limits and what a check of a plan asks of a disk"),
            ("text", "file names and git's words in messages"),
        ],
    },
    Room {
        name: "models",
        may_import: &[("contracts", "usage and limits"), ("text", "a provider's words in messages")],
    },
    Room {
        name: "config",
        may_import: &[("contracts", "positions, limits, severities"), ("text", "file names and values in messages")],
    },
    Room {
        name: "tools",
        may_import: &[
            ("contracts", "paths and limits"),
            ("models", "how a tool is described to a model"),
            ("text", "how an answer is cut"),
            ("workspace", "the only way to the files"),
        ],
    },
    Room {
        name: "memory",
        may_import: &[
            ("contracts", "the handoffs it keeps"),
            ("models", "the turns it journals"),
            ("text", "words from files in messages"),
            ("workspace", "files opened beneath the root, written durably"),
        ],
    },
    Room {
        name: "agents",
        may_import: &[
            ("contracts", "the handoffs that are submitted"),
            ("memory", "the transcript of a conversation"),
            ("models", "the model that is talked to"),
            ("text", "a model's words in messages"),
            ("tools", "what is called for the model"),
        ],
    },
    Room {
        name: "workflow",
        may_import: &[
            ("agents", "conversations with a budget"),
            ("config", "the settings a run obeys"),
            ("contracts", "the handoffs it decides on"),
            ("memory", "the state it decides on"),
            ("models", "the tiers a run works with"),
            ("text", "words in events"),
            ("tools", "the toolbox a phase is given"),
            ("workspace", "publishing, checkpoints, diffs"),
        ],
    },
    Room {
        name: "phases",
        may_import: &[
            ("agents", "the conversation a phase has"),
            ("contracts", "the handoff a phase writes"),
            ("memory", "the handoffs a phase reads"),
            ("models", "the tier a phase asks for"),
            ("text", "words in briefs and events"),
            ("tools", "the tools a phase lends"),
            ("workflow", "the trait a phase implements"),
            ("workspace", "diffs and base commits"),
        ],
    },
    Room {
        name: "lsp",
        may_import: &[
            ("agents", "findings of language tools"),
            ("config", "settings and the places of their faults"),
            ("contracts", "plans and reviews, shown at their places"),
            ("memory", "a folder's state and its faults"),
            ("models", "the models an editor lends"),
            ("text", "text made safe to show"),
            ("workflow", "the engine"),
            ("workspace", "open documents and files"),
        ],
    },
    Room {
        name: "cli",
        may_import: &[
            ("config", "settings and flags"),
            ("contracts", "handoffs and their schemas"),
            ("lsp", "`baton lsp` starts it"),
            ("memory", "a folder's state"),
            ("models", "the demo's recorded run"),
            ("text", "text made safe to show"),
            ("workflow", "the engine"),
            ("workspace", "the folder to work in"),
        ],
    },
];

/// Edges that are there and are to go, each with the reason why it is still there.
const TEMPORARY: [(&str, &str, &str); 4] = [
    ("agents", "workspace", "context, plan and prompts are on their way into phases"),
    ("render", "contracts", "render is on its way into text"),
    ("lsp", "render", "render is on its way into text"),
    ("cli", "render", "render is on its way into text"),
];

/// Crates that only these rooms may name.
const OUTSIDE: [(&str, &[&str]); 2] = [("tower_lsp", &["lsp"]), ("lsp_types", &["lsp"])];

/// Ways to the disk.
const DISK: [&str; 5] = ["std::fs", "tokio::fs", "cap_std", "cap_fs_ext", "rustix::fs"];

/// Whose work the disk is, and the single files elsewhere that reach it, each with the reason.
const MAY_REACH_THE_DISK: [(&str, &str); 9] = [
    ("workspace/", "it owns the files beneath the root"),
    ("memory/", "it owns the memory folder, by handles that workspace opened"),
    ("config/", "it reads the settings of the workspace and of the user"),
    ("models/resolve.rs", "BATON_REPLAY names a recorded run to play"),
    ("lsp/documents.rs", "it compares the text in the editor with the file an editor would open"),
    ("lsp/editor_process.rs", "/proc tells whether the editor still runs"),
    ("cli/demo.rs", "it writes the sample repository"),
    ("cli/output.rs", "fstat tells whether standard output is a pipe"),
    ("cli/signals.rs", "/proc tells which signals are ignored"),
];

/// Circles among files that were there when this test came, and are to be broken.
const KNOWN_CIRCLES: [&[&str]; 12] = [
    &["config/checks.rs", "config/hosts.rs", "config/layers.rs", "config/read.rs", "config/table.rs"],
    &[
        "contracts/approval.rs",
        "contracts/context.rs",
        "contracts/plan.rs",
        "contracts/report.rs",
        "contracts/review.rs",
        "contracts/schema.rs",
    ],
    &[
        "lsp/folder.rs",
        "lsp/folders.rs",
        "lsp/gate.rs",
        "lsp/handlers/changes.rs",
        "lsp/lens_refresh.rs",
        "lsp/phase_feed.rs",
        "lsp/requests.rs",
        "lsp/runs.rs",
        "lsp/unsaved_plan.rs",
        "lsp/way_out.rs",
    ],
    &["memory/folder.rs", "memory/store.rs"],
    &["workflow/base_review.rs", "workflow/drive.rs", "workflow/engine.rs", "workflow/issues.rs"],
    &[
        "workflow/checkpoints.rs",
        "workflow/editor.rs",
        "workflow/elsewhere.rs",
        "workflow/gate.rs",
        "workflow/gate_content.rs",
        "workflow/implement.rs",
        "workflow/phases.rs",
        "workflow/rounds.rs",
        "workflow/run.rs",
        "workflow/task_run.rs",
    ],
    &["workflow/recover.rs", "workflow/rollback.rs"],
    &[
        "workspace/beneath.rs",
        "workspace/buffers.rs",
        "workspace/ignored.rs",
        "workspace/protect/links.rs",
        "workspace/root.rs",
    ],
    &["workspace/encoding.rs", "workspace/text.rs"],
    &["lsp/board.rs", "lsp/board/issues.rs", "lsp/board/reading.rs", "lsp/board/standing.rs"],
    &["workspace/checkpoint.rs", "workspace/checkpoint/locks.rs", "workspace/checkpoint/tracked.rs"],
    &["workspace/publish/record.rs", "workspace/publish/reversal.rs"],
];

/// Folders whose door both uses its files and defines what they use. Here a file may name what its door defines; whatever
/// can be moved into a file of its own is better off there.
const DOORS_WITH_ITEMS: [&str; 7] = [
    "cli/",
    "cli/progress/",
    "lsp/board/",
    "models/anthropic/",
    "tools/",
    "workspace/checkpoint/",
    "workspace/publish/",
];

/// Files whose place or form broke a convention when this test came, and are to be moved.
const KNOWN_MISPLACED: [&str; 36] = [
    "contracts/plan_rules.rs",
    "contracts/plan_rules_tests.rs",
    "lsp/board.rs",
    "lsp/commands.rs",
    "lsp/gate.rs",
    "lsp/transport.rs",
    "memory/answers.rs",
    "memory/answers_tests.rs",
    "models/anthropic/answer.rs",
    "models/anthropic/refusal.rs",
    "models/retry.rs",
    "tools/edit_match.rs",
    "tools/edit_match_tests.rs",
    "tools/secrets_tests.rs",
    "workflow/next.rs",
    "workflow/next_tests.rs",
    "workspace/buffers.rs",
    "workspace/buffers_tests.rs",
    "workspace/checkpoint.rs",
    "workspace/git_own.rs",
    "workspace/git_own_tests.rs",
    "workspace/ignored.rs",
    "workspace/ignored_tests.rs",
    "workspace/names.rs",
    "workspace/names_tests.rs",
    "workspace/protect/content.rs",
    "workspace/protect/content_tests.rs",
    "workspace/protect/mod.rs",
    "workspace/rollback.rs",
    "workspace/rollback_tests.rs",
    "workspace/root.rs",
    "workspace/root_tests.rs",
    "workspace/staging.rs",
    "workspace/staging_tests.rs",
    "workspace/text.rs",
    "workspace/text_tests.rs",
];

/// Tests longer than this stand in a file of their own.
const MAX_INLINE_TEST_LINES: usize = 200;

#[test]
fn every_room_imports_only_what_lies_below_it() {
    let faults: Vec<_> = the_crate().mentions.iter().filter_map(broken_edge).collect();
    none(
        &faults,
        "The table is ROOMS. Move the code to a room that may know both, or pass what it needs as an argument.",
    );
}

#[test]
fn only_those_who_own_files_reach_the_disk() {
    let faults: Vec<_> = the_crate().mentions.iter().filter_map(reaches_the_disk).collect();
    none(&faults, "Ask `workspace` (files beneath the root) or `memory` (the memory folder) instead.");
}

#[test]
fn no_file_of_a_room_imports_itself_through_others() {
    let edges = file_edges(&the_crate().mentions);
    let is_known = |circle: &Circle| {
        KNOWN_CIRCLES.iter().any(|known| circle.members.iter().all(|member| known.contains(&member.as_str())))
    };
    let (known, new): (Vec<_>, Vec<_>) = circles(&edges).into_iter().partition(is_known);
    known.iter().for_each(|circle| eprintln!("known: {}", describe(circle)));
    none(&new.iter().map(describe).collect::<Vec<_>>(), BREAK_A_CIRCLE);
}

#[test]
fn no_folder_of_a_room_imports_itself_through_others() {
    let edges = folder_edges(&file_edges(&the_crate().mentions));
    none(&circles(&edges).iter().map(describe).collect::<Vec<_>>(), BREAK_A_CIRCLE);
}

#[test]
fn doors_have_docs_and_every_module_and_its_tests_have_one_place() {
    let files = source_files();
    let faults = files.iter().flat_map(|(file, source)| misplaced(file, source, &files));
    let (known, new): (Vec<_>, Vec<_>) = faults.partition(|(file, _)| KNOWN_MISPLACED.contains(&file.as_str()));
    known.iter().for_each(|(file, fault)| eprintln!("known: {file}: {fault}"));
    let new: Vec<_> = new.into_iter().map(|(file, fault)| format!("{file}: {fault}")).collect();
    none(&new, "CONTRIBUTING.md says how modules and tests are laid out.");
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
fn the_table_goes_from_the_bottom_up_and_gives_reasons() {
    for (index, room) in ROOMS.iter().enumerate() {
        for (below, reason) in room.may_import {
            let is_below = ROOMS[..index].iter().any(|other| other.name == *below);
            assert!(is_below, "{} imports {below}, which does not stand before it", room.name);
            assert!(*below != "cli" && (*below != "lsp" || room.name == "cli"), "{} imports a face", room.name);
            assert!(!reason.is_empty(), "{} imports {below} for no reason", room.name);
        }
    }
}

const BREAK_A_CIRCLE: &str = "Break a circle where it is easiest: move what both sides need into a file of its own that \
                              imports neither, or pass it as an argument.";

fn none(faults: &[String], what_to_do: &str) {
    assert!(faults.is_empty(), "\n{}\n\n{what_to_do}\n", faults.join("\n"));
}

/// What is wrong with a path that leads to a room or a crate which this file's room may not import.
fn broken_edge(mention: &Mention) -> Option<String> {
    let Mention { file, line, path, defined_in, .. } = mention;
    let from = room_of(file)?;
    let whole = path.join("::");
    let first = path.first().map_or("", String::as_str);
    if defined_in.is_none() {
        let only = OUTSIDE.iter().find(|(name, rooms)| *name == first && !rooms.contains(&from));
        return only.map(|(_, rooms)| {
            let rooms = rooms.join(", ");
            format!(
                "{file}:{line}: `{from}` names {whole}, and only `{rooms}` may: convert it there into a type of ours"
            )
        });
    }
    let Some(room) = ROOMS.iter().find(|room| room.name == from) else {
        let is_leaving = TEMPORARY.iter().any(|(temporary, to, _)| *temporary == from && *to == first);
        let is_allowed = from == first || is_leaving;
        return (!is_allowed).then(|| format!("{file}:{line}: the room `{from}` has no row in ROOMS: give it one"));
    };
    let is_allowed = first == from
        || first.is_empty()
        || room.may_import.iter().any(|(below, _)| *below == first)
        || TEMPORARY.iter().any(|(temporary, to, _)| *temporary == from && *to == first);
    (!is_allowed)
        .then(|| format!("{file}:{line}: `{from}` imports `{first}` ({whole}), which is no room it may import"))
}

/// What is wrong with a path to the disk. Tests may look at what was done to it.
fn reaches_the_disk(mention: &Mention) -> Option<String> {
    let Mention { file, line, path, .. } = mention;
    let whole = path.join("::");
    let way = DISK.iter().find(|way| whole == **way || whole.starts_with(&format!("{way}::")))?;
    let is_allowed = mention.in_tests || MAY_REACH_THE_DISK.iter().any(|(owner, _)| file.starts_with(owner));
    (!is_allowed).then(|| format!("{file}:{line}: {whole} reaches the disk by {way}"))
}

/// `workflow/run.rs` → `workflow`, `render.rs` → `render`; the crate's own root is no room.
fn room_of(file: &str) -> Option<&str> {
    let room = file.split('/').next()?.trim_end_matches(".rs");
    (room != "lib" && room != "main").then_some(room)
}

/// Which file of a room imports which other file of it. What a `mod.rs` re-exports is of the file that defines it, and
/// what only tests import does not count.
fn file_edges(mentions: &[Mention]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    for mention in mentions.iter().filter(|mention| !mention.in_tests && !mention.is_reexport) {
        let Some(to) = &mention.defined_in else { continue };
        let from = &mention.file;
        let names_its_door =
            to.strip_suffix("mod.rs").is_some_and(|door| DOORS_WITH_ITEMS.contains(&door) && from.starts_with(door));
        let is_new = !edges.iter().any(|edge| edge.from == *from && edge.to == *to);
        if room_of(from).is_some() && room_of(from) == room_of(to) && from != to && !names_its_door && is_new {
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

/// What breaks the conventions in one file, each with the file to look it up by.
fn misplaced(file: &str, source: &str, files: &BTreeMap<String, String>) -> Vec<(String, String)> {
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
    faults.into_iter().map(|fault| (file.to_owned(), fault)).collect()
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
