//! The terms of a document with their positions, packed.
//!
//! First come, as LEB128 numbers, for each field the first position behind it, and the year + 10,001 (0 for none). Then
//! the terms in byte order, each as: a byte with how many bytes it shares with the term before (bits 0 to 2; 7 says that
//! the number − 7 follows), how many more it has (bits 3 to 6; 15 says that the number − 15 follows) and whether it
//! stands in one position only (bit 7); its further bytes; how many positions it has, unless it is one; the positions in
//! 1, 2 or 4 bytes each, the fewest that the last position of the document needs, little-endian.

use super::document::{FIELDS, GAP, Zone};
use super::formula::{Frequency, Lengths};
use super::stems::unmarked;
use super::token_sum::{TokenSum, token_hash};

const MOST_SHARED: usize = 7;
const MOST_FURTHER: usize = 15;
const SINGLE: u8 = 0x80;

/// Packs terms.
pub struct Packer {
    packed: Vec<u8>,
    width: usize,
}

impl Packer {
    pub fn new(field_ends: [u32; 5], year: Option<i64>, terms: usize) -> Self {
        let mut packed = Vec::with_capacity(16 + terms * 9);
        for end in field_ends {
            write_number(&mut packed, u64::from(end));
        }
        let year = year.and_then(|year| u64::try_from(year + 10_001).ok());
        write_number(&mut packed, year.unwrap_or(0));
        Self {
            packed,
            width: width(field_ends),
        }
    }

    /// Adds a term with its ascending positions. `last` is the term before, which is smaller; empty before the first.
    pub fn push(&mut self, last: &str, term: &str, positions: impl ExactSizeIterator<Item = u32>) {
        let (packed, last, term) = (&mut self.packed, last.as_bytes(), term.as_bytes());
        let shared = last.iter().zip(term).take_while(|(a, b)| a == b).count();
        let further = &term[shared..];
        let single = if positions.len() == 1 { SINGLE } else { 0 };
        let low = shared.min(MOST_SHARED);
        let high = further.len().min(MOST_FURTHER);
        packed.push(low as u8 | (high as u8) << 3 | single);
        if low == MOST_SHARED {
            write_number(packed, (shared - MOST_SHARED) as u64);
        }
        if high == MOST_FURTHER {
            write_number(packed, (further.len() - MOST_FURTHER) as u64);
        }
        packed.extend_from_slice(further);
        if single == 0 {
            write_number(packed, positions.len() as u64);
        }
        for position in positions {
            packed.extend_from_slice(&position.to_le_bytes()[..self.width]);
        }
    }

    pub fn finish(self) -> Vec<u8> {
        self.packed
    }
}

/// Bytes of a position.
fn width(field_ends: [u32; 5]) -> usize {
    match field_ends[field_ends.len() - 1] {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// The packed terms of a document.
pub struct Terms<'d> {
    pub field_ends: [u32; 5],
    pub year: Option<i64>,
    width: usize,
    entries: &'d [u8],
}

impl<'d> Terms<'d> {
    /// Reads the head of packed terms.
    pub fn new(packed: &'d [u8]) -> Option<Self> {
        let mut rest = packed;
        let mut field_ends = [0; 5];
        for end in &mut field_ends {
            *end = u32::try_from(read_number(&mut rest)?).ok()?;
        }
        let year = match read_number(&mut rest)? {
            0 => None,
            year => Some(i64::try_from(year).ok()?.checked_sub(10_001)?),
        };
        Some(Self {
            field_ends,
            year,
            width: width(field_ends),
            entries: rest,
        })
    }

    /// The tokens that the index has of a document with these terms; see [`super::occurrences::Occurrences::pack`].
    pub fn tokens(packed: &[u8]) -> TokenSum {
        let mut found: Vec<Vec<u8>> = Vec::new();
        if let Some(terms) = Terms::new(packed) {
            terms.each(|term, _| {
                found.push(term.to_vec());
                true
            });
        }
        let is_term = |stem: &[u8]| {
            found
                .binary_search_by(|term| term.as_slice().cmp(stem))
                .is_ok()
        };
        let mut tokens = TokenSum::default();
        for term in &found {
            if !unmarked(term).is_some_and(&is_term) {
                tokens.add(token_hash(term));
            }
        }
        tokens
    }

    /// Words in the head and in the body; of a list each further entry counts [`GAP`] more.
    pub fn lengths(&self) -> Lengths {
        let mut lengths = Lengths::default();
        let mut begin = 0;
        for (field, end) in FIELDS.into_iter().zip(self.field_ends) {
            let words = end.saturating_sub(begin).saturating_sub(GAP);
            begin = end;
            match field.zone() {
                Zone::Head => lengths.head = lengths.head.saturating_add(words),
                Zone::Body => lengths.body = lengths.body.saturating_add(words),
            }
        }
        lengths
    }

    /// How often a term stands in the document.
    pub fn frequency(&self, positions: Positions<'_>) -> Frequency {
        Frequency::at(self, positions)
    }

    /// The field that a position is in.
    pub fn field_at(&self, position: u32) -> usize {
        self.field_ends
            .iter()
            .position(|end| position < *end)
            .unwrap_or(FIELDS.len() - 1)
    }

    /// Calls `each` with every term and its positions, in byte order, until it says `false`.
    pub fn each(&self, mut each: impl FnMut(&[u8], Positions<'d>) -> bool) {
        let mut rest = self.entries;
        let mut term = Vec::with_capacity(32);
        while let Some(positions) = self.next(&mut rest, &mut term) {
            if !each(&term, positions) {
                return;
            }
        }
    }

    /// Goes on to the next term; `None` behind the last.
    fn next(&self, rest: &mut &'d [u8], term: &mut Vec<u8>) -> Option<Positions<'d>> {
        let (head, tail) = rest.split_first()?;
        *rest = tail;
        let mut shared = usize::from(head & 0x07);
        if shared == MOST_SHARED {
            shared = shared.checked_add(usize::try_from(read_number(rest)?).ok()?)?;
        }
        let mut further = usize::from(head >> 3 & 0x0f);
        if further == MOST_FURTHER {
            further = further.checked_add(usize::try_from(read_number(rest)?).ok()?)?;
        }
        term.truncate(shared);
        let (bytes, tail) = rest.split_at_checked(further)?;
        term.extend_from_slice(bytes);
        *rest = tail;
        let count = match head & SINGLE {
            0 => usize::try_from(read_number(rest)?).ok()?,
            _ => 1,
        };
        let (positions, tail) = rest.split_at_checked(count.checked_mul(self.width)?)?;
        *rest = tail;
        Some(Positions {
            rest: positions,
            width: self.width,
        })
    }
}

/// The positions of a term, ascending.
#[derive(Clone)]
pub struct Positions<'d> {
    rest: &'d [u8],
    width: usize,
}

impl Iterator for Positions<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (bytes, tail) = self.rest.split_at_checked(self.width)?;
        self.rest = tail;
        let number = bytes.iter().rev();
        if bytes.is_empty() {
            return None;
        }
        Some(number.fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

pub fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A length that the rest really has.
pub fn read_length(rest: &mut &[u8]) -> Option<usize> {
    let length = usize::try_from(read_number(rest)?).ok()?;
    (length <= rest.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pack_terms(
        terms: &BTreeMap<String, Vec<u32>>,
        field_ends: [u32; 5],
        year: Option<i64>,
    ) -> Vec<u8> {
        let mut packer = Packer::new(field_ends, year, terms.len());
        let mut last = "";
        for (term, positions) in terms {
            packer.push(last, term, positions.iter().copied());
            last = term;
        }
        packer.finish()
    }

    #[test]
    fn terms_of_any_length_in_documents_of_any_length_are_read_back() {
        for last in [10, 256, 257, 65_536, 65_537, 3_000_000_000] {
            let terms: BTreeMap<String, Vec<u32>> = [
                ("=l:en".to_owned(), vec![]),
                ("a".to_owned(), vec![0, 7, last - 1]),
                ("a".repeat(100), vec![3]),
                (format!("{}b", "a".repeat(90)), vec![last - 2]),
                ("databas".to_owned(), vec![1]),
                ("databases".to_owned(), vec![1]),
                ("東京".to_owned(), vec![2]),
            ]
            .into();
            let packed = pack_terms(&terms, [1, 2, 3, last, last], Some(-44));
            let read = Terms::new(&packed).unwrap();
            assert_eq!((read.field_ends[3], read.year), (last, Some(-44)));
            let mut found = BTreeMap::new();
            read.each(|term, positions| {
                let term = String::from_utf8(term.to_vec()).unwrap();
                found.insert(term, positions.collect::<Vec<u32>>());
                true
            });
            assert_eq!(found, terms, "{last}");
        }
    }

    #[test]
    fn damaged_bytes_end_the_reading() {
        let terms = BTreeMap::from([
            ("whale".to_owned(), vec![1, 2]),
            ("zebra".to_owned(), vec![3]),
        ]);
        let packed = pack_terms(&terms, [9; 5], None);
        for length in 0..packed.len() {
            let mut count = 0;
            if let Some(terms) = Terms::new(&packed[..length]) {
                terms.each(|_, _| {
                    count += 1;
                    true
                });
            }
            assert!(count < 2, "{length}");
        }
    }
}
