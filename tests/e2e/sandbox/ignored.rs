//! Folders that git ignores, which a check writes for real, and what it must not reach or leave through them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::attacks::CANARY;
use super::lab::Lab;

fn lab(fixture: &str) -> Lab {
    let lab = Lab::new(&format!("//- /.gitignore\ntarget/\nnode_modules/\nbuild/\nout/\n//- /a.txt\nx\n{fixture}"));
    lab.outside_of_sandbox("git init -q .");
    lab
}

/// Package managers link the files of their store into a folder that git ignores.
#[test]
fn a_file_with_another_name_outside_is_not_written_through() {
    let lab = lab(
        "//- /node_modules/.store/left/index.js\nown\n//- /node_modules/.cache/x\nold\n//- /target/deps/one\nold\n//- /out/first\nx\n",
    );
    let store = lab.outside().join("store.js");
    fs::write(&store, CANARY).expect("a file");
    for link in ["node_modules/.store/left/linked.js", "out/linked.js"] {
        fs::hard_link(&store, lab.root().join(link)).expect("a link");
    }
    // As Cargo does: both names are inside.
    fs::hard_link(lab.root().join("target/deps/one"), lab.root().join("target/one")).expect("a link");
    let attack = "for f in node_modules/.store/left/linked.js out/linked.js; do echo evil > $f && echo WORKED; done; \
                  chmod 777 node_modules/.store/left/linked.js out/linked.js; \
                  ln node_modules/.store/left/linked.js node_modules/again && echo evil > node_modules/again; \
                  mv node_modules/.store node_modules/moved && echo evil > node_modules/moved/left/linked.js; \
                  echo new > node_modules/.cache/x; echo new > target/one; echo new > out/second; true";
    assert!(lab.outside_of_sandbox("echo evil > out/linked.js && cat $OUTSIDE/store.js").contains("evil"));
    fs::write(&store, CANARY).expect("a file");
    let mode = fs::metadata(&store).expect("a file").permissions();
    let ran = lab.end(attack);
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.output().matches("WORKED").count(), 2, "a copy is written: {ran:?}");
    assert_eq!(fs::read_to_string(&store).expect("a file"), CANARY, "{ran:?}");
    assert_eq!(fs::metadata(&store).expect("a file").permissions(), mode);
    assert_eq!(lab.text("node_modules/.cache/x"), "new\n", "the rest stays warm: {ran:?}");
    assert_eq!(lab.text("target/deps/one"), "new\n", "{ran:?}");
    assert!(!lab.root().join("out/second").exists(), "all of it was copied on write");
    assert!(ran.hints().contains("What is written in out is not kept"), "{ran:?}");
}

/// CMake fetches what a build depends on into it, and a user may keep repositories in an ignored folder.
#[test]
fn repositories_in_an_ignored_folder_are_protected_and_the_rest_stays_warm() {
    let lab = lab(
        "//- /build/CMakeCache.txt\nold\n//- /build/_deps/one-src/main.c\nold\n//- /build/_deps/one-build/a.o\nold\n",
    );
    lab.outside_of_sandbox("cd build/_deps/one-src && git init -q . && git config user.name me");
    let config = lab.text("build/_deps/one-src/.git/config");
    let attack = "cd build && echo new > CMakeCache.txt && echo new > _deps/one-build/a.o && cd _deps/one-src && \
                  git config core.fsmonitor evil; echo evil > .git/hooks/pre-commit; echo evil > main.c; \
                  git config core.fsmonitor; git status >/dev/null 2>&1; true";
    let ran = lab.end(attack);
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.output(), "evil\n", "it works on a copy");
    assert_eq!(lab.text("build/CMakeCache.txt"), "new\n", "{ran:?}");
    assert_eq!(lab.text("build/_deps/one-build/a.o"), "new\n");
    assert_eq!(lab.text("build/_deps/one-src/.git/config"), config);
    assert_eq!(lab.text("build/_deps/one-src/main.c"), "old\n");
    assert!(!lab.root().join("build/_deps/one-src/.git/hooks/pre-commit").exists());
    assert_eq!(ran.hints(), "");

    let planted =
        lab.end("mv build/_deps build/away; mkdir -p build/_deps/one-src; cd build/_deps/one-src; git init -q .");
    assert!(planted.hints().contains("It left repositories in build/_deps/one-src:"), "{planted:?}");
}

/// A program that runs as its owner is one for everybody who reaches it.
#[test]
fn no_program_is_left_that_runs_as_its_owner() {
    let lab = lab("//- /target/tool\n#!/bin/sh\n");
    let tool = lab.root().join("target/tool");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o4755)).expect("a mode");
    let ran = lab.end("cp /bin/true target/planted; chmod 6755 target/planted; mkdir -p target/r/.git; cp /bin/true target/r; chmod 4111 target/r/true; ls -l target/planted");
    if !ran.is_view() {
        return;
    }
    assert!(ran.output().starts_with("-rwsr-sr-x"), "this is no attack: {ran:?}");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
    assert_eq!(mode(&lab.root().join("target/planted")), 0o755, "{ran:?}");
    assert_eq!(mode(&lab.root().join("target/r/true")), 0o111);
    assert_eq!(mode(&tool), 0o4755, "it was there before");
    assert!(ran.hints().contains("target/planted"), "{ran:?}");
}
