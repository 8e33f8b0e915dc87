//! The plugin for Neovim in the real editor, against the real server and a scripted Messages API. What the user does
//! there stands in `tests/neovim/*.lua`.
#![cfg(unix)]

mod support;

use std::path::Path;
use std::process::Command;

use support::editors;
use support::messages_api::{MessagesApi, Script};
use support::replies::{own, plan_of, workspace};
use support::session::Session;

/// Neovim with nothing but the plugin, in a workspace; it runs a Lua file and ends.
fn neovim(nvim: &Path, session: &Session, api: &MessagesApi) -> Command {
    let mut command = Command::new(nvim);
    command.current_dir(session.root()).env_clear().envs(session.environment()).envs(api.env());
    command
        .env("NO_PROXY", "127.0.0.1")
        .env("BATON_BIN", env!("CARGO_BIN_EXE_baton"))
        .env("BATON_PLUGIN", editors::in_repository("editors/neovim"))
        .env("LUA_PATH", format!("{}/?.lua;;", editors::in_repository("tests/neovim").display()));
    command
}

/// What a Lua file of `tests/neovim` does and expects, in this workspace with these models.
#[track_caller]
fn user(file: &str, session: &Session, script: Script) -> Option<MessagesApi> {
    let nvim = editors::neovim()?;
    let api = MessagesApi::start(script);
    let mut command = neovim(&nvim, session, &api);
    command.args(["--headless", "--clean", "-l"]).arg(editors::in_repository(&format!("tests/neovim/{file}.lua")));
    let said = editors::succeeds(&mut command);
    assert!(said.contains("all is well"), "{file}.lua did not come to its end:\n{said}");
    Some(api)
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
