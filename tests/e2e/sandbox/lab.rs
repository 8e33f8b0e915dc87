//! A user with a home folder and a workspace in it, on a disk that is not `/tmp`, and checks that are run there.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::bwrap::{ByBwrap, by_bwrap};

/// The program as it was built.
const BUILT: &str = env!("CARGO_BIN_EXE_baton");

/// How long a job may take before it is killed and the test fails: only a hang takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A user's machine.
pub(super) struct Lab {
    folder: TempDir,
    variables: Vec<(String, OsString)>,
    /// Whether Baton makes no namespaces here, and bwrap does.
    by_bwrap: Option<ByBwrap>,
}

/// What `baton __sandbox job` answered.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) answer: Value,
    #[expect(dead_code, reason = "shown where a test fails")]
    stderr: String,
}

impl Lab {
    /// A workspace with these files: each begins after a line `//- /its/path`.
    pub(super) fn new(fixture: &str) -> Self {
        Self::named("work", fixture)
    }

    /// The same, in a folder with this name below the home folder.
    pub(super) fn named(name: &str, fixture: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("baton-lab").tempdir_in(labs()).expect("a folder");
        let lab = Self { folder, variables: vec![("LAB_WORK".to_owned(), name.into())], by_bwrap: by_bwrap() };
        if is_fresh(Path::new(BUILT)) {
            fs::create_dir(lab.outer().join("bin")).expect("a folder");
            fs::copy(BUILT, lab.program()).expect("a copy of the program");
        }
        for folder in ["outside", "config", "state", "cache", "data", "tmp"] {
            fs::create_dir_all(lab.outer().join(folder)).expect("a folder");
        }
        fs::create_dir_all(lab.root()).expect("a workspace");
        for (path, text) in files(fixture) {
            lab.write(&path, text);
        }
        lab
    }

    /// The same with a variable in the environment of Baton, and so of what is run outside.
    pub(super) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn outer(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("a real path")
    }

    /// The program: a copy of it where it was built in a folder that is fresh in a view, or in what a test makes of this
    /// machine.
    fn program(&self) -> PathBuf {
        if is_fresh(Path::new(BUILT)) { self.outer().join("bin/baton") } else { BUILT.into() }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.outer().join("home")
    }

    /// A folder that is neither in the home folder nor in the workspace, and that the user may write.
    pub(super) fn outside(&self) -> PathBuf {
        self.outer().join("outside")
    }

    pub(super) fn root(&self) -> PathBuf {
        let name = self.variables.iter().find(|(name, _)| name == "LAB_WORK").expect("a name");
        self.home().join(&name.1)
    }

    /// Write a file of the workspace, or one at an absolute path, with the folders above it.
    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub(super) fn write_at_home(&self, path: &str, text: &str) {
        self.write(self.home().join(path).to_str().expect("UTF-8"), text);
    }

    pub(super) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The whole environment of this user.
    fn environment(&self) -> Vec<(String, OsString)> {
        let mut variables: Vec<(String, OsString)> = ["PATH", "LLVM_PROFILE_FILE", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)))
            .collect();
        // The toolchain is that of whoever runs the tests.
        if let (Some(home), None) = (std::env::var_os("HOME"), std::env::var_os("RUSTUP_HOME")) {
            variables.push(("RUSTUP_HOME".to_owned(), Path::new(&home).join(".rustup").into_os_string()));
        }
        variables.push(("HOME".to_owned(), self.home().into_os_string()));
        for (name, folder) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "data"),
            ("TMPDIR", "tmp"),
        ] {
            variables.push((name.to_owned(), self.outer().join(folder).into_os_string()));
        }
        variables.push(("OUTSIDE".to_owned(), self.outside().into_os_string()));
        variables.extend(self.variables.iter().cloned());
        // In a path of the test's own too.
        if let Some(by_bwrap) = &self.by_bwrap {
            variables.iter_mut().filter(|(name, _)| name == "PATH").for_each(|(_, path)| by_bwrap.put_first(path));
        }
        variables
    }

    /// Makes everything here another user's.
    pub(super) fn give_to(&self, user: u32) {
        let owner = |path: &Path| std::os::unix::fs::lchown(path, Some(user), Some(user)).expect("an owner");
        let mut folders = vec![self.outer()];
        while let Some(folder) = folders.pop() {
            owner(&folder);
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                if entry.file_type().expect("a kind").is_dir() {
                    folders.push(entry.path());
                } else {
                    owner(&entry.path());
                }
            }
        }
    }

    /// A shell command as the user would run it, without any sandbox; what it printed on both streams.
    pub(super) fn outside_of_sandbox(&self, command: &str) -> String {
        let mut sh = Command::new("sh");
        sh.arg("-c").arg(command).current_dir(self.root()).env_clear().envs(self.environment());
        let output = sh.stdin(Stdio::null()).output().expect("sh");
        both(&output)
    }

    /// The program with this job to do, not started yet.
    pub(super) fn baton(&self) -> Command {
        let mut command = match &self.by_bwrap {
            Some(by_bwrap) => by_bwrap.start(&self.program()),
            None => Command::new(self.program()),
        };
        command.args(["__sandbox", "job"]).current_dir(self.root()).env_clear().envs(self.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the program is told for a check at the end of a round.
    pub(super) fn job(&self, command: &str) -> Value {
        json!({ "workspace": self.root(), "wish": "auto", "command": command, "timeout_ms": 60_000, "end": [] })
    }

    /// Run a command as a check at the end of a round.
    pub(super) fn end(&self, command: &str) -> Ran {
        self.run(&self.job(command))
    }

    /// Try a command with these edits laid over the working tree.
    pub(super) fn attempt(&self, command: &str, edits: &[(&str, Option<&str>)]) -> Ran {
        let mut job = self.job(command);
        job.as_object_mut().expect("an object").remove("end");
        job["try"] = edits.iter().map(|(path, content)| json!({ "path": path, "content": content })).collect();
        self.run(&job)
    }

    pub(super) fn run(&self, job: &Value) -> Ran {
        answer_of(self.baton(), job)
    }

    /// A program of the user that goes on in the background, with these variables besides.
    pub(super) fn start(&self, program: &str, args: &[&str], variables: &[(&str, &str)]) -> Background {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.environment()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Background(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")))
    }
}

/// The folders that are fresh in a view, so that nothing there could be attacked.
const FRESH: [&str; 4] = ["/tmp", "/var/tmp", "/run", "/dev"];

/// Where labs are made: the build's own folder, or a cache where that is one of the fresh ones, as of a clone in `/tmp`.
#[track_caller]
fn labs() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    // Some labs are given to another user, which only root can.
    let others =
        cache.into_iter().chain([PathBuf::from("/var/cache")]).filter(|path| !is_root() || is_open_to_all(path));
    let found = std::iter::once(build).chain(others).find(|path| !is_fresh(path) && can_be_written(path));
    found.unwrap_or_else(|| panic!("labs need a folder outside of {}: set XDG_CACHE_HOME to one", FRESH.join(", ")))
}

/// Whether a view has a folder of its own in the place of this one.
fn is_fresh(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| FRESH.iter().any(|fresh| path.starts_with(fresh)))
}

fn can_be_written(path: &Path) -> bool {
    fs::create_dir_all(path).is_ok() && tempfile::tempdir_in(path).is_ok()
}

/// Whether every user gets there.
fn is_open_to_all(path: &Path) -> bool {
    let is_open = |folder: &Path| fs::metadata(folder).map_or(true, |found| found.permissions().mode() & 0o001 != 0);
    path.ancestors().all(is_open)
}

/// Ends when it is dropped.
pub(super) struct Background(pub(super) Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Start the program, give it the job, and wait for its answer.
pub(super) fn answer_of(mut command: Command, job: &Value) -> Ran {
    let mut child = command.spawn().expect("baton");
    child.stdin.take().expect("a pipe").write_all(job.to_string().as_bytes()).expect("it reads");
    let id = child.id();
    let began = Instant::now();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let output = receive.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        kill(id);
        panic!("no answer after {:?} to {job}", began.elapsed());
    });
    let output = output.expect("baton ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?} {stderr}"));
    Ran { answer, stderr }
}

/// End a process at once.
pub(super) fn kill(id: u32) {
    if let Some(pid) = rustix::process::Pid::from_raw(id.cast_signed()) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The processes whose last argument is this one.
pub(super) fn sleepers(argument: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line == format!("sleep\0{argument}\0").as_bytes()
    };
    ids.filter(is_one).collect()
}

/// Digits that no other test has: for what is in one place for all of them, such as a name in `/tmp`.
pub(super) fn unique() -> String {
    // A test runs once more by bwrap.
    format!("{}{}", std::process::id(), if by_bwrap().is_some() { "1" } else { "0" })
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A job of Baton in a shell that prepares a machine for it; `$BATON` and the path of the job in `$JOB` are what it starts.
#[track_caller]
pub(super) fn on_a_machine(lab: &Lab, prepare: &str, command: &str, edits: bool) -> Option<Ran> {
    let mut job = lab.job(command);
    if edits {
        job.as_object_mut().expect("an object").remove("end");
        job["try"] = json!([{ "path": "new.txt", "content": "n\n" }]);
    }
    let mut sh = Command::new("unshare");
    let mut baton = lab.baton();
    let variables: Vec<(_, _)> =
        baton.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    let script = format!("set -e; cd \"$HOME/$LAB_WORK\"; {prepare}; exec \"$BATON\" __sandbox job");
    let arguments: &[&str] = if is_root() { &["-m", "sh", "-c"] } else { &["-Urm", "sh", "-c"] };
    sh.args(arguments).arg(script).env_clear();
    for (name, value) in variables {
        if let Some(value) = value {
            sh.env(name, value);
        }
    }
    sh.env("BATON", lab.program());
    sh.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    // Nothing of the machine can be prepared where namespaces are refused.
    if !Command::new("unshare").args(&arguments[..1]).arg("true").status().is_ok_and(|status| status.success()) {
        skip("this machine refuses namespaces");
        return None;
    }
    let _ = baton.stdin(std::process::Stdio::null());
    Some(answer_of(sh, &job))
}

/// Prepares a machine that makes no user namespaces: in one of its own, so that the setting is nobody else's.
pub(super) fn no_namespaces() -> String {
    "exec unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec \"$BATON\" __sandbox job'".to_owned()
}

#[track_caller]
pub(super) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to be");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Ran {
    pub(super) fn output(&self) -> &str {
        self.answer["output"].as_str().unwrap_or_default()
    }

    pub(super) fn ended(&self) -> &str {
        self.answer["ended"].as_str().unwrap_or_default()
    }

    pub(super) fn level(&self) -> &str {
        self.answer["level"].as_str().unwrap_or_default()
    }

    pub(super) fn hints(&self) -> String {
        let hints = self.answer["hints"].as_array().into_iter().flatten();
        hints.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The files that came back, each with its content.
    pub(super) fn changed(&self) -> Vec<(String, Option<String>)> {
        let changed = self.answer["changed"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        changed.map(|file| (text(&file["path"]).expect("a path"), text(&file["content"]))).collect()
    }

    pub(super) fn is_by_bwrap(&self) -> bool {
        self.answer["words"].as_str().is_some_and(|words| words.starts_with("view, by bwrap "))
    }

    /// It ran in a view, whatever came of it. Where there is no view the test says so and ends, but not in CI.
    #[track_caller]
    pub(super) fn is_view(&self) -> bool {
        if self.level() == "view" {
            assert!(by_bwrap().is_none() || self.is_by_bwrap(), "{}", self.answer);
            return true;
        }
        assert!(by_bwrap().is_none(), "bwrap makes no view here: {}", self.answer);
        skip(&format!("no view here: {}", self.answer["words"]))
    }
}

/// Says why a test ends early; false, so that a test can ask and end in one line. In CI nothing is skipped.
#[track_caller]
pub(super) fn skip(reason: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    println!("skipped: {reason}");
    false
}

/// The real path of the Python that the user has. What it is started through may look for the user's home.
pub(super) fn python() -> Option<String> {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    output.status.success().then(|| fs::canonicalize(path).ok()?.to_str().map(str::to_owned)).flatten()
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn files(fixture: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in fixture.split_inclusive('\n') {
        if let Some(path) = line.strip_prefix("//- /") {
            files.push((path.trim_end().to_owned(), String::new()));
        } else if let Some((_, text)) = files.last_mut() {
            text.push_str(line);
        }
    }
    files
}
