//! Times as Pharos writes them: RFC 3339 in UTC with six fraction digits.

use chrono::{DateTime, Datelike, SubsecRound, Timelike, Utc};

/// Formats `2026-11-20T08:15:30.123456Z`, always 27 bytes for the years 0000 to 9999.
pub fn format_timestamp(time: DateTime<Utc>) -> String {
    let mut text = Vec::with_capacity(27);
    let mut digits = |value: u32, width: u32, then: u8| {
        let mut divisor = 10_u32.pow(width - 1);
        while divisor > 0 {
            text.push(b'0' + u8::try_from(value / divisor % 10).unwrap_or(0));
            divisor /= 10;
        }
        text.push(then);
    };
    digits(u32::try_from(time.year()).unwrap_or(0), 4, b'-');
    digits(time.month(), 2, b'-');
    digits(time.day(), 2, b'T');
    digits(time.hour(), 2, b':');
    digits(time.minute(), 2, b':');
    digits(time.second(), 2, b'.');
    digits(time.nanosecond() % 1_000_000_000 / 1_000, 6, b'Z');
    String::from_utf8(text).unwrap_or_default()
}

/// Parses what [`format_timestamp`] writes, and any other RFC 3339 time of the years 0000 to 9999 in UTC; truncated to
/// microseconds. A leap second is the first second of the next minute, as PostgreSQL has it.
pub fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    let time = match time.nanosecond().checked_sub(1_000_000_000) {
        Some(beyond) => DateTime::from_timestamp(time.timestamp() + 1, beyond)?,
        None => time,
    };
    (0..=9_999)
        .contains(&time.year())
        .then(|| time.trunc_subsecs(6))
}

/// Serde for a timestamp field: RFC 3339 in UTC with six fraction digits.
pub mod rfc3339 {
    use chrono::{DateTime, Utc};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_timestamp(*time))
    }

    /// The same for a time that may be absent.
    pub mod option {
        use chrono::{DateTime, Utc};
        use serde::Serializer;

        pub fn serialize<S: Serializer>(
            time: &Option<DateTime<Utc>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_printed_with_six_digits_and_read_back() {
        let time = parse_timestamp("2026-01-02T03:04:05.000607899+01:00");
        let text = time.map(format_timestamp);
        assert_eq!(text.as_deref(), Some("2026-01-02T02:04:05.000607Z"));
        assert_eq!(text.as_deref().and_then(parse_timestamp), time);
    }

    #[test]
    fn leap_seconds_and_far_years_are_the_same_on_both_databases() {
        let read = |text| parse_timestamp(text).map(format_timestamp);
        let leap = read("2016-12-31T23:59:60.5Z");
        assert_eq!(leap.as_deref(), Some("2017-01-01T00:00:00.500000Z"));
        assert_eq!(read("9999-12-31T23:59:60Z"), None);
        assert_eq!(read("9999-12-31T23:59:59-00:01"), None);
        assert_eq!(read("0000-01-01T00:00:00+00:01"), None);
    }
}
