//! How the command line looks and feels at a terminal: colours, line editing, the pager, widths.
#![cfg(unix)]

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, own, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

const PROMPT: &str = "then Enter > ";

fn one_task() -> MessagesApi {
    MessagesApi::start(but(Script::new(), &[&[own("T1")]]))
}

/// A workspace whose files a workflow has changed.
fn changed() -> Session {
    let session = Session::in_git(&workspace(1));
    session.run(&one_task(), ["--auto-approve", "--task", "Do it"]).expect(0);
    session
}

#[test]
fn a_flag_decides_on_colours_before_variables_and_variables_before_the_terminal() {
    let session = Session::new("");
    let colored = |args: &[&str], env: &[(&str, &str)]| {
        let words = args.iter().copied().chain(["--no-such-flag"]);
        let baton = env.iter().fold(session.baton(words), |baton, (name, value)| baton.env(name, *value));
        baton.run().expect(2).stderr.contains("\u{1b}[31m")
    };
    for (args, env, expected) in [
        (&[][..], &[][..], false),
        (&[], &[("FORCE_COLOR", "1")], true),
        (&[], &[("FORCE_COLOR", "0")], false),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[], &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], false),
        (&["--color", "never"], &[("FORCE_COLOR", "1")], false),
        (&["--color=always"], &[("NO_COLOR", "1")], true),
        (&["--color", "always"], &[("TERM", "dumb")], true),
    ] {
        assert_eq!(colored(args, env), expected, "{args:?} {env:?}");
    }
    let shown = |env: &[(&str, &str)]| {
        let mut terminal = Terminal::new();
        let baton = env.iter().fold(session.baton(["--no-such-flag"]), |baton, (name, value)| baton.env(name, *value));
        let running = terminal.start(baton);
        terminal.wait_for("--help");
        running.wait().expect(2);
        String::from_utf8(terminal.shown_at_end()).unwrap()
    };
    assert!(shown(&[]).contains("\u{1b}[31m"));
    for drops in ["NO_COLOR", "CLICOLOR"] {
        let shown = shown(&[(drops, if drops == "CLICOLOR" { "0" } else { "1" })]);
        assert!(shown.contains("\u{1b}[1m") && !shown.contains("\u{1b}[3"), "{drops} leaves weights: {shown:?}");
    }
}

#[test]
fn without_colours_a_run_is_live_and_its_issues_are_shown_as_a_compiler_shows_them() {
    let session = Session::new("");
    let mut terminal = Terminal::of_columns(80);
    let running = terminal.start(session.baton(["demo"]).env("NO_COLOR", "1"));
    for part in ["✓ context", "✓ plan", "✓ review", "minor[", "\n  --> ", " | ", "= help: "] {
        terminal.wait_for(part);
    }
    running.wait().expect(0);
    let shown = String::from_utf8(terminal.shown_at_end()).unwrap();
    assert!(shown.contains("\u{1b}[1m") && shown.contains("\u{1b}[J"), "weights, and rows that are drawn again");
    let codes = shown.split("\u{1b}[").filter_map(|rest| Some(rest.split_once('m')?.0));
    let is_color = |code: &&str| code.starts_with(['3', '9']) && code.bytes().all(|b| b.is_ascii_digit() || b == b';');
    let colors: Vec<&str> = codes.filter(is_color).collect();
    assert_eq!(colors, [""; 0]);
}

#[test]
fn an_answer_is_edited_and_a_paste_waits_for_enter() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
    terminal.wait_for(PROMPT);
    // An unknown word, taken away by Ctrl-U; then the beginning is put before the end.
    terminal.keys("nonsense\u{15}view\u{1}\u{5}x\u{7f}\r");
    terminal.wait_for("# Plan");
    terminal.wait_for(PROMPT);
    // Ctrl-W takes a word; the arrow up brings the last answer back.
    terminal.keys("some words\u{17}\u{17}\u{1b}[A\r");
    terminal.wait_for("# Plan");
    terminal.wait_for(PROMPT);
    terminal.keys("c\r");
    terminal.wait_for("What should be different?");
    terminal.wait_for("> ");
    terminal.keys("\u{1b}[200~r\nr\u{1b}[201~");
    terminal.keys("\u{15}\u{1}\u{b}\u{15}\r");
    terminal.wait_for(PROMPT);
    terminal.keys("pprove\u{1}a\u{5}\r");
    terminal.wait_for("Approved by reading; no check ran.");
    running.wait().expect(0);
}

#[test]
fn a_suspended_prompt_comes_back_with_what_was_typed() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let mut terminal = Terminal::new();
    let shell = "baton run --task 'Do it'; echo stopped $?; fg; echo over $?";
    let running = terminal.start(session.in_shell(shell).api(&api));
    terminal.wait_for(PROMPT);
    terminal.keys("appro");
    terminal.wait_for("appro");
    terminal.keys("\u{1a}");
    terminal.wait_for("stopped 148");
    terminal.wait_for("then Enter > appro");
    terminal.keys("ve\r");
    terminal.wait_for("Approved by reading; no check ran.");
    terminal.wait_for("over 0");
    running.wait().expect(0);
}

#[test]
fn ctrl_c_at_the_gate_cancels_and_ctrl_d_leaves_the_plan_for_later() {
    for (key, said, code) in [("\u{3}", "Stopping…", "over 130"), ("\u{4}", "No answer.", "over 3")] {
        let session = Session::new(&workspace(1));
        let api = one_task();
        let mut terminal = Terminal::new();
        let running = terminal.start(session.in_shell("baton run --task 'Do it'; echo over $?; stty -a").api(&api));
        terminal.wait_for(PROMPT);
        terminal.keys(key);
        terminal.wait_for(said);
        terminal.wait_for(code);
        let modes = terminal.wait_for(" echo ");
        assert!(!modes.contains("-icanon"), "the terminal is as it was: {modes}");
        running.wait().expect(0);
    }
}

#[test]
fn a_diff_longer_than_the_screen_goes_through_the_pager() {
    let session = changed();
    let shown = |args: &[&str], pager: &str, rows: u16| {
        let mut terminal = Terminal::sized(rows, 80);
        let args = ["diff"].iter().chain(args).copied();
        let running = terminal.start(session.baton(args).env("BATON_PAGER", pager));
        running.wait().expect(0);
        String::from_utf8(terminal.shown_at_end()).unwrap()
    };
    let paged = "sed s/^/paged:/";
    assert!(shown(&[], paged, 5).contains("paged:"));
    assert!(!shown(&[], paged, 100).contains("paged:"), "it is not longer than the screen");
    assert!(!shown(&["--no-pager"], paged, 5).contains("paged:"));
    let plain = shown(&[], "no-such-pager", 5);
    assert!(plain.contains("no-such-pager could not be started") && plain.contains("@@"), "{plain}");
    let left = shown(&[], "head -n 1", 5);
    assert!(!left.contains("@@"), "{left}");
    assert!(shown(&[], "cat", 5).contains("\u{1b}[32m+"), "with colours");
    let piped = session.baton(["diff"]).env("BATON_PAGER", paged).run().expect(0).stdout;
    assert!(piped.starts_with("diff --git") && !piped.contains('\u{1b}'), "{piped}");
    let forced = session.baton(["diff", "--color", "always"]).run().expect(0).stdout;
    assert!(forced.contains("\u{1b}[32m+"), "{forced}");
}

#[test]
fn words_stay_whole_at_forty_columns() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let fits = |shown: &str| {
        let long = shown.lines().find(|line| line.chars().count() > 40 && line.trim().contains(' '));
        assert_eq!(long, None, "{shown}");
    };
    let mut terminal = Terminal::of_columns(40);
    let running = terminal.start(session.baton(["log"]));
    let shown = terminal.wait_for("there is no log");
    running.wait().expect(2);
    fits(&shown);
    let mut terminal = Terminal::of_columns(40);
    let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
    let shown = terminal.wait_for("[a]pprove");
    // Live rows are drawn again and again on one line of this.
    fits(&shown[shown.find("Plan, version 1").unwrap()..]);
    terminal.wait_for("then");
    terminal.keys("r\r");
    running.wait().expect(4);
}

#[test]
fn neither_another_width_nor_enter_leaves_a_row_behind() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]).stall_once(&"implement/T1".into()));
    let mut terminal = Terminal::sized(24, 80);
    // This terminal cuts what is shown when it gets narrower.
    let shell = "TERM=linux baton run --auto-approve --task 'Do it'";
    let running = terminal.start(session.in_shell(shell).api(&api));
    api.wait_for_request("implement/T1");
    terminal.wait_for("The title of T1");
    let shown = |terminal: &Terminal| {
        let mut screen = vt100::Parser::new(24, 80, 0);
        screen.process(&terminal.shown_whole());
        screen.screen().contents()
    };
    terminal.keys("\r\r\r");
    for columns in [50, 41, 80] {
        terminal.resize(24, columns);
        terminal.wait_for_drawing();
    }
    let screen = shown(&terminal);
    assert_eq!(screen.matches(" implement ").count(), 1, "{screen}");
    assert_eq!(screen.matches("The title of T1").count(), 1, "{screen}");
    assert!(!screen.contains("\n\n"), "Enter is not shown: {screen}");
    terminal.keys("\u{3}");
    terminal.wait_for("Stopping…");
    running.wait();
}
