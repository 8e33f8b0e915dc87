//! Documents of the server that lie in no file: `workspace/textDocumentContent`, over the real connection.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::fs;

use serde_json::{Value, json};

use crate::support::lsp_client::LspClient;
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, completed, context, does, edits, own, plan, task, with, workspace, writes};
use crate::support::session::Session;

const METHOD: &str = "workspace/textDocumentContent";
/// A space, and characters of two, three and four bytes; `#`, `?` and `%` mean something in a URI.
const ODD: &str = "ein Ordner/é€🦀 #1?%41.rs";
/// What an editor is to be given as it is: escape sequences, and characters that turn the direction of a text.
const ODD_TEXT: &str = "// \u{1b}[31mred\u{202e} é€🦀\nfn odd() {\n    0\n}\n";
const MIB: usize = 1024 * 1024;

/// Tasks that modify, create, delete and rename; and what was there before.
fn everything(session: &Session) -> Script {
    session.write(ODD, ODD_TEXT);
    session.write("src/from.rs", "pub fn from() {}\n");
    session.write("data.bin", b"\0\x01\x02\xff\xfe");
    session.write("large.txt", vec![b'x'; MIB + 1]);
    session.write("fits.txt", vec![b'x'; MIB]);
    session.write("dos.txt", "one\r\ntwo\r\n");
    let gone = ["data.bin", "large.txt", "fits.txt", "dos.txt"];
    let tasks = [
        own("T1"),
        with(task("T2"), json!({ "files_to_create": ["src/made.rs"] })),
        with(task("T3"), json!({ "files_to_delete": gone })),
        with(task("T4"), json!({ "files_to_create": ["src/to.rs"], "files_to_delete": ["src/from.rs"] })),
        with(task("T5"), json!({ "files_to_modify": [ODD] })),
    ];
    let mut deletes: Vec<Reply> = gone.iter().map(|path| Reply::tool("delete_file", json!({ "path": path }))).collect();
    deletes.push(completed(&gone));
    let moves = Reply::tool("move_file", json!({ "from": "src/from.rs", "to": "src/to.rs" }));
    Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [plan(&[&tasks])])
        .on("implement/T1", does("T1"))
        .on("implement/T2", [writes("src/made.rs", "pub fn made() {}\n"), completed(&["src/made.rs"])])
        .on("implement/T3", deletes)
        .on("implement/T4", [moves, completed(&["src/from.rs", "src/to.rs"])])
        .on("implement/T5", [edits(ODD, "    0\n", "    1\n"), completed(&[ODD])])
        .on("review", [approves()])
}

/// A workspace in which one task was done; its run.
fn done(session: &Session) -> (MessagesApi, String) {
    let api = MessagesApi::start(crate::support::replies::goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let run = session.runs().pop().expect("a run");
    (api, run)
}

fn document(client: &mut LspClient, uri: &str) -> Result<String, Value> {
    let id = client.request(METHOD, json!({ "uri": uri }));
    client.response(id).map(|answer| answer["text"].as_str().expect("a text").to_owned())
}

fn refusal(client: &mut LspClient, uri: &str) -> (i64, String) {
    let error = document(client, uri).expect_err(uri);
    (error["code"].as_i64().expect("a code"), error["message"].as_str().expect("a message").to_owned())
}

#[test]
fn a_file_is_shown_as_it_was_before_the_workflow_whatever_became_of_it() {
    let session = Session::new(&workspace(1));
    let before = session.text("src/t1.rs");
    let api = MessagesApi::start(everything(&session));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_ne!(session.text("src/t1.rs"), before);
    let run = session.runs().pop().expect("a run");

    let mut client = session.lsp_client(&api);
    let diff = client.execute("baton.diff", &[]).expect("a diff");
    let files = diff["files"].as_array().unwrap();
    let uri_of = |path: &str| {
        let file = files.iter().find(|file| file["path"] == path).expect(path);
        assert_eq!(file["run"], run.as_str());
        file["before_uri"].as_str().expect("a URI").to_owned()
    };
    assert_eq!(uri_of("src/t1.rs"), format!("baton:/before/{run}/src/t1.rs"));
    assert!(uri_of(ODD).starts_with(&format!("baton:/before/{run}/ein%20Ordner/%C3%A9")), "{}", uri_of(ODD));
    let texts = [
        ("src/t1.rs", before.as_str()),
        ("src/made.rs", ""),
        ("src/from.rs", "pub fn from() {}\n"),
        ("src/to.rs", ""),
        ("dos.txt", "one\ntwo\n"),
        (ODD, ODD_TEXT),
        ("data.bin", "Baton does not show data.bin: it is no text.\n"),
        ("large.txt", "Baton does not show large.txt: it has more than 1 MB.\n"),
    ];
    for (path, text) in texts {
        assert_eq!(document(&mut client, &uri_of(path)).as_deref(), Ok(text), "{path}");
    }
    assert_eq!(document(&mut client, &uri_of("fits.txt")).unwrap().len(), MIB);

    // What the workflow did is undone, and then the workflow set aside: the text from before stays what it is.
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(document(&mut client, &uri_of("src/t1.rs")).as_deref(), Ok(before.as_str()));
    session.baton(["reset"]).run().expect(0);
    assert_eq!(document(&mut client, &uri_of(ODD)).as_deref(), Ok(ODD_TEXT));
    // The file is a secret by now: another name leads to the same bytes.
    fs::hard_link(session.path("src/t1.rs"), session.path(".env")).unwrap();
    let secret = "Baton does not show src/t1.rs: it holds secrets.\n";
    assert_eq!(document(&mut client, &uri_of("src/t1.rs")).as_deref(), Ok(secret));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn nothing_else_is_served_and_the_answer_says_why() {
    let session = Session::new(&workspace(2));
    let (api, run) = done(&session);
    let mut client = session.lsp_client(&api);
    let (invalid, failed) = (-32602, -32803);
    for uri in [
        format!("baton:/before/{run}/../../task.md"),
        format!("baton:/before/{run}/%2e%2e/%2e%2e/task.md"),
        format!("baton:/before/{run}//etc/passwd"),
        format!("baton:/runs/{run}/events.jsonl"),
        "baton:/before/x/src/t1.rs".to_owned(),
        session.uri("src/t1.rs"),
        "\u{1b}[31m".to_owned(),
    ] {
        let (code, message) = refusal(&mut client, &uri);
        assert!(code == invalid && message.starts_with("there are the documents baton:/before/"), "{uri}: {message}");
    }
    for path in ["src/t2.rs", ".agent_memory/task.md", &format!(".agent_memory/runs/{run}/events.jsonl"), "nowhere.rs"]
    {
        let expected =
            format!("there is no text of {path} from before run {run}: its workflow did not change that file");
        assert_eq!(refusal(&mut client, &format!("baton:/before/{run}/{path}")), (failed, expected));
    }
    let unknown = "20200101-000000-abcd";
    let expected = format!("run {unknown} is in no folder that is open here; it may have been removed");
    assert_eq!(refusal(&mut client, &format!("baton:/before/{unknown}/src/t1.rs")), (failed, expected.clone()));
    assert_eq!(refusal(&mut client, &format!("baton:/log/{unknown}.md")), (failed, expected));

    let log = client.execute("baton.log", &[]).expect("a log");
    assert_eq!(log["uri"], format!("baton:/log/{run}.md"));
    assert_eq!(document(&mut client, log["uri"].as_str().unwrap()).unwrap(), log["markdown"].as_str().unwrap());
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_journal_that_this_user_did_not_write_shows_nothing() {
    let session = Session::new(&workspace(2));
    let (api, run) = done(&session);
    let folder = session.memory(&format!("runs/{run}/publish"));
    let journals: Vec<String> = session.names(&folder).into_iter().filter(|name| name.ends_with(".json")).collect();
    let [journal] = journals.as_slice() else { unreachable!("{journals:?}") };
    let journal = format!("{folder}/{journal}");
    let mut client = session.lsp_client(&api);
    let of = |file: &str| format!("baton:/before/{run}/{file}");
    assert!(document(&mut client, &of("src/t1.rs")).is_ok());
    let forged = session.text(&journal).replace("src/t1.rs", "src/t2.rs");
    session.write(&journal, forged);
    for file in ["src/t1.rs", "src/t2.rs"] {
        let (code, message) = refusal(&mut client, &of(file));
        assert!(code == -32803 && message.contains("did not change that file"), "{message}");
    }
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn of_several_folders_the_one_that_has_the_run_answers() {
    let session = Session::new(&workspace(1));
    let (api, run) = done(&session);
    let other = session.root().parent().unwrap().join("another");
    fs::create_dir(&other).unwrap();
    let mut client = session.language_server(&api);
    let mut params = session.initialize_params();
    let uri = crate::support::lsp_client::file_uri(&other, "");
    params["workspaceFolders"] = json!([{ "uri": uri, "name": "another" }, { "uri": session.uri(""), "name": "work" }]);
    client.initialize(params);
    let text = document(&mut client, &format!("baton:/before/{run}/src/t1.rs")).unwrap();
    assert!(text.contains("    0\n"), "{text}");
    assert!(!other.join(".agent_memory").exists(), "reading makes no memory folder");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_scheme_is_registered_only_where_the_client_takes_that() {
    let session = Session::new(&workspace(1));
    let (api, run) = done(&session);
    for capability in [json!({ "dynamicRegistration": true }), json!({}), json!(null)] {
        let mut client = session.language_server(&api);
        let mut params = session.initialize_params();
        params["capabilities"]["workspace"]["textDocumentContent"] = capability.clone();
        client.initialize(params);
        if capability["dynamicRegistration"] == true {
            let request = client.wait_for("client/registerCapability");
            let expected = json!([{
                "id": "baton-documents", "method": METHOD, "registerOptions": { "schemes": ["baton"] }
            }]);
            assert_eq!(request["params"]["registrations"], expected);
            client.answer(&request, Value::Null);
        }
        // It is answered in any case: a client may ask without a registration.
        assert!(document(&mut client, &format!("baton:/before/{run}/src/t1.rs")).is_ok());
        // No other message came.
        assert_eq!(client.quit(), Some(0), "{capability}");
    }
}

#[test]
fn a_client_is_told_when_a_document_that_it_has_has_changed() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(crate::support::replies::goes_well(&[&[own("T1")]]));
    let mut client = session.language_server(&api);
    let mut params = session.initialize_params();
    params["capabilities"]["workspace"]["textDocumentContent"] = json!({ "dynamicRegistration": true });
    client.initialize(params);
    let request = client.wait_for("client/registerCapability");
    client.answer(&request, Value::Null);
    let (run, question) = client.run_to_gate("Do it");
    let uri = format!("baton:/log/{run}.md");
    let at_the_gate = document(&mut client, &uri).unwrap();
    client.answer(&question, json!({ "title": "Approve" }));
    let refresh = client.wait_for("workspace/textDocumentContent/refresh");
    assert_eq!(refresh["params"], json!({ "uri": uri }));
    client.answer(&refresh, Value::Null);
    assert_ne!(document(&mut client, &uri).unwrap(), at_the_gate);
    // It may have changed once more since; that is not read here.
    client.shut_down();
    assert_eq!(client.disconnect(), Some(0));
}
