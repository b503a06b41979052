//! Empties the pending lists of PostgreSQL's GIN indexes beside the writers.
//!
//! A GIN index puts new entries on a list, and the write that makes the list too long sorts all of it into the index:
//! some 50 ms for one unlucky request, or several times that. Sorted in every other second by a task of its own, the list
//! does not get that long, and searches have little of it to scan.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::postgres_pool::Pool;

/// How long entries gather: the more there are, the less each costs, since each word that occurs among them costs once.
const INTERVAL: Duration = Duration::from_secs(2);

/// The length, in kB, at which a write sorts the list in itself, which is for when the task cannot.
pub(super) const LONGEST_LIST: &str = "65536";

/// The token index has a function of its own. Of the others only the owner may do this; theirs are few words, soon sorted
/// in.
const EMPTY: &str = "SELECT pharos_sort_in_new_documents(); \
     SELECT sum(gin_clean_pending_list(pg_class.oid)) FROM pg_class \
     JOIN pg_am ON pg_am.oid = pg_class.relam AND pg_am.amname = 'gin' \
     WHERE pg_class.relkind = 'i' AND pg_class.relnamespace = current_schema()::regnamespace \
     AND pg_class.relname <> 'idx_search_documents_tokens' AND pg_has_role(pg_class.relowner, 'USAGE')";

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
                if let Err(error) = lent.simple(EMPTY, true).await {
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
