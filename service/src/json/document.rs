//! Deciding about a JSON document here, for a database that has no JSONB.

use std::cmp::Ordering;

use serde_json::{Number, Value as Json};

use super::number::Decimal;

/// The value at a path, by PostgreSQL's rules for `#>`.
pub(super) fn at_path<'j>(document: &'j Json, path: &[String]) -> Option<&'j Json> {
    path.iter().try_fold(document, |value, key| match value {
        Json::Object(members) => members.get(key),
        Json::Array(items) => {
            let index = super::array_index(key)?;
            let index = if index < 0 {
                i64::try_from(items.len()).ok()?.checked_add(index)?
            } else {
                index
            };
            items.get(usize::try_from(index).ok()?)
        }
        _ => None,
    })
}

/// `@>` of JSONB: <https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT>. An array may contain
/// a bare scalar at the top level only.
pub(super) fn contains(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Array(left), scalar) if !scalar.is_object() && !scalar.is_array() => {
            left.iter().any(|found| equal(found, scalar))
        }
        _ => contains_whole(left, right),
    }
}

fn contains_whole(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => right.iter().all(|(key, value)| {
            left.get(key)
                .is_some_and(|found| contains_whole(found, value))
        }),
        (Json::Array(left), Json::Array(right)) => right
            .iter()
            .all(|value| left.iter().any(|found| contains_whole(found, value))),
        _ => equal(left, right),
    }
}

pub(super) fn has(found: &Json, value: &Json) -> bool {
    match (found, value) {
        (Json::Array(items), _) => items.iter().any(|item| equal(item, value)),
        (Json::Object(members), Json::String(key)) => members.contains_key(key),
        _ => equal(found, value),
    }
}

/// `?` of JSONB: a key of an object, a string in an array, or the string itself.
pub(super) fn has_key(found: &Json, key: &str) -> bool {
    match found {
        Json::Object(members) => members.contains_key(key),
        Json::Array(items) => items.iter().any(|item| item.as_str() == Some(key)),
        Json::String(text) => text == key,
        _ => false,
    }
}

pub(super) fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            left == right || compare_numbers(left, right) == Some(Ordering::Equal)
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

/// Numbers by value, strings by code point; nothing else has an order.
pub(super) fn compare(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => compare_numbers(left, right),
        (Json::String(left), Json::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => Some(Decimal::parse(left.as_str())?.cmp(&Decimal::parse(right.as_str())?)),
    }
}
