//! The resources in a collection, each once, in an order that can be set.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::collection_resources::{Column, Entity};
use entity::resources;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::super::record::{COLUMNS, Resource, resource_columns};
use super::super::resources::not_found as no_resource;
use super::super::table::FIELDS as RESOURCE_FIELDS;
use super::access::{Access, lock};
use crate::Pharos;
use crate::accounts::{Actor, Viewer};
use crate::body::BodyReader;
use crate::database::{BulkInsert, ColumnType, DatabaseError, Form, FromRow, Row, Transaction};
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Listed, Page, Source, Table, all_rows};
use crate::time::{format_timestamp, rfc3339};

/// Resources that are added or removed at once at most.
const MOST_IDS: usize = 1_000;

/// Ids that an error names at most.
const MOST_NAMED: usize = 10;
/// The highest position that can be asked for.
const LARGEST_POSITION: i64 = 1_000_000_000;

/// A resource in a collection.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CollectionItem {
    /// Orders the items, lowest first; there may be gaps.
    pub position: i64,
    #[serde(with = "rfc3339")]
    pub added_at: DateTime<Utc>,
    pub resource: Resource,
}

impl Listed for CollectionItem {
    fn sort_value(&self, field: &str) -> Json {
        match field {
            "position" => self.position.into(),
            "added_at" => format_timestamp(self.added_at).into(),
            _ => self.resource.sort_value(field),
        }
    }
}

impl FromRow for CollectionItem {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            resource: Resource::read(row, 0)?,
            position: row.get(COLUMNS.len())?,
            added_at: row.get(COLUMNS.len() + 1)?,
        })
    }
}

/// What came of adding resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Added {
    /// How many are new in the collection.
    #[schema(minimum = 0)]
    pub added: u64,
    /// How many were in it already.
    #[schema(minimum = 0)]
    pub already_there: u64,
}

pub(crate) const CONTENTS: Table = Table {
    fields: &[&RESOURCE_FIELDS, &PLACES],
    key: "id",
    default_sort: "position",
};

const PLACES: [Field; 2] = [
    Field::new("collection_resources", "position", Holds::Integer).sortable(),
    Field::new("collection_resources", "added_at", Holds::Time).sortable(),
];

static INSERT: BulkInsert = BulkInsert::new(
    "collection_resources",
    Form::Records,
    &[
        ("collection_id", ColumnType::Uuid),
        ("resource_id", ColumnType::Uuid),
        ("position", ColumnType::BigInt),
        ("added_at", ColumnType::Timestamp),
    ],
    &[],
);

/// Reads `{"resource_ids": […]}`.
pub fn resource_ids(body: Json) -> Result<Vec<Uuid>, Error> {
    let mut reader = BodyReader::new(body, "a batch")?;
    let ids = reader.ids("resource_ids", MOST_IDS);
    reader.finish(&["resource_ids"], &[]).map(|()| ids)
}

/// Reads `{"position": 3}`.
pub fn placement(body: Json) -> Result<Option<i64>, Error> {
    let mut reader = BodyReader::new(body, "a place")?;
    let position = reader.integer("position", 1..=LARGEST_POSITION);
    reader.finish(&["position"], &[]).map(|()| position)
}

impl Pharos {
    /// A page of the resources in a collection that the viewer may see.
    pub async fn list_collection_resources(
        &self,
        viewer: Viewer,
        collection_id: Uuid,
        request: &ListRequest,
    ) -> Result<Page<CollectionItem>, Error> {
        self.find_collection(viewer, collection_id).await?;
        let same = Expr::col((Entity, Column::ResourceId))
            .equals((resources::Entity, resources::Column::Id));
        let source = Source {
            name: format!("collections/{collection_id}/resources"),
            table: &CONTENTS,
            rows: all_rows("resources")
                .inner_join(Entity, same)
                .and_where(Expr::col((Entity, Column::CollectionId)).eq(collection_id))
                .take(),
        };
        let columns = resource_columns().map(Expr::col).into_iter();
        let columns = columns.chain(PLACES.iter().map(Field::expression));
        self.list_rows(&source, request, columns).await
    }

    /// Adds resources behind those that are there, in the order given. What is there already stays where it is.
    pub async fn add_to_collection(
        &self,
        actor: &Actor,
        collection_id: Uuid,
        ids: Vec<Uuid>,
    ) -> Result<Added, Error> {
        let now = self.clock.now();
        let shared = Arc::new((actor.clone(), ids));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (actor, ids) = &*shared;
                    lock(&transaction, actor, collection_id, Access::Edit).await?;
                    check_resources(&transaction, ids).await?;
                    let there: Vec<Uuid> = Entity::find()
                        .select_only()
                        .column(Column::ResourceId)
                        .filter(Column::CollectionId.eq(collection_id))
                        .filter(Column::ResourceId.is_in(ids.iter().copied()))
                        .into_tuple()
                        .all(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    let mut known: HashSet<Uuid> = there.iter().copied().collect();
                    let mut new = ids.clone();
                    new.retain(|id| known.insert(*id));
                    let last = last_position(&transaction, collection_id).await?;
                    let rows = new.iter().zip(last + 1..).map(|(id, position)| {
                        vec![
                            collection_id.into(),
                            (*id).into(),
                            position.into(),
                            now.into(),
                        ]
                    });
                    transaction
                        .insert_rows(&INSERT, rows)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(Added {
                        added: new.len() as u64,
                        already_there: there.len() as u64,
                    })
                }
            })
            .await
    }

    /// Takes resources out of a collection and tells how many were in it. They stay in the library.
    pub async fn remove_from_collection(
        &self,
        actor: &Actor,
        collection_id: Uuid,
        ids: Vec<Uuid>,
    ) -> Result<u64, Error> {
        let shared = Arc::new((actor.clone(), ids));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (actor, ids) = &*shared;
                    lock(&transaction, actor, collection_id, Access::Edit).await?;
                    let deleted = Entity::delete_many()
                        .filter(Column::CollectionId.eq(collection_id))
                        .filter(Column::ResourceId.is_in(ids.iter().copied()))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(deleted.rows_affected)
                }
            })
            .await
    }

    /// Puts a resource at a position, adding it where it is not there yet; without a position, behind the last. Where
    /// another one has the position, that one and those behind it make room. Gives the position, and whether the
    /// resource is new.
    pub async fn place_in_collection(
        &self,
        actor: &Actor,
        collection_id: Uuid,
        resource_id: Uuid,
        position: Option<i64>,
    ) -> Result<(i64, bool), Error> {
        let now = self.clock.now();
        let actor = Arc::new(actor.clone());
        self.database
            .write(move |transaction| {
                let actor = Arc::clone(&actor);
                async move {
                    lock(&transaction, &actor, collection_id, Access::Edit).await?;
                    check_resources(&transaction, &[resource_id])
                        .await
                        .map_err(|error| match error {
                            Error::Conflict(_) => no_resource(resource_id),
                            error => error,
                        })?;
                    let current = Entity::find_by_id((collection_id, resource_id))
                        .one(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    let position = match (position, &current) {
                        (Some(position), _) => position,
                        (None, current) => {
                            let last = last_position(&transaction, collection_id).await?;
                            match current {
                                Some(current) if current.position == last => last,
                                _ => last + 1,
                            }
                        }
                    };
                    if current.as_ref().is_some_and(|it| it.position == position) {
                        return Ok((position, false));
                    }
                    make_room(&transaction, collection_id, resource_id, position).await?;
                    if current.is_some() {
                        Entity::update_many()
                            .col_expr(Column::Position, Expr::val(position))
                            .filter(Column::CollectionId.eq(collection_id))
                            .filter(Column::ResourceId.eq(resource_id))
                            .exec(&transaction)
                            .await
                            .map_err(DatabaseError::from)?;
                        return Ok((position, false));
                    }
                    let row = vec![
                        collection_id.into(),
                        resource_id.into(),
                        position.into(),
                        now.into(),
                    ];
                    transaction
                        .insert_rows(&INSERT, std::iter::once(row))
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok((position, true))
                }
            })
            .await
    }
}

/// Moves what stands at a position, and all behind it, one on; nothing where the position is free.
async fn make_room(
    transaction: &Transaction,
    collection_id: Uuid,
    resource_id: Uuid,
    position: i64,
) -> Result<(), Error> {
    let others = || {
        Column::CollectionId
            .eq(collection_id)
            .and(Column::ResourceId.ne(resource_id))
    };
    let taken = Entity::find()
        .filter(others())
        .filter(Column::Position.eq(position))
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    if taken.is_some() {
        Entity::update_many()
            .col_expr(Column::Position, Expr::col(Column::Position).add(1))
            .filter(others())
            .filter(Column::Position.gte(position))
            .exec(transaction)
            .await
            .map_err(DatabaseError::from)?;
    }
    Ok(())
}

async fn last_position(transaction: &Transaction, collection_id: Uuid) -> Result<i64, Error> {
    let last: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Column::Position.max(), "last")
        .filter(Column::CollectionId.eq(collection_id))
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(last.flatten().unwrap_or(0))
}

/// Passes when all of these are in the library; else names those that are not.
async fn check_resources(transaction: &Transaction, ids: &[Uuid]) -> Result<(), Error> {
    let found: Vec<Uuid> = resources::Entity::find()
        .select_only()
        .column(resources::Column::Id)
        .filter(resources::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let found: HashSet<Uuid> = found.into_iter().collect();
    let missing: Vec<String> = ids
        .iter()
        .filter(|id| !found.contains(id))
        .map(Uuid::to_string)
        .collect();
    let more = missing.len().saturating_sub(MOST_NAMED);
    let mut named = missing[..missing.len() - more].join(", ");
    if more > 0 {
        named += &format!(" and {more} more");
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Conflict(format!(
            "the library holds no resource with the id {named}"
        )))
    }
}
