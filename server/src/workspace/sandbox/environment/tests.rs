use super::*;

fn user(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn names(environment: &Environment) -> Vec<String> {
    environment.variables.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
}

fn value(environment: &Environment, wanted: &str) -> Option<String> {
    let found = environment.variables.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.to_string_lossy().into_owned())
}

/// Each is left out and has its reason; those that hold a secret are told to the person, and their values masked.
#[test]
fn keys_secrets_and_the_session_are_left_out() {
    // Name, value, whether it is told as withheld, whether its value is masked.
    let cases = [
        ("ANTHROPIC_API_KEY", "sk-not-a-key-1", false, true),
        ("ANTHROPIC_AUTH_TOKEN", "token-value-1", false, true),
        ("OPENAI_API_KEY", "another-key-1", false, true),
        ("BATON_BUS_KEY", "bus-key-value", false, true),
        ("BATON_SANDBOX", "require-it-now", false, false),
        ("MISTRAL_API_KEY", "mistral-value", true, true),
        ("GITHUB_TOKEN", "github-value", true, true),
        ("npm_config_//r.example/:_authToken", "npm-value-1", true, true),
        ("STRIPE_SECRET", "stripe-value", true, true),
        ("AWS_SECRET_ACCESS_KEY", "aws-value-1", true, true),
        ("PGPASSWORD", "pg-value-12", true, true),
        ("PASS", "pass-value", true, true),
        ("SMTP_PASS", "smtp-value", true, true),
        ("CREDS", "creds-value", true, true),
        ("JWT", "jwt-value-1", true, true),
        ("BEARER", "bearer-value", true, true),
        ("COOKIE", "cookie-value", true, true),
        ("CI_JOB_JWT", "job-value-1", true, true),
        ("CI_JOB_JWT_V2", "job-value-2", true, true),
        ("SLACK_WEBHOOK", "https://hooks.example/a/b", true, true),
        ("SENTRY_DSN", "https://key@sentry.example/1", true, true),
        ("STORAGE_CONNECTION_STRING", "Endpoint=x;Key=y", true, true),
        ("MYSQL_PWD", "mysql-value", true, true),
        ("DB_PWD", "db-value-1", true, true),
        ("WHATEVER", "sk-abcdefghijklmnop1234", true, true),
        ("HEADER", "Bearer glpat-abcdefghijklmnop1234", true, true),
        ("LD_PRELOAD", "/usr/lib/x.so", false, false),
        ("BASH_ENV", "/home/me/.env.sh", false, false),
        ("ENV", "/home/me/.shrc", false, false),
        ("DATABASE_URL", "postgres://me:database-pw@db/x", true, true),
        ("INNOCENT", "see npm_abcdefghijklmnopqrstuvwxyz0123456789", true, true),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/keys/service.json", true, false),
        ("SSH_AUTH_SOCK", "/tmp/agent.sock", false, false),
        ("SSH_ASKPASS", "/usr/bin/askpass", false, false),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/bus", false, false),
        ("DOCKER_HOST", "unix:///run/docker.sock", false, false),
        ("WAYLAND_DISPLAY", "wayland-0", false, false),
        ("DISPLAY", ":0.0.0.0.0", false, false),
        ("XDG_RUNTIME_DIR", "/run/user/1000", false, false),
        ("VSCODE_IPC_HOOK_CLI", "/run/vscode.sock", false, false),
        ("TMUX", "/tmp/tmux/default", false, false),
        ("GIT_DIR", "/elsewhere/.git", false, false),
    ];
    for (name, value, is_told, is_masked) in cases {
        let made = of_check(&user(&[(name, value)]), Wanted { is_view: true, ..Wanted::default() });
        assert!(!names(&made).contains(&name.to_owned()), "{name}");
        assert_eq!(made.withheld.contains(&name.to_owned()), is_told, "{name}");
        assert_eq!(!made.masked.is_empty(), is_masked, "{name}: {:?}", made.masked);
    }
}

#[test]
fn what_a_build_needs_stays() {
    let kept = [
        ("PATH", "/home/me/.cargo/bin:/usr/bin"),
        ("HOME", "/home/me"),
        ("CARGO_HOME", "/home/me/.cargo"),
        ("RUSTUP_TOOLCHAIN", "stable"),
        ("GOFLAGS", "-mod=mod"),
        ("NODE_OPTIONS", "--max-old-space-size=4096"),
        ("PYTHONPATH", "src"),
        ("LANG", "de_DE.UTF-8"),
        ("CI", "true"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("KEYBOARD", "us"),
        ("PWD", "/home/me/work"),
        ("LD_LIBRARY_PATH", "/opt/lib"),
        ("NODE_ENV", "test"),
        ("LOCALE", "sk-SK"),
        ("TASK", "sk-learn and more words than one"),
        ("BYPASS", "true-and-long"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("MAKEFLAGS", "-j4"),
    ];
    let made = of_check(&user(&kept), Wanted { is_view: true, ..Wanted::default() });
    for (name, text) in kept {
        assert_eq!(value(&made, name).as_deref(), Some(text), "{name}");
    }
    assert!(made.withheld.is_empty() && made.masked.is_empty(), "{made:?}");
}

#[test]
fn secrets_are_given_where_the_check_says_so_but_never_a_models_key() {
    let user = user(&[("OPENAI_API_KEY", "k".repeat(12).as_str()), ("GITHUB_TOKEN", "github-value"), ("NETRC", "/n")]);
    let made = of_check(&user, Wanted { secrets: true, ..Wanted::default() });
    assert_eq!(names(&made), ["GITHUB_TOKEN", "NETRC", "GIT_TERMINAL_PROMPT"]);
    assert_eq!(made.masked, ["github-value", "kkkkkkkkkkkk"], "what is given is masked all the same");
    assert!(made.withheld.is_empty());
}

#[test]
fn a_view_has_temporary_folders_of_its_own_and_another_level_has_not() {
    let user = user(&[("TMPDIR", "/var/tmp/me"), ("TMP", "/elsewhere"), ("HOME", "/home/me")]);
    let view = Wanted { is_view: true, runtime_dir: Some(OsStr::new("/run/user/7")), ..Wanted::default() };
    let made = of_check(&user, view);
    assert_eq!(value(&made, "TMPDIR").as_deref(), Some("/tmp"));
    assert_eq!(value(&made, "TMP"), None);
    assert_eq!(value(&made, "XDG_RUNTIME_DIR").as_deref(), Some("/run/user/7"));
    assert_eq!(value(&made, "GIT_DISCOVERY_ACROSS_FILESYSTEM").as_deref(), Some("1"));
    let made = of_check(&user, Wanted::default());
    assert_eq!(value(&made, "TMPDIR").as_deref(), Some("/var/tmp/me"));
    assert_eq!(value(&made, "XDG_RUNTIME_DIR"), None);
}

#[test]
fn only_the_password_of_an_address_is_masked_and_a_proxy_serves_who_may_use_the_network() {
    let user = user(&[("https_proxy", "http://me:proxy-password@proxy.example:3128")]);
    let without = of_check(&user, Wanted::default());
    assert_eq!((without.withheld, without.masked), (vec!["https_proxy".to_owned()], vec!["proxy-password".to_owned()]));
    let with = of_check(&user, Wanted { network: true, ..Wanted::default() });
    assert!(names(&with).contains(&"https_proxy".to_owned()));
}

#[test]
fn places_of_secrets_are_known_by_their_variables() {
    let user = user(&[("KUBECONFIG", "/a/one:/b/two"), ("DOCKER_CONFIG", "/c"), ("NETRC", "")]);
    assert_eq!(of_check(&user, Wanted::default()).secret_places, ["/a/one", "/b/two", "/c"]);
}

#[test]
fn secrets_in_a_folder_that_was_put_elsewhere_are_known() {
    let cases = [
        ("CARGO_HOME", "credentials.toml"),
        ("XDG_CONFIG_HOME", "gh"),
        ("XDG_CONFIG_HOME", "git/credentials"),
        ("XDG_CONFIG_HOME", "sops/age/keys.txt"),
        ("XDG_DATA_HOME", "keyrings"),
        ("GRADLE_USER_HOME", "gradle.properties"),
        ("HF_HOME", "token"),
    ];
    for (name, place) in cases {
        let made = of_check(&user(&[(name, "/elsewhere")]), Wanted::default());
        assert!(made.secret_places.contains(&format!("/elsewhere/{place}").into()), "{name}: {made:?}");
        assert_eq!(value(&made, name).as_deref(), Some("/elsewhere"), "the folder itself is needed");
    }
    let whole = of_check(&user(&[("CODEX_HOME", "/elsewhere")]), Wanted::default());
    assert_eq!(whole.secret_places, ["/elsewhere"]);
    assert!(of_check(&user(&[("CARGO_HOME", "relative")]), Wanted::default()).secret_places.is_empty());
}

#[test]
fn make_is_not_told_of_pipes_that_are_closed() {
    let user = user(&[("CARGO_MAKEFLAGS", "-j --jobserver-fds=8,9 --jobserver-auth=8,9")]);
    assert_eq!(names(&of_check(&user, Wanted::default())), ["GIT_TERMINAL_PROMPT"]);
}

#[test]
fn every_row_has_names_and_a_reason() {
    for row in TABLE {
        assert!(!row.names.is_empty() && !row.why.is_empty());
        assert!(row.names.iter().all(|name| *name == name.to_ascii_uppercase()), "{:?}", row.names);
    }
}

#[test]
fn a_value_of_several_lines_is_masked_by_its_lines() {
    let user = user(&[("DEPLOY_PRIVATE_KEY", "first-line\nshort\nsecond-line\n")]);
    assert_eq!(of_check(&user, Wanted::default()).masked, ["first-line", "second-line"]);
}
