//! One reading interface over the rows of both drivers, by position and without a map in between.

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use sea_orm::QueryResult;
use serde_json::Value as Json;
use uuid::Uuid;

use super::error::DatabaseError;
use crate::time::parse_timestamp;

/// A row as its driver gives it, valid until the next one is read.
pub enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r QueryResult),
}

/// A value that can be read from a column of either database.
pub trait Column: Sized {
    /// Reads a SQLite value; the error says what was expected.
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, String>;

    /// Reads the column at `index` of a PostgreSQL row.
    fn from_postgres(row: &QueryResult, index: usize) -> Result<Self, sea_orm::DbErr>;
}

/// A type that is read from a whole row, its columns in a fixed order.
pub trait FromRow: Sized {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError>;
}

impl Row<'_> {
    /// The value of the column at `index` (from 0) of the SELECT list.
    pub fn get<T: Column>(&self, index: usize) -> Result<T, DatabaseError> {
        match self {
            Self::Sqlite(row) => T::from_sqlite(row.get_ref(index)?)
                .map_err(|text| DatabaseError::Other(format!("column {index}: {text}"))),
            Self::Postgres(row) => Ok(T::from_postgres(row, index)?),
        }
    }

    /// Lends the bytes of a column, without a copy where the driver allows it.
    pub fn bytes<R>(
        &self,
        index: usize,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, DatabaseError> {
        match self {
            Self::Sqlite(row) => match row.get_ref(index)? {
                ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(read(bytes)),
                other => Err(DatabaseError::Other(format!(
                    "column {index}: expected bytes, found {}",
                    other.data_type()
                ))),
            },
            Self::Postgres(row) => Ok(read(&row.try_get_by_index::<Vec<u8>>(index)?)),
        }
    }
}

fn unexpected<T>(expected: &str, value: ValueRef<'_>) -> Result<T, String> {
    Err(format!("expected {expected}, found {}", value.data_type()))
}

fn text(value: ValueRef<'_>) -> Result<&str, String> {
    match value {
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_err(|error| format!("invalid UTF-8: {error}"))
        }
        other => unexpected("text", other),
    }
}

macro_rules! column {
    ($type:ty, |$value:ident| $read:expr) => {
        impl Column for $type {
            fn from_sqlite($value: ValueRef<'_>) -> Result<Self, String> {
                $read
            }

            fn from_postgres(row: &QueryResult, index: usize) -> Result<Self, sea_orm::DbErr> {
                row.try_get_by_index(index)
            }
        }
    };
}

column!(String, |value| text(value).map(str::to_owned));
column!(i64, |value| match value {
    ValueRef::Integer(number) => Ok(number),
    other => unexpected("an integer", other),
});
column!(bool, |value| match value {
    ValueRef::Integer(number) => Ok(number != 0),
    other => unexpected("a boolean", other),
});
column!(f64, |value| match value {
    ValueRef::Real(number) => Ok(number),
    ValueRef::Integer(number) => Ok(number as f64),
    other => unexpected("a number", other),
});
column!(Vec<u8>, |value| match value {
    ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
    other => unexpected("a blob", other),
});
column!(Uuid, |value| match value {
    ValueRef::Blob(bytes) => Uuid::from_slice(bytes).map_err(|error| error.to_string()),
    other => unexpected("16 bytes", other),
});
column!(DateTime<Utc>, |value| {
    let text = text(value)?;
    parse_timestamp(text).ok_or_else(|| format!("expected an RFC 3339 time, found `{text}`"))
});
column!(Json, |value| serde_json::from_str(text(value)?)
    .map_err(|error| error.to_string()));

/// A JSON array of strings.
impl Column for Vec<String> {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, String> {
        match text(value)? {
            "[]" => Ok(Self::new()),
            json => serde_json::from_str(json).map_err(|error| error.to_string()),
        }
    }

    fn from_postgres(row: &QueryResult, index: usize) -> Result<Self, sea_orm::DbErr> {
        let json: Json = row.try_get_by_index(index)?;
        serde_json::from_value(json).map_err(|error| sea_orm::DbErr::Json(error.to_string()))
    }
}

impl<T: Column> Column for Option<T>
where
    Option<T>: PostgresOptional,
{
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &QueryResult, index: usize) -> Result<Self, sea_orm::DbErr> {
        Self::read(row, index)
    }
}

/// Nullable reading through SeaORM, which tells NULL from a wrong type.
pub trait PostgresOptional: Sized {
    fn read(row: &QueryResult, index: usize) -> Result<Self, sea_orm::DbErr>;
}

impl<T: sea_orm::TryGetable> PostgresOptional for Option<T> {
    fn read(row: &QueryResult, index: usize) -> Result<Self, sea_orm::DbErr> {
        row.try_get_by_index(index)
    }
}
