//! A user's session: a workspace in a temporary folder, the real binary run in it, and what it leaves there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::lsp_client::{LspClient, file_uri};
use super::messages_api::MessagesApi;
use super::wait::wait_for_exit;

/// How long a command may take before it is killed and the test fails: only a hang takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The memory folder.
pub const MEMORY: &str = ".agent_memory";

/// A workspace, and the home of its user.
pub struct Session {
    folder: TempDir,
    workspace: PathBuf,
    program: PathBuf,
}

/// The program with its arguments and environment, not started yet.
pub struct Baton {
    command: Command,
}

/// The program at work. Dropped, it is killed.
pub struct Running {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// The result of a command that ended.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Session {
    /// A workspace with these files: each begins after a line `//- /its/path`.
    pub fn new(fixture: &str) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a temporary folder"), fixture)
    }

    /// The same, in a folder of one's choice.
    pub fn in_folder(folder: TempDir, fixture: &str) -> Self {
        let real = folder.path().canonicalize().expect("a real path");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_baton"));
        let session = Self { workspace: real.join("work"), folder, program };
        fs::create_dir(&session.workspace).expect("a workspace");
        for (path, text) in files(fixture) {
            session.write(&path, text);
        }
        session
    }

    /// The same, with everything in one commit on the branch `main`.
    pub fn in_git(fixture: &str) -> Self {
        let session = Self::new(fixture);
        session.git(&["init", "-q", "-b", "main"]);
        session.git(&["add", "-A"]);
        session.git(&["commit", "-q", "-m", "start"]);
        session
    }

    /// The same session, in which another build of the program is run.
    pub fn with_program(self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self }
    }

    /// Another workspace of the same user, with the same files.
    pub fn clone_workspace(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().canonicalize().expect("a real path").join(name);
        copy_all(&self.workspace, &copy);
        copy
    }

    /// The root of the workspace.
    pub fn root(&self) -> &Path {
        &self.workspace
    }

    /// The user's own settings folder, `$XDG_CONFIG_HOME`.
    pub fn config_home(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Write the user's own settings.
    pub fn write_user_config(&self, text: &str) {
        let folder = self.config_home().join("baton");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("config.toml"), text).expect("a file");
    }

    /// Let the user have a further reviewing phase with these lines of settings besides its name and its prompt.
    pub fn add_phase(&self, name: &str, settings: &str) {
        let folder = self.config_home().join("baton/prompts");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}.md")), format!("{name}\nLook at it.\n")).expect("a prompt");
        let file = self.config_home().join("baton/config.toml");
        let before = fs::read_to_string(&file).unwrap_or_default();
        let phase = format!("[[phases]]\nname = \"{name}\"\nprompt = \"prompts/{name}.md\"\n{settings}\n");
        fs::write(file, format!("{before}{phase}")).expect("a file");
    }

    /// Where the program keeps what is the user's own, `$XDG_STATE_HOME/baton`.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state/baton")
    }

    /// A path inside the workspace.
    pub fn path(&self, path: &str) -> PathBuf {
        self.workspace.join(path)
    }

    /// Write a file, and the folders above it.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A file's text.
    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Whether something is there.
    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// A file's permission bits.
    #[cfg(unix)]
    pub fn mode(&self, path: &str) -> u32 {
        self.path(path).metadata().unwrap_or_else(|error| panic!("{path}: {error}")).permissions().mode() & 0o777
    }

    /// Set a file's or a folder's permission bits.
    #[cfg(unix)]
    pub fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// A path inside the memory folder, relative to the workspace.
    pub fn memory(&self, file: &str) -> String {
        format!("{MEMORY}/{file}")
    }

    /// A handoff.
    pub fn handoff(&self, file: &str) -> Value {
        let text = self.text(&self.memory(file));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}: {text}"))
    }

    /// Names in a folder, sorted; none where it is missing.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Entries of `history/`, oldest first.
    pub fn history(&self) -> Vec<String> {
        self.names(&self.memory("history"))
    }

    /// Ids of the runs, oldest first.
    pub fn runs(&self) -> Vec<String> {
        self.names(&self.memory("runs"))
    }

    /// A file of the newest run.
    pub fn of_last_run(&self, file: &str) -> String {
        let run = self.runs().pop().expect("a run");
        self.text(&self.memory(&format!("runs/{run}/{file}")))
    }

    /// Every file of the workspace but git's and the memory folder's, by path.
    pub fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut tree = files_below(&self.workspace);
        tree.retain(|path, _| !path.starts_with(".git/") && !path.starts_with(MEMORY));
        tree
    }

    /// Every file of the memory folder, by path below it.
    pub fn memory_tree(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(&self.path(MEMORY))
    }

    /// Run git in the workspace; its standard output.
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(&self.workspace)
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Test").env(format!("GIT_{role}_EMAIL"), "test@localhost");
        }
        let output = git.output().expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The program with these arguments, in this workspace, with this user's home and nothing else of the environment.
    pub fn baton<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Baton {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(&self.workspace).env_clear().envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Baton { command }
    }

    /// Another command, waited for as the program is.
    pub fn adopt(mut command: Command) -> Baton {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Baton { command }
    }

    /// A shell with job control at the terminal that it is started on, whose `baton` is the program.
    #[cfg(unix)]
    pub fn in_shell(&self, commands: &str) -> Baton {
        let mut path = self.program.parent().expect("a folder").as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-mc", commands]).current_dir(&self.workspace);
        command.env_clear().envs(self.environment()).env("PATH", path);
        Self::adopt(command)
    }

    /// The environment of this user: a home of their own, and nothing else of ours.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let inherited =
            ["PATH", "LLVM_PROFILE_FILE"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let home = self.folder.path();
        let folders = [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "data"),
            ("TMPDIR", "tmp"),
        ];
        let own = folders.map(|(name, folder)| {
            fs::create_dir_all(home.join(folder)).expect("a home");
            (name, home.join(folder).into_os_string())
        });
        inherited.chain(own).collect()
    }

    /// `baton run` with these arguments against a server.
    pub fn run<'a>(&self, api: &MessagesApi, args: impl IntoIterator<Item = &'a str>) -> Done {
        self.start(api, args).wait()
    }

    /// The same, not waiting for its end.
    pub fn start<'a>(&self, api: &MessagesApi, args: impl IntoIterator<Item = &'a str>) -> Running {
        self.baton(std::iter::once("run").chain(args)).api(api).start()
    }

    /// The URI of a file of the workspace, or of the workspace itself.
    pub fn uri(&self, file: &str) -> String {
        file_uri(&self.workspace, file)
    }

    /// What a client of Baton's own, which shows the results of commands itself, sends at `initialize`.
    pub fn initialize_params(&self) -> Value {
        json!({
            "processId": null,
            "rootUri": null,
            "workspaceFolders": [{ "uri": self.uri(""), "name": "work" }],
            "capabilities": {
                "window": { "workDoneProgress": true, "showDocument": { "support": true } },
                "textDocument": { "publishDiagnostics": { "relatedInformation": true } }
            },
            "initializationOptions": { "baton": {} }
        })
    }

    /// A language server for this workspace, which is to be initialised.
    pub fn language_server(&self, api: &MessagesApi) -> LspClient {
        let baton = self.baton(["lsp"]).api(api).current_dir(self.folder.path());
        LspClient::start(&mut baton.into_command(), &self.workspace)
    }

    /// A client of Baton's own with this workspace open.
    pub fn lsp_client(&self, api: &MessagesApi) -> LspClient {
        self.lsp_client_with(api, &json!({ "baton": {} }))
    }

    /// The same, with these `initializationOptions`; null stands for a client that knows nothing of Baton.
    pub fn lsp_client_with(&self, api: &MessagesApi, options: &Value) -> LspClient {
        let mut client = self.language_server(api);
        let mut params = self.initialize_params();
        params["initializationOptions"] = options.clone();
        client.initialize(params);
        client
    }

    /// The events that a run has journaled.
    pub fn events_of(&self, run: &str) -> Vec<Value> {
        let journal = self.text(&self.memory(&format!("runs/{run}/events.jsonl")));
        journal.lines().map(|line| serde_json::from_str(line).expect("an event is JSON")).collect()
    }
}

impl Baton {
    /// With one more variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// In another folder.
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With the models of this server.
    pub fn api(mut self, api: &MessagesApi) -> Self {
        self.command.envs(api.env());
        self
    }

    /// With these as its three standard streams, such as a terminal.
    pub fn streams(mut self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Self {
        self.command.stdin(stdin).stdout(stdout).stderr(stderr);
        self
    }

    /// The command, to be started in another way.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Start it.
    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the binary starts");
        Running { stdout: child.stdout.take(), stderr: child.stderr.take(), child }
    }

    /// Start it and wait for its end.
    pub fn run(self) -> Done {
        self.start().wait()
    }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Send it a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// Kill it, as the system does when memory is short, and wait until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// The lines of its standard output as they come, until it ends or they are dropped.
    pub fn lines(&mut self) -> mpsc::Receiver<String> {
        let stdout = self.stdout.take().expect("standard output is a pipe");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        receiver
    }

    /// Its status, when it ends within the limit. Its output must go elsewhere than into pipes nobody reads.
    pub fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let now = self.child.try_wait().expect("a child process");
        now.or_else(|| wait_for_exit(&mut self.child, limit))
    }

    /// Wait for its end; fails the test when it takes too long.
    pub fn wait(mut self) -> Done {
        let (stdout, stderr) = (self.stdout.take().map(read), self.stderr.take().map(read));
        let status = self.end();
        let text = |reader: Option<JoinHandle<String>>| reader.map(|reader| reader.join().expect("a reader"));
        let (stdout, stderr) = (text(stdout).unwrap_or_default(), text(stderr).unwrap_or_default());
        match status {
            Some(status) => Done { code: status.code(), stdout, stderr },
            None => panic!("it did not end in {PATIENCE:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"),
        }
    }

    /// Its status when it ended; killed when it does not end.
    fn end(&mut self) -> Option<ExitStatus> {
        let status = wait_for_exit(&mut self.child, PATIENCE);
        if status.is_none() {
            self.child.kill().expect("it runs");
            self.child.wait().expect("it ends");
        }
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that ended already cannot be killed, which is fine.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Done {
    /// Fails the test, with all output, when it ended otherwise.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test when it panicked.
    #[track_caller]
    pub fn no_panic(self) -> Self {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Fails the test when standard error does not contain this.
    #[track_caller]
    pub fn reports(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "{words:?} is not in:\n{}", self.stderr);
        self
    }

    /// Fails the test when standard output does not contain this.
    #[track_caller]
    pub fn prints(self, words: &str) -> Self {
        assert!(self.stdout.contains(words), "{words:?} is not in:\n{}", self.stdout);
        self
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The events of `--json`.
    pub fn events(&self) -> Vec<Value> {
        let mut lines = self.json_lines();
        lines.pop();
        lines
    }

    /// The last line of `--json`.
    pub fn outcome(&self) -> Value {
        self.json_lines().pop().unwrap_or_else(|| panic!("no line of output; stderr:\n{}", self.stderr))
    }

    fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// The files of a fixture.
fn files(fixture: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in fixture.split_inclusive('\n') {
        match line.strip_prefix("//- /") {
            Some(path) => files.push((path.trim().to_owned(), String::new())),
            None => match files.last_mut() {
                Some((_, text)) => text.push_str(line),
                None => assert!(line.trim().is_empty(), "a fixture begins with a line //- /path"),
            },
        }
    }
    files
}

fn files_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn read(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a stream");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
