//! Which language a text is in, where nobody has said so.
//!
//! Told from the trigrams of its beginning (whatlang), which takes some 150 µs; English is told from its commonest
//! words first, which takes a few.

use std::str::Split;

use whatlang::{Detector, Lang, Script};

use super::languages::algorithm;
use crate::library::ResourceFields;

/// Bytes of a text that are looked at, at most.
const LONGEST: usize = 480;
/// Bytes of a text below which no language is told.
const SHORTEST: usize = 80;

/// Words that English has and the other languages told from it hardly do.
const ENGLISH: [&str; 19] = [
    "and", "been", "between", "from", "have", "into", "it", "its", "not", "or", "that", "the",
    "their", "these", "this", "was", "were", "which", "with",
];
/// So many of them at least, and one of so many words, make a text English.
const FEWEST_ENGLISH: usize = 2;
const ENGLISH_SHARE: usize = 20;
/// So many of them do in any text of this length.
const ENOUGH_ENGLISH: usize = 5;

/// The two-letter code of the language of a resource that names none, by its title and description. `None` where the
/// text is English, or too short, or it is not clear, or the language has no stemmer, or the script decides.
pub fn detect(fields: &ResourceFields) -> Option<&'static str> {
    let mut text = String::with_capacity(LONGEST);
    push_beginning(&mut text, &fields.title);
    text.push(' ');
    push_beginning(&mut text, fields.description.as_deref().unwrap_or_default());
    if text.len() < SHORTEST || is_english(text.split(' ')) {
        return None;
    }
    let told = Detector::new().detect(&text)?;
    if told.script() != Script::Latin || !told.is_reliable() {
        return None;
    }
    let code = two_letters(told.lang())?;
    algorithm(code).map(|_| code)
}

fn push_beginning(text: &mut String, more: &str) {
    let mut end = more.len().min(LONGEST.saturating_sub(text.len()));
    while !more.is_char_boundary(end) {
        end -= 1;
    }
    text.push_str(&more[..end]);
}

fn is_english(words: Split<'_, char>) -> bool {
    let (mut all, mut english) = (0, 0);
    for word in words {
        all += 1;
        english += usize::from(ENGLISH.iter().any(|other| word.eq_ignore_ascii_case(other)));
        if english == ENOUGH_ENGLISH {
            return true;
        }
    }
    english >= FEWEST_ENGLISH && english * ENGLISH_SHARE >= all
}

/// Those of Snowball's languages in Latin script but English.
fn two_letters(language: Lang) -> Option<&'static str> {
    Some(match language {
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Hun => "hu",
        Lang::Ita => "it",
        Lang::Nld => "nl",
        Lang::Nob => "no",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Spa => "es",
        Lang::Swe => "sv",
        Lang::Tur => "tr",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(title: &str, description: &str) -> Option<&'static str> {
        detect(&ResourceFields {
            title: title.to_owned(),
            description: Some(description.to_owned()),
            ..ResourceFields::default()
        })
    }

    #[test]
    fn a_language_is_told_from_title_and_description() {
        for (language, title, description) in [
            (
                Some("fr"),
                "La vie des oiseaux",
                "Une introduction aux oiseaux des montagnes et des forêts, avec des cartes et de nombreuses illustrations.",
            ),
            (
                Some("de"),
                "Das Leben der Vögel",
                "Eine Einführung in die Vögel der Berge und Wälder, mit Karten und vielen Abbildungen für Anfänger.",
            ),
            (
                Some("es"),
                "La vida de las aves",
                "Una introducción a las aves de las montañas y los bosques, con mapas y muchas ilustraciones.",
            ),
            (
                Some("it"),
                "La vita degli uccelli",
                "Un'introduzione agli uccelli delle montagne e dei boschi, con carte e molte illustrazioni.",
            ),
            (
                Some("nl"),
                "Het leven van vogels",
                "Een inleiding tot de vogels van de bergen en de bossen, met kaarten en veel afbeeldingen, voor wie ze zelf wil gaan zoeken en voor wie er thuis over wil lezen.",
            ),
            (
                Some("sv"),
                "Fåglarnas liv",
                "En introduktion till fåglarna i bergen och skogarna, med kartor och många bilder för nybörjare.",
            ),
            (
                None,
                "The lives of birds",
                "An introduction to the birds of the mountains and the forests, with maps and many pictures.",
            ),
            // Polish has no stemmer.
            (
                None,
                "Życie ptaków",
                "Wprowadzenie do świata ptaków górskich i leśnych, z mapami i wieloma ilustracjami dla początkujących.",
            ),
            // Too short.
            (None, "Häuser und Gärten", ""),
            (
                None,
                "Жизнь птиц",
                &"Книга о птицах гор и лесов. ".repeat(9),
            ),
            (None, &"ﬁ".repeat(300), ""),
        ] {
            assert_eq!(told(title, description), language, "{title}");
        }
    }
}
