//! `baton log` and `baton.log`: the conversations of a run as a person reads them.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::{Fault, MessagesApi, Script};
use crate::support::replies::{but, completed, edits, goes_well, own, plan, reads, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

fn log(session: &Session, args: &[&str]) -> String {
    session.baton(std::iter::once("log").chain(args.iter().copied())).run().expect(0).stdout
}

/// Each of these stands in the text, behind the one before it.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part);
        assert!(at.is_some(), "{part:?} is not there, or not in its place:\n{text}");
        rest = &rest[at.unwrap_or_default() + part.len()..];
    }
}

#[test]
fn a_run_reads_as_what_each_agent_was_given_said_and_did() {
    let session = Session::in_git(&workspace(1));
    let turns = [
        reads("src/t1.rs").with_text("I look at `t1` first.\n# not a heading"),
        edits("src/t1.rs", "    nowhere\n", "    1\n"),
        edits("src/t1.rs", "    0\n", "    1\n"),
        completed(&["src/t1.rs"]),
    ];
    let faulty = plan(&[&[own("T1")], &[own("T1")]]);
    let script = Script::new()
        .on("plan", [faulty, plan(&[&[own("T1")]])])
        .on("implement/T1", turns)
        .fault("implement/T1", [Fault::overloaded()]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let log = log(&session, &[]);
    let run = &session.runs()[0];
    in_order(
        &log,
        &[
            &format!("# Run {run}\n"),
            "UTC; times count from there. 8 turns in 4 conversations",
            "\n## context\n",
            "Asked: anthropic:",
            "- `system prompt`: ",
            "- `task`: 1 line, 5 bytes\n\n```\nDo it\n```",
            "\n### Turn 1 · ",
            " tokens",
            "- `submit_context`",
            "relevant files (1):\n\n- src/t1.rs: part of it; relevance high",
            "\n## plan\n",
            "- `submit_plan`: sent back",
            "T1",
            "\n### Turn 2 · ",
            "- `submit_plan`\n",
            "tasks (1):\n\n- T1 The title of T1 (simple): src/t1.rs",
            "\n## implement T1\n",
            "overloaded",
            "\n### Turn 1 · ",
            "I look at `t1` first.",
            "\\# not a heading",
            "- `read_file src/t1.rs`: 4 lines, ",
            "- `edit_file src/t1.rs (-1 +1)`: failed",
            "```diff\n-    nowhere\n+    1\n```",
            "- `edit_file src/t1.rs (-1 +1)`: ",
            "```diff\n-    0\n+    1\n```",
            "- `submit_result`\n\nstatus: completed\n\nchanges (1):\n\n- src/t1.rs: changed src/t1.rs",
            "\n## review\n",
            "- `submit_review`",
            "verdict: approved",
            "\n## End: merged\n",
        ],
    );
    // A shorter name is enough, and one that fits several, or none, says which there are.
    assert_eq!(self::log(&session, &[&run[..18]]), log);
    session.run(&api, ["--phase", "review"]).expect(0);
    session.baton(["log", &run[..8]]).run().expect(2).reports("several runs begin with").reports(run);
    session.baton(["log", "19"]).run().expect(2).reports("no run's id begins with 19").reports(run);
    assert!(!log.contains('\u{1b}'));
}

#[test]
fn without_a_run_it_is_the_one_at_work_else_the_last_that_asked_a_model() {
    let session = Session::in_git(&workspace(1));
    session.baton(["log"]).run().expect(2).reports("nothing has been run here yet");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]).stall_once(&("implement/T1", 1).into()));
    let running = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request(("implement/T1", 1));
    session.baton(["tell", "--task", "T1", "Use tabs"]).run().expect(0);
    let so_far = log(&session, &[]);
    in_order(
        &so_far,
        &["It is at work: this is what there is so far.", "\n## implement T1\n", "- `edit_file src/t1.rs (-1 +1)`"],
    );
    assert!(!so_far.contains("## End"), "{so_far}");
    running.kill();
    in_order(&log(&session, &[]), &["It came to no end.", "\n## implement T1\n"]);
    // What the killed run had recorded is not asked for again, and the log of the next says so.
    session.run(&api, ["--auto-approve"]).expect(0);
    in_order(
        &log(&session, &[]),
        &[
            "\n## implement T1\n",
            "Goes on with a conversation of an earlier run, which has 1 answer.",
            "\n### Turn 1 · ",
            "End: merged",
        ],
    );
    let merged = log(&session, &[]);
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(log(&session, &[]), merged, "a rollback asks no model");
    let rollback = session.runs().pop().expect("a run");
    in_order(&log(&session, &[&rollback]), &["No model was asked.", "Rolling back", "Rolled back: 1 file"]);
}

#[test]
fn what_is_not_sealed_by_the_user_is_left_out_and_counted() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let run = session.runs()[0].clone();
    let file = session.memory(&format!("runs/{run}/transcript.jsonl"));
    let text = session.text(&file).replacen("part of it", "a lie", 1) + "{\"no\":\"seal\"}\n{\"cut of";
    assert!(text.contains("a lie"));
    session.write(&file, text);
    let log = log(&session, &[]);
    in_order(&log, &["2 lines of the transcript are left out: not sealed by you for this folder", "\n## plan\n"]);
    assert!(!log.contains("a lie") && !log.contains("\n## context\n"), "{log}");
}

#[test]
fn on_a_terminal_it_is_drawn_by_its_width() {
    let session = Session::in_git(&workspace(1));
    let hostile =
        reads("src/t1.rs").with_text("\u{1b}]0;title\u{7}I look at this file first, since all the rest hangs on it.");
    let script = Script::new()
        .on("implement/T1", [hostile, edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let mut terminal = Terminal::of_columns(40);
    let running = terminal.start(session.baton(["log"]));
    let shown = terminal.wait_for("End: merged");
    running.wait().expect(0);
    in_order(
        &shown,
        &[
            "implement T1\n",
            "Turn 1 · ",
            "I look at this file first, since all the\nrest hangs on it.\n",
            "  · read_file src/t1.rs",
        ],
    );
    in_order(&shown, &["  · edit_file src/t1.rs (-1 +1)", "\n    -    0\n    +    1\n"]);
    assert!(!shown.contains("title\u{7}"), "{shown}");
}

#[test]
fn an_editor_is_answered_with_the_text_and_its_uri_and_one_without_a_plugin_opens_it() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    session.run(&api, ["--task", TASK, "--auto-approve"]).expect(0);
    let run = session.runs()[0].clone();
    let markdown = log(&session, &[]);
    let mut client = session.lsp_client(&api);
    for argument in [json!({}), json!({ "run": run }), json!(&run[..15])] {
        let answer = client.execute("baton.log", &[argument]).expect("an answer");
        assert_eq!(answer, json!({ "run": run, "uri": format!("baton:/log/{run}.md"), "markdown": markdown }));
    }
    let refused = client.execute("baton.log", &[json!("1999")]).expect_err("no such run");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains(&run)), "{refused}");
    assert_eq!(client.quit(), Some(0));

    let mut plain = session.lsp_client_with(&api, &Value::Null);
    plain.execute("baton.log", &[]).expect("an answer");
    plain.wait_for_document(&session.uri(&format!(".agent_memory/runs/{run}/log.md")));
    assert_eq!(session.text(&session.memory(&format!("runs/{run}/log.md"))), markdown);
}
