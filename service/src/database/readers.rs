//! The read-only SQLite connections and how a read is given one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use sea_orm::Statement;

use super::error::DatabaseError;
use super::observe::{self, Observer};
use super::postgres_pool::PoolState;
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
    maximum: usize,
    /// Statements that were read so far.
    reads: Arc<AtomicU64>,
    waiting: AtomicU64,
    waits: AtomicU64,
    wait_microseconds: AtomicU64,
    timeouts: AtomicU64,
    began: Instant,
    /// Seconds after `began`, and one.
    warned_at: AtomicU64,
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
            maximum: count,
            reads: Arc::default(),
            waiting: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            wait_microseconds: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            began: Instant::now(),
            warned_at: AtomicU64::new(0),
        })
    }

    /// How many statements have been read, for whoever has to be considerate.
    pub(super) fn reads(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.reads)
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
        self.reads.fetch_add(1, Ordering::Relaxed);
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
        if let Some(connection) = idle.pop() {
            return Ok(connection);
        }
        self.warn_when_used_up();
        let began = Instant::now();
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let until = began + self.acquire_timeout;
        let found = loop {
            let late = self.returned.wait_until(&mut idle, until).timed_out();
            match idle.pop() {
                Some(connection) => break Some(connection),
                None if late => break None,
                None => {}
            }
        };
        drop(idle);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.wait_microseconds.fetch_add(waited, Ordering::Relaxed);
        found.ok_or_else(|| {
            self.timeouts.fetch_add(1, Ordering::Relaxed);
            DatabaseError::Busy("every reader is in use".to_owned())
        })
    }

    /// At most once a minute.
    fn warn_when_used_up(&self) {
        let now = self.began.elapsed().as_secs() + 1;
        let before = self.warned_at.load(Ordering::Relaxed);
        let due = before == 0 || now >= before + 60;
        if due && self.warned_at.swap(now, Ordering::Relaxed) == before {
            tracing::warn!(
                maximum = self.maximum,
                "every reading connection is in use: look for slow statements, or raise PHAROS_WORKERS if this lasts"
            );
        }
    }

    pub(super) fn state(&self) -> PoolState {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let idle = self.idle.lock().len();
        PoolState {
            maximum: self.maximum as u64,
            idle: idle as u64,
            in_use: (self.maximum - idle) as u64,
            waiting: read(&self.waiting),
            waits: read(&self.waits),
            wait_microseconds: read(&self.wait_microseconds),
            timeouts: read(&self.timeouts),
            opened: self.maximum as u64,
            lost: 0,
            repeats: 0,
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
