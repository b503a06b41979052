//! A transaction as a unit of work sees it: a connection for SeaORM and nothing else.

use std::sync::Arc;

use parking_lot::Mutex;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseConnectionType, DatabaseExecutor,
    DbErr, ExecResult, IntoDatabaseExecutor, ProxyDatabaseConnection, QueryResult, Statement,
    Value,
};

use super::bulk::BulkInsert;
use super::error::DatabaseError;
use super::postgres_transaction::PostgresTransaction;
use super::sqlite_driver::SqliteConnection;

/// An open transaction. It ends when the unit of work that was given it returns; do not keep a clone.
#[derive(Clone, Debug)]
pub struct Transaction {
    inner: Arc<Inner>,
}

/// What one transaction at a time may change. SQLite has one writer anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The tree of the taxonomy. Whoever assigns resources shares this lock (a trigger sees to it).
    Taxonomy,
    /// The authority files. Whoever writes a resource by them shares this lock (a trigger sees to it).
    Authorities,
    /// The tree of classification codes.
    Codes,
}

impl Turn {
    fn number(self) -> i64 {
        match self {
            Self::Taxonomy => 7_237_120_351,
            Self::Authorities => 7_237_120_352,
            Self::Codes => 7_237_120_353,
        }
    }
}

/// A row that is written at the end of a transaction under the number that a query finds then, if it finds one.
#[derive(Debug)]
pub(crate) struct DeferredRow {
    /// Selects one integer, or no row.
    pub(crate) number: Statement,
    /// Takes the number and the text. One row of `VALUES`, since every other insert is a savepoint to SQLite.
    pub(crate) insert: &'static str,
    pub(crate) text: String,
}

/// What the units of a group leave for its end, in order.
pub(super) type Deferred = Arc<Mutex<Vec<DeferredRow>>>;

#[derive(Debug)]
enum Inner {
    Sqlite(DatabaseConnection, Deferred),
    Postgres(Box<PostgresTransaction>),
}

impl Transaction {
    pub(super) fn on_sqlite(connection: Arc<SqliteConnection>, deferred: Deferred) -> Self {
        let proxy = ProxyDatabaseConnection::new(
            DatabaseBackend::Sqlite,
            Arc::new(Box::new(SharedConnection(connection))),
        );
        let connection = DatabaseConnectionType::ProxyDatabaseConnection(Arc::new(proxy)).into();
        Self {
            inner: Arc::new(Inner::Sqlite(connection, deferred)),
        }
    }

    pub(super) fn on_postgres(transaction: PostgresTransaction) -> Self {
        Self {
            inner: Arc::new(Inner::Postgres(Box::new(transaction))),
        }
    }

    /// Inserts rows, each with one value for each column of `insert`. On PostgreSQL an error may come with a later
    /// statement or with the commit.
    pub(crate) async fn insert_rows(
        &self,
        insert: &'static BulkInsert,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        match &*self.inner {
            Inner::Sqlite(connection, _) => {
                let (backend, sql) = (DatabaseBackend::Sqlite, insert.for_sqlite());
                for row in rows {
                    let statement = Statement::from_sql_and_values(backend, sql.as_str(), row);
                    connection.execute_raw(statement).await?;
                }
                Ok(())
            }
            Inner::Postgres(transaction) => {
                let values = insert.values(rows)?;
                transaction.gather(insert, values).await
            }
        }
    }

    /// Leaves a row to the end of the transaction that carries this unit, if the unit succeeds. For SQLite's token
    /// indexes, which write themselves out at every savepoint: so they are written once a group. The query for the number
    /// must find nothing when a later unit of the group has changed what the row is about.
    pub(crate) fn defer(&self, row: DeferredRow) -> Result<(), DbErr> {
        match &*self.inner {
            Inner::Sqlite(_, deferred) => {
                deferred.lock().push(row);
                Ok(())
            }
            Inner::Postgres(..) => Err(DbErr::Custom(
                "only SQLite's token indexes are written at the end".to_owned(),
            )),
        }
    }

    /// Takes the PostgreSQL transaction back after the unit has returned.
    pub(super) fn into_postgres(self) -> Result<PostgresTransaction, DatabaseError> {
        match Arc::try_unwrap(self.inner) {
            Ok(Inner::Postgres(transaction)) => Ok(*transaction),
            _ => Err(DatabaseError::Other(
                "a unit of work kept its transaction".to_owned(),
            )),
        }
    }

    /// For SeaORM's schema manager.
    pub(crate) async fn executor(&self) -> Result<DatabaseExecutor<'_>, DbErr> {
        Ok(match &*self.inner {
            Inner::Sqlite(connection, _) => connection.into_database_executor(),
            Inner::Postgres(transaction) => transaction.begun().await?.into_database_executor(),
        })
    }

    /// Waits until no other transaction changes this; it comes before anything is read that is to stay true.
    pub(crate) async fn take_turn(&self, turn: Turn) -> Result<(), DbErr> {
        self.serialise(turn.number()).await
    }

    /// Waits until no other transaction changes this, and lets none begin: others may do the same at once.
    pub(crate) async fn share_turn(&self, turn: Turn) -> Result<(), DbErr> {
        self.lock_number("pg_advisory_xact_lock_shared", turn.number())
            .await
    }

    /// Lets one import at a time look for natural keys and insert what is new.
    pub(crate) async fn serialise_imports(&self) -> Result<(), DbErr> {
        self.serialise(7_237_120_349).await
    }

    /// Lets one transaction at a time go on from here that names the same number. SQLite has one writer anyway.
    pub(crate) async fn serialise(&self, number: i64) -> Result<(), DbErr> {
        self.lock_number("pg_advisory_xact_lock", number).await
    }

    async fn lock_number(&self, lock: &str, number: i64) -> Result<(), DbErr> {
        match &*self.inner {
            Inner::Sqlite(..) => Ok(()),
            Inner::Postgres(transaction) => transaction
                .begun()
                .await?
                .execute_unprepared(&format!("SELECT {lock}({number})"))
                .await
                .map(|_| ()),
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DatabaseBackend {
        match &*self.inner {
            Inner::Sqlite(..) => DatabaseBackend::Sqlite,
            Inner::Postgres(..) => DatabaseBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.execute_raw(statement).await,
            Inner::Postgres(transaction) => transaction.execute(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.execute_unprepared(sql).await,
            Inner::Postgres(transaction) => {
                transaction.begun().await?.execute_unprepared(sql).await
            }
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.query_one_raw(statement).await,
            Inner::Postgres(transaction) => transaction.query_one(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.query_all_raw(statement).await,
            Inner::Postgres(transaction) => transaction.query_all(statement).await,
        }
    }
}

/// Lets the writer's connection be shared with SeaORM's proxy, which wants to own it.
#[derive(Debug)]
struct SharedConnection(Arc<SqliteConnection>);

#[async_trait::async_trait]
impl sea_orm::ProxyDatabaseTrait for SharedConnection {
    async fn query(&self, statement: Statement) -> Result<Vec<sea_orm::ProxyRow>, DbErr> {
        sea_orm::ProxyDatabaseTrait::query(&*self.0, statement).await
    }

    async fn execute(&self, statement: Statement) -> Result<sea_orm::ProxyExecResult, DbErr> {
        sea_orm::ProxyDatabaseTrait::execute(&*self.0, statement).await
    }
}
