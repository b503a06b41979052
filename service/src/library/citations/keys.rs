//! The keys by which citations find resources, kept in the transaction that writes the resource.

use entity::resource_identifiers::{ActiveModel, Column, Entity};
use entity::{citations, resources, settings};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use super::super::fields::ResourceFields;
use super::super::resources::from_model;
use super::identifier::{key, keys_of};
use crate::Pharos;
use crate::database::{BulkInsert, ColumnType, DatabaseError, Form, Transaction};
use crate::error::Error;

/// The setting that tells that identifiers of before were read.
const READ: &str = "identifiers_read";
/// Rows that are read in one transaction.
const BATCH_ROWS: u64 = 500;

static INSERT: BulkInsert = BulkInsert::new(
    "resource_identifiers",
    Form::Arrays,
    &[
        ("identifier_key", ColumnType::Text),
        ("resource_id", ColumnType::Uuid),
    ],
    &[],
);

/// Writes the keys of new resources.
pub(crate) async fn insert_keys(
    transaction: &Transaction,
    new: impl Iterator<Item = (Uuid, &ResourceFields)>,
) -> Result<(), Error> {
    let rows = new.flat_map(|(id, fields)| {
        let keys = keys_of(fields).into_iter();
        keys.map(move |key| vec![key.into(), id.into()])
    });
    transaction
        .insert_rows(&INSERT, rows)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

/// Writes the keys of a resource anew, where they change.
pub(crate) async fn replace_keys(
    transaction: &Transaction,
    id: Uuid,
    before: &ResourceFields,
    after: &ResourceFields,
) -> Result<(), Error> {
    if keys_of(before) == keys_of(after) {
        return Ok(());
    }
    Entity::delete_many()
        .filter(Column::ResourceId.eq(id))
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    insert_keys(transaction, std::iter::once((id, after))).await
}

impl Pharos {
    /// Reads, once, the identifiers of resources and citations that were there before their keys were kept.
    pub(crate) async fn read_identifiers_of_before(&self) -> Result<(), Error> {
        let done = settings::Entity::find_by_id(READ.to_owned())
            .one(&self.database)
            .await
            .map_err(DatabaseError::from)?;
        if done.is_some() {
            return Ok(());
        }
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            after = self
                .database
                .write(move |transaction| async move { read_resources(&transaction, from).await })
                .await?;
        }
        let now = self.clock.now();
        self.database
            .write(move |transaction| async move {
                read_citations(&transaction).await?;
                let row = settings::ActiveModel {
                    name: Set(READ.to_owned()),
                    value: Set("1".to_owned()),
                    updated_at: Set(now),
                };
                // Another process may have been as fast.
                settings::Entity::insert(row)
                    .on_conflict(
                        OnConflict::column(settings::Column::Name)
                            .do_nothing()
                            .to_owned(),
                    )
                    .exec_without_returning(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                Ok(())
            })
            .await
    }
}

/// Writes the keys of a batch of resources that may have them already; gives the last id, when there may be more.
async fn read_resources(transaction: &Transaction, from: Uuid) -> Result<Option<Uuid>, Error> {
    let batch = resources::Entity::find()
        .filter(resources::Column::Id.gt(from))
        .order_by_asc(resources::Column::Id)
        .limit(BATCH_ROWS)
        .lock_shared()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let last = batch.last().map(|resource| resource.id);
    for model in batch {
        let resource = from_model(model)?;
        for key in keys_of(&resource.fields) {
            let row = ActiveModel {
                identifier_key: Set(key),
                resource_id: Set(resource.id),
            };
            Entity::insert(row)
                .on_conflict(
                    OnConflict::columns([Column::IdentifierKey, Column::ResourceId])
                        .do_nothing()
                        .to_owned(),
                )
                .exec_without_returning(transaction)
                .await
                .map_err(DatabaseError::from)?;
        }
    }
    Ok(last)
}

async fn read_citations(transaction: &Transaction) -> Result<(), Error> {
    use citations::Column;

    let waiting: Vec<(Uuid, String)> = citations::Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::Identifier)
        .filter(Column::IdentifierKey.is_null())
        .filter(Column::Identifier.is_not_null())
        .into_tuple()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    for (id, identifier) in waiting {
        citations::Entity::update_many()
            .col_expr(Column::IdentifierKey, Expr::val(key(&identifier)))
            .filter(Column::Id.eq(id))
            .exec(transaction)
            .await
            .map_err(DatabaseError::from)?;
    }
    Ok(())
}
