//! Which candidates match, and how well.
//!
//! The score is BM25F (Robertson and Zaragoza 2009, section 3.6): the frequencies of a word in the *head* (title,
//! subject, creator) and in the *body* (everything else) are weighted by field, each divided by its own length
//! normalisation, added, and then saturated together. The idf is Lucene's, ln(1 + (N − n + ½) / (n + ½)), which never is
//! negative. N and the mean lengths are those of the library; n counts the documents that have the word (for a phrase,
//! prefix, field or year: the candidates).

use uuid::Uuid;

use super::document::{FIELDS, Terms, Zone, term_hash};
use super::query::{Atom, Occurs, Query};
use super::stop_words::word_weight;

/// How soon further occurrences of a word stop to count.
const K1: f64 = 1.2;
/// How much a length counts.
const B: f64 = 0.75;

/// How often a word stands in a document: in the head weighted by field, in half points; in the body plainly. More than
/// 255 count as 255, which the saturation makes equal anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frequency {
    pub head: u8,
    pub body: u8,
}

impl Frequency {
    /// Of occurrences at these positions. A whole value has none: it is found, but adds nothing to a score.
    pub fn at(terms: &Terms<'_>, positions: impl Iterator<Item = u32>) -> Self {
        let (mut head, mut body) = (0_u32, 0_u32);
        for position in positions {
            let field = FIELDS[terms.field_at(position)];
            match field.zone() {
                Zone::Head => head += field.half_points(),
                Zone::Body => body += 1,
            }
        }
        Self {
            head: u8::try_from(head).unwrap_or(u8::MAX),
            body: u8::try_from(body).unwrap_or(u8::MAX),
        }
    }

    /// Which of two terms for one word counts.
    pub fn is_more_than(self, other: Self) -> bool {
        let weigh = |it: Self| u32::from(it.head) + 2 * u32::from(it.body);
        weigh(self) > weigh(other)
    }
}

/// Words in the two parts of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lengths {
    pub head: u32,
    pub body: u32,
}

/// The mean lengths of those documents of the library that have a head, or a body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norms {
    head: f64,
    body: f64,
}

impl Norms {
    pub fn new(head: f64, body: f64) -> Self {
        Self {
            head: head.max(1.0),
            body: body.max(1.0),
        }
    }
}

/// The part of BM25F that depends on the document: from 0 to k1 + 1.
#[inline]
pub fn saturation(frequency: Frequency, lengths: Lengths, norms: &Norms) -> f64 {
    let norm = |length: u32, mean: f64| 1.0 - B + B * f64::from(length) / mean;
    let head = f64::from(frequency.head) / 2.0 / norm(lengths.head, norms.head);
    let body = f64::from(frequency.body) / norm(lengths.body, norms.body);
    (head + body) * (K1 + 1.0) / (head + body + K1)
}

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
    ids: Vec<(Uuid, Lengths)>,
    /// For each match and each atom the frequency; `None` when it is not there.
    frequencies: Vec<Option<Frequency>>,
    /// For each slot, where its terms stand in the document at hand.
    found: Vec<Vec<u32>>,
    /// For each slot, the highest frequency among its terms.
    highest: Vec<Option<Frequency>>,
}

/// What the library as a whole says to a score.
pub struct Statistics {
    pub documents: f64,
    pub norms: Norms,
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
            highest: vec![None; slots],
        }
    }

    /// Considers a candidate; tells whether it matches.
    pub fn consider(&mut self, id: Uuid, packed: &[u8]) -> bool {
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
                holds |= frequency.is_some();
                self.frequencies.push(match clause.occurs {
                    Occurs::MustNot => None,
                    Occurs::Must | Occurs::Should => frequency,
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
            self.ids.push((id, terms.lengths()));
        } else {
            self.frequencies.truncate(row);
        }
        matches
    }

    /// Looks every wanted term up in a document.
    fn find_positions(&mut self, terms: &Terms<'_>) {
        self.found.iter_mut().for_each(Vec::clear);
        self.highest.fill(None);
        for wanted in &self.wanted {
            let found = &mut self.found[wanted.slot];
            if wanted.prefix {
                for (term, positions) in terms.all() {
                    if term.starts_with(&wanted.term) {
                        found.extend(positions);
                    }
                }
            } else if let Some(positions) = terms.find(wanted.hash, &wanted.term) {
                let frequency = Frequency::at(terms, positions.clone());
                found.extend(positions);
                let highest = &mut self.highest[wanted.slot];
                if highest.is_none_or(|highest| frequency.is_more_than(highest)) {
                    *highest = Some(frequency);
                }
            }
        }
        for (found, shared) in self.found.iter_mut().zip(&self.shared) {
            if *shared {
                found.sort_unstable();
                found.dedup();
            }
        }
    }

    /// Scores the matches, in no order.
    pub fn hits(&self, statistics: &Statistics) -> Vec<Hit> {
        let width = self.atoms.len();
        let mut counts = vec![0_u32; width];
        for row in self.frequencies.chunks_exact(width.max(1)) {
            for (count, frequency) in counts.iter_mut().zip(row) {
                *count += u32::from(frequency.is_some());
            }
        }
        let atoms = self.query.clauses.iter().flat_map(|clause| &clause.any_of);
        let weights: Vec<f64> = counts
            .iter()
            .zip(&statistics.counts)
            .zip(atoms)
            .map(|((count, known), atom)| {
                let count = known.unwrap_or(f64::from(*count));
                weight(atom) * inverse_frequency(statistics.documents, count)
            })
            .collect();
        let mut hits: Vec<Hit> = Vec::with_capacity(self.ids.len());
        for (index, (id, lengths)) in self.ids.iter().enumerate() {
            let row = &self.frequencies[index * width..(index + 1) * width];
            let mut score = 0.0;
            for (frequency, weight) in row.iter().zip(&weights) {
                if let Some(frequency) = frequency {
                    score += weight * saturation(*frequency, *lengths, &statistics.norms);
                }
            }
            hits.push(Hit {
                id: *id,
                score: rounded(score),
            });
        }
        hits
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

/// Lucene's idf; a word is never in more documents than there are.
pub fn inverse_frequency(documents: f64, count: f64) -> f64 {
    (1.0 + (documents.max(count) - count + 0.5) / (count + 0.5)).ln()
}

/// How much an atom counts: a stop word on its own hardly does.
pub fn weight(atom: &Atom) -> f64 {
    match atom.single_word().and_then(<[String]>::last) {
        Some(folded) => word_weight(folded),
        None => 1.0,
    }
}

/// Six digits, so that the last bits of a sum decide nothing.
pub fn rounded(score: f64) -> f64 {
    // Adding 0 makes −0 of an empty sum 0.
    (score * 1e6).round() / 1e6 + 0.0
}

/// The order of hits: best first, ties by id.
pub fn before(one: &Hit, other: &Hit) -> std::cmp::Ordering {
    other
        .score
        .total_cmp(&one.score)
        .then_with(|| one.id.cmp(&other.id))
}

/// The best hits after a position, best first, ties by id; with whether there are more. The first `in_order` stand in
/// order already, before all others.
pub fn best_after(
    mut hits: Vec<Hit>,
    in_order: usize,
    after: Option<(f64, Uuid)>,
    limit: usize,
) -> (Vec<Hit>, bool) {
    let mut begin = 0;
    if let Some((score, id)) = after {
        let position = Hit { id, score };
        begin = hits[..in_order].partition_point(|hit| before(hit, &position).is_le());
        if begin == in_order {
            let mut index = 0;
            hits.retain(|hit| {
                index += 1;
                index <= in_order || before(hit, &position).is_gt()
            });
        }
    }
    let end = begin.saturating_add(limit);
    let more = hits.len() > end;
    if end > in_order {
        let rest = &mut hits[in_order..];
        if more {
            rest.select_nth_unstable_by(end - in_order, before);
            hits.truncate(end);
        }
        hits[in_order..].sort_unstable_by(before);
    }
    hits.truncate(end);
    hits.drain(..begin);
    (hits, more)
}

/// The frequency of an atom, `None` when it does not match. Of several terms for one word the most frequent counts.
fn frequency(
    atom: &Atom,
    slots: &[usize],
    found: &[Vec<u32>],
    highest: &[Option<Frequency>],
    terms: &Terms<'_>,
) -> Option<Frequency> {
    if let Some((first, last)) = atom.years {
        return terms
            .year
            .filter(|year| (first..=last).contains(year))
            .map(|_| Frequency::default());
    }
    if let ([slot], false, None) = (slots, atom.prefix, atom.within) {
        return highest[*slot];
    }
    let mut starts = occurrences(atom, slots, found, terms)
        .filter(|(_, within)| *within)
        .map(|(position, _)| position)
        .peekable();
    starts.peek()?;
    Some(Frequency::at(terms, starts))
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
