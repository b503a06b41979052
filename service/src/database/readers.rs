//! The read-only SQLite connections and how a read is given one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use sea_orm::Statement;

use super::error::DatabaseError;
use super::observe::{self, Observer};
use super::row::Row;
use super::sqlite_driver::{Access, SqliteConnection};

/// How long a read may hold the thread it was asked on. What takes longer starts again on a blocking thread, so
/// that one heavy query delays its neighbours by no more than this.
const INLINE_LIMIT: Duration = Duration::from_millis(5);

/// A fixed set of connections; a read borrows one and brings it back.
pub(super) struct Readers {
    idle: Mutex<Vec<SqliteConnection>>,
    returned: Condvar,
    path: PathBuf,
    observer: Arc<Observer>,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

impl Readers {
    pub(super) fn open(
        path: &Path,
        count: usize,
        acquire_timeout: Duration,
        statement_timeout: Duration,
        observer: &Arc<Observer>,
    ) -> Result<Self, DatabaseError> {
        let idle = (0..count)
            .map(|_| {
                SqliteConnection::open(path, Access::Read, acquire_timeout, Arc::clone(observer))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            returned: Condvar::new(),
            path: path.to_owned(),
            observer: Arc::clone(observer),
            acquire_timeout,
            statement_timeout,
        })
    }

    /// A connection that does not belong to the set.
    pub(super) fn open_another(&self) -> Result<SqliteConnection, DatabaseError> {
        SqliteConnection::open(
            &self.path,
            Access::Read,
            self.acquire_timeout,
            Arc::clone(&self.observer),
        )
    }

    /// Folds the rows of a statement into a state, at first on this thread, then, when that takes too long or
    /// every connection is in use, on a blocking thread from the beginning.
    pub(super) async fn fold<S, F>(
        self: &Arc<Self>,
        statement: Statement,
        step: F,
    ) -> Result<S, DatabaseError>
    where
        S: Default + Send + 'static,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError> + Send + 'static,
    {
        let idle = self.idle.lock().pop();
        if let Some(connection) = idle {
            let result = run(&connection, &statement, INLINE_LIMIT, &step);
            self.give_back(connection);
            if !matches!(result, Err(DatabaseError::Timeout(_))) {
                return result;
            }
        }
        let readers = Arc::clone(self);
        let origin = observe::current();
        tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            let result = observe::sync_attributed(origin, || {
                run(&connection, &statement, readers.statement_timeout, &step)
            });
            readers.give_back(connection);
            result
        })
        .await
        .map_err(|error| DatabaseError::Other(format!("a reading thread ended: {error}")))?
    }

    fn take(&self) -> Result<SqliteConnection, DatabaseError> {
        let mut idle = self.idle.lock();
        loop {
            if let Some(connection) = idle.pop() {
                return Ok(connection);
            }
            if self
                .returned
                .wait_for(&mut idle, self.acquire_timeout)
                .timed_out()
            {
                return Err(DatabaseError::Busy("every reader is in use".to_owned()));
            }
        }
    }

    fn give_back(&self, connection: SqliteConnection) {
        self.idle.lock().push(connection);
        self.returned.notify_one();
    }
}

fn run<S, F>(
    connection: &SqliteConnection,
    statement: &Statement,
    limit: Duration,
    step: &F,
) -> Result<S, DatabaseError>
where
    S: Default,
    F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError>,
{
    let mut state = S::default();
    connection.query(statement, Some(limit), |row| {
        step(&mut state, &Row::Sqlite(row))
    })?;
    Ok(state)
}
