//! Text becomes terms here, in one place, so that both databases index the same ones.
//!
//! Words are segmented by Unicode's rules (UAX #29), folded (NFKC without accents, lower case) and stemmed by the
//! Snowball stemmer of the text's language. A text in a language other than English also keeps its folded words,
//! since a query does not say which language it is in. Scripts that write no spaces (and Hangul, whose particles stick
//! to words) give a word for each character; a query of several characters is a phrase of them, so that it is found
//! wherever it stands. Words with something inside (`don't`, `snake_case`, `example.com`) are kept whole and in parts,
//! `C++` and `C#` with what follows the letter.

use std::borrow::Cow;

use rust_stemmers::Algorithm;
use unicode_segmentation::UnicodeSegmentation;

use super::folding::{fold, folds_to_nothing, is_apostrophe};
use super::languages::{algorithm, primary_language, script_algorithm};
use super::stems::RememberingStemmer;

/// The number of this analysis and of the form in which it is packed, kept with each document. A change to either
/// raises it; `pharos reindex` then finds what was analysed before.
pub const ANALYSIS: i64 = 1;

/// Signs behind a word at most that belong to it, as in `C++`.
const MOST_SIGNS: usize = 3;

/// A word of a text: its terms, and where it stands in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The stem, and the folded word where that is kept too; then what else it is found by.
    pub terms: Vec<String>,
    pub start: usize,
    pub end: usize,
}

/// How words of one language are reduced.
pub struct Analyser {
    stemmer: Option<RememberingStemmer>,
    keeps_folded: bool,
    /// Where no language is given, words in other scripts have stemmers of their own.
    by_script: bool,
    /// A query asks for what was typed, a text is also found by parts of its words.
    is_query: bool,
}

impl Analyser {
    /// For text in a language given as a tag (`en`, `en-US`, `eng`), without stemming when it is not among Snowball's.
    /// Without a tag the script of a word decides: Russian, Greek, Arabic, Tamil, else English.
    pub fn for_language(tag: Option<&str>) -> Self {
        let algorithm = match tag {
            None => Some(Algorithm::English),
            Some(tag) => algorithm(&primary_language(tag)),
        };
        let english = matches!(algorithm, Some(Algorithm::English));
        Self {
            stemmer: algorithm.map(RememberingStemmer::create),
            keeps_folded: !english,
            by_script: tag.is_none(),
            is_query: false,
        }
    }

    /// For queries: the folded word and its stem in the language asked for, else in that of its script.
    pub fn for_query(language: Option<&str>) -> Self {
        let algorithm = language.map_or(Some(Algorithm::English), |tag| {
            algorithm(&primary_language(tag))
        });
        Self {
            stemmer: algorithm.map(RememberingStemmer::create),
            keeps_folded: true,
            by_script: language.is_none(),
            is_query: true,
        }
    }

    /// Calls `each` for every word of a text, in order.
    pub fn words(&self, text: &str, mut each: impl FnMut(Word)) {
        segments(text, |start, word| {
            let end = start + word.len();
            let signs = signs_behind(&text[end..]);
            let terms = self.terms(word, signs);
            if !terms.is_empty() {
                each(Word {
                    terms,
                    start,
                    end: end + signs.len(),
                });
            }
        });
    }

    /// Calls `each` with where every word of a text begins and ends, those that [`Self::words`] calls for.
    pub fn each_place(text: &str, mut each: impl FnMut(usize, usize)) {
        segments(text, |start, word| {
            let end = start + word.len();
            if !folds_to_nothing(word) {
                each(start, end + signs_behind(&text[end..]).len());
            }
        });
    }

    fn terms(&self, word: &str, signs: &str) -> Vec<String> {
        let folded = fold(word);
        if folded.is_empty() {
            return Vec::new();
        }
        if self.is_query && !signs.is_empty() {
            return vec![format!("{folded}{signs}")];
        }
        let with_signs = (!signs.is_empty()).then(|| format!("{folded}{signs}"));
        let mut terms = self.reduce(folded);
        terms.extend(with_signs);
        if word.chars().any(is_connector) {
            self.add_parts(word, &mut terms);
        }
        terms
    }

    /// The stem of a folded word, and the word itself where that is kept.
    fn reduce(&self, folded: String) -> Vec<String> {
        let of_script = if self.by_script && !folded.is_ascii() {
            folded
                .chars()
                .find_map(script_algorithm)
                .map(RememberingStemmer::create)
        } else {
            None
        };
        let keeps_folded = self.keeps_folded || of_script.is_some();
        let stem = of_script
            .as_ref()
            .or(self.stemmer.as_ref())
            .map(|stemmer| stemmer.stem(&folded))
            .filter(|stem| !stem.is_empty());
        match stem {
            None => vec![folded],
            Some(stem) if *stem == *folded => vec![folded],
            Some(stem) if keeps_folded => {
                let stem = stem.into_owned();
                vec![stem, folded]
            }
            Some(Cow::Borrowed(stem)) => vec![stem.to_owned()],
            Some(Cow::Owned(stem)) => vec![stem],
        }
    }

    /// What a word with something inside is found by as well: `don`, `U.S.A.` as `usa`, `l'amour` as `amour`.
    fn add_parts(&self, word: &str, terms: &mut Vec<String>) {
        let parts: Vec<&str> = word
            .split(is_connector)
            .filter(|part| !part.is_empty())
            .collect();
        let mut found = Vec::new();
        if parts.len() > 1 && parts.iter().all(|part| part.chars().nth(1).is_none()) {
            found.push(parts.concat());
        } else if !self.is_query {
            let long = parts.iter().filter(|part| part.chars().nth(1).is_some());
            found.extend(long.map(|part| (*part).to_owned()));
        } else if let [before, rest] = parts[..]
            && is_elision(before)
            && word.chars().any(is_apostrophe)
        {
            found.push(rest.to_owned());
        }
        for part in found {
            for term in self.reduce(fold(&part)) {
                if !term.is_empty() && !terms.contains(&term) {
                    terms.push(term);
                }
            }
        }
    }
}

/// Calls `each` for every word of a text: where it begins, and the word as it stands there.
pub fn segments(text: &str, mut each: impl FnMut(usize, &str)) {
    for (start, word) in text.unicode_word_indices() {
        if word.is_ascii() || !word.chars().any(is_unspaced) {
            each(start, word);
            continue;
        }
        let mut spaced = None;
        for (offset, cluster) in word.grapheme_indices(true) {
            if !cluster.starts_with(is_unspaced) {
                spaced.get_or_insert(offset);
                continue;
            }
            if let Some(begin) = spaced.take() {
                each(start + begin, &word[begin..offset]);
            }
            each(start + offset, cluster);
        }
        if let Some(begin) = spaced {
            each(start + begin, &word[begin..]);
        }
    }
}

/// Characters of scripts that write no spaces between words, and Hangul syllables.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}'
        | '\u{ac00}'..='\u{d7a3}')
}

/// What UAX #29 leaves inside a word.
fn is_connector(character: char) -> bool {
    matches!(character, '.' | ':' | '_' | '·') || is_apostrophe(character)
}

/// What French, Italian and Catalan write before a vowel.
fn is_elision(part: &str) -> bool {
    let part = part.to_lowercase();
    matches!(
        part.as_str(),
        "c" | "d"
            | "j"
            | "l"
            | "m"
            | "n"
            | "s"
            | "t"
            | "qu"
            | "un"
            | "dell"
            | "all"
            | "nell"
            | "sull"
    )
}

/// The signs that belong to the word before them: `++` of `C++`, `#` of `C#`, where nothing follows them.
fn signs_behind(rest: &str) -> &str {
    let end = rest
        .find(|character| !matches!(character, '+' | '#'))
        .unwrap_or(rest.len());
    let alone = !rest[end..].starts_with(char::is_alphanumeric);
    if alone && end <= MOST_SIGNS {
        &rest[..end]
    } else {
        ""
    }
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
            [vec!["databas"], vec!["dont", "don"], vec!["run"]]
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
        assert_eq!(
            terms("Straße Łódź ΟΔΟΣ οδος", Some("xx")),
            [["strasse"], ["lodz"], ["οδοσ"], ["οδοσ"]]
        );
    }

    #[test]
    fn a_word_says_where_it_stands() {
        let mut places = Vec::new();
        Analyser::for_language(None)
            .words("Größe 12", |word| places.push((word.start, word.end)));
        assert_eq!(places, [(0, 7), (8, 10)]);
    }

    #[test]
    fn scripts_without_spaces_give_a_word_for_each_character() {
        assert_eq!(terms("データ", Some("ja")), [["デ"], ["ー"], ["タ"]]);
        assert_eq!(terms("ﾃﾞｰﾀ", Some("ja")), terms("データ", Some("ja")));
        assert_eq!(terms("서울대", Some("ko")), [["서"], ["울"], ["대"]]);
        assert_eq!(terms("น้ำ ไป", Some("th")), [["น้"], ["ํา"], ["ไ"], ["ป"]]);
        assert_eq!(terms("が", None), [["が"]]);
    }

    #[test]
    fn identifiers_are_kept_whole_and_in_parts() {
        assert_eq!(
            terms("C++, C# F", None),
            [vec!["c", "c++"], vec!["c", "c#"], vec!["f"]]
        );
        assert_eq!(terms("a+b", None), [["a"], ["b"]]);
        assert_eq!(
            terms("example.com U.S.A. l’amour", None),
            [
                vec!["example.com", "exampl", "com"],
                vec!["u.s.a", "usa"],
                vec!["lamour", "amour"]
            ]
        );
        let mut asked = Vec::new();
        Analyser::for_query(None).words("C++ l'amour don't", |word| asked.push(word.terms));
        assert_eq!(asked, [vec!["c++"], vec!["lamour", "amour"], vec!["dont"]]);
    }
}
