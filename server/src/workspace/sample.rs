//! The sample repository of the demo, which is embedded in the program: written once into a folder of its own.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// The task that the demo's recorded answers are for.
pub const SAMPLE_TASK: &str = include_str!("../../demo/task.md");

/// The sample repository, file by file. Its manifest has another name here, for cargo leaves a folder with a manifest out of the
/// package of the one around it.
const REPOSITORY: [(&str, &str); 11] = [
    (".gitignore", include_str!("../../demo/repo/.gitignore")),
    ("CONTRIBUTING.md", include_str!("../../demo/repo/CONTRIBUTING.md")),
    ("Cargo.lock", include_str!("../../demo/repo/Cargo.lock")),
    ("Cargo.toml", include_str!("../../demo/repo/Cargo.toml.in")),
    ("README.md", include_str!("../../demo/repo/README.md")),
    ("rustfmt.toml", include_str!("../../demo/repo/rustfmt.toml")),
    ("src/check.rs", include_str!("../../demo/repo/src/check.rs")),
    ("src/lib.rs", include_str!("../../demo/repo/src/lib.rs")),
    ("src/link.rs", include_str!("../../demo/repo/src/link.rs")),
    ("src/main.rs", include_str!("../../demo/repo/src/main.rs")),
    ("tests/check.rs", include_str!("../../demo/repo/tests/check.rs")),
];

/// Settings of a sample that is worked on: the demo's answers serve all tiers.
const SETTINGS: &str = include_str!("../../demo/baton.toml");
/// Where nothing can run the sample's tests, they are not offered as a check.
const WITHOUT_CHECKS: &str = "# The sample is tested by cargo, which this machine has not got.\nchecks = []\n\n";

/// The memory folder of a sample, by its default name.
const MEMORY: &str = ".agent_memory";

/// Why a sample was not made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Something is there already.
    #[error("{} is there and is no empty folder; name a folder that is new or empty", .0.display())]
    Taken(PathBuf),
    /// It cannot be written.
    #[error("the sample cannot be written to {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A sample as a run makes it its own: the repository alone, in a new folder beneath `parent`. Answers the folder.
///
/// # Errors
/// When it cannot be written.
pub fn sample_repository(parent: &Path) -> Result<PathBuf, SampleError> {
    make(new_in(parent), None, &[])
}

/// A sample to work on in an editor: beside the repository settings that name the demo's recorded answers, and the task in
/// task.md. It is made in `folder`, which is new or empty, else in a new folder beneath `parent`. Where `is_testable` is false
/// no check is offered. Answers the folder.
///
/// # Errors
/// When something is in the folder, or it cannot be written.
pub fn prepare_sample(folder: Option<PathBuf>, parent: &Path, is_testable: bool) -> Result<PathBuf, SampleError> {
    let settings = format!("{}{SETTINGS}", if is_testable { "" } else { WITHOUT_CHECKS });
    let memory = [(".gitignore", "*\n"), ("task.md", SAMPLE_TASK)];
    make(folder.unwrap_or_else(|| new_in(parent)), Some(&settings), &memory)
}

fn new_in(parent: &Path) -> PathBuf {
    parent.join(format!("baton-demo-{:08x}", fastrand::u32(..)))
}

fn make(folder: PathBuf, settings: Option<&str>, memory: &[(&str, &str)]) -> Result<PathBuf, SampleError> {
    let written = || -> io::Result<Option<PathBuf>> {
        Dir::create_ambient_dir_all(&folder, ambient_authority())?;
        let dir = Dir::open_ambient_dir(&folder, ambient_authority())?;
        if dir.entries()?.next().is_some() {
            return Ok(None);
        }
        let memory = memory.iter().map(|(name, text)| (format!("{MEMORY}/{name}"), *text));
        let settings = settings.map(|text| ("baton.toml".to_owned(), text));
        let files = REPOSITORY.iter().map(|(path, text)| ((*path).to_owned(), *text));
        for (path, text) in files.chain(settings).chain(memory) {
            if let Some((parent, _)) = path.rsplit_once('/') {
                dir.create_dir_all(parent)?;
            }
            dir.write(&path, text)?;
        }
        commit(&folder).map_err(io::Error::other)?;
        Ok(Some(folder.canonicalize()?))
    };
    match written() {
        Ok(Some(made)) => Ok(made),
        Ok(None) => Err(SampleError::Taken(folder)),
        Err(_) if folder.is_file() => Err(SampleError::Taken(folder)),
        Err(source) => Err(SampleError::Io { folder, source }),
    }
}

/// One commit, so that `git diff` shows what a run changed.
fn commit(folder: &Path) -> Result<(), git2::Error> {
    let mut options = git2::RepositoryInitOptions::new();
    let repository = git2::Repository::init_opts(folder, options.initial_head("main"))?;
    let mut index = repository.index()?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = git2::Signature::now("Baton demo", "demo@localhost")?;
    repository.commit(Some("HEAD"), &author, &author, "A checker for links that lead nowhere", &tree, &[])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_sample_repository_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/repo");
        let walk = ignore::WalkBuilder::new(&root).hidden(false).require_git(false).build();
        let on_disk: BTreeSet<String> = walk
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
            .map(|entry| entry.path().strip_prefix(&root).unwrap().to_string_lossy().trim_end_matches(".in").to_owned())
            .collect();
        let embedded: BTreeSet<String> = REPOSITORY.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, on_disk);
    }

    #[test]
    fn a_sample_is_made_in_a_folder_that_is_new_or_empty_and_in_no_other() {
        let temp = tempfile::tempdir().unwrap();
        let make = |name: &str| prepare_sample(Some(temp.path().join(name)), Path::new("/nowhere"), true);
        fs::create_dir(temp.path().join("empty")).unwrap();
        for name in ["empty", "new/deep"] {
            let folder = make(name).unwrap();
            assert_eq!(folder, temp.path().canonicalize().unwrap().join(name));
            assert_eq!(fs::read_to_string(folder.join(".agent_memory/task.md")).unwrap(), SAMPLE_TASK);
            let repository = git2::Repository::open(&folder).unwrap();
            assert!(repository.statuses(None).unwrap().iter().all(|entry| entry.status().is_ignored()));
            assert!(repository.find_path_in_head("baton.toml") && !repository.find_path_in_head(".agent_memory"));
        }
        fs::write(temp.path().join("a file"), "mine").unwrap();
        for taken in ["empty", "a file"] {
            let refused = make(taken).unwrap_err().to_string();
            assert!(refused.ends_with("is no empty folder; name a folder that is new or empty"), "{refused}");
        }
        assert_eq!(fs::read_to_string(temp.path().join("a file")).unwrap(), "mine");
    }

    #[test]
    fn a_sample_without_a_name_is_a_new_folder_and_says_where_its_tests_cannot_run() {
        let temp = tempfile::tempdir().unwrap();
        let folder = prepare_sample(None, temp.path(), false).unwrap();
        let settings = fs::read_to_string(folder.join("baton.toml")).unwrap();
        assert!(
            settings.contains("\nchecks = []\n") && settings.contains("\nfast = \"demo:recorded\"\n"),
            "{settings}"
        );
        assert_ne!(folder, prepare_sample(None, temp.path(), true).unwrap());
    }

    trait InHead {
        fn find_path_in_head(&self, path: &str) -> bool;
    }

    impl InHead for git2::Repository {
        fn find_path_in_head(&self, path: &str) -> bool {
            let tree = self.head().unwrap().peel_to_tree().unwrap();
            tree.get_path(Path::new(path)).is_ok()
        }
    }
}
