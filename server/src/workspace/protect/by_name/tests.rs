use super::*;
use crate::workspace::fixture::{memory, path};

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
    for text in
        ["build.rs", "x/Cargo.toml", "Cargo.lock", "package.json", "Makefile", "app/build.gradle.kts", "vite.config.ts"]
    {
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

/// Something that a name of the table stands for.
fn example(name: &str, kind: Kind) -> String {
    let text = name.trim_end_matches('/').replace('*', "x");
    if name.ends_with('/') || (kind == Kind::Protected && !text.contains('.')) {
        format!("{text}/inside")
    } else {
        text
    }
}

#[test]
fn every_name_of_the_table_is_what_it_says() {
    let mut known = std::collections::BTreeSet::new();
    for row in TABLE {
        assert!(!row.why.is_empty() && !row.source.is_empty() && !row.names.is_empty(), "{row:?}");
        for name in row.names {
            assert!(known.insert((row.kind as u8, name)), "{name} stands twice");
            let text = example(name, row.kind);
            assert_eq!(path(&text).key(), text, "names are written as they are compared");
            for text in [text.clone(), format!("deep/er/{text}"), text.to_uppercase()] {
                let file = path(&text);
                match row.kind {
                    Kind::Protected => {
                        assert_eq!(protection(&file, &memory()), Protection::NeedsApproval, "{text}");
                        assert_eq!(protection(&path(&format!("{text}/in/it")), &memory()), Protection::NeedsApproval);
                    }
                    Kind::Flagged => assert!(is_flagged(&file), "{text}"),
                    Kind::Secret => assert!(is_secret(&file), "{text}"),
                }
            }
        }
    }
}

#[test]
fn names_are_known_in_every_form_that_some_file_system_takes_for_them() {
    let memory = memory();
    for text in [
        ".v\u{17f}code/tasks.json",
        ".git\u{200b}modules",
        "A\u{ad}GENTS.md",
        ".gith\u{fe0f}ooks/x",
        ".husk\u{200d}y/x",
    ] {
        assert_eq!(protection(&path(text), &memory), Protection::NeedsApproval, "{text:?}");
    }
    for text in [".g\u{131}t", ".GİT"] {
        assert_eq!(protection(&path(text), &memory), Protection::None, "no file system takes {text:?} for .git");
    }
    assert_eq!(protection(&path(".agent_memor\u{200b}y/x"), &memory), Protection::Never);
    for text in ["id_r\u{17f}a", "\u{212a}ubeconfig", "cert.pe\u{200b}m", "CREDEN~1.JSO"] {
        assert!(is_secret(&path(text)), "{text:?}");
    }
    assert!(is_flagged(&path("Ma\u{212a}efile")));
}

/// The names that the design's section on trust lists, as files.
const DESIGN: &[&str] = &[
    ".vscode/x",
    ".idea/x",
    ".zed/x",
    ".cursor/x",
    ".claude/x",
    ".codex/x",
    ".agents/x",
    ".kiro/x",
    ".gemini/x",
    ".opencode/x",
    ".clinerules/x",
    ".roo/x",
    ".junie/x",
    ".windsurf/x",
    ".devcontainer/x",
    ".husky/x",
    ".github/workflows/x",
    ".github/actions/x",
    ".github/hooks/x",
    ".github/agents/x",
    ".github/skills/x",
    ".github/prompts/x",
    ".github/instructions/x",
    ".github/chatmodes/x",
    ".github/copilot-instructions.md",
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    "REVIEW.md",
    "opencode.json",
    ".mcp.json",
    ".cursorrules",
    ".windsurfrules",
    "a.code-workspace",
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
    ".zshrc",
    ".profile",
    "config.fish",
    "baton.toml",
    // And what people met.
    ".helix/languages.toml",
    ".dir-locals.el",
    ".vimrc",
    ".fleet/run.json",
    ".vs/tasks.vs.json",
    "a.sublime-project",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    ".bazelrc",
    ".mvn/extensions.xml",
    ".githooks/pre-commit",
    "mise.toml",
    ".Rprofile",
    ".ghci",
    ".gdbinit",
    ".idx/dev.nix",
    ".gitlab-ci.yml",
    ".circleci/config.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "Jenkinsfile",
    ".travis.yml",
    "appveyor.yml",
    ".drone.yml",
    ".woodpecker/a.yml",
    ".buildkite/pipeline.yml",
    ".forgejo/workflows/a.yml",
    ".gitea/workflows/a.yml",
    ".cirrus.yml",
    ".semaphore/semaphore.yml",
    ".teamcity/settings.kts",
    ".build.yml",
];

#[test]
fn what_the_design_lists_is_in_the_table() {
    for text in DESIGN {
        for text in [(*text).to_owned(), format!("sub/{text}"), text.to_uppercase()] {
            assert_eq!(protection(&path(&text), &memory()), Protection::NeedsApproval, "{text}");
        }
    }
    for text in [
        "build.rs",
        "Cargo.toml",
        "package.json",
        "Makefile",
        "conftest.py",
        "setup.py",
        "a.gradle",
        "Cargo.lock",
        "yarn.lock",
    ] {
        assert!(is_flagged(&path(text)), "{text}");
    }
    assert_eq!(flag(&path("build.rs")).map(|row| row.why), Some("Cargo runs what it holds or names when you build"));
    assert!(flag(&path("src/lib.rs")).is_none());
}

#[test]
fn secrets_are_known_by_more_names() {
    for text in [
        ".npmrc",
        "prod.env",
        "terraform.tfvars",
        "a.tfstate",
        "terraform.tfstate.backup",
        "terraform.tfstate.1700000000.backup",
        ".dockerconfigjson",
        ".config/gh/hosts.yml",
        "secrets/db",
        "secrets/prod/db.yml",
        "id_rsa.bak",
        "kubeconfig",
        "kubeconfig.yaml",
        "kubeconfig-prod",
        "auth.json",
        "service-account-prod.json",
        "my-firebase-adminsdk-x.json",
        "credentials",
        "credentials.json.bak",
        ".env.production.local",
        ".env~",
        "prod.env.old",
        ".id_rsa.swp",
        "#id_rsa#",
        "server.pem.orig",
        "id_ed25519.old.bak",
        ".env.example.bak",
        ".docker/config.json",
        ".aws/credentials",
        ".ssh/config",
        "client_secret_1.json",
        ".dev.vars",
        "secrets.yaml",
        ".zsh_history",
    ] {
        assert!(is_secret(&path(text)), "{text}");
    }
    for text in [
        ".env.example",
        ".env.sample",
        ".env.template",
        ".env.dist",
        "example.env",
        "sub/.env.example",
        "id_rsa.pub",
        "id_ed25519.pub",
        "src/secrets/mod.rs",
        "src/secrets.rs",
        "docs/secrets/README.md",
        "credentials.rs",
        "environment.rs",
        "env.ts",
        "tokens.json",
        "kube.rs",
        "kubeconfig.go",
        "keyboard.json",
        "src/auth.rs",
        "dist/main.js",
        "sample",
        "key",
        "author.json",
        ".github/dependabot.yml",
    ] {
        assert!(!is_secret(&path(text)), "{text}");
    }
    // An example of an environment is written only with a person's approval as well.
    assert_eq!(protection(&path(".env.example"), &memory()), Protection::NeedsApproval);
}
