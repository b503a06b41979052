//! Pseudo-relevance feedback: what the best matches are about moves other matches that are about it upwards.
//!
//! The idea is Rocchio's (1971), with BM25 in the place of his vectors. A term of the first [`FEEDBACK_DOCUMENTS`]
//! matches has the weight Σ s(d) · bm25(term, d), s(d) being the score of d as a share of the best. The first
//! [`FEEDBACK_TERMS`] of them, their weights brought to the sum 1, are a second query. Its scores are added to those of
//! the first, which they never replace: what does not match the user's query is never found this way, and `total` does
//! not change. Only the best matches are moved, so that the time does not grow with the library, and since nothing is
//! subtracted they all stay before the others.

use super::formula::{Lengths, Norms, inverse_frequency, rounded, saturation};
use super::postings::Postings;
use super::rank::{Hit, before};

/// Matches that the terms are taken from.
const FEEDBACK_DOCUMENTS: usize = 5;
/// Terms that are added.
const FEEDBACK_TERMS: usize = 20;
/// A term in fewer documents says nothing about others.
const FEWEST_DOCUMENTS: u32 = 2;
/// A term in a larger share of the library says too little.
const LARGEST_SHARE: f64 = 0.2;
/// Matches that are moved at most.
const MOVED_DOCUMENTS: usize = 200;
/// Words of matches that are looked at, at most: fewer matches are moved when they are long.
const MOVED_WORDS: usize = 60_000;

/// Queries of so few telling words are mostly asked for one thing that is known, which feedback would only move down.
const FEW_WORDS: f64 = 4.0;

/// How much feedback counts for a query of so many telling words: nothing for a few, and more the better the query says
/// what is wanted; below 1.
fn feedback_weight(words: usize) -> f64 {
    let words = words as f64;
    (words - FEW_WORDS).max(0.0) / (words + FEW_WORDS)
}

/// A query as feedback sees it.
pub(super) struct Asked {
    /// Words that are no stop words, each once.
    pub(super) words: usize,
    /// The weights of all words together.
    pub(super) weight: f64,
}

struct Expansion {
    term: u32,
    /// Its idf times its share of the second query.
    weight: f64,
}

/// Adds feedback to the scores of the best of these hits, and brings those to the front in their new order. Returns how
/// many stand in order; the rest comes behind them in no order.
pub(super) fn refine(postings: &Postings, asked: &Asked, hits: &mut [Hit]) -> usize {
    let moved = hits.len().min(MOVED_DOCUMENTS);
    if moved < hits.len() {
        hits.select_nth_unstable_by(moved, before);
    }
    let hits = &mut hits[..moved];
    hits.sort_unstable_by(before);
    let weight = feedback_weight(asked.words) * asked.weight;
    let best = hits.first().map_or(0.0, |hit| hit.score);
    if weight == 0.0 || best == 0.0 {
        return moved;
    }
    let norms = postings.totals().norms();
    let expansions = expansions(
        postings,
        &norms,
        &hits[..moved.min(FEEDBACK_DOCUMENTS)],
        best,
    );
    // By term, as the words of a document are.
    let mut by_term: Vec<usize> = (0..expansions.len()).collect();
    by_term.sort_unstable_by_key(|index| expansions[*index].term);
    let wanted: Vec<u32> = by_term
        .iter()
        .map(|index| expansions[*index].term)
        .collect();
    let (mut scores, mut seen, mut in_order) = (vec![0.0; expansions.len()], 0, moved);
    for (index, hit) in hits.iter_mut().enumerate() {
        if seen > MOVED_WORDS {
            in_order = index;
            break;
        }
        let Some((entry, lengths)) = find(postings, hit) else {
            continue;
        };
        scores.fill(0.0);
        seen += postings.frequencies(entry, &wanted, |place, frequency| {
            let index = by_term[place];
            scores[index] = expansions[index].weight * saturation(frequency, lengths, &norms);
        });
        // In the order of the expansions, which is the same everywhere; that of the terms is not.
        hit.score = rounded(hit.score + weight * scores.iter().sum::<f64>());
    }
    hits[..in_order].sort_unstable_by(before);
    in_order
}

fn find(postings: &Postings, hit: &Hit) -> Option<(u32, Lengths)> {
    let entry = postings.entry_of(hit.id)?;
    Some((entry, postings.lengths(entry)?))
}

/// The telling terms of the best matches, the heaviest first.
fn expansions(postings: &Postings, norms: &Norms, best: &[Hit], highest: f64) -> Vec<Expansion> {
    let documents = f64::from(postings.totals().documents);
    let most = (LARGEST_SHARE * documents) as u32;
    let mut found: Vec<(u32, f64)> = Vec::new();
    for hit in best {
        let Some((entry, lengths)) = find(postings, hit) else {
            continue;
        };
        let share = hit.score / highest;
        for (term, frequency) in postings.words(entry) {
            let count = postings.documents(term);
            if (FEWEST_DOCUMENTS..=most).contains(&count) && postings.about(term).1 {
                found.push((term, share * saturation(frequency, lengths, norms)));
            }
        }
    }
    // Stable, so that the shares of a term are added in the order of the matches.
    found.sort_by_key(|(term, _)| *term);
    let mut weighted: Vec<(f64, u64, Expansion)> = found
        .chunk_by(|one, other| one.0 == other.0)
        .filter_map(|group| {
            let term = group.first()?.0;
            let idf = inverse_frequency(documents, f64::from(postings.documents(term)));
            let weight = idf * group.iter().map(|(_, share)| share).sum::<f64>();
            let weighted = Expansion { term, weight: idf };
            Some((rounded(weight), postings.about(term).0, weighted))
        })
        .collect();
    weighted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    weighted.truncate(FEEDBACK_TERMS);
    let sum: f64 = weighted.iter().map(|(weight, _, _)| weight).sum();
    weighted
        .into_iter()
        .map(|(weight, _, expansion)| Expansion {
            weight: expansion.weight * weight / sum,
            ..expansion
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words_get_no_feedback_and_many_words_more() {
        assert_eq!(feedback_weight(0), 0.0);
        assert_eq!(feedback_weight(4), 0.0);
        assert!(0.0 < feedback_weight(5));
        assert!(feedback_weight(5) < feedback_weight(10));
        assert!(feedback_weight(1_000) < 1.0);
    }
}
