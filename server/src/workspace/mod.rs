//! The files beneath the root: reading them, staging and publishing changes to them, what may not be touched, diffs.
//!
//! Every access goes through a directory handle on the root, so that no link leads out of it. What a task writes is
//! kept in [`Staging`] and reaches the working tree by [`publish()`], all or nothing.
//!
//! Invariants: a path from outside is a `RepoPath` and is checked by `protect` before it is read or written; files that
//! no request names (handoffs, journals) are opened by `bounded`; the working tree is written by `publish` alone, but for settings that a person has us change (`own_file`). No
//! two files here import each other.
//!
//! Deliberately absent: models, phases and tools; any cache of file contents; any write to the user's git index.

#![expect(clippy::disallowed_methods, reason = "this room opens files for all others")]

mod access;
mod beneath;
mod bounded;
mod buffers;
mod cache_file;
mod detected_checks;
mod diff;
mod durable;
mod enclosing;
mod error;
mod excerpt;
mod file_state;
mod found;
mod git;
mod globs;
mod hunk_heading;
mod hunks;
mod identity;
mod ignored;
mod interrupt;
mod job_folders;
mod lines;
mod merge;
mod names;
mod opened;
mod own_file;
mod ownership;
mod path_state;
mod platform;
mod protect;
mod publish;
mod renames;
mod rollback;
mod root;
mod sample;
mod sandbox;
mod staging;
mod stamp;
mod text_file;
mod tree;
mod unsaved;
mod upwards;
mod user_command;
mod walk;
mod watch;
mod written_since;

pub use access::{Refused, readable, readable_in_the_past};
pub use bounded::{LineEnd, Lines, ReadFault, find_folder, open_regular, read_bounded, read_to_limit};
pub use buffers::{Buffer, Buffers, OpenBuffers, matches_disk};
pub use cache_file::CacheFile;
pub use cap_std::fs::Dir;
pub use detected_checks::{DetectedCheck, detected_checks};
pub use diff::{changed_lines, counts, unified};
pub use durable::{append_line, open_append, replace, replace_if, sweep, sync_folder};
pub use enclosing::enclosing_definitions;
pub use error::WorkspaceError;
pub use excerpt::Excerpt;
pub use file_state::{FileState, MAX_FILE_BYTES, sha256};
pub use git::{
    Base, BaseDiff, BaseError, BaseFile, Checkpoint, CheckpointError, Commits, Committed, Head, HistoryError,
    LoggedCommit, PassedOver, PastError, PastFile, RepositoryState, Unreadable, checkpoint, commits_of, diff_with,
    file_at, find_base, head, head_file, library_version, remove_checkpoints, repository, sweep_locks,
};
pub use globs::{BadGlobs, Globs};
pub use hunks::{LineHunk, byte_lines, changed_except, line_hunks, without_hunks};
pub use identity::{Identity, identity};
pub use interrupt::{Interrupt, Interrupted};
pub use job_folders::{JobFolder, JobFolders};
pub use opened::read_as_editor;
pub use own_file::OwnFileError;
pub use ownership::Owner;
pub use path_state::read_exact;
pub use protect::{
    GitFolders, Kind, Protection, Row, TABLE, flag, in_git_folder, is_flagged, is_secret, is_secret_text, masked,
    masks, opaque, protection, secret_spans, unified_masked, unmasks,
};
pub use publish::{
    FinishedTask, PublishError, PublishRecord, PublishState, Published, PublishedFile, RecoverError, Recovered,
    RecoveredTask, Reversal, ReversalKind, TakenBack, UndoneHunk, publish, publish_reversal, records, recover, reseal,
};
pub use renames::{Compared, Rename, change_summaries, diffs, renames};
pub use rollback::{Edit, Image, TakeBack, blocked, remove_empty_folder, take_back};
pub use root::Workspace;
pub use sample::{SAMPLE_TASK, SampleError, prepare_sample, sample_repository};
#[cfg(target_os = "linux")]
pub use sandbox::sandbox_stage;
pub use sandbox::{Ended, Job, Place, Ran, Sandbox, SandboxWish, Traces, TreeState, ViewEdit};
pub use staging::take_over::{Returned, TakeOver};
pub use staging::{StagedChange, Staging, StagingError, Writable};
pub use stamp::Stamp;
pub use text_file::{CannotEncode, NotText, TextFile, text_of};
pub use tree::{
    BlobCache, BlobError, BlobStore, Keys, Manifest, ManifestError, Pack, PackError, Packs, PlaceError, Sent, Tree,
    TreeEntry, TreeError, unpack,
};
pub use upwards::{Mark, mark};
pub use user_command::{UserCommand, UserCommandError, run_user_command};
pub use walk::{Listing, Walk, WalkError, by_folder, files, files_until, is_ignored, visit_files};
pub use watch::Watch;

#[cfg(test)]
pub(crate) mod fixture;
