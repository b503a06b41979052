//! Mending the search index while it is in use: small batches, each a transaction that compares before it writes. So
//! it may be ended at any time and run again, and a change that comes in between is kept.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use uuid::Uuid;

use super::drift::{WITHOUT_RESOURCE, indexed_differently};
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
}

/// Documents that are missing, or made from another version or by another analysis.
const OUTDATED: &str = "FROM resources r LEFT JOIN search_documents d ON d.resource_id = r.id \
     WHERE (d.resource_id IS NULL OR d.version <> r.version OR d.analysis <> ";

impl Pharos {
    /// Writes every search document that is not what it should be, or with `all` every one; takes out what belongs to
    /// no resource. `progress` is called after each batch.
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
        let different = indexed_differently(&self.database, &*self.search).await?;
        let count = self
            .database
            .statement(&format!("SELECT count(*) {outdated})"), []);
        let counted: i64 = self.database.fetch_one(count).await?.unwrap_or(0);
        let mut report = RebuildReport {
            outdated: u64::try_from(counted).unwrap_or(0) + different.len() as u64,
            ..RebuildReport::default()
        };
        progress(&report);
        report.removed = self.remove_strays().await?;
        for batch in different.chunks(BATCH_DOCUMENTS) {
            report.rebuilt += self.rebuild_batch(batch.to_vec(), true).await?;
            progress(&report);
        }
        let mut after = Uuid::nil();
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
            report.rebuilt += self.rebuild_batch(batch, all).await?;
            progress(&report);
        }
        Ok(report)
    }

    /// Writes the documents of some resources as they are now; returns how many. Those that somebody else has written
    /// meanwhile are left, unless all are to be written.
    async fn rebuild_batch(&self, ids: Vec<Uuid>, all: bool) -> Result<u64, Error> {
        let (search, ids) = (Arc::clone(&self.search), Arc::new(ids));
        self.database
            .write(move |transaction| {
                let (search, ids) = (Arc::clone(&search), Arc::clone(&ids));
                async move { rebuild(&transaction, &*search, &ids, all).await }
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
    all: bool,
) -> Result<u64, Error> {
    let id = Expr::col((entity::resources::Entity, entity::resources::Column::Id));
    let resources = find_where(transaction, id.is_in(ids.iter().copied())).await?;
    let current = if all {
        Vec::new()
    } else {
        current_documents(transaction, ids).await?
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
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

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
