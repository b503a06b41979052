//! Requests with the words and values of a library.

use serde_json::Value as Json;

use crate::harness::{Chance, Client, Reply, with_query};

/// A request that can be sent to several servers.
#[derive(Debug, Clone)]
pub struct Generated {
    path: String,
    parameters: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl Generated {
    pub async fn send(&self, client: &Client) -> Reply {
        let parameters: Vec<(&str, &str)> = self
            .parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let path = if parameters.is_empty() {
            self.path.clone()
        } else {
            with_query(&self.path, &parameters)
        };
        let mut request = client.request("GET", &path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.send().await
    }

    pub fn follows_a_cursor(&self) -> bool {
        self.parameters.iter().any(|(name, _)| *name == "cursor")
    }
}

pub struct Generator {
    pub(super) chance: Chance,
    rows: Vec<Json>,
}

const SORTABLE: [&str; 15] = [
    "id",
    "title",
    "creator",
    "publisher",
    "date",
    "year",
    "type",
    "identifier",
    "source",
    "language",
    "read_status",
    "quality_score",
    "version",
    "created_at",
    "updated_at",
];
const FACETS: [&str; 6] = [
    "subject",
    "creator",
    "language",
    "type",
    "year",
    "classification",
];
const WEIRD: [&str; 24] = [
    "\"",
    "(",
    ")",
    "a AND",
    "OR",
    "NOT",
    "-",
    "*",
    "%",
    "_",
    "\\",
    "'",
    "🎉",
    "東京",
    "\u{0}",
    "\u{202e}x",
    "metadata.",
    "year:",
    "title:\"",
    "=l:en",
    "a:b:c",
    "<mark>",
    "' OR 1=1 --",
    "é",
];

impl Generator {
    pub fn new(seed: u64, rows: Vec<Json>) -> Self {
        Self {
            chance: Chance::new(seed),
            rows,
        }
    }

    /// The next request: often the next page of the one before, where that has one.
    pub fn next(&mut self, before: Option<(Generated, String)>) -> Generated {
        if let Some((mut request, cursor)) = before
            && self.chance.percent(45)
        {
            request.parameters.retain(|(name, _)| *name != "cursor");
            if self.chance.percent(5) {
                request.parameters.retain(|(name, _)| *name != "filter");
            }
            request.parameters.push(("cursor", cursor));
            return request;
        }
        match self.chance.below(100) {
            0..45 => self.list(),
            45..90 => self.search(),
            90..95 => self.single(),
            _ => self.weird(),
        }
    }

    fn list(&mut self) -> Generated {
        let mut parameters = Vec::new();
        if self.chance.percent(75) {
            parameters.push(("filter", self.filter()));
        }
        if self.chance.percent(75) {
            parameters.push(("sort", self.sort()));
        }
        if self.chance.percent(30) {
            parameters.push(("total", "true".to_owned()));
        }
        self.limit(&mut parameters);
        Generated {
            path: "resources".to_owned(),
            parameters,
            headers: Vec::new(),
        }
    }

    fn search(&mut self) -> Generated {
        let mut parameters = Vec::new();
        if self.chance.percent(95) {
            parameters.push(("q", self.query()));
        }
        if self.chance.percent(30) {
            parameters.push(("match", (*self.chance.pick(&["all", "best"])).to_owned()));
        }
        if self.chance.percent(40) {
            let count = 1 + self.chance.below(3);
            let facets: Vec<&str> = (0..count).map(|_| *self.chance.pick(&FACETS)).collect();
            parameters.push(("facets", facets.join(",")));
        }
        if self.chance.percent(20) {
            parameters.push(("filter", self.filter()));
        }
        self.limit(&mut parameters);
        Generated {
            path: "search".to_owned(),
            parameters,
            headers: Vec::new(),
        }
    }

    fn single(&mut self) -> Generated {
        let row = self.row();
        let mut headers = Vec::new();
        if self.chance.percent(30) {
            headers.push((
                "if-none-match",
                (*self.chance.pick(&["\"1\"", "\"2\"", "*"])).to_owned(),
            ));
        }
        Generated {
            path: format!("resources/{}", row["id"].as_str().unwrap()),
            parameters: Vec::new(),
            headers,
        }
    }

    fn weird(&mut self) -> Generated {
        let name = *self
            .chance
            .pick(&["filter", "q", "sort", "cursor", "limit", "facets"]);
        let path = if ["q", "facets"].contains(&name) {
            "search"
        } else {
            *self.chance.pick(&["resources", "search"])
        };
        let count = 1 + self.chance.below(3);
        let text = (0..count)
            .map(|_| *self.chance.pick(&WEIRD))
            .collect::<Vec<_>>()
            .join(" ");
        Generated {
            path: path.to_owned(),
            parameters: vec![(name, text)],
            headers: Vec::new(),
        }
    }

    fn limit(&mut self, parameters: &mut Vec<(&'static str, String)>) {
        if self.chance.percent(80) {
            parameters.push(("limit", (1 + self.chance.below(30)).to_string()));
        }
    }

    pub(super) fn row(&mut self) -> Json {
        let index = self.chance.below(self.rows.len());
        self.rows[index].clone()
    }

    pub(super) fn text_of(&mut self, field: &str) -> Option<String> {
        (0..20).find_map(|_| {
            self.row()[field]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        })
    }

    fn word(&mut self) -> String {
        let field = *self
            .chance
            .pick(&["title", "title", "title", "description", "creator"]);
        let text = self.text_of(field).unwrap_or_else(|| "word".to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        (*self.chance.pick(&words)).to_owned()
    }

    fn query(&mut self) -> String {
        let pieces = 1 + self.chance.below(4);
        let mut query: Vec<String> = Vec::new();
        for _ in 0..pieces {
            let piece = match self.chance.below(20) {
                0..11 => self.word(),
                11 => format!("-{}", self.word()),
                12 => {
                    let start = self.word();
                    format!(
                        "{}*",
                        start
                            .chars()
                            .take(1 + self.chance.below(4))
                            .collect::<String>()
                    )
                }
                13 => {
                    let title = self.text_of("title").unwrap_or_default();
                    let words: Vec<&str> = title.split_whitespace().collect();
                    let first = self.chance.below(words.len());
                    let last = (first + 1 + self.chance.below(3)).min(words.len());
                    format!("\"{}\"", words[first..last].join(" "))
                }
                14 => format!(
                    "{}:{}",
                    self.chance
                        .pick(&["title", "creator", "description", "subject"]),
                    self.word()
                ),
                15 => format!("language:{}", self.text_of("language").unwrap_or_default()),
                16 => {
                    let first = 1_950 + self.chance.below(70);
                    format!("year:{first}..{}", first + self.chance.below(20))
                }
                17 => format!("{} OR {}", self.word(), self.word()),
                18 => format!("subject:{}", self.subject()),
                _ => (*self.chance.pick(&WEIRD)).to_owned(),
            };
            query.push(piece);
        }
        query.join(" ")
    }

    pub(super) fn subject(&mut self) -> String {
        let found = (0..20).find_map(|_| self.row()["subject"][0].as_str().map(str::to_owned));
        found.unwrap_or_else(|| "none".to_owned())
    }

    fn sort(&mut self) -> String {
        let count = 1 + self.chance.below(3);
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..count {
            let field = *self.chance.pick(&SORTABLE);
            if keys.iter().all(|key| key.trim_start_matches('-') != field) || self.chance.percent(2)
            {
                keys.push(format!(
                    "{}{field}",
                    if self.chance.percent(50) { "-" } else { "" }
                ));
            }
        }
        keys.join(",")
    }
}
