//! The one SQLite writer, and group commit: writes that arrive together share one transaction and one fsync.
//!
//! Each write runs in a savepoint of its own, so that a failing one is undone alone, and is acknowledged only
//! after the commit that carries it is on disk. When the shared transaction itself is lost (a full disk, a failed
//! commit), every write in it runs again in a transaction of its own, and only those that fail by themselves fail.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::checkpointer::{Checkpointer, checkpoint};
use super::error::DatabaseError;
use super::observe::{self, Origin};
use super::sqlite_driver::SqliteConnection;
use super::transaction::{Deferred, Transaction};
use super::turn::{PAUSE, Turn};
use super::writer_counts::WriterCounts;
use crate::error::Error;

/// How many writes may wait; the next one is told that the database is busy.
const QUEUE_LENGTH: usize = 1_024;

/// How many writes share one transaction at most.
const GROUP_LENGTH: usize = 128;

/// How long a transaction takes in further writes before it commits.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// After this time without a write the log is checkpointed.
const CHECKPOINT_WHEN_IDLE: Duration = Duration::from_millis(500);

/// A write in the queue, its type erased.
trait QueuedWrite: Send {
    /// Runs the unit and keeps its result; tells whether it succeeded.
    fn run(&mut self, transaction: Transaction) -> bool;

    /// Hands the kept result to the caller.
    fn acknowledge(self: Box<Self>);

    /// Tells the caller that the unit could not be made durable.
    fn fail(self: Box<Self>, error: DatabaseError);

    fn queued_at(&self) -> Instant;
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
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            observe::sync_attributed(self.origin.clone(), || {
                (self.work)(transaction).now_or_never()
            })
        }));
        let result = match outcome {
            Ok(Some(result)) => result,
            Ok(None) => Err(Error::Internal(
                "a write waited for something other than its transaction".to_owned(),
            )),
            Err(_) => Err(Error::Internal("a write panicked".to_owned())),
        };
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

/// The writer's thread, seen from outside.
pub(super) struct Writer {
    queue: SyncSender<Box<dyn QueuedWrite>>,
    counts: Arc<WriterCounts>,
}

impl Writer {
    /// Starts the thread. It ends when the `Writer` is dropped and the queue is empty.
    pub(super) fn start(
        connection: SqliteConnection,
        checkpointer: Checkpointer,
        turn: Turn,
        acquire_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        let (queue, receiver) = sync_channel(QUEUE_LENGTH);
        let counts = Arc::new(WriterCounts::default());
        let group = Group::new(connection, turn, Arc::clone(&counts), acquire_timeout)?;
        std::thread::Builder::new()
            .name("pharos-writer".to_owned())
            .spawn(move || group.serve(&receiver, checkpointer))
            .map_err(|error| DatabaseError::Other(format!("cannot start the writer: {error}")))?;
        Ok(Self { queue, counts })
    }

    pub(super) fn counts(&self) -> &WriterCounts {
        &self.counts
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
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        self.queue
            .try_send(Box::new(unit))
            .inspect_err(|_| {
                self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            })
            .map_err(|error| match error {
                TrySendError::Full(_) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    DatabaseError::Busy("the writer's queue is full".to_owned())
                }
                TrySendError::Disconnected(_) => {
                    DatabaseError::Unavailable("the writer has stopped".to_owned())
                }
            })?;
        answer
            .await
            .map_err(|_| DatabaseError::Unavailable("the writer has stopped".to_owned()))?
    }
}

struct Group {
    connection: Arc<SqliteConnection>,
    transaction: Transaction,
    deferred: Deferred,
    turn: Turn,
    counts: Arc<WriterCounts>,
    acquire_timeout: Duration,
}

impl Group {
    fn new(
        connection: SqliteConnection,
        turn: Turn,
        counts: Arc<WriterCounts>,
        acquire_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        connection.wait_for_locks(acquire_timeout)?;
        let connection = Arc::new(connection);
        let deferred = Deferred::default();
        let transaction = Transaction::on_sqlite(Arc::clone(&connection), Arc::clone(&deferred));
        Ok(Self {
            connection,
            transaction,
            deferred,
            turn,
            counts,
            acquire_timeout,
        })
    }

    fn refuse(&self, unit: Box<dyn QueuedWrite>, error: DatabaseError) {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        unit.fail(error);
    }

    /// Begins a transaction when it is this process's turn.
    fn begin(&self) -> Result<(), DatabaseError> {
        let began = Instant::now();
        let until = began + self.acquire_timeout;
        if !self.turn.take(until) {
            return Err(DatabaseError::Busy(
                "another process writes all the time".to_owned(),
            ));
        }
        self.connection.wait_for_locks(Duration::ZERO)?;
        let mut waited = false;
        let result = loop {
            match self.connection.control("BEGIN IMMEDIATE") {
                Err(DatabaseError::Busy(_)) if Instant::now() < until => {
                    waited = true;
                    std::thread::sleep(PAUSE);
                }
                result => break result,
            }
        };
        self.turn.give_up();
        self.connection.wait_for_locks(self.acquire_timeout)?;
        if waited {
            let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.counts.lock_waits.fetch_add(1, Ordering::Relaxed);
            self.counts
                .lock_wait_microseconds
                .fetch_add(waited, Ordering::Relaxed);
        }
        result
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
        self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
        if first.queued_at().elapsed() > self.acquire_timeout {
            let late = DatabaseError::Busy("the writer is behind".to_owned());
            self.refuse(first, late);
            return;
        }
        if let Err(error) = self.begin() {
            self.refuse(first, error);
            return;
        }
        let started = Instant::now();
        let mut group: Vec<Box<dyn QueuedWrite>> = Vec::new();
        let mut next = Some(first);
        while let Some(mut unit) = next {
            if unit.queued_at().elapsed() > self.acquire_timeout {
                let late = DatabaseError::Busy("the writer is behind".to_owned());
                self.refuse(unit, late);
            } else {
                let kept = self.run_in_savepoint(unit.as_mut());
                group.push(unit);
                if !kept {
                    return self.run_one_by_one(group);
                }
            }
            let full = group.len() >= GROUP_LENGTH || started.elapsed() >= GROUP_TIME;
            next = if full { None } else { queue.try_recv().ok() };
            if next.is_some() {
                self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.counts.group(group.len());
        match self.commit() {
            Ok(()) => group.into_iter().for_each(|unit| unit.acknowledge()),
            Err(error) => {
                tracing::warn!(%error, writes = group.len(), "a group commit failed");
                self.run_one_by_one(group);
            }
        }
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
        self.counts.lost_groups.fetch_add(1, Ordering::Relaxed);
        for mut unit in group {
            let result = self.begin().and_then(|()| {
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
        for statement in &deferred {
            self.connection.execute(statement)?;
        }
        self.connection.control("COMMIT")
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
