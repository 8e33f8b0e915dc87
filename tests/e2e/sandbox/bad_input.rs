//! Checks and machines that misbehave: each ends with a clear word, loses nothing, and leaves nothing running or mounted.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::lab::{Lab, is_root, kill, no_namespaces, on_a_machine, python, skip, sleepers, unique, wait_until};
use crate::support::programs::write_program;

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("/proc")
}

/// Nothing is left of a view: no mount outside, no layer.
#[track_caller]
fn nothing_is_left(lab: &Lab, before: &str) {
    assert_eq!(mounts(), before);
    let views = lab.home().parent().expect("a folder").join("cache/baton/views");
    let is_filled = |path: &PathBuf| fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_some());
    let folders = || fs::read_dir(&views).into_iter().flatten().flatten().map(|entry| entry.path());
    // On a busy machine the last process in it may end a moment after the program that has ended it.
    wait_until(|| !folders().any(|path| is_filled(&path)));
}

#[test]
pub(super) fn one_that_hangs_is_ended_in_time() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let before = mounts();
    for place in ["try", "end"] {
        let mut job = lab.job("trap '' TERM INT HUP; echo begun; (sleep 1000 &); while :; do sleep 1000; done");
        job["timeout_ms"] = json!(2_000);
        if place == "try" {
            job.as_object_mut().expect("an object").remove("end");
            job["try"] = json!([]);
        }
        let began = Instant::now();
        let ran = lab.run(&job);
        if !ran.is_view() {
            return;
        }
        assert_eq!((ran.ended(), ran.output()), ("timed out", "begun\n"), "{ran:?}");
        assert!(began.elapsed() < Duration::from_secs(30));
        nothing_is_left(&lab, &before);
    }
}

#[test]
fn a_gigabyte_costs_no_memory() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let log = lab.outside().join("log");
    let mut job = lab.job("head -c 1000000000 /dev/zero | tr '\\0' 'x'; echo; echo the end; exit 3");
    job["log"] = json!(log);
    let mut child = lab.baton().spawn().expect("baton");
    child.stdin.take().expect("a pipe").write_all(job.to_string().as_bytes()).expect("it reads");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it can be asked").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        peak = peak.max(line.trim().trim_end_matches(" kB").parse().unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it ended");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an answer");
    assert_eq!(answer["ended"], "exited 3");
    assert!(answer["output"].as_str().expect("text").ends_with("x\nthe end\n"));
    assert!(answer["output"].as_str().expect("text").len() < 40_000);
    assert!(peak > 0 && peak < 150_000, "{peak} kB");
    let length = fs::metadata(log).expect("a log").len();
    assert!(length > 16 << 20 && length < (16 << 20) + 200, "{length}");
}

#[test]
pub(super) fn one_that_leaves_a_process_with_its_output_is_not_waited_for() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let began = Instant::now();
    let ran = lab.end("sleep 1000 & sleep 1000 >&2 & echo done");
    assert_eq!((ran.ended(), ran.output()), ("exited 0", "done\n"), "{ran:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_it_took_is_its_own_time_however_late_its_end_is_heard() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let mut child = lab.baton().spawn().expect("baton");
    let job = lab.job("sleep 2.618").to_string();
    child.stdin.take().expect("a pipe").write_all(job.as_bytes()).expect("it reads");
    wait_until(|| !sleepers("2.618").is_empty());
    let signal = |signal| {
        let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it is there");
    };
    signal(rustix::process::Signal::STOP);
    wait_until(|| sleepers("2.618").is_empty());
    // Nobody hears of it for that long.
    std::thread::sleep(Duration::from_secs(6));
    signal(rustix::process::Signal::CONT);
    let output = child.wait_with_output().expect("it ended");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an answer");
    if answer["level"] != "none" {
        let took = answer["elapsed_ms"].as_f64().expect("a number");
        assert!((2_600.0..6_000.0).contains(&took), "{took} ms");
    }
}

#[test]
pub(super) fn how_it_ended_is_said() {
    let lab = Lab::new("//- /a.txt\nx\n");
    for (command, ended) in [
        ("exit 7", "exited 7"),
        ("kill -TERM $$", "signal 15"),
        ("kill -SEGV $$", "signal 11"),
        ("no-such-program-at-all", "exited 127"),
        ("./a.txt", "exited 126"),
        ("stty -echo 2>/dev/null; stty raw </dev/tty 2>/dev/null; printf '\\033c'; exit 4", "exited 4"),
        ("", "exited 0"),
        ("exit 300", "exited 44"),
    ] {
        assert_eq!(lab.end(command).ended(), ended, "{command}");
    }
}

/// What a check can kill is only what is its own.
#[test]
pub(super) fn one_that_kills_its_parent() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let ran = lab.end("kill -9 $PPID; kill -TERM 1; sleep 0.2; echo still here");
    if !ran.is_view() {
        return;
    }
    assert_eq!((ran.ended(), ran.output()), ("exited 0", "still here\n"), "{ran:?}");
    let ran = lab.end("echo first; kill -9 -1");
    assert!(ran.output().starts_with("first\n"), "{ran:?}");
    assert!(ran.ended() == "signal 9" || ran.ended().starts_with("exited"), "{ran:?}");
}

#[test]
pub(super) fn one_that_needs_a_network_is_told_how_to_get_it() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let Some(python) = python() else {
        skip("python3 is not there");
        return;
    };
    let ran = lab.end(&format!("{python} -c \"import urllib.request; urllib.request.urlopen('http://example.com/')\""));
    if ran.is_view() {
        assert!(ran.ended() == "exited 1" && ran.hints().contains("`network` has to be true"), "{ran:?}");
    }
}

#[test]
pub(super) fn what_it_leaves_behind_is_gone_and_what_it_formats_comes_back() {
    let lab = Lab::new("//- /a.txt\nx\n//- /b.txt\ny\n");
    lab.outside_of_sandbox("git init -q . && git add -A && git -c user.email=a@b -c user.name=a commit -qm start");
    let before = mounts();
    let ran = lab.end("echo formatted > a.txt; mkdir -p junk/deep; echo z > junk/deep/new.txt; rm b.txt; echo ok");
    if !ran.is_view() {
        return;
    }
    assert_eq!((lab.text("a.txt").as_str(), lab.text("b.txt").as_str()), ("x\n", "y\n"));
    assert!(!lab.root().join("junk").exists());
    assert_eq!(
        ran.changed(),
        [("a.txt".to_owned(), Some("formatted\n".to_owned())), ("b.txt".to_owned(), None)],
        "{ran:?}"
    );
    nothing_is_left(&lab, &before);
}

/// The user saves a file in the middle of it: nobody's text is lost.
#[test]
pub(super) fn one_that_runs_while_the_user_types() {
    let lab = Lab::new("//- /a.txt\nx\n//- /b.txt\ny\n");
    let mut child = lab.baton().spawn().expect("baton");
    let seconds = format!("33{}", unique());
    let mut job =
        lab.job(&format!("echo mine > a.txt; sleep {seconds} & while [ ! -e typed ]; do sleep 0.05; done; cat a.txt"));
    job.as_object_mut().expect("an object").remove("end");
    job["try"] = json!([{ "path": "new.txt", "content": "n\n" }]);
    job["timeout_ms"] = json!(3_000);
    child.stdin.take().expect("a pipe").write_all(job.to_string().as_bytes()).expect("it reads");
    wait_until(|| !sleepers(&seconds).is_empty());
    lab.write("a.txt", "typed by the user\n");
    lab.write("typed", "");
    let output = child.wait_with_output().expect("it ends");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an answer");
    assert_eq!(lab.text("a.txt"), "typed by the user\n");
    assert!(!lab.root().join("new.txt").exists());
    if answer["level"] == "view" {
        assert!(["exited 0", "timed out"].contains(&answer["ended"].as_str().expect("text")), "{answer}");
        assert!(
            !answer["output"].as_str().expect("text").contains("typed by"),
            "what the check wrote is what it reads"
        );
    }
}

#[test]
pub(super) fn tools_are_found_where_the_user_has_them() {
    let tools = tempfile::tempdir().expect("a folder in /tmp");
    let tool = tools.path().join("a-tool");
    write_program(&tool, "#!/bin/sh\necho from a tool\n");
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").expect("a path"));
    let lab = Lab::new("//- /a.txt\nx\n").with("PATH", path);
    fs::create_dir_all(lab.home().join("bin")).expect("a folder");
    write_program(&lab.home().join("bin/own"), "#!/bin/sh\necho from home\n");
    let ran = lab.end("a-tool; ~/bin/own; /usr/bin/env echo from usr");
    assert_eq!(ran.output(), "from a tool\nfrom home\nfrom usr\n", "{ran:?}");
    // Outside of PATH, in a folder that a view has of its own.
    let lab = Lab::new("//- /a.txt\nx\n");
    let ran = lab.end(&format!("{}", tool.display()));
    if ran.is_view() {
        assert!(ran.ended() == "exited 127" && ran.output().contains("not found"), "{ran:?}");
    }
}

#[test]
pub(super) fn a_virtual_environment_is_found_with_what_it_runs_on() {
    let shared = tempfile::tempdir().expect("a folder in /tmp");
    let file = |path: &str, text: &str| {
        let path = shared.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        write_program(&path, text);
    };
    file("venv/bin/a-tool", "#!/bin/sh\ncat \"${0%/*}/../lib/module\" \"${0%/*}/../pyvenv.cfg\"\n");
    file("venv/lib/module", "from a module\n");
    file("venv/pyvenv.cfg", "home = /usr/bin\n");
    file("venv/notes.txt", "of the user\n");
    file("notes.txt", "of the user\n");
    let venv = shared.path().join("venv");
    let path = format!("{}:{}", venv.join("bin").display(), std::env::var("PATH").expect("a path"));
    let lab = Lab::new("//- /a.txt\nx\n").with("PATH", path);
    for ran in [lab.end("a-tool"), lab.attempt("a-tool", &[])] {
        if ran.is_view() || ran.ended() == "exited 0" {
            assert_eq!(ran.output(), "from a module\nhome = /usr/bin\n", "{ran:?}");
        }
    }
    let venv = venv.display();
    let ran = lab.end(&format!("cat {venv}/notes.txt {venv}/../notes.txt; echo x >> {venv}/lib/module; true"));
    if ran.is_view() {
        assert!(!ran.output().contains("of the user"), "nothing else of /tmp: {ran:?}");
        assert_eq!(fs::read_to_string(shared.path().join("venv/lib/module")).expect("a file"), "from a module\n");
    }
}

#[test]
pub(super) fn paths_of_every_kind() {
    for name in [
        "a b",
        "a:b",
        "a,b",
        "a=b",
        "a\\b",
        "a'b\"c",
        "ä€ü",
        "a$b`c`",
        "-o ro",
        "a\nb",
        "%s#?*[]",
        "lowerdir=x,upperdir=y",
    ] {
        let lab = Lab::named(name, "//- /a.txt\nx\n");
        let before = mounts();
        let ran = lab.attempt("cat a.txt b.txt; echo z > a.txt; pwd", &[("b.txt", Some("edited\n"))]);
        if !ran.is_view() {
            return;
        }
        let folder = lab.root().to_str().expect("UTF-8").to_owned();
        assert_eq!(ran.output(), format!("x\nedited\n{folder}\n"), "{name:?}: {ran:?}");
        assert_eq!(lab.text("a.txt"), "x\n");
        let ran = lab.end("echo z > a.txt; cat a.txt");
        assert_eq!(ran.output(), "z\n", "{name:?}: {ran:?}");
        nothing_is_left(&lab, &before);
    }
}

#[test]
pub(super) fn a_linked_workspace() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let link = lab.home().join("link");
    std::os::unix::fs::symlink(lab.root(), &link).expect("a link");
    let mut job = lab.job("echo z > a.txt; cat a.txt");
    job["workspace"] = json!(link);
    let ran = lab.run(&job);
    if ran.is_view() {
        assert_eq!(ran.output(), "z\n", "{ran:?}");
        assert_eq!(lab.text("a.txt"), "x\n");
    }
}

#[test]
pub(super) fn a_cancelled_one_ends_at_once() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let before = mounts();
    let seconds = format!("34{}", unique());
    let mut child = lab.baton().spawn().expect("baton");
    let job = lab.job(&format!("sleep {seconds}"));
    child.stdin.take().expect("a pipe").write_all(job.to_string().as_bytes()).expect("it reads");
    wait_until(|| !sleepers(&seconds).is_empty());
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
    let began = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    assert!(began.elapsed() < Duration::from_secs(10));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an answer");
    assert_eq!(answer["ended"], "cancelled");
    wait_until(|| sleepers(&seconds).is_empty());
    nothing_is_left(&lab, &before);
}

// ---- Machines

/// User namespaces switched off: the reason and the way out are named; what runs, runs confined or plainly, and nothing is
/// tried.
#[test]
fn a_machine_without_user_namespaces() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let Some(ran) = on_a_machine(&lab, &no_namespaces(), "cat a.txt", false) else { return };
    assert!(["landlock", "none"].contains(&ran.level()), "{ran:?}");
    assert_eq!((ran.ended(), ran.output()), ("exited 0", "x\n"), "{ran:?}");
    let words = ran.answer["words"].as_str().expect("words");
    assert_eq!(words, format!("{}: no user namespaces", ran.level()));
    let explanation = ran.answer["explanation"].as_str().expect("words");
    assert!(explanation.contains("sysctl user.max_user_namespaces"), "{explanation}");
    let ran = on_a_machine(&lab, &no_namespaces(), "cat a.txt", true).expect("as before");
    assert!(ran.ended().starts_with("not run: "), "{ran:?}");
    assert_eq!(ran.answer["can_try"], false);
}

/// Namespaces are made and then a mount is refused, as in a container that masks parts of `/proc`.
#[test]
fn a_machine_that_refuses_mounts() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let prepare = "mount -t tmpfs -o ro none /proc/sys/fs 2>/dev/null || mount --bind /dev/null /proc/meminfo";
    let nested = format!(
        "exec unshare -Urm --propagation private sh -c '{prepare}; exec unshare -Urm \"$BATON\" __sandbox job'"
    );
    let Some(ran) = on_a_machine(&lab, &nested, "cat a.txt", false) else { return };
    assert_eq!((ran.ended(), ran.output()), ("exited 0", "x\n"), "{ran:?}");
    let words = &ran.answer["explanation"];
    assert!(ran.level() == "view" || words.as_str().is_some_and(|words| words.contains("/proc")), "{words}");
}

/// A copy stands in, with what is mounted in it; nothing of either is written.
#[test]
fn something_mounted_inside_the_workspace() {
    let lab = Lab::new(
        "//- /a.txt\nx\n//- /sub/b.txt\ny\n//- /gone.txt\nx\n//- /new.txt\nold\n//- /.gitignore\ntarget/\n\
         //- /target/x\n1\n//- /.env\nKEY=a-long-secret\n",
    );
    lab.outside_of_sandbox(
        "git init -q . && git config user.email a@b && git config user.name a && git add -A -f . && git commit -qm start",
    );
    let before = mounts();
    let prepare = "mount -t tmpfs none sub; echo mounted > sub/c.txt";
    let command = "cat a.txt new.txt sub/c.txt target/x .env; pwd; echo z > a.txt; echo z > sub/c.txt; rm gone.txt; \
                   echo 2 > target/x; git status --short | sort";
    for edits in [false, true] {
        let Some(ran) = on_a_machine(&lab, prepare, command, edits) else { return };
        assert_eq!((ran.level(), &ran.answer["words"]), ("view", &json!("view: on a copy")), "{ran:?}");
        let explanation = ran.answer["explanation"].as_str().expect("words");
        assert!(explanation.contains("mounted inside it") && explanation.contains("copy"), "{explanation}");
        let (new, cache) = if edits { ("n", 2) } else { ("old", 1) };
        let folder = lab.root().display().to_string();
        assert!(ran.output().starts_with(&format!("x\n{new}\nmounted\n{cache}\n{folder}\n")), "{ran:?}");
        assert!(ran.output().contains(" M a.txt\n") && ran.output().contains(" D gone.txt\n"), "{ran:?}");
        assert_eq!(lab.text("a.txt"), "x\n");
        assert!(lab.root().join("gone.txt").exists());
        assert_eq!(lab.text("target/x"), "2\n", "the real one at the end of a round, and never in a try");
        if !edits {
            let changed = [("a.txt", Some("z\n")), ("gone.txt", None)];
            let changed = changed.map(|(path, text)| (path.to_owned(), text.map(str::to_owned)));
            assert_eq!(ran.changed(), changed, "{ran:?}");
        }
        nothing_is_left(&lab, &before);
    }
}

/// As deep as overlays can lie on one another already, so that none can be laid over any of it.
#[test]
fn a_machine_on_which_overlays_fail() {
    if !is_root() {
        skip("only root can make such a machine");
        return;
    }
    let lab = Lab::new("//- /a.txt\nx\n");
    let before = mounts();
    let prepare = "o=$OUTSIDE/layers; mkdir -p $o; mount -t tmpfs none $o; mkdir $o/u $o/w $o/m $o/u2 $o/w2; outer=$(dirname \"$HOME\"); \
         mount -t overlay overlay -o lowerdir=$outer,upperdir=$o/u,workdir=$o/w $o/m; \
         mount -t overlay overlay -o lowerdir=$o/m,upperdir=$o/u2,workdir=$o/w2 \"$outer\"; cd \"$HOME/$LAB_WORK\"";
    for edits in [false, true] {
        let command = "cat a.txt; mkdir -p d; echo z > a.txt; cat a.txt; echo z > ~/x || echo read-only";
        let ran = on_a_machine(&lab, prepare, command, edits).expect("root");
        assert_eq!((ran.level(), &ran.answer["words"]), ("view", &json!("view: on a copy")), "{ran:?}");
        assert!(ran.output().starts_with("x\nz\n") && ran.output().ends_with("read-only\n"), "{ran:?}");
        assert_eq!(lab.text("a.txt"), "x\n");
        nothing_is_left(&lab, &before);
    }
}

#[test]
fn something_mounted_inside_the_home_folder() {
    let lab = Lab::new("//- /a.txt\nx\n");
    fs::create_dir(lab.home().join("disk")).expect("a folder");
    lab.write_at_home("kept", "as it was");
    let prepare = "mount -t tmpfs none \"$HOME/disk\"; echo mounted > \"$HOME/disk/d\"";
    let Some(ran) = on_a_machine(
        &lab,
        prepare,
        "cat a.txt ~/disk/d; echo z > a.txt; echo z > ~/kept; echo z > ~/disk/d; true",
        true,
    ) else {
        return;
    };
    assert!(ran.output().starts_with("x\nmounted\n"), "{ran:?}");
    assert_eq!(fs::read_to_string(lab.home().join("kept")).expect("a file"), "as it was");
}

/// A container whose root is an overlay: an upper layer cannot lie on it.
#[test]
fn a_container_whose_root_is_an_overlay() {
    if !is_root() {
        skip("only root can make such a container");
        return;
    }
    let lab = Lab::new("//- /a.txt\nx\n");
    let prepare = "o=$OUTSIDE/layers; mkdir -p $o; mount -t tmpfs none $o; mkdir $o/u $o/w $o/m; \
         mount -t overlay overlay -o lowerdir=/,upperdir=$o/u,workdir=$o/w $o/m; cd $o/m; \
         mount --rbind /dev dev; mount -t proc proc proc; mount --rbind /sys sys; mount -t tmpfs none tmp; mkdir tmp/old; \
         pivot_root . tmp/old; umount -l /tmp/old; cd \"$HOME/$LAB_WORK\"";
    for edits in [false, true] {
        let ran = on_a_machine(&lab, prepare, "cat a.txt; mkdir -p d; echo z > a.txt; cat a.txt", edits).expect("root");
        assert_eq!((ran.level(), ran.ended(), ran.output()), ("view", "exited 0", "x\nz\n"), "{ran:?}");
        assert_eq!(lab.text("a.txt"), "x\n");
    }
}

/// A check of an ordinary user, where the tests are run by root, and the other way round.
#[test]
fn root_and_an_ordinary_user() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let ran = lab.attempt("id -u; echo z > a.txt; cat a.txt", &[]);
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.output(), format!("{}\nz\n", rustix::process::getuid().as_raw()), "{ran:?}");
    if !is_root() {
        skip("only root can become another user");
        return;
    }
    lab.give_to(12_345);
    // A file of somebody else, which this user may write.
    lab.write("foreign.txt", "of root\n");
    fs::set_permissions(lab.root().join("foreign.txt"), fs::Permissions::from_mode(0o666)).expect("a mode");
    let user = "exec setpriv --reuid 12345 --regid 12345 --clear-groups \"$BATON\" __sandbox job";
    let can_reach = lab.outside_of_sandbox("setpriv --reuid 12345 --regid 12345 --clear-groups cat a.txt");
    if can_reach != "x\n" {
        skip("another user does not reach the folder of the tests");
        return;
    }
    let ran =
        on_a_machine(&lab, user, "id -u; echo z > a.txt; cat a.txt; echo more >> foreign.txt", true).expect("root");
    assert_eq!(ran.level(), "view", "{ran:?}");
    assert!(ran.output().starts_with("12345\nz\n"), "{ran:?}");
    assert!(
        ran.output().contains("overflow") || ran.output().contains("too large") || !ran.hints().is_empty(),
        "{ran:?}"
    );
    assert_eq!(lab.text("a.txt"), "x\n");
}

/// `rename` of a folder that is in the working tree: some tools cope, and the others are explained.
#[test]
pub(super) fn a_folder_that_is_renamed() {
    let lab = Lab::new("//- /dist/a.txt\nx\n");
    let Some(python) = python() else {
        skip("python3 is not there");
        return;
    };
    let ran = lab.attempt("mv dist moved && cat moved/a.txt", &[]);
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.output(), "x\n");
    let ran = lab.attempt(&format!("{python} -c \"import os; os.rename('dist', 'moved')\""), &[]);
    assert!(ran.ended() == "exited 0" || ran.hints().contains("EXDEV"), "{ran:?}");
    assert!(lab.root().join("dist/a.txt").exists());
}

#[test]
pub(super) fn a_job_that_is_killed_leaves_nothing_mounted() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let before = mounts();
    let mut child = lab.baton().spawn().expect("baton");
    let seconds = format!("35{}", unique());
    let job = lab.job(&format!("echo z > a.txt; sleep {seconds}"));
    child.stdin.take().expect("a pipe").write_all(job.to_string().as_bytes()).expect("it reads");
    wait_until(|| !sleepers(&seconds).is_empty());
    kill(child.id());
    child.wait().expect("it ends");
    wait_until(|| sleepers(&seconds).is_empty());
    assert_eq!(mounts(), before);
    assert_eq!(lab.text("a.txt"), "x\n");
    // The next one sweeps what is left.
    let ran = lab.end("cat a.txt");
    assert_eq!(ran.output(), "x\n");
    if ran.is_view() {
        nothing_is_left(&lab, &before);
    }
}

/// No name in the workspace is in the way of what is tried out there.
#[test]
pub(super) fn a_folder_with_the_name_of_the_probe() {
    let lab = Lab::new("//- /.baton-probe/x\nx\n//- /.env\nKEY=a-long-secret\n");
    let ran = lab.end("cat .env; echo z > new; ls -A");
    if ran.is_view() {
        assert_eq!((ran.ended(), ran.output()), ("exited 0", ".baton-probe\n.env\nnew\n"), "{ran:?}");
        assert!(!lab.root().join("new").exists());
    }
}

/// Shared memory and `/tmp` are the room's own; a workspace in one of them is put back.
#[test]
pub(super) fn a_workspace_where_a_view_has_folders_of_its_own() {
    for (place, is_home) in [("/dev/shm", false), ("/dev/shm", true), ("/tmp", true)] {
        let Ok(folder) = tempfile::Builder::new().prefix("baton-lab").tempdir_in(place) else {
            skip(&format!("{place} cannot be written"));
            continue;
        };
        let mut lab = Lab::new("//- /a.txt\nx\n");
        if is_home {
            lab = lab.with("HOME", place);
        }
        for (name, text) in [("a.txt", "x\n"), (".env", "KEY=a-long-secret\n"), (".gitignore", "target/\n")] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        fs::create_dir(folder.path().join("target")).expect("a folder");
        let other = tempfile::NamedTempFile::new_in(place).expect("a file");
        for edits in [false, true] {
            let mut job = lab.job(&format!(
                "cat a.txt .env; echo z > a.txt; cat a.txt; echo built > target/x; cat target/x; echo z > {}; pwd",
                other.path().display()
            ));
            job["workspace"] = json!(folder.path());
            if edits {
                job.as_object_mut().expect("an object").remove("end");
                job["try"] = json!([{ "path": "new.txt", "content": "n\n" }]);
            }
            let ran = lab.run(&job);
            if !lab.end("true").is_view() {
                return;
            }
            let output = format!("x\nz\nbuilt\n{}\n", folder.path().display());
            assert_eq!((ran.level(), ran.ended(), ran.output()), ("view", "exited 0", output.as_str()), "{ran:?}");
            assert_eq!(fs::read_to_string(folder.path().join("a.txt")).expect("a file"), "x\n");
            assert_eq!(folder.path().join("target/x").exists(), !edits, "the real one at the end of a round");
            assert_eq!(fs::read_to_string(other.path()).expect("a file"), "", "it is nobody's workspace");
            let _ = fs::remove_file(folder.path().join("target/x"));
        }
    }
}

/// More files of secrets than can be hidden: a folder of them is hidden as a whole, and else nothing runs. No secret is seen.
#[test]
pub(super) fn many_files_of_secrets() {
    let lab =
        Lab::new("//- /a.txt\nx\n//- /.env\nKEY=a-long-secret\n//- /target/d/kept\nx\n//- /.gitignore\ntarget/\n");
    for number in 0..2_100 {
        lab.write(&format!("target/d/{number}.pem"), "a-long-secret");
    }
    let ran = lab.end("cat a.txt .env target/d/1.pem; ls -A target/d");
    if !ran.is_view() {
        return;
    }
    assert!(ran.output().starts_with("x\n") && !ran.output().contains("a-long-secret"), "{ran:?}");
    assert!(!ran.output().contains("kept"), "{ran:?}");
    let ran = lab.end("false");
    assert!(ran.hints().contains("It saw nothing of ") && ran.hints().contains("target/d: too many"), "{ran:?}");
    for number in 0..2_100 {
        lab.write(&format!("{number}.pem"), "a-long-secret");
    }
    for ran in [lab.end("cat .env"), lab.attempt("cat .env", &[])] {
        assert_eq!((ran.level(), ran.output()), ("view", ""), "{ran:?}");
        assert!(ran.ended().starts_with("not run: ") && ran.ended().contains("too many"), "{ran:?}");
        assert_eq!(ran.answer["words"], "view: checks do not run");
        let explanation = ran.answer["explanation"].as_str().expect("words");
        assert!(explanation.starts_with("Checks do not run: there are more than 2000 files"), "{explanation}");
    }
}
