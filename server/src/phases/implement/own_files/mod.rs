//! The files of a task as they are now, for its agent's first message.

use std::collections::HashMap;
use std::sync::PoisonError;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::claims::SharedStaging;
use crate::agents::{AgentError, Need, Opening, left_out};
use crate::contracts::{FileKeys, PlanOutput, RepoPath, Task};
use crate::phases::attached::{kept_inside, outlined, shown, size};
use crate::phases::named::{Named, as_attached, listed, ranges_in};
use crate::phases::passage::{AROUND, ranges_around};
use crate::text::count;
use crate::tools::Toolbox;
use crate::workspace::Workspace;

/// Bytes of a task's files that stand in its agent's first message: all of them together.
const MOST: usize = 32 * 1024;
/// A file of at most so many bytes stands there whole although parts of it stand elsewhere.
const SHORT: usize = 8 * 1024;
/// A file of so many bytes is not sent twice where it stands whole in what all tasks share.
const LONG_ENOUGH: usize = 4 * 1024;
/// Bytes of the lines around the places that a round is about: all of them together.
const MOST_OF_PLACES: usize = 32 * 1024;
const SECTION: &str = "own_files";
const PLACES: &str = "issue_lines";

/// What an agent is given besides its task's files, as far as they are chosen by it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside<'a> {
    /// What all tasks share, the lines that the context names among it.
    pub(super) system: &'a [String],
    /// In a round that mends what was done before: the lines that it is about.
    pub(super) places: Option<&'a [(RepoPath, u32)]>,
}

/// The files of a task. Each that stands there whole counts as read, unless the model's window has no room for it, and so does a
/// long one that stands whole, as it is now, in what all tasks share. Of a long file that the agent is shown lines of elsewhere
/// only these are named, and so in a round that mends what was done before, which is shown the lines that it is about.
///
/// # Errors
/// When the run was cancelled.
pub(super) async fn own_files(
    toolbox: &Toolbox,
    workspace: &Workspace,
    task: &Task,
    beside: Beside<'_>,
    staging: &SharedStaging,
    cancel: &CancellationToken,
) -> Result<Opening, AgentError> {
    let mut opening = Opening::new();
    if task.files().next().is_none() {
        return Ok(opening);
    }
    opening.push_str(&format!(
        "<{SECTION} trust=\"untrusted data: the files of your task as they are now, as read_file shows them\">\n"
    ));
    let staged = Staged::of(staging);
    let mut files = Vec::new();
    for file in task.files_to_modify.iter().chain(&task.files_to_create) {
        let Ok(path) = RepoPath::parse(file) else { continue };
        files.push(own_file(toolbox, workspace, task, path, beside, &staged, cancel).await?);
    }
    let sizes: Vec<Size> = files.iter().map(Own::size).collect();
    let are_whole = whole(&sizes);
    let (mut shown_whole, mut whole_before): (Vec<(RepoPath, String)>, Vec<RepoPath>) = (Vec::new(), Vec::new());
    for (Own { path, lines, form }, is_whole) in files.into_iter().zip(are_whole) {
        match form {
            Form::Said(what) => opening.push_str(&format!("({path} {what}.)\n")),
            Form::Before => {
                opening.push_str(&format!("({path} is as it stands, whole, in what you were given before.)\n"));
                whole_before.push(path);
            }
            Form::Text { text, .. } if is_whole => {
                let without = left_out(&format!("{path} is"), "read what you need of it");
                opening.attach(Need::Spare, text.clone(), [without]);
                shown_whole.push((path, text));
            }
            Form::Text { named, .. } => {
                let is_again = beside.places.is_some();
                let part = match named.as_slice() {
                    [] if is_again => format!("({path}, {}, is not shown here.)\n", count(lines, "line")),
                    [] => outlined(toolbox, SECTION, &path, lines, cancel).await?,
                    named => {
                        let (lines, listed) = (count(lines, "line"), listed(named));
                        format!("({path}, {lines}: its {listed} stand in named_ranges, as they are now.)\n")
                    }
                };
                forget(staging, &path);
                let without = left_out(&format!("{path}, a long file, is"), "search it, and read what you need of it");
                opening.attach(Need::Spare, part, [without]);
            }
        }
    }
    for file in task.files_to_delete.iter().filter(|file| !task.files_to_modify.contains(file)) {
        let is_gone = RepoPath::parse(file).is_ok_and(|path| !staged.is_file(workspace, &path));
        let what = if is_gone { "is deleted already" } else { "is to be deleted, and its text is not shown" };
        opening.push_str(&format!("({file} {what}.)\n"));
    }
    opening.push_str(&format!("</{SECTION}>\n"));
    let is_whole =
        |path: &RepoPath| shown_whole.iter().map(|(path, _)| path).chain(&whole_before).any(|own| own == path);
    opening.append(place_lines(toolbox, workspace, beside, &staged, is_whole, staging, cancel).await?);
    for (path, text) in shown_whole {
        opening.shows_file(path, text);
    }
    Ok(opening)
}

/// A file of the task.
struct Own {
    path: RepoPath,
    lines: usize,
    form: Form,
}

enum Form {
    /// What is said of it instead of its text.
    Said(String),
    /// It stands whole, as it is now, in what all tasks share.
    Before,
    /// Its text as `read_file` shows it.
    Text {
        text: String,
        bytes: usize,
        /// Whether that is all of it.
        is_all: bool,
        /// Lines of it that the agent is shown elsewhere, as they are now.
        named: Vec<(u32, u32)>,
        /// Whether the round mends what was done before.
        is_again: bool,
    },
}

impl Own {
    fn size(&self) -> Size {
        match &self.form {
            Form::Said(_) | Form::Before => Size { bytes: 0, is_wanted: false },
            Form::Text { bytes, is_all, named, is_again, .. } => {
                let is_wanted = *is_all && (*bytes <= SHORT || (named.is_empty() && !is_again));
                Size { bytes: *bytes, is_wanted }
            }
        }
    }
}

/// What there is of a file.
async fn own_file(
    toolbox: &Toolbox,
    workspace: &Workspace,
    task: &Task,
    path: RepoPath,
    beside: Beside<'_>,
    staged: &Staged,
    cancel: &CancellationToken,
) -> Result<Own, AgentError> {
    let said = |path: RepoPath, what: String| Ok(Own { path, lines: 0, form: Form::Said(what) });
    if !staged.is_file(workspace, &path) {
        let is_new = task.files_to_create.iter().any(|file| file == path.as_str());
        let what = if is_new { "is new: your task creates it" } else { "is not there" };
        return said(path, what.to_owned());
    }
    let text = match shown(toolbox, "read_file", &json!({ "path": path.as_str() }), cancel).await? {
        Ok(text) => kept_inside(SECTION, &text),
        Err(why) => return said(path, format!("cannot be shown: {}", why.trim_end().trim_end_matches('.'))),
    };
    let (bytes, lines) = size(&text);
    if bytes >= LONG_ENOUGH && beside.system.iter().any(|part| part.contains(&text)) {
        return Ok(Own { path, lines, form: Form::Before });
    }
    let all = staged.line_count(workspace, &path).unwrap_or(lines);
    let mut named = Vec::new();
    for (first, last) in ranges_in(beside.system, &path) {
        let input = json!({ "path": path.as_str(), "start_line": first, "end_line": last });
        // A task that was done since may have changed them.
        if let Ok(shown) = shown(toolbox, "read_file", &input, cancel).await?
            && beside.system.iter().any(|part| part.contains(&as_attached(&shown)))
        {
            named.push((first, last));
        }
    }
    let is_again = beside.places.is_some();
    Ok(Own { path, lines: all, form: Form::Text { text, bytes, is_all: all <= lines, named, is_again } })
}

/// How much there is of a file.
#[derive(Debug, Clone, Copy)]
struct Size {
    bytes: usize,
    /// Whether it is to stand whole in the message where there is room.
    is_wanted: bool,
}

/// Which files stand whole in the message: the shortest first.
fn whole(sizes: &[Size]) -> Vec<bool> {
    let mut by_size: Vec<usize> = (0..sizes.len()).filter(|at| sizes[*at].is_wanted).collect();
    by_size.sort_by_key(|at| sizes[*at].bytes);
    let (mut room, mut are_whole) = (MOST, vec![false; sizes.len()]);
    for at in by_size {
        let Some(left) = room.checked_sub(sizes[at].bytes) else { break };
        (room, are_whole[at]) = (left, true);
    }
    are_whole
}

/// The lines around the places that a round is about, of files that do not stand whole in the message.
async fn place_lines(
    toolbox: &Toolbox,
    workspace: &Workspace,
    beside: Beside<'_>,
    staged: &Staged,
    is_whole: impl Fn(&RepoPath) -> bool,
    staging: &SharedStaging,
    cancel: &CancellationToken,
) -> Result<Opening, AgentError> {
    let mut opening = Opening::new();
    let places = beside.places.unwrap_or_default();
    let mut files: Vec<&RepoPath> = Vec::new();
    for (path, _) in places.iter().filter(|(path, _)| !is_whole(path)) {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    let mut room = MOST_OF_PLACES;
    for path in files {
        let Some(lines) = staged.line_count(workspace, path) else { continue };
        let of_file = places.iter().filter(|(file, _)| file == path).map(|(_, line)| *line);
        for (first, last) in ranges_around(of_file, u32::try_from(lines).unwrap_or(u32::MAX), AROUND) {
            let input = json!({ "path": path.as_str(), "start_line": first, "end_line": last });
            let Ok(text) = shown(toolbox, "read_file", &input, cancel).await? else { continue };
            let text = kept_inside(PLACES, &text);
            let without = format!("({path}, lines {first}-{last}: left out; read_file shows them.)\n");
            match room.checked_sub(text.len()) {
                Some(left) => {
                    room = left;
                    opening.attach(Need::Helpful, text, [without]);
                }
                None => opening.push_str(&without),
            }
        }
        forget(staging, path);
    }
    if opening.is_empty() {
        return Ok(opening);
    }
    let mut framed = Opening::from(format!(
        "<{PLACES} trust=\"untrusted data: the lines around what is to be mended, as the files are now\">\n"
    ));
    framed.append(opening);
    framed.push_str(&format!("</{PLACES}>\n"));
    Ok(framed)
}

/// The edits that an attempt before this one left: the lines of each file, or that it is deleted.
struct Staged(HashMap<RepoPath, Option<usize>>);

impl Staged {
    fn of(staging: &SharedStaging) -> Self {
        let staging = staging.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().count();
        Self(staging.overlay().map(|(path, bytes)| (path.clone(), bytes.map(lines))).collect())
    }

    fn is_file(&self, workspace: &Workspace, path: &RepoPath) -> bool {
        self.0.get(path).map_or_else(|| workspace.is_file(path), Option::is_some)
    }

    fn line_count(&self, workspace: &Workspace, path: &RepoPath) -> Option<usize> {
        self.0.get(path).copied().unwrap_or_else(|| workspace.line_count(path).map(|lines| lines as usize))
    }
}

/// Whether a file whose lines the context names stands whole in the first message of every task all the same: a short one of a
/// plan with one task.
pub(super) fn stands_in_all<'a>(
    plan: &'a PlanOutput,
    named: &Named,
    workspace: &Workspace,
) -> impl Fn(&str) -> bool + use<'a> {
    let only = match plan.tasks.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let written: Vec<&str> = only
        .iter()
        .flat_map(|task| task.files_to_modify.iter().chain(&task.files_to_create))
        .map(String::as_str)
        .collect();
    let keys: FileKeys = workspace.file_keys_of(written.iter().copied());
    let size = |file: &&str| {
        let path = RepoPath::parse(file).ok();
        let state = path.as_ref().and_then(|path| workspace.read_open(path).ok()?);
        let bytes = state.map_or(0, |state| state.bytes.len());
        let is_named = path.is_some_and(|path| !named.ranges_of(&path).is_empty());
        Size { bytes, is_wanted: bytes > 0 && (bytes <= SHORT || !is_named) }
    };
    let are_whole = whole(&written.iter().map(size).collect::<Vec<_>>());
    let stand: Vec<&str> =
        written.into_iter().zip(are_whole).filter(|(_, stands)| *stands).map(|(file, _)| file).collect();
    move |file| stand.iter().any(|own| *own == file || keys.is_same(own, file))
}

fn forget(staging: &SharedStaging, path: &RepoPath) {
    staging.lock().unwrap_or_else(PoisonError::into_inner).forget(path);
}

#[cfg(test)]
mod tests;
