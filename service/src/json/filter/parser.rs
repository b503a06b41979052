//! Tokens to a tree.

use super::lexer::{Operator, Text, Token, tokenise};
use super::{DEEPEST, FilterFault, LONGEST_FILTER, MOST_RESTRICTIONS, fault, functions, time};

#[derive(Debug)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Restriction {
        path: Path,
        operator: Operator,
        argument: Argument,
    },
    Call(Call),
}

/// A field and the keys behind it.
#[derive(Debug)]
pub(super) struct Path {
    /// At least one.
    pub names: Vec<String>,
    pub position: usize,
}

#[derive(Debug)]
pub(super) struct Argument {
    pub value: ArgumentValue,
    pub position: usize,
}

#[derive(Debug)]
pub(super) enum ArgumentValue {
    Text(Text),
    /// `now() - duration("24h")`: the first one, and what is added or taken away.
    Time(Call, Vec<(Sign, Call)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// A function with its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    pub position: usize,
    pub arguments: Vec<CallArgument>,
}

/// A path or a text, whichever the function takes there.
#[derive(Debug)]
pub(super) struct CallArgument {
    pub names: Vec<Text>,
    pub position: usize,
}

pub(super) fn parse(filter: &str) -> Result<Filter, FilterFault> {
    let end = filter.chars().count();
    if end > LONGEST_FILTER {
        return fault(
            LONGEST_FILTER,
            "too_long",
            format!("at most {LONGEST_FILTER} characters are allowed"),
        );
    }
    let tokens = tokenise(filter)?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end,
        restrictions: 0,
        depth: 0,
    };
    let parsed = parser.expression()?;
    match parser.peek() {
        None => Ok(parsed),
        Some(_) => fault(parser.position(), "syntax", "expected the end, AND or OR"),
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
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn position(&self) -> usize {
        let next = self.tokens.get(self.next);
        next.map_or(self.end, |(position, _)| *position)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Text(text)) if text.is_word(word));
        self.next += usize::from(found);
        found
    }

    fn take_text(&mut self) -> Option<&'t Text> {
        match self.peek() {
            Some(Token::Text(text)) => {
                self.next += 1;
                Some(text)
            }
            _ => None,
        }
    }

    fn expression(&mut self) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.factor()?];
        while !matches!(self.peek(), None | Some(Token::Close)) {
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
        if self.take(&Token::Minus) || self.take_word("NOT") {
            return Ok(Filter::Not(Box::new(self.simple()?)));
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<Filter, FilterFault> {
        match self.peek() {
            Some(Token::Open) => self.parenthesised(),
            Some(Token::Text(text)) if text.called => {
                let name = text.text.as_str();
                if !functions::NAMES.contains(&name) {
                    return fault(
                        self.position(),
                        "unknown_function",
                        format!(
                            "there is no function `{name}` here: known are {}",
                            functions::NAMES.join(", ")
                        ),
                    );
                }
                self.count_restriction()?;
                self.call().map(Filter::Call)
            }
            Some(Token::Text(_)) => self.restriction(),
            _ => fault(
                self.position(),
                "syntax",
                "expected a field name, NOT or `(`",
            ),
        }
    }

    fn parenthesised(&mut self) -> Result<Filter, FilterFault> {
        let position = self.position();
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
        if !self.take(&Token::Close) {
            return fault(
                self.position(),
                "syntax",
                format!("expected `)` for the `(` at {position}"),
            );
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn count_restriction(&mut self) -> Result<(), FilterFault> {
        self.restrictions += 1;
        if self.restrictions > MOST_RESTRICTIONS {
            return fault(
                self.position(),
                "too_long",
                format!("at most {MOST_RESTRICTIONS} comparisons are allowed"),
            );
        }
        Ok(())
    }

    fn restriction(&mut self) -> Result<Filter, FilterFault> {
        self.count_restriction()?;
        let position = self.position();
        let names: Vec<String> = self.names()?.into_iter().map(|name| name.text).collect();
        let Some(Token::Operator(operator)) = self.peek() else {
            return fault(
                self.position(),
                "syntax",
                format!(
                    "expected one of = != < <= > >= : after `{}`; for words use the search with q=",
                    names.join(".")
                ),
            );
        };
        self.next += 1;
        Ok(Filter::Restriction {
            path: Path { names, position },
            operator: *operator,
            argument: self.argument()?,
        })
    }

    fn names(&mut self) -> Result<Vec<Text>, FilterFault> {
        let mut names = Vec::new();
        loop {
            match self.take_text() {
                Some(name) => names.push(name.clone()),
                None => {
                    return fault(self.position(), "syntax", "expected a name after the dot");
                }
            }
            if !self.take(&Token::Dot) {
                return Ok(names);
            }
        }
    }

    fn argument(&mut self) -> Result<Argument, FilterFault> {
        let position = self.position();
        if let Some(Token::Text(text)) = self.peek()
            && text.called
            && time::FUNCTIONS.contains(&text.text.as_str())
        {
            let value = self.time()?;
            return Ok(Argument { value, position });
        }
        // A minus with a space behind it still belongs to its number.
        let minus = self.take(&Token::Minus);
        let Some(text) = self.take_text() else {
            return fault(
                position,
                "syntax",
                "expected a value: a number, a time, true, false, null or a quoted string",
            );
        };
        let mut text = text.clone();
        if minus {
            text.text.insert(0, '-');
        }
        let value = ArgumentValue::Text(text);
        Ok(Argument { value, position })
    }

    fn time(&mut self) -> Result<ArgumentValue, FilterFault> {
        let first = self.call()?;
        let mut more = Vec::new();
        loop {
            let is_duration = |token: Option<&(usize, Token)>| matches!(token, Some((_, Token::Text(text))) if text.called && text.text == "duration");
            let sign = match self.peek() {
                Some(Token::Plus) => Sign::Plus,
                // Another minus begins the next restriction.
                Some(Token::Minus) if is_duration(self.tokens.get(self.next + 1)) => Sign::Minus,
                _ => return Ok(ArgumentValue::Time(first, more)),
            };
            self.next += 1;
            if !is_duration(self.tokens.get(self.next)) {
                return fault(
                    self.position(),
                    "syntax",
                    "expected a duration, as in now() - duration(\"24h\")",
                );
            }
            more.push((sign, self.call()?));
        }
    }

    /// A name, `(`, and arguments with commas between; the name has been seen.
    fn call(&mut self) -> Result<Call, FilterFault> {
        let position = self.position();
        let name = self.take_text().map(|text| text.text.clone());
        self.take(&Token::Open);
        let mut arguments = Vec::new();
        while !self.take(&Token::Close) {
            if !arguments.is_empty() && !self.take(&Token::Comma) {
                return fault(self.position(), "syntax", "expected `,` or `)`");
            }
            let position = self.position();
            if !matches!(self.peek(), Some(Token::Text(_))) {
                return fault(position, "syntax", "expected a field or a quoted string");
            }
            let names = self.names()?;
            arguments.push(CallArgument { names, position });
        }
        Ok(Call {
            name: name.unwrap_or_default(),
            position,
            arguments,
        })
    }
}

fn single_or(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
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
                    let value = match &argument.value {
                        ArgumentValue::Text(text) => text.text.clone(),
                        ArgumentValue::Time(first, more) => {
                            format!("{}{}", first.name, more.len())
                        }
                    };
                    format!("{}~{value}", path.names.join("."))
                }
                Filter::Call(call) => format!("{}/{}", call.name, call.arguments.len()),
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
    fn functions_stand_for_conditions_and_for_times() {
        assert_eq!(shape("has_any(metadata.a, \"x\", 'y')"), "has_any/3");
        assert_eq!(
            shape("a > now() - duration(\"1h\") + duration(\"1m\") -b = 1"),
            "(and a~now2 (not b~1))"
        );
        assert_eq!(shape("a = now (b = 1)"), "(and a~now b~1)");
        assert_eq!(shape("foo(a)"), "unknown_function at 0");
        assert_eq!(shape("a > now() + 5"), "syntax at 12");
        assert_eq!(shape("contains(metadata \"{}\")"), "syntax at 18");
        assert_eq!(shape("contains(metadata,"), "syntax at 18");
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
