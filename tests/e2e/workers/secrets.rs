//! What leaves the machine of the run, and what stays on that of a worker.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::peer::Peer;
use super::{ACK_WAIT, Lab};
use crate::support::broker::BUS_KEY;
use crate::support::messages_api::Script;
use crate::support::replies::{but, completed, edits, own, reads, with, workspace};
use crate::support::session::Session;

/// Long enough for a person to say something.
const THINKING: Duration = Duration::from_secs(6);
/// Secrets, each in a place of its own.
const OF_ENV: &str = "in-the-env-file-7f3a";
const OF_KEY_FILE: &str = "bmV2ZXItc2VudC1wcml2YXRlLWtleS1ieXRlcw";
const OF_IGNORED: &str = "in-an-ignored-file-2b61";
const OF_GIT: &str = "in-the-git-folder-90cc";
const OF_ENVIRONMENT: &str = "sk-proj-of-the-coordinators-own-environment-4711";
const PROVIDER: &str = "sk-ant-api03-of-the-coordinator-alone-0815-aaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

fn all_files(folder: &Path, found: &mut BTreeMap<PathBuf, u32>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            all_files(&path, found);
        }
        found.insert(path, metadata.permissions().mode() & 0o777);
    }
}

/// Which of the secrets stand in these bytes.
fn secrets_in(bytes: &[u8]) -> Vec<&'static str> {
    let all = [OF_ENV, OF_KEY_FILE, OF_IGNORED, OF_GIT, OF_ENVIRONMENT, PROVIDER, TOKEN, BUS_KEY];
    all.into_iter().filter(|secret| memchr::memmem::find(bytes, secret.as_bytes()).is_some()).collect()
}

/// Tell the agent of T1 a key, and let the run come to its end: the agent was told without it.
fn tell_a_key(lab: &mut Lab) {
    lab.api.wait_for_request("implement/T1");
    let told = format!("The key is {OF_ENVIRONMENT}, I think.");
    lab.coordinator.session.baton(["tell", "--task", "T1", &told]).run().expect(0);
    lab.ends_well();
    let requests = lab.api.requests_of("implement/T1");
    let last = requests.last().unwrap().body["messages"].to_string();
    assert!(last.contains("The key is <masked by Baton: key in OPENAI_API_KEY>, I think."), "{last}");
    let ended = lab.coordinator.told().pop().unwrap().to_string();
    assert!(!ended.contains("not taken"), "{ended}");
}

#[test]
fn no_secret_leaves() {
    let files = format!(
        "{}//- /.env\nTOKEN={OF_ENV}\n//- /deploy/id_rsa\n-----BEGIN OPENSSH PRIVATE KEY-----\n{OF_KEY_FILE}\n\
         -----END OPENSSH PRIVATE KEY-----\n//- /.gitignore\nignored/\n//- /ignored/notes.txt\n{OF_IGNORED}\n\
         //- /src/config.rs\npub const TOKEN: &str = \"{TOKEN}\";\npub const BUS: &str = \"{BUS_KEY}\";\n\
         pub fn size() -> u32 {{\n    0\n}}\n",
        workspace(1)
    );
    let session = Session::in_git(&files);
    session.write("assets/bus.bin", [b"\0\xff".as_slice(), BUS_KEY.as_bytes(), b"\0"].concat());
    session.write(".git/description", OF_GIT);
    let of_config = with(own("T2"), serde_json::json!({ "files_to_modify": ["src/config.rs"] }));
    let script = Script::new()
        .on(
            "implement/T1",
            [
                reads("src/config.rs").after(THINKING),
                edits("src/t1.rs", "    0\n", "    1\n"),
                completed(&["src/t1.rs"]),
            ],
        )
        .on("implement/T2", [edits("src/config.rs", "    0\n", "    1\n"), completed(&["src/config.rs"])]);
    let Some(mut lab) = Lab::new(session, but(script, &[&[own("T1"), of_config]]), 1) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    let tap = peer.listen();
    lab.coordinator = lab.coordinator.env("ANTHROPIC_API_KEY", PROVIDER).env("OPENAI_API_KEY", OF_ENVIRONMENT);
    lab.coordinator.start();
    tell_a_key(&mut lab);
    let config = lab.coordinator.session.text("src/config.rs");
    assert!(config.contains(TOKEN) && config.contains(BUS_KEY) && config.contains("    1\n"), "{config}");

    let heard = tap.heard();
    assert!(heard.iter().any(|heard| heard.subject.starts_with("$O.baton-files.C.")), "the tree was sent");
    for message in &heard {
        let mut bytes = message.payload.clone();
        bytes.extend_from_slice(message.subject.as_bytes());
        bytes.extend_from_slice(format!("{:?}", message.headers).as_bytes());
        assert!(secrets_in(&bytes).is_empty(), "{:?} on {}", secrets_in(&bytes), message.subject);
    }
    let worker = lab.fleet.workers[0].session.path("..");
    let mut kept = BTreeMap::new();
    for folder in [lab.broker.storage(), worker.clone()] {
        all_files(&folder, &mut kept);
    }
    let mut has_source = false;
    for path in kept.keys() {
        let bytes = fs::read(path).unwrap_or_default();
        has_source |= memchr::memmem::find(&bytes, b"pub fn t1()").is_some();
        assert!(secrets_in(&bytes).is_empty(), "{:?} in {}", secrets_in(&bytes), path.display());
    }
    assert!(has_source, "the files of the broker were searched");
    for request in lab.api.requests() {
        assert!(secrets_in(request.body.to_string().as_bytes()).is_empty(), "{}", request.agent);
    }

    // Nothing but contents stays on the worker, and nobody else there may read them.
    assert_eq!(lab.fleet.workers[0].drain(super::LIMIT), Some(0), "{}", lab.worker_log(0));
    let cache = worker.join("cache/baton");
    let mut left = BTreeMap::new();
    all_files(&cache, &mut left);
    for (path, mode) in left {
        let below = path.strip_prefix(&cache).unwrap();
        let names: Vec<_> = below.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names[..] {
            // Names alone show there.
            ["worker"] => {}
            ["worker", "files"] => assert_eq!(mode, 0o700, "{}", below.display()),
            ["worker", "files", name] => {
                assert!(name.len() == 64, "{}", below.display());
                assert_eq!(mode, 0o600, "{}", below.display());
            }
            _ => panic!("{} stays", below.display()),
        }
    }
    assert!(lab.fleet.workers[0].written_elsewhere().is_empty());
}

#[test]
fn a_run_that_stopped_at_its_gate_asks_no_model_of_its_own_when_it_goes_on() {
    let script = crate::support::replies::goes_well(&[&[own("T1")]]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script, 1) else { return };
    let url = lab.broker.url();
    let run = lab.coordinator.session.baton(["run", "--dispatch", &url, "--task", "Do it"]).api(&lab.unused);
    run.env("BATON_BUS_KEY", BUS_KEY).env("BATON_ACK_WAIT", "2s").run();
    let status = lab.coordinator.session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["next"], "gate", "{status}");
    lab.coordinator.start();
    lab.ends_well();
    assert!(lab.unused.requests().is_empty(), "the run asked models itself");
    assert_eq!(lab.api.requests_of("implement/T1").len(), 2);
}
