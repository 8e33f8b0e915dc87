//! Wrong answers of a model: it is sent the fault and continues, or the run ends with a message for the user; never a
//! panic, and no control character of the model reaches the terminal.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::messages_api::{Fault, MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, but, completed, context, does, edits, modifies, own, partial, plan, plan_of, reads, review, with,
    workspace, writes,
};
use crate::support::session::{Done, Session};

/// A server that does so in a workflow of one task, and well but for that.
fn api(script: Script) -> MessagesApi {
    MessagesApi::start(but(script, &[&[own("T1")]]))
}

/// Begin, or go on.
fn run(session: &Session, api: &MessagesApi) -> Done {
    let task: &[&str] = if session.exists(".agent_memory/task.md") { &[] } else { &["--task", "Do it"] };
    let args = ["run", "--auto-approve"].into_iter().chain(task.iter().copied());
    let done = session.baton(args).api(api).env("BATON_RETRY_BASE", "2ms").run();
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    done
}

/// The next run, with a model that does well, comes to its end.
fn goes_on(session: &Session) {
    run(session, &api(Script::new())).expect(0);
    assert_eq!(session.text("src/t1.rs"), "pub fn t1() -> u32 {\n    1\n}\n");
}

/// What an agent was answered, request by request from its second on: the last message, as one text.
fn answers(api: &MessagesApi, agent: &str) -> Vec<String> {
    let requests = api.requests_of(agent);
    let text = |content: &Value| {
        let blocks = content.as_array().into_iter().flatten();
        blocks
            .map(|block| block["content"].as_str().or(block["text"].as_str()).unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    };
    requests.iter().skip(1).map(|request| text(request.last_message())).collect()
}

#[track_caller]
fn assert_contains(answer: &str, words: &str) {
    assert!(answer.contains(words), "{words:?} is not in {answer:?}");
}

#[test]
fn absurd_line_ranges_are_answered_with_what_there_is() {
    let session = Session::new(&workspace(1));
    let read = |start: Value, end: Value| {
        Reply::tool("read_file", json!({ "path": "src/t1.rs", "start_line": start, "end_line": end }))
    };
    let calls = [
        (read(json!(0), json!(-3)), "end_line 0 is before start_line 1; src/t1.rs has 3 lines"),
        (read(json!(-9_000_000_000_000_000_000i64), json!(u64::MAX)), "src/t1.rs, 3 lines"),
        (read(json!(1e300), json!(null)), "src/t1.rs has 3 lines; start_line 1000000000000000 is after its end"),
        (read(json!("2"), json!(2.0)), "src/t1.rs, lines 2-2 of 3"),
        (read(json!(3), json!(2)), "end_line 2 is before start_line 3"),
        (read(json!(1.5), json!("all")), "start_line must be a whole number, not 1.5; end_line must be a whole number"),
    ];
    let mut replies: Vec<Reply> = calls.iter().map(|(reply, _)| reply.clone()).collect();
    replies.push(context(&["src/t1.rs"]));
    let issue = |line: Value, text: &str| json!({ "severity": "minor", "file": "src/t1.rs", "line": line, "end_line": line, "description": text });
    let issues = [issue(json!(-4), "before"), issue(json!(1e18), "after"), issue(json!(2.5), "between")];
    let script = Script::new().on("context", replies).on("review", [review("approved", "merge", &issues)]);
    let api = api(script);
    run(&session, &api).expect(0);
    for (answer, (_, words)) in answers(&api, "context").iter().zip(calls) {
        assert_contains(answer, words);
    }
    let review = session.handoff("review.json");
    let lines: Vec<_> = review["issues"].as_array().unwrap().iter().map(|issue| issue["line"].as_u64()).collect();
    assert_eq!(lines, [Some(1), Some(3), Some(2)], "each stands on a line that there is");
}

#[test]
fn of_forty_calls_in_one_turn_as_many_are_done_as_are_allowed_and_all_are_answered() {
    let session = Session::new(&workspace(1));
    let calls = (1..=40).map(|n| ("read_file", json!({ "path": "src/t1.rs", "start_line": 1, "end_line": n })));
    let api = api(Script::new().on("context", [Reply::tools(calls), context(&["src/t1.rs"])]));
    run(&session, &api).expect(0);
    let answered = api.requests_of("context")[1].last_message().clone();
    let (done, left): (Vec<&Value>, Vec<&Value>) =
        answered.as_array().unwrap().iter().partition(|block| block["is_error"] != true);
    assert_eq!((done.len(), left.len()), (32, 8));
    assert!(
        left.iter().all(|block| block["content"].as_str().unwrap().starts_with("not done: at most 32 calls a turn"))
    );
}

#[test]
fn the_same_call_for_ever_is_noticed_reported_and_ended() {
    let session = Session::new(&workspace(2));
    let again = || vec![Reply::tool("search", json!({ "pattern": "nowhere" })); 20];
    let looping = api(Script::new().on("context", again()));
    let done = run(&session, &looping).expect(5);
    done.prints("the context agent made the same call 8 times with the same answer: search")
        .prints("run again for another try, or choose a stronger model (models.*)");
    let answers = answers(&looping, "context");
    assert_eq!(looping.requests().len(), 8);
    assert!(!answers[1].contains("very call"));
    assert_contains(&answers[2], "You have made this very call 3 times with this very answer. Do something else.");

    // A task that goes in circles fails for itself: the other one is done, and nothing of its own is written.
    let mut circles = vec![edits("src/t1.rs", "    0\n", "    9\n")];
    circles.extend(again());
    let tasks = [own("T1"), own("T2")];
    let looping = MessagesApi::start(but(Script::new().on("implement/T1", circles), &[&tasks]));
    run(&session, &looping).expect(1).prints("T1 failed: the implement/T1 agent made the same call 8 times");
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('1'));
    let asked = MessagesApi::start(but(Script::new(), &[&tasks]));
    run(&session, &asked).expect(0);
    assert!(session.text("src/t1.rs").contains('1') && asked.requests_of("implement/T2").is_empty());
}

#[test]
fn an_invalid_handoff_is_sent_back_with_its_faults_and_ends_after_three_tries() {
    let circular = plan_of(&[&[with(own("T1"), json!({ "depends_on": ["T1"] }))]]);
    let contradicts = review("approved", "re_plan", &[]);
    for (agent, invalid, fault, code) in [
        ("context", context(&["src/none.rs"]), "src/none.rs is not a file of this workspace", 5),
        ("plan", Reply::tool("submit_plan", circular), "/tasks/0/depends_on", 5),
        (
            "implement/T1",
            Reply::tool("submit_result", json!({ "status": "finished" })),
            "/status: \"finished\" is not one of",
            1,
        ),
        ("review", contradicts, "verdict approved and action re_plan contradict each other", 5),
    ] {
        let session = Session::new(&workspace(1));
        let stubborn = api(Script::new().on(agent, vec![invalid.clone(); 3]));
        let done = run(&session, &stubborn).expect(code);
        assert_contains(&done.stdout, &format!("the {agent} agent's handoff was not valid in 3 tries: "));
        assert_contains(&done.stdout, fault);
        let sent_back = |answer: &String| answer.contains("not valid; mend these and submit again:");
        let answers: Vec<String> = answers(&stubborn, agent).into_iter().filter(sent_back).collect();
        // The task of an implementer is put to the next tier once.
        let models = if agent == "implement/T1" { 2 } else { 1 };
        assert_eq!(answers.len(), 2 * models, "{agent}: the third is the last");
        for answer in answers {
            assert_contains(&answer, fault);
        }
        goes_on(&session);

        // One that fixes it in its third try is accepted.
        let session = Session::new(&workspace(1));
        let good = match agent {
            "context" => context(&["src/t1.rs"]),
            "plan" => Reply::tool("submit_plan", plan_of(&[&[own("T1")]])),
            "review" => approves(),
            _ => partial("It is hard."),
        };
        run(&session, &api(Script::new().on(agent, [invalid.clone(), invalid, good]))).expect(0);
    }
}

#[test]
fn a_call_cut_by_max_tokens_is_not_made_and_the_model_is_asked_to_take_smaller_steps() {
    let session = Session::new(&workspace(1));
    let cut =
        || Reply::raw_call("write_file", "{\"path\": \"src/t1.rs\", \"content\": \"pub fn").stop_reason("max_tokens");
    // With nothing else in the answer, beside text, and after a call that is whole.
    let after_edit = edits("src/t1.rs", "    5\n", "    1\n").stop_reason("max_tokens");
    let after_edit = after_edit.and(json!({ "type": "tool_use", "name": "delete_file", "input": {} }));
    let script = Script::new().by({
        let asked = AtomicUsize::new(0);
        let edit = edits("src/t1.rs", "    0\n", "    5\n");
        let replies = [cut(), cut().with_text("Now I write it."), edit, after_edit, completed(&["src/t1.rs"])];
        // A silence is taken back, so that the place in the conversation does not tell how often was asked.
        move |request| (request.agent == "implement/T1").then(|| replies[asked.fetch_add(1, Ordering::SeqCst)].clone())
    });
    let cutting = api(script);
    run(&session, &cutting).expect(0);
    assert_eq!(session.text("src/t1.rs"), "pub fn t1() -> u32 {\n    1\n}\n");
    let answers = answers(&cutting, "implement/T1");
    for n in [0, 1, 3] {
        assert_contains(&answers[n], "Your last answer was cut at its greatest length");
    }
    assert!(!answers.concat().contains("answer was empty"), "{answers:#?}");
    assert_contains(&answers[3], "Edited src/t1.rs");

    let session = Session::new(&workspace(1));
    let always = api(Script::new().by(move |request| (request.agent == "plan").then(cut)));
    run(&session, &always)
        .expect(5)
        .prints("the plan agent did not finish: its answers were cut at 16000 tokens 3 times")
        .prints("a smaller task or a stronger model (models.*) may do better");
    assert_eq!(always.requests_of("plan").len(), 3);
    goes_on(&session);
}

#[test]
fn a_refusal_ends_the_phase_with_the_model_s_own_words() {
    for (agent, code) in [("context", 5), ("plan", 5), ("implement/T1", 1), ("review", 5)] {
        let session = Session::new(&workspace(1));
        let declines = Reply::text("I can't \u{1b}[31mhelp\u{1b}[0m with that.").stop_reason("refusal");
        let declining = api(Script::new().on(agent, [declines]));
        let done = run(&session, &declining).expect(code);
        assert_contains(&done.stdout, &format!("the model declined the {agent} agent's work: I can't help with that."));
        assert_contains(&done.stdout, "put the task in other words, or choose another model (models.*)");
        assert_eq!(declining.requests_of(agent).len(), 1, "it is not asked again");
        goes_on(&session);
    }
    // Without a word, and with a call beside it that must not be made.
    let session = Session::new(&workspace(1));
    let silent = edits("src/t1.rs", "    0\n", "    9\n").stop_reason("refusal");
    run(&session, &api(Script::new().on("implement/T1", [silent]))).expect(1).prints("agent's work; put the task");
    goes_on(&session);
}

#[test]
fn a_paused_turn_goes_on_where_it_stopped() {
    let session = Session::new(&workspace(1));
    let asked = AtomicUsize::new(0);
    let pauses = [
        Reply::text("Let me think.").stop_reason("pause_turn"),
        Reply::text("I still think.").thinking("hm").stop_reason("pause_turn"),
        Reply::blocks([]).stop_reason("pause_turn"),
        context(&["src/t1.rs"]),
    ];
    let script = Script::new()
        .by(move |request| (request.agent == "context").then(|| pauses[asked.fetch_add(1, Ordering::SeqCst)].clone()));
    let pausing = api(script);
    run(&session, &pausing).expect(0);
    let requests = pausing.requests_of("context");
    let messages = |n: usize| requests[n].body["messages"].as_array().unwrap().clone();
    let roles =
        |n: usize| messages(n).iter().map(|message| message["role"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(roles(1), ["user", "assistant"]);
    assert_eq!(roles(2), ["user", "assistant"], "what it says after a pause belongs to the same message");
    assert_eq!(messages(2)[1]["content"].as_array().unwrap().len(), 3);
    assert_eq!(roles(3), ["user", "assistant", "user"], "a pause without a word is no pause");

    let session = Session::new(&workspace(1));
    let dozing =
        api(Script::new()
            .by(|request| (request.agent == "review").then(|| Reply::text("Soon.").stop_reason("pause_turn"))));
    run(&session, &dozing).expect(5).prints("the review agent did not finish: it paused 11 times and never went on");
    goes_on(&session);
}

#[test]
fn a_full_context_window_is_taken_up_in_a_fresh_conversation_that_knows_what_is_staged() {
    let full = Reply::text("").stop_reason("model_context_window_exceeded");
    let too_long = Fault::status(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum");
    let none = Fault::SlowHeaders(std::time::Duration::ZERO);
    let new_file = || Reply::tool("write_file", json!({ "path": "src/new.rs", "content": "pub fn new() {}\n" }));
    let task = with(own("T1"), json!({ "files_to_create": ["src/new.rs"] }));
    let plan = |script: Script| but(script, &[std::slice::from_ref(&task)]);
    let [edit, submit] = does("T1");
    for (how, script) in [
        (
            "as a stop reason",
            Script::new().rounds("implement/T1", [vec![edit.clone(), new_file(), full.clone()], vec![submit.clone()]]),
        ),
        (
            "as a refusal",
            Script::new()
                .rounds("implement/T1", [vec![edit.clone(), new_file()], vec![submit.clone()]])
                .fault("implement/T1", [none.clone(), none.clone(), too_long.clone()]),
        ),
    ] {
        let session = Session::new(&workspace(1));
        let api = MessagesApi::start(plan(script));
        run(&session, &api).expect(0);
        let requests = api.requests_of("implement/T1");
        assert_eq!(requests.len(), 4, "{how}");
        let first = requests[3].first_message();
        assert_contains(
            &first,
            "You have already edited src/new.rs, src/t1.rs; your tools show these files as you left them.",
        );
        assert_contains(
            &first,
            "Your earlier conversation about this filled the context window and was closed. Read less",
        );
        assert_eq!(requests[3].body["messages"].as_array().unwrap().len(), 1, "{how}: it is a fresh one");
        assert_eq!(session.text("src/new.rs"), "pub fn new() {}\n", "{how}");
        assert!(session.text("src/t1.rs").contains('1'), "{how}: what was staged is kept");
        assert_eq!(session.handoff("impl_report.json")["results"][0]["changes"].as_array().unwrap().len(), 2);
    }

    // Full once more, it ends; in a task without harm to others.
    for (agent, code) in [("context", 5), ("plan", 5), ("implement/T1", 1), ("review", 5)] {
        let session = Session::new(&workspace(1));
        let again = api(Script::new().by({
            let full = full.clone();
            move |request| (request.agent == agent).then(|| full.clone())
        }));
        // A task's model that could not take the conversation came to no conclusion either.
        let code = if code == 1 { 5 } else { code };
        let done = run(&session, &again).expect(code);
        assert_contains(
            &done.stdout,
            &format!("the {agent} agent's conversation does not fit the model's context window"),
        );
        assert_contains(&done.stdout, "a smaller task, or a model with a larger window (models.*), may do better");
        assert_eq!(again.requests_of(agent).len(), 2, "{agent}: one fresh conversation");
        goes_on(&session);
    }
}

#[test]
fn an_empty_answer_is_asked_again_and_so_is_one_of_text_alone() {
    let empty = || Reply::blocks([]);
    let blank = || Reply::text(" \n ");
    for (agent, code) in [("context", 5), ("plan", 5), ("implement/T1", 1), ("review", 5)] {
        let session = Session::new(&workspace(1));
        let asked = AtomicUsize::new(0);
        let recovering = api(Script::new().by(move |request| {
            (request.agent == agent).then(|| asked.fetch_add(1, Ordering::SeqCst)).and_then(|n| match n {
                0 => Some(empty()),
                1 => Some(blank()),
                _ => None,
            })
        }));
        run(&session, &recovering).expect(0);
        let sent = answers(&recovering, agent);
        assert_contains(&sent[0], "(Your last answer was empty, 1 of 3.) Text alone does nothing here. Use a tool");
        assert_contains(&sent[1], "(Your last answer was empty, 2 of 3.)");

        for silence in [empty(), Reply::text("As I was saying.")] {
            let session = Session::new(&workspace(1));
            let silent = api(Script::new().by(move |request| (request.agent == agent).then(|| silence.clone())));
            let done = run(&session, &silent).expect(code);
            assert_contains(
                &done.stdout,
                &format!("the {agent} agent answered 3 times without using a tool; a stronger model may"),
            );
            assert_eq!(silent.requests_of(agent).len(), 3);
            goes_on(&session);
        }
    }
}

#[test]
fn edits_that_do_not_match_are_answered_with_what_is_there() {
    let session = Session::new("//- /src/t1.rs\npub fn t1() -> u32 {\n    let total = 0;\n    total + 0\n}\n");
    let calls = [
        (
            edits("src/t1.rs", "    let sum = 0;\n", "    let sum = 1;\n"),
            "The nearest lines are:\n    1\tpub fn t1() -> u32 {\n    2\t    let total = 0;",
        ),
        (edits("src/t1.rs", "0", "1"), "old_text stands in src/t1.rs at 2 places, lines 2, 3."),
        (edits("src/t1.rs", "", "x"), "old_text is empty, so it is not known what to replace; nothing was changed."),
        (edits("src/t1.rs", "total", "total"), "are the same; nothing was changed"),
        (edits("src/t1.rs", "struct Elephant;", "x"), "nor anything like it. Read the file again."),
        (edits("src/t2.rs", "a", "b"), "src/t2.rs"),
        (edits("src/t1.rs", "    2\tlet totals = 10;", "x"), "Leave out the line numbers that read_file shows"),
    ];
    let mut replies: Vec<Reply> = calls.iter().map(|(reply, _)| reply.clone()).collect();
    // With the numbers that were shown, as small models copy them, it is plain what is meant.
    replies.extend([edits("src/t1.rs", "    3\t    total + 0", "    3\t    total + 1"), completed(&["src/t1.rs"])]);
    let api = api(Script::new().on("implement/T1", replies));
    run(&session, &api).expect(0);
    for (answer, (_, words)) in answers(&api, "implement/T1").iter().zip(&calls) {
        assert_contains(answer, words);
    }
    assert_eq!(session.text("src/t1.rs"), "pub fn t1() -> u32 {\n    let total = 0;\n    total + 1\n}\n");
}

#[test]
fn an_edit_of_the_wrong_file_is_refused_and_reported_to_the_user() {
    let session = Session::new(&workspace(2));
    session.write("Cargo.toml", "[package]\n");
    let [edit, submit] = does("T1");
    let replies = [
        edits("src/t2.rs", "    0\n", "    9\n"),
        writes("Cargo.toml", "[evil]\n"),
        writes(".git/hooks/pre-commit", "rm -rf /\n"),
        writes("../outside.rs", "x\n"),
        Reply::tool("delete_file", json!({ "path": "src/t1.rs" })),
        edit,
        submit,
    ];
    let api = api(Script::new().on("implement/T1", replies));
    run(&session, &api).expect(0);
    let answers = answers(&api, "implement/T1");
    for (answer, words) in
        answers.iter().zip(["src/t2.rs", "Cargo.toml", ".git/hooks/pre-commit", "../outside.rs", "src/t1.rs"])
    {
        assert_contains(answer, words);
    }
    let report = session.handoff("impl_report.json");
    let result = &report["results"][0];
    assert_eq!(result["status"], "completed", "the status stays as submitted");
    let blockers = result["blockers"].to_string();
    for file in ["src/t2.rs", "Cargo.toml", ".git/hooks/pre-commit"] {
        assert_contains(&blockers, file);
    }
    assert!(session.text("src/t2.rs").contains('0') && session.text("Cargo.toml") == "[package]\n");
    assert!(!session.exists(".git") && !session.root().parent().unwrap().join("outside.rs").exists());
}

#[test]
fn wrong_types_and_unknown_tools_are_answered_with_what_is_right() {
    let session = Session::new(&workspace(1));
    let calls = [
        (
            Reply::tool("run_command", json!({ "command": "ls" })),
            "There is no tool \"run_command\". Call one of: list_files,",
        ),
        (Reply::tool("", json!({})), "There is no tool \"\""),
        (Reply::tool("read_file", json!({})), "path is missing; it must be a string"),
        (Reply::tool("read_file", json!({ "path": { "name": "x" } })), "path must be a string, not an object"),
        (
            Reply::tool("edit_file", json!({ "path": "src/t1.rs", "old_text": ["0"], "new_text": null })),
            "old_text must be a string, not a list; new_text must be",
        ),
        (Reply::tool("search", json!({ "pattern": true })), "pattern must be a string, not true"),
        (
            Reply::tool("search", json!({ "pattern": "t1", "-C": 3, "output_mode": "files", "head_limit": 5 })),
            "there is no field -C (did you mean context?); there is no field output_mode (did you mean mode?); there is no \
             field head_limit. The fields of search are: pattern, path, glob, context, mode, multiline.",
        ),
        (Reply::tool("search", json!({ "pattern": "t1", "glob": "!src/**", "mode": "files" })), "No match for t1 in"),
        (Reply::tool("submit_result", json!({ "status": ["completed"], "changes": "none" })), "not valid; mend these"),
    ];
    let mut replies: Vec<Reply> = calls.iter().map(|(reply, _)| reply.clone()).collect();
    replies.extend(does("T1"));
    let api = api(Script::new().on("implement/T1", replies));
    run(&session, &api).expect(0);
    for (answer, (_, words)) in answers(&api, "implement/T1").iter().zip(&calls) {
        assert_contains(answer, words);
    }
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn a_handoff_beside_an_edit_that_failed_is_not_taken() {
    let session = Session::new(&workspace(1));
    let submit = json!({ "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let edit = |old: &str| json!({ "path": "src/t1.rs", "old_text": old, "new_text": "    1\n" });
    let hasty = Reply::tools([("edit_file", edit("    7\n")), ("submit_result", submit.clone())]);
    let right = Reply::tools([("edit_file", edit("    0\n")), ("submit_result", submit)]);
    let api = api(Script::new().on("implement/T1", [hasty, right]));
    run(&session, &api).expect(0);
    assert_contains(
        &answers(&api, "implement/T1")[0],
        "not taken: a call before it in this turn failed; look at its answer, then submit",
    );
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn line_numbers_are_those_that_the_model_was_shown_before_its_turn() {
    let session = Session::new(&workspace(1));
    let edit = |line: u32, text: &str, new: &str| {
        let input = json!({ "path": "src/t1.rs", "start_line": line, "end_line": line, "first": text, "last": text, "new_text": new });
        ("edit_file", input)
    };
    let first = Reply::tools([
        edit(1, "pub fn t1() -> u32 {", "// One.\n// Two.\npub fn t1() -> u32 {"),
        edit(2, "    0", "    1"),
        edit(1, "// One.", "x"),
    ]);
    let submit = json!({ "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let second = Reply::tools([edit(2, "// Two.", "// Both."), ("submit_result", submit)]);
    let api = api(Script::new().on("implement/T1", [first, second]));
    run(&session, &api).expect(0);
    assert_contains(
        &answers(&api, "implement/T1")[0],
        "first is not what line 1 of src/t1.rs said when you were last shown it",
    );
    assert_eq!(session.text("src/t1.rs"), "// One.\n// Both.\npub fn t1() -> u32 {\n    1\n}\n");
}

#[test]
fn an_input_that_is_a_json_text_is_read_and_sent_back_as_an_object() {
    let session = Session::new(&workspace(1));
    let twice = |name: &str, input: Value| Reply::raw_call(name, &Value::String(input.to_string()).to_string());
    let edit = json!({ "path": "src/t1.rs", "old_text": "    0\n", "new_text": "    1\n" });
    let submit = json!({ "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let api = api(Script::new().on("implement/T1", [twice("edit_file", edit.clone()), twice("submit_result", submit)]));
    run(&session, &api).expect(0);
    assert!(session.text("src/t1.rs").contains('1'));
    let sent = api.requests_of("implement/T1")[1].body["messages"][1]["content"][0]["input"].clone();
    assert_eq!(sent, edit);
}

#[test]
fn an_input_nested_without_end_is_sent_back_as_a_fault_and_overflows_nothing() {
    let nested = |levels: usize| format!("{{\"path\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
    for levels in [70, 126, 100_000] {
        let session = Session::new(&workspace(1));
        let input = nested(levels);
        let recovering = api(Script::new().on("plan", [Reply::raw_call("read_file", &input), plan(&[&[own("T1")]])]));
        run(&session, &recovering).expect(0);
        let answers = answers(&recovering, "plan");
        assert_eq!(recovering.requests_of("plan").len(), 2, "{levels}: the turn was paid for once");
        assert!(answers[0].len() < 2_000, "{} bytes", answers[0].len());

        let session = Session::new(&workspace(1));
        let always = api(Script::new().on("context", vec![Reply::raw_call("submit_context", &input); 3]));
        run(&session, &always).expect(5).prints("not valid in 3 tries");
        goes_on(&session);
    }
    // As deep as is taken, and in a text within: neither is taken for a path.
    let session = Session::new(&workspace(1));
    let deep = Reply::raw_call("read_file", &nested(60));
    let text = Reply::tool(
        "submit_context",
        json!({ "task_description": "[".repeat(100_000), "relevant_files": nested(90_000) }),
    );
    let api = api(Script::new().on("context", [deep, text, context(&["src/t1.rs"])]));
    run(&session, &api).expect(0);
    let answers = answers(&api, "context");
    assert_contains(&answers[0], "path must be a string, not a list");
    assert_contains(&answers[1], "/relevant_files");
    assert!(answers[1].len() < 2_000, "{} bytes", answers[1].len());
}

#[test]
fn huge_inputs_are_carried_or_refused_and_answered_in_brief() {
    const HUGE: usize = 5 << 20;
    let huge = "x".repeat(HUGE);
    let large = &huge[..HUGE / 16];
    let lines = "let x = 1;\n".repeat(HUGE / 11);
    let all = json!({ "path": "src/big.txt", "old_text": "x", "new_text": huge, "replace_all": true });
    // Each in a conversation of its own: what is said once is sent again with every turn.
    let cases = [
        (reads(large), "the path is too long"),
        (Reply::tool("search", json!({ "pattern": large })), "The pattern is longer than"),
        (Reply::tool(&"y".repeat(128), json!({ "path": large })), "There is no tool"),
        (Reply::tool("submit_result", json!({ "status": "done", "notes": large })), "not valid; mend these"),
        (edits("src/t1.rs", &lines, "y"), "old_text does not stand in src/t1.rs"),
        (writes("src/new.txt", &lines), "Wrote src/new.txt"),
        (Reply::tool("edit_file", all), "more places than one edit may change"),
    ];
    let task =
        with(own("T1"), json!({ "files_to_create": ["src/new.txt"], "files_to_modify": ["src/t1.rs", "src/big.txt"] }));
    for (call, words) in cases {
        let session = Session::new(&workspace(1));
        session.write("src/big.txt", &lines);
        let notes = json!({ "status": "completed", "changes": [], "notes": "x".repeat(100_000), "blockers": [] });
        let [edit, _] = does("T1");
        let script = Script::new().on("implement/T1", [call, edit, Reply::tool("submit_result", notes)]);
        let api = MessagesApi::start(but(script, &[std::slice::from_ref(&task)]));
        // A prompt of this size may cost more than the budget allows by itself.
        let args = ["run", "--task", "Do it", "--auto-approve"];
        let done = session.baton(args).api(&api).env("BATON_BUDGET_USD", "500").run();
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        let done = done.expect(0);
        let answer = answers(&api, "implement/T1").remove(0);
        assert!(answer.len() < 100_000, "{words}: answered with {} bytes", answer.len());
        assert_contains(&answer, words);
        assert!(done.stdout.len() + done.stderr.len() < 20_000, "{words}: what is shown stays short");
        assert!(session.text("src/t1.rs").contains('1'), "{words}");
    }
}

/// Characters that would drive a terminal, or lie about what they show.
const EVIL: &str = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{8}\u{7f}\u{9b}31m\u{85}\u{202e}evil\u{2066}\u{200f}z";

fn drives_a_terminal(text: &str) -> Option<char> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().find(|c| (c.is_control() && *c != '\n') || turns(*c))
}

fn evil(words: &str) -> String {
    format!("{words} {EVIL}\0")
}

/// Every text of a model, in handoffs and between them, with control characters in it.
fn evil_script() -> Script {
    let evil_context = json!({
        "task_description": evil("task"),
        "relevant_files": [{ "path": "src/t1.rs", "summary": evil("summary"), "relevance": "high" }],
        "dependencies": [{ "name": evil("name"), "version": evil("1"), "usage": evil("use") }],
        "existing_patterns": [evil("pattern")], "constraints": [evil("constraint")],
        "files_in_scope": ["src/"], "files_out_of_scope": [],
    });
    let evil_task = with(
        modifies("T1", "src/t1.rs"),
        json!({
            "title": evil("title"), "description": evil("description"), "acceptance_criteria": [evil("criterion")],
        }),
    );
    let evil_plan =
        with(plan_of(&[&[evil_task]]), json!({ "approach_summary": evil("approach"), "risks": [evil("risk")] }));
    let evil_result = json!({
        "status": "partial", "notes": evil("notes"), "blockers": [evil("blocker")],
        "changes": [{ "path": "src/t1.rs", "summary": evil("change") }],
    });
    let evil_issue = json!({
        "severity": "minor", "file": "src/t1.rs", "line": 1, "description": evil("issue"), "suggested_fix": evil("fix"),
    });
    let lost = json!({ "severity": "major", "file": "src/gone.rs", "line": 1, "quote": evil("quote"), "description": evil("lost") });
    let evil_review = json!({
        "verdict": "changes_requested", "recommended_action": "escalate_to_human", "summary": evil("summary"),
        "issues": [evil_issue, lost], "plan_drift_detected": true, "drift_details": evil("drift"),
    });
    let [edit, _] = does("T1");
    Script::new()
        .on(
            "context",
            [
                Reply::text(&evil("hm")),
                reads(&evil("src/t1.rs")),
                Reply::tool("search", json!({ "pattern": evil("("), "path": EVIL, "glob": EVIL })),
                Reply::tool(EVIL, json!({})),
                Reply::tool("submit_context", evil_context),
            ],
        )
        .on(
            "plan",
            [
                // A path with such characters is no path, and reported to the model.
                Reply::tool("submit_plan", plan_of(&[&[modifies("T1", &evil("src/t1.rs"))]])),
                Reply::tool("submit_plan", evil_plan),
            ],
        )
        .on(
            "implement/T1",
            [
                edits(&evil("src/t1.rs"), "a", "b"),
                writes("src/\u{1b}[2J.rs", &evil("content")),
                edit,
                Reply::tool("submit_result", evil_result),
            ],
        )
        // The quote of the second issue stands nowhere, which is sent back twice.
        .on("review", (0..3).map(|_| Reply::tool("submit_review", evil_review.clone())))
}

#[test]
fn nothing_a_model_says_reaches_the_terminal_raw() {
    let mut shown = Vec::new();
    for json in [false, true] {
        let session = Session::new(&workspace(1));
        let api = MessagesApi::start(evil_script());
        let flags: &[&str] = if json { &["--json"] } else { &[] };
        let args = ["run", "--task", &evil("Do it"), "--auto-approve"].map(|arg| arg.replace('\0', ""));
        let done =
            session.baton(args.iter().map(String::as_str).chain(flags.iter().copied())).api(&api).run().expect(3);
        shown.push(done);
        let flags: &[&str] = if json { &["status", "--json"] } else { &["status"] };
        shown.push(session.baton(flags.iter().copied()).run().expect(0));
        shown.push(session.baton(["run", "--task", "Another"]).api(&api).run());
        if json {
            // The escaped text has the same meaning.
            let review = session.handoff("review.json");
            assert_eq!(shown[3].outcome()["review"], review);
            assert!(review["issues"][0]["description"].as_str().unwrap().contains('\u{9b}'));
        }
    }
    for Done { stdout, stderr, .. } in &shown {
        assert!(!stderr.contains("panicked"), "{stderr}");
        for text in [stdout, stderr] {
            let found = drives_a_terminal(text);
            let line = text.lines().find(|line| drives_a_terminal(line).is_some());
            assert_eq!(found, None, "in {line:?}");
        }
    }
    // Also when a run fails with the model's own words.
    let failing = [
        Script::new().on("context", [Reply::text(EVIL).stop_reason("refusal")]),
        Script::new().on("context", vec![Reply::tool("search", json!({ "pattern": EVIL })); 8]),
        Script::new()
            .on("context", vec![Reply::tool("submit_context", json!({ EVIL: EVIL, "relevant_files": EVIL })); 3]),
        Script::new().fault("context", [Fault::status(400, "invalid_request_error", EVIL)]),
    ];
    for script in failing {
        let session = Session::new(&workspace(1));
        let api = api(script);
        for flags in [&[][..], &["--json"]] {
            let args = ["run", "--auto-approve", "--task", "Do it"].into_iter().chain(flags.iter().copied());
            let done = session.baton(args).api(&api).run();
            assert!(done.code == Some(5) || done.code == Some(0), "{done:?}");
            for text in [&done.stdout, &done.stderr] {
                assert_eq!(drives_a_terminal(text), None, "{text:?}");
            }
        }
    }
}
