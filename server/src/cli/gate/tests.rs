use std::io::Cursor;
use std::sync::mpsc;
use std::time::Duration;

use expect_test::{Expect, expect};
use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::contracts::{Estimate, Fault, FlaggedFile, Position, ProtectedFile, Spending, Usage};
use crate::memory::FileFaults;
use crate::workflow::{GateContent, GateNotes, GateTask};

fn gate() -> Gate {
    let task =
        |id: &str, title: &str, complexity: &str, modify: &[&str], create: &[&str], after: &[&str], done: &[&str]| {
            json!({
                "id": id, "title": title, "description": "", "files_to_modify": modify, "files_to_create": create,
                "depends_on": after, "acceptance_criteria": done, "estimated_complexity": complexity,
            })
        };
    let plan: crate::contracts::PlanOutput = serde_json::from_value(json!({
        "plan_version": 2,
        "approach_summary": "Parse the flag once, hand it down, and let the printer choose between text and JSON.",
        "risks": ["The JSON becomes an interface that people rely on."],
        "tasks": [
            task("T1", "Add the flag", "simple", &["src/args.rs", "Cargo.toml"], &[], &[], &["`--json` is in the help"]),
            task("T2", "Print JSON", "moderate", &[], &["src/json.rs"], &[], &[
                "every field of the text output is in the JSON, under a name that the documentation explains",
                "an empty list prints []",
            ]),
            task("T3", "Run it in CI", "complex", &[".github/workflows/ci.yml"], &[], &["T1", "T2"], &[]),
        ],
        "parallel_groups": [["T1", "T2"], ["T3"]],
    }))
    .unwrap();
    let tasks = plan.tasks.iter().map(|task| GateTask {
        id: task.id.clone(),
        title: task.title.clone(),
        complexity: task.estimated_complexity,
        files: task.files().map(str::to_owned).collect(),
        depends_on: task.depends_on.clone(),
    });
    Gate {
        run: "r1".to_owned(),
        task: "Add a --json flag".to_owned(),
        content: GateContent {
            plan_sha256: "00".to_owned(),
            markdown: "# Plan, version 2\n\n> Add a --json\u{1b}[2J flag\n".to_owned(),
            protected: vec![ProtectedFile {
                path: ".github/workflows/ci.yml".to_owned(),
                task: "T3".to_owned(),
                never: false,
            }],
            flagged: vec![FlaggedFile {
                path: "Cargo.toml".to_owned(),
                task: "T1".to_owned(),
                reason: "runs code when you build".to_owned(),
            }],
            questions: Vec::new(),
            estimate: Estimate {
                low: usd(0.05, 10),
                high: usd(0.21, 20),
                ceiling: usd(4.958, 900),
                is_recorded: false,
            },
            models: Vec::new(),
            checks: Vec::new(),
            offered_checks: Vec::new(),
            warnings: Vec::new(),
            previous: None,
        },
        tasks: tasks.collect(),
        notes: GateNotes::new(Vec::new),
        usage: Usage { input_tokens: 18_200, cost_usd: Some(0.042), ..Usage::default() },
        plan_md: ".agent_memory/plan.md".to_owned(),
        plan_json: "plan.json".to_owned(),
        plan,
    }
}

fn usd(usd: f64, tokens: u64) -> Spending {
    Spending::new(Some(usd), tokens)
}

/// What was written, for a test to read.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    /// What stands below the plan, each prompt as `>>>`.
    fn talk(&self) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let prompt = format!("\n{PROMPT} ");
        let (_, talk) = text.split_once(&prompt).unwrap();
        talk.replace(&prompt, "\n>>>\n")
    }
}

fn approver_hearing(typed: &str, root: &Path) -> (TerminalApprover, Screen) {
    let screen = Screen::default();
    (TerminalApprover::new(Cursor::new(typed.to_owned()), screen.clone(), root), screen)
}

/// The answer to what is typed, and what the screen says below the plan.
async fn answer(typed: &str) -> (GateAnswer, String) {
    let (approver, screen) = approver_hearing(typed, Path::new("/nowhere"));
    let answer = approver.ask(&gate()).await;
    (answer, screen.talk())
}

fn approve(tasks: Option<&[&str]>) -> GateAnswer {
    GateAnswer::Approve { tasks: tasks.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()) }
}

fn shows(gate: &Gate, expected: Expect) {
    expected.assert_eq(&gate_view(gate, Appearance { width: 80, look: Look::Plain }));
}

#[test]
fn the_gate_shows_what_a_person_should_know() {
    shows(
        &gate(),
        expect![[r#"

            Plan, version 2
              Add a --json flag

              Parse the flag once, hand it down, and let the printer choose between text and
              JSON.

            Risks
              - The JSON becomes an interface that people rely on.

            Tasks
              T1 [simple] Add the flag
                 modify src/args.rs
                 modify Cargo.toml  runs code when you build
                 done when  - `--json` is in the help

              T2 [moderate] Print JSON
                 create src/json.rs
                 done when  - every field of the text output is in the JSON, under a name
                              that the documentation explains
                            - an empty list prints []

              T3 [complex] Run it in CI
                 modify .github/workflows/ci.yml  protected
                 after  T1, T2

            Order
              1. T1, T2 at once
              2. T3

            Checks after the work
              None is set, and none was recognized here: nothing will be run.

            ! Protected: .github/workflows/ci.yml (T3). Written only if you approve this
              very plan: look at the tasks that do.
            ! Runs code when you build: Cargo.toml (T1). Read these changes before you do.

            So far 18.2k tokens · $0.042. To implement and review: about $0.05 to $0.21, at
            most $4.96.
            The plan in full: .agent_memory/plan.md
        "#]],
    );
}

#[test]
fn a_small_plan_without_prices_is_shown_without_empty_parts() {
    let mut gate = gate();
    gate.plan.risks.clear();
    gate.tasks.drain(1..);
    gate.tasks[0].files = vec!["src/a.rs".to_owned()];
    gate.content.protected.clear();
    gate.content.flagged.clear();
    gate.content.estimate.low = Spending::new(None, 12_000);
    gate.content.estimate.high = Spending::new(None, 90_000);
    gate.usage.cost_usd = None;
    shows(
        &gate,
        expect![[r#"

            Plan, version 2
              Add a --json flag

              Parse the flag once, hand it down, and let the printer choose between text and
              JSON.

            Tasks
              T1 [simple] Add the flag
                 write  src/a.rs
                 done when  - `--json` is in the help

            Checks after the work
              None is set, and none was recognized here: nothing will be run.

            So far 18.2k tokens. To implement and review: about 12k to 90k tokens; the
            models' prices are not known.
            The plan in full: .agent_memory/plan.md
        "#]],
    );
}

#[test]
fn what_is_never_written_is_not_offered_as_written_by_an_approval() {
    let mut gate = gate();
    gate.content.protected[0].never = true;
    let view = gate_view(&gate, Appearance { width: 80, look: Look::Plain });
    assert!(view.contains(".github/workflows/ci.yml  never written\n"), "{view}");
    assert!(view.contains("! Never written: .github/workflows/ci.yml (T3). "), "{view}");
    assert!(!view.contains("rotected"), "{view}");
}

#[test]
fn nothing_a_plan_says_drives_the_terminal() {
    let mut gate = gate();
    let evil = "x\u{1b}[2J\u{7}\r\ny";
    gate.task = evil.to_owned();
    gate.plan.approach_summary = evil.to_owned();
    gate.plan.risks = vec![evil.to_owned()];
    gate.plan.tasks[0].acceptance_criteria = vec![evil.to_owned()];
    gate.plan.parallel_groups.push(vec![evil.to_owned()]);
    gate.tasks[0].title = evil.to_owned();
    gate.tasks[0].files = vec![evil.to_owned()];
    gate.tasks[1].id = evil.to_owned();
    gate.tasks[1].depends_on = vec![evil.to_owned()];
    gate.content.protected = vec![ProtectedFile { path: evil.to_owned(), task: evil.to_owned(), never: false }];
    gate.content.flagged[0].reason = evil.to_owned();
    gate.content.questions = vec![evil.to_owned()];
    gate.plan_md = evil.to_owned();
    let view = gate_view(&gate, Appearance { width: 80, look: Look::Plain });
    assert_eq!(view.chars().find(|c| c.is_control() && *c != '\n'), None, "{view:?}");
}

#[tokio::test]
async fn a_word_or_its_first_letter_answers() {
    for (typed, expected) in [
        ("a\n", approve(None)),
        ("  Approve \r\n", approve(None)),
        ("a t1, T2\n", approve(Some(&["T1", "T2"]))),
        ("a T2,T1\n", approve(Some(&["T1", "T2"]))),
        ("a T1 T2 T3\n", approve(None)),
        ("r\n", GateAnswer::Reject),
        ("c Use the log crate\n", GateAnswer::Revise { feedback: "Use the log crate".to_owned() }),
        ("c\n Use the\tlog crate \n", GateAnswer::Revise { feedback: "Use the log crate".to_owned() }),
        ("c\n\na\n", approve(None)),
        ("v\nvv\nj\na\n", approve(None)),
        ("", GateAnswer::Wait),
        ("c\n", GateAnswer::Wait),
        ("e\n", GateAnswer::Wait),
        ("e\n\n", GateAnswer::Edited),
        ("a", approve(None)),
    ] {
        assert_eq!(answer(typed).await.0, expected, "{typed:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_explained_and_asked_again() {
    let (answer, talk) = answer("\nyes\nr now\na T9\na T3\na T1, T3\na ,\na T1\n").await;
    assert_eq!(answer, approve(Some(&["T1"])));
    expect![[r#"
        Type a to approve (a T1,T2 for some tasks only), c to ask for changes, e to edit
        the plan, r to reject it, v to read it, vv to see its JSON; then Enter.

        >>>
        Type a to approve (a T1,T2 for some tasks only), c to ask for changes, e to edit
        the plan, r to reject it, v to read it, vv to see its JSON; then Enter.

        >>>
        Type a to approve (a T1,T2 for some tasks only), c to ask for changes, e to edit
        the plan, r to reject it, v to read it, vv to see its JSON; then Enter.

        >>>
        No task is called T9; there are T1, T2, T3.

        >>>
        T3 needs T1, T2: approve that with it, or leave it out.

        >>>
        T3 needs T2: approve that with it, or leave it out.

        >>>
        Name the tasks to approve, as in a T1,T2.

        >>>
        Approved: T1. Left out: T2, T3.
    "#]]
    .assert_eq(&talk);
}

#[tokio::test]
async fn the_plan_can_be_read_before_the_answer() {
    let (answer, talk) = answer("v\nvv\nr\n").await;
    assert_eq!(answer, GateAnswer::Reject);
    assert!(
        talk.starts_with(
            "\n# Plan, version 2\n\n> Add a --json flag\n\n(vv shows it as JSON)\n\n>>>\n\n{\n  \"timestamp\": null,"
        ),
        "{talk}"
    );
    assert!(!talk.contains("Rejected"), "the end of the run says it: {talk}");
}

#[tokio::test]
async fn the_end_of_the_input_leaves_the_plan_waiting() {
    let (answer, talk) = answer("").await;
    assert_eq!(answer, GateAnswer::Wait);
    assert_eq!(talk, "\nNo answer.\n");
}

#[tokio::test]
async fn without_an_editor_the_file_is_named() {
    let (_, talk) = answer("e\n\n").await;
    assert_eq!(talk, "Neither VISUAL nor EDITOR is set. Edit plan.json, save it, then press Enter.\n> ");
}

#[cfg(unix)]
#[tokio::test]
async fn an_editor_with_flags_edits_the_plan() {
    let root = tempfile::tempdir().unwrap();
    let (approver, _) = approver_hearing("e\n", root.path());
    let approver = approver.with_editor("printf '%s' 'a b' >");
    assert_eq!(approver.ask(&gate()).await, GateAnswer::Edited);
    assert_eq!(std::fs::read_to_string(root.path().join("plan.json")).unwrap(), "a b");
}

#[cfg(unix)]
#[tokio::test]
async fn an_editor_that_fails_leads_back_to_the_question() {
    let (approver, screen) = approver_hearing("e\na\n", Path::new("/nowhere"));
    let approver = approver.with_editor("exit 3 #");
    assert_eq!(approver.ask(&gate()).await, approve(None));
    assert!(screen.talk().contains("ended with exit status: 3"), "{}", screen.talk());
}

#[tokio::test]
async fn where_no_person_can_be_asked_the_workflow_waits() {
    assert_eq!(NonInteractiveApprover.ask(&gate()).await, GateAnswer::Wait);
}

/// A terminal on which a test types.
struct Typed(mpsc::Receiver<&'static str>);

impl io::Read for Typed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Ok(line) = self.0.recv() else { return Ok(0) };
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

fn approver_typed_at() -> (mpsc::Sender<&'static str>, TerminalApprover, Screen) {
    let (keyboard, typed) = mpsc::channel();
    let screen = Screen::default();
    (keyboard, TerminalApprover::new(BufReader::new(Typed(typed)), screen.clone(), "/nowhere"), screen)
}

#[tokio::test]
async fn a_withdrawn_question_leaves_the_screen_and_the_next_one_gets_the_answer() {
    let (keyboard, approver, screen) = approver_typed_at();
    assert_eq!(approver.ask(&gate()).now_or_never(), None);
    assert_eq!(screen.talk(), "\nNo answer is needed any more.\n");
    let gate = gate();
    let (answer, ()) = tokio::join!(approver.ask(&gate), async {
        keyboard.send("r\n").unwrap();
    });
    assert_eq!(answer, GateAnswer::Reject);
}

#[tokio::test]
async fn a_line_typed_after_a_question_was_withdrawn_answers_no_other() {
    let (keyboard, approver, _) = approver_typed_at();
    assert_eq!(approver.ask(&gate()).now_or_never(), None);
    keyboard.send("a\n").unwrap();
    let heard = async {
        while !approver.lines.holds_a_line().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap();
    let gate = gate();
    let (answer, ()) = tokio::join!(approver.ask(&gate), async {
        keyboard.send("r\n").unwrap();
    });
    assert_eq!(answer, GateAnswer::Reject);
}

#[tokio::test]
async fn the_live_view_is_paused_while_the_gate_asks() {
    let log = Screen::default();
    let progress = Arc::new(Progress::to(log.clone()));
    let (keyboard, approver, _) = approver_typed_at();
    let approver = approver.with_progress(Arc::clone(&progress));
    let event: crate::workflow::PhaseEvent = serde_json::from_value(json!({
        "run": "r1", "seq": 1, "at": "2026-01-01T00:00:00Z", "phase": "implement", "status": "started", "message": "",
    }))
    .unwrap();
    let gate = gate();
    let (_, ()) = tokio::join!(approver.ask(&gate), async {
        progress.on(&event);
        assert!(log.0.lock().unwrap().is_empty());
        keyboard.send("a\n").unwrap();
    });
    assert_eq!(String::from_utf8_lossy(&log.0.lock().unwrap()), "[     0 s] implement started\n");
}

fn faulty() -> FaultyGate {
    let fault = Fault {
        code: "schema",
        message: "\"bogus\" is none of simple, moderate, complex".to_owned(),
        pointer: "/tasks/0/estimated_complexity".to_owned(),
        span: 0..0,
        position: Position { line: 12, column: 30 },
    };
    let faults = FileFaults { file: "plan.json".to_owned(), faults: vec![fault] };
    FaultyGate { faults: Some(faults), plan_json: "plan.json".to_owned() }
}

#[tokio::test]
async fn a_plan_that_cannot_be_shown_is_mended_changed_or_rejected_and_never_approved() {
    for (typed, expected) in [
        ("r\n", GateAnswer::Reject),
        ("a\nyes\nr\n", GateAnswer::Reject),
        ("c Keep it small\n", GateAnswer::Revise { feedback: "Keep it small".to_owned() }),
        ("c\n\nc\nKeep it small\n", GateAnswer::Revise { feedback: "Keep it small".to_owned() }),
        ("e\n\n", GateAnswer::Edited),
        ("", GateAnswer::Wait),
    ] {
        let (approver, screen) = approver_hearing(typed, Path::new("/nowhere"));
        assert_eq!(approver.show_faults(&faulty()).await, expected, "{typed:?}");
        let shown = String::from_utf8(screen.0.lock().unwrap().clone()).unwrap();
        assert!(shown.contains("plan.json:12:30: \"bogus\" is none of"), "{shown}");
        assert_eq!(shown.contains("It cannot be approved"), typed.starts_with('a'), "{shown}");
    }
}

#[tokio::test]
async fn a_plan_that_is_gone_is_waited_for_or_made_again() {
    for (typed, expected) in [("\n", GateAnswer::Edited), ("", GateAnswer::Wait)] {
        let (approver, screen) = approver_hearing(typed, Path::new("/nowhere"));
        assert_eq!(approver.show_faults(&FaultyGate { faults: None, ..faulty() }).await, expected);
        let shown = String::from_utf8(screen.0.lock().unwrap().clone()).unwrap();
        assert!(shown.contains("plan.json is gone"), "{shown}");
    }
}
