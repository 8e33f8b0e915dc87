//! The examples at work: their scripts, in a checkout, with the real program against a scripted model, and a stand-in for
//! the forge's own program.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::read;
use super::steps::{Runner, Step};
use crate::support::editors::{self, in_repository, succeeds};
use crate::support::greeting::{GREETING, script};
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::programs::write_program;
use crate::support::replies::{context, plan, task, with};
use crate::support::session::Session;

/// An issue that would run commands, if its text ever became part of one.
const TITLE: &str = "Greet by name\"; touch pwned; `touch pwned` $(touch pwned) '";

const GH: &str = "case \"$1 $2\" in api*) echo \"$PERMISSION\";; 'pr create') echo https://forge.test/pull/1;; esac";

fn git(folder: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    succeeds(&mut git)
}

/// A forge with a bare repository, and machines for the jobs of `run-on-issue.yml`.
struct Forge {
    session: Session,
    api: MessagesApi,
    workflow: String,
    origin: PathBuf,
}

impl Forge {
    fn new(models: Script) -> Self {
        let session = Session::in_git(GREETING);
        let origin = session.path("../origin.git");
        git(session.root(), &["clone", "--quiet", "--bare", ".", &origin.display().to_string()]);
        let workflow = read(&in_repository("examples/ci/github/run-on-issue.yml"));
        Self { session, api: MessagesApi::start(models), workflow, origin }
    }

    fn branch(&self) -> String {
        git(&self.origin, &["branch", "--show-current"]).trim().to_owned()
    }

    /// A checkout of its own.
    fn checkout(&self, name: &str) -> PathBuf {
        let folder = self.session.path("..").join(name);
        git(&self.origin, &["clone", "--quiet", ".", &folder.display().to_string()]);
        folder
    }

    /// A machine for a job; only that of the job `run` knows the key.
    fn runner(&self, permission: &str) -> Runner {
        let mut runner = Runner::new(self.session.environment(), &[("gh", GH)]);
        let event = json!({ "issue": { "title": TITLE, "body": null } });
        std::fs::write(runner.path("event.json"), event.to_string()).expect("written");
        runner.variable("GITHUB_EVENT_PATH", runner.path("event.json"));
        runner.variable("GITHUB_REPOSITORY", "o/r");
        runner.variable("PERMISSION", permission);
        let values = [("github.token", "token"), ("github.actor", "ann"), ("github.event.issue.number", "7")];
        let more = [("github.run_id", "99"), ("github.server_url", "https://forge.test"), ("github.repository", "o/r")];
        for (expression, value) in values.into_iter().chain(more) {
            runner.value(expression, value);
        }
        runner.value("github.event.repository.default_branch", self.branch());
        runner
    }

    /// Does the task of the issue: the code, whether anything changed, and the machine with what it hands on.
    fn run(&self) -> (String, String, Runner) {
        let [(_, key), (address, url)] = self.api.env();
        let mut runner = self.runner("write");
        runner.value("secrets.ANTHROPIC_API_KEY", key.clone());
        runner.variable(address, url);
        let checkout = self.checkout("run");
        let ran = runner.run(&checkout, &Step::of_github(&self.workflow, "run", "Run"));
        assert_eq!(ran.code, 0, "{}", ran.said);
        assert!(!checkout.join("pwned").exists(), "{}", ran.said);
        for file in ["work/changes.patch", "work/summary.md"] {
            assert!(runner.path(file).is_file() && !runner.text(file).contains(&key), "{file}");
        }
        (ran.outputs["code"].clone(), ran.outputs["changed"].clone(), runner)
    }

    /// Takes over what a run handed on; what was asked of the forge.
    fn publish(&self, code: &str, changed: &str, handed_on: &Runner) -> String {
        let mut runner = self.runner("write");
        runner.value("needs.run.outputs.code", code);
        runner.value("needs.run.outputs.changed", changed);
        std::fs::create_dir(runner.path("work")).expect("a folder");
        for file in ["work/changes.patch", "work/summary.md"] {
            std::fs::copy(handed_on.path(file), runner.path(file)).expect("copied");
        }
        let checkout = self.checkout("publish");
        let mut url = String::new();
        if changed == "true" {
            let step = Step::of_github(&self.workflow, "publish", "Open the pull request");
            let ran = runner.run(&checkout, &step);
            assert_eq!(ran.code, 0, "{}", ran.said);
            url.clone_from(&ran.outputs["url"]);
        }
        runner.value("steps.publish.outputs.url", url);
        let ran =
            runner.run(&checkout, &Step::of_github(&self.workflow, "publish", "Say on the issue what came of it"));
        assert_eq!(ran.code, 0, "{}", ran.said);
        runner.text("gh")
    }
}

#[test]
fn a_run_on_an_issue_ends_in_a_branch_of_its_own_and_a_pull_request() {
    let Some(_) = editors::tool("jq") else { return };
    let forge = Forge::new(script());
    let before = git(&forge.origin, &["rev-parse", "HEAD"]);
    let (code, changed, runner) = forge.run();
    assert_eq!((code.as_str(), changed.as_str()), ("0", "true"));
    assert!(forge.api.first_message("context", 0).contains(TITLE));
    assert!(runner.text("summary.md").contains("An empty name greets nobody."));
    assert_eq!(runner.text("gh"), "", "the job that has the key asks nothing of the forge");

    let asked = forge.publish(&code, &changed, &runner);
    assert!(asked.contains(&format!("pr create --base {} --head baton/issue-7-99 --title", forge.branch())), "{asked}");
    assert!(!asked.contains("--draft"), "{asked}");
    assert!(
        asked.contains("The review approved the changes. What it wrote is in https://forge.test/pull/1."),
        "{asked}"
    );
    assert_eq!(git(&forge.origin, &["rev-parse", "HEAD"]), before, "nobody's branch is pushed to");
    let written = git(&forge.origin, &["diff", "--stat", "HEAD", "baton/issue-7-99"]);
    assert!(written.contains("src/lib.rs") && written.contains("1 file changed"), "{written}");
}

#[test]
fn a_plan_with_protected_files_is_approved_by_no_workflow() {
    let Some(_) = editors::tool("jq") else { return };
    let plants = with(task("T1"), json!({ "files_to_create": [".github/workflows/new.yml"] }));
    let forge = Forge::new(Script::new().on("context", [context(&["src/lib.rs"])]).on("plan", [plan(&[&[plants]])]));
    let (code, changed, runner) = forge.run();
    assert_eq!((code.as_str(), changed.as_str()), ("3", "false"));
    let asked = forge.publish(&code, &changed, &runner);
    assert!(!asked.contains("pr create"), "{asked}");
    assert!(asked.contains("It stopped for a person") && asked.contains("No file was changed."), "{asked}");
}

#[test]
fn only_who_may_write_starts_a_run() {
    let forge = Forge::new(script());
    let step = Step::of_github(&forge.workflow, "run", "Whoever set the label may write");
    for (permission, code) in [("admin", 0), ("write", 0), ("triage", 1), ("read", 1), ("none", 1), ("", 1)] {
        let ran = forge.runner(permission).run(forge.session.root(), &step);
        assert_eq!(ran.code, code, "{permission}: {}", ran.said);
    }
}

#[test]
fn a_task_given_to_gitlab_ends_in_a_branch_of_its_own_and_a_merge_request() {
    let forge = Forge::new(script());
    let workflow = read(&in_repository("examples/ci/gitlab/baton.gitlab-ci.yml"));
    git(&forge.origin, &["config", "receive.advertisePushOptions", "true"]);
    let hook = "#!/bin/sh\ni=0\nwhile [ $i -lt $GIT_PUSH_OPTION_COUNT ]; do eval echo \\$GIT_PUSH_OPTION_$i >>asked; \
                i=$((i+1)); done\n";
    let path = forge.origin.join("hooks/pre-receive");
    write_program(&path, hook);

    let mut runner = Runner::new(forge.session.environment(), &[]);
    for (name, value) in forge.api.env() {
        runner.variable(name, value);
    }
    runner.variable("TASK", TITLE);
    let checkout = forge.checkout("run");
    std::fs::create_dir(checkout.join(".baton-out")).expect("a folder");
    std::fs::write(checkout.join(".git/info/exclude"), "/.baton-out/\n").expect("written");
    let ran = runner.run(&checkout, &Step::of_gitlab(&workflow, "baton-run"));
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(!checkout.join("pwned").exists() && forge.api.first_message("context", 0).contains(TITLE));

    let mut runner = Runner::new(forge.session.environment(), &[]);
    runner.variable("PUSH_TOKEN", "token");
    runner.variable("CI_PIPELINE_ID", "99");
    runner.variable("CI_SERVER_HOST", "forge.test");
    runner.variable("CI_DEFAULT_BRANCH", forge.branch());
    runner.variable("CI_PROJECT_URL", forge.origin.with_extension(""));
    let publish = forge.checkout("publish");
    std::fs::rename(checkout.join(".baton-out"), publish.join(".baton-out")).expect("handed on");
    let ran = runner.run(&publish, &Step::of_gitlab(&workflow, "baton-publish"));
    assert_eq!(ran.code, 0, "{}", ran.said);
    let written = git(&forge.origin, &["diff", "--stat", "HEAD", "baton/run-99"]);
    assert!(written.contains("src/lib.rs") && written.contains("1 file changed"), "{written}");
    let asked = std::fs::read_to_string(forge.origin.join("asked")).expect("push options");
    let expected = ["merge_request.create", &format!("merge_request.target={}", forge.branch())];
    assert!(expected.iter().all(|option| asked.lines().any(|line| line == *option)), "{asked}");
    assert!(asked.contains("merge_request.title=Baton: pipeline 99"), "{asked}");
}

/// A reviewer that finds this on the branch `feature`.
fn reviewed(severity: &str) -> (Session, MessagesApi) {
    let session = Session::in_git(GREETING);
    session.git(&["branch", "base"]);
    session.write("src/lib.rs", "pub fn greet() -> String {\n    \"hullo\".to_owned()\n}\n");
    session.git(&["commit", "--quiet", "--all", "--message", "Greet otherwise"]);
    let review = json!({
        "verdict": "changes_requested", "summary": "A slip.", "recommended_action": "fix_and_re_review",
        "plan_drift_detected": false, "drift_details": "",
        "issues": [{
            "severity": severity, "file": "src/lib.rs", "line": 2, "quote": "    \"hullo\".to_owned()",
            "description": "Nobody says hullo.", "suggested_fix": "Say hello."
        }]
    });
    let stands = Reply::stands();
    let api =
        MessagesApi::start(Script::new().on("review", [Reply::tool("submit_review", review)]).on("validate", [stands]));
    (session, api)
}

fn reviewing(session: &Session, api: &MessagesApi) -> Runner {
    let mut runner = Runner::new(session.environment(), &[]);
    let [(name, key), (address, url)] = api.env();
    runner.value("secrets.ANTHROPIC_API_KEY", key.clone());
    runner.variable(name, key);
    runner.variable(address, url);
    let head = session.git(&["rev-parse", "base"]);
    session.git(&["update-ref", "refs/remotes/origin/base", head.trim()]);
    runner
}

#[test]
fn a_review_of_a_pull_request_is_red_and_hands_on_what_it_found() {
    let workflow = read(&in_repository("examples/ci/github/review.yml"));
    for (severity, code) in [("major", 6), ("minor", 0)] {
        let (session, api) = reviewed(severity);
        let mut runner = reviewing(&session, &api);
        runner.value("github.event.pull_request.base.ref", "base");
        let ran = runner.run(session.root(), &Step::of_github(&workflow, "review", "Review"));
        assert_eq!(ran.code, code, "{}", ran.said);
        assert_eq!(ran.outputs["sarif"], runner.path("baton.sarif").display().to_string());
        let sarif: Value = serde_json::from_str(&runner.text("baton.sarif")).expect("JSON");
        assert_eq!(sarif["runs"][0]["results"].as_array().expect("results").len(), 1);
        assert!(runner.text("summary.md").contains("Nobody says hullo."));
        assert!(ran.said.contains("file=src/lib.rs,line=2"), "{}", ran.said);
    }
}

#[test]
fn a_review_of_a_merge_request_makes_what_gitlab_shows() {
    let Some(_) = editors::tool("jq") else { return };
    let workflow = read(&in_repository("examples/ci/gitlab/baton.gitlab-ci.yml"));
    let (session, api) = reviewed("major");
    let mut runner = reviewing(&session, &api);
    runner.variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "base");
    std::fs::create_dir(session.path(".baton-out")).expect("a folder");
    let ran = runner.run(session.root(), &Step::of_gitlab(&workflow, "baton-review"));
    assert_eq!(ran.code, 6, "{}", ran.said);
    let report: Value = serde_json::from_str(&session.text(".baton-out/code-quality.json")).expect("JSON");
    let [issue] = report.as_array().expect("a list").as_slice() else { panic!("{report}") };
    assert_eq!(
        (&issue["severity"], &issue["check_name"], &issue["location"]),
        (&json!("major"), &json!("review.major"), &json!({ "path": "src/lib.rs", "lines": { "begin": 2 } }))
    );
    assert!(issue["description"].as_str().is_some_and(|text| text.contains("Nobody says hullo.")), "{issue}");
    assert_eq!(issue["fingerprint"].as_str().map(str::len), Some(64), "{issue}");
}
