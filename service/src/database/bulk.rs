//! Inserting many rows: one text for any number of them, so that it is prepared once.
//!
//! SQLite runs a one-row INSERT again and again, PostgreSQL one INSERT over arrays, which saves round trips.

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, Value};

use super::transaction::Transaction;

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
}

impl ColumnType {
    fn array(self) -> (ArrayType, &'static str) {
        match self {
            Self::Text => (ArrayType::String, "text"),
            Self::BigInt => (ArrayType::BigInt, "bigint"),
            Self::Double => (ArrayType::Double, "double precision"),
            Self::Json => (ArrayType::Json, "jsonb"),
            Self::Timestamp => (ArrayType::ChronoDateTimeUtc, "timestamptz"),
            Self::Uuid => (ArrayType::Uuid, "uuid"),
            Self::Bytes => (ArrayType::Bytes, "bytea"),
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
        given.chain(self.computed.iter().map(|(name, _)| format!("\"{name}\""))).collect::<Vec<_>>().join(", ")
    }

    fn for_sqlite(&self) -> String {
        let given = (1..=self.columns.len()).map(|number| format!("?{number}"));
        let values = given.chain(self.computed.iter().map(|(_, expression)| (*expression).to_owned()));
        format!("INSERT INTO {} ({}) VALUES ({})", self.table, self.names(), values.collect::<Vec<_>>().join(", "))
    }

    fn for_postgres(&self) -> String {
        let given = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        let selected = given.chain(self.computed.iter().map(|(_, expression)| (*expression).to_owned()));
        let arrays = self.columns.iter().enumerate().map(|(index, (_, kind))| format!("${}::{}[]", index + 1, kind.array().1));
        let named = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given ({})",
            self.table,
            self.names(),
            selected.collect::<Vec<_>>().join(", "),
            arrays.collect::<Vec<_>>().join(", "),
            named.collect::<Vec<_>>().join(", "),
        )
    }
}

impl Transaction {
    /// Inserts rows, each with one value for each column of `insert`.
    pub(crate) async fn insert_rows(&self, insert: &BulkInsert, rows: Vec<Vec<Value>>) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        let backend = self.get_database_backend();
        if backend == DatabaseBackend::Sqlite {
            let sql = insert.for_sqlite();
            for row in rows {
                self.execute_raw(Statement::from_sql_and_values(backend, sql.as_str(), row)).await?;
            }
            return Ok(());
        }
        let mut columns: Vec<Vec<Value>> = insert.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let arrays = insert
            .columns
            .iter()
            .zip(columns)
            .map(|((_, kind), values)| Value::Array(kind.array().0, Some(Box::new(values))));
        self.execute_raw(Statement::from_sql_and_values(backend, insert.for_postgres(), arrays)).await.map(|_| ())
    }
}
