//! What a person can do with one change of the agents: keep it, undo it, see the task that it belongs to.
//!
//! The lines of the hunks in a document are kept from one request to the next ([`placed`], [`cache`]): code actions are
//! requested at every move of the cursor.

pub(crate) mod cache;
mod load;
pub(crate) mod placed;

use std::ops::RangeInclusive;

use serde_json::{Value, json};

pub(crate) use self::load::load;
use self::placed::PlacedHunk;
use super::lenses::Lens;
use super::offer::Offer;
use super::snapshot::Snapshot;
use crate::contracts::RepoPath;
use crate::text::count;

/// The offers for the changes of agents on some lines of a file, counted from 0. For several there is one to keep and one to
/// undo them all.
pub(crate) fn on_lines(
    snapshot: &Snapshot,
    file: &RepoPath,
    hunks: &[PlacedHunk],
    lines: &RangeInclusive<usize>,
) -> Vec<Offer> {
    let touched = hunks.iter().filter(|hunk| hunk.first <= *lines.end() && *lines.start() <= hunk.last);
    let touched: Vec<&PlacedHunk> = touched.filter(|hunk| hunk.task.is_some()).collect();
    let open: Vec<&PlacedHunk> = touched.iter().copied().filter(|hunk| !hunk.kept).collect();
    let mut offers = Vec::new();
    if !open.is_empty() {
        offers.push(keep(snapshot, file, &open, format!("Keep {}", these(open.len()))));
    }
    if !touched.is_empty() {
        // What is kept is undone only where that is all there is.
        let meant = if open.is_empty() { &touched } else { &open };
        let title = format!("Undo {}", these(meant.len()));
        offers.push(undo(snapshot, file, meant, title).unless(snapshot.busy()));
    }
    offers.extend(tasks_of(&touched).into_iter().map(|task| why(snapshot, task)));
    offers
}

/// The lenses above each change of agents that is not kept yet. What cannot be done now has none.
pub(crate) fn lenses(snapshot: &Snapshot, file: &RepoPath, hunks: &[PlacedHunk]) -> Vec<Lens> {
    let of_hunk = |hunk: &PlacedHunk| -> Vec<Lens> {
        let Some(task) = hunk.task.as_deref().filter(|_| !hunk.kept) else { return Vec::new() };
        let keep = keep(snapshot, file, &[hunk], "Keep".to_owned());
        let undo = snapshot.busy().is_none().then(|| undo(snapshot, file, &[hunk], "Undo".to_owned()));
        let offers = [Some(keep), undo, Some(why(snapshot, task))].into_iter().flatten();
        offers.map(|offer| Lens { line: hunk.first, offer }).collect()
    };
    hunks.iter().flat_map(of_hunk).collect()
}

/// `this change`, `3 changes`
fn these(changes: usize) -> String {
    if changes == 1 { "this change".to_owned() } else { count(changes, "change") }
}

fn keep(snapshot: &Snapshot, file: &RepoPath, hunks: &[&PlacedHunk], title: String) -> Offer {
    Offer::new(snapshot, title, "baton.keep", json!({ "file": file, "hunk": ids(hunks) }))
}

fn undo(snapshot: &Snapshot, file: &RepoPath, hunks: &[&PlacedHunk], title: String) -> Offer {
    Offer::new(snapshot, title, "baton.rollback", json!({ "file": file, "hunk": ids(hunks) }))
}

fn why(snapshot: &Snapshot, task: &str) -> Offer {
    Offer::new(snapshot, format!("Why ({task})"), "baton.openTask", json!({ "task": task }))
}

/// One id, or a list of several.
fn ids(hunks: &[&PlacedHunk]) -> Value {
    match hunks {
        [hunk] => json!(hunk.id),
        hunks => hunks.iter().map(|hunk| hunk.id.as_str()).collect(),
    }
}

/// Each task once, in the order of the lines.
fn tasks_of<'a>(hunks: &[&'a PlacedHunk]) -> Vec<&'a str> {
    let mut tasks: Vec<&str> = Vec::new();
    for task in hunks.iter().filter_map(|hunk| hunk.task.as_deref()) {
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::fixture::snapshot;
    use super::*;
    use crate::lsp::commands::table;
    use crate::workflow::Next;

    fn hunk(id: &str, task: Option<&str>, lines: (usize, usize), kept: bool) -> PlacedHunk {
        PlacedHunk { id: id.to_owned(), task: task.map(str::to_owned), first: lines.0, last: lines.1, kept }
    }

    fn hunks() -> Vec<PlacedHunk> {
        vec![
            hunk("a1", Some("T1"), (2, 4), false),
            hunk("b2", None, (6, 6), false),
            hunk("c3", Some("T2"), (8, 8), true),
            hunk("d4", Some("T2"), (10, 12), false),
        ]
    }

    fn shown(offer: &Offer) -> String {
        let command = offer.command(offer.action_title());
        let arguments = command.arguments.unwrap_or_default();
        table::parse(&command.command, arguments.clone(), &crate::workflow::fixture::phases)
            .expect("a call the server takes");
        let argument = arguments.first().map(Value::to_string).unwrap_or_default();
        format!("{} -> {} {argument}", command.title, command.command)
    }

    fn on(snapshot: &Snapshot, lines: RangeInclusive<usize>) -> Vec<String> {
        let file = RepoPath::parse("src/a.rs").unwrap();
        on_lines(snapshot, &file, &hunks(), &lines).iter().map(shown).collect()
    }

    #[test]
    fn a_change_is_kept_undone_and_explained_on_its_lines_alone() {
        let idle = snapshot(Next::Merged, |_| ());
        let first = [
            r#"Baton: keep this change -> baton.keep {"file":"src/a.rs","hunk":"a1"}"#,
            r#"Baton: undo this change -> baton.rollback {"file":"src/a.rs","hunk":"a1"}"#,
            r#"Baton: why (T1) -> baton.openTask {"task":"T1"}"#,
        ];
        for line in 2..=4 {
            assert_eq!(on(&idle, line..=line), first);
        }
        for line in [0, 1, 5, 7, 9, 13] {
            assert_eq!(on(&idle, line..=line), Vec::<String>::new(), "{line}");
        }
        assert_eq!(on(&idle, 6..=6), Vec::<String>::new(), "a person's own change is no business of ours");
        assert_eq!(on(&idle, 8..=8)[0], r#"Baton: undo this change -> baton.rollback {"file":"src/a.rs","hunk":"c3"}"#);
    }

    #[test]
    fn several_changes_are_kept_and_undone_together() {
        let idle = snapshot(Next::Merged, |_| ());
        let all = [
            r#"Baton: keep 2 changes -> baton.keep {"file":"src/a.rs","hunk":["a1","d4"]}"#,
            r#"Baton: undo 2 changes -> baton.rollback {"file":"src/a.rs","hunk":["a1","d4"]}"#,
            r#"Baton: why (T1) -> baton.openTask {"task":"T1"}"#,
            r#"Baton: why (T2) -> baton.openTask {"task":"T2"}"#,
        ];
        assert_eq!(on(&idle, 0..=20), all, "what was kept is left out");
    }

    #[test]
    fn nothing_is_undone_while_a_run_is_at_work() {
        let mut busy = snapshot(Next::Merged, |_| ());
        busy.active_run = Some("r1".to_owned());
        let file = RepoPath::parse("src/a.rs").unwrap();
        let offers = on_lines(&busy, &file, &hunks(), &(2..=2));
        let disabled: Vec<bool> = offers.iter().map(|offer| offer.disabled.is_some()).collect();
        assert_eq!(disabled, [false, true, false]);
        let titles = |snapshot: &Snapshot| -> Vec<String> {
            let lenses = lenses(snapshot, &file, &hunks());
            lenses.iter().map(|lens| format!("{}: {}", lens.line, lens.offer.title)).collect()
        };
        assert_eq!(titles(&busy), ["2: Keep", "2: Why (T1)", "10: Keep", "10: Why (T2)"]);
        busy.active_run = None;
        assert_eq!(titles(&busy), ["2: Keep", "2: Undo", "2: Why (T1)", "10: Keep", "10: Undo", "10: Why (T2)"]);
    }
}
