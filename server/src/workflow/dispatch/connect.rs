//! Has an engine's conversations held by workers: connects to the broker, and takes the models that workers announce.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::at_workers::{AtWorkers, tags_of};
use super::faces::WorkerSeen;
use super::job::{Announcement, PROTOCOL};
use super::times::times;
use crate::bus::{Broker, BrokerFault, BusKey};
use crate::models::{Limits, ModelElsewhere, Models, Tier};
use crate::text::safe_line;
use crate::workflow::run::error::StartError;
use crate::workflow::start::engine::Engine;
use crate::workspace::Keys;

/// The variable with the key that coordinator and workers share.
const KEY: &str = "BATON_BUS_KEY";
/// How long a start waits for a worker, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(500);
/// After so many times of silence a worker's job is offered again.
const SILENCES: u32 = 2;

/// Have the conversations of an engine held by workers, where its settings say so. `tell` gets lines for people.
///
/// # Errors
/// When the key is none, the broker cannot be reached, or no worker is there.
pub async fn connect_dispatch(
    engine: &mut Engine,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), StartError> {
    let Some(dispatch) = engine.settings.dispatch.clone() else { return Ok(()) };
    // A recorded run is played back here.
    if engine.models.as_ref().is_ok_and(|models| models.are_of_demo() || models.is_recorded()) {
        return Ok(());
    }
    let key = env(KEY).ok_or_else(|| {
        StartError::Usage(format!(
            "dispatch needs {KEY}, the key that this baton and its workers share: make one with `openssl rand -hex 32`, and set it \
             on both sides"
        ))
    })?;
    let key = BusKey::new(&key).map_err(|why| StartError::Usage(format!("{KEY}: {why}")))?;
    let times = times(env).map_err(StartError::Usage)?;
    let shown = dispatch.shown().to_owned();
    let broker = Broker::connect_with(dispatch.address(), key, "baton", times).await;
    let broker = broker.map_err(|fault| no_conclusion(&shown, &fault))?;
    broker.prepare().await.map_err(|fault| no_conclusion(&shown, &fault))?;
    let workers = wait_for_workers(&broker, &shown, dispatch.tag.as_deref(), tell).await?;
    let model = |tier: Tier| model_of(&workers, tier, &shown);
    let models = Models::elsewhere(model, engine.settings.model_facts.clone(), env);
    let masking = Arc::clone(models.for_tier(Tier::Fast));
    let keys = Keys::new(move |text| match masking.masked(text) {
        Cow::Owned(masked) => Some(masked),
        Cow::Borrowed(_) => None,
    });
    engine.workspace = engine.workspace.clone().with_keys(keys);
    engine.models = Ok(models);
    let (tag, silence) = (dispatch.tag.clone(), times.ack_wait * SILENCES);
    engine.dispatcher = Arc::new(AtWorkers::new(broker, shown, tag, silence));
    Ok(())
}

fn no_conclusion(shown: &str, fault: &BrokerFault) -> StartError {
    let message = format!("{shown}: {fault}. Nothing was begun");
    StartError::NoWorker(message)
}

/// The workers that can take the work, once there is one.
async fn wait_for_workers(
    broker: &Broker,
    shown: &str,
    tag: Option<&str>,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Vec<Announcement>, StartError> {
    let (began, mut is_told) = (Instant::now(), false);
    loop {
        let all = broker.announced().await.map_err(|fault| no_conclusion(shown, &fault))?;
        let all: Vec<Announcement> =
            all.iter().filter_map(|(_, body)| serde_json::from_slice::<Announcement>(body).ok()).collect();
        let is_fit = |worker: &&Announcement| {
            worker.protocol == PROTOCOL && tag.is_none_or(|tag| worker.tags.iter().any(|has| has == tag))
        };
        let fit: Vec<Announcement> = all.iter().filter(is_fit).cloned().collect();
        if !fit.is_empty() {
            return Ok(fit);
        }
        let others = others(&all, tag);
        if began.elapsed() > PATIENCE {
            let message = format!(
                "no worker is at {shown}{others}. Start one there: `baton worker --nats {shown}{}`, with the same {KEY}. Nothing was \
                 begun",
                tags_of(tag)
            );
            return Err(StartError::NoWorker(message));
        }
        if !std::mem::replace(&mut is_told, true) {
            tell(&format!("waits for a worker at {shown}{others}"));
        }
        sleep(LOOK).await;
    }
}

/// What is said of workers that are there and cannot take the work.
fn others(all: &[Announcement], tag: Option<&str>) -> String {
    let other = all.iter().find(|worker| worker.protocol != PROTOCOL);
    if let Some(other) = other {
        let (name, version) = (safe_line(&other.worker), safe_line(&other.version));
        return format!(
            " that speaks protocol {PROTOCOL} ({name} has baton {version}, which speaks protocol {}: run the same version on both sides)",
            other.protocol
        );
    }
    match tag {
        Some(tag) if !all.is_empty() => format!(" with the tag {tag}"),
        _ => String::new(),
    }
}

/// The model of a tier: the first worker's, with what the smallest of all workers takes.
fn model_of(workers: &[Announcement], tier: Tier, shown: &str) -> ModelElsewhere {
    let models = workers.iter().flat_map(|worker| worker.models.iter().map(move |model| (worker, model)));
    let mut of_tier = models.filter(|(_, model)| model.tier == tier);
    let Some((worker, first)) = of_tier.next() else {
        return ModelElsewhere {
            id: format!("worker:{}", tier.as_str()),
            account: format!("workers at {shown}"),
            limits: Limits::default(),
        };
    };
    let limits = of_tier.map(|(_, model)| model.limits).fold(first.limits, Limits::smaller);
    let more = workers.len() - 1;
    let and_others = if more == 0 { String::new() } else { format!(" and {}", crate::text::count(more, "other")) };
    let account = format!("worker {}{and_others} at {shown}: {}", safe_line(&worker.worker), safe_line(&first.account));
    ModelElsewhere { id: first.id.clone(), account, limits }
}

/// The workers at a broker.
///
/// # Errors
/// Why nothing is known of them, in words.
pub async fn look_at_workers(address: &str, key: &str) -> Result<Vec<WorkerSeen>, String> {
    let key = BusKey::new(key)?;
    let broker = Broker::connect(address, key, "baton").await.map_err(|fault| fault.to_string())?;
    let all = match broker.announced().await {
        Ok(all) => all,
        // Nobody has used it yet.
        Err(BrokerFault::Lost { .. }) => Vec::new(),
        Err(fault) => return Err(fault.to_string()),
    };
    let seen = |worker: Announcement| WorkerSeen {
        is_same_protocol: worker.protocol == PROTOCOL,
        name: worker.worker,
        version: worker.version,
        protocol: worker.protocol,
        slots: worker.slots,
        busy: worker.busy,
        tags: worker.tags,
        models: worker
            .models
            .into_iter()
            .map(|model| (model.tier.as_str().to_owned(), model.id, model.account))
            .collect(),
    };
    Ok(all.iter().filter_map(|(_, body)| serde_json::from_slice(body).ok()).map(seen).collect())
}
