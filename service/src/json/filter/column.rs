//! Conditions on plain columns.

use sea_orm::sea_query::{Expr, ExprTrait};
use uuid::Uuid;

use super::super::{Comparison, JsonMatch, Part};
use super::lexer::{Operator, Text};
use super::parser::{Argument, ArgumentValue};
use super::time::time_of;
use super::{FilterFault, fault};
use crate::clock::Clock;
use crate::lists::{Field, Holds};

/// A comparison of one column.
pub(super) struct ColumnTest<'a> {
    pub field: &'a str,
    /// Never [`Operator::NotEqual`].
    pub operator: Operator,
    pub argument: &'a Argument,
    pub clock: &'a dyn Clock,
    pub json: &'a dyn JsonMatch,
}

impl ColumnTest<'_> {
    /// A condition that may be NULL where the column is.
    pub(super) fn condition(&self, field: &Field) -> Result<Expr, FilterFault> {
        let target = field.expression();
        if let ArgumentValue::Text(text) = &self.argument.value {
            if self.operator == Operator::Has && text.is_any() {
                return Ok(target.is_not_null());
            }
            if self.operator == Operator::Equal && text.is_null() {
                return Ok(target.is_null());
            }
        }
        if let Holds::Time = field.holds {
            let time = time_of(self.field, self.argument, self.clock)?;
            return Ok(self.compare(target, Expr::val(time)));
        }
        let text = self.text("text, numbers and ids are compared with a plain value")?;
        match field.holds {
            Holds::Integer => match text.text.parse::<i64>() {
                Ok(number) => Ok(self.compare(target, Expr::val(number))),
                Err(_) => self.wrong_type(text, "an integer of 64 bits"),
            },
            Holds::Number => match text.text.parse::<f64>().ok().filter(|n| n.is_finite()) {
                Some(number) => Ok(self.compare(target, Expr::val(number))),
                None => self.wrong_type(text, "a number"),
            },
            Holds::Boolean => match text.text.as_str() {
                truth @ ("true" | "false") if !matches!(self.operator, Operator::Compare(_)) => {
                    Ok(self.compare(target, Expr::val(truth == "true")))
                }
                "true" | "false" => {
                    self.unsupported("true or false: it can be compared with = and != only")
                }
                _ => self.wrong_type(text, "true or false"),
            },
            Holds::Id => match Uuid::try_parse(&text.text) {
                Ok(id) if !matches!(self.operator, Operator::Compare(_)) => {
                    Ok(self.compare(target, Expr::val(id)))
                }
                Ok(_) => self.unsupported("an id: it can be compared with = and != only"),
                Err(_) => self.wrong_type(text, "an id (UUID)"),
            },
            _ => Ok(self.text_condition(target, text)),
        }
    }

    /// The argument, where it must not be a time.
    pub(super) fn text(&self, expected: &str) -> Result<&Text, FilterFault> {
        match &self.argument.value {
            ArgumentValue::Text(text) => Ok(text),
            ArgumentValue::Time(..) => fault(self.argument.position, "type", expected),
        }
    }

    pub(super) fn unsupported<T>(&self, what: &str) -> Result<T, FilterFault> {
        fault(
            self.argument.position,
            "operator",
            format!("`{}` is {what}", self.field),
        )
    }

    fn text_condition(&self, column: Expr, text: &Text) -> Expr {
        if matches!(self.operator, Operator::Compare(_)) {
            return self.compare(column, Expr::val(text.text.as_str()));
        }
        match text.pattern() {
            Some(pattern) => self.json.matches_text(column, pattern.part, pattern.text),
            None if self.operator == Operator::Has => {
                self.json.matches_text(column, Part::Anywhere, &text.text)
            }
            None => column.eq(text.text.as_str()),
        }
    }

    fn compare(&self, column: Expr, value: Expr) -> Expr {
        match self.operator {
            Operator::Equal | Operator::Has | Operator::NotEqual => column.eq(value),
            Operator::Compare(Comparison::Less) => column.lt(value),
            Operator::Compare(Comparison::LessOrEqual) => column.lte(value),
            Operator::Compare(Comparison::Greater) => column.gt(value),
            Operator::Compare(Comparison::GreaterOrEqual) => column.gte(value),
        }
    }

    fn wrong_type<T>(&self, text: &Text, expected: &str) -> Result<T, FilterFault> {
        let found: String = text.text.chars().take(40).collect();
        fault(
            self.argument.position,
            "type",
            format!("`{}` needs {expected}, found `{found}`", self.field),
        )
    }
}
