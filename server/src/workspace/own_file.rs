//! A file beneath the root that a person has us change: not a task's work, and so neither staged nor published.

use std::io;

use cap_std::fs::File;

use super::durable::{create, replace_prepared};
use super::error::WorkspaceError;
use super::ownership::apply_metadata;
use super::root::Workspace;
use crate::contracts::RepoPath;

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OwnFileError {
    /// It cannot be read, or there is no regular file in its place.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// It has unsaved changes in an editor, or is not a text, or was changed at the same time.
    #[error("{0} {1}")]
    Left(RepoPath, &'static str),
    /// The new text cannot be made.
    #[error("{0}")]
    Refused(String),
    /// The system failed.
    #[error("{0} cannot be written: {1}")]
    Io(RepoPath, io::Error),
}

impl Workspace {
    /// The text of a file beneath the root, as [`change_own_file`](Self::change_own_file) would find it; `None` where there
    /// is none.
    ///
    /// # Errors
    /// When it cannot be read, stands behind a link or cannot be written, or is not UTF-8.
    pub fn own_file(&self, path: &RepoPath) -> Result<Option<String>, OwnFileError> {
        self.check_in_place(path)?;
        self.read_in_place(path)?.map(|state| text_of(path, state.bytes)).transpose()
    }

    /// Replaces the text of a file beneath the root by what `change` makes of it, of an empty text where there is no file;
    /// the folders above it are made. Its mode, owner and byte order mark stay.
    ///
    /// # Errors
    /// When it cannot be read or written, has unsaved changes in an editor, or `change` refuses.
    pub fn change_own_file(
        &self,
        path: &RepoPath,
        change: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<(), OwnFileError> {
        if !self.unsaved([path]).is_empty() {
            return Err(OwnFileError::Left(path.clone(), "has unsaved changes in the editor; save it first"));
        }
        let before = self.read_in_place(path)?;
        let text = before.as_ref().map(|state| text_of(path, state.bytes.clone())).transpose()?.unwrap_or_default();
        let text = change(&text).map_err(OwnFileError::Refused)?;
        let sha256 = before.as_ref().map(|before| &before.sha256);
        let still = || match self.read_in_place(path) {
            Ok(now) => Ok(now.as_ref().map(|now| &now.sha256) == sha256),
            Err(error) => Err(io::Error::other(error)),
        };
        let folder = match path.parent() {
            Some(parent) => &self.folder(&parent)?,
            None => self.dir(),
        };
        let name = path.file_name();
        let written = match &before {
            None => create(folder, name, text.as_bytes()).map(|()| true),
            Some(state) => {
                let prepare = |file: &File| apply_metadata(file, (folder, name), state.owner, state.mode);
                replace_prepared(folder, name, text.as_bytes(), &prepare, &still)
            }
        };
        let is_changed = || OwnFileError::Left(path.clone(), "was changed at the same time; try again");
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(is_changed()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(is_changed()),
            Err(error) => Err(OwnFileError::Io(path.clone(), error)),
        }
    }
}

fn text_of(path: &RepoPath, bytes: Vec<u8>) -> Result<String, OwnFileError> {
    String::from_utf8(bytes).map_err(|_| OwnFileError::Left(path.clone(), "is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    fn appended(fixture: &Fixture) -> Result<(), OwnFileError> {
        let path = RepoPath::parse("baton.toml").unwrap();
        fixture.workspace().change_own_file(&path, |text| Ok(format!("{text}more\n")))
    }

    #[test]
    fn a_file_is_made_or_changed() {
        let fixture = Fixture::new("//- /a\n");
        appended(&fixture).unwrap();
        appended(&fixture).unwrap();
        assert_eq!(fixture.text("baton.toml"), "more\nmore\n");
    }

    #[test]
    fn the_folders_above_a_file_are_made() {
        let fixture = Fixture::new("//- /a\n");
        let path = RepoPath::parse(".github/agents/x.md").unwrap();
        assert_eq!(fixture.workspace().own_file(&path).unwrap(), None);
        fixture.workspace().change_own_file(&path, |_| Ok("x\n".to_owned())).unwrap();
        assert_eq!(fixture.workspace().own_file(&path).unwrap().as_deref(), Some("x\n"));
        assert_eq!(fixture.names(".github/agents"), ["x.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_behind_a_link() {
        let fixture = Fixture::new("//- /elsewhere/a\n");
        fixture.link("elsewhere", ".github");
        let path = RepoPath::parse(".github/x.md").unwrap();
        assert!(fixture.workspace().own_file(&path).is_err());
        assert!(fixture.workspace().change_own_file(&path, |_| Ok("x\n".to_owned())).is_err());
        assert_eq!(fixture.names("elsewhere"), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn its_mode_stays_and_a_link_is_not_followed() {
        use std::os::unix::fs::PermissionsExt;
        let fixture = Fixture::new("//- /baton.toml\n# mine\n");
        let file = fixture.root().join("baton.toml");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        appended(&fixture).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        fixture.remove("baton.toml");
        fixture.write("elsewhere", b"x");
        fixture.link("elsewhere", "baton.toml");
        assert!(matches!(appended(&fixture), Err(OwnFileError::Workspace(WorkspaceError::Link(_)))));
        assert_eq!(fixture.text("elsewhere"), "x");
    }

    #[test]
    fn what_is_no_text_or_was_refused_stays() {
        let fixture = Fixture::new("//- /a\n");
        fixture.write("baton.toml", b"\xff");
        assert!(appended(&fixture).unwrap_err().to_string().contains("UTF-8"));
        let path = RepoPath::parse("a").unwrap();
        let refused = fixture.workspace().change_own_file(&path, |_| Err("no".to_owned()));
        assert_eq!(refused.unwrap_err().to_string(), "no");
    }
}
