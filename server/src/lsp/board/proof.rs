//! What was not proven, as diagnostics: checks that fail, and acceptance criteria that are not met.

use std::path::Path;

use serde_json::{Value, json};
use tower_lsp::lsp_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Range,
};

use crate::contracts::{CheckResult, CriterionResult, CriterionState, JsonText, PlanOutput, json_value};
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::to_proto;

/// Longest text of a criterion, in characters.
const LONGEST: usize = 500;

/// Of a check that fails. `log` is its path from the folder; it is named in the message where the client shows no related
/// information.
pub(super) fn of_check(
    check: &CheckResult,
    log: Option<&str>,
    folder: &Path,
    with_related: bool,
    range: Range,
) -> Diagnostic {
    let name = to_proto::plain(&check.name, 100);
    let why = match check.details() {
        details if details.is_empty() => String::new(),
        details => format!(": {}", to_proto::plain(&details, LONGEST)),
    };
    let mut message = format!("The check {name} {}{why}.", check.state.verb());
    let uri = log.filter(|_| with_related).and_then(|log| to_proto::uri(folder, log));
    if let (None, Some(log)) = (&uri, log) {
        message.push_str(&format!(" Its output: {}", to_proto::plain(log, LONGEST)));
    }
    let related = uri.map(|uri| DiagnosticRelatedInformation {
        location: Location { uri, range: Range::default() },
        message: format!("The output of {name}"),
    });
    let data = json!({ "check": check.name, "state": check.state, "base": check.base });
    let found = diagnostic(range, DiagnosticSeverity::WARNING, "check.failed", message, data);
    Diagnostic { related_information: related.map(|related| vec![related]), ..found }
}

/// Of criteria that are not met, each at its place in plan.json. One that the text has no more has no place.
pub(super) fn of_criteria(
    plan: &PlanOutput,
    criteria: &[CriterionResult],
    text: &Text,
    encoding: Encoding,
) -> Vec<Diagnostic> {
    let places = Places::of(text);
    let shown = criteria.iter().filter_map(|result| {
        let at = (result.criterion as usize).checked_sub(1)?;
        let words = plan.task(&result.task_id)?.acceptance_criteria.get(at)?;
        let range = text.range(places.of_criterion(&result.task_id, at, words)?, encoding);
        of_criterion(result, words, range)
    });
    shown.collect()
}

fn of_criterion(result: &CriterionResult, words: &str, range: Range) -> Option<Diagnostic> {
    let (severity, says) = match result.state {
        CriterionState::Met => return None,
        CriterionState::Unmet => (DiagnosticSeverity::WARNING, "is not met"),
        CriterionState::Unproven => (DiagnosticSeverity::INFORMATION, "is unproven, nothing shows whether it is met"),
    };
    let (task, n) = (to_proto::plain(&result.task_id, 100), result.criterion);
    let message = format!("Criterion {n} of {task} {says}: {}", to_proto::plain(words, LONGEST));
    let data = json!({ "task": result.task_id, "criterion": n });
    Some(diagnostic(range, severity, &format!("criterion.{}", result.state.as_str()), message, data))
}

/// Finds the criteria in the text of plan.json, which may be newer than the plan that was read.
struct Places<'a> {
    text: &'a str,
    json: JsonText<'a>,
    /// `None` while it is no JSON.
    value: Option<Value>,
}

impl<'a> Places<'a> {
    fn of(text: &'a Text) -> Self {
        let text = text.as_str();
        Self { text, json: JsonText::new(text), value: json_value(text) }
    }

    fn of_criterion(&self, task: &str, at: usize, words: &str) -> Option<std::ops::Range<usize>> {
        let Some(value) = &self.value else {
            // While it is edited, the text is often no JSON; the words can still be found.
            let quoted = Value::from(words).to_string();
            return self.text.find(&quoted).map(|start| start..start + quoted.len());
        };
        let tasks = value.get("tasks")?.as_array()?;
        let index = tasks.iter().position(|other| other["id"] == task)?;
        let criteria = tasks[index].get("acceptance_criteria")?.as_array()?;
        let is_it = |at: &usize| criteria.get(*at).is_some_and(|text| text == words);
        let at = Some(at).filter(is_it).or_else(|| (0..criteria.len()).find(is_it))?;
        Some(self.json.locate(&format!("/tasks/{index}/acceptance_criteria/{at}")))
    }
}

fn diagnostic(range: Range, severity: DiagnosticSeverity, code: &str, message: String, data: Value) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(severity),
        code: Some(NumberOrString::String(code.to_owned())),
        source: Some(to_proto::DIAGNOSTIC_SOURCE.to_owned()),
        message,
        data: Some(data),
        ..Diagnostic::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> PlanOutput {
        let task = |id: &str| {
            json!({
                "id": id, "title": id, "description": id, "files_to_modify": [format!("{id}.rs")],
                "acceptance_criteria": ["It \"greets\".", "It ends."], "estimated_complexity": "simple"
            })
        };
        let plan = json!({
            "approach_summary": "a", "tasks": [task("T1"), task("T2")], "parallel_groups": [["T1", "T2"]]
        });
        serde_json::from_value(plan).unwrap()
    }

    fn criteria(results: Value) -> Vec<CriterionResult> {
        serde_json::from_value(results).unwrap()
    }

    /// Each as `line: severity code`, and the text at its place.
    fn shown(text: &str, results: Value) -> Vec<(String, String)> {
        let text = Text::new(text);
        let found = of_criteria(&plan(), &criteria(results), &text, Encoding::Utf8);
        let line = |found: &Diagnostic| {
            let Some(NumberOrString::String(code)) = &found.code else { panic!("{found:?}") };
            let (start, end) = (found.range.start, found.range.end);
            let at = &text.line(start.line as usize)[start.character as usize..end.character as usize];
            (format!("{:?} {code}: {}", found.severity.unwrap(), found.message), at.to_owned())
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn a_criterion_that_is_not_met_is_shown_at_its_own_text() {
        let results = json!([
            { "task_id": "T1", "criterion": 1, "state": "met" },
            { "task_id": "T1", "criterion": 2, "state": "unmet" },
            { "task_id": "T2", "criterion": 1, "state": "unproven" },
            { "task_id": "T2", "criterion": 3, "state": "unmet" },
            { "task_id": "T2", "criterion": 0, "state": "unmet" },
            { "task_id": "T9", "criterion": 1, "state": "unmet" },
        ]);
        let pretty = serde_json::to_string_pretty(&plan()).unwrap();
        let expected = [
            ("Warning criterion.unmet: Criterion 2 of T1 is not met: It ends.", "\"It ends.\""),
            (
                "Information criterion.unproven: Criterion 1 of T2 is unproven, nothing shows whether it is met: It \"greets\".",
                r#""It \"greets\".""#,
            ),
        ]
        .map(|(message, at)| (message.to_owned(), at.to_owned()));
        assert_eq!(shown(&pretty, results.clone()), expected);
        // Its place in a text that is being edited: moved, taken out, or no JSON at the moment.
        let moved = pretty.replacen("\"It ends.\"", "\"New.\",\n\"It ends.\"", 1);
        assert_eq!(shown(&moved, results.clone())[0], expected[0]);
        let gone = pretty.replacen("\"It ends.\"", "\"Other.\"", 1);
        assert_eq!(shown(&gone, results.clone()), expected[1..]);
        let broken = pretty.replacen("\"tasks\"", "\"tasks", 1);
        assert_eq!(shown(&broken, results)[0], expected[0]);
    }

    #[test]
    fn a_check_that_fails_names_its_output() {
        let check: CheckResult = serde_json::from_value(json!({
            "name": "lint", "command": "make lint", "state": "failed", "exit_code": 2, "base": "failed"
        }))
        .unwrap();
        let folder = std::env::temp_dir();
        let with = |log, related| of_check(&check, log, &folder, related, Range::default());
        let message = "The check lint failed: exit code 2; also fails without these changes.";
        let related = with(Some("m/runs/r/checks/lint.log"), true);
        assert_eq!((related.message.as_str(), related.severity), (message, Some(DiagnosticSeverity::WARNING)));
        let place = &related.related_information.unwrap()[0];
        assert!(place.location.uri.path().ends_with("/m/runs/r/checks/lint.log"), "{place:?}");
        let plain = with(Some("m/lint.log"), false);
        assert_eq!(plain.message, format!("{message} Its output: m/lint.log"));
        assert_eq!((plain.related_information, with(None, true).message), (None, message.to_owned()));
        assert_eq!(plain.data, Some(json!({ "check": "lint", "state": "failed", "base": "failed" })));
    }
}
