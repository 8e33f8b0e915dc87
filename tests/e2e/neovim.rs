//! The plugin for Neovim in the real editor, against the real server and a scripted Messages API. What the user does
//! there stands in `tests/neovim/*.lua`.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::support::editors;
use crate::support::messages_api::{Fault, MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, but, completed, does, edits, file_of, fixes, goes_well, own, plan_of, review, with, workspace,
};
use crate::support::session::Session;
use serde_json::{Value, json};

/// A program of a user's, in a workspace, that finds the plugin, the server and its models.
fn user_of(program: &Path, session: &Session, api: &MessagesApi) -> Command {
    let mut command = Command::new(program);
    command.current_dir(session.root()).env_clear().envs(session.environment()).envs(api.env());
    command
        .env("NO_PROXY", "127.0.0.1")
        .env("TEST_BATON", env!("CARGO_BIN_EXE_baton"))
        .env("TEST_PLUGIN", editors::in_repository("editors/neovim"))
        .env("LUA_PATH", format!("{}/?.lua;;", editors::in_repository("tests/neovim").display()));
    command
}

/// What a Lua file of `tests/neovim` does and expects, in this workspace with these models.
#[track_caller]
fn user(file: &str, session: &Session, script: Script) -> Option<MessagesApi> {
    user_with(file, session, script, |_| {})
}

/// The same, with another environment.
#[track_caller]
fn user_with(file: &str, session: &Session, script: Script, change: impl Fn(&mut Command)) -> Option<MessagesApi> {
    let nvim = editors::neovim()?;
    let api = MessagesApi::start(script);
    let mut command = user_of(&nvim, session, &api);
    change(&mut command);
    command.args(["--headless", "--clean", "-l"]).arg(editors::in_repository(&format!("tests/neovim/{file}.lua")));
    let said = editors::succeeds(&mut command);
    assert!(said.contains("all is well"), "{file}.lua did not come to its end:\n{said}");
    Some(api)
}

/// A user at a screen of so many columns, in this workspace with these models: what a Python file of `tests/neovim`
/// does and expects.
#[track_caller]
fn user_at_a_screen(file: &str, columns: usize, session: &Session, script: Script) -> bool {
    let Some((nvim, python)) = editors::neovim().zip(editors::neovim_python()) else { return false };
    let api = MessagesApi::start(script);
    let mut command = user_of(&python, session, &api);
    // No compiled files are left in the repository.
    command.arg("-B").arg(editors::in_repository(&format!("tests/neovim/{file}.py")));
    command.arg(columns.to_string()).env("NVIM", nvim);
    if let Some(folder) = std::env::var_os("TEST_SCREENS") {
        command.env("TEST_SCREENS", folder);
    }
    let screens = editors::succeeds(&mut command);
    assert!(screens.contains("all is well"), "{screens}");
    true
}

fn two_tasks() -> [Value; 2] {
    [own("T1"), with(own("T2"), json!({ "depends_on": ["T1"] }))]
}

/// Two tasks, one after the other.
fn groups(tasks: &[Value; 2]) -> [&[Value]; 2] {
    [&tasks[..1], &tasks[1..]]
}

/// An issue on the line that agents wrote.
fn issue(severity: &str, file: &str, description: &str) -> Value {
    json!({
        "severity": severity, "file": file, "line": 1, "quote": "    1", "description": description,
        "suggested_fix": "Answer 2."
    })
}

/// A run whose review leaves one issue of each severity.
fn leaves_issues() -> Script {
    but(Script::new().on("review", [four_issues()]), &groups(&two_tasks()))
}

fn four_issues() -> Reply {
    let issues = [
        issue("critical", "src/t1.rs", "It loses data."),
        issue("major", "src/t1.rs", "It is wrong."),
        issue("minor", "src/t2.rs", "It is slow."),
        issue("suggestion", "src/t2.rs", "It is long."),
    ];
    // What is critical cannot be merged.
    review("changes_requested", "escalate_to_human", &issues)
}

/// The same; agents then fix what they are asked to, and the next review finds nothing.
fn leaves_issues_that_can_be_fixed() -> Script {
    let fixes = |id: &str| {
        let file = file_of(id);
        vec![edits(&file, "    1\n", "    2\n"), completed(&[&file])]
    };
    let script = Script::new()
        .rounds("implement/T1", [does("T1").to_vec(), fixes("T1")])
        .rounds("implement/T2", [does("T2").to_vec(), fixes("T2")])
        .rounds("review", [vec![four_issues()], vec![approves()]]);
    but(script, &groups(&two_tasks()))
}

/// A run that goes well.
fn two_go_well() -> Script {
    goes_well(&groups(&two_tasks()))
}

/// The same again and again: each time the tasks change what the time before left.
fn two_go_well_each_time() -> Script {
    let begun = [AtomicU32::new(0), AtomicU32::new(0)];
    two_go_well().by(move |request| {
        let id = request.agent.strip_prefix("implement/")?;
        (request.turn == 0).then(|| {
            let from = begun[usize::from(id == "T2")].fetch_add(1, Ordering::SeqCst);
            fixes(id, from, from + 1).swap_remove(0)
        })
    })
}

#[test]
fn the_demo_is_a_tab_with_a_gate_and_issues_that_can_be_fixed_and_undone() {
    let Some(api) = user("demo", &Session::new(""), Script::new()) else { return };
    assert!(api.requests().is_empty(), "no model was asked");
}

#[test]
fn the_lua_is_linted_and_formatted() {
    let Some((luacheck, modules)) = editors::lua_tools() else { return };
    let plugin = editors::in_repository("editors/neovim");
    let settings = plugin.join(".luacheckrc");
    let mut lint = Command::new(luacheck);
    lint.arg("--quiet").arg("--config").arg(&settings).arg(&plugin).arg(editors::in_repository("tests/neovim"));
    editors::succeeds(&mut lint);
    let mut format = Command::new("node");
    format.arg(editors::in_repository("tests/neovim/format.cjs")).arg("--check").env("NODE_PATH", modules);
    editors::succeeds(&mut format);
}

#[test]
fn the_command_completes_and_says_what_it_takes_and_nothing_is_loaded_before() {
    let session = Session::in_git(&workspace(1));
    session.write(".agent_memory/plan.json", plan_of(&[&[own("T1")]]).to_string());
    user("command", &session, Script::new());
}

#[test]
fn the_first_run_starts_the_server_and_goes_to_its_review() {
    let session = Session::in_git(&workspace(2));
    let Some(api) = user("run", &session, leaves_issues()) else { return };
    let asked = api.requests_of("context").remove(0).first_message();
    assert!(asked.contains("lines 1 to 2 of `src/t1.rs`"), "{asked}");
}

#[test]
fn the_gate_is_answered_by_viewing_revising_leaving_and_approving_some() {
    let session = Session::in_git(&workspace(2));
    let Some(api) = user("gate", &session, two_go_well()) else { return };
    let asked = api.requests_of("plan").remove(1).first_message();
    assert!(asked.contains("Do it in one task."), "{asked}");
}

#[test]
fn the_checks_of_a_workspace_are_trusted_at_the_gate() {
    let session = Session::in_git(&workspace(2));
    session.write("baton.toml", "[[checks]]\nname = \"test\"\ncommand = \"true\"\n");
    if user("gate_checks", &session, two_go_well()).is_some() {
        session.baton(["trust"]).run().expect(0).prints("this check may run");
    }
}

#[test]
fn the_gate_is_answered_by_editing_rejecting_and_from_elsewhere() {
    user("gate_edit", &Session::in_git(&workspace(2)), two_go_well_each_time());
}

#[test]
fn the_gate_waits_for_a_plan_that_is_broken_and_approves_none_that_was_not_shown() {
    user("gate_faulty", &Session::in_git(&workspace(2)), two_go_well());
}

#[test]
fn issues_move_and_are_dismissed_restored_and_fixed() {
    user("issues", &Session::in_git(&workspace(2)), leaves_issues_that_can_be_fixed());
}

#[test]
fn lenses_approve_the_plan_and_fix_what_the_review_found() {
    user("lenses", &Session::in_git(&workspace(2)), leaves_issues_that_can_be_fixed());
}

#[test]
fn a_run_is_cancelled_by_its_progress_and_resumed_when_the_user_wants_to() {
    let session = Session::in_git(&workspace(2));
    let (asked, is_asked) = (session.path(".git/asked"), AtomicBool::new(false));
    let script = two_go_well().by(move |request| {
        let is_first = request.agent == "context" && !is_asked.swap(true, Ordering::SeqCst);
        is_first.then(|| {
            // The user cancels once the model is asked, and long before it answers.
            std::fs::write(&asked, "").expect("a file");
            Reply::text("Too late.").after(Duration::from_secs(120))
        })
    });
    user("cancel", &session, script);
}

#[test]
fn a_server_that_was_killed_is_started_again_and_goes_on() {
    user("restart", &Session::in_git(&workspace(2)), two_go_well());
}

#[test]
fn unsaved_edits_are_never_lost() {
    user("unsaved", &Session::in_git(&workspace(2)), two_go_well());
}

#[test]
fn every_phase_can_be_run_by_its_name() {
    user("phases", &Session::in_git(&workspace(2)), leaves_issues());
}

#[test]
fn a_phase_that_the_user_added_is_shown_and_run_as_the_others_are() {
    user("user_phase", &Session::in_git(&workspace(2)), Script::new());
}

#[test]
fn what_agents_did_is_undone_and_redone_and_the_buffers_follow() {
    user("undo", &Session::in_git(&workspace(2)), two_go_well());
}

#[test]
fn enabled_it_shows_an_earlier_review_in_every_file_of_the_project() {
    user("enable", &Session::in_git(&workspace(2)), leaves_issues());
}

#[test]
fn checkhealth_tells_what_is_there_and_what_is_missing() {
    user("health", &Session::in_git(&workspace(2)), Script::new());
}

#[test]
fn every_state_of_the_server_is_drawn_and_nothing_is_made_up() {
    user("drawn", &Session::in_git(&workspace(2)), Script::new());
}

#[test]
fn each_change_of_agents_is_marked_kept_undone_and_traced_to_its_task() {
    user("changes", &Session::in_git(&workspace(2)), Script::new());
}

#[test]
fn the_log_of_a_run_follows_it_and_earlier_workflows_are_undone() {
    user("past", &Session::in_git(&workspace(2)), Script::new());
}

#[test]
fn no_window_of_the_gate_is_left_over_the_code() {
    user("windows", &Session::in_git(&workspace(2)), Script::new());
}

#[test]
fn a_run_that_wrote_nothing_offers_no_undo_and_goes_on_where_it_stopped() {
    let refused = Fault::status(401, "authentication_error", "invalid x-api-key");
    user("ends", &Session::in_git(&workspace(2)), two_go_well().fault("context", [refused]));
}

#[test]
fn a_task_is_kept_where_no_key_is_set_and_runs_once_there_is_one() {
    let session = Session::in_git(&workspace(2));
    user_with("task", &session, two_go_well(), |command| {
        command.env_remove("ANTHROPIC_API_KEY");
    });
}

#[test]
fn unsaved_changes_of_the_plan_are_asked_about_before_it_is_approved() {
    user("gate_unsaved", &Session::in_git(&workspace(2)), two_go_well_each_time());
}

#[test]
fn the_gate_is_whole_again_in_a_second_neovim() {
    let session = Session::in_git(&workspace(2));
    user("gate_left", &session, two_go_well());
    user("gate_found", &session, two_go_well());
}

#[test]
fn an_undo_asks_to_save_first_and_stays_offered_until_every_file_is_back() {
    user("undo_unsaved", &Session::in_git(&workspace(2)), two_go_well());
}

#[test]
fn two_projects_run_beside_each_other_and_each_is_named() {
    let session = Session::in_git(&workspace(2));
    session.clone_workspace("second");
    user("projects", &session, two_go_well());
}

#[test]
fn the_lines_of_the_readme_install_the_plugin() {
    user("install", &Session::in_git(&workspace(1)), Script::new());
}

#[test]
fn on_the_screen_the_gate_takes_no_key_and_the_review_stands_at_its_lines() {
    user_at_a_screen("screen", 100, &Session::in_git(&workspace(2)), leaves_issues());
}

#[test]
fn the_whole_story_is_told_on_a_screen_of_80_columns_and_24_lines() {
    user_at_a_screen("story", 80, &Session::in_git(&workspace(2)), leaves_issues());
}

#[test]
fn on_screens_of_every_width_nothing_is_cut_and_nothing_asks_for_a_key() {
    for columns in [40, 80, 120] {
        let session = Session::in_git(&workspace(2));
        session.write_user_config(
            "max_repair_rounds = 0\n[[checks]]\nname = \"test\"\ncommand = \"true\"\n\
             [[checks]]\nname = \"lint\"\ncommand = \"grep -q 0 src/t1.rs\"\n",
        );
        user_at_a_screen("widths", columns, &session, leaves_issues());
    }
}
