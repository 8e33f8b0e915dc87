//! A phase of one agent, from its first event to its last: started, toolbox, conversation, write, close, done.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::agents::{Accept, AgentError, Brief, Opening, SubmitTry, shared_part};
use crate::config;
use crate::contracts::{Complexity, Handoff, PhaseName, RepoPath};
use crate::memory::Memory;
use crate::models::ToolSpec;
use crate::tools::{About, Toolbox};
use crate::workflow::{Conversation, EventStatus, Phase, PhaseError, Run, ToolSet, close_agent, hold, report_activity};
use crate::workspace::CacheFile;

/// A phase in which one agent hands something on.
#[async_trait]
pub(super) trait OneAgent: Send + Sync {
    /// What the agent hands on.
    type Handoff: Handoff + Send + Sync;
    /// What was looked up for the agent and is needed again to judge and complete what it hands on.
    type Material: Send + Sync;

    /// The phase.
    fn phase(&self) -> &dyn Phase;

    /// Make room for the handoff. Answers with the message of the first event.
    ///
    /// # Errors
    /// When the phase cannot begin.
    fn begin(&self, run: &Run, memory: &Memory) -> Result<String, PhaseError>;

    /// Gather what the agent is given.
    ///
    /// # Errors
    /// When something of it cannot be read, or the run was cancelled.
    async fn gather(
        &self,
        run: &Arc<Run>,
        memory: &Memory,
    ) -> Result<(Work<Self::Handoff>, Self::Material), PhaseError>;

    /// The tool the agent submits with.
    fn submit(&self) -> ToolSpec;

    /// Take a submission.
    ///
    /// # Errors
    /// What is wrong with it, for the model.
    fn accept(&self, run: &Run, material: &Self::Material, input: Value) -> Result<Self::Handoff, Vec<String>>;

    /// Take the last submission that the agent can make, after which nothing can be mended: what a person is better shown
    /// than not is taken with its faults.
    ///
    /// # Errors
    /// What is wrong with it.
    fn accept_last(&self, run: &Run, material: &Self::Material, input: Value) -> Result<Self::Handoff, Vec<String>> {
        self.accept(run, material, input)
    }

    /// Fill what the server knows and the model does not.
    ///
    /// # Errors
    /// When something of it cannot be read.
    fn complete(
        &self,
        _run: &Run,
        _memory: &Memory,
        _material: &Self::Material,
        handoff: Self::Handoff,
    ) -> Result<Self::Handoff, PhaseError> {
        Ok(handoff)
    }

    /// Have other agents look at it before it is written. Answers with it, and with the labels of those agents: their
    /// conversations are closed with the phase's own.
    ///
    /// # Errors
    /// When the run is cancelled or cannot be journaled. That an agent has no answer is none.
    async fn check(
        &self,
        _run: &Arc<Run>,
        _memory: &Memory,
        _material: &Self::Material,
        handoff: Self::Handoff,
    ) -> Result<(Self::Handoff, Vec<String>), PhaseError> {
        Ok((handoff, Vec::new()))
    }

    /// Write it.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn write(&self, run: &Run, handoff: &Self::Handoff) -> Result<(), PhaseError> {
        Ok(run.store.write(handoff)?)
    }

    /// The message of the last event.
    fn done(&self, material: &Self::Material, handoff: &Self::Handoff) -> String;
}

/// What a phase has for its agent.
#[expect(clippy::large_enum_variant, reason = "there is one for each run of a phase")]
pub(super) enum Work<T> {
    /// It is asked.
    Ask {
        /// What stands behind its prompt, the same in each of its conversations of a workflow; empty where nothing does.
        shared: Opening,
        /// Its first message.
        first_message: Opening,
        /// The tools it has besides the one it submits with.
        toolbox: Toolbox,
    },
    /// There is nothing to ask, and this is the handoff.
    Nothing(T),
}

impl<T> Work<T> {
    /// It is asked, with all that it is told in its first message.
    pub(super) fn ask(first_message: Opening, toolbox: Toolbox) -> Self {
        Self::Ask { shared: Opening::new(), first_message, toolbox }
    }
}

/// Run a phase of one agent. Answers with what was handed on, and what it was judged by.
///
/// # Errors
/// When the agent cannot be asked or hands nothing on, when files cannot be read or written, and when the run is
/// cancelled.
pub(super) async fn run_one<P: OneAgent>(
    one: &P,
    run: &Arc<Run>,
    memory: &Memory,
) -> Result<(P::Handoff, P::Material), PhaseError> {
    let phase = one.phase();
    let name = phase.name();
    let started = one.begin(run, memory)?;
    run.emit(name, EventStatus::Started, started);
    let (work, material) = one.gather(run, memory).await?;
    let handoff = match work {
        Work::Nothing(handoff) => handoff,
        Work::Ask { shared, first_message, toolbox } => {
            let tier = phase.tier().tier(Complexity::Moderate);
            let (model, mut system) = (run.model(tier)?, vec![run.prompts.of(name)]);
            if !shared.is_empty() {
                let (models, frame) = ([model.clone()], system.iter().map(String::len).sum());
                system.push(shared_part(&run.context, &shared, &models, frame, phase.max_tokens()).await?);
            }
            let brief = Brief {
                agent: name.as_str().to_owned(),
                model,
                tier,
                system,
                first_message,
                toolbox,
                submit: one.submit(),
                max_tokens: phase.max_tokens(),
            };
            let accept = |input, submit_try: SubmitTry| match submit_try.is_last {
                true => one.accept_last(run, &material, input),
                false => one.accept(run, &material, input),
            };
            converse_to_handoff(run, name, memory, &brief, &accept).await?
        }
    };
    let handoff = one.complete(run, memory, &material, handoff)?;
    let (handoff, checkers) = one.check(run, memory, &material, handoff).await?;
    one.write(run, &handoff)?;
    for agent in checkers.iter().map(String::as_str).chain([name.as_str()]) {
        close_agent(run, agent)?;
    }
    run.emit(name, EventStatus::Done, one.done(&material, &handoff));
    Ok((handoff, material))
}

/// Converse with a phase's agent until it hands on. A conversation that failed is closed: the next start asks anew instead
/// of replaying the failure from the journal.
pub(super) async fn converse_to_handoff<T: Send>(
    run: &Arc<Run>,
    phase: PhaseName,
    memory: &Memory,
    brief: &Brief,
    accept: Accept<'_, T>,
) -> Result<T, PhaseError> {
    let conversation = Conversation {
        phase,
        task: None,
        round: memory.round.as_ref().map(|round| round.n),
        plan_sha256: memory.plan.as_ref().map(|plan| plan.sha256.clone()),
        is_asked_once: false,
        beside: 1,
        brief,
    };
    let end = hold(run, &conversation, accept, &report_activity(run, phase, None)).await;
    if end.as_ref().is_err_and(AgentError::ends_conversation) {
        close_agent(run, &brief.agent)?;
    }
    Ok(end?)
}

/// The tools of a phase's agents; `diffs` are for those that look at what was changed, the task is what maps are ranked by.
pub(super) fn toolbox(run: &Run, phase: &dyn Phase, task: &str, diffs: Vec<(RepoPath, String)>) -> Toolbox {
    let (workspace, memory) = (run.workspace.clone(), run.store.path().clone());
    let toolbox = match phase.tools() {
        ToolSet::Read | ToolSet::Write => Toolbox::reader(workspace, memory),
        ToolSet::ReadDiff => Toolbox::reviewer(workspace, memory, diffs),
    };
    toolbox.about(about(run, task))
}

/// What outlines are made by, for an agent with this task.
pub(super) fn about(run: &Run, task: &str) -> About {
    /// The size that the maps of all workspaces together may have in the user's cache, in bytes.
    const MOST_CACHED: u64 = 256 * 1024 * 1024;
    let cache = config::cache_folder();
    let cache = cache.map(|cache| CacheFile::of(&cache.join("maps"), run.workspace.root(), MOST_CACHED));
    About { task: task.to_owned(), cache, editor: run.editor.symbols.clone(), is_copy: false }
}
