//! Warnings about files in the memory folder that are not sealed by this user for this folder, and so count as absent; and
//! how a person takes over what was sealed before the project was moved.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::contracts::Approval;
use crate::memory::{LastAnswer, MemoryError, Origin, Resealed, RunId, Store, Uncounted, UncountedFrom};
use crate::text;

/// The warning where no key of the user's own can be kept.
const UNKEPT: &str = "Baton's state folder ($XDG_STATE_HOME/baton, else ~/.local/state/baton) cannot be written, so approvals, \
                      undo and what models answered hold for this process only. Make it writable.";

/// The warnings about the current workflow, one for each place in which something was sealed, with what to do. Empty where
/// all seals hold.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn unverified(store: &Store) -> Result<Vec<String>, MemoryError> {
    let unkept = (!store.seal().is_kept()).then(|| UNKEPT.to_owned());
    Ok(unkept.into_iter().chain(warnings(&store.uncounted()?)).collect())
}

/// What counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Unverified {
    /// As [`unverified`] answers.
    pub(crate) warnings: Vec<String>,
    /// Whether some of it was sealed before the project was moved, and can be taken over.
    pub(crate) is_moved: bool,
}

/// The same as [`unverified`], for use beside something more important: an error is logged.
pub(crate) fn unverified_or_log(store: &Store) -> Unverified {
    let unkept = (!store.seal().is_kept()).then(|| UNKEPT.to_owned());
    match store.uncounted() {
        Ok(found) => Unverified {
            warnings: unkept.into_iter().chain(warnings(&found)).collect(),
            is_moved: found.from.iter().any(|from| matches!(from.origin, Origin::Moved(_))),
        },
        Err(error) => {
            tracing::warn!(%error, "cannot tell what counts as absent");
            Unverified::default()
        }
    }
}

/// The same for these runs, of an earlier workflow.
pub(crate) fn unverified_of_or_log(store: &Store, runs: &[RunId]) -> Unverified {
    let found =
        store.uncounted_of(runs).inspect_err(|error| tracing::warn!(%error, "cannot tell what counts as absent"));
    Unverified { warnings: found.map(|found| warnings(&found)).unwrap_or_default(), is_moved: false }
}

/// What this user sealed in all workflows before the project was moved, one entry for each former place, which a person may
/// take over; and the warnings about the rest.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn moved_seals(store: &Store) -> Result<(Vec<UncountedFrom>, Vec<String>), MemoryError> {
    let mut found = store.uncounted_of_all()?;
    let is_moved = |from: &UncountedFrom| matches!(from.origin, Origin::Moved(_));
    let moved = found.from.iter().filter(|from| is_moved(from)).cloned().collect();
    found.from.retain(|from| !is_moved(from));
    Ok((moved, warnings(&found)))
}

/// Take over what was sealed at these paths, after a person has seen what [`moved_seals`] lists and has agreed.
///
/// # Errors
/// When a run is at work, or files cannot be written; calling it again continues where it stopped.
pub fn trust_moved(store: &Store, paths: &[PathBuf]) -> Result<Resealed, MemoryError> {
    let (lock, _) = store.lock(Timestamp::now())?;
    let mut all = Resealed::default();
    for path in paths {
        let done = store.reseal_from(path, &lock)?;
        all.approval |= done.approval;
        all.acceptance |= done.acceptance;
        all.journals += done.journals;
        all.lines += done.lines;
    }
    Ok(all)
}

fn warnings(found: &Uncounted) -> Vec<String> {
    let mut warnings: Vec<String> = found.from.iter().map(warning).collect();
    if let Some((number, last)) = found.old_answer {
        let number = number.map_or("an answer from before answers were numbered".to_owned(), |n| format!("answer {n}"));
        let last = match last {
            LastAnswer::Number(last) => format!("answer {last} was given after it"),
            LastAnswer::Uncounted | LastAnswer::Unknown => "which one was the last cannot be told any more".to_owned(),
        };
        warnings.push(format!(
            "approval.json holds {number}, which is not the last one given in this project ({last}), so it does not count. \
             Answer the plan again: `baton approve` or `baton reject`."
        ));
    }
    warnings
}

fn warning(from: &UncountedFrom) -> String {
    let what = what(from);
    let (Effects { now, again }, verb) = (effects(from), if is_one(from) { "counts" } else { "count" });
    match &from.origin {
        Origin::Moved(path) => format!(
            "This project was moved here from {}. {what} sealed there {verb} as absent here: {now}. `baton trust --moved` \
             shows what there is and takes it over.",
            path.display()
        ),
        Origin::Copied(path) => format!(
            "This folder is a copy of {}, which is still there. {what} sealed there {verb} as absent here: {now}. {again}",
            path.display()
        ),
        Origin::Same(path) => format!(
            "This folder is also {}. {what} sealed under that name {verb} as absent under this one: {now}. Work in it under \
             that name.",
            path.display()
        ),
        Origin::Unknown => format!(
            "{what} in the memory folder {verb} as absent: not sealed by you for this folder, but under another HOME, by \
             somebody else, or by no run of Baton. So {now}. {again}"
        ),
    }
}

fn is_one(from: &UncountedFrom) -> bool {
    usize::from(from.approval.is_some()) + usize::from(from.acceptance) + from.journals + from.transcripts == 1
}

/// What there is, as the beginning of a sentence.
fn what(from: &UncountedFrom) -> String {
    let mut parts = Vec::new();
    if let Some(Approval { decision, .. }) = &from.approval {
        let answer = match decision {
            crate::contracts::Decision::Approved => "approval",
            crate::contracts::Decision::Rejected => "rejection",
        };
        parts.push(format!("the {answer} of the plan"));
    }
    if from.acceptance {
        parts.push("the acceptance of the work as it is".to_owned());
    }
    match from.journals {
        0 => {}
        count => parts.push(text::count(count, "publish journal")),
    }
    match from.transcripts {
        0 => {}
        1 => parts.push("the transcript of a run".to_owned()),
        count => parts.push(format!("the transcripts of {count} runs")),
    }
    let list = match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => parts.concat(),
    };
    let mut chars = list.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

struct Effects {
    now: String,
    again: &'static str,
}

fn effects(from: &UncountedFrom) -> Effects {
    let mut now = Vec::new();
    if from.approval.is_some() {
        now.push("the plan waits for an answer");
    }
    if from.acceptance {
        now.push("what the review asks for is open again");
    }
    if from.journals > 0 {
        now.push("`baton diff` and `baton rollback` know nothing of those changes");
    }
    if from.transcripts > 0 {
        now.push("what models answered there is asked again, and not counted as spent");
    }
    let again = if from.approval.is_some() {
        "Read the plan, then answer it here: `baton approve` or `baton reject`."
    } else {
        "`baton run` goes on with what counts."
    };
    Effects { now: now.join("; "), again }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: Origin, journals: usize, transcripts: usize) -> UncountedFrom {
        UncountedFrom { origin, approval: None, acceptance: false, journals, transcripts }
    }

    #[test]
    fn an_acceptance_that_does_not_count_is_named_with_what_follows() {
        let found = Uncounted {
            from: vec![UncountedFrom { acceptance: true, ..from(Origin::Unknown, 0, 0) }],
            old_answer: None,
        };
        let expected = "The acceptance of the work as it is in the memory folder counts as absent: not sealed by you for this \
                        folder, but under another HOME, by somebody else, or by no run of Baton. So what the review asks \
                        for is open again. `baton run` goes on with what counts.";
        assert_eq!(super::warnings(&found), [expected]);
    }

    #[test]
    fn each_origin_says_what_is_absent_what_follows_and_what_to_do() {
        let found = Uncounted {
            from: vec![
                from(Origin::Moved("/old".into()), 2, 1),
                from(Origin::Copied("/old".into()), 1, 0),
                from(Origin::Same("/old".into()), 0, 2),
                from(Origin::Unknown, 0, 1),
            ],
            old_answer: Some((Some(2), LastAnswer::Number(4))),
        };
        let warnings = super::warnings(&found);
        assert_eq!(
            warnings[0],
            "This project was moved here from /old. 2 publish journals and the transcript of a run sealed there count as \
             absent here: `baton diff` and `baton rollback` know nothing of those changes; what models answered there is \
             asked again, and not counted as spent. `baton trust --moved` shows what there is and takes it over."
        );
        assert!(
            warnings[1].starts_with(
                "This folder is a copy of /old, which is still there. 1 publish journal sealed there counts"
            )
        );
        assert!(warnings[2].contains("The transcripts of 2 runs sealed under that name count"), "{}", warnings[2]);
        assert!(
            warnings[3].starts_with("The transcript of a run in the memory folder counts as absent"),
            "{}",
            warnings[3]
        );
        assert!(
            warnings[4].contains("holds answer 2") && warnings[4].contains("answer 4 was given after it"),
            "{}",
            warnings[4]
        );
    }
}
