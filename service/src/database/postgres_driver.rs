//! PostgreSQL through SeaORM's own driver: the pool, and transactions that are run again after a collision.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr, QueryResult, Statement, StreamTrait,
};

use super::error::DatabaseError;
use super::observe::Observer;
use super::options::DatabaseOptions;
use super::pending_lists::PendingLists;
use super::postgres_transaction::PostgresTransaction;
use super::row::Row;
use super::transaction::Transaction;
use super::url::PostgresTarget;
use crate::error::Error;
use crate::random::Random;

/// How often a whole unit is run when it collides with others.
const ATTEMPTS: u32 = 5;

/// A connection that idled this long is asked whether it still lives before it is used.
const CHECK_AFTER_IDLING: Duration = Duration::from_secs(10);

/// The pool, and what its users need with it.
pub(super) struct PostgresPool {
    pub(super) connection: DatabaseConnection,
    pending_lists: PendingLists,
    pub(super) observer: Arc<Observer>,
    random: Arc<dyn Random>,
}

impl PostgresPool {
    pub(super) async fn connect(
        target: &PostgresTarget,
        options: &DatabaseOptions,
        observer: Arc<Observer>,
        random: Arc<dyn Random>,
    ) -> Result<Self, DatabaseError> {
        let statement_timeout = options.statement_timeout.as_millis().to_string();
        let mut connect = ConnectOptions::new(target.driver_url());
        connect
            .max_connections(options.max_connections)
            .min_connections(options.min_connections.min(options.max_connections))
            .acquire_timeout(options.acquire_timeout)
            .connect_timeout(options.acquire_timeout)
            .idle_timeout(options.idle_timeout)
            .max_lifetime(options.max_lifetime)
            .test_before_acquire(false)
            .test_before_acquire_if_idle_for(CHECK_AFTER_IDLING)
            .connect_lazy(true)
            .sqlx_logging(false)
            .map_sqlx_postgres_opts(move |driver| {
                driver.application_name("pharos").options([
                    ("statement_timeout", statement_timeout.as_str()),
                    ("default_transaction_isolation", "read committed"),
                    ("timezone", "UTC"),
                ])
            });
        // The driver's own error would carry the URL with its password.
        let connection = sea_orm::Database::connect(connect).await.map_err(|_| {
            DatabaseError::Unavailable(format!(
                "cannot set up a pool for {}",
                super::url::DatabaseUrl::Postgres(target.clone())
            ))
        })?;
        let pool = connection.get_postgres_connection_pool().clone();
        let minimum = options.min_connections.min(options.max_connections);
        tokio::spawn(async move {
            // The least connections are opened beside the first requests, not in their way.
            let opened = futures_util::future::join_all((0..minimum).map(|_| pool.acquire())).await;
            drop(opened);
        });
        Ok(Self {
            pending_lists: PendingLists::start(connection.clone()),
            connection,
            observer,
            random,
        })
    }

    /// Folds the rows of a statement into a state while they arrive.
    pub(super) async fn fold<S, F>(&self, statement: Statement, step: F) -> Result<S, DatabaseError>
    where
        S: Default,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError>,
    {
        use futures_util::TryStreamExt;

        let started = Instant::now();
        let sql = statement.sql.clone();
        let mut rows = self.connection.stream_raw(statement).await?;
        let mut state = S::default();
        let mut count = 0;
        while let Some(row) = rows.try_next().await? {
            count += 1;
            step(&mut state, &Row::Postgres(&row))?;
        }
        self.observer.record(&sql, started, count);
        Ok(state)
    }

    /// All rows, for SeaORM's entities.
    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, started) = (statement.sql.clone(), Instant::now());
        let rows = self.connection.query_all_raw(statement).await?;
        self.observer.record(&sql, started, rows.len() as u64);
        Ok(rows)
    }

    /// Runs a unit in a transaction of its own, again from the beginning when it collides with another one.
    pub(super) async fn write<T, F, Fut>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        self.repeated(|| async {
            let (value, transaction) = self.write_once(None, &work).await?;
            self.commit(transaction).await?;
            Ok(value)
        })
        .await
    }

    /// Runs a unit in an open transaction, or in a new one, and leaves it open. A new one is begun again after a
    /// collision.
    pub(super) async fn write_open<T, F, Fut>(
        &self,
        transaction: Option<PostgresTransaction>,
        work: &F,
    ) -> Result<(T, PostgresTransaction), Error>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        match transaction {
            Some(transaction) => self.write_once(Some(transaction), work).await,
            None => self.repeated(|| self.write_once(None, work)).await,
        }
    }

    pub(super) async fn commit(&self, transaction: PostgresTransaction) -> Result<(), Error> {
        transaction.commit().await.map_err(DatabaseError::from)?;
        self.pending_lists.committed();
        Ok(())
    }

    async fn repeated<T, Fut>(&self, run: impl Fn() -> Fut) -> Result<T, Error>
    where
        Fut: Future<Output = Result<T, Error>>,
    {
        let mut attempt = 1;
        loop {
            match run().await {
                Err(Error::Database(error)) if error.is_collision() && attempt < ATTEMPTS => {
                    tracing::debug!(%error, attempt, "running a transaction again");
                    tokio::time::sleep(self.backoff(attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn write_once<T, F, Fut>(
        &self,
        transaction: Option<PostgresTransaction>,
        work: &F,
    ) -> Result<(T, PostgresTransaction), Error>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let transaction = Transaction::on_postgres(transaction.unwrap_or_else(|| {
            PostgresTransaction::new(self.connection.clone(), Arc::clone(&self.observer))
        }));
        let result = work(transaction.clone()).await;
        let transaction = transaction.into_postgres()?;
        match result {
            Ok(value) => Ok((value, transaction)),
            Err(error) => {
                transaction.rollback().await.map_err(DatabaseError::from)?;
                Err(error)
            }
        }
    }

    /// Full jitter over an exponentially growing span: 10, 20, 40, 80 ms at most.
    fn backoff(&self, attempt: u32) -> Duration {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        let span = 10_000_u64 << (attempt - 1);
        Duration::from_micros(u64::from_le_bytes(bytes) % span)
    }
}
