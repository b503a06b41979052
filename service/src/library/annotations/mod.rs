//! Annotations: passages that readers mark in the text of a resource, with notes, private or shared.

mod anchor;
mod changes;
mod export;
mod reading;
mod words;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use entity::annotations::Model;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::fields::ResourceFields;
use crate::accounts::Viewer;
use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::json::{Change, JsonColumn};
use crate::lists::{Field, Holds, Listed, Table};
use crate::time::rfc3339;

pub use self::export::{AnnotationExport, ExportedAnnotation, MARKDOWN_HEAD};
pub use self::reading::AnnotationRequest;

pub(crate) use self::changes::follow;

/// Characters of a passage at most.
const LONGEST_QUOTE: i64 = 10_000;
/// Characters of a note at most.
const LONGEST_NOTE: usize = 10_000;
/// Tags at most.
const MOST_TAGS: usize = 50;
/// Characters of a tag at most.
const LONGEST_TAG: usize = 100;
/// Characters of a description, and so the highest offset.
const LONGEST_TEXT: i64 = 1_000_000;

/// A field of a resource that can be annotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextField {
    Title,
    Description,
    Creator,
    Publisher,
    Contributor,
    Source,
    Coverage,
    Rights,
}

impl TextField {
    const ALL: [Self; 8] = [
        Self::Title,
        Self::Description,
        Self::Creator,
        Self::Publisher,
        Self::Contributor,
        Self::Source,
        Self::Coverage,
        Self::Rights,
    ];
    const WORDS: [&'static str; 8] = [
        "title",
        "description",
        "creator",
        "publisher",
        "contributor",
        "source",
        "coverage",
        "rights",
    ];

    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The text of this field; nothing where the resource has none.
    fn text(self, fields: &ResourceFields) -> &str {
        let text = match self {
            Self::Title => Some(&fields.title),
            Self::Description => fields.description.as_ref(),
            Self::Creator => fields.creator.as_ref(),
            Self::Publisher => fields.publisher.as_ref(),
            Self::Contributor => fields.contributor.as_ref(),
            Self::Source => fields.source.as_ref(),
            Self::Coverage => fields.coverage.as_ref(),
            Self::Rights => fields.rights.as_ref(),
        };
        text.map_or("", String::as_str)
    }
}

impl FromStr for TextField {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|field| field.as_str() == text)
            .ok_or(())
    }
}

/// Who sees an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Who made it.
    #[default]
    Private,
    /// Whoever may read the library.
    Shared,
}

impl Sharing {
    const WORDS: [&'static str; 2] = ["private", "shared"];

    fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl FromStr for Sharing {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Private, Self::Shared]
            .into_iter()
            .find(|sharing| sharing.as_str() == text)
            .ok_or(())
    }
}

/// What people write of an annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnnotationFields {
    pub field: TextField,
    pub start: i64,
    pub end: i64,
    /// Checked against the text, where it is given.
    #[serde(skip)]
    pub quote: Option<String>,
    pub note: Option<String>,
    pub tags: Vec<String>,
    pub colour: Option<String>,
    pub visibility: Sharing,
}

impl AnnotationFields {
    const NAMES: [&'static str; 8] = [
        "field",
        "start",
        "end",
        "quote",
        "note",
        "tags",
        "colour",
        "visibility",
    ];
    const READ_ONLY: [&'static str; 7] = [
        "id",
        "resource_id",
        "user_id",
        "stale",
        "version",
        "created_at",
        "updated_at",
    ];

    /// Reads a body; all faults are reported at once.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        Self::read(body, true)
    }

    /// Offsets that name no passage of any text are a fault where the body has named both; else it is what is stored that
    /// does not allow it.
    fn read(body: Json, names_passage: bool) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "an annotation")?;
        reader.require("field", "the name of a field");
        reader.require("start", "an offset");
        reader.require("end", "an offset");
        let field = reader.one_of("field", &TextField::WORDS);
        let (start, end) = (
            reader.integer("start", 0..=LONGEST_TEXT),
            reader.integer("end", 0..=LONGEST_TEXT),
        );
        if let (true, Some(start), Some(end)) = (names_passage, start, end)
            && !(1..=LONGEST_QUOTE).contains(&(end - start))
        {
            let expected = format!(
                "a passage has from 1 to {LONGEST_QUOTE} characters: expected an end behind the start {start}"
            );
            reader.fault("end", "out_of_range", expected);
        }
        let fields = Self {
            field: field.unwrap_or(TextField::Title),
            start: start.unwrap_or(0),
            end: end.unwrap_or(1),
            quote: reader.text(
                "quote",
                usize::try_from(LONGEST_QUOTE).unwrap_or(usize::MAX),
            ),
            note: reader.text("note", LONGEST_NOTE),
            tags: reader.list("tags", MOST_TAGS, LONGEST_TAG),
            colour: colour(&mut reader),
            visibility: reader
                .one_of("visibility", &Sharing::WORDS)
                .unwrap_or_default(),
        };
        reader
            .finish(&Self::NAMES, &Self::READ_ONLY)
            .map(|()| fields)
    }

    fn changed(&self, change: &Change) -> Result<Self, Error> {
        let fields =
            serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))?;
        let names_passage = matches!(change, Change::Merge(patch)
            if !patch["start"].is_null() && !patch["end"].is_null());
        Self::read(change.apply(fields)?, names_passage)
    }
}

/// `#rrggbb`, kept in lower case.
fn colour(reader: &mut BodyReader) -> Option<String> {
    let colour = reader.text("colour", 4_000)?;
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6);
    if !digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        reader.fault(
            "colour",
            "format",
            "expected # and six hexadecimal digits, as in #ffcc00",
        );
    }
    Some(colour.to_ascii_lowercase())
}

/// A passage of a resource that somebody marked. Offsets count Unicode scalar values from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Annotation {
    pub id: Uuid,
    pub resource_id: Uuid,
    /// Who made it.
    pub user_id: Uuid,
    pub field: TextField,
    /// Where the passage begins.
    #[schema(minimum = 0)]
    pub start: i64,
    /// Where it ends: the first character behind it.
    #[schema(minimum = 1)]
    pub end: i64,
    /// The passage.
    pub quote: String,
    #[schema(required)]
    pub note: Option<String>,
    pub tags: Vec<String>,
    /// `#rrggbb` in lower case.
    #[schema(required, pattern = "^#[0-9a-f]{6}$")]
    pub colour: Option<String>,
    pub visibility: Sharing,
    /// The passage stands in the text no longer, or nobody can tell where; `start` and `end` are those of before.
    pub stale: bool,
    /// Counts the changes, from 1; the `ETag` is made of it.
    #[schema(minimum = 1)]
    pub version: i64,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

impl Listed for Annotation {}

impl Annotation {
    fn fields(&self) -> AnnotationFields {
        AnnotationFields {
            field: self.field,
            start: self.start,
            end: self.end,
            quote: None,
            note: self.note.clone(),
            tags: self.tags.clone(),
            colour: self.colour.clone(),
            visibility: self.visibility,
        }
    }

    fn is_visible_to(&self, viewer: Viewer) -> bool {
        self.user_id == viewer.user_id || self.visibility == Sharing::Shared
    }

    /// Reads the columns of [`FIELDS`] from the first on.
    fn read(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let field: String = row.get(3)?;
        let visibility: String = row.get(10)?;
        Ok(Self {
            id: row.get(0)?,
            resource_id: row.get(1)?,
            user_id: row.get(2)?,
            field: field.parse().map_err(|()| unknown(&field))?,
            start: row.get(4)?,
            end: row.get(5)?,
            quote: row.get(6)?,
            note: row.get(7)?,
            tags: row.get(8)?,
            colour: row.get(9)?,
            visibility: visibility.parse().map_err(|()| unknown(&visibility))?,
            stale: row.get(11)?,
            version: row.get(12)?,
            created_at: row.get(13)?,
            updated_at: row.get(14)?,
        })
    }
}

fn unknown(value: &str) -> DatabaseError {
    DatabaseError::Other(format!("no annotation has `{value}`"))
}

impl FromRow for Annotation {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Self::read(row)
    }
}

impl TryFrom<Model> for Annotation {
    type Error = DatabaseError;

    fn try_from(model: Model) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: model.id,
            resource_id: model.resource_id,
            user_id: model.user_id,
            field: model.field.parse().map_err(|()| unknown(&model.field))?,
            start: model.start_offset,
            end: model.end_offset,
            quote: model.quote,
            note: model.note,
            tags: serde_json::from_value(model.tags)
                .map_err(|error| DatabaseError::Other(error.to_string()))?,
            colour: model.colour,
            visibility: model
                .visibility
                .parse()
                .map_err(|()| unknown(&model.visibility))?,
            stale: model.stale,
            version: model.version,
            created_at: model.created_at,
            updated_at: model.updated_at,
        })
    }
}

pub(crate) const ANNOTATIONS: Table = Table {
    fields: &[&FIELDS],
    key: "id",
    default_sort: "-created_at",
};

const fn field(name: &'static str, holds: Holds) -> Field {
    Field::new("annotations", name, holds)
}

/// In the order in which [`Annotation::read`] reads them.
const FIELDS: [Field; 15] = [
    field("id", Holds::Id).sortable(),
    field("resource_id", Holds::Id).sortable(),
    field("user_id", Holds::Id).sortable(),
    field("field", Holds::Text).sortable(),
    field("start", Holds::Integer)
        .column("start_offset")
        .sortable(),
    field("end", Holds::Integer).column("end_offset").sortable(),
    field("quote", Holds::Text),
    field("note", Holds::Text).nullable(),
    field("tags", Holds::List(JsonColumn::AnnotationTags)),
    field("colour", Holds::Text).nullable().sortable(),
    field("visibility", Holds::Text).sortable(),
    field("stale", Holds::Boolean),
    field("version", Holds::Integer).sortable(),
    field("created_at", Holds::Time).sortable(),
    field("updated_at", Holds::Time).sortable(),
];

fn not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "annotation",
        id: id.to_string(),
    }
}
