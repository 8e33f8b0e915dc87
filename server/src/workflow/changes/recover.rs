//! Repairs what a killed run left, before anything else happens.

use super::settle::settle_rollbacks;
use crate::memory::{PUBLISH, Store};
use crate::workflow::run::error::StartError;
use crate::workspace::{self, Workspace};

/// Roll half-published tasks forward, and complete what finished rollbacks mean for the memory folder.
pub(crate) fn recover(workspace: &Workspace, store: &Store) -> Result<(), StartError> {
    for run in store.publishing_runs()? {
        let folder = store.run_folder(&run)?;
        let seal = store.seal();
        let sign = |content: &[u8]| seal.sign(PUBLISH, content);
        let verify = |content: &[u8], mac: &str| seal.verify(PUBLISH, content, mac);
        let recovered = workspace::recover(workspace, &folder, &sign, &verify);
        match recovered {
            Ok(recovered) => {
                for task in &recovered.rolled_forward {
                    tracing::info!(%run, task = task.task, "rolled a half-published task forward");
                }
            }
            Err(error) => return Err(StartError::Recover(error)),
        }
    }
    settle_rollbacks(store, workspace)?;
    Ok(())
}
