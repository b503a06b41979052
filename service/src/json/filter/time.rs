//! Times and what can be added to them.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::parser::{Argument, ArgumentValue, Call, Sign};
use super::{FilterFault, fault};
use crate::clock::Clock;
use crate::time::parse_timestamp;

/// What may stand where a time is needed.
pub(super) const FUNCTIONS: [&str; 3] = ["now", "timestamp", "duration"];

/// Microseconds in a unit.
const UNITS: [(&str, i64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

const EXPECTED: &str = "an RFC 3339 time such as \"2026-01-31T12:00:00Z\", a day such as \"2026-01-31\", or now() - duration(\"24h\")";

/// The time that an argument names.
pub(super) fn time_of(
    field: &str,
    argument: &Argument,
    clock: &dyn Clock,
) -> Result<DateTime<Utc>, FilterFault> {
    let (first, more) = match &argument.value {
        ArgumentValue::Text(text) => {
            return parse_time(&text.text)
                .map_or_else(|| wrong(argument.position, field, &text.text), Ok);
        }
        ArgumentValue::Time(first, more) => (first, more),
    };
    let mut time = match first.name.as_str() {
        "now" if first.arguments.is_empty() => clock.now(),
        "now" => return fault(first.position, "type", "`now()` takes nothing"),
        "timestamp" => {
            let (text, position) = only_text(first)?;
            parse_time(text).map_or_else(|| wrong(position, field, text), Ok)?
        }
        _ => {
            return fault(
                first.position,
                "type",
                format!("`{field}` needs a time: write now() - duration(\"24h\")"),
            );
        }
    };
    for (sign, call) in more {
        let (text, position) = only_text(call)?;
        let Some(duration) = parse_duration(text) else {
            return fault(
                position,
                "type",
                "expected a duration such as \"90s\", \"1.5h\" or \"7d\" (units: us, ms, s, m, h, d)",
            );
        };
        let moved = match sign {
            Sign::Plus => time.checked_add_signed(duration),
            Sign::Minus => time.checked_sub_signed(duration),
        };
        let in_range = moved.filter(|time| (0..=9_999).contains(&chrono::Datelike::year(time)));
        let Some(moved) = in_range else {
            return fault(
                position,
                "out_of_range",
                "the time is outside the years 0000 to 9999",
            );
        };
        time = moved;
    }
    Ok(time)
}

fn wrong<T>(position: usize, field: &str, text: &str) -> Result<T, FilterFault> {
    let found: String = text.chars().take(40).collect();
    fault(
        position,
        "type",
        format!("`{field}` needs {EXPECTED}, found `{found}`"),
    )
}

/// The one quoted text that a function takes.
fn only_text(call: &Call) -> Result<(&str, usize), FilterFault> {
    match &call.arguments[..] {
        [argument] if argument.names.len() == 1 && argument.names[0].quoted => {
            Ok((&argument.names[0].text, argument.position))
        }
        _ => fault(
            call.position,
            "type",
            format!("`{}` takes one quoted text", call.name),
        ),
    }
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    parse_timestamp(text).or_else(|| {
        // Five digits or a sign would lie outside what both databases order alike.
        let day: NaiveDate = text.parse().ok().filter(|_| text.len() == 10)?;
        day.and_hms_opt(0, 0, 0).map(|time| time.and_utc())
    })
}

/// Digits, at most six more behind a point, and a unit; truncated to microseconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, microseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let millionths: i64 = format!("{fraction:0<6}").parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    let of_fraction = i128::from(*microseconds) * i128::from(millionths) / 1_000_000;
    let sum = i128::from(*microseconds) * i128::from(whole) + of_fraction;
    // Beyond this a time leaves the years that can be stored.
    i64::try_from(sum)
        .ok()
        .filter(|sum| *sum < 400_000_000_000_000_000)
        .map(Duration::microseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let microseconds = |text| parse_duration(text).and_then(|found| found.num_microseconds());
        assert_eq!(microseconds("24h"), Some(86_400_000_000));
        assert_eq!(microseconds("1.5s"), Some(1_500_000));
        assert_eq!(microseconds("0.000001d"), Some(86_400));
        for wrong in [
            "",
            "h",
            "24",
            "-1h",
            "1.h",
            ".5h",
            "1w",
            "1h30m",
            "99999999999999999999d",
            "9999999999d",
        ] {
            assert_eq!(microseconds(wrong), None, "{wrong}");
        }
    }
}
