//! The standard streams and the signals: a reader that leaves, a full disk, a terminal that is gone.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::fs::OpenOptions;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::{Fault, MessagesApi, Script};
use crate::support::replies::{but, goes_well, own, workspace};
use crate::support::session::Session;

/// More than a stop may take, and less than the answer that a test's server keeps back.
const SOON: Duration = Duration::from_secs(10);

/// A pipe without a reader.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    Stdio::from(writer)
}

/// A disk that is full; only some systems have one.
fn full() -> Option<Stdio> {
    OpenOptions::new().write(true).open("/dev/full").ok().map(Stdio::from)
}

/// A workspace with a finished workflow.
fn finished() -> (Session, MessagesApi) {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    (session, api)
}

/// Everything that prints and does nothing else.
const REPORTS: [&[&str]; 13] = [
    &["status"],
    &["status", "--json"],
    &["diff"],
    &["diff", "--task", "T1"],
    &["doctor"],
    &["doctor", "--json"],
    &["schema", "plan"],
    &["schema", "review"],
    &["clean"],
    &["rollback", "--dry-run"],
    &["--help"],
    &["run", "--help"],
    &["--version"],
];

#[test]
fn whatever_is_printed_a_reader_that_leaves_is_no_failure() {
    let (session, api) = finished();
    let before = session.memory_tree();
    for args in REPORTS {
        let baton = session.baton(args.iter().copied()).api(&api);
        let done = baton.streams(Stdio::null(), left(), Stdio::piped()).run().no_panic();
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{args:?}");
        // Standard error stays empty too, with logging on.
        let baton = session.baton(args.iter().copied()).api(&api).env("BATON_LOG", "trace").env("BATON_NO_SUCH", "1");
        assert_eq!(baton.streams(Stdio::null(), left(), left()).run().code, Some(0), "{args:?}");
    }
    // Without a key, doctor reports an error; with its output closed, it does not.
    assert_eq!(session.baton(["doctor"]).streams(Stdio::null(), left(), Stdio::piped()).run().code, Some(0));
    assert_eq!(session.memory_tree(), before);
    // Wrong usage is an error, whether its message can be printed or not.
    assert_eq!(session.baton(["rum"]).streams(Stdio::null(), left(), left()).run().code, Some(2));
    for args in [["approve"].as_slice(), &["reset"], &["rollback"]] {
        let done = session.baton(args.iter().copied()).streams(Stdio::null(), left(), Stdio::piped()).run().no_panic();
        assert!(!done.stderr.contains("Broken pipe"), "{args:?}: {}", done.stderr);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "why it is skipped")]
fn a_result_that_cannot_be_written_is_reported_and_fails() {
    if full().is_none() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let (session, api) = finished();
    for args in REPORTS {
        let baton = session.baton(args.iter().copied()).api(&api);
        let done = baton.streams(Stdio::null(), full().unwrap(), Stdio::piped()).run().no_panic();
        assert_eq!(done.code, Some(1), "{args:?}");
        assert!(
            done.stderr.contains("error: the result cannot be written to standard output: "),
            "{args:?}: {}",
            done.stderr
        );
        assert_eq!(
            session
                .baton(args.iter().copied())
                .api(&api)
                .streams(Stdio::null(), full().unwrap(), full().unwrap())
                .run()
                .code,
            Some(1)
        );
    }
    let session = Session::new(&workspace(1));
    for json in [true, false] {
        let args = ["run", "--task", "Do it", "--auto-approve"].into_iter().chain(json.then_some("--json"));
        let done =
            session.baton(args).api(&api).streams(Stdio::null(), full().unwrap(), Stdio::piped()).run().no_panic();
        done.expect(1).reports("cannot be written to standard output");
    }
    session.run(&api, ["--json"]).expect(0).prints("\"outcome\":\"merged\"");
}

#[test]
fn streams_that_are_closed_from_the_start_are_done_without() {
    let (session, api) = finished();
    for args in REPORTS.into_iter().chain([["run", "--json"].as_slice()]) {
        let mut baton = session.baton(args.iter().copied()).api(&api).into_command();
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"]).arg(baton.get_program()).args(baton.get_args());
        let set = baton.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        shell.env_clear().envs(set).current_dir(session.root());
        assert_eq!(shell.status().expect("sh").code(), Some(0), "{args:?}");
        baton.stdin(Stdio::null());
    }
}

#[test]
fn a_run_whose_reader_leaves_is_cancelled_while_nothing_is_written() {
    for json in [true, false] {
        let session = Session::new(&workspace(1));
        let api = MessagesApi::start(but(Script::new().fault("plan", [Fault::Silence]), &[&[own("T1")]]));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let args = ["run", "--task", "Do it", "--auto-approve"].into_iter().chain(json.then_some("--json"));
        let run = session.baton(args).api(&api).streams(Stdio::null(), Stdio::from(writer), Stdio::piped()).start();
        api.wait_for_request("plan");
        let left = Instant::now();
        drop(reader);
        let done = run.wait().no_panic().expect(130);
        assert!(left.elapsed() < SOON, "{:?}", left.elapsed());
        assert_eq!(done.stderr.contains("nobody reads standard output any more"), !json, "{}", done.stderr);
        assert!(session.of_last_run("events.jsonl").contains("\"status\":\"cancelled\""));
        assert_eq!(session.text(".agent_memory/lock"), "", "the lock is free");
        session.run(&api, ["--auto-approve"]).expect(0);
        assert!(session.text("src/t1.rs").contains('1'));
    }
}

#[test]
fn standard_error_without_a_reader_stops_no_run() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let run = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api).env("BATON_LOG", "debug");
    run.streams(Stdio::null(), Stdio::piped(), left()).run().expect(0).prints("Approved");
}

/// Whether this very process ignores hangups, and with it whatever it starts.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap_or_default() & 1 == 1
}

#[test]
#[expect(clippy::print_stderr, reason = "why it is skipped")]
fn a_terminal_that_is_gone_cancels_a_run() {
    if hangups_are_ignored() {
        eprintln!("skipped: the tests were started to outlive their terminal, and so is whatever they start");
        return;
    }
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(but(Script::new().fault("context", [Fault::Silence]), &[&[own("T1")]]));
    let run = session.start(&api, ["--task", "Do it"]);
    api.wait_for_request("context");
    // The system and the shell both tell of it.
    run.signal(Signal::HUP);
    run.signal(Signal::HUP);
    let done = run.wait().expect(130).reports("the terminal is gone");
    done.prints("Stopped in context. No file was written. Your edits are intact.");
    assert!(session.of_last_run("events.jsonl").contains("\"status\":\"cancelled\""));
    assert_eq!(session.text(".agent_memory/lock"), "", "the lock is free");
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let session = Session::new(&workspace(1));
    let slow = crate::support::replies::context(&["src/t1.rs"]).after(Duration::from_secs(1));
    let api = MessagesApi::start(but(Script::new().on("context", [slow]), &[&[own("T1")]]));
    let baton = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api).into_command();
    let mut shell = Command::new("sh");
    // What nohup(1) does.
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(baton.get_program()).args(baton.get_args());
    let set = baton.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    shell.env_clear().envs(set).current_dir(session.root()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut run = shell.stderr(Stdio::null()).spawn().expect("sh");
    api.wait_for_request("context");
    rustix::process::kill_process(rustix::process::Pid::from_child(&run), Signal::HUP).expect("it runs");
    assert_eq!(run.wait().expect("a child").code(), Some(0));
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn a_language_server_that_is_signalled_to_stop_cancels_its_run() {
    let signals = [Signal::TERM, Signal::INT, Signal::HUP];
    for signal in signals.into_iter().filter(|signal| *signal != Signal::HUP || !hangups_are_ignored()) {
        let session = Session::new(GREETING);
        let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
        let mut client = session.lsp_client(&api);
        let run = client.start_workflow(json!({ "task": TASK }));
        api.wait_for_request("context");
        let signalled = Instant::now();
        assert_eq!(client.signal(signal), Some(1), "{signal:?}");
        assert!(signalled.elapsed() < SOON, "{signal:?}: {:?}", signalled.elapsed());
        let events = session.text(&format!(".agent_memory/runs/{run}/events.jsonl"));
        assert!(events.contains("\"status\":\"cancelled\""), "{signal:?}: {events}");
        assert_eq!(session.text(".agent_memory/lock"), "", "the lock is free");
    }
}
