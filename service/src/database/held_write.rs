//! A write on SQLite that stays open: what is done in it is sent to the writer's thread piece by piece.
//!
//! It has a savepoint in the group's transaction as every write does. The group waits for it, but not for long.

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use sea_orm::Statement;
use tokio::sync::oneshot;

use super::error::DatabaseError;
use super::observe::{self, Origin};
use super::queued_write::{QueuedWrite, run_now};
use super::row::Row;
use super::sqlite_driver::SqliteConnection;
use super::transaction::Transaction;
use crate::error::Error;

/// How long the writer waits for the next piece: everybody else's writes wait with it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a statement that reads inside the transaction may run.
const READ_LIMIT: Duration = Duration::from_secs(5);

type Work = Box<dyn FnOnce(&Transaction, &SqliteConnection) + Send>;

enum Piece {
    Run(Work),
    Keep,
}

/// The open write, seen from outside. Dropped, it is undone.
pub(super) struct HeldWrite {
    pieces: Sender<Piece>,
    end: oneshot::Receiver<Result<(), Error>>,
}

/// The same as the writer sees it.
pub(super) struct HeldUnit {
    pieces: Receiver<Piece>,
    end: oneshot::Sender<Result<(), Error>>,
    connection: Arc<SqliteConnection>,
    began: bool,
    kept: bool,
    queued_at: Instant,
}

impl HeldWrite {
    pub(super) fn new(connection: Arc<SqliteConnection>) -> (Self, HeldUnit) {
        let (sender, receiver) = channel();
        let (told, end) = oneshot::channel();
        let unit = HeldUnit {
            pieces: receiver,
            end: told,
            connection,
            began: false,
            kept: false,
            queued_at: Instant::now(),
        };
        let held = Self {
            pieces: sender,
            end,
        };
        (held, unit)
    }

    /// Runs a unit in the open write.
    pub(super) async fn write<T, F, Fut>(&mut self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(Transaction) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>>,
    {
        let origin = observe::current();
        self.run(move |transaction, _| run_now(origin, || work(transaction.clone())))
            .await
    }

    /// Reads what is written so far.
    pub(super) async fn fold<S, F>(
        &mut self,
        statement: Statement,
        step: F,
    ) -> Result<S, DatabaseError>
    where
        S: Default + Send + 'static,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError> + Send + 'static,
    {
        let origin: Option<Origin> = observe::current();
        let read = self
            .run(move |_, connection| {
                observe::sync_attributed(origin, || {
                    let mut state = S::default();
                    connection.query(&statement, Some(READ_LIMIT), |row| {
                        step(&mut state, &Row::Sqlite(row))
                    })?;
                    Ok(state)
                })
            })
            .await;
        read.map_err(|error| match error {
            Error::Database(error) => error,
            other => DatabaseError::Other(other.to_string()),
        })
    }

    /// Keeps what was done; returns when it is on disk.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        // A writer that has given up says so at the end.
        let _ = self.pieces.send(Piece::Keep);
        self.ended().await
    }

    async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Transaction, &SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let piece = Piece::Run(Box::new(move |transaction, connection| {
            // The caller may have gone away.
            let _ = reply.send(work(transaction, connection));
        }));
        if self.pieces.send(piece).is_ok()
            && let Ok(result) = answer.await
        {
            return result;
        }
        Err(self.ended().await.err().unwrap_or_else(lost))
    }

    async fn ended(&mut self) -> Result<(), Error> {
        (&mut self.end).await.unwrap_or_else(|_| {
            Err(DatabaseError::Unavailable("the writer has stopped".to_owned()).into())
        })
    }
}

fn lost() -> Error {
    DatabaseError::Busy("a write that others waited for took too long".to_owned()).into()
}

impl QueuedWrite for HeldUnit {
    fn run(&mut self, transaction: Transaction) -> bool {
        // What came of it the first time has been handed out: it cannot be run again.
        if std::mem::replace(&mut self.began, true) {
            self.kept = false;
            return false;
        }
        loop {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(Piece::Run(work)) => work(&transaction, &self.connection),
                Ok(Piece::Keep) => {
                    self.kept = true;
                    return true;
                }
                Err(_) => return false,
            }
        }
    }

    fn acknowledge(self: Box<Self>) {
        let _ = self.end.send(if self.kept { Ok(()) } else { Err(lost()) });
    }

    fn fail(self: Box<Self>, error: DatabaseError) {
        let _ = self.end.send(Err(error.into()));
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn runs_once(&self) -> bool {
        true
    }
}
