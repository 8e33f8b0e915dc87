//! Secrets inside files of innocent names: no tool shows them, and no edit writes a mask in their place.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::workspace::fixture::{Fixture, memory, path};
use crate::workspace::{Writable, unified_masked};

const KEY_LINE: &str = "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu";

/// Put together, so that no scanner takes this file for one that holds a token.
fn token() -> String {
    format!("ghp_{}", "aB3dE5gH7jK9".repeat(3))
}

fn fixture() -> Fixture {
    let key = format!("{KEY_LINE}\n").repeat(20);
    let fixture = Fixture::new("");
    let text = format!("const A: u32 = 1;\nconst TOKEN: &str = \"{}\";\nconst B: u32 = 2;\n", token());
    fixture.write("src/config.rs", text.as_bytes());
    let text = format!("port: 80\nkey: |\n-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\nhost: a\n");
    fixture.write("deploy.yml", text.as_bytes());
    let account = "{\"type\": \"service_account\", \"private_key_id\": \"k\", \"private_key\": \"short-needle\"}";
    fixture.write("innocent.json", account.as_bytes());
    fixture
}

fn implementer(fixture: &Fixture, write: &[&str]) -> (Toolbox, Arc<Mutex<Staging>>) {
    let write: BTreeSet<RepoPath> = write.iter().map(|text| path(text)).collect();
    let writable = Writable { write, ..Writable::default() };
    let staging = Arc::new(Mutex::new(Staging::new(fixture.workspace(), "T1", writable, memory())));
    (Toolbox::implementer(fixture.workspace(), memory(), Arc::clone(&staging)), staging)
}

fn ok(toolbox: &Toolbox, tool: &str, input: Value) -> String {
    let output = toolbox.call(tool, &input);
    assert!(!output.is_error, "{tool} {input}: {}", output.text);
    assert!(!output.text.contains(&token()) && !output.text.contains(KEY_LINE), "{tool}: {}", output.text);
    output.text
}

fn error(toolbox: &Toolbox, tool: &str, input: Value) -> String {
    let output = toolbox.call(tool, &input);
    assert!(output.is_error, "{tool} {input}: {}", output.text);
    assert!(!output.text.contains(&token()) && !output.text.contains(KEY_LINE), "{tool}: {}", output.text);
    output.text
}

#[test]
fn reading_and_searching_show_masks() {
    let fixture = fixture();
    let reader = Toolbox::reader(fixture.workspace(), memory());
    let text = ok(&reader, "read_file", json!({"path": "src/config.rs"}));
    assert!(text.contains("    2\tconst TOKEN: &str = \"<masked by Baton: GitHub token>\";\n"), "{text}");
    // From the middle of a key, where nothing around tells what it is.
    let text = ok(&reader, "read_file", json!({"path": "deploy.yml", "start_line": 8, "end_line": 9}));
    assert_eq!(
        text,
        "deploy.yml, lines 8-9 of 25:\n    8\t<masked by Baton: private key>\n    9\t<masked by Baton: private key>\n"
    );
    let text = ok(&reader, "search", json!({"pattern": "TOKEN|host|MzEf"}));
    assert_eq!(
        text,
        "deploy.yml\n25:host: a\n\nsrc/config.rs\n2:const TOKEN: &str = \"<masked by Baton: GitHub token>\";\n"
    );
    // A pattern that would spell a secret out finds nothing.
    assert!(ok(&reader, "search", json!({"pattern": "ghp_a"})).starts_with("No match"));
    assert!(ok(&reader, "search", json!({"pattern": "short-needle"})).starts_with("No match"));
    assert!(error(&reader, "read_file", json!({"path": "innocent.json"})).contains("may hold secrets"));
    assert!(error(&reader, "search", json!({"pattern": "x", "path": "innocent.json"})).contains("may hold secrets"));
}

/// Whether a pattern matches must not depend on a secret, or guesses could spell it out.
#[test]
fn no_match_lies_in_a_secret_or_depends_on_what_is_in_it() {
    let fixture = fixture();
    let reader = Toolbox::reader(fixture.workspace(), memory());
    let searched = |pattern: &str, mode: &str, multiline: bool| {
        ok(&reader, "search", json!({"pattern": pattern, "glob": "config.rs", "mode": mode, "multiline": multiline}))
    };
    for (right, wrong) in [
        ("ghp_aB", "ghp_aC"),
        ("\"ghp_a", "\"ghp_b"),
        ("ghp_a|masked", "ghp_b|masked"),
        ("TOKEN: &str = \"g", "TOKEN: &str = \"h"),
        ("= .g", "= .h"),
        ("= \\W\\b", "= \\W\\B"),
        ("9\";", "8\";"),
        ("TOKEN.*9", "TOKEN.*é"),
    ] {
        for (mode, multiline) in [("lines", false), ("count", false), ("files", false), ("lines", true)] {
            let (right, wrong) = (searched(right, mode, multiline), searched(wrong, mode, multiline));
            assert!(right.starts_with("No match") && wrong.starts_with("No match"), "{mode}: {right}{wrong}");
        }
    }
    for pattern in ["TOKEN", "^const TOKEN", "TOKEN.*=", "const T.*", ";$"] {
        for multiline in [false, true] {
            let found = searched(pattern, "lines", multiline);
            assert!(
                found.contains("2:const TOKEN: &str = \"<masked by Baton: GitHub token>\";\n"),
                "{pattern}: {found}"
            );
        }
    }
    assert_eq!(searched("const", "count", false), "src/config.rs: 3\n3 matching lines in 1 file.\n");
}

#[test]
fn an_edit_around_a_secret_keeps_it_and_shows_a_mask() {
    let fixture = fixture();
    let (toolbox, staging) = implementer(&fixture, &["src/config.rs", "deploy.yml"]);
    let edit = |path: &str, old: &str, new: &str| json!({"path": path, "old_text": old, "new_text": new});
    let text = ok(&toolbox, "edit_file", edit("src/config.rs", "A: u32 = 1", "A: u32 = 3"));
    assert!(text.contains("<masked by Baton: GitHub token>"), "{text}");
    ok(&toolbox, "edit_file", edit("deploy.yml", "host: a", "host: b"));
    ok(&toolbox, "edit_file", edit("deploy.yml", "port: 80", "port: 81"));
    let changes = staging.lock().unwrap().changes();
    let after = |at: usize| String::from_utf8(changes[at].after.clone().unwrap()).unwrap();
    assert!(after(0).contains(KEY_LINE) && after(0).contains("host: b") && !after(0).contains("<masked"));
    assert!(after(1).contains(&token()) && after(1).contains("= 3"));
}

#[test]
fn a_mask_is_never_written() {
    let fixture = fixture();
    let (toolbox, staging) = implementer(&fixture, &["src/config.rs", "new.rs", "docs.md"]);
    ok(&toolbox, "read_file", json!({"path": "src/config.rs"}));
    let mask = "<masked by Baton: GitHub token>";
    let line = format!("const TOKEN: &str = \"{mask}\";");
    let edit = |old: &str, new: &str| json!({"path": "src/config.rs", "old_text": old, "new_text": new});
    assert!(error(&toolbox, "edit_file", edit(&line, "const TOKEN: &str = \"\";")).contains("old_text holds a mask"));
    assert!(error(&toolbox, "edit_file", edit(&line, &format!("pub {line}"))).contains("old_text holds a mask"));
    let refused = error(&toolbox, "edit_file", edit("const B: u32 = 2;", &format!("{line}\nconst B: u32 = 2;")));
    assert!(refused.contains("new_text holds a mask"), "{refused}");
    for file in ["src/config.rs", "new.rs"] {
        let refused = error(&toolbox, "write_file", json!({"path": file, "content": format!("{line}\n")}));
        assert!(refused.contains("stands for a secret"), "{refused}");
    }
    assert!(staging.lock().unwrap().changes().is_empty());
    // A text that speaks of masks can be edited like any other.
    fixture.write("docs.md", format!("See {mask} here.\n").as_bytes());
    ok(
        &toolbox,
        "edit_file",
        json!({"path": "docs.md", "old_text": format!("See {mask}"), "new_text": format!("Look at {mask}")}),
    );
}

#[test]
fn what_is_near_a_missed_edit_is_masked() {
    let fixture = fixture();
    let (toolbox, _) = implementer(&fixture, &["src/config.rs"]);
    let missed = json!({"path": "src/config.rs", "old_text": "const TOKEN: &str = \"\";", "new_text": "x"});
    assert!(error(&toolbox, "edit_file", missed).contains("<masked by Baton: GitHub token>"));
}

#[test]
fn the_reviewers_diff_shows_that_a_secret_changed_and_not_what_it_is() {
    let key = |n: usize| format!("{}\n", KEY_LINE.replace("MzEf", &format!("Mz{n:02}"))).repeat(n);
    let text = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n");
    let (old, new) = (text(&(key(20) + &key(21))), text(&(key(20) + &key(22))));
    let diff = unified_masked(&path("deploy.txt"), Some(old.as_bytes()), Some(new.as_bytes()));
    assert!(
        diff.contains("\n+<masked by Baton: private key>\n") && diff.contains("\n-<masked by Baton: private key>\n")
    );
    assert!(!diff.contains("Mz2"), "{diff}");
    let plain = unified_masked(&path("a"), Some(b"a\n"), Some(b"b"));
    assert_eq!(plain, crate::workspace::unified(&path("a"), Some(b"a\n"), Some(b"b")));
    let reviewer =
        Toolbox::reviewer(Fixture::new("").workspace(), memory(), vec![(path("a"), format!("+{}\n", token()))]);
    assert_eq!(ok(&reviewer, "read_diff", json!({})), "+<masked by Baton: GitHub token>\n");
}

#[test]
fn no_edit_shows_a_secret_by_changing_what_makes_it_known() {
    let fixture = fixture();
    let aws = "Ab1/".repeat(10);
    fixture.write("aws.toml", format!("region = 1\naws_secret_access_key = \"{aws}\"\nlast = 2\n").as_bytes());
    let (toolbox, staging) = implementer(&fixture, &["src/config.rs", "deploy.yml", "aws.toml"]);
    let edit = |path: &str, old: &str, new: &str| json!({"path": path, "old_text": old, "new_text": new});
    for (file, old, new) in
        [("src/config.rs", "TOKEN: &str = \"", "TOKEN: &str = \"x"), ("aws.toml", "aws_secret_access_key", "token")]
    {
        assert!(toolbox.call("read_file", &json!({"path": file})).text.contains("masked"), "{file}");
        let told = error(&toolbox, "edit_file", edit(file, old, new));
        assert!(told.contains("part of a secret") && !told.contains(&aws), "{told}");
        assert!(!error(&toolbox, "edit_file", edit(file, old, "<masked by Baton: x>")).is_empty());
    }
    assert!(staging.lock().unwrap().changes().is_empty());
    // What is around it can be changed, and the whole of it can go.
    ok(&toolbox, "edit_file", edit("src/config.rs", "const TOKEN: &str", "// It moves.\nconst KEY: &str"));
    ok(&toolbox, "edit_file", edit("deploy.yml", "port: 80\nkey", "key"));
    ok(&toolbox, "edit_file", edit("aws.toml", "region = 1", "region = 12"));
    ok(&toolbox, "edit_file", edit("src/config.rs", &format!("\"{}\"", token()), "env!(\"TOKEN\")"));
}

#[cfg(unix)]
#[test]
fn what_holds_secrets_is_neither_replaced_nor_deleted_whatever_its_name() {
    let fixture = fixture();
    fixture.write(".env", b"PASSWORD=needle\n");
    std::fs::hard_link(fixture.root().join(".env"), fixture.root().join("linked.txt")).unwrap();
    let all = ["innocent.json", "linked.txt", ".env"].map(path);
    let writable = Writable {
        write: all.clone().into(),
        delete: all.clone().into(),
        approved_protected: true,
        ..Writable::default()
    };
    for file in all.iter().map(RepoPath::as_str) {
        for reads_first in [true, false] {
            let staging = Staging::new(fixture.workspace(), "T1", writable.clone(), memory());
            let staging = Arc::new(Mutex::new(staging));
            let toolbox = Toolbox::implementer(fixture.workspace(), memory(), Arc::clone(&staging));
            if reads_first {
                assert!(error(&toolbox, "read_file", json!({"path": file})).contains("may hold secrets"));
            }
            let told = error(&toolbox, "write_file", json!({"path": file, "content": "x"}));
            assert!(told.contains("may hold secrets"), "{told}");
            let told = error(&toolbox, "delete_file", json!({"path": file}));
            assert!(told.contains("may hold secrets"), "{told}");
            assert!(staging.lock().unwrap().changes().is_empty(), "{file}");
        }
    }
}

#[test]
fn a_diff_shows_nothing_of_a_file_of_credentials() {
    let login = b"{\"type\": \"authorized_user\", \"refresh_token\": \"needle\"}";
    for (old, new) in [(Some(&login[..]), None), (Some(b"{}"), Some(&login[..]))] {
        let diff = unified_masked(&path("a.json"), old, new);
        assert!(diff.contains("a.json may hold secrets") && !diff.contains("needle"), "{diff}");
    }
}

#[test]
fn parts_of_a_secret_are_nowhere_to_be_found_and_so_cannot_be_guessed() {
    let fixture = fixture();
    let line = format!("const TOKEN: &str = \"{}\";\n", token());
    fixture.write("twice.rs", format!("{line}{line}// ghp_aB\n").as_bytes());
    let (toolbox, staging) = implementer(&fixture, &["src/config.rs", "deploy.yml", "twice.rs"]);
    let edit = |path: &str, old: &str| json!({"path": path, "old_text": old, "new_text": "y"});
    for file in ["src/config.rs", "deploy.yml", "twice.rs"] {
        ok(&toolbox, "read_file", json!({"path": file}));
    }
    for (file, guess, wrong) in [
        ("src/config.rs", "ghp_", "ghq_"),
        ("src/config.rs", "\"ghp_aB", "\"ghp_aC"),
        ("src/config.rs", "const TOKEN: &str = \"ghp_a", "const TOKEN: &str = \"ghp_b"),
        ("deploy.yml", "-----BEGIN PRIVATE KEY-----\nMzEf", "-----BEGIN PRIVATE KEY-----\nMzEg"),
        ("deploy.yml", "yiWA4R4", "yiWA4R5"),
        ("twice.rs", "\"ghp_aB", "\"ghp_aC"),
    ] {
        let answer = |old| error(&toolbox, "edit_file", edit(file, old));
        assert!(answer(guess).contains("does not stand"), "{}", answer(guess));
        assert_eq!(answer(guess), answer(wrong), "right or wrong, the answer is the same");
    }
    // Whoever writes the guess beside it learns no more.
    ok(&toolbox, "edit_file", edit("twice.rs", "ghp_aB"));
    assert_eq!(staging.lock().unwrap().changes()[0].after.as_deref(), Some(format!("{line}{line}// y\n").as_bytes()));
    // Who knows all of it can have it replaced.
    ok(&toolbox, "edit_file", edit("src/config.rs", &token()));
}

#[test]
fn a_file_named_in_another_form_is_searched_as_the_task_left_it() {
    let fixture = Fixture::new("");
    fixture.write("cafe\u{301}/a\u{308}.txt", b"old\n");
    let (toolbox, _) = implementer(&fixture, &["cafe\u{301}/a\u{308}.txt", "cafe\u{301}/new.txt"]);
    ok(&toolbox, "read_file", json!({"path": "caf\u{e9}/\u{e4}.txt"}));
    ok(&toolbox, "write_file", json!({"path": "caf\u{e9}/\u{e4}.txt", "content": "new\n"}));
    ok(&toolbox, "write_file", json!({"path": "caf\u{e9}/new.txt", "content": "new\n"}));
    let found = ok(&toolbox, "search", json!({"pattern": "old|new", "path": "caf\u{e9}/\u{e4}.txt"}));
    assert!(found.ends_with("\n1:new\n"), "{found}");
    let listed = ok(&toolbox, "list_files", json!({"path": "caf\u{e9}"}));
    assert_eq!(listed.lines().count(), 2, "{listed}");
}
