//! What searching and listing cost beside the crates that they are built on, used bare: ratios, measured in turns in one
//! process.
//!
//! `cargo bench --bench search -- FOLDER…` measures on these folders, without any on a tree that it makes. The bare search
//! walks with the same rules for what is ignored as `rg --hidden` has, on as many threads, and counts the matching lines
//! of each file as `rg --count` does; it decodes nothing, knows no secrets, and shows nothing.
//!
//! `cargo bench --bench search -- --once PATTERN FOLDER` searches once, to be timed beside another program.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use baton::contracts::RepoPath;
use baton::tools::Toolbox;
use baton::workspace::Workspace;
use grep_regex::RegexMatcherBuilder;
use grep_searcher::{BinaryDetection, SearcherBuilder, sinks};
use ignore::{WalkBuilder, WalkState};
use serde_json::{Value, json};

const ROUNDS: usize = 15;
const THREADS: usize = 2;

/// Nothing, a little, much, and what no literal helps with.
const PATTERNS: [&str; 5] = ["nowhere_at_all", "deprecat", "self", r"fn \w+_\w+\(|def \w+_\w+\(", r"[A-Z]\w{14}\b"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [once, pattern, folder] = arguments.as_slice()
        && once == "--once"
    {
        print!("{}", call(&toolbox(Path::new(folder)), "search", &json!({"pattern": pattern})));
        return;
    }
    let folders: Vec<PathBuf> = arguments.iter().map(PathBuf::from).collect();
    let made = tempfile::tempdir().unwrap();
    let folders = if folders.is_empty() {
        make(made.path());
        vec![made.path().to_owned()]
    } else {
        folders
    };
    for folder in folders {
        measure(&folder.canonicalize().unwrap());
    }
}

fn measure(root: &Path) {
    let toolbox = toolbox(root);
    println!("{} ({} files)", root.file_name().unwrap_or_default().display(), bare_list(root));
    compare("list", || drop(call(&toolbox, "list_files", &json!({}))), || assert!(bare_list(root) > 0));
    for pattern in PATTERNS {
        for mode in ["lines", "count"] {
            let input = json!({"pattern": pattern, "mode": mode});
            let ours = || drop(call(&toolbox, "search", &input));
            compare(&format!("search {mode} {pattern}"), ours, || drop(bare_search(root, pattern)));
        }
        let counted = call(&toolbox, "search", &json!({"pattern": pattern, "mode": "count"}));
        println!("    {} / bare: {}", counted.lines().last().unwrap_or_default(), bare_search(root, pattern));
    }
}

/// The medians of both, and of the ratios of neighbours.
fn compare(name: &str, ours: impl Fn(), bare: impl Fn()) {
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (ours, bare) = (timed(&ours), timed(&bare));
        // The first one warms the caches.
        if round > 0 {
            a.push(ours.as_secs_f64() * 1e3);
            b.push(bare.as_secs_f64() * 1e3);
            ratios.push(ours.as_secs_f64() / bare.as_secs_f64());
        }
    }
    println!("  {name}: {:.1} ms, bare {:.1} ms, ratio {:.2}", median(a), median(b), median(ratios));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn timed(work: impl Fn()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn call(toolbox: &Toolbox, tool: &str, input: &Value) -> String {
    let output = toolbox.call(tool, input);
    assert!(!output.is_error, "{}", output.text);
    output.text
}

fn toolbox(root: &Path) -> Toolbox {
    Toolbox::reader(Workspace::open(root).unwrap(), RepoPath::parse(".agent_memory").unwrap())
}

fn bare_walk(root: &Path) -> ignore::WalkParallel {
    let mut builder = WalkBuilder::new(root);
    let is_git = |entry: &ignore::DirEntry| entry.file_name() == ".git";
    builder.hidden(false).threads(THREADS).filter_entry(move |entry| !is_git(entry));
    builder.build_parallel()
}

fn bare_list(root: &Path) -> usize {
    let files = AtomicUsize::new(0);
    bare_walk(root).run(|| {
        Box::new(|entry| {
            let is_file = entry.is_ok_and(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
            files.fetch_add(usize::from(is_file), Ordering::Relaxed);
            WalkState::Continue
        })
    });
    files.into_inner()
}

fn bare_search(root: &Path, pattern: &str) -> String {
    let (lines, files) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let matcher = RegexMatcherBuilder::new().multi_line(true).line_terminator(Some(b'\n')).build(pattern).unwrap();
    bare_walk(root).run(|| {
        let mut searcher = SearcherBuilder::new().binary_detection(BinaryDetection::quit(0)).line_number(true).build();
        let (matcher, lines, files) = (&matcher, &lines, &files);
        Box::new(move |entry| {
            let Ok(entry) = entry else { return WalkState::Continue };
            if entry.file_type().is_some_and(|kind| kind.is_file()) {
                let mut count = 0;
                let sink = sinks::Bytes(|_, _| {
                    count += 1;
                    Ok(true)
                });
                // What cannot be read is skipped, as by the tool.
                let _ = searcher.search_path(matcher, entry.path(), sink);
                lines.fetch_add(count, Ordering::Relaxed);
                files.fetch_add(usize::from(count > 0), Ordering::Relaxed);
            }
            WalkState::Continue
        })
    });
    format!("{} lines in {} files", lines.into_inner(), files.into_inner())
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
