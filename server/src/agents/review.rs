//! The review agent: judges what was implemented against the plan's acceptance criteria.

use jiff::Timestamp;
use serde_json::Value;

use super::{context, fault_text, json_text, section, submit_tool};
use crate::contracts::{
    AnswerState, ContextOutput, ImplReport, Issue, PlanOutput, RecommendedAction, RepoPath, ReviewOutput, Severity,
    Verdict, issue_id, parse,
};
use crate::models::ToolSpec;

/// The tool the agent ends with.
pub fn submit() -> ToolSpec {
    submit_tool::<ReviewOutput>("submit_review", "Hand on your judgement. Ends your work.")
}

/// What the reviewer is given to judge.
pub struct Work<'a> {
    /// The user's task.
    pub task: &'a str,
    /// What was known.
    pub context: Option<&'a ContextOutput>,
    /// What was agreed.
    pub plan: &'a PlanOutput,
    /// What was done.
    pub report: &'a ImplReport,
    /// One line a changed file.
    pub changed: &'a [String],
    /// Issues of the review before, still open; a re-review answers them by id.
    pub open_issues: &'a [Issue],
}

/// The agent's first message.
pub fn first_message(work: &Work<'_>) -> String {
    let mut message = section("task", work.task);
    if let Some(context) = work.context {
        message.push_str(&context::as_section(context));
    }
    message.push_str(&section("plan", &json_text(work.plan)));
    message.push_str(&section("report", &json_text(work.report)));
    let changed = if work.changed.is_empty() { "No file was changed.".to_owned() } else { work.changed.join("\n") };
    message.push_str(&section("changed_files", &changed));
    if work.open_issues.is_empty() {
        message.push_str("Review this work and hand your judgement on with submit_review.");
    } else {
        message.push_str(&section("open_issues", &json_text(&work.open_issues)));
        message.push_str(
            "A fix round followed the review that raised the open issues. Look at each of them: answer it in \
             `answers` with its id and \"fixed\" or \"open\". List only new findings in `issues`. Then hand your \
             judgement on with submit_review.",
        );
    }
    message
}

/// Take a submission: its shape, and that verdict and action go together.
///
/// # Errors
/// What is wrong with it, for the model.
pub fn accept(mut input: Value) -> Result<ReviewOutput, Vec<String>> {
    tame_lines(&mut input);
    let review: ReviewOutput = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    let mut faults = Vec::new();
    let merge = review.recommended_action == RecommendedAction::Merge;
    if merge != (review.verdict == Verdict::Approved) {
        faults.push(format!(
            "/recommended_action: verdict {} and action {} contradict each other; \"approved\" goes with \"merge\", \
             and \"merge\" with nothing else",
            review.verdict.as_str(),
            review.recommended_action.as_str()
        ));
    }
    if merge && let Some(index) = review.issues.iter().position(|issue| issue.severity == Severity::Critical) {
        faults.push(format!("/issues/{index}/severity: a critical issue cannot be merged"));
    }
    for (index, issue) in review.issues.iter().enumerate() {
        if let Err(error) = RepoPath::parse(&issue.file) {
            faults.push(format!("/issues/{index}/file: {error}"));
        }
    }
    if faults.is_empty() { Ok(review) } else { Err(faults) }
}

/// A line number that no file has is no reason to lose a finding: its place is set by its quote, or clamped.
fn tame_lines(review: &mut Value) {
    for issue in review.get_mut("issues").and_then(Value::as_array_mut).into_iter().flatten() {
        for field in ["line", "end_line"] {
            let Some(number) = issue.get(field).and_then(Value::as_f64) else { continue };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what u32 holds")]
            let tame = number.clamp(1.0, f64::from(u32::MAX)) as u32;
            issue[field] = tame.into();
        }
    }
}

/// What the server knows of a review and a model does not.
pub struct Facts {
    /// When.
    pub now: Timestamp,
    /// The round it judges.
    pub round: u32,
    /// Branch at the time.
    pub branch: Option<String>,
    /// Commit at the time.
    pub head: Option<String>,
    /// Files changed that no plan lists, one sentence each.
    pub drift: Vec<String>,
}

/// Fill what the server knows, and set every issue at its place in the files as they are; `text` reads one.
///
/// An issue lands where its quote stands, nearest to the line it names. One whose file does not exist, or whose quote
/// stands nowhere, is taken out and told in the summary: an issue never lands on a wrong line.
///
/// Of the `earlier` issues, those answered as open stay, under the ids they have; one neither answered nor found again
/// counts as fixed.
pub fn finish(
    mut review: ReviewOutput,
    facts: Facts,
    earlier: &[Issue],
    text: &dyn Fn(&RepoPath) -> Option<String>,
) -> ReviewOutput {
    let mut placed: Vec<Issue> = Vec::new();
    let mut dropped = Vec::new();
    for issue in still_open(&review, earlier) {
        let id = issue.id.clone();
        // Its text may have changed around it, and a person must still be able to see that it stands.
        let unquoted = Issue { quote: None, ..issue.clone() };
        match place(issue, text).or_else(|_| place(unquoted, text)) {
            Ok(issue) => placed.push(Issue { id, ..issue }),
            Err(why) => dropped.push(why),
        }
    }
    for issue in std::mem::take(&mut review.issues) {
        match place(issue, text) {
            Ok(issue) if placed.iter().any(|other| other.id == issue.id) => {}
            Ok(issue) => placed.push(issue),
            Err(why) => dropped.push(why),
        }
    }
    if !dropped.is_empty() {
        let told = dropped.iter().map(|why| format!("- {why}")).collect::<Vec<_>>().join("\n");
        review.summary = format!("{}\n\nNot placed in a file:\n{told}", review.summary.trim_end());
    }
    if !facts.drift.is_empty() {
        review.plan_drift_detected = true;
        let said = std::mem::take(&mut review.drift_details);
        review.drift_details =
            [said.trim(), &facts.drift.join(" ")].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ");
    }
    review.issues = placed;
    review.answers.clear();
    review.timestamp = Some(facts.now);
    review.round = facts.round;
    review.branch = facts.branch;
    review.head = facts.head;
    review.base = None;
    review
}

fn still_open(review: &ReviewOutput, earlier: &[Issue]) -> Vec<Issue> {
    let open =
        |issue: &&Issue| review.answers.iter().any(|answer| answer.id == issue.id && answer.state == AnswerState::Open);
    earlier.iter().filter(open).cloned().collect()
}

/// Set one issue at its place; `Err` says why it has none.
fn place(mut issue: Issue, text: &dyn Fn(&RepoPath) -> Option<String>) -> Result<Issue, String> {
    let told = |why: &str| format!("{} ({}): {}", issue.file, why, issue.description);
    let path = RepoPath::parse(&issue.file).map_err(|error| told(&error.to_string()))?;
    let content = text(&path).ok_or_else(|| told("no such file"))?;
    let lines: Vec<&str> = content.lines().collect();
    let height = issue.end_line.map_or(0, |end| end.saturating_sub(issue.line));
    let quote = issue.quote.as_deref().map(first_line_of).filter(|quote| !quote.is_empty());
    issue.line = match quote {
        Some(quote) => nearest(&lines, quote, issue.line).ok_or_else(|| told("the quoted line is not in it"))?,
        None => issue.line.clamp(1, last_line(&lines)),
    };
    issue.end_line = issue.end_line.map(|_| (issue.line + height).min(last_line(&lines)));
    issue.file = path.to_string();
    let standing = lines.get(issue.line as usize - 1).copied().unwrap_or_default();
    issue.id = issue_id(&issue.file, standing, &issue.description);
    Ok(issue)
}

/// A quote of several lines is found by its first.
fn first_line_of(quote: &str) -> &str {
    quote.trim().lines().next().unwrap_or_default().trim()
}

fn last_line(lines: &[&str]) -> u32 {
    u32::try_from(lines.len().max(1)).unwrap_or(u32::MAX)
}

/// The line, from 1, whose trimmed text is the quote, nearest to the one named; failing that, one that holds it.
fn nearest(lines: &[&str], quote: &str, near: u32) -> Option<u32> {
    let closest = |fits: &dyn Fn(&str) -> bool| {
        let numbered = lines.iter().zip(1u32..).filter(|(line, _)| fits(line)).map(|(_, number)| number);
        numbered.min_by_key(|number| number.abs_diff(near))
    };
    closest(&|line| line.trim() == quote).or_else(|| closest(&|line| line.contains(quote)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILE: &str = "fn a() {\n    one();\n}\n\nfn b() {\n    one();\n}\n";

    fn submitted(issues: Value) -> ReviewOutput {
        accept(json!({
            "verdict": "changes_requested", "summary": "s", "issues": issues,
            "recommended_action": "fix_and_re_review",
        }))
        .unwrap()
    }

    fn finished(issues: Value) -> ReviewOutput {
        let facts = Facts { now: Timestamp::UNIX_EPOCH, round: 1, branch: None, head: None, drift: Vec::new() };
        finish(submitted(issues), facts, &[], &|path| (path.as_str() == "src/a.rs").then(|| FILE.to_owned()))
    }

    #[test]
    fn a_quote_decides_the_line() {
        let review = finished(json!([
            { "severity": "minor", "file": "src/a.rs", "line": 4, "quote": "  one();  ", "description": "nearest" },
            { "severity": "minor", "file": "./src/a.rs", "line": 99, "quote": "fn a", "description": "part of a line" },
        ]));
        let lines: Vec<_> = review.issues.iter().map(|issue| (issue.file.as_str(), issue.line)).collect();
        assert_eq!(lines, [("src/a.rs", 2), ("src/a.rs", 1)]);
    }

    #[test]
    fn an_issue_without_a_place_is_told_not_misplaced() {
        let review = finished(json!([
            { "severity": "major", "file": "src/gone.rs", "line": 1, "description": "lost file" },
            { "severity": "major", "file": "src/a.rs", "line": 2, "quote": "two();", "description": "lost quote" },
            { "severity": "major", "file": "src/a.rs", "line": 900, "end_line": 905, "description": "no quote" },
        ]));
        assert_eq!(review.issues.len(), 1);
        assert_eq!((review.issues[0].line, review.issues[0].end_line), (7, Some(7)));
        assert!(review.summary.contains("src/gone.rs (no such file): lost file"), "{}", review.summary);
        assert!(review.summary.contains("lost quote"), "{}", review.summary);
    }

    #[test]
    fn a_line_no_file_has_is_clamped_not_refused() {
        for (line, at) in
            [(json!(0), 1), (json!(-7), 1), (json!(1e30), 7), (json!(3.5), 3), (json!(4_294_967_296u64), 7)]
        {
            let issue =
                json!({ "severity": "minor", "file": "src/a.rs", "line": line, "end_line": line, "description": "d" });
            let review = finished(json!([issue]));
            assert_eq!((review.issues[0].line, review.issues[0].end_line), (at, Some(at)), "{line}");
        }
    }

    #[test]
    fn one_finding_said_twice_is_one_issue() {
        let issue =
            json!({ "severity": "minor", "file": "src/a.rs", "line": 1, "quote": "fn a() {", "description": "d" });
        assert_eq!(finished(json!([issue, issue])).issues.len(), 1);
    }

    #[test]
    fn a_judgement_that_contradicts_itself_goes_back() {
        let faults = accept(json!({
            "verdict": "approved", "summary": "s", "recommended_action": "re_plan",
            "issues": [{ "severity": "minor", "file": "../x", "line": 1, "description": "d" }],
        }))
        .unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}
