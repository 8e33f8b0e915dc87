//! Three-way merge of texts.

use git2::{IndexEntry, IndexTime, MergeFileOptions, Odb, Oid, Repository};

use super::TextFile;

/// Why two texts cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CannotMerge {
    /// Both changed the same lines.
    Conflict,
    /// One of them is binary.
    NotText,
    /// The merge itself failed.
    Failed(String),
}

/// Applies the change from `base` to `theirs` to `ours`, in the encoding and with the line endings of `ours`. Bytes
/// that are not text are kept.
///
/// # Errors
/// When both changed the same lines, or one is not text.
pub(super) fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Vec<u8>, CannotMerge> {
    let text = |bytes| TextFile::decode(bytes).map_err(|_| CannotMerge::NotText);
    let (base, ours, theirs) = (text(base)?, text(ours)?, text(theirs)?);
    let marked = |file: &TextFile| file.marked().ok_or(CannotMerge::NotText);
    let (base, marked_theirs) = (marked(&base)?, marked(&theirs)?);
    if marked_theirs != theirs.text() && !theirs.is_encoded_like(&ours) {
        return Err(CannotMerge::NotText);
    }
    let merged = merge_lines(&base, &marked(&ours)?, &marked_theirs)?;
    ours.encode_marked(&merged).map_err(|error| CannotMerge::Failed(error.to_string()))
}

/// Merges as git does. libgit2 needs a repository for it, so a temporary one is made in memory.
fn merge_lines(base: &str, ours: &str, theirs: &str) -> Result<String, CannotMerge> {
    let run = || -> Result<Option<Vec<u8>>, git2::Error> {
        let objects = Odb::new()?;
        objects.add_new_mempack_backend(1)?;
        let repository = Repository::from_odb(objects)?;
        let entry = |text: &str| repository.blob(text.as_bytes()).map(|id| entry(id, text.len()));
        let (base, ours, theirs) = (entry(base)?, entry(ours)?, entry(theirs)?);
        let mut options = MergeFileOptions::new();
        let merged = repository.merge_file_from_index(&base, &ours, &theirs, Some(&mut options))?;
        Ok(merged.is_automergeable().then(|| merged.content().to_vec()))
    };
    let merged = run().map_err(|error| CannotMerge::Failed(error.message().to_owned()))?;
    String::from_utf8(merged.ok_or(CannotMerge::Conflict)?).map_err(|_| CannotMerge::NotText)
}

fn entry(id: Oid, length: usize) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: u32::try_from(length).unwrap_or(u32::MAX),
        id,
        flags: 0,
        flags_extended: 0,
        path: b"file".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> Result<String, CannotMerge> {
        merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn changes_in_different_places_come_together() {
        let base = "1\n2\n3\n4\n5\n6\n";
        assert_eq!(merged(base, "one\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n6\n").unwrap(), "one\n2\n3\n4\n6\n");
        assert_eq!(merged(base, base, "1\n").unwrap(), "1\n");
        assert_eq!(merged(base, "1\n", "1\n").unwrap(), "1\n", "the same change on both sides is one change");
        assert_eq!(merged("a\nb\nc", "a\nb\nc\nd", "x\nb\nc").unwrap(), "x\nb\nc\nd", "an open last line");
    }

    #[test]
    fn changes_in_one_place_are_a_conflict() {
        assert_eq!(merged("1\n2\n3\n", "1\nours\n3\n", "1\ntheirs\n3\n"), Err(CannotMerge::Conflict));
        assert_eq!(merged("", "ours\n", "theirs\n"), Err(CannotMerge::Conflict));
        assert_eq!(merged("1\n\0\n", "1\n", "\0\n"), Err(CannotMerge::NotText));
    }

    #[test]
    fn bytes_that_are_no_text_come_along() {
        let base = b"\xc3\xa9 \x99\n2\n3\n4\n5\n";
        let theirs = b"\xc3\xa9 \x99\n2\n3\n4\n\xe2\x80 five\n";
        assert_eq!(merge(base, b"1\n2\n3\n4\n5\n", theirs).unwrap(), b"1\n2\n3\n4\n\xe2\x80 five\n");
        let wide: Vec<u8> = "\u{feff}1\n2\n3\n4\nv\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(merge(b"1\n2\n3\n4\n5\n", &wide, base), Err(CannotMerge::NotText), "no such byte in UTF-16");
        let merged = merge(b"1\n2\n3\n4\n5\n", b"1\n2\n3\n4\nfive\n", &base[..]).unwrap();
        assert_eq!(merged, b"\xc3\xa9 \x99\n2\n3\n4\nfive\n");
    }

    #[test]
    fn line_endings_and_encoding_are_those_of_ours() {
        let ours = "one\r\n2\r\n3\r\n4\r\n";
        assert_eq!(merged("1\n2\n3\n4\n", ours, "1\n2\n3\nfour\n").unwrap(), "one\r\n2\r\n3\r\nfour\r\n");
        let wide =
            |text: &str| [b"\xff\xfe".to_vec(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
        let merged = merge(b"1\n2\n3\n4\n", &wide("1\n2\n3\nv\u{1F980}\n"), b"x\n2\n3\n4\n").unwrap();
        assert_eq!(merged, wide("x\n2\n3\nv\u{1F980}\n"));
    }
}
