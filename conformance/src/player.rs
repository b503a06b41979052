//! Sending steps to one server, and its replies without what is the server's own.

use std::collections::HashMap;
use std::time::Duration;

use crate::Failure;
use crate::http::{Connection, Outgoing, Place, Reply};
use crate::step::{Request, Step};

/// Ids and times of two resources must differ by more than a millisecond to have the same order on both sides.
const BETWEEN_CREATES: Duration = Duration::from_micros(1_200);

/// Where a label, a tag or a cursor is not known.
const NO_ID: &str = "00000000-0000-7000-8000-000000000000";
const NO_TIME: &str = "2026-01-01T00:00:00.000000Z";

/// Headers that mean something to a client.
const HEADERS: [&str; 6] = [
    "allow",
    "content-type",
    "etag",
    "location",
    "retry-after",
    "www-authenticate",
];

/// A reply as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Debug, Clone)]
struct Made {
    id: String,
    tag: String,
    time: String,
}

/// One server during one sequence.
pub struct Player {
    place: Place,
    connection: Connection,
    made: HashMap<usize, Made>,
    labels: HashMap<String, usize>,
    cursor: Option<String>,
}

impl Player {
    pub fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            connection: Connection::new(place.clone()),
            made: HashMap::new(),
            labels: HashMap::new(),
            cursor: None,
        }
    }

    /// What a client sees of a step.
    pub fn play(&mut self, step: &Step) -> Result<Vec<Seen>, Failure> {
        match step {
            Step::One(request) => {
                let reply = self.connection.send(&self.fill(request))?;
                self.remember(request, &reply);
                if request.method == "POST" {
                    std::thread::sleep(BETWEEN_CREATES);
                }
                Ok(vec![self.seen(&reply)])
            }
            Step::Together(requests) => {
                let filled: Vec<Outgoing> =
                    requests.iter().map(|request| self.fill(request)).collect();
                let replies = std::thread::scope(|scope| {
                    let sent: Vec<_> = filled
                        .iter()
                        .map(|request| {
                            let place = self.place.clone();
                            scope.spawn(move || Connection::new(place).send(request))
                        })
                        .collect();
                    sent.into_iter()
                        .map(|thread| {
                            thread
                                .join()
                                .unwrap_or_else(|_| Err(Failure("a request panicked".to_owned())))
                        })
                        .collect::<Result<Vec<_>, _>>()
                })?;
                let mut seen: Vec<Seen> = replies
                    .iter()
                    .map(|reply| Seen {
                        status: reply.status,
                        headers: Vec::new(),
                        body: String::new(),
                    })
                    .collect();
                seen.sort();
                Ok(seen)
            }
        }
    }

    /// Deletes what the sequence has left, so that the next one begins with nothing.
    pub fn clean(&mut self) -> Result<(), Failure> {
        let ids: Vec<String> = self.made.values().map(|made| made.id.clone()).collect();
        for id in ids {
            let request = Request::new("DELETE", format!("resources/{id}")).header("if-match", "*");
            let reply = self.connection.send(&self.fill(&request))?;
            if !matches!(reply.status, 204 | 404) {
                return Err(Failure(format!(
                    "cannot delete {id}: status {}",
                    reply.status
                )));
            }
        }
        Ok(())
    }

    fn fill(&self, request: &Request) -> Outgoing {
        let fill = |text: &str| self.filled(text);
        Outgoing {
            method: request.method,
            target: request.target(&fill),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (*name, fill(value)))
                .collect(),
            body: request.body.as_deref().map(|body| fill(body).into_bytes()),
            with_key: !request.anonymous,
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                break;
            };
            filled += before;
            let (name, label) = name.split_once(':').unwrap_or((name, ""));
            let made = label
                .parse()
                .ok()
                .and_then(|label: usize| self.made.get(&label));
            filled += match name {
                "id" => made.map_or(NO_ID, |made| &made.id),
                "tag" => made.map_or("\"1\"", |made| &made.tag),
                "time" => made.map_or(NO_TIME, |made| &made.time),
                _ => self.cursor.as_deref().unwrap_or("none"),
            };
            rest = after;
        }
        filled + rest
    }

    fn remember(&mut self, request: &Request, reply: &Reply) {
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if let Some(cursor) = body["next_cursor"].as_str() {
            self.cursor = Some(cursor.to_owned());
        }
        let (Some(id), Some(tag)) = (body["id"].as_str(), reply.header("etag")) else {
            return;
        };
        let known = self.labels.get(id).copied();
        let Some(label) = request.label.filter(|_| reply.status == 201).or(known) else {
            return;
        };
        self.labels.insert(id.to_owned(), label);
        let made = Made {
            id: id.to_owned(),
            tag: tag.to_owned(),
            time: body["created_at"].as_str().unwrap_or(NO_TIME).to_owned(),
        };
        self.made.insert(label, made);
    }

    fn seen(&self, reply: &Reply) -> Seen {
        let mut headers: Vec<(String, String)> = HEADERS
            .iter()
            .filter_map(|name| {
                reply
                    .header(name)
                    .map(|value| ((*name).to_owned(), self.neutral(value)))
            })
            .collect();
        // The address of the next page has the cursor in it.
        if reply
            .header("link")
            .is_some_and(|link| link.contains("rel=\"next\""))
        {
            headers.push(("link".to_owned(), "next".to_owned()));
        }
        Seen {
            status: reply.status,
            headers,
            body: self.neutral(&String::from_utf8_lossy(&reply.body)),
        }
    }

    /// Ids by their labels, and no times, cursors and request ids.
    fn neutral(&self, text: &str) -> String {
        let text = self.without_ids(text);
        ["created_at", "updated_at", "next_cursor", "request_id"]
            .iter()
            .fold(text, |text, name| without_value(&text, name))
    }

    fn without_ids(&self, text: &str) -> String {
        let mut neutral = String::with_capacity(text.len());
        let mut rest = text;
        // Every id has its first hyphen behind eight digits.
        while let Some(hyphen) = rest.find('-') {
            let candidate = hyphen
                .checked_sub(8)
                .and_then(|begin| rest.get(begin..begin + 36));
            match candidate.and_then(|id| self.labels.get(id)) {
                Some(label) => {
                    neutral += &rest[..hyphen - 8];
                    neutral += &format!("<id:{label}>");
                    rest = &rest[hyphen + 28..];
                }
                None => {
                    neutral += &rest[..=hyphen];
                    rest = &rest[hyphen + 1..];
                }
            }
        }
        neutral + rest
    }
}

/// Takes the text behind `"name":"` out, wherever it stands.
fn without_value(text: &str, name: &str) -> String {
    let begin = format!("\"{name}\":\"");
    let mut neutral = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&begin) {
        let (before, after) = rest.split_at(at + begin.len());
        neutral += before;
        rest = after.find('"').map_or("", |end| &after[end..]);
    }
    neutral + rest
}
