//! What a worker works with: its broker, its models, its folders.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinError;

use super::session::lock;
use crate::bus::{Broker, BrokerFault, BrokerTimes, BusKey};
use crate::config;
use crate::models::{Models, Tier};
use crate::workflow::checks::sandbox::wish;
use crate::workflow::dispatch::faces::{WorkerFault, WorkerOptions};
use crate::workflow::dispatch::job::{AnnouncedModel, Announcement, PROTOCOL};
use crate::workflow::dispatch::times::times;
use crate::workflow::run::editor::Editor;
use crate::workflow::start::engine;
use crate::workspace::{BlobCache, JobFolder, JobFolders, SandboxWish};

/// Bytes of files that are kept from one job to the next.
const MOST_KEPT: u64 = 4 << 30;
/// How long a machine that could not do a job leaves them to others.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Refused jobs that are remembered.
const MOST_REFUSED: usize = 1000;
/// How long the models may take to say what they take.
const LIMITS: Duration = Duration::from_secs(10);

/// A worker at a broker.
pub(super) struct Worker {
    pub(super) broker: Broker,
    pub(super) times: BrokerTimes,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) models: Models,
    pub(super) sandbox: SandboxWish,
    pub(super) check_slots: Arc<Semaphore>,
    pub(super) blobs: Arc<Mutex<BlobCache>>,
    pub(super) folders: JobFolders,
    pub(super) slots: usize,
    pub(super) busy: AtomicUsize,
    pub(super) tags: Vec<String>,
    pub(super) told: mpsc::UnboundedSender<String>,
    unfit: Mutex<Unfit>,
    /// Jobs of other protocols that were told of, by their places in the queue.
    refused: Mutex<BTreeSet<u64>>,
}

/// Since when this machine is not fit for work, a full disk say: it leaves the work to others for a while.
#[derive(Default)]
struct Unfit {
    until: Option<Instant>,
    pause: Duration,
}

impl Worker {
    /// This machine could not do a job.
    pub(super) fn is_unfit(&self) {
        let mut unfit = lock(&self.unfit);
        unfit.pause = (unfit.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        unfit.until = Some(Instant::now() + unfit.pause);
    }

    /// This machine did a job.
    pub(super) fn is_fit(&self) {
        *lock(&self.unfit) = Unfit::default();
    }

    /// Waits until the machine may be fit again.
    pub(super) async fn rest(&self) {
        let until = lock(&self.unfit).until;
        if let Some(until) = until {
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// A job's task came to its end. One that broke off is offered again by the queue, and the others go on.
    pub(super) fn ended(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            self.tell(&format!("a job broke off, which is a fault of baton: {error}"));
            self.is_unfit();
        }
    }

    /// Whether a job is refused for the first time, and so told of.
    pub(super) fn refuses_first(&self, queued: u64) -> bool {
        let mut refused = lock(&self.refused);
        if refused.len() >= MOST_REFUSED {
            refused.pop_first();
        }
        refused.insert(queued)
    }

    /// Tell the person something.
    pub(super) fn tell(&self, line: &str) {
        // Nobody may listen any more.
        let _ = self.told.send(line.to_owned());
    }

    /// A new folder for a job, which goes with the handle.
    pub(super) fn folder(&self) -> std::io::Result<JobFolder> {
        self.folders.new_one()
    }

    async fn announcement(&self) -> Announcement {
        let mut models = Vec::new();
        for tier in [Tier::Fast, Tier::Balanced, Tier::Powerful] {
            let model = self.models.for_tier(tier);
            let limits = tokio::time::timeout(LIMITS, model.limits()).await.unwrap_or_default();
            models.push(AnnouncedModel { tier, id: model.id().to_owned(), account: model.account(), limits });
        }
        Announcement {
            protocol: PROTOCOL,
            worker: self.name.clone(),
            version: self.version.clone(),
            slots: self.slots,
            busy: self.busy.load(Ordering::Relaxed),
            tags: self.tags.clone(),
            models,
        }
    }

    pub(super) async fn announce(&self) -> Result<(), BrokerFault> {
        let body = serde_json::to_vec(&self.announcement().await).unwrap_or_default();
        self.broker.announce(&self.name, &body).await
    }
}

/// Opens what a worker works with.
///
/// # Errors
/// When there is no model, the key is none, the cache cannot be used, or the broker cannot be reached.
pub(super) async fn open(options: WorkerOptions, told: mpsc::UnboundedSender<String>) -> Result<Worker, WorkerFault> {
    let WorkerOptions { address, key, slots, tags, name, settings } = options;
    let key = BusKey::new(&key).map_err(WorkerFault::Usage)?;
    let models = engine::models(&settings, &config::variable, &Editor::default());
    let models = models.map_err(|error| WorkerFault::Usage(error.to_string()))?;
    let times = times(&config::variable).map_err(WorkerFault::Usage)?;
    let folder = config::cache_folder()
        .ok_or_else(|| WorkerFault::Usage("there is no home folder: set XDG_CACHE_HOME".to_owned()));
    let folder = folder?.join("worker");
    let unusable = |error: &dyn std::fmt::Display| WorkerFault::Usage(format!("{}: {error}", folder.display()));
    let blobs = BlobCache::open(&folder.join("files"), MOST_KEPT).map_err(|error| unusable(&error))?;
    let unreachable = |fault: BrokerFault| WorkerFault::Unreachable(fault.to_string());
    let broker = Broker::connect_with(&address, key, &name, times).await.map_err(unreachable)?;
    broker.prepare().await.map_err(unreachable)?;
    let folders = JobFolders::open(&folder).map_err(|error| unusable(&error))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Worker {
        broker,
        times,
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        models,
        sandbox: wish(settings.sandbox),
        check_slots: Arc::new(Semaphore::new((cores / 4).max(1))),
        blobs: Arc::new(Mutex::new(blobs)),
        folders,
        slots: slots.max(1),
        busy: AtomicUsize::new(0),
        tags,
        told,
        unfit: Mutex::default(),
        refused: Mutex::default(),
    })
}
