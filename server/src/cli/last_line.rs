//! The last line of `--json`: one object, whatever came of the run.

use serde::Serialize;

use super::failure::{Failure, NO_CONCLUSION, USAGE};
use super::output::print_json;
use crate::contracts::{CheckResult, CriteriaCount, ReviewOutput, Usage};
use crate::memory::Store;
use crate::text;
use crate::workflow::{EventErrorKind, Outcome, RunEnd};

/// What a program that started a run must know of its end. Every field is always there.
#[derive(Debug, Serialize)]
pub(super) struct LastLine<'a> {
    outcome: Outcome,
    exit_code: u8,
    error: Option<Error<'a>>,
    run: Option<&'a str>,
    workflow: Option<String>,
    review: Option<&'a ReviewOutput>,
    checks: Vec<CheckResult>,
    criteria: CriteriaCount,
    usage: Usage,
    run_usage: Usage,
}

#[derive(Debug, Serialize)]
struct Error<'a> {
    kind: EventErrorKind,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

impl<'a> LastLine<'a> {
    /// Of a workflow's run.
    pub(super) fn of_run((run, end): &'a (String, RunEnd), exit_code: u8, store: &Store) -> Self {
        // A memory that cannot be read is what the run itself ended with.
        let report = store.inspect().ok().and_then(|(mut memory, _)| {
            store.forget_unconfirmed_checks(&mut memory);
            memory.report
        });
        let first = store.workflow_runs().ok().and_then(|runs| runs.first().map(ToString::to_string));
        let checks = report.map(|report| report.checks).unwrap_or_default();
        Self { workflow: first, checks, ..Self::of_base_review(run, end, exit_code) }
    }

    /// Of a review against a commit, which belongs to no workflow and runs no checks.
    pub(super) fn of_base_review(run: &'a str, end: &'a RunEnd, exit_code: u8) -> Self {
        let error =
            end.error.as_ref().map(|error| Error { kind: error.kind, message: &error.message, file: None, line: None });
        Self {
            outcome: end.outcome,
            exit_code,
            error,
            run: Some(run),
            workflow: None,
            review: end.review.as_ref(),
            checks: Vec::new(),
            criteria: end.review.as_ref().map(|review| CriteriaCount::of(&review.criteria)).unwrap_or_default(),
            usage: end.workflow_usage,
            run_usage: end.usage,
        }
    }

    /// Of a run that did not begin.
    fn of_failure(failure: &'a Failure) -> Self {
        let kind = match failure.code {
            USAGE => EventErrorKind::Config,
            NO_CONCLUSION => EventErrorKind::Model,
            // A handoff that a person has to mend.
            _ if failure.place.is_some() => EventErrorKind::Contract,
            _ => EventErrorKind::Workspace,
        };
        Self {
            outcome: Outcome::Failed,
            exit_code: failure.code,
            error: Some(Error {
                kind,
                message: &failure.message,
                file: failure.place.as_ref().map(|place| place.file.as_str()),
                line: failure.place.as_ref().and_then(|place| place.line),
            }),
            run: None,
            workflow: None,
            review: None,
            checks: Vec::new(),
            criteria: CriteriaCount::default(),
            usage: Usage::default(),
            run_usage: Usage::default(),
        }
    }

    /// Print it.
    ///
    /// # Errors
    /// As [`print_json`].
    pub(super) fn print(&self) -> Result<(), Failure> {
        let line = serde_json::to_string(self).map_err(|error| Failure::failed(error.to_string()))?;
        print_json(&text::safe_json(&line))
    }
}

/// Print the last line also where the run did not begin.
pub(super) fn with_last_line(is_json: bool, done: Result<u8, Failure>) -> Result<u8, Failure> {
    if let (true, Err(failure)) = (is_json, &done)
        && !failure.is_quiet()
    {
        // Why it failed is told on standard error in any case.
        let _ = LastLine::of_failure(failure).print();
    }
    done
}

/// Print the last line where the arguments are not understood: what is wrong is told on standard error as well.
pub(super) fn print_usage_fault(message: &str) {
    // There is nowhere left to report that standard output cannot be written.
    let message = message.trim_end();
    let _ = LastLine::of_failure(&Failure::usage(message.strip_prefix("error: ").unwrap_or(message))).print();
}
