use super::*;

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
    assert_eq!(ok(&reader, "list_files", json!({"glob": "!src/**"})), ".gitignore\ndocs/guide.md\n");
    for glob in [json!("*.rs,*.md"), json!("*.{rs,md} !docs"), json!(["*.rs", "*.md"]), json!("[\"*.rs\"]"), json!([])]
    {
        let listed = ok(&reader, "list_files", json!({"glob": glob.clone()}));
        assert!(listed.contains("src/lib.rs\n"), "{glob}: {listed}");
        assert_eq!(listed.contains(".gitignore"), glob == json!([]), "{glob}: {listed}");
    }
    check(&reader, "list_files", json!({"path": "sorce"}), expect!["error: there is no folder sorce."]);
    assert!(error(&reader, "list_files", json!({"glob": "[a"})).contains("is not valid"));
    assert!(error(&reader, "list_files", json!({"path": "../"})).contains("leaves the workspace"));
}

#[test]
fn a_long_listing_says_that_there_is_more() {
    let fixture = Fixture::new("");
    for n in 0..1_003 {
        fixture.write(&format!("{}/f{n:04}", if n < 900 { "a/b" } else { "c" }), b"");
    }
    let text = ok(&reader(&fixture), "list_files", json!({}));
    assert_eq!(text.lines().count(), 1_000 + 3);
    let told = "\nThese are the first 1000 of 1003 files; narrow with path or glob to see the others, or outline a folder for those that matter. Files by folder:\n   \
                900 a/b/\n   103 c/\n";
    assert!(text.ends_with(told), "{}", &text[text.len() - 300..]);
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
fn several_stretches_are_read_in_one_call() {
    let fixture = Fixture::new("");
    let long: String = (1..=3_000).map(|n| format!("{n}\n")).collect();
    fixture.write("long.txt", long.as_bytes());
    let reader = reader(&fixture);
    let read = |input: Value| ok(&reader, "read_file", input);
    let expected = "long.txt, lines 2-4, 9-9, 2999-3000 of 3000:\n    2\t2\n    3\t3\n    4\t4\n      …\n    9\t9\n      …\n \
                    2999\t2999\n 3000\t3000\n";
    assert_eq!(read(json!({"path": "long.txt", "ranges": "9, 3-4, 2-3, 2999-"})), expected);
    assert_eq!(read(json!({"path": "long.txt", "ranges": [[2, 4], [9, 9], [2999, 4000]]})), expected);
    assert_eq!(read(json!({"path": "long.txt", "start_line": 2999, "ranges": "2-4,9"})), expected);
    let text = read(json!({"path": "long.txt", "ranges": "1-1500, 1600-2600, 2700-2800"}));
    assert!(text.starts_with("long.txt, lines 1-1500, 1600-2099 of 3000:\n"), "{}", &text[..100]);
    assert!(text.ends_with("The rest was left out; read on with ranges \"2100-2600, 2700-2800\".\n"));
    assert!(!text.contains("…\nThe rest"), "{}", &text[text.len() - 100..]);
    assert_eq!(
        read(json!({"path": "long.txt", "ranges": "", "end_line": 1})),
        "long.txt, lines 1-1 of 3000:\n    1\t1\n"
    );
    let told = |ranges: &str| error(&reader, "read_file", json!({"path": "long.txt", "ranges": ranges}));
    assert_eq!(told("1-2, 4000-4001"), "long.txt has 3000 lines; start_line 4000 is after its end.");
    assert_eq!(told("9-3"), "end_line 3 is before start_line 9; long.txt has 3000 lines.");
    assert!(told("a few").contains("ranges must be first and last lines, as in \"15-33, 205-275\""));
    assert_eq!(told(&"1,".repeat(60)), "At most 50 ranges are read at once.");
    let output = reader.call("read_file", &json!({"path": "long.txt", "ranges": "2-4,9"}));
    assert_eq!(output.activity, "reading long.txt lines 2-4, 9-9");
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
fn a_glob_that_is_too_large_is_refused() {
    let fixture = Fixture::new(TREE);
    let nested = format!("{}a{}", "{".repeat(500), "}".repeat(500));
    let told = error(&reader(&fixture), "list_files", json!({"glob": nested}));
    assert!(told.contains("its braces are nested more than 8 deep") && told.len() < 400, "{told}");
    let told = error(&reader(&fixture), "search", json!({"pattern": "x", "glob": "?".repeat(5_000)}));
    assert!(told.contains("longer than 1000 bytes"), "{told}");
    let told = error(&reader(&fixture), "search", json!({"pattern": "x".repeat(5_000)}));
    assert!(told.contains("longer than 4096 bytes"), "{told}");
}
