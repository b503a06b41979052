//! One spelling for one JSON value, so that both databases store and return the same bytes.
//!
//! Keys are sorted by their bytes; a number that is integral and fits 64 bits is an integer once its shortest
//! decimal form would need an exponent; −0.0 is 0.0. Numbers that fit neither a 64-bit integer nor a double exactly
//! are stored as the nearest double.

use serde_json::{Number, Value as Json};

/// How deep arrays and objects may be nested.
pub const DEEPEST: usize = 64;

/// Why a JSON value cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// A string or key contains U+0000, which PostgreSQL cannot store.
    Nul,
    /// Nested deeper than [`DEEPEST`].
    TooDeep,
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
            if let Some(canonical) = canonical_number(number) {
                *number = canonical;
            }
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

fn canonical_number(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64()?;
    if float == 0.0 {
        return Number::from_f64(0.0);
    }
    // From here on the shortest form has an exponent, which JSONB writes out as digits.
    if !(1e16..18_446_744_073_709_551_616.0).contains(&float.abs()) {
        return None;
    }
    // The shortest decimal form, not the exact binary value, is what is stored.
    let integer = shortest_integer(float)?;
    u64::try_from(integer)
        .map(Number::from)
        .or_else(|_| i64::try_from(integer).map(Number::from))
        .ok()
}

/// The integer that a large double's shortest decimal form names.
fn shortest_integer(float: f64) -> Option<i128> {
    let text = format!("{float:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: usize = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let zeros = exponent.checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(zeros))
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        for (given, stored) in [
            ("1e16", "10000000000000000"),
            ("-0.0", "0.0"),
            ("1.0", "1.0"),
            ("1e300", "1e+300"),
            ("12345678901234567890", "12345678901234567890"),
            ("1e-7", "1e-7"),
        ] {
            let mut value: Json = serde_json::from_str(given).unwrap();
            assert_eq!(canonicalise(&mut value), Ok(()));
            assert_eq!(
                value.to_string().replace("e+", "e"),
                stored.replace("e+", "e"),
                "{given}"
            );
        }
    }
}
