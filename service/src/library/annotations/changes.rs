//! Making, changing and deleting annotations, and keeping them valid when the text changes.
//!
//! Whoever writes an annotation first keeps the resource from changing, and whoever changes a resource locks it: so an
//! annotation is always checked against the text that it is stored with, and nobody waits in a circle.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::annotations::{ActiveModel, Column, Entity};
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::Value as Json;
use uuid::Uuid;

use super::super::fields::ResourceFields;
use super::super::resources::{from_model, not_found as no_resource};
use super::{
    Annotation, AnnotationFields, LONGEST_QUOTE, Sharing, TextField, anchor, not_found, words,
};
use crate::Pharos;
use crate::accounts::Actor;
use crate::body::shortened;
use crate::database::{DatabaseError, Transaction};
use crate::error::Error;
use crate::json::Change;
use crate::version::Expected;

impl Pharos {
    /// Marks a passage of a resource.
    pub async fn create_annotation(
        &self,
        actor: &Actor,
        resource_id: Uuid,
        fields: AnnotationFields,
    ) -> Result<Annotation, Error> {
        let now = self.clock.now();
        let (id, user_id) = (crate::ids::new_id(now, &*self.random), actor.user_id);
        let fields = Arc::new(fields);
        self.database
            .write(move |transaction| {
                let fields = Arc::clone(&fields);
                async move {
                    let resource = hold_resource(&transaction, resource_id).await?;
                    let fields = AnnotationFields::clone(&fields);
                    let annotation = Annotation {
                        id,
                        resource_id,
                        user_id,
                        field: fields.field,
                        start: fields.start,
                        end: fields.end,
                        quote: checked_quote(&resource, &fields)?,
                        note: fields.note,
                        tags: fields.tags,
                        colour: fields.colour,
                        visibility: fields.visibility,
                        stale: false,
                        version: 1,
                        created_at: now,
                        updated_at: now,
                    };
                    let mut row = active_model(&annotation);
                    row.id = Set(id);
                    row.resource_id = Set(resource_id);
                    row.user_id = Set(user_id);
                    row.created_at = Set(now);
                    Entity::insert(row)
                        .exec_without_returning(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    words::insert(&transaction, &annotation, resource.language.as_deref()).await?;
                    Ok(annotation)
                }
            })
            .await
    }

    /// Applies a change when the stored version is an expected one. Another field, start or end, and a quote, are
    /// checked against the text. A change that changes nothing leaves the version.
    pub async fn patch_annotation(
        &self,
        actor: &Actor,
        id: Uuid,
        expected: Expected,
        change: Change,
    ) -> Result<Annotation, Error> {
        let now = self.clock.now();
        let shared = Arc::new((actor.clone(), expected, change));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (actor, expected, change) = &*shared;
                    let (current, resource) = lock(&transaction, actor, id).await?;
                    expected.check("annotation", current.version)?;
                    let before = current.fields();
                    let fields = before.changed(change)?;
                    let moved = (fields.field, fields.start, fields.end)
                        != (before.field, before.start, before.end);
                    let (quote, stale) = if moved || fields.quote.is_some() {
                        (checked_quote(&resource, &fields)?, false)
                    } else {
                        (current.quote.clone(), current.stale)
                    };
                    let mut changed = Annotation {
                        field: fields.field,
                        start: fields.start,
                        end: fields.end,
                        quote,
                        note: fields.note,
                        tags: fields.tags,
                        colour: fields.colour,
                        visibility: fields.visibility,
                        stale,
                        ..current.clone()
                    };
                    if changed == current {
                        return Ok(current);
                    }
                    store(&transaction, &mut changed, now).await?;
                    words::replace(&transaction, &changed, resource.language.as_deref()).await?;
                    Ok(changed)
                }
            })
            .await
    }

    /// Deletes an annotation when the stored version is an expected one.
    pub async fn delete_annotation(
        &self,
        actor: &Actor,
        id: Uuid,
        expected: Expected,
    ) -> Result<(), Error> {
        let shared = Arc::new((actor.clone(), expected));
        self.database
            .write(move |transaction| {
                let shared = Arc::clone(&shared);
                async move {
                    let (actor, expected) = &*shared;
                    let (current, _) = lock(&transaction, actor, id).await?;
                    expected.check("annotation", current.version)?;
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

/// Brings the annotations of a resource to where their passages stand now, in the transaction that changes its text.
pub(crate) async fn follow(
    transaction: &Transaction,
    resource_id: Uuid,
    before: &ResourceFields,
    after: &ResourceFields,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let changed = |field: TextField| field.text(before) != field.text(after);
    let speaks_otherwise = before.language != after.language;
    if !speaks_otherwise && !TextField::ALL.into_iter().any(changed) {
        return Ok(());
    }
    let found = Entity::find()
        .filter(Column::ResourceId.eq(resource_id))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    for model in found {
        let mut annotation = Annotation::try_from(model)?;
        if changed(annotation.field) {
            let (old, new) = (annotation.field.text(before), annotation.field.text(after));
            let was = (annotation.start, annotation.end, annotation.stale);
            let start = usize::try_from(annotation.start).unwrap_or(0);
            match anchor::find_again(old, new, &annotation.quote, start) {
                Some(start) => {
                    let length = annotation.end - annotation.start;
                    annotation.start = i64::try_from(start).unwrap_or(i64::MAX);
                    annotation.end = annotation.start + length;
                    annotation.stale = false;
                }
                None => annotation.stale = true,
            }
            if was != (annotation.start, annotation.end, annotation.stale) {
                store(transaction, &mut annotation, now).await?;
            }
        }
        if speaks_otherwise {
            words::replace(transaction, &annotation, after.language.as_deref()).await?;
        }
    }
    Ok(())
}

/// Stores a changed annotation and counts its version up.
async fn store(
    transaction: &Transaction,
    annotation: &mut Annotation,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    annotation.version += 1;
    // The trigger for other tools must see that the application set the time.
    annotation.updated_at = std::cmp::max(
        now,
        annotation.updated_at + chrono::Duration::microseconds(1),
    );
    Entity::update_many()
        .set(active_model(annotation))
        .filter(Column::Id.eq(annotation.id))
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

fn active_model(annotation: &Annotation) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        resource_id: ActiveValue::NotSet,
        user_id: ActiveValue::NotSet,
        field: Set(annotation.field.as_str().to_owned()),
        start_offset: Set(annotation.start),
        end_offset: Set(annotation.end),
        quote: Set(annotation.quote.clone()),
        note: Set(annotation.note.clone()),
        tags: Set(Json::from(annotation.tags.as_slice())),
        colour: Set(annotation.colour.clone()),
        visibility: Set(annotation.visibility.as_str().to_owned()),
        stale: Set(annotation.stale),
        version: Set(annotation.version),
        created_at: ActiveValue::NotSet,
        updated_at: Set(annotation.updated_at),
    }
}

/// Reads an annotation that the actor may change, and its resource, and keeps others from changing either.
async fn lock(
    transaction: &Transaction,
    actor: &Actor,
    id: Uuid,
) -> Result<(Annotation, ResourceFields), Error> {
    let resource_id: Option<Uuid> = Entity::find_by_id(id)
        .select_only()
        .column(Column::ResourceId)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let resource_id = resource_id.ok_or_else(|| not_found(id))?;
    // The resource first, as whoever changes it does.
    let resource = hold_resource(transaction, resource_id)
        .await
        .map_err(|error| match error {
            Error::NotFound { .. } => not_found(id),
            error => error,
        })?;
    let found = Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let annotation = Annotation::try_from(found.ok_or_else(|| not_found(id))?)?;
    let viewer = actor.viewer();
    if !annotation.is_visible_to(viewer) {
        return Err(not_found(id));
    }
    let moderates = viewer.is_admin && annotation.visibility == Sharing::Shared;
    if annotation.user_id != viewer.user_id && !moderates {
        return Err(Error::Forbidden(
            "only who made an annotation may change it, and admins when it is shared".to_owned(),
        ));
    }
    Ok((annotation, resource))
}

/// Reads a resource and keeps it from being changed until the transaction ends.
async fn hold_resource(transaction: &Transaction, id: Uuid) -> Result<ResourceFields, Error> {
    let found = entity::resources::Entity::find_by_id(id)
        .lock_shared()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let resource = from_model(found.ok_or_else(|| no_resource(id))?)?;
    Ok(resource.fields)
}

/// The passage that the fields name, when the text has it.
fn checked_quote(resource: &ResourceFields, fields: &AnnotationFields) -> Result<String, Error> {
    let text = fields.field.text(resource);
    let offset = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let length = fields.end - fields.start;
    let found = anchor::passage(text, offset(fields.start), offset(fields.end));
    let Some(quote) = found.filter(|_| (1..=LONGEST_QUOTE).contains(&length)) else {
        return Err(Error::Conflict(format!(
            "there is no passage from {} to {}: the {} of the resource has {} characters, and a passage has from 1 to \
             {LONGEST_QUOTE} of them",
            fields.start,
            fields.end,
            fields.field.as_str(),
            text.chars().count(),
        )));
    };
    match &fields.quote {
        Some(given) if given != quote => Err(Error::Conflict(format!(
            "the text from {} to {} is not the quote: it begins `{}`",
            fields.start,
            fields.end,
            shortened(quote)
        ))),
        _ => Ok(quote.to_owned()),
    }
}
