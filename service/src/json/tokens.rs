//! The tokens under which SQLite's index over JSON keeps a document.
//!
//! A path gives one token, and each scalar under it another that begins with the path's. Arrays are transparent: their
//! elements stand under the path of the array. Within a path, tokens of numbers and of strings have the order of the
//! values, so that a range of values is a range of tokens. Tokens are lossy (paths are hashed, numbers rounded to
//! doubles, strings cut), so whoever looks something up checks the document again; order and equality survive the loss.
//!
//! Digits and small letters alone: FTS5's tokeniser folds capitals.

use serde_json::Value as Json;

use super::number::Decimal;
use super::{Comparison, JsonColumn};
use crate::library::ResourceFields;

/// Bytes of a string that a token keeps in order; of a longer string the rest is hashed.
const KEPT_BYTES: usize = 20;
/// Follows every letter and digit, and is no part of a token.
const AFTER_ALL: char = '~';

const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// A place in a column, found by following keys.
#[derive(Clone, Copy)]
pub(super) struct Place(u64);

impl Place {
    /// Bytes of a token that tell the place and the kind of the value.
    pub(super) const KIND_END: usize = 11;

    pub(super) fn of(column: JsonColumn) -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(&[column as u8])
    }

    pub(super) fn key(self, key: &str) -> Self {
        // The separator cannot stand in a key.
        self.with(&[0]).with(key.as_bytes())
    }

    /// FNV-1a.
    fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    /// Something is there, be it null.
    pub(super) fn token(self) -> String {
        let mut token = String::with_capacity(16);
        // 50 bits; they are mixed, because FNV's high bits depend on the last bytes little.
        let mixed = self.0 ^ (self.0 >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        push_bits(&mut token, mixed, 50);
        token
    }

    /// A scalar is there. `None` for arrays and objects.
    pub(super) fn scalar_token(self, value: &Json) -> Option<String> {
        let mut token = self.token();
        match value {
            Json::Null => token.push('n'),
            Json::Bool(false) => token.push('f'),
            Json::Bool(true) => token.push('t'),
            Json::Number(number) => {
                token.push('d');
                push_number(&mut token, number.as_str())?;
            }
            Json::String(text) => return Some(self.text_token(text)),
            Json::Array(_) | Json::Object(_) => return None,
        }
        Some(token)
    }

    /// A string is there.
    fn text_token(self, text: &str) -> String {
        let mut token = self.token();
        token.push('s');
        push_text(&mut token, text);
        if text.len() > KEPT_BYTES {
            push_bits(&mut token, Self(0x9e37).with(text.as_bytes()).0, 40);
        }
        token
    }

    /// The first and the last token of the values that compare so. `None` for what has no order.
    pub(super) fn range(self, comparison: Comparison, value: &Json) -> Option<(String, String)> {
        let (mut first, mut last) = (self.token(), self.token());
        let kind = match value {
            Json::Number(_) => 'd',
            Json::String(_) => 's',
            _ => return None,
        };
        first.push(kind);
        last.push(kind);
        let bound = match comparison {
            Comparison::Less | Comparison::LessOrEqual => &mut last,
            Comparison::Greater | Comparison::GreaterOrEqual => &mut first,
        };
        match value {
            Json::Number(number) => push_number(bound, number.as_str())?,
            Json::String(text) => push_text(bound, text),
            _ => return None,
        }
        let cut = matches!(value, Json::String(text) if text.len() > KEPT_BYTES);
        match comparison {
            Comparison::Greater | Comparison::GreaterOrEqual => last.push(AFTER_ALL),
            // Strings with the same beginning differ in what is hashed.
            _ if cut => last.push(AFTER_ALL),
            _ => {}
        }
        Some((first, last))
    }

    /// The first and the last token of the strings that begin so.
    pub(super) fn beginning(self, text: &str) -> (String, String) {
        let mut first = self.token();
        first.push('s');
        let mut last = first.clone();
        push_text(&mut first, text);
        // Every string that begins so has these whole groups of five bits.
        let kept = &text.as_bytes()[..text.len().min(KEPT_BYTES)];
        let whole = kept.len() * 8 / 5;
        let mut all = String::new();
        push_text(&mut all, text);
        last.extend(all.chars().chain(std::iter::repeat('0')).take(whole));
        last.push(AFTER_ALL);
        (first, last)
    }
}

/// Every token of a resource, each once.
pub(crate) fn tokens_of(fields: &ResourceFields) -> Vec<String> {
    let mut tokens = Vec::new();
    collect(
        Place::of(JsonColumn::Metadata),
        &fields.metadata,
        &mut tokens,
    );
    for (column, list) in [
        (JsonColumn::Subject, &fields.subject),
        (JsonColumn::Relation, &fields.relation),
    ] {
        let place = Place::of(column);
        tokens.extend(list.iter().map(|text| place.text_token(text)));
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

fn collect(place: Place, value: &Json, tokens: &mut Vec<String>) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| collect(place, item, tokens)),
        Json::Object(members) => {
            for (key, member) in members {
                let place = place.key(key);
                tokens.push(place.token());
                collect(place, member, tokens);
            }
        }
        scalar => tokens.extend(place.scalar_token(scalar)),
    }
}

/// Five bits a character, the high ones first.
fn push_bits(token: &mut String, bits: u64, count: u32) {
    for group in (0..count / 5).rev() {
        let five = (bits >> (group * 5)) & 31;
        token.push(char::from(DIGITS[five as usize]));
    }
}

/// The nearest double in an order-preserving form, without the zeros at its end.
fn push_number(token: &mut String, text: &str) -> Option<()> {
    let number: f64 = text.parse().ok()?;
    // One zero for both signs of it.
    let bits = (number + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    };
    let begin = token.len();
    // 65 bits: the lowest group has four of them.
    push_bits(token, ordered >> 4, 60);
    push_bits(token, (ordered & 15) << 1, 5);
    let kept = token[begin..].trim_end_matches('0').len();
    token.truncate(begin + kept);
    debug_assert!(Decimal::parse(text).is_some());
    Some(())
}

/// The first bytes, in order.
fn push_text(token: &mut String, text: &str) {
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().take(KEPT_BYTES) {
        bits = (bits << 8) | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            token.push(char::from(DIGITS[(bits >> count & 31) as usize]));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        token.push(char::from(DIGITS[(bits << (5 - count) & 31) as usize]));
    }
}
