use super::find_quote;

/// A file with what makes lines hard to find: lines that are there twice, tabs, blanks within a line, other scripts, signs
/// and numbers that a diff or a listing could have put in front, and a secret as models are shown it.
const FILE: &str = "\
use std::fmt;\r
\r
/// Приветствие — 你好, wörld  \u{1F980}.\r
fn a(x: u8) {\r
\tone(x,  y);\r
}\r
\r
fn b(x: u8) {\r
    one(x,  y);\r
\tlet total\t= x  +  1;\r
    -x\r
    + 1\r
}\r
const KEY: &str = \"<masked by Baton: GitHub token>\";\r
- an item of a list\r
12\tis a number\r
match  x { 1 => \"a: b\",\t_ => \"…\" }\r
\u{a0}\u{a0}wide\u{3000}blanks\r
\r
fn b(x: u8) {\r
";

/// The lines that are quoted: every one of the file that is not blank.
fn quoted() -> Vec<(u32, &'static str)> {
    (1..).zip(FILE.lines()).filter(|(_, line)| !line.trim().is_empty()).collect()
}

/// The ways in which a line is copied, each with what it makes of a line.
fn copied(line: &str, number: u32) -> [Vec<String>; 4] {
    let spaces = |by: &str| line.split_whitespace().collect::<Vec<_>>().join(by);
    [
        vec![line.to_owned(), line.trim().to_owned(), format!("\n{line}\n")],
        vec![format!("+{line}"), format!("-{line}"), format!(" {line}"), format!("+ {line}")],
        vec![format!("{number:>5}\t{line}"), format!("{number}\t{line}"), format!("src/a.rs:{number}: {line}")],
        vec![spaces(" "), spaces("   "), spaces("\t"), format!("\t\t{}  ", spaces(" "))],
    ]
}

#[test]
fn seventy_two_of_seventy_two_quotes_stand_at_their_line() {
    let lines: Vec<&str> = FILE.lines().collect();
    let quoted = quoted();
    assert_eq!(quoted.len(), 17);
    let mut found = [0; 4];
    for (number, line) in quoted.iter().copied().chain([quoted[4]]) {
        for (kind, copies) in copied(line, number).into_iter().enumerate() {
            for near in [number, number.saturating_sub(1), number + 1] {
                for copy in &copies {
                    assert_eq!(find_quote(&lines, copy, near), Some(number), "{copy:?} near {near}");
                }
            }
            found[kind] += 1;
        }
    }
    assert_eq!(found, [18; 4]);
}

#[test]
fn the_ways_of_copying_combine() {
    let lines: Vec<&str> = FILE.lines().collect();
    for (quote, near, expected) in [
        ("+\tlet total = x + 1;", 1, 10),
        ("-   10\tlet total = x + 1;", 1, 10),
        ("   10\t+    let total = x + 1;", 1, 10),
        // The tab of a listing became spaces.
        ("   10      let total = x + 1;", 1, 10),
        ("+ total =  x", 1, 10),
        ("   10\ttotal\t= x", 1, 10),
        ("…one(x,  y)…", 9, 9),
        ("    9\t    one(x,  y); (line cut; it has 2001 characters)", 9, 9),
        ("    9\t    one(x,… (line cut; it has 2001 characters)", 8, 9),
        ("src/a b.rs:10: …total\t= x", 1, 10),
        ("你好", 20, 3),
        ("+ // not there", 1, 0),
        // Signs and numbers that are the file's own.
        ("- an item of a list", 1, 15),
        ("+- an item of a list", 1, 15),
        ("+12\tis a number", 1, 16),
        ("16\t12\tis a number", 1, 16),
        // Nothing but what was put in front: a blank line.
        ("+", 6, 7),
        ("   19\t", 18, 19),
        // Nothing but marks.
        ("}", 12, 13),
        ("+}", 7, 6),
        ("  =>", 1, 17),
    ] {
        let expected = (expected > 0).then_some(expected);
        assert_eq!(find_quote(&lines, quote, near), expected, "{quote:?} near {near}");
    }
}

#[test]
fn each_line_of_a_quote_is_looked_for_by_itself() {
    let lines: Vec<&str> = FILE.lines().collect();
    for (quote, near, expected) in [
        ("fn b(x: u8) {\n    one(x, y);", 20, 8),
        ("+fn b(x: u8) {\n     one(x,  y);\n-   10\tlet total = x + 1;", 20, 8),
        ("    8\tfn b(x: u8) {\n    9\t    one(x,  y);", 20, 8),
        ("\n\n}\n\nfn b(x: u8) {\n\n", 1, 6),
        ("+}\n+\n+fn b(x: u8) {", 1, 6),
        // A diff shows lines that are there no more.
        ("@@ -8,3 +8,3 @@\n fn b(x: u8) {\n-    gone(x);\n+    one(x,  y);\n \tlet total = x + 1;", 20, 8),
        ("-    gone(x);\n+    one(x,  y);", 5, 5),
        ("-    gone(x);\n+    one(x,  y);", 9, 9),
        // Not one below the other: the first that stands.
        ("fn b(x: u8) {\n    two();", 1, 8),
        ("nowhere();\n  let total = x + 1;", 1, 10),
        ("}\nfn a(x: u8) {\nnowhere();", 20, 4),
        ("gone(x);\nnowhere();", 1, 0),
        ("fn c() {\n}", 12, 13),
    ] {
        let expected = (expected > 0).then_some(expected);
        assert_eq!(find_quote(&lines, quote, near), expected, "{quote:?} near {near}");
    }
}

#[test]
fn a_quote_stands_nearest_to_the_line_that_is_named() {
    let lines = ["a", "  b(c);", "a", "b(c); d", "a", "x"];
    for (quote, near, found) in [
        ("a", 3, Some(3)),
        (" a ", 4, Some(3)),
        ("a", u32::MAX, Some(5)),
        ("a", 0, Some(1)),
        ("b(c);", 9, Some(2)),
        ("(c); d", 1, Some(4)),
        ("a\nx", 1, Some(5)),
        ("x\nnot there", 1, Some(6)),
        ("a\nnot there", 4, Some(3)),
        ("", 1, None),
        ("\n \n", 1, None),
        ("z", 1, None),
        ("+z", 1, None),
        ("7\tz", 1, None),
        ("+", 1, None),
        ("12", 1, None),
        ("12 ", 1, None),
    ] {
        assert_eq!(find_quote(&lines, quote, near), found, "{quote:?} near {near}");
    }
    assert_eq!(find_quote(&[], "a", 1), None);
}

#[test]
fn a_large_file_is_searched_for_a_long_quote() {
    let text = "    let value = compute(input);\n".repeat(20_000) + "last();\n";
    let lines: Vec<&str> = text.lines().collect();
    let quote = "    let value = compute(input);\n".repeat(100) + "not there\n+last();";
    assert_eq!(find_quote(&lines, &quote, 7), Some(7));
    assert_eq!(find_quote(&lines, "+last( );", 7), None);
}
