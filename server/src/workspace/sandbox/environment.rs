//! The environment of a check: the user's own, without keys and without what leads to programs of the user's session.
//!
//! The table has a row for each kind of variable, with its reason; nothing that only resembles one is left to chance:
//! a value is looked at too. This file reads no environment: the variables are handed in.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::hidden::{relocated, worth_masking};
use crate::workspace::protect::masked;

/// What becomes of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A key of Baton's own models: given to no check, its value masked in what checks print.
    Key,
    /// A secret of another program: given only to a check that says `secrets = true`, its value masked.
    Secret,
    /// Names a file or a folder that holds secrets: given only with `secrets = true`; the value itself is none.
    SecretPlace,
    /// Leads to a program of the user's session, or means Baton itself: given to no check.
    Session,
}

struct Row {
    kind: Kind,
    /// Names in capital letters; `*` stands for any characters, at the beginning, at the end, or both.
    names: &'static [&'static str],
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table; a test asks for it"))]
    why: &'static str,
}

const TABLE: &[Row] = &[
    Row {
        kind: Kind::Key,
        names: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OLLAMA_API_KEY", "BATON_*"],
        why: "keys of the models that Baton works with, and settings of the run that the check is part of",
    },
    // What a program is told by these is a path: the check may know it, once it may read what is there.
    Row {
        kind: Kind::SecretPlace,
        names: &[
            "GOOGLE_APPLICATION_CREDENTIALS",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_CONFIG_FILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AZURE_CONFIG_DIR",
            "CLOUDSDK_CONFIG",
            "KUBECONFIG",
            "DOCKER_CONFIG",
            "REGISTRY_AUTH_FILE",
            "GH_CONFIG_DIR",
            "GNUPGHOME",
            "NETRC",
            "PGPASSFILE",
            "NPM_CONFIG_USERCONFIG",
            "PASSWORD_STORE_DIR",
            "SOPS_AGE_KEY_FILE",
            "VAULT_TOKEN_FILE",
        ],
        why: "the documentation of each program names it as the place of its credentials",
    },
    Row {
        kind: Kind::Session,
        names: &[
            "SSH_AUTH_SOCK",
            "SSH_AGENT_PID",
            "SSH_CONNECTION",
            "SSH_CLIENT",
            "SSH_TTY",
            "GPG_AGENT_INFO",
            "GPG_TTY",
            "*_ASKPASS",
            "DBUS_*",
            "GNOME_KEYRING_*",
            "DOCKER_HOST",
            "DOCKER_CONTEXT",
            "CONTAINER_HOST",
            "PODMAN_HOST",
            "XDG_RUNTIME_DIR",
        ],
        why: "agents, buses and container engines act for the user, outside of any sandbox",
    },
    Row {
        kind: Kind::Session,
        names: &["DISPLAY", "XAUTHORITY", "WAYLAND_*", "ICEAUTHORITY", "SESSION_MANAGER", "PULSE_SERVER"],
        why: "the user's screen: whoever reaches it sees and types",
    },
    Row {
        kind: Kind::Session,
        names: &[
            "VSCODE_*",
            "NVIM",
            "NVIM_*",
            "VIM_SERVERNAME",
            "TMUX",
            "TMUX_*",
            "STY",
            "ZELLIJ*",
            "KITTY_*",
            "WEZTERM_*",
            "ALACRITTY_*",
            "EMACS_SOCKET_NAME",
            "INSIDE_EMACS",
        ],
        why: "the editor or terminal that Baton was started in takes commands there",
    },
    Row {
        kind: Kind::Session,
        names: &[
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_COMMON_DIR",
            "GIT_PREFIX",
            "GIT_NAMESPACE",
            "OLDPWD",
        ],
        why: "set where Baton is started by a hook of git: `git` in a test would work on that repository",
    },
    Row {
        kind: Kind::Secret,
        names: &[
            "*_API_KEY",
            "*_APIKEY",
            "*_TOKEN",
            "*_TOKENS",
            "*AUTHTOKEN*",
            "*_SECRET",
            "*_SECRETS",
            "*_SECRET_KEY",
            "*_SECRET_ACCESS_KEY",
            "*_ACCESS_KEY",
            "*_PRIVATE_KEY",
            "*_SIGNING_KEY",
            "*_ENCRYPTION_KEY",
            "*_MASTER_KEY",
            "*_PASSWORD",
            "*_PASSWD",
            "*_PASSPHRASE",
            "*_CREDENTIALS",
            "*_CREDENTIAL",
            "*_PAT",
            "API_KEY",
            "APIKEY",
            "TOKEN",
            "SECRET",
            "SECRET_KEY",
            "SECRET_KEY_BASE",
            "PASSWORD",
            "PASSPHRASE",
            "CREDENTIALS",
            "PGPASSWORD",
            "MYSQL_PWD",
            "REDISCLI_AUTH",
            "SSHPASS",
            "DOCKER_AUTH_CONFIG",
            "NPM_CONFIG__AUTH*",
            "SOPS_AGE_KEY",
        ],
        why: "its name says that it holds a key, a token or a password",
    },
];

/// Variables that hold where temporary files go.
const TEMPORARY: &[&str] = &["TMPDIR", "TMP", "TEMP", "TEMPDIR"];

/// A login inside an address: `scheme://user:password@host`.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and a test compiles it")]
static LOGIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@\s:]*:(?P<password>[^/@\s]+)@").expect("it is a regular expression")
});

/// What a check asks for, and where it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// Whether the check says `secrets = true`.
    pub(super) secrets: bool,
    /// Whether the check says `network = true`.
    pub(super) network: bool,
    /// Whether it runs in a view, with a `/tmp` of its own.
    pub(super) is_view: bool,
    /// The check's own `XDG_RUNTIME_DIR`, where it has one.
    pub(super) runtime_dir: Option<&'a OsStr>,
}

/// The environment of a check.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Environment {
    /// All of it.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// The names of the user's variables that were left out because they hold secrets, sorted.
    pub(super) withheld: Vec<String>,
    /// Values that must not be seen in what the check prints, whether the check was given them or not.
    pub(super) masked: Vec<String>,
    /// Files and folders that hold secrets, by what the user's variables say.
    pub(super) secret_places: Vec<OsString>,
}

/// The environment of a check, made of the user's variables.
pub(super) fn of_check(user: &[(OsString, OsString)], wanted: Wanted<'_>) -> Environment {
    let mut made = Environment::default();
    for (name, value) in user {
        let kind = kind(name, value);
        made.note_secrets(kind, value);
        made.note_relocated(name, value);
        let is_given = match kind {
            None => true,
            Some(Kind::Key | Kind::Session) => false,
            // A proxy with a login is how a check that may use the network gets there.
            Some(Kind::Secret) => wanted.secrets || (wanted.network && is_proxy(name)),
            Some(Kind::SecretPlace) => wanted.secrets,
        };
        if is_given {
            let means_nothing = has_closed_pipes(name, value) || (wanted.is_view && is_temporary(name));
            if !means_nothing {
                made.variables.push((name.clone(), value.clone()));
            }
        } else if matches!(kind, Some(Kind::Secret | Kind::SecretPlace)) {
            made.withheld.push(name.to_string_lossy().into_owned());
        }
    }
    if wanted.is_view {
        made.variables.push(("TMPDIR".into(), "/tmp".into()));
        // The workspace is a mount of its own, and may lie below its repository.
        set(&mut made.variables, "GIT_DISCOVERY_ACROSS_FILESYSTEM", "1".into());
    }
    if let Some(folder) = wanted.runtime_dir {
        set(&mut made.variables, "XDG_RUNTIME_DIR", folder.to_owned());
    }
    // Nobody is there to answer.
    set(&mut made.variables, "GIT_TERMINAL_PROMPT", "0".into());
    made.withheld.sort();
    made.masked.sort();
    made.masked.dedup();
    made
}

impl Environment {
    fn note_secrets(&mut self, kind: Option<Kind>, value: &OsStr) {
        match kind {
            Some(Kind::Key | Kind::Secret) => {
                let value = value.to_string_lossy();
                match LOGIN.captures(&value).and_then(|found| found.name("password")) {
                    Some(password) => self.masked.extend(worth_masking(password.as_str())),
                    None => self.masked.extend(value.lines().flat_map(worth_masking)),
                }
            }
            // KUBECONFIG is a list, as PATH is.
            Some(Kind::SecretPlace) => {
                let value = value.to_string_lossy();
                self.secret_places.extend(value.split(':').filter(|place| !place.is_empty()).map(OsString::from));
            }
            Some(Kind::Session) | None => {}
        }
    }

    /// The secrets in a folder that the check may know, as it holds other things too.
    fn note_relocated(&mut self, name: &OsStr, value: &OsStr) {
        let places = relocated(&name.to_string_lossy().to_ascii_uppercase(), Path::new(value));
        self.secret_places.extend(places.into_iter().filter(|place| place.is_absolute()).map(OsString::from));
    }
}

fn kind(name: &OsStr, value: &OsStr) -> Option<Kind> {
    let name = name.to_string_lossy().to_ascii_uppercase();
    let named = TABLE.iter().find(|row| row.names.iter().any(|pattern| fits(&name, pattern))).map(|row| row.kind);
    // A switch such as `BATON_SANDBOX=off` holds no key, but means Baton all the same.
    if named == Some(Kind::Key) && name.starts_with("BATON_") && !name.ends_with("_KEY") {
        return Some(Kind::Session);
    }
    named.or_else(|| {
        let value = value.to_string_lossy();
        let is_secret = LOGIN.is_match(&value) || masked(&value) != value;
        is_secret.then_some(Kind::Secret)
    })
}

fn fits(name: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

fn is_proxy(name: &OsStr) -> bool {
    name.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY")
}

fn is_temporary(name: &OsStr) -> bool {
    TEMPORARY.iter().any(|temporary| name == *temporary)
}

/// Whether a variable tells `make` of pipes that the check does not inherit.
fn has_closed_pipes(name: &OsStr, value: &OsStr) -> bool {
    ["MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"].iter().any(|flags| name == *flags)
        && value.to_string_lossy().contains("--jobserver")
}

fn set(variables: &mut Vec<(OsString, OsString)>, name: &str, value: OsString) {
    variables.retain(|(known, _)| known != name);
    variables.push((name.into(), value));
}

#[cfg(test)]
mod tests {
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
        let user =
            user(&[("OPENAI_API_KEY", "k".repeat(12).as_str()), ("GITHUB_TOKEN", "github-value"), ("NETRC", "/n")]);
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
        assert_eq!(
            (without.withheld, without.masked),
            (vec!["https_proxy".to_owned()], vec!["proxy-password".to_owned()])
        );
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
}
