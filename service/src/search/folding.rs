//! What of a word counts when it is compared, and how it is shown.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Bytes of a term at most; a longer word is cut.
const LONGEST_TERM: usize = 128;

/// A word as it is shown to people: lower case, its accents kept.
pub fn spelling(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.nfkc()
        .filter(|character| !is_ignored(*character))
        .flat_map(char::to_lowercase)
        .map(|character| {
            if is_apostrophe(character) {
                '\''
            } else {
                character
            }
        })
        .collect()
}

/// NFKC in lower case without accents and apostrophes, cut to a bounded length.
pub fn fold(word: &str) -> String {
    let mut folded = fold_whole(word);
    if folded.len() > LONGEST_TERM {
        let mut end = LONGEST_TERM;
        while !folded.is_char_boundary(end) {
            end -= 1;
        }
        folded.truncate(end);
    }
    folded
}

/// A name as it is compared: its words folded, single spaces between. A name of nothing that counts stays as it is.
pub fn fold_name(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        let word = fold_whole(word);
        if !word.is_empty() {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(&word);
        }
    }
    if folded.is_empty() {
        name.trim().to_owned()
    } else {
        folded
    }
}

/// Whether nothing of a word counts, so that its fold is empty.
pub fn folds_to_nothing(word: &str) -> bool {
    if word.is_ascii() {
        !word.chars().any(is_kept)
    } else {
        fold_whole(word).is_empty()
    }
}

/// Of ASCII.
fn is_kept(character: char) -> bool {
    character.is_ascii_graphic() && character != '\''
}

/// NFKC in lower case without accents and apostrophes.
fn fold_whole(word: &str) -> String {
    if word.is_ascii() {
        let mut folded = word.to_ascii_lowercase();
        folded.retain(is_kept);
        folded
    } else {
        let bare = |character: &char| {
            !is_accent(*character)
                && !is_apostrophe(*character)
                && !is_ignored(*character)
                && !character.is_whitespace()
                && !character.is_control()
        };
        let mut plain = String::with_capacity(word.len());
        for character in word
            .nfkd()
            .filter(bare)
            .flat_map(char::to_lowercase)
            .filter(bare)
        {
            match without_stroke(character) {
                Some(letters) => plain.push_str(letters),
                None => plain.push(character),
            }
        }
        plain.nfc().collect()
    }
}

/// Marks that a reader may leave out. Those of Thai, the Indic scripts and kana are letters of their own.
fn is_accent(character: char) -> bool {
    is_combining_mark(character)
        && matches!(character,
            '\u{300}'..='\u{7a5}' | '\u{7b1}'..='\u{8ff}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe2f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Characters without a meaning of their own: soft hyphen, Arabic tatweel, joiners and marks of direction.
fn is_ignored(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{640}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Letters that Unicode does not decompose, in the letters that people type for them.
fn without_stroke(character: char) -> Option<&'static str> {
    Some(match character {
        'ß' => "ss",
        'ς' => "σ",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        _ => return None,
    })
}

pub fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '’' | '＇')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_folds_to_nothing_has_an_empty_fold() {
        for word in ["a", "'", "''", "'s", " ", "\u{7f}", "\u{301}", "é", "’", ""] {
            assert_eq!(folds_to_nothing(word), fold(word).is_empty(), "{word:?}");
        }
        assert_eq!(fold("Don'T\u{1f}"), "dont");
    }

    #[test]
    fn names_are_compared_without_case_accents_and_spacing() {
        for name in ["Gödel, Kurt", " GODEL,\u{a0} kurt ", "Go\u{308}del, Kurt"] {
            assert_eq!(fold_name(name), "godel, kurt");
        }
        assert_ne!(fold_name("Gödel Kurt"), fold_name("Gödel, Kurt"));
        assert_eq!(fold_name(" \u{301} "), "\u{301}");
        let long = "x".repeat(400);
        assert_eq!(fold_name(&long), long);
    }

    #[test]
    fn a_spelling_keeps_its_accents() {
        assert_eq!(spelling("Größe"), "größe");
        assert_eq!(spelling("Don’t"), "don't");
    }
}
