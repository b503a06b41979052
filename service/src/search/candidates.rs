//! What a token index is asked: a superset of the matches, in AND and OR of tokens alone.

use std::collections::HashSet;

use super::document::{Facet, value_token};
use super::query::{Atom, Clause, Occurs, Part, Query};
use super::stems::unmarked;

/// Years in a range at most that are looked up one by one; a longer range is decided on the documents.
const MOST_YEARS: i64 = 50;

/// Words of phrases that are looked up in all of a query, and at least one of each phrase: further ones are decided on the
/// documents.
/// PostgreSQL begins a scan of a GIN index in a time that grows with the square of what is asked.
const MOST_WORDS: usize = 64;

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
        let atoms = query.atoms().len();
        of_clauses(&query.clauses, (MOST_WORDS / atoms.max(1)).max(1))
    }
}

fn of_clauses(clauses: &[Clause], most_words: usize) -> Candidates {
    let has = |occurs| clauses.iter().any(|clause| clause.occurs == occurs);
    let of_kind = |occurs| {
        let clauses = clauses.iter().filter(move |clause| clause.occurs == occurs);
        clauses.map(move |clause| of_clause(clause, most_words))
    };
    if has(Occurs::Must) {
        all(of_kind(Occurs::Must))
    } else if has(Occurs::Should) {
        any(of_kind(Occurs::Should))
    } else {
        Candidates::Everything
    }
}

fn of_clause(clause: &Clause, most_words: usize) -> Candidates {
    any(clause.any_of.iter().map(|part| match part {
        Part::Atom(atom) => of_atom(atom, most_words),
        Part::Group { clauses } => of_clauses(clauses, most_words),
    }))
}

fn of_atom(atom: &Atom, most_words: usize) -> Candidates {
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
    let whole = atom.stems.iter().flat_map(|stem| tokens_of(stem));
    let mut seen = HashSet::new();
    let beginning = atom.words.last().filter(|_| atom.prefix);
    let words = atom.words.iter().filter(|terms| seen.insert(*terms));
    all(words.take(most_words).map(|terms| {
        let tokens: Vec<TokenQuery> = if beginning == Some(terms) {
            let prefixes = terms.iter().map(|term| TokenQuery::Prefix(term.clone()));
            prefixes.chain(whole.clone()).collect()
        } else {
            terms.iter().flat_map(|term| tokens_of(term)).collect()
        };
        any(tokens.into_iter().map(Candidates::Having))
    }))
}

/// The tokens that a document with this term has one of. A stem with its language is not indexed where the document has the
/// same word without one.
fn tokens_of(term: &str) -> Vec<TokenQuery> {
    let stem = unmarked(term.as_bytes()).map(|stem| &term[term.len() - stem.len()..]);
    let terms = std::iter::once(term).chain(stem);
    terms
        .map(|term| TokenQuery::Token(term.to_owned()))
        .collect()
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
            // Repeated words are looked up once.
            Candidates::Having(query) if having.contains(&query) => {}
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

#[cfg(test)]
mod tests {
    use super::super::query::{MatchMode, parse};
    use super::*;

    fn count(query: &TokenQuery) -> usize {
        match query {
            TokenQuery::Token(_) | TokenQuery::Prefix(_) => 1,
            TokenQuery::And(parts) | TokenQuery::Or(parts) => parts.iter().map(count).sum(),
        }
    }

    fn tokens(text: &str) -> usize {
        match Candidates::of(&parse(text, MatchMode::Best, &[])) {
            Candidates::Having(query) => count(&query),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_word_is_looked_up_once_however_often_it_is_repeated() {
        assert_eq!(tokens(&"の".repeat(4_096)), tokens("の"));
    }

    #[test]
    fn what_is_looked_up_stays_small_however_long_phrases_are() {
        let distinct: String = ('\u{4e00}'..).take(4_000).collect();
        let one = tokens("\"一\"");
        assert!(tokens(&distinct) <= MOST_WORDS * one);
        let characters: Vec<char> = distinct.chars().collect();
        let phrases: Vec<String> = characters
            .chunks(10)
            .map(|chunk| format!("\"{}\"", chunk.iter().collect::<String>()))
            .collect();
        assert!(tokens(&phrases[..30].join(" OR ")) <= MOST_WORDS * one);
        assert!(tokens(&phrases.join(" OR ")) <= 256 * one);
    }
}
