//! From the protocol's types to the engine's.

use std::path::{Path, PathBuf};

use tower_lsp::lsp_types::{InitializeParams, Url};

/// The path of a `file:` URI; `None` for any other, such as a folder of a virtual file system.
pub(crate) fn path(uri: &Url) -> Option<PathBuf> {
    if uri.scheme() == "file" { uri.to_file_path().ok() } else { None }
}

/// The path that a file is named by: a `file:` URI, or the path itself.
pub(crate) fn file(named: &str) -> PathBuf {
    Url::parse(named).ok().as_ref().and_then(path).unwrap_or_else(|| PathBuf::from(named))
}

/// The folders a client has open. `root`, where the server was started with one, replaces them.
pub(crate) fn folders(params: &InitializeParams, root: Option<&Path>) -> Vec<PathBuf> {
    if let Some(root) = root {
        return vec![std::path::absolute(root).unwrap_or_else(|_| root.to_owned())];
    }
    let folders: Vec<PathBuf> =
        params.workspace_folders.iter().flatten().filter_map(|folder| path(&folder.uri)).collect();
    if !folders.is_empty() {
        return folders;
    }
    // Clients from before there were several folders.
    #[expect(deprecated, reason = "older clients send nothing else")]
    let old = params.root_uri.as_ref().and_then(path).or_else(|| params.root_path.as_ref().map(PathBuf::from));
    old.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn folders_of(params: Value, root: Option<&str>) -> Vec<PathBuf> {
        let mut all = json!({ "capabilities": {} });
        all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
        folders(&serde_json::from_value(all).unwrap(), root.map(Path::new))
    }

    #[test]
    fn a_file_is_named_by_uri_or_path() {
        for (named, path) in [("file:///a%20b/c", "/a b/c"), ("/a b/c", "/a b/c"), ("src/c", "src/c")] {
            assert_eq!(file(named), Path::new(path));
        }
    }

    #[test]
    fn the_newest_way_to_name_folders_wins() {
        let named = json!({
            "workspaceFolders": [{ "uri": "file:///a%20b", "name": "a" }, { "uri": "vscode-vfs://x/y", "name": "y" }],
            "rootUri": "file:///old", "rootPath": "/older",
        });
        assert_eq!(folders_of(named.clone(), None), [Path::new("/a b")]);
        assert_eq!(folders_of(named, Some("/given")), [Path::new("/given")]);
        let old = json!({ "workspaceFolders": null, "rootUri": "file:///old", "rootPath": "/older" });
        assert_eq!(folders_of(old, None), [Path::new("/old")]);
        assert_eq!(folders_of(json!({ "rootUri": null, "rootPath": "/older" }), None), [Path::new("/older")]);
        assert_eq!(folders_of(json!({ "rootUri": null, "rootPath": null }), None), Vec::<PathBuf>::new());
    }
}
