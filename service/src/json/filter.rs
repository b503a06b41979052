//! The filter language: a subset of Google's AIP-160 (<https://google.aip.dev/160>).
//!
//! Comparisons `= != < <= > >=`, `:` (has) and `:*` (exists), `AND`, `OR`, `NOT`, `-`, parentheses; as in AIP-160, OR
//! binds more tightly than AND, and restrictions side by side are joined by AND. `"abc*"` with `=` matches a prefix.
//! What a field lacks matches no comparison, so `NOT language = "en"` and `language != "en"` find rows without one.

use std::iter::Peekable;
use std::str::CharIndices;

use chrono::{DateTime, NaiveDate, Utc};
use entity::resources::Column;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use serde_json::{Number, Value as Json};
use uuid::Uuid;

use super::{Comparison, JsonMatch};
use crate::error::{Error, Fault};
use crate::time::parse_timestamp;

/// Characters of a filter at most.
const LONGEST_FILTER: usize = 8_000;
/// Restrictions in a filter at most.
const MOST_RESTRICTIONS: usize = 100;
/// Parentheses inside parentheses at most.
const DEEPEST: usize = 32;

/// What a field holds, which decides how it may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    TextList,
    Integer,
    Number,
    Time,
    Id,
    Json,
}

/// The fields that a filter may name.
const FIELDS: [(&str, Column, Kind); 25] = [
    ("id", Column::Id, Kind::Id),
    ("title", Column::Title, Kind::Text),
    ("description", Column::Description, Kind::Text),
    ("creator", Column::Creator, Kind::Text),
    ("publisher", Column::Publisher, Kind::Text),
    ("contributor", Column::Contributor, Kind::Text),
    ("date", Column::Date, Kind::Text),
    ("year", Column::Year, Kind::Integer),
    ("type", Column::ResourceType, Kind::Text),
    ("format", Column::Format, Kind::Text),
    ("identifier", Column::Identifier, Kind::Text),
    ("source", Column::Source, Kind::Text),
    ("language", Column::Language, Kind::Text),
    ("relation", Column::Relation, Kind::TextList),
    ("coverage", Column::Coverage, Kind::Text),
    ("rights", Column::Rights, Kind::Text),
    ("subject", Column::Subject, Kind::TextList),
    (
        "classification_code",
        Column::ClassificationCode,
        Kind::Text,
    ),
    ("read_status", Column::ReadStatus, Kind::Text),
    ("quality_score", Column::QualityScore, Kind::Number),
    ("metadata", Column::Metadata, Kind::Json),
    ("version", Column::Version, Kind::Integer),
    ("created_by", Column::CreatedBy, Kind::Id),
    ("created_at", Column::CreatedAt, Kind::Time),
    ("updated_at", Column::UpdatedAt, Kind::Time),
];

/// Compiles a filter over resources into one condition.
pub fn compile(filter: &str, json: &dyn JsonMatch) -> Result<Expr, Error> {
    parse(filter)
        .and_then(|parsed| Compiler { json }.compile(&parsed, false))
        .map_err(|fault| {
            Error::BadParameter(vec![Fault::parameter_at(
                "filter",
                fault.position,
                fault.code,
                fault.detail,
            )])
        })
}

#[derive(Debug)]
struct FilterFault {
    position: usize,
    code: &'static str,
    detail: String,
}

fn fault<T>(
    position: usize,
    code: &'static str,
    detail: impl Into<String>,
) -> Result<T, FilterFault> {
    Err(FilterFault {
        position,
        code,
        detail: detail.into(),
    })
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Operator(Operator),
    Minus,
    /// Text, and whether it stood in quotes.
    Text(String, bool),
    Dot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Has,
    Compare(Comparison),
}

#[derive(Debug)]
enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Restriction {
        path: Vec<String>,
        position: usize,
        operator: Operator,
        argument: Argument,
    },
}

#[derive(Debug)]
struct Argument {
    text: String,
    quoted: bool,
    position: usize,
}

fn tokenise(filter: &str) -> Result<Vec<(usize, Token)>, FilterFault> {
    let mut tokens = Vec::new();
    let mut characters = filter.char_indices().peekable();
    // Positions count characters, not bytes.
    let mut position = 0;
    while let Some((_, character)) = characters.next() {
        let start = position;
        position += 1;
        let mut followed_by = |next: char| {
            let follows = characters
                .peek()
                .is_some_and(|(_, character)| *character == next);
            if follows {
                characters.next();
                position += 1;
            }
            follows
        };
        let token = match character {
            _ if character.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '.' => Token::Dot,
            ':' => Token::Operator(Operator::Has),
            '=' => Token::Operator(Operator::Equal),
            '!' if followed_by('=') => Token::Operator(Operator::NotEqual),
            '<' if followed_by('=') => Token::Operator(Operator::Compare(Comparison::LessOrEqual)),
            '<' => Token::Operator(Operator::Compare(Comparison::Less)),
            '>' if followed_by('=') => {
                Token::Operator(Operator::Compare(Comparison::GreaterOrEqual))
            }
            '>' => Token::Operator(Operator::Compare(Comparison::Greater)),
            '"' | '\'' => {
                let (text, length) = quoted(&mut characters, character, start)?;
                position += length;
                Token::Text(text, true)
            }
            '\0' => return fault(start, "nul", "the character U+0000 is not allowed"),
            '-' if !matches!(tokens.last(), Some((_, Token::Operator(_)))) => Token::Minus,
            _ if is_word(character) || character == '-' => {
                let mut text = String::from(character);
                // After an operator a dot belongs to a number or a time, before one it separates a path.
                let value = matches!(tokens.last(), Some((_, Token::Operator(_))));
                while let Some((_, next)) = characters.peek() {
                    if !(is_word(*next) || *next == '-' || (value && matches!(next, '.' | ':'))) {
                        break;
                    }
                    text.push(*next);
                    characters.next();
                    position += 1;
                }
                Token::Text(text, false)
            }
            other => {
                return fault(
                    start,
                    "syntax",
                    format!("`{other}` is not expected here: put text in double quotes"),
                );
            }
        };
        tokens.push((start, token));
    }
    Ok(tokens)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '*' | '+' | '/' | '@' | '$' | '%')
}

/// Reads up to the closing quote; `\` takes the next character as it stands.
fn quoted(
    characters: &mut Peekable<CharIndices<'_>>,
    quote: char,
    start: usize,
) -> Result<(String, usize), FilterFault> {
    let mut text = String::new();
    let mut length = 0;
    while let Some((_, character)) = characters.next() {
        length += 1;
        match character {
            '\0' => return fault(start + length, "nul", "the character U+0000 is not allowed"),
            '\\' => match characters.next() {
                Some((_, escaped)) => {
                    length += 1;
                    text.push(escaped);
                }
                None => break,
            },
            _ if character == quote => return Ok((text, length)),
            _ => text.push(character),
        }
    }
    fault(
        start,
        "syntax",
        format!("the quote that opens here is not closed: add {quote}"),
    )
}

fn parse(filter: &str) -> Result<Filter, FilterFault> {
    if filter.chars().count() > LONGEST_FILTER {
        return fault(
            LONGEST_FILTER,
            "too_long",
            format!("a filter has at most {LONGEST_FILTER} characters"),
        );
    }
    let tokens = tokenise(filter)?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: filter.chars().count(),
        restrictions: 0,
        depth: 0,
    };
    let parsed = parser.expression()?;
    match parser.peek() {
        None => Ok(parsed),
        Some((position, _)) => fault(*position, "syntax", "expected the end, AND or OR"),
    }
}

struct Parser<'t> {
    tokens: &'t [(usize, Token)],
    next: usize,
    end: usize,
    restrictions: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t (usize, Token)> {
        self.tokens.get(self.next)
    }

    fn position(&self) -> usize {
        self.peek().map_or(self.end, |(position, _)| *position)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some((_, Token::Text(text, false))) if text == word);
        self.next += usize::from(found);
        found
    }

    fn expression(&mut self) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.factor()?];
        while !matches!(self.peek(), None | Some((_, Token::Close))) {
            self.take_word("AND");
            parts.push(self.factor()?);
        }
        Ok(single_or(parts, Filter::And))
    }

    fn factor(&mut self) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.term()?];
        while self.take_word("OR") {
            parts.push(self.term()?);
        }
        Ok(single_or(parts, Filter::Or))
    }

    fn term(&mut self) -> Result<Filter, FilterFault> {
        let minus = matches!(self.peek(), Some((_, Token::Minus)));
        self.next += usize::from(minus);
        if minus || self.take_word("NOT") {
            return Ok(Filter::Not(Box::new(self.simple()?)));
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<Filter, FilterFault> {
        let position = self.position();
        match self.peek() {
            Some((_, Token::Open)) => {
                self.next += 1;
                self.depth += 1;
                if self.depth > DEEPEST {
                    return fault(
                        position,
                        "too_deep",
                        format!("at most {DEEPEST} parentheses may be nested"),
                    );
                }
                let inner = self.expression()?;
                if !matches!(self.peek(), Some((_, Token::Close))) {
                    return fault(
                        self.position(),
                        "syntax",
                        format!("expected `)` for the `(` at {position}"),
                    );
                }
                self.next += 1;
                self.depth -= 1;
                Ok(inner)
            }
            Some((_, Token::Text(..))) => self.restriction(),
            _ => fault(position, "syntax", "expected a field name, NOT or `(`"),
        }
    }

    fn restriction(&mut self) -> Result<Filter, FilterFault> {
        let position = self.position();
        let mut path = Vec::new();
        loop {
            match self.peek() {
                Some((_, Token::Text(text, _))) => path.push(text.clone()),
                _ => return fault(self.position(), "syntax", "expected a name after the dot"),
            }
            self.next += 1;
            if !matches!(self.peek(), Some((_, Token::Dot))) {
                break;
            }
            self.next += 1;
        }
        let Some((_, Token::Operator(operator))) = self.peek() else {
            return fault(
                self.position(),
                "syntax",
                format!(
                    "expected one of = != < <= > >= : after `{}`; for words use the search with q=",
                    path.join(".")
                ),
            );
        };
        self.next += 1;
        let argument_position = self.position();
        let minus = matches!(self.peek(), Some((_, Token::Minus)));
        self.next += usize::from(minus);
        let Some((_, Token::Text(text, quoted))) = self.peek() else {
            return fault(
                argument_position,
                "syntax",
                "expected a value: a number, a time, true, false, null or a quoted string",
            );
        };
        self.next += 1;
        self.restrictions += 1;
        if self.restrictions > MOST_RESTRICTIONS {
            return fault(
                position,
                "too_long",
                format!("at most {MOST_RESTRICTIONS} comparisons are allowed"),
            );
        }
        let text = if minus {
            format!("-{text}")
        } else {
            text.clone()
        };
        let argument = Argument {
            text,
            quoted: *quoted,
            position: argument_position,
        };
        Ok(Filter::Restriction {
            path,
            position,
            operator: *operator,
            argument,
        })
    }
}

fn single_or(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

struct Compiler<'j> {
    json: &'j dyn JsonMatch,
}

impl Compiler<'_> {
    /// NOT is moved down to the restrictions, where NULL can be treated as "does not match".
    fn compile(&self, filter: &Filter, negated: bool) -> Result<Expr, FilterFault> {
        let all = |parts: &[Filter], conjunction: bool| -> Result<Expr, FilterFault> {
            let mut compiled = Vec::with_capacity(parts.len());
            for part in parts {
                compiled.push(self.compile(part, negated)?);
            }
            let join = if conjunction { Expr::and } else { Expr::or };
            Ok(compiled
                .into_iter()
                .reduce(join)
                .unwrap_or_else(|| Expr::val(true)))
        };
        match filter {
            Filter::And(parts) => all(parts, !negated),
            Filter::Or(parts) => all(parts, negated),
            Filter::Not(inner) => self.compile(inner, !negated),
            Filter::Restriction {
                path,
                position,
                operator,
                argument,
            } => self.restriction(path, *position, *operator, argument, negated),
        }
    }

    fn restriction(
        &self,
        path: &[String],
        position: usize,
        operator: Operator,
        argument: &Argument,
        negated: bool,
    ) -> Result<Expr, FilterFault> {
        let known = || FIELDS.map(|(name, ..)| name).join(", ");
        let Some((_, column, kind)) = FIELDS.iter().find(|(name, ..)| *name == path[0]) else {
            return fault(
                position,
                "unknown_field",
                format!("there is no field `{}`: known are {}", path[0], known()),
            );
        };
        if path.len() > 1 && *kind != Kind::Json {
            return fault(
                position,
                "unknown_field",
                format!("`{}` has no parts: only metadata has", path[0]),
            );
        }
        let column_name = Expr::col((entity::resources::Entity, *column));
        let (operator, negated) = match operator {
            Operator::NotEqual => (Operator::Equal, !negated),
            operator => (operator, negated),
        };
        let context = Restriction {
            column: column_name,
            field: path.join("."),
            operator,
            argument,
        };
        if *kind == Kind::Json {
            let condition = self.json_condition(&context, &path[1..])?;
            return Ok(if negated { condition.not() } else { condition });
        }
        if *kind == Kind::TextList {
            let condition = self.list_condition(&context)?;
            return Ok(if negated { condition.not() } else { condition });
        }
        let condition = context.column_condition(*kind)?;
        Ok(match (negated, context.asks_for_null()) {
            (false, _) => condition,
            (true, true) => condition.not(),
            (true, false) => context.column.is_null().or(condition.not()),
        })
    }

    fn list_condition(&self, restriction: &Restriction<'_>) -> Result<Expr, FilterFault> {
        let argument = restriction.argument;
        match restriction.operator {
            Operator::Has if argument.is_any() => Ok(self
                .json
                .equals(restriction.column.clone(), &[], &Json::Array(Vec::new()))
                .not()),
            Operator::Has | Operator::Equal => Ok(self.json.has(
                restriction.column.clone(),
                &[],
                &Json::String(argument.text.clone()),
            )),
            _ => restriction.unsupported("a list: use `:` to ask for an entry"),
        }
    }

    fn json_condition(
        &self,
        restriction: &Restriction<'_>,
        path: &[String],
    ) -> Result<Expr, FilterFault> {
        let argument = restriction.argument;
        let column = restriction.column.clone();
        match restriction.operator {
            Operator::Has if argument.is_any() && path.is_empty() => Ok(self
                .json
                .equals(column, path, &Json::Object(serde_json::Map::new()))
                .not()),
            Operator::Has if argument.is_any() => Ok(self.json.exists(column, path)),
            Operator::Has => Ok(self.json.has(column, path, &argument.json()?)),
            Operator::Equal | Operator::NotEqual => {
                if path.is_empty() {
                    return restriction
                        .unsupported("an object: name one of its keys, as in metadata.pages");
                }
                Ok(self.json.equals(column, path, &argument.json()?))
            }
            Operator::Compare(comparison) => match argument.json()? {
                value @ (Json::Number(_) | Json::String(_)) => {
                    Ok(self.json.compares(column, path, comparison, &value))
                }
                _ => fault(
                    argument.position,
                    "type",
                    "expected a number or a quoted string to compare with",
                ),
            },
        }
    }
}

struct Restriction<'a> {
    column: Expr,
    field: String,
    operator: Operator,
    argument: &'a Argument,
}

impl Restriction<'_> {
    fn unsupported<T>(&self, what: &str) -> Result<T, FilterFault> {
        fault(
            self.argument.position,
            "operator",
            format!("`{}` is {what}", self.field),
        )
    }

    fn asks_for_null(&self) -> bool {
        !self.argument.quoted && self.argument.text == "null" && self.operator == Operator::Equal
    }

    fn column_condition(&self, kind: Kind) -> Result<Expr, FilterFault> {
        let column = self.column.clone();
        if self.operator == Operator::Has && self.argument.is_any() {
            return Ok(column.is_not_null());
        }
        if self.asks_for_null() {
            return Ok(column.is_null());
        }
        match kind {
            Kind::Text => self.text_condition(),
            Kind::Integer => match self.argument.text.parse::<i64>() {
                Ok(number) => self.compare(Expr::val(number)),
                Err(_) => self.wrong_type("an integer of 64 bits"),
            },
            Kind::Number => match self.argument.text.parse::<f64>().ok().filter(|number| number.is_finite()) {
                Some(number) => self.compare(Expr::val(number)),
                None => self.wrong_type("a number"),
            },
            Kind::Time => match parse_time(&self.argument.text) {
                Some(time) => self.compare(Expr::val(time)),
                None => self.wrong_type("an RFC 3339 time such as \"2026-01-31T12:00:00Z\" or a day such as \"2026-01-31\""),
            },
            Kind::Id => match Uuid::try_parse(&self.argument.text) {
                Ok(id) if matches!(self.operator, Operator::Equal | Operator::Has) => self.compare(Expr::val(id)),
                Ok(_) => self.unsupported("an id: it can be compared with = and != only"),
                Err(_) => self.wrong_type("an id (UUID)"),
            },
            Kind::TextList | Kind::Json => self.unsupported("compared elsewhere"),
        }
    }

    fn text_condition(&self) -> Result<Expr, FilterFault> {
        let text = &self.argument.text;
        match (self.operator, text.strip_suffix('*')) {
            (Operator::Equal | Operator::Has, Some(prefix)) => {
                // PostgreSQL has substr for integers of 32 bits alone.
                let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
                let beginning = Func::cust("substr").args([
                    self.column.clone(),
                    Expr::val(1_i32),
                    Expr::val(length),
                ]);
                Ok(Expr::from(beginning).eq(prefix))
            }
            (Operator::Has, None) if text.is_empty() => Ok(self.column.clone().is_not_null()),
            (Operator::Has, None) => {
                // True when taking the text out changes something: both databases compare code points here.
                let without = Func::cust("replace").args([
                    self.column.clone(),
                    Expr::val(text.clone()),
                    Expr::val(""),
                ]);
                Ok(Expr::from(without).ne(self.column.clone()))
            }
            _ => self.compare(Expr::val(text.clone())),
        }
    }

    fn compare(&self, value: Expr) -> Result<Expr, FilterFault> {
        let column = self.column.clone();
        Ok(match self.operator {
            Operator::Equal | Operator::Has => column.eq(value),
            Operator::NotEqual => column.ne(value),
            Operator::Compare(Comparison::Less) => column.lt(value),
            Operator::Compare(Comparison::LessOrEqual) => column.lte(value),
            Operator::Compare(Comparison::Greater) => column.gt(value),
            Operator::Compare(Comparison::GreaterOrEqual) => column.gte(value),
        })
    }

    fn wrong_type<T>(&self, expected: &str) -> Result<T, FilterFault> {
        let found: String = self.argument.text.chars().take(40).collect();
        fault(
            self.argument.position,
            "type",
            format!("`{}` needs {expected}, found `{found}`", self.field),
        )
    }
}

impl Argument {
    fn is_any(&self) -> bool {
        !self.quoted && self.text == "*"
    }

    /// The value as JSON: quoted is a string, bare is true, false, null, a number, or else a string.
    fn json(&self) -> Result<Json, FilterFault> {
        if self.quoted {
            return Ok(Json::String(self.text.clone()));
        }
        Ok(match self.text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" => Json::Null,
            text => match text.parse::<Number>() {
                Ok(number) => {
                    let mut value = Json::Number(number);
                    // Numbers hold neither U+0000 nor anything deep.
                    let _ = super::canonical::canonicalise(&mut value);
                    value
                }
                Err(_)
                    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                        && text.parse::<f64>().is_ok() =>
                {
                    return fault(
                        self.position,
                        "out_of_range",
                        "the number is too large for a 64-bit float",
                    );
                }
                Err(_) => Json::String(text.to_owned()),
            },
        })
    }
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    parse_timestamp(text).or_else(|| {
        text.parse::<NaiveDate>()
            .ok()?
            .and_hms_opt(0, 0, 0)
            .map(|time| time.and_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(filter: &str) -> String {
        fn show(filter: &Filter) -> String {
            let list = |parts: &[Filter]| parts.iter().map(show).collect::<Vec<_>>().join(" ");
            match filter {
                Filter::And(parts) => format!("(and {})", list(parts)),
                Filter::Or(parts) => format!("(or {})", list(parts)),
                Filter::Not(inner) => format!("(not {})", show(inner)),
                Filter::Restriction { path, argument, .. } => {
                    format!("{}~{}", path.join("."), argument.text)
                }
            }
        }
        match parse(filter) {
            Ok(parsed) => show(&parsed),
            Err(fault) => format!("{} at {}", fault.code, fault.position),
        }
    }

    #[test]
    fn or_binds_more_tightly_than_and() {
        assert_eq!(shape("a = 1 AND b = 2 OR c = 3"), "(and a~1 (or b~2 c~3))");
        assert_eq!(shape("a=1 b=2"), "(and a~1 b~2)");
        assert_eq!(shape("NOT (a = 1 OR -b = 2)"), "(not (or a~1 (not b~2)))");
        assert_eq!(
            shape("metadata.x.\"y z\" > -1.5e3"),
            "metadata.x.y z~-1.5e3"
        );
        assert_eq!(
            shape("created_at > 2026-01-01T00:00:00Z"),
            "created_at~2026-01-01T00:00:00Z"
        );
    }

    #[test]
    fn faults_point_at_the_character() {
        assert_eq!(shape("ä = \"x"), "syntax at 4");
        assert_eq!(shape("(a = 1"), "syntax at 6");
        assert_eq!(shape("a = 1 )"), "syntax at 6");
        assert_eq!(shape("word"), "syntax at 4");
        assert_eq!(shape(""), "syntax at 0");
        assert_eq!(shape(&"(".repeat(40)), "too_deep at 32");
    }
}
