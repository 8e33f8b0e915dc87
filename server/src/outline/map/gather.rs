//! Reading the files of a map, in parallel, past what is known of them already.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::codec::{MOST_BYTES, decode, encode};
use super::index::{Entry, Index, Interner, Key};
use super::rank::{Ranked, rank};
use super::render::{LeftOut, render};
use super::scan::{most_tries, scan};
use super::words::TaskWords;
use crate::contracts::RepoPath;
use crate::workspace::{CacheFile, Interrupt, Interrupted, Stamp, sha256};

/// How long files that are not known yet are read for one map, all of them together; the next one goes on from there.
const MOST_TIME: Duration = Duration::from_secs(10);
/// Most threads that read.
const MOST_THREADS: usize = 8;

/// Where a map's files come from.
pub trait Sources: Sync {
    /// Names a file in the state that it is in; `None` where that must be read to know it.
    fn stamp(&self, path: &RepoPath) -> Option<Stamp>;
    /// The bytes of a file; `None` if it cannot be read.
    fn read(&self, path: &RepoPath) -> Option<Blob>;
    /// Its text as agents may see it; `None` if they may not, or it is none.
    fn text(&self, bytes: &[u8]) -> Option<String>;
}

/// The bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of them, in hex.
    pub sha256: String,
}

/// What is known of the files of a folder.
#[derive(Debug)]
pub struct Map {
    index: Index,
    files: Vec<(RepoPath, Key)>,
    left_out: LeftOut,
}

/// What became of one file.
enum Read {
    Known(Key),
    New(Key, Entry, Vec<String>),
    Not,
}

/// One file, by its place among the paths, with the stamp that it had before it was read.
type ReadFile = (usize, Option<Stamp>, Read);

impl Map {
    /// Reads these files, what the cache knows of them first, and keeps what was read there.
    ///
    /// # Errors
    /// When interrupted.
    pub fn of(
        paths: &[RepoPath],
        sources: &dyn Sources,
        cache: Option<&CacheFile>,
        interrupt: &Interrupt,
    ) -> Result<Self, Interrupted> {
        Self::within(MOST_TIME, paths, sources, cache, interrupt)
    }

    pub(super) fn within(
        time: Duration,
        paths: &[RepoPath],
        sources: &dyn Sources,
        cache: Option<&CacheFile>,
        interrupt: &Interrupt,
    ) -> Result<Self, Interrupted> {
        let end = Instant::now() + time;
        let known = cache.and_then(|cache| cache.read(MOST_BYTES)).and_then(|bytes| decode(&bytes)).unwrap_or_default();
        let mut read = read_all(paths, sources, &known, end, interrupt)?;
        // The same files make the same index, whichever thread read them.
        read.sort_unstable_by_key(|(place, ..)| *place);
        let mut files = Vec::with_capacity(paths.len());
        let mut fresh = Vec::new();
        let mut stamps = HashMap::new();
        let mut left_out = LeftOut { unread: 0, late: paths.len() - read.len() };
        for (place, stamp, read) in read {
            let key = match read {
                Read::Not => {
                    left_out.unread += 1;
                    continue;
                }
                Read::Known(key) => key,
                Read::New(key, entry, words) => {
                    fresh.push((key, entry, words));
                    key
                }
            };
            stamps.extend(stamp.map(|stamp| (stamp, key)));
            files.push((paths[place].clone(), key));
        }
        files.sort_unstable();
        let is_changed = !fresh.is_empty() || stamps.iter().any(|(stamp, key)| known.stamps.get(stamp) != Some(key));
        let index = with_fresh(known, fresh);
        let mut map = Self { index, left_out, files };
        if let Some(cache) = cache.filter(|_| is_changed) {
            map.keep(stamps, cache);
        }
        Ok(map)
    }

    #[cfg(test)]
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// A map of these files, all with some content of the index.
    #[cfg(test)]
    pub(super) fn with_index(index: Index, paths: &[RepoPath]) -> Self {
        let mut keys: Vec<Key> = index.entries.keys().copied().collect();
        keys.sort_unstable();
        let files = paths.iter().cloned().zip(keys.into_iter().cycle()).collect();
        Self { index, files, left_out: LeftOut::default() }
    }

    /// As much of the map as fits into so many bytes, what matters to a task first.
    pub fn render(&self, task: &str, most_bytes: usize) -> String {
        render(&self.index, &self.ranked(task), self.left_out, most_bytes)
    }

    /// The paths of its files, what matters to a task first.
    pub fn ranking(&self, task: &str) -> Vec<&RepoPath> {
        self.ranked(task).into_iter().map(|ranked| ranked.path).collect()
    }

    fn ranked(&self, task: &str) -> Vec<Ranked<'_>> {
        let shown = self.files.iter().filter_map(|(path, key)| self.index.entries.get(key).map(|entry| (path, entry)));
        let shown: Vec<(&RepoPath, &Entry)> = shown.filter(|(_, entry)| entry.is_shown).collect();
        rank(&self.index, &shown, &TaskWords::of(task))
    }

    /// Keeps what is known. Contents that are not among the files stay, say those of another branch, while there is room.
    fn keep(&mut self, stamps: HashMap<Stamp, Key>, cache: &CacheFile) {
        if self.index.stamps.len() > self.index.entries.len() * 2 {
            self.index.stamps.clear();
        }
        self.index.stamps.extend(stamps);
        let present: HashSet<Key> = self.files.iter().map(|(_, key)| *key).collect();
        let mut bytes = None;
        if self.index.entries.len() <= present.len() * 3 {
            bytes = Some(encode(&self.index)).filter(|bytes| bytes.len() as u64 <= MOST_BYTES);
        }
        let bytes = bytes.unwrap_or_else(|| {
            self.index.retain(|key| present.contains(key));
            encode(&self.index)
        });
        if bytes.len() as u64 > MOST_BYTES {
            return;
        }
        if let Err(error) = cache.write(&bytes) {
            tracing::debug!(%error, "the outline of the workspace is not kept");
        }
    }
}

/// Reads the files in parallel. Those there is no time for are left out.
fn read_all(
    paths: &[RepoPath],
    sources: &dyn Sources,
    known: &Index,
    end: Instant,
    interrupt: &Interrupt,
) -> Result<Vec<ReadFile>, Interrupted> {
    let next = AtomicUsize::new(0);
    let fault = Mutex::new(None);
    let worker = || {
        let mut read: Vec<ReadFile> = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(place).filter(|_| Instant::now() < end) else { return read };
            let stamp = sources.stamp(path);
            let seen = stamp.and_then(|stamp| known.settled(*known.stamps.get(&stamp)?));
            let one = match seen {
                Some(key) => interrupt.check().map(|()| Read::Known(key)),
                None => interrupt.check().and_then(|()| read_one(path, sources, known, end, interrupt)),
            };
            match one {
                Ok(one) => read.push((place, stamp, one)),
                Err(interrupted) => {
                    fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(interrupted);
                    return read;
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let mut read = Vec::new();
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        read.extend(worker());
        for other in others {
            // A fault of a library in one thread leaves out the files of that thread.
            read.extend(other.join().unwrap_or_default());
        }
    });
    match fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(interrupted) => Err(interrupted),
        None => Ok(read),
    }
}

fn read_one(
    path: &RepoPath,
    sources: &dyn Sources,
    known: &Index,
    end: Instant,
    interrupt: &Interrupt,
) -> Result<Read, Interrupted> {
    let Some(blob) = sources.read(path) else { return Ok(Read::Not) };
    let key = key(path, &blob.sha256);
    let tries = known.entries.get(&key).map(|entry| entry.tries);
    if known.settled(key).is_some() || (tries.is_some() && Instant::now() >= end) {
        return Ok(Read::Known(key));
    }
    let Some(text) = sources.text(&blob.bytes) else {
        return Ok(Read::New(key, Entry::default(), Vec::new()));
    };
    let mut interner = Interner::default();
    let entry = scan(path.as_str(), &text, tries.unwrap_or_default(), end, interrupt)?.numbered(&mut interner);
    let words = interner.into_words();
    Ok(Read::New(key, entry, words.all().map(|(_, word)| word.to_owned()).collect()))
}

impl Index {
    /// A content of which all is known that will be.
    fn settled(&self, key: Key) -> Option<Key> {
        let entry = self.entries.get(&key)?;
        (entry.tries == 0 || entry.tries >= most_tries()).then_some(key)
    }
}

/// The key of a content. What is defined in it depends on the extension besides.
fn key(path: &RepoPath, sha256_hex: &str) -> Key {
    let extension = path.file_name().rsplit_once('.').map_or("", |(_, extension)| extension);
    let named = sha256(format!("{extension}\n{sha256_hex}").as_bytes());
    let mut key = Key::default();
    for (byte, pair) in key.iter_mut().zip(named.as_bytes().as_chunks::<2>().0) {
        *byte = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default();
    }
    key
}

/// The index with what was read, whose words were numbered one by one.
fn with_fresh(known: Index, fresh: Vec<(Key, Entry, Vec<String>)>) -> Index {
    if fresh.is_empty() {
        return known;
    }
    let Index { words, mut entries, stamps } = known;
    let mut interner = Interner::of(words);
    for (key, mut entry, words) in fresh {
        let numbers: HashMap<u32, u32> = (0..).zip(&words).map(|(own, word)| (own, interner.number(word))).collect();
        let number = |own: u32| numbers.get(&own).copied().unwrap_or_default();
        for defined in &mut entry.definitions {
            (defined.name, defined.word) = (number(defined.name), number(defined.word));
        }
        for (word, _) in &mut entry.words {
            *word = number(*word);
        }
        entry.words.sort_unstable();
        entries.insert(key, entry);
    }
    Index { words: interner.into_words(), entries, stamps }
}
