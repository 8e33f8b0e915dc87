//! Line counts and unified diffs of two contents.

use std::fmt::Write as _;
use std::ops::Range;

use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, DiffTag, group_diff_ops};

use super::Interrupt;
use super::hunk_heading::hunk_headings;
use super::lines::{equal_runs, steps};
use super::text_file::decode_lines;
use crate::contracts::RepoPath;

/// Lines added and removed between two contents; `None` is a missing file. A binary file counts as none.
pub fn counts(old: Option<&[u8]>, new: Option<&[u8]>) -> (u32, u32) {
    let (Ok(old), Ok(new)) = (lines(old), lines(new)) else { return (0, 0) };
    let (old, new) = (split(&old), split(&new));
    let same: usize = equal_runs(&old, &new, &Interrupt::never()).into_iter().flatten().map(|same| same.len).sum();
    let lines = |all: usize| u32::try_from(all - same).unwrap_or(u32::MAX);
    (lines(new.len()), lines(old.len()))
}

/// The lines in which two texts differ, by stretches: their indices before and after. `None` is a missing file. Nothing where
/// one of them is binary.
pub fn changed_lines(old: Option<&[u8]>, new: Option<&[u8]>) -> Vec<(Range<usize>, Range<usize>)> {
    let (Ok(old), Ok(new)) = (lines(old), lines(new)) else { return Vec::new() };
    let steps = steps(&split(&old), &split(&new), &Interrupt::never()).unwrap_or_default();
    let changed = steps.iter().filter(|step| step.tag() != DiffTag::Equal);
    changed.map(|step| (step.old_range(), step.new_range())).collect()
}

/// The names of a file before and after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) from: &'a RepoPath,
    pub(super) to: &'a RepoPath,
    /// Of a file that got another name, how much of it stayed, in percent.
    pub(super) alike: Option<u8>,
}

impl<'a> Names<'a> {
    /// Of a file that kept its name.
    pub(super) fn same(path: &'a RepoPath) -> Self {
        Self { from: path, to: path, alike: None }
    }
}

/// The change as git shows it, with three lines of context, each hunk headed by the definition of its first changed line; empty when there is
/// none. `None` is a missing file.
pub fn unified(path: &RepoPath, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    unified_of(Names::same(path), old, new, None)
}

/// [`unified`] of a file that may have got another name. Where `shown` has the lines of the new text (of a deleted file, the
/// old), headings are taken from them.
pub(super) fn unified_of(names: Names<'_>, old: Option<&[u8]>, new: Option<&[u8]>, shown: Option<&[&str]>) -> String {
    if old == new && names.alike.is_none() {
        return String::new();
    }
    let Names { from, to, alike } = names;
    // Without these lines git would treat the file as part of an empty one before it.
    let kind = match (old, new, alike) {
        (_, _, Some(alike)) => format!("similarity index {alike}%\nrename from {from}\nrename to {to}\n"),
        (None, ..) => "new file mode 100644\n".to_owned(),
        (_, None, _) => "deleted file mode 100644\n".to_owned(),
        _ => String::new(),
    };
    let header = format!("diff --git a/{from} b/{to}\n{kind}");
    if old == new {
        return header;
    }
    let from = if old.is_some() { format!("a/{from}") } else { "/dev/null".to_owned() };
    let to = if new.is_some() { format!("b/{to}") } else { "/dev/null".to_owned() };
    let is_deleted = new.is_none();
    match (lines(old), lines(new)) {
        (Ok(old), Ok(new)) if old != new => {
            let (old, new) = (split(&old), split(&new));
            format!("{header}--- {from}\n+++ {to}\n{}", hunks(names.to, &old, &new, shown, is_deleted))
        }
        // An empty file was created or deleted: there are no lines to show.
        (Ok(_), Ok(_)) if !kind.is_empty() && alike.is_none() => header,
        // Binary, or only the encoding changed.
        _ => format!("{header}Binary files {from} and {to} differ\n"),
    }
}

fn lines(bytes: Option<&[u8]>) -> Result<String, super::NotText> {
    decode_lines(bytes.unwrap_or_default())
}

/// Lines as git counts them: a lone carriage return ends none.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The hunks. Their headings are found in the new text, of a deleted file in the old, and shown as they stand in `shown`.
fn hunks(path: &RepoPath, old: &[&str], new: &[&str], shown: Option<&[&str]>, is_deleted: bool) -> String {
    const CONTEXT: usize = 3;
    let steps = steps(old, new, &Interrupt::never()).unwrap_or_default();
    let own = if is_deleted { old } else { new };
    let hunks = group_diff_ops(steps, CONTEXT);
    let first = |hunk: &Vec<DiffOp>| {
        let changed = hunk.iter().find(|step| step.tag() != DiffTag::Equal);
        changed.map_or(0, |step| if is_deleted { step.old_range().start } else { step.new_range().start })
    };
    let firsts: Vec<usize> = hunks.iter().map(first).collect();
    let lines: Vec<&str> = own.iter().map(|line| line.trim_end()).collect();
    let mut text = String::new();
    for (hunk, heading) in hunks.iter().zip(hunk_headings(path, &lines, shown.unwrap_or(own), &firsts)) {
        // Writing to a string does not fail.
        let _ = write!(text, "{}", UnifiedHunkHeader::new(hunk));
        if let Some(heading) = heading {
            let _ = write!(text, " {heading}");
        }
        text.push('\n');
        for step in hunk {
            push_step(&mut text, step, old, new);
        }
    }
    text
}

fn push_step(text: &mut String, step: &DiffOp, old: &[&str], new: &[&str]) {
    let mut push = |sign: char, lines: &[&str]| {
        for line in lines {
            text.push(sign);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    };
    if step.tag() == DiffTag::Equal {
        push(' ', &old[step.old_range()]);
    } else {
        push('-', &old[step.old_range()]);
        push('+', &new[step.new_range()]);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::fixture::path;
    use super::*;

    #[test]
    fn counts_are_those_of_the_lines() {
        assert_eq!(counts(Some(b"a\nb\nc\n"), Some(b"a\nx\ny\nc\n")), (2, 1));
        assert_eq!(counts(None, Some(b"a\nb")), (2, 0));
        assert_eq!(counts(Some(b"a\nb\n"), None), (0, 2));
        assert_eq!(counts(Some(b"a\n"), Some(b"a\r\n")), (1, 1));
        assert_eq!(counts(Some(b"\0"), Some(b"\0\0")), (0, 0));
        assert_eq!(counts(Some(b"a\nb\n"), Some("\u{feff}a\nb\n".as_bytes())), (1, 1));
        assert_eq!(counts(Some(b"same\n"), Some(b"same\n")), (0, 0));
    }

    #[test]
    fn files_of_nothing_in_common_are_compared_in_time() {
        let old: String = (0..60_000).map(|n| format!("old {n} {}\n", n % 7)).collect();
        let new: String = (0..60_000).map(|n| format!("new {n} {}\n", n % 5)).collect();
        assert_eq!(counts(Some(old.as_bytes()), Some(new.as_bytes())), (60_000, 60_000));
    }

    #[test]
    fn the_change_reads_as_git_shows_it() {
        let old = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = b"1\n2\n3\n4\nfive\n6\n7\n8\n9";
        expect![[r#"
            diff --git a/src/a.txt b/src/a.txt
            --- a/src/a.txt
            +++ b/src/a.txt
            @@ -2,8 +2,8 @@
             2
             3
             4
            -5
            +five
             6
             7
             8
            -9
            +9
            \ No newline at end of file
        "#]]
        .assert_eq(&unified(&path("src/a.txt"), Some(old), Some(new)));
    }

    #[test]
    fn a_hunk_is_headed_by_the_definition_of_its_first_changed_line() {
        let old = "fn one() {\n    1\n}\n\nfn two() {\n    a\n    b\n    c\n    d\n    e\n}\n\nconst C: u32 = 1;\n";
        let new = old.replace("    e\n", "    f\n").replace("C: u32 = 1", "C: u32 = 2");
        let diff = unified(&path("a.rs"), Some(old.as_bytes()), Some(new.as_bytes()));
        assert!(diff.contains("\n@@ -7,7 +7,7 @@ fn two() {\n"), "{diff}");
        let gone = unified(&path("a.rs"), Some(b"x\n"), None);
        assert!(gone.contains("\n@@ -1 +0,0 @@\n"), "{gone}");
    }

    #[test]
    fn what_comes_and_goes_stands_against_dev_null() {
        expect![[r#"
            diff --git a/a b/a
            new file mode 100644
            --- /dev/null
            +++ b/a
            @@ -0,0 +1 @@
            +x
        "#]]
        .assert_eq(&unified(&path("a"), None, Some(b"x\n")));
        expect![[r#"
            diff --git a/a b/a
            deleted file mode 100644
            --- a/a
            +++ /dev/null
            @@ -1 +0,0 @@
            -x
        "#]]
        .assert_eq(&unified(&path("a"), Some(b"x\n"), None));
        expect![[r#"
            diff --git a/a b/a
            new file mode 100644
        "#]]
        .assert_eq(&unified(&path("a"), None, Some(b"")));
        expect![[r#"
            diff --git a/a b/a
            Binary files a/a and b/a differ
        "#]]
        .assert_eq(&unified(&path("a"), Some(b"\0"), Some(b"\x01\0")));
    }
}
