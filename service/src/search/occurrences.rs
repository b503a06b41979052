//! The terms of a document while it is analysed: where each stands, as they come; then each once, in byte order.

use std::collections::HashSet;

use super::packed::Packer;
use super::stems::unmarked;

/// Terms with their positions.
#[derive(Default)]
pub(super) struct Occurrences {
    /// The terms one behind the other.
    text: String,
    list: Vec<Occurrence>,
    /// Counted only once the text is long: how many of the list, and which terms they are.
    counted: usize,
    distinct: HashSet<Box<str>>,
    distinct_bytes: usize,
}

#[derive(Clone, Copy)]
struct Occurrence {
    /// The first bytes of the term, which mostly decide the order.
    beginning: u64,
    start: usize,
    length: usize,
    /// `None` for what stands nowhere, but is found.
    position: Option<u32>,
}

impl Occurrences {
    pub fn push(&mut self, term: &str, position: Option<u32>) {
        self.list.push(Occurrence {
            beginning: beginning(term.as_bytes()),
            start: self.text.len(),
            length: term.len(),
            position,
        });
        self.text.push_str(term);
    }

    /// Whether the distinct terms have at least so many bytes.
    pub fn reach(&mut self, bytes: usize) -> bool {
        if self.text.len() < bytes {
            return false;
        }
        for occurrence in &self.list[self.counted..] {
            let term = occurrence.term(&self.text);
            if !self.distinct.contains(term) {
                self.distinct_bytes += term.len();
                self.distinct.insert(term.into());
            }
        }
        self.counted = self.list.len();
        self.distinct_bytes >= bytes
    }

    /// The tokens for the index with spaces between, and the terms with their positions packed; both in byte order.
    ///
    /// Every term is a token, but for a stem with its language where the same word without one is a term, too: whoever
    /// asks for the one asks for both.
    pub fn pack(mut self, field_ends: [u32; 5], year: Option<i64>) -> (String, Vec<u8>) {
        let text = &*self.text;
        self.list.sort_unstable_by(|one, other| {
            let by_term = one
                .beginning
                .cmp(&other.beginning)
                .then_with(|| one.term(text).cmp(other.term(text)));
            by_term.then_with(|| one.position.cmp(&other.position))
        });
        let list = &*self.list;
        let is_term = |wanted: &[u8]| {
            let first = beginning(wanted);
            let found = list.binary_search_by(|occurrence| {
                let by_beginning = occurrence.beginning.cmp(&first);
                by_beginning.then_with(|| occurrence.term(text).as_bytes().cmp(wanted))
            });
            found.is_ok()
        };
        let mut tokens = String::with_capacity(text.len() + list.len());
        let mut packer = Packer::new(field_ends, year, list.len());
        let mut last = "";
        let same = |one: &Occurrence, other: &Occurrence| {
            one.beginning == other.beginning && one.term(text) == other.term(text)
        };
        for group in list.chunk_by(same) {
            let Some(first) = group.first() else {
                continue;
            };
            let term = first.term(text);
            // Those without a position come first.
            let nowhere = group.partition_point(|occurrence| occurrence.position.is_none());
            let positions = group[nowhere..]
                .iter()
                .map(|occurrence| occurrence.position.unwrap_or_default());
            packer.push(last, term, positions);
            last = term;
            if unmarked(term.as_bytes()).is_some_and(&is_term) {
                continue;
            }
            if !tokens.is_empty() {
                tokens.push(' ');
            }
            tokens.push_str(term);
        }
        (tokens, packer.finish())
    }
}

/// The first eight bytes as a number that is ordered as they are.
fn beginning(term: &[u8]) -> u64 {
    let mut beginning = [0; 8];
    let length = term.len().min(beginning.len());
    beginning[..length].copy_from_slice(&term[..length]);
    u64::from_be_bytes(beginning)
}

impl Occurrence {
    fn term<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::Terms;
    use super::super::token_sum::TokenSum;
    use super::*;

    #[test]
    fn terms_come_once_in_byte_order_with_all_their_positions() {
        let mut occurrences = Occurrences::default();
        for (position, term) in ["database", "a", "databases", "東京", "a", "=l", "databas"]
            .into_iter()
            .enumerate()
        {
            occurrences.push(term, u32::try_from(position).ok());
        }
        occurrences.push("=l", None);
        occurrences.push("=y", None);
        let (tokens, packed) = occurrences.pack([7; 5], Some(2_001));
        assert_eq!(tokens, "=l =y a databas database databases 東京");
        assert_eq!(Terms::tokens(&packed), TokenSum::of_text(&tokens));
        let mut found = Vec::new();
        Terms::new(&packed).unwrap().each(|term, positions| {
            let term = String::from_utf8(term.to_vec()).unwrap();
            found.push((term, positions.collect::<Vec<u32>>()));
            true
        });
        let expected: [(&str, &[u32]); 7] = [
            ("=l", &[5]),
            ("=y", &[]),
            ("a", &[1, 4]),
            ("databas", &[6]),
            ("database", &[0]),
            ("databases", &[2]),
            ("東京", &[3]),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(term, positions)| (term.to_owned(), positions.to_vec()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stem_that_is_a_word_of_the_document_is_no_token_of_its_own() {
        let mut occurrences = Occurrences::default();
        let terms = [
            "=de:haus", "haus", "=de:haus", "häuser", "=de:katz", "katzen", "=l:haus",
        ];
        for (position, term) in (0..).zip(terms) {
            occurrences.push(term, Some(position));
        }
        let (tokens, packed) = occurrences.pack([7; 5], None);
        assert_eq!(tokens, "=de:katz =l:haus haus häuser katzen");
        assert_eq!(Terms::tokens(&packed), TokenSum::of_text(&tokens));
    }

    #[test]
    fn bytes_of_distinct_terms_are_counted_once() {
        let mut occurrences = Occurrences::default();
        for position in 0..100 {
            occurrences.push("abcd", Some(position));
            assert!(!occurrences.reach(5), "{position}");
        }
        occurrences.push("e", Some(100));
        assert!(occurrences.reach(5));
        assert!(!occurrences.reach(6));
    }
}
