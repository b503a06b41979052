//! The one SQLite writer, and group commit: writes that arrive together share one transaction and one fsync.
//!
//! A failing write is undone alone, and each is acknowledged only after the commit that carries it is on disk. Most
//! writes that fail do so before they change anything, so a group runs without savepoints, each of which costs a copy of
//! every page that is changed; when one does fail after a change, the group is rolled back and runs again with them. When
//! the shared transaction itself is lost (a full disk, a failed commit), every write in it runs again in a transaction
//! of its own, and only those that fail by themselves fail.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sea_orm::{DatabaseBackend, Statement, Value};
use tokio::sync::oneshot;

use super::checkpointer::{Checkpointer, checkpoint};
use super::error::DatabaseError;
use super::held_write::HeldWrite;
use super::observe::{self, Origin};
use super::sqlite_driver::SqliteConnection;
use super::transaction::{Deferred, DeferredRow, Transaction};
use crate::error::Error;

/// How many writes may wait; the next one is told that the database is busy.
const QUEUE_LENGTH: usize = 1_024;

/// How many writes share one transaction at most.
const GROUP_LENGTH: usize = 128;

/// How long a transaction takes in further writes before it commits.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// How many groups run with savepoints after one had to run again.
const CAREFUL_GROUPS: u32 = 50;

/// After this time without a write the log is checkpointed.
const CHECKPOINT_WHEN_IDLE: Duration = Duration::from_millis(500);

/// A write in the queue, its type erased.
pub(super) trait QueuedWrite: Send {
    /// Runs the unit and keeps its result; tells whether it succeeded.
    fn run(&mut self, transaction: Transaction) -> bool;

    /// Hands the kept result to the caller.
    fn acknowledge(self: Box<Self>);

    /// Tells the caller that the unit could not be made durable.
    fn fail(self: Box<Self>, error: DatabaseError);

    fn queued_at(&self) -> Instant;

    /// Whether it cannot run again, so that no other write's failure may undo it.
    fn runs_once(&self) -> bool {
        false
    }
}

struct Unit<T, F> {
    work: F,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
    queued_at: Instant,
    origin: Option<Origin>,
}

impl<T, F, Fut> QueuedWrite for Unit<T, F>
where
    T: Send,
    F: Fn(Transaction) -> Fut + Send,
    Fut: Future<Output = Result<T, Error>>,
{
    fn run(&mut self, transaction: Transaction) -> bool {
        let result = run_now(self.origin.clone(), || (self.work)(transaction));
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn acknowledge(self: Box<Self>) {
        let result = self
            .result
            .unwrap_or_else(|| Err(Error::Internal("a write was not run".to_owned())));
        // The caller may have gone away; the write stands all the same.
        let _ = self.reply.send(result);
    }

    fn fail(self: Box<Self>, error: DatabaseError) {
        let _ = self.reply.send(Err(error.into()));
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }
}

/// Runs a unit to its end on this thread.
pub(super) fn run_now<T, Fut>(
    origin: Option<Origin>,
    work: impl FnOnce() -> Fut,
) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, Error>>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        observe::sync_attributed(origin, || work().now_or_never())
    }));
    match outcome {
        Ok(Some(result)) => result,
        Ok(None) => Err(Error::Internal(
            "a write waited for something other than its transaction".to_owned(),
        )),
        Err(_) => Err(Error::Internal("a write panicked".to_owned())),
    }
}

/// The writer's thread, seen from outside.
pub(super) struct Writer {
    queue: SyncSender<Box<dyn QueuedWrite>>,
    connection: Arc<SqliteConnection>,
}

impl Writer {
    /// Starts the thread. It ends when the `Writer` is dropped and the queue is empty.
    pub(super) fn start(
        connection: SqliteConnection,
        checkpointer: Checkpointer,
        acquire_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        let (queue, receiver) = sync_channel(QUEUE_LENGTH);
        connection.wait_for_locks(acquire_timeout)?;
        let connection = Arc::new(connection);
        let group = Group::new(Arc::clone(&connection), acquire_timeout);
        std::thread::Builder::new()
            .name("pharos-writer".to_owned())
            .spawn(move || group.serve(&receiver, checkpointer))
            .map_err(|error| DatabaseError::Other(format!("cannot start the writer: {error}")))?;
        Ok(Self { queue, connection })
    }

    /// Queues a unit and waits until it is on disk or has failed.
    pub(super) async fn write<T, F, Fut>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(Transaction) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let unit = Unit {
            work,
            result: None,
            reply,
            queued_at: Instant::now(),
            origin: observe::current(),
        };
        self.enqueue(Box::new(unit))?;
        answer
            .await
            .map_err(|_| DatabaseError::Unavailable("the writer has stopped".to_owned()))?
    }

    /// Queues a write that stays open and is told piece by piece what to do.
    pub(super) fn hold(&self) -> Result<HeldWrite, DatabaseError> {
        let (held, unit) = HeldWrite::new(Arc::clone(&self.connection));
        self.enqueue(Box::new(unit))?;
        Ok(held)
    }

    fn enqueue(&self, unit: Box<dyn QueuedWrite>) -> Result<(), DatabaseError> {
        self.queue.try_send(unit).map_err(|error| match error {
            TrySendError::Full(_) => DatabaseError::Busy("the writer's queue is full".to_owned()),
            TrySendError::Disconnected(_) => {
                DatabaseError::Unavailable("the writer has stopped".to_owned())
            }
        })
    }
}

struct Group {
    connection: Arc<SqliteConnection>,
    transaction: Transaction,
    deferred: Deferred,
    acquire_timeout: Duration,
    /// How many of the next groups run with savepoints.
    careful: Cell<u32>,
}

impl Group {
    fn new(connection: Arc<SqliteConnection>, acquire_timeout: Duration) -> Self {
        let deferred = Deferred::default();
        let transaction = Transaction::on_sqlite(Arc::clone(&connection), Arc::clone(&deferred));
        Self {
            connection,
            transaction,
            deferred,
            acquire_timeout,
            careful: Cell::new(0),
        }
    }

    fn serve(&self, queue: &Receiver<Box<dyn QueuedWrite>>, mut checkpointer: Checkpointer) {
        let mut checkpointed = true;
        loop {
            match queue.recv_timeout(CHECKPOINT_WHEN_IDLE) {
                Ok(first) => {
                    self.serve_group(first, queue);
                    checkpointer.committed();
                    checkpointed = false;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if !checkpointed => {
                    // So that reads need not look into the log first.
                    checkpoint(&self.connection);
                    checkpointed = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn serve_group(&self, first: Box<dyn QueuedWrite>, queue: &Receiver<Box<dyn QueuedWrite>>) {
        if first.queued_at().elapsed() > self.acquire_timeout {
            first.fail(DatabaseError::Busy("the writer is behind".to_owned()));
            return;
        }
        if let Err(error) = self.connection.control("BEGIN IMMEDIATE") {
            first.fail(error);
            return;
        }
        let started = Instant::now();
        let mut careful = self.careful.get() > 0;
        self.careful.set(self.careful.get().saturating_sub(1));
        let mut group: Vec<Box<dyn QueuedWrite>> = Vec::new();
        let mut next = Some(first);
        while let Some(mut unit) = next {
            if unit.queued_at().elapsed() > self.acquire_timeout {
                unit.fail(DatabaseError::Busy("the writer is behind".to_owned()));
            } else {
                // What is there already either succeeded or changed nothing.
                careful |= unit.runs_once();
                let kept = if careful {
                    self.run_in_savepoint(unit.as_mut())
                } else {
                    self.run_plainly(unit.as_mut())
                };
                group.push(unit);
                if !kept && careful {
                    return self.run_one_by_one(group);
                } else if !kept {
                    return self.run_again(group);
                }
            }
            let full = group.len() >= GROUP_LENGTH || started.elapsed() >= GROUP_TIME;
            next = if full { None } else { queue.try_recv().ok() };
        }
        self.commit_group(group);
    }

    fn commit_group(&self, group: Vec<Box<dyn QueuedWrite>>) {
        match self.commit() {
            Ok(()) => group.into_iter().for_each(|unit| unit.acknowledge()),
            Err(error) => {
                tracing::warn!(%error, writes = group.len(), "a group commit failed");
                self.run_one_by_one(group);
            }
        }
    }

    /// Runs a unit without a savepoint; `false` when it failed after it had changed something, or the whole transaction
    /// was lost with it.
    fn run_plainly(&self, unit: &mut dyn QueuedWrite) -> bool {
        let before = self.deferred.lock().len();
        let changes = self.connection.total_changes();
        if unit.run(self.transaction.clone()) {
            return !self.connection.is_autocommit();
        }
        self.deferred.lock().truncate(before);
        !self.connection.is_autocommit() && self.connection.total_changes() == changes
    }

    /// After a unit that must be undone: the group again, with savepoints.
    fn run_again(&self, mut group: Vec<Box<dyn QueuedWrite>>) {
        self.careful.set(CAREFUL_GROUPS);
        self.roll_back();
        if let Err(error) = self.connection.control("BEGIN IMMEDIATE") {
            for unit in group {
                unit.fail(error.clone());
            }
            return;
        }
        for unit in &mut group {
            if !self.run_in_savepoint(unit.as_mut()) {
                return self.run_one_by_one(group);
            }
        }
        self.commit_group(group);
    }

    /// Runs a unit in a savepoint; `false` when the whole transaction was lost with it.
    fn run_in_savepoint(&self, unit: &mut dyn QueuedWrite) -> bool {
        if self.connection.control("SAVEPOINT unit").is_err() {
            return false;
        }
        let before = self.deferred.lock().len();
        let succeeded = unit.run(self.transaction.clone());
        if self.connection.is_autocommit() {
            return false;
        }
        if !succeeded {
            self.deferred.lock().truncate(before);
        }
        let kept = if succeeded {
            self.connection.control("RELEASE unit")
        } else {
            self.connection
                .control("ROLLBACK TO unit")
                .and_then(|()| self.connection.control("RELEASE unit"))
        };
        kept.is_ok() && !self.connection.is_autocommit()
    }

    /// After a lost transaction: every unit again, each in a transaction of its own.
    fn run_one_by_one(&self, group: Vec<Box<dyn QueuedWrite>>) {
        self.roll_back();
        for mut unit in group {
            let result = self.connection.control("BEGIN IMMEDIATE").and_then(|()| {
                if unit.run(self.transaction.clone()) {
                    self.commit()
                } else {
                    Ok(())
                }
            });
            self.roll_back();
            match result {
                Ok(()) => unit.acknowledge(),
                Err(error) => unit.fail(error),
            }
        }
    }

    /// Runs what the units have left for the end, and commits.
    fn commit(&self) -> Result<(), DatabaseError> {
        let deferred = std::mem::take(&mut *self.deferred.lock());
        let mut merges: BTreeMap<&'static str, i64> = BTreeMap::new();
        for row in deferred {
            *merges.entry(row.merge).or_default() += 1;
            self.write_deferred(row)?;
        }
        for (merge, rows) in merges {
            self.connection
                .execute(&statement(merge, [Value::from(rows / 2 + 1)]))?;
        }
        self.connection.control("COMMIT")
    }

    fn write_deferred(&self, row: DeferredRow) -> Result<(), DatabaseError> {
        let mut number = None;
        self.connection.query(&row.number, None, |found| {
            number = Some(found.get::<_, i64>(0)?);
            Ok(())
        })?;
        if let Some(number) = number {
            let values = [Value::from(number), Value::from(row.text)];
            self.connection.execute(&Statement::from_sql_and_values(
                DatabaseBackend::Sqlite,
                row.insert,
                values,
            ))?;
        }
        Ok(())
    }

    fn roll_back(&self) {
        self.deferred.lock().clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.control("ROLLBACK")
        {
            tracing::error!(%error, "cannot roll a transaction back");
        }
    }
}

fn statement<const N: usize>(sql: &'static str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DatabaseBackend::Sqlite, sql, values)
}
