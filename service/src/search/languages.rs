//! Which stemmer a language or a script has.

use rust_stemmers::Algorithm;

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

/// Snowball's languages in Latin script but English: a query does not say which of them it is in.
pub const LATIN: [&str; 13] = [
    "da", "de", "es", "fi", "fr", "hu", "it", "nl", "no", "pt", "ro", "sv", "tr",
];

/// The stemmer of a language by its two-letter code.
pub fn algorithm(language: &str) -> Option<Algorithm> {
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

/// The language that a script is written for above all, where it is one of Snowball's.
pub fn script_language(letter: char) -> Option<&'static str> {
    Some(match letter {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => "el",
        '\u{400}'..='\u{52f}' => "ru",
        '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => "ar",
        '\u{b80}'..='\u{bff}' => "ta",
        _ => return None,
    })
}
