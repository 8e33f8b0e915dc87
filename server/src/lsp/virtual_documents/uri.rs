//! The URIs of the server's documents.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::contracts::RepoPath;
use crate::lsp::wire::document_content::SCHEME;
use crate::memory::RunId;

/// What stands in a path as it is: what RFC 3986 calls unreserved, and the separator. Editors encode all else too.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What a URI names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DocumentUri {
    /// `baton:/before/<run>/<path>`: a file as it was before the workflow of a run touched it.
    Before {
        /// The run.
        run: RunId,
        /// The file.
        path: RepoPath,
    },
    /// `baton:/log/<run>.md`: the conversations of a run.
    Log {
        /// The run.
        run: RunId,
    },
}

impl DocumentUri {
    /// What a URI names; `None` for any that the server has no document for. One with an empty authority (`baton:///…`) is
    /// the same; what follows `?` or `#` is of no meaning.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let path = rest.split(['?', '#']).next()?.strip_prefix('/')?;
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let (kind, rest) = path.split_once('/')?;
        match kind {
            "before" => {
                let (run, path) = rest.split_once('/')?;
                Some(Self::Before { run: RunId::parse(run)?, path: RepoPath::parse(path).ok()? })
            }
            "log" => Some(Self::Log { run: RunId::parse(rest.strip_suffix(".md")?)? }),
            _ => None,
        }
    }

    /// The URI.
    pub(crate) fn to_uri(&self) -> String {
        match self {
            Self::Before { run, path } => {
                format!("{SCHEME}:/before/{run}/{}", utf8_percent_encode(path.as_str(), ENCODED))
            }
            Self::Log { run } => format!("{SCHEME}:/log/{run}.md"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "20260102-030405-abcd";

    fn before(path: &str) -> DocumentUri {
        DocumentUri::Before { run: RunId::parse(RUN).unwrap(), path: RepoPath::parse(path).unwrap() }
    }

    #[test]
    fn a_uri_comes_back_as_it_was_whatever_its_path_holds() {
        for path in ["src/a.rs", "ein Ordner/é 🦀#?%25.rs", "a:b/[c]/d&e=f+g.rs", "%2e%2e", "x\\y"] {
            let Ok(parsed) = RepoPath::parse(path) else { continue };
            let uri = DocumentUri::Before { run: RunId::parse(RUN).unwrap(), path: parsed }.to_uri();
            assert!(uri.is_ascii() && !uri.contains(['#', '?', ' ']), "{uri}");
            assert_eq!(DocumentUri::parse(&uri), Some(before(path)), "{uri}");
        }
        assert_eq!(before("ä b/c.rs").to_uri(), format!("baton:/before/{RUN}/%C3%A4%20b/c.rs"));
        let log = DocumentUri::Log { run: RunId::parse(RUN).unwrap() };
        assert_eq!((log.to_uri(), DocumentUri::parse(&log.to_uri())), (format!("baton:/log/{RUN}.md"), Some(log)));
    }

    #[test]
    fn editors_may_spell_it_otherwise() {
        for uri in ["baton:///before/RUN/a.rs", "BATON:/before/RUN/a%2Ers?x#y", "baton:/before/RUN%2Fa.rs"] {
            assert_eq!(DocumentUri::parse(&uri.replace("RUN", RUN)), Some(before("a.rs")), "{uri}");
        }
    }

    #[test]
    fn what_leads_elsewhere_names_nothing() {
        let elsewhere = [
            "",
            "baton:",
            "baton:/",
            "baton:/before/RUN",
            "baton:/before/RUN/",
            "baton:/before/RUN/../../task.md",
            "baton:/before/RUN/%2e%2e/%2e%2e/task.md",
            "baton:/before/RUN//etc/passwd",
            "baton:/before/RUN/a%00",
            "baton:/before/RUN/%FF",
            "baton:/before/../a.rs",
            "baton:/before/2026/a.rs",
            "baton:/log/RUN",
            "baton:/log/../RUN.md",
            "baton:/runs/RUN/events.jsonl",
            "baton://host/before/RUN/a.rs",
            "file:///before/RUN/a.rs",
        ];
        for uri in elsewhere {
            assert_eq!(DocumentUri::parse(&uri.replace("RUN", RUN)), None, "{uri}");
        }
    }
}
