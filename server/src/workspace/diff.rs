use similar::{Algorithm, ChangeTag, TextDiff, TextDiffConfig};

use super::text::decode_lines;
use crate::contracts::RepoPath;

/// Lines added and removed between two contents; `None` is a file that does not exist. A binary file counts none.
pub fn counts(old: Option<&[u8]>, new: Option<&[u8]>) -> (u32, u32) {
    let (Ok(old), Ok(new)) = (lines(old), lines(new)) else { return (0, 0) };
    let mut counts = (0, 0);
    for change in compare(&split(&old), &split(&new)).iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => counts.0 += 1,
            ChangeTag::Delete => counts.1 += 1,
            ChangeTag::Equal => {}
        }
    }
    counts
}

/// The change as git shows it, three lines of context; empty when there is none. `None` is a file that does not exist.
pub fn unified(path: &RepoPath, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    if old == new {
        return String::new();
    }
    let from = if old.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    let to = if new.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() };
    // Without these lines git would take a file for part of an empty one before it.
    let kind = match (old, new) {
        (None, _) => "new file mode 100644\n",
        (_, None) => "deleted file mode 100644\n",
        _ => "",
    };
    let header = format!("diff --git a/{path} b/{path}\n{kind}");
    match (lines(old), lines(new)) {
        (Ok(old), Ok(new)) if old != new => {
            let (old, new) = (split(&old), split(&new));
            let diff = compare(&old, &new);
            format!("{header}{}", diff.unified_diff().context_radius(3).header(&from, &to))
        }
        // An empty file came or went: there are no lines to show.
        (Ok(_), Ok(_)) if !kind.is_empty() => header,
        // Binary, or only the encoding changed.
        _ => format!("{header}Binary files {from} and {to} differ\n"),
    }
}

fn lines(bytes: Option<&[u8]>) -> Result<String, super::NotText> {
    decode_lines(bytes.unwrap_or_default())
}

/// Lines as git knows them: a carriage return alone ends none.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> TextDiff<'a, 'a, str> {
    TextDiffConfig::default().algorithm(Algorithm::Histogram).newline_terminated(true).diff_slices(old, new)
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
