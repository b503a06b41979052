//! The words of the library as people write them, for corrections of mistyped ones.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use uuid::Uuid;

use super::analysis::segments;
use super::beginning::Beginning;
use super::document::{FIELDS, field_text};
use super::folding::{fold, spelling};
use super::follow::Derived;
use super::mistakes::Mistakes;
use crate::library::ResourceFields;

/// Bytes of a word at most that is offered as a correction.
const LONGEST_WORD: usize = 128;
/// Letters of a word at least that is offered as a correction.
const FEWEST_LETTERS: usize = 3;
/// Words at most that one mistyped word may have been meant to be.
pub(super) const MOST_CANDIDATES: usize = 8;

/// How many letters of a word may be wrong: none below 4 letters, 1 below 8, else 2.
pub(super) fn most_errors(letters: usize) -> usize {
    match letters {
        ..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// Every word of the library, with the number of resources that have it. Words with digits are left out: a number
/// that is not there is no mistyped other one.
#[derive(Default)]
pub(super) struct Vocabulary {
    /// By the word as it is shown.
    numbers: HashMap<Box<str>, u32>,
    /// By the folded word, in order of code points, with the word's number.
    folded: BTreeSet<(Box<str>, u32)>,
    words: Vec<Entry>,
    /// Numbers of words that are gone.
    free: Vec<u32>,
    /// How many resources were added: tells a word's first place in a resource from its others.
    added: u64,
}

#[derive(Default)]
struct Entry {
    spelling: Box<str>,
    resources: u32,
    last_added: u64,
}

/// A word that a mistyped one may have been meant to be.
pub(super) struct Candidate {
    /// As it is shown.
    pub spelling: String,
    pub folded: String,
    pub mistakes: Mistakes,
}

impl Derived for Vocabulary {
    type Entry = Box<[u32]>;

    const ALL_TEXTS: bool = true;

    fn add(&mut self, _: Uuid, fields: &ResourceFields) -> Box<[u32]> {
        self.added += 1;
        let mut own = Vec::new();
        for text in FIELDS
            .into_iter()
            .flat_map(|field| field_text(fields, field))
        {
            segments(text, |_, word| {
                if let Some(number) = self.count(word) {
                    own.push(number);
                }
            });
        }
        own.into_boxed_slice()
    }

    fn take_out(&mut self, _: Uuid, numbers: Box<[u32]>) {
        for number in numbers {
            let entry = &mut self.words[number as usize];
            entry.resources -= 1;
            if entry.resources == 0 {
                let gone = std::mem::take(entry);
                self.numbers.remove(&gone.spelling);
                self.folded
                    .remove(&(fold(&gone.spelling).into_boxed_str(), number));
                self.free.push(number);
            }
        }
    }

    fn shrink(&mut self) {
        self.numbers.shrink_to_fit();
        self.words.shrink_to_fit();
    }
}

impl Vocabulary {
    /// Counts a word of the resource that is being added; its number when this is the first time there.
    fn count(&mut self, word: &str) -> Option<u32> {
        if !is_plain(word) {
            return None;
        }
        let spelling = spelling(word);
        let number = match self.numbers.get(spelling.as_str()) {
            Some(number) => *number,
            None => self.enter(spelling)?,
        };
        let entry = &mut self.words[number as usize];
        if entry.last_added == self.added {
            return None;
        }
        entry.last_added = self.added;
        entry.resources += 1;
        Some(number)
    }

    fn enter(&mut self, spelling: String) -> Option<u32> {
        let folded = fold(&spelling);
        folded.chars().nth(FEWEST_LETTERS - 1)?;
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.words.push(Entry::default());
                u32::try_from(self.words.len() - 1).ok()?
            }
        };
        let spelling = spelling.into_boxed_str();
        self.words[number as usize].spelling = spelling.clone();
        self.numbers.insert(spelling, number);
        self.folded.insert((folded.into_boxed_str(), number));
        Some(number)
    }

    /// Calls `each` for every folded word that begins so, in order of code points.
    pub(super) fn beginning(&self, beginning: &str, mut each: impl FnMut(&str)) {
        let from = (Box::from(beginning), 0);
        for (word, _) in self.folded.range::<(Box<str>, u32), _>(from..) {
            if !word.starts_with(beginning) {
                return;
            }
            each(word);
        }
    }

    /// The words that a folded one may have been meant to be: those with the likeliest mistakes first, which are the
    /// fewest; then the most resources, then the order of code points. None when the word is known.
    pub(super) fn candidates(&self, folded: &str) -> Vec<Candidate> {
        let letters: Vec<char> = folded.chars().collect();
        let most = most_errors(letters.len());
        if most == 0 || !is_plain(folded) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut known = false;
        self.near(&letters, most, |errors, word, number| {
            known |= errors == 0;
            let word_letters: Vec<char> = word.chars().collect();
            let mistakes = Mistakes::between(&letters, &word_letters);
            let entry = &self.words[number as usize];
            found.push((mistakes, Reverse(entry.resources), &entry.spelling, word));
        });
        if known {
            return Vec::new();
        }
        found.sort_unstable();
        let mut candidates: Vec<Candidate> = Vec::with_capacity(MOST_CANDIDATES);
        for (mistakes, _, spelling, folded) in found {
            // Of words that differ in accents alone, one.
            if candidates.iter().any(|other| *other.folded == *folded) {
                continue;
            }
            candidates.push(Candidate {
                spelling: spelling.to_string(),
                folded: folded.to_owned(),
                mistakes,
            });
            if candidates.len() == MOST_CANDIDATES {
                break;
            }
        }
        candidates
    }

    /// Calls `each` for every word at most so many errors away: a walk over the sorted words in which those with one
    /// beginning share the work, and are left out together when the beginning alone is too far away.
    fn near<'v>(
        &'v self,
        letters: &[char],
        most: usize,
        mut each: impl FnMut(usize, &'v str, u32),
    ) {
        let mut beginning = Beginning::new(letters);
        let mut words = self.folded.range::<(Box<str>, u32), _>(..);
        'words: while let Some((word, number)) = words.next() {
            let shared = beginning.share(word);
            for letter in word.chars().skip(shared) {
                beginning.push(letter);
                if beginning.fewest() > most {
                    let Some(next) = beginning.successor() else {
                        return;
                    };
                    let next = (next.into_boxed_str(), 0);
                    words = self.folded.range((Bound::Included(next), Bound::Unbounded));
                    continue 'words;
                }
            }
            let errors = beginning.errors();
            if errors <= most {
                each(errors, word, *number);
            }
        }
    }
}

/// Letters alone, an apostrophe between them allowed, and no more of them than anybody types.
fn is_plain(word: &str) -> bool {
    word.len() <= LONGEST_WORD
        && word.chars().all(|letter| {
            !letter.is_ascii_digit()
                && !letter.is_numeric()
                && !matches!(letter, '.' | ':' | '_' | '·')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(titles: &[&str]) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for title in titles {
            vocabulary.add(Uuid::nil(), &titled(title));
        }
        vocabulary
    }

    fn titled(title: &str) -> ResourceFields {
        ResourceFields {
            title: (*title).to_owned(),
            ..ResourceFields::default()
        }
    }

    fn first(vocabulary: &Vocabulary, folded: &str) -> Option<String> {
        let candidates = vocabulary.candidates(folded).into_iter();
        candidates.map(|candidate| candidate.spelling).next()
    }

    /// The definition, without anything shared or left out.
    fn distance(one: &[char], other: &[char]) -> usize {
        let mut beginning = Beginning::new(one);
        other.iter().for_each(|letter| beginning.push(*letter));
        let by_rows = beginning.errors();
        let mut table = vec![vec![0; one.len() + 1]; other.len() + 1];
        for row in 0..=other.len() {
            for column in 0..=one.len() {
                table[row][column] = if row == 0 {
                    column
                } else if column == 0 {
                    row
                } else {
                    let wrong = usize::from(one[column - 1] != other[row - 1]);
                    let mut errors = (table[row - 1][column - 1] + wrong)
                        .min(table[row - 1][column] + 1)
                        .min(table[row][column - 1] + 1);
                    if row > 1
                        && column > 1
                        && one[column - 1] == other[row - 2]
                        && one[column - 2] == other[row - 1]
                    {
                        errors = errors.min(table[row - 2][column - 2] + 1);
                    }
                    errors
                };
            }
        }
        assert_eq!(by_rows, table[other.len()][one.len()]);
        by_rows
    }

    #[test]
    fn the_walk_finds_what_comparing_every_word_finds() {
        let mut state = 1_u64;
        let mut below = |end: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % end
        };
        let mut word = || {
            (0..3 + below(7))
                .map(|_| ['a', 'b', 'c', 'é', 'я', '東'][usize::try_from(below(5)).unwrap()])
                .collect::<String>()
        };
        let titles: Vec<String> = (0..2_000).map(|_| word()).collect();
        let vocabulary = vocabulary(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        for _ in 0..200 {
            let wanted: Vec<char> = fold(&word()).chars().collect();
            for most in [1, 2] {
                let mut found = Vec::new();
                vocabulary.near(&wanted, most, |errors, _, number| {
                    found.push((number, errors));
                });
                found.sort_unstable();
                let mut expected: Vec<(u32, usize)> = vocabulary
                    .folded
                    .iter()
                    .map(|(word, number)| {
                        (
                            *number,
                            distance(&wanted, &word.chars().collect::<Vec<_>>()),
                        )
                    })
                    .filter(|(_, errors)| *errors <= most)
                    .collect();
                expected.sort_unstable();
                assert_eq!(found, expected, "{wanted:?}");
            }
        }
    }

    #[test]
    fn the_nearest_the_most_frequent_and_then_the_first_word_is_taken() {
        let vocabulary = vocabulary(&[
            "database",
            "Databases",
            "databases databases",
            "grand grand",
            "brand",
            "Brand",
            "café",
            "don’t",
            "1984",
            "windowing",
        ]);
        let correction = |word: &str| first(&vocabulary, &fold(word));
        assert_eq!(correction("databsae").as_deref(), Some("database"));
        assert_eq!(correction("databsaes").as_deref(), Some("databases"));
        assert_eq!(correction("frand").as_deref(), Some("brand"));
        assert_eq!(correction("cafee").as_deref(), Some("café"));
        assert_eq!(correction("donts").as_deref(), Some("don't"));
        for unknown in ["database", "caf", "1985", "wind", "", "nothing"] {
            assert_eq!(correction(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_taken_out_is_offered_no_more() {
        let mut vocabulary = vocabulary(&["lantern", "lantern beacon"]);
        let gone = vocabulary.add(Uuid::nil(), &titled("Beakon lantern"));
        assert_eq!(first(&vocabulary, "beakom").as_deref(), Some("beakon"));
        vocabulary.take_out(Uuid::nil(), gone);
        assert_eq!(first(&vocabulary, "beakom"), None);
        assert_eq!(first(&vocabulary, "beacom").as_deref(), Some("beacon"));
        assert_eq!(vocabulary.words.len(), 3);
        vocabulary.add(Uuid::nil(), &titled("harbour"));
        assert_eq!(vocabulary.words.len(), 3);
    }
}
