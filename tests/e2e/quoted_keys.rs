//! A key that a model or a server quotes: it reaches no output, no file of a run and no file of the workspace.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::messages_api::{KEY, MessagesApi, Reply, Script};
use crate::support::replies::{approves, context, does, edits, file_of, own, plan, reads, with, workspace, writes};
use crate::support::session::Session;

const MASK: &str = "<masked by Baton: key in ANTHROPIC_API_KEY>";

fn holds_key(tree: &BTreeMap<String, Vec<u8>>) -> Vec<&String> {
    let has = |bytes: &[u8]| bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
    tree.iter().filter(|(_, bytes)| has(bytes)).map(|(name, _)| name).collect()
}

#[test]
fn a_key_that_a_model_quotes_reaches_no_output_and_no_file() {
    let file = file_of("T1");
    let quoting = |reply: Reply| reply.thinking(KEY).with_text(&format!("The key is {KEY}."));
    let handoff = context(&[file.as_str()]);
    let handoff = with(handoff.content()[0]["input"].clone(), json!({ "constraints": [format!("never say {KEY}")] }));
    let escaped = KEY.replace('-', "\\u002d");
    let task = with(own("T1"), json!({ "description": format!("Write {KEY}, or {escaped}.") }));
    let [edit, done] = does("T1");
    let script = Script::new()
        .on("context", [quoting(reads(&file)), quoting(Reply::tool("submit_context", handoff))])
        .on("plan", [quoting(plan(&[&[task]]))])
        .on(
            "implement/T1",
            [
                quoting(reads(&file)),
                writes(&file, &format!("const KEY: &str = \"{KEY}\";\n")),
                edits(&file, "    0\n", &format!("    0 // {escaped}\n")),
                writes(&format!("src/{KEY}.rs"), "\n"),
                edit,
                quoting(done),
            ],
        )
        .on("review", [quoting(approves())]);
    let api = MessagesApi::start(script);
    let session = Session::new(&workspace(1));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve", "--json"]).expect(0);
    assert!(!done.stdout.contains(KEY) && !done.stderr.contains(KEY), "{}\n{}", done.stdout, done.stderr);
    assert_eq!(holds_key(&session.tree()), Vec::<&String>::new());
    assert_eq!(holds_key(&session.memory_tree()), Vec::<&String>::new());
    assert_eq!(session.handoff("context.json")["constraints"][0], format!("never say {MASK}"));
    assert!(session.text(&file).contains("    1\n") && !session.text(&file).contains("masked"), "nothing was altered");
    let told: Vec<String> = api
        .requests()
        .iter()
        .filter(|request| request.agent == "implement/T1")
        .map(|request| request.last_message().to_string())
        .collect();
    assert!(told[2].contains("The content holds a mask"), "{}", told[2]);
    assert!(told[3].contains("new_text holds a mask"), "{}", told[3]);
    assert!(told[4].contains("The path holds a mask"), "{}", told[4]);
    let sent: String = api.requests().iter().map(|request| request.body.to_string()).collect();
    assert!(!sent.contains(KEY), "it goes back masked too");
}

#[test]
fn a_key_in_a_file_of_the_workspace_is_shown_as_a_mask_and_stays() {
    let session = Session::new(&workspace(1));
    let file = file_of("T1");
    session.write(&file, format!("const KEY: &str = \"{KEY}\";\npub fn t1() -> u32 {{\n    0\n}}\n"));
    let [edit, done] = does("T1");
    let script = Script::new()
        .on("context", [reads(&file), context(&[file.as_str()])])
        .on("plan", [plan(&[&[own("T1")]])])
        .on("implement/T1", [reads(&file), edit, done])
        .on("review", [approves()]);
    let api = MessagesApi::start(script);
    let run = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(!run.stdout.contains(KEY) && !run.stderr.contains(KEY), "{}", run.stdout);
    let sent: String = api.requests().iter().map(|request| request.body.to_string()).collect();
    assert!(!sent.contains(KEY) && sent.contains(MASK));
    assert!(!session.of_last_run("transcript.jsonl").contains(KEY));
    assert!(session.text(&file).starts_with(&format!("const KEY: &str = \"{KEY}\";\n")), "{}", session.text(&file));
}

#[test]
fn a_short_key_garbles_no_text() {
    for key in ["x", "EMPTY", "sk-"] {
        let api = MessagesApi::start(Script::new());
        let session = Session::new(&workspace(1));
        let doctor = session.baton(["doctor", "--json"]).api(&api).env("ANTHROPIC_API_KEY", key).run().expect(1);
        doctor.prints("refused the key in ANTHROPIC_API_KEY (401): \\\"invalid x-api-key\\\"").prints("\"endpoint\"");
        let run = session.baton(["run", "--task", "Do it"]).api(&api).env("ANTHROPIC_API_KEY", key).run().expect(5);
        run.reports("refused the key in ANTHROPIC_API_KEY (401): \"invalid x-api-key\"");
    }
}
