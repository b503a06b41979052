//! Writes that PostgreSQL is sent as one statement: `WITH … AS (INSERT …), … UPDATE …`.
//!
//! A round trip costs more than the writing of a row, so writes whose result nobody looks at are gathered. The parts of
//! one statement all see the database as it was before it, so no two of them are about the same table.

use sea_orm::{DatabaseBackend, Statement, Value};

use super::bulk::BulkInsert;

/// Parts of a statement to come.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<Part>);

#[derive(Debug)]
pub(super) enum Part {
    /// Rows in the insert's form.
    Rows(&'static BulkInsert, Vec<Value>),
    /// A writing statement about one table, its placeholders numbered from `$1`.
    Statement(&'static str, Statement),
}

impl Part {
    fn table(&self) -> &'static str {
        match self {
            Self::Rows(insert, _) => insert.table,
            Self::Statement(table, _) => table,
        }
    }

    /// The SQL with its placeholders numbered on from those of `values`, to which it adds its own.
    fn append(self, values: &mut Vec<Value>) -> String {
        let taken = values.len();
        match self {
            Self::Rows(insert, rows) => {
                values.extend(rows);
                insert.for_postgres(taken + 1)
            }
            Self::Statement(_, statement) => {
                values.extend(statement.values.into_iter().flat_map(|values| values.0));
                renumbered(&statement.sql, taken)
            }
        }
    }
}

impl Gathered {
    /// Whether a part can be part of the same statement.
    pub(super) fn takes(&self, part: &Part) -> bool {
        self.0.iter().all(|known| known.table() != part.table())
    }

    pub(super) fn push(&mut self, part: Part) {
        self.0.push(part);
    }

    /// Takes everything out as one statement; `None` when there is nothing.
    pub(super) fn take(&mut self) -> Option<Statement> {
        let mut values = Vec::new();
        let mut parts: Vec<String> = std::mem::take(&mut self.0)
            .into_iter()
            .map(|part| part.append(&mut values))
            .collect();
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

/// Adds `by` to the number of every placeholder. The statements given have no `$` elsewhere.
fn renumbered(sql: &str, by: usize) -> String {
    let mut pieces = sql.split('$');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = piece.split_at(digits);
        let number = number.parse::<usize>().unwrap_or_default() + by;
        out.push_str(&format!("${number}{rest}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_statement_with_placeholders_numbered_through() {
        const INSERT: BulkInsert = BulkInsert {
            table: "a",
            form: super::super::bulk::Form::Records,
            columns: &[("x", super::super::ColumnType::BigInt)],
            computed: &[],
        };
        let update = Statement::from_sql_and_values(
            DatabaseBackend::Postgres,
            "UPDATE b SET n = n + $1 WHERE k = $2",
            [7.into(), 8.into()],
        );
        let mut gathered = Gathered::default();
        gathered.push(Part::Rows(&INSERT, vec!["[]".into()]));
        assert!(!gathered.takes(&Part::Rows(&INSERT, Vec::new())));
        let update = Part::Statement("b", update);
        assert!(gathered.takes(&update));
        gathered.push(update);

        let statement = gathered.take().expect("two parts");
        assert_eq!(
            statement.sql,
            "WITH part_0 AS (INSERT INTO a (\"x\") SELECT \"x\" FROM jsonb_to_recordset($1::text::jsonb) AS given \
             (\"x\" bigint)) UPDATE b SET n = n + $2 WHERE k = $3"
        );
        let values = statement.values.expect("values");
        assert_eq!(values.0, vec!["[]".into(), 7.into(), 8.into()]);
        assert!(gathered.take().is_none());
    }
}
