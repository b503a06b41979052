//! Conditions on plain columns.

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use uuid::Uuid;

use super::super::{Comparison, Part};
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
            Some(pattern) => match pattern.part {
                Part::Beginning => beginning(column, pattern.text),
                Part::End => end(column, pattern.text),
                Part::Anywhere => includes(column, pattern.text),
            },
            None if self.operator == Operator::Has => includes(column, &text.text),
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

/// PostgreSQL has substr for integers of 32 bits alone.
fn length(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX)
}

/// The range of texts lets both databases use an index; U+10FFFF is the last that can follow.
fn beginning(column: Expr, text: &str) -> Expr {
    let first =
        Func::cust("substr").args([column.clone(), Expr::val(1_i32), Expr::val(length(text))]);
    let same = Expr::from(first).eq(text);
    column.gte(text).and(same)
}

fn end(column: Expr, text: &str) -> Expr {
    if text.is_empty() {
        return column.is_not_null();
    }
    // What is shorter than the text has no such end: substr would count from before its beginning.
    let characters = || Expr::from(Func::cust("length").arg(column.clone()));
    let from = characters().sub(length(text) - 1);
    let last = Func::cust("substr").args([column.clone(), from]);
    let long_enough = characters().gte(length(text));
    long_enough.and(Expr::from(last).eq(text))
}

fn includes(column: Expr, text: &str) -> Expr {
    if text.is_empty() {
        return column.is_not_null();
    }
    // True when taking the text out changes something: both databases compare code points here.
    let without = Func::cust("replace").args([column.clone(), Expr::val(text), Expr::val("")]);
    Expr::from(without).ne(column)
}
