//! Functions that stand for a condition.

use serde_json::Value as Json;

use super::super::canonical::{JsonFault, canonicalise};
use super::super::{JsonColumn, JsonPath, JsonTest};
use super::compiler::{field_of, only};
use super::parser::{Call, CallArgument, Path};
use super::{FilterFault, fault};
use crate::lists::{Holds, Table};

pub(super) const NAMES: [&str; 4] = ["contains", "contained", "has_any", "has_all"];

/// The column and the question that a call is about.
pub(super) fn test_of(table: &Table, call: &Call) -> Result<(JsonColumn, JsonTest), FilterFault> {
    let Some((field, others)) = call.arguments.split_first() else {
        return fault(
            call.position,
            "type",
            format!("`{}` needs a field and what to look for", call.name),
        );
    };
    let (column, path) = json_path(table, field)?;
    let test = match call.name.as_str() {
        "contains" => JsonTest::Contains(path, only_json(call, others)?),
        "contained" => JsonTest::Contained(path, only_json(call, others)?),
        "has_any" => JsonTest::HasAny(path, keys(call, others)?),
        _ => JsonTest::HasAll(path, keys(call, others)?),
    };
    Ok((column, test))
}

fn json_path(
    table: &Table,
    argument: &CallArgument,
) -> Result<(JsonColumn, JsonPath), FilterFault> {
    let path = Path {
        names: argument
            .names
            .iter()
            .map(|name| name.text.clone())
            .collect(),
        position: argument.position,
    };
    match field_of(table, &path)?.holds {
        Holds::Json(column) | Holds::List(column) => Ok((column, path.names[1..].to_vec())),
        _ => fault(
            path.position,
            "operator",
            format!(
                "`{}` is no JSON: {} any",
                path.names[0],
                only(table, |holds| matches!(
                    holds,
                    Holds::Json(_) | Holds::List(_)
                ))
            ),
        ),
    }
}

/// The one quoted text behind the field, read as JSON.
fn only_json(call: &Call, others: &[CallArgument]) -> Result<Json, FilterFault> {
    let [argument] = others else {
        return fault(
            call.position,
            "type",
            format!(
                "`{}` takes a field and one quoted JSON value, as in {}(metadata, '{{\"pages\": 300}}')",
                call.name, call.name
            ),
        );
    };
    let text = quoted(argument)?;
    let mut value: Json = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            return fault(
                argument.position,
                "type",
                format!("this is no JSON: {error}"),
            );
        }
    };
    match canonicalise(&mut value) {
        Ok(()) => Ok(value),
        Err(JsonFault::Nul) => fault(
            argument.position,
            "nul",
            "the character U+0000 is not allowed",
        ),
        Err(JsonFault::TooDeep) => {
            fault(argument.position, "too_deep", "the JSON is nested too deep")
        }
        Err(JsonFault::TooManyDigits) => fault(
            argument.position,
            "out_of_range",
            "a number has too many digits",
        ),
    }
}

/// One quoted text or more.
fn keys(call: &Call, others: &[CallArgument]) -> Result<Vec<String>, FilterFault> {
    if others.is_empty() {
        return fault(
            call.position,
            "type",
            format!("`{}` needs at least one quoted text to look for", call.name),
        );
    }
    others
        .iter()
        .map(|argument| quoted(argument).map(str::to_owned))
        .collect()
}

fn quoted(argument: &CallArgument) -> Result<&str, FilterFault> {
    match &argument.names[..] {
        [only] if only.quoted => Ok(&only.text),
        _ => fault(argument.position, "type", "expected a quoted text"),
    }
}
