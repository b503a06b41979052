//! Empties the pending lists of PostgreSQL's GIN indexes beside the writers.
//!
//! A GIN index puts new entries on a list, and the write that makes the list too long sorts all of it into the index:
//! some 50 ms for one unlucky request, or several times that. Sorted in once a second by a task of its own, the list
//! does not get that long, and searches have little of it to scan.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::postgres_pool::Pool;

/// How long entries gather: the more there are, the less each costs, since each word that occurs among them costs once.
const INTERVAL: Duration = Duration::from_secs(1);

/// After so long without a commit nobody is taken to be writing.
const QUIET: Duration = Duration::from_millis(500);

/// The length, in kB, at which a write sorts the list in itself, which is for when the task cannot.
pub(super) const LONGEST_LIST: &str = "65536";

/// Goes on until the lists are empty. Only an index's owner may do this.
const EMPTY: &str = "SELECT sum(gin_clean_pending_list(pg_class.oid)) FROM pg_class \
     JOIN pg_am ON pg_am.oid = pg_class.relam AND pg_am.amname = 'gin' \
     WHERE pg_class.relkind = 'i' AND pg_class.relnamespace = current_schema()::regnamespace \
     AND pg_has_role(pg_class.relowner, 'USAGE')";

/// Beside writers, what the token index has pending is sorted in once, without what comes meanwhile, and only when it is
/// 64 kB or more. The other indexes have few words, which are soon sorted in.
fn empty_beside_writers() -> String {
    format!(
        "SELECT pharos_sort_in_new_documents(); {EMPTY} AND pg_class.relname <> 'idx_search_documents_tokens'"
    )
}

/// The task; it ends when this is dropped.
pub(super) struct PendingLists {
    told: Arc<Told>,
    task: JoinHandle<()>,
}

struct Told {
    written: Notify,
    last_commit: Mutex<Instant>,
}

impl PendingLists {
    pub(super) fn start(pool: Arc<Pool>) -> Self {
        let told = Arc::new(Told {
            written: Notify::new(),
            last_commit: Mutex::new(Instant::now()),
        });
        let heard = Arc::clone(&told);
        let task = tokio::spawn(async move {
            loop {
                heard.written.notified().await;
                tokio::time::sleep(INTERVAL).await;
                let Ok(mut lent) = pool.acquire().await else {
                    continue;
                };
                let quiet = heard.last_commit.lock().elapsed() > QUIET;
                let empty = match quiet {
                    true => EMPTY.to_owned(),
                    false => empty_beside_writers(),
                };
                if let Err(error) = lent.simple(&empty, true).await {
                    tracing::debug!(%error, "pending lists were not emptied this time");
                }
            }
        });
        Self { told, task }
    }

    /// Tells of a commit.
    pub(super) fn committed(&self) {
        *self.told.last_commit.lock() = Instant::now();
        self.told.written.notify_one();
    }
}

impl Drop for PendingLists {
    fn drop(&mut self) {
        self.task.abort();
    }
}
