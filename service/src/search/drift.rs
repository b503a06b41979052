//! Where the search index is not what the library says: counted, so that it can be mended.

use serde::Serialize;
use uuid::Uuid;

use super::packed::Terms;
use super::{ANALYSIS, FullTextSearch, full_text_search};
use crate::database::{Database, DatabaseError};

/// How many places of each kind differ; all 0 when nothing is to be mended. Each is counted by one statement, so that
/// changes meanwhile are no drift.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SearchDrift {
    /// Resources that cannot be found, because they have no search document.
    pub resources_without_document: i64,
    /// Search documents of resources that are gone.
    pub documents_without_resource: i64,
    /// Search documents made from another version of their resource: another tool changed it.
    pub documents_of_another_version: i64,
    /// Search documents made by the analysis of another version of Pharos.
    pub documents_of_another_analysis: i64,
    /// Documents of which the database's token index has another number of tokens.
    pub documents_indexed_differently: i64,
    /// Entries of the token index that belong to no document.
    pub stray_index_entries: i64,
}

impl SearchDrift {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) const WITHOUT_RESOURCE: &str =
    "NOT EXISTS (SELECT 1 FROM resources r WHERE r.id = d.resource_id)";

/// Counts where the search index of a database is off.
pub async fn search_drift(database: &Database) -> Result<SearchDrift, DatabaseError> {
    let search = full_text_search(database);
    let count = async |sql: &str| {
        let counted: Option<i64> = database.fetch_one(database.statement(sql, [])).await?;
        Ok::<_, DatabaseError>(counted.unwrap_or(0))
    };
    Ok(SearchDrift {
        resources_without_document: count(
            "SELECT count(*) FROM resources r \
             WHERE NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.resource_id = r.id)",
        )
        .await?,
        documents_without_resource: count(&format!(
            "SELECT count(*) FROM search_documents d WHERE {WITHOUT_RESOURCE}"
        ))
        .await?,
        documents_of_another_version: count(
            "SELECT count(*) FROM search_documents d JOIN resources r ON r.id = d.resource_id \
             WHERE d.version <> r.version",
        )
        .await?,
        documents_of_another_analysis: count(&format!(
            "SELECT count(*) FROM search_documents WHERE analysis <> {ANALYSIS}"
        ))
        .await?,
        documents_indexed_differently: i64::try_from(
            indexed_differently(database, &*search).await?.len(),
        )
        .unwrap_or(i64::MAX),
        stray_index_entries: match search.stray_entries() {
            Some(stray) => count(stray.count).await?,
            None => 0,
        },
    })
}

/// The resources of which the token index has another number of tokens than their document says.
pub(super) async fn indexed_differently(
    database: &Database,
    search: &dyn FullTextSearch,
) -> Result<Vec<Uuid>, DatabaseError> {
    let strategy = full_text_search(database);
    let statement = database.statement(search.select_indexed(), []);
    database
        .fold(statement, move |different: &mut Vec<Uuid>, row| {
            let tokens = row.bytes(1, Terms::count_tokens)?;
            if strategy.indexed_tokens(row)? != tokens {
                different.push(row.get(0)?);
            }
            Ok(())
        })
        .await
}
