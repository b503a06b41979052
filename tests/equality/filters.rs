//! Filters with the values of a library.

use serde_json::Value as Json;

use super::requests::Generator;

const TEXTS: [&str; 13] = [
    "title",
    "description",
    "creator",
    "publisher",
    "date",
    "type",
    "format",
    "identifier",
    "source",
    "language",
    "coverage",
    "classification_code",
    "read_status",
];
const COMPARISONS: [&str; 7] = ["=", "!=", "<", "<=", ">", ">=", ":"];
impl Generator {
    pub(super) fn filter(&mut self) -> String {
        let count = 1 + self.chance.below(3);
        let mut filter = String::new();
        for number in 0..count {
            if number > 0 {
                filter += *self.chance.pick(&[" AND ", " OR ", " "]);
            }
            let restriction = self.restriction();
            filter += &match self.chance.below(10) {
                0 => format!("NOT {restriction}"),
                1 => format!("({restriction})"),
                2 => format!("-({restriction} OR {})", self.restriction()),
                _ => restriction,
            };
        }
        filter
    }

    fn restriction(&mut self) -> String {
        let comparison = *self.chance.pick(&COMPARISONS);
        match self.chance.below(12) {
            0..4 => {
                let field = *self.chance.pick(&TEXTS);
                match (self.chance.below(4), self.text_of(field)) {
                    (0, _) | (_, None) => format!("{field}:*"),
                    (1, Some(text)) => format!(
                        "{field} = {}",
                        quoted(&format!("{}*", text.chars().take(3).collect::<String>()))
                    ),
                    (2, Some(text)) => format!(
                        "{field}:{}",
                        quoted(&text.chars().skip(2).take(4).collect::<String>())
                    ),
                    (_, Some(text)) => format!("{field} {comparison} {}", quoted(&text)),
                }
            }
            4 => format!("year {comparison} {}", 1_900 + self.chance.below(125)),
            5 => format!("subject:{}", quoted(&self.subject())),
            6 => format!("quality_score {comparison} {}", self.chance.below(100)),
            7 => {
                let row = self.row();
                let field = *self.chance.pick(&["created_at", "updated_at"]);
                format!(
                    "{field} {comparison} {}",
                    quoted(row[field].as_str().unwrap())
                )
            }
            _ => self.metadata(comparison),
        }
    }

    fn metadata(&mut self, comparison: &str) -> String {
        let row = self.row();
        let Some(members) = row["metadata"]
            .as_object()
            .filter(|members| !members.is_empty())
        else {
            return "metadata:*".to_owned();
        };
        let keys: Vec<&String> = members.keys().collect();
        let key = *self.chance.pick(&keys);
        let argument = match &members[key] {
            Json::String(text) => quoted(text),
            Json::Array(_) | Json::Object(_) => "*".to_owned(),
            other => other.to_string(),
        };
        let comparison = if argument == "*" || self.chance.percent(15) {
            ":"
        } else {
            comparison
        };
        format!("metadata.{} {comparison} {argument}", quoted(key))
    }
}

pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
