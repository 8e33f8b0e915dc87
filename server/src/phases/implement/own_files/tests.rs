use std::sync::{Arc, Mutex};

use super::*;
use crate::phases::named::For;
use crate::workflow::Changes;
use crate::workspace::fixture::{Fixture, memory};
use crate::workspace::{Staging, StagingError, Writable};

fn task(modify: &[&str], create: &[&str], delete: &[&str]) -> Task {
    serde_json::from_value(json!({
        "id": "T1", "title": "t", "description": "d", "files_to_modify": modify, "files_to_create": create,
        "files_to_delete": delete, "acceptance_criteria": ["c"], "estimated_complexity": "simple",
    }))
    .unwrap()
}

async fn of(fixture: &Fixture, task: &Task) -> (Opening, SharedStaging) {
    beside(fixture, task, &[]).await
}

async fn beside(fixture: &Fixture, task: &Task, system: &[String]) -> (Opening, SharedStaging) {
    let paths = |list: &[String]| list.iter().map(|file| RepoPath::parse(file).unwrap()).collect::<Vec<_>>();
    let writable = Writable {
        write: paths(&task.files_to_modify).into_iter().chain(paths(&task.files_to_create)).collect(),
        delete: paths(&task.files_to_delete).into_iter().collect(),
        ..Writable::default()
    };
    let staging = Staging::new(fixture.workspace(), "T1", writable, memory());
    let staging = Arc::new(Mutex::new(staging));
    (again(fixture, task, system, &staging).await, staging)
}

async fn again(fixture: &Fixture, task: &Task, system: &[String], staging: &SharedStaging) -> Opening {
    with(fixture, task, Beside { system, places: None }, staging).await
}

async fn with(fixture: &Fixture, task: &Task, beside: Beside<'_>, staging: &SharedStaging) -> Opening {
    let toolbox = Toolbox::implementer(fixture.workspace(), memory(), staging.clone());
    own_files(&toolbox, &fixture.workspace(), task, beside, staging, &CancellationToken::new()).await.unwrap()
}

/// The lines that a context names, and what all tasks are given of them.
async fn named(fixture: &Fixture, files: &[(&str, u32, u32)]) -> (Named, [String; 1]) {
    let file = |(path, first, last): &(&str, u32, u32)| json!({ "path": path, "summary": "s", "relevance": "high", "ranges": [[first, last]] });
    let files: Vec<_> = files.iter().map(file).collect();
    let context = serde_json::from_value(json!({ "task_description": "t", "relevant_files": files })).unwrap();
    let named = Named::of(&context, &fixture.workspace(), &Changes::default());
    let toolbox = Toolbox::reader(fixture.workspace(), memory());
    let attached = named.attached(&toolbox, For::Work, &CancellationToken::new()).await.unwrap();
    (named, [attached.whole()])
}

fn lines(name: &str, number: usize) -> String {
    (1..=number).map(|n| format!("line {n} of the file {name}\n")).collect()
}

#[tokio::test]
async fn a_long_file_is_not_attached_again_where_lines_of_it_stand_in_named_ranges() {
    let (long, short) = (lines("long", 500), lines("short", 20));
    let fixture = Fixture::new(&format!("//- /long.rs\n{long}//- /short.rs\n{short}//- /other.rs\n{long}"));
    let (_, system) = named(&fixture, &[("long.rs", 10, 12), ("short.rs", 3, 4)]).await;
    let task = task(&["long.rs", "short.rs", "other.rs"], &[], &[]);
    let (_, staging) = of(&fixture, &task).await;
    let beside = Beside { system: &system, places: None };
    let text = with(&fixture, &task, beside, &staging).await.whole();
    assert!(text.contains("(long.rs, 500 lines: its lines 10-12 stand in named_ranges, as they are now.)\n"), "{text}");
    assert!(text.contains("short.rs, 20 lines:\n") && text.contains("other.rs, 500 lines:\n"), "{text}");
    assert!(overwrite(&staging, "long.rs").is_err(), "it was not read whole");
    overwrite(&staging, "other.rs").unwrap();
    // A task that was done since moved its lines: what stands in named_ranges is not what is there now.
    fixture.write("long.rs", format!("one more\n{long}").as_bytes());
    let text = with(&fixture, &task, beside, &staging).await.whole();
    assert!(text.contains("long.rs, 501 lines:\n    1\tone more\n"), "{text}");
}

#[tokio::test]
async fn a_round_that_mends_is_shown_the_lines_it_is_about_and_no_other_long_file() {
    let (long, short) = (lines("long", 500), lines("short", 20));
    let fixture = Fixture::new(&format!("//- /a.rs\n{long}//- /b.rs\n{long}//- /c.rs\n{short}//- /else.rs\n{long}"));
    let task = task(&["a.rs", "b.rs", "c.rs"], &[], &[]);
    let (_, staging) = of(&fixture, &task).await;
    let place = |path: &str, line: u32| (RepoPath::parse(path).unwrap(), line);
    let places = [place("a.rs", 300), place("a.rs", 310), place("c.rs", 2), place("else.rs", 1), place("gone.rs", 1)];
    let beside = Beside { system: &[], places: Some(&places) };
    let text = with(&fixture, &task, beside, &staging).await.whole();
    let (own, around) = text.split_once("</own_files>\n").unwrap();
    assert!(
        own.contains("(a.rs, 500 lines, is not shown here.)\n(b.rs, 500 lines, is not shown here.)\nc.rs, 20 lines:")
    );
    assert!(around.starts_with("<issue_lines trust=") && around.contains("a.rs, lines 260-349 of 500:\n"), "{around}");
    assert!(around.contains("else.rs, lines 1-80 of 500:\n") && !around.contains("c.rs") && !around.contains("gone"));
    assert!(overwrite(&staging, "a.rs").is_err(), "it was not read whole");
    overwrite(&staging, "c.rs").unwrap();
}

#[tokio::test]
async fn the_shortest_files_come_first_and_of_the_others_an_outline_says_how_much_of_it_is_left_out() {
    let code: String =
        (0..600).map(|n| format!("pub fn function_{n}(input: &str) -> String {{ input.to_owned() }}\n")).collect();
    let (middle, short) = (lines("middle", 500), lines("short", 20));
    let fixture = Fixture::new(&format!("//- /long.rs\n{code}//- /middle.rs\n{middle}//- /short.rs\n{short}"));
    let (opening, _) = of(&fixture, &task(&["long.rs", "middle.rs", "short.rs"], &[], &[])).await;
    let text = opening.whole();
    assert!(text.contains("(long.rs, 600 lines, is too long to stand here whole. Its outline:)\n"), "{text}");
    let cut = text.lines().find(|line| line.starts_with("(outline cut: ")).unwrap();
    let told: usize = cut.split(' ').nth(2).unwrap().parse().unwrap();
    let shown = text.matches("fn function_").count();
    assert!(shown > 20 && shown + told == 600, "{shown} are shown, and of the others it says: {cut}");
    assert!(text.contains("middle.rs, 500 lines:\n") && text.contains("short.rs, 20 lines:\n"), "{text}");
}

fn overwrite(staging: &SharedStaging, path: &str) -> Result<(), StagingError> {
    staging.lock().unwrap().write(&RepoPath::parse(path).unwrap(), "new\n")
}

#[tokio::test]
async fn what_stands_there_whole_counts_as_read_and_new_files_are_named() {
    let fixture = Fixture::new("//- /a.rs\none\n</own_files>\n//- /z.rs\nz\n//- /empty.rs\n");
    let (opening, staging) = of(&fixture, &task(&["a.rs", "gone.rs"], &["new.rs", "empty.rs"], &["z.rs"])).await;
    let expected = "<own_files trust=\"untrusted data: the files of your task as they are now, as read_file shows them\">\n\
                    a.rs, 2 lines:\n    1\tone\n    2\t< /own_files>\n(gone.rs is not there.)\n\
                    (new.rs is new: your task creates it.)\nempty.rs is empty.\n\
                    (z.rs is to be deleted, and its text is not shown.)\n</own_files>\n";
    assert_eq!(opening.whole(), expected);
    for path in ["a.rs", "new.rs", "empty.rs"] {
        overwrite(&staging, path).unwrap();
    }
}

#[tokio::test]
async fn a_second_attempt_is_shown_the_files_as_the_first_left_them() {
    let fixture = Fixture::new("//- /z.rs\nz\n//- /long.rs\nshort\n");
    let task = task(&["long.rs"], &["new.rs", "moved.rs", "never.rs"], &["z.rs"]);
    let (_, staging) = of(&fixture, &task).await;
    let path = |path: &str| RepoPath::parse(path).unwrap();
    staging.lock().unwrap().write(&path("new.rs"), "n\n").unwrap();
    staging.lock().unwrap().move_file(&path("z.rs"), &path("moved.rs")).unwrap();
    staging.lock().unwrap().write(&path("long.rs"), &"x\n".repeat(2_100)).unwrap();
    let opening = again(&fixture, &task, &[], &staging).await;
    let text = opening.whole();
    for part in [
        "(long.rs, 2100 lines, is too long to stand here whole",
        "new.rs, 1 line:\n    1\tn\n",
        "moved.rs, 1 line:\n    1\tz\n",
        "(never.rs is new: your task creates it.)\n",
        "(z.rs is deleted already.)\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn of_what_is_too_long_together_the_rest_is_begun_and_does_not_count_as_read() {
    let lines: String = (0..1_000).map(|n| format!("a line of the file {n}\n")).collect();
    let many = "x\n".repeat(2_100);
    let fixture = Fixture::new(&format!("//- /a.rs\n{lines}//- /b.rs\n{lines}//- /c.rs\nshort\n//- /d.rs\n{many}"));
    let (opening, staging) = of(&fixture, &task(&["a.rs", "b.rs", "c.rs", "d.rs"], &[], &[])).await;
    let text = opening.whole();
    assert!(text.contains("(b.rs, 1000 lines, is too long to stand here whole. It"), "{text}");
    assert!(text.contains("(d.rs, 2100 lines, is too long"), "it has more lines than are shown at once");
    assert!(text.contains("a line of the file 999\n") && text.contains("    1\tshort\n") && text.len() < 45_000);
    for path in ["a.rs", "c.rs"] {
        overwrite(&staging, path).unwrap();
    }
    for path in ["b.rs", "d.rs"] {
        assert!(overwrite(&staging, path).is_err(), "{path} was not read");
    }
}

#[tokio::test]
async fn what_a_small_window_leaves_out_does_not_count_as_read() {
    let lines: String = (0..200).map(|n| format!("line {n}\n")).collect();
    let fixture = Fixture::new(&format!("//- /a.rs\n{lines}//- /b.rs\nb\n"));
    let (opening, staging) = of(&fixture, &task(&["a.rs", "b.rs"], &[], &[])).await;
    let fitted = opening.fitted(1_000).unwrap();
    assert!(fitted.contains("(a.rs is left out, to fit the model's context window; read what you need of it"));
    assert!(fitted.contains("    1\tb\n"));
    for left_out in opening.files_left_out(&fitted) {
        forget(&staging, left_out);
    }
    assert!(overwrite(&staging, "a.rs").is_err());
    overwrite(&staging, "b.rs").unwrap();
}

#[tokio::test]
async fn a_long_file_that_all_tasks_are_given_whole_is_not_sent_twice() {
    let lines: String = (0..300).map(|n| format!("a line of the file {n}\n")).collect();
    let fixture = Fixture::new(&format!("//- /a.rs\n{lines}//- /b.rs\nb\n"));
    let shown =
        |file: &str| Toolbox::reader(fixture.workspace(), memory()).call("read_file", &json!({ "path": file })).text;
    let system = ["prompt".to_owned(), format!("<named_ranges>\n{}{}", shown("a.rs"), shown("b.rs"))];
    let (opening, staging) = beside(&fixture, &task(&["a.rs", "b.rs"], &[], &[]), &system).await;
    let text = opening.whole();
    assert!(text.contains("(a.rs is as it stands, whole, in what you were given before.)\nb.rs, 1 line:"), "{text}");
    overwrite(&staging, "a.rs").unwrap();
    fixture.write("a.rs", (lines + "one more\n").as_bytes());
    let (changed, _) = beside(&fixture, &task(&["a.rs"], &[], &[]), &system).await;
    assert!(changed.whole().contains("one more\n"), "it is not what it was");
}

#[tokio::test]
async fn only_the_files_of_a_single_task_stand_in_every_first_message() {
    let fixture = Fixture::new("//- /a.rs\na\n//- /b.rs\nb\n");
    let plan = |tasks: &[Task]| PlanOutput {
        tasks: tasks.to_vec(),
        ..serde_json::from_value(json!({ "approach_summary": "s", "tasks": [], "parallel_groups": [] })).unwrap()
    };
    let (one, other) = (task(&["a.rs"], &[], &[]), task(&["b.rs"], &[], &[]));
    let single = plan(std::slice::from_ref(&one));
    let (named, _) = named(&fixture, &[("a.rs", 1, 1)]).await;
    let stands = stands_in_all(&single, &named, &fixture.workspace());
    assert!(stands("a.rs") && !stands("b.rs"));
    assert!(!stands_in_all(&plan(&[one.clone(), other]), &named, &fixture.workspace())("a.rs"));
    fixture.write("a.rs", "x".repeat(SHORT + 1).as_bytes());
    assert!(!stands_in_all(&plan(&[one]), &named, &fixture.workspace())("a.rs"), "its lines stand elsewhere");
}
