use git2::{Repository, Signature, Time};

use super::*;

fn commit(repository: &Repository, author: &str, message: &str) -> String {
    let author = Signature::new(author, "a@example.org", &Time::new(1_700_000_000, 0)).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], git2::IndexAddOption::FORCE, None).unwrap();
    index.update_all(["*"], None).unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents).unwrap().to_string()
}

/// Two commits, the first with secrets in files that are read today.
fn fixture() -> (Fixture, [String; 2]) {
    let fixture = Fixture::new(TREE);
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let repository = Repository::init(fixture.root()).unwrap();
    fixture.write("login.json", br#"{"type": "service_account", "private_key": "x"}"#);
    fixture.write("notes.txt", format!("use {token}\nold\n").as_bytes());
    fixture.write("a.bin", b"\0\x01");
    let first = commit(&repository, "Ada", "first\u{1b}[31m red");
    fixture.write("login.json", b"{}\n");
    fixture.write("notes.txt", b"new\n");
    let second = commit(&repository, "renovate[bot]", "second");
    (fixture, [first, second])
}

#[test]
fn a_file_is_read_as_a_commit_has_it_under_the_rules_of_today() {
    let (fixture, [first, _]) = fixture();
    let (toolbox, _) = implementer(&fixture, &["notes.txt"], &[]);
    let read = |file: &str, at: &str| json!({"path": file, "at": at});
    let old = ok(&toolbox, "read_file", read("notes.txt", "HEAD~1"));
    assert_eq!(
        old,
        format!("notes.txt at {}, 2 lines:\n    1\tuse <masked by Baton: GitHub token>\n    2\told\n", &first[..10])
    );
    assert!(error(&toolbox, "write_file", json!({"path": "notes.txt", "content": "x"})).contains("not read yet"));
    assert!(ok(&toolbox, "read_file", read("notes.txt", " ")).contains("new"), "blank is now");
    for (file, reason) in [
        ("login.json", "may hold secrets"),
        (".env", "may hold secrets"),
        ("target/out.rs", "is ignored by git's rules"),
        (".git/config", "never touched"),
        ("a.bin", "is a binary file"),
        ("gone.txt", "gone.txt is not in"),
        ("src", "src is a folder in"),
    ] {
        let told = error(&toolbox, "read_file", read(file, &first));
        assert!(told.contains(reason), "{file}: {told}");
    }
    assert!(error(&toolbox, "read_file", read("notes.txt", "HEAD:.env")).contains("names no commit here"));
    let without = Fixture::new(TREE);
    assert!(
        error(&reader(&without), "read_file", read("src/lib.rs", "HEAD"))
            .starts_with("there is no git repository here")
    );
}

#[test]
fn the_log_tells_the_last_commits() {
    let (fixture, [first, _]) = fixture();
    let reader = reader(&fixture);
    let expected = format!("{} 2023-11-14 Ada: first red (", &first[..10]);
    for input in [json!({}), json!({"path": "notes.txt"}), json!({"path": "."})] {
        let told = ok(&reader, "log", input.clone());
        assert!(
            told.starts_with(&expected) && told.ends_with(" files)\n(1 commit by a bot is left out)\n"),
            "{input}: {told}"
        );
    }
    assert_eq!(ok(&reader, "log", json!({"path": "nowhere"})), "No commit of nowhere was found.\n");
    assert!(error(&reader, "log", json!({"path": ".env"})).contains("may hold secrets"));
    assert!(error(&reader, "log", json!({"path": "../x"})).contains("leaves the workspace"));
}

#[test]
fn the_log_does_not_name_the_secret_that_a_file_was() {
    let fixture = Fixture::new("//- /old.txt\n1\n2\n3\n//- /x.env\na\nb\nc\n");
    let repository = Repository::init(fixture.root()).unwrap();
    commit(&repository, "Ada", "first");
    for (from, to, text) in [("old.txt", "new.txt", "1\n2\n3\n"), ("x.env", "plain.txt", "a\nb\nc\n")] {
        fixture.remove(from);
        fixture.write(to, text.as_bytes());
    }
    commit(&repository, "Ada", "second");
    let told = |path: &str| ok(&reader(&fixture), "log", json!({ "path": path }));
    assert!(told("new.txt").contains("renamed from old.txt)"), "{}", told("new.txt"));
    assert!(
        told("plain.txt").contains("Ada: second (") && !told("plain.txt").contains(".env"),
        "{}",
        told("plain.txt")
    );
}

#[test]
fn a_reviewer_reads_what_was_changed_since_the_review_before() {
    let fixture = Fixture::new(TREE);
    let diffs = |name: &str| vec![(path(name), format!("--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-a\n+b\n"))];
    let reviewer = Toolbox::reviewer(fixture.workspace(), memory(), diffs("a"));
    let told = error(&reviewer, "read_diff", json!({"since": "review"}));
    assert_eq!(told, "There was no review before this one; leave since out to see all that was changed.");
    assert!(error(&reviewer, "read_diff", json!({"since": "HEAD"})).starts_with("since can only be \"review\""));
    let again = reviewer.since_review(Some(diffs("b")));
    assert_eq!(
        ok(&again, "read_diff", json!({"since": "review"})),
        "--- a/b\n+++ b/b\n@@ -1 +1 @@\n     \t-a\n    1\t+b\n"
    );
    assert!(ok(&again, "read_diff", json!({})).starts_with("--- a/a\n"));
    let unchanged = again.since_review(Some(Vec::new()));
    assert_eq!(
        ok(&unchanged, "read_diff", json!({"since": "review"})),
        "Nothing was changed since the review before.\n"
    );
}
