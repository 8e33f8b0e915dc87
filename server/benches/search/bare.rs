//! Beside the crates that search and listing are built on, in one process and in turn.
//!
//! The bare search walks with the same rules for what is ignored as `rg --hidden` has, on as many threads, and counts the
//! matching lines of each file as `rg --count` does; it decodes nothing, knows no secrets, and shows nothing.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grep_regex::RegexMatcherBuilder;
use grep_searcher::{BinaryDetection, SearcherBuilder, sinks};
use ignore::{WalkBuilder, WalkState};
use serde_json::json;

use super::{PATTERNS, THREADS, call, median, toolbox};

const ROUNDS: usize = 15;

/// Measures search and listing on a folder.
pub(super) fn measure(root: &Path) {
    let toolbox = toolbox(root);
    println!("{} ({} files)", root.file_name().unwrap_or_default().display(), list(root));
    compare("list_files", || drop(call(&toolbox, "list_files", &json!({}))), || assert!(list(root) > 0));
    for pattern in PATTERNS {
        for mode in ["lines", "count"] {
            let input = json!({"pattern": pattern, "mode": mode});
            let ours = || drop(call(&toolbox, "search", &input));
            compare(&format!("search {mode} {pattern}"), ours, || drop(search(root, pattern)));
        }
        let counted = call(&toolbox, "search", &json!({"pattern": pattern, "mode": "count"}));
        println!("    {} / bare: {}", counted.lines().last().unwrap_or_default(), search(root, pattern));
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

fn timed(work: impl Fn()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn walk(root: &Path) -> ignore::WalkParallel {
    let mut builder = WalkBuilder::new(root);
    let is_git = |entry: &ignore::DirEntry| entry.file_name() == ".git";
    builder.hidden(false).threads(THREADS).filter_entry(move |entry| !is_git(entry));
    builder.build_parallel()
}

pub(super) fn list(root: &Path) -> usize {
    let files = AtomicUsize::new(0);
    walk(root).run(|| {
        Box::new(|entry| {
            let is_file = entry.is_ok_and(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
            files.fetch_add(usize::from(is_file), Ordering::Relaxed);
            WalkState::Continue
        })
    });
    files.into_inner()
}

fn search(root: &Path, pattern: &str) -> String {
    let (lines, files) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let matcher = RegexMatcherBuilder::new().multi_line(true).line_terminator(Some(b'\n')).build(pattern).unwrap();
    walk(root).run(|| {
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
