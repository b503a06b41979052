//! Inserting many rows: one text for any number of them, so that it is prepared once.
//!
//! SQLite runs a one-row INSERT again and again, PostgreSQL one INSERT over all rows, which saves round trips. They come
//! as an array for each column where nothing is NULL (SeaORM's arrays take no NULL), else as a JSON array of records,
//! which takes PostgreSQL longer to read.

use std::sync::OnceLock;

use sea_orm::sea_query::ArrayType;
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
    /// PostgreSQL's index of tokens, given with a space between.
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

    /// What becomes a value of this type on PostgreSQL, of a column of arrays.
    fn of_element(self, column: &str) -> String {
        match self {
            Self::TokenVector => token_vector(&format!("\"{column}\"")),
            _ => format!("\"{column}\"::{}", self.name()),
        }
    }

    /// The type of an array's elements that become values of this type by a cast.
    fn element(self) -> Option<(&'static str, ArrayType)> {
        match self {
            Self::Text | Self::TokenVector => Some(("text", ArrayType::String)),
            Self::BigInt => Some(("bigint", ArrayType::BigInt)),
            Self::Uuid => Some(("uuid", ArrayType::Uuid)),
            Self::Bytes => Some(("bytea", ArrayType::Bytes)),
            Self::Double | Self::Json | Self::Timestamp => None,
        }
    }
}

/// Where PostgreSQL finds the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An array for each column; no value may be NULL.
    Arrays,
    /// A JSON array of records.
    Records,
}

/// A table and the columns that rows bring values for, in their order.
#[derive(Debug)]
pub(crate) struct BulkInsert {
    pub table: &'static str,
    pub form: Form,
    pub columns: &'static [(&'static str, ColumnType)],
    /// Columns that are computed: name and SQL expression over the others.
    pub computed: &'static [(&'static str, &'static str)],
    /// The text of [`Self::for_sqlite`], once it was needed.
    one_row: OnceLock<String>,
}

impl BulkInsert {
    pub(crate) const fn new(
        table: &'static str,
        form: Form,
        columns: &'static [(&'static str, ColumnType)],
        computed: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self {
            table,
            form,
            columns,
            computed,
            one_row: OnceLock::new(),
        }
    }

    fn names(&self) -> String {
        let given = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        join(given.chain(self.computed.iter().map(|(name, _)| format!("\"{name}\""))))
    }

    /// `OR FAIL` leaves it to the transaction to undo what a failing statement has changed; else SQLite would copy every
    /// page that the statement changes.
    pub(super) fn for_sqlite(&self) -> &str {
        self.one_row.get_or_init(|| self.insert_one_row())
    }

    fn insert_one_row(&self) -> String {
        let given = (1..=self.columns.len()).map(|number| format!("?{number}"));
        let values = given.chain(
            self.computed
                .iter()
                .map(|(_, expression)| (*expression).to_owned()),
        );
        format!(
            "INSERT OR FAIL INTO {} ({}) VALUES ({})",
            self.table,
            self.names(),
            join(values)
        )
    }

    /// The statement, its placeholders numbered from `first`, for what [`Self::values`] gives.
    pub(super) fn for_postgres(&self, first: usize) -> String {
        let given = self.columns.iter().map(|(name, kind)| match self.form {
            Form::Arrays => kind.of_element(name),
            Form::Records => format!("\"{name}\""),
        });
        let selected = given.chain(
            self.computed
                .iter()
                .map(|(_, expression)| (*expression).to_owned()),
        );
        let source = match self.form {
            Form::Arrays => {
                let arrays = self.columns.iter().zip(first..).map(|((_, kind), number)| {
                    let element = kind.element().map_or("text", |(name, _)| name);
                    format!("${number}::{element}[]")
                });
                let names = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
                format!("unnest({}) AS given ({})", join(arrays), join(names))
            }
            Form::Records => {
                let typed = self
                    .columns
                    .iter()
                    .map(|(name, kind)| format!("\"{name}\" {}", kind.name()));
                format!(
                    "jsonb_to_recordset(${first}::text::jsonb) AS given ({})",
                    join(typed)
                )
            }
        };
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {source}",
            self.table,
            self.names(),
            join(selected),
        )
    }

    /// The rows as the values of [`Self::for_postgres`].
    pub(super) fn values(&self, rows: Vec<Vec<Value>>) -> Result<Vec<Value>, DbErr> {
        match self.form {
            Form::Arrays => self.arrays(rows),
            Form::Records => Ok(vec![self.records(&rows)?.into()]),
        }
    }

    fn arrays(&self, rows: Vec<Vec<Value>>) -> Result<Vec<Value>, DbErr> {
        let mut arrays: Vec<Vec<Value>> = self
            .columns
            .iter()
            .map(|_| Vec::with_capacity(rows.len()))
            .collect();
        for row in rows {
            for (array, value) in arrays.iter_mut().zip(row) {
                array.push(value);
            }
        }
        let typed = self.columns.iter().zip(arrays);
        typed
            .map(|((name, kind), array)| match kind.element() {
                Some((_, element)) if !array.iter().any(is_null) => {
                    Ok(Value::Array(element, Some(Box::new(array))))
                }
                _ => Err(DbErr::Type(format!("column {name} cannot be an array"))),
            })
            .collect()
    }

    /// The rows as a JSON array of records.
    fn records(&self, rows: &[Vec<Value>]) -> Result<String, DbErr> {
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

/// The vector of tokens in a text with a space between, which PostgreSQL reads faster than a vector's own text.
pub(crate) fn token_vector(text: &str) -> String {
    format!("array_to_tsvector(string_to_array({text}, ' '))")
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
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
