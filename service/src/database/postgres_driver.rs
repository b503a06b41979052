//! PostgreSQL: reads that are asked again when their connection breaks, and transactions that are run again after a
//! collision or a lost connection.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, QueryResult, Statement};
use tokio::sync::{Mutex, RwLock};
use tokio::time::timeout;

use super::error::{DatabaseError, to_connect_err};
use super::observe::Observer;
use super::options::DatabaseOptions;
use super::pending_lists::PendingLists;
use super::places::Places;
use super::postgres_connect::Connector;
use super::postgres_lent::Lent;
use super::postgres_pool::{Pool, PoolState};
use super::postgres_transaction::{PostgresTransaction, to_exec_err, to_query_err};
use super::row::Row;
use super::transaction::Transaction;
use super::url::PostgresTarget;
use crate::error::Error;
use crate::random::Random;

/// How often a whole unit is run when it collides with others.
const ATTEMPTS: u32 = 5;

/// How long a unit waits while one that has collided runs alone; then it goes on beside it.
const COMPANY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a unit that has collided waits until no other one runs; then it goes on beside those that do.
const ALONE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it then waits until no other one that has collided runs.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// How often something is asked again, or run again, because its connection broke.
const LOST_ATTEMPTS: u32 = 20;

/// How long the outcome of a write is looked for when the answer to its commit was lost.
const RESOLVE_FOR: Duration = Duration::from_secs(5);

/// The pool, and what its users need with it.
pub(super) struct PostgresPool {
    pub(super) pool: Arc<Pool>,
    pending_lists: PendingLists,
    pub(super) observer: Arc<Observer>,
    random: Arc<dyn Random>,
    /// How often a unit was run again, or a read asked again.
    repeats: AtomicU64,
    /// Had by the one unit that runs again.
    again: Mutex<()>,
    /// Shared by units on their first attempt; had alone by the one that runs again.
    company: RwLock<()>,
    places: Places,
    statement_timeout: Duration,
}

impl PostgresPool {
    pub(super) fn connect(
        target: &PostgresTarget,
        options: &DatabaseOptions,
        observer: Arc<Observer>,
        random: Arc<dyn Random>,
    ) -> Result<Self, DatabaseError> {
        let connector = Connector::new(target, options.statement_timeout)?;
        let pool = Pool::new(connector, options);
        Ok(Self {
            pending_lists: PendingLists::start(Arc::clone(&pool)),
            pool,
            observer,
            random,
            repeats: AtomicU64::new(0),
            again: Mutex::new(()),
            company: RwLock::new(()),
            places: Places::new(),
            statement_timeout: options.statement_timeout,
        })
    }

    pub(super) fn state(&self) -> PoolState {
        PoolState {
            repeats: self.repeats.load(Ordering::Relaxed),
            ..self.pool.state()
        }
    }

    /// Folds the rows of a statement into a state while they arrive.
    pub(super) async fn fold<S, F>(&self, statement: Statement, step: F) -> Result<S, DatabaseError>
    where
        S: Default,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError>,
    {
        let mut attempts = Attempts::new(self);
        loop {
            match self.fold_once(&statement, &step).await {
                Err(error) if error.is_lost() && attempts.another().await => {}
                result => return result,
            }
        }
    }

    async fn fold_once<S, F>(&self, statement: &Statement, step: &F) -> Result<S, DatabaseError>
    where
        S: Default,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError>,
    {
        let _read = self.places.read();
        let mut lent = self.reader().await?;
        let (started, mut count) = (Instant::now(), 0);
        let mut state = S::default();
        let mut refused = None;
        let read = lent
            .each_row(statement, |row| {
                count += 1;
                let row = QueryResult::from(row);
                refused = step(&mut state, &Row::Postgres(&row)).err();
                refused.is_none()
            })
            .await;
        self.observer.record(&statement.sql, started, count);
        read.map_err(to_query_err)?;
        match refused {
            Some(error) => Err(error),
            None => self.done(lent).await.map(|()| state),
        }
    }

    /// All rows, for SeaORM's entities.
    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut attempts = Attempts::new(self);
        loop {
            match self.query_once(&statement).await {
                Err(error)
                    if DatabaseError::from(error.clone()).is_lost() && attempts.another().await => {
                }
                result => return result,
            }
        }
    }

    async fn query_once(&self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let _read = self.places.read();
        let mut lent = self.reader().await.map_err(to_connect_err)?;
        let started = Instant::now();
        let rows = lent.rows(statement, true).await;
        let count = rows.as_ref().map_or(0, Vec::len);
        self.observer.record(&statement.sql, started, count as u64);
        let rows = rows.map_err(to_query_err)?;
        self.done(lent).await.map_err(to_connect_err)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// How a statement would be run for values that are not known.
    pub(super) async fn explain_generic(&self, sql: &str) -> Result<Vec<String>, DatabaseError> {
        let values = vec!["NULL"; count_placeholders(sql)].join(", ");
        let values = if values.is_empty() {
            values
        } else {
            format!("({values})")
        };
        let mut lent = self.pool.acquire().await?;
        lent.begin(false).await.map_err(to_exec_err)?;
        let prepare = format!(
            "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE pharos_explain AS {sql}"
        );
        lent.simple(&prepare, true).await.map_err(to_exec_err)?;
        let explain = format!("EXPLAIN EXECUTE pharos_explain{values}");
        let lines = lent.simple_rows(&explain).await;
        let end = "ROLLBACK; DEALLOCATE pharos_explain";
        lent.simple(end, true).await.map_err(to_exec_err)?;
        lent.ended();
        let lines = lines.map_err(to_query_err)?;
        let lines = lines.into_iter().map(|row| {
            QueryResult::from(row)
                .try_get_by_index(0)
                .map_err(DatabaseError::from)
        });
        lines.collect()
    }

    /// A connection on which a statement can run; behind a pooler that takes a transaction, which keeps its parts
    /// together.
    async fn reader(&self) -> Result<Lent, DatabaseError> {
        let mut lent = self.pool.acquire().await?;
        if self.pool.connector.is_pooled() {
            lent.begin(true).await.map_err(to_exec_err)?;
        }
        Ok(lent)
    }

    async fn done(&self, mut lent: Lent) -> Result<(), DatabaseError> {
        if self.pool.connector.is_pooled() {
            lent.commit().await.map_err(to_exec_err)?;
        }
        Ok(())
    }

    /// Runs a unit in a transaction of its own, again from the beginning when it collides with another one or loses its
    /// connection before the end.
    pub(super) async fn write<T, F, Fut>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let work = &work;
        self.repeated(|patient| async move {
            let place = self.places.take().await;
            let (value, transaction) = self.write_once(None, work, patient).await?;
            self.commit(transaction).await?;
            self.places.give_back(place);
            Ok(value)
        })
        .await
    }

    /// Runs a unit in an open transaction, or in a new one, and leaves it open. A new one is begun again as often as
    /// [`Self::write`] does it.
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
            Some(transaction) => self.write_once(Some(transaction), work, false).await,
            None => {
                self.repeated(|patient| self.write_once(None, work, patient))
                    .await
            }
        }
    }

    pub(super) async fn commit(&self, transaction: PostgresTransaction) -> Result<(), Error> {
        transaction.commit().await?;
        self.pending_lists.committed();
        Ok(())
    }

    /// Units that lock the same rows in other orders wait for each other, and PostgreSQL takes a second to notice, for one
    /// of them each time. So on its first attempt a unit waits for a lock for a short while only, and those that run again
    /// do so one at a time, if it can be without company, and wait as long as they have to: whoever is in their way gives
    /// way.
    async fn repeated<T, Fut>(&self, run: impl Fn(bool) -> Fut) -> Result<T, Error>
    where
        Fut: Future<Output = Result<T, Error>>,
    {
        let mut attempt = 1;
        let mut attempts = Attempts::new(self);
        loop {
            // The time of the run alone, without what was waited for before it.
            let (began, result) = if attempt == 1 {
                let _company = match self.company.try_read() {
                    Ok(company) => Some(company),
                    Err(_) => timeout(COMPANY_TIMEOUT, self.company.read()).await.ok(),
                };
                (Instant::now(), run(false).await)
            } else {
                let _alone = timeout(ALONE_TIMEOUT, self.company.write()).await;
                let turn = timeout(TURN_TIMEOUT, self.again.lock()).await;
                (Instant::now(), run(turn.is_ok()).await)
            };
            match result {
                Err(Error::Database(error))
                    if attempt < ATTEMPTS && self.is_collision(&error, began.elapsed()) =>
                {
                    tracing::debug!(%error, attempt, "running a transaction again");
                    self.repeats.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(self.backoff(attempt)).await;
                    attempt += 1;
                }
                Err(Error::Database(error)) if error.is_lost() && attempts.another().await => {}
                result => return result,
            }
        }
    }

    /// A lock that was got just when the time for it was over has PostgreSQL say that the statement was cancelled, as after
    /// the statement timeout, which it cannot be as long as the attempt was shorter.
    fn is_collision(&self, error: &DatabaseError, took: Duration) -> bool {
        error.is_collision()
            || matches!(error, DatabaseError::Timeout(_)) && took < self.statement_timeout
    }

    /// Runs a unit that writes rows with keys of their own. When the answer to its commit is lost it is run again: if the
    /// keys are taken then, which `constraint` tells, it was stored the first time.
    pub(super) async fn write_new<F, Fut>(&self, constraint: &str, work: F) -> Result<(), Error>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<(), Error>>,
    {
        let unknown = match self.write(&work).await {
            Err(Error::Database(error @ DatabaseError::OutcomeUnknown(_))) => error,
            result => return result,
        };
        let until = Instant::now() + RESOLVE_FOR;
        while Instant::now() < until && !self.pool.is_silent() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            match self.write(&work).await {
                Ok(()) => return Ok(()),
                Err(Error::Database(DatabaseError::Duplicate(name))) if name == constraint => {
                    return Ok(());
                }
                Err(error) => tracing::debug!(%error, "the outcome of a write is still unknown"),
            }
        }
        Err(unknown.into())
    }

    async fn write_once<T, F, Fut>(
        &self,
        transaction: Option<PostgresTransaction>,
        work: &F,
        patient: bool,
    ) -> Result<(T, PostgresTransaction), Error>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let transaction = Transaction::on_postgres(transaction.unwrap_or_else(|| {
            PostgresTransaction::new(Arc::clone(&self.pool), Arc::clone(&self.observer), patient)
        }));
        let result = work(transaction.clone()).await;
        let transaction = transaction.into_postgres()?;
        match result {
            Ok(value) => Ok((value, transaction)),
            Err(error) => {
                transaction.rollback().await;
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

/// The highest number after a `$`.
fn count_placeholders(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

/// Counts attempts after lost connections, which end with the patience for a connection.
struct Attempts<'p> {
    pool: &'p PostgresPool,
    until: Option<Instant>,
    made: u32,
}

impl<'p> Attempts<'p> {
    fn new(pool: &'p PostgresPool) -> Self {
        Self {
            pool,
            until: None,
            made: 0,
        }
    }

    /// Whether there is another attempt; waits a little before all but the first.
    async fn another(&mut self) -> bool {
        let now = Instant::now();
        let until = *self
            .until
            .get_or_insert(now + self.pool.pool.acquire_timeout);
        if now >= until || self.made >= LOST_ATTEMPTS {
            return false;
        }
        if self.made > 0 {
            tokio::time::sleep(Duration::from_millis(5) * self.made).await;
        }
        self.made += 1;
        self.pool.repeats.fetch_add(1, Ordering::Relaxed);
        true
    }
}
