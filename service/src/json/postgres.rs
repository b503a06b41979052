//! JSON on PostgreSQL: JSONB's own operators. Containment and equality use the GIN index, existence and order the
//! indexes of declared paths, which have to be spelled exactly so (see [`super::index`]).

use std::sync::Arc;

use sea_orm::Value;
use sea_orm::sea_query::{
    BinOper, Expr, ExprTrait, Func, PostgresQueryBuilder, Query, SelectStatement,
};
use serde_json::{Value as Json, json};

use super::tokens::Place;
use super::{
    DeclaredIndex, DeclaredPath, DeclaredPaths, JsonColumn, JsonMatch, JsonTest, Lookup, Lookups,
    Part, array_index,
};

/// Characters of a string that the index of a declared path keeps.
const KEPT_CHARACTERS: usize = 200;

#[derive(Default)]
pub(super) struct PostgresJson {
    declared: Arc<DeclaredPaths>,
}

/// A path into a column.
#[derive(Clone, Copy)]
struct Spot<'a> {
    column: JsonColumn,
    path: &'a [String],
    /// Whether it is spelled as the indexes of the path are.
    is_declared: bool,
}

impl JsonMatch for PostgresJson {
    fn passes(&self, column: JsonColumn, test: &JsonTest) -> Expr {
        let path = test.path();
        let spot = Spot {
            column,
            path,
            is_declared: self.declared.contains(column, path),
        };
        match test {
            // An array at the path may contain a bare scalar, one deeper down may not.
            JsonTest::Contains(path, value)
                if path.is_empty() || (keys_only(path) && !is_scalar(value)) =>
            {
                contains(column.column(), &nested(path, value))
            }
            JsonTest::Contains(_, value) => contains(at(spot), value),
            JsonTest::Contained(_, value) => {
                at(spot).binary(BinOper::Custom("<@"), json_value(value))
            }
            JsonTest::Exists(_) => {
                type_at(spot).is_in(["array", "boolean", "number", "object", "string"])
            }
            // An array at the top may contain a bare scalar, which does not make it equal.
            JsonTest::Equals(path, value)
                if keys_only(path) && !path.is_empty() && is_scalar(value) =>
            {
                contains(column.column(), &nested(path, value))
            }
            JsonTest::Equals(_, value) => at(spot).eq(json_value(value)),
            JsonTest::Compares(_, comparison, value) => {
                let operator = comparison.operator();
                match value {
                    Json::Number(number) => Expr::cust_with_exprs(
                        format!("($1 {operator} $2::text::numeric)"),
                        [number_at(spot), Expr::val(number.as_str())],
                    ),
                    Json::String(text) => compare_text(spot, operator, text),
                    _ => Expr::val(false),
                }
            }
            JsonTest::Matches(_, part, text) => match_text(spot, *part, text),
            JsonTest::Has(_, value) => has(spot, value),
            JsonTest::HasAny(_, keys) => has_keys(spot, "?|", keys),
            JsonTest::HasAll(_, keys) => has_keys(spot, "?&", keys),
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

    fn matches_text(&self, column: Expr, part: Part, text: &str) -> Expr {
        let matched = like(column.clone(), part, text);
        if part == Part::Beginning {
            // For the column's B-tree.
            return column.gte(text).and(matched);
        }
        matched
    }

    fn declared_indexes(&self, path: &DeclaredPath, trigrams: Option<&str>) -> Vec<DeclaredIndex> {
        match path {
            DeclaredPath::Json(column, keys) => json_indexes(*column, keys, trigrams),
            DeclaredPath::Text(column) => vec![trigram_index(
                format!("idx_text_{column}_part"),
                Expr::col(("resources", *column)),
                trigrams,
            )],
        }
    }

    fn declared(&self) -> Option<&Arc<DeclaredPaths>> {
        Some(&self.declared)
    }
}

fn json_indexes(column: JsonColumn, path: &[String], trigrams: Option<&str>) -> Vec<DeclaredIndex> {
    let hash = path
        .iter()
        .fold(Place::of(column), |place, key| place.key(key));
    let spot = Spot {
        column,
        path,
        is_declared: true,
    };
    let name = |kind: &str| format!("idx_json_{}_{}_{kind}", column.name(), hash.token());
    let index = |kind: &str, expression: Expr| {
        let (name, expression) = (name(kind), spelled(expression));
        let create =
            format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON resources ({expression})");
        DeclaredIndex {
            name,
            create: Some(create),
        }
    };
    // None is partial: the planner takes how rare a value is from them.
    vec![
        index("number", number_at(spot)),
        index("string", beginning_at(spot)),
        index("type", type_at(spot)),
        trigram_index(name("part"), string_at(spot), trigrams),
    ]
}

/// For parts and ends of texts, by the operator class of `pg_trgm`.
fn trigram_index(name: String, expression: Expr, trigrams: Option<&str>) -> DeclaredIndex {
    let expression = spelled(expression);
    let create = trigrams.map(|schema| {
        format!(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON resources USING gin (({expression}) \"{schema}\".gin_trgm_ops)"
        )
    });
    DeclaredIndex { name, create }
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
fn at(spot: Spot<'_>) -> Expr {
    if spot.path.is_empty() {
        return spot.column.column();
    }
    extracted(spot, "#>", "jsonb_extract_path")
}

/// The text of the value at a path.
fn text_at(spot: Spot<'_>) -> Expr {
    extracted(spot, "#>>", "jsonb_extract_path_text")
}

/// The name of the type of the value at a path.
fn type_at(spot: Spot<'_>) -> Expr {
    Expr::cust_with_exprs("(jsonb_typeof($1))", [at(spot)])
}

/// The number at a path, else NULL.
fn number_at(spot: Spot<'_>) -> Expr {
    Expr::cust_with_exprs(
        "(CASE WHEN jsonb_typeof($1) = 'number' THEN $2::numeric END)",
        [at(spot), text_at(spot)],
    )
}

/// The string at a path, else NULL.
fn string_at(spot: Spot<'_>) -> Expr {
    Expr::cust_with_exprs(
        "(CASE WHEN jsonb_typeof($1) = 'string' THEN $2 END)",
        [at(spot), text_at(spot)],
    )
}

/// The beginning of the string at a path, short enough for a B-tree.
fn beginning_at(spot: Spot<'_>) -> Expr {
    Expr::cust_with_exprs(
        format!("(\"left\"($1, {KEPT_CHARACTERS}) COLLATE \"C\")"),
        [string_at(spot)],
    )
}

/// Narrowed by the beginnings, which are ordered as the strings are or equal.
fn compare_text(spot: Spot<'_>, operator: &str, text: &str) -> Expr {
    let narrow = format!("{}=", operator.trim_end_matches('='));
    let beginning: String = text.chars().take(KEPT_CHARACTERS).collect();
    Expr::cust_with_exprs(
        format!("($1 {narrow} $2::text AND $3 COLLATE \"C\" {operator} $4::text)"),
        [
            beginning_at(spot),
            Expr::val(beginning),
            string_at(spot),
            Expr::val(text),
        ],
    )
}

fn match_text(spot: Spot<'_>, part: Part, text: &str) -> Expr {
    let matched = like(string_at(spot), part, text);
    if part != Part::Beginning {
        return matched;
    }
    let beginning: String = text.chars().take(KEPT_CHARACTERS).collect();
    let from = beginning_at(spot).gte(Expr::val(beginning));
    from.and(matched)
}

/// LIKE compares code points as they are, and is what the index over trigrams knows.
fn like(string: Expr, part: Part, text: &str) -> Expr {
    let mut pattern = String::with_capacity(text.len() + 2);
    if part != Part::Beginning {
        pattern.push('%');
    }
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    if part != Part::End {
        pattern.push('%');
    }
    Expr::cust_with_exprs("($1 LIKE $2::text)", [string, Expr::val(pattern)])
}

fn has(spot: Spot<'_>, value: &Json) -> Expr {
    // Containment would find an object in an array of the whole column alone; only scalars are asked for.
    let in_value = if spot.path.is_empty() {
        contains(spot.column.column(), &json!([value]))
    } else {
        Expr::cust_with_exprs(
            "(CASE WHEN jsonb_typeof($1) = 'object' THEN FALSE ELSE $1 @> $2 END)",
            [at(spot), json_value(value)],
        )
    };
    match value {
        // A list is never an object, and an OR would hide it from the GIN index.
        _ if spot.path.is_empty() && spot.column != JsonColumn::Metadata => in_value,
        Json::String(key) => in_value.or(Expr::cust_with_exprs(
            "(CASE WHEN jsonb_typeof($1) = 'object' THEN jsonb_exists($1, $2::text) END)",
            [at(spot), Expr::val(key.as_str())],
        )),
        _ => in_value,
    }
}

fn has_keys(spot: Spot<'_>, operator: &'static str, keys: &[String]) -> Expr {
    at(spot).binary(BinOper::Custom(operator), bound_array(keys))
}

fn json_value(value: &Json) -> Expr {
    Expr::val(Value::Json(Some(Box::new(value.clone()))))
}

/// A declared path is spelled as its indexes spell it, and has no characters that a literal would have to escape; the keys of
/// any other are bound one by one, which costs a scan less than an array that is read anew from a text for each row.
fn extracted(spot: Spot<'_>, operator: &str, function: &'static str) -> Expr {
    let column = spot.column.column();
    // Of no keys at all the functions know nothing.
    if spot.is_declared || spot.path.is_empty() {
        let path = Expr::cust(format!("'{}'::text[]", array_literal(spot.path)));
        return Expr::cust_with_exprs(format!("($1 {operator} $2)"), [column, path]);
    }
    let keys = spot.path.iter().map(|key| Expr::val(key.as_str()));
    let keys = keys.map(|key| key.cast_as("text"));
    Func::cust(function)
        .args(std::iter::once(column).chain(keys))
        .into()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Comparison, JsonPath};

    fn text_of(json: &PostgresJson, test: &JsonTest) -> String {
        let condition = json.passes(JsonColumn::Metadata, test);
        let statement = Query::select().expr(condition).take();
        statement.build(PostgresQueryBuilder).0
    }

    fn questions(path: &[&str]) -> Vec<JsonTest> {
        let path: JsonPath = path.iter().map(|key| (*key).to_owned()).collect();
        vec![
            JsonTest::Contains(path.clone(), json!("value")),
            JsonTest::Contained(path.clone(), json!(["value"])),
            JsonTest::Exists(path.clone()),
            JsonTest::Equals(path.clone(), json!("value")),
            JsonTest::Compares(path.clone(), Comparison::Less, json!("value")),
            JsonTest::Compares(path.clone(), Comparison::Less, json!(7)),
            JsonTest::Matches(path.clone(), Part::Beginning, "value".to_owned()),
            JsonTest::Matches(path.clone(), Part::Anywhere, "value".to_owned()),
            JsonTest::Has(path.clone(), json!("value")),
            JsonTest::HasAny(path.clone(), vec!["value".to_owned()]),
            JsonTest::HasAll(path, vec!["value".to_owned()]),
        ]
    }

    fn made(index: &DeclaredIndex) -> &str {
        index.create.as_deref().expect("everything is installed")
    }

    #[test]
    fn nothing_of_a_request_becomes_sql() {
        let json = PostgresJson::default();
        for test in questions(&["secret", "0", "it's"]) {
            let text = text_of(&json, &test);
            assert!(
                !text.contains("secret") && !text.contains("it's") && !text.contains("value"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_whole_column_needs_no_keys() {
        let json = PostgresJson::default();
        for test in questions(&[]) {
            let text = text_of(&json, &test);
            assert!(!text.contains("jsonb_extract_path"), "{text}");
        }
    }

    #[test]
    fn a_declared_path_is_spelled_as_its_indexes_are() {
        let json = PostgresJson::default();
        let path = vec!["pages".to_owned()];
        json.declared.set([(JsonColumn::Metadata, path.clone())]);
        let declared = DeclaredPath::Json(JsonColumn::Metadata, path.clone());
        let indexes = json.declared_indexes(&declared, Some("public"));
        let part = JsonTest::Matches(path.clone(), Part::Anywhere, "value".to_owned());
        let text = text_of(&json, &JsonTest::Exists(path));
        let expression = text.trim_start_matches("SELECT ").split(" IN ").next();
        let expression = expression.expect("an expression");
        assert!(made(&indexes[2]).contains(expression), "{text}");
        let text = text_of(&json, &part);
        let expression = text.trim_start_matches("SELECT (").split(" LIKE ").next();
        let expression = expression.expect("an expression");
        assert!(made(&indexes[3]).contains(expression), "{text}");
    }
}
