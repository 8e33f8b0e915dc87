//! `search`: what it finds, how it shows it, and what it leaves out.

use super::*;
use crate::workspace::OpenBuffers;
use crate::workspace::fixture::Opened;

#[test]
fn searches_line_by_line() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    check(
        &reader,
        "search",
        json!({"pattern": r"fn \w+\("}),
        expect![[r#"
            src/lib.rs
            1:pub fn one() -> u32 {

            src/main.rs
            1:fn main() {
        "#]],
    );
    check(
        &reader,
        "search",
        json!({"pattern": "^# ", "path": "docs/guide.md"}),
        expect![[r#"
            docs/guide.md
            1:# Guide
        "#]],
    );
    check(
        &reader,
        "search",
        json!({"pattern": "a\nb", "glob": "*.rs"}),
        expect![
            "error: The pattern holds a line break, and a search goes line by line; set multiline to true for a match that spans lines."
        ],
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
    assert_eq!(
        ok(&reader, "search", json!({"pattern": "x", "glob": ["*.py", "*.go"]})),
        "No match for x in 0 files. No file matches *.py, *.go (ignored files and secrets are not searched).\n"
    );
    let crlf = "\u{feff}one\r\ntwo\r\n\r\n";
    fixture.write("crlf.txt", crlf.as_bytes());
    fixture.write("wide.txt", b"\xff\xfeo\0n\0e\0\n\0");
    fixture.write("binary", b"one\0one");
    let found = ok(&reader, "search", json!({"pattern": "^one$|^two$|^$"}));
    assert_eq!(found, "crlf.txt\n1:one\n2:two\n3:\n\nwide.txt\n1:one\n");
}

#[test]
fn search_results_are_bounded() {
    let fixture = Fixture::new("");
    fixture.write("many.txt", "needle\n".repeat(500).as_bytes());
    let text = ok(&reader(&fixture), "search", json!({"pattern": "needle"}));
    assert_eq!(text.lines().count(), 1 + 200 + 3);
    assert!(text.ends_with("All matching lines by folder:\n   500 in all\n"), "{text}");
    fixture.write("many.txt", format!("{}needle{}", "é".repeat(50_000), "x".repeat(50_000)).as_bytes());
    let text = ok(&reader(&fixture), "search", json!({"pattern": "needle"}));
    assert!(text.contains("needle") && text.len() < 1_000, "{text}");
    fixture.write("many.txt", b"x");
    error(&reader(&fixture), "search", json!({"pattern": "(((a{100}){100}){100})"}));
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
        assert_eq!(text.starts_with("long.txt\n1:"), is_found, "{pattern}: {text}");
        assert!(text.len() < 3_000, "{pattern}");
    }
}

const CODE: &str = "\
//- /src/shapes.rs
use std::fmt;

pub struct Circle {
    radius: f64,
}

impl Circle {
    pub fn area(&self) -> f64 {
        let r = self.radius;
        r * r * 3.0
    }

    pub fn grow(&mut self) {
        self.radius += 1.0;
    }
}

static RADIUS: f64 = 1.0; // radius
//- /src/shapes.py
class Circle:
    radius = 0.0

    def area(self):
        return self.radius ** 2
//- /tests/shapes.rs
fn radius_grows() {}
//- /docs/shapes.md
# Shapes
## Circle
A circle has a radius.
//- /vendor/a/shapes.c
int radius(void)
{
	return 0; /* radius */
}
";

#[test]
fn matches_stand_under_their_definitions_sources_first() {
    let fixture = Fixture::new(CODE);
    check(
        &reader(&fixture),
        "search",
        json!({"pattern": "radius"}),
        expect![[r#"
        src/shapes.py
        1=class Circle:
        2:    radius = 0.0
        4=    def area(self):
        5:        return self.radius ** 2

        src/shapes.rs
        3=pub struct Circle {
        4:    radius: f64,
        8=    pub fn area(&self) -> f64 {
        9:        let r = self.radius;
        13=    pub fn grow(&mut self) {
        14:        self.radius += 1.0;
        --
        18:static RADIUS: f64 = 1.0; // radius

        tests/shapes.rs
        1:fn radius_grows() {}

        docs/shapes.md
        2=## Circle
        3:A circle has a radius.

        vendor/a/shapes.c
        1:int radius(void)
        3:	return 0; /* radius */
    "#]],
    );
}

#[test]
fn lines_around_matches_are_shown_once() {
    let fixture = Fixture::new(CODE);
    let reader = reader(&fixture);
    let search = |context: Value| json!({"pattern": "radius|3\\.0", "path": "src/shapes.rs", "context": context});
    check(
        &reader,
        "search",
        search(json!(1)),
        expect![[r#"
        src/shapes.rs
        3-pub struct Circle {
        4:    radius: f64,
        5-}
        --
        8-    pub fn area(&self) -> f64 {
        9:        let r = self.radius;
        10:        r * r * 3.0
        11-    }
        --
        13-    pub fn grow(&mut self) {
        14:        self.radius += 1.0;
        15-    }
        --
        17-
        18:static RADIUS: f64 = 1.0; // radius
    "#]],
    );
    assert_eq!(ok(&reader, "search", search(json!(3))), ok(&reader, "search", search(json!("3"))));
    assert_eq!(ok(&reader, "search", search(json!(i64::MAX))), ok(&reader, "search", search(json!(10))));
    assert_eq!(ok(&reader, "search", search(json!(-1))), ok(&reader, "search", search(json!(""))));
}

#[test]
fn files_and_counts_are_told_alone() {
    let fixture = Fixture::new(CODE);
    let reader = reader(&fixture);
    let files = "src/shapes.py\nsrc/shapes.rs\ntests/shapes.rs\ndocs/shapes.md\nvendor/a/shapes.c\n";
    for mode in ["files", "files_with_matches", " Files "] {
        assert_eq!(ok(&reader, "search", json!({"pattern": "radius", "mode": mode})), files, "{mode}");
    }
    check(
        &reader,
        "search",
        json!({"pattern": "radius", "mode": "count", "glob": "!vendor !docs"}),
        expect![[r#"
        src/shapes.py: 2
        src/shapes.rs: 4
        tests/shapes.rs: 1
        7 matching lines in 3 files.
    "#]],
    );
    let told = error(&reader, "search", json!({"pattern": "radius", "mode": "paths"}));
    assert_eq!(told, "The mode must be lines, files or count, not \"paths\".");
    assert_eq!(
        ok(&reader, "search", json!({"pattern": "radius", "mode": ""})),
        ok(&reader, "search", json!({"pattern": "radius", "mode": "lines"}))
    );
}

#[test]
fn globs_choose_and_leave_out() {
    let fixture = Fixture::new(CODE);
    let reader = reader(&fixture);
    let files = |glob: Value| ok(&reader, "search", json!({"pattern": "radius", "mode": "files", "glob": glob}));
    let but_docs = "src/shapes.py\nsrc/shapes.rs\ntests/shapes.rs\nvendor/a/shapes.c\n";
    for glob in ["!docs/**", "!docs", "!docs/", "!*.md"] {
        assert_eq!(files(json!(glob)), but_docs, "{glob}");
    }
    for glob in [
        json!("*.{py,md}"),
        json!("*.py,*.md"),
        json!("*.py *.md"),
        json!(["*.py", "*.md"]),
        json!("[\"*.py\",\"*.md\"]"),
    ] {
        assert_eq!(files(glob.clone()), "src/shapes.py\ndocs/shapes.md\n", "{glob}");
    }
    assert_eq!(files(json!(["*.rs", "!tests/**"])), "src/shapes.rs\n");
    assert_eq!(files(json!("src")), "src/shapes.py\nsrc/shapes.rs\n");
}

#[test]
fn a_match_spans_lines_when_asked_to() {
    let fixture = Fixture::new(CODE);
    let reader = reader(&fixture);
    let search = |pattern: &str| json!({"pattern": pattern, "multiline": true, "path": "src"});
    check(
        &reader,
        "search",
        search(r"fn area[^}]*\n    \}"),
        expect![[r#"
        src/shapes.rs
        7=impl Circle {
        8:    pub fn area(&self) -> f64 {
        9:        let r = self.radius;
        10:        r * r * 3.0
        11:    }
    "#]],
    );
    assert_eq!(ok(&reader, "search", search(r"use std::fmt;\n\npub struct")).lines().nth(1), Some("1:use std::fmt;"));
    assert_eq!(ok(&reader, "search", search("^$")).matches("\n3:\n").count(), 1, "an empty line is a line");
    fixture.write("src/long.txt", "a\n".repeat(100).as_bytes());
    let text = ok(&reader, "search", json!({"pattern": "(?s)a.*a", "multiline": true, "path": "src/long.txt"}));
    assert!(text.ends_with("\n40:a\n… 60 more lines of this match\n"), "{text}");
    let line = error(&reader, "search", json!({"pattern": r"fmt;\n", "path": "src"}));
    assert!(line.contains("set multiline to true"), "{line}");
}

#[test]
fn a_cut_answer_says_where_the_rest_is() {
    let fixture = Fixture::new("");
    for (file, lines) in [("docs/a.md", 300), ("src/b/c.rs", 120), ("src/b/d/e.rs", 70), ("src/f.rs", 5), ("z.rs", 1)] {
        fixture.write(file, "needle\n".repeat(lines).as_bytes());
    }
    let text = ok(&reader(&fixture), "search", json!({"pattern": "needle"}));
    let (shown, rest) = text.split_once("\nThese are ").unwrap();
    let files: Vec<&str> = shown.lines().filter(|line| line.contains('/') || *line == "z.rs").collect();
    assert_eq!(files, ["src/b/c.rs", "src/b/d/e.rs", "src/f.rs", "z.rs", "docs/a.md"]);
    let told = "200 of 496 matching lines, in 5 of 5 files; narrow the pattern, path or glob, or ask with mode files or \
                count. All matching lines by folder:\n     1 in the root itself\n   300 docs/\n     5 src/ itself\n   \
                120 src/b/ itself\n    70 src/b/d/\n";
    assert_eq!(rest, told);
    for n in 0..501 {
        fixture.write(&format!("many/{n}"), b"haystack\n");
    }
    let text = ok(&reader(&fixture), "search", json!({"pattern": "haystack", "mode": "files"}));
    assert!(text.ends_with(
        "These are 500 of 501 files; narrow the pattern, path or glob. Files with matches by folder:\n   501 many/\n"
    ));
}

#[test]
fn what_is_unsaved_or_staged_is_what_is_found() {
    let fixture = Fixture::new(TREE);
    let editor = Arc::new(Opened::default());
    let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
    editor.set("src/lib.rs", "pub fn unsaved() {}\n", true);
    let all = |pattern: &str| json!({"pattern": pattern, "mode": "files"});
    let reader = Toolbox::reader(workspace.clone(), memory());
    assert_eq!(ok(&reader, "search", all("unsaved")), "src/lib.rs\n");
    assert!(ok(&reader, "search", all("fn one")).starts_with("No match"));
    let write: BTreeSet<RepoPath> = [path("src/main.rs"), path("new/a.rs")].into();
    let writable = Writable { delete: write.clone(), write, ..Writable::default() };
    let staging = Arc::new(Mutex::new(Staging::new(workspace, "T1", writable, memory())));
    let toolbox = Toolbox::implementer(fixture.workspace(), memory(), Arc::clone(&staging));
    ok(&toolbox, "read_file", json!({"path": "src/main.rs"}));
    ok(&toolbox, "write_file", json!({"path": "src/main.rs", "content": "fn staged() {}\n"}));
    ok(&toolbox, "write_file", json!({"path": "new/a.rs", "content": "fn staged() {}\n"}));
    assert_eq!(ok(&toolbox, "search", all("staged")), "new/a.rs\nsrc/main.rs\n");
    let in_new = json!({"pattern": "staged", "path": "new"});
    assert_eq!(ok(&toolbox, "search", in_new), "new/a.rs\n1:fn staged() {}\n");
    assert!(ok(&toolbox, "search", all("total")).starts_with("No match"));
    ok(&toolbox, "delete_file", json!({"path": "src/main.rs"}));
    assert_eq!(ok(&toolbox, "search", all("staged")), "new/a.rs\n");
}

#[test]
fn patterns_of_every_size_find_the_same() {
    let fixture = Fixture::new("");
    // Longer than a window of any size, and with lines that are.
    let text = format!("{}\nneedle one\n{}needle two\nend", "x\n".repeat(70_000), "é".repeat(5_000));
    fixture.write("a.txt", text.as_bytes());
    let small = ok(&reader(&fixture), "search", json!({"pattern": "needle (one|two)$"}));
    assert!(small.contains("\n70002:needle one\n70003:…"), "{small}");
    for size in [3, 12] {
        let pattern = format!("needle (one|two|\\w{{{size}}}Z\\pL{{{size}}}Q)$");
        assert_eq!(ok(&reader(&fixture), "search", json!({"pattern": pattern})), small, "{size}");
    }
}
