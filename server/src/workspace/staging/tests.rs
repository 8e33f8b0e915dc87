use super::*;
use crate::contracts::ChangeType;
use crate::workspace::fixture::{Fixture, memory, path};

fn staging(fixture: &Fixture, write: &[&str], delete: &[&str], approved_protected: bool) -> Staging {
    let set = |names: &[&str]| names.iter().map(|name| path(name)).collect();
    let writable = Writable { write: set(write), delete: set(delete), approved_protected, ..Writable::default() };
    Staging::new(fixture.workspace(), "T1", writable, memory())
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, StagingError>) -> Refused {
    match outcome {
        Err(StagingError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn the_task_sees_its_own_changes_and_the_disk_does_not() {
    let fixture = Fixture::new("//- /a.txt\nold\n//- /b.txt\nb\n");
    let mut staging = staging(&fixture, &["a.txt", "new.txt"], &["b.txt"], false);
    assert_eq!(staging.read(&path("a.txt")).unwrap().unwrap(), b"old\n");
    staging.write(&path("a.txt"), "new\n").unwrap();
    staging.write(&path("new.txt"), "n\n").unwrap();
    staging.delete(&path("b.txt")).unwrap();
    assert_eq!(staging.read(&path("a.txt")).unwrap().unwrap(), b"new\n");
    assert_eq!(staging.read(&path("b.txt")).unwrap(), None);
    assert_eq!(fixture.text("a.txt"), "old\n");
    assert_eq!(fixture.names("."), ["a.txt", "b.txt"]);
    let changes: Vec<_> = staging.changes().into_iter().map(|change| (change.path, change.change_type)).collect();
    let expected = [("a.txt", ChangeType::Modified), ("b.txt", ChangeType::Deleted), ("new.txt", ChangeType::Created)];
    assert_eq!(changes, expected.map(|(name, kind)| (path(name), kind)));
}

#[test]
fn a_file_must_be_read_before_it_is_written_over() {
    let fixture = Fixture::new("//- /a.txt\nold\n");
    let mut staging = staging(&fixture, &["a.txt"], &[], false);
    assert_eq!(refusal(staging.write(&path("a.txt"), "x\n")), Refused::NotRead(path("a.txt")));
    assert!(staging.refusals().is_empty(), "a slip is no blocker");
    staging.read(&path("a.txt")).unwrap();
    staging.write(&path("a.txt"), "x\n").unwrap();
}

#[test]
fn the_base_is_what_was_read_and_frozen_by_the_first_change() {
    let fixture = Fixture::new("//- /a.txt\none\n");
    let mut staging = staging(&fixture, &["a.txt"], &[], false);
    staging.read(&path("a.txt")).unwrap();
    fixture.write("a.txt", b"two\n");
    assert_eq!(staging.read(&path("a.txt")).unwrap().unwrap(), b"two\n", "still unchanged: read anew");
    staging.write(&path("a.txt"), "mine\n").unwrap();
    fixture.write("a.txt", b"three\n");
    staging.read(&path("a.txt")).unwrap();
    staging.write(&path("a.txt"), "mine too\n").unwrap();
    assert_eq!(staging.changes()[0].before.as_ref().unwrap().bytes, b"two\n");
}

#[test]
fn going_back_to_the_base_is_no_change() {
    let fixture = Fixture::new("//- /a.txt\none\n");
    let mut staging = staging(&fixture, &["a.txt", "b.txt"], &[], false);
    staging.read(&path("a.txt")).unwrap();
    staging.write(&path("a.txt"), "two\n").unwrap();
    staging.write(&path("a.txt"), "one\n").unwrap();
    staging.write(&path("b.txt"), "x\n").unwrap();
    staging.delete(&path("b.txt")).unwrap();
    assert!(staging.changes().is_empty());
}

#[test]
fn encoding_and_line_endings_are_the_files_own() {
    let fixture = Fixture::new("");
    fixture.write("a.txt", b"\xef\xbb\xbfone\r\ntwo\r\n");
    let mut staging = staging(&fixture, &["a.txt"], &[], false);
    staging.read(&path("a.txt")).unwrap();
    staging.write(&path("a.txt"), "one\nthree\n").unwrap();
    assert_eq!(staging.changes()[0].after.as_deref().unwrap(), b"\xef\xbb\xbfone\r\nthree\r\n");
}

#[test]
fn only_its_own_files_whatever_their_spelling() {
    let fixture = Fixture::new("//- /src/a.rs\na\n//- /src/b.rs\nb\n");
    let mut staging = staging(&fixture, &["src/a.rs"], &[], false);
    let refused = refusal(staging.write(&path("src/b.rs"), "x\n"));
    assert_eq!(refused.to_string(), "src/b.rs is not among the files of this task; it may write only src/a.rs");
    assert!(matches!(refusal(staging.write(&path("new.rs"), "x\n")), Refused::Elsewhere { .. }));
    assert!(matches!(refusal(staging.delete(&path("src/b.rs"))), Refused::Elsewhere { .. }));
    assert_eq!(refusal(staging.delete(&path("src/a.rs"))), Refused::NotForDeletion(path("src/a.rs")));
    assert_eq!(staging.refusals().len(), 3);
    refusal(staging.write(&path("new.rs"), "x\n"));
    assert_eq!(staging.refusals().len(), 3, "each is told once");
    staging.read(&path("./src//a.rs")).unwrap();
    staging.write(&path("src\\a.rs"), "x\n").unwrap();
    assert_eq!(staging.changes()[0].path, path("src/a.rs"));
    if !fixture.folds_case() {
        assert!(matches!(refusal(staging.write(&path("Src/A.RS"), "x\n")), Refused::Elsewhere { .. }), "another file");
    }
}

/// What a task leaves: `-` gone, `+` new, `~` changed.
fn left(staging: &Staging) -> Vec<String> {
    let mark = |change: &StagedChange| match change.change_type {
        ChangeType::Created => '+',
        ChangeType::Modified => '~',
        ChangeType::Deleted => '-',
    };
    staging.changes().iter().map(|change| format!("{}{}", mark(change), change.path)).collect()
}

#[test]
fn a_rename_in_case_only_leaves_two_files_where_the_disk_has_two() {
    if Fixture::new("").folds_case() {
        return;
    }
    let fixture = Fixture::new("//- /foo.py\nlower\n//- /Foo.py\nupper\n");
    let mut staging = staging(&fixture, &["Foo.py"], &["foo.py"], false);
    assert_eq!(staging.read(&path("Foo.py")).unwrap().unwrap(), b"upper\n");
    assert_eq!(staging.read(&path("foo.py")).unwrap().unwrap(), b"lower\n");
    staging.write(&path("Foo.py"), "lower\n").unwrap();
    staging.delete(&path("foo.py")).unwrap();
    assert_eq!(left(&staging), ["~Foo.py", "-foo.py"]);
    assert_eq!(staging.read(&path("foo.py")).unwrap(), None);
    assert_eq!(staging.read(&path("Foo.py")).unwrap().unwrap(), b"lower\n");
}

#[test]
fn a_file_in_another_form_is_written_under_the_name_it_has() {
    let fixture = Fixture::new("");
    fixture.write("cafe\u{301}.txt", b"x\n");
    let mut staging = staging(&fixture, &["caf\u{e9}.txt"], &[], false);
    assert_eq!(staging.read(&path("caf\u{e9}.txt")).unwrap().unwrap(), b"x\n");
    staging.write(&path("caf\u{e9}.txt"), "y\n").unwrap();
    assert_eq!(left(&staging), ["~cafe\u{301}.txt"]);
}

#[test]
fn a_file_gives_way_to_a_folder_and_a_folder_to_a_file() {
    let fixture = Fixture::new("//- /conf\nold\n//- /dir/a\na\n//- /dir/in/b\nb\n");
    let mut staging =
        staging(&fixture, &["conf", "conf/main.cfg", "dir", "new", "new/x"], &["conf", "dir/a", "dir/in/b"], false);
    let blocking_path = |refused: Refused, expected: &str| match refused {
        Refused::InTheWay { what, .. } => assert_eq!(what, path(expected)),
        other => panic!("{other}"),
    };
    blocking_path(refusal(staging.write(&path("conf/main.cfg"), "new\n")), "conf");
    staging.delete(&path("conf")).unwrap();
    staging.write(&path("conf/main.cfg"), "new\n").unwrap();
    blocking_path(refusal(staging.write(&path("conf"), "again\n")), "conf/main.cfg");
    staging.delete(&path("dir/a")).unwrap();
    blocking_path(refusal(staging.write(&path("dir"), "one\n")), "dir/in/b");
    staging.delete(&path("dir/in/b")).unwrap();
    staging.write(&path("dir"), "one\n").unwrap();
    staging.write(&path("new"), "x\n").unwrap();
    blocking_path(refusal(staging.write(&path("new/x"), "x\n")), "new");
    assert_eq!(left(&staging), ["-conf", "+conf/main.cfg", "+dir", "-dir/a", "-dir/in/b", "+new"]);
    assert!(staging.refusals().is_empty(), "an order of steps is no attempt on anything");
}

#[cfg(unix)]
#[test]
fn what_became_something_else_is_refused_as_a_blocker() {
    let fixture = Fixture::new("//- /a\na\n//- /target\nt\n");
    fixture.link("target", "link");
    fixture.link("nowhere", "dangling");
    let huge = std::fs::File::create(fixture.root().join("huge")).unwrap();
    huge.set_len(1 << 30).unwrap();
    rustix::fs::mkfifoat(fixture.dir(), "pipe", rustix::fs::Mode::RUSR).unwrap();
    let names = ["link", "dangling", "huge", "pipe"];
    let mut staging = staging(&fixture, &names, &[], false);
    for name in names {
        refusal(staging.write(&path(name), "x\n"));
    }
    assert_eq!(staging.refusals().len(), names.len());
}

#[test]
fn protected_files_want_a_person() {
    let fixture = Fixture::new("//- /AGENTS.md\nx\n//- /.git/config\nx\n");
    let listed = ["AGENTS.md", ".git/config", ".agent_memory/plan.json"];
    let mut unapproved = staging(&fixture, &listed, &[], false);
    unapproved.read(&path("AGENTS.md")).unwrap();
    assert!(matches!(refusal(unapproved.write(&path("AGENTS.md"), "y\n")), Refused::Protected(_)));
    let mut approved = staging(&fixture, &listed, &[], true);
    approved.read(&path("AGENTS.md")).unwrap();
    approved.write(&path("AGENTS.md"), "y\n").unwrap();
    for never in [".git/config", ".agent_memory/plan.json"] {
        assert!(matches!(refusal(approved.read(&path(never))), Refused::Never(_)));
        assert!(matches!(refusal(approved.write(&path(never), "y\n")), Refused::Never(_)));
    }
}

#[test]
fn secrets_are_neither_read_nor_changed() {
    let fixture = Fixture::new("//- /.env\nKEY=1\n//- /server.pem\nx\n");
    let mut staging = staging(&fixture, &[".env", "server.pem", "new.pem"], &["server.pem"], true);
    assert!(matches!(refusal(staging.read(&path(".env"))), Refused::Secret(_)));
    assert!(matches!(refusal(staging.write(&path(".env"), "KEY=2\n")), Refused::Secret(_)));
    assert!(matches!(refusal(staging.delete(&path("server.pem"))), Refused::Secret(_)));
    staging.write(&path("new.pem"), "a test's own\n").unwrap();
    assert_eq!(staging.changes().len(), 1);
}

#[test]
fn an_ignored_file_is_read_only_if_the_plan_lists_it() {
    let fixture = Fixture::new("//- /.gitignore\ngen/\n//- /gen/a.txt\na\n//- /gen/b.txt\nb\n");
    let mut staging = staging(&fixture, &["gen/a.txt"], &[], false);
    assert!(staging.read(&path("gen/a.txt")).unwrap().is_some());
    assert_eq!(refusal(staging.read(&path("gen/b.txt"))), Refused::Ignored(path("gen/b.txt")));
}

#[test]
fn binaries_are_not_written_over() {
    let fixture = Fixture::new("");
    fixture.write("a.bin", b"\0\x01");
    let mut staging = staging(&fixture, &["a.bin"], &[], false);
    staging.read(&path("a.bin")).unwrap();
    assert!(matches!(staging.write(&path("a.bin"), "x"), Err(StagingError::Binary(_))));
}

#[test]
fn deleting_needs_something_to_delete() {
    let fixture = Fixture::new("//- /a.txt\nx\n");
    let mut staging = staging(&fixture, &["a.txt"], &["a.txt", "b.txt"], false);
    assert!(matches!(refusal(staging.delete(&path("b.txt"))), Refused::Missing(_)));
    staging.delete(&path("a.txt")).unwrap();
    assert!(matches!(refusal(staging.delete(&path("a.txt"))), Refused::Missing(_)));
    staging.write(&path("a.txt"), "again\n").unwrap();
    assert_eq!(staging.changes()[0].change_type, ChangeType::Modified);
}

#[cfg(unix)]
#[test]
fn nothing_is_written_behind_a_link() {
    let fixture = Fixture::new("//- /real/a.txt\nx\n//- /.git/config\nx\n");
    fixture.link("real", "linked");
    fixture.link("real/a.txt", "link.txt");
    fixture.link(".git", "innocent");
    fixture.link("..", "up");
    let listed = ["linked/a.txt", "link.txt", "innocent/config", "up/new.txt", "linked/new.txt"];
    let mut staging = staging(&fixture, &listed, &listed, true);
    assert_eq!(staging.read(&path("link.txt")).unwrap().unwrap(), b"x\n");
    assert!(matches!(refusal(staging.read(&path("innocent/config"))), Refused::Never(_)));
    for file in listed {
        assert!(matches!(refusal(staging.write(&path(file), "y\n")), Refused::Link(_)), "{file}");
        assert!(matches!(refusal(staging.delete(&path(file))), Refused::Link(_)), "{file}");
    }
}

#[test]
fn a_folder_that_would_become_a_repository_is_written_by_no_task() {
    let fixture =
        Fixture::new("//- /old.git/HEAD\nref: refs/heads/main\n//- /old.git/objects/x\nx\n//- /old.git/refs/x\nx\n");
    let message = "git repository, whose configuration names programs that git runs";
    // All of it by one task, though a person approved it.
    let planned = ["x/HEAD", "x/config", "x/objects/a", "x/refs/b", "y/HEAD"];
    let mut one = staging(&fixture, &planned, &[], true);
    for text in &planned[..4] {
        let refused = refusal(one.write(&path(text), "x"));
        assert_eq!(refused, Refused::GitFolder(path(text)));
        assert!(refused.is_blocker() && refused.to_string().contains(message), "{refused}");
    }
    one.write(&path("y/HEAD"), "ref: refs/heads/main\n").unwrap();
    assert_eq!(one.refusals().len(), 4);
    // A part of it by each of several tasks.
    let paths: Vec<RepoPath> = planned.iter().map(|text| path(text)).collect();
    let all = GitFolders::of(&fixture.workspace(), &paths);
    let mut first = staging(&fixture, &["x/HEAD"], &[], true);
    first.write(&path("x/HEAD"), "x").unwrap();
    let mut first = staging(&fixture, &["x/HEAD"], &[], true).beside(all);
    assert_eq!(refusal(first.write(&path("x/HEAD"), "x")), Refused::GitFolder(path("x/HEAD")));
    // One that is there, a fixture that is tracked say, is neither changed, deleted nor added to.
    let mut there =
        staging(&fixture, &["old.git/HEAD", "old.git/config", "old.git/hooks/post-update"], &["old.git/HEAD"], true);
    assert_eq!(there.read(&path("old.git/HEAD")).unwrap().unwrap(), b"ref: refs/heads/main\n");
    for text in ["old.git/HEAD", "old.git/config", "old.git/hooks/post-update"] {
        assert_eq!(refusal(there.write(&path(text), "x")), Refused::GitFolder(path(text)));
    }
    assert_eq!(refusal(there.delete(&path("old.git/HEAD"))), Refused::GitFolder(path("old.git/HEAD")));
    // Made by somebody else while the task is at work.
    let mut late = staging(&fixture, &["z/config"], &[], true);
    for name in ["HEAD", "objects/x", "refs/x"] {
        fixture.write(&format!("z/{name}"), b"x");
    }
    assert_eq!(refusal(late.write(&path("z/config"), "x")), Refused::GitFolder(path("z/config")));
}

#[cfg(unix)]
#[test]
fn a_hard_link_to_a_secret_is_that_secret() {
    let fixture = Fixture::new("//- /.gitignore\n.env\n//- /.env\nKEY=1\n//- /a.txt\nx\n//- /b.txt\nx\n");
    let link = |from: &str, to: &str| std::fs::hard_link(fixture.root().join(from), fixture.root().join(to)).unwrap();
    link(".env", "notes.txt");
    link("a.txt", "a2.txt");
    let mut staging = staging(&fixture, &["notes.txt"], &["notes.txt"], true);
    assert_eq!(refusal(staging.read(&path("notes.txt"))), Refused::Secret(path("notes.txt")));
    assert_eq!(staging.read(&path("a2.txt")).unwrap().unwrap(), b"x\n");
    // One that is made later.
    assert_eq!(staging.read(&path("b.txt")).unwrap().unwrap(), b"x\n");
    link("b.txt", "id_rsa.bak");
    assert_eq!(refusal(staging.read(&path("b.txt"))), Refused::Secret(path("b.txt")));
    let memory_dir = memory();
    let walk = crate::workspace::Walk { memory_dir: &memory_dir, folder: None, globs: None, limit: 10 };
    let listed = crate::workspace::files(&fixture.workspace(), &walk).unwrap().files;
    assert_eq!(listed, [path(".gitignore"), path("a.txt"), path("a2.txt")]);
}

#[test]
fn a_move_tells_where_the_file_was() {
    let fixture = Fixture::new("//- /foo.sh\nold\n");
    let base = fixture.workspace().read(&path("foo.sh")).unwrap();
    let mut entry = Entry::new(path("foo.sh"), base);
    entry.moved_to = Some(path("Foo.sh"));
    entry.staged = Some(Staged::Content(b"new\n".to_vec()));
    let told: Vec<_> = entry.changes().into_iter().map(|change| (change.path, change.moved_from)).collect();
    assert_eq!(told, [(path("foo.sh"), None), (path("Foo.sh"), Some(path("foo.sh")))]);
}

#[cfg(unix)]
#[test]
fn a_moved_file_keeps_its_format_bits_and_bytes() {
    let fixture = Fixture::new("");
    fixture.write("old.txt", b"\xef\xbb\xbfone\r\ntw\xc3\xb6 \x99\r\n");
    fixture.set_mode("old.txt", 0o750);
    let mut staging = staging(&fixture, &["new.txt", "last.txt"], &["old.txt"], false);
    staging.move_file(&path("old.txt"), &path("new.txt")).unwrap();
    staging.move_file(&path("new.txt"), &path("last.txt")).unwrap();
    assert_eq!(left(&staging), ["+last.txt", "-old.txt"]);
    let change = staging.changes().swap_remove(0);
    assert_eq!((change.mode, change.moved_from.clone()), (0o750, Some(path("old.txt"))));
    assert_eq!(change.after.as_deref().unwrap(), b"\xef\xbb\xbfone\r\ntw\xc3\xb6 \x99\r\n");
    let text = TextFile::decode(&staging.read(&path("last.txt")).unwrap().unwrap()).unwrap().text().to_owned();
    staging.write(&path("last.txt"), &text.replace("one", "1")).unwrap();
    assert_eq!(staging.changes()[0].after.as_deref().unwrap(), b"\xef\xbb\xbf1\r\ntw\xc3\xb6 \x99\r\n");
}

#[test]
fn a_file_may_move_into_a_folder_of_its_own_name_and_back() {
    let fixture = Fixture::new("//- /a\nx\n");
    let mut staging = staging(&fixture, &["a", "a/b"], &["a"], false);
    staging.move_file(&path("a"), &path("a/b")).unwrap();
    assert_eq!(left(&staging), ["-a", "+a/b"]);
    staging.move_file(&path("a/b"), &path("a")).unwrap();
    assert!(staging.changes().is_empty(), "back in its place it is what it was");
}

#[test]
fn a_move_to_another_case_of_the_name_is_one_where_the_disk_has_two() {
    if Fixture::new("").folds_case() {
        return;
    }
    let fixture = Fixture::new("//- /foo.py\nlower\n");
    let mut staging = staging(&fixture, &["Foo.py"], &["foo.py"], false);
    staging.move_file(&path("foo.py"), &path("Foo.py")).unwrap();
    assert_eq!(left(&staging), ["+Foo.py", "-foo.py"]);
}

#[test]
fn what_the_task_created_in_an_earlier_round_may_leave_its_place() {
    let fixture = Fixture::new("//- /made.rs\nx\n//- /kept.rs\ny\n");
    let later = || {
        let set = |names: &[&str]| names.iter().map(|name| path(name)).collect();
        let writable = Writable {
            write: set(&["made.rs", "kept.rs", "new.rs"]),
            created: set(&["made.rs"]),
            ..Writable::default()
        };
        Staging::new(fixture.workspace(), "T1", writable, memory())
    };
    let mut moved = later();
    moved.move_file(&path("made.rs"), &path("new.rs")).unwrap();
    assert_eq!(left(&moved), ["-made.rs", "+new.rs"]);
    let mut gone = later();
    gone.delete(&path("made.rs")).unwrap();
    assert_eq!(left(&gone), ["-made.rs"]);
    let kept = later().move_file(&path("kept.rs"), &path("new.rs"));
    assert_eq!(refusal(kept), Refused::NotForDeletion(path("kept.rs")));
}
