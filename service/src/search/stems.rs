//! Stemming that remembers: the same words come again and again, and looking one up costs a tenth of stemming it.

use std::borrow::Cow;
use std::cell::RefCell;

use rust_stemmers::{Algorithm, Stemmer};

use super::folding::fold;
use super::known_words::place;
use super::languages::{LATIN, algorithm, primary_language};

/// Words that a thread remembers at most, each in the one place that its hash gives it: some 400 KB a thread.
const PLACES: usize = 4_096;
/// Longer words seldom come again.
const LONGEST: usize = 32;

struct Known {
    algorithm: Algorithm,
    word: Box<str>,
    stem: Box<str>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Option<Known>>> = const { RefCell::new(Vec::new()) };
}

/// The Snowball stemmer of a language.
struct RememberingStemmer {
    algorithm: Algorithm,
    stemmer: Stemmer,
}

impl RememberingStemmer {
    fn create(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            stemmer: Stemmer::create(algorithm),
        }
    }

    fn stem<'w>(&self, word: &'w str) -> Cow<'w, str> {
        if word.len() > LONGEST {
            return self.stemmer.stem(word);
        }
        KNOWN.with_borrow_mut(|known| {
            known.resize_with(PLACES, || None);
            let place = &mut known[place(self.algorithm as u64, word, PLACES)];
            if let Some(known) = place
                && known.algorithm == self.algorithm
                && *known.word == *word
            {
                return Cow::Owned(String::from(&*known.stem));
            }
            let stem = self.stemmer.stem(word);
            *place = Some(Known {
                algorithm: self.algorithm,
                word: word.into(),
                stem: stem.as_ref().into(),
            });
            stem
        })
    }
}

/// A stemmer with the language that its stems carry.
pub(super) struct Stems {
    pub language: Option<&'static str>,
    stemmer: RememberingStemmer,
}

impl Stems {
    pub fn english() -> Self {
        Self {
            language: None,
            stemmer: RememberingStemmer::create(Algorithm::English),
        }
    }

    pub fn marked(language: &'static str) -> Option<Self> {
        Some(Self {
            language: Some(language),
            stemmer: RememberingStemmer::create(algorithm(language)?),
        })
    }

    /// In a language given as a tag; `None` where Snowball has no stemmer.
    pub fn of_tag(tag: &str, marks: bool) -> Option<Self> {
        let language = primary_language(tag);
        Some(Self {
            stemmer: RememberingStemmer::create(algorithm(&language)?),
            language: stem_languages().find(|known| marks && *known == language),
        })
    }

    /// The same, its stems without a language unless they are marked.
    pub fn marked_if(self, marks: bool) -> Self {
        Self {
            language: self.language.filter(|_| marks),
            ..self
        }
    }

    /// Below 256; those with the same number give the same stems.
    pub fn number(&self) -> u64 {
        (self.stemmer.algorithm as u64) << 1 | u64::from(self.language.is_some())
    }

    pub fn stem<'w>(&self, folded: &'w str) -> Option<Cow<'w, str>> {
        let stem = self.stemmer.stem(folded);
        if stem.is_empty() {
            return None;
        }
        Some(match self.language {
            Some(language) => Cow::Owned(format!("={language}:{stem}")),
            None => stem,
        })
    }

    /// The stem, then folded, of a word that has its accents still; `None` for a stemmer that knows none.
    pub fn of_accented(&self, word: &str) -> Option<String> {
        if self.stemmer.algorithm == Algorithm::English {
            return None;
        }
        let stem = fold(&self.stemmer.stem(word));
        if stem.is_empty() {
            return None;
        }
        Some(match self.language {
            Some(language) => format!("={language}:{stem}"),
            None => stem,
        })
    }
}

/// The languages that stems may carry.
fn stem_languages() -> impl Iterator<Item = &'static str> {
    LATIN.into_iter().chain(["el", "ru", "ar", "ta"])
}

/// A stem that carries its language, without it; `None` for every other term.
pub fn unmarked(term: &[u8]) -> Option<&[u8]> {
    match term {
        [b'=', b'a'..=b'z', b'a'..=b'z', b':', stem @ ..] => Some(stem),
        _ => None,
    }
}

/// The term of documents whose words have stems in this language.
pub fn language_token(language: &str) -> String {
    format!("=a:{language}")
}

#[cfg(test)]
mod tests {
    use super::super::document::{Facet, value_token};
    use super::*;

    #[test]
    fn the_mark_of_a_stem_is_no_other_mark() {
        let stems = Stems::marked("de").unwrap();
        let marked = stems.stem("häuser").unwrap().into_owned();
        let stem = RememberingStemmer::create(Algorithm::German)
            .stem("häuser")
            .into_owned();
        assert_eq!(unmarked(marked.as_bytes()), Some(stem.as_bytes()));
        for term in [
            language_token("de"),
            value_token(Facet::Language, ":a"),
            value_token(Facet::Type, "a:b"),
            "de:a".to_owned(),
            "=de".to_owned(),
            "=".to_owned(),
        ] {
            assert_eq!(unmarked(term.as_bytes()), None, "{term}");
        }
    }

    #[test]
    fn what_is_remembered_is_what_the_stemmer_says() {
        let words = ["running", "flies", "maisons", "häuser", "run", "naïve"];
        for algorithm in [Algorithm::English, Algorithm::French, Algorithm::German] {
            let (remembering, plain) = (
                RememberingStemmer::create(algorithm),
                Stemmer::create(algorithm),
            );
            for _ in 0..2 {
                for word in words {
                    assert_eq!(remembering.stem(word), plain.stem(word), "{algorithm:?}");
                }
            }
        }
    }
}
