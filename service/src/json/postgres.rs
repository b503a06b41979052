//! JSON on PostgreSQL: JSONB's own operators. Containment and equality use the GIN index, existence and order the
//! indexes of declared paths, which have to be spelled exactly so (see [`super::index`]).

use sea_orm::Value;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait, PostgresQueryBuilder, Query, SelectStatement};
use serde_json::{Value as Json, json};

use super::tokens::Place;
use super::{DeclaredIndex, JsonColumn, JsonMatch, JsonTest, Lookup, Lookups, Part, array_index};

/// Characters of a string that the index of a declared path keeps.
const KEPT_CHARACTERS: usize = 200;

pub(super) struct PostgresJson;

impl JsonMatch for PostgresJson {
    fn passes(&self, column: JsonColumn, test: &JsonTest) -> Expr {
        match test {
            // An array at the path may contain a bare scalar, one deeper down may not.
            JsonTest::Contains(path, value)
                if path.is_empty() || (keys_only(path) && !is_scalar(value)) =>
            {
                contains(column.column(), &nested(path, value))
            }
            JsonTest::Contains(path, value) => contains(at(column, path), value),
            JsonTest::Contained(path, value) => {
                at(column, path).binary(BinOper::Custom("<@"), json_value(value))
            }
            JsonTest::Exists(path) => {
                type_at(column, path).is_in(["array", "boolean", "number", "object", "string"])
            }
            // An array at the top may contain a bare scalar, which does not make it equal.
            JsonTest::Equals(path, value)
                if keys_only(path) && !path.is_empty() && is_scalar(value) =>
            {
                contains(column.column(), &nested(path, value))
            }
            JsonTest::Equals(path, value) => at(column, path).eq(json_value(value)),
            JsonTest::Compares(path, comparison, value) => {
                let operator = comparison.operator();
                match value {
                    Json::Number(number) => Expr::cust_with_exprs(
                        format!("($1 {operator} $2::text::numeric)"),
                        [number_at(column, path), Expr::val(number.as_str())],
                    ),
                    Json::String(text) => compare_text(column, path, operator, text),
                    _ => Expr::val(false),
                }
            }
            JsonTest::Matches(path, part, text) => match_text(column, path, *part, text),
            JsonTest::Has(path, value) => has(column, path, value),
            JsonTest::HasAny(path, keys) => has_keys(column, path, "?|", keys),
            JsonTest::HasAll(path, keys) => has_keys(column, path, "?&", keys),
        }
    }

    fn lookups(&self, _: JsonColumn, _: &JsonTest) -> Option<Lookups> {
        None
    }

    fn documents(&self, _: &Lookup) -> SelectStatement {
        Query::select().expr(Expr::val(0_i64)).take()
    }

    fn waiting(&self) -> Option<SelectStatement> {
        None
    }

    fn declared_indexes(&self, column: JsonColumn, path: &[String]) -> Vec<DeclaredIndex> {
        let hash = path
            .iter()
            .fold(Place::of(column), |place, key| place.key(key));
        let index = |kind: &str, expression: Expr| {
            let name = format!("idx_json_{}_{}_{kind}", column.name(), hash.token());
            let expression = spelled(expression);
            DeclaredIndex {
                create: format!(
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON resources ({expression})"
                ),
                drop: format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"),
            }
        };
        // None is partial: the planner takes how rare a value is from them.
        vec![
            index("number", number_at(column, path)),
            index("string", beginning_at(column, path)),
            index("type", type_at(column, path)),
        ]
    }
}

/// An expression as it stands in a statement.
fn spelled(expression: Expr) -> String {
    let statement = Query::select()
        .expr(expression)
        .to_string(PostgresQueryBuilder);
    statement.trim_start_matches("SELECT ").to_owned()
}

/// Whether a containment of nested objects says the same as the path.
fn keys_only(path: &[String]) -> bool {
    path.iter().all(|key| array_index(key).is_none())
}

fn is_scalar(value: &Json) -> bool {
    !value.is_array() && !value.is_object()
}

fn nested(path: &[String], value: &Json) -> Json {
    path.iter()
        .rev()
        .fold(value.clone(), |inner, key| json!({ key: inner }))
}

fn contains(column: Expr, value: &Json) -> Expr {
    column.binary(BinOper::Custom("@>"), json_value(value))
}

/// The value at a path.
fn at(column: JsonColumn, path: &[String]) -> Expr {
    if path.is_empty() {
        return column.column();
    }
    Expr::cust_with_exprs("($1 #> $2)", [column.column(), path_array(path)])
}

/// The text of the value at a path.
fn text_at(column: JsonColumn, path: &[String]) -> Expr {
    Expr::cust_with_exprs("($1 #>> $2)", [column.column(), path_array(path)])
}

/// The name of the type of the value at a path.
fn type_at(column: JsonColumn, path: &[String]) -> Expr {
    Expr::cust_with_exprs("(jsonb_typeof($1))", [at(column, path)])
}

/// The number at a path, else NULL.
fn number_at(column: JsonColumn, path: &[String]) -> Expr {
    Expr::cust_with_exprs(
        "(CASE WHEN jsonb_typeof($1) = 'number' THEN $2::numeric END)",
        [at(column, path), text_at(column, path)],
    )
}

/// The string at a path, else NULL.
fn string_at(column: JsonColumn, path: &[String]) -> Expr {
    Expr::cust_with_exprs(
        "(CASE WHEN jsonb_typeof($1) = 'string' THEN $2 END)",
        [at(column, path), text_at(column, path)],
    )
}

/// The beginning of the string at a path, short enough for a B-tree.
fn beginning_at(column: JsonColumn, path: &[String]) -> Expr {
    Expr::cust_with_exprs(
        format!("(\"left\"($1, {KEPT_CHARACTERS}) COLLATE \"C\")"),
        [string_at(column, path)],
    )
}

/// Narrowed by the beginnings, which are ordered as the strings are or equal.
fn compare_text(column: JsonColumn, path: &[String], operator: &str, text: &str) -> Expr {
    let narrow = format!("{}=", operator.trim_end_matches('='));
    let beginning: String = text.chars().take(KEPT_CHARACTERS).collect();
    Expr::cust_with_exprs(
        format!("($1 {narrow} $2::text AND $3 COLLATE \"C\" {operator} $4::text)"),
        [
            beginning_at(column, path),
            Expr::val(beginning),
            string_at(column, path),
            Expr::val(text),
        ],
    )
}

fn match_text(column: JsonColumn, path: &[String], part: Part, text: &str) -> Expr {
    let condition = match part {
        Part::Beginning => "(starts_with($1, $2::text))",
        Part::End => "(\"right\"($1, char_length($2::text)) = $2::text)",
        Part::Anywhere => "(strpos($1, $2::text) > 0)",
    };
    let matched = Expr::cust_with_exprs(condition, [string_at(column, path), Expr::val(text)]);
    if part != Part::Beginning {
        return matched;
    }
    let beginning: String = text.chars().take(KEPT_CHARACTERS).collect();
    let from = beginning_at(column, path).gte(Expr::val(beginning));
    from.and(matched)
}

fn has(column: JsonColumn, path: &[String], value: &Json) -> Expr {
    // Containment would find an object in an array of the whole column alone; only scalars are asked for.
    let in_value = if path.is_empty() {
        contains(column.column(), &json!([value]))
    } else {
        Expr::cust_with_exprs(
            "(CASE WHEN jsonb_typeof($1) = 'object' THEN FALSE ELSE $1 @> $2 END)",
            [at(column, path), json_value(value)],
        )
    };
    match value {
        // A list is never an object, and an OR would hide it from the GIN index.
        _ if path.is_empty() && column != JsonColumn::Metadata => in_value,
        Json::String(key) => in_value.or(Expr::cust_with_exprs(
            "(CASE WHEN jsonb_typeof($1) = 'object' THEN jsonb_exists($1, $2::text) END)",
            [at(column, path), Expr::val(key.as_str())],
        )),
        _ => in_value,
    }
}

fn has_keys(column: JsonColumn, path: &[String], operator: &'static str, keys: &[String]) -> Expr {
    at(column, path).binary(BinOper::Custom(operator), bound_array(keys))
}

fn json_value(value: &Json) -> Expr {
    Expr::val(Value::Json(Some(Box::new(value.clone()))))
}

/// A path as the indexes of declared paths spell it; one with characters that a literal would have to escape cannot be
/// declared and is bound.
fn path_array(path: &[String]) -> Expr {
    let plain = |key: &String| {
        key.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | ':' | '.' | '/'))
    };
    if path.iter().all(plain) {
        return Expr::cust(format!("'{}'::text[]", array_literal(path)));
    }
    bound_array(path)
}

fn bound_array(items: &[String]) -> Expr {
    Expr::cust_with_exprs("$1::text[]", [Expr::val(array_literal(items))])
}

/// An array literal, every element quoted.
fn array_literal(items: &[String]) -> String {
    let elements: Vec<String> = items
        .iter()
        .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", elements.join(","))
}
