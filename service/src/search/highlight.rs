//! Snippets: the words that matched, marked as they stand in the text, around the place where most of them are.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;
use uuid::Uuid;

use super::analysis::Analyser;
use super::document::{FIELDS, Field, LIST_SEPARATOR, Place, field_text};
use super::known_places::places;
use crate::library::ResourceFields;

/// Bytes of a snippet, roughly; it begins and ends with a whole word, where the text has spaces.
const SNIPPET: usize = 240;
/// Bytes before the first mark at most.
const BEFORE: usize = SNIPPET / 4;
/// How much longer a snippet may be, so that it ends with a whole word.
const OVERHANG: usize = SNIPPET / 4;

/// Marks the matched positions in each field that has any: field name and HTML. Only those fields are cut into words
/// again; `matched` ascends.
pub fn highlights(
    id: Uuid,
    fields: &ResourceFields,
    field_ends: [u32; 5],
    matched: &[u32],
) -> Vec<(&'static str, String)> {
    let mut result = Vec::new();
    let mut begin = 0;
    for (field, end) in FIELDS.into_iter().zip(field_ends) {
        let first = begin;
        begin = end;
        let inside = |position: &&u32| (first..end).contains(*position);
        if field == Field::Other || !matched.iter().any(|position| inside(&position)) {
            continue;
        }
        let texts = field_text(fields, field);
        let is_matched = |place: &&Place| matched.binary_search(&(first + place.position)).is_ok();
        let all = places(id, field, &texts);
        let own: Vec<Place> = all.iter().filter(is_matched).copied().collect();
        if own.is_empty() {
            continue;
        }
        let text = texts.join(LIST_SEPARATOR);
        let language = fields.language.as_deref();
        if let Some(html) = mark(&text, &own, field == Field::Title, language) {
            result.push((field.name(), html));
        }
    }
    result
}

/// The text, or the densest part of it, escaped and with `<mark>` around the places.
fn mark(text: &str, places: &[Place], whole: bool, language: Option<&str>) -> Option<String> {
    let (from, to) = if whole || text.len() <= SNIPPET {
        (0, text.len())
    } else {
        window(text, places, &numbers(text, places, language))
    };
    let mut html = String::with_capacity(2 * (to - from));
    if from > 0 {
        html.push_str("… ");
    }
    let mut at = from;
    for place in joined(places) {
        // A word may be longer than the snippet.
        let (start, end) = (place.start.max(from), place.end.min(to));
        if start >= end {
            continue;
        }
        escape(text.get(at..start)?, &mut html);
        html.push_str("<mark>");
        escape(text.get(start..end)?, &mut html);
        html.push_str("</mark>");
        at = end;
    }
    escape(text.get(at..to)?, &mut html);
    if to < text.len() {
        html.push_str(" …");
    }
    Some(html)
}

/// Places without anything between them as one: the characters of scripts without spaces.
fn joined(places: &[Place]) -> Vec<Place> {
    let mut joined: Vec<Place> = Vec::with_capacity(places.len());
    for place in places {
        match joined.last_mut() {
            Some(last) if last.end == place.start => last.end = place.end,
            _ => joined.push(*place),
        }
    }
    joined
}

/// A number for the word at each place: words with one stem have the same.
fn numbers(text: &str, places: &[Place], language: Option<&str>) -> Vec<usize> {
    let analyser = Analyser::for_language(language);
    let (mut by_spelling, mut by_stem) = (HashMap::new(), HashMap::new());
    let number = |place: &Place| {
        let spelling = text.get(place.start..place.end).unwrap_or_default();
        *by_spelling.entry(spelling).or_insert_with(|| {
            let mut stem = None;
            analyser.words(spelling, |word| {
                if stem.is_none() {
                    stem = word.terms.last().cloned();
                }
            });
            let next = by_stem.len();
            *by_stem.entry(stem).or_insert(next)
        })
    };
    places.iter().map(number).collect()
}

/// The stretch of about [`SNIPPET`] bytes with the most different words, of those the one with the most matches, and of
/// those the first.
fn window(text: &str, places: &[Place], numbers: &[usize]) -> (usize, usize) {
    let mut inside = vec![0_usize; places.len()];
    let (mut best, mut first) = ((0, 0), 0);
    let (mut different, mut end) = (0, 0);
    for (index, place) in places.iter().enumerate() {
        while let Some(other) = places.get(end)
            && (other.end <= place.start + SNIPPET - BEFORE || end == index)
        {
            different += usize::from(inside[numbers[end]] == 0);
            inside[numbers[end]] += 1;
            end += 1;
        }
        if (different, end - index) > best {
            best = (different, end - index);
            first = place.start;
        }
        inside[numbers[index]] -= 1;
        different -= usize::from(inside[numbers[index]] == 0);
    }
    let from = beginning(text, first);
    (from, ending(text, from))
}

/// Where a snippet begins whose first mark is at `first`: behind a space, unless that is too near or not there.
fn beginning(text: &str, first: usize) -> usize {
    let earliest = first.saturating_sub(BEFORE);
    if earliest == 0 {
        return 0;
    }
    let earliest = text.ceil_char_boundary(earliest);
    let before = &text[earliest..first];
    let space = before
        .char_indices()
        .find(|(_, character)| character.is_whitespace())
        .map(|(index, character)| index + character.len_utf8())
        .filter(|index| *index <= BEFORE / 2);
    // The first grapheme may be the rest of one.
    let grapheme = before.grapheme_indices(true).nth(1).map(|(index, _)| index);
    earliest + space.or(grapheme).unwrap_or(before.len())
}

/// Where a snippet ends that begins at `from`: before a space, unless that is too far away.
fn ending(text: &str, from: usize) -> usize {
    let least = text.ceil_char_boundary(from.saturating_add(SNIPPET));
    let most = text.ceil_char_boundary(least.saturating_add(OVERHANG));
    if most == text.len() {
        return most;
    }
    let space = text[least..most]
        .char_indices()
        .find(|(_, character)| character.is_whitespace())
        .map(|(index, _)| least + index);
    let grapheme = || {
        text[from..most]
            .grapheme_indices(true)
            .map(|(index, _)| from + index)
            .find(|index| *index >= least)
    };
    space.or_else(grapheme).unwrap_or(least)
}

fn escape(text: &str, html: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        html.push_str(&rest[..at]);
        html.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        });
        rest = &rest[at + 1..];
    }
    html.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a snippet shows, without marks and dots.
    fn shown(html: &str) -> String {
        let html = html.strip_prefix("… ").unwrap_or(html);
        let html = html.strip_suffix(" …").unwrap_or(html);
        let mut text = html.replace("<mark>", "").replace("</mark>", "");
        assert!(!text.contains(['<', '>', '"', '\'']), "{html}");
        for (escaped, character) in [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&amp;", "&"),
        ] {
            text = text.replace(escaped, character);
        }
        text
    }

    #[test]
    fn whatever_the_text_a_snippet_is_a_short_part_of_it_with_a_mark() {
        const PIECES: [&str; 12] = [
            "word ",
            "図書館",
            "<&>'\"",
            " ",
            "é",
            "e\u{301}\u{302}",
            "👩‍👩‍👧",
            "longer",
            "\n",
            "ก็",
            "한국",
            ". ",
        ];
        let mut state = 1_u32;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        for round in 0..400 {
            let kinds = 1 + next(PIECES.len());
            let text: String = (0..next(400)).map(|_| PIECES[next(kinds)]).collect();
            let places = super::super::document::text_places(&[&text], 0);
            let every = 1 + next(20);
            let own: Vec<Place> = places.into_iter().step_by(every).collect();
            if own.is_empty() {
                continue;
            }
            let html = mark(&text, &own, false, None).unwrap();
            let shown = shown(&html);
            assert!(text.contains(&shown), "{round}: {html}");
            assert!(
                shown.len() <= SNIPPET + BEFORE + OVERHANG,
                "{round}: {html}"
            );
            let (begun, ended) = (html.matches("<mark>"), html.matches("</mark>"));
            let begun = begun.count();
            assert!(begun > 0 && begun == ended.count(), "{round}: {html}");
        }
    }

    #[test]
    fn a_long_text_is_cut_around_the_densest_match_and_escaped() {
        let text = format!(
            "{} <rust> & rust {}",
            "word ".repeat(80),
            "tail ".repeat(80)
        );
        let first = text.find("rust").unwrap();
        let places = [first, first + 8].map(|start| Place {
            position: 0,
            start,
            end: start + 4,
        });
        let html = mark(&text, &places, false, None).unwrap();
        assert!(
            html.contains("&lt;<mark>rust</mark>&gt; &amp; <mark>rust</mark> tail"),
            "{html}"
        );
        assert!(
            html.starts_with("… word") && html.ends_with("tail …") && html.len() < 400,
            "{html}"
        );
    }
}
