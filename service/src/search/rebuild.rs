//! Mending the search index while it is in use: small batches, each a transaction that compares before it writes. So
//! it may be ended at any time and run again, and a change that comes in between is kept.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::settings;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, EntityTrait, Set};
use serde::Serialize;
use uuid::Uuid;

use super::drift::{WITHOUT_RESOURCE, different_documents};
use super::{ANALYSIS, FullTextSearch, reindex};
use crate::Pharos;
use crate::database::{DatabaseError, Transaction};
use crate::error::Error;
use crate::library::find_where;

/// Documents that are written in one transaction.
const BATCH_DOCUMENTS: usize = 50;

/// What a rebuild did so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Documents that were to be written when it began.
    pub outdated: u64,
    /// Documents that were written.
    pub rebuilt: u64,
    /// Documents of resources that are gone, and stray entries of the token index, that were taken out.
    pub removed: u64,
    /// Token indexes that were damaged, and made anew.
    pub replaced: u64,
    /// Documents that a run before, which was ended, has written already.
    pub written_before: u64,
}

/// The setting that holds how far a rebuild of everything has come: the analysis, and the last resource.
const POSITION: &str = "reindex_all";

/// Documents that are missing, or made from another version or by another analysis.
const OUTDATED: &str = "FROM resources r LEFT JOIN search_documents d ON d.resource_id = r.id \
     WHERE (d.resource_id IS NULL OR d.version <> r.version OR d.analysis <> ";

impl Pharos {
    /// Writes every search document that is not what it should be, or with `all` every one; takes out what belongs to
    /// no resource, and makes damaged indexes anew. `progress` is called after each batch.
    ///
    /// A rebuild of everything that was ended goes on where it was: what it has written since is right, or is seen to
    /// be wrong as any other document.
    pub async fn rebuild_search(
        &self,
        all: bool,
        mut progress: impl FnMut(&RebuildReport) + Send,
    ) -> Result<RebuildReport, Error> {
        let outdated = if all {
            "FROM resources r WHERE (1 = 1".to_owned()
        } else {
            format!("{OUTDATED}{ANALYSIS}")
        };
        let replaced = self.search.replace_damaged(&self.database).await?;
        let mut after = match all {
            true => self.rebuild_position().await?,
            false => Uuid::nil(),
        };
        let different = self.different(all, after).await?;
        let count = async |condition: &str| {
            let select = format!(
                "SELECT count(*) {outdated}) AND r.id {condition} {}",
                self.database.placeholder(1)
            );
            let statement = self.database.statement(&select, [after.into()]);
            let counted: Option<i64> = self.database.fetch_one(statement).await?;
            Ok::<_, Error>(u64::try_from(counted.unwrap_or(0)).unwrap_or(0))
        };
        let mut report = RebuildReport {
            outdated: count(">").await? + different.len() as u64,
            written_before: if all { count("<=").await? } else { 0 },
            replaced,
            ..RebuildReport::default()
        };
        progress(&report);
        report.removed = self.remove_strays().await?;
        for batch in different.chunks(BATCH_DOCUMENTS) {
            report.rebuilt += self.rebuild_batch(batch.to_vec(), Batch::Anew).await?;
            progress(&report);
        }
        let next = format!(
            "SELECT r.id {outdated}) AND r.id > {} ORDER BY r.id LIMIT {BATCH_DOCUMENTS}",
            self.database.placeholder(1)
        );
        loop {
            let statement = self.database.statement(&next, [after.into()]);
            let batch: Vec<Uuid> = self.database.fetch_all(statement).await?;
            let Some(last) = batch.last() else {
                break;
            };
            after = *last;
            let kind = match all {
                true => Batch::OfAll { last: after },
                false => Batch::Outdated,
            };
            report.rebuilt += self.rebuild_batch(batch, kind).await?;
            progress(&report);
        }
        if all {
            self.forget_rebuild_position().await?;
        }
        self.index_waiting().await?;
        Ok(report)
    }

    /// The resources whose documents look right and are not. Of a rebuild of everything, those that it does not come to.
    async fn different(&self, all: bool, after: Uuid) -> Result<Vec<Uuid>, Error> {
        if all && after.is_nil() {
            return Ok(Vec::new());
        }
        let different = different_documents(&self.database, &self.search, true).await?;
        let taken = different
            .iter()
            .filter(|found| match all {
                true => found.resource <= after,
                false => found.looks_current,
            })
            .map(|found| found.resource);
        Ok(taken.collect())
    }

    /// Where a rebuild of everything by this analysis was ended; nil when none was.
    async fn rebuild_position(&self) -> Result<Uuid, Error> {
        let stored = settings::Entity::find_by_id(POSITION.to_owned())
            .one(&self.database)
            .await
            .map_err(DatabaseError::from)?;
        let position = stored.and_then(|setting| {
            let (analysis, last) = setting.value.split_once(' ')?;
            let last = Uuid::try_parse(last).ok()?;
            (analysis == ANALYSIS.to_string()).then_some(last)
        });
        Ok(position.unwrap_or_default())
    }

    async fn forget_rebuild_position(&self) -> Result<(), Error> {
        self.database
            .write(|transaction| async move {
                settings::Entity::delete_by_id(POSITION.to_owned())
                    .exec(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                Ok(())
            })
            .await
    }

    /// Writes the documents of some resources as they are now; returns how many.
    async fn rebuild_batch(&self, ids: Vec<Uuid>, batch: Batch) -> Result<u64, Error> {
        let (search, ids) = (Arc::clone(&self.search), Arc::new(ids));
        let now = self.clock.now();
        self.database
            .write(move |transaction| {
                let (search, ids) = (Arc::clone(&search), Arc::clone(&ids));
                async move {
                    let rebuilt = rebuild(&transaction, &*search, &ids, batch).await?;
                    if let Batch::OfAll { last } = batch {
                        write_position(&transaction, last, now).await?;
                    }
                    Ok(rebuilt)
                }
            })
            .await
    }

    async fn remove_strays(&self) -> Result<u64, Error> {
        let stray = self.search.stray_entries();
        self.database
            .write(move |transaction| {
                let delete = stray.as_ref().map(|stray| stray.delete);
                async move {
                    let documents =
                        format!("DELETE FROM search_documents AS d WHERE {WITHOUT_RESOURCE}");
                    let mut removed = execute(&transaction, &documents).await?;
                    if let Some(delete) = delete {
                        removed += execute(&transaction, delete).await?;
                    }
                    Ok(removed)
                }
            })
            .await
    }
}

/// Why documents are written.
#[derive(Clone, Copy)]
enum Batch {
    /// They are outdated, unless somebody else has written them meanwhile: then they are left.
    Outdated,
    /// They look current and are not.
    Anew,
    /// All are, up to this resource.
    OfAll { last: Uuid },
}

async fn write_position(
    transaction: &Transaction,
    last: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row = settings::ActiveModel {
        name: Set(POSITION.to_owned()),
        value: Set(format!("{ANALYSIS} {last}")),
        updated_at: Set(now),
    };
    let there = OnConflict::column(settings::Column::Name)
        .update_columns([settings::Column::Value, settings::Column::UpdatedAt])
        .to_owned();
    settings::Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

async fn execute(transaction: &Transaction, sql: &str) -> Result<u64, Error> {
    let done = transaction
        .execute_unprepared(sql)
        .await
        .map_err(DatabaseError::from)?;
    Ok(done.rows_affected())
}

async fn rebuild(
    transaction: &Transaction,
    search: &dyn FullTextSearch,
    ids: &[Uuid],
    batch: Batch,
) -> Result<u64, Error> {
    let id = Expr::col((entity::resources::Entity, entity::resources::Column::Id));
    let resources = find_where(transaction, id.is_in(ids.iter().copied())).await?;
    let current = match batch {
        Batch::Outdated => current_documents(transaction, ids).await?,
        Batch::Anew | Batch::OfAll { .. } => Vec::new(),
    };
    let mut rebuilt = 0;
    for resource in resources {
        if current.contains(&(resource.id, resource.version)) {
            continue;
        }
        let document = search.analyse(&resource.fields, resource.version);
        reindex(search, transaction, resource.id, &document)
            .await
            .map_err(DatabaseError::from)?;
        rebuilt += 1;
    }
    Ok(rebuilt)
}

/// The documents of today's analysis: resource and version.
async fn current_documents(
    transaction: &Transaction,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, i64)>, Error> {
    use entity::search_documents::{Column, Entity};
    use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

    let found = Entity::find()
        .select_only()
        .columns([Column::ResourceId, Column::Version])
        .filter(ColumnTrait::is_in(&Column::ResourceId, ids.iter().copied()))
        .filter(ColumnTrait::eq(&Column::Analysis, ANALYSIS))
        .into_tuple()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(found)
}
