use std::fs;

use cap_std::ambient_authority;

use super::*;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// A workspace of this name, and what is kept of it.
    fn workspace(&self, name: &str) -> Answers {
        fs::create_dir_all(self.path(name)).unwrap();
        self.answers(name)
    }

    fn answers(&self, name: &str) -> Answers {
        let state = self.path("state");
        Answers::open(Dir::open_ambient_dir(&state, ambient_authority()).unwrap(), &state, &self.path(name))
    }
}

#[test]
fn every_answer_has_the_next_number_and_others_see_it() {
    let home = Home::new();
    let answers = home.workspace("work");
    assert_eq!(answers.last(), LastAnswer::Uncounted);
    assert!(!home.path("state/workspaces").exists(), "looking leaves nothing");
    assert_eq!(answers.count().unwrap().n, 1);
    assert_eq!(home.answers("work").count().unwrap().n, 2);
    assert_eq!(answers.last(), LastAnswer::Number(2));
    assert_eq!(home.workspace("other").last(), LastAnswer::Uncounted);
}

#[test]
fn of_answers_given_at_once_none_has_the_number_of_another() {
    let home = Home::new();
    home.workspace("work");
    let count = || (0..20).map(|_| home.answers("work").count().unwrap().n).collect::<Vec<_>>();
    let mut numbers = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
}

#[test]
fn a_file_that_says_nothing_makes_no_old_answer_the_last_and_the_next_one_counts() {
    let home = Home::new();
    let answers = home.workspace("work");
    answers.count().unwrap();
    for broken in ["", "{", "[]", "{\"path\": 7}", &"[".repeat(200_000)] {
        fs::write(answers.file(), broken).unwrap();
        assert_eq!(answers.last(), LastAnswer::Unknown, "{broken:.20}");
        answers.note_folder();
        assert_eq!(answers.last(), LastAnswer::Unknown, "{broken:.20}");
    }
    let n = answers.count().unwrap().n;
    assert!(n > 1_000_000, "{n} may have been given before");
    assert_eq!(answers.last(), LastAnswer::Number(n));
    assert_eq!(answers.count().unwrap().n, n + 1);
}

#[cfg(unix)]
#[test]
fn the_folder_at_a_path_is_remembered_and_so_are_those_before_it() {
    let home = Home::new();
    let answers = home.workspace("work");
    answers.note_folder();
    let first = identity(&home.path("work")).unwrap();
    let place = |name: &str| {
        let path = home.path(name);
        answers.known_workspaces().into_iter().find(|place| place.path == path)
    };
    assert_eq!(place("work").unwrap().folder, Some(first));
    assert_eq!(place("work").unwrap().last, LastAnswer::Uncounted, "no answer was given by it");

    fs::rename(home.path("work"), home.path("moved")).unwrap();
    let second = home.workspace("work");
    second.count().unwrap();
    let kept = place("work").unwrap();
    assert_eq!((kept.folder, kept.earlier), (identity(&home.path("work")), vec![first]));
    assert_eq!(kept.last, LastAnswer::Number(1));
    assert!(place("moved").is_none());
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_kept_as_it_is() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let state = home.path("state");
    let path = home.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&path).unwrap();
    let answers = Answers::open(Dir::open_ambient_dir(&state, ambient_authority()).unwrap(), &state, &path);
    answers.count().unwrap();
    assert_eq!(answers.known_workspaces()[0].path, path);
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let answers = home.workspace("work");
    answers.count().unwrap();
    let mode = fs::metadata(answers.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn where_nothing_can_be_written_answers_hold_for_this_process() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let answers = home.workspace("work");
    let state = home.path("state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(state.join("probe"), "").is_ok() {
        // Whoever may write everywhere (root) is not stopped by permission bits; then the state is none at all.
        let in_memory = Answers::in_memory(&home.path("work"));
        assert_eq!((in_memory.count().unwrap().n, in_memory.count().unwrap().n), (1, 2));
        assert_eq!(in_memory.last(), LastAnswer::Number(2));
        return;
    }
    assert_eq!((answers.count().unwrap().n, answers.count().unwrap().n), (1, 2));
    assert_eq!(answers.last(), LastAnswer::Number(2));
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(answers.count().unwrap().n, 1, "there was none on disk");
}

#[test]
fn who_answers_waits_for_an_answer_that_is_being_written() {
    let home = Home::new();
    let answers = home.workspace("work");
    let counted = answers.count().unwrap();
    let other = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| home.answers("work").count().unwrap().n);
        drop(counted);
        waiting.join().unwrap()
    });
    assert_eq!(other, 2);
}
