//! The hunks of a folder, from one request to the next.
//!
//! They are read again when the memory or the file has changed, and placed again when the document has: a request that finds
//! all as it was compares the bytes of one file, and no more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::placed::{PlacedHunk, place};
use crate::contracts::RepoPath;
use crate::lsp::files::refused::Refused;
use crate::lsp::text::documents::Document;
use crate::lsp::text::position::Text;
use crate::workspace::text_of;

/// The hunks of each file, with lines as the engine counts them, from 0.
pub(crate) type FileHunks = HashMap<RepoPath, Vec<PlacedHunk>>;

/// What is known of the hunks of one folder.
#[derive(Default)]
pub(crate) struct HunkCache {
    /// Counts the changes of the memory.
    generation: AtomicU64,
    known: Mutex<Option<Known>>,
}

struct Known {
    generation: u64,
    files: HashMap<RepoPath, KnownFile>,
}

struct KnownFile {
    hunks: Vec<PlacedHunk>,
    /// The file that they are of, once it was looked at.
    on_disk: Option<OnDisk>,
    /// Where they are in a document of this revision; without one in the file.
    placed: Option<(Option<u64>, Arc<[PlacedHunk]>)>,
}

struct OnDisk {
    bytes: Vec<u8>,
    text: String,
}

/// A file that hunks are asked of.
pub(crate) struct HunkSource<'a> {
    /// Relative to the workspace root.
    pub(crate) file: &'a RepoPath,
    /// The document, where it is open in the editor.
    pub(crate) open: Option<&'a Document>,
    /// Its bytes on the disk; `None` where it is gone.
    pub(crate) read: &'a dyn Fn() -> Option<Vec<u8>>,
    /// All hunks of the folder.
    pub(crate) load: &'a dyn Fn() -> Result<FileHunks, Refused>,
}

impl HunkCache {
    /// The memory may have changed: what is known is read again when it is asked for.
    pub(crate) fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The hunks of a file, in the text that the editor shows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn in_file(&self, source: &HunkSource<'_>) -> Result<Arc<[PlacedHunk]>, Refused> {
        let mut known = self.known();
        self.read_on(&mut known, source.load)?;
        if !has_hunks(&known, source.file) {
            return Ok(Arc::default());
        }
        let Some(bytes) = (source.read)() else { return Ok(Arc::default()) };
        let before = known.as_ref().and_then(|known| known.files.get(source.file)?.on_disk.as_ref());
        if before.is_some_and(|before| before.bytes != bytes) {
            *known = None;
            self.read_on(&mut known, source.load)?;
        }
        let file = known.as_mut().and_then(|known| known.files.get_mut(source.file));
        Ok(file.map(|file| file.placed_in(bytes, source.open)).unwrap_or_default())
    }

    /// All hunks of the folder, as they are on the disk, by file and line.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn all(
        &self,
        load: &dyn Fn() -> Result<FileHunks, Refused>,
    ) -> Result<Vec<(RepoPath, Vec<PlacedHunk>)>, Refused> {
        let mut known = self.known();
        self.read_on(&mut known, load)?;
        let files = known.iter().flat_map(|known| &known.files);
        let mut all: Vec<(RepoPath, Vec<PlacedHunk>)> =
            files.map(|(path, file)| (path.clone(), file.hunks.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    fn read_on(&self, known: &mut Option<Known>, load: &dyn Fn() -> Result<FileHunks, Refused>) -> Result<(), Refused> {
        // Counted before: what changes while it is read is read once more.
        let generation = self.generation.load(Ordering::SeqCst);
        if known.as_ref().is_some_and(|known| known.generation == generation) {
            return Ok(());
        }
        *known = None;
        let of_file = |(path, hunks)| (path, KnownFile { hunks, on_disk: None, placed: None });
        *known = Some(Known { generation, files: load()?.into_iter().map(of_file).collect() });
        Ok(())
    }

    /// A poisoned lock only means that a thread panicked; what is known is replaced as a whole.
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_hunks(known: &Option<Known>, file: &RepoPath) -> bool {
    known.as_ref().and_then(|known| known.files.get(file)).is_some_and(|file| !file.hunks.is_empty())
}

impl KnownFile {
    fn placed_in(&mut self, bytes: Vec<u8>, open: Option<&Document>) -> Arc<[PlacedHunk]> {
        let on_disk = self.on_disk.get_or_insert_with(|| {
            let text = text_of(&bytes).map(std::borrow::Cow::into_owned).unwrap_or_default();
            OnDisk { bytes, text }
        });
        let revision = open.map(|document| document.revision);
        match &self.placed {
            Some((of, placed)) if *of == revision => placed.clone(),
            _ => {
                let placed: Arc<[PlacedHunk]> = match open {
                    Some(document) => place(&self.hunks, &on_disk.text, &document.text).into(),
                    None => place(&self.hunks, &on_disk.text, &Text::new(on_disk.text.as_str())).into(),
                };
                self.placed = Some((revision, placed.clone()));
                placed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tower_lsp::lsp_types::Url;

    use super::*;

    /// A large file, and changes spread over it.
    const LINES: usize = 10_000;
    const HUNKS: usize = 200;

    struct Fixture {
        cache: HunkCache,
        file: RepoPath,
        on_disk: RefCell<String>,
        loads: Cell<usize>,
    }

    fn document(revision: u64, text: &str) -> Document {
        let uri = Url::parse("file:///w/a.rs").unwrap();
        Document { uri, version: 1, revision, text: Arc::new(Text::new(text)) }
    }

    impl Fixture {
        fn new() -> Self {
            let text: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
            let file = RepoPath::parse("a.rs").unwrap();
            Self { cache: HunkCache::default(), file, on_disk: RefCell::new(text), loads: Cell::new(0) }
        }

        fn hunks(&self, open: Option<&Document>) -> Arc<[PlacedHunk]> {
            let hunk = |at: usize| PlacedHunk {
                id: format!("{at:012x}"),
                task: Some("T1".to_owned()),
                first: at * (LINES / HUNKS),
                last: at * (LINES / HUNKS) + 2,
                kept: false,
            };
            let load = || {
                self.loads.set(self.loads.get() + 1);
                Ok(FileHunks::from([(self.file.clone(), (0..HUNKS).map(hunk).collect())]))
            };
            let read = || Some(self.on_disk.borrow().clone().into_bytes());
            self.cache.in_file(&HunkSource { file: &self.file, open, read: &read, load: &load }).unwrap()
        }
    }

    #[test]
    fn hunks_are_read_and_placed_only_when_something_has_changed() {
        let fixture = Fixture::new();
        let text = fixture.on_disk.borrow().clone();
        let first = document(1, &text);
        let placed = fixture.hunks(Some(&first));
        assert_eq!((placed.len(), fixture.loads.get()), (HUNKS, 1));
        for _ in 0..100 {
            assert!(Arc::ptr_eq(&placed, &fixture.hunks(Some(&first))), "nothing is done again");
        }
        // A person types: placed again, and not read.
        let typed = fixture.hunks(Some(&document(2, &format!("new\n{text}"))));
        assert_eq!((typed[1].first, typed[1].last), (placed[1].first + 1, placed[1].last + 1));
        assert_eq!(fixture.loads.get(), 1);
        // It is saved: the file has changed.
        fixture.on_disk.borrow_mut().insert_str(0, "new\n");
        fixture.hunks(Some(&document(2, &format!("new\n{text}"))));
        assert_eq!(fixture.loads.get(), 2);
        fixture.cache.invalidate();
        fixture.hunks(None);
        fixture.hunks(None);
        assert_eq!(fixture.loads.get(), 3);
    }
}
