//! The real editors, and the tools of real projects, where `tests/setup.sh` has put them.
//!
//! A test whose editor or tool is missing prints so and is skipped; where `CI=true` it fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

// The versions that `tests/setup.sh` installs.
const NEOVIM: &str = "neovim-0.11.4";
const PYTEST: &str = "pytest-9.0.3";
const GO: &str = "go-1.26.6";
const VITE: &str = "vite-6.4.1";
const REPORT_VALIDATORS: &str = "sarif-multitool-5.7.0-rdformat-validator-1.0.1";
const ACTIONLINT: &str = "actionlint-1.7.7";
const ZIZMOR: &str = "zizmor-1.32.0";

/// How long an editor may take before it is killed and the test fails: only a hang takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of the tests' editors.
fn cache() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = set.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(folder.join("baton-tests"))
}

fn in_cache(path: &str) -> Option<PathBuf> {
    cache().map(|cache| cache.join(path)).filter(|path| path.is_file())
}

/// Neovim's binary.
pub fn neovim() -> Option<PathBuf> {
    or_skipped("Neovim", "neovim", in_cache(&format!("{NEOVIM}/bin/nvim")))
}

/// The Python that can speak to Neovim.
pub fn neovim_python() -> Option<PathBuf> {
    or_skipped("Neovim's Python", "neovim", in_cache(&format!("{NEOVIM}/bin/python")))
}

/// Emacs with eglot.
pub fn emacs() -> Option<PathBuf> {
    let found = in_path("emacs").filter(|emacs| {
        let mut asked = Command::new(emacs);
        asked.args(["--batch", "--eval", "(require 'eglot)"]).stdin(Stdio::null());
        asked.output().is_ok_and(|output| output.status.success())
    });
    or_skipped("Emacs with eglot", "emacs", found)
}

/// Luacheck, and the folder of node's modules that has StyLua.
pub fn lua_tools() -> Option<(PathBuf, PathBuf)> {
    let stylua = cache().map(|cache| cache.join("stylua-2.5.2/node_modules")).filter(|folder| folder.is_dir());
    let found = in_path("luacheck").zip(stylua).filter(|_| in_path("node").is_some());
    or_skipped("luacheck or StyLua", "lua", found)
}

/// Node, and the folder of its modules that has actionlint.
pub fn actionlint() -> Option<(PathBuf, PathBuf)> {
    let modules = cache().map(|cache| cache.join(ACTIONLINT).join("node_modules")).filter(|folder| folder.is_dir());
    or_skipped("actionlint", "actionlint", in_path("node").zip(modules))
}

/// zizmor, which looks for security holes in workflows.
pub fn zizmor() -> Option<PathBuf> {
    or_skipped("zizmor", "actionlint", in_cache(&format!("{ZIZMOR}/bin/zizmor")))
}

/// check-jsonschema, which has the schema of GitLab's workflows.
pub fn check_jsonschema() -> Option<PathBuf> {
    or_skipped("check-jsonschema", "actionlint", in_cache(&format!("{ZIZMOR}/bin/check-jsonschema")))
}

/// A Python with pytest. It is started by this path, which says where its packages are.
pub fn pytest_python() -> Option<PathBuf> {
    or_skipped("pytest", "projects", in_cache(&format!("{PYTEST}/bin/python")))
}

/// Go.
pub fn go() -> Option<PathBuf> {
    or_skipped("Go", "projects", in_cache(&format!("{GO}/lib/go/bin/go")))
}

/// The package of Vite, for Node.
pub fn vite() -> Option<PathBuf> {
    let package = in_cache(&format!("{VITE}/node_modules/vite/package.json"));
    or_skipped("Vite", "projects", package.and_then(|file| Some(file.parent()?.to_owned())))
}

/// The validators of reports: SARIF Multitool, and the script of rdformat-validator, for Node.
pub fn report_validators() -> Option<(PathBuf, PathBuf)> {
    let sarif = in_cache(&format!("{REPORT_VALIDATORS}/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"));
    let script = "node_modules/@umbrelladocs/rdformat-validator/bin/rdformat-validator.js";
    let found = sarif.zip(in_cache(&format!("{REPORT_VALIDATORS}/{script}"))).filter(|_| in_path("node").is_some());
    or_skipped("SARIF Multitool or rdformat-validator", "reports", found)
}

/// A program that projects are built or tested with and that is in PATH.
pub fn tool(name: &str) -> Option<PathBuf> {
    or_skipped(name, "projects", in_path(name))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn or_skipped<T>(what: &str, part: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        let hint = format!("{what} is not there; install it by: tests/setup.sh {part}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{hint}");
        // Not by `println!`, which the test harness keeps to itself while all goes well.
        writeln!(std::io::stderr(), "skipped: {hint}").expect("standard error");
    }
    found
}

/// A path in this repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").join(path)
}

/// Run a program to its end, which must be a good one; what it printed.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (output, in_time) = wait(child);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let why = if in_time { "failed" } else { "did not end" };
    assert!(in_time && output.status.success(), "it {why}: {command:?}\nstdout:\n{stdout}\nstderr:\n{stderr}");
    format!("{stdout}{stderr}")
}

fn wait(child: Child) -> (Output, bool) {
    let pid = rustix::process::Pid::from_child(&child);
    let (ended, output) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output().expect("a child process")));
    match output.recv_timeout(PATIENCE) {
        Ok(output) => (output, true),
        Err(_) => {
            // Waited for in the thread, so that the id is still its own.
            let _ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            (output.recv().expect("a child process"), false)
        }
    }
}
