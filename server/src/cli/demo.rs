//! `baton demo`: the whole workflow on a sample repository, replayed from a recorded run; or the sample alone, to work on in
//! an editor.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::args::DemoArgs;
use super::failure::Failure;
use super::gate;
use super::output::{columns, exit_code_after, message_lines, print, tell};
use super::progress::{Progress, Style};
use super::run::{EndReport, drive, exit_code};
use super::runtime::block_on;
use crate::config::{self, Settings};
use crate::memory::Store;
use crate::models::{Models, Pace, Replay};
use crate::text;
use crate::workflow::{self, Approver, Changes, Editor, Gate, GateAnswer, Goal, Table};
use crate::workspace::{SAMPLE_TASK, SampleError, Workspace, prepare_sample, sample_repository};

const TRANSCRIPT: &str = include_str!("../../demo/transcript.jsonl");

const WHAT_WAS_REAL: &str = "The models' answers came from a prepared transcript, and so did the tokens and costs; the rest \
                             was real: the plan was checked, the edits published, the quotes of the review found in the \
                             files.";

const HOW_TO_GO_ON: &str = "A sample with a task, whose answers are recorded: no key, no network, no cost. Open it in your \
                            editor and start the workflow, or run `baton run` in it.";

/// Lines of the diff that are printed: few enough that the review stays on the screen.
const DIFF_LINES: usize = 70;

/// How fast the recording is replayed.
const PACE: Pace = Pace { factor: 0.04, longest_turn: Duration::from_millis(700) };

/// Run the demo, or make the sample that it is run on.
pub(super) fn demo(table: &'static Table, args: DemoArgs) -> Result<u8, Failure> {
    match args.prepare {
        Some(folder) => prepare(folder),
        None => play(table),
    }
}

/// Make a sample to work on, and print its folder.
fn prepare(folder: Option<PathBuf>) -> Result<u8, Failure> {
    let made = prepare_sample(folder, &config::temporary_folder(), config::has_program("cargo"));
    let folder = made.map_err(|error| match &error {
        SampleError::Taken(_) => Failure::usage(error.to_string()),
        SampleError::Io { .. } => Failure::failed(error.to_string()),
    })?;
    let printed = print(&folder.display().to_string());
    tell(&text::paragraph("", HOW_TO_GO_ON, columns()));
    exit_code_after(0, printed)
}

/// Run the demo in a new temporary folder, which is kept.
fn play(table: &'static Table) -> Result<u8, Failure> {
    let folder = sample_repository(&config::temporary_folder()).map_err(|error| Failure::failed(error.to_string()))?;
    tell(&format!("A sample repository, in {}", folder.display()));
    tell(&format!("{}\n", text::paragraph("Its task: ", SAMPLE_TASK.trim(), columns())));
    let workspace = Workspace::open(&folder).map_err(|error| Failure::failed(error.to_string()))?;
    let progress = Arc::new(Progress::new(Style::for_stderr(), &table.with(&[])));
    let approver = Arc::new(ShowAndApprove { progress: progress.clone() });
    let replay = Replay::parse(TRANSCRIPT, PACE).map_err(|error| Failure::failed(error.to_string()))?;
    let mut engine =
        workflow::open(workspace.clone(), Settings::default(), &|_| None, approver, Editor::default(), table)?;
    engine.models = Ok(Models::all(Arc::new(replay)));
    let (report, store) = (EndReport::of(&engine), engine.store.clone());
    let request = Goal::of_task(SAMPLE_TASK.trim()).into();
    let end = block_on(drive(engine, request, None, Some(progress)))??;
    let changes = changes(&workspace, &store)?;
    let printed = print(&changes)
        .and_then(|()| report.print_end_only(&end))
        .and_then(|()| print(&message_lines(&closing_text(&folder)).join("\n")));
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
         Your turn:    baton run \"…\"   in a project of yours, with ANTHROPIC_API_KEY set",
        text::paragraph("", WHAT_WAS_REAL, columns())
    )
}
