//! The workflow that is disturbed: its files come out the same in whatever order its tasks are done, and by whom.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::broker::Acks;
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, completed, context, edits, file_of, own, plan, reads, with, workspace, writes,
};
use crate::support::session::Session;

/// The task.
pub(super) const TASK: &str = "Do it";
/// How long the model thinks: long enough that most moments are in the midst of a turn.
const THINKING: Duration = Duration::from_millis(60);

/// A file for each task.
pub(super) fn repository() -> String {
    workspace(6)
}

/// Five tasks side by side and one that comes after two of them, each in three turns.
pub(super) fn script() -> Script {
    let made = with(own("T3"), serde_json::json!({ "files_to_create": ["src/new/made.rs"] }));
    let last = with(own("T6"), serde_json::json!({ "depends_on": ["T1", "T2"] }));
    let groups = [vec![own("T1"), own("T2"), made, own("T4"), own("T5")], vec![last]];
    let groups: Vec<&[serde_json::Value]> = groups.iter().map(Vec::as_slice).collect();
    let mut script = Script::new()
        .on("context", [reads("src/t1.rs"), context(&["src/t1.rs", "src/t2.rs"])])
        .on("plan", [reads("src/t2.rs"), plan(&groups)])
        .on("review", [Reply::tool("read_diff", serde_json::json!({})), approves()]);
    for id in ["T1", "T2", "T4", "T5", "T6"] {
        let file = file_of(id);
        let edit = edits(&file, "    0\n", &format!("    {}\n", &id[1..]));
        script = script.on(&format!("implement/{id}"), [reads(&file), edit, completed(&[&file])]);
    }
    let both = completed(&["src/t3.rs", "src/new/made.rs"]);
    let edit = edits("src/t3.rs", "    0\n", "    3\n");
    script.on("implement/T3", [writes("src/new/made.rs", "pub fn made() {}\n"), edit, both])
}

/// The same, with time to think, and with the number of its request in each answer.
pub(super) fn marked() -> Script {
    let script = script();
    Script::new()
        .by(move |request| script.reply(request).map(|reply| reply.after(THINKING).ids(&Acks::mark(request.number))))
}

/// What a workflow leaves that depends neither on when it ran nor on where.
#[derive(Debug, PartialEq)]
pub(super) struct Left {
    tree: BTreeMap<String, String>,
    results: Vec<(String, String)>,
    verdict: String,
}

impl Left {
    pub(super) fn by(session: &Session) -> Self {
        let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8_lossy(&bytes).into_owned());
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let report = session.handoff("impl_report.json");
        let results = report["results"].as_array().cloned().unwrap_or_default();
        Self {
            tree: session.tree().into_iter().map(text).collect(),
            results: results.iter().map(|result| (word(&result["task_id"]), word(&result["status"]))).collect(),
            verdict: word(&session.handoff("review.json")["verdict"]),
        }
    }

    /// What the workflow leaves when it is done here.
    pub(super) fn undisturbed() -> (Self, usize) {
        let session = Session::new(&repository());
        let api = MessagesApi::start(script());
        session.run(&api, ["--task", TASK, "--auto-approve"]).expect(0);
        let left = Self::by(&session);
        assert!(left.tree["src/t6.rs"].contains('6') && left.tree.contains_key("src/new/made.rs"));
        assert!(left.results.len() == 6 && left.results.iter().all(|(_, status)| status == "completed"));
        (left, api.requested())
    }
}
