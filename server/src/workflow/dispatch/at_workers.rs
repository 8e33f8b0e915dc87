//! The workers at a broker, as a coordinator has them: what of its workspace is there, and what was told of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::agents::AgentError;
use crate::bus::{Broker, BrokerFault};
use crate::contracts::RepoPath;
use crate::models::Throttle;
use crate::workflow::run::events::{EventPhase, EventStatus};
use crate::workflow::run::phase::Run;
use crate::workspace::{Interrupt, Pack, Sent, Tree, TreeError, sha256};

/// Turns under way at once, while nobody is overloaded.
const WIDEST: usize = 64;

/// The workers at a broker.
pub(super) struct AtWorkers {
    pub(super) broker: Broker,
    /// The broker's address as people may see it.
    pub(super) shown: String,
    /// Which workers may take the work; any where there is none.
    pub(super) tag: Option<String>,
    /// How long nothing is heard of a worker before its work is offered again.
    pub(super) silence: Duration,
    sending: tokio::sync::Mutex<Sending>,
    /// The providers of the workers' models, by the first part of a model's id.
    providers: Mutex<HashMap<String, Arc<Provider>>>,
    /// The last fault that the person was told of.
    fault: Mutex<Option<String>>,
    /// Whether the person was told that no worker takes the work.
    is_untaken_told: AtomicBool,
}

/// A provider that workers ask.
pub(super) struct Provider {
    /// How many turns may be under way.
    pub(super) throttle: Arc<Throttle>,
    /// What it was called when it was last overloaded, for people.
    name: Mutex<String>,
}

/// What of the workspace is at the broker.
#[derive(Default)]
struct Sending {
    sent: Sent,
    /// The workspace as it was last: what is as it was is not read again.
    tree: Option<Tree>,
    /// Whether what is there is sent again: it was not what had been sent.
    again: bool,
}

/// Why a tree is not at the broker.
pub(super) enum TreeFault {
    Broker(BrokerFault),
    Agent(AgentError),
}

impl AtWorkers {
    pub(super) fn new(broker: Broker, shown: String, tag: Option<String>, silence: Duration) -> Self {
        Self {
            broker,
            shown,
            tag,
            silence,
            sending: tokio::sync::Mutex::default(),
            providers: Mutex::default(),
            fault: Mutex::default(),
            is_untaken_told: AtomicBool::new(false),
        }
    }

    /// A model's provider.
    pub(super) fn provider(&self, model: &str) -> Arc<Provider> {
        let provider = model.split_once(':').map_or(model, |(provider, _)| provider);
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(providers.entry(provider.to_owned()).or_default())
    }

    /// Tell of a fault of the broker, once until another one comes.
    pub(super) fn notice_fault(&self, run: &Run, fault: &BrokerFault) {
        let said = fault.to_string();
        let mut last = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&said) {
            let message = format!("{}: {said}; trying again", self.shown);
            run.emit(EventPhase::Workflow, EventStatus::Progress, message);
            *last = Some(said);
        }
    }

    /// The broker does what it is asked: a person who was told otherwise is told.
    pub(super) fn answers_again(&self, run: &Run) {
        let was_told = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        if was_told {
            run.emit(EventPhase::Workflow, EventStatus::Progress, format!("{} answers again", self.shown));
        }
    }

    /// Tell that no worker takes the work, once until one does. It is for a line of its own: what is told of a task is cut to the
    /// width of a screen.
    pub(super) fn notice_untaken(&self, run: &Run) {
        if !self.is_untaken_told.swap(true, Ordering::Relaxed) {
            let (place, tags) = (&self.shown, tags_of(self.tag.as_deref()));
            let message = format!("no worker has taken the work yet; start one: `baton worker --nats {place}{tags}`");
            run.emit(EventPhase::Workflow, EventStatus::Progress, message);
        }
    }

    /// A worker has taken work.
    pub(super) fn note_taken(&self) {
        self.is_untaken_told.store(false, Ordering::Relaxed);
    }

    /// Have the workspace as it is now be at the broker, without what no agent may read but with the
    /// files of its task (`also`). Answers with the name of its manifest.
    pub(super) async fn send_tree(&self, run: &Run, also: Vec<RepoPath>) -> Result<String, TreeFault> {
        // One after the other: what one has sent the next need not.
        let mut sending = self.sending.lock().await;
        let Sending { sent, tree: last, again } = &mut *sending;
        let interrupt = Interrupt::never();
        let _stops = StopOnDrop(interrupt.clone());
        let (workspace, memory) = (run.workspace.clone(), run.store.path().clone());
        let before = last.take();
        let mut tree = aside(move || Tree::of(&workspace, &memory, &also, before.as_ref(), &interrupt)).await??;
        loop {
            let known = sent.clone();
            let (same, pack) = aside(move || {
                let pack = tree.next_pack(&|blob| known.has(blob));
                (tree, pack)
            })
            .await?;
            tree = same;
            if let Some(pack) = pack? {
                self.send_pack(sent, pack, *again).await?;
                continue;
            }
            let manifest = tree.manifest(sent)?;
            let mut is_whole = true;
            for pack in manifest.packs() {
                if !self.broker.has_file(pack).await? {
                    sent.forget(pack);
                    is_whole = false;
                }
            }
            if is_whole {
                *last = Some(tree);
                let bytes = manifest.to_bytes();
                let name = sha256(&bytes);
                self.put(&name, bytes, *again).await?;
                *again = false;
                return Ok(name);
            }
        }
    }

    /// Have the next tree be sent as a whole, whatever the broker seems to have of it.
    pub(super) async fn send_again(&self) {
        let mut sending = self.sending.lock().await;
        (sending.sent, sending.again) = (Sent::default(), true);
    }

    /// Have a file be at the broker; `again`: whatever that seems to have of it.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>, again: bool) -> Result<(), BrokerFault> {
        match again {
            true => self.broker.put_file_again(name, bytes).await,
            false => self.broker.put_file(name, bytes).await,
        }
    }

    async fn send_pack(&self, sent: &mut Sent, pack: Pack, again: bool) -> Result<(), BrokerFault> {
        sent.add(&pack);
        let name = pack.name.clone();
        let put = self.put(&name, pack.bytes, again).await;
        if put.is_err() {
            sent.forget(&name);
        }
        put
    }
}

impl Provider {
    pub(super) fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It is overloaded, and this is what it is called.
    pub(super) fn call(&self, name: &str) {
        name.clone_into(&mut self.name.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self { throttle: Throttle::new(WIDEST), name: Mutex::default() }
    }
}

/// What a worker is started with to be fit for work with this tag.
pub(super) fn tags_of(tag: Option<&str>) -> String {
    tag.map(|tag| format!(" --tags {tag}")).unwrap_or_default()
}

struct StopOnDrop(Interrupt);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl From<BrokerFault> for TreeFault {
    fn from(fault: BrokerFault) -> Self {
        Self::Broker(fault)
    }
}

impl From<TreeError> for TreeFault {
    fn from(error: TreeError) -> Self {
        Self::Agent(AgentError::Elsewhere(error.to_string()))
    }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TreeFault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| TreeFault::Agent(AgentError::Elsewhere(format!("reading the workspace broke off: {error}"))))
}
