//! A PostgreSQL connection, lent by the pool: what can be asked on it, and whether it can be lent again.

use std::sync::Arc;
use std::time::Instant;

use futures_util::TryStreamExt;
use sea_orm::sqlx::postgres::{PgConnection, PgQueryResult, PgRow, Postgres};
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{AssertSqlSafe, Error, raw_sql};
use sea_orm::{Statement, Values};
use sea_query_sqlx::SqlxValues;
use tokio::sync::OwnedSemaphorePermit;

use super::postgres_pool::{Pool, is_broken};

/// A connection, lent. It comes back when it is dropped, unless something is still under way on it.
pub(super) struct Lent {
    connection: Option<PgConnection>,
    opened: Instant,
    /// Whether nothing is under way.
    settled: bool,
    in_transaction: bool,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    pub(super) fn new(
        pool: &Arc<Pool>,
        connection: PgConnection,
        opened: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            connection: Some(connection),
            opened,
            settled: true,
            in_transaction: false,
            pool: Arc::clone(pool),
            _permit: permit,
        }
    }

    /// All rows of a statement.
    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
        limited: bool,
    ) -> Result<Vec<PgRow>, Error> {
        let query = prepared(statement, self.pool.connector.is_pooled());
        let (pool, connection) = self.begin_use()?;
        let result = pool.answer(limited, query.fetch_all(connection)).await;
        self.end_use(&result);
        result
    }

    /// All rows of a statement without values that is not worth preparing.
    pub(super) async fn rows_once(&mut self, sql: &str) -> Result<Vec<PgRow>, Error> {
        let query = sea_orm::sqlx::query(AssertSqlSafe(sql)).persistent(false);
        let (pool, connection) = self.begin_use()?;
        let result = pool.answer(true, query.fetch_all(connection)).await;
        self.end_use(&result);
        result
    }

    /// Hands each row to `each` when it arrives, until there is none or `each` returns `false`.
    pub(super) async fn each_row(
        &mut self,
        statement: &Statement,
        mut each: impl FnMut(PgRow) -> bool,
    ) -> Result<(), Error> {
        let query = prepared(statement, self.pool.connector.is_pooled());
        let (pool, connection) = self.begin_use()?;
        let work = async {
            let mut rows = query.fetch(connection);
            while let Some(row) = rows.try_next().await? {
                if !each(row) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let result = pool.answer(true, work).await;
        self.end_use(&result);
        // What was left unread must not be the next one's business.
        self.settled &= matches!(result, Ok(true));
        result.map(|_| ())
    }

    /// How many rows a statement has changed.
    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
        limited: bool,
    ) -> Result<PgQueryResult, Error> {
        let query = prepared(statement, self.pool.connector.is_pooled());
        let (pool, connection) = self.begin_use()?;
        let result = pool.answer(limited, query.execute(connection)).await;
        self.end_use(&result);
        result
    }

    /// One statement or several without values.
    pub(super) async fn simple(
        &mut self,
        sql: &str,
        limited: bool,
    ) -> Result<PgQueryResult, Error> {
        let query = raw_sql(AssertSqlSafe(sql));
        let (pool, connection) = self.begin_use()?;
        let result = pool.answer(limited, query.execute(connection)).await;
        self.end_use(&result);
        result
    }

    /// The rows of a statement without values, as text.
    pub(super) async fn simple_rows(&mut self, sql: &str) -> Result<Vec<PgRow>, Error> {
        let query = raw_sql(AssertSqlSafe(sql));
        let (pool, connection) = self.begin_use()?;
        let result = pool.answer(true, query.fetch_all(connection)).await;
        self.end_use(&result);
        result
    }

    /// Begins a transaction, which is patient or soon gives up waiting for a lock; without its end the connection does not
    /// come back to the pool.
    pub(super) async fn begin(&mut self, patient: bool) -> Result<(), Error> {
        self.in_transaction = true;
        let begin = self.pool.connector.begin(patient);
        self.simple(&begin, true).await.map(|_| ())
    }

    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.simple("COMMIT", true).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Says that the transaction has been ended by a statement.
    pub(super) fn ended(&mut self) {
        self.in_transaction = false;
    }

    /// Undoes the transaction: a connection on which that fails is closed, which undoes it too.
    pub(super) async fn rollback(&mut self) {
        if self.simple("ROLLBACK", true).await.is_ok() {
            self.in_transaction = false;
        }
    }

    fn begin_use(&mut self) -> Result<(&Pool, &mut PgConnection), Error> {
        self.settled = false;
        let connection = self.connection.as_mut().ok_or(Error::PoolClosed)?;
        Ok((&self.pool, connection))
    }

    fn end_use<T>(&mut self, result: &Result<T, Error>) {
        self.settled = match result {
            Ok(_) => true,
            Err(error) => error.as_database_error().is_some() && !is_broken(error),
        };
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.settled
            && !self.in_transaction
        {
            self.pool.take_back(connection, self.opened);
        }
    }
}

fn prepared(statement: &Statement, pooled: bool) -> Query<'_, Postgres, SqlxValues> {
    let values = statement
        .values
        .as_ref()
        .map_or_else(|| Values(Vec::new()), Clone::clone);
    sea_orm::sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
        .persistent(!pooled)
}
