//! The ids of issues in reviews that other tools wrote.

use std::collections::HashSet;

use crate::contracts::{Issue, RepoPath, issue_id};

/// Fills missing issue ids in reviews of other tools. An id depends on the issues alone, so that every read gives the
/// same.
pub(super) fn fill_ids(issues: &mut [Issue]) {
    let mut taken: HashSet<String> = issues.iter().map(|issue| issue.id.clone()).collect();
    for issue in issues {
        if !issue.id.is_empty() {
            continue;
        }
        let file = RepoPath::parse(&issue.file).map_or_else(|_| issue.file.clone(), |path| path.to_string());
        let quoted = issue.quote.as_deref().unwrap_or_default().trim().lines().next().unwrap_or_default();
        let mut id = issue_id(&file, quoted, &issue.description);
        if taken.contains(&id) {
            id = issue_id(&file, &format!("{}: {quoted}", issue.line), &issue.description);
        }
        taken.insert(id.clone());
        issue.id = id;
    }
}
