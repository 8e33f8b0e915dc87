use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::survey::{LIMITS, Limits};
use super::*;

use crate::workspace::fixture::{Blobs, Fixture, Opened, memory, path};
use crate::workspace::{Interrupt, OpenBuffers, TextFile, Workspace, sha256};

fn tree(workspace: &Workspace) -> Tree {
    Tree::of(workspace, &memory(), &[], None, &Interrupt::never()).unwrap()
}

/// Sends what is not sent yet, and returns the manifest and the packs.
fn sent(tree: &mut Tree, sent: &mut Sent) -> (Manifest, Vec<Pack>) {
    let known = sent.clone();
    let packs: Vec<Pack> = tree.packs(&|blob| known.has(blob)).map(Result::unwrap).collect();
    packs.iter().for_each(|pack| sent.add(pack));
    (tree.manifest(sent).unwrap(), packs)
}

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.entries().iter().map(|entry| entry.path.as_str()).collect()
}

fn token() -> String {
    format!("ghp_{}", "a1B2".repeat(9))
}

const FILES: &str = "\
//- /.gitignore
target/
//- /.git/config
x
//- /.env
KEY=1
//- /.agent_memory/plan.json
{}
//- /src/main.rs
fn main() {}
//- /target/out
x
//- /key.json
{\"type\": \"service_account\", \"private_key\": \"x\"}
";

#[test]
fn a_task_is_sent_the_files_that_its_plan_lists_though_git_ignores_them_but_no_secret() {
    let fixture = Fixture::new(FILES);
    let also =
        [".env", ".git/config", ".agent_memory/plan.json", "target/out", "key.json", "new.rs", "src/main.rs"].map(path);
    let mut tree = Tree::of(&fixture.workspace(), &memory(), &also, None, &Interrupt::never()).unwrap();
    let (manifest, _) = sent(&mut tree, &mut Sent::default());
    assert_eq!(names(&manifest), [".gitignore", "src/main.rs", "target/out"]);
}

#[cfg(unix)]
#[test]
fn what_agents_may_read_comes_to_another_folder_as_it_is() {
    let fixture = Fixture::new(FILES);
    fixture.write("logo.bin", b"\0\xff\x01");
    fixture.write("empty", b"");
    fixture.write("crlf.txt", b"\xef\xbb\xbfone\r\n");
    fixture.write("run.sh", b"#!/bin/sh\n");
    fixture.set_mode("run.sh", 0o750);
    fixture.link("src/main.rs", "link.rs");
    fixture.link("/etc", "etc");
    std::fs::hard_link(fixture.root().join(".env"), fixture.root().join("plain")).unwrap();
    let (manifest, packs) = sent(&mut tree(&fixture.workspace()), &mut Sent::default());
    let expected = [".gitignore", "crlf.txt", "empty", "logo.bin", "run.sh", "src/main.rs"];
    assert_eq!(names(&manifest), expected);
    let manifest = Manifest::parse(&manifest.to_bytes()).unwrap();
    let mut blobs = Blobs::default();
    assert_eq!(manifest.missing_packs(&mut blobs), [packs[0].name.as_str()]);
    assert_eq!(unpack(&packs[0].bytes, &packs[0].name, &mut blobs).unwrap(), 6);
    assert!(manifest.missing_packs(&mut blobs).is_empty());
    let dir = fixture.outside().join("worker/tree");
    manifest.put_in_place(&dir, &mut blobs).unwrap();
    let copy = Workspace::open(&dir).unwrap();
    for entry in manifest.entries() {
        let (here, there) = (fixture.read(entry.path.as_str()).unwrap(), copy.read(&entry.path).unwrap().unwrap());
        assert_eq!((&here, &entry.sha256, entry.size), (&there.bytes, &there.sha256, here.len() as u64));
        assert_eq!(there.mode, if entry.executable { 0o755 } else { 0o644 }, "{}", entry.path);
    }
    assert_eq!(manifest.entry(&path("run.sh")).map(|entry| entry.executable), Some(true));
    // The copy is the same tree, in the same packs.
    let (again, packs_again) = sent(&mut tree(&copy), &mut Sent::default());
    assert_eq!((again.to_bytes(), packs_again), (manifest.to_bytes(), packs));
    assert!(matches!(manifest.put_in_place(&dir, &mut blobs), Err(PlaceError::NotEmpty(_))));
}

#[test]
fn unsaved_texts_are_sent_as_they_will_be_saved() {
    let fixture = Fixture::new("//- /a.txt\none\n");
    fixture.write("a.txt", b"one\r\n");
    let editor = Arc::new(Opened::default());
    let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
    editor.set("a.txt", "one\nmine\n", true);
    let (manifest, _) = sent(&mut tree(&workspace), &mut Sent::default());
    assert_eq!(manifest.entries()[0].sha256, sha256(b"one\r\nmine\r\n"));
}

#[test]
fn no_secret_inside_a_file_leaves() {
    let fixture = Fixture::new("");
    let token = token();
    let line = format!("a = 1\r\ntoken = \"{token}\"\r\n");
    fixture.write("conf.py", line.as_bytes());
    let wide: Vec<u8> = format!("\u{feff}{line}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fixture.write("wide.txt", &wide);
    fixture.write("data.bin", format!("\0\u{1}{token}\0").as_bytes());
    fixture.write("plain.txt", b"<masked by Baton: nothing>\n");
    let (manifest, packs) = sent(&mut tree(&fixture.workspace()), &mut Sent::default());
    let mut blobs = Blobs::default();
    for pack in &packs {
        assert!(memchr::memmem::find(&pack.bytes, token.as_bytes()).is_none());
        unpack(&pack.bytes, &pack.name, &mut blobs).unwrap();
    }
    let masked: Vec<bool> = manifest.entries().iter().map(|entry| entry.masked).collect();
    assert_eq!(
        (names(&manifest), masked),
        (vec!["conf.py", "data.bin", "plain.txt", "wide.txt"], vec![true, true, false, true])
    );
    let blob = |name: &str| blobs.0[&manifest.entry(&path(name)).unwrap().sha256].clone();
    assert_eq!(blob("conf.py"), b"a = 1\r\ntoken = \"<masked by Baton: GitHub token>\"\r\n");
    assert_eq!(blob("data.bin"), format!("\0\u{1}{}\0", "x".repeat(token.len())).as_bytes());
    let shown = TextFile::decode(&blob("wide.txt")).unwrap();
    assert!(shown.text().contains("GitHub token") && blob("wide.txt").starts_with(b"\xff\xfe"));
}

#[test]
fn a_small_change_is_one_small_pack() {
    let fixture = Fixture::new("//- /a.txt\na\n//- /b/b.txt\nb\n//- /c.txt\na\n");
    let mut known = Sent::default();
    let (first, packs) = sent(&mut tree(&fixture.workspace()), &mut known);
    assert_eq!((packs.len(), packs[0].blobs.len()), (1, 2), "a content that is there twice is sent once");
    assert!(sent(&mut tree(&fixture.workspace()), &mut known).1.is_empty());
    fixture.write("b/b.txt", b"new\n");
    let (second, more) = sent(&mut tree(&fixture.workspace()), &mut known);
    assert_eq!(more.len(), 1);
    assert_eq!(more[0].blobs, [sha256(b"new\n")]);
    let mut both = [packs[0].name.clone(), more[0].name.clone()];
    both.sort();
    assert_eq!((first.packs(), second.packs()), (&[packs[0].name.clone()][..], &both[..]));
    let saved: Sent = serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
    assert_eq!(saved, known);
    known.forget(&packs[0].name);
    assert!(tree(&fixture.workspace()).manifest(&known).unwrap_err().to_string().starts_with("the content of a.txt"));
    assert_eq!(sent(&mut tree(&fixture.workspace()), &mut known).1[0].blobs, [sha256(b"a\n")]);
}

fn within(fixture: &Fixture, limits: Limits) -> Result<Tree, TreeError> {
    Tree::within(limits, &fixture.workspace(), (&memory(), &[]), None, &Interrupt::never())
}

#[test]
fn packs_are_cut_before_they_are_too_large() {
    let fixture = Fixture::new("//- /a\n123\n//- /b\n456\n//- /c\n12345678\n//- /d\n9\n");
    let mut tree = within(&fixture, Limits { pack_bytes: 8, ..LIMITS }).unwrap();
    let (manifest, packs) = sent(&mut tree, &mut Sent::default());
    let counts: Vec<usize> = packs.iter().map(|pack| pack.blobs.len()).collect();
    assert_eq!(counts, [2, 1, 1], "one that is larger alone has a pack of its own");
    assert_eq!((manifest.packs().len(), tree.len(), tree.bytes(), tree.is_empty()), (3, 4, 19, false));
}

#[test]
fn a_tree_that_is_too_large_is_not_sent_and_the_error_says_what_to_do() {
    let fixture = Fixture::new("//- /a\n123\n//- /b\n456\n");
    let error = |limits| within(&fixture, limits).unwrap_err();
    let large = error(Limits { file_bytes: 3, ..LIMITS });
    assert!(large.to_string().starts_with("a has 4 bytes, and no file of more than 3 is sent"), "{large}");
    assert!(matches!(error(Limits { bytes: 7, ..LIMITS }), TreeError::TooLarge { limit: 7 }));
    assert!(matches!(error(Limits { files: 1, ..LIMITS }), TreeError::TooManyFiles { limit: 1 }));
    assert!(error(Limits { files: 1, ..LIMITS }).to_string().contains("have git ignore"));
    let stopped = Interrupt::never();
    stopped.stop();
    assert!(Tree::of(&fixture.workspace(), &memory(), &[], None, &stopped).is_err());
}

#[test]
fn what_changes_before_it_is_packed_is_sent_as_it_is_then() {
    let fixture = Fixture::new("//- /a\nsame\n//- /b\nsame\n//- /c\ngone\n//- /d\nd\n");
    let mut tree = tree(&fixture.workspace());
    fixture.write("a", b"other\n");
    fixture.remove("c");
    let (manifest, packs) = sent(&mut tree, &mut Sent::default());
    assert_eq!(names(&manifest), ["a", "b", "d"]);
    assert_eq!(packs[0].blobs, [sha256(b"other\n"), sha256(b"same\n"), sha256(b"d\n")]);
    assert_eq!(manifest.entry(&path("a")).unwrap().sha256, sha256(b"other\n"));
}

#[test]
fn a_pack_that_is_not_what_it_says_is_refused() {
    let fixture = Fixture::new("//- /a\nabc\n");
    let pack = sent(&mut tree(&fixture.workspace()), &mut Sent::default()).1.remove(0);
    let mut blobs = Blobs::default();
    let mut damaged = pack.bytes.clone();
    *damaged.last_mut().unwrap() = b'x';
    assert!(matches!(unpack(&damaged, &pack.name, &mut blobs), Err(PackError::NotItsName(_))));
    let blob = |bytes: &[u8], size: usize| format!("{{\"sha256\":\"{}\",\"size\":{size}}}", sha256(bytes));
    let head = |version: u32, blobs: &str| format!("{{\"version\":{version},\"blobs\":[{blobs}]}}\n");
    for (bytes, why) in [
        (String::new(), "no end"),
        ("{}\n".to_owned(), "missing field"),
        (head(2, ""), "version 2"),
        (head(1, &blob(b"abc", 3)) + "abd", "is not what its name says"),
        (head(1, &blob(b"abc", 4)) + "abc", "ends too early"),
        (head(1, &blob(b"abc", usize::MAX)) + "abc", "ends too early"),
        (head(1, "") + "abc", "3 bytes stand behind"),
    ] {
        let error = unpack(bytes.as_bytes(), &sha256(bytes.as_bytes()), &mut blobs).unwrap_err();
        assert!(matches!(&error, PackError::Malformed { .. }) && error.to_string().contains(why), "{error}");
    }
    assert!(blobs.0.is_empty());
}

/// A manifest with these paths, as another machine may send it.
fn hostile(paths: &[&str]) -> Vec<u8> {
    let hash = sha256(b"");
    let entry = |path: &&str| {
        let file = serde_json::json!({ "path": path, "sha256": hash, "size": 0, "executable": false });
        let mut file = file.as_object().unwrap().clone();
        file.extend([("masked".to_owned(), false.into()), ("pack".to_owned(), 0.into())]);
        file
    };
    let entries: Vec<_> = paths.iter().map(entry).collect();
    serde_json::to_vec(&serde_json::json!({ "version": 1, "packs": [hash], "entries": entries })).unwrap()
}

#[test]
fn a_manifest_names_only_files_that_a_tree_may_have() {
    assert_eq!(Manifest::parse(&hostile(&["a", "b/c", "b/d.rs"])).unwrap().entries().len(), 3);
    for (paths, why) in [
        (&["../a"][..], "leaves the workspace"),
        (&["/etc/a"], "not relative"),
        (&["a/./b"], "not in the form"),
        (&["a//b"], "not in the form"),
        (&["a\\b"], "not in the form"),
        (&["a", "a"], "is there twice"),
        (&["b", "a"], "not in its place"),
        (&["a", "a.b", "a/b/c"], "a/b/c lies below a file"),
        (&[".git/config"], "belongs to git"),
        (&["x/.GIT/config"], "belongs to git"),
        (&["git~1/config"], "belongs to git"),
        (&[".agent_memory/plan.json"], "belongs to git or to Baton"),
        (&[".env"], "may hold secrets"),
        (&["x/id_rsa"], "may hold secrets"),
    ] {
        let error = Manifest::parse(&hostile(paths)).unwrap_err().to_string();
        assert!(error.contains(why), "{paths:?}: {error}");
    }
}

#[test]
fn a_manifest_that_is_malformed_or_too_large_is_refused() {
    let good = String::from_utf8(hostile(&["a"])).unwrap();
    let hash = sha256(b"");
    let large = format!("\"size\":{}", 1_u64 << 40);
    for (from, to, why) in [
        ("\"version\":1", "\"version\":2", "version 2"),
        ("\"version\":1", "\"version\": 1", "not in the form"),
        ("\"masked\":false", "\"masked\":false,\"more\":1", "unknown field"),
        ("\"pack\":0", "\"pack\":1", "in none of its packs"),
        (hash.as_str(), "../../x", "no SHA-256"),
        ("\"size\":0", large.as_str(), "more than 200000 files"),
        ("}", "", "cannot be read"),
    ] {
        let error = Manifest::parse(good.replace(from, to).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{from} as {to}: {error}");
    }
    assert!(matches!(Manifest::parse(&vec![b' '; (64 << 20) + 1]), Err(ManifestError::TooLarge(_))));
}

#[test]
fn bytes_that_are_nearly_a_manifest_or_a_pack_are_refused_without_more() {
    let fixture = Fixture::new("//- /a.txt\none\n//- /b/c.txt\ntwo\n");
    let (manifest, packs) = sent(&mut tree(&fixture.workspace()), &mut Sent::default());
    let mut random = fastrand::Rng::with_seed(20_261_128);
    for _ in 0..4_000 {
        let (mut manifest, mut pack) = (manifest.to_bytes(), packs[0].bytes.clone());
        for bytes in [&mut manifest, &mut pack] {
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bytes.len());
                match random.u8(..3) {
                    0 => bytes[at] = random.u8(..),
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random.u8(..)),
                }
            }
        }
        if let Ok(parsed) = Manifest::parse(&manifest) {
            assert_eq!(parsed.to_bytes(), manifest, "what is read is what stands there");
        }
        let mut blobs = Blobs::default();
        if unpack(&pack, &sha256(&pack), &mut blobs).is_ok() {
            assert!(blobs.0.iter().all(|(name, bytes)| sha256(bytes) == *name));
        }
    }
}

#[test]
fn what_is_missing_or_has_another_size_is_not_put_in_place() {
    let fixture = Fixture::new("");
    let manifest = Manifest::parse(&hostile(&["a/b"])).unwrap();
    let place = |name: &str, blobs: &mut Blobs| manifest.put_in_place(&fixture.root().join(name), blobs);
    let missing = place("x", &mut Blobs::default()).unwrap_err();
    assert!(matches!(&missing, PlaceError::Missing { path, .. } if path.as_str() == "a/b"), "{missing}");
    let mut wrong = Blobs(BTreeMap::from([(sha256(b""), b"x".to_vec())]));
    assert!(matches!(place("y", &mut wrong), Err(PlaceError::Missing { .. })));
}

#[test]
fn names_that_are_one_on_the_disk_clash() {
    let fixture = Fixture::new("");
    let manifest = Manifest::parse(&hostile(&["A", "a"])).unwrap();
    let mut blobs = Blobs(BTreeMap::from([(sha256(b""), Vec::new())]));
    let placed = manifest.put_in_place(&fixture.root().join("x"), &mut blobs);
    match fixture.folds_case() {
        true => assert!(matches!(placed, Err(PlaceError::Clash(_)))),
        false => placed.unwrap(),
    }
}

fn set_used(folder: &Path, name: &str, seconds_ago: u64) {
    let file = std::fs::File::options().write(true).open(folder.join(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
}

#[test]
fn a_cache_keeps_what_was_used_last_and_returns_nothing_that_is_damaged() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("cache/blobs");
    let mut cache = BlobCache::open(&folder, 20).unwrap();
    let contents = [&b"11111111"[..], b"22222222", b"33333333"];
    let [one, two, three] = contents.map(sha256);
    assert_eq!(cache.get(&one).unwrap(), None);
    cache.put(&one, contents[0]).unwrap();
    cache.put(&two, contents[1]).unwrap();
    set_used(&folder, &one, 200);
    set_used(&folder, &two, 100);
    assert!(cache.has(&one) && !cache.has(&three) && !cache.has("../x"));
    cache.put(&three, contents[2]).unwrap();
    assert!(!cache.has(&two), "it was not used for the longest time");
    assert_eq!(
        (cache.get(&one).unwrap().as_deref(), cache.get(&three).unwrap().as_deref()),
        (Some(contents[0]), Some(contents[2]))
    );
    std::fs::write(folder.join(&one), b"1111111x").unwrap();
    assert_eq!(cache.get(&one).unwrap(), None);
    assert!(!folder.join(&one).exists(), "what is damaged is gone");
    assert!(cache.put("../x", b"").is_err());
    std::fs::write(folder.join("0.tmp"), b"").unwrap();
    std::fs::write(folder.join("1.tmp"), b"").unwrap();
    set_used(&folder, "0.tmp", 7200);
    let mut cache = BlobCache::open(&folder, 4).unwrap();
    assert!(!cache.has(&three), "a smaller limit holds from the start");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "a file that may be being written is left");
}

#[test]
fn a_full_disk_is_said() {
    let full = BlobError::of(Path::new("/cache"), std::io::ErrorKind::StorageFull.into());
    assert_eq!(full.to_string(), "the disk that holds /cache is full, or a quota is used up; make room there");
    let other = BlobError::of(Path::new("/cache"), std::io::ErrorKind::PermissionDenied.into());
    assert!(other.to_string().starts_with("/cache cannot be used"), "{other}");
}

#[test]
fn secrets_come_back_into_an_edit_of_what_was_shown() {
    let token = token();
    let (real, mask) = (format!("a\nt = {token}\nb\n"), "t = <masked by Baton: GitHub token>");
    let none = Keys::default();
    let back = |edited: &str| with_secrets_back(&real, edited, &none);
    assert_eq!(back(&format!("A\n{mask}\nB\n")).unwrap(), format!("A\nt = {token}\nB\n"), "in the lines around it too");
    assert_eq!(back("a\nb\n").unwrap(), "a\nb\n", "it may be removed");
    assert_eq!(back(&format!("a\n{mask}\nb\n")).unwrap(), real);
    for (edited, line) in [(format!("a\nu{mask}\nb\n"), 2), (format!("a\n{mask}\nb\n{mask}\n"), 4)] {
        let error = back(&edited).unwrap_err();
        assert!(error.to_string().starts_with(&format!("line {line} of it has a mask")), "{error}");
    }
    let literal = "see <masked by Baton: x>\na\n";
    assert_eq!(
        with_secrets_back(literal, "a\nsee <masked by Baton: x>\n", &none).unwrap(),
        "a\nsee <masked by Baton: x>\n"
    );
    assert!(with_secrets_back("", "<masked by Baton: x>\n", &none).is_err());
}

#[test]
fn a_secret_is_not_taken_for_another_and_not_shown_in_part() {
    use super::masking::CannotUnmask;
    let (none, other) = (Keys::default(), format!("ghp_{}", "c3D4".repeat(9)));
    let mask = "t = <masked by Baton: GitHub token>";
    let two = format!("t = {}\nx\nt = {other}\n", token());
    assert_eq!(with_secrets_back(&two, &format!("{mask}\nX\n{mask}\n"), &none).unwrap(), two.replace('x', "X"));
    assert_eq!(with_secrets_back(&two, &format!("x\n{mask}\n"), &none), Err(CannotUnmask::Ambiguous));
    let body: String = (0..6).map(|line| format!("{}\n", format!("{line}aB3").repeat(16))).collect();
    let key = format!("k\n-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\nend\n");
    let shown = crate::workspace::masked(&key).into_owned();
    assert_eq!(with_secrets_back(&key, &shown.replace("end", "END"), &none).unwrap(), key.replace("end", "END"));
    let cut = shown.replacen("<masked by Baton: private key>\n", "", 1);
    let error = with_secrets_back(&key, &cut, &none).unwrap_err();
    assert!(matches!(error, CannotUnmask::Ambiguous | CannotUnmask::Shown), "{error}");
    assert_eq!(with_secrets_back(&key, "k\nend\n", &none).unwrap(), "k\nend\n");
}
