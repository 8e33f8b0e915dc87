//! Where an issue stands in a file, by the text that it quotes.

use std::collections::BTreeSet;

use crate::contracts::{Issue, RepoPath, find_quote, issue_id};
use crate::workspace::{TextFile, Workspace};

/// Set one issue at its place; `Err` says why it has none.
pub(super) fn place(mut issue: Issue, text: &dyn Fn(&RepoPath) -> Option<String>) -> Result<Issue, String> {
    let unplaced = |why: &str| format!("{} ({}): {}", issue.file, why, issue.description);
    let path = RepoPath::parse(&issue.file).map_err(|error| unplaced(&error.to_string()))?;
    let content = text(&path).ok_or_else(|| unplaced("no such file"))?;
    let lines: Vec<&str> = content.lines().collect();
    let height = issue.end_line.map_or(0, |end| end.saturating_sub(issue.line));
    let quote = issue.quote.as_deref().filter(|quote| !quote.trim().is_empty());
    issue.line = match quote {
        Some(quote) => find_quote(&lines, quote, issue.line).ok_or_else(|| unplaced("the quoted line is not in it"))?,
        None => issue.line.clamp(1, last_line(&lines)),
    };
    issue.end_line = issue.end_line.map(|_| issue.line.saturating_add(height).min(last_line(&lines)));
    issue.file = path.to_string();
    let standing = lines.get(issue.line as usize - 1).copied().unwrap_or_default();
    issue.id = issue_id(&issue.file, standing, &issue.description);
    Ok(issue)
}

/// Set every issue at its place, under the name that its file has on disk; each finding once. Answers with what has no
/// place, a sentence each, for a summary.
pub(super) fn place_all(workspace: &Workspace, issues: &mut Vec<Issue>) -> Vec<String> {
    use_names_on_disk(workspace, issues);
    let (mut placed, mut unplaced): (Vec<Issue>, Vec<String>) = Default::default();
    for issue in std::mem::take(issues) {
        match place(issue, &|path| text(workspace, path)) {
            Ok(issue) if placed.iter().any(|known| known.id == issue.id) => {}
            Ok(issue) => placed.push(issue),
            Err(why) => unplaced.push(why),
        }
    }
    *issues = placed;
    unplaced
}

/// A summary, with what has no place in a file.
pub(super) fn with_unplaced(summary: &str, unplaced: &[String]) -> String {
    if unplaced.is_empty() {
        return summary.to_owned();
    }
    let lines: Vec<String> = unplaced.iter().map(|why| format!("- {why}")).collect();
    format!("{}\n\nNot placed in a file:\n{}", summary.trim_end(), lines.join("\n"))
}

fn last_line(lines: &[&str]) -> u32 {
    u32::try_from(lines.len().max(1)).unwrap_or(u32::MAX)
}

/// A file's text as models are shown it, so that what they quote is found; `None` when it is not there or not text.
pub(super) fn text(workspace: &Workspace, path: &RepoPath) -> Option<String> {
    let bytes = workspace.read_open(path).ok()??.bytes;
    Some(TextFile::decode(&bytes).ok()?.masked_text().into_owned())
}

/// Replace the file of each issue by the name that it has on disk, under which it is shown.
pub(super) fn use_names_on_disk(workspace: &Workspace, issues: &mut [Issue]) {
    let files: Vec<RepoPath> = issues
        .iter()
        .filter_map(|issue| RepoPath::parse(&issue.file).ok())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let other_names = workspace.other_names(&files);
    for issue in issues {
        if let Some(real) = RepoPath::parse(&issue.file).ok().and_then(|path| other_names.get(&path)) {
            issue.file = real.to_string();
        }
    }
}
