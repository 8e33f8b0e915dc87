use std::collections::BTreeSet;

use super::*;
use crate::workspace::fixture::{Blobs, Fixture, memory, path};
use crate::workspace::tree::{Keys, Sent, Tree, unpack};
use crate::workspace::{Interrupt, Manifest, Workspace, Writable};

/// The workspace as a worker has it.
fn sent(fixture: &Fixture) -> Workspace {
    sent_of(&fixture.workspace(), fixture)
}

fn sent_of(workspace: &Workspace, fixture: &Fixture) -> Workspace {
    let mut tree = Tree::of(workspace, &memory(), &[], None, &Interrupt::never()).unwrap();
    let (mut known, mut blobs) = (Sent::default(), Blobs::default());
    while let Some(pack) = tree.next_pack(&|blob| known.has(blob)).unwrap() {
        unpack(&pack.bytes, &pack.name, &mut blobs).unwrap();
        known.add(&pack);
    }
    let manifest = Manifest::parse(&tree.manifest(&known).unwrap().to_bytes()).unwrap();
    let dir = tempfile::tempdir_in(fixture.outside()).unwrap().keep();
    manifest.put_in_place(&dir, &mut blobs).unwrap();
    Workspace::open(&dir).unwrap()
}

fn staging(workspace: Workspace, write: &[&str], delete: &[&str]) -> Staging {
    let set = |names: &[&str]| names.iter().map(|name| path(name)).collect::<BTreeSet<_>>();
    let writable = Writable { write: set(write), delete: set(delete), ..Writable::default() };
    Staging::new(workspace, "T1", writable, memory())
}

/// Makes an edit in a worker's copy and takes it over, and makes it here: both leave the same.
fn same(fixture: &Fixture, write: &[&str], delete: &[&str], edit: impl Fn(&mut Staging)) -> Staging {
    let mut worker = staging(sent(fixture), write, delete);
    edit(&mut worker);
    let mut here = staging(fixture.workspace(), write, delete);
    edit(&mut here);
    let mut taken = staging(fixture.workspace(), write, delete);
    taken.take_over_all(worker.returned()).unwrap();
    assert_eq!(taken.changes(), here.changes());
    assert!(!taken.changes().is_empty());
    assert_eq!(taken.refusals(), here.refusals());
    taken
}

/// Reads a file and writes it with one text in place of another.
fn replace(staging: &mut Staging, name: &str, from: &str, to: &str) {
    let bytes = staging.read(&path(name)).unwrap().unwrap();
    let text = TextFile::decode(&bytes).unwrap().text().replace(from, to);
    staging.write(&path(name), &text).unwrap();
}

#[test]
fn edits_are_taken_over_as_if_they_were_made_here() {
    let fixture = Fixture::new("//- /a.txt\none\n//- /gone.txt\nx\n//- /.editorconfig\n[*.ini]\nend_of_line = crlf\n");
    fixture.write("crlf.txt", b"\xef\xbb\xbfone\r\ntwo\r\n");
    fixture.write("latin.txt", b"caf\xe9\ntwo\n");
    fixture.write("stray.txt", b"caf\xc3\xa9 \x99\ntwo\n");
    fixture.write("empty.txt", b"");
    fixture.write("run.sh", b"#!/bin/sh\none\n");
    #[cfg(unix)]
    fixture.set_mode("run.sh", 0o750);
    let write =
        ["a.txt", "crlf.txt", "latin.txt", "stray.txt", "empty.txt", "run.sh", "new/deep.txt", "new.ini", "void"];
    let taken = same(&fixture, &write, &["gone.txt"], |staging| {
        replace(staging, "a.txt", "one", "1");
        replace(staging, "crlf.txt", "two", "2\nthree");
        replace(staging, "latin.txt", "two", "\u{e9}t\u{e9}");
        replace(staging, "stray.txt", "two", "2");
        replace(staging, "run.sh", "one", "two");
        staging.read(&path("empty.txt")).unwrap();
        staging.write(&path("empty.txt"), "no longer\n").unwrap();
        staging.write(&path("new/deep.txt"), "new\r\n").unwrap();
        staging.write(&path("new.ini"), "a\nb\n").unwrap();
        staging.write(&path("void"), "").unwrap();
        staging.delete(&path("gone.txt")).unwrap();
    });
    let of = |name: &str| taken.changes().into_iter().find(|change| change.path == path(name)).unwrap();
    assert_eq!(of("crlf.txt").after.unwrap(), b"\xef\xbb\xbfone\r\n2\r\nthree\r\n");
    assert_eq!(of("latin.txt").after.unwrap(), b"caf\xe9\n\xe9t\xe9\n");
    assert_eq!(of("stray.txt").after.unwrap(), b"caf\xc3\xa9 \x99\n2\n");
    assert_eq!(of("new.ini").after.unwrap(), b"a\r\nb\r\n");
    #[cfg(unix)]
    assert_eq!(of("run.sh").mode, 0o750, "not the 0755 that the worker has");
}

#[test]
fn moves_are_taken_over_with_mode_and_format() {
    let fixture = Fixture::new("//- /old.sh\none\n//- /a\nA\n//- /b\nB\n//- /foo.py\nx\n");
    fixture.write("crlf.txt", b"one\r\ntwo\r\n");
    fixture.write("logo.bin", b"\0\x01");
    #[cfg(unix)]
    fixture.set_mode("old.sh", 0o700);
    let write = ["new.sh", "a", "b", "tmp", "Foo.py", "unix.txt", "x/logo.bin", "crlf.txt"];
    let delete = ["old.sh", "a", "b", "tmp", "foo.py", "crlf.txt", "logo.bin"];
    let taken = same(&fixture, &write, &delete, |staging| {
        let mut moved = |from: &str, to: &str| staging.move_file(&path(from), &path(to)).unwrap();
        moved("old.sh", "new.sh");
        moved("logo.bin", "x/logo.bin");
        moved("foo.py", "Foo.py");
        moved("crlf.txt", "unix.txt");
        moved("a", "tmp");
        moved("b", "a");
        moved("tmp", "b");
        replace(staging, "unix.txt", "two", "2");
        replace(staging, "new.sh", "one", "two");
        staging.write(&path("crlf.txt"), "anew\n").unwrap();
    });
    let of = |name: &str| taken.changes().into_iter().find(|change| change.path == path(name)).unwrap();
    assert_eq!(of("new.sh").moved_from, Some(path("old.sh")));
    assert_eq!(of("unix.txt").after.unwrap(), b"one\r\n2\r\n");
    assert_eq!((of("a").after.unwrap(), of("b").after.unwrap()), (b"B\n".to_vec(), b"A\n".to_vec()));
    #[cfg(unix)]
    assert_eq!(of("new.sh").mode, 0o700);
}

#[test]
fn a_folder_may_take_the_place_of_a_file() {
    let fixture = Fixture::new("//- /conf\nold\n//- /dir/a\na\n");
    same(&fixture, &["conf/main.cfg", "dir"], &["conf", "dir/a"], |staging| {
        staging.move_file(&path("conf"), &path("conf/main.cfg")).unwrap();
        staging.delete(&path("dir/a")).unwrap();
        staging.write(&path("dir"), "a file\n").unwrap();
    });
}

fn token() -> String {
    format!("ghp_{}", "a1B2".repeat(9))
}

#[test]
fn a_secret_that_the_worker_never_saw_stays() {
    let fixture = Fixture::new("");
    let real = format!("a\r\nt = {}\r\nb\r\n", token());
    fixture.write("conf.py", real.as_bytes());
    fixture.write("moved.py", real.as_bytes());
    fixture.write("data.bin", format!("\0{}", token()).as_bytes());
    let taken = same(&fixture, &["conf.py", "there.py", "x.bin"], &["moved.py", "data.bin"], |staging| {
        replace(staging, "conf.py", "\nb\n", "\nB\n");
        replace(staging, "conf.py", "a\n", "new\n");
        staging.move_file(&path("moved.py"), &path("there.py")).unwrap();
        staging.move_file(&path("data.bin"), &path("x.bin")).unwrap();
    });
    let of = |name: &str| taken.changes().into_iter().find(|change| change.path == path(name)).unwrap();
    let text = String::from_utf8(of("conf.py").after.unwrap()).unwrap();
    assert_eq!(text, format!("new\r\nt = {}\r\nB\r\n", token()));
    assert_eq!(of("there.py").after.unwrap(), real.as_bytes());
    assert_eq!(of("conf.py").before.unwrap().bytes, real.as_bytes());
    same(&fixture, &["conf.py"], &[], |staging| {
        let bytes = staging.read(&path("conf.py")).unwrap().unwrap();
        let text = TextFile::decode(&bytes).unwrap().text().to_owned();
        let without: String = text.split_inclusive('\n').filter(|line| !line.starts_with("t =")).collect();
        staging.write(&path("conf.py"), &without).unwrap();
    });
}

#[test]
fn edits_leave_masked_and_a_worker_goes_on_with_them() {
    let fixture = Fixture::new(&format!("//- /conf.py\nt = \"{}\"\nsize = 0\n//- /plain.txt\none\n", token()));
    let mut here = staging(fixture.workspace(), &["conf.py", "plain.txt", "new.txt"], &[]);
    for (name, from, to) in [("conf.py", "size = 0", "size = 1"), ("plain.txt", "one", "two")] {
        let bytes = here.read(&path(name)).unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap().replace(from, to);
        here.write(&path(name), &text).unwrap();
    }
    here.write(&path("new.txt"), "new\n").unwrap();
    let left = here.returned_as_sent();
    assert_eq!(left.len(), 3);
    for change in &left {
        let text = String::from_utf8(change.after.clone().unwrap()).unwrap();
        assert!(!text.contains(&token()), "{text}");
    }
    let mut worker = staging(sent(&fixture), &["conf.py", "plain.txt", "new.txt"], &[]);
    worker.take_over_all(left).unwrap();
    let mut taken = staging(fixture.workspace(), &["conf.py", "plain.txt", "new.txt"], &[]);
    taken.take_over_all(worker.returned()).unwrap();
    assert_eq!(taken.changes(), here.changes());
}

#[test]
fn a_key_that_is_known_here_stays_here_whatever_its_form() {
    const KEY: &str = "of no known form";
    let fixture = Fixture::new(&format!("//- /conf.py\nkey = \"{KEY}\"\nsize = 0\n"));
    fixture.write("logo.bin", &[b"\0\xff".as_slice(), KEY.as_bytes()].concat());
    let keys = Keys::new(|text| text.contains(KEY).then(|| text.replace(KEY, "<masked by Baton: key>")));
    let workspace = fixture.workspace().with_keys(keys);
    let there = sent_of(&workspace, &fixture);
    assert!(!there.is_file(&path("logo.bin")));
    let mut worker = staging(there, &["conf.py"], &[]);
    let text = String::from_utf8(worker.read(&path("conf.py")).unwrap().unwrap()).unwrap();
    assert_eq!(text, "key = \"<masked by Baton: key>\"\nsize = 0\n");
    worker.write(&path("conf.py"), &text.replace("size = 0", "size = 1")).unwrap();
    let mut taken = staging(workspace, &["conf.py"], &[]);
    taken.take_over_all(worker.returned()).unwrap();
    let after = taken.changes().pop().unwrap().after.unwrap();
    assert_eq!(String::from_utf8(after).unwrap(), format!("key = \"{KEY}\"\nsize = 1\n"));
}

fn returned(name: &str, base: Option<&[u8]>, after: Option<&[u8]>) -> Returned {
    Returned { path: path(name), base: base.map(sha256), after: after.map(<[u8]>::to_vec), moved_from: None }
}

/// Why a change is not taken over, and that nothing of it is.
fn refused(staging: &mut Staging, change: Returned) -> TakeOver {
    let error = staging.take_over(change).unwrap_err();
    assert!(staging.changes().is_empty());
    error
}

fn refusal(error: TakeOver) -> Refused {
    match error {
        TakeOver::Staging(StagingError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_was_changed_here_meanwhile_is_not_taken_over() {
    let fixture = Fixture::new("//- /a.txt\none\n//- /.gitignore\nignored\n//- /ignored\nx\n");
    let mut staging = staging(fixture.workspace(), &["a.txt", "new", "ignored"], &["a.txt", "gone"]);
    for change in [
        returned("a.txt", Some(b"two\n"), Some(b"x\n")),
        returned("a.txt", None, Some(b"x\n")),
        returned("a.txt", Some(b"two\n"), None),
        returned("new", Some(b"was here"), Some(b"x\n")),
        returned("ignored", None, Some(b"x\n")),
    ] {
        let name = change.path.clone();
        match refused(&mut staging, change) {
            TakeOver::Changed(path) => assert_eq!(path, name),
            other => panic!("{other:?}"),
        }
    }
    assert!(staging.refusals().is_empty(), "it is nobody's fault");
    assert!(matches!(refusal(refused(&mut staging, returned("gone", None, None))), Refused::Missing(_)));
    let token_before = format!("t = {}\n", token());
    fixture.write("a.txt", token_before.as_bytes());
    let change = returned("a.txt", Some(token_before.as_bytes()), Some(b"x\n"));
    assert!(matches!(refused(&mut staging, change), TakeOver::Changed(_)), "no worker has the real text");
}

#[cfg(unix)]
#[test]
fn the_checks_for_agents_here_hold_for_workers() {
    let fixture = Fixture::new(
        "//- /a.txt\none\n//- /tls/server.pem\nK\n//- /.github/workflows/ci.yml\nx\n//- /bare/HEAD\nx\n//- /bare/refs/x\nx\n\
         //- /dir/in\nx\n//- /b.txt\nb\n//- /service.json\n{\"type\": \"service_account\", \"private_key\": \"x\"}\n",
    );
    fixture.link("dir", "linked");
    let write = [
        "tls/server.pem",
        ".github/workflows/ci.yml",
        "bare/objects/x",
        "linked/in",
        "dir",
        "service.json",
        ".git/config",
        "c",
    ];
    let mut staging = staging(fixture.workspace(), &write, &["b.txt"]);
    let mut refusal = |name: &str, base: Option<&[u8]>, after: Option<&[u8]>| {
        refusal(refused(&mut staging, returned(name, base, after)))
    };
    let new = Some(&b"x\n"[..]);
    assert!(matches!(refusal("a.txt", Some(b"one\n"), new), Refused::Elsewhere { .. }));
    assert!(matches!(refusal("b.txt", Some(b"b\n"), new), Refused::ForDeletion(_)));
    assert!(matches!(refusal("c", None, None), Refused::NotForDeletion(_)));
    assert!(matches!(refusal(".git/config", None, new), Refused::Never(_)));
    assert!(matches!(refusal(".github/workflows/ci.yml", Some(b"x\n"), new), Refused::Protected(_)));
    assert!(matches!(refusal("bare/objects/x", None, new), Refused::GitFolder(_)));
    assert!(matches!(refusal("linked/in", Some(b"x\n"), new), Refused::Link(_)));
    assert!(matches!(refusal("dir", None, new), Refused::InTheWay { .. }));
    assert!(matches!(refusal("tls/server.pem", None, new), Refused::Secret(_)));
    assert!(matches!(refusal("service.json", None, new), Refused::Secret(_)));
    let move_from_elsewhere = Returned { moved_from: Some(path("a.txt")), ..returned("c", None, Some(b"one\n")) };
    assert!(matches!(self::refusal(refused(&mut staging, move_from_elsewhere)), Refused::Elsewhere { .. }));
    let told: Vec<String> = staging.refusals().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 8, "{told:?}");
}

/// A file, its base, its new content, and the reason against it.
type Case<'a> = (&'a str, Option<&'a [u8]>, &'a [u8], &'a str);

#[test]
fn what_no_agent_could_write_is_refused() {
    let fixture = Fixture::new("//- /a.txt\none\n");
    let secret = format!("a\nt = {}\nb\n", token());
    fixture.write("conf.py", secret.as_bytes());
    fixture.write("logo.bin", b"\0\x01");
    let masked = secret.replace(&token(), "<masked by Baton: GitHub token>");
    let mut staging = staging(fixture.workspace(), &["a.txt", "new", "conf.py", "logo.bin"], &[]);
    let large = vec![b'x'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1];
    let edited = masked.replace("t =", "u =");
    let doubled = format!("{masked}{masked}");
    let cases: [Case<'_>; 8] = [
        ("a.txt", Some(b"one\n"), b"\0\x01\x02", "it is binary"),
        ("new", None, b"\0\x01\x02", "it is binary"),
        ("logo.bin", Some(b"\0\x01"), b"text\n", "it is binary"),
        ("a.txt", Some(b"one\n"), &large, "it has 10485761 bytes"),
        ("new", None, b"<masked by Baton: x>\n", "line 1 of it has a mask"),
        ("a.txt", Some(b"one\n"), b"one\n<masked by Baton: x>\n", "line 2 of it has a mask"),
        ("conf.py", Some(masked.as_bytes()), edited.as_bytes(), "line 2 of it has a mask"),
        ("conf.py", Some(masked.as_bytes()), doubled.as_bytes(), "of it has a mask"),
    ];
    for (name, base, after, why) in cases {
        let error = refused(&mut staging, returned(name, base, Some(after)));
        assert!(matches!(&error, TakeOver::Refused { .. }) && error.to_string().contains(why), "{name}: {error}");
    }
}

#[test]
fn all_is_taken_over_or_nothing() {
    let fixture = Fixture::new("//- /a.txt\none\n//- /b.txt\ntwo\n");
    let mut staging = staging(fixture.workspace(), &["a.txt", "b.txt"], &[]);
    let both =
        |base: &[u8]| [returned("a.txt", Some(b"one\n"), Some(b"1\n")), returned("b.txt", Some(base), Some(b"2\n"))];
    assert!(matches!(staging.take_over_all(both(b"older\n")), Err(TakeOver::Changed(_))));
    assert!(staging.changes().is_empty());
    staging.take_over_all(both(b"two\n")).unwrap();
    assert_eq!(staging.changes().len(), 2);
}

#[test]
fn a_refusal_is_recorded_again_only_where_it_holds_here() {
    let fixture = Fixture::new("//- /a.txt\none\n//- /tls/server.pem\nK\n");
    let mut staging = staging(fixture.workspace(), &["a.txt", "tls/server.pem"], &[]);
    assert!(!staging.refuse_again(&path("a.txt")) && staging.refusals().is_empty());
    assert!(staging.refuse_again(&path("other.txt")) && staging.refuse_again(&path(".git/config")));
    assert!(staging.refuse_again(&path("tls/server.pem")) && staging.refuse_again(&path("other.txt")));
    let told: Vec<_> = staging.refusals().iter().map(std::mem::discriminant).collect();
    let elsewhere = Refused::Elsewhere { path: path("x"), allowed: String::new() };
    let expected = [elsewhere, Refused::Never(path("x")), Refused::Secret(path("x"))];
    assert_eq!(told, expected.map(|refused| std::mem::discriminant(&refused)));
}
