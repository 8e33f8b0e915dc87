//! Which level there is, and a job at that level.

use tokio_util::sync::CancellationToken;

#[cfg(target_os = "linux")]
use super::confined::{Confined, NOT_STOPPED};
use super::exposed::Exposed;
use super::job::{Job, Place, Ran, SandboxWish};
use super::output::Output;
use super::process::{not_run, run_plain};
#[cfg(target_os = "linux")]
use super::said::unfiltered;
#[cfg(target_os = "linux")]
use super::view::View;
use super::why::{Why, sentence};
use crate::contracts::{RepoPath, SandboxLevel};
use crate::workspace::Workspace;

/// What a check can do where nothing holds it, for people.
const NO_SANDBOX: &str = "checks run in the real tree and can do whatever you can";

/// Where commands run. Found once a run.
#[derive(Debug, Clone)]
pub struct Sandbox {
    workspace: Workspace,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only a view hides it"))]
    memory_dir: RepoPath,
    wish: SandboxWish,
    level: Level,
    /// Why there is no better level; `None` for the best.
    why: Option<Why>,
}

#[derive(Debug, Clone)]
enum Level {
    #[cfg(target_os = "linux")]
    View(View),
    #[cfg(target_os = "linux")]
    Landlock(Confined),
    None(Exposed),
}

impl Sandbox {
    /// Finds the best level, by doing the whole set-up once with `true` as the command.
    pub async fn find(workspace: &Workspace, wish: SandboxWish, cancel: &CancellationToken) -> Self {
        let memory_dir = usual_memory_dir();
        let (level, why) = match wish {
            SandboxWish::Off => (
                Level::None(Exposed::of_process()),
                Some(Why::new("switched off", format!("switched off by the setting `sandbox`: {NO_SANDBOX}"))),
            ),
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
            Level::None(_) => SandboxLevel::None,
        }
    }

    /// The level and why, in 31 characters at most: a part of a line.
    pub fn words(&self) -> String {
        let level = self.level().as_str();
        match self.why.as_ref().map(|why| why.short).filter(|short| !short.is_empty()) {
            Some(short) => format!("{level}: {short}"),
            None => self.maker().map_or_else(|| level.to_owned(), |maker| format!("{level}, {maker}")),
        }
    }

    /// What makes the view, where Baton may not.
    fn maker(&self) -> Option<String> {
        match &self.level {
            #[cfg(target_os = "linux")]
            Level::View(view) => view.maker(),
            _ => None,
        }
    }

    /// What this level does not stop, why there is no better one, and what can be done about it: sentences for people.
    /// `None` where there is nothing to say.
    pub fn explanation(&self) -> Option<String> {
        let long = &self.why.as_ref()?.long;
        (!long.is_empty()).then(|| sentence(long))
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
            Level::None(exposed) => {
                let given = exposed.give(&self.workspace, job).await;
                let output = Output::new(log, &given.masked);
                let root = self.workspace.root();
                run_plain(root, &job.command, given.variables, job.timeout, output, cancel).await
            }
        }
    }
}

#[cfg(target_os = "linux")]
async fn best(workspace: &Workspace, memory_dir: &RepoPath, cancel: &CancellationToken) -> (Level, Option<Why>) {
    let no_view = match View::find(workspace, memory_dir, cancel).await {
        Ok((view, why)) => return (Level::View(view), why),
        Err(no_view) => no_view,
    };
    let (level, long) = match Confined::find(workspace, cancel).await {
        Ok(confined) => {
            let more = confined.unfiltered.as_deref().map(unfiltered);
            let said = [Some(NOT_STOPPED.to_owned()), more, Some(format!("There is no view: {}", no_view.long))];
            (Level::Landlock(confined), said.into_iter().flatten().collect::<Vec<_>>().join(". "))
        }
        Err(no_landlock) => (
            Level::None(Exposed::of_process()),
            format!("{NO_SANDBOX}. There is no view: {}. Landlock: {no_landlock}", no_view.long),
        ),
    };
    (level, Some(Why { long, ..no_view }))
}

#[cfg(not(target_os = "linux"))]
async fn best(_: &Workspace, _: &RepoPath, _: &CancellationToken) -> (Level, Option<Why>) {
    let long = format!("{NO_SANDBOX}. There is no sandbox for this system so far");
    (Level::None(Exposed::of_process()), Some(Why::new("not on this system", long)))
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

    #[tokio::test]
    async fn without_a_sandbox_the_environment_is_cleaned_and_secrets_are_masked() {
        let fixture = Fixture::new("//- /.env\nPASSWORD=a-long-secret\n");
        let exposed = Exposed::with(&[("PATH", "/usr/bin:/bin"), ("A_TOKEN", "another-secret"), ("KEPT", "kept")]);
        let level = Level::None(exposed);
        let sandbox =
            Sandbox { level, ..Sandbox::find(&fixture.workspace(), SandboxWish::Off, &CancellationToken::new()).await };
        let command = "env | grep -e TOKEN -e KEPT; cat .env; echo another-secret";
        let place = Place::End { touched: Vec::new() };
        let job = Job { command: command.to_owned(), timeout: LONG, network: false, secrets: false, place };
        let log = std::fs::File::create(fixture.outside().join("log")).unwrap();
        let ran = sandbox.run(&job, log, &CancellationToken::new()).await;
        assert_eq!(ran.output, "KEPT=kept\nPASSWORD=<masked by Baton: secret>\n<masked by Baton: secret>\n");
        assert_eq!(sandbox.words(), "none: switched off");
        assert!(sandbox.explanation().is_some_and(|text| text.starts_with("Switched off") && text.ends_with("can.")));
    }

    /// A process that was killed may stay for a moment, until it has ended and is reaped.
    fn assert_gone(pid: &str) {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{pid} still runs: {stat}");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let (ran, log) = run("yes | head -c 20000000; echo end", LONG, &CancellationToken::new()).await;
        assert!(log.len() > 16 << 20 && log.ends_with("not recorded]\n"), "{}", log.len());
        assert!(ran.output.len() < 40_000 && ran.output.ends_with("y\nend\n"), "{}", ran.output.len());
    }
}
