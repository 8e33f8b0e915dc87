//! What every subcommand begins with: the workspace and its settings.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::Failure;
use super::output::{tell, warn};
use crate::config::{self, Overrides, Settings};
use crate::contracts::RepoPath;
use crate::memory::{self, Store};
use crate::models::Models;
use crate::text;
use crate::workflow::{self, Approver, Editor, Engine, Phases, Table};
use crate::workspace::{self, Mark, Workspace};

/// The memory folder where no setting says otherwise.
const MEMORY: &str = ".agent_memory";
/// What makes a folder a workspace, in the order in which it is named.
const MARKS: [&str; 3] = [MEMORY, config::WORKSPACE_FILE, ".git"];

/// What every subcommand is given.
pub(super) struct Start<'a> {
    /// The workspace that was named.
    pub(super) folder: Option<&'a Path>,
    /// The phases of the program.
    pub(super) table: &'static Table,
}

/// A workspace with its settings.
pub(super) struct Session {
    /// The files.
    pub(super) workspace: Workspace,
    /// The effective settings.
    pub(super) settings: Settings,
    /// The phases of the program.
    table: &'static Table,
    /// Those there are under these settings.
    pub(super) phases: Phases,
    /// The folder this process was started in, where it found the workspace from there.
    current: Option<PathBuf>,
}

impl Session {
    /// Open the workspace of this process.
    pub(super) fn open(start: &Start<'_>, flags: Overrides) -> Result<Self, Failure> {
        let Chosen { folder, current } = start.choose()?;
        let workspace = Workspace::open(&folder).map_err(|error| Failure::usage(error.to_string()))?;
        let loaded = config::load_from_disk(workspace.root(), config::environment(), flags)?;
        warn(&loaded.warnings);
        workflow::check_memory_dir(&workspace, &loaded, start.table)?;
        let phases = start.table.with(&loaded.settings.phases);
        Ok(Self { workspace, settings: loaded.settings, table: start.table, phases, current })
    }

    /// The memory folder, if there is one.
    pub(super) fn memory(&self) -> Result<Option<Store>, Failure> {
        let there = RepoPath::parse(&self.settings.memory_dir).is_ok_and(|path| self.workspace.is_folder(&path));
        if !there {
            return Ok(None);
        }
        Ok(Some(workflow::open_store(&self.workspace, &self.settings, &self.phases)?))
    }

    /// The models that a run would use, if there are any.
    pub(super) fn models(&self) -> Option<Models> {
        workflow::models(&self.settings, &config::variable, &Editor::default()).ok()
    }

    /// Everything a run works with.
    pub(super) fn engine(self, approver: Arc<dyn Approver>) -> Result<Engine, Failure> {
        Ok(workflow::open(self.workspace, self.settings, &config::variable, approver, Editor::default(), self.table)?)
    }

    /// A file of the workspace that the user named: absolute, or relative to the current folder; to the workspace where
    /// that was named too.
    pub(super) fn file(&self, named: &Path) -> Result<RepoPath, Failure> {
        let root = self.workspace.root();
        let Some(below) = self.workspace.below(self.current.as_deref().unwrap_or(root), named) else {
            let (named, root) = (displayed(named), displayed(root));
            return Err(Failure::usage(format!("{named} is not in the workspace, which is {root}")));
        };
        RepoPath::parse(&below.to_string_lossy()).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// The folder to work in.
struct Chosen {
    folder: PathBuf,
    /// The current folder, where no folder was named.
    current: Option<PathBuf>,
}

/// What a folder has of a workspace, and whose that is.
type Marked = io::Result<Option<(String, Mark)>>;

/// What was found on the way up from the current folder.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The first folder that has something of a workspace, and what.
    Marked(PathBuf, String),
    /// Something of a workspace that belongs to another user, and is not followed.
    Foreign(PathBuf, String),
    /// A folder that cannot be looked into, so that nothing is known of it and of those above.
    Closed(PathBuf, String),
    /// Nothing.
    Nothing,
}

impl Start<'_> {
    /// The workspace's folder: the one that was named, else the first one upwards that is a workspace. Where that is not
    /// the current folder, it is said.
    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        self.choose().map(|chosen| chosen.folder)
    }

    #[expect(clippy::disallowed_methods, reason = "the search for the workspace begins where this process was started")]
    fn choose(&self) -> Result<Chosen, Failure> {
        if let Some(folder) = self.folder {
            return Ok(Chosen { folder: folder.to_owned(), current: None });
        }
        let current = std::env::current_dir().map_err(|error| Failure::usage(no_current_folder(&error)))?;
        let memory = config::user_memory_dir();
        let found = search(&current, config::home().as_deref(), &|folder| mark_of(folder, &memory, &current));
        if let Some(message) = message(&found, &current) {
            tell(&message);
        }
        let folder = match found {
            Found::Marked(folder, _) => folder,
            Found::Foreign(..) | Found::Closed(..) | Found::Nothing => current.clone(),
        };
        Ok(Chosen { folder, current: Some(current) })
    }
}

/// Go up from the current folder to the first that has a mark. The user's home, and what is above it, are no workspace for
/// what lies below: a home that is a repository holds settings, and every project.
fn search(current: &Path, home: Option<&Path>, mark: &dyn Fn(&Path) -> Marked) -> Found {
    for folder in current.ancestors() {
        if folder != current && home.is_some_and(|home| home.starts_with(folder)) {
            break;
        }
        match mark(folder) {
            Ok(None) => {}
            Ok(Some((name, Mark::Ours))) => return Found::Marked(folder.to_owned(), name),
            Ok(Some((name, Mark::Foreign))) => return Found::Foreign(folder.to_owned(), name),
            Err(error) => return Found::Closed(folder.to_owned(), error.to_string()),
        }
    }
    Found::Nothing
}

/// What a folder has of a workspace: one of the marks, or a memory folder of another name.
fn mark_of(folder: &Path, memory_dir: &str, current: &Path) -> Marked {
    for name in MARKS {
        if let Some(mark) = workspace::mark(folder, name, current)? {
            return Ok(Some((name.to_owned(), mark)));
        }
    }
    if memory_dir == MEMORY {
        return Ok(None);
    }
    let Ok(path) = RepoPath::parse(memory_dir) else { return Ok(None) };
    let is_memory = Workspace::open(folder).is_ok_and(|opened| memory::is_memory_folder(&opened, &path));
    match is_memory {
        true => Ok(workspace::mark(folder, memory_dir, current)?.map(|mark| (memory_dir.to_owned(), mark))),
        false => Ok(None),
    }
}

/// What a person is told of the folder that was chosen; nothing where it is the current one and there is no doubt.
fn message(found: &Found, current: &Path) -> Option<String> {
    match found {
        Found::Nothing => None,
        Found::Marked(folder, _) if folder == current => None,
        // Opening it fails, which says so.
        Found::Closed(folder, _) if folder == current => None,
        Found::Marked(folder, name) => {
            Some(format!("Workspace: {} (it has {})", displayed(folder), text::safe_line(name)))
        }
        Found::Foreign(folder, name) => Some(format!(
            "warning: {} belongs to another user, so the workspace is the current folder. To work in {}, name it with \
             --workspace.",
            displayed(&folder.join(name)),
            displayed(folder)
        )),
        Found::Closed(folder, why) => Some(format!(
            "warning: {} cannot be looked into ({}), so the workspace is the current folder. To work in another one, \
             name it with --workspace.",
            displayed(folder),
            text::safe_line(why)
        )),
    }
}

fn no_current_folder(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "the current folder is gone; go to another one, or name the workspace with --workspace".to_owned()
        }
        _ => format!("the current folder cannot be used: {error}; name the workspace with --workspace"),
    }
}

fn displayed(path: &Path) -> String {
    text::safe_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches from a folder, where these folders have a mark.
    fn from(current: &str, home: Option<&str>, marked: &[(&str, Mark)]) -> Found {
        search(Path::new(current), home.map(Path::new), &|folder| {
            if folder == Path::new("/closed") {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let found = marked.iter().find(|(path, _)| Path::new(path) == folder);
            Ok(found.map(|(_, mark)| (".git".to_owned(), *mark)))
        })
    }

    fn at(folder: &str) -> Found {
        Found::Marked(folder.into(), ".git".to_owned())
    }

    #[test]
    fn the_first_folder_upwards_with_a_mark_is_the_workspace() {
        let marked = [("/u/p", Mark::Ours), ("/u/p/sub", Mark::Ours)];
        for (current, found) in [
            ("/u/p", at("/u/p")),
            ("/u/p/src/deep", at("/u/p")),
            ("/u/p/sub/src", at("/u/p/sub")),
            ("/u/other", Found::Nothing),
            ("/", Found::Nothing),
        ] {
            assert_eq!(from(current, Some("/home/u"), &marked), found, "{current}");
        }
    }

    #[test]
    fn a_home_that_is_a_repository_takes_in_no_project() {
        let marked = ["/", "/home", "/home/u"].map(|folder| (folder, Mark::Ours));
        let home = Some("/home/u");
        assert_eq!(from("/home/u/notes/deep", home, &marked), Found::Nothing);
        assert_eq!(from("/home/u", home, &marked), at("/home/u"), "it is the current folder");
        assert_eq!(from("/home", home, &marked), at("/home"), "it is the current folder");
        assert_eq!(from("/srv/x", home, &marked), Found::Nothing, "/ is above the home");
        assert_eq!(from("/home/user/x", home, &[("/home/user", Mark::Ours)]), at("/home/user"), "another's home");
        assert_eq!(from("/home/u/notes", None, &marked), at("/home/u"), "nothing is known of a home");
    }

    #[test]
    fn the_search_ends_where_it_cannot_go_on_safely() {
        let closed = Found::Closed("/closed".into(), io::Error::from(io::ErrorKind::PermissionDenied).to_string());
        assert_eq!(from("/closed/x/y", None, &[("/", Mark::Ours)]), closed);
        let foreign = Found::Foreign("/tmp".into(), ".git".to_owned());
        assert_eq!(from("/tmp/x", None, &[("/tmp", Mark::Foreign), ("/", Mark::Ours)]), foreign);
    }

    #[test]
    fn only_what_is_not_the_current_folder_is_said() {
        let said = |found: &Found| message(found, Path::new("/u/p/src"));
        assert_eq!(said(&at("/u/p")).as_deref(), Some("Workspace: /u/p (it has .git)"));
        assert_eq!(said(&at("/u/p/src")), None);
        assert_eq!(said(&Found::Nothing), None);
        for found in [Found::Foreign("/u".into(), ".git".into()), Found::Closed("/u\u{202e}".into(), "no\nway".into())]
        {
            let message = said(&found).unwrap();
            assert!(message.contains("--workspace") && message.contains("current folder"), "{message}");
            assert!(!message.contains(['\u{202e}', '\n']), "{message}");
        }
    }
}
