//! Queries of every shape: words and mistyped ones, operators, quotes that do not close, characters of any script.

use serde_json::Value as Json;

use crate::harness::Chance;

const FACETS: [&str; 5] = [
    "subject",
    "creator",
    "language,type",
    "year",
    "classification",
];
const FIELDS: [&str; 8] = [
    "title",
    "creator",
    "subject",
    "description",
    "language",
    "type",
    "year",
    "identifier",
];
const SIGNS: [&str; 40] = [
    "\"",
    "\"\"",
    "(",
    ")",
    "((",
    "[",
    "]",
    "{",
    "}",
    "OR",
    "AND",
    "NOT",
    "or",
    "-",
    "--",
    "- ",
    "*",
    "**",
    "+",
    "~",
    "^2",
    "'",
    "’",
    "\\",
    "\\\"",
    "%",
    "_",
    ":",
    "::",
    "&",
    "|",
    "!",
    "<->",
    ";",
    "/",
    "..",
    "=l:en",
    "NEAR(a b)",
    "<mark>",
    "${x}",
];
const STRANGE: [&str; 24] = [
    "\u{0}",
    "a\u{0}b",
    "\u{1}",
    "\u{7f}",
    "\u{a0}",
    "\u{ad}",
    "\u{300}",
    "e\u{301}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2028}",
    "\u{3000}",
    "\u{fe0f}",
    "\u{feff}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{10ffff}",
    "🎉",
    "👩‍👩‍👧",
    "🏳️‍🌈",
    "İ",
    "ẞ",
    "ﬁ",
];
const FILTERS: [&str; 6] = [
    "language = \"en\"",
    "NOT language:*",
    "subject:\"Databases\"",
    "year > 1900",
    "title:\"e\"",
    "creator = \"nobody\"",
];

/// Bytes of an encoded query at most: a path has 65,535.
const LONGEST_QUERY: usize = 60_000;

/// What a case asks.
#[derive(Debug, Clone)]
pub struct Case {
    pub path: &'static str,
    pub parameters: Vec<(&'static str, String)>,
}

pub struct Generator {
    chance: Chance,
    words: Vec<String>,
    texts: Vec<String>,
}

impl Generator {
    /// From the titles, creators, descriptions and subjects of a library.
    pub fn new(seed: u64, library: &[Json]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for row in library {
            let fields = ["title", "creator", "description"].map(|field| &row[field]);
            let subjects = row["subject"].as_array().into_iter().flatten();
            let all = fields.into_iter().chain(subjects);
            texts.extend(all.filter_map(Json::as_str).map(str::to_owned));
        }
        texts.retain(|text| !text.is_empty());
        let words = texts
            .iter()
            .flat_map(|text| text.split_whitespace())
            .map(str::to_owned)
            .collect();
        Self {
            chance: Chance::new(seed),
            words,
            texts,
        }
    }

    /// The next case.
    pub fn case(&mut self) -> Case {
        if self.chance.percent(8) {
            let typed = match self.chance.below(3) {
                0 => self.part_of_a_text(),
                1 => self.query(),
                _ => self.beginning(),
            };
            let mut parameters = vec![("q", typed)];
            if self.chance.percent(50) {
                parameters.push(("limit", (1 + self.chance.below(30)).to_string()));
            }
            return Case {
                path: "search/suggest",
                parameters,
            };
        }
        let mut parameters = vec![
            ("q", self.query()),
            ("limit", (1 + self.chance.below(4)).to_string()),
        ];
        if self.chance.percent(40) {
            parameters.push(("match", (*self.chance.pick(&["all", "best"])).to_owned()));
        }
        if self.chance.percent(30) {
            parameters.push(("facets", (*self.chance.pick(&FACETS)).to_owned()));
        }
        if self.chance.percent(10) {
            parameters.push(("filter", (*self.chance.pick(&FILTERS)).to_owned()));
        }
        Case {
            path: "search",
            parameters,
        }
    }

    fn query(&mut self) -> String {
        if self.chance.below(200) == 0 {
            return self.long();
        }
        let count = self.chance.below(6);
        let mut query = String::new();
        for _ in 0..=count {
            query += &self.piece();
            // Sometimes nothing is between two pieces.
            if self.chance.percent(85) {
                let spaces: [&str; 7] = [" ", " ", " ", "  ", "\t", "\n", "\u{3000}"];
                query.push_str(self.chance.pick::<&str>(&spaces));
            }
        }
        query
    }

    fn piece(&mut self) -> String {
        match self.chance.below(26) {
            0..7 => self.word(),
            7..11 => self.mistyped(),
            11 => format!("-{}", self.word()),
            12 => format!("{}*", self.beginning()),
            13 => format!("\"{}\"", self.part_of_a_text()),
            14 => format!("-\"{}\"", self.part_of_a_text()),
            15 => format!("{}:{}", self.chance.pick(&FIELDS), self.word()),
            16 => format!(
                "{}:\"{}\"",
                self.chance.pick(&FIELDS),
                self.part_of_a_text()
            ),
            17 => format!("{} OR {}", self.word(), self.mistyped()),
            18 => {
                let first = 1_800 + self.chance.below(220);
                format!("year:{first}..{}", first + self.chance.below(90))
            }
            19 => self.part_of_a_text(),
            20 | 21 => (*self.chance.pick(&SIGNS)).to_owned(),
            22 => (*self.chance.pick(&STRANGE)).to_owned(),
            23 | 24 => self.group(3),
            _ => self.any_characters(8),
        }
    }

    /// Brackets inside each other, as people type them.
    fn group(&mut self, deepest: usize) -> String {
        let before = ["", "", "-", "title:", "-subject:"];
        let mut group = format!("{}(", self.chance.pick::<&str>(&before));
        for index in 0..=self.chance.below(3) {
            if index > 0 {
                group += *self.chance.pick(&[" ", " AND ", " OR ", " -"]);
            }
            group += &match self.chance.below(6) {
                0 | 1 if deepest > 0 => self.group(deepest - 1),
                2 => format!("\"{}\"", self.part_of_a_text()),
                3 => format!("{}*", self.beginning()),
                _ => self.word(),
            };
        }
        group + ")"
    }

    fn word(&mut self) -> String {
        self.chance.pick(&self.words).clone()
    }

    /// One or two errors: a letter left out, put in, exchanged, or two in each other's place.
    fn mistyped(&mut self) -> String {
        let mut letters: Vec<char> = self.word().chars().collect();
        for _ in 0..=self.chance.below(2) {
            let at = self.chance.below(letters.len());
            match self.chance.below(4) {
                0 if letters.len() > 1 => drop(letters.remove(at)),
                1 => letters.insert(at, *self.chance.pick(&['a', 'e', 'x', 'é', 'ж', '東', 'ا'])),
                2 => letters[at] = *self.chance.pick(&['a', 'e', 'x', 'ö', 'я', '灯', 'ل']),
                _ if at > 0 => letters.swap(at - 1, at),
                _ => {}
            }
        }
        letters.into_iter().collect()
    }

    fn beginning(&mut self) -> String {
        let length = 1 + self.chance.below(7);
        self.word().chars().take(length).collect()
    }

    fn part_of_a_text(&mut self) -> String {
        let text = self.chance.pick(&self.texts).clone();
        let words: Vec<&str> = text.split_whitespace().collect();
        let first = self.chance.below(words.len());
        let last = (first + 1 + self.chance.below(4)).min(words.len());
        words[first..last].join(" ")
    }

    fn any_characters(&mut self, most: usize) -> String {
        let count = 1 + self.chance.below(most);
        (0..count)
            .map(|_| {
                let (first, size) = *self.chance.pick(&[
                    (0x0, 0x80),
                    (0x80, 0x280),
                    (0x300, 0x70),
                    (0x370, 0x190),
                    (0x590, 0x270),
                    (0x900, 0x600),
                    (0x1100, 0x100),
                    (0x2000, 0x70),
                    (0x3040, 0xc0),
                    (0x4e00, 0x5200),
                    (0xac00, 0x2ba4),
                    (0xfb00, 0x500),
                    (0x1_d400, 0x400),
                    (0x1_f300, 0x600),
                    (0x2_0000, 0xa6d0),
                    (0xe_0000, 0x200),
                ]);
                let code = u32::try_from(first + self.chance.below(size)).unwrap();
                char::from_u32(code).unwrap_or('\u{fffd}')
            })
            .collect()
    }

    /// Ten thousand characters of one kind, or as many as fit.
    fn long(&mut self) -> String {
        let piece = match self.chance.below(6) {
            0 => "x".to_owned(),
            1 => "\"".to_owned(),
            2 => "a OR ".to_owned(),
            3 => format!("{} ", self.mistyped()),
            4 => self.any_characters(1),
            _ => format!("{} ", self.piece()),
        };
        let mut encoded = 0;
        piece
            .chars()
            .cycle()
            .take(10_000)
            .take_while(|character| {
                encoded += if character.is_ascii_alphanumeric() {
                    1
                } else {
                    3 * character.len_utf8()
                };
                encoded < LONGEST_QUERY
            })
            .collect()
    }
}
