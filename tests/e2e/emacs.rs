//! Emacs with eglot and no plugin of ours: the configuration that `editors/README.md` gives, in the real editor, against
//! the real server and a scripted Messages API. What the user does there stands in `tests/emacs/eglot.el`.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use crate::support::editors;
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{completed, context, edits, modifies, plan, review};
use crate::support::session::Session;
use serde_json::json;

#[test]
fn eglot_starts_the_server_asks_for_the_plan_shows_the_review_and_asks_before_an_undo() {
    let Some(emacs) = editors::emacs() else { return };
    let session = Session::in_git("//- /notes.txt\nFirst\nSay 0\n");
    let issue = json!({
        "severity": "major", "file": "notes.txt", "line": 1, "quote": "Say 1", "description": "It is one too many."
    });
    let script = Script::new()
        .on("context", [context(&["notes.txt"])])
        .on("plan", [plan(&[&[modifies("T1", "notes.txt")]])])
        .on("implement/T1", [edits("notes.txt", "Say 0", "Say 1"), completed(&["notes.txt"])])
        .on("review", [review("approved", "merge", &[issue])]);
    let api = MessagesApi::start(script);
    let binary = Path::new(env!("CARGO_BIN_EXE_baton")).parent().expect("a folder");
    let path = std::env::join_paths(["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new).iter().chain([&binary]));
    let mut command = Command::new(emacs);
    command.current_dir(session.root()).env_clear().envs(session.environment()).envs(api.env());
    command
        .env("PATH", path.expect("a path"))
        .env("NO_PROXY", "127.0.0.1")
        .env("TEST_README", editors::in_repository("editors/README.md"))
        .args(["--batch", "--load"])
        .arg(editors::in_repository("tests/emacs/eglot.el"));
    let said = editors::succeeds(&mut command);
    assert!(said.contains("all is well"), "{said}");
}
