//! The review as a log of SARIF 2.1.0.
//!
//! Source: the OASIS standard "Static Analysis Results Interchange Format 2.1.0", and what GitHub documents of the logs that
//! its code scanning takes ("SARIF support for code scanning").

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, MultiformatMessageString, Notification, PhysicalLocation,
    PropertyBag, Region, ReportingConfiguration, ReportingDescriptor, Result as SarifResult, ResultLevel, Run,
    RunAutomationDetails, Sarif, Suppression, Tool, ToolComponent,
};

use super::super::failure::{Failure, ISSUES};
use super::findings::{Ending, Finding, rule_id};
use crate::contracts::{FINGERPRINT, Severity};
use crate::text;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What the workspace's folder is called in URIs, as most tools call it.
const ROOT: &str = "%SRCROOT%";
/// Results of one run: code scanning of GitHub shows no more.
const MOST_RESULTS: usize = 5000;
/// Characters of a message, so that a log of that many results is taken.
const LONGEST: usize = 8000;
/// What stands in a URI's path as it is.
const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

const SEVERITIES: [Severity; 4] = [Severity::Critical, Severity::Major, Severity::Minor, Severity::Suggestion];

/// When a process began, and in which workspace.
pub(super) struct Origin<'a> {
    /// The beginning.
    pub(super) started: Timestamp,
    /// The workspace's real path, where one was opened.
    pub(super) root: Option<&'a Path>,
}

/// The log, with all issues: dismissed ones are suppressed, and those that the baseline has are unchanged. Issues that the
/// baseline alone has are left out, as code scanning would take them for standing ones.
///
/// # Errors
/// When it cannot be told as JSON.
pub(super) fn sarif(ending: &Ending, origin: &Origin<'_>, now: Timestamp) -> Result<String, Failure> {
    let mut findings = ending.findings();
    if findings.len() > MOST_RESULTS {
        findings.sort_by_key(|finding| finding.issue.severity);
        findings.truncate(MOST_RESULTS);
    }
    let driver = ToolComponent::builder()
        .name("Baton")
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .version(env!("CARGO_PKG_VERSION"))
        .rules(SEVERITIES.map(rule).to_vec())
        .build();
    let mut run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .automation_details(RunAutomationDetails::builder().id("baton/review/").build())
        .invocations(vec![invocation(ending, origin, now)])
        .results(findings.iter().map(|finding| result(finding, ending)).collect::<Vec<_>>())
        .column_kind(json!("unicodeCodePoints"))
        .build();
    if let Some(root) = origin.root {
        let uri = format!("file://{}/", path_in_uri(&root.to_string_lossy()).trim_end_matches('/'));
        let root = ArtifactLocation::builder().uri(uri).build();
        run.original_uri_base_ids = Some(BTreeMap::from([(ROOT.to_owned(), root)]));
    }
    if let Some(review) = &ending.review {
        let facts = [
            ("verdict", json!(review.verdict)),
            ("recommendedAction", json!(review.recommended_action)),
            ("summary", json!(text::safe_lines(&review.summary))),
            ("base", json!(review.base)),
        ];
        run.properties = Some(properties(facts));
    }
    let log = Sarif::builder().schema(SCHEMA).version(json!("2.1.0")).runs(vec![run]).build();
    serde_json::to_string_pretty(&log).map(|log| log + "\n").map_err(|error| Failure::failed(error.to_string()))
}

fn result(finding: &Finding<'_>, ending: &Ending) -> SarifResult {
    let message = finding.message();
    let suppressions = finding.dismissal.map(|dismissal| {
        let because = text::safe_lines(dismissal.because.as_deref().unwrap_or("dismissed"));
        Suppression::builder().kind(json!("external")).status(json!("accepted")).justification(because).build()
    });
    let mut facts = vec![("id", json!(finding.issue.id)), ("severity", json!(finding.issue.severity))];
    facts.extend(finding.issue.task_id.as_ref().map(|task| ("task", json!(text::safe_line(task)))));
    let rule = SEVERITIES.iter().position(|severity| *severity == finding.issue.severity).unwrap_or_default();
    let mut result = SarifResult::builder()
        .rule_id(finding.rule())
        .rule_index(i64::try_from(rule).unwrap_or_default())
        .level(level(finding.issue.severity))
        .message(plain(&text::cut(&message, LONGEST)))
        .locations(vec![location(finding, ending)])
        .partial_fingerprints(BTreeMap::from([(FINGERPRINT.to_owned(), finding.fingerprint.clone())]))
        // Where one result has the property, all have it.
        .suppressions(suppressions.into_iter().collect::<Vec<_>>())
        .properties(properties(facts))
        .build();
    result.baseline_state = finding.is_new.map(|is_new| json!(if is_new { "new" } else { "unchanged" }));
    result
}

/// Code scanning takes no result without a location.
fn location(finding: &Finding<'_>, ending: &Ending) -> Location {
    let (path, line, end) = match (finding.path(), finding.lines()) {
        (Some(path), Some((line, end))) => (path.to_string(), line, end),
        (Some(path), None) => (path.to_string(), finding.issue.line.max(1), finding.issue.line.max(1)),
        (None, _) => (ending.review_file.clone(), 1, 1),
    };
    let mut region = Region::builder().start_line(i64::from(line)).build();
    region.end_line = (end > line).then_some(i64::from(end));
    let artifact = ArtifactLocation::builder().uri(path_in_uri(&path)).uri_base_id(ROOT).build();
    let physical = PhysicalLocation::builder().artifact_location(artifact).region(region).build();
    Location::builder().physical_location(physical).build()
}

fn path_in_uri(path: &str) -> String {
    utf8_percent_encode(path, &PATH).to_string()
}

fn invocation(ending: &Ending, origin: &Origin<'_>, now: Timestamp) -> Invocation {
    let mut invocation = Invocation::builder()
        .execution_successful(ending.is_success)
        .exit_code(i64::from(ending.exit_code))
        .start_time_utc(seconds(origin.started))
        .end_time_utc(seconds(now))
        .build();
    if ending.exit_code == ISSUES {
        invocation.exit_code_description = Some("an issue is as bad as --fail-on, or worse".to_owned());
    }
    if !ending.is_success {
        let message = plain(&text::safe_lines(&ending.message));
        let told = Notification::builder().level(json!("error")).message(message).time_utc(seconds(now)).build();
        invocation.tool_execution_notifications = Some(vec![told]);
    }
    invocation
}

fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// A message in which nothing passes for a link: `[words](1)` would be one.
fn plain(text: &str) -> Message {
    let text = if text.contains("](") { text.replace('[', "\\[").replace(']', "\\]") } else { text.to_owned() };
    Message::builder().text(text).build()
}

fn rule(severity: Severity) -> ReportingDescriptor {
    let (name, short, help, problem) = match severity {
        Severity::Critical => (
            "CriticalIssue",
            "Data loss, a security hole, a crash, or the task not done.",
            "Mend this before the change goes in.",
            "error",
        ),
        Severity::Major => (
            "MajorIssue",
            "Wrong behaviour in a case that will happen.",
            "Mend this before the change goes in, or dismiss it with a reason.",
            "warning",
        ),
        Severity::Minor => (
            "MinorIssue",
            "Worth mending, though nothing breaks.",
            "Mend this when you are at it, or dismiss it with a reason.",
            "recommendation",
        ),
        Severity::Suggestion => {
            ("Suggestion", "A matter of taste, with a reason.", "Take it or leave it.", "recommendation")
        }
    };
    let ways = "`baton status` lists the issues with their ids; `baton run --fix ID` has one mended, and \
                `baton dismiss ID --because TEXT` keeps it from being raised again.";
    let text = |text: String| MultiformatMessageString::builder().text(text).build();
    let mut help_text = text(format!("{help} {}", ways.replace('`', "\"")));
    help_text.markdown = Some(format!("{help} {ways}"));
    ReportingDescriptor::builder()
        .id(rule_id(severity))
        .name(name)
        .short_description(text(short.to_owned()))
        .full_description(text(format!("{short} A model found it in a review; it may be wrong.")))
        .help(help_text)
        .default_configuration(ReportingConfiguration::builder().level(json!(level(severity))).build())
        .properties(properties([
            ("tags", json!(["review"])),
            ("precision", json!("medium")),
            ("problem.severity", json!(problem)),
        ]))
        .build()
}

/// As serious as in an editor.
fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical => ResultLevel::Error,
        Severity::Major => ResultLevel::Warning,
        Severity::Minor | Severity::Suggestion => ResultLevel::Note,
    }
}

fn properties<'a>(facts: impl IntoIterator<Item = (&'a str, Value)>) -> PropertyBag {
    let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>();
    PropertyBag::builder().additional_properties(facts).build()
}
