//! A resource as it is stored and shown.

use chrono::{DateTime, Utc};
use entity::resources::Column;
use sea_orm::sea_query::{Query, SelectStatement};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::fields::ResourceFields;
use crate::database::{DatabaseError, FromRow, Row};
use crate::time::rfc3339;

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
    let table = entity::resources::Entity;
    Query::select()
        .columns(COLUMNS.map(|column| (table, column)))
        .from(table)
        .take()
}

impl FromRow for Resource {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(0)?,
            fields: ResourceFields {
                title: row.get(1)?,
                description: row.get(2)?,
                creator: row.get(3)?,
                publisher: row.get(4)?,
                contributor: row.get(5)?,
                date: row.get(6)?,
                resource_type: row.get(7)?,
                format: row.get(8)?,
                identifier: row.get(9)?,
                source: row.get(10)?,
                language: row.get(11)?,
                relation: row.get(12)?,
                coverage: row.get(13)?,
                rights: row.get(14)?,
                subject: row.get(15)?,
                classification_code: row.get(16)?,
                read_status: row.get::<String>(17)?.parse().unwrap_or_default(),
                quality_score: row.get(18)?,
                metadata: row.get(19)?,
            },
            version: row.get(20)?,
            created_at: row.get(21)?,
            updated_at: row.get(22)?,
        })
    }
}

impl Resource {
    /// The value of a sortable column, for a cursor.
    pub(crate) fn sort_value(&self, column: Column) -> Json {
        let fields = &self.fields;
        match column {
            Column::Title => fields.title.as_str().into(),
            Column::Creator => fields.creator.clone().into(),
            Column::Publisher => fields.publisher.clone().into(),
            Column::Contributor => fields.contributor.clone().into(),
            Column::Date => fields.date.clone().into(),
            Column::ResourceType => fields.resource_type.clone().into(),
            Column::Format => fields.format.clone().into(),
            Column::Identifier => fields.identifier.clone().into(),
            Column::Source => fields.source.clone().into(),
            Column::Language => fields.language.clone().into(),
            Column::ClassificationCode => fields.classification_code.clone().into(),
            Column::ReadStatus => fields.read_status.as_str().into(),
            Column::QualityScore => fields.quality_score.into(),
            Column::Year => fields.year().into(),
            Column::Version => self.version.into(),
            Column::CreatedAt => crate::time::format_timestamp(self.created_at).into(),
            Column::UpdatedAt => crate::time::format_timestamp(self.updated_at).into(),
            _ => self.id.to_string().into(),
        }
    }
}
