//! What words become is remembered: in texts the same words come again and again, and looking one up costs a fraction of
//! folding and stemming it.

use std::cell::RefCell;

/// Words that a thread remembers at most, each in the one place that its hash gives it: some 2 MB a thread.
const PLACES: usize = 16_384;
/// Longer words seldom come again.
const LONGEST: usize = 32;

/// The terms of a word.
pub(super) type Terms = Box<[Box<str>]>;

struct Known {
    /// Which analyser it was.
    analyser: u64,
    word: Box<str>,
    terms: Terms,
}

/// What a thread remembers.
#[derive(Default)]
pub(super) struct KnownWords {
    places: Vec<Option<Known>>,
    /// The terms of the word before, where that is not remembered.
    passing: Terms,
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
        analyse: impl FnOnce() -> Terms,
    ) -> &[Box<str>] {
        if word.len() > LONGEST {
            return self.passing(analyse());
        }
        self.places.resize_with(PLACES, || None);
        let place = &mut self.places[place(analyser, word, PLACES)];
        let known = match place.take() {
            Some(known) if known.analyser == analyser && *known.word == *word => known,
            _ => Known {
                analyser,
                word: word.into(),
                terms: analyse(),
            },
        };
        &place.insert(known).terms
    }

    /// The terms of a word that is not remembered.
    pub fn passing(&mut self, terms: Terms) -> &[Box<str>] {
        self.passing = terms;
        &self.passing
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
                    remembered.push(terms.iter().map(|term| String::from(&**term)).collect());
                });
                analyser.words(&text, |word| said.push(word.terms));
                assert_eq!(remembered, said);
            }
        }
    }
}
