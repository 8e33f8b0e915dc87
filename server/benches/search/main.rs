//! What searching, listing and outlining cost beside what else does the like.
//!
//! `cargo bench --bench search -- FOLDER…` measures them beside `rg`, `rg --files` and `ctags -R` (Universal Ctags): whole
//! processes in turn, with the medians of both and of the ratios of pairs. What is not installed is left out, and said
//! so. `cargo bench --bench search -- --bare FOLDER…` measures beside the crates that search and listing are built on,
//! used bare, in one process. Without a folder both measure on a tree that is made for it.
//!
//! `--call TOOL INPUT FOLDER [CACHE]` calls one tool with its input in JSON, as the measured process does.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with, and starts processes")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

mod bare;
mod programs;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use baton::contracts::RepoPath;
use baton::tools::{About, Toolbox};
use baton::workspace::{CacheFile, Workspace};
use serde_json::Value;

/// The threads of a search here, and of what it is measured beside.
const THREADS: usize = 2;

/// Nothing, a little, much, and what no literal helps with.
const PATTERNS: [&str; 5] = ["nowhere_at_all", "deprecat", "self", r"fn \w+_\w+\(|def \w+_\w+\(", r"[A-Z]\w{14}\b"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--call", tool, input, folder] => call_once(tool, input, folder, None),
        ["--call", tool, input, folder, cache] => call_once(tool, input, folder, Some(cache)),
        ["--bare", folders @ ..] => each(folders, bare::measure),
        folders => {
            let programs = programs::Programs::find();
            each(folders, |folder| programs.measure(folder));
        }
    }
}

fn call_once(tool: &str, input: &str, folder: &str, cache: Option<&str>) {
    const MOST_CACHED: u64 = 256 * 1024 * 1024;
    let cache = cache.map(|cache| CacheFile::of(Path::new(cache), Path::new(folder), MOST_CACHED));
    let toolbox = toolbox(Path::new(folder)).about(About { cache, ..About::default() });
    print!("{}", call(&toolbox, tool, &serde_json::from_str(input).unwrap()));
}

fn each(folders: &[&str], measure: impl Fn(&Path)) {
    let made = tempfile::tempdir().unwrap();
    if folders.is_empty() {
        make(made.path());
        measure(&made.path().canonicalize().unwrap());
    }
    for folder in folders {
        measure(&PathBuf::from(folder).canonicalize().unwrap());
    }
}

fn toolbox(root: &Path) -> Toolbox {
    Toolbox::reader(Workspace::open(root).unwrap(), RepoPath::parse(".agent_memory").unwrap())
}

fn call(toolbox: &Toolbox, tool: &str, input: &Value) -> String {
    let output = toolbox.call(tool, input);
    assert!(!output.is_error, "{}", output.text);
    output.text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Some thousand files of a few kilobytes, in folders of folders.
fn make(root: &Path) {
    fs::write(root.join(".gitignore"), "target/\n*.log\n").unwrap();
    for n in 0..4_000_usize {
        let folder = root.join(format!("crates/c{}/src/m{}", n % 40, n % 7));
        fs::create_dir_all(&folder).unwrap();
        let mut text = String::new();
        for line in 0..150 {
            let _ = writeln!(text, "    pub fn name_{line}(&self, first: usize) -> Option<u64> {{ self.get({n}) }}");
        }
        fs::write(folder.join(format!("f{n}.rs")), text).unwrap();
    }
}
