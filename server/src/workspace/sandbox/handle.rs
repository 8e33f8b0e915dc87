//! Which level there is, and a job at that level.

use tokio_util::sync::CancellationToken;

#[cfg(target_os = "linux")]
use super::confined::{Confined, NOT_STOPPED};
use super::job::{Job, Place, Ran, SandboxWish};
use super::output::Output;
use super::process::{not_run, run_plain};
#[cfg(target_os = "linux")]
use super::view::View;
use crate::contracts::{RepoPath, SandboxLevel};
use crate::workspace::Workspace;

/// Where commands run. Found once a run.
#[derive(Debug, Clone)]
pub struct Sandbox {
    workspace: Workspace,
    memory_dir: RepoPath,
    wish: SandboxWish,
    level: Level,
    /// Why there is no better level; empty for the best.
    why: String,
}

#[derive(Debug, Clone)]
enum Level {
    #[cfg(target_os = "linux")]
    View(View),
    #[cfg(target_os = "linux")]
    Landlock(Confined),
    None,
}

impl Sandbox {
    /// Finds the best level, by doing the whole set-up once with `true` as the command.
    pub async fn find(workspace: &Workspace, wish: SandboxWish, cancel: &CancellationToken) -> Self {
        let memory_dir = usual_memory_dir();
        let (level, why) = match wish {
            SandboxWish::Off => (Level::None, "switched off by `sandbox = \"off\"`".to_owned()),
            SandboxWish::Auto | SandboxWish::Require => best(workspace, &memory_dir, cancel).await,
        };
        Self { workspace: workspace.clone(), memory_dir, wish, level, why }
    }

    /// The same with another memory folder than `.agent_memory`: no command sees it.
    #[must_use]
    pub fn with_memory_dir(self, memory_dir: &RepoPath) -> Self {
        Self { memory_dir: memory_dir.clone(), ..self }
    }

    /// The level.
    pub fn level(&self) -> SandboxLevel {
        match self.level {
            #[cfg(target_os = "linux")]
            Level::View(_) => SandboxLevel::View,
            #[cfg(target_os = "linux")]
            Level::Landlock(_) => SandboxLevel::Landlock,
            Level::None => SandboxLevel::None,
        }
    }

    /// The level and why, in one line for people.
    pub fn words(&self) -> String {
        let level = self.level().as_str();
        if self.why.is_empty() { level.to_owned() } else { format!("{level}: {}", self.why) }
    }

    /// Whether edits can be tried before they are published.
    pub fn can_try(&self) -> bool {
        self.level() == SandboxLevel::View
    }

    /// Runs a command. What it prints goes to `log` as well, 16 MB at most.
    pub async fn run(&self, job: &Job, log: std::fs::File, cancel: &CancellationToken) -> Ran {
        match &self.level {
            #[cfg(target_os = "linux")]
            Level::View(view) => view.run(&self.workspace, &self.memory_dir, job, log, cancel).await,
            _ if self.wish == SandboxWish::Require => {
                not_run(format!("`sandbox = \"require\"` asks for a view, and there is none here ({})", self.words()))
            }
            _ if matches!(job.place, Place::Try { .. }) => {
                not_run(format!("edits can be tried in a view only, and there is none here ({})", self.words()))
            }
            #[cfg(target_os = "linux")]
            Level::Landlock(confined) => confined.run(&self.workspace, job, log, cancel).await,
            Level::None => {
                let output = Output::new(log, &[]);
                run_plain(self.workspace.root(), &job.command, job.timeout, output, cancel).await
            }
        }
    }
}

#[cfg(target_os = "linux")]
async fn best(workspace: &Workspace, memory_dir: &RepoPath, cancel: &CancellationToken) -> (Level, String) {
    match View::find(workspace, memory_dir, cancel).await {
        Ok(view) => (Level::View(view), String::new()),
        Err(no_view) => match Confined::find(workspace, cancel).await {
            Ok(confined) => (Level::Landlock(confined), format!("{NOT_STOPPED}. There is no view: {no_view}")),
            Err(no_landlock) => (Level::None, format!("{no_view}. Landlock: {no_landlock}")),
        },
    }
}

#[cfg(not(target_os = "linux"))]
async fn best(_: &Workspace, _: &RepoPath, _: &CancellationToken) -> (Level, String) {
    (Level::None, "there is no other level on this system so far".to_owned())
}

fn usual_memory_dir() -> RepoPath {
    #[expect(clippy::expect_used, reason = "a literal that is a path")]
    RepoPath::parse(".agent_memory").expect("the usual name is a path")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::super::job::{Ended, Place};
    use super::*;
    use crate::workspace::fixture::Fixture;

    async fn run(command: &str, timeout: Duration, cancel: &CancellationToken) -> (Ran, String) {
        let fixture = Fixture::new("//- /a.txt\nx\n");
        let sandbox = Sandbox::find(&fixture.workspace(), SandboxWish::Off, cancel).await;
        assert_eq!(sandbox.level(), SandboxLevel::None);
        let place = Place::End { touched: Vec::new() };
        let job = Job { command: command.to_owned(), timeout, network: false, secrets: false, place };
        let log = fixture.outside().join("log");
        let ran = sandbox.run(&job, std::fs::File::create(&log).unwrap(), cancel).await;
        let mut text = String::new();
        std::fs::File::open(log).unwrap().read_to_string(&mut text).unwrap();
        (ran, text)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_command_runs_in_the_root_and_both_its_streams_are_kept() {
        let (ran, log) = run("cat a.txt; echo out; echo err >&2; exit 7", LONG, &CancellationToken::new()).await;
        assert_eq!(ran.ended, Ended::Exited(7));
        assert_eq!((ran.output.as_str(), log.as_str()), ("x\nout\nerr\n", "x\nout\nerr\n"));
        let (ran, _) = run("kill -TERM $$", LONG, &CancellationToken::new()).await;
        assert_eq!(ran.ended, Ended::Signal(15));
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_ends_with_it() {
        // It holds the output open, and would do so for a minute.
        let (ran, _) = run("sleep 60 & echo $!", LONG, &CancellationToken::new()).await;
        assert_eq!(ran.ended, Ended::Exited(0));
        assert!(ran.elapsed < LONG / 2);
        assert_gone(ran.output.trim());
        let (ran, _) = run("sleep 60 & echo $!; wait", Duration::from_millis(300), &CancellationToken::new()).await;
        assert_eq!(ran.ended, Ended::TimedOut);
        assert_gone(ran.output.trim());
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(run("sleep 60", LONG, &cancel).await.0.ended, Ended::Cancelled);
    }

    /// A process that was killed may stay for a moment, until it is reaped.
    fn assert_gone(pid: &str) {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{pid} still runs: {stat}");
    }

    #[tokio::test]
    async fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let (ran, log) = run("yes | head -c 20000000; echo end", LONG, &CancellationToken::new()).await;
        assert!(log.len() > 16 << 20 && log.ends_with("not recorded]\n"), "{}", log.len());
        assert!(ran.output.len() < 40_000 && ran.output.ends_with("y\nend\n"), "{}", ran.output.len());
    }
}
