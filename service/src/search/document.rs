//! What is kept of a searchable resource: its terms with their positions, and its facets.
//!
//! The databases only find candidates; everything that decides (phrases, fields, exclusion, score) is read from
//! here, by one code for both.
//!
//! `terms` is described in `packed.rs`. `facets`: facet number, length (LEB128), bytes.

use crate::library::ResourceFields;

use super::analysis::Analyser;
use super::detection::detect;
use super::folding::fold;
use super::known_words::KnownWords;
use super::languages::primary_language;
use super::occurrences::Occurrences;
use super::packed::{read_length, write_number};
use super::stems::language_token;

/// Words that are indexed of one resource at most; the rest of a longer text is kept but not found.
const MOST_WORDS: usize = 50_000;
/// Bytes of distinct terms at most, below PostgreSQL's limit of 1 MiB for a tsvector.
const MOST_TERM_BYTES: usize = 400_000;
/// Distance between the entries of a list and between fields, so that no phrase spans them.
pub(super) const GAP: u32 = 2;

/// A searched part of a resource. The order is the one in which positions are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Its terms once, in byte order, with spaces between, but for stems that are also words: what the database's token index
    /// gets.
    pub tokens: String,
    pub terms: Vec<u8>,
    pub facets: Vec<u8>,
    /// Words in all fields.
    pub length: i64,
    /// The version of the resource that this was made from.
    pub version: i64,
    /// The tokens of its JSON columns, with spaces between, where the database keeps an index of them here.
    pub json_tokens: Option<String>,
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
    let detected = match &fields.language {
        Some(_) => None,
        None => detect(fields),
    };
    let analyser = detected.map_or_else(
        || Analyser::for_document(fields.language.as_deref()),
        Analyser::for_detected,
    );
    let mut terms = Occurrences::default();
    let mut field_ends = [0_u32; FIELDS.len()];
    let (mut position, mut length) = (0_u32, 0_usize);
    KnownWords::with(|known| {
        for (index, field) in FIELDS.into_iter().enumerate() {
            for text in field_text(fields, field) {
                analyser.terms_of_words(text, known, |found| {
                    if length >= MOST_WORDS || terms.reach(MOST_TERM_BYTES) {
                        return;
                    }
                    for term in found.iter() {
                        terms.push(term, Some(position));
                    }
                    position += 1;
                    length += 1;
                });
                position += GAP;
            }
            field_ends[index] = position;
        }
    });
    add_value_tokens(fields, &mut terms);
    for language in analyser.marked_languages() {
        terms.push(&language_token(language), None);
    }
    let (tokens, terms) = terms.pack(field_ends, fields.year());
    Document {
        tokens,
        terms,
        facets: pack_facets(fields),
        length: i64::try_from(length).unwrap_or(i64::MAX),
        version,
        json_tokens: None,
    }
}

fn add_value_tokens(fields: &ResourceFields, terms: &mut Occurrences) {
    let mut add = |facet, value: &str| terms.push(&value_token(facet, value), None);
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

/// A word's place: position, then the bytes from `start` to `end` of its field's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub position: u32,
    pub start: usize,
    pub end: usize,
}

/// The places of the words of a field with these texts, in order, when its first word has this position.
pub fn text_places(texts: &[&str], first: u32) -> Vec<Place> {
    let (mut position, mut offset) = (first, 0);
    let mut places = Vec::new();
    for text in texts {
        Analyser::each_place(text, |start, end| {
            places.push(Place {
                position,
                start: offset + start,
                end: offset + end,
            });
            position += 1;
        });
        offset += text.len() + LIST_SEPARATOR.len();
        position += GAP;
    }
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::packed::Terms;
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
        let mut found = BTreeMap::new();
        terms.each(|term, positions| {
            found.insert(
                String::from_utf8_lossy(term).into_owned(),
                positions.collect::<Vec<u32>>(),
            );
            true
        });
        assert_eq!(found["rust"], [1, 9]);
        assert!(found["=l:en"].is_empty());
        let lengths = terms.lengths();
        assert_eq!((lengths.head, lengths.body), (3 + 3 + GAP, 0));
        let joined = fields.subject.join(LIST_SEPARATOR);
        let ends = terms.field_ends;
        let texts: Vec<(u32, &str)> = text_places(&field_text(&fields, Field::Subject), ends[0])
            .iter()
            .map(|place| (place.position, &joined[place.start..place.end]))
            .collect();
        assert_eq!(texts, [(5, "systems"), (6, "programming"), (9, "Rust")]);
        let mut facets = Vec::new();
        read_facets(&document.facets, |number, value| {
            facets.push((number, value.to_owned()))
        });
        assert_eq!(facets[1], (Facet::Subject as u8, "Rust".to_owned()));
    }
}
