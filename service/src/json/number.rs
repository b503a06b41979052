//! JSON numbers of any size: compared exactly, in one spelling.

use std::cmp::Ordering;

/// Digits that a number may have before and after its point when it is written out.
pub const MOST_DIGITS: usize = 1_000;

/// A number as 0.digits × 10^exponent; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// ASCII digits, the first and the last of them not 0.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON has it.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        let leading = digits.len() - digits.trim_start_matches('0').len();
        digits.truncate(digits.trim_end_matches('0').len());
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                digits,
                exponent: 0,
            });
        }
        digits.drain(..leading);
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self {
            negative,
            digits,
            exponent: exponent.saturating_add(point),
        })
    }

    /// The spelling in which it is stored: plain digits without exponent, no needless zeros. `None` when that takes
    /// more than [`MOST_DIGITS`] before or after the point.
    pub fn canonical(&self) -> Option<String> {
        let count = self.digits.len();
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let most = i64::try_from(MOST_DIGITS).ok()?;
        let behind = i64::try_from(count).ok()?.checked_sub(self.exponent)?;
        if self.exponent > most || behind > most {
            return None;
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        match usize::try_from(self.exponent) {
            Ok(whole) if whole >= count => {
                text.push_str(&self.digits);
                text.extend(std::iter::repeat_n('0', whole - count));
            }
            Ok(whole) if whole > 0 => {
                text.push_str(&self.digits[..whole]);
                text.push('.');
                text.push_str(&self.digits[whole..]);
            }
            _ => {
                let zeros = usize::try_from(-self.exponent).ok()?;
                text.push_str("0.");
                text.extend(std::iter::repeat_n('0', zeros));
                text.push_str(&self.digits);
            }
        }
        Some(text)
    }
}

/// An exponent beyond all bounds is as good as any other that is.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') {
        i64::MIN / 4
    } else {
        i64::MAX / 4
    };
    Some(text.parse().map_or(beyond, |exponent: i64| {
        exponent.clamp(i64::MIN / 4, i64::MAX / 4)
    }))
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        let size = || {
            let of_exponents = self.exponent.cmp(&other.exponent);
            of_exponents.then_with(|| self.digits.cmp(&other.digits))
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        for (given, stored) in [
            ("1e16", "10000000000000000"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("0e99999999999999999999", "0"),
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("12345678901234567890123.4500", "12345678901234567890123.45"),
            ("-1E-7", "-0.0000001"),
            ("0.1e1", "1"),
            ("120", "120"),
            ("0.00120e2", "0.12"),
        ] {
            let number = Decimal::parse(given).unwrap();
            assert_eq!(number.canonical().as_deref(), Some(stored), "{given}");
        }
        let thousand = Decimal::parse("1e999").unwrap().canonical().unwrap();
        assert_eq!(thousand.len(), MOST_DIGITS);
        for given in ["1e1000", "1e-1001", "1e99999999999999999999"] {
            assert_eq!(Decimal::parse(given).unwrap().canonical(), None, "{given}");
        }
        for given in ["", "-", "abc", ".5", "1e", "1e+", "1x", "NaN", "0x1"] {
            assert_eq!(Decimal::parse(given), None, "{given}");
        }
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let ascending = [
            "-1e400",
            "-9223372036854775809",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "-0.1",
            "0",
            "1e-400",
            "0.1",
            "1",
            "1.0000000000000000001",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "1e400",
        ];
        for (left, one) in ascending.iter().enumerate() {
            for (right, other) in ascending.iter().enumerate() {
                let order = Decimal::parse(one).cmp(&Decimal::parse(other));
                assert_eq!(order, left.cmp(&right), "{one} {other}");
            }
        }
        assert_eq!(Decimal::parse("1"), Decimal::parse("1.0"));
        assert_eq!(Decimal::parse("-0"), Decimal::parse("0.0"));
    }
}
