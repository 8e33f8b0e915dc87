//! The tree of a job, put in place on the worker's machine.

use std::sync::{Arc, Mutex};

use super::session::lock;
use crate::bus::{Broker, BrokerFault};
use crate::workspace::{BlobCache, JobFolder, Manifest, PlaceError, Workspace, unpack};

/// Why there is no tree.
pub(super) enum TreeFault {
    /// The broker has not got it, for now or any more.
    Broker(BrokerFault),
    /// This machine cannot hold it.
    Here(String),
    /// No machine of this kind can.
    Nowhere(String),
}

impl From<PlaceError> for TreeFault {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Clash(_) => Self::Nowhere(error.to_string()),
            PlaceError::NotEmpty(_) | PlaceError::Missing { .. } | PlaceError::Disk(_) => Self::Here(error.to_string()),
        }
    }
}

impl From<BrokerFault> for TreeFault {
    fn from(fault: BrokerFault) -> Self {
        Self::Broker(fault)
    }
}

/// Put a tree in place in a new folder. What other jobs had is not fetched again.
pub(super) async fn put_in_place(
    broker: &Broker,
    manifest: Option<&str>,
    folder: &Arc<JobFolder>,
    blobs: &Arc<Mutex<BlobCache>>,
) -> Result<Workspace, TreeFault> {
    let folder = Arc::clone(folder);
    let here = |error: &dyn std::fmt::Display| TreeFault::Here(error.to_string());
    let nowhere = |error: &dyn std::fmt::Display| TreeFault::Nowhere(error.to_string());
    let Some(name) = manifest else {
        return aside(move || {
            let tree = folder.make_tree().map_err(|error| here(&error))?;
            Workspace::open(&tree).map_err(|error| here(&error))
        })
        .await;
    };
    let manifest = Manifest::parse(&broker.file(name).await?).map_err(|error| nowhere(&error))?;
    let missing: Vec<String> = {
        let mut blobs = lock(blobs);
        manifest.missing_packs(&mut *blobs).into_iter().map(str::to_owned).collect()
    };
    for pack in missing {
        let (bytes, blobs) = (broker.file(&pack).await?, Arc::clone(blobs));
        aside(move || unpack(&bytes, &pack, &mut *lock(&blobs)).map_err(|error| here(&error))).await?;
    }
    let blobs = Arc::clone(blobs);
    aside(move || {
        manifest.put_in_place(&folder.tree(), &mut *lock(&blobs))?;
        Workspace::open(&folder.tree()).map_err(|error| here(&error))
    })
    .await
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TreeFault> + Send + 'static,
) -> Result<T, TreeFault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| TreeFault::Here(error.to_string()))?
}
