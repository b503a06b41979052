//! Values at which databases tend to differ.

use crate::chance::Chance;

/// Texts as they stand in JSON, between quotes.
const TEXTS: [&str; 34] = [
    "",
    "a",
    "A",
    "b",
    "abc",
    "ABC",
    "Harbour Light",
    "harbour light",
    "Ёлка",
    "ёлка",
    "Ежевика и море",
    "İstanbul",
    "istanbul",
    "ISPARTA",
    "ısparta",
    "Straße",
    "STRASSE",
    "é",
    "e\\u0301",
    "\\u00e9t\\u00e9",
    "🎉",
    "👩‍👩‍👧",
    "\\ud83c\\udf89 party",
    "東京",
    "كتاب",
    "\u{202e}abc",
    "\u{feff}bom",
    "\u{ffff}",
    "100%_of \\\\it",
    "it's \\\"fine\\\"",
    "line\\nbreak\\ttab\\u0001",
    "9007199254740993",
    "a text that is longer than twenty bytes",
    "a text that is longer than twenty bytes, too",
];

/// Texts that no library takes.
const BROKEN_TEXTS: [&str; 3] = ["nul \\u0000 here", "\\ud800", "\\udc00\\ud800"];

const NUMBERS: [&str; 40] = [
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1",
    "1.0",
    "1.00",
    "1e0",
    "10e-1",
    "-1",
    "2",
    "3.5",
    "-3.5",
    "300",
    "3e2",
    "0.1",
    "0.10000000000000000555",
    "0.30000000000000004",
    "0.3",
    "1e16",
    "1e-7",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "-9007199254740993",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "12345678901234567890.123456789",
    "12345678901234567890.12345678",
    "1e308",
    "1.7976931348623159e308",
    "1e400",
    "-1e400",
    "1e-400",
];

/// Numbers with more digits than are taken, or that are no JSON.
const BROKEN_NUMBERS: [&str; 5] = ["1e1000", "1e-1001", "1e99999999999", "01", "NaN"];

const KEYS: [&str; 14] = [
    "a", "b", "c d", "pages", "tags", "nested", "0", "1", "É", "e\\u0301", "İ", "🎉", "", "x.y",
];

const TIMES: [&str; 16] = [
    "2026",
    "1813",
    "-750",
    "119",
    "2008-09",
    "2000-02-29",
    "1900-02-29",
    "2016-12-31T23:59:60Z",
    "2016-12-31T23:59:60.999Z",
    "2020-01-01T00:00:00.123456789Z",
    "2020-01-01T00:00:00.1234565+01:00",
    "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:59-01:00",
    "0000-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "soon",
];

/// How often something broken is chosen, in a hundred.
const BROKEN: usize = 1;

impl Chance {
    /// The inside of a JSON string.
    pub fn text(&mut self) -> String {
        if self.percent(BROKEN) {
            return self.pick(&BROKEN_TEXTS).to_owned();
        }
        let mut text = self.pick(&TEXTS).to_owned();
        if self.percent(10) {
            text += self.pick(&TEXTS);
        }
        text
    }

    pub fn json_number(&mut self) -> String {
        if self.percent(BROKEN) {
            return self.pick(&BROKEN_NUMBERS).to_owned();
        }
        if self.percent(25) {
            return self.below(20).to_string();
        }
        self.pick(&NUMBERS).to_owned()
    }

    /// The inside of a JSON string.
    pub fn key(&mut self) -> String {
        self.pick(&KEYS).to_owned()
    }

    pub fn date(&mut self) -> String {
        self.pick(&TIMES).to_owned()
    }

    pub fn scalar(&mut self) -> String {
        match self.below(10) {
            0 => "null".to_owned(),
            1 => "true".to_owned(),
            2 => "false".to_owned(),
            3..7 => self.json_number(),
            _ => format!("\"{}\"", self.text()),
        }
    }

    /// Any JSON value, as text: it may name a key twice, and be deep or wide.
    pub fn json(&mut self, depth: usize) -> String {
        match self.below(if depth > 3 { 6 } else { 10 }) {
            0..6 => self.scalar(),
            6 | 7 => {
                let count = self.below(4);
                let items: Vec<String> = (0..count).map(|_| self.json(depth + 1)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => self.object(depth + 1),
        }
    }

    pub fn object(&mut self, depth: usize) -> String {
        let count = self.below(5);
        let members: Vec<String> = (0..count)
            .map(|_| format!("\"{}\": {}", self.key(), self.json(depth)))
            .collect();
        format!("{{{}}}", members.join(", "))
    }

    pub fn metadata(&mut self) -> String {
        match self.below(60) {
            0 => {
                let depth = 60 + self.below(8);
                format!("{}1{}", "{\"a\": ".repeat(depth), "}".repeat(depth))
            }
            1 => {
                let members: Vec<String> = (0..300)
                    .map(|number| format!("\"k{number}\": {}", self.below(9)))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
            2 => self.json(0),
            3 => format!("{{\"a\": {}, \"a\": {}}}", self.json(1), self.json(1)),
            4 => format!("{{\"a\": \"{}\"}}", "x".repeat(3_000 + self.below(9))),
            _ => self.object(0),
        }
    }
}
