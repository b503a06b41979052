//! Copies the log into the database file beside the writer, so that no write waits for the copying.
//!
//! The log can only begin anew when all of it is copied and nobody writes. So the thread here copies, and copies what came
//! meanwhile, until little is left; then the writer copies that little between two groups, and the next write begins the
//! log anew. SQLite's automatic checkpoint, which would have a write wait for all of it, is kept for when that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::error::DatabaseError;
use super::sqlite_driver::SqliteConnection;

/// How long the writer goes on before the next copying begins.
const INTERVAL: Duration = Duration::from_millis(250);

/// Pages in a log that is worth beginning anew.
const LONG: i64 = 8_000;

/// Pages that came during a copying, of which the writer can copy as many itself: those of a few groups.
const LITTLE: i64 = 1_000;

/// How often what came meanwhile is copied before the writer copies what is left, little or not.
const PASSES: u32 = 4;

/// Pages of the log, as a checkpoint counts them.
struct Log {
    pages: i64,
    copied: i64,
}

/// The thread, seen from the writer. It ends when this is dropped.
pub(super) struct Checkpointer {
    wake: SyncSender<()>,
    woken: Instant,
    is_nearly_copied: Arc<AtomicBool>,
}

impl Checkpointer {
    pub(super) fn start(connection: SqliteConnection) -> Result<Self, DatabaseError> {
        let (wake, waiting) = sync_channel(1);
        let is_nearly_copied = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_nearly_copied);
        std::thread::Builder::new()
            .name("pharos-checkpoint".to_owned())
            .spawn(move || {
                while waiting.recv().is_ok() {
                    told.store(copy_nearly_all(&connection), Ordering::Release);
                }
            })
            .map_err(|error| {
                DatabaseError::Other(format!("cannot start the checkpointer: {error}"))
            })?;
        Ok(Self {
            wake,
            woken: Instant::now(),
            is_nearly_copied,
        })
    }

    /// Tells of a commit of the writer's `connection`.
    pub(super) fn committed(&mut self, connection: &SqliteConnection) {
        if self.is_nearly_copied.swap(false, Ordering::Acquire) {
            checkpoint(connection);
        } else if self.woken.elapsed() >= INTERVAL {
            self.woken = Instant::now();
            // When it is still copying, the next commit tells it again.
            let _ = self.wake.try_send(());
        }
    }
}

/// Whether little of a long log is left to be copied.
fn copy_nearly_all(connection: &SqliteConnection) -> bool {
    let mut before = 0;
    for _ in 0..PASSES {
        let Some(log) = copy(connection) else {
            return false;
        };
        // Somebody reads what is older than the rest, or it is not worth it.
        if log.copied < log.pages || log.pages < LONG {
            return false;
        }
        if log.pages - before < LITTLE {
            break;
        }
        before = log.pages;
    }
    true
}

/// Brings as much of the log as possible into the database file. Waits for nobody.
pub(super) fn checkpoint(connection: &SqliteConnection) {
    copy(connection);
}

fn copy(connection: &SqliteConnection) -> Option<Log> {
    match connection.numbers("PRAGMA wal_checkpoint(PASSIVE)") {
        // Zero unless somebody else copies just now.
        Ok([0, pages, copied]) => Some(Log { pages, copied }),
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, "no checkpoint this time");
            None
        }
    }
}
