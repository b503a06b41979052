//! Filters about the values of the corpus; some are wrong on purpose.

use crate::chance::Chance;

const TEXT_FIELDS: [&str; 9] = [
    "title",
    "description",
    "creator",
    "identifier",
    "source",
    "language",
    "date",
    "type",
    "read_status",
];
const OPERATORS: [&str; 7] = ["=", "!=", "<", "<=", ">", ">=", ":"];
const WRONG: [&str; 16] = [
    "colour = 1",
    "year = x",
    "(year = 1",
    "year = 1)",
    "title =",
    "= 1",
    "title = \"open",
    "metadata = 1",
    "metadata.a > true",
    "metadata.a > 1e1000",
    "id > 1",
    "subject < \"a\"",
    "created_at > soon",
    "created_at > now() - \"1h\"",
    "contains(metadata, '{')",
    "has_any(title, \"a\")",
];

impl Chance {
    pub fn filter(&mut self, labels: usize) -> String {
        let count = 1 + self.below(3);
        let mut filter = String::new();
        for number in 0..count {
            if number > 0 {
                filter += self.pick(&[" AND ", " OR ", " "]);
            }
            let restriction = self.restriction(labels);
            filter += &match self.below(12) {
                0 => format!("NOT {restriction}"),
                1 => format!("-({restriction} OR {})", self.restriction(labels)),
                2 => format!("({restriction} AND {})", self.restriction(labels)),
                _ => restriction,
            };
        }
        filter
    }

    fn restriction(&mut self, labels: usize) -> String {
        let operator = self.pick(&OPERATORS).to_owned();
        match self.below(100) {
            0..50 => self.json_restriction(&operator),
            50..60 => self.json_function(),
            60..72 => {
                let field = self.pick(&TEXT_FIELDS).to_owned();
                let value = self.quoted_text(operator.as_str());
                format!("{field} {operator} {value}")
            }
            72..77 => format!(
                "{}{}\"{}\"",
                self.pick(&["subject", "relation"]).to_owned(),
                self.pick(&[":", " = ", " != "]).to_owned(),
                filter_text(&self.text())
            ),
            77..81 => format!(
                "year {operator} {}",
                self.pick(&["2000", "1813", "-750", "2026"])
            ),
            81..85 => {
                let value = self.pick(&["0", "50", "99.5", "-0.0", "1e1"]).to_owned();
                format!("quality_score {operator} {value}")
            }
            85..88 => {
                let label = self.below(labels);
                let operator = self.pick(&["<", "<=", ">", ">=", "="]).to_owned();
                format!("created_at {operator} \"{{{{time:{label}}}}}\"")
            }
            88..91 => format!("updated_at {operator} \"{}\"", self.date()),
            91 => format!(
                "created_at {operator} now() - duration(\"{}\")",
                self.pick(&["1h", "1.5d", "90s", "-1h", "9999999d"])
            ),
            92 => format!("created_at {operator} timestamp(\"{}\")", self.date()),
            93..95 => format!("version {operator} {}", 1 + self.below(4)),
            95 => format!("id = \"{{{{id:{}}}}}\"", self.below(labels)),
            96 => {
                let field = self.pick(&[
                    "subject",
                    "title",
                    "language",
                    "metadata",
                    "year",
                    "collection",
                ]);
                format!("{field}:*")
            }
            97 => {
                let field = self.pick(&["collection", "taxonomy"]);
                format!("{field}:\"Reading list\"")
            }
            _ => self.pick(&WRONG).to_owned(),
        }
    }

    fn json_restriction(&mut self, operator: &str) -> String {
        let path = self.json_path();
        if self.percent(12) {
            return format!("{path}:*");
        }
        let value = match self.below(10) {
            0..5 => self.json_number(),
            5 => self.pick(&["true", "false", "null"]).to_owned(),
            _ => self.quoted_text(operator),
        };
        format!("{path} {operator} {value}")
    }

    fn json_function(&mut self) -> String {
        let path = if self.percent(40) {
            "metadata".to_owned()
        } else {
            self.json_path()
        };
        match self.below(4) {
            0 | 1 => {
                let function = self.pick(&["contains", "contained"]).to_owned();
                let json = self.json(1).replace('\\', "\\\\").replace('\'', "\\'");
                format!("{function}({path}, '{json}')")
            }
            _ => {
                let function = self.pick(&["has_any", "has_all"]).to_owned();
                let (one, other) = (filter_text(&self.key()), filter_text(&self.text()));
                format!("{function}({path}, \"{one}\", \"{other}\")")
            }
        }
    }

    fn json_path(&mut self) -> String {
        let mut path = "metadata".to_owned();
        for _ in 0..=self.below(3).min(self.below(3)) {
            let key = match self.below(8) {
                0 => self.pick(&["-1", "+1", " 0", "2"]).to_owned(),
                _ => self.key(),
            };
            path += &format!(".\"{}\"", filter_text(&key));
        }
        path
    }

    fn quoted_text(&mut self, operator: &str) -> String {
        let text = filter_text(&self.text());
        if operator != "=" && operator != "!=" {
            return format!("\"{text}\"");
        }
        let part: String = text
            .chars()
            .filter(|c| *c != '\\' && *c != '"')
            .take(3)
            .collect();
        match self.below(6) {
            0 => format!("\"{part}*\""),
            1 => format!("\"*{part}\""),
            2 => format!("\"*{part}*\""),
            _ => format!("\"{text}\""),
        }
    }
}

/// The inside of a JSON string as the inside of a quoted text of a filter.
fn filter_text(json: &str) -> String {
    let text: Option<String> = serde_json::from_str(&format!("\"{json}\"")).ok();
    let text = text.unwrap_or_else(|| json.to_owned());
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
