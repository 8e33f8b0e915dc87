//! Undoes the changes to a file and keeps everything the user has changed since.

use super::merge::{self, merge};
use super::path_state::{PathState, blocking_path, path_state};
use super::{FileState, Owner, StagedChange, Workspace, beneath, sha256};
use crate::contracts::{ChangeType, RepoPath};

/// What one or several consecutive publishes did to a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The file before; `None` when it did not exist.
    pub before: Option<Image>,
    /// The file after; `None` when it was deleted.
    pub after: Option<Image>,
}

/// A file at one moment, as far as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its bytes, or why they are not available.
    pub bytes: Result<Vec<u8>, String>,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner, if known.
    pub owner: Option<Owner>,
}

/// The result of undoing the changes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakeBack {
    /// Nothing to do.
    Unchanged,
    /// It has not been edited since: the old content is restored.
    Restore(StagedChange),
    /// It was edited since: the edits are kept and the rest is undone.
    Merge(StagedChange),
    /// The edits cannot be separated from the changes.
    LeaveAlone {
        /// Why, for people.
        why: String,
    },
}

/// Computes the change to a file that undoes these edits, newest first, and keeps everything else.
pub fn take_back(workspace: &Workspace, path: &RepoPath, edits: &[Edit]) -> TakeBack {
    let leave = |why: &str| TakeBack::LeaveAlone { why: why.to_owned() };
    let before = match path_state(workspace, path) {
        Ok(PathState::File(state)) => Some(state),
        Ok(PathState::Other(error)) => return leave(&error.to_string()),
        // Whether the path is free depends on all changes together: see `blocked`.
        Ok(PathState::Nothing | PathState::OtherName(_) | PathState::Folder | PathState::BelowFile(_)) => None,
        Err(error) => return leave(&error.to_string()),
    };
    let mut now = Current {
        bytes: before.as_ref().map(|state| state.bytes.clone()),
        mode: before.as_ref().map_or(0o644, |state| state.mode),
        owner: before.as_ref().and_then(|state| state.owner),
        merged: false,
    };
    for edit in edits {
        if let Err(why) = now.without(edit) {
            return TakeBack::LeaveAlone { why };
        }
    }
    match now.change_from(path, before) {
        TakeBack::Restore(_) | TakeBack::Merge(_) if workspace.is_unsaved(path) => {
            leave("it is open with unsaved changes; save it first")
        }
        taken_back => taken_back,
    }
}

/// The files that are to be created and whose path is blocked, even after these changes remove files, each with a
/// description of what is there.
pub fn blocked(workspace: &Workspace, changes: &[StagedChange]) -> Vec<(RepoPath, String)> {
    let is_removed = |path: &RepoPath| changes.iter().any(|change| change.after.is_none() && change.path == *path);
    let made = changes.iter().filter(|change| change.before.is_none() && change.after.is_some());
    let why = |change: &StagedChange| match blocking_path(workspace, &change.path, &is_removed) {
        Ok(None) => None,
        Ok(Some(what)) => Some(format!("{what} stands in its place now")),
        Err(error) => Some(error.to_string()),
    };
    made.filter_map(|change| Some((change.path.clone(), why(change)?))).collect()
}

/// Removes a folder if it is empty; returns whether it was removed.
pub fn remove_empty_folder(workspace: &Workspace, folder: &RepoPath) -> bool {
    beneath::open_parent(workspace.dir(), folder).is_ok_and(|parent| parent.remove_dir(folder.file_name()).is_ok())
}

/// The file after the edits undone so far.
struct Current {
    bytes: Option<Vec<u8>>,
    mode: u32,
    owner: Option<Owner>,
    merged: bool,
}

impl Current {
    fn without(&mut self, edit: &Edit) -> Result<(), String> {
        let hash = self.bytes.as_deref().map(sha256);
        let is = |image: &Option<Image>| hash.as_deref() == image.as_ref().map(|image| image.sha256.as_str());
        let bytes = if is(&edit.after) {
            bytes_of(&edit.before)?.map(<[u8]>::to_vec)
        } else if is(&edit.before) {
            return Ok(());
        } else {
            match (&self.bytes, &edit.before, &edit.after) {
                (Some(ours), Some(_), Some(_)) => {
                    let (base, theirs) = (bytes_of(&edit.after)?, bytes_of(&edit.before)?);
                    let merged = merge(base.unwrap_or_default(), ours, theirs.unwrap_or_default());
                    self.merged = true;
                    Some(merged.map_err(merge_failure)?)
                }
                (Some(_), None, _) => return Err("you have edited it since it was created".to_owned()),
                (Some(_), Some(_), None) => return Err("you have made it again since it was deleted".to_owned()),
                (None, ..) => return Err("you have deleted it since".to_owned()),
            }
        };
        // The user may have changed the permission bits too.
        if let Some(before) = &edit.before
            && edit.after.as_ref().is_none_or(|after| after.mode == self.mode)
        {
            self.mode = before.mode;
        }
        // An existing file keeps its owner; a restored one gets its old owner.
        if let (None, Some(before)) = (&self.bytes, &edit.before) {
            self.owner = before.owner;
        }
        self.bytes = bytes;
        Ok(())
    }

    fn change_from(self, path: &RepoPath, before: Option<FileState>) -> TakeBack {
        let change_type = match (&before, &self.bytes) {
            (None, None) => return TakeBack::Unchanged,
            (Some(before), Some(after)) if before.bytes == *after && before.mode == self.mode => {
                return TakeBack::Unchanged;
            }
            (None, Some(_)) => ChangeType::Created,
            (Some(_), Some(_)) => ChangeType::Modified,
            (Some(_), None) => ChangeType::Deleted,
        };
        let Self { bytes: after, mode, owner, .. } = self;
        let change = StagedChange { path: path.clone(), change_type, before, after, mode, owner, moved_from: None };
        if self.merged { TakeBack::Merge(change) } else { TakeBack::Restore(change) }
    }
}

fn bytes_of(image: &Option<Image>) -> Result<Option<&[u8]>, String> {
    match image {
        None => Ok(None),
        Some(Image { bytes: Ok(bytes), .. }) => Ok(Some(bytes)),
        Some(Image { bytes: Err(why), .. }) => Err(why.clone()),
    }
}

fn merge_failure(error: merge::CannotMerge) -> String {
    match error {
        merge::CannotMerge::Conflict => "your edits since touch the same lines".to_owned(),
        merge::CannotMerge::NotText => "you have changed it since, and it is no text".to_owned(),
        merge::CannotMerge::Failed(why) => format!("it cannot be merged with your edits: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::OpenBuffers;
    use super::super::fixture::{Fixture, Opened, path};
    use super::*;

    fn image(text: &str) -> Option<Image> {
        Some(Image { sha256: sha256(text.as_bytes()), bytes: Ok(text.as_bytes().to_vec()), mode: 0o644, owner: None })
    }

    fn edit(before: &str, after: &str) -> Edit {
        Edit { before: image(before), after: image(after) }
    }

    /// What `a.txt` with this text comes to, in one line; `-` is no file.
    fn outcome(now: &str, edits: &[Edit]) -> String {
        let fixture = Fixture::new("//- /other.txt\n");
        if now != "-" {
            fixture.write("a.txt", now.as_bytes());
        }
        match take_back(&fixture.workspace(), &path("a.txt"), edits) {
            TakeBack::Unchanged => "unchanged".to_owned(),
            TakeBack::Restore(change) => {
                format!("restore {:?}", change.after.map(|bytes| String::from_utf8(bytes).unwrap()))
            }
            TakeBack::Merge(change) => {
                format!("merge {:?}", change.after.map(|bytes| String::from_utf8(bytes).unwrap()))
            }
            TakeBack::LeaveAlone { why } => why,
        }
    }

    #[test]
    fn a_file_that_did_not_change_since_is_restored() {
        assert_eq!(outcome("new\n", &[edit("old\n", "new\n")]), r#"restore Some("old\n")"#);
        assert_eq!(outcome("new\n", &[Edit { before: None, after: image("new\n") }]), "restore None");
        assert_eq!(outcome("-", &[Edit { before: image("old\n"), after: None }]), r#"restore Some("old\n")"#);
        assert_eq!(outcome("3\n", &[edit("2\n", "3\n"), edit("1\n", "2\n")]), r#"restore Some("1\n")"#);
    }

    #[test]
    fn a_file_that_is_as_it_was_stays() {
        assert_eq!(outcome("old\n", &[edit("old\n", "new\n")]), "unchanged");
        assert_eq!(outcome("-", &[Edit { before: None, after: image("new\n") }]), "unchanged");
        assert_eq!(outcome("old\n", &[Edit { before: image("old\n"), after: None }]), "unchanged");
    }

    #[test]
    fn edits_made_since_are_kept() {
        let edits = [edit("1\n2\n3\n4\n", "1\n2\n3\nfour\n")];
        assert_eq!(outcome("one\n2\n3\nfour\n", &edits), r#"merge Some("one\n2\n3\n4\n")"#);
        // Between two publishes the user added a line; undoing both keeps it.
        let edits =
            [edit("mine\n1\n2\n3\nfour\n", "mine\n1\n2\nthree\nfour\n"), edit("1\n2\n3\n4\n", "1\n2\n3\nfour\n")];
        assert_eq!(outcome("mine\n1\n2\nthree\nfour\n", &edits), r#"merge Some("mine\n1\n2\n3\n4\n")"#);
    }

    #[test]
    fn what_cannot_be_attributed_is_left_as_it_is() {
        for (now, edit, why) in [
            ("1\nmine\n", edit("1\n2\n", "1\ntwo\n"), "same lines"),
            ("-", edit("1\n", "2\n"), "deleted"),
            ("mine\n", Edit { before: None, after: image("new\n") }, "since it was created"),
            ("mine\n", Edit { before: image("old\n"), after: None }, "made it again"),
            ("a\0mine", edit("a\0old", "a\0new"), "no text"),
        ] {
            let said = outcome(now, &[edit]);
            assert!(said.contains(why), "{said}");
        }
        let lost = Image { bytes: Err("the copy is damaged".to_owned()), ..image("old\n").unwrap() };
        assert_eq!(outcome("new\n", &[Edit { before: Some(lost), after: image("new\n") }]), "the copy is damaged");
    }

    #[cfg(unix)]
    #[test]
    fn permission_bits_come_back_unless_they_were_changed_since() {
        let fixture = Fixture::new("//- /a.txt\nnew\n");
        let script = Image { mode: 0o755, ..image("old\n").unwrap() };
        let edits = [Edit { before: Some(script), after: image("new\n") }];
        let mode = || match take_back(&fixture.workspace(), &path("a.txt"), &edits) {
            TakeBack::Restore(change) => change.mode,
            other => panic!("{other:?}"),
        };
        fixture.set_mode("a.txt", 0o644);
        assert_eq!(mode(), 0o755);
        fixture.set_mode("a.txt", 0o600);
        assert_eq!(mode(), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_left_alone() {
        let fixture = Fixture::new("//- /other.txt\nnew\n");
        fixture.link("other.txt", "a.txt");
        let outcome = take_back(&fixture.workspace(), &path("a.txt"), &[edit("old\n", "new\n")]);
        assert!(matches!(outcome, TakeBack::LeaveAlone { .. }), "{outcome:?}");
    }

    #[test]
    fn only_an_empty_folder_goes() {
        let fixture = Fixture::new("//- /full/a.txt\n");
        std::fs::create_dir(fixture.root().join("empty")).unwrap();
        assert!(remove_empty_folder(&fixture.workspace(), &path("empty")));
        assert!(!remove_empty_folder(&fixture.workspace(), &path("full")));
        assert_eq!(fixture.names(""), ["full"]);
    }

    #[test]
    fn a_document_with_unsaved_changes_is_left_alone() {
        let fixture = Fixture::new("//- /a.txt\nnew\n");
        let editor = Arc::new(Opened::default());
        let workspace = fixture.workspace().with_buffers(OpenBuffers::new(editor.clone()));
        let edits = [edit("old\n", "new\n")];
        editor.set("a.txt", "new, and mine\n", true);
        let TakeBack::LeaveAlone { why } = take_back(&workspace, &path("a.txt"), &edits) else {
            panic!("not left alone")
        };
        assert!(why.contains("unsaved changes; save it"), "{why}");
        editor.set("a.txt", "new\n", true);
        assert!(matches!(take_back(&workspace, &path("a.txt"), &edits), TakeBack::Restore(_)));
    }
}
