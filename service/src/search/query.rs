//! The query language. Every string is a query: what is not an operator is a word.
//!
//! `words`, `"a phrase"`, `a OR b`, `a AND b`, `-not`, `prefix*`, and `field:value` with `title:`, `creator:`, `subject:`,
//! `description:`, `language:`, `type:`, `year:2001` or `year:2001..2010`.

use serde::Serialize;

use super::analysis::Analyser;
use super::document::{FIELDS, Facet, Field, value_token};
use super::folding::fold;

/// Words, phrases and values that are read of a query at most; further ones are left out.
const MOST_ATOMS: usize = 256;
/// A longer query for the best matches is a text that somebody pasted: its quotes and dashes are no operators.
const LONGEST_COMPOSED: usize = 32;

/// Whether every word must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchMode {
    /// Any word may match; documents with more and rarer of them come first.
    #[default]
    Best,
    /// Every word must match.
    All,
}

/// A query as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Query {
    #[serde(rename = "match")]
    pub mode: MatchMode,
    pub clauses: Vec<Clause>,
}

/// One part of a query: alternatives of which one must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    pub occurs: Occurs,
    pub any_of: Vec<Atom>,
}

/// What a clause means for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occurs {
    Should,
    Must,
    MustNot,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Atom {
    /// As it was typed, without operators.
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// One word, or the words of a phrase; each with the terms that stand for it.
    #[serde(rename = "terms")]
    pub words: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prefix: bool,
    /// For a prefix: stems of words that begin so, where the stems do not, taken as whole words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stems: Vec<String>,
    /// First and last year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub years: Option<(i64, i64)>,
    #[serde(skip)]
    pub within: Option<usize>,
}

impl Atom {
    /// The terms of a single word, or of a whole value, that may stand in any field.
    pub fn single_word(&self) -> Option<&[String]> {
        match &self.words[..] {
            [terms] if !self.prefix && self.years.is_none() && self.within.is_none() => Some(terms),
            _ => None,
        }
    }
}

impl Query {
    /// Whether nothing was asked: then everything matches.
    pub fn is_blank(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Whether the query asks for single words and whole values only, in any field.
    pub fn is_plain(&self) -> bool {
        let plain = |atom: &Atom| atom.single_word().is_some();
        !self.is_blank()
            && self
                .clauses
                .iter()
                .any(|clause| clause.occurs != Occurs::MustNot)
            && self
                .clauses
                .iter()
                .flat_map(|clause| &clause.any_of)
                .all(plain)
    }

    /// Whether any word, phrase or value must be found; otherwise there is nothing to look up in the index.
    pub fn has_required(&self) -> bool {
        self.clauses
            .iter()
            .any(|clause| clause.occurs == Occurs::Must)
    }
}

/// Understands a query to a library with documents in these languages.
pub fn parse(text: &str, mode: MatchMode, library: &[&'static str]) -> Query {
    let language = language_of(text);
    let analyser = Analyser::for_search(language.as_deref(), library);
    let mut clauses: Vec<Clause> = Vec::new();
    let mut atoms = 0;
    let (mut joins_next, mut must_next) = (false, false);
    let mut pieces = pieces(text);
    if mode == MatchMode::Best && pieces.len() > LONGEST_COMPOSED {
        for piece in &mut pieces {
            (piece.quoted, piece.negated) = (false, false);
        }
    }
    for piece in pieces {
        if piece.text == "OR" && !piece.quoted && !piece.negated && piece.field.is_none() {
            joins_next = !clauses.is_empty();
            continue;
        }
        if piece.text == "AND" && !piece.quoted && !piece.negated && piece.field.is_none() {
            if let Some(last) = clauses
                .last_mut()
                .filter(|last| last.occurs == Occurs::Should)
            {
                last.occurs = Occurs::Must;
            }
            must_next = !clauses.is_empty();
            continue;
        }
        if atoms >= MOST_ATOMS {
            break;
        }
        let Some(atom) = atom(&piece, &analyser) else {
            continue;
        };
        let occurs = if piece.negated {
            Occurs::MustNot
        } else if piece.quoted || piece.field.is_some() || must_next || mode == MatchMode::All {
            Occurs::Must
        } else {
            Occurs::Should
        };
        if occurs == Occurs::Should && !joins_next && is_compound(&atom) {
            let before = clauses.len();
            clauses.extend(parts(&atom).take(MOST_ATOMS - atoms).map(|part| Clause {
                occurs,
                any_of: vec![part],
            }));
            atoms += clauses.len() - before;
            (joins_next, must_next) = (false, false);
            continue;
        }
        atoms += 1;
        match clauses.last_mut() {
            Some(last) if joins_next && !piece.negated && last.occurs != Occurs::MustNot => {
                last.any_of.push(atom);
                // Alternatives are as binding as the most binding of them.
                if occurs == Occurs::Must {
                    last.occurs = Occurs::Must;
                }
            }
            _ => clauses.push(Clause {
                occurs,
                any_of: vec![atom],
            }),
        }
        (joins_next, must_next) = (false, false);
    }
    if clauses.is_empty() && !text.trim().is_empty() {
        // Something was typed, but no word is in it: nothing can match.
        let nothing = Atom {
            text: text.trim().chars().take(80).collect(),
            field: None,
            words: Vec::new(),
            prefix: false,
            stems: Vec::new(),
            years: None,
            within: None,
        };
        clauses.push(Clause {
            occurs: Occurs::Must,
            any_of: vec![nothing],
        });
    }
    Query { mode, clauses }
}

/// Whether it is words that a dash or the like joins (`high-speed`): each may match on its own. Parts of identifiers
/// (`978-0439023483`) and characters that are words of their own belong together.
fn is_compound(atom: &Atom) -> bool {
    let is_word = |word: &String| word.chars().count() > 1 && word.chars().all(char::is_alphabetic);
    atom.words.len() > 1
        && !atom.prefix
        && atom
            .words
            .iter()
            .all(|terms| terms.last().is_some_and(is_word))
}

/// Each word of a compound on its own.
fn parts(atom: &Atom) -> impl Iterator<Item = Atom> + '_ {
    atom.words.iter().map(|terms| Atom {
        text: terms.last().cloned().unwrap_or_default(),
        words: vec![terms.clone()],
        ..atom.clone()
    })
}

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

/// Cuts a query at white space, keeping quoted text together.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (negated, mut body) = match rest.strip_prefix('-') {
            Some(body) if body.starts_with(|c: char| !c.is_whitespace()) => (true, body),
            _ => (false, rest),
        };
        let field = FIELD_NAMES.into_iter().find_map(|name| {
            let tail = body.strip_prefix(name)?.strip_prefix(':')?;
            tail.starts_with(|c: char| !c.is_whitespace())
                .then_some((name, tail))
        });
        if let Some((_, tail)) = field {
            body = tail;
        }
        let field = field.map(|(name, _)| name);
        let (content, quoted, tail) = match body.strip_prefix('"') {
            Some(inner) => match inner.split_once('"') {
                Some((phrase, tail)) => (phrase, true, tail),
                // Not closed: the rest is words.
                None => word(inner),
            },
            None => word(body),
        };
        // What is left after the piece tells where it began.
        let closing = usize::from(quoted);
        pieces.push(Piece {
            text: content,
            start: text.len() - tail.len() - closing - content.len(),
            field,
            quoted,
            negated,
        });
        rest = tail.trim_start();
    }
    pieces
}

fn word(text: &str) -> (&str, bool, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || c == '"')
        .unwrap_or(text.len());
    let end = if end == 0 {
        text.chars().next().map_or(0, char::len_utf8)
    } else {
        end
    };
    (&text[..end], false, &text[end..])
}

pub(super) fn language_of(text: &str) -> Option<String> {
    pieces(text)
        .into_iter()
        .find(|piece| piece.field == Some("language") && !piece.negated)
        .map(|piece| piece.text.to_owned())
}

fn atom(piece: &Piece<'_>, analyser: &Analyser) -> Option<Atom> {
    let atom = |field, words| Atom {
        text: piece.text.to_owned(),
        field,
        words,
        prefix: false,
        stems: Vec::new(),
        years: None,
        within: None,
    };
    match piece.field {
        Some("language") => Some(atom(
            Some("language"),
            vec![vec![value_token(Facet::Language, piece.text)]],
        )),
        Some("type") => Some(atom(
            Some("type"),
            vec![vec![value_token(Facet::Type, piece.text)]],
        )),
        Some("year") => match years(piece.text) {
            Some(years) => Some(Atom {
                years: Some(years),
                ..atom(Some("year"), Vec::new())
            }),
            None => words_atom(piece, None, analyser),
        },
        field => {
            let within = FIELDS
                .iter()
                .position(|known: &Field| Some(known.name()) == field);
            words_atom(piece, within, analyser)
        }
    }
}

fn words_atom(piece: &Piece<'_>, within: Option<usize>, analyser: &Analyser) -> Option<Atom> {
    let field = within.map(|index| FIELDS[index].name());
    let prefix = piece
        .text
        .strip_suffix('*')
        .filter(|_| !piece.quoted)
        .map(fold)
        .filter(|prefix| prefix.chars().all(char::is_alphanumeric) && !prefix.is_empty());
    if let Some(prefix) = prefix {
        let mut words = Vec::new();
        analyser.words(&prefix, |word| words.push(word.terms));
        // Of several characters that are words of their own, a phrase finds every beginning.
        if let [terms] = &words[..] {
            // English text keeps stems only: `library*` has to find `librari` too, `databases*` `databas`.
            let (longer, shorter): (Vec<&String>, Vec<&String>) = terms
                .iter()
                .filter(|term| **term != prefix && !term.starts_with('='))
                .partition(|stem| stem.len() + 1 >= prefix.len());
            let stems = shorter.into_iter().take(1).cloned().collect();
            let mut prefixes: Vec<String> = longer.into_iter().cloned().collect();
            prefixes.push(prefix);
            return Some(Atom {
                text: piece.text.to_owned(),
                field,
                words: vec![prefixes],
                prefix: true,
                stems,
                years: None,
                within,
            });
        }
    }
    let mut words = Vec::new();
    analyser.words(piece.text, |word| words.push(word.terms));
    if words.is_empty() {
        return None;
    }
    Some(Atom {
        text: piece.text.to_owned(),
        field,
        words,
        prefix: false,
        stems: Vec::new(),
        years: None,
        within,
    })
}

/// `2001`, `2001..2010`, `..2010`, `2001..`
fn years(text: &str) -> Option<(i64, i64)> {
    let year = |text: &str| {
        text.parse::<i64>()
            .ok()
            .filter(|year| (-10_000..=10_000).contains(year))
    };
    match text.split_once("..") {
        None => year(text).map(|year| (year, year)),
        Some(("", last)) => year(last).map(|last| (-10_000, last)),
        Some((first, "")) => year(first).map(|first| (first, 10_000)),
        Some((first, last)) => Some((year(first)?, year(last)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(Occurs, Vec<String>)> {
        parse(text, MatchMode::Best, &[])
            .clauses
            .into_iter()
            .map(|clause| {
                let atoms = clause.any_of.iter().map(|atom| {
                    format!(
                        "{}{}{}",
                        atom.field
                            .map(|field| format!("{field}:"))
                            .unwrap_or_default(),
                        atom.text,
                        if atom.words.len() > 1 { "~" } else { "" }
                    )
                });
                (clause.occurs, atoms.collect())
            })
            .collect()
    }

    #[test]
    fn operators_are_understood() {
        use Occurs::{Must, MustNot, Should};
        let list = |atoms: &[&str]| {
            atoms
                .iter()
                .map(|atom| (*atom).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shape("rust OR go -\"garbage collection\" title:book year:2001..2010 sys*"),
            [
                (Should, list(&["rust", "go"])),
                (MustNot, list(&["garbage collection~"])),
                (Must, list(&["title:book"])),
                (Must, list(&["year:2001..2010"])),
                (Should, list(&["sys*"])),
            ]
        );
    }

    #[test]
    fn every_string_is_a_query() {
        for text in [
            "\"open", "OR", "OR OR a", "-", "- a", "title:", "((", "a:b:c", "\"\"", "*", "year:x",
            "'", "\\", "\u{0}",
        ] {
            let _ = parse(text, MatchMode::All, &[]);
        }
        assert!(parse("  ", MatchMode::Best, &[]).is_blank());
        assert!(!parse("!!", MatchMode::Best, &[]).is_blank());
    }
}
