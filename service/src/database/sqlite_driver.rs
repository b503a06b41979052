//! SQLite through rusqlite, called on the thread that asks: a hop to another thread costs more than the query.
//!
//! [`SqliteConnection`] is one connection that also speaks SeaORM's proxy interface, so that entities,
//! migrations and queries built by SeaORM run on it like on any other driver.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, ToSql};
use sea_orm::{DbErr, ProxyDatabaseTrait, ProxyExecResult, ProxyRow, RuntimeErr, Statement, Value};
use uuid::Uuid;

use super::error::{DatabaseError, to_db_err};
use super::observe::Observer;
use crate::time::{format_timestamp, parse_timestamp};

/// The oldest SQLite that is known to be free of a WAL bug that could corrupt a database.
const OLDEST_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// How many virtual machine steps pass between two looks at the clock.
const STEPS_BETWEEN_CHECKS: i32 = 2_000;

/// How much of the file is mapped into memory at most.
const MAPPED_BYTES: i64 = 1 << 30;

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write { create: bool },
}

/// One connection with its deadline. Calls run on the calling thread.
pub(super) struct SqliteConnection {
    connection: Mutex<rusqlite::Connection>,
    /// Nanoseconds after `epoch` at which a running statement is interrupted; 0 for never.
    deadline: Arc<AtomicU64>,
    epoch: Instant,
    observer: Arc<Observer>,
}

impl SqliteConnection {
    /// Opens `path` and sets what a server needs: see `ARCHITECTURE.md`, "SQLite". It waits `busy_timeout` for
    /// another process's lock.
    pub(super) fn open(
        path: &Path,
        access: Access,
        busy_timeout: Duration,
        observer: Arc<Observer>,
    ) -> Result<Self, DatabaseError> {
        if rusqlite::version_number() < OLDEST_SQLITE.0 {
            return Err(DatabaseError::Other(format!(
                "SQLite {} is too old: {} or later is needed",
                rusqlite::version(),
                OLDEST_SQLITE.1
            )));
        }
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
            | match access {
                Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
                Access::Write { create: false } => OpenFlags::SQLITE_OPEN_READ_WRITE,
                Access::Write { create: true } => {
                    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
                }
            };
        let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(|error| {
            DatabaseError::Unavailable(format!("cannot open {}: {error}", path.display()))
        })?;
        connection.busy_timeout(busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(128);
        if access != Access::Read {
            switch_to_wal(&connection, busy_timeout)?;
            // In pages of 4 KiB; the checkpointer copies earlier unless somebody reads for long.
            connection.pragma_update(None, "wal_autocheckpoint", 32_000)?;
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "recursive_triggers", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // In KiB when negative. What is not kept here is read from what the operating system caches. A commit looks at every
        // page in the writer's cache, so that is small, too; but changed pages stay in memory until the commit while they
        // have less than 32 MiB, since else they would be written twice.
        let cache = if access == Access::Read {
            -4_000
        } else {
            connection.pragma_update(None, "cache_spill", 8_000)?;
            -8_000
        };
        connection.pragma_update(None, "cache_size", cache)?;
        // Reads come from the operating system's cache without a copy.
        connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
        // Without this, binding a LIMIT or a range anew would prepare the statement anew.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        crate::json::register_sqlite_functions(&connection)?;
        let epoch = Instant::now();
        let deadline = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&deadline);
        connection.progress_handler(
            STEPS_BETWEEN_CHECKS,
            Some(move || match watched.load(Ordering::Relaxed) {
                0 => false,
                deadline => nanoseconds(epoch.elapsed()) > deadline,
            }),
        )?;
        Ok(Self {
            connection: Mutex::new(connection),
            deadline,
            epoch,
            observer,
        })
    }

    /// Runs a statement and hands each row to `each`. A statement that is still running after `limit` ends with
    /// [`DatabaseError::Timeout`].
    pub(super) fn query(
        &self,
        statement: &Statement,
        limit: Option<Duration>,
        mut each: impl FnMut(&rusqlite::Row<'_>) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let started = Instant::now();
        let mut count = 0;
        self.until(limit, |connection| {
            let mut prepared = connection.prepare_cached(&statement.sql)?;
            bind(&mut prepared, values_of(statement))?;
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next()? {
                count += 1;
                each(row)?;
            }
            Ok(())
        })
        .inspect_err(|_| self.observer.record(&statement.sql, started, 0))
        .inspect(|()| self.observer.record(&statement.sql, started, count))
    }

    /// Runs a statement that returns no rows; returns how many it changed.
    pub(super) fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, rusqlite::Error> {
        let started = Instant::now();
        let changed = {
            let connection = self.connection.lock();
            let mut prepared = connection.prepare_cached(sql)?;
            bind(&mut prepared, values)?;
            prepared.raw_execute()? as u64
        };
        self.observer.record(sql, started, changed);
        Ok(changed)
    }

    /// How long to wait for another process's lock.
    pub(super) fn wait_for_locks(&self, timeout: Duration) -> Result<(), DatabaseError> {
        Ok(self.connection.lock().busy_timeout(timeout)?)
    }

    /// Runs a constant statement of transaction control; what it returns is left unread.
    pub(super) fn control(&self, sql: &'static str) -> Result<(), DatabaseError> {
        let connection = self.connection.lock();
        let mut prepared = connection.prepare_cached(sql)?;
        let mut rows = prepared.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// The whole numbers in the one row of a constant statement.
    pub(super) fn numbers<const N: usize>(
        &self,
        sql: &'static str,
    ) -> Result<[i64; N], DatabaseError> {
        let connection = self.connection.lock();
        let mut prepared = connection.prepare_cached(sql)?;
        let mut numbers = [0; N];
        prepared.query_row([], |row| {
            for (index, number) in numbers.iter_mut().enumerate() {
                *number = row.get(index)?;
            }
            Ok(())
        })?;
        Ok(numbers)
    }

    /// Rows that were inserted, changed or deleted since the connection was opened, those that triggers changed included.
    pub(super) fn total_changes(&self) -> u64 {
        self.connection.lock().total_changes()
    }

    /// Whether no transaction is open: SQLite rolls a whole one back by itself after some errors.
    pub(super) fn is_autocommit(&self) -> bool {
        self.connection.lock().is_autocommit()
    }

    fn until<T>(
        &self,
        limit: Option<Duration>,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let connection = self.connection.lock();
        let deadline = limit.map_or(0, |limit| nanoseconds(self.epoch.elapsed() + limit));
        self.deadline.store(deadline, Ordering::Relaxed);
        let result = work(&connection);
        self.deadline.store(0, Ordering::Relaxed);
        result
    }

    fn query_rows(&self, statement: &Statement) -> Result<Vec<ProxyRow>, DatabaseError> {
        let started = Instant::now();
        let rows = self.until(None, |connection| {
            let mut prepared = connection.prepare_cached(&statement.sql)?;
            let columns: Vec<(String, Kind)> = prepared
                .columns()
                .iter()
                .map(|column| (column.name().to_owned(), Kind::declared(column.decl_type())))
                .collect();
            bind(&mut prepared, values_of(statement))?;
            let mut rows = prepared.raw_query();
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let mut values = BTreeMap::new();
                for (index, (name, kind)) in columns.iter().enumerate() {
                    values.insert(name.clone(), kind.read(row.get_ref(index)?)?);
                }
                found.push(ProxyRow::new(values));
            }
            Ok(found)
        })?;
        self.observer
            .record(&statement.sql, started, rows.len() as u64);
        Ok(rows)
    }
}

/// Waits for others that open the same new file now: for this lock SQLite itself does not wait.
fn switch_to_wal(connection: &rusqlite::Connection, patience: Duration) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && began.elapsed() < patience =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for SqliteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteConnection")
    }
}

#[async_trait::async_trait]
impl ProxyDatabaseTrait for SqliteConnection {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        self.query_rows(&statement).map_err(|error| {
            // The extended code is needed above only for constraint errors of INSERT … RETURNING.
            DbErr::Query(RuntimeErr::Internal(error.to_string()))
        })
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        if statement.values.is_none() {
            // Migrations send several statements in one text.
            let connection = self.connection.lock();
            connection
                .execute_batch(&statement.sql)
                .map_err(|error| to_db_err(&error))?;
            return Ok(ProxyExecResult::new(0, connection.changes()));
        }
        let rows_affected = Self::execute(self, &statement.sql, values_of(&statement))
            .map_err(|error| to_db_err(&error))?;
        Ok(ProxyExecResult::new(0, rows_affected))
    }
}

/// A row as SeaORM's entities read it.
pub(super) fn to_query_result(
    row: &super::row::Row<'_>,
) -> Result<sea_orm::QueryResult, DatabaseError> {
    let super::row::Row::Sqlite(row) = row else {
        return Err(DatabaseError::Other("not a row of SQLite".to_owned()));
    };
    let statement: &rusqlite::Statement<'_> = row.as_ref();
    let mut values = BTreeMap::new();
    for (index, column) in statement.columns().iter().enumerate() {
        let value = Kind::declared(column.decl_type()).read(row.get_ref(index)?)?;
        values.insert(column.name().to_owned(), value);
    }
    Ok(ProxyRow::new(values).into())
}

pub(super) fn values_of(statement: &Statement) -> &[Value] {
    statement.values.as_ref().map_or(&[], |values| &values.0)
}

fn bind(prepared: &mut rusqlite::Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    for (index, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, Parameter(value))?;
    }
    Ok(())
}

/// A SeaORM value as SQLite stores it: UUIDs as 16 bytes, times and JSON as text.
struct Parameter<'v>(&'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use rusqlite::types::Value as Owned;
        let integer = |number: i64| Ok(ToSqlOutput::Owned(Owned::Integer(number)));
        match self.0 {
            Value::Bool(Some(value)) => integer(i64::from(*value)),
            Value::TinyInt(Some(value)) => integer(i64::from(*value)),
            Value::SmallInt(Some(value)) => integer(i64::from(*value)),
            Value::Int(Some(value)) => integer(i64::from(*value)),
            Value::BigInt(Some(value)) => integer(*value),
            Value::TinyUnsigned(Some(value)) => integer(i64::from(*value)),
            Value::SmallUnsigned(Some(value)) => integer(i64::from(*value)),
            Value::Unsigned(Some(value)) => integer(i64::from(*value)),
            Value::BigUnsigned(Some(value)) => i64::try_from(*value).map_or_else(
                |error| Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
                integer,
            ),
            Value::Float(Some(value)) => Ok(ToSqlOutput::Owned(Owned::Real(f64::from(*value)))),
            Value::Double(Some(value)) => Ok(ToSqlOutput::Owned(Owned::Real(*value))),
            Value::String(Some(value)) => {
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())))
            }
            Value::Char(Some(value)) => Ok(ToSqlOutput::Owned(Owned::Text(value.to_string()))),
            Value::Bytes(Some(value)) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(value))),
            Value::Json(Some(value)) => Ok(ToSqlOutput::Owned(Owned::Text(value.to_string()))),
            Value::ChronoDateTimeUtc(Some(value)) => {
                Ok(ToSqlOutput::Owned(Owned::Text(format_timestamp(*value))))
            }
            Value::Uuid(Some(value)) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(value.as_bytes()))),
            Value::Bool(None)
            | Value::TinyInt(None)
            | Value::SmallInt(None)
            | Value::Int(None)
            | Value::BigInt(None)
            | Value::TinyUnsigned(None)
            | Value::SmallUnsigned(None)
            | Value::Unsigned(None)
            | Value::BigUnsigned(None)
            | Value::Float(None)
            | Value::Double(None)
            | Value::String(None)
            | Value::Char(None)
            | Value::Bytes(None)
            | Value::Json(None)
            | Value::ChronoDateTimeUtc(None)
            | Value::Uuid(None) => Ok(ToSqlOutput::Owned(Owned::Null)),
            other => Err(rusqlite::Error::ToSqlConversionFailure(
                format!("values of this type are not stored by Pharos: {other:?}").into(),
            )),
        }
    }
}

/// What a column was declared as; SeaORM's typed reading needs the very variant back.
#[derive(Clone, Copy)]
enum Kind {
    Boolean,
    Integer,
    Double,
    Text,
    Blob,
    Json,
    Timestamp,
    Uuid,
    /// An expression: its value tells.
    Undeclared,
}

impl Kind {
    fn declared(declaration: Option<&str>) -> Self {
        let Some(declaration) = declaration else {
            return Self::Undeclared;
        };
        let declaration = declaration.to_ascii_lowercase();
        let has = |word: &str| declaration.contains(word);
        if has("uuid") {
            Self::Uuid
        } else if has("timestamp") || has("datetime") {
            Self::Timestamp
        } else if has("json") {
            Self::Json
        } else if has("bool") {
            Self::Boolean
        } else if has("int") {
            Self::Integer
        } else if has("double") || has("real") || has("float") {
            Self::Double
        } else if has("blob") || has("binary") {
            Self::Blob
        } else {
            Self::Text
        }
    }

    fn read(self, value: ValueRef<'_>) -> Result<Value, DatabaseError> {
        let mismatch = |expected: &str| {
            DatabaseError::Other(format!("expected {expected}, found {}", value.data_type()))
        };
        let text = || {
            value
                .as_str()
                .map(str::to_owned)
                .map_err(|error| DatabaseError::Other(error.to_string()))
        };
        if matches!(value, ValueRef::Null) {
            return Ok(match self {
                Self::Boolean => Value::Bool(None),
                Self::Integer => Value::BigInt(None),
                Self::Double => Value::Double(None),
                Self::Text | Self::Undeclared => Value::String(None),
                Self::Blob => Value::Bytes(None),
                Self::Json => Value::Json(None),
                Self::Timestamp => Value::ChronoDateTimeUtc(None),
                Self::Uuid => Value::Uuid(None),
            });
        }
        Ok(match (self, value) {
            (Self::Boolean, ValueRef::Integer(number)) => Value::Bool(Some(number != 0)),
            (Self::Integer | Self::Undeclared, ValueRef::Integer(number)) => {
                Value::BigInt(Some(number))
            }
            (Self::Double, ValueRef::Integer(number)) => Value::Double(Some(number as f64)),
            (Self::Double | Self::Undeclared, ValueRef::Real(number)) => {
                Value::Double(Some(number))
            }
            (Self::Text | Self::Undeclared, ValueRef::Text(_)) => Value::String(Some(text()?)),
            (Self::Blob | Self::Undeclared, ValueRef::Blob(bytes)) => {
                Value::Bytes(Some(bytes.to_vec()))
            }
            (Self::Json, ValueRef::Text(bytes)) => Value::Json(Some(
                serde_json::from_slice(bytes).map_err(|_| mismatch("JSON"))?,
            )),
            (Self::Timestamp, ValueRef::Text(_)) => Value::ChronoDateTimeUtc(Some(
                parse_timestamp(&text()?).ok_or_else(|| mismatch("an RFC 3339 time"))?,
            )),
            (Self::Uuid, ValueRef::Blob(bytes)) => Value::Uuid(Some(
                Uuid::from_slice(bytes).map_err(|_| mismatch("16 bytes of UUID"))?,
            )),
            _ => return Err(mismatch("another type")),
        })
    }
}
