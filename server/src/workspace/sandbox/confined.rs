//! The level `landlock`: a check runs in the real tree, and the kernel refuses what it writes elsewhere.
//!
//! What is allowed to be written is a list of folders: the workspace, the temporary folders, and the caches that package
//! managers and compilers keep. What this level does not stop is said by [`NOT_STOPPED`] wherever the level is named.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::exposed::Exposed;
use super::hints::{hints, too_many};
use super::job::{Ended, Job, Place, Ran};
use super::launch::{Came, Given, run_room};
use super::output::Output;
use super::room::{Inside, Setup, Tree};
use super::user::User;
use crate::workspace::Workspace;

/// What a check at this level can do all the same, for people.
pub(super) const NOT_STOPPED: &str = "checks run in the real tree and can read all your files, secrets too, change the \
                                      permissions of all that is yours, and reach sockets of this machine; what they \
                                      write elsewhere is refused, and so is TCP where the kernel can (Linux 6.7)";

/// How long the command of a probe may take: it does nothing.
const PROBE: Duration = Duration::from_secs(10);

/// The level, tried out here.
#[derive(Debug, Clone)]
pub(super) struct Confined {
    exposed: Exposed,
    /// Why the kernel refuses a check no system calls.
    pub(super) unfiltered: Option<String>,
    home: Option<PathBuf>,
}

impl Confined {
    /// Confines a process that runs `true`, and says why that failed if it did.
    pub(super) async fn find(workspace: &Workspace, cancel: &CancellationToken) -> Result<Self, String> {
        let mut confined = Self { exposed: Exposed::of_process(), unfiltered: None, home: User::of_process().home };
        let place = Place::End { touched: Vec::new() };
        let job = Job { command: "true".to_owned(), timeout: PROBE, network: false, secrets: false, place };
        let log = std::fs::OpenOptions::new().write(true).open("/dev/null").map_err(|error| error.to_string())?;
        let (ran, unfiltered) = confined.run_here(workspace, &job, log, cancel).await;
        match ran.ended {
            Ended::Exited(0) => {
                confined.unfiltered = unfiltered;
                Ok(confined)
            }
            Ended::NotRun(reason) => Err(reason),
            ended => Err(format!("`true` did not succeed: {ended:?}")),
        }
    }

    /// Runs a job in the real tree.
    pub(super) async fn run(
        &self,
        workspace: &Workspace,
        job: &Job,
        log: std::fs::File,
        cancel: &CancellationToken,
    ) -> Ran {
        self.run_here(workspace, job, log, cancel).await.0
    }

    /// The same; also why the kernel refused it no system calls.
    async fn run_here(
        &self,
        workspace: &Workspace,
        job: &Job,
        log: std::fs::File,
        cancel: &CancellationToken,
    ) -> (Ran, Option<String>) {
        let given = self.exposed.give(workspace, job).await;
        let mut output = Output::new(log, &given.masked);
        let setup = self.setup(workspace.root(), job, given.variables);
        let given = Given { setup: &setup, contents: Vec::new(), limit: job.timeout };
        let Came { ended, elapsed, unfiltered, was_full, .. } =
            run_room(given, &mut output, cancel, |_| Vec::new()).await;
        let output = output.into_text();
        let mut told = explanations(&ended, &output, job.network);
        told.extend(too_many(was_full));
        told.extend(hints(job, &ended, &output).into_iter().filter(|hint| !hint.contains("view")));
        (
            Ran { ended, elapsed, output, changed: Vec::new(), replaced: Vec::new(), hints: told, traces: None },
            unfiltered,
        )
    }

    fn setup(&self, root: &Path, job: &Job, environment: Vec<(OsString, OsString)>) -> Setup {
        Setup {
            root: root.into(),
            tree: Tree::Confined(writable(root, self.home.as_deref(), &self.exposed.variables)),
            home: None,
            more: Vec::new(),
            scratch: None,
            covered: Vec::new(),
            kept: Vec::new(),
            hidden: Vec::new(),
            masked: Vec::new(),
            through: Vec::new(),
            parts: Vec::new(),
            edits: Vec::new(),
            network: job.network,
            map_outside: false,
            foreign_files: false,
            memory: 0,
            probe: false,
            collect: false,
            inside: Inside {
                command: job.command.clone(),
                environment,
                root: root.into(),
                foreign_files: false,
                pid_max: None,
            },
        }
    }
}

/// A cache that a tool writes while it builds or tests.
struct Cache {
    /// The variable that says where it is.
    variable: Option<&'static str>,
    /// Where it is else, from the home folder.
    usually: &'static [&'static str],
}

/// Folders as small as they can be: what is written there is used by later builds.
const CACHES: &[Cache] = &[
    Cache { variable: Some("CARGO_TARGET_DIR"), usually: &[] },
    // Cargo locks its cache of packages, and unpacks them.
    Cache {
        variable: None,
        usually: &[".cargo/registry", ".cargo/git", ".cargo/.package-cache", ".cargo/.global-cache"],
    },
    Cache { variable: Some("GOCACHE"), usually: &[".cache/go-build"] },
    Cache { variable: Some("GOMODCACHE"), usually: &["go/pkg"] },
    Cache {
        variable: Some("npm_config_cache"),
        usually: &[".npm/_cacache", ".npm/_logs", ".npm/_update-notifier-last-checked"],
    },
    Cache { variable: Some("YARN_CACHE_FOLDER"), usually: &[".cache/yarn", ".yarn/berry/cache"] },
    Cache {
        variable: None,
        usually: &[".cache/pnpm", ".cache/node", ".cache/node-gyp", ".cache/typescript", ".cache/turbo"],
    },
    Cache { variable: Some("DENO_DIR"), usually: &[".cache/deno"] },
    Cache { variable: Some("PIP_CACHE_DIR"), usually: &[".cache/pip"] },
    Cache { variable: Some("UV_CACHE_DIR"), usually: &[".cache/uv"] },
    Cache { variable: None, usually: &[".cache/pypoetry", ".cache/ruff", ".cache/mypy", ".cache/pre-commit"] },
    Cache {
        variable: Some("GRADLE_USER_HOME"),
        usually: &[".gradle/caches", ".gradle/daemon", ".gradle/wrapper", ".gradle/native"],
    },
    Cache { variable: None, usually: &[".m2/repository"] },
    Cache { variable: Some("CCACHE_DIR"), usually: &[".cache/ccache", ".ccache"] },
    Cache { variable: Some("SCCACHE_DIR"), usually: &[".cache/sccache"] },
    Cache { variable: Some("NUGET_PACKAGES"), usually: &[".nuget/packages"] },
];

/// The folders and files that a check at this level may write: those of them that there are.
pub(super) fn writable(root: &Path, home: Option<&Path>, variables: &[(OsString, OsString)]) -> Vec<OsString> {
    let value = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let mut paths = vec![root.to_owned()];
    paths.extend(["/tmp", "/var/tmp", "/dev"].map(PathBuf::from));
    paths.extend(value("TMPDIR"));
    for cache in CACHES {
        match cache.variable.and_then(value) {
            Some(path) => paths.push(path),
            None => paths.extend(home.iter().flat_map(|home| cache.usually.iter().map(|path| home.join(path)))),
        }
    }
    // A variable that names the home folder or the root of all would allow everything.
    paths.retain(|path| {
        let real = path.canonicalize();
        real.is_ok_and(|real| {
            path == root || (real.components().count() > 1 && home.is_none_or(|home| !home.starts_with(&real)))
        })
    });
    paths.into_iter().map(PathBuf::into_os_string).collect()
}

/// What explains a failure at this level, by what was printed.
fn explanations(ended: &Ended, output: &str, network: bool) -> Vec<String> {
    let words = ["Permission denied", "EACCES", "PermissionError", "permission denied"];
    if matches!(ended, Ended::Exited(0) | Ended::NotRun(_) | Ended::Cancelled)
        || !words.iter().any(|word| output.contains(word))
    {
        return Vec::new();
    }
    let mut told =
        vec!["The sandbox lets a check write only in the workspace, in temporary folders and in caches.".to_owned()];
    if !network {
        told.push(
            "It may open no TCP connection, not even to itself: if it needs one, its `network` has to be true."
                .to_owned(),
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_and_the_caches_there_are_can_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().canonicalize().expect("a real path");
        for path in ["work", ".cargo/registry", "elsewhere/go", ".ssh", ".cache/go-build"] {
            std::fs::create_dir_all(home.join(path)).expect("a folder");
        }
        let variables: Vec<(OsString, OsString)> = [
            ("GOCACHE", home.join("elsewhere/go").into_os_string()),
            ("CARGO_TARGET_DIR", home.clone().into_os_string()),
            ("CCACHE_DIR", "/".into()),
            ("UV_CACHE_DIR", "relative".into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .into();
        let written = writable(&home.join("work"), Some(&home), &variables);
        let below: Vec<&Path> = written.iter().filter_map(|path| Path::new(path).strip_prefix(&home).ok()).collect();
        assert_eq!(below, ["work", ".cargo/registry", "elsewhere/go"].map(Path::new));
        assert!(!written.iter().any(|path| path == "/"));
    }

    #[test]
    fn a_refusal_is_explained() {
        let failed = Ended::Exited(1);
        assert!(explanations(&failed, "all is well", false).is_empty());
        assert!(explanations(&Ended::Exited(0), "EACCES", false).is_empty());
        assert_eq!(explanations(&failed, "Error: EACCES: permission denied, mkdir '/opt/x'", false).len(), 2);
        assert_eq!(explanations(&failed, "PermissionError: [Errno 13]", true).len(), 1);
    }
}
