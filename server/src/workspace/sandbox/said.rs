//! What is said of a view besides its level.

use std::path::{Path, PathBuf};

use super::bound::{Left, NotBound};

/// How many names are told at once.
const MOST: usize = 5;

/// What is to be said where files of secrets may not all have been found.
pub(super) fn not_looked_through(folders: &[PathBuf]) -> Option<String> {
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    (!folders.is_empty()).then(|| {
        format!(
            "not all of {} could be looked through in time: checks may read files of secrets that lie deep in it at unusual \
             places",
            folders.join(" and ")
        )
    })
}

/// What is to be said where the kernel refuses no system calls, for this reason.
pub(super) fn unfiltered(reason: &str) -> String {
    format!("The kernel refuses checks no system calls ({reason}), so that they reach keys of your session and vsock")
}

/// What became of the folders that git ignores: what a check may have lost, and what it left.
pub(super) fn of_ignored(not_bound: &[(String, NotBound)], left: &Left) -> Vec<String> {
    let mut said = Vec::new();
    let kept =
        |why: NotBound| not_bound.iter().filter(move |(_, other)| *other == why).map(|(folder, _)| folder.into());
    for (why, words) in [
        (NotBound::NotSeen, "it could not be looked through"),
        (NotBound::Linked, "it holds files that have other names elsewhere (hard links)"),
        (NotBound::Parts, "there are repositories or hard links in it, and no overlays here to protect them"),
    ] {
        said.extend(named(kept(why)).map(|names| {
            format!("What is written in {names} is not kept, and a cache there does not get warm: {words}.")
        }));
    }
    said.extend(named(left.disarmed.iter().cloned()).map(|names| {
        format!("It left programs that would run as their owner or group; that right (setuid, setgid) was taken from {names}.")
    }));
    said.extend(named(left.armed.iter().cloned()).map(|names| {
        format!(
            "It left programs that run as their owner or group (setuid, setgid), which could not be changed: {names}."
        )
    }));
    said.extend(named(left.repositories.iter().cloned()).map(|names| {
        format!("It left repositories in {names}: their hooks and settings are the check's, and git there runs them.")
    }));
    said.extend(named(left.unseen.iter().map(PathBuf::from)).map(|names| {
        format!("What it left in {names} could not be looked through for programs that run as their owner (setuid).")
    }));
    said
}

fn named(paths: impl Iterator<Item = PathBuf>) -> Option<String> {
    let paths: Vec<PathBuf> = paths.collect();
    let mut names: Vec<String> = paths.iter().take(MOST).map(|path: &PathBuf| shown(path)).collect();
    if paths.len() > MOST {
        names.push(format!("{} more", paths.len() - MOST));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// A check made up the name.
fn shown(path: &Path) -> String {
    path.display().to_string().chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_looked_through_is_said() {
        assert_eq!(not_looked_through(&[]), None);
        let said = not_looked_through(&["/home/a".into(), "/work".into()]);
        assert!(said.is_some_and(|said| said.starts_with("not all of /home/a and /work could")));
    }

    #[test]
    fn what_became_of_ignored_folders_is_said_once_each() {
        assert_eq!(of_ignored(&[("vendor".to_owned(), NotBound::Repository)], &Left::default()), Vec::<String>::new());
        let not_bound = [("out".to_owned(), NotBound::Linked), ("big".to_owned(), NotBound::NotSeen)];
        let left = Left { disarmed: (0..7).map(|n| format!("target/\u{1b}{n}").into()).collect(), ..Left::default() };
        let said = of_ignored(&not_bound, &left);
        assert_eq!(said.len(), 3);
        assert!(said[0].contains("in big is not kept") && said[1].contains("in out is not kept"), "{said:?}");
        assert!(said[2].contains("target/\u{FFFD}0, ") && said[2].ends_with("4, 2 more."), "{said:?}");
    }
}
