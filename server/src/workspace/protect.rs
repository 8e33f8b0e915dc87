//! What by its name may not be written, is flagged at the gate, or is never read.

use crate::contracts::RepoPath;

/// Whether a path may be written at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Like any file.
    None,
    /// Only if the plan lists it and a person approved that very plan.
    NeedsApproval,
    /// Not even then.
    Never,
}

/// Names that are protected wherever they stand, as a file or as a folder with all that is in it.
const PROTECTED: &[&str] = &[
    ".vscode",
    ".idea",
    ".zed",
    ".cursor",
    ".claude",
    ".codex",
    ".devcontainer",
    ".husky",
    "agents.md",
    "claude.md",
    ".mcp.json",
    ".nvim.lua",
    ".nvimrc",
    ".exrc",
    ".envrc",
    ".npmrc",
    ".gitattributes",
    ".gitmodules",
    ".gitconfig",
    "baton.toml",
    // Shell start-up files.
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".logout",
    ".inputrc",
    "config.fish",
    "profile.ps1",
    "microsoft.powershell_profile.ps1",
];

/// Two components that are protected one after the other.
const PROTECTED_PAIRS: &[(&str, &str)] = &[(".github", "workflows"), (".github", "copilot-instructions.md")];

const NEVER: &[&str] = &[".git", ".agent_memory"];

/// Whether a path may be written, by its name alone: it need not exist, and case, normal form and the short names of
/// Windows make no difference.
pub fn protection(path: &RepoPath, memory_dir: &RepoPath) -> Protection {
    let key = path.key();
    let memory = memory_dir.key();
    let in_memory = key == memory || key.strip_prefix(&memory).is_some_and(|rest| rest.starts_with('/'));
    let components: Vec<&str> = key.split('/').collect();
    if in_memory || never_by_name(path) || memory_short_name(&components, &memory) {
        return Protection::Never;
    }
    let one = components.iter().any(|component| {
        component.starts_with(".env")
            || component.ends_with(".code-workspace")
            || PROTECTED.iter().any(|name| is_named(component, name))
            || is_short_name(component, ".env")
    });
    let two = components.windows(2).any(|pair| {
        PROTECTED_PAIRS.iter().any(|(first, second)| is_named(pair[0], first) && is_named(pair[1], second))
    });
    if one || two { Protection::NeedsApproval } else { Protection::None }
}

/// Whether a component is `.git` or the usual memory folder.
pub(super) fn never_by_name(path: &RepoPath) -> bool {
    path.key().split('/').any(|component| NEVER.iter().any(|name| is_named(component, name)))
}

fn memory_short_name(components: &[&str], memory: &str) -> bool {
    let memory: Vec<&str> = memory.split('/').collect();
    components.len() >= memory.len()
        && components.iter().zip(&memory).all(|(component, name)| is_named(component, name))
}

fn is_named(component: &str, name: &str) -> bool {
    component == name || is_short_name(component, name)
}

/// Whether a component could be the short (8.3) name that Windows gives a long one: `GIT~1` for `.git`.
///
/// The base loses its dots and keeps six characters at most, or, once there are many alike, two and four hex digits.
/// Source: "Naming Files, Paths, and Namespaces" and git's `is_ntfs_dotgit`.
fn is_short_name(component: &str, name: &str) -> bool {
    let Some((start, rest)) = component.split_once('~') else { return false };
    let number = rest.split('.').next().unwrap_or_default();
    if start.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let name = name.trim_start_matches('.');
    let base: String = name.split('.').next().unwrap_or_default().chars().filter(|c| *c != ' ').collect();
    let hashed = start.len() == 6 && base.len() >= 2 && start.is_char_boundary(2) && {
        let (two, digits) = start.split_at(2);
        base.starts_with(two) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let six: String = base.chars().take(6).collect();
    start == six || hashed
}

const FLAGGED: &[&str] = &[
    "build.rs",
    "cargo.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
    "package.json",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "bun.lockb",
    "deno.json",
    "deno.jsonc",
    "makefile",
    "gnumakefile",
    "justfile",
    "taskfile.yml",
    "taskfile.yaml",
    "conftest.py",
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "tox.ini",
    "noxfile.py",
    "sitecustomize.py",
    "requirements.txt",
    "gradlew",
    "gradlew.bat",
    "gradle-wrapper.properties",
    "gradle-wrapper.jar",
    "gradle.properties",
    "pom.xml",
    "mvnw",
    "mvnw.cmd",
    "build.sbt",
    "build.zig",
    "build.zig.zon",
    "cmakelists.txt",
    "cmakepresets.json",
    "meson.build",
    "configure",
    "configure.ac",
    "build",
    "build.bazel",
    "workspace",
    "workspace.bazel",
    "module.bazel",
    "rakefile",
    "gemfile",
    "composer.json",
    "mix.exs",
    "rebar.config",
    "go.mod",
    "go.sum",
    "go.work",
    "package.swift",
    "podfile",
    "binding.gyp",
    "gruntfile.js",
    "gulpfile.js",
    "dockerfile",
    "containerfile",
    "compose.yml",
    "compose.yaml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "jenkinsfile",
    ".gitlab-ci.yml",
    "azure-pipelines.yml",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    "flake.nix",
    "default.nix",
    "shell.nix",
    ".babelrc",
];

const FLAGGED_ENDS: &[&str] = &[
    ".gradle",
    ".gradle.kts",
    ".lock",
    ".mk",
    ".cmake",
    ".bzl",
    ".gemspec",
    ".csproj",
    ".fsproj",
    ".vbproj",
    ".vcxproj",
    ".targets",
    ".props",
    ".sln",
    ".pth",
    ".config.js",
    ".config.cjs",
    ".config.mjs",
    ".config.ts",
    ".config.cts",
    ".config.mts",
];

/// Whether the gate shows a path as "runs code when you build": build scripts, manifests, lock files and the like.
pub fn is_flagged(path: &RepoPath) -> bool {
    let key = path.key();
    let name = key.rsplit('/').next().unwrap_or_default();
    FLAGGED.contains(&name)
        || FLAGGED_ENDS.iter().any(|end| name.ends_with(end))
        || name.starts_with("dockerfile.")
        || name.starts_with(".eslintrc")
        || key.split('/').any(|component| component == ".cargo" || component == ".circleci")
}

const SECRET: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    ".netrc",
    "_netrc",
    ".pgpass",
    "pgpass.conf",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    ".pypirc",
    ".vault-token",
    ".s3cfg",
    "kubeconfig",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.yml",
    "credentials.yaml",
    "credentials.xml",
    "credentials.ini",
    "credentials.properties",
    "credentials.tfrc.json",
    "application_default_credentials.json",
    "secrets.json",
    "secrets.toml",
    "secrets.yml",
    "secrets.yaml",
    "service-account.json",
    "service_account.json",
];

const SECRET_ENDS: &[&str] =
    &[".pem", ".p12", ".pfx", ".p8", ".key", ".ppk", ".jks", ".keystore", ".kdbx", ".keytab", ".tfstate"];

const SECRET_FOLDERS: &[&str] = &[".ssh", ".gnupg", ".aws", ".kube"];

/// Whether a path by its name holds secrets: such a file is neither listed, read, sent nor journaled.
pub fn is_secret(path: &RepoPath) -> bool {
    let key = path.key();
    let name = key.rsplit('/').next().unwrap_or_default();
    SECRET.contains(&name)
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
        || name.starts_with("client_secret")
        || key.ends_with(".docker/config.json")
        || key.split('/').any(|component| {
            component.starts_with(".env") || is_short_name(component, ".env") || SECRET_FOLDERS.contains(&component)
        })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{memory, path};
    use super::*;

    #[test]
    fn git_and_memory_are_never_written() {
        for text in [
            ".git/config",
            ".GIT/hooks/pre-commit",
            "sub/.git/config",
            ".g\u{200c}it/config",
            "git~1/config",
            "GIT~2/config",
            // Git's own name for the short form of .gitmodules; .git could have one like it.
            "gi7eba~1",
            ".git",
            ".agent_memory/plan.json",
            ".Agent_Memory/x",
            "AGENT_~1/approval.json",
            "deep/.agent_memory/x",
        ] {
            assert_eq!(protection(&path(text), &memory()), Protection::Never, "{text}");
        }
        let custom = path("state/baton");
        assert_eq!(protection(&path("State/Baton/plan.json"), &custom), Protection::Never);
        assert_eq!(protection(&path("state/batons"), &custom), Protection::None);
        assert_eq!(protection(&path(".gitignore"), &custom), Protection::None);
    }

    #[test]
    fn what_configures_tools_needs_a_person() {
        for text in [
            ".vscode/tasks.json",
            "web/.VSCODE/settings.json",
            ".idea/x",
            ".zed/settings.json",
            ".cursor/rules",
            ".claude/settings.json",
            ".codex/x",
            ".devcontainer/devcontainer.json",
            ".husky/pre-commit",
            ".github/workflows/ci.yml",
            ".GitHub/Workflows/ci.yml",
            "GITHUB~1/WORKFL~1/ci.yml",
            ".github/copilot-instructions.md",
            "AGENTS.md",
            "crates/x/Agents.md",
            "CLAUDE.md",
            ".mcp.json",
            "my.code-workspace",
            ".nvim.lua",
            ".nvimrc",
            ".exrc",
            ".envrc",
            ".env",
            ".env.local",
            ".npmrc",
            ".gitattributes",
            ".gitmodules",
            ".gitconfig",
            ".bashrc",
            "home/.zshrc",
            "baton.toml",
            "VSCODE~1/tasks.json",
        ] {
            assert_eq!(protection(&path(text), &memory()), Protection::NeedsApproval, "{text}");
        }
        for text in ["src/main.rs", ".github/ISSUE_TEMPLATE.md", "docs/agents.mdx", "environment.rs", "a~b.txt"] {
            assert_eq!(protection(&path(text), &memory()), Protection::None, "{text}");
        }
    }

    #[test]
    fn what_runs_when_building_is_flagged() {
        for text in [
            "build.rs",
            "x/Cargo.toml",
            "Cargo.lock",
            "package.json",
            "Makefile",
            "app/build.gradle.kts",
            "vite.config.ts",
        ] {
            assert!(is_flagged(&path(text)), "{text}");
        }
        for text in ["src/build_id.rs", "src/lib.rs", "README.md"] {
            assert!(!is_flagged(&path(text)), "{text}");
        }
    }

    #[test]
    fn secrets_are_known_by_name() {
        for text in [
            ".env",
            ".ENV.production",
            "a/.envrc",
            "id_rsa",
            "keys/id_ed25519",
            "server.PEM",
            "x.p12",
            "tls/server.key",
            ".netrc",
            ".pgpass",
            "credentials.json",
            ".aws/config",
        ] {
            assert!(is_secret(&path(text)), "{text}");
        }
        for text in ["id_rsa.pub", "environment.rs", "src/credentials.rs", "keys.rs", "monkey"] {
            assert!(!is_secret(&path(text)), "{text}");
        }
    }
}
