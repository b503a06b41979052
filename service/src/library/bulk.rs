//! Many resources at once: created line by line, deleted by a filter.

use std::sync::Arc;

use entity::resources::{Column, Entity};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, Func, Query};
use uuid::Uuid;

use super::fields::ResourceFields;
use super::resources::{Creator, NewResource};
use super::{RESOURCES, citations};
use crate::Pharos;
use crate::accounts::Actor;
use crate::database::DatabaseError;
use crate::error::{Error, Fault};
use crate::json::filter::Reach;
use crate::search;

/// Resources that one request deletes at most.
pub const MOST_DELETED: u32 = 10_000;

impl Pharos {
    /// Creates resources in one transaction, or, when one of them is at fault, each in its own. Gives the id of each, in
    /// their order, or why there is none.
    pub async fn create_resources(
        &self,
        actor: &Actor,
        fields: Vec<ResourceFields>,
    ) -> Vec<Result<Uuid, Error>> {
        let new: Vec<NewResource> = fields
            .into_iter()
            .map(|fields| self.new_resource(fields, Some(actor.user_id)))
            .collect();
        let creator = Creator {
            database: self.database.clone(),
            search: Arc::clone(&self.search),
            authorities: Arc::clone(&self.authorities),
        };
        // Boxed, since it is deep inside of what streams.
        let written = Box::pin(creator.insert_each(new)).await;
        written
            .into_iter()
            .map(|result| result.map(|resource| resource.id))
            .collect()
    }

    /// Deletes what a filter finds, with what hangs on it, when that is as many as expected: all or none.
    pub async fn delete_resources(
        &self,
        actor: &Actor,
        filter: &str,
        expected: u64,
    ) -> Result<u64, Error> {
        let condition = self
            .filter(&RESOURCES, filter, Some(actor.viewer()), Reach::All)
            .await
            .map_err(in_body)?;
        let count = Query::select()
            .expr(Expr::from(Func::count(Expr::col((Entity, Column::Id)))))
            .from(Entity)
            .and_where(condition.clone())
            .take();
        let delete = Query::delete()
            .from_table(Entity)
            .and_where(condition.clone())
            .take();
        let count = Arc::new(self.database.build(&count));
        let delete = Arc::new(self.database.build(&delete));
        let now = self.clock.now();
        self.database
            .write(move |transaction| {
                let (count, delete) = (Arc::clone(&count), Arc::clone(&delete));
                let leaving = condition.clone();
                async move {
                    let found = transaction
                        .query_one_raw((*count).clone())
                        .await
                        .map_err(DatabaseError::from)?;
                    let found: i64 = match found {
                        Some(row) => row.try_get_by_index(0).map_err(DatabaseError::from)?,
                        None => 0,
                    };
                    check_count(found.unsigned_abs(), expected)?;
                    search::forget_old_removals(&transaction, now)
                        .await
                        .map_err(DatabaseError::from)?;
                    citations::forget_targets(&transaction, leaving, now).await?;
                    let deleted = transaction
                        .execute_raw((*delete).clone())
                        .await
                        .map_err(DatabaseError::from)?
                        .rows_affected();
                    // Somebody else may have come in between.
                    check_count(deleted, expected)?;
                    Ok(deleted)
                }
            })
            .await
    }
}

fn check_count(found: u64, expected: u64) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::AnotherCount { found, expected })
}

/// A filter in a body has a pointer instead of a parameter's name.
fn in_body(error: Error) -> Error {
    match error {
        Error::BadParameter(faults) => Error::Invalid(
            faults
                .into_iter()
                .map(|fault| {
                    let detail = match &fault.place {
                        crate::Place::Parameter {
                            position: Some(position),
                            ..
                        } => format!("at {position}: {}", fault.detail),
                        _ => fault.detail,
                    };
                    Fault::at("/filter", fault.code, detail)
                })
                .collect(),
        ),
        other => other,
    }
}
