use std::fs;

use git2::{RepositoryInitOptions, Signature};

use super::*;
use crate::workspace::fixture::{Fixture, memory, path};
use crate::workspace::{CheckpointError, RepositoryState, Workspace, checkpoint, find_base, head, repository};

/// A repository with one commit.
fn init(folder: &Path) -> Repository {
    let repository = Repository::init_opts(folder, RepositoryInitOptions::new().initial_head("trunk")).unwrap();
    commit(&repository);
    repository
}

fn commit(repository: &Repository) {
    let author = Signature::new("A", "a@example.org", &git2::Time::new(0, 0)).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    repository.commit(Some("HEAD"), &author, &author, "first", &tree, &[]).unwrap();
}

/// Why git does not work here, in words. Checks that no function works with it.
fn refusal(workspace: &Workspace) -> String {
    assert_eq!(head(workspace), None);
    assert!(find_base(workspace, "HEAD").is_err());
    let made = checkpoint(workspace, "20260101-000000-aaaa", 1, "plan", &[path("a.txt")], &memory(), &|| false);
    assert!(matches!(made, Err(CheckpointError::Unavailable(_))), "{made:?}");
    match repository(workspace, &memory()) {
        RepositoryState::Unreadable { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

fn objects(folder: &Path) -> usize {
    let folders = fs::read_dir(folder.join("objects")).unwrap().flatten();
    folders.filter_map(|entry| fs::read_dir(entry.path()).ok()).map(Iterator::count).sum()
}

#[test]
fn a_working_tree_elsewhere_is_refused_and_nothing_of_it_is_copied() {
    for place in ["/", "..", "../..", "../../secrets"] {
        let fixture = Fixture::new("//- /a.txt\nx\n");
        fs::create_dir(fixture.outside().join("secrets")).unwrap();
        fs::write(fixture.outside().join("secrets/password"), "hunter2-needle\n").unwrap();
        let repository = init(&fixture.root());
        repository.config().unwrap().set_str("core.worktree", place).unwrap();
        if place == ".." {
            // Below .git, this is the folder itself.
            assert!(head(&fixture.workspace()).is_some());
            continue;
        }
        let mut index = repository.index().unwrap();
        let mut entry = index.get(0).unwrap();
        for name in ["secrets/password", "password"] {
            entry.path = name.as_bytes().to_vec();
            index.add(&entry).unwrap();
        }
        index.write().unwrap();
        let before = objects(repository.path());
        let why = refusal(&fixture.workspace());
        assert!(why.contains("core.worktree"), "{why}");
        assert_eq!(objects(repository.path()), before, "{place}");
    }
}

#[test]
fn another_repository_is_not_taken_for_the_workspaces() {
    let fixture = Fixture::new("//- /work/a.txt\nx\n//- /other/secret.txt\nx\n");
    let other = init(&fixture.root().join("other"));
    let root = fixture.root().join("work");
    let workspace = Workspace::open(&root).unwrap();
    fs::write(root.join(".git"), format!("gitdir: {}\n", other.path().display())).unwrap();
    let why = refusal(&workspace);
    assert!(why.contains("does not name this folder"), "{why}");
    fs::remove_file(root.join(".git")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(other.path(), root.join(".git")).unwrap();
        assert!(refusal(&workspace).contains("its working tree is"));
        fs::remove_file(root.join(".git")).unwrap();
    }
    // The objects of another: a worktree that the other does not know.
    for (name, text) in [("HEAD", "ref: refs/heads/trunk\n"), ("gitdir", "./.git\n")] {
        fixture.write(&format!("work/.git/{name}"), text.as_bytes());
    }
    fixture.write("work/.git/gitdir", format!("{}\n", root.join(".git").display()).as_bytes());
    fixture.write("work/.git/commondir", format!("{}\n", other.path().display()).as_bytes());
    let why = refusal(&workspace);
    assert!(why.contains("does not name this folder"), "{why}");
}

#[test]
fn a_folder_that_is_a_repository_by_what_lies_in_it_has_no_working_tree() {
    let fixture = Fixture::new("//- /a.txt\nx\n");
    let bare = Repository::init_bare(fixture.root()).unwrap();
    bare.config().unwrap().set_bool("core.bare", false).unwrap();
    bare.config().unwrap().set_str("core.worktree", "/").unwrap();
    assert_eq!(repository(&fixture.workspace(), &memory()), RepositoryState::Bare);
    let made =
        checkpoint(&fixture.workspace(), "20260101-000000-aaaa", 1, "plan", &[path("a.txt")], &memory(), &|| false);
    assert!(matches!(made, Err(CheckpointError::Unavailable(_))), "{made:?}");
    // Inside a repository it does not hide the one around it.
    let fixture = Fixture::new("//- /fixtures/bare.git/x\nx\n//- /a.txt\nx\n");
    init(&fixture.root());
    Repository::init_bare(fixture.root().join("fixtures/bare.git")).unwrap();
    let inside = Workspace::open(&fixture.root().join("fixtures/bare.git")).unwrap();
    assert_eq!(head(&inside).unwrap().branch.as_deref(), Some("trunk"));
}

#[test]
fn repositories_that_are_kept_elsewhere_and_name_the_place_work() {
    let fixture = Fixture::new("//- /main/a.txt\nx\n//- /inner/b.txt\nx\n");
    let main = init(&fixture.root().join("main"));
    let tree = fixture.root().join("second");
    main.worktree("second", &tree, None).unwrap();
    assert_eq!(head(&Workspace::open(&tree).unwrap()).unwrap().branch.as_deref(), Some("second"));
    // As a submodule, and `git init --separate-git-dir`, are laid out.
    let inner = fixture.root().join("inner");
    let kept = fixture.root().join("main/.git/modules/inner");
    let mut options = RepositoryInitOptions::new();
    options.no_dotgit_dir(true).workdir_path(&inner).initial_head("inner").mkpath(true);
    commit(&Repository::init_opts(&kept, &options).unwrap());
    let workspace = Workspace::open(&inner).unwrap();
    assert_eq!(head(&workspace).unwrap().branch.as_deref(), Some("inner"));
    let made = checkpoint(&workspace, "20260101-000000-aaaa", 1, "plan", &[], &memory(), &|| false).unwrap();
    assert!(made.is_some());
    // And a checkpoint of a folder inside of one.
    fixture.write("main/sub/c.txt", b"x\n");
    let sub = Workspace::open(&fixture.root().join("main/sub")).unwrap();
    assert!(
        checkpoint(&sub, "20260101-000000-aaaa", 1, "plan", &[path("c.txt")], &memory(), &|| false).unwrap().is_some()
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_repository_is_refused_and_not_waited_for() {
    let pipe = |place: &Path| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, place, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    for name in [
        "HEAD",
        "config",
        "index",
        "packed-refs",
        "commondir",
        "info/exclude",
        "objects/info/alternates",
        "refs/heads/trunk",
    ] {
        let fixture = Fixture::new("//- /a.txt\nx\n");
        let repository = init(&fixture.root());
        let place = repository.path().join(name);
        let _ = fs::remove_file(&place);
        pipe(&place);
        let why = refusal(&fixture.workspace());
        assert!(why.contains("not a regular file"), "{name}: {why}");
    }
    let fixture = Fixture::new("//- /sub/a.txt\nx\n");
    init(&fixture.root());
    let base = find_base(&fixture.workspace(), "HEAD").unwrap();
    let diff = || crate::workspace::diff_with(&fixture.workspace(), &memory(), &base, &|| false);
    assert!(diff().unwrap().files.is_empty());
    for name in ["sub/.gitattributes", "sub/.gitignore"] {
        pipe(&fixture.root().join(name));
        let why = diff().unwrap_err().to_string();
        assert!(why.contains(name) && why.contains("not a regular file"), "{why}");
        fixture.remove(name);
        fixture.link("/dev/zero", name);
        let why = diff().unwrap_err().to_string();
        assert!(why.contains(name) && why.contains("leads out of the workspace"), "{why}");
        fixture.remove(name);
    }
    for section in
        ["[include]\n\tpath = pipe\n", "[includeIf \"gitdir:/\"] path = \"pipe\"\n", "[include]\n\tpath = more\n"]
    {
        let fixture = Fixture::new("//- /a.txt\nx\n");
        let repository = init(&fixture.root());
        pipe(&repository.path().join("pipe"));
        fs::write(repository.path().join("more"), "[include]\npath=pipe\n").unwrap();
        let config = fs::read_to_string(repository.path().join("config")).unwrap();
        fs::write(repository.path().join("config"), config + section).unwrap();
        assert!(refusal(&fixture.workspace()).contains("pipe is not a regular file"), "{section}");
    }
}
