//! Which candidates match, and how well.
//!
//! The score is BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over term frequencies weighted by field, with
//! Lucene's idf, ln(1 + (N − n + ½) / (n + ½)), which never is negative. N and the average length are those of the
//! library; n counts the documents that have the word (for a phrase, prefix, field or year: the candidates).

use uuid::Uuid;

use super::document::{FIELDS, Terms, term_hash};
use super::query::{Atom, Occurs, Query};

pub(super) const K1: f64 = 1.2;
pub(super) const B: f64 = 0.75;

/// A document that matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub id: Uuid,
    pub score: f64,
}

/// Collects matches with the frequencies of the scored atoms.
pub struct Collector {
    query: Query,
    /// The terms looked for.
    wanted: Vec<Wanted>,
    /// Atoms in the order of the query; each with the slots of its words.
    atoms: Vec<Vec<usize>>,
    /// Whether several terms stand for the word of a slot, so that their positions have to be merged.
    shared: Vec<bool>,
    ids: Vec<(Uuid, f64)>,
    /// For each match and each atom the weighted frequency.
    frequencies: Vec<f64>,
    /// For each slot, where its terms stand in the document at hand.
    found: Vec<Vec<u32>>,
    /// For each slot, the highest weighted frequency among its terms.
    highest: Vec<f64>,
}

/// What the library as a whole says to a score.
pub struct Statistics {
    pub documents: i64,
    pub tokens: i64,
    /// For each atom of the query in order, how many documents have it; `None` for phrases, prefixes, fields and years,
    /// whose matches are counted instead.
    pub counts: Vec<Option<f64>>,
}

/// A term or prefix, with the slot of the word it stands for.
struct Wanted {
    hash: u32,
    term: Vec<u8>,
    slot: usize,
    prefix: bool,
}

impl Collector {
    pub fn new(query: Query) -> Self {
        let mut wanted = Vec::new();
        let mut shared = Vec::new();
        let mut atoms = Vec::new();
        let mut slots = 0;
        for atom in query.clauses.iter().flat_map(|clause| &clause.any_of) {
            let mut own = Vec::new();
            for terms in &atom.words {
                wanted.extend(terms.iter().map(|term| Wanted {
                    hash: term_hash(term.as_bytes()),
                    term: term.clone().into_bytes(),
                    slot: slots,
                    prefix: atom.prefix,
                }));
                wanted.extend(atom.stem.iter().map(|stem| Wanted {
                    hash: term_hash(stem.as_bytes()),
                    term: stem.clone().into_bytes(),
                    slot: slots,
                    prefix: false,
                }));
                own.push(slots);
                shared.push(terms.len() > 1 || atom.prefix);
                slots += 1;
            }
            atoms.push(own);
        }
        Self {
            query,
            wanted,
            atoms,
            shared,
            ids: Vec::new(),
            frequencies: Vec::new(),
            found: vec![Vec::new(); slots],
            highest: vec![0.0; slots],
        }
    }

    /// Considers a candidate; tells whether it matches.
    pub fn consider(&mut self, id: Uuid, length: i64, packed: &[u8]) -> bool {
        let Some(terms) = Terms::new(packed) else {
            return false;
        };
        self.find_positions(&terms);
        let mut required_hold = true;
        let (mut any_should, mut has_should, mut has_must) = (false, false, false);
        let mut next = 0;
        let row = self.frequencies.len();
        for clause in &self.query.clauses {
            let mut holds = false;
            for atom in &clause.any_of {
                let frequency =
                    frequency(atom, &self.atoms[next], &self.found, &self.highest, &terms);
                holds |= frequency > 0.0;
                self.frequencies.push(if clause.occurs == Occurs::MustNot {
                    0.0
                } else {
                    frequency
                });
                next += 1;
            }
            match clause.occurs {
                Occurs::Must => {
                    has_must = true;
                    required_hold &= holds;
                }
                Occurs::MustNot => required_hold &= !holds,
                Occurs::Should => {
                    has_should = true;
                    any_should |= holds;
                }
            }
        }
        let matches = required_hold && (any_should || has_must || !has_should);
        if matches {
            self.ids.push((id, length as f64));
        } else {
            self.frequencies.truncate(row);
        }
        matches
    }

    /// Looks every wanted term up in a document.
    fn find_positions(&mut self, terms: &Terms<'_>) {
        self.found.iter_mut().for_each(Vec::clear);
        self.highest.fill(0.0);
        for wanted in &self.wanted {
            let found = &mut self.found[wanted.slot];
            if wanted.prefix {
                for (term, positions) in terms.all() {
                    if term.starts_with(&wanted.term) {
                        found.extend(positions);
                    }
                }
            } else if let Some(positions) = terms.find(wanted.hash, &wanted.term) {
                let before = found.len();
                found.extend(positions);
                if found.len() == before {
                    // A whole value has no position; it stands behind every word.
                    found.push(u32::MAX);
                }
                let frequency = found[before..]
                    .iter()
                    .map(|position| weight_at(terms, *position))
                    .sum();
                self.highest[wanted.slot] = self.highest[wanted.slot].max(frequency);
            }
        }
        for (found, shared) in self.found.iter_mut().zip(&self.shared) {
            if *shared {
                found.sort_unstable();
                found.dedup();
            }
        }
    }

    /// How many documents matched.
    pub fn total(&self) -> usize {
        self.ids.len()
    }

    /// Scores the matches and returns the best `limit` after a position, best first, ties by id; with whether there are
    /// more.
    pub fn best(
        &self,
        statistics: &Statistics,
        after: Option<(f64, Uuid)>,
        limit: usize,
    ) -> (Vec<Hit>, bool) {
        let width = self.atoms.len();
        let mut counts = vec![0_u32; width];
        for row in self.frequencies.chunks_exact(width.max(1)) {
            for (count, frequency) in counts.iter_mut().zip(row) {
                *count += u32::from(*frequency > 0.0);
            }
        }
        let (documents, average) = totals(statistics.documents, statistics.tokens);
        let idf: Vec<f64> = counts
            .iter()
            .zip(&statistics.counts)
            .map(|(count, known)| inverse_frequency(documents, known.unwrap_or(f64::from(*count))))
            .collect();
        let mut hits: Vec<Hit> = Vec::with_capacity(self.ids.len());
        for (index, (id, length)) in self.ids.iter().enumerate() {
            let norm = length_norm(*length, average);
            let row = &self.frequencies[index * width..(index + 1) * width];
            let score: f64 = row
                .iter()
                .zip(&idf)
                .map(|(frequency, idf)| idf * frequency * (K1 + 1.0) / (frequency + norm))
                .sum();
            hits.push(Hit {
                id: *id,
                score: rounded(score),
            });
        }
        best_after(hits, after, limit)
    }

    /// The positions of what was looked for in one document, ascending, for highlighting.
    pub fn matched_positions(&mut self, packed: &[u8]) -> Option<(Vec<u32>, [u32; 5])> {
        let terms = Terms::new(packed)?;
        self.find_positions(&terms);
        let mut positions = Vec::new();
        let mut next = 0;
        for clause in &self.query.clauses {
            for atom in &clause.any_of {
                let slots = &self.atoms[next];
                next += 1;
                if clause.occurs == Occurs::MustNot {
                    continue;
                }
                for (start, within) in occurrences(atom, slots, &self.found, &terms) {
                    if within {
                        positions.extend(start..start + u32::try_from(slots.len()).unwrap_or(1));
                    }
                }
            }
        }
        positions.sort_unstable();
        positions.dedup();
        Some((positions, terms.field_ends))
    }
}

/// How many documents there are and how long they are on average, neither of them 0.
pub(super) fn totals(documents: i64, tokens: i64) -> (f64, f64) {
    let (documents, tokens) = (documents.max(1) as f64, tokens.max(1) as f64);
    (documents, tokens / documents)
}

/// Lucene's idf; a word is never in more documents than there are.
pub(super) fn inverse_frequency(documents: f64, count: f64) -> f64 {
    (1.0 + (documents.max(count) - count + 0.5) / (count + 0.5)).ln()
}

/// What a document's length does to the saturation of a frequency.
pub(super) fn length_norm(length: f64, average: f64) -> f64 {
    K1 * (1.0 - B + B * length / average)
}

/// Six digits, so that the last bits of a sum decide nothing.
pub(super) fn rounded(score: f64) -> f64 {
    // Adding 0 makes −0 of an empty sum 0.
    (score * 1e6).round() / 1e6 + 0.0
}

/// The best hits after a position, best first, ties by id; with whether there are more.
pub(super) fn best_after(
    mut hits: Vec<Hit>,
    after: Option<(f64, Uuid)>,
    limit: usize,
) -> (Vec<Hit>, bool) {
    if let Some((score, id)) = after {
        hits.retain(|hit| hit.score < score || (hit.score == score && hit.id > id));
    }
    let order = |a: &Hit, b: &Hit| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id));
    let more = hits.len() > limit;
    if more {
        hits.select_nth_unstable_by(limit, order);
        hits.truncate(limit);
    }
    hits.sort_unstable_by(order);
    (hits, more)
}

/// The weight of a word at a position; that of a whole value matches without adding to the score.
fn weight_at(terms: &Terms<'_>, position: u32) -> f64 {
    if position == u32::MAX {
        f64::MIN_POSITIVE
    } else {
        FIELDS[terms.field_at(position)].weight()
    }
}

/// The frequency of an atom weighted by field, more than 0 when it matches. Of several terms for one word the most
/// frequent counts.
fn frequency(
    atom: &Atom,
    slots: &[usize],
    found: &[Vec<u32>],
    highest: &[f64],
    terms: &Terms<'_>,
) -> f64 {
    if let Some((first, last)) = atom.years {
        return if terms
            .year
            .is_some_and(|year| (first..=last).contains(&year))
        {
            f64::MIN_POSITIVE
        } else {
            0.0
        };
    }
    if let ([slot], false, None) = (slots, atom.prefix, atom.within) {
        return highest[*slot];
    }
    occurrences(atom, slots, found, terms)
        .filter(|(_, within)| *within)
        .map(|(position, _)| weight_at(terms, position))
        .sum()
}

/// The starts of a word or phrase, each with whether it is in the field asked for.
fn occurrences<'a>(
    atom: &'a Atom,
    slots: &'a [usize],
    found: &'a [Vec<u32>],
    terms: &'a Terms<'_>,
) -> impl Iterator<Item = (u32, bool)> + 'a {
    let first = slots
        .first()
        .map_or(&[][..], |slot| found[*slot].as_slice());
    first
        .iter()
        .copied()
        .filter(|position| *position != u32::MAX)
        .filter(move |position| {
            slots
                .iter()
                .skip(1)
                .zip(1_u32..)
                .all(|(slot, offset)| found[*slot].contains(&(position + offset)))
        })
        .map(move |position| {
            (
                position,
                atom.within
                    .is_none_or(|field| terms.field_at(position) == field),
            )
        })
}
