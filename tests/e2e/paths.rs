//! Paths whose file changed its kind, its case or its target: the disk decides what a path is, nothing is lost, and
//! no later start fails.
#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "a test that shows nothing on this disk says so")]

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, completed, context, modifies, partial, plan, plan_of, reads, task, with, writes,
};
use crate::support::session::{Done, Session};

fn deletes(path: &str) -> Reply {
    Reply::tool("delete_file", json!({ "path": path }))
}

fn script(groups: &[&[Value]]) -> Script {
    Script::new().on("context", [context(&["README.md"])]).on("plan", [plan(groups)]).on("review", [approves()])
}

fn run(session: &Session, api: &MessagesApi) -> Done {
    session.run(api, ["--task", "Do it", "--auto-approve"])
}

fn baton(session: &Session, args: &[&str]) -> Done {
    session.baton(args.iter().copied()).run()
}

/// The last tool result an agent was sent, as text.
fn last_message(api: &MessagesApi, agent: &str, at: usize) -> String {
    api.requests_of(agent)[at].last_message().to_string()
}

const TWO: &str = "//- /README.md\n# x\n//- /foo.py\nlower = 1\n//- /Foo.py\nupper = 1\n";

/// Whether the disk takes names that differ in case for one. `TMPDIR` may name one that does.
fn folds_case() -> bool {
    Session::new("//- /Case\nx\n").exists("cASE")
}

#[test]
fn a_rename_in_case_is_a_move_where_two_names_are_one_file() {
    if !folds_case() {
        eprintln!("skipped: this disk tells case apart, so there is no such move");
        return;
    }
    let session = Session::in_git("//- /README.md\n# x\n//- /src/foo.py\nx = 1\n");
    let rename = with(task("T1"), json!({ "files_to_create": ["src/Foo.py"], "files_to_delete": ["src/foo.py"] }));
    let steps = [
        reads("SRC/foo.py"),
        deletes("src/foo.py"),
        writes("src/Foo.py", "x = 2\n"),
        completed(&["src/Foo.py", "src/foo.py"]),
    ];
    let api = MessagesApi::start(script(&[&[rename]]).on("implement/T1", steps));
    run(&session, &api).expect(0).prints("Changes are in your working tree");
    let is = |name: &str, text: &str| {
        assert_eq!((session.names("src"), session.text("src/foo.py").as_str()), (vec![name.to_owned()], text));
    };
    is("Foo.py", "x = 2\n");
    let diff = baton(&session, &["diff"]).expect(0).stdout;
    assert!(diff.contains("+++ b/src/Foo.py") && diff.contains("--- a/src/foo.py\n+++ /dev/null"), "{diff}");
    assert_eq!(session.handoff("review.json")["plan_drift_detected"], false);
    baton(&session, &["rollback", "--file", "src/FOO.py"]).expect(0).prints("Undone: 2 files.");
    is("foo.py", "x = 1\n");
    baton(&session, &["rollback", "--undo"]).expect(0);
    is("Foo.py", "x = 2\n");
    baton(&session, &["rollback"]).expect(0);
    is("foo.py", "x = 1\n");
}

#[test]
fn a_plan_in_another_case_changes_the_file_there_is() {
    if !folds_case() {
        eprintln!("skipped: this disk tells case apart, so that is another file");
        return;
    }
    let session = Session::in_git("//- /ReadMe.md\n# x\n//- /src/lib.rs\nx\n");
    let steps = [reads("readme.MD"), writes("readme.md", "# y\n"), completed(&["readme.md"])];
    let api = MessagesApi::start(script(&[&[modifies("T1", "README.md")]]).on("implement/T1", steps));
    run(&session, &api).expect(0);
    assert_eq!(
        (session.names("").contains(&"ReadMe.md".to_owned()), session.text("ReadMe.md").as_str()),
        (true, "# y\n")
    );
    assert_eq!(session.handoff("impl_report.json")["results"][0]["changes"][0]["path"], "ReadMe.md");
    fs::rename(session.path("ReadMe.md"), session.path("readme.md")).unwrap();
    assert!(baton(&session, &["diff"]).expect(0).stdout.contains("+++ b/readme.md"));
    baton(&session, &["rollback"]).expect(0).prints("Undone: 1 file.");
    assert_eq!(session.text("readme.md"), "# x\n");
}

#[test]
fn a_rename_in_case_keeps_the_file_and_can_be_undone() {
    if folds_case() {
        eprintln!("skipped: this disk takes both names for one");
        return;
    }
    let session = Session::in_git(TWO);
    let before = session.tree();
    let rename = with(task("T1"), json!({ "files_to_modify": ["Foo.py"], "files_to_delete": ["foo.py"] }));
    let steps = [reads("Foo.py"), writes("Foo.py", "lower = 1\n"), deletes("foo.py"), completed(&["Foo.py", "foo.py"])];
    let api = MessagesApi::start(script(&[&[rename]]).on("implement/T1", steps));
    run(&session, &api).expect(0).prints("Changes are in your working tree");
    assert_eq!(session.text("Foo.py"), "lower = 1\n");
    assert!(!session.exists("foo.py"));
    let diff = baton(&session, &["diff"]).expect(0).stdout;
    assert!(diff.contains("+++ b/Foo.py") && diff.contains("--- a/foo.py\n+++ /dev/null"), "{diff}");
    let after = session.tree();
    baton(&session, &["rollback", "--file", "foo.py"]).expect(0).prints("Undone: 1 file.");
    assert_eq!((session.text("foo.py").as_str(), session.text("Foo.py").as_str()), ("lower = 1\n", "lower = 1\n"));
    baton(&session, &["rollback", "--undo"]).expect(0);
    assert_eq!(session.tree(), after);
    baton(&session, &["rollback"]).expect(0).prints("Undone: 2 files.");
    assert_eq!(session.tree(), before);
    baton(&session, &["rollback", "--undo"]).expect(0);
    assert_eq!(session.tree(), after);
    baton(&session, &["reset"]).expect(0);
    assert_eq!(session.tree(), after);
}

#[test]
fn names_that_differ_in_case_are_read_owned_and_written_apart() {
    if folds_case() {
        eprintln!("skipped: this disk takes both names for one");
        return;
    }
    let session = Session::in_git("//- /README.md\n# x\n//- /Makefile\nupper:\n//- /makefile\nlower:\n");
    let groups: [&[Value]; 1] = [&[modifies("T1", "Makefile"), modifies("T2", "makefile")]];
    let steps = |own: &str, other: &str| {
        [reads(own), reads(other), writes(own, &format!("{own}: new\n")), writes(other, "mine"), completed(&[own])]
    };
    let api = MessagesApi::start(
        script(&groups)
            .on("implement/T1", steps("Makefile", "makefile"))
            .on("implement/T2", steps("makefile", "Makefile")),
    );
    run(&session, &api).expect(0);
    assert_eq!(session.text("Makefile"), "Makefile: new\n");
    assert_eq!(session.text("makefile"), "makefile: new\n");
    assert!(last_message(&api, "implement/T1", 1).contains("upper:"), "{}", last_message(&api, "implement/T1", 1));
    let results = session.handoff("impl_report.json")["results"].clone();
    for (task, own, other) in [(0, "Makefile", "makefile"), (1, "makefile", "Makefile")] {
        assert_eq!(results[task]["changes"][0]["path"], own);
        assert_eq!(results[task]["changes"].as_array().unwrap().len(), 1);
        let refused = format!("{other} is not among the files of this task");
        assert!(results[task]["blockers"][0].as_str().unwrap().starts_with(&refused), "{results}");
    }
    baton(&session, &["rollback", "--task", "T1"]).expect(0);
    assert_eq!((session.text("Makefile").as_str(), session.text("makefile").as_str()), ("upper:\n", "makefile: new\n"));
}

#[test]
fn a_file_whose_name_is_in_another_form_is_planned_read_and_written() {
    let (nfc, nfd) = ("docs/caf\u{e9}.txt", "docs/cafe\u{301}.txt");
    let session = Session::in_git(&format!("//- /README.md\n# x\n//- /{nfd}\nold\n"));
    let steps = [reads(nfc), writes(nfc, "new\n"), completed(&[nfc])];
    let api = MessagesApi::start(script(&[&[modifies("T1", nfc)]]).on("implement/T1", steps));
    run(&session, &api).expect(0);
    assert_eq!(session.names("docs"), [nfd.strip_prefix("docs/").unwrap()]);
    assert_eq!(session.text(nfd), "new\n");
    let change = session.handoff("impl_report.json")["results"][0]["changes"][0].clone();
    assert_eq!(
        (change["path"].as_str().unwrap(), change["summary"].as_str().unwrap()),
        (nfd, &*format!("changed {nfc}"))
    );
    assert_eq!(session.handoff("review.json")["plan_drift_detected"], false);
    baton(&session, &["rollback", "--file", nfc]).expect(0).prints("Undone: 1 file.");
    assert_eq!(session.text(nfd), "old\n");
}

#[test]
fn plain_names_of_this_system_are_planned_listed_and_written() {
    let names = ["aux.c", "src/con.rs", "~x", "a:b", "dots."];
    let session = Session::in_git("//- /README.md\n# x\n//- /nul.txt\nthere\n");
    let steps = names.map(|name| writes(name, "made\n")).into_iter().chain([
        Reply::tool("list_files", json!({})),
        reads("nul.txt"),
        completed(&names),
    ]);
    let create = with(task("T1"), json!({ "files_to_create": names, "files_to_modify": ["nul.txt"] }));
    let api = MessagesApi::start(script(&[&[create]]).on("implement/T1", steps.collect::<Vec<_>>()));
    run(&session, &api).expect(0);
    for name in names {
        assert_eq!(session.text(name), "made\n");
    }
    let listed = last_message(&api, "implement/T1", names.len() + 1);
    for name in names.into_iter().chain(["nul.txt"]) {
        assert!(listed.contains(name), "{name}: {listed}");
    }
    baton(&session, &["rollback"]).expect(0).prints("Undone: 5 files.");
}

#[test]
fn a_file_gives_way_to_a_folder_across_tasks_and_within_one() {
    let gone = |id: &str| with(task(id), json!({ "files_to_delete": ["conf"] }));
    let made = |id: &str| with(task(id), json!({ "files_to_create": ["conf/main.cfg"] }));
    let both = with(gone("T1"), json!({ "files_to_create": ["conf/main.cfg"] }));
    let (one, two): ([&[Value]; 1], [&[Value]; 2]) = ([&[both]], [&[gone("T1")], &[made("T2")]]);
    let write = || writes("conf/main.cfg", "new\n");
    let scripts = [
        script(&one).on("implement/T1", [write(), deletes("conf"), write(), completed(&["conf", "conf/main.cfg"])]),
        script(&two)
            .on("implement/T1", [deletes("conf"), completed(&["conf"])])
            .on("implement/T2", [write(), completed(&["conf/main.cfg"])]),
    ];
    for script in scripts {
        let session = Session::in_git("//- /README.md\n# x\n//- /conf\nold\n");
        let before = session.tree();
        let api = MessagesApi::start(script);
        run(&session, &api).expect(0);
        let after = session.tree();
        assert_eq!(session.text("conf/main.cfg"), "new\n");
        let diff = baton(&session, &["diff"]).expect(0).stdout;
        assert!(diff.contains("a/conf b/conf\ndeleted") && diff.contains("+++ b/conf/main.cfg"), "{diff}");
        session.run(&api, []).expect(0).prints("Changes are in your working tree");
        let runs = session.runs();
        let recorded = session.git(&["ls-tree", "-r", "--name-only", &format!("refs/baton/{}/2-implement", runs[0])]);
        assert!(recorded.contains("conf/main.cfg") && !recorded.lines().any(|line| line == "conf"), "{recorded}");

        session.write("conf/mine", "mine\n");
        let left = baton(&session, &["rollback"]).expect(3);
        left.prints("conf/mine stands in its place now");
        assert!(session.exists("conf/mine") && !session.exists("conf/main.cfg"));
        baton(&session, &["rollback", "--undo"]).expect(0);
        fs::remove_file(session.path("conf/mine")).unwrap();
        assert_eq!(session.tree(), after);
        baton(&session, &["rollback"]).expect(0).prints("Undone: 2 files.");
        assert_eq!(session.tree(), before);
        baton(&session, &["rollback", "--undo"]).expect(0);
        assert_eq!(session.tree(), after);
        baton(&session, &["reset"]).expect(0);
    }
}

#[test]
fn whatever_a_touched_file_has_become_ends_nothing() {
    type Becomes = fn(&Session);
    let becomes: [(&str, Becomes); 7] = [
        ("a folder", |session| {
            fs::remove_file(session.path("a.txt")).unwrap();
            session.write("a.txt/in/b", "mine\n");
        }),
        ("a link", |session| {
            fs::rename(session.path("a.txt"), session.path("elsewhere")).unwrap();
            symlink("elsewhere", session.path("a.txt")).unwrap();
        }),
        ("a dangling link", |session| {
            fs::remove_file(session.path("a.txt")).unwrap();
            symlink("nowhere", session.path("a.txt")).unwrap();
        }),
        ("a link out", |session| {
            fs::remove_file(session.path("a.txt")).unwrap();
            symlink("/etc/passwd", session.path("a.txt")).unwrap();
        }),
        ("a pipe", |session| {
            fs::remove_file(session.path("a.txt")).unwrap();
            rustix::fs::mkfifoat(rustix::fs::CWD, session.path("a.txt"), rustix::fs::Mode::RUSR).unwrap();
        }),
        ("a secret's other name", |session| {
            session.write(".env", "PASSWORD=root:hunter2\n");
            fs::remove_file(session.path("a.txt")).unwrap();
            fs::hard_link(session.path(".env"), session.path("a.txt")).unwrap();
        }),
        ("large", |session| {
            fs::File::options().write(true).open(session.path("a.txt")).unwrap().set_len(1 << 25).unwrap();
        }),
    ];
    for (what, becomes) in becomes {
        let session = Session::in_git("//- /README.md\n# x\n//- /a.txt\nold\n//- /b.txt\nold\n");
        let both = with(task("T1"), json!({ "files_to_modify": ["a.txt", "b.txt"] }));
        let steps = [
            reads("a.txt"),
            reads("b.txt"),
            writes("a.txt", "new\n"),
            writes("b.txt", "new\n"),
            completed(&["a.txt", "b.txt"]),
        ];
        let api = MessagesApi::start(script(&[&[both]]).on("implement/T1", steps));
        run(&session, &api).expect(0);
        becomes(&session);
        let diff = baton(&session, &["diff"]).expect(0).stdout;
        assert!(diff.contains("a.txt") && diff.contains("+++ b/b.txt"), "{what}: {diff}");
        assert!(!diff.contains("root:"), "{what}: {diff}");
        baton(&session, &["status"]).expect(0);
        session.run(&api, ["--phase", "review"]).expect(0);
        session.run(&api, []).expect(0);
        let left = baton(&session, &["rollback"]).expect(3);
        assert!(left.stdout.contains("left alone  a.txt"), "{what}: {left:?}");
        assert_eq!(session.text("b.txt"), "old\n", "{what}");
        baton(&session, &["rollback", "--undo"]).expect(0);
        assert_eq!(session.text("b.txt"), "new\n", "{what}");
        baton(&session, &["reset"]).expect(0);
        assert!(fs::symlink_metadata(session.path("a.txt")).is_ok(), "{what}");
    }
}

#[test]
fn a_plan_that_names_a_link_goes_back_to_the_model_and_to_the_user() {
    let session = Session::in_git("//- /README.md\n# x\n//- /src/real.rs\nold\n");
    symlink("real.rs", session.path("src/link.rs")).unwrap();
    symlink("src", session.path("lib")).unwrap();
    symlink("nowhere", session.path("dangling")).unwrap();
    let bad = with(
        task("T1"),
        json!({ "files_to_modify": ["src/link.rs", "lib/real.rs"], "files_to_create": ["dangling", "lib/new.rs"] }),
    );
    let good = modifies("T1", "src/real.rs");
    let steps = [reads("src/real.rs"), writes("src/real.rs", "new\n"), completed(&["src/real.rs"])];
    let api = MessagesApi::start(
        Script::new()
            .on("context", [context(&["README.md"])])
            .on("plan", [plan(&[std::slice::from_ref(&bad)]), plan(&[&[good]])])
            .on("implement/T1", steps)
            .on("review", [approves()]),
    );
    session.run(&api, ["--task", "Do it"]).expect(3);
    let faults = last_message(&api, "plan", 1);
    for fault in ["files_to_modify/0", "files_to_modify/1", "files_to_create/0", "files_to_create/1", "src/real.rs"] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
    let mut edited = plan_of(&[&[bad]]);
    edited["plan_version"] = json!(1);
    let good = session.text(".agent_memory/plan.json");
    session.write(".agent_memory/plan.json", serde_json::to_string_pretty(&edited).unwrap());
    session.run(&api, []).expect(3).prints("src/link.rs lies behind a symbolic link").prints("plan.path");
    session.write(".agent_memory/plan.json", good);
    baton(&session, &["approve"]).expect(0);
    // One that becomes a link after the approval is refused at the write, and reported.
    fs::rename(session.path("src/real.rs"), session.path("src/other.rs")).unwrap();
    symlink("other.rs", session.path("src/real.rs")).unwrap();
    let refused = session.run(&api, []);
    refused.reports("src/real.rs lies behind a symbolic link");
    assert_eq!(session.text("src/other.rs"), "old\n");
}

#[test]
fn an_end_without_a_change_says_that_there_is_none() {
    let session = Session::in_git("//- /README.md\n# x\n");
    let api =
        MessagesApi::start(script(&[&[modifies("T1", "README.md")]]).on("implement/T1", [partial("Nothing to do.")]));
    let done = run(&session, &api).expect(0).prints("Approved by reading; no check ran. No file was changed");
    assert!(!done.stdout.contains("in your working tree"), "{}", done.stdout);
    let again = session.run(&api, []).expect(0).prints("Approved by reading; no check ran. No file was changed");
    assert!(!again.stdout.contains("in your working tree"), "{}", again.stdout);
}
