use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use cap_std::fs::Dir;

use super::place::place;
use super::recover::recover_in_steps;
use super::steps::{Halt, Step, Steps, Stopped};
use super::transaction::publish_in_steps;
use super::*;
use crate::contracts::ChangeType;
use crate::workspace::fixture::{Fixture, Opened, memory, path, skipped};
use crate::workspace::{OpenBuffers, StagedChange, Staging, Workspace, Writable, sha256};

const TREE: &str = "//- /a.txt\na0\n//- /b.txt\nb0\n//- /gone.txt\ng0\n";
const RUN: &str = ".agent_memory/runs/r1";

fn sign(content: &[u8]) -> String {
    sha256(&[b"key".as_slice(), content].concat())
}

fn verify(content: &[u8], mac: &str) -> bool {
    sign(content) == mac
}

fn task(id: &str) -> FinishedTask<'_> {
    FinishedTask { task: id, round: 1, submission: &serde_json::Value::Null }
}

fn run_dir(workspace: &Workspace) -> Dir {
    workspace.folder(&path(RUN)).unwrap()
}

/// A modified file, another, a new one in a new folder, and a deleted one.
fn changes(workspace: &Workspace) -> Vec<StagedChange> {
    let all = ["a.txt", "b.txt", "new/deep/c.txt", "gone.txt"].map(path);
    let writable = Writable {
        write: BTreeSet::from(all.clone()),
        delete: BTreeSet::from([all[3].clone()]),
        ..Writable::default()
    };
    let mut staging = Staging::new(workspace.clone(), "T1", writable, memory());
    for file in &all[..2] {
        staging.read(file).unwrap();
    }
    staging.write(&all[0], "a1\n").unwrap();
    staging.write(&all[1], "b1\n").unwrap();
    staging.write(&all[2], "c1\n").unwrap();
    staging.delete(&all[3]).unwrap();
    staging.changes()
}

/// The working tree in one line, temporary files included.
fn tree(fixture: &Fixture) -> String {
    let mut shown = Vec::new();
    for folder in ["", "new", "new/deep"] {
        for name in fixture.names(folder) {
            let file = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            match fixture.read(&file) {
                Some(bytes) => shown.push(format!("{file}={}", String::from_utf8(bytes).unwrap().trim())),
                None if file != ".agent_memory" => shown.push(format!("{file}/")),
                None => {}
            }
        }
    }
    shown.join(" ")
}

const BEFORE: &str = "a.txt=a0 b.txt=b0 gone.txt=g0";
const AFTER: &str = "a.txt=a1 b.txt=b1 new/ new/deep/ new/deep/c.txt=c1";

/// Publish until the hook says otherwise.
fn stopped_at(fixture: &Fixture, steps: Steps<'_>) -> Result<PublishRecord, Stopped> {
    let workspace = fixture.workspace();
    publish_in_steps(&workspace, &run_dir(&workspace), &task("T1"), &changes(&workspace), &sign, steps)
}

/// Every step of an undisturbed publish.
fn all_steps() -> Vec<Step> {
    let fixture = Fixture::new(TREE);
    let seen = RefCell::new(Vec::new());
    stopped_at(&fixture, &mut |step| {
        seen.borrow_mut().push(step);
        Ok(())
    })
    .unwrap();
    seen.into_inner()
}

#[test]
fn everything_is_put_in_place_and_recorded() {
    let fixture = Fixture::new(TREE);
    let workspace = fixture.workspace();
    let run = run_dir(&workspace);
    let published = publish(&workspace, &run, &task("T1"), &changes(&workspace), &sign).unwrap();
    assert_eq!(tree(&fixture), AFTER);
    let (kept, untrusted) = records(&run, &verify).unwrap();
    assert_eq!(kept, std::slice::from_ref(&published.record));
    assert!(untrusted.is_empty());
    assert_eq!(kept[0].state, PublishState::Done);
    assert_eq!(kept[0].created_folders, ["new", "new/deep"].map(path));
    let image = kept[0].files.iter().find(|file| file.path == path("gone.txt")).unwrap().before_image.clone().unwrap();
    assert_eq!(fixture.text(&format!("{RUN}/{image}")), "g0\n");
    let again = publish(&workspace, &run, &task("T1"), &[], &sign);
    assert!(matches!(again, Err(PublishError::Again { .. })), "{again:?}");
    assert_eq!(recover(&workspace, &run, &sign, &verify).unwrap(), Recovered::default());
}

#[test]
fn nothing_is_written_under_a_document_with_unsaved_changes() {
    let fixture = Fixture::new(TREE);
    let editor = Arc::new(Opened::default());
    let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
    let run = run_dir(&workspace);
    let changes = changes(&workspace);
    // An open document without changes prevents no write.
    editor.set("a.txt", "a0\n", false);
    editor.set("b.txt", "b0, and mine\n", true);
    let refused = publish(&workspace, &run, &task("T1"), &changes, &sign);
    assert!(matches!(&refused, Err(PublishError::Unsaved { paths }) if *paths == [path("b.txt")]), "{refused:?}");
    assert_eq!(tree(&fixture), BEFORE);
    // A person begins to type during the publish: what is in place already is undone.
    editor.close("b.txt");
    let typed = publish_in_steps(&workspace, &run, &task("T1"), &changes, &sign, &mut |step| {
        if step == Step::Placed(1) {
            editor.set("gone.txt", "g0, and mine\n", true);
        }
        Ok(())
    });
    assert!(matches!(&typed, Err(Stopped::Refused(PublishError::Unsaved { .. }))), "{typed:?}");
    assert_eq!(tree(&fixture), BEFORE);
    editor.close("gone.txt");
    publish(&workspace, &run, &task("T1"), &changes, &sign).unwrap();
    assert_eq!(tree(&fixture), AFTER);
}

#[test]
fn an_interrupted_publish_waits_for_documents_to_be_saved() {
    let fixture = Fixture::new(TREE);
    stopped_at(&fixture, &mut |step| if step == Step::Placed(0) { Err(Halt::Killed) } else { Ok(()) }).unwrap_err();
    let editor = Arc::new(Opened::default());
    let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
    editor.set("b.txt", "b0, and mine\n", true);
    let between = tree(&fixture);
    let told = recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap_err().to_string();
    assert!(told.contains("b.txt: open with unsaved changes; save them"), "{told}");
    assert_eq!(tree(&fixture), between);
    editor.close("b.txt");
    recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
    assert_eq!(tree(&fixture), AFTER);
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_the_runs_files_are_private() {
    let fixture = Fixture::new(TREE);
    fixture.set_mode("a.txt", 0o755);
    fixture.set_mode("b.txt", 0o640);
    stopped_at(&fixture, &mut |step| {
        if step == Step::Prepared {
            for folder in ["staged/T1", "before/T1-1"] {
                for name in fixture.names(&format!("{RUN}/{folder}")) {
                    assert_eq!(fixture.mode(&format!("{RUN}/{folder}/{name}")), 0o600);
                }
            }
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(fixture.mode("a.txt"), 0o755);
    assert_eq!(fixture.mode("b.txt"), 0o640);
    // As the system makes a new file.
    fixture.write("new/other.txt", b"");
    assert_eq!(fixture.mode("new/deep/c.txt"), fixture.mode("new/other.txt"));
    assert_eq!(fixture.mode(&format!("{RUN}/publish/T1-1.json")), 0o600);
}

/// A folder whose group new files get, as the file system makes it, whatever the umask.
#[cfg(unix)]
#[test]
fn a_new_file_is_made_as_the_system_makes_one_and_the_journal_says_how() {
    use std::os::unix::fs::MetadataExt;
    for killed in [false, true] {
        let fixture = Fixture::new(TREE);
        fixture.write("new/deep/other.txt", b"");
        fixture.set_mode("new/deep", 0o2775);
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(fixture.root().join("new/deep"), None, Some(1001)).unwrap();
        }
        fixture.write("new/deep/second.txt", b"");
        let ended = stopped_at(&fixture, &mut |step| {
            if killed && step == Step::Placing(0) { Err(Halt::Killed) } else { Ok(()) }
        });
        assert_eq!(ended.is_err(), killed);
        let workspace = fixture.workspace();
        recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
        let about = |name: &str| std::fs::metadata(fixture.root().join("new/deep").join(name)).unwrap();
        let (ours, theirs) = (about("c.txt"), about("second.txt"));
        assert_eq!((ours.mode(), ours.gid()), (theirs.mode(), theirs.gid()));
        let (records, _) = records(&run_dir(&workspace), &verify).unwrap();
        let file = records[0].files.iter().find(|file| file.path == path("new/deep/c.txt")).unwrap();
        assert_eq!((file.mode, file.fresh, file.owner), (theirs.mode() & 0o777, true, None));
    }
}

/// Only root may give a file away, so elsewhere the owner is checked against itself.
#[cfg(unix)]
#[test]
fn owner_and_group_are_kept_through_publish_kill_and_undo() {
    use std::os::unix::fs::{MetadataExt, chown};
    let is_root = rustix::process::getuid().is_root();
    let give = |fixture: &Fixture, name: &str| {
        if is_root {
            chown(fixture.root().join(name), Some(1000), Some(1001)).unwrap();
        }
        fixture.set_mode(name, 0o640);
    };
    let about = |fixture: &Fixture, name: &str| {
        let metadata = std::fs::metadata(fixture.root().join(name)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
    };
    for step in all_steps() {
        let fixture = Fixture::new(TREE);
        for name in ["a.txt", "gone.txt"] {
            give(&fixture, name);
        }
        let owned = about(&fixture, "a.txt");
        assert!(!is_root || owned == (1000, 1001, 0o640));
        let kill = |at: Step| if at == step { Err(Halt::Killed) } else { Ok(()) };
        let _ = stopped_at(&fixture, &mut { kill });
        let workspace = fixture.workspace();
        recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
        assert_eq!(about(&fixture, "a.txt"), owned, "{step:?}");
    }
    // What is undone, the deleted file included, has its former owner.
    let fixture = Fixture::new(TREE);
    for name in ["a.txt", "gone.txt"] {
        give(&fixture, name);
    }
    let owned = about(&fixture, "a.txt");
    let failed = stopped_at(&fixture, &mut |step| match step {
        Step::Synced => Err(Halt::Failed { what: "a test".to_owned(), source: io::Error::other("says no") }),
        _ => Ok(()),
    });
    assert!(matches!(failed, Err(Stopped::Refused(PublishError::Io { .. }))), "{failed:?}");
    assert_eq!(tree(&fixture), BEFORE);
    assert_eq!([about(&fixture, "a.txt"), about(&fixture, "gone.txt")], [owned; 2]);
    // So is what a rollback brings back.
    let record = stopped_at(&fixture, &mut |_| Ok(())).unwrap();
    let gone = record.files.iter().find(|file| file.path == path("gone.txt")).unwrap();
    let workspace = fixture.workspace();
    let bytes = gone.before(&run_dir(&workspace)).unwrap().unwrap();
    let image = crate::workspace::Image {
        sha256: sha256(&bytes),
        bytes: Ok(bytes),
        mode: gone.mode_before.unwrap(),
        owner: gone.owner_before,
    };
    let edit = crate::workspace::Edit { before: Some(image), after: None };
    let crate::workspace::TakeBack::Restore(change) = crate::workspace::take_back(&workspace, &gone.path, &[edit])
    else {
        panic!("nobody touched it");
    };
    let back = workspace.folder(&path(".agent_memory/runs/r2")).unwrap();
    let reversal = Reversal {
        kind: ReversalKind::Rollback,
        task: None,
        file: None,
        of: Vec::new(),
        hunks: Vec::new(),
        by_hunk: false,
    };
    publish_reversal(&workspace, &back, reversal, &[change], &sign).unwrap();
    assert_eq!(about(&fixture, "gone.txt"), owned);
}

#[cfg(target_os = "linux")]
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn extended_attributes_are_kept_where_the_file_system_has_them() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let fixture = Fixture::new(TREE);
    let file = fixture.root().join("a.txt");
    if let Err(error) = setxattr(&file, "user.origin", b"elsewhere", XattrFlags::empty()) {
        eprintln!("skipped: this file system has no extended attributes ({error})");
        return;
    }
    stopped_at(&fixture, &mut |_| Ok(())).unwrap();
    assert_eq!(fixture.text("a.txt"), "a1\n");
    let mut value = [0; 32];
    let length = getxattr(&file, "user.origin", value.as_mut_slice()).unwrap();
    assert_eq!(&value[..length], b"elsewhere");
}

#[test]
fn a_journal_of_an_earlier_version_still_counts() {
    let fixture = Fixture::new(TREE);
    let record = stopped_at(&fixture, &mut |_| Ok(())).unwrap();
    let mut old = serde_json::to_value(&record).unwrap();
    for file in old["files"].as_array_mut().unwrap() {
        for field in ["fresh", "owner", "owner_before"] {
            file.as_object_mut().unwrap().remove(field);
        }
    }
    let mut read: PublishRecord = serde_json::from_value(old.clone()).unwrap();
    let unsigned = String::from_utf8(read.signed_content().unwrap()).unwrap();
    assert!(!unsigned.contains("owner") && !unsigned.contains("fresh"), "its MAC is over the same bytes: {unsigned}");
    let workspace = fixture.workspace();
    read.save(&run_dir(&workspace), &sign).unwrap();
    assert_eq!(records(&run_dir(&workspace), &verify).unwrap().0, [read]);
}

#[test]
fn a_kill_at_any_step_ends_as_all_or_nothing() {
    let steps = all_steps();
    assert!(steps.len() >= 18, "{steps:?}");
    let journaled = steps.iter().position(|step| *step == Step::Journaled).unwrap();
    for (index, kill) in steps.iter().enumerate() {
        let fixture = Fixture::new(TREE);
        let outcome = stopped_at(&fixture, &mut |step| if step == *kill { Err(Halt::Killed) } else { Ok(()) });
        assert!(matches!(outcome, Err(Stopped::Killed)));
        let workspace = fixture.workspace();
        let run = run_dir(&workspace);
        let recovered = recover(&workspace, &run, &sign, &verify).unwrap();
        let forward = index >= journaled;
        assert_eq!(tree(&fixture), if forward { AFTER } else { BEFORE }, "killed at {kill:?}");
        assert_eq!(recovered.rolled_forward.len(), usize::from(forward), "killed at {kill:?}");
        assert_eq!(recover(&workspace, &run, &sign, &verify).unwrap(), Recovered::default());
        if !forward {
            publish(&workspace, &run, &task("T1"), &changes(&workspace), &sign).unwrap();
            assert_eq!(tree(&fixture), AFTER, "published again after a kill at {kill:?}");
        }
    }
}

#[test]
fn a_kill_while_recovering_is_recovered_from() {
    for kill in 0..5 {
        let fixture = Fixture::new(TREE);
        let outcome =
            stopped_at(&fixture, &mut |step| if step == Step::Journaled { Err(Halt::Killed) } else { Ok(()) });
        assert!(outcome.is_err());
        let workspace = fixture.workspace();
        let run = run_dir(&workspace);
        let mut seen = 0;
        let interrupted = recover_in_steps(&workspace, &run, &sign, &verify, &mut |_| {
            seen += 1;
            if seen > kill { Err(Halt::Killed) } else { Ok(()) }
        });
        assert!(interrupted.is_err());
        assert_eq!(recover(&workspace, &run, &sign, &verify).unwrap().rolled_forward.len(), 1);
        assert_eq!(tree(&fixture), AFTER);
    }
}

#[test]
fn a_failure_on_the_way_takes_everything_back() {
    for failing in 0..4 {
        let fixture = Fixture::new(TREE);
        let outcome = stopped_at(&fixture, &mut |step| match step {
            Step::Placed(index) if index == failing => {
                Err(Halt::Failed { what: "cannot write".to_owned(), source: io::Error::other("disk full") })
            }
            _ => Ok(()),
        });
        assert!(matches!(outcome, Err(Stopped::Refused(PublishError::Io { .. }))), "{outcome:?}");
        assert_eq!(tree(&fixture), BEFORE, "failed at {failing}");
        let workspace = fixture.workspace();
        publish(&workspace, &run_dir(&workspace), &task("T1"), &changes(&workspace), &sign).unwrap();
        assert_eq!(tree(&fixture), AFTER);
    }
}

#[test]
fn a_kill_while_taking_back_ends_as_nothing() {
    for kill in [Step::Undoing, Step::Undone] {
        let fixture = Fixture::new(TREE);
        let outcome = stopped_at(&fixture, &mut |step| match step {
            Step::Placed(2) => Err(Halt::Failed { what: "x".to_owned(), source: io::Error::other("disk full") }),
            step if step == kill => Err(Halt::Killed),
            _ => Ok(()),
        });
        assert!(matches!(outcome, Err(Stopped::Killed)));
        let workspace = fixture.workspace();
        let recovered = recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
        assert_eq!(tree(&fixture), BEFORE);
        assert_eq!(recovered.dropped.len(), 1);
    }
}

#[test]
fn a_file_changed_since_it_was_read_is_never_overwritten() {
    let fixture = Fixture::new(TREE);
    let workspace = fixture.workspace();
    let changes = changes(&workspace);
    for (file, content) in [("b.txt", "mine\n"), ("new/deep/c.txt", "mine\n"), ("gone.txt", "mine\n")] {
        let old = fixture.read(file);
        fixture.write(file, content.as_bytes());
        let outcome = publish(&workspace, &run_dir(&workspace), &task("T1"), &changes, &sign);
        let Err(PublishError::Conflict { paths }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(paths, [path(file)]);
        assert_eq!(fixture.text(file), content);
        assert_eq!(fixture.text("a.txt"), "a0\n");
        match old {
            Some(old) => fixture.write(file, &old),
            None => fixture.remove(file),
        }
    }
    fixture.remove("b.txt");
    let outcome = publish(&workspace, &run_dir(&workspace), &task("T1"), &changes, &sign);
    assert!(matches!(outcome, Err(PublishError::Conflict { .. })), "{outcome:?}");
}

#[test]
fn a_save_between_two_renames_takes_back_the_first() {
    let fixture = Fixture::new(TREE);
    let outcome = stopped_at(&fixture, &mut |step| {
        if step == Step::Placing(1) {
            fixture.write("b.txt", b"mine\n");
        }
        Ok(())
    });
    let Err(Stopped::Refused(PublishError::Conflict { paths })) = outcome else { panic!("{outcome:?}") };
    assert_eq!(paths, [path("b.txt")]);
    assert_eq!(tree(&fixture), "a.txt=a0 b.txt=mine gone.txt=g0");
}

#[test]
fn a_save_after_the_last_look_is_seen_right_before_the_file_is_put_in_place() {
    let fixture = Fixture::new(TREE);
    let workspace = fixture.workspace();
    let mut journaled = false;
    let outcome = stopped_at(&fixture, &mut |step| {
        journaled |= step == Step::Journaled;
        if journaled { Err(Halt::Killed) } else { Ok(()) }
    });
    assert!(matches!(outcome, Err(Stopped::Killed)), "{outcome:?}");
    let run = run_dir(&workspace);
    let (records, _) = records(&run, &verify).unwrap();
    let record = &records[0];
    fixture.write("new/deep/c.txt", b"mine\n");
    for file in &record.files {
        fixture.write(file.path.as_str(), b"mine\n");
        let outcome = place(&workspace, &run, record, file);
        assert!(matches!(&outcome, Err(Halt::Conflict(paths)) if *paths == [file.path.clone()]), "{outcome:?}");
        assert_eq!(fixture.text(file.path.as_str()), "mine\n");
    }
}

#[test]
fn an_edit_made_after_the_kill_is_left_alone() {
    let fixture = Fixture::new(TREE);
    let kill_at = |wanted: Step| {
        let outcome = stopped_at(&fixture, &mut |step| if step == wanted { Err(Halt::Killed) } else { Ok(()) });
        assert!(outcome.is_err());
    };
    kill_at(Step::Placed(0));
    fixture.write("b.txt", b"mine\n");
    let workspace = fixture.workspace();
    let recovered = recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
    assert_eq!(tree(&fixture), "a.txt=a1 b.txt=mine new/ new/deep/ new/deep/c.txt=c1");
    assert_eq!(recovered.rolled_forward[0].conflicts, [path("b.txt")]);

    let fixture = Fixture::new(TREE);
    let outcome = stopped_at(&fixture, &mut |step| if step == Step::Journaled { Err(Halt::Killed) } else { Ok(()) });
    assert!(outcome.is_err());
    fixture.write("b.txt", b"mine\n");
    let workspace = fixture.workspace();
    let recovered = recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
    assert_eq!(tree(&fixture), "a.txt=a0 b.txt=mine gone.txt=g0", "nothing had begun, so nothing is done");
    assert_eq!(recovered.dropped[0].conflicts, [path("b.txt")]);
}

#[test]
fn a_journal_of_somebody_else_does_nothing() {
    let fixture = Fixture::new(TREE);
    let outcome = stopped_at(&fixture, &mut |step| if step == Step::Journaled { Err(Halt::Killed) } else { Ok(()) });
    assert!(outcome.is_err());
    let journal = format!("{RUN}/publish/T1-1.json");
    let forged = fixture.text(&journal).replace("\"a.txt\"", "\"evil.txt\"");
    fixture.write(&journal, forged.as_bytes());
    let workspace = fixture.workspace();
    let recovered = recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
    assert_eq!(recovered.untrusted, ["T1-1.json"]);
    assert_eq!(tree(&fixture), BEFORE);
}

#[test]
fn staged_bytes_that_were_swapped_are_not_put_in_place() {
    let fixture = Fixture::new(TREE);
    let outcome = stopped_at(&fixture, &mut |step| if step == Step::Journaled { Err(Halt::Killed) } else { Ok(()) });
    assert!(outcome.is_err());
    let staged = fixture.names(&format!("{RUN}/staged/T1"));
    fixture.write(&format!("{RUN}/staged/T1/{}", staged[0]), b"evil\n");
    let workspace = fixture.workspace();
    recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
    assert_eq!(tree(&fixture), BEFORE);
}

#[cfg(unix)]
#[test]
fn a_folder_swapped_for_a_link_is_not_written_through() {
    let fixture = Fixture::new("//- /src/a.txt\na0\n");
    let workspace = fixture.workspace();
    let file = path("src/a.txt");
    let writable = Writable { write: BTreeSet::from([file.clone()]), ..Writable::default() };
    let mut staging = Staging::new(workspace.clone(), "T1", writable, memory());
    staging.read(&file).unwrap();
    staging.write(&file, "a1\n").unwrap();
    std::fs::rename(fixture.root().join("src"), fixture.outside().join("src")).unwrap();
    fixture.link("../src", "src");
    let outcome = publish(&workspace, &run_dir(&workspace), &task("T1"), &staging.changes(), &sign);
    assert!(matches!(outcome, Err(PublishError::Conflict { .. })), "{outcome:?}");
    assert_eq!(std::fs::read(fixture.outside().join("src/a.txt")).unwrap(), b"a0\n");
}

#[test]
fn leftover_temporary_files_are_swept() {
    let fixture = Fixture::new(TREE);
    let outcome = stopped_at(&fixture, &mut |step| if step == Step::Placed(0) { Err(Halt::Killed) } else { Ok(()) });
    assert!(outcome.is_err());
    fixture.write(".baton-00000000000000aa.tmp", b"half");
    fixture.write(&format!("{RUN}/publish/.baton-00000000000000ab.tmp"), b"half");
    let workspace = fixture.workspace();
    assert_eq!(recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap().swept, 2);
    assert_eq!(tree(&fixture), AFTER);
    assert_eq!(fixture.names(RUN), ["after", "before", "publish"]);
}

#[test]
fn an_id_that_is_no_name_is_refused() {
    let fixture = Fixture::new(TREE);
    let workspace = fixture.workspace();
    let outcome = publish(&workspace, &run_dir(&workspace), &task("../T1"), &changes(&workspace), &sign);
    assert!(matches!(outcome, Err(PublishError::TaskId(_))), "{outcome:?}");
}

/// Only where the two folders are on different file systems does this show anything.
#[cfg(target_os = "linux")]
#[test]
fn a_run_on_another_file_system_publishes_too() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new(TREE);
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let device = |path: &std::path::Path| std::fs::metadata(path).unwrap().dev();
    if device(elsewhere.path()) == device(&fixture.root()) {
        return;
    }
    let workspace = fixture.workspace();
    let run = Dir::open_ambient_dir(elsewhere.path(), cap_std::ambient_authority()).unwrap();
    publish(&workspace, &run, &task("T1"), &changes(&workspace), &sign).unwrap();
    assert_eq!(tree(&fixture), AFTER.replace(".agent_memory ", ""));
    assert_eq!(std::fs::read_dir(elsewhere.path().join("staged/T1")).unwrap().count(), 0);
}

/// Deletes `conf` and writes `conf/main.cfg`; deletes all in `dir` and writes `dir`; and goes from `one` to `One`.
fn exchanges(workspace: &Workspace) -> Vec<StagedChange> {
    let all = ["conf/main.cfg", "conf", "dir", "dir/a", "dir/in/b", "one", "One"].map(path);
    let writable =
        Writable { write: BTreeSet::from(all.clone()), delete: BTreeSet::from(all.clone()), ..Writable::default() };
    let mut staging = Staging::new(workspace.clone(), "T1", writable, memory());
    for gone in ["conf", "dir/a", "dir/in/b", "one"] {
        staging.read(&path(gone)).unwrap();
        staging.delete(&path(gone)).unwrap();
    }
    for made in ["conf/main.cfg", "dir", "One"] {
        staging.write(&path(made), &format!("new {made}\n")).unwrap();
    }
    staging.changes()
}

const EXCHANGED: &str = "//- /conf\nc0\n//- /dir/a\na0\n//- /dir/in/b\nb0\n//- /one\no0\n";

fn exchanged(fixture: &Fixture) -> String {
    let names = ["conf", "conf/main.cfg", "dir", "dir/a", "dir/in/b", "one", "One"];
    let is_there = |name: &&&str| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        fixture.names(folder).iter().any(|there| there == file)
    };
    let shown =
        names.iter().filter(is_there).filter_map(|name| Some((name, String::from_utf8(fixture.read(name)?).unwrap())));
    shown.map(|(name, text)| format!("{name}={}", text.trim())).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_file_gives_way_to_a_folder_and_a_folder_to_a_file_whatever_comes_between() {
    let (before, after) =
        ("conf=c0 dir/a=a0 dir/in/b=b0 one=o0", "conf/main.cfg=new conf/main.cfg dir=new dir One=new One");
    let run_until = |fixture: &Fixture, steps: Steps<'_>| {
        let workspace = fixture.workspace();
        publish_in_steps(&workspace, &run_dir(&workspace), &task("T1"), &exchanges(&workspace), &sign, steps)
    };
    let fixture = Fixture::new(EXCHANGED);
    let mut steps = Vec::new();
    run_until(&fixture, &mut |step| {
        steps.push(step);
        Ok(())
    })
    .unwrap();
    assert_eq!(exchanged(&fixture), after);
    let journaled = steps.iter().position(|step| *step == Step::Journaled).unwrap();
    for (index, wanted) in steps.iter().enumerate() {
        let fixture = Fixture::new(EXCHANGED);
        run_until(&fixture, &mut |step| if step == *wanted { Err(Halt::Killed) } else { Ok(()) }).unwrap_err();
        let workspace = fixture.workspace();
        recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
        assert_eq!(exchanged(&fixture), if index >= journaled { after } else { before }, "killed at {wanted:?}");

        let fixture = Fixture::new(EXCHANGED);
        let failed = || Halt::Failed { what: "x".to_owned(), source: io::Error::other("disk full") };
        let outcome = run_until(&fixture, &mut |step| if step == *wanted { Err(failed()) } else { Ok(()) });
        assert!(matches!(outcome, Err(Stopped::Refused(PublishError::Io { .. }))), "{wanted:?}: {outcome:?}");
        if !matches!(wanted, Step::Journaled) {
            assert_eq!(exchanged(&fixture), before, "failed at {wanted:?}");
        }
    }
}

#[test]
fn what_a_person_puts_in_the_way_meanwhile_stays() {
    let fixture = Fixture::new(EXCHANGED);
    let workspace = fixture.workspace();
    let changes = exchanges(&workspace);
    fixture.write("dir/mine", b"mine\n");
    let outcome = publish(&workspace, &run_dir(&workspace), &task("T1"), &changes, &sign);
    assert!(matches!(&outcome, Err(PublishError::Conflict { paths }) if *paths == [path("dir")]), "{outcome:?}");
    assert_eq!(fixture.text("dir/mine"), "mine\n");
    assert_eq!(exchanged(&fixture), "conf=c0 dir/a=a0 dir/in/b=b0 one=o0");
}

#[cfg(unix)]
#[test]
fn a_file_moved_to_another_case_keeps_its_permission_bits() {
    let fixture = Fixture::new("//- /run.sh\nold\n");
    fixture.set_mode("run.sh", 0o750);
    let workspace = fixture.workspace();
    let before = workspace.read(&path("run.sh")).unwrap().unwrap();
    let gone = StagedChange {
        path: path("run.sh"),
        change_type: ChangeType::Deleted,
        mode: before.mode,
        owner: before.owner,
        before: Some(before),
        after: None,
        moved_from: None,
    };
    let come = StagedChange {
        path: path("Run.sh"),
        change_type: ChangeType::Created,
        before: None,
        after: Some(b"new\n".to_vec()),
        moved_from: Some(path("run.sh")),
        ..gone.clone()
    };
    // The user may have changed the bits since the file was read.
    fixture.set_mode("run.sh", 0o710);
    let published = publish(&workspace, &run_dir(&workspace), &task("T1"), &[gone, come], &sign).unwrap();
    assert_eq!((fixture.text("Run.sh").as_str(), fixture.mode("Run.sh")), ("new\n", 0o710));
    assert!(published.record.files.iter().all(|file| !file.fresh && file.mode == 0o710));
}

/// Shows something only where the temporary folder is on a disk that folds case (`TMPDIR` may name one).
#[test]
fn a_rename_in_case_is_a_move_where_the_disk_folds_case() {
    let (before, after) = (["foo.py"], ["Foo.py"]);
    let fixture = || Fixture::new("//- /src/foo.py\nold\n");
    if fixture().read("src/FOO.py").is_none() {
        skipped("this disk tells case apart, so there is no such move");
        return;
    }
    let (old, new) = (path("src/foo.py"), path("src/Foo.py"));
    let moved = |workspace: &Workspace, deleted_first: bool| {
        let writable = Writable {
            write: BTreeSet::from([new.clone()]),
            delete: BTreeSet::from([old.clone()]),
            ..Writable::default()
        };
        let mut staging = Staging::new(workspace.clone(), "T1", writable, memory());
        assert_eq!(staging.read(&new).unwrap().unwrap(), b"old\n");
        if deleted_first {
            staging.delete(&old).unwrap();
        }
        staging.write(&new, "old\n").unwrap();
        if !deleted_first {
            staging.delete(&old).unwrap();
        }
        assert_eq!(staging.read(&new).unwrap().unwrap(), b"old\n");
        staging.changes()
    };
    for deleted_first in [true, false] {
        let run_until = |fixture: &Fixture, steps: Steps<'_>| {
            let workspace = fixture.workspace();
            let changes = moved(&workspace, deleted_first);
            assert_eq!(changes.len(), 2);
            publish_in_steps(&workspace, &run_dir(&workspace), &task("T1"), &changes, &sign, steps)
        };
        let whole = fixture();
        let mut steps = Vec::new();
        run_until(&whole, &mut |step| {
            steps.push(step);
            Ok(())
        })
        .unwrap();
        assert_eq!(whole.names("src"), after);
        let journaled = steps.iter().position(|step| *step == Step::Journaled).unwrap();
        for (index, wanted) in steps.iter().enumerate() {
            let killed = fixture();
            run_until(&killed, &mut |step| if step == *wanted { Err(Halt::Killed) } else { Ok(()) }).unwrap_err();
            let workspace = killed.workspace();
            recover(&workspace, &run_dir(&workspace), &sign, &verify).unwrap();
            let expected = if index >= journaled { after } else { before };
            assert_eq!(
                (killed.names("src"), killed.text("src/foo.py").as_str()),
                (expected.map(str::to_owned).to_vec(), "old\n"),
                "{wanted:?}"
            );
            let failed = fixture();
            let halt = || Halt::Failed { what: "x".to_owned(), source: io::Error::other("disk full") };
            run_until(&failed, &mut |step| if step == *wanted { Err(halt()) } else { Ok(()) }).unwrap_err();
            if *wanted != Step::Journaled {
                assert_eq!(failed.names("src"), before, "failed at {wanted:?}");
            }
        }
    }
}
