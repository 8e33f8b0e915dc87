//! Where a report goes: files that are replaced or added to, pipes, standard output, and what cannot be written.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::json;

use super::{FIRST, SECOND, against_main, changed, finds, issue, json_of, rdjson_lines, results};
use crate::support::replies::approves;
use crate::support::session::Session;

#[test]
fn what_cannot_be_written_is_refused_before_a_model_is_asked() {
    let session = changed();
    let api = finds(&[]);
    fs::create_dir(session.path("folder")).unwrap();
    session.write("file", "");
    let before = session.tree();
    for flag in ["--sarif", "--rdjsonl", "--summary"] {
        for (path, words) in [
            ("folder", "folder cannot be written: "),
            ("no/such/a", "no/such/a cannot be written: "),
            ("file/a", "file/a cannot"),
        ] {
            for command in [&["review", "--base", "main"][..], &["run", "--task", "Do it"]] {
                let args = command.iter().copied().chain([flag, path, "--json"]);
                let done = session.baton(args).api(&api).run().expect(2).reports(words);
                assert_eq!(done.outcome()["exit_code"], 2);
            }
        }
    }
    against_main(&session, &api, &["--sarif", "a", "--rdjsonl", "a"]).expect(2).reports("a is named for two reports");
    assert_eq!(session.tree(), before, "nothing is left of it");
    against_main(&session, &api, &["--rdjsonl", "-", "--json"]).expect(2).reports("--json prints to standard output");
    against_main(&session, &api, &["--sarif", "-", "--annotations"]).expect(2).reports("--annotations prints to");
    against_main(&session, &api, &["--json", "--annotations"]).expect(2).reports("--annotations");
    assert!(api.requests().is_empty() && session.runs().is_empty());
}

#[test]
fn a_report_is_no_part_of_what_is_reviewed() {
    let session = changed();
    let flags = ["--sarif", "a.sarif", "--rdjsonl", "b", "--summary", "c.md"];
    let done = against_main(&session, &finds(&[issue("minor", FIRST, "one()", "One.")]), &flags).expect(0);
    done.prints("Reviewed 2 files against main");
    for file in ["a.sarif", "b", "c.md"] {
        assert!(session.text(file).contains("One."), "{file}");
    }
}

#[test]
fn paths_begin_at_the_folder_that_the_command_was_started_in() {
    let session = changed();
    let api = super::reviewer([approves()]);
    let folder = session.path("src");
    let run = session.baton(["review", "--base", "main", "--sarif", "a.sarif"]).api(&api).current_dir(&folder);
    run.run().expect(0);
    assert_eq!(json_of(&session, "src/a.sarif")["version"], "2.1.0");
}

#[test]
fn a_report_on_standard_output_has_it_for_itself() {
    let session = changed();
    let issues = [issue("minor", FIRST, "one()", "One."), issue("minor", SECOND, "due", "Two.")];
    for place in ["-", "/dev/stdout"] {
        let done = against_main(&session, &finds(&issues), &["--rdjsonl", place]).expect(0);
        let lines = rdjson_lines(&done.stdout);
        assert_eq!(lines.iter().map(|line| &line["message"]).collect::<Vec<_>>(), [&json!("One."), &json!("Two.")]);
        done.reports("minor: One.").reports("Reviewed 2 files against main");
    }
    // Also where it was sent to a file.
    let file = fs::File::create(session.path("out")).unwrap();
    let run = session.baton(["review", "--base", "main", "--sarif", "/dev/stdout"]);
    let api = finds(&issues);
    run.api(&api).streams(Stdio::null(), file.into(), Stdio::null()).run().expect(0);
    assert_eq!(results(&json_of(&session, "out")).len(), 2);
}

#[test]
fn a_pipe_gets_the_report() {
    let session = changed();
    let pipe = session.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = thread::spawn(move || fs::read_to_string(pipe).unwrap());
    against_main(&session, &finds(&[issue("minor", FIRST, "one()", "One.")]), &["--rdjsonl", "pipe"]).expect(0);
    assert_eq!(rdjson_lines(&reader.join().unwrap())[0]["message"], "One.");
    let script = "baton review --base main --sarif >(cat >piped.sarif; echo ready >done) && cat done";
    assert!(Command::new("mkfifo").arg(session.path("done")).status().unwrap().success());
    let api = finds(&[issue("minor", FIRST, "one()", "One.")]);
    let mut shell = Command::new("bash");
    shell.args(["-c", &script.replace("baton", env!("CARGO_BIN_EXE_baton"))]).current_dir(session.root());
    shell.env_clear().envs(session.environment()).envs(api.env());
    Session::adopt(shell).run().expect(0).prints("ready");
    assert_eq!(results(&json_of(&session, "piped.sarif")).len(), 1);
    assert!(session.path("pipe").metadata().is_ok_and(|metadata| !metadata.is_file()), "it is no file now");
}

#[test]
fn a_report_that_cannot_be_written_at_the_end_is_a_failure_that_hides_no_other_code() {
    let session = changed();
    for (severity, code) in [("minor", 1), ("major", 6)] {
        let api = finds(&[issue(severity, FIRST, "one()", "One.")]);
        let done = against_main(&session, &api, &["--sarif", "/dev/full", "--rdjsonl", "out.rdjsonl"]).expect(code);
        done.reports("error: /dev/full cannot be written: ").prints("One.");
        assert_eq!(session.text("out.rdjsonl").lines().count(), 1, "the others are written");
    }
}
