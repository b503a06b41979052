//! Making, changing and deleting citations.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::citations::{ActiveModel, Column, Entity, Model};
use entity::{resource_identifiers, resources};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use super::super::resources::not_found as no_resource;
use super::{Citation, CitationFields, ResolvedBy, not_found};
use crate::Pharos;
use crate::database::{DatabaseError, Transaction};
use crate::error::{Error, Fault};
use crate::json::Change;
use crate::version::Expected;

impl Pharos {
    /// Notes that a resource cites something.
    pub async fn create_citation(
        &self,
        citing_id: Uuid,
        fields: CitationFields,
    ) -> Result<Citation, Error> {
        let now = self.clock.now();
        let id = crate::ids::new_id(now, &*self.random);
        let fields = Arc::new(fields);
        self.database
            .write(move |transaction| {
                let fields = Arc::clone(&fields);
                async move {
                    if !exists(&transaction, citing_id).await? {
                        return Err(no_resource(citing_id));
                    }
                    check(&transaction, citing_id, &fields).await?;
                    let mut row = active_model(&fields, 1, now);
                    row.id = Set(id);
                    row.citing_id = Set(citing_id);
                    row.created_at = Set(now);
                    Entity::insert(row)
                        .exec_without_returning(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    shown(&transaction, id).await
                }
            })
            .await
    }

    /// Applies a change when the stored version is an expected one. A change that changes nothing leaves the version.
    pub async fn patch_citation(
        &self,
        id: Uuid,
        expected: Expected,
        change: Change,
    ) -> Result<Citation, Error> {
        let now = self.clock.now();
        let shared = Arc::new((expected, change));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (expected, change) = &*shared;
                    let current = lock(&transaction, id).await?;
                    expected.check("citation", current.version)?;
                    let before = stored_fields(&current)?;
                    let fields = before.changed(change)?;
                    if fields != before {
                        check(&transaction, current.citing_id, &fields).await?;
                        // The trigger for other tools must see that the application set the time.
                        let later = current.updated_at + chrono::Duration::microseconds(1);
                        let row =
                            active_model(&fields, current.version + 1, std::cmp::max(now, later));
                        Entity::update_many()
                            .set(row)
                            .filter(Column::Id.eq(id))
                            .exec(&transaction)
                            .await
                            .map_err(DatabaseError::from)?;
                    }
                    shown(&transaction, id).await
                }
            })
            .await
    }

    /// Deletes a citation when the stored version is an expected one.
    pub async fn delete_citation(&self, id: Uuid, expected: Expected) -> Result<(), Error> {
        let expected = Arc::new(expected);
        self.database
            .write(move |transaction| {
                let expected = Arc::clone(&expected);
                async move {
                    let current = lock(&transaction, id).await?;
                    expected.check("citation", current.version)?;
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

/// Takes resources that are about to go out of the citations that name them. The database would do so by itself, but its
/// triggers would give them a time of its own clock.
pub(crate) async fn forget_targets(
    transaction: &Transaction,
    leaving: Expr,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::CitedId, Expr::val(None::<Uuid>))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .filter(
            Column::CitedId.in_subquery(
                Query::select()
                    .column((resources::Entity, resources::Column::Id))
                    .from(resources::Entity)
                    .and_where(leaving)
                    .take(),
            ),
        )
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

fn active_model(fields: &CitationFields, version: i64, now: DateTime<Utc>) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        citing_id: ActiveValue::NotSet,
        cited_id: Set(fields.cited_id),
        citation_type: Set(fields.citation_type.as_str().to_owned()),
        raw_text: Set(fields.raw_text.clone()),
        identifier: Set(fields.identifier.clone()),
        identifier_key: Set(fields.key()),
        version: Set(version),
        created_at: ActiveValue::NotSet,
        updated_at: Set(now),
    }
}

fn stored_fields(model: &Model) -> Result<CitationFields, Error> {
    let citation_type = model.citation_type.parse().map_err(|()| {
        Error::Internal(format!(
            "no citation has the type `{}`",
            model.citation_type
        ))
    })?;
    Ok(CitationFields {
        citation_type,
        cited_id: model.cited_id,
        identifier: model.identifier.clone(),
        raw_text: model.raw_text.clone(),
    })
}

async fn lock(transaction: &Transaction, id: Uuid) -> Result<Model, Error> {
    let found = Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    found.ok_or_else(|| not_found(id))
}

/// A citation as it is stored, with what it is resolved to at this moment.
async fn shown(transaction: &Transaction, id: Uuid) -> Result<Citation, Error> {
    let model = Entity::find_by_id(id)
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?
        .ok_or_else(|| not_found(id))?;
    let fields = stored_fields(&model)?;
    let found = match (&model.identifier_key, model.cited_id) {
        (Some(key), None) => resource_identifiers::Entity::find()
            .filter(resource_identifiers::Column::IdentifierKey.eq(key))
            .order_by_asc(resource_identifiers::Column::ResourceId)
            .one(transaction)
            .await
            .map_err(DatabaseError::from)?
            .map(|row| (row.resource_id, ResolvedBy::Identifier)),
        (_, cited_id) => cited_id.map(|id| (id, ResolvedBy::Hand)),
    };
    Ok(Citation {
        id: model.id,
        citing_id: model.citing_id,
        cited_id: found.map(|(id, _)| id),
        resolved_by: found.map(|(_, by)| by),
        citation_type: fields.citation_type,
        identifier: model.identifier,
        raw_text: model.raw_text,
        version: model.version,
        created_at: model.created_at,
        updated_at: model.updated_at,
    })
}

async fn exists(transaction: &Transaction, id: Uuid) -> Result<bool, Error> {
    let found: Option<Uuid> = resources::Entity::find_by_id(id)
        .select_only()
        .column(resources::Column::Id)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(found.is_some())
}

/// Passes when something is cited, and what is named is another resource of the library.
async fn check(
    transaction: &Transaction,
    citing_id: Uuid,
    fields: &CitationFields,
) -> Result<(), Error> {
    if fields.cited_id == Some(citing_id) {
        return Err(Error::Invalid(vec![Fault::at(
            "/cited_id",
            "out_of_range",
            "a resource does not cite itself: name another one",
        )]));
    }
    if let Some(cited_id) = fields.cited_id
        && !exists(transaction, cited_id).await?
    {
        return Err(Error::Conflict(format!(
            "cited_id: no resource has the id {cited_id}"
        )));
    }
    let says = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    if fields.cited_id.is_none() && !says(&fields.identifier) && !says(&fields.raw_text) {
        return Err(Error::Invalid(vec![Fault::at(
            "",
            "required",
            "nothing is cited: give cited_id, identifier or raw_text",
        )]));
    }
    Ok(())
}
