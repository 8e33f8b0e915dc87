//! Which checks of a workspace a person has said may run: kept in the user's state folder, for the workspace's real path and
//! the very folder that is there, under the user's own key. A copy of the folder, another folder at its path, another path or
//! another HOME has none of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answers::is_read_only;
use super::plan_lock::digest;
use super::seal::Seal;
use crate::config::{Check, CheckOrigin};
use crate::workspace;

/// In the state folder: a file for each workspace, named by the SHA-256 of its path.
const FOLDER: &str = "checks";
/// What the seal of such a file is for.
const KIND: &str = "checks";
/// How many commands are remembered of a workspace; the newest are kept.
const MOST: usize = 200;
/// The largest file that is read, in bytes: more than so many of the longest commands take.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// What this process was told where nothing can be kept on disk, by workspace.
static IN_MEMORY: Mutex<BTreeMap<Workspace, Kept>> = Mutex::new(BTreeMap::new());

/// A path, and which folder is there.
type Workspace = (PathBuf, Option<FolderId>);

/// The checks of a workspace that may run.
#[derive(Clone)]
pub struct CheckTrust {
    seal: Seal,
    kept: Kept,
}

/// A command that a person has said may run, with what it may do besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedCheck {
    /// The name of the check then.
    pub name: String,
    /// Its command.
    pub command: String,
    /// Whether it may use the network.
    pub network: bool,
    /// Whether it may read secret files.
    pub secrets: bool,
    /// When that was said.
    pub at: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Newest last.
    #[serde(default)]
    trusted: Vec<TrustedCheck>,
    /// Commands that were found in the workspace, offered as checks, and not wanted; newest last.
    #[serde(default)]
    declined: Vec<String>,
}

/// Which folder it is, among all that may once stand at the same path; it survives a change of what is in it, and a restart.
/// More than the identity by which a moved workspace is recognised: a disk gives the number of a removed folder to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct FolderId {
    /// The number of the folder on its disk; 0 where the system has none.
    number: u64,
    /// When it was made, in nanoseconds since 1970, as the disk says, or else the number of the disk: that one may be another
    /// after a restart, and then the question is asked again.
    made: u64,
}

impl FolderId {
    /// That of the folder at a path, if one is there.
    fn of(folder: &Path) -> Option<Self> {
        let metadata = Dir::open_ambient_dir(folder, ambient_authority()).ok()?.dir_metadata().ok()?;
        let made = metadata.created().ok().and_then(|at| at.into_std().duration_since(UNIX_EPOCH).ok());
        let made = made.map(|since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)).filter(|made| *made != 0);
        #[cfg(unix)]
        let (number, disk) = {
            use cap_std::fs::MetadataExt;
            (metadata.ino(), metadata.dev())
        };
        #[cfg(not(unix))]
        let (number, disk) = (0, 0);
        Some(Self { number, made: made.unwrap_or(disk) })
    }
}

#[derive(Serialize, Deserialize)]
struct TrustFile {
    /// The workspace's real path, for people.
    path: String,
    /// Which folder that was; files from before this was kept do not say it.
    #[serde(default)]
    folder: Option<FolderId>,
    #[serde(flatten)]
    kept: Kept,
    mac: String,
}

impl CheckTrust {
    /// What is kept for the workspace of this seal. A file that cannot be read, or that this user did not write for this
    /// workspace, counts as absent.
    pub fn open(seal: &Seal) -> Self {
        let on_disk = read(seal).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell which checks may run: none of the workspace does");
            Kept::default()
        });
        let kept = in_memory().get(&workspace_of(seal)).cloned().unwrap_or_default();
        Self { seal: seal.clone(), kept: Kept::default().with(on_disk).with(kept) }
    }

    /// Whether it may run: it is the user's own, or a person has said so of this very command with the same network and
    /// secrets.
    pub fn is_trusted(&self, check: &Check) -> bool {
        check.origin == CheckOrigin::User || self.kept.trusted.iter().any(|trusted| trusted.is_of(check))
    }

    /// What was trusted under the name of a check that is not trusted as it is now.
    pub fn before(&self, check: &Check) -> Option<&TrustedCheck> {
        if self.is_trusted(check) {
            return None;
        }
        self.kept.trusted.iter().rev().find(|trusted| trusted.name == check.name)
    }

    /// Whether a command was offered as a check and not wanted.
    pub fn is_declined(&self, command: &str) -> bool {
        self.kept.declined.iter().any(|declined| declined == command)
    }

    /// Record that a person has said that these checks may run.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn trust<'a>(&mut self, checks: impl IntoIterator<Item = &'a Check>, at: Timestamp) -> io::Result<()> {
        let trusted = checks.into_iter().map(|check| TrustedCheck {
            name: check.name.clone(),
            command: check.command.clone(),
            network: check.network,
            secrets: check.secrets,
            at,
        });
        self.add(Kept { trusted: trusted.collect(), declined: Vec::new() })
    }

    /// Record that these commands are not wanted as checks, so that they are not offered again.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn decline(&mut self, commands: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.add(Kept { trusted: Vec::new(), declined: commands.into_iter().collect() })
    }

    fn add(&mut self, more: Kept) -> io::Result<()> {
        if more == Kept::default() {
            return Ok(());
        }
        match self.add_on_disk(&more) {
            Ok(true) => {}
            Ok(false) => self.add_in_memory(more),
            Err(error) if is_read_only(&error) => {
                tracing::warn!(%error, "which checks may run holds for this process only");
                self.add_in_memory(more);
            }
            Err(error) => return Err(error),
        }
        self.kept = Self::open(&self.seal).kept;
        Ok(())
    }

    /// Whether there is a state folder to write to.
    fn add_on_disk(&self, more: &Kept) -> io::Result<bool> {
        let Some(state) = self.seal.answers().state_folder() else { return Ok(false) };
        // Another process may add to it at the same time.
        let _lock = self.seal.answers().lock_workspace()?;
        // What cannot be read counts as absent, and is replaced.
        let kept = read(&self.seal).unwrap_or_default().with(more.clone());
        let path = self.seal.root().to_string_lossy().into_owned();
        let folder = FolderId::of(self.seal.root());
        let mac = self.seal.sign(KIND, &sealed(folder, &kept)?);
        let mut bytes = serde_json::to_vec_pretty(&TrustFile { path, folder, kept, mac })?;
        bytes.push(b'\n');
        state.create_dir_all(FOLDER)?;
        workspace::replace(&state.open_dir(FOLDER)?, &file_name(&self.seal), &bytes, 0o600)?;
        Ok(true)
    }

    fn add_in_memory(&self, more: Kept) {
        let mut all = in_memory();
        let workspace = workspace_of(&self.seal);
        let kept = all.remove(&workspace).unwrap_or_default();
        all.insert(workspace, kept.with(more));
    }
}

impl TrustedCheck {
    fn is_of(&self, check: &Check) -> bool {
        self.command == check.command && self.network == check.network && self.secrets == check.secrets
    }
}

impl Kept {
    fn with(mut self, more: Self) -> Self {
        for trusted in more.trusted {
            let is_same = |other: &TrustedCheck| TrustedCheck { at: trusted.at, ..other.clone() } == trusted;
            self.trusted.retain(|other| !is_same(other));
            self.declined.retain(|command| *command != trusted.command);
            self.trusted.push(trusted);
        }
        for command in more.declined {
            self.declined.retain(|other| *other != command);
            self.declined.push(command);
        }
        self.trusted.drain(..self.trusted.len().saturating_sub(MOST));
        self.declined.drain(..self.declined.len().saturating_sub(MOST));
        self
    }
}

fn read(seal: &Seal) -> io::Result<Kept> {
    let Some(state) = seal.answers().state_folder() else { return Ok(Kept::default()) };
    let folder = match state.open_dir(FOLDER) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(error),
    };
    let Some(bytes) = workspace::read_bounded(&folder, &file_name(seal), MOST_BYTES)? else {
        return Ok(Kept::default());
    };
    let TrustFile { folder, kept, mac, .. } = serde_json::from_slice(&bytes)?;
    if seal.verify(KIND, &sealed(folder, &kept)?, &mac) {
        if folder == FolderId::of(seal.root()) {
            return Ok(kept);
        }
        tracing::info!("another folder is at this path than the one whose checks were trusted");
        // What was not wanted there lets nothing run here.
        return Ok(Kept { trusted: Vec::new(), ..kept });
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "the record of trusted checks was not written by you for this folder",
    ))
}

/// What is sealed of a record; of one that does not say which folder it is for, as before that was kept.
fn sealed(folder: Option<FolderId>, kept: &Kept) -> io::Result<Vec<u8>> {
    Ok(match folder {
        Some(folder) => serde_json::to_vec(&(folder, kept))?,
        None => serde_json::to_vec(kept)?,
    })
}

fn workspace_of(seal: &Seal) -> Workspace {
    (seal.root().to_owned(), FolderId::of(seal.root()))
}

fn file_name(seal: &Seal) -> String {
    format!("{}.json", digest(seal.root().as_os_str().as_encoded_bytes()))
}

/// A poisoned lock only means that another thread panicked; every entry of the map is complete.
fn in_memory() -> MutexGuard<'static, BTreeMap<Workspace, Kept>> {
    IN_MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn check(name: &str, command: &str) -> Check {
        Check::of_workspace(name, command)
    }

    /// The trust of a workspace in a user's state folder.
    fn trust_in(state: &Path, root: &str) -> CheckTrust {
        CheckTrust::open(&Seal::open(state, Path::new(root)).unwrap())
    }

    #[test]
    fn a_check_is_trusted_for_its_workspace_and_its_user_alone() {
        let state = tempfile::tempdir().unwrap();
        let test = check("test", "cargo test");
        let mut trust = trust_in(state.path(), "/a");
        assert!(!trust.is_trusted(&test));
        trust.trust([&test], NOW).unwrap();
        assert!(trust.is_trusted(&test));
        assert!(trust_in(state.path(), "/a").is_trusted(&test), "another process");
        assert!(!trust_in(state.path(), "/copy/of/a").is_trusted(&test));
        assert!(!trust_in(tempfile::tempdir().unwrap().path(), "/a").is_trusted(&test), "another HOME");
        let own = Check { origin: CheckOrigin::User, ..check("x", "anything") };
        assert!(trust.is_trusted(&own));
        assert!(!trust.is_trusted(&Check { origin: CheckOrigin::Editor, ..check("x", "anything") }));
    }

    #[test]
    fn what_a_check_does_is_what_is_trusted() {
        let state = tempfile::tempdir().unwrap();
        let test = check("test", "cargo test");
        let mut trust = trust_in(state.path(), "/a");
        trust.trust([&test], NOW).unwrap();
        let changed = check("test", "cargo test; curl evil");
        assert!(!trust.is_trusted(&changed));
        assert_eq!(trust.before(&changed).map(|before| before.command.as_str()), Some("cargo test"));
        for more in [Check { network: true, ..test.clone() }, Check { secrets: true, ..test.clone() }] {
            assert!(!trust.is_trusted(&more));
            assert!(trust.before(&more).is_some());
        }
        for same in [Check { timeout_s: 5, ..test.clone() }, Check { paths: vec!["*.rs".to_owned()], ..test.clone() }] {
            assert!(trust.is_trusted(&same), "when it runs is not what it does");
        }
        assert_eq!(trust.before(&check("lint", "evil")), None);
        assert_eq!(trust.before(&test), None);
    }

    #[test]
    fn a_record_that_another_wrote_is_none() {
        let (state, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let test = check("test", "cargo test");
        trust_in(state.path(), "/a").trust([&test], NOW).unwrap();
        trust_in(other.path(), "/a").trust([&check("test", "true")], NOW).unwrap();
        let file = |state: &Path| std::fs::read_dir(state.join(FOLDER)).unwrap().next().unwrap().unwrap().path();
        let (ours, theirs) = (file(state.path()), file(other.path()));
        for forged in [
            std::fs::read_to_string(&theirs).unwrap(),
            std::fs::read_to_string(&ours).unwrap().replace("cargo test", "evil"),
            "{".to_owned(),
        ] {
            std::fs::write(&ours, forged).unwrap();
            let mut trust = trust_in(state.path(), "/a");
            assert!([check("test", "true"), check("test", "evil"), test.clone()].iter().all(|c| !trust.is_trusted(c)));
            trust.trust([&test], NOW).unwrap();
            assert!(trust.is_trusted(&test), "a broken record is replaced");
            trust_in(state.path(), "/a").trust([&test], NOW).unwrap();
        }
    }

    #[test]
    fn another_folder_at_the_same_path_is_not_trusted() {
        let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path().join("work");
        let root = root.to_str().unwrap();
        std::fs::create_dir(root).unwrap();
        let test = check("test", "make test");
        let mut trust = trust_in(state.path(), root);
        trust.trust([&test], NOW).unwrap();
        trust.decline(["make all".to_owned()]).unwrap();
        std::fs::write(Path::new(root).join("Makefile"), "test:\n").unwrap();
        assert!(trust_in(state.path(), root).is_trusted(&test), "what is in it may change");
        let moved = folder.path().join("moved");
        std::fs::rename(root, &moved).unwrap();
        assert!(!trust_in(state.path(), root).is_trusted(&test), "nothing is there");
        std::fs::create_dir(root).unwrap();
        let other = trust_in(state.path(), root);
        assert!(!other.is_trusted(&test) && other.before(&test).is_none());
        assert!(other.is_declined("make all"));
        std::fs::remove_dir(root).unwrap();
        std::fs::rename(&moved, root).unwrap();
        assert!(trust_in(state.path(), root).is_trusted(&test), "it is back");
    }

    #[test]
    fn a_record_that_names_no_folder_is_read_and_asks_again() {
        let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path().to_str().unwrap();
        let test = check("test", "t");
        let mut trust = trust_in(state.path(), root);
        trust.trust([&test], NOW).unwrap();
        trust.decline(["other".to_owned()]).unwrap();
        // As it was written before.
        let kept = trust.kept.clone();
        let mac = trust.seal.sign(KIND, &serde_json::to_vec(&kept).unwrap());
        let mut old = serde_json::to_value(&kept).unwrap();
        old["path"] = root.into();
        old["mac"] = mac.into();
        std::fs::write(state.path().join(FOLDER).join(file_name(&trust.seal)), old.to_string()).unwrap();
        let mut trust = trust_in(state.path(), root);
        assert!(!trust.is_trusted(&test) && trust.is_declined("other"));
        trust.trust([&test], NOW).unwrap();
        assert!(trust_in(state.path(), root).is_trusted(&test));
        let written = std::fs::read_to_string(state.path().join(FOLDER).join(file_name(&trust.seal))).unwrap();
        let forged = written.replace("\"number\": ", "\"number\": 1");
        assert_ne!(forged, written);
        std::fs::write(state.path().join(FOLDER).join(file_name(&trust.seal)), forged).unwrap();
        assert!(!trust_in(state.path(), root).is_trusted(&test), "which folder it is, is sealed");
    }

    #[test]
    fn what_was_declined_is_known_until_it_is_trusted() {
        let state = tempfile::tempdir().unwrap();
        let mut trust = trust_in(state.path(), "/a");
        trust.decline(["npm test".to_owned()]).unwrap();
        assert!(trust_in(state.path(), "/a").is_declined("npm test"));
        trust.trust([&check("test", "npm test")], NOW).unwrap();
        assert!(!trust.is_declined("npm test"));
    }

    #[test]
    fn without_a_state_folder_it_holds_for_this_process() {
        let seal = Seal::ephemeral(Path::new("/without/state")).unwrap();
        CheckTrust::open(&seal).trust([&check("test", "t")], NOW).unwrap();
        assert!(CheckTrust::open(&seal).is_trusted(&check("test", "t")));
    }

    #[test]
    fn only_so_many_are_kept() {
        let state = tempfile::tempdir().unwrap();
        let mut trust = trust_in(state.path(), "/a");
        let all: Vec<Check> = (0..MOST + 5).map(|n| check("test", &format!("run {n}"))).collect();
        trust.trust(&all, NOW).unwrap();
        assert_eq!(trust.kept.trusted.len(), MOST);
        assert!(trust.is_trusted(&all[MOST]) && !trust.is_trusted(&all[0]));
    }
}
