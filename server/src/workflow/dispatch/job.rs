//! What coordinator and workers write to each other: a job, and the entries of its log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::agents::{Activity, Limits, PortableBrief, PortableError, SubmitTry};
use crate::contracts::RepoPath;
use crate::memory::TranscriptLine;
use crate::models::{self, Tier};

/// The version of what is written here. A job of another one is refused.
pub(super) const PROTOCOL: u32 = 1;

/// One attempt at a conversation, as it lies in the queue. Its log holds the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Job {
    /// The version of the protocol.
    pub(super) protocol: u32,
    /// The id of the workflow.
    pub(super) workflow: String,
    /// The conversation: the name of its log.
    pub(super) job: String,
    /// The round, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) round: Option<u32>,
    /// The phase.
    pub(super) phase: String,
    /// The task, where it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<String>,
    /// Its number among those of the conversation, from 1.
    pub(super) attempt: u32,
    /// SHA-256 of the plan, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan_sha256: Option<String>,
    /// The manifest of the tree, by its SHA-256; `None` where no file is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tree: Option<String>,
    /// What this attempt may spend.
    pub(super) budget: Limits,
}

impl Job {
    /// What it is about, for people: `implement/T1`, `plan`.
    pub(super) fn words(&self) -> String {
        match &self.task {
            Some(task) => format!("{}/{task}", self.phase),
            None => self.phase.clone(),
        }
    }
}

/// All that a worker needs besides the tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Work {
    /// The id of the run.
    pub(super) run: String,
    /// The memory folder, which no tool looks into.
    pub(super) memory_dir: RepoPath,
    /// The conversation.
    pub(super) brief: PortableBrief,
    /// Whether the agent is asked once, and not driven until it hands on.
    pub(super) is_asked_once: bool,
    /// The files that the agent counts as having read.
    pub(super) read: Vec<RepoPath>,
    /// The edits that were made before.
    pub(super) edits: Vec<ReturnedFile>,
    /// Turns that the coordinator knows of from elsewhere.
    pub(super) recorded: Vec<TranscriptLine>,
}

/// What became of a file. The content is stored under its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReturnedFile {
    /// The file.
    pub(super) path: RepoPath,
    /// SHA-256 of what it was made of; `None` where there was none.
    pub(super) base: Option<String>,
    /// SHA-256 of what it is to be; `None`: deleted.
    pub(super) after: Option<String>,
    /// Its old name, where it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moved_from: Option<RepoPath>,
}

/// One entry of a job's log. The log is what happened: who reads it from the beginning knows where the conversation stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Entry {
    /// By the coordinator, first: what is to be done.
    Opened {
        /// The work.
        work: Box<Work>,
    },
    /// By the coordinator: an attempt lies in the queue, or will at once.
    Offered {
        /// The attempt.
        job: Job,
    },
    /// By a worker: it has the attempt from here on. The sequence of this entry is its claim.
    Claimed {
        /// The attempt.
        attempt: u32,
        /// Where the job lay in the queue.
        queued: u64,
        /// The worker's name.
        worker: String,
        /// The version of its program.
        version: String,
    },
    /// By the worker with this claim: a line of the transcript, before it acts on it.
    Turn {
        /// The claim.
        claim: u64,
        /// The line.
        line: Box<TranscriptLine>,
    },
    /// By the worker with this claim: what the agent submits.
    Submitted {
        /// The claim.
        claim: u64,
        /// The submission.
        submission: Box<Submission>,
    },
    /// By the coordinator: what was found wrong with the last submission; nothing: it is taken, and the conversation is over.
    Judged {
        /// For the model.
        faults: Vec<String>,
    },
    /// By the worker with this claim: the conversation came to its own end without anything that was taken.
    Ended {
        /// The claim.
        claim: u64,
        /// Why.
        error: PortableError,
    },
    /// By the worker with this claim: somebody else is to go on.
    GivenBack {
        /// The claim.
        claim: u64,
        /// Why.
        why: String,
        /// Whether what it needs of the tree is not at the broker, or is not what was sent.
        #[serde(default)]
        tree_is_lost: bool,
    },
    /// By a worker that cannot take the attempt.
    Refused {
        /// The worker's name.
        worker: String,
        /// Why.
        why: String,
    },
    /// By the coordinator: the user tells the agent something.
    Told {
        /// Names it.
        id: String,
        /// The words.
        text: String,
    },
    /// By the coordinator: the attempt is not to go on.
    Cancelled,
}

/// What an agent submits, with what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Submission {
    /// What it says.
    pub(super) input: Value,
    /// Which try it is.
    pub(super) submit_try: SubmitTry,
    /// Its edits.
    pub(super) files: Vec<ReturnedFile>,
    /// Files that it was refused to write.
    pub(super) refused: Vec<RepoPath>,
    /// How its tries of checks ended: the check, and whether it failed.
    pub(super) tries: Vec<(String, bool)>,
}

/// What coordinator and worker tell each other of a job at work; what is lost of it is not missed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Signal {
    /// The worker with this claim is alive; now and then.
    Working {
        /// The claim.
        claim: u64,
    },
    /// What the agent does.
    Doing {
        /// The claim.
        claim: u64,
        /// What.
        activity: Box<Activity>,
    },
    /// The coordinator is alive; now and then.
    Following,
    /// The worker with this claim wants to ask its model; again and again until it may.
    MayAsk {
        /// The claim.
        claim: u64,
        /// Counts the turns that it wanted to ask for.
        turn: u64,
        /// The sequence of the last entry that it knew before: a line behind it answers this turn.
        behind: u64,
    },
    /// The coordinator lets it.
    Ask {
        /// Which turn.
        turn: u64,
    },
    /// The coordinator does not let it yet: the provider is overloaded.
    Wait {
        /// Which turn.
        turn: u64,
    },
}

/// What a worker announces of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// The version of the protocol.
    pub(super) protocol: u32,
    /// Its name.
    pub(super) worker: String,
    /// The version of its program.
    pub(super) version: String,
    /// Conversations that it holds at once, and now.
    pub(super) slots: usize,
    /// Those it holds.
    pub(super) busy: usize,
    /// Its tags.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Its models. Whoever reads another protocol's announcement knows none.
    #[serde(default)]
    pub(super) models: Vec<AnnouncedModel>,
}

/// A model that a worker has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AnnouncedModel {
    /// The tier it serves.
    pub(super) tier: Tier,
    /// `provider:name`.
    pub(super) id: String,
    /// On whose account.
    pub(super) account: String,
    /// What it takes.
    pub(super) limits: models::Limits,
}

/// The name of a conversation's log: the same for the same conversation of a workflow at the same broker, whoever asks. `since` is
/// since when the broker has its logs, `ended` how many of the agent's conversations have ended before, and `number` counts the
/// logs that were of no use.
pub(super) fn job_id(workflow: &str, brief: &PortableBrief, since: &str, ended: u32, number: u32) -> String {
    let mut hash = Sha256::new();
    // A brief is made of strings, numbers and lists; none of them can fail to serialise.
    for part in [workflow.as_bytes(), since.as_bytes(), &serde_json::to_vec(brief).unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(ended.to_be_bytes());
    hash.update(number.to_be_bytes());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
