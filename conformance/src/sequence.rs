//! Sequences of requests: a small library is made, asked about and changed.

use crate::chance::Chance;
use crate::step::{Request, Step};

/// Resources that a sequence begins with, at least.
const FIRST: usize = 10;
/// Steps that follow them.
const STEPS: usize = 120;
/// Requests that are sent at once.
const AT_ONCE: usize = 6;

const SORTABLE: [&str; 18] = [
    "id",
    "title",
    "creator",
    "publisher",
    "contributor",
    "date",
    "year",
    "type",
    "format",
    "identifier",
    "source",
    "language",
    "classification_code",
    "read_status",
    "quality_score",
    "version",
    "created_at",
    "updated_at",
];
const TEXT_FIELDS: [&str; 8] = [
    "description",
    "creator",
    "publisher",
    "type",
    "identifier",
    "source",
    "rights",
    "coverage",
];
const FACETS: [&str; 6] = [
    "subject",
    "creator",
    "language",
    "type",
    "year",
    "classification",
];
const QUERIES: [&str; 18] = [
    "harbour",
    "Harbour light",
    "\"harbour light\"",
    "море",
    "ёлка -ежевика",
    "istanbul",
    "ISPARTA OR straße",
    "été",
    "e\u{301}t*",
    "🎉",
    "東京",
    "title:abc",
    "subject:a",
    "year:1800..2020",
    "language:en harbour",
    "",
    "a AND b",
    "\"",
];
const WRONG_BODIES: [&str; 8] = [
    "",
    "{",
    "[]",
    "{\"title\": \"t\", \"colour\": 1}",
    "{\"title\": null}",
    "{\"title\": \"t\", \"subject\": [1]}",
    "{\"title\": \"t\", \"quality_score\": 101}",
    "{\"title\": \"t\", \"id\": \"x\"}",
];

struct Generator {
    chance: Chance,
    labels: usize,
    steps: Vec<Step>,
}

/// The sequence of a seed.
pub fn sequence(seed: u64) -> Vec<Step> {
    let mut generator = Generator {
        chance: Chance::new(seed),
        labels: 0,
        steps: Vec::new(),
    };
    let first = FIRST + generator.chance.below(20);
    for _ in 0..first {
        generator.create();
    }
    for _ in 0..STEPS {
        generator.step();
    }
    generator.steps
}

impl Generator {
    fn push(&mut self, request: Request) {
        self.steps.push(Step::One(request));
    }

    fn label(&mut self) -> usize {
        self.chance.below(self.labels)
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..40 => self.list(),
            40..48 => self.next_page(),
            48..60 => self.search(),
            60..68 => self.find(),
            68..82 => self.patch(),
            82..86 => self.delete(),
            86..92 => self.create(),
            92..95 => self.edit_at_once(),
            95..97 => self.race(),
            _ => self.wrong(),
        }
    }

    fn create(&mut self) {
        let body = self.body(true);
        let mut request = Request::new("POST", "resources").json(body);
        request.label = Some(self.labels);
        self.labels += 1;
        self.push(request);
    }

    /// The fields of a new resource, or of a patch.
    fn body(&mut self, new: bool) -> String {
        let chance = &mut self.chance;
        let mut members = Vec::new();
        if new {
            members.push(format!("\"title\": \"T {}\"", chance.text()));
        } else if chance.percent(30) {
            members.push(format!("\"title\": \"{}\"", chance.text()));
        }
        let most = if new { 5 } else { 2 };
        for _ in 0..chance.below(most) {
            let field = chance.pick(&TEXT_FIELDS).to_owned();
            let value = if chance.percent(15) {
                "null".to_owned()
            } else {
                format!("\"{}\"", chance.text())
            };
            members.push(format!("\"{field}\": {value}"));
        }
        if chance.percent(25) {
            members.push(format!("\"date\": \"{}\"", chance.date()));
        }
        if chance.percent(25) {
            let language = chance.pick(&["en", "en-US", "tr", "ru", "ger", "x y"]);
            members.push(format!("\"language\": \"{language}\""));
        }
        if chance.percent(25) {
            let score = chance.pick(&["0", "-0.0", "50", "99.5", "100", "1e1", "100.1", "null"]);
            members.push(format!("\"quality_score\": {score}"));
        }
        if chance.percent(20) {
            let status = chance.pick(&["read", "unread", "reading", "lost"]);
            members.push(format!("\"read_status\": \"{status}\""));
        }
        if chance.percent(40) {
            let list = chance.pick(&["subject", "relation"]).to_owned();
            let count = chance.below(4);
            let items: Vec<String> = (0..count)
                .map(|_| format!("\"{}\"", chance.text()))
                .collect();
            members.push(format!("\"{list}\": [{}]", items.join(", ")));
        }
        if chance.percent(if new { 90 } else { 60 }) {
            members.push(format!("\"metadata\": {}", chance.metadata()));
        }
        format!("{{{}}}", members.join(", "))
    }

    fn list(&mut self) {
        let mut request = Request::new("GET", "resources");
        let labels = self.labels;
        let chance = &mut self.chance;
        if chance.percent(85) {
            request = request.parameter("filter", chance.filter(labels));
        }
        if chance.percent(60) {
            let count = 1 + chance.below(3);
            let keys: Vec<String> = (0..count)
                .map(|_| {
                    let direction = chance.pick(&["", "-"]).to_owned();
                    direction + chance.pick(&SORTABLE)
                })
                .collect();
            request = request.parameter("sort", keys.join(","));
        }
        if chance.percent(30) {
            request = request.parameter("total", "true");
        }
        if chance.percent(70) {
            request = request.parameter("limit", (1 + chance.below(12)).to_string());
        }
        self.push(request);
    }

    /// What the list or search before it goes on with.
    fn next_page(&mut self) {
        let before = self.steps.iter().rev().find_map(|step| match step {
            Step::One(request) if request.method == "GET" && !request.path.contains('/') => {
                Some(request)
            }
            _ => None,
        });
        let Some(mut request) = before.cloned() else {
            return;
        };
        request.parameters.retain(|(name, _)| *name != "cursor");
        self.push(request.parameter("cursor", "{{cursor}}"));
    }

    fn search(&mut self) {
        let labels = self.labels;
        let chance = &mut self.chance;
        let mut request = Request::new("GET", "search").parameter("q", chance.pick(&QUERIES));
        if chance.percent(30) {
            request = request.parameter("match", chance.pick(&["all", "best", "any"]));
        }
        if chance.percent(30) {
            request = request.parameter("facets", chance.pick(&FACETS));
        }
        if chance.percent(40) {
            request = request.parameter("filter", chance.filter(labels));
        }
        if chance.percent(50) {
            request = request.parameter("limit", (1 + chance.below(9)).to_string());
        }
        self.push(request);
    }

    fn find(&mut self) {
        let label = self.label();
        let mut request = Request::new("GET", format!("resources/{{{{id:{label}}}}}"));
        if self.chance.percent(30) {
            let tag = format!("{{{{tag:{label}}}}}");
            let tag = self
                .chance
                .pick(&[tag.as_str(), "\"1\"", "W/\"2\"", "*"])
                .to_owned();
            request = request.header("if-none-match", tag);
        }
        self.push(request);
    }

    fn patch(&mut self) {
        let label = self.label();
        let body = self.body(false);
        let mut request = Request::new("PATCH", format!("resources/{{{{id:{label}}}}}")).json(body);
        let tag = format!("{{{{tag:{label}}}}}");
        match self.chance.below(20) {
            0 => {}
            1 => request = request.header("if-match", "\"99\""),
            2..8 => request = request.header("if-match", tag),
            _ => request = request.header("if-match", "*"),
        }
        self.push(request);
    }

    fn delete(&mut self) {
        let label = self.label();
        let tag = format!("{{{{tag:{label}}}}}");
        let tag = self
            .chance
            .pick(&[tag.as_str(), "*", "\"99\"", "1"])
            .to_owned();
        let request = Request::new("DELETE", format!("resources/{{{{id:{label}}}}}"));
        self.push(request.header("if-match", tag));
    }

    /// Every one of them changes another key: none may be lost.
    fn edit_at_once(&mut self) {
        let label = self.label();
        let path = format!("resources/{{{{id:{label}}}}}");
        let edits = (0..AT_ONCE)
            .map(|number| {
                let value = self.chance.scalar();
                Request::new("PATCH", path.clone())
                    .json(format!(
                        "{{\"metadata\": {{\"at once {number}\": {value}}}}}"
                    ))
                    .header("if-match", "*")
            })
            .collect();
        self.steps.push(Step::Together(edits));
        self.push(Request::new("GET", path));
    }

    /// All of them expect the same version: one wins.
    fn race(&mut self) {
        let label = self.label();
        let path = format!("resources/{{{{id:{label}}}}}");
        let version = self.labels + self.steps.len();
        let edit = Request::new("PATCH", path.clone())
            .json(format!("{{\"metadata\": {{\"race\": {version}}}}}"))
            .header("if-match", format!("{{{{tag:{label}}}}}"));
        self.push(Request::new("GET", path.clone()));
        self.steps.push(Step::Together(vec![edit; AT_ONCE]));
        self.push(Request::new("GET", path));
    }

    fn wrong(&mut self) {
        let chance = &mut self.chance;
        let request = match chance.below(8) {
            0 | 1 => Request::new("POST", "resources").json(chance.pick(&WRONG_BODIES)),
            2 => Request::new("GET", "resources")
                .parameter("limit", chance.pick(&["0", "201", "x", ""])),
            3 => Request::new("GET", "resources")
                .parameter("sort", chance.pick(&["metadata", "title,title", ","])),
            4 => Request::new("GET", "resources").parameter("cursor", "e30"),
            5 => Request::new(chance.pick(&["PUT", "POST"]), "resources/x"),
            6 => Request::new("GET", "resources/x"),
            _ => {
                let mut request = Request::new("GET", "resources");
                request.anonymous = true;
                request
            }
        };
        self.push(request);
    }
}
