//! The terms of a document while it is analysed: where each stands, as they come; then each once, in byte order.

use std::collections::HashSet;

use super::packed::Packer;

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
        let mut beginning = [0; 8];
        let length = term.len().min(beginning.len());
        beginning[..length].copy_from_slice(&term.as_bytes()[..length]);
        self.list.push(Occurrence {
            beginning: u64::from_be_bytes(beginning),
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

    /// Every term once with spaces between, and the terms with their positions packed; both in byte order.
    pub fn pack(mut self, field_ends: [u32; 5], year: Option<i64>) -> (String, Vec<u8>) {
        let text = &*self.text;
        self.list.sort_unstable_by(|one, other| {
            let by_term = one
                .beginning
                .cmp(&other.beginning)
                .then_with(|| one.term(text).cmp(other.term(text)));
            by_term.then_with(|| one.position.cmp(&other.position))
        });
        let mut tokens = String::with_capacity(text.len() + self.list.len());
        let mut packer = Packer::new(field_ends, year, self.list.len());
        let mut last = "";
        let same = |one: &Occurrence, other: &Occurrence| {
            one.beginning == other.beginning && one.term(text) == other.term(text)
        };
        for group in self.list.chunk_by(same) {
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
            if !tokens.is_empty() {
                tokens.push(' ');
            }
            tokens.push_str(term);
            last = term;
        }
        (tokens, packer.finish())
    }
}

impl Occurrence {
    fn term<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::Terms;
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
