//! What a view costs on top of the bare command: both measured in turn, in one run.
//!
//! `cargo bench --bench sandbox` prints medians. The tree's size makes no difference to a try; at the end of a round the
//! folders that git ignores are looked for.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

const TIMES: usize = 20;

const COMMANDS: [(&str, &str); 2] =
    [("nothing", "true"), ("a hundred files", "for i in $(seq 100); do echo x > made-$i; done; rm made-*")];

fn main() {
    for files in [10, 1_000, 10_000] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().join("work");
        for number in 0..files {
            let path = root.join(format!("d{}/f{number}", number / 100));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        fs::create_dir(folder.path().join("home")).unwrap();
        for (name, command) in COMMANDS {
            let bare = bare(&root, command);
            let tried = in_view(folder.path(), command, "try");
            let ended = in_view(folder.path(), command, "end");
            println!(
                "{files:>6} files, {name}: bare {bare:.1} ms; try {tried:.1} ms, {:.1} more; end {ended:.1} ms, {:.1} more",
                tried - bare,
                ended - bare,
            );
        }
    }
}

fn bare(root: &Path, command: &str) -> f64 {
    let one = || {
        let started = Instant::now();
        assert!(Command::new("sh").args(["-c", command]).current_dir(root).status().unwrap().success());
        started.elapsed().as_secs_f64() * 1e3
    };
    median((0..TIMES).map(|_| one()).collect())
}

fn in_view(folder: &Path, command: &str, place: &str) -> f64 {
    let mut job = json!({ "workspace": folder.join("work"), "command": command, "times": TIMES });
    job[place] = json!([]);
    let mut baton = Command::new(env!("CARGO_BIN_EXE_baton"));
    baton.args(["__sandbox", "job"]).env("HOME", folder.join("home")).env_remove("XDG_CACHE_HOME");
    let mut child = baton.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(job.to_string().as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!((&answer["level"], &answer["ended"]), (&json!("view"), &json!("exited 0")), "{answer}");
    median(answer["total_ms"].as_array().unwrap().iter().filter_map(Value::as_f64).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
