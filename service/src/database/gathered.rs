//! Inserts that PostgreSQL is sent as one statement: `WITH … AS (INSERT …) INSERT …`.
//!
//! A round trip costs more than the writing of a row, so inserts, whose result nobody looks at, are gathered. The parts
//! of one statement all see the database as it was before it, so no two of them are about the same table.

use sea_orm::{DatabaseBackend, Statement, Value};

use super::bulk::BulkInsert;

/// Parts of a statement to come: inserts with their values.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<(&'static BulkInsert, Vec<Value>)>);

impl Gathered {
    /// Whether an insert can be part of the same statement.
    pub(super) fn takes(&self, insert: &BulkInsert) -> bool {
        self.0.iter().all(|(known, _)| known.table != insert.table)
    }

    pub(super) fn push(&mut self, insert: &'static BulkInsert, values: Vec<Value>) {
        self.0.push((insert, values));
    }

    /// Takes everything out as one statement; `None` when there is nothing.
    pub(super) fn take(&mut self) -> Option<Statement> {
        let mut values = Vec::new();
        let mut parts = Vec::new();
        for (insert, own) in std::mem::take(&mut self.0) {
            parts.push(insert.for_postgres(values.len() + 1));
            values.extend(own);
        }
        let last = parts.pop()?;
        let named: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(number, part)| format!("part_{number} AS ({part})"))
            .collect();
        let sql = if named.is_empty() {
            last
        } else {
            format!("WITH {} {last}", named.join(", "))
        };
        Some(Statement::from_sql_and_values(
            DatabaseBackend::Postgres,
            sql,
            values,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ColumnType;
    use super::super::bulk::Form;
    use super::*;

    static RECORDS: BulkInsert =
        BulkInsert::new("a", Form::Records, &[("x", ColumnType::Json)], &[]);
    static ARRAYS: BulkInsert = BulkInsert::new(
        "b",
        Form::Arrays,
        &[("y", ColumnType::Text), ("z", ColumnType::TokenVector)],
        &[("n", "now()")],
    );

    #[test]
    fn inserts_become_one_statement_with_placeholders_numbered_through() {
        let mut gathered = Gathered::default();
        gathered.push(&RECORDS, vec!["[]".into()]);
        assert!(!gathered.takes(&RECORDS));
        assert!(gathered.takes(&ARRAYS));
        let arrays = ARRAYS.values(vec![
            vec!["one".into(), "a".into()],
            vec!["two".into(), "b".into()],
        ]);
        gathered.push(&ARRAYS, arrays.expect("arrays"));

        let statement = gathered.take().expect("two parts");
        assert_eq!(
            statement.sql,
            "WITH part_0 AS (INSERT INTO a (\"x\") SELECT \"x\" FROM jsonb_to_recordset($1::text::jsonb) AS given \
             (\"x\" jsonb)) INSERT INTO b (\"y\", \"z\", \"n\") SELECT \"y\"::text, array_to_tsvector(string_to_array(\"z\", ' ')), now() FROM \
             unnest($2::text[], $3::text[]) AS given (\"y\", \"z\")"
        );
        assert_eq!(statement.values.map(|values| values.0.len()), Some(3));
        assert!(gathered.take().is_none());
    }

    #[test]
    fn an_array_has_no_null() {
        let rows = vec![vec![Value::String(None), "a".into()]];
        assert!(ARRAYS.values(rows).is_err());
    }
}
