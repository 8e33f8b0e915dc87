//! The workspace of a command that was started in a subfolder: the first folder upwards that is one.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::lsp_client::LspClient;
use crate::support::messages_api::MessagesApi;
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::{Done, Session};

const TASK: &str = "Let one answer 1";

fn one_task() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1")]]))
}

/// A command in some folder.
fn within(session: &Session, folder: &Path, args: &[&str]) -> Done {
    session.baton(args.iter().copied()).current_dir(folder).run().no_panic()
}

/// The task that `baton status` knows in a folder.
fn task_in(session: &Session, folder: &Path) -> Value {
    let done = within(session, folder, &["status", "--json"]).expect(0);
    done.json()["task"].clone()
}

/// What is said of the workspace: a folder, and what makes it one.
fn says(done: &Done, folder: &Path, mark: &str) {
    let line = format!("Workspace: {} (it has {mark})\n", folder.display());
    assert_eq!(done.stderr.matches("Workspace:").count(), 1, "it is said once: {}", done.stderr);
    assert!(done.stderr.contains(&line), "{line:?} is not in {:?}", done.stderr);
    assert!(!done.stdout.contains("Workspace:"), "{}", done.stdout);
}

fn says_nothing(done: &Done) {
    assert!(!done.stderr.contains("orkspace"), "{}", done.stderr);
}

/// A workspace that has only its memory, with a task.
fn with_memory(session: &Session) -> PathBuf {
    session.write(".agent_memory/task.md", TASK);
    let deep = session.path("src/deep");
    fs::create_dir_all(&deep).unwrap();
    deep
}

#[test]
fn a_run_from_a_subfolder_is_one_of_the_project_and_so_is_every_command_after_it() {
    let session = Session::in_git(&workspace(1));
    let api = one_task();
    let src = session.path("src");
    let run = session.baton(["run", "--task", TASK, "--auto-approve", "--json"]).api(&api).current_dir(&src);
    let done = run.run().no_panic().expect(0);
    says(&done, session.root(), ".git");
    assert_eq!(done.outcome()["outcome"], "merged", "every line of standard output is JSON");
    assert!(!session.exists("src/.agent_memory") && session.exists(".agent_memory/review.json"));

    let status = within(&session, &src, &["status", "--json"]).expect(0);
    says(&status, session.root(), ".agent_memory");
    assert_eq!(status.json()["task"], TASK);
    says(&within(&session, &src, &["status"]).expect(0), session.root(), ".agent_memory");
    says(&within(&session, &src, &["doctor"]), session.root(), ".agent_memory");
    within(&session, &src, &["diff"]).expect(0).prints("--- a/src/t1.rs");
    within(&session, &session.path(".agent_memory/runs"), &["diff"]).expect(0).prints("--- a/src/t1.rs");
    within(&session, &src, &["rollback"]).expect(0);
    within(&session, &src, &["clean"]).expect(0);
    within(&session, &src, &["reset"]).expect(0);
    assert_eq!(task_in(&session, session.root()), Value::Null, "it was reset");
    says_nothing(&within(&session, session.root(), &["status"]));
}

#[test]
fn settings_alone_make_a_workspace() {
    let session = Session::new(&workspace(1));
    session.write("baton.toml", "max_parallel_tasks = 0\n");
    let done = within(&session, &session.path("src"), &["status"]).expect(2).reports("baton.toml:1:22");
    says(&done, session.root(), "baton.toml");
    session.write("src/baton.toml", "");
    says_nothing(&within(&session, &session.path("src"), &["status"]).expect(0));
}

#[test]
fn the_nearest_folder_counts() {
    let session = Session::in_git(&workspace(1));
    with_memory(&session);
    session.write("part/.agent_memory/task.md", "Another task");
    session.write("part/src/a.rs", "");
    let part = session.path("part");
    says(&within(&session, &part.join("src"), &["status"]), &part, ".agent_memory");
    assert_eq!(task_in(&session, &part.join("src")), "Another task");
    assert_eq!(task_in(&session, &session.path("src/deep")), TASK);
}

#[test]
fn a_linked_worktree_and_a_submodule_are_workspaces_of_their_own() {
    let session = Session::in_git(&workspace(1));
    with_memory(&session);
    session.git(&["worktree", "add", "-q", "trees/other", "-b", "other"]);
    let other = session.path("trees/other");
    assert!(other.join(".git").is_file());
    says(&within(&session, &other.join("src"), &["status"]).expect(0), &other, ".git");
    assert_eq!(task_in(&session, &other.join("src")), Value::Null);

    let of = session.root().display().to_string();
    session.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &of, "sub"]);
    let sub = session.path("sub");
    assert!(sub.join(".git").is_file());
    says(&within(&session, &sub.join("src"), &["status"]).expect(0), &sub, ".git");
    assert_eq!(task_in(&session, &sub.join("src")), Value::Null);
    assert_eq!(task_in(&session, &session.path("trees")), TASK);
}

#[test]
fn a_memory_folder_of_another_name_is_found_where_it_is_baton_s() {
    let session = Session::new(&workspace(1));
    session.write_user_config("memory_dir = \"notes/memory\"\n");
    session.write("notes/memory/recipe.txt", "somebody's own notes");
    let src = session.path("src");
    says_nothing(&within(&session, &src, &["status"]).expect(0));
    fs::remove_file(session.path("notes/memory/recipe.txt")).unwrap();

    let api = one_task();
    session.run(&api, ["--task", TASK, "--auto-approve"]).expect(0);
    let done = within(&session, &src, &["status", "--json"]).expect(0);
    says(&done, session.root(), "notes/memory");
    assert_eq!(done.json()["task"], TASK);

    session.write_user_config("");
    let named = session.baton(["status"]).env("BATON_MEMORY_DIR", "notes/memory").current_dir(&src);
    says(&named.run().expect(0), session.root(), "notes/memory");
}

#[test]
fn a_folder_that_was_entered_through_a_link_belongs_to_where_it_really_is() {
    let session = Session::new(&workspace(1));
    let deep = with_memory(&session);
    let elsewhere = session.root().parent().unwrap().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&deep, elsewhere.join("link")).unwrap();
    says(&within(&session, &elsewhere.join("link"), &["status"]).expect(0), session.root(), ".agent_memory");
    assert_eq!(task_in(&session, &elsewhere.join("link")), TASK);
    // The project itself, under another name.
    symlink(session.root(), elsewhere.join("project")).unwrap();
    assert_eq!(task_in(&session, &elsewhere.join("project/src")), TASK);
    says_nothing(&within(&session, &elsewhere.join("project"), &["status"]).expect(0));
}

#[test]
fn a_home_that_is_a_repository_takes_in_no_project() {
    let session = Session::new(&workspace(1));
    let home = session.root().parent().unwrap().join("home");
    let project = home.join("project/src");
    fs::create_dir_all(&project).unwrap();
    fs::create_dir(home.join(".git")).unwrap();
    fs::create_dir(home.join(".agent_memory")).unwrap();
    fs::write(home.join(".agent_memory/task.md"), TASK).unwrap();
    says_nothing(&within(&session, &project, &["status"]).expect(0));
    assert_eq!(task_in(&session, &project), Value::Null);
    assert_eq!(task_in(&session, &home), TASK, "it is the current folder");
    let named = within(&session, &project, &["status", "--json", "--workspace", "../.."]).expect(0);
    assert_eq!(named.json()["task"], TASK, "it was named");
    says_nothing(&named);

    // The same home by another name.
    let link = session.root().parent().unwrap().join("link");
    symlink(&home, &link).unwrap();
    let done = session.baton(["status", "--json"]).env("HOME", &link).current_dir(&project).run().expect(0);
    assert_eq!(done.json()["task"], Value::Null);
    fs::create_dir(home.join("project/.git")).unwrap();
    says(&within(&session, &project, &["status"]).expect(0), &home.join("project"), ".git");
}

/// Runs a command in a folder, as a user without rights where this one has all; `None` where there is no such user.
fn without_rights(session: &Session, folder: &Path, mode: (&Path, u32), args: &[&str]) -> Option<Done> {
    const NOBODY: u32 = 65534;
    let (closed, mode) = mode;
    let mut shell = Command::new("sh");
    // The folder above is closed once the command is where it is to be started.
    shell.args(["-c", "chmod \"$0\" \"$1\" && shift && exec \"$@\"", &format!("{mode:o}")]).arg(closed);
    shell.arg(session.baton([]).into_command().get_program()).args(args);
    shell.current_dir(folder).env_clear().envs(session.environment());
    if rustix::process::geteuid().is_root() {
        let top = session.root().parent().unwrap();
        fs::set_permissions(top, fs::Permissions::from_mode(0o755)).unwrap();
        chown(closed, Some(NOBODY), Some(NOBODY)).unwrap();
        shell.uid(NOBODY).gid(NOBODY);
        let mut probe = session.baton(["--version"]).into_command();
        if !probe.uid(NOBODY).gid(NOBODY).status().is_ok_and(|status| status.success()) {
            return None;
        }
    }
    let done = Session::adopt(shell).start().wait().no_panic();
    fs::set_permissions(closed, fs::Permissions::from_mode(0o755)).unwrap();
    Some(done)
}

#[test]
fn a_folder_on_the_way_that_may_not_be_read_is_passed_and_one_that_is_chosen_is_named() {
    let session = Session::new(&workspace(1));
    with_memory(&session);
    session.write("closed/src/a.rs", "");
    let (closed, src) = (session.path("closed"), session.path("closed/src"));
    let status = |mode| without_rights(&session, &src, (&closed, mode), &["status", "--json"]);
    let Some(done) = status(0o111) else { return };
    says(&done, session.root(), ".agent_memory");
    assert_eq!(done.expect(0).json()["task"], TASK);
    // Nothing below it can be reached at all.
    let done = status(0).unwrap().expect(2).reports("may not be read; check the permissions");
    assert!(!done.stderr.contains("Workspace:"), "{}", done.stderr);
    session.write("closed/baton.toml", "");
    let done = status(0o111).unwrap().expect(2);
    says(&done, &closed, "baton.toml");
    done.reports(&format!("{} may not be read", closed.display()));
}

#[test]
fn what_another_user_put_above_is_not_followed() {
    if !rustix::process::geteuid().is_root() {
        // Only the superuser can make another user's files.
        return;
    }
    let session = Session::new("//- /tmp/project/src/a.rs\n");
    session.write("tmp/.git/HEAD", "");
    chown(session.path("tmp/.git"), Some(65533), Some(65533)).unwrap();
    let project = session.path("tmp/project");
    let done = within(&session, &project, &["status"]).expect(0);
    let git = session.path("tmp/.git");
    assert!(done.stderr.contains(&format!("warning: {} belongs to another user", git.display())), "{}", done.stderr);
    // All of it is another user's: so is the current folder, as in a container with a mounted project.
    chown(&project, Some(65533), Some(65533)).unwrap();
    says(&within(&session, &project, &["status"]).expect(0), &session.path("tmp"), ".git");
}

#[test]
fn a_current_folder_that_is_gone_is_said_to_be_so_and_some_commands_need_none() {
    let session = Session::new(&workspace(1));
    let deep = with_memory(&session);
    let gone = |args: &[&str]| {
        let baton = session.baton([]).into_command();
        let mut shell = Command::new("sh");
        shell.args(["-c", "rmdir \"$PWD\" && exec \"$0\" \"$@\"", &baton.get_program().to_string_lossy()]).args(args);
        fs::create_dir_all(&deep).unwrap();
        shell.current_dir(&deep).env_clear().envs(session.environment());
        Session::adopt(shell).start().wait().no_panic()
    };
    gone(&["status"]).expect(2).reports("the current folder is gone").reports("--workspace");
    gone(&["run", "--task", "x"]).expect(2).reports("the current folder is gone");
    gone(&["doctor"]).expect(2).reports("the current folder is gone");
    gone(&["schema", "plan"]).expect(0);
    gone(&["demo"]).expect(0);
    let root = session.root().display().to_string();
    let named = gone(&["status", "--json", "--workspace", &root]).expect(0);
    assert_eq!(named.json()["task"], TASK);
}

#[test]
fn the_language_server_takes_the_clients_folder_as_it_is() {
    let session = Session::new(&workspace(1));
    with_memory(&session);
    let api = one_task();
    let src = session.path("src");
    let status_of = |folder: &Path, args: &[&str]| {
        let server = session.baton(args.iter().copied()).api(&api).current_dir(&src);
        let mut client = LspClient::start(&mut server.into_command(), folder);
        let mut params = session.initialize_params();
        params["workspaceFolders"] = json!([{ "uri": client.uri(""), "name": "it" }]);
        client.initialize(params);
        let status = client.execute("baton.status", &[]).unwrap();
        client.quit();
        status["task"].clone()
    };
    assert_eq!(status_of(&src, &["lsp"]), Value::Null);
    assert_eq!(status_of(session.root(), &["lsp"]), TASK);
    assert_eq!(status_of(&src, &["lsp", "--workspace", ".."]), TASK, "it was named");
}

#[test]
fn a_file_is_named_from_the_current_folder() {
    let session = Session::in_git(&workspace(1));
    let api = one_task();
    session.run(&api, ["--task", TASK, "--auto-approve"]).expect(0);
    let (src, root) = (session.path("src"), session.root().display().to_string());
    let would = |folder: &Path, args: &[&str]| {
        let args: Vec<&str> = ["rollback", "--dry-run"].iter().chain(args).copied().collect();
        within(&session, folder, &args)
    };
    let whole = session.path("src/t1.rs").display().to_string();
    for named in ["t1.rs", "./t1.rs", "../src/t1.rs", &whole] {
        would(&src, &["--file", named]).expect(0).prints("restored    src/t1.rs");
    }
    would(session.root(), &["--file", "src/t1.rs"]).expect(0).prints("restored    src/t1.rs");
    would(&src, &["--file", "src/t1.rs", "--workspace", &root]).expect(0).prints("restored    src/t1.rs");
    would(&src, &["--file", "src/t1.rs", "--workspace", ".."]).expect(0).prints("restored    src/t1.rs");
    // What was named is said as it was read.
    would(&src, &["--file", "src/t1.rs"]).expect(2).reports("src/src/t1.rs was not changed");
    would(&src, &["--file", "../../t1.rs"]).expect(2).reports("is not in the workspace, which is");
    would(&src, &["--file", "/etc/passwd"]).expect(2).reports("/etc/passwd is not in the workspace");
    within(&session, &src, &["rollback", "--file", "t1.rs"]).expect(0).prints("restored    src/t1.rs");
    assert!(session.text("src/t1.rs").contains("    0\n"));
}
