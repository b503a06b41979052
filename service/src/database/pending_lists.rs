//! Empties the pending lists of PostgreSQL's GIN indexes beside the writers.
//!
//! A GIN index puts new entries on a list, and the write that makes the list too long sorts all of it into the index:
//! some 50 ms for one unlucky request, or several times that. Sorted in once a second by a task of its own, the list does
//! not get that long (`gin_pending_list_limit` of the indexes is 32 MB), and searches have little of it to scan.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::postgres_pool::Pool;

/// How long entries gather: the more there are, the less each costs.
const INTERVAL: Duration = Duration::from_secs(1);

/// Only an index's owner may do this.
const CLEAN: &str = "SELECT sum(gin_clean_pending_list(pg_class.oid)) FROM pg_class \
     JOIN pg_am ON pg_am.oid = pg_class.relam AND pg_am.amname = 'gin' \
     WHERE pg_class.relkind = 'i' AND pg_class.relnamespace = current_schema()::regnamespace \
     AND pg_has_role(pg_class.relowner, 'USAGE')";

/// The task; it ends when this is dropped.
pub(super) struct PendingLists {
    written: Arc<Notify>,
    task: JoinHandle<()>,
}

impl PendingLists {
    pub(super) fn start(pool: Arc<Pool>) -> Self {
        let written = Arc::new(Notify::new());
        let told = Arc::clone(&written);
        let task = tokio::spawn(async move {
            loop {
                told.notified().await;
                tokio::time::sleep(INTERVAL).await;
                let Ok(mut lent) = pool.acquire().await else {
                    continue;
                };
                if let Err(error) = lent.simple(CLEAN, true).await {
                    tracing::debug!(%error, "pending lists were not emptied this time");
                }
            }
        });
        Self { written, task }
    }

    /// Tells of a commit.
    pub(super) fn committed(&self) {
        self.written.notify_one();
    }
}

impl Drop for PendingLists {
    fn drop(&mut self) {
        self.task.abort();
    }
}
