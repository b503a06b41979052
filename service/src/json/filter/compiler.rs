//! The tree to one condition, and to what the index over JSON can be asked for it.

use sea_orm::sea_query::{Expr, ExprTrait};
use serde_json::Value as Json;

use super::super::{JsonColumn, JsonMatch, JsonPath, JsonTest, Lookups, fails};
use super::column::ColumnTest;
use super::lexer::{Operator, Text};
use super::parser::{Argument, Filter, Path};
use super::{FilterFault, fault, functions};
use crate::accounts::Viewer;
use crate::clock::Clock;
use crate::lists::{Field, Holds, Related, Table};

pub(super) struct Compiler<'c> {
    pub json: &'c dyn JsonMatch,
    pub clock: &'c dyn Clock,
    pub table: &'c Table,
    pub viewer: Option<Viewer>,
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
                let (column, test) = functions::test_of(self.table, call)?;
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
            json: self.json,
        };
        let known = field_of(self.table, path)?;
        match known.holds {
            Holds::Json(column) => self.json_restriction(column, &path.names[1..], &test),
            Holds::List(column) => self.list_restriction(column, &test),
            Holds::Related(related) => self
                .related_restriction(&related, &test)
                .map(Compiled::from),
            Holds::Text
            | Holds::Integer
            | Holds::Number
            | Holds::Boolean
            | Holds::Time
            | Holds::Id => test.condition(known).map(Compiled::from),
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

    fn related_restriction(
        &self,
        related: &Related,
        test: &ColumnTest<'_>,
    ) -> Result<Expr, FilterFault> {
        let text = test.text("expected a quoted name")?;
        let in_any = || (related.any)(self.viewer);
        match test.operator {
            Operator::Compare(_) => {
                test.unsupported("a name: it can be compared with = and : only")
            }
            Operator::Equal if text.is_null() => Ok(in_any().not()),
            Operator::Has if text.is_any() => Ok(in_any()),
            Operator::Has => Ok((related.within)(&text.text, self.viewer)),
            _ => Ok((related.named)(&text.text, self.viewer)),
        }
    }
}

/// The field that a path begins with.
pub(super) fn field_of(table: &Table, path: &Path) -> Result<&'static Field, FilterFault> {
    let name = &path.names[0];
    let Some(field) = table.field(name).filter(|field| field.filterable) else {
        let known: Vec<&str> = table
            .fields()
            .filter(|field| field.filterable)
            .map(|field| field.name)
            .collect();
        return fault(
            path.position,
            "unknown_field",
            format!("there is no field `{name}`: known are {}", known.join(", ")),
        );
    };
    if path.names.len() > 1 && !matches!(field.holds, Holds::Json(_)) {
        return fault(
            path.position,
            "unknown_field",
            format!(
                "`{name}` has no parts: {}",
                only(table, |holds| matches!(holds, Holds::Json(_)))
            ),
        );
    }
    Ok(field)
}

/// Which fields of a table hold such a thing, for errors.
pub(super) fn only(table: &Table, such: fn(&Holds) -> bool) -> String {
    let names: Vec<&str> = table
        .fields()
        .filter(|field| such(&field.holds))
        .map(|field| field.name)
        .collect();
    match &names[..] {
        [] => "no field here has".to_owned(),
        [one] => format!("only {one} has"),
        several => format!("only {} have", several.join(", ")),
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
