//! Inserting many rows: one text for any number of them, so that it is prepared once.
//!
//! SQLite runs a one-row INSERT again and again, PostgreSQL one INSERT over an array of
//! records, which saves round trips.

use sea_orm::{DbErr, Value};

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

    pub(super) fn for_sqlite(&self) -> String {
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

    /// The rows come as a JSON array of records in the placeholder with this number.
    pub(super) fn for_postgres(&self, number: usize) -> String {
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
            "INSERT INTO {} ({}) SELECT {} FROM jsonb_to_recordset(${number}::text::jsonb) AS given ({})",
            self.table,
            self.names(),
            selected.collect::<Vec<_>>().join(", "),
            typed.collect::<Vec<_>>().join(", "),
        )
    }
}

impl BulkInsert {
    /// The rows as a JSON array of records.
    pub(super) fn records(&self, rows: &[Vec<Value>]) -> Result<String, DbErr> {
        let mut out = Vec::with_capacity(rows.len() * 1_024);
        for (number, row) in rows.iter().enumerate() {
            out.push(if number == 0 { b'[' } else { b',' });
            let mut before = b'{';
            // What is missing is NULL.
            for ((name, _), value) in self
                .columns
                .iter()
                .zip(row)
                .filter(|(_, value)| !is_null(value))
            {
                out.push(before);
                before = b',';
                out.push(b'"');
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":");
                write_json(&mut out, value)?;
            }
            if before == b'{' {
                out.push(b'{');
            }
            out.push(b'}');
        }
        out.push(b']');
        String::from_utf8(out).map_err(|error| DbErr::Type(error.to_string()))
    }
}

fn is_null(value: &Value) -> bool {
    matches!(
        value,
        Value::String(None)
            | Value::BigInt(None)
            | Value::Double(None)
            | Value::Json(None)
            | Value::ChronoDateTimeUtc(None)
            | Value::Uuid(None)
            | Value::Bytes(None)
    )
}

/// A value as PostgreSQL reads it from JSON.
fn write_json(out: &mut Vec<u8>, value: &Value) -> Result<(), DbErr> {
    let json =
        |result: serde_json::Result<()>| result.map_err(|error| DbErr::Json(error.to_string()));
    match value {
        Value::String(Some(text)) => json(serde_json::to_writer(out, text.as_str())),
        Value::BigInt(Some(number)) => json(serde_json::to_writer(out, number)),
        Value::Double(Some(number)) => json(serde_json::to_writer(out, number)),
        Value::Json(Some(value)) => json(serde_json::to_writer(out, value)),
        Value::ChronoDateTimeUtc(Some(time)) => {
            json(serde_json::to_writer(out, &format_timestamp(*time)))
        }
        Value::Uuid(Some(id)) => json(serde_json::to_writer(out, id)),
        Value::Bytes(Some(bytes)) => {
            write_hexadecimal(out, bytes);
            Ok(())
        }
        other => Err(DbErr::Type(format!("no bulk insert takes {other:?}"))),
    }
}

/// `"\\x` and two digits a byte: how PostgreSQL reads bytes.
fn write_hexadecimal(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\"\\\\x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push(b'"');
}
