use super::*;

fn lines(path: &str, range: (i64, i64), guards: (&str, &str), new: &str) -> Value {
    let ((start, end), (first, last)) = (range, guards);
    json!({"path": path, "start_line": start, "end_line": end, "first": first, "last": last, "new_text": new})
}

#[test]
fn lines_are_replaced_by_their_numbers() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/main.rs"], &[]);
    check(
        &toolbox,
        "edit_file",
        lines("src/main.rs", (2, 3), ("    let total = 1;", "    println!(\"{total}\");"), "    println!(\"one\");"),
        expect![[r#"
        Edited src/main.rs. It now reads:
            1	fn main() {
            2	    println!("one");
            3	}
    "#]],
    );
    let inserted = lines("src/main.rs", (2, 1), ("    println!(\"one\");", "fn main() {"), "    // said once\n");
    assert!(ok(&toolbox, "edit_file", inserted).contains("    2\t    // said once\n    3\t    println!"));
    let removed = json!({
        "path": "src/main.rs", "start_line": "2", "first": "    // said once   ", "new_text": "", "old_text": "", "replace_all": false,
    });
    ok(&toolbox, "edit_file", removed);
    let after = staging.lock().unwrap().changes()[0].after.clone().unwrap();
    assert_eq!(String::from_utf8(after).unwrap(), "fn main() {\n    println!(\"one\");\n}\n");
}

#[test]
fn lines_that_are_not_those_that_were_meant_are_left_alone() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/main.rs"], &[]);
    check(
        &toolbox,
        "edit_file",
        lines("src/main.rs", (1, 2), ("    let total = 1;", "    println!(\"{total}\");"), "x"),
        expect![[r#"
        error: first is not what line 1 of src/main.rs says; nothing was changed. What you name stands at start_line 2, end_line 3 now. The lines there are:
            1	fn main() {
            2	    let total = 1;
            3	    println!("{total}");
            4	}
    "#]],
    );
    check(
        &toolbox,
        "edit_file",
        lines("src/main.rs", (4, 9), ("}", "}"), "x"),
        expect![
            "error: src/main.rs has 4 lines; lines 4 to 9 are not in it; nothing was changed. What you name stands at start_line 4, end_line 4 now."
        ],
    );
    assert!(staging.lock().unwrap().changes().is_empty());
}

#[test]
fn a_mixture_of_both_ways_says_which_fields_belong_together() {
    let fixture = Fixture::new(TREE);
    let (toolbox, staging) = implementer(&fixture, &["src/main.rs"], &[]);
    let mut mixed = lines("src/main.rs", (2, 2), ("    let total = 1;", "    let total = 1;"), "x");
    mixed["old_text"] = json!("total");
    let told = error(&toolbox, "edit_file", mixed);
    assert!(
        told.starts_with("old_text (with replace_all) belongs to an edit by text; start_line, end_line, first and"),
        "{told}"
    );
    let told =
        error(&toolbox, "edit_file", json!({"path": "src/main.rs", "new_text": "x", "end_line": 2, "last": "y"}));
    assert!(told.starts_with("start_line is missing"), "{told}");
    assert!(staging.lock().unwrap().changes().is_empty());
}

#[test]
fn encoding_line_ends_and_a_missing_last_one_survive() {
    let fixture = Fixture::new("");
    fixture.write("crlf.txt", b"\xef\xbb\xbfone\r\ntwo\r\nthree");
    let (toolbox, staging) = implementer(&fixture, &["crlf.txt"], &[]);
    ok(&toolbox, "edit_file", lines("crlf.txt", (1, 2), ("one", "two"), "1\r\n2\r\nand more\r\n"));
    ok(&toolbox, "edit_file", lines("crlf.txt", (4, 4), ("three", "three"), "3\n"));
    let after = staging.lock().unwrap().changes()[0].after.clone().unwrap();
    assert_eq!(after, b"\xef\xbb\xbf1\r\n2\r\nand more\r\n3");
}

#[test]
fn a_masked_secret_is_not_replaced_by_its_lines() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let fixture = Fixture::new(&format!("//- /config.txt\none\ntoken = {token}\ntwo\n"));
    let (toolbox, staging) = implementer(&fixture, &["config.txt"], &[]);
    assert!(
        error(&toolbox, "edit_file", lines("config.txt", (1, 3), ("one", "two"), "x")).contains("part of a secret")
    );
    ok(&toolbox, "edit_file", lines("config.txt", (3, 3), ("two", "two"), "2"));
    let after = staging.lock().unwrap().changes()[0].after.clone().unwrap();
    assert_eq!(String::from_utf8(after).unwrap(), format!("one\ntoken = {token}\n2\n"));
}

#[test]
fn places_near_each_other_are_shown_as_one_stretch() {
    let text: String =
        (1..=30).map(|n| if [3, 5, 25].contains(&n) { "total\n".to_owned() } else { format!("{n}\n") }).collect();
    let fixture = Fixture::new(&format!("//- /a.txt\n{text}"));
    let (toolbox, _) = implementer(&fixture, &["a.txt"], &[]);
    let told = ok(
        &toolbox,
        "edit_file",
        json!({"path": "a.txt", "old_text": "total", "new_text": "sum", "replace_all": true}),
    );
    let numbers: Vec<&str> = told.lines().skip(1).map(|line| line.split('\t').next().unwrap().trim()).collect();
    assert_eq!(numbers.join(" "), "1 2 3 4 5 6 7 8 … 22 23 24 25 26 27 28");
    assert_eq!(told.matches("sum").count(), 3);
}
