//! A transaction on PostgreSQL that asks for as few round trips as it can.
//!
//! It begins with the first statement whose answer is needed. Inserts, whose result nobody looks at, are gathered and sent
//! together before that statement or at the end; a transaction of nothing else is one statement, which commits by
//! itself.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, ExecResult, QueryResult,
    Statement, TransactionTrait, Value,
};
use tokio::sync::OnceCell;

use super::bulk::BulkInsert;
use super::gathered::Gathered;
use super::observe::Observer;

#[derive(Debug)]
pub(super) struct PostgresTransaction {
    pool: DatabaseConnection,
    observer: Arc<Observer>,
    begun: OnceCell<DatabaseTransaction>,
    gathered: Mutex<Gathered>,
}

impl PostgresTransaction {
    pub(super) fn new(pool: DatabaseConnection, observer: Arc<Observer>) -> Self {
        Self {
            pool,
            observer,
            begun: OnceCell::new(),
            gathered: Mutex::default(),
        }
    }

    /// The open transaction with everything gathered in it.
    pub(super) async fn begun(&self) -> Result<&DatabaseTransaction, DbErr> {
        let transaction = self.begun.get_or_try_init(|| self.pool.begin()).await?;
        let gathered = self.gathered.lock().take();
        if let Some(statement) = gathered {
            self.observe_execute(transaction, statement).await?;
        }
        Ok(transaction)
    }

    /// Adds to the next statement.
    pub(super) async fn gather(
        &self,
        insert: &'static BulkInsert,
        values: Vec<Value>,
    ) -> Result<(), DbErr> {
        if !self.gathered.lock().takes(insert) {
            self.begun().await?;
        }
        self.gathered.lock().push(insert, values);
        Ok(())
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let transaction = self.begun().await?;
        self.observe_execute(transaction, statement).await
    }

    pub(super) async fn query_one(
        &self,
        statement: Statement,
    ) -> Result<Option<QueryResult>, DbErr> {
        let transaction = self.begun().await?;
        let (sql, started) = (statement.sql.clone(), Instant::now());
        let row = transaction.query_one_raw(statement).await?;
        self.observer
            .record(&sql, started, u64::from(row.is_some()));
        Ok(row)
    }

    pub(super) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let transaction = self.begun().await?;
        let (sql, started) = (statement.sql.clone(), Instant::now());
        let rows = transaction.query_all_raw(statement).await?;
        self.observer.record(&sql, started, rows.len() as u64);
        Ok(rows)
    }

    pub(super) async fn commit(self) -> Result<(), DbErr> {
        if self.begun.initialized() {
            self.begun().await?;
        }
        let alone = self.gathered.lock().take();
        if let Some(statement) = alone {
            return self
                .observe_execute(&self.pool, statement)
                .await
                .map(|_| ());
        }
        match self.begun.into_inner() {
            Some(transaction) => transaction.commit().await,
            None => Ok(()),
        }
    }

    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        match self.begun.into_inner() {
            Some(transaction) => transaction.rollback().await,
            None => Ok(()),
        }
    }

    async fn observe_execute(
        &self,
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<ExecResult, DbErr> {
        let (sql, started) = (statement.sql.clone(), Instant::now());
        let result = connection.execute_raw(statement).await?;
        self.observer.record(&sql, started, result.rows_affected());
        Ok(result)
    }
}
