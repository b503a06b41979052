//! A transaction as a unit of work sees it: a connection for SeaORM and nothing else.

use std::sync::Arc;

use parking_lot::Mutex;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseConnectionType, DbErr,
    ExecResult, ProxyDatabaseConnection, ProxyDatabaseTrait, ProxyExecResult, ProxyRow,
    QueryResult, Statement, Value,
};

use super::bulk::BulkInsert;
use super::error::DatabaseError;
use super::postgres_transaction::{PostgresTransaction, to_proxy_row};
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
    /// What imports look for natural keys in.
    Imports,
    /// The importance of resources.
    Importance,
    /// The trees of collections of one owner, whose number it is.
    Collections(i64),
}

impl Turn {
    fn number(self) -> i64 {
        match self {
            Self::Imports => 7_237_120_349,
            Self::Taxonomy => 7_237_120_351,
            Self::Authorities => 7_237_120_352,
            Self::Codes => 7_237_120_353,
            Self::Importance => 7_237_120_354,
            Self::Collections(number) => number,
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
    /// Runs once behind all rows that name it, with half as many as there are, and one more: has the index merge so many
    /// pages of what was written before, so that no write has to wait for a large merge.
    pub(crate) merge: &'static str,
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
        let connection = proxy(DatabaseBackend::Sqlite, SharedConnection(connection));
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
                    let statement = Statement::from_sql_and_values(backend, sql, row);
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

    /// For SeaORM's schema manager; to be dropped before the unit ends.
    pub(crate) fn connection(&self) -> DatabaseConnection {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.clone(),
            Inner::Postgres(_) => proxy(DatabaseBackend::Postgres, self.clone()),
        }
    }

    /// Lets the statements of this transaction take as long as they need.
    pub(crate) async fn lift_time_limit(&self) -> Result<(), DbErr> {
        match &*self.inner {
            Inner::Sqlite(..) => Ok(()),
            Inner::Postgres(transaction) => transaction.lift_time_limit().await,
        }
    }

    /// Waits until no other transaction changes this; it comes before anything is read that is to stay true.
    pub(crate) async fn take_turn(&self, turn: Turn) -> Result<(), DbErr> {
        self.lock_number("pg_advisory_xact_lock", turn).await
    }

    /// Waits until no other transaction changes this, and lets none begin: others may do the same at once.
    pub(crate) async fn share_turn(&self, turn: Turn) -> Result<(), DbErr> {
        self.lock_number("pg_advisory_xact_lock_shared", turn).await
    }

    async fn lock_number(&self, lock: &str, turn: Turn) -> Result<(), DbErr> {
        match &*self.inner {
            Inner::Sqlite(..) => Ok(()),
            Inner::Postgres(transaction) => transaction
                .simple(&format!(
                    "SET LOCAL lock_timeout = 0; SELECT {lock}({})",
                    turn.number()
                ))
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
            Inner::Postgres(transaction) => Ok(transaction.execute(statement).await?.into()),
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.execute_unprepared(sql).await,
            Inner::Postgres(transaction) => Ok(transaction.simple(sql).await?.into()),
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.query_one_raw(statement).await,
            Inner::Postgres(transaction) => {
                let rows = transaction.query_all(statement).await?;
                Ok(rows.into_iter().next().map(QueryResult::from))
            }
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => connection.query_all_raw(statement).await,
            Inner::Postgres(transaction) => {
                let rows = transaction.query_all(statement).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }
}

fn proxy(backend: DatabaseBackend, to: impl ProxyDatabaseTrait + 'static) -> DatabaseConnection {
    let proxy = ProxyDatabaseConnection::new(backend, Arc::new(Box::new(to)));
    DatabaseConnectionType::ProxyDatabaseConnection(Arc::new(proxy)).into()
}

/// A PostgreSQL transaction as a connection: what is begun or committed on it stays inside.
#[async_trait::async_trait]
impl ProxyDatabaseTrait for Transaction {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        let Inner::Postgres(transaction) = &*self.inner else {
            return Err(DbErr::Custom("not on PostgreSQL".to_owned()));
        };
        let rows = transaction.query_all(statement).await?;
        rows.iter().map(to_proxy_row).collect()
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        let result = match &statement.values {
            None => self.execute_unprepared(&statement.sql).await?,
            Some(_) => self.execute_raw(statement).await?,
        };
        Ok(ProxyExecResult::new(0, result.rows_affected()))
    }
}

/// Lets the writer's connection be shared with SeaORM's proxy, which wants to own it.
#[derive(Debug)]
struct SharedConnection(Arc<SqliteConnection>);

#[async_trait::async_trait]
impl ProxyDatabaseTrait for SharedConnection {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        ProxyDatabaseTrait::query(&*self.0, statement).await
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        ProxyDatabaseTrait::execute(&*self.0, statement).await
    }
}
