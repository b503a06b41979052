//! What a query asks for. How it is written is in `syntax.rs`.

use serde::Serialize;

use super::analysis::{Analyser, begun, is_unspaced};
use super::document::{FIELDS, Facet, Field, value_token};
use super::folding::fold;
use super::syntax::{Piece, read};

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
    pub any_of: Vec<Part>,
}

/// An alternative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Part {
    Atom(Atom),
    /// A query in brackets, which holds as a whole query does.
    Group {
        clauses: Vec<Clause>,
    },
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
    /// Whether the last word is the beginning of one.
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

    /// Whether the query asks for single words and whole values only, in any field, and has no groups.
    pub fn is_plain(&self) -> bool {
        let plain = |part: &Part| match part {
            Part::Atom(atom) => atom.single_word().is_some(),
            Part::Group { .. } => false,
        };
        let is_positive = |clause: &Clause| clause.occurs != Occurs::MustNot;
        let mut parts = self.clauses.iter().flat_map(|clause| &clause.any_of);
        self.clauses.iter().any(is_positive) && parts.all(plain)
    }

    /// Every atom in the order of the text, with whether it is excluded.
    pub fn atoms(&self) -> Vec<(&Atom, bool)> {
        let mut atoms = Vec::new();
        collect(&self.clauses, false, &mut atoms);
        atoms
    }

    /// Every atom in the order of the text.
    pub fn each_atom<'q>(&'q mut self, mut each: impl FnMut(&'q mut Atom)) {
        each_of(&mut self.clauses, &mut each);
    }
}

fn collect<'q>(clauses: &'q [Clause], excluded: bool, atoms: &mut Vec<(&'q Atom, bool)>) {
    for clause in clauses {
        let excluded = excluded || clause.occurs == Occurs::MustNot;
        for part in &clause.any_of {
            match part {
                Part::Atom(atom) => atoms.push((atom, excluded)),
                Part::Group { clauses } => collect(clauses, excluded, atoms),
            }
        }
    }
}

fn each_of<'q>(clauses: &'q mut [Clause], each: &mut impl FnMut(&'q mut Atom)) {
    for part in clauses.iter_mut().flat_map(|clause| &mut clause.any_of) {
        match part {
            Part::Atom(atom) => each(atom),
            Part::Group { clauses } => each_of(clauses, each),
        }
    }
}

/// Understands a query to a library with documents in these languages.
pub fn parse(text: &str, mode: MatchMode, library: &[&'static str]) -> Query {
    let mut clauses = read(text, mode, library);
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
            any_of: vec![Part::Atom(nothing)],
        });
    }
    Query { mode, clauses }
}

/// Whether it is words that a dash or the like joins (`high-speed`): each may match on its own. Parts of identifiers
/// (`978-0439023483`) and characters that are words of their own belong together.
pub(super) fn is_compound(atom: &Atom) -> bool {
    let is_word = |word: &String| word.chars().count() > 1 && word.chars().all(char::is_alphabetic);
    atom.words.len() > 1
        && !atom.prefix
        && atom
            .words
            .iter()
            .all(|terms| terms.last().is_some_and(is_word))
}

/// Each word of a compound on its own.
pub(super) fn parts(atom: &Atom) -> impl Iterator<Item = Atom> + '_ {
    atom.words.iter().map(|terms| Atom {
        text: terms.last().cloned().unwrap_or_default(),
        words: vec![terms.clone()],
        ..atom.clone()
    })
}

/// What a piece of a query asks for; `None` when no word is in it.
pub(super) fn atom(piece: &Piece<'_>, analyser: &Analyser) -> Option<Atom> {
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
        Some("year") => Some(Atom {
            years: Some(years(piece.text)?),
            ..atom(Some("year"), Vec::new())
        }),
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
    let mut words = Vec::new();
    let mut last = 0..0;
    let text = piece.text;
    let beginning = text.strip_suffix('*').filter(|_| !piece.quoted);
    analyser.words(beginning.unwrap_or(text), |word| {
        last = word.start..word.end;
        words.push(word.terms);
    });
    let prefix = beginning
        .filter(|beginning| last.end == beginning.len())
        .map(|beginning| &beginning[last.clone()])
        // Characters that are words of their own are found wherever a word begins so.
        .filter(|word| !word.chars().all(is_unspaced));
    if let (Some(prefix), Some(terms)) = (prefix, words.pop_if(|_| prefix.is_some())) {
        // `C+` is a word whose sign is not folded away.
        let folded = fold(prefix);
        let prefix = match &terms[..] {
            [only] if only.starts_with(&folded) => only.clone(),
            _ => folded,
        };
        // English text keeps stems only: `library*` has to find `librari` too, `databases*` `databas`.
        let (longer, shorter): (Vec<&String>, Vec<&String>) = terms
            .iter()
            .filter(|term| **term != prefix && !term.starts_with('='))
            .partition(|stem| stem.len() + 1 >= prefix.len());
        let stems = shorter.into_iter().take(1).cloned().collect();
        let mut prefixes: Vec<String> = longer.into_iter().cloned().collect();
        prefixes.push(prefix);
        words.push(prefixes);
        return Some(Atom {
            text: text.to_owned(),
            field,
            words,
            prefix: true,
            stems,
            years: None,
            within,
        });
    }
    let begun = words.last().and_then(|terms| begun(terms.last()?));
    match (words.last_mut(), begun) {
        (None, _) => return None,
        (Some(last), Some(begun)) => last.insert(0, begun),
        (Some(_), None) => {}
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
pub(super) fn years(text: &str) -> Option<(i64, i64)> {
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
