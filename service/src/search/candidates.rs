//! What a token index is asked: a superset of the matches, in AND and OR of tokens alone.

use super::document::{Facet, value_token};
use super::query::{Atom, Clause, Occurs, Query};

/// Years in a range at most that are looked up one by one; a longer range is decided on the documents.
const MOST_YEARS: i64 = 50;

/// An expression over tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenQuery {
    Token(String),
    Prefix(String),
    And(Vec<TokenQuery>),
    Or(Vec<TokenQuery>),
}

/// Which documents have to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    Everything,
    Nothing,
    Having(TokenQuery),
}

impl Candidates {
    /// The candidates of a query: what it excludes, phrases and fields are decided on the documents.
    pub fn of(query: &Query) -> Self {
        let of_kind = |occurs| {
            query
                .clauses
                .iter()
                .filter(move |clause| clause.occurs == occurs)
                .map(of_clause)
        };
        if query.has_required() {
            all(of_kind(Occurs::Must))
        } else if query
            .clauses
            .iter()
            .any(|clause| clause.occurs == Occurs::Should)
        {
            any(of_kind(Occurs::Should))
        } else {
            Self::Everything
        }
    }
}

fn of_clause(clause: &Clause) -> Candidates {
    any(clause.any_of.iter().map(of_atom))
}

fn of_atom(atom: &Atom) -> Candidates {
    if let Some((first, last)) = atom.years {
        return match last - first {
            ..0 => Candidates::Nothing,
            0..MOST_YEARS => any((first..=last).map(|year| {
                Candidates::Having(TokenQuery::Token(value_token(
                    Facet::Year,
                    &year.to_string(),
                )))
            })),
            _ => Candidates::Everything,
        };
    }
    if atom.words.is_empty() {
        return Candidates::Nothing;
    }
    let whole = atom.stems.iter().cloned().map(TokenQuery::Token);
    all(atom.words.iter().map(|terms| {
        let tokens = terms.iter().map(|term| {
            if atom.prefix {
                TokenQuery::Prefix(term.clone())
            } else {
                TokenQuery::Token(term.clone())
            }
        });
        any(tokens.chain(whole.clone()).map(Candidates::Having))
    }))
}

fn all(parts: impl Iterator<Item = Candidates>) -> Candidates {
    let mut having = Vec::new();
    for part in parts {
        match part {
            Candidates::Everything => {}
            Candidates::Nothing => return Candidates::Nothing,
            Candidates::Having(query) => having.push(query),
        }
    }
    joined(having, TokenQuery::And).map_or(Candidates::Everything, Candidates::Having)
}

fn any(parts: impl Iterator<Item = Candidates>) -> Candidates {
    let mut having = Vec::new();
    for part in parts {
        match part {
            Candidates::Everything => return Candidates::Everything,
            Candidates::Nothing => {}
            Candidates::Having(query) => having.push(query),
        }
    }
    joined(having, TokenQuery::Or).map_or(Candidates::Nothing, Candidates::Having)
}

fn joined(
    mut parts: Vec<TokenQuery>,
    join: fn(Vec<TokenQuery>) -> TokenQuery,
) -> Option<TokenQuery> {
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(join(parts)),
    }
}
