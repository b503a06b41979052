//! JSON matching by a function of our own, since SQLite has no containment.
//!
//! `pharos_json_match(document, operation, path, value)` works on JSON text; its meaning is JSONB's.

use std::cmp::Ordering;

use rusqlite::functions::FunctionFlags;
use sea_orm::sea_query::{Expr, Func};
use serde_json::{Number, Value as Json};

use super::{Comparison, JsonMatch};

const FUNCTION: &str = "pharos_json_match";

pub(super) struct SqliteJson;

impl JsonMatch for SqliteJson {
    fn contains(&self, column: Expr, value: &Json) -> Expr {
        call(column, "contains", &[], value)
    }

    fn exists(&self, column: Expr, path: &[String]) -> Expr {
        call(column, "exists", path, &Json::Null)
    }

    fn equals(&self, column: Expr, path: &[String], value: &Json) -> Expr {
        call(column, "=", path, value)
    }

    fn compares(
        &self,
        column: Expr,
        path: &[String],
        comparison: Comparison,
        value: &Json,
    ) -> Expr {
        call(column, comparison.operator(), path, value)
    }

    fn has(&self, column: Expr, path: &[String], value: &Json) -> Expr {
        call(column, "has", path, value)
    }
}

fn call(column: Expr, operation: &'static str, path: &[String], value: &Json) -> Expr {
    Expr::from(Func::cust(FUNCTION).args([
        column,
        Expr::val(operation),
        Expr::val(Json::from(path).to_string()),
        Expr::val(value.to_string()),
    ]))
}

/// Makes the function known to a connection.
pub(crate) fn register_sqlite_functions(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(FUNCTION, 4, flags, |context| {
        let parse = |error: serde_json::Error| rusqlite::Error::UserFunctionError(error.into());
        let document: Json = match context.get_raw(0) {
            rusqlite::types::ValueRef::Null => return Ok(false),
            value => serde_json::from_str(value.as_str()?).map_err(parse)?,
        };
        let path: Vec<String> =
            serde_json::from_str(context.get_raw(2).as_str()?).map_err(parse)?;
        let value: Json = serde_json::from_str(context.get_raw(3).as_str()?).map_err(parse)?;
        Ok(matches(
            &document,
            context.get_raw(1).as_str()?,
            &path,
            &value,
        ))
    })
}

fn matches(document: &Json, operation: &str, path: &[String], value: &Json) -> bool {
    let Some(found) = at_path(document, path) else {
        return false;
    };
    match operation {
        "contains" => contains(found, value, true),
        "exists" => !found.is_null(),
        "=" => equal(found, value),
        "has" => has(found, value),
        _ => compare(found, value).is_some_and(|order| match operation {
            "<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            ">=" => order != Ordering::Less,
            _ => false,
        }),
    }
}

fn at_path<'j>(document: &'j Json, path: &[String]) -> Option<&'j Json> {
    path.iter().try_fold(document, |value, key| match value {
        Json::Object(members) => members.get(key),
        Json::Array(items) => {
            let index = super::array_index(key)?;
            let index = if index < 0 {
                i64::try_from(items.len()).ok()? + index
            } else {
                index
            };
            items.get(usize::try_from(index).ok()?)
        }
        _ => None,
    })
}

fn has(found: &Json, value: &Json) -> bool {
    match (found, value) {
        (Json::Array(items), _) => items.iter().any(|item| equal(item, value)),
        (Json::Object(members), Json::String(key)) => members.contains_key(key),
        _ => equal(found, value),
    }
}

/// `@>` of JSONB: <https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT>. An array may contain
/// a bare scalar at the top level only.
fn contains(left: &Json, right: &Json, top: bool) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => right.iter().all(|(key, value)| {
            left.get(key)
                .is_some_and(|found| contains(found, value, false))
        }),
        (Json::Array(left), Json::Array(right)) => right
            .iter()
            .all(|value| left.iter().any(|found| contains(found, value, false))),
        (Json::Array(left), scalar) if top && !scalar.is_object() => {
            left.iter().any(|found| equal(found, scalar))
        }
        _ => equal(left, right),
    }
}

fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            compare_numbers(left, right) == Some(Ordering::Equal)
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}

fn compare(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => compare_numbers(left, right),
        (Json::String(left), Json::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Compares by value; integers of 64 bits exactly.
fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn integer(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i128() {
        return Some(integer);
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 1e30).then_some(float as i128)
}
