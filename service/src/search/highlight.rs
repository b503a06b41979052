//! Snippets: the words that matched, marked as they stand in the text, around the place where most of them are.

use uuid::Uuid;

use super::document::{FIELDS, Field, LIST_SEPARATOR, Place, field_text};
use super::known_places::places;
use crate::library::ResourceFields;

/// Bytes of a snippet, roughly; it begins and ends with a whole word.
const SNIPPET: usize = 240;

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
        if let Some(html) = mark(&text, &own, field == Field::Title) {
            result.push((field.name(), html));
        }
    }
    result
}

/// The text, or the densest part of it, escaped and with `<mark>` around the places.
fn mark(text: &str, places: &[Place], whole: bool) -> Option<String> {
    let (from, to) = if whole || text.len() <= SNIPPET {
        (0, text.len())
    } else {
        window(text, places)
    };
    let mut html = String::with_capacity(to - from + 16 * places.len());
    if from > 0 {
        html.push_str("… ");
    }
    let mut at = from;
    for place in joined(places)
        .iter()
        .filter(|place| place.start >= from && place.end <= to)
    {
        escape(text.get(at..place.start)?, &mut html);
        html.push_str("<mark>");
        escape(text.get(place.start..place.end)?, &mut html);
        html.push_str("</mark>");
        at = place.end;
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

/// The stretch of about [`SNIPPET`] bytes with the most matches, the first of those with as many.
fn window(text: &str, places: &[Place]) -> (usize, usize) {
    let mut best = (0, 0);
    for (index, place) in places.iter().enumerate() {
        let inside = places[index..]
            .iter()
            .take_while(|other| other.end <= place.start + SNIPPET * 3 / 4)
            .count();
        if inside > best.1 {
            best = (index, inside);
        }
    }
    let first = places[best.0].start;
    let from = text[..first]
        .char_indices()
        .rev()
        .take_while(|(index, _)| first - index <= SNIPPET / 4)
        .filter(|(_, character)| character.is_whitespace())
        .last()
        .map_or(
            if first <= SNIPPET / 4 { 0 } else { first },
            |(index, character)| {
                if first <= SNIPPET / 4 {
                    0
                } else {
                    index + character.len_utf8()
                }
            },
        );
    let to = text[first..]
        .char_indices()
        .find(|(index, character)| first + index >= from + SNIPPET && character.is_whitespace())
        .map_or(text.len(), |(index, _)| first + index);
    (from, to)
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
        let html = mark(&text, &places, false).unwrap();
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
