//! The workspace folders of the client, each with a workflow of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tower_lsp::lsp_types::Url;

use crate::lsp::folder::Folder;
use crate::lsp::wire::from_proto;

/// Cheap to clone; all clones are the same folders.
#[derive(Clone, Default)]
pub(crate) struct Folders {
    open: Arc<Mutex<Vec<Arc<Folder>>>>,
}

/// Why a command is for no folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFolder {
    /// None is open.
    #[error("no folder is open; open the project's folder, or start the server by `baton lsp --workspace DIR`")]
    NoneOpen,
    /// Several are open.
    #[error("several folders are open; name one, for example {{\"folder\": \"{0}\"}}")]
    WhichOne(String),
    /// The one that was named is not open.
    #[error("{0} is not open here; open are {1}")]
    NotOpen(Url, String),
}

impl Folders {
    /// Add a folder; whether it was not open before.
    pub(crate) fn add(&self, folder: Arc<Folder>) -> bool {
        let mut open = self.open();
        let is_new = open.iter().all(|there| there.path() != folder.path());
        if is_new {
            open.push(folder);
        }
        is_new
    }

    /// Remove a folder; the caller stops its run.
    pub(crate) fn remove(&self, path: &Path) -> Option<Arc<Folder>> {
        let mut open = self.open();
        let index = open.iter().position(|folder| folder.path() == path)?;
        Some(open.remove(index))
    }

    /// All that are open.
    pub(crate) fn all(&self) -> Vec<Arc<Folder>> {
        self.open().clone()
    }

    /// The innermost folder that contains a file.
    pub(crate) fn containing(&self, file: &Path) -> Option<Arc<Folder>> {
        let open = self.open();
        let containing = open.iter().filter(|folder| file.starts_with(folder.path()));
        containing.max_by_key(|folder| folder.path().components().count()).cloned()
    }

    /// The folder a command is for.
    ///
    /// # Errors
    /// When it names none that is open, or names none and there are several.
    pub(crate) fn choose(&self, uri: Option<&Url>) -> Result<Arc<Folder>, NoFolder> {
        let open = self.all();
        let uris = || -> Vec<String> {
            open.iter().filter_map(|folder| Url::from_file_path(folder.path()).ok()).map(String::from).collect()
        };
        match (uri, open.as_slice()) {
            (_, []) => Err(NoFolder::NoneOpen),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(NoFolder::WhichOne(uris().into_iter().next().unwrap_or_default())),
            (Some(uri), _) => {
                // Compared as paths: one folder has many spellings as a URI.
                let wanted: Option<PathBuf> = from_proto::path(uri);
                let found = open.iter().find(|folder| wanted.as_deref() == Some(folder.path()));
                found.cloned().ok_or_else(|| NoFolder::NotOpen(uri.clone(), uris().join(", ")))
            }
        }
    }

    /// Stop every run and wait for their ends.
    pub(crate) async fn stop_all(&self) {
        let all = self.all();
        futures::future::join_all(all.iter().map(|folder| folder.stop())).await;
    }

    /// A poisoned lock only means that a thread panicked; each change of the list is whole.
    fn open(&self) -> MutexGuard<'_, Vec<Arc<Folder>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::text::documents::Documents;
    use crate::lsp::wire::capabilities::Capabilities;
    use crate::lsp::wire::client::Client;

    fn folders(paths: &[&str]) -> Folders {
        let folders = Folders::default();
        let (client, _) = Client::new();
        for path in paths {
            folders.add(Folder::new(
                path.into(),
                client.clone(),
                Capabilities::default(),
                Documents::default(),
                &crate::phases::TABLE,
            ));
        }
        folders
    }

    fn chosen(folders: &Folders, uri: Option<&str>) -> Result<PathBuf, String> {
        let uri = uri.map(|uri| Url::parse(uri).unwrap());
        folders.choose(uri.as_ref()).map(|folder| folder.path().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_folder_needs_no_name_and_several_do() {
        let one = folders(&["/a b"]);
        assert_eq!(chosen(&one, None), Ok("/a b".into()));
        assert_eq!(chosen(&one, Some("file:///a%20b/")), Ok("/a b".into()));
        let two = folders(&["/a", "/b", "/a"]);
        assert_eq!(chosen(&two, Some("file:///b")), Ok("/b".into()));
        assert_eq!(
            chosen(&two, None).unwrap_err(),
            "several folders are open; name one, for example {\"folder\": \"file:///a\"}"
        );
        let not_open = "file:///c is not open here; open are file:///a, file:///b";
        assert_eq!(chosen(&two, Some("file:///c")).unwrap_err(), not_open);
        assert!(two.remove(Path::new("/a")).is_some() && two.remove(Path::new("/a")).is_none());
        assert_eq!(chosen(&two, None), Ok("/b".into()));
        let nested = folders(&["/a", "/a/b"]);
        let holding = |file: &str| nested.containing(Path::new(file)).map(|folder| folder.path().to_owned());
        assert_eq!(holding("/a/b/c.rs"), Some("/a/b".into()));
        assert_eq!((holding("/a/bc.rs"), holding("/ab")), (Some("/a".into()), None));
        assert!(chosen(&folders(&[]), None).unwrap_err().starts_with("no folder is open"));
    }
}
