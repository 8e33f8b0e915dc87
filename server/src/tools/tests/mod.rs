//! The tools as a whole: what is sent to a model about them, which agent has which, and that no call panics. The tests
//! of single tools are in the files below.

mod edit_faults;
mod editing_lines;
mod editing_turns;
mod moving;
mod outline;
mod past;
mod reading;
mod searching;
mod secrets;
mod writing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect, expect_file};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::call::{FAILED, shows};
use super::table::TOOLS;
use super::tool::{Row, Shows};
use super::*;
use crate::contracts::RepoPath;
use crate::text::cut;
use crate::workspace::fixture::{Fixture, memory, path};
use crate::workspace::{Interrupt, StagedChange, Staging, Writable};

const TREE: &str = "\
//- /.gitignore
target/
//- /.env
KEY=1
//- /src/main.rs
fn main() {
    let total = 1;
    println!(\"{total}\");
}
//- /src/lib.rs
pub fn one() -> u32 {
    1
}
//- /target/out.rs
fn main() {}
//- /docs/guide.md
# Guide
";

fn reader(fixture: &Fixture) -> Toolbox {
    Toolbox::reader(fixture.workspace(), memory())
}

fn implementer(fixture: &Fixture, write: &[&str], delete: &[&str]) -> (Toolbox, Arc<Mutex<Staging>>) {
    let set = |names: &[&str]| names.iter().map(|name| path(name)).collect::<BTreeSet<_>>();
    let writable = Writable { write: set(write), delete: set(delete), ..Writable::default() };
    let staging = Arc::new(Mutex::new(Staging::new(fixture.workspace(), "T1", writable, memory())));
    (Toolbox::implementer(fixture.workspace(), memory(), Arc::clone(&staging)), staging)
}

/// Tells what it was asked for, and passes only where nothing is changed.
#[derive(Debug)]
struct Checks;

impl CheckRunner for Checks {
    fn try_check(&self, name: &str, changes: Vec<StagedChange>) -> Result<String, String> {
        let files: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let told = format!("{} with {}", cut(name, 100), files.join(", "));
        if files.is_empty() { Ok(told) } else { Err(told) }
    }
}

/// A call that is all of a turn, as those of `ok` and `error` are.
fn check(toolbox: &Toolbox, tool: &str, input: Value, expected: Expect) {
    toolbox.begin_turn();
    let output = toolbox.call(tool, &input);
    expected.assert_eq(&format!("{}{}", if output.is_error { "error: " } else { "" }, output.text));
}

fn ok(toolbox: &Toolbox, tool: &str, input: Value) -> String {
    toolbox.begin_turn();
    let output = toolbox.call(tool, &input);
    assert!(!output.is_error, "{tool} {input}: {}", output.text);
    output.text
}

fn error(toolbox: &Toolbox, tool: &str, input: Value) -> String {
    toolbox.begin_turn();
    let output = toolbox.call(tool, &input);
    assert!(output.is_error, "{tool} {input}: {}", output.text);
    output.text
}

#[test]
fn each_agent_has_its_tools_and_no_others() {
    let fixture = Fixture::new(TREE);
    let names = |toolbox: &Toolbox| toolbox.specs().into_iter().map(|spec| spec.name).collect::<Vec<_>>().join(" ");
    let (implementer, _) = implementer(&fixture, &[], &[]);
    assert_eq!(names(&reader(&fixture)), "list_files search read_file outline log");
    let writing = "list_files search read_file outline log edit_file write_file delete_file move_file";
    assert_eq!(names(&implementer), writing);
    let with_checks = implementer.with_checks(Some(Arc::new(Checks)));
    assert_eq!(names(&with_checks), format!("{writing} try_check"));
    assert!(!reader(&fixture).with_checks(Some(Arc::new(Checks))).has("try_check"), "it has nothing to try");
    let reviewer = Toolbox::reviewer(fixture.workspace(), memory(), Vec::new());
    assert_eq!(names(&reviewer), "list_files search read_file outline log read_diff");
    let refused = error(&reader(&fixture), "write_file", json!({"path": "a", "content": "x"}));
    assert_eq!(refused, "There is no tool \"write_file\". Call one of: list_files, search, read_file, outline, log.");
}

#[test]
fn every_tool_has_a_name_of_its_own_and_described_fields() {
    let mut names = BTreeSet::new();
    for tool in TOOLS {
        let spec = (tool.spec)();
        assert!(names.insert(tool.name), "{} stands twice in the table", tool.name);
        assert!(
            tool.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && tool.name.len() <= 64,
            "{}",
            tool.name
        );
        assert!(!spec.description.is_empty() && !tool.time_limit.is_zero(), "{}", tool.name);
        let properties = spec.input_schema["properties"].as_object().unwrap();
        for (field, property) in properties {
            let is_plain = matches!(property["type"].as_str(), Some("string" | "integer" | "boolean"));
            assert!(is_plain && property["description"].is_string(), "{}: {field}: {property}", tool.name);
        }
        assert!(tool.shows != Shows::File || properties.contains_key("path"), "{} names no file", tool.name);
        assert_eq!(shows(tool.name), tool.shows);
    }
    assert_eq!(shows("submit_plan"), Shows::OwnWork);
}

/// What is sent to a model about the tools, byte for byte: recorded runs are replayed by it, and providers cache it. A
/// tool more adds to the file (`UPDATE_EXPECT=1`); what stands there does not change.
#[test]
fn what_models_are_sent_about_the_tools_does_not_change() {
    let specs: Vec<_> = TOOLS.iter().map(|tool| (tool.spec)()).collect();
    expect_file!["specs.json"].assert_eq(&format!("{}\n", serde_json::to_string_pretty(&specs).unwrap()));
}

#[test]
fn schemas_are_plain_closed_and_always_the_same() {
    let fixture = Fixture::new(TREE);
    let specs = reader(&fixture).specs();
    assert_eq!(serde_json::to_string(&specs).unwrap(), serde_json::to_string(&reader(&fixture).specs()).unwrap());
    expect![[r#"
        {
          "type": "object",
          "properties": {
            "path": {
              "type": "string",
              "description": "The file, relative to the workspace root."
            },
            "start_line": {
              "type": "integer",
              "description": "First line to show, from 1; the beginning if left out."
            },
            "end_line": {
              "type": "integer",
              "description": "Last line to show, inclusive; the end if left out."
            },
            "ranges": {
              "type": "string",
              "description": "Several stretches at once, in place of start_line and end_line: \"15-33, 205-275\"."
            },
            "at": {
              "type": "string",
              "description": "Read it as this commit has it: a hash, a tag, a branch, HEAD or HEAD~2. The file as it is now if left out."
            }
          },
          "required": [
            "path"
          ],
          "additionalProperties": false
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&specs[2].input_schema).unwrap());
}

#[test]
fn every_fault_of_an_input_is_named() {
    let fixture = Fixture::new(TREE);
    let (toolbox, _) = implementer(&fixture, &["src/main.rs"], &[]);
    check(
        &toolbox,
        "edit_file",
        json!({"path": null, "old_text": ["a"], "replace_all": "maybe"}),
        expect![[
            r#"error: The input of edit_file is not right: path must be a string, not null; old_text must be a string, not a list; new_text is missing; it must be a string; replace_all must be true or false, not "maybe"."#
        ]],
    );
    check(
        &toolbox,
        "read_file",
        json!({"path": "src/lib.rs", "start_line": "two", "end_line": 1.5}),
        expect![[
            r#"error: The input of read_file is not right: start_line must be a whole number, not "two"; end_line must be a whole number, not 1.5."#
        ]],
    );
    check(&toolbox, "read_file", json!([1]), expect!["error: The input of read_file must be an object, not a list."]);
    let twice_encoded = json!(r#"{"path": "docs/guide.md", "start_line": null, "end_line": ""}"#);
    assert!(ok(&toolbox, "read_file", twice_encoded).contains("# Guide"));
}

#[test]
fn a_field_that_is_not_known_is_a_fault_with_those_that_are() {
    let fixture = Fixture::new(TREE);
    let (toolbox, _) = implementer(&fixture, &["src/main.rs"], &[]);
    check(
        &toolbox,
        "search",
        json!({"pattern": "x", "-C": 3, "output_mode": "files", "head_limit": 5}),
        expect![
            "error: The input of search is not right: there is no field -C (did you mean context?); there is no field output_mode (did you mean mode?); there is no field head_limit. The fields of search are: pattern, path, glob, context, mode, multiline."
        ],
    );
    for (tool, field, meant) in [
        ("search", "globs", Some("glob")),
        ("search", "multi_line", Some("multiline")),
        ("search", "Mode", Some("mode")),
        ("read_file", "startLine", Some("start_line")),
        ("read_file", "offset", Some("start_line")),
        ("read_file", "limit", Some("end_line")),
        ("edit_file", "old_string", Some("old_text")),
        ("write_file", "contents", Some("content")),
        ("list_files", "directory", Some("path")),
        ("delete_file", "recursive", None),
        ("read_file", "path ", None),
    ] {
        let mut input = if meant == Some("path") { json!({}) } else { json!({"path": "src/main.rs"}) };
        input[field] = json!("x");
        let told = error(&toolbox, tool, input);
        let words = match meant {
            Some(meant) => format!("there is no field {field} (did you mean {meant}?)"),
            None => format!("there is no field {field}"),
        };
        assert!(told.contains(&words) && told.contains(&format!(" The fields of {tool} are: ")), "{told}");
        assert!(meant.is_some() || !told.contains("did you mean"), "{told}");
    }
    // Nothing was meant by these.
    let empty = json!({"path": "docs/guide.md", "offset": null, "limit": "", "view_range": [], "options": {}});
    assert!(ok(&toolbox, "read_file", empty).contains("# Guide"));
    let many: serde_json::Map<String, Value> =
        (0..1_000).map(|n| (format!("{n}{}", "é".repeat(500)), json!(1))).collect();
    assert!(error(&toolbox, "list_files", Value::Object(many)).len() < 3_000);
}

#[test]
fn no_input_panics_or_writes() {
    let fixture = Fixture::new(TREE);
    let (writer, staging) = implementer(&fixture, &["src/main.rs"], &[]);
    let writer = writer.with_checks(Some(Arc::new(Checks)));
    let reviewer = Toolbox::reviewer(fixture.workspace(), memory(), vec![(path("a"), "+é\n".to_owned())]);
    let odd = [
        json!(null),
        json!(""),
        json!("\0"),
        json!("."),
        json!("////"),
        json!("~"),
        json!("a\nb"),
        json!("\u{202e}gnp.exe"),
        json!("é".repeat(5_000)),
        json!("[[:alpha:]"),
        json!(format!("{}a{}", "{".repeat(500), "}".repeat(500))),
        json!(format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000))),
        json!("(?i)(\\p{L}{1,500}){1,500}"),
        json!("?".repeat(5_000)),
        json!(i64::MAX),
        json!(i64::MIN),
        json!("9223372036854775808"),
        json!("a/".repeat(5_000)),
        json!("(?P<"),
        json!("{a,{b,{c"),
        json!("**/**/**/**"),
        json!(-1),
        json!(0),
        json!(1e308),
        json!(18_446_744_073_709_551_615_u64),
        json!(true),
        json!([]),
        json!({}),
    ];
    let specs = writer.specs().into_iter().chain(reviewer.specs());
    let schemas: Vec<Value> = specs.map(|spec| spec.input_schema).collect();
    let properties = schemas.iter().filter_map(|schema| schema["properties"].as_object());
    let fields: BTreeSet<&str> = properties.flat_map(|fields| fields.keys()).map(String::as_str).collect();
    assert!(fields.contains("path") && fields.contains("replace_all"), "{fields:?}");
    for toolbox in [&writer, &reviewer] {
        for name in TOOLS.iter().map(|tool| tool.name).chain(["x\0"]) {
            for value in &odd {
                toolbox.call(name, value);
                for field in &fields {
                    let mut input = json!({"path": "src/lib.rs", "pattern": "x", "old_text": "a", "new_text": "b"});
                    input["content"] = json!("c");
                    (input["from"], input["to"]) = (json!("src/main.rs"), json!("src/lib.rs"));
                    input[*field] = value.clone();
                    let output = toolbox.call(name, &input);
                    assert!(output.text.len() < 70_000);
                    assert!(!output.text.contains(FAILED), "{name} {input}");
                    assert!(!output.activity.is_empty() && output.activity.chars().count() <= 121);
                    assert!(!output.activity.chars().any(|c| c.is_control() || c == '\u{202e}'), "{}", output.activity);
                }
            }
        }
    }
    assert!(staging.lock().unwrap().changes().is_empty());
}

#[test]
fn a_panic_in_a_tool_is_an_answered_error() {
    let fixture = Fixture::new(TREE);
    let broken = Row { call: |_, _| panic!("a library"), ..TOOLS[0] };
    let output = reader(&fixture).carry_out(&broken, &json!({}));
    assert_eq!((output.is_error, output.text.as_str()), (true, FAILED));
    assert_eq!(output.activity, "calling list_files");
}

#[test]
fn every_tool_that_takes_long_hears_stop() {
    let fixture = Fixture::new(TREE);
    let (writer, staging) = implementer(&fixture, &["src/main.rs", "src/mixed.rs"], &[]);
    fixture.write("src/mixed.rs", b"a\r\nb\n");
    for file in ["src/main.rs", "src/mixed.rs"] {
        ok(&writer, "read_file", json!({"path": file}));
    }
    let stopped = Interrupt::never();
    stopped.stop();
    let late = Interrupt::after(Duration::ZERO);
    for (interrupt, words) in [(stopped, "stopped."), (late, "took longer than 0 s")] {
        let toolbox = writer.clone().until(interrupt);
        for (tool, input) in [
            ("list_files", json!({})),
            ("search", json!({"pattern": "fn"})),
            ("edit_file", json!({"path": "src/main.rs", "old_text": "total", "new_text": "sum"})),
            ("write_file", json!({"path": "src/mixed.rs", "content": "c\nd\n"})),
        ] {
            let told = error(&toolbox, tool, input);
            assert!(told.contains(words), "{tool}: {told}");
        }
    }
    assert!(staging.lock().unwrap().changes().is_empty());
}

#[tokio::test]
async fn a_cancelled_call_is_left_at_once() {
    let fixture = Fixture::new(TREE);
    let cancel = CancellationToken::new();
    let called = reader(&fixture).call_aside("list_files", &json!({}), &cancel).await.unwrap();
    assert!(called.text.contains("src/main.rs"), "{}", called.text);
    cancel.cancel();
    assert_eq!(reader(&fixture).call_aside("list_files", &json!({}), &cancel).await, None);
}
