//! Which candidates match, how well by [`super::formula`], and in which order.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::formula::{Frequency, Lengths, Norms, inverse_frequency, rounded, saturation, weight};
use super::packed::Terms;
use super::query::{Atom, Clause, Occurs, Part, Query};

/// A document that matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub id: Uuid,
    pub score: f64,
}

/// Collects matches with the frequencies of the scored atoms.
pub struct Collector {
    query: Query,
    /// The terms looked for, in byte order.
    wanted: Vec<Wanted>,
    /// The prefixes looked for.
    prefixes: Vec<Wanted>,
    /// In the order of the query.
    atoms: Vec<Wish>,
    /// Whether several terms stand for the word of a slot, so that their positions have to be merged.
    shared: Vec<bool>,
    ids: Vec<(Uuid, Lengths)>,
    /// For each match and each atom the frequency; `None` when it is not there.
    frequencies: Vec<Option<Frequency>>,
    /// For each slot, where its terms stand in the document at hand, ascending.
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

/// An atom of the query.
struct Wish {
    atom: Atom,
    /// Those of its words.
    slots: Vec<usize>,
    /// The first atom that asks for the same.
    first: usize,
}

/// A term or prefix, with the slot of the word it stands for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    term: Vec<u8>,
    slot: usize,
}

impl Collector {
    pub fn new(query: Query) -> Self {
        let (mut wanted, mut prefixes) = (Vec::new(), Vec::new());
        let mut shared = Vec::new();
        let mut atoms: Vec<Wish> = Vec::new();
        let mut slots = 0;
        // Whoever repeats a word has it looked for once.
        let mut known = HashMap::new();
        for (atom, _) in query.atoms() {
            let asked = (
                &atom.words,
                &atom.stems,
                atom.prefix,
                atom.within,
                atom.years,
            );
            let first = *known.entry(asked).or_insert(atoms.len());
            let mut own = match atoms.get(first) {
                Some(same) => same.slots.clone(),
                None => Vec::new(),
            };
            let new = if first < atoms.len() {
                &[][..]
            } else {
                &atom.words
            };
            for (index, terms) in new.iter().enumerate() {
                let begins = atom.prefix && index + 1 == atom.words.len();
                let list = if begins { &mut prefixes } else { &mut wanted };
                let of_slot = |term: &String| Wanted {
                    term: term.clone().into_bytes(),
                    slot: slots,
                };
                list.extend(terms.iter().map(of_slot));
                if begins {
                    wanted.extend(atom.stems.iter().map(of_slot));
                }
                own.push(slots);
                shared.push(terms.len() > 1 || begins);
                slots += 1;
            }
            atoms.push(Wish {
                atom: atom.clone(),
                slots: own,
                first,
            });
        }
        drop(known);
        wanted.sort_unstable();
        Self {
            query,
            wanted,
            prefixes,
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
        let row = self.frequencies.len();
        for (index, wish) in self.atoms.iter().enumerate() {
            self.frequencies.push(if wish.first < index {
                self.frequencies[row + wish.first]
            } else {
                frequency(wish, &self.found, &self.highest, &terms)
            });
        }
        let matches = holds(&self.query.clauses, &mut self.frequencies[row..], &mut 0);
        if matches {
            self.ids.push((id, terms.lengths()));
        } else {
            self.frequencies.truncate(row);
        }
        matches
    }

    /// Looks every wanted term up in a document: both are in byte order.
    fn find_positions(&mut self, terms: &Terms<'_>) {
        self.found.iter_mut().for_each(Vec::clear);
        self.highest.fill(None);
        let mut next = 0;
        let (wanted, prefixes) = (&self.wanted, &self.prefixes);
        let (found, highest) = (&mut self.found, &mut self.highest);
        terms.each(|term, positions| {
            for prefix in prefixes
                .iter()
                .filter(|prefix| term.starts_with(&prefix.term))
            {
                found[prefix.slot].extend(positions.clone());
            }
            while wanted.get(next).is_some_and(|wanted| *wanted.term < *term) {
                next += 1;
            }
            while let Some(wanted) = wanted.get(next).filter(|wanted| *wanted.term == *term) {
                next += 1;
                let frequency = terms.frequency(positions.clone());
                found[wanted.slot].extend(positions.clone());
                let highest = &mut highest[wanted.slot];
                if highest.is_none_or(|highest| frequency.is_more_than(highest)) {
                    *highest = Some(frequency);
                }
            }
            next < wanted.len() || !prefixes.is_empty()
        });
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
        let weights: Vec<f64> = counts
            .iter()
            .zip(&statistics.counts)
            .zip(&self.atoms)
            .map(|((count, known), wish)| {
                let count = known.unwrap_or(f64::from(*count));
                weight(&wish.atom) * inverse_frequency(statistics.documents, count)
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

    /// The positions of what was looked for in one document, ascending, for highlighting; `None` when it does not match.
    pub fn matched_positions(&mut self, packed: &[u8]) -> Option<(Vec<u32>, [u32; 5])> {
        let row = self.frequencies.len();
        if !self.consider(Uuid::nil(), packed) {
            return None;
        }
        self.ids.pop();
        let matched: Vec<bool> = self
            .frequencies
            .drain(row..)
            .map(|it| it.is_some())
            .collect();
        let terms = Terms::new(packed)?;
        let mut positions = Vec::new();
        for (wish, _) in self
            .atoms
            .iter()
            .zip(matched)
            .filter(|(_, matched)| *matched)
        {
            let words = u32::try_from(wish.slots.len()).unwrap_or(1);
            for (start, within) in occurrences(wish, &self.found, &terms) {
                if within {
                    positions.extend(start..start + words);
                }
            }
        }
        positions.sort_unstable();
        positions.dedup();
        Some((positions, terms.field_ends))
    }
}

/// Whether clauses hold together in a document with these frequencies of their atoms, of which `next` is the first. What
/// is excluded, and what stands in a group that does not hold, is not to be scored: its frequencies are taken away.
fn holds(clauses: &[Clause], frequencies: &mut [Option<Frequency>], next: &mut usize) -> bool {
    let first = *next;
    let mut required_hold = true;
    let (mut any_should, mut has_should, mut has_must) = (false, false, false);
    for clause in clauses {
        let begin = *next;
        let mut found = false;
        for part in &clause.any_of {
            found |= match part {
                Part::Atom(_) => {
                    *next += 1;
                    frequencies[*next - 1].is_some()
                }
                Part::Group { clauses } => holds(clauses, frequencies, next),
            };
        }
        match clause.occurs {
            Occurs::Must => {
                has_must = true;
                required_hold &= found;
            }
            Occurs::MustNot => {
                required_hold &= !found;
                frequencies[begin..*next].fill(None);
            }
            Occurs::Should => {
                has_should = true;
                any_should |= found;
            }
        }
    }
    let holds = required_hold && (any_should || has_must || !has_should);
    if !holds {
        frequencies[first..*next].fill(None);
    }
    holds
}

/// The order of hits: best first, ties by id.
pub fn before(one: &Hit, other: &Hit) -> std::cmp::Ordering {
    other
        .score
        .total_cmp(&one.score)
        .then_with(|| one.id.cmp(&other.id))
}

/// Leaves hits out; tells how many are left of the first ones, which stand in order.
pub fn without(hits: &mut Vec<Hit>, in_order: usize, left_out: &HashSet<Uuid>) -> usize {
    let mut index = 0;
    let mut left = 0;
    hits.retain(|hit| {
        let stays = !left_out.contains(&hit.id);
        left += usize::from(stays && index < in_order);
        index += 1;
        stays
    });
    left
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
    wish: &Wish,
    found: &[Vec<u32>],
    highest: &[Option<Frequency>],
    terms: &Terms<'_>,
) -> Option<Frequency> {
    let Wish { atom, slots, .. } = wish;
    if let Some((first, last)) = atom.years {
        return terms
            .year
            .filter(|year| (first..=last).contains(year))
            .map(|_| Frequency::default());
    }
    if let ([slot], false, None) = (&slots[..], atom.prefix, atom.within) {
        return highest[*slot];
    }
    let mut starts = occurrences(wish, found, terms)
        .filter(|(_, within)| *within)
        .map(|(position, _)| position)
        .peekable();
    starts.peek()?;
    Some(Frequency::at(terms, starts))
}

/// The starts of a word or phrase, each with whether it is in the field asked for.
fn occurrences<'a>(
    wish: &'a Wish,
    found: &'a [Vec<u32>],
    terms: &'a Terms<'_>,
) -> impl Iterator<Item = (u32, bool)> + 'a {
    let Wish { atom, slots, .. } = wish;
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
                .all(|(slot, offset)| found[*slot].binary_search(&(position + offset)).is_ok())
        })
        .map(move |position| {
            (
                position,
                atom.within
                    .is_none_or(|field| terms.field_at(position) == field),
            )
        })
}
