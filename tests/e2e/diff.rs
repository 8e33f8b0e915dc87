//! `baton diff`: what the workflow changed, and where that stands among edits of others.

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, completed, edits, modifies, own, with, workspace};
use crate::support::session::Session;

/// The line before a file's diff that says whose edits it holds.
fn said(diff: &str) -> Vec<&str> {
    diff.lines().filter(|line| line.starts_with('#')).collect()
}

#[test]
fn a_file_with_edits_of_a_person_says_so_and_the_diff_can_still_be_applied() {
    let session = Session::in_git(&workspace(2));
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    let before = session.baton(["diff"]).run().expect(0).stdout;
    assert!(said(&before).is_empty(), "{before}");

    session.write("src/t1.rs", session.text("src/t1.rs") + "// mine\n");
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    assert_eq!(said(&diff), ["# src/t1.rs also holds edits that are not by T1; this shows them all"]);
    assert!(diff.contains("+// mine"), "{diff}");
    session.write("../all.diff", &diff);
    session.git(&["apply", "-R", "--check", "../all.diff"]);
    let of_other = session.baton(["diff", "--task", "T2"]).run().expect(0).stdout;
    assert!(said(&of_other).is_empty() && of_other.contains("src/t2.rs"), "{of_other}");

    // What is as the workflow left it, is the workflow's alone.
    let text = session.text("src/t1.rs");
    session.write("src/t1.rs", text.trim_end_matches("// mine\n"));
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, before);
}

#[test]
fn a_task_whose_file_a_later_task_wrote_says_so() {
    let session = Session::in_git(&workspace(1));
    let later = with(modifies("T2", "src/t1.rs"), serde_json::json!({ "depends_on": ["T1"] }));
    let script = but(
        Script::new().on("implement/T2", [edits("src/t1.rs", "    1\n", "    2\n"), completed(&["src/t1.rs"])]),
        &[&[own("T1")], &[later]],
    );
    let api = MessagesApi::start(script);
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    let of = |task: &str| session.baton(["diff", "--task", task]).run().expect(0).stdout;
    assert_eq!(said(&of("T1")), ["# src/t1.rs also holds edits that are not by T1; this shows them all"]);
    assert!(said(&of("T2")).is_empty());
    let all = session.baton(["diff"]).run().expect(0).stdout;
    assert!(said(&all).is_empty() && all.contains("+    2"), "{all}");
}
