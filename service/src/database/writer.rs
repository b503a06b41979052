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
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use sea_orm::Value;
use tokio::sync::oneshot;

use super::breaks::Breaks;
use super::checkpointer::{Checkpointer, checkpoint};
use super::company::Company;
use super::error::DatabaseError;
use super::held_write::HeldWrite;
use super::observe;
use super::queued_write::{QueuedWrite, Unit};
use super::sqlite_driver::SqliteConnection;
use super::transaction::{Deferral, Deferred, Transaction};
use super::turn::{PAUSE, Turn};
use super::writer_counts::WriterCounts;
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

/// The writer's thread, seen from outside.
pub(super) struct Writer {
    queue: SyncSender<Box<dyn QueuedWrite>>,
    connection: Arc<SqliteConnection>,
    counts: Arc<WriterCounts>,
}

impl Writer {
    /// Starts the thread. It ends when the `Writer` is dropped and the queue is empty.
    pub(super) fn start(
        connection: SqliteConnection,
        checkpointer: Checkpointer,
        turn: Turn,
        breaks: Breaks,
        acquire_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        let (queue, receiver) = sync_channel(QUEUE_LENGTH);
        connection.wait_for_locks(acquire_timeout)?;
        let connection = Arc::new(connection);
        let counts = Arc::new(WriterCounts::default());
        let group = Group::new(
            Arc::clone(&connection),
            turn,
            breaks,
            Arc::clone(&counts),
            acquire_timeout,
        );
        std::thread::Builder::new()
            .name("pharos-writer".to_owned())
            .spawn(move || group.serve(&receiver, checkpointer))
            .map_err(|error| DatabaseError::Other(format!("cannot start the writer: {error}")))?;
        Ok(Self {
            queue,
            connection,
            counts,
        })
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
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(unit).map_err(|error| {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    DatabaseError::Busy("the writer's queue is full".to_owned())
                }
                TrySendError::Disconnected(_) => {
                    DatabaseError::Unavailable("the writer has stopped".to_owned())
                }
            }
        })
    }
}

struct Group {
    connection: Arc<SqliteConnection>,
    transaction: Transaction,
    deferred: Deferred,
    turn: Turn,
    breaks: Breaks,
    counts: Arc<WriterCounts>,
    acquire_timeout: Duration,
    /// How many of the next groups run with savepoints.
    careful: Cell<u32>,
    company: Company,
}

impl Group {
    fn new(
        connection: Arc<SqliteConnection>,
        turn: Turn,
        breaks: Breaks,
        counts: Arc<WriterCounts>,
        acquire_timeout: Duration,
    ) -> Self {
        let deferred = Deferred::default();
        let transaction = Transaction::on_sqlite(Arc::clone(&connection), Arc::clone(&deferred));
        Self {
            connection,
            transaction,
            deferred,
            turn,
            breaks,
            counts,
            acquire_timeout,
            careful: Cell::new(0),
            company: Company::default(),
        }
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
                    let began = Instant::now();
                    self.serve_group(first, queue);
                    checkpointer.committed(&self.connection);
                    checkpointed = false;
                    let writes = self.counts.writes.load(Ordering::Relaxed);
                    std::thread::sleep(self.breaks.after(writes, began.elapsed()));
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
        let mut careful = self.careful.get() > 0;
        self.careful.set(self.careful.get().saturating_sub(1));
        let mut group: Vec<Box<dyn QueuedWrite>> = Vec::new();
        let mut next = Some(first);
        while let Some(mut unit) = next {
            if unit.queued_at().elapsed() > self.acquire_timeout {
                let late = DatabaseError::Busy("the writer is behind".to_owned());
                self.refuse(unit, late);
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
            next = if full {
                None
            } else {
                self.company.next(queue, group.len())
            };
            if next.is_some() {
                self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.commit_group(group);
    }

    fn commit_group(&self, group: Vec<Box<dyn QueuedWrite>>) {
        self.counts.group(group.len());
        let result = self.commit();
        // None of those whose writes these are has been answered yet.
        let waiting = self.counts.waiting.load(Ordering::Relaxed);
        let waiting = usize::try_from(waiting).unwrap_or(0);
        self.company.seen(group.len() + waiting);
        match result {
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
        if let Err(error) = self.begin() {
            for unit in group {
                self.refuse(unit, error.clone());
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

    /// Runs what the units have left for the end, and commits. Of several rows with one number the last is written; and
    /// they are written in the order of the numbers, since FTS5 writes its index out whenever a smaller one comes.
    fn commit(&self) -> Result<(), DatabaseError> {
        let deferred = std::mem::take(&mut *self.deferred.lock());
        let mut rows = BTreeMap::new();
        for deferral in deferred {
            let Some(number) = self.number(&deferral)? else {
                continue;
            };
            for row in deferral.rows {
                rows.insert((row.insert, number), row);
            }
        }
        let mut merges: BTreeMap<&'static str, i64> = BTreeMap::new();
        for ((insert, number), row) in rows {
            *merges.entry(row.merge).or_default() += 1;
            self.connection
                .execute(insert, &[number.into(), row.text.into()])?;
        }
        for (merge, rows) in merges {
            self.connection
                .execute(merge, &[Value::from(rows / 2 + 1)])?;
        }
        self.connection.control("COMMIT")
    }

    fn number(&self, deferral: &Deferral) -> Result<Option<i64>, DatabaseError> {
        let mut number = None;
        self.connection.query(&deferral.number, None, |found| {
            number = Some(found.get::<_, i64>(0)?);
            Ok(())
        })?;
        Ok(number)
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
