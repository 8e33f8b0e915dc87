//! Where an issue stands in a file, by the text that it quotes.
//!
//! Invariant: an issue is never lost, and never stands at a wrong line: one whose place is not found goes back to the
//! agent, and is kept as one without a place where the agent cannot mend it any more.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::contracts::{Issue, RepoPath, find_quote, issue_id};
use crate::text::{count, cut, safe_line};
use crate::tools::nearest_line;
use crate::workflow::Run;
use crate::workspace::{TextFile, Workspace, is_secret_text, readable};

/// What there is of a file in which something is to be placed.
#[derive(Debug, Clone)]
pub(super) enum FileText {
    /// Its text as agents are shown it.
    Shown(String),
    /// It is there, and agents are not shown its text; it has so many lines.
    Hidden(u32),
    /// There is no such file, or it is none that agents can name.
    Missing,
}

/// The files in which things are placed, each read once.
pub(super) struct Texts<'a> {
    read: Box<dyn Fn(&RepoPath) -> FileText + 'a>,
    known: RefCell<HashMap<RepoPath, Rc<FileText>>>,
}

/// Why something has no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoPlace {
    /// The property at fault: `file` or `quote`.
    pub(super) property: &'static str,
    /// What is wrong, for the model.
    pub(super) why: String,
    /// Whether it is a quote beside which the file has a line much like it.
    pub(super) is_near: bool,
}

impl<'a> Texts<'a> {
    /// The files of a run's workspace.
    pub(super) fn of(run: &'a Run) -> Self {
        Self::new(|path| look(&run.workspace, run.store.path(), path))
    }

    /// Files that are read by a function.
    pub(super) fn new(read: impl Fn(&RepoPath) -> FileText + 'a) -> Self {
        Self { read: Box::new(read), known: RefCell::default() }
    }

    /// What there is of a file.
    pub(super) fn get(&self, path: &RepoPath) -> Rc<FileText> {
        let known = self.known.borrow().get(path).cloned();
        known.unwrap_or_else(|| {
            let text = Rc::new((self.read)(path));
            self.known.borrow_mut().insert(path.clone(), Rc::clone(&text));
            text
        })
    }
}

/// What there is of a file, by the rules of the tools: no agent learns by a quote what it may not read. A file that git
/// ignores holds no secret by that, and may be among the changes.
fn look(workspace: &Workspace, memory: &RepoPath, path: &RepoPath) -> FileText {
    use crate::workspace::Refused::{Ignored, Secret};
    let bytes = |path: &RepoPath| workspace.read_open(path).ok().flatten().map(|file| file.bytes);
    let hidden = |bytes: &[u8]| FileText::Hidden(TextFile::decode(bytes).map_or(1, |file| last_line(file.text())));
    let found = match readable(workspace, path, memory) {
        Ok(Ok(Some(real))) => bytes(&real),
        Ok(Err(Ignored(_))) => bytes(path),
        Ok(Err(Secret(_))) => return bytes(path).map_or(FileText::Missing, |bytes| hidden(&bytes)),
        Ok(Ok(None) | Err(_)) | Err(_) => None,
    };
    let Some(bytes) = found else { return FileText::Missing };
    match text(workspace, path) {
        Some(text) if !is_secret_text(&bytes) => FileText::Shown(text),
        _ => hidden(&bytes),
    }
}

/// A file's text as models are shown it, so that what they quote is found; `None` when it is not there or not text.
pub(super) fn text(workspace: &Workspace, path: &RepoPath) -> Option<String> {
    let bytes = workspace.read_open(path).ok()??.bytes;
    Some(TextFile::decode(&bytes).ok()?.masked_text().into_owned())
}

fn last_line(text: &str) -> u32 {
    u32::try_from(text.lines().count().max(1)).unwrap_or(u32::MAX)
}

/// Where a quote stands in a file, nearest to the line that is named: the file, the line, and the text of that line.
///
/// # Errors
/// Why it stands nowhere.
pub(super) fn place_quote(
    file: &str,
    quote: &str,
    near: u32,
    texts: &Texts<'_>,
) -> Result<(RepoPath, u32, String), NoPlace> {
    let path = path_of(file)?;
    let found = texts.get(&path);
    let FileText::Shown(text) = &*found else {
        return Err(match *found {
            FileText::Missing => missing(&path),
            _ => NoPlace {
                property: "quote",
                why: format!("the text of {path} is not shown, so nothing of it can be quoted; leave the quote out"),
                is_near: false,
            },
        });
    };
    let lines: Vec<&str> = text.lines().collect();
    match find_quote(&lines, quote, near) {
        Some(line) => {
            let standing = lines.get(line as usize - 1).copied().unwrap_or_default().to_owned();
            Ok((path, line, standing))
        }
        None => Err(nowhere(&path, text, quote)),
    }
}

fn path_of(file: &str) -> Result<RepoPath, NoPlace> {
    RepoPath::parse(file).map_err(|error| NoPlace { property: "file", why: error.to_string(), is_near: false })
}

fn missing(path: &RepoPath) -> NoPlace {
    let why = format!(
        "there is no file {path} that can be read here; where it was deleted, name the file in which this is to be mended, \
         and quote a line of that"
    );
    NoPlace { property: "file", why, is_near: false }
}

/// That a quote stands nowhere in a text, and what of the text is the most like it.
fn nowhere(path: &RepoPath, text: &str, quote: &str) -> NoPlace {
    let total = text.lines().count();
    let removed = match quote.trim_start().starts_with('-') {
        true => " What a diff shows as removed stands in the file no more: quote a line beside which it stood.",
        false => "",
    };
    let first = quote.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let bare = first.trim_start_matches(['+', '-']);
    let near = nearest_line(text, bare).and_then(|line| Some((line, text.lines().nth(line - 1)?)));
    let is_near = near.is_some();
    let why = match near {
        Some((line, near)) => format!(
            "this text stands nowhere in {path}; the most like it is line {line}: {:?}. Copy the line as it stands.{removed}",
            cut(near.trim(), 200)
        ),
        None => format!(
            "this text stands nowhere in {path}, which has {}, and nothing there is like it; look at the file and copy the \
             line as it stands.{removed}",
            count(total, "line")
        ),
    };
    NoPlace { property: "quote", why, is_near }
}

/// Set one issue at its place.
///
/// # Errors
/// Why it has none.
pub(super) fn place(mut issue: Issue, texts: &Texts<'_>) -> Result<Issue, NoPlace> {
    let height = issue.end_line.map_or(0, |end| end.saturating_sub(issue.line));
    let quote = issue.quote.as_deref().filter(|quote| !quote.trim().is_empty());
    let (path, line, standing) = match quote {
        Some(quote) => {
            let (path, line, standing) = place_quote(&issue.file, quote, issue.line, texts)?;
            issue.quote = Some(with_whole_line(quote, &standing));
            (path, line, standing)
        }
        None => {
            let path = path_of(&issue.file)?;
            let line = issue.line.clamp(1, lines_of(&path, texts).ok_or_else(|| missing(&path))?);
            let standing = match &*texts.get(&path) {
                FileText::Shown(text) => text.lines().nth(line as usize - 1).unwrap_or_default().to_owned(),
                FileText::Hidden(_) | FileText::Missing => String::new(),
            };
            (path, line, standing)
        }
    };
    issue.line = line;
    let last = lines_of(&path, texts).unwrap_or(line);
    issue.end_line = issue.end_line.map(|_| line.saturating_add(height).min(last));
    issue.file = path.to_string();
    issue.id = issue_id(&issue.file, &standing, &issue.description);
    issue.placed = None;
    Ok(issue)
}

/// A quote whose first line is the whole line of the file, whatever part of it was quoted: the next review may quote another
/// part, and the issue is then still recognised. What is no line of the file stays as it was said, and so does a quote of a
/// line that is much too long to be one of code.
fn with_whole_line(quote: &str, standing: &str) -> String {
    const LONGEST: usize = 1000;
    let mut lines = quote.lines().skip_while(|line| line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    if standing.len() > LONGEST || find_quote(&[standing], first, 1).is_none() {
        return quote.to_owned();
    }
    let rest: Vec<&str> = lines.collect();
    // Blank lines behind it are no part of it.
    if rest.iter().all(|line| line.trim().is_empty()) {
        return standing.to_owned();
    }
    [standing].into_iter().chain(rest).collect::<Vec<_>>().join("\n")
}

/// Keep an issue whose place was not found: its file as it was said, its line clamped.
pub(super) fn keep(mut issue: Issue, texts: &Texts<'_>) -> Issue {
    let lines = RepoPath::parse(&issue.file).ok().and_then(|path| lines_of(&path, texts));
    issue.file = cut(&safe_line(&issue.file), 1024).into_owned();
    issue.line = lines.map_or(1, |last| issue.line.clamp(1, last));
    issue.end_line = lines.and_then(|last| issue.end_line.map(|end| end.clamp(issue.line, last)));
    issue.id = issue_id(&issue.file, issue.quote.as_deref().unwrap_or_default(), &issue.description);
    issue.placed = Some(false);
    issue
}

fn lines_of(path: &RepoPath, texts: &Texts<'_>) -> Option<u32> {
    match &*texts.get(path) {
        FileText::Shown(text) => Some(last_line(text)),
        FileText::Hidden(lines) => Some(*lines),
        FileText::Missing => None,
    }
}

/// What is wrong with the places of issues, for the model.
pub(super) fn faults(issues: &[Issue], texts: &Texts<'_>) -> Vec<String> {
    let fault = |(index, issue): (usize, &Issue)| {
        let NoPlace { property, why, .. } = place(issue.clone(), texts).err()?;
        Some(format!("/issues/{index}/{property}: {why}"))
    };
    issues.iter().enumerate().filter_map(fault).collect()
}

/// Set every issue at its place, under the name that its file has on disk, or keep it as one without a place; each finding
/// once.
pub(super) fn place_all(run: &Run, issues: &mut Vec<Issue>) {
    use_names_on_disk(&run.workspace, issues);
    let texts = Texts::of(run);
    let mut placed: Vec<Issue> = Vec::new();
    for issue in std::mem::take(issues) {
        let issue = place(issue.clone(), &texts).unwrap_or_else(|_| keep(issue, &texts));
        if placed.iter().all(|known| known.id != issue.id) {
            placed.push(issue);
        }
    }
    *issues = placed;
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
