//! One spelling for JSON, so that both databases store and return the same bytes: keys are sorted by their bytes, and
//! numbers are written out in plain digits, exactly.

use serde_json::{Number, Value as Json};

use super::number::Decimal;

/// How deep arrays and objects may be nested.
pub const DEEPEST: usize = 64;

/// Why a JSON value cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// A string or key contains U+0000, which PostgreSQL cannot store.
    Nul,
    /// Nested deeper than [`DEEPEST`].
    TooDeep,
    /// A number has more than [`super::number::MOST_DIGITS`] before or after its point.
    TooManyDigits,
}

/// Brings a value into its canonical form.
pub fn canonicalise(value: &mut Json) -> Result<(), JsonFault> {
    canonicalise_at(value, 0)
}

fn canonicalise_at(value: &mut Json, depth: usize) -> Result<(), JsonFault> {
    if depth > DEEPEST {
        return Err(JsonFault::TooDeep);
    }
    match value {
        Json::String(text) if text.contains('\0') => Err(JsonFault::Nul),
        Json::Number(number) => {
            *number = canonical_number(number)?;
            Ok(())
        }
        Json::Array(items) => items
            .iter_mut()
            .try_for_each(|item| canonicalise_at(item, depth + 1)),
        Json::Object(members) => {
            if members.keys().any(|key| key.contains('\0')) {
                return Err(JsonFault::Nul);
            }
            members
                .values_mut()
                .try_for_each(|member| canonicalise_at(member, depth + 1))
        }
        _ => Ok(()),
    }
}

/// Plain digits, as JSONB writes them. A whole number that was written as a fraction or with an exponent keeps `.0`, as
/// long as a double would show it.
fn canonical_number(number: &Number) -> Result<Number, JsonFault> {
    let given = number.as_str();
    let canonical = Decimal::parse(given).and_then(|decimal| decimal.canonical());
    let mut text = canonical.ok_or(JsonFault::TooManyDigits)?;
    let shown = text.trim_start_matches('-').len() <= 16 && !text.contains('.');
    if shown && given.contains(['.', 'e', 'E']) {
        text.push_str(".0");
    }
    text.parse().map_err(|_| JsonFault::TooManyDigits)
}
