//! Calls of `edit_file` that do not say what to replace, or say it with line numbers, as small models make them.

use super::*;

const GREET: &str = "\
//- /greet.py
def greet(name):
    \"\"\"Greet.\"\"\"
    return f\"Hello, {name}\"


def main():
    print(greet(\"world\"))
";

const RETURN: &str = "    return f\"Hello, {name}\"";
const EXCITED: &str = "    return f\"Hello, {name}!\"";

fn after(staging: &Arc<Mutex<Staging>>) -> String {
    String::from_utf8(staging.lock().unwrap().changes()[0].after.clone().unwrap()).unwrap()
}

#[test]
fn a_new_text_alone_is_answered_with_the_call_that_would_be_right() {
    let fixture = Fixture::new(GREET);
    let (toolbox, staging) = implementer(&fixture, &["greet.py"], &[]);
    check(
        &toolbox,
        "edit_file",
        json!({"path": "greet.py", "new_text": format!("    3\t{EXCITED}\n")}),
        expect![[r#"
            error: old_text is missing, so it is not known what to replace; nothing was changed. The lines of greet.py most like new_text are:
                3	    return f"Hello, {name}"
            If these are to be replaced, call:
            edit_file {"path":"greet.py","old_text":"    return f\"Hello, {name}\"","new_text":"    return f\"Hello, {name}!\""}
        "#]],
    );
    assert!(staging.lock().unwrap().changes().is_empty(), "it is shown, not guessed");
    let told = error(&toolbox, "edit_file", json!({"path": "greet.py", "old_text": "", "new_text": EXCITED}));
    let call = told.lines().find_map(|line| line.strip_prefix("edit_file ")).unwrap();
    ok(&toolbox, "edit_file", serde_json::from_str(call).unwrap());
    assert!(after(&staging).contains("{name}!\"\n\n\n"));
    check(
        &toolbox,
        "edit_file",
        json!({"path": "greet.py", "new_text": EXCITED}),
        expect![[r#"
        error: old_text is missing, so it is not known what to replace; nothing was changed. new_text is what greet.py already says:
            3	    return f"Hello, {name}!"
        If that is your change, it is made, and you can go on. Otherwise give as old_text the lines that are there now, without their numbers, and as new_text what they are to become.
    "#]],
    );
    check(
        &toolbox,
        "edit_file",
        json!({"path": "greet.py", "new_text": "0123456789"}),
        expect![
            "error: old_text is missing, so it is not known what to replace; nothing was changed. Give as old_text the lines of greet.py that new_text is to replace, copied from it without line numbers, or name them by start_line, end_line, first and last. write_file replaces a whole file."
        ],
    );
}

#[test]
fn line_numbers_that_were_copied_into_both_texts_are_left_out() {
    let fixture = Fixture::new(GREET);
    let (toolbox, staging) = implementer(&fixture, &["greet.py"], &[]);
    let old = "    2\t    \"\"\"Greet.\"\"\"\n    3\t    return f\"Hello, {name}\"\n";
    let edit = |old: &str, new: &str| json!({"path": "greet.py", "old_text": old, "new_text": new});
    let mixed = "    2\t    \"\"\"Greet.\"\"\"\n    return 1\n";
    assert!(error(&toolbox, "edit_file", edit(old, mixed)).starts_with("old_text begins each line with the number"));
    assert!(error(&toolbox, "edit_file", edit(old, &old.replace("    2", "2"))).contains("are the same"));
    assert!(staging.lock().unwrap().changes().is_empty());
    check(
        &toolbox,
        "edit_file",
        edit(old, &old.replace("}\"", "}!\"")),
        expect![[r#"
        Edited greet.py (the line numbers in old_text and new_text were left out). It now reads:
            1	def greet(name):
            2	    """Greet."""
            3	    return f"Hello, {name}!"
            4	
            5	
            6	def main():
    "#]],
    );
    assert!(after(&staging).contains(&format!("    \"\"\"Greet.\"\"\"\n{EXCITED}\n\n")));
    let told = ok(&toolbox, "edit_file", edit("7\t    print(greet(\"world\"))", "    print(greet(\"you\"))"));
    assert!(told.starts_with("Edited greet.py (the line numbers in old_text were left out)."), "{told}");
    assert!(after(&staging).ends_with("():\n    print(greet(\"you\"))\n"));
}

#[test]
fn line_numbers_in_the_new_text_are_left_out_only_where_they_are_those_of_its_place() {
    let fixture = Fixture::new(&format!("{GREET}//- /rows.tsv\n    1\tone\n    2\ttwo\n//- /names.txt\nAda\nBob\n"));
    let files = ["greet.py", "rows.tsv", "names.txt"];
    let (toolbox, staging) = implementer(&fixture, &files, &[]);
    let edit = |path: &str, old: &str, new: &str| json!({"path": path, "old_text": old, "new_text": new});
    let told = ok(&toolbox, "edit_file", edit("greet.py", RETURN, &format!("    3\t{EXCITED}")));
    assert!(
        told.starts_with("Edited greet.py (the line numbers in new_text were left out). It now reads:\n"),
        "{told}"
    );
    assert!(after(&staging).contains(&format!("\n{EXCITED}\n")));
    let lines = json!({
        "path": "greet.py", "start_line": 7, "end_line": 7, "first": "    7\t    print(greet(\"world\"))",
        "new_text": "    7\t    print(greet(\"you\"))\n    8\t    print()",
    });
    assert!(ok(&toolbox, "edit_file", lines).contains("(the line numbers in new_text were left out)"));
    assert!(after(&staging).ends_with("():\n    print(greet(\"you\"))\n    print()\n"));

    // What may be meant so is written so, and said.
    assert!(!ok(&toolbox, "edit_file", edit("rows.tsv", "    2\ttwo", "    2\tTWO")).contains("number"));
    let told = ok(&toolbox, "edit_file", edit("names.txt", "Ada", "1\tAda"));
    assert!(told.contains("Each line of new_text began with a number and a tab, and so it was written."), "{told}");
    assert!(
        !ok(&toolbox, "edit_file", edit("names.txt", "Bob", "2\tBob")).contains("Each line"),
        "the file has such lines"
    );
    let read = |path: &str| ok(&toolbox, "read_file", json!({"path": path}));
    assert!(read("rows.tsv").contains("\t    2\tTWO\n") && read("names.txt").contains("\t1\tAda\n"));
}

#[tokio::test]
async fn a_call_that_failed_again_and_again_is_answered_with_another_way() {
    let fixture = Fixture::new(GREET);
    let (toolbox, _) = implementer(&fixture, &["greet.py"], &[]);
    let instead = async |tool: &str, input: Value| toolbox.instead_of(tool, &input).await.unwrap_or_default();
    let told = instead(
        "edit_file",
        json!({"path": "greet.py", "old_text": "    return \"Hello, {name}\"", "new_text": EXCITED}),
    );
    expect![[r#"
        The lines of greet.py most like old_text are:
            3	    return f"Hello, {name}"
        If these are to be replaced, call:
        edit_file {"path":"greet.py","old_text":"    return f\"Hello, {name}\"","new_text":"    return f\"Hello, {name}!\""}
        Or give write_file the whole new content of greet.py: 7 lines now, with your change.
    "#]]
    .assert_eq(&told.await);
    let twice = json!({"path": "greet.py", "old_text": "greet", "new_text": "hello"});
    expect![[r#"
        Give write_file the whole new content of greet.py: 7 lines now, with your change.
    "#]]
    .assert_eq(&instead("edit_file", twice).await);
    expect![[r#"
        The input of edit_file has this form: {"path": <a string: The file, relative to the workspace root>, "old_text": <a string: The text to replace, as it stands in the file, without line numbers. Empty only where start_line names the lines>, "new_text": <a string: The text to put in its place, without line numbers; empty to remove it>}
    "#]]
    .assert_eq(&instead("edit_file", json!({"path": "greet.py"})).await);
    expect![[r#"
        The input of write_file has this form: {"path": <a string: The file, relative to the workspace root>, "content": <a string: Its whole new content>}
    "#]]
    .assert_eq(&instead("write_file", json!({})).await);
    assert_eq!(instead("edit_file", json!({"path": "other.py", "new_text": "x"})).await, "");
    assert_eq!(instead("no_such_tool", json!({})).await, "");
}
