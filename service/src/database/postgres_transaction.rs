//! A transaction on PostgreSQL that asks for as few round trips as it can.
//!
//! It begins with the first statement whose answer is needed. Inserts, whose result nobody looks at, are gathered and sent
//! together before that statement or at the end; a transaction of nothing else is one statement, which commits by
//! itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sea_orm::sqlx::postgres::{PgQueryResult, PgRow};
use sea_orm::sqlx::{Column, Error, Row, TypeInfo};
use sea_orm::{DbErr, ProxyRow, RuntimeErr, Statement, Value};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::bulk::BulkInsert;
use super::error::{DatabaseError, to_connect_err};
use super::gathered::Gathered;
use super::observe::Observer;
use super::postgres_lent::Lent;
use super::postgres_pool::{Pool, is_broken};

pub(super) struct PostgresTransaction {
    pool: Arc<Pool>,
    observer: Arc<Observer>,
    begun: Mutex<Option<Lent>>,
    gathered: parking_lot::Mutex<Gathered>,
    /// Whether locks are waited for as long as it takes.
    patient: bool,
    /// Whether answers are waited for as long as they take.
    unlimited: AtomicBool,
}

impl std::fmt::Debug for PostgresTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresTransaction")
    }
}

impl PostgresTransaction {
    pub(super) fn new(pool: Arc<Pool>, observer: Arc<Observer>, patient: bool) -> Self {
        Self {
            pool,
            observer,
            begun: Mutex::new(None),
            gathered: parking_lot::Mutex::default(),
            patient,
            unlimited: AtomicBool::new(false),
        }
    }

    fn is_limited(&self) -> bool {
        !self.unlimited.load(Ordering::Relaxed)
    }

    /// The open transaction with everything gathered in it.
    async fn begun(&self) -> Result<MappedMutexGuard<'_, Lent>, DbErr> {
        let mut begun = self.begun.lock().await;
        if begun.is_none() {
            let mut lent = self.pool.acquire().await.map_err(to_connect_err)?;
            lent.begin(self.patient).await.map_err(to_exec_err)?;
            *begun = Some(lent);
        }
        let mut lent = MutexGuard::try_map(begun, Option::as_mut)
            .map_err(|_| DbErr::Custom("a transaction did not begin".to_owned()))?;
        let gathered = self.gathered.lock().take();
        if let Some(statement) = gathered {
            self.observed_execute(&mut lent, &statement)
                .await
                .map_err(to_exec_err)?;
        }
        Ok(lent)
    }

    /// Lets the statements of this transaction take as long as they need.
    pub(super) async fn lift_time_limit(&self) -> Result<(), DbErr> {
        self.unlimited.store(true, Ordering::Relaxed);
        self.simple("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .await?;
        Ok(())
    }

    /// Adds to the next statement.
    pub(super) async fn gather(
        &self,
        insert: &'static BulkInsert,
        values: Vec<Value>,
    ) -> Result<(), DbErr> {
        if !self.gathered.lock().takes(insert) {
            drop(self.begun().await?);
        }
        self.gathered.lock().push(insert, values);
        Ok(())
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<PgQueryResult, DbErr> {
        let mut lent = self.begun().await?;
        self.observed_execute(&mut lent, &statement)
            .await
            .map_err(to_exec_err)
    }

    /// One statement or several without values.
    pub(super) async fn simple(&self, sql: &str) -> Result<PgQueryResult, DbErr> {
        let mut lent = self.begun().await?;
        lent.simple(sql, self.is_limited())
            .await
            .map_err(to_exec_err)
    }

    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<PgRow>, DbErr> {
        let mut lent = self.begun().await?;
        let started = Instant::now();
        let rows = lent.rows(&statement, self.is_limited()).await;
        let count = rows.as_ref().map_or(0, Vec::len);
        self.observer.record(&statement.sql, started, count as u64);
        rows.map_err(to_query_err)
    }

    /// Makes everything durable. When the connection breaks here, nobody knows whether it was.
    pub(super) async fn commit(self) -> Result<(), DatabaseError> {
        if self.begun.lock().await.is_some() {
            drop(self.begun().await?);
        }
        let pooled = self.pool.connector.is_pooled();
        let alone = self.gathered.lock().take();
        let Some(statement) = alone else {
            return match self.begun.into_inner() {
                Some(mut lent) => end(lent.commit().await, pooled),
                None => Ok(()),
            };
        };
        let mut lent = self.pool.acquire().await?;
        if !pooled {
            return end(self.observed_execute(&mut lent, &statement).await, pooled);
        }
        lent.begin(true).await.map_err(to_exec_err)?;
        let written = self.observed_execute(&mut lent, &statement).await;
        written.map_err(to_exec_err)?;
        end(lent.commit().await, pooled)
    }

    pub(super) async fn rollback(self) {
        if let Some(mut lent) = self.begun.into_inner() {
            lent.rollback().await;
        }
    }

    async fn observed_execute(
        &self,
        lent: &mut Lent,
        statement: &Statement,
    ) -> Result<PgQueryResult, Error> {
        let started = Instant::now();
        let result = lent.execute(statement, self.is_limited()).await;
        let changed = result.as_ref().map_or(0, PgQueryResult::rows_affected);
        self.observer.record(&statement.sql, started, changed);
        result
    }
}

/// The answer to what commits. A server that ends a connection says so before it commits or after it has told of the
/// commit, never between: then nothing was stored. A pooler may say the same about a server that it has lost.
fn end<T>(result: Result<T, Error>, pooled: bool) -> Result<(), DatabaseError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_broken(&error) && (pooled || !is_admin_shutdown(&error)) => {
            Err(DatabaseError::OutcomeUnknown(error.to_string()))
        }
        Err(error) => Err(to_exec_err(error).into()),
    }
}

fn is_admin_shutdown(error: &Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|server| server.code().as_deref() == Some("57P01"))
}

pub(super) fn to_exec_err(error: Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

pub(super) fn to_query_err(error: Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// A row as SeaORM's schema manager reads it: it asks for names, numbers and truth only.
pub(super) fn to_proxy_row(row: &PgRow) -> Result<ProxyRow, DbErr> {
    let mut values = BTreeMap::new();
    for column in row.columns() {
        let at = column.ordinal();
        let value = match column.type_info().name() {
            "BOOL" => row.try_get(at).map(Value::Bool),
            "INT2" => row.try_get(at).map(Value::SmallInt),
            "INT4" => row.try_get(at).map(Value::Int),
            "INT8" => row.try_get(at).map(Value::BigInt),
            "TEXT" | "VARCHAR" | "NAME" => row.try_get(at).map(Value::String),
            other => {
                return Err(DbErr::Type(format!(
                    "columns of type {other} are not read here"
                )));
            }
        };
        values.insert(column.name().to_owned(), value.map_err(to_query_err)?);
    }
    Ok(ProxyRow::new(values))
}
