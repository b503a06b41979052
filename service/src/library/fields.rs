//! The fields of a resource that people write, and the rules they keep.

use std::str::FromStr;

use serde::Serialize;
use serde_json::Value as Json;

use crate::body::{BodyReader, kind, shortened};
use crate::error::{Error, Fault};
use crate::json::{Change, merge_fields};

/// Characters in a title or another short text at most.
const LONGEST_TEXT: usize = 4_000;
/// Characters in a description at most.
const LONGEST_DESCRIPTION: usize = 1_000_000;
/// Entries in a list at most.
const LONGEST_LIST: usize = 1_000;

/// How far somebody has read a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadStatus {
    #[default]
    Unread,
    Reading,
    Read,
    Abandoned,
}

impl ReadStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Reading => "reading",
            Self::Read => "read",
            Self::Abandoned => "abandoned",
        }
    }
}

impl FromStr for ReadStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Unread, Self::Reading, Self::Read, Self::Abandoned]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(())
    }
}

/// Dublin Core and what Pharos adds to it. Absent texts are null, absent lists empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, utoipa::ToSchema)]
pub struct ResourceFields {
    /// 1 to 4,000 characters.
    #[schema(min_length = 1, max_length = 4_000)]
    pub title: String,
    /// Up to 1,000,000 characters.
    #[schema(required, max_length = 1_000_000)]
    pub description: Option<String>,
    #[schema(required, max_length = 4_000)]
    pub creator: Option<String>,
    #[schema(required, max_length = 4_000)]
    pub publisher: Option<String>,
    #[schema(required, max_length = 4_000)]
    pub contributor: Option<String>,
    /// A year (negative before the common era), a month, a day, or an RFC 3339 time: `1813`, `2008-09`, `1998-09-04`.
    #[schema(required, max_length = 4_000)]
    pub date: Option<String>,
    /// What kind of thing it is, for example `book` or `paper`.
    #[serde(rename = "type")]
    #[schema(required, max_length = 4_000)]
    pub resource_type: Option<String>,
    #[schema(required, max_length = 4_000)]
    pub format: Option<String>,
    /// An unambiguous reference, for example an ISBN or DOI. Importing the same identifier again updates.
    #[schema(required, max_length = 4_000)]
    pub identifier: Option<String>,
    #[schema(required, max_length = 4_000)]
    pub source: Option<String>,
    /// A language tag of ASCII letters, digits and hyphens, for example `en`, `en-US` or `eng`.
    #[schema(required, max_length = 35, pattern = "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")]
    pub language: Option<String>,
    #[schema(max_items = 1_000)]
    pub relation: Vec<String>,
    #[schema(required, max_length = 4_000)]
    pub coverage: Option<String>,
    #[schema(required, max_length = 4_000)]
    pub rights: Option<String>,
    #[schema(max_items = 1_000)]
    pub subject: Vec<String>,
    #[schema(required, max_length = 4_000)]
    pub classification_code: Option<String>,
    pub read_status: ReadStatus,
    /// From 0 to 100.
    #[schema(required, minimum = 0, maximum = 100)]
    pub quality_score: Option<f64>,
    /// Anything else: an object of up to 256 KiB, nested up to 64 deep. Keys come back sorted.
    #[schema(value_type = std::collections::BTreeMap<String, Json>)]
    pub metadata: Json,
}

/// Every field that a body may have.
pub(crate) const FIELD_NAMES: [&str; 19] = [
    "title",
    "description",
    "creator",
    "publisher",
    "contributor",
    "date",
    "type",
    "format",
    "identifier",
    "source",
    "language",
    "relation",
    "coverage",
    "rights",
    "subject",
    "classification_code",
    "read_status",
    "quality_score",
    "metadata",
];

/// What Pharos sets itself; a body that carries it over from a reply is told so by name.
const READ_ONLY: [&str; 4] = ["id", "version", "created_at", "updated_at"];

impl ResourceFields {
    /// Reads the fields of a JSON body and checks every rule; all faults are reported at once.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a resource")?;
        let fields = Self {
            title: reader.required_text("title", LONGEST_TEXT),
            description: reader.text("description", LONGEST_DESCRIPTION),
            creator: reader.text("creator", LONGEST_TEXT),
            publisher: reader.text("publisher", LONGEST_TEXT),
            contributor: reader.text("contributor", LONGEST_TEXT),
            date: date(&mut reader),
            resource_type: reader.text("type", LONGEST_TEXT),
            format: reader.text("format", LONGEST_TEXT),
            identifier: reader.text("identifier", LONGEST_TEXT),
            source: reader.text("source", LONGEST_TEXT),
            language: language(&mut reader),
            relation: reader.list("relation", LONGEST_LIST, LONGEST_TEXT),
            coverage: reader.text("coverage", LONGEST_TEXT),
            rights: reader.text("rights", LONGEST_TEXT),
            subject: reader.list("subject", LONGEST_LIST, LONGEST_TEXT),
            classification_code: reader.text("classification_code", LONGEST_TEXT),
            read_status: read_status(&mut reader),
            quality_score: quality_score(&mut reader),
            metadata: reader.object("metadata"),
        };
        reader.finish(&FIELD_NAMES, &READ_ONLY).map(|()| fields)
    }

    /// Applies an RFC 7396 merge patch: null removes, anything else replaces; metadata merges by key.
    pub fn merge_patch(&self, patch: Json) -> Result<Self, Error> {
        let Json::Object(patch) = patch else {
            return Err(Error::Invalid(vec![Fault::at(
                "",
                "type",
                "expected a JSON object with the fields to change",
            )]));
        };
        let mut merged =
            serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))?;
        merge_fields(&mut merged, Json::Object(patch));
        Self::from_json(merged)
    }

    /// Applies a change. What a merge patch names with null, and what an operation removes, becomes absent.
    pub fn changed(&self, change: &Change) -> Result<Self, Error> {
        if let Change::Merge(patch) = change {
            return self.merge_patch(patch.clone());
        }
        let fields =
            serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))?;
        Self::from_json(change.apply(fields)?)
    }

    /// The year of `date`, negative before the common era.
    pub fn year(&self) -> Option<i64> {
        self.date.as_deref().and_then(date_year)
    }
}

fn date(reader: &mut BodyReader) -> Option<String> {
    let date = reader.text("date", LONGEST_TEXT)?;
    if date_year(&date).is_none() {
        reader.fault(
            "date",
            "format",
            format!(
                "`{}` is no date: write a year, YYYY-MM, YYYY-MM-DD or an RFC 3339 time",
                shortened(&date)
            ),
        );
    }
    Some(date)
}

fn language(reader: &mut BodyReader) -> Option<String> {
    let language = reader.text("language", LONGEST_TEXT)?;
    let well_formed = language.len() <= 35
        && language
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if !well_formed {
        reader.fault(
            "language",
            "format",
            format!(
                "`{}` is no language tag: write for example en, en-US or eng",
                shortened(&language)
            ),
        );
    }
    Some(language)
}

fn read_status(reader: &mut BodyReader) -> ReadStatus {
    let Some(text) = reader.text("read_status", LONGEST_TEXT) else {
        return ReadStatus::default();
    };
    text.parse().unwrap_or_else(|()| {
        reader.fault(
            "read_status",
            "enum",
            "expected one of unread, reading, read, abandoned",
        );
        ReadStatus::default()
    })
}

fn quality_score(reader: &mut BodyReader) -> Option<f64> {
    match reader.take("quality_score") {
        None | Some(Json::Null) => None,
        Some(Json::Number(number)) => {
            let score = number
                .as_f64()
                .filter(|score| (0.0..=100.0).contains(score));
            if score.is_none() {
                reader.fault(
                    "quality_score",
                    "out_of_range",
                    "expected a number from 0 to 100",
                );
            }
            // −0.0 would be told from 0.0 by one database only.
            score.map(|score| score + 0.0)
        }
        Some(other) => {
            reader.fault(
                "quality_score",
                "type",
                format!("expected a number or null, found {}", kind(&other)),
            );
            None
        }
    }
}

/// The year of a well-formed date.
fn date_year(date: &str) -> Option<i64> {
    let (sign, rest) = match date.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, date),
    };
    let (year, rest) = rest
        .split_once('-')
        .map_or((rest, None), |(year, rest)| (year, Some(rest)));
    if !(1..=4).contains(&year.len()) || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = year.parse().ok()?;
    match rest {
        None => Some(sign * number),
        Some(rest) if sign > 0 && year.len() == 4 => {
            let full = match rest.len() {
                2 => format!("{year}-{rest}-01"),
                5 => date.to_owned(),
                _ => {
                    return chrono::DateTime::parse_from_rfc3339(date)
                        .ok()
                        .map(|_| number);
                }
            };
            full.parse::<chrono::NaiveDate>().ok().map(|_| number)
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_real_catalogues_are_read() {
        for (date, year) in [
            ("2008", 2008),
            ("-750", -750),
            ("119", 119),
            ("1998-09-04", 1998),
            ("2001-02", 2001),
            ("2001-02-03T04:05:06Z", 2001),
        ] {
            assert_eq!(date_year(date), Some(year), "{date}");
        }
        for date in [
            "",
            "soon",
            "2001-13",
            "2001-02-30",
            "20011",
            "--1",
            "2001-2-3",
            "-750-01",
        ] {
            assert_eq!(date_year(date), None, "{date}");
        }
    }

    #[test]
    fn every_fault_of_a_body_is_reported_with_its_place() {
        let body = serde_json::json!({"title": "", "subject": ["a", 1], "id": "x", "colour": 1, "quality_score": 101});
        let Err(Error::Invalid(faults)) = ResourceFields::from_json(body) else {
            panic!("accepted")
        };
        let places: Vec<(String, &str)> = faults
            .into_iter()
            .map(|fault| match fault.place {
                crate::error::Place::Pointer(pointer) => (pointer, fault.code),
                crate::error::Place::Parameter { .. } => panic!("not a parameter"),
            })
            .collect();
        let expected = [
            ("/title", "required"),
            ("/subject/1", "type"),
            ("/quality_score", "out_of_range"),
            ("/colour", "unknown_field"),
            ("/id", "read_only"),
        ];
        assert_eq!(
            places,
            expected.map(|(place, code)| (place.to_owned(), code))
        );
    }
}
