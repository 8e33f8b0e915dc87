//! A log that is read in a task of its own: what is on its way is never dropped, however long it takes to come.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::bus::{BrokerFault, Follow, Read};

/// What comes of a log. Dropped, nobody reads on.
pub(super) struct Followed {
    coming: mpsc::Receiver<Result<Read, BrokerFault>>,
    _reading: JoinSet<()>,
}

impl Followed {
    pub(super) fn of(mut follow: Follow) -> Self {
        let (came, coming) = mpsc::channel(1);
        let mut reading = JoinSet::new();
        reading.spawn(async move { while came.send(follow.next().await).await.is_ok() {} });
        Self { coming, _reading: reading }
    }

    /// Waits for what comes next. May be dropped at any point and called again: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Read, BrokerFault> {
        let broke_off =
            || BrokerFault::Other { why: "reading the log broke off, which is a fault of baton".to_owned() };
        self.coming.recv().await.unwrap_or_else(|| Err(broke_off()))
    }
}
