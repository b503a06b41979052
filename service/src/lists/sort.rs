//! The order of a list, and where in it a page begins.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use sea_orm::sea_query::{Expr, ExprTrait, NullOrdering, Order, SelectStatement};
use serde_json::Value as Json;
use uuid::Uuid;

use super::table::{Field, Holds, Table};
use crate::error::{Error, Fault};
use crate::time::parse_timestamp;

/// Sort keys at most, beside the one that breaks ties.
const MOST_SORT_KEYS: usize = 5;

/// One of the fields that a list is ordered by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SortKey {
    pub field: &'static Field,
    pub descending: bool,
}

/// Reads `sort=`: field names with commas between, `-` before one for descending. The table's key comes last, in the
/// direction of the last field named.
pub(crate) fn parse_sort(table: &Table, sort: &str) -> Result<Vec<SortKey>, Error> {
    let mut keys: Vec<SortKey> = Vec::new();
    let mut position = 0;
    for part in sort.split(',') {
        let name = part.trim();
        let (name, descending) = name
            .strip_prefix('-')
            .map_or((name, false), |name| (name, true));
        let Some(field) = table.field(name).filter(|field| field.sortable) else {
            let known: Vec<&str> = table
                .fields()
                .filter(|field| field.sortable)
                .map(|field| field.name)
                .collect();
            return Err(bad_sort(
                position,
                "unknown_field",
                format!(
                    "`{}` cannot be sorted by: use {}",
                    name.chars().take(40).collect::<String>(),
                    known.join(", ")
                ),
            ));
        };
        if keys.iter().any(|key| key.field.name == name) {
            return Err(bad_sort(
                position,
                "duplicate",
                format!("`{name}` is named twice"),
            ));
        }
        keys.push(SortKey { field, descending });
        position += part.chars().count() + 1;
    }
    if keys.len() > MOST_SORT_KEYS {
        return Err(bad_sort(
            0,
            "too_long",
            format!("at most {MOST_SORT_KEYS} fields can be sorted by"),
        ));
    }
    let descending = keys.last().is_some_and(|last| last.descending);
    if let Some(field) = table.field(table.key)
        && keys.last().is_none_or(|last| last.field.name != table.key)
    {
        keys.push(SortKey { field, descending });
    }
    Ok(keys)
}

fn bad_sort(position: usize, code: &'static str, detail: String) -> Error {
    Error::BadParameter(vec![Fault::parameter_at("sort", position, code, detail)])
}

/// NULLs last, whatever the direction.
pub(crate) fn order(query: &mut SelectStatement, keys: &[SortKey]) {
    for key in keys {
        let order = if key.descending {
            Order::Desc
        } else {
            Order::Asc
        };
        let column = key.field.expression();
        if key.field.nullable {
            query.order_by_expr_with_nulls(column, order, NullOrdering::Last);
        } else {
            query.order_by_expr(column, order);
        }
    }
}

/// The condition for rows that come after a position: later by the first key, or equal there and later by the
/// second, and so on.
pub(crate) fn after(keys: &[SortKey], position: &Json) -> Result<Expr, Error> {
    let values = position
        .as_array()
        .filter(|values| values.len() == keys.len());
    let values =
        values.ok_or_else(|| Error::Internal("a signed cursor has another shape".to_owned()))?;
    let mut alternatives: Option<Expr> = None;
    let mut ties: Option<Expr> = None;
    for (key, value) in keys.iter().zip(values) {
        let value = cursor_value(key.field, value)?;
        let column = key.field.expression();
        let later = match &value {
            // NULLs are last: nothing but further NULLs follows one.
            None => None,
            Some(value) => {
                let beyond = if key.descending {
                    column.clone().lt(value.clone())
                } else {
                    column.clone().gt(value.clone())
                };
                Some(if key.field.nullable {
                    beyond.or(column.clone().is_null())
                } else {
                    beyond
                })
            }
        };
        if let Some(later) = later {
            let alternative = match ties.clone() {
                Some(ties) => ties.and(later),
                None => later,
            };
            alternatives = Some(match alternatives {
                Some(alternatives) => alternatives.or(alternative),
                None => alternative,
            });
        }
        let tie = value.map_or_else(
            || column.clone().is_null(),
            |value| column.clone().eq(value),
        );
        ties = Some(match ties {
            Some(ties) => ties.and(tie),
            None => tie,
        });
    }
    let alternatives = alternatives.unwrap_or_else(|| Expr::val(false));
    // A bound on the first key lets both planners start in the index instead of at its beginning.
    match (keys.first(), values.first()) {
        (Some(first), Some(value)) if !first.field.nullable => {
            let column = first.field.expression();
            Ok(match cursor_value(first.field, value)? {
                Some(value) if first.descending => column.lte(value).and(alternatives),
                Some(value) => column.gte(value).and(alternatives),
                None => alternatives,
            })
        }
        _ => Ok(alternatives),
    }
}

fn cursor_value(field: &Field, value: &Json) -> Result<Option<Value>, Error> {
    let wrong = || Error::Internal(format!("a signed cursor has {value} for {}", field.name));
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match field.holds {
        Holds::Integer => Value::from(value.as_i64().ok_or_else(wrong)?),
        Holds::Number => Value::from(value.as_f64().ok_or_else(wrong)?),
        Holds::Boolean => Value::from(value.as_bool().ok_or_else(wrong)?),
        Holds::Time => {
            let time: DateTime<Utc> = value.as_str().and_then(parse_timestamp).ok_or_else(wrong)?;
            Value::from(time)
        }
        Holds::Id => Value::from(
            value
                .as_str()
                .and_then(|id| Uuid::try_parse(id).ok())
                .ok_or_else(wrong)?,
        ),
        Holds::Text => Value::from(value.as_str().ok_or_else(wrong)?),
        Holds::List(_) | Holds::Json(_) | Holds::Related(_) => return Err(wrong()),
    }))
}
