//! `baton demo`: without a key or a network, within seconds, and with true output.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::session::Session;
use crate::support::terminal::Terminal;

/// A few seconds, and as much again for a build that is not optimised on a busy machine.
const A_FEW_SECONDS: Duration = Duration::from_secs(20);

#[test]
fn the_demo_plays_a_whole_run_on_a_sample_and_what_it_says_is_there() {
    let session = Session::new("");
    let began = Instant::now();
    let done = session.baton(["demo"]).run().expect(0);
    assert!(began.elapsed() < A_FEW_SECONDS, "it took {:?}", began.elapsed());
    for phase in ["context", "plan", "implement", "review"] {
        assert!(done.stderr.contains(&format!("{phase} done")), "{phase}: {}", done.stderr);
    }
    let done = done
        .reports("Plan, version 1")
        .reports("The demo approves.")
        // What it costs is said in one way: it was paid once, and is not now.
        .reports(", as recorded. To implement and review:")
        .prints(", as recorded   .agent_memory")
        .prints("diff --git")
        .prints("nothing was committed");
    assert!(done.stdout.contains(" tokens · $"), "{}", done.stdout);
    assert!(session.names("").is_empty(), "the folder it was started in is left alone");

    let cd = done.stdout.lines().find_map(|line| line.split_once("cd ")).expect("it says where the files are");
    let folder = PathBuf::from(cd.1.trim());
    assert!(folder.join("Cargo.toml").is_file() && folder.starts_with(session.root().parent().unwrap()));
    let hint = done.stdout.lines().find(|line| line.contains("cargo test ·")).unwrap_or_default();
    assert!(hint.contains("baton diff") && !done.stdout.contains("git diff"), "{hint}");
    status_says_what_was_played(&session, &folder);
    issues_stand_where_it_says(&done.stdout, &folder);
    handoffs_keep_their_schemas(&session, &folder);
    git_shows_what_was_planned(&folder);
}

/// The same as the end of the run: nothing was billed now. And no phase took no time.
fn status_says_what_was_played(session: &Session, folder: &std::path::Path) {
    let status = session.baton(["status"]).current_dir(folder).run().expect(0).stdout;
    let used =
        status.lines().find(|line| line.starts_with("Used ")).unwrap_or_else(|| panic!("nothing was used: {status}"));
    assert!(used.ends_with(", as recorded"), "{used}");
    let took = |phase: &&str| phase.split_whitespace().any(|word| word == "0");
    let phases = status
        .lines()
        .filter(|line| ["context ", "plan ", "implement ", "review "].iter().any(|name| line.starts_with(name)));
    assert_eq!(phases.clone().count(), 4, "{status}");
    assert_eq!(phases.clone().find(took), None, "{status}");
    // What was created is untracked, and `git diff` would not show it.
    let diff = session.baton(["diff"]).current_dir(folder).run().expect(0).stdout;
    assert!(diff.contains("new file mode"), "{diff}");
}

/// `file:line: severity: text`, and the file has that line.
fn issues_stand_where_it_says(stdout: &str, folder: &std::path::Path) {
    let mut issues = 0;
    for line in stdout.lines() {
        let mut parts = line.splitn(4, ':');
        let (Some(file), Some(number), Some(severity), Some(text)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (Ok(number), true) =
            (number.parse::<usize>(), ["critical", "major", "minor", "suggestion"].contains(&severity.trim()))
        else {
            continue;
        };
        let content = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!((1..=content.lines().count()).contains(&number), "{line}");
        assert!(text.trim().len() > 20, "{line} says nothing");
        issues += 1;
    }
    assert!((2..=8).contains(&issues), "{issues} findings:\n{stdout}");
    let review: Value =
        serde_json::from_str(&fs::read_to_string(folder.join(".agent_memory/review.json")).unwrap()).unwrap();
    assert_eq!(review["issues"].as_array().unwrap().len(), issues, "every finding is shown");
    let criteria = review["criteria"].as_array().unwrap();
    assert_eq!(criteria.len(), 15, "every criterion of the plan is answered");
    let unproven: Vec<&Value> = criteria.iter().filter(|criterion| criterion["state"] != "met").collect();
    assert!(unproven.is_empty(), "what the reviewer quotes as proof is there: {unproven:?}");
}

fn handoffs_keep_their_schemas(session: &Session, folder: &std::path::Path) {
    for (file, name) in [
        ("context.json", "context"),
        ("plan.json", "plan"),
        ("approval.json", "approval"),
        ("round.json", "round"),
        ("impl_report.json", "impl_report"),
        ("review.json", "review"),
    ] {
        let schema = session.baton(["schema", name]).run().expect(0).json();
        let text = fs::read_to_string(folder.join(".agent_memory").join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let handoff: Value = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = validator.iter_errors(&handoff).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{file}: {faults:?}");
    }
}

fn git_shows_what_was_planned(folder: &std::path::Path) {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(folder).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        String::from_utf8(git.output().unwrap().stdout).unwrap()
    };
    assert_eq!(git(&["rev-list", "--count", "HEAD"]), "1\n", "nothing is committed beside the sample itself");
    let changed: BTreeSet<String> =
        git(&["status", "--porcelain", "-uall"]).lines().map(|line| line[3..].to_owned()).collect();
    let plan: Value =
        serde_json::from_str(&fs::read_to_string(folder.join(".agent_memory/plan.json")).unwrap()).unwrap();
    let planned: BTreeSet<String> = (plan["tasks"].as_array().unwrap().iter())
        .flat_map(|task| {
            ["files_to_modify", "files_to_create"].map(|list| task[list].as_array().cloned().unwrap_or_default())
        })
        .flatten()
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    assert!(!changed.is_empty() && changed.is_subset(&planned), "changed {changed:?}, planned {planned:?}");
}

#[test]
fn on_a_terminal_it_is_live() {
    let session = Session::new("");
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["demo"]));
    terminal.wait_for("A sample repository, in ");
    terminal.wait_for("Plan, version 1");
    terminal.wait_for("diff --git");
    terminal.wait_for("Approved by reading; no check ran.");
    terminal.wait_for("Your turn:");
    running.wait().expect(0);
}
