//! JSON on SQLite: a function of our own decides, an FTS5 table over [`super::tokens`] narrows.
//!
//! `pharos_json_match(document, operation, path, value)` works on JSON text; its meaning is JSONB's. It stands in no
//! schema object, so that other tools can still open the file.

use std::cmp::Ordering;
use std::sync::Arc;

use rusqlite::functions::FunctionFlags;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement};
use serde_json::Value as Json;

use super::lookup::TokenExpression;
use super::tokens::Place;
use super::{
    Comparison, DeclaredIndex, DeclaredPath, DeclaredPaths, JsonColumn, JsonMatch, JsonTest,
    Lookup, Lookups, Part, array_index, document,
};

const FUNCTION: &str = "pharos_json_match";

/// Paths that an integer key may mean, as it may be a key or count the elements of an array; with more of them the
/// index is not asked.
const MOST_PLACES: usize = 8;

pub(super) struct SqliteJson {
    /// Whether `json_index` is kept.
    pub has_index: bool,
}

impl JsonMatch for SqliteJson {
    fn passes(&self, column: JsonColumn, test: &JsonTest) -> Expr {
        let column = column.column();
        match test {
            JsonTest::Contains(path, value) => call(column, "@>", path, value.clone()),
            JsonTest::Contained(path, value) => call(column, "<@", path, value.clone()),
            JsonTest::Exists(path) => call(column, "exists", path, Json::Null),
            JsonTest::Equals(path, value) => call(column, "=", path, value.clone()),
            JsonTest::Compares(path, comparison, value) => {
                call(column, comparison.operator(), path, value.clone())
            }
            JsonTest::Matches(path, part, text) => {
                let operation = match part {
                    Part::Beginning => "begins",
                    Part::End => "ends",
                    Part::Anywhere => "includes",
                };
                call(column, operation, path, Json::from(text.as_str()))
            }
            JsonTest::Has(path, value) => call(column, "has", path, value.clone()),
            JsonTest::HasAny(path, keys) => call(column, "any", path, Json::from(keys.as_slice())),
            JsonTest::HasAll(path, keys) => call(column, "all", path, Json::from(keys.as_slice())),
        }
    }

    fn lookups(&self, column: JsonColumn, test: &JsonTest) -> Option<Lookups> {
        let any_place = |path: &[String], of: &dyn Fn(Place) -> Option<Lookups>| {
            Lookups::or(places(column, path)?.into_iter().map(of).collect())
        };
        if !self.has_index || !column.is_indexed() {
            return None;
        }
        match test {
            JsonTest::Contains(path, value) => any_place(path, &|place| {
                contains_lookups(place, value, path.is_empty())
            }),
            JsonTest::Contained(..) => None,
            JsonTest::Exists(path) if path.is_empty() => None,
            JsonTest::Exists(path) => any_place(path, &|place| Some(Lookups::token(place.token()))),
            JsonTest::Equals(path, value) => any_place(path, &|place| match value {
                Json::Array(_) | Json::Object(_) => contains_lookups(place, value, path.is_empty()),
                scalar => place.scalar_token(scalar).map(Lookups::token),
            }),
            JsonTest::Compares(path, comparison, value) => any_place(path, &|place| {
                let (from, to) = place.range(*comparison, value)?;
                let place = only_value(path, &from);
                Some(Lookups::One(Lookup::Range { from, to, place }))
            }),
            JsonTest::Matches(path, Part::Beginning, text) => any_place(path, &|place| {
                let (from, to) = place.beginning(text);
                let place = only_value(path, &from);
                Some(Lookups::One(Lookup::Range { from, to, place }))
            }),
            JsonTest::Matches(path, ..) if path.is_empty() => None,
            JsonTest::Matches(path, ..) => {
                any_place(path, &|place| Some(Lookups::token(place.token())))
            }
            JsonTest::Has(path, value) => any_place(path, &|place| has_lookups(place, value)),
            JsonTest::HasAny(path, keys) => any_place(path, &|place| {
                let each = keys.iter().map(|key| key_lookups(place, key));
                Lookups::or(each.collect())
            }),
            JsonTest::HasAll(path, keys) => any_place(path, &|place| {
                let each = keys.iter().map(|key| key_lookups(place, key));
                Lookups::and(each.collect())
            }),
        }
    }

    fn documents(&self, lookup: &Lookup) -> SelectStatement {
        let mut select = Query::select();
        match lookup {
            Lookup::Tokens(expression) => select
                .column(Alias::new("rowid"))
                .from(Alias::new("json_index"))
                .and_where(Expr::cust_with_values(
                    "json_index MATCH ?",
                    [match_expression(expression)],
                )),
            Lookup::Range { from, to, .. } => select
                .column(Alias::new("doc"))
                .from(Alias::new("json_terms"))
                .and_where(Expr::col(Alias::new("term")).gte(from.as_str()))
                .and_where(Expr::col(Alias::new("term")).lte(to.as_str())),
        };
        select.take()
    }

    fn waiting(&self) -> Option<SelectStatement> {
        self.has_index.then(|| {
            Query::select()
                .column(Alias::new("resource_id"))
                .from(Alias::new("json_unindexed"))
                .take()
        })
    }

    fn matches_text(&self, column: Expr, part: Part, text: &str) -> Expr {
        match part {
            _ if text.is_empty() => column.is_not_null(),
            Part::Beginning => beginning(column, text),
            Part::End => end(column, text),
            Part::Anywhere => includes(column, text),
        }
    }

    fn declared_indexes(&self, _: &DeclaredPath, _: Option<&str>) -> Vec<DeclaredIndex> {
        Vec::new()
    }

    fn declared(&self) -> Option<&Arc<DeclaredPaths>> {
        None
    }
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// The range lets the column's index be used.
fn beginning(column: Expr, text: &str) -> Expr {
    let first = Func::cust("substr").args([
        column.clone(),
        Expr::val(1_i64),
        Expr::val(characters(text)),
    ]);
    column.gte(text).and(Expr::from(first).eq(text))
}

fn end(column: Expr, text: &str) -> Expr {
    let length = || Expr::from(Func::cust("length").arg(column.clone()));
    let from = length().sub(characters(text) - 1);
    let last = Func::cust("substr").args([column.clone(), from]);
    // What is shorter than the text has no such end: substr would count from before its beginning.
    let long_enough = length().gte(characters(text));
    long_enough.and(Expr::from(last).eq(text))
}

/// True when taking the text out changes something: LIKE would not tell capitals from small letters.
fn includes(column: Expr, text: &str) -> Expr {
    let without = Func::cust("replace").args([column.clone(), Expr::val(text), Expr::val("")]);
    Expr::from(without).ne(column)
}

/// The beginning that all tokens of a range share, when a document that matches has one of them alone: an array is
/// no value that compares, so none can stand along the path or at its end, unless an integer goes into it.
fn only_value(path: &[String], token: &str) -> Option<String> {
    let keys_only = path.iter().all(|key| array_index(key).is_none());
    keys_only.then(|| token[..Place::KIND_END].to_owned())
}

/// The places in the index that a path may mean.
fn places(column: JsonColumn, path: &[String]) -> Option<Vec<Place>> {
    let mut places = vec![Place::of(column)];
    for key in path {
        let below: Vec<Place> = places.iter().map(|place| place.key(key)).collect();
        if array_index(key).is_some() {
            places.extend(below);
        } else {
            places = below;
        }
    }
    (places.len() <= MOST_PLACES).then_some(places)
}

fn contains_lookups(place: Place, value: &Json, is_column: bool) -> Option<Lookups> {
    match value {
        Json::Object(members) if members.is_empty() => {
            (!is_column).then(|| Lookups::token(place.token()))
        }
        Json::Array(items) if items.is_empty() => {
            (!is_column).then(|| Lookups::token(place.token()))
        }
        Json::Object(members) => Lookups::and(
            members
                .iter()
                .map(|(key, member)| contains_lookups(place.key(key), member, false))
                .collect(),
        ),
        Json::Array(items) => Lookups::and(
            items
                .iter()
                .map(|item| contains_lookups(place, item, is_column))
                .collect(),
        ),
        scalar => place.scalar_token(scalar).map(Lookups::token),
    }
}

fn has_lookups(place: Place, value: &Json) -> Option<Lookups> {
    let scalar = place.scalar_token(value).map(Lookups::token);
    match value {
        Json::String(key) => {
            Lookups::or(vec![scalar, Some(Lookups::token(place.key(key).token()))])
        }
        _ => scalar,
    }
}

fn key_lookups(place: Place, key: &str) -> Option<Lookups> {
    has_lookups(place, &Json::from(key))
}

/// Tokens consist of letters and digits.
fn match_expression(expression: &TokenExpression) -> String {
    let list = |parts: &[TokenExpression], operator: &str| {
        let parts: Vec<String> = parts.iter().map(match_expression).collect();
        format!("({})", parts.join(operator))
    };
    match expression {
        TokenExpression::Token(token) => format!("\"{token}\""),
        TokenExpression::And(parts) => list(parts, " AND "),
        TokenExpression::Or(parts) => list(parts, " OR "),
    }
}

fn call(column: Expr, operation: &'static str, path: &[String], value: Json) -> Expr {
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
        // The path and the value are the same for every row of a statement.
        let path =
            context.get_or_create_aux(2, |value| -> Result<Vec<String>, rusqlite::Error> {
                serde_json::from_str(value.as_str()?).map_err(parse)
            })?;
        let value = context.get_or_create_aux(3, |value| -> Result<Json, rusqlite::Error> {
            serde_json::from_str(value.as_str()?).map_err(parse)
        })?;
        Ok(passes(
            &document,
            context.get_raw(1).as_str()?,
            &path,
            &value,
        ))
    })
}

fn passes(document: &Json, operation: &str, path: &[String], value: &Json) -> bool {
    let Some(found) = document::at_path(document, path) else {
        return false;
    };
    let text = || found.as_str().zip(value.as_str());
    let mut keys = value.as_array().into_iter().flatten();
    let has_key = |key: &Json| {
        key.as_str()
            .is_some_and(|key| document::has_key(found, key))
    };
    let order = || document::compare(found, value);
    match operation {
        "@>" => document::contains(found, value),
        "<@" => document::contains(value, found),
        "exists" => !found.is_null(),
        "=" => document::equal(found, value),
        "has" => document::has(found, value),
        "any" => keys.any(has_key),
        "all" => keys.all(has_key),
        "begins" => text().is_some_and(|(found, text)| found.starts_with(text)),
        "ends" => text().is_some_and(|(found, text)| found.ends_with(text)),
        "includes" => text().is_some_and(|(found, text)| found.contains(text)),
        other => order().is_some_and(|order| compares(order, other)),
    }
}

fn compares(order: Ordering, operator: &str) -> bool {
    let of = |comparison: Comparison| comparison.operator() == operator;
    match order {
        Ordering::Less => of(Comparison::Less) || of(Comparison::LessOrEqual),
        Ordering::Equal => of(Comparison::LessOrEqual) || of(Comparison::GreaterOrEqual),
        Ordering::Greater => of(Comparison::Greater) || of(Comparison::GreaterOrEqual),
    }
}
