//! The format of a new file: from `.gitattributes`, then `.editorconfig`, then the text itself.
//!
//! Only such files inside the workspace count, each a regular file at its real path and of bounded size; invalid lines
//! are ignored. They apply without git too.

use std::borrow::Cow;
use std::path::Path;

use ec4rs::{ConfigParser, Properties, PropertiesSource};
use gix_attributes::StateRef;
use gix_attributes::glob::pattern::Case;
use gix_attributes::search::{MetadataCollection, Outcome};

use super::encoding::CannotEncode;
use super::encoding::Charset;
use super::{End, TextFile};
use crate::contracts::{BadGlob, FileGlob, RepoPath};
use crate::workspace::{Interrupt, Interrupted, Workspace};

/// The largest file of rules, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// The longest line that is read; no pattern written by a person is longer.
const LONGEST_LINE: usize = 2_000;
/// The largest number of stars in a pattern: matching takes a power of the length with this exponent.
const MOST_STARS: usize = 8;

/// Encodes a new file. `earlier` is its content from an earlier, unpublished write: edits of it come with line feeds
/// and keep its line endings.
///
/// # Errors
/// When its encoding cannot hold the text, or when interrupted.
pub(in crate::workspace) fn encode(
    workspace: &Workspace,
    path: &RepoPath,
    earlier: Option<&[u8]>,
    text: &str,
    interrupt: &Interrupt,
) -> Result<Vec<u8>, CannotEncode> {
    let rules = Rules::of(workspace, path, interrupt)?;
    let earlier_ends = || match earlier {
        Some(bytes) if !text.contains("\r\n") && has_crlf(bytes) => Some(End::CrLf),
        _ => None,
    };
    let (charset, bom) = rules.charset.unwrap_or((Charset::Utf8, false));
    let format = TextFile::with_format(charset, bom, rules.end_of_line.or_else(earlier_ends));
    let text = match text {
        text if rules.final_newline && !text.is_empty() && !text.ends_with('\n') => {
            Cow::Owned(format!("{text}{}", if text.contains("\r\n") { "\r\n" } else { "\n" }))
        }
        text => Cow::Borrowed(text),
    };
    format.encode_until(text.strip_prefix('\u{feff}').filter(|_| bom).unwrap_or(&text), interrupt)
}

fn has_crlf(bytes: &[u8]) -> bool {
    TextFile::decode(bytes).is_ok_and(|file| file.ends_in_crlf())
}

/// The rules for a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rules {
    end_of_line: Option<End>,
    /// With or without a byte order mark.
    charset: Option<(Charset, bool)>,
    final_newline: bool,
}

impl Rules {
    fn of(workspace: &Workspace, path: &RepoPath, interrupt: &Interrupt) -> Result<Self, Interrupted> {
        let git = attributes(workspace, path);
        let editor = editor_config(workspace, path, interrupt)?;
        Ok(Self {
            end_of_line: git.end_of_line.or(editor.end_of_line),
            charset: git.charset.or(editor.charset),
            final_newline: editor.final_newline,
        })
    }
}

/// The folders that contain a file, from the root down; `None` is the root.
fn folders(path: &RepoPath) -> Vec<Option<RepoPath>> {
    let mut folders: Vec<Option<RepoPath>> =
        std::iter::successors(path.parent(), RepoPath::parent).map(Some).chain([None]).collect();
    folders.reverse();
    folders
}

/// Reads a rule file, without lines that are too long or complex.
fn read(workspace: &Workspace, folder: Option<&RepoPath>, name: &str) -> Option<String> {
    let path = match folder {
        Some(folder) => RepoPath::parse(&format!("{folder}/{name}")),
        None => RepoPath::parse(name),
    };
    let bytes = workspace.read_in_place(&path.ok()?).ok().flatten()?.bytes;
    if bytes.len() > MOST_BYTES {
        tracing::warn!(name, "a file of rules for new files is too large, and was left out");
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    let stars = |line: &str| line.bytes().filter(|byte| *byte == b'*').count();
    let sound = |line: &&str| line.len() <= LONGEST_LINE && stars(line) <= MOST_STARS;
    Some(text.lines().filter(sound).flat_map(|line| [line, "\n"]).collect())
}

/// Reads `eol` and `working-tree-encoding` as in gitattributes(5); files that are not text have neither.
fn attributes(workspace: &Workspace, path: &RepoPath) -> Rules {
    const ROOT: &str = "/";
    let mut search = gix_attributes::Search::default();
    let mut collection = MetadataCollection::default();
    let mut add = |folder: Option<&RepoPath>, text: &str| {
        let source = folder.map_or(Path::new(ROOT).to_owned(), |folder| Path::new(ROOT).join(folder.as_str()));
        let added = search.add_patterns_buffer(
            text.as_bytes(),
            source.join(".gitattributes"),
            Some(Path::new(ROOT)),
            &mut collection,
            folder.is_none(),
        );
        if let Err(error) = added {
            tracing::warn!(%error, "a .gitattributes cannot be read");
        }
    };
    add(None, "[attr]binary -diff -merge -text\n");
    for folder in folders(path) {
        if let Some(text) = read(workspace, folder.as_ref(), ".gitattributes") {
            add(folder.as_ref(), &text);
        }
    }
    let mut outcome = Outcome::default();
    outcome.initialize_with_selection(&collection, ["text", "eol", "working-tree-encoding"]);
    search.pattern_matching_relative_path(path.as_str().into(), Case::Sensitive, Some(false), &mut outcome);
    let mut rules = Rules::default();
    for found in outcome.iter_selected() {
        let value = match found.assignment.state {
            StateRef::Value(value) => value.as_bstr().to_string().to_lowercase(),
            StateRef::Unset if found.assignment.name.as_str() == "text" => return Rules::default(),
            _ => continue,
        };
        match found.assignment.name.as_str() {
            "eol" => rules.end_of_line = end_of_line(&value),
            "working-tree-encoding" => rules.charset = charset(&value),
            _ => {}
        }
    }
    rules
}

/// Reads `end_of_line`, `charset` and `insert_final_newline` as in <https://spec.editorconfig.org>.
fn editor_config(workspace: &Workspace, path: &RepoPath, interrupt: &Interrupt) -> Result<Rules, Interrupted> {
    let mut properties = Properties::new();
    for folder in folders(path) {
        let Some(text) = read(workspace, folder.as_ref(), ".editorconfig") else { continue };
        let text: String = text.lines().filter(|line| is_rule(line)).flat_map(|line| [line, "\n"]).collect();
        let Ok(parser) = ConfigParser::<_, FileGlob>::new(text.as_bytes()) else { continue };
        if parser.preamble.is_root() {
            properties = Properties::new();
        }
        let below = folder.as_ref().and_then(|folder| path.as_str().strip_prefix(folder.as_str()));
        let below = below.map_or(path.as_str(), |below| below.trim_start_matches('/'));
        for section in parser.flatten() {
            // Each section compiles a pattern.
            interrupt.check()?;
            // It cannot fail.
            let _ = section.apply_to(&mut properties, below);
        }
    }
    let value = |key: &str| properties.get_raw_for_key(key).map(|value| value.to_lowercase()).unwrap_or_default();
    Ok(Rules {
        end_of_line: end_of_line(&value("end_of_line")),
        charset: charset(&value("charset")),
        final_newline: value("insert_final_newline") == "true",
    })
}

/// Whether a line of an `.editorconfig` is valid: the parser stops at the first that is not.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    match line.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|glob| !glob.is_empty()),
        None => line.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty()),
    }
}

impl ec4rs::glob::Pattern for FileGlob {
    type Error = BadGlob;

    /// A pattern without a slash matches names.
    fn parse(pattern: &str) -> Result<Self, BadGlob> {
        match pattern.strip_prefix('/') {
            Some(from_here) => Self::parse(from_here),
            None if pattern.contains('/') => Self::parse(pattern),
            None => Self::parse(&format!("**/{pattern}")),
        }
    }

    fn matches(&self, path: &Path) -> bool {
        self.is_match(path)
    }
}

fn end_of_line(value: &str) -> Option<End> {
    match value {
        "crlf" => Some(End::CrLf),
        "lf" => Some(End::Lf),
        _ => None,
    }
}

/// The encoding for a name that git or editors use. UTF-16 always gets a byte order mark; it is not recognised without.
fn charset(value: &str) -> Option<(Charset, bool)> {
    match value {
        "utf-8" => Some((Charset::Utf8, false)),
        "utf-8-bom" => Some((Charset::Utf8, true)),
        "utf-16" | "utf-16le" | "utf-16le-bom" => Some((Charset::Utf16Le, true)),
        "utf-16be" | "utf-16be-bom" => Some((Charset::Utf16Be, true)),
        "latin1" | "iso-8859-1" | "windows-1252" | "cp1252" => Some((Charset::Windows1252, false)),
        "" | "unset" => None,
        other => {
            tracing::warn!(charset = other, "new files cannot be written in this encoding; they are UTF-8");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::{Fixture, path};

    fn written(fixture: &Fixture, name: &str, text: &str) -> Vec<u8> {
        encode(&fixture.workspace(), &path(name), None, text, &Interrupt::never()).unwrap()
    }

    #[test]
    fn gitattributes_say_how_lines_end_and_in_what_encoding() {
        let fixture = Fixture::new(
            "//- /.gitattributes\n* text=auto\n*.bat text eol=crlf\n*.sh eol=lf\n*.bin binary\n*.bin eol=crlf\n\
             *.ps1 working-tree-encoding=UTF-16LE-BOM eol=crlf\n//- /sub/.gitattributes\n/own.bat eol=lf\n",
        );
        assert_eq!(written(&fixture, "a.bat", "a\nb\n"), b"a\r\nb\r\n");
        assert_eq!(written(&fixture, "sub/a.bat", "a\nb\n"), b"a\r\nb\r\n");
        assert_eq!(written(&fixture, "sub/own.bat", "a\nb\n"), b"a\nb\n", "the nearer one counts");
        assert_eq!(written(&fixture, "a.sh", "a\r\nb\r\n"), b"a\nb\n");
        assert_eq!(written(&fixture, "a.txt", "a\r\nb\r\n"), b"a\r\nb\r\n", "no rule: as given");
        assert_eq!(written(&fixture, "a.bin", "a\nb\n"), b"a\nb\n", "what is not text is left alone");
        let wide: Vec<u8> = "\u{feff}é\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(written(&fixture, "a.ps1", "é\n"), wide);
    }

    #[test]
    fn editorconfig_holds_where_gitattributes_say_nothing() {
        let fixture = Fixture::new(
            "//- /.editorconfig\nroot = true\n[*]\nend_of_line = crlf\ninsert_final_newline = true\n[*.{sh,py}]\n\
             end_of_line = lf\n[old/*.txt]\ncharset = latin1\n[/bom.txt]\ncharset = utf-8-bom\n\
             //- /sub/.editorconfig\n[*.c]\nend_of_line = lf\n//- /alone/.editorconfig\nroot=true\n",
        );
        assert_eq!(written(&fixture, "a.c", "a\nb"), b"a\r\nb\r\n");
        assert_eq!(written(&fixture, "a.c", "a\r\nb"), b"a\r\nb\r\n");
        assert_eq!(written(&fixture, "deep/er/a.py", "a\r\nb\r\n"), b"a\nb\n");
        assert_eq!(written(&fixture, "sub/a.c", "a\n"), b"a\n");
        assert_eq!(written(&fixture, "sub/a.h", "a\n"), b"a\r\n");
        assert_eq!(written(&fixture, "alone/a.h", "a"), b"a", "a root hides what is above");
        assert_eq!(written(&fixture, "old/a.txt", "é"), b"\xe9\r\n");
        assert_eq!(written(&fixture, "bom.txt", "é"), "\u{feff}é\r\n".as_bytes());
        assert_eq!(written(&fixture, "bom.txt", "\u{feff}é"), "\u{feff}é\r\n".as_bytes(), "one mark is enough");
        fixture.write(".gitattributes", b"*.c eol=lf\n");
        assert_eq!(written(&fixture, "a.c", "a\n"), b"a\n");
    }

    #[test]
    fn an_edit_of_a_new_file_keeps_the_endings_it_was_given() {
        let fixture = Fixture::new("");
        let again = |earlier: &[u8], text| {
            encode(&fixture.workspace(), &path("a"), Some(earlier), text, &Interrupt::never()).unwrap()
        };
        assert_eq!(again(b"a\r\nb\r\n", "a\nc\n"), b"a\r\nc\r\n");
        assert_eq!(again(b"a\nb\n", "a\nc\n"), b"a\nc\n");
    }

    #[test]
    fn hostile_rules_cost_nothing() {
        let fixture = Fixture::new("");
        let nested = format!("[{}a{}]\nend_of_line = crlf\n", "{".repeat(900), "}".repeat(900));
        let heavy = format!("{}b eol=crlf\n", "*a".repeat(900));
        let noise = "= \n[\n[]\nnonsense\n[*]\n=x\nend_of_line = crlf\n";
        fixture.write(".editorconfig", [nested.as_bytes(), noise.as_bytes()].concat().as_slice());
        fixture.write(".gitattributes", [heavy.as_bytes(), b"\"\n[attr]\n!x\n\xff\n** ** eol\n"].concat().as_slice());
        let name = "a".repeat(200);
        assert_eq!(written(&fixture, &name, "a\n"), b"a\r\n", "what is sound still counts");
        fixture.write(".editorconfig", &[b"[*]\nend_of_line = crlf\n".as_slice(), &vec![b'#'; MOST_BYTES]].concat());
        assert_eq!(written(&fixture, &name, "a\n"), b"a\n", "too large to be read");
    }

    #[cfg(unix)]
    #[test]
    fn rules_behind_a_link_do_not_count() {
        let fixture = Fixture::new("//- /other\n[*]\nend_of_line = crlf\n");
        fixture.link("other", ".editorconfig");
        fixture.link("/dev/zero", ".gitattributes");
        assert_eq!(written(&fixture, "a.c", "a\n"), b"a\n");
    }

    #[test]
    fn rules_without_end_are_no_longer_read_once_it_is_time_to_stop() {
        let fixture = Fixture::new("");
        fixture.write(".editorconfig", "[{a,b}*]\n".repeat(MOST_BYTES / 9).as_bytes());
        let began = std::time::Instant::now();
        let stopped = Interrupt::after(std::time::Duration::from_millis(50));
        let encoded = encode(&fixture.workspace(), &path("new.txt"), None, "x", &stopped);
        assert!(matches!(encoded, Err(CannotEncode::Interrupted(_))), "{encoded:?} after {:?}", began.elapsed());
    }
}
