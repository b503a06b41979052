//! A transaction as a unit of work sees it: a connection for SeaORM and nothing else.

use std::sync::Arc;

use parking_lot::Mutex;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseConnectionType, DbErr,
    ExecResult, ProxyDatabaseConnection, ProxyDatabaseTrait, ProxyExecResult, ProxyRow,
    QueryResult, Statement, Value,
};
use uuid::Uuid;

use super::bulk::BulkInsert;
use super::error::{DatabaseError, to_db_err};
use super::postgres_transaction::{PostgresTransaction, to_proxy_row};
use super::sqlite_driver::{SqliteConnection, values_of};

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

/// Rows that are written at the end of a transaction under the number that a query finds then, if it finds one. Of several
/// rows for one index under one number only the last is written.
#[derive(Debug)]
pub(crate) struct Deferral {
    /// Selects one integer, or no row.
    pub(crate) number: Statement,
    pub(crate) rows: Vec<DeferredRow>,
}

#[derive(Debug)]
pub(crate) struct DeferredRow {
    /// Takes the number and the text. One row of `VALUES`, since every other insert is a savepoint to SQLite.
    pub(crate) insert: &'static str,
    pub(crate) text: String,
    /// Runs once behind all rows that name it, with half as many as there are, and one more: has the index merge so many
    /// pages of what was written before, so that no write has to wait for a large merge.
    pub(crate) merge: &'static str,
}

/// What the units of a group leave for its end, in order.
pub(super) type Deferred = Arc<Mutex<Vec<Deferral>>>;

#[derive(Debug)]
enum Inner {
    Sqlite(Arc<SqliteConnection>, Deferred),
    Postgres(Box<PostgresTransaction>),
}

impl Transaction {
    pub(super) fn on_sqlite(connection: Arc<SqliteConnection>, deferred: Deferred) -> Self {
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
        rows: impl Iterator<Item = Vec<Value>>,
    ) -> Result<(), DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => {
                let sql = insert.for_sqlite();
                for row in rows {
                    run(connection, sql, &row)?;
                }
                Ok(())
            }
            Inner::Postgres(transaction) => {
                let rows: Vec<Vec<Value>> = rows.collect();
                if rows.is_empty() {
                    return Ok(());
                }
                let values = insert.values(rows)?;
                transaction.gather(insert, values).await
            }
        }
    }

    /// Fails where a table has no row of an id that a row to come refers to. On SQLite, where that foreign key is checked at
    /// the commit, which would fail all that is written together; PostgreSQL checks it with the insert.
    pub(crate) fn check_reference(
        &self,
        table: &'static str,
        id: Uuid,
    ) -> Result<(), DatabaseError> {
        let Inner::Sqlite(connection, _) = &*self.inner else {
            return Ok(());
        };
        let statement = Statement::from_sql_and_values(
            DatabaseBackend::Sqlite,
            format!("SELECT id FROM {table} WHERE id = ?1"),
            [id.into()],
        );
        let mut found = false;
        connection.query(&statement, None, |_| {
            found = true;
            Ok(())
        })?;
        if !found {
            let gone = format!("{table} has no {id}");
            return Err(DatabaseError::ForeignKey(gone));
        }
        Ok(())
    }

    /// Leaves rows to the end of the transaction that carries this unit, if the unit succeeds. For SQLite's token
    /// indexes, which write themselves out at every savepoint: so they are written once a group. The query for the number
    /// must find nothing when a later unit of the group has changed what the rows are about.
    pub(crate) fn defer(&self, deferral: Deferral) -> Result<(), DbErr> {
        match &*self.inner {
            Inner::Sqlite(_, deferred) => {
                deferred.lock().push(deferral);
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
            Inner::Sqlite(connection, _) => {
                let shared = SharedConnection(Arc::clone(connection));
                proxy(DatabaseBackend::Sqlite, shared)
            }
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
            // Without the futures of SeaORM's proxy around it, which cost as much as a short statement.
            Inner::Sqlite(connection, _) => {
                let changed = run(connection, &statement.sql, values_of(&statement))?;
                Ok(ProxyExecResult::new(0, changed).into())
            }
            Inner::Postgres(transaction) => Ok(transaction.execute(statement).await?.into()),
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => {
                let statement = Statement::from_string(DatabaseBackend::Sqlite, sql);
                let result = ProxyDatabaseTrait::execute(&**connection, statement).await?;
                Ok(result.into())
            }
            Inner::Postgres(transaction) => Ok(transaction.simple(sql).await?.into()),
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &*self.inner {
            Inner::Sqlite(connection, _) => {
                let rows = ProxyDatabaseTrait::query(&**connection, statement).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Inner::Postgres(transaction) => {
                let rows = transaction.query_all(statement).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }
}

fn run(connection: &SqliteConnection, sql: &str, values: &[Value]) -> Result<u64, DbErr> {
    connection
        .execute(sql, values)
        .map_err(|error| to_db_err(&error))
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
