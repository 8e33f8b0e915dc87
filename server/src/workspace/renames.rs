//! Which of several changed files got another name: a deleted and a created one that are alike.
//!
//! The measure is git's: what stays of the larger one, in bytes. No repository is asked, so that it holds for staged files and
//! for folders without git.

use super::Interrupt;
use super::diff::{Names, counts, unified, unified_of};
use super::lines::equal_runs;
use super::protect::{unified_masked, unified_masked_of};
use super::text_file::decode_lines;
use crate::contracts::RepoPath;

/// From so many percent on two files are one, as in git.
const ALIKE: u8 = 50;
/// Most pairs that are compared line by line.
const MOST_PAIRS: usize = 400;
/// The largest file that is.
const LARGEST: usize = 1024 * 1024;

/// One file before and after; `None` where it is missing.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The file.
    pub path: &'a RepoPath,
    /// Its content before.
    pub before: Option<&'a [u8]>,
    /// Its content after.
    pub after: Option<&'a [u8]>,
}

/// A file that got another name, by the numbers of its two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rename {
    /// The one that was deleted.
    pub from: usize,
    /// The one that was created.
    pub to: usize,
    /// How much of it stayed, in percent.
    pub alike: u8,
}

/// The files among these that only got another name, or another name and few changes. Each stands in one pair at most.
pub fn renames(files: &[Compared<'_>]) -> Vec<Rename> {
    let gone =
        || files.iter().enumerate().filter_map(|(index, file)| Some((index, file.before?, file.after.is_none())));
    let gone: Vec<(usize, &[u8])> =
        gone().filter(|(_, _, is_gone)| *is_gone).map(|(index, old, _)| (index, old)).collect();
    let come = files.iter().enumerate().filter(|(_, file)| file.before.is_none());
    let come: Vec<(usize, &[u8])> = come.filter_map(|(index, file)| Some((index, file.after?))).collect();
    let mut pairs = Vec::new();
    let mut compared = 0;
    for (from, old) in &gone {
        for (to, new) in &come {
            let has_name = files[*from].path.file_name() == files[*to].path.file_name();
            let alike = if old == new && !old.is_empty() {
                100
            } else if compared < MOST_PAIRS && may_be_alike(old, new) {
                compared += 1;
                alike(old, new)
            } else {
                0
            };
            if alike >= ALIKE {
                pairs.push((alike, has_name, Rename { from: *from, to: *to, alike }));
            }
        }
    }
    // The most alike first; among equals the one that kept its last name, then their order.
    pairs.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then((a.2.from, a.2.to).cmp(&(b.2.from, b.2.to))));
    let mut found: Vec<Rename> = Vec::new();
    for (_, _, pair) in pairs {
        if found.iter().all(|known| known.from != pair.from && known.to != pair.to) {
            found.push(pair);
        }
    }
    found
}

/// Whether their sizes allow it.
fn may_be_alike(old: &[u8], new: &[u8]) -> bool {
    let (small, large) = (old.len().min(new.len()), old.len().max(new.len()));
    large <= LARGEST && small * 100 >= large * usize::from(ALIKE)
}

/// What two texts have in common of the larger one, in percent; less than 100 where they differ.
fn alike(old: &[u8], new: &[u8]) -> u8 {
    let (Ok(old), Ok(new)) = (decode_lines(old), decode_lines(new)) else { return 0 };
    let all = old.len().max(new.len());
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = equal_runs(&old, &new, &Interrupt::never()).unwrap_or_default();
    let bytes: usize = same.iter().flat_map(|run| &old[run.old..run.old + run.len]).map(|line| line.len()).sum();
    u8::try_from(bytes * 100 / all.max(1)).unwrap_or(100).min(99)
}

/// Each change with its file: a unified diff, that of a renamed file under its new name. Where `is_masked`, as models see them.
pub fn diffs(files: &[Compared<'_>], is_masked: bool) -> Vec<(RepoPath, String)> {
    let renames = renames(files);
    let is_left = |index: &usize| renames.iter().all(|rename| rename.from != *index);
    let diff = |index: usize| {
        let Compared { path, before, after } = files[index];
        let Some(Rename { from, alike, .. }) = renames.iter().find(|rename| rename.to == index) else {
            return if is_masked { unified_masked(path, before, after) } else { unified(path, before, after) };
        };
        let names = Names { from: files[*from].path, to: path, alike: Some(*alike) };
        let before = files[*from].before;
        if is_masked { unified_masked_of(names, before, after) } else { unified_of(names, before, after, None) }
    };
    (0..files.len()).filter(is_left).map(|index| (files[index].path.clone(), diff(index))).collect()
}

/// One line a file: `src/a.rs: modified, +3 -1`, `src/b.rs: renamed from src/a.rs, +1 -1`, and what `note` says of it, by its
/// number.
pub fn change_summaries(files: &[Compared<'_>], note: &dyn Fn(usize) -> String) -> Vec<String> {
    let renames = renames(files);
    let is_left = |index: &usize| renames.iter().all(|rename| rename.from != *index);
    let summary = |index: usize| {
        let Compared { path, before, after } = files[index];
        let source = renames.iter().find(|rename| rename.to == index).map(|rename| files[rename.from]);
        let kind = match (source, before, after) {
            (Some(source), ..) => format!("renamed from {}", source.path),
            (None, None, _) => "created".to_owned(),
            (None, _, None) => "deleted".to_owned(),
            _ => "modified".to_owned(),
        };
        let (added, removed) = counts(source.map_or(before, |source| source.before), after);
        format!("{path}: {kind}, +{added} -{removed}{}", note(index))
    };
    (0..files.len()).filter(is_left).map(summary).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::fixture::path;
    use super::*;

    fn shown(files: &[(&str, Option<&str>, Option<&str>)]) -> String {
        let paths: Vec<RepoPath> = files.iter().map(|(name, ..)| path(name)).collect();
        let files: Vec<Compared<'_>> = (files.iter().zip(&paths))
            .map(|((_, before, after), path)| Compared {
                path,
                before: before.map(str::as_bytes),
                after: after.map(str::as_bytes),
            })
            .collect();
        diffs(&files, true).into_iter().map(|(_, diff)| diff).collect()
    }

    #[test]
    fn a_file_that_got_another_name_is_shown_as_that() {
        let old = "fn one() {\n    1\n}\nfn two() {\n    2\n}\n";
        let new = old.replace("    2", "    3");
        expect![[r#"
            diff --git a/src/a.rs b/src/b.rs
            similarity index 84%
            rename from src/a.rs
            rename to src/b.rs
            --- a/src/a.rs
            +++ b/src/b.rs
            @@ -2,5 +2,5 @@ fn two() {
                 1
             }
             fn two() {
            -    2
            +    3
             }
            diff --git a/x.txt b/y.txt
            similarity index 100%
            rename from x.txt
            rename to y.txt
        "#]]
        .assert_eq(&shown(&[
            ("src/a.rs", Some(old), None),
            ("src/b.rs", None, Some(&new)),
            ("x.txt", Some("x\n"), None),
            ("y.txt", None, Some("x\n")),
        ]));
    }

    #[test]
    fn files_that_have_little_in_common_are_two() {
        let two = shown(&[("a.txt", Some("1\n2\n3\n"), None), ("b.txt", None, Some("4\n5\n3\n"))]);
        assert!(two.contains("deleted file") && two.contains("new file") && !two.contains("rename"), "{two}");
        let empty = shown(&[("a.txt", Some(""), None), ("b.txt", None, Some(""))]);
        assert!(!empty.contains("rename"), "{empty}");
        let changed = shown(&[("a.txt", Some("1\n"), Some("2\n")), ("b.txt", None, Some("1\n"))]);
        assert!(!changed.contains("rename"), "what is still there was not renamed: {changed}");
    }

    #[test]
    fn of_several_the_most_alike_are_one() {
        let text: String = (0..40).map(|n| format!("line {n}\n")).collect();
        let (near, far) = (text.replace("line 7\n", ""), text.replace("line 1", "row 1"));
        let all =
            shown(&[("far.txt", None, Some(&far)), ("near.txt", None, Some(&near)), ("old.txt", Some(&text), None)]);
        assert!(
            all.contains("rename to near.txt") && all.contains("new file mode 100644\n--- /dev/null\n+++ b/far.txt")
        );
    }

    #[test]
    fn a_renamed_file_has_one_line_in_the_list() {
        let (a, b, c) = (path("a.txt"), path("b.txt"), path("c.txt"));
        let file = |path, before, after| Compared { path, before, after };
        let (old, new): (&[u8], &[u8]) = (b"1\n2\n3\n4\n", b"1\n2\n3\n5\n");
        let files = [file(&a, Some(old), None), file(&b, None, Some(new)), file(&c, None, Some(b"x\n"))];
        let told = change_summaries(&files, &|index| format!(" (T{index})"));
        assert_eq!(told, ["b.txt: renamed from a.txt, +1 -1 (T1)", "c.txt: created, +1 -0 (T2)"]);
    }

    #[test]
    fn a_binary_file_is_renamed_too() {
        let (old, new) = (path("a.bin"), path("b.bin"));
        let file = |path, before, after| Compared { path, before, after };
        let bytes: &[u8] = b"\0\x01";
        let shown = diffs(&[file(&old, Some(bytes), None), file(&new, None, Some(bytes))], false);
        assert!(shown[0].1.ends_with("rename from a.bin\nrename to b.bin\n"), "{shown:?}");
    }
}
