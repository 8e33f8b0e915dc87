use super::*;
use crate::config::PhaseTier;
use crate::workflow::fixture::phases;

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::from_words(line.split(' '), &phases())
}

fn run(line: &str) -> RunArgs {
    match parse(line).unwrap().command {
        Command::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_declaration_holds_together() {
    <Args as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn run_takes_all_its_flags() {
    let args = run("baton run --task Fix --phase implement --only T1,T3 --auto-approve --provider ollama \
                    --model fast=ollama:a --model powerful=openai:b:c --budget 7 --dispatch nats://127.0.0.1 \
                    --timeout 1h30m --json");
    let expected = RunArgs {
        words: None,
        task: Some("Fix".to_owned()),
        task_file: None,
        quick: false,
        phase: Some(IMPLEMENT),
        only: Some(vec!["T1".to_owned(), "T3".to_owned()]),
        fix: None,
        reset: false,
        auto_approve: true,
        models: ModelArgs {
            provider: Some("ollama".to_owned()),
            models: vec![
                (Some(PhaseTier::Fast), "ollama:a".to_owned()),
                (Some(PhaseTier::Powerful), "openai:b:c".to_owned()),
            ],
            budget: Some("7".to_owned()),
            dispatch: Some("nats://127.0.0.1".to_owned()),
        },
        timeout: Some(Duration::from_secs(5400)),
        json: true,
        reports: ReportArgs::default(),
    };
    assert_eq!(args, expected);
    assert_eq!(run("baton run").task, None);
    assert!(run("baton run --quick --task Fix").quick);
    assert_eq!(run("baton run --fix a1,b2").fix, Some(vec!["a1".to_owned(), "b2".to_owned()]));
}

#[test]
fn the_workspace_may_stand_before_or_after_the_subcommand() {
    for line in ["baton --workspace w status --json", "baton status --json --workspace w"] {
        let args = parse(line).unwrap();
        assert_eq!(args.workspace, Some(PathBuf::from("w")));
        assert_eq!(args.command, Command::Status(StatusArgs { json: true, watch: false }));
    }
}

#[test]
fn the_other_subcommands_are_there() {
    let command = |line: &str| parse(line).unwrap().command;
    assert_eq!(command("baton approve"), Command::Approve(ApproveArgs { only: None, plan: None }));
    let some = ApproveArgs { only: Some(vec!["T2".into()]), plan: None };
    assert_eq!(command("baton approve --only T2"), Command::Approve(some));
    let hash = "0aF".repeat(21) + "0";
    let shown = ApproveArgs { only: None, plan: Some(hash.clone()) };
    assert_eq!(command(&format!("baton approve --plan {hash}")), Command::Approve(shown));
    assert!(parse("baton approve --plan 12").is_err() && parse("baton approve --plan").is_err());
    assert_eq!(command("baton reject"), Command::Reject);
    assert_eq!(command("baton accept"), Command::Accept(AcceptArgs { because: None }));
    let ids = || vec!["a1".to_owned(), "b2".to_owned()];
    for line in ["baton dismiss a1 b2 --because meant", "baton dismiss --because=meant a1,b2"] {
        let dismiss = DismissArgs { ids: ids(), because: Some("meant".to_owned()) };
        assert_eq!(command(line), Command::Dismiss(dismiss));
    }
    let told = |task: Option<&str>| Command::Tell(TellArgs { task: task.map(str::to_owned), text: "tabs".to_owned() });
    assert_eq!(command("baton tell tabs"), told(None));
    assert_eq!(command("baton tell --task T1 tabs"), told(Some("T1")));
    assert_eq!(command("baton restore a1 b2"), Command::Restore(RestoreArgs { ids: ids() }));
    assert_eq!(command("baton reset"), Command::Reset);
    assert_eq!(command("baton history --json"), Command::History(HistoryArgs { json: true }));
    assert_eq!(command("baton log"), Command::Log(LogArgs { run: None }));
    assert_eq!(command("baton log 2026"), Command::Log(LogArgs { run: Some("2026".into()) }));
    assert_eq!(command("baton clean"), Command::Clean);
    let init = InitArgs { copilot: true, agents_md: true, dry_run: true };
    assert_eq!(command("baton init --copilot --agents-md --dry-run"), Command::Init(init));
    assert_eq!(command("baton init"), Command::Init(InitArgs::default()));
    assert!(parse("baton init --agents-md").is_err(), "it tells of the pages for Copilot");
    assert_eq!(command("baton trust --moved"), Command::Trust(TrustArgs { moved: true }));
    assert_eq!(command("baton diff --task T1"), Command::Diff(DiffArgs { task: Some("T1".into()), json: false }));
    let rollback = RollbackArgs {
        workflow: None,
        task: None,
        file: Some("src/a.rs".into()),
        hunks: Vec::new(),
        dry_run: true,
        undo: false,
    };
    assert_eq!(command("baton rollback --file src/a.rs --dry-run"), Command::Rollback(rollback));
    let review = ReviewArgs {
        base: "origin/main".into(),
        fail_on: FailOn::Minor,
        models: ModelArgs::default(),
        timeout: None,
        json: true,
        baseline: BaselineArgs::default(),
        reports: ReportArgs::default(),
    };
    assert_eq!(command("baton review --base origin/main --fail-on minor --json"), Command::Review(review));
    assert_eq!(
        command("baton doctor --json"),
        Command::Doctor(DoctorArgs { json: true, models: ModelArgs::default() })
    );
    match command("baton doctor --model balanced=openai:x") {
        Command::Doctor(args) => assert_eq!(args.models.models, [(Some(PhaseTier::Balanced), "openai:x".to_owned())]),
        other => panic!("{other:?}"),
    }
    assert_eq!(command("baton demo"), Command::Demo(DemoArgs::default()));
    assert_eq!(command("baton demo --prepare"), Command::Demo(DemoArgs { prepare: Some(None) }));
    let prepare = Some(Some("a".into()));
    assert_eq!(command("baton demo --prepare a"), Command::Demo(DemoArgs { prepare }));
    assert_eq!(command("baton lsp --stdio"), Command::Lsp(LspArgs { stdio: true }));
    let tags = vec!["a".to_owned(), "b".to_owned()];
    let worker = WorkerArgs { nats: Some("nats://h".to_owned()), slots: 4, tags, name: Some("x_1".to_owned()) };
    assert_eq!(command("baton worker --nats nats://h --slots 4 --tags a,b --name x_1"), Command::Worker(worker));
    let handoffs = phases().handoffs();
    for name in handoffs.schemas().iter().map(|schema| schema.name).chain(["settings", "user-settings"]) {
        let line = format!("baton schema {name}");
        assert_eq!(command(&line), Command::Schema(SchemaArgs { name: name.to_owned() }));
    }
}

#[test]
fn a_text_may_begin_with_a_dash() {
    for text in ["- fix", "-", "--json is missing", "--task of the day", "-5 apples", "--jsonl", "- a\n- b", "-- b"] {
        for words in [vec!["baton", "run", "--task", text], vec!["baton", "run", &format!("--task={text}")]] {
            match Args::from_words(words, &phases()).unwrap().command {
                Command::Run(run) => assert_eq!(run.task.as_deref(), Some(text)),
                other => panic!("{other:?}"),
            }
        }
        let feedback = Some(text.to_owned());
        let plan = Command::Plan(PlanArgs { feedback, notes: false, models: ModelArgs::default() });
        assert_eq!(
            Args::from_words(["baton", "plan", "--feedback", text, "--workspace", "w"], &phases()).unwrap().command,
            plan
        );
    }
    match Args::from_words(["baton", "rollback", "--file", "-x.rs", "--workspace", "-w"], &phases()).unwrap() {
        Args { workspace: Some(folder), command: Command::Rollback(rollback), .. } => {
            assert_eq!((rollback.file, folder), (Some("-x.rs".into()), "-w".into()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(run("baton run --task=--json").task.as_deref(), Some("--json"));
    assert_eq!(Args::from_words(["baton", "run", "--task", "\u{feff}a\r\nb "], &phases()).unwrap().command, {
        let mut expected = run("baton run --task a");
        expected.task = Some("a\nb".to_owned());
        Command::Run(expected)
    });
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    for (line, said) in [
        ("baton", "Usage"),
        ("baton rum", "'run'"),
        ("baton run --task=", "the task is empty"),
        ("baton run --task=\u{feff}", "the task is empty"),
        ("baton plan --feedback=", "the feedback is empty"),
        ("baton accept --because=", "the reason is empty"),
        ("baton dismiss", "<ID>"),
        ("baton tell", "<TEXT>"),
        ("baton tell --task ../x a", "no task id"),
        ("baton dismiss a --because --workspace w", "--because=--workspace"),
        ("baton restore ,", "an issue has an id"),
        ("baton run --task --json", "--task=--json"),
        ("baton run --task --timeout=5m", "--task=--timeout=5m"),
        ("baton run --task -h", "--task=-h"),
        ("baton run --json --task --", "--task=--"),
        ("baton plan --feedback --workspace w", "--feedback=--workspace"),
        ("baton rollback --file --dry-run", "--file=--dry-run"),
        ("baton status --workspace --json", "--workspace=--json"),
        ("baton --workspace --version status", "--workspace=--version"),
        ("baton run --phase design", "implement"),
        ("baton run --only T1,../x", "no task id"),
        ("baton run --only T1 --phase plan", "--phase implement"),
        ("baton run --reset --phase review", "--reset"),
        ("baton run --quick --phase plan", "--quick"),
        ("baton run --quick --only T1", "--quick"),
        ("baton run --provider antropic", "'anthropic'"),
        ("baton review --base x --model powerfull=a:b", "did you mean powerful?"),
        ("baton run --model fast=openai:a --model balanced=openai:b --model fast=openai:c", "openai:a and openai:c"),
        ("baton doctor --model fast=openai:a --model fast=ollama:a", "openai:a and ollama:a"),
        ("baton run --timeout 15", "15m"),
        ("baton run --timeout 0s", "no time at all"),
        ("baton rollback --undo --task T1", "--undo"),
        ("baton schema plans", "plan"),
        ("baton status extra", "extra"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(said), "{line}: {error}");
    }
}

#[test]
fn the_help_of_run_tells_every_exit_code() {
    let error = parse("baton run --help").unwrap_err();
    assert_eq!(error.exit_code(), 0);
    let help = error.to_string();
    for code in ["    0  ", "    1  ", "    2  ", "    3  ", "    4  ", "    5  ", "  130  "] {
        assert!(help.contains(code), "{code:?} is missing in:\n{help}");
    }
}
