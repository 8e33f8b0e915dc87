//! MACs under the user's own key.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::answers::Answers;
use super::hex::{hex, unhex};
use super::platform::private_file;
use crate::workspace;

/// What the seal of a publish journal is for.
pub const PUBLISH: &str = "publish";

const KEY_BYTES: usize = 32;

/// The key of this process, for systems where none can be kept.
static IN_MEMORY: OnceLock<[u8; KEY_BYTES]> = OnceLock::new();

/// Seals what must not come from anyone else: HMAC-SHA-256 under a key of the user's own, over the workspace's real
/// path, the kind of content and the content.
#[derive(Clone)]
pub struct Seal {
    key: [u8; KEY_BYTES],
    root: PathBuf,
    answers: Answers,
}

impl Seal {
    /// The seal for a workspace, under the key in `state_dir` (normally `$XDG_STATE_HOME/baton`), which is created on
    /// first use, for its owner alone.
    ///
    /// # Errors
    /// When the key can be neither read nor created.
    pub fn open(state_dir: &Path, root: &Path) -> io::Result<Self> {
        Dir::create_ambient_dir_all(state_dir, ambient_authority())?;
        let dir = Dir::open_ambient_dir(state_dir, ambient_authority())?;
        let key = match read_key(&dir)? {
            Some(key) => key,
            None => make_key(&dir)?,
        };
        Ok(Self { key, root: root.to_owned(), answers: Answers::open(dir, state_dir, root) })
    }

    /// The same where there is a key already; nothing is created.
    ///
    /// # Errors
    /// When there is none that can be read.
    pub fn existing(state_dir: &Path, root: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(state_dir, ambient_authority())?;
        let key = read_key(&dir)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { key, root: root.to_owned(), answers: Answers::open(dir, state_dir, root) })
    }

    /// A seal that no other process can verify, for systems where no key can be kept.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn ephemeral(root: &Path) -> io::Result<Self> {
        let key = match IN_MEMORY.get() {
            Some(key) => *key,
            None => {
                let key = random_key()?;
                *IN_MEMORY.get_or_init(|| key)
            }
        };
        Ok(Self { key, root: root.to_owned(), answers: Answers::in_memory(root) })
    }

    /// The seal of the same user for another workspace.
    pub(super) fn at(&self, root: &Path) -> Self {
        Self { key: self.key, root: root.to_owned(), answers: self.answers.at(root) }
    }

    /// Whether other processes can verify its MACs: whether there is a key on disk.
    pub fn is_kept(&self) -> bool {
        self.answers.has_state()
    }

    /// Whether an answer given now is valid for other processes; after one was given, whether that one is.
    pub fn keeps_answers(&self) -> bool {
        self.answers.are_on_disk()
    }

    /// The workspace's real path.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The state of the workspace in the user's state folder.
    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The MAC of a content, in hex.
    pub fn sign(&self, kind: &str, content: &[u8]) -> String {
        hex(&self.mac(kind, content).finalize().into_bytes())
    }

    /// Verifies a MAC in constant time.
    pub fn verify(&self, kind: &str, content: &[u8], code: &str) -> bool {
        let Some(bytes) = unhex(code) else { return false };
        self.mac(kind, content).verify_slice(&bytes).is_ok()
    }

    fn mac(&self, kind: &str, content: &[u8]) -> Hmac<Sha256> {
        // The key is half a block of SHA-256; HMAC pads it with zeros.
        let mut block = [0; 64];
        block[..KEY_BYTES].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        for part in [self.root.as_os_str().as_encoded_bytes(), kind.as_bytes(), content] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

fn read_key(dir: &Dir) -> io::Result<Option<[u8; KEY_BYTES]>> {
    match dir.read("key") {
        Ok(bytes) => Ok(bytes.try_into().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates the key so that two processes doing so at once end up with the same one.
fn make_key(dir: &Dir) -> io::Result<[u8; KEY_BYTES]> {
    use std::io::Write;

    let key = random_key()?;
    let name = format!("key.{:016x}", fastrand::u64(..));
    let mut file = dir.open_with(&name, private_file(OpenOptions::new().write(true).create_new(true)))?;
    file.write_all(&key)?;
    file.sync_all()?;
    let placed = dir.hard_link(&name, dir, "key");
    dir.remove_file(&name)?;
    match placed {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read_key(dir)? {
            Some(key) => Ok(key),
            None => {
                // A key of the wrong length is broken; nothing it sealed can be verified.
                workspace::replace(dir, "key", &key, 0o600)?;
                Ok(key)
            }
        },
        Err(error) => Err(error),
    }
}

fn random_key() -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_content_kind_and_place_only() {
        let state = tempfile::tempdir().unwrap();
        let here = Seal::open(state.path(), Path::new("/a")).unwrap();
        let code = here.sign("approval", b"yes");
        assert!(Seal::open(state.path(), Path::new("/a")).unwrap().verify("approval", b"yes", &code));
        assert!(!here.verify("approval", b"no", &code));
        assert!(!here.verify("transcript", b"yes", &code));
        assert!(!here.verify("approval", b"yes", "é"));
        assert!(!Seal::open(state.path(), Path::new("/b")).unwrap().verify("approval", b"yes", &code));
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(!Seal::open(elsewhere.path(), Path::new("/a")).unwrap().verify("approval", b"yes", &code));
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        Seal::open(state.path(), Path::new("/a")).unwrap();
        let mode = std::fs::metadata(state.path().join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 1);
    }
}
