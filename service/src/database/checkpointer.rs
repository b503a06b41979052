//! Copies the log into the database file beside the writer, so that no write waits for the copying.
//!
//! The log can only begin anew when all of it is copied and nobody writes. So the writer copies the little that is left
//! from time to time: SQLite's automatic checkpoint, with a limit that the thread here mostly keeps it from.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::error::DatabaseError;
use super::sqlite_driver::SqliteConnection;

/// How long the writer goes on before the next copying begins.
const INTERVAL: Duration = Duration::from_millis(250);

/// The thread, seen from the writer. It ends when this is dropped.
pub(super) struct Checkpointer {
    wake: SyncSender<()>,
    woken: Instant,
}

impl Checkpointer {
    pub(super) fn start(connection: SqliteConnection) -> Result<Self, DatabaseError> {
        let (wake, waiting) = sync_channel(1);
        std::thread::Builder::new()
            .name("pharos-checkpoint".to_owned())
            .spawn(move || {
                while waiting.recv().is_ok() {
                    checkpoint(&connection);
                }
            })
            .map_err(|error| {
                DatabaseError::Other(format!("cannot start the checkpointer: {error}"))
            })?;
        Ok(Self {
            wake,
            woken: Instant::now(),
        })
    }

    /// Tells of a commit.
    pub(super) fn committed(&mut self) {
        if self.woken.elapsed() >= INTERVAL {
            self.woken = Instant::now();
            // When it is still copying, the next commit tells it again.
            let _ = self.wake.try_send(());
        }
    }
}

/// Brings as much of the log as possible into the database file. Waits for nobody.
pub(super) fn checkpoint(connection: &SqliteConnection) {
    if let Err(error) = connection.control("PRAGMA wal_checkpoint(PASSIVE)") {
        tracing::debug!(%error, "no checkpoint this time");
    }
}
