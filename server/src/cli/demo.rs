//! `baton demo`: the whole workflow on a sample repository, replayed from a recorded run.

#![expect(clippy::disallowed_methods, reason = "the sample is a temporary folder of its own, which stays")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::failure::Failure;
use super::gate;
use super::output::{columns, exit_code_after, print, tell};
use super::progress::{Progress, Style};
use super::run::{EndReport, block_on, drive, exit_code};
use crate::config::Settings;
use crate::memory::Store;
use crate::models::{Models, Pace, Replay};
use crate::text;
use crate::workflow::{self, Approver, Changes, Editor, Gate, GateAnswer, Goal, Table};
use crate::workspace::Workspace;

const TASK: &str = include_str!("../../demo/task.md");
const TRANSCRIPT: &str = include_str!("../../demo/transcript.jsonl");

/// The sample repository, file by file.
const REPOSITORY: [(&str, &str); 11] = [
    (".gitignore", include_str!("../../demo/repo/.gitignore")),
    ("CONTRIBUTING.md", include_str!("../../demo/repo/CONTRIBUTING.md")),
    ("Cargo.lock", include_str!("../../demo/repo/Cargo.lock")),
    ("Cargo.toml", include_str!("../../demo/repo/Cargo.toml")),
    ("README.md", include_str!("../../demo/repo/README.md")),
    ("rustfmt.toml", include_str!("../../demo/repo/rustfmt.toml")),
    ("src/check.rs", include_str!("../../demo/repo/src/check.rs")),
    ("src/lib.rs", include_str!("../../demo/repo/src/lib.rs")),
    ("src/link.rs", include_str!("../../demo/repo/src/link.rs")),
    ("src/main.rs", include_str!("../../demo/repo/src/main.rs")),
    ("tests/check.rs", include_str!("../../demo/repo/tests/check.rs")),
];

const WHAT_WAS_REAL: &str = "The models' answers came from a prepared transcript, and so did the tokens and costs; the rest \
                             was real: the plan was checked, the edits published, the quotes of the review found in the \
                             files.";

/// Lines of the diff that are printed: few enough that the review stays on the screen.
const DIFF_LINES: usize = 70;

/// How fast the recording is replayed.
const PACE: Pace = Pace { factor: 0.04, longest_turn: Duration::from_millis(700) };

/// Run the demo in a new temporary folder, which is kept.
pub(super) fn demo(table: &'static Table) -> Result<u8, Failure> {
    let folder = sample_repository().map_err(|error| {
        Failure::failed(format!("cannot write the sample repository to {}: {error}", std::env::temp_dir().display()))
    })?;
    tell(&format!("A sample repository, in {}", folder.display()));
    tell(&format!("{}\n", text::paragraph("Its task: ", TASK.trim(), columns())));
    let workspace = Workspace::open(&folder).map_err(|error| Failure::failed(error.to_string()))?;
    let progress = Arc::new(Progress::new(Style::for_stderr(), &table.with(&[])));
    let approver = Arc::new(ShowAndApprove { progress: progress.clone() });
    let replay = Replay::parse(TRANSCRIPT, PACE).map_err(|error| Failure::failed(error.to_string()))?;
    let mut engine =
        workflow::open(workspace.clone(), Settings::default(), &|_| None, approver, Editor::default(), table)?;
    engine.models = Ok(Models::all(Arc::new(replay)));
    let (report, store) = (EndReport::of(&engine), engine.store.clone());
    let request = Goal::of_task(TASK.trim()).into();
    let end = block_on(drive(engine, request, None, Some(progress)))??;
    let changes = changes(&workspace, &store)?;
    let printed =
        print(&changes).and_then(|()| report.print_end_only(&end)).and_then(|()| print(&closing_text(&folder)));
    exit_code_after(exit_code(&end.1), printed)
}

/// Shows the gate as a person would see it, and approves.
struct ShowAndApprove {
    progress: Arc<Progress>,
}

#[async_trait]
impl Approver for ShowAndApprove {
    async fn ask(&self, gate: &Gate) -> GateAnswer {
        self.progress.suspend(|| {
            tell(&gate::as_text(gate));
            let words = "Nothing is written before you answer: approve, ask for changes, edit the plan or reject it.";
            tell(&text::paragraph("", words, columns()));
            tell("The demo approves.\n");
        });
        GateAnswer::Approve { tasks: None }
    }
}

fn changes(workspace: &Workspace, store: &Store) -> Result<String, Failure> {
    let changes = Changes::load(store, workspace).map_err(|error| Failure::failed(error.to_string()))?;
    let diff = changes.unified();
    let shown: Vec<&str> = diff.lines().take(DIFF_LINES).collect();
    let more = match diff.lines().count().saturating_sub(DIFF_LINES) {
        0 => String::new(),
        more => format!(
            "\n… {more} more lines; `baton diff` shows them there, `changes.diff` in the run's folder keeps them."
        ),
    };
    let files: Vec<String> = changes.files().map(|file| format!("  {}", file.summary())).collect();
    if files.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("\n{}{more}\n\nChanged:\n{}\n", super::diff::painted(&shown.join("\n")), files.join("\n")))
}

fn closing_text(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "\n{}\n\
         \n\
         Look around:  cd {folder}\n\
         \x20             baton diff · cargo test · cat .agent_memory/plan.md .agent_memory/review.json\n\
         Your turn:    baton run --task \"…\"   in a project of yours, with ANTHROPIC_API_KEY set",
        text::paragraph("", WHAT_WAS_REAL, columns())
    )
}

/// Write the sample repository, with one commit, so that `git diff` shows what the run changed.
fn sample_repository() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("baton-demo-{:08x}", fastrand::u32(..)));
    Dir::create_ambient_dir_all(&folder, ambient_authority())?;
    let dir = Dir::open_ambient_dir(&folder, ambient_authority())?;
    for (path, text) in REPOSITORY {
        if let Some((parent, _)) = path.rsplit_once('/') {
            dir.create_dir_all(parent)?;
        }
        dir.write(path, text)?;
    }
    commit(&folder).map_err(io::Error::other)?;
    Ok(folder)
}

fn commit(folder: &Path) -> Result<(), git2::Error> {
    let mut options = git2::RepositoryInitOptions::new();
    let repository = git2::Repository::init_opts(folder, options.initial_head("main"))?;
    let mut index = repository.index()?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = git2::Signature::now("Baton demo", "demo@localhost")?;
    repository.commit(Some("HEAD"), &author, &author, "A checker for links that lead nowhere", &tree, &[])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_sample_repository_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/repo");
        let walk = ignore::WalkBuilder::new(&root).hidden(false).require_git(false).build();
        let on_disk: BTreeSet<String> = walk
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
            .map(|entry| entry.path().strip_prefix(&root).unwrap().to_string_lossy().into_owned())
            .collect();
        let embedded: BTreeSet<String> = REPOSITORY.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, on_disk);
    }
}
