//! What Baton says of its own command line: completions of shells, and manual pages.
#![cfg(unix)]

use std::process::Command;

use crate::support::session::Session;
use crate::support::terminal::Terminal;

/// The subcommands, as the help lists them.
fn subcommands(session: &Session) -> Vec<String> {
    let help = session.baton(["--help"]).run().expect(0).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn each_shell_gets_its_completions() {
    let session = Session::new("");
    let subcommands = subcommands(&session);
    assert!(subcommands.iter().any(|name| name == "completions"), "{subcommands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = session.baton(["completions", shell]).run().expect(0).stdout;
        for name in &subcommands {
            assert!(script.contains(name.as_str()), "{shell} lacks {name}");
        }
    }
    session.baton(["completions", "tcsh"]).run().expect(2).reports("elvish");
    // A real shell completes with it: subcommands, and the phases of this program.
    session.write("complete.bash", session.baton(["completions", "bash"]).run().expect(0).stdout);
    let complete = |words: &str, at: usize| {
        let script = format!(
            "source complete.bash; COMP_WORDS=({words}); COMP_CWORD={at}; _baton baton \"${{COMP_WORDS[{at}]}}\" \
             \"${{COMP_WORDS[{at}-1]}}\"; echo \"${{COMPREPLY[*]}}\""
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]).current_dir(session.root());
        Session::adopt(bash).run().expect(0).stdout.trim().to_owned()
    };
    assert_eq!(complete("baton hist", 1), "history");
    assert_eq!(complete("baton run --phase im", 3), "implement");
}

#[test]
fn help_is_wrapped_by_words_at_any_width() {
    let session = Session::new("");
    for columns in [40, 80] {
        for name in subcommands(&session) {
            let mut terminal = Terminal::of_columns(columns);
            terminal.start(session.baton([name.as_str(), "--help"])).wait().expect(0);
            terminal.wait_for("Print version");
            let shown = console::strip_ansi_codes(&String::from_utf8_lossy(&terminal.shown())).replace('\r', "");
            let is_too_long = |line: &&str| line.chars().count() > usize::from(columns) && line.trim().contains(' ');
            // The usage line is one that can be copied.
            let long = shown.lines().filter(|line| !line.starts_with("Usage: ")).find(is_too_long);
            assert_eq!(long, None, "{name} at {columns}:\n{shown}");
        }
    }
    let help = session.baton(["log", "--help"]).run().expect(0).stdout;
    assert!(help.contains("elsewhere, as in `baton log > log.md`, it is Markdown. It is"), "{help}");
}

#[test]
fn there_is_a_manual_page_for_each_subcommand() {
    let session = Session::new("");
    let page = session.baton(["man"]).run().expect(0).stdout;
    assert!(page.contains(".TH baton 1  \"baton ") && page.contains("baton\\-rollback(1)"), "{page}");
    session.baton(["man", "--dir", "share/man1"]).run().expect(0).prints("pages to share/man1.");
    let mut expected: Vec<String> = subcommands(&session).iter().map(|name| format!("baton-{name}.1")).collect();
    expected.push("baton.1".to_owned());
    expected.sort();
    assert_eq!(session.names("share/man1"), expected);
    let run = session.text("share/man1/baton-run.1");
    assert!(run.contains("\\fBbaton run\\fR") && run.contains("Exit codes:"), "{run}");
    session.write("file", "");
    session.baton(["man", "--dir", "file"]).run().expect(1).reports("file cannot be written");
}
