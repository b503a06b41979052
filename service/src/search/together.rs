//! Which of the words that were perhaps meant stand together in a document.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::analysis::Analyser;
use super::mistakes::Mistakes;
use super::postings::Postings;
use super::stop_words::word_weight;
use super::vocabulary::{Candidate, MOST_CANDIDATES};
use super::workspace::Matching;

/// Mistyped words at most that are looked at together: as many as a `u64` has bytes, each with a bit for each candidate.
pub(super) const MOST_MISTYPED: usize = 8;
const _: () = assert!(MOST_MISTYPED * MOST_CANDIDATES == 64);
/// Known words at most that are looked at; further ones do not help to choose.
const MOST_KNOWN: usize = 16;
/// Combinations at most that are told.
const MOST_COMBINATIONS: usize = 5;

/// What the documents say about the words of a query.
pub(super) struct Together {
    /// The best first, at least one.
    pub combinations: Vec<Combination>,
    /// How many of the known words one document has at most.
    pub known: u32,
}

/// A choice of a candidate for each mistyped word.
pub(super) struct Combination {
    /// For each mistyped word the place of its candidate.
    pub chosen: Vec<usize>,
    /// How many of the known words and of the chosen ones one document has at most, stop words not counted.
    pub together: u32,
}

/// What one document has.
#[derive(Clone, Copy, Default)]
struct Has {
    /// A bit for each known word.
    known: u16,
    /// A byte for each mistyped word, with a bit for each candidate.
    meant: u64,
}

/// Chooses candidates. Best is what lacks the fewest words of the query in one document; then the likeliest mistakes;
/// then what is no stop word; then what most such documents have; then the candidates that come first. One pass over the
/// lists of the words, so that the work is bounded however many choices there are.
pub(super) fn together(
    postings: &Postings,
    analyser: &Analyser,
    known: &[Vec<String>],
    candidates: &[Vec<Candidate>],
) -> Together {
    // A query of one word is not about a stop word.
    let is_alone = known.is_empty() && candidates.len() == 1;
    let without: Vec<Without> = candidates
        .iter()
        .map(|all| Without::of(all, is_alone))
        .collect();
    let free = without.iter().any(|without| without.is_free);
    let mut most_known = 0;
    let mut found: HashMap<u64, (u32, u32)> = HashMap::new();
    found.insert(0, (0, 0));
    for has in documents(postings, analyser, known, candidates) {
        most_known = most_known.max(has.known.count_ones());
        if has.meant == 0 && !free {
            continue;
        }
        // Of the candidates for one word that a document has, the first.
        let first = has.meant.to_le_bytes().map(|all| all & all.wrapping_neg());
        let together = has.known.count_ones() + words(first);
        let (most, count) = found.entry(u64::from_le_bytes(first)).or_default();
        if together > *most {
            (*most, *count) = (together, 0);
        }
        *count += u32::from(together == *most);
    }
    let mut ranked: Vec<_> = found
        .into_iter()
        .map(|(meant, (together, count))| {
            let (mut chosen, mut needed) = (Vec::new(), known.len().min(MOST_KNOWN));
            for (bits, without) in meant.to_le_bytes().into_iter().zip(&without) {
                needed += usize::from(bits != 0 || !without.is_free);
                chosen.push(match bits {
                    0 => without.place,
                    bits => bits.trailing_zeros() as usize,
                });
            }
            let lacking = needed.saturating_sub(together as usize);
            let mistakes = candidates.iter().zip(&chosen);
            let mistakes = Mistakes::sum(mistakes.map(|(all, place)| all[*place].mistakes));
            (lacking, mistakes, Reverse(together), Reverse(count), chosen)
        })
        .collect();
    ranked.sort_unstable();
    let mut combinations: Vec<Combination> = Vec::with_capacity(ranked.len());
    for (_, _, Reverse(together), _, chosen) in ranked {
        if combinations.iter().all(|better| better.chosen != chosen) {
            combinations.push(Combination { chosen, together });
        }
        if combinations.len() == MOST_COMBINATIONS {
            break;
        }
    }
    Together {
        combinations,
        known: most_known,
    }
}

/// What is taken for a mistyped word where a document has none of its candidates.
struct Without {
    place: usize,
    /// Whether it is a stop word, which need not be there.
    is_free: bool,
}

impl Without {
    fn of(candidates: &[Candidate], is_alone: bool) -> Self {
        let stop_word = candidates
            .iter()
            .position(is_stop_word)
            .filter(|_| !is_alone);
        Self {
            place: stop_word.unwrap_or(0),
            is_free: stop_word.is_some(),
        }
    }
}

fn is_stop_word(candidate: &Candidate) -> bool {
    word_weight(&candidate.folded) < 1.0
}

/// Mistyped words of which there is a candidate.
fn words(meant: [u8; MOST_MISTYPED]) -> u32 {
    meant.into_iter().map(|bits| u32::from(bits != 0)).sum()
}

/// What each document has that has any of the words.
fn documents(
    postings: &Postings,
    analyser: &Analyser,
    known: &[Vec<String>],
    candidates: &[Vec<Candidate>],
) -> impl Iterator<Item = Has> {
    let mut documents = vec![Has::default(); postings.len()];
    for (word, terms) in known.iter().take(MOST_KNOWN).enumerate() {
        for (entry, _) in Matching::of(postings, terms) {
            documents[entry as usize].known |= 1 << word;
        }
    }
    for (word, candidates) in candidates.iter().enumerate() {
        for (place, candidate) in candidates.iter().enumerate() {
            if is_stop_word(candidate) {
                continue;
            }
            let bit = 1 << (word * MOST_CANDIDATES + place);
            analyser.words(&candidate.spelling, |word| {
                for (entry, _) in Matching::of(postings, &word.terms) {
                    documents[entry as usize].meant |= bit;
                }
            });
        }
    }
    let live = move |(entry, has): (u32, Has)| {
        let has_any = has.known != 0 || has.meant != 0;
        (has_any && postings.lengths(entry).is_some()).then_some(has)
    };
    (0..).zip(documents).filter_map(live)
}
