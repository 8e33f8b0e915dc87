//! The tool `outline`, and what edits say of texts that no longer parse.

use super::*;

#[test]
fn a_file_has_its_definitions_with_lines() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    check(
        &reader,
        "outline",
        json!({"path": "src/main.rs"}),
        expect![[r#"
            src/main.rs, Rust, 4 lines:
            1-4	function main: fn main() {
        "#]],
    );
    check(
        &reader,
        "outline",
        json!({"path": "docs/guide.md"}),
        expect![[r#"
            docs/guide.md, Markdown, 1 line:
            1-1	heading Guide: # Guide
        "#]],
    );
}

#[test]
fn a_folder_has_what_fits_the_task_first_and_nothing_ignored_or_secret() {
    let fixture = Fixture::new(TREE);
    fixture.write("src/key.rs", br#"{"type": "service_account", "private_key": "stolen"}"#);
    let about = |task: &str| About { task: task.to_owned(), cache: None };
    let text = ok(&reader(&fixture).about(about("Let main print the guide")), "outline", json!({"path": "src"}));
    assert!(text.starts_with("src: "), "{text}");
    assert!(
        text.contains("\nsrc/main.rs (4 lines)\n  1-4 function main\nsrc/lib.rs (3 lines)\n  1-3 function one\n"),
        "{text}"
    );
    let text = ok(&reader(&fixture).about(about("one")), "outline", json!({}));
    assert!(text.find("src/lib.rs") < text.find("src/main.rs"), "{text}");
    for hidden in ["target", "KEY", ".env", "stolen", "key.rs"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    error(&reader(&fixture), "outline", json!({"path": ".env"}));
    error(&reader(&fixture), "outline", json!({"path": "src/key.rs"}));
    error(&reader(&fixture), "outline", json!({"path": "nowhere"}));
}

#[test]
fn what_has_no_outline_says_what_to_do_instead() {
    let fixture = Fixture::new("//- /a.txt\nx\n//- /a.rs\n// nothing\n");
    let reader = reader(&fixture);
    fixture.write("large.rs", "fn f() {}\n".repeat(120_000).as_bytes());
    fixture.write("binary.rs", b"\0\x01\x02");
    let told = error(&reader, "outline", json!({"path": "a.txt"}));
    assert!(told.contains("no language that outlines are made of") && told.contains("read_file"), "{told}");
    let told = error(&reader, "outline", json!({"path": "large.rs"}));
    assert!(told.contains("larger than 1024 KiB"), "{told}");
    assert!(error(&reader, "outline", json!({"path": "binary.rs"})).contains("binary"));
    assert_eq!(ok(&reader, "outline", json!({"path": "a.rs"})), "a.rs (Rust, 1 line) has no definitions.\n");
    assert!(ok(&reader, "outline", json!({})).contains("large.rs (120000 lines)"));
}

#[test]
fn an_implementer_sees_its_own_changes_and_has_read_nothing_by_that() {
    let fixture = Fixture::new(TREE);
    let (toolbox, _) = implementer(&fixture, &["src/new.rs", "src/lib.rs"], &[]);
    ok(&toolbox, "outline", json!({"path": "src/lib.rs"}));
    let refused = error(&toolbox, "write_file", json!({"path": "src/lib.rs", "content": "x"}));
    assert!(refused.contains("not read yet"), "{refused}");
    ok(&toolbox, "write_file", json!({"path": "src/new.rs", "content": "fn brand_new() {}\n"}));
    assert!(ok(&toolbox, "outline", json!({"path": "src/new.rs"})).contains("function brand_new"));
    assert!(
        ok(&toolbox, "outline", json!({"path": "src"})).contains("src/new.rs (1 line)\n  1-1 function brand_new\n")
    );
}

#[test]
fn an_edit_after_which_a_file_does_not_parse_says_so_at_once() {
    let fixture = Fixture::new("//- /a.rs\nfn one() {\n    1;\n}\n//- /broken.rs\nfn one() {\n//- /a.txt\n{\n");
    let (toolbox, _) = implementer(&fixture, &["a.rs", "broken.rs", "a.txt", "new.rs"], &[]);
    for file in ["a.rs", "broken.rs", "a.txt"] {
        ok(&toolbox, "read_file", json!({"path": file}));
    }
    let edit = |path: &str, old: &str, new: &str| {
        ok(&toolbox, "edit_file", json!({"path": path, "old_text": old, "new_text": new}))
    };
    let told = edit("a.rs", "    1;\n}", "    1;");
    assert!(told.contains("a.rs no longer parses as Rust, as it did before your edits:\n  line "), "{told}");
    let told = edit("a.rs", "    1;", "    2;");
    assert!(told.contains("no longer parses"), "as long as it is so: {told}");
    assert!(!edit("a.rs", "    2;", "    2;\n}").contains("parses"));
    let told = ok(&toolbox, "write_file", json!({"path": "a.rs", "content": "fn one( {}\n"}));
    assert!(told.contains("a.rs no longer parses as Rust"), "{told}");
    // What did not parse before, or is in no language that is known, or is new, is nobody's fault.
    assert!(!edit("broken.rs", "one", "two").contains("parses"));
    assert!(!edit("a.txt", "{", "{{").contains("parses"));
    assert!(!ok(&toolbox, "write_file", json!({"path": "new.rs", "content": "fn ("})).contains("parses"));
}
