//! Serious findings are looked at by another model before anything follows from them: one request a finding, with the
//! code it is about and nothing else. What the code disproves is kept as a suggestion; all else stands.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agents::{Activity, AgentError, Brief, Need, Opening, SubmitTry, json_text, left_out};
use crate::config::ReviewValidation;
use crate::contracts::{
    CriterionState, Issue, PhaseName, Recommended, RecommendedAction, Refuted, RepoPath, ReviewOutput, Severity,
    Verdict,
};
use crate::memory::Memory;
use crate::models::{Tier, ToolSpec, TurnProgress};
use crate::phases::attached::kept_inside;
use crate::phases::passage::{AROUND, lines_around, named_lines, nearest_hunks, numbered, ranges_around};
use crate::phases::placing::{FileText, Texts, text};
use crate::text::{count, cut, plural, safe_line};
use crate::tools::Toolbox;
use crate::workflow::{Conversation, Costs, EventPhase, EventStatus, PhaseError, REVIEW, Run, hold, report_activity};

/// The prompt of the agents that check findings, and the beginning of their labels.
pub(super) const PROMPT: (PhaseName, &str) = (PhaseName::new("validate"), include_str!("../../../prompts/validate.md"));
/// Findings of one review that are checked; no review that can be acted on has more.
const MOST_CHECKED: usize = 64;
/// Most tokens that an answer may have: a model that thinks needs some before it says a sentence.
const ANSWER_TOKENS: u32 = 8_000;
/// Characters kept of a reason.
const LONGEST_REASON: usize = 2_000;

/// What serious findings are held against.
pub(super) struct Grounds<'a> {
    /// The open issues of the review before. Those that were serious were looked at then.
    pub(super) before: &'a [Issue],
    /// What was changed, by file.
    pub(super) diffs: &'a [(RepoPath, String)],
    /// Whether a check fails that did not fail before the workflow.
    pub(super) has_broken_check: bool,
}

/// What another model says of a finding.
#[derive(Debug, Deserialize)]
struct Answer {
    reason: String,
    refuted: bool,
}

/// Add what the checks of a review may cost.
pub(super) fn add_costs(costs: &mut Costs<'_>) {
    if costs.settings().review_validation != ReviewValidation::Off {
        costs.add_single_requests(MOST_CHECKED, Tier::Balanced, ANSWER_TOKENS);
    }
}

/// Have the serious findings of a review looked at. Answers with the review as it then stands, and with the labels of the
/// agents that were asked.
///
/// # Errors
/// When the run is cancelled, or a turn cannot be journaled. Whatever else keeps a finding from being looked at leaves it
/// standing.
pub(super) async fn validate(
    run: &Arc<Run>,
    memory: &Memory,
    mut review: ReviewOutput,
    grounds: &Grounds<'_>,
) -> Result<(ReviewOutput, Vec<String>), PhaseError> {
    if run.settings.review_validation == ReviewValidation::Off {
        return Ok((review, Vec::new()));
    }
    let is_asked = |issue: &&Issue| is_to_be_checked(issue, grounds.before) && !memory.is_dismissed(&issue.id);
    let serious: Vec<Issue> = review.issues.iter().filter(is_asked).cloned().collect();
    let (asked, beyond) = serious.split_at(serious.len().min(MOST_CHECKED));
    let mut refuted = 0;
    if !asked.is_empty() {
        run.emit(REVIEW, EventStatus::Progress, format!("Checking {}", count(asked.len(), "finding")));
        let model = run.model(Tier::Balanced)?.id().to_owned();
        let asks: Vec<_> = asked.iter().map(|issue| ask(run, issue, grounds.diffs).boxed()).collect();
        let answers: Vec<Result<Answer, String>> =
            stream::iter(asks).buffered(run.settings.max_parallel_tasks.max(1)).try_collect().await?;
        let unasked: Vec<&String> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        if let Some(why) = unasked.first() {
            run.emit(EventPhase::Workflow, EventStatus::Progress, stand_unchecked(unasked.len(), why));
        }
        refuted = refute(&mut review.issues, asked.iter().zip(answers), &model);
        run.emit(REVIEW, EventStatus::Progress, checked(asked.len(), refuted));
    }
    if !beyond.is_empty() {
        let why = format!("at most {MOST_CHECKED} of a review are: {}", places(beyond));
        run.emit(EventPhase::Workflow, EventStatus::Progress, stand_unchecked(beyond.len(), &why));
    }
    let is_open = |issue: &Issue| !memory.is_dismissed(&issue.id);
    approve_if_nothing_is_left(&mut review, is_open, grounds.has_broken_check, refuted > 0);
    Ok((review, asked.iter().map(|issue| agent_of(&issue.id)).collect()))
}

/// Whether a finding is serious, stands at a place that can be shown, and was not looked at in the review before. One that was
/// refuted there and is raised again is looked at again: the code around it may have changed.
fn is_to_be_checked(issue: &Issue, before: &[Issue]) -> bool {
    let is_serious = |issue: &Issue| issue.severity <= Severity::Major;
    let was_checked = before.iter().any(|known| known.id == issue.id && is_serious(known));
    is_serious(issue) && issue.is_placed() && !was_checked
}

/// Make suggestions of the findings that were refuted. Answers with their number.
fn refute<'a>(
    issues: &mut [Issue],
    answers: impl Iterator<Item = (&'a Issue, Result<Answer, String>)>,
    model: &str,
) -> usize {
    let mut refuted = 0;
    for (asked, answer) in answers {
        let Some(answer) = answer.ok().filter(|answer| answer.refuted) else { continue };
        for issue in issues.iter_mut().filter(|issue| issue.id == asked.id) {
            let reason = cut(answer.reason.trim(), LONGEST_REASON).into_owned();
            issue.refuted = Some(Refuted { by: model.to_owned(), reason, severity: issue.severity });
            issue.severity = Severity::Suggestion;
            refuted += 1;
        }
    }
    refuted
}

/// With findings refuted and nothing else left to mend, the work is approved. A call for a person stays one unless findings
/// of this very review were refuted: it was made for a reason of its own.
fn approve_if_nothing_is_left(
    review: &mut ReviewOutput,
    is_open: impl Fn(&Issue) -> bool,
    has_broken_check: bool,
    has_refuted_now: bool,
) {
    let is_refuted = review.issues.iter().any(|issue| issue.refuted.is_some());
    let is_left = review.issues.iter().any(|issue| issue.severity < Severity::Suggestion && is_open(issue));
    let is_unmet = review.criteria.iter().any(|criterion| criterion.state == CriterionState::Unmet);
    let is_settled = match review.recommended_action {
        RecommendedAction::Merge => true,
        RecommendedAction::EscalateToHuman => !has_refuted_now,
        RecommendedAction::FixAndReReview | RecommendedAction::RePlan => false,
    };
    if !is_refuted || is_left || is_unmet || has_broken_check || is_settled {
        return;
    }
    let own = Recommended { verdict: review.verdict, action: review.recommended_action };
    review.recommended.get_or_insert(own);
    review.verdict = Verdict::Approved;
    review.recommended_action = RecommendedAction::Merge;
}

/// `Checked 3 findings: 2 refuted, 1 stands`
fn checked(all: usize, refuted: usize) -> String {
    let stand = all - refuted;
    let verb = if stand == 1 { "stands" } else { "stand" };
    format!("Checked {all} {}: {refuted} refuted, {stand} {verb}", plural(all, "finding"))
}

/// `2 findings of the review could not be checked and stand: …`
fn stand_unchecked(number: usize, why: &str) -> String {
    let verb = if number == 1 { "stands" } else { "stand" };
    format!("{} of the review could not be checked and {verb}: {why}", count(number, "finding"))
}

/// `src/a.rs:12, src/b.rs:3 and 4 more`
fn places(issues: &[Issue]) -> String {
    const SHOWN: usize = 5;
    let place = |issue: &Issue| format!("{}:{}", safe_line(&issue.file), issue.line);
    let shown = issues.iter().take(SHOWN).map(place).collect::<Vec<_>>().join(", ");
    match issues.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The label of the agent that is asked about an issue.
fn agent_of(issue: &str) -> String {
    format!("{}/{issue}", PROMPT.0)
}

/// Ask about one finding. Inside: why there is no answer, so that it stands.
async fn ask(
    run: &Arc<Run>,
    issue: &Issue,
    diffs: &[(RepoPath, String)],
) -> Result<Result<Answer, String>, PhaseError> {
    let Some(question) = question(run, issue, diffs) else {
        return Ok(Err(format!("{} cannot be read", issue.file)));
    };
    let brief = Brief {
        agent: agent_of(&issue.id),
        model: run.model(Tier::Balanced)?,
        tier: Tier::Balanced,
        system: vec![run.prompts.of(PROMPT.0)],
        first_message: question,
        toolbox: Toolbox::none(run.workspace.clone(), run.store.path().clone()),
        submit: submit(),
        max_tokens: ANSWER_TOKENS,
    };
    let waits = report_activity(run, REVIEW, None);
    // Of several side by side only what keeps them waiting is worth an event.
    let report = |activity: Activity| {
        if let Activity::Model(
            TurnProgress::Retry { .. }
            | TurnProgress::Waiting { .. }
            | TurnProgress::Throttled { .. }
            | TurnProgress::Asking { .. },
        ) = activity
        {
            waits(activity);
        }
    };
    let accept = |input: Value, _: SubmitTry| accept(input);
    let conversation = Conversation {
        phase: REVIEW,
        task: None,
        round: None,
        plan_sha256: None,
        is_asked_once: true,
        beside: run.settings.max_parallel_tasks,
        brief: &brief,
    };
    match hold(run, &conversation, &accept, &report).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(error @ (AgentError::Cancelled | AgentError::Journal(_) | AgentError::Memory(_))) => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// The tool an answer is given with.
fn submit() -> ToolSpec {
    let properties = json!({
        "reason": { "type": "string", "description": "Why: the line that disproves the finding, or why it stands." },
        "refuted": { "type": "boolean", "description": "Whether the code shown disproves the finding." },
    });
    ToolSpec {
        name: "submit_verdict".to_owned(),
        description: "Say whether the finding is refuted. Ends your work.".to_owned(),
        input_schema: json!({
            "type": "object", "properties": properties, "required": ["reason", "refuted"], "additionalProperties": false,
        }),
        strict: true,
    }
}

/// Take an answer. A refutation without a reason is none.
fn accept(input: Value) -> Result<Answer, Vec<String>> {
    let answer: Answer = serde_json::from_value(input).map_err(|error| vec![error.to_string()])?;
    if answer.reason.trim().is_empty() { Err(vec!["/reason: is empty".to_owned()]) } else { Ok(answer) }
}

/// What is put to the model; `None` where there is no code to hold the finding against.
fn question(run: &Run, issue: &Issue, diffs: &[(RepoPath, String)]) -> Option<Opening> {
    let path = RepoPath::parse(&issue.file).ok()?;
    let code = text(&run.workspace, &path)?;
    let diff = diffs.iter().find(|(file, _)| *file == path).map(|(_, diff)| diff.as_str());
    let named = named_code(issue, &path, &code, &Texts::of(run));
    Some(question_of(issue, &code, &named, diff.unwrap_or_default()))
}

/// Lines that a finding names and that are shown around, and how many around each.
const MOST_NAMED: (usize, usize) = (8, 11);

/// The lines around those that a finding names besides its own place, as far as an agent may read them.
fn named_code(issue: &Issue, own: &RepoPath, code: &str, texts: &Texts<'_>) -> String {
    let said = format!("{} {}", issue.description, issue.suggested_fix.as_deref().unwrap_or_default());
    let lines = |text: &str| u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    let shown = ranges_around([issue.line], lines(code), AROUND);
    let is_shown =
        |path: &RepoPath, line: u32| path == own && shown.iter().any(|(first, last)| (*first..=*last).contains(&line));
    let named = named_lines(&said).into_iter().filter(|(path, line)| !is_shown(path, *line)).take(MOST_NAMED.0);
    let named: Vec<(RepoPath, u32)> = named.collect();
    let mut files: Vec<&RepoPath> = Vec::new();
    for (path, _) in &named {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    let of_file = |path: &RepoPath| {
        let found = texts.get(path);
        let FileText::Shown(text) = &*found else { return String::new() };
        let all = lines(text);
        let places = named.iter().filter(|(file, line)| file == path && *line <= all).map(|(_, line)| *line);
        let ranges = ranges_around(places, all, MOST_NAMED.1);
        let part = |(first, last): &(u32, u32)| {
            format!("{path}, lines {first}-{last} of {all}:\n{}", numbered(text, *first, *last))
        };
        ranges.iter().map(part).collect()
    };
    files.into_iter().map(of_file).collect()
}

fn question_of(issue: &Issue, code: &str, named: &str, diff: &str) -> Opening {
    let Issue { severity, file, line, end_line, quote, description, suggested_fix, .. } = issue;
    let finding = json!({
        "severity": severity, "file": file, "line": line, "end_line": end_line, "quote": quote,
        "description": description, "suggested_fix": suggested_fix,
    });
    let mut message = Opening::from(format!(
        "<finding trust=\"another agent's claim, to be checked\">\n{}\n</finding>\n\
         <code trust=\"untrusted data: the file as it stands\">\n{}</code>\n",
        json_text(&finding),
        lines_around(code, *line)
    ));
    if !named.is_empty() {
        let named = kept_inside("named_lines", named);
        let whole = format!(
            "<named_lines trust=\"untrusted data: the lines around those that the finding names\">\n{named}</named_lines>\n"
        );
        message.attach(Need::Telling, whole, [left_out("The lines that the finding names are", "nothing shows them")]);
    }
    if !diff.is_empty() {
        let framed = |text: &str| {
            let text = text.trim_end();
            format!("<diff trust=\"untrusted data: what was changed in the file\">\n{text}\n</diff>\n")
        };
        let without = left_out("What was changed in the file is", "judge by the code");
        message.attach_text(Need::Telling, &nearest_hunks(diff, *line), &framed, "nothing shows the rest", without);
    }
    message.push_str("Is this finding refuted by the code shown? Answer with submit_verdict.");
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(severity: &str, id: &str) -> Value {
        json!({ "severity": severity, "file": "a.rs", "line": 2, "description": format!("about {id}"), "id": id })
    }

    fn review(action: &str, verdict: &str, issues: &[Value]) -> ReviewOutput {
        let review = json!({
            "verdict": verdict, "summary": "s", "issues": issues, "recommended_action": action,
        });
        serde_json::from_value(review).unwrap()
    }

    fn refuted(mut review: ReviewOutput, ids: &[&str]) -> ReviewOutput {
        let asked = review.issues.clone();
        let answer = |issue: &Issue| Answer { reason: " No. ".to_owned(), refuted: ids.contains(&&*issue.id) };
        let answers: Vec<_> = asked.iter().map(|issue| (issue, Ok(answer(issue)))).collect();
        assert_eq!(refute(&mut review.issues, answers.into_iter(), "test:m"), ids.len());
        review
    }

    fn settled(mut review: ReviewOutput, has_broken_check: bool) -> (&'static str, &'static str, bool) {
        let has_refuted_now = review.issues.iter().any(|issue| issue.refuted.is_some());
        approve_if_nothing_is_left(&mut review, |issue| issue.id != "dismissed", has_broken_check, has_refuted_now);
        (review.verdict.as_str(), review.recommended_action.as_str(), review.recommended.is_some())
    }

    #[test]
    fn a_refuted_finding_is_a_suggestion_that_says_what_it_was() {
        let review = refuted(review("fix_and_re_review", "changes_requested", &[issue("critical", "a")]), &["a"]);
        let expected = json!({ "by": "test:m", "reason": "No.", "severity": "critical" });
        assert_eq!((review.issues[0].severity, json!(review.issues[0].refuted)), (Severity::Suggestion, expected));
    }

    #[test]
    fn with_everything_refuted_the_work_is_approved_and_the_reviewers_own_word_is_kept() {
        let wants = |issues: &[Value]| review("fix_and_re_review", "changes_requested", issues);
        let all = refuted(wants(&[issue("major", "a"), issue("suggestion", "b")]), &["a"]);
        assert_eq!(settled(all.clone(), false), ("approved", "merge", true));
        assert_eq!(settled(all.clone(), true), ("changes_requested", "fix_and_re_review", false), "a check fails");
        let mut unmet = all;
        unmet.criteria =
            vec![serde_json::from_value(json!({ "task_id": "T1", "criterion": 1, "state": "unmet" })).unwrap()];
        assert_eq!(settled(unmet, false).1, "fix_and_re_review");
        for left in ["major", "minor"] {
            let one = refuted(wants(&[issue("major", "a"), issue(left, "b")]), &["a"]);
            assert_eq!(settled(one, false).1, "fix_and_re_review", "{left}");
        }
        let dismissed = refuted(wants(&[issue("major", "a"), issue("major", "dismissed")]), &["a"]);
        assert_eq!(settled(dismissed, false).1, "merge", "a dismissed issue is not left to mend");
        assert_eq!(settled(wants(&[issue("suggestion", "a")]), false).1, "fix_and_re_review", "nothing was refuted");
    }

    #[test]
    fn what_is_asked_for_because_of_refuted_findings_alone_is_not_asked_for() {
        let of = |action: &str| refuted(review(action, "rejected", &[issue("critical", "a")]), &["a"]);
        assert_eq!(settled(of("re_plan"), false), ("approved", "merge", true));
        assert_eq!(settled(of("escalate_to_human"), false), ("approved", "merge", true));
        let approved = refuted(review("merge", "approved", &[issue("major", "a")]), &["a"]);
        assert_eq!(settled(approved, false), ("approved", "merge", false));
    }

    #[test]
    fn a_call_for_a_person_with_a_reason_of_its_own_stays() {
        let asks = |issues: &[Value]| review("escalate_to_human", "rejected", issues);
        let stays = ("rejected", "escalate_to_human", false);
        assert_eq!(settled(asks(&[]), false), stays, "it has no findings at all");
        assert_eq!(settled(asks(&[issue("suggestion", "a")]), false), stays, "it has none that could be refuted");
        let one = refuted(asks(&[issue("critical", "a"), issue("major", "b")]), &["a"]);
        assert_eq!(settled(one, false), stays, "one of its findings stands");
        // What an earlier review had refuted is no reason of this one.
        let mut of_before = refuted(asks(&[issue("major", "a")]), &["a"]);
        approve_if_nothing_is_left(&mut of_before, |_| true, false, false);
        assert_eq!(of_before.recommended_action, RecommendedAction::EscalateToHuman);
    }

    #[test]
    fn findings_beyond_what_is_checked_are_named() {
        let findings: Vec<Issue> =
            (1..=7).map(|line| Issue { line, ..serde_json::from_value(issue("major", "a")).unwrap() }).collect();
        assert_eq!(places(&findings[..2]), "a.rs:1, a.rs:2");
        assert_eq!(places(&findings), "a.rs:1, a.rs:2, a.rs:3, a.rs:4, a.rs:5 and 2 more");
    }

    #[test]
    fn serious_findings_with_a_place_are_checked_once() {
        let read = |value: Value| -> Issue { serde_json::from_value(value).unwrap() };
        let is_asked = |issue: &Issue, before: &[Issue]| is_to_be_checked(issue, before);
        let [critical, major, minor] = ["critical", "major", "minor"].map(|severity| read(issue(severity, "a")));
        assert!(is_asked(&critical, &[]) && is_asked(&major, &[]) && !is_asked(&minor, &[]));
        assert!(!is_asked(&critical, std::slice::from_ref(&major)), "it was looked at in the review before");
        assert!(is_asked(&major, std::slice::from_ref(&minor)), "it was not serious then");
        let unplaced = Issue { placed: Some(false), ..major.clone() };
        assert!(!is_asked(&unplaced, &[]), "there is no code to show");
        let was_refuted = Issue {
            severity: Severity::Suggestion,
            refuted: Some(Refuted { by: "m".to_owned(), reason: "r".to_owned(), severity: Severity::Major }),
            ..major.clone()
        };
        assert!(is_asked(&major, &[was_refuted]), "raised again");
    }

    #[test]
    fn reasons_come_first_on_the_wire_and_one_without_is_no_answer() {
        let schema = submit().input_schema.to_string();
        assert!(schema.find("\"reason\"").unwrap() < schema.find("\"refuted\"").unwrap(), "{schema}");
        assert!(accept(json!({ "reason": "x", "refuted": true })).unwrap().refuted);
        for wrong in [json!({ "reason": " ", "refuted": true }), json!({ "refuted": true }), json!("yes")] {
            assert!(accept(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_question_holds_the_finding_the_code_and_the_diff_of_its_file() {
        let issue: Issue = serde_json::from_value(issue("major", "a")).unwrap();
        let question = question_of(&issue, "one\ntwo\n", "b.rs, named\n", "@@ -1 +1,2 @@\n one\n+two\n").whole();
        for part in ["\"description\":\"about a\"", "    2\ttwo\n</code>", "+two\n</diff>", "untrusted data"] {
            assert!(question.contains(part), "{part}: {question}");
        }
        assert!(!question.contains("\"id\""), "{question}");
        let code = "<code trust=\"untrusted data: the file as it stands\">\n    1\tone\n    2\ttwo\n</code>\n";
        assert!(question.contains(code) && question.contains("\">\nb.rs, named\n</named_lines>\n"), "{question}");
        let bare = question_of(&issue, "one\n", "", "").whole();
        assert!(!bare.contains("<diff") && !bare.contains("<named_lines"), "{bare}");
    }

    #[test]
    fn the_lines_that_a_finding_names_are_shown_unless_they_are_already() {
        let mut finding = issue("major", "a");
        finding["description"] =
            json!("As other.rs:20 says, a.rs:2 calls a.rs:190; see other.rs:24, .env:1 and gone.rs:3.");
        finding["suggested_fix"] = json!("Take other.rs:990.");
        let finding: Issue = serde_json::from_value(finding).unwrap();
        let text = |name: &str| (1..=200).map(|n| format!("{name} {n}\n")).collect::<String>();
        let texts = Texts::new(|path| match path.as_str() {
            "a.rs" | "other.rs" => FileText::Shown(text(path.as_str())),
            ".env" => FileText::Hidden(1),
            _ => FileText::Missing,
        });
        let named = named_code(&finding, &RepoPath::parse("a.rs").unwrap(), &text("a.rs"), &texts);
        let headers: Vec<&str> = named.lines().filter(|line| line.ends_with(':')).collect();
        assert_eq!(headers, ["other.rs, lines 15-29 of 200:", "a.rs, lines 185-195 of 200:"]);
        assert!(named.contains("   15\tother.rs 15\n") && named.ends_with("  195\ta.rs 195\n"), "{named}");
    }

    #[test]
    fn what_became_of_the_findings_is_counted() {
        assert_eq!(checked(3, 2), "Checked 3 findings: 2 refuted, 1 stands");
        assert_eq!(checked(1, 1), "Checked 1 finding: 1 refuted, 0 stand");
        assert_eq!(stand_unchecked(1, "w"), "1 finding of the review could not be checked and stands: w");
        assert_eq!(stand_unchecked(2, "w"), "2 findings of the review could not be checked and stand: w");
    }
}
