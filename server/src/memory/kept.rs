//! The hunks that a person keeps: sealed lines in `kept.jsonl` of a run's folder. Rollbacks that don't name them pass them over.

use std::collections::BTreeSet;
use std::io::{self, Write};

use cap_std::fs::Dir;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal::{self, NewLines};
use super::seal::Seal;
use crate::contracts::{MAX_EVENT_LINE_BYTES, RepoPath};
use crate::workspace::open_append;

pub(super) const KEPT: &str = "kept.jsonl";
pub(super) const SEAL_KIND: &str = "kept";

/// One line of `kept.jsonl`. Its MAC is the last field, as in a transcript.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptLine {
    at: Timestamp,
    /// A line that was copied to another run counts there as absent.
    run: String,
    path: RepoPath,
    hunk: String,
}

/// Adds a line for each hunk, durably.
pub(super) fn append(dir: &Dir, seal: &Seal, run: &str, path: &RepoPath, hunks: &[String]) -> io::Result<()> {
    let mut text = String::new();
    for hunk in hunks {
        let line = KeptLine { at: Timestamp::now(), run: run.to_owned(), path: path.clone(), hunk: hunk.clone() };
        text.push_str(&journal::sealed(seal, SEAL_KIND, &serde_json::to_string(&line)?));
    }
    let mut file = open_append(dir, KEPT)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The hunks of the genuine lines, each with its file.
pub(super) fn read(dir: &Dir, seal: &Seal, run: &str) -> io::Result<BTreeSet<(RepoPath, String)>> {
    let mut lines = NewLines::open(dir, KEPT, MAX_EVENT_LINE_BYTES, 0)?;
    let mut kept = BTreeSet::new();
    while let Some(line) = lines.next()? {
        let Some(body) = journal::verified_body(line, seal, SEAL_KIND) else { continue };
        if let Ok(line) = serde_json::from_str::<KeptLine>(&format!("{body}}}"))
            && line.run == run
        {
            kept.insert((line.path, line.hunk));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_forged_or_copied_keeps_nothing() {
        let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seal = Seal::open(state.path(), folder.path()).unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let path = RepoPath::parse("a.rs").unwrap();
        append(&dir, &seal, "r", &path, &["111111111111".to_owned()]).unwrap();
        let file = folder.path().join(KEPT);
        let own = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{own}{}not json\n", own.replace("111111111111", "222222222222"))).unwrap();
        assert_eq!(read(&dir, &seal, "r").unwrap(), BTreeSet::from([(path, "111111111111".to_owned())]));
        assert!(read(&dir, &seal, "other").unwrap().is_empty());
    }
}
