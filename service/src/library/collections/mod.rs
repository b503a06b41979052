//! Collections: trees of named gatherings of resources, each tree with one owner, private, shared or public.

mod access;
mod contents;
mod members;
mod tree;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use entity::collections::Model;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::json::Change;
use crate::lists::{Field, Holds, Listed, Table};
use crate::time::rfc3339;

pub use self::contents::{Added, CollectionItem, placement, resource_ids};
pub use self::members::{Member, MemberRole};
pub use self::tree::Children;

pub(crate) use self::access::visible;
pub(crate) use self::contents::CONTENTS;
pub(crate) use self::members::MEMBERS;

/// Characters in a name at most.
const LONGEST_NAME: usize = 200;
/// Characters in a description at most.
const LONGEST_DESCRIPTION: usize = 4_000;

/// Who sees a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Its owner.
    #[default]
    Private,
    /// Its owner, its members and admins.
    Shared,
    /// Whoever may read the library.
    Public,
}

impl Visibility {
    const WORDS: [&'static str; 3] = ["private", "shared", "public"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Public => "public",
        }
    }
}

impl FromStr for Visibility {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Private, Self::Shared, Self::Public]
            .into_iter()
            .find(|visibility| visibility.as_str() == text)
            .ok_or(())
    }
}

/// What people write of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CollectionFields {
    /// The collection that it stands in, of the same owner; null for one at the top.
    #[schema(required)]
    pub parent_id: Option<Uuid>,
    /// 1 to 200 characters, at least one of them visible. Not unique.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    #[schema(required, max_length = 4_000)]
    pub description: Option<String>,
    pub visibility: Visibility,
}

impl CollectionFields {
    const NAMES: [&'static str; 4] = ["parent_id", "name", "description", "visibility"];
    const READ_ONLY: [&'static str; 5] = ["id", "owner_id", "version", "created_at", "updated_at"];

    /// Reads a body; all faults are reported at once.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a collection")?;
        let fields = Self {
            parent_id: reader.id("parent_id"),
            name: reader.required_text("name", LONGEST_NAME),
            description: reader.text("description", LONGEST_DESCRIPTION),
            visibility: reader
                .one_of("visibility", &Visibility::WORDS)
                .unwrap_or_default(),
        };
        reader
            .finish(&Self::NAMES, &Self::READ_ONLY)
            .map(|()| fields)
    }

    fn changed(&self, change: &Change) -> Result<Self, Error> {
        let fields =
            serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))?;
        Self::from_json(change.apply(fields)?)
    }
}

/// A named gathering of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Collection {
    pub id: Uuid,
    #[serde(flatten)]
    pub fields: CollectionFields,
    /// Whose it is. A collection in another one has the same owner.
    pub owner_id: Uuid,
    /// Counts the changes, from 1; the `ETag` is made of it.
    #[schema(minimum = 1)]
    pub version: i64,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

impl Listed for Collection {}

pub(crate) const COLLECTIONS: Table = Table {
    fields: &[&FIELDS],
    key: "id",
    default_sort: "name",
};

const fn field(name: &'static str, holds: Holds) -> Field {
    Field::new("collections", name, holds)
}

/// In the order in which [`Collection::from_row`] reads them.
const FIELDS: [Field; 9] = [
    field("id", Holds::Id).sortable(),
    field("parent_id", Holds::Id).nullable(),
    field("name", Holds::Text).sortable(),
    field("description", Holds::Text).nullable(),
    field("visibility", Holds::Text).sortable(),
    field("owner_id", Holds::Id),
    field("version", Holds::Integer).sortable(),
    field("created_at", Holds::Time).sortable(),
    field("updated_at", Holds::Time).sortable(),
];

impl FromRow for Collection {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(0)?,
            fields: CollectionFields {
                parent_id: row.get(1)?,
                name: row.get(2)?,
                description: row.get(3)?,
                visibility: row.get::<String>(4)?.parse().unwrap_or_default(),
            },
            owner_id: row.get(5)?,
            version: row.get(6)?,
            created_at: row.get(7)?,
            updated_at: row.get(8)?,
        })
    }
}

impl From<Model> for Collection {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            fields: CollectionFields {
                parent_id: model.parent_id,
                name: model.name,
                description: model.description,
                visibility: model.visibility.parse().unwrap_or_default(),
            },
            owner_id: model.owner_id,
            version: model.version,
            created_at: model.created_at,
            updated_at: model.updated_at,
        }
    }
}

fn not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "collection",
        id: id.to_string(),
    }
}
