//! Checkpoints in every state of a repository: what they record, and that nothing else of the repository changes.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use baton::contracts::RepoPath;
use baton::workspace::{Checkpoint, CheckpointError, Workspace, checkpoint, remove_checkpoints};
use tempfile::TempDir;

use crate::support::messages_api::MessagesApi;
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::Session;

const RUN: &str = "20260102-120000-abcd";

/// A repository, made with the real git, under a user who signs, logs and hooks everything.
struct Repo {
    folder: TempDir,
    /// Where the working tree is, below the folder.
    tree: PathBuf,
}

impl Repo {
    fn new() -> Self {
        Self::with(&["-b", "main"])
    }

    fn with(init: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().canonicalize().unwrap().join("repo");
        fs::create_dir(&tree).unwrap();
        let repo = Self { folder, tree };
        repo.git(&[&["init", "-q"], init].concat());
        repo
    }

    /// A first commit of a few files of all kinds.
    fn filled() -> Self {
        let repo = Self::new();
        repo.fill();
        repo
    }

    fn fill(&self) {
        for (path, text) in [
            ("README.md", "# Sample\n"),
            ("src/lib.rs", "one\ntwo\nthree\n"),
            ("src/deep/a.rs", "a\n"),
            ("src/deep/b.rs", "b\n"),
            ("docs/guide.md", "guide\n"),
            ("run.sh", "#!/bin/sh\n"),
            (".gitignore", "*.log\n"),
        ] {
            self.write(path, text);
        }
        symlink("README.md", self.path("link")).unwrap();
        self.commit("first");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.tree.join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn git(&self, args: &[&str]) -> String {
        self.try_git(args).unwrap_or_else(|error| panic!("git {args:?}: {error}"))
    }

    fn try_git(&self, args: &[&str]) -> Result<String, String> {
        self.git_in(&self.tree, args, &[])
    }

    fn git_in(&self, folder: &Path, args: &[&str], env: &[(&str, &Path)]) -> Result<String, String> {
        let mut git = Command::new("git");
        git.current_dir(folder)
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0");
        git.args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]);
        let output = git.args(args).envs(env.iter().copied()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// From here on every commit would be signed by a program that fails, and every hook leaves a trace and fails.
    fn arm(&self) {
        let trace = self.folder.path().join("hook-ran");
        let common = PathBuf::from(self.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]).trim());
        for hook in
            ["pre-commit", "post-commit", "commit-msg", "reference-transaction", "post-index-change", "pre-auto-gc"]
        {
            let path = common.join("hooks").join(hook);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\necho {hook} >> {}\nexit 1\n", trace.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let config = "[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = /bin/false\n[tag]\n\tgpgsign = true\n";
        let file = common.join("config");
        fs::write(&file, fs::read_to_string(&file).unwrap() + config).unwrap();
    }

    fn workspace(&self) -> Workspace {
        Workspace::open(&self.tree).unwrap()
    }

    /// Make a checkpoint, and see that nothing but it is new.
    fn checkpoint(&self, touched: &[&str]) -> Checkpoint {
        self.checkpoint_of(&self.workspace(), touched).unwrap().unwrap()
    }

    fn checkpoint_of(&self, workspace: &Workspace, touched: &[&str]) -> Result<Option<Checkpoint>, CheckpointError> {
        let touched: Vec<RepoPath> = touched.iter().map(|path| RepoPath::parse(path).unwrap()).collect();
        let memory = RepoPath::parse(".agent_memory").unwrap();
        let before = everything(self.folder.path());
        let made = checkpoint(workspace, RUN, 1, "plan", &touched, &memory, &|| false);
        let after = everything(self.folder.path());
        let changed: Vec<_> = after.iter().filter(|(path, state)| before.get(*path) != Some(state)).collect();
        assert!(changed.is_empty(), "the checkpoint changed {changed:#?}");
        assert_eq!(before.len(), after.len(), "the checkpoint removed a file");
        assert!(!self.folder.path().join("hook-ran").exists(), "a hook ran");
        made
    }

    /// The files of a checkpoint as git itself restores them, by path.
    fn restored(&self, checkpoint: &Checkpoint) -> BTreeMap<String, Entry> {
        let place = tempfile::tempdir().unwrap();
        let index = place.path().join("index");
        let out = place.path().join("out");
        let prefix = format!("--prefix={}/", out.display());
        let env: &[(&str, &Path)] = &[("GIT_INDEX_FILE", &index)];
        let plain = ["-c", "core.sparseCheckout=false", "-c", "core.hooksPath=/dev/null"];
        self.git_in(&self.tree, &[&plain[..], &["read-tree", &checkpoint.commit]].concat(), env).unwrap();
        self.git_in(&self.tree, &[&plain[..], &["checkout-index", "-a", "-q", &prefix]].concat(), env).unwrap();
        if out.exists() { files(&out, &out) } else { BTreeMap::new() }
    }

    /// The tracked files as they stand, and these besides.
    fn on_disk(&self, touched: &[&str]) -> BTreeMap<String, Entry> {
        let listed = self.git(&["ls-files", "-z"]);
        let names = listed.split('\0').filter(|name| !name.is_empty()).chain(touched.iter().copied());
        let top = PathBuf::from(self.git(&["rev-parse", "--show-toplevel"]).trim());
        let files = names.filter_map(|name| Some((name.to_owned(), Entry::read(&top.join(name))?)));
        files.filter(|(name, _)| !behind_link(&top, name)).collect()
    }

    /// `mode id` of a path in a commit; nothing when it isn't there.
    fn entry(&self, commit: &str, path: &str) -> String {
        let line = self.git(&["ls-tree", commit, "--", path]);
        let mut words = line.split_whitespace();
        [words.next(), words.nth(1)].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A file or a link as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    File { bytes: String, executable: bool },
    Link(PathBuf),
}

impl Entry {
    fn read(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        if metadata.is_symlink() {
            return Some(Self::Link(fs::read_link(path).unwrap()));
        }
        let bytes = metadata.is_file().then(|| fs::read(path).unwrap())?;
        let executable = metadata.mode() & 0o100 != 0;
        Some(Self::File { bytes: String::from_utf8_lossy(&bytes).into_owned(), executable })
    }
}

fn behind_link(top: &Path, name: &str) -> bool {
    Path::new(name).ancestors().skip(1).any(|folder| top.join(folder).is_symlink() && folder != Path::new(""))
}

fn files(root: &Path, folder: &Path) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(root, &path));
        } else if let Some(entry) = Entry::read(&path) {
            found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), entry);
        }
    }
    found
}

/// Every file below a folder, git's own among them, with its bytes, bits and time: all but objects, which only ever
/// come, and the checkpoints themselves.
fn everything(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let inside_git = path.components().any(|part| part.as_os_str() == ".git");
            if inside_git && (path.ends_with("objects") || path.ends_with("refs/baton")) {
                continue;
            }
            if metadata.is_dir() {
                open.push(path);
                continue;
            }
            let bytes = if metadata.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path, (bytes, metadata.mode(), metadata.mtime(), metadata.mtime_nsec()));
        }
    }
    found
}

/// Changes of every kind: staged, unstaged, both; files that come, go, and become something else.
fn make_dirty(repo: &Repo) {
    repo.write("README.md", "staged\n");
    repo.git(&["add", "README.md"]);
    repo.write("README.md", "staged and changed again\n");
    repo.write("src/lib.rs", "one\n2\nthree\n");
    fs::remove_file(repo.path("docs/guide.md")).unwrap();
    fs::set_permissions(repo.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(repo.path("link")).unwrap();
    symlink("src/lib.rs", repo.path("link")).unwrap();
    repo.write("staged.txt", "new and staged\n");
    repo.git(&["add", "staged.txt"]);
    repo.write("meant.txt", "meant to be added\n");
    repo.git(&["add", "-N", "meant.txt"]);
    repo.write("mine.txt", "untracked\n");
    repo.write("build.log", "ignored\n");
}

#[test]
fn a_dirty_tree_is_recorded_as_it_stands() {
    let repo = Repo::filled();
    repo.write("stashed.txt", "for later\n");
    repo.git(&["stash", "push", "-q", "-u"]);
    make_dirty(&repo);
    repo.arm();
    let touched = ["made/by/agent.rs", "out.log", "README.md"];
    repo.write(touched[0], "agents made it\n");
    repo.write(touched[1], "agents made it, and git ignores it\n");
    let made = repo.checkpoint(&touched);
    assert_eq!(made.ref_name, format!("refs/baton/{RUN}/1-plan"));
    assert_eq!(repo.git(&["rev-parse", &made.ref_name]).trim(), made.commit);
    let restored = repo.restored(&made);
    assert_eq!(restored, repo.on_disk(&touched));
    for never in ["mine.txt", "build.log", "docs/guide.md", "stashed.txt"] {
        assert!(!restored.contains_key(never), "{never}");
    }
    assert_eq!(repo.git(&["rev-parse", &format!("{}^", made.commit)]), repo.git(&["rev-parse", "HEAD"]));
    let text = repo.git(&["show", "-s", "--format=%an <%ae>%n%cn <%ce>%n%s%n%G?", &made.commit]);
    let baton = "Baton <baton@localhost>";
    assert_eq!(text, format!("{baton}\n{baton}\nCheckpoint 1 of run {RUN}: after plan\nN\n"));
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn what_changed_its_kind_is_recorded_as_what_it_is() {
    let repo = Repo::filled();
    fs::remove_dir_all(repo.path("src/deep")).unwrap();
    symlink("../docs", repo.path("src/deep")).unwrap();
    fs::remove_file(repo.path("run.sh")).unwrap();
    repo.write("run.sh/inside.txt", "now a folder\n");
    fs::remove_file(repo.path("link")).unwrap();
    repo.write("link", "now a file\n");
    fs::remove_dir_all(repo.path("docs")).unwrap();
    repo.write("docs", "now a file\n");
    let touched = ["run.sh/inside.txt", "docs"];
    let made = repo.checkpoint(&touched);
    assert_eq!(repo.restored(&made), repo.on_disk(&touched));
    assert_eq!(repo.entry(&made.commit, "src/deep/a.rs"), "", "what lies behind a link is not in the repository");
}

#[test]
fn what_git_ignores_by_its_index_stays_as_it_is() {
    let repo = Repo::filled();
    repo.git(&["update-index", "--assume-unchanged", "src/lib.rs"]);
    repo.write("src/lib.rs", "my local settings\n");
    repo.git(&["rm", "-q", "--cached", "docs/guide.md"]);
    let made = repo.checkpoint(&[]);
    assert_eq!(repo.entry(&made.commit, "src/lib.rs"), repo.entry("HEAD", "src/lib.rs"));
    assert_eq!(repo.entry(&made.commit, "docs/guide.md"), "", "it is tracked no more");
    let touched = repo.checkpoint(&["src/lib.rs"]);
    assert_eq!(repo.git(&["show", &format!("{}:src/lib.rs", touched.commit)]), "my local settings\n");
}

#[test]
fn secrets_that_git_does_not_track_are_never_recorded() {
    let repo = Repo::filled();
    repo.write(".env", "KEY=1\n");
    repo.write(".agent_memory/plan.json", "{}");
    let made = repo.checkpoint(&[".env", ".agent_memory/plan.json"]);
    assert_eq!(repo.git(&["rev-parse", &format!("{}^{{tree}}", made.commit)]), repo.git(&["rev-parse", "HEAD^{tree}"]));
}

#[test]
fn before_the_first_commit_a_checkpoint_is_a_root() {
    let repo = Repo::new();
    repo.write("staged.txt", "staged\n");
    repo.git(&["add", "staged.txt"]);
    repo.write("mine.txt", "untracked\n");
    repo.write("agent.txt", "by an agent\n");
    repo.arm();
    let made = repo.checkpoint(&["agent.txt"]);
    assert_eq!(repo.restored(&made), repo.on_disk(&["agent.txt"]));
    assert_eq!(repo.git(&["rev-list", "--count", &made.commit]).trim(), "1");
    assert!(repo.try_git(&["rev-parse", "--verify", "-q", "HEAD"]).is_err(), "HEAD is still unborn");
    let empty = Repo::new();
    assert_eq!(empty.restored(&empty.checkpoint(&[])), BTreeMap::new());
}

#[test]
fn a_detached_head_stays_where_it_is() {
    let repo = Repo::filled();
    repo.write("README.md", "second\n");
    repo.commit("second");
    repo.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    make_dirty(&repo);
    repo.arm();
    let made = repo.checkpoint(&[]);
    assert_eq!(repo.restored(&made), repo.on_disk(&[]));
    assert_eq!(repo.git(&["rev-parse", &format!("{}^", made.commit)]), repo.git(&["rev-parse", "HEAD"]));
}

#[test]
fn a_linked_worktree_records_its_own_tree() {
    let mut repo = Repo::filled();
    make_dirty(&repo);
    let linked = repo.folder.path().canonicalize().unwrap().join("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap(), "HEAD"]);
    repo.tree = linked;
    repo.write("src/lib.rs", "of the linked one\n");
    repo.arm();
    let made = repo.checkpoint(&[]);
    assert_eq!(repo.restored(&made), repo.on_disk(&[]));
    assert_eq!(repo.git(&["show", &format!("{}:src/lib.rs", made.commit)]), "of the linked one\n");
    assert_eq!(repo.git(&["rev-parse", &format!("{}^", made.commit)]), repo.git(&["rev-parse", "side"]));
}

#[test]
fn files_outside_a_sparse_checkout_are_no_deletions() {
    let repo = Repo::filled();
    repo.git(&["sparse-checkout", "set", "--cone", "docs"]);
    assert!(!repo.path("src/lib.rs").exists());
    repo.write("docs/guide.md", "changed\n");
    fs::remove_file(repo.path("README.md")).unwrap();
    repo.arm();
    let made = repo.checkpoint(&[]);
    let mut expected = repo.on_disk(&[]);
    for path in ["src/lib.rs", "src/deep/a.rs", "src/deep/b.rs"] {
        let bytes = repo.git(&["show", &format!("HEAD:{path}")]);
        expected.insert(path.to_owned(), Entry::File { bytes, executable: false });
    }
    assert_eq!(repo.restored(&made), expected);
    assert_eq!(repo.entry(&made.commit, "README.md"), "", "this one was deleted");
    // A file that is there all the same is there.
    repo.write("src/lib.rs", "present\n");
    let made = repo.checkpoint(&[]);
    assert_eq!(repo.git(&["show", &format!("{}:src/lib.rs", made.commit)]), "present\n");
}

#[test]
fn in_the_middle_of_a_merge_conflicts_are_what_stands_on_disk() {
    let repo = Repo::filled();
    repo.git(&["checkout", "-q", "-b", "theirs"]);
    repo.write("src/lib.rs", "one\ntheirs\nthree\n");
    repo.write("docs/guide.md", "their guide\n");
    repo.write("theirs.txt", "theirs\n");
    repo.commit("theirs");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("src/lib.rs", "one\nours\nthree\n");
    fs::remove_file(repo.path("docs/guide.md")).unwrap();
    repo.commit("ours");
    repo.try_git(&["merge", "theirs"]).unwrap_err();
    fs::remove_file(repo.path("docs/guide.md")).unwrap();
    repo.arm();
    let made = repo.checkpoint(&[]);
    let restored = repo.restored(&made);
    assert_eq!(restored, repo.on_disk(&[]));
    let Some(Entry::File { bytes, .. }) = restored.get("src/lib.rs") else { panic!("{restored:?}") };
    assert!(bytes.contains("<<<<<<<"), "{bytes}");
    assert!(!restored.contains_key("docs/guide.md") && restored.contains_key("theirs.txt"));
}

#[test]
fn a_submodule_is_the_commit_it_is_at() {
    let repo = Repo::filled();
    let library = repo.folder.path().join("library");
    fs::create_dir(&library).unwrap();
    let inner = |folder: &Path, args: &[&str]| repo.git_in(folder, args, &[]).unwrap();
    inner(&library, &["init", "-q", "-b", "main"]);
    fs::write(library.join("a.txt"), "a\n").unwrap();
    inner(&library, &["add", "-A"]);
    inner(&library, &["commit", "-q", "-m", "first"]);
    let url = library.to_str().unwrap();
    repo.git(&["submodule", "--quiet", "add", url, "moved"]);
    repo.git(&["submodule", "--quiet", "add", url, "left"]);
    repo.commit("submodules");
    repo.git(&["submodule", "--quiet", "deinit", "left"]);
    let moved = repo.path("moved");
    fs::write(moved.join("a.txt"), "b\n").unwrap();
    inner(&moved, &["commit", "-q", "-a", "-m", "second"]);
    fs::write(moved.join("a.txt"), "not committed\n").unwrap();
    repo.arm();
    let made = repo.checkpoint(&["moved/a.txt"]);
    let at = inner(&moved, &["rev-parse", "HEAD"]);
    assert_eq!(repo.entry(&made.commit, "moved"), format!("160000 {}", at.trim()));
    assert_ne!(repo.entry(&made.commit, "moved"), repo.entry("HEAD", "moved"));
    assert_eq!(repo.entry(&made.commit, "left"), repo.entry("HEAD", "left"));
    assert_eq!(repo.git(&["ls-tree", "-r", "--name-only", &made.commit, "moved"]), "moved\n", "never descended into");
}

/// As git-lfs does it: what is no pointer passes the smudge filter unchanged.
const POINTERS: &str = r#"[filter "pointer"]
    clean = "sed -e '/^pointer /!{ y/abcdefgh/hgfedcba/; s/^/pointer / }'"
    smudge = "sed -e '/^pointer /{ s/^pointer //; y/abcdefgh/hgfedcba/ }'"
    required = true
"#;

#[test]
fn filters_do_not_run_and_git_restores_every_byte() {
    let repo = Repo::new();
    let config = repo.path(".git/config");
    fs::write(&config, fs::read_to_string(&config).unwrap() + POINTERS).unwrap();
    repo.write(".gitattributes", "*.bin filter=pointer\n*.txt text eol=crlf\n");
    for file in ["same.bin", "changed.bin", "same.txt", "changed.txt"] {
        repo.write(file, "abc\r\n");
    }
    repo.commit("filtered");
    assert_eq!(repo.git(&["cat-file", "blob", "HEAD:same.bin"]), "pointer hgf\r\n");
    assert_eq!(repo.git(&["cat-file", "blob", "HEAD:same.txt"]), "abc\n");
    // Long enough ago that git need not look at what is the same.
    age(&repo);
    repo.write("changed.bin", "abc changed\r\n");
    repo.write("changed.txt", "abc changed\r\n");
    repo.write("agent.bin", "abc by an agent\n");
    repo.arm();
    let made = repo.checkpoint(&["agent.bin"]);
    assert_eq!(repo.restored(&made), repo.on_disk(&["agent.bin"]));
    let raw = |path: &str| repo.git(&["cat-file", "blob", &format!("{}:{path}", made.commit)]);
    assert_eq!(
        [raw("changed.bin"), raw("changed.txt"), raw("agent.bin")],
        ["abc changed\r\n", "abc changed\r\n", "abc by an agent\n"]
    );
    for file in ["same.bin", "same.txt"] {
        assert_eq!(repo.entry(&made.commit, file), repo.entry("HEAD", file), "{file}: not modified");
    }
}

/// Give the tracked files a time before that of the index, as after any pause.
fn age(repo: &Repo) {
    for file in repo.git(&["ls-files"]).lines() {
        let file = fs::File::options().write(true).open(repo.path(file)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    }
    repo.git(&["update-index", "--refresh"]);
}

#[test]
fn a_change_that_leaves_size_and_time_is_seen() {
    let repo = Repo::filled();
    age(&repo);
    // The same size, and the same time as git noted: only reading tells.
    let old = fs::metadata(repo.path("src/lib.rs")).unwrap().modified().unwrap();
    repo.write("src/lib.rs", "one\nTWO\nthree\n");
    fs::File::options().write(true).open(repo.path("src/lib.rs")).unwrap().set_modified(old).unwrap();
    let made = repo.checkpoint(&[]);
    assert_eq!(repo.git(&["show", &format!("{}:src/lib.rs", made.commit)]), "one\nTWO\nthree\n");
}

#[test]
fn a_workspace_may_be_a_folder_of_the_repository() {
    let repo = Repo::filled();
    make_dirty(&repo);
    repo.write("src/agent.rs", "by an agent\n");
    repo.write("src/.agent_memory/plan.json", "{}\n");
    repo.git(&["add", "-f", "src/.agent_memory/plan.json"]);
    repo.write("src/.agent_memory/plan.json", "{ \"changed\": 1 }\n");
    repo.arm();
    let workspace = Workspace::open(&repo.path("src")).unwrap();
    let made = repo.checkpoint_of(&workspace, &["agent.rs", "lib.rs"]).unwrap().unwrap();
    let mut expected = repo.on_disk(&["src/agent.rs"]);
    expected.insert("src/.agent_memory/plan.json".into(), Entry::File { bytes: "{}\n".into(), executable: false });
    assert_eq!(repo.restored(&made), expected, "of Baton's own files only what the user staged");
}

#[test]
fn names_of_any_bytes_and_large_files_are_recorded() {
    use std::os::unix::ffi::OsStrExt;
    let repo = Repo::filled();
    let odd = std::ffi::OsStr::from_bytes(b"n\xe4me \"quoted\"\n.txt");
    fs::write(repo.tree.join(odd), "odd\n").unwrap();
    repo.write("large.bin", vec![7; 9 * 1024 * 1024]);
    repo.commit("odd and large");
    fs::write(repo.tree.join(odd), "odd and changed\n").unwrap();
    repo.write("large.bin", vec![8; 9 * 1024 * 1024]);
    let made = repo.checkpoint(&[]);
    let changed = repo.git(&["diff", "-z", "--name-only", "HEAD", &made.commit]);
    assert_eq!(changed.split_terminator('\0').count(), 2, "{changed:?}");
    assert_eq!(repo.git(&["cat-file", "-s", &format!("{}:large.bin", made.commit)]).trim(), "9437184");
}

#[test]
fn packed_references_and_objects_make_no_difference() {
    let repo = Repo::filled();
    repo.git(&["branch", "other"]);
    repo.git(&["gc", "-q"]);
    make_dirty(&repo);
    let made = repo.checkpoint(&[]);
    assert_eq!(repo.restored(&made), repo.on_disk(&[]));
    repo.git(&["pack-refs", "--all"]);
    let others = repo.git(&["for-each-ref", "refs/heads"]);
    assert_eq!(remove_checkpoints(&repo.workspace(), RUN).unwrap(), 1);
    assert_eq!(repo.git(&["for-each-ref", "refs/baton"]), "");
    assert_eq!(repo.git(&["for-each-ref", "refs/heads"]), others);
    assert_eq!(remove_checkpoints(&repo.workspace(), RUN).unwrap(), 0);
}

#[test]
fn only_the_checkpoints_of_the_run_go() {
    let repo = Repo::filled();
    repo.checkpoint(&[]);
    let memory = RepoPath::parse(".agent_memory").unwrap();
    let other = "20260102-120000-ffff";
    for (n, phase) in [(1, "plan"), (2, "implement")] {
        checkpoint(&repo.workspace(), other, n, phase, &[], &memory, &|| false).unwrap().unwrap();
    }
    assert_eq!(remove_checkpoints(&repo.workspace(), other).unwrap(), 2);
    assert_eq!(repo.git(&["for-each-ref", "--format=%(refname)", "refs/baton"]), format!("refs/baton/{RUN}/1-plan\n"));
}

#[test]
fn a_repository_that_cannot_be_used_says_why_and_is_left_alone() {
    let reftable = Repo::with(&["-b", "main", "--ref-format=reftable"]);
    reftable.fill();
    let sha256 = Repo::with(&["-b", "main", "--object-format=sha256"]);
    sha256.fill();
    let bare = Repo::with(&["--bare"]);
    let split = Repo::filled();
    split.git(&["update-index", "--split-index"]);
    let sparse_index = Repo::filled();
    sparse_index.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "docs"]);
    for (repo, why) in [
        (reftable, "refstorage"),
        (sha256, "sha256"),
        (bare, "no working tree"),
        (split, "link"),
        (sparse_index, "sdir"),
    ] {
        let error = repo.checkpoint_of(&repo.workspace(), &[]).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, CheckpointError::Unavailable(_)), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn without_git_there_is_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path()).unwrap();
    let memory = RepoPath::parse(".agent_memory").unwrap();
    assert_eq!(checkpoint(&workspace, RUN, 1, "plan", &[], &memory, &|| false).unwrap(), None);
    assert_eq!(remove_checkpoints(&workspace, RUN).unwrap(), 0);
}

#[test]
fn a_checkpoint_that_is_stopped_leaves_no_reference() {
    let repo = Repo::filled();
    let memory = RepoPath::parse(".agent_memory").unwrap();
    let error = checkpoint(&repo.workspace(), RUN, 1, "plan", &[], &memory, &|| true).unwrap_err();
    assert!(matches!(error, CheckpointError::Stopped));
    assert_eq!(repo.git(&["for-each-ref", "refs/baton"]), "");
}

#[test]
fn a_run_leaves_a_checkpoint_after_plan_and_after_implement() {
    let session = Session::in_git(&workspace(1));
    session.write("mine.txt", "untracked\n");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let head = session.git(&["rev-parse", "HEAD"]);
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let run = session.runs().pop().unwrap();
    let refs = session.git(&["for-each-ref", "--format=%(refname)", "refs/baton"]);
    assert_eq!(refs, format!("refs/baton/{run}/1-plan\nrefs/baton/{run}/2-implement\n"));
    let changed = session.git(&[
        "diff",
        "--name-only",
        &format!("refs/baton/{run}/1-plan"),
        &format!("refs/baton/{run}/2-implement"),
    ]);
    assert_eq!(changed, "src/t1.rs\n");
    let names = session.git(&["ls-tree", "-r", "--name-only", &format!("refs/baton/{run}/2-implement")]);
    assert_eq!(names, "src/t1.rs\n");
    assert_eq!(session.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(session.git(&["diff", "--cached"]), "");
}

#[test]
fn a_repository_without_checkpoints_warns_once_and_goes_on() {
    let session = Session::new(&workspace(1));
    session.git(&["init", "-q", "-b", "main", "--ref-format=reftable"]);
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve", "--json"]).expect(0);
    let warnings: Vec<_> = done
        .events()
        .into_iter()
        .filter(|event| event["message"].as_str().is_some_and(|text| text.starts_with("checkpoint skipped")))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!((warnings[0]["phase"].as_str(), warnings[0]["status"].as_str()), (Some("workflow"), Some("progress")));

    let session = Session::in_git(&workspace(1));
    session.write("baton.toml", "checkpoint = \"off\"\n");
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(session.git(&["for-each-ref", "refs/baton"]), "");
}
