//! A resource as it is stored and shown.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use entity::resources::Column;
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::fields::ResourceFields;
use crate::database::{DatabaseError, FromRow, Row};
use crate::known::{Bytes, Known};
use crate::time::rfc3339;

/// What pages show, from before.
pub(crate) type KnownResources = Known<Stamp, Rendered>;

/// A resource of the library, described in Dublin Core.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Resource {
    /// UUIDv7.
    pub id: Uuid,
    #[serde(flatten)]
    pub fields: ResourceFields,
    /// Counts the changes, from 1; the `ETag` is made of it.
    #[schema(minimum = 1)]
    pub version: i64,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

/// The columns that [`Resource::from_row`] reads, in its order.
pub(crate) const COLUMNS: [Column; 23] = [
    Column::Id,
    Column::Title,
    Column::Description,
    Column::Creator,
    Column::Publisher,
    Column::Contributor,
    Column::Date,
    Column::ResourceType,
    Column::Format,
    Column::Identifier,
    Column::Source,
    Column::Language,
    Column::Relation,
    Column::Coverage,
    Column::Rights,
    Column::Subject,
    Column::ClassificationCode,
    Column::ReadStatus,
    Column::QualityScore,
    Column::Metadata,
    Column::Version,
    Column::CreatedAt,
    Column::UpdatedAt,
];

/// A SELECT of whole resources, to be narrowed.
pub(crate) fn select() -> SelectStatement {
    Query::select()
        .columns(resource_columns())
        .from(entity::resources::Entity)
        .take()
}

pub(crate) fn resource_columns() -> [(entity::resources::Entity, Column); COLUMNS.len()] {
    COLUMNS.map(|column| (entity::resources::Entity, column))
}

/// What tells whether a resource is as it was: the row's own stamp, and what every change through Pharos and the touch
/// trigger counts on, so that a row of a restored dump is not taken for one of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    row: i64,
    version: i64,
    updated_at: DateTime<Utc>,
}

/// The expressions that [`Stamp::read`] reads, of which the first is the row's own stamp.
pub(crate) fn stamp_columns(row_stamp: String) -> [Expr; 3] {
    let column = |column| Expr::col((entity::resources::Entity, column));
    [
        Expr::cust(row_stamp),
        column(Column::Version),
        column(Column::UpdatedAt),
    ]
}

impl Stamp {
    /// Reads the columns from `first` on.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Self, DatabaseError> {
        Ok(Self {
            row: row.get(first)?,
            version: row.get(first + 1)?,
            updated_at: row.get(first + 2)?,
        })
    }
}

/// A resource for showing, with its JSON where that has been written already.
#[derive(Debug)]
pub struct Rendered {
    resource: Resource,
    json: Option<Box<RawValue>>,
}

impl From<Resource> for Rendered {
    fn from(resource: Resource) -> Self {
        Self {
            resource,
            json: None,
        }
    }
}

impl Deref for Rendered {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.resource
    }
}

impl Rendered {
    /// Writes the JSON now, to be shown again and again.
    pub(crate) fn for_keeping(resource: Resource) -> Self {
        let json = serde_json::value::to_raw_value(&resource).ok();
        Self { resource, json }
    }
}

impl Bytes for Rendered {
    fn bytes(&self) -> usize {
        // The fields take about what their JSON takes.
        let json = self.json.as_ref().map_or(0, |json| json.get().len());
        size_of::<Self>() + 2 * json
    }
}

impl Serialize for Rendered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.json {
            Some(json) => json.serialize(serializer),
            None => self.resource.serialize(serializer),
        }
    }
}

impl FromRow for Resource {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Self::read(row, 0)
    }
}

impl Resource {
    /// Reads [`COLUMNS`] from `first` on.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(first)?,
            fields: ResourceFields {
                title: row.get(first + 1)?,
                description: row.get(first + 2)?,
                creator: row.get(first + 3)?,
                publisher: row.get(first + 4)?,
                contributor: row.get(first + 5)?,
                date: row.get(first + 6)?,
                resource_type: row.get(first + 7)?,
                format: row.get(first + 8)?,
                identifier: row.get(first + 9)?,
                source: row.get(first + 10)?,
                language: row.get(first + 11)?,
                relation: row.get(first + 12)?,
                coverage: row.get(first + 13)?,
                rights: row.get(first + 14)?,
                subject: row.get(first + 15)?,
                classification_code: row.get(first + 16)?,
                read_status: row.get::<String>(first + 17)?.parse().unwrap_or_default(),
                quality_score: row.get(first + 18)?,
                metadata: row.get(first + 19)?,
            },
            version: row.get(first + 20)?,
            created_at: row.get(first + 21)?,
            updated_at: row.get(first + 22)?,
        })
    }

    /// The value of a sortable field, for a cursor.
    pub(crate) fn sort_value(&self, field: &str) -> Json {
        let fields = &self.fields;
        match field {
            "title" => fields.title.as_str().into(),
            "creator" => fields.creator.clone().into(),
            "publisher" => fields.publisher.clone().into(),
            "contributor" => fields.contributor.clone().into(),
            "date" => fields.date.clone().into(),
            "type" => fields.resource_type.clone().into(),
            "format" => fields.format.clone().into(),
            "identifier" => fields.identifier.clone().into(),
            "source" => fields.source.clone().into(),
            "language" => fields.language.clone().into(),
            "classification_code" => fields.classification_code.clone().into(),
            "read_status" => fields.read_status.as_str().into(),
            "quality_score" => fields.quality_score.into(),
            "year" => fields.year().into(),
            "version" => self.version.into(),
            "created_at" => crate::time::format_timestamp(self.created_at).into(),
            "updated_at" => crate::time::format_timestamp(self.updated_at).into(),
            _ => self.id.to_string().into(),
        }
    }
}
