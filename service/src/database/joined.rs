//! Several writes, and what is written about them at last, as one transaction.
//!
//! Inside [`JoinedWrites::run`] every [`Database::write`] joins one transaction, which begins with the first of them,
//! and reads see what was written. Whoever called `run` adds what has to be true together with it, and commits. So the
//! reply to a request can be kept in the transaction of its effect, by code that knows nothing of the effect.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::{DbErr, QueryResult, Statement};
use tokio::sync::Mutex;

use super::error::DatabaseError;
use super::held_write::HeldWrite;
use super::postgres_transaction::PostgresTransaction;
use super::row::Row;
use super::transaction::Transaction;
use super::{Database, Engine};
use crate::error::Error;

tokio::task_local! {
    static JOINED: Option<Arc<Joined>>;
}

/// The transaction that the writes of this task join; `None` for nearly all of them.
pub(super) fn current() -> Option<Arc<Joined>> {
    JOINED.try_with(Clone::clone).ok().flatten()
}

/// Whether what this task has written waits for the commit of the request.
pub(crate) fn writes_are_joined() -> bool {
    current().is_some()
}

/// Runs `work` outside the joined transaction, if there is one: for what must see committed rows alone.
pub(crate) async fn apart<F: Future>(work: F) -> F::Output {
    match current() {
        Some(_) => JOINED.scope(None, work).await,
        None => work.await,
    }
}

type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(super) struct Joined {
    open: Mutex<Open>,
    /// What waits for the commit.
    later: parking_lot::Mutex<Vec<Later>>,
}

#[derive(Default)]
enum Open {
    #[default]
    NotYet,
    Sqlite(HeldWrite),
    Postgres(PostgresTransaction),
    /// A unit has failed after another one had succeeded, or was given up.
    Lost,
}

impl Joined {
    /// Runs a unit as a part of the transaction.
    pub(super) async fn write<T, F, Fut>(&self, engine: &Engine, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(Transaction) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut open = self.open.lock().await;
        // Stays so when this is dropped meanwhile.
        let before = std::mem::replace(&mut *open, Open::Lost);
        let first = matches!(before, Open::NotYet);
        let result = match (engine, before) {
            (_, Open::Lost) => return Err(lost()),
            (Engine::Sqlite { writer, .. }, before) => {
                let mut held = match before {
                    Open::Sqlite(held) => held,
                    _ => writer.hold()?,
                };
                let result = held.write(work).await;
                result.map(|value| (value, Open::Sqlite(held)))
            }
            (Engine::Postgres(pool), before) => {
                let transaction = match before {
                    Open::Postgres(transaction) => Some(transaction),
                    _ => None,
                };
                let result = pool.write_open(transaction, &work).await;
                result.map(|(value, transaction)| (value, Open::Postgres(transaction)))
            }
        };
        match result {
            Ok((value, now)) => {
                *open = now;
                Ok(value)
            }
            Err(error) => {
                if first {
                    *open = Open::NotYet;
                }
                Err(error)
            }
        }
    }

    /// Whether there is something that reads have to see. While a unit runs, its reads go through its transaction.
    pub(super) fn is_open(&self) -> bool {
        self.open
            .try_lock()
            .is_ok_and(|open| matches!(*open, Open::Sqlite(_) | Open::Postgres(_)))
    }

    /// Reads in the transaction.
    pub(super) async fn fold<S, F>(&self, statement: Statement, step: F) -> Result<S, DatabaseError>
    where
        S: Default + Send + 'static,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError> + Send + 'static,
    {
        if let Open::Sqlite(held) = &mut *self.open.lock().await {
            return held.fold(statement, step).await;
        }
        let mut state = S::default();
        for row in self.query_all(statement).await? {
            step(&mut state, &Row::Postgres(&row))?;
        }
        Ok(state)
    }

    /// The same on PostgreSQL, for SeaORM's entities.
    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &*self.open.lock().await {
            Open::Postgres(transaction) => {
                let rows = transaction.query_all(statement).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            _ => Err(DbErr::Custom(
                "the transaction of this request is lost".to_owned(),
            )),
        }
    }
}

fn lost() -> Error {
    DatabaseError::Unavailable("the transaction of this request is lost".to_owned()).into()
}

/// Writes that are going to be one transaction. Dropped, they are undone.
pub(crate) struct JoinedWrites {
    database: Database,
    joined: Arc<Joined>,
}

impl Database {
    /// Does `work` when what this task has written is committed: now, or where the writes of a request are joined, at
    /// the end of that. It is not done when they are undone.
    pub(crate) async fn after_commit(&self, work: impl Future<Output = ()> + Send + 'static) {
        match current() {
            Some(joined) => joined.later.lock().push(Box::pin(work)),
            None => work.await,
        }
    }

    pub(crate) fn join_writes(&self) -> JoinedWrites {
        JoinedWrites {
            database: self.clone(),
            joined: Arc::default(),
        }
    }
}

impl JoinedWrites {
    /// Runs `work`, all of whose writes join. What it hands to other tasks does not.
    pub(crate) async fn run<F: Future>(&self, work: F) -> F::Output {
        JOINED.scope(Some(Arc::clone(&self.joined)), work).await
    }

    /// Keeps what was written; returns when it is durable. An error may be that of any of the writes.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        let open = std::mem::replace(&mut *self.joined.open.lock().await, Open::Lost);
        match (&self.database.inner.engine, open) {
            (_, Open::NotYet) => {}
            (_, Open::Sqlite(held)) => held.commit().await?,
            (Engine::Postgres(pool), Open::Postgres(transaction)) => {
                pool.commit(transaction).await?;
            }
            _ => return Err(lost()),
        }
        let later = std::mem::take(&mut *self.joined.later.lock());
        for work in later {
            work.await;
        }
        Ok(())
    }

    pub(crate) async fn roll_back(self) {
        let open = std::mem::replace(&mut *self.joined.open.lock().await, Open::Lost);
        if let Open::Postgres(transaction) = open {
            transaction.rollback().await;
        }
    }
}
