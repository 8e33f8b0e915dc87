//! Following links.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::link::links;

/// A link that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// The file the link stands in, relative to the folder that was checked.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// Its target, as written.
    pub target: String,
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: no such file: {}", self.file.display(), self.line, self.target)
    }
}

/// Check every Markdown file beneath `root`. The result is ordered by file, then by line.
///
/// # Errors
/// When a folder or a file cannot be read.
pub fn check(root: &Path) -> io::Result<Vec<Dangling>> {
    let mut dangling = Vec::new();
    for file in markdown_files(root)? {
        let text = read(&root.join(&file))?;
        for link in links(&text) {
            let Some(path) = link.path() else { continue };
            if !resolve(root, &file, &path).exists() {
                dangling.push(Dangling {
                    file: file.clone(),
                    line: link.line,
                    target: link.target,
                });
            }
        }
    }
    Ok(dangling)
}

/// Where a link's path leads: from the root when it starts with `/`, else from its file's folder.
fn resolve(root: &Path, file: &Path, path: &str) -> PathBuf {
    match path.strip_prefix('/') {
        Some(absolute) => root.join(absolute),
        None => root.join(file.parent().unwrap_or(Path::new(""))).join(path),
    }
}

/// Markdown files beneath `root`, relative to it, sorted.
fn markdown_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            // A linked folder is not followed: it may lead back to where we are.
            if entry.file_type()?.is_dir() {
                if !is_skipped(&path) {
                    folders.push(path);
                }
            } else if is_markdown(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn is_skipped(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "target" || name == "node_modules"
}

fn is_markdown(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "md" || extension == "markdown")
}

/// Read a text, with the file's name in the error and without minding bytes that are not UTF-8.
fn read(file: &Path) -> io::Result<String> {
    match fs::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
    }
}
