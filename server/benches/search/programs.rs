//! Beside other programs, as whole processes in alternating pairs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bare::list;
use super::{PATTERNS, THREADS, median};

/// Pairs of searches and listings, and of outlines, which take longer.
const ROUNDS: usize = 15;
const OUTLINES: usize = 5;

/// Which programs there are to measure beside.
pub(super) struct Programs {
    rg: bool,
    ctags: bool,
}

/// What makes a process to measure.
type Process<'a> = &'a dyn Fn() -> Command;

impl Programs {
    /// Looks for them, and prints which there are.
    pub(super) fn find() -> Self {
        let rg = is_found("rg", "ripgrep", "ripgrep");
        let ctags = is_found("ctags", "Universal Ctags", "universal-ctags");
        println!(
            "rg searches and lists on {THREADS} threads, as the tools do; ctags has one thread. Medians of pairs."
        );
        Self { rg, ctags }
    }

    /// Measures the tools on a folder.
    pub(super) fn measure(&self, root: &Path) {
        let files = list(root);
        println!("{} ({files} files)", root.file_name().unwrap_or_default().display());
        let call = |name: &'static str, input: Value| move || tool(root, name, &input, None);
        for pattern in PATTERNS {
            let theirs = || rg(root, &["-n", "--", pattern, "./"]);
            let theirs = self.rg.then_some(("rg", &theirs as Process<'_>));
            compare(&format!("search {pattern}"), ROUNDS, &call("search", json!({ "pattern": pattern })), theirs);
            self.count(root, pattern);
        }
        let theirs = || rg(root, &["--files", "./"]);
        let theirs = self.rg.then_some(("rg --files", &theirs as Process<'_>));
        compare("list_files", ROUNDS, &call("list_files", json!({})), theirs);

        let theirs = || ctags(root);
        let theirs = self.ctags.then_some(("ctags -R", &theirs as Process<'_>));
        let cache = tempfile::tempdir().unwrap();
        let outline = || tool(root, "outline", &json!({}), Some(cache.path()));
        let cold = || {
            for file in std::fs::read_dir(cache.path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
            outline()
        };
        compare("outline, cold", OUTLINES, &cold, theirs);
        compare("outline, warm", ROUNDS, &outline, theirs);
    }

    /// What both count, for a reader to see whether they did the same.
    fn count(&self, root: &Path, pattern: &str) {
        let ours = output(tool(root, "search", &json!({"pattern": pattern, "mode": "count"}), None));
        let ours = ours.lines().last().unwrap_or_default();
        if !self.rg {
            println!("    {ours}");
            return;
        }
        let theirs = output(rg(root, &["--count", "--", pattern, "./"]));
        let counts = theirs.lines().filter_map(|line| line.rsplit_once(':')?.1.parse::<usize>().ok());
        let lines: usize = counts.sum();
        println!("    {ours} rg: {lines} lines in {} files.", theirs.lines().count());
    }
}

/// Whether a program is there and is the one that is meant; prints which version, or why it is left out.
fn is_found(name: &str, product: &str, package: &str) -> bool {
    let version = Command::new(name).arg("--version").output().map_err(|error| error.to_string()).and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.lines().next().unwrap_or_default().to_owned();
        let is_meant = version.contains(product);
        is_meant.then_some(version).ok_or_else(|| format!("what is installed is not {product}"))
    });
    match &version {
        Ok(version) => println!("{name}: {version}"),
        Err(why) => println!("{name} is left out: {why}. It is {product}, in Debian the package {package}."),
    }
    version.is_ok()
}

/// This program, to call one tool.
fn tool(root: &Path, name: &str, input: &Value, cache: Option<&Path>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--call", name, &input.to_string()]).arg(root).args(cache);
    command
}

/// `rg` on the files that the tools know: hidden ones too, but not those of git.
fn rg(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("rg");
    command.current_dir(root).args(["--no-config", "--no-require-git", "--no-ignore-dot", "--hidden"]);
    if root.join(".git").exists() {
        command.arg("--glob=!.git");
    }
    command.arg(format!("-j{THREADS}")).args(arguments);
    command
}

fn ctags(root: &Path) -> Command {
    let mut command = Command::new("ctags");
    command.current_dir(root).args(["--options=NONE", "-R", "-f", "-", "."]);
    command
}

/// Prints the medians of both, and of the ratios of pairs. The first pair warms what the system keeps of files.
fn compare(what: &str, rounds: usize, ours: Process<'_>, theirs: Option<(&str, Process<'_>)>) {
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (mut own, mut other) = (Duration::ZERO, Duration::ZERO);
        // Neither is always the first.
        for turn in 0..2 {
            match theirs {
                Some((_, theirs)) if (turn + round) % 2 == 1 => other = timed(theirs()),
                _ if (turn + round) % 2 == 0 => own = timed(ours()),
                _ => {}
            }
        }
        if round > 0 {
            a.push(own.as_secs_f64() * 1e3);
            b.push(other.as_secs_f64() * 1e3);
            ratios.push(own.as_secs_f64() / other.as_secs_f64());
        }
    }
    match theirs {
        Some((name, _)) => {
            println!("  {what}: {:.1} ms, {name} {:.1} ms, ratio {:.2}", median(a), median(b), median(ratios));
        }
        None => println!("  {what}: {:.1} ms", median(a)),
    }
}

fn timed(command: Command) -> Duration {
    let began = Instant::now();
    output(command);
    began.elapsed()
}

fn output(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    // `rg` exits with 1 where nothing matches.
    let is_fine = output.status.success() || output.status.code() == Some(1);
    assert!(is_fine, "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
