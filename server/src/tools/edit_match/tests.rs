use super::*;

fn edit(text: &str, old: &str, new: &str, all: bool) -> Result<Edited, Miss> {
    super::edit(text, old, new, all, &Interrupt::never())
}

fn edited(text: &str, old: &str, new: &str) -> (String, Tolerance) {
    let edited = edit(text, old, new, false).unwrap();
    (edited.text, edited.tolerance)
}

#[test]
fn exact_and_unique() {
    assert_eq!(edited("let a = 1;\n", "a = 1", "b = 2"), ("let b = 2;\n".into(), Tolerance::Exact));
    assert_eq!(edit("x\ny\nx\n", "x", "z", false), Err(Miss::Several(vec![1, 3])));
    assert_eq!(edit("aaa", "aa", "b", false), Err(Miss::Several(vec![1, 1])));
    assert_eq!(edit("x\n", "q", "z", false), Err(Miss::Absent));
}

#[test]
fn an_edit_changes_only_so_many_places_and_grows_a_file_only_so_far() {
    let text = "a".repeat(5 << 20);
    assert_eq!(edit(&text, "a", "b", true), Err(Miss::TooMany));
    assert!(matches!(edit(&text, "a", "b", false), Err(Miss::Several(lines)) if lines.len() == MOST_PLACES + 1));
    assert_eq!(edit("x\nx\nx\n", "x", &text, true), Err(Miss::TooMany));
    let lines = edit(&"x\n".repeat(900), "x", "y\nz", true).unwrap().lines();
    assert_eq!((lines[0], lines[899]), ((1, 2), (1799, 1800)));
}

#[test]
fn all_places_at_once() {
    let edited = edit("x\ny\nx\n", "x", "long\nz", true).unwrap();
    assert_eq!(edited.text, "long\nz\ny\nlong\nz\n");
    assert_eq!(edited.lines(), [(1, 2), (4, 5)]);
    assert_eq!(edit("aaa", "aa", "b", true).unwrap().text, "ba");
}

#[test]
fn trailing_spaces_are_forgiven_and_kept_where_nothing_changes() {
    let text = "fn a() {  \n    one();\t\n    two();\n}\n";
    let (text, tolerance) = edited(text, "fn a() {\n    one();\n    two();", "fn a() {\n    one();\n    three();");
    assert_eq!(text, "fn a() {  \n    one();\t\n    three();\n}\n");
    assert_eq!(tolerance, Tolerance::Trailing);
}

#[test]
fn indentation_is_forgiven_and_carried_over() {
    let text = "mod m {\n    fn a() {\n        one();\n    }\n}\n";
    let (text, tolerance) =
        edited(text, "fn a() {\n    one();\n}", "fn a() {\n    if x {\n        two();\n    }\n}\nfn b() {}\n");
    let expected = "mod m {\n    fn a() {\n        if x {\n            two();\n        }\n    }\n    fn b() {}\n}\n";
    assert_eq!(text, expected);
    assert_eq!(tolerance, Tolerance::Indentation);
}

#[test]
fn tabs_for_spaces_and_too_much_indentation() {
    assert_eq!(
        edited("\tif x:\n\t\ty()\n", "    if x:\n        y()", "    if x:\n        z()").0,
        "\tif x:\n\t\tz()\n"
    );
    assert_eq!(
        edited("if x:\n  y()\n", "    if x:\n      y()", "    if z:\n      y()\n    w()").0,
        "if z:\n  y()\nw()\n"
    );
    assert_eq!(edited("a {\n    b\n    }\n", "        b\n        }", "        c\n      d\n").0, "a {\n    c\n  d\n");
}

#[test]
fn flattened_text_is_not_guessed_back_into_shape() {
    assert_eq!(edit("if x:\n    y()\n", "if x:\ny()", "if x:\nz()", false), Err(Miss::Absent));
}

#[test]
fn typographic_punctuation_is_forgiven_within_a_line() {
    let text = "say(“it’s here – now”);\nrest\n";
    let (text, tolerance) = edited(text, "\"it's here - now\"", "\"gone\"");
    assert_eq!(text, "say(\"gone\");\nrest\n");
    assert_eq!(tolerance, Tolerance::Punctuation);
    let kept = "“one”\n“two”\n";
    assert_eq!(edited(kept, "\"one\"\n\"two\"\n", "\"one\"\n\"three\"\n").0, "“one”\n\"three\"\n");
    assert_eq!(edited("    a\u{a0}b\n", "a b \n", "c\n").0, "    c\n");
}

#[test]
fn a_tolerant_place_must_be_unique_too() {
    assert_eq!(edit("  a\nx\n\ta\n", "a \n", "b", false), Err(Miss::Several(vec![1, 3])));
    assert_eq!(edit("  a\n\ta\n", "   a", "   b", true).unwrap().text, "  b\n\tb\n");
}

#[test]
fn blanks_are_found_only_exactly() {
    assert_eq!(edit("a\n\nb\n", "  \n", "x", false), Err(Miss::Absent));
}

#[test]
fn removing_lines_takes_their_ends_along() {
    assert_eq!(edited("a\n  b  \nc\n", "b\n", "").0, "a\nc\n");
    assert_eq!(edited("a\nlast ", "last\n", "end\n").0, "a\nend");
}

#[test]
fn any_texts_are_edited_in_one_place_or_not_at_all() {
    let mut random = fastrand::Rng::with_seed(11);
    let pieces = ["a", "b", " ", "  ", "\t", "\n", "“", "\"", "–", "-", "é", "\u{a0}"];
    let mut text = |most: usize| -> String {
        let length = random.usize(..most);
        (0..length).map(|_| *random.choice(&pieces).unwrap()).collect()
    };
    let (mut tolerated, mut exact) = (0, 0);
    for _ in 0..20_000 {
        let (file, old, new) = (text(30), format!("a{}", text(4)), text(4));
        match edit(&file, &old, &new, false) {
            Ok(edited) if edited.tolerance == Tolerance::Exact => {
                assert_eq!(edited.text, file.replacen(&old, &new, 1));
                exact += 1;
            }
            Ok(edited) => {
                assert!(!file.contains(&old));
                assert_eq!(edited.places.len(), 1);
                tolerated += 1;
            }
            Err(Miss::Several(lines)) => assert!(lines.len() > 1),
            Err(Miss::Absent) => assert!(!file.contains(&old)),
            Err(Miss::TooMany | Miss::Interrupted(_)) => unreachable!("of so short texts"),
        }
    }
    assert!(tolerated > 200 && exact > 200, "{tolerated} {exact}");
}

#[test]
fn repeated_lines_cost_no_more_than_others() {
    // Each would be compared with nearly all of `old` at nearly every line.
    let text = "}\n".repeat(400_000);
    let old = format!("{}end\n", "}\n".repeat(100_000));
    assert_eq!(edit(&text, &old, "x", false), Err(Miss::Absent));
    let old = format!("{}  }}\n", "} \n".repeat(2_000));
    assert!(matches!(edit(&text, &old, "x", false), Err(Miss::TooMany | Miss::Several(_))));
    let quotes = "“a”\n".repeat(200_000);
    assert_eq!(edit(&quotes, "\"b\"", "x", false), Err(Miss::Absent));
    let uneven: String = (0..100_000).map(|n| if n % 50 == 0 { "\t}\n" } else { "}\n" }).collect();
    assert_eq!(
        edit(&uneven, &"  }\n".repeat(100), "x", false),
        Err(Miss::TooMany),
        "none fits, and there are too many"
    );
}

#[test]
fn it_hears_stop() {
    let stopped = Interrupt::never();
    stopped.stop();
    assert!(matches!(super::edit("a\n", "b", "c", false, &stopped), Err(Miss::Interrupted(_))));
}
