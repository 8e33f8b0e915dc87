use std::sync::Arc;

use super::super::OpenBuffers;
use super::super::fixture::{Fixture, Opened, path};
use super::*;

fn image(text: &str) -> Option<Image> {
    Some(Image { sha256: sha256(text.as_bytes()), bytes: Ok(text.as_bytes().to_vec()), mode: 0o644, owner: None })
}

fn edit(before: &str, after: &str) -> Edit {
    Edit { before: image(before), after: image(after) }
}

/// What `a.txt` with this text comes to, in one line; `-` is no file.
fn outcome(now: &str, edits: &[Edit]) -> String {
    let fixture = Fixture::new("//- /other.txt\n");
    if now != "-" {
        fixture.write("a.txt", now.as_bytes());
    }
    match take_back(&fixture.workspace(), &path("a.txt"), edits) {
        TakeBack::Unchanged => "unchanged".to_owned(),
        TakeBack::Restore(change) => {
            format!("restore {:?}", change.after.map(|bytes| String::from_utf8(bytes).unwrap()))
        }
        TakeBack::Merge(change) => format!("merge {:?}", change.after.map(|bytes| String::from_utf8(bytes).unwrap())),
        TakeBack::LeaveAlone { why } => why,
    }
}

#[test]
fn a_file_nobody_touched_since_becomes_what_it_was() {
    assert_eq!(outcome("new\n", &[edit("old\n", "new\n")]), r#"restore Some("old\n")"#);
    assert_eq!(outcome("new\n", &[Edit { before: None, after: image("new\n") }]), "restore None");
    assert_eq!(outcome("-", &[Edit { before: image("old\n"), after: None }]), r#"restore Some("old\n")"#);
    assert_eq!(outcome("3\n", &[edit("2\n", "3\n"), edit("1\n", "2\n")]), r#"restore Some("1\n")"#);
}

#[test]
fn a_file_that_is_as_it_was_stays() {
    assert_eq!(outcome("old\n", &[edit("old\n", "new\n")]), "unchanged");
    assert_eq!(outcome("-", &[Edit { before: None, after: image("new\n") }]), "unchanged");
    assert_eq!(outcome("old\n", &[Edit { before: image("old\n"), after: None }]), "unchanged");
}

#[test]
fn edits_made_since_are_kept() {
    let edits = [edit("1\n2\n3\n4\n", "1\n2\n3\nfour\n")];
    assert_eq!(outcome("one\n2\n3\nfour\n", &edits), r#"merge Some("one\n2\n3\n4\n")"#);
    // Between two publishes the user added a line; undoing both keeps it.
    let edits = [edit("mine\n1\n2\n3\nfour\n", "mine\n1\n2\nthree\nfour\n"), edit("1\n2\n3\n4\n", "1\n2\n3\nfour\n")];
    assert_eq!(outcome("mine\n1\n2\nthree\nfour\n", &edits), r#"merge Some("mine\n1\n2\n3\n4\n")"#);
}

#[test]
fn what_cannot_be_told_apart_is_left_alone() {
    for (now, edit, why) in [
        ("1\nmine\n", edit("1\n2\n", "1\ntwo\n"), "same lines"),
        ("-", edit("1\n", "2\n"), "deleted"),
        ("mine\n", Edit { before: None, after: image("new\n") }, "since it was created"),
        ("mine\n", Edit { before: image("old\n"), after: None }, "anew"),
        ("a\0mine", edit("a\0old", "a\0new"), "no text"),
    ] {
        let said = outcome(now, &[edit]);
        assert!(said.contains(why), "{said}");
    }
    let lost = Image { bytes: Err("the copy is damaged".to_owned()), ..image("old\n").unwrap() };
    assert_eq!(outcome("new\n", &[Edit { before: Some(lost), after: image("new\n") }]), "the copy is damaged");
}

#[cfg(unix)]
#[test]
fn permission_bits_come_back_unless_they_were_changed_since() {
    let fixture = Fixture::new("//- /a.txt\nnew\n");
    let script = Image { mode: 0o755, ..image("old\n").unwrap() };
    let edits = [Edit { before: Some(script), after: image("new\n") }];
    let mode = || match take_back(&fixture.workspace(), &path("a.txt"), &edits) {
        TakeBack::Restore(change) => change.mode,
        other => panic!("{other:?}"),
    };
    fixture.set_mode("a.txt", 0o644);
    assert_eq!(mode(), 0o755);
    fixture.set_mode("a.txt", 0o600);
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn a_link_in_its_place_is_left_alone() {
    let fixture = Fixture::new("//- /other.txt\nnew\n");
    fixture.link("other.txt", "a.txt");
    let outcome = take_back(&fixture.workspace(), &path("a.txt"), &[edit("old\n", "new\n")]);
    assert!(matches!(outcome, TakeBack::LeaveAlone { .. }), "{outcome:?}");
}

#[test]
fn only_an_empty_folder_goes() {
    let fixture = Fixture::new("//- /full/a.txt\n");
    std::fs::create_dir(fixture.root().join("empty")).unwrap();
    assert!(remove_empty_folder(&fixture.workspace(), &path("empty")));
    assert!(!remove_empty_folder(&fixture.workspace(), &path("full")));
    assert_eq!(fixture.names(""), ["full"]);
}

#[test]
fn a_document_with_unsaved_changes_is_left_alone() {
    let fixture = Fixture::new("//- /a.txt\nnew\n");
    let editor = Arc::new(Opened::default());
    let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
    let edits = [edit("old\n", "new\n")];
    editor.set("a.txt", "new, and mine\n", true);
    let TakeBack::LeaveAlone { why } = take_back(&workspace, &path("a.txt"), &edits) else { panic!("not left alone") };
    assert!(why.contains("unsaved changes; save it"), "{why}");
    editor.set("a.txt", "new\n", true);
    assert!(matches!(take_back(&workspace, &path("a.txt"), &edits), TakeBack::Restore(_)));
}
