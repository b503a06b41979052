//! Inserting many rows: one text for any number of them, so that it is prepared once.
//!
//! SQLite runs a one-row INSERT again and again, PostgreSQL one INSERT over an array of
//! records, which saves round trips.

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, Value};

use serde_json::Value as Json;

use super::transaction::Transaction;
use crate::time::format_timestamp;

/// The type of a column, as both databases have to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    BigInt,
    Double,
    Json,
    Timestamp,
    Uuid,
    Bytes,
    /// PostgreSQL's index of tokens, given in its text form.
    TokenVector,
}

impl ColumnType {
    /// The name of the type on PostgreSQL.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::BigInt => "bigint",
            Self::Double => "double precision",
            Self::Json => "jsonb",
            Self::Timestamp => "timestamptz",
            Self::Uuid => "uuid",
            Self::Bytes => "bytea",
            Self::TokenVector => "tsvector",
        }
    }
}

/// A table and the columns that rows bring values for, in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BulkInsert {
    pub table: &'static str,
    pub columns: &'static [(&'static str, ColumnType)],
    /// Columns that are computed: name and SQL expression over the others.
    pub computed: &'static [(&'static str, &'static str)],
}

impl BulkInsert {
    fn names(&self) -> String {
        let given = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        given
            .chain(self.computed.iter().map(|(name, _)| format!("\"{name}\"")))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn for_sqlite(&self) -> String {
        let given = (1..=self.columns.len()).map(|number| format!("?{number}"));
        let values = given.chain(
            self.computed
                .iter()
                .map(|(_, expression)| (*expression).to_owned()),
        );
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.table,
            self.names(),
            values.collect::<Vec<_>>().join(", ")
        )
    }

    fn for_postgres(&self) -> String {
        let given = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        let selected = given.chain(
            self.computed
                .iter()
                .map(|(_, expression)| (*expression).to_owned()),
        );
        let typed = self
            .columns
            .iter()
            .map(|(name, kind)| format!("\"{name}\" {}", kind.name()));
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM jsonb_to_recordset($1) AS given ({})",
            self.table,
            self.names(),
            selected.collect::<Vec<_>>().join(", "),
            typed.collect::<Vec<_>>().join(", "),
        )
    }
}

impl Transaction {
    /// Inserts rows, each with one value for each column of `insert`.
    pub(crate) async fn insert_rows(
        &self,
        insert: &BulkInsert,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        let backend = self.get_database_backend();
        if backend == DatabaseBackend::Sqlite {
            let sql = insert.for_sqlite();
            for row in rows {
                self.execute_raw(Statement::from_sql_and_values(backend, sql.as_str(), row))
                    .await?;
            }
            return Ok(());
        }
        let records: Vec<Json> = rows
            .iter()
            .map(|row| {
                let members = insert.columns.iter().zip(row);
                members
                    .map(|((name, _), value)| Ok(((*name).to_owned(), to_json(value)?)))
                    .collect()
            })
            .collect::<Result<_, DbErr>>()?;
        let records = Value::Json(Some(Box::new(Json::Array(records))));
        self.execute_raw(Statement::from_sql_and_values(
            backend,
            insert.for_postgres(),
            [records],
        ))
        .await
        .map(|_| ())
    }
}

/// A value as PostgreSQL reads it from JSON.
fn to_json(value: &Value) -> Result<Json, DbErr> {
    Ok(match value {
        Value::String(text) => text.as_deref().into(),
        Value::BigInt(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Json(json) => json.as_deref().cloned().unwrap_or(Json::Null),
        Value::ChronoDateTimeUtc(time) => time.map(format_timestamp).into(),
        Value::Uuid(id) => id.map(|id| id.to_string()).into(),
        Value::Bytes(bytes) => bytes.as_deref().map(hexadecimal).into(),
        other => return Err(DbErr::Type(format!("no bulk insert takes {other:?}"))),
    })
}

/// `\x` and two digits a byte.
fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
