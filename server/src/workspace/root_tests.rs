use super::super::fixture::{Fixture, path};
use super::*;

#[test]
fn a_root_that_is_none_is_told_apart() {
    let fixture = Fixture::new("//- /a.txt\nx\n");
    let missing = Workspace::open(&fixture.root().join("nowhere")).unwrap_err();
    assert!(matches!(missing, WorkspaceError::Missing(_)), "{missing}");
    let file = Workspace::open(&fixture.root().join("a.txt")).unwrap_err();
    assert!(file.to_string().contains("is not a folder"), "{file}");
}

#[test]
fn reads_content_hash_and_absence() {
    let fixture = Fixture::new("//- /src/a.rs\nfn a() {}\n");
    let workspace = fixture.workspace();
    let state = workspace.read(&path("src/a.rs")).unwrap().unwrap();
    assert_eq!(state.bytes, b"fn a() {}\n");
    assert_eq!(state.sha256, sha256(b"fn a() {}\n"));
    for absent in ["src/b.rs", "nowhere/b.rs", "src/a.rs/b"] {
        assert_eq!(workspace.read(&path(absent)).unwrap(), None, "{absent}");
    }
    assert!(workspace.is_file(&path("src/a.rs")) && !workspace.is_file(&path("src")));
    assert!(matches!(workspace.read(&path("src")), Err(WorkspaceError::NotAFile(_))));
}

#[test]
fn the_hash_is_hex_sha256() {
    // FIPS 180-2, the empty message.
    assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let fixture = Fixture::new("");
    let file = std::fs::File::create(fixture.root().join("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(matches!(fixture.workspace().read(&path("huge")), Err(WorkspaceError::TooLarge { .. })));
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_and_nowhere_else() {
    let fixture = Fixture::new("//- /src/a.rs\nin\n//- /.git/config\ntoken\n//- /.env\nKEY=1\n");
    std::fs::write(fixture.outside().join("secret.txt"), "out").unwrap();
    fixture.link("src/a.rs", "inside");
    fixture.link("src", "folder");
    fixture.link("../secret.txt", "up");
    fixture.link("/etc/hostname", "absolute");
    fixture.link("..", "parent");
    fixture.link(".git", "dotgit");
    fixture.link(".env", "environment");
    fixture.link("loop", "loop");
    fixture.link("nowhere", "dangling");
    let workspace = fixture.workspace();
    let read = |name: &str| workspace.read(&path(name));
    assert_eq!(read("inside").unwrap().unwrap().bytes, b"in\n");
    assert_eq!(read("folder/a.rs").unwrap().unwrap().bytes, b"in\n");
    assert_eq!(read("dangling").unwrap(), None);
    for out in ["up", "absolute", "parent/secret.txt", "parent/work/src/a.rs"] {
        assert!(matches!(read(out), Err(WorkspaceError::Outside(_))), "{out}: {:?}", read(out));
    }
    for guarded in ["dotgit/config", "environment"] {
        assert!(matches!(read(guarded), Err(WorkspaceError::Guarded { .. })), "{guarded}: {:?}", read(guarded));
    }
    assert!(read("loop").is_err());
    for behind in ["inside", "folder/a.rs", "folder/new.rs", "dangling", "up", "dotgit/config"] {
        let refused = workspace.check_in_place(&path(behind));
        assert!(matches!(refused, Err(WorkspaceError::Link(_))), "{behind}: {refused:?}");
        assert!(matches!(workspace.read_in_place(&path(behind)), Err(WorkspaceError::Link(_))), "{behind}");
    }
    assert!(workspace.check_in_place(&path("new/deep/a.rs")).is_ok());
    assert!(workspace.check_in_place(&path("src/a.rs/b")).is_err());
}

#[cfg(unix)]
#[test]
fn a_folder_is_made_beneath_but_never_through_a_link() {
    let fixture = Fixture::new("//- /file\nx\n");
    fixture.link("..", "parent");
    let workspace = fixture.workspace();
    workspace.folder(&path(".agent_memory/runs")).unwrap().write("x", "y").unwrap();
    assert_eq!(fixture.read(".agent_memory/runs/x").unwrap(), b"y");
    assert!(matches!(workspace.folder(&path("parent/made")), Err(WorkspaceError::Link(_))));
    assert!(matches!(workspace.folder(&path("file/made")), Err(WorkspaceError::NotAFolderInside(_))));
    assert!(!fixture.outside().join("made").exists());
}

#[cfg(unix)]
#[test]
fn pipes_and_sockets_are_not_waited_for() {
    let fixture = Fixture::new("");
    rustix::fs::mkfifoat(fixture.dir(), "pipe", rustix::fs::Mode::RUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(fixture.root().join("socket")).unwrap();
    let workspace = fixture.workspace();
    for name in ["pipe", "socket"] {
        assert!(matches!(workspace.read(&path(name)), Err(WorkspaceError::NotAFile(_))), "{name}");
        assert!(!workspace.is_file(&path(name)));
    }
}

#[cfg(unix)]
#[test]
fn the_mode_is_read() {
    let fixture = Fixture::new("//- /run.sh\n#!/bin/sh\n");
    fixture.set_mode("run.sh", 0o755);
    assert_eq!(fixture.workspace().read(&path("run.sh")).unwrap().unwrap().mode, 0o755);
}
