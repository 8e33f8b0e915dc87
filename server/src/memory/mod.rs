//! `.agent_memory/`: the handoffs, the lock, what was set aside, and each run's journals.
//!
//! Everything here is written durably (temporary file, fsync, rename, fsync of the folder) and nothing in it is
//! trusted: a memory folder may come with a clone, so approvals, publish journals and transcripts count only when their
//! message authentication code verifies under the user's own key.
//!
//! Invariants: the files are the state, and nothing is cached beside them; an unreadable file is a fault with its position,
//! never a guess. Deliberately absent: what comes next (`workflow` decides), and any write outside this folder but the
//! user's own key, answer numbers and trusted checks (`seal`, `answers`, `check_trust`).

#![expect(
    clippy::disallowed_methods,
    reason = "the key and the record of answers stand in the state folder of the user, outside every workspace"
)]

mod answers;
mod check_trust;
mod error;
mod files;
mod folder;
mod hex;
mod history;
mod journal;
mod kept;
mod lock;
mod outbox;
mod plan_lock;
mod platform;
mod rules;
mod run_id;
mod seal;
mod store;
mod task_text;
mod tells;
mod transcript;

pub use answers::LastAnswer;
pub use check_trust::{CheckTrust, TrustedCheck};
pub use error::{FileFaults, MemoryError};
pub use files::{PLAN_MARKDOWN, QUICK_MARK, TASK};
pub use folder::{check_folder, is_memory_folder};
pub use history::SetAside;
pub use journal::{EventLog, RunHistory, TranscriptLine, TranscriptRead, request_digest};
pub use lock::{LockHolder, RunLock};
pub use outbox::{Outbox, OutboxEvent, lacks_events};
pub use plan_lock::PlanLock;
pub use run_id::RunId;
pub use seal::{PUBLISH, Seal};
pub use store::{
    CheckedFiles, FaultyPlan, KnownWorkflow, LoadedPlan, Memory, Origin, PreviousPlan, Resealed, Revision, RunDir,
    SetAsideEnd, Store, Uncounted, UncountedFrom,
};
pub use task_text::{decode as decode_text, is_same_task, tidied};
pub use tells::{Tells, Told};
pub use transcript::Transcript;
