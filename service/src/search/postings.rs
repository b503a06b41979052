//! The library's words in memory: for each word the documents that have it, and for each document its words.
//!
//! Both lists are bytes: the distance from the entry before (a LEB128 number), doubled, and one more when the word
//! stands once in the body alone, as most do; else the two frequencies follow in a byte each. Memory: about 5 bytes for
//! each distinct word of each document in both lists together, 60 for each distinct word of the library, and 110 for
//! each document.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use uuid::Uuid;

use super::formula::{Frequency, Lengths, Norms};
use super::look::State;
use super::packed::Terms;
use super::stop_words::word_weight;

/// Inverted and forward lists of every document, the replaced ones included until everything is read anew.
#[derive(Default)]
pub(super) struct Postings {
    entries: Vec<Entry>,
    /// Apart from the entries, since every posting of a query asks for it; [`DEAD`] for what was replaced.
    lengths: Vec<Lengths>,
    by_id: HashMap<Uuid, u32, BuildHasherDefault<Mixed>>,
    terms: Vec<Term>,
    by_hash: HashMap<u64, u32, BuildHasherDefault<Mixed>>,
    /// The words of all entries, one entry behind the other, ascending by term.
    words: Vec<u8>,
    live: Totals,
    outdated: usize,
}

/// The length of an entry that is no longer a document.
const DEAD: Lengths = Lengths {
    head: u32::MAX,
    body: u32::MAX,
};

/// That a document is gone.
const GONE: State = (i64::MAX, 0);

struct Entry {
    id: Uuid,
    state: State,
    /// Where its words begin.
    words: usize,
}

#[derive(Default)]
struct Term {
    /// Ascending by entry.
    postings: Vec<u8>,
    last: u32,
    /// Live documents that have it.
    documents: u32,
    /// Whether feedback may add it to a query.
    tells: bool,
    hash: u64,
}

/// What the live documents are together.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) documents: u32,
    head: Zone,
    body: Zone,
}

#[derive(Clone, Copy, Default)]
struct Zone {
    words: u64,
    documents: u64,
}

impl Totals {
    pub(super) fn norms(&self) -> Norms {
        let mean = |zone: Zone| zone.words as f64 / zone.documents.max(1) as f64;
        Norms::new(mean(self.head), mean(self.body))
    }

    fn count(&mut self, lengths: Lengths, change: impl Fn(u64, u64) -> u64) {
        for (zone, words) in [
            (&mut self.head, lengths.head),
            (&mut self.body, lengths.body),
        ] {
            zone.words = change(zone.words, u64::from(words));
            zone.documents = change(zone.documents, u64::from(words > 0));
        }
        self.documents = u32::try_from(change(u64::from(self.documents), 1)).unwrap_or(u32::MAX);
    }
}

impl Postings {
    pub(super) fn totals(&self) -> Totals {
        self.live
    }

    /// Documents and what is left of replaced ones.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn outdated(&self) -> usize {
        self.outdated
    }

    pub(super) fn id(&self, entry: u32) -> Uuid {
        self.entries[entry as usize].id
    }

    /// The live entry of a document.
    pub(super) fn entry_of(&self, id: Uuid) -> Option<u32> {
        let entry = *self.by_id.get(&id)?;
        self.lengths(entry).map(|_| entry)
    }

    /// `None` for an entry that is no longer a document.
    pub(super) fn lengths(&self, entry: u32) -> Option<Lengths> {
        let lengths = self.lengths[entry as usize];
        (lengths != DEAD).then_some(lengths)
    }

    /// Takes a document out.
    pub(super) fn remove(&mut self, id: Uuid) {
        self.replace(id, GONE, DEAD);
    }

    /// Puts a state of a document in, in the place of the one that is there.
    pub(super) fn write(&mut self, id: Uuid, state: State, packed: &[u8]) {
        let Some(terms) = Terms::new(packed) else {
            return;
        };
        let Some(entry) = self.replace(id, state, terms.lengths()) else {
            return;
        };
        let mut words: Vec<(u32, Frequency)> = Vec::with_capacity(128);
        terms.each(|term, positions| {
            words.push((self.term(term), terms.frequency(positions)));
            true
        });
        words.sort_unstable_by_key(|(term, _)| *term);
        let mut last = 0;
        for (number, frequency) in words {
            write_step(&mut self.words, number - last, frequency);
            last = number;
            let term = &mut self.terms[number as usize];
            write_step(&mut term.postings, entry - term.last, frequency);
            term.last = entry;
            term.documents += 1;
        }
    }

    /// Puts a new entry in the place of another state; `None` when there is none to be put.
    fn replace(&mut self, id: Uuid, state: State, lengths: Lengths) -> Option<u32> {
        let number = u32::try_from(self.entries.len()).ok()?;
        if let Some(known) = self.by_id.get(&id).copied() {
            if self.entries[known as usize].state == state {
                return None;
            }
            self.retire(known);
        }
        self.entries.push(Entry {
            id,
            state,
            words: self.words.len(),
        });
        self.lengths.push(lengths);
        self.by_id.insert(id, number);
        if lengths == DEAD {
            return None;
        }
        self.live.count(lengths, |sum, more| sum + more);
        Some(number)
    }

    fn retire(&mut self, entry: u32) {
        let Some(lengths) = self.lengths(entry) else {
            return;
        };
        let had: Vec<u32> = self.words(entry).map(|(term, _)| term).collect();
        for term in had {
            self.terms[term as usize].documents -= 1;
        }
        self.lengths[entry as usize] = DEAD;
        self.live
            .count(lengths, |sum, less| sum.saturating_sub(less));
        self.outdated += 1;
    }

    /// The number of a term, which is new when it was never seen.
    fn term(&mut self, term: &[u8]) -> u32 {
        let hash = hash(term);
        *self.by_hash.entry(hash).or_insert_with(|| {
            self.terms.push(Term {
                tells: tells(term),
                hash,
                ..Term::default()
            });
            // Fewer terms than entries of documents, of which there are fewer than 2³².
            u32::try_from(self.terms.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The terms that stand for a word, those that no document has left out.
    pub(super) fn find<'a>(&'a self, terms: &'a [String]) -> impl Iterator<Item = u32> + 'a {
        let found = |term: &String| self.by_hash.get(&hash(term.as_bytes())).copied();
        terms.iter().filter_map(found)
    }

    /// How many live documents have a term.
    pub(super) fn documents(&self, term: u32) -> u32 {
        self.terms[term as usize].documents
    }

    /// The hash of a term, which is the same in every process; and whether feedback may add it to a query.
    pub(super) fn about(&self, term: u32) -> (u64, bool) {
        let term = &self.terms[term as usize];
        (term.hash, term.tells)
    }

    /// The entries that have a term, ascending, the replaced ones among them.
    pub(super) fn having(&self, term: u32) -> Steps<'_> {
        Steps::over(&self.terms[term as usize].postings)
    }

    /// The terms of an entry, ascending.
    pub(super) fn words(&self, entry: u32) -> Steps<'_> {
        let from = self.entries[entry as usize].words;
        let to = self
            .entries
            .get(entry as usize + 1)
            .map_or(self.words.len(), |next| next.words);
        Steps::over(&self.words[from..to])
    }

    /// Calls `each` for those of the wanted terms, which ascend, that an entry has: with the place in `wanted`, and how often
    /// the term stands there. Returns how many words were looked at.
    pub(super) fn frequencies(
        &self,
        entry: u32,
        wanted: &[u32],
        mut each: impl FnMut(usize, Frequency),
    ) -> usize {
        let mut next = wanted.iter().enumerate().peekable();
        let mut seen = 0;
        for (term, frequency) in self.words(entry) {
            seen += 1;
            while next.next_if(|(_, wanted)| **wanted < term).is_some() {}
            match next.peek() {
                Some((place, wanted)) if **wanted == term => {
                    each(*place, frequency);
                    next.next();
                }
                Some(_) => {}
                None => break,
            }
        }
        seen
    }

    /// Gives back the memory that was kept for more.
    pub(super) fn shrink(&mut self) {
        for term in &mut self.terms {
            term.postings.shrink_to_fit();
        }
        self.words.shrink_to_fit();
    }
}

/// Numbers in ascending order, each with a frequency.
pub(super) struct Steps<'p> {
    rest: &'p [u8],
    last: u32,
}

impl<'p> Steps<'p> {
    fn over(bytes: &'p [u8]) -> Self {
        Self {
            rest: bytes,
            last: 0,
        }
    }

    /// The number of several bytes that begins with this one.
    fn longer(&mut self, first: u8) -> Option<u64> {
        let (mut number, mut shift) = (u64::from(first & 0x7f), 7);
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

impl Iterator for Steps<'_> {
    type Item = (u32, Frequency);

    #[inline]
    fn next(&mut self) -> Option<(u32, Frequency)> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let number = match first {
            0..0x80 => u64::from(*first),
            _ => self.longer(*first)?,
        };
        self.last += (number >> 1) as u32;
        if number & 1 == 1 {
            return Some((self.last, Frequency { head: 0, body: 1 }));
        }
        let ([head, body], rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        let (head, body) = (*head, *body);
        Some((self.last, Frequency { head, body }))
    }
}

fn write_step(bytes: &mut Vec<u8>, step: u32, frequency: Frequency) {
    let once = frequency == Frequency { head: 0, body: 1 };
    let mut number = u64::from(step) << 1 | u64::from(once);
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    if !once {
        bytes.extend([frequency.head, frequency.body]);
    }
}

/// Whole values, stop words, numbers and single characters say nothing about what else a searcher might want.
fn tells(term: &[u8]) -> bool {
    let Ok(term) = std::str::from_utf8(term) else {
        return false;
    };
    !term.starts_with('=')
        && term.chars().nth(1).is_some()
        && term.chars().any(char::is_alphabetic)
        && word_weight(term) == 1.0
}

/// FNV-1a, 64 bits.
fn hash(term: &[u8]) -> u64 {
    term.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// For keys that are random already: hashes, and the ids of a library.
#[derive(Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The constant is that of Fibonacci hashing: 2⁶⁴ divided by the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::ResourceFields;
    use crate::search::document::analyse;

    fn written(postings: &mut Postings, number: u128, version: i64, title: &str) {
        let fields = ResourceFields {
            title: title.to_owned(),
            ..ResourceFields::default()
        };
        let document = analyse(&fields, version);
        postings.write(Uuid::from_u128(number), (version, version), &document.terms);
    }

    fn having(postings: &Postings, term: &str) -> Vec<u128> {
        let terms = [term.to_owned()];
        let numbers = postings.find(&terms).flat_map(|term| postings.having(term));
        numbers
            .filter(|(entry, _)| postings.lengths(*entry).is_some())
            .map(|(entry, _)| postings.id(entry).as_u128())
            .collect()
    }

    #[test]
    fn replaced_and_removed_documents_are_not_counted() {
        let mut postings = Postings::default();
        for number in 1..=300 {
            written(&mut postings, number, 1, "whale song");
        }
        written(&mut postings, 7, 2, "kraken");
        written(&mut postings, 7, 2, "the same state again");
        postings.remove(Uuid::from_u128(9));
        postings.remove(Uuid::from_u128(9));
        let expected: Vec<u128> = (1..=300).filter(|n| ![7, 9].contains(n)).collect();
        assert_eq!(having(&postings, "whale"), expected);
        assert_eq!(having(&postings, "kraken"), [7]);
        assert_eq!(postings.totals().documents, 299);
        let whale = postings.find(&["whale".to_owned()]).next().unwrap();
        assert_eq!(postings.documents(whale), 298);
        assert_eq!(postings.outdated(), 2);
    }

    #[test]
    fn large_steps_and_frequencies_are_read_back() {
        let steps = [
            (3, Frequency { head: 0, body: 1 }),
            (u32::MAX - 1, Frequency { head: 255, body: 0 }),
            (u32::MAX, Frequency { head: 0, body: 1 }),
        ];
        let (mut bytes, mut last) = (Vec::new(), 0);
        for (number, frequency) in steps {
            write_step(&mut bytes, number - last, frequency);
            last = number;
        }
        assert_eq!(Steps::over(&bytes).collect::<Vec<_>>(), steps);
    }
}
