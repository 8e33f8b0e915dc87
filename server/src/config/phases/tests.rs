use std::fs;

use crate::config::*;
use expect_test::{Expect, expect};
use tempfile::TempDir;

/// A configuration folder with one good prompt.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("prompts")).unwrap();
    fs::write(folder.path().join("prompts/a.md"), "Look for holes.\n").unwrap();
    folder
}

fn load_in(folder: &TempDir, text: &str) -> Result<Settings, ConfigErrors> {
    let file = TomlFile { name: "config.toml".to_owned(), text: text.to_owned() };
    let user = Some(UserFile { file, folder: folder.path().to_owned() });
    load(&Sources { user, ..Sources::default() }).map(|loaded| loaded.settings)
}

fn refused(folder: &TempDir, text: &str, expected: Expect) {
    let errors = load_in(folder, text).unwrap_err().to_string();
    expected.assert_eq(&(errors.replace(&folder.path().display().to_string(), "FOLDER") + "\n"));
}

fn phase(name: &str, after: &str) -> String {
    format!("[[phases]]\nname = \"{name}\"\nafter = \"{after}\"\nprompt = \"prompts/a.md\"\n")
}

#[test]
fn phases_come_in_the_order_of_what_they_follow() {
    let text = phase("c", "b") + &phase("a", "implement") + "tier = \"powerful\"\n" + &phase("d", "implement");
    let phases = load_in(&folder(), &(text + &phase("b", "a"))).unwrap().phases;
    let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["a", "d", "b", "c"]);
    let first = UserPhase {
        name: "a".to_owned(),
        after: "implement".to_owned(),
        prompt: "Look for holes.\n".to_owned(),
        tier: PhaseTier::Powerful,
    };
    assert_eq!((&phases[0], phases[1].tier), (&first, PhaseTier::Balanced));
    assert_eq!(load_in(&folder(), "phases = []").unwrap(), Settings::default());
}

#[test]
fn the_longest_name_and_the_largest_prompt_are_taken() {
    let folder = folder();
    fs::write(folder.path().join("prompts/a.md"), format!("\u{feff}{}", "x".repeat((64 << 10) - 3))).unwrap();
    let settings = load_in(&folder, &phase(&format!("a-1{}", "x".repeat(29)), "implement")).unwrap();
    assert_eq!(settings.phases[0].prompt.len(), (64 << 10) - 3);
}

#[test]
fn each_fault_of_a_phase_stands_at_its_place() {
    refused(
        &folder(),
        "[[phases]]\nafter = 7\ntier = \"best\"\n[[phases]]\nname = \" \"\nafter = \"implement\"\nprompt = [\"a\"]\n\
         tier = 1\npromt = \"a\"\n[[phases]]\nname = \"a\"\nafter = \"plan\"\nprompt = \"prompts/a.md\"\n[[phases]]\n\
         name = \"a\"\nafter = \"implemen\"\nprompt = \"prompts/a.md\"\napi_key = \"sk-secret\"\n",
        expect![[r#"
            config.toml:1:1: phases.name is missing; for example name = "security"
            config.toml:1:1: phases.prompt is missing; for example prompt = "prompts/security.md"
            config.toml:2:9: phases.after is 7; it takes a text, for example "implement"
            config.toml:3:8: phases.tier is "best"; it takes "fast", "balanced" or "powerful"
            config.toml:5:8: phases.name is " "; it takes a text, for example "security"
            config.toml:7:10: phases.prompt is a list; it takes a text, for example "prompts/security.md"
            config.toml:8:8: phases.tier is 1; it takes "fast", "balanced" or "powerful"
            config.toml:9:1: phases.promt is not a field of a phase; did you mean prompt?; there are name, after, prompt, tier
            config.toml:12:9: phases.after is "plan"; it takes "implement" or the name of another phase of this list
            config.toml:18:1: phases.api_key looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in settings; take it out here
        "#]],
    );
    refused(
        &folder(),
        "phases = [\"security\"]",
        expect![[r#"
        config.toml:1:11: phases holds "security"; a phase is a table with name, after and prompt
    "#]],
    );
    refused(
        &folder(),
        "[phases]\nsecurity = \"a.md\"",
        expect![[r#"
        config.toml:1:1: phases is a table; it takes [[phases]] tables with name, after, prompt and, if you like, tier
    "#]],
    );
    refused(
        &folder(),
        &(phase("a", "implement") + &phase("a", "implement")),
        expect![[r#"
        config.toml:6:8: phases.name is "a" a second time; give each phase a name of its own
    "#]],
    );
}

#[test]
fn a_name_is_plain_and_none_that_means_something() {
    refused(
        &folder(),
        &phase("context", "implement"),
        expect![[r#"
        config.toml:2:8: phases.name is "context", which has a meaning already; give your phase another name
    "#]],
    );
    refused(
        &folder(),
        &phase("Security", "implement"),
        expect![[r#"
        config.toml:2:8: phases.name is "Security", which is no name for a phase; take a small letter and up to 31 more small letters, digits and "-", as in "security"
    "#]],
    );
    let wrong = ["1st", "-a", "a_b", "a b", "a/b", "ä", "a.b", &"x".repeat(33)];
    for name in wrong {
        let errors = load_in(&folder(), &phase(name, "implement")).unwrap_err().to_string();
        assert!(errors.starts_with("config.toml:2:8: phases.name is ") && errors.contains("no name for a phase"));
    }
    for name in RESERVED_PHASE_NAMES {
        let errors = load_in(&folder(), &phase(name, "implement")).unwrap_err().to_string();
        assert!(errors.contains("has a meaning already"), "{errors}");
    }
}

#[test]
fn phases_that_wait_for_each_other_are_refused() {
    let text = phase("d", "c") + &phase("a", "c") + &phase("b", "a") + &phase("c", "b") + &phase("e", "implement");
    refused(
        &folder(),
        &text,
        expect![[r#"
        config.toml:7:9: phases.after goes in a circle: c after b after a after c; let one of them come after "implement"
    "#]],
    );
    refused(
        &folder(),
        &phase("a", "a"),
        expect![[r#"
        config.toml:3:9: phases.after goes in a circle: a after a; let one of them come after "implement"
    "#]],
    );
    refused(
        &folder(),
        &(phase("a", "secutiry") + &phase("security", "implement")),
        expect![[r#"
        config.toml:3:9: phases.after is "secutiry"; it takes "implement" or the name of another phase of this list; did you mean security?
    "#]],
    );
}

#[test]
fn there_are_at_most_eight_phases() {
    let phases = |n: usize| (0..n).map(|n| phase(&format!("p{n}"), "implement")).collect::<String>();
    assert_eq!(load_in(&folder(), &phases(8)).unwrap().phases.len(), 8);
    refused(
        &folder(),
        &phases(9),
        expect![[r#"
        config.toml:33:1: phases holds 9 phases; at most 8 are run
    "#]],
    );
}

#[test]
fn a_prompt_is_a_text_beside_the_users_file() {
    let folder = folder();
    let prompts = folder.path().join("prompts");
    fs::write(prompts.join("empty.md"), " \n").unwrap();
    fs::write(prompts.join("latin.md"), b"\xe4").unwrap();
    fs::write(prompts.join("large.md"), "x".repeat((64 << 10) + 1)).unwrap();
    let prompt = |name: &str| phase("a", "implement").replace("prompts/a.md", name);
    refused(
        &folder,
        &prompt("prompts/empty.md"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "prompts/empty.md", which is empty; say in it what the phase looks for
    "#]],
    );
    refused(
        &folder,
        &prompt("prompts/latin.md"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "prompts/latin.md", which is not UTF-8; save the file as UTF-8
    "#]],
    );
    refused(
        &folder,
        &prompt("prompts/large.md"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "prompts/large.md", which is too large: 65537 bytes, and no more than 65536 are read; shorten the file, or move it away
    "#]],
    );
    refused(
        &folder,
        &prompt("prompts/b.md"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "prompts/b.md", which is not there; write it at FOLDER/prompts/b.md
    "#]],
    );
    refused(
        &folder,
        &prompt("prompts"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "prompts", which cannot be read: it is not a regular file; put a text file at FOLDER/prompts
    "#]],
    );
    refused(
        &folder,
        &prompt("../a.md"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "../a.md", which is no path below the folder of this file; name one there, as in "prompts/security.md"
    "#]],
    );
    refused(
        &folder,
        &prompt("/etc/passwd"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "/etc/passwd", which is no path below the folder of this file; name one there, as in "prompts/security.md"
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn a_prompt_may_be_a_link_and_no_pipe() {
    let folder = folder();
    let prompts = folder.path().join("prompts");
    let pipe = prompts.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    refused(
        &folder,
        &phase("a", "implement").replace("a.md", "pipe"),
        expect![[r#"
        config.toml:4:10: phases.prompt is "prompts/pipe", which cannot be read: it is not a regular file; put a text file at FOLDER/prompts/pipe
    "#]],
    );
    std::os::unix::fs::symlink("a.md", prompts.join("link.md")).unwrap();
    assert!(load_in(&folder, &phase("a", "implement").replace("a.md", "link.md")).is_ok());
}

#[test]
fn a_workspace_adds_no_phase() {
    let text = phase("a", "implement");
    let workspace = Some(TomlFile { name: "baton.toml".to_owned(), text });
    let editor = Some(serde_json::json!({ "phases": [{ "name": "a" }] }));
    let env = vec![("BATON_PHASES".to_owned(), "a".to_owned())];
    let errors = load(&Sources { workspace, editor, env, ..Sources::default() }).unwrap_err();
    expect![[r#"
        baton.toml:1:1: phases cannot be set here: this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml
        editor setting baton.phases: phases cannot be set here: editor settings come merged with the workspace's, and a workspace decides nothing about trust, accounts and addresses. Set it in your own baton/config.toml
        BATON_PHASES: phases cannot be set here; set it in your own baton/config.toml
    "#]].assert_eq(&format!("{errors}\n"));
}
