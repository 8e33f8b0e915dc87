//! Which bwrap there is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// The first version that lays overlays.
const LEAST: (u32, u32) = (0, 11);

/// How long it may take to say its version.
const TO_ANSWER: Duration = Duration::from_secs(5);

/// The bit of a program that runs with the rights of its owner.
const SETUID: u32 = 0o4000;

/// A program that may make a view. Whether it can is found by doing it.
#[derive(Debug, Clone)]
pub(in crate::workspace::sandbox) struct Bwrap {
    /// Its real path.
    pub(in crate::workspace::sandbox) program: PathBuf,
    version: (u32, u32),
}

impl Bwrap {
    /// Looks for one in these folders, but not in the workspace, where agents write. `None`: there is none.
    ///
    /// # Errors
    /// Why the first one that was found is of no use, where none is.
    pub(in crate::workspace::sandbox) async fn find(
        folders: &[PathBuf],
        workspace: &Path,
    ) -> Result<Option<Self>, String> {
        let mut useless = None;
        for program in folders.iter().filter_map(|folder| folder.join("bwrap").canonicalize().ok()) {
            let Ok(metadata) = fs::metadata(&program) else { continue };
            let mode = metadata.permissions().mode();
            if !metadata.is_file() || mode & 0o111 == 0 || program.starts_with(workspace) {
                continue;
            }
            match usable(&program, mode).await {
                Ok(version) => return Ok(Some(Self { program, version })),
                Err(reason) => drop(useless.get_or_insert(reason)),
            }
        }
        useless.map_or(Ok(None), Err)
    }

    /// Its name and version, for people: `bwrap 0.11`.
    pub(in crate::workspace::sandbox) fn name(&self) -> String {
        name(self.version)
    }
}

async fn usable(program: &Path, mode: u32) -> Result<(u32, u32), String> {
    let version = version(program).await?;
    if version < LEAST {
        return Err(format!("{} is too old: {}.{} is needed for overlays", name(version), LEAST.0, LEAST.1));
    }
    if mode & SETUID != 0 {
        return Err(format!("{} is installed setuid, and lays no overlays so", name(version)));
    }
    Ok(version)
}

async fn version(program: &Path) -> Result<(u32, u32), String> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let unknown = |why: String| format!("{} does not say its version: {why}", program.display());
    let output = timeout(TO_ANSWER, command.output()).await.map_err(|_| unknown("it does not end".to_owned()))?;
    let output = output.map_err(|error| unknown(error.to_string()))?;
    parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| unknown(format!("it ended with {}", output.status)))
}

/// The version in `bubblewrap 0.11.0`.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("bubblewrap ")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn name((major, minor): (u32, u32)) -> String {
    format!("bwrap {major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a `bwrap` that says this.
    fn saying(text: &str, mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bwrap");
        fs::write(&program, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        folder
    }

    #[tokio::test]
    async fn the_first_that_is_new_enough_is_taken() {
        let (old, new) = (saying("bubblewrap 0.8.0", 0o755), saying("bubblewrap 1.0.2", 0o755));
        let both = [Path::new("/nowhere"), old.path(), new.path()].map(Path::to_owned);
        let found = Bwrap::find(&both, Path::new("/workspace")).await.unwrap().unwrap();
        assert_eq!((found.program.parent(), found.name()), (Some(new.path()), "bwrap 1.0".to_owned()));
        assert!(Bwrap::find(&[], Path::new("/workspace")).await.unwrap().is_none());
        let planted = Bwrap::find(&[new.path().to_owned()], new.path()).await;
        assert!(planted.unwrap().is_none(), "agents write in the workspace");
    }

    #[tokio::test]
    async fn what_is_of_no_use_is_explained() {
        let cases = [
            (saying("bubblewrap 0.8.0", 0o755), "bwrap 0.8 is too old: 0.11 is needed for overlays"),
            (saying("bubblewrap 0.11.0", 0o4755), "bwrap 0.11 is installed setuid, and lays no overlays so"),
            (saying("something else", 0o755), "does not say its version"),
        ];
        for (folder, reason) in cases {
            let found = Bwrap::find(&[folder.path().to_owned()], Path::new("/workspace")).await;
            assert!(found.as_ref().is_err_and(|told| told.contains(reason)), "{reason}: {found:?}");
        }
    }
}
