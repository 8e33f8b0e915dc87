//! Which files may not be written, are flagged at the gate, or are never read, by their names alone: a row of the table
//! holds in every form that some file system takes for the same name.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table::{Kind, Row, TABLE};
use crate::contracts::RepoPath;

/// Whether a path may be written at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Like any file.
    None,
    /// Only if the plan lists it and a person approved that very plan.
    NeedsApproval,
    /// Not even then.
    Never,
}

const NEVER: &[&str] = &[".git", ".agent_memory"];

/// Whether a path may be written, by its name alone: it need not exist, and case, normal form and short names of
/// Windows make no difference. See also [`GitFolders`](super::GitFolders).
pub fn protection(path: &RepoPath, memory_dir: &RepoPath) -> Protection {
    if is_never(path, memory_dir) {
        Protection::Never
    } else if row(path, Kind::Protected).is_some() {
        Protection::NeedsApproval
    } else {
        Protection::None
    }
}

/// Whether a path is, or is in, `.git` or the memory folder.
pub(in crate::workspace) fn is_never(path: &RepoPath, memory_dir: &RepoPath) -> bool {
    is_never_key(&path.key(), &memory_dir.key())
}

/// [`is_never`] for the [keys](RepoPath::key) of a path and of the memory folder.
pub(in crate::workspace) fn is_never_key(key: &str, memory: &str) -> bool {
    let in_memory = key == memory || key.strip_prefix(memory).is_some_and(|rest| rest.starts_with('/'));
    in_memory || key.split('/').any(is_never_name) || memory_short_name(key, memory)
}

/// Whether a component is `.git` or the usual memory folder.
pub(in crate::workspace) fn never_by_name(path: &RepoPath) -> bool {
    path.key().split('/').any(is_never_name)
}

fn is_never_name(component: &str) -> bool {
    NEVER.iter().any(|name| is_named(component, name))
}

fn memory_short_name(key: &str, memory: &str) -> bool {
    let mut components = key.split('/');
    key.contains('~')
        && memory.split('/').all(|name| components.next().is_some_and(|component| is_named(component, name)))
}

fn is_named(component: &str, name: &str) -> bool {
    component == name || is_short_name(component, name)
}

/// Whether a component could be the short (8.3) name that Windows gives a long one: `GIT~1` for `.git`.
///
/// The base loses its dots and keeps six characters at most, or, once there are many alike, two and four hex digits.
/// Source: "Naming Files, Paths, and Namespaces" and git's `is_ntfs_dotgit`.
fn is_short_name(component: &str, name: &str) -> bool {
    let Some((start, rest)) = component.split_once('~') else { return false };
    let number = rest.split('.').next().unwrap_or_default();
    if start.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let name = name.trim_start_matches('.');
    let base: String = name.split('.').next().unwrap_or_default().chars().filter(|c| *c != ' ').collect();
    let hashed = start.len() == 6 && base.len() >= 2 && start.is_char_boundary(2) && {
        let (two, digits) = start.split_at(2);
        base.starts_with(two) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let six: String = base.chars().take(6).collect();
    start == six || hashed
}

/// Why the gate shows a path as "runs code when you build": build scripts, manifests, lock files and the like; `None`
/// for all others.
pub fn flag(path: &RepoPath) -> Option<&'static Row> {
    row(path, Kind::Flagged)
}

/// Whether the gate shows a path as "runs code when you build"; see [`flag`].
pub fn is_flagged(path: &RepoPath) -> bool {
    flag(path).is_some()
}

/// Endings of copies of a file.
const COPIES: &[&str] =
    &[".bak", ".backup", ".old", ".orig", ".save", ".saved", ".copy", ".tmp", ".swp", ".swo", ".rej", ".1", "~"];

/// Endings of example files, which list settings and hold no values.
const EXAMPLES: &[&str] = &["example", "sample", "template", "dist", "defaults", "schema"];

/// Endings of source code and prose: a name that resembles a secret's, or such a folder, does not make them secrets.
/// Secrets inside them are masked.
const CODE: &[&str] = &[
    "rs", "go", "py", "pyi", "rb", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "java", "kt", "kts", "scala",
    "c", "h", "cc", "cpp", "cxx", "hpp", "hh", "cs", "fs", "swift", "m", "mm", "ex", "exs", "erl", "hs", "ml", "mli",
    "php", "pl", "lua", "dart", "zig", "clj", "vue", "svelte", "css", "scss", "html", "md", "rst", "adoc", "pub",
];

/// Whether a path holds secrets by its name: such a file is neither listed, read, sent nor journaled.
pub fn is_secret(path: &RepoPath) -> bool {
    is_secret_key(&path.key())
}

/// [`is_secret`] for the [key](RepoPath::key) of a path.
pub(in crate::workspace) fn is_secret_key(key: &str) -> bool {
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let path_of = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    secret_row(key) || originals(name).any(|name| secret_row(&path_of(name)))
}

fn secret_row(key: &str) -> bool {
    let components: Vec<&str> = key.split('/').collect();
    let name = components.last().copied().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_code = CODE.contains(&ending);
    let is_example = EXAMPLES.contains(&ending) || name.split('.').next().is_some_and(|stem| EXAMPLES.contains(&stem));
    rows(&components, Kind::Secret).any(|found| {
        let by_likeness = found.name.contains('*') || found.name == "secrets/";
        let only_looks_so = by_likeness && is_code && !found.name.starts_with(".env");
        let shows_how = is_example && found.at + 1 == components.len() && is_environment(found.name);
        !only_looks_so && !shows_how
    })
}

fn is_environment(name: &str) -> bool {
    [".env*", "*.env", ".dev.vars.*"].contains(&name)
}

/// The names that this name is a copy of: `id_rsa` for `id_rsa.bak`, `.id_rsa.swp` and `#id_rsa#`.
fn originals(name: &str) -> impl Iterator<Item = &str> {
    let mut bare = name;
    for _ in 0..3 {
        match COPIES.iter().find_map(|ending| bare.strip_suffix(ending)).filter(|bare| !bare.is_empty()) {
            Some(shorter) => bare = shorter,
            None => break,
        }
    }
    let swapped = (name != bare).then(|| bare.strip_prefix('.')).flatten();
    let hashed = name.strip_prefix('#').and_then(|name| name.strip_suffix('#'));
    [(name != bare).then_some(bare), swapped, hashed].into_iter().flatten().filter(|name| !name.is_empty())
}

/// A name of the table that matches a path.
struct Found {
    name: &'static str,
    row: &'static Row,
    /// The index of the component that matches the end of the name.
    at: usize,
}

fn row(path: &RepoPath, kind: Kind) -> Option<&'static Row> {
    let key = path.key();
    let components: Vec<&str> = key.split('/').collect();
    rows(&components, kind).next().map(|found| found.row)
}

fn rows<'a>(components: &'a [&'a str], kind: Kind) -> impl Iterator<Item = Found> + 'a {
    let names = NAMES.of(kind);
    components.iter().enumerate().flat_map(move |(at, component)| {
        let literal = names.literal.get(component).into_iter().flatten();
        // A short name can stand for any of the literal names.
        let short = component.contains('~').then(|| names.literal.values().flatten()).into_iter().flatten();
        let is_last = at + 1 == components.len();
        let wild_files = is_last.then_some(&names.wild_files).into_iter().flatten();
        literal.chain(&names.wild_folders).chain(wild_files).chain(short).filter_map(move |name| {
            let fits = (name.whole_folder || is_last) && name.matches_end(&components[..=at]);
            fits.then_some(Found { name: name.text, row: name.row, at })
        })
    })
}

/// Names of one kind, by their last component if it has no `*`.
#[derive(Default)]
struct Names {
    literal: HashMap<&'static str, Vec<Name>>,
    /// Those that may match a parent folder.
    wild_folders: Vec<Name>,
    wild_files: Vec<Name>,
}

struct Name {
    text: &'static str,
    parts: Vec<Part>,
    /// Whether it may match a parent folder.
    whole_folder: bool,
    row: &'static Row,
}

/// A component of a name, taken apart once: it is held against every file of a tree.
enum Part {
    Literal(&'static str),
    /// `start*middle*end`, each of which may be empty.
    Wild {
        start: &'static str,
        middle: Vec<&'static str>,
        end: &'static str,
    },
}

/// The names of the table by their kind: most files are asked for one kind alone.
#[derive(Default)]
struct ByKind {
    protected: Names,
    flagged: Names,
    secret: Names,
}

impl ByKind {
    fn of(&self, kind: Kind) -> &Names {
        match kind {
            Kind::Protected => &self.protected,
            Kind::Flagged => &self.flagged,
            Kind::Secret => &self.secret,
        }
    }
}

static NAMES: LazyLock<ByKind> = LazyLock::new(|| {
    let mut all = ByKind::default();
    for row in TABLE {
        let names = match row.kind {
            Kind::Protected => &mut all.protected,
            Kind::Flagged => &mut all.flagged,
            Kind::Secret => &mut all.secret,
        };
        for text in row.names {
            let whole_folder = row.kind == Kind::Protected || text.ends_with('/') || *text == ".env*";
            let text_of_path = text.trim_end_matches('/');
            let last = text_of_path.rsplit('/').next().unwrap_or_default();
            let parts = text_of_path.split('/').map(Part::of).collect();
            let name = Name { text, parts, whole_folder, row };
            match last.contains('*') {
                true if whole_folder => names.wild_folders.push(name),
                true => names.wild_files.push(name),
                false => names.literal.entry(last).or_default().push(name),
            }
        }
    }
    all
});

impl Name {
    /// Whether the components end with the name.
    fn matches_end(&self, components: &[&str]) -> bool {
        components.len() >= self.parts.len()
            && self.parts.iter().rev().zip(components.iter().rev()).all(|(part, component)| part.is_like(component))
    }
}

impl Part {
    fn of(text: &'static str) -> Self {
        let Some((start, rest)) = text.split_once('*') else { return Self::Literal(text) };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        Self::Wild { start, middle: middle.split('*').filter(|piece| !piece.is_empty()).collect(), end }
    }

    /// Whether a component matches it.
    fn is_like(&self, component: &str) -> bool {
        let (start, middle, end) = match self {
            Self::Literal(name) => return is_named(component, name),
            Self::Wild { start, middle, end } => (*start, middle, *end),
        };
        let Some(mut left) = component.strip_prefix(start) else {
            return !start.is_empty() && middle.is_empty() && end.is_empty() && is_short_name(component, start);
        };
        for piece in middle {
            match left.find(piece) {
                Some(at) => left = &left[at + piece.len()..],
                None => return false,
            }
        }
        left.ends_with(end)
    }
}

#[cfg(test)]
mod tests;
