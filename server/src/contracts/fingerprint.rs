//! What an issue is recognised by from one review to the next, whatever words a model has for it.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::review::Issue;

/// The name of the fingerprint among a SARIF result's `partialFingerprints`. Another way to compute it needs another name.
pub const FINGERPRINT: &str = "batonLine/v1";

/// The fingerprint of each issue of a review, in their order: SHA-256, in hex, of its file, of the line that it quotes and of
/// its number among those that have both in common, with a NUL between them.
///
/// Title, description, severity and line are not in it, so that the same diff reviewed again in other words has the same
/// fingerprints. All issues of a review count, dismissed ones too: else a dismissal would give others a new number.
pub fn fingerprints(issues: &[Issue]) -> Vec<String> {
    let mut by_line: Vec<usize> = (0..issues.len()).collect();
    by_line.sort_by_key(|index| issues[*index].line);
    let mut met: HashMap<(&str, &str), usize> = HashMap::new();
    let mut found = vec![String::new(); issues.len()];
    for index in by_line {
        let issue = &issues[index];
        let key = (issue.file.as_str(), quoted_line(issue));
        let ordinal = met.entry(key).or_default();
        found[index] = fingerprint(key, *ordinal);
        *ordinal += 1;
    }
    found
}

fn fingerprint((file, line): (&str, &str), ordinal: usize) -> String {
    let digest = Sha256::digest(format!("{file}\0{line}\0{ordinal}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first line of the quote that is not blank, trimmed; empty where nothing is quoted.
fn quoted_line(issue: &Issue) -> &str {
    let quote = issue.quote.as_deref().unwrap_or_default();
    quote.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn issue(file: &str, line: u32, quote: Option<&str>, description: &str) -> Issue {
        let issue =
            json!({ "severity": "minor", "file": file, "line": line, "quote": quote, "description": description });
        serde_json::from_value(issue).unwrap()
    }

    #[test]
    fn words_lines_and_order_do_not_count() {
        let first = [
            issue("a.rs", 3, Some("  one();"), "Off by one."),
            issue("a.rs", 9, Some("one();"), "Never ends."),
            issue("a.rs", 5, Some("\n\ttwo();\n  three();"), "Slow."),
            issue("b.rs", 1, None, "No test."),
        ];
        let mut again: Vec<Issue> = first.to_vec();
        again.reverse();
        for issue in &mut again {
            issue.line += 10;
            issue.description = format!("In other words: {}", issue.description.to_lowercase());
        }
        let all = |issues: &[Issue]| fingerprints(issues).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(all(&first), all(&again));
        assert_eq!(all(&first).len(), 4, "each has its own");
    }

    #[test]
    fn file_quoted_line_and_number_among_equals_do() {
        let of = |issues: &[Issue]| fingerprints(issues).pop().unwrap();
        let one = issue("a.rs", 3, Some("one();"), "d");
        let others = [
            of(&[issue("b.rs", 3, Some("one();"), "d")]),
            of(&[issue("a.rs", 3, Some("two();"), "d")]),
            of(&[one.clone(), one.clone()]),
            of(&[issue("a.rs", 3, None, "d")]),
        ];
        let mut all: BTreeSet<String> = others.into();
        all.insert(of(std::slice::from_ref(&one)));
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn it_is_the_sha_256_that_other_programs_can_compute() {
        // printf 'a.rs\0one();\0000' | sha256sum
        let found = fingerprints(&[issue("a.rs", 3, Some("  one();  "), "d")]);
        assert_eq!(found, ["3382dd2698033359cc2733856fc75b4cd5f23bbbd57c9882f10068aa0ccfed07"]);
    }
}
