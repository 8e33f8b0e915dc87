//! The tool `outline`, and what edits say of texts that no longer parse.

use async_trait::async_trait;

use super::*;
use crate::outline::{Definition, EditorSymbols, Kind};
use crate::tools::outline::{MOST_MAP, MOST_TEXT, of_folder};

#[test]
fn a_file_has_its_definitions_with_lines() {
    let fixture = Fixture::new(TREE);
    let reader = reader(&fixture);
    check(
        &reader,
        "outline",
        json!({"path": "src/main.rs"}),
        expect![[r#"
            src/main.rs, Rust, 4 lines:
            1-4	fn main() {
        "#]],
    );
    check(
        &reader,
        "outline",
        json!({"path": "docs/guide.md"}),
        expect![[r#"
            docs/guide.md, Markdown, 1 line:
            1-1	# Guide
        "#]],
    );
}

#[test]
fn a_folder_has_what_fits_the_task_first_and_nothing_ignored_or_secret() {
    let fixture = Fixture::new(TREE);
    fixture.write("src/key.rs", br#"{"type": "service_account", "private_key": "stolen"}"#);
    let about = |task: &str| About { task: task.to_owned(), ..About::default() };
    let text = ok(&reader(&fixture).about(about("Let main print the guide")), "outline", json!({"path": "src"}));
    assert!(text.starts_with("src: "), "{text}");
    assert!(
        text.contains("\nsrc/main.rs (4 lines)\n  1-4 function main\nsrc/lib.rs (3 lines)\n  1-3 function one\n"),
        "{text}"
    );
    let text = ok(&reader(&fixture).about(about("one")), "outline", json!({}));
    assert!(text.find("src/lib.rs") < text.find("src/main.rs"), "{text}");
    for hidden in ["target", "KEY", ".env", "stolen", "key.rs"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    error(&reader(&fixture), "outline", json!({"path": ".env"}));
    error(&reader(&fixture), "outline", json!({"path": "src/key.rs"}));
    error(&reader(&fixture), "outline", json!({"path": "nowhere"}));
}

#[test]
fn what_has_no_outline_says_what_to_do_instead() {
    let fixture = Fixture::new("//- /a.txt\nx\n//- /a.rs\n// nothing\n");
    let reader = reader(&fixture);
    fixture.write("large.rs", "fn f() {}\n".repeat(120_000).as_bytes());
    fixture.write("binary.rs", b"\0\x01\x02");
    let told = error(&reader, "outline", json!({"path": "a.txt"}));
    assert!(told.contains("no language that outlines are made of") && told.contains("read_file"), "{told}");
    let told = error(&reader, "outline", json!({"path": "large.rs"}));
    assert!(told.contains("larger than 1024 KiB"), "{told}");
    assert!(error(&reader, "outline", json!({"path": "binary.rs"})).contains("binary"));
    assert_eq!(ok(&reader, "outline", json!({"path": "a.rs"})), "a.rs (Rust, 1 line) has no definitions.\n");
    assert!(ok(&reader, "outline", json!({})).contains("large.rs (120000 lines)"));
}

#[test]
fn an_implementer_sees_its_own_changes_and_has_read_nothing_by_that() {
    let fixture = Fixture::new(TREE);
    let (toolbox, _) = implementer(&fixture, &["src/new.rs", "src/lib.rs"], &[]);
    ok(&toolbox, "outline", json!({"path": "src/lib.rs"}));
    let refused = error(&toolbox, "write_file", json!({"path": "src/lib.rs", "content": "x"}));
    assert!(refused.contains("not read yet"), "{refused}");
    ok(&toolbox, "write_file", json!({"path": "src/new.rs", "content": "fn brand_new() {}\n"}));
    assert!(ok(&toolbox, "outline", json!({"path": "src/new.rs"})).contains("1-1\tfn brand_new() {}"));
    assert!(
        ok(&toolbox, "outline", json!({"path": "src"})).contains("src/new.rs (1 line)\n  1-1 function brand_new\n")
    );
}

#[test]
fn an_edit_after_which_a_file_does_not_parse_says_so_at_once() {
    let fixture = Fixture::new("//- /a.rs\nfn one() {\n    1;\n}\n//- /broken.rs\nfn one() {\n//- /a.txt\n{\n");
    let (toolbox, _) = implementer(&fixture, &["a.rs", "broken.rs", "a.txt", "new.rs"], &[]);
    for file in ["a.rs", "broken.rs", "a.txt"] {
        ok(&toolbox, "read_file", json!({"path": file}));
    }
    let edit = |path: &str, old: &str, new: &str| {
        ok(&toolbox, "edit_file", json!({"path": path, "old_text": old, "new_text": new}))
    };
    let told = edit("a.rs", "    1;\n}", "    1;");
    assert!(told.contains("a.rs no longer parses as Rust, as it did before your edits:\n  line "), "{told}");
    let told = edit("a.rs", "    1;", "    2;");
    assert!(told.contains("no longer parses"), "as long as it is so: {told}");
    assert!(!edit("a.rs", "    2;", "    2;\n}").contains("parses"));
    let told = ok(&toolbox, "write_file", json!({"path": "a.rs", "content": "fn one( {}\n"}));
    assert!(told.contains("a.rs no longer parses as Rust"), "{told}");
    // What did not parse before, or is in no language that is known, or is new, is nobody's fault.
    assert!(!edit("broken.rs", "one", "two").contains("parses"));
    assert!(!edit("a.txt", "{", "{{").contains("parses"));
    assert!(!ok(&toolbox, "write_file", json!({"path": "new.rs", "content": "fn ("})).contains("parses"));
}

#[test]
fn the_map_of_a_large_folder_stays_within_its_files_and_bytes_and_says_so() {
    let fixture = Fixture::new("//- /a.rs\nfn a() {}\n//- /b.rs\nfn b() {}\n//- /c.rs\nfn c() {}\n");
    let toolbox = reader(&fixture);
    let text = of_folder(&toolbox, None, 2).unwrap();
    assert!(text.starts_with("the workspace: 2 files, the first 2 of more; first what matters most:\n"), "{text}");
    assert_eq!(text.matches(" function ").count(), 2, "{text}");
    let text = of_folder(&toolbox, None, 3).unwrap();
    assert!(text.starts_with("the workspace: 3 files; first"), "{text}");
    for file in 0..200 {
        let functions = (0..20).map(|number| format!("pub fn function_{file}_{number}() {{}}\n")).collect::<String>();
        fixture.write(&format!("src/file_{file}.rs"), functions.as_bytes());
    }
    let text = ok(&toolbox, "outline", json!({}));
    let (head, map) = text.split_once('\n').unwrap();
    assert!(head.starts_with("the workspace: 203 files; "), "{head}");
    let (notes, shown): (Vec<&str>, Vec<&str>) = map.lines().partition(|line| line.contains(" not shown: "));
    let size = shown.iter().map(|line| line.len() + 1).sum::<usize>();
    assert!(notes.len() == 1 && (MOST_MAP / 2..=MOST_MAP).contains(&size), "{size} {notes:?}");
}

#[test]
fn of_too_many_definitions_of_a_file_the_deepest_are_left_out_and_counted() {
    let fixture = Fixture::new("//- /a.rs\n\n");
    let functions = |indent: &str| (0..3_000).map(|n| format!("{indent}fn function_{n}() {{}}\n")).collect::<String>();
    fixture.write("a.rs", format!("impl A {{\n{}}}\nfn last() {{}}\n", functions("    ")).as_bytes());
    let text = ok(&reader(&fixture), "outline", json!({"path": "a.rs"}));
    let expected = "a.rs, Rust, 3003 lines:\n1-3002\timpl A {\n3003-3003\tfn last() {}\n3000 more definitions left out, in lines \
                    2-3001; read those lines, or find names with search.\n";
    assert_eq!(text, expected);
    fixture.write("a.rs", functions("").as_bytes());
    let text = ok(&reader(&fixture), "outline", json!({"path": "a.rs"}));
    let shown = text.lines().filter(|line| line.contains("\tfn ")).count();
    let told =
        format!("\n{} more definitions left out, in lines {}-3000; read those lines, or", 3_000 - shown, shown + 1);
    assert!(text.contains(&told), "{}", &text[text.len() - 200..]);
    assert!((MOST_TEXT - 100..MOST_TEXT + 200).contains(&text.len()), "{}", text.len());
}

#[test]
fn a_definition_has_what_stands_before_it_its_name_once_and_its_fields_where_it_is_long() {
    let comment = "    /// Of it.\n".repeat(60);
    let fixture = Fixture::new(&format!(
        "//- /a.rs\n/// Of A.\n#[derive(Debug)]\nstruct A {{\n{comment}    #[serde(default)]\n    pub b: u8,\n}}\n\nimpl A {{\n    // \
         Why.\n    #[cfg(all(unix, not(target_os = \"macos\")))]\n    pub fn c(&self) {{}}\n}}\n//- /a.go\npackage a\n\n// B is \
         it.\nfunc (a *A) B() {{}}\n"
    ));
    let text = ok(&reader(&fixture), "outline", json!({"path": "a.rs"}));
    let expected = "a.rs, Rust, 72 lines:\n1-66\tstruct A {\n4-65\t  pub b: u8,\n68-72\timpl A {\n69-71\t  #[cfg(all(unix, \
                    not(target_os = \"macos\")))] pub fn c(&self) {}\n";
    assert_eq!(text, expected);
    let text = ok(&reader(&fixture), "outline", json!({"path": "a.go"}));
    assert_eq!(text, "a.go, Go, 4 lines:\n3-4\tfunc (a *A) B() {}\n");
}

/// An editor that says the same of each file.
#[derive(Debug)]
struct Knows {
    /// `None` never answers.
    answer: Option<Option<Vec<Definition>>>,
    asked: Mutex<Vec<String>>,
}

impl Knows {
    fn new(answer: Option<Option<Vec<Definition>>>) -> Arc<Self> {
        Arc::new(Self { answer, asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl EditorSymbols for Knows {
    async fn of(&self, file: &RepoPath) -> Option<Vec<Definition>> {
        self.asked.lock().unwrap().push(file.to_string());
        match &self.answer {
            Some(answer) => answer.clone(),
            None => std::future::pending().await,
        }
    }
}

fn made_by_macro(last: usize) -> Definition {
    Definition { name: "made".to_owned(), kind: Kind::Function, lines: 1..=last, name_line: 1, depth: 0 }
}

async fn outlined(toolbox: &Toolbox, editor: &Arc<Knows>, path: &str) -> String {
    let toolbox = toolbox.clone().about(About { editor: Some(editor.clone()), ..About::default() });
    toolbox.call_aside("outline", &json!({ "path": path }), &CancellationToken::new()).await.unwrap().text
}

#[tokio::test]
async fn an_editor_that_knows_the_definitions_of_a_file_is_believed() {
    let fixture = Fixture::new("//- /a.rs\nmake!(made);\nfn two() {}\n//- /a.unknown\nmake made\n//- /a.md\n# A\n");
    let toolbox = reader(&fixture);
    let knows = Knows::new(Some(Some(vec![made_by_macro(1)])));
    assert_eq!(outlined(&toolbox, &knows, "a.rs").await, "a.rs, Rust, 2 lines:\n1-1\tmake!(made);\n");
    assert_eq!(outlined(&toolbox, &knows, "a.unknown").await, "a.unknown, 1 line:\n1-1\tmake made\n");
    assert_eq!(outlined(&toolbox, &knows, "a.md").await, "a.md, Markdown, 1 line:\n1-1\t# A\n");
    assert_eq!(knows.asked(), ["a.rs", "a.unknown"]);
}

#[tokio::test]
async fn an_editor_that_knows_nothing_or_of_another_text_or_hangs_is_not_believed() {
    let fixture = Fixture::new("//- /a.rs\nmake!(made);\nfn two() {}\n");
    let toolbox = reader(&fixture);
    let on_line = |line| Definition { name_line: line, ..made_by_macro(2) };
    let none = Definition { lines: 0..=0, name_line: 0, ..made_by_macro(1) };
    let answers = [None, Some(vec![]), Some(vec![made_by_macro(3)]), Some(vec![on_line(3)]), Some(vec![none])];
    for answer in answers.into_iter().map(Some).chain([None]) {
        let knows = Knows::new(answer);
        let told = outlined(&toolbox, &knows, "a.rs").await;
        assert_eq!(told, "a.rs, Rust, 2 lines:\n2-2\tfn two() {}\n");
        assert_eq!(knows.asked(), ["a.rs"]);
    }
}

#[tokio::test]
async fn an_editor_is_not_asked_for_what_a_task_changed_or_may_not_be_read() {
    let fixture = Fixture::new(TREE);
    let (toolbox, _) = implementer(&fixture, &["src/new.rs"], &[]);
    ok(&toolbox, "write_file", json!({"path": "src/new.rs", "content": "fn brand_new() {}\n"}));
    let knows = Knows::new(Some(Some(vec![made_by_macro(1)])));
    assert!(outlined(&toolbox, &knows, "src/new.rs").await.contains("\tfn brand_new() {}"));
    for hidden in [".env", "nowhere.rs"] {
        assert!(!outlined(&toolbox, &knows, hidden).await.contains("made"), "{hidden}");
    }
    assert_eq!(knows.asked(), [""; 0]);
    assert!(outlined(&toolbox, &knows, "src/lib.rs").await.contains("function made"));
}
