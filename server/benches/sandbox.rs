//! What a view costs on top of the bare command: both measured in turn, in one process.
//!
//! `cargo bench --bench sandbox` prints medians of pairs. The tree's size matters as far as secrets are looked for in it, and
//! at the end of a round as far as folders that git ignores are. Projects are built with the caches of whoever runs it, as
//! they are: the first run of each is not counted. A tool that is missing is said and left out.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use baton::contracts::RepoPath;
use baton::workspace::{Ended, Job, Place, Sandbox, SandboxWish, ViewEdit, Workspace, sandbox_stage};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const PAIRS: usize = 20;
const ROUNDS: usize = 5;

const COMMANDS: [(&str, &str); 2] =
    [("`true`", "true"), ("a hundred files", "for i in $(seq 100); do echo x > made-$i; done; rm made-*")];

fn main() -> ExitCode {
    // A view starts this program again.
    if let Some(code) = sandbox_stage(std::env::args_os().skip(1)) {
        return code;
    }
    let runtime = Runtime::new().unwrap();
    println!(
        "milliseconds; medians of {PAIRS}, each with the quickest and the slowest of what it costs more than bare"
    );
    for files in [10, 1_000, 10_000, 50_000] {
        let folder = tree_of(files);
        // A tree at rest: a folder that changed just now is read again for each check.
        std::thread::sleep(Duration::from_secs(3));
        let lab = Lab::new(&runtime, folder.path());
        for (name, command) in COMMANDS {
            lab.pairs(&format!("{files} files, {name}"), command);
        }
    }
    println!("\nsmall projects with warm caches; medians of {ROUNDS}; finding the sandbox is done once a run");
    for project in [cargo(), npm(), pytest(), go()].into_iter().flatten() {
        project.measure(&runtime);
    }
    ExitCode::SUCCESS
}

/// A workspace, and the sandbox for it.
struct Lab<'a> {
    runtime: &'a Runtime,
    root: PathBuf,
    sandbox: Sandbox,
    found: f64,
}

impl<'a> Lab<'a> {
    fn new(runtime: &'a Runtime, root: &Path) -> Self {
        let root = root.canonicalize().unwrap();
        let workspace = Workspace::open(&root).unwrap();
        let started = Instant::now();
        let sandbox = runtime.block_on(Sandbox::find(&workspace, SandboxWish::Require, &CancellationToken::new()));
        assert!(sandbox.can_try(), "there is no view here: {:?}", sandbox.explanation());
        Self { runtime, root, sandbox, found: ms(started) }
    }

    fn bare(&self, command: &str) -> f64 {
        let started = Instant::now();
        let mut sh = Command::new("sh");
        sh.args(["-c", command])
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(sh.status().unwrap().success(), "{command}");
        ms(started)
    }

    fn tried(&self, command: &str, edit: Option<&Edit>) -> f64 {
        let edits = edit.map(|edit| ViewEdit {
            path: RepoPath::parse(edit.file).unwrap(),
            content: Some(edit.text.clone().into_bytes()),
            mode: None,
        });
        self.run(command, Place::Try { edits: edits.into_iter().collect(), touched: Some(Vec::new()) })
    }

    fn ended(&self, command: &str) -> f64 {
        self.run(command, Place::End { touched: Vec::new() })
    }

    fn run(&self, command: &str, place: Place) -> f64 {
        let timeout = Duration::from_secs(600);
        let job = Job { command: command.to_owned(), timeout, network: false, secrets: false, place };
        let log = File::create("/dev/null").unwrap();
        let started = Instant::now();
        let ran = self.runtime.block_on(self.sandbox.run(&job, log, &CancellationToken::new()));
        let took = ms(started);
        assert_eq!(ran.ended, Ended::Exited(0), "{command}: {}", ran.output);
        took
    }
    /// The bare command, a try and an end, in turn.
    fn pairs(&self, name: &str, command: &str) {
        let (mut bare, mut tries, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let before = self.bare(command);
            tries.push(self.tried(command, None) - before);
            ends.push(self.ended(command) - before);
            bare.push(before);
        }
        println!(
            "{name}: bare {:.1}; a try {}; at the end of a round {}",
            Spread::of(bare).median,
            Spread::of(tries),
            Spread::of(ends)
        );
    }
}

/// A file as it is laid over the tree.
struct Edit {
    file: &'static str,
    text: String,
}

/// A project whose check passes, also with the edit.
struct Project {
    name: &'static str,
    folder: TempDir,
    command: String,
    edit: Edit,
}

impl Project {
    /// Each round finds the sandbox anew; then two tries, two tries with an edit, and two ends.
    fn measure(&self, runtime: &Runtime) {
        let file = self.folder.path().join(self.edit.file);
        let original = fs::read_to_string(&file).unwrap();
        let mut columns: [(&str, Vec<f64>); 9] = [
            ("the sandbox is found", Vec::new()),
            ("bare", Vec::new()),
            ("1st try", Vec::new()),
            ("2nd try", Vec::new()),
            ("bare, edited", Vec::new()),
            ("1st try, edited", Vec::new()),
            ("2nd try, edited", Vec::new()),
            ("1st end", Vec::new()),
            ("2nd end", Vec::new()),
        ];
        for round in 0..ROUNDS {
            let lab = Lab::new(runtime, self.folder.path());
            let command = &self.command;
            lab.bare(command);
            let mut row = vec![lab.found, lab.bare(command), lab.tried(command, None), lab.tried(command, None)];
            // No two edits are one, so that no cache knows it.
            let edit = |number: usize| {
                let comment = if self.edit.file.ends_with(".py") { "#" } else { "//" };
                Edit { file: self.edit.file, text: format!("{}{comment} {round}-{number}\n", self.edit.text) }
            };
            fs::write(&file, edit(0).text).unwrap();
            let edited = lab.bare(command);
            fs::write(&file, &original).unwrap();
            lab.bare(command);
            row.extend([edited, lab.tried(command, Some(&edit(1))), lab.tried(command, Some(&edit(2)))]);
            row.extend([lab.ended(command), lab.ended(command)]);
            for (column, took) in columns.iter_mut().zip(row) {
                column.1.push(took);
            }
        }
        let columns = columns.map(|(name, took)| format!("{name} {:.0}", Spread::of(took).median));
        println!("{}: {}", self.name, columns.join("; "));
    }
}

fn project(name: &'static str, command: String, edit: Edit, files: &[(&str, &str)]) -> Project {
    let folder = folder();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    assert!(Command::new("git").args(["init", "-q"]).current_dir(folder.path()).status().unwrap().success());
    Project { name, folder, command, edit }
}

fn cargo() -> Option<Project> {
    let text = "pub fn double(n: u32) -> u32 { cfg_if::cfg_if! { if #[cfg(any())] { 0 } else { n * 2 } } }\n\
                #[test] fn doubles() { assert_eq!(double(2), 4); }\n";
    let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ncfg-if = \"1\"\n[workspace]\n";
    let files = [("Cargo.toml", manifest), ("src/lib.rs", text), (".gitignore", "target/\n")];
    let edit = Edit { file: "src/lib.rs", text: text.replace("n * 2", "n + n") };
    Some(project("cargo test", "cargo test --offline --lib".to_owned(), edit, &files))
}

fn npm() -> Option<Project> {
    let text = "exports.double = (n) => require('twice').twice(n);\n";
    let test = "const test = require('node:test');\nconst assert = require('node:assert');\n\
                test('doubles', () => assert.strictEqual(require('./code.js').double(2), 4));\n";
    let files = [
        (
            "package.json",
            "{ \"name\": \"small\", \"version\": \"1.0.0\", \"scripts\": { \"test\": \"node --test\" } }\n",
        ),
        ("code.js", text),
        ("code.test.js", test),
        ("node_modules/twice/package.json", "{ \"name\": \"twice\", \"version\": \"1.0.0\" }\n"),
        ("node_modules/twice/index.js", "exports.twice = (n) => n * 2;\n"),
        (".gitignore", "node_modules/\n"),
    ];
    let edit = Edit { file: "code.js", text: text.replace("(n);", "(n) + 0;") };
    there("npm", Command::new("npm").arg("--version")).then(|| project("npm test", "npm test".to_owned(), edit, &files))
}

fn pytest() -> Option<Project> {
    let python = installed("pytest-", "bin/python");
    if !there("pytest", Command::new(&python).args(["-m", "pytest", "--version"])) {
        return None;
    }
    let text = "def double(n):\n    return n * 2\n";
    let test = "from code_under_test import double\n\ndef test_doubles():\n    assert double(2) == 4\n";
    let files =
        [("code_under_test.py", text), ("test_code.py", test), (".gitignore", "__pycache__/\n.pytest_cache/\n")];
    let edit = Edit { file: "code_under_test.py", text: text.replace("n * 2", "n + n") };
    Some(project("pytest", format!("{} -m pytest -q", python.display()), edit, &files))
}

fn go() -> Option<Project> {
    let go = installed("go-", "lib/go/bin/go");
    if !there("Go", Command::new(&go).arg("version")) {
        return None;
    }
    let text = "package small\n\nfunc Double(n int) int { return n * 2 }\n";
    let test = "package small\n\nimport \"testing\"\n\nfunc TestDoubles(t *testing.T) {\n\tif Double(2) != 4 {\n\t\tt.Fatal(2)\n\t}\n}\n";
    let files = [("go.mod", "module small\n\ngo 1.20\n"), ("small.go", text), ("small_test.go", test)];
    let edit = Edit { file: "small.go", text: text.replace("n * 2", "n + n") };
    Some(project("go test", format!("{} test ./...", go.display()), edit, &files))
}

/// Where `tests/setup.sh` installs a tool, whatever its version.
fn installed(name: &str, program: &str) -> PathBuf {
    let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = set.unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache")).join("baton-tests");
    let tools = fs::read_dir(cache).into_iter().flatten().flatten();
    let tool = tools.filter(|entry| entry.file_name().to_string_lossy().starts_with(name)).map(|entry| entry.path());
    tool.max().unwrap_or_default().join(program)
}

fn there(name: &str, asked: &mut Command) -> bool {
    let is_there = asked.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !is_there {
        println!("{name} is not there: left out; tests/setup.sh projects installs it");
    }
    is_there
}

fn tree_of(files: usize) -> TempDir {
    let folder = folder();
    for number in 0..files {
        let path = folder.path().join(format!("d{}/f{number}", number / 100));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x\n").unwrap();
    }
    folder
}

/// Not in `/tmp`, of which a view has its own.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// How far measurements of one thing lie apart.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { least: values[0], median: values[values.len() / 2], most: values[values.len() - 1] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} more ({:.1} to {:.1})", self.median, self.least, self.most)
    }
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
