//! Text becomes terms here, in one place, so that both databases index the same ones.
//!
//! Words are segmented by Unicode's rules (UAX #29), folded (NFKD without marks, lower case) and stemmed by the
//! Snowball stemmer of the text's language. A text in a language other than English also keeps its folded words,
//! since a query does not say which language it is in.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

/// Bytes of a term at most; a longer word is cut.
const LONGEST_TERM: usize = 128;

/// A word of a text: its terms, and where it stands in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The stem, and the folded word where that is kept too.
    pub terms: Vec<String>,
    pub start: usize,
    pub end: usize,
}

/// How words of one language are reduced.
pub struct Analyser {
    stemmer: Option<Stemmer>,
    keeps_folded: bool,
}

impl Analyser {
    /// For text in a language given as a tag (`en`, `en-US`, `eng`); English when there is none, no stemming when it
    /// is not among Snowball's.
    pub fn for_language(tag: Option<&str>) -> Self {
        let algorithm = match tag {
            None => Some(Algorithm::English),
            Some(tag) => algorithm(&primary_language(tag)),
        };
        let english = matches!(algorithm, Some(Algorithm::English));
        Self {
            stemmer: algorithm.map(Stemmer::create),
            keeps_folded: !english,
        }
    }

    /// For queries: the folded word and its English stem.
    pub fn for_query(language: Option<&str>) -> Self {
        let algorithm = language.map_or(Some(Algorithm::English), |tag| {
            algorithm(&primary_language(tag))
        });
        Self {
            stemmer: algorithm.map(Stemmer::create),
            keeps_folded: true,
        }
    }

    /// Calls `each` for every word of a text, in order.
    pub fn words(&self, text: &str, mut each: impl FnMut(Word)) {
        for (start, word) in text.unicode_word_indices() {
            let terms = self.terms(word);
            if !terms.is_empty() {
                each(Word {
                    terms,
                    start,
                    end: start + word.len(),
                });
            }
        }
    }

    /// Calls `each` with where every word of a text begins and ends, those that [`Self::words`] calls for.
    pub fn each_place(text: &str, mut each: impl FnMut(usize, usize)) {
        for (start, word) in text.unicode_word_indices() {
            if !fold(word).is_empty() {
                each(start, start + word.len());
            }
        }
    }

    fn terms(&self, word: &str) -> Vec<String> {
        let folded = fold(word);
        if folded.is_empty() {
            return Vec::new();
        }
        let stem = self
            .stemmer
            .as_ref()
            .map(|stemmer| stemmer.stem(&folded))
            .filter(|stem| !stem.is_empty());
        match stem {
            None => vec![folded],
            Some(stem) if *stem == *folded => vec![folded],
            Some(stem) if self.keeps_folded => {
                let stem = stem.into_owned();
                vec![stem, folded]
            }
            Some(Cow::Borrowed(stem)) => vec![stem.to_owned()],
            Some(Cow::Owned(stem)) => vec![stem],
        }
    }
}

/// Lower case without accents, apostrophes removed, cut to a bounded length.
pub fn fold(word: &str) -> String {
    let mut folded: String = if word.is_ascii() {
        word.bytes()
            .filter(|byte| byte.is_ascii_graphic() && *byte != b'\'')
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect()
    } else {
        word.nfkd()
            .filter(|character| !is_combining_mark(*character) && !matches!(character, '\'' | '’'))
            .flat_map(char::to_lowercase)
            .filter(|character| {
                !is_combining_mark(*character)
                    && !character.is_whitespace()
                    && !character.is_control()
            })
            .collect()
    };
    if folded.len() > LONGEST_TERM {
        let mut end = LONGEST_TERM;
        while !folded.is_char_boundary(end) {
            end -= 1;
        }
        folded.truncate(end);
    }
    folded
}

/// The two-letter code of a language tag's first part where Pharos knows one, else that part in lower case.
pub fn primary_language(tag: &str) -> String {
    let primary = tag
        .split(['-', '_'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let two = match primary.as_str() {
        "ara" => "ar",
        "dan" => "da",
        "dut" | "nld" => "nl",
        "eng" => "en",
        "fin" => "fi",
        "fre" | "fra" => "fr",
        "ger" | "deu" => "de",
        "gre" | "ell" => "el",
        "hun" => "hu",
        "ita" => "it",
        "nor" | "nob" | "nno" | "nb" | "nn" => "no",
        "por" => "pt",
        "rum" | "ron" => "ro",
        "rus" => "ru",
        "spa" => "es",
        "swe" => "sv",
        "tam" => "ta",
        "tur" => "tr",
        _ => return primary,
    };
    two.to_owned()
}

fn algorithm(language: &str) -> Option<Algorithm> {
    Some(match language {
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "nl" => Algorithm::Dutch,
        "en" => Algorithm::English,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "de" => Algorithm::German,
        "el" => Algorithm::Greek,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "es" => Algorithm::Spanish,
        "sv" => Algorithm::Swedish,
        "ta" => Algorithm::Tamil,
        "tr" => Algorithm::Turkish,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, language: Option<&str>) -> Vec<Vec<String>> {
        let mut terms = Vec::new();
        Analyser::for_language(language).words(text, |word| terms.push(word.terms));
        terms
    }

    #[test]
    fn words_are_folded_and_stemmed_by_language() {
        assert_eq!(
            terms("Databases, don't RUN!", Some("en-US")),
            [["databas"], ["dont"], ["run"]]
        );
        assert_eq!(
            terms("Mary GrandPré ﬁne", None),
            [["mari"], ["grandpr"], ["fine"]]
        );
        assert_eq!(terms("livres", Some("fre")), [vec!["livr", "livres"]]);
        assert_eq!(
            terms("東京 İstanbul", Some("jpn")),
            [["東"], ["京"], ["istanbul"]]
        );
    }

    #[test]
    fn a_word_says_where_it_stands() {
        let mut places = Vec::new();
        Analyser::for_language(None)
            .words("Größe 12", |word| places.push((word.start, word.end)));
        assert_eq!(places, [(0, 7), (8, 10)]);
    }
}
