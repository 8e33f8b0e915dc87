//! A file in the root that a person has us change: not a task's work, and so neither staged nor published.

use std::io;

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
    /// Replaces the text of a file in the root by what `change` makes of it, of an empty text where there is no file. Its
    /// mode, owner and byte order mark stay.
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
        let bytes = before.as_ref().map(|state| state.bytes.as_slice()).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(OwnFileError::Left(path.clone(), "is not UTF-8"));
        };
        let text = change(text).map_err(OwnFileError::Refused)?;
        if self.read_in_place(path)?.map(|now| now.sha256) != before.as_ref().map(|before| before.sha256.clone()) {
            return Err(OwnFileError::Left(path.clone(), "was changed at the same time; try again"));
        }
        let name = path.as_str();
        let written = match &before {
            None => create(self.dir(), name, text.as_bytes()),
            Some(state) => replace_prepared(self.dir(), name, text.as_bytes(), &|file| {
                apply_metadata(file, (self.dir(), name), state.owner, state.mode)
            }),
        };
        written.map_err(|error| OwnFileError::Io(path.clone(), error))
    }
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
