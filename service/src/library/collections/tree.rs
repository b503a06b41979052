//! Creating, changing, moving and deleting collections. A tree has one owner, and whoever changes its shape does so
//! alone, so that no two moves together make a circle.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::collections::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveValue, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Set,
};
use uuid::Uuid;

use super::access::{Access, lock, visible};
use super::{COLLECTIONS, Collection, CollectionFields, FIELDS, not_found};
use crate::Pharos;
use crate::accounts::Actor;
use crate::database::{DatabaseError, Transaction, Turn};
use crate::error::Error;
use crate::json::Change;
use crate::lists::{Field, ListRequest, Page, Source, all_rows};
use crate::version::Expected;

/// Collections inside each other at most.
const DEEPEST: usize = 32;

/// What becomes of the collections in one that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Children {
    /// They go, too, with everything beneath them.
    Delete,
    /// They move up to where the deleted one stood.
    Lift,
}

impl FromStr for Children {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "delete" => Ok(Self::Delete),
            "lift" => Ok(Self::Lift),
            _ => Err("expected delete or lift".to_owned()),
        }
    }
}

impl Pharos {
    /// A page of the collections that the caller may see.
    pub async fn list_collections(&self, request: &ListRequest) -> Result<Page<Collection>, Error> {
        let source = Source {
            name: "collections".to_owned(),
            table: &COLLECTIONS,
            rows: all_rows("collections")
                .and_where_option(visible(request.viewer))
                .take(),
        };
        let columns = FIELDS.iter().map(Field::expression);
        self.list_rows(&source, request, columns).await
    }

    /// Creates a collection. One that stands in another gets that one's owner.
    pub async fn create_collection(
        &self,
        actor: &Actor,
        fields: CollectionFields,
    ) -> Result<Collection, Error> {
        let now = self.clock.now();
        let collection = Collection {
            id: crate::ids::new_id(now, &*self.random),
            fields,
            owner_id: actor.user_id,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let (actor, collection) = (Arc::new(actor.clone()), Arc::new(collection));
        self.database
            .write(move |transaction| {
                let (actor, collection) = (Arc::clone(&actor), Arc::clone(&collection));
                async move {
                    let mut collection = Collection::clone(&collection);
                    if let Some(parent_id) = collection.fields.parent_id {
                        collection.owner_id = begin_shaping(&transaction, parent_id)
                            .await
                            .map_err(as_parent)?;
                        check_place(&transaction, &actor, &collection, parent_id).await?;
                    }
                    let mut row = active_model(&collection);
                    row.id = Set(collection.id);
                    row.owner_id = Set(collection.owner_id);
                    row.created_at = Set(collection.created_at);
                    Entity::insert(row)
                        .exec_without_returning(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(collection)
                }
            })
            .await
    }

    /// Applies a change when the stored version is an expected one. One that changes nothing leaves the version.
    pub async fn patch_collection(
        &self,
        actor: &Actor,
        id: Uuid,
        expected: Expected,
        change: Change,
    ) -> Result<Collection, Error> {
        let now = self.clock.now();
        let shared = Arc::new((actor.clone(), expected, change));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (actor, expected, change) = &*shared;
                    begin_shaping(&transaction, id).await?;
                    let current = lock(&transaction, actor, id, Access::Own).await?;
                    expected.check("collection", current.version)?;
                    let fields = current.fields.changed(change)?;
                    if fields == current.fields {
                        return Ok(current);
                    }
                    let moves = fields.parent_id != current.fields.parent_id;
                    let changed = Collection {
                        fields,
                        version: current.version + 1,
                        updated_at: later(now, current.updated_at),
                        ..current
                    };
                    if let Some(parent_id) = changed.fields.parent_id.filter(|_| moves) {
                        check_place(&transaction, actor, &changed, parent_id).await?;
                    }
                    Entity::update_many()
                        .set(active_model(&changed))
                        .filter(Column::Id.eq(id))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(changed)
                }
            })
            .await
    }

    /// Deletes a collection when the stored version is an expected one; the resources in it stay in the library. Where
    /// other collections stand in it, the caller has to say what becomes of them.
    pub async fn delete_collection(
        &self,
        actor: &Actor,
        id: Uuid,
        expected: Expected,
        children: Option<Children>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let shared = Arc::new((actor.clone(), expected));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (actor, expected) = &*shared;
                    begin_shaping(&transaction, id).await?;
                    let current = lock(&transaction, actor, id, Access::Own).await?;
                    expected.check("collection", current.version)?;
                    match children {
                        Some(Children::Delete) => {}
                        Some(Children::Lift) => {
                            Entity::update_many()
                                .col_expr(Column::ParentId, Expr::val(current.fields.parent_id))
                                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                                .col_expr(Column::UpdatedAt, Expr::val(now))
                                .filter(Column::ParentId.eq(id))
                                .exec(&transaction)
                                .await
                                .map_err(DatabaseError::from)?;
                        }
                        None => {
                            let count = Entity::find()
                                .filter(Column::ParentId.eq(id))
                                .count(&transaction)
                                .await
                                .map_err(DatabaseError::from)?;
                            if count > 0 {
                                return Err(Error::Conflict(format!(
                                    "{count} collections stand in this one: say children=delete or children=lift"
                                )));
                            }
                        }
                    }
                    Entity::delete_by_id(id)
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await
    }
}

/// The trigger for other tools must see that the application set the time.
fn later(now: DateTime<Utc>, before: DateTime<Utc>) -> DateTime<Utc> {
    std::cmp::max(now, before + chrono::Duration::microseconds(1))
}

fn active_model(collection: &Collection) -> ActiveModel {
    let fields = &collection.fields;
    ActiveModel {
        id: ActiveValue::NotSet,
        parent_id: Set(fields.parent_id),
        owner_id: ActiveValue::NotSet,
        name: Set(fields.name.clone()),
        description: Set(fields.description.clone()),
        visibility: Set(fields.visibility.as_str().to_owned()),
        version: Set(collection.version),
        created_at: ActiveValue::NotSet,
        updated_at: Set(collection.updated_at),
    }
}

/// Waits until nobody else changes the shape of the tree that a collection stands in, and tells its owner. It comes
/// before any row is locked, so that two who move each other's parents wait in one line.
async fn begin_shaping(transaction: &Transaction, id: Uuid) -> Result<Uuid, Error> {
    let owner: Option<Uuid> = Entity::find_by_id(id)
        .select_only()
        .column(Column::OwnerId)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let owner = owner.ok_or_else(|| not_found(id))?;
    let (high, low) = owner.as_u64_pair();
    transaction
        .take_turn(Turn::Collections((high ^ low).cast_signed()))
        .await
        .map_err(DatabaseError::from)?;
    Ok(owner)
}

/// Passes when a collection may stand in another: the caller's own, of the same owner, not beneath itself, and not too
/// deep.
async fn check_place(
    transaction: &Transaction,
    actor: &Actor,
    collection: &Collection,
    parent_id: Uuid,
) -> Result<(), Error> {
    let parent = lock(transaction, actor, parent_id, Access::Own)
        .await
        .map_err(as_parent)?;
    if parent.owner_id != collection.owner_id {
        return Err(Error::Conflict(
            "a collection can stand in one of the same owner only".to_owned(),
        ));
    }
    let tree: Vec<(Uuid, Option<Uuid>)> = Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::ParentId)
        .filter(Column::OwnerId.eq(collection.owner_id))
        .into_tuple()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let parents: HashMap<Uuid, Uuid> = tree
        .iter()
        .filter_map(|(id, parent)| Some((*id, (*parent)?)))
        .collect();
    let mut above = 1;
    let mut at = parent_id;
    loop {
        if at == collection.id {
            return Err(Error::Conflict(
                "a collection cannot stand in itself or in one that is beneath it".to_owned(),
            ));
        }
        match parents.get(&at) {
            Some(parent) if above <= DEEPEST => at = *parent,
            _ => break,
        }
        above += 1;
    }
    let below = tree
        .iter()
        .filter_map(|(id, _)| distance(&parents, *id, collection.id))
        .max()
        .unwrap_or(0);
    if above + 1 + below > DEEPEST {
        return Err(Error::Conflict(format!(
            "at most {DEEPEST} collections can stand inside each other"
        )));
    }
    Ok(())
}

/// How many steps up from one collection to another that it stands beneath.
fn distance(parents: &HashMap<Uuid, Uuid>, from: Uuid, to: Uuid) -> Option<usize> {
    let mut at = from;
    for steps in 0..=DEEPEST {
        if at == to {
            return Some(steps);
        }
        at = *parents.get(&at)?;
    }
    None
}

/// What a body names and the caller cannot see is no wrong address.
fn as_parent(error: Error) -> Error {
    match error {
        Error::NotFound { id, .. } => {
            Error::Conflict(format!("parent_id: no collection has the id {id}"))
        }
        error => error,
    }
}
