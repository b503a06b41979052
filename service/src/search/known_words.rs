//! What words become is remembered: in texts the same words come again and again, and looking one up costs a fraction of
//! folding and stemming it.

use std::cell::RefCell;

/// Words that a thread remembers at most, each in the one place that its hash gives it: some 3 MB a thread.
const PLACES: usize = 32_768;
/// Longer words seldom come again.
const LONGEST: usize = 32;
/// Words with more terms seldom come again.
const MOST_TERMS: usize = 5;

/// A word and its terms in one piece of memory, since each further piece costs more than what is done with it.
struct Known {
    /// Which analyser it was.
    analyser: u64,
    /// The word, and behind it its terms.
    text: Box<str>,
    /// Where the word ends, and where the terms do that it has.
    word: u8,
    count: u8,
    ends: [u32; MOST_TERMS],
}

/// The terms of a word.
#[derive(Clone, Copy)]
pub(super) struct Terms<'k> {
    text: &'k str,
    start: usize,
    ends: &'k [u32],
}

impl<'k> Terms<'k> {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &'k str> {
        let (text, mut start) = (self.text, self.start);
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let term = &text[start..end];
            start = end;
            term
        })
    }
}

/// What a thread remembers.
#[derive(Default)]
pub(super) struct KnownWords {
    places: Vec<Option<Known>>,
    /// The last word, where that is not remembered, with its terms behind it, and where they end.
    text: String,
    ends: Vec<u32>,
}

impl KnownWords {
    /// Lends the thread's own.
    pub fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static KNOWN: RefCell<KnownWords> = RefCell::default();
        }
        KNOWN.with_borrow_mut(work)
    }

    /// The terms of a word: those of before when this analyser has met it, else what `analyse` says.
    pub fn terms(
        &mut self,
        analyser: u64,
        word: &str,
        analyse: impl FnOnce() -> Vec<String>,
    ) -> Terms<'_> {
        if word.len() > LONGEST {
            return self.passing(word, &analyse());
        }
        self.places.resize_with(PLACES, || None);
        let place = place(analyser, word, PLACES);
        let known = self.places[place].take();
        let known = match known.filter(|known| known.is_of(analyser, word)) {
            Some(known) => known,
            None => {
                let terms = analyse();
                if terms.len() > MOST_TERMS {
                    return self.passing(word, &terms);
                }
                Known::new(analyser, word, &terms)
            }
        };
        self.places[place].insert(known).terms()
    }

    /// The terms of a word that is not remembered.
    pub fn passing(&mut self, word: &str, terms: &[String]) -> Terms<'_> {
        self.text.clear();
        self.ends.clear();
        self.text.push_str(word);
        for term in terms {
            self.text.push_str(term);
            self.ends.push(self.text.len() as u32);
        }
        Terms {
            text: &self.text,
            start: word.len(),
            ends: &self.ends,
        }
    }
}

impl Known {
    /// Of at most [`MOST_TERMS`].
    fn new(analyser: u64, word: &str, terms: &[String]) -> Self {
        let mut text = word.to_owned();
        let mut ends = [0; MOST_TERMS];
        for (end, term) in ends.iter_mut().zip(terms) {
            text.push_str(term);
            *end = text.len() as u32;
        }
        Self {
            analyser,
            text: text.into(),
            word: word.len() as u8,
            count: terms.len() as u8,
            ends,
        }
    }

    fn is_of(&self, analyser: u64, word: &str) -> bool {
        self.analyser == analyser
            && self.text.as_bytes()[..usize::from(self.word)] == *word.as_bytes()
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            text: &self.text,
            start: usize::from(self.word),
            ends: &self.ends[..usize::from(self.count)],
        }
    }
}

/// The one of so many places that belongs to a word under a number; by FNV-1a.
pub(super) fn place(number: u64, word: &str, places: usize) -> usize {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ number;
    let hash = word.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as usize % places
}

#[cfg(test)]
mod tests {
    use super::super::analysis::Analyser;
    use super::*;

    #[test]
    fn what_is_remembered_is_what_the_analysis_says() {
        let analysers = [
            Analyser::for_document(None),
            Analyser::for_document(Some("en")),
            Analyser::for_document(Some("fr")),
            Analyser::for_document(Some("xx")),
            Analyser::for_detected("de"),
            Analyser::for_detected("fr"),
            Analyser::for_language(Some("fr")),
        ];
        let long = "überlang".repeat(9);
        let text =
            format!("Running flies, les maisons; Häuser C++ don't naïve книги 東京 {long} running");
        let mut known = KnownWords::default();
        for _ in 0..2 {
            for analyser in &analysers {
                let (mut remembered, mut said): (Vec<Vec<String>>, _) = (Vec::new(), Vec::new());
                analyser.terms_of_words(&text, &mut known, |terms| {
                    remembered.push(terms.iter().map(str::to_owned).collect());
                });
                analyser.words(&text, |word| said.push(word.terms));
                assert_eq!(remembered, said);
            }
        }
    }
}
