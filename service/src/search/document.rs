//! What is kept of a searchable resource: its terms with their positions, the places of its words, its facets.
//!
//! The databases only find candidates; everything that decides (phrases, fields, exclusion, score) is read from
//! here, by one code for both.
//!
//! `terms`: how many terms; for each, in the order of their hashes, the hash and where its entry begins (4 bytes each,
//! little-endian); for each field the first position behind it; the year + 10,001 (0 for none); the entries: length,
//! bytes, length of the positions in bytes, positions as differences. A term is found by a binary search over the
//! hashes, which touches a few bytes of the document, not all. `places`: for each word its
//! position, start and length in its field's text, as differences. Numbers are LEB128. `facets`: facet number, length,
//! bytes.

use std::collections::BTreeMap;

use crate::library::ResourceFields;

use super::analysis::{Analyser, fold, primary_language};
use super::rank::{Frequency, Lengths};

/// Words that are indexed of one resource at most; the rest of a longer text is kept but not found.
const MOST_WORDS: usize = 50_000;
/// Bytes of distinct terms at most, below PostgreSQL's limit of 1 MiB for a tsvector.
const MOST_TERM_BYTES: usize = 400_000;
/// Distance between the entries of a list and between fields, so that no phrase spans them.
const GAP: u32 = 2;

/// Bytes of a term's hash and offset.
const SLOT: usize = 8;

/// A searched part of a resource. The order is the one in which positions are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Title,
    Subject,
    Creator,
    Description,
    /// Publisher, contributor, identifier, source, coverage, classification code.
    Other,
}

pub const FIELDS: [Field; 5] = [
    Field::Title,
    Field::Subject,
    Field::Creator,
    Field::Description,
    Field::Other,
];

impl Field {
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Subject => "subject",
            Self::Creator => "creator",
            Self::Description => "description",
            Self::Other => "other",
        }
    }

    /// The part of a document whose length the field's frequencies are measured by.
    pub fn zone(self) -> Zone {
        match self {
            Self::Title | Self::Subject | Self::Creator => Zone::Head,
            Self::Description | Self::Other => Zone::Body,
        }
    }

    /// How much a word in this field counts, in halves of what one in the body does.
    pub fn half_points(self) -> u32 {
        match self {
            Self::Title => 4,
            Self::Subject | Self::Creator => 3,
            Self::Description | Self::Other => 2,
        }
    }
}

/// The names of a resource, and what is said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Head,
    Body,
}

/// What matches can be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    Subject,
    Creator,
    Language,
    Type,
    Year,
    Classification,
}

pub const FACETS: [Facet; 6] = [
    Facet::Subject,
    Facet::Creator,
    Facet::Language,
    Facet::Type,
    Facet::Year,
    Facet::Classification,
];

impl Facet {
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Creator => "creator",
            Self::Language => "language",
            Self::Type => "type",
            Self::Year => "year",
            Self::Classification => "classification",
        }
    }

    fn number(self) -> u8 {
        self as u8
    }
}

/// A resource ready for the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Every term once, in byte order: what the database's token index gets.
    pub tokens: Vec<String>,
    pub terms: Vec<u8>,
    pub places: Vec<u8>,
    pub facets: Vec<u8>,
    /// Words in all fields.
    pub length: i64,
    /// The version of the resource that this was made from.
    pub version: i64,
}

/// The text of a field as it is analysed and highlighted.
pub fn field_text(fields: &ResourceFields, field: Field) -> Vec<&str> {
    match field {
        Field::Title => vec![fields.title.as_str()],
        Field::Subject => fields.subject.iter().map(String::as_str).collect(),
        Field::Creator => fields.creator.as_deref().into_iter().collect(),
        Field::Description => fields.description.as_deref().into_iter().collect(),
        Field::Other => [
            &fields.publisher,
            &fields.contributor,
            &fields.identifier,
            &fields.source,
            &fields.coverage,
            &fields.classification_code,
        ]
        .into_iter()
        .filter_map(|text| text.as_deref())
        .collect(),
    }
}

/// Between the entries of a list in the text that is highlighted.
pub const LIST_SEPARATOR: &str = "; ";

/// The token for a whole value, which no word of a text can be equal to.
pub fn value_token(facet: Facet, value: &str) -> String {
    let letter = match facet {
        Facet::Language => 'l',
        Facet::Type => 't',
        Facet::Year => 'y',
        Facet::Subject => 's',
        Facet::Creator => 'c',
        Facet::Classification => 'k',
    };
    let mut token = format!("={letter}:");
    token.push_str(
        &value
            .split_whitespace()
            .map(fold)
            .collect::<Vec<_>>()
            .join("_"),
    );
    token
}

/// Analyses a version of a resource.
pub fn analyse(fields: &ResourceFields, version: i64) -> Document {
    let analyser = Analyser::for_language(fields.language.as_deref());
    let mut terms: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut term_bytes = 0;
    let mut places = Vec::new();
    let mut field_ends = [0_u32; FIELDS.len()];
    let (mut position, mut length, mut last_position) = (0_u32, 0_usize, 0_u32);
    for (index, field) in FIELDS.into_iter().enumerate() {
        let (mut offset, mut last_end) = (0, 0);
        for text in field_text(fields, field) {
            analyser.words(text, |word| {
                if length >= MOST_WORDS || term_bytes >= MOST_TERM_BYTES {
                    return;
                }
                for term in word.terms {
                    let bytes = term.len();
                    let positions = terms.entry(term).or_insert_with(|| {
                        term_bytes += bytes;
                        Vec::with_capacity(2)
                    });
                    positions.push(position);
                }
                write_number(&mut places, u64::from(position - last_position));
                write_number(&mut places, (offset + word.start - last_end) as u64);
                write_number(&mut places, (word.end - word.start) as u64);
                (last_position, last_end) = (position, offset + word.end);
                position += 1;
                length += 1;
            });
            offset += text.len() + LIST_SEPARATOR.len();
            position += GAP;
        }
        field_ends[index] = position;
    }
    add_value_tokens(fields, &mut terms);
    Document {
        terms: pack_terms(&terms, field_ends, fields.year()),
        tokens: terms.into_keys().collect(),
        places,
        facets: pack_facets(fields),
        length: i64::try_from(length).unwrap_or(i64::MAX),
        version,
    }
}

fn add_value_tokens(fields: &ResourceFields, terms: &mut BTreeMap<String, Vec<u32>>) {
    let mut add = |facet, value: &str| {
        terms.entry(value_token(facet, value)).or_default();
    };
    if let Some(language) = &fields.language {
        add(Facet::Language, language);
        add(Facet::Language, &primary_language(language));
    }
    if let Some(kind) = &fields.resource_type {
        add(Facet::Type, kind);
    }
    if let Some(year) = fields.year() {
        add(Facet::Year, &year.to_string());
    }
}

fn pack_terms(
    terms: &BTreeMap<String, Vec<u32>>,
    field_ends: [u32; 5],
    year: Option<i64>,
) -> Vec<u8> {
    let mut sorted: Vec<(u32, &str, &[u32])> = terms
        .iter()
        .map(|(term, positions)| {
            (
                term_hash(term.as_bytes()),
                term.as_str(),
                positions.as_slice(),
            )
        })
        .collect();
    sorted.sort_unstable();
    let mut head = Vec::with_capacity(16);
    for end in field_ends {
        write_number(&mut head, u64::from(end));
    }
    write_number(
        &mut head,
        year.and_then(|year| u64::try_from(year + 10_001).ok())
            .unwrap_or(0),
    );
    let mut table = Vec::with_capacity(sorted.len() * SLOT);
    let mut entries = Vec::with_capacity(sorted.len() * 10);
    let mut positions_packed = Vec::new();
    for (hash, term, positions) in &sorted {
        table.extend_from_slice(&hash.to_le_bytes());
        table.extend_from_slice(
            &u32::try_from(entries.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        positions_packed.clear();
        let mut last = 0;
        for position in *positions {
            write_number(&mut positions_packed, u64::from(position - last));
            last = *position;
        }
        write_number(&mut entries, term.len() as u64);
        entries.extend_from_slice(term.as_bytes());
        write_number(&mut entries, positions_packed.len() as u64);
        entries.extend_from_slice(&positions_packed);
    }
    let mut packed = Vec::with_capacity(5 + table.len() + head.len() + entries.len());
    write_number(&mut packed, sorted.len() as u64);
    packed.extend_from_slice(&table);
    packed.extend_from_slice(&head);
    packed.extend_from_slice(&entries);
    packed
}

/// FNV-1a, 32 bits: <https://www.rfc-editor.org/rfc/rfc9923>. Equal on every machine; a hit is compared by its bytes.
pub fn term_hash(term: &[u8]) -> u32 {
    term.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

fn pack_facets(fields: &ResourceFields) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut add = |facet: Facet, value: &str| {
        packed.push(facet.number());
        write_number(&mut packed, value.len() as u64);
        packed.extend_from_slice(value.as_bytes());
    };
    let mut seen: Vec<&str> = Vec::new();
    for subject in &fields.subject {
        if !seen.contains(&subject.as_str()) {
            add(Facet::Subject, subject);
            seen.push(subject);
        }
    }
    if let Some(creator) = &fields.creator {
        add(Facet::Creator, creator);
    }
    if let Some(language) = &fields.language {
        add(Facet::Language, language);
    }
    if let Some(kind) = &fields.resource_type {
        add(Facet::Type, kind);
    }
    if let Some(year) = fields.year() {
        add(Facet::Year, &year.to_string());
    }
    if let Some(code) = &fields.classification_code {
        add(Facet::Classification, code);
    }
    packed
}

/// Calls `each` with every facet value of a packed document.
pub fn read_facets(packed: &[u8], mut each: impl FnMut(u8, &str)) {
    let mut rest = packed;
    while let Some((number, tail)) = rest.split_first() {
        rest = tail;
        let Some(length) = read_length(&mut rest) else {
            return;
        };
        let (value, tail) = rest.split_at(length);
        rest = tail;
        if let Ok(value) = std::str::from_utf8(value) {
            each(*number, value);
        }
    }
}

/// The packed terms of a document.
pub struct Terms<'d> {
    pub field_ends: [u32; 5],
    pub year: Option<i64>,
    table: &'d [u8],
    entries: &'d [u8],
}

impl<'d> Terms<'d> {
    /// Reads the head of packed terms.
    pub fn new(packed: &'d [u8]) -> Option<Self> {
        let mut rest = packed;
        let size = usize::try_from(read_number(&mut rest)?)
            .ok()?
            .checked_mul(SLOT)?;
        let (table, mut rest) = rest.split_at_checked(size)?;
        let mut field_ends = [0; 5];
        for end in &mut field_ends {
            *end = u32::try_from(read_number(&mut rest)?).ok()?;
        }
        let year = match read_number(&mut rest)? {
            0 => None,
            year => Some(i64::try_from(year).ok()? - 10_001),
        };
        Some(Self {
            field_ends,
            year,
            table,
            entries: rest,
        })
    }

    /// Words in the head and in the body; of a list each further entry counts [`GAP`] more.
    pub fn lengths(&self) -> Lengths {
        let mut lengths = Lengths::default();
        let mut begin = 0;
        for (field, end) in FIELDS.into_iter().zip(self.field_ends) {
            let words = end.saturating_sub(begin).saturating_sub(GAP);
            begin = end;
            match field.zone() {
                Zone::Head => lengths.head += words,
                Zone::Body => lengths.body += words,
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

    /// The positions of a term whose hash is known; `None` when the document does not have it.
    pub fn find(&self, hash: u32, term: &[u8]) -> Option<Positions<'d>> {
        let (mut low, mut high) = (0, self.table.len() / SLOT);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.slot(middle)?.0 < hash {
                low = middle + 1
            } else {
                high = middle
            }
        }
        while let Some((found, offset)) = self.slot(low) {
            if found != hash {
                return None;
            }
            let (own, positions) = self.entry(offset)?;
            if own == term {
                return Some(positions);
            }
            low += 1;
        }
        None
    }

    /// Every term with its positions, in no useful order.
    pub fn all(&self) -> impl Iterator<Item = (&'d [u8], Positions<'d>)> {
        (0..self.table.len() / SLOT)
            .filter_map(|index| self.slot(index))
            .filter_map(|(_, offset)| self.entry(offset))
    }

    fn slot(&self, index: usize) -> Option<(u32, usize)> {
        let bytes = self.table.get(index * SLOT..(index + 1) * SLOT)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
        Some((
            number(&bytes[..4])?,
            usize::try_from(number(&bytes[4..])?).ok()?,
        ))
    }

    fn entry(&self, offset: usize) -> Option<(&'d [u8], Positions<'d>)> {
        let mut rest = self.entries.get(offset..)?;
        let length = read_length(&mut rest)?;
        let (term, mut rest) = rest.split_at(length);
        let length = read_length(&mut rest)?;
        Some((
            term,
            Positions {
                rest: &rest[..length],
                last: 0,
            },
        ))
    }
}

/// The positions of a term, ascending.
#[derive(Clone)]
pub struct Positions<'d> {
    rest: &'d [u8],
    last: u32,
}

impl Iterator for Positions<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.last += u32::try_from(read_number(&mut self.rest)?).ok()?;
        Some(self.last)
    }
}

/// A word's place: position, then the bytes from `start` to `end` of its field's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub position: u32,
    pub start: usize,
    pub end: usize,
}

/// The places of all words, in order; offsets begin anew with each field.
pub fn read_places(packed: &[u8], field_ends: [u32; 5]) -> Vec<Place> {
    let mut rest = packed;
    let (mut position, mut end, mut field) = (0_u32, 0_usize, 0);
    let mut places = Vec::new();
    while let (Some(step), Some(gap), Some(length)) = (
        read_number(&mut rest),
        read_number(&mut rest),
        read_number(&mut rest),
    ) {
        position += u32::try_from(step).unwrap_or(u32::MAX);
        while field < field_ends.len() && position >= field_ends[field] {
            field += 1;
            end = 0;
        }
        let start = end + usize::try_from(gap).unwrap_or(0);
        end = start + usize::try_from(length).unwrap_or(0);
        places.push(Place {
            position,
            start,
            end,
        });
    }
    places
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
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
fn read_length(rest: &mut &[u8]) -> Option<usize> {
    let length = usize::try_from(read_number(rest)?).ok()?;
    (length <= rest.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_read_back() {
        let fields = ResourceFields {
            title: "The Rust Book".to_owned(),
            subject: vec!["systems programming".to_owned(), "Rust".to_owned()],
            date: Some("2018".to_owned()),
            language: Some("eng".to_owned()),
            ..ResourceFields::default()
        };
        let document = analyse(&fields, 1);
        let terms = Terms::new(&document.terms).unwrap();
        assert_eq!(terms.year, Some(2018));
        let ends = terms.field_ends;
        let rust = terms
            .find(term_hash(b"rust"), b"rust")
            .map(|positions| positions.collect::<Vec<_>>());
        assert_eq!(rust, Some(vec![1, 9]));
        assert!(terms.find(term_hash(b"go"), b"go").is_none());
        let found: Vec<(String, Vec<u32>)> = terms
            .all()
            .map(|(term, positions)| {
                (
                    String::from_utf8_lossy(term).into_owned(),
                    positions.collect(),
                )
            })
            .collect();
        assert!(
            found.contains(&("rust".to_owned(), vec![1, 9])),
            "{found:?}"
        );
        assert!(found.contains(&("=l:en".to_owned(), vec![])), "{found:?}");
        let joined = fields.subject.join(LIST_SEPARATOR);
        let texts: Vec<&str> = read_places(&document.places, ends)
            .iter()
            .map(|place| {
                if place.position < ends[0] {
                    &fields.title[place.start..place.end]
                } else {
                    &joined[place.start..place.end]
                }
            })
            .collect();
        assert_eq!(
            texts,
            ["The", "Rust", "Book", "systems", "programming", "Rust"]
        );
        let mut facets = Vec::new();
        read_facets(&document.facets, |number, value| {
            facets.push((number, value.to_owned()))
        });
        assert_eq!(facets[1], (Facet::Subject as u8, "Rust".to_owned()));
    }
}
