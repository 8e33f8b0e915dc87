//! Text that a person gives, on the command line or in a file: which forms and encodings are accepted, and what is
//! rejected with its position.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::support::messages_api::MessagesApi;
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::{Done, Session};
use crate::support::terminal::Terminal;

fn api() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1")]]))
}

/// A text in UTF-16 with its mark, as Windows PowerShell writes it.
fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_task_that_begins_with_a_dash_is_a_task() {
    for (task, args) in [
        ("- fix the count", ["--task", "- fix the count"].as_slice()),
        ("--json is ignored", &["--task", "--json is ignored"]),
        ("--json", &["--task=--json"]),
        ("-", &["--task", "-"]),
    ] {
        let (session, api) = (Session::new(&workspace(1)), api());
        session.run(&api, args.iter().copied().chain(["--auto-approve"])).expect(0);
        assert_eq!(session.text(".agent_memory/task.md"), format!("{task}\n"));
        assert!(api.requests()[0].body.to_string().contains(task));
    }
    let (session, api) = (Session::new(&workspace(1)), api());
    session.run(&api, ["--task", "--auto-approve"]).expect(2).reports("write --task=--auto-approve");
    session.run(&api, ["--task", "Do it"]).expect(3);
    let planned = api.requests_of("plan").len();
    session.baton(["plan", "--feedback", "- no new files"]).api(&api).run();
    assert!(api.requests_of("plan")[planned].first_message().contains("- no new files"));
}

/// A run whose standard input is this.
fn run_with_input(session: &Session, api: &MessagesApi, args: &[&str], input: &[u8]) -> Done {
    session.write("input", input);
    let stdin = std::fs::File::open(session.path("input")).expect("a file");
    let run = session.baton(std::iter::once("run").chain(args.iter().copied())).api(api);
    let done = run.streams(stdin.into(), Stdio::piped(), Stdio::piped()).run();
    std::fs::remove_file(session.path("input")).expect("it was there");
    done
}

#[test]
fn a_task_stands_on_the_command_line_in_a_file_or_on_standard_input() {
    for args in [["Do it well"].as_slice(), &["-"], &["--task-file", "-"], &["--task-file", "wish.txt"]] {
        let (session, api) = (Session::new(&workspace(1)), api());
        session.write("wish.txt", "Do it well\n");
        let args: Vec<&str> = args.iter().copied().chain(["--yes"]).collect();
        run_with_input(&session, &api, &args, b"\xef\xbb\xbfDo it well\r\n").expect(0);
        assert_eq!(session.text(".agent_memory/task.md"), "Do it well\n", "{args:?}");
    }
}

#[test]
fn what_holds_no_task_is_refused_before_anything_is_done() {
    let (session, api) = (Session::new(&workspace(1)), api());
    session.write("long", vec![b'x'; 2 << 20]);
    session.write("odd", b"Mend\ncaf\xe9");
    for (args, said) in [
        (["-"].as_slice(), "standard input is empty; say in it"),
        (&["--task-file", "gone"], "the task cannot be read from gone: "),
        (&["--task-file", "src"], "the task cannot be read from src: "),
        (&["--task-file", "long"], "long is too long for a task, which may have 1048576 bytes"),
        (&["--task-file", "odd"], "the task in odd:2:4: not UTF-8 text; save the file in that encoding"),
        (&["A", "--task", "B"], "cannot be used with"),
        (&["A", "--task-file", "odd"], "cannot be used with"),
        (&["--task", "A", "--task-file", "odd"], "cannot be used with"),
        (&["A", "--fix", "i1"], "cannot be used with"),
        (&["Add", "a", "flag"], "a task is one argument; put it in quotes"),
        (&["review"], "write: baton run --phase review"),
        (&["status"], "write: baton status"),
        (&[], "there is no task; say what should be done, by `baton run"),
    ] {
        run_with_input(&session, &api, args, b" \n").expect(2).reports(said);
        assert!(!session.exists(".agent_memory"), "{args:?}");
    }
    for (args, said) in [
        (["Add a flag"].as_slice(), "for a task, write: baton run \"Add a flag\""),
        (&["fix", "i1"], "write: baton run --fix IDS"),
        (&["context"], "write: baton run --phase context"),
    ] {
        session.baton(args.iter().copied()).run().expect(2).reports(said);
    }
    assert!(api.requests().is_empty(), "no model was asked");
}

#[test]
fn a_person_at_a_terminal_is_asked_for_the_task() {
    let run = |session: &Session, api: &MessagesApi| session.baton(["run", "--yes"]).api(api);
    let (session, api) = (Session::new(&workspace(1)), api());
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    terminal.wait_for("What should be done? In a line; an empty one opens vi.");
    terminal.type_line("Do it well");
    running.wait().expect(0);
    assert_eq!(session.text(".agent_memory/task.md"), "Do it well\n");

    let (session, api) = (Session::new(&workspace(1)), self::api());
    let mut terminal = Terminal::new();
    let editor = "f() { printf 'By hand\\n' > \"$1.new\" && mv \"$1.new\" \"$1\"; }; f";
    let running = terminal.start(run(&session, &api).env("EDITOR", editor));
    terminal.wait_for("What should be done?");
    terminal.type_line("");
    running.wait().expect(0);
    assert_eq!(session.text(".agent_memory/task.md"), "By hand\n");

    let (session, api) = (Session::new(&workspace(1)), self::api());
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api).env("EDITOR", "true"));
    terminal.wait_for("What should be done?");
    terminal.type_line("");
    terminal.wait_for("no task was given, and nothing was started");
    running.wait().expect(2);
    assert!(api.requests().is_empty());

    // What was written is kept where the start is refused.
    let session = Session::new(&workspace(1));
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run"]).env("EDITOR", editor));
    terminal.wait_for("What should be done?");
    terminal.type_line("");
    running.wait().expect(2);
    assert_eq!(session.text(".agent_memory/task.md"), "By hand\n");
}

#[test]
fn the_same_task_with_other_line_ends_goes_on() {
    let (session, api) = (Session::new(&workspace(1)), api());
    session.run(&api, ["--task", "Fix it:\n- the count\n- the name"]).expect(3);
    let same = "\u{feff}Fix it:  \r\n- the count\r\n- the name\r\n";
    session.run(&api, ["--task", same]).expect(3);
    session.write(".agent_memory/task.md", same);
    session.run(&api, ["--task", "Fix it:\n- the count\n- the name"]).expect(3);
    let other = session.run(&api, ["--task", "Fix it:\n- the count"]).expect(2);
    other.reports("another task is unfinished here: \"Fix it:…\"");
    assert_eq!(api.requests_of("context").len(), 1);
}

#[test]
fn a_task_file_is_read_in_the_encoding_it_was_saved_in() {
    let task = "Grüße alle.\nAuch \u{1F980}.";
    for bytes in
        [utf16("Grüße alle.\r\nAuch \u{1F980}.\r\n"), "\u{feff}Grüße alle.\r\nAuch \u{1F980}.".as_bytes().to_vec()]
    {
        let (session, api) = (Session::new(&workspace(1)), api());
        session.write(".agent_memory/task.md", &bytes);
        session.run(&api, ["--auto-approve"]).expect(0);
        for request in api.requests().iter().filter(|request| ["context", "plan"].contains(&request.agent.as_str())) {
            let sent = format!("{}\n{}", request.system(), request.first_message());
            assert!(sent.contains(task), "{}: {sent}", request.agent);
            assert!(!sent.contains(['\u{feff}', '\r', '\0', '\u{fffd}']), "{}", request.agent);
        }
    }
}

#[test]
fn a_task_file_that_is_no_text_is_refused_at_its_place_and_kept() {
    let (session, api) = (Session::new(&workspace(1)), api());
    for (bytes, said) in [
        (b"Fix the\ncaf\xe9".as_slice(), "task.md:2:4: not UTF-8 text"),
        (b"M\0e\0n\0d\0", "task.md:1:2: a NUL character"),
    ] {
        session.write(".agent_memory/task.md", bytes);
        session.run(&api, ["--auto-approve"]).expect(1).reports(said);
        session.run(&api, ["--task", "Another"]).expect(1).reports(said);
        assert_eq!(std::fs::read(session.path(".agent_memory/task.md")).unwrap(), bytes, "it is left as it is");
    }
    assert!(api.requests().is_empty(), "nothing is sent");
    // A reset needs no repair of the file, and keeps it in the history.
    session.run(&api, ["--task", "Do it", "--reset", "--auto-approve"]).expect(0);
}

#[test]
fn arguments_and_variables_that_are_no_unicode_are_reported_and_nothing_panics() {
    let (session, api) = (Session::new(&workspace(1)), api());
    let odd = OsStr::from_bytes(b"caf\xe9");
    let with = |args: &[&OsStr]| {
        let mut command = session.baton([]).api(&api).into_command();
        command.args(args).output().expect("it starts")
    };
    let os = OsStr::new;
    for args in
        [[os("run"), os("--task"), odd].as_slice(), &[os("plan"), os("--feedback"), odd], &[os("schema"), odd], &[odd]]
    {
        let output = with(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    // A key that is no Unicode is a wrong key, and not a missing one.
    let done = session.baton(["run", "--task", "Do it"]).api(&api).env("ANTHROPIC_API_KEY", odd).run().expect(2);
    done.reports("ANTHROPIC_API_KEY holds characters that no key has");
    assert!(api.requests().is_empty());

    // A workspace's name may be any bytes.
    let folder = session.root().parent().unwrap().join(odd);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/t1.rs"), session.text("src/t1.rs")).unwrap();
    let output =
        with(&[os("--workspace"), folder.as_os_str(), os("run"), os("--task"), os("Do it"), os("--auto-approve")]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read_to_string(folder.join("src/t1.rs")).unwrap().contains('1'));
    for args in [["status"].as_slice(), &["doctor"], &["diff"], &["rollback"]] {
        let args: Vec<&OsStr> =
            [os("--workspace"), folder.as_os_str()].into_iter().chain(args.iter().copied().map(os)).collect();
        let output = with(&args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn without_a_home_or_with_one_that_cannot_be_written_a_run_works() {
    for home in ["", "/proc/nowhere"] {
        let (session, api) = (Session::new(&workspace(1)), api());
        let mut command = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api).into_command();
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HOME"] {
            command.env_remove(name);
        }
        if !home.is_empty() {
            command.env("HOME", home);
        } else {
            command.env("XDG_STATE_HOME", "/proc/nowhere");
        }
        let output = command.env("TERM", "dumb").output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{home:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains('\u{1b}'), "{home:?}: {said}");
    }
}
