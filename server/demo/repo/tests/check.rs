//! What a user sees, on small folders of Markdown.

use std::fs;
use std::path::{Path, PathBuf};

/// Write a folder of files for one test.
fn site(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&root);
    for (path, text) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    root
}

/// The findings for a folder, one a line.
fn findings(root: &Path) -> Vec<String> {
    dangle::check(root).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_link_to_a_missing_file_is_reported_with_its_line() {
    let root = site("missing", &[("docs/index.md", "# Docs\n\n[Setup](setup.md)\n")]);
    assert_eq!(findings(&root), ["docs/index.md:3: no such file: setup.md"]);
}

#[test]
fn links_to_files_folders_and_the_web_are_fine() {
    let index =
        "[a](../a.md) [root](/a.md) [folder](img) ![logo](img/logo.svg) [web](https://example.org)";
    let root = site("fine", &[("docs/index.md", index), ("a.md", ""), ("docs/img/logo.svg", "")]);
    assert!(findings(&root).is_empty());
}

#[test]
fn hidden_folders_are_left_alone() {
    let root = site("hidden", &[(".cache/a.md", "[b](b.md)"), ("index.md", "")]);
    assert!(findings(&root).is_empty());
}

#[test]
fn this_repository_has_no_dangling_links() {
    assert!(findings(Path::new(env!("CARGO_MANIFEST_DIR"))).is_empty());
}
