//! Reading a JSON body field by field: every rule is checked, and all faults are reported at once.

use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::error::{Error, Fault};
use crate::json::canonical::{DEEPEST, JsonFault, canonicalise};
use crate::json::number::MOST_DIGITS;

/// Bytes of an object of free JSON, written out, at most.
const LARGEST_OBJECT: usize = 262_144;

/// The members of a body, taken one by one; what is left over is unknown.
pub struct BodyReader {
    members: Map<String, Json>,
    faults: Vec<Fault>,
}

impl BodyReader {
    /// `what` names the thing whose fields the body has, for the error when it is no object.
    pub fn new(body: Json, what: &str) -> Result<Self, Error> {
        match body {
            Json::Object(members) => Ok(Self {
                members,
                faults: Vec::new(),
            }),
            _ => Err(Error::Invalid(vec![Fault::at(
                "",
                "type",
                format!("expected a JSON object with the fields of {what}"),
            )])),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        self.members.remove(name)
    }

    /// Notes a fault when a member is absent or null.
    pub fn require(&mut self, name: &str, what: &str) {
        if self.members.get(name).is_none_or(Json::is_null) {
            self.fault(name, "required", format!("{what} is needed"));
        }
    }

    pub fn fault(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.faults
            .push(Fault::at(format!("/{name}"), code, detail));
    }

    /// A text that must be there, with a visible character in it.
    pub fn required_text(&mut self, name: &str, longest: usize) -> String {
        let present = self.members.get(name).is_some_and(|text| !text.is_null());
        match self.text(name, longest) {
            Some(text) if text.chars().any(is_visible) => text,
            None if present => String::new(),
            _ => {
                self.fault(
                    name,
                    "required",
                    format!("a {name} of at least one visible character is needed"),
                );
                String::new()
            }
        }
    }

    /// A text of so many characters at most; absent and null are the same.
    pub fn text(&mut self, name: &str, longest: usize) -> Option<String> {
        match self.members.remove(name) {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => self.checked_text(name, text, longest),
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("expected a string or null, found {}", kind(&other)),
                );
                None
            }
        }
    }

    fn checked_text(&mut self, name: &str, text: String, longest: usize) -> Option<String> {
        if text.contains('\0') {
            self.fault(
                name,
                "nul",
                "the character U+0000 cannot be stored: remove it",
            );
            None
        } else if text.len() > longest && text.chars().count() > longest {
            self.fault(
                name,
                "too_long",
                format!("at most {longest} characters are allowed"),
            );
            None
        } else {
            Some(text)
        }
    }

    /// A list of so many texts at most; absent and null are an empty one.
    pub(crate) fn list(&mut self, name: &str, most: usize, longest: usize) -> Vec<String> {
        let texts = self.numbered_list(name, most, longest);
        texts.into_iter().map(|(_, text)| text).collect()
    }

    /// The same, each text with its number in the body: those at fault are left out.
    pub(crate) fn numbered_list(
        &mut self,
        name: &str,
        most: usize,
        longest: usize,
    ) -> Vec<(usize, String)> {
        let items = match self.members.remove(name) {
            None | Some(Json::Null) => return Vec::new(),
            Some(Json::Array(items)) => items,
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("expected an array of strings, found {}", kind(&other)),
                );
                return Vec::new();
            }
        };
        if items.len() > most {
            self.fault(
                name,
                "too_long",
                format!("at most {most} entries are allowed"),
            );
            return Vec::new();
        }
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let place = format!("{name}/{index}");
            match item {
                Json::String(text) => {
                    let text = self.checked_text(&place, text, longest);
                    texts.extend(text.map(|text| (index, text)));
                }
                other => self.fault(
                    &place,
                    "type",
                    format!("expected a string, found {}", kind(&other)),
                ),
            }
        }
        texts
    }

    /// An id; absent and null are the same.
    pub fn id(&mut self, name: &str) -> Option<Uuid> {
        match self.members.remove(name) {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => {
                let id = Uuid::try_parse(&text).ok();
                if id.is_none() {
                    self.fault(
                        name,
                        "format",
                        format!("expected an id (UUID), found `{}`", shortened(&text)),
                    );
                }
                id
            }
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("expected an id (UUID) or null, found {}", kind(&other)),
                );
                None
            }
        }
    }

    /// From 1 to `most` ids, in their order.
    pub(crate) fn ids(&mut self, name: &str, most: usize) -> Vec<Uuid> {
        let items = match self.members.remove(name) {
            Some(Json::Array(items)) if (1..=most).contains(&items.len()) => items,
            Some(Json::Array(items)) => {
                self.fault(
                    name,
                    if items.is_empty() {
                        "required"
                    } else {
                        "too_long"
                    },
                    format!("from 1 to {most} ids are allowed"),
                );
                return Vec::new();
            }
            found => {
                let found = found.as_ref().map_or("nothing", kind);
                self.fault(
                    name,
                    if found == "nothing" {
                        "required"
                    } else {
                        "type"
                    },
                    format!("expected an array of ids (UUID), found {found}"),
                );
                return Vec::new();
            }
        };
        let mut ids = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().and_then(|text| Uuid::try_parse(text).ok()) {
                Some(id) => ids.push(id),
                None => self.fault(
                    &format!("{name}/{index}"),
                    "format",
                    "expected an id (UUID)",
                ),
            }
        }
        ids
    }

    /// One of a few words; absent and null are the same.
    pub fn one_of<T: FromStr>(&mut self, name: &str, words: &[&str]) -> Option<T> {
        let text = match self.members.remove(name) {
            None | Some(Json::Null) => return None,
            Some(Json::String(text)) => text,
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("expected a string or null, found {}", kind(&other)),
                );
                return None;
            }
        };
        self.word(name, &text, words)
    }

    fn word<T: FromStr>(&mut self, name: &str, text: &str, words: &[&str]) -> Option<T> {
        let value = text.parse().ok();
        if value.is_none() {
            self.fault(
                name,
                "enum",
                format!("expected one of {}", words.join(", ")),
            );
        }
        value
    }

    /// A list of a few words; `None` when it is absent or null.
    pub fn list_of<T: FromStr>(&mut self, name: &str, words: &[&str]) -> Option<Vec<T>> {
        let items = match self.members.remove(name)? {
            Json::Null => return None,
            Json::Array(items) => items,
            other => {
                self.fault(
                    name,
                    "type",
                    format!(
                        "expected an array of strings or null, found {}",
                        kind(&other)
                    ),
                );
                return None;
            }
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = format!("{name}/{index}");
            match item.as_str() {
                Some(text) => values.extend(self.word(&place, text, words)),
                None => self.fault(
                    &place,
                    "type",
                    format!("expected a string, found {}", kind(item)),
                ),
            }
        }
        Some(values)
    }

    /// True or false; `None` when it is absent.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.members.remove(name)? {
            Json::Bool(value) => Some(value),
            other => {
                self.fault(
                    name,
                    "type",
                    format!("expected true or false, found {}", kind(&other)),
                );
                None
            }
        }
    }

    /// A time; absent and null are the same.
    pub fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.text(name, usize::MAX)?;
        let time = crate::time::parse_timestamp(&text);
        if time.is_none() {
            self.fault(
                name,
                "format",
                "expected an RFC 3339 time such as 2026-01-31T12:00:00Z",
            );
        }
        time
    }

    /// An integer in a range; absent and null are the same.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let expected = || {
            format!(
                "expected an integer from {} to {}",
                range.start(),
                range.end()
            )
        };
        match self.members.remove(name) {
            None | Some(Json::Null) => None,
            Some(Json::Number(number)) => {
                let value = number.as_i64().filter(|value| range.contains(value));
                if value.is_none() {
                    // As JSON Schema has it, 1.0 is an integer, too.
                    let whole = number.as_f64().filter(|value| value.fract() == 0.0);
                    let whole = whole.map(|value| value as i64);
                    if let Some(whole) = whole.filter(|value| range.contains(value)) {
                        return Some(whole);
                    }
                    self.fault(name, "out_of_range", expected());
                }
                value
            }
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("{} or null, found {}", expected(), kind(&other)),
                );
                None
            }
        }
    }

    /// A free JSON object in its canonical form; absent and null are an empty one.
    pub(crate) fn object(&mut self, name: &str) -> Json {
        let mut object = match self.members.remove(name) {
            None | Some(Json::Null) => return Json::Object(Map::new()),
            Some(object @ Json::Object(_)) => object,
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("expected an object, found {}", kind(&other)),
                );
                return Json::Object(Map::new());
            }
        };
        // Before its numbers are written out, too: a short one may become a thousand digits.
        if object.to_string().len() > LARGEST_OBJECT {
            self.object_too_long(name);
            return object;
        }
        match canonicalise(&mut object) {
            Ok(()) => {}
            Err(JsonFault::Nul) => {
                self.fault(
                    name,
                    "nul",
                    "the character U+0000 cannot be stored: remove it",
                );
            }
            Err(JsonFault::TooDeep) => {
                self.fault(
                    name,
                    "too_deep",
                    format!("at most {DEEPEST} levels of nesting are allowed"),
                );
            }
            Err(JsonFault::TooManyDigits) => {
                self.fault(
                    name,
                    "out_of_range",
                    format!(
                        "a number may have at most {MOST_DIGITS} digits before and after its point"
                    ),
                );
            }
        }
        if object.to_string().len() > LARGEST_OBJECT {
            self.object_too_long(name);
        }
        object
    }

    fn object_too_long(&mut self, name: &str) {
        self.fault(
            name,
            "too_long",
            format!("at most {LARGEST_OBJECT} bytes of JSON are allowed"),
        );
    }

    /// Whether the body has this member, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// An id that must be there; the nil one when it is not, which [`Self::finish`] reports.
    pub fn required_id(&mut self, name: &str) -> Uuid {
        let before = self.faults.len();
        let id = self.id(name);
        if id.is_none() && self.faults.len() == before {
            self.fault(name, "required", "an id (UUID) is needed");
        }
        id.unwrap_or_default()
    }

    /// A number in a range; absent and null are the same.
    pub(crate) fn number(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        match self.members.remove(name) {
            None | Some(Json::Null) => None,
            Some(Json::Number(number)) => {
                let number = number
                    .as_f64()
                    .filter(|number| (least..=most).contains(number));
                if number.is_none() {
                    self.fault(
                        name,
                        "out_of_range",
                        format!("expected a number from {least} to {most}"),
                    );
                }
                // −0.0 would be told from 0.0 by one database only.
                number.map(|number| number + 0.0)
            }
            Some(other) => {
                self.fault(
                    name,
                    "type",
                    format!("expected a number or null, found {}", kind(&other)),
                );
                None
            }
        }
    }

    /// Ends the reading: every fault at once. What is left over is one of `read_only`, which the server sets, or
    /// unknown; `known` names the fields that there are.
    pub fn finish(mut self, known: &[&str], read_only: &[&str]) -> Result<(), Error> {
        let rest: Vec<String> = self.members.keys().cloned().collect();
        for name in rest {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            if read_only.contains(&name.as_str()) {
                self.fault(
                    &escaped,
                    "read_only",
                    "this field is set by the server: leave it out",
                );
            } else {
                self.fault(
                    &escaped,
                    "unknown_field",
                    format!("there is no such field: known are {}", known.join(", ")),
                );
            }
        }
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.faults))
        }
    }
}

/// As the patterns of the OpenAPI document have it: U+001C to U+001F separate, too.
pub(crate) fn is_visible(character: char) -> bool {
    !character.is_whitespace() && !('\u{1c}'..='\u{1f}').contains(&character)
}

/// The type of a value, for errors.
pub(crate) fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// The beginning of a text, for errors.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
