//! The issues of an earlier review, by which a later one tells what is new.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::super::failure::{Failure, Place};
use crate::contracts::{FINGERPRINT, ReviewOutput, fingerprints};

/// Bytes that the file of a baseline may have. Code scanning of GitHub takes no more either.
const MAX_BYTES: u64 = 10 << 20;

/// The fingerprints of earlier issues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct Baseline(HashSet<String>);

/// What is read of a SARIF log; whatever else is in it may come from other tools.
#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    #[serde(default)]
    results: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    partial_fingerprints: Option<BTreeMap<String, String>>,
    #[serde(default)]
    baseline_state: Option<String>,
}

impl Baseline {
    /// Those of a SARIF file.
    ///
    /// # Errors
    /// Wrong usage, with file and line: it cannot be read, or is no log of SARIF 2.1.0 whose results can be recognised.
    pub(in crate::cli) fn read(file: &Path) -> Result<Self, Failure> {
        let name = file.display();
        let fault = |line: Option<usize>, why: String| {
            let place = Place { file: name.to_string(), line: line.and_then(|line| u32::try_from(line).ok()) };
            let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
            Failure { place: Some(place), ..Failure::usage(format!("{name}{line}: {why}")) }
        };
        let bytes = bytes_of(file).map_err(|error| fault(None, format!("the baseline cannot be read: {error}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(fault(None, "the baseline has more than 10 MB, and is not read".to_owned()));
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let log: Log = serde_json::from_slice(bytes).map_err(|error| {
            // Its own place is told once, in front.
            let why = error.to_string();
            let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
            fault(Some(error.line().max(1)), format!("this is no SARIF log: {why}"))
        })?;
        if log.version != "2.1.0" {
            let version = crate::text::short_line(&log.version, 20);
            return Err(fault(Some(1), format!("this is SARIF {version}; a baseline is SARIF 2.1.0")));
        }
        let results: Vec<Entry> = log.runs.into_iter().flat_map(|run| run.results.unwrap_or_default()).collect();
        let total = results.len();
        let is_there = |result: &Entry| result.baseline_state.as_deref() != Some("absent");
        let found: HashSet<String> = results
            .into_iter()
            .filter(is_there)
            .filter_map(|result| result.partial_fingerprints?.remove(FINGERPRINT))
            .collect();
        match found.is_empty() && total > 0 {
            true => Err(fault(
                Some(1),
                format!("no result has the fingerprint {FINGERPRINT}; a baseline is a file that --sarif has written"),
            )),
            false => Ok(Self(found)),
        }
    }

    /// Those of a review.
    pub(in crate::cli) fn of_review(review: &ReviewOutput) -> Self {
        Self(fingerprints(&review.issues).into_iter().collect())
    }

    /// Whether an issue of this fingerprint is in it.
    pub(super) fn has(&self, fingerprint: &str) -> bool {
        self.0.contains(fingerprint)
    }
}

/// The file's bytes, and no more than one more than it may have.
#[expect(clippy::disallowed_methods, reason = "the user names the file, and it may be anywhere")]
fn bytes_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Baseline, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("base.sarif");
        fs::write(&file, text).unwrap();
        Baseline::read(&file)
    }

    #[test]
    fn fingerprints_are_read_whatever_else_is_in_the_log() {
        let result = |state: &str, print: &str| json!({ "baselineState": state, "partialFingerprints": { FINGERPRINT: print, "other/v1": "x" }, "more": [1] });
        let results = json!([result("new", "a"), result("absent", "b"), { "message": { "text": "m" } }]);
        let log = json!({ "version": "2.1.0", "runs": [{ "results": results }, { "tool": {} }, { "results": null }] });
        let baseline = read(&format!("\u{feff}{log}")).unwrap();
        assert!(baseline.has("a") && !baseline.has("b") && !baseline.has("x"));
        assert_eq!(read(r#"{"version": "2.1.0", "runs": []}"#).unwrap(), Baseline::default());
    }

    #[test]
    fn what_is_no_log_is_told_at_its_line() {
        for (text, line, words) in [
            ("", Some(1), "no SARIF log: EOF"),
            ("{\n\"version\": \"2.1.0\",\n\"runs\": 5\n}", Some(3), "no SARIF log: invalid type"),
            ("{\"version\": \"1.0.0\", \"runs\": []}", Some(1), "this is SARIF 1.0.0"),
            ("{\"version\": \"2.1.0\", \"runs\": [{\"results\": [{}]}]}", Some(1), "no result has the fingerprint"),
        ] {
            let failure = read(text).unwrap_err();
            assert_eq!(failure.place.as_ref().unwrap().line, line, "{text}");
            assert!(failure.message.contains(words) && failure.message.contains("base.sarif:"), "{failure:?}");
        }
        let failure = Baseline::read(Path::new("no/such.sarif")).unwrap_err();
        assert!(failure.message.starts_with("no/such.sarif: the baseline cannot be read: "), "{failure:?}");
    }
}
