use super::rules::{MAX_BYTES, MAX_RULES};
use super::*;
use crate::workspace::fixture::{Fixture, memory, path};
use crate::workspace::{Walk, files, is_ignored};

fn list(workspace: &Workspace) -> Vec<String> {
    let memory_dir = memory();
    let walk = Walk { memory_dir: &memory_dir, folder: None, globs: None, limit: 100 };
    files(workspace, &walk).unwrap().files.into_iter().map(Into::into).collect()
}

#[test]
fn the_deepest_rule_that_speaks_of_a_file_decides() {
    let fixture = Fixture::new(
        "//- /.gitignore\n*.log\n/only-here\n!keep.log\nbuild/\na/**/z\n\\#odd\nbrace{1,2}\n//- /sub/.gitignore\n!b.log\n//- /a.log\n\
         //- /keep.log\n//- /sub/a.log\n//- /sub/b.log\n//- /sub/only-here\n//- /only-here\n//- /build/b.log\n//- /sub/build\n\
         //- /a/x/y/z\n//- /#odd\n//- /brace{1,2}\n//- /brace1\n",
    );
    let kept = [".gitignore", "brace1", "keep.log", "sub/.gitignore", "sub/b.log", "sub/build", "sub/only-here"];
    assert_eq!(list(&fixture.workspace()), kept);
    for text in ["a.log", "only-here", "build/b.log", "a/x/y/z"] {
        assert!(is_ignored(&fixture.workspace(), &path(text)).unwrap(), "{text}");
    }
}

#[test]
fn the_repository_and_what_is_above_the_root_have_a_say() {
    let fixture = Fixture::new("//- /repo/ws/a.rs\n//- /repo/ws/b.rs\n//- /repo/ws/c.rs\n//- /repo/ws/inner/a.rs\n");
    fixture.write("repo/.git/info/exclude", b"b.rs\n!a.rs\n");
    fixture.write("repo/.gitignore", b"/ws/a.rs\n");
    fixture.write(".gitignore", b"c.rs\n");
    let workspace = Workspace::open(&fixture.root().join("repo/ws")).unwrap();
    assert_eq!(list(&workspace), ["c.rs", "inner/a.rs"]);
    // A repository inside is left to its own rules.
    fixture.write("repo/.gitignore", b"*.rs\n");
    assert!(list(&workspace).is_empty());
    fixture.write("repo/ws/inner/.git", b"gitdir: elsewhere\n");
    assert_eq!(list(&workspace), ["inner/a.rs"]);
}

#[test]
fn a_second_working_tree_shares_the_rules_of_the_first() {
    let fixture = Fixture::new(
        "//- /main/.git/info/exclude\nb.rs\n//- /main/.git/worktrees/w/commondir\n../..\n//- /w/a.rs\n//- /w/b.rs\n",
    );
    let git = fixture.root().join("main/.git/worktrees/w");
    fixture.write("w/.git", format!("gitdir: {}\n", git.display()).as_bytes());
    assert_eq!(list(&Workspace::open(&fixture.root().join("w")).unwrap()), ["a.rs"]);
}

#[cfg(unix)]
#[test]
fn rules_that_are_no_regular_file_do_not_count() {
    let fixture = Fixture::new(
        "//- /rules\n*.rs\n//- /a.rs\nx\n//- /zero/a.rs\nx\n//- /pipe/a.rs\nx\n//- /folder/.gitignore/a.rs\nx\n",
    );
    fixture.link("rules", ".gitignore");
    fixture.link("/dev/zero", "zero/.gitignore");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fixture.root().join("pipe/.gitignore"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let workspace = fixture.workspace();
    assert_eq!(list(&workspace), ["a.rs", "folder/.gitignore/a.rs", "pipe/a.rs", "rules", "zero/a.rs"]);
    assert!(!is_ignored(&workspace, &path("zero/a.rs")).unwrap());
}

#[test]
fn too_much_is_a_fault_at_the_file() {
    let fixture = Fixture::new("//- /sub/a.rs\nx\n//- /b.rs\nx\n");
    fixture.write("sub/.gitignore", "x\n".repeat(MAX_RULES + 1).as_bytes());
    let memory_dir = memory();
    let walk = Walk { memory_dir: &memory_dir, folder: None, globs: None, limit: 100 };
    let error = files(&fixture.workspace(), &walk).unwrap_err().to_string();
    assert!(error.contains("sub/.gitignore") && error.contains("50000 rules"), "{error}");
    assert!(is_ignored(&fixture.workspace(), &path("sub/a.rs")).is_err());
    assert!(!is_ignored(&fixture.workspace(), &path("b.rs")).unwrap());
    let file = std::fs::File::create(fixture.root().join("sub/.gitignore")).unwrap();
    file.set_len(MAX_BYTES + 1).unwrap();
    let error = files(&fixture.workspace(), &walk).unwrap_err().to_string();
    assert!(error.contains("sub/.gitignore") && error.contains("bytes"), "{error}");
}

#[test]
fn rules_are_read_again_only_when_their_file_changes() {
    let fixture = Fixture::new("//- /.gitignore\n*.log\n//- /a.log\n//- /b.txt\n");
    let workspace = fixture.workspace();
    let parts = |workspace: &Workspace| {
        let rules = workspace.ignore_files().read_in(workspace.dir(), NAME).unwrap().unwrap();
        Arc::as_ptr(&rules)
    };
    let first = parts(&workspace);
    assert_eq!(list(&workspace), [".gitignore", "b.txt"]);
    assert_eq!(parts(&workspace), first, "compiled once");
    fixture.write(".gitignore", b"*.txt\n# longer\n");
    assert_eq!(list(&workspace), [".gitignore", "a.log"]);
}

#[test]
fn no_pattern_is_too_odd() {
    for pattern in [
        format!("{}a{}", "{".repeat(500), "}".repeat(500)),
        "{".repeat(3_000),
        "[".repeat(3_000),
        "[a-".to_owned(),
        "[z-a]".to_owned(),
        "[!{]".to_owned(),
        "\\".to_owned(),
        "**/".repeat(1_000),
        "*".repeat(4_000),
        "*a".repeat(2_000),
        "!".to_owned(),
        "/".to_owned(),
        "a".repeat(70_000),
        "\u{fffd}\u{0}\u{7}".to_owned(),
    ] {
        let fixture = Fixture::new("//- /keep.rs\n//- /b.log\n");
        fixture.write(".gitignore", format!("{pattern}\n*.log\n!keep.rs\n!.gitignore\n").as_bytes());
        let shown: String = pattern.chars().take(20).collect();
        assert_eq!(list(&fixture.workspace()), [".gitignore", "keep.rs"], "{shown}");
    }
}
