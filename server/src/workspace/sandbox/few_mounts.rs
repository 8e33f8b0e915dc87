//! As few mounts as the kernel has room for: each path that is hidden is one, and where a folder holds too many of them, all of
//! it is hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// No more paths than this are hidden one by one. The kernel has room for 100,000 mounts (`fs.mount-max`), and each takes time.
const MOST: usize = 2_000;

/// The same where bwrap mounts them: for each it reads the list of all mounts again.
pub(super) const MOST_BY_BWRAP: usize = 1_000;

/// What is hidden.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Few {
    /// All of it.
    pub(super) paths: Vec<PathBuf>,
    /// The folders among them that hold more than what had to be hidden.
    pub(super) emptied: Vec<PathBuf>,
}

/// Hides whole folders beneath `roots` where the paths beneath these are too many. What lies elsewhere stays as it is: no
/// check can make it more.
pub(super) fn few(paths: Vec<PathBuf>, roots: &[&Path]) -> Result<Few, String> {
    at_most(MOST, paths, roots)
}

/// [`few`] with another bound.
pub(super) fn at_most(most: usize, paths: Vec<PathBuf>, roots: &[&Path]) -> Result<Few, String> {
    let is_within = |path: &PathBuf| roots.iter().any(|root| path.starts_with(root));
    let (mut within, mut all): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(is_within);
    let mut emptied: BTreeSet<PathBuf> = BTreeSet::new();
    while within.len() > most {
        let folders = crowded(&within, most, roots);
        if folders.is_empty() {
            return Err(format!(
                "there are more than {most} files of secrets in {}, too many to be hidden from it: move them to a folder of \
                 their own there, or away",
                within[0].parent().unwrap_or(Path::new("/")).display()
            ));
        }
        within.extend(folders.iter().cloned());
        within = outermost(within);
        emptied.extend(folders);
    }
    all.extend(within);
    Ok(Few { paths: all, emptied: outermost(emptied.into_iter().collect()) })
}

/// The folders that hold the most of these paths, so many of them that no more than `most` are left where that is possible.
fn crowded(paths: &[PathBuf], most: usize, roots: &[&Path]) -> Vec<PathBuf> {
    let may_be_empty = |folder: &Path| {
        roots.iter().any(|root| folder.starts_with(root)) && !roots.iter().any(|root| root.starts_with(folder))
    };
    let mut counts: BTreeMap<&Path, usize> = BTreeMap::new();
    for folder in paths.iter().filter_map(|path| path.parent()).filter(|folder| may_be_empty(folder)) {
        *counts.entry(folder).or_default() += 1;
    }
    let mut counts: Vec<(&Path, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut left = paths.len();
    let mut folders = Vec::new();
    for (folder, count) in counts {
        if left <= most {
            break;
        }
        left -= count - 1;
        folders.push(folder.to_owned());
    }
    folders
}

/// Without what lies beneath others of them.
fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    // A folder comes right before what is in it.
    paths.sort();
    paths.dedup_by(|inner, outer| inner.starts_with(&*outer));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few_of(most: usize, paths: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let roots = [Path::new("/home/a"), Path::new("/home/a/work")];
        let few = at_most(most, paths.iter().map(PathBuf::from).collect(), &roots)?;
        let texts = |paths: Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect();
        Ok((texts(few.paths), texts(few.emptied)))
    }

    #[test]
    fn folders_with_many_secrets_are_hidden_as_a_whole() {
        let paths = ["/var/s", "/home/a/work/d/1", "/home/a/work/d/2", "/home/a/work/d/3", "/home/a/.env"];
        let (hidden, emptied) = few_of(4, &paths).unwrap();
        assert_eq!((hidden.len(), emptied.len()), (5, 0), "none is one too many");
        let (hidden, emptied) = few_of(3, &paths).unwrap();
        assert_eq!(hidden, ["/var/s", "/home/a/.env", "/home/a/work/d"]);
        assert_eq!(emptied, ["/home/a/work/d"]);
    }

    #[test]
    fn where_no_folder_holds_many_the_ones_above_are_hidden() {
        let paths = ["/home/a/work/d/1/k", "/home/a/work/d/2/k", "/home/a/work/d/3/k", "/home/a/work/e/k"];
        let (hidden, emptied) = few_of(2, &paths).unwrap();
        assert_eq!(hidden, ["/home/a/work/d", "/home/a/work/e"]);
        assert_eq!(emptied, hidden);
    }

    #[test]
    fn the_workspace_and_the_home_folder_are_never_hidden() {
        let told = few_of(1, &["/home/a/work/1.pem", "/home/a/work/2.pem"]).unwrap_err();
        assert!(told.contains("more than 1 files of secrets in /home/a/work,"), "{told}");
        assert!(few_of(1, &["/home/a/1.pem", "/home/a/2.pem"]).is_err());
        assert!(few_of(1, &["/var/1", "/var/2", "/var/3"]).is_ok(), "no check makes these");
    }
}
