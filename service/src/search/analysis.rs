//! Text becomes terms here, in one place, so that both databases index the same ones.
//!
//! Words are segmented by Unicode's rules (UAX #29), stemmed by the Snowball stemmer of the text's language, and folded
//! (NFKC without accents, lower case). The stemmer sees the accents, as it looks for endings that have some, and for those
//! who type without them also the word without. A text in a language other than English also keeps its folded words,
//! since a query does not say which language it is in. In documents such stems carry their language (`=fr:livr`), so
//! that they are not taken for words or stems of another one. Scripts that write no spaces (and Hangul, whose particles stick
//! to words) give a word for each character; a query of several characters is a phrase of them, so that it is found
//! wherever it stands. Words with something inside (`don't`, `snake_case`, `example.com`) are kept whole and in parts,
//! `C++` and `C#` with what follows the letter.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

use super::folding::{fold, folds_to_nothing, is_apostrophe, spelling};
use super::known_words::{KnownWords, Terms};
use super::languages::{LATIN, primary_language, script_language};
use super::stems::Stems;

/// The number of this analysis, of the form in which it is packed and of what of it is indexed, kept with each document. A
/// change to any of them raises it; `pharos reindex` then finds what was analysed before.
pub const ANALYSIS: i64 = 4;

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
    stemmers: Vec<Stems>,
    keeps_folded: bool,
    /// Whether stems carry their language.
    marks: bool,
    /// Where no language is given, words in other scripts have stemmers of their own.
    by_script: bool,
    /// A query asks for what was typed, a text is also found by parts of its words.
    is_query: bool,
}

impl Analyser {
    /// For text in a language given as a tag (`en`, `en-US`, `eng`), without stemming when it is not among Snowball's.
    /// Without a tag the script of a word decides: Russian, Greek, Arabic, Tamil, else English.
    pub fn for_language(tag: Option<&str>) -> Self {
        Self::of(tag, false)
    }

    /// For the text of a document: as [`Self::for_language`], with stems that carry their language.
    pub fn for_document(tag: Option<&str>) -> Self {
        Self::of(tag, true)
    }

    /// For the text of a document that names no language, but is in this one: it also has what it would have if that
    /// were not known, so that nothing is lost where it is wrong.
    pub fn for_detected(language: &'static str) -> Self {
        Self {
            stemmers: Stems::marked(language)
                .into_iter()
                .chain([Stems::english()])
                .collect(),
            keeps_folded: true,
            marks: true,
            by_script: true,
            is_query: false,
        }
    }

    fn of(tag: Option<&str>, marks: bool) -> Self {
        let stems = match tag {
            None => Some(Stems::english()),
            Some(tag) => Stems::of_tag(tag, marks),
        };
        let english = tag.is_none_or(|tag| primary_language(tag) == "en");
        Self {
            stemmers: stems.into_iter().collect(),
            keeps_folded: !english,
            marks,
            by_script: tag.is_none(),
            is_query: false,
        }
    }

    /// For queries over texts of [`Self::for_language`]: the folded word, and its stem in English or that of its script.
    pub fn for_query() -> Self {
        Self {
            stemmers: vec![Stems::english()],
            keeps_folded: true,
            marks: false,
            by_script: true,
            is_query: true,
        }
    }

    /// For queries over documents: the folded word and its stem in the languages asked for; without one those in English
    /// and in the library's languages, or that of its script.
    pub fn for_search(languages: &[String], library: &[&'static str]) -> Self {
        let stemmers = if languages.is_empty() {
            let others = library
                .iter()
                .filter_map(|language| Stems::marked(language));
            [Stems::english()].into_iter().chain(others).collect()
        } else {
            let asked = languages.iter();
            asked.filter_map(|tag| Stems::of_tag(tag, true)).collect()
        };
        Self {
            stemmers,
            keeps_folded: true,
            marks: true,
            by_script: languages.is_empty(),
            is_query: true,
        }
    }

    /// The languages other than English and those of a script in which documents have stems.
    pub fn marked_languages(&self) -> impl Iterator<Item = &'static str> {
        let languages = self.stemmers.iter().filter_map(|stems| stems.language);
        languages.filter(|language| LATIN.contains(language))
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

    /// Calls `each` for every word of a text, in order, with its terms alone. What words become is remembered, so that a
    /// text in a common language costs little.
    pub(super) fn terms_of_words(
        &self,
        text: &str,
        known: &mut KnownWords,
        mut each: impl FnMut(Terms<'_>),
    ) {
        let number = self.number();
        segments(text, |start, word| {
            let signs = signs_behind(&text[start + word.len()..]);
            let analyse = || self.terms(word, signs);
            let terms = if signs.is_empty() {
                known.terms(number, word, analyse)
            } else {
                known.passing(word, &analyse())
            };
            if !terms.is_empty() {
                each(terms);
            }
        });
    }

    /// Analysers of documents that have the same number make the same of a word; they have two stemmers at most.
    fn number(&self) -> u64 {
        let flags = [self.keeps_folded, self.marks, self.by_script, self.is_query];
        let flags = flags
            .into_iter()
            .fold(1, |number, flag| number << 1 | u64::from(flag));
        let stemmers = self.stemmers.iter().map(Stems::number);
        stemmers.fold(flags, |number, stems| number << 8 | stems)
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
        if word.chars().all(is_compatible) {
            return self.terms_of_sign(word);
        }
        let folded = fold(word);
        if folded.is_empty() {
            return Vec::new();
        }
        let with_signs = (!signs.is_empty()).then(|| format!("{folded}{}", fold(signs)));
        if self.is_query
            && let Some(with_signs) = with_signs
        {
            return vec![with_signs];
        }
        let base = (!self.is_query).then(|| base(&folded)).flatten();
        let mut terms = self.reduce(word, folded);
        terms.extend(base);
        terms.extend(with_signs);
        if word.chars().any(is_connector) {
            self.add_parts(word, &mut terms);
        }
        terms
    }

    /// `㎏` is found by `kg`.
    fn terms_of_sign(&self, sign: &str) -> Vec<String> {
        let mut terms = Vec::new();
        let written_out: String = sign.nfkc().collect();
        for (_, word) in written_out.unicode_word_indices() {
            for term in self.reduce(word, fold(word)) {
                if !term.is_empty() && !terms.contains(&term) {
                    terms.push(term);
                }
            }
        }
        terms
    }

    /// The stems of a word, then the word itself, folded, where that is kept.
    fn reduce(&self, word: &str, folded: String) -> Vec<String> {
        let of_script = if self.by_script && !folded.is_ascii() {
            folded
                .chars()
                .find_map(script_language)
                .and_then(Stems::marked)
        } else {
            None
        };
        let of_script = of_script.map(|stems| stems.marked_if(self.marks));
        let keeps_folded = self.keeps_folded || of_script.is_some();
        let stemmers = match &of_script {
            Some(only) => std::slice::from_ref(only),
            None => &self.stemmers,
        };
        let accented = if word.is_ascii() {
            None
        } else {
            Some(accented(word)).filter(|accented| *accented != folded)
        };
        let mut terms: Vec<String> = Vec::new();
        for stems in stemmers {
            let of_accented = accented.as_deref().and_then(|word| stems.of_accented(word));
            let of_folded = stems.stem(&folded).map(Cow::into_owned);
            for stem in of_accented.into_iter().chain(of_folded) {
                if stem != folded && !terms.contains(&stem) {
                    terms.push(stem);
                }
            }
        }
        if keeps_folded || terms.is_empty() {
            terms.push(folded);
        }
        terms
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
            for term in self.reduce(&part, fold(&part)) {
                if !term.is_empty() && !terms.contains(&term) {
                    terms.push(term);
                }
            }
        }
    }
}

/// A word in lower case with its accents, as stemmers know it.
fn accented(word: &str) -> String {
    // The dot that is left of a capital İ is no part of an i.
    let is_part = |character: &char| !is_apostrophe(*character) && *character != '\u{307}';
    spelling(word).chars().filter(is_part).collect()
}

/// Of a cluster of Thai and the like, the term of its consonant; [`begun`] asks for it.
fn base(cluster: &str) -> Option<String> {
    let mut characters = cluster.chars();
    let first = characters.next().filter(|first| has_marks(*first))?;
    characters.next().map(|_| format!("=b:{first}"))
}

/// The last word of what was typed may be a consonant of which the vowel is still to come: the term of the clusters that
/// begin so.
pub(super) fn begun(word: &str) -> Option<String> {
    let mut characters = word.chars();
    let first = characters.next().filter(|first| has_marks(*first))?;
    characters.next().is_none().then(|| format!("=b:{first}"))
}

/// Whether it is a letter of Thai, Lao, Burmese or Khmer, which vowels may stand above and beneath.
fn has_marks(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
        && !is_combining_mark(character)
}

/// Calls `each` for every word of a text: where it begins, and the word as it stands there.
pub fn segments(text: &str, mut each: impl FnMut(usize, &str)) {
    if text.is_ascii() || !text.chars().any(is_compatible) {
        words(text.unicode_word_indices(), &mut each);
        return;
    }
    let is_word = |(_, part): &(usize, &str)| {
        part.chars().any(char::is_alphanumeric)
            || part.chars().all(is_compatible) && part.nfkc().any(char::is_alphanumeric)
    };
    words(text.split_word_bound_indices().filter(is_word), &mut each);
}

/// Signs that stand for letters or words in another form (`㎏`, `℃`, `㈱`), and are no letters themselves.
fn is_compatible(character: char) -> bool {
    matches!(character, '\u{2100}'..='\u{214f}' | '\u{3200}'..='\u{33ff}' | '\u{1f100}'..='\u{1f2ff}')
        && !character.is_alphanumeric()
}

fn words<'t>(found: impl Iterator<Item = (usize, &'t str)>, each: &mut impl FnMut(usize, &str)) {
    for (start, word) in found {
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
pub(super) fn is_unspaced(character: char) -> bool {
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
        .find(|character| !matches!(character, '+' | '#' | '＋' | '＃'))
        .unwrap_or(rest.len());
    let alone = !rest[end..].starts_with(char::is_alphanumeric);
    if alone && rest[..end].chars().nth(MOST_SIGNS).is_none() {
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
    fn stemmers_see_the_accents() {
        for (language, one, other) in [
            ("ru", "русская", "русский"),
            ("ru", "Большой", "большая"),
            ("fr", "utilisées", "utiliser"),
            ("pt", "instalações", "instalação"),
            ("tr", "dosyanın", "dosya"),
            ("hu", "könyvek", "könyv"),
        ] {
            let (one, other) = (terms(one, Some(language)), terms(other, Some(language)));
            assert!(
                one[0].iter().any(|term| other[0].contains(term)),
                "{one:?} {other:?}"
            );
        }
        assert_eq!(terms("GrandPré", Some("en")), [["grandpr"]]);
    }

    #[test]
    fn stems_of_documents_carry_their_language() {
        let of = |analyser: Analyser, text: &str| {
            let mut terms = Vec::new();
            analyser.words(text, |word| terms.push(word.terms));
            terms
        };
        assert_eq!(
            of(Analyser::for_document(Some("fra")), "livres"),
            [["=fr:livr", "livres"]]
        );
        assert_eq!(
            of(Analyser::for_detected("fr"), "livres"),
            [["=fr:livr", "livr", "livres"]]
        );
        assert_eq!(
            of(Analyser::for_document(Some("en")), "libraries"),
            [["librari"]]
        );
        assert_eq!(
            of(Analyser::for_document(None), "книги"),
            of(Analyser::for_document(Some("ru")), "книги")
        );
        assert_eq!(
            of(Analyser::for_search(&[], &["fr"]), "livre книги"),
            [vec!["livr", "=fr:livr", "livre"], vec!["=ru:книг", "книги"]]
        );
        assert_eq!(
            of(Analyser::for_search(&["fr".to_owned()], &["de"]), "livre"),
            [["=fr:livr", "livre"]]
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
        assert_eq!(
            terms("น้ำ ไป", Some("th")),
            [vec!["น้", "=b:น"], vec!["ํา"], vec!["ไ"], vec!["ป"]]
        );
        assert_eq!(terms("が", None), [["が"]]);
        assert_eq!(terms("㎏ 5", None), [["kg"], ["5"]]);
        assert_eq!(terms("㈱", Some("ja")), [["株"]]);
    }

    #[test]
    fn identifiers_are_kept_whole_and_in_parts() {
        assert_eq!(
            terms("C++, C# F", None),
            [vec!["c", "c++"], vec!["c", "c#"], vec!["f"]]
        );
        assert_eq!(terms("Ｃ＋＋", None), [["c", "c++"]]);
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
        Analyser::for_query().words("C++ l'amour don't", |word| asked.push(word.terms));
        assert_eq!(asked, [vec!["c++"], vec!["lamour", "amour"], vec!["dont"]]);
    }
}
