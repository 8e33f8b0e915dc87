//! The runtime that a subcommand works on.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::failure::Failure;

/// The runtime a run works on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| Failure::failed(format!("cannot start: {error}")))
}

/// Run a future on a runtime of its own. Blocking work that is still running then, such as a cancelled tool call, gets a
/// moment to finish and is then abandoned: it holds nothing but memory.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    const MOMENT: Duration = Duration::from_millis(250);
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(MOMENT);
    Ok(done)
}

/// Returns after this time; without one never.
pub(super) async fn after(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_end_of_a_run_waits_for_no_work_that_was_left_aside() {
        const SOON: Duration = Duration::from_secs(5);
        let (kept_busy, over) = mpsc::channel::<()>();
        let began = Instant::now();
        let done = block_on(async move {
            let (begun, begins) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                assert!(begun.send(()).is_ok());
                over.recv_timeout(SOON * 4)
            });
            begins.await.is_ok()
        });
        assert!(matches!(done, Ok(true)));
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        drop(kept_busy);
    }
}
