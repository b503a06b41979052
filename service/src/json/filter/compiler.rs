//! The tree to one condition, and to what the index over JSON can be asked for it.

use sea_orm::sea_query::{Expr, ExprTrait};
use serde_json::Value as Json;
use uuid::Uuid;

use super::super::{JsonColumn, JsonMatch, JsonPath, JsonTest, Lookups, fails};
use super::column::ColumnTest;
use super::fields::{Kind, kind_of};
use super::lexer::{Operator, Text};
use super::parser::{Argument, Filter, Path};
use super::{FilterFault, fault, functions, related};
use crate::clock::Clock;

pub(super) struct Compiler<'c> {
    pub json: &'c dyn JsonMatch,
    pub clock: &'c dyn Clock,
    pub viewer: Option<Uuid>,
}

/// A condition, true for the resources that match and false or NULL for others.
pub(super) struct Compiled {
    pub condition: Expr,
    pub lookups: Option<Lookups>,
}

impl From<Expr> for Compiled {
    fn from(condition: Expr) -> Self {
        Self {
            condition,
            lookups: None,
        }
    }
}

impl Compiler<'_> {
    /// NOT is moved down to the restrictions, where NULL can be treated as "does not match".
    pub(super) fn compile(&self, filter: &Filter, negated: bool) -> Result<Compiled, FilterFault> {
        match filter {
            Filter::And(parts) => self.join(parts, !negated, negated),
            Filter::Or(parts) => self.join(parts, negated, negated),
            Filter::Not(inner) => self.compile(inner, !negated),
            Filter::Restriction {
                path,
                operator,
                argument,
            } => {
                // `!=` is the opposite of `=`.
                let (operator, negated) = match operator {
                    Operator::NotEqual => (Operator::Equal, !negated),
                    operator => (*operator, negated),
                };
                let restriction = self.restriction(path, operator, argument)?;
                Ok(if negated {
                    opposite(restriction)
                } else {
                    restriction
                })
            }
            Filter::Call(call) => {
                let (column, test) = functions::test_of(call)?;
                let compiled = self.json_test(column, &test);
                Ok(if negated {
                    opposite(compiled)
                } else {
                    compiled
                })
            }
        }
    }

    fn join(
        &self,
        parts: &[Filter],
        conjunction: bool,
        negated: bool,
    ) -> Result<Compiled, FilterFault> {
        let mut condition: Option<Expr> = None;
        let mut lookups = Vec::with_capacity(parts.len());
        for part in parts {
            let part = self.compile(part, negated)?;
            condition = Some(match condition {
                None => part.condition,
                Some(before) if conjunction => before.and(part.condition),
                Some(before) => before.or(part.condition),
            });
            lookups.push(part.lookups);
        }
        let lookups = if conjunction {
            Lookups::and(lookups)
        } else {
            Lookups::or(lookups)
        };
        Ok(Compiled {
            condition: condition.unwrap_or_else(|| Expr::val(true)),
            lookups,
        })
    }

    fn restriction(
        &self,
        path: &Path,
        operator: Operator,
        argument: &Argument,
    ) -> Result<Compiled, FilterFault> {
        let field = path.names.join(".");
        let test = ColumnTest {
            field: &field,
            operator,
            argument,
            clock: self.clock,
        };
        match kind_of(path)? {
            Kind::Json(column) => self.json_restriction(column, &path.names[1..], &test),
            Kind::List(column) => self.list_restriction(column, &test),
            kind @ (Kind::Collection | Kind::Taxonomy) => {
                self.related_restriction(kind, &test).map(Compiled::from)
            }
            kind @ (Kind::Text(column)
            | Kind::Integer(column)
            | Kind::Number(column)
            | Kind::Time(column)
            | Kind::Id(column)) => test.condition(column, kind).map(Compiled::from),
        }
    }

    fn json_test(&self, column: JsonColumn, test: &JsonTest) -> Compiled {
        Compiled {
            condition: self.json.passes(column, test),
            lookups: self.json.lookups(column, test),
        }
    }

    fn list_restriction(
        &self,
        column: JsonColumn,
        test: &ColumnTest<'_>,
    ) -> Result<Compiled, FilterFault> {
        let text = test.text("a list has texts: put one in quotes")?;
        match test.operator {
            Operator::Has if text.is_any() => Ok(self.not_empty(column, Json::Array(Vec::new()))),
            Operator::Has | Operator::Equal => {
                let entry = Json::from(text.text.as_str());
                Ok(self.json_test(column, &JsonTest::Has(JsonPath::new(), entry)))
            }
            _ => test.unsupported("a list: use `:` to ask for an entry"),
        }
    }

    fn not_empty(&self, column: JsonColumn, empty: Json) -> Compiled {
        let is_empty = JsonTest::Equals(JsonPath::new(), empty);
        fails(self.json.passes(column, &is_empty)).into()
    }

    fn json_restriction(
        &self,
        column: JsonColumn,
        path: &[String],
        test: &ColumnTest<'_>,
    ) -> Result<Compiled, FilterFault> {
        let argument = test.argument;
        let text = test.text("metadata holds no times: compare with a quoted string")?;
        let path = path.to_vec();
        let question = match test.operator {
            Operator::Has if text.is_any() && path.is_empty() => {
                return Ok(self.not_empty(column, Json::Object(serde_json::Map::new())));
            }
            Operator::Has if text.is_any() => JsonTest::Exists(path),
            Operator::Has => JsonTest::Has(path, text.json(argument.position)?),
            Operator::Equal | Operator::NotEqual if path.is_empty() => {
                return test.unsupported("an object: name one of its keys, as in metadata.pages");
            }
            Operator::Equal | Operator::NotEqual => equals(path, text, argument.position)?,
            Operator::Compare(comparison) => match text.json(argument.position)? {
                value @ (Json::Number(_) | Json::String(_)) => {
                    JsonTest::Compares(path, comparison, value)
                }
                _ => {
                    return fault(
                        argument.position,
                        "type",
                        "expected a number or a quoted string to compare with",
                    );
                }
            },
        };
        Ok(self.json_test(column, &question))
    }

    fn related_restriction(&self, kind: Kind, test: &ColumnTest<'_>) -> Result<Expr, FilterFault> {
        let text = test.text("expected a quoted name")?;
        let in_any = || match kind {
            Kind::Collection => related::in_any_collection(self.viewer),
            _ => related::in_any_taxonomy(),
        };
        match test.operator {
            Operator::Compare(_) => {
                test.unsupported("a name: it can be compared with = and : only")
            }
            Operator::Equal if text.is_null() => Ok(in_any().not()),
            Operator::Has if text.is_any() => Ok(in_any()),
            _ => Ok(match kind {
                Kind::Collection => related::in_collection(&text.text, self.viewer),
                _ => related::in_taxonomy(&text.text),
            }),
        }
    }
}

/// A string with a `*` at an end is a pattern, anything else a value.
fn equals(path: JsonPath, text: &Text, position: usize) -> Result<JsonTest, FilterFault> {
    let value = text.json(position)?;
    Ok(match (value, text.pattern()) {
        (Json::String(_), Some(pattern)) => {
            JsonTest::Matches(path, pattern.part, pattern.text.to_owned())
        }
        (value, _) => JsonTest::Equals(path, value),
    })
}

fn opposite(compiled: Compiled) -> Compiled {
    fails(compiled.condition).into()
}
