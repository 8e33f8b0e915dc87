use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::codec::{decode, encode};
use super::index::Interner;
use super::scan::{most_tries, scan};
use super::*;
use crate::contracts::RepoPath;
use crate::workspace::{CacheFile, Interrupt, Interrupted, Stamp, sha256};

/// Files in memory; counts how many were read as text.
#[derive(Default)]
struct Files {
    texts: BTreeMap<&'static str, Vec<u8>>,
    parsed: AtomicUsize,
    read: AtomicUsize,
    /// Whether its files have stamps: their texts' own.
    are_stamped: bool,
}

impl Files {
    fn of(files: &[(&'static str, &str)]) -> Self {
        let texts = files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())).collect();
        Self { texts, ..Self::default() }
    }

    fn paths(&self) -> Vec<RepoPath> {
        self.texts.keys().map(|path| RepoPath::parse(path).unwrap()).collect()
    }

    fn map(&self, cache: Option<&CacheFile>) -> Map {
        self.parsed.store(0, Ordering::Relaxed);
        self.read.store(0, Ordering::Relaxed);
        Map::of(&self.paths(), self, cache, &Interrupt::never()).unwrap()
    }

    fn parsed(&self) -> usize {
        self.parsed.load(Ordering::Relaxed)
    }
}

impl Sources for Files {
    fn stamp(&self, path: &RepoPath) -> Option<Stamp> {
        let text = self.texts.get(path.as_str()).filter(|_| self.are_stamped)?;
        sha256(&[path.as_str().as_bytes(), text].concat()).as_bytes().first_chunk().copied()
    }

    fn read(&self, path: &RepoPath) -> Option<Blob> {
        self.read.fetch_add(1, Ordering::Relaxed);
        let bytes = self.texts.get(path.as_str())?.clone();
        Some(Blob { sha256: sha256(&bytes), bytes })
    }

    fn text(&self, bytes: &[u8]) -> Option<String> {
        self.parsed.fetch_add(1, Ordering::Relaxed);
        String::from_utf8(bytes.to_vec()).ok()
    }
}

fn first(map: &Map, task: &str) -> String {
    map.ranking(task)[0].to_string()
}

fn sample() -> Files {
    Files::of(&[
        (
            "src/retry.rs",
            "pub fn retry_after(error: &HttpError) -> u64 { backoff(1) }\nfn backoff(n: u64) -> u64 { n }\n",
        ),
        (
            "src/http/error.rs",
            "pub struct HttpError { status: u16 }\nimpl HttpError {\n    pub fn is_final(&self) -> bool { true }\n}\n",
        ),
        ("src/main.rs", "fn main() { retry_after(&HttpError { status: 500 }); HttpError::new().is_final(); }\n"),
        ("docs/guide.md", "# Guide\nNothing of it.\n"),
        ("logo.png", "\0"),
    ])
}

#[test]
fn what_the_task_names_comes_first() {
    let map = sample().map(None);
    assert_eq!(first(&map, "Wait longer when retrying"), "src/retry.rs");
    assert_eq!(first(&map, "`is_final` is wrong"), "src/http/error.rs");
    assert_eq!(first(&map, "Look at src/main.rs"), "src/main.rs");
    assert_eq!(first(&map, "Rewrite the guide"), "docs/guide.md");
    // Without a word of it, what others refer to.
    assert_eq!(first(&map, ""), "src/http/error.rs");
}

#[test]
fn files_that_the_first_ones_refer_to_follow_them() {
    let mut files = sample();
    files.texts.insert("src/other.rs", b"pub fn elsewhere() {}\n".to_vec());
    let map = files.map(None);
    let ranking: Vec<String> = map.ranking("retry").iter().map(ToString::to_string).collect();
    let place = |path: &str| ranking.iter().position(|ranked| ranked == path).unwrap();
    assert!(place("src/http/error.rs") < place("src/other.rs"), "{ranking:?}");
}

#[test]
fn a_map_shows_definitions_with_lines_and_stays_within_its_bytes() {
    let mut files = sample();
    files.texts.insert("data.bin", vec![0xff, 0xfe, 0]);
    let map = files.map(None);
    let text = map.render("retry", 4_000);
    assert!(text.starts_with("src/retry.rs (2 lines)\n  1-1 function retry_after\n  2-2 function backoff\n"), "{text}");
    assert!(text.contains("  2-4 impl HttpError\n    3-3 method is_final\n"), "{text}");
    assert!(!text.contains("data.bin"), "{text}");
    for most in [0, 1, 50, 150] {
        let text = map.render("retry", most);
        let (note, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.contains(" not shown: "));
        assert!(note.len() == 1 && rest.iter().map(|line| line.len() + 1).sum::<usize>() <= most, "{text}");
    }
    assert_eq!(Files::default().map(None).render("retry", 100), "");
}

#[test]
fn what_was_read_is_read_once_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheFile::of(folder.path(), Path::new("/w"), 1 << 20);
    let mut files = sample();
    let cold = files.map(Some(&cache)).render("retry", 4_000);
    assert_eq!(files.parsed(), 5);
    assert_eq!(files.map(Some(&cache)).render("retry", 4_000), cold);
    assert_eq!(files.parsed(), 0);
    let moved = files.texts.remove("src/retry.rs").unwrap();
    files.texts.insert("src/wait.rs", moved);
    files.texts.insert("src/main.rs", b"fn main() {}\n".to_vec());
    assert_eq!(first(&files.map(Some(&cache)), "retry"), "src/wait.rs");
    assert_eq!(files.parsed(), 1, "only what is new is read");
}

#[test]
fn a_file_whose_state_is_known_is_not_even_read() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheFile::of(folder.path(), Path::new("/w"), 1 << 20);
    let mut files = Files { are_stamped: true, ..sample() };
    let read = |files: &Files| files.read.load(Ordering::Relaxed);
    let cold = files.map(Some(&cache)).render("retry", 4_000);
    assert_eq!(read(&files), 5);
    assert_eq!(files.map(Some(&cache)).render("retry", 4_000), cold);
    assert_eq!((read(&files), files.parsed()), (0, 0));
    files.texts.insert("src/retry.rs", b"fn other() {}\n".to_vec());
    assert_ne!(files.map(Some(&cache)).render("retry", 4_000), cold);
    assert_eq!((read(&files), files.parsed()), (1, 1), "only what changed");
    files.are_stamped = false;
    files.map(Some(&cache));
    assert_eq!((read(&files), files.parsed()), (5, 0), "without a stamp a file is read to know it");
}

#[test]
fn a_broken_cache_costs_time_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheFile::of(folder.path(), Path::new("/w"), 1 << 20);
    let files = Files { are_stamped: true, ..sample() };
    let expected = files.map(Some(&cache)).render("retry", 4_000);
    let whole = cache.read(1 << 20).unwrap();
    let index = decode(&whole).unwrap();
    assert_eq!(encode(&index), whole);
    for cut in 0..whole.len() {
        assert!(decode(&whole[..cut]).is_none());
        let mut changed = whole.clone();
        changed[cut] ^= 0x41;
        assert!(decode(&changed).is_none(), "byte {cut}");
    }
    cache.write(b"baton-map-3\n nonsense").unwrap();
    assert_eq!(files.map(Some(&cache)).render("retry", 4_000), expected);
    assert_eq!(cache.read(1 << 20), Some(whole), "and it is made anew");
}

#[test]
fn numbers_that_lead_nowhere_are_no_index() {
    // As above, with a sum that is right.
    let files = sample();
    let index = {
        let map = files.map(None);
        encode(map.index())
    };
    let body = &index[..index.len() - 8];
    for place in 12..body.len() {
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let mut changed = body.to_vec();
            changed[place] = byte;
            let sum = super::codec::checksum(&changed);
            changed.extend_from_slice(&sum.to_le_bytes());
            if let Some(read) = decode(&changed) {
                // Whatever was read can be shown.
                let _ = Map::with_index(read, &files.paths()).render("retry error", 4_000);
            }
        }
    }
}

#[test]
fn an_interrupt_is_heard() {
    let files = sample();
    let stopped = Interrupt::never();
    stopped.stop();
    let outcome = Map::of(&files.paths(), &files, None, &stopped);
    assert_eq!(outcome.err(), Some(Interrupted::Stopped));
}

#[test]
fn what_speaks_of_everything_comes_after_what_it_speaks_of() {
    let long = "retry backoff jitter sleep wait again ".repeat(50);
    let files = Files::of(&[
        ("CHANGELOG.md", &long),
        ("docs/releases/2.txt", &long),
        ("locale/hr/retry.po", &long),
        ("vendor/wait/wait.c", &long),
        ("src/client.rs", "fn send() { retry(); jitter(); backoff(); }\n"),
    ]);
    let map = files.map(None);
    assert_eq!(first(&map, "Retry with jitter and backoff"), "src/client.rs");
    assert_eq!(first(&map, "Mention retries in the changelog"), "CHANGELOG.md");
}

#[test]
fn a_name_in_the_path_or_of_a_definition_counts_however_long_the_file_is() {
    let filler = "buffer size value length check error ".repeat(2_000);
    let long = format!("{filler}\nfn floatformat() {{}}\n");
    let speaks = "/* floatformat, base64: buffer size value length */\n".repeat(30);
    let files = Files::of(&[("src/filters.rs", &long), ("src/gbase64.rs", &filler), ("src/other.rs", &speaks)]);
    let map = files.map(None);
    assert_eq!(first(&map, "Bound the memory of floatformat"), "src/filters.rs");
    assert_eq!(first(&map, "gbase64: check the size of the buffer, its length and its value"), "src/gbase64.rs");
}

/// Text of about this many bytes that its grammar does not understand.
fn broken(bytes: usize) -> String {
    let piece = "fn first() { ((( if { match [ \"\n}}} <<< struct ) => fn { let & & & impl\n";
    piece.repeat(bytes / piece.len())
}

#[test]
fn what_there_was_no_time_for_is_said_and_read_by_the_next_map() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheFile::of(folder.path(), Path::new("/w"), 1 << 20);
    let files = sample();
    let none = Map::within(Duration::ZERO, &files.paths(), &files, Some(&cache), &Interrupt::never()).unwrap();
    assert_eq!(none.render("retry", 4_000), "There was no time for 5 files: outline this again, or a folder of it.\n");
    assert!(files.map(Some(&cache)).render("retry", 4_000).starts_with("src/retry.rs (2 lines)\n  1-1 function"));
}

#[test]
fn a_text_that_took_too_long_has_what_its_lines_show_and_is_tried_again() {
    let text = "pub fn wanted() {\n}\n".repeat(1_000);
    let never = Interrupt::never();
    let read = |tries, end| {
        let mut interner = Interner::default();
        let entry = scan("a.rs", &text, tries, end, &never).unwrap().numbered(&mut interner);
        (entry.tries, entry.definitions.len(), entry.definitions[0].lines)
    };
    assert_eq!(read(0, Instant::now()), (1, 1_000, (1, 1)));
    // A try that the folder's time cut short is none.
    assert_eq!(read(1, Instant::now()), (1, 1_000, (1, 1)));
    assert_eq!(read(2, Instant::now() + Duration::from_secs(600)), (0, 1_000, (1, 2)));
}

#[test]
fn what_was_tried_in_vain_is_tried_a_few_times_and_never_lost() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheFile::of(folder.path(), Path::new("/w"), 1 << 20);
    let mut files = sample();
    let expected = files.map(Some(&cache)).render("retry", 4_000);
    let index = |tries: u8| {
        let mut index = decode(&cache.read(1 << 20).unwrap()).unwrap();
        for entry in index.entries.values_mut().filter(|entry| !entry.definitions.is_empty()) {
            (entry.tries, entry.definitions) = (tries, Vec::new());
        }
        encode(&index)
    };
    let whole = cache.read(1 << 20).unwrap();
    cache.write(&index(2)).unwrap();
    assert_eq!(files.map(Some(&cache)).render("retry", 4_000), expected);
    assert_eq!(files.parsed(), 4);
    cache.write(&whole).unwrap();
    cache.write(&index(most_tries())).unwrap();
    files.texts.insert("src/new.rs", b"fn new() {}\n".to_vec());
    let text = files.map(Some(&cache)).render("retry", 4_000);
    assert_eq!(files.parsed(), 1, "what was tried often enough is left as it is");
    let told = "Parsing 4 files took too long, or they are too large: their definitions are guessed from lines.\n";
    assert!(text.ends_with(told), "{text}");
}

#[test]
fn many_broken_files_take_no_longer_than_their_folder_may() {
    let text = broken(1_000_000);
    let names: [&'static str; 12] =
        ["a.rs", "b.rs", "c.rs", "d.rs", "e.rs", "f.rs", "g.rs", "h.rs", "i.rs", "j.rs", "k.rs", "l.rs"];
    let mut files = Files::of(&names.map(|name| (name, text.as_str())));
    for (at, (_, bytes)) in files.texts.iter_mut().enumerate() {
        // No two of them are the same.
        bytes.extend_from_slice(format!("// {at}\n").as_bytes());
    }
    let before = Instant::now();
    let map = Map::within(Duration::from_millis(200), &files.paths(), &files, None, &Interrupt::never()).unwrap();
    let took = before.elapsed();
    let shown = map.render("first", 4_000);
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(shown.contains("There was no time for ") && shown.contains("guessed from lines"), "{shown}");
}
