//! What a query with mistyped words may have meant.

use super::analysis::Analyser;
use super::folding::fold;
use super::query::{MatchMode, Query};
use super::stop_words::word_weight;
use super::syntax::{languages_of, pieces};
use super::together::{Combination, MOST_MISTYPED, together};
use super::vocabulary::Candidate;
use crate::Pharos;
use crate::error::Error;

/// A query of more words, stop words not counted, is a question of which a part is found without the mistyped words.
const MOST_WORDS: usize = 8;

/// What a query with mistyped words may have meant.
pub(super) struct Correction {
    /// The query with its mistyped words replaced by some of the library, the likeliest first; at least one.
    pub texts: Vec<String>,
    /// Whether the matches of the correction answer the query better than its own: it has no known words but stop
    /// words, or a document has more words of the correction than any has of the query.
    pub is_better: bool,
}

/// The words of a query that may match, those of prefixes and whole values left out.
#[derive(Default)]
struct Words {
    /// The first that no document has.
    mistyped: Vec<Mistyped>,
    /// The terms of those that documents have, but not of stop words.
    known: Vec<Vec<String>>,
    /// How many there are, stop words not counted.
    count: usize,
    has_prefix: bool,
}

/// A word of a query that no document has.
struct Mistyped {
    start: usize,
    end: usize,
    folded: String,
}

impl Pharos {
    /// `None` when every word is known, or none has another one near enough. The memory index must be up to date.
    pub(super) async fn correction(
        &self,
        text: &str,
        query: &Query,
        languages: &[&'static str],
    ) -> Result<Option<Correction>, Error> {
        if !self.has_unknown_words(query) {
            return Ok(None);
        }
        let mut words = self.words_of(text, query.mode, languages);
        if words.mistyped.is_empty() {
            return Ok(None);
        }
        let (mistyped, candidates): (Vec<Mistyped>, Vec<Vec<Candidate>>) = self
            .words
            .vocabulary(|vocabulary| {
                std::mem::take(&mut words.mistyped)
                    .into_iter()
                    .map(|word| {
                        let candidates = vocabulary.candidates(&word.folded);
                        (word, candidates)
                    })
                    .filter(|(_, candidates)| !candidates.is_empty())
                    .unzip()
            })
            .await?;
        if mistyped.is_empty() {
            return Ok(None);
        }
        let analyser = Analyser::for_search(&languages_of(text, query.mode), languages);
        let found = self
            .memory
            .read(|postings| together(postings, &analyser, &words.known, &candidates));
        let nothing_known = words.known.is_empty() && !words.has_prefix;
        let best = found.combinations.first().map_or(0, |best| best.together);
        let texts = found
            .combinations
            .iter()
            .map(|combination| replaced(text, &mistyped, &candidates, combination))
            .collect();
        Ok(Some(Correction {
            texts,
            is_better: nothing_known || (words.count <= MOST_WORDS && best > found.known),
        }))
    }

    /// Whether it is worth to look at the text again: usually every word is known.
    fn has_unknown_words(&self, query: &Query) -> bool {
        query
            .atoms()
            .into_iter()
            .filter(|(atom, excluded)| !excluded && !atom.prefix)
            .flat_map(|(atom, _)| &atom.words)
            .any(|terms| !self.memory.knows(terms))
    }

    /// What is excluded is left out, too.
    fn words_of(&self, text: &str, mode: MatchMode, languages: &[&'static str]) -> Words {
        let analyser = Analyser::for_search(&languages_of(text, mode), languages);
        let mut words = Words::default();
        for piece in pieces(text, mode) {
            let is_value = matches!(piece.field, Some("language" | "type" | "year"));
            let is_prefix = !piece.quoted && piece.text.ends_with('*');
            words.has_prefix |= is_prefix && !piece.negated;
            if piece.negated || is_value || is_prefix {
                continue;
            }
            analyser.words(piece.text, |word| {
                let folded = fold(&piece.text[word.start..word.end]);
                if word_weight(&folded) < 1.0 {
                    return;
                }
                words.count += 1;
                if self.memory.knows(&word.terms) {
                    words.known.push(word.terms);
                } else if words.mistyped.len() < MOST_MISTYPED {
                    words.mistyped.push(Mistyped {
                        folded,
                        start: piece.start + word.start,
                        end: piece.start + word.end,
                    });
                }
            });
        }
        words
    }
}

/// The query with the chosen words.
fn replaced(
    text: &str,
    mistyped: &[Mistyped],
    candidates: &[Vec<Candidate>],
    combination: &Combination,
) -> String {
    let mut corrected = String::with_capacity(text.len());
    let mut at = 0;
    let chosen = candidates.iter().zip(&combination.chosen);
    for (word, (candidates, place)) in mistyped.iter().zip(chosen) {
        corrected.push_str(&text[at..word.start]);
        corrected.push_str(&candidates[*place].spelling);
        at = word.end;
    }
    corrected.push_str(&text[at..]);
    corrected
}
