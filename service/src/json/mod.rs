//! Questions about JSON columns with one meaning on both databases: PostgreSQL's JSONB meaning.
//!
//! No condition is ever NULL: what is absent simply does not match, so that NOT means what people expect.

pub mod canonical;
pub mod filter;
mod postgres;
mod sqlite;

use sea_orm::DatabaseBackend;
use sea_orm::sea_query::Expr;
use serde_json::Value as Json;

pub(crate) use self::sqlite::register_sqlite_functions;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// Conditions over a JSON column. A path is a list of object keys; where an array stands, a key that is an
/// integer counts its elements from 0, a negative one from the end.
pub trait JsonMatch: Send + Sync {
    /// The column contains `value` as JSONB's `@>` has it: objects by their keys, arrays as sets, scalars by value
    /// (1 equals 1.0).
    fn contains(&self, column: Expr, value: &Json) -> Expr;

    /// There is a value other than null at `path`.
    fn exists(&self, column: Expr, path: &[String]) -> Expr;

    /// The value at `path` equals `value`.
    fn equals(&self, column: Expr, path: &[String], value: &Json) -> Expr;

    /// The value at `path` is of `value`'s type (number or string) and compares so: numbers by size, strings by
    /// code point.
    fn compares(&self, column: Expr, path: &[String], comparison: Comparison, value: &Json)
    -> Expr;

    /// The value at `path` equals `value`, is an array with such an element, or is an object with such a key.
    fn has(&self, column: Expr, path: &[String], value: &Json) -> Expr;
}

/// The element that a key of a path means where an array stands, by PostgreSQL's rules for `#>`.
fn array_index(key: &str) -> Option<i64> {
    key.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r'])
        .parse()
        .ok()
}

/// The strategy for a database.
pub fn json_match(backend: DatabaseBackend) -> Box<dyn JsonMatch> {
    match backend {
        DatabaseBackend::Postgres => Box::new(postgres::PostgresJson),
        _ => Box::new(sqlite::SqliteJson),
    }
}
