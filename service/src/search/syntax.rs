//! The query language. Every string is a query: what is not an operator is a word.
//!
//! `words`, `"a phrase"`, `a OR b`, `a AND b`, `-not`, `prefix*`, `field:value` with `title:`, `creator:`, `subject:`,
//! `description:`, `language:`, `type:`, `year:2001` or `year:2001..2010`, and all of them in brackets: `-(a OR b)`,
//! `title:(a b)`. `-` binds most tightly, then `AND`, then `OR`, then standing side by side.

use std::collections::HashSet;

use super::analysis::Analyser;
use super::query::{Atom, Clause, MatchMode, Occurs, Part, atom, is_compound, parts, years};

/// Words, phrases and values that are read of a query at most; further ones are left out.
const MOST_ATOMS: usize = 256;
/// A longer query for the best matches is a text that somebody pasted: its quotes, dashes and brackets are no operators.
const LONGEST_COMPOSED: usize = 32;
/// In a longer query without small letters, `AND` and `OR` are words.
const LONGEST_SHOUTED: usize = 4;
/// Brackets inside each other at most; deeper ones mean nothing.
const DEEPEST: usize = 16;

/// A word or quoted text, with what stands before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'q> {
    pub text: &'q str,
    /// Where `text` begins, in bytes.
    pub start: usize,
    pub field: Option<&'q str>,
    pub quoted: bool,
    pub negated: bool,
}

const FIELD_NAMES: [&str; 7] = [
    "title",
    "subject",
    "creator",
    "description",
    "language",
    "type",
    "year",
];

enum Token<'q> {
    Open {
        at: usize,
        field: Option<&'q str>,
        negated: bool,
    },
    Close,
    And,
    Or,
    Piece(Piece<'q>),
}

/// Which operators count in a query.
#[derive(Clone, Copy)]
struct Operators {
    /// Quotes, dashes and brackets.
    signs: bool,
    /// `AND` and `OR`.
    joins: bool,
}

impl Operators {
    /// None of them in a text that somebody pasted.
    fn of(text: &str, mode: MatchMode) -> Self {
        let words = text
            .split_whitespace()
            .filter(|word| !matches!(*word, "AND" | "OR"))
            .count();
        let signs = mode == MatchMode::All || words <= LONGEST_COMPOSED;
        let shouted = !text.contains(char::is_lowercase) && words > LONGEST_SHOUTED;
        Self {
            signs,
            joins: signs && !shouted,
        }
    }
}

/// Cuts a query at white space, keeping quoted text together. Brackets whose place is in `plain` belong to the words.
fn tokens<'q>(text: &'q str, plain: &HashSet<usize>, operators: Operators) -> Vec<Token<'q>> {
    let Operators { signs, joins } = operators;
    let mut tokens = Vec::new();
    let mut depth = 0;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if depth > 0
            && let Some(tail) = rest.strip_prefix(')')
        {
            tokens.push(Token::Close);
            depth -= 1;
            rest = tail.trim_start();
            continue;
        }
        let follows = |c: char| !c.is_whitespace() && (depth == 0 || c != ')');
        let (negated, mut body) = match rest.strip_prefix('-') {
            Some(body) if body.starts_with(follows) => (signs, body),
            _ => (false, rest),
        };
        let field = FIELD_NAMES.into_iter().find_map(|name| {
            let tail = body.strip_prefix(name)?.strip_prefix(':')?;
            tail.starts_with(follows).then_some((name, tail))
        });
        if let Some((_, tail)) = field {
            body = tail;
        }
        let field = field.map(|(name, _)| name);
        let at = text.len() - body.len();
        if signs
            && depth < DEEPEST
            && !plain.contains(&at)
            && let Some(tail) = body.strip_prefix('(')
        {
            tokens.push(Token::Open { at, field, negated });
            depth += 1;
            rest = tail.trim_start();
            continue;
        }
        let mut closing = 0;
        let (content, quoted, tail) = match body.strip_prefix('"') {
            Some(inner) => match inner.split_once('"') {
                Some((phrase, tail)) => {
                    closing = 1;
                    (phrase, signs, tail)
                }
                // Not closed: the rest is words.
                None => word(inner, depth),
            },
            None => word(body, depth),
        };
        rest = tail.trim_start();
        let piece = Piece {
            text: content,
            // What is left after the piece tells where it began.
            start: text.len() - tail.len() - closing - content.len(),
            field,
            quoted,
            negated,
        };
        let joins = joins && !quoted && !negated && field.is_none();
        tokens.push(match content {
            "OR" if joins => Token::Or,
            "AND" if joins => Token::And,
            _ => Token::Piece(piece),
        });
    }
    tokens
}

/// A word, without the brackets behind it that close those around it.
fn word(text: &str, depth: usize) -> (&str, bool, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || c == '"')
        .unwrap_or(text.len());
    let mut end = if end == 0 {
        text.chars().next().map_or(0, char::len_utf8)
    } else {
        end
    };
    let count = |bracket: char| text[..end].matches(bracket).count();
    let mut open = count(')').saturating_sub(count('(')).min(depth);
    while open > 0 && text[..end].ends_with(')') && end > 1 {
        end -= 1;
        open -= 1;
    }
    (&text[..end], false, &text[end..])
}

/// The tokens of a query, of which every bracket is closed.
fn balanced(text: &str, mode: MatchMode) -> Vec<Token<'_>> {
    let operators = Operators::of(text, mode);
    let tokens_without = |plain: &HashSet<usize>| tokens(text, plain, operators);
    let found = tokens_without(&HashSet::new());
    let mut open = Vec::new();
    for token in &found {
        match token {
            Token::Open { at, .. } => open.push(*at),
            Token::Close => {
                open.pop();
            }
            _ => {}
        }
    }
    if open.is_empty() {
        return found;
    }
    tokens_without(&open.into_iter().collect())
}

/// The words and quoted texts of a query, each with the field it is in and whether it is excluded.
pub(super) fn pieces(text: &str, mode: MatchMode) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut around: Vec<(Option<&str>, bool)> = vec![(None, false)];
    for token in balanced(text, mode) {
        let (field, negated) = around.last().copied().unwrap_or_default();
        match token {
            Token::Open {
                field: own,
                negated: not,
                ..
            } => around.push((own.or(field), negated != not)),
            Token::Close => {
                around.pop();
            }
            Token::And | Token::Or => {}
            Token::Piece(piece) => pieces.push(Piece {
                field: piece.field.or(field),
                negated: negated != piece.negated,
                ..piece
            }),
        }
    }
    pieces
}

/// The languages that a query asks for.
pub(super) fn languages_of(text: &str, mode: MatchMode) -> Vec<String> {
    pieces(text, mode)
        .into_iter()
        .filter(|piece| piece.field == Some("language") && !piece.negated)
        .map(|piece| piece.text.to_owned())
        .collect()
}

/// The clauses of a query to a library with documents in these languages.
pub(super) fn read(text: &str, mode: MatchMode, library: &[&'static str]) -> Vec<Clause> {
    let analyser = Analyser::for_search(&languages_of(text, mode), library);
    let mut reader = Reader {
        tokens: balanced(text, mode).into_iter().peekable(),
        mode,
        analyser,
        atoms: 0,
    };
    let mut clauses = Vec::new();
    while reader.tokens.peek().is_some() {
        clauses.extend(reader.sequence(None));
        // A bracket that closes nothing.
        reader.tokens.next();
    }
    clauses
}

struct Reader<'q, T: Iterator<Item = Token<'q>>> {
    tokens: std::iter::Peekable<T>,
    mode: MatchMode,
    analyser: Analyser,
    atoms: usize,
}

impl<'q, T: Iterator<Item = Token<'q>>> Reader<'q, T> {
    /// What stands side by side, up to the end or a closing bracket.
    fn sequence(&mut self, field: Option<&'q str>) -> Vec<Clause> {
        let mut clauses = Vec::new();
        while self
            .tokens
            .peek()
            .is_some_and(|token| !matches!(token, Token::Close))
        {
            if self.skip_operators() {
                continue;
            }
            let operand = self.disjunction(field);
            clauses.extend(self.split(operand));
        }
        clauses
    }

    fn skip_operators(&mut self) -> bool {
        let mut skipped = false;
        while self
            .tokens
            .next_if(|token| matches!(token, Token::And | Token::Or))
            .is_some()
        {
            skipped = true;
        }
        skipped
    }

    /// A compound that stands alone and may match is as good as its words.
    fn split(&mut self, operand: Vec<Clause>) -> Vec<Clause> {
        let compound = match &operand[..] {
            [
                Clause {
                    occurs: Occurs::Should,
                    any_of,
                },
            ] => match &any_of[..] {
                [Part::Atom(atom)] if is_compound(atom) => atom,
                _ => return operand,
            },
            _ => return operand,
        };
        let room = MOST_ATOMS - self.atoms + 1;
        let words: Vec<Clause> = parts(compound)
            .take(room)
            .map(|part| single(Occurs::Should, part))
            .collect();
        self.atoms += words.len() - 1;
        words
    }

    /// `a OR b`: alternatives are as binding as the most binding of them.
    fn disjunction(&mut self, field: Option<&'q str>) -> Vec<Clause> {
        let mut operands = vec![self.conjunction(field)];
        while self
            .tokens
            .next_if(|token| matches!(token, Token::Or))
            .is_some()
        {
            self.skip_operators();
            operands.push(self.conjunction(field));
        }
        operands.retain(|operand| !operand.is_empty());
        if operands.len() < 2 {
            return operands.pop().unwrap_or_default();
        }
        let binding = self.mode == MatchMode::All
            || operands
                .iter()
                .flatten()
                .any(|clause| clause.occurs == Occurs::Must);
        let mut any_of = Vec::new();
        for operand in operands {
            any_of.extend(alternatives(operand));
        }
        vec![Clause {
            occurs: if binding {
                Occurs::Must
            } else {
                Occurs::Should
            },
            any_of,
        }]
    }

    /// `a AND b`: both must hold.
    fn conjunction(&mut self, field: Option<&'q str>) -> Vec<Clause> {
        let mut operands = vec![self.operand(field)];
        while self
            .tokens
            .next_if(|token| matches!(token, Token::And))
            .is_some()
        {
            self.skip_operators();
            operands.push(self.operand(field));
        }
        operands.retain(|operand| !operand.is_empty());
        if operands.len() < 2 {
            return operands.pop().unwrap_or_default();
        }
        operands.into_iter().flat_map(required).collect()
    }

    /// A word, a phrase, or what stands in brackets; nothing at the end.
    fn operand(&mut self, field: Option<&'q str>) -> Vec<Clause> {
        match self
            .tokens
            .next_if(|token| matches!(token, Token::Open { .. } | Token::Piece(_)))
        {
            Some(Token::Piece(piece)) => self.piece(piece, field),
            Some(Token::Open {
                field: own,
                negated,
                ..
            }) => {
                let inner = self.sequence(own.or(field));
                self.tokens.next_if(|token| matches!(token, Token::Close));
                if negated {
                    excluded(inner)
                } else if own.is_some() {
                    required(inner)
                } else {
                    inner
                }
            }
            _ => Vec::new(),
        }
    }

    fn piece(&mut self, piece: Piece<'q>, field: Option<&'q str>) -> Vec<Clause> {
        if self.atoms >= MOST_ATOMS || piece.text.is_empty() {
            return Vec::new();
        }
        let own = piece.field;
        let mut piece = Piece {
            field: own.or(field),
            ..piece
        };
        if piece.field == Some("year") && years(piece.text).is_none() {
            piece.field = None;
        }
        let Some(atom) = atom(&piece, &self.analyser) else {
            return Vec::new();
        };
        self.atoms += 1;
        // What stands in a field's brackets may match there as words may elsewhere.
        let in_field = piece.field.is_some() && own.is_some();
        let occurs = if piece.negated {
            Occurs::MustNot
        } else if piece.quoted || in_field || self.mode == MatchMode::All {
            Occurs::Must
        } else {
            Occurs::Should
        };
        vec![single(occurs, atom)]
    }
}

fn single(occurs: Occurs, atom: Atom) -> Clause {
    Clause {
        occurs,
        any_of: vec![Part::Atom(atom)],
    }
}

/// An operand as alternatives of a clause.
fn alternatives(mut operand: Vec<Clause>) -> Vec<Part> {
    if operand.len() == 1 && operand[0].occurs == Occurs::Must {
        operand[0].occurs = Occurs::Should;
    }
    if operand.iter().all(|clause| clause.occurs == Occurs::Should) {
        return operand
            .into_iter()
            .flat_map(|clause| clause.any_of)
            .collect();
    }
    vec![Part::Group { clauses: operand }]
}

/// An operand that must hold.
fn required(operand: Vec<Clause>) -> Vec<Clause> {
    let is_binding = |clause: &Clause| clause.occurs != Occurs::Should;
    if operand.is_empty() || operand.iter().any(|clause| clause.occurs == Occurs::Must) {
        return operand;
    }
    if operand.iter().all(is_binding) {
        return operand;
    }
    vec![Clause {
        occurs: Occurs::Must,
        any_of: alternatives(operand),
    }]
}

/// An operand that must not hold.
fn excluded(operand: Vec<Clause>) -> Vec<Clause> {
    if operand.is_empty() {
        return operand;
    }
    if let [
        Clause {
            occurs: Occurs::MustNot,
            any_of,
        },
    ] = &operand[..]
    {
        return vec![Clause {
            occurs: Occurs::Must,
            any_of: any_of.clone(),
        }];
    }
    vec![Clause {
        occurs: Occurs::MustNot,
        any_of: alternatives(operand),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::query::parse;
    use super::*;

    /// `+` must, `-` must not, `?` may; `(…)` is a group.
    fn shape(clauses: &[Clause]) -> String {
        let clauses = clauses.iter().map(|clause| {
            let sign = match clause.occurs {
                Occurs::Must => "+",
                Occurs::MustNot => "-",
                Occurs::Should => "?",
            };
            let parts = clause.any_of.iter().map(|part| match part {
                Part::Group { clauses } => format!("({})", shape(clauses)),
                Part::Atom(atom) => {
                    let field = atom.field.map(|field| format!("{field}:"));
                    let end = if atom.words.len() > 1 { "~" } else { "" };
                    format!("{}{}{end}", field.unwrap_or_default(), atom.text)
                }
            });
            format!("{sign}{}", parts.collect::<Vec<_>>().join("|"))
        });
        clauses.collect::<Vec<_>>().join(" ")
    }

    fn best(text: &str) -> String {
        shape(&read(text, MatchMode::Best, &[]))
    }

    #[test]
    fn operators_are_understood() {
        for (text, expected) in [
            (
                "rust OR go -\"garbage collection\" title:book year:2001..2010 sys*",
                "?rust|go -garbage collection~ +title:book +year:2001..2010 ?sys*",
            ),
            ("a AND b c", "+a +b ?c"),
            ("a AND b OR c", "+(+a +b)|c"),
            ("a OR b AND c d", "+a|(+b +c) ?d"),
            ("a AND -b", "+a -b"),
            ("a OR -b", "?a|(-b)"),
            ("a OR \"b c\"", "+a|b c~"),
            ("OR a AND", "?a"),
            ("a OR OR b", "?a|b"),
            ("high-speed", "?high ?speed"),
            ("cs/98*", "?cs/98*~"),
            ("year:abc harry", "?abc ?harry"),
        ] {
            assert_eq!(best(text), expected, "{text}");
        }
    }

    #[test]
    fn brackets_nest() {
        for (text, expected) in [
            ("(a b) c", "?a ?b ?c"),
            ("-(a OR b) c", "-a|b ?c"),
            ("-(a b) c", "-a|b ?c"),
            ("-(a AND b) c", "-(+a +b) ?c"),
            ("-(-a)", "+a"),
            ("(a OR b) AND (c OR d)", "+a|b +c|d"),
            ("(a AND (b OR -(c d))) OR e", "+(+a +b|(-c|d))|e"),
            ("title:(a b)", "+title:a|title:b"),
            ("title:(\"a b\" OR c) d", "+title:a b~|title:c ?d"),
            ("title:(a AND b)", "+title:a +title:b"),
            ("title:(a subject:b)", "?title:a +subject:b"),
            ("year:(2001 OR 2003)", "+year:2001|year:2003"),
            ("f(x) (a)", "?f(x)~ ?a"),
        ] {
            assert_eq!(best(text), expected, "{text}");
        }
        let all = |text| shape(&read(text, MatchMode::All, &[]));
        assert_eq!(all("-(a b) c OR d"), "-(+a +b) +c|d");
    }

    #[test]
    fn brackets_that_are_not_closed_are_no_operators() {
        for (text, expected) in [
            ("-(a b", "-(a ?b"),
            ("a) b", "?a) ?b"),
            ("((a OR b) c", "?((a|b) ?c"),
            ("title:(a", "+title:(a"),
            (")) ((", ""),
            ("(a", "?(a"),
        ] {
            assert_eq!(best(text), expected, "{text}");
        }
        let deep = format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(!parse(&deep, MatchMode::All, &[]).is_blank());
    }

    #[test]
    fn a_text_that_was_pasted_has_no_operators() {
        let shouted = best("GONE WITH THE WIND AND OTHERS OR NOT");
        assert!(
            shouted.contains("?AND") && shouted.contains("?OR"),
            "{shouted}"
        );
        assert_eq!(best("NASA AND ESA"), "+NASA +ESA");
        let long = format!("{} -x \"y z\" (a OR b)", "word ".repeat(40));
        assert!(!best(&long).contains(['+', '-', '|']), "{}", best(&long));
    }

    #[test]
    fn pieces_know_what_stands_around_them() {
        let text = "title:(a -b) -(c \"d e\") f";
        let found: Vec<_> = pieces(text, MatchMode::Best)
            .into_iter()
            .map(|piece| (piece.text, piece.field, piece.negated))
            .collect();
        assert_eq!(
            found,
            [
                ("a", Some("title"), false),
                ("b", Some("title"), true),
                ("c", None, true),
                ("d e", None, true),
                ("f", None, false),
            ]
        );
        for piece in pieces(text, MatchMode::Best) {
            assert!(text[piece.start..].starts_with(piece.text));
        }
        assert_eq!(
            languages_of("language:(fr OR de) -language:it", MatchMode::Best),
            ["fr", "de"]
        );
    }

    #[test]
    fn every_string_is_a_query() {
        for text in [
            "\"open",
            "OR",
            "OR OR a",
            "-",
            "- a",
            "title:",
            "((",
            "a:b:c",
            "\"\"",
            "*",
            "year:x",
            "'",
            "\\",
            "\u{0}",
            "-)",
            "(-)",
            "title:()",
            "()",
            "(()",
            "language:(",
            "(language:)",
            "a*)",
            "(a*)",
        ] {
            for mode in [MatchMode::Best, MatchMode::All] {
                let _ = (parse(text, mode, &[]), pieces(text, mode));
            }
        }
        assert!(parse("  ", MatchMode::Best, &[]).is_blank());
        assert!(!parse("!!", MatchMode::Best, &[]).is_blank());
    }
}
