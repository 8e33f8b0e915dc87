//! What is said where this program was built without a broker.

use tokio::sync::mpsc;

use super::faces::{WorkerFault, WorkerOptions, WorkerSeen};
use crate::config::WITHOUT_NATS;
use crate::workflow::run::error::StartError;
use crate::workflow::start::engine::Engine;

/// Refuse an engine whose settings have its conversations held by workers.
///
/// # Errors
/// That there are none.
pub async fn connect_dispatch(
    engine: &mut Engine,
    _env: &(dyn Fn(&str) -> Option<String> + Sync),
    _tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), StartError> {
    match &engine.settings.dispatch {
        Some(dispatch) => Err(StartError::Usage(format!("dispatch is {dispatch}, and {WITHOUT_NATS}"))),
        None => Ok(()),
    }
}

/// Serve nobody.
///
/// # Errors
/// That there is no broker.
pub async fn serve_worker(
    _options: WorkerOptions,
    _stops: mpsc::UnboundedReceiver<()>,
    _tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), WorkerFault> {
    Err(WorkerFault::Usage(WITHOUT_NATS.to_owned()))
}

/// See nobody.
///
/// # Errors
/// That there is no broker.
pub async fn look_at_workers(_address: &str, _key: &str) -> Result<Vec<WorkerSeen>, String> {
    Err(WITHOUT_NATS.to_owned())
}
