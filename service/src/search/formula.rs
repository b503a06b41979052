//! How well a document matches a word.
//!
//! The score is BM25F (Robertson and Zaragoza 2009, section 3.6): the frequencies of a word in the *head* (title,
//! subject, creator) and in the *body* (everything else) are weighted by field, each divided by its own length
//! normalisation, added, and then saturated together. The idf is Lucene's, ln(1 + (N − n + ½) / (n + ½)), which never is
//! negative. N and the mean lengths are those of the library; n counts the documents that have the word (for a phrase,
//! prefix, field or year: the candidates).

use super::document::{FIELDS, Zone};
use super::packed::Terms;
use super::query::Atom;
use super::stop_words::word_weight;

/// How soon further occurrences of a word stop to count.
const K1: f64 = 1.2;
/// How much a length counts.
const B: f64 = 0.75;

/// How often a word stands in a document: in the head weighted by field, in half points; in the body plainly. More than
/// 255 count as 255, which the saturation makes equal anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frequency {
    pub head: u8,
    pub body: u8,
}

impl Frequency {
    /// Of occurrences at these positions. A whole value has none: it is found, but adds nothing to a score.
    pub fn at(terms: &Terms<'_>, positions: impl Iterator<Item = u32>) -> Self {
        let (mut head, mut body) = (0_u32, 0_u32);
        for position in positions {
            let field = FIELDS[terms.field_at(position)];
            match field.zone() {
                Zone::Head => head += field.half_points(),
                Zone::Body => body += 1,
            }
        }
        Self {
            head: u8::try_from(head).unwrap_or(u8::MAX),
            body: u8::try_from(body).unwrap_or(u8::MAX),
        }
    }

    /// Which of two terms for one word counts.
    pub fn is_more_than(self, other: Self) -> bool {
        // Of equal ones that with more in the head, so that the order of the terms decides nothing.
        let weigh = |it: Self| (u32::from(it.head) + 2 * u32::from(it.body), it.head);
        weigh(self) > weigh(other)
    }
}

/// Words in the two parts of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lengths {
    pub head: u32,
    pub body: u32,
}

/// The mean lengths of those documents of the library that have a head, or a body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norms {
    head: f64,
    body: f64,
}

impl Norms {
    pub fn new(head: f64, body: f64) -> Self {
        Self {
            head: head.max(1.0),
            body: body.max(1.0),
        }
    }
}

/// The part of BM25F that depends on the document: from 0 to k1 + 1.
#[inline]
pub fn saturation(frequency: Frequency, lengths: Lengths, norms: &Norms) -> f64 {
    let norm = |length: u32, mean: f64| 1.0 - B + B * f64::from(length) / mean;
    let head = f64::from(frequency.head) / 2.0 / norm(lengths.head, norms.head);
    let body = f64::from(frequency.body) / norm(lengths.body, norms.body);
    (head + body) * (K1 + 1.0) / (head + body + K1)
}

/// Lucene's idf; a word is never in more documents than there are.
pub fn inverse_frequency(documents: f64, count: f64) -> f64 {
    (1.0 + (documents.max(count) - count + 0.5) / (count + 0.5)).ln()
}

/// How much an atom counts: a stop word on its own hardly does.
pub fn weight(atom: &Atom) -> f64 {
    match atom.single_word().and_then(<[String]>::last) {
        Some(folded) => word_weight(folded),
        None => 1.0,
    }
}

/// Six digits, so that the last bits of a sum decide nothing.
pub fn rounded(score: f64) -> f64 {
    // Adding 0 makes −0 of an empty sum 0.
    (score * 1e6).round() / 1e6 + 0.0
}
