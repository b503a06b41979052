//! What a query with mistyped words may have meant.

use super::analysis::Analyser;
use super::folding::fold;
use super::query::{MatchMode, Query};
use super::syntax::{languages_of, pieces};
use crate::Pharos;
use crate::error::Error;

/// Words of one query at most that are looked up; further ones stay as they were typed.
const MOST_CORRECTIONS: usize = 8;

/// What a query with mistyped words may have meant.
pub(super) struct Correction {
    /// The query with the words that no document has replaced by the library's nearest ones.
    pub text: String,
    /// Whether no word of the query as it was typed stands in any document.
    pub nothing_known: bool,
}

/// A word of a query that no document has.
struct Unknown {
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
        let (unknown, nothing_known) = self.unknown_words(text, query.mode, languages);
        if unknown.is_empty() {
            return Ok(None);
        }
        let corrections: Vec<(Unknown, String)> = self
            .words
            .vocabulary(|vocabulary| {
                unknown
                    .into_iter()
                    .filter_map(|word| {
                        let correction = vocabulary.correction(&word.folded)?;
                        Some((word, correction))
                    })
                    .collect()
            })
            .await?;
        if corrections.is_empty() {
            return Ok(None);
        }
        let mut corrected = String::with_capacity(text.len());
        let mut at = 0;
        for (word, correction) in corrections {
            corrected.push_str(&text[at..word.start]);
            corrected.push_str(&correction);
            at = word.end;
        }
        corrected.push_str(&text[at..]);
        Ok(Some(Correction {
            text: corrected,
            nothing_known,
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

    /// The first unknown words, and whether there are no others. Prefixes, whole values and what is excluded are left
    /// as they are.
    fn unknown_words(
        &self,
        text: &str,
        mode: MatchMode,
        languages: &[&'static str],
    ) -> (Vec<Unknown>, bool) {
        let analyser = Analyser::for_search(&languages_of(text, mode), languages);
        let mut unknown = Vec::new();
        let mut nothing_known = true;
        for piece in pieces(text, mode) {
            let is_value = matches!(piece.field, Some("language" | "type" | "year"));
            let is_prefix = !piece.quoted && piece.text.ends_with('*');
            nothing_known &= piece.negated || !is_prefix;
            if piece.negated || is_value || is_prefix {
                continue;
            }
            analyser.words(piece.text, |word| {
                if self.memory.knows(&word.terms) {
                    nothing_known = false;
                } else if unknown.len() < MOST_CORRECTIONS {
                    unknown.push(Unknown {
                        folded: fold(&piece.text[word.start..word.end]),
                        start: piece.start + word.start,
                        end: piece.start + word.end,
                    });
                }
            });
        }
        (unknown, nothing_known)
    }
}
