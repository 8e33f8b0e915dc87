//! The status of phases and tasks as diagnostics.

use serde_json::json;
use tower_lsp::lsp_types::{Diagnostic, DiagnosticSeverity, NumberOrString, Range};

use crate::contracts::{ImplReport, TaskResult};
use crate::lsp::wire::to_proto;
use crate::workflow::{PhaseState, PhaseStatus, Phases, TaskStanding, TaskState};

/// Longest message, in characters.
const LONGEST: usize = 500;

/// One for each phase that has begun.
pub(super) fn of_phases(known: &Phases, phases: &[PhaseStatus], range: Range) -> Vec<Diagnostic> {
    phases.iter().filter_map(|phase| of_phase(known, phase, range)).collect()
}

fn of_phase(phases: &Phases, phase: &PhaseStatus, range: Range) -> Option<Diagnostic> {
    let (severity, words) = match phase.status {
        PhaseState::Pending | PhaseState::Skipped => return None,
        PhaseState::Running => (DiagnosticSeverity::INFORMATION, "is at work."),
        PhaseState::Waiting => (DiagnosticSeverity::WARNING, "waits for you."),
        PhaseState::Interrupted => (DiagnosticSeverity::WARNING, "was interrupted; start the workflow again to go on."),
        PhaseState::Cancelled => (DiagnosticSeverity::WARNING, "was stopped; start the workflow again to go on."),
        PhaseState::Failed => (DiagnosticSeverity::ERROR, "failed."),
        PhaseState::Done => (DiagnosticSeverity::HINT, "is done."),
    };
    let name = phases.get(phase.phase).map_or(phase.phase.as_str(), |phase| phase.titles().subject);
    // A running phase has a new message at every step; its progress shows those.
    let said =
        if phase.status == PhaseState::Running { String::new() } else { to_proto::plain(&phase.message, LONGEST) };
    Some(diagnostic(range, severity, format!("phase.{}", phase.phase), format!("{name} {words} {said}")))
}

/// One for each task, at its place in plan.json.
pub(super) fn of_tasks(tasks: &[TaskStanding], report: Option<&ImplReport>, places: &[Range]) -> Vec<Diagnostic> {
    let result = |id: &str| report?.result_of(id);
    let shown = tasks.iter().zip(places).map(|(task, range)| of_task(task, result(&task.id), *range));
    shown.collect()
}

fn of_task(task: &TaskStanding, result: Option<&TaskResult>, range: Range) -> Diagnostic {
    let (severity, words) = match task.status {
        TaskState::Running => (DiagnosticSeverity::INFORMATION, "is at work."),
        TaskState::Waiting => (DiagnosticSeverity::WARNING, "waits for you to save a file."),
        TaskState::NotApproved => (DiagnosticSeverity::HINT, "was left out of the approval."),
        TaskState::Completed => (DiagnosticSeverity::HINT, "is done."),
        TaskState::Partial => (DiagnosticSeverity::WARNING, "is partly done."),
        TaskState::Blocked => (DiagnosticSeverity::WARNING, "is blocked."),
        TaskState::Failed => (DiagnosticSeverity::ERROR, "failed."),
        TaskState::Pending => (DiagnosticSeverity::HINT, "has not begun."),
    };
    let why = result.filter(|result| {
        !matches!(task.status, TaskState::Running | TaskState::Completed) && result.task_id == task.id
    });
    let why = why.map(|result| {
        let notes = std::iter::once(result.notes.as_str()).chain(result.blockers.iter().map(String::as_str));
        notes.map(str::trim).filter(|note| !note.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let why = to_proto::plain(&why.unwrap_or_default(), LONGEST);
    let diagnostic = diagnostic(range, severity, format!("task.{}", task.status), format!("{} {words} {why}", task.id));
    Diagnostic { data: Some(json!({ "task": task.id })), ..diagnostic }
}

/// A review, called `subject`, is of another branch than the one that is checked out.
pub(super) fn of_other_branch(subject: &str, reviewed: &str, issues: usize, range: Range) -> Diagnostic {
    let (noun, verb) = if issues == 1 { ("issue", "is") } else { ("issues", "are") };
    let message = format!(
        "{subject} was made on the branch {}, which is not checked out now. Its {issues} {noun} {verb} shown again once \
         it is.",
        to_proto::plain(reviewed, 200)
    );
    diagnostic(range, DiagnosticSeverity::INFORMATION, "review.branch".to_owned(), message)
}

/// A warning about something in the memory that counts as absent.
pub(super) fn of_uncounted(warning: &str, range: Range) -> Diagnostic {
    diagnostic(range, DiagnosticSeverity::WARNING, "memory.uncounted".to_owned(), to_proto::plain(warning, 2 * LONGEST))
}

fn diagnostic(range: Range, severity: DiagnosticSeverity, code: String, message: String) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(severity),
        code: Some(NumberOrString::String(code)),
        source: Some(to_proto::DIAGNOSTIC_SOURCE.to_owned()),
        message: message.trim_end().to_owned(),
        ..Diagnostic::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{CONTEXT, IMPLEMENT, PLAN, REVIEW, Tone, fixture};

    fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
        let line = |diagnostic: &Diagnostic| match &diagnostic.code {
            Some(NumberOrString::String(code)) => {
                format!("{:?} {code}: {}", diagnostic.severity.unwrap(), diagnostic.message)
            }
            other => panic!("{other:?}"),
        };
        diagnostics.iter().map(line).collect()
    }

    #[test]
    fn each_phase_that_has_begun_says_where_it_stands() {
        let phase = |phase, status, message: &str| PhaseStatus {
            phase,
            status,
            tone: Tone::Neutral,
            at: None,
            elapsed_ms: None,
            message: message.to_owned(),
        };
        let phases = [
            phase(CONTEXT, PhaseState::Done, "3 relevant files"),
            phase(PLAN, PhaseState::Waiting, "Plan 1\nwaits"),
            phase(IMPLEMENT, PhaseState::Running, "T1: reading"),
            phase(REVIEW, PhaseState::Pending, ""),
            phase(REVIEW, PhaseState::Failed, "no model"),
        ];
        let expected = [
            "Hint phase.context: Gathering context is done. 3 relevant files",
            "Warning phase.plan: The plan waits for you. Plan 1 waits",
            "Information phase.implement: The implementation is at work.",
            "Error phase.review: The review failed. no model",
        ];
        assert_eq!(lines(&of_phases(&fixture::phases(), &phases, Range::default())), expected);
    }

    #[test]
    fn each_task_says_where_it_stands_and_why_it_does_not_go_on() {
        let task = |id: &str, status| TaskStanding {
            id: id.to_owned(),
            title: String::new(),
            status,
            activity: None,
            files: Vec::new(),
            depends_on: Vec::new(),
            criteria: Vec::new(),
            attempts: Vec::new(),
        };
        let tasks = [
            task("T1", TaskState::Completed),
            task("T2", TaskState::Blocked),
            task("T3", TaskState::Running),
            task("T4", TaskState::Pending),
        ];
        let report = serde_json::json!({ "results": [
            { "task_id": "T1", "status": "completed", "notes": "fine" },
            { "task_id": "T2", "status": "blocked", "notes": "No way.", "blockers": ["a.rs is missing"] },
        ] });
        let report: ImplReport = serde_json::from_value(report).unwrap();
        let diagnostics = of_tasks(&tasks, Some(&report), &[Range::default(); 4]);
        let expected = [
            "Hint task.completed: T1 is done.",
            "Warning task.blocked: T2 is blocked. No way. a.rs is missing",
            "Information task.running: T3 is at work.",
            "Hint task.pending: T4 has not begun.",
        ];
        assert_eq!(lines(&diagnostics), expected);
        assert_eq!(diagnostics[1].data, Some(json!({ "task": "T2" })));
    }

    #[test]
    fn a_review_of_another_branch_says_what_is_withheld() {
        let note = of_other_branch("The review", "main", 1, Range::default());
        assert_eq!(
            note.message,
            "The review was made on the branch main, which is not checked out now. Its 1 issue is shown again once it is."
        );
    }
}
