//! JSON matching by JSONB's own operators; containment and equality use the GIN index.

use sea_orm::Value;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait};
use serde_json::{Value as Json, json};

use super::{Comparison, JsonMatch};

pub(super) struct PostgresJson;

impl JsonMatch for PostgresJson {
    fn contains(&self, column: Expr, value: &Json) -> Expr {
        column.binary(BinOper::Custom("@>"), json_value(value))
    }

    fn exists(&self, column: Expr, path: &[String]) -> Expr {
        Expr::cust_with_exprs(
            "COALESCE(jsonb_typeof($1 #> $2::text[]), 'null') <> 'null'",
            [column, Expr::val(array_literal(path))],
        )
    }

    fn equals(&self, column: Expr, path: &[String], value: &Json) -> Expr {
        if path.iter().all(|key| super::array_index(key).is_none())
            && !path.is_empty()
            && !value.is_null()
        {
            let nested = path
                .iter()
                .rev()
                .fold(value.clone(), |inner, key| json!({ key: inner }));
            return self.contains(column, &nested);
        }
        Expr::cust_with_exprs(
            "COALESCE(($1 #> $2::text[]) = $3, FALSE)",
            [column, Expr::val(array_literal(path)), json_value(value)],
        )
    }

    fn compares(
        &self,
        column: Expr,
        path: &[String],
        comparison: Comparison,
        value: &Json,
    ) -> Expr {
        let operator = comparison.operator();
        let path = array_literal(path);
        match value {
            Json::Number(number) => Expr::cust_with_exprs(
                format!(
                    "CASE WHEN jsonb_typeof($1 #> $2::text[]) = 'number' \
                     THEN ($1 #>> $2::text[])::numeric {operator} $3::text::numeric ELSE FALSE END"
                ),
                [column, Expr::val(path), Expr::val(number.to_string())],
            ),
            Json::String(text) => Expr::cust_with_exprs(
                format!(
                    "CASE WHEN jsonb_typeof($1 #> $2::text[]) = 'string' \
                     THEN ($1 #>> $2::text[]) COLLATE \"C\" {operator} $3::text ELSE FALSE END"
                ),
                [column, Expr::val(path), Expr::val(text.clone())],
            ),
            _ => Expr::val(false),
        }
    }

    fn has(&self, column: Expr, path: &[String], value: &Json) -> Expr {
        if path.is_empty() {
            // An array of the column itself: the GIN index answers.
            let in_array = self.contains(column.clone(), &json!([value]));
            return match value {
                Json::String(key) => in_array.or(has_key(column, path, key)),
                _ => in_array,
            };
        }
        let at_path = Expr::cust_with_exprs(
            "COALESCE(($1 #> $2::text[]) @> $3 AND jsonb_typeof($1 #> $2::text[]) <> 'object', FALSE)",
            [
                column.clone(),
                Expr::val(array_literal(path)),
                json_value(value),
            ],
        );
        match value {
            Json::String(key) => at_path.or(has_key(column, path, key)),
            _ => at_path,
        }
    }
}

fn has_key(column: Expr, path: &[String], key: &str) -> Expr {
    Expr::cust_with_exprs(
        "COALESCE(jsonb_typeof($1 #> $2::text[]) = 'object' AND jsonb_exists($1 #> $2::text[], $3::text), FALSE)",
        [
            column,
            Expr::val(array_literal(path)),
            Expr::val(key.to_owned()),
        ],
    )
}

fn json_value(value: &Json) -> Expr {
    Expr::val(Value::Json(Some(Box::new(value.clone()))))
}

/// A path as a PostgreSQL array literal, every element quoted.
fn array_literal(path: &[String]) -> String {
    let elements: Vec<String> = path
        .iter()
        .map(|key| format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", elements.join(","))
}
