//! Code actions: on an issue, on a line that has lenses, on a selection, and on a `TODO` comment.

use serde_json::{Value, json};
use tower_lsp::lsp_types::{
    CodeAction, CodeActionContext, CodeActionDisabled, CodeActionKind, CodeActionOptions, CodeActionOrCommand,
    Diagnostic, NumberOrString, Range,
};

use super::hunks::{self, placed::PlacedHunk};
use super::lenses::{cannot_fix, cannot_fix_of_base, lenses};
use super::offer::Offer;
use super::plan_this::plan_this;
use super::snapshot::Snapshot;
use crate::contracts::{Issue, PhaseName, RepoPath, short_commit};
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::capabilities::ActionCapabilities;
use crate::lsp::wire::to_proto::{DIAGNOSTIC_SOURCE, plain};
use crate::workflow::REVIEW;

/// The kind of "Plan this".
const PLAN_THIS: CodeActionKind = CodeActionKind::REFACTOR_REWRITE;

/// Longest description beside the title of an action, where a line has several issues.
const LONGEST_HINT: usize = 50;

/// An open issue and its range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlacedIssue {
    /// The phase that found it; only the review's issues can be fixed.
    pub(crate) phase: PhaseName,
    /// The commit that its review compares with, where it is of no workflow.
    pub(crate) base: Option<String>,
    /// The issue.
    pub(crate) issue: Issue,
    /// Its range in the text as it is now.
    pub(crate) range: Range,
}

/// The document and the range that actions are requested for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionTarget<'a> {
    /// Relative to the workspace root.
    pub(crate) file: &'a RepoPath,
    /// Its text.
    pub(crate) text: &'a Text,
    /// The open issues of the file.
    pub(crate) issues: &'a [PlacedIssue],
    /// The changes of agents in it.
    pub(crate) hunks: &'a [PlacedHunk],
    /// The selection, or the cursor.
    pub(crate) range: Range,
    /// The encoding of positions.
    pub(crate) encoding: Encoding,
}

/// The advertised options; actions are complete, so nothing is left to resolve.
pub(crate) fn options() -> CodeActionOptions {
    CodeActionOptions {
        code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, PLAN_THIS]),
        ..CodeActionOptions::default()
    }
}

/// The actions for a target.
pub(crate) fn code_actions(
    snapshot: &Snapshot,
    target: ActionTarget<'_>,
    context: &CodeActionContext,
    client: ActionCapabilities,
) -> Vec<CodeActionOrCommand> {
    let mut actions = on_issues(snapshot, target, context);
    let plan_this = plan_this(snapshot, target.file, target.text, target.range, target.encoding);
    actions.extend(plan_this.map(|offer| Action::new(PLAN_THIS, offer)));
    let lines = target.range.start.line as usize..=target.range.end.line as usize;
    let on_lines = lenses(snapshot, target.file, target.text).into_iter().filter(|lens| lines.contains(&lens.line));
    actions.extend(on_lines.map(|lens| Action::new(CodeActionKind::QUICKFIX, lens.offer)));
    let on_hunks = hunks::on_lines(snapshot, target.file, target.hunks, &lines);
    actions.extend(on_hunks.into_iter().map(|offer| Action::new(CodeActionKind::QUICKFIX, offer)));
    actions.retain(|action| is_asked_for(&action.kind, context));
    actions.into_iter().filter_map(|action| action.to_proto(client)).collect()
}

/// The issues whose lines a range touches.
fn touched(issues: &[PlacedIssue], range: Range) -> impl Iterator<Item = &PlacedIssue> {
    let touches = move |there: Range| there.start.line <= range.end.line && range.start.line <= there.end.line;
    issues.iter().filter(move |placed| touches(placed.range))
}

struct Action {
    kind: CodeActionKind,
    offer: Offer,
    /// Added to the title.
    hint: String,
    /// The diagnostics that it resolves, of those in the request.
    diagnostics: Vec<Diagnostic>,
}

impl Action {
    fn new(kind: CodeActionKind, offer: Offer) -> Self {
        Self { kind, offer, hint: String::new(), diagnostics: Vec::new() }
    }

    fn to_proto(&self, client: ActionCapabilities) -> Option<CodeActionOrCommand> {
        let title = format!("{}{}", self.offer.action_title(), self.hint);
        let disabled = self.offer.disabled.as_ref();
        if !client.literals {
            return disabled.is_none().then(|| CodeActionOrCommand::Command(self.offer.command(title)));
        }
        if disabled.is_some() && !client.disabled {
            return None;
        }
        Some(CodeActionOrCommand::CodeAction(CodeAction {
            command: disabled.is_none().then(|| self.offer.command(title.clone())),
            title,
            kind: Some(self.kind.clone()),
            diagnostics: (!self.diagnostics.is_empty()).then(|| self.diagnostics.clone()),
            disabled: disabled.map(|reason| CodeActionDisabled { reason: reason.clone() }),
            ..CodeAction::default()
        }))
    }
}

fn on_issues(snapshot: &Snapshot, target: ActionTarget<'_>, context: &CodeActionContext) -> Vec<Action> {
    let touched: Vec<&PlacedIssue> = touched(target.issues, target.range).collect();
    let mut actions = Vec::new();
    for placed in &touched {
        let hint = match touched.as_slice() {
            [_] => String::new(),
            _ => format!(" ({})", plain(&placed.issue.description, LONGEST_HINT)),
        };
        let diagnostics: Vec<Diagnostic> =
            context.diagnostics.iter().filter(|diagnostic| is_of(diagnostic, placed)).cloned().collect();
        let one = |offer| Action {
            hint: hint.clone(),
            diagnostics: diagnostics.clone(),
            ..Action::new(CodeActionKind::QUICKFIX, offer)
        };
        let id = json!({ "id": placed.issue.id });
        let fix = Offer::new(snapshot, "Fix this issue", "baton.fixIssue", id.clone());
        if placed.phase == REVIEW {
            actions.push(one(fix.unless(placed.cannot_fix(snapshot))));
        }
        actions.push(one(Offer::new(snapshot, "Dismiss this issue", "baton.dismissIssue", id)));
        if placed.base.is_some() {
            continue;
        }
        let task = snapshot.memory.task_of(&placed.issue);
        let task = task.map_or(Value::Null, |task| json!({ "task": task.id }));
        actions.push(one(Offer::new(snapshot, "Open its task", "baton.openTask", task)));
    }
    // Directly after fixing one; issues of both reviews are not fixed together.
    let fix_all =
        [false, true].into_iter().filter_map(|is_of_base| fix_all(snapshot, target, context, &touched, is_of_base));
    let fix_all: Vec<Action> = fix_all.collect();
    actions.splice(actions.len().min(1)..actions.len().min(1), fix_all);
    actions
}

/// Fix all issues of the file that are of the same review as one of those that are touched.
fn fix_all(
    snapshot: &Snapshot,
    target: ActionTarget<'_>,
    context: &CodeActionContext,
    touched: &[&PlacedIssue],
    is_of_base: bool,
) -> Option<Action> {
    let is_meant = |placed: &&PlacedIssue| placed.phase == REVIEW && placed.base.is_some() == is_of_base;
    let first = touched.iter().copied().find(is_meant)?;
    // Those without a place are of no file.
    let meant: Vec<&PlacedIssue> =
        target.issues.iter().filter(is_meant).filter(|placed| placed.issue.is_placed()).collect();
    if meant.is_empty() {
        return None;
    }
    let ids: Vec<&str> = meant.iter().map(|placed| placed.issue.id.as_str()).collect();
    let fix = Offer::new(snapshot, "Fix all issues in this file", "baton.fixIssue", json!({ "ids": ids }));
    let is_of_file = |diagnostic: &&Diagnostic| meant.iter().any(|placed| is_of(diagnostic, placed));
    let diagnostics = context.diagnostics.iter().filter(is_of_file).cloned().collect();
    let hint = first.base.as_deref().map(|base| format!(" (review against {})", short_commit(base)));
    let all = Action::new(CodeActionKind::QUICKFIX, fix.unless(first.cannot_fix(snapshot)));
    Some(Action { diagnostics, hint: hint.unwrap_or_default(), ..all })
}

impl PlacedIssue {
    fn cannot_fix(&self, snapshot: &Snapshot) -> Option<String> {
        let no_place = || {
            let has_place = snapshot.memory.fixable_issues().any(|issue| issue.id == self.issue.id);
            (!has_place).then(|| "no place in the code was found for it, and it names no task".to_owned())
        };
        match (&self.base, self.issue.is_placed()) {
            (Some(_), _) => cannot_fix_of_base(snapshot),
            (None, true) => cannot_fix(snapshot),
            (None, false) => cannot_fix(snapshot).or_else(no_place),
        }
    }
}

/// Whether a diagnostic of the request is this issue's. Where the client does not return a diagnostic's data, code and line
/// decide.
fn is_of(diagnostic: &Diagnostic, placed: &PlacedIssue) -> bool {
    let code = format!("{}.{}", placed.phase, placed.issue.severity.as_str());
    if diagnostic.source.as_deref() != Some(DIAGNOSTIC_SOURCE) {
        return false;
    }
    let data = |field: &str| diagnostic.data.as_ref().and_then(|data| data[field].as_str());
    match data("id") {
        Some(id) => id == placed.issue.id && data("base") == placed.base.as_deref(),
        None => {
            diagnostic.code == Some(NumberOrString::String(code))
                && diagnostic.range.start.line == placed.range.start.line
        }
    }
}

/// Kinds are a hierarchy: `refactor` includes `refactor.rewrite`.
fn is_asked_for(kind: &CodeActionKind, context: &CodeActionContext) -> bool {
    let Some(only) = &context.only else { return true };
    only.iter().any(|asked| {
        let rest = kind.as_str().strip_prefix(asked.as_str());
        rest.is_some_and(|rest| asked.as_str().is_empty() || rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use tower_lsp::lsp_types::Position;

    use super::super::snapshot::fixture::{approve, issue, plan_text, report, review, snapshot};
    use super::*;
    use crate::lsp::commands::table;
    use crate::workflow::Next;

    const ALL: ActionCapabilities = ActionCapabilities { literals: true, disabled: true };
    const TEXT: &str = "one\ntwo // TODO: mend\nthree\n";

    fn lines(first: u32, last: u32) -> Range {
        Range { start: Position { line: first, character: 0 }, end: Position { line: last, character: 0 } }
    }

    fn reviewed() -> Snapshot {
        snapshot(Next::Merged, |memory| {
            approve(memory);
            report(memory, &["T1"]);
            let issues = [("i1", 1), ("i2", 3), ("i3", 3)].map(|(id, line)| issue(id, "src/lib.rs", line));
            review(memory, "merge", issues.to_vec());
        })
    }

    fn answers(
        snapshot: &Snapshot,
        range: Range,
        context: Value,
        client: ActionCapabilities,
    ) -> Vec<CodeActionOrCommand> {
        let file = RepoPath::parse("src/lib.rs").unwrap();
        let place_of = |issue: &Issue| PlacedIssue {
            phase: REVIEW,
            base: None,
            issue: issue.clone(),
            range: lines(issue.line - 1, issue.line - 1),
        };
        let issues: Vec<PlacedIssue> = snapshot.memory.open_issues().map(place_of).collect();
        let (text, encoding) = (Text::new(TEXT), Encoding::Utf16);
        let target = ActionTarget { file: &file, text: &text, issues: &issues, hunks: &[], range, encoding };
        code_actions(snapshot, target, &serde_json::from_value(context).unwrap(), client)
    }

    fn titles(answers: &[CodeActionOrCommand]) -> Vec<&str> {
        let title = |answer: &CodeActionOrCommand| match answer {
            CodeActionOrCommand::CodeAction(action) => action.title.clone(),
            CodeActionOrCommand::Command(command) => command.title.clone(),
        };
        answers.iter().map(title).map(|title| &*title.leak()).collect()
    }

    fn diagnostic(line: u32, data: Value) -> Value {
        json!({ "range": lines(line, line), "source": "baton", "code": "review.major", "message": "m", "data": data })
    }

    #[test]
    fn an_issue_is_fixed_alone_or_with_its_file_dismissed_or_looked_up() {
        let shown = json!([diagnostic(0, json!({ "id": "i1" })), diagnostic(0, json!({ "id": "other" }))]);
        let actions = answers(&reviewed(), lines(0, 0), json!({ "diagnostics": shown }), ALL);
        let expected = [
            ("Baton: fix this issue", "baton.fixIssue", json!({ "id": "i1" })),
            ("Baton: fix all issues in this file", "baton.fixIssue", json!({ "ids": ["i1", "i2", "i3"] })),
            ("Baton: dismiss this issue", "baton.dismissIssue", json!({ "id": "i1" })),
            ("Baton: open its task", "baton.openTask", json!({ "task": "T1" })),
        ];
        let expected = expected.map(|(title, command, argument)| {
            json!({
                "title": title, "kind": "quickfix", "diagnostics": [shown[0]],
                "command": { "title": title, "command": command, "arguments": [argument] }
            })
        });
        assert_eq!(json!(actions), json!(expected));
        for action in expected {
            let arguments = serde_json::from_value(action["command"]["arguments"].clone()).unwrap();
            table::parse(action["command"]["command"].as_str().unwrap(), arguments, &crate::workflow::fixture::phases)
                .expect("the server takes it");
        }
    }

    #[test]
    fn several_issues_of_a_line_are_distinguished() {
        let context = json!({ "diagnostics": [diagnostic(2, Value::Null)] });
        let actions = answers(&reviewed(), lines(2, 2), context, ALL);
        let expected = [
            "Baton: fix this issue (What i2 says.)",
            "Baton: fix all issues in this file",
            "Baton: dismiss this issue (What i2 says.)",
            "Baton: open its task (What i2 says.)",
            "Baton: fix this issue (What i3 says.)",
            "Baton: dismiss this issue (What i3 says.)",
            "Baton: open its task (What i3 says.)",
        ];
        assert_eq!(titles(&actions), expected);
        // A client that keeps no data still has its diagnostics resolved.
        assert_eq!(json!(actions)[0]["diagnostics"][0]["message"], "m");
    }

    #[test]
    fn while_a_run_is_at_work_a_fix_says_why_not_or_is_left_out() {
        let mut busy = reviewed();
        busy.active_run = Some("r1".to_owned());
        let context = json!({ "diagnostics": [] });
        let actions = answers(&busy, lines(0, 0), context.clone(), ALL);
        let reason = json!({ "reason": "run r1 is at work; wait for its end, or cancel it" });
        for (index, title) in ["Baton: fix this issue", "Baton: fix all issues in this file"].iter().enumerate() {
            assert_eq!(json!(actions)[index], json!({ "title": title, "kind": "quickfix", "disabled": reason }));
        }
        let left = ["Baton: dismiss this issue", "Baton: open its task"];
        assert_eq!(titles(&actions)[2..], left);
        let client = ActionCapabilities { literals: true, disabled: false };
        assert_eq!(titles(&answers(&busy, lines(0, 0), context.clone(), client)), left);
        assert_eq!(titles(&answers(&busy, lines(0, 0), context, ActionCapabilities::default())), left);
    }

    #[test]
    fn an_older_client_is_answered_with_commands() {
        let answers = answers(&reviewed(), lines(0, 0), json!({ "diagnostics": [] }), ActionCapabilities::default());
        let fix =
            json!({ "title": "Baton: fix this issue", "command": "baton.fixIssue", "arguments": [{ "id": "i1" }] });
        assert_eq!(json!(answers)[0], fix);
    }

    #[test]
    fn only_what_is_asked_for_is_answered() {
        let all = ["Baton: fix this issue", "Baton: fix all issues in this file", "Baton: dismiss this issue"];
        for (only, count, first) in [
            (json!(null), 5, all[0]),
            (json!([""]), 5, all[0]),
            (json!(["quickfix"]), 4, all[0]),
            (json!(["refactor"]), 1, "Baton: plan this"),
            (json!(["refactor.rewrite", "source"]), 1, "Baton: plan this"),
            (json!(["refactor.rewrite.more"]), 0, ""),
            (json!(["quick", "ref"]), 0, ""),
            (json!([]), 0, ""),
        ] {
            let context = json!({ "diagnostics": [], "only": only });
            let answers = answers(&reviewed(), lines(0, 1), context, ALL);
            assert_eq!(answers.len(), count, "{only}: {:?}", titles(&answers));
            assert_eq!(titles(&answers).first().copied().unwrap_or_default(), first, "{only}");
        }
    }

    #[test]
    fn every_lens_is_an_action_on_its_line() {
        let snapshot = snapshot(Next::Gate, |_| ());
        let file = RepoPath::parse(".agent_memory/plan.json").unwrap();
        let (text, encoding) = (Text::new(plan_text()), Encoding::Utf16);
        let context = CodeActionContext::default();
        let at = |line| {
            let target =
                ActionTarget { file: &file, text: &text, issues: &[], hunks: &[], range: lines(line, line), encoding };
            titles(&code_actions(&snapshot, target, &context, ALL)).join(", ")
        };
        assert_eq!(at(0), "Baton: approve plan (2 tasks), Baton: reject plan");
        let line = text.lines().position(|line| line.contains("\"id\": \"T1\"")).unwrap();
        assert_eq!(at(line as u32), "Baton: approve and run T1 only");
        assert_eq!(at(1), "");
    }
}
