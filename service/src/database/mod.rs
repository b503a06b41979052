//! The database: one handle over SQLite and PostgreSQL, chosen once from the URL's scheme.
//!
//! Reads go through [`Database::fold`] and its shorter forms, writes through [`Database::write`]. Nothing above
//! this module knows which database answers, except the strategies in `sqlite.rs` and `postgres.rs` pairs.

mod batch;
mod breaks;
mod bulk;
mod checkpointer;
mod company;
mod entity_reads;
mod error;
mod gathered;
mod held_write;
mod joined;
mod migrate;
mod monitor;
pub mod observe;
mod online;
mod options;
mod pending_lists;
mod places;
mod postgres_care;
mod postgres_connect;
mod postgres_driver;
mod postgres_lent;
mod postgres_pool;
mod postgres_transaction;
mod pour;
mod queued_write;
mod readers;
mod row;
mod scratch;
mod sqlite_driver;
mod sqlite_open;
mod transaction;
mod turn;
mod url;
mod writer;
mod writer_counts;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, Value};

pub use self::batch::Batcher;
pub(crate) use self::bulk::{BulkInsert, ColumnType, Form, token_vector};
pub use self::error::DatabaseError;
pub(crate) use self::joined::{JoinedWrites, apart, writes_are_joined};
pub use self::migrate::MigrationStep;
pub use self::monitor::{
    DatabaseReport, GroupSize, PoolReport, PostgresReport, RouteReport, SlowStatementReport,
    SqliteReport, StatementReport, TopStatement,
};
pub use self::options::DatabaseOptions;
pub use self::postgres_pool::PoolState;
pub use self::row::{Column, FromRow, Row};
pub use self::scratch::ScratchDatabase;
pub use self::transaction::Transaction;
pub(crate) use self::transaction::{Deferral, DeferredRow, Turn};
pub use self::url::{DatabaseUrl, PostgresTarget, SqliteTarget, UrlError};

use self::observe::{Observer, StatementCounts};
use self::postgres_driver::PostgresPool;
use self::readers::Readers;
use self::sqlite_open::open_sqlite;
use self::writer::Writer;
pub use self::writer_counts::WriterState;
use crate::error::Error;
use crate::random::Random;

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    url: DatabaseUrl,
    observer: Arc<Observer>,
    engine: Engine,
    indexes_json: bool,
    /// How long anybody waits for their turn.
    patience: Duration,
    runtime: tokio::runtime::Handle,
    pours: Arc<tokio::sync::Semaphore>,
}

enum Engine {
    Sqlite {
        readers: Arc<Readers>,
        writer: Writer,
    },
    Postgres(PostgresPool),
}

impl Database {
    /// Opens the database. SQLite's file is opened (and, with `mode=rwc`, created with its folder) at once;
    /// PostgreSQL is first asked when first needed.
    pub async fn connect(
        url: &DatabaseUrl,
        options: &DatabaseOptions,
        random: Arc<dyn Random>,
    ) -> Result<Self, DatabaseError> {
        let observer = Arc::new(Observer::new(options.slow_query_threshold));
        let engine = match url {
            DatabaseUrl::Sqlite(target) => open_sqlite(target, options, &observer)
                .map(|(readers, writer)| Engine::Sqlite { readers, writer })?,
            DatabaseUrl::Postgres(target) => Engine::Postgres(PostgresPool::connect(
                target,
                options,
                Arc::clone(&observer),
                random,
            )?),
        };
        let inner = Inner {
            url: url.clone(),
            observer,
            engine,
            indexes_json: options.json_index,
            patience: options.acquire_timeout,
            runtime: tokio::runtime::Handle::current(),
            pours: Arc::new(tokio::sync::Semaphore::new(pour::at_once(options))),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Asks whether the database answers at all, so that a wrong address is told as such.
    pub async fn probe(&self) -> Result<(), DatabaseError> {
        match self
            .fetch_one::<i64>(self.statement("SELECT CAST(1 AS bigint)", []))
            .await
        {
            Ok(_) => self.check_encoding().await,
            Err(DatabaseError::Busy(_)) => Err(DatabaseError::Unavailable(format!(
                "{} does not answer: is the server there, and does it take this user and password?",
                self.url()
            ))),
            Err(error) => Err(error),
        }
    }

    /// Another encoding than UTF-8 would fold and compare text differently, and silently so.
    async fn check_encoding(&self) -> Result<(), DatabaseError> {
        if matches!(self.inner.engine, Engine::Sqlite { .. }) {
            return Ok(());
        }
        let encoding = self.statement("SELECT current_setting('server_encoding')", []);
        match self.fetch_one::<String>(encoding).await?.as_deref() {
            Some("UTF8") | None => Ok(()),
            Some(other) => Err(DatabaseError::Other(format!(
                "{} has the encoding {other}: make it with ENCODING 'UTF8' TEMPLATE template0",
                self.url()
            ))),
        }
    }

    /// The strategy for this database.
    pub(crate) fn choose<T>(
        &self,
        on_sqlite: impl FnOnce() -> T,
        on_postgres: impl FnOnce() -> T,
    ) -> T {
        match &self.inner.engine {
            Engine::Sqlite { .. } => on_sqlite(),
            Engine::Postgres(_) => on_postgres(),
        }
    }

    /// Which database this is; for building statements, not for deciding meaning.
    pub fn backend(&self) -> DatabaseBackend {
        match &self.inner.engine {
            Engine::Sqlite { .. } => DatabaseBackend::Sqlite,
            Engine::Postgres(_) => DatabaseBackend::Postgres,
        }
    }

    /// Whether Pharos keeps an index over JSON where the database has none of its own.
    pub(crate) fn indexes_json(&self) -> bool {
        self.inner.indexes_json
    }

    /// Where the database is; prints without the password.
    pub fn url(&self) -> &DatabaseUrl {
        &self.inner.url
    }

    /// What has been observed since the start.
    pub fn statement_counts(&self) -> StatementCounts {
        self.inner.observer.counts()
    }

    /// The connections in use, and how they were waited for; on SQLite those for reading.
    pub fn pool_state(&self) -> PoolState {
        match &self.inner.engine {
            Engine::Sqlite { readers, .. } => readers.state(),
            Engine::Postgres(pool) => pool.state(),
        }
    }

    /// What SQLite's writer has done since the start; nothing on PostgreSQL.
    pub fn writer_state(&self) -> Option<WriterState> {
        match &self.inner.engine {
            Engine::Sqlite { writer, .. } => Some(writer.counts().state()),
            Engine::Postgres(_) => None,
        }
    }

    /// A statement with bound values, in this database's own SQL.
    pub fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// Whether sorting whole rows costs much more than sorting ids and reading the rows again: SQLite's sorter writes
    /// whole rows, PostgreSQL keeps the first few only.
    pub fn sorts_ids_first(&self) -> bool {
        matches!(self.inner.engine, Engine::Sqlite { .. })
    }

    /// An SQL expression that has another value after every change of a table's row, whoever made it; `None` on SQLite,
    /// where reading a row again costs no more than asking whether it changed.
    pub fn row_stamp(&self, table: &str) -> Option<String> {
        match &self.inner.engine {
            Engine::Sqlite { .. } => None,
            // The transaction that wrote the row.
            Engine::Postgres(_) => Some(format!("{table}.xmin::text::bigint")),
        }
    }

    /// How the value at `number` (from 1) is written in this database's own SQL.
    pub fn placeholder(&self, number: usize) -> String {
        match &self.inner.engine {
            Engine::Sqlite { .. } => format!("?{number}"),
            Engine::Postgres(_) => format!("${number}"),
        }
    }

    /// Builds a sea-query statement for this database.
    pub fn build(&self, statement: &impl sea_orm::StatementBuilder) -> Statement {
        self.backend().build(statement)
    }

    /// Builds a SELECT whose LIMIT stands in the text instead of being bound: PostgreSQL then keeps one plan for it
    /// rather than planning anew each time. The limit must be the statement's last value.
    pub fn build_limited(
        &self,
        statement: &impl sea_orm::StatementBuilder,
        limit: u64,
    ) -> Statement {
        let mut statement = self.build(statement);
        if let (Some(at), Some(values)) = (statement.sql.rfind(" LIMIT "), &mut statement.values) {
            let begin = at + " LIMIT ".len();
            let placeholder = |c: char| c == '?' || c == '$' || c.is_ascii_digit();
            let end = statement.sql[begin..]
                .find(|c| !placeholder(c))
                .map_or(statement.sql.len(), |end| begin + end);
            statement.sql.replace_range(begin..end, &limit.to_string());
            values.0.pop();
        }
        statement
    }

    /// Folds the rows of a reading statement into a state. `step` may see the first rows twice, each time with a
    /// fresh state: a long statement on SQLite starts again on another thread.
    pub async fn fold<S, F>(&self, statement: Statement, step: F) -> Result<S, DatabaseError>
    where
        S: Default + Send + 'static,
        F: Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError> + Send + 'static,
    {
        if let Some(joined) = joined::current()
            && joined.is_open()
        {
            return joined.fold(statement, step).await;
        }
        match &self.inner.engine {
            Engine::Sqlite { readers, .. } => readers.fold(statement, step).await,
            Engine::Postgres(pool) => pool.fold(statement, step).await,
        }
    }

    /// All rows of a reading statement, in memory: for statements with a LIMIT.
    pub async fn fetch_all<T: FromRow + Send + 'static>(
        &self,
        statement: Statement,
    ) -> Result<Vec<T>, DatabaseError> {
        let joined = joined::current().is_some_and(|joined| joined.is_open());
        if let (Engine::Postgres(pool), false) = (&self.inner.engine, joined) {
            let rows = pool.query_all(statement).await?;
            return rows
                .iter()
                .map(|row| T::from_row(&Row::Postgres(row)))
                .collect();
        }
        self.fold(statement, |rows: &mut Vec<T>, row| {
            rows.push(T::from_row(row)?);
            Ok(())
        })
        .await
    }

    /// The first row of a reading statement.
    pub async fn fetch_one<T: FromRow + Send + 'static>(
        &self,
        statement: Statement,
    ) -> Result<Option<T>, DatabaseError> {
        self.fold(statement, |first: &mut Option<T>, row| {
            if first.is_none() {
                *first = Some(T::from_row(row)?);
            }
            Ok(())
        })
        .await
    }

    /// Runs a unit of work in one transaction and returns when it is durable. The unit may be run more than once
    /// (each time from a clean state), so it must have no other effect; it may wait for its transaction only.
    pub async fn write<T, F, Fut>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(Transaction) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if let Some(joined) = joined::current() {
            return joined.write(&self.inner.engine, work).await;
        }
        match &self.inner.engine {
            Engine::Sqlite { writer, .. } => writer.write(work).await,
            Engine::Postgres(pool) => pool.write(work).await,
        }
    }

    /// Runs a unit that writes rows with keys of their own and nothing else; `constraint` is the name of their primary
    /// key's. When the connection breaks while this is committed, it finds out whether it was stored.
    pub(crate) async fn write_new<F, Fut>(
        &self,
        constraint: &'static str,
        work: F,
    ) -> Result<(), Error>
    where
        F: Fn(Transaction) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        if let Some(joined) = joined::current() {
            return joined.write(&self.inner.engine, work).await;
        }
        match &self.inner.engine {
            Engine::Sqlite { writer, .. } => writer.write(work).await,
            Engine::Postgres(pool) => pool.write_new(constraint, work).await,
        }
    }

    /// How the database would run a reading statement, line by line in its own words.
    pub async fn explain(&self, mut statement: Statement) -> Result<Vec<String>, DatabaseError> {
        let (prefix, column) = match &self.inner.engine {
            Engine::Sqlite { .. } => ("EXPLAIN QUERY PLAN ", 3),
            Engine::Postgres(_) => ("EXPLAIN ", 0),
        };
        statement.sql.insert_str(0, prefix);
        self.fold(statement, move |lines: &mut Vec<String>, row| {
            lines.push(row.get(column)?);
            Ok(())
        })
        .await
    }

    /// Refreshes the planner's statistics, and on PostgreSQL sorts in what the token index has pending: worth it
    /// after many rows were loaded.
    pub async fn analyse(&self) -> Result<(), Error> {
        self.write(|transaction| async move {
            let sql = match transaction.get_database_backend() {
                DatabaseBackend::Postgres => "ANALYZE; SELECT pharos_sort_in_new_documents()",
                _ => "PRAGMA analysis_limit = 1000; ANALYZE",
            };
            transaction
                .execute_unprepared(sql)
                .await
                .map_err(DatabaseError::from)?;
            Ok(())
        })
        .await
    }

    /// Runs something beside the requests, on the runtime that the database was opened on.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.runtime.spawn(work);
    }

    /// Groups concurrent calls where that saves round trips: see [`Batcher`].
    pub fn batcher<I, O, F, Fut>(&self, at_once: usize, run: F) -> Batcher<I, O>
    where
        I: Send + 'static,
        O: Send + 'static,
        F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<O, Error>>> + Send + 'static,
    {
        let runtime = match &self.inner.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres(_) => Some(self.inner.runtime.clone()),
        };
        Batcher::new(runtime, at_once, self.inner.patience, run)
    }
}

macro_rules! single_column {
    ($($type:ty),*) => {$(
        impl FromRow for $type {
            fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
                row.get(0)
            }
        }
    )*};
}

single_column!(i64, String, uuid::Uuid, serde_json::Value);
