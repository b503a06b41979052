//! Prefixes that are longer than the stem of a word: `organizati*` finds `organization`, of which English text keeps
//! `organ` alone. The library's words say which stems those are; the index holds nothing more for it.

use std::collections::BTreeSet;

use super::analysis::Analyser;
use super::query::{Atom, Query};
use super::vocabulary::Vocabulary;
use crate::Pharos;
use crate::error::Error;

/// Letters of a prefix at least; no stem is shorter.
const FEWEST_LETTERS: usize = 3;
/// Stems for one prefix at most, the first ones by code points.
const MOST_STEMS: usize = 64;

impl Pharos {
    /// Adds to every prefix of a query the stems, as whole words, of the library's words that begin so.
    pub(super) async fn complete_prefixes(&self, query: &mut Query) -> Result<(), Error> {
        let is_long = |atom: &Atom| {
            let folded = atom.words.last().and_then(|terms| terms.last());
            atom.prefix && folded.is_some_and(|word| word.chars().nth(FEWEST_LETTERS - 1).is_some())
        };
        let mut prefixes = Vec::new();
        query.each_atom(|atom| {
            if is_long(atom) {
                prefixes.push(atom);
            }
        });
        if prefixes.is_empty() {
            return Ok(());
        }
        self.words
            .vocabulary(|vocabulary| {
                for atom in prefixes {
                    complete(atom, vocabulary);
                }
            })
            .await
    }
}

fn complete(atom: &mut Atom, vocabulary: &Vocabulary) {
    let Some(prefixes) = atom.words.last() else {
        return;
    };
    // The prefix as it was typed is the last of them.
    let Some(typed) = prefixes.last() else {
        return;
    };
    let analyser = Analyser::for_document(None);
    let mut stems: BTreeSet<String> = atom.stems.drain(..).collect();
    vocabulary.beginning(typed, |word| {
        analyser.words(word, |word| {
            let found = |term: &String| prefixes.iter().any(|prefix| term.starts_with(prefix));
            let reduced = !word.terms.iter().any(found);
            stems.extend(word.terms.into_iter().filter(|_| reduced));
        });
    });
    atom.stems.extend(stems.into_iter().take(MOST_STEMS));
}
