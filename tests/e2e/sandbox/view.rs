//! The view: what an edit looks like in it, what comes back of it, and that nothing else is kept.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::attacks::CANARY;
use super::lab::{Lab, Ran, skip};

/// Everything in a folder: size, permissions, and when it was changed.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (u64, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let metadata = entry.path().symlink_metadata().expect("metadata");
            if metadata.is_dir() {
                todo.push(entry.path());
            }
            found.insert(entry.path(), (metadata.len(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec()));
        }
    }
    found
}

fn git(lab: &Lab) {
    let commands = "git init -q -b main . && git add -A && git -c user.name=a -c user.email=a@b commit -q -m first";
    let printed = lab.outside_of_sandbox(commands);
    assert!(lab.root().join(".git/HEAD").is_file(), "{printed}");
}

fn content<'a>(changed: &'a [(String, Option<String>)], path: &str) -> Option<&'a Option<String>> {
    changed.iter().find(|(name, _)| name == path).map(|(_, content)| content)
}

#[test]
pub(super) fn edits_are_laid_over_the_tree_and_the_tree_stays_as_it_is() {
    let lab = Lab::new(
        "//- /src/a.txt\nold\n//- /src/b.txt\nb\n//- /tool.sh\necho old\n//- /gone/deep/c.txt\nc\n//- /file\nx\n",
    );
    fs::set_permissions(lab.root().join("tool.sh"), fs::Permissions::from_mode(0o755)).expect("permissions");
    let before = snapshot(&lab.root());
    let command = "cat src/a.txt new/deep/n.txt; ls src gone 2>&1; test -x tool.sh && ./tool.sh; \
                   find . -newer file -type f | sort; echo more >> src/a.txt; rm -r gone; mkdir gone; ls -A gone; cat src/a.txt";
    let edits = [
        ("src/a.txt", Some("new\n")),
        ("src/b.txt", None),
        ("new/deep/n.txt", Some("n\n")),
        ("tool.sh", Some("#!/bin/sh\necho tool\n")),
        ("gone/deep/c.txt", None),
        ("was/never/there.txt", None),
    ];
    let ran = lab.attempt(command, &edits);
    if !ran.is_view() {
        return;
    }
    let expected = "new\nn\ngone:\ndeep\n\nsrc:\na.txt\ntool\n./new/deep/n.txt\n./src/a.txt\n./tool.sh\nnew\nmore\n";
    assert_eq!((ran.output(), ran.ended()), (expected, "exited 0"), "{ran:?}");
    assert!(ran.changed().is_empty(), "nothing of a try is kept: {ran:?}");
    assert!(snapshot(&lab.root()) == before, "the real tree was touched");
    let again = lab.attempt("cat src/a.txt src/b.txt", &[]);
    assert_eq!(again.output(), "old\nb\n", "a try knows nothing of the one before");
}

#[test]
pub(super) fn of_an_end_the_changes_of_tracked_and_touched_files_come_back() {
    let lab = Lab::new(
        "//- /.gitignore\ntarget/\n*.log\n//- /src/a.rs\nfn  a() {}\n//- /src/b.rs\nb\n//- /lib/c.rs\nc\n//- /lib/d.rs\nd\n\
         //- /same.txt\nsame\n//- /run.sh\necho\n//- /.github/workflows/ci.yml\non: push\n//- /moved/e.rs\ne\n",
    );
    git(&lab);
    lab.write("target/cache", "cold");
    lab.write("touched.txt", "untracked, but an agent's");
    let before = snapshot(&lab.root().join("src"));
    let command = "echo 'fn a() {}' > src/a.rs; rm src/b.rs; rm -r lib; mkdir lib; echo D > lib/d.rs; echo same > same.txt; \
                   chmod +x run.sh; echo evil > .github/workflows/ci.yml; echo mine > touched.txt; echo new > untracked.txt; \
                   echo warm > target/cache; mkdir target/more; echo x > out.log; mv moved elsewhere; echo evil > .git/hooks/pre-commit";
    let mut job = lab.job(command);
    job["end"] = json!(["touched.txt"]);
    let ran = lab.run(&job);
    if !ran.is_view() {
        return;
    }
    assert_eq!((ran.ended(), ran.hints().as_str()), ("exited 0", ""), "{ran:?}");
    let changed = ran.changed();
    let names: Vec<&str> = changed.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["lib/c.rs", "lib/d.rs", "moved/e.rs", "run.sh", "src/a.rs", "src/b.rs", "touched.txt"];
    assert_eq!(names, expected);
    assert_eq!(content(&changed, "src/a.rs"), Some(&Some("fn a() {}\n".to_owned())));
    assert_eq!(content(&changed, "touched.txt"), Some(&Some("mine\n".to_owned())));
    for gone in ["src/b.rs", "lib/c.rs", "moved/e.rs"] {
        assert_eq!(content(&changed, gone), Some(&None), "{gone}");
    }
    assert_eq!(ran.answer["changed"][3]["mode"], 0o755, "the bit alone is a change");
    assert!(snapshot(&lab.root().join("src")) == before, "publishing is not the sandbox's");
    assert_eq!(lab.text("target/cache"), "warm\n", "caches are the real ones");
    assert!(lab.root().join("target/more").is_dir());
    for absent in ["untracked.txt", "out.log", "elsewhere", ".git/hooks/pre-commit"] {
        assert!(!lab.root().join(absent).exists(), "{absent}");
    }
}

#[test]
pub(super) fn a_build_may_remove_a_folder_that_git_ignores() {
    let lab = Lab::new("//- /.gitignore\ndist/\ncache/\n//- /a.txt\na\n");
    lab.write("dist/old.js", "old");
    lab.write("cache/c", "cold");
    let ran = lab.end("echo warm > cache/c; rm -rf dist && mkdir dist && cp a.txt dist/new.js && ls dist");
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.ended(), "exited 0", "{ran:?}");
    assert!(ran.output().ends_with("new.js\n") && ran.hints().contains("removes dist"), "{ran:?}");
    assert_eq!(lab.text("cache/c"), "warm\n");
    assert!(!lab.root().join("dist/new.js").exists(), "the second one was the view's own");
}

#[test]
pub(super) fn tries_at_the_same_time_do_not_see_each_other() {
    let lab = Lab::new("//- /a.txt\nold\n");
    let ran: Vec<Ran> = std::thread::scope(|scope| {
        let lab = &lab;
        let one = |number: usize| {
            scope.spawn(move || {
                let text = number.to_string();
                let command = "ls; cat a.txt; echo x > only-here; echo x > ~/only-here; ls /tmp";
                lab.attempt(command, &[("a.txt", Some(&text)), (&format!("n{number}"), Some(""))])
            })
        };
        let started: Vec<_> = (0..4).map(one).collect();
        started.into_iter().map(|thread| thread.join().expect("it answers")).collect()
    });
    for (number, ran) in ran.iter().enumerate() {
        if !ran.is_view() {
            return;
        }
        assert_eq!(ran.output(), format!("a.txt\nn{number}\n{number}"), "{ran:?}");
    }
    assert_eq!(lab.text("a.txt"), "old\n");
}

#[test]
pub(super) fn what_a_kill_left_is_swept_at_the_next_start() {
    let lab = Lab::new("//- /a.txt\na\n");
    let views = lab.home().parent().expect("a folder").join("cache/baton/views");
    fs::create_dir_all(views.join("0123456789abcdef/0/upper/deep")).expect("a folder");
    fs::write(views.join("0123456789abcdef/0/upper/deep/file"), "x").expect("a file");
    fs::write(views.join("0123456789abcdef.lock"), "").expect("a lock that nobody holds");
    let ran = lab.attempt("ls -A $XDG_CACHE_HOME/baton/views; mkdir -p a/b; chmod 0 a", &[]);
    if !ran.is_view() {
        return;
    }
    assert_eq!((ran.output(), ran.ended()), ("", "exited 0"), "layers are not seen from inside: {ran:?}");
    let left: Vec<_> = fs::read_dir(&views).expect("the folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
pub(super) fn an_edit_that_cannot_be_laid_is_named_and_nothing_runs() {
    let lab = Lab::new("//- /a.txt\na\n//- /folder/b.txt\nb\n");
    let ran = lab.attempt("echo ran", &[("a.txt/under/a/file", Some("x"))]);
    if !ran.is_view() {
        return;
    }
    assert!(ran.ended().starts_with("not run: could not lay the edits over the tree: a.txt/under/a/file"), "{ran:?}");
    assert_eq!(ran.output(), "");
}

#[test]
pub(super) fn a_folder_of_a_repository_is_worked_on_with_the_whole_repository_in_sight() {
    let lab = Lab::named("repository/part", "//- /a.txt\na\n");
    let top = lab.root().parent().expect("a folder").to_owned();
    fs::write(top.join("beside.txt"), "b\n").expect("a file");
    let printed = lab.outside_of_sandbox(
        "cd .. && git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -q -m first",
    );
    assert!(top.join(".git/HEAD").is_file(), "{printed}");
    let ran =
        lab.attempt("git status --short; cat ../beside.txt; git rev-parse --show-prefix", &[("a.txt", Some("b\n"))]);
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.output(), " M a.txt\nb\npart/\n", "{ran:?}");
}

/// A workspace may be a part of a repository that holds more, with logins that git keeps in its configurations.
#[test]
fn secrets_and_logins_of_the_repository_around_are_not_seen() {
    let lab = Lab::named("repository/part", "//- /a.txt\na\n");
    let me = lab.outside().join("me");
    // The home folder is another one, so that nothing is found because it lies in there.
    let lab = lab.with("HOME", me.clone());
    let top = lab.root().parent().expect("a folder").to_owned();
    let config = |address: &str| format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {address}\n");
    let login = config(&format!("https://me:{CANARY}@example.com/a.git"));
    lab.outside_of_sandbox("git init -q ..; git init -q inner");
    let files = [
        (top.join(".env"), format!("KEY={CANARY}\n")),
        (top.join("other/deep/.env"), format!("KEY={CANARY}\n")),
        (top.join(".git/config"), login.clone()),
        (top.join(".git/modules/lib/config"), login.clone()),
        (lab.root().join("inner/.git/config"), login.clone()),
        (me.join(".gitconfig"), format!("[http]\n\textraHeader = Authorization: bearer {CANARY}\n")),
    ];
    for (path, text) in &files {
        lab.write(path.to_str().expect("UTF-8"), text);
    }
    let search = format!("grep -rl {CANARY} .. ~; git remote get-url origin; git -C inner remote get-url origin");
    assert_eq!(lab.outside_of_sandbox(&search).lines().count(), files.len() + 2, "{}", lab.outside_of_sandbox(&search));
    for ran in [lab.end(&search), lab.attempt(&search, &[])] {
        if !ran.is_view() {
            return;
        }
        assert_eq!(ran.output(), "https://example.com/a.git\nhttps://example.com/a.git\n", "{ran:?}");
    }
    // It can be written all the same, and nothing comes of it.
    let ran = lab.end("git config user.name me && git config user.name && git -C inner config user.name me");
    assert!(ran.output() == "me\n" && ran.ended() == "exited 0", "{ran:?}");
    for (path, text) in &files {
        assert_eq!(&fs::read_to_string(path).expect("a file"), text);
    }
    let mut job = lab.job(&search);
    job["secrets"] = serde_json::json!(true);
    let ran = lab.run(&job);
    assert_eq!(ran.output().lines().count(), files.len() + 2, "a check that may read secrets sees all: {ran:?}");
    assert!(!ran.output().contains(CANARY), "{ran:?}");
}

#[test]
fn a_file_of_another_group_is_explained() {
    if !rustix::process::geteuid().is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        skip("it takes root and setpriv to have a file of another group and an ordinary user");
        return;
    }
    let lab = Lab::new("//- /theirs.txt\nx\n");
    let owned = Command::new("chown").args(["-R", "1234:1234"]).arg(lab.home().parent().expect("a folder")).status();
    assert!(owned.is_ok_and(|status| status.success()));
    std::os::unix::fs::chown(lab.root().join("theirs.txt"), Some(1234), Some(77)).expect("another group");
    let real = lab.baton();
    let mut ordinary = Command::new("setpriv");
    ordinary
        .args(["--reuid", "1234", "--regid", "1234", "--clear-groups"])
        .arg(real.get_program())
        .args(real.get_args());
    ordinary.env_clear().current_dir("/");
    ordinary.envs(real.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for stream in [Command::stdin, Command::stdout, Command::stderr] {
        stream(&mut ordinary, std::process::Stdio::piped());
    }
    let mut job = lab.job("echo more >> theirs.txt");
    job.as_object_mut().expect("an object").remove("end");
    let ran = super::lab::answer_of(ordinary, &job);
    if !ran.is_view() {
        return;
    }
    assert!(ran.hints().contains("EOVERFLOW"), "{ran:?}");
}
