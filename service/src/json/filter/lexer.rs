//! Characters to tokens.

use std::iter::Peekable;
use std::str::CharIndices;

use super::super::Comparison;
use super::{FilterFault, fault};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    Comma,
    Dot,
    Minus,
    Plus,
    Operator(Operator),
    Text(Text),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Has,
    Compare(Comparison),
}

/// A word or a quoted text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Text {
    pub text: String,
    pub quoted: bool,
    /// Whether the text begins and ends with a `*` that was not escaped.
    pub open_beginning: bool,
    pub open_end: bool,
    /// Whether `(` follows at once, as after the name of a function.
    pub called: bool,
}

impl Text {
    /// A word is taken as it stands, without quotes.
    pub(super) fn is_word(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }
}

struct Lexer<'f> {
    characters: Peekable<CharIndices<'f>>,
    /// Counts characters, not bytes.
    position: usize,
    tokens: Vec<(usize, Token)>,
}

pub(super) fn tokenise(filter: &str) -> Result<Vec<(usize, Token)>, FilterFault> {
    let mut lexer = Lexer {
        characters: filter.char_indices().peekable(),
        position: 0,
        tokens: Vec::new(),
    };
    while let Some(character) = lexer.take() {
        let start = lexer.position - 1;
        if character.is_whitespace() {
            continue;
        }
        let token = lexer.token(character, start)?;
        lexer.tokens.push((start, token));
    }
    Ok(lexer.tokens)
}

impl Lexer<'_> {
    fn take(&mut self) -> Option<char> {
        let (_, character) = self.characters.next()?;
        self.position += 1;
        Some(character)
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let (_, character) = self.characters.next_if(|(_, next)| wanted(*next))?;
        self.position += 1;
        Some(character)
    }

    fn last(&self) -> Option<&Token> {
        self.tokens.last().map(|(_, token)| token)
    }

    fn token(&mut self, character: char, start: usize) -> Result<Token, FilterFault> {
        let after_operator = matches!(self.last(), Some(Token::Operator(_)));
        let mut or_equal = |less, less_or_equal| match self.take_if(|next| next == '=') {
            Some(_) => Token::Operator(Operator::Compare(less_or_equal)),
            None => Token::Operator(Operator::Compare(less)),
        };
        Ok(match character {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '.' => Token::Dot,
            ':' => Token::Operator(Operator::Has),
            '=' => Token::Operator(Operator::Equal),
            '<' => or_equal(Comparison::Less, Comparison::LessOrEqual),
            '>' => or_equal(Comparison::Greater, Comparison::GreaterOrEqual),
            '!' if self.take_if(|next| next == '=').is_some() => {
                Token::Operator(Operator::NotEqual)
            }
            '"' | '\'' => Token::Text(self.quoted(character, start)?),
            '\0' => return fault(start, "nul", "the character U+0000 is not allowed"),
            '-' if !after_operator => Token::Minus,
            '+' if self.last() == Some(&Token::Close) => Token::Plus,
            _ if is_word(character) || character == '-' => {
                Token::Text(self.word(character, after_operator))
            }
            other => {
                return fault(
                    start,
                    "syntax",
                    format!("`{other}` is not expected here: put text in double quotes"),
                );
            }
        })
    }

    /// After an operator a dot belongs to a number or a time, before one it separates a path.
    fn word(&mut self, first: char, value: bool) -> Text {
        let mut text = String::from(first);
        let belongs = |next| is_word(next) || next == '-' || (value && matches!(next, '.' | ':'));
        while let Some(next) = self.take_if(belongs) {
            text.push(next);
        }
        Text {
            quoted: false,
            open_beginning: text.starts_with('*'),
            open_end: text.ends_with('*'),
            called: matches!(self.characters.peek(), Some((_, '('))),
            text,
        }
    }

    /// Reads up to the closing quote; `\` takes the next character as it stands.
    fn quoted(&mut self, quote: char, start: usize) -> Result<Text, FilterFault> {
        let mut read = Text {
            quoted: true,
            ..Text::default()
        };
        while let Some(character) = self.take() {
            let (character, escaped) = match character {
                _ if character == quote => return Ok(read),
                '\\' => match self.take() {
                    Some(escaped) => (escaped, true),
                    None => break,
                },
                other => (other, false),
            };
            if character == '\0' {
                return fault(
                    self.position - 1,
                    "nul",
                    "the character U+0000 is not allowed",
                );
            }
            read.open_end = character == '*' && !escaped;
            read.open_beginning |= read.open_end && read.text.is_empty();
            read.text.push(character);
        }
        fault(
            start,
            "syntax",
            format!("the quote that opens here is not closed: add {quote}"),
        )
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '*' | '+' | '/' | '@' | '$' | '%')
}
