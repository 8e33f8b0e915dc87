//! Edits by line numbers, several in one turn.

use super::*;

const CELLS: &str = "\
class InputCell {
  constructor(value) {
    throw new Error('no');
  }

  setValue(value) {
    throw new Error('no');
  }
}

class ComputeCell {
  constructor(cells) {
    throw new Error('no');
  }
}
";
const THROW: &str = "    throw new Error('no');";

fn lines(range: (i64, i64), guards: (&str, &str), new: &str) -> Value {
    let ((start, end), (first, last)) = (range, guards);
    json!({"path": "a.js", "start_line": start, "end_line": end, "first": first, "last": last, "new_text": new})
}

/// The calls of one turn; what each of them answers, and what the file is then.
fn turn(toolbox: &Toolbox, staging: &Mutex<Staging>, calls: &[Value]) -> (Vec<String>, String) {
    toolbox.begin_turn();
    let told = calls.iter().map(|input| {
        let output = toolbox.call("edit_file", input);
        format!("{}{}", if output.is_error { "error: " } else { "" }, output.text)
    });
    let told = told.collect();
    let changes = staging.lock().unwrap().changes();
    let now = changes.first().and_then(|change| change.after.clone()).unwrap_or_else(|| CELLS.as_bytes().to_vec());
    (told, String::from_utf8(now).unwrap())
}

fn editor() -> (Fixture, Toolbox, Arc<Mutex<Staging>>) {
    let fixture = Fixture::new(&format!("//- /a.js\n{CELLS}"));
    let (toolbox, staging) = implementer(&fixture, &["a.js"], &[]);
    (fixture, toolbox, staging)
}

#[test]
fn edits_of_one_turn_do_not_move_the_numbers_of_those_after_them() {
    let (_fixture, toolbox, staging) = editor();
    let seven = "    this.g = 0;\n    this.a = 1;\n    this.b = 2;\n    this.c = 3;\n    this.d = 4;\n    this.e = 5;\n    this.f = 6;";
    // By the numbers after the first edit the second one would hit the same line in setValue.
    let first = lines((3, 3), (THROW, THROW), seven);
    let second = lines((13, 13), (THROW, THROW), "    this.cells = cells;");
    let third =
        json!({"path": "a.js", "old_text": "  setValue(value) {\n", "new_text": "  set(value) {\n    // said\n"});
    let fourth = lines((15, 15), ("}", "}"), "}\n\nclass Last {}");
    let appended = lines((16, 15), ("", "}"), "// end");
    let (told, now) = turn(&toolbox, &staging, &[first, second, third, fourth, appended]);
    assert!(told.iter().all(|told| told.starts_with("Edited a.js")), "{told:#?}");
    let expected = CELLS
        .replacen(THROW, seven, 1)
        .replacen(
            "  constructor(cells) {\n    throw new Error('no');",
            "  constructor(cells) {\n    this.cells = cells;",
            1,
        )
        .replacen("  setValue(value) {\n", "  set(value) {\n    // said\n", 1);
    assert_eq!(now, expected + "\nclass Last {}\n// end\n");
}

#[test]
fn the_next_turn_counts_anew() {
    let (_fixture, toolbox, staging) = editor();
    turn(&toolbox, &staging, &[lines((3, 3), (THROW, THROW), "    one();\n    two();")]);
    let (told, now) = turn(&toolbox, &staging, &[lines((4, 4), ("    two();", "    two();"), "    three();")]);
    assert!(told[0].starts_with("Edited") && now.contains("    one();\n    three();\n  }"), "{told:?}");
    let (told, _) = turn(&toolbox, &staging, &[lines((6, 6), ("  setValue(value) {", "  setValue(value) {"), "x")]);
    let expected = "error: first is not what line 6 of a.js says; nothing was changed. Your edits of earlier turns moved what \
                    was line 6 to line 7. What you name stands at start_line 7, end_line 7 now. The lines there are:\n    3\t";
    assert!(told[0].starts_with(expected), "{}", told[0]);
}

#[test]
fn an_edit_into_what_the_same_turn_replaced_is_refused_with_what_stands_there() {
    let (_fixture, toolbox, staging) = editor();
    let first = lines((2, 4), ("  constructor(value) {", "  }"), "  constructor() {}");
    let (told, now) = turn(&toolbox, &staging, &[first, lines((3, 6), (THROW, "  setValue(value) {"), "x")]);
    let expected = "error: Lines 3 to 6 of a.js, or some of them, were changed by an edit before this one in the same turn, so \
                    this one was not made. There now:\n    1\tclass InputCell {\n    2\t  constructor() {}\n    3\t\n    4\t  \
                    setValue(value) {\n    5\t    throw new Error('no');\n    6\t  }\n    7\t}\nMake it in your next turn, \
                    numbered as shown here.";
    assert_eq!(told[1], expected);
    assert_eq!(now, CELLS.replacen("  constructor(value) {\n    throw new Error('no');\n  }", "  constructor() {}", 1));

    let (_fixture, toolbox, staging) = editor();
    let first = lines((2, 4), ("  constructor(value) {", "  }"), "  constructor() {}");
    let (told, _) = turn(&toolbox, &staging, &[first, lines((4, 3), ("  }", THROW), "x")]);
    assert!(
        told[1].starts_with("error: What stands around the place before line 4 of a.js was changed by"),
        "{}",
        told[1]
    );

    // What came in between is not overwritten either.
    let (_fixture, toolbox, staging) = editor();
    let between = lines((3, 2), (THROW, "  constructor(value) {"), "    // new");
    let around = lines((2, 4), ("  constructor(value) {", "  }"), "");
    let (told, now) = turn(&toolbox, &staging, &[between.clone(), around]);
    assert!(told[1].starts_with("error: Lines 2 to 4 of a.js, or some of them, were changed"), "{}", told[1]);
    assert!(told[1].contains("    3\t    // new\n"), "{}", told[1]);
    assert!(now.contains("    // new\n    throw"));
}

#[test]
fn insertions_at_one_place_stand_in_the_order_in_which_they_were_made() {
    let (_fixture, toolbox, staging) = editor();
    let at = |start: i64, first: Value, last: Value, new: &str| json!({"path": "a.js", "start_line": start, "end_line": start - 1, "first": first, "last": last, "new_text": new});
    let calls = [
        at(16, json!(null), json!("}"), "// one"),
        at(16, json!(null), json!("}"), "// two\n"),
        at(1, json!("class InputCell {"), json!(null), "// top"),
        at(11, json!("class ComputeCell {"), json!(null), "// cells"),
    ];
    let (told, now) = turn(&toolbox, &staging, &calls);
    assert!(told.iter().all(|told| told.starts_with("Edited a.js")), "{told:#?}");
    let expected = CELLS.replace("class ComputeCell", "// cells\nclass ComputeCell");
    assert_eq!(now, format!("// top\n{expected}// one\n// two\n"));
}

#[test]
fn numbers_counted_after_the_turns_own_edits_are_refused_and_the_reason_is_told() {
    let (_fixture, toolbox, staging) = editor();
    let first = lines((3, 3), (THROW, THROW), "    one();\n    two();\n    three();");
    let wrong = lines((13, 13), ("class ComputeCell {", "class ComputeCell {"), "class Computed {");
    let (told, now) = turn(&toolbox, &staging, &[first, wrong, lines((40, 41), ("a", "b"), "x")]);
    let expected = "error: first is not what line 13 of a.js said when you were last shown it; this edit was not made. You \
                    numbered them as they are after your edits in this turn; number them as you were last shown them. What you \
                    name stands at start_line 13, end_line 13 now. The lines there are:\n   12\t\n   13\tclass ComputeCell {\n";
    assert!(told[1].starts_with(expected), "{}", told[1]);
    let expected =
        "error: a.js had 15 lines when you were last shown it; lines 40 to 41 are not in it; this edit was not made.";
    assert_eq!(told[2], expected);
    assert!(now.contains("class ComputeCell {"));
}

#[test]
fn a_file_that_the_turn_wrote_is_counted_as_it_was_written_and_a_moved_one_as_before() {
    let fixture = Fixture::new("//- /a.js\none\ntwo\nthree\n");
    let (toolbox, staging) = implementer(&fixture, &["a.js", "b.js"], &["a.js"]);
    ok(&toolbox, "read_file", json!({"path": "a.js"}));
    toolbox.begin_turn();
    let call = |tool: &str, input: Value| {
        let output = toolbox.call(tool, &input);
        assert!(!output.is_error, "{}", output.text);
    };
    call("edit_file", json!({"path": "a.js", "start_line": 1, "first": "one", "new_text": "1\n1.5"}));
    call("move_file", json!({"from": "a.js", "to": "b.js"}));
    call("edit_file", json!({"path": "b.js", "start_line": 3, "first": "three", "new_text": "3"}));
    let read = || {
        let staging = staging.lock().unwrap();
        let found = staging
            .overlay()
            .find(|(path, _)| path.as_str() == "b.js")
            .and_then(|(_, bytes)| bytes.map(<[u8]>::to_vec));
        String::from_utf8(found.unwrap()).unwrap()
    };
    assert_eq!(read(), "1\n1.5\ntwo\n3\n");
    call("write_file", json!({"path": "b.js", "content": "x\ny\n"}));
    call("edit_file", json!({"path": "b.js", "start_line": 3, "end_line": 2, "last": "y", "new_text": "z"}));
    assert_eq!(read(), "x\ny\nz\n");
}
