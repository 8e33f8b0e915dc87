use super::*;

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
    assert!(ok(&toolbox, "search", json!({"pattern": "sum = "})).contains("src/main.rs\n1=fn main() {\n2:"));
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
        expect![
            "error: old_text is empty, so it is not known what to replace; nothing was changed. Give as old_text the lines of src/main.rs that new_text is to replace, copied from it without line numbers, or name them by start_line, end_line, first and last. write_file replaces a whole file."
        ],
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
    assert!(ok(&toolbox, "search", json!({"pattern": "^b$", "path": "new/a.rs"})).starts_with("new/a.rs\n2:b"));
    ok(&toolbox, "delete_file", json!({"path": "new/a.rs"}));
    assert_eq!(staging.lock().unwrap().changes().len(), 2);
}

#[test]
fn a_write_elsewhere_is_refused_and_reported() {
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

#[test]
fn a_check_is_tried_with_the_staged_edits_and_one_that_fails_is_an_error() {
    let fixture = Fixture::new(TREE);
    let (toolbox, _) = implementer(&fixture, &["src/lib.rs"], &[]);
    let toolbox = toolbox.with_checks(Some(Arc::new(Checks)));
    assert_eq!(ok(&toolbox, "try_check", json!({"name": "test"})), "test with ");
    ok(&toolbox, "edit_file", json!({"path": "src/lib.rs", "old_text": "    1", "new_text": "    2"}));
    // As an error it keeps a submission in the same turn from being taken unread.
    assert_eq!(error(&toolbox, "try_check", json!({"name": "test"})), "test with src/lib.rs");
    let (without, _) = implementer(&fixture, &[], &[]);
    assert!(error(&without, "try_check", json!({"name": "test"})).starts_with("There is no tool \"try_check\"."));
}
