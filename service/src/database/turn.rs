//! Whose turn it is to write, among the processes on one SQLite file.
//!
//! SQLite hands its lock to whoever asks at the right moment: a process that writes one group after the other has it
//! again before those who ask now and then notice that it was free. So a process takes its turn first, asks for the lock
//! with that in hand, and gives it up when it has the lock: while it waits, nobody else can ask.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two attempts.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// A file beside the database, locked by the process whose turn it is.
pub(super) struct Turn(Option<File>);

impl Turn {
    /// Without the file (a folder in which nothing may be created) everything works, less fairly.
    pub(super) fn beside(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-turn");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&name);
        if let Err(error) = &file {
            tracing::debug!(%error, "processes on this database will not take turns");
        }
        Self(file.ok())
    }

    /// Waits until it is this process's turn; `false` when it was not by `until`.
    pub(super) fn take(&self, until: Instant) -> bool {
        let Some(file) = &self.0 else { return true };
        loop {
            match file.try_lock() {
                // Where a file system knows no locks, nobody takes turns.
                Ok(()) | Err(TryLockError::Error(_)) => return true,
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return false,
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }

    pub(super) fn give_up(&self) {
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
    }
}
