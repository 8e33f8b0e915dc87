use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::workspace::Writable;
use crate::workspace::fixture::{Fixture, memory, path};

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
    let writable = Writable { write: set(write), delete: set(delete), approved_protected: false };
    let staging = Arc::new(Mutex::new(Staging::new(fixture.workspace(), "T1", writable, memory())));
    (Toolbox::implementer(fixture.workspace(), memory(), Arc::clone(&staging)), staging)
}

fn check(toolbox: &Toolbox, tool: &str, input: Value, expected: Expect) {
    let output = toolbox.call(tool, &input);
    expected.assert_eq(&format!("{}{}", if output.is_error { "error: " } else { "" }, output.text));
}

fn ok(toolbox: &Toolbox, tool: &str, input: Value) -> String {
    let output = toolbox.call(tool, &input);
    assert!(!output.is_error, "{tool} {input}: {}", output.text);
    output.text
}

fn error(toolbox: &Toolbox, tool: &str, input: Value) -> String {
    let output = toolbox.call(tool, &input);
    assert!(output.is_error, "{tool} {input}: {}", output.text);
    output.text
}

#[test]
fn each_agent_has_its_tools_and_no_others() {
    let fixture = Fixture::new(TREE);
    let names = |toolbox: &Toolbox| toolbox.specs().into_iter().map(|spec| spec.name).collect::<Vec<_>>().join(" ");
    let (implementer, _) = implementer(&fixture, &[], &[]);
    assert_eq!(names(&reader(&fixture)), "list_files search read_file");
    assert_eq!(names(&implementer), "list_files search read_file edit_file write_file delete_file");
    let reviewer = Toolbox::reviewer(fixture.workspace(), memory(), Vec::new());
    assert_eq!(names(&reviewer), "list_files search read_file read_diff");
    let refused = error(&reader(&fixture), "write_file", json!({"path": "a", "content": "x"}));
    assert_eq!(refused, "There is no tool \"write_file\". Call one of: list_files, search, read_file.");
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
fn files_are_listed() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    check(
        &reader,
        "list_files",
        json!({}),
        expect![[r#"
        .gitignore
        docs/guide.md
        src/lib.rs
        src/main.rs
    "#]],
    );
    check(
        &reader,
        "list_files",
        json!({"path": "./src/", "glob": "m*.rs"}),
        expect![[r#"
        src/main.rs
    "#]],
    );
    check(
        &reader,
        "list_files",
        json!({"glob": "*.py"}),
        expect!["No files in the workspace that match *.py (ignored files and secrets are not listed)."],
    );
    check(&reader, "list_files", json!({"path": "sorce"}), expect!["error: there is no folder sorce."]);
    assert!(error(&reader, "list_files", json!({"glob": "[a"})).contains("is not valid"));
    assert!(error(&reader, "list_files", json!({"path": "../"})).contains("leaves the workspace"));
}

#[test]
fn a_long_listing_says_that_there_is_more() {
    let fixture = Fixture::new("");
    for n in 0..1_001 {
        fixture.write(&format!("f{n:04}"), b"");
    }
    let text = ok(&reader(&fixture), "list_files", json!({}));
    assert_eq!(text.lines().count(), 1_001);
    assert!(text.ends_with("There are more files; narrow with path or glob to see them.\n"));
}

#[test]
fn searches_line_by_line() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    check(
        &reader,
        "search",
        json!({"pattern": r"fn \w+\("}),
        expect![[r#"
        src/lib.rs:1: pub fn one() -> u32 {
        src/main.rs:1: fn main() {
    "#]],
    );
    check(
        &reader,
        "search",
        json!({"pattern": "^# ", "path": "docs/guide.md"}),
        expect![[r#"
        docs/guide.md:1: # Guide
    "#]],
    );
    check(
        &reader,
        "search",
        json!({"pattern": "a\nb", "glob": "*.rs"}),
        expect![[r#"
        No match for a
        b in 2 files. The search is line by line; a pattern cannot span lines.
    "#]],
    );
    check(
        &reader,
        "search",
        json!({"pattern": "main(", "path": "src"}),
        expect![[r#"
        error: The pattern is no valid regular expression.
        regex parse error:
            main(
                ^
        error: unclosed group
        Put a \ before a character that is meant as itself."#]],
    );
    for (pattern, place) in [("", "src"), ("x", "nowhere"), ("KEY", ".env"), ("main", "target/out.rs"), ("x", ".git")] {
        error(&reader, "search", json!({"pattern": pattern, "path": place}));
    }
    assert!(ok(&reader, "search", json!({"pattern": "KEY|out"})).starts_with("No match"));
}

#[test]
fn search_results_are_bounded() {
    let fixture = Fixture::new("");
    fixture.write("many.txt", "needle\n".repeat(500).as_bytes());
    let text = ok(&reader(&fixture), "search", json!({"pattern": "needle"}));
    assert_eq!(text.lines().count(), 201);
    assert!(text.ends_with("There are more than these 200 matches; narrow the pattern, path or glob.\n"));
    fixture.write("many.txt", format!("{}needle{}", "é".repeat(50_000), "x".repeat(50_000)).as_bytes());
    let text = ok(&reader(&fixture), "search", json!({"pattern": "needle"}));
    assert!(text.contains("needle") && text.len() < 1_000, "{text}");
    fixture.write("many.txt", b"x");
    error(&reader(&fixture), "search", json!({"pattern": "(((a{100}){100}){100})"}));
}

#[test]
fn reads_numbered_lines() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    check(
        &reader,
        "read_file",
        json!({"path": "src/lib.rs"}),
        expect![[r#"
        src/lib.rs, 3 lines:
            1	pub fn one() -> u32 {
            2	    1
            3	}
    "#]],
    );
    let output = reader.call("read_file", &json!({"path": "src/lib.rs", "start_line": "2", "end_line": 2.0}));
    assert_eq!(output.text, "src/lib.rs, lines 2-2 of 3:\n    2\t    1\n");
    assert_eq!(output.activity, "reading src/lib.rs lines 2-2");
    let absolute = fixture.workspace().root().join("src/lib.rs");
    assert!(ok(&reader, "read_file", json!({"path": absolute.to_str().unwrap()})).contains("pub fn one"));
}

#[test]
fn absurd_ranges_are_answered() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    let read = |start: Value, end: Value| {
        reader.call("read_file", &json!({"path": "src/lib.rs", "start_line": start, "end_line": end})).text
    };
    assert!(read(json!(0), Value::Null).starts_with("src/lib.rs, 3 lines"));
    assert!(read(json!(-5), json!(1e300)).starts_with("src/lib.rs, 3 lines"));
    assert_eq!(read(json!(4), Value::Null), "src/lib.rs has 3 lines; start_line 4 is after its end.");
    assert_eq!(
        read(json!(u64::MAX), json!(2)),
        "src/lib.rs has 3 lines; start_line 1000000000000000 is after its end."
    );
    assert_eq!(read(json!(3), json!(1)), "end_line 1 is before start_line 3; src/lib.rs has 3 lines.");
    assert_eq!(read(json!(1), json!(-1)), "end_line 0 is before start_line 1; src/lib.rs has 3 lines.");
}

#[test]
fn a_long_file_is_read_in_parts() {
    let fixture = Fixture::new("");
    let long: String = (1..=3_000).map(|n| format!("{n}\n")).collect();
    fixture.write("long.txt", long.as_bytes());
    fixture.write("wide.txt", "x".repeat(1_000_000).as_bytes());
    let reader = reader(&fixture);
    let text = ok(&reader, "read_file", json!({"path": "long.txt"}));
    assert!(text.starts_with("long.txt, lines 1-2000 of 3000:\n"));
    assert!(text.ends_with("The rest was left out; read on with start_line 2001.\n"));
    assert!(ok(&reader, "read_file", json!({"path": "long.txt", "start_line": 2001})).ends_with(" 3000\t3000\n"));
    let text = ok(&reader, "read_file", json!({"path": "wide.txt"}));
    assert!(text.len() < 3_000 && text.contains("(line cut; it has 1000000 characters)"));
}

#[test]
fn what_is_not_read_says_why() {
    let fixture = Fixture::new(TREE);
    fixture.write("a.bin", b"\0\x01");
    fixture.write("empty.txt", b"");
    fixture.write(".git/config", b"x");
    fixture.write(".agent_memory/plan.json", b"{}");
    let reader = reader(&fixture);
    for (file, reason) in [
        ("src/mian.rs", "src/mian.rs does not exist. Did you mean src/main.rs?"),
        ("lib.rs", "lib.rs does not exist. Did you mean src/lib.rs?"),
        ("zzz", "zzz does not exist. Find files with list_files or search."),
        ("src", "src is a folder; list it with list_files."),
        ("a.bin", "a.bin is a binary file; only text is shown."),
        (".env", ".env may hold secrets; it is neither read nor changed."),
        ("target/out.rs", "target/out.rs is ignored by git's rules; ignored files are not read."),
        (".git/config", ".git/config is never touched: it belongs to git or to Baton."),
        (".agent_memory/plan.json", ".agent_memory/plan.json is never touched: it belongs to git or to Baton."),
        ("../x", "\"../x\" leaves the workspace: \"..\" is not allowed."),
    ] {
        assert_eq!(error(&reader, "read_file", json!({"path": file})), reason, "{file}");
    }
    assert!(error(&reader, "read_file", json!({"path": "/etc/passwd"})).contains("is not relative"));
    assert_eq!(ok(&reader, "read_file", json!({"path": "empty.txt"})), "empty.txt is empty.\n");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_they_should_not() {
    let fixture = Fixture::new(TREE);
    std::fs::write(fixture.outside().join("secret.txt"), "token").unwrap();
    fixture.write(".git/config", b"token");
    fixture.link("../secret.txt", "out.txt");
    fixture.link("..", "up");
    fixture.link(".git", "innocent");
    fixture.link(".env", "environment");
    fixture.link("target/out.rs", "built.rs");
    fixture.link("src/lib.rs", "alias.rs");
    let (toolbox, staging) = implementer(&fixture, &["out.txt", "up/new.txt", "innocent/config", "alias.rs"], &[]);
    for file in ["out.txt", "up/secret.txt", "innocent/config", "environment", "built.rs"] {
        for reading in [&toolbox, &reader(&fixture)] {
            let text = error(reading, "read_file", json!({"path": file}));
            assert!(!text.contains("token") && !text.contains("KEY="), "{file}: {text}");
            error(reading, "search", json!({"pattern": "token|KEY|main", "path": file}));
        }
    }
    assert!(error(&toolbox, "list_files", json!({"path": "up"})).contains("leads out of the workspace"));
    assert!(ok(&toolbox, "search", json!({"pattern": "token|KEY"})).starts_with("No match"));
    assert!(ok(&reader(&fixture), "read_file", json!({"path": "alias.rs"})).contains("pub fn one"));
    for file in ["out.txt", "up/new.txt", "innocent/config", "alias.rs"] {
        let output = toolbox.call("write_file", &json!({"path": file, "content": "x"}));
        assert!(output.refused.unwrap().contains("symbolic link"), "{file}");
    }
    assert!(staging.lock().unwrap().changes().is_empty());
    assert_eq!(std::fs::read(fixture.outside().join("secret.txt")).unwrap(), b"token");
}

#[test]
fn an_edit_answers_with_the_changed_lines() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/main.rs"], &[]);
    let input = json!({"path": "src/main.rs", "old_text": "total = 1", "new_text": "total = 2"});
    check(
        &toolbox,
        "edit_file",
        input,
        expect![[r#"
        Edited src/main.rs. It now reads:
            1	fn main() {
            2	    let total = 2;
            3	    println!("{total}");
            4	}
    "#]],
    );
    let input = json!({"path": "src/main.rs", "old_text": "total", "new_text": "sum", "replace_all": "true"});
    assert!(ok(&toolbox, "edit_file", input).starts_with("Edited src/main.rs in 2 places."));
    assert!(ok(&toolbox, "read_file", json!({"path": "src/main.rs"})).contains("let sum = 2;"));
    assert!(ok(&toolbox, "search", json!({"pattern": "sum = "})).contains("src/main.rs:2:"));
    assert!(fixture.text("src/main.rs").contains("total = 1"), "nothing is on disk before it is published");
    assert_eq!(staging.lock().unwrap().changes().len(), 1);
}

#[test]
fn a_missed_edit_says_what_to_do() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/main.rs", "new.rs"], &[]);
    let edit = |old: &str, new: &str| json!({"path": "src/main.rs", "old_text": old, "new_text": new});
    check(
        &toolbox,
        "edit_file",
        edit("    2\tlet totals = 10;", "x"),
        expect![[r#"
        error: old_text does not stand in src/main.rs. Leave out the line numbers that read_file shows. The nearest lines are:
            1	fn main() {
            2	    let total = 1;
            3	    println!("{total}");
            4	}
    "#]],
    );
    check(
        &toolbox,
        "edit_file",
        edit("total", "x"),
        expect![
            "error: old_text stands in src/main.rs at 2 places, lines 2, 3. Add lines around it to make it unique, or set replace_all."
        ],
    );
    check(
        &toolbox,
        "edit_file",
        edit("", "x"),
        expect!["error: old_text is empty; use write_file to create or replace a whole file."],
    );
    check(
        &toolbox,
        "edit_file",
        edit("total", "total"),
        expect!["error: old_text and new_text are the same; nothing was changed."],
    );
    check(
        &toolbox,
        "edit_file",
        edit("§§§§", "x"),
        expect!["error: old_text does not stand in src/main.rs, nor anything like it. Read the file again."],
    );
    let missing = json!({"path": "new.rs", "old_text": "a", "new_text": "b"});
    assert!(error(&toolbox, "edit_file", missing).starts_with("new.rs does not exist."));
    assert!(staging.lock().unwrap().changes().is_empty());
}

#[test]
fn line_endings_mark_and_encoding_survive_an_edit() {
    let fixture = Fixture::new("");
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    fixture.write("crlf.txt", b"\xef\xbb\xbfone\r\ntwo\r\n");
    fixture.write("utf16.txt", &utf16("\u{feff}one\r\ntwö\r\n"));
    fixture.write("latin.txt", b"one\ntw\xf6\n");
    let (toolbox, staging) = implementer(&fixture, &["crlf.txt", "utf16.txt", "latin.txt"], &[]);
    for file in ["crlf.txt", "utf16.txt", "latin.txt"] {
        ok(&toolbox, "edit_file", json!({"path": file, "old_text": "one\n", "new_text": "1\r\n½\n"}));
    }
    let changes = staging.lock().unwrap().changes();
    let after = |name: &str| changes.iter().find(|change| change.path == path(name)).unwrap().after.clone().unwrap();
    assert_eq!(after("crlf.txt"), "\u{feff}1\r\n½\r\ntwo\r\n".as_bytes());
    assert_eq!(after("utf16.txt"), utf16("\u{feff}1\r\n½\r\ntwö\r\n"));
    assert_eq!(after("latin.txt"), b"1\n\xbd\ntw\xf6\n");
    let input = json!({"path": "latin.txt", "old_text": "1", "new_text": "→"});
    assert!(error(&toolbox, "edit_file", input).contains("Windows-1252, which has no '→'"));
}

#[test]
fn files_are_written_and_deleted_in_the_overlay() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["new/a.rs", "src/lib.rs"], &["docs/guide.md"]);
    assert_eq!(
        ok(&toolbox, "write_file", json!({"path": "new/a.rs", "content": "a\r\nb"})),
        "Wrote new/a.rs: 2 lines.\n"
    );
    let unread = json!({"path": "src/lib.rs", "content": "x"});
    assert_eq!(error(&toolbox, "write_file", unread.clone()), "src/lib.rs exists and was not read yet; read it first.");
    ok(&toolbox, "search", json!({"pattern": "one", "path": "src/lib.rs"}));
    error(&toolbox, "write_file", unread.clone());
    ok(&toolbox, "read_file", json!({"path": "src/lib.rs"}));
    ok(&toolbox, "write_file", unread);
    ok(&toolbox, "delete_file", json!({"path": "docs/guide.md"}));
    assert_eq!(ok(&toolbox, "list_files", json!({})), ".gitignore\nnew/a.rs\nsrc/lib.rs\nsrc/main.rs\n");
    assert_eq!(ok(&toolbox, "list_files", json!({"path": "new"})), "new/a.rs\n");
    assert!(error(&toolbox, "read_file", json!({"path": "docs/guide.md"})).contains("does not exist"));
    assert!(ok(&toolbox, "search", json!({"pattern": "Guide"})).starts_with("No match"));
    assert!(ok(&toolbox, "search", json!({"pattern": "^b$", "path": "new/a.rs"})).starts_with("new/a.rs:2: b"));
    ok(&toolbox, "delete_file", json!({"path": "new/a.rs"}));
    assert_eq!(staging.lock().unwrap().changes().len(), 2);
}

#[test]
fn a_write_elsewhere_is_refused_and_told() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/lib.rs", "AGENTS.md"], &[]);
    let calls = [
        ("write_file", json!({"path": "src/other.rs", "content": "x"}), "not among the files of this task"),
        ("edit_file", json!({"path": "src/main.rs", "old_text": "1", "new_text": "2"}), "not among the files"),
        ("delete_file", json!({"path": "src/lib.rs"}), "does not list src/lib.rs to be deleted"),
        ("write_file", json!({"path": ".git/hooks/pre-commit", "content": "x"}), "never touched"),
        ("write_file", json!({"path": "AGENTS.md", "content": "x"}), "is protected"),
    ];
    for (tool, input, reason) in &calls {
        let output = toolbox.call(tool, input);
        assert!(output.is_error && output.refused.as_deref().is_some_and(|said| said.contains(reason)), "{output:?}");
    }
    assert_eq!(staging.lock().unwrap().refusals().len(), calls.len());
    let unread = toolbox.call("write_file", &json!({"path": "src/lib.rs", "content": "x"}));
    assert!(unread.is_error && unread.refused.is_none(), "a slip is no blocker");
    let secret = toolbox.call("read_file", &json!({"path": ".env"}));
    assert!(secret.is_error && secret.refused.is_none(), "nor is a read");
}

#[test]
fn the_reviewer_reads_the_diff() {
    let fixture = Fixture::new(TREE);
    let diff = |name: &str, lines: usize| (path(name), format!("--- a/{name}\r\n{}", "+x\n".repeat(lines)));
    let diffs = vec![diff("src/a.rs", 1), diff("src/b.rs", 30_000), diff("c.rs", 1)];
    let reviewer = Toolbox::reviewer(fixture.workspace(), memory(), diffs);
    assert_eq!(ok(&reviewer, "read_diff", json!({"path": "src/a.rs"})), "--- a/src/a.rs\n+x\n");
    let all = ok(&reviewer, "read_diff", json!({}));
    assert_eq!(
        all,
        "--- a/src/a.rs\n+x\n--- a/c.rs\n+x\nLeft out, read them one by one with path:\nsrc/b.rs (30001 lines)\n"
    );
    let long = ok(&reviewer, "read_diff", json!({"path": "src/b.rs"}));
    assert!(long.len() < 65_000 && long.ends_with("more lines; read the file itself with read_file.\n"));
    assert_eq!(
        error(&reviewer, "read_diff", json!({"path": "src/lib.rs"})),
        "src/lib.rs was not changed. Changed are: src/a.rs, src/b.rs, c.rs."
    );
    let nothing = Toolbox::reviewer(fixture.workspace(), memory(), Vec::new());
    assert_eq!(ok(&nothing, "read_diff", json!({})), "Nothing was changed.\n");
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
    let twice_encoded = json!(r#"{"path": "docs/guide.md", "start_line": null, "mood": "hopeful"}"#);
    assert!(ok(&toolbox, "read_file", twice_encoded).contains("# Guide"));
}

#[test]
fn no_input_panics_or_writes() {
    let fixture = Fixture::new(TREE);
    let (writer, staging) = implementer(&fixture, &["src/main.rs"], &[]);
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
    let fields =
        ["path", "pattern", "glob", "start_line", "end_line", "old_text", "new_text", "content", "replace_all"];
    for toolbox in [&writer, &reviewer] {
        for name in ["list_files", "search", "read_file", "edit_file", "write_file", "delete_file", "read_diff", "x\0"]
        {
            for value in &odd {
                toolbox.call(name, value);
                for field in fields {
                    let mut input = json!({"path": "src/lib.rs", "pattern": "x", "old_text": "a", "new_text": "b"});
                    input["content"] = json!("c");
                    input[field] = value.clone();
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
fn a_glob_that_is_too_much_is_told_so() {
    let fixture = Fixture::new(TREE);
    let nested = format!("{}a{}", "{".repeat(500), "}".repeat(500));
    let told = error(&reader(&fixture), "list_files", json!({"glob": nested}));
    assert!(told.contains("its braces are nested more than 8 deep") && told.len() < 400, "{told}");
    let told = error(&reader(&fixture), "search", json!({"pattern": "x", "glob": "?".repeat(5_000)}));
    assert!(told.contains("longer than 1000 bytes"), "{told}");
    let told = error(&reader(&fixture), "search", json!({"pattern": "x".repeat(5_000)}));
    assert!(told.contains("longer than 4096 bytes"), "{told}");
}

#[test]
fn a_panic_in_a_tool_is_an_answered_error() {
    let fixture = Fixture::new(TREE);
    let output = reader(&fixture).run::<list_files::ListFiles>(Tool::ListFiles, &json!({}), |_, _| panic!("a library"));
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

#[test]
fn very_long_lines_are_searched_in_parts() {
    let fixture = Fixture::new("");
    let reader = reader(&fixture);
    let line = format!("start {}needle{} end", "x".repeat(400_000), "é".repeat(300_000));
    fixture.write("long.txt", line.as_bytes());
    for (pattern, is_found) in [
        ("needle", true),
        ("^start", true),
        ("^needle", false),
        ("end$", true),
        ("xneedleé", true),
        ("x$", false),
        ("\\bneedle", false),
        ("(\\w{1,5}){1,8}need", true),
        (".*", true),
    ] {
        let text = ok(&reader, "search", json!({"pattern": pattern}));
        assert_eq!(text.starts_with("long.txt:1: "), is_found, "{pattern}: {text}");
        assert!(text.len() < 3_000, "{pattern}");
    }
}

#[test]
fn a_new_file_keeps_the_line_endings_it_is_written_with() {
    let fixture = Fixture::new("//- /.gitattributes\n*.sh eol=lf\n");
    let (writer, staging) = implementer(&fixture, &["a.bat", "b.sh"], &[]);
    ok(&writer, "write_file", json!({"path": "a.bat", "content": "one\r\ntwo\r\n"}));
    ok(&writer, "edit_file", json!({"path": "a.bat", "old_text": "two\n", "new_text": "2\nthree\n"}));
    ok(&writer, "write_file", json!({"path": "b.sh", "content": "one\r\n"}));
    let changes = staging.lock().unwrap().changes();
    let bytes: Vec<&[u8]> = changes.iter().filter_map(|change| change.after.as_deref()).collect();
    assert_eq!(bytes, [b"one\r\n2\r\nthree\r\n".as_slice(), b"one\n"]);
}

#[test]
fn an_edit_beside_a_stray_byte_leaves_it_alone() {
    let fixture = Fixture::new("");
    fixture.write("a.txt", b"caf\xc3\xa9 \x99\nna\xc3\xafve\n");
    let (writer, staging) = implementer(&fixture, &["a.txt"], &[]);
    assert!(ok(&writer, "read_file", json!({"path": "a.txt"})).contains("café \u{fffd}\n"));
    ok(&writer, "edit_file", json!({"path": "a.txt", "old_text": "café", "new_text": "thé →"}));
    ok(&writer, "edit_file", json!({"path": "a.txt", "old_text": "naïve", "new_text": "plain"}));
    let changes = staging.lock().unwrap().changes();
    assert_eq!(changes[0].after.as_deref().unwrap(), b"th\xc3\xa9 \xe2\x86\x92 \x99\nplain\n");
}
