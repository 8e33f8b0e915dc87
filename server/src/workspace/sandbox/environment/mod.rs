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
        kind: Kind::Session,
        names: &["LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV"],
        why: "the loader or the shell runs what they name before the command of the check",
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
            "*_PASS",
            "*_PWD",
            "*_CREDS",
            "*_JWT",
            "CI_JOB_JWT*",
            "*_COOKIE",
            "*_WEBHOOK",
            "*_WEBHOOK_URL",
            "*_CONNECTION_STRING",
            "*_CONNECTIONSTRING",
            "*SENTRY_DSN",
            "CONNECTION_STRING",
            "PASS",
            "PASSWD",
            "CREDS",
            "JWT",
            "BEARER",
            "COOKIE",
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

/// A value that begins as tokens do, whatever its name: with fewer demands than for tokens inside a text.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and a test compiles it")]
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^\s*(?:Bearer\s+)?(?:sk-|[sr]k_(?:live|test)_|gh[opusr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|AKIA|ASIA|AIza|npm_|pypi-|hf_|dckr_pat_|whsec_|eyJ)[A-Za-z0-9._/+=-]{16,}\s*$",
    )
    .expect("it is a regular expression")
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
        let is_secret = LOGIN.is_match(&value) || TOKEN.is_match(&value) || masked(&value) != value;
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
mod tests;
